/* A certificate authority for one machine: P-256 keys, X.509 version 3 (RFC 5280). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/record.h"

/* Browsers believe no certificate that is valid for longer than 825 days. */
#define LEAF_DAYS 800
#define AUTHORITY_DAYS 3650
#define DAY_SECONDS (24L * 60 * 60)

struct made {
	X509 *certificate;
	EVP_PKEY *key;
};

static void release(struct made *made)
{
	X509_free(made->certificate);
	EVP_PKEY_free(made->key);
	*made = (struct made){ NULL, NULL };
}

static int fail(struct iq_error *error, const char *what)
{
	char reason[200];

	ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	ERR_clear_error();
	return iq_error_set(error, IQ_ERR_IO, "%.200s: %s", what, reason);
}

/* ---- Making ---- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[16];
	BIGNUM *number;
	bool set;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return set;
}

/* Everything but the extensions and the signature. */
static bool begin(struct made *made, const char *name, const X509 *issuer, long days)
{
	X509_NAME *subject;

	made->certificate = X509_new();
	made->key = EVP_EC_gen("P-256");
	if (!made->certificate || !made->key)
		return false;
	subject = X509_get_subject_name(made->certificate);
	return X509_set_version(made->certificate, X509_VERSION_3) == 1 && set_serial(made->certificate) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(made->certificate, issuer ? X509_get_subject_name(issuer) : subject) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(made->certificate), -DAY_SECONDS) &&
	       X509_gmtime_adj(X509_getm_notAfter(made->certificate), days * DAY_SECONDS) &&
	       X509_set_pubkey(made->certificate, made->key) == 1;
}

static bool make_authority(struct made *ret_made)
{
	if (!begin(ret_made, "inquest local authority", NULL, AUTHORITY_DAYS))
		return false;
	return add_extension(ret_made->certificate, ret_made->certificate, NID_basic_constraints,
			     "critical,CA:TRUE,pathlen:0") &&
	       add_extension(ret_made->certificate, ret_made->certificate, NID_key_usage,
			     "critical,keyCertSign,cRLSign") &&
	       add_extension(ret_made->certificate, ret_made->certificate, NID_subject_key_identifier, "hash") &&
	       X509_sign(ret_made->certificate, ret_made->key, EVP_sha256()) > 0;
}

static bool make_leaf(const struct made *authority, const char *names, struct made *ret_made)
{
	X509 *issuer = authority->certificate;

	if (!begin(ret_made, "inquest tap", issuer, LEAF_DAYS))
		return false;
	return add_extension(ret_made->certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(ret_made->certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(ret_made->certificate, issuer, NID_ext_key_usage, "serverAuth") &&
	       add_extension(ret_made->certificate, issuer, NID_subject_alt_name, names) &&
	       X509_sign(ret_made->certificate, authority->key, EVP_sha256()) > 0;
}

/* ---- Files ---- */

static FILE *open_file(const char *directory, const char *name, const char *mode, mode_t permissions)
{
	char *path = iq_path_join(directory, name);
	const bool reads = mode[0] == 'r';
	const int fd =
		path ? open(path, reads ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions)
		     : -1;
	FILE *file = fd >= 0 ? fdopen(fd, mode) : NULL;

	free(path);
	return file;
}

static bool close_file(FILE *file, bool good)
{
	return (!file || fclose(file) == 0) && good;
}

/* The certificate, and behind it that of `chain`, where there is one. */
static bool write_certificate(const char *directory, const char *name, X509 *certificate, X509 *chain)
{
	FILE *file = open_file(directory, name, "w", 0644);

	return close_file(file, file && PEM_write_X509(file, certificate) == 1 &&
					(!chain || PEM_write_X509(file, chain) == 1));
}

static bool write_key(const char *directory, const char *name, EVP_PKEY *key)
{
	FILE *file = open_file(directory, name, "w", 0600);

	return close_file(file, file && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
}

/* One that was made before. */
static bool read_authority(const char *directory, struct made *ret_made)
{
	FILE *file = open_file(directory, "ca.pem", "r", 0);

	ret_made->certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	(void)close_file(file, true);
	file = open_file(directory, "ca.key", "r", 0);
	ret_made->key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	(void)close_file(file, true);
	if (ret_made->certificate && ret_made->key && X509_check_private_key(ret_made->certificate, ret_made->key) == 1)
		return true;
	ERR_clear_error();
	release(ret_made);
	return false;
}

static int get_authority(const char *directory, struct made *ret_made, struct iq_error *error)
{
	if (read_authority(directory, ret_made))
		return 0;
	if (!make_authority(ret_made))
		return fail(error, "an authority cannot be made");
	if (!write_key(directory, "ca.key", ret_made->key) ||
	    !write_certificate(directory, "ca.pem", ret_made->certificate, NULL))
		return iq_error_errno(error, IQ_ERR_IO, "%s/ca.pem", directory);
	return 0;
}

static void append_names(struct iq_buf *buf, const char *const *names, size_t count)
{
	unsigned char address[16];

	(void)iq_buf_append_cstr(buf, "DNS:localhost,IP:127.0.0.1,IP:::1");
	for (size_t i = 0; i < count; i++)
		(void)iq_buf_appendf(buf, ",%s:%s",
				     inet_pton(AF_INET, names[i], address) == 1 ||
						     inet_pton(AF_INET6, names[i], address) == 1
					     ? "IP"
					     : "DNS",
				     names[i]);
}

static int make_leaf_files(const char *directory, const struct made *authority, const char *names,
			   struct iq_error *error)
{
	struct made leaf = { NULL, NULL };
	int rc = 0;

	if (!make_leaf(authority, names, &leaf))
		rc = fail(error, names);
	else if (!write_key(directory, "tap.key", leaf.key) ||
		 !write_certificate(directory, "tap.pem", leaf.certificate, authority->certificate))
		rc = iq_error_errno(error, IQ_ERR_IO, "%s/tap.pem", directory);
	release(&leaf);
	return rc;
}

int iq_tap_make_certificates(const char *directory, const char *const *names, size_t count, struct iq_error *error)
{
	struct made authority = { NULL, NULL };
	struct iq_buf list = IQ_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		if (!names[i][0] || strpbrk(names[i], ",@;=\\ \t\n"))
			rc = iq_error_set(error, IQ_ERR_USAGE, "%.100s: not a name for a certificate", names[i]);
	append_names(&list, names, count);
	if (list.failed)
		rc = iq_error_nomem(error);
	if (rc == 0 && mkdir(directory, 0700) != 0 && errno != EEXIST)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", directory);
	if (rc == 0)
		rc = get_authority(directory, &authority, error);
	if (rc == 0)
		rc = make_leaf_files(directory, &authority, list.data, error);
	release(&authority);
	iq_buf_release(&list);
	return rc;
}
