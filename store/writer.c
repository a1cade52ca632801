#include <stdlib.h>
#include <string.h>

#include "store/body_finder.h"
#include "store/change.h"
#include "store/encoder.h"
#include "store/part.h"
#include "store/reader.h"
#include "store/recogniser.h"
#include "store/sessions.h"
#include "store/spool_store.h"

/* zstd level of what is read once and thrown away. */
#define PREVIEW_LEVEL 1

/* A source as the open segment will hold it. */
struct source_state {
	struct iq_source part;
	bool named; /* by a gap of the open segment, which then holds a part even without events */
};

struct range {
	uint64_t start;
	uint64_t end;
};

/* The evidence that is being written, and the part of it that the open segment will hold. */
struct open_evidence {
	bool active;
	struct iq_evidence_part part;
	struct iq_chain chain; /* up to raw_offset */
	struct iq_buf raw;     /* from raw_start on: not yet an event's or a block */
	size_t raw_start;
	uint64_t raw_offset; /* of what raw_start points at */
	uint64_t event_end;  /* where the raw bytes of the last event end */
	uint64_t known;	     /* what ends before was given by the parts before */
	uint64_t reached;    /* the largest end of what was given */
	bool settled;	     /* part.settled and part.restart are set: what comes now was unfinished */
	uint64_t settled_gaps;
	struct iq_gap *waiting; /* gaps of that, until it is known whether it becomes a tail */
	size_t waiting_count;
	size_t waiting_capacity;
	bool is_tail;
	const char *old_tail; /* segment that the part makes void; NULL: none */
	uint64_t sessions;    /* that appear in it, since it was begun or continued */
	struct iq_body_finder finder;
	struct range *covered; /* by records and gaps; neighbours are merged as they come */
	size_t covered_count;
	size_t covered_capacity;
	struct iq_arena memory;
};

struct iq_store_writer {
	struct iq_change change;
	struct iq_segment_writer *segment; /* NULL until something is written */
	char *segment_path;		   /* its temporary name */
	struct iq_encoder *encoder;
	uint64_t next_id;
	uint32_t next_evidence;
	struct iq_map source_names; /* -> index in sources */
	struct source_state *sources;
	size_t source_capacity;
	uint32_t next_source;
	struct iq_sessions sessions;
	struct iq_catalogue catalogue;
	struct open_evidence evidence;
	const char **removed; /* segments that the next commit removes; their names are the catalogue's */
	size_t removed_count;
	size_t removed_capacity;
	struct iq_sink sink;
};

/* ---- State ---- */

static void *grow(void *items, size_t needed, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *grown;

	if (needed <= *capacity)
		return items;
	grown = realloc(items, wanted * size);
	if (grown)
		*capacity = wanted;
	return grown;
}

static struct iq_source no_source_part(const struct iq_source *source)
{
	return (struct iq_source){
		.no = source->no, .name = source->name, .first = IQ_TIME_NONE, .last = IQ_TIME_NONE
	};
}

/* The source of this name, with the number `no` where it is new, or 0 for the next one. NULL when memory is out. */
static struct source_state *find_source(struct iq_store_writer *writer, struct iq_view name, uint32_t no)
{
	struct source_state *sources;
	uint32_t index;
	int rc = iq_map_intern(&writer->source_names, name, &index);

	if (rc < 0)
		return NULL;
	if (rc == 1) {
		sources = grow(writer->sources, (size_t)index + 1, &writer->source_capacity, sizeof(*sources));
		if (!sources)
			return NULL;
		writer->sources = sources;
		sources[index].named = false;
		sources[index].part.no = no ? no : writer->next_source;
		sources[index].part.name = writer->source_names.entries[index].key;
		sources[index].part = no_source_part(&sources[index].part);
		if (sources[index].part.no >= writer->next_source)
			writer->next_source = sources[index].part.no + 1;
	}
	return &writer->sources[index];
}

static void reset_state(struct iq_store_writer *writer)
{
	iq_map_clear(&writer->source_names);
	iq_sessions_clear(&writer->sessions);
	iq_catalogue_clear(&writer->catalogue);
	iq_chunk_builder_clear(iq_encoder_builder(writer->encoder));
	writer->next_source = 1;
	writer->next_id = 1;
	writer->next_evidence = 1;
}

/* Sources and sessions of a segment. They keep their numbers. */
static int take_over_names(struct iq_store_writer *writer, const struct iq_segment *segment)
{
	int rc = 0;

	for (size_t i = 0; i < segment->source_count && rc == 0; i++)
		if (!find_source(writer, segment->sources[i].name, segment->sources[i].no))
			rc = IQ_ERR_NOMEM;
	for (size_t i = 0; i < segment->session_count && rc == 0; i++)
		rc = iq_sessions_know(&writer->sessions, segment->sessions[i].source_no, &segment->sessions[i].session);
	return rc;
}

/* Parts of one evidence in their order. */
static int take_over_part(struct iq_store_writer *writer, const struct iq_evidence_part *part, struct iq_view file)
{
	/* The ids of events that were dropped are not given again. */
	if (part->last_event >= writer->next_id)
		writer->next_id = part->last_event + 1;
	if (part->evidence.no >= writer->next_evidence)
		writer->next_evidence = part->evidence.no + 1;
	return iq_catalogue_add(&writer->catalogue, part, file, true);
}

static int take_over(struct iq_store_writer *writer, const struct iq_store *store)
{
	int rc = 0;

	writer->next_id = store->last_id + 1;
	for (size_t i = 0; i < store->manifest.count && rc == 0; i++)
		rc = take_over_names(writer, store->segments[i]);
	for (size_t i = 0; i < store->part_count && rc == 0; i++)
		rc = take_over_part(writer, store->parts[i].part, IQ_LIT(""));
	return rc;
}

/* The parts of all segments, which are read one after the other: together they may be more than memory holds. */
struct loading {
	struct iq_store_writer *writer;
	struct iq_evidence_part *parts; /* the path is the segment's name */
	size_t count;
	size_t capacity;
	struct iq_arena memory; /* formats and marks */
};

static int keep_part(struct loading *loading, const struct iq_evidence_part *part, const char *file)
{
	struct iq_evidence_part *parts = grow(loading->parts, loading->count + 1, &loading->capacity, sizeof(*parts));
	struct iq_evidence_part *kept;

	if (!parts)
		return IQ_ERR_NOMEM;
	loading->parts = parts;
	kept = &parts[loading->count++];
	*kept = *part;
	kept->evidence.path = iq_view_cstr(file);
	kept->evidence.format = iq_arena_copy(&loading->memory, part->evidence.format);
	kept->evidence.redacted = iq_arena_copy(&loading->memory, part->evidence.redacted);
	kept->marks = iq_arena_copy(&loading->memory, part->marks);
	return kept->evidence.format.data && (kept->marks.data || !part->marks.data) &&
			       (kept->evidence.redacted.data || !part->evidence.redacted.data)
		       ? 0
		       : IQ_ERR_NOMEM;
}

static int load_segment(struct loading *loading, const struct iq_manifest_segment *listed, struct iq_error *error)
{
	char *path = iq_path_join(loading->writer->change.segments_path, listed->file);
	struct iq_segment *segment;
	int rc = path ? iq_segment_open(path, &segment, error) : iq_error_nomem(error);

	free(path);
	if (rc < 0)
		return rc;
	if (memcmp(segment->root, listed->root, IQ_SHA256_SIZE) != 0)
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = take_over_names(loading->writer, segment);
	for (size_t i = 0; i < segment->evidence_count && rc == 0; i++)
		rc = keep_part(loading, &segment->evidence[i], listed->file);
	iq_segment_close(segment);
	if (rc == 0 && listed->summary.ids.last >= loading->writer->next_id)
		loading->writer->next_id = listed->summary.ids.last + 1;
	return rc;
}

static int load_segments(struct loading *loading, struct iq_error *error)
{
	const struct iq_manifest *manifest = &loading->writer->change.manifest;
	int rc = 0;

	for (size_t i = 0; i < manifest->count && rc == 0; i++)
		rc = load_segment(loading, &manifest->segments[i], error);
	if (loading->count > 0)
		qsort(loading->parts, loading->count, sizeof(*loading->parts), iq_part_compare);
	for (size_t i = 0; i < loading->count && rc == 0; i++)
		rc = take_over_part(loading->writer, &loading->parts[i], loading->parts[i].evidence.path);
	return rc;
}

static int load_state(struct iq_store_writer *writer, struct iq_error *error)
{
	struct loading loading = { .writer = writer, .memory = IQ_ARENA_INIT };
	int rc;

	reset_state(writer);
	rc = load_segments(&loading, error);
	free(loading.parts);
	iq_arena_release(&loading.memory);
	return rc < 0 ? iq_error_set(error, (enum iq_status)rc, "%s: cannot be continued: %s", writer->change.path,
				     iq_status_text(rc))
		      : 0;
}

/* ---- Opening ---- */

static int session_error(int rc, struct iq_error *error)
{
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(error)
				  : iq_error_set(error, (enum iq_status)rc,
						 "the temporary file for many sessions cannot be written; is there "
						 "room in the directory that TMPDIR names?");
}

static int sink_event(void *context, const struct iq_event *event, struct iq_error *error);
static int sink_gap(void *context, const struct iq_gap *gap, struct iq_error *error);

static int make_writer(struct iq_store_writer **ret_writer, struct iq_error *error)
{
	struct iq_store_writer *writer = calloc(1, sizeof(*writer));
	int rc = 0;

	if (!writer)
		return iq_error_nomem(error);
	writer->change = (struct iq_change)IQ_CHANGE_INIT;
	writer->sink = (struct iq_sink){ sink_event, sink_gap, writer };
	iq_sessions_init(&writer->sessions);
	if (iq_chain_init(&writer->evidence.chain) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = iq_encoder_new(&writer->encoder, error);
	if (rc < 0)
		iq_store_writer_free(writer);
	else
		*ret_writer = writer;
	return rc;
}

int iq_store_writer_open(const char *path, struct iq_store_writer **ret_writer, struct iq_error *error)
{
	struct iq_store_writer *writer = NULL;
	int rc = make_writer(&writer, error);

	if (rc < 0)
		return rc;
	rc = iq_change_begin(path, true, &writer->change, error);
	if (rc == 0)
		rc = load_state(writer, error);
	if (rc == 0)
		rc = iq_spools_recover(writer, error);
	if (rc < 0)
		iq_store_writer_free(writer);
	else
		*ret_writer = writer;
	return rc;
}

/* Of one segment, which no manifest names. */
static int open_apart(const struct iq_store *store, const char *file, int level, struct iq_store_writer **ret_writer,
		      struct iq_error *error)
{
	struct iq_store_writer *writer = NULL;
	int rc = make_writer(&writer, error);

	if (rc < 0)
		return rc;
	reset_state(writer);
	if (store && take_over(writer, store) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = iq_segment_writer_new(file, level, &writer->segment, error);
	if (rc < 0)
		iq_store_writer_free(writer);
	else
		*ret_writer = writer;
	return rc;
}

int iq_store_writer_preview(const struct iq_store *store, const char *file, struct iq_store_writer **ret_writer,
			    struct iq_error *error)
{
	return open_apart(store, file, PREVIEW_LEVEL, ret_writer, error);
}

int iq_store_writer_excerpt(const char *file, struct iq_store_writer **ret_writer, struct iq_error *error)
{
	return open_apart(NULL, file, IQ_COMPACT_LEVEL, ret_writer, error);
}

int iq_store_writer_know(struct iq_store_writer *writer, struct iq_view source, uint32_t source_no,
			 struct iq_view session, uint32_t session_no, struct iq_error *error)
{
	const struct iq_session part = { .no = session_no, .name = session };
	const struct source_state *known = find_source(writer, source, source_no);
	int rc = known ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && session_no)
		rc = iq_sessions_know(&writer->sessions, known->part.no, &part);
	return rc < 0 ? session_error(rc, error) : 0;
}

int iq_store_writer_number(struct iq_store_writer *writer, uint64_t id, struct iq_error *error)
{
	return iq_store_writer_expect(writer, writer->next_evidence, id, error);
}

/* ---- Dropping ---- */

static void drop_segment(struct iq_store_writer *writer)
{
	if (writer->encoder)
		(void)iq_encoder_wait(writer->encoder, NULL);
	iq_segment_writer_free(writer->segment);
	free(writer->segment_path);
	writer->segment = NULL;
	writer->segment_path = NULL;
}

static void close_evidence(struct iq_store_writer *writer)
{
	struct open_evidence *evidence = &writer->evidence;

	evidence->active = evidence->is_tail = false;
	evidence->covered_count = evidence->waiting_count = 0;
	evidence->old_tail = NULL;
	iq_buf_clear(&evidence->raw);
	evidence->raw_start = 0;
	iq_arena_clear(&evidence->memory);
}

int iq_store_writer_rollback(struct iq_store_writer *writer, struct iq_error *error)
{
	drop_segment(writer);
	iq_change_forget(&writer->change);
	writer->removed_count = 0;
	close_evidence(writer);
	return load_state(writer, error);
}

void iq_store_writer_free(struct iq_store_writer *writer)
{
	if (!writer)
		return;
	drop_segment(writer);
	iq_change_end(&writer->change);
	iq_encoder_free(writer->encoder);
	iq_map_release(&writer->source_names);
	iq_sessions_release(&writer->sessions);
	iq_catalogue_release(&writer->catalogue);
	iq_chain_release(&writer->evidence.chain);
	iq_buf_release(&writer->evidence.raw);
	iq_arena_release(&writer->evidence.memory);
	free(writer->evidence.covered);
	free(writer->evidence.waiting);
	free(writer->removed);
	free(writer->sources);
	free(writer);
}

/* ---- Segments ---- */

static int begin_segment(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc;

	if (writer->segment)
		return 0;
	rc = iq_change_name(&writer->change, &writer->segment_path, error);
	if (rc < 0)
		return rc;
	return iq_segment_writer_new(writer->segment_path, IQ_SEGMENT_LEVEL, &writer->segment, error);
}

static int flush_chunk(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc;

	if (iq_encoder_builder(writer->encoder)->count == 0)
		return 0;
	rc = begin_segment(writer, error);
	return rc == 0 ? iq_encoder_give(writer->encoder, writer->segment, error) : rc;
}

/* The parts of sources and sessions that this segment holds; then they begin anew. */
static int write_parts(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < writer->source_names.count && rc == 0; i++) {
		struct source_state *source = &writer->sources[i];

		if (source->part.events == 0 && !source->named)
			continue;
		source->named = false;
		rc = iq_segment_writer_source(writer->segment, &source->part, error);
		source->part = no_source_part(&source->part);
	}
	return rc == 0 ? iq_sessions_write(&writer->sessions, writer->segment, error) : rc;
}

static int finish_segment(struct iq_store_writer *writer, struct iq_error *error)
{
	uint8_t root[IQ_SHA256_SIZE];
	int rc = iq_encoder_wait(writer->encoder, error);

	if (rc == 0)
		rc = write_parts(writer, error);
	return rc == 0 ? iq_segment_writer_finish(writer->segment, root, error) : rc;
}

/* From a temporary file to one with its final name, read back, not yet in the manifest. */
static int seal_segment(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = finish_segment(writer, error);

	if (rc == 0)
		rc = iq_change_seal(&writer->change, writer->segment_path, error);
	if (rc == 0)
		drop_segment(writer);
	return rc;
}

/* Whatever is finished, into the manifest. */
static int commit(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = flush_chunk(writer, error);

	if (rc == 0 && writer->segment)
		rc = seal_segment(writer, error);
	if (rc == 0)
		rc = iq_change_commit(&writer->change, writer->removed, writer->removed_count, error);
	if (rc < 0)
		return rc;
	writer->removed_count = 0;
	iq_catalogue_commit(&writer->catalogue);
	rc = iq_sessions_make_room(&writer->sessions);
	return rc < 0 ? session_error(rc, error) : 0;
}

int iq_store_writer_preview_end(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = flush_chunk(writer, error);

	return rc == 0 ? finish_segment(writer, error) : rc;
}

/* ---- Numbers lent to spools ---- */

int iq_store_writer_expect(struct iq_store_writer *writer, uint32_t evidence, uint64_t id, struct iq_error *error)
{
	if (evidence < writer->next_evidence || id < writer->next_id)
		return iq_error_set(error, IQ_ERR_CORRUPT,
				    "a spool was lent numbers that the store has given away: evidence %u, event %llu",
				    evidence, (unsigned long long)id);
	/* The ids of a chunk follow each other. */
	if (id > writer->next_id) {
		int rc = flush_chunk(writer, error);

		if (rc < 0)
			return rc;
	}
	writer->next_evidence = evidence;
	writer->next_id = id;
	return 0;
}

uint32_t iq_store_writer_next_evidence(const struct iq_store_writer *writer)
{
	return writer->next_evidence;
}

int iq_store_writer_commit(struct iq_store_writer *writer, struct iq_error *error)
{
	if (writer->evidence.active)
		return iq_error_set(error, IQ_ERR_USAGE, "an evidence is still being written");
	return commit(writer, error);
}

const char *iq_store_writer_path(const struct iq_store_writer *writer)
{
	return writer->change.path;
}

struct iq_catalogue *iq_store_writer_catalogue(struct iq_store_writer *writer)
{
	return &writer->catalogue;
}

/* ---- The beginning of an evidence ---- */

/* The texts are in the evidence's memory. */
static int open_evidence(struct iq_store_writer *writer, struct iq_view path, struct iq_view format,
			 struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;

	if (evidence->active)
		return iq_error_set(error, IQ_ERR_USAGE, "an evidence is still being written");
	close_evidence(writer);
	evidence->part = (struct iq_evidence_part){ .last_ts = IQ_TIME_NONE,
						    .evidence.covers_from = IQ_TIME_NONE,
						    .evidence.covers_to = IQ_TIME_NONE };
	evidence->part.evidence.path = iq_arena_copy(&evidence->memory, path);
	evidence->part.evidence.format = iq_arena_copy(&evidence->memory, format);
	if (!evidence->part.evidence.path.data || !evidence->part.evidence.format.data)
		return iq_error_nomem(error);
	evidence->finder = (struct iq_body_finder){ 0 };
	evidence->sessions = 0;
	return begin_segment(writer, error);
}

/* A part begins where the chain stands. */
static void begin_part(struct iq_store_writer *writer)
{
	struct open_evidence *evidence = &writer->evidence;
	const uint64_t offset = evidence->chain.bytes;

	evidence->part.offset = evidence->raw_offset = evidence->event_end = evidence->reached = offset;
	evidence->settled = false;
	evidence->settled_gaps = 0;
	evidence->active = true;
}

int iq_store_writer_evidence_begin(struct iq_store_writer *writer, struct iq_view path, struct iq_view format,
				   struct iq_error *error)
{
	int rc = open_evidence(writer, path, format, error);

	if (rc < 0)
		return rc;
	iq_chain_reset(&writer->evidence.chain);
	writer->evidence.known = 0;
	writer->evidence.part.evidence.no = writer->next_evidence++;
	begin_part(writer);
	return 0;
}

int iq_store_writer_evidence_facts(struct iq_store_writer *writer, const struct iq_evidence_facts *facts,
				   struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_evidence *row = &evidence->part.evidence;

	row->covers_from = facts->covers_from;
	row->covers_to = facts->covers_to;
	row->redacted = iq_arena_copy(&evidence->memory, facts->redacted);
	return facts->redacted.data && !row->redacted.data ? iq_error_nomem(error) : 0;
}

static int cover(struct open_evidence *evidence, uint64_t offset, uint64_t length);

int iq_store_writer_evidence_continue(struct iq_store_writer *writer, const struct iq_recogniser *recogniser,
				      struct iq_view path, struct iq_error *error)
{
	const struct iq_known_stream *stream = iq_recogniser_continues(recogniser);
	struct open_evidence *evidence = &writer->evidence;
	int rc = stream ? 0 : iq_error_set(error, IQ_ERR_USAGE, "no evidence to be continued");

	/* Two parts of one evidence are in two segments. */
	if (rc == 0 && !stream->committed)
		rc = iq_store_writer_commit(writer, error);
	if (rc == 0)
		rc = open_evidence(writer, path, stream->whole.evidence.format, error);
	if (rc < 0)
		return rc;
	evidence->old_tail = stream->tail;
	iq_catalogue_drop_tail(&writer->catalogue, stream->whole.evidence.no);
	evidence->part.evidence.no = stream->whole.evidence.no;
	evidence->part.last_event = stream->whole.last_event;
	evidence->part.last_ts = stream->whole.last_ts;
	evidence->known = stream->whole.settled;
	if (iq_recogniser_chain(recogniser, &evidence->chain) < 0)
		return iq_error_nomem(error);
	begin_part(writer);
	return cover(evidence, 0, stream->whole.restart.offset) < 0 ? iq_error_nomem(error) : 0;
}

/* ---- Raw bytes ---- */

static struct iq_view raw_left(const struct open_evidence *evidence)
{
	return iq_view_from(iq_buf_view(&evidence->raw), evidence->raw_start);
}

static void pass_raw(struct open_evidence *evidence, size_t len)
{
	evidence->raw_start += len;
	evidence->raw_offset += len;
}

/* Hashes what was passed: in large pieces, not record by record. */
static int hash_passed(struct open_evidence *evidence, struct iq_error *error)
{
	size_t hashed = evidence->raw_start - (size_t)(evidence->raw_offset - evidence->chain.bytes);
	struct iq_view passed = iq_view_make(evidence->raw.data + hashed, evidence->raw_start - hashed);

	return passed.len > 0 && iq_chain_update(&evidence->chain, passed) < 0 ? iq_error_nomem(error) : 0;
}

static int write_raw_block(struct iq_store_writer *writer, size_t len, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	int rc = begin_segment(writer, error);

	if (rc == 0 && !evidence->part.evidence.redacted.data)
		rc = iq_segment_writer_raw(writer->segment, evidence->part.evidence.no, evidence->raw_offset,
					   iq_view_make(raw_left(evidence).data, len), error);
	pass_raw(evidence, len);
	return rc;
}

int iq_store_writer_raw(struct iq_store_writer *writer, const void *data, size_t len, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	int rc = hash_passed(evidence, error);

	if (rc < 0)
		return rc;
	iq_buf_consume(&evidence->raw, evidence->raw_start);
	evidence->raw_start = 0;
	if (iq_buf_append(&evidence->raw, iq_view_make(data, len)) < 0)
		return iq_error_nomem(error);
	while (rc == 0 && raw_left(evidence).len >= IQ_RAW_BLOCK_BYTES)
		rc = write_raw_block(writer, IQ_RAW_BLOCK_BYTES, error);
	return rc;
}

/* Where the parser says that it took the body from, or wherever else it stands. */
static void find_body(struct iq_body_finder *finder, const struct iq_event *event, struct iq_raw_record *raw)
{
	size_t at = (size_t)(event->body_offset - raw->offset), len = (size_t)event->body_length;
	unsigned escape;

	if ((len > 0 && event->body_offset >= raw->offset &&
	     iq_body_know(finder, raw->bytes, at, len, event->body.len, &escape)) ||
	    iq_body_find(finder, raw->bytes, event->body, &at, &len, &escape))
		raw->hole = (struct iq_hole){ (uint32_t)at, (uint32_t)len, (uint8_t)escape };
}

/* Of a redacted evidence the record has no bytes: it is where the event ends. */
static void leave_out(const struct open_evidence *evidence, const struct iq_event *event, struct iq_raw_record *record)
{
	record->bytes.len = 0;
	record->skip = evidence->raw_offset - evidence->event_end;
	record->lead = (int64_t)(event->offset - evidence->raw_offset);
	record->offset = evidence->raw_offset;
	record->excess = (int64_t)event->length + record->lead;
}

/* What is left up to the event's end is its raw record, in which its body is looked for. */
static void take_raw(struct open_evidence *evidence, const struct iq_event *event, struct iq_raw_record *ret)
{
	const uint64_t end = event->length > UINT64_MAX - event->offset ? UINT64_MAX : event->offset + event->length;
	struct iq_view left = raw_left(evidence);

	if (end <= evidence->raw_offset)
		left.len = 0;
	else if (end - evidence->raw_offset < left.len)
		left.len = (size_t)(end - evidence->raw_offset);
	*ret = (struct iq_raw_record){ .bytes = left,
				       .hole = { .at = IQ_HOLE_NONE },
				       .skip = evidence->raw_offset - evidence->event_end,
				       .lead = (int64_t)(event->offset - evidence->raw_offset),
				       .offset = evidence->raw_offset };
	ret->excess = (int64_t)event->length - ((int64_t)left.len - ret->lead);
	pass_raw(evidence, left.len);
	if (evidence->part.evidence.redacted.data)
		leave_out(evidence, event, ret);
	evidence->event_end = evidence->raw_offset;
	if (ret->bytes.len > 0 && ret->bytes.len < IQ_HOLE_NONE)
		find_body(&evidence->finder, event, ret);
}

/* Records come nearly in order, so most ranges extend the last one. */
static int cover(struct open_evidence *evidence, uint64_t offset, uint64_t length)
{
	struct range *last = evidence->covered_count ? &evidence->covered[evidence->covered_count - 1] : NULL;
	uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
	struct range *ranges;

	if (length == 0)
		return 0;
	if (end > evidence->reached)
		evidence->reached = end;
	if (last && offset >= last->start && offset <= last->end) {
		if (end > last->end)
			last->end = end;
		return 0;
	}
	ranges = grow(evidence->covered, evidence->covered_count + 1, &evidence->covered_capacity, sizeof(*ranges));
	if (!ranges)
		return IQ_ERR_NOMEM;
	evidence->covered = ranges;
	ranges[evidence->covered_count++] = (struct range){ offset, end };
	return 0;
}

/* ---- The sink ---- */

static void fold_source(struct iq_source *source, const struct iq_event *event)
{
	const struct iq_source one = { .events = 1, .first = event->ts, .last = event->ts };

	iq_source_fold(source, &one);
}

/* What one event says about its session's ends. */
static enum iq_session_state state_after(const struct iq_live_session *session, const struct iq_event *event)
{
	if (event->kind == IQ_KIND_WS_CLOSE || event->session_ends)
		return IQ_SESSION_CLOSED;
	if (event->kind != IQ_KIND_NET_ERROR)
		return IQ_SESSION_OPEN;
	if (iq_view_eq(event->type, IQ_LIT("refused")))
		return IQ_SESSION_REFUSED;
	if (iq_view_eq(event->type, IQ_LIT("cut")) || session->start_seen || session->seen)
		return IQ_SESSION_CUT;
	return IQ_SESSION_REFUSED;
}

static void fold_session(struct iq_live_session *session, const struct iq_event *event)
{
	const enum iq_session_state state = state_after(session, event);
	const struct iq_session one = {
		.started = event->ts,
		.ended = event->ts,
		.events = 1,
		/* Nothing came before a refusal. */
		.start_seen = event->kind == IQ_KIND_WS_OPEN || state == IQ_SESSION_REFUSED || event->session_begins,
		.end_seen = state != IQ_SESSION_OPEN,
		.state = state,
		.first_event = event->id,
		.last_event = event->id,
	};

	iq_session_fold(&session->part, &one);
	session->seen = true;
	session->start_seen |= one.start_seen;
}

static void note_event(struct iq_evidence_part *part, const struct iq_event *event)
{
	part->evidence.records++;
	if (part->first_event == 0)
		part->first_event = event->id;
	part->last_event = event->id;
	part->last_ts = event->ts;
}

/* Given by the parts before: a parser that was started again gives it once more. */
static bool is_repeated(const struct open_evidence *evidence, uint64_t offset, uint64_t length)
{
	return offset < evidence->known && length <= evidence->known - offset;
}

static int pass_over(struct open_evidence *evidence, uint64_t offset, uint64_t length, struct iq_error *error)
{
	return cover(evidence, offset, length) < 0 ? iq_error_nomem(error) : 0;
}

/* Is this its first event in the evidence? */
static void count_session(struct open_evidence *evidence, struct iq_live_session *session)
{
	evidence->sessions += session->evidence != evidence->part.evidence.no;
	session->evidence = evidence->part.evidence.no;
}

static int take_event(struct iq_store_writer *writer, const struct iq_event *event, struct iq_error *error)
{
	struct source_state *source = find_source(writer, event->source.data ? event->source : IQ_LIT("unknown"), 0);
	struct iq_live_session *session = NULL;
	struct iq_chunk_builder *builder = iq_encoder_builder(writer->encoder);
	struct iq_event stored = *event;
	struct iq_raw_record raw;
	int rc = source ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && event->session.data)
		rc = iq_sessions_get(&writer->sessions, source->part.no, event->session, &session);
	if (rc < 0)
		return session_error(rc, error);
	stored.id = writer->next_id++;
	stored.evidence = writer->evidence.part.evidence.no;
	stored.source = source->part.name;
	stored.session = session ? session->part.name : IQ_VIEW_NULL;
	stored.session_no = session ? session->part.no : 0;
	stored.body_is_binary = event->body.data && !iq_utf8_valid(event->body);
	fold_source(&source->part, &stored);
	if (session) {
		count_session(&writer->evidence, session);
		fold_session(session, &stored);
	}
	take_raw(&writer->evidence, &stored, &raw);
	if (iq_chunk_builder_add(builder, &stored, source->part.no, &raw) < 0 ||
	    cover(&writer->evidence, event->offset, event->length) < 0)
		return iq_error_nomem(error);
	note_event(&writer->evidence.part, &stored);
	return iq_chunk_builder_full(builder) ? flush_chunk(writer, error) : 0;
}

static int begin_tail(struct iq_store_writer *writer, struct iq_error *error);

static int sink_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_store_writer *writer = context;
	const bool begins_tail = writer->evidence.settled && !writer->evidence.is_tail;
	int rc = begins_tail ? begin_tail(writer, error) : 0;

	if (rc < 0)
		return rc;
	return is_repeated(&writer->evidence, event->offset, event->length)
		       ? pass_over(&writer->evidence, event->offset, event->length, error)
		       : take_event(writer, event, error);
}

/* The session that a gap names: all of its events may have been lost. *ret_no is 0 where it names none. */
static int gap_session(struct iq_store_writer *writer, const struct iq_gap *gap, uint32_t *ret_no)
{
	struct source_state *source;
	struct iq_live_session *session;
	int rc;

	*ret_no = 0;
	if (!gap->source.data || !gap->session.data)
		return 0;
	source = find_source(writer, gap->source, 0);
	rc = source ? iq_sessions_get(&writer->sessions, source->part.no, gap->session, &session) : IQ_ERR_NOMEM;
	if (rc < 0)
		return rc;
	source->named = session->named = true;
	*ret_no = session->part.no;
	return 0;
}

static int take_gap(struct iq_store_writer *writer, const struct iq_gap *gap, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_gap stored = *gap;
	uint32_t session_no;
	int rc = begin_segment(writer, error);

	if (rc < 0)
		return rc;
	stored.evidence = evidence->part.evidence.no;
	if (stored.after == 0)
		stored.after = evidence->part.last_event;
	if (stored.before == 0)
		stored.before = writer->next_id;
	if (stored.ts_min == IQ_TIME_NONE)
		stored.ts_min = evidence->part.last_ts;
	evidence->part.evidence.gaps++;
	if (cover(evidence, gap->offset, gap->bytes) < 0 || gap_session(writer, gap, &session_no) < 0)
		return iq_error_nomem(error);
	return iq_segment_writer_gap(writer->segment, &stored, session_no, error);
}

static int copy_text(struct iq_arena *memory, struct iq_view *text)
{
	const bool there = text->data != NULL;

	*text = iq_arena_copy(memory, *text);
	return there && !text->data ? IQ_ERR_NOMEM : 0;
}

/* Keeps a gap of what is unfinished. */
static int wait_gap(struct open_evidence *evidence, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_gap *waiting =
		grow(evidence->waiting, evidence->waiting_count + 1, &evidence->waiting_capacity, sizeof(*waiting));

	if (!waiting)
		return iq_error_nomem(error);
	evidence->waiting = waiting;
	waiting += evidence->waiting_count++;
	*waiting = *gap;
	return copy_text(&evidence->memory, &waiting->source) < 0 ||
			       copy_text(&evidence->memory, &waiting->session) < 0 ||
			       copy_text(&evidence->memory, &waiting->reason) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

static int sink_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_store_writer *writer = context;

	if (writer->evidence.settled && !writer->evidence.is_tail)
		return wait_gap(&writer->evidence, gap, error);
	return is_repeated(&writer->evidence, gap->offset, gap->bytes)
		       ? pass_over(&writer->evidence, gap->offset, gap->bytes, error)
		       : take_gap(writer, gap, error);
}

struct iq_sink *iq_store_writer_sink(struct iq_store_writer *writer)
{
	return &writer->sink;
}

/* ---- The end of a part, and of an evidence ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int add_hole(struct iq_store_writer *writer, uint64_t start, uint64_t end, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.offset = start;
	gap.bytes = end - start;
	gap.reason = IQ_LIT("not part of any record");
	return take_gap(writer, &gap, error);
}

/* Whatever no record and no gap covers before `end` becomes a gap. */
static int account(struct iq_store_writer *writer, uint64_t end, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	size_t count = evidence->covered_count;
	struct range *ranges = evidence->covered;
	uint64_t reached = 0;
	int rc = 0;

	/* add_hole() covers as well: it must not grow the array that is being read. */
	evidence->covered = NULL;
	evidence->covered_count = evidence->covered_capacity = 0;
	if (count > 0)
		qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < count && rc == 0; i++) {
		uint64_t start = ranges[i].start < end ? ranges[i].start : end;

		if (start > reached)
			rc = add_hole(writer, reached, start, error);
		if (ranges[i].end > reached)
			reached = ranges[i].end;
		if (rc == 0 && cover(evidence, ranges[i].start, ranges[i].end - ranges[i].start) < 0)
			rc = iq_error_nomem(error);
	}
	if (rc == 0 && reached < end)
		rc = add_hole(writer, reached, end, error);
	free(ranges);
	return rc;
}

static uint64_t fed(const struct open_evidence *evidence)
{
	return evidence->raw_offset + raw_left(evidence).len;
}

/* Raw bytes before `end` that no event took go into a block. */
static int write_raw_until(struct iq_store_writer *writer, uint64_t end, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;

	return end > evidence->raw_offset ? write_raw_block(writer, (size_t)(end - evidence->raw_offset), error) : 0;
}

static int settle(struct iq_store_writer *writer, const struct iq_restart *restart, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	uint64_t settled = evidence->reached > restart->offset ? evidence->reached : restart->offset;
	int rc = account(writer, restart->offset, error);

	if (settled > fed(evidence))
		settled = fed(evidence);
	if (rc == 0)
		rc = write_raw_until(writer, settled, error);
	/* Bytes beyond may have been written already, in blocks: nothing was given of them yet, and the next part holds them once more. */
	if (settled < evidence->part.offset)
		settled = evidence->part.offset;
	evidence->part.settled = settled < evidence->raw_offset ? settled : evidence->raw_offset;
	evidence->part.restart = *restart;
	evidence->settled_gaps = evidence->part.evidence.gaps;
	return rc;
}

/* What comes now was unfinished in every part before: nothing of it is repeated. */
int iq_store_writer_evidence_settle(struct iq_store_writer *writer, const struct iq_restart *restart,
				    struct iq_error *error)
{
	int rc = settle(writer, restart, error);

	writer->evidence.known = 0;
	writer->evidence.settled = true;
	return rc;
}

static int remove_old_tail(struct iq_store_writer *writer)
{
	struct open_evidence *evidence = &writer->evidence;
	const char **removed =
		grow(writer->removed, writer->removed_count + 1, &writer->removed_capacity, sizeof(*removed));

	if (!removed)
		return IQ_ERR_NOMEM;
	writer->removed = removed;
	if (evidence->old_tail)
		removed[writer->removed_count++] = evidence->old_tail;
	evidence->old_tail = NULL;
	return 0;
}

/* The name that the open segment will have. */
static struct iq_view segment_name(const struct iq_store_writer *writer)
{
	struct iq_view name = iq_view_cstr(writer->segment_path ? iq_path_base(writer->segment_path) : "");

	if (iq_view_ends_with(name, IQ_LIT(".tmp")))
		name.len -= strlen(".tmp");
	return name;
}

/* Writes the row of the part, which ends at raw_offset. */
static int write_part(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_evidence_part part;
	int rc = hash_passed(evidence, error);

	if (rc == 0)
		rc = begin_segment(writer, error);
	if (rc < 0)
		return rc;
	evidence->part.evidence.bytes = evidence->raw_offset - evidence->part.offset;
	evidence->part.marks = iq_chain_marks(&evidence->chain, evidence->part.offset);
	iq_sha256_digest(evidence->chain.hash, evidence->part.evidence.sha256);
	part = evidence->part;
	part.evidence.gaps = evidence->settled_gaps;
	rc = iq_segment_writer_end_evidence(writer->segment, &part, writer->next_id, error);
	if (rc == 0 && (iq_catalogue_add(&writer->catalogue, &part, segment_name(writer), false) < 0 ||
			remove_old_tail(writer) < 0))
		rc = iq_error_nomem(error);
	return rc;
}

/* The rest of the evidence is a part of its own. */
static void begin_next_part(struct iq_store_writer *writer)
{
	struct iq_evidence_part *part = &writer->evidence.part;

	part->evidence.records = part->evidence.gaps = 0;
	part->first_event = 0;
	begin_part(writer);
}

int iq_store_writer_evidence_commit(struct iq_store_writer *writer, const struct iq_restart *restart,
				    struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	int rc = settle(writer, restart, error);

	if (rc == 0 && evidence->raw_offset > evidence->part.offset) {
		evidence->part.evidence.accounted = restart->offset;
		rc = write_part(writer, error);
	}
	if (rc == 0)
		rc = commit(writer, error);
	if (rc == 0)
		begin_next_part(writer);
	return rc;
}

/* ---- Tails ---- */

static int give_waiting(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	int rc = 0;

	for (size_t i = 0; i < evidence->waiting_count && rc == 0; i++)
		rc = take_gap(writer, &evidence->waiting[i], error);
	evidence->waiting_count = 0;
	return rc;
}

static int end_segment(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = flush_chunk(writer, error);

	return rc == 0 && writer->segment ? seal_segment(writer, error) : rc;
}

/* What was unfinished becomes an event: it goes into a segment of its own, which can be removed when it is finished. */
static int begin_tail(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	const struct iq_restart restart = evidence->part.restart;
	int rc = 0;

	if (evidence->raw_offset > evidence->part.offset) {
		evidence->part.evidence.accounted = restart.offset;
		rc = write_part(writer, error);
	}
	if (rc == 0)
		rc = end_segment(writer, error);
	if (rc < 0)
		return rc;
	begin_next_part(writer);
	evidence->is_tail = true;
	evidence->part.settled = evidence->part.offset;
	evidence->part.restart = restart;
	rc = begin_segment(writer, error);
	return rc == 0 ? give_waiting(writer, error) : rc;
}

/* Where nothing was said to be unfinished, everything is settled. */
static int end_evidence(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_evidence_part *part = &evidence->part;
	int rc = give_waiting(writer, error);

	if (rc == 0)
		rc = account(writer, fed(evidence), error);
	if (rc == 0)
		rc = write_raw_until(writer, fed(evidence), error);
	if (!evidence->settled && !evidence->is_tail) {
		part->settled = evidence->raw_offset;
		part->restart = (struct iq_restart){ evidence->raw_offset, 0 };
		evidence->settled_gaps = part->evidence.gaps;
	}
	part->evidence.accounted = evidence->raw_offset;
	part->ended = true;
	return rc == 0 ? write_part(writer, error) : rc;
}

int iq_store_writer_evidence_end(struct iq_store_writer *writer, struct iq_evidence *ret_evidence,
				 struct iq_error *error)
{
	const uint64_t *index;
	uint64_t unsettled;
	bool is_tail;
	int rc = end_evidence(writer, error);

	is_tail = writer->evidence.is_tail;
	if (rc < 0)
		return rc;
	index = iq_catalogue_index(&writer->catalogue, writer->evidence.part.evidence.no);
	unsettled = writer->evidence.part.evidence.gaps - writer->evidence.settled_gaps;
	*ret_evidence = writer->catalogue.streams[*index].whole.evidence;
	ret_evidence->gaps += unsettled;
	/* The texts go with the evidence's memory. */
	ret_evidence->path = IQ_VIEW_NULL;
	ret_evidence->format = IQ_VIEW_NULL;
	ret_evidence->redacted = IQ_VIEW_NULL;
	close_evidence(writer);
	/* A preview is one segment. */
	if (!is_tail && (!writer->change.path || iq_segment_writer_bytes(writer->segment) < IQ_SEGMENT_MAX_BYTES))
		return 0;
	return end_segment(writer, error);
}

uint64_t iq_store_writer_evidence_sessions(const struct iq_store_writer *writer)
{
	return writer->evidence.sessions;
}

bool iq_store_writer_full(const struct iq_store_writer *writer)
{
	return iq_sessions_full(&writer->sessions);
}

uint64_t iq_store_writer_last_id(const struct iq_store_writer *writer)
{
	return writer->next_id - 1;
}
