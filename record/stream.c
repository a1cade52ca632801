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

static void on_connected(uv_connect_t *request, int code)
{
	struct iq_stream *stream = request->handle->data;

	if (code == UV_ECANCELED)
		return;
	if (code == 0)
		(void)uv_tcp_nodelay(&stream->tcp, 1);
	stream->callbacks->connected(stream, code);
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

static void on_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf)
{
	struct iq_stream *stream = handle->data;

	if (len > 0) {
		stream->callbacks->bytes(stream, iq_view_make(buf->base, (size_t)len));
	} else if (len < 0) {
		iq_stream_read(stream, false);
		stream->callbacks->ended(stream, len == UV_EOF ? 0 : (int)len);
	}
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
		stream->callbacks->ended(stream, code);
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

bool iq_stream_write(struct iq_stream *stream, struct iq_view bytes)
{
	const uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.len);
	int taken = 0;

	if (stream->closing || stream->shut)
		return false;
	if (stream->waiting == 0)
		taken = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);
	if (taken < 0 && taken != UV_EAGAIN)
		return false;
	bytes = iq_view_from(bytes, taken > 0 ? (size_t)taken : 0);
	return bytes.len == 0 || wait_with(stream, bytes);
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
	(void)uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, on_shut);
}

/* ---- The end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct iq_stream *stream = handle->data;

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
