/* ingest/lines.h - bytes into lines, for the formats that have one record a line.
 *
 * Memory is bounded by the limit, whatever the length of a line: what is beyond it is counted and dropped. White space
 * between lines, blank lines included, belongs to the line before it (at the beginning of the stream to the first), so
 * that the ranges of the lines cover the stream.
 */
#ifndef IQ_INGEST_LINES_H
#define IQ_INGEST_LINES_H

#include "base/base.h"
#include "store/store.h"

struct iq_line {
	struct iq_view text; /* without its line end; at most the limit. Borrowed until the callback returns. */
	uint64_t number;     /* from 1 */
	uint64_t before;     /* line ends before its range */
	uint64_t offset;     /* of its range in the stream */
	uint64_t begin;	     /* of its text in the stream */
	uint64_t length;     /* of its range: with its line end and the white space that belongs to it */
	uint64_t bytes;	     /* of its text, before it was cut: more than text.len if it was */
	bool counted;	     /* it has no line end, but a length */
	bool terminated;     /* false: the stream ended in it */
};

/* Digits of a LENGTH, at most, and a space. */
#define IQ_LINES_COUNT_SIZE 8

/* Takes one line; negative stops the framer with that status. */
typedef int iq_line_fn(void *context, const struct iq_line *line, struct iq_error *error);

struct iq_lines {
	iq_line_fn *take;
	void *context;
	size_t limit;
	bool counted; /* a line may be counted instead of ended: `LENGTH <...` (RFC 6587), LENGTH bytes from the `<` */
	bool keeps_indent;		 /* of white space between lines only line ends are taken, the rest is text */
	struct iq_buf pending;		 /* the text at hand, where it did not come in one piece */
	struct iq_line line;		 /* the line at hand; its text is set when it is handed out */
	uint64_t newlines;		 /* seen so far */
	uint64_t left;			 /* of a counted text, bytes that have not come */
	char count[IQ_LINES_COUNT_SIZE]; /* what may become a LENGTH, and the space behind it */
	size_t count_len;
};

void iq_lines_init(struct iq_lines *lines, size_t limit, iq_line_fn *take, void *context);
/* Before the first bytes: they begin here in the stream. */
void iq_lines_begin_at(struct iq_lines *lines, const struct iq_restart *from);
void iq_lines_release(struct iq_lines *lines);
/* Takes the next bytes, hands out the lines they complete. 0, IQ_ERR_NOMEM, or what the callback returned. */
int iq_lines_feed(struct iq_lines *lines, struct iq_view bytes, struct iq_error *error);
/* There may be no more bytes: hands out the line at hand if it is terminated, or `whole` says so of its text. */
int iq_lines_settle(struct iq_lines *lines, bool (*whole)(struct iq_view text), struct iq_error *error);
/* Where the line at hand begins: nothing of it, or after it, was handed out. */
struct iq_restart iq_lines_place(const struct iq_lines *lines);
/* The stream ended: hands out the last line. A stream of white space alone is one line with an empty text. */
int iq_lines_end(struct iq_lines *lines, struct iq_error *error);

#endif
