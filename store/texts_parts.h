/* store/texts_parts.h - what a column of texts is made of while it is read. Private to the files that read and search text
 * columns.
 */
#ifndef IQ_STORE_TEXTS_PARTS_H
#define IQ_STORE_TEXTS_PARTS_H

#include "store/presence.h"
#include "store/split.h"

/* Of a window: what is numbered is numbered from its beginning. */
struct iq_texts {
	enum iq_texts_layout layout;
	size_t total;
	size_t count; /* of values that are there */
	struct iq_codec *codec;
	struct iq_arena *arena;
	struct iq_presence presence;
	struct iq_view bytes; /* CONST: the value; PLAIN: all; FIXED: the packed digits */
	uint32_t *
		starts; /* PLAIN: of the bytes; WORDS: of the codes; LINES: of the lines; and where the last one ends */
	int64_t *codes; /* DICT, WORDS */
	size_t word_count;
	struct iq_view feed;	       /* LINES, ESCAPED: what divides lines */
	struct iq_texts *words;	       /* DICT; LINES, ESCAPED: the lines */
	struct iq_texts_outside inner; /* for columns in this one: of what lies outside they know the words only */
	struct iq_view places;	       /* FIXED */
	size_t varying;
	size_t first_digit; /* FIXED: of the packed digits, 1 where the first text begins in the middle of a byte */
	struct iq_split *split;
	struct iq_texts *source; /* FIELD; those that are not are `words`, NULL where they are */
	struct iq_field field;
};

/* What is done to put a text together: constant text is appended, then what stands in a slot. */
struct iq_split_step {
	struct iq_view text;		/* with slots in it that hold the same in all texts, if that is short */
	const struct iq_piece *piece;	/* NULL: none follows */
	struct iq_split_column *column; /* NULL: it has none */
	size_t slot;			/* of a slot with a value: among the valued slots of all shapes */
};

struct iq_split_shape {
	struct iq_piece *pieces;
	size_t piece_count;
	struct iq_split_step *steps; /* made when the first text of the shape is asked for */
	size_t step_count;
	uint32_t first_slot; /* among the valued slots of all shapes */
	uint32_t varying;    /* slots that have a column */
};

struct iq_split_column {
	enum iq_slot_kind kind;
	struct iq_window window; /* its values that the texts need */
	size_t count;		 /* of these */
	struct iq_view bytes;
	bool open;
	struct iq_texts *texts;
	int64_t *numbers;
	int64_t *digits; /* EACH */
	enum iq_digits_layout layout;
	uint8_t places;
};

struct iq_split {
	struct iq_codec *codec;
	struct iq_arena *arena;
	unsigned depth;
	struct iq_window window;
	size_t count; /* of texts in it */
	struct iq_split_shape *shapes;
	size_t shape_count;
	struct iq_shapes of_texts;
	const int64_t *shape_of; /* of these, those of the window */
	int64_t *columns_of;	 /* by valued slot */
	int64_t *constant_of;	 /* by valued slot: which constant of its kind */
	struct iq_texts *constant_texts;
	int64_t *constant_numbers;
	int64_t *constant_digits;
	struct iq_split_column *columns;
	size_t column_count;
	struct iq_window unfit_window;
	size_t unfit_count;
	struct iq_view unfit_bytes;
	struct iq_texts *unfit;
	/* Where the values of each text lie, made when the first text is asked for: for each varying slot of each text its
	 * place in its column; for those that did not fit their place among these. */
	uint32_t *first_place;
	uint32_t *places;
	uint32_t refers;
	struct iq_texts_outside inner; /* for columns in this one: of what lies outside they know the words only */
};

/* Has a slot of this kind a value of its own? */
static inline bool iq_slot_has_value(enum iq_slot_kind kind)
{
	return kind != IQ_SLOT_NONE && kind <= IQ_SLOT_OBSERVED;
}

/* Decodes a column's values; finds where the values of each text lie. Each at the first call. */
int iq_split_open_column(struct iq_split *split, struct iq_split_column *column);
int iq_split_find_places(struct iq_split *split);
/* All columns that hold a value of the texts. */
int iq_split_open_all(struct iq_split *split);
int iq_split_open_unfit(struct iq_split *split);
/* Number and digits of a value of a column that is not of texts, or of one that is the same in all texts. */
int iq_split_number(const struct iq_split_column *column, uint32_t place, const struct iq_known *known,
		    struct iq_slot_value *value);
int iq_split_constant(const struct iq_split *split, const struct iq_piece *piece, int64_t index,
		      const struct iq_known *known, struct iq_slot_value *value);

#endif
