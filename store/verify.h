/* store/verify.h - checking one segment. Private to store/; the store's check is in store/store.h.
 */
#ifndef IQ_STORE_VERIFY_H
#define IQ_STORE_VERIFY_H

#include "store/segment.h"

/* Are all columns and raw blocks in the file those that were put into it? What they decode to was proved before: see
 * store/proof.h. IQ_ERR_IO where one is not, IQ_ERR_CORRUPT. */
int iq_segment_reads_back(struct iq_segment *segment, struct iq_error *error);
/* Decodes every value of an open segment and gets all raw evidence out of it. Adds to `result`. `damaged` may be NULL. */
void iq_segment_verify(struct iq_segment *segment, int (*damaged)(void *context, const struct iq_damage *damage),
		       void *context, struct iq_verify_result *result);

#endif
