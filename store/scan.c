/* A scan is a list of tasks, one a chunk that may match (two, where events without a time come apart), in the order in which
 * they are used. A task decodes the chunk and selects its rows; it is done by whoever comes first, the reader or a worker. */
#include "store/scan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"
#include "store/select.h"

/* Which rows of a chunk a task is for. */
enum part { PART_ALL, PART_TIMED, PART_UNTIMED };

struct task {
	struct iq_segment *segment;
	const struct iq_zone *zone;
	enum part part;
};

/* A task that is being done, or was. */
struct slot {
	struct slot *next; /* of those that are free */
	size_t task;
	bool done;
	int rc;
	struct iq_error error;
	struct iq_codec *codec;
	struct iq_chunk chunk;
	struct iq_block block;
	uint32_t *rows;
	uint32_t count;
	uint32_t at; /* orders by time: rows before are given out */
	struct cell *cells;
	size_t cell_count;
	struct iq_arena spare;	/* memory of the chunk before, for the next one */
	struct iq_arena memory; /* of what is gathered by group */
};

/* Rows of one chunk that are in one group. */
struct cell {
	struct iq_view key;
	struct slot *slot;
	size_t task;
	uint32_t first;
	uint32_t count;
};

struct iq_scan {
	struct iq_store *store;
	struct iq_scan_options options;
	struct iq_tests tests;
	struct task *tasks;
	size_t task_count;
	struct iq_run run; /* given out last */
	struct slot *current;

	pthread_mutex_t mutex; /* of all until `idle` */
	pthread_cond_t changed;
	struct slot **slots; /* by task: begun and not given back */
	size_t claimed;	     /* tasks before are begun */
	size_t taken;	     /* tasks before are asked for */
	bool stop;
	struct slot *idle;

	pthread_t workers[IQ_SCAN_THREADS];
	size_t worker_count;
	bool started;

	struct slot **active; /* orders by time: slots with rows left */
	size_t active_count;
	struct cell *cells; /* orders by group */
	size_t cell_count;
	size_t next_cell;
	bool grouped;
	struct iq_arena memory; /* keys of the cells */
};

static bool is_descending(const struct iq_scan *scan)
{
	return scan->options.order == IQ_SCAN_ID_DESC || scan->options.order == IQ_SCAN_TS_DESC ||
	       scan->options.order == IQ_SCAN_GROUP_DESC;
}

static bool is_by_time(const struct iq_scan *scan)
{
	return scan->options.order == IQ_SCAN_TS || scan->options.order == IQ_SCAN_TS_DESC;
}

static bool is_by_group(const struct iq_scan *scan)
{
	return scan->options.order >= IQ_SCAN_GROUP;
}

/* ---- Tasks ---- */

static int add_tasks(struct iq_scan *scan, struct iq_segment *segment)
{
	struct task *grown =
		realloc(scan->tasks, (scan->task_count + 2 * segment->zone_count + 1) * sizeof(*scan->tasks));

	if (!grown)
		return IQ_ERR_NOMEM;
	scan->tasks = grown;
	for (size_t i = 0; i < segment->zone_count; i++) {
		const struct iq_zone *zone = &segment->zones[i];

		if (!iq_select_zone(&scan->tests, zone, segment) ||
		    (scan->options.told && scan->options.told(scan->options.told_context, segment, zone)))
			continue;
		if (!is_by_time(scan))
			grown[scan->task_count++] = (struct task){ segment, zone, PART_ALL };
		if (is_by_time(scan) && zone->ts_nulls > 0)
			grown[scan->task_count++] = (struct task){ segment, zone, PART_UNTIMED };
		if (is_by_time(scan) && zone->ts_nulls < zone->rows)
			grown[scan->task_count++] = (struct task){ segment, zone, PART_TIMED };
	}
	return 0;
}

static int compare_ids(const struct task *x, const struct task *y)
{
	return (x->zone->id_first > y->zone->id_first) - (x->zone->id_first < y->zone->id_first);
}

static int compare_by_time(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	if (x->part != y->part)
		return x->part == PART_UNTIMED ? -1 : 1;
	if (x->part == PART_TIMED && x->zone->ts_min != y->zone->ts_min)
		return x->zone->ts_min < y->zone->ts_min ? -1 : 1;
	return compare_ids(x, y);
}

static int compare_by_time_down(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	if (x->part != y->part)
		return x->part == PART_UNTIMED ? 1 : -1;
	if (x->part == PART_TIMED && x->zone->ts_max != y->zone->ts_max)
		return x->zone->ts_max > y->zone->ts_max ? -1 : 1;
	return compare_ids(y, x);
}

static int compare_by_id_down(const void *a, const void *b)
{
	return compare_ids(b, a);
}

static void order_tasks(struct iq_scan *scan)
{
	int (*const compare[])(const void *a, const void *b) = {
		[IQ_SCAN_ID_DESC] = compare_by_id_down,
		[IQ_SCAN_TS] = compare_by_time,
		[IQ_SCAN_TS_DESC] = compare_by_time_down,
		[IQ_SCAN_GROUP_DESC] = NULL,
	};

	if (scan->task_count > 0 && compare[scan->options.order])
		qsort(scan->tasks, scan->task_count, sizeof(*scan->tasks), compare[scan->options.order]);
}

static int collect_tasks(struct iq_scan *scan, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = 0;

	for (size_t i = 0; i < scan->store->manifest.count && rc == 0; i++) {
		if (!iq_select_summary(&scan->tests, iq_store_summary(scan->store, i)))
			continue;
		rc = iq_store_segment_lazily(scan->store, i, &segment, error);
		if (rc == 0 && add_tasks(scan, segment) < 0)
			rc = iq_error_nomem(error);
	}
	order_tasks(scan);
	return rc;
}

/* ---- Slots ---- */

static void free_slot(struct slot *slot)
{
	if (!slot)
		return;
	iq_chunk_release(&slot->chunk);
	iq_codec_free(slot->codec);
	iq_arena_release(&slot->spare);
	iq_arena_release(&slot->memory);
	free(slot->rows);
	free(slot);
}

/* What decoding needs; a scan that zone maps answer does without. */
static int equip(struct slot *slot)
{
	if (!slot->codec)
		slot->codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	if (!slot->rows)
		slot->rows = malloc(IQ_CHUNK_MAX_EVENTS * sizeof(*slot->rows));
	return slot->codec && slot->rows ? 0 : IQ_ERR_NOMEM;
}

/* Locked. One for the next task; NULL when memory is out. */
static struct slot *claim(struct iq_scan *scan)
{
	struct slot *slot = scan->idle;

	if (slot)
		scan->idle = slot->next;
	else
		slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->task = scan->claimed++;
	slot->done = false;
	slot->at = 0;
	scan->slots[slot->task] = slot;
	return slot;
}

/* Memory that is touched already costs nothing. */
static void release_chunk(struct slot *slot)
{
	iq_arena_release(&slot->spare);
	slot->spare = slot->chunk.memory;
	slot->chunk.memory = (struct iq_arena)IQ_ARENA_INIT;
	iq_arena_clear(&slot->spare);
	iq_chunk_release(&slot->chunk);
}

static void give_back(struct iq_scan *scan, struct slot *slot)
{
	if (!slot)
		return;
	release_chunk(slot);
	iq_arena_clear(&slot->memory);
	(void)pthread_mutex_lock(&scan->mutex);
	scan->slots[slot->task] = NULL;
	slot->next = scan->idle;
	scan->idle = slot;
	(void)pthread_mutex_unlock(&scan->mutex);
}

/* ---- Doing a task ---- */

static void keep_part(struct slot *slot, enum part part)
{
	const int64_t *ts = slot->chunk.numbers[IQ_COLUMN_TS];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < slot->count; i++)
		if ((ts[slot->rows[i]] == IQ_TIME_NONE) == (part == PART_UNTIMED))
			slot->rows[kept++] = slot->rows[i];
	slot->count = kept;
}

struct timed_row {
	int64_t ts;
	uint32_t row;
};

static int compare_rows(const void *a, const void *b)
{
	const struct timed_row *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int sort_rows(struct slot *slot)
{
	const int64_t *ts = slot->chunk.numbers[IQ_COLUMN_TS];
	struct timed_row *sorted;
	bool in_order = true;

	for (uint32_t i = 1; i < slot->count && in_order; i++)
		in_order = ts[slot->rows[i - 1]] <= ts[slot->rows[i]];
	if (in_order)
		return 0;
	sorted = malloc(slot->count * sizeof(*sorted));
	if (!sorted)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < slot->count; i++)
		sorted[i] = (struct timed_row){ ts[slot->rows[i]], slot->rows[i] };
	qsort(sorted, slot->count, sizeof(*sorted), compare_rows);
	for (uint32_t i = 0; i < slot->count; i++)
		slot->rows[i] = sorted[i].row;
	free(sorted);
	return 0;
}

static void reverse_rows(struct slot *slot)
{
	for (uint32_t i = 0; i < slot->count / 2; i++) {
		uint32_t row = slot->rows[i];

		slot->rows[i] = slot->rows[slot->count - 1 - i];
		slot->rows[slot->count - 1 - i] = row;
	}
}

static void fill_block(struct slot *slot, size_t task)
{
	const struct iq_chunk *chunk = &slot->chunk;

	slot->block = (struct iq_block){ .serial = task + 1,
					 .id_first = chunk->zone->id_first,
					 .types = chunk->types,
					 .type_count = chunk->type_count,
					 .chunk = &slot->chunk };
	for (unsigned column = 0; column < IQ_COLUMN_COUNT; column++)
		slot->block.numbers[column] = chunk->numbers[column];
	slot->block.numbers[IQ_COLUMN_OFFSET] = (const int64_t *)chunk->offsets;
	slot->block.numbers[IQ_COLUMN_LENGTH] = (const int64_t *)chunk->lengths;
}

/* Of one session all texts are read, mostly: they are decoded by the thread that is at work, not by the reader. */
static int load_columns(struct iq_scan *scan, const struct task *task, struct slot *slot, struct iq_error *error)
{
	const uint32_t columns = scan->options.columns;
	int rc = iq_chunk_load(&slot->chunk, columns, error);

	if (rc == 0 && columns & (1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH))
		rc = iq_segment_locate(task->segment, &slot->chunk, error);
	if (rc == 0 && slot->chunk.narrowed)
		rc = iq_chunk_open_texts(&slot->chunk, error);
	return rc;
}

static int select_rows(struct iq_scan *scan, const struct task *task, struct slot *slot, struct iq_error *error)
{
	int rc = 0;

	slot->count = slot->chunk.count;
	for (uint32_t row = 0; row < slot->count; row++)
		slot->rows[row] = row;
	if (is_by_time(scan))
		rc = iq_chunk_load(&slot->chunk, 1u << IQ_COLUMN_TS, error);
	if (rc == 0 && task->part != PART_ALL)
		keep_part(slot, task->part);
	if (rc == 0)
		rc = iq_select_rows(&scan->tests, task->segment, &slot->chunk, slot->rows, &slot->count, error);
	if (rc == 0 && task->part == PART_TIMED && sort_rows(slot) < 0)
		rc = iq_error_nomem(error);
	if (rc == 0 && is_descending(scan) && !is_by_group(scan))
		reverse_rows(slot);
	return rc;
}

/* ---- Groups ---- */

/* The group of each row as a code, and the keys by code. */
struct groups {
	const int64_t *numbers;
	size_t count;
	uint32_t
		*nos; /* SOURCE, SESSION: the numbers that the codes stand for, ascending; else codes are the numbers */
};

static size_t code_of(const struct groups *groups, int64_t number)
{
	size_t low = 0, high = groups->count;

	if (!groups->nos)
		return (size_t)number;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (groups->nos[middle] <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int list_sources(const struct iq_zone *zone, struct iq_arena *arena, struct groups *groups)
{
	groups->count = zone->source_count;
	groups->nos = iq_arena_calloc(arena, groups->count + 1, sizeof(*groups->nos));
	for (size_t i = 0; groups->nos && i < groups->count; i++)
		groups->nos[i] = zone->sources[i].no;
	return groups->nos ? 0 : IQ_ERR_NOMEM;
}

static int find_groups(struct iq_scan *scan, const struct task *task, struct slot *slot, struct groups *groups)
{
	static const size_t names[IQ_COLUMN_COUNT] = { [IQ_COLUMN_KIND] = IQ_KIND_COUNT,
						       [IQ_COLUMN_DIRECTION] = IQ_DIRECTION_SERVER + 1,
						       [IQ_COLUMN_SEVERITY] = IQ_SEVERITY_CRITICAL + 1 };
	const enum iq_column column = scan->options.group;

	*groups = (struct groups){ .numbers = slot->chunk.numbers[column], .count = names[column] };
	if (column == IQ_COLUMN_TYPE)
		groups->count = slot->chunk.type_count + 1;
	return column == IQ_COLUMN_SOURCE ? list_sources(task->zone, &slot->memory, groups) : 0;
}

static struct iq_view key_of(struct iq_scan *scan, const struct task *task, struct slot *slot,
			     const struct groups *groups, size_t code)
{
	switch (scan->options.group) {
	case IQ_COLUMN_SOURCE:
		return iq_select_source(task->segment, groups->nos[code]);
	case IQ_COLUMN_TYPE:
		return iq_arena_copy(&slot->memory, slot->chunk.types[code]);
	default:
		return iq_select_name(scan->options.group, (int64_t)code);
	}
}

/* Rows that are selected, as marks; NULL where all are. */
static int mark_rows(struct slot *slot, uint32_t rows, bool **ret_marks)
{
	*ret_marks = NULL;
	if (slot->count == rows)
		return 0;
	*ret_marks = iq_arena_calloc(&slot->memory, rows, sizeof(**ret_marks));
	for (uint32_t i = 0; *ret_marks && i < slot->count; i++)
		(*ret_marks)[slot->rows[i]] = true;
	return *ret_marks ? 0 : IQ_ERR_NOMEM;
}

static struct iq_view session_key(struct slot *slot, uint32_t no)
{
	char name[IQ_SESSION_NAME_SIZE];

	return no ? iq_arena_copy(&slot->memory, iq_session_name(no, name)) : IQ_VIEW_NULL;
}

/* By session a chunk is in order already. */
static int make_session_cells(const struct task *task, struct slot *slot)
{
	const struct iq_zone *zone = task->zone;
	const uint32_t *order = slot->chunk.rows;
	uint32_t position = 0, at = 0;
	bool *marks;

	slot->cells = iq_arena_alloc(&slot->memory, (zone->session_count + 1) * sizeof(*slot->cells));
	if (!slot->cells || mark_rows(slot, zone->rows, &marks) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < zone->session_count; i++) {
		const uint32_t end = position + (uint32_t)zone->sessions[i].value, first = at;

		for (; position < end; position++) {
			const uint32_t row = order ? order[position] : position;

			if (!marks || marks[row])
				slot->rows[at++] = row;
		}
		if (at > first)
			slot->cells[slot->cell_count++] = (struct cell){ session_key(slot, zone->sessions[i].no), slot,
									 slot->task, first, at - first };
	}
	/* A key that could not be copied would make its group that of no session. */
	return slot->memory.failed ? IQ_ERR_NOMEM : 0;
}

/* Rows sorted by group, stably, by counting; the cells say where each group lies. */
static int make_cells(struct iq_scan *scan, const struct task *task, struct slot *slot)
{
	struct groups groups;
	uint32_t *next, *sorted, at = 0;
	int rc;

	if (scan->options.group == IQ_COLUMN_SESSION)
		return make_session_cells(task, slot);
	rc = find_groups(scan, task, slot, &groups);
	if (rc < 0)
		return rc;
	next = iq_arena_calloc(&slot->memory, groups.count + 1, sizeof(*next));
	sorted = iq_arena_alloc(&slot->memory, (slot->count + 1) * sizeof(*sorted));
	slot->cells = iq_arena_alloc(&slot->memory, (groups.count + 1) * sizeof(*slot->cells));
	if (!next || !sorted || !slot->cells)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < slot->count; i++)
		next[code_of(&groups, groups.numbers[slot->rows[i]])]++;
	for (size_t code = 0; code < groups.count; code++) {
		const uint32_t count = next[code];

		if (count > 0)
			slot->cells[slot->cell_count++] =
				(struct cell){ key_of(scan, task, slot, &groups, code), slot, slot->task, at, count };
		next[code] = at;
		at += count;
	}
	for (uint32_t i = 0; i < slot->count; i++)
		sorted[next[code_of(&groups, groups.numbers[slot->rows[i]])]++] = slot->rows[i];
	memcpy(slot->rows, sorted, slot->count * sizeof(*sorted));
	/* A key that could not be copied would make its group another's. */
	return slot->memory.failed ? IQ_ERR_NOMEM : 0;
}

/* The columns of the selected rows, in the order of their groups: all that remains of the chunk. */
static int gather(struct iq_scan *scan, struct slot *slot)
{
	struct iq_block *block = &slot->block;
	const uint32_t columns = scan->options.columns;

	for (unsigned column = 0; column < IQ_COLUMN_COUNT; column++) {
		const int64_t *numbers = block->numbers[column];
		int64_t *gathered;

		block->numbers[column] = NULL;
		if (!(columns >> column & 1) || column == scan->options.group || (!numbers && column != IQ_COLUMN_ID))
			continue;
		gathered = iq_arena_alloc(&slot->memory, (slot->count + 1) * sizeof(*gathered));
		if (!gathered)
			return IQ_ERR_NOMEM;
		for (uint32_t i = 0; i < slot->count; i++)
			gathered[i] = numbers ? numbers[slot->rows[i]] : (int64_t)(block->id_first + slot->rows[i]);
		block->numbers[column] = gathered;
	}
	for (uint32_t i = 0; i < slot->count; i++)
		slot->rows[i] = i;
	return 0;
}

static int keep_types(struct slot *slot)
{
	struct iq_view *types = iq_arena_calloc(&slot->memory, slot->block.type_count + 1, sizeof(*types));

	if (!types)
		return IQ_ERR_NOMEM;
	for (size_t i = 1; i <= slot->block.type_count; i++) {
		types[i] = iq_arena_copy(&slot->memory, slot->chunk.types[i]);
		if (!types[i].data)
			return IQ_ERR_NOMEM;
	}
	slot->block.types = types;
	return 0;
}

static int group_slot(struct iq_scan *scan, const struct task *task, struct slot *slot)
{
	int rc = make_cells(scan, task, slot);

	if (rc == 0 && !scan->options.only_groups)
		rc = gather(scan, slot);
	if (rc == 0 && slot->block.types)
		rc = keep_types(slot);
	slot->block.chunk = NULL;
	release_chunk(slot);
	return rc;
}

/* ---- Groups that a zone map alone tells ---- */

static bool zone_tells_groups(const struct iq_scan *scan, const struct task *task)
{
	const enum iq_column group = scan->options.group;

	if (!is_by_group(scan) || !scan->options.only_groups || scan->tests.count > 0)
		return false;
	return group == IQ_COLUMN_SESSION || group == IQ_COLUMN_SOURCE || group == IQ_COLUMN_TYPE ||
	       (group == IQ_COLUMN_KIND && __builtin_popcount(task->zone->kinds) == 1);
}

static void add_cell(struct slot *slot, struct iq_view key, uint64_t count)
{
	if (count > 0)
		slot->cells[slot->cell_count++] = (struct cell){ key, slot, slot->task, 0, (uint32_t)count };
}

static int take_zone_groups(struct iq_scan *scan, const struct task *task, struct slot *slot)
{
	const struct iq_zone *zone = task->zone;

	slot->cells = iq_arena_alloc(&slot->memory, (zone->session_count + zone->source_count + zone->type_count + 1) *
							    sizeof(*slot->cells));
	if (!slot->cells)
		return IQ_ERR_NOMEM;
	switch (scan->options.group) {
	case IQ_COLUMN_SESSION:
		for (size_t i = 0; i < zone->session_count; i++)
			add_cell(slot, session_key(slot, zone->sessions[i].no), zone->sessions[i].value);
		break;
	case IQ_COLUMN_SOURCE:
		for (size_t i = 0; i < zone->source_count; i++)
			add_cell(slot, iq_select_source(task->segment, zone->sources[i].no), zone->sources[i].value);
		break;
	case IQ_COLUMN_TYPE:
		for (size_t i = 0; i < zone->type_count; i++)
			add_cell(slot, zone->types[i].name, zone->types[i].events);
		break;
	default:
		add_cell(slot, iq_select_name(IQ_COLUMN_KIND, __builtin_ctz(zone->kinds)), zone->rows);
		break;
	}
	return slot->memory.failed ? IQ_ERR_NOMEM : 0;
}

/* Of one session only its rows are decoded, with their ids. */
static void begin_chunk(const struct iq_scan *scan, const struct task *task, struct slot *slot)
{
	uint32_t session;

	iq_segment_chunk(task->segment, task->zone, &slot->chunk);
	slot->chunk.codec = slot->codec;
	slot->chunk.memory = slot->spare;
	slot->spare = (struct iq_arena)IQ_ARENA_INIT;
	if (!is_by_group(scan) && iq_select_session(&scan->tests, &session))
		(void)iq_chunk_narrow(&slot->chunk, session);
}

static int do_task(struct iq_scan *scan, struct slot *slot, struct iq_error *error)
{
	const struct task *task = &scan->tasks[slot->task];
	int rc;

	slot->cell_count = 0;
	slot->count = 0;
	if (zone_tells_groups(scan, task))
		return take_zone_groups(scan, task, slot);
	if (equip(slot) < 0)
		return iq_error_nomem(error);
	begin_chunk(scan, task, slot);
	rc = select_rows(scan, task, slot, error);
	if (rc == 0 && slot->count > 0)
		rc = load_columns(scan, task, slot, error);
	if (rc < 0 || slot->count == 0)
		return rc;
	fill_block(slot, slot->task);
	if (scan->options.number_keys && !is_by_group(scan))
		rc = iq_chunk_number_keys(&slot->chunk, &slot->block.keys, &slot->block.key_count, error);
	if (rc < 0)
		return rc;
	if (is_by_group(scan) && group_slot(scan, task, slot) < 0)
		return iq_error_nomem(error);
	return 0;
}

static void finish(struct iq_scan *scan, struct slot *slot)
{
	struct iq_error error = IQ_ERROR_INIT;
	int rc = do_task(scan, slot, &error);

	(void)pthread_mutex_lock(&scan->mutex);
	slot->rc = rc;
	slot->error = error;
	slot->done = true;
	(void)pthread_cond_broadcast(&scan->changed);
	(void)pthread_mutex_unlock(&scan->mutex);
}

/* ---- Threads ---- */

/* Locked. May a task be begun before the reader asks for it? */
static bool may_begin(const struct iq_scan *scan)
{
	return scan->claimed < scan->task_count && scan->claimed < scan->taken + IQ_SCAN_AHEAD;
}

static void *work(void *context)
{
	struct iq_scan *scan = context;
	struct slot *slot;

	(void)pthread_mutex_lock(&scan->mutex);
	while (!scan->stop && scan->claimed < scan->task_count) {
		if (!may_begin(scan)) {
			(void)pthread_cond_wait(&scan->changed, &scan->mutex);
			continue;
		}
		slot = claim(scan);
		if (!slot)
			break; /* the reader does it, and fails */
		(void)pthread_mutex_unlock(&scan->mutex);
		finish(scan, slot);
		(void)pthread_mutex_lock(&scan->mutex);
	}
	(void)pthread_mutex_unlock(&scan->mutex);
	return NULL;
}

/* A scan that nobody reads on is not worth a thread: it may be about one row. */
static void start_workers(struct iq_scan *scan)
{
	if (scan->started || scan->task_count < 3 || (scan->taken == 0 && scan->tests.count == 0) ||
	    (is_by_group(scan) && zone_tells_groups(scan, &scan->tasks[0])))
		return;
	scan->started = true;
	while (scan->worker_count + 1 < IQ_SCAN_THREADS &&
	       pthread_create(&scan->workers[scan->worker_count], NULL, work, scan) == 0)
		scan->worker_count++;
}

/* Locked. Another one is at work on the slot: the reader does what comes after it meanwhile. */
static void await(struct iq_scan *scan, const struct slot *slot)
{
	struct slot *other;

	while (!slot->done) {
		other = may_begin(scan) ? claim(scan) : NULL;
		if (!other) {
			(void)pthread_cond_wait(&scan->changed, &scan->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&scan->mutex);
		finish(scan, other);
		(void)pthread_mutex_lock(&scan->mutex);
	}
}

/* The next task, done. */
static int take(struct iq_scan *scan, struct slot **ret_slot, struct iq_error *error)
{
	struct slot *slot;
	size_t task;

	start_workers(scan);
	(void)pthread_mutex_lock(&scan->mutex);
	task = scan->taken++;
	(void)pthread_cond_broadcast(&scan->changed);
	if (scan->claimed == task) {
		slot = claim(scan);
		(void)pthread_mutex_unlock(&scan->mutex);
		if (!slot)
			return iq_error_nomem(error);
		finish(scan, slot);
	} else {
		slot = scan->slots[task];
		await(scan, slot);
		(void)pthread_mutex_unlock(&scan->mutex);
	}
	*ret_slot = slot;
	if (slot->rc < 0 && error)
		*error = slot->error;
	return slot->rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : slot->rc;
}

/* ---- By id ---- */

static void set_run(struct iq_scan *scan, struct slot *slot, uint32_t first, uint64_t count)
{
	scan->run = (struct iq_run){ .block = &slot->block,
				     .rows = slot->rows ? slot->rows + first : NULL,
				     .count = count };
}

static int next_by_id(struct iq_scan *scan, struct iq_error *error)
{
	int rc;

	while (scan->taken < scan->task_count) {
		give_back(scan, scan->current);
		scan->current = NULL;
		rc = take(scan, &scan->current, error);
		if (rc < 0)
			return rc;
		if (scan->current->count == 0)
			continue;
		set_run(scan, scan->current, 0, scan->current->count);
		return 1;
	}
	return 0;
}

/* ---- By time ---- */

/* Is the next row of `a` before that of `b`? */
static bool is_before(const struct iq_scan *scan, const struct slot *a, const struct slot *b)
{
	const int64_t x = a->block.numbers[IQ_COLUMN_TS][a->rows[a->at]];
	const int64_t y = b->block.numbers[IQ_COLUMN_TS][b->rows[b->at]];
	const bool down = is_descending(scan);

	if (x != y)
		return (x < y) != down;
	return (a->block.id_first < b->block.id_first) != down;
}

/* Can the next task hold an event before those at hand? */
static bool next_task_is_due(const struct iq_scan *scan, const struct slot *first)
{
	const struct task *task = &scan->tasks[scan->taken];
	int64_t ts;

	if (!first)
		return true;
	ts = first->block.numbers[IQ_COLUMN_TS][first->rows[first->at]];
	if (scan->tasks[first->task].part != task->part)
		return false;
	if (task->part == PART_UNTIMED)
		return false;
	return is_descending(scan) ? task->zone->ts_max >= ts : task->zone->ts_min <= ts;
}

static struct slot *find_first(const struct iq_scan *scan, const struct slot *but)
{
	struct slot *first = NULL;

	for (size_t i = 0; i < scan->active_count; i++)
		if (scan->active[i] != but && (!first || is_before(scan, scan->active[i], first)))
			first = scan->active[i];
	return first;
}

static void drop_exhausted(struct iq_scan *scan)
{
	size_t kept = 0;

	for (size_t i = 0; i < scan->active_count; i++) {
		struct slot *slot = scan->active[i];

		if (slot->at < slot->count)
			scan->active[kept++] = slot;
		else
			give_back(scan, slot);
	}
	scan->active_count = kept;
}

static bool goes_on(const struct iq_scan *scan, const struct slot *slot, const struct slot *second)
{
	if (second && !is_before(scan, slot, second))
		return false;
	return scan->taken == scan->task_count || !next_task_is_due(scan, slot);
}

static int next_by_time(struct iq_scan *scan, struct iq_error *error)
{
	struct slot *first, *second;
	uint32_t begin;
	int rc = 0;

	drop_exhausted(scan);
	first = find_first(scan, NULL);
	while (scan->taken < scan->task_count && next_task_is_due(scan, first)) {
		rc = take(scan, &scan->active[scan->active_count], error);
		scan->active_count++;
		if (rc < 0)
			return rc;
		drop_exhausted(scan);
		first = find_first(scan, NULL);
	}
	if (!first)
		return 0;
	second = find_first(scan, first);
	begin = first->at++;
	while (first->at < first->count && goes_on(scan, first, second))
		first->at++;
	set_run(scan, first, begin, first->at - begin);
	return 1;
}

/* ---- By group ---- */

static int compare_keys(const struct cell *x, const struct cell *y)
{
	if (!x->key.data || !y->key.data)
		return (x->key.data != NULL) - (y->key.data != NULL);
	return iq_view_cmp(x->key, y->key);
}

static int compare_cells(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	int order = compare_keys(x, y);

	return order ? order : (x->task > y->task) - (x->task < y->task);
}

static int compare_cells_down(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;
	int order = compare_keys(y, x);

	return order ? order : (x->task > y->task) - (x->task < y->task);
}

static int add_cells(struct iq_scan *scan, const struct slot *slot)
{
	struct cell *grown = realloc(scan->cells, (scan->cell_count + slot->cell_count + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	scan->cells = grown;
	if (slot->cell_count > 0)
		memcpy(grown + scan->cell_count, slot->cells, slot->cell_count * sizeof(*grown));
	scan->cell_count += slot->cell_count;
	return 0;
}

static int collect_cells(struct iq_scan *scan, struct iq_error *error)
{
	struct slot *slot;
	int rc = 0;

	while (rc == 0 && scan->taken < scan->task_count) {
		rc = take(scan, &slot, error);
		if (rc == 0 && add_cells(scan, slot) < 0)
			rc = iq_error_nomem(error);
	}
	if (rc == 0 && scan->cell_count > 0)
		qsort(scan->cells, scan->cell_count, sizeof(*scan->cells),
		      is_descending(scan) ? compare_cells_down : compare_cells);
	scan->grouped = rc == 0;
	return rc;
}

static int next_by_group(struct iq_scan *scan, struct iq_error *error)
{
	const struct cell *cell;
	int rc = scan->grouped ? 0 : collect_cells(scan, error);

	if (rc < 0 || scan->next_cell == scan->cell_count)
		return rc;
	cell = &scan->cells[scan->next_cell++];
	set_run(scan, cell->slot, cell->first, cell->count);
	scan->run.key = cell->key;
	if (!scan->options.only_groups)
		return 1;
	scan->run.rows = NULL;
	for (; scan->next_cell < scan->cell_count && compare_keys(&scan->cells[scan->next_cell], cell) == 0;
	     scan->next_cell++)
		scan->run.count += scan->cells[scan->next_cell].count;
	return 1;
}

/* ---- The interface ---- */

int iq_scan_next(struct iq_scan *scan, struct iq_run *ret_run, struct iq_error *error)
{
	int rc = is_by_group(scan)  ? next_by_group(scan, error)
		 : is_by_time(scan) ? next_by_time(scan, error)
				    : next_by_id(scan, error);

	if (rc > 0)
		*ret_run = scan->run;
	return rc;
}

int iq_scan_open(struct iq_store *store, const struct iq_scan_options *options, struct iq_scan **ret_scan,
		 struct iq_error *error)
{
	struct iq_scan *scan = calloc(1, sizeof(*scan));
	int rc;

	if (!scan)
		return iq_error_nomem(error);
	scan->store = store;
	scan->options = *options;
	if (is_by_time(scan))
		scan->options.columns |= 1u << IQ_COLUMN_TS;
	if (is_by_group(scan))
		scan->options.columns |= 1u << options->group;
	if (scan->options.number_keys)
		scan->options.columns |= 1u << IQ_COLUMN_KEY;
	scan->tests = (struct iq_tests){ options->tests, options->test_count };
	(void)pthread_mutex_init(&scan->mutex, NULL);
	(void)pthread_cond_init(&scan->changed, NULL);
	rc = collect_tasks(scan, error);
	scan->slots = calloc(scan->task_count + 1, sizeof(struct slot *));
	scan->active = calloc(scan->task_count + 1, sizeof(struct slot *));
	if (rc == 0 && (!scan->slots || !scan->active))
		rc = iq_error_nomem(error);
	if (rc < 0) {
		iq_scan_close(scan);
		return rc;
	}
	*ret_scan = scan;
	return 0;
}

static void stop_workers(struct iq_scan *scan)
{
	(void)pthread_mutex_lock(&scan->mutex);
	scan->stop = true;
	(void)pthread_cond_broadcast(&scan->changed);
	(void)pthread_mutex_unlock(&scan->mutex);
	for (size_t i = 0; i < scan->worker_count; i++)
		(void)pthread_join(scan->workers[i], NULL);
}

void iq_scan_close(struct iq_scan *scan)
{
	if (!scan)
		return;
	stop_workers(scan);
	for (size_t i = 0; scan->slots && i < scan->task_count; i++)
		free_slot(scan->slots[i]);
	while (scan->idle) {
		struct slot *slot = scan->idle;

		scan->idle = slot->next;
		free_slot(slot);
	}
	(void)pthread_cond_destroy(&scan->changed);
	(void)pthread_mutex_destroy(&scan->mutex);
	iq_arena_release(&scan->memory);
	free(scan->tasks);
	free(scan->slots);
	free(scan->active);
	free(scan->cells);
	free(scan);
}

int iq_block_id(const struct iq_block *block, uint32_t row, uint64_t *ret_id, struct iq_error *error)
{
	const bool narrowed = block->chunk && block->chunk->narrowed;
	int rc = narrowed ? iq_chunk_load(block->chunk, 1u << IQ_COLUMN_ID, error) : 0;

	if (rc == 0)
		*ret_id = block->numbers[IQ_COLUMN_ID] ? (uint64_t)block->numbers[IQ_COLUMN_ID][row]
			  : narrowed		       ? iq_chunk_id(block->chunk, row)
						       : block->id_first + row;
	return rc;
}

int iq_block_text(const struct iq_block *block, enum iq_column column, uint32_t row, struct iq_view *ret_text,
		  bool *ret_is_binary, struct iq_error *error)
{
	struct iq_chunk *chunk = block->chunk;
	int rc = iq_chunk_text(chunk, column, row, ret_text);
	uint64_t id = 0;

	*ret_is_binary = column == IQ_COLUMN_BODY && chunk->numbers[IQ_STORED_FORM][row] == IQ_BODY_BINARY;
	if (rc == 0)
		return 0;
	if (iq_block_id(block, row, &id, error) < 0)
		return rc;
	return iq_error_set(error, (enum iq_status)rc, "event %llu: %s", (unsigned long long)id,
			    rc == IQ_ERR_NOMEM ? "out of memory" : "is damaged; run `inquest store verify`");
}
