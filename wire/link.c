#include "wire/link.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/dial.h"

#define READ_BYTES (64u << 10)

struct iq_link {
	struct iq_dial dial;
	struct iq_link_callbacks callbacks;
	char name[300];
	uv_tcp_t *socket;
	bool closed;
	bool is_open;
	SSL_CTX *context; /* NULL: without TLS */
	SSL *ssl;
	BIO *incoming; /* what the network gave, and */
	BIO *outgoing; /* what it shall have; both are the SSL's */
};

struct write {
	uv_write_t request;
	struct iq_buf bytes;
};

const char *iq_link_name(const struct iq_link *link)
{
	return link->name;
}

void iq_link_close(struct iq_link *link)
{
	if (!link || link->closed)
		return;
	link->closed = true;
	iq_dial_cancel(&link->dial);
	iq_dial_close(link->socket);
	link->socket = NULL;
}

static void end(struct iq_link *link, const char *why)
{
	struct iq_error error = IQ_ERROR_INIT;

	if (link->closed)
		return;
	iq_link_close(link);
	if (link->is_open) {
		link->callbacks.ended(link->callbacks.context, why);
		return;
	}
	(void)iq_error_set(&error, IQ_ERR_NETWORK, "%s: %s", link->name, why);
	link->callbacks.failed(link->callbacks.context, &error);
}

/* ---- Writing ---- */

static void on_written(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;

	(void)status; /* a broken connection is told by the reading side */
	iq_buf_release(&write->bytes);
	free(write);
}

/* Takes ownership of `bytes`. */
static int write_raw(struct iq_link *link, struct iq_buf *bytes, struct iq_error *error)
{
	struct write *write = bytes->failed || !link->socket ? NULL : calloc(1, sizeof(*write));
	uv_buf_t buffer;

	if (!write) {
		const bool gone = !bytes->failed && !link->socket;

		iq_buf_release(bytes);
		return gone ? iq_error_set(error, IQ_ERR_NETWORK, "the connection has ended") : iq_error_nomem(error);
	}
	write->bytes = *bytes;
	buffer = uv_buf_init(write->bytes.data, (unsigned)write->bytes.len);
	if (uv_write(&write->request, (uv_stream_t *)link->socket, &buffer, 1, on_written) < 0) {
		on_written(&write->request, 0);
		return iq_error_set(error, IQ_ERR_NETWORK, "the connection cannot be written to");
	}
	return 0;
}

/* What TLS has for the network. */
static int flush(struct iq_link *link, struct iq_error *error)
{
	const size_t waiting = BIO_ctrl_pending(link->outgoing);
	struct iq_buf bytes = IQ_BUF_INIT;
	int len;

	if (waiting == 0)
		return 0;
	if (iq_buf_reserve(&bytes, waiting) < 0)
		return iq_error_nomem(error);
	len = BIO_read(link->outgoing, bytes.data, (int)waiting);
	bytes.len = len > 0 ? (size_t)len : 0;
	return write_raw(link, &bytes, error);
}

int iq_link_write(struct iq_link *link, struct iq_buf *bytes, struct iq_error *error)
{
	size_t written;
	bool good;

	if (!link->ssl)
		return write_raw(link, bytes, error);
	good = !bytes->failed && link->socket &&
	       (bytes->len == 0 || SSL_write_ex(link->ssl, bytes->data, bytes->len, &written) == 1);
	iq_buf_release(bytes);
	return good ? flush(link, error) : iq_error_set(error, IQ_ERR_NETWORK, "the connection cannot be written to");
}

size_t iq_link_waiting(const struct iq_link *link)
{
	return link->socket ? uv_stream_get_write_queue_size((const uv_stream_t *)link->socket) : 0;
}

/* ---- Reading ---- */

/* Why the handshake failed: a certificate's fault says more than OpenSSL's own text. */
static void end_tls(struct iq_link *link)
{
	const long verdict = SSL_get_verify_result(link->ssl);
	const unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;
	struct iq_error unused = IQ_ERROR_INIT;
	char why[256];

	if (verdict != X509_V_OK)
		(void)snprintf(why, sizeof(why), "its certificate is not believed: %s",
			       X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(why, sizeof(why), "TLS: %s", text ? text : "an error");
	ERR_clear_error();
	/* The other side is told. */
	(void)flush(link, &unused);
	end(link, why);
}

static bool shake_hands(struct iq_link *link)
{
	struct iq_error error = IQ_ERROR_INIT;
	const int rc = SSL_do_handshake(link->ssl);

	if (rc != 1 && SSL_get_error(link->ssl, rc) != SSL_ERROR_WANT_READ) {
		end_tls(link);
		return false;
	}
	if (flush(link, &error) < 0) {
		end(link, error.message);
		return false;
	}
	if (rc != 1)
		return false;
	link->is_open = true;
	link->callbacks.opened(link->callbacks.context);
	return !link->closed;
}

static void take_encrypted(struct iq_link *link, struct iq_view bytes)
{
	char plain[16384];
	struct iq_error error = IQ_ERROR_INIT;
	size_t len;

	ERR_clear_error();
	if (BIO_write(link->incoming, bytes.data, (int)bytes.len) != (int)bytes.len) {
		end(link, "out of memory");
		return;
	}
	if (!link->is_open && !shake_hands(link))
		return;
	while (!link->closed && SSL_read_ex(link->ssl, plain, sizeof(plain), &len) == 1)
		link->callbacks.bytes(link->callbacks.context, iq_view_make(plain, len));
	if (link->closed)
		return;
	switch (SSL_get_error(link->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		if (flush(link, &error) < 0)
			end(link, error.message);
		break;
	case SSL_ERROR_ZERO_RETURN:
		end(link, "the connection ended without a close frame");
		break;
	default:
		end_tls(link);
	}
}

/* What is read is taken before the loop reads again. */
static _Thread_local char read_buffer[READ_BYTES];

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	struct iq_link *link = handle->data;

	(void)suggested;
	*ret_buffer = link ? uv_buf_init(read_buffer, READ_BYTES) : uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct iq_link *link = stream->data;

	if (!link || len == 0)
		return;
	if (len < 0)
		end(link, len == UV_EOF ? "end of file" : uv_strerror((int)len));
	else if (link->ssl)
		take_encrypted(link, iq_view_make(buffer->base, (size_t)len));
	else
		link->callbacks.bytes(link->callbacks.context, iq_view_make(buffer->base, (size_t)len));
}

/* ---- Opening ---- */

static void on_dialled(void *context, uv_tcp_t *socket, const struct iq_error *error)
{
	struct iq_link *link = context;

	if (!socket) {
		link->closed = true;
		link->callbacks.failed(link->callbacks.context, error);
		return;
	}
	link->socket = socket;
	socket->data = link;
	(void)uv_read_start((uv_stream_t *)socket, on_allocate, on_read);
	if (link->ssl) {
		(void)shake_hands(link);
		return;
	}
	link->is_open = true;
	link->callbacks.opened(link->callbacks.context);
}

static bool is_address(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The certificate must be the host's own. */
static bool name_host(SSL *ssl, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static int believe(SSL_CTX *context, const struct iq_trust *trust, struct iq_error *error)
{
	const bool is_insecure = trust && trust->is_insecure;

	SSL_CTX_set_verify(context, is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (trust && trust->ca && SSL_CTX_load_verify_locations(context, trust->ca, NULL) != 1) {
		ERR_clear_error();
		return iq_error_set(error, IQ_ERR_USAGE, "%.200s: no certificates in PEM form there", trust->ca);
	}
	if (!(trust && trust->ca) && !is_insecure)
		(void)SSL_CTX_set_default_verify_paths(context);
	return 0;
}

static int begin_tls(struct iq_link *link, const struct iq_url *url, const struct iq_trust *trust,
		     struct iq_error *error)
{
	static const unsigned char protocols[] = "\x08http/1.1";
	char host[256];
	int rc;

	(void)snprintf(host, sizeof(host), "%.*s", IQ_VIEW_ARG(url->host));
	link->context = SSL_CTX_new(TLS_client_method());
	if (!link->context || SSL_CTX_set_min_proto_version(link->context, TLS1_2_VERSION) != 1)
		return iq_error_nomem(error);
	rc = believe(link->context, trust, error);
	if (rc < 0)
		return rc;
	link->ssl = SSL_new(link->context);
	link->incoming = BIO_new(BIO_s_mem());
	link->outgoing = BIO_new(BIO_s_mem());
	if (!link->ssl || !link->incoming || !link->outgoing) {
		BIO_free(link->incoming);
		BIO_free(link->outgoing);
		return iq_error_nomem(error);
	}
	SSL_set_bio(link->ssl, link->incoming, link->outgoing);
	SSL_set_connect_state(link->ssl);
	return name_host(link->ssl, host) && SSL_set_alpn_protos(link->ssl, protocols, sizeof(protocols) - 1) == 0
		       ? 0
		       : iq_error_nomem(error);
}

int iq_link_open(uv_loop_t *loop, const struct iq_url *url, const struct iq_trust *trust,
		 const struct iq_link_callbacks *callbacks, struct iq_link **ret_link, struct iq_error *error)
{
	struct iq_link *link = calloc(1, sizeof(*link));
	int rc = link ? 0 : iq_error_nomem(error);

	if (rc == 0) {
		link->callbacks = *callbacks;
		(void)snprintf(link->name, sizeof(link->name), "%.*s port %u", IQ_VIEW_ARG(iq_utf8_cut(url->host, 256)),
			       url->port);
		rc = url->is_secure ? begin_tls(link, url, trust, error) : 0;
	}
	if (rc == 0)
		rc = iq_dial_begin(&link->dial, loop, url, on_dialled, link, error);
	if (rc < 0)
		iq_link_free(link);
	else
		*ret_link = link;
	return rc;
}

void iq_link_free(struct iq_link *link)
{
	if (!link)
		return;
	iq_dial_release(&link->dial);
	SSL_free(link->ssl);
	SSL_CTX_free(link->context);
	free(link);
}
