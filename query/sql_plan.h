/* query/sql_plan.h - what SQLite is told about the ways to read `events`, and what a chosen way says to the scan. Private to the
 * SQL tables.
 *
 * idxStr is the plan as a person reads it: the conditions that the scan decides, in the order of xFilter's arguments, joined by
 * ` AND `; then, after semicolons, how they and an order are met. idxNum: see the constants below.
 */
#ifndef IQ_QUERY_SQL_PLAN_H
#define IQ_QUERY_SQL_PLAN_H

#include "query/sql_match.h"

enum iq_sql_column {
	IQ_SQL_COLUMN_ID,
	IQ_SQL_COLUMN_TS,
	IQ_SQL_COLUMN_TIME,
	IQ_SQL_COLUMN_OBSERVED,
	IQ_SQL_COLUMN_SOURCE,
	IQ_SQL_COLUMN_SESSION,
	IQ_SQL_COLUMN_KIND,
	IQ_SQL_COLUMN_DIRECTION,
	IQ_SQL_COLUMN_TYPE,
	IQ_SQL_COLUMN_KEY,
	IQ_SQL_COLUMN_SEQ,
	IQ_SQL_COLUMN_SEVERITY,
	IQ_SQL_COLUMN_BODY,
	IQ_SQL_COLUMN_ATTRS,
	IQ_SQL_COLUMN_EVIDENCE,
	IQ_SQL_COLUMN_OFFSET,
	IQ_SQL_COLUMN_LENGTH,
	IQ_SQL_COLUMN_STORE,
	IQ_SQL_COLUMN_COUNT
};

/* A column of `events`: its name, what of the store it shows, how it compares. */
struct iq_sql_column_info {
	const char *name;
	enum iq_column column;
	enum iq_sql_kind kind;
};
extern const struct iq_sql_column_info iq_sql_columns[IQ_SQL_COLUMN_STORE];

/* idxNum: bits 0 to 17, the columns that the statement reads; then the order. */
#define IQ_SQL_PLAN_COLUMNS ((1 << IQ_SQL_COLUMN_COUNT) - 1)
#define IQ_SQL_PLAN_ORDER_SHIFT 18 /* 1 + the column that the scan orders by */
#define IQ_SQL_PLAN_ORDER (31 << IQ_SQL_PLAN_ORDER_SHIFT)
#define IQ_SQL_PLAN_DESC (1 << 23)
#define IQ_SQL_PLAN_DISTINCT (1 << 24) /* only different values of that column are wanted */
#define IQ_SQL_PLAN_EXACT \
	(1 << 25) /* what the scan does not decide alone are conditions on names, of which there are groups */

/* One argument of xFilter. */
struct iq_sql_argument {
	enum { IQ_SQL_ARGUMENT_CONDITION, IQ_SQL_ARGUMENT_STORE, IQ_SQL_ARGUMENT_LIMIT, IQ_SQL_ARGUMENT_OFFSET } what;
	enum iq_sql_column column;
	enum iq_sql_operator operator_;
};

/* xBestIndex. */
int iq_sql_plan_make(struct iq_sql_module *module, sqlite3_index_info *info);
/* Reads the next argument off the front of a plan; false at its end. */
bool iq_sql_plan_next(const char **plan, struct iq_sql_argument *ret_argument);
/* 1 + the column that the scan orders by; 0: none. */
int iq_sql_plan_order(int plan);
/* Columns of the store that a scan reads. */
uint32_t iq_sql_plan_columns(int plan);

#endif
