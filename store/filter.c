#include "store/filter.h"

#include <stdlib.h>
#include <string.h>

#define MULTIPLIER 0x9e3779b1u
/* Beyond this share of bits set, in percent, a filter is made no smaller; beyond the other it is not kept. */
#define FULL 50u
#define USELESS 65u

/* Texts are folded so many bytes at a time. */
#define WINDOW 4096u
/* A piece is so many bytes. */
#define PIECE 4u

/* Lower-case letters, and beside them which bytes are hexadecimal digits: both loops are what compilers vectorise. */
struct folded {
	unsigned char bytes[WINDOW];
	unsigned char digits[WINDOW];
};

static void fold(struct folded *folded, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];

		folded->bytes[i] = (unsigned char)(c | ((unsigned char)(c - 'A') < 26 ? 0x20 : 0));
	}
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = folded->bytes[i];

		folded->digits[i] =
			(unsigned char)((unsigned char)(c - '0') < 10) | (unsigned char)((unsigned char)(c - 'a') < 6);
	}
}

static uint32_t load(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void see(struct iq_pieces *pieces, const struct folded *folded, size_t at)
{
	pieces->seen[load(folded->bytes + at) * MULTIPLIER >> (32 - IQ_FILTER_MAX_LOG2)] = 1;
}

static void see_some(struct iq_pieces *pieces, const struct folded *folded, size_t from, size_t end)
{
	for (size_t at = from; at < end; at++)
		if (load(folded->digits + at) != 0x01010101u)
			see(pieces, folded, at);
}

/* Is one of the eight pieces from `digits` on four digits? */
static bool any_digits(const unsigned char *digits)
{
	uint64_t run = UINT64_MAX, next;

	for (size_t i = 0; i < PIECE; i++) {
		memcpy(&next, digits + i, sizeof(next));
		run &= next;
	}
	return run != 0;
}

void iq_pieces_add(struct iq_pieces *pieces, struct iq_view text)
{
	struct folded folded;

	while (text.len >= PIECE) {
		const size_t len = text.len < WINDOW ? text.len : WINDOW, end = len - (PIECE - 1);
		size_t at = 0;

		fold(&folded, text.data, len);
		for (; at + 8 <= end; at += 8)
			if (any_digits(folded.digits + at))
				see_some(pieces, &folded, at, at + 8);
			else
				for (size_t i = 0; i < 8; i++)
					see(pieces, &folded, at + i);
		see_some(pieces, &folded, at, end);
		text = iq_view_from(text, end);
	}
}

static bool has_all_pieces(struct folded *folded, struct iq_view text, unsigned log2, const unsigned char *bits)
{
	while (text.len >= PIECE) {
		const size_t len = text.len < WINDOW ? text.len : WINDOW;

		fold(folded, text.data, len);
		for (size_t i = 0; i + PIECE <= len; i++) {
			const uint32_t bit = load(folded->bytes + i) * MULTIPLIER >> (32 - log2);

			if (load(folded->digits + i) != 0x01010101u && !(bits[bit >> 3] >> (bit & 7) & 1))
				return false;
		}
		text = iq_view_from(text, len - (PIECE - 1));
	}
	return true;
}

static void pack(const struct iq_pieces *pieces, unsigned char *bits)
{
	memset(bits, 0, (size_t)1 << (IQ_FILTER_MAX_LOG2 - 3));
	for (size_t i = 0; i < sizeof(pieces->seen); i++)
		bits[i >> 3] = (unsigned char)(bits[i >> 3] | pieces->seen[i] << (i & 7));
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

static int append_bits(unsigned char *bits, struct iq_buf *out)
{
	unsigned log2 = IQ_FILTER_MAX_LOG2;

	while (log2 > 6 && count_set(bits, (size_t)1 << (log2 - 3)) * 100 < ((size_t)FULL << log2) / 2)
		halve(bits, log2--);
	if (count_set(bits, (size_t)1 << (log2 - 3)) * 100 > (size_t)USELESS << log2)
		return iq_buf_append_char(out, 0);
	(void)iq_buf_append_char(out, (char)log2);
	return iq_buf_append(out, iq_view_make((const char *)bits, (size_t)1 << (log2 - 3)));
}

int iq_filter_append(const struct iq_pieces *pieces, struct iq_buf *out)
{
	unsigned char bits[(size_t)1 << (IQ_FILTER_MAX_LOG2 - 3)];

	pack(pieces, bits);
	return append_bits(bits, out);
}

bool iq_filter_may_contain(struct iq_view filter, struct iq_view literal)
{
	unsigned log2 = filter.len > 0 ? (unsigned char)filter.data[0] : 0;
	struct folded folded;

	if (log2 < 6 || log2 > IQ_FILTER_MAX_LOG2 || filter.len != 1 + ((size_t)1 << (log2 - 3)))
		return true;
	return has_all_pieces(&folded, literal, log2, (const unsigned char *)filter.data + 1);
}
