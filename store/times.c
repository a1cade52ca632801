#include "store/times.h"

#include <string.h>

/* Events stand no further from their row, and one of so many at most. */
#define MAX_DISTANCE 256u
#define MOVED_OF 16u
/* Times are sorted by so many bits at a time. */
#define DIGIT_BITS 11u
#define DIGITS (1u << DIGIT_BITS)

static uint64_t least_of(const int64_t *ts, uint32_t count)
{
	int64_t least = count ? ts[0] : 0;

	for (uint32_t i = 1; i < count; i++)
		least = ts[i] < least ? ts[i] : least;
	return (uint64_t)least;
}

/* One step of a radix sort. False, with nothing done, where all have the same digit. */
static bool sort_by_digit(const int64_t *ts, uint64_t least, unsigned shift, const uint32_t *from, uint32_t *to,
			  uint32_t count)
{
	uint32_t next[DIGITS] = { 0 }, at = 0;

	for (uint32_t i = 0; i < count; i++)
		next[((uint64_t)ts[i] - least) >> shift & (DIGITS - 1)]++;
	for (uint32_t digit = 0; digit < DIGITS; digit++) {
		const uint32_t here = next[digit];

		if (here == count)
			return false;
		next[digit] = at;
		at += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[next[((uint64_t)ts[from[i]] - least) >> shift & (DIGITS - 1)]++] = from[i];
	return true;
}

uint32_t *iq_times_sort(const int64_t *ts, uint32_t count, struct iq_arena *arena)
{
	uint32_t *positions = iq_arena_alloc(arena, ((size_t)count + 1) * sizeof(*positions));
	uint32_t *other = iq_arena_alloc(arena, ((size_t)count + 1) * sizeof(*other));
	const uint64_t least = least_of(ts, count);

	if (!positions || !other)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		positions[i] = i;
	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		uint32_t *sorted = other;

		if (!sort_by_digit(ts, least, shift, positions, sorted, count))
			continue;
		other = positions;
		positions = sorted;
	}
	return positions;
}

/* What stands `distance` behind `row` comes to it; the others move up. */
static void move(uint32_t *positions, uint32_t row, uint32_t distance)
{
	const uint32_t moved = positions[row + distance];

	memmove(positions + row + 1, positions + row, distance * sizeof(*positions));
	positions[row] = moved;
}

/* 0: not near. */
static uint32_t distance_to(const uint32_t *positions, uint32_t count, uint32_t row, uint32_t position)
{
	for (uint32_t distance = 1; distance <= MAX_DISTANCE && distance < count - row; distance++)
		if (positions[row + distance] == position)
			return distance;
	return 0;
}

int iq_times_find_moves(uint32_t *positions, const uint32_t *rows, uint32_t count, struct iq_arena *arena,
			struct iq_moves *ret_moves)
{
	const size_t most = count / MOVED_OF;
	uint32_t *wanted = iq_arena_alloc(arena, ((size_t)count + 1) * sizeof(*wanted));
	struct iq_moves moves = { iq_arena_alloc(arena, (most + 1) * sizeof(int64_t)),
				  iq_arena_alloc(arena, (most + 1) * sizeof(int64_t)), 0 };

	if (!wanted || !moves.rows || !moves.distances)
		return IQ_ERR_NOMEM;
	for (uint32_t position = 0; position < count; position++)
		wanted[rows[position]] = position;
	for (uint32_t row = 0; row < count; row++) {
		uint32_t distance;

		if (positions[row] == wanted[row])
			continue;
		distance = distance_to(positions, count, row, wanted[row]);
		if (distance == 0 || moves.count == most)
			return 0;
		move(positions, row, distance);
		moves.rows[moves.count] = row;
		moves.distances[moves.count++] = distance;
	}
	*ret_moves = moves;
	return 1;
}

bool iq_times_move(uint32_t *positions, uint32_t count, const struct iq_moves *moves)
{
	for (size_t i = 0; i < moves->count; i++) {
		const uint64_t row = (uint64_t)moves->rows[i], distance = (uint64_t)moves->distances[i];

		if (row >= count || distance == 0 || distance > MAX_DISTANCE || distance >= count - row)
			return false;
		move(positions, (uint32_t)row, (uint32_t)distance);
	}
	return true;
}
