#include "query/track.h"

#include <stdlib.h>
#include <string.h>

/* The list with room for one more, or NULL when memory is out. */
static struct iq_number_list *grow_list(struct iq_numbers *numbers)
{
	struct iq_number_list *list = iq_numbers_is_one(numbers) ? NULL : (struct iq_number_list *)numbers->bits;
	const uint32_t count = iq_numbers_count(numbers), first = count ? iq_numbers_at(numbers, 0) : 0;
	const uint32_t capacity = list ? list->capacity * 2 : 4;

	if (list && list->count < list->capacity)
		return list;
	list = realloc(list, sizeof(*list) + capacity * sizeof(list->items[0]));
	if (!list)
		return NULL;
	list->items[0] = first;
	list->count = count;
	list->capacity = capacity;
	numbers->bits = (uintptr_t)list;
	return list;
}

int iq_numbers_add_new(struct iq_numbers *numbers, uint32_t number)
{
	struct iq_number_list *list;

	if (iq_numbers_has(numbers, number))
		return 0;
	if (numbers->bits == 0) {
		numbers->bits = (uintptr_t)number << 1 | 1;
		return 0;
	}
	list = grow_list(numbers);
	if (!list)
		return IQ_ERR_NOMEM;
	list->items[list->count++] = number;
	return 0;
}

bool iq_numbers_has(const struct iq_numbers *numbers, uint32_t number)
{
	for (size_t i = iq_numbers_count(numbers); i-- > 0;)
		if (iq_numbers_at(numbers, i) == number)
			return true;
	return false;
}

void iq_numbers_release(struct iq_numbers *numbers)
{
	if (!iq_numbers_is_one(numbers))
		free((void *)numbers->bits);
	numbers->bits = 0;
}

/* Tracks that are made at once. */
#define ROOM 32u

struct iq_track *iq_track_new(struct iq_arena *arena, struct iq_track_room *room, size_t automata, size_t watches)
{
	const size_t size = iq_track_watches_at(automata) + watches * sizeof(struct iq_watch);
	struct iq_track *track;

	if (room->left == 0) {
		room->next = iq_arena_calloc(arena, ROOM, size);
		if (!room->next)
			return NULL;
		room->left = ROOM;
	}
	track = (struct iq_track *)(void *)room->next;
	room->next += size;
	room->left--;
	return track;
}

uint32_t iq_track_source(const struct iq_track *track)
{
	return iq_numbers_count(&track->sources) ? iq_numbers_at(&track->sources, 0) : 0;
}

int iq_track_record(struct iq_track *track, size_t automata)
{
	track->trace = calloc(1, sizeof(*track->trace) + automata * sizeof(iq_states));
	if (!track->trace)
		return IQ_ERR_NOMEM;
	track->trace->final_at = SIZE_MAX;
	return IQ_ARRAY_GROW(track->trace->strides, track->trace->capacity, 1);
}

struct iq_shade *iq_track_shade(struct iq_track *track)
{
	if (!track->shade)
		track->shade = calloc(1, sizeof(*track->shade));
	return track->shade;
}

struct iq_reach *iq_track_reach(const struct iq_track *track, uint32_t evidence)
{
	for (size_t i = track->shade ? track->shade->reach_count : 0; i-- > 0;)
		if (track->shade->reaches[i].evidence == evidence)
			return &track->shade->reaches[i];
	return NULL;
}

int iq_track_add_reach(struct iq_track *track, uint32_t evidence, size_t next_gap)
{
	struct iq_shade *shade = iq_track_shade(track);
	struct iq_reach *grown = shade ? realloc(shade->reaches, (shade->reach_count + 1) * sizeof(*grown)) : NULL;

	if (!grown)
		return IQ_ERR_NOMEM;
	shade->reaches = grown;
	shade->reaches[shade->reach_count++] = (struct iq_reach){ evidence, next_gap };
	return 0;
}

int iq_trace_add(struct iq_trace *trace, const struct iq_stride *stride)
{
	if (IQ_ARRAY_GROW(trace->strides, trace->capacity, trace->count + 2) < 0)
		return IQ_ERR_NOMEM;
	trace->strides[trace->count++] = *stride;
	return 0;
}

int iq_trace_breach(struct iq_trace *trace, const struct iq_breach *breach)
{
	if (!trace)
		return 0;
	if (IQ_ARRAY_GROW(trace->breaches, trace->breach_capacity, trace->breach_count + 1) < 0)
		return IQ_ERR_NOMEM;
	trace->breaches[trace->breach_count++] = *breach;
	return 0;
}

void iq_track_release(struct iq_track *track)
{
	iq_numbers_release(&track->sessions);
	iq_numbers_release(&track->sources);
	if (track->shade)
		free(track->shade->reaches);
	free(track->shade);
	if (track->trace) {
		free(track->trace->strides);
		free(track->trace->breaches);
	}
	free(track->trace);
}
