/* Memory that runs out at any allocation: an operation ends with IQ_ERR_NOMEM and leaves nothing behind, or gives what it always
 * gives. TAP. IQ_TEST_ALLOCATIONS=all tries each of them, else a sample. */
#include <inquest/sql.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ingest/ingest.h"
#include "memory/allocations.h"
#include "store/store.h"

#define SAMPLE 60

struct scene {
	char directory[64];
	char evidence[96];
	char ready[96]; /* a store that is read */
	char fresh[96]; /* one that is written */
};

/* One thing that users do. Appends what came out of it. */
struct operation {
	const char *name;
	int (*run)(struct scene *scene, struct iq_buf *out, struct iq_error *error);
};

/* ---- The operations ---- */

static int ingest(struct scene *scene, struct iq_buf *out, struct iq_error *error)
{
	const char *paths[] = { scene->evidence };
	const struct iq_ingest_options options = { .max_line = 0 };
	struct iq_ingest_result result;
	int rc = iq_ingest(scene->fresh, paths, 1, &options, &result, error);

	if (rc == 0)
		(void)iq_buf_appendf(out, "%" PRIu64 " taken, %" PRIu64 " events\n", result.taken, result.events);
	return rc;
}

static int read_events(struct iq_store *store, struct iq_buf *out, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.order = IQ_ORDER_TIME;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0)
		(void)iq_buf_appendf(out, "%" PRIu64 " %.*s %.*s %.*s\n", event.id, IQ_VIEW_ARG(event.session),
				     IQ_VIEW_ARG(event.type), IQ_VIEW_ARG(event.body));
	iq_cursor_close(cursor);
	return rc < 0 ? rc : out->failed ? iq_error_nomem(error) : 0;
}

static int read_store(struct scene *scene, struct iq_buf *out, struct iq_error *error)
{
	struct iq_store *store;
	int rc = iq_store_open(scene->ready, &store, error);

	if (rc < 0)
		return rc;
	rc = read_events(store, out, error);
	if (rc == 0)
		rc = iq_store_read_raw(store, 1, 0, UINT64_MAX, out, error);
	iq_store_close(store);
	return rc;
}

static int append_damage(void *context, const struct iq_damage *damage)
{
	return iq_buf_appendf(context, "%s: %s\n", damage->segment, damage->message);
}

static int verify(struct scene *scene, struct iq_buf *out, struct iq_error *error)
{
	struct iq_verify_result result;
	int rc = iq_store_verify(scene->ready, append_damage, out, &result, error);

	if (rc == 0)
		(void)iq_buf_appendf(out, "%" PRIu64 " events, %" PRIu64 " damages\n", result.events, result.damages);
	return rc;
}

static int append_row(void *context, int count, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < count; i++)
		(void)iq_buf_appendf(context, "%s|", values[i] ? values[i] : "-");
	return iq_buf_append_cstr(context, "\n");
}

/* What SQLite says instead of a status. */
static int sql_status(sqlite3 *db, int code, struct iq_error *error)
{
	if (code == SQLITE_NOMEM || (db && strstr(sqlite3_errmsg(db), "out of memory")) || code == SQLITE_ABORT)
		return iq_error_nomem(error);
	return iq_error_set(error, IQ_ERR_IO, "SQLite %d: %s", code, db ? sqlite3_errmsg(db) : "");
}

static int sql(struct scene *scene, struct iq_buf *out, struct iq_error *error)
{
	static const char *const queries[] = {
		"SELECT id, time, body FROM events WHERE body LIKE '%run%' AND type IS NOT NULL ORDER BY ts DESC",
		"SELECT session, count(*), max(ts) FROM events GROUP BY session",
		"SELECT type, count(*) FROM events WHERE kind IN ('log', 'ws.message') GROUP BY type",
		"SELECT count(*) FROM events WHERE body REGEXP 'run_[0-9]+' AND session = 's2'",
		"SELECT * FROM sessions",
		"SELECT path, bytes FROM evidence",
		"SELECT * FROM gaps",
		"SELECT * FROM sources",
	};
	sqlite3 *db = NULL;
	int code = sqlite3_open(":memory:", &db);
	int rc = code == SQLITE_OK ? iq_sql_register(db, scene->ready, error) : sql_status(db, code, error);

	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries) && rc == 0; i++) {
		code = sqlite3_exec(db, queries[i], append_row, out, NULL);
		if (code != SQLITE_OK)
			rc = sql_status(db, code, error);
	}
	(void)sqlite3_close(db);
	return rc;
}

static int compact(struct scene *scene, struct iq_buf *out, struct iq_error *error)
{
	const struct iq_compact_options options = { .level = 3 };
	struct iq_compact_result result;

	(void)out;
	return iq_store_compact(scene->ready, &options, &result, error);
}

/* ---- Trying ---- */

static unsigned failures, points;

static void point(bool good, const char *name, const char *detail)
{
	points++;
	failures += !good;
	(void)printf("%s %u - %s%s%s\n", good ? "ok" : "not ok", points, name, detail[0] ? "\n# " : "", detail);
	(void)fflush(stdout);
}

struct outcome {
	int rc;
	long grown; /* blocks that were left */
	bool all;   /* fewer allocations than that */
	struct iq_buf out;
	struct iq_error error;
};

static void attempt(const struct operation *operation, struct scene *scene, size_t index, bool lasting,
		    struct outcome *outcome)
{
	struct iq_buf out = IQ_BUF_INIT;
	long before;

	(void)iq_file_remove_tree(scene->fresh, NULL);
	outcome->error = (struct iq_error)IQ_ERROR_INIT;
	before = allocations_alive();
	allocations_fail(index, lasting);
	outcome->rc = operation->run(scene, &out, &outcome->error);
	allocations_allow();
	outcome->all = allocations_asked() <= index;
	iq_buf_clear(&outcome->out);
	if (out.failed && outcome->rc == 0)
		outcome->rc = IQ_ERR_NOMEM;
	(void)iq_buf_append(&outcome->out, iq_buf_view(&out));
	iq_buf_release(&out);
	outcome->grown = allocations_alive() - before;
}

/* What is wrong with it, or NULL. */
static const char *judge(const struct outcome *outcome, const struct outcome *expected)
{
	static char what[700];
	size_t at = 0;

	if (outcome->rc == 0 && iq_view_eq(iq_buf_view(&outcome->out), iq_buf_view(&expected->out)))
		return NULL;
	if (outcome->rc == IQ_ERR_NOMEM)
		return NULL;
	while (at < outcome->out.len && at < expected->out.len && outcome->out.data[at] == expected->out.data[at])
		at++;
	if (outcome->rc == 0)
		(void)snprintf(what, sizeof(what), "gives %zu bytes instead of %zu, from %zu on: %.300s",
			       outcome->out.len, expected->out.len, at, outcome->out.data + at);
	else
		(void)snprintf(what, sizeof(what), "ends with %d: %s", outcome->rc, outcome->error.message);
	return what;
}

/* Caches grow once; what grows each time is lost. */
static bool leaks(const struct operation *operation, struct scene *scene, size_t index, bool lasting,
		  struct outcome *outcome)
{
	for (unsigned i = 0; i < 3; i++) {
		attempt(operation, scene, index, lasting, outcome);
		if (outcome->grown <= 0)
			return false;
	}
	return true;
}

/* NULL, or what is wrong. Sets *ret_all when there are no more allocations. */
static const char *try_one(const struct operation *operation, struct scene *scene, size_t index, bool lasting,
			   const struct outcome *expected, bool *ret_all)
{
	struct outcome outcome = { .out = IQ_BUF_INIT };
	const char *wrong;

	(void)iq_buf_reserve(&outcome.out, expected->out.len + 1);
	attempt(operation, scene, index, lasting, &outcome);
	wrong = judge(&outcome, expected);
	*ret_all = outcome.all;
	if (!wrong && outcome.grown > 0 && leaks(operation, scene, index, lasting, &outcome))
		wrong = "leaks";
	iq_buf_release(&outcome.out);
	return wrong;
}

static void try_operation(const struct operation *operation, struct scene *scene, bool each)
{
	struct outcome expected = { .out = IQ_BUF_INIT };
	bool all = false, good = true;
	char detail[1000] = "";
	size_t step;

	for (unsigned i = 0; i < 2; i++)
		attempt(operation, scene, SIZE_MAX, false, &expected);
	step = each ? 1 : 1 + allocations_asked() / SAMPLE;
	if (expected.rc != 0) {
		point(false, operation->name, expected.error.message);
		return;
	}
	for (size_t index = (size_t)rand() % step; !all && good; index += step)
		for (int lasting = 0; lasting < 2 && good; lasting++) {
			const char *wrong = try_one(operation, scene, index, lasting, &expected, &all);

			good = !wrong;
			if (wrong)
				(void)snprintf(detail, sizeof(detail), "allocation %zu fails%s: %s", index,
					       lasting ? ", and all after it" : "", wrong);
		}
	point(good, operation->name, detail);
	iq_buf_release(&expected.out);
}

/* ---- Evidence ---- */

static void write_evidence(const struct scene *scene)
{
	FILE *file = fopen(scene->evidence, "we");

	for (int i = 0; i < 60 && file; i++)
		(void)fprintf(
			file,
			"{\"ts\":\"2026-11-23T03:07:%02d.%03dZ\",\"source\":\"proxy\",\"session\":\"c%d\",\"kind\":"
			"\"ws.message\",\"direction\":\"server\",\"body\":{\"type\":\"t%d\",\"run_id\":\"run_%d\","
			"\"id\":\"%08x\",\"x\":%d.5}}\n%s",
			i, i * 7, i % 5, i % 3, i / 7, (unsigned)i * 2654435761u, i, i % 20 ? "" : "not a record\n");
	if (file)
		(void)fclose(file);
}

static int make_ready(struct scene *scene)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_ingest_options options = { .source = "other" };
	const char *paths[] = { scene->evidence };
	struct iq_ingest_result result;
	FILE *file;
	int rc;

	write_evidence(scene);
	rc = iq_ingest(scene->ready, paths, 1, &options, &result, &error);
	file = fopen(scene->evidence, "we");
	if (rc < 0 || !file)
		return -1;
	(void)fprintf(
		file,
		"{\"ts\":1,\"kind\":\"ws.open\",\"session\":\"c1\"}\n{\"ts\":2,\"kind\":\"log\",\"body\":\"x\"}\n");
	(void)fclose(file);
	rc = iq_ingest(scene->ready, paths, 1, &options, &result, &error);
	write_evidence(scene);
	return rc;
}

int main(void)
{
	static const struct operation operations[] = {
		{ "ingest", ingest }, { "open and read", read_store }, { "verify", verify },
		{ "SQL", sql },	      { "compact", compact },
	};
	const char *wanted = getenv("IQ_TEST_ALLOCATIONS"), *seed = getenv("IQ_TEST_SEED");
	unsigned chosen = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	struct scene scene = { .directory = "/tmp/inquest-memory-XXXXXX" };

	srand(chosen);
	(void)printf("# IQ_TEST_SEED=%u\n", chosen);
	if (!mkdtemp(scene.directory))
		return 1;
	(void)snprintf(scene.evidence, sizeof(scene.evidence), "%s/e.ndjson", scene.directory);
	(void)snprintf(scene.ready, sizeof(scene.ready), "%s/ready", scene.directory);
	(void)snprintf(scene.fresh, sizeof(scene.fresh), "%s/fresh", scene.directory);
	if (make_ready(&scene) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		try_operation(&operations[i], &scene, wanted && strcmp(wanted, "all") == 0);
	(void)iq_file_remove_tree(scene.directory, NULL);
	(void)printf("1..%u\n", points);
	return failures > 0;
}
