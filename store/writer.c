#include <stdlib.h>
#include <string.h>

#include "store/body_finder.h"
#include "store/change.h"
#include "store/encoder.h"
#include "store/reader.h"
#include "store/recogniser.h"
#include "store/spool_store.h"

/* A source or session as the whole store knows it, and the part of it that the open segment will hold. */
struct source_state {
	struct iq_source whole;
	struct iq_source part;
	bool named; /* by a gap of the open segment, which then holds a part even without events */
};

struct session_state {
	struct iq_session whole;
	struct iq_session part;
	bool named; /* as for a source */
	uint32_t source_no;
	uint32_t evidence; /* in which it appeared last */
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
	bool settled;	     /* part.settled and part.restart are set, and these: */
	uint64_t settled_records;
	uint64_t settled_gaps;
	uint64_t sessions; /* that appear in it, since it was begun or continued */
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
	struct iq_map source_numbers; /* name -> index in sources */
	struct source_state *sources;
	size_t source_capacity;
	struct iq_map session_numbers; /* source number and name -> index in sessions */
	struct session_state *sessions;
	size_t session_capacity;
	struct iq_catalogue catalogue;
	struct open_evidence evidence;
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

static struct source_state *find_source(struct iq_store_writer *writer, struct iq_view name)
{
	struct source_state *sources;
	uint32_t index;
	int rc = iq_map_intern(&writer->source_numbers, name, &index);

	if (rc < 0)
		return NULL;
	if (rc == 1) {
		sources = grow(writer->sources, (size_t)index + 1, &writer->source_capacity, sizeof(*sources));
		if (!sources)
			return NULL;
		writer->sources = sources;
		sources[index].named = false;
		sources[index].part = (struct iq_source){
			.no = index + 1,
			.name = writer->source_numbers.entries[index].key,
			.first = IQ_TIME_NONE,
			.last = IQ_TIME_NONE,
		};
		sources[index].whole = sources[index].part;
	}
	return &writer->sources[index];
}

/* The key of a session: its source's number, then its name. Appended to an empty `key`. */
static struct iq_view session_key(struct iq_buf *key, uint32_t source_no, struct iq_view name)
{
	(void)iq_buf_append(key, iq_view_make((const char *)&source_no, sizeof(source_no)));
	(void)iq_buf_append(key, name);
	return iq_buf_view(key);
}

static struct session_state *add_session(struct iq_store_writer *writer, uint32_t index, uint32_t source_no)
{
	struct session_state *sessions =
		grow(writer->sessions, (size_t)index + 1, &writer->session_capacity, sizeof(*sessions));

	if (!sessions)
		return NULL;
	writer->sessions = sessions;
	sessions[index].source_no = source_no;
	sessions[index].evidence = 0;
	sessions[index].named = false;
	sessions[index].part = (struct iq_session){
		.no = index + 1,
		.name = iq_view_from(writer->session_numbers.entries[index].key, sizeof(source_no)),
		.started = IQ_TIME_NONE,
		.ended = IQ_TIME_NONE,
	};
	sessions[index].whole = sessions[index].part;
	return &sessions[index];
}

static struct session_state *find_session(struct iq_store_writer *writer, uint32_t source_no, struct iq_view name)
{
	struct iq_buf key = IQ_BUF_INIT;
	struct iq_view view = session_key(&key, source_no, name);
	uint32_t index;
	int rc = key.failed ? IQ_ERR_NOMEM : iq_map_intern(&writer->session_numbers, view, &index);

	iq_buf_release(&key);
	if (rc < 0)
		return NULL;
	return rc == 1 ? add_session(writer, index, source_no) : &writer->sessions[index];
}

static void reset_state(struct iq_store_writer *writer)
{
	iq_map_clear(&writer->source_numbers);
	iq_map_clear(&writer->session_numbers);
	iq_catalogue_clear(&writer->catalogue);
	iq_chunk_builder_clear(iq_encoder_builder(writer->encoder));
	writer->next_id = 1;
	writer->next_evidence = 1;
}

/* Numbers are given in the order of first appearance, so reading the tables by number gives the same numbers again. */
static int take_over(struct iq_store_writer *writer, const struct iq_store *store)
{
	for (size_t i = 0; i < store->source_count; i++) {
		struct source_state *state = find_source(writer, store->sources[i].name);

		if (!state || state->whole.no != store->sources[i].no)
			return state ? IQ_ERR_CORRUPT : IQ_ERR_NOMEM;
		iq_source_fold(&state->whole, &store->sources[i]);
	}
	for (size_t i = 0; i < store->session_count; i++) {
		const struct iq_session *session = &store->sessions[i];
		uint64_t *source = iq_map_get(&writer->source_numbers, session->source);
		struct session_state *state =
			source ? find_session(writer, (uint32_t)*source + 1, session->name) : NULL;

		if (!state || state->whole.no != session->no)
			return IQ_ERR_CORRUPT;
		iq_session_fold(&state->whole, session);
	}
	for (size_t i = 0; i < store->part_count; i++) {
		if (iq_catalogue_add(&writer->catalogue, store->parts[i].part, true) < 0)
			return IQ_ERR_NOMEM;
		writer->next_evidence = store->parts[i].part->evidence.no + 1;
	}
	writer->next_id = store->last_id + 1;
	/* The ids of events that were dropped are not given again. */
	for (size_t i = 0; i < store->part_count; i++)
		if (store->parts[i].part->last_event >= writer->next_id)
			writer->next_id = store->parts[i].part->last_event + 1;
	return 0;
}

static int load_state(struct iq_store_writer *writer, struct iq_error *error)
{
	struct iq_store *store;
	int rc = iq_store_open_sealed(writer->change.path, &store, error);

	if (rc < 0)
		return rc;
	reset_state(writer);
	rc = iq_store_load(store, error);
	if (rc == 0)
		rc = take_over(writer, store);
	iq_store_close(store);
	return rc < 0 ? iq_error_set(error, (enum iq_status)rc, "%s: cannot be continued: %s", writer->change.path,
				     iq_status_text(rc))
		      : 0;
}

/* ---- Opening ---- */

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

int iq_store_writer_preview(const struct iq_store *store, const char *file, struct iq_store_writer **ret_writer,
			    struct iq_error *error)
{
	struct iq_store_writer *writer = NULL;
	int rc = make_writer(&writer, error);

	if (rc < 0)
		return rc;
	reset_state(writer);
	if (take_over(writer, store) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = iq_segment_writer_new(file, IQ_SEGMENT_LEVEL, &writer->segment, error);
	if (rc < 0)
		iq_store_writer_free(writer);
	else
		*ret_writer = writer;
	return rc;
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

	evidence->active = false;
	evidence->covered_count = 0;
	iq_buf_clear(&evidence->raw);
	evidence->raw_start = 0;
	iq_arena_clear(&evidence->memory);
}

int iq_store_writer_rollback(struct iq_store_writer *writer, struct iq_error *error)
{
	drop_segment(writer);
	iq_change_forget(&writer->change);
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
	iq_map_release(&writer->source_numbers);
	iq_map_release(&writer->session_numbers);
	iq_catalogue_release(&writer->catalogue);
	iq_chain_release(&writer->evidence.chain);
	iq_buf_release(&writer->evidence.raw);
	iq_arena_release(&writer->evidence.memory);
	free(writer->evidence.covered);
	free(writer->sources);
	free(writer->sessions);
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

/* The segment, when no chunk is on its way into it. */
static int take_segment(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = begin_segment(writer, error);

	return rc == 0 ? iq_encoder_wait(writer->encoder, error) : rc;
}

static int flush_chunk(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc;

	if (iq_encoder_builder(writer->encoder)->rows == 0)
		return 0;
	rc = begin_segment(writer, error);
	return rc == 0 ? iq_encoder_give(writer->encoder, writer->segment, error) : rc;
}

/* The parts of sources and sessions that this segment holds; then they begin anew. */
static int write_parts(struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < writer->source_numbers.count && rc == 0; i++) {
		struct iq_source *part = &writer->sources[i].part;

		if (part->events == 0 && !writer->sources[i].named)
			continue;
		writer->sources[i].named = false;
		rc = iq_segment_writer_source(writer->segment, part, error);
		*part = (struct iq_source){
			.no = part->no, .name = part->name, .first = IQ_TIME_NONE, .last = IQ_TIME_NONE
		};
	}
	for (size_t i = 0; i < writer->session_numbers.count && rc == 0; i++) {
		struct iq_session *part = &writer->sessions[i].part;

		if (part->events == 0 && !writer->sessions[i].named)
			continue;
		writer->sessions[i].named = false;
		rc = iq_segment_writer_session(writer->segment, part, writer->sessions[i].source_no, error);
		*part = (struct iq_session){
			.no = part->no, .name = part->name, .started = IQ_TIME_NONE, .ended = IQ_TIME_NONE
		};
	}
	return rc;
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
		rc = iq_change_commit(&writer->change, NULL, 0, error);
	if (rc == 0)
		iq_catalogue_commit(&writer->catalogue);
	return rc;
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
	evidence->part = (struct iq_evidence_part){ .last_ts = IQ_TIME_NONE };
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
	int rc = take_segment(writer, error);

	if (rc == 0)
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

/* What is left up to the event's end is its raw record, in which its body is looked for. */
static void take_raw(struct open_evidence *evidence, const struct iq_event *event, struct iq_raw_record *ret)
{
	const uint64_t end = event->length > UINT64_MAX - event->offset ? UINT64_MAX : event->offset + event->length;
	struct iq_view left = raw_left(evidence);
	size_t at, len;
	unsigned escape;

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
	evidence->event_end = evidence->raw_offset;
	if (left.len < IQ_HOLE_NONE && iq_body_find(&evidence->finder, left, event->body, &at, &len, &escape))
		ret->hole = (struct iq_hole){ (uint32_t)at, (uint32_t)len, (uint8_t)escape };
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

static void fold_source(struct source_state *state, const struct iq_event *event)
{
	const struct iq_source one = { .events = 1, .first = event->ts, .last = event->ts };

	iq_source_fold(&state->whole, &one);
	iq_source_fold(&state->part, &one);
}

/* What one event says about its session's ends. */
static enum iq_session_state state_after(const struct session_state *session, const struct iq_event *event)
{
	if (event->kind == IQ_KIND_WS_CLOSE)
		return IQ_SESSION_CLOSED;
	if (event->kind != IQ_KIND_NET_ERROR)
		return IQ_SESSION_OPEN;
	if (iq_view_eq(event->type, IQ_LIT("refused")))
		return IQ_SESSION_REFUSED;
	if (iq_view_eq(event->type, IQ_LIT("cut")) || session->whole.start_seen || session->whole.events > 0)
		return IQ_SESSION_CUT;
	return IQ_SESSION_REFUSED;
}

static void fold_session(struct session_state *session, const struct iq_event *event)
{
	const struct iq_session one = {
		.started = event->ts,
		.ended = event->ts,
		.events = 1,
		.start_seen = event->kind == IQ_KIND_WS_OPEN,
		.end_seen = event->kind == IQ_KIND_WS_CLOSE || event->kind == IQ_KIND_NET_ERROR,
		.state = state_after(session, event),
		.first_event = event->id,
		.last_event = event->id,
	};

	iq_session_fold(&session->whole, &one);
	iq_session_fold(&session->part, &one);
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
static void count_session(struct open_evidence *evidence, struct session_state *session)
{
	evidence->sessions += session->evidence != evidence->part.evidence.no;
	session->evidence = evidence->part.evidence.no;
}

static int take_event(struct iq_store_writer *writer, const struct iq_event *event, struct iq_error *error)
{
	struct source_state *source = find_source(writer, event->source.data ? event->source : IQ_LIT("unknown"));
	struct session_state *session = NULL;
	struct iq_chunk_builder *builder = iq_encoder_builder(writer->encoder);
	struct iq_event stored = *event;
	struct iq_raw_record raw;

	if (source && event->session.data)
		session = find_session(writer, source->whole.no, event->session);
	if (!source || (event->session.data && !session))
		return iq_error_nomem(error);
	stored.id = writer->next_id++;
	stored.evidence = writer->evidence.part.evidence.no;
	stored.source = source->whole.name;
	stored.session = session ? session->whole.name : IQ_VIEW_NULL;
	stored.session_no = session ? session->whole.no : 0;
	stored.body_is_binary = event->body.data && !iq_utf8_valid(event->body);
	fold_source(source, &stored);
	if (session) {
		count_session(&writer->evidence, session);
		fold_session(session, &stored);
	}
	take_raw(&writer->evidence, &stored, &raw);
	if (iq_chunk_builder_add(builder, &stored, source->whole.no, &raw) < 0 ||
	    cover(&writer->evidence, event->offset, event->length) < 0)
		return iq_error_nomem(error);
	note_event(&writer->evidence.part, &stored);
	return iq_chunk_builder_full(builder) ? flush_chunk(writer, error) : 0;
}

static int sink_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_store_writer *writer = context;

	return is_repeated(&writer->evidence, event->offset, event->length)
		       ? pass_over(&writer->evidence, event->offset, event->length, error)
		       : take_event(writer, event, error);
}

/* The session that a gap names: all of its events may have been lost. *ret_no is 0 where it names none. */
static int gap_session(struct iq_store_writer *writer, const struct iq_gap *gap, uint32_t *ret_no)
{
	struct source_state *source;
	struct session_state *session;

	*ret_no = 0;
	if (!gap->source.data || !gap->session.data)
		return 0;
	source = find_source(writer, gap->source);
	session = source ? find_session(writer, source->whole.no, gap->session) : NULL;
	if (!session)
		return IQ_ERR_NOMEM;
	source->named = session->named = true;
	*ret_no = session->whole.no;
	return 0;
}

static int take_gap(struct iq_store_writer *writer, const struct iq_gap *gap, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_gap stored = *gap;
	uint32_t session_no;
	int rc = take_segment(writer, error);

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

static int sink_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_store_writer *writer = context;

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
	int rc;

	if (settled > fed(evidence))
		settled = fed(evidence);
	rc = write_raw_until(writer, settled, error);
	evidence->part.settled = evidence->raw_offset;
	evidence->part.restart = *restart;
	evidence->settled = true;
	evidence->settled_records = evidence->part.evidence.records;
	evidence->settled_gaps = evidence->part.evidence.gaps;
	return rc;
}

/* What comes now was unfinished in every part before: nothing of it is repeated. */
int iq_store_writer_evidence_settle(struct iq_store_writer *writer, const struct iq_restart *restart,
				    struct iq_error *error)
{
	writer->evidence.known = 0;
	return settle(writer, restart, error);
}

/* Writes the row of the part, which ends at raw_offset. */
static int write_part(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_evidence_part part;
	int rc = hash_passed(evidence, error);

	if (rc == 0)
		rc = take_segment(writer, error);
	if (rc < 0)
		return rc;
	evidence->part.evidence.bytes = evidence->raw_offset - evidence->part.offset;
	evidence->part.marks = iq_chain_marks(&evidence->chain, evidence->part.offset);
	iq_sha256_digest(evidence->chain.hash, evidence->part.evidence.sha256);
	part = evidence->part;
	part.evidence.gaps = evidence->settled_gaps;
	rc = iq_segment_writer_end_evidence(writer->segment, &part, writer->next_id, error);
	if (rc == 0 && iq_catalogue_add(&writer->catalogue, &part, false) < 0)
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
	int rc = account(writer, restart->offset, error);

	if (rc == 0)
		rc = settle(writer, restart, error);
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

/* Without the settled end of another, the evidence settles at its end. */
static int end_evidence(struct iq_store_writer *writer, struct iq_error *error)
{
	struct open_evidence *evidence = &writer->evidence;
	struct iq_evidence_part *part = &evidence->part;
	int rc = account(writer, fed(evidence), error);

	if (rc == 0)
		rc = write_raw_until(writer, fed(evidence), error);
	if (!evidence->settled || part->evidence.records > evidence->settled_records) {
		part->settled = evidence->raw_offset;
		part->restart = (struct iq_restart){ evidence->raw_offset, part->restart.lines };
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
	int rc = end_evidence(writer, error);

	if (rc < 0)
		return rc;
	index = iq_catalogue_index(&writer->catalogue, writer->evidence.part.evidence.no);
	unsettled = writer->evidence.part.evidence.gaps - writer->evidence.settled_gaps;
	*ret_evidence = writer->catalogue.streams[*index].whole.evidence;
	ret_evidence->gaps += unsettled;
	/* The texts go with the evidence's memory. */
	ret_evidence->path = IQ_VIEW_NULL;
	ret_evidence->format = IQ_VIEW_NULL;
	close_evidence(writer);
	/* A preview is one segment. */
	if (!writer->change.path || iq_segment_writer_bytes(writer->segment) < IQ_SEGMENT_MAX_BYTES)
		return 0;
	rc = flush_chunk(writer, error);
	return rc == 0 ? seal_segment(writer, error) : rc;
}

uint64_t iq_store_writer_evidence_sessions(const struct iq_store_writer *writer)
{
	return writer->evidence.sessions;
}

uint64_t iq_store_writer_last_id(const struct iq_store_writer *writer)
{
	return writer->next_id - 1;
}
