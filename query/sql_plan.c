#include "query/sql_fold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct iq_sql_column_info iq_sql_columns[IQ_SQL_COLUMN_STORE] = {
	[IQ_SQL_COLUMN_ID] = { "id", IQ_COLUMN_ID, IQ_SQL_NUMBER },
	[IQ_SQL_COLUMN_TS] = { "ts", IQ_COLUMN_TS, IQ_SQL_TS },
	[IQ_SQL_COLUMN_TIME] = { "time", IQ_COLUMN_TS, IQ_SQL_TIME },
	[IQ_SQL_COLUMN_OBSERVED] = { "observed", IQ_COLUMN_OBSERVED, IQ_SQL_TS },
	[IQ_SQL_COLUMN_SOURCE] = { "source", IQ_COLUMN_SOURCE, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_SESSION] = { "session", IQ_COLUMN_SESSION, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_KIND] = { "kind", IQ_COLUMN_KIND, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_DIRECTION] = { "direction", IQ_COLUMN_DIRECTION, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_TYPE] = { "type", IQ_COLUMN_TYPE, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_KEY] = { "key", IQ_COLUMN_KEY, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_SEQ] = { "seq", IQ_COLUMN_SEQ, IQ_SQL_NUMBER },
	[IQ_SQL_COLUMN_SEVERITY] = { "severity", IQ_COLUMN_SEVERITY, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_BODY] = { "body", IQ_COLUMN_BODY, IQ_SQL_BODY },
	[IQ_SQL_COLUMN_ATTRS] = { "attrs", IQ_COLUMN_ATTRS, IQ_SQL_TEXT },
	[IQ_SQL_COLUMN_EVIDENCE] = { "evidence", IQ_COLUMN_EVIDENCE, IQ_SQL_NUMBER },
	[IQ_SQL_COLUMN_OFFSET] = { "offset", IQ_COLUMN_OFFSET, IQ_SQL_NUMBER },
	[IQ_SQL_COLUMN_LENGTH] = { "length", IQ_COLUMN_LENGTH, IQ_SQL_NUMBER },
};

/* Operators as SQLite numbers them, and as a plan writes them after the column. */
static const struct {
	unsigned char number;
	const char *text;
} operators[IQ_SQL_OPERATORS] = {
	[IQ_SQL_EQ] = { SQLITE_INDEX_CONSTRAINT_EQ, "=?" },
	[IQ_SQL_NE] = { SQLITE_INDEX_CONSTRAINT_NE, "<>?" },
	[IQ_SQL_LT] = { SQLITE_INDEX_CONSTRAINT_LT, "<?" },
	[IQ_SQL_LE] = { SQLITE_INDEX_CONSTRAINT_LE, "<=?" },
	[IQ_SQL_GT] = { SQLITE_INDEX_CONSTRAINT_GT, ">?" },
	[IQ_SQL_GE] = { SQLITE_INDEX_CONSTRAINT_GE, ">=?" },
	[IQ_SQL_IS] = { SQLITE_INDEX_CONSTRAINT_IS, " IS ?" },
	[IQ_SQL_IS_NOT] = { SQLITE_INDEX_CONSTRAINT_ISNOT, " IS NOT ?" },
	[IQ_SQL_IS_NULL] = { SQLITE_INDEX_CONSTRAINT_ISNULL, " IS NULL" },
	[IQ_SQL_NOT_NULL] = { SQLITE_INDEX_CONSTRAINT_ISNOTNULL, " IS NOT NULL" },
	[IQ_SQL_IN] = { 0, " IN ?" },
	[IQ_SQL_LIKE] = { SQLITE_INDEX_CONSTRAINT_LIKE, " LIKE ?" },
	[IQ_SQL_GLOB] = { SQLITE_INDEX_CONSTRAINT_GLOB, " GLOB ?" },
	[IQ_SQL_REGEXP] = { SQLITE_INDEX_CONSTRAINT_REGEXP, " REGEXP ?" },
	[IQ_SQL_HAS] = { SQLITE_INDEX_CONSTRAINT_FUNCTION, " HAS ?" },
};

static const char store_text[] = "store=?", limit_text[] = "LIMIT ?", offset_text[] = "OFFSET ?", and_text[] = " AND ";

/* ---- Reading a plan ---- */

static bool take(const char **plan, const char *text)
{
	const size_t len = strlen(text);

	if (strncmp(*plan, text, len) != 0)
		return false;
	*plan += len;
	return true;
}

static bool take_condition(const char **plan, struct iq_sql_argument *argument)
{
	for (unsigned column = 0; column < IQ_SQL_COLUMN_STORE; column++) {
		for (unsigned i = 0; i < IQ_SQL_OPERATORS; i++) {
			const char *rest = *plan;

			if (!take(&rest, iq_sql_columns[column].name) || !take(&rest, operators[i].text) ||
			    (*rest != '\0' && *rest != ';' && *rest != ' '))
				continue;
			*plan = rest;
			argument->what = IQ_SQL_ARGUMENT_CONDITION;
			argument->column = (enum iq_sql_column)column;
			argument->operator_ = (enum iq_sql_operator)i;
			return true;
		}
	}
	return false;
}

bool iq_sql_plan_next(const char **plan, struct iq_sql_argument *ret_argument)
{
	(void)take(plan, and_text);
	*ret_argument = (struct iq_sql_argument){ .what = IQ_SQL_ARGUMENT_STORE };
	if (take(plan, store_text))
		return true;
	if (take_condition(plan, ret_argument))
		return true;
	ret_argument->what = IQ_SQL_ARGUMENT_LIMIT;
	if (take(plan, limit_text))
		return true;
	ret_argument->what = IQ_SQL_ARGUMENT_OFFSET;
	return take(plan, offset_text);
}

int iq_sql_plan_order(int plan)
{
	return (plan & IQ_SQL_PLAN_ORDER) >> IQ_SQL_PLAN_ORDER_SHIFT;
}

uint32_t iq_sql_plan_columns(int plan)
{
	uint32_t columns = 0;

	for (unsigned i = 0; i < IQ_SQL_COLUMN_STORE; i++)
		if (plan >> i & 1)
			columns |= 1u << iq_sql_columns[i].column;
	return columns;
}

/* ---- Making one ---- */

/* Conditions beyond these are guessed about. */
#define MAX_TESTS 32u

struct plan {
	struct iq_sql_module *module;
	sqlite3_index_info *info;
	sqlite3_str *text;
	int arguments;
	bool all_exact;		     /* every condition is decided by the scan */
	bool numbers_exact;	     /* those that are not are about columns of names */
	bool searches;		     /* a pattern or an equality on the body */
	struct iq_open_store *store; /* NULL: not known before the statement runs, or not to be opened */
	struct iq_arena memory;
	struct iq_test tests[MAX_TESTS]; /* of conditions whose values are known */
	size_t test_count;
	double share; /* of the others */
};

static int operator_of(const struct sqlite3_index_constraint *constraint)
{
	for (int i = 0; i < IQ_SQL_OPERATORS; i++)
		if (operators[i].number == constraint->op)
			return i;
	return -1;
}

static bool is_group(int column)
{
	return column == IQ_SQL_COLUMN_SOURCE || column == IQ_SQL_COLUMN_SESSION || column == IQ_SQL_COLUMN_KIND ||
	       column == IQ_SQL_COLUMN_DIRECTION || column == IQ_SQL_COLUMN_TYPE || column == IQ_SQL_COLUMN_SEVERITY;
}

static bool is_text(unsigned column)
{
	return iq_sql_columns[column].kind >= IQ_SQL_TEXT;
}

/* Which conditions a scan takes. Columns that are spread over the whole width of a row, and cost much, only where few remain. */
static bool can_take(sqlite3_index_info *info, int index, int operator_)
{
	const struct sqlite3_index_constraint *constraint = &info->aConstraint[index];
	const int column = constraint->iColumn;

	if (!constraint->usable || operator_ < 0 || column < 0 || column >= IQ_SQL_COLUMN_STORE)
		return false;
	if (operator_ >= IQ_SQL_LIKE)
		return is_text((unsigned)column);
	if (operator_ == IQ_SQL_IS_NULL || operator_ == IQ_SQL_NOT_NULL)
		return true;
	return (!is_text((unsigned)column) && column != IQ_SQL_COLUMN_TIME) ||
	       sqlite3_stricmp(sqlite3_vtab_collation(info, index), "BINARY") == 0;
}

/* Older hosts of the extension do not have what came with SQLite 3.38. */
static bool host_is_new(void)
{
	return sqlite3_libversion_number() >= 3038000;
}

static sqlite3_value *known_value(sqlite3_index_info *info, int index)
{
	sqlite3_value *value = NULL;

	return host_is_new() && sqlite3_vtab_rhs_value(info, index, &value) == SQLITE_OK ? value : NULL;
}

/* An IN list goes to the scan whole, so that it runs once. */
static bool take_list(sqlite3_index_info *info, int index)
{
	return host_is_new() && sqlite3_vtab_in(info, index, -1) && sqlite3_vtab_in(info, index, 1);
}

static void add_argument(struct plan *plan, int index, bool omit)
{
	plan->info->aConstraintUsage[index].argvIndex = ++plan->arguments;
	plan->info->aConstraintUsage[index].omit = omit;
}

static void add_text(struct plan *plan, const char *column, const char *text)
{
	sqlite3_str_appendf(plan->text, "%s%s%s", plan->arguments > 0 ? and_text : "", column, text);
}

/* What a condition leaves, where its value comes from another table. */
static double guess(struct plan *plan, unsigned column, enum iq_sql_operator operator_)
{
	double values = 10;

	if (operator_ != IQ_SQL_EQ && operator_ != IQ_SQL_IN && operator_ != IQ_SQL_IS)
		return operator_ >= IQ_SQL_LIKE ? 0.05 : 0.3;
	if (plan->store)
		(void)iq_scan_distinct(plan->store->store, iq_sql_columns[column].column, &values, NULL);
	return operator_ == IQ_SQL_IN ? fmin(1, 5 / values) : 1 / values;
}

static void estimate(struct plan *plan, unsigned column, enum iq_sql_operator operator_, sqlite3_value *value)
{
	const bool is_spread =
		column == IQ_SQL_COLUMN_KEY || column == IQ_SQL_COLUMN_BODY || column == IQ_SQL_COLUMN_ATTRS;
	const bool is_known = !is_spread && ((value && operator_ != IQ_SQL_IN) || operator_ == IQ_SQL_IS_NULL ||
					     operator_ == IQ_SQL_NOT_NULL);
	char *message = NULL;

	if (is_known && plan->test_count < MAX_TESTS &&
	    iq_sql_match(iq_sql_columns[column].column, iq_sql_columns[column].kind, operator_, value, &plan->memory,
			 &plan->tests[plan->test_count], &message) == SQLITE_OK)
		plan->test_count++;
	else
		plan->share *= guess(plan, column, operator_);
	sqlite3_free(message);
}

/* A condition that SQLite decides, alone or once more. */
static void leave(struct plan *plan, int column)
{
	plan->all_exact = false;
	plan->numbers_exact = plan->numbers_exact && is_group(column);
}

static void take_constraint(struct plan *plan, int index)
{
	const struct sqlite3_index_constraint *constraint = &plan->info->aConstraint[index];
	const unsigned column = (unsigned)constraint->iColumn;
	int operator_ = operator_of(constraint);
	sqlite3_value *value;
	bool exact;

	if (!can_take(plan->info, index, operator_)) {
		leave(plan, constraint->iColumn);
		return;
	}
	value = known_value(plan->info, index);
	if (operator_ == IQ_SQL_EQ && take_list(plan->info, index))
		operator_ = IQ_SQL_IN;
	exact = iq_sql_match_is_exact(iq_sql_columns[column].kind, (enum iq_sql_operator)operator_, value);
	/* A range over texts whose value is not known may be one over numbers: see iq_sql_match(). */
	if (is_text(column) && !value && operator_ != IQ_SQL_EQ && operator_ < IQ_SQL_IS_NULL) {
		leave(plan, constraint->iColumn);
		return;
	}
	add_text(plan, iq_sql_columns[column].name, operators[operator_].text);
	add_argument(plan, index, exact);
	if (!exact)
		leave(plan, constraint->iColumn);
	plan->searches = plan->searches ||
			 (column == IQ_SQL_COLUMN_BODY && (operator_ == IQ_SQL_EQ || operator_ >= IQ_SQL_LIKE));
	estimate(plan, column, (enum iq_sql_operator)operator_, value);
}

/* ---- The order ---- */

static bool is_time(int column)
{
	return column == IQ_SQL_COLUMN_TS || column == IQ_SQL_COLUMN_TIME;
}

/* After a column that is all different, or the order inside a group, other columns say nothing more. */
static bool tail_is_met(const sqlite3_index_info *info)
{
	const int first = info->aOrderBy[0].iColumn;

	if (info->nOrderBy == 1 || first == IQ_SQL_COLUMN_ID)
		return true;
	return info->aOrderBy[1].iColumn == IQ_SQL_COLUMN_ID &&
	       (is_group(first) ? !info->aOrderBy[1].desc : info->aOrderBy[1].desc == info->aOrderBy[0].desc);
}

static enum iq_scan_order order_of(int column, bool desc)
{
	if (column == IQ_SQL_COLUMN_ID)
		return desc ? IQ_SCAN_ID_DESC : IQ_SCAN_ID;
	if (is_time(column))
		return desc ? IQ_SCAN_TS_DESC : IQ_SCAN_TS;
	return desc ? IQ_SCAN_GROUP_DESC : IQ_SCAN_GROUP;
}

/* Only different values of the one column are wanted, and no other column of the rows is looked at. */
static bool wants_distinct(sqlite3_index_info *info)
{
	const int column = info->aOrderBy[0].iColumn;

	return host_is_new() && sqlite3_vtab_distinct(info) >= 2 && info->nOrderBy == 1 && is_group(column) &&
	       (info->colUsed & ~((sqlite3_uint64)1 << column)) == 0;
}

static void take_order(struct plan *plan)
{
	sqlite3_index_info *info = plan->info;
	struct iq_scan_options options = { .columns = iq_sql_plan_columns((int)info->colUsed) };
	const int column = info->nOrderBy > 0 ? info->aOrderBy[0].iColumn : -1;
	bool can = false, distinct;

	if (column < 0 || !plan->store || !tail_is_met(info) ||
	    (column != IQ_SQL_COLUMN_ID && !is_time(column) && !is_group(column)))
		return;
	distinct = wants_distinct(info) && plan->all_exact;
	options.order = order_of(column, info->aOrderBy[0].desc);
	options.only_groups = distinct;
	if (iq_scan_can_order(plan->store->store, &options, &can, NULL) < 0 || !can)
		return;
	info->orderByConsumed = 1;
	info->idxNum |= (column + 1) << IQ_SQL_PLAN_ORDER_SHIFT | (info->aOrderBy[0].desc ? IQ_SQL_PLAN_DESC : 0) |
			(distinct ? IQ_SQL_PLAN_DISTINCT : 0);
	sqlite3_str_appendf(plan->text, "; %s %s%s",
			    distinct	       ? "different values of"
			    : is_group(column) ? "grouped by"
					       : "ordered by",
			    iq_sql_columns[column].name, info->aOrderBy[0].desc ? " from the last" : "");
}

/* The scan counts rows itself only where it alone decides which rows there are, and their order. */
static void take_limits(struct plan *plan)
{
	const sqlite3_index_info *info = plan->info;

	for (int i = 0; i < info->nConstraint; i++) {
		const int op = info->aConstraint[i].op;

		if ((op != SQLITE_INDEX_CONSTRAINT_LIMIT && op != SQLITE_INDEX_CONSTRAINT_OFFSET) ||
		    !info->aConstraint[i].usable)
			continue;
		add_text(plan, op == SQLITE_INDEX_CONSTRAINT_LIMIT ? limit_text : offset_text, "");
		add_argument(plan, i, true);
	}
}

/* ---- The whole ---- */

static bool is_limit(const struct sqlite3_index_constraint *constraint)
{
	return constraint->op == SQLITE_INDEX_CONSTRAINT_LIMIT || constraint->op == SQLITE_INDEX_CONSTRAINT_OFFSET;
}

static bool is_store(const struct sqlite3_index_constraint *constraint)
{
	return constraint->iColumn == IQ_SQL_COLUMN_STORE && constraint->op == SQLITE_INDEX_CONSTRAINT_EQ;
}

/* A store that cannot be opened is the statement's to complain about, when it runs. */
static void open_store(struct plan *plan, const char *path)
{
	char *message = NULL;

	if (iq_sql_store_get(plan->module, path, &plan->store, &message) != SQLITE_OK)
		plan->store = NULL;
	sqlite3_free(message);
}

/* SQLITE_CONSTRAINT: the store comes from another table, which must be read first. */
static int take_store(struct plan *plan)
{
	const sqlite3_index_info *info = plan->info;
	bool named = false;

	for (int i = 0; i < info->nConstraint; i++) {
		sqlite3_value *value;

		if (!is_store(&info->aConstraint[i]))
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		add_text(plan, store_text, "");
		add_argument(plan, i, true);
		value = known_value(plan->info, i);
		if (value && sqlite3_value_type(value) == SQLITE_TEXT && !named)
			open_store(plan, (const char *)sqlite3_value_text(value));
		named = true;
	}
	if (!named)
		open_store(plan, NULL);
	return SQLITE_OK;
}

/* Decoding a row costs a little, building its body more; a scan begins with opening files. */
static void set_cost(struct plan *plan)
{
	sqlite3_index_info *info = plan->info;
	double all = 1e6, rows = 1e6;

	if (plan->store) {
		all = (double)iq_store_event_count(plan->store->store);
		if (iq_scan_estimate(plan->store->store, plan->tests, plan->test_count, &rows, NULL) < 0)
			rows = all;
	}
	rows = fmax(rows * plan->share, 1);
	info->estimatedRows = (sqlite3_int64)rows;
	info->estimatedCost = 20 + all / 100 + rows * (info->colUsed >> IQ_SQL_COLUMN_BODY & 1 ? 3 : 1);
	for (int i = 0; i < info->nConstraint; i++)
		if (info->aConstraint[i].iColumn == IQ_SQL_COLUMN_ID && info->aConstraintUsage[i].argvIndex > 0 &&
		    info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ)
			info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
}

static int make(struct plan *plan)
{
	sqlite3_index_info *info = plan->info;
	int rc = take_store(plan);

	if (rc != SQLITE_OK)
		return rc;
	for (int i = 0; i < info->nConstraint; i++)
		if (!is_store(&info->aConstraint[i]) && !is_limit(&info->aConstraint[i]))
			take_constraint(plan, i);
	info->idxNum = (int)(info->colUsed & IQ_SQL_PLAN_COLUMNS);
	set_cost(plan);
	if (plan->all_exact)
		for (int i = 0; i < info->nConstraint; i++)
			plan->all_exact =
				plan->all_exact && (is_limit(&info->aConstraint[i]) || info->aConstraintUsage[i].omit);
	return SQLITE_OK;
}

static int finish(struct plan *plan)
{
	sqlite3_index_info *info = plan->info;
	sqlite3_str *conditions = plan->text;

	/* The order is written after the limits, and decides whether they can be taken. */
	plan->text = sqlite3_str_new(NULL);
	take_order(plan);
	info->idxNum |= plan->numbers_exact ? IQ_SQL_PLAN_EXACT : 0;
	if (plan->searches)
		sqlite3_str_appendall(plan->text, "; body filtered by chunk");
	if (iq_sql_fold_may(info->idxNum) && info->colUsed)
		sqlite3_str_appendall(plan->text, "; sum, min and max by chunk");
	info->idxStr = sqlite3_str_finish(plan->text);
	plan->text = conditions;
	if (plan->all_exact && (info->nOrderBy == 0 || info->orderByConsumed))
		take_limits(plan);
	if (info->idxStr)
		sqlite3_str_appendall(conditions,
				      plan->arguments > 0 || !*info->idxStr ? info->idxStr : info->idxStr + 2);
	sqlite3_free(info->idxStr);
	info->idxStr = NULL;
	return SQLITE_OK;
}

static void release(struct plan *plan)
{
	for (size_t i = 0; i < plan->test_count; i++)
		iq_sql_match_release(&plan->tests[i]);
	iq_arena_release(&plan->memory);
	iq_sql_store_put(plan->store);
}

int iq_sql_plan_make(struct iq_sql_module *module, sqlite3_index_info *info)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int rc;

	if (!plan)
		return SQLITE_NOMEM;
	plan->module = module;
	plan->info = info;
	plan->all_exact = plan->numbers_exact = true;
	plan->share = 1;
	plan->text = sqlite3_str_new(NULL);
	rc = make(plan);
	if (rc == SQLITE_OK)
		rc = finish(plan);
	release(plan);
	info->idxStr = sqlite3_str_finish(plan->text);
	info->needToFreeIdxStr = 1;
	free(plan);
	return rc;
}
