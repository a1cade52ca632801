/* How many 256-byte records a second are acknowledged: through a spool, and by SQLite in WAL mode with synchronous=FULL, a
 * transaction for as many records as a spool syncs together: spool_bench DIRECTORY [RECORDS]
 *
 * Prints one line of JSON. Each is run twice, in turns, and the better run counts. SQLite stores a number and the 256 bytes; the
 * spool the decoded event as well. The spool's time includes sealing what fills up meanwhile, not the last spool. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"

#define RECORD_BYTES 256
/* In a spool a record takes its bytes and some for the event. */
#define BATCH (IQ_LIVE_SYNC_BYTES / 336)
/* Not acknowledged yet; the spool loses what is far beyond. */
#define MAX_WAITING 50000

static void fill(char bytes[RECORD_BYTES], uint64_t number)
{
	int len = snprintf(bytes, RECORD_BYTES, "{\"type\":\"price\",\"n\":%" PRIu64 ",\"text\":\"", number);

	for (int i = len; i < RECORD_BYTES; i++)
		bytes[i] = (char)('a' + (number * 31 + (uint64_t)i * 7) % 26);
	memcpy(bytes + RECORD_BYTES - 3, "\"}\n", 3);
}

static double seconds_since(int64_t begun)
{
	return (double)(iq_clock_monotonic() - begun) / (double)IQ_NS_PER_S;
}

static void record(struct iq_live *live, uint64_t number)
{
	char bytes[RECORD_BYTES];
	struct iq_event event = IQ_EVENT_INIT;

	fill(bytes, number);
	event.ts = (int64_t)number;
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.source = IQ_LIT("proxy");
	event.session = IQ_LIT("c1");
	event.type = IQ_LIT("price");
	event.body = iq_view_make(bytes, RECORD_BYTES - 1);
	(void)iq_live_event(live, &event, iq_view_make(bytes, RECORD_BYTES));
}

static double run_spool(const char *path, uint64_t records, struct iq_error *error)
{
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	struct iq_live *live;
	double seconds = -1;
	int64_t begun;

	options.name = "proxy.rec";
	options.format = "ndjson";
	if (iq_live_open(path, &options, &live, error) < 0)
		return -1;
	begun = iq_clock_monotonic();
	for (uint64_t i = 1; i <= records; i++) {
		while (i % 1024 == 0 && i - iq_live_acknowledged(live) > MAX_WAITING)
			(void)usleep(500);
		record(live, i);
	}
	if (iq_live_flush(live, error) == 0)
		seconds = seconds_since(begun);
	if (iq_live_acknowledged(live) != records)
		seconds = -1;
	iq_live_free(live);
	return seconds;
}

static bool insert_all(sqlite3 *db, uint64_t records)
{
	sqlite3_stmt *statement = NULL;
	char bytes[RECORD_BYTES];
	bool good = sqlite3_prepare_v2(db, "INSERT INTO records VALUES(?1, ?2)", -1, &statement, NULL) == SQLITE_OK;

	for (uint64_t i = 1; i <= records && good; i++) {
		if (i % BATCH == 1)
			good = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK;
		fill(bytes, i);
		(void)sqlite3_bind_int64(statement, 1, (int64_t)i);
		(void)sqlite3_bind_blob(statement, 2, bytes, sizeof(bytes), SQLITE_STATIC);
		good = good && sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK;
		if (i % BATCH == 0 || i == records)
			good = good && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	}
	(void)sqlite3_finalize(statement);
	return good;
}

static double run_sqlite(const char *path, uint64_t records)
{
	sqlite3 *db = NULL;
	double seconds = -1;
	int64_t begun;

	if (sqlite3_open(path, &db) == SQLITE_OK &&
	    sqlite3_exec(db,
			 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			 "CREATE TABLE records(id INTEGER PRIMARY KEY, bytes BLOB)",
			 NULL, NULL, NULL) == SQLITE_OK) {
		begun = iq_clock_monotonic();
		if (insert_all(db, records))
			seconds = seconds_since(begun);
	}
	(void)sqlite3_close(db);
	return seconds;
}

/* The better time of both, or the negative one of a run that failed. */
static double better(double best, double now)
{
	return best == 0 || now < best ? now : best;
}

int main(int argc, char **argv)
{
	const uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	struct iq_error error = IQ_ERROR_INIT;
	double spool = 0, sqlite = 0;
	char path[4096];

	if (argc < 2)
		return 2;
	for (unsigned run = 0; run < 2; run++) {
		(void)snprintf(path, sizeof(path), "%s/case-%u", argv[1], run);
		spool = better(spool, run_spool(path, records, &error));
		(void)iq_file_remove_tree(path, NULL);
		(void)snprintf(path, sizeof(path), "%s/sqlite-%u.db", argv[1], run);
		sqlite = better(sqlite, run_sqlite(path, records));
		(void)unlink(path);
	}
	if (spool <= 0 || sqlite <= 0) {
		(void)fprintf(stderr, "spool_bench: %s\n", error.message[0] ? error.message : "a run failed");
		return 4;
	}
	(void)printf("{\"records\":%" PRIu64
		     ",\"batch\":%d,\"spool_per_s\":%.0f,\"sqlite_per_s\":%.0f,\"ratio\":%.2f}\n",
		     records, BATCH, (double)records / spool, (double)records / sqlite, sqlite / spool);
	return 0;
}
