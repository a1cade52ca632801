#include "store/repeats.h"

#include <stdlib.h>

#include "store/stream.h"

/* Of so many values in a row the first ones are noted. */
#define PERIOD 16384u
#define NOTED 4096u
/* What was noted last, by hash. */
#define SEEN_LOG2 13u
/* Values of a column by which it is judged what they cost alone. */
#define SAMPLE 512u
#define LEAST_VALUES 32u
/* Bits that a character of a text comes to, about. */
#define CHARACTER_BITS 4u

struct seen {
	uint64_t hash;
	uint32_t column;
	uint32_t at;
};

struct column {
	uint32_t values;
	uint32_t repeats;   /* that came last in another column */
	uint64_t rank_bits; /* how many values ago, as powers of two, summed up */
	uint32_t from;	    /* the other column, by majority vote */
	uint32_t votes;
	uint64_t text_length; /* summed up */
	uint32_t sampled;
	int64_t *sample;
	bool is_text;
};

struct iq_repeats {
	struct seen *seen;
	struct column *columns;
	size_t column_count;
	uint32_t next;
	uint32_t at;
};

struct iq_repeats *iq_repeats_new(size_t columns)
{
	struct iq_repeats *repeats = calloc(1, sizeof(*repeats));

	if (!repeats)
		return NULL;
	repeats->seen = calloc((size_t)1 << SEEN_LOG2, sizeof(*repeats->seen));
	repeats->columns = calloc(columns + 1, sizeof(*repeats->columns));
	repeats->column_count = columns;
	if (repeats->seen && repeats->columns)
		return repeats;
	iq_repeats_free(repeats);
	return NULL;
}

void iq_repeats_free(struct iq_repeats *repeats)
{
	if (!repeats)
		return;
	for (size_t i = 0; repeats->columns && i < repeats->column_count; i++)
		free(repeats->columns[i].sample);
	free(repeats->seen);
	free(repeats->columns);
	free(repeats);
}

/* ---- Noting ---- */

bool iq_repeats_next(struct iq_repeats *repeats)
{
	return repeats->next++ % PERIOD < NOTED;
}

static unsigned log2_of(uint32_t value)
{
	return 31 - (unsigned)__builtin_clz(value | 1);
}

static void note_repeat(struct column *column, const struct seen *before, uint32_t at)
{
	column->repeats++;
	column->rank_bits += log2_of(at - before->at) + 1;
	if (column->votes == 0)
		column->from = before->column;
	column->votes += column->from == before->column ? 1 : UINT32_MAX;
}

static void keep_sample(struct column *column, const struct iq_repeats_value *value)
{
	if (!column->sample)
		column->sample = malloc(SAMPLE * sizeof(*column->sample));
	if (column->sample && column->sampled < SAMPLE)
		column->sample[column->sampled++] = value->number;
	column->text_length += value->length;
	column->is_text = value->is_text;
}

void iq_repeats_note(struct iq_repeats *repeats, const struct iq_repeats_value *value)
{
	const uint64_t hash = ((uint64_t)value->number ^ (uint64_t)value->family << 56) * UINT64_C(0x9e3779b97f4a7c15);
	struct seen *seen = &repeats->seen[hash >> (64 - SEEN_LOG2)];
	struct column *column = &repeats->columns[value->column];

	column->values++;
	repeats->at++;
	if (seen->hash == hash && seen->column != value->column && seen->at > 0)
		note_repeat(column, seen, repeats->at);
	*seen = (struct seen){ hash, value->column, repeats->at };
	keep_sample(column, value);
}

/* ---- Judging ---- */

/* Texts are costed as what they are numbered as they first appear, and each of them once. */
static uint64_t text_cost(const struct column *column, int64_t *codes)
{
	struct iq_map map = IQ_MAP_INIT;
	uint64_t cost = 0;
	uint32_t index = 0;

	for (uint32_t i = 0; i < column->sampled; i++) {
		if (iq_map_intern(&map, iq_view_make((const char *)&column->sample[i], sizeof(int64_t)), &index) < 0)
			break;
		codes[i] = index;
	}
	cost = iq_stream_ints_cost(codes, column->sampled) +
	       map.count * (column->text_length / column->values) * CHARACTER_BITS * 16;
	iq_map_release(&map);
	return cost;
}

/* Sixteenths of bits that a value of the column comes to where it is alone. */
static uint64_t cost_alone(const struct column *column)
{
	int64_t codes[SAMPLE];

	return (column->is_text ? text_cost(column, codes) : iq_stream_ints_cost(column->sample, column->sampled)) /
	       column->sampled;
}

/* What repeats is told by how recently it came, what does not has to say so. */
static bool pays(const struct column *column)
{
	const uint64_t others = column->values - column->repeats;
	uint64_t alone, joined;

	if (column->values < LEAST_VALUES || column->repeats < column->values / 4 || column->votes == 0 ||
	    !column->sample)
		return false;
	alone = cost_alone(column) * column->values;
	joined = (column->rank_bits + column->repeats) * 16 + others * (cost_alone(column) + 16);
	return joined < alone / 4 * 3;
}

static uint32_t root_of(const uint32_t *targets, uint32_t column)
{
	while (targets[column] != column)
		column = targets[column];
	return column;
}

void iq_repeats_join(const struct iq_repeats *repeats, uint32_t *ret_targets)
{
	for (uint32_t i = 0; i < repeats->column_count; i++)
		ret_targets[i] = i;
	for (uint32_t i = 0; i < repeats->column_count; i++)
		if (pays(&repeats->columns[i]))
			ret_targets[root_of(ret_targets, i)] = root_of(ret_targets, repeats->columns[i].from);
	for (uint32_t i = 0; i < repeats->column_count; i++)
		ret_targets[i] = root_of(ret_targets, i);
}
