#define IQ_SQL_EXTENSION_MAIN
#include "query/sql_module.h"

#include <inquest/sql.h>
#include <stdlib.h>

/* ---- Stores ---- */

static void free_store(struct iq_open_store *store)
{
	if (store->judged)
		iq_check_result_release(&store->verdicts);
	free(store->found);
	iq_store_close(store->store);
	free(store->path);
	free(store);
}

/* Closes what no statement reads and what is out of date. */
static void drop_stale(struct iq_sql_module *module, const char *path, uint64_t signature)
{
	struct iq_open_store **link = &module->stores;

	while (*link) {
		struct iq_open_store *store = *link;

		if (store->users > 0 || (strcmp(store->path, path) == 0 && store->signature == signature)) {
			link = &store->next;
			continue;
		}
		*link = store->next;
		free_store(store);
	}
}

static int open_store(struct iq_sql_module *module, const char *path, uint64_t signature,
		      struct iq_open_store **ret_store, char **ret_message)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_open_store *store = calloc(1, sizeof(*store));

	if (!store)
		return SQLITE_NOMEM;
	store->path = strdup(path);
	store->signature = signature;
	if (!store->path || iq_store_open_lazily(path, &store->store, &error) < 0) {
		*ret_message = sqlite3_mprintf("%s", store->path ? error.message : "out of memory");
		free_store(store);
		return SQLITE_ERROR;
	}
	store->next = module->stores;
	module->stores = store;
	*ret_store = store;
	return SQLITE_OK;
}

int iq_sql_store_get(struct iq_sql_module *module, const char *path, struct iq_open_store **ret_store,
		     char **ret_message)
{
	struct iq_open_store *store;
	uint64_t signature;
	int rc = SQLITE_OK;

	path = path ? path : module->default_store;
	if (!path) {
		*ret_message = sqlite3_mprintf("which store? name it: events('case')");
		return SQLITE_ERROR;
	}
	signature = iq_store_signature(path);
	drop_stale(module, path, signature);
	store = module->stores;
	while (store && !(strcmp(store->path, path) == 0 && store->signature == signature))
		store = store->next;
	if (!store)
		rc = open_store(module, path, signature, &store, ret_message);
	if (rc != SQLITE_OK)
		return rc;
	store->users++;
	*ret_store = store;
	return SQLITE_OK;
}

void iq_sql_store_put(struct iq_open_store *store)
{
	if (store)
		store->users--;
}

static size_t count_findings(const struct iq_check_result *result)
{
	size_t count = 0;

	for (size_t i = 0; i < result->lifecycle_count; i++)
		for (size_t j = 0; j < result->lifecycles[i].instance_count; j++)
			count += result->lifecycles[i].instances[j].finding_count;
	return count;
}

static int list_findings(struct iq_open_store *store, struct iq_error *error)
{
	const struct iq_check_result *result = &store->verdicts;
	size_t count = 0;

	store->found = calloc(count_findings(result) + 1, sizeof(*store->found));
	if (!store->found)
		return iq_error_nomem(error);
	for (size_t i = 0; i < result->lifecycle_count; i++) {
		const struct iq_lifecycle_result *lifecycle = &result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++)
			for (size_t k = 0; k < lifecycle->instances[j].finding_count; k++)
				store->found[count++] = (struct iq_found){ lifecycle, &lifecycle->instances[j],
									   &lifecycle->instances[j].findings[k] };
	}
	store->found_count = count;
	return 0;
}

int iq_sql_store_judge(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error)
{
	struct iq_spec *presets = NULL;
	int rc = store->judged ? 0 : iq_store_load(store->store, error);

	if (rc < 0 || store->judged)
		return rc;
	if (!module->spec)
		rc = iq_spec_presets_for(store->store, &presets, error);
	if (rc == 0)
		rc = iq_check_failing(store->store, module->spec ? module->spec : presets, &store->verdicts, error);
	iq_spec_free(presets);
	store->judged = rc == 0;
	return rc < 0 ? rc : list_findings(store, error);
}

/* ---- Results ---- */

void iq_sql_result_text(sqlite3_context *context, struct iq_view text)
{
	if (text.data)
		sqlite3_result_text64(context, text.data, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void iq_sql_result_time(sqlite3_context *context, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		sqlite3_result_text(context, iq_time_format(ns, text), -1, SQLITE_TRANSIENT);
}

void iq_sql_result_number(sqlite3_context *context, int64_t number, int64_t none)
{
	if (number != none)
		sqlite3_result_int64(context, number);
}

int iq_sql_fail(sqlite3_vtab *table, const struct iq_error *error)
{
	sqlite3_free(table->zErrMsg);
	table->zErrMsg = sqlite3_mprintf("%s", error->message);
	return SQLITE_ERROR;
}

/* ---- Registering ---- */

static void release_module(struct iq_sql_module *module)
{
	if (--module->references > 0)
		return;
	while (module->stores) {
		struct iq_open_store *store = module->stores;

		module->stores = store->next;
		free_store(store);
	}
	iq_sql_names_free(module->names);
	free(module->default_store);
	free(module);
}

/* What SQLite keeps of a table. */
struct registered {
	struct iq_sql_module *module;
	const struct iq_sql_table *table;
};

static void release_table(void *context)
{
	struct registered *registered = context;

	release_module(registered->module);
	free(registered);
}

/* Calls `release_table` on failure as well, as SQLite does for its own. */
static int register_table(sqlite3 *db, struct iq_sql_module *module, const struct iq_sql_table *table)
{
	struct registered *registered = malloc(sizeof(*registered));

	if (!registered)
		return SQLITE_NOMEM;
	*registered = (struct registered){ module, table };
	module->references++;
	return sqlite3_create_module_v2(db, table->name, &table->methods, registered, release_table);
}

int iq_sql_register_judged(sqlite3 *db, const char *default_store, const struct iq_spec *spec, struct iq_error *error)
{
	struct iq_sql_module *module = calloc(1, sizeof(*module));
	int rc;

	if (!module)
		return iq_error_nomem(error);
	module->references = 1;
	module->spec = spec;
	module->default_store = default_store ? strdup(default_store) : NULL;
	module->names = iq_sql_names_new();
	rc = !module->names || (default_store && !module->default_store) ? SQLITE_NOMEM : iq_sql_functions_register(db);
	if (rc == SQLITE_OK)
		rc = register_table(db, module, &iq_sql_events);
	for (size_t i = 0; iq_sql_function(i) && rc == SQLITE_OK; i++)
		rc = register_table(db, module, iq_sql_function(i));
	for (size_t i = 0; iq_sql_array(i) && rc == SQLITE_OK; i++)
		rc = register_table(db, module, iq_sql_array(i));
	release_module(module);
	if (rc == SQLITE_NOMEM)
		return iq_error_nomem(error);
	return rc == SQLITE_OK
		       ? 0
		       : iq_error_set(error, IQ_ERR_USAGE, "cannot register the tables: %s", sqlite3_errmsg(db));
}

int iq_sql_register(sqlite3 *db, const char *default_store, struct iq_error *error)
{
	return iq_sql_register_judged(db, default_store, NULL, error);
}

/* ---- The life of a table ---- */

int iq_sql_connect(sqlite3 *db, void *context, int argc, const char *const *argv, sqlite3_vtab **ret_table,
		   char **ret_message)
{
	const struct registered *registered = context;
	struct iq_sql_vtab *vtab;
	int rc = sqlite3_declare_vtab(db, registered->table->schema);

	(void)argc;
	(void)argv;
	(void)ret_message;
	if (rc != SQLITE_OK)
		return rc;
	vtab = sqlite3_malloc(sizeof(*vtab));
	if (!vtab)
		return SQLITE_NOMEM;
	*vtab = (struct iq_sql_vtab){ .db = db, .module = registered->module, .table = registered->table };
	(void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	*ret_table = &vtab->base;
	return SQLITE_OK;
}

int iq_sql_disconnect(sqlite3_vtab *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

int iq_sql_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	*ret_cursor = calloc(1, ((struct iq_sql_vtab *)base)->table->cursor_size);
	return *ret_cursor ? SQLITE_OK : SQLITE_NOMEM;
}

int iq_sql_cursor_close(sqlite3_vtab_cursor *base)
{
	struct iq_sql_cursor *cursor = (struct iq_sql_cursor *)base;
	const struct iq_sql_table *table = iq_sql_vtab_of(cursor)->table;

	if (table->release)
		table->release(cursor);
	iq_sql_store_put(cursor->store);
	free(cursor);
	return SQLITE_OK;
}

struct iq_sql_vtab *iq_sql_vtab_of(const struct iq_sql_cursor *cursor)
{
	return (struct iq_sql_vtab *)cursor->base.pVtab;
}

int iq_sql_cursor_use(struct iq_sql_cursor *cursor, const char *path)
{
	struct iq_sql_vtab *vtab = iq_sql_vtab_of(cursor);

	iq_sql_store_put(cursor->store);
	cursor->store = NULL;
	return iq_sql_store_get(vtab->module, path, &cursor->store, &vtab->base.zErrMsg);
}

#ifdef IQ_SQL_EXTENSION
/* The entry point that SQLite derives from the file name inquest.so. */
IQ_API int sqlite3_inquest_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api);

int sqlite3_inquest_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api)
{
	struct iq_error error = IQ_ERROR_INIT;

	SQLITE_EXTENSION_INIT2(api);
	if (iq_sql_register(db, getenv("INQUEST_STORE"), &error) == 0)
		return SQLITE_OK;
	*ret_message = sqlite3_mprintf("%s", error.message);
	return SQLITE_ERROR;
}
#endif
