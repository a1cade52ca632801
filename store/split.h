/* store/split.h - the layout of a column of texts that are alike: templates, and a column for what stood in each slot.
 * Private to the text columns; see store/texts.h. Free of I/O.
 *
 *	varint   number of shapes
 *	byte     1: the templates are the segment's: ints: their ids; 0: varint length and texts: the templates
 *	byte     1: the shape of each value is not here but a column of its own; 0: ints: n shapes
 *	         (0: the text did not fit and is stored as it is; else 1 + the index of its template)
 *	ints     for each slot of each template that has a value: 0 where it is constant, else 1 + the number of its column
 *	constants  varint length and texts: of the slots that are texts; ints: numbers; ints: digits
 *	varint   number of columns; for each: byte kind, varint count, varint length and the column
 *	texts    those that did not fit: varint count, varint length, the column
 *
 * Values lie in a column in the order of the texts, and in a text in the order of its slots. The column of a slot is
 *	<str>                    texts
 *	<int>                    ints
 *	<num> <time> <near>      byte digits layout, its parameter, ints: numbers
 *	<ts> <observed>          byte digits layout, its parameter
 *	the others               none: they have no value
 * Digits are ALL (byte: so many in all), TRIMMED (byte: so many less the zeros at the end, at least one; numbers count in
 * the last place) or EACH (ints: n; numbers are as they are written).
 */
#ifndef IQ_STORE_SPLIT_H
#define IQ_STORE_SPLIT_H

#include "store/texts.h"

enum iq_digits_layout { IQ_DIGITS_ALL, IQ_DIGITS_TRIMMED, IQ_DIGITS_EACH };

/* Texts to be split, and what their templates may refer to. */
struct iq_split_input {
	const struct iq_view *values; /* none of them NULL */
	size_t count;
	unsigned depth;
	/* Sets what is known of the event at `index`; may be NULL. */
	void (*known)(void *context, size_t index, struct iq_known *known);
	/* The segment's number of a template; negative on failure. May be NULL: templates are then kept here. */
	int64_t (*pattern_id)(void *context, struct iq_view pattern, uint64_t texts);
	void *context;
	/* Values of the texts that are fields of those that are known as BODY_FIELD and RAW_FIELD; NULL: none. */
	const struct iq_fields *fields;
	const struct iq_hole *holes; /* where the body stands in each; NULL: nowhere at all */
	int64_t *ret_shapes;	     /* NULL: they are kept in the column */
	size_t *ret_shape_count;
};

/* Appends the column, its layout byte included, and returns 1; 0 (with nothing appended) where too few texts are alike:
 * fewer than `least` in a hundred. */
int iq_split_append(struct iq_codec *codec, const struct iq_split_input *input, unsigned least, struct iq_buf *out);

struct iq_split;
/* Takes one off the front of `rest`. */
int iq_split_open(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		  const struct iq_texts_outside *outside, unsigned depth, struct iq_split **ret_split);
int iq_split_get(struct iq_split *split, size_t index, const struct iq_known *known, struct iq_buf *scratch,
		 struct iq_view *ret_text);
uint32_t iq_split_refers(const struct iq_split *split);

/* As iq_texts_open(), inside a column that lies `depth` deep. */
int iq_texts_open_inner(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
			const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts);

/* The column that texts which begin here are fields of: SIZE_MAX where they are none, or it is not told. */
size_t iq_texts_source(struct iq_view bytes);
/* As iq_texts_open_inner() of a column of fields of `source`, which has the same window. */
int iq_texts_open_field(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
			const struct iq_texts_outside *outside, unsigned depth, struct iq_texts *source,
			struct iq_texts **ret_texts);

#endif
