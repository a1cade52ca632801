#include "query/report_shared.h"

#include <stdlib.h>

#include "query/report.h"

/* How often each text was said, and the commonest. */
struct tally {
	struct iq_map texts;
	size_t *counts;
	size_t capacity;
};

static int count_text(struct tally *tally, struct iq_view text)
{
	uint32_t index;
	int rc = iq_map_intern(&tally->texts, text, &index);

	if (rc < 0 || IQ_ARRAY_GROW(tally->counts, tally->capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	tally->counts[index] = rc == 1 ? 1 : tally->counts[index] + 1;
	return 0;
}

/* `, all after tick`; `, 9 of 12 after tick`. What less than half have, or fewer than two, says nothing. */
static void append_commonest(const struct tally *tally, size_t of, const char *how, struct iq_buf *out)
{
	size_t best = 0;

	for (size_t i = 1; i < tally->texts.count; i++)
		if (tally->counts[i] > tally->counts[best])
			best = i;
	if (tally->texts.count == 0 || tally->counts[best] < 2 || tally->counts[best] * 2 < of)
		return;
	if (tally->counts[best] == of)
		(void)iq_buf_appendf(out, ", all %s ", how);
	else
		(void)iq_buf_appendf(out, ", %zu of %zu %s ", tally->counts[best], of, how);
	(void)iq_utf8_append_safe(out, iq_utf8_cut(tally->texts.entries[best].key, 60));
}

static void release_tally(struct tally *tally)
{
	iq_map_release(&tally->texts);
	free(tally->counts);
}

/* ---- What came last in their sessions ---- */

static int by_session(const void *a, const void *b)
{
	const struct iq_step *x = *(const struct iq_step *const *)a, *y = *(const struct iq_step *const *)b;

	return (x->session_no > y->session_no) - (x->session_no < y->session_no);
}

/* The step of the session, of those sorted by it; the number of steps where there is none. */
static size_t find_session(const struct iq_step *const *steps, size_t count, uint32_t session)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (steps[middle]->session_no < session)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && steps[low]->session_no == session ? low : count;
}

/* The last message of each session before its step. */
static int read_last(struct iq_store *store, const struct iq_step *const *steps, size_t count, const uint32_t *sessions,
		     struct iq_arena *memory, struct iq_view *last, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.sessions = sessions;
	filter.session_count = count;
	filter.kinds = 1u << IQ_KIND_WS_MESSAGE;
	filter.columns = 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_SESSION;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		const size_t at = find_session(steps, count, event.session_no);

		if (at == count || event.id >= steps[at]->id || !event.type.data || iq_view_eq(last[at], event.type))
			continue;
		last[at] = iq_arena_copy(memory, event.type);
	}
	iq_cursor_close(cursor);
	return rc == 0 && memory->failed ? iq_error_nomem(error) : rc;
}

int iq_report_append_last(struct iq_store *store, const struct iq_step **steps, size_t count, struct iq_buf *out,
			  struct iq_error *error)
{
	struct tally tally = { .texts = IQ_MAP_INIT };
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_view *last = calloc(count + 1, sizeof(*last));
	uint32_t *sessions = calloc(count + 1, sizeof(*sessions));
	int rc = last && sessions ? 0 : iq_error_nomem(error);

	qsort(steps, count, sizeof(struct iq_step *), by_session);
	for (size_t i = 0; i < count && rc == 0; i++)
		sessions[i] = steps[i]->session_no;
	if (rc == 0)
		rc = read_last(store, steps, count, sessions, &memory, last, error);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (last[i].data && count_text(&tally, last[i]) < 0)
			rc = iq_error_nomem(error);
	if (rc == 0)
		append_commonest(&tally, count, "after", out);
	release_tally(&tally);
	iq_arena_release(&memory);
	free(sessions);
	free(last);
	return rc;
}

/* ---- Which container did something near them ---- */

struct neighbour {
	int64_t distance;
	struct iq_view text;
};

static int note_neighbour(struct iq_store *store, const struct iq_event *event, const struct iq_step *step,
			  struct iq_arena *memory, struct neighbour *neighbour)
{
	const int64_t at = iq_store_align(store, event->source, event->ts);
	const int64_t step_at = iq_store_align(store, step->source, step->ts);
	const int64_t apart = at > step_at ? at - step_at : step_at - at;
	struct iq_buf text = IQ_BUF_INIT;

	if (apart >= neighbour->distance || event->id == step->id)
		return 0;
	neighbour->distance = apart;
	(void)iq_buf_appendf(&text, "%.*s: ", IQ_VIEW_ARG(iq_utf8_cut(event->source, 40)));
	(void)iq_buf_append(&text, event->body);
	neighbour->text = text.failed ? IQ_VIEW_NULL : iq_arena_copy(memory, iq_buf_view(&text));
	iq_buf_release(&text);
	return neighbour->text.data ? 0 : IQ_ERR_NOMEM;
}

static bool is_trouble(const struct iq_event *event)
{
	static const char *const troubles[] = { "die", "oom", "kill", "restart", "stop", "pause", "unhealthy" };

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (iq_view_eq(event->type, iq_view_cstr(troubles[i])))
			return true;
	return event->severity >= IQ_SEVERITY_WARNING;
}

static int read_neighbours(struct iq_store *store, const struct iq_step *const *steps, size_t count, int64_t from,
			   int64_t to, struct iq_arena *memory, struct neighbour *neighbours, struct iq_error *error)
{
	const int64_t span = iq_store_skew_span(store);
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.ts_min = iq_time_shift(from, -IQ_REPORT_NEARBY_NS - span);
	filter.ts_max = iq_time_shift(to, IQ_REPORT_NEARBY_NS + span);
	filter.kinds = 1u << IQ_KIND_CONTAINER;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0)
		for (size_t i = 0; i < count && is_trouble(&event); i++)
			if (note_neighbour(store, &event, steps[i], memory, &neighbours[i]) < 0) {
				iq_cursor_close(cursor);
				return iq_error_nomem(error);
			}
	iq_cursor_close(cursor);
	return rc;
}

int iq_report_append_container(struct iq_store *store, const struct iq_step *const *steps, size_t count,
			       struct iq_buf *out, struct iq_error *error)
{
	struct tally tally = { .texts = IQ_MAP_INIT };
	struct iq_arena memory = IQ_ARENA_INIT;
	struct neighbour *neighbours = calloc(count + 1, sizeof(*neighbours));
	int64_t from = INT64_MAX, to = IQ_TIME_NONE;
	int rc = neighbours ? 0 : iq_error_nomem(error);

	for (size_t i = 0; i < count && rc == 0; i++) {
		neighbours[i].distance = IQ_REPORT_NEARBY_NS + 1;
		from = steps[i]->ts < from ? steps[i]->ts : from;
		to = steps[i]->ts > to ? steps[i]->ts : to;
	}
	if (rc == 0 && to != IQ_TIME_NONE)
		rc = read_neighbours(store, steps, count, from, to, &memory, neighbours, error);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (neighbours[i].text.data && count_text(&tally, neighbours[i].text) < 0)
			rc = iq_error_nomem(error);
	if (rc == 0)
		append_commonest(&tally, count, "near", out);
	release_tally(&tally);
	iq_arena_release(&memory);
	free(neighbours);
	return rc;
}
