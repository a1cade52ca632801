#include <criterion/criterion.h>
#include <inttypes.h>

#include "collect.h"

#define TRACE(name) \
	"<trace><string key=\"concept:name\" value=\"" name "\"/>" \
	"<event><string key=\"concept:name\" value=\"A\"/></event></trace>"
#define MIB (1u << 20)

/* A log of two traces with `filling` between their opening tags, so many times. */
static void fill(struct iq_buf *text, const char *filling, size_t count, const char *closing)
{
	(void)iq_buf_append_cstr(text, "<log>" TRACE("before") "<trace>");
	for (size_t i = 0; i < count; i++)
		(void)iq_buf_append_cstr(text, filling);
	(void)iq_buf_append_cstr(text, closing);
	(void)iq_buf_append_cstr(text, "</trace>" TRACE("after") "</log>");
	cr_assert(!text->failed);
}

/* What is around it is taken in, it is a gap with this reason. */
static void expect_refused(struct iq_buf *text, const char *reason)
{
	struct collected whole = collect("xes", iq_buf_view(text), FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);
	struct collected pieces = collect("xes", iq_buf_view(text), FEED_RANDOM, 7, IQ_INGEST_MAX_LINE);

	cr_expect_eq(whole.events, 2, "%zu", whole.events);
	cr_expect_eq(whole.gaps, 1);
	cr_expect_not_null(strstr(whole.problems.data ? whole.problems.data : "", reason), "%s", whole.problems.data);
	cr_expect_eq(first_uncovered(&whole), text->len);
	cr_expect_str_eq(pieces.lines.data, whole.lines.data);
	collected_release(&whole);
	collected_release(&pieces);
	iq_buf_release(text);
}

Test(xes, a_token_without_end_is_a_gap)
{
	struct iq_buf text = IQ_BUF_INIT;

	fill(&text, "<!-- ", 1, "");
	for (size_t i = 0; i < 5 * MIB / 8; i++)
		(void)iq_buf_append_cstr(&text, "        ");
	(void)iq_buf_append_cstr(&text, TRACE("last") "</log>");
	expect_refused(&text, "longer than 4 MiB");
}

Test(xes, a_value_may_not_be_too_long)
{
	struct iq_buf text = IQ_BUF_INIT, value = IQ_BUF_INIT;

	for (size_t i = 0; i < 5 * MIB / 8; i++)
		(void)iq_buf_append_cstr(&value, "########");
	(void)iq_buf_append_cstr(&value, "\"/>");
	fill(&text, "<string key=\"k\" value=\"", 1, value.data);
	expect_refused(&text, "longer than 4 MiB");
	iq_buf_release(&value);
}

Test(xes, attributes_beyond_their_limit_are_a_gap)
{
	struct iq_buf text = IQ_BUF_INIT, value = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&value, "<string key=\"k\" value=\"");
	for (size_t i = 0; i < MIB / 8; i++)
		(void)iq_buf_append_cstr(&value, "########");
	(void)iq_buf_append_cstr(&value, "\"/>");
	fill(&text, value.data, 17, "");
	expect_refused(&text, "more than 16 MiB");
	iq_buf_release(&value);
}

Test(xes, what_stands_around_logs_is_accounted_for)
{
	static const char *const texts[] = {
		"<trace <trace>",
		"<trace a=\"<trace>",
		"no log at all <trace></trace>",
		"<log>" TRACE("1") "</log>\nkey=\"a\"/></log> <log>" TRACE("2") "</log>",
		"<log>" TRACE("1") "</log><log>" TRACE("2") "</log>",
		"<?xml version=\"1.0\" encoding=\"nonsense\"?><log>" TRACE("1") TRACE("2") "</log>",
		"<?xml version=\"1.0\" encoding=\"UTF-16\"?><log>" TRACE("1") TRACE("2") "</log>",
		"<lo.0' <log>" TRACE("1") "</log>",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_all_feedings("xes", iq_view_cstr(texts[i]), IQ_INGEST_MAX_LINE);
}
