/* A group is a path: at each key there is a level, whose nodes are the pairs of a node of the level before and a value of the
 * key. The nodes of the last level are the groups. */
#include "store/aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "store/reader.h"
#include "store/select.h"

/* One key: its nodes are numbered as they come, and found by an open hash table of 2^bits places. */
struct level {
	enum iq_column column;
	uint64_t *nodes; /* node of the level before << 32 | value of the key */
	size_t count;
	size_t capacity;
	uint32_t *places; /* node + 1; 0: free */
	unsigned bits;
};

struct adding {
	struct iq_store *store;
	const struct iq_aggregate_options *options;
	struct level levels[IQ_AGGREGATE_MAX_KEYS];
	struct iq_map types; /* their values are 1 + their index; 0 is none */
	enum iq_column columns[IQ_COLUMN_COUNT];
	size_t column_count;
	uint64_t bounds[IQ_COLUMN_COUNT]; /* what no sum of the column can exceed; UINT64_MAX: no bound */
	uint64_t *events;		  /* by group */
	struct iq_total *totals;	  /* by group, and by place in `columns` */
	size_t capacity;
	uint32_t *groups;		  /* of the rows at hand */
	const struct iq_segment *segment; /* that was asked last whether its sessions tell all */
	bool segment_tells;
	int told_rc;
	struct iq_error *error; /* of a segment's tables */
};

/* ---- Groups ---- */

static size_t place_of(const struct level *level, uint64_t node)
{
	return (size_t)((node * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - level->bits));
}

static size_t find_place(const struct level *level, uint64_t node)
{
	const size_t mask = ((size_t)1 << level->bits) - 1;
	size_t place = place_of(level, node);

	while (level->places[place] && level->nodes[level->places[place] - 1] != node)
		place = (place + 1) & mask;
	return place;
}

/* Twice as many nodes, and four times as many places. */
static int grow_level(struct level *level)
{
	const size_t capacity = level->capacity ? level->capacity * 2 : 256;
	uint64_t *nodes = realloc(level->nodes, capacity * sizeof(*nodes));
	uint32_t *places = calloc(capacity * 2, sizeof(*places));

	level->nodes = nodes ? nodes : level->nodes;
	if (!nodes || !places) {
		free(places);
		return IQ_ERR_NOMEM;
	}
	free(level->places);
	level->places = places;
	level->bits = (unsigned)__builtin_ctzll(capacity * 2);
	level->capacity = capacity;
	for (size_t i = 0; i < level->count; i++)
		level->places[find_place(level, nodes[i])] = (uint32_t)i + 1;
	return 0;
}

static int find_node(struct level *level, uint32_t before, uint32_t value, uint32_t *ret_node)
{
	const uint64_t node = (uint64_t)before << 32 | value;
	size_t place;

	if (level->count == level->capacity && grow_level(level) < 0)
		return IQ_ERR_NOMEM;
	place = find_place(level, node);
	if (!level->places[place]) {
		if (level->count == IQ_AGGREGATE_MAX_GROUPS)
			return IQ_ERR_LIMIT;
		level->nodes[level->count++] = node;
		level->places[place] = (uint32_t)level->count;
	}
	*ret_node = level->places[place] - 1;
	return 0;
}

static size_t group_count(const struct adding *adding)
{
	const size_t keys = adding->options->key_count;

	return keys ? adding->levels[keys - 1].count : 1;
}

/* Room for every group there is. */
static int make_room(struct adding *adding)
{
	const size_t count = group_count(adding), width = adding->column_count;
	size_t capacity = adding->capacity ? adding->capacity : 64;
	uint64_t *events;
	struct iq_total *totals;

	if (count <= adding->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	events = realloc(adding->events, capacity * sizeof(*events));
	adding->events = events ? events : adding->events;
	totals = realloc(adding->totals, (capacity * width + 1) * sizeof(*totals));
	adding->totals = totals ? totals : adding->totals;
	if (!events || !totals)
		return IQ_ERR_NOMEM;
	memset(events + adding->capacity, 0, (capacity - adding->capacity) * sizeof(*events));
	for (size_t i = adding->capacity * width; i < capacity * width; i++)
		totals[i] = (struct iq_total){ .min = INT64_MAX, .max = INT64_MIN };
	adding->capacity = capacity;
	return 0;
}

static int type_value(struct adding *adding, struct iq_view name, uint32_t *ret_value)
{
	uint32_t index = 0;

	if (!name.data) {
		*ret_value = 0;
		return 0;
	}
	if (iq_map_intern(&adding->types, name, &index) < 0)
		return IQ_ERR_NOMEM;
	*ret_value = index + 1;
	return 0;
}

/* ---- Totals ---- */

static void add_total(struct iq_total *total, const struct iq_total *more)
{
	total->count += more->count;
	total->sum = (int64_t)((uint64_t)total->sum + (uint64_t)more->sum);
	total->min = more->min < total->min ? more->min : total->min;
	total->max = more->max > total->max ? more->max : total->max;
}

static inline void add_number(struct iq_total *total, int64_t number)
{
	if (number == IQ_NUMBER_NONE)
		return;
	total->count++;
	total->sum = (int64_t)((uint64_t)total->sum + (uint64_t)number);
	total->min = number < total->min ? number : total->min;
	total->max = number > total->max ? number : total->max;
}

/* `count` numbers between the two were added. */
static void raise_bound(struct adding *adding, enum iq_column column, uint64_t count, int64_t min, int64_t max)
{
	uint64_t *bound = &adding->bounds[column], more;
	const uint64_t below = min < 0 ? 0 - (uint64_t)min : 0, above = max > 0 ? (uint64_t)max : 0;

	if (count > 0 && (__builtin_mul_overflow(count, below > above ? below : above, &more) ||
			  __builtin_add_overflow(*bound, more, bound)))
		*bound = UINT64_MAX;
}

/* ---- Rows ---- */

static int find_types(struct adding *adding, const struct iq_block *block, uint32_t **ret_values)
{
	uint32_t *values = malloc((block->type_count + 1) * sizeof(*values));
	int rc = values ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; i <= block->type_count && rc == 0; i++)
		rc = type_value(adding, block->types[i], &values[i]);
	*ret_values = values;
	return rc;
}

/* From the nodes of one level to those of the next. */
static int descend(struct adding *adding, struct level *level, const struct iq_run *run)
{
	const int64_t *numbers = run->block->numbers[level->column];
	uint32_t *types = NULL, *nodes = adding->groups;
	int rc = level->column == IQ_COLUMN_TYPE ? find_types(adding, run->block, &types) : 0;

	for (uint64_t i = 0; i < run->count && rc == 0; i++) {
		const int64_t number = numbers[run->rows[i]];

		rc = find_node(level, nodes[i], types ? types[number] : (uint32_t)number, &nodes[i]);
	}
	free(types);
	return rc;
}

/* Rows of one group: nothing is looked up for a number. */
static void add_span(struct adding *adding, const struct iq_block *block, uint32_t group, const uint32_t *rows,
		     uint64_t count)
{
	adding->events[group] += count;
	for (size_t place = 0; place < adding->column_count; place++) {
		const int64_t *numbers = block->numbers[adding->columns[place]];
		struct iq_total total = { .min = INT64_MAX, .max = INT64_MIN };

		for (uint64_t i = 0; i < count && numbers; i++)
			add_number(&total, numbers[rows[i]]);
		for (uint64_t i = 0; i < count && !numbers; i++)
			add_number(&total, (int64_t)(block->id_first + rows[i]));
		add_total(&adding->totals[group * adding->column_count + place], &total);
	}
}

/* Is the group the session, and the run a whole chunk? That tells which rows each session has. */
static bool is_by_session(const struct adding *adding, const struct iq_run *run)
{
	const struct iq_chunk *chunk = run->block->chunk;

	return adding->options->key_count == 1 && adding->levels[0].column == IQ_COLUMN_SESSION &&
	       run->count == chunk->zone->rows && chunk->count == chunk->zone->rows;
}

static int add_sessions(struct adding *adding, const struct iq_run *run)
{
	const struct iq_chunk *chunk = run->block->chunk;
	const struct iq_zone *zone = chunk->zone;
	const uint32_t *rows = chunk->rows ? chunk->rows : run->rows;
	int rc = 0;

	for (size_t i = 0; i < zone->session_count && rc == 0; rows += zone->sessions[i++].value) {
		uint32_t group;

		rc = find_node(&adding->levels[0], 0, zone->sessions[i].no, &group);
		if (rc == 0)
			rc = make_room(adding);
		if (rc == 0)
			add_span(adding, run->block, group, rows, zone->sessions[i].value);
	}
	return rc;
}

static void add_column(struct adding *adding, const struct iq_run *run, size_t place)
{
	const int64_t *numbers = run->block->numbers[adding->columns[place]];
	const size_t width = adding->column_count;
	struct iq_total *totals = adding->totals + place;

	for (uint64_t i = 0; i < run->count; i++) {
		const uint32_t row = run->rows[i];

		add_number(&totals[adding->groups[i] * width],
			   numbers ? numbers[row] : (int64_t)(run->block->id_first + row));
	}
}

static int add_rows(struct adding *adding, const struct iq_run *run)
{
	int rc = 0;

	memset(adding->groups, 0, run->count * sizeof(*adding->groups));
	for (size_t i = 0; i < adding->options->key_count && rc == 0; i++)
		rc = descend(adding, &adding->levels[i], run);
	if (rc == 0)
		rc = make_room(adding);
	for (uint64_t i = 0; i < run->count && rc == 0; i++)
		adding->events[adding->groups[i]]++;
	for (size_t place = 0; place < adding->column_count && rc == 0; place++)
		add_column(adding, run, place);
	return rc;
}

static void bound_run(struct adding *adding, const struct iq_run *run, enum iq_column column)
{
	const int64_t *numbers = run->block->numbers[column];
	int64_t min = 0, max = 0;

	if (!numbers)
		max = (int64_t)(run->block->id_first + run->rows[run->count - 1]);
	for (uint64_t i = 0; i < run->count && numbers; i++) {
		const int64_t number = numbers[run->rows[i]];

		min = number < min && number != IQ_NUMBER_NONE ? number : min;
		max = number > max ? number : max;
	}
	raise_bound(adding, column, run->count, min, max);
}

static int add_run(struct adding *adding, const struct iq_run *run)
{
	for (size_t place = 0; place < adding->column_count; place++)
		if (adding->options->sums >> adding->columns[place] & 1)
			bound_run(adding, run, adding->columns[place]);
	if (is_by_session(adding, run))
		return add_sessions(adding, run);
	if (adding->options->key_count > 0)
		return add_rows(adding, run);
	add_span(adding, run->block, 0, run->rows, run->count);
	return 0;
}

/* ---- Chunks that are told by their zone maps ---- */

/* How many values of a key a chunk has; 0 where its zone map does not say. */
static size_t zone_values(const struct iq_zone *zone, enum iq_column column)
{
	switch (column) {
	case IQ_COLUMN_SOURCE:
		return zone->source_count;
	case IQ_COLUMN_SESSION:
		return zone->session_count;
	case IQ_COLUMN_TYPE:
		return zone->type_count;
	case IQ_COLUMN_KIND:
		return (size_t)__builtin_popcount(zone->kinds);
	case IQ_COLUMN_EVIDENCE:
		return zone->evidence_count;
	default:
		return 0;
	}
}

static bool has_counts(enum iq_column column)
{
	return column == IQ_COLUMN_SOURCE || column == IQ_COLUMN_SESSION || column == IQ_COLUMN_TYPE;
}

/* Totals can be told of a whole chunk only, counts of the values of one key. */
static bool tells_groups(const struct adding *adding, const struct iq_zone *zone, enum iq_column *ret_spread)
{
	size_t spread = 0;

	*ret_spread = IQ_COLUMN_COUNT;
	for (size_t i = 0; i < adding->options->key_count; i++) {
		const enum iq_column column = adding->levels[i].column;
		const size_t values = zone_values(zone, column);

		if (values == 0 || (values > 1 && (!has_counts(column) || adding->column_count > 0)))
			return false;
		if (values > 1)
			*ret_spread = column;
		spread += values > 1;
	}
	return spread <= 1;
}

static bool zone_total(const struct adding *adding, const struct iq_zone *zone, enum iq_column column,
		       struct iq_total *ret_total)
{
	const uint64_t last = zone->id_first + zone->rows - 1;

	switch (column) {
	case IQ_COLUMN_ID:
		*ret_total =
			(struct iq_total){ .count = zone->rows, .min = (int64_t)zone->id_first, .max = (int64_t)last };
		ret_total->sum = (int64_t)(zone->id_first * zone->rows + (uint64_t)zone->rows * (zone->rows - 1) / 2);
		return true;
	case IQ_COLUMN_TS:
		*ret_total = (struct iq_total){ .count = zone->rows - zone->ts_nulls,
						.min = zone->ts_min,
						.max = zone->ts_max };
		return !(adding->options->sums >> column & 1);
	case IQ_COLUMN_LENGTH:
		*ret_total = (struct iq_total){
			.count = zone->rows, .min = zone->length_min, .max = zone->length_max, .sum = zone->length_sum
		};
		return true;
	case IQ_COLUMN_EVIDENCE:
		if (zone->evidence_count != 1)
			return false;
		*ret_total = (struct iq_total){ .count = zone->rows,
						.min = zone->evidence[0].no,
						.max = zone->evidence[0].no };
		ret_total->sum = (int64_t)zone->rows * zone->evidence[0].no;
		return true;
	default:
		return false;
	}
}

static bool tells_totals(const struct adding *adding, const struct iq_zone *zone)
{
	struct iq_total total;

	for (size_t i = 0; i < adding->column_count; i++)
		if (!zone_total(adding, zone, adding->columns[i], &total))
			return false;
	return true;
}

static int zone_value(struct adding *adding, const struct iq_zone *zone, enum iq_column column, size_t i,
		      uint32_t *ret_value)
{
	switch (column) {
	case IQ_COLUMN_SOURCE:
		*ret_value = zone->sources[i].no;
		return 0;
	case IQ_COLUMN_SESSION:
		*ret_value = zone->sessions[i].no;
		return 0;
	case IQ_COLUMN_TYPE:
		return type_value(adding, zone->types[i].name, ret_value);
	case IQ_COLUMN_KIND:
		*ret_value = (uint32_t)__builtin_ctz(zone->kinds);
		return 0;
	default:
		*ret_value = zone->evidence[i].no;
		return 0;
	}
}

static uint64_t zone_events(const struct iq_zone *zone, enum iq_column column, size_t i)
{
	switch (column) {
	case IQ_COLUMN_SOURCE:
		return zone->sources[i].value;
	case IQ_COLUMN_SESSION:
		return zone->sessions[i].value;
	case IQ_COLUMN_TYPE:
		return zone->types[i].events;
	default:
		return zone->rows;
	}
}

/* The part of a chunk that has the i-th value of the key that it has several of. */
static int add_part(struct adding *adding, const struct iq_zone *zone, enum iq_column spread, size_t i)
{
	uint32_t group = 0, value;
	int rc = 0;

	for (size_t key = 0; key < adding->options->key_count && rc == 0; key++) {
		const enum iq_column column = adding->levels[key].column;

		rc = zone_value(adding, zone, column, column == spread ? i : 0, &value);
		if (rc == 0)
			rc = find_node(&adding->levels[key], group, value, &group);
	}
	if (rc == 0)
		rc = make_room(adding);
	if (rc < 0)
		return rc;
	adding->events[group] += zone_events(zone, spread, i);
	for (size_t place = 0; place < adding->column_count; place++) {
		struct iq_total total = { .count = 0 };

		(void)zone_total(adding, zone, adding->columns[place], &total);
		if (total.count > 0)
			add_total(&adding->totals[group * adding->column_count + place], &total);
		raise_bound(adding, adding->columns[place], total.count, total.min, total.max);
	}
	return 0;
}

/* ---- Segments that are told by their sessions ---- */

/* Sessions have the first and the last time of their events. Where those are all that is in the chunks, and all have a time, that is
 * what there is to know of ts by session; not where chunks are withheld, whose events the sessions still count, nor where events were dropped,
 * whose times they keep. */
static bool sessions_tell(struct adding *adding, struct iq_segment *segment)
{
	const struct iq_aggregate_options *options = adding->options;
	uint64_t rows = 0, events = 0;

	if (options->test_count > 0 || options->key_count != 1 || options->keys[0] != IQ_COLUMN_SESSION ||
	    options->columns != 1u << IQ_COLUMN_TS || options->sums)
		return false;
	for (size_t i = 0; i < segment->zone_count; i++) {
		const struct iq_zone *zone = &segment->zones[i];

		if (zone->ts_nulls > 0 || zone->session_count == 0 || zone->sessions[0].no == 0)
			return false;
		rows += zone->rows;
	}
	adding->told_rc = iq_segment_load(segment, adding->error);
	if (adding->told_rc < 0 || iq_segment_is_dropped(segment))
		return false;
	for (size_t i = 0; i < segment->session_count; i++)
		events += segment->sessions[i].session.events;
	return rows == events;
}

static int add_told_sessions(struct adding *adding, const struct iq_segment *segment)
{
	int rc = 0;

	for (size_t i = 0; i < segment->session_count && rc == 0; i++) {
		const struct iq_session *session = &segment->sessions[i].session;
		const struct iq_total total = { .count = session->events,
						.min = session->started,
						.max = session->ended };
		uint32_t group;

		if (session->events == 0)
			continue;
		rc = find_node(&adding->levels[0], 0, session->no, &group);
		if (rc == 0)
			rc = make_room(adding);
		if (rc < 0)
			return rc;
		adding->events[group] += session->events;
		if (adding->column_count > 0)
			add_total(&adding->totals[group], &total);
	}
	return rc;
}

static bool segment_told(struct adding *adding, struct iq_segment *segment)
{
	if (segment == adding->segment)
		return adding->segment_tells;
	adding->segment = segment;
	adding->segment_tells = sessions_tell(adding, segment);
	if (adding->segment_tells)
		adding->told_rc = add_told_sessions(adding, segment);
	return adding->segment_tells;
}

/* Asked by the scan of each chunk that may match. */
static bool take_told(void *context, struct iq_segment *segment, const struct iq_zone *zone)
{
	struct adding *adding = context;
	const struct iq_tests tests = { adding->options->tests, adding->options->test_count };
	enum iq_column spread;
	size_t parts;

	if (adding->told_rc < 0 || segment_told(adding, segment))
		return true;
	if (!iq_select_whole_zone(&tests, zone, segment) || !tells_groups(adding, zone, &spread) ||
	    !tells_totals(adding, zone))
		return false;
	parts = spread == IQ_COLUMN_COUNT ? 1 : zone_values(zone, spread);
	for (size_t i = 0; i < parts && adding->told_rc == 0; i++)
		adding->told_rc = add_part(adding, zone, spread, i);
	return true;
}

/* ---- The result ---- */

static struct iq_view source_name(struct iq_store *store, uint32_t no)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);

	for (size_t i = 0; i < count; i++)
		if (sources[i].no == no)
			return sources[i].name;
	return IQ_VIEW_NULL;
}

static struct iq_view key_text(const struct adding *adding, enum iq_column column, uint32_t value,
			       struct iq_arena *memory)
{
	char name[IQ_SESSION_NAME_SIZE];

	switch (column) {
	case IQ_COLUMN_SOURCE:
		return iq_arena_copy(memory, source_name(adding->store, value));
	case IQ_COLUMN_SESSION:
		return value ? iq_arena_copy(memory, iq_session_name(value, name)) : IQ_VIEW_NULL;
	case IQ_COLUMN_TYPE:
		return value ? iq_arena_copy(memory, adding->types.entries[value - 1].key) : IQ_VIEW_NULL;
	case IQ_COLUMN_EVIDENCE:
		return IQ_VIEW_NULL;
	default:
		return iq_select_name(column, value);
	}
}

/* Back along the path. */
static void read_keys(const struct adding *adding, uint32_t group, struct iq_group_key *keys, struct iq_arena *memory)
{
	uint32_t node = group;

	for (size_t i = adding->options->key_count; i-- > 0;) {
		const struct level *level = &adding->levels[i];
		const uint32_t value = (uint32_t)level->nodes[node];

		keys[i].text = key_text(adding, level->column, value, memory);
		keys[i].number = value;
		node = (uint32_t)(level->nodes[node] >> 32);
	}
}

static int compare_texts(struct iq_view a, struct iq_view b)
{
	if (!a.data || !b.data)
		return (a.data != NULL) - (b.data != NULL);
	return iq_view_cmp(a, b);
}

/* Numbers decide only between keys that are numbers: different texts have different numbers. */
static int compare_groups(const void *a, const void *b)
{
	const struct iq_group *x = a, *y = b;
	int order = 0;

	for (size_t i = 0; i < x->key_count && order == 0; i++) {
		order = compare_texts(x->keys[i].text, y->keys[i].text);
		if (order == 0)
			order = (x->keys[i].number > y->keys[i].number) - (x->keys[i].number < y->keys[i].number);
	}
	return order;
}

static int make_result(struct adding *adding, struct iq_aggregate *result)
{
	const size_t count = group_count(adding), keys = adding->options->key_count, width = adding->column_count;
	struct iq_group_key *all = iq_arena_calloc(&result->memory, count * keys + 1, sizeof(*all));
	struct iq_total *totals = iq_arena_alloc(&result->memory, (count * width + 1) * sizeof(*totals));

	result->groups = iq_arena_calloc(&result->memory, count + 1, sizeof(*result->groups));
	if (!all || !totals || !result->groups)
		return IQ_ERR_NOMEM;
	if (count * width > 0)
		memcpy(totals, adding->totals, count * width * sizeof(*totals));
	for (size_t i = 0; i < count; i++) {
		read_keys(adding, (uint32_t)i, all + i * keys, &result->memory);
		result->groups[i] = (struct iq_group){ all + i * keys, keys, adding->events[i], totals + i * width };
	}
	result->count = count;
	if (count > 1)
		qsort(result->groups, count, sizeof(*result->groups), compare_groups);
	for (unsigned column = 0; column < IQ_COLUMN_COUNT; column++)
		if (adding->options->sums >> column & 1 && adding->bounds[column] > INT64_MAX)
			result->too_large |= 1u << column;
	return result->memory.failed ? IQ_ERR_NOMEM : 0;
}

/* ---- The whole ---- */

static void prepare(struct adding *adding)
{
	const struct iq_aggregate_options *options = adding->options;

	for (size_t i = 0; i < options->key_count; i++)
		adding->levels[i].column = options->keys[i];
	for (unsigned column = 0; column < IQ_COLUMN_COUNT; column++)
		if (options->columns >> column & 1)
			adding->columns[adding->column_count++] = (enum iq_column)column;
}

static void release(struct adding *adding)
{
	for (size_t i = 0; i < IQ_AGGREGATE_MAX_KEYS; i++) {
		free(adding->levels[i].nodes);
		free(adding->levels[i].places);
	}
	iq_map_release(&adding->types);
	free(adding->events);
	free(adding->totals);
	free(adding->groups);
	free(adding);
}

static int failed(int rc, struct iq_error *error)
{
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (rc != IQ_ERR_LIMIT)
		return rc; /* reading a segment said why */
	return iq_error_set(error, IQ_ERR_LIMIT, "these are more than %u groups: name fewer columns to group by",
			    IQ_AGGREGATE_MAX_GROUPS);
}

static int add_chunks(struct adding *adding, struct iq_error *error)
{
	const struct iq_aggregate_options *options = adding->options;
	struct iq_scan_options scanned = { .tests = options->tests,
					   .test_count = options->test_count,
					   .columns = options->columns,
					   .told = take_told,
					   .told_context = adding };
	struct iq_scan *scan;
	struct iq_run run;
	int rc, added = 0;

	for (size_t i = 0; i < options->key_count; i++)
		scanned.columns |= 1u << options->keys[i];
	rc = iq_scan_open(adding->store, &scanned, &scan, error);
	if (rc < 0)
		return rc;
	added = adding->told_rc;
	while (added == 0 && (rc = iq_scan_next(scan, &run, error)) > 0)
		added = add_run(adding, &run);
	iq_scan_close(scan);
	return added < 0 ? failed(added, error) : rc;
}

int iq_aggregate(struct iq_store *store, const struct iq_aggregate_options *options, struct iq_aggregate **ret_result,
		 struct iq_error *error)
{
	struct adding *adding = calloc(1, sizeof(*adding));
	struct iq_aggregate *result = calloc(1, sizeof(*result));
	int rc = IQ_ERR_NOMEM;

	if (adding && result) {
		adding->store = store;
		adding->options = options;
		adding->error = error;
		prepare(adding);
		adding->groups = malloc(IQ_CHUNK_MAX_EVENTS * sizeof(*adding->groups));
		rc = adding->groups ? make_room(adding) : IQ_ERR_NOMEM;
	}
	if (rc < 0)
		rc = iq_error_nomem(error);
	if (rc == 0)
		rc = add_chunks(adding, error);
	if (rc == 0 && make_result(adding, result) < 0)
		rc = iq_error_nomem(error);
	if (adding)
		release(adding);
	if (rc < 0) {
		iq_aggregate_free(result);
		return rc;
	}
	*ret_result = result;
	return 0;
}

void iq_aggregate_free(struct iq_aggregate *result)
{
	if (!result)
		return;
	iq_arena_release(&result->memory);
	free(result);
}
