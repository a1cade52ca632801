/* store/packed.h - numbers as planes of bytes, which is what every layout of integers comes down to; see store/stream.h.
 * Private to the layouts.
 */
#ifndef IQ_STORE_PACKED_H
#define IQ_STORE_PACKED_H

#include "store/stream.h"

/* So many values are looked at to choose a layout. */
#define IQ_INTS_SAMPLE 2048u

int iq_packed_append(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out);
/* Takes those of the window. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_packed_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, int64_t *values);

/* Numbers as they are packed: base + scale * what the planes hold, the least significant byte first. */
struct iq_planes {
	uint64_t base;
	uint64_t scale;
	unsigned width;
	const unsigned char *bytes[8]; /* IQ_PLANES_SLACK bytes can be read behind the last number */
};
#define IQ_PLANES_SLACK 16u

/* As iq_packed_take(), without putting numbers together. Borrowed: from `arena`. */
int iq_planes_take(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		   struct iq_planes *ret_planes);

static inline uint64_t iq_planes_get(const struct iq_planes *planes, size_t place)
{
	uint64_t packed = 0;

	for (unsigned i = 0; i < planes->width; i++)
		packed |= (uint64_t)planes->bytes[i][place] << (8 * i);
	return planes->base + planes->scale * packed;
}
/* About what at most IQ_INTS_SAMPLE values come to, in sixteenths of bits. */
uint64_t iq_packed_cost(const int64_t *values, size_t count);

/* log2(n) * 16 of n > 0, by table: entropies are compared, not believed. */
uint32_t iq_log2_16(uint32_t n);

#endif
