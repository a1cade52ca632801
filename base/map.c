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

/* The slot that holds `key`, or the free one where it belongs. */
static size_t find_slot(const struct iq_map *map, struct iq_view key, uint64_t hash)
{
	size_t mask = map->slot_count - 1;
	size_t slot = (size_t)hash & mask;

	while (map->slots[slot] != 0) {
		const struct iq_map_entry *entry = &map->entries[map->slots[slot] - 1];

		if (entry->hash == hash && iq_view_eq(entry->key, key))
			break;
		slot = (slot + 1) & mask;
	}
	return slot;
}

static int grow_slots(struct iq_map *map)
{
	size_t count = map->slot_count ? map->slot_count * 2 : 16;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return IQ_ERR_NOMEM;
	free(map->slots);
	map->slots = slots;
	map->slot_count = count;
	for (size_t i = 0; i < map->count; i++)
		map->slots[find_slot(map, map->entries[i].key, map->entries[i].hash)] = (uint32_t)i + 1;
	return 0;
}

uint64_t *iq_map_get(const struct iq_map *map, struct iq_view key)
{
	size_t slot;

	if (map->count == 0)
		return NULL;
	slot = find_slot(map, key, hash_of(key));
	return map->slots[slot] ? &map->entries[map->slots[slot] - 1].value : NULL;
}

int iq_map_intern(struct iq_map *map, struct iq_view key, uint32_t *ret_index)
{
	uint64_t hash = hash_of(key);
	struct iq_view copy;
	size_t slot;

	if (map->count * 2 >= map->slot_count && grow_slots(map) < 0)
		return IQ_ERR_NOMEM;
	slot = find_slot(map, key, hash);
	if (map->slots[slot] != 0) {
		*ret_index = map->slots[slot] - 1;
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
	map->slots[slot] = (uint32_t)++map->count;
	return 1;
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
