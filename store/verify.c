#include "store/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/spool_store.h"

/* What the chunks of a segment hold of a session. */
struct span {
	int64_t started;
	int64_t ended;
	uint64_t events;
};

/* Where faults go. */
struct inspection {
	const char *segment;
	int (*damaged)(void *context, const struct iq_damage *damage);
	void *context;
	struct iq_verify_result *result;
	struct iq_hash_states *states;
	bool out_of_memory; /* which is nobody's damage */
};

static void IQ_PRINTF(2, 3) report(struct inspection *inspection, const char *format, ...)
{
	char message[1024];
	struct iq_damage damage = { inspection->segment, message };
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	inspection->result->damages++;
	if (inspection->damaged)
		(void)inspection->damaged(inspection->context, &damage);
}

/* Puts every text together. */
static int read_texts(struct iq_chunk *chunk)
{
	static const unsigned columns[] = { IQ_COLUMN_KEY, IQ_COLUMN_BODY, IQ_COLUMN_ATTRS };
	struct iq_view text;
	int rc = 0;

	for (uint32_t row = 0; row < chunk->zone->rows && rc == 0; row++)
		for (size_t i = 0; i < 3 && rc == 0; i++)
			rc = iq_chunk_text(chunk, columns[i], row, &text);
	return rc;
}

static void append_span(struct iq_buf *text, uint64_t first, uint64_t last, int64_t ts_min, int64_t ts_max)
{
	char from[IQ_RFC3339_SIZE], to[IQ_RFC3339_SIZE];

	(void)iq_buf_appendf(text, "events %llu-%llu", (unsigned long long)first, (unsigned long long)last);
	if (ts_min <= ts_max)
		(void)iq_buf_appendf(text, ", %s to %s", iq_time_format(ts_min, from), iq_time_format(ts_max, to));
}

/* The files that the events of a chunk are from. */
static void append_evidence(struct iq_buf *text, const struct iq_segment *segment, const struct iq_zone *zone)
{
	const char *before = ", of ";

	for (size_t i = 0; i < zone->evidence_count; i++) {
		for (size_t j = 0; j < segment->evidence_count; j++) {
			const struct iq_evidence *evidence = &segment->evidence[j].evidence;

			if (evidence->no != zone->evidence[i].no)
				continue;
			(void)iq_buf_append_cstr(text, before);
			(void)iq_buf_append(text, evidence->path);
			before = ", ";
		}
	}
}

static void report_chunk(const struct iq_segment *segment, const struct iq_zone *zone, const char *what,
			 struct inspection *inspection)
{
	struct iq_buf text = IQ_BUF_INIT;

	append_span(&text, zone->id_first, zone->id_first + zone->rows - 1, zone->ts_min, zone->ts_max);
	append_evidence(&text, segment, zone);
	report(inspection, "chunk %u (%s): %s", zone->chunk, text.data ? text.data : "", what);
	iq_buf_release(&text);
}

/* The times and lengths of a chunk as its zone map should have them. */
static struct iq_zone measure(const struct iq_chunk *chunk)
{
	const int64_t *ts = chunk->numbers[IQ_COLUMN_TS];
	struct iq_zone zone = {
		.ts_min = INT64_MAX, .ts_max = INT64_MIN, .length_min = INT64_MAX, .length_max = INT64_MIN
	};

	for (uint32_t row = 0; row < chunk->zone->rows; row++) {
		const int64_t length = (int64_t)chunk->lengths[row];

		zone.length_min = length < zone.length_min ? length : zone.length_min;
		zone.length_max = length > zone.length_max ? length : zone.length_max;
		zone.length_sum = (int64_t)((uint64_t)zone.length_sum + (uint64_t)length);
		zone.ts_nulls += ts[row] == IQ_TIME_NONE;
		zone.ts_min = ts[row] != IQ_TIME_NONE && ts[row] < zone.ts_min ? ts[row] : zone.ts_min;
		zone.ts_max = ts[row] > zone.ts_max && ts[row] != IQ_TIME_NONE ? ts[row] : zone.ts_max;
	}
	return zone;
}

/* What queries leave out, and what they add up, by the zone map. */
static bool zone_agrees(const struct iq_chunk *chunk)
{
	const struct iq_zone *zone = chunk->zone, measured = measure(chunk);

	return zone->ts_min == measured.ts_min && zone->ts_max == measured.ts_max &&
	       zone->ts_nulls == measured.ts_nulls && zone->length_min == measured.length_min &&
	       zone->length_max == measured.length_max && zone->length_sum == measured.length_sum;
}

static int compare_session(const void *no, const void *part)
{
	const uint32_t x = *(const uint32_t *)no, y = ((const struct iq_segment_session *)part)->session.no;

	return (x > y) - (x < y);
}

static void widen(struct span *span, int64_t ts)
{
	span->events++;
	if (ts == IQ_TIME_NONE)
		return;
	span->started = span->started == IQ_TIME_NONE || ts < span->started ? ts : span->started;
	span->ended = ts > span->ended ? ts : span->ended; /* none is before all */
}

/* Adds a chunk to the spans, which lie as the segment's sessions do. False where it names a session that the segment does not have. */
static bool add_spans(const struct iq_segment *segment, const struct iq_chunk *chunk, struct span *spans)
{
	const struct iq_zone *zone = chunk->zone;
	uint32_t at = 0;

	for (size_t i = 0; i < zone->session_count; i++) {
		const uint32_t end = at + (uint32_t)zone->sessions[i].value;
		const struct iq_segment_session *part =
			segment->session_count ? bsearch(&zone->sessions[i].no, segment->sessions,
							 segment->session_count, sizeof(*part), compare_session)
					       : NULL;

		if (!part && zone->sessions[i].no > 0)
			return false;
		for (; at < end; at++)
			if (part)
				widen(&spans[part - segment->sessions],
				      chunk->numbers[IQ_COLUMN_TS][chunk->rows ? chunk->rows[at] : at]);
	}
	return true;
}

/* Where events were dropped, sessions keep the times of those as well. */
static bool span_agrees(const struct iq_segment *segment, const struct iq_session *session, const struct span *span)
{
	return session->events == span->events &&
	       (iq_segment_is_dropped(segment) || span->events == 0 ||
		(session->started == span->started && session->ended == span->ended));
}

static void verify_sessions(const struct iq_segment *segment, const struct span *spans, struct inspection *inspection)
{
	for (size_t i = 0; i < segment->session_count; i++)
		if (!span_agrees(segment, &segment->sessions[i].session, &spans[i]))
			report(inspection, "session s%u: its events and times are not those of its chunks",
			       segment->sessions[i].session.no);
}

static struct span *new_spans(const struct iq_segment *segment)
{
	struct span *spans = malloc((segment->session_count + 1) * sizeof(*spans));

	for (size_t i = 0; spans && i < segment->session_count; i++)
		spans[i] = (struct span){ IQ_TIME_NONE, IQ_TIME_NONE, 0 };
	return spans;
}

static bool is_redacted(const struct iq_segment *segment, int64_t no)
{
	for (size_t i = 0; i < segment->evidence_count; i++)
		if (segment->evidence[i].evidence.no == no)
			return segment->evidence[i].evidence.redacted.data != NULL;
	return false;
}

static bool holds_redacted_bytes(const struct iq_segment *segment, struct iq_chunk *chunk)
{
	const int64_t *evidence = chunk->numbers[IQ_COLUMN_EVIDENCE];
	struct iq_view bytes;
	bool redacted = false;

	for (uint32_t row = 0; row < chunk->zone->rows; row++) {
		if (row == 0 || evidence[row] != evidence[row - 1])
			redacted = is_redacted(segment, evidence[row]);
		if (redacted && (iq_chunk_text(chunk, IQ_STORED_RAW, row, &bytes) < 0 || bytes.len > 0))
			return true;
	}
	return false;
}

static void verify_chunk(struct iq_segment *segment, const struct iq_zone *zone, struct span *spans,
			 struct inspection *inspection)
{
	struct iq_chunk chunk;
	int rc;

	iq_segment_chunk(segment, zone, &chunk);
	rc = iq_chunk_load(&chunk, IQ_STORED_ALL, NULL);
	if (rc == 0)
		rc = read_texts(&chunk);
	if (rc == 0)
		rc = iq_segment_locate(segment, &chunk, NULL);
	if (rc == IQ_ERR_NOMEM) {
		inspection->out_of_memory = true;
	} else if (rc < 0) {
		report_chunk(segment, zone, "does not match its hash; these events are withheld", inspection);
		inspection->result->lost_events += zone->rows;
	} else if (!zone_agrees(&chunk) || !add_spans(segment, &chunk, spans)) {
		report_chunk(segment, zone, "its zone map is that of other events; queries are led astray by it",
			     inspection);
	} else if (holds_redacted_bytes(segment, &chunk)) {
		report_chunk(segment, zone, "holds raw bytes of evidence that is said to be redacted", inspection);
	}
	inspection->result->chunks++;
	inspection->result->events += zone->rows;
	iq_chunk_release(&chunk);
}

/* Sessions are compared where all chunks could be read. */
static void verify_chunks(struct iq_segment *segment, struct inspection *inspection)
{
	const uint64_t damages = inspection->result->damages;
	struct span *spans = new_spans(segment);

	inspection->out_of_memory |= !spans;
	for (size_t i = 0; spans && i < segment->zone_count; i++)
		verify_chunk(segment, &segment->zones[i], spans, inspection);
	if (spans && inspection->result->damages == damages && !inspection->out_of_memory)
		verify_sessions(segment, spans, inspection);
	free(spans);
}

/* ---- The streams ---- */

int iq_hash_states_set(struct iq_hash_states *states, uint32_t evidence, const struct iq_sha256 *hash, uint64_t bytes)
{
	struct iq_hash_state *state = iq_hash_states_get(states, evidence);
	size_t capacity = states->capacity ? states->capacity * 2 : 4;
	struct iq_hash_state *items = states->items;

	if (!state && states->count == states->capacity) {
		items = realloc(items, capacity * sizeof(*items));
		if (!items)
			return IQ_ERR_NOMEM;
		states->items = items;
		states->capacity = capacity;
	}
	if (!state) {
		if (iq_map_set(&states->numbers, iq_view_make((const char *)&evidence, sizeof(evidence)),
			       states->count) < 0)
			return IQ_ERR_NOMEM;
		state = &states->items[states->count];
		*state = (struct iq_hash_state){ .evidence = evidence, .hash = iq_sha256_new() };
		if (!state->hash)
			return IQ_ERR_NOMEM;
		states->count++;
	}
	iq_sha256_copy(state->hash, hash);
	state->bytes = bytes;
	return 0;
}

struct iq_hash_state *iq_hash_states_get(const struct iq_hash_states *states, uint32_t evidence)
{
	uint64_t *index = iq_map_get(&states->numbers, iq_view_make((const char *)&evidence, sizeof(evidence)));

	return index && *index < states->count ? &states->items[*index] : NULL;
}

void iq_hash_states_clear(struct iq_hash_states *states)
{
	for (size_t i = 0; i < states->count; i++)
		iq_sha256_free(states->items[i].hash);
	free(states->items);
	iq_map_release(&states->numbers);
	*states = (struct iq_hash_states){ 0 };
}

/* The raw bytes of a part, read in order. */
struct raw_check {
	struct iq_sha256 *hash;
	uint64_t next;	 /* that have to be there */
	uint64_t hashed; /* up to here */
};

static int hash_block(void *context, uint64_t offset, struct iq_view bytes)
{
	struct raw_check *check = context;

	if (offset != check->next)
		return IQ_ERR_CORRUPT;
	check->next += bytes.len;
	if (check->next <= check->hashed)
		return 0;
	bytes = iq_view_from(bytes,
			     bytes.len - (size_t)(check->next - check->hashed < bytes.len ? check->next - check->hashed
											  : bytes.len));
	iq_sha256_update(check->hash, bytes.data, bytes.len);
	check->hashed = check->next;
	return 0;
}

/* Can the stream be hashed through this part? Then from where on. */
static bool take_up(struct raw_check *check, const struct inspection *inspection, const struct iq_evidence_part *part)
{
	const struct iq_hash_state *state = iq_hash_states_get(inspection->states, part->evidence.no);

	if (part->evidence.dropped > 0 || part->evidence.redacted.data)
		return false;
	if (part->offset == 0)
		return true;
	if (!state || state->bytes < part->offset || state->bytes > part->offset + part->evidence.bytes)
		return false;
	iq_sha256_copy(check->hash, state->hash);
	check->hashed = state->bytes;
	return true;
}

static void judge_part(const struct iq_evidence_part *part, const struct raw_check *check, bool whole,
		       struct inspection *inspection)
{
	const struct iq_evidence *evidence = &part->evidence;
	const uint64_t end = part->offset + evidence->bytes;
	uint8_t digest[IQ_SHA256_SIZE];

	iq_sha256_digest(check->hash, digest);
	if (check->next != end || (whole && memcmp(digest, evidence->sha256, IQ_SHA256_SIZE) != 0))
		report(inspection,
		       "evidence %u (%.*s): its raw bytes are not those that were taken in (SHA-256 differs)",
		       evidence->no, IQ_VIEW_ARG(evidence->path));
	else if (evidence->accounted > end || (part->ended && evidence->accounted != end))
		report(inspection, "evidence %u (%.*s): %llu of %llu bytes are accounted for", evidence->no,
		       IQ_VIEW_ARG(evidence->path), (unsigned long long)evidence->accounted, (unsigned long long)end);
	else if (whole && iq_hash_states_set(inspection->states, evidence->no, check->hash, end) < 0)
		inspection->out_of_memory = true;
}

/* Of a redacted part there are no bytes that its hash could be compared with. */
static void verify_redacted(const struct iq_segment *segment, const struct iq_evidence_part *part,
			    struct inspection *inspection)
{
	const struct iq_evidence *evidence = &part->evidence;
	const uint64_t end = part->offset + evidence->bytes;

	for (size_t i = 0; i < segment->raw_block_count; i++)
		if (segment->raw_blocks[i].evidence == evidence->no)
			report(inspection, "evidence %u (%.*s): is said to be redacted, and has raw bytes",
			       evidence->no, IQ_VIEW_ARG(evidence->path));
	if (evidence->accounted > end || (part->ended && evidence->accounted != end))
		report(inspection, "evidence %u (%.*s): %llu of %llu bytes are accounted for", evidence->no,
		       IQ_VIEW_ARG(evidence->path), (unsigned long long)evidence->accounted, (unsigned long long)end);
	inspection->result->redacted += evidence->bytes - evidence->dropped;
}

static void verify_evidence(struct iq_segment *segment, const struct iq_evidence_part *part,
			    struct inspection *inspection)
{
	const uint64_t begin = part->offset + part->evidence.dropped;
	struct raw_check check = { iq_sha256_new(), begin, begin };
	struct iq_error error = IQ_ERROR_INIT;
	/* Its parts in other segments were not counted yet. */
	const bool first = !iq_hash_states_get(inspection->states, part->evidence.no);
	bool whole = check.hash && take_up(&check, inspection, part);
	const bool redacted = part->evidence.redacted.data != NULL;
	int rc = check.hash ? 0 : iq_error_nomem(&error);

	if (rc == 0 && !redacted)
		rc = iq_segment_read_raw(segment, part->evidence.no, begin, UINT64_MAX, hash_block, &check, &error);

	if (rc == IQ_ERR_NOMEM)
		inspection->out_of_memory = true;
	else if (rc < 0)
		report(inspection, "evidence %u (%.*s): raw bytes from offset %llu on do not match their hash",
		       part->evidence.no, IQ_VIEW_ARG(part->evidence.path), (unsigned long long)check.next);
	else if (redacted)
		verify_redacted(segment, part, inspection);
	else
		judge_part(part, &check, whole, inspection);
	/* A stream that cannot be hashed to its end is known by this. */
	if (check.hash && !whole && first &&
	    iq_hash_states_set(inspection->states, part->evidence.no, check.hash, UINT64_MAX) < 0)
		inspection->out_of_memory = true;
	inspection->result->evidence += first;
	inspection->result->raw_bytes += check.next - begin;
	inspection->result->dropped += part->evidence.dropped;
	iq_sha256_free(check.hash);
}

static int columns_read_back(struct iq_segment *segment)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_view bytes;
	int rc = 0;

	for (size_t i = 0; i < segment->zone_count; i++)
		for (unsigned column = 0; column < IQ_STORED_COUNT && rc == 0; column++) {
			if (IQ_STORED_ALL >> column & 1)
				rc = segment->outside.read(segment, segment->zones[i].chunk, column, &memory, &bytes,
							   NULL);
			iq_arena_clear(&memory);
		}
	iq_arena_release(&memory);
	return rc;
}

int iq_segment_reads_back(struct iq_segment *segment, struct iq_error *error)
{
	sqlite3_stmt *statement = NULL;
	uint8_t digest[IQ_SHA256_SIZE];
	int code = SQLITE_DONE, rc = columns_read_back(segment);
	bool same = rc == 0;

	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (same && sqlite3_prepare_v2(segment->db, "SELECT sha256, data FROM raw", -1, &statement, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(segment->db, segment->path, error);
	while (same && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		iq_sha256_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1), digest);
		same = sqlite3_column_bytes(statement, 0) == IQ_SHA256_SIZE &&
		       memcmp(digest, sqlite3_column_blob(statement, 0), IQ_SHA256_SIZE) == 0;
	}
	same = same && code == SQLITE_DONE;
	(void)sqlite3_finalize(statement);
	if (!same && iq_segment_no_memory(segment->db))
		return iq_error_nomem(error);
	if (!same)
		return iq_error_set(error, IQ_ERR_IO, "%s: does not read back as it was written; is the disk failing?",
				    segment->path);
	return 0;
}

/* What SQLite says of its own structures. */
static void check_file(struct iq_segment *segment, struct inspection *inspection)
{
	sqlite3_stmt *statement = NULL;
	const char *text = NULL;

	if (sqlite3_prepare_v2(segment->db, "PRAGMA integrity_check(1)", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	if (!text && iq_segment_no_memory(segment->db))
		inspection->out_of_memory = true;
	else if (!text || (strcmp(text, "ok") != 0 && !strstr(text, "out of memory")))
		report(inspection, "the SQLite file is damaged");
	else if (strcmp(text, "ok") != 0)
		inspection->out_of_memory = true;
	(void)sqlite3_finalize(statement);
}

/* What no hash covers is read by nobody. */
static void check_columns(struct iq_segment *segment, struct inspection *inspection)
{
	sqlite3_stmt *statement = NULL;
	sqlite3_int64 columns = -1;

	if (sqlite3_prepare_v2(segment->db, "SELECT count(*) FROM columns", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		columns = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	if (columns > (sqlite3_int64)segment->zone_count * IQ_STORED_BLOBS)
		report(inspection, "holds columns of chunks that it does not have; nothing reads them");
}

int iq_segment_verify(struct iq_segment *segment, struct iq_hash_states *states,
		      int (*damaged)(void *context, const struct iq_damage *damage), void *context,
		      struct iq_verify_result *result)
{
	struct inspection inspection = { iq_path_base(segment->path), damaged, context, result, states, false };

	result->segments++;
	check_file(segment, &inspection);
	check_columns(segment, &inspection);
	verify_chunks(segment, &inspection);
	for (size_t i = 0; i < segment->evidence_count; i++)
		verify_evidence(segment, &segment->evidence[i], &inspection);
	return inspection.out_of_memory ? IQ_ERR_NOMEM : 0;
}

static void report_sidecar(void *context, const char *name)
{
	report(context, "a foreign file %s lies beside it; it is ignored", name);
}

/* What is lost with a segment that cannot be opened is known from the manifest. */
static void report_closed(const struct iq_manifest_segment *listed, const char *why, struct inspection *inspection)
{
	const struct iq_summary *summary = &listed->summary;
	struct iq_buf text = IQ_BUF_INIT;

	append_span(&text, summary->ids.first, summary->ids.last, summary->ts_min, summary->ts_max);
	report(inspection, "%s; withheld: %s, evidence %llu-%llu", why, text.data ? text.data : "",
	       (unsigned long long)summary->evidence.first, (unsigned long long)summary->evidence.last);
	inspection->result->events += summary->events;
	inspection->result->lost_events += summary->events;
	iq_buf_release(&text);
}

static void compare_with_manifest(const struct iq_segment *segment, const struct iq_manifest_segment *listed,
				  struct inspection *inspection)
{
	bool same;

	if (memcmp(listed->root, segment->root, IQ_SHA256_SIZE) != 0)
		report(inspection, "is not the segment that the manifest names (hash differs)");
	else if (iq_summary_matches(&listed->summary, segment, &same) < 0)
		inspection->out_of_memory = true;
	else if (!same)
		report(inspection, "the manifest says of it what it does not hold");
}

/* SQLite does not look behind the pages that it counts. */
static void report_appended(struct iq_segment *segment, struct inspection *inspection)
{
	sqlite3_stmt *statement = NULL;
	sqlite3_int64 size = segment->identity.st_size;
	sqlite3 *db;

	if (iq_segment_database(segment, &db, NULL) == 0 &&
	    sqlite3_prepare_v2(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", -1,
			       &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		size -= sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	if (size != 0)
		report(inspection, "%lld bytes behind its end are not of the segment; nothing reads them",
		       (long long)size);
}

/* One segment; `listed` is what the manifest says of it, or NULL. */
static void verify_file(const char *path, const struct iq_manifest_segment *listed, struct inspection *inspection)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_segment *segment;
	int rc;

	inspection->segment = iq_path_base(path);
	iq_segment_sidecars(path, report_sidecar, inspection);
	rc = iq_segment_open(path, &segment, &error);
	if (rc == IQ_ERR_NOMEM) {
		inspection->out_of_memory = true;
		return;
	}
	if (rc < 0) {
		inspection->result->segments++;
		if (listed)
			report_closed(listed, error.message, inspection);
		else
			report(inspection, "%s", error.message);
		return;
	}
	if (listed)
		compare_with_manifest(segment, listed, inspection);
	report_appended(segment, inspection);
	if (iq_segment_verify(segment, inspection->states, inspection->damaged, inspection->context,
			      inspection->result) < 0)
		inspection->out_of_memory = true;
	iq_segment_close(segment);
}

/* ---- Spools ---- */

static void report_missing(struct inspection *inspection, uint64_t first, uint64_t last)
{
	if (first <= last)
		report(inspection, "records #%llu to #%llu were acknowledged and cannot be read",
		       (unsigned long long)first, (unsigned long long)last);
}

static bool overlaps(const struct iq_spool_reader *reader, const struct iq_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		if (manifest->segments[i].summary.ids.last >= reader->header.id_first)
			return true;
	return false;
}

/* Every record's CRC, and that none is missing up to the watermark, or up to where the next spool goes on. */
static int verify_spool(struct iq_spool_reader *reader, const struct iq_manifest *manifest,
			struct inspection *inspection, struct iq_error *error)
{
	uint64_t expected = reader->header.seq_first;
	struct iq_spool_record record;
	int rc;

	inspection->segment = iq_path_base(reader->path);
	inspection->result->spools++;
	if (overlaps(reader, manifest))
		report(inspection, "its first event would be %llu, which the store has: it is not shown",
		       (unsigned long long)reader->header.id_first);
	while ((rc = iq_spool_next(reader, &record)) > 0) {
		report_missing(inspection, expected, record.seq - 1);
		expected = record.seq + 1;
		inspection->result->spool_records++;
	}
	if (rc < 0)
		return iq_error_nomem(error);
	if (!reader->ended)
		report_missing(inspection, expected, iq_spool_last_known(reader));
	return 0;
}

static void report_spool(void *context, const char *file, const char *message)
{
	struct inspection *inspection = context;

	inspection->segment = file;
	inspection->result->spools++;
	report(inspection, "%s", message);
}

static int verify_spools(const char *path, const struct iq_manifest *manifest, struct inspection *inspection,
			 struct iq_error *error)
{
	struct iq_spools spools;
	int rc = iq_spools_open(path, report_spool, inspection, &spools, error);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < spools.count && rc == 0; i++)
		if (!iq_spool_is_void(spools.items[i]) && !iq_spool_is_sealed(spools.items[i], manifest))
			rc = verify_spool(spools.items[i], manifest, inspection, error);
	iq_spools_close(&spools);
	return rc;
}

/* ---- The whole ---- */

static int verify_store(const char *path, struct inspection *inspection, struct iq_error *error)
{
	struct iq_manifest manifest;
	char *directory, *file;
	const int readers = iq_readers_lock(path);
	int rc = iq_manifest_read(path, &manifest, error);

	if (rc < 0) {
		iq_readers_unlock(readers);
		return rc;
	}
	/* The parts of an evidence are hashed one after the other. */
	iq_manifest_sort(&manifest);
	directory = iq_path_join(path, "segments");
	for (size_t i = 0; i < manifest.count && rc == 0; i++) {
		file = directory ? iq_path_join(directory, manifest.segments[i].file) : NULL;
		if (file)
			verify_file(file, &manifest.segments[i], inspection);
		else
			rc = iq_error_nomem(error);
		free(file);
	}
	if (rc == 0)
		rc = verify_spools(path, &manifest, inspection, error);
	free(directory);
	iq_manifest_release(&manifest);
	iq_readers_unlock(readers);
	return rc;
}

int iq_store_verify(const char *path, int (*damaged)(void *context, const struct iq_damage *damage), void *context,
		    struct iq_verify_result *ret_result, struct iq_error *error)
{
	struct iq_verify_result result = { 0 };
	struct iq_hash_states states = { 0 };
	struct inspection inspection = { path, damaged, context, &result, &states, false };
	struct stat info;
	int rc = 0;

	if (stat(path, &info) != 0)
		return iq_error_errno(error, IQ_ERR_NOT_FOUND, "%s", path);
	if (S_ISDIR(info.st_mode))
		rc = verify_store(path, &inspection, error);
	else if (!iq_segment_is(path))
		rc = iq_error_set(error, IQ_ERR_FORMAT, "%s: not an inquest segment", path);
	else
		verify_file(path, NULL, &inspection);
	iq_hash_states_clear(&states);
	if (rc == 0 && inspection.out_of_memory)
		rc = iq_error_nomem(error);
	if (rc == 0)
		*ret_result = result;
	return rc;
}
