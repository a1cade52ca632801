#include "base/hash.h"

/* EVP allocates for each copy and each digest, and a hash that may fail in the middle is no proof. These cannot. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/view.h"

uint64_t iq_hash64(struct iq_view view)
{
	return XXH3_64bits(view.data, view.len);
}

struct iq_sha256 {
	SHA256_CTX state;
};

struct iq_sha256 *iq_sha256_new(void)
{
	struct iq_sha256 *hash = malloc(sizeof(*hash));

	if (hash)
		iq_sha256_reset(hash);
	return hash;
}

void iq_sha256_free(struct iq_sha256 *hash)
{
	free(hash);
}

void iq_sha256_update(struct iq_sha256 *hash, const void *data, size_t len)
{
	if (len > 0)
		(void)SHA256_Update(&hash->state, data, len);
}

void iq_sha256_digest(const struct iq_sha256 *hash, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	SHA256_CTX state = hash->state;

	(void)SHA256_Final(ret_digest, &state);
}

void iq_sha256_copy(struct iq_sha256 *hash, const struct iq_sha256 *from)
{
	*hash = *from;
}

void iq_sha256_reset(struct iq_sha256 *hash)
{
	(void)SHA256_Init(&hash->state);
}

void iq_sha256_of(const void *data, size_t len, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	struct iq_sha256 hash;

	iq_sha256_reset(&hash);
	iq_sha256_update(&hash, data, len);
	iq_sha256_digest(&hash, ret_digest);
}

/* The hash of the key, which fills a block with `fill`, and the text. */
static void keyed_hash(const uint8_t key[SHA256_CBLOCK], uint8_t fill, struct iq_view text,
		       uint8_t ret_digest[IQ_SHA256_SIZE])
{
	uint8_t block[SHA256_CBLOCK];
	struct iq_sha256 hash;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = key[i] ^ fill;
	iq_sha256_reset(&hash);
	iq_sha256_update(&hash, block, sizeof(block));
	iq_sha256_update(&hash, text.data, text.len);
	iq_sha256_digest(&hash, ret_digest);
}

void iq_hmac_sha256(const uint8_t *key, size_t key_len, struct iq_view text, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	uint8_t block[SHA256_CBLOCK] = { 0 }, inner[IQ_SHA256_SIZE];

	if (key_len > sizeof(block))
		iq_sha256_of(key, key_len, block);
	else
		memcpy(block, key, key_len);
	keyed_hash(block, 0x36, text, inner);
	keyed_hash(block, 0x5c, iq_view_make((const char *)inner, sizeof(inner)), ret_digest);
}

void iq_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*ret_text++ = digits[bytes[i] >> 4];
		*ret_text++ = digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool iq_unhex(struct iq_view text, uint8_t *ret_bytes, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text.data[2 * i]);
		int low = hex_value(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
