/* store/aggregate.h - counts, sums, least and greatest numbers of a store's events, by group: what a reader would add up row by
 * row. Part of the door store/store.h.
 *
 *	const enum iq_column keys[] = { IQ_COLUMN_SESSION };
 *	const struct iq_aggregate_options options = { .keys = keys, .key_count = 1, .columns = 1u << IQ_COLUMN_TS };
 *	rc = iq_aggregate(store, &options, &result, &error);
 *	for (size_t i = 0; rc == 0 && i < result->count; i++)
 *		use(result->groups[i].keys[0].text, result->groups[i].totals[0].max);
 *	iq_aggregate_free(result);
 *
 * Chunks whose zone map tells everything are not decoded; of others the columns that are named, by the threads of a scan.
 */
#ifndef IQ_STORE_AGGREGATE_H
#define IQ_STORE_AGGREGATE_H

#include "base/base.h"
#include "store/scan.h"

/* Columns that groups are made by, at most. */
#define IQ_AGGREGATE_MAX_KEYS 7u
/* More groups than these are not kept in memory. */
#define IQ_AGGREGATE_MAX_GROUPS (1u << 18)
/* Columns of names, of which each event has one of few, and of numbers. Others can be neither key nor total. */
#define IQ_AGGREGATE_KEYS \
	(1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_DIRECTION | \
	 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_SEVERITY | 1u << IQ_COLUMN_EVIDENCE)
#define IQ_AGGREGATE_NUMBERS \
	(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_OBSERVED | 1u << IQ_COLUMN_SEQ | \
	 1u << IQ_COLUMN_EVIDENCE | 1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH)

struct iq_aggregate_options {
	const struct iq_test *tests; /* events that do not pass them do not count */
	size_t test_count;
	const enum iq_column *keys;
	size_t key_count; /* 0: all events are one group */
	uint32_t columns; /* bits of the numbers whose totals are wanted */
	uint32_t sums;	  /* of these, the ones that are added up as well */
};

/* Of the numbers of one column in one group; events without a number do not count. */
struct iq_total {
	uint64_t count;
	int64_t min; /* meaningless where count is 0 */
	int64_t max;
	int64_t sum; /* modulo 2^64: see `too_large` */
};

struct iq_group_key {
	struct iq_view text; /* the NULL view for events without */
	int64_t number;	     /* EVIDENCE, instead of a text */
};

struct iq_group {
	const struct iq_group_key *keys; /* in the order of the options */
	size_t key_count;
	uint64_t events;
	const struct iq_total *totals; /* of the options' columns, by number of the column */
};

struct iq_aggregate {
	struct iq_group *
		groups; /* by their keys: those without first, texts bytewise; no groups without events, but for the one of all */
	size_t count;
	uint32_t too_large; /* columns whose sums may be beyond 64 bits, in some order at least */
	struct iq_arena memory;
};

/* Caller owns; release with iq_aggregate_free(). IQ_ERR_LIMIT: too many groups. */
int iq_aggregate(struct iq_store *store, const struct iq_aggregate_options *options, struct iq_aggregate **ret_result,
		 struct iq_error *error);
void iq_aggregate_free(struct iq_aggregate *result); /* NULL allowed */

#endif
