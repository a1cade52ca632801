#include <criterion/criterion.h>

#include "wire/wire.h"

/* The content, `!` where it cannot be read, and what is left behind its end in `[]`; fed in pieces of `step` bytes. */
static void read_body(struct iq_view head_text, struct iq_view bytes, size_t step, struct iq_buf *told)
{
	struct iq_http_head head, request = { .method = IQ_LIT("GET") };
	const bool is_response = iq_view_starts_with(head_text, IQ_LIT("HTTP"));
	struct iq_http_body body;
	size_t len;
	int rc = is_response ? iq_http_parse_response(head_text, &head, &len, NULL)
			     : iq_http_parse_request(head_text, &head, &len, NULL);

	(void)iq_buf_append_cstr(told, "");
	cr_assert_eq(rc, 1);
	if (iq_http_body_begin(&body, &head, is_response ? &request : NULL, NULL) < 0) {
		(void)iq_buf_append_cstr(told, "!!");
		return;
	}
	rc = 0;
	while (bytes.len > 0 && !body.ended && rc >= 0) {
		struct iq_view piece = iq_view_make(bytes.data, step < bytes.len ? step : bytes.len);
		const size_t given = piece.len;
		struct iq_view content;

		while ((rc = iq_http_body_next(&body, &piece, &content, NULL)) > 0)
			(void)iq_buf_append(told, content);
		bytes = iq_view_from(bytes, given - piece.len);
	}
	if (rc < 0)
		(void)iq_buf_append_cstr(told, "!");
	else if (body.ended)
		(void)iq_buf_appendf(told, "[%.*s]", IQ_VIEW_ARG(bytes));
}

static void expect(struct iq_view head, struct iq_view bytes, const char *expected)
{
	for (size_t step = 1; step < 5; step++) {
		struct iq_buf told = IQ_BUF_INIT;

		read_body(head, bytes, step == 4 ? SIZE_MAX : step, &told);
		cr_expect_str_eq(told.data, expected, "pieces of %zu: %s instead of %s", step, told.data, expected);
		iq_buf_release(&told);
	}
}

#define REQUEST(headers, bytes, expected) expect(IQ_LIT("POST / HTTP/1.1\r\n" headers "\r\n"), IQ_LIT(bytes), expected)
#define RESPONSE(status, headers, bytes, expected) \
	expect(IQ_LIT("HTTP/1.1 " status "\r\n" headers "\r\n"), IQ_LIT(bytes), expected)

Test(http_body, ends_where_the_head_says)
{
	REQUEST("Content-Length: 3\r\n", "abcdef", "abc[def]");
	REQUEST("Content-Length: 0\r\n", "def", "[def]");
	REQUEST("", "def", "[def]");
	REQUEST("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nrest",
		"abc0123456789[rest]");
	REQUEST("Transfer-Encoding: Chunked\r\n", "1\r\na\r\n0\r\nTrailer: x\r\nB: y\r\n\r\nrest", "a[rest]");
	RESPONSE("200 OK", "", "until the end", "until the end");
	RESPONSE("204 No Content", "", "x", "[x]");
	RESPONSE("304 Not Modified", "Content-Length: 5\r\n", "x", "[x]");
	RESPONSE("200 OK", "Content-Length: 2\r\nContent-Length: 2\r\n", "abc", "ab[c]");
}

/* Request smuggling: what two readers could read differently is read by none. */
Test(http_body, what_can_be_read_in_two_ways_is_refused)
{
	REQUEST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "", "!!");
	REQUEST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "", "!!");
	REQUEST("Content-Length: 3\r\nContent-Length: 4\r\n", "", "!!");
	REQUEST("Content-Length: +3\r\n", "", "!!");
	REQUEST("Content-Length: 3, 3\r\n", "", "!!");
	REQUEST("Content-Length: 99999999999999999999\r\n", "", "!!");
	REQUEST("Transfer-Encoding: gzip, chunked\r\n", "", "!!");
	REQUEST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "", "!!");
	REQUEST("Transfer-Encoding: xchunked\r\n", "", "!!");
}

Test(http_body, a_coding_that_is_broken_is_told)
{
	REQUEST("Transfer-Encoding: chunked\r\n", "x\r\n", "!");
	REQUEST("Transfer-Encoding: chunked\r\n", "\r\n", "!");
	REQUEST("Transfer-Encoding: chunked\r\n", "3\nabc", "!");
	REQUEST("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n", "abc!");
	REQUEST("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n", "!");
	REQUEST("Transfer-Encoding: chunked\r\n", "3;\nabc", "!");
}
