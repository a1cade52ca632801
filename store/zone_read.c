/* The lists of a zone map. */
#include "store/chunk.h"

/* How many varints there are: so many bytes end one. */
static size_t count_varints(struct iq_view blob)
{
	size_t count = 0;

	for (size_t i = 0; i < blob.len; i++)
		count += ((unsigned char)blob.data[i] & 0x80) == 0;
	return count;
}

bool iq_zone_take_entries(struct iq_view blob, struct iq_arena *arena, const struct iq_zone_entry **ret_entries,
			  size_t *ret_count)
{
	struct iq_zone_entry *entries = iq_arena_alloc(arena, (count_varints(blob) / 2 + 1) * sizeof(*entries));
	size_t count = 0;
	uint64_t step, sum = 0;

	if (!entries)
		return false;
	while (blob.len > 0) {
		if (!iq_varint_take(&blob, &step) || step > UINT32_MAX - sum ||
		    !iq_varint_take(&blob, &entries[count].value))
			return false;
		sum += step;
		entries[count++].no = (uint32_t)sum;
	}
	*ret_entries = entries;
	*ret_count = count;
	return true;
}

bool iq_zone_take_types(struct iq_view blob, struct iq_arena *arena, const struct iq_zone_type **ret_types,
			size_t *ret_count)
{
	struct iq_zone_type *types = iq_arena_calloc(arena, blob.len / 2 + 1, sizeof(*types));
	size_t count = 0;
	uint64_t len, events;
	struct iq_view name;

	if (!types)
		return false;
	while (blob.len > 0) {
		if (!iq_varint_take(&blob, &len))
			return false;
		if (len > 0) {
			if (!iq_bytes_take(&blob, len - 1, &name))
				return false;
			types[count].name = iq_arena_copy(arena, name);
			if (!types[count].name.data)
				return false;
		}
		if (!iq_varint_take(&blob, &events) || events > UINT32_MAX)
			return false;
		types[count++].events = (uint32_t)events;
	}
	*ret_types = types;
	*ret_count = count;
	return true;
}
