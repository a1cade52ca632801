#include <criterion/criterion.h>

#include "collect.h"

static void expect(struct iq_view text, size_t max_line, const char *lines, const char *problems)
{
	struct collected collected = collect("docker-json", text, FEED_WHOLE, 0, max_line);

	cr_expect_str_eq(collected.lines.data ? collected.lines.data : "", lines);
	cr_expect_str_eq(collected.problems.data ? collected.problems.data : "", problems);
	collected_release(&collected);
	check_all_feedings("docker-json", text, max_line);
}

#define OUT(text) "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-11-23T03:07:12.5Z\"}\n"
#define ERR(text) "{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"2026-11-23T03:07:13Z\"}\n"
#define AT_OUT "log ts=2026-11-23T03:07:12.500000000Z source=\"file\" "
#define AT_ERR "log ts=2026-11-23T03:07:13.000000000Z source=\"file\" "
#define STDOUT "attrs=\"{\\\"stream\\\":\\\"stdout\\\"}\"\n"
#define STDERR "attrs=\"{\\\"stream\\\":\\\"stderr\\\"}\"\n"

Test(docker_json, takes_a_line)
{
	expect(IQ_LIT(OUT("hello \\u0000\\n")), IQ_INGEST_MAX_LINE,
	       "event 0+75 " AT_OUT "body=\"hello \\u0000\" " STDOUT, "");
}

Test(docker_json, finds_type_key_and_severity_in_a_json_line)
{
	expect(IQ_LIT(OUT("{\\\"event\\\":\\\"boot\\\",\\\"level\\\":\\\"error\\\",\\\"id\\\":\\\"7\\\"}\\n")),
	       IQ_INGEST_MAX_LINE,
	       "event 0+116 " AT_OUT "type=\"boot\" key=\"7\" severity=\"error\" "
	       "body=\"{\\\"event\\\":\\\"boot\\\",\\\"level\\\":\\\"error\\\",\\\"id\\\":\\\"7\\\"}\" " STDOUT,
	       "");
}

Test(docker_json, joins_the_parts_of_each_stream)
{
	expect(IQ_LIT(OUT("a") ERR("x\\n") OUT("b\\n")), IQ_INGEST_MAX_LINE,
	       "event 62+62 " AT_ERR "body=\"x\" " STDERR "event 0+188 " AT_OUT "body=\"ab\" " STDOUT, "");
}

Test(docker_json, marks_an_unterminated_line_as_partial)
{
	expect(IQ_LIT(OUT("a")), IQ_INGEST_MAX_LINE,
	       "event 0+62 " AT_OUT "body=\"a\" attrs=\"{\\\"stream\\\":\\\"stdout\\\",\\\"partial\\\":true}\"\n", "");
}

Test(docker_json, keeps_its_own_attrs)
{
	expect(IQ_LIT("{\"log\":\"a\\n\",\"attrs\":{\"tag\":\"t\"}}\n"), IQ_INGEST_MAX_LINE,
	       "event 0+34 log source=\"file\" body=\"a\" attrs=\"{\\\"attrs\\\":{\\\"tag\\\":\\\"t\\\"}}\"\n", "");
}

Test(docker_json, reads_on_after_zeros_and_damage)
{
	expect(IQ_LIT("\0\0\0" ERR("x\\n") "nope\n{\"log\":5}\n" ERR("\0\\n") "\0\0"), IQ_INGEST_MAX_LINE,
	       "event 0+65 " AT_ERR "body=\"x\" " STDERR "gap 65+15 source=\"file\" reason=\"lines 2-3: not JSON\"\n"
	       "event 80+62 " AT_ERR "body=\"\\u0000\" " STDERR
	       "gap 142+2 source=\"file\" reason=\"line 5: NUL bytes only\"\n",
	       "lines 2-3: not JSON\nline 5: NUL bytes only\n");
}

Test(docker_json, cuts_a_line_joined_of_many_parts)
{
	expect(IQ_LIT(OUT("0123456789012345678901234567890123456789")
			      OUT("0123456789012345678901234567890123456789\\n")),
	       120,
	       "event 0+204 " AT_OUT
	       "body=\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\" " STDOUT,
	       "");
	expect(IQ_LIT(OUT("0123456789012345678901234567890123456789") OUT("0123456789012345678901234567890123456789")
			      OUT("0123456789012345678901234567890123456789\\n")),
	       104,
	       "event 0+305 " AT_OUT
	       "body=\"01234567890123456789012345678901234567890123456789012345678901234567890123456789"
	       "012345678901234567890123\" attrs=\"{\\\"stream\\\":\\\"stdout\\\",\\\"body_bytes\\\":120}\"\n",
	       "line 1 cut at 104 of 120 bytes; the store keeps it whole\n");
}

Test(docker_json, cuts_a_line_of_the_file_that_is_too_long)
{
	expect(IQ_LIT("{\"log\":\"0123456789\\n\",\"stream\":\"stdout\"}\n" ERR("x\\n")), 12,
	       "event 0+41 log source=\"file\" body=\"0123\" attrs=\"{\\\"line_bytes\\\":40}\"\n"
	       "event 41+62 log source=\"file\" body=\"x\" attrs=\"{\\\"line_bytes\\\":61}\"\n",
	       "line 1 cut at 12 of 40 bytes; the store keeps it whole\nline 2 cut at 12 of 61 bytes; the store keeps "
	       "it whole\n");
}
