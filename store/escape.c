#include "store/escape.h"

#include <string.h>

/* Bytes that no style escapes. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '/' && c != '<' && c != '>' && c != '&';
}

static size_t put_u(char *out, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'u';
	for (unsigned i = 0; i < 4; i++)
		out[2 + i] = hex[unit >> (12 - 4 * i) & 15];
	return 6;
}

/* Beyond ASCII: what `text` begins with, and how many bytes of it that is. */
static size_t put_wide(char *out, struct iq_view text, unsigned escape, size_t *ret_taken)
{
	uint32_t point = 0;
	size_t taken = iq_utf8_decode(text, &point);

	*ret_taken = taken ? taken : 1;
	if (taken && (escape & IQ_ESCAPE_ASCII)) {
		if (point < 0x10000)
			return put_u(out, point);
		(void)put_u(out, 0xD800 + ((point - 0x10000) >> 10));
		return 6 + put_u(out + 6, 0xDC00 + ((point - 0x10000) & 0x3FF));
	}
	if (taken && (escape & IQ_ESCAPE_HTML) && (point == 0x2028 || point == 0x2029))
		return put_u(out, point);
	memcpy(out, text.data, *ret_taken);
	return *ret_taken;
}

static char short_escape(char c, unsigned escape)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\b':
		return escape & IQ_ESCAPE_SHORT ? 'b' : 0;
	case '\f':
		return escape & IQ_ESCAPE_SHORT ? 'f' : 0;
	case '/':
		return escape & IQ_ESCAPE_SLASH ? '/' : 0;
	default:
		return 0;
	}
}

/* One character, escaped, to at most 12 bytes. */
static size_t put_escaped(char *out, struct iq_view text, unsigned escape, size_t *ret_taken)
{
	const unsigned char c = (unsigned char)text.data[0];
	char letter;

	*ret_taken = 1;
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c >= 0x80)
		return put_wide(out, text, escape, ret_taken);
	letter = short_escape((char)c, escape);
	if (letter) {
		out[0] = '\\';
		out[1] = letter;
		return 2;
	}
	if (c < 0x20 || (c == 0x7f && (escape & IQ_ESCAPE_DELETE)) ||
	    ((escape & IQ_ESCAPE_HTML) && (c == '<' || c == '>' || c == '&')))
		return put_u(out, c);
	out[0] = (char)c;
	return 1;
}

size_t iq_escape_plain(struct iq_view text)
{
	size_t i = 0;

	for (; text.len - i >= IQ_BLOCK; i += IQ_BLOCK) {
		const unsigned marks = iq_escaped_marks(text.data + i);

		if (marks)
			return i + (size_t)__builtin_ctz(marks);
	}
	while (i < text.len && is_plain((unsigned char)text.data[i]))
		i++;
	return i;
}

/* What a character becomes at most, and a block that is written whole. */
#define ESCAPE_ROOM (IQ_BLOCK * 12u + 2 * IQ_BLOCK)

/* The end of a text, with a block behind it that may be read. */
struct tail {
	char bytes[3 * IQ_BLOCK];
};

/* From where a block of `text` may be read wherever one begins in it: its end is copied. */
static struct iq_view with_room(struct iq_view text, struct tail *tail)
{
	if (text.len >= 2 * IQ_BLOCK) /* what did not match is not looked at */
		return text;
	memset(tail, 0, sizeof(*tail));
	memcpy(tail->bytes, text.data, text.len);
	return iq_view_make(tail->bytes, text.len);
}

static unsigned marks_of(struct iq_view text, size_t count)
{
	return iq_escaped_marks(text.data) & ~(~0u << count);
}

/* What all styles write as a backslash and a letter; 0: not so. */
static const char letters[256] = { ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };

/* The first block of `text`, or all that is left, escaped, to `out`; how many bytes of it were taken. */
static size_t escape_block(char **out, struct iq_view text, unsigned escape)
{
	const size_t count = text.len < IQ_BLOCK ? text.len : IQ_BLOCK;
	unsigned marks = marks_of(text, count);
	size_t at = 0, taken = 1;

	while (marks) {
		const size_t next = (size_t)__builtin_ctz(marks);
		const char letter = letters[(unsigned char)text.data[next]];

		memcpy(*out, text.data + at, IQ_BLOCK);
		*out += next - at;
		if (letter) {
			*(*out)++ = '\\';
			*(*out)++ = letter;
			taken = 1;
		} else {
			*out += put_escaped(*out, iq_view_from(text, next), escape, &taken);
		}
		at = next + taken;
		if (at >= count)
			return at;
		marks &= ~0u << at;
	}
	memcpy(*out, text.data + at, IQ_BLOCK);
	*out += count - at;
	return count;
}

static int append_block(struct iq_buf *buf, struct iq_view *text, unsigned escape)
{
	char *out;

	if (iq_buf_reserve(buf, ESCAPE_ROOM) < 0)
		return IQ_ERR_NOMEM;
	out = buf->data + buf->len;
	*text = iq_view_from(*text, escape_block(&out, *text, escape));
	buf->len = (size_t)(out - buf->data);
	*out = '\0';
	return 0;
}

int iq_escape_append(struct iq_buf *buf, struct iq_view text, unsigned escape)
{
	struct tail tail;
	int rc = 0;

	if (escape == IQ_ESCAPE_VERBATIM)
		return iq_buf_append(buf, text);
	if (escape == IQ_ESCAPE_BASE64)
		return iq_base64_encode(text, buf);
	while (rc == 0 && text.len >= 2 * IQ_BLOCK)
		rc = append_block(buf, &text, escape);
	text = with_room(text, &tail);
	while (rc == 0 && text.len > 0)
		rc = append_block(buf, &text, escape);
	return rc;
}

/* The character at the front of `text`, escaped, is what stands in `raw` at *at; then both are passed. */
static bool match_escaped(struct iq_view raw, size_t *at, struct iq_view text, unsigned escape, size_t *ret_taken)
{
	char out[16];
	size_t len = put_escaped(out, text, escape, ret_taken);

	if (raw.len - *at < len || memcmp(raw.data + *at, out, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool match_plain(struct iq_view raw, size_t *raw_at, const char *text, size_t count)
{
	const size_t at = *raw_at;

	*raw_at += count;
	if (raw.len - at >= IQ_BLOCK)
		return (iq_differing_marks(raw.data + at, text) & ~(~0u << count)) == 0;
	return raw.len - at >= count && memcmp(raw.data + at, text, count) == 0;
}

/* As iq_escape_match() for the first block of `text`, or all that is left; how many bytes of it were taken, 0 where it does not
 * match. */
static size_t match_block(struct iq_view raw, size_t *raw_at, struct iq_view text, unsigned escape)
{
	const size_t count = text.len < IQ_BLOCK ? text.len : IQ_BLOCK;
	unsigned marks = marks_of(text, count);
	size_t at = 0, taken;

	while (marks) {
		const size_t next = (size_t)__builtin_ctz(marks);

		if (!match_plain(raw, raw_at, text.data + at, next - at) ||
		    !match_escaped(raw, raw_at, iq_view_from(text, next), escape, &taken))
			return 0;
		at = next + taken;
		if (at >= count)
			return at;
		marks &= ~0u << at;
	}
	return match_plain(raw, raw_at, text.data + at, count - at) ? count : 0;
}

static size_t match_base64(struct iq_view raw, struct iq_view text)
{
	struct iq_buf encoded = IQ_BUF_INIT;
	size_t len = SIZE_MAX;

	if (text.len / 3 * 4 <= raw.len && iq_base64_encode(text, &encoded) == 0 && encoded.len <= raw.len &&
	    memcmp(raw.data, encoded.data, encoded.len) == 0)
		len = encoded.len;
	iq_buf_release(&encoded);
	return len;
}

size_t iq_escape_match(struct iq_view raw, struct iq_view text, unsigned escape)
{
	struct tail tail;
	size_t at = 0, taken = 1;

	if (escape == IQ_ESCAPE_BASE64)
		return match_base64(raw, text);
	if (escape == IQ_ESCAPE_VERBATIM)
		return raw.len >= text.len && memcmp(raw.data, text.data, text.len) == 0 ? text.len : SIZE_MAX;
	for (; taken > 0 && text.len >= 2 * IQ_BLOCK; text = iq_view_from(text, taken))
		taken = match_block(raw, &at, text, escape);
	text = with_room(text, &tail);
	for (; taken > 0 && text.len > 0; text = iq_view_from(text, taken))
		taken = match_block(raw, &at, text, escape);
	return taken > 0 ? at : SIZE_MAX;
}

/* ---- Is it what a style writes? ---- */

static uint32_t hex_value(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The four digits of `\\uxxxx`, in lower case; a surrogate where they are not such. */
static uint32_t read_u(struct iq_view raw)
{
	uint32_t point = 0;

	for (size_t i = 2; i < 6; i++) {
		if (i >= raw.len ||
		    !((raw.data[i] >= '0' && raw.data[i] <= '9') || (raw.data[i] >= 'a' && raw.data[i] <= 'f')))
			return 0xD800;
		point = point << 4 | hex_value(raw.data[i]);
	}
	return point;
}

/* Of surrogate pairs nothing is known here. */
static bool writes_u(uint32_t point, unsigned escape)
{
	if (point < 0x20)
		return short_escape((char)point, escape) == 0;
	if (point < 0x80)
		return point == 0x7f ? (escape & IQ_ESCAPE_DELETE) != 0
				     : (escape & IQ_ESCAPE_HTML) && (point == '<' || point == '>' || point == '&');
	if (point >= 0xD800 && point < 0xE000)
		return false;
	return (escape & IQ_ESCAPE_ASCII) || ((escape & IQ_ESCAPE_HTML) && (point == 0x2028 || point == 0x2029));
}

static size_t utf8_length(uint32_t point)
{
	return point < 0x80 ? 1 : point < 0x800 ? 2 : 3;
}

/* The length of the escape that `raw` begins with and, in *ret_text, of what it stands for; 0 if the style does not write it. */
static size_t written_escape(struct iq_view raw, unsigned escape, size_t *ret_text)
{
	const char c = raw.len > 1 ? raw.data[1] : '\0';

	*ret_text = 1;
	switch (c) {
	case '"':
	case '\\':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'b':
	case 'f':
		return escape & IQ_ESCAPE_SHORT ? 2 : 0;
	case '/':
		return escape & IQ_ESCAPE_SLASH ? 2 : 0;
	case 'u':
		*ret_text = utf8_length(read_u(raw));
		return writes_u(read_u(raw), escape) ? 6 : 0;
	default:
		return 0;
	}
}

/* The same for a character that stands for itself. */
static size_t written_plain(struct iq_view raw, unsigned escape, size_t *ret_text)
{
	char out[16];
	const size_t len = put_escaped(out, raw, escape, ret_text);

	return len == *ret_text && memcmp(out, raw.data, len) == 0 ? len : 0;
}

/* What a backslash stands before in all styles. */
static const bool common[256] = { ['"'] = true, ['\\'] = true, ['n'] = true, ['r'] = true, ['t'] = true };

/* What does not stand for itself at the front of `raw`: as written_escape(). */
static size_t written(struct iq_view raw, unsigned escape, size_t *ret_text)
{
	return raw.data[0] == '\\' ? written_escape(raw, escape, ret_text) : written_plain(raw, escape, ret_text);
}

/* Passes a block, behind which there is another byte at least; what was longer than what it stands for is added up. False if it is
 * not what the style writes. */
static bool pass_block(struct iq_view raw, size_t *at, unsigned escape, size_t *shorter)
{
	const size_t start = *at;
	unsigned marks = iq_escaped_marks(raw.data + start);

	*at = start + IQ_BLOCK;
	while (marks) {
		const size_t next = start + (size_t)__builtin_ctz(marks);
		const bool simple = raw.data[next] == '\\' && common[(unsigned char)raw.data[next + 1]];
		size_t text = 1, len = simple ? 2 : written(iq_view_from(raw, next), escape, &text);

		if (len == 0)
			return false;
		*shorter += len - text;
		if (next + len >= start + IQ_BLOCK) {
			*at = next + len;
			return true;
		}
		marks &= ~0u << (next + len - start);
	}
	return true;
}

size_t iq_escape_written(struct iq_view raw, unsigned escape)
{
	size_t at = 0, shorter = 0, len, text;

	while (raw.len - at > IQ_BLOCK)
		if (!pass_block(raw, &at, escape, &shorter))
			return SIZE_MAX;
	for (at += iq_escape_plain(iq_view_from(raw, at)); at < raw.len; at += iq_escape_plain(iq_view_from(raw, at))) {
		len = written(iq_view_from(raw, at), escape, &text);
		if (len == 0)
			return SIZE_MAX;
		at += len;
		shorter += len - text;
	}
	return raw.len - shorter;
}
