/* store/merge.h - the sources and sessions of several segments as those of one. Private to store/.
 */
#ifndef IQ_STORE_MERGE_H
#define IQ_STORE_MERGE_H

#include "store/segment.h"

/* Writes the parts that the segments hold, added up; with `emptied` as parts that hold no events. What ended a session is what
 * the part with its last events says. 0 or negative. */
int iq_merge_sources(struct iq_segment_writer *writer, struct iq_segment *const *segments, size_t count, bool emptied,
		     struct iq_error *error);
int iq_merge_sessions(struct iq_segment_writer *writer, struct iq_segment *const *segments, size_t count, bool emptied,
		      struct iq_error *error);

#endif
