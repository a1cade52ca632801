/* A bit that flips in any file of a store is reported, or no answer differs for it: SQL over all tables, the events as they are
 * exported, and the raw bytes. IQ_TEST_BITS says how many are tried in each file, `all` each one. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inquest/sql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

static void fill(const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store_writer *writer;
	struct iq_evidence evidence;
	struct iq_sink *sink;
	uint64_t offset = 0;

	cr_assert_eq(iq_store_writer_open(path, &writer, &error), 0, "%s", error.message);
	sink = iq_store_writer_sink(writer);
	cr_assert_eq(iq_store_writer_evidence_begin(writer, IQ_LIT("a"), IQ_LIT("ndjson"), &error), 0);
	for (int i = 0; i < 40; i++) {
		struct iq_event event = IQ_EVENT_INIT;
		char raw[160];
		int len = snprintf(raw, sizeof(raw), "{\"type\":\"step\",\"n\":%d,\"id\":\"%08x\",\"at\":%d.5}\n", i,
				   (unsigned)i * 2654435761u, i * 7);

		event.kind = i % 9 ? IQ_KIND_WS_MESSAGE : IQ_KIND_LOG;
		event.ts = 1795403232000000000 + i * 1000003;
		event.source = i % 4 ? IQ_LIT("proxy") : IQ_LIT("api");
		event.session = i % 3 ? IQ_LIT("c1") : IQ_LIT("c2");
		event.type = i % 5 ? IQ_LIT("step") : IQ_LIT("leap");
		event.body = iq_view_make(raw, (size_t)len - 1);
		event.offset = offset;
		event.length = (uint64_t)len;
		offset += event.length;
		cr_assert_eq(iq_store_writer_raw(writer, raw, (size_t)len, &error), 0);
		cr_assert_eq(sink->event(sink->context, &event, &error), 0);
		if (i == 20) {
			cr_assert_eq(iq_store_writer_raw(writer, "stray\n", 6, &error), 0);
			offset += 6;
		}
	}
	cr_assert_eq(iq_store_writer_evidence_end(writer, &evidence, &error), 0);
	cr_assert_eq(iq_store_writer_commit(writer, &error), 0, "%s", error.message);
	iq_store_writer_free(writer);
}

/* ---- Everything that a store answers; negative where it says that it cannot ---- */

static int append_row(void *context, int count, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < count; i++)
		(void)iq_buf_appendf(context, "%s|", values[i] ? values[i] : "-");
	return iq_buf_append_cstr(context, "\n");
}

static int ask_sql(const char *path, struct iq_buf *out)
{
	static const char *const queries[] = {
		"SELECT * FROM events",
		"SELECT id FROM events WHERE body LIKE '%step%' AND session = 's1' ORDER BY ts DESC",
		"SELECT type, source, count(*), min(ts) FROM events GROUP BY type, source",
		"SELECT * FROM sessions",
		"SELECT * FROM sources",
		"SELECT * FROM evidence",
		"SELECT * FROM gaps",
	};
	sqlite3 *db = NULL;
	int rc = -1;

	if (sqlite3_open(":memory:", &db) == SQLITE_OK)
		rc = iq_sql_register(db, path, NULL);
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries) && rc == 0; i++)
		if (sqlite3_exec(db, queries[i], append_row, out, NULL) != SQLITE_OK)
			rc = -1;
	(void)sqlite3_close(db);
	return rc;
}

static int ask_cursor(const char *path, struct iq_buf *out)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_store *store;
	struct iq_event event;
	int rc = iq_store_open(path, &store, &error);

	if (rc < 0)
		return rc;
	rc = iq_cursor_open(store, NULL, &cursor, &error);
	while (rc >= 0 && (rc = iq_cursor_next(cursor, &event, &error)) > 0)
		rc = iq_event_append_ndjson(out, &event);
	if (rc == 0)
		rc = iq_store_read_raw(store, 1, 0, UINT64_MAX, out, &error);
	iq_cursor_close(cursor);
	iq_store_close(store);
	return rc;
}

static int ask(const char *path, struct iq_buf *out)
{
	int rc = ask_cursor(path, out);

	return rc < 0 ? rc : ask_sql(path, out);
}

/* ---- Flipping ---- */

static void flip(int fd, off_t bit)
{
	unsigned char byte;

	cr_assert_eq(pread(fd, &byte, 1, bit / 8), 1);
	byte = (unsigned char)(byte ^ 1 << bit % 8);
	cr_assert_eq(pwrite(fd, &byte, 1, bit / 8), 1);
}

static off_t pick(off_t bits)
{
	return (off_t)((double)rand() / ((double)RAND_MAX + 1) * (double)bits);
}

static void flip_bits(const char *path, const char *name, const struct iq_buf *expected, unsigned seed)
{
	const char *wanted = getenv("IQ_TEST_BITS");
	const bool all = wanted && strcmp(wanted, "all") == 0;
	char *file = iq_path_join(path, name);
	struct iq_buf found = IQ_BUF_INIT;
	struct stat info;
	off_t tries;
	int fd;

	(void)chmod(file, 0600);
	fd = open(file, O_RDWR);
	cr_assert(fd >= 0 && fstat(fd, &info) == 0, "%s", file);
	tries = all ? info.st_size * 8 : wanted ? atol(wanted) : 300;
	for (off_t i = 0; i < tries; i++) {
		const off_t bit = all ? i : pick(info.st_size * 8);
		int rc;

		iq_buf_clear(&found);
		flip(fd, bit);
		rc = ask(path, &found);
		flip(fd, bit);
		cr_assert(rc < 0 || iq_view_eq(iq_buf_view(&found), iq_buf_view(expected)),
			  "IQ_TEST_SEED=%u: bit %ld of %s gives another answer", seed, (long)bit, name);
	}
	(void)close(fd);
	iq_buf_release(&found);
	free(file);
}

Test(bits, flipped_in_any_file_give_no_other_answer, .timeout = 36000)
{
	const char *given = getenv("IQ_TEST_SEED");
	const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	char directory[] = "/tmp/inquest-bits-XXXXXX";
	struct iq_buf expected = IQ_BUF_INIT;
	char *path;

	cr_assert(mkdtemp(directory));
	path = iq_path_join(directory, "case");
	srand(seed);
	fill(path);
	cr_assert_eq(ask(path, &expected), 0);
	cr_assert_gt(expected.len, 5000);
	flip_bits(path, "manifest", &expected, seed);
	flip_bits(path, "segments/00000001.seg", &expected, seed);
	iq_buf_release(&expected);
	free(path);
	cr_expect_eq(iq_file_remove_tree(directory, NULL), 0);
}
