/* base/map.h - a hash map from byte strings to numbers, and the interner built on it.
 *
 * Keys are copied. Iteration order is insertion order: entries are numbered 0.. as they come, which makes the map a
 * dictionary coder as well (iq_map_intern).
 */
#ifndef IQ_BASE_MAP_H
#define IQ_BASE_MAP_H

#include <inquest/base.h>

#include "base/arena.h"

struct iq_map_entry {
	struct iq_view key; /* Borrowed until the map is cleared or released. */
	uint64_t value;
	uint64_t hash;
};

/* Where an entry is looked for. */
struct iq_map_slot {
	uint32_t entry; /* its index + 1, or 0 */
	uint32_t tag;	/* of its hash: other entries are mostly not looked at */
};

struct iq_map {
	struct iq_map_entry *entries;
	size_t count;
	size_t capacity;
	struct iq_map_slot *slots; /* a power of two of them */
	size_t slot_count;
	struct iq_arena keys;
};

#define IQ_MAP_INIT \
	{ \
		.entries = NULL, .count = 0, .capacity = 0, .slots = NULL, .slot_count = 0, .keys = IQ_ARENA_INIT \
	}
/* No map holds more; iq_map_set() then fails with IQ_ERR_LIMIT. */
#define IQ_MAP_MAX_ENTRIES (UINT32_MAX - 1)

void iq_map_release(struct iq_map *map);
void iq_map_clear(struct iq_map *map);
/* The value of `key`, for reading or writing; NULL if it is not there. Borrowed until the map changes. */
uint64_t *iq_map_get(const struct iq_map *map, struct iq_view key);
/* Adds or replaces. Returns 0 or negative. */
int iq_map_set(struct iq_map *map, struct iq_view key, uint64_t value);
/* The entry index of `key`, adding it (with value = its index) when it is new; 1 if new, 0 if known, or negative. */
int iq_map_intern(struct iq_map *map, struct iq_view key, uint32_t *ret_index);
/* As iq_map_intern() of each of `count` keys, at most IQ_MAP_AT_ONCE: a large map does not lie in the caches, and what it is
 * waited for is asked for at once. 0 or negative; keys from the map's count before on are new. */
int iq_map_intern_all(struct iq_map *map, const struct iq_view *keys, size_t count, uint32_t *ret_indices);
#define IQ_MAP_AT_ONCE 32u

#endif
