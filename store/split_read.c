#include <string.h>

#include "store/texts_parts.h"

/* ---- Templates ---- */

static int keep_pattern(struct iq_split *split, struct iq_texts *texts, size_t index, struct iq_view *ret_pattern)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view text;
	int rc = iq_texts_get(texts, index, NULL, &scratch, &text);

	if (rc == 0 && text.data) {
		*ret_pattern = iq_arena_copy(split->arena, text);
		rc = ret_pattern->data ? 0 : IQ_ERR_NOMEM;
	}
	iq_buf_release(&scratch);
	return rc;
}

static int take_patterns(struct iq_split *split, struct iq_view *rest, const struct iq_texts_outside *outside,
			 struct iq_view *patterns)
{
	struct iq_texts *texts;
	struct iq_view bytes;
	int64_t *ids;
	uint8_t outer;
	uint64_t len;
	int rc = 0;

	if (!iq_byte_take(rest, &outer) || outer > 1 || (outer && (!outside || !outside->pattern)))
		return IQ_ERR_CORRUPT;
	if (outer) {
		rc = iq_stream_take_ints(split->codec, rest, split->shape_count, NULL, split->arena, &ids);
		for (size_t i = 0; rc == 0 && i < split->shape_count; i++)
			patterns[i] = outside->pattern(outside->context, (uint64_t)ids[i]);
		return rc;
	}
	if (!iq_varint_take(rest, &len) || !iq_bytes_take(rest, len, &bytes))
		return IQ_ERR_CORRUPT;
	rc = iq_texts_open_inner(split->codec, bytes, iq_window_whole(split->shape_count), split->arena, &split->inner,
				 split->depth + 1, &texts);
	for (size_t i = 0; rc == 0 && i < split->shape_count; i++)
		rc = keep_pattern(split, texts, i, &patterns[i]);
	return rc;
}

static int parse_patterns(struct iq_split *split, struct iq_view *rest, const struct iq_texts_outside *outside)
{
	struct iq_view *patterns = iq_arena_calloc(split->arena, split->shape_count + 1, sizeof(*patterns));
	int rc;

	split->shapes = iq_arena_calloc(split->arena, split->shape_count + 1, sizeof(*split->shapes));
	if (!patterns || !split->shapes)
		return IQ_ERR_NOMEM;
	rc = take_patterns(split, rest, outside, patterns);
	for (size_t i = 0; rc == 0 && i < split->shape_count; i++) {
		rc = patterns[i].data ? iq_template_parse(patterns[i], split->arena, &split->shapes[i].pieces,
							  &split->shapes[i].piece_count)
				      : IQ_ERR_CORRUPT;
		for (size_t j = 0; rc == 0 && j < split->shapes[i].piece_count; j++)
			split->refers |= 1u << split->shapes[i].pieces[j].kind;
	}
	return rc;
}

static int take_shapes(struct iq_split *split, struct iq_view *rest, const struct iq_texts_outside *outside)
{
	uint8_t outer;
	int rc = 0;

	if (!iq_byte_take(rest, &outer) || outer > 1 || (outer && (!outside || !outside->shapes)))
		return IQ_ERR_CORRUPT;
	if (!outer)
		rc = iq_shapes_take(split->codec, rest, split->window, split->arena, &split->of_texts);
	else
		split->of_texts = *outside->shapes;
	split->shape_of = split->of_texts.of;
	if (rc == 0 && split->of_texts.limit > split->shape_count + 1)
		rc = IQ_ERR_CORRUPT;
	for (size_t i = 0; rc == 0 && i < split->count; i++)
		if ((uint64_t)split->shape_of[i] > split->shape_count)
			rc = IQ_ERR_CORRUPT;
	return rc;
}

/* ---- Slots and columns ---- */

static size_t count_slots(struct iq_split *split)
{
	size_t count = 0;

	for (size_t i = 0; i < split->shape_count; i++) {
		split->shapes[i].first_slot = (uint32_t)count;
		for (size_t j = 0; j < split->shapes[i].piece_count; j++)
			count += iq_slot_has_value(split->shapes[i].pieces[j].kind);
	}
	return count;
}

static int take_slots(struct iq_split *split, struct iq_view *rest)
{
	size_t slots = count_slots(split), slot = 0;
	int64_t text_count = 0, number_count = 0;
	struct iq_view bytes;
	uint64_t len;
	int rc = iq_stream_take_ints(split->codec, rest, slots, NULL, split->arena, &split->columns_of);

	split->constant_of = iq_arena_calloc(split->arena, slots + 1, sizeof(*split->constant_of));
	if (rc < 0 || !split->constant_of)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	for (size_t i = 0; i < split->shape_count; i++)
		for (size_t j = 0; j < split->shapes[i].piece_count; j++) {
			enum iq_slot_kind kind = split->shapes[i].pieces[j].kind;

			if (!iq_slot_has_value(kind))
				continue;
			if (split->columns_of[slot])
				split->shapes[i].varying++;
			else
				split->constant_of[slot] = kind == IQ_SLOT_TEXT ? text_count++ : number_count++;
			slot++;
		}
	if (!iq_varint_take(rest, &len) || !iq_bytes_take(rest, len, &bytes))
		return IQ_ERR_CORRUPT;
	rc = iq_texts_open_inner(split->codec, bytes, iq_window_whole((size_t)text_count), split->arena, &split->inner,
				 split->depth + 1, &split->constant_texts);
	if (rc == 0)
		rc = iq_stream_take_ints(split->codec, rest, (size_t)number_count, NULL, split->arena,
					 &split->constant_numbers);
	if (rc == 0)
		rc = iq_stream_take_ints(split->codec, rest, (size_t)number_count, NULL, split->arena,
					 &split->constant_digits);
	return rc;
}

static int take_column(struct iq_view *rest, struct iq_split_column *column)
{
	uint64_t count, len;
	uint8_t kind;

	if (!iq_byte_take(rest, &kind) || !iq_varint_take(rest, &count) || !iq_varint_take(rest, &len) ||
	    !iq_bytes_take(rest, len, &column->bytes) || !iq_slot_has_value((enum iq_slot_kind)kind) ||
	    count > UINT32_MAX)
		return IQ_ERR_CORRUPT;
	column->kind = (enum iq_slot_kind)kind;
	column->window = iq_window_whole((size_t)count);
	column->count = (size_t)count;
	return 0;
}

static int take_columns(struct iq_split *split, struct iq_view *rest)
{
	uint64_t count;
	size_t slot = 0;
	int rc = 0;

	if (!iq_varint_take(rest, &count) || count > rest->len)
		return IQ_ERR_CORRUPT;
	split->column_count = (size_t)count;
	split->columns = iq_arena_calloc(split->arena, split->column_count + 1, sizeof(*split->columns));
	if (!split->columns)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < split->column_count && rc == 0; i++)
		rc = take_column(rest, &split->columns[i]);
	for (size_t i = 0; i < split->shape_count && rc == 0; i++)
		for (size_t j = 0; j < split->shapes[i].piece_count; j++) {
			enum iq_slot_kind kind = split->shapes[i].pieces[j].kind;
			uint64_t column;

			if (!iq_slot_has_value(kind))
				continue;
			column = (uint64_t)split->columns_of[slot++];
			if (column > split->column_count || (column && split->columns[column - 1].kind != kind))
				return IQ_ERR_CORRUPT;
		}
	return rc;
}

/* ---- The window ---- */

static int narrow_column(struct iq_window *window, uint64_t before, uint64_t count)
{
	if (before > window->all || count > window->all - before)
		return IQ_ERR_CORRUPT;
	*window = (struct iq_window){ window->all, (size_t)before, (size_t)count };
	return 0;
}

/* Adds up, for the columns of a shape's slots, what `count` texts of it need. */
static void add_values(const struct iq_split *split, size_t shape, uint32_t count, uint64_t *sums)
{
	const struct iq_split_shape *of = &split->shapes[shape];
	size_t slot = of->first_slot;

	for (size_t i = 0; count > 0 && i < of->piece_count; i++)
		if (iq_slot_has_value(of->pieces[i].kind))
			sums[split->columns_of[slot++]] += count;
}

/* Values stand in a column in the order of the texts: how many belong to texts before tells where those of the window are. */
static int narrow_columns(struct iq_split *split)
{
	const struct iq_shapes *shapes = &split->of_texts;
	uint64_t *before = iq_arena_calloc(split->arena, split->column_count + 1, sizeof(*before));
	uint64_t *within = iq_arena_calloc(split->arena, split->column_count + 1, sizeof(*within));
	size_t unfit = 0;
	int rc;

	if (!before || !within)
		return IQ_ERR_NOMEM;
	for (size_t shape = 1; shape < shapes->limit; shape++)
		add_values(split, shape - 1, shapes->before[shape], before);
	for (size_t i = 0; i < split->count; i++) {
		unfit += split->shape_of[i] == 0;
		if (split->shape_of[i] > 0)
			add_values(split, (size_t)split->shape_of[i] - 1, 1, within);
	}
	rc = narrow_column(&split->unfit_window, shapes->limit > 0 ? shapes->before[0] : 0, unfit);
	split->unfit_count = unfit;
	for (size_t i = 0; i < split->column_count && rc == 0; i++) {
		rc = narrow_column(&split->columns[i].window, before[i + 1], within[i + 1]);
		split->columns[i].count = split->columns[i].window.count;
	}
	return rc;
}

/* ---- Opening ---- */

static int take_unfit(struct iq_split *split, struct iq_view *rest)
{
	uint64_t count, len;

	if (!iq_varint_take(rest, &count) || count > split->window.all || !iq_varint_take(rest, &len) ||
	    !iq_bytes_take(rest, len, &split->unfit_bytes))
		return IQ_ERR_CORRUPT;
	split->unfit_window = iq_window_whole((size_t)count);
	split->unfit_count = (size_t)count;
	return 0;
}

int iq_split_open(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		  const struct iq_texts_outside *outside, unsigned depth, struct iq_split **ret_split)
{
	struct iq_split *split = iq_arena_calloc(arena, 1, sizeof(*split));
	uint64_t shapes;
	int rc;

	if (!split)
		return IQ_ERR_NOMEM;
	*split = (struct iq_split){
		.codec = codec, .arena = arena, .depth = depth, .window = window, .count = window.count
	};
	if (outside)
		split->inner = (struct iq_texts_outside){ .word = outside->word, .context = outside->context };
	if (!iq_varint_take(rest, &shapes) || shapes > window.all)
		return IQ_ERR_CORRUPT;
	split->shape_count = (size_t)shapes;
	rc = parse_patterns(split, rest, outside);
	if (rc == 0)
		rc = take_shapes(split, rest, outside);
	if (rc == 0)
		rc = take_slots(split, rest);
	if (rc == 0)
		rc = take_columns(split, rest);
	if (rc == 0)
		rc = take_unfit(split, rest);
	if (rc == 0 && !iq_window_is_whole(window))
		rc = narrow_columns(split);
	*ret_split = split;
	return rc;
}

/* ---- Opening a column when it is needed ---- */

static int open_numbers(struct iq_split *split, struct iq_split_column *column)
{
	struct iq_view rest = column->bytes;
	uint8_t layout = IQ_DIGITS_ALL;
	int rc = 0;

	if (column->kind != IQ_SLOT_INT) {
		if (!iq_byte_take(&rest, &layout) || layout > IQ_DIGITS_EACH ||
		    (column->kind == IQ_SLOT_NEAR && layout == IQ_DIGITS_TRIMMED))
			return IQ_ERR_CORRUPT;
		if (layout == IQ_DIGITS_EACH)
			rc = iq_stream_take_some(split->codec, &rest, column->window, NULL, split->arena,
						 &column->digits);
		else if (!iq_byte_take(&rest, &column->places) || column->places > 18)
			rc = IQ_ERR_CORRUPT;
	}
	column->layout = (enum iq_digits_layout)layout;
	if (rc == 0 && column->kind <= IQ_SLOT_NEAR)
		rc = iq_stream_take_some(split->codec, &rest, column->window, NULL, split->arena, &column->numbers);
	return rc == 0 && rest.len > 0 ? IQ_ERR_CORRUPT : rc;
}

/* Both have a value for each of the same texts. */
static int open_derived(struct iq_split *split, struct iq_split_column *column, size_t from)
{
	struct iq_split_column *source = from < split->column_count ? &split->columns[from] : NULL;
	int rc;

	if (!source || source->kind != IQ_SLOT_TEXT || iq_texts_source(source->bytes) != SIZE_MAX ||
	    source->window.all != column->window.all || source->window.first != column->window.first ||
	    source->window.count != column->window.count)
		return IQ_ERR_CORRUPT;
	rc = iq_split_open_column(split, source);
	return rc < 0 ? rc
		      : iq_texts_open_field(split->codec, column->bytes, column->window, split->arena, &split->inner,
					    split->depth + 1, source->texts, &column->texts);
}

static int open_column_of_texts(struct iq_split *split, struct iq_split_column *column)
{
	const size_t from = iq_texts_source(column->bytes);

	return from != SIZE_MAX ? open_derived(split, column, from)
				: iq_texts_open_inner(split->codec, column->bytes, column->window, split->arena,
						      &split->inner, split->depth + 1, &column->texts);
}

int iq_split_open_column(struct iq_split *split, struct iq_split_column *column)
{
	int rc;

	if (column->open)
		return 0;
	if (column->kind == IQ_SLOT_TEXT)
		rc = open_column_of_texts(split, column);
	else
		rc = open_numbers(split, column);
	column->open = rc == 0;
	return rc;
}

int iq_split_open_all(struct iq_split *split)
{
	int rc = split->unfit_count > 0 ? iq_split_open_unfit(split) : 0;

	for (size_t i = 0; i < split->column_count && rc == 0; i++)
		if (split->columns[i].count > 0)
			rc = iq_split_open_column(split, &split->columns[i]);
	return rc;
}

/* ---- Places ---- */

int iq_split_find_places(struct iq_split *split)
{
	uint32_t *next;
	uint64_t total = 0;
	uint32_t at = 0, unfit = 0;

	if (split->places)
		return 0;
	next = iq_arena_calloc(split->arena, split->column_count + 1, sizeof(*next));
	for (size_t i = 0; i < split->count; i++)
		total += split->shape_of[i] ? split->shapes[split->shape_of[i] - 1].varying : 1;
	if (total > IQ_STREAM_MAX_BYTES / sizeof(*split->places))
		return IQ_ERR_CORRUPT;
	split->first_place = iq_arena_alloc(split->arena, (split->count + 1) * sizeof(*split->first_place));
	split->places = iq_arena_alloc(split->arena, ((size_t)total + 1) * sizeof(*split->places));
	if (!next || !split->first_place || !split->places)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < split->count; i++) {
		const struct iq_split_shape *shape = split->shape_of[i] ? &split->shapes[split->shape_of[i] - 1] : NULL;
		const int64_t *columns = shape ? split->columns_of + shape->first_slot : NULL;
		uint32_t left = shape ? shape->varying : 0;

		split->first_place[i] = at;
		if (!shape)
			split->places[at++] = unfit++;
		for (; left > 0; columns++) {
			if (*columns == 0)
				continue;
			split->places[at++] = next[*columns - 1]++;
			left--;
		}
	}
	for (size_t i = 0; i < split->column_count; i++)
		if (next[i] != split->columns[i].count)
			return IQ_ERR_CORRUPT;
	return unfit == split->unfit_count ? 0 : IQ_ERR_CORRUPT;
}

/* ---- Getting ---- */

static uint8_t trimmed_digits(int64_t number, unsigned places)
{
	unsigned zeros = 0;

	while (zeros + 1 < places && number % 10 == 0) {
		number /= 10;
		zeros++;
	}
	return (uint8_t)(places - zeros);
}

static int64_t known_time(const struct iq_known *known, enum iq_slot_kind kind)
{
	return kind == IQ_SLOT_TS ? known->ts : known->observed;
}

int iq_split_number(const struct iq_split_column *column, uint32_t place, const struct iq_known *known,
		    struct iq_slot_value *value)
{
	const bool refers = column->kind > IQ_SLOT_NEAR;

	value->number = refers ? known_time(known, column->kind) : column->numbers[place];
	if (column->kind == IQ_SLOT_INT)
		return 0;
	if (column->layout == IQ_DIGITS_EACH)
		value->digits = (uint64_t)column->digits[place] > 18 ? 255 : (uint8_t)column->digits[place];
	else if (column->layout == IQ_DIGITS_ALL)
		value->digits = column->places;
	else
		value->digits = trimmed_digits(
			column->kind == IQ_SLOT_DECIMAL ? value->number : value->number % 1000000000, column->places);
	if (column->layout == IQ_DIGITS_TRIMMED && column->kind == IQ_SLOT_DECIMAL)
		for (unsigned i = value->digits; i < column->places; i++)
			value->number /= 10;
	return value->digits > 18 ? IQ_ERR_CORRUPT : 0;
}

static int append_text(struct iq_texts *texts, size_t index, struct iq_buf *scratch)
{
	size_t before = scratch->len;
	struct iq_view text;
	int rc = iq_texts_get(texts, index, NULL, scratch, &text);

	if (rc < 0 || !text.data)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	return scratch->len > before ? 0 : iq_buf_append(scratch, text);
}

static int append_number(const struct iq_piece *piece, struct iq_slot_value *value, const struct iq_known *known,
			 struct iq_buf *scratch)
{
	if (piece->kind == IQ_SLOT_NEAR &&
	    !iq_slot_near_time(piece, known->ts, value->number, value->digits, &value->number))
		return IQ_ERR_CORRUPT;
	return iq_slot_append(scratch, piece, value);
}

int iq_split_constant(const struct iq_split *split, const struct iq_piece *piece, int64_t index,
		      const struct iq_known *known, struct iq_slot_value *value)
{
	value->number = piece->kind <= IQ_SLOT_NEAR ? split->constant_numbers[index] : known_time(known, piece->kind);
	if ((uint64_t)split->constant_digits[index] > 18)
		return IQ_ERR_CORRUPT;
	value->digits = (uint8_t)split->constant_digits[index];
	return 0;
}

static int append_constant(struct iq_split *split, const struct iq_piece *piece, size_t slot,
			   const struct iq_known *known, struct iq_buf *scratch)
{
	struct iq_slot_value value = { .kind = piece->kind };
	int64_t index = split->constant_of[slot];
	int rc;

	if (piece->kind == IQ_SLOT_TEXT)
		return append_text(split->constant_texts, (size_t)index, scratch);
	rc = iq_split_constant(split, piece, index, known, &value);
	return rc < 0 ? rc : append_number(piece, &value, known, scratch);
}

static int append_varying(struct iq_split *split, const struct iq_piece *piece, struct iq_split_column *column,
			  uint32_t place, const struct iq_known *known, struct iq_buf *scratch)
{
	struct iq_slot_value value = { .kind = piece->kind };
	int rc = iq_split_open_column(split, column);

	if (rc < 0)
		return rc;
	if (piece->kind == IQ_SLOT_TEXT)
		return append_text(column->texts, place, scratch);
	rc = iq_split_number(column, place, known, &value);
	return rc < 0 ? rc : append_number(piece, &value, known, scratch);
}

/* How much of `rest` the part is; more than that where it is no part of it. */
static size_t part_length(const struct iq_piece *piece, struct iq_view rest)
{
	const char *feed;

	if (piece->part > 0)
		return piece->part;
	feed = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
	return feed ? (size_t)(feed - rest.data) + 1 : SIZE_MAX;
}

/* The part of the body that follows the `*taken` bytes before it; BODY is the rest. */
static int take_part(const struct iq_piece *piece, size_t *taken, struct iq_view *text)
{
	const struct iq_view body = *text;
	size_t len;

	if (*taken > body.len)
		return IQ_ERR_CORRUPT;
	*text = iq_view_from(body, *taken);
	if (piece->kind != IQ_SLOT_PART) {
		*taken = 0;
		return 0;
	}
	len = part_length(piece, *text);
	if (len > text->len)
		return IQ_ERR_CORRUPT;
	text->len = len;
	*taken += len;
	return *taken < body.len && ((unsigned char)body.data[*taken] & 0xC0) == 0x80 ? IQ_ERR_CORRUPT : 0;
}

static int append_reference(const struct iq_piece *piece, const struct iq_known *known, size_t *taken,
			    struct iq_buf *scratch)
{
	const bool is_field = piece->kind >= IQ_SLOT_BODY_FIELD;
	struct iq_slot_value value = { .kind = piece->kind,
				       .number = known->seq,
				       .text = known->texts[piece->kind == IQ_SLOT_PART ? IQ_SLOT_BODY : piece->kind] };

	if (piece->kind != IQ_SLOT_SEQ && !value.text.data)
		return IQ_ERR_CORRUPT;
	if (is_field && !iq_field_find(&piece->field, value.text, &value.text))
		return IQ_ERR_CORRUPT;
	if (!is_field && piece->kind >= IQ_SLOT_BODY && take_part(piece, taken, &value.text) < 0)
		return IQ_ERR_CORRUPT;
	return iq_slot_append(scratch, piece, &value);
}

/* ---- Steps ---- */

/* Constants of slots that become part of the text around them are no longer than this: a segment that anybody made could name one
 * long text in many templates. */
#define MAX_JOINED 32u

/* Appends what stands in the slot in all texts of the shape. 0 where that differs from text to text, or is long. */
static int join_constant(struct iq_split *split, const struct iq_piece *piece, size_t slot, struct iq_buf *text)
{
	const size_t before = text->len;
	int rc;

	if (!iq_slot_has_value(piece->kind) || piece->kind > IQ_SLOT_TIME || split->columns_of[slot] != 0)
		return 0;
	rc = append_constant(split, piece, slot, NULL, text);
	if (rc < 0 || text->len - before <= MAX_JOINED)
		return rc < 0 ? rc : 1;
	text->len = before;
	return 0;
}

/* `text`, from `start` on, is what stands before the slot. */
static int add_step(struct iq_split *split, struct iq_split_shape *shape, const struct iq_piece *piece, size_t slot,
		    struct iq_buf *text, size_t start)
{
	struct iq_split_step *step = &shape->steps[shape->step_count++];

	*step = (struct iq_split_step){ .text = iq_arena_copy(split->arena, iq_view_from(iq_buf_view(text), start)),
					.piece = piece,
					.slot = slot };
	if (piece && iq_slot_has_value(piece->kind) && split->columns_of[slot] != 0)
		step->column = &split->columns[split->columns_of[slot] - 1];
	text->len = start;
	return step->text.data ? 0 : IQ_ERR_NOMEM;
}

static int make_steps(struct iq_split *split, struct iq_split_shape *shape, struct iq_buf *scratch)
{
	size_t slot = shape->first_slot, start = scratch->len;
	int rc = 0;

	shape->step_count = 0;
	shape->steps = iq_arena_alloc(split->arena, (shape->piece_count + 1) * sizeof(*shape->steps));
	if (!shape->steps)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < shape->piece_count && rc >= 0; i++) {
		const struct iq_piece *piece = &shape->pieces[i];

		rc = iq_buf_append(scratch, piece->text);
		if (rc == 0 && piece->kind != IQ_SLOT_NONE)
			rc = join_constant(split, piece, slot, scratch);
		if (rc == 0 && piece->kind != IQ_SLOT_NONE)
			rc = add_step(split, shape, piece, slot, scratch, start);
		slot += iq_slot_has_value(piece->kind);
	}
	return rc < 0 ? rc : add_step(split, shape, NULL, 0, scratch, start);
}

static int append_slot(struct iq_split *split, const struct iq_split_step *step, const uint32_t **place,
		       const struct iq_known *known, size_t *taken, struct iq_buf *scratch)
{
	if (!known && step->piece->kind > IQ_SLOT_TIME)
		return IQ_ERR_CORRUPT;
	if (step->column)
		return append_varying(split, step->piece, step->column, *(*place)++, known, scratch);
	if (iq_slot_has_value(step->piece->kind))
		return append_constant(split, step->piece, step->slot, known, scratch);
	return append_reference(step->piece, known, taken, scratch);
}

static int append_steps(struct iq_split *split, size_t index, const struct iq_known *known, struct iq_buf *scratch)
{
	struct iq_split_shape *shape = &split->shapes[split->shape_of[index] - 1];
	const uint32_t *place = split->places + split->first_place[index];
	size_t start = scratch->len, taken = 0;
	int rc = shape->steps ? 0 : make_steps(split, shape, scratch);

	if (rc < 0)
		shape->steps = NULL;
	for (size_t i = 0; rc == 0 && i < shape->step_count; i++) {
		const struct iq_split_step *step = &shape->steps[i];

		rc = iq_buf_append(scratch, step->text);
		if (rc == 0 && step->piece)
			rc = append_slot(split, step, &place, known, &taken, scratch);
		if (scratch->len - start > IQ_TEXT_MAX_BYTES)
			rc = IQ_ERR_CORRUPT;
	}
	return rc;
}

int iq_split_open_unfit(struct iq_split *split)
{
	return split->unfit ? 0
			    : iq_texts_open_inner(split->codec, split->unfit_bytes, split->unfit_window, split->arena,
						  &split->inner, split->depth + 1, &split->unfit);
}

static int get_unfit(struct iq_split *split, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	int rc = iq_split_open_unfit(split);

	return rc == 0 ? iq_texts_get(split->unfit, split->places[split->first_place[index]], NULL, scratch, ret_text)
		       : rc;
}

int iq_split_get(struct iq_split *split, size_t index, const struct iq_known *known, struct iq_buf *scratch,
		 struct iq_view *ret_text)
{
	size_t start = scratch->len;
	int rc = iq_split_find_places(split);

	if (rc < 0)
		return rc;
	if (split->shape_of[index] == 0)
		return get_unfit(split, index, scratch, ret_text);
	rc = append_steps(split, index, known, scratch);
	*ret_text = iq_view_make(scratch->data ? scratch->data + start : "", scratch->len - start);
	return rc;
}

uint32_t iq_split_refers(const struct iq_split *split)
{
	return split->refers;
}
