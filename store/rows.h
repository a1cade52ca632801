/* store/rows.h - every row of some segments, whole: what a segment is written from again, and what two are compared by.
 * Private to store/. One chunk is in memory at a time.
 */
#ifndef IQ_STORE_ROWS_H
#define IQ_STORE_ROWS_H

#include "store/segment.h"

/* Views: Borrowed until the next row is asked for; names until the segment is closed. */
struct iq_row {
	struct iq_event event; /* `session` is the name in the evidence */
	uint32_t source_no;
	struct iq_view raw; /* the bytes of its evidence from the end of the event before it to its own */
	uint64_t raw_offset;
	int64_t lead;
	int64_t excess;
};

struct iq_rows {
	struct iq_segment *const *segments;
	size_t count;
	size_t segment;
	size_t zone;
	uint32_t row;
	bool loaded;
	struct iq_chunk chunk;
	struct iq_buf texts[3]; /* key, body, attrs */
};

/* The segments must outlive it. Release with iq_rows_release(). */
void iq_rows_init(struct iq_rows *rows, struct iq_segment *const *segments, size_t count);
void iq_rows_release(struct iq_rows *rows);
/* 1 and a row, 0 at the end, negative on error. */
int iq_rows_next(struct iq_rows *rows, struct iq_row *ret_row, struct iq_error *error);

#endif
