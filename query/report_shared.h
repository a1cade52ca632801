/* query/report_shared.h - what the findings of one pattern have in common that does not stand in them: what came last in their sessions,
 * and what a container did at the time.
 *
 * Each appends `, all after tick` or `, 9 of 12 near api: die, exit code 1`, or nothing where less than half have anything in common.
 * Text comes from evidence and is made safe for a terminal. Errors: as iq_cursor_next().
 */
#ifndef IQ_QUERY_REPORT_SHARED_H
#define IQ_QUERY_REPORT_SHARED_H

#include "query/query.h"

/* So many findings of a pattern are looked at. */
#define IQ_REPORT_SHARED_MAX 256
/* How far from a finding something else may lie to be shown beside it. */
#define IQ_REPORT_NEARBY_NS (2 * IQ_NS_PER_S)

/* The last messages before the steps, which lie in sessions; sorts them. */
int iq_report_append_last(struct iq_store *store, const struct iq_step **steps, size_t count, struct iq_buf *out,
			  struct iq_error *error);
/* What a container did near the steps, which have times. */
int iq_report_append_container(struct iq_store *store, const struct iq_step *const *steps, size_t count,
			       struct iq_buf *out, struct iq_error *error);

#endif
