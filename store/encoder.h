/* store/encoder.h - chunks on their way into a segment: while one is collected, one is coded and another is proved.
 *
 * Two threads do this: the one that collects and one of the encoder's own; the collecting thread does so where all builders
 * are taken. Chunks are coded one at a time and in order, for a chunk uses the templates and words of those before it; to be
 * proved they need nobody. So the encoder's thread codes as long as there is something to code, and the collecting one proves:
 * a chunk that waits to be coded keeps nobody waiting then.
 * Memory is bounded by the builders.
 *
 * Between iq_encoder_give() and iq_encoder_wait() the segment writer codes chunks; its other rows can be written meanwhile.
 */
#ifndef IQ_STORE_ENCODER_H
#define IQ_STORE_ENCODER_H

#include "store/segment.h"

struct iq_encoder;

/* Caller owns; release with iq_encoder_free(), which waits. */
int iq_encoder_new(struct iq_encoder **ret_encoder, struct iq_error *error);
void iq_encoder_free(struct iq_encoder *encoder);
/* The chunk to collect events in; empty after iq_encoder_give(). Borrowed until then. */
struct iq_chunk_builder *iq_encoder_builder(struct iq_encoder *encoder);
/* Has the chunk coded into `segment`; fails where one before did. */
int iq_encoder_give(struct iq_encoder *encoder, struct iq_segment_writer *segment, struct iq_error *error);
/* Waits until everything that was given is in its segment, and proved. */
int iq_encoder_wait(struct iq_encoder *encoder, struct iq_error *error);

#endif
