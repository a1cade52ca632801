/* DICT: wide numbers that repeat, each once, and which of them a value is. Bytes that are told apart would lose the
 * repetition of whole numbers. */
#include <stdlib.h>

#include "store/ints.h"

/* Shorter streams have no dictionary. */
#define LEAST 64u

/* Narrower numbers have no dictionary: bits. */
#define NARROW 9u

/* ---- What it costs ---- */

#define SLOTS (2 * IQ_INTS_SAMPLE)

/* Each by its first appearance; how many there are. */
static size_t number_sample(const struct iq_ints_input *input, int64_t *numbers, int64_t *codes)
{
	uint16_t slots[SLOTS] = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < input->sample_size; i++) {
		size_t at = (uint64_t)input->sample[i] * UINT64_C(0x9e3779b97f4a7c15) >> 32;

		while (slots[at % SLOTS] && numbers[slots[at % SLOTS] - 1] != input->sample[i])
			at++;
		if (!slots[at % SLOTS]) {
			numbers[count] = input->sample[i];
			slots[at % SLOTS] = (uint16_t)++count;
		}
		codes[i] = slots[at % SLOTS] - 1;
	}
	return count;
}

/* What came before the sample is taken to be new: that much it may be better. It takes longer to read, and has to pay. */
static uint64_t cost(const struct iq_ints_input *input, uint64_t best)
{
	int64_t numbers[IQ_INTS_SAMPLE], codes[IQ_INTS_SAMPLE];
	size_t count;

	if (input->inner || input->count <= LEAST || best <= input->sample_size * NARROW * 16)
		return UINT64_MAX;
	count = number_sample(input, numbers, codes);
	if (count > input->sample_size / 8 * 7)
		return UINT64_MAX;
	return (iq_stream_ints_cost(numbers, count) + iq_stream_ints_cost(codes, input->sample_size)) * 17 / 16;
}

/* ---- Writing ---- */

/* Numbers each by its first appearance. 1 where they repeat so often that a dictionary pays. */
static int number_values(const int64_t *values, size_t count, int64_t *numbers, size_t *ret_size, int64_t *codes)
{
	struct iq_map seen = IQ_MAP_INIT;
	uint32_t index;
	bool pays = true;
	int rc = 0;

	for (size_t i = 0; i < count && rc >= 0 && pays; i++) {
		rc = iq_map_intern(&seen, iq_view_make((const char *)&values[i], sizeof(values[i])), &index);
		if (rc < 0)
			break;
		codes[i] = index;
		numbers[index] = values[i];
		pays = i < LEAST || seen.count <= i / 8 * 7 + LEAST;
	}
	pays = pays && seen.count <= count / 8 * 7;
	*ret_size = seen.count;
	iq_map_release(&seen);
	return rc < 0 ? rc : pays;
}

static int append(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	int64_t *numbers, *codes;
	size_t size = 0;
	int rc;

	if (input->count <= LEAST)
		return 0;
	numbers = malloc(2 * input->count * sizeof(*numbers));
	if (!numbers)
		return IQ_ERR_NOMEM;
	codes = numbers + input->count;
	rc = number_values(input->values, input->count, numbers, &size, codes);
	if (rc == 1) {
		(void)iq_varint_append(out, size);
		if (iq_ints_append_inner(codec, numbers, size, out) < 0 ||
		    iq_ints_append_inner(codec, codes, input->count, out) < 0)
			rc = IQ_ERR_NOMEM;
	}
	free(numbers);
	return rc;
}

/* ---- Reading ---- */

static int take(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	uint64_t size;
	int64_t *numbers, *codes;
	int rc;

	if (output->inner || !iq_varint_take(rest, &size) || size > output->window.all)
		return IQ_ERR_CORRUPT;
	rc = iq_ints_take_inner(codec, rest, iq_window_whole((size_t)size), output->arena, &numbers);
	if (rc == 0)
		rc = iq_ints_take_inner(codec, rest, output->window, output->arena, &codes);
	for (size_t i = 0; rc == 0 && i < output->window.count; i++) {
		if ((uint64_t)codes[i] >= size)
			return IQ_ERR_CORRUPT;
		output->values[i] = numbers[codes[i]];
	}
	return rc;
}

const struct iq_ints_layout_methods iq_ints_dict = { cost, append, take, false };
