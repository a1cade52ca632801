/* store/presence.h - which values of a column are there: a bytes stream with a bit for each, least significant first. The
 * others are not stored. Free of I/O. Private to what reads columns.
 */
#ifndef IQ_STORE_PRESENCE_H
#define IQ_STORE_PRESENCE_H

#include "store/stream.h"

/* Those of a window. Without bits all are there. */
struct iq_presence {
	const unsigned char *bits; /* of all */
	const uint32_t *ranks;	   /* how many are there before each 64 of all */
	size_t first;
	size_t before; /* how many are there before the first */
};

/* Takes the bits off the front of `rest`. `ret_present` is the window among the values that are there. Borrowed: from `arena`.
 * IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_presence_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		     struct iq_presence *ret_presence, struct iq_window *ret_present);
/* Of those that are there, from the first of the window on, how many are before `index` of the window. */
size_t iq_presence_rank(const struct iq_presence *presence, size_t index);

static inline bool iq_presence_has(const struct iq_presence *presence, size_t index)
{
	const size_t bit = presence->first + index;

	return !presence->bits || (presence->bits[bit / 8] >> (bit % 8) & 1);
}

#endif
