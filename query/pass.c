/* One pass over the events of a store.
 *
 * Instances that lie within one stream, and stores whose streams came one after the other, are read in the order of their
 * ids, columns at a time: texts are looked at only for the events whose instance they tell. Otherwise the streams are
 * merged by time first. */
#include <stdlib.h>

#include "query/checker.h"

/* Bits of a stream's name beyond those of a session's or a source's number. */
#define STREAM_OF_SOURCE 0x80000000u
/* Columns that are numbers or one of few names: they are read for every event. */
#define LIGHT_COLUMNS \
	(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | \
	 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_DIRECTION | 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_EVIDENCE)
/* Not a status: the store is not in the order of its times. */
#define OUT_OF_ORDER 1

static void note_session_end(struct iq_checker *checker, const struct iq_event *event)
{
	const struct iq_session *session;

	if (event->kind != IQ_KIND_WS_CLOSE && event->kind != IQ_KIND_NET_ERROR)
		return;
	session = iq_checker_session(checker, event->session_no);
	if (session)
		checker->session_ends[session - checker->sessions] = event->id;
}

static uint32_t needed_columns(const struct iq_spec *spec)
{
	uint32_t columns = LIGHT_COLUMNS;

	for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
		columns |= lifecycle->columns;
	return columns;
}

/* The number that the checker has for a type, IQ_SYMBOL_NONE for none. */
static int type_number(struct iq_checker *checker, struct iq_view type, uint32_t *ret_number)
{
	int rc;

	*ret_number = IQ_SYMBOL_NONE;
	if (!type.data)
		return 0;
	rc = iq_map_intern(&checker->types, type, ret_number);
	return rc < 0 || IQ_ARRAY_GROW(checker->named, checker->named_capacity, (size_t)*ret_number + 1) < 0
		       ? iq_checker_nomem(checker)
		       : 0;
}

/* ---- Merged by time ---- */

static int take_merged(struct iq_checker *checker, struct iq_cursor *cursor)
{
	struct iq_event event;
	int rc;

	while ((rc = iq_cursor_next(cursor, &event, checker->error)) > 0) {
		struct iq_seen seen = { .event = &event, .source = iq_checker_source(checker, event.source) };

		seen.stream = event.session_no ? event.session_no : STREAM_OF_SOURCE | seen.source;
		seen.at = iq_checker_aligned(checker, seen.source, event.ts);
		rc = type_number(checker, event.type, &seen.type);
		note_session_end(checker, &event);
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
	filter.columns = needed_columns(checker->spec);
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

/* The event at hand, and the block that it lies in. */
struct feed {
	struct iq_checker *checker;
	const struct iq_block *block;
	uint32_t row;
	uint64_t serial;
	uint32_t *types; /* by the block's codes: the checker's numbers */
	size_t type_capacity;
	struct iq_view *source_names; /* by number */
	size_t source_count;
	bool must_ascend;
	int64_t *reached; /* by session number, then by source number: the latest time of the stream */
	size_t sessions;
	int64_t merged; /* the latest time of all */
	struct iq_event event;
	char session_name[IQ_SESSION_NAME_SIZE];
	struct iq_buf texts[2]; /* key and attrs of the event at hand */
};

static int load_text(struct feed *feed, enum iq_column column, struct iq_view *ret_text, struct iq_buf *copy)
{
	bool is_binary;
	int rc = iq_block_text(feed->block, column, feed->row, ret_text, &is_binary, feed->checker->error);

	if (rc < 0)
		return rc;
	if (column == IQ_COLUMN_BODY)
		feed->event.body_is_binary = is_binary;
	/* The next text of the block may lie where this one does. */
	if (copy && ret_text->data) {
		iq_buf_clear(copy);
		if (iq_buf_append(copy, *ret_text) < 0)
			return iq_checker_nomem(feed->checker);
		*ret_text = iq_buf_view(copy);
	}
	return 0;
}

static int load(void *context, uint32_t columns)
{
	struct feed *feed = context;
	struct iq_event *event = &feed->event;
	int rc = 0;

	if (columns & 1u << IQ_COLUMN_SESSION && event->session_no)
		event->session = iq_session_name(event->session_no, feed->session_name);
	if (columns & 1u << IQ_COLUMN_KEY)
		rc = load_text(feed, IQ_COLUMN_KEY, &event->key, &feed->texts[0]);
	if (rc == 0 && columns & 1u << IQ_COLUMN_ATTRS)
		rc = load_text(feed, IQ_COLUMN_ATTRS, &event->attrs, &feed->texts[1]);
	if (rc == 0 && columns & 1u << IQ_COLUMN_BODY)
		rc = load_text(feed, IQ_COLUMN_BODY, &event->body, NULL);
	return rc;
}

static int enter_block(struct feed *feed, const struct iq_block *block)
{
	int rc = 0;

	if (block->serial == feed->serial && feed->block)
		return 0;
	feed->block = block;
	feed->serial = block->serial;
	if (IQ_ARRAY_GROW(feed->types, feed->type_capacity, block->type_count + 1) < 0)
		return iq_checker_nomem(feed->checker);
	for (size_t i = 0; i <= block->type_count && rc == 0; i++)
		rc = type_number(feed->checker, block->types[i], &feed->types[i]);
	return rc;
}

static int64_t number(const struct feed *feed, enum iq_column column)
{
	return feed->block->numbers[column] ? feed->block->numbers[column][feed->row] : 0;
}

static void fill_event(struct feed *feed, struct iq_seen *seen)
{
	const struct iq_block *block = feed->block;
	int64_t type = number(feed, IQ_COLUMN_TYPE);
	struct iq_event *event = &feed->event;

	event->id = block->numbers[IQ_COLUMN_ID] ? (uint64_t)number(feed, IQ_COLUMN_ID) : block->id_first + feed->row;
	event->ts = block->numbers[IQ_COLUMN_TS] ? number(feed, IQ_COLUMN_TS) : IQ_TIME_NONE;
	event->session_no = (uint32_t)number(feed, IQ_COLUMN_SESSION);
	event->kind = (enum iq_kind)number(feed, IQ_COLUMN_KIND);
	event->direction = (enum iq_direction)number(feed, IQ_COLUMN_DIRECTION);
	event->severity = (enum iq_severity)number(feed, IQ_COLUMN_SEVERITY);
	event->evidence = (uint32_t)number(feed, IQ_COLUMN_EVIDENCE);
	event->type = block->types[type];
	event->session = event->key = event->attrs = event->body = IQ_VIEW_NULL;
	seen->source = (uint32_t)number(feed, IQ_COLUMN_SOURCE);
	event->source = seen->source < feed->source_count ? feed->source_names[seen->source] : IQ_VIEW_NULL;
	seen->type = feed->types[type];
	seen->stream = event->session_no ? event->session_no : STREAM_OF_SOURCE | seen->source;
	seen->at = iq_checker_aligned(feed->checker, seen->source, event->ts);
	seen->loaded = LIGHT_COLUMNS & ~(1u << IQ_COLUMN_SESSION);
}

/* Would merging the streams leave the event where it is? */
static bool ascends(struct feed *feed, const struct iq_seen *seen)
{
	size_t stream = feed->event.session_no ? feed->event.session_no : feed->sessions + seen->source;
	int64_t *reached = &feed->reached[stream];

	*reached = seen->at > *reached ? seen->at : *reached;
	if (*reached < feed->merged)
		return false;
	feed->merged = *reached;
	return true;
}

static int take_run(struct feed *feed, const struct iq_run *run)
{
	struct iq_seen seen = { .event = &feed->event, .load = load, .load_context = feed };
	int rc = enter_block(feed, run->block);

	for (uint64_t i = 0; i < run->count && rc == 0; i++) {
		feed->row = run->rows[i];
		fill_event(feed, &seen);
		if (feed->must_ascend && !ascends(feed, &seen))
			return OUT_OF_ORDER;
		note_session_end(feed->checker, &feed->event);
		if (feed->checker->gap_count > 0)
			rc = iq_darkness_up_to(feed->checker, feed->event.id);
		if (rc == 0)
			rc = iq_follow(feed->checker, &seen);
	}
	return rc;
}

static int take_scan(struct feed *feed, const struct iq_test *test)
{
	const struct iq_scan_options options = { .tests = test,
						 .test_count = test ? 1 : 0,
						 .columns = needed_columns(feed->checker->spec) };
	struct iq_scan *scan;
	struct iq_run run;
	int rc = iq_scan_open(feed->checker->store, &options, &scan, feed->checker->error);

	if (rc < 0)
		return rc;
	while ((rc = iq_scan_next(scan, &run, feed->checker->error)) > 0) {
		rc = take_run(feed, &run);
		if (rc != 0)
			break;
	}
	iq_scan_close(scan);
	return rc < 0 || rc == OUT_OF_ORDER ? rc : iq_darkness_up_to(feed->checker, UINT64_MAX);
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
static int take_needed(struct feed *feed)
{
	struct iq_checker *checker = feed->checker;
	struct iq_test test = { .column = IQ_COLUMN_SESSION };
	struct iq_range *ranges;
	int rc;

	if (checker->chosen.count == 0 || checker->chosen_all)
		return take_scan(feed, NULL);
	ranges = calloc(checker->chosen_room, sizeof(*ranges));
	if (!ranges)
		return iq_checker_nomem(checker);
	test.ranges = ranges;
	test.range_count = list_sessions(checker, ranges);
	rc = take_scan(feed, &test);
	free(ranges);
	return rc;
}

static int prepare_feed(struct feed *feed)
{
	const struct iq_checker *checker = feed->checker;
	size_t sources;
	const struct iq_source *source = iq_store_sources(checker->store, &sources);
	uint32_t last_session = checker->session_count ? checker->sessions[checker->session_count - 1].no : 0;

	feed->source_count = checker->horizon_count;
	feed->sessions = (size_t)last_session + 1;
	feed->source_names = calloc(feed->source_count, sizeof(*feed->source_names));
	feed->reached = malloc((feed->sessions + feed->source_count) * sizeof(*feed->reached));
	if (!feed->source_names || !feed->reached)
		return iq_checker_nomem(feed->checker);
	for (size_t i = 0; i < sources; i++)
		feed->source_names[source[i].no] = source[i].name;
	for (size_t i = 0; i < feed->sessions + feed->source_count; i++)
		feed->reached[i] = IQ_TIME_NONE;
	return 0;
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
	struct feed feed = { .checker = checker,
			     .event = IQ_EVENT_INIT,
			     .must_ascend = !is_within_streams(checker),
			     .merged = IQ_TIME_NONE };
	int rc = prepare_feed(&feed);

	if (rc == 0)
		rc = take_needed(&feed);
	free(feed.types);
	free(feed.source_names);
	free(feed.reached);
	iq_buf_release(&feed.texts[0]);
	iq_buf_release(&feed.texts[1]);
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
