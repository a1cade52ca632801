#include <criterion/criterion.h>
#include <stdio.h>

#include "collect.h"
#include "ingest/engine_io.h"

#define HEAD "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"t\",\"entries\":[{}]},\"pages\":[],\"entries\":["
#define TAIL "]}}\n"
#define REQUEST \
	"\"request\":{\"method\":\"GET\",\"url\":\"ws://h:1/" \
	"chat?t=1\",\"headers\":[{\"name\":\"Origin\",\"value\":\"http:\\/\\/o\"}]}"
#define RESPONSE \
	"\"response\":{\"status\":101,\"headers\":[{\"name\":\"Sec-WebSocket-Protocol\",\"value\":\"chat.v1\"}]}"
#define STARTED "\"startedDateTime\":\"2026-11-23T04:07:12.418+01:00\""
#define SENT \
	"{\"type\":\"send\",\"time\":1795403232.5,\"opcode\":1,\"data\":\"{\\\"type\\\":\\\"ask\\\",\\\"id\\\":1}\"}"
#define RECEIVED "{\"type\":\"receive\",\"time\":1795403233000,\"opcode\":2,\"data\":\"/wA=\"}"
/* Members in Chrome's order: messages come before what they belong to. */
#define SOCKET \
	"{\"_resourceType\":\"websocket\",\"_webSocketMessages\":[" SENT ", " RECEIVED "]," REQUEST "," RESPONSE \
	"," STARTED "}"

#define OPEN_FIELDS \
	"ws.open ts=2026-11-23T03:07:12.418000000Z source=\"file\" session=\"ws1 h:1/chat 03:07:12.418\" " \
	"type=\"ws.open\" seq=0 attrs=\"{\\\"url\\\":\\\"ws://h:1/chat?t=1\\\",\\\"status\\\":101," \
	"\\\"subprotocol\\\":\\\"chat.v1\\\",\\\"headers\\\":{\\\"Origin\\\":\\\"http:\\\\/\\\\/o\\\"}}\"\n"
#define SENT_FIELDS \
	"ws.message ts=2026-11-23T03:07:12.500000000Z source=\"file\" session=\"ws1 h:1/chat 03:07:12.418\" " \
	"direction=\"client\" type=\"ask\" key=\"1\" seq=1 body=\"{\\\"type\\\":\\\"ask\\\",\\\"id\\\":1}\"\n"
#define RECEIVED_FIELDS \
	"ws.message ts=2026-11-23T03:07:13.000000000Z source=\"file\" session=\"ws1 h:1/chat 03:07:12.418\" " \
	"direction=\"server\" seq=2 binary=\"\xef\xbf\xbd\\u0000\" attrs=\"{\\\"opcode\\\":2}\"\n"

/* Compares what comes out with `lines`, in which the ranges are left out: `event ws.open ...`. */
static void expect(struct iq_view text, const char *lines, const char *problems)
{
	struct collected collected = collect("har", text, FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);
	struct iq_buf plain = IQ_BUF_INIT;
	const char *line = collected.lines.data ? collected.lines.data : "";

	while (*line) {
		const char *space = strchr(line, ' ');
		const char *after = strchr(space + 1, ' ');
		const char *end = strchr(after, '\n') + 1;

		(void)iq_buf_append(&plain, iq_view_make(line, (size_t)(space - line)));
		(void)iq_buf_append(&plain, iq_view_make(after, (size_t)(end - after)));
		line = end;
	}
	cr_expect_str_eq(plain.data ? plain.data : "", lines);
	cr_expect_str_eq(collected.problems.data ? collected.problems.data : "", problems);
	iq_buf_release(&plain);
	collected_release(&collected);
	check_all_feedings("har", text, IQ_INGEST_MAX_LINE);
}

Test(har, takes_open_and_messages_in_seconds_and_milliseconds)
{
	expect(IQ_LIT(HEAD SOCKET TAIL), "event " OPEN_FIELDS "event " SENT_FIELDS "event " RECEIVED_FIELDS, "");
}

Test(har, gives_each_message_its_own_bytes)
{
	struct iq_view text = IQ_LIT(HEAD SOCKET TAIL);
	struct collected collected = collect("har", text, FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);
	size_t offset = iq_view_find(text, IQ_LIT(SENT));
	char range[64];

	(void)snprintf(range, sizeof(range), "event %zu+%zu ws.message", offset, sizeof(SENT) - 1);
	cr_expect_neq(iq_view_find(iq_buf_view(&collected.lines), iq_view_cstr(range)), SIZE_MAX, "%s", range);
	collected_release(&collected);
}

#define ENTRY(response, more) \
	"{" STARTED ",\"time\":12.5" more \
	",\"request\":{\"method\":\"POST\",\"url\":\"http://h/login\",\"httpVersion\":\"HTTP/1.1\"," \
	"\"headers\":[{\"name\":\"Cookie\",\"value\":\"sid=1\"}],\"postData\":{\"mimeType\":\"text/plain\",\"text\":\"a\\u0062\"}}," \
	"\"response\":" response "}"
#define REQUEST_FIELDS \
	"event http.request ts=2026-11-23T03:07:12.418000000Z source=\"file\" direction=\"client\" type=\"http.request\" " \
	"key=\"http1 h/login 03:07:12.418\" body=\"ab\" attrs=\"{\\\"url\\\":\\\"http://h/login\\\",\\\"method\\\":\\\"POST\\\"," \
	"\\\"version\\\":\\\"HTTP/1.1\\\",\\\"headers\\\":{\\\"Cookie\\\":\\\"sid=1\\\"}}\"\n"
#define NO_SOCKETS "no WebSocket messages: export the HAR with the network panel open before the page connects\n"

Test(har, takes_http_entries_as_a_request_and_a_response)
{
	expect(IQ_LIT(HEAD ENTRY(
		       "{\"status\":503,\"headers\":[{\"name\":\"Set-Cookie\",\"value\":\"a=1\"},{\"name\":\"set-cookie\","
		       "\"value\":\"b=2\"},{\"name\":\"set-cookie\",\"value\":\"c=3\"},{\"name\":\"Via\",\"value\":\"x\"}],"
		       "\"content\":{\"size\":2,\"text\":\"b2s=\",\"encoding\":\"base64\"}}",
		       ",\"timings\":{\"wait\":12}") TAIL),
	       REQUEST_FIELDS
	       "event http.response ts=2026-11-23T03:07:12.430500000Z source=\"file\" direction=\"server\" "
	       "type=\"http.response\" key=\"http1 h/login 03:07:12.418\" severity=\"error\" body=\"ok\" "
	       "attrs=\"{\\\"url\\\":\\\"http://h/login\\\",\\\"method\\\":\\\"POST\\\",\\\"status\\\":503,\\\"timings\\\":{\\\"wait\\\":12},"
	       "\\\"bytes\\\":2,\\\"headers\\\":{\\\"Set-Cookie\\\":[\\\"a=1\\\",\\\"b=2\\\",\\\"c=3\\\"],\\\"Via\\\":\\\"x\\\"}}\"\n",
	       NO_SOCKETS);
}

/* Chrome and mitmproxy write status 0, Playwright -1. */
Test(har, takes_an_exchange_without_a_response_as_failed)
{
	const char *lines = REQUEST_FIELDS
		"event net.error ts=2026-11-23T03:07:12.430500000Z source=\"file\" type=\"failed\" key=\"http1 h/login "
		"03:07:12.418\" attrs=\"{\\\"url\\\":\\\"http://h/login\\\",\\\"method\\\":\\\"POST\\\",\\\"error\\\":"
		"\\\"net::ERR_CONNECTION_REFUSED\\\"}\"\n";

	expect(IQ_LIT(HEAD ENTRY("{\"status\":0,\"_error\":\"net::ERR_CONNECTION_REFUSED\"}", "") TAIL), lines,
	       NO_SOCKETS);
	expect(IQ_LIT(HEAD ENTRY("{\"status\":-1,\"_failureText\":\"net::ERR_CONNECTION_REFUSED\"}", "") TAIL), lines,
	       NO_SOCKETS);
}

/* A proxy writes the URL that was asked for. */
Test(har, knows_an_upgrade_by_its_headers)
{
	expect(IQ_LIT(HEAD
		      "{\"request\":{\"url\":\"http://h/p\",\"headers\":[{\"name\":\"Upgrade\",\"value\":\"WebSocket\"}]},"
		      "\"response\":{\"status\":403,\"content\":{\"text\":\"no\"}}}" TAIL),
	       "event net.error source=\"file\" session=\"ws1 h/p\" type=\"refused\" seq=0 body=\"no\" "
	       "attrs=\"{\\\"url\\\":\\\"http://h/p\\\",\\\"status\\\":403,\\\"headers\\\":{\\\"Upgrade\\\":\\\"WebSocket\\\"}}\"\n",
	       "");
}

Test(har, takes_a_failure_after_the_handshake_as_a_cut)
{
	expect(IQ_LIT(HEAD
		      "{\"_webSocketMessages\":[{\"data\":\"a\"}],\"response\":{\"status\":101,\"_failureText\":\"Invalid frame "
		      "header\"}}" TAIL),
	       "event ws.open source=\"file\" session=\"ws1\" type=\"ws.open\" seq=0 attrs=\"{\\\"status\\\":101}\"\n"
	       "event ws.message source=\"file\" session=\"ws1\" seq=1 body=\"a\"\n"
	       "event net.error source=\"file\" session=\"ws1\" type=\"cut\" attrs=\"{\\\"error\\\":\\\"Invalid frame header\\\"}\"\n",
	       "");
}

/* Its messages lie beside the HAR. */
Test(har, names_a_session_after_the_file_that_holds_it)
{
	expect(IQ_LIT(HEAD "{\"_resourceType\":\"websocket\",\"response\":{\"status\":101,\"content\":{\"_file\":"
			   "\"016e0e1d65925c83c960f409cc82c848.jsonl\"}}}" TAIL),
	       "event ws.open source=\"logs\" session=\"ws 016e0e1d6592\" type=\"ws.open\" seq=0 "
	       "attrs=\"{\\\"status\\\":101,\\\"file\\\":\\\"016e0e1d65925c83c960f409cc82c848.jsonl\\\"}\"\n",
	       "");
}

Test(har, reads_a_close_frame)
{
	expect(IQ_LIT(HEAD "{\"_webSocketMessages\":[{\"type\":\"receive\",\"opcode\":8,\"data\":\"A+hieWU=\"}],"
			   "\"response\":{\"status\":101}}" TAIL),
	       "event ws.open source=\"file\" session=\"ws1\" type=\"ws.open\" seq=0 attrs=\"{\\\"status\\\":101}\"\n"
	       "event ws.close source=\"file\" session=\"ws1\" direction=\"server\" type=\"ws.close\" seq=1 "
	       "binary=\"\\u0003\xef\xbf\xbd"
	       "bye\" attrs=\"{\\\"opcode\\\":8,\\\"code\\\":1000,\\\"reason\\\":\\\"bye\\\"}\"\n",
	       "");
}

Test(har, takes_another_status_as_refused)
{
	expect(IQ_LIT(HEAD "{\"_resourceType\":\"websocket\",\"request\":{\"url\":\"ws://h/"
			   "p\"},\"response\":{\"status\":404}}" TAIL),
	       "event net.error source=\"file\" session=\"ws1 h/p\" type=\"refused\" seq=0 "
	       "attrs=\"{\\\"url\\\":\\\"ws://h/p\\\",\\\"status\\\":404}\"\n",
	       "");
}

Test(har, takes_opcode_minus_one_as_a_cut_and_time_minus_one_as_unknown)
{
	expect(IQ_LIT(HEAD "{\"_webSocketMessages\":[{\"type\":\"receive\",\"time\":-1,\"opcode\":-1,\"data\":\"bad "
			   "frame\"}],"
			   "\"response\":{\"status\":101}}" TAIL),
	       "event ws.open source=\"file\" session=\"ws1\" type=\"ws.open\" seq=0 attrs=\"{\\\"status\\\":101}\"\n"
	       "event net.error source=\"file\" session=\"ws1\" direction=\"server\" type=\"cut\" seq=1 "
	       "attrs=\"{\\\"error\\\":\\\"bad frame\\\"}\"\n",
	       "");
}

Test(har, gives_no_open_where_no_handshake_was_recorded)
{
	expect(IQ_LIT(HEAD "{\"_webSocketMessages\":[{\"data\":\"a\"},{\"data\":\"b\"}]}" TAIL),
	       "event ws.message source=\"file\" session=\"ws1\" seq=1 body=\"a\"\n"
	       "event ws.message source=\"file\" session=\"ws1\" seq=2 body=\"b\"\n",
	       "");
}

Test(har, says_which_messages_are_missing)
{
	expect(IQ_LIT(HEAD "{\"_resourceType\":\"websocket\",\"response\":{\"status\":101}}" TAIL),
	       "event ws.open source=\"file\" session=\"ws1\" type=\"ws.open\" seq=0 attrs=\"{\\\"status\\\":101}\"\n"
	       "gap source=\"file\" session=\"ws1\" reason=\"the HAR holds no messages of this WebSocket\"\n",
	       "byte 84: a WebSocket without _webSocketMessages; export the HAR with a tool that writes them (Chrome, "
	       "Playwright, mitmproxy)\n");
}

Test(har, says_that_there_are_no_websockets)
{
	const char *problem =
		"no WebSocket messages: export the HAR with the network panel open before the page connects\n";

	expect(IQ_LIT(HEAD TAIL), "gap source=\"file\" reason=\"a HAR without entries\" count=0\n", problem);
	expect(IQ_LIT(HEAD "{}" TAIL),
	       "event http.response source=\"file\" direction=\"server\" type=\"http.response\" key=\"http1\"\n",
	       problem);
}

Test(har, keeps_what_was_complete_before_a_truncation)
{
	expect(IQ_LIT(HEAD "{" REQUEST "," RESPONSE "," STARTED ",\"_webSocketMessages\":[" SENT ",{\"type\":\"rec"),
	       "event " OPEN_FIELDS "event " SENT_FIELDS
	       "gap source=\"file\" session=\"ws1 h:1/chat 03:07:12.418\" reason=\"truncated at byte 447; what was "
	       "whole before it is taken in\"\n",
	       "truncated at byte 447; what was whole before it is taken in\n");
}

Test(har, keeps_complete_entries_before_a_truncation)
{
	expect(IQ_LIT(HEAD SOCKET ",{\"_webSo"),
	       "event " OPEN_FIELDS "event " SENT_FIELDS "event " RECEIVED_FIELDS
	       "gap source=\"file\" reason=\"truncated at byte 539; what was whole before it is taken in\"\n",
	       "truncated at byte 539; what was whole before it is taken in\n");
	expect(IQ_LIT(HEAD SOCKET),
	       "event " OPEN_FIELDS "event " SENT_FIELDS "event " RECEIVED_FIELDS
	       "gap source=\"file\" reason=\"truncated at byte 530; what was whole before it is taken in\"\n",
	       "truncated at byte 530; what was whole before it is taken in\n");
}

Test(har, leaves_out_an_entry_that_is_not_json)
{
	expect(IQ_LIT(HEAD "{\"a\":nope}," SOCKET TAIL),
	       "gap source=\"file\" reason=\"byte 89: not JSON; this entry is left out\"\n"
	       "event " OPEN_FIELDS "event " SENT_FIELDS "event " RECEIVED_FIELDS,
	       "byte 89: not JSON; this entry is left out\n");
}

Test(har, says_what_is_not_part_of_it)
{
	expect(IQ_LIT(HEAD SOCKET TAIL "{\"log\":{}}"),
	       "event " OPEN_FIELDS "event " SENT_FIELDS "event " RECEIVED_FIELDS
	       "gap source=\"file\" reason=\"byte 534: not part of the HAR\"\n",
	       "byte 534: not part of the HAR\n");
	expect(IQ_LIT("hello"), "gap source=\"file\" reason=\"not JSON, so not a HAR\"\n", "not JSON, so not a HAR\n");
}

/* A HAR cut anywhere is accounted for, and never gives less than a shorter one. */
Test(har, survives_truncation_at_every_byte)
{
	struct iq_view text = IQ_LIT(HEAD SOCKET "," SOCKET TAIL);
	size_t events = 0;

	for (size_t len = 1; len <= text.len; len++) {
		struct collected collected =
			collect("har", iq_view_make(text.data, len), FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);

		cr_expect_eq(first_uncovered(&collected), len);
		cr_expect_geq(collected.events, events, "cut at %zu", len);
		events = collected.events;
		collected_release(&collected);
	}
	cr_expect_eq(events, 6);
}

Test(har, cuts_a_long_message)
{
	struct iq_view text = IQ_LIT(HEAD "{\"_webSocketMessages\":[{\"data\":\"0123456789\"}]}" TAIL);
	struct collected collected = collect("har", text, FEED_WHOLE, 0, 8);

	cr_expect_neq(iq_view_find(iq_buf_view(&collected.lines),
				   IQ_LIT("body=\"01234567\" attrs=\"{\\\"body_bytes\\\":10}\"")),
		      SIZE_MAX);
	cr_expect_str_eq(collected.problems.data, "byte 0: body cut at 8 of 10 bytes; the store keeps it whole\n");
	collected_release(&collected);
}

/* ---- Engine.IO by polling ---- */

struct payload {
	const char *body;
	size_t bytes; /* 0: as many as it has before a NUL */
	unsigned revision;
	const char *packets; /* with | between them, ! before bytes, % before base64; NULL: it is none */
};

Test(engine_io, divides_a_payload_into_packets)
{
	static const struct payload payloads[] = {
		{ "0{\"sid\":\"x\"}\x1e"
		  "40\x1e"
		  "bAP8=",
		  0, 4, "0{\"sid\":\"x\"}|40|%AP8=" },
		{ "2", 0, 4, "2" },
		{ "ok", 0, 4, NULL },
		{ "", 0, 4, NULL },
		{ "40\x1e\x1e"
		  "40",
		  0, 4, NULL },
		{ "2:40"
		  "7:42[\"\xf0\x9d\x84\x9e\""
		  "6:b4AP8=",
		  0, 3, "40|42[\"\xf0\x9d\x84\x9e\"|%AP8=" },
		{ "3:40", 0, 3, NULL },
		{ "ok", 0, 3, NULL },
		{ "1:\xf0\x9d\x84\x9e", 0, 3, NULL },
		{ "\0\2\xff"
		  "40"
		  "\1\3\xff"
		  "\4\0\1",
		  11, 3, "40|!\4" },
		{ "\0\1\0\xff"
		  "40",
		  6, 3, NULL },
	};

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct iq_view body = iq_view_make(payloads[i].body,
						   payloads[i].bytes ? payloads[i].bytes : strlen(payloads[i].body));
		struct iq_engine_packet packet;
		struct iq_buf got = IQ_BUF_INIT;

		cr_expect_eq(iq_engine_io_is_payload(body, payloads[i].revision), payloads[i].packets != NULL, "%zu",
			     i);
		while (payloads[i].packets && iq_engine_io_next(&body, payloads[i].revision, &packet) > 0) {
			(void)iq_buf_append_cstr(&got, got.len > 0 ? "|" : "");
			(void)iq_buf_append_cstr(&got, packet.is_base64 ? "%" : packet.is_binary ? "!" : "");
			(void)iq_buf_append(&got, packet.text);
		}
		if (payloads[i].packets)
			cr_expect_str_eq(got.data, payloads[i].packets, "%zu", i);
		iq_buf_release(&got);
	}
}

Test(engine_io, reads_a_url)
{
	struct iq_engine_io engine = iq_engine_io_of(IQ_LIT("http://h/socket.io/?transport=polling&EIO=3&sid=a-_b#x"));

	cr_expect_eq(engine.revision, 3);
	cr_expect(engine.is_polling && iq_view_eq(engine.sid, IQ_LIT("a-_b")));
	engine = iq_engine_io_of(IQ_LIT("ws://h/socket.io/?EIO=4&transport=websocket"));
	cr_expect(engine.revision == 4 && !engine.is_polling && !engine.sid.data);
	cr_expect_eq(iq_engine_io_of(IQ_LIT("http://h/?EIO=9&transport=polling")).revision, 0);
	cr_expect_eq(iq_engine_io_of(IQ_LIT("http://h/EIO=4")).revision, 0);
}
