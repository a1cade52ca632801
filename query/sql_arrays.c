/* The small tables of a store, which lie in memory: sessions, sources, evidence, gaps, templates, findings. */
#include <stdlib.h>

#include "query/sql_module.h"

struct cursor {
	struct iq_sql_cursor base;
	size_t row;
	size_t end;
};

/* One of the tables: the last column of its schema is the hidden `store`. */
struct array {
	struct iq_sql_table table;
	int store_column;
	int (*load)(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error);
	size_t (*count)(const struct iq_open_store *store);
	int (*column)(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
		      sqlite3_context *context, struct iq_error *error);
};

/* ---- The tables ---- */

static int load_tables(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error)
{
	(void)module;
	return iq_store_load(store->store, error);
}

static size_t session_count(const struct iq_open_store *store)
{
	size_t count;

	(void)iq_store_sessions(store->store, &count);
	return count;
}

static int session_verdict(struct iq_sql_module *module, struct iq_open_store *store, size_t row,
			   sqlite3_context *context, struct iq_error *error)
{
	int rc = iq_sql_store_judge(module, store, error);

	if (rc == 0 && store->verdicts.sessions[row].instances)
		sqlite3_result_text(context, iq_verdict_name(store->verdicts.sessions[row].verdict), -1, SQLITE_STATIC);
	return rc;
}

static int session_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
			  sqlite3_context *context, struct iq_error *error)
{
	size_t count;
	const struct iq_session *session = &iq_store_sessions(store->store, &count)[row];
	char *name;

	switch (column) {
	case 0:
		name = sqlite3_mprintf("s%u", session->no);
		if (name)
			sqlite3_result_text(context, name, -1, sqlite3_free);
		else
			sqlite3_result_error_nomem(context);
		break;
	case 1:
		iq_sql_result_text(context, session->name);
		break;
	case 2:
		iq_sql_result_text(context, session->source);
		break;
	case 3:
		iq_sql_result_number(context, session->started, IQ_TIME_NONE);
		break;
	case 4:
		iq_sql_result_number(context, session->ended, IQ_TIME_NONE);
		break;
	case 5:
		iq_sql_result_time(context, session->started);
		break;
	case 6:
		iq_sql_result_time(context, session->ended);
		break;
	case 7:
		sqlite3_result_int64(context, (sqlite3_int64)session->events);
		break;
	case 8:
		sqlite3_result_int(context, session->start_seen);
		break;
	case 9:
		sqlite3_result_int(context, session->end_seen);
		break;
	case 10:
		sqlite3_result_text(context, iq_session_state_name(session->state), -1, SQLITE_STATIC);
		break;
	default:
		return session_verdict(module, store, row, context, error);
	}
	return 0;
}

static size_t source_count(const struct iq_open_store *store)
{
	size_t count;

	(void)iq_store_sources(store->store, &count);
	return count;
}

static int source_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
			 sqlite3_context *context, struct iq_error *error)
{
	size_t count;
	const struct iq_source *source = &iq_store_sources(store->store, &count)[row];

	(void)module;
	(void)error;
	if (column == 0)
		iq_sql_result_text(context, source->name);
	else if (column == 1)
		sqlite3_result_int64(context, (sqlite3_int64)source->events);
	else
		iq_sql_result_number(context, column == 2 ? source->first : source->last, IQ_TIME_NONE);
	return 0;
}

static size_t evidence_count(const struct iq_open_store *store)
{
	size_t count;

	(void)iq_store_evidence(store->store, &count);
	return count;
}

static int evidence_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
			   sqlite3_context *context, struct iq_error *error)
{
	size_t count;
	const struct iq_evidence *evidence = &iq_store_evidence(store->store, &count)[row];
	const uint64_t numbers[] = { evidence->bytes,  evidence->accounted, evidence->records, evidence->gaps, 0,
				     evidence->dropped };
	char hash[IQ_SHA256_HEX_SIZE];

	(void)module;
	(void)error;
	switch (column) {
	case 0:
		sqlite3_result_int64(context, evidence->no);
		break;
	case 1:
		iq_sql_result_text(context, evidence->path);
		break;
	case 2:
		iq_sql_result_text(context, evidence->format);
		break;
	case 7:
		iq_hex(evidence->sha256, IQ_SHA256_SIZE, hash);
		sqlite3_result_text(context, hash, -1, SQLITE_TRANSIENT);
		break;
	case 9:
		iq_sql_result_text(context, evidence->redacted);
		break;
	case 10:
	case 11:
		iq_sql_result_number(context, column == 10 ? evidence->covers_from : evidence->covers_to, IQ_TIME_NONE);
		break;
	default:
		sqlite3_result_int64(context, (sqlite3_int64)numbers[column - 3]);
		break;
	}
	return 0;
}

static size_t gap_count(const struct iq_open_store *store)
{
	size_t count;

	(void)iq_store_gaps(store->store, &count);
	return count;
}

static int gap_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
		      sqlite3_context *context, struct iq_error *error)
{
	size_t count;
	const struct iq_gap *gap = &iq_store_gaps(store->store, &count)[row];

	(void)module;
	(void)error;
	switch (column) {
	case 0:
		sqlite3_result_int64(context, (sqlite3_int64)row + 1);
		break;
	case 1:
		sqlite3_result_int64(context, gap->evidence);
		break;
	case 2:
		iq_sql_result_text(context, gap->source);
		break;
	case 3:
		iq_sql_result_text(context, gap->session);
		break;
	case 4:
		iq_sql_result_text(context, iq_view_cstr(iq_direction_name(gap->direction)));
		break;
	case 5:
		iq_sql_result_number(context, (int64_t)gap->after, 0);
		break;
	case 6:
		iq_sql_result_number(context, (int64_t)gap->before, 0);
		break;
	case 7:
		iq_sql_result_number(context, gap->ts_min, IQ_TIME_NONE);
		break;
	case 8:
		iq_sql_result_number(context, gap->ts_max, IQ_TIME_NONE);
		break;
	case 9:
		sqlite3_result_int64(context, (sqlite3_int64)gap->offset);
		break;
	case 10:
		sqlite3_result_int64(context, (sqlite3_int64)gap->bytes);
		break;
	case 11:
		iq_sql_result_number(context, gap->count, IQ_NUMBER_NONE);
		break;
	default:
		iq_sql_result_text(context, gap->reason);
		break;
	}
	return 0;
}

static int load_templates(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error)
{
	const struct iq_template *templates;
	size_t count;

	(void)module;
	return iq_store_templates(store->store, &templates, &count, error);
}

/* They were loaded before: see load_templates(). */
static const struct iq_template *templates_of(struct iq_store *store, size_t *ret_count)
{
	const struct iq_template *templates = NULL;

	return iq_store_templates(store, &templates, ret_count, NULL) < 0 ? NULL : templates;
}

static size_t template_count(const struct iq_open_store *store)
{
	size_t count;

	return templates_of(store->store, &count) ? count : 0;
}

static int template_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
			   sqlite3_context *context, struct iq_error *error)
{
	size_t count;
	const struct iq_template *template = &templates_of(store->store, &count)[row];

	(void)module;
	(void)error;
	switch (column) {
	case 0:
		sqlite3_result_int64(context, (sqlite3_int64) template->id);
		break;
	case 1:
		iq_sql_result_text(context, template->text);
		break;
	case 2:
		sqlite3_result_int64(context, (sqlite3_int64) template->count);
		break;
	default:
		iq_sql_result_number(context, column == 3 ? template->first : template->last, IQ_TIME_NONE);
		break;
	}
	return 0;
}

/* ---- Findings ---- */

static int load_findings(struct iq_sql_module *module, struct iq_open_store *store, struct iq_error *error)
{
	return iq_sql_store_judge(module, store, error);
}

static size_t finding_count(const struct iq_open_store *store)
{
	return store->found_count;
}

static void result_session(sqlite3_context *context, const struct iq_instance *instance)
{
	char name[IQ_SESSION_NAME_SIZE];

	if (instance->session_count)
		iq_sql_result_text(context, iq_session_name(instance->sessions[0], name));
}

/* The event that a finding is about: the one that is wrong, else the one before the place where something is missing. */
static uint64_t anchor_of(const struct iq_finding *finding)
{
	return finding->moved.id ? finding->moved.id : finding->after.id ? finding->after.id : finding->instead.id;
}

static int finding_column(struct iq_sql_module *module, struct iq_open_store *store, size_t row, int column,
			  sqlite3_context *context, struct iq_error *error)
{
	const struct iq_found *found = &store->found[row];
	const struct iq_finding *finding = found->finding;
	const uint64_t ids[] = { anchor_of(finding), finding->moved.id, finding->after.id, finding->instead.id };
	const struct iq_view texts[] = { finding->expected, finding->rule, finding->message, finding->repair };

	(void)module;
	(void)error;
	if (column == 0)
		iq_sql_result_text(context, found->lifecycle->name);
	else if (column == 1)
		iq_sql_result_text(context, found->instance->key);
	else if (column == 2)
		result_session(context, found->instance);
	else if (column == 3)
		iq_sql_result_text(context, iq_view_cstr(iq_finding_kind_name(finding->kind)));
	else if (column == 4)
		iq_sql_result_text(context,
				   iq_view_cstr(finding->severity ? iq_severity_name(finding->severity) : NULL));
	else if (column < 9)
		iq_sql_result_number(context, (int64_t)ids[column - 5], 0);
	else
		iq_sql_result_text(context, texts[column - 9]);
	return 0;
}

/* ---- The module ---- */

static struct iq_sql_module *module_of(const sqlite3_vtab *base)
{
	return ((const struct iq_sql_vtab *)base)->module;
}

static const struct array *array_of(const sqlite3_vtab *base)
{
	return (const struct array *)((const struct iq_sql_vtab *)base)->table;
}

/* idxNum bit 0: the store is argument 1; bit 1: the next argument is a session's name. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct array *array = array_of(base);
	int session = -1, store = -1;

	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];

		if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (constraint->iColumn == array->store_column && !constraint->usable)
			return SQLITE_CONSTRAINT;
		if (constraint->iColumn == array->store_column)
			store = i;
		else if (array->column == session_column && constraint->iColumn == 0 && constraint->usable)
			session = i;
	}
	if (store >= 0) {
		info->aConstraintUsage[store].argvIndex = 1;
		info->aConstraintUsage[store].omit = 1;
	}
	if (session >= 0)
		info->aConstraintUsage[session].argvIndex = store >= 0 ? 2 : 1;
	info->idxNum = (store >= 0 ? 1 : 0) | (session >= 0 ? 2 : 0);
	info->estimatedCost = session >= 0 ? 10 : 1000;
	info->estimatedRows = session >= 0 ? 1 : 1000;
	return SQLITE_OK;
}

/* Sessions are ordered by number: at most one row has the name. */
static void seek_session(struct cursor *cursor, sqlite3_value *value)
{
	const char *name = (const char *)sqlite3_value_text(value);
	const struct iq_session *sessions;
	size_t low = 0, high;
	int64_t number = 0;

	sessions = iq_store_sessions(cursor->base.store->store, &high);
	if (!name || name[0] != 's' || !iq_view_to_int64(iq_view_cstr(name + 1), &number)) {
		cursor->end = 0;
		return;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((int64_t)sessions[middle].no < number)
			low = middle + 1;
		else
			high = middle;
	}
	cursor->row = low;
	cursor->end = low < cursor->end ? low + 1 : low;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;
	const char *path = plan & 1 ? (const char *)sqlite3_value_text(values[0]) : NULL;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = iq_sql_cursor_use(&cursor->base, path);

	(void)text;
	if (rc != SQLITE_OK)
		return rc;
	if (array_of(base->pVtab)->load(module_of(base->pVtab), cursor->base.store, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	cursor->row = 0;
	cursor->end = array_of(base->pVtab)->count(cursor->base.store);
	if (plan & 2)
		seek_session(cursor, values[count - 1]);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
	((struct cursor *)base)->row++;
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	const struct cursor *cursor = (const struct cursor *)base;

	return cursor->row >= cursor->end;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
	struct cursor *cursor = (struct cursor *)base;
	const struct array *array = array_of(base->pVtab);
	struct iq_error error = IQ_ERROR_INIT;

	if (index == array->store_column) {
		sqlite3_result_text(context, iq_store_path(cursor->base.store->store), -1, SQLITE_TRANSIENT);
		return SQLITE_OK;
	}
	if (array->column(module_of(base->pVtab), cursor->base.store, cursor->row, index, context, &error) < 0)
		return iq_sql_fail(base->pVtab, &error);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
	*ret_rowid = (sqlite3_int64)((const struct cursor *)base)->row + 1;
	return SQLITE_OK;
}

/* Every array is read in the same way. */
#define TABLE(title, declaration) \
	{ \
		.name = (title), .schema = (declaration), .cursor_size = sizeof(struct cursor), .methods = { \
			IQ_SQL_LIFE, \
			.xBestIndex = best_index, \
			.xFilter = filter, \
			.xNext = next, \
			.xEof = eof, \
			.xColumn = column, \
			.xRowid = rowid \
		} \
	}

static const struct array arrays[] = {
	{ TABLE("sessions",
		"CREATE TABLE sessions(session TEXT, name TEXT, source TEXT, started INTEGER, ended INTEGER, start_time "
		"TEXT, end_time TEXT, events INTEGER, start_seen INTEGER, end_seen INTEGER, state TEXT, verdict TEXT, "
		"store HIDDEN)"),
	  12, load_tables, session_count, session_column },
	{ TABLE("sources",
		"CREATE TABLE sources(source TEXT, events INTEGER, first INTEGER, last INTEGER, store HIDDEN)"),
	  4, load_tables, source_count, source_column },
	{ TABLE("evidence",
		"CREATE TABLE evidence(id INTEGER, path TEXT, format TEXT, bytes INTEGER, accounted INTEGER, records "
		"INTEGER, gaps INTEGER, sha256 TEXT, dropped INTEGER, redacted TEXT, covers_from INTEGER, covers_to "
		"INTEGER, store HIDDEN)"),
	  12, load_tables, evidence_count, evidence_column },
	{ TABLE("gaps",
		"CREATE TABLE gaps(id INTEGER, evidence INTEGER, source TEXT, session TEXT, direction TEXT, after "
		"INTEGER, before INTEGER, ts_min INTEGER, ts_max INTEGER, offset INTEGER, bytes INTEGER, count "
		"INTEGER, reason TEXT, store HIDDEN)"),
	  13, load_tables, gap_count, gap_column },
	{ TABLE("templates",
		"CREATE TABLE templates(id INTEGER, text TEXT, count INTEGER, first INTEGER, last INTEGER, store "
		"HIDDEN)"),
	  5, load_templates, template_count, template_column },
	{ TABLE("findings",
		"CREATE TABLE findings(lifecycle TEXT, instance TEXT, session TEXT, kind TEXT, severity TEXT, event "
		"INTEGER, moved INTEGER, after INTEGER, instead INTEGER, expected TEXT, rule TEXT, message TEXT, repair "
		"TEXT, store HIDDEN)"),
	  13, load_findings, finding_count, finding_column },
};

const struct iq_sql_table *iq_sql_array(size_t index)
{
	return index < sizeof(arrays) / sizeof(arrays[0]) ? &arrays[index].table : NULL;
}
