#include <inttypes.h>
#include <stdio.h>

#include "query/gap.h"
#include "query/joined.h"
#include "query/report.h"

/* Logs beside one session, at most. */
#define MAX_LOGS 200
#define DEFAULT_CONTEXT IQ_NS_PER_S
/* Columns before the body: id, time, arrow, type. */
#define BODY_COLUMN 50

struct timeline {
	struct iq_store *store;
	const struct iq_session *session;
	const struct iq_check_result *result;
	const struct iq_timeline_options *options;
	struct iq_buf *out;
	struct iq_error *error;
	struct iq_cursor *logs;
	struct iq_event log; /* the next one, if has_log */
	int64_t logs_from;   /* by the session's clock */
	int64_t logs_to;
	bool has_log;
	size_t log_count;
	size_t logs_left_out;
	struct iq_joined joined; /* log lines that are about the session */
	size_t next_joined;
};

static void append(struct timeline *timeline, const char *text)
{
	(void)iq_buf_append_cstr(timeline->out, text);
}

static void colour(struct timeline *timeline, const char *code)
{
	append(timeline, timeline->options->colour ? code : "");
}

static size_t width(const struct timeline *timeline)
{
	return timeline->options->width ? timeline->options->width : 100;
}

/* ---- What the check found, in its place ---- */

static bool is_of_session(const struct timeline *timeline, const struct iq_instance *instance)
{
	for (size_t i = 0; i < instance->session_count; i++)
		if (instance->sessions[i] == timeline->session->no)
			return true;
	return false;
}

static bool is_absence(const struct iq_finding *finding)
{
	return finding->kind == IQ_FINDING_MISSING || finding->kind == IQ_FINDING_UNTERMINATED ||
	       finding->kind == IQ_FINDING_ORPHAN;
}

/* The event before which, or where there is none after which, something absent should have been. */
static bool belongs_here(const struct timeline *timeline, const struct iq_finding *finding, uint64_t id, bool before)
{
	bool has_place = finding->instead.id && finding->instead.session_no == timeline->session->no;

	return before ? has_place && finding->instead.id == id : !has_place && finding->after.id == id;
}

static void draw_absent(struct timeline *timeline, const struct iq_lifecycle_result *lifecycle,
			const struct iq_instance *instance, const struct iq_finding *finding)
{
	colour(timeline, "\033[31m");
	append(timeline, "                    !!  ");
	(void)iq_utf8_append_safe(timeline->out, finding->message);
	append(timeline, "   (");
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(lifecycle->name, 40));
	append(timeline, " ");
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(instance->key, 60));
	append(timeline, ")");
	colour(timeline, "\033[0m");
	append(timeline, "\n");
}

static void draw_findings(struct timeline *timeline, uint64_t id, bool before)
{
	for (size_t i = 0; timeline->result && i < timeline->result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &timeline->result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++) {
			const struct iq_instance *instance = &lifecycle->instances[j];

			for (size_t k = 0; k < instance->finding_count && is_of_session(timeline, instance); k++) {
				const struct iq_finding *finding = &instance->findings[k];
				bool here = is_absence(finding) ? belongs_here(timeline, finding, id, before)
								: !before && finding->moved.id == id;

				if (here)
					draw_absent(timeline, lifecycle, instance, finding);
			}
		}
	}
}

/* When the log line at hand was, by the clock of the session's source. */
static int64_t log_time(const struct timeline *timeline)
{
	const int64_t skew = iq_store_skew(timeline->store, timeline->log.source) -
			     iq_store_skew(timeline->store, timeline->session->source);

	return iq_time_shift(timeline->log.ts, skew);
}

/* ---- Lines ---- */

static void append_offset(struct timeline *timeline, int64_t ts)
{
	int64_t since = ts - timeline->session->started;

	if (ts == IQ_TIME_NONE || timeline->session->started == IQ_TIME_NONE)
		append(timeline, "           -");
	else
		(void)iq_buf_appendf(timeline->out, " %+10.3fs", (double)since / (double)IQ_NS_PER_S);
}

static const char *arrow_of(const struct iq_event *event)
{
	if (event->direction == IQ_DIRECTION_CLIENT)
		return "->";
	return event->direction == IQ_DIRECTION_SERVER ? "<-" : "--";
}

/* A body in what is left of the line; cut ones say how long they were. */
static void append_body(struct timeline *timeline, const struct iq_event *event, size_t column)
{
	size_t room = width(timeline) > column + 20 ? width(timeline) - column : 40;
	size_t start = timeline->out->len;

	if (event->body_is_binary) {
		(void)iq_buf_appendf(timeline->out, "(%zu bytes, binary)", event->body.len);
		return;
	}
	if (timeline->options->raw || event->body.len <= room) {
		(void)iq_utf8_append_safe(timeline->out, event->body);
		if (timeline->options->raw || timeline->out->len - start <= room)
			return;
		timeline->out->len = start;
	}
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(event->body, room - 16));
	append(timeline, "... (");
	iq_report_append_count(timeline->out, event->body.len);
	append(timeline, " bytes)");
}

/* `1000 bye` of a close, the error of a cut, the URL of an open. */
static void append_attributes(struct timeline *timeline, const struct iq_event *event)
{
	static const char *const pointers[] = { "/url", "/status", "/code", "/reason", "/error" };
	struct iq_buf scratch = IQ_BUF_INIT;

	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]) && event->attrs.data; i++) {
		struct iq_json_value value = iq_json_pointer(event->attrs, iq_view_cstr(pointers[i]), &scratch);

		if (value.type != IQ_JSON_STRING && value.type != IQ_JSON_NUMBER)
			continue;
		(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(value.text, 100));
		append(timeline, " ");
	}
	iq_buf_release(&scratch);
}

static void tab_to(struct timeline *timeline, size_t start, size_t column)
{
	size_t at = iq_utf8_width(iq_view_from(iq_buf_view(timeline->out), start));

	do {
		append(timeline, " ");
		at++;
	} while (at < column);
}

static void append_end(struct timeline *timeline)
{
	while (timeline->out->len > 0 && timeline->out->data[timeline->out->len - 1] == ' ')
		timeline->out->len--;
	append(timeline, "\n");
}

static void append_event(struct timeline *timeline, const struct iq_event *event)
{
	size_t start = timeline->out->len;

	(void)iq_buf_appendf(timeline->out, "%7" PRIu64, event->id);
	append_offset(timeline, event->ts);
	(void)iq_buf_appendf(timeline->out, " %s  ", arrow_of(event));
	iq_report_append_what(timeline->out, event->kind,
			      event->kind == IQ_KIND_WS_MESSAGE && !event->type.data ? IQ_LIT("message") : event->type);
	tab_to(timeline, start, BODY_COLUMN);
	if (event->body.data)
		append_body(timeline, event, BODY_COLUMN);
	else
		append_attributes(timeline, event);
	append_end(timeline);
}

/* `ts`: by the clock of the session's source. `mark`: of a line beside the session, or of one that is about it. */
static void append_log(struct timeline *timeline, const struct iq_event *event, int64_t ts, const char *mark)
{
	size_t start = timeline->out->len;

	colour(timeline, event->severity >= IQ_SEVERITY_WARNING ? "\033[33m" : "\033[2m");
	(void)iq_buf_appendf(timeline->out, "%7" PRIu64, event->id);
	append_offset(timeline, ts);
	append(timeline, mark);
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(event->source, 24));
	if (event->severity != IQ_SEVERITY_NONE)
		(void)iq_buf_appendf(timeline->out, " %s", iq_severity_name(event->severity));
	tab_to(timeline, start, BODY_COLUMN);
	append_body(timeline, event, BODY_COLUMN);
	colour(timeline, "\033[0m");
	append_end(timeline);
}

/* ---- Logs beside the session ---- */

static bool is_shown(const struct timeline *timeline, const struct iq_event *event)
{
	if (event->session_no != 0 || iq_joined_has(&timeline->joined, event->id))
		return false;
	return timeline->options->context_ns || event->kind == IQ_KIND_CONTAINER ||
	       event->severity >= IQ_SEVERITY_WARNING;
}

static int next_log(struct timeline *timeline)
{
	int rc = 0;

	timeline->has_log = false;
	while (timeline->logs && (rc = iq_cursor_next(timeline->logs, &timeline->log, timeline->error)) > 0) {
		if (!is_shown(timeline, &timeline->log) || log_time(timeline) < timeline->logs_from ||
		    log_time(timeline) > timeline->logs_to)
			continue;
		if (timeline->log_count >= MAX_LOGS) {
			timeline->logs_left_out++;
			continue;
		}
		timeline->log_count++;
		timeline->has_log = true;
		return 0;
	}
	return rc;
}

static int open_logs(struct timeline *timeline)
{
	const struct iq_session *session = timeline->session;
	int64_t context = timeline->options->context_ns ? timeline->options->context_ns : DEFAULT_CONTEXT;
	const int64_t span = iq_store_skew_span(timeline->store);
	struct iq_filter filter = IQ_FILTER_INIT;
	int rc;

	if (session->started == IQ_TIME_NONE)
		return 0;
	timeline->logs_from = iq_time_shift(session->started, -context);
	timeline->logs_to = iq_time_shift(session->ended, context);
	filter.ts_min = iq_time_shift(timeline->logs_from, -span);
	filter.ts_max = iq_time_shift(timeline->logs_to, span);
	filter.kinds = 1u << IQ_KIND_LOG | 1u << IQ_KIND_CONTAINER;
	filter.order = IQ_ORDER_TIME;
	rc = iq_cursor_open(timeline->store, &filter, &timeline->logs, timeline->error);
	return rc < 0 ? rc : next_log(timeline);
}

static void draw_joined_until(struct timeline *timeline, int64_t ts)
{
	const struct iq_joined *joined = &timeline->joined;

	for (; timeline->next_joined < joined->count && joined->events[timeline->next_joined].ts <= ts;
	     timeline->next_joined++)
		append_log(timeline, &joined->events[timeline->next_joined], joined->events[timeline->next_joined].ts,
			   " ::  ");
}

static int draw_logs_until(struct timeline *timeline, int64_t ts)
{
	int rc = 0;

	while (rc == 0 && timeline->has_log && log_time(timeline) <= ts) {
		draw_joined_until(timeline, log_time(timeline));
		append_log(timeline, &timeline->log, log_time(timeline), " ..  ");
		rc = next_log(timeline);
	}
	if (rc == 0)
		draw_joined_until(timeline, ts);
	return rc;
}

/* ---- The whole ---- */

static void append_head(struct timeline *timeline)
{
	const struct iq_session *session = timeline->session;
	char text[IQ_RFC3339_SIZE];

	(void)iq_buf_appendf(timeline->out, "s%" PRIu32 "  ", session->no);
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(session->source, 60));
	append(timeline, " ");
	(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(session->name, 60));
	if (session->started != IQ_TIME_NONE) {
		(void)iq_buf_appendf(timeline->out, "  %.10s", iq_time_format(session->started, text));
		(void)iq_buf_appendf(timeline->out, " %s%s",
				     iq_time_format_short(session->started, timeline->options->utc, text),
				     timeline->options->utc ? " UTC" : "");
		(void)iq_buf_appendf(timeline->out, ", %s",
				     iq_duration_format(session->ended - session->started, text));
	}
	append(timeline, ", ");
	iq_report_append_count(timeline->out, session->events);
	(void)iq_buf_appendf(timeline->out, " event%s, %s", session->events == 1 ? "" : "s",
			     iq_session_state_name(session->state));
	for (size_t i = 0; timeline->result && i < timeline->result->session_count; i++) {
		const struct iq_session_verdict *verdict = &timeline->result->sessions[i];

		if (verdict->no == session->no && verdict->instances)
			(void)iq_buf_appendf(timeline->out, ", %s", iq_verdict_name(verdict->verdict));
	}
	append(timeline, session->start_seen ? "\n" : "\n                    ..  what came before was not recorded\n");
}

static void append_foot(struct timeline *timeline)
{
	if (timeline->logs_left_out)
		(void)iq_buf_appendf(timeline->out, "                    ..  and %zu more log lines beside it\n",
				     timeline->logs_left_out);
	if (timeline->joined.left_out)
		(void)iq_buf_appendf(timeline->out, "                    ::  and %" PRIu64 " more log lines about it\n",
				     timeline->joined.left_out);
	if (!timeline->session->end_seen)
		append(timeline, "                    ..  still open when the capture ended\n");
}

static void append_gaps(struct timeline *timeline, uint64_t id)
{
	size_t count;
	const struct iq_gap *gaps = iq_store_gaps(timeline->store, &count);

	for (size_t i = 0; i < count; i++) {
		if (gaps[i].after != id || !iq_gap_touches_session(timeline->store, &gaps[i], timeline->session))
			continue;
		append(timeline, "                    ??  not recorded: ");
		(void)iq_utf8_append_safe(timeline->out, iq_utf8_cut(gaps[i].reason, 100));
		append(timeline, "\n");
	}
}

static int draw_session(struct timeline *timeline)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc, logs = 0;

	filter.sessions = &timeline->session->no;
	filter.session_count = 1;
	rc = iq_cursor_open(timeline->store, &filter, &cursor, timeline->error);
	if (rc < 0)
		return rc;
	while (logs == 0 && (rc = iq_cursor_next(cursor, &event, timeline->error)) > 0) {
		if (event.ts != IQ_TIME_NONE)
			logs = draw_logs_until(timeline, event.ts - 1);
		draw_findings(timeline, event.id, true);
		append_event(timeline, &event);
		draw_findings(timeline, event.id, false);
		append_gaps(timeline, event.id);
	}
	iq_cursor_close(cursor);
	if (rc == 0 && logs == 0)
		logs = draw_logs_until(timeline, INT64_MAX);
	return rc < 0 ? rc : logs;
}

int iq_timeline(struct iq_store *store, uint32_t session_no, const struct iq_check_result *result,
		const struct iq_timeline_options *options, struct iq_buf *out, struct iq_error *error)
{
	struct timeline timeline = { .store = store, .result = result, .options = options, .out = out, .error = error };
	int rc;

	timeline.session = iq_store_find_session(store, session_no);
	if (!timeline.session)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "no session s%" PRIu32 "; `inquest sessions` lists them",
				    session_no);
	append_head(&timeline);
	rc = iq_joined_find(store, timeline.session, &timeline.joined, error);
	if (rc == 0)
		rc = open_logs(&timeline);
	if (rc == 0)
		rc = draw_session(&timeline);
	append_foot(&timeline);
	iq_cursor_close(timeline.logs);
	iq_joined_release(&timeline.joined);
	return rc == 0 && out->failed ? iq_error_nomem(error) : rc;
}
