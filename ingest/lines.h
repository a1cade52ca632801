/* ingest/lines.h - bytes into lines, for the formats that have one record a line.
 *
 * Memory is bounded by the limit, whatever the length of a line: what is beyond it is counted and dropped.
 * A line that arrives whole in one piece is not copied. Blank lines are handed out as the beginning of the range of the
 * line after them; those at the end of the stream come as one line with an empty text.
 */
#ifndef IQ_INGEST_LINES_H
#define IQ_INGEST_LINES_H

#include "base/base.h"

struct iq_line {
	struct iq_view text; /* without its line end; at most the limit. Borrowed until the callback returns. */
	uint64_t number;     /* from 1 */
	uint64_t offset;     /* of its first byte in the stream, blank lines before it included */
	uint64_t length;     /* all of it, with these and its line end */
	uint64_t bytes;	     /* of its text, before it was cut: more than text.len if it was */
	bool terminated;     /* false: the stream ended in it */
};

/* Takes one line; negative stops the framer with that status. */
typedef int iq_line_fn(void *context, const struct iq_line *line, struct iq_error *error);

struct iq_lines {
	iq_line_fn *take;
	void *context;
	size_t limit;
	struct iq_buf pending; /* the beginning of the line that is not complete yet */
	uint64_t number;       /* lines that are complete */
	uint64_t offset;       /* of what was not handed out yet */
	uint64_t length;       /* bytes of it so far */
	uint64_t blank;	       /* bytes of the blank lines between the last line handed out and it */
};

void iq_lines_init(struct iq_lines *lines, size_t limit, iq_line_fn *take, void *context);
void iq_lines_release(struct iq_lines *lines);
/* Takes the next bytes, hands out the lines they complete. 0, IQ_ERR_NOMEM, or what the callback returned. */
int iq_lines_feed(struct iq_lines *lines, struct iq_view bytes, struct iq_error *error);
/* The stream ended: hands out the last line if it has no line end, then blank lines if any are left. */
int iq_lines_end(struct iq_lines *lines, struct iq_error *error);
#endif
