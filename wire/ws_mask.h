/* wire/ws_mask.h - masking of WebSocket payloads (RFC 6455, section 5.3), which is its own reverse. Free of I/O.
 */
#ifndef IQ_WIRE_WS_MASK_H
#define IQ_WIRE_WS_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes `from` masked to `to`, which may be the same; `phase`: bytes of the payload that stand before it. */
static inline void iq_ws_mask(char *to, const char *from, size_t len, const uint8_t mask[4], uint64_t phase)
{
	uint8_t turned[8];
	uint64_t wide, word;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(turned); i++)
		turned[i] = mask[(phase + i) & 3];
	memcpy(&wide, turned, sizeof(wide));
	for (; len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, from + at, sizeof(word));
		word ^= wide;
		memcpy(to + at, &word, sizeof(word));
	}
	for (size_t i = 0; at < len; i++, at++)
		to[at] = (char)(from[at] ^ turned[i]);
}

#endif
