/* ingest/bytes.h - numbers of binary formats, from bytes that need not be aligned. Free of I/O.
 */
#ifndef IQ_INGEST_BYTES_H
#define IQ_INGEST_BYTES_H

#include <stdint.h>

static inline uint16_t iq_be16(const void *at)
{
	const uint8_t *byte = at;

	return (uint16_t)(byte[0] << 8 | byte[1]);
}

static inline uint32_t iq_be32(const void *at)
{
	const uint8_t *byte = at;

	return (uint32_t)iq_be16(byte) << 16 | iq_be16(byte + 2);
}

static inline uint16_t iq_le16(const void *at)
{
	const uint8_t *byte = at;

	return (uint16_t)(byte[1] << 8 | byte[0]);
}

static inline uint32_t iq_le32(const void *at)
{
	const uint8_t *byte = at;

	return (uint32_t)iq_le16(byte + 2) << 16 | iq_le16(byte);
}

#endif
