/* What a damaged store can still say: damage is taken out of it, and gaps are put in its place. */
#include <stdio.h>
#include <string.h>

#include "store/reader.h"

struct rest {
	struct iq_store *store;
	void (*told)(void *context, const char *line);
	void *context;
	size_t count;
	struct iq_error *error;
};

/* The times and sources of what is withheld; `events` 0: not known. */
struct loss {
	int64_t ts_min;
	int64_t ts_max;
	uint64_t id_first;
	uint64_t id_last;
	uint64_t events;
	struct iq_view what;
};

/* Each source that may be concerned gets a gap, so that what depends on it is undetermined. */
static int withhold(struct rest *rest, const struct loss *loss, struct iq_view source)
{
	const bool timed = loss->ts_min <= loss->ts_max;
	struct iq_gap gap = {
		.ts_min = timed ? loss->ts_min : IQ_TIME_NONE,
		.ts_max = timed ? loss->ts_max : IQ_TIME_NONE,
		.source = source,
		.count = IQ_NUMBER_NONE,
		.reason = loss->what,
	};

	return iq_store_withhold(rest->store, &gap) < 0 ? iq_error_nomem(rest->error) : 0;
}

static int describe(struct rest *rest, const char *where, struct loss *loss)
{
	char from[IQ_RFC3339_SIZE], to[IQ_RFC3339_SIZE], line[512];

	(void)snprintf(line, sizeof(line), "%s is damaged; withheld: events %llu-%llu", where,
		       (unsigned long long)loss->id_first, (unsigned long long)loss->id_last);
	loss->what = iq_arena_copy(&rest->store->memory, iq_view_cstr(line));
	if (!loss->what.data)
		return iq_error_nomem(rest->error);
	if (loss->ts_min <= loss->ts_max)
		(void)snprintf(line + strlen(line), sizeof(line) - strlen(line), ", %s to %s",
			       iq_time_format(loss->ts_min, from), iq_time_format(loss->ts_max, to));
	rest->count++;
	if (rest->told)
		rest->told(rest->context, line);
	return 0;
}

/* ---- Segments ---- */

static int set_segment_aside(struct rest *rest, size_t index)
{
	const struct iq_manifest_segment *listed = &rest->store->manifest.segments[index];
	const struct iq_summary *summary = &listed->summary;
	struct loss loss = { .ts_min = summary->ts_min,
			     .ts_max = summary->ts_max,
			     .id_first = summary->ids.first,
			     .id_last = summary->ids.last,
			     .events = summary->events };
	int rc = describe(rest, listed->file, &loss);

	for (size_t i = 0; i < summary->source_count && rc == 0; i++)
		rc = withhold(rest, &loss, summary->sources[i].name);
	if (rc == 0)
		iq_store_forget(rest->store, index);
	return rc;
}

/* ---- Chunks ---- */

static int load_all(struct iq_segment *segment, const struct iq_zone *zone)
{
	struct iq_chunk chunk;
	int rc;

	iq_segment_chunk(segment, zone, &chunk);
	rc = iq_chunk_load(&chunk, IQ_STORED_ALL, NULL);
	iq_chunk_release(&chunk);
	return rc;
}

static int set_chunk_aside(struct rest *rest, struct iq_segment *segment, struct iq_summary *summary, size_t index)
{
	struct iq_zone *zone = &segment->zones[index];
	struct loss loss = { .ts_min = zone->ts_min,
			     .ts_max = zone->ts_max,
			     .id_first = zone->id_first,
			     .id_last = zone->id_first + zone->rows - 1,
			     .events = zone->rows };
	char where[128];
	int rc;

	(void)snprintf(where, sizeof(where), "chunk %u of %.80s", zone->chunk, iq_path_base(segment->path));
	rc = describe(rest, where, &loss);
	for (size_t i = 0; i < segment->source_count && rc == 0; i++)
		for (size_t j = 0; j < zone->source_count && rc == 0; j++)
			if (zone->sources[j].no == segment->sources[i].no)
				rc = withhold(rest, &loss, segment->sources[i].name);
	summary->events -= zone->rows;
	memmove(zone, zone + 1, (--segment->zone_count - index) * sizeof(*zone));
	return rc;
}

static int look_at_chunks(struct rest *rest, struct iq_segment *segment, struct iq_summary *summary)
{
	int rc = 0;

	for (size_t i = 0; i < segment->zone_count && rc == 0;) {
		rc = load_all(segment, &segment->zones[i]);
		if (rc == IQ_ERR_NOMEM)
			return iq_error_nomem(rest->error);
		if (rc == 0)
			i++;
		else
			rc = set_chunk_aside(rest, segment, summary, i);
	}
	return rc;
}

int iq_store_set_aside(struct iq_store *store, void (*told)(void *context, const char *line), void *context,
		       size_t *ret_count, struct iq_error *error)
{
	struct rest rest = { store, told, context, 0, error };
	struct iq_segment *segment;
	int rc = 0;

	for (size_t i = 0; i < iq_store_segments(store) && rc == 0;) {
		rc = iq_store_segment(store, i, &segment, NULL);
		if (rc == IQ_ERR_NOMEM)
			return iq_error_nomem(error);
		if (rc < 0) {
			rc = set_segment_aside(&rest, i);
			continue;
		}
		rc = look_at_chunks(&rest, segment, &store->manifest.segments[i].summary);
		i++;
	}
	if (rc == 0)
		rc = iq_store_refold(store, error);
	if (rc == 0)
		*ret_count = rest.count;
	return rc;
}
