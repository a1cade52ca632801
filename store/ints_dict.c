/* DICT: wide numbers that repeat, each once, and which of them a value is. Bytes that are told apart would lose the
 * repetition of whole numbers. */
#include <stdlib.h>

#include "store/ints.h"

/* Shorter streams have no dictionary. */
#define LEAST 64u

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

const struct iq_ints_layout_methods iq_ints_dict = { NULL, append, take, false };
