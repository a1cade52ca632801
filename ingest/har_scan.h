/* ingest/har_scan.h - finds the entries of a HAR in a stream of bytes, one at a time.
 *
 * A HAR is one JSON object, {"log":{...,"entries":[ENTRY,...]}}, which may be large. The scan follows strings and
 * brackets and holds one ENTRY; whether that is valid JSON is for its reader to see. What lies around the entries
 * belongs to the range of a neighbour: what is before the first one to the first, everything else to the one before it.
 */
#ifndef IQ_INGEST_HAR_SCAN_H
#define IQ_INGEST_HAR_SCAN_H

#include "base/base.h"

/* Entries larger than this are not taken in. */
#define IQ_HAR_MAX_ENTRY (112u << 20)

struct iq_har_entry {
	struct iq_view text; /* the object, as far as it came; NULL if it was too large. Borrowed until the callback
				returns. */
	uint64_t offset;     /* of the object in the stream */
	uint64_t start;	     /* of its range, with what belongs to it */
	uint64_t end;
	bool complete; /* false: the stream ended within it */
};

/* Takes one entry; negative stops the scan with that status. */
typedef int iq_har_entry_fn(void *context, const struct iq_har_entry *entry, struct iq_error *error);

enum iq_har_place {
	IQ_HAR_BEFORE, /* nothing but white space so far */
	IQ_HAR_WITHIN,
	IQ_HAR_AFTER,	/* the object is complete */
	IQ_HAR_TRAILING /* and something other than white space came after it */
};

struct iq_har_scan {
	iq_har_entry_fn *take;
	void *context;
	uint64_t from;
	uint64_t position; /* in the stream */
	enum iq_har_place place;
	uint64_t trailing; /* where what is no part of the HAR begins */
	uint64_t depth;	   /* open brackets */
	bool in_string;
	bool escaped;	 /* after a backslash */
	bool in_log;	 /* within the value of "log" */
	bool in_entries; /* within the array of entries */
	char name[8];	 /* the beginning of the last string outside of entries */
	size_t name_len;
	struct iq_buf text; /* the entry at hand */
	uint64_t text_offset;
	uint64_t text_end; /* set with `text_held` */
	bool text_open;	   /* its end has not come yet */
	bool text_held;	   /* complete; handed out when it is known where its range ends */
	bool text_too_large;
	uint64_t entries; /* handed out or held */
};

/* The bytes begin at `from` in the stream. */
void iq_har_scan_init(struct iq_har_scan *scan, uint64_t from, iq_har_entry_fn *take, void *context);
void iq_har_scan_release(struct iq_har_scan *scan);
/* Takes the next bytes, hands out the entries they complete. 0, IQ_ERR_NOMEM, or what the callback returned. */
int iq_har_scan_feed(struct iq_har_scan *scan, struct iq_view bytes, struct iq_error *error);
/* The stream ended: hands out the last entry. `scan->place` tells how it ended. */
int iq_har_scan_end(struct iq_har_scan *scan, struct iq_error *error);

#endif
