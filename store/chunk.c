#include "store/chunk.h"

#include <stdlib.h>
#include <string.h>

bool iq_column_is_string(unsigned column)
{
	return column == IQ_COLUMN_TYPE || column == IQ_COLUMN_KEY || column == IQ_COLUMN_BODY ||
	       column == IQ_COLUMN_ATTRS;
}

int iq_chunk_builder_init(struct iq_chunk_builder *builder)
{
	*builder = (struct iq_chunk_builder){ .memory = IQ_ARENA_INIT };
	for (unsigned column = IQ_COLUMN_TS; column < IQ_STORED_COUNT; column++) {
		if (iq_column_is_string(column))
			builder->strings[column] = malloc(IQ_CHUNK_MAX_EVENTS * sizeof(struct iq_view));
		else
			builder->numbers[column] = malloc(IQ_CHUNK_MAX_EVENTS * sizeof(int64_t));
		if (!builder->strings[column] && !builder->numbers[column]) {
			iq_chunk_builder_release(builder);
			return IQ_ERR_NOMEM;
		}
	}
	return 0;
}

void iq_chunk_builder_release(struct iq_chunk_builder *builder)
{
	for (unsigned column = 0; column < IQ_STORED_COUNT; column++) {
		free(builder->numbers[column]);
		free(builder->strings[column]);
	}
	iq_arena_release(&builder->memory);
	*builder = (struct iq_chunk_builder){ .memory = IQ_ARENA_INIT };
}

void iq_chunk_builder_clear(struct iq_chunk_builder *builder)
{
	builder->rows = 0;
	builder->bytes = 0;
	iq_arena_clear(&builder->memory);
}

bool iq_chunk_builder_full(const struct iq_chunk_builder *builder)
{
	return builder->rows >= IQ_CHUNK_MAX_EVENTS || builder->bytes >= IQ_CHUNK_MAX_BYTES;
}

static int add_string(struct iq_chunk_builder *builder, unsigned column, struct iq_view text)
{
	struct iq_view copy = iq_arena_copy(&builder->memory, text);

	if (text.data && !copy.data)
		return IQ_ERR_NOMEM;
	builder->strings[column][builder->rows] = copy;
	builder->bytes += copy.len;
	return 0;
}

int iq_chunk_builder_add(struct iq_chunk_builder *builder, const struct iq_event *event, uint32_t source_no)
{
	const int64_t numbers[IQ_STORED_COUNT] = {
		[IQ_COLUMN_TS] = event->ts,
		[IQ_COLUMN_OBSERVED] = event->observed,
		[IQ_COLUMN_SOURCE] = source_no,
		[IQ_COLUMN_SESSION] = event->session_no,
		[IQ_COLUMN_KIND] = event->kind,
		[IQ_COLUMN_DIRECTION] = event->direction,
		[IQ_COLUMN_SEQ] = event->seq,
		[IQ_COLUMN_SEVERITY] = event->severity,
		[IQ_COLUMN_EVIDENCE] = event->evidence,
		[IQ_COLUMN_OFFSET] = (int64_t)event->offset,
		[IQ_COLUMN_LENGTH] = (int64_t)event->length,
		[IQ_STORED_BINARY] = event->body_is_binary,
	};

	for (unsigned column = IQ_COLUMN_TS; column < IQ_STORED_COUNT; column++)
		if (builder->numbers[column])
			builder->numbers[column][builder->rows] = numbers[column];
	if (add_string(builder, IQ_COLUMN_TYPE, event->type) < 0 ||
	    add_string(builder, IQ_COLUMN_KEY, event->key) < 0 ||
	    add_string(builder, IQ_COLUMN_BODY, event->body) < 0 ||
	    add_string(builder, IQ_COLUMN_ATTRS, event->attrs) < 0)
		return IQ_ERR_NOMEM;
	if (builder->rows == 0)
		builder->id_first = event->id;
	builder->rows++;
	return 0;
}

int iq_chunk_builder_encode(const struct iq_chunk_builder *builder, unsigned column, struct iq_codec *codec,
			    struct iq_coded *ret_coded)
{
	if (iq_column_is_string(column))
		return iq_codec_encode_strings(codec, builder->strings[column], builder->rows, ret_coded);
	return iq_codec_encode_numbers(codec, builder->numbers[column], builder->rows, ret_coded);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The distinct values of a number column, ascending. */
static int distinct_numbers(const struct iq_chunk_builder *builder, unsigned column, struct iq_arena *arena,
			    const uint32_t **ret_numbers, size_t *ret_count)
{
	uint32_t *numbers = iq_arena_calloc(arena, (size_t)builder->rows + 1, sizeof(*numbers));
	size_t count = 0;

	if (!numbers)
		return IQ_ERR_NOMEM;
	for (uint32_t row = 0; row < builder->rows; row++)
		numbers[row] = (uint32_t)builder->numbers[column][row];
	qsort(numbers, builder->rows, sizeof(*numbers), compare_numbers);
	for (uint32_t row = 0; row < builder->rows; row++)
		if (row == 0 || numbers[row] != numbers[count - 1])
			numbers[count++] = numbers[row];
	*ret_numbers = numbers;
	*ret_count = count;
	return 0;
}

static int distinct_types(const struct iq_chunk_builder *builder, struct iq_arena *arena,
			  const struct iq_view **ret_types, size_t *ret_count)
{
	const struct iq_view *types = builder->strings[IQ_COLUMN_TYPE];
	struct iq_map seen = IQ_MAP_INIT;
	bool null_seen = false;
	struct iq_view *result;
	uint32_t index;
	int rc = 0;

	for (uint32_t row = 0; row < builder->rows && rc >= 0; row++) {
		if (types[row].data)
			rc = iq_map_intern(&seen, types[row], &index);
		else
			null_seen = true;
	}
	result = iq_arena_calloc(arena, seen.count + 1, sizeof(*result));
	if (!result)
		rc = IQ_ERR_NOMEM;
	for (size_t i = 0; i < seen.count && rc >= 0; i++) {
		result[i] = iq_arena_copy(arena, seen.entries[i].key);
		if (!result[i].data)
			rc = IQ_ERR_NOMEM;
	}
	*ret_types = result;
	*ret_count = seen.count + null_seen;
	iq_map_release(&seen);
	return rc < 0 ? rc : 0;
}

static void time_range(const struct iq_chunk_builder *builder, struct iq_zone *zone)
{
	const int64_t *ts = builder->numbers[IQ_COLUMN_TS];

	zone->ts_min = INT64_MAX;
	zone->ts_max = INT64_MIN;
	for (uint32_t row = 0; row < builder->rows; row++) {
		if (ts[row] == IQ_TIME_NONE) {
			zone->ts_nulls++;
			continue;
		}
		if (ts[row] < zone->ts_min)
			zone->ts_min = ts[row];
		if (ts[row] > zone->ts_max)
			zone->ts_max = ts[row];
	}
}

int iq_chunk_builder_zone(const struct iq_chunk_builder *builder, struct iq_arena *arena, struct iq_zone *ret_zone)
{
	struct iq_zone zone = { .rows = builder->rows, .id_first = builder->id_first };
	int rc;

	time_range(builder, &zone);
	for (uint32_t row = 0; row < builder->rows; row++)
		zone.kinds |= 1u << builder->numbers[IQ_COLUMN_KIND][row];
	rc = distinct_numbers(builder, IQ_COLUMN_SOURCE, arena, &zone.sources, &zone.source_count);
	if (rc == 0)
		rc = distinct_numbers(builder, IQ_COLUMN_SESSION, arena, &zone.sessions, &zone.session_count);
	if (rc == 0)
		rc = distinct_types(builder, arena, &zone.types, &zone.type_count);
	if (rc == 0)
		*ret_zone = zone;
	return rc;
}

int iq_zone_append_numbers(struct iq_buf *buf, const uint32_t *numbers, size_t count)
{
	uint32_t before = 0;

	for (size_t i = 0; i < count; i++) {
		(void)iq_varint_append(buf, numbers[i] - before);
		before = numbers[i];
	}
	return buf->failed ? IQ_ERR_NOMEM : 0;
}

int iq_zone_append_texts(struct iq_buf *buf, const struct iq_view *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)iq_varint_append(buf, texts[i].data ? texts[i].len + 1 : 0);
		(void)iq_buf_append(buf, texts[i]);
	}
	return buf->failed ? IQ_ERR_NOMEM : 0;
}

bool iq_zone_take_numbers(struct iq_view blob, struct iq_arena *arena, const uint32_t **ret_numbers, size_t *ret_count)
{
	uint32_t *numbers = iq_arena_calloc(arena, blob.len + 1, sizeof(*numbers));
	uint64_t step, sum = 0;
	size_t count = 0;

	if (!numbers)
		return false;
	while (blob.len > 0) {
		if (!iq_varint_take(&blob, &step) || step > UINT32_MAX - sum)
			return false;
		sum += step;
		numbers[count++] = (uint32_t)sum;
	}
	*ret_numbers = numbers;
	*ret_count = count;
	return true;
}

bool iq_zone_take_texts(struct iq_view blob, struct iq_arena *arena, const struct iq_view **ret_texts,
			size_t *ret_count)
{
	struct iq_view *texts = iq_arena_calloc(arena, blob.len + 1, sizeof(*texts));
	size_t count = 0;
	uint64_t len;

	if (!texts)
		return false;
	while (blob.len > 0) {
		if (!iq_varint_take(&blob, &len) || (len > 0 && len - 1 > blob.len))
			return false;
		if (len > 0)
			texts[count] = iq_arena_copy(arena, iq_view_make(blob.data, (size_t)len - 1));
		count++;
		blob = iq_view_from(blob, len ? (size_t)len - 1 : 0);
	}
	*ret_texts = texts;
	*ret_count = count;
	return true;
}

void iq_chunk_release(struct iq_chunk *chunk)
{
	iq_arena_release(&chunk->memory);
	*chunk = (struct iq_chunk){ .memory = IQ_ARENA_INIT };
}

int iq_chunk_decode(struct iq_chunk *chunk, unsigned column, struct iq_codec *codec, const struct iq_coded *coded)
{
	size_t rows = chunk->zone->rows;
	int rc;

	if (iq_column_is_string(column)) {
		struct iq_view *values = iq_arena_calloc(&chunk->memory, rows + 1, sizeof(*values));

		if (!values)
			return IQ_ERR_NOMEM;
		rc = iq_codec_decode_strings(codec, coded, &chunk->memory, values, rows);
		if (rc == 0)
			chunk->strings[column] = values;
	} else {
		int64_t *values = iq_arena_calloc(&chunk->memory, rows + 1, sizeof(*values));

		if (!values)
			return IQ_ERR_NOMEM;
		rc = iq_codec_decode_numbers(codec, coded, values, rows);
		if (rc == 0)
			chunk->numbers[column] = values;
	}
	return rc;
}
