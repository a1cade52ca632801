#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SHORT_TIMEOUT (INT64_C(400) * 1000000)

static const struct line chat[] = {
	OPEN("{\"url\":\"ws://recorded:8000/chat?room=1\",\"subprotocol\":\"chat.v1\"}"),
	SERVER("{\"type\":\"welcome\"}"),
	CLIENT("{\"type\":\"ask\"}"),
	SERVER("{\"type\":\"agent_started\",\"run_id\":\"old\"}"),
	SERVER("{\"type\":\"tool_completed\",\"run_id\":\"old\"}"),
	CLIENT("{\"type\":\"confirm\"}"),
	SERVER("{\"type\":\"agent_completed\",\"run_id\":\"old\"}"),
	{ IQ_KIND_WS_CLOSE, 'c', NULL, "{\"code\":1000}" },
};

struct replay {
	struct iq_replay_options options;
	struct iq_lived result; /* of the only session; its texts are gone */
	struct iq_error error;
};

static struct iq_replay_options options_for(const char *target, const struct scene *scene)
{
	struct iq_replay_options options = IQ_REPLAY_OPTIONS_INIT;

	options.targets[0].url = target;
	options.target_count = 1;
	options.run_path = scene->run;
	return options;
}

static int replay_store(const char *recording, struct replay *replay)
{
	struct iq_replay *opened;
	struct iq_store *store;
	size_t count;
	int rc;

	cr_assert_eq(iq_store_open(recording, &store, NULL), 0);
	rc = iq_replay_new(store, &replay->options, &opened, &replay->error);
	if (rc == 0) {
		rc = iq_replay_ready(opened, &replay->error);
		if (rc == 0)
			rc = iq_replay_run(opened, &replay->error);
		if (rc == 0)
			replay->result = *iq_replay_sessions(opened, &count);
		iq_replay_free(opened);
	}
	iq_store_close(store);
	return rc;
}

/* One event a line: `ws.message client ask`. */
static void tell_run(const char *path, uint32_t session, struct iq_buf *told)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;

	cr_assert_eq(iq_store_open(path, &store, NULL), 0);
	filter.sessions = &session;
	filter.session_count = 1;
	cr_assert_eq(iq_cursor_open(store, &filter, &cursor, NULL), 0);
	(void)iq_buf_append_cstr(told, "");
	while (iq_cursor_next(cursor, &event, NULL) > 0) {
		const char *direction = iq_direction_name(event.direction);

		(void)iq_buf_appendf(told, "%s %s %.*s\n", iq_kind_name(event.kind), direction ? direction : "-",
				     IQ_VIEW_ARG(event.type));
	}
	iq_cursor_close(cursor);
	iq_store_close(store);
}

static void expect_run(const char *path, uint32_t session, const char *expected)
{
	struct iq_buf told = IQ_BUF_INIT;

	tell_run(path, session, &told);
	cr_expect_str_eq(told.data, expected, "%s", told.data);
	iq_buf_release(&told);
}

static enum iq_session_state state_of(const char *path, uint32_t session)
{
	struct iq_store *store;
	const struct iq_session *sessions;
	enum iq_session_state state;
	size_t count;

	cr_assert_eq(iq_store_open(path, &store, NULL), 0);
	sessions = iq_store_sessions(store, &count);
	cr_assert_leq(session, count);
	state = sessions[session - 1].state;
	iq_store_close(store);
	return state;
}

/* Replays the chat against one behaviour of the server; the scene stays open. */
static void replay_against(const char *path, int64_t timeout, struct scene *scene, struct replay *replay)
{
	struct server server;
	char target[96];

	server_start(&server);
	scene_open(scene, chat, COUNT(chat));
	(void)snprintf(target, sizeof(target), "ws://127.0.0.1:%u%s", server.port, path);
	*replay = (struct replay){ .error = IQ_ERROR_INIT };
	replay->options = options_for(target, scene);
	if (timeout)
		replay->options.timeout_ns = timeout;
	cr_assert_eq(replay_store(scene->recording, replay), 0, "%s", replay->error.message);
	server_stop(&server);
}

#define CHAT_RUN \
	"ws.open client ws.open\nws.message server welcome\nws.message client ask\n" \
	"ws.message server agent_started\nws.message server tool_completed\nws.message client confirm\n" \
	"ws.message server agent_completed\nws.close client ws.close\n"

Test(replay, waits_for_its_turn_and_records_the_run)
{
	struct scene scene;
	struct replay replay;

	replay_against("", 0, &scene, &replay); /* the recorded path: /chat?room=1 */
	cr_expect_eq(replay.result.outcome, IQ_REPLAY_DONE, "%s", replay.result.reason);
	cr_expect_str_empty(replay.result.reason);
	cr_expect_eq(replay.result.sent, 2);
	cr_expect_eq(replay.result.expected_to_send, 2);
	cr_expect_eq(replay.result.received, 4);
	cr_expect_eq(replay.result.expected_to_receive, 4);
	cr_expect_eq(replay.result.verdict, IQ_VERDICT_OK);
	expect_run(scene.run, 1, CHAT_RUN);
	cr_expect_eq(state_of(scene.run, 1), IQ_SESSION_CLOSED);
	scene_close(&scene);
}

static int ignore_damage(void *context, const struct iq_damage *damage)
{
	(void)context;
	cr_expect_fail("%s", damage->message);
	return 0;
}

Test(replay, gives_the_run_back_as_its_own_evidence)
{
	struct scene scene;
	struct replay replay;
	struct iq_verify_result verified;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;

	replay_against("/chat", 0, &scene, &replay);
	cr_assert_eq(iq_store_verify(scene.run, ignore_damage, NULL, &verified, NULL), 0);
	cr_assert_eq(iq_store_open(scene.run, &store, NULL), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, NULL), 0);
	while (iq_cursor_next(cursor, &event, NULL) > 0) {
		struct iq_buf raw = IQ_BUF_INIT, record = IQ_BUF_INIT;

		event.session = IQ_LIT("c1"); /* a cursor gives s1 */
		cr_assert_eq(iq_event_append_ndjson(&record, &event), 0);
		cr_assert_eq(iq_store_read_raw(store, event.evidence, event.offset, event.length, &raw, NULL), 0);
		cr_expect_str_eq(raw.data, record.data);
		iq_buf_release(&raw);
		iq_buf_release(&record);
	}
	iq_cursor_close(cursor);
	iq_store_close(store);
	scene_close(&scene);
}

Test(replay, replays_a_run_and_keeps_it)
{
	struct scene scene;
	struct replay replay;
	struct server server;
	char target[64], again[96];

	replay_against("", 0, &scene, &replay);
	(void)snprintf(again, sizeof(again), "%s/again", scene.directory);
	server_start(&server);
	(void)snprintf(target, sizeof(target), "ws://localhost:%u", server.port);
	replay.options = options_for(target, &scene);
	cr_expect_eq(replay_store(scene.run, &replay), IQ_ERR_USAGE, "a run is never written into");
	iq_error_clear(&replay.error);
	replay.options.run_path = again;
	cr_assert_eq(replay_store(scene.run, &replay), 0, "%s", replay.error.message);
	server_stop(&server);
	cr_expect_eq(replay.result.outcome, IQ_REPLAY_DONE, "%s", replay.result.reason);
	expect_run(scene.run, 1, CHAT_RUN);
	expect_run(again, 1, CHAT_RUN);
	scene_close(&scene);
}

Test(replay, sends_text_as_text_and_binary_as_binary)
{
	static const struct line lines[] = {
		OPEN("{\"url\":\"ws://x/opcodes\"}"),
		CLIENT("text"),
		SERVER("{\"type\":\"text\"}"),
		SERVER("text"),
		{ IQ_KIND_WS_MESSAGE, 'c', "valid", "{\"opcode\":2}" },
		SERVER("{\"type\":\"binary\"}"),
		SERVER("valid"),
		CLIENT("\xff\xfe"),
		SERVER("{\"type\":\"binary\"}"),
		SERVER("\xff\xfe"),
	};
	struct scene scene;
	struct server server;
	struct replay replay = { .error = IQ_ERROR_INIT };
	char target[64];

	server_start(&server);
	scene_open(&scene, lines, COUNT(lines));
	(void)snprintf(target, sizeof(target), "ws://127.0.0.1:%u", server.port);
	replay.options = options_for(target, &scene);
	cr_assert_eq(replay_store(scene.recording, &replay), 0, "%s", replay.error.message);
	server_stop(&server);
	cr_expect_eq(replay.result.outcome, IQ_REPLAY_DONE, "%s", replay.result.reason);
	expect_run(scene.run, 1,
		   "ws.open client ws.open\nws.message client \nws.message server text\nws.message server \n"
		   "ws.message client \nws.message server binary\nws.message server \n"
		   "ws.message client \nws.message server binary\nws.message server \nws.close client ws.close\n");
	scene_close(&scene);
}

static void expect_outcome(const char *path, enum iq_replay_outcome outcome, const char *reason,
			   enum iq_session_state state)
{
	struct scene scene;
	struct replay replay;

	replay_against(path, SHORT_TIMEOUT, &scene, &replay);
	cr_expect_eq(replay.result.outcome, outcome, "%s: %s", path, replay.result.reason);
	cr_expect(strstr(replay.result.reason, reason), "%s: %s", path, replay.result.reason);
	cr_expect_eq(state_of(scene.run, 1), state, "%s", path);
	scene_close(&scene);
}

Test(replay, stalls_where_an_answer_does_not_come)
{
	expect_outcome("/stall", IQ_REPLAY_STALLED, "for tool_completed (event 5) before sending message 2 of 2",
		       IQ_SESSION_CLOSED);
}

Test(replay, stalls_although_other_messages_keep_coming)
{
	expect_outcome("/chatter", IQ_REPLAY_STALLED, "for tool_completed (event 5)", IQ_SESSION_CLOSED);
}

Test(replay, says_that_it_was_cut)
{
	expect_outcome("/cut", IQ_REPLAY_CUT,
		       "the target cut the connection with agent_started still to come: the connection",
		       IQ_SESSION_CUT);
}

Test(replay, says_that_it_was_closed_early_and_keeps_the_terminal_safe)
{
	expect_outcome("/close", IQ_REPLAY_CUT, "4001 go \\x1b[31maway", IQ_SESSION_CLOSED);
}

Test(replay, says_that_the_handshake_was_refused)
{
	expect_outcome("/nowhere", IQ_REPLAY_UNREACHABLE, "404", IQ_SESSION_REFUSED);
}

/* A port of this machine that nobody listens on. */
static unsigned free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&address, len) == 0 &&
		  getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	(void)close(fd);
	return ntohs(address.sin_port);
}

Test(replay, says_that_nobody_listens)
{
	struct scene scene;
	struct replay replay = { .error = IQ_ERROR_INIT };
	char target[64];

	scene_open(&scene, chat, COUNT(chat));
	(void)snprintf(target, sizeof(target), "ws://127.0.0.1:%u", free_port());
	replay.options = options_for(target, &scene);
	cr_assert_eq(replay_store(scene.recording, &replay), 0, "%s", replay.error.message);
	cr_expect_eq(replay.result.outcome, IQ_REPLAY_UNREACHABLE);
	cr_expect(strstr(replay.result.reason, "cannot connect"), "%s", replay.result.reason);
	expect_run(scene.run, 1, "net.error server refused\n");
	scene_close(&scene);
}

/* Nothing is sent and nothing is made: the check comes before any work. */
static void expect_refused(const char *target, const char *allow_host, const char *said)
{
	struct scene scene;
	struct replay replay = { .error = IQ_ERROR_INIT };

	scene_open(&scene, chat, COUNT(chat));
	replay.options = options_for(target, &scene);
	replay.options.allowed_hosts = &allow_host;
	replay.options.allowed_count = allow_host != NULL;
	cr_expect_eq(replay_store(scene.recording, &replay), IQ_ERR_USAGE, "%s", target);
	cr_expect(strstr(replay.error.message, said), "%s", replay.error.message);
	cr_expect_eq(access(scene.run, F_OK), -1);
	scene_close(&scene);
}

Test(replay, wants_other_hosts_named_twice)
{
	expect_refused("ws://192.0.2.1:8000/chat", NULL, "add --allow-host 192.0.2.1");
	expect_refused("ws://192.0.2.1:8000/chat", "192.0.2.10", "add --allow-host 192.0.2.1");
	expect_refused("ftp://127.0.0.1/chat", NULL, "not a server");
}

Test(replay, ends_when_it_is_told_to)
{
	struct scene scene;
	struct server server;
	struct replay replay = { .error = IQ_ERROR_INIT };
	const volatile int stop = 1;
	char target[64];

	server_start(&server);
	scene_open(&scene, chat, COUNT(chat));
	(void)snprintf(target, sizeof(target), "ws://127.0.0.1:%u/stall", server.port);
	replay.options = options_for(target, &scene);
	replay.options.stop = &stop;
	cr_expect_eq(replay_store(scene.recording, &replay), IQ_ERR_INTERRUPTED);
	cr_expect(strstr(replay.error.message, scene.run), "%s", replay.error.message);
	server_stop(&server);
	scene_close(&scene);
}

/* How many events a run that is going on has; 0 while it has not begun. */
static uint64_t events_of(const char *path)
{
	struct iq_store *store;
	uint64_t events;

	if (iq_store_open(path, &store, NULL) < 0)
		return 0;
	events = iq_store_event_count(store);
	iq_store_close(store);
	return events;
}

Test(replay, leaves_what_it_saw_when_it_is_killed)
{
	struct scene scene;
	struct server server;
	struct replay replay = { .error = IQ_ERROR_INIT };
	struct iq_store *store;
	const struct iq_gap *gaps;
	size_t gap_count;
	char target[64];
	pid_t child;

	server_start(&server);
	scene_open(&scene, chat, COUNT(chat));
	(void)snprintf(target, sizeof(target), "ws://127.0.0.1:%u/stall", server.port);
	replay.options = options_for(target, &scene);
	child = fork();
	if (child == 0) {
		(void)replay_store(scene.recording, &replay);
		_exit(0);
	}
	/* What it opened and what it sent is there while it waits for an answer that does not come. */
	while (events_of(scene.run) < 2) {
		cr_assert_eq(waitpid(child, NULL, WNOHANG), 0);
		(void)usleep(5000);
	}
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	server_stop(&server);
	cr_expect_geq(events_of(scene.run), 2);
	cr_assert_eq(iq_store_open(scene.run, &store, NULL), 0);
	gaps = iq_store_gaps(store, &gap_count);
	cr_assert_eq(gap_count, 1);
	cr_expect(iq_view_starts_with(gaps[0].reason, IQ_LIT("the recording ended abruptly")));
	iq_store_close(store);
	scene_close(&scene);
}
