/* query/sql_fold.h - statements over `events` that ask for nothing but sums, least and greatest numbers: SQLite is given one or two
 * rows a group instead of all of them, whose sums, minima and maxima are the same. Private to the SQL tables.
 *
 * No table is told for what its rows are read. But when it is asked for rows, the one statement of the database that is running
 * is the one that asks, and its text says it. So a statement is folded where
 *	- it is the only one that runs,
 *	- its text has the form that sql_totals.c reads: each column stands in GROUP BY or as the one argument of sum(), min() or
 *	  max(), and WHERE is a conjunction of comparisons with values,
 *	- the scan decides exactly those conditions that are about numbers, and the plan reads no other columns; conditions on names are
 *	  good for a whole row, whoever decides them, as names with a condition are groups as well,
 *	- `events` is this table and no view of the same name, and the three functions are SQLite's own.
 * In every other case, and where sums might not fit into 64 bits, rows are given one by one. Sums, minima and maxima do not
 * depend on how rows are put into bundles, so there is no other answer that the one given could be different from.
 */
#ifndef IQ_QUERY_SQL_FOLD_H
#define IQ_QUERY_SQL_FOLD_H

#include "query/sql_plan.h"

/* What a statement asks for, in bits of enum iq_sql_column. */
struct iq_sql_totals {
	uint32_t groups;
	uint32_t sums;
	uint32_t mins;
	uint32_t maxs;
	uint8_t conditions[IQ_SQL_COLUMN_STORE][IQ_SQL_OPERATORS]; /* how many there are */
};

/* False where the text is anything but a statement of the form above. Free of I/O. */
bool iq_sql_totals_read(const char *text, struct iq_sql_totals *ret_totals);
/* Columns of which there are totals, and of which there are groups, in bits of enum iq_sql_column. */
uint32_t iq_sql_totals_numbers(void);
uint32_t iq_sql_totals_names(void);

/* The rows of a statement that is folded. */
struct iq_sql_fold;

/* May a plan be that of a statement that is folded, so far as idxNum tells? */
bool iq_sql_fold_may(int plan);
/* Makes them for the statement that runs on `vtab`'s database by the plan (see sql_plan.h), whose conditions are `tests`. *ret_fold is
 * NULL where it is to be given its rows one by one. Caller owns; release with iq_sql_fold_free(). 0 or negative. */
int iq_sql_fold_new(const struct iq_sql_vtab *vtab, struct iq_store *store, int plan, const char *conditions,
		    const struct iq_test *tests, size_t test_count, struct iq_sql_fold **ret_fold,
		    struct iq_error *error);
void iq_sql_fold_free(struct iq_sql_fold *fold); /* NULL allowed */
uint64_t iq_sql_fold_rows(const struct iq_sql_fold *fold);
/* Sets the result to a column of a row; to NULL where the row has none. */
void iq_sql_fold_column(const struct iq_sql_fold *fold, uint64_t row, unsigned column, sqlite3_context *context);

#endif
