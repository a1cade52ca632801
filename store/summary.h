/* store/summary.h - what the manifest says of a segment, so that a query can leave it unopened. Private to store/.
 *
 * A summary may only err on the wide side: what it excludes is not in the segment. It is made from the segment's own tables
 * when that is sealed, and compared with them when they are read.
 */
#ifndef IQ_STORE_SUMMARY_H
#define IQ_STORE_SUMMARY_H

#include "store/segment.h"

/* Session numbers are listed in no more ranges than this; neighbours are joined until they fit. */
#define IQ_SUMMARY_MAX_RANGES 256u
/* Types are listed up to so many, and so many bytes of names; beyond, they are not known. */
#define IQ_SUMMARY_MAX_TYPES 64u
#define IQ_SUMMARY_MAX_TYPE_BYTES 4096u

/* Numbers from `first` to `last`, both included. */
struct iq_number_range {
	uint64_t first;
	uint64_t last;
};

struct iq_summary {
	uint64_t events;
	struct iq_number_range ids;	 /* 0..0 where there is no event */
	struct iq_number_range evidence; /* numbers of the evidence that it holds */
	uint64_t raw;			 /* bytes of evidence */
	int64_t ts_min;			 /* INT64_MAX..INT64_MIN where no event has a time */
	int64_t ts_max;
	uint32_t kinds; /* bits */
	const struct iq_number_range *sessions;
	size_t session_count;
	const struct iq_view *types; /* the NULL view: events without a type */
	size_t type_count;
	bool types_known;
	const struct iq_source *sources;
	size_t source_count;
};

/* From the tables of an open segment. Borrowed: from `arena`. 0 or IQ_ERR_NOMEM. */
int iq_summary_of(const struct iq_segment *segment, struct iq_arena *arena, struct iq_summary *ret_summary);
/* Is it the summary of that segment? What follows from tables that were not loaded is left out. 0 or IQ_ERR_NOMEM. */
int iq_summary_matches(const struct iq_summary *summary, const struct iq_segment *segment, bool *ret_same);
/* Can the segment hold an event that the filter lets through? `sources`: the numbers of filter->sources. */
bool iq_summary_may_match(const struct iq_summary *summary, const struct iq_filter *filter, const uint32_t *sources,
			  size_t source_count);
/* Appends the summary as members of a JSON object, without its braces. */
void iq_summary_append(struct iq_buf *line, const struct iq_summary *summary);
/* Takes one member of that object: `token` is the begin of its value, at which `json` stands. False where the value is not
 * valid; a name that it does not know is passed over. */
bool iq_summary_take(struct iq_summary *summary, struct iq_view name, struct iq_json *json,
		     const struct iq_json_token *token, struct iq_arena *arena);
/* Before the first iq_summary_take(). */
#define IQ_SUMMARY_INIT \
	{ \
		.ts_min = INT64_MAX, .ts_max = INT64_MIN \
	}

#endif
