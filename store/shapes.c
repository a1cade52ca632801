#include "store/shapes.h"

#include "store/sparse.h"

/* Are they numbers of shapes, of which there are no more than texts? */
static bool are_shapes(const int64_t *shapes, size_t count, size_t most)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < count; i++)
		largest = (uint64_t)shapes[i] > largest ? (uint64_t)shapes[i] : largest;
	return largest <= most;
}

/* How often each of them comes before the window. */
static int count_before(const struct iq_sparse *sparse, struct iq_window window, struct iq_arena *arena,
			struct iq_shapes *shapes)
{
	const uint64_t largest = iq_sparse_largest(sparse, window.first);
	uint32_t *before;

	if (largest > window.all)
		return IQ_ERR_CORRUPT;
	shapes->limit = (size_t)largest + 1;
	before = iq_arena_calloc(arena, shapes->limit, sizeof(*before));
	if (!before)
		return IQ_ERR_NOMEM;
	iq_sparse_tally(sparse, window.first, before);
	shapes->before = before;
	return 0;
}

static int take_some(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		     struct iq_shapes *ret_shapes)
{
	int64_t *shapes = iq_arena_alloc(arena, (window.count + 1) * sizeof(*shapes));
	struct iq_sparse sparse;
	int rc = iq_sparse_take(codec, rest, window.all, iq_codec_passing(codec), &sparse);

	if (rc < 0 || !shapes)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	iq_sparse_get_some(&sparse, window.first, window.count, shapes);
	*ret_shapes = (struct iq_shapes){ .of = shapes };
	return are_shapes(shapes, window.count, window.all) ? count_before(&sparse, window, arena, ret_shapes)
							    : IQ_ERR_CORRUPT;
}

int iq_shapes_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		   struct iq_shapes *ret_shapes)
{
	int64_t *shapes;
	int rc;

	if (window.first > 0)
		return take_some(codec, rest, window, arena, ret_shapes);
	rc = iq_stream_take_some(codec, rest, window, NULL, arena, &shapes);
	if (rc < 0)
		return rc;
	*ret_shapes = (struct iq_shapes){ .of = shapes };
	return are_shapes(shapes, window.count, window.all) ? 0 : IQ_ERR_CORRUPT;
}
