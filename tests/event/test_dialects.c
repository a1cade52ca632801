/* Conversations in each dialect: what each message is called, and which id it carries. */
#include <criterion/criterion.h>

#include "event/event.h"

/* One message of a conversation and what is to be found in it; several messages of a frame are divided by | there. */
struct line {
	char side; /* 'c', 's'; 'o': the body is the URL of the handshake, 'p': its subprotocol */
	const char *body;
	const char *said; /* `type key`, - for none */
};

static int write_said(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_buf *said = context;

	(void)error;
	if (said->len > 0)
		(void)iq_buf_append_cstr(said, " | ");
	(void)iq_buf_append(said, event->type.data ? event->type : IQ_LIT("-"));
	(void)iq_buf_append_cstr(said, " ");
	return iq_buf_append(said, event->key.data ? event->key : IQ_LIT("-"));
}

static struct iq_event event_of(const struct line *line, struct iq_buf *attrs, uint64_t offset)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.session = IQ_LIT("c1");
	event.offset = offset;
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = line->side == 's' ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT;
	event.body = iq_view_cstr(line->body);
	event.body_is_binary = !iq_utf8_valid(event.body);
	if (line->side == 's' || line->side == 'c')
		return event;
	event.kind = IQ_KIND_WS_OPEN;
	(void)iq_buf_append_cstr(attrs, line->side == 'o' ? "{\"url\":" : "{\"subprotocol\":");
	(void)iq_json_append_string(attrs, event.body);
	(void)iq_buf_append_char(attrs, '}');
	event.attrs = iq_buf_view(attrs);
	event.body = IQ_VIEW_NULL;
	return event;
}

static void converse(struct iq_dialects *dialects, const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct iq_buf attrs = IQ_BUF_INIT, said = IQ_BUF_INIT;
		struct iq_event event = event_of(&lines[i], &attrs, 100 * i);
		const struct iq_sink sink = { .event = write_said, .context = &said };

		cr_assert_eq(iq_dialects_take(dialects, &event, &sink, NULL), 0);
		if (lines[i].said)
			cr_expect_str_eq(said.data, lines[i].said, "line %zu: %s gives %s", i, lines[i].body,
					 said.data);
		iq_buf_release(&attrs);
		iq_buf_release(&said);
	}
}

#define EXPECT(lines) expect(NULL, lines, sizeof(lines) / sizeof((lines)[0]))

static void expect(const char *dialect, const struct line *lines, size_t count)
{
	struct iq_dialects *dialects = iq_dialects_new(dialect);

	cr_assert_not_null(dialects);
	converse(dialects, lines, count);
	iq_dialects_free(dialects);
}

Test(dialects, socket_io)
{
	static const struct line lines[] = {
		{ 'o', "ws://h/socket.io/?EIO=4&transport=websocket", NULL },
		{ 's', "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000}", "engine.open -" },
		{ 'c', "40", "connect -" },
		{ 's', "40{\"sid\":\"y\"}", "connect -" },
		{ 'c', "42[\"ask\",{\"run_id\":\"r1\"}]", "ask r1" },
		{ 'c', "427[\"join\",\"room\"]", "join 7" },
		{ 's', "437[true]", "join.ack 7" },
		{ 's', "42/admin,[\"stats\",{\"id\":3}]", "stats 3" },
		{ 'c', "42/admin,12[\"kick\",\"bob\"]", "kick 12" },
		{ 'c', "4212[\"pick\"]", "pick 12" },
		{ 's', "43/admin,12[]", "kick.ack 12" },
		{ 's', "4312[]", "pick.ack 12" },
		{ 's', "451-[\"file\",{\"_placeholder\":true,\"num\":0}]", "file -" },
		{ 's', "\xff\x01\x02", "file.attachment -" },
		{ 's', "\xff\x01\x02", "- -" },
		{ 'c', "452-9[\"two\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]", "two 9" },
		{ 'c', "\x04\xff", "two.attachment 9" },
		{ 'c', "\x04\xfe", "two.attachment 9" },
		{ 's', "461-9[{\"_placeholder\":true,\"num\":0}]", "two.ack 9" },
		{ 's', "2", "engine.ping -" },
		{ 'c', "3", "engine.pong -" },
		{ 's',
		  "42[\"a\"]\x1e"
		  "42[\"b\"]\x1e"
		  "2",
		  "a - | b - | engine.ping -" },
		{ 'c', "4{\"type\":\"own\",\"id\":4}", "own 4" },
		{ 's', "44{\"message\":\"no\"}", "connect_error -" },
		{ 'c', "41", "disconnect -" },
		{ 'c', "1", "engine.close -" },
		{ 'c', "{\"type\":\"not Engine.IO\"}", "not Engine.IO -" },
	};
	EXPECT(lines);
}

Test(dialects, socket_io_without_a_handshake)
{
	static const struct line lines[] = {
		{ 's', "2", "- -" },
		{ 's', "401", "- -" },
		{ 's', "42[\"a\"]", "a -" },
		{ 's', "2", "engine.ping -" },
	};
	EXPECT(lines);
}

Test(dialects, graphql)
{
	static const struct line lines[] = {
		{ 'p', "graphql-transport-ws", NULL },
		{ 'c', "{\"type\":\"connection_init\",\"payload\":{\"id\":1}}", "connection_init -" },
		{ 's', "{\"type\":\"connection_ack\"}", "connection_ack -" },
		{ 'c', "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"query\":\"{a}\"}}", "subscribe 1" },
		{ 's', "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"data\":{}}}", "next 1" },
		{ 's', "{\"type\":\"complete\",\"id\":\"1\"}", "complete 1" },
		{ 's', "{\"type\":\"ping\"}", "ping -" },
	};
	EXPECT(lines);
}

Test(dialects, signalr)
{
	static const struct line lines[] = {
		{ 'c', "{\"protocol\":\"json\",\"version\":1}\x1e", "signalr.handshake -" },
		{ 's', "{}\x1e{\"type\":6}\x1e", "signalr.handshake.result - | signalr.ping -" },
		{ 'c', "{\"type\":1,\"target\":\"Send\",\"arguments\":[\"hi\"],\"invocationId\":\"0\"}\x1e", "Send 0" },
		{ 's', "{\"type\":3,\"invocationId\":\"0\",\"result\":1}\x1e", "Send.result 0" },
		{ 's', "{\"type\":1,\"target\":\"Typing\",\"arguments\":[{\"run_id\":\"r\"}]}\x1e", "Typing r" },
		{ 'c', "{\"type\":4,\"target\":\"Count\",\"invocationId\":\"1\",\"arguments\":[10]}\x1e", "Count 1" },
		{ 's',
		  "{\"type\":2,\"invocationId\":\"1\",\"item\":1}\x1e{\"type\":2,\"invocationId\":\"1\",\"item\":2}\x1e",
		  "Count.item 1 | Count.item 1" },
		{ 'c', "{\"type\":5,\"invocationId\":\"1\"}\x1e", "Count.cancel 1" },
		{ 's', "{\"type\":3,\"invocationId\":\"1\",\"error\":\"cancelled\"}\x1e", "Count.error 1" },
		{ 's', "{\"type\":3,\"invocationId\":\"77\"}\x1e", "result 77" },
		{ 's', "{\"type\":7}\x1e", "signalr.close -" },
		{ 's', "{\"type\":99}\x1e", "- -" },
	};
	EXPECT(lines);
}

/* The MessagePack protocol, each message behind its length. */
Test(dialects, signalr_in_messagepack)
{
	static const struct line lines[] = {
		{ 'c', "{\"protocol\":\"messagepack\",\"version\":1}\x1e", "signalr.handshake -" },
		{ 's', "{}\x1e", "signalr.handshake.result -" },
		{ 'c',
		  "\x0e\x95\x01\x80\xa1"
		  "5"
		  "\xa4"
		  "Send"
		  "\x91\xa2"
		  "hi",
		  "Send 5" },
		{ 's',
		  "\x07\x95\x03\x80\xa1"
		  "5"
		  "\x03\x2a",
		  "Send.result 5" },
		{ 's',
		  "\x08\x95\x03\x80\xa1"
		  "5"
		  "\x01\xa1"
		  "x",
		  "Send.error 5" },
		{ 's',
		  "\x15\x95\x01\x80\xc0\xa6"
		  "Typing"
		  "\x91\x81\xa6"
		  "run_id"
		  "\x07"
		  "\x02\x91\x06",
		  "Typing 7 | signalr.ping -" },
		{ 's',
		  "\x16\x95\x01\x80\xc0\xa6"
		  "Typing"
		  "\x91\x82\xa2"
		  "id"
		  "\x01\xa3"
		  "a",
		  "- -" },
		{ 'c', "\x02\x91\x63", "- -" },
	};
	EXPECT(lines);
}

Test(dialects, phoenix)
{
	static const struct line lines[] = {
		{ 'c', "[\"3\",\"3\",\"room:1\",\"phx_join\",{}]", "phx_join 3" },
		{ 's', "[\"3\",\"3\",\"room:1\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]", "phx_join.ok 3" },
		{ 'c', "[\"3\",\"4\",\"room:1\",\"new_msg\",{\"run_id\":\"r\"}]", "new_msg 4" },
		{ 's', "[\"3\",\"4\",\"room:1\",\"phx_reply\",{\"response\":{},\"status\":\"error\"}]",
		  "new_msg.error 4" },
		{ 's', "[null,null,\"room:1\",\"new_msg\",{\"run_id\":\"r\"}]", "new_msg r" },
		{ 's', "[\"3\",null,\"room:1\",\"presence_diff\",{}]", "presence_diff room:1" },
		{ 'c', "[null,\"5\",\"phoenix\",\"heartbeat\",{}]", "heartbeat 5" },
		{ 'c', "{\"topic\":\"room:1\",\"event\":\"old\",\"payload\":{},\"ref\":\"6\"}", "old 6" },
		{ 'c', "[1,2,3]", "- -" },
	};
	EXPECT(lines);
}

Test(dialects, json_rpc)
{
	static const struct line lines[] = {
		{ 'c', "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}", "initialize 1" },
		{ 's', "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}", "roots/list 1" },
		{ 's', "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "initialize.result 1" },
		{ 'c', "{\"id\":1,\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601}}", "roots/list.error 1" },
		{ 'c', "{\"jsonrpc\":\"2.0\",\"method\":\"notified\",\"params\":{\"run_id\":\"r\"}}", "notified r" },
		{ 's', "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":null}", "result 99" },
		{ 's', "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700}}", "error -" },
		{ 'c', " [ {\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":2} , {\"jsonrpc\":\"2.0\",\"method\":\"b\"}]\n",
		  "a 2 | b -" },
		{ 's', "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":[]}]", "a.result 2" },
		{ 'c', "[{\"jsonrpc\":\"2.0\",\"method\":\"a\"},7]", "batch -" },
		{ 'c', "[{\"jsonrpc\":\"2.0\",\"method\":\"a\"},", "- -" },
		{ 'c', "{\"type\":\"else\",\"id\":5}", "else 5" },
	};
	EXPECT(lines);
}

Test(dialects, openai_realtime_by_its_old_and_its_new_names)
{
	static const struct line lines[] = {
		{ 's', "{\"type\":\"session.created\",\"event_id\":\"e1\",\"session\":{\"id\":\"s\"}}",
		  "session.created -" },
		{ 'c', "{\"type\":\"response.create\"}", "response.create -" },
		{ 's',
		  "{\"type\":\"response.created\",\"event_id\":\"e2\",\"response\":{\"id\":\"resp1\",\"output\":[]}}",
		  "response.created resp1" },
		{ 's', "{\"type\":\"conversation.item.created\",\"event_id\":\"e3\",\"item\":{\"id\":\"it1\"}}",
		  "conversation.item.added it1" },
		{ 's', "{\"type\":\"conversation.item.added\",\"event_id\":\"e3\",\"item\":{\"id\":\"it1\"}}",
		  "conversation.item.added it1" },
		{ 's',
		  "{\"type\":\"response.text.delta\",\"event_id\":\"e4\",\"response_id\":\"resp1\",\"item_id\":\"it1\"}",
		  "response.output_text.delta it1" },
		{ 's',
		  "{\"type\":\"response.output_text.done\",\"event_id\":\"e5\",\"response_id\":\"resp1\",\"item_id\":\"it1\"}",
		  "response.output_text.done it1" },
		{ 's',
		  "{\"type\":\"response.function_call_arguments.done\",\"event_id\":\"e6\",\"response_id\":\"resp1\","
		  "\"item_id\":\"it2\",\"call_id\":\"call1\"}",
		  "response.function_call_arguments.done call1" },
		{ 'c',
		  "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"function_call_output\",\"call_id\":\"call1\"}}",
		  "conversation.item.create call1" },
		{ 's', "{\"type\":\"response.done\",\"event_id\":\"e7\",\"response\":{\"id\":\"resp1\"}}",
		  "response.done resp1" },
		{ 's', "{\"type\":\"error\",\"event_id\":\"e8\",\"error\":{}}", "error -" },
	};
	EXPECT(lines);
}

Test(dialects, ag_ui)
{
	static const struct line lines[] = {
		{ 's', "{\"type\":\"RUN_STARTED\",\"threadId\":\"t\",\"runId\":\"r\"}", "RUN_STARTED r" },
		{ 's', "{\"type\":\"STEP_STARTED\",\"stepName\":\"plan\"}", "STEP_STARTED plan" },
		{ 's', "{\"type\":\"TEXT_MESSAGE_START\",\"messageId\":\"m\",\"role\":\"assistant\"}",
		  "TEXT_MESSAGE_START m" },
		{ 's', "{\"type\":\"TOOL_CALL_START\",\"parentMessageId\":\"m\",\"toolCallId\":\"c\"}",
		  "TOOL_CALL_START c" },
		{ 's', "{\"type\":\"TOOL_CALL_RESULT\",\"messageId\":\"m2\",\"toolCallId\":\"c\"}",
		  "TOOL_CALL_RESULT c" },
		{ 's', "{\"type\":\"CUSTOM\",\"name\":\"x\"}", "CUSTOM -" },
		{ 's', "{\"type\":\"RUN_FINISHED\",\"threadId\":\"t\",\"runId\":\"r\"}", "RUN_FINISHED r" },
	};
	EXPECT(lines);
}

/* The same bytes, because somebody said so. */
Test(dialects, can_be_set)
{
	static const struct line rpc[] = { { 'c', "{\"id\":1,\"method\":\"m\"}", "m 1" } };
	static const struct line plain[] = { { 's', "42[\"a\"]", "- -" },
					     { 'c', "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}", "- 1" } };

	expect("json-rpc", rpc, 1);
	expect("json", plain, 2);
	cr_expect_null(iq_dialects_new("esperanto"));
}

/* What a record says of itself stays. */
Test(dialects, keeps_what_is_known)
{
	struct iq_dialects *dialects = iq_dialects_new(NULL);
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = IQ_KIND_WS_MESSAGE;
	event.type = IQ_LIT("mine");
	event.body = IQ_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
	cr_assert_eq(iq_dialects_describe(dialects, &event), 0);
	cr_expect(iq_view_eq(event.type, IQ_LIT("mine")) && iq_view_eq(event.key, IQ_LIT("1")));
	iq_dialects_free(dialects);
}

/* The bodies of a frame's events make up the frame, whatever is in it. */
static int join_body(void *context, const struct iq_event *event, struct iq_error *error)
{
	(void)error;
	return iq_buf_append(context, event->body);
}

Test(dialects, lose_nothing_of_a_frame)
{
	static const char *const frames[] = { "{}\x1e",	    "{}\x1e\x1e\x1e{}",	  "\x1e",
					      "\x1e{}\x1e", "{}\x1e{\"type\":6}", "" };

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct iq_dialects *dialects = iq_dialects_new("signalr");
		struct iq_buf joined = IQ_BUF_INIT;
		const struct iq_sink sink = { .event = join_body, .context = &joined };
		struct iq_event event = IQ_EVENT_INIT;

		event.kind = IQ_KIND_WS_MESSAGE;
		event.body = iq_view_cstr(frames[i]);
		cr_assert_eq(iq_dialects_take(dialects, &event, &sink, NULL), 0);
		cr_expect(iq_view_eq(iq_buf_view(&joined), iq_view_cstr(frames[i])), "%zu", i);
		iq_buf_release(&joined);
		iq_dialects_free(dialects);
	}
}

/* A request is remembered for a window of the evidence, and no longer. */
Test(dialects, remember_for_a_window)
{
	struct iq_dialects *dialects = iq_dialects_new(NULL);
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = IQ_KIND_WS_MESSAGE;
	event.session = IQ_LIT("s");
	event.direction = IQ_DIRECTION_CLIENT;
	event.body = IQ_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
	cr_expect_eq(iq_dialects_place(dialects, 10), 10);
	cr_assert_eq(iq_dialects_describe(dialects, &event), 0);
	cr_expect_eq(iq_dialects_place(dialects, 10), 0);
	cr_expect_eq(iq_dialects_place(dialects, IQ_DIALECT_WINDOW + 5), 5);
	for (uint64_t past = 0; past < 2; past++) {
		event.type = event.key = IQ_VIEW_NULL;
		event.direction = IQ_DIRECTION_SERVER;
		event.offset = IQ_DIALECT_WINDOW + past;
		event.body = IQ_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2}");
		cr_assert_eq(iq_dialects_describe(dialects, &event), 0);
		cr_expect(iq_view_eq(event.type, past ? IQ_LIT("result") : IQ_LIT("m.result")));
	}
	iq_dialects_free(dialects);
}

/* ---- Pointers ---- */

struct sought {
	const char *body;
	const char *pointer;
	const char *found; /* NULL: nothing */
};

#define EVENT "42[\"agent_started\",{\"run_id\":\"7f3a\",\"0\":\"own\"}]"
#define REPLY "[\"3\",\"4\",\"room:1\",\"phx_reply\",{\"status\":\"ok\",\"response\":{\"run_id\":\"r\"}}]"
#define NEXT "{\"id\":\"1\",\"type\":\"next\",\"payload\":{\"id\":9,\"data\":{\"run_id\":\"r\"}}}"
#define CALL "{\"type\":1,\"target\":\"Send\",\"arguments\":[{\"run_id\":\"r\",\"type\":\"own\"}]}\x1e"

/* The message as it is comes first, then what it carries. */
Test(pointers, look_into_what_a_message_carries)
{
	static const struct sought sought[] = {
		{ EVENT, "/run_id", "7f3a" },
		{ EVENT, "/0", "agent_started" },
		{ EVENT, "/1/run_id", "7f3a" },
		{ EVENT, "/none", NULL },
		{ "42/admin,12[\"kick\",{\"user\":\"bob\"}]", "/user", "bob" },
		{ "451-7[\"file\",{\"name\":\"a\"},{\"_placeholder\":true,\"num\":0}]", "/name", "a" },
		{ "437[{\"ok\":true}]", "/ok", "true" },
		{ "40{\"token\":\"t\"}", "/token", "t" },
		{ "0{\"sid\":\"x\"}", "/sid", "x" },
		{ "4{\"run_id\":\"r\"}", "/run_id", "r" },
		{ REPLY, "/response/run_id", "r" },
		{ REPLY, "/3", "phx_reply" },
		{ "{\"topic\":\"t\",\"event\":\"e\",\"payload\":{\"run_id\":\"r\"},\"ref\":\"6\"}", "/run_id", "r" },
		{ NEXT, "/data/run_id", "r" },
		{ NEXT, "/id", "1" },
		{ NEXT, "/payload/id", "9" },
		{ CALL, "/run_id", "r" },
		{ CALL, "/type", "1" },
		{ CALL, "/arguments/0/type", "own" },
		{ "{\"type\":3,\"invocationId\":\"1\",\"result\":{\"run_id\":\"r\"}}\x1e", "/run_id", "r" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"run_id\":\"r\"}}", "/run_id", "r" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"run_id\":\"r\"}}", "/run_id", "r" },
		/* Plain JSON has no other document than itself. */
		{ "{\"type\":\"done\",\"result\":{\"run_id\":\"r\"},\"params\":{\"run_id\":\"r\"}}", "/run_id", NULL },
		{ "{\"type\":\"done\",\"payload\":{\"run_id\":\"r\"}}", "/run_id", NULL },
		{ "text", "/run_id", NULL },
		{ "", "/run_id", NULL },
		{ "4", "/run_id", NULL },
		{ "42", "/run_id", NULL },
		{ "42[\"a\",", "/run_id", NULL },
	};

	for (size_t i = 0; i < sizeof(sought) / sizeof(sought[0]); i++) {
		struct iq_buf scratch = IQ_BUF_INIT;
		struct iq_json_value value =
			iq_dialect_pointer(iq_view_cstr(sought[i].body), iq_view_cstr(sought[i].pointer), &scratch);

		cr_expect(sought[i].found ? iq_view_eq(value.text, iq_view_cstr(sought[i].found))
					  : value.type == IQ_JSON_NONE,
			  "%s in %s gives %.*s", sought[i].pointer, sought[i].body, IQ_VIEW_ARG(value.text));
		iq_buf_release(&scratch);
	}
}
