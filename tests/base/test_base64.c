#include <criterion/criterion.h>

#include "base/base.h"

/* RFC 4648, section 10, and all byte values. */
Test(base64, encodes_and_decodes_the_test_vectors)
{
	const struct {
		struct iq_view bytes;
		const char *text;
	} cases[] = {
		{ IQ_LIT(""), "" },
		{ IQ_LIT("f"), "Zg==" },
		{ IQ_LIT("fo"), "Zm8=" },
		{ IQ_LIT("foo"), "Zm9v" },
		{ IQ_LIT("foob"), "Zm9vYg==" },
		{ IQ_LIT("\xff\xfe\0"), "//4A" },
		{ IQ_LIT("\xfb\xef\xbe"), "++++" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_buf buf = IQ_BUF_INIT;

		cr_expect_eq(iq_base64_encode(cases[i].bytes, &buf), 0);
		cr_expect_str_eq(buf.data, cases[i].text);
		iq_buf_clear(&buf);
		cr_expect_eq(iq_base64_decode(iq_view_cstr(cases[i].text), &buf), 0);
		cr_expect(iq_view_eq(iq_buf_view(&buf), cases[i].bytes));
		iq_buf_release(&buf);
	}
}

Test(base64, refuses_anything_else_and_appends_nothing)
{
	static const char *const cases[] = { "Z",    "Zg",	 "Zg=",	 "Zh==",   "Zm9=", "====",
					     "Z===", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9-" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_buf buf = IQ_BUF_INIT;

		(void)iq_buf_append_cstr(&buf, "before");
		cr_expect_eq(iq_base64_decode(iq_view_cstr(cases[i]), &buf), IQ_ERR_FORMAT, "%s", cases[i]);
		cr_expect_str_eq(buf.data, "before");
		iq_buf_release(&buf);
	}
}
