#include <criterion/criterion.h>

#include "wire/wire.h"

/* `name/id/data;` of each event. */
static void expect(struct iq_view bytes, const char *expected)
{
	for (size_t step = 1; step < 6; step++) {
		const size_t size = step == 5 ? SIZE_MAX : step;
		struct iq_view rest = bytes;
		struct iq_buf told = IQ_BUF_INIT;
		struct iq_sse sse = { .begun = false };

		(void)iq_buf_append_cstr(&told, "");
		while (rest.len > 0) {
			struct iq_view piece = iq_view_make(rest.data, size < rest.len ? size : rest.len);
			struct iq_sse_event event;

			rest = iq_view_from(rest, piece.len);
			while (iq_sse_next(&sse, &piece, 0, &event) > 0)
				(void)iq_buf_appendf(&told, "%.*s/%.*s/%.*s;", IQ_VIEW_ARG(event.name),
						     IQ_VIEW_ARG(event.id), IQ_VIEW_ARG(event.data));
		}
		cr_expect_str_eq(told.data, expected, "pieces of %zu: %s instead of %s", size, told.data, expected);
		iq_sse_release(&sse);
		iq_buf_release(&told);
	}
}

#define STREAM(bytes, expected) expect(IQ_LIT(bytes), expected)

/* HTML, section 9.2.6. */
Test(sse, reads_the_examples_of_the_specification)
{
	STREAM("data: YHOO\ndata: +2\ndata: 10\n\n", "//YHOO\n+2\n10;");
	STREAM(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
	       "/1/first event;//second event;");
	STREAM("data\n\ndata\ndata\n\ndata:", "//;//\n;");
	STREAM("data:test\n\ndata: test\n\n", "//test;//test;");
}

Test(sse, lines_end_in_three_ways)
{
	STREAM("event: add\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", "add//1;//2;");
	STREAM("data: 1\r\rdata: 2\r\r", "//1;//2;");
	STREAM("\xef\xbb\xbf"
	       "data: 1\n\n",
	       "//1;");
}

Test(sse, a_name_without_data_is_no_event)
{
	STREAM("event: x\n\ndata: 1\n\n", "//1;");
}
