/* ingest/joiner.h - records of one stream that belong together become one event.
 *
 * Two things tear what a program said in one go: writers that split long texts (Docker, containerd, journald, Google
 * Cloud), which mark the pieces, and programs whose text has several lines (stack traces), which do not. A format says of
 * each record what it is; see struct iq_record. Pieces are put together without anything between them, lines with a line end.
 *
 * What a line is, rules may say instead (iq_extract_line()).
 *
 * Streams are told apart by name. Events are given out in the order in which they end: that is what taking up an evidence
 * again rests on (see restart() in ingest/ingest.h). So a record of another stream that comes between the lines of a
 * trace does not tear it, a second one does. A gap ends all that is whole.
 * Memory: at most IQ_JOINER_STREAMS texts of `max_line` bytes.
 */
#ifndef IQ_INGEST_JOINER_H
#define IQ_INGEST_JOINER_H

#include "ingest/record.h"

/* Streams with something unfinished at a time. When there are more, the one that began first is given out as it is. */
#define IQ_JOINER_STREAMS 256
/* Lines in one event: what has more lines than this is no stack trace. */
#define IQ_JOINER_LINES 1000
/* Lines of one text are written at once: what comes later than this is another. */
#define IQ_JOINER_PAUSE IQ_NS_PER_S

/* What one record says. */
struct iq_record {
	struct iq_event event; /* with its range; `attrs` is not used, see below */
	struct iq_view stream; /* whose text it is; NULL: that of a file with only one */
	struct iq_gap gap;     /* with a reason: the record is no event but a hole that the evidence itself knows of */
	struct iq_view attrs;  /* as iq_attrs_raw() and others left them, without the end of the object */
	bool unfinished;       /* the stream's next record goes on with this text */
	bool by_time;	/* it goes on with an unfinished text of the same time, whatever its stream, if there is one */
	bool continues; /* a further line of what the stream said last, if that had a time; the joiner looks at the
				text as well */
	uint64_t line;	/* number, and the line ends before it; 0 in evidence that is not lines */
	uint64_t before;
	uint64_t line_bytes; /* of a line that was cut before it was read, else 0 */
};

/* Within a trace indented lines go on with it; in those of Python and Go so do some that begin like any other text. */
enum iq_trace { IQ_TRACE_NONE, IQ_TRACE_FRAMES, IQ_TRACE_PYTHON, IQ_TRACE_GO };

/* Which lines that follow are taken for further lines of a text, when the record does not say so itself. */
enum iq_joining {
	IQ_JOIN_NONE,
	IQ_JOIN_TRACES, /* those of stack traces: `at x(y)`, `Caused by:`, `... 12 more`, and what follows in one of Python or Go */
	IQ_JOIN_INDENTED /* also any that begins with white space or a closing bracket */
};

struct iq_joiner_stream {
	struct iq_buf name;
	bool open;
	bool carried; /* it began in an earlier turn of the log */
	bool unfinished;
	struct iq_record first; /* its texts are in `texts` */
	struct iq_buf texts;	/* of the first record: names and attrs */
	struct iq_buf body;	/* at most max_line bytes */
	uint64_t bytes;		/* of the body before it was cut */
	uint64_t end;		/* of the last record */
	uint64_t line_bytes;
	int64_t last_ts; /* of the last record */
	unsigned lines;
	enum iq_trace trace;
};

/* What a log had unfinished when it was rotated. Of all zeros at first. */
struct iq_carry {
	struct iq_joiner_stream *streams;
	size_t count;
	struct iq_buf from; /* path of the evidence that it began in */
};
void iq_carry_release(struct iq_carry *carry);
/* How many bytes of text wait in it. */
uint64_t iq_carry_bytes(const struct iq_carry *carry);

struct iq_joiner {
	const struct iq_output *output;
	enum iq_joining joining;
	struct iq_joiner_stream *streams;
	size_t count;
	size_t last;	    /* the stream that was found last */
	uint64_t end;	    /* of all records so far */
	struct iq_buf from; /* where what was carried here began */
	struct iq_buf attrs;
};

/* `output` is Borrowed until the joiner is released. */
void iq_joiner_init(struct iq_joiner *joiner, const struct iq_output *output, enum iq_joining joining);
void iq_joiner_release(struct iq_joiner *joiner);
/* Takes the next record. The views in it are Borrowed until the call returns. 0, or negative from the sink. */
int iq_joiner_take(struct iq_joiner *joiner, struct iq_record *record, struct iq_error *error);
/* There may be no more records: gives out what is whole, but for a text that has several lines already: that may go on. */
int iq_joiner_settle(struct iq_joiner *joiner, struct iq_error *error);
/* Before a gap: gives out what is whole. */
int iq_joiner_flush(struct iq_joiner *joiner, struct iq_error *error);
/* Where the first record that was not given out begins, or `place` if that is earlier. */
struct iq_restart iq_joiner_place(const struct iq_joiner *joiner, struct iq_restart place);
/* The stream ended: gives out everything, unfinished texts with `"partial":true`; where the log goes on in its next turn, these are left
 * in options.carry instead, their pieces here a gap in which nothing is missing. The event that they become there has `begins_in`. */
int iq_joiner_end(struct iq_joiner *joiner, struct iq_error *error);

#endif
