/* inquest/store.h - reading a store: open it, look at its tables, run a cursor over its events.
 *
 *	struct iq_error error = IQ_ERROR_INIT;
 *	struct iq_store *store;
 *	struct iq_cursor *cursor;
 *	struct iq_event event;
 *	if (iq_store_open("case", &store, &error) < 0) ...
 *	iq_cursor_open(store, NULL, &cursor, &error);
 *	while ((rc = iq_cursor_next(cursor, &event, &error)) > 0) ...
 *	iq_cursor_close(cursor);
 *	iq_store_close(store);
 */
#ifndef INQUEST_STORE_H
#define INQUEST_STORE_H

#include <inquest/event.h>

struct iq_store;
struct iq_cursor;

enum iq_session_state {
	IQ_SESSION_OPEN,   /* the capture ended first */
	IQ_SESSION_CLOSED, /* a close was seen */
	IQ_SESSION_CUT,	   /* the transport ended without a close */
	IQ_SESSION_REFUSED /* never opened */
};

/* `open`, `closed`, `cut`, `refused`. Static. */
IQ_API const char *iq_session_state_name(enum iq_session_state state);

/* One row of the `sessions` table. Views: Borrowed until the store is closed. */
struct iq_session {
	uint32_t no;	     /* the 41 of `s41` */
	struct iq_view name; /* what the evidence calls it */
	struct iq_view source;
	int64_t started; /* smallest and largest ts of its events */
	int64_t ended;
	uint64_t events;
	bool start_seen;
	bool end_seen;
	enum iq_session_state state;
	uint64_t first_event; /* id of its first and of its last event */
	uint64_t last_event;
};

/* One row of `sources`: coverage runs from its first to its last record, less its gaps. */
struct iq_source {
	uint32_t no;
	struct iq_view name;
	uint64_t events;
	int64_t first;
	int64_t last;
	int64_t skew;	    /* ns, see iq_store_set_skew(); 0 unless it was set */
	int64_t skew_width; /* how far that may be wrong, either way */
	bool skew_given;
};

/* One row of `evidence`. `accounted` equals `bytes`: each byte is in a record or in a gap. */
struct iq_evidence {
	uint32_t no;
	struct iq_view path;   /* as it was named, with `container` layers noted (`x.log.gz`) */
	struct iq_view format; /* `docker-json`, `har`, `ndjson` */
	uint64_t bytes;	       /* of the decompressed stream, which is what offsets count */
	uint64_t accounted;
	uint64_t records;
	uint64_t gaps;
	uint64_t dropped;	 /* bytes that were removed since, with their records: the gaps say which */
	struct iq_view redacted; /* what was replaced, and the key's id: the raw bytes were not kept. NULL: they were */
	int64_t covers_from;	 /* the time for which it is said to be complete, or IQ_TIME_NONE */
	int64_t covers_to;
	uint64_t first_event; /* ids, 0 where it holds none; from a store that was opened */
	uint64_t last_event;
	uint8_t sha256[32]; /* of the decompressed stream, as it was before anything was redacted */
};

/* One row of `templates`: the constant text of alike bodies; see docs/format.md. */
struct iq_template {
	uint64_t id;
	struct iq_view text; /* `<int>`, `<str>` and the like where something varies; `<<` for one `<` */
	uint64_t count;	     /* bodies */
	int64_t first;	     /* smallest and largest ts of their events */
	int64_t last;
};

/* Opens a store (a directory) or a single segment file for reading. Sealed segments are opened with
 * `immutable=1`; schema, version and sizes are checked before anything is believed.
 * Caller owns; release with iq_store_close().
 * Errors: IQ_ERR_NOT_FOUND, IQ_ERR_FORMAT (not a store), IQ_ERR_VERSION (newer), IQ_ERR_CORRUPT, IQ_ERR_IO. */
IQ_API int iq_store_open(const char *path, struct iq_store **ret_store, struct iq_error *error);
/* As iq_store_open(), without opening a segment: cursors open those that the manifest does not exclude, and damage is met when it is
 * read. Sessions, evidence and gaps are empty until iq_store_load(). */
IQ_API int iq_store_open_lazily(const char *path, struct iq_store **ret_store, struct iq_error *error);
/* Reads the tables of all segments, at the first call. Errors: as iq_store_open(). */
IQ_API int iq_store_load(struct iq_store *store, struct iq_error *error);
IQ_API void iq_store_close(struct iq_store *store);

/* Tables of the whole store, folded over its segments. The arrays are ordered by `no` (gaps: by evidence and
 * offset). Borrowed until the store is closed. */
IQ_API const struct iq_session *iq_store_sessions(const struct iq_store *store, size_t *ret_count);
IQ_API const struct iq_source *iq_store_sources(const struct iq_store *store, size_t *ret_count);
IQ_API const struct iq_evidence *iq_store_evidence(const struct iq_store *store, size_t *ret_count);
IQ_API const struct iq_gap *iq_store_gaps(const struct iq_store *store, size_t *ret_count);
/* The row with this number, or NULL. Borrowed until the store is closed. */
IQ_API const struct iq_session *iq_store_find_session(const struct iq_store *store, uint32_t no);
IQ_API const struct iq_evidence *iq_store_find_evidence(const struct iq_store *store, uint32_t no);
/* The templates of the whole store, those with the same text folded, numbered from 1 as they were first met. Read at the first
 * call; Borrowed until the store is closed. Errors: as iq_store_open(). */
IQ_API int iq_store_templates(struct iq_store *store, const struct iq_template **ret_templates, size_t *ret_count,
			      struct iq_error *error);
IQ_API uint64_t iq_store_event_count(const struct iq_store *store);

/* Each source has its own clock. The times of this one are compared with those of others as if they were `ns` later, now and
 * until the store is closed: in the time orders of cursors, in reports. No time changes. Times that are INT64_MAX / 2 from 1970 or more
 * are not shifted. Errors: IQ_ERR_NOT_FOUND. */
IQ_API int iq_store_set_skew(struct iq_store *store, struct iq_view source, int64_t ns, struct iq_error *error);
/* The same where the shift is only known to lie between `least` and `most`: it is taken from the middle, and an order that depends on
 * where in between it is stays undecided. Errors: IQ_ERR_NOT_FOUND, IQ_ERR_USAGE where least > most. */
IQ_API int iq_store_set_skew_range(struct iq_store *store, struct iq_view source, int64_t least, int64_t most,
				   struct iq_error *error);
/* What was set for the source, 0 for nothing. */
IQ_API int64_t iq_store_skew(const struct iq_store *store, struct iq_view source);
/* A time of the source, shifted; IQ_TIME_NONE stays. */
IQ_API int64_t iq_store_align(const struct iq_store *store, struct iq_view source, int64_t ts);
/* How far two sources may be shifted against each other, at most. */
IQ_API int64_t iq_store_skew_span(const struct iq_store *store);

/* Columns for `iq_filter.columns`; a column that is not asked for is not decoded, and its field is NULL/NONE/0. */
enum iq_column {
	IQ_COLUMN_ID,
	IQ_COLUMN_TS,
	IQ_COLUMN_OBSERVED,
	IQ_COLUMN_SOURCE,
	IQ_COLUMN_SESSION,
	IQ_COLUMN_KIND,
	IQ_COLUMN_DIRECTION,
	IQ_COLUMN_TYPE,
	IQ_COLUMN_KEY,
	IQ_COLUMN_SEQ,
	IQ_COLUMN_SEVERITY,
	IQ_COLUMN_BODY,
	IQ_COLUMN_ATTRS,
	IQ_COLUMN_EVIDENCE,
	IQ_COLUMN_OFFSET,
	IQ_COLUMN_LENGTH,
	IQ_COLUMN_COUNT
};
#define IQ_COLUMNS_ALL ((1u << IQ_COLUMN_COUNT) - 1u)

enum iq_order {
	IQ_ORDER_ID, /* evidence order */
	IQ_ORDER_TIME, /* merge of the streams by time, skews added; inside one stream (session, else source) its own order */
	IQ_ORDER_TIME_DESC /* exactly the reverse of IQ_ORDER_TIME */
};

/* What a cursor shall return. Start from IQ_FILTER_INIT. Lists are ORed, fields are ANDed. The lists are copied.
 * Events without a ts match only while ts_min and ts_max are at their defaults. */
struct iq_filter {
	int64_t ts_min;		  /* inclusive */
	int64_t ts_max;		  /* inclusive */
	uint64_t id_min;	  /* inclusive */
	uint64_t id_max;	  /* inclusive */
	uint32_t kinds;		  /* bit per enum iq_kind; 0 = any */
	const uint32_t *sessions; /* session numbers; NULL = any */
	size_t session_count;
	const struct iq_view *types; /* NULL = any */
	size_t type_count;
	const struct iq_view *sources;
	size_t source_count;
	uint32_t columns; /* bit per enum iq_column */
	enum iq_order order;
};
#define IQ_FILTER_INIT \
	{ \
		.ts_min = INT64_MIN, .ts_max = INT64_MAX, .id_min = 0, .id_max = UINT64_MAX, \
		.columns = IQ_COLUMNS_ALL, .order = IQ_ORDER_ID \
	}

/* Opens a cursor; a NULL filter means everything in id order. Chunks whose zone maps exclude the filter are not
 * read. The store must outlive the cursor. Caller owns; release with iq_cursor_close(). */
IQ_API int iq_cursor_open(struct iq_store *store, const struct iq_filter *filter, struct iq_cursor **ret_cursor,
			  struct iq_error *error);
/* 1 and an event, 0 at the end, negative on error. The event's views: Borrowed until the next call on the cursor. */
IQ_API int iq_cursor_next(struct iq_cursor *cursor, struct iq_event *ret_event, struct iq_error *error);
IQ_API void iq_cursor_close(struct iq_cursor *cursor);

#endif
