/* store/filter.h - which texts cannot contain a literal: a Bloom filter over four-byte pieces (one hash function). Free of I/O.
 *
 * A to Z count as a to z. Pieces of four hexadecimal digits are left out, since ids have them all; nothing is known of
 * literals that consist of nothing else. Bytes: 0, nothing is known; else log2 of the number of bits, then the bits, least
 * significant first. The bit of a piece p, read as a little-endian number: (p * 0x9e3779b1 mod 2^32) >> (32 - log2).
 */
#ifndef IQ_STORE_FILTER_H
#define IQ_STORE_FILTER_H

#include "base/base.h"

#define IQ_FILTER_MAX_LOG2 17u

/* What a filter is made from, text by text. Zeroed memory is an empty one. */
struct iq_pieces {
	unsigned char seen[1u << IQ_FILTER_MAX_LOG2];
};

void iq_pieces_add(struct iq_pieces *pieces, struct iq_view text);
/* Appends the filter, as small as it still tells something. */
int iq_filter_append(const struct iq_pieces *pieces, struct iq_buf *out);
/* May one of the texts contain `literal`, in any case of ASCII letters? */
bool iq_filter_may_contain(struct iq_view filter, struct iq_view literal);

#endif
