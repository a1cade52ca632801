/* What planning asks of a store before a scan is opened: how much would pass, how much would be held. */
#include <stdlib.h>

#include "store/reader.h"
#include "store/select.h"

/* Planning opens no more segments than this, which the scan itself will mostly open; nor looks at more chunks. */
#define PLAN_SEGMENTS 64u
#define PLAN_CHUNKS 1024u

static int open_for_plan(struct iq_store *store, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = 0;

	for (size_t i = 0; i < store->manifest.count && i < PLAN_SEGMENTS && rc == 0; i++)
		rc = iq_store_segment_lazily(store, i, &segment, error);
	return rc;
}

static double share_of_zone(const struct iq_test *tests, size_t count, const struct iq_zone *zone,
			    const struct iq_segment *segment)
{
	double share = 1;

	for (size_t i = 0; i < count && share > 0; i++)
		share *= iq_select_share(&tests[i], zone, segment);
	return share;
}

/* Of many chunks every few are looked at, and stand for the others. */
int iq_scan_estimate(struct iq_store *store, const struct iq_test *tests, size_t count, double *ret_events,
		     struct iq_error *error)
{
	const struct iq_tests all = { tests, count };
	double events = 0, seen = 0, total = 0;
	size_t chunks = 0, looked = 0, step;
	struct iq_segment *segment;
	int rc = open_for_plan(store, error);

	for (size_t i = 0; i < store->manifest.count; i++)
		if (iq_select_summary(&all, iq_store_summary(store, i)))
			total += (double)iq_store_summary(store, i)->events;
	for (size_t i = 0; i < store->manifest.count && i < PLAN_SEGMENTS && rc == 0; i++) {
		rc = iq_store_segment_lazily(store, i, &segment, error);
		chunks += rc == 0 ? segment->zone_count : 0;
	}
	step = chunks / PLAN_CHUNKS + 1;
	for (size_t i = 0, chunk = 0; i < store->manifest.count && i < PLAN_SEGMENTS && rc == 0; i++) {
		if (!iq_select_summary(&all, iq_store_summary(store, i)))
			continue;
		rc = iq_store_segment_lazily(store, i, &segment, error);
		for (size_t j = 0; rc == 0 && j < segment->zone_count; j++, chunk++) {
			if (chunk % step)
				continue;
			looked++;
			seen += segment->zones[j].rows;
			events += segment->zones[j].rows * share_of_zone(tests, count, &segment->zones[j], segment);
		}
	}
	*ret_events = seen > 0 ? events * (total / seen) : total * (looked ? 0 : 0.1);
	return rc;
}

static size_t zone_values(const struct iq_zone *zone, enum iq_column column)
{
	switch (column) {
	case IQ_COLUMN_SESSION:
		return zone->session_count;
	case IQ_COLUMN_SOURCE:
		return zone->source_count;
	case IQ_COLUMN_TYPE:
		return zone->type_count;
	case IQ_COLUMN_KIND:
		return (size_t)__builtin_popcount(zone->kinds);
	default:
		return 1;
	}
}

static double sessions_of(const struct iq_summary *summary)
{
	double sessions = 0;

	for (size_t i = 0; i < summary->session_count; i++)
		sessions += (double)(summary->sessions[i].last - summary->sessions[i].first + 1);
	return sessions;
}

int iq_scan_distinct(struct iq_store *store, enum iq_column column, double *ret_values, struct iq_error *error)
{
	struct iq_segment *segment;
	double most = 1, events = (double)iq_store_event_count(store);
	int rc = open_for_plan(store, error);

	if (column == IQ_COLUMN_ID || column == IQ_COLUMN_TS || column == IQ_COLUMN_OBSERVED ||
	    column == IQ_COLUMN_KEY || column == IQ_COLUMN_BODY || column == IQ_COLUMN_OFFSET)
		most = events > 1 ? events : 1;
	for (size_t i = 0; i < store->manifest.count && i < PLAN_SEGMENTS && rc == 0; i++) {
		double values = 0;

		rc = iq_store_segment_lazily(store, i, &segment, error);
		for (size_t j = 0; rc == 0 && j < segment->zone_count; j++) {
			double here = (double)zone_values(&segment->zones[j], column);

			values = here > values ? here : values;
		}
		if (rc == 0 && column == IQ_COLUMN_SESSION)
			values = sessions_of(iq_store_summary(store, i));
		most = values > most ? values : most;
	}
	*ret_values = most;
	return rc;
}

struct edge {
	int64_t ts;
	int step;
};

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return y->step - x->step; /* what begins where another ends overlaps it */
}

static int most_overlap(struct edge *edges, size_t count)
{
	int depth = 0, most = 0;

	if (count > 0)
		qsort(edges, count, sizeof(*edges), compare_edges);
	for (size_t i = 0; i < count; i++) {
		depth += edges[i].step;
		most = depth > most ? depth : most;
	}
	return most;
}

static int overlap(struct iq_store *store, size_t *ret_most, struct iq_error *error)
{
	struct edge *edges = NULL;
	struct iq_segment *segment;
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < store->manifest.count && rc == 0; i++) {
		struct edge *grown;

		rc = iq_store_segment_lazily(store, i, &segment, error);
		if (rc < 0)
			break;
		grown = realloc(edges, (count + 2 * segment->zone_count + 1) * sizeof(*grown));
		if (!grown) {
			rc = iq_error_nomem(error);
			break;
		}
		edges = grown;
		for (size_t j = 0; j < segment->zone_count; j++) {
			if (segment->zones[j].ts_nulls == segment->zones[j].rows)
				continue;
			edges[count++] = (struct edge){ segment->zones[j].ts_min, 1 };
			edges[count++] = (struct edge){ segment->zones[j].ts_max, -1 };
		}
	}
	*ret_most = (size_t)most_overlap(edges, count);
	free(edges);
	return rc;
}

int iq_scan_can_order(struct iq_store *store, const struct iq_scan_options *options, bool *ret_can,
		      struct iq_error *error)
{
	const uint32_t heavy = 1u << IQ_COLUMN_KEY | 1u << IQ_COLUMN_BODY | 1u << IQ_COLUMN_ATTRS;
	const size_t width = (size_t)__builtin_popcount(options->columns) * sizeof(int64_t) + sizeof(uint32_t);
	size_t most = 0;
	int rc = 0;

	if (options->order == IQ_SCAN_TS || options->order == IQ_SCAN_TS_DESC) {
		*ret_can = store->manifest.count <= PLAN_SEGMENTS;
		if (*ret_can)
			rc = overlap(store, &most, error);
		*ret_can = *ret_can && most <= IQ_SCAN_MAX_OVERLAP;
	} else if (options->order >= IQ_SCAN_GROUP) {
		*ret_can = options->only_groups || ((options->columns & heavy) == 0 &&
						    iq_store_event_count(store) <= IQ_SCAN_GROUP_BYTES / width);
	} else {
		*ret_can = true;
	}
	return rc;
}
