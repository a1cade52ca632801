#include <criterion/criterion.h>
#include <stdlib.h>

#include "ingest/ingest.h"
#include "ingest/walk.h"

static const char *detected(struct iq_view head)
{
	const struct iq_format *format = iq_format_probe(head);

	return format ? format->name : "none";
}

Test(format, is_detected_from_content)
{
	const struct {
		const char *format;
		struct iq_view head;
	} cases[] = {
		{ "docker-json",
		  IQ_LIT("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T03:07:12Z\"}\n") },
		{ "docker-json",
		  IQ_LIT("garbage\n\0\0{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T03:07:12Z\"}\n") },
		{ "docker-json", IQ_LIT("{\"log\":\"longer than the head of the") },
		{ "har", IQ_LIT("{\"log\":{\"version\":\"1.2\",\"entries\":[") },
		{ "har", IQ_LIT("\xef\xbb\xbf{\n  \"log\": {\n    \"pages\": [") },
		{ "ndjson", IQ_LIT("{\"kind\":\"ws.open\",\"session\":\"a\"}\n") },
		{ "ndjson", IQ_LIT("{\"log\":\"x\",\"@timestamp\":\"2026-11-23T03:07:12Z\",\"kind\":\"log\"}\n") },
		{ "ndjson", IQ_LIT("\xef\xbb\xbf\n{\"time\":1795403232,\"msg\":\"x\"}\n") },
		{ "none", IQ_LIT("{\"a\":1}\n") },
		{ "none", IQ_LIT("{\"log\":{\"a\":1}}") },
		{ "none", IQ_LIT("plain text\n") },
		{ "none", IQ_LIT("\0\0\0\0") },
		{ "none", IQ_LIT("") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(detected(cases[i].head), cases[i].format, "case %zu: %s", i, detected(cases[i].head));
}

Test(format, is_found_by_name)
{
	for (size_t i = 0; iq_formats()[i]; i++)
		cr_expect_eq(iq_format_by_name(iq_view_cstr(iq_formats()[i]->name)), iq_formats()[i]);
	cr_expect_null(iq_format_by_name(IQ_LIT("docker")));
}

Test(walk, names_sources_after_their_files)
{
	static const char *const cases[][2] = {
		{ "logs/backend-1.log", "backend-1" },
		{ "backend-json.log.2.gz", "backend" },
		{ "chat.har.zst", "chat" },
		{ "events.ndjson", "events" },
		{ "-", "stdin" },
		{ "/c/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-json.log", "0123456789ab" },
		{ "2026", "2026" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = iq_source_name(cases[i][0]);

		cr_expect_str_eq(name, cases[i][1]);
		free(name);
	}
}
