#include "base/utf8.h"

#include <string.h>

#include "base/view.h"

#define REPLACEMENT 0xFFFD

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length that the first byte announces and the smallest code point that needs it; 0 for a byte that begins nothing. */
static size_t sequence_length(unsigned char first, uint32_t *ret_bits, uint32_t *ret_smallest)
{
	if (first < 0x80) {
		*ret_bits = first;
		*ret_smallest = 0;
		return 1;
	}
	if ((first & 0xE0) == 0xC0) {
		*ret_bits = first & 0x1Fu;
		*ret_smallest = 0x80;
		return 2;
	}
	if ((first & 0xF0) == 0xE0) {
		*ret_bits = first & 0x0Fu;
		*ret_smallest = 0x800;
		return 3;
	}
	if ((first & 0xF8) == 0xF0) {
		*ret_bits = first & 0x07u;
		*ret_smallest = 0x10000;
		return 4;
	}
	return 0;
}

static bool is_scalar(uint32_t code_point)
{
	return code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
}

size_t iq_utf8_decode(struct iq_view view, uint32_t *ret_code_point)
{
	uint32_t bits, smallest;
	size_t len = sequence_length((unsigned char)view.data[0], &bits, &smallest);

	if (len == 0 || len > view.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (!is_continuation(view.data[i]))
			return 0;
		bits = bits << 6 | ((unsigned char)view.data[i] & 0x3Fu);
	}
	if (bits < smallest || !is_scalar(bits))
		return 0;
	*ret_code_point = bits;
	return len;
}

/* A bit of each byte that is set beyond ASCII. */
#define BEYOND_ASCII UINT64_C(0x8080808080808080)

static uint64_t beyond_ascii(const char *bytes, size_t words)
{
	uint64_t any = 0, word;

	for (size_t i = 0; i < words; i++) {
		memcpy(&word, bytes + i * sizeof(word), sizeof(word));
		any |= word;
	}
	return any & BEYOND_ASCII;
}

/* Whole blocks of ASCII, which is what texts mostly are. */
static struct iq_view skip_ascii(struct iq_view view)
{
	while (view.len >= 64 && !beyond_ascii(view.data, 8))
		view = iq_view_from(view, 64);
	while (view.len >= 8 && !beyond_ascii(view.data, 1))
		view = iq_view_from(view, 8);
	return view;
}

bool iq_utf8_valid(struct iq_view view)
{
	uint32_t code_point;

	for (view = skip_ascii(view); view.len > 0; view = skip_ascii(view)) {
		const size_t len = (unsigned char)view.data[0] < 0x80 ? 1 : iq_utf8_decode(view, &code_point);

		if (len == 0)
			return false;
		view = iq_view_from(view, len);
	}
	return true;
}

int iq_utf8_encode(struct iq_buf *buf, uint32_t code_point)
{
	char bytes[4];
	size_t len = 0;

	if (!is_scalar(code_point))
		code_point = REPLACEMENT;
	if (code_point < 0x80) {
		bytes[len++] = (char)code_point;
	} else if (code_point < 0x800) {
		bytes[len++] = (char)(0xC0 | code_point >> 6);
		bytes[len++] = (char)(0x80 | (code_point & 0x3F));
	} else if (code_point < 0x10000) {
		bytes[len++] = (char)(0xE0 | code_point >> 12);
		bytes[len++] = (char)(0x80 | (code_point >> 6 & 0x3F));
		bytes[len++] = (char)(0x80 | (code_point & 0x3F));
	} else {
		bytes[len++] = (char)(0xF0 | code_point >> 18);
		bytes[len++] = (char)(0x80 | (code_point >> 12 & 0x3F));
		bytes[len++] = (char)(0x80 | (code_point >> 6 & 0x3F));
		bytes[len++] = (char)(0x80 | (code_point & 0x3F));
	}
	return iq_buf_append(buf, iq_view_make(bytes, len));
}

struct range {
	uint32_t first;
	uint32_t last;
};

static bool in_ranges(uint32_t code_point, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code_point >= ranges[i].first && code_point <= ranges[i].last)
			return true;
	return false;
}

#define IN_RANGES(code_point, table) in_ranges(code_point, table, sizeof(table) / sizeof((table)[0]))

/* Combining marks, joiners and variation selectors: they take no column of their own. */
static const struct range zero_width[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x0610, 0x061A },
	{ 0x064B, 0x065F }, { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200D },
	{ 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
};

/* Unicode East Asian Width W and F, and the emoji blocks. */
static const struct range double_width[] = {
	{ 0x1100, 0x115F }, { 0x2E80, 0x303E },	  { 0x3041, 0x33FF },	{ 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },
	{ 0xA000, 0xA4CF }, { 0xAC00, 0xD7A3 },	  { 0xF900, 0xFAFF },	{ 0xFE30, 0xFE4F },   { 0xFF00, 0xFF60 },
	{ 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF }, { 0x20000, 0x3FFFD },
};

/* Characters that change how the rest of a line is shown: bidirectional controls, separators, invisible operators, BOM.
 */
static const struct range unsafe[] = {
	{ 0x0000, 0x001F }, { 0x007F, 0x009F }, { 0x061C, 0x061C }, { 0x200E, 0x200F },	  { 0x2028, 0x202E },
	{ 0x2060, 0x206F }, { 0xFEFF, 0xFEFF }, { 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
};

size_t iq_utf8_width(struct iq_view view)
{
	size_t width = 0;

	while (view.len > 0) {
		uint32_t code_point = REPLACEMENT;
		size_t len = iq_utf8_decode(view, &code_point);

		if (!IN_RANGES(code_point, zero_width))
			width += IN_RANGES(code_point, double_width) ? 2 : 1;
		view = iq_view_from(view, len ? len : 1);
	}
	return width;
}

static int append_escape(struct iq_buf *buf, uint32_t code_point)
{
	switch (code_point) {
	case '\n':
		return iq_buf_append_cstr(buf, "\\n");
	case '\r':
		return iq_buf_append_cstr(buf, "\\r");
	case '\t':
		return iq_buf_append_cstr(buf, "\\t");
	default:
		return iq_buf_appendf(buf, code_point < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code_point);
	}
}

int iq_utf8_append_safe(struct iq_buf *buf, struct iq_view view)
{
	int rc = 0;

	while (rc == 0 && view.len > 0) {
		uint32_t code_point;
		size_t len = iq_utf8_decode(view, &code_point);

		if (len == 0)
			rc = iq_buf_appendf(buf, "\\x%02x", (unsigned)(unsigned char)view.data[0]);
		else if (IN_RANGES(code_point, unsafe))
			rc = append_escape(buf, code_point);
		else
			rc = iq_buf_append(buf, iq_view_make(view.data, len));
		view = iq_view_from(view, len ? len : 1);
	}
	return rc;
}

struct iq_view iq_utf8_cut(struct iq_view view, size_t len)
{
	size_t cut = len;

	if (view.len <= len)
		return view;
	while (cut > 0 && len - cut < 3 && is_continuation(view.data[cut]))
		cut--;
	if (is_continuation(view.data[cut]))
		cut = len;
	return iq_view_make(view.data, cut);
}

int iq_utf8_append_repaired(struct iq_buf *buf, struct iq_view view)
{
	uint32_t code_point;

	if (iq_utf8_valid(view))
		return iq_buf_append(buf, view);
	while (view.len > 0) {
		size_t len = iq_utf8_decode(view, &code_point);

		(void)iq_utf8_encode(buf, len ? code_point : 0xFFFD);
		view = iq_view_from(view, len ? len : 1);
	}
	return buf->failed ? IQ_ERR_NOMEM : 0;
}
