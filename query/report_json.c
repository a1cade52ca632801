/* One JSON document; its schema is in docs/lifecycle.md. */
#include <inttypes.h>

#include "query/report.h"
#include <inquest/inquest.h>

struct json {
	const struct iq_store *store;
	struct iq_buf *out;
	bool first; /* in the innermost container */
};

static void name(struct json *json, const char *key)
{
	(void)iq_buf_append_cstr(json->out, json->first ? "" : ",");
	json->first = false;
	if (key) {
		(void)iq_json_append_string(json->out, iq_view_cstr(key));
		(void)iq_buf_append_char(json->out, ':');
	}
}

static void open(struct json *json, const char *key, char bracket)
{
	name(json, key);
	(void)iq_buf_append_char(json->out, bracket);
	json->first = true;
}

static void close(struct json *json, char bracket)
{
	(void)iq_buf_append_char(json->out, bracket);
	json->first = false;
}

/* Left out where there is nothing to say. */
static void text(struct json *json, const char *key, struct iq_view value)
{
	if (!value.data)
		return;
	name(json, key);
	(void)iq_json_append_string(json->out, value);
}

static void number(struct json *json, const char *key, uint64_t value)
{
	name(json, key);
	(void)iq_buf_appendf(json->out, "%" PRIu64, value);
}

static void signed_number(struct json *json, const char *key, int64_t value)
{
	name(json, key);
	(void)iq_buf_appendf(json->out, "%" PRId64, value);
}

static void instant(struct json *json, const char *key, int64_t ns)
{
	char formatted[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		text(json, key, iq_view_cstr(iq_time_format(ns, formatted)));
}

static void session_name(struct json *json, const char *key, uint32_t no)
{
	name(json, key);
	(void)iq_buf_appendf(json->out, "\"s%" PRIu32 "\"", no);
}

/* What a step says beside its event and time. */
static void write_place(struct json *json, const struct iq_step *step)
{
	const struct iq_evidence *evidence = iq_store_find_evidence(json->store, step->evidence);

	text(json, "kind", iq_view_cstr(iq_kind_name(step->kind)));
	text(json, "type", step->type);
	text(json, "source", step->source);
	if (step->session_no)
		session_name(json, "session", step->session_no);
	if (evidence)
		text(json, "evidence", evidence->path);
	number(json, "offset", step->offset);
	number(json, "length", step->length);
}

/* Instances without findings are not read again: of their events there are only ids and times. */
static void write_step(struct json *json, const char *key, const struct iq_step *step)
{
	if (!step->id)
		return;
	open(json, key, '{');
	number(json, "event", step->id);
	instant(json, "time", step->ts);
	if (step->evidence)
		write_place(json, step);
	close(json, '}');
}

static void write_finding(struct json *json, const struct iq_finding *finding)
{
	open(json, NULL, '{');
	text(json, "kind", iq_view_cstr(iq_finding_kind_name(finding->kind)));
	text(json, "message", finding->message);
	text(json, "expected", finding->expected);
	write_step(json, "moved", &finding->moved);
	write_step(json, "after", &finding->after);
	write_step(json, "instead", &finding->instead);
	text(json, "repair", finding->repair);
	text(json, "rule", finding->rule);
	text(json, "severity", iq_view_cstr(finding->severity ? iq_severity_name(finding->severity) : NULL));
	close(json, '}');
}

static void write_instance(struct json *json, const struct iq_instance *instance)
{
	(void)iq_buf_append_cstr(json->out, json->first ? "\n   " : "");
	if (!json->first) {
		(void)iq_buf_append_cstr(json->out, ",\n   ");
		json->first = true;
	}
	open(json, NULL, '{');
	text(json, "key", instance->key);
	text(json, "verdict", iq_view_cstr(iq_verdict_name(instance->verdict)));
	text(json, "reason", instance->reason);
	open(json, "sessions", '[');
	for (size_t i = 0; i < instance->session_count; i++)
		session_name(json, NULL, instance->sessions[i]);
	close(json, ']');
	number(json, "events", instance->events);
	write_step(json, "first", &instance->first);
	write_step(json, "last", &instance->last);
	open(json, "findings", '[');
	for (size_t i = 0; i < instance->finding_count; i++)
		write_finding(json, &instance->findings[i]);
	close(json, ']');
	close(json, '}');
}

static void write_names(struct json *json, const char *key, const struct iq_name_count *names, size_t count,
			bool counted)
{
	open(json, key, '[');
	for (size_t i = 0; i < count; i++) {
		open(json, NULL, '{');
		text(json, "name", names[i].name);
		if (counted)
			number(json, "count", names[i].count);
		text(json, "nearest", names[i].nearest);
		close(json, '}');
	}
	close(json, ']');
}

static void write_lifecycle(struct json *json, const struct iq_lifecycle_result *lifecycle)
{
	open(json, NULL, '{');
	text(json, "lifecycle", lifecycle->name);
	text(json, "verdict", iq_view_cstr(iq_verdict_name(lifecycle->verdict)));
	text(json, "reason", lifecycle->reason);
	number(json, "violated", lifecycle->violated);
	number(json, "undetermined", lifecycle->undetermined);
	number(json, "ok", lifecycle->ok);
	number(json, "events", lifecycle->events);
	number(json, "no_key", lifecycle->no_key);
	write_names(json, "named_never_seen", lifecycle->never_seen, lifecycle->never_seen_count, false);
	write_names(json, "seen_not_named", lifecycle->not_named, lifecycle->not_named_count, true);
	open(json, "never_tested", '[');
	for (size_t i = 0; i < lifecycle->vacuous_count; i++)
		text(json, NULL, lifecycle->vacuous[i]);
	close(json, ']');
	open(json, "instances", '[');
	for (size_t i = 0; i < lifecycle->instance_count; i++)
		write_instance(json, &lifecycle->instances[i]);
	close(json, ']');
	close(json, '}');
}

static void write_gap(struct json *json, const struct iq_gap *gap)
{
	open(json, NULL, '{');
	number(json, "evidence", gap->evidence);
	text(json, "source", gap->source);
	text(json, "session", gap->session);
	text(json, "direction", iq_view_cstr(iq_direction_name(gap->direction)));
	if (gap->after)
		number(json, "after", gap->after);
	instant(json, "from", gap->ts_min);
	instant(json, "to", gap->ts_max);
	number(json, "offset", gap->offset);
	number(json, "bytes", gap->bytes);
	if (gap->count != IQ_NUMBER_NONE)
		number(json, "count", (uint64_t)gap->count);
	text(json, "reason", gap->reason);
	close(json, '}');
}

static void write_not_recorded(struct json *json)
{
	size_t gap_count, session_count;
	const struct iq_gap *gaps = iq_store_gaps(json->store, &gap_count);
	const struct iq_session *sessions = iq_store_sessions(json->store, &session_count);

	open(json, "not_recorded", '{');
	open(json, "gaps", '[');
	for (size_t i = 0; i < gap_count; i++)
		write_gap(json, &gaps[i]);
	close(json, ']');
	open(json, "starts", '[');
	for (size_t i = 0; i < session_count; i++)
		if (!sessions[i].start_seen)
			session_name(json, NULL, sessions[i].no);
	close(json, ']');
	open(json, "ends", '[');
	for (size_t i = 0; i < session_count; i++)
		if (!sessions[i].end_seen)
			session_name(json, NULL, sessions[i].no);
	close(json, ']');
	close(json, '}');
}

static void write_covered(struct json *json)
{
	size_t sources, sessions;
	int64_t from, to;

	iq_report_coverage(json->store, &from, &to);
	(void)iq_store_sources(json->store, &sources);
	(void)iq_store_sessions(json->store, &sessions);
	open(json, "covered", '{');
	instant(json, "from", from);
	instant(json, "to", to);
	number(json, "sources", sources);
	number(json, "events", iq_store_event_count(json->store));
	number(json, "sessions", sessions);
	close(json, '}');
}

static void write_clocks(struct json *json)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(json->store, &count);

	open(json, "clocks", '[');
	for (size_t i = 0; i < count; i++) {
		if (sources[i].skew == 0)
			continue;
		open(json, NULL, '{');
		text(json, "source", sources[i].name);
		signed_number(json, "skew_ns", sources[i].skew);
		close(json, '}');
	}
	close(json, ']');
}

static void write_sessions(struct json *json, const struct iq_check_result *result)
{
	open(json, "sessions", '[');
	for (size_t i = 0; i < result->session_count; i++) {
		const struct iq_session_verdict *session = &result->sessions[i];

		if (session->instances == 0)
			continue;
		open(json, NULL, '{');
		session_name(json, "session", session->no);
		text(json, "verdict", iq_view_cstr(iq_verdict_name(session->verdict)));
		text(json, "reason", session->reason);
		number(json, "instances", session->instances);
		close(json, '}');
	}
	close(json, ']');
}

int iq_report_json(struct iq_store *store, const struct iq_check_result *result,
		   const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error)
{
	struct json json = { .store = store, .out = out, .first = true };

	open(&json, NULL, '{');
	text(&json, "inquest", iq_view_cstr(iq_version()));
	text(&json, "case", iq_view_cstr(options->title));
	text(&json, "verdict", iq_view_cstr(iq_verdict_name(result->verdict)));
	text(&json, "reason", result->reason);
	write_not_recorded(&json);
	write_covered(&json);
	write_clocks(&json);
	open(&json, "lifecycles", '[');
	for (size_t i = 0; i < result->lifecycle_count; i++)
		write_lifecycle(&json, &result->lifecycles[i]);
	close(&json, ']');
	write_sessions(&json, result);
	close(&json, '}');
	(void)iq_buf_append_char(out, '\n');
	return out->failed ? iq_error_nomem(error) : 0;
}
