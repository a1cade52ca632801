#include "store/select.h"

#include <stdlib.h>
#include <string.h>

#include "store/filter.h"

/* Columns with a fixed set of names have no more of them. */
#define MAX_NAMES 32u
/* Fewer rows than these are put together and looked at. */
#define WORTH_A_SEARCH 64u

static bool is_text(enum iq_column column)
{
	return column == IQ_COLUMN_KEY || column == IQ_COLUMN_BODY || column == IQ_COLUMN_ATTRS;
}

struct iq_view iq_session_name(uint32_t no, char name[IQ_SESSION_NAME_SIZE])
{
	char *at = name + IQ_SESSION_NAME_SIZE;

	for (; no >= 10; no /= 10)
		*--at = (char)('0' + no % 10);
	*--at = (char)('0' + no);
	*--at = 's';
	return iq_view_make(at, (size_t)(name + IQ_SESSION_NAME_SIZE - at));
}

struct iq_view iq_select_source(const struct iq_segment *segment, uint32_t no)
{
	return no ? segment->outside.source(segment->outside.context, no) : IQ_VIEW_NULL;
}

struct iq_view iq_select_name(enum iq_column column, int64_t number)
{
	const char *name = column == IQ_COLUMN_KIND	   ? iq_kind_name((enum iq_kind)number)
			   : column == IQ_COLUMN_DIRECTION ? iq_direction_name((enum iq_direction)number)
							   : iq_severity_name((enum iq_severity)number);

	return name ? iq_view_cstr(name) : IQ_VIEW_NULL;
}

/* ---- One value ---- */

static bool in_ranges(const struct iq_test *test, int64_t number)
{
	size_t low = 0, high = test->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (test->ranges[middle].max < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < test->range_count && test->ranges[low].min <= number;
}

static bool number_passes(const struct iq_test *test, int64_t number)
{
	return number == IQ_NUMBER_NONE ? test->nulls : in_ranges(test, number);
}

static bool text_passes(const struct iq_test *test, struct iq_view text)
{
	return test->accept(test->context, text, false);
}

static bool session_passes(const struct iq_test *test, uint32_t no)
{
	char name[IQ_SESSION_NAME_SIZE];

	if (!test->accept)
		return no ? in_ranges(test, no) : test->nulls;
	return text_passes(test, no ? iq_session_name(no, name) : IQ_VIEW_NULL);
}

/* Can a number between the two pass? */
static bool span_may_pass(const struct iq_test *test, int64_t min, int64_t max)
{
	for (size_t i = 0; i < test->range_count; i++)
		if (test->ranges[i].min <= max && test->ranges[i].max >= min)
			return true;
	return false;
}

static bool span_passes(const struct iq_test *test, int64_t min, int64_t max)
{
	for (size_t i = 0; i < test->range_count; i++)
		if (test->ranges[i].min <= min && test->ranges[i].max >= max)
			return true;
	return false;
}

/* ---- A segment ---- */

static bool summary_has_session(const struct iq_test *test, const struct iq_summary *summary)
{
	if (test->accept || test->nulls)
		return true;
	for (size_t i = 0; i < summary->session_count; i++)
		if (span_may_pass(test, (int64_t)summary->sessions[i].first, (int64_t)summary->sessions[i].last))
			return true;
	return false;
}

static bool summary_has_source(const struct iq_test *test, const struct iq_summary *summary)
{
	bool may = text_passes(test, IQ_VIEW_NULL);

	for (size_t i = 0; i < summary->source_count && !may; i++)
		may = text_passes(test, summary->sources[i].name);
	return may;
}

static bool summary_has_type(const struct iq_test *test, const struct iq_summary *summary)
{
	bool may = !summary->types_known;

	for (size_t i = 0; i < summary->type_count && !may; i++)
		may = text_passes(test, summary->types[i]);
	return may;
}

static bool has_kind(const struct iq_test *test, uint32_t kinds)
{
	for (unsigned kind = 0; kind < IQ_KIND_COUNT; kind++)
		if (kinds >> kind & 1 && text_passes(test, iq_select_name(IQ_COLUMN_KIND, kind)))
			return true;
	return false;
}

static bool summary_may_pass(const struct iq_test *test, const struct iq_summary *summary)
{
	switch (test->column) {
	case IQ_COLUMN_ID:
		return span_may_pass(test, (int64_t)summary->ids.first, (int64_t)summary->ids.last);
	case IQ_COLUMN_TS:
		return test->nulls || span_may_pass(test, summary->ts_min, summary->ts_max);
	case IQ_COLUMN_SESSION:
		return summary_has_session(test, summary);
	case IQ_COLUMN_SOURCE:
		return summary_has_source(test, summary);
	case IQ_COLUMN_KIND:
		return has_kind(test, summary->kinds);
	case IQ_COLUMN_TYPE:
		return summary_has_type(test, summary);
	default:
		return true;
	}
}

bool iq_select_summary(const struct iq_tests *tests, const struct iq_summary *summary)
{
	for (size_t i = 0; i < tests->count; i++)
		if (!summary_may_pass(&tests->items[i], summary))
			return false;
	return true;
}

/* ---- A zone ---- */

/* How many of the zone's events pass, where its lists tell. */
static uint64_t count_sessions(const struct iq_test *test, const struct iq_zone *zone)
{
	uint64_t events = 0;

	for (size_t i = 0; i < zone->session_count; i++)
		if (session_passes(test, zone->sessions[i].no))
			events += zone->sessions[i].value;
	return events;
}

static uint64_t count_sources(const struct iq_test *test, const struct iq_zone *zone, const struct iq_segment *segment)
{
	uint64_t events = 0;

	for (size_t i = 0; i < zone->source_count; i++)
		if (text_passes(test, iq_select_source(segment, zone->sources[i].no)))
			events += zone->sources[i].value;
	return events;
}

static uint64_t count_types(const struct iq_test *test, const struct iq_zone *zone)
{
	uint64_t events = 0;

	for (size_t i = 0; i < zone->type_count; i++)
		if (text_passes(test, zone->types[i].name))
			events += zone->types[i].events;
	return events;
}

/* Which part of [min, max] the ranges cover. */
static double covered(const struct iq_test *test, int64_t min, int64_t max)
{
	double whole = (double)max - (double)min + 1, part = 0;

	for (size_t i = 0; i < test->range_count; i++) {
		int64_t from = test->ranges[i].min > min ? test->ranges[i].min : min;
		int64_t to = test->ranges[i].max < max ? test->ranges[i].max : max;

		if (from <= to)
			part += (double)to - (double)from + 1;
	}
	return part / whole;
}

static double time_share(const struct iq_test *test, const struct iq_zone *zone)
{
	double nulls = (double)zone->ts_nulls / zone->rows;
	double part = test->nulls ? nulls : 0;

	return zone->ts_nulls < zone->rows ? part + (1 - nulls) * covered(test, zone->ts_min, zone->ts_max) : part;
}

/* For what no zone map tells: an equality leaves little, a range a part, a search little. */
static double guess(const struct iq_test *test)
{
	if (test->accept)
		return test->literal_count ? 0.01 : 0.3;
	return test->range_count == 1 && test->ranges[0].min != test->ranges[0].max ? 0.3 : 0.01;
}

double iq_select_share(const struct iq_test *test, const struct iq_zone *zone, const struct iq_segment *segment)
{
	switch (test->column) {
	case IQ_COLUMN_ID:
		return covered(test, (int64_t)zone->id_first, (int64_t)(zone->id_first + zone->rows - 1));
	case IQ_COLUMN_TS:
		return time_share(test, zone);
	case IQ_COLUMN_SESSION:
		return (double)count_sessions(test, zone) / zone->rows;
	case IQ_COLUMN_SOURCE:
		return (double)count_sources(test, zone, segment) / zone->rows;
	case IQ_COLUMN_TYPE:
		return (double)count_types(test, zone) / zone->rows;
	case IQ_COLUMN_KIND:
		return has_kind(test, zone->kinds) ? 1.0 / __builtin_popcount(zone->kinds | 1) : 0;
	default:
		return guess(test);
	}
}

/* Sessions by number: few are looked for among many. */
static bool zone_has_session(const struct iq_test *test, const struct iq_zone *zone)
{
	size_t low = 0, high = zone->session_count;

	if (test->accept || test->nulls || test->range_count != 1)
		return count_sessions(test, zone) > 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->sessions[middle].no < test->ranges[0].min)
			low = middle + 1;
		else
			high = middle;
	}
	return low < zone->session_count && zone->sessions[low].no <= test->ranges[0].max;
}

static bool zone_may_pass(const struct iq_test *test, const struct iq_zone *zone, const struct iq_segment *segment)
{
	switch (test->column) {
	case IQ_COLUMN_ID:
		return span_may_pass(test, (int64_t)zone->id_first, (int64_t)(zone->id_first + zone->rows - 1));
	case IQ_COLUMN_TS:
		return (test->nulls && zone->ts_nulls > 0) ||
		       (zone->ts_min <= zone->ts_max && span_may_pass(test, zone->ts_min, zone->ts_max));
	case IQ_COLUMN_LENGTH:
		return span_may_pass(test, zone->length_min, zone->length_max);
	case IQ_COLUMN_SESSION:
		return zone_has_session(test, zone);
	case IQ_COLUMN_SOURCE:
		return count_sources(test, zone, segment) > 0;
	case IQ_COLUMN_TYPE:
		return count_types(test, zone) > 0;
	case IQ_COLUMN_KIND:
		return has_kind(test, zone->kinds);
	default:
		return true;
	}
}

bool iq_select_zone(const struct iq_tests *tests, const struct iq_zone *zone, const struct iq_segment *segment)
{
	for (size_t i = 0; i < tests->count; i++)
		if (!zone_may_pass(&tests->items[i], zone, segment))
			return false;
	return true;
}

/* Does everything in the zone pass? Then its column need not be decoded. */
static bool zone_passes(const struct iq_test *test, const struct iq_zone *zone, const struct iq_segment *segment)
{
	switch (test->column) {
	case IQ_COLUMN_ID:
		return span_passes(test, (int64_t)zone->id_first, (int64_t)(zone->id_first + zone->rows - 1));
	case IQ_COLUMN_TS:
		return (test->nulls || zone->ts_nulls == 0) &&
		       (zone->ts_min > zone->ts_max || span_passes(test, zone->ts_min, zone->ts_max));
	case IQ_COLUMN_LENGTH:
		return span_passes(test, zone->length_min, zone->length_max);
	case IQ_COLUMN_SOURCE:
		return count_sources(test, zone, segment) == zone->rows;
	case IQ_COLUMN_TYPE:
		return count_types(test, zone) == zone->rows;
	default:
		return false;
	}
}

bool iq_select_whole_zone(const struct iq_tests *tests, const struct iq_zone *zone, const struct iq_segment *segment)
{
	for (size_t i = 0; i < tests->count; i++)
		if (!zone_passes(&tests->items[i], zone, segment))
			return false;
	return true;
}

/* ---- Rows, by numbers ---- */

struct selection {
	struct iq_segment *segment;
	struct iq_chunk *chunk;
	uint32_t *rows;
	uint32_t count;
	struct iq_error *error;
};

static int load(struct selection *selection, unsigned column)
{
	if (column == IQ_COLUMN_OFFSET || column == IQ_COLUMN_LENGTH)
		return iq_segment_locate(selection->segment, selection->chunk, selection->error);
	return iq_chunk_load(selection->chunk, 1u << column, selection->error);
}

static void keep_ids(const struct iq_test *test, struct selection *selection)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < selection->count; i++)
		if (in_ranges(test, (int64_t)iq_chunk_id(selection->chunk, selection->rows[i])))
			selection->rows[kept++] = selection->rows[i];
	selection->count = kept;
}

/* IQ_NUMBER_NONE is the smallest number of all: no range holds it. */
static void keep_range(const struct iq_test *test, const int64_t *numbers, struct selection *selection)
{
	const struct iq_range range = test->ranges[0];
	const int64_t min = range.min > IQ_NUMBER_NONE ? range.min : IQ_NUMBER_NONE + 1;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < selection->count; i++) {
		const uint32_t row = selection->rows[i];

		selection->rows[kept] = row;
		kept += numbers[row] >= min && numbers[row] <= range.max;
	}
	selection->count = kept;
}

static void keep_numbers(const struct iq_test *test, const int64_t *numbers, struct selection *selection)
{
	uint32_t kept = 0;

	if (test->range_count == 1 && !test->nulls) {
		keep_range(test, numbers, selection);
		return;
	}
	for (uint32_t i = 0; i < selection->count; i++)
		if (number_passes(test, numbers[selection->rows[i]]))
			selection->rows[kept++] = selection->rows[i];
	selection->count = kept;
}

static int select_numbers(const struct iq_test *test, struct selection *selection)
{
	struct iq_chunk *chunk = selection->chunk;
	int rc = load(selection, test->column);

	if (rc < 0)
		return rc;
	if (test->column == IQ_COLUMN_ID)
		keep_ids(test, selection);
	else if (test->column == IQ_COLUMN_OFFSET)
		keep_numbers(test, (const int64_t *)chunk->offsets, selection);
	else if (test->column == IQ_COLUMN_LENGTH)
		keep_numbers(test, (const int64_t *)chunk->lengths, selection);
	else
		keep_numbers(test, chunk->numbers[test->column], selection);
	return 0;
}

/* ---- Rows, by codes ---- */

static void keep_codes(const int64_t *codes, const bool *passes, struct selection *selection)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < selection->count; i++) {
		const uint32_t row = selection->rows[i];

		selection->rows[kept] = row;
		kept += passes[codes[row]];
	}
	selection->count = kept;
}

static int select_names(const struct iq_test *test, struct selection *selection)
{
	bool passes[MAX_NAMES];
	int rc = load(selection, test->column);

	for (unsigned i = 0; i < MAX_NAMES; i++)
		passes[i] = text_passes(test, iq_select_name(test->column, i));
	if (rc == 0)
		keep_codes(selection->chunk->numbers[test->column], passes, selection);
	return rc;
}

static int select_types(const struct iq_test *test, struct selection *selection)
{
	struct iq_chunk *chunk = selection->chunk;
	bool *passes;
	int rc = load(selection, IQ_COLUMN_TYPE);

	if (rc < 0)
		return rc;
	passes = iq_arena_alloc(&chunk->memory, (chunk->type_count + 1) * sizeof(*passes));
	if (!passes)
		return iq_error_nomem(selection->error);
	for (size_t i = 0; i <= chunk->type_count; i++)
		passes[i] = text_passes(test, chunk->types[i]);
	keep_codes(chunk->numbers[IQ_COLUMN_TYPE], passes, selection);
	return 0;
}

/* Sources are few, and mostly the same one for many rows. */
static int select_sources(const struct iq_test *test, struct selection *selection)
{
	const int64_t *numbers;
	int64_t last = -1;
	bool passes = false;
	uint32_t kept = 0;
	int rc = load(selection, IQ_COLUMN_SOURCE);

	if (rc < 0)
		return rc;
	numbers = selection->chunk->numbers[IQ_COLUMN_SOURCE];
	for (uint32_t i = 0; i < selection->count; i++) {
		const uint32_t row = selection->rows[i];

		if (numbers[row] != last) {
			last = numbers[row];
			passes = text_passes(test, iq_select_source(selection->segment, (uint32_t)last));
		}
		if (passes)
			selection->rows[kept++] = row;
	}
	selection->count = kept;
	return 0;
}

/* Rows of few sessions are found by the session order; the mark says which of the rows at hand remain. */
static int select_sessions(const struct iq_test *test, struct selection *selection)
{
	struct iq_chunk *chunk = selection->chunk;
	const struct iq_zone *zone = chunk->zone;
	bool *marks;
	uint32_t at = 0, kept = 0;
	int rc;

	if (chunk->narrowed && !session_passes(test, zone->sessions[chunk->place].no))
		selection->count = 0;
	if (chunk->narrowed)
		return 0;
	rc = load(selection, IQ_COLUMN_SESSION);
	if (rc < 0)
		return rc;
	marks = iq_arena_calloc(&chunk->memory, zone->rows, sizeof(*marks));
	if (!marks)
		return iq_error_nomem(selection->error);
	for (size_t i = 0; i < zone->session_count; i++) {
		const uint32_t events = (uint32_t)zone->sessions[i].value;
		const bool passes = session_passes(test, zone->sessions[i].no);

		for (uint32_t j = at; passes && j < at + events; j++)
			marks[chunk->rows ? chunk->rows[j] : j] = true;
		at += events;
	}
	for (uint32_t i = 0; i < selection->count; i++)
		if (marks[selection->rows[i]])
			selection->rows[kept++] = selection->rows[i];
	selection->count = kept;
	return 0;
}

/* ---- Rows, by texts ---- */

static int filter_excludes(const struct iq_test *test, struct selection *selection, bool *ret_excluded)
{
	struct iq_chunk *chunk = selection->chunk;
	struct iq_view filter;
	int rc;

	*ret_excluded = false;
	if (test->column != IQ_COLUMN_BODY || test->literal_count == 0)
		return 0;
	rc = iq_chunk_filter(chunk, &filter, selection->error);
	for (size_t i = 0; rc == 0 && i < test->literal_count; i++)
		*ret_excluded |= !iq_filter_may_contain(filter, test->literals[i]);
	return rc;
}

static int damaged(struct selection *selection, int rc, uint32_t row)
{
	(void)iq_chunk_load(selection->chunk, 1u << IQ_COLUMN_ID, NULL);
	return iq_error_set(selection->error, (enum iq_status)rc, "event %lld: %s",
			    (long long)iq_chunk_id(selection->chunk, row),
			    rc == IQ_ERR_NOMEM ? "out of memory" : "is damaged; run `inquest store verify`");
}

static struct iq_view longest_literal(const struct iq_test *test)
{
	struct iq_view longest = test->literals[0];

	for (size_t i = 1; i < test->literal_count; i++)
		longest = test->literals[i].len > longest.len ? test->literals[i] : longest;
	return longest;
}

/* Rows whose text cannot contain the test's longest literal are left out before a text is put together. */
static int search_literal(const struct iq_test *test, struct selection *selection)
{
	const uint8_t *marks;
	uint32_t kept = 0;
	int rc;

	if (test->literal_count == 0 || selection->count < WORTH_A_SEARCH)
		return 0;
	rc = iq_chunk_search(selection->chunk, test->column, longest_literal(test), test->folded, &marks,
			     selection->error);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; marks && i < selection->count; i++)
		if (marks[selection->rows[i]])
			selection->rows[kept++] = selection->rows[i];
	selection->count = kept;
	return 0;
}

static int select_texts(const struct iq_test *test, struct selection *selection)
{
	struct iq_chunk *chunk = selection->chunk;
	struct iq_view text;
	uint32_t kept = 0;
	bool is_binary;
	int rc = search_literal(test, selection);

	if (rc == 0 && selection->count > 0)
		rc = load(selection, test->column);
	for (uint32_t i = 0; rc == 0 && i < selection->count; i++) {
		const uint32_t row = selection->rows[i];

		rc = iq_chunk_text(chunk, test->column, row, &text);
		if (rc < 0)
			return damaged(selection, rc, row);
		is_binary = test->column == IQ_COLUMN_BODY && chunk->numbers[IQ_STORED_FORM][row] == IQ_BODY_BINARY;
		if (test->accept(test->context, text, is_binary))
			selection->rows[kept++] = row;
	}
	selection->count = kept;
	return rc;
}

/* ---- All tests ---- */

static int select_one(const struct iq_test *test, struct selection *selection)
{
	if (zone_passes(test, selection->chunk->zone, selection->segment))
		return 0;
	if (test->column == IQ_COLUMN_SESSION)
		return select_sessions(test, selection);
	if (!test->accept)
		return select_numbers(test, selection);
	if (test->column == IQ_COLUMN_TYPE)
		return select_types(test, selection);
	if (test->column == IQ_COLUMN_SOURCE)
		return select_sources(test, selection);
	return is_text(test->column) ? select_texts(test, selection) : select_names(test, selection);
}

bool iq_select_session(const struct iq_tests *tests, uint32_t *ret_session)
{
	for (size_t i = 0; i < tests->count; i++) {
		const struct iq_test *test = &tests->items[i];

		if (test->column != IQ_COLUMN_SESSION || test->accept || test->nulls || test->range_count != 1 ||
		    test->ranges[0].min != test->ranges[0].max)
			continue;
		*ret_session = (uint32_t)test->ranges[0].min;
		return true;
	}
	return false;
}

int iq_select_rows(const struct iq_tests *tests, struct iq_segment *segment, struct iq_chunk *chunk, uint32_t *rows,
		   uint32_t *count, struct iq_error *error)
{
	struct selection selection = { segment, chunk, rows, *count, error };
	bool excluded = false;
	int rc = 0;

	for (size_t i = 0; i < tests->count && rc == 0 && !excluded; i++)
		rc = filter_excludes(&tests->items[i], &selection, &excluded);
	if (excluded)
		selection.count = 0;
	/* Texts last: they cost most. */
	for (unsigned texts = 0; texts < 2; texts++)
		for (size_t i = 0; i < tests->count && rc == 0 && selection.count > 0; i++)
			if (is_text(tests->items[i].column) == (texts == 1))
				rc = select_one(&tests->items[i], &selection);
	*count = selection.count;
	return rc;
}
