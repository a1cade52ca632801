#include "query/sql_fold.h"

#include <stdlib.h>
#include <string.h>

struct iq_sql_fold {
	struct iq_sql_totals totals;
	enum iq_column keys[IQ_AGGREGATE_MAX_KEYS];
	unsigned key_columns[IQ_AGGREGATE_MAX_KEYS]; /* of the table */
	size_t key_count;
	uint32_t columns; /* that are added up, of the store */
	bool from_last;
	unsigned rows; /* a group */
	struct iq_aggregate *result;
};

/* ---- Is it one? ---- */

/* The statement that runs: NULL where there are several, of which any may be the one that asks. */
static const char *running_text(sqlite3 *db)
{
	sqlite3_stmt *running = NULL;

	for (sqlite3_stmt *at = sqlite3_next_stmt(db, NULL); at; at = sqlite3_next_stmt(db, at)) {
		if (!sqlite3_stmt_busy(at))
			continue;
		if (running)
			return NULL;
		running = at;
	}
	return running ? sqlite3_sql(running) : NULL;
}

/* A view cannot be called, and so the statement does not compile where `events` is one. */
static bool names_mean_what_they_say(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	bool mean = sqlite3_prepare_v2(db,
				       "SELECT 1 FROM pragma_function_list WHERE NOT builtin AND lower(name) IN "
				       "('sum', 'min', 'max') UNION ALL SELECT id FROM events(NULL) WHERE 0",
				       -1, &statement, NULL) == SQLITE_OK &&
		    sqlite3_step(statement) == SQLITE_DONE;

	(void)sqlite3_finalize(statement);
	return mean;
}

static uint32_t with_conditions(const struct iq_sql_totals *totals)
{
	static const uint8_t none[IQ_SQL_OPERATORS];
	uint32_t columns = 0;

	for (unsigned column = 0; column < IQ_SQL_COLUMN_STORE; column++)
		if (memcmp(totals->conditions[column], none, sizeof(none)) != 0)
			columns |= 1u << column;
	return columns;
}

/* SQLite may look at a condition again, on rows that stand for many: such a row has to have a value that all of them pass with, or
 * none. Names with a condition are keys, too; of numbers the least is shown. Of a number that is added up there is none. */
static void show_conditions(struct iq_sql_totals *totals, uint32_t *ret_names)
{
	const uint32_t columns = with_conditions(totals) & ~totals->groups;

	*ret_names = columns & ~iq_sql_totals_numbers();
	totals->mins |= columns & iq_sql_totals_numbers() & ~totals->maxs;
}

/* The conditions on numbers that the scan decides are those of the text, each as often. */
static bool conditions_agree(const struct iq_sql_totals *totals, const char *conditions)
{
	static const uint8_t none[IQ_SQL_OPERATORS];
	const uint32_t numbers = iq_sql_totals_numbers();
	uint8_t left[IQ_SQL_COLUMN_STORE][IQ_SQL_OPERATORS];
	struct iq_sql_argument argument;

	memcpy(left, totals->conditions, sizeof(left));
	while (iq_sql_plan_next(&conditions, &argument)) {
		if (argument.what == IQ_SQL_ARGUMENT_STORE)
			continue;
		if (argument.what != IQ_SQL_ARGUMENT_CONDITION)
			return false;
		if (numbers >> argument.column & 1 && left[argument.column][argument.operator_]-- == 0)
			return false;
	}
	for (unsigned column = 0; column < IQ_SQL_COLUMN_STORE; column++)
		if (numbers >> column & 1 && memcmp(left[column], none, sizeof(none)) != 0)
			return false;
	return true;
}

/* It reads what the text names, and promised no other order. */
static bool plan_agrees(const struct iq_sql_totals *totals, int plan, const char *conditions)
{
	const int order = iq_sql_plan_order(plan);
	const uint32_t conditioned = with_conditions(totals), columns = (uint32_t)(plan & IQ_SQL_PLAN_COLUMNS);
	const uint32_t named = totals->groups | totals->sums | totals->mins | totals->maxs | conditioned;

	return (totals->sums & conditioned) == 0 && (columns & ~(named | 1u << IQ_SQL_COLUMN_STORE)) == 0 &&
	       (order == 0 || totals->groups == 1u << (order - 1)) && conditions_agree(totals, conditions);
}

bool iq_sql_fold_may(int plan)
{
	const uint32_t readable = iq_sql_totals_numbers() | iq_sql_totals_names() | 1u << IQ_SQL_COLUMN_STORE;
	const int order = iq_sql_plan_order(plan);

	return plan & IQ_SQL_PLAN_EXACT && !(plan & IQ_SQL_PLAN_DISTINCT) &&
	       ((uint32_t)(plan & IQ_SQL_PLAN_COLUMNS) & ~readable) == 0 &&
	       (order == 0 || iq_sql_totals_names() >> (order - 1) & 1);
}

static bool is_one(sqlite3 *db, int plan, const char *conditions, struct iq_sql_totals *ret_totals)
{
	const char *text = sqlite3_libversion_number() >= 3038000 ? running_text(db) : NULL;

	return text && iq_sql_totals_read(text, ret_totals) && plan_agrees(ret_totals, plan, conditions) &&
	       names_mean_what_they_say(db);
}

/* ---- The rows ---- */

static void add_keys(struct iq_sql_fold *fold, uint32_t columns)
{
	for (unsigned column = 0; column < IQ_SQL_COLUMN_STORE; column++) {
		if (!(columns >> column & 1))
			continue;
		fold->key_columns[fold->key_count] = column;
		fold->keys[fold->key_count++] = iq_sql_columns[column].column;
	}
}

/* Groups come first among the keys: it is their order that the plan promised. */
static void prepare(struct iq_sql_fold *fold, int plan)
{
	struct iq_sql_totals *totals = &fold->totals;
	uint32_t names;

	show_conditions(totals, &names);
	add_keys(fold, totals->groups);
	add_keys(fold, names);
	totals->groups |= names;
	fold->columns = iq_sql_plan_columns((int)(totals->sums | totals->mins | totals->maxs));
	fold->from_last = plan & IQ_SQL_PLAN_DESC;
	/* A row has one value for a column: where least and greatest are asked for there is a second row. */
	fold->rows = totals->mins & totals->maxs ? 2 : 1;
}

/* Sets fold->result, unless there are too many groups, or sums that SQLite may have to refuse: it sees to that row by row. */
static int add_up(struct iq_sql_fold *fold, struct iq_store *store, const struct iq_test *tests, size_t test_count,
		  struct iq_error *error)
{
	const struct iq_aggregate_options options = { .tests = tests,
						      .test_count = test_count,
						      .keys = fold->keys,
						      .key_count = fold->key_count,
						      .columns = fold->columns,
						      .sums = iq_sql_plan_columns((int)fold->totals.sums) };
	int rc = iq_aggregate(store, &options, &fold->result, error);

	if (rc == IQ_ERR_LIMIT)
		return 0;
	if (rc == 0 && fold->result->too_large) {
		iq_aggregate_free(fold->result);
		fold->result = NULL;
	}
	return rc;
}

int iq_sql_fold_new(const struct iq_sql_vtab *vtab, struct iq_store *store, int plan, const char *conditions,
		    const struct iq_test *tests, size_t test_count, struct iq_sql_fold **ret_fold,
		    struct iq_error *error)
{
	struct iq_sql_totals totals;
	struct iq_sql_fold *fold;
	int rc;

	*ret_fold = NULL;
	if (!iq_sql_fold_may(plan) || !is_one(vtab->db, plan, conditions, &totals))
		return 0;
	fold = calloc(1, sizeof(*fold));
	if (!fold)
		return iq_error_nomem(error);
	fold->totals = totals;
	prepare(fold, plan);
	rc = add_up(fold, store, tests, test_count, error);
	if (rc < 0 || !fold->result) {
		iq_sql_fold_free(fold);
		return rc;
	}
	*ret_fold = fold;
	return 0;
}

void iq_sql_fold_free(struct iq_sql_fold *fold)
{
	if (!fold)
		return;
	iq_aggregate_free(fold->result);
	free(fold);
}

uint64_t iq_sql_fold_rows(const struct iq_sql_fold *fold)
{
	return fold->result->count * fold->rows;
}

static const struct iq_total *total_of(const struct iq_sql_fold *fold, const struct iq_group *group, unsigned column)
{
	const uint32_t before = (1u << iq_sql_columns[column].column) - 1;

	return &group->totals[__builtin_popcount(fold->columns & before)];
}

static void show_key(const struct iq_sql_fold *fold, const struct iq_group *group, unsigned column,
		     sqlite3_context *context)
{
	for (size_t i = 0; i < fold->key_count; i++) {
		if (fold->key_columns[i] != column)
			continue;
		if (column == IQ_SQL_COLUMN_EVIDENCE)
			sqlite3_result_int64(context, group->keys[i].number);
		else
			iq_sql_result_text(context, group->keys[i].text);
	}
}

void iq_sql_fold_column(const struct iq_sql_fold *fold, uint64_t row, unsigned column, sqlite3_context *context)
{
	const struct iq_sql_totals *totals = &fold->totals;
	const size_t index = (size_t)(row / fold->rows);
	const struct iq_group *group = &fold->result->groups[fold->from_last ? fold->result->count - 1 - index : index];
	const bool is_second = row % fold->rows != 0;
	const struct iq_total *total;
	int64_t number;

	if (totals->groups >> column & 1) {
		show_key(fold, group, column, context);
		return;
	}
	if (!((totals->sums | totals->mins | totals->maxs) >> column & 1) || (is_second && totals->sums >> column & 1))
		return;
	total = total_of(fold, group, column);
	if (total->count == 0)
		return;
	if (totals->sums >> column & 1)
		number = total->sum;
	else if (!(totals->mins >> column & 1) || (is_second && totals->maxs >> column & 1))
		number = total->max;
	else
		number = total->min;
	if (column == IQ_SQL_COLUMN_TIME)
		iq_sql_result_time(context, number);
	else
		sqlite3_result_int64(context, number);
}
