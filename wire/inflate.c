#include "wire/inflate.h"

#include <stdlib.h>
#include <zlib.h>

#define STEP (16u << 10)

struct iq_inflate {
	z_stream stream;
	struct iq_deflate deflate;
	uint64_t given; /* of the message at hand */
	int failure;	/* of the message at hand */
};

struct iq_inflate *iq_inflate_new(const struct iq_deflate *deflate)
{
	struct iq_inflate *inflater = calloc(1, sizeof(*inflater));

	if (!inflater)
		return NULL;
	inflater->deflate = *deflate;
	if (inflateInit2(&inflater->stream, -(int)deflate->bits) != Z_OK) {
		free(inflater);
		return NULL;
	}
	return inflater;
}

void iq_inflate_free(struct iq_inflate *inflater)
{
	if (!inflater)
		return;
	(void)inflateEnd(&inflater->stream);
	free(inflater);
}

/* A block said that it is the last one: the window goes on all the same (RFC 7692, section 7.2.3.4). */
static bool go_on(z_stream *stream)
{
	unsigned char window[1u << 15];
	unsigned len = sizeof(window);

	return inflateGetDictionary(stream, window, &len) == Z_OK && inflateReset(stream) == Z_OK &&
	       inflateSetDictionary(stream, window, len) == Z_OK;
}

/* One call of zlib: 1 where there may be more, 0 when all was taken. */
static int step(struct iq_inflate *inflater, iq_inflate_fn *take, void *context)
{
	unsigned char plain[STEP];
	z_stream *stream = &inflater->stream;
	size_t len;
	int code, rc;

	stream->next_out = plain;
	stream->avail_out = STEP;
	code = inflate(stream, Z_SYNC_FLUSH);
	len = STEP - stream->avail_out;
	inflater->given += len;
	if (inflater->given > IQ_INFLATE_MAX)
		return IQ_ERR_LIMIT;
	rc = len > 0 ? take(context, iq_view_make((const char *)plain, len)) : 0;
	if (rc < 0)
		return rc;
	if (code == Z_STREAM_END)
		return go_on(stream) ? stream->avail_in > 0 : IQ_ERR_FORMAT;
	if (code == Z_MEM_ERROR)
		return IQ_ERR_NOMEM;
	if (code != Z_OK && code != Z_BUF_ERROR)
		return IQ_ERR_FORMAT;
	return stream->avail_out == 0 || (stream->avail_in > 0 && code == Z_OK);
}

int iq_inflate_feed(struct iq_inflate *inflater, struct iq_view bytes, iq_inflate_fn *take, void *context)
{
	int rc = inflater->failure;

	while (rc >= 0 && bytes.len > 0) {
		const size_t len = bytes.len < STEP ? bytes.len : STEP;

		inflater->stream.next_in = (unsigned char *)(uintptr_t)bytes.data;
		inflater->stream.avail_in = (unsigned)len;
		bytes = iq_view_from(bytes, len);
		do
			rc = step(inflater, take, context);
		while (rc > 0);
	}
	inflater->failure = rc;
	return rc;
}

int iq_inflate_end(struct iq_inflate *inflater, iq_inflate_fn *take, void *context)
{
	/* What senders leave out (section 7.2.1). */
	int rc = iq_inflate_feed(inflater, iq_view_make("\x00\x00\xff\xff", 4), take, context);

	/* Behind a message that was given up the window is empty: what refers to it is known to, and given up as well. */
	if ((inflater->deflate.no_takeover || rc < 0) && inflateReset(&inflater->stream) != Z_OK)
		rc = IQ_ERR_FORMAT;
	inflater->failure = 0;
	inflater->given = 0;
	return rc;
}

/* ---- What was agreed on ---- */

/* `name` or `name=value` of an extension; 0 where the value says nothing. */
static uint8_t window_bits(struct iq_view parameter, struct iq_view name)
{
	int64_t bits;

	if (!iq_view_starts_with(parameter, name))
		return 0;
	parameter = iq_view_trim(iq_view_from(parameter, name.len));
	if (parameter.len == 0 || parameter.data[0] != '=')
		return 0;
	parameter = iq_view_trim(iq_view_from(parameter, 1));
	if (parameter.len > 2 && parameter.data[0] == '"')
		parameter = iq_view_make(parameter.data + 1, parameter.len - 2);
	return iq_view_to_int64(parameter, &bits) && bits >= 8 && bits <= 15 ? (uint8_t)bits : 0;
}

/* Up to the separator; *list goes on behind it. */
static struct iq_view take_item(struct iq_view *list, char separator)
{
	const char *end = memchr(list->data, separator, list->len);
	const struct iq_view item = iq_view_make(list->data, end ? (size_t)(end - list->data) : list->len);

	*list = iq_view_from(*list, item.len + 1);
	return iq_view_trim(item);
}

static void read_parameter(struct iq_view parameter, struct iq_deflate *client, struct iq_deflate *server)
{
	const uint8_t client_bits = window_bits(parameter, IQ_LIT("client_max_window_bits"));
	const uint8_t server_bits = window_bits(parameter, IQ_LIT("server_max_window_bits"));

	client->no_takeover |= iq_view_eq(parameter, IQ_LIT("client_no_context_takeover"));
	server->no_takeover |= iq_view_eq(parameter, IQ_LIT("server_no_context_takeover"));
	if (client_bits)
		client->bits = client_bits;
	if (server_bits)
		server->bits = server_bits;
}

void iq_deflate_read(struct iq_view list, struct iq_deflate *client, struct iq_deflate *server)
{
	while (list.len > 0) {
		struct iq_view extension = take_item(&list, ',');
		const struct iq_view name = take_item(&extension, ';');

		if (!iq_view_eq(name, IQ_LIT("permessage-deflate")))
			continue;
		client->agreed = server->agreed = true;
		while (extension.len > 0)
			read_parameter(take_item(&extension, ';'), client, server);
	}
}
