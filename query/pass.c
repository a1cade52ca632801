/* One pass over the events of a store.
 *
 * Instances that lie within one stream, and stores whose streams came one after the other, are read in the order of their
 * ids, columns at a time: texts are looked at only for the events whose instance they tell. Otherwise the streams are
 * merged by time first. */
#include <stdlib.h>

#include "query/lane.h"

/* Not a status: the store is not in the order of its times. */
#define OUT_OF_ORDER 1

static void note_session_end(struct iq_checker *checker, enum iq_kind kind, uint32_t session_no, uint64_t id)
{
	const struct iq_session *session;

	if (kind != IQ_KIND_WS_CLOSE && kind != IQ_KIND_NET_ERROR)
		return;
	session = iq_checker_session(checker, session_no);
	if (session)
		checker->session_ends[session - checker->sessions] = id;
}

/* Which evidence an event lies in matters to gaps. */
static uint32_t needed_columns(const struct iq_checker *checker)
{
	uint32_t columns = IQ_LIGHT_COLUMNS | (checker->gap_count ? 1u << IQ_COLUMN_EVIDENCE : 0);

	for (const struct iq_lifecycle *lifecycle = checker->spec->first; lifecycle; lifecycle = lifecycle->next)
		columns |= lifecycle->columns;
	return columns;
}

/* ---- Merged by time ---- */

static int take_merged(struct iq_checker *checker, struct iq_cursor *cursor)
{
	struct iq_event event;
	int rc;

	while ((rc = iq_cursor_next(cursor, &event, checker->error)) > 0) {
		struct iq_seen seen = { .event = &event, .source = iq_checker_source(checker, event.source) };

		seen.stream = event.session_no ? event.session_no : IQ_STREAM_OF_SOURCE | seen.source;
		seen.at = iq_checker_aligned(checker, seen.source, event.ts);
		rc = iq_feed_type(checker, event.type, &seen.type);
		note_session_end(checker, event.kind, event.session_no, event.id);
		if (rc == 0)
			rc = iq_follow(checker, &seen);
		if (rc == 0 && checker->gap_count > 0)
			rc = iq_darkness_after(checker, event.id);
		if (rc < 0)
			break;
	}
	return rc;
}

static int pass_by_time(struct iq_checker *checker)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	int rc;

	filter.order = IQ_ORDER_TIME;
	filter.columns = needed_columns(checker);
	rc = iq_darkness_after(checker, 0);
	if (rc == 0)
		rc = iq_cursor_open(checker->store, &filter, &cursor, checker->error);
	if (rc < 0)
		return rc;
	rc = take_merged(checker, cursor);
	iq_cursor_close(cursor);
	return rc;
}

/* ---- By id ---- */

struct pass {
	struct iq_checker *checker;
	struct iq_feed feed;
	struct iq_lane *lanes;
	size_t lane_count;
	struct iq_follower **slow; /* lifecycles without a lane */
	size_t slow_count;
	bool must_ascend;
	int64_t *reached; /* by session number, then by source number: the latest time of the stream */
	size_t sessions;
	int64_t merged; /* the latest time of all */
};

static int enter_block(struct pass *pass, const struct iq_block *block)
{
	int rc = iq_feed_enter(&pass->feed, block);

	for (size_t i = 0; i < pass->lane_count && rc == 0; i++)
		rc = iq_lane_enter(&pass->lanes[i], &pass->feed);
	return rc;
}

/* Would merging the streams leave the event where it is? */
static bool ascends(struct pass *pass, const struct iq_block *block, uint32_t row)
{
	const uint32_t session = (uint32_t)iq_feed_number(block, IQ_COLUMN_SESSION, row);
	const uint32_t source = (uint32_t)iq_feed_number(block, IQ_COLUMN_SOURCE, row);
	const int64_t at = iq_checker_aligned(pass->checker, source, iq_feed_number(block, IQ_COLUMN_TS, row));
	int64_t *reached = &pass->reached[session ? session : pass->sessions + source];

	*reached = at > *reached ? at : *reached;
	if (*reached < pass->merged)
		return false;
	pass->merged = *reached;
	return true;
}

static bool run_ascends(struct pass *pass, const struct iq_run *run)
{
	bool does = true;

	for (uint64_t i = 0; i < run->count && does; i++)
		does = ascends(pass, run->block, run->rows[i]);
	return does;
}

static void note_session_ends(struct iq_checker *checker, const struct iq_run *run)
{
	const int64_t *kinds = run->block->numbers[IQ_COLUMN_KIND];

	for (uint64_t i = 0; i < run->count; i++)
		note_session_end(checker, (enum iq_kind)kinds[run->rows[i]],
				 (uint32_t)iq_feed_number(run->block, IQ_COLUMN_SESSION, run->rows[i]),
				 iq_feed_id(run->block, run->rows[i]));
}

/* Rows from `from` on among which no gap has to be looked at. */
static uint64_t stretch_end(struct iq_checker *checker, const struct iq_run *run, uint64_t from)
{
	const uint64_t cut = iq_darkness_cut(checker, iq_feed_id(run->block, run->rows[from]));
	const int64_t evidence = iq_feed_number(run->block, IQ_COLUMN_EVIDENCE, run->rows[from]);
	uint64_t end = from + 1;

	while (end < run->count && iq_feed_id(run->block, run->rows[end]) < cut &&
	       iq_feed_number(run->block, IQ_COLUMN_EVIDENCE, run->rows[end]) == evidence)
		end++;
	return end;
}

static int take_slowly(struct pass *pass, const uint32_t *rows, uint64_t count)
{
	struct iq_seen seen;
	int rc = 0;

	for (uint64_t i = 0; i < count && pass->slow_count > 0 && rc == 0; i++) {
		iq_feed_fill(&pass->feed, rows[i], &seen);
		for (size_t j = 0; j < pass->slow_count && rc == 0; j++)
			rc = iq_follow_one(pass->checker, pass->slow[j], &seen);
	}
	return rc;
}

static int take_stretch(struct pass *pass, const struct iq_run *run, uint64_t from, uint64_t end)
{
	struct iq_checker *checker = pass->checker;
	int rc = 0;

	if (checker->gap_count > 0) {
		checker->stretch++;
		rc = iq_darkness_up_to(checker, iq_feed_id(run->block, run->rows[from]));
	}
	for (size_t i = 0; i < pass->lane_count && rc == 0; i++)
		rc = iq_lane_take(&pass->lanes[i], &pass->feed, run->rows + from, end - from);
	return rc < 0 ? rc : take_slowly(pass, run->rows + from, end - from);
}

static int take_run(struct pass *pass, const struct iq_run *run)
{
	int rc = run->block->serial != pass->feed.serial ? enter_block(pass, run->block) : 0;

	if (rc == 0 && pass->must_ascend && !run_ascends(pass, run))
		return OUT_OF_ORDER;
	note_session_ends(pass->checker, run);
	for (uint64_t from = 0, end; from < run->count && rc == 0; from = end) {
		end = pass->checker->gap_count ? stretch_end(pass->checker, run, from) : run->count;
		rc = take_stretch(pass, run, from, end);
	}
	return rc;
}

static bool any_lane_by_key(const struct pass *pass)
{
	for (size_t i = 0; i < pass->lane_count; i++)
		if (!pass->lanes[i].follower->by_session)
			return true;
	return false;
}

static int take_scan(struct pass *pass, const struct iq_test *test)
{
	struct iq_checker *checker = pass->checker;
	const struct iq_scan_options options = { .tests = test,
						 .test_count = test ? 1 : 0,
						 .columns = needed_columns(checker),
						 .number_keys = any_lane_by_key(pass) };
	struct iq_scan *scan;
	struct iq_run run;
	int rc = iq_scan_open(checker->store, &options, &scan, checker->error);

	if (rc < 0)
		return rc;
	while ((rc = iq_scan_next(scan, &run, checker->error)) > 0) {
		rc = take_run(pass, &run);
		if (rc != 0)
			break;
	}
	iq_scan_close(scan);
	return rc < 0 || rc == OUT_OF_ORDER ? rc : iq_darkness_up_to(checker, UINT64_MAX);
}

/* The sessions of what is to be explained, as ranges of their numbers; the number of these. */
static size_t list_sessions(const struct iq_checker *checker, struct iq_range *ranges)
{
	size_t count = 0;

	for (size_t no = 1; no < checker->chosen_room; no++) {
		if (!checker->chosen_sessions[no])
			continue;
		if (count > 0 && ranges[count - 1].max == (int64_t)no - 1)
			ranges[count - 1].max++;
		else
			ranges[count++] = (struct iq_range){ (int64_t)no, (int64_t)no };
	}
	return count;
}

/* In a second pass, only what has to be read again. */
static int take_needed(struct pass *pass)
{
	struct iq_checker *checker = pass->checker;
	struct iq_test test = { .column = IQ_COLUMN_SESSION };
	struct iq_range *ranges;
	int rc;

	if (checker->chosen.count == 0 || checker->chosen_all)
		return take_scan(pass, NULL);
	ranges = calloc(checker->chosen_room, sizeof(*ranges));
	if (!ranges)
		return iq_checker_nomem(checker);
	test.ranges = ranges;
	test.range_count = list_sessions(checker, ranges);
	rc = take_scan(pass, &test);
	free(ranges);
	return rc;
}

/* Lifecycles with a lane, and the others in their order. */
static int sort_followers(struct pass *pass)
{
	struct iq_checker *checker = pass->checker;
	const size_t count = checker->follower_count + 1;

	pass->lanes = calloc(count, sizeof(*pass->lanes));
	pass->slow = calloc(count, sizeof(struct iq_follower *));
	if (!pass->lanes || !pass->slow)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < checker->follower_count; i++) {
		if (iq_lane_init(&checker->followers[i], &pass->lanes[pass->lane_count]))
			pass->lane_count++;
		else
			pass->slow[pass->slow_count++] = &checker->followers[i];
	}
	return 0;
}

static int prepare(struct pass *pass)
{
	const struct iq_checker *checker = pass->checker;
	uint32_t last_session = checker->session_count ? checker->sessions[checker->session_count - 1].no : 0;
	int rc = iq_feed_init(pass->checker, &pass->feed);

	pass->merged = IQ_TIME_NONE;
	pass->sessions = (size_t)last_session + 1;
	pass->reached = malloc((pass->sessions + checker->horizon_count) * sizeof(*pass->reached));
	if (rc < 0 || !pass->reached)
		return iq_checker_nomem(pass->checker);
	for (size_t i = 0; i < pass->sessions + checker->horizon_count; i++)
		pass->reached[i] = IQ_TIME_NONE;
	return sort_followers(pass);
}

static void release(struct pass *pass)
{
	for (size_t i = 0; i < pass->lane_count; i++)
		iq_lane_release(&pass->lanes[i]);
	free(pass->lanes);
	free(pass->slow);
	free(pass->reached);
	iq_feed_release(&pass->feed);
}

/* Does every instance lie within one session? */
static bool has_session_key(const struct iq_lifecycle *lifecycle)
{
	for (size_t i = 0; i < lifecycle->key_count; i++)
		if (lifecycle->key[i].place == IQ_FIELD_COLUMN && lifecycle->key[i].column == IQ_COLUMN_SESSION)
			return true;
	return false;
}

static bool is_within_streams(const struct iq_checker *checker)
{
	for (size_t i = 0; i < checker->follower_count; i++)
		if (!checker->followers[i].parent && !has_session_key(checker->followers[i].lifecycle))
			return false;
	return true;
}

static int pass_by_id(struct iq_checker *checker)
{
	struct pass pass = { .checker = checker, .must_ascend = !is_within_streams(checker) };
	int rc = prepare(&pass);

	checker->stretch = 1;
	if (rc == 0)
		rc = take_needed(&pass);
	release(&pass);
	return rc;
}

int iq_pass(struct iq_checker *checker)
{
	int rc = checker->merge ? OUT_OF_ORDER : pass_by_id(checker);

	if (rc != OUT_OF_ORDER)
		return rc;
	if (!checker->merge)
		iq_checker_reset(checker);
	checker->merge = true;
	return pass_by_time(checker);
}
