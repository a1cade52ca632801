/* logfmt: a line of pairs, `ts=2026-11-24T03:27:59Z level=info msg="what happened" run_id=7`. The line is the body. */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/texts.h"
#include "ingest/times.h"
#include "ingest/words.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
/* A line with fewer pairs may be a sentence with an equals sign. */
#define MIN_PAIRS 2

struct fields {
	struct iq_view ts;
	struct iq_view severity;
	struct iq_view type;
	struct iq_view key;
	size_t pairs;
	size_t others; /* words that are no pairs */
};

/* Of several names that are there the first in this table counts. */
static const struct {
	struct iq_view name;
	size_t field;
} names[] = {
	{ { "ts", 2 }, offsetof(struct fields, ts) },
	{ { "time", 4 }, offsetof(struct fields, ts) },
	{ { "timestamp", 9 }, offsetof(struct fields, ts) },
	{ { "t", 1 }, offsetof(struct fields, ts) },
	{ { "date", 4 }, offsetof(struct fields, ts) },
	{ { "level", 5 }, offsetof(struct fields, severity) },
	{ { "lvl", 3 }, offsetof(struct fields, severity) },
	{ { "severity", 8 }, offsetof(struct fields, severity) },
	{ { "type", 4 }, offsetof(struct fields, type) },
	{ { "event", 5 }, offsetof(struct fields, type) },
	{ { "tool_call_id", 12 }, offsetof(struct fields, key) },
	{ { "run_id", 6 }, offsetof(struct fields, key) },
	{ { "request_id", 10 }, offsetof(struct fields, key) },
	{ { "id", 2 }, offsetof(struct fields, key) },
};

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '-' || c == '@' || c == '/';
}

static struct iq_view take_value(struct iq_view *text)
{
	const bool quoted = text->len > 0 && text->data[0] == '"';
	size_t len = quoted;

	while (len < text->len && text->data[len] != (quoted ? '"' : ' '))
		len += quoted && text->data[len] == '\\' ? 2 : 1;
	if (len > text->len)
		len = text->len;
	const struct iq_view value = iq_view_make(text->data + quoted, len - quoted);

	*text = iq_view_from(*text, len + quoted);
	return value;
}

static void set_field(struct fields *fields, struct iq_view name, struct iq_view value)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct iq_view *field = (struct iq_view *)(void *)((char *)fields + names[i].field);

		if (iq_view_eq(names[i].name, name) && !field->data && value.len > 0)
			*field = value;
	}
}

static void read_fields(struct iq_view text, struct fields *fields)
{
	struct iq_view word;
	size_t len;

	*fields = (struct fields){ .pairs = 0 };
	while (text.len > 0) {
		for (len = 0; len < text.len && is_key_char(text.data[len]);)
			len++;
		if (len > 0 && len < text.len && text.data[len] == '=') {
			struct iq_view name = iq_view_make(text.data, len);

			text = iq_view_from(text, len + 1);
			set_field(fields, name, take_value(&text));
			fields->pairs++;
		} else if (iq_take_word(&text, ' ', &word)) {
			fields->others += word.len > 0;
		}
		(void)iq_take(&text, IQ_LIT(" "));
	}
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = iq_text_plain(reading->text, reading->scratch);
	struct fields fields;
	struct iq_time time;

	read_fields(text, &fields);
	if (fields.pairs < MIN_PAIRS)
		return "no pairs: not logfmt";
	if (fields.ts.data && (iq_time_read(fields.ts, reading->options, &time)))
		record->event.ts = time.ns;
	(void)iq_severity_parse(fields.severity, &record->event.severity);
	record->event.type = fields.type;
	record->event.key = fields.key;
	record->event.body = text;
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse };

/* Hardly anything but pairs, of which one says when or how bad. */
static bool reads(struct iq_view text, bool cut)
{
	struct fields fields;

	(void)cut;
	read_fields(text, &fields);
	return fields.pairs >= MIN_PAIRS && fields.others * 4 <= fields.pairs &&
	       (fields.ts.data || fields.severity.data);
}

static int probe(struct iq_view head)
{
	return iq_line_share(head, reads) * 80 / 100;
}

const struct iq_format iq_format_logfmt = {
	.name = "logfmt",
	.summary = "lines of name=value pairs",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
