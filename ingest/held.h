/* ingest/held.h - events that wait for their turn: of a stream in which the evidence tells of some too early.
 *
 * Copies, by time. Memory is bounded: when there is too much, all are due.
 */
#ifndef IQ_INGEST_HELD_H
#define IQ_INGEST_HELD_H

#include "ingest/record.h"

#define IQ_HELD_MAX 4096u
#define IQ_HELD_MAX_BYTES (16u << 20)

struct iq_held {
	struct iq_event *events;
	size_t count;
	size_t capacity;
	struct iq_arena memory;
};

#define IQ_HELD_INIT \
	{ \
		.events = NULL, .count = 0, .capacity = 0, .memory = IQ_ARENA_INIT \
	}

void iq_held_release(struct iq_held *held);
/* Copies it. 0 or IQ_ERR_NOMEM. */
int iq_held_add(struct iq_held *held, const struct iq_event *event);
/* Gives out, by time, what is not later than `until`, with ranges that are made to end at `end`: what is given ends in the order in which it is
 * given. It is numbered in that order as well, on from `seq`. 0, or negative from the sink. */
int iq_held_give(struct iq_held *held, int64_t until, uint64_t end, int64_t *seq, const struct iq_output *output,
		 struct iq_error *error);

#endif
