/* ingest/line_parser.h - a format that has one record a line: a table entry and a function that reads one line.
 *
 *	static const char *parse(const struct iq_line_reading *reading, struct iq_record *record) { ... }
 *	static int probe(struct iq_view head) { return iq_line_probe(head, score_line); }
 *	static const struct iq_line_rules rules = { .parse = parse, .joining = IQ_JOIN_TRACES };
 *	const struct iq_format iq_format_x = { .name = "x", .summary = "...", .probe = probe, IQ_LINE_PARSER(&rules) };
 *
 * Everything else is the same for all of them and done here: framing, byte ranges, lines that are too long, lines that cannot
 * be read (lines in a row are one gap), joining (ingest/joiner.h), taking up in the middle, the end.
 */
#ifndef IQ_INGEST_LINE_PARSER_H
#define IQ_INGEST_LINE_PARSER_H

#include "ingest/joiner.h"

/* What a line is read with. Borrowed until the call returns. */
struct iq_line_reading {
	struct iq_view
		text; /* without its line end, and as iq_line_text() has it; at most max_line bytes, never empty */
	const struct iq_line *line;
	const struct iq_parser_options *options;
	bool cut;		/* the line was longer than that */
	bool piece;		/* it is what iq_line_rules.split took of a line, and not the last of it */
	struct iq_buf *scratch; /* empty, with room for the text four times: for what is unescaped or put together */
	struct iq_buf *attrs;	/* for iq_attrs_text() and others; what is said of the whole file is there already */
};

struct iq_line_rules {
	/* Sets what the line says. `record` has its range, the parser's source, no body; the body and other views may point
	 * into the text, the scratch or the options. NULL, or what is wrong with the line (static text). Pure. */
	const char *(*parse)(const struct iq_line_reading *reading, struct iq_record *record);
	/* Where in the text something else begins that was written into the middle of the line: what is before is a record, and so is the
	 * rest. 0: nowhere. Pure. NULL: never. */
	size_t (*split)(struct iq_view text);
	/* Is a last line without its end complete all the same? NULL: never. */
	bool (*whole)(struct iq_view text);
	enum iq_joining joining;
	bool counted;	   /* lines may be counted, as struct iq_lines says */
	bool keeps_indent; /* white space at the beginning of a line is part of it */
	bool any_source;   /* records name their sources: a damaged line may have been anybody's */
};

struct iq_parser *iq_line_parser_open(const struct iq_format *format, const struct iq_parser_options *options,
				      const struct iq_sink *sink);
int iq_line_parser_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error);
int iq_line_parser_settle(struct iq_parser *parser, struct iq_error *error);
struct iq_restart iq_line_parser_restart(const struct iq_parser *parser);
int iq_line_parser_end(struct iq_parser *parser, struct iq_error *error);
void iq_line_parser_close(struct iq_parser *parser);

/* Members of a struct iq_format. */
#define IQ_LINE_PARSER(line_rules) \
	.rules = (line_rules), .open = iq_line_parser_open, .feed = iq_line_parser_feed, \
	.settle = iq_line_parser_settle, .restart = iq_line_parser_restart, .end = iq_line_parser_end, \
	.close = iq_line_parser_close

/* Can the text be read as a line of the format? For probing. */
bool iq_line_reads(const struct iq_line_rules *rules, struct iq_view text, bool cut);

#endif
