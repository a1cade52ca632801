/* NDJSON: one event a line, as docs/events.md defines it. */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/members.h"

enum field {
	FIELD_KIND, /* first: what it says decides about the others */
	FIELD_TS,
	FIELD_OBSERVED,
	FIELD_SOURCE,
	FIELD_SESSION,
	FIELD_DIRECTION,
	FIELD_TYPE,
	FIELD_KEY,
	FIELD_SEQ,
	FIELD_SEVERITY,
	FIELD_BODY,
	FIELD_BODY_BASE64,
	FIELD_ATTRS,
	FIELD_COUNT
};

static const struct {
	struct iq_view name;
	enum field field;
} field_names[] = {
	{ { "kind", 4 }, FIELD_KIND },
	{ { "ts", 2 }, FIELD_TS },
	{ { "time", 4 }, FIELD_TS },
	{ { "timestamp", 9 }, FIELD_TS },
	{ { "@timestamp", 10 }, FIELD_TS },
	{ { "observed", 8 }, FIELD_OBSERVED },
	{ { "source", 6 }, FIELD_SOURCE },
	{ { "session", 7 }, FIELD_SESSION },
	{ { "direction", 9 }, FIELD_DIRECTION },
	{ { "dir", 3 }, FIELD_DIRECTION },
	{ { "type", 4 }, FIELD_TYPE },
	{ { "key", 3 }, FIELD_KEY },
	{ { "seq", 3 }, FIELD_SEQ },
	{ { "severity", 8 }, FIELD_SEVERITY },
	{ { "level", 5 }, FIELD_SEVERITY },
	{ { "body", 4 }, FIELD_BODY },
	{ { "data", 4 }, FIELD_BODY },
	{ { "payload", 7 }, FIELD_BODY },
	{ { "message", 7 }, FIELD_BODY },
	{ { "body_base64", 11 }, FIELD_BODY_BASE64 },
	{ { "attrs", 5 }, FIELD_ATTRS },
};

/* Kinds as other tools call them, with the type that goes with it. */
static const struct {
	struct iq_view name;
	enum iq_kind kind;
	struct iq_view type;
} kind_aliases[] = {
	{ { "open", 4 }, IQ_KIND_WS_OPEN, { NULL, 0 } },
	{ { "message", 7 }, IQ_KIND_WS_MESSAGE, { NULL, 0 } },
	{ { "close", 5 }, IQ_KIND_WS_CLOSE, { NULL, 0 } },
	{ { "ping", 4 }, IQ_KIND_WS_PING, { NULL, 0 } },
	{ { "pong", 4 }, IQ_KIND_WS_PONG, { NULL, 0 } },
	{ { "cut", 3 }, IQ_KIND_NET_ERROR, { "cut", 3 } },
	{ { "ws.cut", 6 }, IQ_KIND_NET_ERROR, { "cut", 3 } },
	{ { "refused", 7 }, IQ_KIND_NET_ERROR, { "refused", 7 } },
	{ { "ws.refused", 10 }, IQ_KIND_NET_ERROR, { "refused", 7 } },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* One line on its way to an event. */
struct reading {
	const struct iq_line_reading *line;
	struct iq_event *event;
	struct iq_buf *scratch;
	struct iq_buf *attrs;
	struct iq_member fields[FIELD_COUNT]; /* `name.data` NULL: not there */
	bool kind_known;
};

/* ---- Fields: each setter returns false for a value it has no use for, which then stays among the attrs ---- */

static bool set_kind(struct reading *reading, const struct iq_member *member)
{
	struct iq_view name = iq_member_text(member, reading->scratch);

	reading->kind_known = iq_kind_parse(name, &reading->event->kind);
	for (size_t i = 0; i < COUNT(kind_aliases) && !reading->kind_known; i++) {
		if (!iq_view_eq(name, kind_aliases[i].name))
			continue;
		reading->event->kind = kind_aliases[i].kind;
		reading->event->type = kind_aliases[i].type;
		reading->kind_known = true;
	}
	return true;
}

static bool set_ts(struct reading *reading, const struct iq_member *member)
{
	return iq_member_time(member, reading->scratch, &reading->event->ts);
}

static bool set_observed(struct reading *reading, const struct iq_member *member)
{
	return iq_member_time(member, reading->scratch, &reading->event->observed);
}

static bool set_text(struct reading *reading, const struct iq_member *member, struct iq_view *text)
{
	struct iq_view value = iq_member_text(member, reading->scratch);

	if (!value.data)
		return false;
	*text = value;
	return true;
}

static bool set_source(struct reading *reading, const struct iq_member *member)
{
	return set_text(reading, member, &reading->event->source);
}

static bool set_session(struct reading *reading, const struct iq_member *member)
{
	return set_text(reading, member, &reading->event->session);
}

static bool set_type(struct reading *reading, const struct iq_member *member)
{
	return set_text(reading, member, &reading->event->type);
}

static bool set_key(struct reading *reading, const struct iq_member *member)
{
	return set_text(reading, member, &reading->event->key);
}

static bool set_direction(struct reading *reading, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_STRING &&
	       iq_direction_parse(iq_member_text(member, reading->scratch), &reading->event->direction);
}

static bool set_seq(struct reading *reading, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_NUMBER && iq_view_to_int64(member->value.raw, &reading->event->seq);
}

static bool set_severity(struct reading *reading, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_STRING &&
	       iq_severity_parse(iq_member_text(member, reading->scratch), &reading->event->severity);
}

static bool set_body(struct reading *reading, const struct iq_member *member)
{
	bool is_text = member->value.type == IQ_JSON_STRING;

	if (member->value.type == IQ_JSON_NULL)
		return true;
	reading->event->body = is_text ? iq_member_text(member, reading->scratch) : member->raw;
	if (member->cut)
		reading->event->body = iq_body_trim(reading->event->body);
	else if (is_text)
		iq_line_place(reading->line->line, member->value.raw, &reading->event->body_offset,
			      &reading->event->body_length);
	return true;
}

static bool set_body_base64(struct reading *reading, const struct iq_member *member)
{
	struct iq_buf *scratch = reading->scratch;
	struct iq_view text = iq_member_text(member, scratch);
	size_t start = scratch->len;

	if (member->value.type != IQ_JSON_STRING || member->cut || iq_base64_decode(text, scratch) < 0)
		return false;
	reading->event->body = iq_view_from(iq_buf_view(scratch), start);
	reading->event->body_length = 0;
	return true;
}

/* The members of attrs become the first members of the event's attrs; see add_attr() for the others. */
static bool set_attrs(struct reading *reading, const struct iq_member *member)
{
	struct iq_members members;
	struct iq_member inner;

	if (!iq_members_open(&members, member->raw, member->cut))
		return false;
	while (iq_members_next(&members, &inner) > 0)
		if (!inner.cut)
			iq_attrs_raw(reading->attrs, inner.name, inner.raw);
	return true;
}

static bool (*const setters[FIELD_COUNT])(struct reading *reading, const struct iq_member *member) = {
	[FIELD_KIND] = set_kind,	 [FIELD_TS] = set_ts,		[FIELD_OBSERVED] = set_observed,
	[FIELD_SOURCE] = set_source,	 [FIELD_SESSION] = set_session, [FIELD_DIRECTION] = set_direction,
	[FIELD_TYPE] = set_type,	 [FIELD_KEY] = set_key,		[FIELD_SEQ] = set_seq,
	[FIELD_SEVERITY] = set_severity, [FIELD_BODY] = set_body,	[FIELD_BODY_BASE64] = set_body_base64,
	[FIELD_ATTRS] = set_attrs,
};

/* Of a cut value there is no JSON to keep. */
static void add_attr(struct reading *reading, const struct iq_member *member)
{
	if (!member->cut)
		iq_attrs_raw(reading->attrs, member->name, member->raw);
}

static enum field field_of(struct iq_view name)
{
	for (size_t i = 0; i < COUNT(field_names); i++)
		if (iq_view_eq(field_names[i].name, name))
			return field_names[i].field;
	return FIELD_COUNT;
}

static void apply_fields(struct reading *reading)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (reading->fields[i].name.data && !setters[i](reading, &reading->fields[i]))
			add_attr(reading, &reading->fields[i]);
}

/* ---- What a line becomes ---- */

/* A hole that whoever captured this knew of. */
static void make_gap(const struct reading *reading, struct iq_gap *gap)
{
	const struct iq_event *event = reading->event;
	struct iq_view attrs = iq_attrs_end(reading->attrs);
	struct iq_view reason = iq_json_pointer(attrs, IQ_LIT("/reason"), reading->scratch).text;
	struct iq_view count = iq_json_pointer(attrs, IQ_LIT("/count"), reading->scratch).text;

	gap->source = event->source;
	gap->session = event->session;
	gap->direction = event->direction;
	gap->ts_min = event->ts;
	gap->reason = reason.len > 0 ? reason : IQ_LIT("not recorded");
	if (!count.data || !iq_view_to_int64(count, &gap->count) || gap->count < 0)
		gap->count = IQ_NUMBER_NONE;
}

/* Back to what is said of the whole file. */
static void clear_attrs(const struct reading *reading)
{
	iq_buf_clear(reading->attrs);
	(void)iq_buf_append(reading->attrs, reading->line->options->attrs);
}

/* A record of another program's: the line itself is the body, so that nothing of it is lost. */
static void make_log(struct reading *reading, struct iq_view text)
{
	struct iq_event *event = reading->event;

	event->kind = IQ_KIND_LOG;
	event->session = IQ_VIEW_NULL;
	event->direction = IQ_DIRECTION_NONE;
	event->type = event->key = IQ_VIEW_NULL;
	event->body = text;
	event->body_length = 0;
	event->seq = IQ_NUMBER_NONE;
	clear_attrs(reading);
}

/* Reads the members of a line. NULL, or what is wrong with it. */
static const char *read_members(struct reading *reading, struct iq_view text, bool cut)
{
	struct iq_members members;
	struct iq_member member;
	int rc = IQ_ERR_FORMAT;

	if (!iq_members_open(&members, text, cut))
		return members.json.error ? "not JSON" : "not a JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0) {
		enum field field = field_of(member.name);

		if (field < FIELD_COUNT && !reading->fields[field].name.data)
			reading->fields[field] = member;
		else
			add_attr(reading, &member);
	}
	return rc < 0 ? "not JSON" : NULL;
}

static void begin(struct reading *reading, const struct iq_line_reading *line, struct iq_event *event)
{
	*reading = (struct reading){ .line = line, .event = event, .scratch = line->scratch, .attrs = line->attrs };
}

/* As read_members(); a line with raw control characters in its strings is read with these escaped. */
static const char *read_line(struct reading *reading, struct iq_view *text)
{
	const struct iq_line_reading *line = reading->line;
	const char *why = read_members(reading, *text, line->cut);

	if (!why || text->data[0] != '{' || iq_buf_reserve(line->scratch, 16 * text->len) < 0)
		return why;
	*text = iq_line_escape_controls(*text, line->scratch);
	clear_attrs(reading);
	begin(reading, line, reading->event);
	return read_members(reading, *text, line->cut);
}

static const char *parse(const struct iq_line_reading *line, struct iq_record *record)
{
	struct reading reading;
	struct iq_view text = line->text;
	const char *why;

	begin(&reading, line, &record->event);
	why = read_line(&reading, &text);
	if (why)
		return why;
	apply_fields(&reading);
	if (!reading.kind_known && !reading.fields[FIELD_TS].name.data && !line->cut)
		return "neither \"kind\" nor \"ts\" (see docs/events.md)";
	if (!reading.kind_known)
		make_log(&reading, text);
	if (record->event.kind == IQ_KIND_NET_ERROR && !record->event.type.data)
		record->event.type = IQ_LIT("cut");
	if (record->event.kind == IQ_KIND_GAP)
		make_gap(&reading, &record->gap);
	return NULL;
}

/* ---- The format ---- */

/* A record by its kind is surely ours, one with a time and a source probably; with no more than a time it may be any program's, which
 * `jsonl` reads as long as it understands the time. */
#define SURE_BY_KIND 90
#define SURE_BY_SOURCE 60
#define SURE_BY_TIME 57

static int probe_line(struct iq_view text, bool cut)
{
	struct iq_buf scratch = IQ_BUF_INIT, attrs = IQ_BUF_INIT;
	struct iq_event event = IQ_EVENT_INIT;
	struct reading reading = { .event = &event, .scratch = &scratch, .attrs = &attrs };
	int score = 0;

	if (!read_members(&reading, text, cut)) {
		if (reading.fields[FIELD_KIND].name.data)
			(void)set_kind(&reading, &reading.fields[FIELD_KIND]);
		if (reading.kind_known)
			score = SURE_BY_KIND;
		else if (reading.fields[FIELD_TS].name.data)
			score = reading.fields[FIELD_SOURCE].name.data ? SURE_BY_SOURCE : SURE_BY_TIME;
	}
	iq_buf_release(&scratch);
	iq_buf_release(&attrs);
	return score;
}

static int ndjson_probe(struct iq_view head)
{
	return iq_line_probe(head, probe_line);
}

/* Records name their sources themselves. */
static const struct iq_line_rules rules = { .parse = parse, .whole = iq_line_is_object, .any_source = true };

const struct iq_format iq_format_ndjson = {
	.name = "ndjson",
	.summary = "events, one JSON object a line",
	.probe = ndjson_probe,
	IQ_LINE_PARSER(&rules),
};
