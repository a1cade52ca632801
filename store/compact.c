/* Merging small segments into large ones, compressed as well as can be. Every row is decoded and coded again together with its
 * new neighbours; ids, numbers, tables and raw bytes stay. The new segment is compared with those that it replaces, row by row,
 * before the manifest names it in their place. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/body_finder.h"
#include "store/change.h"
#include "store/encoder.h"
#include "store/merge.h"
#include "store/part.h"
#include "store/reader.h"
#include "store/rows.h"
#include "store/verify.h"

/* Rows between two calls of `progress`. */
#define PROGRESS_ROWS 8192u

struct compaction {
	struct iq_change change;
	struct iq_store *store;
	const struct iq_compact_options *options;
	struct iq_compact_result result;
	const char **replaced; /* file names */
	size_t replaced_count;
	uint64_t rows_done;
	struct iq_error *error;
};

/* One new segment and what goes into it. */
struct merge {
	struct compaction *compaction;
	struct iq_segment **segments;
	size_t count;
	struct iq_segment_writer *writer;
	struct iq_encoder *encoder;
	struct iq_body_finder finder;
	uint32_t evidence; /* of the last row, and where its raw bytes end */
	uint64_t raw_end;
};

static int progress(struct compaction *compaction)
{
	const struct iq_compact_options *options = compaction->options;

	if (compaction->rows_done++ % PROGRESS_ROWS != 0 || !options->progress)
		return 0;
	/* Each row is written and compared. */
	if (options->progress(options->context, compaction->rows_done / 2, iq_store_event_count(compaction->store)) ==
	    0)
		return 0;
	return iq_error_set(compaction->error, IQ_ERR_INTERRUPTED, "%s: interrupted; the store is as it was",
			    compaction->change.path);
}

/* ---- Rows ---- */

static int flush(struct merge *merge)
{
	struct iq_error *error = merge->compaction->error;

	return iq_encoder_builder(merge->encoder)->count ? iq_encoder_give(merge->encoder, merge->writer, error) : 0;
}

/* Ids of a chunk follow each other, and so do the numbers of its evidence. */
static bool goes_on(const struct merge *merge, const struct iq_row *row)
{
	const struct iq_chunk_builder *builder = iq_encoder_builder(merge->encoder);

	return builder->count == 0 || (row->event.id == builder->id_first + builder->count &&
				       row->event.evidence >= merge->evidence && !iq_chunk_builder_full(builder));
}

static int add_row(struct merge *merge, const struct iq_row *row)
{
	struct iq_raw_record raw = { .bytes = row->raw,
				     .hole = { .at = IQ_HOLE_NONE },
				     .lead = row->lead,
				     .excess = row->excess,
				     .offset = row->raw_offset };
	size_t at, len;
	unsigned escape;
	int rc = goes_on(merge, row) ? 0 : flush(merge);

	if (rc < 0)
		return rc;
	raw.skip = row->event.evidence == merge->evidence ? row->raw_offset - merge->raw_end : 0;
	merge->evidence = row->event.evidence;
	merge->raw_end = row->raw_offset + row->raw.len;
	if (row->raw.len < IQ_HOLE_NONE && iq_body_find(&merge->finder, row->raw, row->event.body, &at, &len, &escape))
		raw.hole = (struct iq_hole){ (uint32_t)at, (uint32_t)len, (uint8_t)escape };
	rc = iq_chunk_builder_add(iq_encoder_builder(merge->encoder), &row->event, row->source_no, &raw);
	return rc < 0 ? iq_error_nomem(merge->compaction->error) : progress(merge->compaction);
}

static int copy_rows(struct merge *merge)
{
	struct iq_error *error = merge->compaction->error;
	struct iq_rows rows;
	struct iq_row row;
	int rc;

	iq_rows_init(&rows, merge->segments, merge->count);
	while ((rc = iq_rows_next(&rows, &row, error)) > 0 && (rc = add_row(merge, &row)) == 0)
		;
	iq_rows_release(&rows);
	if (rc == 0)
		rc = flush(merge);
	return rc == 0 ? iq_encoder_wait(merge->encoder, error) : rc;
}

/* ---- Evidence ---- */

/* A part and the segment it comes from; those of one evidence are neighbours, in their order. */
struct old_part {
	const struct iq_evidence_part *part;
	struct iq_segment *segment;
};

static int compare_parts(const void *a, const void *b)
{
	return iq_part_compare(((const struct old_part *)a)->part, ((const struct old_part *)b)->part);
}

/* What a part said of its unfinished end is void where `next` continues it. */
static int copy_blocks(struct merge *merge, const struct old_part *old, const struct iq_evidence_part *next)
{
	struct iq_segment *segment = old->segment;
	struct iq_error *error = merge->compaction->error;
	int rc = 0;

	for (size_t i = 0; i < segment->raw_block_count && rc == 0; i++) {
		const struct iq_raw_block *block = &segment->raw_blocks[i];
		struct iq_arena arena = IQ_ARENA_INIT;
		struct iq_view bytes;

		if (block->evidence != old->part->evidence.no || (next && block->offset >= next->offset))
			continue;
		rc = iq_segment_read_block(segment, block, &arena, &bytes, error);
		if (rc == 0)
			rc = iq_segment_writer_raw(merge->writer, block->evidence, block->offset, bytes, error);
		iq_arena_release(&arena);
	}
	return rc;
}

/* `count` parts go on where the first of them ends. */
static int copy_gaps(struct merge *merge, const struct old_part *parts, size_t count)
{
	const struct iq_segment *segment = parts[0].segment;
	uint64_t before = 0;
	int rc = 0;

	for (size_t i = 1; i < count && before == 0; i++)
		before = parts[i].part->first_event;
	for (size_t i = 0; i < segment->gap_count && rc == 0; i++) {
		struct iq_gap gap = segment->gaps[i].gap;

		if (gap.evidence != parts[0].part->evidence.no || (count > 1 && gap.offset >= parts[1].part->offset))
			continue;
		if (gap.before == 0)
			gap.before = before;
		rc = iq_segment_writer_gap(merge->writer, &gap, segment->gaps[i].session_no, merge->compaction->error);
	}
	return rc;
}

/* The parts of one evidence become one. */
static int join_parts(struct merge *merge, const struct old_part *parts, size_t count)
{
	struct iq_error *error = merge->compaction->error;
	struct iq_evidence_part whole = *parts[0].part;
	struct iq_buf marks = IQ_BUF_INIT;
	int rc = iq_buf_append(&marks, whole.marks);

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct iq_evidence_part *next = i + 1 < count ? parts[i + 1].part : NULL;

		rc = copy_gaps(merge, &parts[i], count - i);
		if (rc == 0)
			rc = copy_blocks(merge, &parts[i], next);
		if (rc == 0 && next)
			rc = iq_part_join(&whole, next, &marks);
	}
	/* In a segment with others it cannot be removed: what was unfinished is finished by that. */
	if (iq_part_is_tail(parts[count - 1].part))
		whole.settled = whole.restart.offset = whole.offset + whole.evidence.bytes;
	if (rc == 0)
		rc = iq_segment_writer_evidence(merge->writer, &whole, error);
	iq_buf_release(&marks);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : rc;
}

static int copy_evidence(struct merge *merge)
{
	struct old_part *parts = NULL;
	size_t count = 0, total = 0;
	int rc = 0;

	for (size_t i = 0; i < merge->count; i++)
		total += merge->segments[i]->evidence_count;
	parts = calloc(total + 1, sizeof(*parts));
	if (!parts)
		return iq_error_nomem(merge->compaction->error);
	for (size_t i = 0; i < merge->count; i++)
		for (size_t j = 0; j < merge->segments[i]->evidence_count; j++)
			parts[count++] = (struct old_part){ &merge->segments[i]->evidence[j], merge->segments[i] };
	qsort(parts, count, sizeof(*parts), compare_parts);
	for (size_t i = 0, next; i < count && rc == 0; i = next) {
		for (next = i + 1; next < count && parts[next].part->evidence.no == parts[i].part->evidence.no;)
			next++;
		rc = join_parts(merge, &parts[i], next - i);
	}
	free(parts);
	return rc;
}

static int copy_tables(struct merge *merge)
{
	struct iq_error *error = merge->compaction->error;
	int rc = iq_merge_sources(merge->writer, merge->segments, merge->count, false, error);

	if (rc == 0)
		rc = iq_merge_sessions(merge->writer, merge->segments, merge->count, false, error);
	return rc == 0 ? copy_evidence(merge) : rc;
}

/* ---- Comparing ---- */

static bool same_text(struct iq_view a, struct iq_view b)
{
	return !a.data == !b.data && iq_view_eq(a, b);
}

static bool same_row(const struct iq_row *a, const struct iq_row *b)
{
	const struct iq_event *x = &a->event, *y = &b->event;

	return x->id == y->id && x->ts == y->ts && x->observed == y->observed && a->source_no == b->source_no &&
	       x->session_no == y->session_no && x->kind == y->kind && x->direction == y->direction &&
	       x->severity == y->severity && x->seq == y->seq && x->body_is_binary == y->body_is_binary &&
	       x->evidence == y->evidence && x->offset == y->offset && x->length == y->length &&
	       a->raw_offset == b->raw_offset && same_text(x->source, y->source) && same_text(x->session, y->session) &&
	       same_text(x->type, y->type) && same_text(x->key, y->key) && same_text(x->body, y->body) &&
	       same_text(x->attrs, y->attrs) && same_text(a->raw, b->raw);
}

static int compare_rows(struct merge *merge, struct iq_segment *segment)
{
	struct iq_error *error = merge->compaction->error;
	struct iq_rows olds, news;
	struct iq_row old, new;
	int rc, got;

	iq_rows_init(&olds, merge->segments, merge->count);
	iq_rows_init(&news, &segment, 1);
	do {
		rc = iq_rows_next(&olds, &old, error);
		got = rc < 0 ? rc : iq_rows_next(&news, &new, error);
		if (got < 0)
			rc = got;
		else if (got != rc || (rc == 1 && !same_row(&old, &new)))
			rc = iq_error_set(error, IQ_ERR_CORRUPT,
					  "%s: events came out otherwise than they are stored; the store is as it was",
					  segment->path);
		else if (rc == 1 && progress(merge->compaction) < 0)
			rc = IQ_ERR_INTERRUPTED;
	} while (rc > 0);
	iq_rows_release(&olds);
	iq_rows_release(&news);
	return rc;
}

/* The rows, and by what verifies any segment, the raw bytes. */
static int compare(struct merge *merge, const char *path)
{
	struct iq_error *error = merge->compaction->error;
	struct iq_verify_result result = { 0 };
	struct iq_hash_states states = { 0 };
	struct iq_segment *segment;
	int rc = iq_segment_open(path, &segment, error);

	if (rc < 0)
		return rc;
	rc = compare_rows(merge, segment);
	if (rc == 0)
		rc = iq_segment_verify(segment, &states, NULL, NULL, &result);
	iq_hash_states_clear(&states);
	if (rc == IQ_ERR_NOMEM)
		rc = iq_error_nomem(error);
	if (rc == 0 && result.damages > 0)
		rc = iq_error_set(error, IQ_ERR_CORRUPT,
				  "%s: evidence came out otherwise than it is stored; the store is as it was", path);
	iq_segment_close(segment);
	return rc;
}

/* ---- One new segment ---- */

static int write_merged(struct merge *merge, const char *path)
{
	struct compaction *compaction = merge->compaction;
	uint8_t root[IQ_SHA256_SIZE];
	int rc = iq_segment_writer_new(path, compaction->options->level, &merge->writer, compaction->error);

	if (rc == 0)
		rc = iq_encoder_new(&merge->encoder, compaction->error);
	if (rc == 0)
		rc = copy_rows(merge);
	if (rc == 0)
		rc = copy_tables(merge);
	if (rc == 0)
		rc = iq_segment_writer_finish(merge->writer, root, compaction->error);
	/* The encoder may still be coding when something else failed. */
	iq_encoder_free(merge->encoder);
	iq_segment_writer_free(merge->writer);
	return rc;
}

static int merge_segments(struct compaction *compaction, struct iq_segment **segments, size_t count)
{
	struct merge merge = { .compaction = compaction, .segments = segments, .count = count };
	char *path;
	int rc = iq_change_name(&compaction->change, &path, compaction->error);

	if (rc < 0)
		return rc;
	rc = write_merged(&merge, path);
	if (rc == 0)
		rc = compare(&merge, path);
	if (rc == 0)
		rc = iq_change_seal(&compaction->change, path, compaction->error);
	if (rc < 0)
		(void)unlink(path);
	free(path);
	return rc;
}

/* ---- Choosing ---- */

/* What this or a better run has made large already stays as it is. */
static bool is_done(const struct compaction *compaction, const struct iq_segment *segment, uint64_t bytes)
{
	return segment->level >= compaction->options->level && bytes >= IQ_COMPACT_KEEP_BYTES;
}

/* One part of an evidence cannot hold what was dropped of it behind what was not. */
static bool parts_conflict(const struct iq_segment *a, const struct iq_segment *b)
{
	for (size_t i = 0; i < a->evidence_count; i++) {
		const struct iq_evidence_part *first = &a->evidence[i];

		for (size_t j = 0; j < b->evidence_count; j++) {
			const struct iq_evidence_part *second = &b->evidence[j];

			if (first->evidence.no != second->evidence.no)
				continue;
			if (first->offset < second->offset ? !iq_parts_can_join(first, second)
							   : !iq_parts_can_join(second, first))
				return true;
		}
	}
	return false;
}

static bool fits(struct iq_segment *const *segments, size_t count, const struct iq_segment *segment)
{
	for (size_t i = 0; i < count; i++)
		if (parts_conflict(segments[i], segment))
			return false;
	return true;
}

static int compact_run(struct compaction *compaction, size_t first, size_t count, struct iq_segment **segments)
{
	const struct iq_manifest_segment *listed = &compaction->store->manifest.segments[first];

	if (count == 0 || (count == 1 && segments[0]->level >= compaction->options->level))
		return 0;
	for (size_t i = 0; i < count; i++)
		compaction->replaced[compaction->replaced_count++] = listed[i].file;
	return merge_segments(compaction, segments, count);
}

/* Runs of neighbours, each as large as a segment may be. */
static int compact_all(struct compaction *compaction)
{
	struct iq_store *store = compaction->store;
	const size_t total = iq_store_segments(store);
	struct iq_segment **segments = calloc(total + 1, sizeof(struct iq_segment *));
	size_t first = 0, count = 0;
	uint64_t bytes = 0;
	int rc = segments ? 0 : iq_error_nomem(compaction->error);

	for (size_t i = 0; i < total && rc == 0; i++) {
		const uint64_t size = store->manifest.segments[i].bytes;
		struct iq_segment *segment;

		rc = iq_store_segment(store, i, &segment, compaction->error);
		if (rc < 0)
			break;
		if (is_done(compaction, segment, size) || bytes + size > IQ_SEGMENT_MAX_BYTES ||
		    !fits(segments, count, segment)) {
			rc = compact_run(compaction, first, count, segments);
			first = i;
			count = 0;
			bytes = 0;
		}
		if (is_done(compaction, segment, size)) {
			first = i + 1;
			continue;
		}
		segments[count++] = segment;
		bytes += size;
	}
	if (rc == 0)
		rc = compact_run(compaction, first, count, segments);
	free(segments);
	return rc;
}

static void sum(const struct iq_manifest *manifest, uint64_t *ret_segments, uint64_t *ret_bytes)
{
	*ret_segments = manifest->count;
	*ret_bytes = 0;
	for (size_t i = 0; i < manifest->count; i++)
		*ret_bytes += manifest->segments[i].bytes;
}

static int write_all(struct compaction *compaction, const char *path)
{
	int rc = iq_store_open_lazily(path, &compaction->store, compaction->error);

	if (rc < 0)
		return rc;
	sum(&compaction->store->manifest, &compaction->result.segments_before, &compaction->result.bytes_before);
	compaction->replaced = calloc(iq_store_segments(compaction->store) + 1, sizeof(*compaction->replaced));
	return compaction->replaced ? compact_all(compaction) : iq_error_nomem(compaction->error);
}

/* Lets go of the store, as a reader of which we would keep the old files, and of which the names are that are to go. */
static int commit(struct compaction *compaction)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	int rc = 0;

	for (size_t i = 0; i < compaction->replaced_count && rc == 0; i++) {
		compaction->replaced[i] = iq_arena_copy(&memory, iq_view_cstr(compaction->replaced[i])).data;
		if (!compaction->replaced[i])
			rc = iq_error_nomem(compaction->error);
	}
	iq_store_close(compaction->store);
	compaction->store = NULL;
	if (rc == 0)
		rc = iq_change_commit(&compaction->change, compaction->replaced, compaction->replaced_count,
				      compaction->error);
	iq_arena_release(&memory);
	return rc;
}

int iq_store_compact(const char *path, const struct iq_compact_options *options, struct iq_compact_result *ret_result,
		     struct iq_error *error)
{
	struct compaction compaction = { .options = options, .error = error };
	int rc = iq_change_begin(path, false, &compaction.change, error);

	if (rc == 0)
		rc = write_all(&compaction, path);
	if (rc == 0)
		rc = commit(&compaction);
	if (rc == 0) {
		sum(&compaction.change.manifest, &compaction.result.segments_after, &compaction.result.bytes_after);
		*ret_result = compaction.result;
	}
	iq_store_close(compaction.store);
	iq_change_end(&compaction.change);
	free(compaction.replaced);
	return rc;
}
