/* store/part.h - the parts of an evidence. Private to store/. Free of I/O.
 */
#ifndef IQ_STORE_PART_H
#define IQ_STORE_PART_H

#include "store/segment.h"

/* A *tail*: events of what was unfinished where the stream ended. It is alone in its segment, which goes when another part says
 * it better. */
bool iq_part_is_tail(const struct iq_evidence_part *part);
/* For qsort: by evidence, then as they follow each other. */
int iq_part_compare(const void *a, const void *b);
/* Makes `whole` what it is together with the part that continues it; path, format and beginning stay. `marks` are those of
 * `whole`, whose `marks` are borrowed from it afterwards, until it changes. 0 or IQ_ERR_NOMEM. */
int iq_part_join(struct iq_evidence_part *whole, const struct iq_evidence_part *part, struct iq_buf *marks);

/* Adds to `whole` what was said of a part of it: that it was redacted, and for which time it is complete. */
void iq_evidence_fold_facts(struct iq_evidence *whole, const struct iq_evidence *part);
/* Can the two be one part? Of a part only the beginning can be dropped, and all of it is redacted or nothing. */
bool iq_parts_can_join(const struct iq_evidence_part *part, const struct iq_evidence_part *next);

#endif
