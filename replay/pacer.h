/* replay/pacer.h - what is to be done when, for many sessions: one timerfd on the loop, and a heap of what is due. libuv's own timers round to
 * milliseconds, and start from a time that is as old as the loop's last turn.
 *
 * Life cycle: open, set what is due as often as wanted, close; the memory may go when the loop has run out. Each owner has one
 * struct iq_due, which holds one time at most: setting it again moves it. Thread rule: that of the loop.
 */
#ifndef IQ_REPLAY_PACER_H
#define IQ_REPLAY_PACER_H

#include <uv.h>

#include "base/base.h"

struct iq_due {
	int64_t at;   /* monotonic, ns */
	size_t place; /* in the heap + 1; 0: not waiting */
	void (*come)(void *context);
	void *context;
};

struct iq_pacer {
	int fd; /* of the timer */
	uv_poll_t poll;
	struct iq_due **heap; /* the earliest first */
	size_t count;
	size_t capacity;
	int64_t armed; /* when the timer goes off, INT64_MAX: never */
	bool closed;
};

/* IQ_ERR_IO. Released by iq_pacer_close(). */
int iq_pacer_open(struct iq_pacer *pacer, uv_loop_t *loop, struct iq_error *error);
/* `come` is called once, from the loop and never from here, at that time or as soon as the loop can; at once where it has passed. The due thing
 * must stay where it is until then, or until the pacer is closed. IQ_ERR_NOMEM, but never for what has been set before: there is room for it. */
int iq_pacer_set(struct iq_pacer *pacer, struct iq_due *due, int64_t at);
/* Nothing comes any more. May be called by what has come. */
void iq_pacer_close(struct iq_pacer *pacer);

#endif
