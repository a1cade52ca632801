#include <criterion/criterion.h>

#include "wire/wire.h"

/* RFC 6455, section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"

static int parse(struct iq_view bytes, struct iq_http_head *ret_response, size_t *ret_len)
{
	return iq_http_parse_response(bytes, ret_response, ret_len, NULL);
}

static int check(const char *head, const char *subprotocol, struct iq_error *error)
{
	struct iq_http_head response;
	size_t len;

	cr_assert_eq(parse(iq_view_cstr(head), &response, &len), 1, "%s", head);
	return iq_ws_check_response(&response, KEY, iq_view_cstr(subprotocol), false, error);
}

Test(http, completes_a_head_at_its_last_byte_and_leaves_the_rest)
{
	struct iq_view bytes = IQ_LIT("HTTP/1.1 200 OK\r\nA: 1\r\nLong-Name:\t two words \r\n\r\nbody");
	struct iq_http_head response;
	size_t len = 0;

	for (size_t cut = 0; cut < bytes.len - 4; cut++)
		cr_assert_eq(parse(iq_view_make(bytes.data, cut), &response, &len), 0, "at %zu", cut);
	cr_assert_eq(parse(bytes, &response, &len), 1);
	cr_expect_eq(len, bytes.len - 4);
	cr_expect_eq(response.status, 200);
	cr_expect(iq_view_eq(response.reason, IQ_LIT("OK")));
	cr_expect_eq(response.header_count, 2);
	cr_expect(iq_view_eq(iq_http_header(&response, "LONG-name"), IQ_LIT("two words")));
	cr_expect_null(iq_http_header(&response, "B").data);
}

Test(http, refuses_what_is_not_a_response_head)
{
	static const char *const cases[] = {
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/2.0 101 x\r\n\r\n",
		"HTTP/1.1 1O1 x\r\n\r\n",
		"HTTP/1.1 -10 x\r\n\r\n",
		"HTTP/1.1 1011\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: 1\r\n fold\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_http_head response;
		size_t len;

		cr_expect_eq(parse(iq_view_cstr(cases[i]), &response, &len), IQ_ERR_FORMAT, "%s", cases[i]);
	}
}

/* A head of exactly `size` bytes. */
static void make_head(struct iq_buf *buf, size_t size)
{
	iq_buf_clear(buf);
	cr_assert_eq(iq_buf_append_cstr(buf, "HTTP/1.1 200 OK\r\nA: "), 0);
	while (buf->len < size - 4)
		cr_assert_eq(iq_buf_append_char(buf, 'x'), 0);
	cr_assert_eq(iq_buf_append_cstr(buf, "\r\n\r\n"), 0);
}

Test(http, holds_the_head_limit_to_the_byte_however_the_head_arrives)
{
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_http_head response;
	size_t len;

	make_head(&buf, IQ_HTTP_MAX_HEAD);
	cr_expect_eq(parse(iq_view_make(buf.data, buf.len - 1), &response, &len), 0);
	cr_expect_eq(parse(iq_buf_view(&buf), &response, &len), 1);
	for (size_t more = 1; more <= 4; more++) {
		make_head(&buf, IQ_HTTP_MAX_HEAD + more);
		cr_expect_eq(parse(iq_buf_view(&buf), &response, &len), IQ_ERR_LIMIT, "%zu more, whole", more);
		cr_expect_eq(parse(iq_view_make(buf.data, IQ_HTTP_MAX_HEAD), &response, &len), IQ_ERR_LIMIT, "%zu more",
			     more);
	}
	iq_buf_release(&buf);
}

Test(http, holds_the_limit_of_headers)
{
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_http_head response;
	size_t len;

	for (int extra = 0; extra <= 1; extra++) {
		iq_buf_clear(&buf);
		(void)iq_buf_append_cstr(&buf, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < IQ_HTTP_MAX_HEADERS + extra; i++)
			(void)iq_buf_append_cstr(&buf, "A: 1\r\n");
		(void)iq_buf_append_cstr(&buf, "\r\n");
		cr_expect_eq(parse(iq_buf_view(&buf), &response, &len), extra ? IQ_ERR_LIMIT : 1);
	}
	iq_buf_release(&buf);
}

Test(handshake, answers_the_key_of_the_rfc)
{
	char accept[IQ_WS_ACCEPT_SIZE];

	iq_ws_accept(KEY, accept);
	cr_expect_str_eq(accept, ACCEPT);
}

Test(handshake, makes_a_new_key_each_time)
{
	char first[IQ_WS_KEY_SIZE], second[IQ_WS_KEY_SIZE];

	cr_assert(iq_ws_make_key(first) && iq_ws_make_key(second));
	cr_expect_eq(strlen(first), IQ_WS_KEY_SIZE - 1);
	cr_expect_str_neq(first, second);
}

Test(handshake, asks_for_the_path_of_the_target_before_the_recorded_one)
{
	static const struct {
		const char *url, *recorded, *line, *host;
	} cases[] = {
		{ "ws://chat:8000/ws?x=1", "/old", "GET /ws?x=1 HTTP/1.1\r\n", "Host: chat:8000\r\n" },
		{ "ws://chat", "/old", "GET /old HTTP/1.1\r\n", "Host: chat\r\n" },
		{ "ws://chat", NULL, "GET / HTTP/1.1\r\n", "Host: chat\r\n" },
		{ "ws://[::1]:9?x", NULL, "GET /?x HTTP/1.1\r\n", "Host: [::1]:9\r\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_buf buf = IQ_BUF_INIT;
		struct iq_url url;

		cr_assert_eq(iq_url_parse_server(iq_view_cstr(cases[i].url), &url, NULL), 0);
		cr_assert_eq(iq_ws_append_request(&buf, &url, iq_view_cstr(cases[i].recorded), KEY, IQ_LIT("chat.v1"),
						  IQ_VIEW_NULL, NULL),
			     0);
		cr_expect(iq_view_starts_with(iq_buf_view(&buf), iq_view_cstr(cases[i].line)), "%s", buf.data);
		cr_expect(strstr(buf.data, cases[i].host), "%s", buf.data);
		cr_expect(strstr(buf.data, "\r\nSec-WebSocket-Key: " KEY "\r\n"));
		cr_expect(strstr(buf.data, "\r\nSec-WebSocket-Protocol: chat.v1\r\n"));
		cr_expect(iq_view_ends_with(iq_buf_view(&buf), IQ_LIT("\r\n\r\n")));
		iq_buf_release(&buf);
	}
}

Test(handshake, does_not_let_evidence_write_headers)
{
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_url url;

	cr_assert_eq(iq_url_parse_server(IQ_LIT("ws://chat"), &url, NULL), 0);
	cr_expect_eq(
		iq_ws_append_request(&buf, &url, IQ_LIT("/ HTTP/1.1\r\nX: y"), KEY, IQ_VIEW_NULL, IQ_VIEW_NULL, NULL),
		IQ_ERR_USAGE);
	cr_expect_eq(iq_ws_append_request(&buf, &url, IQ_LIT("/\0"), KEY, IQ_VIEW_NULL, IQ_VIEW_NULL, NULL),
		     IQ_ERR_USAGE);
	cr_expect_eq(iq_ws_append_request(&buf, &url, IQ_LIT("/"), KEY, IQ_LIT("a\r\nX: y"), IQ_VIEW_NULL, NULL),
		     IQ_ERR_USAGE);
	cr_expect_eq(buf.len, 0);
	iq_buf_release(&buf);
}

Test(handshake, accepts_a_right_answer)
{
	struct iq_error error = IQ_ERROR_INIT;

	cr_expect_eq(check(UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", NULL, &error), 0, "%s", error.message);
	cr_expect_eq(check(UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "chat", &error), 0, "%s", error.message);
	cr_expect_eq(check(UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "chat",
			   &error),
		     0, "%s", error.message);
}

Test(handshake, says_what_is_wrong_with_a_wrong_answer)
{
	static const struct {
		const char *head, *said;
	} cases[] = {
		{ "HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "handshake" },
		{ "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", "handshake" },
		{ UPGRADE "\r\n", "handshake" },
		{ UPGRADE "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "handshake" },
		{ UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: soap\r\n\r\n", "soap" },
		{ UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Extensions: x\r\n\r\n", "extension" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_error error = IQ_ERROR_INIT;

		cr_expect_eq(check(cases[i].head, "chat", &error), IQ_ERR_NETWORK, "%s", cases[i].head);
		cr_expect(strstr(error.message, cases[i].said), "%s", error.message);
	}
}
