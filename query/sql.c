#include <sqlite3.h>
#include <stdlib.h>

#include "query/query.h"
#include "query/sql_module.h"
#include "query/sql_output.h"

/* See docs/security.md. */
#define SQL_MAX_BYTES 100000
#define SQL_MAX_DEPTH 200
#define SQL_MAX_COMPOUND 50
#define SQL_MAX_VALUE (256 << 20)
/* Virtual machine steps between two looks at the clock. */
#define STEPS_BETWEEN_CHECKS 10000

struct iq_sql {
	sqlite3 *db;
	int64_t timeout_ns;
	int64_t deadline;
	bool timed_out;
};

/* ---- What a statement may do ---- */

static bool is_reading_pragma(const char *name)
{
	static const char *const pragmas[] = { "table_info",	"table_xinfo",	  "table_list",
					       "function_list", "pragma_list",	  "module_list",
					       "database_list", "collation_list", "compile_options" };

	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
		if (name && sqlite3_stricmp(name, pragmas[i]) == 0)
			return true;
	return false;
}

static bool is_harmful_function(const char *name)
{
	return !name || sqlite3_stricmp(name, "load_extension") == 0 || sqlite3_stricmp(name, "fts3_tokenizer") == 0;
}

/* SQLite asks this when it reads the schema of a virtual table; DEFENSIVE refuses it to statements. */
static bool is_schema_declaration(int action, const char *table)
{
	return action == SQLITE_UPDATE && table && strcmp(table, "sqlite_master") == 0;
}

static int authorize(void *context, int action, const char *first, const char *second, const char *database,
		     const char *trigger)
{
	bool is_temp = database && strcmp(database, "temp") == 0;

	(void)context;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_CREATE_TEMP_VIEW:
	case SQLITE_CREATE_TEMP_INDEX:
	case SQLITE_DROP_TEMP_TABLE:
	case SQLITE_DROP_TEMP_VIEW:
	case SQLITE_DROP_TEMP_INDEX:
		return SQLITE_OK;
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
	case SQLITE_DELETE:
	case SQLITE_REINDEX:
	case SQLITE_ALTER_TABLE:
		return is_temp || is_schema_declaration(action, first) ||
				       (action == SQLITE_ALTER_TABLE && first && strcmp(first, "temp") == 0)
			       ? SQLITE_OK
			       : SQLITE_DENY;
	case SQLITE_FUNCTION:
		return is_harmful_function(second) ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		return is_reading_pragma(first) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int check_clock(void *context)
{
	struct iq_sql *sql = context;

	sql->timed_out = iq_clock_monotonic() > sql->deadline;
	return sql->timed_out;
}

static void set_limits(struct iq_sql *sql)
{
	(void)sqlite3_limit(sql->db, SQLITE_LIMIT_SQL_LENGTH, SQL_MAX_BYTES);
	(void)sqlite3_limit(sql->db, SQLITE_LIMIT_EXPR_DEPTH, SQL_MAX_DEPTH);
	(void)sqlite3_limit(sql->db, SQLITE_LIMIT_COMPOUND_SELECT, SQL_MAX_COMPOUND);
	(void)sqlite3_limit(sql->db, SQLITE_LIMIT_LENGTH, SQL_MAX_VALUE);
	(void)sqlite3_limit(sql->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_set_authorizer(sql->db, authorize, NULL);
	if (sql->timeout_ns > 0)
		sqlite3_progress_handler(sql->db, STEPS_BETWEEN_CHECKS, check_clock, sql);
}

int iq_sql_open(const char *store_path, int64_t timeout_ns, struct iq_sql **ret_sql, struct iq_error *error)
{
	return iq_sql_open_judged(store_path, NULL, timeout_ns, ret_sql, error);
}

int iq_sql_open_judged(const char *store_path, const struct iq_spec *spec, int64_t timeout_ns, struct iq_sql **ret_sql,
		       struct iq_error *error)
{
	struct iq_sql *sql = calloc(1, sizeof(*sql));
	int rc;

	if (!sql)
		return iq_error_nomem(error);
	sql->timeout_ns = timeout_ns;
	if (sqlite3_open_v2(":memory:", &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL) != SQLITE_OK) {
		iq_sql_close(sql);
		return iq_error_nomem(error);
	}
	(void)sqlite3_exec(sql->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	rc = iq_sql_register_judged(sql->db, store_path, spec, error);
	if (rc < 0) {
		iq_sql_close(sql);
		return rc;
	}
	set_limits(sql);
	*ret_sql = sql;
	return 0;
}

void iq_sql_close(struct iq_sql *sql)
{
	if (!sql)
		return;
	(void)sqlite3_close(sql->db);
	free(sql);
}

static void sql_aligned(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	const struct iq_store *store = sqlite3_user_data(context);
	const struct iq_view source =
		iq_view_make((const char *)sqlite3_value_text(argv[0]), (size_t)sqlite3_value_bytes(argv[0]));

	(void)argc;
	if (sqlite3_value_type(argv[1]) != SQLITE_NULL)
		sqlite3_result_int64(context, iq_store_align(store, source, sqlite3_value_int64(argv[1])));
}

int iq_sql_align_by(struct iq_sql *sql, const struct iq_store *store)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	int code =
		sqlite3_create_function_v2(sql->db, "aligned", 2, flags, (void *)store, sql_aligned, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : IQ_ERR_NOMEM;
}

/* ---- Running ---- */

static int fail(struct iq_sql *sql, struct iq_error *error)
{
	if (sql->timed_out)
		return iq_error_set(error, IQ_ERR_LIMIT,
				    "stopped after %.3g s; narrow the query by ts, session or type, or give --timeout",
				    (double)sql->timeout_ns / (double)IQ_NS_PER_S);
	if (sqlite3_errcode(sql->db) == SQLITE_AUTH)
		return iq_error_set(error, IQ_ERR_USAGE,
				    "%s: evidence is only read here; CREATE TEMP TABLE and TEMP VIEW are allowed",
				    sqlite3_errmsg(sql->db));
	return iq_error_set(error, IQ_ERR_USAGE, "%s", sqlite3_errmsg(sql->db));
}

static struct iq_cell read_cell(sqlite3_stmt *statement, int column)
{
	struct iq_cell cell = { IQ_CELL_NULL, IQ_VIEW_NULL };

	switch (sqlite3_column_type(statement, column)) {
	case SQLITE_NULL:
		return cell;
	case SQLITE_BLOB:
		cell.type = IQ_CELL_BLOB;
		cell.text.data = sqlite3_column_blob(statement, column);
		break;
	case SQLITE_TEXT:
		cell.type = IQ_CELL_TEXT;
		cell.text.data = (const char *)sqlite3_column_text(statement, column);
		break;
	default:
		cell.type = IQ_CELL_NUMBER;
		cell.text.data = (const char *)sqlite3_column_text(statement, column);
		break;
	}
	cell.text.len = (size_t)sqlite3_column_bytes(statement, column);
	return cell;
}

static int begin_result(sqlite3_stmt *statement, struct iq_sql_output *output, size_t count)
{
	struct iq_view *names = calloc(count, sizeof(*names));
	int rc;

	if (!names)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		names[i] = iq_view_cstr(sqlite3_column_name(statement, (int)i));
	rc = iq_sql_output_begin(output, names, count);
	free(names);
	return rc;
}

static int write_rows(sqlite3_stmt *statement, struct iq_sql_output *output, size_t count, int *ret_step)
{
	struct iq_cell *cells = calloc(count, sizeof(*cells));
	int rc = cells ? begin_result(statement, output, count) : IQ_ERR_NOMEM;

	while (rc == 0 && *ret_step == SQLITE_ROW) {
		for (size_t i = 0; i < count; i++)
			cells[i] = read_cell(statement, (int)i);
		rc = iq_sql_output_row(output, cells);
		*ret_step = rc == 0 ? sqlite3_step(statement) : *ret_step;
	}
	free(cells);
	return rc == 0 && *ret_step == SQLITE_DONE ? iq_sql_output_end(output) : rc;
}

static int run_statement(struct iq_sql *sql, sqlite3_stmt *statement, struct iq_sql_output *output,
			 struct iq_error *error)
{
	size_t count = (size_t)sqlite3_column_count(statement);
	int step, rc = 0;

	sql->timed_out = false;
	sql->deadline = iq_clock_monotonic() + sql->timeout_ns;
	step = sqlite3_step(statement);
	if (count > 0 && (step == SQLITE_ROW || step == SQLITE_DONE))
		rc = write_rows(statement, output, count, &step);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (rc < 0)
		return rc;
	return step == SQLITE_DONE ? 0 : fail(sql, error);
}

int iq_sql_run(struct iq_sql *sql, struct iq_view statements, enum iq_sql_format format,
	       int (*write)(void *context, struct iq_view text), void *context, struct iq_error *error)
{
	struct iq_sql_output *output;
	const char *rest = statements.data, *end = statements.data + statements.len;
	int rc = 0;

	if (statements.len > SQL_MAX_BYTES)
		return iq_error_set(error, IQ_ERR_LIMIT, "the query is longer than %d bytes", SQL_MAX_BYTES);
	output = iq_sql_output_new(format, write, context);
	if (!output)
		return iq_error_nomem(error);
	while (rc == 0 && rest < end) {
		sqlite3_stmt *statement = NULL;

		sql->timed_out = false;
		sql->deadline = iq_clock_monotonic() + (sql->timeout_ns ? sql->timeout_ns : IQ_NS_PER_S);
		if (sqlite3_prepare_v2(sql->db, rest, (int)(end - rest), &statement, &rest) != SQLITE_OK)
			rc = fail(sql, error);
		else if (statement)
			rc = run_statement(sql, statement, output, error);
		(void)sqlite3_finalize(statement);
	}
	iq_sql_output_free(output);
	return rc;
}

bool iq_sql_complete(const char *text)
{
	return sqlite3_complete(text);
}
