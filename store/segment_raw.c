/* The raw bytes of an evidence: those of its events, chunk by chunk, and between them the blocks that belong to no event. */
#include <stdlib.h>
#include <string.h>

#include "store/segment.h"

#define RAW_COLUMNS \
	(1u << IQ_COLUMN_EVIDENCE | 1u << IQ_STORED_RAW | 1u << IQ_STORED_SKIP | 1u << IQ_STORED_LEAD | \
	 1u << IQ_STORED_EXCESS)

/* A walk through one evidence. */
struct walk {
	struct iq_segment *segment;
	uint32_t evidence;
	uint64_t at; /* everything before was passed */
	uint64_t offset;
	uint64_t end;
	int (*take)(void *context, uint64_t offset, struct iq_view bytes);
	void *context;
	struct iq_error *error;
};

static int damaged(const struct walk *walk)
{
	return iq_error_set(walk->error, IQ_ERR_CORRUPT, "%s: raw evidence at offset %llu is damaged",
			    walk->segment->path, (unsigned long long)walk->at);
}

/* Hands over what is asked for of the bytes that come next. */
static int pass(struct walk *walk, struct iq_view bytes)
{
	uint64_t start = walk->at;
	size_t skip = walk->offset > start
			      ? (size_t)(walk->offset - start < bytes.len ? walk->offset - start : bytes.len)
			      : 0;
	struct iq_view wanted = iq_view_from(bytes, skip);

	walk->at += bytes.len;
	if (start + skip >= walk->end || wanted.len == 0)
		return 0;
	if (wanted.len > walk->end - (start + skip))
		wanted.len = (size_t)(walk->end - (start + skip));
	return walk->take(walk->context, start + skip, wanted);
}

int iq_segment_read_block(struct iq_segment *segment, const struct iq_raw_block *block, struct iq_arena *arena,
			  struct iq_view *ret_bytes, struct iq_error *error)
{
	sqlite3_stmt *statement;
	struct iq_view digest, bytes;
	uint8_t computed[IQ_SHA256_SIZE];
	sqlite3 *db;
	int rc = iq_segment_database(segment, &db, error);

	if (rc < 0)
		return rc;
	if (sqlite3_prepare_v2(db, "SELECT sha256, data FROM raw WHERE id = ?1", -1, &statement, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(db, segment->path, error);
	rc = IQ_ERR_CORRUPT;
	(void)sqlite3_bind_int64(statement, 1, block->id);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		digest = iq_view_make(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
		bytes = iq_view_make(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
		iq_sha256_of(bytes.data, bytes.len, computed);
		if (digest.len == IQ_SHA256_SIZE && memcmp(computed, digest.data, IQ_SHA256_SIZE) == 0) {
			bytes = iq_arena_copy(arena, bytes);
			rc = bytes.data ? iq_stream_take_bytes(segment->codec, &bytes, arena, ret_bytes) : IQ_ERR_NOMEM;
		}
	}
	if (rc == IQ_ERR_CORRUPT && (arena->failed || iq_segment_no_memory(db)))
		rc = IQ_ERR_NOMEM;
	(void)sqlite3_finalize(statement);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return rc < 0 || ret_bytes->len != block->size
		       ? iq_error_set(error, IQ_ERR_CORRUPT, "%s: raw evidence at offset %llu is damaged",
				      segment->path, (unsigned long long)block->offset)
		       : 0;
}

static int pass_block(struct walk *walk, const struct iq_raw_block *block)
{
	struct iq_arena arena = IQ_ARENA_INIT;
	struct iq_view bytes;
	int rc = 0;

	if (block->offset + block->size <= walk->offset || walk->at >= walk->end) {
		walk->at += block->size;
		return 0;
	}
	rc = iq_segment_read_block(walk->segment, block, &arena, &bytes, walk->error);
	if (rc == 0)
		rc = pass(walk, bytes);
	iq_arena_release(&arena);
	return rc;
}

/* The blocks from here up to `end`, which have to follow each other. */
static int pass_blocks(struct walk *walk, uint64_t end)
{
	const struct iq_segment *segment = walk->segment;
	int rc = 0;

	for (size_t i = 0; i < segment->raw_block_count && rc == 0 && walk->at < end; i++) {
		const struct iq_raw_block *block = &segment->raw_blocks[i];

		if (block->evidence == walk->evidence && block->offset == walk->at)
			rc = pass_block(walk, block);
	}
	return rc == 0 && walk->at != end && walk->at < walk->end ? damaged(walk) : rc;
}

static int pass_row(struct walk *walk, struct iq_chunk *chunk, uint32_t row)
{
	uint64_t skip = (uint64_t)chunk->numbers[IQ_STORED_SKIP][row];
	struct iq_view bytes;
	int rc = 0, got;

	if (skip > 0)
		rc = skip > INT64_MAX ? damaged(walk) : pass_blocks(walk, walk->at + skip);
	got = rc == 0 ? iq_chunk_text(chunk, IQ_STORED_RAW, row, &bytes) : 0;
	if (got < 0)
		rc = got == IQ_ERR_NOMEM ? iq_error_nomem(walk->error) : damaged(walk);
	return rc == 0 ? pass(walk, bytes) : rc;
}

static int pass_chunk(struct walk *walk, const struct iq_zone *zone)
{
	struct iq_chunk chunk;
	int rc;

	iq_segment_chunk(walk->segment, zone, &chunk);
	rc = iq_chunk_load(&chunk, RAW_COLUMNS, walk->error);
	for (uint32_t row = 0; rc == 0 && row < zone->rows && walk->at < walk->end; row++)
		if (chunk.numbers[IQ_COLUMN_EVIDENCE][row] == (int64_t)walk->evidence)
			rc = pass_row(walk, &chunk, row);
	iq_chunk_release(&chunk);
	return rc;
}

/* The offset at which the evidence's events begin in the chunk; false where it has none. */
static bool begins_at(const struct iq_zone *zone, uint32_t evidence, uint64_t *ret_offset)
{
	for (size_t i = 0; i < zone->evidence_count; i++)
		if (zone->evidence[i].no == evidence) {
			*ret_offset = zone->evidence[i].value;
			return true;
		}
	return false;
}

/* The chunk after `index` that has events of the evidence tells where this one ends. */
static bool ends_before(const struct walk *walk, size_t index)
{
	uint64_t next;

	for (size_t i = index + 1; i < walk->segment->zone_count; i++)
		if (begins_at(&walk->segment->zones[i], walk->evidence, &next))
			return next <= walk->offset;
	return false;
}

static const struct iq_evidence_part *find_part(const struct iq_segment *segment, uint32_t no)
{
	for (size_t i = 0; i < segment->evidence_count; i++)
		if (segment->evidence[i].evidence.no == no)
			return &segment->evidence[i];
	return NULL;
}

int iq_segment_read_raw(struct iq_segment *segment, uint32_t evidence, uint64_t offset, uint64_t end,
			int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
			struct iq_error *error)
{
	struct walk walk = { segment, evidence, 0, offset, end, take, context, error };
	const struct iq_evidence_part *part = find_part(segment, evidence);
	uint64_t begin, part_end;
	int rc = 0;

	if (!part)
		return 0;
	part_end = part->offset + part->evidence.bytes;
	walk.at = part->offset + part->evidence.dropped;
	if (walk.end > part_end)
		walk.end = part_end;
	for (size_t i = 0; i < segment->zone_count && rc == 0 && walk.at < walk.end; i++) {
		if (!begins_at(&segment->zones[i], evidence, &begin) || ends_before(&walk, i))
			continue;
		if (begin > walk.offset && walk.at < begin)
			rc = pass_blocks(&walk, begin);
		if (rc == 0) {
			walk.at = begin;
			rc = pass_chunk(&walk, &segment->zones[i]);
		}
	}
	return rc == 0 && walk.at < walk.end ? pass_blocks(&walk, part_end) : rc;
}

/* ---- Where the events of a chunk are ---- */

/* Where the next event's bytes begin, by evidence. */
static uint64_t *next_offset(const struct iq_zone *zone, uint64_t *nexts, uint32_t evidence)
{
	for (size_t i = 0; i < zone->evidence_count; i++)
		if (zone->evidence[i].no == evidence)
			return &nexts[i];
	return NULL;
}

/* `length`: of the row's raw bytes. */
static int locate_row(struct iq_chunk *chunk, uint32_t row, uint64_t length, uint64_t *nexts)
{
	uint64_t *next = next_offset(chunk->zone, nexts, (uint32_t)chunk->numbers[IQ_COLUMN_EVIDENCE][row]);
	int64_t lead = chunk->numbers[IQ_STORED_LEAD][row];

	if (!next)
		return IQ_ERR_CORRUPT;
	*next += (uint64_t)chunk->numbers[IQ_STORED_SKIP][row];
	chunk->offsets[row] = *next + (uint64_t)lead;
	chunk->lengths[row] = (uint64_t)((int64_t)length - lead + chunk->numbers[IQ_STORED_EXCESS][row]);
	*next += length;
	return 0;
}

/* Where an event lies follows from all before it: all are looked at, and those of the chunk picked. */
static int locate_narrowed(struct iq_segment *segment, struct iq_chunk *chunk, struct iq_error *error)
{
	struct iq_chunk whole;
	int rc = iq_chunk_load(chunk, 1u << IQ_COLUMN_ID, error);

	if (rc < 0)
		return rc;
	iq_segment_chunk(segment, chunk->zone, &whole);
	whole.codec = chunk->codec;
	rc = iq_segment_locate(segment, &whole, error);
	chunk->lengths = iq_arena_alloc(&chunk->memory, ((size_t)chunk->count + 1) * sizeof(*chunk->lengths));
	chunk->offsets = iq_arena_alloc(&chunk->memory, ((size_t)chunk->count + 1) * sizeof(*chunk->offsets));
	if (rc == 0 && (!chunk->lengths || !chunk->offsets))
		rc = iq_error_nomem(error);
	for (uint32_t row = 0; rc == 0 && row < chunk->count; row++) {
		const uint64_t from = iq_chunk_id(chunk, row) - chunk->zone->id_first;

		chunk->lengths[row] = whole.lengths[from];
		chunk->offsets[row] = whole.offsets[from];
	}
	if (rc < 0)
		chunk->offsets = NULL;
	iq_chunk_release(&whole);
	return rc;
}

int iq_segment_locate(struct iq_segment *segment, struct iq_chunk *chunk, struct iq_error *error)
{
	const struct iq_zone *zone = chunk->zone;
	int64_t *lengths;
	uint64_t *nexts;
	int rc;

	if (chunk->offsets)
		return 0;
	if (chunk->narrowed)
		return locate_narrowed(segment, chunk, error);
	nexts = iq_arena_calloc(&chunk->memory, zone->evidence_count + 1, sizeof(*nexts));
	lengths = iq_arena_alloc(&chunk->memory, ((size_t)zone->rows + 1) * sizeof(*lengths));
	rc = iq_chunk_load(chunk, RAW_COLUMNS, error);
	if (rc < 0)
		return rc;
	chunk->lengths = iq_arena_calloc(&chunk->memory, (size_t)zone->rows + 1, sizeof(*chunk->lengths));
	chunk->offsets = iq_arena_calloc(&chunk->memory, (size_t)zone->rows + 1, sizeof(*chunk->offsets));
	if (!nexts || !lengths || !chunk->lengths || !chunk->offsets)
		return iq_error_nomem(error);
	for (size_t i = 0; i < zone->evidence_count; i++)
		nexts[i] = zone->evidence[i].value;
	rc = iq_chunk_raw_lengths(chunk, lengths);
	for (uint32_t row = 0; rc == 0 && row < zone->rows; row++)
		rc = locate_row(chunk, row, (uint64_t)lengths[row], nexts);
	if (rc < 0)
		chunk->offsets = NULL;
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return rc < 0 ? iq_error_set(error, IQ_ERR_CORRUPT, "%s: chunk %u is damaged; run `inquest store verify`",
				     segment->path, zone->chunk)
		      : 0;
}
