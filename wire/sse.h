/* wire/sse.h - server-sent events (the `text/event-stream` of HTML, section 9.2): bytes in, events out, with the same result however the
 * bytes are cut. Free of I/O.
 */
#ifndef IQ_WIRE_SSE_H
#define IQ_WIRE_SSE_H

#include "base/base.h"

/* Of one event that is kept; what is longer is cut. */
#define IQ_SSE_MAX_EVENT (16u << 20)

/* Views: Borrowed until the next call. */
struct iq_sse_event {
	struct iq_view name; /* NULL: none was said, `message` */
	struct iq_view id;   /* of this event; NULL: none was said */
	struct iq_view data; /* lines joined by LF */
	struct iq_view raw;  /* its lines, with the blank one that ends it */
	bool is_cut;
	int64_t first; /* when its first byte came */
};

struct iq_sse {
	struct iq_buf raw;
	struct iq_buf data;
	struct iq_buf name;
	struct iq_buf id;
	size_t line_at; /* in raw */
	bool has_data;
	bool has_name;
	bool has_id;
	bool after_cr; /* an LF that follows belongs to it */
	bool given;    /* what is here was given out */
	bool is_cut;
	bool begun; /* not the first line of all, which may have a byte order mark */
	int64_t first;
};

void iq_sse_release(struct iq_sse *sse); /* Begins as zeros. */
/* Takes bytes from the front of *bytes: 1 and an event, 0 when all were taken, or IQ_ERR_NOMEM. `now`: when they came. */
int iq_sse_next(struct iq_sse *sse, struct iq_view *bytes, int64_t now, struct iq_sse_event *ret_event);

#endif
