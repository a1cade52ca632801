/* Session order: which row of a chunk a value belongs to, and which values those of one session are. */
#include "store/chunk_parts.h"
#include "store/sparse.h"

bool iq_chunk_narrow(struct iq_chunk *chunk, uint32_t session)
{
	const struct iq_zone *zone = chunk->zone;
	uint64_t at = 0;

	for (size_t i = 0; i < zone->session_count && at < zone->rows; i++) {
		const uint64_t events = zone->sessions[i].value;

		if (zone->sessions[i].no == session && events <= zone->rows - at) {
			chunk->window = (struct iq_window){ zone->rows, (size_t)at, (size_t)events };
			chunk->count = (uint32_t)events;
			chunk->place = (uint32_t)i;
			chunk->narrowed = true;
			return true;
		}
		at += events;
	}
	return false;
}

uint64_t iq_chunk_id(const struct iq_chunk *chunk, uint32_t row)
{
	return chunk->numbers[IQ_COLUMN_ID] ? (uint64_t)chunk->numbers[IQ_COLUMN_ID][row] : chunk->zone->id_first + row;
}

/* ---- From one order to the other ---- */

int iq_chunk_to_rows(struct iq_chunk *chunk, int64_t **values)
{
	int64_t *ordered;

	if (!chunk->rows)
		return 0;
	ordered = iq_arena_alloc(&chunk->memory, chunk->count * sizeof(*ordered));
	if (!ordered)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < chunk->count; i++)
		ordered[chunk->rows[i]] = (*values)[i];
	*values = ordered;
	return 0;
}

struct iq_arena *iq_chunk_memory_by_row(struct iq_chunk *chunk)
{
	return chunk->narrowed ? iq_codec_passing(chunk->codec) : &chunk->memory;
}

int iq_chunk_pick_rows(struct iq_chunk *chunk, int64_t **values)
{
	int64_t *picked;

	if (!chunk->narrowed)
		return 0;
	picked = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*picked));
	if (!picked)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < chunk->count; i++)
		picked[i] = (*values)[iq_chunk_id(chunk, i) - chunk->zone->id_first];
	*values = picked;
	return 0;
}

int iq_chunk_by_session(struct iq_chunk *chunk)
{
	const uint32_t *rows = chunk->rows;
	int64_t *ordered;

	for (unsigned column = 0; rows && column < IQ_STORED_COUNT; column++) {
		if (!chunk->numbers[column] || column == IQ_STORED_SHAPE)
			continue;
		ordered = iq_arena_alloc(&chunk->memory, chunk->count * sizeof(*ordered));
		if (!ordered)
			return IQ_ERR_NOMEM;
		for (uint32_t i = 0; i < chunk->count; i++)
			ordered[i] = chunk->numbers[column][rows[i]];
		chunk->numbers[column] = ordered;
	}
	chunk->rows = chunk->positions = NULL;
	return 0;
}

/* ---- The column of sessions ---- */

static bool is_in_order(const int64_t *places, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (places[i] < places[i - 1])
			return false;
	return true;
}

/* Rows by session, and by number inside one. */
static int make_order(struct iq_chunk *chunk, const int64_t *places)
{
	const struct iq_zone *zone = chunk->zone;
	uint32_t *next, at = 0;

	if (is_in_order(places, zone->rows))
		return 0;
	next = iq_arena_alloc(&chunk->memory, (zone->session_count + 1) * sizeof(*next));
	chunk->rows = iq_arena_alloc(&chunk->memory, zone->rows * sizeof(*chunk->rows));
	chunk->positions = iq_arena_alloc(&chunk->memory, zone->rows * sizeof(*chunk->positions));
	if (!next || !chunk->rows || !chunk->positions)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < zone->session_count; i++) {
		next[i] = at;
		at += (uint32_t)zone->sessions[i].value;
	}
	for (uint32_t row = 0; row < zone->rows; row++) {
		uint32_t position = next[places[row]]++;

		chunk->rows[position] = row;
		chunk->positions[row] = position;
	}
	return 0;
}

/* Each session as often as the zone says: then the order is one. */
static bool sessions_agree(const struct iq_chunk *chunk, const int64_t *places, uint32_t *counts)
{
	const struct iq_zone *zone = chunk->zone;

	for (uint32_t row = 0; row < zone->rows; row++) {
		if ((uint64_t)places[row] >= zone->session_count)
			return false;
		counts[places[row]]++;
	}
	for (size_t i = 0; i < zone->session_count; i++)
		if (counts[i] != zone->sessions[i].value)
			return false;
	return true;
}

static int order_all(struct iq_chunk *chunk, int64_t *places)
{
	const struct iq_zone *zone = chunk->zone;
	uint32_t *counts = iq_arena_calloc(&chunk->memory, zone->session_count + 1, sizeof(*counts));
	int rc = counts ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && !sessions_agree(chunk, places, counts))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = make_order(chunk, places);
	for (uint32_t row = 0; rc == 0 && row < zone->rows; row++)
		places[row] = zone->sessions[places[row]].no;
	chunk->numbers[IQ_COLUMN_SESSION] = places;
	return rc;
}

/* The rows of the one session, as ids. */
static int find_rows(struct iq_chunk *chunk, struct iq_view bytes)
{
	int64_t *ids = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*ids));
	int64_t *numbers = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*numbers));
	uint32_t *rows = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*rows));
	struct iq_sparse places;
	int rc;

	if (!ids || !numbers || !rows)
		return IQ_ERR_NOMEM;
	rc = iq_sparse_take(chunk->codec, &bytes, chunk->zone->rows, iq_codec_passing(chunk->codec), &places);
	if (rc < 0 || bytes.len > 0)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	if (iq_sparse_find(&places, chunk->place, chunk->count, rows) != chunk->count)
		return IQ_ERR_CORRUPT;
	for (uint32_t i = 0; i < chunk->count; i++) {
		numbers[i] = chunk->zone->sessions[chunk->place].no;
		ids[i] = (int64_t)(chunk->zone->id_first + rows[i]);
	}
	chunk->numbers[IQ_COLUMN_ID] = ids;
	chunk->numbers[IQ_COLUMN_SESSION] = numbers;
	return 0;
}

int iq_chunk_load_sessions(struct iq_chunk *chunk, struct iq_view bytes)
{
	int64_t *places;
	int rc;

	if (chunk->narrowed)
		return find_rows(chunk, bytes);
	rc = iq_stream_take_ints(chunk->codec, &bytes, chunk->zone->rows, NULL, &chunk->memory, &places);
	if (rc < 0 || bytes.len > 0)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	return order_all(chunk, places);
}
