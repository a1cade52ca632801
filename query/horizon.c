/* What is known of the clocks of the sources: which of them are one, how far others may be apart, and until when each was
 * recorded. */
#include "query/checker.h"

#include <stdlib.h>

/* Sources whose clocks nobody has compared may be this far apart, either way. */
#define UNCOMPARED_NS IQ_NS_PER_S

/* The engine of one host writes all of these: its containers have one clock. */
static bool is_of_engine(const struct iq_evidence *evidence)
{
	return iq_view_starts_with(evidence->format, IQ_LIT("docker"));
}

/* The first source of all that have the same clock. */
static uint32_t clock_of(const struct iq_checker *checker, uint32_t source)
{
	while (checker->horizons[source].clock != source)
		source = checker->horizons[source].clock;
	return source;
}

static void join_clocks(struct iq_checker *checker, uint32_t a, uint32_t b)
{
	a = clock_of(checker, a);
	b = clock_of(checker, b);
	checker->horizons[a > b ? a : b].clock = a > b ? b : a;
}

static void note_pair(struct iq_checker *checker, uint32_t source, uint32_t *first_source,
		      const struct iq_evidence *evidence, uint32_t *first_of_engines)
{
	struct iq_horizon *horizon = &checker->horizons[source];

	if (evidence->covers_to != IQ_TIME_NONE) {
		int64_t covered = iq_time_shift(evidence->covers_to, horizon->skew);

		horizon->covered = covered > horizon->covered ? covered : horizon->covered;
	}
	if (*first_source)
		join_clocks(checker, *first_source, source);
	*first_source = source;
	if (!is_of_engine(evidence))
		return;
	if (*first_of_engines)
		join_clocks(checker, *first_of_engines, source);
	*first_of_engines = source;
}

/* Which source wrote into which evidence. */
static int join_by_evidence(struct iq_checker *checker)
{
	static const enum iq_column keys[] = { IQ_COLUMN_SOURCE, IQ_COLUMN_EVIDENCE };
	const struct iq_aggregate_options options = { .keys = keys, .key_count = 2 };
	struct iq_aggregate *pairs;
	size_t evidence_count;
	const struct iq_evidence *evidence = iq_store_evidence(checker->store, &evidence_count);
	uint32_t last = evidence_count ? evidence[evidence_count - 1].no : 0, first_of_engines = 0;
	uint32_t *first_sources = calloc((size_t)last + 1, sizeof(*first_sources));
	int rc = first_sources ? iq_aggregate(checker->store, &options, &pairs, checker->error)
			       : iq_checker_nomem(checker);

	for (size_t i = 0; rc == 0 && i < pairs->count; i++) {
		uint32_t no = (uint32_t)pairs->groups[i].keys[1].number;
		uint32_t source = iq_checker_source(checker, pairs->groups[i].keys[0].text);
		const struct iq_evidence *of = iq_store_find_evidence(checker->store, no);

		if (of && no <= last && source && source < checker->horizon_count)
			note_pair(checker, source, &first_sources[no], of, &first_of_engines);
	}
	if (rc == 0)
		iq_aggregate_free(pairs);
	free(first_sources);
	return rc;
}

static bool any_covers(const struct iq_checker *checker)
{
	size_t count;
	const struct iq_evidence *evidence = iq_store_evidence(checker->store, &count);

	for (size_t i = 0; i < count; i++)
		if (evidence[i].covers_to != IQ_TIME_NONE)
			return true;
	return false;
}

int iq_horizon_init(struct iq_checker *checker)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(checker->store, &count);
	uint32_t last = count ? sources[count - 1].no : 0;

	checker->horizon_count = (size_t)last + 1;
	checker->horizons = calloc(checker->horizon_count, sizeof(*checker->horizons));
	if (!checker->horizons)
		return iq_checker_nomem(checker);
	for (uint32_t i = 0; i <= last; i++)
		checker->horizons[i] = (struct iq_horizon){ .clock = i, .covered = IQ_TIME_NONE, .width = -1 };
	for (size_t i = 0; i < count; i++) {
		struct iq_horizon *horizon = &checker->horizons[sources[i].no];

		horizon->name = sources[i].name;
		horizon->skew = sources[i].skew;
		horizon->covered = iq_time_shift(sources[i].last, sources[i].skew);
		horizon->width = sources[i].skew_given ? sources[i].skew_width : -1;
		if (iq_map_set(&checker->sources, sources[i].name, sources[i].no) < 0)
			return iq_checker_nomem(checker);
	}
	return count > 1 || any_covers(checker) ? join_by_evidence(checker) : 0;
}

uint32_t iq_checker_source(const struct iq_checker *checker, struct iq_view source)
{
	const uint64_t *number = source.data ? iq_map_get(&checker->sources, source) : NULL;

	return number ? (uint32_t)*number : source.data ? UINT32_MAX : 0;
}

int64_t iq_checker_covered(const struct iq_checker *checker, uint32_t source)
{
	return source < checker->horizon_count ? checker->horizons[source].covered : IQ_TIME_NONE;
}

int64_t iq_checker_aligned(const struct iq_checker *checker, uint32_t source, int64_t ts)
{
	return source < checker->horizon_count ? iq_time_shift(ts, checker->horizons[source].skew) : ts;
}

int64_t iq_checker_recorded(const struct iq_checker *checker, uint32_t source, int64_t ts)
{
	return source < checker->horizon_count ? iq_time_shift(ts, -checker->horizons[source].skew) : ts;
}

struct iq_view iq_checker_source_name(const struct iq_checker *checker, uint32_t source)
{
	return source < checker->horizon_count ? checker->horizons[source].name : IQ_VIEW_NULL;
}

int64_t iq_checker_uncertainty(const struct iq_checker *checker, uint32_t source, uint32_t other)
{
	const struct iq_horizon *a, *b;

	if (source == other || source >= checker->horizon_count || other >= checker->horizon_count)
		return 0;
	a = &checker->horizons[source];
	b = &checker->horizons[other];
	if (a->width >= 0 || b->width >= 0)
		return (a->width > 0 ? a->width : 0) + (b->width > 0 ? b->width : 0);
	return clock_of(checker, source) == clock_of(checker, other) ? 0 : UNCOMPARED_NS;
}

int64_t iq_checker_widest(const struct iq_checker *checker)
{
	int64_t first = UNCOMPARED_NS, second = 0;

	for (size_t i = 0; i < checker->horizon_count; i++) {
		int64_t width = checker->horizons[i].width;

		second = width > first ? first : width > second ? width : second;
		first = width > first ? width : first;
	}
	return first + second;
}

void iq_horizon_release(struct iq_checker *checker)
{
	free(checker->horizons);
	iq_map_release(&checker->sources);
}
