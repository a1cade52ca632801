/* store/ints.h - the layouts of a stream of integers: a table in which each has what it costs, how it is written and how it
 * is read. Private to the files that make it up.
 *
 * A layout is chosen by its cost on a sample. One without a cost says itself, when it is asked to write, whether it suits.
 */
#ifndef IQ_STORE_INTS_H
#define IQ_STORE_INTS_H

#include "store/packed.h"

/* Integers to be written. */
struct iq_ints_input {
	const int64_t *values;
	size_t count;
	const int64_t
		*given; /* codes below `given_count`, one for each value, which a reader knows beforehand; or NULL */
	size_t given_count;
	const int64_t *sample; /* some of the values, from their middle */
	size_t sample_size;
	bool inner; /* of DICT or AGAIN: it is neither itself */
};

/* Integers to be read. */
struct iq_ints_output {
	int64_t *values; /* of the window */
	struct iq_window window;
	const int64_t *given; /* of the window */
	bool inner;
	struct iq_arena *arena;
};

struct iq_ints_layout_methods {
	/* About what the sample comes to, in sixteenths of bits; UINT64_MAX where such values cannot be written so. `best` is what
	 * another layout has reached: where little is to be gained the answer may be UINT64_MAX too. */
	uint64_t (*cost)(const struct iq_ints_input *input, uint64_t best);
	/* Appends everything behind the layout byte. 1 if so, 0 where it does not suit (with nothing appended), or negative. */
	int (*append)(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out);
	/* IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
	int (*take)(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output);
	/* A value follows from those before it: the window always begins with the first. */
	bool follows;
};

extern const struct iq_ints_layout_methods iq_ints_const;
extern const struct iq_ints_layout_methods iq_ints_planes;
extern const struct iq_ints_layout_methods iq_ints_delta;
extern const struct iq_ints_layout_methods iq_ints_delta2;
extern const struct iq_ints_layout_methods iq_ints_given;
extern const struct iq_ints_layout_methods iq_ints_recent;
extern const struct iq_ints_layout_methods iq_ints_dict;
extern const struct iq_ints_layout_methods iq_ints_follow;
extern const struct iq_ints_layout_methods iq_ints_again;

/* As iq_stream_append_ints() and iq_stream_take_ints(), of what DICT and AGAIN are made of. */
int iq_ints_append_inner(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out);
int iq_ints_take_inner(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		       int64_t **ret_values);

#endif
