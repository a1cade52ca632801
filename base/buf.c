#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"

void iq_buf_release(struct iq_buf *buf)
{
	free(buf->data);
	*buf = (struct iq_buf)IQ_BUF_INIT;
}

int iq_buf_grow(struct iq_buf *buf, size_t extra)
{
	size_t needed, cap;
	char *data;

	if (extra >= SIZE_MAX / 2 - buf->len)
		goto fail;
	needed = buf->len + extra + 1;
	cap = buf->cap + buf->cap / 2;
	if (cap < needed)
		cap = needed < 64 ? 64 : needed;
	data = realloc(buf->data, cap);
	if (!data)
		goto fail;
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return 0;
fail:
	buf->failed = true;
	return IQ_ERR_NOMEM;
}

int iq_buf_append_cstr(struct iq_buf *buf, const char *text)
{
	return iq_buf_append(buf, iq_view_cstr(text));
}

int iq_buf_appendf(struct iq_buf *buf, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || iq_buf_reserve(buf, (size_t)len) < 0) {
		buf->failed = true;
		return IQ_ERR_NOMEM;
	}
	va_start(args, format);
	(void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

void iq_buf_consume(struct iq_buf *buf, size_t count)
{
	if (count == 0)
		return;
	memmove(buf->data, buf->data + count, buf->len - count);
	buf->len -= count;
	buf->data[buf->len] = '\0';
}

char *iq_buf_detach(struct iq_buf *buf)
{
	char *data = buf->data;

	*buf = (struct iq_buf)IQ_BUF_INIT;
	return data;
}
