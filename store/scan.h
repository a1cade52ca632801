/* store/scan.h - the events of a store a run of rows at a time, as columns: what the SQL tables are made of. A reader that
 * wants events one by one takes a cursor (<inquest/store.h>). Part of the door store/store.h.
 *
 *	iq_scan_open(store, &options, &scan, &error);
 *	while ((rc = iq_scan_next(scan, &run, &error)) > 0)
 *		for (size_t i = 0; i < run.count; i++)
 *			use(run.block->numbers[IQ_COLUMN_TS][run.rows[i]]);
 *	iq_scan_close(scan);
 *
 * A scan leaves unopened what the manifest excludes, undecoded what a zone map or a body filter excludes, and unbuilt the
 * texts whose parts exclude them. Chunks ahead of the reader are decoded by worker threads, at most IQ_SCAN_AHEAD of them;
 * a scan that orders by time or by group holds more, see iq_scan_can_order(). Belongs, with its store, to one thread.
 */
#ifndef IQ_STORE_SCAN_H
#define IQ_STORE_SCAN_H

#include <inquest/store.h>

/* Threads that decode, the reader's included. */
#define IQ_SCAN_THREADS 2u
/* Chunks that are decoded before the reader asks for them. */
#define IQ_SCAN_AHEAD 2u
/* Chunks whose times overlap that an order by time may hold at once. */
#define IQ_SCAN_MAX_OVERLAP 12u
/* Bytes of columns that an order by group may hold. */
#define IQ_SCAN_GROUP_BYTES (256u << 20)

struct iq_segment;
struct iq_zone;

/* Numbers from `min` to `max`, both included. */
struct iq_range {
	int64_t min;
	int64_t max;
};

/* One thing that an event must fulfil. Borrowed, with what it points to, until the scan is closed. */
struct iq_test {
	enum iq_column column;
	/* Columns of numbers, and sessions by number: passes what lies in one of the ranges, which ascend and do not overlap.
	 * With `accept` set they are not looked at. */
	const struct iq_range *ranges;
	size_t range_count;
	bool nulls; /* events without a number pass, too */
	/* Columns of texts: passes what it returns true for. It is asked once for each different text of a chunk where there are
	 * few; the NULL view where there is none. Called from several threads. */
	bool (*accept)(void *context, struct iq_view text, bool is_binary);
	void *context;
	/* Texts that do not contain all of these do not pass. */
	const struct iq_view *literals;
	size_t literal_count;
	bool folded; /* whatever the case of their ASCII letters */
};

enum iq_scan_order {
	IQ_SCAN_ID,
	IQ_SCAN_ID_DESC,
	IQ_SCAN_TS, /* events without ts first, events of one ts by id */
	IQ_SCAN_TS_DESC,
	IQ_SCAN_GROUP, /* by the text of one column, bytewise, events without it first; inside a group by id */
	IQ_SCAN_GROUP_DESC
};

struct iq_scan_options {
	const struct iq_test *tests;
	size_t test_count;
	uint32_t columns; /* bits of enum iq_column that are read */
	bool number_keys; /* see iq_block; not in an order by group */
	enum iq_scan_order order;
	enum iq_column group; /* SOURCE, SESSION, KIND, DIRECTION, TYPE or SEVERITY */
	bool only_groups;     /* runs have a key and a count, and no rows: one run a group */
	/* Private to store/: asked of each chunk that may match; where it returns true the chunk is left out, as the zone map
	 * told all that is wanted of it. May be NULL. */
	bool (*told)(void *context, struct iq_segment *segment, const struct iq_zone *zone);
	void *told_context;
};

/* Decoded columns of some events. Numbers are by row; columns that were not asked for are NULL. */
struct iq_block {
	uint64_t serial; /* another number for every block of a scan */
	uint64_t id_first;
	/* ID: NULL where it was not asked for, or a row's id is id_first + row: see iq_block_id(). SOURCE, SESSION: numbers, 0 for none. KIND, DIRECTION, SEVERITY: enums.
	 * TYPE: index in `types`. IQ_NUMBER_NONE for none. */
	const int64_t *numbers[IQ_COLUMN_COUNT];
	const struct iq_view *types; /* the NULL view first */
	size_t type_count;	     /* without that */
	const uint32_t *
		keys; /* numbers from 1 up to key_count that tell keys of this block apart, 0 for none; NULL if not asked for */
	size_t key_count;
	struct iq_chunk *chunk; /* private */
};

struct iq_run {
	const struct iq_block *block;
	const uint32_t *rows;
	uint64_t count;
	struct iq_view key; /* orders by group */
};

struct iq_scan;

/* Caller owns; release with iq_scan_close(). */
int iq_scan_open(struct iq_store *store, const struct iq_scan_options *options, struct iq_scan **ret_scan,
		 struct iq_error *error);
/* 1 and a run, 0 at the end, negative on error. Borrowed until the next call. */
int iq_scan_next(struct iq_scan *scan, struct iq_run *ret_run, struct iq_error *error);
void iq_scan_close(struct iq_scan *scan);

/* The id of a row, whether or not it was asked for. */
int iq_block_id(const struct iq_block *block, uint32_t row, uint64_t *ret_id, struct iq_error *error);
/* KEY, BODY or ATTRS of a row. Borrowed until the next call for the block. */
int iq_block_text(const struct iq_block *block, enum iq_column column, uint32_t row, struct iq_view *ret_text,
		  bool *ret_is_binary, struct iq_error *error);

/* Can a scan over these columns deliver the order within its bounds of memory? */
int iq_scan_can_order(struct iq_store *store, const struct iq_scan_options *options, bool *ret_can,
		      struct iq_error *error);
/* About how many events pass the tests, from the zone maps; and how many different values a column has, for tests whose value
 * is not known yet. Segments are opened, unless there are very many. */
int iq_scan_estimate(struct iq_store *store, const struct iq_test *tests, size_t count, double *ret_events,
		     struct iq_error *error);
int iq_scan_distinct(struct iq_store *store, enum iq_column column, double *ret_values, struct iq_error *error);

/* `s41` for 41. */
#define IQ_SESSION_NAME_SIZE 12u
struct iq_view iq_session_name(uint32_t no, char name[IQ_SESSION_NAME_SIZE]);

#endif
