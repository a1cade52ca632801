/* A cursor goes over chunks by id. For the time orders it first merges the streams: one pass over ts, session and
 * source gives each event the running maximum of its stream as its key, and the events are then visited in the order of
 * those keys. Chunks are decoded column by column, only those asked for, and the last few are kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"

/* Decoded chunks that are kept while a time order jumps between them; an id order needs one. */
#define CACHED_CHUNKS 32

/* A chunk of the store that the filter does not exclude. */
struct candidate {
	struct iq_segment *segment;
	const struct iq_zone *zone;
};

struct cached {
	uint32_t candidate; /* index + 1; 0 while unused */
	uint64_t used;
	struct iq_chunk chunk;
};

/* One event of a time order. */
struct entry {
	int64_t key;
	uint32_t stream;
	uint32_t candidate;
	uint32_t row;
};

struct iq_cursor {
	struct iq_store *store;
	struct iq_filter filter;
	struct iq_arena memory; /* of the filter's lists */
	uint32_t needed;	/* columns to decode: asked for, or filtered on */
	uint32_t *source_numbers;
	size_t source_count;
	struct candidate *candidates;
	size_t candidate_count;
	struct cached cache[CACHED_CHUNKS];
	uint64_t clock;
	size_t at; /* id order: candidate and row */
	uint32_t row;
	struct entry *entries; /* time orders */
	size_t entry_count;
	size_t next_entry;
	char session_name[16];
	struct iq_buf texts[2]; /* key and attrs of the event at hand */
};

/* ---- The filter ---- */

static int copy_views(struct iq_arena *memory, const struct iq_view **views, size_t count)
{
	struct iq_view *copy = iq_arena_calloc(memory, count + 1, sizeof(*copy));

	if (!copy)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		copy[i] = iq_arena_copy(memory, (*views)[i]);
		if ((*views)[i].data && !copy[i].data)
			return IQ_ERR_NOMEM;
	}
	*views = copy;
	return 0;
}

static int copy_sessions(struct iq_cursor *cursor)
{
	uint32_t *copy = iq_arena_calloc(&cursor->memory, cursor->filter.session_count + 1, sizeof(*copy));

	if (!copy)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < cursor->filter.session_count; i++)
		copy[i] = cursor->filter.sessions[i];
	cursor->filter.sessions = copy;
	return 0;
}

/* Source names as numbers; names that the store does not know are left out. */
static int resolve_sources(struct iq_cursor *cursor)
{
	const struct iq_store *store = cursor->store;

	cursor->source_numbers = iq_arena_calloc(&cursor->memory, cursor->filter.source_count + 1, sizeof(uint32_t));
	if (!cursor->source_numbers)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < cursor->filter.source_count; i++)
		for (size_t j = 0; j < store->source_count; j++)
			if (iq_view_eq(store->sources[j].name, cursor->filter.sources[i]))
				cursor->source_numbers[cursor->source_count++] = store->sources[j].no;
	return 0;
}

static int copy_filter(struct iq_cursor *cursor)
{
	struct iq_filter *filter = &cursor->filter;

	if ((filter->sessions && copy_sessions(cursor) < 0) ||
	    (filter->types && copy_views(&cursor->memory, &filter->types, filter->type_count) < 0) ||
	    (filter->sources && resolve_sources(cursor) < 0))
		return IQ_ERR_NOMEM;
	cursor->needed = filter->columns;
	if (filter->ts_min != INT64_MIN || filter->ts_max != INT64_MAX)
		cursor->needed |= 1u << IQ_COLUMN_TS;
	if (filter->kinds)
		cursor->needed |= 1u << IQ_COLUMN_KIND;
	if (filter->sessions)
		cursor->needed |= 1u << IQ_COLUMN_SESSION;
	if (filter->types)
		cursor->needed |= 1u << IQ_COLUMN_TYPE;
	if (filter->sources)
		cursor->needed |= 1u << IQ_COLUMN_SOURCE;
	cursor->needed &= ~(1u << IQ_COLUMN_ID);
	return 0;
}

static bool contains(const uint32_t *numbers, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* Does the list, which is in order, have one of the numbers? */
static bool has_entry(const struct iq_zone_entry *entries, size_t count, const uint32_t *numbers, size_t number_count)
{
	for (size_t i = 0; i < number_count; i++) {
		size_t low = 0, high = count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (entries[middle].no < numbers[i])
				low = middle + 1;
			else
				high = middle;
		}
		if (low < count && entries[low].no == numbers[i])
			return true;
	}
	return false;
}

static bool contains_view(const struct iq_view *views, size_t count, struct iq_view view)
{
	for (size_t i = 0; i < count; i++)
		if (iq_view_is_null(views[i]) == iq_view_is_null(view) && iq_view_eq(views[i], view))
			return true;
	return false;
}

static bool types_intersect(const struct iq_filter *filter, const struct iq_zone *zone)
{
	for (size_t i = 0; i < zone->type_count; i++)
		if (contains_view(filter->types, filter->type_count, zone->types[i].name))
			return true;
	return false;
}

static bool time_is_filtered(const struct iq_filter *filter)
{
	return filter->ts_min != INT64_MIN || filter->ts_max != INT64_MAX;
}

static bool zone_may_match(const struct iq_cursor *cursor, const struct iq_zone *zone)
{
	const struct iq_filter *filter = &cursor->filter;

	if (zone->id_first > filter->id_max || zone->id_first + zone->rows - 1 < filter->id_min)
		return false;
	if (time_is_filtered(filter) && (zone->ts_min > filter->ts_max || zone->ts_max < filter->ts_min))
		return false;
	if (filter->kinds && (zone->kinds & filter->kinds) == 0)
		return false;
	if (filter->sessions &&
	    !has_entry(zone->sessions, zone->session_count, filter->sessions, filter->session_count))
		return false;
	if (filter->sources &&
	    !has_entry(zone->sources, zone->source_count, cursor->source_numbers, cursor->source_count))
		return false;
	return !filter->types || types_intersect(filter, zone);
}

static bool row_matches(const struct iq_cursor *cursor, const struct iq_chunk *chunk, uint32_t row)
{
	const struct iq_filter *filter = &cursor->filter;
	uint64_t id = iq_chunk_id(chunk, row);

	if (id < filter->id_min || id > filter->id_max)
		return false;
	if (time_is_filtered(filter)) {
		int64_t ts = chunk->numbers[IQ_COLUMN_TS][row];

		if (ts == IQ_TIME_NONE || ts < filter->ts_min || ts > filter->ts_max)
			return false;
	}
	if (filter->kinds && (filter->kinds >> chunk->numbers[IQ_COLUMN_KIND][row] & 1) == 0)
		return false;
	if (filter->sessions &&
	    !contains(filter->sessions, filter->session_count, (uint32_t)chunk->numbers[IQ_COLUMN_SESSION][row]))
		return false;
	if (filter->sources &&
	    !contains(cursor->source_numbers, cursor->source_count, (uint32_t)chunk->numbers[IQ_COLUMN_SOURCE][row]))
		return false;
	return !filter->types || contains_view(filter->types, filter->type_count, iq_chunk_type(chunk, row));
}

/* ---- Chunks ---- */

static int add_candidates(struct iq_cursor *cursor, struct iq_segment *segment)
{
	struct candidate *grown = realloc(cursor->candidates, (cursor->candidate_count + segment->zone_count + 1) *
								      sizeof(*cursor->candidates));

	if (!grown)
		return IQ_ERR_NOMEM;
	cursor->candidates = grown;
	for (size_t i = 0; i < segment->zone_count; i++)
		if (zone_may_match(cursor, &segment->zones[i]))
			grown[cursor->candidate_count++] = (struct candidate){ segment, &segment->zones[i] };
	return 0;
}

/* Segments that the manifest excludes are not opened. */
static int collect_candidates(struct iq_cursor *cursor, struct iq_error *error)
{
	struct iq_store *store = cursor->store;
	struct iq_segment *segment;
	int rc = 0;

	for (size_t i = 0; i < iq_store_segments(store) && rc == 0; i++) {
		if (!iq_summary_may_match(iq_store_summary(store, i), &cursor->filter, cursor->source_numbers,
					  cursor->source_count))
			continue;
		rc = iq_store_segment(store, i, &segment, error);
		if (rc == 0 && add_candidates(cursor, segment) < 0)
			rc = iq_error_nomem(error);
	}
	return rc;
}

static struct cached *choose_slot(struct iq_cursor *cursor, size_t candidate)
{
	size_t slots = cursor->filter.order == IQ_ORDER_ID ? 1 : CACHED_CHUNKS;
	struct cached *oldest = &cursor->cache[0];

	for (size_t i = 0; i < slots; i++) {
		struct cached *slot = &cursor->cache[i];

		if (slot->candidate == candidate + 1)
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	iq_chunk_release(&oldest->chunk);
	oldest->candidate = 0;
	return oldest;
}

/* Of one session only its rows are decoded. */
static void begin_chunk(const struct iq_cursor *cursor, size_t candidate, struct iq_chunk *ret_chunk)
{
	iq_segment_chunk(cursor->candidates[candidate].segment, cursor->candidates[candidate].zone, ret_chunk);
	if (cursor->filter.sessions && cursor->filter.session_count == 1)
		(void)iq_chunk_narrow(ret_chunk, cursor->filter.sessions[0]);
}

/* A chunk with the columns in `columns` decoded. */
static int load_chunk(struct iq_cursor *cursor, size_t candidate, uint32_t columns, struct iq_chunk **ret_chunk,
		      struct iq_error *error)
{
	struct cached *slot = choose_slot(cursor, candidate);
	int rc = 0;

	if (slot->candidate == 0) {
		slot->candidate = (uint32_t)candidate + 1;
		begin_chunk(cursor, candidate, &slot->chunk);
	}
	slot->used = ++cursor->clock;
	rc = iq_chunk_load(&slot->chunk, columns | 1u << IQ_COLUMN_ID, error);
	if (rc == 0 && columns & (1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH))
		rc = iq_segment_locate(cursor->candidates[candidate].segment, &slot->chunk, error);
	*ret_chunk = &slot->chunk;
	return rc;
}

/* ---- Time orders ---- */

/* A stream is a session, or a source where there is none; the map gives it a number and holds its running maximum. */
static int stream_of(struct iq_map *streams, const struct iq_chunk *chunk, uint32_t row, uint32_t *ret_stream)
{
	const uint32_t name[2] = { (uint32_t)chunk->numbers[IQ_COLUMN_SESSION][row],
				   chunk->numbers[IQ_COLUMN_SESSION][row]
					   ? 0
					   : (uint32_t)chunk->numbers[IQ_COLUMN_SOURCE][row] };
	int rc = iq_map_intern(streams, iq_view_make((const char *)name, sizeof(name)), ret_stream);

	if (rc == 1)
		streams->entries[*ret_stream].value = (uint64_t)IQ_TIME_NONE;
	return rc < 0 ? rc : 0;
}

static int64_t aligned_time(const struct iq_store *store, const struct iq_chunk *chunk, uint32_t row)
{
	const int64_t ts = chunk->numbers[IQ_COLUMN_TS][row];
	const int64_t no = chunk->numbers[IQ_COLUMN_SOURCE][row];
	const struct iq_source *source = store->skewed && no ? iq_store_source(store, (uint32_t)no) : NULL;

	return source ? iq_time_shift(ts, source->skew) : ts;
}

static int add_entries(struct iq_cursor *cursor, size_t candidate, struct iq_map *streams, struct iq_error *error)
{
	const uint32_t columns = cursor->needed | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SESSION | 1u << IQ_COLUMN_SOURCE;
	const uint32_t heavy = 1u << IQ_COLUMN_BODY | 1u << IQ_COLUMN_ATTRS | 1u << IQ_COLUMN_KEY |
			       1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH;
	struct iq_chunk *chunk;
	uint32_t stream;
	int rc = load_chunk(cursor, candidate, columns & ~heavy, &chunk, error);

	for (uint32_t row = 0; rc == 0 && row < chunk->count; row++) {
		int64_t ts = aligned_time(cursor->store, chunk, row);
		uint64_t *reached;

		if (stream_of(streams, chunk, row, &stream) < 0)
			return iq_error_nomem(error);
		reached = &streams->entries[stream].value;
		if (ts > (int64_t)*reached)
			*reached = (uint64_t)ts;
		if (row_matches(cursor, chunk, row))
			cursor->entries[cursor->entry_count++] =
				(struct entry){ (int64_t)*reached, stream, (uint32_t)candidate, row };
	}
	return rc;
}

/* Candidates come by id, so (candidate, row) is the order inside a stream. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->candidate != y->candidate)
		return x->candidate < y->candidate ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int build_entries(struct iq_cursor *cursor, struct iq_error *error)
{
	struct iq_map streams = IQ_MAP_INIT;
	size_t rows = 0;
	int rc = 0;

	for (size_t i = 0; i < cursor->candidate_count; i++)
		rows += cursor->candidates[i].zone->rows;
	cursor->entries = calloc(rows + 1, sizeof(*cursor->entries));
	if (!cursor->entries)
		return iq_error_nomem(error);
	for (size_t i = 0; i < cursor->candidate_count && rc == 0; i++)
		rc = add_entries(cursor, i, &streams, error);
	iq_map_release(&streams);
	qsort(cursor->entries, cursor->entry_count, sizeof(*cursor->entries), compare_entries);
	return rc;
}

/* ---- The interface ---- */

int iq_cursor_open(struct iq_store *store, const struct iq_filter *filter, struct iq_cursor **ret_cursor,
		   struct iq_error *error)
{
	struct iq_cursor *cursor = calloc(1, sizeof(*cursor));
	int rc = 0;

	if (!cursor)
		return iq_error_nomem(error);
	cursor->store = store;
	cursor->filter = filter ? *filter : (struct iq_filter)IQ_FILTER_INIT;
	if (copy_filter(cursor) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = collect_candidates(cursor, error);
	if (rc == 0 && cursor->filter.order != IQ_ORDER_ID)
		rc = build_entries(cursor, error);
	if (rc < 0) {
		iq_cursor_close(cursor);
		return rc;
	}
	*ret_cursor = cursor;
	return 0;
}

void iq_cursor_close(struct iq_cursor *cursor)
{
	if (!cursor)
		return;
	for (size_t i = 0; i < CACHED_CHUNKS; i++)
		iq_chunk_release(&cursor->cache[i].chunk);
	iq_buf_release(&cursor->texts[0]);
	iq_buf_release(&cursor->texts[1]);
	iq_arena_release(&cursor->memory);
	free(cursor->candidates);
	free(cursor->entries);
	free(cursor);
}

static int64_t number_at(const struct iq_chunk *chunk, unsigned column, uint32_t row, int64_t otherwise)
{
	return chunk->numbers[column] ? chunk->numbers[column][row] : otherwise;
}

/* Texts are put together at the chunk: each is kept until the next event is asked for. */
static int set_texts(struct iq_cursor *cursor, struct iq_chunk *chunk, uint32_t row, struct iq_event *event)
{
	const struct {
		unsigned column;
		struct iq_view *text;
	} texts[] = { { IQ_COLUMN_KEY, &event->key },
		      { IQ_COLUMN_ATTRS, &event->attrs },
		      { IQ_COLUMN_BODY, &event->body } };
	int rc = 0;

	for (size_t i = 0; i < 3 && rc == 0; i++) {
		if (!(cursor->needed >> texts[i].column & 1))
			continue;
		rc = iq_chunk_text(chunk, texts[i].column, row, texts[i].text);
		if (rc == 0 && i < 2 && texts[i].text->data) {
			iq_buf_clear(&cursor->texts[i]);
			rc = iq_buf_append(&cursor->texts[i], *texts[i].text);
			*texts[i].text = iq_buf_view(&cursor->texts[i]);
		}
	}
	return rc;
}

static void set_names(struct iq_cursor *cursor, uint32_t source_no, struct iq_event *event)
{
	const struct iq_source *source = source_no ? iq_store_source(cursor->store, source_no) : NULL;
	int len;

	event->source = source ? source->name : IQ_VIEW_NULL;
	event->session = IQ_VIEW_NULL;
	if (event->session_no) {
		len = snprintf(cursor->session_name, sizeof(cursor->session_name), "s%u", event->session_no);
		event->session = iq_view_make(cursor->session_name, (size_t)len);
	}
}

static int fill_event(struct iq_cursor *cursor, struct iq_chunk *chunk, uint32_t row, struct iq_event *ret_event,
		      struct iq_error *error)
{
	struct iq_event event = {
		.id = iq_chunk_id(chunk, row),
		.ts = number_at(chunk, IQ_COLUMN_TS, row, IQ_TIME_NONE),
		.observed = number_at(chunk, IQ_COLUMN_OBSERVED, row, IQ_TIME_NONE),
		.session_no = (uint32_t)number_at(chunk, IQ_COLUMN_SESSION, row, 0),
		.kind = (enum iq_kind)number_at(chunk, IQ_COLUMN_KIND, row, 0),
		.direction = (enum iq_direction)number_at(chunk, IQ_COLUMN_DIRECTION, row, 0),
		.severity = (enum iq_severity)number_at(chunk, IQ_COLUMN_SEVERITY, row, 0),
		.type = cursor->needed >> IQ_COLUMN_TYPE & 1 ? iq_chunk_type(chunk, row) : IQ_VIEW_NULL,
		.seq = number_at(chunk, IQ_COLUMN_SEQ, row, IQ_NUMBER_NONE),
		.body_is_binary = number_at(chunk, IQ_STORED_FORM, row, 0) == IQ_BODY_BINARY,
		.evidence = (uint32_t)number_at(chunk, IQ_COLUMN_EVIDENCE, row, 0),
		.offset = chunk->offsets ? chunk->offsets[row] : 0,
		.length = chunk->offsets ? chunk->lengths[row] : 0,
	};
	int rc = set_texts(cursor, chunk, row, &event);

	if (rc < 0)
		return iq_error_set(error, (enum iq_status)rc, "event %llu: %s", (unsigned long long)event.id,
				    rc == IQ_ERR_NOMEM ? "out of memory" : "is damaged; run `inquest store verify`");
	set_names(cursor, (uint32_t)number_at(chunk, IQ_COLUMN_SOURCE, row, 0), &event);
	*ret_event = event;
	return 1;
}

static int next_by_id(struct iq_cursor *cursor, struct iq_event *ret_event, struct iq_error *error)
{
	struct iq_chunk *chunk;
	int rc;

	while (cursor->at < cursor->candidate_count) {
		rc = load_chunk(cursor, cursor->at, cursor->needed, &chunk, error);
		if (rc < 0)
			return rc;
		while (cursor->row < chunk->count) {
			uint32_t row = cursor->row++;

			if (row_matches(cursor, chunk, row))
				return fill_event(cursor, chunk, row, ret_event, error);
		}
		cursor->at++;
		cursor->row = 0;
	}
	return 0;
}

static int next_by_time(struct iq_cursor *cursor, struct iq_event *ret_event, struct iq_error *error)
{
	const struct entry *entry;
	struct iq_chunk *chunk;
	size_t index = cursor->next_entry;
	int rc;

	if (index == cursor->entry_count)
		return 0;
	cursor->next_entry++;
	if (cursor->filter.order == IQ_ORDER_TIME_DESC)
		index = cursor->entry_count - 1 - index;
	entry = &cursor->entries[index];
	rc = load_chunk(cursor, entry->candidate, cursor->needed, &chunk, error);
	if (rc < 0)
		return rc;
	return fill_event(cursor, chunk, entry->row, ret_event, error);
}

int iq_cursor_next(struct iq_cursor *cursor, struct iq_event *ret_event, struct iq_error *error)
{
	if (cursor->filter.order == IQ_ORDER_ID)
		return next_by_id(cursor, ret_event, error);
	return next_by_time(cursor, ret_event, error);
}
