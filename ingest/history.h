/* ingest/history.h - what of a log is not there any more: turns between those that are, and what a container wrote before its log begins.
 *
 * One for all of an ingest. Sources are known by their name; a container may be one by its own name as well as by that of its
 * service.
 */
#ifndef IQ_INGEST_HISTORY_H
#define IQ_INGEST_HISTORY_H

#include "event/event.h"
#include "ingest/names.h"

/* A log that begins this much later than its container says nothing of what is gone: programs take a while to say their first word. */
#define IQ_HISTORY_SLACK (10 * IQ_NS_PER_S)
/* Sources beyond this many are not looked after. */
#define IQ_HISTORY_SOURCES 4096

struct iq_history;

/* Caller owns; release with iq_history_free(). NULL when memory is out. */
struct iq_history *iq_history_new(void);
void iq_history_free(struct iq_history *history); /* NULL allowed */

/* The container with this log began its last run. `limit`: at which size the log is rotated, `none` where it is kept whole; NULL: not known. */
void iq_history_started(struct iq_history *history, struct iq_view source, int64_t ts, struct iq_view limit);
/* The container's log has a record of that time. */
void iq_history_logged(struct iq_history *history, struct iq_view source, int64_t ts);
/* Gives a gap for each log that begins late, once. 0, or negative from `gap`. */
int iq_history_end(struct iq_history *history, const struct iq_sink *sink, uint64_t offset, struct iq_error *error);

/* An evidence begins that is called `path`: says which turns of its rotation are missing before it, by what came last, in `ret_reason`; false
 * where none is. `ret_since`: the last time before. */
bool iq_history_missing(const struct iq_history *history, const char *path, struct iq_buf *ret_reason,
			int64_t *ret_since);
/* It ended, with that last time. 0 or IQ_ERR_NOMEM. */
int iq_history_turn(struct iq_history *history, const char *path, int64_t last);

#endif
