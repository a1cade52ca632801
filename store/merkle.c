/* The root hash of a segment: a Merkle tree as RFC 6962, section 2.1, defines it. Its leaves are the tables, each as a whole; that of
 * the chunks has the hashes of their columns. */
#include "store/merkle.h"

#include <string.h>

#include "store/segment.h"

/* Bytes that are hashed together. */
#define HASHED_TOGETHER 4096u

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

/* Values are short, and hashing has a price for each call: they are hashed some at a time. */
static void hash_bytes(struct iq_leaf_hash *leaf)
{
	iq_sha256_update(leaf->hash, leaf->bytes.data, leaf->bytes.len);
	leaf->bytes.len = 0;
}

int iq_leaf_hash_begin(struct iq_leaf_hash *leaf, enum iq_leaf which)
{
	const char *name = iq_schema_tables()[which].name;

	*leaf = (struct iq_leaf_hash){ iq_sha256_new(), IQ_BUF_INIT };
	if (!leaf->hash)
		return IQ_ERR_NOMEM;
	(void)iq_buf_append_char(&leaf->bytes, '\0');
	return iq_buf_append(&leaf->bytes, iq_view_make(name, strlen(name) + 1));
}

void iq_leaf_hash_row(struct iq_leaf_hash *leaf, sqlite3_stmt *statement)
{
	const int count = sqlite3_column_count(statement);

	(void)iq_buf_append_char(&leaf->bytes, 'R');
	for (int column = 0; column < count; column++)
		add_value(&leaf->bytes, statement, column);
	if (leaf->bytes.len >= HASHED_TOGETHER)
		hash_bytes(leaf);
}

int iq_leaf_hash_end(struct iq_leaf_hash *leaf, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	const bool failed = leaf->bytes.failed || !leaf->hash;

	if (!failed) {
		hash_bytes(leaf);
		iq_sha256_digest(leaf->hash, ret_digest);
	}
	iq_buf_release(&leaf->bytes);
	iq_sha256_free(leaf->hash);
	return failed ? IQ_ERR_NOMEM : 0;
}

int iq_leaf_of(sqlite3 *db, enum iq_leaf which, uint8_t ret_digest[IQ_SHA256_SIZE], struct iq_error *error)
{
	struct iq_leaf_hash leaf;
	sqlite3_stmt *statement;
	int code, rc;

	if (sqlite3_prepare_v2(db, iq_schema_tables()[which].covered, -1, &statement, NULL) != SQLITE_OK)
		return iq_segment_sqlite_error(db, iq_path_base(sqlite3_db_filename(db, "main")), error);
	rc = iq_leaf_hash_begin(&leaf, which);
	code = SQLITE_DONE;
	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		iq_leaf_hash_row(&leaf, statement);
	(void)sqlite3_finalize(statement);
	if (iq_leaf_hash_end(&leaf, ret_digest) < 0)
		return iq_error_nomem(error);
	return code == SQLITE_DONE ? 0
				   : iq_segment_sqlite_error(db, iq_path_base(sqlite3_db_filename(db, "main")), error);
}

int iq_leaves_root(uint8_t leaves[IQ_LEAF_COUNT][IQ_SHA256_SIZE], uint8_t ret_root[IQ_SHA256_SIZE])
{
	struct iq_merkle tree = { .count = 0 };
	int rc = 0;

	for (unsigned i = 0; i < IQ_LEAF_COUNT && rc == 0; i++)
		rc = iq_merkle_add_hash(&tree, leaves[i]);
	return rc == 0 ? iq_merkle_root(&tree, ret_root) : rc;
}
