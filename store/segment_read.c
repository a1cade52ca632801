#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/segment.h"

/* More rows than this in a chunk, or chunks in a segment, are not believed. */
#define MAX_CHUNKS (1u << 24)

static const char *const state_names[] = { "open", "closed", "cut", "refused" };

const char *iq_session_state_name(enum iq_session_state state)
{
	return state <= IQ_SESSION_REFUSED ? state_names[state] : NULL;
}

static bool parse_state(struct iq_view name, enum iq_session_state *ret_state)
{
	for (unsigned state = 0; state <= IQ_SESSION_REFUSED; state++) {
		if (iq_view_eq(name, iq_view_cstr(state_names[state]))) {
			*ret_state = (enum iq_session_state)state;
			return true;
		}
	}
	return false;
}

bool iq_segment_is(const char *path)
{
	unsigned char head[100];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof(head));
	uint32_t id;

	if (fd >= 0)
		(void)close(fd);
	if (got != (ssize_t)sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
		return false;
	/* The application id stands at byte 68 of the database header (sqlite.org/fileformat2.html, 1.3). */
	id = (uint32_t)head[68] << 24 | (uint32_t)head[69] << 16 | (uint32_t)head[70] << 8 | head[71];
	return id == IQ_SEGMENT_APPLICATION_ID;
}

void iq_segment_sidecars(const char *path, void (*told)(void *context, const char *name), void *context)
{
	static const char *const suffixes[] = { "-wal", "-journal", "-shm" };
	char sidecar[4096];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)snprintf(sidecar, sizeof(sidecar), "%s%s", path, suffixes[i]);
		if (access(sidecar, F_OK) == 0)
			told(context, iq_path_base(sidecar));
	}
}

/* ---- Opening ---- */

/* `file:` URI of a path, everything but plain characters escaped. */
static char *make_uri(const char *path)
{
	struct iq_buf uri = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&uri, "file:");
	for (const char *c = path; *c; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		    strchr("/._-", *c))
			(void)iq_buf_append_char(&uri, *c);
		else
			(void)iq_buf_appendf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
	}
	(void)iq_buf_append_cstr(&uri, "?immutable=1");
	if (uri.failed) {
		iq_buf_release(&uri);
		return NULL;
	}
	return iq_buf_detach(&uri);
}

static int open_database(struct iq_segment *segment, struct iq_error *error)
{
	char *uri = make_uri(segment->path);
	int code;

	if (!uri)
		return iq_error_nomem(error);
	code = sqlite3_open_v2(uri, &segment->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	free(uri);
	if (code != SQLITE_OK)
		return iq_segment_sqlite_error(segment->db, segment->path, error);
	(void)sqlite3_db_config(segment->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(segment->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_exec(segment->db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA cache_size=-512", NULL,
			   NULL, NULL);
	return 0;
}

static int64_t read_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return value;
}

static int check_version(struct iq_segment *segment, struct iq_error *error)
{
	int64_t version = read_number(segment->db, "PRAGMA user_version");

	if (read_number(segment->db, "PRAGMA application_id") != IQ_SEGMENT_APPLICATION_ID)
		return iq_error_set(error, IQ_ERR_FORMAT, "%s: not an inquest segment", segment->path);
	if (version > IQ_SEGMENT_VERSION)
		return iq_error_set(
			error, IQ_ERR_VERSION,
			"%s: format version %lld is newer than %d, the newest this inquest reads; upgrade inquest",
			segment->path, (long long)version, IQ_SEGMENT_VERSION);
	if (version != IQ_SEGMENT_VERSION)
		return iq_error_set(error, IQ_ERR_FORMAT, "%s: unknown format version %lld", segment->path,
				    (long long)version);
	return 0;
}

static const char *expected_schema(struct iq_view name)
{
	for (const struct iq_schema_table *table = iq_schema_tables(); table->name; table++)
		if (iq_view_eq(name, iq_view_cstr(table->name)))
			return table->create;
	return NULL;
}

static struct iq_view column_view(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_type(statement, column) == SQLITE_TEXT
				   ? (const void *)sqlite3_column_text(statement, column)
				   : sqlite3_column_blob(statement, column);
	int len = sqlite3_column_bytes(statement, column);

	if (sqlite3_column_type(statement, column) == SQLITE_NULL)
		return IQ_VIEW_NULL;
	return iq_view_make(data ? data : "", (size_t)len);
}

/* Exactly our tables, with exactly our text: no views, triggers or tables of somebody else. */
static int check_schema(struct iq_segment *segment, struct iq_error *error)
{
	sqlite3_stmt *statement;
	size_t tables = 0, expected = 0;
	bool foreign = false;

	for (const struct iq_schema_table *table = iq_schema_tables(); table->name; table++)
		expected++;
	if (sqlite3_prepare_v2(segment->db,
			       "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_autoindex_%'", -1,
			       &statement, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(segment->db, segment->path, error);
	while (!foreign && sqlite3_step(statement) == SQLITE_ROW) {
		const char *create = expected_schema(column_view(statement, 1));

		foreign = !iq_view_eq(column_view(statement, 0), IQ_LIT("table")) || !create ||
			  !iq_view_eq(column_view(statement, 2), iq_view_cstr(create));
		tables++;
	}
	(void)sqlite3_finalize(statement);
	if (foreign || tables != expected)
		return iq_error_set(error, IQ_ERR_CORRUPT,
				    "%s: its tables are not those of an inquest segment; not opened", segment->path);
	return 0;
}

/* What `meta` says. */
struct meta {
	uint8_t leaves[IQ_LEAF_COUNT][IQ_SHA256_SIZE];
	uint8_t root[IQ_SHA256_SIZE];
	uint8_t own_leaf[IQ_SHA256_SIZE];
	int64_t level;
	bool has_leaves;
	bool has_root;
};

static void take_meta(sqlite3_stmt *statement, struct iq_leaf_hash *leaf, struct meta *meta)
{
	const struct iq_view name = column_view(statement, 0), value = column_view(statement, 1);
	int64_t level;

	if (iq_view_eq(name, IQ_LIT("root"))) {
		meta->has_root = iq_unhex(value, meta->root, sizeof(meta->root));
		return;
	}
	if (iq_view_eq(name, IQ_LIT("leaves"))) {
		meta->has_leaves = iq_unhex(value, meta->leaves[0], sizeof(meta->leaves));
		return;
	}
	if (iq_view_eq(name, IQ_LIT("level")) && iq_view_to_int64(value, &level) && level > 0)
		meta->level = level;
	iq_leaf_hash_row(leaf, statement);
}

static int read_meta(struct iq_segment *segment, struct meta *ret_meta, struct iq_error *error)
{
	struct iq_leaf_hash leaf;
	sqlite3_stmt *statement;
	int code = SQLITE_DONE, rc;

	*ret_meta = (struct meta){ .level = 0 };
	if (sqlite3_prepare_v2(segment->db, "SELECT name, value FROM meta ORDER BY name", -1, &statement, NULL) !=
	    SQLITE_OK)
		return iq_segment_sqlite_error(segment->db, segment->path, error);
	rc = iq_leaf_hash_begin(&leaf, IQ_LEAF_META);
	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		take_meta(statement, &leaf, ret_meta);
	(void)sqlite3_finalize(statement);
	if (iq_leaf_hash_end(&leaf, ret_meta->own_leaf) < 0)
		return iq_error_nomem(error);
	return code == SQLITE_DONE ? 0 : iq_segment_sqlite_error(segment->db, segment->path, error);
}

static int damaged_table(const struct iq_segment *segment, enum iq_leaf leaf, struct iq_error *error)
{
	return iq_error_set(
		error, IQ_ERR_CORRUPT,
		"%s: its table %s does not match its hash: the file was damaged or changed after it was sealed",
		segment->path, iq_schema_tables()[leaf].name);
}

/* The leaves are those that the root stands for; the tables are compared with them when they are read. */
static int check_root(struct iq_segment *segment, struct meta *meta, struct iq_error *error)
{
	uint8_t root[IQ_SHA256_SIZE];
	int rc = read_meta(segment, meta, error);

	if (rc < 0)
		return rc;
	if (iq_leaves_root(meta->leaves, root) < 0)
		return iq_error_nomem(error);
	if (!meta->has_leaves || !meta->has_root || memcmp(root, meta->root, sizeof(root)) != 0 ||
	    memcmp(meta->own_leaf, meta->leaves[IQ_LEAF_META], sizeof(root)) != 0)
		return damaged_table(segment, IQ_LEAF_META, error);
	return 0;
}

/* Opens the file, and believes what `meta` says of it. */
static int open_checked(struct iq_segment *segment, struct meta *meta, struct iq_error *error)
{
	int rc = open_database(segment, error);

	if (rc == 0)
		rc = check_version(segment, error);
	if (rc == 0)
		rc = check_schema(segment, error);
	if (rc == 0)
		rc = check_root(segment, meta, error);
	if (rc == 0 && stat(segment->path, &segment->identity) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", segment->path);
	return rc;
}

static void close_database(struct iq_segment *segment)
{
	(void)sqlite3_blob_close(segment->column_blob);
	(void)sqlite3_close(segment->db);
	segment->column_blob = NULL;
	segment->db = NULL;
}

/* ---- The pool ---- */

static void leave_pool(struct iq_segment *segment)
{
	struct iq_segment_pool *pool = segment->pool;

	*(segment->older ? &segment->older->newer : &pool->oldest) = segment->newer;
	*(segment->newer ? &segment->newer->older : &pool->newest) = segment->older;
	segment->older = segment->newer = NULL;
	pool->open--;
}

static void enter_pool(struct iq_segment *segment)
{
	struct iq_segment_pool *pool = segment->pool;

	segment->older = pool->newest;
	*(pool->newest ? &pool->newest->newer : &pool->oldest) = segment;
	pool->newest = segment;
	pool->open++;
	while (pool->open > pool->limit && pool->oldest != segment) {
		struct iq_segment *oldest = pool->oldest;

		leave_pool(oldest);
		close_database(oldest);
	}
}

void iq_segment_lock(struct iq_segment *segment)
{
	if (segment->pool)
		(void)pthread_mutex_lock(&segment->pool->lock);
}

void iq_segment_unlock(struct iq_segment *segment)
{
	if (segment->pool)
		(void)pthread_mutex_unlock(&segment->pool->lock);
}

void iq_segment_join(struct iq_segment *segment, struct iq_segment_pool *pool)
{
	segment->pool = pool;
	iq_segment_lock(segment);
	enter_pool(segment);
	iq_segment_unlock(segment);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int open_again(struct iq_segment *segment, struct iq_error *error)
{
	struct meta meta;
	struct stat now;
	int rc;

	if (stat(segment->path, &now) != 0)
		return iq_error_errno(error, IQ_ERR_NOT_FOUND, "%s", segment->path);
	if (is_same_file(&now, &segment->identity))
		return open_database(segment, error);
	rc = open_checked(segment, &meta, error);
	if (rc == 0 && memcmp(meta.root, segment->root, sizeof(meta.root)) != 0)
		rc = iq_error_set(error, IQ_ERR_CORRUPT, "%s: another file took its place while it was read",
				  segment->path);
	return rc;
}

int iq_segment_database(struct iq_segment *segment, sqlite3 **ret_db, struct iq_error *error)
{
	const bool closed = !segment->db;
	int rc = closed ? open_again(segment, error) : 0;

	if (rc < 0) {
		close_database(segment);
		return rc;
	}
	if (segment->pool && segment->pool->newest != segment) {
		if (!closed)
			leave_pool(segment);
		enter_pool(segment);
	}
	*ret_db = segment->db;
	return 0;
}

/* ---- Reading the tables ---- */

/* One table read into an array of the segment's, and how a row is read. */
struct table_reader {
	enum iq_leaf leaf;
	size_t size;
	size_t items; /* where the segment has the array */
	size_t count; /* and how many they are */
	bool (*row)(struct iq_segment *segment, sqlite3_stmt *statement, void *item);
};

static int64_t number_or_none(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? IQ_NUMBER_NONE
								     : sqlite3_column_int64(statement, column);
}

static struct iq_view copy_text(struct iq_segment *segment, sqlite3_stmt *statement, int column)
{
	return iq_arena_copy(&segment->memory, column_view(statement, column));
}

static bool read_no(sqlite3_stmt *statement, int column, uint32_t *ret_no)
{
	int64_t no = sqlite3_column_int64(statement, column);

	if (no < 0 || no > UINT32_MAX)
		return false;
	*ret_no = (uint32_t)no;
	return true;
}

static bool read_source(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_source *source = item;

	source->name = copy_text(segment, statement, 1);
	source->events = (uint64_t)sqlite3_column_int64(statement, 2);
	source->first = number_or_none(statement, 3);
	source->last = number_or_none(statement, 4);
	return read_no(statement, 0, &source->no) && source->no > 0 && source->name.data;
}

static bool read_session(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_segment_session *part = item;
	struct iq_session *session = &part->session;

	session->name = copy_text(segment, statement, 2);
	session->started = number_or_none(statement, 3);
	session->ended = number_or_none(statement, 4);
	session->events = (uint64_t)sqlite3_column_int64(statement, 5);
	session->start_seen = sqlite3_column_int(statement, 6) != 0;
	session->end_seen = sqlite3_column_int(statement, 7) != 0;
	session->first_event = (uint64_t)sqlite3_column_int64(statement, 9);
	session->last_event = (uint64_t)sqlite3_column_int64(statement, 10);
	return read_no(statement, 0, &session->no) && session->no > 0 && read_no(statement, 1, &part->source_no) &&
	       session->name.data && parse_state(column_view(statement, 8), &session->state);
}

/* A number of bytes, events or lines; positions stay so small that sums of two do not overflow. */
static bool read_count(sqlite3_stmt *statement, int column, uint64_t *ret_count)
{
	int64_t count = sqlite3_column_int64(statement, column);

	*ret_count = (uint64_t)count;
	return count >= 0 && count <= INT64_MAX / 2;
}

static bool read_part_numbers(sqlite3_stmt *statement, struct iq_evidence_part *part)
{
	uint64_t *const numbers[] = { &part->offset,
				      &part->evidence.bytes,
				      &part->evidence.accounted,
				      &part->evidence.records,
				      &part->evidence.gaps,
				      NULL, /* sha256 */
				      NULL, /* marks */
				      &part->settled,
				      &part->restart.offset,
				      &part->restart.lines,
				      &part->first_event,
				      &part->last_event };

	for (int i = 0; i < (int)(sizeof(numbers) / sizeof(numbers[0])); i++)
		if (numbers[i] && !read_count(statement, 3 + i, numbers[i]))
			return false;
	part->last_ts = number_or_none(statement, 15);
	part->ended = sqlite3_column_int(statement, 16) != 0;
	return read_count(statement, 17, &part->evidence.dropped) && part->evidence.dropped <= part->evidence.bytes &&
	       part->settled >= part->offset && part->settled <= part->offset + part->evidence.bytes &&
	       part->restart.offset <= part->settled;
}

static bool read_evidence(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_evidence_part *part = item;
	struct iq_evidence *evidence = &part->evidence;
	struct iq_view digest = column_view(statement, 8);

	evidence->path = copy_text(segment, statement, 1);
	evidence->format = copy_text(segment, statement, 2);
	part->marks = copy_text(segment, statement, 9);
	evidence->redacted = copy_text(segment, statement, 18);
	evidence->covers_from = number_or_none(statement, 19);
	evidence->covers_to = number_or_none(statement, 20);
	if (digest.len != IQ_SHA256_SIZE || part->marks.len % IQ_SHA256_SIZE != 0 ||
	    !read_part_numbers(statement, part))
		return false;
	memcpy(evidence->sha256, digest.data, IQ_SHA256_SIZE);
	return read_no(statement, 0, &evidence->no) && evidence->no > 0 && evidence->path.data && evidence->format.data;
}

static bool read_gap(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_segment_gap *part = item;
	struct iq_gap *gap = &part->gap;
	int64_t direction = sqlite3_column_int64(statement, 4);

	gap->source = copy_text(segment, statement, 2);
	gap->direction = (enum iq_direction)direction;
	gap->after = (uint64_t)sqlite3_column_int64(statement, 5);
	gap->before = (uint64_t)sqlite3_column_int64(statement, 6);
	gap->ts_min = number_or_none(statement, 7);
	gap->ts_max = number_or_none(statement, 8);
	gap->offset = (uint64_t)sqlite3_column_int64(statement, 9);
	gap->bytes = (uint64_t)sqlite3_column_int64(statement, 10);
	gap->count = number_or_none(statement, 11);
	gap->reason = copy_text(segment, statement, 12);
	return read_no(statement, 1, &gap->evidence) && read_no(statement, 3, &part->session_no) && direction >= 0 &&
	       direction <= IQ_DIRECTION_SERVER && gap->reason.data;
}

static bool read_zone(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_zone *zone = item;
	bool timed = sqlite3_column_type(statement, 3) != SQLITE_NULL;
	struct iq_view hashes = column_view(statement, 14);

	zone->id_first = (uint64_t)sqlite3_column_int64(statement, 2);
	zone->ts_min = timed ? sqlite3_column_int64(statement, 3) : INT64_MAX;
	zone->ts_max = timed ? sqlite3_column_int64(statement, 4) : INT64_MIN;
	zone->length_min = sqlite3_column_int64(statement, 6);
	zone->length_max = sqlite3_column_int64(statement, 7);
	zone->length_sum = sqlite3_column_int64(statement, 8);
	zone->kinds = (uint32_t)sqlite3_column_int64(statement, 9);
	if (hashes.len != IQ_SHA256_SIZE * IQ_STORED_BLOBS)
		return false;
	zone->hashes = (const uint8_t *)iq_arena_copy(&segment->memory, hashes).data;
	return zone->hashes && read_no(statement, 0, &zone->chunk) && zone->chunk > 0 && zone->chunk < MAX_CHUNKS &&
	       read_no(statement, 1, &zone->rows) && zone->rows > 0 && zone->rows <= IQ_CHUNK_MAX_EVENTS &&
	       read_no(statement, 5, &zone->ts_nulls) &&
	       iq_zone_take_entries(column_view(statement, 10), &segment->memory, &zone->sources,
				    &zone->source_count) &&
	       iq_zone_take_entries(column_view(statement, 11), &segment->memory, &zone->sessions,
				    &zone->session_count) &&
	       iq_zone_take_types(column_view(statement, 12), &segment->memory, &zone->types, &zone->type_count) &&
	       iq_zone_take_entries(column_view(statement, 13), &segment->memory, &zone->evidence,
				    &zone->evidence_count);
}

static bool read_raw_block(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_raw_block *block = item;

	(void)segment;
	block->id = sqlite3_column_int64(statement, 0);
	block->offset = (uint64_t)sqlite3_column_int64(statement, 2);
	block->size = (uint64_t)sqlite3_column_int64(statement, 3);
	return read_no(statement, 1, &block->evidence) && block->size > 0 && block->size <= IQ_STREAM_MAX_BYTES &&
	       block->offset <= INT64_MAX - block->size;
}

static bool read_template(struct iq_segment *segment, sqlite3_stmt *statement, void *item)
{
	struct iq_template *template = item;

	template->id = (uint64_t)sqlite3_column_int64(statement, 0);
	template->text = copy_text(segment, statement, 1);
	template->count = (uint64_t)sqlite3_column_int64(statement, 2);
	template->first = number_or_none(statement, 3);
	template->last = number_or_none(statement, 4);
	return template->text.data != NULL;
}

#define READER(leaf, type, items, count, row) \
	{ \
		leaf, sizeof(type), offsetof(struct iq_segment, items), offsetof(struct iq_segment, count), row \
	}

/* Of every segment that is opened; and what is read when it is asked for. */
static const struct table_reader first_readers[] = {
	READER(IQ_LEAF_SOURCES, struct iq_source, sources, source_count, read_source),
	READER(IQ_LEAF_CHUNKS, struct iq_zone, zones, zone_count, read_zone),
};
static const struct table_reader other_readers[] = {
	READER(IQ_LEAF_SESSIONS, struct iq_segment_session, sessions, session_count, read_session),
	READER(IQ_LEAF_EVIDENCE, struct iq_evidence_part, evidence, evidence_count, read_evidence),
	READER(IQ_LEAF_GAPS, struct iq_segment_gap, gaps, gap_count, read_gap),
	READER(IQ_LEAF_RAW, struct iq_raw_block, raw_blocks, raw_block_count, read_raw_block),
};
static const struct table_reader template_reader =
	READER(IQ_LEAF_TEMPLATES, struct iq_template, templates, template_count, read_template);
#define FIRST (sizeof(first_readers) / sizeof(first_readers[0]))
#define OTHERS (sizeof(other_readers) / sizeof(other_readers[0]))

/* Rows of a table that grow one by one. */
struct row_list {
	char *items;
	size_t count;
	size_t capacity;
	size_t wrong; /* number of the first row that is not valid; 0: none */
};

static int add_row(struct iq_segment *segment, const struct table_reader *reader, sqlite3_stmt *statement,
		   struct row_list *list)
{
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? list->capacity * 2 : 16;
		char *grown = realloc(list->items, capacity * reader->size);

		if (!grown)
			return IQ_ERR_NOMEM;
		list->items = grown;
		list->capacity = capacity;
	}
	memset(list->items + list->count * reader->size, 0, reader->size);
	if (reader->row(segment, statement, list->items + list->count++ * reader->size))
		return 0;
	list->wrong = list->count;
	return segment->memory.failed || iq_segment_no_memory(segment->db) ? IQ_ERR_NOMEM : 0;
}

/* Behind a row that is not valid the others are hashed still: mostly it was damaged, and the hash tells. */
static int read_rows(struct iq_segment *segment, const struct table_reader *reader, sqlite3_stmt *statement,
		     struct iq_leaf_hash *leaf, struct row_list *list, struct iq_error *error)
{
	int code = SQLITE_DONE, rc = iq_leaf_hash_begin(leaf, reader->leaf);

	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		iq_leaf_hash_row(leaf, statement);
		if (!list->wrong)
			rc = add_row(segment, reader, statement, list);
	}
	if (rc < 0)
		return iq_error_nomem(error);
	return code == SQLITE_DONE ? 0 : iq_segment_sqlite_error(segment->db, segment->path, error);
}

static int read_checked(struct iq_segment *segment, const struct table_reader *reader, sqlite3_stmt *statement,
			struct row_list *list, struct iq_error *error)
{
	uint8_t digest[IQ_SHA256_SIZE];
	struct iq_leaf_hash leaf;
	int rc = read_rows(segment, reader, statement, &leaf, list, error);

	if (iq_leaf_hash_end(&leaf, digest) < 0 && rc == 0)
		rc = iq_error_nomem(error);
	if (rc == 0 && memcmp(digest, segment->leaves[reader->leaf], sizeof(digest)) != 0)
		rc = damaged_table(segment, reader->leaf, error);
	if (rc == 0 && list->wrong)
		rc = iq_error_set(error, IQ_ERR_CORRUPT, "%s: row %zu of table %s is not valid", segment->path,
				  list->wrong, iq_schema_tables()[reader->leaf].name);
	return rc;
}

/* The segment has what was read only if that is the table that its root stands for. */
static int read_table(struct iq_segment *segment, const struct table_reader *reader, struct iq_error *error)
{
	struct row_list list = { NULL, 0, 0, 0 };
	sqlite3_stmt *statement;
	sqlite3 *db;
	int rc = iq_segment_database(segment, &db, error);

	if (rc < 0)
		return rc;
	if (sqlite3_prepare_v2(db, iq_schema_tables()[reader->leaf].covered, -1, &statement, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(db, segment->path, error);
	rc = read_checked(segment, reader, statement, &list, error);
	(void)sqlite3_finalize(statement);
	if (rc < 0) {
		free(list.items);
		return rc;
	}
	memcpy((char *)segment + reader->items, &list.items, sizeof(list.items));
	memcpy((char *)segment + reader->count, &list.count, sizeof(list.count));
	return 0;
}

static int load_tables(struct iq_segment *segment, struct iq_error *error)
{
	int rc = 0;

	for (; segment->tables_read < OTHERS && rc == 0; segment->tables_read += rc == 0)
		rc = read_table(segment, &other_readers[segment->tables_read], error);
	if (rc == 0)
		atomic_store(&segment->loaded, true);
	return rc;
}

int iq_segment_load(struct iq_segment *segment, struct iq_error *error)
{
	int rc = 0;

	if (atomic_load(&segment->loaded))
		return 0;
	iq_segment_lock(segment);
	if (!atomic_load(&segment->loaded))
		rc = load_tables(segment, error);
	iq_segment_unlock(segment);
	return rc;
}

/* ---- What chunks need ---- */

/* The hash of a column, which its zone has; NULL where there is no such chunk. */
static const uint8_t *hash_of(const struct iq_segment *segment, uint32_t chunk, unsigned column)
{
	size_t low = 0, high = segment->zone_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (segment->zones[middle].chunk < chunk)
			low = middle + 1;
		else
			high = middle;
	}
	return low < segment->zone_count && segment->zones[low].chunk == chunk
		       ? segment->zones[low].hashes + IQ_SHA256_SIZE * IQ_STORED_RANK(column)
		       : NULL;
}

/* A statement would copy the bytes once more. */
static int read_data(struct iq_segment *segment, int64_t id, struct iq_arena *arena, struct iq_view *ret_bytes)
{
	sqlite3_blob **blob = &segment->column_blob;
	int code = *blob ? sqlite3_blob_reopen(*blob, id)
			 : sqlite3_blob_open(segment->db, "main", "columns", "data", id, 0, blob);
	size_t size;
	char *data;

	if (code != SQLITE_OK)
		return IQ_ERR_CORRUPT;
	size = (size_t)sqlite3_blob_bytes(*blob);
	data = iq_arena_alloc(arena, size + 1);
	if (!data)
		return IQ_ERR_NOMEM;
	data[size] = '\0';
	*ret_bytes = iq_view_make(data, size);
	return sqlite3_blob_read(*blob, data, (int)size, 0) == SQLITE_OK ? 0 : IQ_ERR_CORRUPT;
}

static int read_blob(struct iq_segment *segment, int64_t id, struct iq_arena *arena, struct iq_view *ret_bytes,
		     struct iq_error *error)
{
	sqlite3 *db;
	int rc = iq_segment_database(segment, &db, error);

	if (rc < 0)
		return rc;
	rc = read_data(segment, id, arena, ret_bytes);
	return rc == IQ_ERR_CORRUPT && iq_segment_no_memory(db) ? IQ_ERR_NOMEM : rc;
}

/* Others may read while the bytes are hashed. */
static int read_column(void *context, uint32_t chunk, unsigned column, struct iq_arena *arena,
		       struct iq_view *ret_bytes, struct iq_error *error)
{
	struct iq_segment *segment = context;
	const uint8_t *stored = hash_of(segment, chunk, column);
	uint8_t computed[IQ_SHA256_SIZE];
	int rc;

	iq_segment_lock(segment);
	rc = read_blob(segment, IQ_STORED_ID(chunk, column), arena, ret_bytes, error);
	iq_segment_unlock(segment);
	if (rc == 0)
		iq_sha256_of(ret_bytes->data, ret_bytes->len, computed);
	if (rc == 0 && stored && memcmp(computed, stored, IQ_SHA256_SIZE) == 0)
		return 0;
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return iq_error_set(error, IQ_ERR_CORRUPT, "%s: chunk %u: does not match its hash; run `inquest store verify`",
			    segment->path, chunk);
}

static int read_templates(struct iq_segment *segment, struct iq_error *error)
{
	int rc = segment->templates_read ? 0 : read_table(segment, &template_reader, error);

	if (rc == 0)
		segment->templates_read = true;
	return rc;
}

int iq_segment_templates(struct iq_segment *segment, const struct iq_template **ret_templates, size_t *ret_count,
			 struct iq_error *error)
{
	int rc;

	iq_segment_lock(segment);
	rc = read_templates(segment, error);
	iq_segment_unlock(segment);
	*ret_templates = segment->templates;
	*ret_count = segment->template_count;
	return rc;
}

/* Numbers follow each other from 0. */
static struct iq_view pattern_of(void *context, uint64_t number)
{
	struct iq_segment *segment = context;
	const struct iq_template *templates;
	size_t count;
	int rc = iq_segment_templates(segment, &templates, &count, NULL);

	if (rc == IQ_ERR_NOMEM)
		atomic_store(&segment->out_of_memory, true);
	if (rc < 0 || number >= count || templates[number].id != number)
		return IQ_VIEW_NULL;
	return templates[number].text;
}

/* ---- Names ---- */

static struct iq_view source_name(void *context, uint32_t no)
{
	const struct iq_segment *segment = context;

	for (size_t i = 0; i < segment->source_count; i++)
		if (segment->sources[i].no == no)
			return segment->sources[i].name;
	return IQ_VIEW_NULL;
}

static int compare_session_no(const void *key, const void *item)
{
	uint32_t no = *(const uint32_t *)key, other = ((const struct iq_segment_session *)item)->session.no;

	return (no > other) - (no < other);
}

static struct iq_view session_name(void *context, uint32_t no)
{
	struct iq_segment *segment = context;
	const struct iq_segment_session *found = NULL;
	int rc = iq_segment_load(segment, NULL);

	if (rc == IQ_ERR_NOMEM)
		atomic_store(&segment->out_of_memory, true);
	if (rc == 0 && segment->session_count > 0)
		found = bsearch(&no, segment->sessions, segment->session_count, sizeof(*segment->sessions),
				compare_session_no);
	return found ? found->session.name : IQ_VIEW_NULL;
}

bool iq_segment_is_dropped(const struct iq_segment *segment)
{
	for (size_t i = 0; i < segment->evidence_count; i++)
		if (segment->evidence[i].evidence.dropped > 0)
			return true;
	return false;
}

void iq_segment_chunk(struct iq_segment *segment, const struct iq_zone *zone, struct iq_chunk *ret_chunk)
{
	iq_chunk_init(ret_chunk, zone, segment->codec, &segment->outside);
}

static int open_first(struct iq_segment *segment, struct iq_error *error)
{
	struct meta meta;
	int rc = open_checked(segment, &meta, error);

	if (rc < 0)
		return rc;
	memcpy(segment->root, meta.root, sizeof(meta.root));
	memcpy(segment->leaves, meta.leaves, sizeof(meta.leaves));
	segment->level = meta.level;
	for (size_t i = 0; i < FIRST && rc == 0; i++)
		rc = read_table(segment, &first_readers[i], error);
	return rc;
}

int iq_segment_open_lazily(const char *path, struct iq_segment **ret_segment, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = 0;

	if (access(path, R_OK) != 0)
		return iq_error_errno(error, IQ_ERR_NOT_FOUND, "%s", path);
	if (!iq_segment_is(path))
		return iq_error_set(error, IQ_ERR_FORMAT, "%s: not an inquest segment", path);
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return iq_error_nomem(error);
	segment->path = strdup(path);
	segment->codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	segment->outside =
		(struct iq_chunk_outside){ read_column, pattern_of,   iq_segment_word, iq_segment_any_word,
					   source_name, session_name, segment,	       &segment->out_of_memory };
	if (!segment->path || !segment->codec)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = open_first(segment, error);
	if (rc < 0) {
		iq_segment_close(segment);
		return rc;
	}
	*ret_segment = segment;
	return 0;
}

int iq_segment_open(const char *path, struct iq_segment **ret_segment, struct iq_error *error)
{
	struct iq_segment *segment = NULL;
	int rc = iq_segment_open_lazily(path, &segment, error);

	if (rc < 0)
		return rc;
	rc = iq_segment_load(segment, error);
	if (rc < 0) {
		iq_segment_close(segment);
		return rc;
	}
	*ret_segment = segment;
	return 0;
}

void iq_segment_close(struct iq_segment *segment)
{
	if (!segment)
		return;
	if (segment->pool && segment->db)
		leave_pool(segment);
	close_database(segment);
	iq_codec_free(segment->codec);
	iq_arena_release(&segment->memory);
	free(segment->sources);
	free(segment->sessions);
	free(segment->evidence);
	free(segment->gaps);
	free(segment->zones);
	free(segment->templates);
	free(segment->raw_blocks);
	free(segment->words);
	free(segment->path);
	free(segment);
}
