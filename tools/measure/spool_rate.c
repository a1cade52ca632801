/* How many records a second become durable:
 *
 *     spool-rate spool|stream|sqlite DIRECTORY RECORDS BATCH
 *
 * hands over RECORDS records of 256 bytes and prints how many a second were acknowledged. `spool` is a live writer that waits after each BATCH
 * until they are, `stream` one that goes on meanwhile, unless too many are not; `sqlite` inserts them into a table of one column in WAL
 * mode with synchronous=FULL, a transaction a batch. Sealing and checkpoints at the end are not in the figure. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "store/store.h"

enum { RECORD = 256, MAX_WAITING = 50000 };

/* A side of the comparison: `put` takes a record, `commit` ends a batch, `finish` returns when all records are
 * durable. Each returns 0 or -1. */
struct side {
	const char *name;
	int (*open)(const char *directory);
	int (*put)(const char *record, int64_t number);
	int (*commit)(void);
	int (*finish)(void);
	void (*close)(void);
};

static struct iq_live *live;
static sqlite3 *db;
static sqlite3_stmt *insert;
static bool in_transaction;

static int spool_open(const char *directory)
{
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	options.name = "rate.ndjson";
	options.format = "ndjson";
	if (iq_live_open(directory, &options, &live, &error) == 0)
		return 0;
	(void)fprintf(stderr, "spool-rate: %s\n", error.message);
	return -1;
}

static int spool_put(const char *record, int64_t number)
{
	struct iq_event event = IQ_EVENT_INIT;
	event.ts = 1795403232000000000 + number * 1000;
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.source = IQ_LIT("proxy");
	event.session = IQ_LIT("c1");
	event.body = iq_view_make(record, RECORD);
	return iq_live_event(live, &event, event.body) == 0 ? -1 : 0;
}

static int spool_flush(void)
{
	struct iq_error error = IQ_ERROR_INIT;
	return iq_live_flush(live, &error);
}

/* What waits is held in memory, so there is a bound. */
static int stream_commit(void)
{
	struct iq_live_status status;
	iq_live_status(live, &status);
	return status.taken - status.acknowledged < MAX_WAITING ? 0 : spool_flush();
}

static void spool_close(void)
{
	iq_live_free(live);
}

static int sqlite_open(const char *directory)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s.db", directory);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE records(data BLOB)",
			 NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	return sqlite3_prepare_v2(db, "INSERT INTO records VALUES (?)", -1, &insert, NULL) == SQLITE_OK ? 0 : -1;
}

static int sqlite_put(const char *record, int64_t number)
{
	(void)number;
	if (!in_transaction && sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	in_transaction = true;
	sqlite3_bind_blob(insert, 1, record, RECORD, SQLITE_STATIC);
	int code = sqlite3_step(insert);
	sqlite3_reset(insert);
	return code == SQLITE_DONE ? 0 : -1;
}

static int sqlite_commit(void)
{
	in_transaction = false;
	return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int sqlite_finish(void)
{
	return 0; /* the last batch was whole */
}

static void sqlite_close(void)
{
	sqlite3_finalize(insert);
	sqlite3_close(db);
}

static const struct side sides[] = {
	{ "spool", spool_open, spool_put, spool_flush, spool_flush, spool_close },
	{ "stream", spool_open, spool_put, stream_commit, spool_flush, spool_close },
	{ "sqlite", sqlite_open, sqlite_put, sqlite_commit, sqlite_finish, sqlite_close },
};

/* Records that differ, as records do, and cost little to make: a piece of one text that begins elsewhere in each. */
static void make_record(char *record, int64_t number)
{
	static char text[4096];
	if (!text[0])
		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = (char)('a' + (at * at + at / 7) % 26);
	int length = snprintf(record, RECORD, "{\"type\":\"tick\",\"n\":%" PRId64 ",\"text\":\"", number);
	memcpy(record + length, text + (size_t)(number * 37) % (sizeof(text) - RECORD), (size_t)(RECORD - length));
}

static int run(const struct side *side, int64_t records, int64_t batch, double *ret_seconds)
{
	char record[RECORD];
	int64_t begun = iq_clock_monotonic();
	for (int64_t number = 1; number <= records; number++) {
		make_record(record, number);
		if (side->put(record, number) < 0 || (number % batch == 0 && side->commit() < 0))
			return -1;
	}
	if (side->finish() < 0)
		return -1;
	*ret_seconds = (double)(iq_clock_monotonic() - begun) / 1e9;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int64_t batch = strtoll(argv[4], NULL, 10), records = strtoll(argv[3], NULL, 10) / batch * batch;
	for (size_t at = 0; at < sizeof sides / sizeof *sides; at++) {
		double seconds;
		if (strcmp(sides[at].name, argv[1]) != 0)
			continue;
		if (sides[at].open(argv[2]) < 0 || run(&sides[at], records, batch, &seconds) < 0) {
			(void)fprintf(stderr, "spool-rate: %s failed\n", argv[1]);
			return 4;
		}
		sides[at].close();
		(void)printf("%.0f\n", (double)records / seconds);
		return 0;
	}
	return 2;
}
