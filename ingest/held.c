#include "ingest/held.h"

#include <stdlib.h>

void iq_held_release(struct iq_held *held)
{
	free(held->events);
	iq_arena_release(&held->memory);
}

int iq_held_add(struct iq_held *held, const struct iq_event *event)
{
	struct iq_event copy = *event;
	struct iq_view *const texts[] = { &copy.source, &copy.session, &copy.type, &copy.key, &copy.body, &copy.attrs };
	size_t place = held->count;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i]->data)
			*texts[i] = iq_arena_copy(&held->memory, *texts[i]);
	if (held->memory.failed || IQ_ARRAY_GROW(held->events, held->capacity, held->count + 1) < 0)
		return IQ_ERR_NOMEM;
	while (place > 0 && held->events[place - 1].ts > copy.ts)
		place--;
	memmove(held->events + place + 1, held->events + place, (held->count - place) * sizeof(copy));
	held->events[place] = copy;
	held->count++;
	return 0;
}

static bool is_full(const struct iq_held *held)
{
	return held->count >= IQ_HELD_MAX || held->memory.used >= IQ_HELD_MAX_BYTES;
}

int iq_held_give(struct iq_held *held, int64_t until, uint64_t end, int64_t *seq, const struct iq_output *output,
		 struct iq_error *error)
{
	const bool all = is_full(held);
	size_t given = 0;
	int rc = 0;

	while (rc == 0 && given < held->count && (all || held->events[given].ts <= until)) {
		struct iq_event *event = &held->events[given++];

		if (end > event->offset + event->length)
			event->length = end - event->offset;
		event->seq = ++*seq;
		rc = iq_output_event(output, event, error);
	}
	held->count -= given;
	if (held->count > 0) {
		memmove(held->events, held->events + given, held->count * sizeof(*held->events));
	} else {
		iq_arena_release(&held->memory);
		held->memory = (struct iq_arena)IQ_ARENA_INIT;
	}
	return rc;
}
