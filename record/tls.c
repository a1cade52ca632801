#include "record/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* RFC 7301: nothing but HTTP/1.1, since that is what is relayed. */
static const unsigned char alpn[] = "\x08http/1.1";

static int fail(struct iq_error *error, enum iq_status status, const char *what)
{
	char reason[200];

	ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	ERR_clear_error();
	return iq_error_set(error, status, "%.200s: %s", what, reason);
}

/* ---- Contexts ---- */

static int new_context(const SSL_METHOD *method, SSL_CTX **ret_context, struct iq_error *error)
{
	*ret_context = SSL_CTX_new(method);
	if (!*ret_context)
		return fail(error, IQ_ERR_IO, "TLS");
	(void)SSL_CTX_set_min_proto_version(*ret_context, TLS1_2_VERSION);
	/* An idle connection keeps no buffers. */
	(void)SSL_CTX_set_mode(*ret_context, SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

int iq_tls_client_context(const struct iq_tls_names *names, SSL_CTX **ret_context, struct iq_error *error)
{
	SSL_CTX *context;
	int rc = new_context(TLS_client_method(), &context, error);

	if (rc < 0)
		return rc;
	SSL_CTX_set_verify(context, names->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (names->ca ? SSL_CTX_load_verify_locations(context, names->ca, NULL) != 1
		      : SSL_CTX_set_default_verify_paths(context) != 1)
		rc = fail(error, IQ_ERR_USAGE, names->ca ? names->ca : "the system's certificates");
	/* 0 is success here, and nowhere else. */
	if (rc == 0 && SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1) != 0)
		rc = fail(error, IQ_ERR_IO, "ALPN");
	if (rc < 0)
		SSL_CTX_free(context);
	else
		*ret_context = context;
	return rc;
}

/* A client that speaks nothing that is spoken here is told so; one that names nothing goes on. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_len,
			   const unsigned char *offered, unsigned len, void *context)
{
	unsigned char *chosen;

	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&chosen, ret_len, alpn, sizeof(alpn) - 1, offered, len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_chosen = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int iq_tls_server_context(const struct iq_tls_names *names, SSL_CTX **ret_context, struct iq_error *error)
{
	SSL_CTX *context;
	int rc = new_context(TLS_server_method(), &context, error);

	if (rc < 0)
		return rc;
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	if (SSL_CTX_use_certificate_chain_file(context, names->cert) != 1)
		rc = fail(error, IQ_ERR_USAGE, names->cert);
	else if (SSL_CTX_use_PrivateKey_file(context, names->key, SSL_FILETYPE_PEM) != 1)
		rc = fail(error, IQ_ERR_USAGE, names->key);
	if (rc < 0)
		SSL_CTX_free(context);
	else
		*ret_context = context;
	return rc;
}

/* ---- One end ---- */

/* The name that the certificate must have, and that the server is asked for. */
static bool expect_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

int iq_tls_begin(struct iq_tls *tls, SSL_CTX *context, const char *host)
{
	*tls = (struct iq_tls){ .ssl = SSL_new(context), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem()) };
	if (!tls->ssl || !tls->in || !tls->out || (host && !expect_host(tls->ssl, host))) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		SSL_free(tls->ssl);
		*tls = (struct iq_tls){ .ssl = NULL };
		return IQ_ERR_NOMEM;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	if (host)
		SSL_set_connect_state(tls->ssl);
	else
		SSL_set_accept_state(tls->ssl);
	return 0;
}

void iq_tls_release(struct iq_tls *tls)
{
	SSL_free(tls->ssl);
	tls->ssl = NULL;
}

int iq_tls_take(struct iq_tls *tls, struct iq_view bytes)
{
	return BIO_write(tls->in, bytes.data, (int)bytes.len) == (int)bytes.len ? 0 : IQ_ERR_NOMEM;
}

static bool wants_more(const struct iq_tls *tls, int code)
{
	const int why = SSL_get_error(tls->ssl, code);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

int iq_tls_handshake(struct iq_tls *tls, char *ret_trouble, size_t size)
{
	const int code = SSL_do_handshake(tls->ssl);
	const long verified = SSL_get_verify_result(tls->ssl);
	const char *reason;

	if (code == 1) {
		tls->is_open = true;
		return 1;
	}
	if (wants_more(tls, code))
		return 0;
	reason = ERR_reason_error_string(ERR_peek_error());
	if (verified != X509_V_OK && SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE)
		(void)snprintf(ret_trouble, size, "its certificate is not trusted: %s",
			       X509_verify_cert_error_string(verified));
	else
		(void)snprintf(ret_trouble, size, "TLS: %s", reason ? reason : "the other side ended");
	ERR_clear_error();
	return IQ_ERR_NETWORK;
}

int iq_tls_read(struct iq_tls *tls, char *memory)
{
	const int len = SSL_read(tls->ssl, memory, IQ_TLS_READ_BYTES);

	if (len > 0)
		return len;
	if (wants_more(tls, len))
		return 0;
	tls->ended = SSL_get_error(tls->ssl, len) == SSL_ERROR_ZERO_RETURN;
	ERR_clear_error();
	return tls->ended ? 0 : IQ_ERR_NETWORK;
}

int iq_tls_write(struct iq_tls *tls, struct iq_view bytes)
{
	size_t written;
	const bool done = bytes.len == 0 || SSL_write_ex(tls->ssl, bytes.data, bytes.len, &written) == 1;

	ERR_clear_error();
	return done ? 0 : IQ_ERR_NETWORK;
}

void iq_tls_shut(struct iq_tls *tls)
{
	if (tls->is_open)
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

struct iq_view iq_tls_waiting(const struct iq_tls *tls)
{
	char *bytes = NULL;
	const long len = BIO_get_mem_data(tls->out, &bytes);

	return iq_view_make(bytes, len > 0 ? (size_t)len : 0);
}

void iq_tls_sent(struct iq_tls *tls)
{
	(void)BIO_reset(tls->out);
}
