/* store/merkle.h - the hashes by which a segment's tables are known: a leaf for each, and the root over them. Private to store/.
 *
 * The leaves are kept in the segment, so that a reader compares them with the root and each table with its leaf when it reads it.
 */
#ifndef IQ_STORE_MERKLE_H
#define IQ_STORE_MERKLE_H

#include <sqlite3.h>

#include "base/base.h"
#include "store/schema.h"

/* The hash of a table, row by row. iq_leaf_hash_end() releases it. */
struct iq_leaf_hash {
	struct iq_sha256 *hash;
	struct iq_buf bytes;
};

/* 0 or IQ_ERR_NOMEM; iq_leaf_hash_end() is called in any case. */
int iq_leaf_hash_begin(struct iq_leaf_hash *leaf, enum iq_leaf which);
/* The row that the statement, over what the leaf covers, stands at. */
void iq_leaf_hash_row(struct iq_leaf_hash *leaf, sqlite3_stmt *statement);
/* 0 or IQ_ERR_NOMEM. */
int iq_leaf_hash_end(struct iq_leaf_hash *leaf, uint8_t ret_digest[IQ_SHA256_SIZE]);
/* That of a table as it stands in the database. */
int iq_leaf_of(sqlite3 *db, enum iq_leaf which, uint8_t ret_digest[IQ_SHA256_SIZE], struct iq_error *error);
/* 0 or IQ_ERR_NOMEM. */
int iq_leaves_root(uint8_t leaves[IQ_LEAF_COUNT][IQ_SHA256_SIZE], uint8_t ret_root[IQ_SHA256_SIZE]);

#endif
