#include "frames.h"

#include <stdlib.h>
#include <zlib.h>

#include "wire/ws_mask.h"

void frames_append(struct iq_buf *buf, uint8_t first, struct iq_view payload, const uint8_t *mask)
{
	const size_t bytes = payload.len < 126 ? 0 : payload.len <= UINT16_MAX ? 2 : 8;
	size_t start;

	(void)iq_buf_append_char(buf, (char)first);
	(void)iq_buf_append_char(buf, (char)((mask ? 0x80 : 0) | (bytes == 0 ? payload.len : bytes == 2 ? 126 : 127)));
	for (size_t i = bytes; i-- > 0;)
		(void)iq_buf_append_char(buf, (char)((uint64_t)payload.len >> 8 * i));
	if (mask)
		(void)iq_buf_append(buf, iq_view_make((const char *)mask, 4));
	start = buf->len;
	(void)iq_buf_append(buf, payload);
	if (mask)
		iq_ws_mask(buf->data + start, buf->data + start, payload.len, mask, 0);
}

void frames_deflate(struct iq_view plain, int bits, struct iq_buf *buf)
{
	z_stream stream = { .next_in = (unsigned char *)(uintptr_t)plain.data, .avail_in = (unsigned)plain.len };
	const size_t start = buf->len;

	(void)deflateInit2(&stream, 6, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
	(void)iq_buf_reserve(buf, plain.len + plain.len / 100 + 64);
	stream.next_out = (unsigned char *)buf->data + start;
	stream.avail_out = (unsigned)(buf->cap - start);
	(void)deflate(&stream, Z_SYNC_FLUSH);
	buf->len += stream.total_out - 4;
	(void)deflateEnd(&stream);
}

static void append_payload(struct iq_buf *payload, uint8_t opcode)
{
	static const char letters[] = "abc {}\":,\xc3\xa4\xf0\x9f\x98\x80";
	const size_t len = rand() % 20 == 0  ? 60000 + (size_t)rand() % 8000
			   : rand() % 4 == 0 ? (size_t)rand() % 300
					     : (size_t)rand() % 40;

	if (opcode == IQ_WS_CLOSE && rand() % 4)
		(void)iq_buf_append(payload, IQ_LIT("\x03\xe8"));
	for (size_t i = 0; i < (opcode >= IQ_WS_CLOSE ? len % 130 : len); i++)
		(void)iq_buf_append_char(payload, rand() % 3 ? 'x' : letters[(size_t)rand() % (sizeof(letters) - 1)]);
}

void frames_append_random(struct iq_buf *buf, bool from_server, bool compress, size_t count)
{
	static const uint8_t opcodes[] = { 0, 1, 1, 1, 2, 2, 8, 9, 9, 10, 3, 11 };

	for (size_t i = 0; i < count; i++) {
		const uint8_t opcode = opcodes[(size_t)rand() % (rand() % 10 ? 6 : 12)];
		const bool deflated = compress && (opcode == 1 || opcode == 2) && rand() % 2;
		uint8_t first = (uint8_t)(opcode | (rand() % 3 ? 0x80 : 0) | (rand() % 40 ? 0 : 0x20));
		uint8_t mask[4] = { (uint8_t)rand(), (uint8_t)rand(), (uint8_t)rand(), (uint8_t)rand() };
		struct iq_buf plain = IQ_BUF_INIT, payload = IQ_BUF_INIT;

		append_payload(&plain, opcode);
		if (deflated && rand() % 10)
			frames_deflate(iq_buf_view(&plain), 15, &payload);
		else
			(void)iq_buf_append(&payload, iq_buf_view(&plain));
		first |= deflated ? 0x40 : 0;
		frames_append(buf, first, iq_buf_view(&payload), from_server == (rand() % 40 == 0) ? mask : NULL);
		iq_buf_release(&plain);
		iq_buf_release(&payload);
	}
}
