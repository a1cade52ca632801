/* record/stream.h - one end of a connection on a libuv loop: bytes in, bytes out, in order, with an account of what waits. Private to record/.
 *
 * Life cycle: init, then accept or connect; callbacks until `ended`; close, and `closed` when its memory may go. A write goes to the
 * kernel at once where that takes it; the rest is copied and waits. With iq_stream_secure() the bytes are those within TLS. Thread rule: that of the loop.
 */
#ifndef IQ_RECORD_STREAM_H
#define IQ_RECORD_STREAM_H

#include <uv.h>

#include "record/tls.h"

/* Read at a time, by all streams of a loop into the same memory. */
#define IQ_STREAM_READ_BYTES (256u << 10)

struct iq_stream;

struct iq_stream_callbacks {
	void (*connected)(struct iq_stream *stream, const char *trouble); /* NULL, or why it did not */
	void (*bytes)(struct iq_stream *stream, struct iq_view bytes);
	void (*drained)(struct iq_stream *stream);		      /* nothing waits any more */
	void (*ended)(struct iq_stream *stream, const char *trouble); /* NULL: it sends no more; else it is broken */
	void (*closed)(struct iq_stream *stream);
};

struct iq_stream {
	uv_tcp_t tcp;
	uv_connect_t request;
	uv_shutdown_t shutdown;
	const struct iq_stream_callbacks *callbacks;
	struct iq_view memory; /* that is read into; shared */
	void *owner;
	size_t waiting;	   /* bytes that the kernel has not taken */
	struct iq_tls tls; /* where ssl is not NULL */
	bool connects;	   /* it is our side that begins */
	bool reading;
	bool shut; /* nothing more is written */
	bool closing;
};

/* `memory`: of IQ_STREAM_READ_BYTES, which all streams of the loop share. Negative code of libuv, or 0. */
int iq_stream_init(struct iq_stream *stream, uv_loop_t *loop, struct iq_view memory,
		   const struct iq_stream_callbacks *callbacks, void *owner);
int iq_stream_accept(struct iq_stream *stream, uv_stream_t *listener);
int iq_stream_connect(struct iq_stream *stream, const struct sockaddr *address);
/* Speaks TLS from the first byte on, before accept or connect. `host`: as iq_tls_begin(). 0 or negative. */
int iq_stream_secure(struct iq_stream *stream, SSL_CTX *context, const char *host);
/* Calls `bytes`, or does not. */
void iq_stream_read(struct iq_stream *stream, bool wanted);
/* False when memory is out or the stream is broken: `ended` comes, or came. */
bool iq_stream_write(struct iq_stream *stream, struct iq_view bytes);
/* What waits is written, then the other side is told that nothing more comes. */
void iq_stream_shut(struct iq_stream *stream);
/* `reset`: what waits is dropped, and the other side is told so. */
void iq_stream_close(struct iq_stream *stream, bool reset);

#endif
