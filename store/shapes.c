#include "store/shapes.h"

#include <string.h>

/* One more than the largest of them; 0 where one is none. */
static size_t limit_of(const int64_t *shapes, size_t count, size_t most)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < count; i++)
		largest = (uint64_t)shapes[i] > largest ? (uint64_t)shapes[i] : largest;
	return largest > most ? 0 : (size_t)largest + 1;
}

static int count_before(const int64_t *shapes, size_t count, size_t limit, struct iq_arena *arena,
			struct iq_shapes *ret_shapes)
{
	uint32_t *before = iq_arena_calloc(arena, limit, sizeof(*before));

	if (!before)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		before[shapes[i]]++;
	ret_shapes->before = before;
	ret_shapes->limit = limit;
	return 0;
}

int iq_shapes_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		   struct iq_shapes *ret_shapes)
{
	const struct iq_window up_to_last = { window.all, 0, window.first + window.count };
	const bool some = window.first > 0;
	int64_t *shapes, *kept;
	size_t limit;
	int rc = iq_stream_take_some(codec, rest, up_to_last, NULL, some ? iq_codec_passing(codec) : arena, &shapes);

	if (rc < 0)
		return rc;
	*ret_shapes = (struct iq_shapes){ .of = shapes };
	limit = limit_of(shapes, up_to_last.count, window.all);
	if (limit == 0 || !some)
		return limit ? 0 : IQ_ERR_CORRUPT;
	kept = iq_arena_alloc(arena, (window.count + 1) * sizeof(*kept));
	if (!kept)
		return IQ_ERR_NOMEM;
	memcpy(kept, shapes + window.first, window.count * sizeof(*kept));
	ret_shapes->of = kept;
	return count_before(shapes, window.first, limit, arena, ret_shapes);
}
