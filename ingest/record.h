/* ingest/record.h - what the parsers share: their way out, the conventions of an event, attrs, and damaged lines.
 */
#ifndef IQ_INGEST_RECORD_H
#define IQ_INGEST_RECORD_H

#include "ingest/ingest.h"
#include "ingest/lines.h"

/* ---- The way out of a parser ---- */

struct iq_output {
	struct iq_parser_options options;
	const struct iq_sink *sink;
	struct iq_view gap_source;  /* whose events a damaged range may have held; NULL: anybody's */
	struct iq_view gap_session; /* likewise */
};

/* Gives the event out. What its body says of it is found behind the parser: see iq_describer. */
int iq_output_event(const struct iq_output *output, const struct iq_event *event, struct iq_error *error);
/* Tells a person, in one line without the path. */
void iq_output_problem(const struct iq_output *output, const char *format, ...) IQ_PRINTF(2, 3);
/* A range of the evidence that could not be read: a gap, and a problem with the same words. */
int iq_output_damage(const struct iq_output *output, uint64_t offset, uint64_t bytes, struct iq_error *error,
		     const char *format, ...) IQ_PRINTF(5, 6);

/* ---- An event ---- */

/* A text that was cut somewhere, without the incomplete character at its end. */
struct iq_view iq_body_trim(struct iq_view text);

/* ---- Attrs: one JSON object in valid UTF-8, written member by member ---- */

void iq_attrs_raw(struct iq_buf *attrs, struct iq_view name, struct iq_view json);
void iq_attrs_text(struct iq_buf *attrs, struct iq_view name, struct iq_view text);
/* `"name":"value"`, as it stands there. */
void iq_attrs_literal(struct iq_buf *attrs, struct iq_view member);
void iq_attrs_number(struct iq_buf *attrs, struct iq_view name, uint64_t number);
/* Ends the object; the NULL view if nothing was written into it. Borrowed until the buffer changes. */
struct iq_view iq_attrs_end(struct iq_buf *attrs);

/* ---- Lines ---- */

/* Without a byte order mark and without NUL bytes in front, which a file system that lost power leaves behind. */
struct iq_view iq_line_text(const struct iq_line *line);
/* What to say of a line that could not be read because of `why`, with the text that was left to read. Static. */
const char *iq_line_damage(const struct iq_line *line, struct iq_view text, const char *why);
/* The text with control characters escaped, as a JSON string wants them; appended to `scratch`. */
struct iq_view iq_line_escape_controls(struct iq_view text, struct iq_buf *scratch);

/* Where `string`, a part of the line's text, stands in the stream; a length of 0 where it lies elsewhere. */
void iq_line_place(const struct iq_line *line, struct iq_view string, uint64_t *ret_offset, uint64_t *ret_length);

/* Is the text one whole JSON object? Then a line that ends there has nothing missing. */
bool iq_line_is_object(struct iq_view text);

/* The best score that `probe` gives to one of the first lines of a stream; `cut`: the line may go on. */
int iq_line_probe(struct iq_view head, int (*probe)(struct iq_view text, bool cut));

/* How many of the first lines `reads` says yes to, in percent. The last one counts only if it says yes, where it is cut. */
int iq_line_share(struct iq_view head, bool (*reads)(struct iq_view text, bool cut));
/* Likewise, where lines may be counted. */
int iq_counted_line_share(struct iq_view head, bool (*reads)(struct iq_view text, bool cut));

/* Lines in a row that could not be read are one gap. */
struct iq_bad_lines {
	uint64_t first;	 /* line number, 0: none */
	uint64_t before; /* line ends before its range */
	uint64_t last;
	uint64_t offset;
	uint64_t bytes;
	const char *why; /* static text, of the first */
};

/* A stream of white space alone: a gap in which nothing was lost. */
int iq_output_blank(const struct iq_output *output, const struct iq_line *line, struct iq_error *error);

/* Of a parser whose lines in a row could not be read: where these begin, else where the line at hand does. */
struct iq_restart iq_bad_lines_place(const struct iq_bad_lines *bad, const struct iq_lines *lines);
/* Adds a line that could not be read. */
void iq_bad_lines_add(struct iq_bad_lines *bad, const struct iq_line *line, const char *why);
/* A good line or the end came: gives the gap out, if there is one. */
int iq_bad_lines_flush(struct iq_bad_lines *bad, const struct iq_output *output, struct iq_error *error);

#endif
