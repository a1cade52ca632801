#include "store/recogniser.h"

#include <stdlib.h>

#include "store/reader.h"

/* A stream of the store that this one may be, or begin with. */
struct candidate {
	uint32_t index;
	struct iq_sha256 *settled; /* the hash where a part would continue it; NULL until there */
};

struct iq_recogniser {
	struct iq_store_writer *writer;
	const struct iq_catalogue *catalogue;
	struct iq_chain chain;
	struct candidate *candidates;
	size_t count;
	size_t capacity;
	struct candidate best; /* the stream begins with all of this one; valid with `found` */
	bool found;
	uint64_t base; /* up to here the stream's bytes can be read out of the store, as those of `base_index` */
	uint32_t base_index;
	struct iq_buf held; /* what came after that */
	struct iq_recognised result;
};

static const struct iq_known_stream *stream_of(const struct iq_recogniser *recogniser, uint32_t index)
{
	return &recogniser->catalogue->streams[index];
}

static uint64_t bytes_of(const struct iq_recogniser *recogniser, const struct candidate *candidate)
{
	return stream_of(recogniser, candidate->index)->whole.evidence.bytes;
}

int iq_recogniser_new(struct iq_store_writer *writer, struct iq_recogniser **ret_recogniser, struct iq_error *error)
{
	struct iq_recogniser *recogniser = calloc(1, sizeof(*recogniser));

	if (!recogniser)
		return iq_error_nomem(error);
	recogniser->writer = writer;
	recogniser->catalogue = iq_store_writer_catalogue(writer);
	recogniser->held = (struct iq_buf)IQ_BUF_INIT;
	if (iq_chain_init(&recogniser->chain) < 0) {
		iq_recogniser_free(recogniser);
		return iq_error_nomem(error);
	}
	*ret_recogniser = recogniser;
	return 0;
}

void iq_recogniser_free(struct iq_recogniser *recogniser)
{
	if (!recogniser)
		return;
	for (size_t i = 0; i < recogniser->count; i++)
		iq_sha256_free(recogniser->candidates[i].settled);
	free(recogniser->candidates);
	iq_sha256_free(recogniser->best.settled);
	iq_chain_release(&recogniser->chain);
	iq_buf_release(&recogniser->held);
	free(recogniser);
}

/* ---- Candidates ---- */

/* The hash at the candidate's settled end, if the chain stands there or has passed it: then everything is still held. */
static int note_settled(struct iq_recogniser *recogniser, struct candidate *candidate)
{
	uint64_t settled = stream_of(recogniser, candidate->index)->whole.settled;

	if (candidate->settled || settled > recogniser->chain.bytes)
		return 0;
	candidate->settled = iq_sha256_new();
	if (!candidate->settled)
		return IQ_ERR_NOMEM;
	if (settled == recogniser->chain.bytes)
		iq_sha256_copy(candidate->settled, recogniser->chain.hash);
	else
		iq_sha256_update(candidate->settled, recogniser->held.data, (size_t)settled);
	return 0;
}

static int add_candidate(struct iq_recogniser *recogniser, uint32_t index)
{
	struct candidate *candidate;

	if (IQ_ARRAY_GROW(recogniser->candidates, recogniser->capacity, recogniser->count + 1) < 0)
		return IQ_ERR_NOMEM;
	candidate = &recogniser->candidates[recogniser->count++];
	*candidate = (struct candidate){ index, NULL };
	return note_settled(recogniser, candidate);
}

static void remove_candidate(struct iq_recogniser *recogniser, size_t i)
{
	iq_sha256_free(recogniser->candidates[i].settled);
	recogniser->candidates[i] = recogniser->candidates[--recogniser->count];
}

/* Streams whose first mark is the one at which the chain stands. */
static int find_candidates(struct iq_recogniser *recogniser)
{
	const uint8_t *here = iq_chain_here(&recogniser->chain);
	uint64_t *first =
		here ? iq_map_get(&recogniser->catalogue->heads, iq_view_make((const char *)here, IQ_SHA256_SIZE))
		     : NULL;
	int rc = 0;

	for (uint32_t next = first ? (uint32_t)*first + 1 : 0; rc == 0 && next > 0;
	     next = stream_of(recogniser, next - 1)->next)
		rc = add_candidate(recogniser, next - 1);
	return rc;
}

/* Up to here the stream's bytes lie in the store. Those of redacted evidence do not: what a parser may have to begin with is
 * held on, unless that is too much. */
static void set_base(struct iq_recogniser *recogniser, uint32_t index)
{
	const struct iq_evidence_part *whole = &stream_of(recogniser, index)->whole;
	uint64_t base = recogniser->chain.bytes;

	if (whole->evidence.redacted.data && base > whole->restart.offset &&
	    base - whole->restart.offset <= IQ_RAW_BLOCK_BYTES)
		base = whole->restart.offset > recogniser->base ? whole->restart.offset : recogniser->base;
	iq_buf_consume(&recogniser->held, (size_t)(base - recogniser->base));
	recogniser->base = base;
	recogniser->base_index = index;
}

static bool differs(const struct iq_recogniser *recogniser, const struct iq_known_stream *stream)
{
	const uint8_t *mark = iq_catalogue_mark(stream, recogniser->chain.bytes);

	return !mark || memcmp(mark, iq_chain_here(&recogniser->chain), IQ_SHA256_SIZE) != 0;
}

static void compare_marks(struct iq_recogniser *recogniser)
{
	for (size_t i = recogniser->count; i > 0; i--)
		if (differs(recogniser, stream_of(recogniser, recogniser->candidates[i - 1].index)))
			remove_candidate(recogniser, i - 1);
	if (recogniser->count > 0)
		set_base(recogniser, recogniser->candidates[0].index);
}

static void take_best(struct iq_recogniser *recogniser, size_t i)
{
	iq_sha256_free(recogniser->best.settled);
	recogniser->best = recogniser->candidates[i];
	recogniser->found = true;
	recogniser->candidates[i] = recogniser->candidates[--recogniser->count];
	set_base(recogniser, recogniser->best.index);
}

/* Candidates that end here: the stream begins with all of one, or it is not that one. */
static void compare_ends(struct iq_recogniser *recogniser)
{
	uint8_t digest[IQ_SHA256_SIZE];

	for (size_t i = recogniser->count; i > 0; i--) {
		const struct candidate *candidate = &recogniser->candidates[i - 1];

		if (bytes_of(recogniser, candidate) != recogniser->chain.bytes)
			continue;
		iq_sha256_digest(recogniser->chain.hash, digest);
		if (memcmp(digest, stream_of(recogniser, candidate->index)->whole.evidence.sha256, sizeof(digest)) == 0)
			take_best(recogniser, i - 1);
		else
			remove_candidate(recogniser, i - 1);
	}
}

static int look(struct iq_recogniser *recogniser)
{
	uint64_t bytes = recogniser->chain.bytes;
	int rc = bytes <= IQ_MARK_BYTES && recogniser->base == 0 ? find_candidates(recogniser) : 0;

	for (size_t i = 0; rc == 0 && i < recogniser->count; i++)
		rc = note_settled(recogniser, &recogniser->candidates[i]);
	if (bytes % IQ_MARK_BYTES == 0)
		compare_marks(recogniser);
	compare_ends(recogniser);
	return rc;
}

/* ---- The stream ---- */

/* Where there is something to look at next. */
static uint64_t next_stop(const struct iq_recogniser *recogniser)
{
	uint64_t at = recogniser->chain.bytes, stop = iq_chain_next(&recogniser->chain);

	for (size_t i = 0; i < recogniser->count; i++) {
		const struct candidate *candidate = &recogniser->candidates[i];
		uint64_t end = bytes_of(recogniser, candidate);
		uint64_t settled = stream_of(recogniser, candidate->index)->whole.settled;

		if (end > at && end < stop)
			stop = end;
		if (settled > at && settled < stop)
			stop = settled;
	}
	return stop;
}

static void set_result(struct iq_recogniser *recogniser, enum iq_recognition outcome, uint32_t index)
{
	const struct iq_evidence_part *whole;

	recogniser->result = (struct iq_recognised){ .outcome = outcome };
	if (outcome == IQ_STREAM_NEW)
		return;
	whole = &stream_of(recogniser, index)->whole;
	recogniser->result.evidence = whole->evidence.no;
	recogniser->result.format = whole->evidence.format;
	recogniser->result.redacted = whole->evidence.redacted;
	recogniser->result.stored = whole->evidence.bytes;
	recogniser->result.settled = whole->settled;
	recogniser->result.restart = whole->restart;
}

/* Nothing more can come that the stream may be. */
static bool is_decided(const struct iq_recogniser *recogniser)
{
	if (recogniser->count > 0)
		return false;
	return recogniser->found || recogniser->chain.bytes >= IQ_MARK_BYTES || recogniser->catalogue->heads.count == 0;
}

static void decide(struct iq_recogniser *recogniser)
{
	set_result(recogniser, recogniser->found ? IQ_STREAM_CONTINUES : IQ_STREAM_NEW, recogniser->best.index);
}

int iq_recogniser_feed(struct iq_recogniser *recogniser, struct iq_view bytes, struct iq_error *error)
{
	while (bytes.len > 0 && recogniser->result.outcome == IQ_STREAM_UNDECIDED) {
		uint64_t left = next_stop(recogniser) - recogniser->chain.bytes;
		size_t len = bytes.len < left ? bytes.len : (size_t)left;
		struct iq_view piece = iq_view_make(bytes.data, len);

		if (is_decided(recogniser)) {
			decide(recogniser);
			break;
		}
		if (iq_chain_update(&recogniser->chain, piece) < 0 || iq_buf_append(&recogniser->held, piece) < 0)
			return iq_error_nomem(error);
		if (len == left && look(recogniser) < 0)
			return iq_error_nomem(error);
		bytes = iq_view_from(bytes, len);
	}
	if (iq_buf_append(&recogniser->held, bytes) < 0)
		return iq_error_nomem(error);
	return recogniser->result.outcome != IQ_STREAM_UNDECIDED;
}

struct comparison {
	struct iq_view expected;
	size_t passed;
	bool equal;
};

static int compare(void *context, uint64_t offset, struct iq_view bytes)
{
	struct comparison *comparison = context;

	(void)offset;
	if (bytes.len > comparison->expected.len - comparison->passed ||
	    memcmp(bytes.data, comparison->expected.data + comparison->passed, bytes.len) != 0)
		comparison->equal = false;
	else
		comparison->passed += bytes.len;
	return 0;
}

struct reading {
	uint64_t next;
	int (*take)(void *context, uint64_t offset, struct iq_view bytes);
	void *context;
};

static int count_read(void *context, uint64_t offset, struct iq_view bytes)
{
	struct reading *reading = context;

	if (offset != reading->next)
		return 0;
	reading->next += bytes.len;
	return reading->take(reading->context, offset, bytes);
}

/* Reads bytes of a stream out of the store, which must have been committed for that. They may have been dropped from it. */
static int read_store(struct iq_recogniser *recogniser, uint32_t index, uint64_t from, uint64_t end,
		      int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
		      struct iq_error *error)
{
	struct reading reading = { from, take, context };
	struct iq_store *store;
	int rc = 0;

	if (from >= end)
		return 0;
	if (!stream_of(recogniser, index)->committed)
		rc = iq_store_writer_commit(recogniser->writer, error);
	if (rc == 0)
		rc = iq_store_open_lazily(iq_store_writer_path(recogniser->writer), &store, error);
	if (rc < 0)
		return rc;
	rc = iq_store_walk_raw(store, stream_of(recogniser, index)->whole.evidence.no, from, end, count_read, &reading,
			       error);
	iq_store_close(store);
	if (rc == 0 && reading.next < end)
		rc = iq_error_set(error, IQ_ERR_NOT_FOUND,
				  "continues evidence %u, bytes of which were dropped from the store: take it in from "
				  "a file",
				  stream_of(recogniser, index)->whole.evidence.no);
	return rc;
}

/* The stream ended within candidates: is it the beginning of one? 1 if so. */
static int is_beginning(struct iq_recogniser *recogniser, struct iq_error *error)
{
	uint64_t bytes = recogniser->chain.bytes;

	for (size_t i = 0; i < recogniser->count; i++) {
		uint32_t index = recogniser->candidates[i].index;
		struct comparison comparison = { iq_buf_view(&recogniser->held), 0, true };
		struct iq_error trouble = IQ_ERROR_INIT;
		int rc = read_store(recogniser, index, recogniser->base, bytes, compare, &comparison, &trouble);

		if (rc < 0 && rc != IQ_ERR_NOT_FOUND)
			return iq_error_set(error, (enum iq_status)rc, "%s", trouble.message);
		if (!comparison.equal || comparison.passed != bytes - recogniser->base)
			continue;
		set_result(recogniser, IQ_STREAM_SHORTER, index);
		return 1;
	}
	return 0;
}

int iq_recogniser_end(struct iq_recogniser *recogniser, struct iq_error *error)
{
	int rc = 0;

	if (recogniser->result.outcome != IQ_STREAM_UNDECIDED)
		return 0;
	if (recogniser->found && bytes_of(recogniser, &recogniser->best) == recogniser->chain.bytes) {
		bool ended = stream_of(recogniser, recogniser->best.index)->whole.ended;

		set_result(recogniser, ended ? IQ_STREAM_KNOWN : IQ_STREAM_CONTINUES, recogniser->best.index);
		return 0;
	}
	rc = is_beginning(recogniser, error);
	if (rc == 0)
		decide(recogniser);
	return rc < 0 ? rc : 0;
}

const struct iq_recognised *iq_recogniser_result(const struct iq_recogniser *recogniser)
{
	return &recogniser->result;
}

int iq_recogniser_replay(struct iq_recogniser *recogniser, uint64_t from,
			 int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
			 struct iq_error *error)
{
	uint64_t base = recogniser->base;
	struct iq_view held = iq_buf_view(&recogniser->held);
	int rc = read_store(recogniser, recogniser->base_index, from, base, take, context, error);

	if (rc == 0 && held.len > 0 && from < base + held.len)
		rc = take(context, from > base ? from : base,
			  iq_view_from(held, from > base ? (size_t)(from - base) : 0));
	return rc;
}

/* ---- For the writer ---- */

const struct iq_known_stream *iq_recogniser_continues(const struct iq_recogniser *recogniser)
{
	return recogniser->result.outcome == IQ_STREAM_CONTINUES ? stream_of(recogniser, recogniser->best.index) : NULL;
}

int iq_recogniser_chain(const struct iq_recogniser *recogniser, struct iq_chain *chain)
{
	return iq_chain_go_back(chain, &recogniser->chain, recogniser->best.settled, recogniser->result.settled);
}
