/* store/proof.h - what was coded is decoded again and compared with what went in, before anything of it counts. Free of I/O.
 */
#ifndef IQ_STORE_PROOF_H
#define IQ_STORE_PROOF_H

#include "store/chunk.h"

/* Decodes the chunk that `builder` was coded into and compares every value of every row, raw bytes included. `columns`
 * are the coded bytes, by enum iq_stored; `pattern` and `word` give the segment's templates and shared words. IQ_ERR_CORRUPT where anything comes back
 * otherwise: a defect, or failing memory. */
int iq_chunk_prove(const struct iq_chunk_builder *builder, const struct iq_zone *zone, struct iq_codec *codec,
		   const struct iq_view columns[IQ_STORED_COUNT],
		   struct iq_view (*pattern)(void *context, uint64_t number),
		   struct iq_view (*word)(void *context, uint64_t index), void *context, struct iq_error *error);

#endif
