#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "frames.h"

static const char *const kinds[] = { "request", "response", "event",   "events end", "unanswered",
				     "open",	"refused",  "message", "opaque" };

/* `exchange kind: body` and what else there is. */
static int tell(void *context, const struct iq_talk *talk)
{
	struct iq_buf *told = context;

	(void)iq_buf_appendf(told, "%llu %s", (unsigned long long)talk->exchange, kinds[talk->kind]);
	if (talk->kind == IQ_TALK_REQUEST)
		(void)iq_buf_appendf(told, " %.*s", IQ_VIEW_ARG(talk->request->target));
	else if (talk->response)
		(void)iq_buf_appendf(told, " %d", talk->response->status);
	if (talk->kind == IQ_TALK_OPAQUE)
		(void)iq_buf_appendf(told, " %llu", (unsigned long long)talk->body_len);
	if (talk->body.len > 0)
		(void)iq_buf_appendf(told, ": %.*s", IQ_VIEW_ARG(talk->body));
	if (!talk->is_whole && talk->kind != IQ_TALK_OPAQUE)
		(void)iq_buf_append_cstr(told, " (partial)");
	if (talk->problem)
		(void)iq_buf_appendf(told, " (%s)", talk->problem);
	(void)iq_buf_append_char(told, '\n');
	return 0;
}

struct line {
	enum iq_side side;
	struct iq_view
		bytes; /* NULL: the side ends, so many bytes of it are missing, or something begins behind them */
};
#define BEGINS SIZE_MAX

#define CLIENT(text) \
	{ \
		IQ_SIDE_CLIENT, IQ_LIT(text) \
	}
#define SERVER(text) \
	{ \
		IQ_SIDE_SERVER, IQ_LIT(text) \
	}
#define MISSING(side, count) \
	{ \
		side, \
		{ \
			NULL, count \
		} \
	}
#define END(side) \
	{ \
		side, \
		{ \
			NULL, 0 \
		} \
	}

static void feed(struct iq_conversation *conversation, const struct line *line, size_t step)
{
	struct iq_view rest = line->bytes;

	if (!rest.data && rest.len == BEGINS)
		cr_assert_eq(iq_conversation_resume(conversation, line->side, 0), 0);
	else if (!rest.data && rest.len > 0)
		cr_assert_eq(iq_conversation_miss(conversation, line->side, rest.len, 0), 0);
	else if (!rest.data)
		cr_assert_eq(iq_conversation_end(conversation, line->side, 0), 0);
	while (rest.data && rest.len > 0) {
		const size_t size = step ? step : 1 + (size_t)rand() % 9;
		const struct iq_view piece = iq_view_make(rest.data, size < rest.len ? size : rest.len);

		cr_assert_eq(iq_conversation_feed(conversation, line->side, piece, 0), 0);
		rest = iq_view_from(rest, piece.len);
	}
}

static void expect_lines(const struct line *lines, size_t count, const char *expected)
{
	const size_t steps[] = { SIZE_MAX, 1, 0, 0 };
	const unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct iq_buf told = IQ_BUF_INIT;
		const struct iq_conversation_options options = { .take = tell, .context = &told };
		struct iq_conversation *conversation = iq_conversation_new(&options);

		(void)iq_buf_append_cstr(&told, "");
		for (size_t at = 0; at < count; at++)
			feed(conversation, &lines[at], steps[i]);
		cr_expect_str_eq(told.data, expected, "pieces of %zu, seed %u:\n%s\ninstead of\n%s", steps[i], seed,
				 told.data, expected);
		iq_conversation_free(conversation);
		iq_buf_release(&told);
	}
}

#define EXPECT(lines, expected) expect_lines(lines, sizeof(lines) / sizeof((lines)[0]), expected)

#define UPGRADE \
	"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPTED \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

Test(conversation, requests_and_responses)
{
	const struct line lines[] = {
		CLIENT("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
		SERVER("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nyo\r\n0\r\n\r\n"),
		SERVER("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"),
		END(IQ_SIDE_CLIENT),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines, "1 request /login: hi\n2 request /b\n1 response 200: yo\n2 response 404: none\n");
}

Test(conversation, a_response_may_end_with_the_connection)
{
	const struct line lines[] = {
		CLIENT("GET / HTTP/1.0\r\n\r\n"),
		SERVER("HTTP/1.0 200 OK\r\n\r\nall of it"),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines, "1 request /\n1 response 200: all of it\n");
}

Test(conversation, a_body_that_is_cut_off_is_partial_and_requests_stay_unanswered)
{
	const struct line lines[] = {
		CLIENT("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 5\r\n\r\nab"),
		SERVER("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin"),
		END(IQ_SIDE_CLIENT),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines,
	       "1 request /a\n2 request /b\n3 request /c: ab (partial)\n1 response 200: begin (partial)\n2 unanswered\n"
	       "3 unanswered\n");
}

Test(conversation, an_upgrade_makes_frames_of_both_sides)
{
	const struct line lines[] = {
		CLIENT(UPGRADE "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"),
		SERVER(ACCEPTED "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"
				"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
		CLIENT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
		SERVER("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x01\x02no"),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines,
	       "1 request /chat\n1 open 101\n0 message: Hello\n0 message: Hello\n0 message: Hello\n0 message: no (partial)\n");
}

Test(conversation, an_upgrade_that_is_refused_is_followed_by_requests)
{
	const struct line lines[] = {
		CLIENT(UPGRADE "\r\n"),
		SERVER("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"),
		CLIENT("GET / HTTP/1.1\r\n\r\n"),
		SERVER("HTTP/1.1 204 No Content\r\n\r\n"),
	};

	EXPECT(lines, "1 request /chat\n1 refused 404: none\n2 request /\n2 response 204\n");
}

Test(conversation, an_accept_of_another_key_is_told)
{
	const struct line lines[] = {
		CLIENT(UPGRADE "\r\n"),
		SERVER("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
	};

	EXPECT(lines, "1 request /chat\n1 open 101 (the server's Sec-WebSocket-Accept is not that of the key)\n");
}

Test(conversation, server_sent_events_are_told_as_they_come)
{
	const struct line lines[] = {
		CLIENT("GET /stream HTTP/1.1\r\n\r\n"),
		SERVER("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n"),
		SERVER("1\r\n\n\r\na\r\ndata: two\n\r\n1\r\n\n\r\n0\r\n\r\n"),
	};

	EXPECT(lines, "1 request /stream\n1 response 200\n1 event 200: 1\n1 event 200: two\n1 events end 200\n");
}

Test(conversation, what_is_no_http_is_opaque)
{
	const struct line lines[] = {
		CLIENT("\x16\x03\x01\x02 garbage\r\n\r\n"),
		SERVER("SSH-2.0-x\r\n\r\n"),
		END(IQ_SIDE_CLIENT),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines,
	       "0 opaque 16 (the client does not speak HTTP/1.1)\n0 opaque 13 (the server does not speak HTTP/1.1)\n");
}

Test(conversation, a_request_that_can_be_read_in_two_ways_is_opaque)
{
	const struct line lines[] = {
		CLIENT("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"),
		END(IQ_SIDE_CLIENT),
	};

	EXPECT(lines, "0 opaque 69 (a message whose length can be read in more than one way)\n");
}

Test(conversation, goes_on_where_something_begins_behind_what_is_missing)
{
	const struct line lines[] = {
		CLIENT("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
		SERVER("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"),
		MISSING(IQ_SIDE_SERVER, 50),
		SERVER("more"),
		CLIENT(UPGRADE "\r\n"),
		MISSING(IQ_SIDE_SERVER, BEGINS),
		SERVER(ACCEPTED
		       "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x05he"),
		MISSING(IQ_SIDE_SERVER, 3),
		SERVER("??"),
		MISSING(IQ_SIDE_SERVER, BEGINS),
		/* Refers to what was said before; says itself what it is. */
		SERVER("\xc1\x05\xf2\x00\x11\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
		MISSING(IQ_SIDE_SERVER, 1),
		END(IQ_SIDE_SERVER),
	};

	EXPECT(lines, "1 request /a\n"
		      "1 response 200: some (partial)\n"
		      "2 request /chat\n"
		      "0 opaque 4 (bytes before it were not heard)\n"
		      "2 open 101\n"
		      "0 message: Hello\n"
		      "0 message: he (partial)\n"
		      "0 opaque 2 (bytes before it were not heard)\n"
		      "0 message\n"
		      "0 message: Hello\n");
}

/* Frames of both sides at random, after an upgrade: however they are cut, the same. */
Test(conversation, cuts_change_nothing)
{
	const unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 10; round++) {
		struct iq_buf client = IQ_BUF_INIT, server = IQ_BUF_INIT,
			      told[3] = { IQ_BUF_INIT, IQ_BUF_INIT, IQ_BUF_INIT };

		frames_append_random(&client, false, true, 20);
		frames_append_random(&server, true, true, 20);
		for (size_t i = 0; i < 3; i++) {
			const struct line lines[] = {
				CLIENT(UPGRADE "\r\n"),
				SERVER(ACCEPTED "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
				{ IQ_SIDE_CLIENT, iq_buf_view(&client) },
				{ IQ_SIDE_SERVER, iq_buf_view(&server) },
				END(IQ_SIDE_SERVER),
			};
			const struct iq_conversation_options options = { .take = tell, .context = &told[i] };
			struct iq_conversation *conversation = iq_conversation_new(&options);

			for (size_t at = 0; at < 5; at++)
				feed(conversation, &lines[at], i == 0 ? SIZE_MAX : i == 1 ? 1 : 0);
			iq_conversation_free(conversation);
		}
		cr_expect(iq_view_eq(iq_buf_view(&told[0]), iq_buf_view(&told[1])), "seed %u, round %u", seed, round);
		cr_expect(iq_view_eq(iq_buf_view(&told[0]), iq_buf_view(&told[2])), "seed %u, round %u", seed, round);
		for (size_t i = 0; i < 3; i++)
			iq_buf_release(&told[i]);
		iq_buf_release(&client);
		iq_buf_release(&server);
	}
}
