/* What the SQL tables promise: the answers of an ordinary table. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "query/query.h"
#include "query/sql_fold.h"

#define COMMITS 5u
#define EVENTS 70u
#define MANY_EVENTS 900u /* in the first commit: enough for texts to be searched by their parts */
#define NS INT64_C(1795403232000000000)

struct scene {
	char directory[64];
	char path[96];
	sqlite3 *db;
	struct iq_error error;
	uint64_t offset;
};

static unsigned below(unsigned limit)
{
	return (unsigned)rand() % limit;
}

static const char *pick(const char *const *words, size_t count)
{
	return words[below((unsigned)count)];
}
#define PICK(words) pick(words, sizeof(words) / sizeof((words)[0]))

/* ---- A store with everything in it ---- */

static struct iq_view random_body(char *buffer, size_t size, bool *ret_is_binary)
{
	static const char *const words[] = { "needle",	     "Needle", "hay", "STRAW", "k\xc3\xa9ks",
					     "\xe2\x84\xaa", "a_b",    "50%", "x*y[z]" };
	int len;

	*ret_is_binary = false;
	switch (below(9)) {
	case 0:
		return IQ_VIEW_NULL;
	case 1:
		return IQ_LIT("");
	case 2:
		*ret_is_binary = true;
		return IQ_LIT("\xff\x00needle\xfe");
	case 3:
		return IQ_LIT("before\0needle");
	case 4:
		len = snprintf(buffer, size, "%u", below(10));
		break;
	case 5:
		len = snprintf(buffer, size, "GET /orders/%u took %u.%02u ms %s", below(9000), below(90), below(100),
			       PICK(words));
		break;
	case 6:
		len = snprintf(buffer, size, "%08x-%04x %s %s", (unsigned)rand(), below(65536), PICK(words),
			       PICK(words));
		break;
	default:
		len = snprintf(buffer, size, "{\"type\":\"%s\",\"id\":\"%08x\",\"n\":%u,\"text\":\"%s and %s\"}",
			       PICK(words), (unsigned)rand(), below(1000), PICK(words), PICK(words));
		break;
	}
	return iq_view_make(buffer, (size_t)len);
}

static struct iq_event random_event(char *buffer, size_t size)
{
	static const char *const sources[] = { "proxy", "backend", "5", "db" };
	static const char *const sessions[] = { "a", "b", "c", "d", "e" };
	static const char *const types[] = { "agent_started", "Agent_Started",	  "tool", "5", "05",
					     "zed",	      "\xc3\xa9t\xc3\xa9" };
	static const char *const keys[] = { "run-1", "run-2", "RUN-1", "7", "7.0" };
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = (enum iq_kind)(below(2) ? IQ_KIND_WS_MESSAGE : IQ_KIND_LOG);
	event.ts = below(6) ? NS + (int64_t)below(40) * 100000000 : IQ_TIME_NONE;
	event.observed = below(3) ? NS + (int64_t)below(1000) : IQ_TIME_NONE;
	event.source = iq_view_cstr(PICK(sources));
	if (below(4))
		event.session = iq_view_cstr(PICK(sessions));
	event.direction = (enum iq_direction)below(3);
	event.severity = (enum iq_severity)below(8);
	if (below(5))
		event.type = iq_view_cstr(PICK(types));
	if (below(3))
		event.key = iq_view_cstr(PICK(keys));
	event.seq = below(3) ? (int64_t)below(20) - 5 : IQ_NUMBER_NONE;
	event.body = random_body(buffer, size, &event.body_is_binary);
	if (below(2))
		event.attrs = IQ_LIT("{\"opcode\":2}");
	return event;
}

static void write_store(struct scene *scene)
{
	struct iq_store_writer *writer;
	char name[16], buffer[256], raw[300];

	cr_assert_eq(iq_store_writer_open(scene->path, &writer, &scene->error), 0, "%s", scene->error.message);
	for (unsigned commit = 0; commit < COMMITS; commit++) {
		struct iq_sink *sink = iq_store_writer_sink(writer);
		struct iq_evidence evidence;

		(void)snprintf(name, sizeof(name), "e%u", commit);
		scene->offset = 0;
		cr_assert_eq(
			iq_store_writer_evidence_begin(writer, iq_view_cstr(name), IQ_LIT("ndjson"), &scene->error), 0);
		for (unsigned i = 0; i < (commit ? EVENTS : MANY_EVENTS); i++) {
			struct iq_event event = random_event(buffer, sizeof(buffer));
			int len = snprintf(raw, sizeof(raw), "%u %u\n", commit, i);

			event.offset = scene->offset;
			event.length = (uint64_t)len;
			scene->offset += event.length;
			cr_assert_eq(iq_store_writer_raw(writer, raw, (size_t)len, &scene->error), 0);
			cr_assert_eq(sink->event(sink->context, &event, &scene->error), 0, "%s", scene->error.message);
		}
		cr_assert_eq(iq_store_writer_evidence_end(writer, &evidence, &scene->error), 0);
		cr_assert_eq(iq_store_writer_commit(writer, &scene->error), 0, "%s", scene->error.message);
	}
	iq_store_writer_free(writer);
}

/* ---- The same rows in an ordinary table ---- */

static void execute(struct scene *scene, const char *sql)
{
	char *message = NULL;

	cr_assert_eq(sqlite3_exec(scene->db, sql, NULL, NULL, &message), SQLITE_OK, "%s: %s", sql, message);
}

static void bind_text(sqlite3_stmt *statement, int at, struct iq_view text)
{
	(void)sqlite3_bind_text(statement, at, text.data, (int)text.len, SQLITE_TRANSIENT);
}

static void bind_number(sqlite3_stmt *statement, int at, int64_t number, int64_t none)
{
	if (number != none)
		(void)sqlite3_bind_int64(statement, at, number);
}

static void insert(sqlite3_stmt *statement, const struct iq_event *event)
{
	char time[IQ_RFC3339_SIZE];

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	(void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)event->id);
	bind_number(statement, 2, event->ts, IQ_TIME_NONE);
	if (event->ts != IQ_TIME_NONE)
		bind_text(statement, 3, iq_view_cstr(iq_time_format(event->ts, time)));
	bind_number(statement, 4, event->observed, IQ_TIME_NONE);
	bind_text(statement, 5, event->source);
	bind_text(statement, 6, event->session);
	bind_text(statement, 7, iq_view_cstr(iq_kind_name(event->kind)));
	bind_text(statement, 8, iq_view_cstr(iq_direction_name(event->direction)));
	bind_text(statement, 9, event->type);
	bind_text(statement, 10, event->key);
	bind_number(statement, 11, event->seq, IQ_NUMBER_NONE);
	bind_text(statement, 12, iq_view_cstr(iq_severity_name(event->severity)));
	if (event->body_is_binary)
		(void)sqlite3_bind_blob(statement, 13, event->body.data, (int)event->body.len, SQLITE_TRANSIENT);
	else
		bind_text(statement, 13, event->body);
	bind_text(statement, 14, event->attrs);
	(void)sqlite3_bind_int64(statement, 15, event->evidence);
	(void)sqlite3_bind_int64(statement, 16, (sqlite3_int64)event->offset);
	(void)sqlite3_bind_int64(statement, 17, (sqlite3_int64)event->length);
	cr_assert_eq(sqlite3_step(statement), SQLITE_DONE);
}

static void fill_plain(struct scene *scene)
{
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	sqlite3_stmt *statement;

	execute(scene,
		"CREATE TABLE plain(id INTEGER, ts INTEGER, time TEXT, observed INTEGER, source TEXT, session TEXT, "
		"kind TEXT, direction TEXT, type TEXT, key TEXT, seq INTEGER, severity TEXT, body, attrs TEXT, "
		"evidence INTEGER, offset INTEGER, length INTEGER)");
	execute(scene, "CREATE TABLE other(n INTEGER, t TEXT, b)");
	execute(scene,
		"INSERT INTO other VALUES (5, 's1', 'tool'), (7, '5', x'6e'), (NULL, NULL, NULL), (12, 'tool', 5), "
		"(100, 'zed', 7.0), ('x', 'proxy', 's3'), (201, 'run-1', 201), (3, 'S2', 's2')");
	cr_assert_eq(sqlite3_prepare_v2(scene->db, "INSERT INTO plain VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
					&statement, NULL),
		     SQLITE_OK);
	cr_assert_eq(iq_store_open(scene->path, &store, &scene->error), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, &scene->error), 0);
	while (iq_cursor_next(cursor, &event, &scene->error) > 0)
		insert(statement, &event);
	iq_cursor_close(cursor);
	iq_store_close(store);
	(void)sqlite3_finalize(statement);
}

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){ .directory = "/tmp/inquest-sql-XXXXXX", .error = IQ_ERROR_INIT };
	cr_assert(mkdtemp(scene->directory));
	(void)snprintf(scene->path, sizeof(scene->path), "%s/case", scene->directory);
	write_store(scene);
	cr_assert_eq(sqlite3_open(":memory:", &scene->db), SQLITE_OK);
	cr_assert_eq(iq_sql_register(scene->db, scene->path, &scene->error), 0, "%s", scene->error.message);
	fill_plain(scene);
}

static void scene_close(struct scene *scene)
{
	(void)sqlite3_close(scene->db);
	cr_expect_eq(iq_file_remove_tree(scene->directory, NULL), 0);
}

/* ---- Random statements ---- */

static void add(struct iq_buf *sql, const char *format, ...)
{
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)iq_buf_append_cstr(sql, text);
}

enum kind { NUMBER, TS, TIME, TEXT };

static const struct {
	const char *name;
	enum kind kind;
} columns[] = {
	{ "id", NUMBER },     { "ts", TS },	    { "time", TIME },	   { "observed", TS }, { "source", TEXT },
	{ "session", TEXT },  { "kind", TEXT },	    { "direction", TEXT }, { "type", TEXT },   { "key", TEXT },
	{ "seq", NUMBER },    { "severity", TEXT }, { "body", TEXT },	   { "attrs", TEXT },  { "evidence", NUMBER },
	{ "offset", NUMBER }, { "length", NUMBER },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define BODY 12u

static void add_number(struct iq_buf *sql)
{
	static const char *const odd[] = { "NULL",
					   "'5'",
					   "'abc'",
					   "x'35'",
					   "5.5",
					   "-3.0",
					   "1e300",
					   "-1e300",
					   "9223372036854775807",
					   "-9223372036854775808",
					   "' 7 '",
					   "9.3e18",
					   "''" };

	switch (below(5)) {
	case 0:
		add(sql, "%s", PICK(odd));
		break;
	case 1:
		add(sql, "%lld", (long long)(NS + (int64_t)below(40) * 100000000));
		break;
	case 2:
		add(sql, "%u", 1 + below(COMMITS * EVENTS + MANY_EVENTS));
		break;
	default:
		add(sql, "%d", (int)below(20) - 5);
		break;
	}
}

/* Text that is no time is an error where a ts is meant, so that there is none here. */
static void add_ts(struct iq_buf *sql)
{
	static const char *const odd[] = {
		"NULL", "x'35'", "1e300", "-1e300", "1795403233500000000.0", "9223372036854775807", "0"
	};

	if (below(3))
		add(sql, "%lld", (long long)(NS + (int64_t)below(40) * 100000000 + (below(3) ? 0 : 7)));
	else
		add(sql, "%s", PICK(odd));
}

static void add_time(struct iq_buf *sql)
{
	static const char *const odd[] = {
		"NULL", "'2026'", "'2026-11'", "'zzz'", "''", "'2026-11-23T03:07:1'", "'!'"
	};
	char time[IQ_RFC3339_SIZE];

	if (below(3))
		add(sql, "'%s'", iq_time_format(NS + (int64_t)below(40) * 100000000, time));
	else
		add(sql, "%s", PICK(odd));
}

static void add_text(struct iq_buf *sql)
{
	static const char *const texts[] = {
		"NULL",
		"'proxy'",
		"'s1'",
		"'s3'",
		"'s03'",
		"'S1'",
		"'s99'",
		"'agent_started'",
		"'tool'",
		"'5'",
		"5",
		"5.0",
		"'zed'",
		"'run-1'",
		"7",
		"'log'",
		"'ws.message'",
		"'client'",
		"'error'",
		"x'746f6f6c'",
		"''",
		"'needle'",
		"x'ff006e6565646c65fe'",
		"'{\"opcode\":2}'",
		"'\xc3\xa9t\xc3\xa9'",
		"'3'",
		"1e3",
		"'before' || char(0) || 'needle'",
		"'info'",
	};

	add(sql, "%s", PICK(texts));
}

static void add_value(struct iq_buf *sql, enum kind kind)
{
	if (kind == NUMBER)
		add_number(sql);
	else if (kind == TS)
		add_ts(sql);
	else if (kind == TIME)
		add_time(sql);
	else
		add_text(sql);
}

static void add_pattern(struct iq_buf *sql, const char *column)
{
	static const char *const like[] = { "'%needle%'",
					    "'%NEEDLE%'",
					    "'needle'",
					    "'%a_started'",
					    "'%k\xc3\xa9ks%'",
					    "'%and hay%'",
					    "'_%'",
					    "'%'",
					    "''",
					    "'%50\\%%'",
					    "NULL",
					    "5",
					    "'%\"n\":7%'",
					    "'%took 4%'",
					    "'%kelvin%'",
					    "'s_'",
					    "'%[z]%'",
					    "'%straw\"}'",
					    "'%\xe2\x84\xaa%'" };
	static const char *const glob[] = { "'*needle*'", "'*Needle*'", "'s[13]'", "'*x[*]y*'",	   "'?gent*'",
					    "'*'",	  "''",		"NULL",	   "'*[^a-z]ay*'", "'*\"text\":\"hay*'",
					    "'*[]]*'" };
	static const char *const regexp[] = { "'needle'",
					      "'(?i)needle'",
					      "'^needle$'",
					      "'need(le|ful)'",
					      "'ne+dle\\b'",
					      "'hay|straw'",
					      "'x\\*y'",
					      "''",
					      "'needles?'",
					      "'\"n\":[0-9]{3},'",
					      "'orders/\\d+ took'",
					      "'(?i)straw'",
					      "'STRAW(?i:x)?'",
					      "NULL",
					      "'and hay\"'",
					      "'[[:digit:]]needle'",
					      "'k\xc3\xa9?ks'" };
	static const char *const has[] = { "'needle'", "x'006e'", "x'ff'",     "''",
					   "NULL",     "5",	  "'and hay'", "'\"type\":\"STRAW\",\"id'" };

	switch (below(6)) {
	case 0:
		add(sql, "%s GLOB %s", column, PICK(glob));
		break;
	case 1:
		add(sql, "%s REGEXP %s", column, PICK(regexp));
		break;
	case 2:
		add(sql, "has(%s, %s)", column, PICK(has));
		break;
	case 3:
		add(sql, "%s NOT LIKE %s", column, PICK(like));
		break;
	case 4:
		add(sql, "%s LIKE %s ESCAPE '\\'", column, PICK(like));
		break;
	default:
		add(sql, "%s LIKE %s", column, PICK(like));
		break;
	}
}

static void add_condition(struct iq_buf *sql)
{
	static const char *const operators[] = { "=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "=", "=" };
	static const char *const collations[] = { "", "", "", "", " COLLATE NOCASE", " COLLATE RTRIM" };
	const unsigned i = below(4) ? below(COLUMNS) : BODY;
	const char *column = columns[i].name;

	switch (below(10)) {
	case 0:
		add(sql, "%s IS %sNULL", column, below(2) ? "NOT " : "");
		break;
	case 1:
	case 2:
		add(sql, "%s %sIN (", column, below(4) ? "" : "NOT ");
		for (unsigned n = below(5); n > 0; n--) {
			add_value(sql, columns[i].kind);
			add(sql, ", ");
		}
		add_value(sql, columns[i].kind);
		add(sql, ")");
		break;
	case 3:
		if (columns[i].kind == TIME)
			add(sql, "time BETWEEN '2026-11-23T03:07:12.45' AND '2026-11-23T03:07:14.15'");
		else
			add(sql, "%s IN (SELECT %s FROM other)", column,
			    columns[i].kind == TS
				    ? "id FROM plain WHERE id < 9 UNION SELECT ts FROM plain WHERE id < 30 UNION SELECT 5"
			    : below(2) ? "n"
			    : below(2) ? "t"
				       : "b");
		break;
	case 4:
	case 5:
		if (columns[i].kind == TEXT)
			add_pattern(sql, column);
		else
			add(sql, "%s LIKE '2%%'", column);
		break;
	case 6:
		add(sql, "%s BETWEEN ", column);
		add_value(sql, columns[i].kind);
		add(sql, " AND ");
		add_value(sql, columns[i].kind);
		break;
	default:
		add(sql, "%s %s ", column, PICK(operators));
		add_value(sql, columns[i].kind);
		if (columns[i].kind == TEXT)
			add(sql, "%s", PICK(collations));
		break;
	}
}

static void add_conditions(struct iq_buf *sql)
{
	add(sql, " WHERE ");
	add_condition(sql);
	for (unsigned n = below(3); n > 0; n--) {
		add(sql, below(4) ? " AND " : " OR ");
		add_condition(sql);
	}
}

static void add_limit(struct iq_buf *sql)
{
	if (below(2))
		add(sql, " LIMIT %d", (int)below(60) - 3);
	else if (below(2))
		add(sql, " LIMIT %u OFFSET %d", below(60), (int)below(300) - 5);
}

/* Statements whose result has one order only. `@` stands for the table. */
static void add_ordered(struct iq_buf *sql)
{
	static const char *const orders[] = { "id",
					      "id DESC",
					      "ts, id",
					      "ts DESC, id DESC",
					      "time, id",
					      "ts DESC, id",
					      "session, id",
					      "type DESC, id",
					      "severity, id DESC",
					      "source, ts, id",
					      "ts NULLS LAST, id",
					      "type COLLATE NOCASE, id" };

	add(sql, "SELECT %s FROM @", below(2) ? "*" : below(2) ? "id, body" : "id, ts, type, session");
	if (below(3))
		add_conditions(sql);
	add(sql, " ORDER BY %s", PICK(orders));
	add_limit(sql);
}

static void add_grouped(struct iq_buf *sql)
{
	static const char *const names[] = { "source", "session",  "kind",     "direction",
					     "type",   "severity", "evidence", "source, type" };
	const char *name = PICK(names);

	if (below(2)) {
		add(sql, "SELECT DISTINCT %s FROM @", name);
		if (below(2))
			add_conditions(sql);
		if (below(2)) {
			add(sql, " ORDER BY %s%s", name, below(2) && !strchr(name, ',') ? " DESC" : "");
			add_limit(sql);
		}
		return;
	}
	add(sql, "SELECT %s, count(*), max(ts), min(seq), sum(id), max(type), min(session) FROM @", name);
	if (below(2))
		add_conditions(sql);
	add(sql, " GROUP BY %s", name);
	if (below(3) == 0)
		add(sql, " HAVING count(*) > 3");
}

static void add_joined(struct iq_buf *sql)
{
	static const char *const joins[] = {
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.id = o.n",
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.session = o.t",
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.type = o.b",
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.type = o.n",
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.key = o.b AND e.seq < o.n",
		"SELECT e.id, o.n, o.t FROM other o %s @ e ON e.seq = o.n AND e.source > o.t",
		"SELECT e.id, f.id FROM @ e %s @ f ON f.session = e.session AND f.id = e.id + 1",
		"SELECT e.id, f.id FROM @ e %s @ f ON f.ts = e.ts AND f.id < e.id AND e.id < 60",
		"SELECT e.id, o.t FROM other o %s @ e ON e.body = o.b OR e.body LIKE o.t",
		"SELECT DISTINCT e.type FROM @ e %s other o ON o.t = e.session",
		"SELECT o.t, max(e.type), count(e.id) FROM other o %s @ e ON e.source IN (o.t, 'db') GROUP BY o.t",
	};

	add(sql, PICK(joins), below(2) ? "JOIN" : "LEFT JOIN");
}

/* ---- Statements that only add up ---- */

static const char *const keys[] = { "source", "session", "kind", "direction", "type", "severity", "evidence" };
static const char *const numbers[] = { "id", "ts", "observed", "seq", "evidence", "offset", "length", "time" };

/* Those whose answer is folded, and some that are not quite of that form. `key` is what they are grouped by, or NULL: of anything else
 * SQLite shows any row that has the largest value. */
static void add_total(struct iq_buf *sql, const char *key)
{
	static const char *const functions[] = { "sum", "min", "max", "min", "MAX" };
	const char *number = PICK(numbers);

	if (below(30) == 0)
		add(sql, "count(%s)", below(2) ? "*" : number);
	else if (below(30) == 0)
		add(sql, "%s(DISTINCT %s)", PICK(functions), number);
	else if (below(30) == 0)
		add(sql, "max(%s) FILTER (WHERE id < 30)", number);
	else if (below(30) == 0 && key)
		add(sql, "max(%s, %s)", key, key);
	else if (below(20) == 0)
		add(sql, "max(seq + 1)");
	else
		add(sql, "%s(%s)%s", PICK(functions), number, below(6) ? "" : " / 2 - max(id)");
}

static void add_simple_condition(struct iq_buf *sql)
{
	static const char *const signs[] = { "=", "==", "<>", "!=", "<", "<=", ">", ">=" };
	const unsigned i = below(COLUMNS);

	switch (below(6)) {
	case 0:
		add(sql, "%s IS %sNULL", columns[i].name, below(2) ? "NOT " : "");
		break;
	case 1:
		add(sql, "ts BETWEEN %lld AND %lld", (long long)(NS + (int64_t)below(20) * 100000000),
		    (long long)(NS + (int64_t)below(40) * 100000000));
		break;
	case 2:
		add(sql, "%s IN (", columns[i].name);
		add_value(sql, columns[i].kind);
		add(sql, ", ");
		add_value(sql, columns[i].kind);
		add(sql, ")");
		break;
	case 3:
		add_condition(sql);
		break;
	default:
		add(sql, "%s %s ", columns[i].name, PICK(signs));
		add_value(sql, columns[i].kind);
		break;
	}
}

static void add_clauses(struct iq_buf *sql, const char *key, unsigned key_count)
{
	static const char *const collations[] = { "", "", "", " COLLATE NOCASE" };

	for (unsigned n = below(3), i = 0; i < n; i++) {
		add(sql, i ? " AND " : " WHERE ");
		add_simple_condition(sql);
	}
	if (key_count > 0)
		add(sql, " GROUP BY %s%s", key, PICK(collations));
	if (key_count > 0 && below(4) == 0)
		add(sql, below(2) ? " HAVING max(id) > %u" : " HAVING x IS NOT NULL OR min(id) < %u", below(1500));
	if (key_count > 0 && below(4) == 0)
		add(sql, " ORDER BY %s%s", below(2) ? "x, " : "", key);
	else if (key_count > 0 && !strchr(key, ',') && below(3) == 0)
		add(sql, " ORDER BY %s DESC LIMIT %u", key, below(9));
}

static void add_folded(struct iq_buf *sql)
{
	const unsigned key_count = below(3);
	char key[64];

	(void)snprintf(key, sizeof(key), key_count == 2 ? "%s, %s" : "%s", PICK(keys), PICK(keys));
	add(sql, "SELECT ");
	if (key_count > 0 && below(5))
		add(sql, "%s, ", key);
	add_total(sql, key_count ? key : NULL);
	add(sql, below(2) ? " AS x" : " x");
	for (unsigned n = below(4); n > 0; n--) {
		add(sql, ", ");
		add_total(sql, key_count ? key : NULL);
	}
	add(sql, " FROM @%s", below(4) ? "" : " e");
	add_clauses(sql, key, key_count);
}

/* The table-valued function, and what it stands for. */
static void add_aggregates(struct iq_buf *function, struct iq_buf *plain)
{
	const char *first = PICK(keys), *second = PICK(keys), *number = numbers[below(7)];
	const bool summed = number[0] != 't' && strcmp(number, "observed") != 0;

	add(function, "SELECT %s, %s, events, count, min, max%s FROM event_aggregates(' %s,%s ', '%s')", first, second,
	    summed ? ", sum" : "", first, second, number);
	add(plain, "SELECT %s, %s, count(*), count(%s), min(%s), max(%s)", first, second, number, number, number);
	if (summed)
		add(plain, ", sum(%s)", number);
	add(plain, " FROM plain GROUP BY %s, %s", first, second);
}

/* ---- Comparing ---- */

static void append_row(struct iq_buf *row, sqlite3_stmt *statement)
{
	for (int i = 0; i < sqlite3_column_count(statement); i++) {
		const int type = sqlite3_column_type(statement, i);
		const char *data = type == SQLITE_BLOB ? sqlite3_column_blob(statement, i)
						       : (const char *)sqlite3_column_text(statement, i);

		(void)iq_buf_appendf(row, "%d %d ", type, sqlite3_column_bytes(statement, i));
		(void)iq_buf_append(row, iq_view_make(data ? data : "", (size_t)sqlite3_column_bytes(statement, i)));
		(void)iq_buf_append_char(row, '\t');
	}
}

static int compare_rows(const void *a, const void *b)
{
	return iq_view_cmp(*(const struct iq_view *)a, *(const struct iq_view *)b);
}

/* The rows, one after the other; sorted where the statement gives no order. */
static void run(struct scene *scene, const char *template, const char *table, bool is_ordered, struct iq_buf *result)
{
	struct iq_buf sql = IQ_BUF_INIT, row = IQ_BUF_INIT;
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_view *rows = calloc(100000, sizeof(*rows));
	sqlite3_stmt *statement;
	size_t count = 0;
	int rc;

	for (const char *c = template; *c; c++) {
		if (*c == '@')
			(void)iq_buf_append_cstr(&sql, table);
		else
			(void)iq_buf_append_char(&sql, *c);
	}
	cr_assert_eq(sqlite3_prepare_v2(scene->db, sql.data, -1, &statement, NULL), SQLITE_OK, "%s: %s", sql.data,
		     sqlite3_errmsg(scene->db));
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW && count < 100000) {
		iq_buf_clear(&row);
		append_row(&row, statement);
		rows[count++] = iq_arena_copy(&memory, iq_buf_view(&row));
	}
	(void)iq_buf_appendf(result, "%s\n", rc == SQLITE_DONE ? "done" : sqlite3_errmsg(scene->db));
	(void)sqlite3_finalize(statement);
	if (!is_ordered)
		qsort(rows, count, sizeof(*rows), compare_rows);
	for (size_t i = 0; i < count; i++) {
		(void)iq_buf_append(result, rows[i]);
		(void)iq_buf_append_char(result, '\n');
	}
	free(rows);
	iq_arena_release(&memory);
	iq_buf_release(&sql);
	iq_buf_release(&row);
}

static void compare(struct scene *scene, const char *sql, bool is_ordered, unsigned seed)
{
	struct iq_buf events = IQ_BUF_INIT, plain = IQ_BUF_INIT;

	run(scene, sql, "events", is_ordered, &events);
	run(scene, sql, "plain", is_ordered, &plain);
	cr_expect(iq_view_eq(iq_buf_view(&events), iq_buf_view(&plain)),
		  "seed %u: %s\n  events: %.300s\n  plain:  %.300s", seed, sql, events.data, plain.data);
	iq_buf_release(&events);
	iq_buf_release(&plain);
}

Test(sql, answers_as_an_ordinary_table_does)
{
	const char *given = getenv("IQ_TEST_SEED"), *rounds = getenv("IQ_TEST_ROUNDS");
	const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct iq_buf sql = IQ_BUF_INIT;
	struct scene scene;

	srand(seed);
	scene_open(&scene);
	for (unsigned round = rounds ? (unsigned)strtoul(rounds, NULL, 10) : 400; round > 0; round--) {
		bool is_ordered = false;

		if (below(20) == 0)
			execute(&scene,
				below(2) ? "PRAGMA case_sensitive_like = ON" : "PRAGMA case_sensitive_like = OFF");
		iq_buf_clear(&sql);
		switch (below(5)) {
		case 4:
			add_folded(&sql);
			is_ordered = strstr(sql.data, " LIMIT ");
			break;
		case 0:
			add_grouped(&sql);
			is_ordered = strstr(sql.data, " ORDER BY ");
			break;
		case 1:
			add_joined(&sql);
			break;
		default:
			add_ordered(&sql);
			is_ordered = true;
			break;
		}
		compare(&scene, sql.data, is_ordered, seed);
	}
	iq_buf_release(&sql);
	scene_close(&scene);
}

Test(sql, adds_up_as_an_ordinary_table_does)
{
	const unsigned seed = (unsigned)time(NULL);
	struct iq_buf function = IQ_BUF_INIT, plain = IQ_BUF_INIT, ours = IQ_BUF_INIT, theirs = IQ_BUF_INIT;
	struct scene scene;

	srand(seed);
	scene_open(&scene);
	for (unsigned round = 0; round < 60; round++) {
		iq_buf_clear(&function);
		iq_buf_clear(&plain);
		iq_buf_clear(&ours);
		iq_buf_clear(&theirs);
		add_aggregates(&function, &plain);
		run(&scene, function.data, "", false, &ours);
		run(&scene, plain.data, "", false, &theirs);
		cr_expect(iq_view_eq(iq_buf_view(&ours), iq_buf_view(&theirs)),
			  "seed %u: %s\n  ours: %.300s\n  plain: %.300s", seed, function.data, ours.data, theirs.data);
	}
	scene_close(&scene);
	iq_buf_release(&function);
	iq_buf_release(&plain);
	iq_buf_release(&ours);
	iq_buf_release(&theirs);
}

/* ---- Which statements are folded ---- */

static int steps_of(struct scene *scene, const char *sql)
{
	sqlite3_stmt *statement;
	int steps;

	cr_assert_eq(sqlite3_prepare_v2(scene->db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sql);
	while (sqlite3_step(statement) == SQLITE_ROW)
		continue;
	steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
	(void)sqlite3_finalize(statement);
	return steps;
}

/* A row costs a step at least. */
static bool is_folded(struct scene *scene, const char *sql)
{
	return steps_of(scene, sql) < (int)(MANY_EVENTS + (COMMITS - 1) * EVENTS);
}

Test(sql, gives_sums_and_extremes_instead_of_rows)
{
	static const char *const folded[] = {
		"SELECT sum(length) FROM events",
		"SELECT session, max(ts) FROM events GROUP BY session",
		"SELECT e.type AS t, MIN(e.seq), max(e.seq) last FROM events AS e GROUP BY e.type ORDER BY t DESC LIMIT 2;",
		"SELECT kind, (max(ts) - min(ts)) / 1e9 FROM events WHERE ts > 5 AND kind IN ('log', 'x') GROUP BY kind",
		"SELECT sum(id) FROM events WHERE seq BETWEEN -1 AND 3 -- and no more\n",
		"SELECT source, direction, sum(offset) FROM events /* all */ GROUP BY source, direction",
		"SELECT evidence, max(time) FROM events WHERE type IS NOT NULL GROUP BY evidence HAVING max(id) > 3",
	};
	struct scene scene;

	srand(1);
	scene_open(&scene);
	for (size_t i = 0; i < sizeof(folded) / sizeof(folded[0]); i++)
		cr_expect(is_folded(&scene, folded[i]), "%s", folded[i]);
	scene_close(&scene);
}

Test(sql, gives_rows_where_it_cannot_be_sure)
{
	static const char statement[] = "SELECT max(seq), sum(id) FROM events";
	struct scene scene;
	sqlite3_stmt *other;

	srand(1);
	scene_open(&scene);
	cr_expect(is_folded(&scene, statement));
	cr_assert_eq(sqlite3_prepare_v2(scene.db, "SELECT id FROM plain", -1, &other, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(other), SQLITE_ROW);
	cr_expect_not(is_folded(&scene, statement), "two statements run");
	(void)sqlite3_reset(other);
	cr_expect(is_folded(&scene, statement));
	execute(&scene, "CREATE TEMP VIEW events AS SELECT * FROM main.events WHERE abs(id) < 20");
	cr_expect_not(is_folded(&scene, statement), "events is a view");
	compare(&scene, "SELECT max(seq), sum(id) FROM @ WHERE abs(id) < 20", true, 1);
	execute(&scene, "DROP VIEW events");
	cr_expect(is_folded(&scene, statement));
	(void)sqlite3_finalize(other);
	scene_close(&scene);
}

/* A sum() of the host's own, which counts. */
static void count_step(sqlite3_context *context, int argc, sqlite3_value **argv)
{
	int *count = sqlite3_aggregate_context(context, sizeof(*count));

	(void)argc;
	(void)argv;
	++*count;
}

static void count_final(sqlite3_context *context)
{
	int *count = sqlite3_aggregate_context(context, sizeof(*count));

	sqlite3_result_int(context, *count);
}

Test(sql, leaves_functions_of_the_host_their_rows)
{
	struct scene scene;

	srand(1);
	scene_open(&scene);
	cr_assert_eq(
		sqlite3_create_function_v2(scene.db, "SUM", 1, SQLITE_UTF8, NULL, NULL, count_step, count_final, NULL),
		SQLITE_OK);
	compare(&scene, "SELECT sum(id) FROM @", true, 1);
	scene_close(&scene);
}

/* Each of these names a column that is neither a group nor the one argument of a total, or is more than the reader knows. */
Test(sql, reads_nothing_else_as_a_statement_of_totals)
{
	static const char *const others[] = {
		"SELECT session FROM events",
		"SELECT 1 FROM events",
		"SELECT * FROM events GROUP BY session",
		"SELECT session, count(*) FROM events GROUP BY session",
		"SELECT count(session) FROM events",
		"SELECT avg(seq) FROM events",
		"SELECT total(seq) FROM events",
		"SELECT max(type) FROM events",
		"SELECT sum(time) FROM events",
		"SELECT sum(seq), max(seq) FROM events",
		"SELECT evidence, max(evidence) FROM events GROUP BY evidence",
		"SELECT max(DISTINCT seq) FROM events",
		"SELECT max(seq) FILTER (WHERE id > 5) FROM events",
		"SELECT max(seq) OVER () FROM events",
		"SELECT max(seq) OVER w FROM events WINDOW w AS ()",
		"SELECT max(seq, id) FROM events",
		"SELECT max(seq + 1) FROM events",
		"SELECT max(+seq) FROM events",
		"SELECT max(seq) + id FROM events",
		"SELECT max(seq) + 0xe+id FROM events",
		"SELECT max(seq), type FROM events GROUP BY session",
		"SELECT max(seq) FROM events GROUP BY session COLLATE NOCASE",
		"SELECT max(seq) FROM events GROUP BY session || type",
		"SELECT max(seq) FROM events GROUP BY seq",
		"SELECT DISTINCT max(seq) FROM events GROUP BY session",
		"SELECT max(seq) FROM events WHERE seq + 1 > 5",
		"SELECT max(seq) FROM events WHERE seq > 5 + id",
		"SELECT max(seq) FROM events WHERE seq > id",
		"SELECT max(seq) FROM events WHERE seq > 5 OR id = 3",
		"SELECT max(seq) FROM events WHERE NOT seq > 5",
		"SELECT max(seq) FROM events WHERE body = 'x'",
		"SELECT max(seq) FROM events WHERE type = 'x' COLLATE NOCASE",
		"SELECT max(seq) FROM events WHERE seq IN (SELECT 5)",
		"SELECT max(seq) FROM events WHERE rowid = 5",
		"SELECT max(seq) FROM events, events",
		"SELECT max(seq) FROM events JOIN other",
		"SELECT max(seq) FROM events NATURAL JOIN other",
		"SELECT max(seq) FROM main.events",
		"SELECT max(seq) FROM other",
		"SELECT max(seq) FROM events UNION SELECT 5",
		"SELECT max(seq) FROM (SELECT * FROM events)",
		"SELECT max(seq) FROM events HAVING id > 5",
		"SELECT max(seq) FROM events GROUP BY session ORDER BY id",
		"SELECT max(seq) FROM events GROUP BY session ORDER BY count(*)",
		"SELECT max(seq) FROM events LIMIT (SELECT 1)",
		"SELECT max(seq) AS id FROM events GROUP BY session ORDER BY id + 1",
		"SELECT (SELECT max(seq) FROM events)",
		"SELECT (SELECT max(id) FROM other) FROM events GROUP BY session",
		"WITH events AS (SELECT 5 AS seq) SELECT max(seq) FROM events",
		"INSERT INTO other SELECT max(seq) FROM events",
		"SELECT max(seq) FROM events; SELECT 5",
		"SELECT max(seq) FROM events 'unfinished",
		"SELECT max(seq) AS \"",
		"SELECT",
		"",
	};
	struct iq_sql_totals totals;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_not(iq_sql_totals_read(others[i], &totals), "%s", others[i]);
	cr_expect(iq_sql_totals_read("SELECT max(seq) + 0xe + min(id) FROM events", &totals));
}
