/* The table `events`: constraints become the filter of a store cursor. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/sql_module.h"

enum column {
	COLUMN_ID,
	COLUMN_TS,
	COLUMN_TIME,
	COLUMN_OBSERVED,
	COLUMN_SOURCE,
	COLUMN_SESSION,
	COLUMN_KIND,
	COLUMN_DIRECTION,
	COLUMN_TYPE,
	COLUMN_KEY,
	COLUMN_SEQ,
	COLUMN_SEVERITY,
	COLUMN_BODY,
	COLUMN_ATTRS,
	COLUMN_EVIDENCE,
	COLUMN_OFFSET,
	COLUMN_LENGTH,
	COLUMN_STORE,
	COLUMN_COUNT
};

static const char schema[] =
	"CREATE TABLE events(id INTEGER, ts INTEGER, time TEXT, observed INTEGER, source TEXT, session TEXT, "
	"kind TEXT, direction TEXT, type TEXT, key TEXT, seq INTEGER, severity TEXT, body, attrs TEXT, "
	"evidence INTEGER, offset INTEGER, length INTEGER, store HIDDEN)";

/* What each SQL column needs of the store. */
static const enum iq_column needs[COLUMN_STORE] = {
	[COLUMN_ID] = IQ_COLUMN_ID,
	[COLUMN_TS] = IQ_COLUMN_TS,
	[COLUMN_TIME] = IQ_COLUMN_TS,
	[COLUMN_OBSERVED] = IQ_COLUMN_OBSERVED,
	[COLUMN_SOURCE] = IQ_COLUMN_SOURCE,
	[COLUMN_SESSION] = IQ_COLUMN_SESSION,
	[COLUMN_KIND] = IQ_COLUMN_KIND,
	[COLUMN_DIRECTION] = IQ_COLUMN_DIRECTION,
	[COLUMN_TYPE] = IQ_COLUMN_TYPE,
	[COLUMN_KEY] = IQ_COLUMN_KEY,
	[COLUMN_SEQ] = IQ_COLUMN_SEQ,
	[COLUMN_SEVERITY] = IQ_COLUMN_SEVERITY,
	[COLUMN_BODY] = IQ_COLUMN_BODY,
	[COLUMN_ATTRS] = IQ_COLUMN_ATTRS,
	[COLUMN_EVIDENCE] = IQ_COLUMN_EVIDENCE,
	[COLUMN_OFFSET] = IQ_COLUMN_OFFSET,
	[COLUMN_LENGTH] = IQ_COLUMN_LENGTH,
};

struct table {
	sqlite3_vtab base;
	struct iq_sql_module *module;
};

/* Values of an `=` or `IN` constraint. */
struct values {
	struct iq_view *items;
	size_t count;
	size_t capacity;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct iq_open_store *store;
	struct iq_cursor *events;
	struct iq_event event;
	bool at_end;
	struct iq_arena memory; /* of the filter */
};

/* ---- Planning ---- */

/* idxStr holds two characters for each argument of xFilter: the column ('A' + column) and the operator. idxNum has a
 * bit for each SQL column that the statement reads. */
static char operator_of(const struct sqlite3_index_constraint *constraint)
{
	switch (constraint->op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return '=';
	case SQLITE_INDEX_CONSTRAINT_GT:
		return '>';
	case SQLITE_INDEX_CONSTRAINT_GE:
		return 'g';
	case SQLITE_INDEX_CONSTRAINT_LT:
		return '<';
	case SQLITE_INDEX_CONSTRAINT_LE:
		return 'l';
	default:
		return '\0';
	}
}

/* How much of the table a constraint leaves, roughly, and on which columns it is of use. */
static double selectivity(int column, char operator)
{
	switch (column) {
	case COLUMN_ID:
		return operator== '=' ? 1e-6 : 0.3;
	case COLUMN_TS:
	case COLUMN_TIME:
		return operator== '=' ? 1e-3 : 0.3;
	case COLUMN_SESSION:
		return operator== '=' ? 0.01 : 1;
	case COLUMN_TYPE:
	case COLUMN_KIND:
	case COLUMN_SOURCE:
		return operator== '=' ? 0.1 : 1;
	default:
		return 1;
	}
}

static bool is_time(int column)
{
	return column == COLUMN_TS || column == COLUMN_TIME;
}

static bool is_list(int column)
{
	return column == COLUMN_SESSION || column == COLUMN_TYPE || column == COLUMN_KIND || column == COLUMN_SOURCE;
}

static bool is_binary_collation(sqlite3_index_info *info, int index, int column)
{
	return !is_list(column) || sqlite3_stricmp(sqlite3_vtab_collation(info, index), "BINARY") == 0;
}

static bool can_push(sqlite3_index_info *info, int index)
{
	const struct sqlite3_index_constraint *constraint = &info->aConstraint[index];
	char operator= operator_of(constraint);

	if (constraint->iColumn == COLUMN_STORE)
		return operator== '=';
	return constraint->usable && operator!= '\0' && selectivity(constraint->iColumn, operator) < 1 &&
	       is_binary_collation(info, index, constraint->iColumn);
}

/* An IN list goes to the cursor whole, so that the scan runs once. */
static bool take_whole_list(sqlite3_index_info *info, int index)
{
	if (!is_list(info->aConstraint[index].iColumn) || sqlite3_libversion_number() < 3038000)
		return false;
	return sqlite3_vtab_in(info, index, -1) && sqlite3_vtab_in(info, index, 1);
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	char *plan = sqlite3_malloc(2 * info->nConstraint + 1);
	double rows = 1e6;
	int taken = 0;

	(void)table;
	if (!plan)
		return SQLITE_NOMEM;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
		char operator= operator_of(constraint);

		if (!can_push(info, i))
			continue;
		if (!constraint->usable) { /* the store must be known before the scan begins */
			sqlite3_free(plan);
			return SQLITE_CONSTRAINT;
		}
		plan[2 * taken] = (char)('A' + constraint->iColumn);
		plan[2 * taken + 1] = take_whole_list(info, i) ? 'I' : operator;
		info->aConstraintUsage[i].argvIndex = ++taken;
		/* SQLite would compare a number with the text of a time: the scan decides alone. */
		info->aConstraintUsage[i].omit = is_time(constraint->iColumn) || constraint->iColumn == COLUMN_STORE;
		rows *= selectivity(constraint->iColumn, operator);
	}
	plan[2 * taken] = '\0';
	info->idxStr = plan;
	info->needToFreeIdxStr = 1;
	info->idxNum = (int)(info->colUsed & ((1u << COLUMN_COUNT) - 1u));
	info->orderByConsumed =
		info->nOrderBy == 1 && info->aOrderBy[0].iColumn == COLUMN_ID && !info->aOrderBy[0].desc;
	info->estimatedCost = rows + 10;
	info->estimatedRows = (sqlite3_int64)rows + 1;
	return SQLITE_OK;
}

/* ---- Filtering ---- */

static struct iq_view value_text(sqlite3_value *value)
{
	const char *text = (const char *)sqlite3_value_text(value);

	return text ? iq_view_make(text, (size_t)sqlite3_value_bytes(value)) : IQ_VIEW_NULL;
}

/* RFC 3339, also without seconds or without a time of day. */
static bool parse_time(struct iq_view text, int64_t *ret_ns)
{
	char longer[IQ_RFC3339_SIZE + 16];
	static const char *const rests[] = { "", ":00", "T00:00:00" };

	for (size_t i = 0; i < 3 && text.len < IQ_RFC3339_SIZE; i++) {
		int len = snprintf(longer, sizeof(longer), "%.*s%s", IQ_VIEW_ARG(text), rests[i]);

		if (iq_time_parse(iq_view_make(longer, (size_t)len), ret_ns))
			return true;
	}
	return false;
}

/* The bounds [*low, *high] that `operator value` leaves. False where nothing can match. */
static bool number_bounds(sqlite3_value *value, char operator, int64_t * low, int64_t *high)
{
	bool is_float = sqlite3_value_numeric_type(value) == SQLITE_FLOAT;
	double real = is_float ? sqlite3_value_double(value) : 0;
	int64_t number = is_float ? (real >= 9.2e18    ? INT64_MAX
				     : real <= -9.2e18 ? INT64_MIN + 1
						       : (int64_t)floor(real))
				  : sqlite3_value_int64(value);
	bool is_whole = !is_float || floor(real) == real;

	switch (operator) {
	case '=':
		*low = *high = number;
		return is_whole;
	case '>':
		*low = number == INT64_MAX ? number : number + 1;
		return number != INT64_MAX;
	case 'g':
		*low = is_whole ? number : number + 1;
		return true;
	case '<':
		*high = is_whole ? number - 1 : number;
		return number != INT64_MIN;
	default:
		*high = number;
		return true;
	}
}

static int time_bounds(sqlite3_vtab *table, sqlite3_value *value, char operator, int64_t * low, int64_t *high,
		       bool *possible)
{
	struct iq_view text = value_text(value);
	int64_t ns;

	if (sqlite3_value_numeric_type(value) != SQLITE_TEXT) {
		*possible &= sqlite3_value_type(value) != SQLITE_NULL && number_bounds(value, operator, low, high);
		return SQLITE_OK;
	}
	if (!parse_time(text, &ns)) {
		sqlite3_free(table->zErrMsg);
		table->zErrMsg = sqlite3_mprintf(
			"'%.60s' is not a time: write 2026-11-23T03:07:12Z, or nanoseconds since 1970", text.data);
		return SQLITE_ERROR;
	}
	if (operator== '=' || operator== 'g' || operator== '>')
		*low = operator== '>' ? ns + 1 : ns;
	if (operator== '=' || operator== 'l' || operator== '<')
		*high = operator== '<' ? ns - 1 : ns;
	return SQLITE_OK;
}

static void narrow(int64_t low, int64_t high, int64_t *min, int64_t *max)
{
	if (low > *min)
		*min = low;
	if (high < *max)
		*max = high;
}

static int add_value(struct values *values, struct iq_arena *memory, sqlite3_value *value)
{
	struct iq_view *grown;

	if (sqlite3_value_type(value) != SQLITE_TEXT)
		return SQLITE_OK;
	if (values->count == values->capacity) {
		size_t capacity = values->capacity ? values->capacity * 2 : 8;

		grown = iq_arena_calloc(memory, capacity, sizeof(*grown));
		if (!grown)
			return SQLITE_NOMEM;
		if (values->count)
			memcpy(grown, values->items, values->count * sizeof(*grown));
		values->items = grown;
		values->capacity = capacity;
	}
	values->items[values->count] = iq_arena_copy(memory, value_text(value));
	return values->items[values->count++].data ? SQLITE_OK : SQLITE_NOMEM;
}

static int collect_values(struct values *values, struct iq_arena *memory, sqlite3_value *value, char operator)
{
	sqlite3_value *item;
	int rc = SQLITE_OK;

	if (operator!= 'I')
		return add_value(values, memory, value);
	for (rc = sqlite3_vtab_in_first(value, &item); rc == SQLITE_OK && item;
	     rc = sqlite3_vtab_in_next(value, &item)) {
		rc = add_value(values, memory, item);
		if (rc != SQLITE_OK)
			return rc;
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* `s41` -> 41 */
static int set_sessions(struct iq_filter *filter, const struct values *values, struct iq_arena *memory)
{
	uint32_t *numbers = iq_arena_calloc(memory, values->count + 1, sizeof(*numbers));
	int64_t number;

	if (!numbers)
		return SQLITE_NOMEM;
	for (size_t i = 0; i < values->count; i++) {
		struct iq_view name = values->items[i];

		if (name.len > 1 && name.data[0] == 's' && iq_view_to_int64(iq_view_from(name, 1), &number) &&
		    number > 0 && number <= UINT32_MAX)
			numbers[filter->session_count++] = (uint32_t)number;
	}
	filter->sessions = numbers;
	return SQLITE_OK;
}

static void set_kinds(struct iq_filter *filter, const struct values *values)
{
	enum iq_kind kind;

	for (size_t i = 0; i < values->count; i++)
		if (iq_kind_parse(values->items[i], &kind))
			filter->kinds |= 1u << kind;
}

/* Puts one constraint into the filter; *possible becomes false where nothing can match. */
static int add_constraint(struct cursor *cursor, struct iq_filter *filter, int column, char operator,
			  sqlite3_value * value, bool *possible)
{
	struct values values = { 0 };
	int64_t low = INT64_MIN, high = INT64_MAX, least = 0, most = INT64_MAX;
	int rc;

	if (is_time(column)) {
		low = IQ_TIME_NONE + 1; /* an unknown time matches no comparison */
		rc = time_bounds(cursor->base.pVtab, value, operator, & low, &high, possible);
		narrow(low, high, &filter->ts_min, &filter->ts_max);
		return rc;
	}
	if (column == COLUMN_ID) {
		if (sqlite3_value_numeric_type(value) > SQLITE_FLOAT) /* SQLite compares text itself */
			return SQLITE_OK;
		*possible &= number_bounds(value, operator, & low, &high) && high >= 0;
		narrow(low, high, &least, &most);
		filter->id_min = (uint64_t)least > filter->id_min ? (uint64_t)least : filter->id_min;
		filter->id_max = *possible && (uint64_t)most < filter->id_max ? (uint64_t)most : filter->id_max;
		return SQLITE_OK;
	}
	rc = collect_values(&values, &cursor->memory, value, operator);
	if (rc != SQLITE_OK)
		return rc;
	*possible &= values.count > 0;
	if (column == COLUMN_SESSION) {
		filter->session_count = 0;
		rc = set_sessions(filter, &values, &cursor->memory);
		*possible &= filter->session_count > 0;
	} else if (column == COLUMN_KIND) {
		filter->kinds = 0;
		set_kinds(filter, &values);
		*possible &= filter->kinds != 0;
	} else if (column == COLUMN_TYPE) {
		filter->types = values.items;
		filter->type_count = values.count;
	} else {
		filter->sources = values.items;
		filter->source_count = values.count;
	}
	return rc;
}

static void close_scan(struct cursor *cursor)
{
	iq_cursor_close(cursor->events);
	cursor->events = NULL;
	iq_sql_store_put(((struct table *)cursor->base.pVtab)->module, cursor->store);
	cursor->store = NULL;
	iq_arena_clear(&cursor->memory);
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = iq_cursor_next(cursor->events, &cursor->event, &error);

	cursor->at_end = rc <= 0;
	return rc < 0 ? iq_sql_fail(base->pVtab, &error) : SQLITE_OK;
}

static uint32_t columns_of(int used)
{
	uint32_t columns = 0;

	for (int i = 0; i < COLUMN_STORE; i++)
		if (used & 1 << i)
			columns |= 1u << needs[i];
	return columns;
}

static int filter(sqlite3_vtab_cursor *base, int used, const char *plan, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;
	struct table *table = (struct table *)base->pVtab;
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	const char *path = NULL;
	bool possible = true;
	int rc = SQLITE_OK;

	close_scan(cursor);
	filter.columns = columns_of(used);
	for (int i = 0; i < count && rc == SQLITE_OK; i++) {
		int column = plan[2 * i] - 'A';

		if (column == COLUMN_STORE)
			path = (const char *)sqlite3_value_text(values[i]);
		else
			rc = add_constraint(cursor, &filter, column, plan[2 * i + 1], values[i], &possible);
	}
	if (rc == SQLITE_OK)
		rc = iq_sql_store_get(table->module, path, &cursor->store, &base->pVtab->zErrMsg);
	if (rc != SQLITE_OK)
		return rc;
	cursor->at_end = !possible;
	if (!possible)
		return SQLITE_OK;
	if (iq_cursor_open(cursor->store->store, &filter, &cursor->events, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	return next(base);
}

/* ---- Rows ---- */

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
	struct cursor *cursor = (struct cursor *)base;
	const struct iq_event *event = &cursor->event;

	switch (index) {
	case COLUMN_ID:
		sqlite3_result_int64(context, (sqlite3_int64)event->id);
		break;
	case COLUMN_TS:
		iq_sql_result_number(context, event->ts, IQ_TIME_NONE);
		break;
	case COLUMN_TIME:
		iq_sql_result_time(context, event->ts);
		break;
	case COLUMN_OBSERVED:
		iq_sql_result_number(context, event->observed, IQ_TIME_NONE);
		break;
	case COLUMN_SOURCE:
		iq_sql_result_text(context, event->source);
		break;
	case COLUMN_SESSION:
		iq_sql_result_text(context, event->session);
		break;
	case COLUMN_KIND:
		iq_sql_result_text(context, iq_view_cstr(iq_kind_name(event->kind)));
		break;
	case COLUMN_DIRECTION:
		iq_sql_result_text(context, iq_view_cstr(iq_direction_name(event->direction)));
		break;
	case COLUMN_TYPE:
		iq_sql_result_text(context, event->type);
		break;
	case COLUMN_KEY:
		iq_sql_result_text(context, event->key);
		break;
	case COLUMN_SEQ:
		iq_sql_result_number(context, event->seq, IQ_NUMBER_NONE);
		break;
	case COLUMN_SEVERITY:
		iq_sql_result_text(context, iq_view_cstr(iq_severity_name(event->severity)));
		break;
	case COLUMN_BODY:
		if (event->body_is_binary)
			sqlite3_result_blob64(context, event->body.data, event->body.len, SQLITE_TRANSIENT);
		else
			iq_sql_result_text(context, event->body);
		break;
	case COLUMN_ATTRS:
		iq_sql_result_text(context, event->attrs);
		break;
	case COLUMN_EVIDENCE:
		sqlite3_result_int64(context, event->evidence);
		break;
	case COLUMN_OFFSET:
		sqlite3_result_int64(context, (sqlite3_int64)event->offset);
		break;
	case COLUMN_LENGTH:
		sqlite3_result_int64(context, (sqlite3_int64)event->length);
		break;
	default:
		sqlite3_result_text(context, iq_store_path(cursor->store->store), -1, SQLITE_TRANSIENT);
		break;
	}
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->at_end;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
	*ret_rowid = (sqlite3_int64)((struct cursor *)base)->event.id;
	return SQLITE_OK;
}

/* ---- Life cycle ---- */

static int connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret_table,
		   char **ret_message)
{
	struct table *table;
	int rc = sqlite3_declare_vtab(db, schema);

	(void)argc;
	(void)argv;
	(void)ret_message;
	if (rc != SQLITE_OK)
		return rc;
	table = sqlite3_malloc(sizeof(*table));
	if (!table)
		return SQLITE_NOMEM;
	*table = (struct table){ .module = ((struct iq_sql_table *)context)->module };
	(void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	*ret_table = &table->base;
	return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int open(sqlite3_vtab *table, sqlite3_vtab_cursor **ret_cursor)
{
	struct cursor *cursor = calloc(1, sizeof(*cursor));

	(void)table;
	if (!cursor)
		return SQLITE_NOMEM;
	*ret_cursor = &cursor->base;
	return SQLITE_OK;
}

static int close(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	close_scan(cursor);
	iq_arena_release(&cursor->memory);
	free(cursor);
	return SQLITE_OK;
}

const sqlite3_module iq_sql_events = {
	.iVersion = 1,
	.xConnect = connect,
	.xBestIndex = best_index,
	.xDisconnect = disconnect,
	.xDestroy = disconnect,
	.xOpen = open,
	.xClose = close,
	.xFilter = filter,
	.xNext = next,
	.xEof = eof,
	.xColumn = column,
	.xRowid = rowid,
};
