/* base/hash.h - SHA-256 (FIPS 180-4, through OpenSSL) for proof, XXH3 for hash tables.
 */
#ifndef IQ_BASE_HASH_H
#define IQ_BASE_HASH_H

#include <inquest/base.h>

#define IQ_SHA256_SIZE 32
#define IQ_SHA256_HEX_SIZE 65 /* with the NUL */

/* Not for anything an attacker must not predict. */
uint64_t iq_hash64(struct iq_view view);

struct iq_sha256;
/* Caller owns; release with iq_sha256_free(). NULL when memory is out. */
struct iq_sha256 *iq_sha256_new(void);
void iq_sha256_free(struct iq_sha256 *hash);
void iq_sha256_update(struct iq_sha256 *hash, const void *data, size_t len);
/* The digest of everything fed so far; more may be fed afterwards. */
void iq_sha256_digest(const struct iq_sha256 *hash, uint8_t ret_digest[IQ_SHA256_SIZE]);
/* Goes on from where `from` is. */
void iq_sha256_copy(struct iq_sha256 *hash, const struct iq_sha256 *from);
/* Starts again. */
void iq_sha256_reset(struct iq_sha256 *hash);
/* One call for bytes at hand. */
void iq_sha256_of(const void *data, size_t len, uint8_t ret_digest[IQ_SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104). */
void iq_hmac_sha256(const uint8_t *key, size_t key_len, struct iq_view text, uint8_t ret_digest[IQ_SHA256_SIZE]);

void iq_hex(const uint8_t *bytes, size_t len, char *ret_text); /* 2 * len characters and a NUL */
/* Exactly 2 * len hexadecimal digits of either case; false otherwise. */
bool iq_unhex(struct iq_view text, uint8_t *ret_bytes, size_t len);

#endif
