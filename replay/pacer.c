#include "replay/pacer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- The heap ---- */

static void put(struct iq_pacer *pacer, size_t index, struct iq_due *due)
{
	pacer->heap[index] = due;
	due->place = index + 1;
}

static void rise(struct iq_pacer *pacer, size_t index)
{
	struct iq_due *due = pacer->heap[index];

	for (; index > 0 && pacer->heap[(index - 1) / 2]->at > due->at; index = (index - 1) / 2)
		put(pacer, index, pacer->heap[(index - 1) / 2]);
	put(pacer, index, due);
}

static void sink(struct iq_pacer *pacer, size_t index)
{
	struct iq_due *due = pacer->heap[index];

	for (size_t child; (child = 2 * index + 1) < pacer->count; index = child) {
		if (child + 1 < pacer->count && pacer->heap[child + 1]->at < pacer->heap[child]->at)
			child++;
		if (pacer->heap[child]->at >= due->at)
			break;
		put(pacer, index, pacer->heap[child]);
	}
	put(pacer, index, due);
}

static struct iq_due *take_first(struct iq_pacer *pacer)
{
	struct iq_due *first = pacer->heap[0];

	pacer->heap[0] = pacer->heap[--pacer->count];
	if (pacer->count > 0)
		sink(pacer, 0);
	first->place = 0;
	return first;
}

/* ---- The timer ---- */

/* Where it goes off too early, because what was first has been moved, it is armed again then: that costs less than each move would. */
static void arm(struct iq_pacer *pacer)
{
	const int64_t at = pacer->count > 0 ? pacer->heap[0]->at : INT64_MAX;
	const struct itimerspec when = { .it_value = { at / IQ_NS_PER_S, at % IQ_NS_PER_S } };

	if (pacer->closed || at >= pacer->armed)
		return;
	pacer->armed = at;
	(void)timerfd_settime(pacer->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_time(uv_poll_t *poll, int status, int events)
{
	struct iq_pacer *pacer = poll->data;
	const int64_t now = iq_clock_monotonic();
	uint64_t times;

	(void)status;
	(void)events;
	(void)!read(pacer->fd, &times, sizeof(times));
	/* What is set meanwhile is later than now, so that the loop has its turn. */
	while (!pacer->closed && pacer->count > 0 && pacer->heap[0]->at <= now) {
		struct iq_due *due = take_first(pacer);

		due->come(due->context);
	}
	pacer->armed = INT64_MAX;
	arm(pacer);
}

int iq_pacer_open(struct iq_pacer *pacer, uv_loop_t *loop, struct iq_error *error)
{
	*pacer = (struct iq_pacer){ .armed = INT64_MAX };
	pacer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (pacer->fd < 0)
		return iq_error_errno(error, IQ_ERR_IO, "no timer");
	(void)uv_poll_init(loop, &pacer->poll, pacer->fd);
	pacer->poll.data = pacer;
	(void)uv_poll_start(&pacer->poll, UV_READABLE, on_time);
	return 0;
}

int iq_pacer_set(struct iq_pacer *pacer, struct iq_due *due, int64_t at)
{
	const int64_t now = iq_clock_monotonic();

	if (due->place == 0) {
		if (IQ_ARRAY_GROW_POINTERS(pacer->heap, pacer->capacity, pacer->count + 1) < 0)
			return IQ_ERR_NOMEM;
		put(pacer, pacer->count++, due);
	}
	due->at = at > now ? at : now;
	rise(pacer, due->place - 1);
	sink(pacer, due->place - 1);
	arm(pacer);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct iq_pacer *pacer = handle->data;

	(void)close(pacer->fd);
	free(pacer->heap);
}

void iq_pacer_close(struct iq_pacer *pacer)
{
	if (pacer->closed)
		return;
	pacer->closed = true;
	uv_close((uv_handle_t *)&pacer->poll, on_closed);
}
