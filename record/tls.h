/* record/tls.h - TLS for one end of a connection (OpenSSL 3, through memory: no sockets here), and the certificates of a local authority.
 * Private to record/. Thread rule: that of the loop.
 */
#ifndef IQ_RECORD_TLS_H
#define IQ_RECORD_TLS_H

#include <openssl/ssl.h>

#include "base/base.h"

/* Of what arrives decrypted, at a time. */
#define IQ_TLS_READ_BYTES (16u << 10)

struct iq_tls_names {
	const char *ca;	  /* a file of certificates to trust; NULL: those of the system */
	bool is_insecure; /* trust any */
	const char *cert; /* the listener's chain and key, as PEM files; NULL: it speaks no TLS */
	const char *key;
};

/* For upstreams, and for listeners. Caller owns; release with SSL_CTX_free(). Errors: IQ_ERR_IO, IQ_ERR_USAGE. */
int iq_tls_client_context(const struct iq_tls_names *names, SSL_CTX **ret_context, struct iq_error *error);
int iq_tls_server_context(const struct iq_tls_names *names, SSL_CTX **ret_context, struct iq_error *error);

struct iq_tls {
	SSL *ssl;
	BIO *in;
	BIO *out;
	bool is_open; /* both sides have agreed */
	bool ended;   /* the other side said so */
};

/* `host`: whose certificate it must be; NULL: the other side connects to us. 0 or negative. */
int iq_tls_begin(struct iq_tls *tls, SSL_CTX *context, const char *host);
void iq_tls_release(struct iq_tls *tls);
/* Bytes that came. 0 or IQ_ERR_NOMEM. */
int iq_tls_take(struct iq_tls *tls, struct iq_view bytes);
/* Goes on with the handshake: 1 when it is done, 0 when more is needed, IQ_ERR_NETWORK with what is wrong. */
int iq_tls_handshake(struct iq_tls *tls, char *ret_trouble, size_t size);
/* The next decrypted bytes into `memory` of IQ_TLS_READ_BYTES: their number, 0 for none now, negative: broken. */
int iq_tls_read(struct iq_tls *tls, char *memory);
/* Encrypts. 0 or negative. */
int iq_tls_write(struct iq_tls *tls, struct iq_view bytes);
/* Says that nothing more comes. */
void iq_tls_shut(struct iq_tls *tls);
/* What is to be sent: Borrowed until iq_tls_sent(). */
struct iq_view iq_tls_waiting(const struct iq_tls *tls);
void iq_tls_sent(struct iq_tls *tls);

#endif
