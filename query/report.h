/* query/report.h - what the reports share: how an event, its place and a gap are said in a few words.
 */
#ifndef IQ_QUERY_REPORT_H
#define IQ_QUERY_REPORT_H

#include "query/query.h"

/* First and last time of anything in the store, skews added, or for which evidence is said to be complete; IQ_TIME_NONE where no event has a time. */
void iq_report_coverage(const struct iq_store *store, int64_t *ret_from, int64_t *ret_to);
/* `tool_executing`, `cut, no close frame`, `closed`; safe for a terminal. */
void iq_report_append_what(struct iq_buf *buf, enum iq_kind kind, struct iq_view type);
/* `proxy.ndjson:88121+214`; safe for a terminal. */
void iq_report_append_place(struct iq_buf *buf, const struct iq_store *store, uint32_t evidence, uint64_t offset,
			    uint64_t length);
/* `48,112` */
void iq_report_append_count(struct iq_buf *buf, uint64_t count);

#endif
