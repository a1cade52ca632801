/* The journal export format of systemd (https://systemd.io/JOURNAL_EXPORT_FORMATS/), which `journalctl -o export` writes:
 *	NAME=value, or where a value is no plain text NAME, its length in 8 bytes (little-endian) and its bytes, each with a line
 *	end; an empty line after each entry.
 * What is no field makes a gap of its entry, and reading goes on behind the next empty line. */
#include <inttypes.h>
#include <stdlib.h>

#include "ingest/formats.h"
#include "ingest/journal.h"

/* Entries larger than this are not taken in. */
#define MAX_ENTRY (112u << 20)
#define LENGTH_SIZE 8
#define PROBE_LINES 64

enum place {
	PLACE_LINE,   /* in a line: a field, a name, or nothing */
	PLACE_LENGTH, /* behind a name */
	PLACE_BYTES,
	PLACE_LINE_END, /* behind bytes */
	PLACE_DAMAGED	/* until a line is empty */
};

struct field {
	size_t name;
	size_t name_len;
	size_t value;
	size_t value_len;
};

struct iq_parser {
	struct iq_output output;
	struct iq_joiner joiner;
	uint64_t position; /* in the stream */
	uint64_t start;	   /* of the entry at hand */
	struct iq_buf entry;
	struct field *fields;
	size_t capacity;
	size_t count;
	enum place place;
	size_t line; /* where in the entry the line at hand begins; of a damaged one only whether it is empty counts */
	uint64_t left; /* bytes of a value that have not come yet */
	const char *why;
	struct iq_buf attrs;
};

/* ---- An entry ---- */

static int give_entry(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_record record = { .event = IQ_EVENT_INIT, .gap = IQ_GAP_INIT };
	struct iq_journal_entry entry;

	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	record.event.source = parser->output.options.source;
	record.event.offset = parser->start;
	record.event.length = parser->position - parser->start;
	iq_journal_begin(&entry, &record, &parser->attrs);
	for (size_t i = 0; i < parser->count; i++) {
		const struct field *field = &parser->fields[i];

		iq_journal_field(&entry, iq_view_make(parser->entry.data + field->name, field->name_len),
				 iq_view_make(parser->entry.data + field->value, field->value_len));
	}
	parser->why = iq_journal_end(&entry);
	if (parser->why)
		return 0;
	if (parser->attrs.failed)
		return iq_error_nomem(error);
	record.attrs = iq_buf_view(&parser->attrs);
	return iq_joiner_take(&parser->joiner, &record, error);
}

static int give_nothing(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	int rc = iq_joiner_flush(&parser->joiner, error);

	gap.offset = parser->start;
	gap.bytes = parser->position - parser->start;
	gap.count = 0;
	gap.reason = IQ_LIT("empty lines");
	return rc < 0 ? rc : parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

static int give_damage(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_joiner_flush(&parser->joiner, error);

	return rc < 0 ? rc
		      : iq_output_damage(&parser->output, parser->start, parser->position - parser->start, error,
					 "byte %" PRIu64 ": %s", parser->start, parser->why);
}

/* The entry at hand ends here. */
static int end_entry(struct iq_parser *parser, struct iq_error *error)
{
	int rc = 0;

	if (!parser->why && parser->count > 0)
		rc = give_entry(parser, error);
	else if (!parser->why)
		rc = give_nothing(parser, error);
	if (rc == 0 && parser->why)
		rc = give_damage(parser, error);
	iq_buf_clear(&parser->entry);
	parser->count = parser->line = 0;
	parser->why = NULL;
	parser->place = PLACE_LINE;
	parser->start = parser->position;
	return rc;
}

static void damage(struct iq_parser *parser, const char *why)
{
	parser->place = PLACE_DAMAGED;
	parser->why = why;
	iq_buf_clear(&parser->entry);
	parser->line = 0;
	parser->count = 0;
}

/* ---- Fields ---- */

static int add_field(struct iq_parser *parser, const struct field *field)
{
	if (IQ_ARRAY_GROW(parser->fields, parser->capacity, parser->count + 1) < 0)
		return IQ_ERR_NOMEM;
	parser->fields[parser->count++] = *field;
	return 0;
}

/* The line at hand is complete, its end is the entry's last byte. */
static int end_line(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_view line = iq_view_from(iq_buf_view(&parser->entry), parser->line), name;
	const char *equals;
	struct field field;

	line.len--;
	if (line.len == 0)
		return end_entry(parser, error);
	equals = memchr(line.data, '=', line.len);
	name = iq_view_make(line.data, equals ? (size_t)(equals - line.data) : line.len);
	if (!iq_journal_name_valid(name)) {
		damage(parser, "not a field of a journal");
		return 0;
	}
	field = (struct field){ parser->line, name.len, parser->line + name.len + 1,
				line.len - name.len - (equals ? 1 : 0) };
	parser->place = equals ? PLACE_LINE : PLACE_LENGTH;
	parser->left = LENGTH_SIZE;
	if (!equals)
		field.value += LENGTH_SIZE;
	parser->line = parser->entry.len;
	return add_field(parser, &field) < 0 ? iq_error_nomem(error) : 0;
}

static void end_length(struct iq_parser *parser)
{
	const uint8_t *bytes = (const uint8_t *)parser->entry.data + parser->entry.len - LENGTH_SIZE;
	uint64_t length = 0;

	for (size_t i = 0; i < LENGTH_SIZE; i++)
		length |= (uint64_t)bytes[i] << 8 * i;
	if (length > MAX_ENTRY - parser->entry.len) {
		damage(parser, "a field longer than an entry may be (112 MiB), or damaged");
		return;
	}
	parser->fields[parser->count - 1].value_len = (size_t)length;
	parser->left = length;
	parser->place = length > 0 ? PLACE_BYTES : PLACE_LINE_END;
}

/* ---- Bytes ---- */

static int append(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	parser->position += bytes.len;
	if (bytes.len > MAX_ENTRY - parser->entry.len) {
		damage(parser, "an entry larger than 112 MiB");
		return 0;
	}
	return iq_buf_append(&parser->entry, bytes) < 0 ? iq_error_nomem(error) : 0;
}

/* Up to the line end, if it is there. */
static int take_line(struct iq_parser *parser, struct iq_view *bytes, struct iq_error *error)
{
	const char *end = memchr(bytes->data, '\n', bytes->len);
	struct iq_view part = iq_view_make(bytes->data, end ? (size_t)(end - bytes->data) + 1 : bytes->len);
	int rc = append(parser, part, error);

	*bytes = iq_view_from(*bytes, part.len);
	return rc < 0 || !end || parser->place != PLACE_LINE ? rc : end_line(parser, error);
}

static int take_value(struct iq_parser *parser, struct iq_view *bytes, struct iq_error *error)
{
	struct iq_view part = iq_view_make(bytes->data, bytes->len < parser->left ? bytes->len : (size_t)parser->left);
	int rc = append(parser, part, error);

	*bytes = iq_view_from(*bytes, part.len);
	parser->left -= part.len;
	if (rc < 0 || parser->left > 0 || parser->place == PLACE_DAMAGED)
		return rc;
	if (parser->place == PLACE_LENGTH)
		end_length(parser);
	else
		parser->place = PLACE_LINE_END;
	return 0;
}

static int take_line_end(struct iq_parser *parser, struct iq_view *bytes, struct iq_error *error)
{
	int rc;

	if (bytes->data[0] != '\n') {
		damage(parser, "a field that is not as long as it says");
		return 0;
	}
	rc = append(parser, iq_view_make(bytes->data, 1), error);
	*bytes = iq_view_from(*bytes, 1);
	if (rc == 0 && parser->place == PLACE_LINE_END) {
		parser->place = PLACE_LINE;
		parser->line = parser->entry.len;
	}
	return rc;
}

/* `line` is how much of a line has come. */
static int take_damaged(struct iq_parser *parser, struct iq_view *bytes, struct iq_error *error)
{
	const char *end = memchr(bytes->data, '\n', bytes->len);
	size_t len = end ? (size_t)(end - bytes->data) : bytes->len;
	bool empty = end && parser->line + len == 0;

	parser->line = end ? 0 : parser->line + len;
	parser->position += len + (end ? 1 : 0);
	*bytes = iq_view_from(*bytes, len + (end ? 1 : 0));
	return empty ? end_entry(parser, error) : 0;
}

static int feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	static int (*const takers[])(struct iq_parser * parser, struct iq_view * bytes, struct iq_error * error) = {
		[PLACE_LINE] = take_line,	  [PLACE_LENGTH] = take_value,	  [PLACE_BYTES] = take_value,
		[PLACE_LINE_END] = take_line_end, [PLACE_DAMAGED] = take_damaged,
	};
	int rc = 0;

	while (bytes.len > 0 && rc == 0)
		rc = takers[parser->place](parser, &bytes, error);
	return rc;
}

static struct iq_restart restart(const struct iq_parser *parser)
{
	return iq_joiner_place(&parser->joiner, (struct iq_restart){ parser->start, 0 });
}

/* The last empty line may be missing, as it is where a pipe was closed. */
static int end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = 0;

	if (parser->place != PLACE_DAMAGED && (parser->place != PLACE_LINE || parser->line < parser->entry.len))
		damage(parser, "truncated in the middle of an entry");
	if (parser->position > parser->start)
		rc = end_entry(parser, error);
	return rc == 0 ? iq_joiner_end(&parser->joiner, error) : rc;
}

static void close_parser(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_joiner_release(&parser->joiner);
	iq_buf_release(&parser->entry);
	iq_buf_release(&parser->attrs);
	free(parser->fields);
	free(parser);
}

static struct iq_parser *open_parser(const struct iq_format *format, const struct iq_parser_options *options,
				     const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	parser->position = parser->start = options->from.offset;
	iq_joiner_init(&parser->joiner, &parser->output, false);
	return parser;
}

/* ---- The format ---- */

/* Entries begin with the fields that the journal gives them: __CURSOR, __REALTIME_TIMESTAMP, ... */
static int probe(struct iq_view head)
{
	struct iq_view line;
	int score = 0;

	for (int i = 0; i < PROBE_LINES && score == 0; i++) {
		const char *newline = head.len > 0 ? memchr(head.data, '\n', head.len) : NULL;

		if (!newline)
			return 0;
		line = iq_view_make(head.data, (size_t)(newline - head.data));
		head = iq_view_from(head, line.len + 1);
		if (iq_view_starts_with(line, IQ_LIT("__REALTIME_TIMESTAMP=")))
			score = 95;
		else if (line.len > 0 && !iq_view_starts_with(line, IQ_LIT("__")))
			return 0;
	}
	return score;
}

const struct iq_format iq_format_journal_export = {
	.name = "journal-export",
	.summary = "journald entries as `journalctl -o export` writes them",
	.probe = probe,
	.open = open_parser,
	.feed = feed,
	.restart = restart,
	.end = end,
	.close = close_parser,
};
