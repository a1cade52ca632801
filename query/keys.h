/* query/keys.h - the keys of instances, each with the number of its last one.
 *
 * There is one for each instance that is open, and more: they take little room. A key is known by its index, which stays. Zeroed:
 * empty. Release with iq_keys_release(). Belongs to one thread.
 */
#ifndef IQ_QUERY_KEYS_H
#define IQ_QUERY_KEYS_H

#include "base/base.h"

struct iq_key {
	const char *text;
	uint32_t len;
	uint32_t number;
};

struct iq_keys {
	struct iq_key *entries;
	size_t count;
	size_t capacity;
	struct iq_map_slot *slots; /* a power of two of them, three quarters of which are taken at most */
	size_t slot_count;
	struct iq_arena texts;
	char *room; /* the rest of a block of texts */
	size_t room_left;
};

void iq_keys_release(struct iq_keys *keys);
void iq_keys_clear(struct iq_keys *keys);
/* Borrowed until a key is added; NULL where it is not there. */
struct iq_key *iq_keys_find(const struct iq_keys *keys, struct iq_view text);
/* The index of a key, added where it is new. 0 or IQ_ERR_NOMEM, also where there are more than 4 billion. */
int iq_keys_add(struct iq_keys *keys, struct iq_view text, uint32_t *ret_index);

static inline struct iq_view iq_key_text(const struct iq_key *key)
{
	return iq_view_make(key->text, key->len);
}

#endif
