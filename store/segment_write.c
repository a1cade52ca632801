#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/segment.h"

enum statement {
	INSERT_META,
	INSERT_SOURCE,
	INSERT_SESSION,
	INSERT_EVIDENCE,
	INSERT_GAP,
	INSERT_CHUNK,
	INSERT_COLUMN,
	INSERT_RAW,
	INSERT_TEMPLATE,
	UPDATE_LAST_GAPS,
	STATEMENT_COUNT
};

static const char *const statement_texts[STATEMENT_COUNT] = {
	[INSERT_META] = "INSERT INTO meta VALUES(?1, ?2)",
	[INSERT_SOURCE] = "INSERT INTO sources VALUES(?1, ?2, ?3, ?4, ?5)",
	[INSERT_SESSION] = "INSERT INTO sessions VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[INSERT_EVIDENCE] =
		"INSERT INTO evidence VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[INSERT_GAP] = "INSERT INTO gaps VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[INSERT_CHUNK] = "INSERT INTO chunks VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
	[INSERT_COLUMN] = "INSERT INTO columns VALUES(?1, ?2)",
	[INSERT_RAW] = "INSERT INTO raw VALUES(NULL, ?1, ?2, ?3, ?4, ?5)",
	[INSERT_TEMPLATE] = "INSERT INTO templates VALUES(?1, ?2, ?3, ?4, ?5)",
	[UPDATE_LAST_GAPS] = "UPDATE gaps SET before = 0 WHERE id > ?1 AND before = ?2",
};

/* A template's count and times; its number and text are in the map. */
struct template_state {
	uint64_t texts;
	int64_t first;
	int64_t last;
};

struct iq_segment_writer {
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct iq_codec *codec;	    /* of chunks */
	struct iq_codec *raw_codec; /* of raw blocks, which may be written while a chunk is coded */
	struct iq_map template_numbers;
	struct iq_map words; /* that its chunks share, by index */
	struct template_state *templates;
	size_t template_capacity;
	uint32_t chunks;
	int64_t gaps;	   /* rows */
	int64_t part_gaps; /* of them, those before the evidence at hand */
	_Atomic uint64_t bytes;
	bool finished;
};

bool iq_segment_no_memory(sqlite3 *db)
{
	int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;

	return code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
}

int iq_segment_sqlite_error(sqlite3 *db, const char *path, struct iq_error *error)
{
	int code = sqlite3_errcode(db) & 0xff;
	enum iq_status status = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? IQ_ERR_CORRUPT : IQ_ERR_IO;

	if (iq_segment_no_memory(db))
		return iq_error_nomem(error);
	return iq_error_set(error, status, "%s: %s", path, sqlite3_errmsg(db));
}

static int execute(struct iq_segment_writer *writer, const char *sql, struct iq_error *error)
{
	if (sqlite3_exec(writer->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(writer->db, writer->path, error);
	return 0;
}

/* The file is not counted before it is finished, so it needs no journal: a torn one is removed. */
static int prepare(struct iq_segment_writer *writer, struct iq_error *error)
{
	char sql[512];
	int rc;

	(void)sqlite3_snprintf(
		sizeof(sql), sql,
		"PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
		"PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN",
		IQ_SEGMENT_APPLICATION_ID, IQ_SEGMENT_VERSION);
	rc = execute(writer, sql, error);
	for (const struct iq_schema_table *table = iq_schema_tables(); rc == 0 && table->name; table++)
		rc = execute(writer, table->create, error);
	for (unsigned i = 0; rc == 0 && i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v2(writer->db, statement_texts[i], -1, &writer->statements[i], NULL) != SQLITE_OK)
			rc = iq_segment_sqlite_error(writer->db, writer->path, error);
	return rc;
}

int iq_segment_writer_new(const char *path, int level, struct iq_segment_writer **ret_writer, struct iq_error *error)
{
	struct iq_segment_writer *writer = calloc(1, sizeof(*writer));
	int rc = 0;

	if (!writer)
		return iq_error_nomem(error);
	writer->path = strdup(path);
	writer->codec = iq_codec_new(level);
	writer->raw_codec = iq_codec_new(level);
	if (!writer->path || !writer->codec || !writer->raw_codec)
		rc = iq_error_nomem(error);
	else
		iq_codec_share_words(writer->codec, &writer->words);
	/* Rows are written by two threads. */
	if (rc == 0 &&
	    sqlite3_open_v2(path, &writer->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
			    NULL) != SQLITE_OK)
		rc = iq_segment_sqlite_error(writer->db, path, error);
	if (rc == 0)
		rc = prepare(writer, error);
	if (rc < 0) {
		iq_segment_writer_free(writer);
		return rc;
	}
	*ret_writer = writer;
	return 0;
}

static void close_database(struct iq_segment_writer *writer)
{
	for (unsigned i = 0; i < STATEMENT_COUNT; i++) {
		(void)sqlite3_finalize(writer->statements[i]);
		writer->statements[i] = NULL;
	}
	(void)sqlite3_close(writer->db);
	writer->db = NULL;
}

void iq_segment_writer_free(struct iq_segment_writer *writer)
{
	if (!writer)
		return;
	close_database(writer);
	if (!writer->finished && writer->path)
		(void)unlink(writer->path);
	iq_codec_free(writer->codec);
	iq_codec_free(writer->raw_codec);
	iq_map_release(&writer->template_numbers);
	iq_map_release(&writer->words);
	free(writer->templates);
	free(writer->path);
	free(writer);
}

uint64_t iq_segment_writer_bytes(const struct iq_segment_writer *writer)
{
	return writer->bytes;
}

static void bind_view(sqlite3_stmt *statement, int index, struct iq_view text)
{
	if (text.data)
		(void)sqlite3_bind_text64(statement, index, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
	else
		(void)sqlite3_bind_null(statement, index);
}

static void bind_blob(sqlite3_stmt *statement, int index, const void *data, size_t len)
{
	(void)sqlite3_bind_blob64(statement, index, len ? data : "", len, SQLITE_STATIC);
}

/* IQ_TIME_NONE and IQ_NUMBER_NONE are NULL. */
static void bind_number(sqlite3_stmt *statement, int index, int64_t number)
{
	if (number == IQ_TIME_NONE)
		(void)sqlite3_bind_null(statement, index);
	else
		(void)sqlite3_bind_int64(statement, index, number);
}

static int insert(struct iq_segment_writer *writer, enum statement which, struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[which];
	int code = sqlite3_step(statement);
	int rc = code == SQLITE_DONE ? 0 : iq_segment_sqlite_error(writer->db, writer->path, error);

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return rc;
}

/* ---- Templates ---- */

static int64_t template_number(void *context, struct iq_view pattern, uint64_t texts)
{
	struct iq_segment_writer *writer = context;
	uint32_t number;
	int rc = iq_map_intern(&writer->template_numbers, pattern, &number);

	if (rc < 0)
		return rc;
	if (number >= writer->template_capacity) {
		size_t capacity = writer->template_capacity ? writer->template_capacity * 2 : 64;
		struct template_state *templates = realloc(writer->templates, capacity * sizeof(*templates));

		if (!templates)
			return IQ_ERR_NOMEM;
		writer->templates = templates;
		writer->template_capacity = capacity;
	}
	if (rc == 1)
		writer->templates[number] = (struct template_state){ 0, INT64_MAX, INT64_MIN };
	writer->templates[number].texts += texts;
	return number;
}

static void template_seen(void *context, int64_t number, int64_t ts)
{
	struct template_state *state = &((struct iq_segment_writer *)context)->templates[number];

	state->first = ts < state->first ? ts : state->first;
	state->last = ts > state->last ? ts : state->last;
}

static int insert_templates(struct iq_segment_writer *writer, struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_TEMPLATE];
	int rc = 0;

	for (size_t i = 0; i < writer->template_numbers.count && rc == 0; i++) {
		const struct template_state *state = &writer->templates[i];
		bool timed = state->first <= state->last;

		(void)sqlite3_bind_int64(statement, 1, (int64_t)i);
		bind_view(statement, 2, writer->template_numbers.entries[i].key);
		(void)sqlite3_bind_int64(statement, 3, (int64_t)state->texts);
		bind_number(statement, 4, timed ? state->first : IQ_TIME_NONE);
		bind_number(statement, 5, timed ? state->last : IQ_TIME_NONE);
		rc = insert(writer, INSERT_TEMPLATE, error);
	}
	return rc;
}

/* ---- Chunks ---- */

struct column_insert {
	struct iq_segment_writer *writer;
	uint32_t chunk;
	struct iq_coded_chunk *coded;
	uint8_t hashes[IQ_STORED_BLOBS * IQ_SHA256_SIZE];
	struct iq_error *error;
};

/* Inserts it and keeps a copy, from which the chunk is proved. */
static int insert_column(void *context, unsigned column, struct iq_view bytes)
{
	struct column_insert *into = context;
	struct iq_coded_chunk *coded = into->coded;
	sqlite3_stmt *statement = into->writer->statements[INSERT_COLUMN];

	coded->columns[column] = iq_arena_copy(&coded->memory, bytes);
	if (!coded->columns[column].data)
		return IQ_ERR_NOMEM;
	iq_sha256_of(bytes.data, bytes.len, into->hashes + IQ_SHA256_SIZE * IQ_STORED_RANK(column));
	(void)sqlite3_bind_int64(statement, 1, IQ_STORED_ID(into->chunk, column));
	bind_blob(statement, 2, bytes.data, bytes.len);
	into->writer->bytes += bytes.len;
	return insert(into->writer, INSERT_COLUMN, into->error);
}

/* The keys of a map, which stay where they are when it grows. NULL when memory is out. */
static const struct iq_view *list_keys(const struct iq_map *map, struct iq_arena *memory)
{
	struct iq_view *keys = iq_arena_alloc(memory, (map->count + 1) * sizeof(*keys));

	for (size_t i = 0; keys && i < map->count; i++)
		keys[i] = map->entries[i].key;
	return keys;
}

static int note_dictionaries(const struct iq_segment_writer *writer, struct iq_coded_chunk *coded)
{
	coded->pattern_count = writer->template_numbers.count;
	coded->patterns = list_keys(&writer->template_numbers, &coded->memory);
	coded->word_count = writer->words.count;
	coded->words = list_keys(&writer->words, &coded->memory);
	return coded->patterns && coded->words ? 0 : IQ_ERR_NOMEM;
}

static int insert_zone(struct iq_segment_writer *writer, const struct iq_zone *zone,
		       const struct column_insert *columns, struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_CHUNK];
	struct iq_buf lists[4] = { IQ_BUF_INIT, IQ_BUF_INIT, IQ_BUF_INIT, IQ_BUF_INIT };
	bool timed = zone->ts_min <= zone->ts_max;
	int rc;

	(void)iq_zone_append_entries(&lists[0], zone->sources, zone->source_count);
	(void)iq_zone_append_entries(&lists[1], zone->sessions, zone->session_count);
	(void)iq_zone_append_types(&lists[2], zone->types, zone->type_count);
	(void)iq_zone_append_entries(&lists[3], zone->evidence, zone->evidence_count);
	(void)sqlite3_bind_int64(statement, 1, zone->chunk);
	(void)sqlite3_bind_int64(statement, 2, zone->rows);
	(void)sqlite3_bind_int64(statement, 3, (int64_t)zone->id_first);
	bind_number(statement, 4, timed ? zone->ts_min : IQ_TIME_NONE);
	bind_number(statement, 5, timed ? zone->ts_max : IQ_TIME_NONE);
	(void)sqlite3_bind_int64(statement, 6, zone->ts_nulls);
	(void)sqlite3_bind_int64(statement, 7, zone->length_min);
	(void)sqlite3_bind_int64(statement, 8, zone->length_max);
	(void)sqlite3_bind_int64(statement, 9, zone->length_sum);
	(void)sqlite3_bind_int64(statement, 10, zone->kinds);
	for (int i = 0; i < 4; i++)
		bind_blob(statement, 11 + i, lists[i].data, lists[i].len);
	bind_blob(statement, 15, columns->hashes, sizeof(columns->hashes));
	rc = lists[0].failed || lists[1].failed || lists[2].failed || lists[3].failed
		     ? iq_error_nomem(error)
		     : insert(writer, INSERT_CHUNK, error);
	for (int i = 0; i < 4; i++)
		iq_buf_release(&lists[i]);
	return rc;
}

int iq_segment_writer_chunk(struct iq_segment_writer *writer, const struct iq_chunk_builder *builder,
			    struct iq_coded_chunk *ret_coded, struct iq_error *error)
{
	const struct iq_templates templates = { template_number, template_seen, writer };
	struct column_insert into = { writer, ++writer->chunks, ret_coded, { 0 }, error };
	int rc = iq_chunk_encode(builder, writer->codec, &templates, insert_column, &into, &ret_coded->memory,
				 &ret_coded->zone);

	ret_coded->zone.chunk = into.chunk;
	if (rc == 0)
		rc = note_dictionaries(writer, ret_coded);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return rc == 0 ? insert_zone(writer, &ret_coded->zone, &into, error) : rc;
}

static bool comes_back(struct iq_codec *codec, struct iq_view coded, struct iq_view bytes)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_view decoded;
	bool same = iq_stream_take_bytes(codec, &coded, &memory, &decoded) == 0 && iq_view_eq(decoded, bytes);

	iq_arena_release(&memory);
	return same;
}

int iq_segment_writer_raw(struct iq_segment_writer *writer, uint32_t evidence, uint64_t offset, struct iq_view bytes,
			  struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_RAW];
	struct iq_buf coded = IQ_BUF_INIT;
	uint8_t digest[IQ_SHA256_SIZE];
	int rc = iq_stream_append_bytes(writer->raw_codec, bytes, &coded);

	if (rc < 0) {
		rc = iq_error_nomem(error);
	} else if (!comes_back(writer->raw_codec, iq_buf_view(&coded), bytes)) {
		rc = iq_error_set(error, IQ_ERR_CORRUPT, "raw bytes do not come back as they went in");
	} else {
		(void)sqlite3_bind_int64(statement, 1, evidence);
		(void)sqlite3_bind_int64(statement, 2, (int64_t)offset);
		(void)sqlite3_bind_int64(statement, 3, (int64_t)bytes.len);
		iq_sha256_of(coded.data, coded.len, digest);
		bind_blob(statement, 4, digest, sizeof(digest));
		bind_blob(statement, 5, coded.data, coded.len);
		writer->bytes += coded.len;
		rc = insert(writer, INSERT_RAW, error);
	}
	iq_buf_release(&coded);
	return rc;
}

int iq_segment_writer_source(struct iq_segment_writer *writer, const struct iq_source *source, struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_SOURCE];

	(void)sqlite3_bind_int64(statement, 1, source->no);
	bind_view(statement, 2, source->name);
	(void)sqlite3_bind_int64(statement, 3, (int64_t)source->events);
	bind_number(statement, 4, source->first);
	bind_number(statement, 5, source->last);
	return insert(writer, INSERT_SOURCE, error);
}

int iq_segment_writer_session(struct iq_segment_writer *writer, const struct iq_session *session, uint32_t source_no,
			      struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_SESSION];

	(void)sqlite3_bind_int64(statement, 1, session->no);
	(void)sqlite3_bind_int64(statement, 2, source_no);
	bind_view(statement, 3, session->name);
	bind_number(statement, 4, session->started);
	bind_number(statement, 5, session->ended);
	(void)sqlite3_bind_int64(statement, 6, (int64_t)session->events);
	(void)sqlite3_bind_int(statement, 7, session->start_seen);
	(void)sqlite3_bind_int(statement, 8, session->end_seen);
	(void)sqlite3_bind_text(statement, 9, iq_session_state_name(session->state), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 10, (int64_t)session->first_event);
	(void)sqlite3_bind_int64(statement, 11, (int64_t)session->last_event);
	return insert(writer, INSERT_SESSION, error);
}

int iq_segment_writer_evidence(struct iq_segment_writer *writer, const struct iq_evidence_part *part,
			       struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_EVIDENCE];
	const struct iq_evidence *evidence = &part->evidence;

	(void)sqlite3_bind_int64(statement, 1, evidence->no);
	bind_view(statement, 2, evidence->path);
	bind_view(statement, 3, evidence->format);
	(void)sqlite3_bind_int64(statement, 4, (int64_t)part->offset);
	(void)sqlite3_bind_int64(statement, 5, (int64_t)evidence->bytes);
	(void)sqlite3_bind_int64(statement, 6, (int64_t)evidence->accounted);
	(void)sqlite3_bind_int64(statement, 7, (int64_t)evidence->records);
	(void)sqlite3_bind_int64(statement, 8, (int64_t)evidence->gaps);
	bind_blob(statement, 9, evidence->sha256, IQ_SHA256_SIZE);
	bind_blob(statement, 10, part->marks.data, part->marks.len);
	(void)sqlite3_bind_int64(statement, 11, (int64_t)part->settled);
	(void)sqlite3_bind_int64(statement, 12, (int64_t)part->restart.offset);
	(void)sqlite3_bind_int64(statement, 13, (int64_t)part->restart.lines);
	(void)sqlite3_bind_int64(statement, 14, (int64_t)part->first_event);
	(void)sqlite3_bind_int64(statement, 15, (int64_t)part->last_event);
	bind_number(statement, 16, part->last_ts);
	(void)sqlite3_bind_int(statement, 17, part->ended);
	(void)sqlite3_bind_int64(statement, 18, (int64_t)evidence->dropped);
	bind_view(statement, 19, evidence->redacted);
	bind_number(statement, 20, evidence->covers_from);
	bind_number(statement, 21, evidence->covers_to);
	return insert(writer, INSERT_EVIDENCE, error);
}

int iq_segment_writer_end_evidence(struct iq_segment_writer *writer, const struct iq_evidence_part *part,
				   uint64_t next_id, struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[UPDATE_LAST_GAPS];
	int rc = 0;

	(void)sqlite3_bind_int64(statement, 1, writer->part_gaps);
	(void)sqlite3_bind_int64(statement, 2, (int64_t)next_id);
	if (writer->gaps > writer->part_gaps)
		rc = insert(writer, UPDATE_LAST_GAPS, error);
	writer->part_gaps = writer->gaps;
	return rc == 0 ? iq_segment_writer_evidence(writer, part, error) : rc;
}

int iq_segment_writer_gap(struct iq_segment_writer *writer, const struct iq_gap *gap, uint32_t session_no,
			  struct iq_error *error)
{
	sqlite3_stmt *statement = writer->statements[INSERT_GAP];

	(void)sqlite3_bind_int64(statement, 1, gap->evidence);
	bind_view(statement, 2, gap->source);
	bind_number(statement, 3, session_no ? (int64_t)session_no : IQ_NUMBER_NONE);
	(void)sqlite3_bind_int64(statement, 4, gap->direction);
	(void)sqlite3_bind_int64(statement, 5, (int64_t)gap->after);
	(void)sqlite3_bind_int64(statement, 6, (int64_t)gap->before);
	bind_number(statement, 7, gap->ts_min);
	bind_number(statement, 8, gap->ts_max);
	(void)sqlite3_bind_int64(statement, 9, (int64_t)gap->offset);
	(void)sqlite3_bind_int64(statement, 10, (int64_t)gap->bytes);
	bind_number(statement, 11, gap->count);
	bind_view(statement, 12, gap->reason.data ? gap->reason : IQ_LIT("unknown"));
	writer->gaps++;
	return insert(writer, INSERT_GAP, error);
}

static int insert_meta(struct iq_segment_writer *writer, const char *name, const char *value, struct iq_error *error)
{
	(void)sqlite3_bind_text(writer->statements[INSERT_META], 1, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(writer->statements[INSERT_META], 2, value, -1, SQLITE_STATIC);
	return insert(writer, INSERT_META, error);
}

static int sync_file(const char *path, struct iq_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int insert_hashes(struct iq_segment_writer *writer, uint8_t ret_root[IQ_SHA256_SIZE], struct iq_error *error)
{
	uint8_t leaves[IQ_LEAF_COUNT][IQ_SHA256_SIZE];
	char hex[2 * sizeof(leaves) + 1];
	int rc = 0;

	for (unsigned leaf = 0; leaf < IQ_LEAF_COUNT && rc == 0; leaf++)
		rc = iq_leaf_of(writer->db, (enum iq_leaf)leaf, leaves[leaf], error);
	if (rc == 0 && iq_leaves_root(leaves, ret_root) < 0)
		rc = iq_error_nomem(error);
	if (rc < 0)
		return rc;
	iq_hex(leaves[0], sizeof(leaves), hex);
	rc = insert_meta(writer, "leaves", hex, error);
	iq_hex(ret_root, IQ_SHA256_SIZE, hex);
	return rc == 0 ? insert_meta(writer, "root", hex, error) : rc;
}

int iq_segment_writer_finish(struct iq_segment_writer *writer, uint8_t ret_root[IQ_SHA256_SIZE], struct iq_error *error)
{
	char level[16];
	int rc = insert_meta(writer, "writer", "inquest " IQ_VERSION, error);

	(void)snprintf(level, sizeof(level), "%d", iq_codec_level(writer->codec));
	if (rc == 0)
		rc = insert_meta(writer, "level", level, error);
	if (rc == 0)
		rc = insert_templates(writer, error);
	if (rc == 0)
		rc = insert_hashes(writer, ret_root, error);
	if (rc < 0)
		return rc;
	rc = execute(writer, "COMMIT", error);
	close_database(writer);
	if (rc == 0)
		rc = sync_file(writer->path, error);
	writer->finished = rc == 0;
	return rc;
}
