/* event/msgpack.h - reads MessagePack (github.com/msgpack/msgpack, spec.md), one token at a time.
 *
 * Free of I/O and of allocation: texts are views into the input. Input is hostile: a count says how many values shall follow, not how much
 * memory is needed, and nesting is bounded. Private to event/.
 */
#ifndef IQ_EVENT_MSGPACK_H
#define IQ_EVENT_MSGPACK_H

#include "base/base.h"

/* Values within values; what is nested deeper is none. */
#define IQ_MSGPACK_MAX_DEPTH 64u

enum iq_msgpack_type {
	IQ_MSGPACK_NONE,
	IQ_MSGPACK_NIL,
	IQ_MSGPACK_BOOL,
	IQ_MSGPACK_INTEGER,
	IQ_MSGPACK_FLOAT,
	IQ_MSGPACK_STRING,
	IQ_MSGPACK_BINARY, /* also extensions */
	IQ_MSGPACK_ARRAY,  /* `count` values follow */
	IQ_MSGPACK_MAP	   /* `count` pairs follow */
};

struct iq_msgpack_token {
	enum iq_msgpack_type type;
	struct iq_view text; /* of a string or of bytes. Borrowed until the input goes */
	int64_t integer;     /* what does not fit is its largest */
	uint32_t count;
};

struct iq_msgpack {
	struct iq_view text;
	size_t position;
};

/* The next token; false at the end, and where the input is cut off or is none. */
bool iq_msgpack_next(struct iq_msgpack *reader, struct iq_msgpack_token *ret_token);
/* Moves past the rest of a value whose first token was just read. False where its end is missing, or lies too deep. */
bool iq_msgpack_skip(struct iq_msgpack *reader, const struct iq_msgpack_token *token);

#endif
