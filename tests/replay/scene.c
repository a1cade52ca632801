#include "scene.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its text, or a blank, is the evidence. Returns how much of that there is. */
static uint64_t write_line(struct iq_store_writer *writer, struct iq_dialects *dialects, const struct line *line,
			   int64_t seq, uint64_t offset)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_view raw = line->body && *line->body ? iq_view_cstr(line->body) : IQ_LIT(" ");

	event.kind = line->kind;
	event.direction = line->direction == 'c' ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
	event.source = IQ_LIT("proxy");
	event.session = IQ_LIT("c1");
	event.seq = seq;
	event.ts = seq;
	event.body = iq_view_cstr(line->body);
	event.body_is_binary = line->body && !iq_utf8_valid(event.body);
	event.attrs = iq_view_cstr(line->attrs);
	event.offset = offset;
	event.length = raw.len;
	cr_assert_eq(iq_store_writer_raw(writer, raw.data, raw.len, NULL), 0);
	cr_assert_eq(iq_dialects_take(dialects, &event, iq_store_writer_sink(writer), NULL), 0);
	return raw.len;
}

static void write_recording(const char *path, const struct line *lines, size_t count)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store_writer *writer;
	struct iq_dialects *dialects = iq_dialects_new(NULL);
	struct iq_evidence evidence;
	uint64_t offset = 0;

	cr_assert_eq(iq_store_writer_open(path, &writer, &error), 0, "%s", error.message);
	cr_assert_eq(iq_store_writer_evidence_begin(writer, IQ_LIT("test"), IQ_LIT("ndjson"), &error), 0);
	for (size_t i = 0; i < count; i++)
		offset += write_line(writer, dialects, &lines[i], (int64_t)i + 1, offset);
	cr_assert_eq(iq_store_writer_evidence_end(writer, &evidence, &error), 0, "%s", error.message);
	cr_assert_eq(iq_store_writer_commit(writer, &error), 0, "%s", error.message);
	iq_store_writer_free(writer);
	iq_dialects_free(dialects);
}

void scene_open(struct scene *scene, const struct line *lines, size_t count)
{
	(void)snprintf(scene->directory, sizeof(scene->directory), "/tmp/inquest-replay-XXXXXX");
	cr_assert_not_null(mkdtemp(scene->directory));
	(void)snprintf(scene->recording, sizeof(scene->recording), "%s/recording", scene->directory);
	(void)snprintf(scene->run, sizeof(scene->run), "%s/run", scene->directory);
	write_recording(scene->recording, lines, count);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

void scene_close(struct scene *scene)
{
	cr_expect_eq(nftw(scene->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void become_server(const int in[2], const int out[2])
{
	(void)dup2(in[0], STDIN_FILENO);
	(void)dup2(out[1], STDOUT_FILENO);
	(void)close(in[1]);
	(void)close(out[0]);
	(void)execl("/usr/bin/python3", "/usr/bin/python3", IQ_REPLAY_SERVER, (char *)NULL);
	_exit(127);
}

void server_start(struct server *server)
{
	int in[2], out[2];
	FILE *answers;

	(void)signal(SIGPIPE, SIG_IGN);
	cr_assert(pipe(in) == 0 && pipe(out) == 0);
	server->pid = fork();
	cr_assert_geq(server->pid, 0);
	if (server->pid == 0)
		become_server(in, out);
	(void)close(in[0]);
	(void)close(out[1]);
	server->stdin_fd = in[1];
	answers = fdopen(out[0], "r");
	cr_assert(answers && fscanf(answers, "%u", &server->port) == 1,
		  "the server did not start: is python3-websockets there?");
	(void)fclose(answers);
}

void server_stop(struct server *server)
{
	(void)close(server->stdin_fd);
	(void)kill(server->pid, SIGTERM);
	(void)waitpid(server->pid, NULL, 0);
}
