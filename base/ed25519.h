/* base/ed25519.h - signatures (RFC 8032, through OpenSSL) with keys in PEM files:
 *
 *	openssl genpkey -algorithm ed25519 -out key.pem
 *	openssl pkey -in key.pem -pubout -out key.pub
 */
#ifndef IQ_BASE_ED25519_H
#define IQ_BASE_ED25519_H

#include <inquest/base.h>

#define IQ_ED25519_KEY_SIZE 32
#define IQ_ED25519_SIGNATURE_SIZE 64

/* Signs with the private key in the file. Errors: IQ_ERR_NOT_FOUND, IQ_ERR_FORMAT (no such key in it, or it is locked with a
 * passphrase, which is never asked for), IQ_ERR_NOMEM. */
int iq_ed25519_sign(const char *key_path, struct iq_view message, uint8_t ret_signature[IQ_ED25519_SIGNATURE_SIZE],
		    uint8_t ret_public[IQ_ED25519_KEY_SIZE], struct iq_error *error);
/* The public key in the file, of which the file of a private key will do as well. */
int iq_ed25519_public(const char *key_path, uint8_t ret_public[IQ_ED25519_KEY_SIZE], struct iq_error *error);
/* Is it the signature of the message by that key? */
bool iq_ed25519_verify(const uint8_t public_key[IQ_ED25519_KEY_SIZE], struct iq_view message,
		       const uint8_t signature[IQ_ED25519_SIGNATURE_SIZE]);

#endif
