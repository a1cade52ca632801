/* store/shapes.h - which shape each text of a SPLIT has: a stream of integers. Free of I/O. Private to what reads columns; see
 * store/split.h.
 */
#ifndef IQ_STORE_SHAPES_H
#define IQ_STORE_SHAPES_H

#include "store/stream.h"

struct iq_shapes {
	const int64_t *of; /* of the texts of a window; none above how many texts there are */
	/* How many texts before the window have each shape below `limit`; the others none. */
	const uint32_t *before;
	size_t limit;
};

/* Takes them off the front of `rest`. Borrowed: from `arena`. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_shapes_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		   struct iq_shapes *ret_shapes);

#endif
