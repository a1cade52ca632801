#include "record/stream.h"

#include <stdlib.h>

/* Bytes that wait. */
struct waiting {
	uv_write_t request;
	size_t len;
	char bytes[];
};

int iq_stream_init(struct iq_stream *stream, uv_loop_t *loop, struct iq_view memory,
		   const struct iq_stream_callbacks *callbacks, void *owner)
{
	*stream = (struct iq_stream){ .callbacks = callbacks, .memory = memory, .owner = owner };
	stream->tcp.data = stream;
	return uv_tcp_init(loop, &stream->tcp);
}

int iq_stream_accept(struct iq_stream *stream, uv_stream_t *listener)
{
	int rc = uv_accept(listener, (uv_stream_t *)&stream->tcp);

	if (rc == 0)
		(void)uv_tcp_nodelay(&stream->tcp, 1);
	return rc;
}

int iq_stream_secure(struct iq_stream *stream, SSL_CTX *context, const char *host)
{
	return iq_tls_begin(&stream->tls, context, host);
}

static void go_on_with_handshake(struct iq_stream *stream);

static void on_connected(uv_connect_t *request, int code)
{
	struct iq_stream *stream = request->handle->data;

	if (code == UV_ECANCELED)
		return;
	stream->connects = true;
	if (code < 0) {
		stream->callbacks->connected(stream, uv_strerror(code));
		return;
	}
	(void)uv_tcp_nodelay(&stream->tcp, 1);
	if (!stream->tls.ssl) {
		stream->callbacks->connected(stream, NULL);
		return;
	}
	iq_stream_read(stream, true);
	go_on_with_handshake(stream);
}

int iq_stream_connect(struct iq_stream *stream, const struct sockaddr *address)
{
	return uv_tcp_connect(&stream->request, &stream->tcp, address, on_connected);
}

/* ---- Reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	const struct iq_stream *stream = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)(uintptr_t)stream->memory.data, (unsigned)stream->memory.len);
}

static void end(struct iq_stream *stream, const char *trouble)
{
	iq_stream_read(stream, false);
	if (stream->connects && stream->tls.ssl && !stream->tls.is_open)
		stream->callbacks->connected(stream,
					     trouble ? trouble : "the connection ended within the TLS handshake");
	else
		stream->callbacks->ended(stream, trouble);
}

static bool send_plainly(struct iq_stream *stream, struct iq_view bytes);

static bool send_encrypted(struct iq_stream *stream)
{
	const bool sent = send_plainly(stream, iq_tls_waiting(&stream->tls));

	iq_tls_sent(&stream->tls);
	return sent;
}

/* What came within TLS, until somebody wants no more of it. */
static void give_decrypted(struct iq_stream *stream)
{
	char memory[IQ_TLS_READ_BYTES];
	int len = 0;

	while (!stream->closing && stream->tls.is_open && (len = iq_tls_read(&stream->tls, memory)) > 0)
		stream->callbacks->bytes(stream, iq_view_make(memory, (size_t)len));
	if (stream->closing)
		return;
	(void)send_encrypted(stream);
	if (len < 0)
		end(stream, "TLS: what came cannot be decrypted");
	else if (stream->tls.ended)
		end(stream, NULL);
}

static void go_on_with_handshake(struct iq_stream *stream)
{
	char trouble[200] = "";
	const int rc = iq_tls_handshake(&stream->tls, trouble, sizeof(trouble));

	(void)send_encrypted(stream);
	if (rc < 0)
		end(stream, trouble);
	else if (rc > 0 && stream->connects)
		stream->callbacks->connected(stream, NULL);
}

static void take_encrypted(struct iq_stream *stream, struct iq_view bytes)
{
	if (iq_tls_take(&stream->tls, bytes) < 0) {
		end(stream, "out of memory");
		return;
	}
	if (!stream->tls.is_open)
		go_on_with_handshake(stream);
	if (!stream->closing && stream->tls.is_open)
		give_decrypted(stream);
}

static void on_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf)
{
	struct iq_stream *stream = handle->data;

	if (len > 0 && stream->tls.ssl)
		take_encrypted(stream, iq_view_make(buf->base, (size_t)len));
	else if (len > 0)
		stream->callbacks->bytes(stream, iq_view_make(buf->base, (size_t)len));
	else if (len < 0)
		end(stream, len == UV_EOF ? NULL : uv_strerror((int)len));
}

void iq_stream_read(struct iq_stream *stream, bool wanted)
{
	if (stream->closing || stream->reading == wanted)
		return;
	stream->reading = wanted;
	if (wanted)
		(void)uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
	else
		(void)uv_read_stop((uv_stream_t *)&stream->tcp);
}

/* ---- Writing ---- */

static void on_written(uv_write_t *request, int code)
{
	struct iq_stream *stream = request->handle->data;
	struct waiting *waiting = (struct waiting *)request;

	stream->waiting -= waiting->len;
	free(waiting);
	if (stream->closing)
		return;
	if (code < 0)
		stream->callbacks->ended(stream, uv_strerror(code));
	else if (stream->waiting == 0)
		stream->callbacks->drained(stream);
}

static bool wait_with(struct iq_stream *stream, struct iq_view bytes)
{
	struct waiting *waiting = malloc(sizeof(*waiting) + bytes.len);
	uv_buf_t buf;

	if (!waiting)
		return false;
	waiting->len = bytes.len;
	memcpy(waiting->bytes, bytes.data, bytes.len);
	buf = uv_buf_init(waiting->bytes, (unsigned)bytes.len);
	if (uv_write(&waiting->request, (uv_stream_t *)&stream->tcp, &buf, 1, on_written) < 0) {
		free(waiting);
		return false;
	}
	stream->waiting += bytes.len;
	return true;
}

static bool send_plainly(struct iq_stream *stream, struct iq_view bytes)
{
	const uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
	int taken = 0;

	if (bytes.len == 0)
		return true;
	if (stream->waiting == 0)
		taken = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);
	if (taken < 0 && taken != UV_EAGAIN)
		return false;
	bytes = iq_view_from(bytes, taken > 0 ? (size_t)taken : 0);
	return bytes.len == 0 || wait_with(stream, bytes);
}

bool iq_stream_write(struct iq_stream *stream, struct iq_view bytes)
{
	if (stream->closing || stream->shut)
		return false;
	if (!stream->tls.ssl)
		return send_plainly(stream, bytes);
	return iq_tls_write(&stream->tls, bytes) == 0 && send_encrypted(stream);
}

static void on_shut(uv_shutdown_t *request, int code)
{
	(void)request;
	(void)code;
}

void iq_stream_shut(struct iq_stream *stream)
{
	if (stream->closing || stream->shut)
		return;
	stream->shut = true;
	if (stream->tls.ssl) {
		iq_tls_shut(&stream->tls);
		(void)send_encrypted(stream);
	}
	(void)uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, on_shut);
}

/* ---- The end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct iq_stream *stream = handle->data;

	iq_tls_release(&stream->tls);
	stream->callbacks->closed(stream);
}

void iq_stream_close(struct iq_stream *stream, bool reset)
{
	if (stream->closing)
		return;
	stream->closing = true;
	/* Not allowed once it was shut down. */
	if (reset && !stream->shut && uv_tcp_close_reset(&stream->tcp, on_closed) == 0)
		return;
	uv_close((uv_handle_t *)&stream->tcp, on_closed);
}
