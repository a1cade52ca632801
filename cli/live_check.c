#include "cli/live_check.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/case.h"

#define REST_TIMES 10
#define REST_LEAST_NS IQ_NS_PER_S
/* Of one look; the others are counted. */
#define MOST_LINES 20u
/* So long a command may go on after the recording. */
#define COMMAND_END_NS (10 * IQ_NS_PER_S)

extern char **environ;

/* What violated instances are handed to, as JSON lines on its standard input; one at a time. */
struct command {
	const char *line;
	pid_t pid;
	struct iq_buf waiting;
};

struct cli_live_check {
	struct cli *cli;
	const char *store;
	struct iq_spec *spec;
	struct iq_map told; /* violated instances */
	struct iq_arena memory;
	struct iq_buf key;
	struct command command;
	bool in_trouble; /* and it was said */
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool ends;
};

/* ---- The command ---- */

static int make_input(struct iq_view text)
{
	const int fd = memfd_create("violated", MFD_CLOEXEC);
	struct iq_error error = IQ_ERROR_INIT;

	if (fd >= 0 && iq_file_write_all(fd, text.data, text.len, &error) < 0) {
		(void)close(fd);
		return -1;
	}
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

/* In a process group of its own, that Ctrl-C does not end it, and with signals as a program expects them. */
static int spawn_shell(const char *line, int input, pid_t *ret_pid)
{
	char *words[] = { strdup("sh"), strdup("-c"), strdup(line), NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, pipe;
	int rc = ENOMEM;

	(void)sigemptyset(&none);
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &pipe);
	(void)posix_spawnattr_setflags(&attributes,
				       POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	(void)posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	if (words[0] && words[1] && words[2])
		rc = posix_spawn(ret_pid, "/bin/sh", &files, &attributes, words, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attributes);
	for (size_t i = 0; i < 3; i++)
		free(words[i]);
	return rc;
}

static bool command_runs(struct command *command)
{
	if (command->pid > 0 && waitpid(command->pid, NULL, WNOHANG) != 0)
		command->pid = 0;
	return command->pid > 0;
}

static void run_command(struct command *command)
{
	int input, rc;

	if (!command->line || command->waiting.len == 0 || command_runs(command))
		return;
	input = make_input(iq_buf_view(&command->waiting));
	rc = input < 0 ? errno : spawn_shell(command->line, input, &command->pid);
	if (rc != 0) {
		command->pid = 0;
		cli_warn("--exec: the command cannot be run: %s", strerror(rc));
	}
	if (input >= 0)
		(void)close(input);
	iq_buf_clear(&command->waiting);
}

static void await_command(struct command *command)
{
	const int64_t until = iq_clock_monotonic() + COMMAND_END_NS;

	while (command_runs(command) && iq_clock_monotonic() < until)
		(void)usleep(10000);
	if (command->pid > 0)
		cli_warn("--exec: the command still runs, as process %ld", (long)command->pid);
}

static void append_member(struct iq_buf *out, const char *name, struct iq_view text)
{
	(void)iq_buf_appendf(out, "%s\"%s\":", out->len > 0 && out->data[out->len - 1] == '{' ? "" : ",", name);
	(void)iq_json_append_string(out, text);
}

static void hand_over(struct cli_live_check *check, const struct iq_lifecycle_result *lifecycle,
		      const struct iq_instance *instance, const struct iq_finding *finding)
{
	struct iq_buf *out = &check->command.waiting;
	char at[IQ_RFC3339_SIZE];

	if (!check->command.line)
		return;
	(void)iq_buf_append_char(out, '{');
	append_member(out, "store", iq_view_cstr(check->store));
	append_member(out, "lifecycle", lifecycle->name);
	append_member(out, "key", instance->key);
	if (finding) {
		append_member(out, "finding", iq_view_cstr(iq_finding_kind_name(finding->kind)));
		append_member(out, "message", finding->message);
		if (finding->rule.data)
			append_member(out, "rule", finding->rule);
	}
	if (instance->last.ts != IQ_TIME_NONE)
		append_member(out, "time", iq_view_cstr(iq_time_format(instance->last.ts, at)));
	(void)iq_buf_append_cstr(out, ",\"sessions\":[");
	for (size_t i = 0; i < instance->session_count; i++)
		(void)iq_buf_appendf(out, "%s\"s%" PRIu32 "\"", i > 0 ? "," : "", instance->sessions[i]);
	(void)iq_buf_appendf(out, "],\"first_event\":%" PRIu64 ",\"last_event\":%" PRIu64 "}\n", instance->first.id,
			     instance->last.id);
}

/* ---- What is told ---- */

static void tell(const struct iq_lifecycle_result *lifecycle, const struct iq_instance *instance,
		 const struct iq_finding *finding)
{
	struct iq_buf text = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&text, lifecycle->name);
	(void)iq_buf_append_char(&text, ' ');
	(void)iq_utf8_append_safe(&text, instance->key);
	if (finding) {
		(void)iq_buf_append_cstr(&text, ": ");
		(void)iq_utf8_append_safe(&text, finding->message);
	}
	(void)iq_buf_appendf(&text, " (events %" PRIu64 " to %" PRIu64, instance->first.id, instance->last.id);
	if (instance->session_count > 0)
		(void)iq_buf_appendf(&text, ", s%" PRIu32, instance->sessions[0]);
	/* The line of the recorder's status may stand there. */
	if (isatty(STDERR_FILENO))
		(void)fputs("\r\033[K", stderr);
	cli_warn("VIOLATED %s)", text.data ? text.data : "");
	iq_buf_release(&text);
}

static bool is_new(struct cli_live_check *check, const struct iq_lifecycle_result *lifecycle,
		   const struct iq_instance *instance)
{
	struct iq_view kept;

	iq_buf_clear(&check->key);
	(void)iq_buf_append(&check->key, lifecycle->name);
	(void)iq_buf_appendf(&check->key, " %" PRIu64 " ", instance->first.id);
	(void)iq_buf_append(&check->key, instance->key);
	if (iq_map_get(&check->told, iq_buf_view(&check->key)))
		return false;
	kept = iq_arena_copy(&check->memory, iq_buf_view(&check->key));
	return kept.data && iq_map_set(&check->told, kept, 1) == 0;
}

/* The first one that is more than a warning, if any is. */
static const struct iq_finding *gravest(const struct iq_instance *instance)
{
	const struct iq_finding *found = NULL;

	for (size_t i = 0; i < instance->finding_count; i++)
		if (!found || instance->findings[i].severity > found->severity)
			found = &instance->findings[i];
	return found;
}

static void tell_new(struct cli_live_check *check, const struct iq_check_result *result)
{
	size_t lines = 0;

	for (size_t i = 0; i < result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++) {
			const struct iq_instance *instance = &lifecycle->instances[j];

			if (instance->verdict != IQ_VERDICT_VIOLATED || !is_new(check, lifecycle, instance))
				continue;
			if (lines++ < MOST_LINES)
				tell(lifecycle, instance, gravest(instance));
			hand_over(check, lifecycle, instance, gravest(instance));
		}
	}
	if (lines > MOST_LINES)
		cli_warn("%zu more are violated: `inquest check` tells all", lines - MOST_LINES);
}

/* ---- Looking ---- */

static void tell_trouble(struct cli_live_check *check, const struct iq_error *error)
{
	struct iq_buf text = IQ_BUF_INIT;

	if (!check->in_trouble) {
		(void)iq_utf8_append_safe(&text, iq_view_cstr(error->message));
		cli_warn("--spec: nothing is checked for now: %s", text.data ? text.data : "");
	}
	check->in_trouble = true;
	iq_buf_release(&text);
}

/* The result only on true. */
static bool look(struct cli_live_check *check, struct iq_check_result *ret_result)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store *store = NULL;
	int rc = iq_store_open(check->store, &store, &error);

	if (rc == 0)
		rc = iq_check_failing(store, check->spec, ret_result, &error);
	iq_store_close(store);
	if (rc < 0)
		tell_trouble(check, &error);
	else
		check->in_trouble = false;
	if (rc == 0)
		tell_new(check, ret_result);
	run_command(&check->command);
	return rc == 0;
}

/* False where the recording ended meanwhile. */
static bool rest(struct cli_live_check *check, int64_t ns)
{
	const int64_t until = iq_clock_monotonic() + ns;
	const struct timespec time = { .tv_sec = until / IQ_NS_PER_S, .tv_nsec = until % IQ_NS_PER_S };
	bool goes_on;

	(void)pthread_mutex_lock(&check->lock);
	while (!check->ends && iq_clock_monotonic() < until)
		(void)pthread_cond_timedwait(&check->wake, &check->lock, &time);
	goes_on = !check->ends;
	(void)pthread_mutex_unlock(&check->lock);
	return goes_on;
}

static void *look_again_and_again(void *context)
{
	struct cli_live_check *check = context;
	struct iq_check_result result;
	int64_t took = 0;

	while (rest(check, took * REST_TIMES > REST_LEAST_NS ? took * REST_TIMES : REST_LEAST_NS)) {
		const int64_t began = iq_clock_monotonic();

		if (look(check, &result))
			iq_check_result_release(&result);
		took = iq_clock_monotonic() - began;
	}
	return NULL;
}

/* ---- Life ---- */

/* Signals are the recorder's. */
static bool start_thread(struct cli_live_check *check)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;

	(void)pthread_mutex_init(&check->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&check->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	check->runs = pthread_create(&check->thread, NULL, look_again_and_again, check) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return check->runs;
}

bool cli_live_check_begin(struct cli *cli, const char *store, struct cli_live_check **ret_check)
{
	struct cli_live_check *check;

	*ret_check = NULL;
	if (!cli_has(cli, CLI_OPTION_SPEC)) {
		if (cli_has(cli, CLI_OPTION_EXEC))
			(void)cli_set_status(cli, CLI_USAGE,
					     "--exec is run for what violates a --spec: which one? --spec FILE or "
					     "preset:NAME");
		return !cli_has(cli, CLI_OPTION_EXEC);
	}
	check = calloc(1, sizeof(*check));
	if (!check) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		return false;
	}
	check->cli = cli;
	check->store = store;
	check->told = (struct iq_map)IQ_MAP_INIT;
	check->memory = (struct iq_arena)IQ_ARENA_INIT;
	check->key = check->command.waiting = (struct iq_buf)IQ_BUF_INIT;
	check->command.line = cli_get(cli, CLI_OPTION_EXEC);
	check->spec = cli_load_specs(cli, NULL);
	if (check->spec && start_thread(check)) {
		*ret_check = check;
		return true;
	}
	if (check->spec)
		(void)cli_set_status(cli, CLI_FAILED, "--spec: no thread can be started");
	iq_spec_free(check->spec);
	free(check);
	return false;
}

static void stop_thread(struct cli_live_check *check)
{
	(void)pthread_mutex_lock(&check->lock);
	check->ends = true;
	(void)pthread_cond_signal(&check->wake);
	(void)pthread_mutex_unlock(&check->lock);
	(void)pthread_join(check->thread, NULL);
	(void)pthread_cond_destroy(&check->wake);
	(void)pthread_mutex_destroy(&check->lock);
}

static void print_counts(const struct iq_check_result *result)
{
	for (size_t i = 0; i < result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &result->lifecycles[i];

		(void)printf("%.*s: %" PRIu64 " violated, %" PRIu64 " undetermined, %" PRIu64 " ok\n",
			     IQ_VIEW_ARG(lifecycle->name), lifecycle->violated, lifecycle->undetermined, lifecycle->ok);
	}
}

void cli_live_check_end(struct cli_live_check *check)
{
	struct iq_check_result result;

	if (!check)
		return;
	stop_thread(check);
	await_command(&check->command);
	check->in_trouble = false;
	if (look(check, &result)) {
		print_counts(&result);
		if (result.verdict == IQ_VERDICT_VIOLATED)
			(void)cli_set_status(check->cli, CLI_VIOLATED, "%s",
					     result.reason.data ? result.reason.data : "");
		iq_check_result_release(&result);
	} else {
		(void)cli_set_status(check->cli, CLI_FAILED, "what was recorded cannot be checked");
	}
	await_command(&check->command);
	iq_spec_free(check->spec);
	iq_map_release(&check->told);
	iq_arena_release(&check->memory);
	iq_buf_release(&check->key);
	iq_buf_release(&check->command.waiting);
	free(check);
}
