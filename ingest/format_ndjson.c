/* NDJSON: one event a line, as docs/events.md defines it. */
#include <stdlib.h>

#include "ingest/formats.h"
#include "ingest/lines.h"
#include "ingest/members.h"
#include "ingest/record.h"

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

struct iq_parser {
	struct iq_output output;
	struct iq_lines lines;
	struct iq_bad_lines bad;
	struct iq_buf scratch;
	struct iq_buf attrs;
};

/* One line on its way to an event. */
struct record {
	struct iq_parser *parser;
	const struct iq_line *line;
	struct iq_event event;
	struct iq_member fields[FIELD_COUNT]; /* `name.data` NULL: not there */
	bool kind_known;
};

/* ---- Fields: each setter returns false for a value it has no use for, which then stays among the attrs ---- */

static bool set_kind(struct record *record, const struct iq_member *member)
{
	struct iq_view name = iq_member_text(member, &record->parser->scratch);

	record->kind_known = iq_kind_parse(name, &record->event.kind);
	for (size_t i = 0; i < COUNT(kind_aliases) && !record->kind_known; i++) {
		if (!iq_view_eq(name, kind_aliases[i].name))
			continue;
		record->event.kind = kind_aliases[i].kind;
		record->event.type = kind_aliases[i].type;
		record->kind_known = true;
	}
	return true;
}

static bool set_ts(struct record *record, const struct iq_member *member)
{
	return iq_member_time(member, &record->parser->scratch, &record->event.ts);
}

static bool set_observed(struct record *record, const struct iq_member *member)
{
	return iq_member_time(member, &record->parser->scratch, &record->event.observed);
}

static bool set_text(struct record *record, const struct iq_member *member, struct iq_view *text)
{
	struct iq_view value = iq_member_text(member, &record->parser->scratch);

	if (!value.data)
		return false;
	*text = value;
	return true;
}

static bool set_source(struct record *record, const struct iq_member *member)
{
	return set_text(record, member, &record->event.source);
}

static bool set_session(struct record *record, const struct iq_member *member)
{
	return set_text(record, member, &record->event.session);
}

static bool set_type(struct record *record, const struct iq_member *member)
{
	return set_text(record, member, &record->event.type);
}

static bool set_key(struct record *record, const struct iq_member *member)
{
	return set_text(record, member, &record->event.key);
}

static bool set_direction(struct record *record, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_STRING &&
	       iq_direction_parse(iq_member_text(member, &record->parser->scratch), &record->event.direction);
}

static bool set_seq(struct record *record, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_NUMBER && iq_view_to_int64(member->value.raw, &record->event.seq);
}

static bool set_severity(struct record *record, const struct iq_member *member)
{
	return member->value.type == IQ_JSON_STRING &&
	       iq_severity_parse(iq_member_text(member, &record->parser->scratch), &record->event.severity);
}

static bool set_body(struct record *record, const struct iq_member *member)
{
	bool is_text = member->value.type == IQ_JSON_STRING;

	if (member->value.type == IQ_JSON_NULL)
		return true;
	record->event.body = is_text ? iq_member_text(member, &record->parser->scratch) : member->raw;
	if (member->cut)
		record->event.body = iq_body_trim(record->event.body);
	else if (is_text)
		iq_line_place(record->line, member->value.raw, &record->event.body_offset, &record->event.body_length);
	return true;
}

static bool set_body_base64(struct record *record, const struct iq_member *member)
{
	struct iq_buf *scratch = &record->parser->scratch;
	struct iq_view text = iq_member_text(member, scratch);
	size_t start = scratch->len;

	if (member->value.type != IQ_JSON_STRING || member->cut || iq_base64_decode(text, scratch) < 0)
		return false;
	record->event.body = iq_view_from(iq_buf_view(scratch), start);
	record->event.body_length = 0;
	return true;
}

/* The members of attrs become the first members of the event's attrs; see add_attr() for the others. */
static bool set_attrs(struct record *record, const struct iq_member *member)
{
	struct iq_members members;
	struct iq_member inner;

	if (!iq_members_open(&members, member->raw, member->cut))
		return false;
	while (iq_members_next(&members, &inner) > 0)
		if (!inner.cut)
			iq_attrs_raw(&record->parser->attrs, inner.name, inner.raw);
	return true;
}

static bool (*const setters[FIELD_COUNT])(struct record *record, const struct iq_member *member) = {
	[FIELD_KIND] = set_kind,	 [FIELD_TS] = set_ts,		[FIELD_OBSERVED] = set_observed,
	[FIELD_SOURCE] = set_source,	 [FIELD_SESSION] = set_session, [FIELD_DIRECTION] = set_direction,
	[FIELD_TYPE] = set_type,	 [FIELD_KEY] = set_key,		[FIELD_SEQ] = set_seq,
	[FIELD_SEVERITY] = set_severity, [FIELD_BODY] = set_body,	[FIELD_BODY_BASE64] = set_body_base64,
	[FIELD_ATTRS] = set_attrs,
};

/* Of a cut value there is no JSON to keep. */
static void add_attr(struct record *record, const struct iq_member *member)
{
	if (!member->cut)
		iq_attrs_raw(&record->parser->attrs, member->name, member->raw);
}

static enum field field_of(struct iq_view name)
{
	for (size_t i = 0; i < COUNT(field_names); i++)
		if (iq_view_eq(field_names[i].name, name))
			return field_names[i].field;
	return FIELD_COUNT;
}

static void apply_fields(struct record *record)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (record->fields[i].name.data && !setters[i](record, &record->fields[i]))
			add_attr(record, &record->fields[i]);
}

/* ---- What a line becomes ---- */

/* A hole that whoever captured this knew of. */
static int give_gap(const struct record *record, const struct iq_line *line, struct iq_error *error)
{
	const struct iq_event *event = &record->event;
	struct iq_buf *scratch = &record->parser->scratch;
	struct iq_view reason = iq_json_pointer(event->attrs, IQ_LIT("/reason"), scratch).text;
	struct iq_view count = iq_json_pointer(event->attrs, IQ_LIT("/count"), scratch).text;
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = event->source;
	gap.session = event->session;
	gap.direction = event->direction;
	gap.ts_min = event->ts;
	gap.offset = line->offset;
	gap.bytes = line->length;
	gap.reason = reason.len > 0 ? reason : IQ_LIT("not recorded");
	if (!count.data || !iq_view_to_int64(count, &gap.count) || gap.count < 0)
		gap.count = IQ_NUMBER_NONE;
	return record->parser->output.sink->gap(record->parser->output.sink->context, &gap, error);
}

static int give_event(struct record *record, const struct iq_line *line, struct iq_error *error)
{
	struct iq_event *event = &record->event;

	if (event->kind == IQ_KIND_NET_ERROR && !event->type.data)
		event->type = IQ_LIT("cut");
	event->offset = line->offset;
	event->length = line->length;
	iq_event_describe(event, &record->parser->scratch);
	return iq_output_event(&record->parser->output, event, error);
}

/* A record of another program's: the line itself is the body, so that nothing of it is lost. */
static void make_log(struct record *record, struct iq_view text)
{
	struct iq_event *event = &record->event;

	event->kind = IQ_KIND_LOG;
	event->session = IQ_VIEW_NULL;
	event->direction = IQ_DIRECTION_NONE;
	event->type = event->key = IQ_VIEW_NULL;
	event->body = text;
	event->body_length = 0;
	event->seq = IQ_NUMBER_NONE;
	iq_buf_clear(&record->parser->attrs);
}

static void note_cut(struct record *record, const struct iq_line *line)
{
	iq_attrs_number(&record->parser->attrs, IQ_LIT("line_bytes"), line->bytes);
	iq_output_problem(&record->parser->output, "line %llu cut at %zu of %llu bytes; the store keeps it whole",
			  (unsigned long long)line->number, line->text.len, (unsigned long long)line->bytes);
}

/* Reads the members of a line. NULL, or what is wrong with it. */
static const char *read_members(struct record *record, struct iq_view text, bool cut)
{
	struct iq_members members;
	struct iq_member member;
	int rc = IQ_ERR_FORMAT;

	if (!iq_members_open(&members, text, cut))
		return members.json.error ? "not JSON" : "not a JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0) {
		enum field field = field_of(member.name);

		if (field < FIELD_COUNT && !record->fields[field].name.data)
			record->fields[field] = member;
		else
			add_attr(record, &member);
	}
	return rc < 0 ? "not JSON" : NULL;
}

/* As read_members(); a line with raw control characters in its strings is read with these escaped. */
static const char *read_line(struct record *record, const struct iq_line *line, struct iq_view *text)
{
	const bool cut = line->bytes > line->text.len;
	const char *why = read_members(record, *text, cut);

	if (!why || text->len == 0 || text->data[0] != '{')
		return why;
	if (iq_buf_reserve(&record->parser->scratch, 16 * text->len) < 0)
		return why;
	*text = iq_line_escape_controls(*text, &record->parser->scratch);
	iq_buf_clear(&record->parser->attrs);
	*record = (struct record){ .parser = record->parser, .line = line, .event = IQ_EVENT_INIT };
	return read_members(record, *text, cut);
}

/* All the texts of an event have to stay where they are in `scratch`: room for the line unescaped, for its body
 * decoded and for what the dialect finds in it. */
static int begin_line(struct iq_parser *parser, const struct iq_line *line, struct iq_error *error)
{
	iq_buf_clear(&parser->scratch);
	iq_buf_clear(&parser->attrs);
	if (line->text.len > SIZE_MAX / 16 || iq_buf_reserve(&parser->scratch, 4 * line->text.len + 64) < 0)
		return iq_error_nomem(error);
	return 0;
}

static const char *parse_line(struct record *record, const struct iq_line *line)
{
	const bool cut = line->bytes > line->text.len;
	struct iq_view text = iq_line_text(line);
	const char *why = read_line(record, line, &text);

	if (why)
		return iq_line_damage(line, text, why);
	record->event.source = record->parser->output.options.source;
	apply_fields(record);
	if (!record->kind_known && !record->fields[FIELD_TS].name.data && !cut)
		return "neither \"kind\" nor \"ts\" (see docs/events.md)";
	if (!record->kind_known)
		make_log(record, cut ? iq_body_trim(text) : text);
	if (cut)
		note_cut(record, line);
	record->event.attrs = iq_attrs_end(&record->parser->attrs);
	return NULL;
}

static int take_blank(struct iq_parser *parser, const struct iq_line *line, struct iq_error *error)
{
	int rc = iq_bad_lines_flush(&parser->bad, &parser->output, error);

	return rc < 0 ? rc : iq_output_blank(&parser->output, line, error);
}

static int take_line(void *context, const struct iq_line *line, struct iq_error *error)
{
	struct iq_parser *parser = context;
	struct record record = { .parser = parser, .line = line, .event = IQ_EVENT_INIT };
	const char *why;
	int rc = begin_line(parser, line, error);

	if (rc < 0)
		return rc;
	if (line->text.len == 0)
		return take_blank(parser, line, error);
	why = parse_line(&record, line);
	if (parser->scratch.failed || parser->attrs.failed)
		return iq_error_nomem(error);
	if (why) {
		iq_bad_lines_add(&parser->bad, line, why);
		return 0;
	}
	rc = iq_bad_lines_flush(&parser->bad, &parser->output, error);
	if (rc < 0)
		return rc;
	return record.event.kind == IQ_KIND_GAP ? give_gap(&record, line, error) : give_event(&record, line, error);
}

/* ---- The format ---- */

static int ndjson_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	return iq_lines_feed(&parser->lines, bytes, error);
}

static int ndjson_settle(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_settle(&parser->lines, iq_line_is_object, error);

	return rc == 0 && parser->lines.line.length == 0 ? iq_bad_lines_flush(&parser->bad, &parser->output, error)
							 : rc;
}

static struct iq_restart ndjson_restart(const struct iq_parser *parser)
{
	return iq_bad_lines_place(&parser->bad, &parser->lines);
}

static int ndjson_end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_end(&parser->lines, error);

	return rc < 0 ? rc : iq_bad_lines_flush(&parser->bad, &parser->output, error);
}

static void ndjson_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_lines_release(&parser->lines);
	iq_buf_release(&parser->scratch);
	iq_buf_release(&parser->attrs);
	free(parser);
}

static struct iq_parser *ndjson_open(const struct iq_parser_options *options, const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	/* Records name their sources themselves: a damaged line may have been anybody's. */
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	iq_lines_init(&parser->lines, options->max_line, take_line, parser);
	iq_lines_begin_at(&parser->lines, &options->from);
	return parser;
}

/* A record by its kind is surely ours, one that only has a time probably. */
static int probe_line(struct iq_view text, bool cut)
{
	struct iq_parser parser = { 0 };
	struct record record = { .parser = &parser, .event = IQ_EVENT_INIT };
	int score = 0;

	if (!read_members(&record, text, cut)) {
		if (record.fields[FIELD_KIND].name.data)
			(void)set_kind(&record, &record.fields[FIELD_KIND]);
		score = record.kind_known ? 90 : record.fields[FIELD_TS].name.data ? 60 : 0;
	}
	iq_buf_release(&parser.scratch);
	iq_buf_release(&parser.attrs);
	return score;
}

static int ndjson_probe(struct iq_view head)
{
	return iq_line_probe(head, probe_line);
}

const struct iq_format iq_format_ndjson = {
	.name = "ndjson",
	.summary = "events, one JSON object a line",
	.probe = ndjson_probe,
	.open = ndjson_open,
	.feed = ndjson_feed,
	.settle = ndjson_settle,
	.restart = ndjson_restart,
	.end = ndjson_end,
	.close = ndjson_close,
};
