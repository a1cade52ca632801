/* base/buf.h - a growing byte buffer.
 *
 *	struct iq_buf buf = IQ_BUF_INIT;
 *	iq_buf_append(&buf, view);
 *	iq_buf_release(&buf);
 *
 * Appends return 0 or IQ_ERR_NOMEM; after a failure the buffer still holds what it held before and `failed` stays
 * set, so that a long run of appends may be checked once at its end.
 * `data` is always followed by a NUL that is not counted in `len` (NULL while nothing was ever appended).
 */
#ifndef IQ_BASE_BUF_H
#define IQ_BASE_BUF_H

#include <inquest/base.h>
#include <string.h>

#include "base/short.h"

struct iq_buf {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

#define IQ_BUF_INIT \
	{ \
		.data = NULL, .len = 0, .cap = 0, .failed = false \
	}

void iq_buf_release(struct iq_buf *buf);
/* Empties it and keeps the memory; clears `failed`. */
static inline void iq_buf_clear(struct iq_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}
/* The part of iq_buf_reserve() that allocates. */
int iq_buf_grow(struct iq_buf *buf, size_t extra);
/* Makes room for `extra` more bytes. */
static inline int iq_buf_reserve(struct iq_buf *buf, size_t extra)
{
	return extra < buf->cap - buf->len ? 0 : iq_buf_grow(buf, extra);
}
static inline int iq_buf_append(struct iq_buf *buf, struct iq_view view)
{
	if (iq_buf_reserve(buf, view.len) < 0)
		return IQ_ERR_NOMEM;
	iq_copy(buf->data + buf->len, view.data, view.len);
	buf->len += view.len;
	buf->data[buf->len] = '\0';
	return 0;
}
int iq_buf_append_cstr(struct iq_buf *buf, const char *text);
static inline int iq_buf_append_char(struct iq_buf *buf, char c)
{
	return iq_buf_append(buf, (struct iq_view){ &c, 1 });
}
int iq_buf_appendf(struct iq_buf *buf, const char *format, ...) IQ_PRINTF(2, 3);
/* Drops the first `count` bytes. */
void iq_buf_consume(struct iq_buf *buf, size_t count);
/* Borrowed until the buffer changes. */
static inline struct iq_view iq_buf_view(const struct iq_buf *buf)
{
	return (struct iq_view){ buf->data ? buf->data : "", buf->len };
}
/* Caller owns; release with free(). The buffer is empty afterwards. */
char *iq_buf_detach(struct iq_buf *buf);

#endif
