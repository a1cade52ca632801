#include "store/ints.h"
#include "store/sparse.h"

static const struct iq_ints_layout_methods *const layouts[IQ_INTS_LAYOUTS] = {
	[IQ_INTS_CONST] = &iq_ints_const,   [IQ_INTS_PLANES] = &iq_ints_planes, [IQ_INTS_DELTA] = &iq_ints_delta,
	[IQ_INTS_DELTA2] = &iq_ints_delta2, [IQ_INTS_GIVEN] = &iq_ints_given,	[IQ_INTS_RECENT] = &iq_ints_recent,
	[IQ_INTS_DICT] = &iq_ints_dict,	    [IQ_INTS_FOLLOW] = &iq_ints_follow, [IQ_INTS_AGAIN] = &iq_ints_again,
};

/* ---- Choosing ---- */

struct choice {
	enum iq_ints_layout layout;
	uint64_t cost;
};

static struct iq_ints_input input_of(const int64_t *values, size_t count)
{
	const size_t size = count < IQ_INTS_SAMPLE ? count : IQ_INTS_SAMPLE;

	return (struct iq_ints_input){
		.values = values, .count = count, .sample = values + (count - size) / 2, .sample_size = size
	};
}

static struct choice choose_layout(const struct iq_ints_input *input)
{
	struct choice choice = { IQ_INTS_PLANES, UINT64_MAX };

	if (input->count < 4)
		return (struct choice){ IQ_INTS_PLANES, 0 };
	for (unsigned layout = 0; layout < IQ_INTS_LAYOUTS; layout++) {
		const uint64_t cost = layouts[layout]->cost ? layouts[layout]->cost(input, choice.cost) : UINT64_MAX;

		if (cost < choice.cost)
			choice = (struct choice){ (enum iq_ints_layout)layout, cost };
	}
	return choice;
}

uint64_t iq_stream_ints_cost(const int64_t *values, size_t count)
{
	struct iq_ints_input input = input_of(values, count);

	input.inner = true;
	return choose_layout(&input).cost;
}

/* ---- Writing ---- */

static int append_as(struct iq_codec *codec, enum iq_ints_layout layout, const struct iq_ints_input *input,
		     struct iq_buf *out)
{
	const size_t start = out->len;
	int rc;

	(void)iq_buf_append_char(out, (char)layout);
	rc = layouts[layout]->append(codec, input, out);
	if (rc == 0 && !out->failed)
		out->len = start;
	return rc < 0 ? rc : out->failed ? IQ_ERR_NOMEM : rc;
}

/* The sample may have promised a dictionary that does not pay for all. */
static int append_chosen(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	struct iq_ints_input inner = *input;
	int rc = append_as(codec, choose_layout(input).layout, input, out);

	inner.inner = true;
	return rc != 0 ? rc : append_as(codec, choose_layout(&inner).layout, input, out);
}

static int append_ints(struct iq_codec *codec, const struct iq_ints_input *input, struct iq_buf *out)
{
	int rc = append_as(codec, IQ_INTS_CONST, input, out);

	if (rc == 0 && input->given)
		rc = append_as(codec, IQ_INTS_GIVEN, input, out);
	if (rc == 0)
		rc = append_chosen(codec, input, out);
	return rc < 0 ? rc : 0;
}

int iq_stream_append_ints_given(struct iq_codec *codec, const int64_t *values, const int64_t *given, size_t given_count,
				size_t count, struct iq_buf *out)
{
	struct iq_ints_input input = input_of(values, count);

	input.given = given;
	input.given_count = given_count;
	return append_ints(codec, &input, out);
}

int iq_stream_append_ints(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	return iq_stream_append_ints_given(codec, values, NULL, 0, count, out);
}

int iq_ints_append_inner(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	struct iq_ints_input input = input_of(values, count);

	input.inner = true;
	return append_ints(codec, &input, out);
}

/* ---- Reading ---- */

/* The window with all that is before it. */
static struct iq_window from_the_first(struct iq_window window)
{
	return (struct iq_window){ window.all, 0, window.count ? window.first + window.count : 0 };
}

/* Differences before a window are added up, not kept. */
static int take_behind(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		       int64_t **ret_values)
{
	struct iq_sparse sparse;
	int rc = iq_sparse_take(codec, rest, window.all, iq_codec_passing(codec), &sparse);

	if (rc < 0)
		return rc;
	*ret_values = iq_arena_alloc(arena, (window.count + 1) * sizeof(**ret_values));
	if (!*ret_values)
		return IQ_ERR_NOMEM;
	iq_sparse_get_some(&sparse, window.first, window.count, *ret_values);
	return 0;
}

static int take_ints(struct iq_codec *codec, struct iq_view *rest, struct iq_ints_output *output, int64_t **ret_values)
{
	const struct iq_window wanted = output->window;
	uint8_t layout;

	if (wanted.first > 0 && rest->len > 0 && rest->data[0] == IQ_INTS_DELTA &&
	    wanted.all <= IQ_STREAM_MAX_BYTES / sizeof(*output->values))
		return take_behind(codec, rest, wanted, output->arena, ret_values);
	if (!iq_byte_take(rest, &layout) || layout >= IQ_INTS_LAYOUTS ||
	    wanted.all > IQ_STREAM_MAX_BYTES / sizeof(*output->values))
		return IQ_ERR_CORRUPT;
	if (layouts[layout]->follows)
		output->window = from_the_first(wanted);
	output->values = iq_arena_alloc(output->arena, (output->window.count + 1) * sizeof(*output->values));
	if (!output->values)
		return IQ_ERR_NOMEM;
	*ret_values = output->values + (output->window.count - wanted.count);
	return layouts[layout]->take(codec, rest, output);
}

int iq_stream_take_some(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, const int64_t *given,
			struct iq_arena *arena, int64_t **ret_values)
{
	struct iq_ints_output output = { .window = window, .given = given, .arena = arena };

	return take_ints(codec, rest, &output, ret_values);
}

int iq_stream_take_ints(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
			struct iq_arena *arena, int64_t **ret_values)
{
	return iq_stream_take_some(codec, rest, iq_window_whole(count), given, arena, ret_values);
}

int iq_ints_take_inner(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		       int64_t **ret_values)
{
	struct iq_ints_output output = { .window = window, .inner = true, .arena = arena };

	return take_ints(codec, rest, &output, ret_values);
}
