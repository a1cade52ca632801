/* What a sample would be too long for: an export that ends at the limit of `gcloud logging read`. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "collect.h"

/* An array of entries, a second apart, the newest first or last. */
static struct iq_buf export_of(int entries, bool newest_first)
{
	struct iq_buf text = IQ_BUF_INIT;

	for (int i = 0; i < entries; i++) {
		int second = newest_first ? entries - 1 - i : i;

		(void)iq_buf_appendf(
			&text,
			"%s{\"insertId\":\"i%04d\",\"logName\":\"projects/p/logs/l\",\"textPayload\":\"line %d\","
			"\"timestamp\":\"2026-11-24T03:%02d:%02dZ\"}",
			i ? ",\n" : "[", second, second, second / 60 % 60, second % 60);
	}
	(void)iq_buf_append_cstr(&text, "]\n");
	cr_assert(!text.failed);
	return text;
}

static void expect_gap(int entries, bool newest_first, const char *gap)
{
	struct iq_buf text = export_of(entries, newest_first);
	struct collected collected = collect("google-cloud", iq_buf_view(&text), FEED_RANDOM, 7, IQ_INGEST_MAX_LINE);

	cr_assert_eq(collected.events, (size_t)entries);
	cr_assert_eq(collected.gaps, gap ? 1 : 0);
	cr_assert(!gap || strstr(collected.lines.data, gap), "%s", collected.lines.data);
	collected_release(&collected);
	iq_buf_release(&text);
}

Test(google_cloud, says_that_an_export_of_exactly_the_limit_is_probably_cut)
{
	expect_gap(999, true, NULL);
	expect_gap(1000, true, "reason=\"exactly 1,000 entries");
	expect_gap(1000, true, "ts_max=2026-11-24T03:00:00.000000000Z");
	expect_gap(1000, false, "ts_min=2026-11-24T03:16:39.000000000Z");
	expect_gap(1001, false, NULL);
}

Test(google_cloud, cuts_a_payload_that_is_too_long_and_says_how_long_it_was)
{
	struct iq_view text = IQ_LIT("{\"insertId\":\"a\",\"logName\":\"l\",\"textPayload\":\"0123456789\","
				     "\"timestamp\":\"2026-11-24T03:00:00Z\"}\n");
	struct collected collected = collect("google-cloud", text, FEED_WHOLE, 0, 4);

	cr_assert(strstr(collected.lines.data, "body=\"0123\""), "%s", collected.lines.data);
	cr_assert(strstr(collected.lines.data, "\\\"body_bytes\\\":10"), "%s", collected.lines.data);
	collected_release(&collected);
}
