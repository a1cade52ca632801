/* event_counts(by): how many events there are by the values of one column. Whole chunks are counted from their zone maps;
 * nothing is decoded for source, session, type, nor for kind where a chunk has only one. */
#include <stdlib.h>

#include "query/sql_plan.h"

enum {
	COUNTS_SOURCE,
	COUNTS_SESSION,
	COUNTS_KIND,
	COUNTS_DIRECTION,
	COUNTS_TYPE,
	COUNTS_SEVERITY,
	COUNTS_COUNT,
	COUNTS_BY,
	COUNTS_STORE
};

static const struct {
	const char *name;
	enum iq_column column;
} groups[COUNTS_COUNT] = {
	[COUNTS_SOURCE] = { "source", IQ_COLUMN_SOURCE }, [COUNTS_SESSION] = { "session", IQ_COLUMN_SESSION },
	[COUNTS_KIND] = { "kind", IQ_COLUMN_KIND },	  [COUNTS_DIRECTION] = { "direction", IQ_COLUMN_DIRECTION },
	[COUNTS_TYPE] = { "type", IQ_COLUMN_TYPE },	  [COUNTS_SEVERITY] = { "severity", IQ_COLUMN_SEVERITY },
};

struct cursor {
	struct iq_sql_cursor base;
	struct iq_scan *scan;
	struct iq_run run;
	int by;
	sqlite3_int64 row;
	bool at_end;
};

/* idxNum: bit 0, the first argument is `by`; bit 1, the next one is the store. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	int places[2] = { -1, -1 }, arguments = 0;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];

		if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || constraint->iColumn < COUNTS_BY)
			continue;
		if (!constraint->usable)
			return SQLITE_CONSTRAINT;
		places[constraint->iColumn - COUNTS_BY] = i;
	}
	for (int i = 0; i < 2; i++) {
		if (places[i] < 0)
			continue;
		info->aConstraintUsage[places[i]].argvIndex = ++arguments;
		info->aConstraintUsage[places[i]].omit = 1;
		info->idxNum |= 1 << i;
	}
	if (places[0] < 0) {
		sqlite3_free(table->zErrMsg);
		table->zErrMsg = sqlite3_mprintf("by what? say event_counts('type'), or by source, session, kind, "
						 "direction or severity");
		return SQLITE_ERROR;
	}
	info->estimatedRows = 100;
	info->estimatedCost = 100;
	info->orderByConsumed = 0;
	return SQLITE_OK;
}

static void close_scan(struct cursor *cursor)
{
	iq_scan_close(cursor->scan);
	cursor->scan = NULL;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = iq_scan_next(cursor->scan, &cursor->run, &error);

	cursor->row++;
	cursor->at_end = rc <= 0;
	return rc < 0 ? iq_sql_fail(base->pVtab, &error) : SQLITE_OK;
}

static int find_group(sqlite3_vtab *table, sqlite3_value *value, int *ret_by)
{
	const char *name = (const char *)sqlite3_value_text(value);

	for (int i = 0; name && i < COUNTS_COUNT; i++) {
		if (strcmp(groups[i].name, name) == 0) {
			*ret_by = i;
			return SQLITE_OK;
		}
	}
	sqlite3_free(table->zErrMsg);
	table->zErrMsg = sqlite3_mprintf(
		"event_counts('%.40s'): only source, session, kind, direction, type or severity can be counted",
		name ? name : "NULL");
	return SQLITE_ERROR;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;
	struct iq_scan_options options = { .order = IQ_SCAN_GROUP, .only_groups = true };
	const char *path = plan & 2 ? (const char *)sqlite3_value_text(values[count - 1]) : NULL;
	struct iq_error error = IQ_ERROR_INIT;
	int rc;

	(void)text;
	close_scan(cursor);
	rc = find_group(base->pVtab, values[0], &cursor->by);
	if (rc == SQLITE_OK)
		rc = iq_sql_cursor_use(&cursor->base, path);
	if (rc != SQLITE_OK)
		return rc;
	options.group = groups[cursor->by].column;
	if (iq_scan_open(cursor->base.store->store, &options, &cursor->scan, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	cursor->row = 0;
	return next(base);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
	const struct cursor *cursor = (const struct cursor *)base;

	if (index == cursor->by)
		iq_sql_result_text(context, cursor->run.key);
	else if (index == COUNTS_COUNT)
		sqlite3_result_int64(context, (sqlite3_int64)cursor->run.count);
	else if (index == COUNTS_BY)
		sqlite3_result_text(context, groups[cursor->by].name, -1, SQLITE_STATIC);
	else if (index == COUNTS_STORE)
		sqlite3_result_text(context, iq_store_path(cursor->base.store->store), -1, SQLITE_TRANSIENT);
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->at_end;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
	*ret_rowid = ((struct cursor *)base)->row;
	return SQLITE_OK;
}

static void release(struct iq_sql_cursor *cursor)
{
	close_scan((struct cursor *)cursor);
}

const struct iq_sql_table iq_sql_counts = {
	.name = "event_counts",
	.schema = "CREATE TABLE event_counts(source TEXT, session TEXT, kind TEXT, direction TEXT, type TEXT, "
		  "severity TEXT, count INTEGER, by TEXT HIDDEN, store HIDDEN)",
	.cursor_size = sizeof(struct cursor),
	.release = release,
	.methods = { IQ_SQL_LIFE, .xBestIndex = best_index, .xFilter = filter, .xNext = next, .xEof = eof,
		     .xColumn = column, .xRowid = rowid },
};
