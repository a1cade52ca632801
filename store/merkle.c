/* The root hash of a segment: a Merkle tree as RFC 6962, section 2.1, defines it. Its leaves are the tables, each as a whole,
 * and then the chunks, each with the hashes of its columns. */
#include <string.h>

#include "store/schema.h"
#include "store/segment.h"

/* Bytes that are hashed together. */
#define HASHED_TOGETHER 4096u

struct tree {
	sqlite3 *db;
	struct iq_sha256 *hash;
	struct iq_buf
		bytes; /* of the leaf, that are not hashed yet: values are short, and hashing has a price for each call */
	struct iq_merkle leaves;
	struct iq_error *error;
};

/* ---- Leaves ---- */

static void add_number(struct iq_buf *bytes, uint64_t number)
{
	char text[8];

	for (int i = 0; i < 8; i++)
		text[i] = (char)(number >> (8 * i));
	(void)iq_buf_append(bytes, iq_view_make(text, sizeof(text)));
}

/* N; I and the number; T or B, the length and the bytes. */
static void add_value(struct iq_buf *bytes, sqlite3_stmt *statement, int column)
{
	int type = sqlite3_column_type(statement, column);
	struct iq_view text;

	if (type == SQLITE_NULL) {
		(void)iq_buf_append_char(bytes, 'N');
	} else if (type == SQLITE_INTEGER) {
		(void)iq_buf_append_char(bytes, 'I');
		add_number(bytes, (uint64_t)sqlite3_column_int64(statement, column));
	} else {
		(void)iq_buf_append_char(bytes, type == SQLITE_TEXT ? 'T' : 'B');
		text.data = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(statement, column)
						: sqlite3_column_blob(statement, column);
		text.len = (size_t)sqlite3_column_bytes(statement, column);
		add_number(bytes, (uint64_t)text.len);
		(void)iq_buf_append(bytes, text);
	}
}

static void hash_bytes(struct tree *tree)
{
	iq_sha256_update(tree->hash, tree->bytes.data, tree->bytes.len);
	tree->bytes.len = 0;
}

static void hash_row(struct tree *tree, sqlite3_stmt *statement)
{
	const int count = sqlite3_column_count(statement);

	(void)iq_buf_append_char(&tree->bytes, 'R');
	for (int column = 0; column < count; column++)
		add_value(&tree->bytes, statement, column);
	if (tree->bytes.len >= HASHED_TOGETHER)
		hash_bytes(tree);
}

static void begin_leaf(struct tree *tree, const char *name)
{
	iq_sha256_reset(tree->hash);
	iq_buf_clear(&tree->bytes);
	(void)iq_buf_append_char(&tree->bytes, '\0');
	(void)iq_buf_append(&tree->bytes, iq_view_make(name, strlen(name) + 1));
}

static int end_leaf(struct tree *tree)
{
	uint8_t digest[IQ_SHA256_SIZE];

	if (tree->bytes.failed)
		return iq_error_nomem(tree->error);
	hash_bytes(tree);
	iq_sha256_digest(tree->hash, digest);
	return iq_merkle_add_hash(&tree->leaves, digest) < 0 ? iq_error_nomem(tree->error) : 0;
}

static int database_error(const struct tree *tree)
{
	return iq_segment_sqlite_error(tree->db, iq_path_base(sqlite3_db_filename(tree->db, "main")), tree->error);
}

static int prepare(const struct tree *tree, const char *sql, sqlite3_stmt **ret_statement)
{
	return sqlite3_prepare_v2(tree->db, sql, -1, ret_statement, NULL) == SQLITE_OK ? 0 : database_error(tree);
}

static int add_table(struct tree *tree, const struct iq_schema_table *table)
{
	sqlite3_stmt *statement;
	int code, rc = prepare(tree, table->covered, &statement);

	if (rc < 0)
		return rc;
	begin_leaf(tree, table->name);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		hash_row(tree, statement);
	(void)sqlite3_finalize(statement);
	return code == SQLITE_DONE ? end_leaf(tree) : database_error(tree);
}

static int add_chunk(struct tree *tree, sqlite3_stmt *chunk, sqlite3_stmt *columns)
{
	const int64_t number = sqlite3_column_int64(chunk, 0);
	int code;

	begin_leaf(tree, "chunks");
	hash_row(tree, chunk);
	(void)sqlite3_bind_int64(columns, 1, IQ_STORED_ID(number, 0));
	(void)sqlite3_bind_int64(columns, 2, IQ_STORED_ID(number, 31));
	while ((code = sqlite3_step(columns)) == SQLITE_ROW)
		hash_row(tree, columns);
	(void)sqlite3_reset(columns);
	return code == SQLITE_DONE ? end_leaf(tree) : database_error(tree);
}

static int add_chunks(struct tree *tree, const struct iq_schema_table *table)
{
	sqlite3_stmt *chunks = NULL, *columns = NULL;
	int code = SQLITE_DONE, rc = prepare(tree, table->covered, &chunks);

	if (rc == 0)
		rc = prepare(tree, "SELECT id, sha256 FROM columns WHERE id BETWEEN ?1 AND ?2 ORDER BY id", &columns);
	while (rc == 0 && (code = sqlite3_step(chunks)) == SQLITE_ROW)
		rc = sqlite3_column_int64(chunks, 0) < UINT32_MAX ? add_chunk(tree, chunks, columns) : IQ_ERR_CORRUPT;
	if (rc == 0 && code != SQLITE_DONE)
		rc = database_error(tree);
	(void)sqlite3_finalize(chunks);
	(void)sqlite3_finalize(columns);
	return rc;
}

int iq_segment_root(sqlite3 *db, uint8_t ret_root[IQ_SHA256_SIZE], struct iq_error *error)
{
	struct tree tree = { .db = db, .hash = iq_sha256_new(), .error = error };
	int rc = tree.hash ? 0 : iq_error_nomem(error);

	for (const struct iq_schema_table *table = iq_schema_tables(); rc == 0 && table->name; table++) {
		if (strcmp(table->name, "columns") == 0)
			continue;
		rc = strcmp(table->name, "chunks") == 0 ? add_chunks(&tree, table) : add_table(&tree, table);
	}
	if (rc == 0 && iq_merkle_root(&tree.leaves, ret_root) < 0)
		rc = iq_error_nomem(error);
	iq_buf_release(&tree.bytes);
	iq_sha256_free(tree.hash);
	return rc;
}
