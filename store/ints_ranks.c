/* RECENT and FOLLOW: how recently a value came before, at all or after the one before it. Both keep lists of what came
 * last. */
#include <stdlib.h>
#include <string.h>

#include "store/ints.h"

/* Values that a list of RECENT and one of FOLLOW holds. */
#define RECENT 64u
#define FOLLOWERS 8u
/* Shorter streams have no ranks. */
#define LEAST_RECENT 256u
#define LEAST_FOLLOW 1024u
/* Larger values have no lists of followers. */
#define MAX_FOLLOW 8192u

/* ---- A list of what came last, the last one first ---- */

static void move_to_front(int64_t *list, unsigned from, int64_t value)
{
	memmove(list + 1, list, from * sizeof(value));
	list[0] = value;
}

static void put_front(int64_t *list, unsigned *count, unsigned capacity, int64_t value)
{
	if (*count < capacity)
		++*count;
	move_to_front(list, *count - 1, value);
}

/* Where `value` stands; `capacity` where it does not. Then it is first. */
static unsigned pass(int64_t *list, unsigned *count, unsigned capacity, int64_t value)
{
	unsigned at = 0;

	while (at < *count && list[at] != value)
		at++;
	if (at == *count) {
		put_front(list, count, capacity, value);
		return capacity;
	}
	move_to_front(list, at, value);
	return at;
}

/* ---- RECENT ---- */

struct recent {
	int64_t values[RECENT];
	unsigned count;
	int64_t next; /* the value that a rank of 0 stands for: codes are numbered as they first appear */
};

static int64_t rank_of(struct recent *recent, int64_t value)
{
	const unsigned at = pass(recent->values, &recent->count, RECENT, value);

	if (at < RECENT)
		return (int64_t)at + 1;
	if (value != recent->next)
		return value + RECENT + 1;
	recent->next++;
	return 0;
}

/* False beyond what was ever put in. */
static bool value_of(struct recent *recent, int64_t rank, int64_t *ret_value)
{
	if (rank < 0 || (rank >= 1 && rank <= RECENT && (unsigned)rank > recent->count))
		return false;
	if (rank >= 1 && rank <= RECENT) {
		*ret_value = recent->values[rank - 1];
		move_to_front(recent->values, (unsigned)rank - 1, *ret_value);
		return true;
	}
	*ret_value = rank == 0 ? recent->next++ : rank - (RECENT + 1);
	put_front(recent->values, &recent->count, RECENT, *ret_value);
	return true;
}

static bool has_ranks(const int64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] < 0 || values[i] > INT64_MAX - RECENT - 1)
			return false;
	return true;
}

static uint64_t sample_recent(const int64_t *sample, size_t count)
{
	struct recent recent = { .next = 0 };
	int64_t ranks[IQ_INTS_SAMPLE];

	for (size_t i = 0; i < count; i++)
		recent.next = sample[i] > recent.next ? sample[i] : recent.next;
	recent.next -= recent.next > (int64_t)count ? (int64_t)count : recent.next; /* as if it began in mid-stream */
	for (size_t i = 0; i < count; i++) {
		while (recent.next < sample[i] && recent.next < INT64_MAX && sample[i] - recent.next < (int64_t)count)
			recent.next++;
		ranks[i] = rank_of(&recent, sample[i]);
	}
	return iq_packed_cost(ranks, count);
}

/* It takes longer to read than differences, and has to pay; FOLLOW likewise. */
static uint64_t cost_recent(const struct iq_ints_input *input, uint64_t best)
{
	if (input->count < LEAST_RECENT || best <= input->sample_size || !has_ranks(input->values, input->count))
		return UINT64_MAX;
	return sample_recent(input->sample, input->sample_size) * 9 / 8;
}

static int append_recent(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	struct recent recent = { .count = 0 };
	int64_t *ranks = iq_codec_scratch(codec, IQ_SCRATCH_NUMBERS, input->count * sizeof(*ranks));
	int rc;

	if (!ranks)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < input->count; i++)
		ranks[i] = rank_of(&recent, input->values[i]);
	rc = iq_packed_append(codec, ranks, input->count, out);
	return rc < 0 ? rc : 1;
}

static int take_recent(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	struct recent recent = { .count = 0 };
	int rc = iq_packed_take(codec, rest, output->window, output->values);

	for (size_t i = 0; rc == 0 && i < output->window.count; i++)
		if (!value_of(&recent, output->values[i], &output->values[i]))
			rc = IQ_ERR_CORRUPT;
	return rc;
}

const struct iq_ints_layout_methods iq_ints_recent = { cost_recent, append_recent, take_recent, true };

/* ---- FOLLOW ---- */

struct followers {
	int64_t values[FOLLOWERS];
	unsigned count;
};

/* A rank below FOLLOWERS is a follower, another is the value. `lists`: one for each value there may be. */
static void follower_ranks(struct followers *lists, const int64_t *values, size_t count, int64_t *ranks)
{
	int64_t before = 0;

	for (size_t i = 0; i < count; i++) {
		struct followers *list = &lists[before];
		const unsigned at = pass(list->values, &list->count, FOLLOWERS, values[i]);

		ranks[i] = at < FOLLOWERS ? (int64_t)at : values[i] + FOLLOWERS;
		before = values[i];
	}
}

static bool follower_value(struct followers *list, int64_t rank, size_t limit, int64_t *ret_value)
{
	if (rank >= 0 && rank < (int64_t)list->count) {
		*ret_value = list->values[rank];
		move_to_front(list->values, (unsigned)rank, *ret_value);
		return true;
	}
	*ret_value = rank - FOLLOWERS;
	if (*ret_value < 0 || (size_t)*ret_value >= limit)
		return false;
	put_front(list->values, &list->count, FOLLOWERS, *ret_value);
	return true;
}

/* One more than the largest value; 0 where they cannot be coded so. */
static size_t follow_limit(const int64_t *values, size_t count)
{
	int64_t most = 0;

	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0 || values[i] >= MAX_FOLLOW)
			return 0;
		most = values[i] > most ? values[i] : most;
	}
	return (size_t)most + 1;
}

static uint64_t sample_followers(const int64_t *sample, size_t count, size_t limit)
{
	struct followers *lists = calloc(limit, sizeof(*lists));
	int64_t ranks[IQ_INTS_SAMPLE];
	size_t half = count / 2;
	uint64_t bits = UINT64_MAX / 16;

	if (lists) {
		follower_ranks(lists, sample, count, ranks);
		bits = iq_packed_cost(ranks + half, count - half) * 2; /* the lists fill first */
	}
	free(lists);
	return bits;
}

static uint64_t cost_follow(const struct iq_ints_input *input, uint64_t best)
{
	size_t limit;

	if (input->count < LEAST_FOLLOW || best <= input->sample_size * 8)
		return UINT64_MAX;
	limit = follow_limit(input->values, input->count);
	if (limit <= 1 || limit >= input->count / 16)
		return UINT64_MAX;
	return sample_followers(input->sample, input->sample_size, limit) * 9 / 8;
}

static int append_follow(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	const size_t limit = follow_limit(input->values, input->count);
	struct followers *lists = calloc(limit, sizeof(*lists));
	int64_t *ranks = iq_codec_scratch(codec, IQ_SCRATCH_NUMBERS, input->count * sizeof(*ranks));
	int rc = IQ_ERR_NOMEM;

	if (lists && ranks) {
		follower_ranks(lists, input->values, input->count, ranks);
		(void)iq_varint_append(out, limit);
		rc = iq_packed_append(codec, ranks, input->count, out);
	}
	free(lists);
	return rc < 0 ? rc : 1;
}

static int take_follow(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	struct followers *lists;
	int64_t before = 0;
	uint64_t limit;
	int rc;

	if (!iq_varint_take(rest, &limit) || limit == 0 || limit > MAX_FOLLOW)
		return IQ_ERR_CORRUPT;
	lists = iq_arena_calloc(output->arena, (size_t)limit, sizeof(*lists));
	if (!lists)
		return IQ_ERR_NOMEM;
	rc = iq_packed_take(codec, rest, output->window, output->values);
	for (size_t i = 0; rc == 0 && i < output->window.count; i++) {
		if (!follower_value(&lists[before], output->values[i], (size_t)limit, &output->values[i]))
			return IQ_ERR_CORRUPT;
		before = output->values[i];
	}
	return rc;
}

const struct iq_ints_layout_methods iq_ints_follow = { cost_follow, append_follow, take_follow, true };
