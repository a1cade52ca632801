/* store/verify.h - checking one segment. Private to store/; the store's check is in store/store.h.
 */
#ifndef IQ_STORE_VERIFY_H
#define IQ_STORE_VERIFY_H

#include "store/segment.h"

/* Are all columns and raw blocks in the file those that were put into it? What they decode to was proved before: see
 * store/proof.h. IQ_ERR_IO where one is not, IQ_ERR_CORRUPT. */
int iq_segment_reads_back(struct iq_segment *segment, struct iq_error *error);
/* How far the streams were hashed whose parts lie in several segments. Begin with zeros. */
struct iq_hash_state {
	uint32_t evidence;
	uint64_t bytes;
	struct iq_sha256 *hash;
};
struct iq_hash_states {
	struct iq_hash_state *items;
	size_t count;
	size_t capacity;
	struct iq_map numbers; /* evidence -> index */
};
/* Copies the hash, which is that of the first `bytes` of the evidence. 0 or IQ_ERR_NOMEM. */
int iq_hash_states_set(struct iq_hash_states *states, uint32_t evidence, const struct iq_sha256 *hash, uint64_t bytes);
/* NULL if there is none. Borrowed until another is set. */
struct iq_hash_state *iq_hash_states_get(const struct iq_hash_states *states, uint32_t evidence);
/* Also gives all memory back. */
void iq_hash_states_clear(struct iq_hash_states *states);

/* Decodes every value of an open segment and gets all raw evidence out of it. Adds to `result`. `damaged` may be NULL.
 * `states` has the hashes where parts begin that do not begin their stream, and gets those where parts end; of a part whose
 * beginning it lacks the stream's hash is not checked. 0, or IQ_ERR_NOMEM. */
int iq_segment_verify(struct iq_segment *segment, struct iq_hash_states *states,
		      int (*damaged)(void *context, const struct iq_damage *damage), void *context,
		      struct iq_verify_result *result);

#endif
