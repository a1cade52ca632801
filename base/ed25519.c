#include "base/ed25519.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/base.h"

/* A library does not ask for passphrases. */
static int no_passphrase(char *buf, int size, int writing, void *context)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int wrong_key(const char *path, const char *which, struct iq_error *error)
{
	return iq_error_set(error, IQ_ERR_FORMAT,
			    "%s: not %s Ed25519 key in PEM form without a passphrase; `openssl genpkey -algorithm "
			    "ed25519` makes one",
			    path, which);
}

static int read_private(const char *path, EVP_PKEY **ret_key, struct iq_error *error)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return iq_error_errno(error, errno == ENOENT ? IQ_ERR_NOT_FOUND : IQ_ERR_IO, "%s", path);
	*ret_key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	(void)fclose(file);
	if (*ret_key && EVP_PKEY_id(*ret_key) == EVP_PKEY_ED25519)
		return 0;
	EVP_PKEY_free(*ret_key);
	return wrong_key(path, "a private", error);
}

static int read_any(const char *path, EVP_PKEY **ret_key, struct iq_error *error)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return iq_error_errno(error, errno == ENOENT ? IQ_ERR_NOT_FOUND : IQ_ERR_IO, "%s", path);
	*ret_key = PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
	if (!*ret_key) {
		rewind(file);
		*ret_key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	}
	(void)fclose(file);
	if (*ret_key && EVP_PKEY_id(*ret_key) == EVP_PKEY_ED25519)
		return 0;
	EVP_PKEY_free(*ret_key);
	return wrong_key(path, "an", error);
}

static bool public_of(EVP_PKEY *key, uint8_t ret_public[IQ_ED25519_KEY_SIZE])
{
	size_t len = IQ_ED25519_KEY_SIZE;

	return EVP_PKEY_get_raw_public_key(key, ret_public, &len) == 1 && len == IQ_ED25519_KEY_SIZE;
}

int iq_ed25519_sign(const char *key_path, struct iq_view message, uint8_t ret_signature[IQ_ED25519_SIGNATURE_SIZE],
		    uint8_t ret_public[IQ_ED25519_KEY_SIZE], struct iq_error *error)
{
	size_t len = IQ_ED25519_SIGNATURE_SIZE;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key = NULL;
	int rc = context ? read_private(key_path, &key, error) : iq_error_nomem(error);

	if (rc == 0 &&
	    (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
	     EVP_DigestSign(context, ret_signature, &len, (const unsigned char *)message.data, message.len) != 1 ||
	     !public_of(key, ret_public)))
		rc = iq_error_nomem(error);
	if (rc == 0)
		EVP_PKEY_free(key);
	EVP_MD_CTX_free(context);
	return rc;
}

int iq_ed25519_public(const char *key_path, uint8_t ret_public[IQ_ED25519_KEY_SIZE], struct iq_error *error)
{
	EVP_PKEY *key = NULL;
	int rc = read_any(key_path, &key, error);

	if (rc < 0)
		return rc;
	if (!public_of(key, ret_public))
		rc = iq_error_nomem(error);
	EVP_PKEY_free(key);
	return rc;
}

bool iq_ed25519_verify(const uint8_t public_key[IQ_ED25519_KEY_SIZE], struct iq_view message,
		       const uint8_t signature[IQ_ED25519_SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, IQ_ED25519_KEY_SIZE);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(context, signature, IQ_ED25519_SIGNATURE_SIZE, (const unsigned char *)message.data,
				     message.len) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return good;
}
