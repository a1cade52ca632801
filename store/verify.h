/* store/verify.h - checking one segment. Private to store/; the store's check is in store/store.h.
 */
#ifndef IQ_STORE_VERIFY_H
#define IQ_STORE_VERIFY_H

#include "store/segment.h"

/* Reads and decodes an open segment and gets all raw evidence out of it, by which bodies and what they refer to are read as
 * well; with `texts` also every other text. Adds to `result`. `damaged` may be NULL. */
void iq_segment_verify(struct iq_segment *segment, bool texts,
		       int (*damaged)(void *context, const struct iq_damage *damage), void *context,
		       struct iq_verify_result *result);

#endif
