/* store/encoder.h - a thread that codes chunks into a segment while the next chunk is collected.
 *
 * One chunk is collected, one is coded: memory is bounded by two. The segment writer belongs to the thread between
 * iq_encoder_give() and iq_encoder_wait().
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
/* Has the chunk coded into `segment`; waits for the one before, and fails where that did. */
int iq_encoder_give(struct iq_encoder *encoder, struct iq_segment_writer *segment, struct iq_error *error);
/* Waits until everything that was given is in its segment. */
int iq_encoder_wait(struct iq_encoder *encoder, struct iq_error *error);

#endif
