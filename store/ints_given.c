/* GIVEN: a value for each code of a column that a reader knows beforehand, and the rows that differ. */
#include <stdlib.h>

#include "store/ints.h"

/* What most rows of each code have, and the rows that differ from it. */
struct majority {
	int64_t *table; /* by code */
	uint32_t *votes;
	int64_t *rows; /* as differences to the one before */
	int64_t *others;
	size_t differ;
	size_t most; /* rows that may differ */
};

static bool allocate(struct majority *majority, const struct iq_ints_input *input)
{
	majority->most = input->count / 16;
	majority->table = calloc(input->given_count + 1, sizeof(*majority->table));
	majority->votes = calloc(input->given_count + 1, sizeof(*majority->votes));
	majority->rows = malloc((majority->most + 1) * sizeof(*majority->rows));
	majority->others = malloc((majority->most + 1) * sizeof(*majority->others));
	return majority->table && majority->votes && majority->rows && majority->others;
}

static void release(struct majority *majority)
{
	free(majority->table);
	free(majority->votes);
	free(majority->rows);
	free(majority->others);
}

/* By majority vote (Boyer and Moore). */
static void vote(struct majority *majority, const struct iq_ints_input *input)
{
	for (size_t i = 0; i < input->count; i++) {
		const size_t code = (size_t)input->given[i];

		if (majority->votes[code] == 0)
			majority->table[code] = input->values[i];
		majority->votes[code] += majority->table[code] == input->values[i] ? 1 : UINT32_MAX;
	}
}

/* False where there are too many of them. */
static bool find_others(struct majority *majority, const struct iq_ints_input *input)
{
	size_t before = 0;

	for (size_t i = 0; i < input->count; i++) {
		if (input->values[i] == majority->table[input->given[i]])
			continue;
		if (majority->differ == majority->most)
			return false;
		majority->rows[majority->differ] = (int64_t)(i - before);
		majority->others[majority->differ++] = input->values[i];
		before = i;
	}
	return true;
}

static int append(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	struct majority majority = { .table = NULL };
	int rc = IQ_ERR_NOMEM;

	/* A table of codes as long as the column tells nothing. */
	if (input->given_count <= 1 || input->given_count >= input->count / 4)
		return 0;
	if (allocate(&majority, input)) {
		vote(&majority, input);
		rc = find_others(&majority, input);
	}
	if (rc == 1) {
		(void)iq_varint_append(out, input->given_count);
		(void)iq_stream_append_ints(codec, majority.table, input->given_count, out);
		(void)iq_varint_append(out, majority.differ);
		(void)iq_stream_append_ints(codec, majority.rows, majority.differ, out);
		(void)iq_stream_append_ints(codec, majority.others, majority.differ, out);
	}
	release(&majority);
	return rc;
}

static int take(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	uint64_t codes, differ, row = 0;
	int64_t *table, *rows, *others;
	int rc;

	if (!output->given || !iq_varint_take(rest, &codes) || codes > IQ_STREAM_MAX_BYTES / sizeof(*table))
		return IQ_ERR_CORRUPT;
	rc = iq_stream_take_ints(codec, rest, (size_t)codes, NULL, output->arena, &table);
	if (rc == 0 && (!iq_varint_take(rest, &differ) || differ > output->window.all))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = iq_stream_take_ints(codec, rest, (size_t)differ, NULL, output->arena, &rows);
	if (rc == 0)
		rc = iq_stream_take_ints(codec, rest, (size_t)differ, NULL, output->arena, &others);
	for (size_t i = 0; rc == 0 && i < output->window.count; i++) {
		if ((uint64_t)output->given[i] >= codes)
			return IQ_ERR_CORRUPT;
		output->values[i] = table[output->given[i]];
	}
	for (uint64_t i = 0; rc == 0 && i < differ; i++) {
		row += (uint64_t)rows[i];
		if (row >= output->window.all)
			return IQ_ERR_CORRUPT;
		if (row - output->window.first < output->window.count)
			output->values[row - output->window.first] = others[i];
	}
	return rc;
}

const struct iq_ints_layout_methods iq_ints_given = { NULL, append, take, false };
