/* Session order: which row of a chunk a value belongs to, and which values those of one session are. */
#include "store/chunk_parts.h"
#include "store/sparse.h"
#include "store/times.h"

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

static int order_by_places(struct iq_chunk *chunk, int64_t *places)
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

/* ---- Times in session order ---- */

/* Each session has at least one row, and all of them have all. */
static bool sessions_are_all(const struct iq_zone *zone)
{
	uint64_t left = zone->rows;

	for (size_t i = 0; i < zone->session_count; i++) {
		if (zone->sessions[i].value == 0 || zone->sessions[i].value > left)
			return false;
		left -= zone->sessions[i].value;
	}
	return left == 0;
}

/* Times of one session from its first one and the differences that follow. */
static void add_up(int64_t first, const int64_t *differences, size_t count, int64_t *ret_ts)
{
	ret_ts[0] = first;
	for (size_t i = 1; i < count; i++)
		ret_ts[i] = (int64_t)((uint64_t)ret_ts[i - 1] + (uint64_t)differences[i - 1]);
}

int iq_chunk_take_times(struct iq_chunk *chunk, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
			int64_t **ret_ts)
{
	const struct iq_zone *zone = chunk->zone;
	const size_t from = chunk->narrowed && !iq_window_is_whole(window) ? chunk->place : 0;
	struct iq_window wanted = { zone->rows - zone->session_count, window.first - from, window.count };
	int64_t *firsts, *differences, *ts;
	size_t at = 0;
	int rc;

	if (!sessions_are_all(zone))
		return IQ_ERR_CORRUPT;
	wanted.count = iq_window_is_whole(window) ? wanted.all : window.count - 1;
	rc = iq_stream_take_ints(chunk->codec, rest, zone->session_count, NULL, arena, &firsts);
	if (rc == 0)
		rc = iq_stream_take_some(chunk->codec, rest, wanted, NULL, arena, &differences);
	ts = iq_arena_alloc(arena, (window.count + 1) * sizeof(*ts));
	if (rc < 0 || !ts)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	for (size_t place = from; at < window.count; place++) {
		add_up(firsts[place], differences, (size_t)zone->sessions[place].value, ts + at);
		differences += zone->sessions[place].value - 1;
		at += (size_t)zone->sessions[place].value;
	}
	*ret_ts = ts;
	return 0;
}

static int take_moves(struct iq_chunk *chunk, struct iq_view *rest, struct iq_arena *arena, struct iq_moves *ret_moves)
{
	uint64_t count;
	int rc;

	if (!iq_varint_take(rest, &count) || count > chunk->zone->rows)
		return IQ_ERR_CORRUPT;
	ret_moves->count = (size_t)count;
	rc = iq_stream_take_ints(chunk->codec, rest, ret_moves->count, NULL, arena, &ret_moves->rows);
	if (rc == 0)
		rc = iq_stream_take_ints(chunk->codec, rest, ret_moves->count, NULL, arena, &ret_moves->distances);
	for (size_t i = 1; rc == 0 && i < ret_moves->count; i++)
		ret_moves->rows[i] = (int64_t)((uint64_t)ret_moves->rows[i] + (uint64_t)ret_moves->rows[i - 1]);
	return rc == 0 && rest->len > 0 ? IQ_ERR_CORRUPT : rc;
}

/* All times, in session order, and the position of each row, as the column of times and that of sessions tell. */
static int take_order(struct iq_chunk *chunk, struct iq_view moved, struct iq_arena *arena, int64_t **ret_ts,
		      uint32_t **ret_positions, struct iq_error *error)
{
	const struct iq_chunk_outside *outside = chunk->outside;
	struct iq_view bytes = chunk->times;
	struct iq_moves moves;
	uint8_t layout;
	int rc = 0;

	if (!bytes.data)
		rc = outside->read(outside->context, chunk->zone->chunk, IQ_COLUMN_TS, &chunk->memory, &bytes, error);
	if (rc == 0 && (!iq_byte_take(&bytes, &layout) || layout != IQ_TIMES_BY_SESSION))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = iq_chunk_take_times(chunk, &bytes, iq_window_whole(chunk->zone->rows), arena, ret_ts);
	if (rc == 0)
		rc = bytes.len > 0 ? IQ_ERR_CORRUPT : take_moves(chunk, &moved, arena, &moves);
	if (rc < 0)
		return rc;
	*ret_positions = iq_times_sort(*ret_ts, chunk->zone->rows, arena);
	if (!*ret_positions)
		return IQ_ERR_NOMEM;
	return iq_times_move(*ret_positions, chunk->zone->rows, &moves) ? 0 : IQ_ERR_CORRUPT;
}

static int order_by_times(struct iq_chunk *chunk, struct iq_view moved, struct iq_error *error)
{
	const struct iq_zone *zone = chunk->zone;
	int64_t *ts, *by_row, *sessions;
	int rc = take_order(chunk, moved, &chunk->memory, &ts, &chunk->positions, error);

	if (rc < 0)
		return rc;
	chunk->rows = iq_arena_alloc(&chunk->memory, zone->rows * sizeof(*chunk->rows));
	by_row = iq_arena_alloc(&chunk->memory, zone->rows * sizeof(*by_row));
	sessions = iq_arena_alloc(&chunk->memory, zone->rows * sizeof(*sessions));
	if (!chunk->rows || !by_row || !sessions)
		return IQ_ERR_NOMEM;
	for (uint32_t row = 0; row < zone->rows; row++) {
		chunk->rows[chunk->positions[row]] = row;
		by_row[row] = ts[chunk->positions[row]];
	}
	for (size_t place = 0, at = 0; place < zone->session_count; place++)
		for (uint64_t i = 0; i < zone->sessions[place].value; i++)
			sessions[chunk->rows[at++]] = zone->sessions[place].no;
	chunk->numbers[IQ_COLUMN_TS] = by_row;
	chunk->numbers[IQ_COLUMN_SESSION] = sessions;
	chunk->loaded |= 1u << IQ_COLUMN_TS;
	return 0;
}

/* ---- Loading ---- */

int iq_chunk_load_sessions(struct iq_chunk *chunk, struct iq_view bytes, struct iq_error *error)
{
	int64_t *places;
	uint8_t told;
	int rc;

	if (!iq_byte_take(&bytes, &told) || told > 1)
		return IQ_ERR_CORRUPT;
	if (told)
		return order_by_times(chunk, bytes, error);
	rc = iq_stream_take_ints(chunk->codec, &bytes, chunk->zone->rows, NULL, &chunk->memory, &places);
	if (rc < 0 || bytes.len > 0)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	return order_by_places(chunk, places);
}

int iq_chunk_fill_session(struct iq_chunk *chunk)
{
	int64_t *numbers = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*numbers));

	if (!numbers)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < chunk->count; i++)
		numbers[i] = chunk->zone->sessions[chunk->place].no;
	chunk->numbers[IQ_COLUMN_SESSION] = numbers;
	return 0;
}

static int find_by_places(struct iq_chunk *chunk, struct iq_view bytes, uint32_t *ret_rows)
{
	struct iq_sparse places;
	int rc = iq_sparse_take(chunk->codec, &bytes, chunk->zone->rows, iq_codec_passing(chunk->codec), &places);

	if (rc < 0 || bytes.len > 0)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	return iq_sparse_find(&places, chunk->place, chunk->count, ret_rows) == chunk->count ? 0 : IQ_ERR_CORRUPT;
}

static int find_by_times(struct iq_chunk *chunk, struct iq_view bytes, uint32_t *ret_rows, struct iq_error *error)
{
	uint32_t *positions, found = 0;
	int64_t *ts;
	int rc = take_order(chunk, bytes, iq_codec_passing(chunk->codec), &ts, &positions, error);

	for (uint32_t row = 0; rc == 0 && row < chunk->zone->rows; row++)
		if (positions[row] - (uint32_t)chunk->window.first < chunk->count)
			ret_rows[found++] = row;
	return rc;
}

int iq_chunk_load_ids(struct iq_chunk *chunk, struct iq_view bytes, struct iq_error *error)
{
	int64_t *ids = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*ids));
	uint32_t *rows = iq_arena_alloc(&chunk->memory, (chunk->count + 1) * sizeof(*rows));
	uint8_t told;
	int rc;

	if (!ids || !rows)
		return IQ_ERR_NOMEM;
	if (!iq_byte_take(&bytes, &told) || told > 1)
		return IQ_ERR_CORRUPT;
	rc = told ? find_by_times(chunk, bytes, rows, error) : find_by_places(chunk, bytes, rows);
	for (uint32_t i = 0; rc == 0 && i < chunk->count; i++)
		ids[i] = (int64_t)(chunk->zone->id_first + rows[i]);
	chunk->numbers[IQ_COLUMN_ID] = rc == 0 ? ids : NULL;
	return rc;
}
