#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* Keys are short: the call would cost more than the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/array.h"
#include "base/view.h"

static uint64_t hash_of(struct iq_view key)
{
	return XXH3_64bits(key.data, key.len);
}

void iq_map_release(struct iq_map *map)
{
	free(map->entries);
	free(map->slots);
	iq_arena_release(&map->keys);
	*map = (struct iq_map)IQ_MAP_INIT;
}

void iq_map_clear(struct iq_map *map)
{
	if (map->slots)
		memset(map->slots, 0, map->slot_count * sizeof(*map->slots));
	map->count = 0;
	iq_arena_clear(&map->keys);
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct iq_map_slot *find_slot(const struct iq_map *map, struct iq_view key, uint64_t hash)
{
	const size_t mask = map->slot_count - 1;

	for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
		struct iq_map_slot *slot = &map->slots[at];

		if (slot->entry == 0 ||
		    (slot->tag == tag_of(hash) && iq_view_eq(map->entries[slot->entry - 1].key, key)))
			return slot;
	}
}

static void put_again(struct iq_map *map, size_t index)
{
	const uint64_t hash = map->entries[index].hash;
	const size_t mask = map->slot_count - 1;
	size_t at = (size_t)hash & mask;

	while (map->slots[at].entry != 0)
		at = (at + 1) & mask;
	map->slots[at] = (struct iq_map_slot){ (uint32_t)index + 1, tag_of(hash) };
}

static int grow_slots(struct iq_map *map)
{
	size_t count = map->slot_count ? map->slot_count * 2 : 16;
	struct iq_map_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return IQ_ERR_NOMEM;
	free(map->slots);
	map->slots = slots;
	map->slot_count = count;
	for (size_t i = 0; i < map->count; i++)
		put_again(map, i);
	return 0;
}

uint64_t *iq_map_get(const struct iq_map *map, struct iq_view key)
{
	const struct iq_map_slot *slot;

	if (map->count == 0)
		return NULL;
	slot = find_slot(map, key, hash_of(key));
	return slot->entry ? &map->entries[slot->entry - 1].value : NULL;
}

static int intern(struct iq_map *map, struct iq_view key, uint64_t hash, uint32_t *ret_index)
{
	struct iq_view copy;
	struct iq_map_slot *slot;

	if (map->count * 2 >= map->slot_count && grow_slots(map) < 0)
		return IQ_ERR_NOMEM;
	slot = find_slot(map, key, hash);
	if (slot->entry != 0) {
		*ret_index = slot->entry - 1;
		return 0;
	}
	if (map->count >= IQ_MAP_MAX_ENTRIES)
		return IQ_ERR_LIMIT;
	if (IQ_ARRAY_GROW(map->entries, map->capacity, map->count + 1) < 0)
		return IQ_ERR_NOMEM;
	copy = iq_arena_copy(&map->keys, key.data ? key : IQ_LIT(""));
	if (!copy.data)
		return IQ_ERR_NOMEM;
	*ret_index = (uint32_t)map->count;
	map->entries[map->count] = (struct iq_map_entry){ .key = copy, .value = map->count, .hash = hash };
	*slot = (struct iq_map_slot){ (uint32_t)++map->count, tag_of(hash) };
	return 1;
}

int iq_map_intern(struct iq_map *map, struct iq_view key, uint32_t *ret_index)
{
	return intern(map, key, hash_of(key), ret_index);
}

/* Asks for the slots that these hashes lead to, then for what these lead to. */
static void fetch(const struct iq_map *map, const uint64_t *hashes, size_t count)
{
	const size_t mask = map->slot_count - 1;

	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(&map->slots[hashes[i] & mask]);
	for (size_t i = 0; i < count; i++) {
		const struct iq_map_slot *slot = &map->slots[hashes[i] & mask];

		if (slot->tag == tag_of(hashes[i]) && slot->entry)
			__builtin_prefetch(&map->entries[slot->entry - 1]);
	}
	for (size_t i = 0; i < count; i++) {
		const struct iq_map_slot *slot = &map->slots[hashes[i] & mask];

		if (slot->tag == tag_of(hashes[i]) && slot->entry)
			__builtin_prefetch(map->entries[slot->entry - 1].key.data);
	}
}

int iq_map_intern_all(struct iq_map *map, const struct iq_view *keys, size_t count, uint32_t *ret_indices)
{
	uint64_t hashes[IQ_MAP_AT_ONCE];
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		hashes[i] = hash_of(keys[i]);
	if (map->count > 0)
		fetch(map, hashes, count);
	for (size_t i = 0; i < count && rc >= 0; i++)
		rc = intern(map, keys[i], hashes[i], &ret_indices[i]);
	return rc < 0 ? rc : 0;
}

int iq_map_set(struct iq_map *map, struct iq_view key, uint64_t value)
{
	uint32_t index;
	int rc = iq_map_intern(map, key, &index);

	if (rc < 0)
		return rc;
	map->entries[index].value = value;
	return 0;
}
