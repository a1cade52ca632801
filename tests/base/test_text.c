/* Views, UTF-8, times, maps: what everything else is built on. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"

Test(utf8, encodes_and_decodes_every_code_point)
{
	struct iq_buf buf = IQ_BUF_INIT;

	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		uint32_t decoded;
		bool surrogate = point >= 0xd800 && point <= 0xdfff;

		iq_buf_clear(&buf);
		cr_assert_eq(iq_utf8_encode(&buf, point), 0);
		cr_assert_eq(iq_utf8_decode(iq_buf_view(&buf), &decoded), buf.len);
		cr_assert_eq(decoded, surrogate ? 0xfffd : point);
		cr_assert(iq_utf8_valid(iq_buf_view(&buf)));
	}
	iq_buf_release(&buf);
}

Test(utf8, refuses_what_is_not_utf8)
{
	static const char *const wrong[] = { "\x80",	     "\xc0\xaf",	 "\xe0\x80\xaf",
					     "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
					     "\xc3",	     "a\xe2\x82" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_not(iq_utf8_valid(iq_view_cstr(wrong[i])), "%zu", i);
	cr_expect_eq(iq_utf8_cut(IQ_LIT("a\xc3\xa9z"), 2).len, 1);
	cr_expect_eq(iq_utf8_width(IQ_LIT("a\xe4\xb8\xad")), 3);
}

/* Long texts are looked at in blocks: a byte that is wrong, or an accent, anywhere in them. */
Test(utf8, looks_at_every_byte_of_a_text)
{
	char text[200];

	for (size_t len = 1; len <= sizeof(text); len += 13)
		for (size_t at = 0; at < len; at++) {
			memset(text, 'a', sizeof(text));
			cr_expect(iq_utf8_valid(iq_view_make(text, len)), "%zu", len);
			text[at] = '\xff';
			cr_expect_not(iq_utf8_valid(iq_view_make(text, len)), "%zu of %zu", at, len);
			memcpy(text + at, "\xc3\xa9", at + 2 <= sizeof(text) ? 2 : 1);
			cr_expect_eq(iq_utf8_valid(iq_view_make(text, len)), at + 1 < len, "%zu of %zu", at, len);
		}
}

Test(utf8, makes_text_safe_for_a_terminal)
{
	struct iq_buf buf = IQ_BUF_INIT;

	cr_assert_eq(iq_utf8_append_safe(&buf, IQ_LIT("ok \xc3\xa9 \x1b[31m\n\x7f\xc2\x9b \xe2\x80\xae \xff")), 0);
	cr_expect_str_eq(buf.data, "ok \xc3\xa9 \\x1b[31m\\n\\x7f\\x9b \\u202e \\xff");
	iq_buf_release(&buf);
}

Test(clock, reads_times)
{
	static const struct {
		const char *text;
		int64_t ns;
	} times[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-23T03:07:12.418000001Z", INT64_C(1795403232418000001) },
		{ "2026-11-23 04:07:12.5+01:00", INT64_C(1795403232500000000) },
		{ "2026-11-22t22:07:12-0500", INT64_C(1795403232000000000) },
		{ "2024-02-29T23:59:59", INT64_C(1709251199000000000) },
		{ "1969-12-31T23:59:59.999999999Z", -1 },
	};
	static const char *const wrong[] = { "",
					     "2026-11-23",
					     "2026-02-29T00:00:00Z",
					     "2026-13-01T00:00:00Z",
					     "2026-11-23T24:61:00Z",
					     "2026-11-23T03:07:12Zx",
					     "3000-01-01T00:00:00Z" };
	char formatted[IQ_RFC3339_SIZE];
	int64_t ns, again;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		cr_expect(iq_time_parse(iq_view_cstr(times[i].text), &ns) && ns == times[i].ns, "%s", times[i].text);
		cr_expect(iq_time_parse(iq_view_cstr(iq_time_format(ns, formatted)), &again) && again == ns, "%s",
			  formatted);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_not(iq_time_parse(iq_view_cstr(wrong[i]), &ns), "%s", wrong[i]);
}

Test(clock, tells_the_unit_of_a_number_by_its_magnitude)
{
	static const char *const same[] = { "1795403232.418", "1795403232418", "1795403232418000",
					    "1795403232418000000" };
	int64_t ns;

	for (size_t i = 0; i < 4; i++)
		cr_expect(iq_time_parse_epoch(iq_view_cstr(same[i]), &ns) && ns == INT64_C(1795403232418000000), "%s",
			  same[i]);
	cr_expect_not(iq_time_parse_epoch(IQ_LIT("-1"), &ns));
	cr_expect_not(iq_time_parse_epoch(IQ_LIT("nan"), &ns));
	cr_expect(iq_duration_parse(IQ_LIT("1.5s"), &ns) && ns == 1500 * IQ_NS_PER_MS);
	cr_expect(iq_duration_parse(IQ_LIT("2m"), &ns) && ns == 120 * IQ_NS_PER_S);
	cr_expect_not(iq_duration_parse(IQ_LIT("5"), &ns));
}

Test(map, finds_what_was_put_in_and_keeps_the_order)
{
	struct iq_map map = IQ_MAP_INIT;
	char key[16];

	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t index;

		cr_assert_eq(
			iq_map_intern(&map, iq_view_make(key, (size_t)snprintf(key, sizeof(key), "k%u", i)), &index),
			1);
		cr_assert_eq(index, i);
		cr_assert_eq(iq_map_intern(&map, iq_view_cstr(key), &index), 0);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t *value = iq_map_get(&map, iq_view_make(key, (size_t)snprintf(key, sizeof(key), "k%u", i)));

		cr_assert(value && *value == i);
	}
	cr_expect_null(iq_map_get(&map, IQ_LIT("none")));
	cr_expect_eq(iq_map_set(&map, IQ_LIT(""), 7), 0);
	cr_expect_eq(*iq_map_get(&map, IQ_LIT("")), 7);
	iq_map_release(&map);
}

Test(view, searches_and_converts)
{
	int64_t number;
	double real;

	cr_expect_eq(iq_view_find(IQ_LIT("aXbXX"), IQ_LIT("XX")), 3);
	cr_expect_eq(iq_view_find(IQ_LIT("a"), IQ_LIT("ab")), SIZE_MAX);
	cr_expect(iq_view_eq(iq_view_trim(IQ_LIT(" \t a b\r\n")), IQ_LIT("a b")));
	cr_expect(iq_view_to_int64(IQ_LIT("-9223372036854775808"), &number) && number == INT64_MIN);
	cr_expect_not(iq_view_to_int64(IQ_LIT("9223372036854775808"), &number));
	cr_expect_not(iq_view_to_int64(IQ_LIT("1 "), &number));
	cr_expect(iq_view_to_double(IQ_LIT("-1.5e3"), &real) && real == -1500);
	cr_expect_not(iq_view_to_double(IQ_LIT("1x"), &real));
}

Test(error, keeps_the_first)
{
	struct iq_error error = IQ_ERROR_INIT;

	cr_expect_eq(iq_error_set(&error, IQ_ERR_FORMAT, "line %d", 3), IQ_ERR_FORMAT);
	cr_expect_eq(iq_error_set(&error, IQ_ERR_IO, "later"), IQ_ERR_IO);
	cr_expect_str_eq(error.message, "line 3");
	cr_expect_eq(iq_error_set(NULL, IQ_ERR_IO, "nobody listens"), IQ_ERR_IO);
}

Test(hash, knows_sha256)
{
	uint8_t digest[IQ_SHA256_SIZE], back[IQ_SHA256_SIZE];
	char hex[IQ_SHA256_HEX_SIZE];

	iq_sha256_of("abc", 3, digest);
	iq_hex(digest, sizeof(digest), hex);
	cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_expect(iq_unhex(iq_view_cstr(hex), back, sizeof(back)) && memcmp(back, digest, sizeof(back)) == 0);
	cr_expect_not(iq_unhex(IQ_LIT("zz"), back, 1));
}

/* Bit by bit, as RFC 3720 defines it. */
static uint32_t slow_crc32c(struct iq_view view)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < view.len; i++) {
		crc ^= (uint8_t)view.data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

Test(hash, knows_crc32c)
{
	char bytes[64];

	cr_expect_eq(iq_crc32c(0, IQ_LIT("123456789")), 0xe3069283u);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 151 + 7);
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len <= sizeof(bytes) - at; len++) {
			const struct iq_view view = iq_view_make(bytes + at, len);
			const uint32_t head = iq_crc32c(0, iq_view_make(view.data, len / 3));

			cr_assert_eq(iq_crc32c(0, view), slow_crc32c(view));
			cr_assert_eq(iq_crc32c_by_table(0, view), slow_crc32c(view));
			cr_assert_eq(iq_crc32c(head, iq_view_from(view, len / 3)), slow_crc32c(view));
		}
	}
}

Test(array, grows_with_zeros_and_refuses_what_no_machine_has)
{
	uint32_t *items = NULL;
	size_t capacity = 0;

	for (size_t count = 0; count < 1000; count++) {
		cr_assert_eq(IQ_ARRAY_GROW(items, capacity, count + 1), 0);
		cr_assert_gt(capacity, count);
		cr_assert_eq(items[count], 0);
		items[count] = (uint32_t)count + 1;
	}
	for (size_t i = 0; i < 1000; i++)
		cr_assert_eq(items[i], i + 1);
	cr_assert_eq(IQ_ARRAY_GROW(items, capacity, SIZE_MAX / 2), IQ_ERR_NOMEM);
	cr_assert_eq(items[999], 1000);
	free(items);
}
