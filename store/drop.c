/* Retention: segments that are old enough go, and in their place comes one without events, which keeps what must not be lost
 * with them: the numbers of sources, sessions and evidence, the hashes, and gaps that say what is no longer there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/change.h"
#include "store/merge.h"
#include "store/reader.h"

struct dropping {
	struct iq_change change;
	struct iq_store *store;
	struct iq_segment **segments; /* that go */
	const char **files;	      /* and their names; they outlive the store */
	size_t count;
	struct iq_arena memory;
	struct iq_view reason;
	struct iq_segment_writer *writer;
	struct iq_drop_result result;
	struct iq_error *error;
};

/* ---- Choosing ---- */

static int choose_segment(struct dropping *dropping, size_t index)
{
	const struct iq_manifest_segment *listed = &dropping->store->manifest.segments[index];

	dropping->files[dropping->count] = iq_arena_copy(&dropping->memory, iq_view_cstr(listed->file)).data;
	if (!dropping->files[dropping->count])
		return iq_error_nomem(dropping->error);
	dropping->result.segments++;
	dropping->result.events += listed->summary.events;
	dropping->result.raw += listed->summary.raw;
	return iq_store_segment(dropping->store, index, &dropping->segments[dropping->count++], dropping->error);
}

/* Events without a time go and stay with those around them. */
static int choose(struct dropping *dropping, int64_t before)
{
	struct iq_store *store = dropping->store;
	const size_t total = iq_store_segments(store);
	int rc = 0;

	dropping->segments = calloc(total + 1, sizeof(struct iq_segment *));
	dropping->files = calloc(total + 1, sizeof(*dropping->files));
	if (!dropping->segments || !dropping->files)
		return iq_error_nomem(dropping->error);
	for (size_t i = 0; i < total && rc == 0; i++) {
		const struct iq_summary *summary = iq_store_summary(store, i);

		if (summary->ts_min > summary->ts_max || summary->ts_min >= before)
			continue;
		if (summary->ts_max < before)
			rc = choose_segment(dropping, i);
		else
			dropping->result.straddling++;
	}
	return rc;
}

/* ---- What stays ---- */

/* What the chunks with events of an evidence know of them. */
struct span {
	int64_t ts_min;
	int64_t ts_max;
	bool timeless; /* some event has no time: the gap is open at both ends */
};

static struct span span_of(const struct iq_segment *segment, uint32_t evidence)
{
	struct span span = { INT64_MAX, INT64_MIN, false };

	for (size_t i = 0; i < segment->zone_count; i++) {
		const struct iq_zone *zone = &segment->zones[i];

		for (size_t j = 0; j < zone->evidence_count; j++) {
			if (zone->evidence[j].no != evidence)
				continue;
			span.timeless |= zone->ts_nulls > 0;
			span.ts_min = zone->ts_min < span.ts_min ? zone->ts_min : span.ts_min;
			span.ts_max = zone->ts_max > span.ts_max ? zone->ts_max : span.ts_max;
		}
	}
	return span;
}

static bool has_source(const struct iq_segment *segment, uint32_t evidence, uint32_t source)
{
	for (size_t i = 0; i < segment->zone_count; i++) {
		const struct iq_zone *zone = &segment->zones[i];
		bool here = false;

		for (size_t j = 0; j < zone->evidence_count; j++)
			here |= zone->evidence[j].no == evidence;
		for (size_t j = 0; here && j < zone->source_count; j++)
			if (zone->sources[j].no == source)
				return true;
	}
	return false;
}

static bool is_dropped(const struct dropping *dropping, const struct iq_segment *segment)
{
	for (size_t i = 0; i < dropping->count; i++)
		if (dropping->segments[i] == segment)
			return true;
	return false;
}

/* The gap begins after the last event of the evidence that is left before it. */
static uint64_t event_before(const struct dropping *dropping, const struct iq_evidence_part *part)
{
	size_t count;
	const struct iq_store_part *parts = iq_store_parts(dropping->store, part->evidence.no, &count);
	uint64_t after = 0;

	for (size_t i = 0; i < count && parts[i].part->offset < part->offset; i++)
		if (!is_dropped(dropping, parts[i].segment))
			after = parts[i].part->last_event;
	return after;
}

static struct iq_gap gap_for(const struct dropping *dropping, const struct iq_segment *segment,
			     const struct iq_evidence_part *part)
{
	const struct span span = span_of(segment, part->evidence.no);
	const bool timed = span.ts_min <= span.ts_max && !span.timeless;

	return (struct iq_gap){
		.evidence = part->evidence.no,
		.after = event_before(dropping, part),
		.ts_min = timed ? span.ts_min : IQ_TIME_NONE,
		.ts_max = timed ? span.ts_max : IQ_TIME_NONE,
		.offset = part->offset,
		.bytes = part->evidence.bytes,
		.count = (int64_t)part->evidence.records,
		.reason = dropping->reason,
	};
}

static int write_gap(struct dropping *dropping, const struct iq_gap *gap, uint64_t *count)
{
	(*count)++;
	return iq_segment_writer_gap(dropping->writer, gap, 0, dropping->error);
}

/* A session may go on in other evidence, where only its source tells that something of it is gone. So the gap names the source;
 * where there are several, a gap has the bytes, and there is one without bytes for each of them. */
static int write_gaps(struct dropping *dropping, const struct iq_segment *segment, const struct iq_evidence_part *part,
		      uint64_t *ret_count)
{
	struct iq_gap gap = gap_for(dropping, segment, part);
	const struct iq_source *only = NULL;
	size_t sources = 0;
	int rc = 0;

	*ret_count = 0;
	for (size_t i = 0; i < segment->source_count; i++) {
		if (!has_source(segment, part->evidence.no, segment->sources[i].no))
			continue;
		only = &segment->sources[i];
		sources++;
	}
	if (sources == 1)
		gap.source = only->name;
	if (gap.bytes > 0 || gap.count > 0)
		rc = write_gap(dropping, &gap, ret_count);
	gap.bytes = 0;
	gap.count = IQ_NUMBER_NONE;
	for (size_t i = 0; sources > 1 && i < segment->source_count && rc == 0; i++) {
		if (!has_source(segment, part->evidence.no, segment->sources[i].no))
			continue;
		gap.source = segment->sources[i].name;
		rc = write_gap(dropping, &gap, ret_count);
	}
	return rc;
}

static int write_part(struct dropping *dropping, const struct iq_segment *segment, const struct iq_evidence_part *part)
{
	struct iq_evidence_part left = *part;
	int rc = write_gaps(dropping, segment, part, &left.evidence.gaps);

	left.evidence.records = 0;
	left.evidence.dropped = part->evidence.bytes;
	return rc == 0 ? iq_segment_writer_evidence(dropping->writer, &left, dropping->error) : rc;
}

static int write_rest(struct dropping *dropping, struct iq_segment *segment, const char *path)
{
	uint8_t root[IQ_SHA256_SIZE];
	int rc = iq_segment_writer_new(path, IQ_COMPACT_LEVEL, &dropping->writer, dropping->error);

	if (rc == 0)
		rc = iq_merge_sources(dropping->writer, &segment, 1, true, dropping->error);
	if (rc == 0)
		rc = iq_merge_sessions(dropping->writer, &segment, 1, true, dropping->error);
	for (size_t i = 0; i < segment->evidence_count && rc == 0; i++)
		rc = write_part(dropping, segment, &segment->evidence[i]);
	if (rc == 0)
		rc = iq_segment_writer_finish(dropping->writer, root, dropping->error);
	iq_segment_writer_free(dropping->writer);
	dropping->writer = NULL;
	return rc;
}

static int replace(struct dropping *dropping, struct iq_segment *segment)
{
	char *path;
	int rc = iq_change_name(&dropping->change, &path, dropping->error);

	if (rc < 0)
		return rc;
	rc = write_rest(dropping, segment, path);
	if (rc == 0)
		rc = iq_change_seal(&dropping->change, path, dropping->error);
	if (rc < 0)
		(void)unlink(path);
	free(path);
	return rc;
}

/* ---- Dropping ---- */

static int drop(struct dropping *dropping, const char *path, int64_t before)
{
	char reason[IQ_RFC3339_SIZE + 40], text[IQ_RFC3339_SIZE];
	int rc = iq_store_open(path, &dropping->store, dropping->error);

	(void)snprintf(reason, sizeof(reason), "dropped, being older than %s", iq_time_format(before, text));
	dropping->reason = iq_view_cstr(reason);
	if (rc == 0)
		rc = choose(dropping, before);
	for (size_t i = 0; i < dropping->count && rc == 0; i++)
		rc = replace(dropping, dropping->segments[i]);
	/* A reader, even this one, keeps the files. */
	iq_store_close(dropping->store);
	return rc == 0 ? iq_change_commit(&dropping->change, dropping->files, dropping->count, dropping->error) : rc;
}

int iq_store_drop(const char *path, int64_t before, struct iq_drop_result *ret_result, struct iq_error *error)
{
	struct dropping dropping = { .memory = IQ_ARENA_INIT, .error = error };
	int rc = iq_change_begin(path, false, &dropping.change, error);

	if (rc == 0)
		rc = drop(&dropping, path, before);
	if (rc == 0)
		*ret_result = dropping.result;
	iq_change_end(&dropping.change);
	iq_arena_release(&dropping.memory);
	free(dropping.segments);
	free(dropping.files);
	return rc;
}
