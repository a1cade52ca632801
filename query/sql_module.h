/* query/sql_module.h - what the SQL tables share. The files sql_*.c of the tables are built twice: into the program,
 * where they call SQLite directly, and into the loadable extension, where they call it through the table of their host.
 */
#ifndef IQ_QUERY_SQL_MODULE_H
#define IQ_QUERY_SQL_MODULE_H

#ifdef IQ_SQL_EXTENSION
#include <sqlite3ext.h>
#ifdef IQ_SQL_EXTENSION_MAIN
SQLITE_EXTENSION_INIT1
#else
SQLITE_EXTENSION_INIT3
#endif
#else
#include <sqlite3.h>
#endif

#include "query/query.h"

/* A store that statements of this database read. */
struct iq_open_store {
	struct iq_open_store *next;
	char *path;
	uint64_t signature; /* of the manifest: a store that grew is opened again */
	unsigned users;	    /* cursors */
	struct iq_store *store;
	bool judged;
	struct iq_check_result verdicts; /* by the spec, else the presets, when a statement asked for them */
	struct iq_found *found;		 /* every finding of these */
	size_t found_count;
};

/* One finding and whose it is. */
struct iq_found {
	const struct iq_lifecycle_result *lifecycle;
	const struct iq_instance *instance;
	const struct iq_finding *finding;
};

/* One a database, shared by its tables. */
struct iq_sql_module {
	unsigned references; /* registered tables */
	char *default_store;
	const struct iq_spec *spec; /* that verdicts are by; NULL: the built-in lifecycles that fit */
	struct iq_open_store *stores;
	struct iq_sql_names *names;
};

/* The store at `path` (NULL: the default). Returns SQLITE_OK, or an error with *ret_message set (release with
 * sqlite3_free()). Borrowed until iq_sql_store_put(). */
int iq_sql_store_get(struct iq_sql_module *module, const char *path, struct iq_open_store **ret_store,
		     char **ret_message);
void iq_sql_store_put(struct iq_open_store *store); /* NULL allowed */
/* Verdicts and findings, made at the first call. 0 or negative. */
int iq_sql_store_judge(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error);

/* As iq_sql_register(), with verdicts and findings by a spec, which must outlive the database; NULL: by the built-in
 * lifecycles that fit. */
int iq_sql_register_judged(sqlite3 *db, const char *default_store, const struct iq_spec *spec, struct iq_error *error);

/* A result value; NULL for the NULL view. */
void iq_sql_result_text(sqlite3_context *context, struct iq_view text);
void iq_sql_result_time(sqlite3_context *context, int64_t ns);
void iq_sql_result_number(sqlite3_context *context, int64_t number, int64_t none);
/* Fails a statement with `error`'s message. */
int iq_sql_fail(sqlite3_vtab *table, const struct iq_error *error);

/* Texts that many rows show, kept as long as the database is open: SQLite is given them without a copy, and may hold on to
 * them for as long as a statement runs. */
struct iq_sql_names;
struct iq_sql_names *iq_sql_names_new(void);
void iq_sql_names_free(struct iq_sql_names *names);
/* The kept copy of a text. The NULL view for the NULL view, and where it is not kept: too long, too many, no memory. */
struct iq_view iq_sql_names_keep(struct iq_sql_names *names, struct iq_view text);
/* The name of a session; the NULL view where it is not kept. */
struct iq_view iq_sql_names_session(struct iq_sql_names *names, uint32_t no);

/* ---- Tables ---- */

/* What a table-valued function is: a schema, a cursor, and the methods that answer statements. Its life (connecting, opening,
 * closing) is the same for all of them, and lies in sql_module.c. */
struct iq_sql_cursor {
	sqlite3_vtab_cursor base;
	struct iq_open_store *store; /* that it reads; NULL before it does */
};

struct iq_sql_table {
	const char *name;
	const char *schema;
	size_t cursor_size;			       /* of a struct that begins with a struct iq_sql_cursor */
	void (*release)(struct iq_sql_cursor *cursor); /* frees what else is in it; may be NULL */
	sqlite3_module methods;			       /* with IQ_SQL_LIFE among them */
};

struct iq_sql_vtab {
	sqlite3_vtab base;
	sqlite3 *db;
	struct iq_sql_module *module;
	const struct iq_sql_table *table;
};

int iq_sql_connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret_table,
		   char **ret_message);
int iq_sql_disconnect(sqlite3_vtab *base);
int iq_sql_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor);
int iq_sql_cursor_close(sqlite3_vtab_cursor *base);
#define IQ_SQL_LIFE \
	.iVersion = 1, .xConnect = iq_sql_connect, .xDisconnect = iq_sql_disconnect, .xDestroy = iq_sql_disconnect, \
	.xOpen = iq_sql_cursor_open, .xClose = iq_sql_cursor_close

struct iq_sql_vtab *iq_sql_vtab_of(const struct iq_sql_cursor *cursor);
/* Lets the cursor read the store at `path` (NULL: the default), and lets go of the one before. */
int iq_sql_cursor_use(struct iq_sql_cursor *cursor, const char *path);

extern const struct iq_sql_table iq_sql_events;
/* event_counts() and event_aggregates(), by index; NULL behind them. */
const struct iq_sql_table *iq_sql_function(size_t index);
/* sessions, sources, evidence, gaps, templates, likewise. */
const struct iq_sql_table *iq_sql_array(size_t index);
int iq_sql_functions_register(sqlite3 *db);

#endif
