/* replay/shape.h - what answers look like: which types come how often and in which order, which fields a message of a type has, and of
 * which JSON types they are. Learned from one recording or from several of the same flow; the more there are, the more of it is judged.
 * Free of I/O.
 *
 * From one recording: the types, the fields that every message of a type has, and their JSON types. From IQ_SHAPE_COUNTS recordings in
 * which it is always the same also how often a type comes, and to which message of the client's; from IQ_SHAPE_ORDERS which of two types
 * comes first in an answer. An answer is what comes between two messages of the client's.
 */
#ifndef IQ_REPLAY_SHAPE_H
#define IQ_REPLAY_SHAPE_H

#include "replay/plan.h"

#define IQ_SHAPE_COUNTS 3u
#define IQ_SHAPE_ORDERS 5u
/* Paths that are remembered; types between which an order is looked for. */
#define IQ_SHAPE_MAX_PATHS 100000u
#define IQ_SHAPE_MAX_TYPES 64u

struct iq_shape_path {
	uint32_t types;	   /* a bit for each enum iq_json_type that it had */
	uint64_t seen;	   /* how often it was there, */
	uint64_t possible; /* of how many times that its parent was */
	uint64_t value;	   /* hash of its value in the recording at hand, where it is the only one */
	bool is_volatile;  /* its value is another one in another recording */
};

struct iq_shape_type {
	struct iq_view name;
	uint32_t least, most; /* in a recording */
	uint32_t now;	      /* in the one that is being learned */
	uint32_t answer;      /* in which it was last, + 1, */
	uint32_t first, last; /* and there as the n-th message */
	uint32_t recordings;  /* in which it was */
};

struct iq_shape {
	struct iq_map paths; /* type, NUL, path -> index in items */
	struct iq_shape_path *items;
	size_t item_capacity;
	struct iq_map types;
	struct iq_shape_type *type_items;
	size_t type_capacity;
	uint32_t recordings;
	uint32_t
		*before; /* IQ_SHAPE_MAX_TYPES squared: in how many answers with both, all of a came before all of b, */
	uint32_t *both;	 /* of how many */
	struct iq_map answers; /* type, NUL, answer -> in how many recordings it was there */
};

int iq_shape_init(struct iq_shape *shape);
void iq_shape_release(struct iq_shape *shape);
/* Learns from the server's messages of a recording. */
int iq_shape_learn(struct iq_shape *shape, const struct iq_plan *plan);

enum iq_difference_kind {
	IQ_DIFFERENCE_MISSING,	  /* a message that was always there did not come */
	IQ_DIFFERENCE_UNEXPECTED, /* a type that was never there */
	IQ_DIFFERENCE_COUNT,	  /* it came more or less often */
	IQ_DIFFERENCE_ORDER,
	IQ_DIFFERENCE_FIELD, /* a field is missing */
	IQ_DIFFERENCE_JSON,  /* a value of another JSON type */
	IQ_DIFFERENCE_VALUE,
	IQ_DIFFERENCE_NOT_JSON, /* no JSON, where it was JSON, or text where it was binary */
	IQ_DIFFERENCE_CLOSE,
	IQ_DIFFERENCE_STATUS, /* of an HTTP response */
	IQ_DIFFERENCE_SLOW
};
/* `missing`, ... Static. */
const char *iq_difference_name(enum iq_difference_kind kind);

/* One thing in a message that is not as it was. Views: Borrowed until the call returns. */
struct iq_unlike {
	enum iq_difference_kind kind;
	struct iq_view path; /* JSON Pointer */
	const char *expected;
	const char *got;
};
typedef int iq_unlike_fn(void *context, const struct iq_unlike *unlike);
/* Compares a message with what those of its type look like. 0, or what `tell` returned. */
int iq_shape_compare(const struct iq_shape *shape, struct iq_view type, struct iq_view body, iq_unlike_fn *tell,
		     void *context);
/* Is the value at this path another one in each recording? */
bool iq_shape_is_volatile(const struct iq_shape *shape, struct iq_view type, struct iq_view path);
/* Must all of `a` come before all of `b` in an answer? */
bool iq_shape_precedes(const struct iq_shape *shape, struct iq_view a, struct iq_view b);
/* Was the type in the n-th answer of all recordings, of which there are enough? */
bool iq_shape_always_answers(const struct iq_shape *shape, struct iq_view type, uint32_t answer);
/* What the map of answers is asked for. */
void iq_shape_answer_key(struct iq_buf *key, struct iq_view type, uint32_t answer);
const struct iq_shape_type *iq_shape_type(const struct iq_shape *shape, struct iq_view type);

#endif
