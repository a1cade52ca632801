#include "base/base64.h"

#include "base/view.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int iq_base64_encode(struct iq_view bytes, struct iq_buf *buf)
{
	const unsigned char *data = (const unsigned char *)bytes.data;

	if (bytes.len > SIZE_MAX / 2 || iq_buf_reserve(buf, bytes.len / 3 * 4 + 4) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t group = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
				 (left > 2 ? data[i + 2] : 0);

		(void)iq_buf_append_char(buf, alphabet[group >> 18]);
		(void)iq_buf_append_char(buf, alphabet[group >> 12 & 63]);
		(void)iq_buf_append_char(buf, left > 1 ? alphabet[group >> 6 & 63] : '=');
		(void)iq_buf_append_char(buf, left > 2 ? alphabet[group & 63] : '=');
	}
	return 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* `count` characters (2 to 4) give count - 1 bytes; false where one is not of the alphabet or unused bits are set. */
static bool decode_group(const char *text, size_t count, char ret_bytes[3])
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < count ? value_of(text[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	for (size_t i = 0; i < 3; i++)
		ret_bytes[i] = (char)(group >> (16 - 8 * i) & 0xFF);
	return count == 4 || (group & (count == 3 ? 0xFFu : 0xFFFFu)) == 0;
}

int iq_base64_decode(struct iq_view text, struct iq_buf *buf)
{
	size_t padding = iq_view_ends_with(text, IQ_LIT("==")) ? 2 : iq_view_ends_with(text, IQ_LIT("=")) ? 1 : 0;
	size_t start = buf->len;
	char bytes[3];

	if (text.len % 4 != 0)
		return IQ_ERR_FORMAT;
	if (iq_buf_reserve(buf, text.len / 4 * 3) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t count = i + 4 == text.len ? 4 - padding : 4;

		if (!decode_group(text.data + i, count, bytes)) {
			buf->len = start;
			buf->data[start] = '\0';
			return IQ_ERR_FORMAT;
		}
		(void)iq_buf_append(buf, iq_view_make(bytes, count - 1));
	}
	return 0;
}
