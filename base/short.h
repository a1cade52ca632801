/* base/short.h - short runs of bytes copied and compared where they stand: most names, words and numbers have fewer bytes than a
 * call of memcpy() or memcmp() has instructions. Never reads or writes beyond the run. Free of I/O.
 */
#ifndef IQ_BASE_SHORT_H
#define IQ_BASE_SHORT_H

#include <inquest/base.h>
#include <string.h>

/* Longer runs are left to the C library. */
#define IQ_SHORT_BYTES 16u

static inline uint64_t iq_load64(const char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint32_t iq_load32(const char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

/* The runs may not overlap. Two loads that may overlap cover what is between half their size and all of it. */
static inline void iq_copy(char *to, const char *from, size_t len)
{
	if (len > IQ_SHORT_BYTES) {
		memcpy(to, from, len);
	} else if (len >= 8) {
		const uint64_t first = iq_load64(from), last = iq_load64(from + len - 8);

		memcpy(to, &first, 8);
		memcpy(to + len - 8, &last, 8);
	} else if (len >= 4) {
		const uint32_t first = iq_load32(from), last = iq_load32(from + len - 4);

		memcpy(to, &first, 4);
		memcpy(to + len - 4, &last, 4);
	} else if (len > 0) {
		to[0] = from[0];
		to[len / 2] = from[len / 2];
		to[len - 1] = from[len - 1];
	}
}

static inline bool iq_same(const char *a, const char *b, size_t len)
{
	if (len > IQ_SHORT_BYTES)
		return memcmp(a, b, len) == 0;
	if (len >= 8)
		return ((iq_load64(a) ^ iq_load64(b)) | (iq_load64(a + len - 8) ^ iq_load64(b + len - 8))) == 0;
	if (len >= 4)
		return ((iq_load32(a) ^ iq_load32(b)) | (iq_load32(a + len - 4) ^ iq_load32(b + len - 4))) == 0;
	return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

#endif
