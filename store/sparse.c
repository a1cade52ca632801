#include "store/sparse.h"

#include <string.h>

#include "base/scan.h"
#include "store/ints.h"

/* ---- Taking ---- */

static int take_planes(struct iq_codec *codec, struct iq_view *rest, struct iq_arena *arena, struct iq_sparse *sparse)
{
	size_t count = sparse->count;

	if (sparse->differences && (count-- == 0 || !iq_zigzag_take(rest, &sparse->first)))
		return IQ_ERR_CORRUPT;
	return iq_planes_take(codec, rest, iq_window_whole(count), arena, &sparse->planes);
}

int iq_sparse_take(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
		   struct iq_sparse *ret_sparse)
{
	const uint8_t layout = rest->len > 0 ? (uint8_t)rest->data[0] : IQ_INTS_LAYOUTS;

	*ret_sparse = (struct iq_sparse){ .count = count, .differences = layout == IQ_INTS_DELTA };
	if (layout != IQ_INTS_PLANES && layout != IQ_INTS_DELTA)
		return iq_stream_take_ints(codec, rest, count, NULL, arena, &ret_sparse->values);
	*rest = iq_view_from(*rest, 1);
	return take_planes(codec, rest, arena, ret_sparse);
}

/* ---- Sums of planes ---- */

/* Eight bytes at a time, in four lanes of sixteen bits, which hold the sums of so many. */
#define LANES_HOLD 128u

static uint64_t sum_bytes(const unsigned char *bytes, size_t len)
{
	const uint64_t every_other = UINT64_C(0x00ff00ff00ff00ff);
	uint64_t sum = 0, word;

	while (len >= sizeof(word)) {
		uint64_t lanes = 0;

		for (unsigned i = 0; i < LANES_HOLD && len >= sizeof(word); i++) {
			memcpy(&word, bytes, sizeof(word));
			lanes += (word & every_other) + (word >> 8 & every_other);
			bytes += sizeof(word);
			len -= sizeof(word);
		}
		sum += (lanes & 0xffff) + (lanes >> 16 & 0xffff) + (lanes >> 32 & 0xffff) + (lanes >> 48);
	}
	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	return sum;
}

/* Of the packed numbers in [from, end). */
static uint64_t sum_packed(const struct iq_planes *planes, size_t from, size_t end)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < planes->width; i++)
		sum += sum_bytes(planes->bytes[i] + from, end - from) << (8 * i);
	return planes->base * (end - from) + planes->scale * sum;
}

/* ---- Asking ---- */

void iq_sparse_get(const struct iq_sparse *sparse, const int64_t *places, int64_t origin, size_t wanted,
		   int64_t *ret_values)
{
	uint64_t value = (uint64_t)sparse->first;
	size_t at = 0;

	for (size_t i = 0; i < wanted; i++) {
		const size_t place = (size_t)(places[i] - origin);

		if (sparse->values) {
			ret_values[i] = sparse->values[place];
		} else if (sparse->differences) {
			value += sum_packed(&sparse->planes, at, place);
			at = place;
			ret_values[i] = (int64_t)value;
		} else {
			ret_values[i] = (int64_t)iq_planes_get(&sparse->planes, place);
		}
	}
}

void iq_sparse_get_some(const struct iq_sparse *sparse, size_t first, size_t wanted, int64_t *ret_values)
{
	for (size_t i = 0; i < wanted; i++)
		ret_values[i] = (int64_t)(first + i);
	iq_sparse_get(sparse, ret_values, 0, wanted, ret_values);
}

/* What the planes hold of `value`; false where they cannot. */
static bool pack(const struct iq_planes *planes, int64_t value, uint64_t *ret_packed)
{
	const uint64_t above = (uint64_t)value - planes->base;

	*ret_packed = planes->scale ? above / planes->scale : 0;
	return planes->scale * *ret_packed == above && (planes->width == 8 || *ret_packed >> (8 * planes->width) == 0);
}

static size_t find_packed(const struct iq_sparse *sparse, uint64_t packed, size_t limit, uint32_t *ret_places)
{
	const struct iq_planes *planes = &sparse->planes;
	size_t found = 0;

	for (size_t at = 0; at < sparse->count && found <= limit; at += IQ_BLOCK) {
		const size_t left = sparse->count - at;
		unsigned marks = left < IQ_BLOCK ? (1u << left) - 1 : 0xffffu;

		for (unsigned i = 0; i < planes->width; i++)
			marks &= iq_byte_marks((const char *)planes->bytes[i] + at, (char)(packed >> (8 * i)));
		for (; marks && found <= limit; marks &= marks - 1, found++)
			if (found < limit)
				ret_places[found] = (uint32_t)(at + (size_t)__builtin_ctz(marks));
	}
	return found;
}

static int64_t value_at(const struct iq_sparse *sparse, size_t place, uint64_t *before)
{
	if (sparse->values)
		return sparse->values[place];
	if (sparse->differences)
		return (int64_t)(*before = place ? *before + iq_planes_get(&sparse->planes, place - 1)
						 : (uint64_t)sparse->first);
	return (int64_t)iq_planes_get(&sparse->planes, place);
}

size_t iq_sparse_find(const struct iq_sparse *sparse, int64_t value, size_t limit, uint32_t *ret_places)
{
	uint64_t packed, before = 0;
	size_t found = 0;

	if (!sparse->values && !sparse->differences)
		return pack(&sparse->planes, value, &packed) ? find_packed(sparse, packed, limit, ret_places) : 0;
	for (size_t place = 0; place < sparse->count && found <= limit; place++) {
		if (value_at(sparse, place, &before) != value)
			continue;
		if (found < limit)
			ret_places[found] = (uint32_t)place;
		found++;
	}
	return found;
}

static bool are_bytes(const struct iq_sparse *sparse)
{
	return !sparse->values && !sparse->differences && sparse->planes.width == 1;
}

static void count_bytes(const struct iq_sparse *sparse, size_t end, uint32_t ret_counts[256])
{
	memset(ret_counts, 0, 256 * sizeof(*ret_counts));
	for (size_t place = 0; place < end; place++)
		ret_counts[sparse->planes.bytes[0][place]]++;
}

static uint64_t of_byte(const struct iq_sparse *sparse, unsigned byte)
{
	return sparse->planes.base + sparse->planes.scale * byte;
}

uint64_t iq_sparse_largest(const struct iq_sparse *sparse, size_t end)
{
	uint32_t counts[256];
	uint64_t before = 0, value, largest = 0;

	if (are_bytes(sparse)) {
		count_bytes(sparse, end, counts);
		for (unsigned byte = 0; byte < 256; byte++)
			if (counts[byte] && of_byte(sparse, byte) > largest)
				largest = of_byte(sparse, byte);
		return largest;
	}
	for (size_t place = 0; place < end; place++) {
		value = (uint64_t)value_at(sparse, place, &before);
		largest = value > largest ? value : largest;
	}
	return largest;
}

void iq_sparse_tally(const struct iq_sparse *sparse, size_t end, uint32_t *counts)
{
	uint32_t bytes[256];
	uint64_t before = 0;

	if (are_bytes(sparse)) {
		count_bytes(sparse, end, bytes);
		for (unsigned byte = 0; byte < 256; byte++)
			if (bytes[byte])
				counts[of_byte(sparse, byte)] += bytes[byte];
		return;
	}
	for (size_t place = 0; place < end; place++)
		counts[value_at(sparse, place, &before)]++;
}

/* None of them can be too large, whatever the planes hold. */
static bool fits(const struct iq_planes *planes, uint64_t most)
{
	const uint64_t largest = planes->width < 8 ? ((uint64_t)1 << (8 * planes->width)) - 1 : UINT64_MAX;

	return planes->base <= most && (largest == 0 || planes->scale <= (most - planes->base) / largest);
}

bool iq_sparse_sum(const struct iq_sparse *sparse, size_t end, uint64_t most, uint64_t *ret_sum)
{
	uint64_t before = 0;

	*ret_sum = 0;
	if (!sparse->values && !sparse->differences && fits(&sparse->planes, most)) {
		*ret_sum = sum_packed(&sparse->planes, 0, end);
		return true;
	}
	for (size_t place = 0; place < sparse->count; place++) {
		const uint64_t value = (uint64_t)value_at(sparse, place, &before);

		if (value > most)
			return false;
		*ret_sum += place < end ? value : 0;
	}
	return true;
}
