#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/view.h"

uint64_t iq_hash64(struct iq_view view)
{
	return XXH3_64bits(view.data, view.len);
}

struct iq_sha256 {
	EVP_MD_CTX *context;
	EVP_MD_CTX *snapshot;
};

struct iq_sha256 *iq_sha256_new(void)
{
	struct iq_sha256 *hash = calloc(1, sizeof(*hash));

	if (!hash)
		return NULL;
	hash->context = EVP_MD_CTX_new();
	hash->snapshot = EVP_MD_CTX_new();
	if (!hash->context || !hash->snapshot || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
		iq_sha256_free(hash);
		return NULL;
	}
	return hash;
}

void iq_sha256_free(struct iq_sha256 *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	EVP_MD_CTX_free(hash->snapshot);
	free(hash);
}

void iq_sha256_update(struct iq_sha256 *hash, const void *data, size_t len)
{
	if (len > 0)
		(void)EVP_DigestUpdate(hash->context, data, len);
}

void iq_sha256_digest(const struct iq_sha256 *hash, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	(void)EVP_MD_CTX_copy_ex(hash->snapshot, hash->context);
	(void)EVP_DigestFinal_ex(hash->snapshot, ret_digest, NULL);
}

void iq_sha256_copy(struct iq_sha256 *hash, const struct iq_sha256 *from)
{
	(void)EVP_MD_CTX_copy_ex(hash->context, from->context);
}

void iq_sha256_reset(struct iq_sha256 *hash)
{
	(void)EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL);
}

void iq_sha256_of(const void *data, size_t len, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	(void)EVP_Digest(data, len, ret_digest, NULL, EVP_sha256(), NULL);
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
