#include "store/filter.h"

#include <stdlib.h>
#include <string.h>

#define MULTIPLIER 0x9e3779b1u
/* Beyond this share of bits set, in percent, a filter is made no smaller; beyond the other it is not kept. */
#define FULL 30u
#define USELESS 65u

static const char hex_digits[256] = {
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
	['8'] = 1, ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
};

static unsigned char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

/* Calls nothing: sets or tests the bits of all pieces of a text. Testing, it returns false at the first that is not set. */
static bool go_over(struct iq_view text, unsigned log2, unsigned char *set, const unsigned char *test)
{
	uint32_t piece = 0;
	unsigned digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint32_t bit;

		piece = piece >> 8 | (uint32_t)fold(text.data[i]) << 24;
		digits = hex_digits[(unsigned char)text.data[i]] ? digits + 1 : 0;
		if (i < 3 || digits >= 4)
			continue;
		bit = piece * MULTIPLIER >> (32 - log2);
		if (set)
			set[bit >> 3] |= (unsigned char)(1u << (bit & 7));
		else if (!(test[bit >> 3] >> (bit & 7) & 1))
			return false;
	}
	return true;
}

static size_t count_set(const unsigned char *bits, size_t bytes)
{
	size_t count = 0;

	for (size_t i = 0; i < bytes; i++)
		count += (size_t)__builtin_popcount(bits[i]);
	return count;
}

/* Halving drops the lowest bit of each piece's number: neighbours are put together. */
static void halve(unsigned char *bits, unsigned log2)
{
	for (size_t i = 0; i < (size_t)1 << (log2 - 1); i++) {
		unsigned set = bits[i * 2 >> 3] >> (i * 2 & 7) & 3;
		unsigned char mask = (unsigned char)(1u << (i & 7));

		bits[i >> 3] = (unsigned char)(set ? bits[i >> 3] | mask : bits[i >> 3] & ~mask);
	}
}

int iq_filter_append(const struct iq_view *texts, size_t count, struct iq_buf *out)
{
	unsigned log2 = IQ_FILTER_MAX_LOG2;
	unsigned char *bits = calloc(1, (size_t)1 << (log2 - 3));
	int rc;

	if (!bits)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		(void)go_over(texts[i], log2, bits, NULL);
	while (log2 > 6 && count_set(bits, (size_t)1 << (log2 - 3)) * 100 < ((size_t)FULL << log2) / 2)
		halve(bits, log2--);
	if (count_set(bits, (size_t)1 << (log2 - 3)) * 100 > (size_t)USELESS << log2) {
		free(bits);
		return iq_buf_append_char(out, 0);
	}
	(void)iq_buf_append_char(out, (char)log2);
	rc = iq_buf_append(out, iq_view_make((const char *)bits, (size_t)1 << (log2 - 3)));
	free(bits);
	return rc;
}

bool iq_filter_may_contain(struct iq_view filter, struct iq_view literal)
{
	unsigned log2 = filter.len > 0 ? (unsigned char)filter.data[0] : 0;

	if (log2 < 6 || log2 > IQ_FILTER_MAX_LOG2 || filter.len != 1 + ((size_t)1 << (log2 - 3)))
		return true;
	return go_over(literal, log2, NULL, (const unsigned char *)filter.data + 1);
}
