/* event_aggregates(by, of) and event_counts(by): a row a group, added up by iq_aggregate() when the statement starts. The two differ
 * in which columns they show. */
#include <stdlib.h>

#include "query/sql_plan.h"

enum column {
	COLUMN_SOURCE,
	COLUMN_SESSION,
	COLUMN_KIND,
	COLUMN_DIRECTION,
	COLUMN_TYPE,
	COLUMN_SEVERITY,
	COLUMN_EVIDENCE,
	COLUMN_KEYS, /* those above are what groups are made by */
	COLUMN_EVENTS = COLUMN_KEYS,
	COLUMN_COUNT,
	COLUMN_MIN,
	COLUMN_MAX,
	COLUMN_SUM,
	COLUMN_BY,
	COLUMN_OF,
	COLUMN_STORE
};

static const struct {
	const char *name;
	enum iq_column column;
} keys[COLUMN_KEYS] = {
	[COLUMN_SOURCE] = { "source", IQ_COLUMN_SOURCE },
	[COLUMN_SESSION] = { "session", IQ_COLUMN_SESSION },
	[COLUMN_KIND] = { "kind", IQ_COLUMN_KIND },
	[COLUMN_DIRECTION] = { "direction", IQ_COLUMN_DIRECTION },
	[COLUMN_TYPE] = { "type", IQ_COLUMN_TYPE },
	[COLUMN_SEVERITY] = { "severity", IQ_COLUMN_SEVERITY },
	[COLUMN_EVIDENCE] = { "evidence", IQ_COLUMN_EVIDENCE },
};

/* One of the functions: its columns are those of `shown`, of which the last ones, from `first_hidden` on, are its arguments. */
struct function {
	struct iq_sql_table table;
	const enum column *shown;
	int first_hidden;
	int hidden;
	bool needs_by;
};

struct cursor {
	struct iq_sql_cursor base;
	enum column by[IQ_AGGREGATE_MAX_KEYS];
	enum iq_column keys[IQ_AGGREGATE_MAX_KEYS];
	size_t key_count;
	uint32_t of; /* a bit of enum iq_column; 0: only events are counted */
	struct iq_view by_text;
	struct iq_view of_text;
	struct iq_aggregate *result;
	size_t row;
	struct iq_arena memory; /* of the texts */
};

static const struct function *function_of(const sqlite3_vtab *base)
{
	return (const struct function *)((const struct iq_sql_vtab *)base)->table;
}

static int complain(sqlite3_vtab *table, char *message)
{
	sqlite3_free(table->zErrMsg);
	table->zErrMsg = message;
	return SQLITE_ERROR;
}

/* ---- Planning ---- */

/* idxNum: bit i, the hidden column i is an argument, in their order; bit 8, sums are read. idxStr is what a person reads. */
#define READS_SUM 256

static int take_arguments(const struct function *function, sqlite3_index_info *info, sqlite3_str *text)
{
	static const char *const names[] = { [COLUMN_BY] = "by", [COLUMN_OF] = "of", [COLUMN_STORE] = "store" };
	int places[3] = { -1, -1, -1 }, arguments = 0;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];

		if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || constraint->iColumn < function->first_hidden)
			continue;
		if (!constraint->usable)
			return SQLITE_CONSTRAINT;
		places[constraint->iColumn - function->first_hidden] = i;
	}
	for (int i = 0; i < function->hidden; i++) {
		if (places[i] < 0)
			continue;
		info->aConstraintUsage[places[i]].argvIndex = ++arguments;
		info->aConstraintUsage[places[i]].omit = 1;
		info->idxNum |= 1 << i;
		sqlite3_str_appendf(text, "%s%s=?", arguments > 1 ? " AND " : "",
				    names[function->shown[function->first_hidden + i]]);
	}
	sqlite3_str_appendf(text, "%sa row a group, added up by chunk", arguments > 0 ? "; " : "");
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	const struct function *function = function_of(table);
	sqlite3_str *text = sqlite3_str_new(NULL);
	int rc = take_arguments(function, info, text);

	info->idxStr = sqlite3_str_finish(text);
	info->needToFreeIdxStr = 1;
	if (rc == SQLITE_OK && function->needs_by && !(info->idxNum & 1))
		return complain(table, sqlite3_mprintf("by what? say %s('type'), or by source, session, kind, "
						       "direction, severity or evidence",
						       function->table.name));
	for (int i = 0; i < function->first_hidden; i++)
		if (function->shown[i] == COLUMN_SUM && info->colUsed >> i & 1)
			info->idxNum |= READS_SUM;
	info->estimatedRows = 100;
	info->estimatedCost = 100;
	return rc;
}

/* ---- Arguments ---- */

static bool add_key(struct cursor *cursor, struct iq_view name)
{
	for (enum column i = 0; i < COLUMN_KEYS; i++) {
		if (!iq_view_eq(name, iq_view_cstr(keys[i].name)))
			continue;
		for (size_t j = 0; j < cursor->key_count; j++)
			if (cursor->by[j] == i)
				return true;
		cursor->by[cursor->key_count] = i;
		cursor->keys[cursor->key_count++] = keys[i].column;
		return true;
	}
	return false;
}

/* Names, with commas between. */
static int read_by(struct cursor *cursor)
{
	struct iq_view rest = iq_view_trim(cursor->by_text), name;
	bool known = true;

	while (rest.len > 0 && known) {
		const char *comma = memchr(rest.data, ',', rest.len);
		const size_t len = comma ? (size_t)(comma - rest.data) : rest.len;

		name = iq_view_trim(iq_view_make(rest.data, len));
		known = add_key(cursor, name);
		rest = iq_view_from(rest, comma ? len + 1 : len);
	}
	if (known && (cursor->key_count > 0 || !function_of(cursor->base.base.pVtab)->needs_by))
		return SQLITE_OK;
	return complain(
		cursor->base.base.pVtab,
		sqlite3_mprintf("%s('%.*s'): groups are made by source, session, kind, direction, type, severity "
				"or evidence, with commas between",
				function_of(cursor->base.base.pVtab)->table.name, (int)cursor->by_text.len,
				cursor->by_text.data ? cursor->by_text.data : ""));
}

static int read_of(struct cursor *cursor)
{
	for (unsigned i = 0; cursor->of_text.data && i < IQ_SQL_COLUMN_STORE; i++)
		if (iq_view_eq(cursor->of_text, iq_view_cstr(iq_sql_columns[i].name)) && i != IQ_SQL_COLUMN_TIME)
			cursor->of = IQ_AGGREGATE_NUMBERS & 1u << iq_sql_columns[i].column;
	if (!cursor->of_text.data || cursor->of)
		return SQLITE_OK;
	return complain(cursor->base.base.pVtab,
			sqlite3_mprintf("totals of '%.*s': they are made of id, ts, observed, seq, evidence, offset or "
					"length",
					(int)cursor->of_text.len, cursor->of_text.data));
}

static struct iq_view copy_text(struct cursor *cursor, sqlite3_value *value)
{
	const char *text = (const char *)sqlite3_value_text(value);

	return text ? iq_arena_copy(&cursor->memory, iq_view_make(text, (size_t)sqlite3_value_bytes(value)))
		    : IQ_VIEW_NULL;
}

static void clear(struct cursor *cursor)
{
	iq_aggregate_free(cursor->result);
	iq_arena_clear(&cursor->memory);
	cursor->result = NULL;
	cursor->by_text = cursor->of_text = IQ_VIEW_NULL;
	cursor->key_count = 0;
	cursor->of = 0;
	cursor->row = 0;
}

static int read_arguments(struct cursor *cursor, int plan, sqlite3_value **values)
{
	const struct function *function = function_of(cursor->base.base.pVtab);
	const char *path = NULL;
	int rc;

	for (int i = 0; i < function->hidden; i++) {
		if (!(plan >> i & 1))
			continue;
		switch (function->shown[function->first_hidden + i]) {
		case COLUMN_BY:
			cursor->by_text = copy_text(cursor, *values++);
			break;
		case COLUMN_OF:
			cursor->of_text = copy_text(cursor, *values++);
			break;
		default:
			path = (const char *)sqlite3_value_text(*values++);
			break;
		}
	}
	rc = cursor->memory.failed ? SQLITE_NOMEM : read_by(cursor);
	if (rc == SQLITE_OK)
		rc = read_of(cursor);
	return rc == SQLITE_OK ? iq_sql_cursor_use(&cursor->base, path) : rc;
}

/* ---- Rows ---- */

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;
	struct iq_aggregate_options options = { .keys = cursor->keys };
	struct iq_error error = IQ_ERROR_INIT;
	int rc;

	(void)text;
	(void)count;
	clear(cursor);
	rc = read_arguments(cursor, plan, values);
	if (rc != SQLITE_OK)
		return rc;
	options.key_count = cursor->key_count;
	options.columns = cursor->of;
	options.sums = plan & READS_SUM ? cursor->of : 0;
	if (iq_aggregate(cursor->base.store->store, &options, &cursor->result, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	return SQLITE_OK;
}

static void show_key(const struct cursor *cursor, const struct iq_group *group, enum column column,
		     sqlite3_context *context)
{
	for (size_t i = 0; i < cursor->key_count; i++) {
		if (cursor->by[i] != column)
			continue;
		if (column == COLUMN_EVIDENCE)
			sqlite3_result_int64(context, group->keys[i].number);
		else
			iq_sql_result_text(context, group->keys[i].text);
	}
}

static void show_total(const struct cursor *cursor, const struct iq_total *total, enum column column,
		       sqlite3_context *context)
{
	if (column == COLUMN_COUNT)
		sqlite3_result_int64(context, (sqlite3_int64)total->count);
	else if (total->count == 0)
		return;
	else if (column == COLUMN_SUM && cursor->result->too_large)
		sqlite3_result_error(context, "integer overflow: numbers this large are not added up", -1);
	else
		sqlite3_result_int64(context, column == COLUMN_MIN   ? total->min
					      : column == COLUMN_MAX ? total->max
								     : total->sum);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
	const struct cursor *cursor = (const struct cursor *)base;
	const struct iq_group *group = &cursor->result->groups[cursor->row];
	const enum column shown = function_of(base->pVtab)->shown[index];

	if (shown < COLUMN_KEYS)
		show_key(cursor, group, shown, context);
	else if (shown == COLUMN_EVENTS)
		sqlite3_result_int64(context, (sqlite3_int64)group->events);
	else if (shown == COLUMN_BY)
		iq_sql_result_text(context, cursor->by_text);
	else if (shown == COLUMN_OF)
		iq_sql_result_text(context, cursor->of_text);
	else if (shown == COLUMN_STORE)
		sqlite3_result_text(context, iq_store_path(cursor->base.store->store), -1, SQLITE_TRANSIENT);
	else if (cursor->of)
		show_total(cursor, group->totals, shown, context);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
	((struct cursor *)base)->row++;
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	const struct cursor *cursor = (const struct cursor *)base;

	return cursor->row >= cursor->result->count;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
	*ret_rowid = (sqlite3_int64)((const struct cursor *)base)->row + 1;
	return SQLITE_OK;
}

static void release(struct iq_sql_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	clear(cursor);
	iq_arena_release(&cursor->memory);
}

#define METHODS \
	{ \
		IQ_SQL_LIFE, .xBestIndex = best_index, .xFilter = filter, .xNext = next, .xEof = eof, \
			     .xColumn = column, .xRowid = rowid \
	}

static const enum column counts_shown[] = { COLUMN_SOURCE, COLUMN_SESSION,  COLUMN_KIND,     COLUMN_DIRECTION,
					    COLUMN_TYPE,   COLUMN_SEVERITY, COLUMN_EVIDENCE, COLUMN_EVENTS,
					    COLUMN_BY,	   COLUMN_STORE };

static const struct function counts = {
	.table = { .name = "event_counts",
		   .schema =
			   "CREATE TABLE event_counts(source TEXT, session TEXT, kind TEXT, direction TEXT, type TEXT, "
			   "severity TEXT, evidence INTEGER, count INTEGER, by TEXT HIDDEN, store HIDDEN)",
		   .cursor_size = sizeof(struct cursor),
		   .release = release,
		   .methods = METHODS },
	.shown = counts_shown,
	.first_hidden = 8,
	.hidden = 2,
	.needs_by = true,
};

static const enum column aggregates_shown[] = { COLUMN_SOURCE, COLUMN_SESSION,	COLUMN_KIND,	 COLUMN_DIRECTION,
						COLUMN_TYPE,   COLUMN_SEVERITY, COLUMN_EVIDENCE, COLUMN_EVENTS,
						COLUMN_COUNT,  COLUMN_MIN,	COLUMN_MAX,	 COLUMN_SUM,
						COLUMN_BY,     COLUMN_OF,	COLUMN_STORE };

static const struct function aggregates = {
	.table = { .name = "event_aggregates",
		   .schema =
			   "CREATE TABLE event_aggregates(source TEXT, session TEXT, kind TEXT, direction TEXT, type TEXT, "
			   "severity TEXT, evidence INTEGER, events INTEGER, count INTEGER, min INTEGER, max INTEGER, "
			   "sum INTEGER, by TEXT HIDDEN, of TEXT HIDDEN, store HIDDEN)",
		   .cursor_size = sizeof(struct cursor),
		   .release = release,
		   .methods = METHODS },
	.shown = aggregates_shown,
	.first_hidden = 12,
	.hidden = 3,
};

const struct iq_sql_table *iq_sql_function(size_t index)
{
	static const struct function *const all[] = { &counts, &aggregates };

	return index < sizeof(all) / sizeof(all[0]) ? &all[index]->table : NULL;
}
