#include <criterion/criterion.h>
#include <stdlib.h>

#include "ingest/ingest.h"
#include "ingest/names.h"

static const char *detected(struct iq_view head)
{
	int sure;
	const struct iq_format *format = iq_format_probe(head, &sure);

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
		{ "jsonl", IQ_LIT("\xef\xbb\xbf\n{\"time\":1795403232,\"msg\":\"x\"}\n") },
		{ "ndjson", IQ_LIT("{\"time\":1795403232,\"source\":\"x\",\"body\":\"x\"}\n") },
		{ "jsonl", IQ_LIT("{\"a\":1}\n") },
		{ "none", IQ_LIT("{\"log\":{\"a\":1}}") },
		{ "text", IQ_LIT("plain text\n") },
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

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID "f2d6e0a4-6a30-4e4f-9a49-7a3c8d0c7e11"

Test(names, tell_whose_a_file_is)
{
	static const char *const cases[][3] = {
		{ "logs/backend-1.log", "backend-1", "" },
		{ "backend-json.log.2.gz", "backend", "" },
		{ "chat.har.zst", "chat", "" },
		{ "events.ndjson", "events", "" },
		{ "app.log-20261124.xz", "app", "" },
		{ "app.2026-11-24.log", "app", "" },
		{ "-", "stdin", "" },
		{ "2026", "2026", "" },
		{ ID ".log", "0123456789ab", "{\"container\":\"0123456789ab\"" },
		{ "/c/" ID "/" ID "-json.log.1", "0123456789ab", "{\"container\":\"0123456789ab\"" },
		{ "/var/log/pods/shop_chat-7d9f8_" UID "/backend/0.log.20261124-032759.gz", "chat-7d9f8/backend",
		  "{\"pod\":\"chat-7d9f8\",\"container\":\"backend\",\"namespace\":\"shop\"" },
		{ "/var/log/containers/chat-7d9f8_shop_backend-" ID ".log", "chat-7d9f8/backend",
		  "{\"pod\":\"chat-7d9f8\",\"container\":\"backend\",\"namespace\":\"shop\",\"container_id\":\"" ID
		  "\"" },
		{ "a_b_c/backend/0.log", "0", "" },
		{ "a__c.log", "a__c", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_origin origin = IQ_ORIGIN_INIT;

		cr_assert_eq(iq_origin_read_path(&origin, cases[i][0]), 0);
		cr_expect_str_eq(origin.source.data, cases[i][1]);
		cr_expect_str_eq(origin.attrs.data ? origin.attrs.data : "", cases[i][2]);
		iq_origin_release(&origin);
	}
}

Test(names, tell_which_turn_of_its_rotation_a_file_is)
{
	static const char *const in_order[] = {
		"d/x.log-20261122.gz", "d/x.log-20261123", "d/x.log.20261123-032759", "d/x.log.10.gz", "d/x.log.2.gz",
		"d/x.log.1",	       "d/x.log",
	};
	const size_t count = sizeof(in_order) / sizeof(in_order[0]);

	for (size_t i = 0; i < count; i++) {
		struct iq_rotation a = iq_rotation_of(in_order[i]), b;

		cr_expect(iq_view_eq(a.stem, IQ_LIT("d/x.log")), "%s: %.*s", in_order[i], IQ_VIEW_ARG(a.stem));
		for (size_t j = 0; j < count; j++) {
			b = iq_rotation_of(in_order[j]);
			cr_expect_eq(iq_rotation_compare(&a, &b) < 0, i < j, "%s %s", in_order[i], in_order[j]);
		}
	}
}
