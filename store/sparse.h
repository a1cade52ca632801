/* store/sparse.h - a stream of integers of which few are wanted: it is not turned into an array of numbers, but looked into as
 * planes of bytes. Free of I/O. Private to what reads columns.
 *
 * That goes for layouts whose numbers or differences are packed; the others are decoded, and answer the same questions.
 */
#ifndef IQ_STORE_SPARSE_H
#define IQ_STORE_SPARSE_H

#include "store/packed.h"

struct iq_sparse {
	size_t count;
	bool differences; /* the planes hold them; `first` is the number that they begin with */
	int64_t first;
	struct iq_planes planes;
	int64_t *values; /* of other layouts; else NULL */
};

/* Takes a stream of `count` integers. Borrowed: from `arena`, and from `rest`. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_sparse_take(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
		   struct iq_sparse *ret_sparse);
/* The numbers at these places, which ascend and are below `count`; `places` are counted from `origin`. */
void iq_sparse_get(const struct iq_sparse *sparse, const int64_t *places, int64_t origin, size_t wanted,
		   int64_t *ret_values);
/* As above, those from `first` on. */
void iq_sparse_get_some(const struct iq_sparse *sparse, size_t first, size_t wanted, int64_t *ret_values);
/* Where a number occurs: the first `limit` places, ascending. How many there are, at most limit + 1. */
size_t iq_sparse_find(const struct iq_sparse *sparse, int64_t value, size_t limit, uint32_t *ret_places);
/* The largest number before the place `end`, as one without a sign; 0 where there is none. */
uint64_t iq_sparse_largest(const struct iq_sparse *sparse, size_t end);
/* Adds to the counts, one for each number up to the largest, how often they occur before the place `end`. */
void iq_sparse_tally(const struct iq_sparse *sparse, size_t end, uint32_t *counts);
/* The sum of the numbers before the place `end`. False where one of all is negative or above `most`. */
bool iq_sparse_sum(const struct iq_sparse *sparse, size_t end, uint64_t most, uint64_t *ret_sum);

#endif
