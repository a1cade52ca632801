/* CONST, PLANES, DELTA and DELTA2: values as they are, or as their differences. */
#include <string.h>

#include "store/ints.h"

/* ---- CONST ---- */

static int append_const(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	(void)codec;
	for (size_t i = 1; i < input->count; i++)
		if (input->values[i] != input->values[0])
			return 0;
	return iq_zigzag_append(out, input->count ? input->values[0] : 0) < 0 ? IQ_ERR_NOMEM : 1;
}

static int take_const(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output)
{
	int64_t value;

	(void)codec;
	if (!iq_zigzag_take(rest, &value))
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < output->window.count; i++)
		output->values[i] = value;
	return 0;
}

const struct iq_ints_layout_methods iq_ints_const = { NULL, append_const, take_const, false };

/* ---- The others: differences of order 0, 1 and 2 ---- */

/* Replaces values by their differences, in place, from `from` on. */
static void to_differences(int64_t *values, size_t count, size_t from)
{
	for (size_t i = count; i-- > from;)
		values[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
}

static void from_differences(int64_t *values, size_t count, size_t from)
{
	for (size_t i = from; i < count; i++)
		values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)values[i - 1]);
}

static void differentiate(const int64_t *values, size_t count, size_t order, int64_t *ret_numbers)
{
	memcpy(ret_numbers, values, count * sizeof(*values));
	for (size_t i = 1; i <= order; i++)
		to_differences(ret_numbers, count, i);
}

static uint64_t cost(const struct iq_ints_input *input, size_t order)
{
	int64_t numbers[IQ_INTS_SAMPLE];

	differentiate(input->sample, input->sample_size, order, numbers);
	return iq_packed_cost(numbers + order, input->sample_size - order);
}

static int append(struct iq_codec *codec, const struct iq_ints_input *input, size_t order, struct iq_buf *out)
{
	int64_t *numbers = iq_codec_scratch(codec, IQ_SCRATCH_NUMBERS, input->count * sizeof(*numbers));
	int rc;

	if (!numbers)
		return IQ_ERR_NOMEM;
	differentiate(input->values, input->count, order, numbers);
	for (size_t i = 0; i < order; i++)
		(void)iq_zigzag_append(out, numbers[i]);
	rc = iq_packed_append(codec, numbers + order, input->count - order, out);
	return rc < 0 ? rc : 1;
}

static int take(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output, size_t order)
{
	struct iq_window window = output->window;
	int64_t first[2];
	int rc;

	if (window.all < order)
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < order; i++)
		if (!iq_zigzag_take(rest, &first[i]))
			return IQ_ERR_CORRUPT;
	window.all -= order;
	window.count -= order < window.count ? order : window.count;
	for (size_t i = 0; i < order && i < output->window.count; i++)
		output->values[i] = first[i];
	rc = iq_packed_take(codec, rest, window, output->values + (output->window.count - window.count));
	for (size_t i = order; i > 0 && rc == 0; i--)
		from_differences(output->values, output->window.count, i);
	return rc;
}

#define METHODS(name, order) \
	static uint64_t cost_##name(const struct iq_ints_input *input, uint64_t best) \
	{ \
		(void)best; \
		return cost(input, order); \
	} \
	static int append_##name(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out) \
	{ \
		return append(codec, input, order, out); \
	} \
	static int take_##name(struct iq_codec *codec, struct iq_view *rest, const struct iq_ints_output *output) \
	{ \
		return take(codec, rest, output, order); \
	} \
	const struct iq_ints_layout_methods iq_ints_##name = { cost_##name, append_##name, take_##name, (order) > 0 }

METHODS(planes, 0);
METHODS(delta, 1);
METHODS(delta2, 2);
