/* store/proof.h - what was coded is decoded again and compared with what went in, before anything of it counts. Free of I/O.
 */
#ifndef IQ_STORE_PROOF_H
#define IQ_STORE_PROOF_H

#include "store/chunk.h"

/* A chunk as it was coded, with all that is needed to read it: the segment may go on to the next one meanwhile. */
struct iq_coded_chunk {
	struct iq_zone zone;
	struct iq_view columns[IQ_STORED_COUNT];
	const struct iq_view *patterns; /* the segment's templates, as far as they go by now */
	size_t pattern_count;
	const struct iq_view *words; /* likewise */
	size_t word_count;
	struct iq_codec *codec;
	struct iq_arena memory; /* of all this, but the bytes of patterns and words, which are the segment's */
};

/* Caller owns; release with iq_coded_chunk_release(). */
int iq_coded_chunk_init(struct iq_coded_chunk *coded);
void iq_coded_chunk_release(struct iq_coded_chunk *coded);
/* Ready for another chunk. */
void iq_coded_chunk_clear(struct iq_coded_chunk *coded);

/* Decodes the chunk that `builder` was coded into and compares every value of every row, raw bytes included. IQ_ERR_CORRUPT
 * where anything comes back otherwise: a defect, or failing memory. */
int iq_coded_chunk_prove(const struct iq_coded_chunk *coded, const struct iq_chunk_builder *builder,
			 struct iq_error *error);

#endif
