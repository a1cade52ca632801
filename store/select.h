/* store/select.h - which events pass the tests of a scan: asked of a segment's summary, of a zone map, of a chunk. Private to
 * store/. Whoever excludes must be sure; whoever does not leaves the rest to the next.
 */
#ifndef IQ_STORE_SELECT_H
#define IQ_STORE_SELECT_H

#include "store/scan.h"
#include "store/summary.h"

struct iq_tests {
	const struct iq_test *items;
	size_t count;
};

bool iq_select_summary(const struct iq_tests *tests, const struct iq_summary *summary);
bool iq_select_zone(const struct iq_tests *tests, const struct iq_zone *zone, const struct iq_segment *segment);
/* Do all events of the zone pass, as far as its zone map tells? */
bool iq_select_whole_zone(const struct iq_tests *tests, const struct iq_zone *zone, const struct iq_segment *segment);
/* About which part of the zone's events passes one test. */
double iq_select_share(const struct iq_test *test, const struct iq_zone *zone, const struct iq_segment *segment);

/* The one session whose events may pass, if the tests say so. */
bool iq_select_session(const struct iq_tests *tests, uint32_t *ret_session);

/* Leaves of the `*count` rows at `rows`, which ascend, those that pass. Columns are loaded as they are needed. */
int iq_select_rows(const struct iq_tests *tests, struct iq_segment *segment, struct iq_chunk *chunk, uint32_t *rows,
		   uint32_t *count, struct iq_error *error);

/* The name of a source in a segment; the NULL view for 0. */
struct iq_view iq_select_source(const struct iq_segment *segment, uint32_t no);
/* The text of `direction` and the like: those that have a fixed set of names. NULL for none. */
struct iq_view iq_select_name(enum iq_column column, int64_t number);

#endif
