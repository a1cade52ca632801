/* store/times.h - times that tell the order of rows: which row each event of a chunk has follows from when it happened, and from the few
 * that stand elsewhere. Free of I/O. Private to what writes and reads chunks.
 *
 * Events are numbered in session order, that is as *positions*. Sorted by time, and by position where times are the same, they are
 * nearly in the order of rows; *moves* say what is missing: row by row, how many places further behind the event is that belongs there.
 */
#ifndef IQ_STORE_TIMES_H
#define IQ_STORE_TIMES_H

#include "store/stream.h"

/* The first byte of the column of times where they lie so. */
#define IQ_TIMES_BY_SESSION 2u

struct iq_moves {
	int64_t *rows;	    /* ascending */
	int64_t *distances; /* how far behind the row its event stands */
	size_t count;
};

/* Positions in the order of their times. Borrowed: from `arena`; NULL when memory is out. */
uint32_t *iq_times_sort(const int64_t *ts, uint32_t count, struct iq_arena *arena);
/* The moves that make `positions`, which are changed, those of the rows: `rows[p]` is the row of the position p. 1 if so, 0 where they would be too
 * many or too far, or IQ_ERR_NOMEM. */
int iq_times_find_moves(uint32_t *positions, const uint32_t *rows, uint32_t count, struct iq_arena *arena,
			struct iq_moves *ret_moves);
/* False where a move leads out of the rows. */
bool iq_times_move(uint32_t *positions, uint32_t count, const struct iq_moves *moves);

#endif
