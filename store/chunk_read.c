#include <stdlib.h>
#include <string.h>

#include "store/chunk_parts.h"
#include "store/presence.h"
#include "store/search.h"
#include "store/sparse.h"
#include "store/times.h"

void iq_chunk_init(struct iq_chunk *chunk, const struct iq_zone *zone, struct iq_codec *codec,
		   const struct iq_chunk_outside *outside)
{
	*chunk = (struct iq_chunk){ .zone = zone,
				    .outside = outside,
				    .codec = codec,
				    .window = iq_window_whole(zone->rows),
				    .count = zone->rows,
				    .memory = IQ_ARENA_INIT };
}

void iq_chunk_release(struct iq_chunk *chunk)
{
	iq_arena_release(&chunk->memory);
	for (size_t i = 0; i < sizeof(chunk->scratch) / sizeof(chunk->scratch[0]); i++)
		iq_buf_release(&chunk->scratch[i]);
	*chunk = (struct iq_chunk){ .memory = IQ_ARENA_INIT };
}

/* ---- Numbers ---- */

static int take_numbers(struct iq_chunk *chunk, struct iq_view *rest, struct iq_window window, const int64_t *shapes,
			struct iq_arena *memory, int64_t **ret_values)
{
	struct iq_presence presence;
	struct iq_window present;
	int64_t *known, *values;
	size_t at = 0;
	uint8_t nulls;
	int rc;

	if (!iq_byte_take(rest, &nulls) || nulls > 1)
		return IQ_ERR_CORRUPT;
	if (!nulls)
		return iq_stream_take_some(chunk->codec, rest, window, shapes, memory, ret_values);
	rc = iq_presence_take(chunk->codec, rest, window, memory, &presence, &present);
	if (rc == 0)
		rc = iq_stream_take_some(chunk->codec, rest, present, NULL, memory, &known);
	values = iq_arena_alloc(memory, (window.count + 1) * sizeof(*values));
	if (rc < 0 || !values)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	for (size_t i = 0; i < window.count; i++)
		values[i] = iq_presence_has(&presence, i) ? known[at++] : IQ_NUMBER_NONE;
	*ret_values = values;
	return 0;
}

/* What lies by row is picked by the ids of the rows where a chunk was narrowed; what lies by session is brought to rows where not. */
static int need_rows(struct iq_chunk *chunk, struct iq_error *error)
{
	return chunk->narrowed ? iq_chunk_load(chunk, 1u << IQ_COLUMN_ID, error) : 0;
}

static int need_order(struct iq_chunk *chunk, struct iq_error *error)
{
	return chunk->narrowed ? 0 : iq_chunk_load(chunk, 1u << IQ_COLUMN_SESSION, error);
}

/* Of integers by row those of the chunk's rows. */
static int take_ints_by_row(struct iq_chunk *chunk, struct iq_view *rest, int64_t **ret_values)
{
	const uint32_t rows = chunk->zone->rows;
	struct iq_sparse sparse;
	int rc;

	if (!chunk->narrowed)
		return iq_stream_take_ints(chunk->codec, rest, rows, NULL, &chunk->memory, ret_values);
	rc = iq_sparse_take(chunk->codec, rest, rows, iq_codec_passing(chunk->codec), &sparse);
	if (rc < 0)
		return rc;
	*ret_values = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(**ret_values));
	if (!*ret_values)
		return IQ_ERR_NOMEM;
	iq_sparse_get(&sparse, chunk->numbers[IQ_COLUMN_ID], (int64_t)chunk->zone->id_first, chunk->count, *ret_values);
	return 0;
}

/* Of a column that lies by row. */
static int take_by_row(struct iq_chunk *chunk, struct iq_view *rest, int64_t **ret_values)
{
	int rc;

	if (rest->len > 0 && rest->data[0] == 0) {
		*rest = iq_view_from(*rest, 1);
		return take_ints_by_row(chunk, rest, ret_values);
	}
	rc = take_numbers(chunk, rest, iq_window_whole(chunk->zone->rows), NULL, iq_chunk_memory_by_row(chunk),
			  ret_values);
	return rc == 0 ? iq_chunk_pick_rows(chunk, ret_values) : rc;
}

/* Integers in session order. */
static int take_ints_by_session(struct iq_chunk *chunk, struct iq_view *rest, int64_t **ret_values)
{
	int rc = iq_stream_take_some(chunk->codec, rest, chunk->window, NULL, &chunk->memory, ret_values);

	return rc == 0 ? iq_chunk_to_rows(chunk, ret_values) : rc;
}

/* Where the times are in session order, they tell the order of rows with what the column of sessions has: all of them are known with it. */
static int load_times(struct iq_chunk *chunk, struct iq_view *rest, struct iq_error *error)
{
	int64_t **ts = &chunk->numbers[IQ_COLUMN_TS];
	int rc;

	if (rest->len == 0 || rest->data[0] != IQ_TIMES_BY_SESSION) {
		rc = need_rows(chunk, error);
		return rc < 0 ? rc : take_by_row(chunk, rest, ts);
	}
	if (chunk->narrowed) {
		*rest = iq_view_from(*rest, 1);
		return iq_chunk_take_times(chunk, rest, chunk->window, &chunk->memory, ts);
	}
	chunk->times = *rest;
	rc = iq_chunk_load(chunk, 1u << IQ_COLUMN_SESSION, error);
	chunk->times = IQ_VIEW_NULL;
	*rest = IQ_VIEW_NULL;
	return rc == 0 && !*ts ? IQ_ERR_CORRUPT : rc;
}

static int load_observed(struct iq_chunk *chunk, struct iq_view *rest, struct iq_error *error)
{
	int64_t **observed = &chunk->numbers[IQ_COLUMN_OBSERVED];
	const int64_t *ts = chunk->numbers[IQ_COLUMN_TS];
	uint8_t relative;
	int rc;

	if (!iq_byte_take(rest, &relative) || relative > IQ_TIMES_BY_SESSION)
		return IQ_ERR_CORRUPT;
	rc = relative == IQ_TIMES_BY_SESSION ? need_order(chunk, error) : need_rows(chunk, error);
	if (rc < 0 || !relative)
		return rc < 0 ? rc : take_by_row(chunk, rest, observed);
	rc = relative == IQ_TIMES_BY_SESSION ? take_ints_by_session(chunk, rest, observed)
					     : take_ints_by_row(chunk, rest, observed);
	for (uint32_t i = 0; rc == 0 && i < chunk->count; i++)
		(*observed)[i] = (int64_t)((uint64_t)(*observed)[i] + (uint64_t)ts[i]);
	return rc;
}

/* Numbers come from outside: those used as an index or an enum are checked once. */
static bool in_range(const struct iq_chunk *chunk, unsigned column)
{
	static const int64_t largest[IQ_STORED_COUNT] = {
		[IQ_COLUMN_SOURCE] = UINT32_MAX,
		[IQ_COLUMN_KIND] = IQ_KIND_COUNT - 1,
		[IQ_COLUMN_DIRECTION] = IQ_DIRECTION_SERVER,
		[IQ_COLUMN_SEVERITY] = IQ_SEVERITY_CRITICAL,
		[IQ_COLUMN_EVIDENCE] = UINT32_MAX,
		[IQ_STORED_FORM] = IQ_BODY_NONE,
	};

	for (uint32_t row = 0; largest[column] > 0 && row < chunk->count; row++)
		if (chunk->numbers[column][row] < 0 || chunk->numbers[column][row] > largest[column])
			return false;
	return true;
}

/* Is the column told by the shape of the body? */
static bool is_given(unsigned column)
{
	return column != IQ_COLUMN_SEQ;
}

static int load_numbers(struct iq_chunk *chunk, unsigned column, struct iq_view *rest, struct iq_error *error)
{
	int64_t **values = &chunk->numbers[column];
	uint8_t by_row = 0;
	int rc;

	if (column == IQ_COLUMN_SEQ && (!iq_byte_take(rest, &by_row) || by_row > 1))
		return IQ_ERR_CORRUPT;
	rc = by_row ? need_rows(chunk, error) : need_order(chunk, error);
	if (rc < 0 || by_row)
		return rc < 0 ? rc : take_by_row(chunk, rest, values);
	rc = take_numbers(chunk, rest, chunk->window, is_given(column) ? chunk->shapes.of : NULL, &chunk->memory,
			  values);
	if (rc == 0)
		rc = iq_chunk_to_rows(chunk, values);
	return rc == 0 && !in_range(chunk, column) ? IQ_ERR_CORRUPT : rc;
}

/* ---- Texts ---- */

static int copy_types(struct iq_chunk *chunk, struct iq_texts *names)
{
	struct iq_view name;
	int rc = 0;

	chunk->types = iq_arena_calloc(&chunk->memory, chunk->type_count + 1, sizeof(*chunk->types));
	if (!chunk->types)
		return IQ_ERR_NOMEM;
	for (size_t i = 1; i <= chunk->type_count && rc == 0; i++) {
		iq_buf_clear(&chunk->scratch[2]);
		rc = iq_texts_get(names, i - 1, NULL, &chunk->scratch[2], &name);
		if (rc == 0)
			chunk->types[i] = iq_arena_copy(&chunk->memory, name);
		if (rc == 0 && !chunk->types[i].data)
			rc = name.data ? IQ_ERR_NOMEM : IQ_ERR_CORRUPT;
	}
	return rc;
}

static int load_types(struct iq_chunk *chunk, struct iq_view *rest)
{
	const struct iq_texts_outside outside = { .word = chunk->outside->word, .context = chunk->outside->context };
	struct iq_texts *names;
	struct iq_view bytes;
	uint64_t count, len;
	int64_t **codes = &chunk->numbers[IQ_COLUMN_TYPE];
	int rc;

	if (!iq_varint_take(rest, &count) || count > chunk->zone->rows || !iq_varint_take(rest, &len) ||
	    !iq_bytes_take(rest, len, &bytes))
		return IQ_ERR_CORRUPT;
	chunk->type_count = (size_t)count;
	rc = iq_texts_open(chunk->codec, bytes, iq_window_whole(chunk->type_count), &chunk->memory, &outside, &names);
	if (rc == 0)
		rc = copy_types(chunk, names);
	if (rc == 0)
		rc = iq_stream_take_some(chunk->codec, rest, chunk->window, chunk->shapes.of, &chunk->memory, codes);
	for (uint32_t i = 0; rc == 0 && i < chunk->count; i++)
		if ((uint64_t)(*codes)[i] > count)
			rc = IQ_ERR_CORRUPT;
	return rc == 0 ? iq_chunk_to_rows(chunk, codes) : rc;
}

struct iq_view iq_chunk_type(const struct iq_chunk *chunk, uint32_t row)
{
	return chunk->types[chunk->numbers[IQ_COLUMN_TYPE][row]];
}

static int damaged(const struct iq_chunk *chunk, int rc, struct iq_error *error);

/* Opens a column of texts, by position, where that was not done. */
static int open_texts(struct iq_chunk *chunk, unsigned column, struct iq_error *error)
{
	const bool body = column == IQ_COLUMN_BODY;
	const struct iq_texts_outside outside = { .pattern = body ? chunk->outside->pattern : NULL,
						  .word = chunk->outside->word,
						  .context = chunk->outside->context,
						  .shapes = body ? &chunk->shapes : NULL };
	struct iq_texts *texts;
	struct iq_view bytes;
	int rc = body ? iq_chunk_load(chunk, 1u << IQ_STORED_SHAPE, error) : 0;

	if (rc < 0 || chunk->texts[column])
		return rc;
	rc = chunk->outside->read(chunk->outside->context, chunk->zone->chunk, column, &chunk->memory, &bytes, error);
	if (rc < 0)
		return rc;
	rc = iq_texts_open(chunk->codec, bytes, chunk->window, &chunk->memory, &outside, &texts);
	if (rc < 0)
		return damaged(chunk, rc, error);
	chunk->texts[column] = texts;
	return 0;
}

static struct iq_view name_view(const char *name)
{
	return name ? iq_view_cstr(name) : IQ_VIEW_NULL;
}

/* What templates may refer to. Columns that are not loaded are not referred to: see needs(). */
static int know(struct iq_chunk *chunk, uint32_t row, uint32_t refers, struct iq_known *known)
{
	int64_t *const *numbers = chunk->numbers;

	*known = (struct iq_known){ .ts = IQ_TIME_NONE, .observed = IQ_TIME_NONE, .seq = IQ_NUMBER_NONE };
	if (refers & (1u << IQ_SLOT_TS | 1u << IQ_SLOT_NEAR))
		known->ts = numbers[IQ_COLUMN_TS][row];
	if (refers >> IQ_SLOT_OBSERVED & 1)
		known->observed = numbers[IQ_COLUMN_OBSERVED][row];
	if (refers >> IQ_SLOT_SEQ & 1)
		known->seq = numbers[IQ_COLUMN_SEQ][row];
	if (refers >> IQ_SLOT_SESSION & 1)
		known->texts[IQ_SLOT_SESSION] =
			chunk->outside->session(chunk->outside->context, (uint32_t)numbers[IQ_COLUMN_SESSION][row]);
	if (refers >> IQ_SLOT_SOURCE & 1)
		known->texts[IQ_SLOT_SOURCE] =
			chunk->outside->source(chunk->outside->context, (uint32_t)numbers[IQ_COLUMN_SOURCE][row]);
	if (refers >> IQ_SLOT_TYPE & 1)
		known->texts[IQ_SLOT_TYPE] = iq_chunk_type(chunk, row);
	if (refers >> IQ_SLOT_KIND & 1)
		known->texts[IQ_SLOT_KIND] = name_view(iq_kind_name((enum iq_kind)numbers[IQ_COLUMN_KIND][row]));
	if (refers >> IQ_SLOT_DIRECTION & 1)
		known->texts[IQ_SLOT_DIRECTION] =
			name_view(iq_direction_name((enum iq_direction)numbers[IQ_COLUMN_DIRECTION][row]));
	if (!(refers >> IQ_SLOT_KEY & 1))
		return 0;
	iq_buf_clear(&chunk->scratch[0]);
	return iq_texts_get(chunk->texts[IQ_COLUMN_KEY], chunk->positions ? chunk->positions[row] : row, NULL,
			    &chunk->scratch[0], &known->texts[IQ_SLOT_KEY]);
}

/* The body of a raw record is got first, and that of attrs behind the raw bytes: they may need the key's scratch, and the body's, too. */
int iq_chunk_get_text(struct iq_chunk *chunk, unsigned column, uint32_t row, struct iq_buf *scratch,
		      struct iq_view *ret_text)
{
	struct iq_texts *texts = chunk->texts[column];
	const uint32_t refers = iq_texts_refers(texts);
	const uint32_t of_body = 1u << IQ_SLOT_BODY | 1u << IQ_SLOT_BODY_FIELD;
	struct iq_view body = IQ_VIEW_NULL, raw = IQ_VIEW_NULL;
	struct iq_known known;
	int rc = 0;

	if (refers >> (IQ_SLOT_TIME + 1) == 0) {
		iq_buf_clear(scratch);
		return iq_texts_get(texts, chunk->positions ? chunk->positions[row] : row, NULL, scratch, ret_text);
	}
	if (refers >> IQ_SLOT_RAW_FIELD & 1)
		rc = iq_chunk_get_text(chunk, IQ_STORED_RAW, row, &chunk->scratch[3], &raw);
	if (rc == 0 && refers & of_body)
		rc = iq_chunk_get_text(chunk, IQ_COLUMN_BODY, row, &chunk->scratch[1], &body);
	if (rc == 0)
		rc = know(chunk, row, refers, &known);
	if (rc < 0)
		return rc;
	known.texts[IQ_SLOT_BODY] = known.texts[IQ_SLOT_BODY_FIELD] = body;
	known.texts[IQ_SLOT_RAW_FIELD] = raw;
	iq_buf_clear(scratch);
	return iq_texts_get(texts, chunk->positions ? chunk->positions[row] : row, &known, scratch, ret_text);
}

/* What was not there for want of memory is no damage. */
static int without_memory(const struct iq_chunk *chunk, int rc)
{
	if (rc == IQ_ERR_CORRUPT && (chunk->memory.failed || (chunk->outside->out_of_memory &&
							      atomic_exchange(chunk->outside->out_of_memory, false))))
		return IQ_ERR_NOMEM;
	return rc;
}

int iq_chunk_text(struct iq_chunk *chunk, unsigned column, uint32_t row, struct iq_view *ret_text)
{
	if (column == IQ_COLUMN_BODY && chunk->numbers[IQ_STORED_FORM][row] == IQ_BODY_NONE) {
		*ret_text = IQ_VIEW_NULL;
		return 0;
	}
	return without_memory(chunk, iq_chunk_get_text(chunk, column, row,
						       &chunk->scratch[column == IQ_COLUMN_BODY ? 1 : 2], ret_text));
}

int iq_chunk_number_keys(struct iq_chunk *chunk, const uint32_t **ret_codes, size_t *ret_words, struct iq_error *error)
{
	uint32_t *codes = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*codes));
	uint32_t *by_row = codes;
	int rc = codes ? iq_texts_number(chunk->texts[IQ_COLUMN_KEY], codes, ret_words) : IQ_ERR_NOMEM;

	if (rc == 0 && chunk->rows) {
		by_row = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*by_row));
		for (uint32_t i = 0; by_row && i < chunk->count; i++)
			by_row[chunk->rows[i]] = codes[i];
		rc = by_row ? 0 : IQ_ERR_NOMEM;
	}
	*ret_codes = by_row;
	return rc < 0 ? damaged(chunk, rc, error) : 0;
}

/* ---- Searching ---- */

static bool name_holds(struct iq_view name, struct iq_view part, bool folded)
{
	return name.data && iq_search_find(name, part, folded) != SIZE_MAX;
}

/* Can what a template takes from another column hold the part, in any event of the chunk? */
static bool may_refer(void *context, enum iq_slot_kind kind, struct iq_view part, bool folded)
{
	const struct iq_chunk *chunk = context;
	const struct iq_zone *zone = chunk->zone;
	struct iq_view name;

	for (size_t i = 0; kind == IQ_SLOT_TYPE && i < zone->type_count; i++)
		if (name_holds(zone->types[i].name, part, folded))
			return true;
	for (size_t i = 0; kind == IQ_SLOT_SESSION && i < zone->session_count; i++) {
		name = chunk->outside->session(chunk->outside->context, zone->sessions[i].no);
		/* A name that cannot be read is asked for again, and missed, when the text is put together. */
		if (zone->sessions[i].no > 0 ? !name.data || name_holds(name, part, folded) : false)
			return true;
	}
	for (size_t i = 0; kind == IQ_SLOT_SOURCE && i < zone->source_count; i++) {
		name = chunk->outside->source(chunk->outside->context, zone->sources[i].no);
		if (name_holds(name, part, folded))
			return true;
	}
	return kind != IQ_SLOT_TYPE && kind != IQ_SLOT_SESSION && kind != IQ_SLOT_SOURCE;
}

static bool any_word(void *context, struct iq_view part, bool folded)
{
	const struct iq_chunk_outside *outside = ((const struct iq_chunk *)context)->outside;

	return !outside->any_word || outside->any_word(outside->context, part, folded);
}

static struct iq_view folded_copy(struct iq_arena *memory, struct iq_view literal)
{
	struct iq_view copy = iq_arena_copy(memory, literal);

	for (size_t i = 0; copy.data && i < copy.len; i++)
		if (copy.data[i] >= 'A' && copy.data[i] <= 'Z')
			((char *)(uintptr_t)copy.data)[i] |= 0x20;
	return copy;
}

/* Marks by position; NULL where there is none. */
static int search_texts(struct iq_chunk *chunk, unsigned column, struct iq_view literal, bool folded,
			uint8_t **ret_marks)
{
	const struct iq_needle needle = { .bytes = folded ? folded_copy(&chunk->memory, literal) : literal,
					  .folded = folded,
					  .may_refer = may_refer,
					  .any_word = any_word,
					  .keys = column == IQ_COLUMN_BODY ? chunk->texts[IQ_COLUMN_KEY] : NULL,
					  .context = chunk };
	uint8_t *marks = iq_arena_calloc(&chunk->memory, chunk->count + 1, 1);
	int rc = marks && needle.bytes.data ? iq_texts_search(chunk->texts[column], &needle, marks) : IQ_ERR_NOMEM;

	if (rc == 0)
		*ret_marks = memchr(marks, 1, chunk->count) ? marks : NULL;
	return rc;
}

static int marks_to_rows(struct iq_chunk *chunk, const uint8_t *marks, const uint8_t **ret_marks)
{
	uint8_t *by_row;

	*ret_marks = marks;
	if (!chunk->rows)
		return 0;
	by_row = iq_arena_alloc(&chunk->memory, chunk->count + 1);
	if (!by_row)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < chunk->count; i++)
		by_row[chunk->rows[i]] = marks[i];
	*ret_marks = by_row;
	return 0;
}

int iq_chunk_search(struct iq_chunk *chunk, unsigned column, struct iq_view literal, bool folded,
		    const uint8_t **ret_marks, struct iq_error *error)
{
	uint8_t *marks = NULL;
	int rc = open_texts(chunk, column, error);

	if (rc == 0 && column == IQ_COLUMN_BODY && iq_texts_refers(chunk->texts[column]) >> IQ_SLOT_KEY & 1)
		rc = open_texts(chunk, IQ_COLUMN_KEY, error);
	if (rc < 0)
		return rc;
	rc = search_texts(chunk, column, literal, folded, &marks);
	*ret_marks = NULL;
	if (rc < 0 || !marks)
		return rc < 0 ? damaged(chunk, rc, error) : 0;
	rc = iq_chunk_load(chunk, 1u << column, error);
	if (rc < 0)
		return rc;
	return marks_to_rows(chunk, marks, ret_marks) < 0 ? iq_error_nomem(error) : 0;
}

/* ---- Loading ---- */

/* What a column needs before it can be read; of texts, also what their templates refer to. */
static uint32_t needs(const struct iq_chunk *chunk, unsigned column)
{
	const uint32_t by_session = chunk->narrowed ? 0 : 1u << IQ_COLUMN_SESSION;
	const uint32_t shape = 1u << IQ_STORED_SHAPE;

	switch (column) {
	case IQ_COLUMN_ID:
	case IQ_COLUMN_TS:
	case IQ_COLUMN_SESSION:
	case IQ_COLUMN_SEQ:
	case IQ_STORED_SHAPE:
	case IQ_STORED_FILTER:
	case IQ_STORED_WORDS:
		return 0;
	case IQ_COLUMN_OBSERVED:
		return 1u << IQ_COLUMN_TS;
	case IQ_COLUMN_KEY:
	case IQ_COLUMN_ATTRS:
		return by_session;
	case IQ_COLUMN_BODY:
		return by_session | 1u << IQ_STORED_FORM;
	default:
		return by_session | shape;
	}
}

static uint32_t referred_columns(uint32_t refers)
{
	static const uint8_t columns[IQ_SLOT_COUNT] = {
		[IQ_SLOT_NEAR] = IQ_COLUMN_TS,		 [IQ_SLOT_TS] = IQ_COLUMN_TS,
		[IQ_SLOT_OBSERVED] = IQ_COLUMN_OBSERVED, [IQ_SLOT_SEQ] = IQ_COLUMN_SEQ,
		[IQ_SLOT_SESSION] = IQ_COLUMN_SESSION,	 [IQ_SLOT_SOURCE] = IQ_COLUMN_SOURCE,
		[IQ_SLOT_TYPE] = IQ_COLUMN_TYPE,	 [IQ_SLOT_KEY] = IQ_COLUMN_KEY,
		[IQ_SLOT_KIND] = IQ_COLUMN_KIND,	 [IQ_SLOT_DIRECTION] = IQ_COLUMN_DIRECTION,
		[IQ_SLOT_BODY] = IQ_COLUMN_BODY,	 [IQ_SLOT_PART] = IQ_COLUMN_BODY,
		[IQ_SLOT_BODY_FIELD] = IQ_COLUMN_BODY,	 [IQ_SLOT_RAW_FIELD] = IQ_STORED_RAW,
	};
	uint32_t result = 0;

	for (unsigned kind = IQ_SLOT_NEAR; kind < IQ_SLOT_COUNT; kind++)
		if (refers >> kind & 1)
			result |= 1u << columns[kind];
	return result;
}

/* Those of numbers alone. */
static int load_some_numbers(struct iq_chunk *chunk, unsigned column, struct iq_view *rest, struct iq_error *error)
{
	switch (column) {
	case IQ_COLUMN_TS:
		return load_times(chunk, rest, error);
	case IQ_COLUMN_OBSERVED:
		return load_observed(chunk, rest, error);
	default:
		return load_numbers(chunk, column, rest, error);
	}
}

static int load_one(struct iq_chunk *chunk, unsigned column, struct iq_view bytes, struct iq_error *error)
{
	int rc;

	switch (column) {
	case IQ_COLUMN_ID:
		return iq_chunk_load_ids(chunk, bytes, error);
	case IQ_COLUMN_SESSION:
		return iq_chunk_load_sessions(chunk, bytes, error);
	case IQ_STORED_SHAPE:
		return iq_shapes_take(chunk->codec, &bytes, chunk->window, &chunk->memory, &chunk->shapes);
	case IQ_COLUMN_TYPE:
		return load_types(chunk, &bytes);
	case IQ_STORED_FILTER:
		chunk->filter = bytes;
		return 0;
	case IQ_STORED_WORDS:
		return 0;
	default:
		rc = load_some_numbers(chunk, column, &bytes, error);
		return rc == 0 && bytes.len > 0 ? IQ_ERR_CORRUPT : rc;
	}
}

static int damaged(const struct iq_chunk *chunk, int rc, struct iq_error *error)
{
	const struct iq_zone *zone = chunk->zone;

	if (without_memory(chunk, rc) == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return iq_error_set(error, IQ_ERR_CORRUPT,
			    "chunk %u (events %llu-%llu): is damaged; run `inquest store verify`", zone->chunk,
			    (unsigned long long)zone->id_first, (unsigned long long)(zone->id_first + zone->rows - 1));
}

static bool is_text(unsigned column)
{
	return column == IQ_COLUMN_KEY || column == IQ_COLUMN_BODY || column == IQ_COLUMN_ATTRS ||
	       column == IQ_STORED_RAW;
}

/* Raw bytes may hold anything but raw bytes; attrs are taken from both. What goes round is nobody's. */
static uint32_t may_refer_to(unsigned column)
{
	switch (column) {
	case IQ_STORED_RAW:
		return ~(1u << IQ_STORED_RAW);
	case IQ_COLUMN_BODY:
		return ~(1u << IQ_STORED_RAW | 1u << IQ_COLUMN_BODY);
	case IQ_COLUMN_ATTRS:
		return 1u << IQ_STORED_RAW | 1u << IQ_COLUMN_BODY;
	default:
		return 0;
	}
}

/* With what its templates refer to. */
static int load_texts(struct iq_chunk *chunk, unsigned column, struct iq_error *error)
{
	uint32_t referred;
	int rc = open_texts(chunk, column, error);

	if (rc < 0)
		return rc;
	referred = referred_columns(iq_texts_refers(chunk->texts[column]));
	if (referred & ~may_refer_to(column))
		return damaged(chunk, IQ_ERR_CORRUPT, error);
	return iq_chunk_load(chunk, referred, error);
}

static int read_column(struct iq_chunk *chunk, unsigned column, struct iq_error *error)
{
	const unsigned stored = column == IQ_COLUMN_ID ? IQ_COLUMN_SESSION : column;
	struct iq_view bytes;
	int rc = iq_chunk_load(chunk, needs(chunk, column), error);

	if (rc < 0 || is_text(column))
		return rc < 0 ? rc : load_texts(chunk, column, error);
	rc = chunk->outside->read(chunk->outside->context, chunk->zone->chunk, stored, &chunk->memory, &bytes, error);
	if (rc < 0)
		return rc;
	rc = load_one(chunk, column, bytes, error);
	return rc < 0 ? damaged(chunk, rc, error) : 0;
}

static int fill_session(struct iq_chunk *chunk, struct iq_error *error)
{
	return iq_chunk_fill_session(chunk) < 0 ? iq_error_nomem(error) : 0;
}

/* Marked before what it needs is loaded, so that columns that refer to each other come to an end. */
static int load_column(struct iq_chunk *chunk, unsigned column, struct iq_error *error)
{
	int rc;

	chunk->loaded |= 1u << column;
	rc = chunk->narrowed && column == IQ_COLUMN_SESSION ? fill_session(chunk, error)
							    : read_column(chunk, column, error);
	if (rc < 0)
		chunk->loaded &= ~(1u << column);
	return rc;
}

int iq_chunk_load(struct iq_chunk *chunk, uint32_t columns, struct iq_error *error)
{
	int rc = 0;

	columns &= IQ_STORED_ALL | (chunk->narrowed ? 1u << IQ_COLUMN_ID : 0);
	for (unsigned column = 0; columns != 0 && rc == 0; column++, columns >>= 1)
		if (columns & 1 && !(chunk->loaded >> column & 1))
			rc = load_column(chunk, column, error);
	return rc;
}

int iq_chunk_open_texts(struct iq_chunk *chunk, struct iq_error *error)
{
	int rc = 0;

	for (unsigned column = 0; column < IQ_STORED_COUNT && rc == 0; column++)
		if (chunk->texts[column])
			rc = iq_texts_open_all(chunk->texts[column]);
	return rc < 0 ? damaged(chunk, rc, error) : 0;
}

int iq_chunk_filter(struct iq_chunk *chunk, struct iq_view *ret_filter, struct iq_error *error)
{
	int rc = iq_chunk_load(chunk, 1u << IQ_STORED_FILTER, error);

	*ret_filter = chunk->filter;
	return rc;
}
