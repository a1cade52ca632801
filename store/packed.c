#include "store/packed.h"

#include <string.h>

struct span {
	uint64_t base;
	uint64_t scale;
	unsigned width;
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static unsigned bytes_of(uint64_t value)
{
	unsigned width = 0;

	for (; value != 0; value >>= 8)
		width++;
	return width;
}

static struct span measure(const int64_t *values, size_t count)
{
	int64_t least = values[0], most = values[0];
	uint64_t scale = 0;

	for (size_t i = 1; i < count; i++) {
		least = values[i] < least ? values[i] : least;
		most = values[i] > most ? values[i] : most;
	}
	for (size_t i = 0; i < count && scale != 1; i++)
		if (values[i] != least)
			scale = scale && ((uint64_t)values[i] - (uint64_t)least) % scale == 0
					? scale
					: gcd((uint64_t)values[i] - (uint64_t)least, scale);
	if (scale == 0)
		scale = 1;
	return (struct span){ (uint64_t)least, scale, bytes_of(((uint64_t)most - (uint64_t)least) / scale) };
}

static void split_planes(const int64_t *values, size_t count, struct span span, char *planes)
{
	for (unsigned plane = 0; plane < span.width; plane++) {
		unsigned shift = 8 * plane;
		char *out = planes + (size_t)plane * count;

		if (span.scale == 1)
			for (size_t i = 0; i < count; i++)
				out[i] = (char)(((uint64_t)values[i] - span.base) >> shift);
		else
			for (size_t i = 0; i < count; i++)
				out[i] = (char)(((uint64_t)values[i] - span.base) / span.scale >> shift);
	}
}

uint32_t iq_log2_16(uint32_t n)
{
	static const uint8_t fraction[16] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15 };
	unsigned whole = 31 - (unsigned)__builtin_clz(n);
	uint32_t mantissa = whole >= 4 ? n >> (whole - 4) & 15 : n << (4 - whole) & 15;

	return whole * 16 + fraction[mantissa];
}

/* Entropy of a plane, in sixteenths of bits. */
static uint64_t plane_bits(const char *plane, size_t count)
{
	uint32_t histogram[256] = { 0 };
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		histogram[(unsigned char)plane[i]]++;
	for (unsigned byte = 0; byte < 256; byte++)
		if (histogram[byte])
			bits += (uint64_t)histogram[byte] * (iq_log2_16((uint32_t)count) - iq_log2_16(histogram[byte]));
	return bits;
}

/* A plane of noise is stored as it is. */
static int append_plane(struct iq_codec *codec, const char *plane, size_t count, struct iq_buf *out)
{
	const struct iq_view bytes = iq_view_make(plane, count);

	if (count > 256 && count <= UINT32_MAX && plane_bits(plane, count) > (uint64_t)count * (8 * 16 - 3))
		return iq_stream_append_stored(bytes, out);
	return iq_stream_append_blocks(codec, bytes, out);
}

int iq_packed_append(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out)
{
	struct span span = count ? measure(values, count) : (struct span){ 0, 1, 0 };
	char *planes = iq_codec_scratch(codec, IQ_SCRATCH_PLANES, count * span.width);
	int rc = 0;

	if (!planes)
		return IQ_ERR_NOMEM;
	split_planes(values, count, span, planes);
	(void)iq_zigzag_append(out, (int64_t)span.base);
	(void)iq_varint_append(out, span.scale);
	(void)iq_buf_append_char(out, (char)span.width);
	for (unsigned plane = 0; plane < span.width && rc == 0; plane++)
		rc = append_plane(codec, planes + plane * count, count, out);
	return rc;
}

static void add_plane(const char *plane, size_t count, unsigned shift, int64_t *values)
{
	if (shift == 0)
		for (size_t i = 0; i < count; i++)
			values[i] = (unsigned char)plane[i];
	for (size_t i = 0; shift > 0 && i < count; i++)
		values[i] = (int64_t)((uint64_t)values[i] | (uint64_t)(unsigned char)plane[i] << shift);
}

static int take_head(struct iq_view *rest, int64_t *ret_base, uint64_t *ret_scale, uint8_t *ret_width)
{
	return iq_zigzag_take(rest, ret_base) && iq_varint_take(rest, ret_scale) && iq_byte_take(rest, ret_width) &&
			       *ret_width <= 8
		       ? 0
		       : IQ_ERR_CORRUPT;
}

int iq_planes_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		   struct iq_planes *ret_planes)
{
	struct iq_view plane;
	int64_t base;
	uint8_t width;
	int rc = take_head(rest, &base, &ret_planes->scale, &width);

	if (rc < 0)
		return rc;
	ret_planes->base = (uint64_t)base;
	ret_planes->width = width;
	for (unsigned at = 0; at < width && rc == 0; at++) {
		char *bytes = iq_arena_alloc(arena, window.count + IQ_PLANES_SLACK);

		if (!bytes)
			return IQ_ERR_NOMEM;
		rc = iq_stream_take_part(codec, rest, window, NULL, &plane);
		if (rc == 0 && window.count > 0)
			memcpy(bytes, plane.data, window.count);
		memset(bytes + window.count, 0, IQ_PLANES_SLACK);
		ret_planes->bytes[at] = (const unsigned char *)bytes;
	}
	return rc;
}

int iq_packed_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, int64_t *values)
{
	struct iq_view plane;
	int64_t base;
	uint64_t scale;
	uint8_t width;

	if (take_head(rest, &base, &scale, &width) < 0)
		return IQ_ERR_CORRUPT;
	if (width == 0)
		memset(values, 0, window.count * sizeof(*values));
	for (unsigned at = 0; at < width; at++) {
		int rc = iq_stream_take_part(codec, rest, window, NULL, &plane);

		if (rc < 0)
			return rc;
		add_plane(plane.data, window.count, 8 * at, values);
	}
	for (size_t i = 0; (base != 0 || scale != 1) && i < window.count; i++)
		values[i] = (int64_t)((uint64_t)base + scale * (uint64_t)values[i]);
	return 0;
}

uint64_t iq_packed_cost(const int64_t *values, size_t count)
{
	char planes[8 * IQ_INTS_SAMPLE];
	struct span span = count ? measure(values, count) : (struct span){ 0, 1, 0 };
	uint64_t bits = 0;

	split_planes(values, count, span, planes);
	for (unsigned plane = 0; plane < span.width; plane++)
		bits += plane_bits(planes + plane * count, count);
	return bits;
}
