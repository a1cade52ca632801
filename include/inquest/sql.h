/* inquest/sql.h - a store as SQL tables.
 */
#ifndef INQUEST_SQL_H
#define INQUEST_SQL_H

#include <inquest/base.h>

struct sqlite3;

/* Registers the table-valued functions of docs/sql.md on `db`: `events`, `sessions`, `event_counts` and others; each takes
 * the store's path as its last argument: SELECT type, count(*) FROM events('case') GROUP BY type. `default_store`
 * (copied, may be NULL) is used when the argument is left out. Thread rule: that of `db`. */
IQ_API int iq_sql_register(struct sqlite3 *db, const char *default_store, struct iq_error *error);

#endif
