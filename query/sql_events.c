/* The table `events`: a plan (sql_plan.c) becomes the tests and the order of a scan, whose columns are shown row by row. */
#include <stdlib.h>

#include "query/sql_fold.h"

struct cursor {
	struct iq_sql_cursor base;
	uint64_t at; /* of the run */
	uint64_t count;
	const uint32_t *rows;
	const int64_t *const *numbers;
	bool at_end;
	struct iq_run run;
	struct iq_scan *scan;	  /* NULL: its rows are those of the fold */
	struct iq_sql_fold *fold; /* see query/sql_fold.h; NULL: rows are those of the scan */
	uint64_t left;		  /* rows that LIMIT allows still, behind those of the run */
	uint64_t skip;		  /* rows that OFFSET still skips */
	int group;		  /* the column that the run's key is of; -1: none */
	struct iq_view key;	  /* kept */
	uint64_t serial;	  /* of the block that `types` are of */
	struct iq_view *types;
	size_t type_capacity;
	uint32_t source_no;
	struct iq_view source;
	struct iq_test *tests;
	size_t test_count;
	struct iq_arena memory; /* of the tests */
};

static struct iq_sql_module *module_of(const struct cursor *cursor)
{
	return iq_sql_vtab_of(&cursor->base)->module;
}

/* ---- Moving on ---- */

static int take_run(struct cursor *cursor)
{
	struct iq_error error = IQ_ERROR_INIT;
	int rc = cursor->scan ? iq_scan_next(cursor->scan, &cursor->run, &error) : 0;

	cursor->at = 0;
	cursor->at_end = rc <= 0;
	if (rc < 0)
		return iq_sql_fail(cursor->base.base.pVtab, &error);
	cursor->count = rc > 0 ? cursor->run.count : 0;
	return SQLITE_OK;
}

static void show_run(struct cursor *cursor)
{
	cursor->rows = cursor->run.rows;
	cursor->numbers = cursor->run.block->numbers;
	if (cursor->group >= 0)
		cursor->key = iq_sql_names_keep(module_of(cursor)->names, cursor->run.key);
}

/* To the first row of the next run that OFFSET leaves. */
static int next_run(struct cursor *cursor)
{
	uint64_t skipped;
	int rc;

	do {
		if (cursor->left == 0) {
			cursor->at_end = true;
			return SQLITE_OK;
		}
		rc = take_run(cursor);
		if (rc != SQLITE_OK || cursor->at_end)
			return rc;
		if (!cursor->run.rows) /* one row stands for the group */
			cursor->count = 1;
		skipped = cursor->skip < cursor->count ? cursor->skip : cursor->count;
		cursor->skip -= skipped;
		cursor->at = skipped;
		if (cursor->count - skipped > cursor->left)
			cursor->count = skipped + cursor->left;
		cursor->left -= cursor->count - skipped;
	} while (cursor->at == cursor->count);
	show_run(cursor);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	return ++cursor->at < cursor->count ? SQLITE_OK : next_run(cursor);
}

static int eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->at_end;
}

/* ---- Rows ---- */

/* Kept texts are not copied; others are. */
static void result_name(sqlite3_context *context, struct iq_view kept, struct iq_view text)
{
	if (kept.data)
		sqlite3_result_text(context, kept.data, (int)kept.len, SQLITE_STATIC);
	else
		iq_sql_result_text(context, text);
}

static void result_static(sqlite3_context *context, const char *name)
{
	if (name)
		sqlite3_result_text(context, name, -1, SQLITE_STATIC);
}

static void result_session(struct cursor *cursor, sqlite3_context *context, uint32_t no)
{
	char name[IQ_SESSION_NAME_SIZE];

	if (no)
		result_name(context, iq_sql_names_session(module_of(cursor)->names, no), iq_session_name(no, name));
}

/* Sources are few: the one of the row before is mostly this one's as well. */
static void result_source(struct cursor *cursor, sqlite3_context *context, uint32_t no)
{
	const struct iq_source *sources;
	size_t count;

	if (no != cursor->source_no) {
		sources = iq_store_sources(cursor->base.store->store, &count);
		cursor->source = IQ_VIEW_NULL;
		for (size_t i = 0; i < count; i++)
			if (sources[i].no == no)
				cursor->source = iq_sql_names_keep(module_of(cursor)->names, sources[i].name);
		cursor->source_no = no;
	}
	result_name(context, cursor->source, IQ_VIEW_NULL);
}

static bool keep_types(struct cursor *cursor)
{
	const struct iq_block *block = cursor->run.block;

	if (cursor->serial == block->serial)
		return true;
	if (cursor->type_capacity < block->type_count + 1) {
		struct iq_view *grown = realloc(cursor->types, (block->type_count + 1) * sizeof(*grown));

		if (!grown)
			return false;
		cursor->types = grown;
		cursor->type_capacity = block->type_count + 1;
	}
	for (size_t i = 0; i <= block->type_count; i++)
		cursor->types[i] = iq_sql_names_keep(module_of(cursor)->names, block->types[i]);
	cursor->serial = block->serial;
	return true;
}

static void result_type(struct cursor *cursor, sqlite3_context *context, int64_t code)
{
	if (!keep_types(cursor))
		sqlite3_result_error_nomem(context);
	else
		result_name(context, cursor->types[code], cursor->run.block->types[code]);
}

static int result_text(struct cursor *cursor, sqlite3_context *context, enum iq_column column, uint32_t row)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_view text;
	bool is_binary;

	if (iq_block_text(cursor->run.block, column, row, &text, &is_binary, &error) < 0)
		return iq_sql_fail(cursor->base.base.pVtab, &error);
	if (is_binary)
		sqlite3_result_blob64(context, text.data, text.len, SQLITE_TRANSIENT);
	else
		iq_sql_result_text(context, text);
	return SQLITE_OK;
}

static int id_of(struct cursor *cursor, sqlite3_int64 *ret_id)
{
	struct iq_error error = IQ_ERROR_INIT;
	uint64_t id;

	if (iq_block_id(cursor->run.block, cursor->rows[cursor->at], &id, &error) < 0)
		return iq_sql_fail(cursor->base.base.pVtab, &error);
	*ret_id = (sqlite3_int64)id;
	return SQLITE_OK;
}

static void result_key(struct cursor *cursor, sqlite3_context *context)
{
	result_name(context, cursor->key, cursor->run.key);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
	struct cursor *cursor = (struct cursor *)base;
	sqlite3_int64 id = 0;
	uint32_t row;
	int64_t number;
	int rc;

	if (cursor->fold && index != IQ_SQL_COLUMN_STORE) {
		iq_sql_fold_column(cursor->fold, cursor->at, (unsigned)index, context);
		return SQLITE_OK;
	}
	if (index == cursor->group && !cursor->fold) {
		result_key(cursor, context);
		return SQLITE_OK;
	}
	if (!cursor->rows || index == IQ_SQL_COLUMN_STORE) {
		sqlite3_result_text(context, iq_store_path(cursor->base.store->store), -1, SQLITE_TRANSIENT);
		return SQLITE_OK;
	}
	row = cursor->rows[cursor->at];
	switch (index) {
	case IQ_SQL_COLUMN_ID:
		rc = id_of(cursor, &id);
		sqlite3_result_int64(context, id);
		return rc;
	case IQ_SQL_COLUMN_KEY:
	case IQ_SQL_COLUMN_BODY:
	case IQ_SQL_COLUMN_ATTRS:
		return result_text(cursor, context, iq_sql_columns[index].column, row);
	default:
		break;
	}
	number = cursor->numbers[iq_sql_columns[index].column][row];
	switch (index) {
	case IQ_SQL_COLUMN_TIME:
		iq_sql_result_time(context, number);
		break;
	case IQ_SQL_COLUMN_SOURCE:
		result_source(cursor, context, (uint32_t)number);
		break;
	case IQ_SQL_COLUMN_SESSION:
		result_session(cursor, context, (uint32_t)number);
		break;
	case IQ_SQL_COLUMN_KIND:
		result_static(context, iq_kind_name((enum iq_kind)number));
		break;
	case IQ_SQL_COLUMN_DIRECTION:
		result_static(context, iq_direction_name((enum iq_direction)number));
		break;
	case IQ_SQL_COLUMN_TYPE:
		result_type(cursor, context, number);
		break;
	case IQ_SQL_COLUMN_SEVERITY:
		result_static(context, iq_severity_name((enum iq_severity)number));
		break;
	default:
		iq_sql_result_number(context, number, IQ_NUMBER_NONE);
		break;
	}
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
	struct cursor *cursor = (struct cursor *)base;

	*ret_rowid = 0;
	if (cursor->rows && !cursor->fold)
		return id_of(cursor, ret_rowid);
	return SQLITE_OK;
}

/* ---- Starting ---- */

static void close_scan(struct cursor *cursor)
{
	iq_scan_close(cursor->scan);
	cursor->scan = NULL;
	iq_sql_fold_free(cursor->fold);
	cursor->fold = NULL;
	for (size_t i = 0; i < cursor->test_count; i++)
		iq_sql_match_release(&cursor->tests[i]);
	cursor->tests = NULL;
	cursor->test_count = 0;
	cursor->serial = 0;
	cursor->source_no = 0;
	cursor->source = IQ_VIEW_NULL;
	iq_arena_clear(&cursor->memory);
}

/* A negative limit is none, a negative offset is nothing. */
static void set_limit(struct cursor *cursor, const struct iq_sql_argument *argument, sqlite3_value *value)
{
	const int64_t number = sqlite3_value_int64(value);

	if (argument->what == IQ_SQL_ARGUMENT_OFFSET)
		cursor->skip = number > 0 ? (uint64_t)number : 0;
	else
		cursor->left = number >= 0 ? (uint64_t)number : UINT64_MAX;
}

static int add_test(struct cursor *cursor, const struct iq_sql_argument *argument, sqlite3_value *value)
{
	const struct iq_sql_column_info *info = &iq_sql_columns[argument->column];
	int rc = iq_sql_match(info->column, info->kind, argument->operator_, value, &cursor->memory,
			      &cursor->tests[cursor->test_count], &cursor->base.base.pVtab->zErrMsg);

	cursor->test_count++;
	return rc;
}

static int take_arguments(struct cursor *cursor, const char *plan, int count, sqlite3_value **values,
			  const char **ret_path)
{
	struct iq_sql_argument argument;
	int rc = SQLITE_OK;

	cursor->tests = iq_arena_calloc(&cursor->memory, (size_t)count + 1, sizeof(*cursor->tests));
	if (!cursor->tests)
		return SQLITE_NOMEM;
	for (int i = 0; i < count && rc == SQLITE_OK; i++) {
		if (!iq_sql_plan_next(&plan, &argument))
			return SQLITE_INTERNAL;
		if (argument.what == IQ_SQL_ARGUMENT_STORE)
			*ret_path = (const char *)sqlite3_value_text(values[i]);
		else if (argument.what == IQ_SQL_ARGUMENT_CONDITION)
			rc = add_test(cursor, &argument, values[i]);
		else
			set_limit(cursor, &argument, values[i]);
	}
	return rc;
}

static void set_order(struct cursor *cursor, int plan, struct iq_scan_options *options)
{
	const int column = iq_sql_plan_order(plan) - 1;

	cursor->group = -1;
	if (column < 0)
		return;
	options->group = iq_sql_columns[column].column;
	options->only_groups = plan & IQ_SQL_PLAN_DISTINCT;
	if (column == IQ_SQL_COLUMN_ID)
		options->order = IQ_SCAN_ID;
	else if (column == IQ_SQL_COLUMN_TS || column == IQ_SQL_COLUMN_TIME)
		options->order = IQ_SCAN_TS;
	else
		options->order = IQ_SCAN_GROUP;
	cursor->group = options->order == IQ_SCAN_GROUP ? column : -1;
	options->order += plan & IQ_SQL_PLAN_DESC ? 1 : 0;
}

/* The rows of the fold, if the statement is one that can be folded. */
static int fold(struct cursor *cursor, int plan, const char *conditions)
{
	struct iq_error error = IQ_ERROR_INIT;

	if (iq_sql_fold_new(iq_sql_vtab_of(&cursor->base), cursor->base.store->store, plan, conditions, cursor->tests,
			    cursor->test_count, &cursor->fold, &error) < 0)
		return iq_sql_fail(cursor->base.base.pVtab, &error);
	if (cursor->fold) {
		cursor->at = 0;
		cursor->count = iq_sql_fold_rows(cursor->fold);
		cursor->at_end = cursor->count == 0;
	}
	return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;
	struct iq_scan_options options = { .columns = iq_sql_plan_columns(plan) };
	struct iq_error error = IQ_ERROR_INIT;
	const char *path = NULL;
	int rc;

	close_scan(cursor);
	cursor->left = UINT64_MAX;
	cursor->skip = 0;
	rc = take_arguments(cursor, text ? text : "", count, values, &path);
	if (rc == SQLITE_OK)
		rc = iq_sql_cursor_use(&cursor->base, path);
	if (rc == SQLITE_OK)
		rc = fold(cursor, plan, text ? text : "");
	if (rc != SQLITE_OK || cursor->fold)
		return rc;
	set_order(cursor, plan, &options);
	options.tests = cursor->tests;
	options.test_count = cursor->test_count;
	if (iq_scan_open(cursor->base.store->store, &options, &cursor->scan, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	return next_run(cursor);
}

/* ---- The table ---- */

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	return iq_sql_plan_make(((struct iq_sql_vtab *)table)->module, info);
}

/* REGEXP means the same on these columns whatever the host registered; has() can be told to a scan. */
static int find_function(sqlite3_vtab *table, int argc, const char *name,
			 void (**ret_function)(sqlite3_context *context, int argc, sqlite3_value **argv),
			 void **ret_context)
{
	(void)table;
	*ret_context = NULL;
	if (argc == 2 && sqlite3_stricmp(name, "regexp") == 0) {
		*ret_function = iq_sql_regexp;
		return 1;
	}
	if (argc == 2 && sqlite3_stricmp(name, "has") == 0) {
		*ret_function = iq_sql_has;
		return SQLITE_INDEX_CONSTRAINT_FUNCTION;
	}
	return 0;
}

static void release(struct iq_sql_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	close_scan(cursor);
	iq_arena_release(&cursor->memory);
	free(cursor->types);
}

const struct iq_sql_table iq_sql_events = {
	.name = "events",
	.schema = "CREATE TABLE events(id INTEGER, ts INTEGER, time TEXT, observed INTEGER, source TEXT, session TEXT, "
		  "kind TEXT, direction TEXT, type TEXT, key TEXT, seq INTEGER, severity TEXT, body, attrs TEXT, "
		  "evidence INTEGER, offset INTEGER, length INTEGER, store HIDDEN)",
	.cursor_size = sizeof(struct cursor),
	.release = release,
	.methods = { IQ_SQL_LIFE, .xBestIndex = best_index, .xFilter = filter, .xNext = next, .xEof = eof,
		     .xColumn = column, .xRowid = rowid, .xFindFunction = find_function },
};
