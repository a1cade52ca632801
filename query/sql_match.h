/* query/sql_match.h - how the conditions of a statement decide about a value: SQLite's own meaning of comparisons and patterns,
 * and from it what a scan can leave out. Private to the SQL tables.
 */
#ifndef IQ_QUERY_SQL_MATCH_H
#define IQ_QUERY_SQL_MATCH_H

#include "query/sql_module.h"

enum iq_sql_operator {
	IQ_SQL_EQ,
	IQ_SQL_NE,
	IQ_SQL_LT,
	IQ_SQL_LE,
	IQ_SQL_GT,
	IQ_SQL_GE,
	IQ_SQL_IS,
	IQ_SQL_IS_NOT,
	IQ_SQL_IS_NULL,
	IQ_SQL_NOT_NULL,
	IQ_SQL_IN,
	IQ_SQL_LIKE,
	IQ_SQL_GLOB,
	IQ_SQL_REGEXP,
	IQ_SQL_HAS,
	IQ_SQL_OPERATORS
};

/* What is compared: integers, integers that are times (written as times or as text), texts with TEXT affinity, the body. */
enum iq_sql_kind { IQ_SQL_NUMBER, IQ_SQL_TS, IQ_SQL_TIME, IQ_SQL_TEXT, IQ_SQL_BODY };

/* Makes the test for `column operator value`; a scan with it finds all rows that SQLite would, and none that it would not where
 * iq_sql_match_is_exact(). `value`: of IN, the list. Text that is no time is an error where a time is meant. SQLITE_OK, or an
 * error with *ret_message set. The test, and what it points to, lies in `memory`; patterns are freed with iq_sql_match_release(). */
int iq_sql_match(enum iq_column column, enum iq_sql_kind kind, enum iq_sql_operator operator_, sqlite3_value *value,
		 struct iq_arena *memory, struct iq_test *ret_test, char **ret_message);
void iq_sql_match_release(struct iq_test *test);
/* `value`: NULL where it is not known yet. */
bool iq_sql_match_is_exact(enum iq_sql_kind kind, enum iq_sql_operator operator_, sqlite3_value *value);

/* Literals that a text must contain to match the pattern of LIKE, GLOB or REGEXP; conservative. */
int iq_sql_literals(enum iq_sql_operator operator_, struct iq_view pattern, struct iq_arena *memory,
		    struct iq_view **ret_literals, size_t *ret_count, bool *ret_folded);

/* ---- REGEXP: PCRE2 ---- */

struct iq_regexp;
/* NULL where the pattern is not valid or memory is out: *ret_message (release with sqlite3_free()) then says so. */
struct iq_regexp *iq_regexp_new(struct iq_view pattern, char **ret_message);
void iq_regexp_free(struct iq_regexp *regexp);
/* 1 it matches, 0 it does not, negative: it takes too long, or memory is out. From any thread. */
int iq_regexp_match(const struct iq_regexp *regexp, struct iq_view subject);
/* `REGEXP` and `has()` as SQL functions. */
void iq_sql_regexp(sqlite3_context *context, int argc, sqlite3_value **argv);
void iq_sql_has(sqlite3_context *context, int argc, sqlite3_value **argv);

#endif
