#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/minimize.h"
#include "cli/redaction.h"

/* Of a value in a file. */
#define SECRET_MAX (64u << 10)

/* What the options hold, beyond what they are. */
struct wanted {
	struct iq_replay_options options;
	struct iq_trust trust;
	char run_path[256];
	const char **allowed;
	const char **ignored;
	uint32_t *sessions;
	struct iq_replay_supply *supplies;
	struct iq_arena memory;
};

static bool refuse(struct cli *cli, const char *format, const char *text)
{
	/* The formats are the literals of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)cli_set_status(cli, CLI_USAGE, format, text);
#pragma GCC diagnostic pop
	return false;
}

/* ---- Options ---- */

/* Each run is a new store, so that its verdict is its own. */
static bool choose_run(struct cli *cli, struct wanted *wanted)
{
	const char *given = cli_get(cli, CLI_OPTION_RUN);
	time_t now = time(NULL);
	struct tm utc;
	struct stat st;

	if (given)
		(void)snprintf(wanted->run_path, sizeof(wanted->run_path), "%s", given);
	else
		(void)strftime(wanted->run_path, sizeof(wanted->run_path), "run-%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	wanted->options.run_path = wanted->run_path;
	if (!given || (strlen(given) < sizeof(wanted->run_path) && stat(given, &st) < 0))
		return true;
	return refuse(cli, "--run %.200s: it is there already; name a new directory for this run", given);
}

/* `ws://...`, or `auth.example=ws://...` */
static bool add_target(struct cli *cli, struct wanted *wanted, const char *text)
{
	const char *equals = strchr(text, '='), *scheme = strstr(text, "://");
	struct iq_replay_options *options = &wanted->options;

	if (options->target_count == IQ_REPLAY_MAX_TARGETS)
		return refuse(cli, "--target %.100s: too many targets", text);
	if (equals && (!scheme || equals < scheme))
		options->targets[options->target_count++] =
			(struct iq_replay_target){ iq_view_make(text, (size_t)(equals - text)), equals + 1 };
	else
		options->targets[options->target_count++] = (struct iq_replay_target){ IQ_VIEW_NULL, text };
	return true;
}

static bool choose_pace(struct cli *cli, struct iq_replay_options *options)
{
	const char *text = cli_get(cli, CLI_OPTION_PACE);
	const size_t len = text ? strlen(text) : 0;

	if (!text || strcmp(text, "causal") == 0)
		return true;
	options->pace = strcmp(text, "max") == 0 ? IQ_PACE_MAX : IQ_PACE_RECORDED;
	if (options->pace == IQ_PACE_MAX || strcmp(text, "recorded") == 0)
		return true;
	if (len > 1 && text[len - 1] == 'x' && iq_view_to_double(iq_view_make(text, len - 1), &options->speed) &&
	    options->speed > 0)
		return true;
	return refuse(cli, "--pace takes causal, recorded, max or a factor like 2x, not `%.40s`", text);
}

static bool get_count(struct cli *cli, enum cli_option_id id, uint32_t *count)
{
	const char *text = cli_get(cli, id);
	int64_t number;

	if (!text)
		return true;
	if (!iq_view_to_int64(iq_view_cstr(text), &number) || number < 1 || number > 1000000) {
		(void)cli_set_status(cli, CLI_USAGE, "--%s takes a number from 1 to 1000000, not `%.40s`",
				     cli_option_name(id), text);
		return false;
	}
	*count = (uint32_t)number;
	return true;
}

/* `2x`, `5%` or a plain number. */
static bool get_factor(struct cli *cli, enum cli_option_id id, char unit, double scale, double *ret_factor)
{
	const char *text = cli_get(cli, id);
	size_t len = text ? strlen(text) : 0;
	const bool has_unit = len > 1 && text[len - 1] == unit;

	if (!text)
		return true;
	if (iq_view_to_double(iq_view_make(text, len - has_unit), ret_factor) && *ret_factor >= 0) {
		*ret_factor *= has_unit ? scale : 1;
		return true;
	}
	(void)cli_set_status(cli, CLI_USAGE, "--%s: `%.40s` is no such number", cli_option_name(id), text);
	return false;
}

static const char *keep(struct wanted *wanted, struct iq_view text)
{
	return iq_arena_copy(&wanted->memory, text).data;
}

/* `env:NAME`, `@FILE`, or the value itself. */
static const char *value_of(struct cli *cli, struct wanted *wanted, const char *text)
{
	struct iq_buf file = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	const char *value = text;

	if (strncmp(text, "env:", 4) == 0) {
		value = getenv(text + 4);
		if (!value)
			(void)refuse(cli, "--set: the environment has no %.80s", text + 4);
	} else if (text[0] == '@') {
		const bool read = iq_file_read(text + 1, SECRET_MAX, &file, &error) == 0;

		while (file.len > 0 && (file.data[file.len - 1] == '\n' || file.data[file.len - 1] == '\r'))
			file.len--;
		value = read ? keep(wanted, iq_buf_view(&file)) : NULL;
		if (!read)
			(void)cli_set_error(cli, &error);
	}
	iq_buf_release(&file);
	return value;
}

static bool add_supply(struct cli *cli, struct wanted *wanted, const char *text)
{
	const char *equals = strchr(text, '=');
	const char *value;

	if (!equals || equals == text)
		return refuse(cli, "--set takes NAME=env:VARIABLE, NAME=@FILE or NAME=VALUE, not `%.60s`", text);
	value = value_of(cli, wanted, equals + 1);
	wanted->supplies[wanted->options.supply_count++] =
		(struct iq_replay_supply){ keep(wanted, iq_view_make(text, (size_t)(equals - text))), value };
	return value != NULL;
}

static bool take_one(struct cli *cli, struct wanted *wanted, const struct cli_value *value)
{
	struct iq_replay_options *options = &wanted->options;

	switch (value->id) {
	case CLI_OPTION_TARGET:
		return add_target(cli, wanted, value->value);
	case CLI_OPTION_ALLOW_HOST:
		wanted->allowed[options->allowed_count++] = value->value;
		return true;
	case CLI_OPTION_IGNORE:
		wanted->ignored[options->ignored_count++] = value->value;
		return iq_json_pointer_valid(iq_view_cstr(value->value)) ||
		       refuse(cli, "--ignore takes a JSON Pointer like /answer/text, not `%.60s`", value->value);
	case CLI_OPTION_SESSION:
		wanted->sessions[options->session_count] = cli_session_number(value->value);
		return wanted->sessions[options->session_count++] != 0 ||
		       refuse(cli, "--session: `%.40s` is not a session: write s3", value->value);
	case CLI_OPTION_SET:
		return add_supply(cli, wanted, value->value);
	default:
		return true;
	}
}

static void choose_compare(const struct cli *cli, struct iq_replay_options *options)
{
	const char *text = cli_get(cli, CLI_OPTION_COMPARE);

	if (text)
		options->compare = strcmp(text, "values") == 0 ? IQ_COMPARE_VALUES
				   : strcmp(text, "none") == 0 ? IQ_COMPARE_NONE
							       : IQ_COMPARE_SHAPE;
}

static bool take_options(struct cli *cli, struct wanted *wanted)
{
	struct iq_replay_options *options = &wanted->options;
	const size_t count = cli->value_count + 1;

	wanted->allowed = calloc(count, sizeof(*wanted->allowed));
	wanted->ignored = calloc(count, sizeof(*wanted->ignored));
	wanted->sessions = calloc(count, sizeof(*wanted->sessions));
	wanted->supplies = calloc(count, sizeof(*wanted->supplies));
	if (!wanted->allowed || !wanted->ignored || !wanted->sessions || !wanted->supplies)
		return refuse(cli, "%s", "out of memory");
	for (size_t i = 0; i < cli->value_count; i++)
		if (!take_one(cli, wanted, &cli->values[i]))
			return false;
	options->allowed_hosts = wanted->allowed;
	options->ignored = wanted->ignored;
	options->sessions = wanted->sessions;
	options->supplies = wanted->supplies;
	options->fresh = cli_has(cli, CLI_OPTION_FRESH);
	wanted->trust = (struct iq_trust){ cli_get(cli, CLI_OPTION_CA), cli_has(cli, CLI_OPTION_INSECURE) };
	options->trust = &wanted->trust;
	if (wanted->trust.is_insecure)
		cli_warn("--insecure: whoever answers is believed to be the target");
	options->stop = &cli_stop;
	choose_compare(cli, options);
	return choose_pace(cli, options) &&
	       cli_get_duration(cli, CLI_OPTION_TIMEOUT, IQ_REPLAY_TIMEOUT, &options->timeout_ns) &&
	       cli_get_duration(cli, CLI_OPTION_WAIT, 0, &options->wait_ns) &&
	       cli_get_duration(cli, CLI_OPTION_RAMP, 0, &options->ramp_ns) &&
	       get_count(cli, CLI_OPTION_CONCURRENCY, &options->concurrency) &&
	       get_count(cli, CLI_OPTION_REPEAT, &options->repeat) &&
	       get_factor(cli, CLI_OPTION_TOLERANCE, '%', 0.01, &options->tolerance) &&
	       get_factor(cli, CLI_OPTION_MAX_SLOWDOWN, 'x', 1, &options->max_slowdown);
}

static void release(struct wanted *wanted)
{
	free(wanted->allowed);
	free(wanted->ignored);
	free(wanted->sessions);
	free(wanted->supplies);
	iq_arena_release(&wanted->memory);
}

/* ---- Results ---- */

typedef int report_function(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out);

static void write_report(struct cli *cli, report_function *report, const char *path, const struct iq_replay *replay,
			 const struct iq_replay_names *names)
{
	struct iq_buf out = IQ_BUF_INIT;

	if (report(replay, names, &out) < 0)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else
		(void)cli_write_file(cli, path, iq_buf_view(&out));
	iq_buf_release(&out);
}

/* What GitHub shows beside a run goes to the file that it names. */
static void write_summary(struct cli *cli, const struct iq_replay *replay, const struct iq_replay_names *names)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	struct iq_buf out = IQ_BUF_INIT;
	FILE *file = path && *path ? fopen(path, "ae") : NULL;

	if (file && iq_replay_summary(replay, names, &out) == 0 && fwrite(out.data, 1, out.len, file) != out.len)
		(void)cli_set_status(cli, CLI_FAILED, "%s: cannot write the step summary", path);
	if (file)
		(void)fclose(file);
	iq_buf_release(&out);
}

static void write_reports(struct cli *cli, const struct iq_replay *replay, const struct iq_replay_names *names)
{
	static const struct {
		const char *format;
		report_function *report;
		enum cli_option_id option;
	} reports[] = {
		{ "text", iq_replay_text, CLI_OPTION_END },
		{ "json", iq_replay_json, CLI_OPTION_JSON },
		{ "junit", iq_replay_junit, CLI_OPTION_JUNIT },
		{ "tap", iq_replay_tap, CLI_OPTION_TAP },
	};
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);

	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		const char *path = reports[i].option == CLI_OPTION_END ? NULL : cli_get(cli, reports[i].option);

		if (strcmp(format ? format : "text", reports[i].format) == 0)
			write_report(cli, reports[i].report, "-", replay, names);
		if (path)
			write_report(cli, reports[i].report, path, replay, names);
	}
	if (cli_has(cli, CLI_OPTION_GITHUB)) {
		write_report(cli, iq_replay_annotations, "-", replay, names);
		write_summary(cli, replay, names);
	}
}

static const struct iq_lived *find_verdict(const struct iq_lived *lived, size_t count, enum iq_verdict verdict)
{
	for (size_t i = 0; i < count; i++)
		if (lived[i].verdict == verdict)
			return &lived[i];
	return NULL;
}

static bool nothing_reached(const struct iq_lived *lived, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (lived[i].outcome != IQ_REPLAY_UNREACHABLE)
			return false;
	return true;
}

static void set_verdict_status(struct cli *cli, const struct iq_replay *replay)
{
	size_t count;
	const struct iq_lived *lived = iq_replay_sessions(replay, &count);
	const struct iq_lived *violated = find_verdict(lived, count, IQ_VERDICT_VIOLATED);
	const struct iq_lived *undetermined = find_verdict(lived, count, IQ_VERDICT_UNDETERMINED);

	if (nothing_reached(lived, count))
		(void)cli_set_status(cli, CLI_FAILED, "%s", lived[0].reason);
	else if (violated)
		(void)cli_set_status(cli, CLI_VIOLATED, "s%" PRIu32 " violated (%s)", violated->session_no,
				     violated->reason);
	else if (undetermined)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "s%" PRIu32 " undetermined (%s)", undetermined->session_no,
				     undetermined->reason);
}

/* ---- The run ---- */

/* What lifecycles find, where they find something, is told as a check tells it. */
static void tell_findings(struct cli *cli, struct iq_store *store, const struct iq_check_result *result,
			  const char *path, struct iq_buf *out)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	const struct iq_report_options options = {
		.utc = cli_has(cli, CLI_OPTION_UTC), .colour = cli_colour(), .width = cli_width(), .title = path
	};
	struct iq_error error = IQ_ERROR_INIT;

	if (result->verdict != IQ_VERDICT_VIOLATED || (format && strcmp(format, "text") != 0))
		return;
	(void)iq_buf_append_char(out, '\n');
	if (iq_report_text(store, result, &options, out, &error) < 0)
		(void)cli_set_error(cli, &error);
}

/* What a spec asks for has to be; the presets that fit were not asked for, and what broke them in the recording already is as it was. */
static void fold(struct cli *cli, struct iq_replay *replay, struct iq_store *recording, struct iq_store *run,
		 const struct iq_check_result *result)
{
	struct iq_check_result recorded;
	int rc = 0;

	if (cli_has(cli, CLI_OPTION_SPEC)) {
		rc = iq_replay_fold(replay, run, result, NULL);
	} else if (cli_check(cli, recording, &recorded)) {
		rc = iq_replay_fold(replay, run, result, &recorded);
		iq_check_result_release(&recorded);
	}
	if (rc < 0)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
}

/* Lifecycle verdicts; what they rest on is appended to `findings`. */
static void check_run(struct cli *cli, struct iq_replay *replay, const struct wanted *wanted,
		      struct iq_store *recording, struct iq_buf *findings)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_check_result result;
	struct iq_store *store;

	if (iq_store_open(wanted->run_path, &store, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	if (cli_check(cli, store, &result)) {
		fold(cli, replay, recording, store, &result);
		tell_findings(cli, store, &result, wanted->run_path, findings);
		iq_check_result_release(&result);
	}
	iq_store_close(store);
}

/* ---- Accepting ---- */

/* Only where all of it came is it what shall be from now on. */
static bool is_complete(struct cli *cli, const struct iq_replay *replay)
{
	size_t count;
	const struct iq_lived *lived = iq_replay_sessions(replay, &count);

	for (size_t i = 0; i < count; i++)
		if (lived[i].outcome != IQ_REPLAY_DONE) {
			(void)cli_set_status(
				cli, CLI_VIOLATED, "--update: s%" PRIu32 " was %s, so nothing is accepted: %s",
				lived[i].session_no, iq_replay_outcome_name(lived[i].outcome), lived[i].reason);
			return false;
		}
	return true;
}

static const struct iq_sink *redact(void *context, const struct iq_sink *next)
{
	return context ? iq_redactor_sink(context, next) : next;
}

/* Every session of the run, with the requests around them. */
static int write_golden(struct iq_store *run, struct iq_redactor *redactor, const char *path, struct iq_error *error)
{
	struct iq_excerpt excerpt = { .through = redact, .context = redactor };
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(run, &count);
	uint32_t *numbers = calloc(count + 1, sizeof(*numbers));
	uint64_t *beside = NULL;
	int rc = numbers ? 0 : iq_error_nomem(error);

	for (size_t i = 0; i < count && rc == 0; i++)
		numbers[i] = sessions[i].no;
	if (rc == 0)
		rc = iq_sessions_beside(run, numbers, count, &beside, &excerpt.beside_count, error);
	excerpt.sessions = numbers;
	excerpt.session_count = count;
	excerpt.beside = beside;
	if (rc == 0)
		rc = iq_store_excerpt(run, &excerpt, path, error);
	free(beside);
	free(numbers);
	return rc;
}

static bool may_update(struct cli *cli, const struct wanted *wanted, const char *recording)
{
	const char *ci = getenv("CI");
	struct stat st;

	if (!cli_has(cli, CLI_OPTION_UPDATE))
		return true;
	if (ci && strcmp(ci, "true") == 0)
		return refuse(cli, "%s", "--update: not with CI=true: what a golden recording is, a person decides");
	if (stat(recording, &st) < 0 || !S_ISREG(st.st_mode) || wanted->options.session_count > 0 ||
	    wanted->options.repeat > 1)
		return refuse(
			cli,
			"--update writes a whole golden recording anew: %s must be a segment file, without --session and --repeat",
			recording);
	if (wanted->options.supply_count > 0 && !cli_has(cli, CLI_OPTION_REDACT))
		return refuse(cli, "%s",
			      "--update: what was supplied with --set would be in the recording: add --redact");
	return true;
}

static void update(struct cli *cli, const struct iq_replay *replay, const struct wanted *wanted, const char *recording)
{
	struct iq_redactor *redactor = NULL;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf path = IQ_BUF_INIT;
	struct iq_store *run = NULL;
	int rc;

	if (!is_complete(cli, replay) || !cli_redactor(cli, wanted->run_path, &redactor))
		return;
	rc = iq_buf_appendf(&path, "%s.new", recording) < 0 ? iq_error_nomem(&error)
							    : iq_store_open(wanted->run_path, &run, &error);
	if (rc == 0)
		rc = write_golden(run, redactor, path.data, &error);
	if (rc == 0 && rename(path.data, recording) < 0)
		rc = iq_error_errno(&error, IQ_ERR_IO, "%s: cannot be replaced", recording);
	iq_store_close(run);
	iq_redactor_free(redactor);
	iq_buf_release(&path);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	else
		(void)printf("%s is now what the target answered\n", recording);
}

static void minimize(struct cli *cli, const struct iq_replay *replay, const struct wanted *wanted,
		     struct iq_store *store)
{
	int64_t budget;

	if (cli_get_duration(cli, CLI_OPTION_BUDGET, 300 * IQ_NS_PER_S, &budget))
		cli_minimize(cli, store, &wanted->options, replay, cli_get(cli, CLI_OPTION_MINIMIZE), budget);
}

static void drive(struct cli *cli, struct iq_replay *replay, const struct wanted *wanted, const struct cli_case *opened)
{
	const char *recording = opened->name;
	const struct iq_replay_names names = { recording, wanted->options.targets[0].url, wanted->run_path };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf findings = IQ_BUF_INIT;
	size_t count;
	const struct iq_lived *lived;

	if (!may_update(cli, wanted, recording))
		return;
	if (iq_replay_ready(replay, &error) < 0 || iq_replay_run(replay, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	lived = iq_replay_sessions(replay, &count);
	if (!nothing_reached(lived, count))
		check_run(cli, replay, wanted, opened->store, &findings);
	write_reports(cli, replay, &names);
	cli_write(cli, iq_buf_view(&findings));
	if (cli_has(cli, CLI_OPTION_UPDATE))
		update(cli, replay, wanted, recording);
	else
		set_verdict_status(cli, replay);
	if (cli_has(cli, CLI_OPTION_MINIMIZE))
		minimize(cli, replay, wanted, opened->store);
	iq_buf_release(&findings);
}

static void show_plan(struct cli *cli, const struct iq_replay *replay)
{
	struct iq_buf out = IQ_BUF_INIT;
	int rc = cli_has(cli, CLI_OPTION_PLAN) ? iq_replay_append_plan(replay, &out)
					       : iq_replay_append_dry_run(replay, &out);

	if (rc < 0)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else
		cli_write(cli, iq_buf_view(&out));
	iq_buf_release(&out);
}

static void replay_case(struct cli *cli, const struct cli_case *opened, const struct wanted *wanted)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_replay *replay;

	if (iq_replay_new(opened->store, &wanted->options, &replay, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	if (cli_has(cli, CLI_OPTION_PLAN) || cli_has(cli, CLI_OPTION_DRY_RUN))
		show_plan(cli, replay);
	else
		drive(cli, replay, wanted, opened);
	iq_replay_free(replay);
}

/* A spec with an error is found before anything is sent. */
static bool check_spec(struct cli *cli)
{
	struct iq_spec *early = cli_has(cli, CLI_OPTION_SPEC) ? cli_load_specs(cli, NULL) : NULL;

	iq_spec_free(early);
	return cli->status == CLI_OK;
}

int cli_run_replay(struct cli *cli)
{
	struct wanted wanted = { .options = IQ_REPLAY_OPTIONS_INIT, .memory = IQ_ARENA_INIT };
	const bool looks_only = cli_has(cli, CLI_OPTION_PLAN) || cli_has(cli, CLI_OPTION_DRY_RUN);
	struct cli_case opened;
	size_t used;

	if (!cli_has(cli, CLI_OPTION_TARGET) && !looks_only)
		return cli_set_status(cli, CLI_USAGE,
				      "no target: give --target ws://HOST:PORT, the server to replay against");
	(void)signal(SIGPIPE, SIG_IGN);
	if (take_options(cli, &wanted) && check_spec(cli) && (looks_only || choose_run(cli, &wanted)) &&
	    cli_case_open(cli, true, &opened, &used)) {
		cli_catch_signals();
		cli_raise_files();
		replay_case(cli, &opened, &wanted);
		cli_case_close(&opened);
	}
	release(&wanted);
	return (int)cli->status;
}
