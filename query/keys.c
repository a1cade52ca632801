#include "query/keys.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Texts lie one after the other in blocks of this size. */
#define BLOCK 65536u

static uint64_t hash_of(struct iq_view text)
{
	return XXH3_64bits(text.data, text.len);
}

void iq_keys_release(struct iq_keys *keys)
{
	free(keys->entries);
	free(keys->slots);
	iq_arena_release(&keys->texts);
	*keys = (struct iq_keys){ 0 };
}

void iq_keys_clear(struct iq_keys *keys)
{
	if (keys->slots)
		memset(keys->slots, 0, keys->slot_count * sizeof(*keys->slots));
	keys->count = keys->room_left = 0;
	iq_arena_clear(&keys->texts);
}

/* The slot of the text, or the free one where it belongs. */
static struct iq_map_slot *find_slot(const struct iq_keys *keys, struct iq_view text, uint64_t hash)
{
	const size_t mask = keys->slot_count - 1;
	const uint32_t tag = (uint32_t)(hash >> 32);
	size_t at = (size_t)hash & mask;

	while (keys->slots[at].entry && !(keys->slots[at].tag == tag &&
					  iq_view_eq(iq_key_text(&keys->entries[keys->slots[at].entry - 1]), text)))
		at = (at + 1) & mask;
	return &keys->slots[at];
}

struct iq_key *iq_keys_find(const struct iq_keys *keys, struct iq_view text)
{
	const struct iq_map_slot *slot = keys->count ? find_slot(keys, text, hash_of(text)) : NULL;

	return slot && slot->entry ? &keys->entries[slot->entry - 1] : NULL;
}

static int grow_slots(struct iq_keys *keys)
{
	const size_t count = keys->slot_count ? keys->slot_count * 2 : 16;
	struct iq_map_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return IQ_ERR_NOMEM;
	free(keys->slots);
	keys->slots = slots;
	keys->slot_count = count;
	for (size_t i = 0; i < keys->count; i++) {
		const uint64_t hash = hash_of(iq_key_text(&keys->entries[i]));
		size_t at = (size_t)hash & (count - 1);

		while (slots[at].entry)
			at = (at + 1) & (count - 1);
		slots[at] = (struct iq_map_slot){ (uint32_t)i + 1, (uint32_t)(hash >> 32) };
	}
	return 0;
}

static const char *keep_text(struct iq_keys *keys, struct iq_view text)
{
	char *kept = keys->room;

	if (text.len > BLOCK / 4)
		return iq_arena_copy(&keys->texts, text).data;
	if (text.len > keys->room_left) {
		kept = iq_arena_alloc(&keys->texts, BLOCK);
		if (!kept)
			return NULL;
		keys->room_left = BLOCK;
	}
	iq_copy(kept, text.data, text.len);
	keys->room = kept + text.len;
	keys->room_left -= text.len;
	return kept;
}

int iq_keys_add(struct iq_keys *keys, struct iq_view text, uint32_t *ret_index)
{
	const uint64_t hash = hash_of(text);
	struct iq_map_slot *slot;
	const char *kept;

	if (4 * keys->count >= 3 * keys->slot_count && grow_slots(keys) < 0)
		return IQ_ERR_NOMEM;
	slot = find_slot(keys, text, hash);
	if (slot->entry) {
		*ret_index = slot->entry - 1;
		return 0;
	}
	if (keys->count >= UINT32_MAX - 1 || text.len > UINT32_MAX ||
	    IQ_ARRAY_GROW(keys->entries, keys->capacity, keys->count + 1) < 0)
		return IQ_ERR_NOMEM;
	kept = keep_text(keys, text);
	if (!kept)
		return IQ_ERR_NOMEM;
	*ret_index = (uint32_t)keys->count;
	keys->entries[keys->count++] = (struct iq_key){ kept, (uint32_t)text.len, 0 };
	*slot = (struct iq_map_slot){ *ret_index + 1, (uint32_t)(hash >> 32) };
	return 0;
}
