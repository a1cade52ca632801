/* RECENT and AGAIN: how recently a value came before. Both keep a list of what came last. */
#include <stdlib.h>
#include <string.h>

#include "store/ints.h"

/* Values that a list holds. */
#define RECENT 64u
/* Shorter streams have no ranks. */
#define LEAST_RECENT 256u
/* Nor have those of whose first values in a sample, as many as that, not even one in so many came before. */
#define RARELY 16u
/* Numbers that come to fewer bits are not told apart from their ranks. */
#define NARROW_AGAIN 6u

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
	size_t told = 0;

	for (size_t i = 0; i < count; i++)
		recent.next = sample[i] > recent.next ? sample[i] : recent.next;
	recent.next -= recent.next > (int64_t)count ? (int64_t)count : recent.next; /* as if it began in mid-stream */
	for (size_t i = 0; i < count; i++) {
		while (recent.next < sample[i] && recent.next < INT64_MAX && sample[i] - recent.next < (int64_t)count)
			recent.next++;
		ranks[i] = rank_of(&recent, sample[i]);
		told += ranks[i] <= RECENT;
		if (i == LEAST_RECENT && told < LEAST_RECENT / RARELY)
			return UINT64_MAX;
	}
	return iq_packed_cost(ranks, count) * 9 / 8;
}

/* It takes longer to read than differences, and has to pay. */
static uint64_t cost_recent(const struct iq_ints_input *input, uint64_t best)
{
	if (input->count < LEAST_RECENT || best <= input->sample_size || !has_ranks(input->values, input->count))
		return UINT64_MAX;
	return sample_recent(input->sample, input->sample_size);
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

/* ---- AGAIN ---- */

/* Ranks from 1, 0 for what is not in the list; these values. How many they are. */
static size_t tell_again(const int64_t *values, size_t count, int64_t *ranks, int64_t *others)
{
	int64_t list[RECENT];
	unsigned listed = 0;
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		const unsigned at = pass(list, &listed, RECENT, values[i]);

		ranks[i] = at < RECENT ? (int64_t)at + 1 : 0;
		if (at == RECENT)
			others[found++] = values[i];
	}
	return found;
}

static bool hardly_repeats(const int64_t *sample)
{
	int64_t ranks[LEAST_RECENT], others[LEAST_RECENT];

	return tell_again(sample, LEAST_RECENT, ranks, others) > LEAST_RECENT - LEAST_RECENT / RARELY;
}

static uint64_t cost_again(const struct iq_ints_input *input, uint64_t best)
{
	int64_t ranks[IQ_INTS_SAMPLE], others[IQ_INTS_SAMPLE];
	size_t found;

	if (input->inner || input->count < LEAST_RECENT || best <= input->sample_size * NARROW_AGAIN * 16 ||
	    hardly_repeats(input->sample))
		return UINT64_MAX;
	found = tell_again(input->sample, input->sample_size, ranks, others);
	if (found > input->sample_size / 8 * 7)
		return UINT64_MAX;
	return (iq_packed_cost(ranks, input->sample_size) + iq_stream_ints_cost(others, found)) * 17 / 16;
}

static int append_again(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	int64_t *ranks = malloc(2 * input->count * sizeof(*ranks)), *others = ranks + input->count;
	size_t found;
	int rc = IQ_ERR_NOMEM;

	if (ranks) {
		found = tell_again(input->values, input->count, ranks, others);
		(void)iq_varint_append(out, found);
		rc = iq_ints_append_inner(codec, ranks, input->count, out);
		if (rc == 0)
			rc = iq_ints_append_inner(codec, others, found, out);
	}
	free(ranks);
	return rc < 0 ? rc : 1;
}

static int take_again(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	int64_t list[RECENT], *ranks, *others;
	unsigned listed = 0;
	uint64_t count, found = 0;
	int rc;

	if (output->inner || !iq_varint_take(rest, &count) || count > output->window.all)
		return IQ_ERR_CORRUPT;
	rc = iq_ints_take_inner(codec, rest, output->window, output->arena, &ranks);
	if (rc == 0)
		rc = iq_ints_take_inner(codec, rest, iq_window_whole((size_t)count), output->arena, &others);
	for (size_t i = 0; rc == 0 && i < output->window.count; i++) {
		if (ranks[i] == 0 ? found == count : ranks[i] < 0 || ranks[i] > (int64_t)listed)
			return IQ_ERR_CORRUPT;
		output->values[i] = ranks[i] == 0 ? others[found++] : list[ranks[i] - 1];
		if (ranks[i] == 0)
			put_front(list, &listed, RECENT, output->values[i]);
		else
			move_to_front(list, (unsigned)ranks[i] - 1, output->values[i]);
	}
	return rc;
}

const struct iq_ints_layout_methods iq_ints_again = { cost_again, append_again, take_again, true };
