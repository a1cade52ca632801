/* Names, the dialect, and the record that is written. */
#include <criterion/criterion.h>

#include "event/event.h"

Test(event, names_go_both_ways)
{
	for (unsigned kind = 0; kind < IQ_KIND_COUNT; kind++) {
		enum iq_kind parsed;

		cr_expect(iq_kind_parse(iq_view_cstr(iq_kind_name((enum iq_kind)kind)), &parsed) && parsed == kind);
	}
	for (unsigned severity = IQ_SEVERITY_TRACE; severity <= IQ_SEVERITY_CRITICAL; severity++) {
		enum iq_severity parsed;

		cr_expect(iq_severity_parse(iq_view_cstr(iq_severity_name((enum iq_severity)severity)), &parsed) &&
			  parsed == severity);
	}
	cr_expect_null(iq_kind_name(IQ_KIND_COUNT));
	cr_expect_null(iq_direction_name(IQ_DIRECTION_NONE));
}

static void expect_dialect(const char *body, const char *type, const char *key)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;

	event.body = iq_view_cstr(body);
	iq_dialect_json(&event, &scratch);
	cr_expect(event.type.data ? type && iq_view_eq(event.type, iq_view_cstr(type)) : !type, "%s: type %.*s", body,
		  IQ_VIEW_ARG(event.type));
	cr_expect(event.key.data ? key && iq_view_eq(event.key, iq_view_cstr(key)) : !key, "%s: key %.*s", body,
		  IQ_VIEW_ARG(event.key));
	iq_buf_release(&scratch);
}

Test(event, finds_type_and_innermost_key)
{
	expect_dialect("{\"run_id\":\"r\",\"tool_id\":\"t\",\"type\":\"tool_executing\"}", "tool_executing", "t");
	expect_dialect("{\"name\":\"n\",\"event\":\"e\"}", "e", NULL);
	expect_dialect("{\"type\":5,\"op\":\"o\",\"id\":17}", "o", "17");
	expect_dialect("{\"type\":\"a\\u00e9\",\"id\":\"x\\ny\"}", "a\xc3\xa9", "x\ny");
	expect_dialect("{\"data\":{\"type\":\"inner\"}}", NULL, NULL);
	expect_dialect("[{\"type\":\"a\"}]", NULL, NULL);
	expect_dialect("{\"type\":\"a\"} trailing", NULL, NULL);
	expect_dialect("{\"type\":\"a\"", NULL, NULL);
	expect_dialect("", NULL, NULL);
}

Test(event, writes_what_is_known_and_nothing_else)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf line = IQ_BUF_INIT;

	event.kind = IQ_KIND_WS_MESSAGE;
	cr_assert_eq(iq_event_append_ndjson(&line, &event), 0);
	cr_expect_str_eq(line.data, "{\"kind\":\"ws.message\"}\n");
	iq_buf_clear(&line);
	event.ts = 0;
	event.source = IQ_LIT("p\"q");
	event.session = IQ_LIT("c1");
	event.direction = IQ_DIRECTION_SERVER;
	event.type = IQ_LIT("t");
	event.key = IQ_LIT("");
	event.seq = -1;
	event.severity = IQ_SEVERITY_ERROR;
	event.body = IQ_LIT("\xff\x00");
	event.body_is_binary = true;
	event.attrs = IQ_LIT("{\"opcode\":2}");
	cr_assert_eq(iq_event_append_ndjson(&line, &event), 0);
	cr_expect_str_eq(
		line.data,
		"{\"ts\":\"1970-01-01T00:00:00.000000000Z\",\"source\":\"p\\\"q\",\"session\":\"c1\",\"kind\":\"ws.message\","
		"\"direction\":\"server\",\"type\":\"t\",\"key\":\"\",\"seq\":-1,\"severity\":\"error\",\"body_base64\":\"/wA=\","
		"\"attrs\":{\"opcode\":2}}\n");
	iq_buf_release(&line);
}
