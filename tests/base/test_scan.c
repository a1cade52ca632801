/* Finding bytes sixteen at a time gives what looking at each gives, for all bytes at all places. */
#include <criterion/criterion.h>

#include "base/base.h"
#include "base/scan.h"

static bool ends_string(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static bool is_in_word(char c)
{
	return c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/", c);
}

static bool is_no_hex(char c)
{
	return !c || !strchr("0123456789abcdef", c);
}

static bool some_writer_escapes(char c)
{
	return (unsigned char)c < 0x20 || (unsigned char)c >= 0x7f || strchr("\"\\/&<>", c);
}

static unsigned angle_marks(const char *data)
{
	return iq_byte_marks(data, '<');
}

static bool is_angle(char c)
{
	return c == '<';
}

static const struct {
	unsigned (*marks)(const char *data);
	bool (*has)(char c);
} kinds[] = { { iq_string_marks, ends_string },
	      { iq_word_marks, is_in_word },
	      { iq_no_hex_marks, is_no_hex },
	      { iq_escaped_marks, some_writer_escapes },
	      { angle_marks, is_angle } };

Test(scan, marks_of_every_byte_at_every_place)
{
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
		for (unsigned c = 0; c < 256; c++)
			for (unsigned place = 0; place < IQ_BLOCK; place++) {
				char block[IQ_BLOCK];
				unsigned expected = 0;

				for (unsigned i = 0; i < IQ_BLOCK; i++)
					block[i] = (char)(i == place ? c : (c * 7 + i * 31) & 255);
				for (unsigned i = 0; i < IQ_BLOCK; i++)
					expected |= (unsigned)kinds[kind].has(block[i]) << i;
				cr_assert_eq(kinds[kind].marks(block), expected, "kind %zu, byte %u at %u", kind, c,
					     place);
			}
}

Test(scan, differing_bytes)
{
	char a[IQ_BLOCK], b[IQ_BLOCK];

	memset(a, 'x', sizeof(a));
	for (unsigned place = 0; place < IQ_BLOCK; place++) {
		memcpy(b, a, sizeof(b));
		b[place] = 'y';
		cr_assert_eq(iq_differing_marks(a, b), 1u << place);
	}
	cr_assert_eq(iq_differing_marks(a, a), 0);
}
