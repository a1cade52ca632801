#include "store/lengths.h"

#include "event/event.h"
#include "store/texts_parts.h"

/* ---- Dictionaries ---- */

static int dict_lengths(struct iq_texts *texts, int64_t *lengths)
{
	int64_t *words = iq_arena_alloc(texts->arena, (texts->word_count + 1) * sizeof(*words));
	int rc = words ? iq_texts_lengths(texts->words, NULL, words) : IQ_ERR_NOMEM;

	for (size_t i = 0; i < texts->count && rc == 0; i++)
		lengths[i] = words[texts->codes[i]];
	return rc;
}

/* With the spaces between. */
static int word_lengths(const struct iq_texts *texts, int64_t *lengths)
{
	for (size_t i = 0; i < texts->count; i++) {
		int64_t sum = texts->starts[i + 1] > texts->starts[i] ? texts->starts[i + 1] - texts->starts[i] - 1 : 0;

		for (uint32_t j = texts->starts[i]; j < texts->starts[i + 1]; j++) {
			struct iq_view word = texts->inner.word(texts->inner.context, (uint64_t)texts->codes[j]);

			if (!word.data)
				return IQ_ERR_CORRUPT;
			sum += (int64_t)word.len;
		}
		lengths[i] = sum;
	}
	return 0;
}

static int line_lengths(struct iq_texts *texts, int64_t *lengths)
{
	const uint32_t count = texts->starts[texts->count];
	int64_t *lines = iq_arena_alloc(texts->arena, ((size_t)count + 1) * sizeof(*lines));
	int rc = lines ? iq_texts_lengths(texts->words, NULL, lines) : IQ_ERR_NOMEM;

	for (size_t i = 0; i < texts->count && rc == 0; i++) {
		lengths[i] = texts->starts[i + 1] > texts->starts[i] ? texts->starts[i + 1] - texts->starts[i] - 1 : 0;
		lengths[i] *= (int64_t)texts->feed.len;
		for (uint32_t j = texts->starts[i]; j < texts->starts[i + 1]; j++)
			lengths[i] += lines[j];
	}
	return rc;
}

/* ---- Texts in slots ---- */

/* Something in a template whose length is not the same in all its texts. */
struct item {
	const struct iq_piece *piece;
	size_t column;	  /* 1 + its number; 0: no column */
	int64_t constant; /* without a column: which constant; -1: it refers to another column of the event */
};

struct measure {
	struct iq_split *split;
	const struct iq_lengths_outside *outside;
	int64_t *fixed; /* by shape: what is the same in all its texts */
	size_t *first_item;
	struct item *items;
	size_t item_count;
	int64_t **columns; /* lengths of the values of columns of text */
};

static int constant_length(struct iq_split *split, const struct iq_piece *piece, int64_t constant, int64_t *ret_length)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_slot_value value = { .kind = piece->kind };
	struct iq_view text;
	int rc = 0;

	if (piece->kind == IQ_SLOT_TEXT) {
		rc = iq_texts_get(split->constant_texts, (size_t)constant, NULL, &scratch, &text);
		*ret_length = rc == 0 ? (int64_t)text.len : 0;
		iq_buf_release(&scratch);
		return rc;
	}
	value.number = split->constant_numbers[constant];
	value.digits =
		(uint64_t)split->constant_digits[constant] > 18 ? 255 : (uint8_t)split->constant_digits[constant];
	return iq_slot_length(piece, &value, ret_length);
}

static int add_item(struct measure *measure, size_t shape, const struct iq_piece *piece, size_t *slot)
{
	struct item item = { piece, 0, -1 };
	int64_t length = 0;
	int rc = 0;

	if (iq_slot_has_value(piece->kind)) {
		item.column = (size_t)measure->split->columns_of[*slot];
		item.constant = item.column ? -1 : measure->split->constant_of[*slot];
		++*slot;
	}
	if (item.constant >= 0 && piece->kind <= IQ_SLOT_TIME) {
		rc = constant_length(measure->split, piece, item.constant, &length);
		measure->fixed[shape] += length;
	} else {
		measure->items[measure->item_count++] = item;
	}
	return rc;
}

static int read_shape(struct measure *measure, size_t shape)
{
	const struct iq_split_shape *read = &measure->split->shapes[shape];
	size_t slot = read->first_slot;
	int rc = 0;

	measure->first_item[shape] = measure->item_count;
	for (size_t i = 0; i < read->piece_count && rc == 0; i++) {
		measure->fixed[shape] += (int64_t)read->pieces[i].text.len;
		if (read->pieces[i].kind != IQ_SLOT_NONE)
			rc = add_item(measure, shape, &read->pieces[i], &slot);
	}
	return rc;
}

static int read_shapes(struct measure *measure)
{
	struct iq_split *split = measure->split;
	size_t pieces = 0;
	int rc = 0;

	for (size_t i = 0; i < split->shape_count; i++)
		pieces += split->shapes[i].piece_count;
	measure->fixed = iq_arena_calloc(split->arena, split->shape_count + 1, sizeof(int64_t));
	measure->first_item = iq_arena_calloc(split->arena, split->shape_count + 1, sizeof(size_t));
	measure->items = iq_arena_calloc(split->arena, pieces + 1, sizeof(struct item));
	measure->columns = iq_arena_calloc(split->arena, split->column_count + 1, sizeof(int64_t *));
	if (!measure->fixed || !measure->first_item || !measure->items || !measure->columns)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < split->shape_count && rc == 0; i++)
		rc = read_shape(measure, i);
	measure->first_item[split->shape_count] = measure->item_count;
	return rc;
}

static int measure_columns(struct measure *measure)
{
	struct iq_split *split = measure->split;
	int rc = 0;

	for (size_t i = 0; i < split->column_count && rc == 0; i++) {
		rc = iq_split_open_column(split, &split->columns[i]);
		if (rc < 0 || split->columns[i].kind != IQ_SLOT_TEXT)
			continue;
		measure->columns[i] = iq_arena_alloc(split->arena, (split->columns[i].count + 1) * sizeof(int64_t));
		rc = measure->columns[i] ? iq_texts_lengths(split->columns[i].texts, NULL, measure->columns[i])
					 : IQ_ERR_NOMEM;
	}
	return rc;
}

static int referred_length(const struct measure *measure, const struct item *item, size_t index, int64_t *ret_length)
{
	const struct iq_lengths_outside *outside = measure->outside;
	const struct iq_slot_value value = { .kind = item->piece->kind,
					     .number = outside && outside->seq ? outside->seq[index] : 0 };
	const int64_t *lengths = outside ? outside->texts[item->piece->kind] : NULL;
	int rc = 0;

	if (item->piece->kind == IQ_SLOT_SEQ)
		return outside && outside->seq ? iq_slot_length(item->piece, &value, ret_length) : IQ_ERR_CORRUPT;
	/* The body's length is that of all its parts. */
	if (item->piece->kind == IQ_SLOT_PART) {
		*ret_length = 0;
		return 0;
	}
	if (item->piece->kind == IQ_SLOT_BODY)
		rc = outside && outside->bodies ? outside->bodies(outside->context, item->piece->escape, &lengths)
						: IQ_ERR_CORRUPT;
	if (rc < 0 || !lengths || lengths[index] < 0)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	*ret_length = lengths[index];
	return 0;
}

/* Of a number or a time. */
static int value_length(const struct measure *measure, const struct item *item, size_t index, uint32_t place,
			int64_t *ret_length)
{
	const struct iq_lengths_outside *outside = measure->outside;
	const struct iq_known known = { .ts = outside && outside->ts ? outside->ts[index] : IQ_TIME_NONE,
					.observed = outside && outside->observed ? outside->observed[index]
										 : IQ_TIME_NONE };
	struct iq_slot_value value = { .kind = item->piece->kind };
	int rc = item->column ? iq_split_number(&measure->split->columns[item->column - 1], place, &known, &value)
			      : iq_split_constant(measure->split, item->piece, item->constant, &known, &value);

	if (rc == 0 && item->piece->kind == IQ_SLOT_NEAR &&
	    !iq_slot_near_time(item->piece, known.ts, value.number, value.digits, &value.number))
		rc = IQ_ERR_CORRUPT;
	return rc == 0 ? iq_slot_length(item->piece, &value, ret_length) : rc;
}

static int item_length(const struct measure *measure, const struct item *item, size_t index, const uint32_t **place,
		       int64_t *ret_length)
{
	if (!item->column && item->constant < 0)
		return referred_length(measure, item, index, ret_length);
	if (item->column && measure->columns[item->column - 1]) {
		*ret_length = measure->columns[item->column - 1][*(*place)++];
		return 0;
	}
	return value_length(measure, item, index, item->column ? *(*place)++ : 0, ret_length);
}

static int text_length(const struct measure *measure, size_t index, int64_t *ret_length)
{
	const struct iq_split *split = measure->split;
	const size_t shape = (size_t)split->shape_of[index] - 1;
	const uint32_t *place = split->places + split->first_place[index];
	int64_t sum = measure->fixed[shape], length;
	int rc = 0;

	for (size_t i = measure->first_item[shape]; i < measure->first_item[shape + 1] && rc == 0; i++) {
		rc = item_length(measure, &measure->items[i], index, &place, &length);
		sum += rc == 0 ? length : 0;
	}
	*ret_length = sum;
	return rc;
}

static int unfit_lengths(struct iq_split *split, int64_t *lengths)
{
	int64_t *unfit = iq_arena_alloc(split->arena, (split->unfit_count + 1) * sizeof(*unfit));
	size_t at = 0;
	int rc = unfit ? iq_split_open_unfit(split) : IQ_ERR_NOMEM;

	if (rc == 0)
		rc = iq_texts_lengths(split->unfit, NULL, unfit);
	for (size_t i = 0; i < split->count && rc == 0; i++)
		if (split->shape_of[i] == 0)
			lengths[i] = unfit[at++];
	return rc;
}

static int split_lengths(struct iq_split *split, const struct iq_lengths_outside *outside, int64_t *lengths)
{
	struct measure measure = { .split = split, .outside = outside };
	int rc = iq_split_find_places(split);

	if (rc == 0)
		rc = read_shapes(&measure);
	if (rc == 0)
		rc = measure_columns(&measure);
	for (size_t i = 0; i < split->count && rc == 0; i++)
		if (split->shape_of[i])
			rc = text_length(&measure, i, &lengths[i]);
	return rc == 0 && split->unfit_count > 0 ? unfit_lengths(split, lengths) : rc;
}

/* ---- A column ---- */

static void all_of(struct iq_texts *texts, size_t length, int64_t *lengths)
{
	for (size_t i = 0; i < texts->count; i++)
		lengths[i] = (int64_t)length;
}

static int field_lengths(struct iq_texts *texts, int64_t *lengths)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view text;
	int rc = 0;

	for (size_t i = 0; i < texts->count && rc == 0; i++) {
		iq_buf_clear(&scratch);
		rc = iq_texts_get(texts, i, NULL, &scratch, &text);
		lengths[i] = rc == 0 ? (int64_t)text.len : 0;
	}
	iq_buf_release(&scratch);
	return rc;
}

static int present_lengths(struct iq_texts *texts, const struct iq_lengths_outside *outside, int64_t *lengths)
{
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		all_of(texts, texts->bytes.len, lengths);
		return 0;
	case IQ_TEXTS_PLAIN:
		for (size_t i = 0; i < texts->count; i++)
			lengths[i] = texts->starts[i + 1] - texts->starts[i];
		return 0;
	case IQ_TEXTS_DICT:
		return dict_lengths(texts, lengths);
	case IQ_TEXTS_FIXED:
		all_of(texts, texts->places.len, lengths);
		return 0;
	case IQ_TEXTS_WORDS:
		return word_lengths(texts, lengths);
	case IQ_TEXTS_FIELD:
		return field_lengths(texts, lengths);
	case IQ_TEXTS_LINES:
	case IQ_TEXTS_ESCAPED:
		return line_lengths(texts, lengths);
	default:
		return split_lengths(texts->split, outside, lengths);
	}
}

int iq_texts_lengths(struct iq_texts *texts, const struct iq_lengths_outside *outside, int64_t *ret_lengths)
{
	size_t present = texts->count;
	int rc = present_lengths(texts, outside, ret_lengths);

	for (size_t i = texts->total; rc == 0 && texts->presence.bits && i-- > 0;)
		ret_lengths[i] = iq_texts_is_null(texts, i) ? 0 : ret_lengths[--present];
	return rc;
}
