/* base/merkle.h - the root of a Merkle tree as RFC 6962, section 2.1, defines it, over leaves that come one by one. Memory does
 * not grow with their number.
 */
#ifndef IQ_BASE_MERKLE_H
#define IQ_BASE_MERKLE_H

#include "base/hash.h"

/* The roots of complete trees, the largest first: as many as bits are set in `count`. Begin with zeros; plain data. */
struct iq_merkle {
	uint64_t count;
	uint8_t roots[64][IQ_SHA256_SIZE];
};

/* Adds a leaf. 0 or IQ_ERR_NOMEM. */
int iq_merkle_add(struct iq_merkle *tree, struct iq_view leaf);
/* As above, for a leaf that is hashed already: SHA-256 of a 0 byte and the leaf. */
int iq_merkle_add_hash(struct iq_merkle *tree, const uint8_t hash[IQ_SHA256_SIZE]);
/* The root over all leaves so far; SHA-256 of nothing where there is none. 0 or IQ_ERR_NOMEM. */
int iq_merkle_root(const struct iq_merkle *tree, uint8_t ret_root[IQ_SHA256_SIZE]);

#endif
