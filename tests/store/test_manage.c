/* Looking after a store: whatever is done to its segments, it says what it said before. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/random_store.h"

struct place {
	char directory[64];
	char path[96];
	struct iq_error error;
};

static void place_open(struct place *place)
{
	*place = (struct place){ .directory = "/tmp/inquest-manage-XXXXXX", .error = IQ_ERROR_INIT };
	cr_assert(mkdtemp(place->directory));
	(void)snprintf(place->path, sizeof(place->path), "%s/case", place->directory);
}

static void place_close(struct place *place)
{
	cr_expect_eq(iq_file_remove_tree(place->directory, NULL), 0);
}

static size_t segments_of(const struct place *place)
{
	struct iq_store *store;
	size_t count;

	cr_assert_eq(iq_store_open(place->path, &store, NULL), 0);
	count = iq_store_segments(store);
	iq_store_close(store);
	return count;
}

static void expect_same(const struct place *place, struct iq_buf *before, unsigned seed)
{
	struct iq_buf after = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result result;

	cr_assert_eq(store_dump(place->path, &after, &error), 0, "seed %u: %s", seed, error.message);
	cr_expect(iq_view_eq(iq_buf_view(before), iq_buf_view(&after)), "seed %u: the store says something else", seed);
	cr_assert_eq(iq_store_verify(place->path, NULL, NULL, &result, &error), 0, "%s", error.message);
	cr_expect_eq(result.damages, 0, "seed %u", seed);
	iq_buf_release(&after);
}

static void compact(struct place *place, int level, struct iq_compact_result *ret_result)
{
	const struct iq_compact_options options = { .level = level };

	cr_assert_eq(iq_store_compact(place->path, &options, ret_result, &place->error), 0, "%s", place->error.message);
}

Test(compact, changes_nothing_but_the_files)
{
	const unsigned base = (unsigned)time(NULL);
	struct iq_compact_result result;

	for (unsigned seed = base; seed < base + 20; seed++) {
		struct iq_buf before = IQ_BUF_INIT;
		struct place place;

		place_open(&place);
		random_store_make(place.path, seed, 1 + seed % 6);
		cr_assert_eq(store_dump(place.path, &before, &place.error), 0, "%s", place.error.message);
		compact(&place, 3, &result);
		expect_same(&place, &before, seed);
		/* It goes on as it would have. */
		random_store_make(place.path, seed + 1, 1);
		iq_buf_clear(&before);
		cr_assert_eq(store_dump(place.path, &before, &place.error), 0);
		compact(&place, 3, &result);
		cr_expect_eq(result.segments_after, 1);
		cr_expect_eq(segments_of(&place), 1);
		expect_same(&place, &before, seed);
		iq_buf_release(&before);
		place_close(&place);
	}
}

Test(compact, leaves_alone_what_it_made)
{
	struct iq_compact_result result;
	struct place place;

	place_open(&place);
	random_store_make(place.path, 1, 3);
	compact(&place, 9, &result);
	cr_expect_eq(result.segments_before, 3);
	compact(&place, 9, &result);
	cr_expect_eq(result.bytes_before, result.bytes_after);
	/* Better is asked for. */
	compact(&place, 10, &result);
	cr_expect_eq(result.segments_after, 1);
	place_close(&place);
}

/* Chunks are filled up across the old segments, in the middle of an evidence. */
Test(compact, moves_events_from_chunk_to_chunk)
{
	struct iq_buf before = IQ_BUF_INIT;
	struct iq_compact_result result;
	struct place place;

	place_open(&place);
	for (unsigned i = 0; i < 2; i++) {
		struct iq_store_writer *writer;
		struct iq_evidence evidence;
		struct iq_event event = IQ_EVENT_INIT;
		char raw[32];

		cr_assert_eq(iq_store_writer_open(place.path, &writer, &place.error), 0);
		cr_assert_eq(iq_store_writer_evidence_begin(writer, IQ_LIT("a"), IQ_LIT("ndjson"), NULL), 0);
		event.kind = IQ_KIND_LOG;
		event.source = IQ_LIT("api");
		for (unsigned j = 0; j < 40000; j++) {
			struct iq_sink *sink = iq_store_writer_sink(writer);
			int len = snprintf(raw, sizeof(raw), "%s%u\n", j % 100 ? "" : "stray ", i + j);

			/* The stray bytes are a gap before the event. */
			cr_assert_eq(iq_store_writer_raw(writer, raw, (size_t)len, NULL), 0);
			event.offset += event.length + (j % 100 ? 0 : 6);
			event.length = (uint64_t)len - (j % 100 ? 0 : 6);
			event.body = iq_view_make(raw + (j % 100 ? 0 : 6), (size_t)event.length - 1);
			event.ts = j * 1000;
			cr_assert_eq(sink->event(sink->context, &event, NULL), 0);
		}
		cr_assert_eq(iq_store_writer_evidence_end(writer, &evidence, NULL), 0);
		cr_assert_eq(iq_store_writer_commit(writer, NULL), 0);
		iq_store_writer_free(writer);
	}
	cr_assert_eq(store_dump(place.path, &before, &place.error), 0, "%s", place.error.message);
	compact(&place, 3, &result);
	cr_expect_lt(result.bytes_after, result.bytes_before);
	expect_same(&place, &before, 0);
	iq_buf_release(&before);
	place_close(&place);
}

static int stop_at_once(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	return done < total;
}

Test(compact, that_is_interrupted_leaves_the_store_as_it_was)
{
	const struct iq_compact_options options = { .level = 3, .progress = stop_at_once };
	struct iq_buf before = IQ_BUF_INIT;
	struct iq_compact_result result;
	struct place place;

	place_open(&place);
	random_store_make(place.path, 7, 4);
	cr_assert_eq(store_dump(place.path, &before, &place.error), 0);
	cr_expect_eq(iq_store_compact(place.path, &options, &result, &place.error), IQ_ERR_INTERRUPTED);
	cr_expect_eq(segments_of(&place), 4);
	expect_same(&place, &before, 7);
	iq_buf_release(&before);
	place_close(&place);
}

/* A reader that opened the store before finds its files, even those that it opens only afterwards. */
Test(compact, takes_no_file_from_a_reader)
{
	struct iq_compact_result result;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	uint64_t count = 0;
	struct place place;

	place_open(&place);
	random_store_make(place.path, 11, 5);
	cr_assert_eq(iq_store_open_lazily(place.path, &store, NULL), 0);
	compact(&place, 3, &result);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, &place.error), 0, "%s", place.error.message);
	while (iq_cursor_next(cursor, &event, NULL) > 0)
		count++;
	cr_expect_eq(count, iq_store_event_count(store));
	iq_cursor_close(cursor);
	iq_store_close(store);
	/* The next change removes what nobody reads any more. */
	random_store_make(place.path, 12, 1);
	cr_expect_eq(segments_of(&place), 2);
	for (int i = 1; i <= 5; i++) {
		char file[160];

		(void)snprintf(file, sizeof(file), "%s/segments/%08d.seg", place.path, i);
		cr_expect_neq(access(file, F_OK), 0);
	}
	place_close(&place);
}

Test(compact, refuses_what_is_no_store_or_is_being_written)
{
	const struct iq_compact_options options = { .level = 3 };
	struct iq_compact_result result;
	struct iq_store_writer *writer;
	struct place place;

	place_open(&place);
	cr_expect_eq(iq_store_compact(place.path, &options, &result, &place.error), IQ_ERR_NOT_FOUND);
	cr_expect_neq(access(place.path, F_OK), 0, "nothing is made");
	random_store_make(place.path, 1, 2);
	iq_error_clear(&place.error);
	cr_assert_eq(iq_store_writer_open(place.path, &writer, &place.error), 0);
	cr_expect_eq(iq_store_compact(place.path, &options, &result, &place.error), IQ_ERR_BUSY);
	iq_store_writer_free(writer);
	place_close(&place);
}

/* ---- Dropping ---- */

/* One segment a day: session c<i % 2> of source proxy, an event at each end of the day. */
static void make_days(struct place *place, int first, int count)
{
	struct iq_store_writer *writer;

	cr_assert_eq(iq_store_writer_open(place->path, &writer, &place->error), 0, "%s", place->error.message);
	for (int day = first; day < first + count; day++) {
		struct iq_sink *sink = iq_store_writer_sink(writer);
		struct iq_event event = IQ_EVENT_INIT;
		struct iq_evidence evidence;
		char name[16], raw[32];

		(void)snprintf(name, sizeof(name), "day%d", day);
		cr_assert_eq(iq_store_writer_evidence_begin(writer, iq_view_cstr(name), IQ_LIT("ndjson"), NULL), 0);
		for (int i = 0; i < 2; i++) {
			int len = snprintf(raw, sizeof(raw), "day %d event %d\n", day, i);

			event.kind = day == 1 ? IQ_KIND_WS_OPEN : IQ_KIND_WS_MESSAGE;
			event.source = IQ_LIT("proxy");
			event.session = day % 2 ? IQ_LIT("c1") : IQ_LIT("c0");
			event.ts = day * 100 + i * 99;
			event.offset = (uint64_t)(i * len);
			event.length = (uint64_t)len;
			event.body = iq_view_make(raw, (size_t)len - 1);
			cr_assert_eq(iq_store_writer_raw(writer, raw, (size_t)len, NULL), 0);
			cr_assert_eq(sink->event(sink->context, &event, NULL), 0);
		}
		cr_assert_eq(iq_store_writer_evidence_end(writer, &evidence, NULL), 0);
		cr_assert_eq(iq_store_writer_commit(writer, NULL), 0);
	}
	iq_store_writer_free(writer);
}

static void drop(struct place *place, int64_t before, struct iq_drop_result *ret_result)
{
	cr_assert_eq(iq_store_drop(place->path, before, ret_result, &place->error), 0, "%s", place->error.message);
}

static uint64_t events_of(const struct place *place)
{
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	uint64_t count = 0;

	cr_assert_eq(iq_store_open(place->path, &store, NULL), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, NULL), 0);
	while (iq_cursor_next(cursor, &event, NULL) > 0)
		count++;
	cr_expect_eq(count, iq_store_event_count(store));
	iq_cursor_close(cursor);
	iq_store_close(store);
	return count;
}

static void expect_intact(const struct place *place, uint64_t dropped)
{
	struct iq_verify_result result;

	cr_assert_eq(iq_store_verify(place->path, NULL, NULL, &result, NULL), 0);
	cr_expect_eq(result.damages, 0);
	cr_expect_eq(result.dropped, dropped);
}

Test(drop, says_what_is_gone_and_keeps_every_number)
{
	struct iq_drop_result result;
	struct iq_store *store;
	struct iq_buf raw = IQ_BUF_INIT;
	struct place place;
	size_t count;

	place_open(&place);
	make_days(&place, 1, 5);
	drop(&place, 300, &result);
	cr_expect_eq(result.segments, 2);
	cr_expect_eq(result.events, 4);
	cr_expect_eq(result.raw, 4 * 14);
	cr_expect_eq(result.straddling, 0);
	cr_expect_eq(events_of(&place), 6);
	expect_intact(&place, 4 * 14);
	cr_assert_eq(iq_store_open(place.path, &store, NULL), 0);
	const struct iq_evidence *evidence = iq_store_evidence(store, &count);
	cr_assert_eq(count, 5);
	cr_expect_eq(evidence[0].bytes, 28);
	cr_expect_eq(evidence[0].accounted, 28);
	cr_expect_eq(evidence[0].dropped, 28);
	cr_expect_eq(evidence[0].records, 0);
	cr_expect_eq(evidence[0].gaps, 1);
	cr_expect_eq(evidence[2].dropped, 0);
	const struct iq_gap *gaps = iq_store_gaps(store, &count);
	cr_assert_eq(count, 2);
	cr_expect_eq(gaps[0].bytes, 28);
	cr_expect_eq(gaps[0].count, 2);
	cr_expect_eq(gaps[0].ts_min, 100);
	cr_expect_eq(gaps[0].ts_max, 199);
	cr_expect(iq_view_eq(gaps[0].source, IQ_LIT("proxy")));
	cr_expect(iq_view_starts_with(gaps[0].reason, IQ_LIT("dropped")));
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	cr_assert_eq(count, 2);
	cr_expect_eq(sessions[0].events, 4, "of six, on days 3 and 5");
	cr_expect(sessions[0].start_seen, "its beginning was seen, on day 1");
	cr_expect_eq(iq_store_read_raw(store, 1, 0, UINT64_MAX, &raw, &place.error), IQ_ERR_NOT_FOUND);
	cr_expect(strstr(place.error.message, "dropped") != NULL, "%s", place.error.message);
	cr_expect_eq(iq_store_read_raw(store, 3, 0, UINT64_MAX, &raw, NULL), 0);
	cr_expect_eq(raw.len, 28);
	iq_store_close(store);
	iq_buf_release(&raw);
	place_close(&place);
}

Test(drop, leaves_segments_that_hold_newer_events_too)
{
	struct iq_compact_result compacted;
	struct iq_drop_result result;
	struct place place;

	place_open(&place);
	make_days(&place, 1, 2);
	compact(&place, 3, &compacted);
	make_days(&place, 3, 1);
	drop(&place, 150, &result);
	cr_expect_eq(result.segments, 0);
	cr_expect_eq(result.straddling, 1);
	cr_expect_eq(events_of(&place), 6);
	drop(&place, 300, &result);
	cr_expect_eq(result.segments, 1);
	cr_expect_eq(events_of(&place), 2);
	place_close(&place);
}

/* What was dropped last is not given out again: not an id, not a session's number; and its evidence is still known. */
Test(drop, of_everything_can_be_continued)
{
	struct iq_drop_result result;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	struct place place;
	size_t count;

	place_open(&place);
	make_days(&place, 1, 3);
	drop(&place, 1000, &result);
	cr_expect_eq(events_of(&place), 0);
	make_days(&place, 4, 1);
	cr_assert_eq(iq_store_open(place.path, &store, NULL), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, NULL), 0);
	cr_assert_eq(iq_cursor_next(cursor, &event, NULL), 1);
	cr_expect_eq(event.id, 7);
	cr_expect_eq(event.session_no, 2);
	cr_expect_eq(event.evidence, 4);
	iq_cursor_close(cursor);
	(void)iq_store_sessions(store, &count);
	cr_expect_eq(count, 2);
	iq_store_close(store);
	expect_intact(&place, 6 * 14);
	place_close(&place);
}

/* Compacting what is left of dropped segments changes nothing that the store says. */
Test(drop, and_compact_go_together)
{
	const unsigned base = (unsigned)time(NULL);

	for (unsigned seed = base; seed < base + 10; seed++) {
		struct iq_compact_result compacted;
		struct iq_drop_result result;
		struct iq_buf before = IQ_BUF_INIT;
		struct place place;

		place_open(&place);
		random_store_make(place.path, seed, 2 + seed % 4);
		drop(&place, INT64_MAX, &result);
		random_store_make(place.path, seed + 1, 1 + seed % 3);
		cr_assert_eq(store_dump(place.path, &before, &place.error), 0, "seed %u: %s", seed,
			     place.error.message);
		compact(&place, 3, &compacted);
		cr_expect_eq(segments_of(&place), 1);
		expect_same(&place, &before, seed);
		iq_buf_release(&before);
		place_close(&place);
	}
}
