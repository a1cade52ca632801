#include "store/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- From a segment ---- */

static void widen(struct iq_number_range *range, uint64_t number)
{
	if (range->first == 0 || number < range->first)
		range->first = number;
	if (number > range->last)
		range->last = number;
}

static void add_zone(struct iq_summary *summary, const struct iq_zone *zone)
{
	summary->events += zone->rows;
	widen(&summary->ids, zone->id_first);
	widen(&summary->ids, zone->id_first + zone->rows - 1);
	summary->kinds |= zone->kinds;
	if (zone->ts_min < summary->ts_min)
		summary->ts_min = zone->ts_min;
	if (zone->ts_max > summary->ts_max)
		summary->ts_max = zone->ts_max;
}

/* The numbers, ascending, as ranges; then every few of them as one, until they are few enough. */
static int add_sessions(struct iq_summary *summary, const struct iq_segment *segment, struct iq_arena *arena)
{
	struct iq_number_range *ranges = iq_arena_calloc(arena, segment->session_count + 1, sizeof(*ranges));
	size_t count = 0, together;

	if (!ranges)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < segment->session_count; i++) {
		uint64_t no = segment->sessions[i].session.no;

		if (count > 0 && ranges[count - 1].last + 1 == no)
			ranges[count - 1].last = no;
		else
			ranges[count++] = (struct iq_number_range){ no, no };
	}
	together = (count + IQ_SUMMARY_MAX_RANGES - 1) / IQ_SUMMARY_MAX_RANGES;
	for (size_t i = 0; together > 1 && i < count; i++) {
		if (i % together == 0)
			ranges[i / together].first = ranges[i].first;
		ranges[i / together].last = ranges[i].last;
	}
	summary->sessions = ranges;
	summary->session_count = together > 1 ? (count + together - 1) / together : count;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct iq_view *x = a, *y = b;

	if (!x->data || !y->data)
		return (x->data != NULL) - (y->data != NULL);
	return iq_view_cmp(*x, *y);
}

static bool knows_type(const struct iq_view *types, size_t count, struct iq_view name)
{
	for (size_t i = 0; i < count; i++)
		if (compare_names(&types[i], &name) == 0)
			return true;
	return false;
}

static int add_types(struct iq_summary *summary, const struct iq_segment *segment, struct iq_arena *arena)
{
	struct iq_view *types = iq_arena_calloc(arena, IQ_SUMMARY_MAX_TYPES, sizeof(*types));
	size_t count = 0, bytes = 0;

	if (!types)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < segment->zone_count; i++) {
		for (size_t j = 0; j < segment->zones[i].type_count; j++) {
			struct iq_view name = segment->zones[i].types[j].name;

			if (knows_type(types, count, name))
				continue;
			bytes += name.len;
			if (count == IQ_SUMMARY_MAX_TYPES || bytes > IQ_SUMMARY_MAX_TYPE_BYTES || !iq_utf8_valid(name))
				return 0;
			types[count++] = name;
		}
	}
	qsort(types, count, sizeof(*types), compare_names);
	summary->types = types;
	summary->type_count = count;
	summary->types_known = true;
	return 0;
}

int iq_summary_of(const struct iq_segment *segment, struct iq_arena *arena, struct iq_summary *ret_summary)
{
	struct iq_summary summary = IQ_SUMMARY_INIT;

	for (size_t i = 0; i < segment->zone_count; i++)
		add_zone(&summary, &segment->zones[i]);
	for (size_t i = 0; i < segment->evidence_count; i++) {
		widen(&summary.evidence, segment->evidence[i].evidence.no);
		summary.raw += segment->evidence[i].evidence.bytes - segment->evidence[i].evidence.dropped;
	}
	summary.sources = segment->sources;
	summary.source_count = segment->source_count;
	if (add_sessions(&summary, segment, arena) < 0 || add_types(&summary, segment, arena) < 0)
		return IQ_ERR_NOMEM;
	*ret_summary = summary;
	return 0;
}

/* ---- Asking ---- */

static bool has_session(const struct iq_summary *summary, uint32_t no)
{
	for (size_t i = 0; i < summary->session_count; i++)
		if (no >= summary->sessions[i].first && no <= summary->sessions[i].last)
			return true;
	return false;
}

static bool has_any_session(const struct iq_summary *summary, const struct iq_filter *filter)
{
	for (size_t i = 0; i < filter->session_count; i++)
		if (has_session(summary, filter->sessions[i]))
			return true;
	return false;
}

static bool has_any_source(const struct iq_summary *summary, const uint32_t *sources, size_t count)
{
	for (size_t i = 0; i < summary->source_count; i++)
		for (size_t j = 0; j < count; j++)
			if (summary->sources[i].no == sources[j])
				return true;
	return false;
}

static bool has_any_type(const struct iq_summary *summary, const struct iq_filter *filter)
{
	for (size_t i = 0; i < filter->type_count; i++)
		if (knows_type(summary->types, summary->type_count, filter->types[i]))
			return true;
	return false;
}

bool iq_summary_may_match(const struct iq_summary *summary, const struct iq_filter *filter, const uint32_t *sources,
			  size_t source_count)
{
	const bool timed = filter->ts_min != INT64_MIN || filter->ts_max != INT64_MAX;

	if (summary->events == 0 || summary->ids.first > filter->id_max || summary->ids.last < filter->id_min)
		return false;
	if (timed && (summary->ts_min > filter->ts_max || summary->ts_max < filter->ts_min))
		return false;
	if (filter->kinds && (summary->kinds & filter->kinds) == 0)
		return false;
	if (filter->sessions && !has_any_session(summary, filter))
		return false;
	if (filter->sources && !has_any_source(summary, sources, source_count))
		return false;
	return !filter->types || !summary->types_known || has_any_type(summary, filter);
}

/* ---- As JSON ---- */

static void append_time(struct iq_buf *line, int64_t time)
{
	if (time == IQ_TIME_NONE)
		(void)iq_buf_append_cstr(line, "null");
	else
		(void)iq_buf_appendf(line, "%" PRId64, time);
}

static void append_type(struct iq_buf *line, struct iq_view name)
{
	if (name.data)
		(void)iq_json_append_string(line, name);
	else
		(void)iq_buf_append_cstr(line, "null");
}

/* A file's name need not be UTF-8, which JSON must be: such a name is an array of one string, its bytes in hexadecimal. */
static void append_name(struct iq_buf *line, struct iq_view name)
{
	if (iq_utf8_valid(name)) {
		(void)iq_json_append_string(line, name);
		return;
	}
	(void)iq_buf_append_cstr(line, "[\"");
	for (size_t i = 0; i < name.len; i++)
		(void)iq_buf_appendf(line, "%02x", (unsigned)(unsigned char)name.data[i]);
	(void)iq_buf_append_cstr(line, "\"]");
}

static void append_source(struct iq_buf *line, const struct iq_source *source)
{
	(void)iq_buf_appendf(line, "[%" PRIu32 ",", source->no);
	append_name(line, source->name);
	(void)iq_buf_appendf(line, ",%" PRIu64 ",", source->events);
	append_time(line, source->first);
	(void)iq_buf_append_char(line, ',');
	append_time(line, source->last);
	(void)iq_buf_append_char(line, ']');
}

void iq_summary_append(struct iq_buf *line, const struct iq_summary *summary)
{
	(void)iq_buf_appendf(line,
			     "\"events\":%" PRIu64 ",\"ids\":[%" PRIu64 ",%" PRIu64 "],\"evidence\":[%" PRIu64
			     ",%" PRIu64 "],\"raw\":%" PRIu64 ",\"kinds\":%" PRIu32,
			     summary->events, summary->ids.first, summary->ids.last, summary->evidence.first,
			     summary->evidence.last, summary->raw, summary->kinds);
	if (summary->ts_min <= summary->ts_max)
		(void)iq_buf_appendf(line, ",\"ts\":[%" PRId64 ",%" PRId64 "]", summary->ts_min, summary->ts_max);
	(void)iq_buf_append_cstr(line, ",\"sessions\":[");
	for (size_t i = 0; i < summary->session_count; i++)
		(void)iq_buf_appendf(line, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", summary->sessions[i].first,
				     summary->sessions[i].last);
	if (summary->types_known)
		(void)iq_buf_append_cstr(line, "],\"types\":[");
	for (size_t i = 0; i < summary->type_count; i++) {
		(void)iq_buf_append_cstr(line, i ? "," : "");
		append_type(line, summary->types[i]);
	}
	(void)iq_buf_append_cstr(line, "],\"sources\":[");
	for (size_t i = 0; i < summary->source_count; i++) {
		(void)iq_buf_append_cstr(line, i ? "," : "");
		append_source(line, &summary->sources[i]);
	}
	(void)iq_buf_append_char(line, ']');
}

int iq_summary_matches(const struct iq_summary *summary, const struct iq_segment *segment, bool *ret_same)
{
	struct iq_buf expected = IQ_BUF_INIT, found = IQ_BUF_INIT;
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_summary own;
	bool nomem = iq_summary_of(segment, &memory, &own) < 0;

	if (!nomem && !atomic_load(&segment->loaded)) {
		own.evidence = summary->evidence;
		own.raw = summary->raw;
		own.sessions = summary->sessions;
		own.session_count = summary->session_count;
	}
	if (!nomem) {
		iq_summary_append(&expected, summary);
		iq_summary_append(&found, &own);
	}
	nomem = nomem || expected.failed || found.failed;
	*ret_same = iq_view_eq(iq_buf_view(&expected), iq_buf_view(&found));
	iq_buf_release(&expected);
	iq_buf_release(&found);
	iq_arena_release(&memory);
	return nomem ? IQ_ERR_NOMEM : 0;
}

/* ---- From JSON ---- */

struct taking {
	struct iq_summary *summary;
	struct iq_json *json;
	const struct iq_json_token *token;
	struct iq_arena *arena;
};

static bool number_of(const struct iq_json_token *token, uint64_t *ret_number)
{
	int64_t number;

	if (token->type != IQ_JSON_NUMBER || !iq_view_to_int64(token->raw, &number) || number < 0)
		return false;
	*ret_number = (uint64_t)number;
	return true;
}

static bool time_of(const struct iq_json_token *token, int64_t *ret_time)
{
	*ret_time = IQ_TIME_NONE;
	return token->type == IQ_JSON_NULL || (token->type == IQ_JSON_NUMBER && iq_view_to_int64(token->raw, ret_time));
}

static bool is_next(struct iq_json *json, enum iq_json_type type)
{
	struct iq_json_token token;

	return iq_json_next(json, &token) > 0 && token.type == type;
}

static bool take_next_number(struct iq_json *json, uint64_t *ret_number)
{
	struct iq_json_token token;

	return iq_json_next(json, &token) > 0 && number_of(&token, ret_number);
}

/* `[first,last]`, the bracket already read. */
static bool take_range(struct iq_json *json, struct iq_number_range *ret_range)
{
	return take_next_number(json, &ret_range->first) && take_next_number(json, &ret_range->last) &&
	       is_next(json, IQ_JSON_ARRAY_END);
}

static bool take_events(struct taking *taking)
{
	return number_of(taking->token, &taking->summary->events);
}

static bool take_raw(struct taking *taking)
{
	return number_of(taking->token, &taking->summary->raw);
}

static bool take_kinds(struct taking *taking)
{
	uint64_t kinds;
	bool taken = number_of(taking->token, &kinds) && kinds <= UINT32_MAX;

	if (taken)
		taking->summary->kinds = (uint32_t)kinds;
	return taken;
}

static bool take_ids(struct taking *taking)
{
	return taking->token->type == IQ_JSON_ARRAY_BEGIN && take_range(taking->json, &taking->summary->ids);
}

static bool take_evidence(struct taking *taking)
{
	return taking->token->type == IQ_JSON_ARRAY_BEGIN && take_range(taking->json, &taking->summary->evidence);
}

static bool take_ts(struct taking *taking)
{
	struct iq_json_token first, last;

	return taking->token->type == IQ_JSON_ARRAY_BEGIN && iq_json_next(taking->json, &first) > 0 &&
	       time_of(&first, &taking->summary->ts_min) && iq_json_next(taking->json, &last) > 0 &&
	       time_of(&last, &taking->summary->ts_max) && is_next(taking->json, IQ_JSON_ARRAY_END);
}

static bool take_session(struct taking *taking, const struct iq_json_token *token, void *item)
{
	return token->type == IQ_JSON_ARRAY_BEGIN && take_range(taking->json, item);
}

static bool take_text(struct taking *taking, const struct iq_json_token *token, struct iq_view *ret_text)
{
	struct iq_buf scratch = IQ_BUF_INIT;

	if (token->type == IQ_JSON_STRING)
		*ret_text = iq_arena_copy(taking->arena, iq_json_text(token, &scratch));
	iq_buf_release(&scratch);
	return token->type == IQ_JSON_STRING && ret_text->data;
}

static bool take_type(struct taking *taking, const struct iq_json_token *token, void *item)
{
	return token->type == IQ_JSON_NULL || take_text(taking, token, item);
}

static bool take_name(struct taking *taking, struct iq_view *ret_name)
{
	struct iq_json_token token;
	char *bytes;

	if (iq_json_next(taking->json, &token) <= 0)
		return false;
	if (token.type != IQ_JSON_ARRAY_BEGIN)
		return take_text(taking, &token, ret_name);
	if (iq_json_next(taking->json, &token) <= 0 || token.type != IQ_JSON_STRING)
		return false;
	bytes = iq_arena_calloc(taking->arena, token.raw.len / 2 + 1, 1);
	if (!bytes || !iq_unhex(token.raw, (uint8_t *)bytes, token.raw.len / 2))
		return false;
	*ret_name = iq_view_make(bytes, token.raw.len / 2);
	return is_next(taking->json, IQ_JSON_ARRAY_END);
}

static bool take_source(struct taking *taking, const struct iq_json_token *token, void *item)
{
	struct iq_source *source = item;
	struct iq_json_token value;
	uint64_t no = 0;

	if (token->type != IQ_JSON_ARRAY_BEGIN || !take_next_number(taking->json, &no) || no == 0 || no > UINT32_MAX)
		return false;
	source->no = (uint32_t)no;
	return take_name(taking, &source->name) && take_next_number(taking->json, &source->events) &&
	       iq_json_next(taking->json, &value) > 0 && time_of(&value, &source->first) &&
	       iq_json_next(taking->json, &value) > 0 && time_of(&value, &source->last) &&
	       is_next(taking->json, IQ_JSON_ARRAY_END);
}

/* How many values the array has that was just begun. */
static size_t count_values(const struct iq_json *at)
{
	struct iq_json json = *at;
	struct iq_json_token token;
	size_t count = 0;

	while (iq_json_next(&json, &token) > 0 && token.type != IQ_JSON_ARRAY_END) {
		(void)iq_json_skip(&json, &token);
		count++;
	}
	return count;
}

static bool take_list(struct taking *taking, size_t size,
		      bool (*take)(struct taking *taking, const struct iq_json_token *token, void *item),
		      void *ret_items, size_t *ret_count)
{
	size_t count = taking->token->type == IQ_JSON_ARRAY_BEGIN ? count_values(taking->json) : 0;
	char *items = iq_arena_calloc(taking->arena, count + 1, size);
	struct iq_json_token token;
	bool taken = items && taking->token->type == IQ_JSON_ARRAY_BEGIN;

	for (size_t i = 0; taken && i < count; i++)
		taken = iq_json_next(taking->json, &token) > 0 && take(taking, &token, items + i * size);
	if (!taken || !is_next(taking->json, IQ_JSON_ARRAY_END))
		return false;
	memcpy(ret_items, &items, sizeof(items));
	*ret_count = count;
	return true;
}

static bool take_sessions(struct taking *taking)
{
	return take_list(taking, sizeof(struct iq_number_range), take_session, &taking->summary->sessions,
			 &taking->summary->session_count);
}

static bool take_types(struct taking *taking)
{
	taking->summary->types_known = true;
	return take_list(taking, sizeof(struct iq_view), take_type, &taking->summary->types,
			 &taking->summary->type_count);
}

static bool take_sources(struct taking *taking)
{
	return take_list(taking, sizeof(struct iq_source), take_source, &taking->summary->sources,
			 &taking->summary->source_count);
}

bool iq_summary_take(struct iq_summary *summary, struct iq_view name, struct iq_json *json,
		     const struct iq_json_token *token, struct iq_arena *arena)
{
	static const struct {
		const char *name;
		bool (*take)(struct taking *taking);
	} members[] = {
		{ "events", take_events }, { "ids", take_ids },		  { "evidence", take_evidence },
		{ "raw", take_raw },	   { "kinds", take_kinds },	  { "ts", take_ts },
		{ "types", take_types },   { "sessions", take_sessions }, { "sources", take_sources },
	};
	struct taking taking = { summary, json, token, arena };

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (iq_view_eq(name, iq_view_cstr(members[i].name)))
			return members[i].take(&taking);
	return iq_json_skip(json, token).data != NULL;
}
