/* FOLLOW: values sorted by the one before them, each group in its order. What mostly follows the same stands together. */
#include <stdlib.h>

#include "store/ints.h"

/* Shorter streams are not grouped, and neither are values of more than so many kinds. */
#define LEAST 1024u
#define MAX_VALUES 8192u

/* One more than the largest value; 0 where they cannot be coded so. */
static size_t limit_of(const int64_t *values, size_t count)
{
	int64_t most = 0;

	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0 || values[i] >= MAX_VALUES)
			return 0;
		most = values[i] > most ? values[i] : most;
	}
	return (size_t)most + 1;
}

/* ---- What it costs ---- */

#define SLOTS (2 * IQ_INTS_SAMPLE)

/* How often each value followed each other. */
struct pairs {
	uint32_t keys[SLOTS];
	uint16_t counts[SLOTS];
	uint16_t before[MAX_VALUES];
};

static uint16_t *count_of(struct pairs *pairs, int64_t before, int64_t value)
{
	const uint32_t key = (uint32_t)(before * MAX_VALUES + value);
	uint32_t at = key * UINT32_C(2654435761) >> 16;

	while (pairs->counts[at % SLOTS] && pairs->keys[at % SLOTS] != key)
		at++;
	pairs->keys[at % SLOTS] = key;
	return &pairs->counts[at % SLOTS];
}

/* What the second half of the sample comes to by what was seen before it, in sixteenths of bits. */
static uint64_t guess(struct pairs *pairs, const int64_t *sample, size_t size)
{
	uint64_t bits = 0;

	for (size_t i = 1; i < size; i++) {
		uint16_t *count = count_of(pairs, sample[i - 1], sample[i]);
		const uint32_t all = ++pairs->before[sample[i - 1]];

		if (i >= size / 2)
			bits += iq_log2_16(all) + (*count ? 0 : 8 * 16) - iq_log2_16(*count ? *count : 1);
		++*count;
	}
	return bits * 2;
}

/* Values of one group are not told from those of others, and have to pay. */
static uint64_t cost(const struct iq_ints_input *input, uint64_t best)
{
	struct pairs *pairs;
	uint64_t bits = UINT64_MAX;
	size_t limit;

	if (input->count < LEAST || best <= input->sample_size * 8)
		return UINT64_MAX;
	limit = limit_of(input->values, input->count);
	if (limit <= 1 || limit >= input->count / 16)
		return UINT64_MAX;
	pairs = calloc(1, sizeof(*pairs));
	if (pairs)
		bits = guess(pairs, input->sample, input->sample_size) * 9 / 8;
	free(pairs);
	return bits;
}

/* ---- Writing and reading ---- */

/* Where each group begins; the first value follows 0. */
static void place_groups(const int64_t *counts, size_t limit, int64_t *starts)
{
	int64_t at = 0;

	for (size_t i = 0; i < limit; i++) {
		starts[i] = at;
		at += counts[i];
	}
}

static int append_groups(struct iq_codec *codec, const struct iq_ints_input *input, size_t limit, int64_t *counts,
			 int64_t *starts, struct iq_buf *out)
{
	int64_t *grouped = malloc(input->count * sizeof(*grouped)), before = 0;
	int rc = grouped ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; i < input->count; i++)
		counts[i ? input->values[i - 1] : 0]++;
	place_groups(counts, limit, starts);
	for (size_t i = 0; rc == 0 && i < input->count; i++) {
		grouped[starts[before]++] = input->values[i];
		before = input->values[i];
	}
	(void)iq_varint_append(out, limit);
	if (rc == 0)
		rc = iq_ints_append_inner(codec, counts, limit, out);
	if (rc == 0)
		rc = iq_packed_append(codec, grouped, input->count, out);
	free(grouped);
	return rc < 0 ? rc : 1;
}

static int append(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	const size_t limit = limit_of(input->values, input->count);
	int64_t *counts = calloc(2 * limit + 1, sizeof(*counts));
	int rc = counts ? append_groups(codec, input, limit, counts, counts + limit, out) : IQ_ERR_NOMEM;

	free(counts);
	return rc;
}

/* Each group has as many as the counts say, all of them together as many as there are. */
static bool counts_fit(const int64_t *counts, size_t limit, uint64_t all)
{
	for (size_t i = 0; i < limit; i++) {
		if (counts[i] < 0 || (uint64_t)counts[i] > all)
			return false;
		all -= (uint64_t)counts[i];
	}
	return all == 0;
}

static int follow(const struct iq_ints_output *output, size_t limit, int64_t *counts, int64_t *starts,
		  const int64_t *grouped)
{
	int64_t before = 0;

	for (size_t i = 0; i < output->window.count; i++) {
		if (counts[before]-- == 0)
			return IQ_ERR_CORRUPT;
		before = grouped[starts[before]++];
		if (before < 0 || (size_t)before >= limit)
			return IQ_ERR_CORRUPT;
		output->values[i] = before;
	}
	return 0;
}

static int take(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	const size_t all = output->window.all;
	int64_t *counts, *starts, *grouped;
	uint64_t limit;
	int rc;

	if (!iq_varint_take(rest, &limit) || limit == 0 || limit > MAX_VALUES)
		return IQ_ERR_CORRUPT;
	rc = iq_ints_take_inner(codec, rest, iq_window_whole((size_t)limit), output->arena, &counts);
	if (rc < 0 || !counts_fit(counts, (size_t)limit, all))
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	starts = iq_arena_alloc(output->arena, (size_t)limit * sizeof(*starts));
	grouped = iq_arena_alloc(output->arena, (all + 1) * sizeof(*grouped));
	if (!starts || !grouped)
		return IQ_ERR_NOMEM;
	place_groups(counts, (size_t)limit, starts);
	rc = iq_packed_take(codec, rest, iq_window_whole(all), grouped);
	return rc < 0 ? rc : follow(output, (size_t)limit, counts, starts, grouped);
}

const struct iq_ints_layout_methods iq_ints_follow = { cost, append, take, true };
