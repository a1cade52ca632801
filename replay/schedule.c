#include "replay/schedule.h"

#include <stdlib.h>
#include <sys/resource.h>

size_t iq_schedule_count(const struct iq_replay *replay)
{
	return replay->plan_count * (replay->options.repeat ? replay->options.repeat : 1);
}

int64_t iq_schedule_start(const struct iq_replay *replay, size_t index)
{
	const struct iq_replay_options *options = &replay->options;
	const struct iq_plan *first = &replay->plans[0], *plan = &replay->plans[index % replay->plan_count];
	const size_t count = iq_schedule_count(replay);
	int64_t at = 0;

	if (options->pace == IQ_PACE_RECORDED && plan->started != IQ_TIME_NONE && first->started != IQ_TIME_NONE)
		at = (int64_t)((double)(plan->started - first->started) / options->speed);
	if (options->ramp_ns > 0 && count > 1)
		at += (int64_t)((double)options->ramp_ns * (double)index / (double)(count - 1));
	return at;
}

static int64_t length_of(const struct iq_replay *replay, size_t index)
{
	const struct iq_plan *plan = &replay->plans[index % replay->plan_count];
	const int64_t ended = plan->count > 0 ? plan->turns[plan->count - 1].ts : IQ_TIME_NONE;

	return plan->started == IQ_TIME_NONE || ended == IQ_TIME_NONE
		       ? 0
		       : (int64_t)((double)(ended - plan->started) / replay->options.speed);
}

static int by_time(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The most intervals that have one moment in common: who has begun by the i-th begin, less who had ended before. */
static size_t most_open(int64_t *begins, int64_t *ends, size_t count)
{
	size_t most = 0, ended = 0;

	qsort(begins, count, sizeof(*begins), by_time);
	qsort(ends, count, sizeof(*ends), by_time);
	for (size_t i = 0; i < count; i++) {
		while (ends[ended] < begins[i])
			ended++;
		most = i + 1 - ended > most ? i + 1 - ended : most;
	}
	return most;
}

/* At recorded pace as many as there were, at other paces as many as may. */
static int at_a_time(const struct iq_replay *replay, size_t *ret_most)
{
	const size_t count = iq_schedule_count(replay);
	int64_t *begins, *ends;

	*ret_most = count < replay->options.concurrency ? count : replay->options.concurrency;
	if (replay->options.pace != IQ_PACE_RECORDED)
		return 0;
	begins = calloc(count, sizeof(*begins));
	ends = calloc(count, sizeof(*ends));
	for (size_t i = 0; begins && ends && i < count; i++) {
		begins[i] = iq_schedule_start(replay, i);
		ends[i] = begins[i] + length_of(replay, i);
	}
	if (begins && ends)
		*ret_most = most_open(begins, ends, count);
	free(begins);
	free(ends);
	return begins && ends ? 0 : IQ_ERR_NOMEM;
}

int iq_schedule_check_files(const struct iq_replay *replay, struct iq_error *error)
{
	struct rlimit files;
	size_t most;

	if (at_a_time(replay, &most) < 0)
		return iq_error_nomem(error);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY ||
	    most + IQ_SCHEDULE_OTHER_FILES <= files.rlim_cur)
		return 0;
	return iq_error_set(
		error, IQ_ERR_USAGE,
		"%zu sessions at a time need %zu open files, and this process may have %llu: raise the hard limit "
		"(ulimit -Hn), or have fewer sessions at a time (--concurrency, --repeat, --ramp)",
		most, most + IQ_SCHEDULE_OTHER_FILES, (unsigned long long)files.rlim_cur);
}
