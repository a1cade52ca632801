/* The Engine is asked, one after the other, for its version, its clock, the events that it remembers up to now, and its containers; from
 * then on for the events to come. When those end it went away: then all of this is done again. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/docker_recorder.h"

#define TICK_MS 50u
/* An event longer than this is none. */
#define MAX_EVENT (1u << 20)
/* So long before a connection ends the Engine may have stopped to do its work. */
#define LOST_NS IQ_NS_PER_S

static void ask_version(struct iq_docker_recorder *recorder);
static void follow_events(struct iq_docker_recorder *recorder);

void iq_docker_tell(const struct iq_docker_recorder *recorder, const char *format, ...)
{
	char line[600];
	va_list args;

	if (!recorder->options->tell)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	recorder->options->tell(recorder->options->context, line);
}

/* ---- Asking ---- */

struct iq_engine_request *iq_docker_get(struct iq_docker_recorder *recorder, const struct iq_engine_answer *answer,
					void *context, const char *format, ...)
{
	struct iq_engine_request *request = NULL;
	char rest[512];
	struct iq_buf path = IQ_BUF_INIT;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(rest, sizeof(rest), format, args);
	va_end(args);
	(void)iq_buf_appendf(&path, "%s%s", recorder->version, rest);
	if (!path.failed)
		request = iq_engine_get(recorder->engine, path.data, answer, context);
	iq_buf_release(&path);
	if (!request)
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
	return request;
}

void iq_docker_append_time(struct iq_buf *path, const char *name, int64_t ts)
{
	if (ts != IQ_TIME_NONE && ts >= 0)
		(void)iq_buf_appendf(path, "%s%" PRId64 ".%09" PRId64, name, ts / IQ_NS_PER_S, ts % IQ_NS_PER_S);
}

static void on_bytes(void *context, struct iq_view bytes)
{
	struct iq_docker_recorder *recorder = context;

	recorder->last_bytes = iq_clock_now();
	(void)iq_buf_append(&recorder->answer, bytes);
}

static void ask(struct iq_docker_recorder *recorder, const char *path,
		void (*end)(void *context, int status, const char *trouble))
{
	const struct iq_engine_answer answer = { on_bytes, end };

	iq_buf_clear(&recorder->answer);
	recorder->request = iq_docker_get(recorder, &answer, recorder, "%s", path);
}

/* What all answers have in common; false where there is nothing to go on with. */
static bool is_answered(struct iq_docker_recorder *recorder, const char *trouble)
{
	recorder->request = NULL;
	if (trouble)
		iq_docker_went_away(recorder, trouble);
	else if (recorder->answer.failed)
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
	return !trouble && !recorder->ended;
}

/* ---- Going away, and coming back ---- */

static void on_retry(uv_timer_t *timer)
{
	ask_version(timer->data);
}

void iq_docker_went_away(struct iq_docker_recorder *recorder, const char *trouble)
{
	if (recorder->ended)
		return;
	if (!recorder->live) {
		iq_docker_finish(recorder, iq_error_set(recorder->error, IQ_ERR_NETWORK,
							"the Docker Engine at %.120s cannot be reached (%.160s): %s",
							iq_engine_address(recorder->engine), trouble,
							iq_engine_advice(recorder->engine)));
		return;
	}
	if (!recorder->away) {
		recorder->away = true;
		recorder->away_since = iq_clock_monotonic();
		recorder->lost_at = iq_clock_now() + recorder->skew - LOST_NS;
		recorder->result.interruptions++;
		iq_docker_tell(recorder, "the Docker Engine went away (%s): waiting for it", trouble);
	}
	iq_engine_cancel(recorder->request);
	iq_engine_cancel(recorder->events);
	recorder->request = recorder->events = NULL;
	(void)uv_timer_start(&recorder->retry, on_retry, IQ_DOCKER_RETRY_MS, 0);
}

static void tell_back(struct iq_docker_recorder *recorder)
{
	char took[IQ_RFC3339_SIZE];

	if (!recorder->away)
		return;
	recorder->away = false;
	iq_docker_tell(recorder, "the Docker Engine is there again after %s: going on where it broke off",
		       iq_duration_format(iq_clock_monotonic() - recorder->away_since, took));
}

/* ---- Events ---- */

static void take_event(struct iq_docker_recorder *recorder, struct iq_view json)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_action action;
	struct iq_docker_container *container;
	const uint64_t hash = iq_docker_hash(recorder, json);

	recorder->history++;
	if (recorder->history_from == IQ_TIME_NONE)
		recorder->history_from = iq_docker_event_time(json);
	if (iq_docker_action_read(&action, json, &memory) && !iq_docker_seen_again(&recorder->seen, action.ts, hash)) {
		container = iq_docker_container_get(recorder, action.of.id);
		if (!container || iq_docker_seen_add(&recorder->seen, action.ts, hash, IQ_TIME_NONE) < 0)
			iq_docker_finish(recorder, iq_error_nomem(recorder->error));
		else
			iq_docker_container_action(container, &action);
	}
	iq_arena_release(&memory);
}

/* One a line. */
static void take_events(struct iq_docker_recorder *recorder, struct iq_view bytes)
{
	const char *end;

	while (!recorder->ended && (end = memchr(bytes.data, '\n', bytes.len))) {
		const size_t len = (size_t)(end - bytes.data);

		(void)iq_buf_append(&recorder->event_line, iq_view_make(bytes.data, len));
		if (recorder->event_line.len > 0 && !recorder->event_line.failed)
			take_event(recorder, iq_view_trim(iq_buf_view(&recorder->event_line)));
		iq_buf_clear(&recorder->event_line);
		bytes = iq_view_from(bytes, len + 1);
	}
	if (recorder->event_line.len + bytes.len <= MAX_EVENT)
		(void)iq_buf_append(&recorder->event_line, bytes);
}

static void on_event_bytes(void *context, struct iq_view bytes)
{
	struct iq_docker_recorder *recorder = context;

	recorder->last_bytes = iq_clock_now();
	take_events(recorder, bytes);
}

static void on_events_end(void *context, int status, const char *trouble)
{
	struct iq_docker_recorder *recorder = context;

	(void)status;
	recorder->events = NULL;
	iq_docker_went_away(recorder, trouble ? trouble : "it ended its stream of events");
}

static void follow_events(struct iq_docker_recorder *recorder)
{
	static const struct iq_engine_answer answer = { on_event_bytes, on_events_end };
	struct iq_buf since = IQ_BUF_INIT;
	int64_t from;

	if (iq_docker_seen_rewind(&recorder->seen, IQ_TIME_NONE, &from) < 0) {
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
		return;
	}
	/* What was before `now` was given already. */
	recorder->seen.proved = true;
	iq_docker_append_time(&since, "?since=", from == IQ_TIME_NONE || from > recorder->now ? recorder->now : from);
	iq_buf_clear(&recorder->event_line);
	recorder->events = iq_docker_get(recorder, &answer, recorder, "/events%s", since.data ? since.data : "");
	iq_buf_release(&since);
}

/* ---- The containers there are ---- */

static void take_list(struct iq_docker_recorder *recorder)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	char pointer[32];

	for (size_t i = 0;; i++) {
		struct iq_json_value id;

		(void)snprintf(pointer, sizeof(pointer), "/%zu/Id", i);
		iq_buf_clear(&scratch);
		id = iq_json_pointer(iq_buf_view(&recorder->answer), iq_view_cstr(pointer), &scratch);
		if (id.type != IQ_JSON_STRING)
			break;
		if (!iq_docker_container_get(recorder, id.text))
			iq_docker_finish(recorder, iq_error_nomem(recorder->error));
	}
	iq_buf_release(&scratch);
}

static void on_list(void *context, int status, const char *trouble)
{
	struct iq_docker_recorder *recorder = context;

	(void)status;
	if (!is_answered(recorder, trouble))
		return;
	tell_back(recorder);
	take_list(recorder);
	iq_docker_containers_look(recorder);
	if (recorder->options->follow && !recorder->ended)
		follow_events(recorder);
	iq_docker_check_done(recorder);
}

/* ---- What the Engine remembers ---- */

/* Is said, and recorded. */
static void tell_history(struct iq_docker_recorder *recorder)
{
	const struct iq_docker_action history = iq_docker_history_action(recorder->history_from);
	char from[IQ_RFC3339_SIZE];

	iq_docker_write_action(recorder, &history, IQ_LIT("docker"));
	iq_docker_tell(recorder, "from %s on: %.*s", iq_time_format(recorder->history_from, from),
		       IQ_VIEW_ARG(history.text));
}

/* The first time it is said how far back events are known; later, what the Engine has forgotten since is missing. One that began anew
 * remembers less than it can: what happened before is told by the states of the containers. */
static void judge_history(struct iq_docker_recorder *recorder)
{
	recorder->restarted = recorder->away && !recorder->seen.proved;
	if (recorder->history < IQ_DOCKER_HISTORY)
		return;
	if (!recorder->away)
		tell_history(recorder);
	else if (!recorder->seen.proved)
		iq_docker_containers_gap(
			recorder, recorder->seen.latest, recorder->now,
			"events may be missing: the Engine keeps the last 256, and those after the last one that was "
			"recorded are not among them");
}

static void on_history(void *context, int status, const char *trouble)
{
	struct iq_docker_recorder *recorder = context;

	(void)status;
	if (!is_answered(recorder, trouble))
		return;
	judge_history(recorder);
	ask(recorder, "/containers/json?all=1", on_list);
}

/* The first time all that the Engine has is asked for, what the store has of it is passed over. */
static void ask_history(struct iq_docker_recorder *recorder)
{
	const bool first = !recorder->away;
	static const struct iq_engine_answer answer = { on_event_bytes, on_history };
	struct iq_buf times = IQ_BUF_INIT;
	int64_t since;

	if (iq_docker_seen_rewind(&recorder->seen, first ? IQ_DOCKER_SEEN_ALL : IQ_TIME_NONE, &since) < 0) {
		iq_docker_finish(recorder, iq_error_nomem(recorder->error));
		return;
	}
	if (since == IQ_TIME_NONE || first)
		since = recorder->options->since == IQ_TIME_NONE ? IQ_DOCKER_SEEN_ALL : recorder->options->since;
	iq_docker_append_time(&times, "?since=", since);
	iq_docker_append_time(&times, "&until=", recorder->now);
	recorder->history = 0;
	iq_buf_clear(&recorder->answer);
	iq_buf_clear(&recorder->event_line);
	recorder->request = iq_docker_get(recorder, &answer, recorder, "/events%s", times.data ? times.data : "");
	iq_buf_release(&times);
}

/* ---- Its version and its clock ---- */

static void open_live(struct iq_docker_recorder *recorder, struct iq_view name)
{
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	struct iq_buf evidence = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append_cstr(&evidence, "docker ");
	(void)iq_utf8_append_safe(&evidence, name.len > 0 ? name : iq_view_cstr(iq_engine_address(recorder->engine)));
	if (recorder->options->redactor)
		(void)iq_buf_appendf(&evidence, " (redacted: %.*s)",
				     IQ_VIEW_ARG(iq_redactor_label(recorder->options->redactor)));
	options.name = evidence.data ? evidence.data : "docker";
	options.has_covers = recorder->options->has_covers;
	options.covers_from = recorder->options->covers_from;
	options.covers_to = recorder->options->covers_to;
	options.format = "ndjson";
	rc = iq_live_open(recorder->store_path, &options, &recorder->live, recorder->error);
	iq_buf_release(&evidence);
	if (rc == 0)
		rc = iq_docker_write_begin(recorder);
	if (rc == 0)
		rc = iq_docker_known_open(recorder, recorder->error);
	if (rc < 0)
		iq_docker_finish(recorder, rc);
}

static void on_info(void *context, int status, const char *trouble)
{
	struct iq_docker_recorder *recorder = context;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view info;

	(void)status;
	if (!is_answered(recorder, trouble))
		return;
	info = iq_buf_view(&recorder->answer);
	if (!iq_time_parse(iq_json_pointer(info, IQ_LIT("/SystemTime"), &scratch).text, &recorder->now))
		recorder->now = iq_clock_now();
	recorder->skew = recorder->now - iq_clock_now();
	if (!recorder->live) {
		recorder->began = recorder->now;
		open_live(recorder, iq_json_pointer(info, IQ_LIT("/Name"), &scratch).text);
	}
	iq_buf_release(&scratch);
	if (!recorder->ended)
		ask_history(recorder);
}

static bool is_version(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '.' && (text.data[i] < '0' || text.data[i] > '9'))
			return false;
	return text.len > 0 && text.len < 16;
}

static void on_version(void *context, int status, const char *trouble)
{
	struct iq_docker_recorder *recorder = context;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view version;

	(void)status;
	if (!is_answered(recorder, trouble))
		return;
	version = iq_json_pointer(iq_buf_view(&recorder->answer), IQ_LIT("/ApiVersion"), &scratch).text;
	if (is_version(version))
		(void)snprintf(recorder->version, sizeof(recorder->version), "/v%.*s", IQ_VIEW_ARG(version));
	iq_buf_release(&scratch);
	ask(recorder, "/info", on_info);
}

static void ask_version(struct iq_docker_recorder *recorder)
{
	recorder->version[0] = '\0';
	ask(recorder, "/version", on_version);
}

/* ---- The end ---- */

void iq_docker_finish(struct iq_docker_recorder *recorder, int rc)
{
	if (recorder->ended)
		return;
	if (recorder->live && rc == 0)
		iq_docker_containers_end(recorder);
	recorder->ended = true;
	recorder->rc = rc;
	(void)uv_timer_stop(&recorder->tick);
	(void)uv_timer_stop(&recorder->retry);
	uv_stop(&recorder->loop);
}

void iq_docker_check_done(struct iq_docker_recorder *recorder)
{
	if (!recorder->options->follow && !recorder->request && !recorder->away && !iq_docker_containers_busy(recorder))
		iq_docker_finish(recorder, 0);
}

static bool is_stopped(const struct iq_docker_recorder *recorder)
{
	return recorder->options->stop && *recorder->options->stop;
}

/* What was logged before is still on its way here. */
static void drain(struct iq_docker_recorder *recorder)
{
	const int64_t now = iq_clock_monotonic();

	if (!recorder->stop_seen) {
		recorder->stop_seen = now;
		recorder->stop_at = iq_clock_now() + recorder->skew;
	}
	if (recorder->away || !recorder->live || now - recorder->stop_seen > IQ_DOCKER_DRAIN_NS ||
	    (now - recorder->stop_seen > IQ_DOCKER_QUIET_NS && iq_docker_containers_drained(recorder)))
		iq_docker_finish(recorder, 0);
}

static void on_tick(uv_timer_t *timer)
{
	struct iq_docker_recorder *recorder = timer->data;

	iq_docker_containers_tick(recorder);
	if (is_stopped(recorder))
		drain(recorder);
}

/* ---- All of it ---- */

static void close_timer(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, NULL);
}

static int run(struct iq_docker_recorder *recorder)
{
	int rc;

	if (uv_loop_init(&recorder->loop) < 0)
		return iq_error_set(recorder->error, IQ_ERR_IO, "no event loop");
	(void)uv_timer_init(&recorder->loop, &recorder->tick);
	(void)uv_timer_init(&recorder->loop, &recorder->retry);
	recorder->tick.data = recorder->retry.data = recorder;
	rc = iq_engine_open(&recorder->loop, recorder->options->address, &recorder->engine, recorder->error);
	if (rc == 0) {
		(void)uv_timer_start(&recorder->tick, on_tick, TICK_MS, TICK_MS);
		ask_version(recorder);
		(void)uv_run(&recorder->loop, UV_RUN_DEFAULT);
		rc = recorder->rc;
	}
	iq_engine_close(recorder->engine);
	close_timer(&recorder->tick);
	close_timer(&recorder->retry);
	(void)uv_run(&recorder->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&recorder->loop);
	iq_engine_free(recorder->engine);
	return rc;
}

static int seal(struct iq_docker_recorder *recorder)
{
	struct iq_live_status status;
	int rc;

	if (!recorder->live)
		return 0;
	iq_live_status(recorder->live, &status);
	recorder->result.lost = status.lost_events;
	rc = iq_live_close(recorder->live, recorder->error);
	iq_live_free(recorder->live);
	return rc;
}

static void release(struct iq_docker_recorder *recorder)
{
	iq_docker_containers_free(recorder);
	iq_docker_known_close(recorder);
	iq_docker_seen_release(&recorder->seen);
	iq_buf_release(&recorder->body);
	iq_buf_release(&recorder->attrs);
	iq_map_release(&recorder->ids);
	iq_map_release(&recorder->sources);
	iq_arena_release(&recorder->memory);
	iq_buf_release(&recorder->answer);
	iq_buf_release(&recorder->event_line);
	iq_buf_release(&recorder->line);
	iq_describer_free(recorder->describer);
}

int iq_docker_record(const char *store_path, const struct iq_docker_options *options,
		     struct iq_docker_result *ret_result, struct iq_error *error)
{
	struct iq_docker_recorder *recorder = calloc(1, sizeof(*recorder));
	int rc, sealed;

	if (!recorder)
		return iq_error_nomem(error);
	recorder->options = options;
	recorder->max_line = options->max_line ? options->max_line : IQ_INGEST_MAX_LINE;
	recorder->store_path = store_path;
	recorder->error = error;
	recorder->seen = (struct iq_docker_seen)IQ_DOCKER_SEEN_INIT;
	recorder->history_from = IQ_TIME_NONE;
	rc = run(recorder);
	sealed = seal(recorder);
	*ret_result = recorder->result;
	release(recorder);
	free(recorder);
	return rc < 0 ? rc : sealed;
}
