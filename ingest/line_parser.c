#include "ingest/line_parser.h"

#include <stdlib.h>

struct iq_parser {
	const struct iq_line_rules *rules;
	struct iq_output output;
	struct iq_lines lines;
	struct iq_bad_lines bad;
	struct iq_joiner joiner;
	struct iq_buf scratch;
	struct iq_buf attrs;
};

/* ---- A line ---- */

static struct iq_line_reading reading_of(struct iq_parser *parser, const struct iq_line *line)
{
	return (struct iq_line_reading){ .text = iq_line_text(line),
					 .line = line,
					 .options = &parser->output.options,
					 .cut = line->bytes > line->text.len,
					 .scratch = &parser->scratch,
					 .attrs = &parser->attrs };
}

static struct iq_record record_of(const struct iq_parser *parser, const struct iq_line *line)
{
	struct iq_record record = {
		.event = IQ_EVENT_INIT, .gap = IQ_GAP_INIT, .line = line->number, .before = line->before
	};

	record.event.source = parser->output.options.source;
	record.event.offset = line->offset;
	record.event.length = line->length;
	record.line_bytes = line->bytes > line->text.len ? line->bytes : 0;
	return record;
}

/* All the texts of a record have to stay where they are: room for the line unescaped, for its body decoded and for what is
 * found in it. What is said of the container comes first. */
static int begin_line(struct iq_parser *parser, const struct iq_line *line, struct iq_error *error)
{
	iq_buf_clear(&parser->scratch);
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	if (line->text.len > SIZE_MAX / 16 || iq_buf_reserve(&parser->scratch, 4 * line->text.len + 64) < 0)
		return iq_error_nomem(error);
	return 0;
}

/* What was given out until now ended before the gap, and comes before it. */
static int flush_bad(struct iq_parser *parser, struct iq_error *error)
{
	return iq_bad_lines_flush(&parser->bad, &parser->output, error);
}

static int take_blank(struct iq_parser *parser, const struct iq_line *line, struct iq_error *error)
{
	int rc = flush_bad(parser, error);

	return rc < 0 ? rc : iq_output_blank(&parser->output, line, error);
}

static int take_bad(struct iq_parser *parser, const struct iq_line *line, struct iq_view text, const char *why,
		    struct iq_error *error)
{
	int rc = iq_joiner_flush(&parser->joiner, error);

	iq_bad_lines_add(&parser->bad, line, iq_line_damage(line, text, why));
	return rc;
}

/* A hole that whoever captured this knew of. */
static int take_gap(struct iq_parser *parser, struct iq_gap *gap, const struct iq_record *record,
		    struct iq_error *error)
{
	int rc = iq_joiner_flush(&parser->joiner, error);

	gap->offset = record->event.offset;
	gap->bytes = record->event.length;
	return rc < 0 ? rc : parser->output.sink->gap(parser->output.sink->context, gap, error);
}

static int take_part(struct iq_parser *parser, const struct iq_line *line, bool piece, struct iq_error *error)
{
	struct iq_record record = record_of(parser, line);
	struct iq_line_reading reading;
	const char *why;
	int rc = begin_line(parser, line, error);

	if (rc < 0)
		return rc;
	if (line->text.len == 0)
		return take_blank(parser, line, error);
	reading = reading_of(parser, line);
	reading.piece = piece;
	why = reading.text.len > 0 ? parser->rules->parse(&reading, &record) : "";
	if (parser->scratch.failed || parser->attrs.failed)
		return iq_error_nomem(error);
	if (why)
		return take_bad(parser, line, reading.text, why, error);
	record.attrs = iq_buf_view(&parser->attrs);
	rc = flush_bad(parser, error);
	if (rc < 0)
		return rc;
	return record.gap.reason.data ? take_gap(parser, &record.gap, &record, error)
				      : iq_joiner_take(&parser->joiner, &record, error);
}

/* The first `len` bytes of its text become a line of their own. */
static struct iq_line cut_piece(struct iq_line *line, size_t len)
{
	struct iq_line piece = *line;

	piece.text.len = piece.bytes = len;
	piece.length = line->begin + len - line->offset;
	line->text = iq_view_from(line->text, len);
	line->bytes -= len;
	line->begin += len;
	line->length -= piece.length;
	line->offset += piece.length;
	return piece;
}

static int take_line(void *context, const struct iq_line *line, struct iq_error *error)
{
	struct iq_parser *parser = context;
	struct iq_line rest = *line, piece;
	size_t len;
	int rc = 0;

	while (rc == 0 && parser->rules->split && (len = parser->rules->split(rest.text)) > 0) {
		piece = cut_piece(&rest, len);
		rc = take_part(parser, &piece, true, error);
	}
	return rc == 0 ? take_part(parser, &rest, false, error) : rc;
}

/* ---- The format ---- */

int iq_line_parser_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	return iq_lines_feed(&parser->lines, bytes, error);
}

static bool never_whole(struct iq_view text)
{
	(void)text;
	return false;
}

int iq_line_parser_settle(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_settle(&parser->lines, parser->rules->whole ? parser->rules->whole : never_whole, error);

	if (rc < 0 || parser->lines.line.length > 0)
		return rc;
	rc = flush_bad(parser, error);
	return rc == 0 ? iq_joiner_settle(&parser->joiner, error) : rc;
}

/* What has begun is taken up at its first record. */
struct iq_restart iq_line_parser_restart(const struct iq_parser *parser)
{
	return iq_joiner_place(&parser->joiner, iq_bad_lines_place(&parser->bad, &parser->lines));
}

int iq_line_parser_end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_end(&parser->lines, error);

	if (rc == 0)
		rc = flush_bad(parser, error);
	return rc == 0 ? iq_joiner_end(&parser->joiner, error) : rc;
}

void iq_line_parser_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_joiner_release(&parser->joiner);
	iq_lines_release(&parser->lines);
	iq_buf_release(&parser->scratch);
	iq_buf_release(&parser->attrs);
	free(parser);
}

struct iq_parser *iq_line_parser_open(const struct iq_format *format, const struct iq_parser_options *options,
				      const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->rules = format->rules;
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	if (!parser->rules->any_source)
		parser->output.gap_source = options->source;
	iq_lines_init(&parser->lines, options->max_line, take_line, parser);
	parser->lines.counted = parser->rules->counted;
	parser->lines.keeps_indent = parser->rules->keeps_indent;
	iq_lines_begin_at(&parser->lines, &options->from);
	iq_joiner_init(&parser->joiner, &parser->output, parser->rules->joining);
	return parser;
}

bool iq_line_reads(const struct iq_line_rules *rules, struct iq_view text, bool cut)
{
	static const struct iq_parser_options options = { .max_line = IQ_PROBE_BYTES };
	const struct iq_line line = {
		.text = text, .number = 1, .bytes = text.len + cut, .length = text.len, .terminated = !cut
	};
	struct iq_buf scratch = IQ_BUF_INIT, attrs = IQ_BUF_INIT;
	const struct iq_line_reading reading = {
		.text = text, .line = &line, .options = &options, .cut = cut, .scratch = &scratch, .attrs = &attrs
	};
	struct iq_record record = { .event = IQ_EVENT_INIT, .gap = IQ_GAP_INIT };
	const bool reads =
		text.len > 0 && iq_buf_reserve(&scratch, 4 * text.len + 64) == 0 && !rules->parse(&reading, &record);

	iq_buf_release(&scratch);
	iq_buf_release(&attrs);
	return reads;
}
