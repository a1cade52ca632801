#include <criterion/criterion.h>

#include "ingest/times.h"

#define NEWEST (INT64_C(1795500000) * IQ_NS_PER_S) /* 2026-11-24T06:00:00Z */

static const char *found(const char *text, int32_t zone, struct iq_parser_notes *notes)
{
	static char formatted[IQ_RFC3339_SIZE];
	const struct iq_parser_options options = { .zone = zone, .newest = NEWEST, .notes = notes };
	struct iq_time time;

	if (!iq_time_find(iq_view_cstr(text), &options, &time))
		return "none";
	return iq_time_format(time.ns, formatted);
}

Test(times, are_read_in_every_format_of_the_table)
{
	static const char *const cases[][2] = {
		{ "2026-11-24T03:27:59.123Z x", "2026-11-24T03:27:59.123000000Z" },
		{ "2026-11-24T03:27:59.1234567891+01:00 x", "2026-11-24T02:27:59.123456789Z" },
		{ "2026-11-24 03:27:59,123 INFO x", "2026-11-24T03:27:59.123000000Z" },
		{ "2026-11-24 03:27:59.123 UTC [34] LOG:  x", "2026-11-24T03:27:59.123000000Z" },
		{ "2026-11-24 03:27:59.123 CET [34] LOG:  x", "2026-11-24T02:27:59.123000000Z" },
		{ "2026-11-24 03:27:59+00 x", "2026-11-24T03:27:59.000000000Z" },
		{ "2026-11-24 03:27:59 -12 connections", "2026-11-24T03:27:59.000000000Z" },
		{ "2026-11-24 03:27:59:123 x", "2026-11-24T03:27:59.123000000Z" },
		{ "2026/11/24 03:27:59 [error] 7#7: *1 x", "2026-11-24T03:27:59.000000000Z" },
		{ "2026/11/24 03:27:59.123456 main.go:12: x", "2026-11-24T03:27:59.123456000Z" },
		{ "2026.11.24 03:27:59.123456 [ 1 ] {} <Error> : x", "2026-11-24T03:27:59.123456000Z" },
		{ "10.0.0.1 - - [24/Nov/2026:03:27:59 +0100] \"GET", "2026-11-24T02:27:59.000000000Z" },
		{ "Nov 24 03:27:59 host x", "2026-11-24T03:27:59.000000000Z" },
		{ "Nov  4 03:27:59 host x", "2026-11-04T03:27:59.000000000Z" },
		{ "Dec 31 23:59:59 host x", "2025-12-31T23:59:59.000000000Z" },
		{ "Nov 25 03:00:00 host x", "2026-11-25T03:00:00.000000000Z" },
		{ "Feb 29 12:00:00 host x", "2024-02-29T12:00:00.000000000Z" },
		{ "[Tue Nov 24 03:27:59.123456 2026] [core:error]", "2026-11-24T03:27:59.123456000Z" },
		{ "Tue Nov 24 03:27:59 UTC 2026", "2026-11-24T03:27:59.000000000Z" },
		{ "Tue, 24 Nov 2026 03:27:59 GMT", "2026-11-24T03:27:59.000000000Z" },
		{ "Nov 24, 2026 3:27:59 PM org.x.Y z", "2026-11-24T15:27:59.000000000Z" },
		{ "24-Nov-2026 03:27:59.123 INFO [main] x", "2026-11-24T03:27:59.123000000Z" },
		{ "[24-Nov-2026 03:27:59 UTC] PHP Warning", "2026-11-24T03:27:59.000000000Z" },
		{ "1:M 24 Nov 2026 03:27:59.123 * Ready", "2026-11-24T03:27:59.123000000Z" },
		{ "I1124 03:27:59.123456       1 x.go:1] y", "2026-11-24T03:27:59.123456000Z" },
		{ "20261124T032759Z x", "2026-11-24T03:27:59.000000000Z" },
		{ "1795490879 x", "2026-11-24T03:27:59.000000000Z" },
		{ "1795490879.123 x", "2026-11-24T03:27:59.123000000Z" },
		{ "1795490879123 x", "2026-11-24T03:27:59.123000000Z" },
		{ "1795490879123456 x", "2026-11-24T03:27:59.123456000Z" },
		{ "1795490879123456789 x", "2026-11-24T03:27:59.123456789Z" },
		{ "INFO:2026-11-24 03:27:59 x", "none" },
		{ "I, [2026-11-24T03:27:59.123456 #1]  INFO -- : x", "2026-11-24T03:27:59.123456000Z" },
		{ "level=info ts=2026-11-24T03:27:59Z x", "2026-11-24T03:27:59.000000000Z" },
		{ "2026-13-24 03:27:59 x", "none" },
		{ "2026-11-24 25:27:59 x", "none" },
		{ "Nov 31 03:27:59 x", "none" },
		{ "2026-11-24 x", "none" },
		{ "179549087 x", "none" },
		{ "nothing", "none" },
		{ "", "none" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(found(cases[i][0], 0, NULL), cases[i][1], "%s: %s", cases[i][0],
				 found(cases[i][0], 0, NULL));
}

Test(times, say_which_rules_they_needed)
{
	struct iq_parser_notes notes = { 0 };

	cr_expect_str_eq(found("2026-11-24 03:27:59 x", 3600, &notes), "2026-11-24T02:27:59.000000000Z");
	cr_expect_str_eq(found("2026-11-24T03:27:59Z x", 3600, &notes), "2026-11-24T03:27:59.000000000Z");
	cr_expect_str_eq(found("Nov 24 03:27:59 x", -3600, &notes), "2026-11-24T04:27:59.000000000Z");
	cr_expect_eq(notes.without_zone, 2);
	cr_expect_eq(notes.without_year, 1);
}

Test(times, zones_are_named_as_they_are_written)
{
	static const struct {
		const char *name;
		int32_t seconds;
		bool valid;
	} cases[] = {
		{ "UTC", 0, true },	   { "Z", 0, true },	   { "+01:00", 3600, true },
		{ "-0530", -19800, true }, { "CEST", 7200, true }, { "", 0, false },
		{ "+25:00", 0, false },	   { "Berlin", 0, false }, { "+01:00x", 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t seconds = 0;

		cr_expect_eq(iq_zone_parse(iq_view_cstr(cases[i].name), &seconds), cases[i].valid, "%s", cases[i].name);
		cr_expect_eq(seconds, cases[i].seconds, "%s", cases[i].name);
	}
}
