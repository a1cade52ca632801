/* The scanner against jansson, and pointers into what it reads. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"

enum answer { REFUSED, TAKEN, UNKNOWN };

/* Both must agree on what is JSON, but jansson stops at a number beyond the range of a double: it says nothing of the rest. */
static enum answer jansson_takes(struct iq_view text)
{
	json_error_t error;
	json_t *tree = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	json_decref(tree);
	if (tree)
		return TAKEN;
	return json_error_code(&error) == json_error_numeric_overflow ? UNKNOWN : REFUSED;
}

static void append_random(struct iq_buf *buf, int depth)
{
	static const char *const atoms[] = { "0",	"-1.5e3", "true", "false", "null", "\"\"", "\"a\\n\\u00e9\"",
					     "\"x y\"", "12",	  "{}",	  "[]" };
	int shape = depth > 0 ? rand() % 3 : 0;

	if (shape == 0) {
		(void)iq_buf_append_cstr(buf, atoms[(size_t)rand() % (sizeof(atoms) / sizeof(atoms[0]))]);
		return;
	}
	(void)iq_buf_append_char(buf, shape == 1 ? '[' : '{');
	for (int i = 0, count = rand() % 4; i < count; i++) {
		(void)iq_buf_append_cstr(buf, i ? " , " : "");
		if (shape == 2)
			(void)iq_buf_appendf(buf, "\"k%d\":", i);
		append_random(buf, depth - 1);
	}
	(void)iq_buf_append_char(buf, shape == 1 ? ']' : '}');
}

Test(json, agrees_with_jansson_also_on_damage)
{
	static const char damage[] = "{}[]\",:0-.eE\\tu \n";
	struct iq_buf buf = IQ_BUF_INIT;
	unsigned seed = (unsigned)time(NULL);
	enum answer answer;

	srand(seed);
	for (unsigned round = 0; round < 20000; round++) {
		iq_buf_clear(&buf);
		append_random(&buf, 4);
		for (int i = rand() % 3; i > 0; i--)
			buf.data[(size_t)rand() % buf.len] = damage[(size_t)rand() % (sizeof(damage) - 1)];
		answer = jansson_takes(iq_buf_view(&buf));
		cr_assert(answer == UNKNOWN || iq_json_valid(iq_buf_view(&buf)) == (answer == TAKEN), "seed %u: %s",
			  seed, buf.data);
	}
	iq_buf_release(&buf);
}

Test(json, takes_numbers_beyond_a_double)
{
	cr_expect(iq_json_valid(IQ_LIT("-1e503")));
	cr_expect(iq_json_valid(IQ_LIT("[1E99999, 0]")));
	cr_expect_not(iq_json_valid(IQ_LIT("[1e503,]")));
}

Test(json, limits_depth)
{
	struct iq_buf buf = IQ_BUF_INIT;

	for (int i = 0; i < IQ_JSON_MAX_DEPTH; i++)
		(void)iq_buf_append_char(&buf, '[');
	for (int i = 0; i < IQ_JSON_MAX_DEPTH; i++)
		(void)iq_buf_append_char(&buf, ']');
	cr_expect(iq_json_valid(iq_buf_view(&buf)));
	(void)iq_buf_append_char(&buf, ']');
	buf.data[0] = '[';
	cr_expect_not(iq_json_valid(iq_buf_view(&buf)));
	iq_buf_clear(&buf);
	for (int i = 0; i < 100000; i++)
		(void)iq_buf_append_char(&buf, '[');
	cr_expect_not(iq_json_valid(iq_buf_view(&buf)));
	iq_buf_release(&buf);
}

/* RFC 6901, section 5. */
Test(json, evaluates_pointers)
{
	static const char document[] =
		"{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";
	static const struct {
		const char *pointer, *raw;
	} cases[] = {
		{ "", document },	 { "/foo", "[\"bar\",\"baz\"]" },
		{ "/foo/0", "\"bar\"" }, { "/", "0" },
		{ "/a~1b", "1" },	 { "/c%d", "2" },
		{ "/e^f", "3" },	 { "/g|h", "4" },
		{ "/i\\j", "5" },	 { "/k\"l", "6" },
		{ "/ ", "7" },		 { "/m~0n", "8" },
		{ "/foo/2", NULL },	 { "/none", NULL },
		{ "/foo/00", NULL },	 { "/foo/bar", NULL },
	};
	struct iq_buf scratch = IQ_BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_json_value value =
			iq_json_pointer(iq_view_cstr(document), iq_view_cstr(cases[i].pointer), &scratch);

		if (cases[i].raw)
			cr_expect(iq_view_eq(value.raw, iq_view_cstr(cases[i].raw)), "%s", cases[i].pointer);
		else
			cr_expect_eq(value.type, IQ_JSON_NONE, "%s", cases[i].pointer);
	}
	cr_expect_not(iq_json_pointer_valid(IQ_LIT("/a~2")));
	cr_expect_not(iq_json_pointer_valid(IQ_LIT("a")));
	iq_buf_release(&scratch);
}

Test(json, writes_strings_that_come_back)
{
	static const char text[] = "a\"\\\n\t\x01\0\xc3\xa9\xf0\x9f\x98\x80";
	struct iq_buf written = IQ_BUF_INIT, back = IQ_BUF_INIT;
	struct iq_view view = iq_view_make(text, sizeof(text) - 1);

	cr_assert_eq(iq_json_append_string(&written, view), 0);
	cr_expect(iq_json_valid(iq_buf_view(&written)));
	cr_assert_eq(iq_json_unescape(&back, iq_view_make(written.data + 1, written.len - 2)), 0);
	cr_expect(iq_view_eq(iq_buf_view(&back), view));
	iq_buf_release(&written);
	iq_buf_release(&back);
}
