/* query/gap.h - what a gap may have held.
 */
#ifndef IQ_QUERY_GAP_H
#define IQ_QUERY_GAP_H

#include "store/store.h"

/* May the gap have held something of the session? Not if it names another one, another source or lies in another
 * evidence, nor where it lies before the session's start or after its end and those were seen. */
bool iq_gap_touches_session(const struct iq_store *store, const struct iq_gap *gap, const struct iq_session *session);

#endif
