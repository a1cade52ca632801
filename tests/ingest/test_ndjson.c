#include <criterion/criterion.h>

#include "collect.h"

/* Parses the text and compares everything that comes out. */
static void expect(struct iq_view text, const char *lines, const char *problems)
{
	struct collected collected = collect("ndjson", text, FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);

	cr_expect_str_eq(collected.lines.data ? collected.lines.data : "", lines);
	cr_expect_str_eq(collected.problems.data ? collected.problems.data : "", problems);
	collected_release(&collected);
	check_all_feedings("ndjson", text, IQ_INGEST_MAX_LINE);
}

Test(ndjson, takes_the_canonical_record)
{
	expect(IQ_LIT("{\"ts\":\"2026-11-23T03:07:12.418Z\",\"observed\":1795403232.5,\"source\":\"proxy\",\"session\":"
		      "\"c1\","
		      "\"kind\":\"ws.message\",\"direction\":\"client\",\"type\":\"ask\",\"key\":\"7f3a\",\"seq\":4,"
		      "\"severity\":\"info\",\"body\":\"hi\",\"attrs\":{\"a\":[1,2]}}\n"),
	       "event 0+215 ws.message ts=2026-11-23T03:07:12.418000000Z observed=2026-11-23T03:07:12.500000000Z "
	       "source=\"proxy\" session=\"c1\" direction=\"client\" type=\"ask\" key=\"7f3a\" seq=4 severity=\"info\" "
	       "body=\"hi\" attrs=\"{\\\"a\\\":[1,2]}\"\n",
	       "");
}

Test(ndjson, finds_type_and_key_in_the_message)
{
	expect(IQ_LIT("{\"ts\":1,\"session\":\"s\",\"kind\":\"message\",\"dir\":\"recv\","
		      "\"data\":\"{\\\"type\\\":\\\"agent_started\\\",\\\"run_id\\\":\\\"r1\\\"}\"}\n"),
	       "event 0+109 ws.message ts=1970-01-01T00:00:01.000000000Z source=\"file\" session=\"s\" "
	       "direction=\"server\" "
	       "type=\"agent_started\" key=\"r1\" "
	       "body=\"{\\\"type\\\":\\\"agent_started\\\",\\\"run_id\\\":\\\"r1\\\"}\"\n",
	       "");
}

Test(ndjson, keeps_a_json_body_as_its_text)
{
	expect(IQ_LIT("{\"kind\":\"ws.message\",\"payload\":{\"op\" : \"x\",\"id\":7}}"),
	       "event 0+51 ws.message source=\"file\" type=\"x\" key=\"7\" body=\"{\\\"op\\\" : "
	       "\\\"x\\\",\\\"id\\\":7}\"\n",
	       "");
}

Test(ndjson, decodes_base64_bodies)
{
	expect(IQ_LIT("{\"kind\":\"ws.message\",\"body_base64\":\"/wBB\"}\n"),
	       "event 0+43 ws.message source=\"file\" binary=\"\xef\xbf\xbd\\u0000A\"\n", "");
}

Test(ndjson, knows_open_close_cut_and_refused)
{
	expect(IQ_LIT("{\"kind\":\"open\",\"session\":\"a\",\"attrs\":{\"url\":\"ws://h/p\",\"status\":101}}\n"
		      "{\"kind\":\"close\",\"session\":\"a\",\"code\":1000,\"reason\":\"bye\"}\n"
		      "{\"kind\":\"cut\",\"session\":\"b\"}\n"
		      "{\"kind\":\"net.error\",\"type\":\"refused\",\"session\":\"c\"}\n"),
	       "event 0+70 ws.open source=\"file\" session=\"a\" type=\"ws.open\" "
	       "attrs=\"{\\\"url\\\":\\\"ws://h/p\\\",\\\"status\\\":101}\"\n"
	       "event 70+58 ws.close source=\"file\" session=\"a\" type=\"ws.close\" "
	       "attrs=\"{\\\"code\\\":1000,\\\"reason\\\":\\\"bye\\\"}\"\n"
	       "event 128+29 net.error source=\"file\" session=\"b\" type=\"cut\"\n"
	       "event 157+52 net.error source=\"file\" session=\"c\" type=\"refused\"\n",
	       "");
}

Test(ndjson, takes_a_declared_gap_without_a_problem)
{
	expect(IQ_LIT("{\"kind\":\"gap\",\"session\":\"a\",\"reason\":\"ring full\",\"count\":3}\n"),
	       "gap 0+60 source=\"file\" session=\"a\" reason=\"ring full\" count=3\n", "");
}

Test(ndjson, takes_any_object_with_a_time_as_a_log_line)
{
	expect(IQ_LIT("{\"time\":\"2026-11-23T03:07:12Z\",\"level\":\"WARN\",\"event\":\"slow\",\"msg\":\"x\"}\n"),
	       "event 0+72 log ts=2026-11-23T03:07:12.000000000Z source=\"file\" type=\"slow\" severity=\"warning\" "
	       "body=\"{\\\"time\\\":\\\"2026-11-23T03:07:12Z\\\",\\\"level\\\":\\\"WARN\\\",\\\"event\\\":"
	       "\\\"slow\\\","
	       "\\\"msg\\\":\\\"x\\\"}\"\n",
	       "");
}

Test(ndjson, keeps_what_it_cannot_use_as_attrs)
{
	expect(IQ_LIT("{\"kind\":\"log\",\"ts\":\"yesterday\",\"seq\":\"x\",\"pod\":\"p-1\",\"attrs\":{\"a\":1}}\n"),
	       "event 0+70 log source=\"file\" "
	       "attrs=\"{\\\"pod\\\":\\\"p-1\\\",\\\"ts\\\":\\\"yesterday\\\",\\\"seq\\\":\\\"x\\\",\\\"a\\\":1}\"\n",
	       "");
}

Test(ndjson, makes_one_gap_of_bad_lines_in_a_row)
{
	expect(IQ_LIT("{\"kind\":\"log\"}\nnope\nnull\n[1]\n{\"kind\":\"log\"}\n{\"a\":1}\n{\"kind\":"),
	       "event 0+15 log source=\"file\"\n"
	       "gap 15+14 reason=\"lines 2-4: not JSON\"\n"
	       "event 29+15 log source=\"file\"\n"
	       "gap 44+16 reason=\"lines 6-7: neither \\\"kind\\\" nor \\\"ts\\\" (see docs/events.md)\"\n",
	       "lines 2-4: not JSON\nlines 6-7: neither \"kind\" nor \"ts\" (see docs/events.md)\n");
}

Test(ndjson, says_where_the_file_was_cut_off)
{
	expect(IQ_LIT("{\"kind\":\"log\"}\n{\"kind\":\"lo"),
	       "event 0+15 log source=\"file\"\ngap 15+11 reason=\"line 2: cut off in the middle of a record\"\n",
	       "line 2: cut off in the middle of a record\n");
}

Test(ndjson, keeps_nul_bytes_and_invalid_utf8)
{
	expect(IQ_LIT("{\"kind\":\"log\",\"body\":\"a\0b\"}\n{\"kind\":\"log\",\"body\":\"\xff\",\"session\":\"\xfe\","
		      "\"x\":\"\xfd\"}\n"),
	       "event 0+28 log source=\"file\" body=\"a\\u0000b\"\n"
	       "event 28+48 log source=\"file\" session=\"\xef\xbf\xbd\" binary=\"\xef\xbf\xbd\" "
	       "attrs=\"{\\\"x\\\":\\\"\xef\xbf\xbd\\\"}\"\n",
	       "");
}

Test(ndjson, cuts_a_long_line)
{
	struct iq_view text = IQ_LIT("{\"kind\":\"log\",\"body\":\"abcdefghi\xc3\xa4xyz\"}\n{\"kind\":\"log\"}\n");
	struct collected collected = collect("ndjson", text, FEED_WHOLE, 0, 32);

	cr_expect_str_eq(collected.lines.data,
			 "event 0+39 log source=\"file\" body=\"abcdefghi\" attrs=\"{\\\"line_bytes\\\":38}\"\n"
			 "event 39+15 log source=\"file\"\n");
	cr_expect_str_eq(collected.problems.data, "line 1 cut at 32 of 38 bytes; the store keeps it whole\n");
	collected_release(&collected);
	check_all_feedings("ndjson", text, 32);
}

Test(ndjson, counts_blank_lines_to_the_record_before)
{
	expect(IQ_LIT("\n{\"kind\":\"log\"}\n \r\n\n  {\"kind\":\"log\"}\nx\n\ny\n{\"kind\":\"log\"}\n\n \n"),
	       "event 0+22 log source=\"file\"\n"
	       "event 22+15 log source=\"file\"\n"
	       "gap 37+5 reason=\"lines 6-8: not JSON\"\n"
	       "event 42+18 log source=\"file\"\n",
	       "lines 6-8: not JSON\n");
	expect(IQ_LIT("\n \n"), "gap 0+3 reason=\"nothing but white space\" count=0\n", "");
}

/* The records that docs/events.md shows (indented by four spaces) are what it says they are. */
Test(ndjson, takes_the_examples_of_the_documentation)
{
	struct iq_buf page = IQ_BUF_INIT, examples = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct collected collected;
	struct iq_view rest;
	size_t start;

	cr_assert_eq(iq_file_read(IQ_EVENTS_PAGE, 1 << 20, &page, &error), 0, "%s", error.message);
	rest = iq_buf_view(&page);
	while ((start = iq_view_find(rest, IQ_LIT("\n    {\"ts\""))) != SIZE_MAX) {
		rest = iq_view_from(rest, start + 1);
		(void)iq_buf_append(&examples, iq_view_make(rest.data, iq_view_find(rest, IQ_LIT("\n")) + 1));
	}
	collected = collect("ndjson", iq_buf_view(&examples), FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);
	cr_expect_eq(collected.events, 3);
	cr_expect_eq(collected.gaps, 1);
	cr_expect_eq(collected.problems.len, 0);
	collected_release(&collected);
	iq_buf_release(&examples);
	iq_buf_release(&page);
}
