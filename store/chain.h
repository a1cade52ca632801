/* store/chain.h - what a stream is: SHA-256 of all of it so far, and of its beginnings.
 *
 * A stream is recognised by its content, whatever it is called. The *marks* kept for that are running hashes, each over all bytes
 * before it: one at each whole MiB; and of a stream that is shorter, one at the largest power of two that it reaches, its
 * *head*. Two streams with an equal mark are equal up to there. Free of I/O.
 *
 * Life: iq_chain_init, iq_chain_update..., iq_chain_release. One thread at a time.
 */
#ifndef IQ_STORE_CHAIN_H
#define IQ_STORE_CHAIN_H

#include "base/base.h"

#define IQ_MARK_SHIFT 20
#define IQ_MARK_BYTES (1u << IQ_MARK_SHIFT)

struct iq_chain {
	struct iq_sha256 *hash;
	uint64_t bytes;
	uint8_t heads[IQ_MARK_SHIFT][IQ_SHA256_SIZE]; /* of the first 2^i bytes, where there are so many */
	struct iq_buf marks;			      /* of each whole MiB */
};

/* 0 or IQ_ERR_NOMEM. Release with iq_chain_release() either way. */
int iq_chain_init(struct iq_chain *chain);
void iq_chain_release(struct iq_chain *chain);
/* Starts again. */
void iq_chain_reset(struct iq_chain *chain);
/* Takes the next bytes. 0 or IQ_ERR_NOMEM. */
int iq_chain_update(struct iq_chain *chain, struct iq_view bytes);
/* Where the next head or mark is. */
uint64_t iq_chain_next(const struct iq_chain *chain);
/* The head or mark at which the chain stands, if it stands at one. Borrowed until the chain changes. */
const uint8_t *iq_chain_here(const struct iq_chain *chain);
/* The marks of what lies between `offset` and here; of a short stream its head. Borrowed until the chain
 * changes. */
struct iq_view iq_chain_marks(const struct iq_chain *chain, uint64_t offset);
/* Makes `chain` what `other` was when it had come to `bytes` and its hash was `hash`. 0 or IQ_ERR_NOMEM. */
int iq_chain_go_back(struct iq_chain *chain, const struct iq_chain *other, const struct iq_sha256 *hash,
		     uint64_t bytes);

#endif
