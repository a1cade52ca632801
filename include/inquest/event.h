/* inquest/event.h - the event: one record of evidence, in the columns that every verb and the SQL table share.
 */
#ifndef INQUEST_EVENT_H
#define INQUEST_EVENT_H

#include <inquest/base.h>

/* No time is known. Times are nanoseconds since 1970-01-01T00:00:00Z. */
#define IQ_TIME_NONE INT64_MIN
/* No number is known (seq, count). */
#define IQ_NUMBER_NONE INT64_MIN

enum iq_kind {
	IQ_KIND_WS_OPEN,
	IQ_KIND_WS_MESSAGE,
	IQ_KIND_WS_PING,
	IQ_KIND_WS_PONG,
	IQ_KIND_WS_CLOSE,
	IQ_KIND_HTTP_REQUEST,
	IQ_KIND_HTTP_RESPONSE,
	IQ_KIND_SSE_MESSAGE,
	IQ_KIND_NET_ERROR, /* the transport failed: type `cut` (a live session ended without a close) or `refused` */
	IQ_KIND_LOG,
	IQ_KIND_CONTAINER,
	IQ_KIND_PROBE,
	IQ_KIND_CLOCK,
	IQ_KIND_GAP,
	IQ_KIND_COUNT
};

enum iq_direction { IQ_DIRECTION_NONE, IQ_DIRECTION_CLIENT, IQ_DIRECTION_SERVER };

enum iq_severity {
	IQ_SEVERITY_NONE,
	IQ_SEVERITY_TRACE,
	IQ_SEVERITY_DEBUG,
	IQ_SEVERITY_INFO,
	IQ_SEVERITY_NOTICE,
	IQ_SEVERITY_WARNING,
	IQ_SEVERITY_ERROR,
	IQ_SEVERITY_CRITICAL
};

/* One event. Views are "Borrowed until the next call on whatever produced the event." A view with data NULL
 * means that the evidence does not say. */
struct iq_event {
	uint64_t id;		/* unique in its store, from 1; 0 while not stored yet */
	int64_t ts;		/* ns UTC when it happened, or IQ_TIME_NONE */
	int64_t observed;	/* ns UTC when it was captured, or IQ_TIME_NONE */
	struct iq_view source;	/* name of what produced it: a container, a proxy, a file */
	struct iq_view session; /* from a parser: the evidence's own name of the conversation; from a cursor: `s41` */
	uint32_t session_no;	/* from a cursor: the 41 of `s41`, 0 without a session */
	enum iq_kind kind;
	enum iq_direction direction;
	enum iq_severity severity;
	struct iq_view type; /* lifecycle name, `agent_started` */
	struct iq_view key;  /* innermost correlation id: a tool call before its run */
	int64_t seq;	     /* order within its stream, or IQ_NUMBER_NONE */
	struct iq_view body;
	bool body_is_binary; /* body is not valid UTF-8 text: SQL sees a blob */
	uint64_t
		body_offset; /* from a parser: where in the evidence the body stands in a JSON string, still escaped, */
	uint64_t body_length; /* and its length there; 0: not said */
	bool session_begins;  /* from a parser: nothing of its session came before it, */
	bool session_ends;    /* and nothing comes after it, whatever its kind */
	struct iq_view attrs; /* one JSON object, or NULL */
	uint32_t evidence;    /* evidence row, from 1; 0 while not stored yet */
	uint64_t offset;      /* where its raw bytes are in that evidence */
	uint64_t length;
};

/* A hole in the evidence, with a reason. Fields that are NULL, 0 or NONE match everything: the gap touches the
 * instances that match its other fields. Byte ranges that belong to no record are gaps as well. */
struct iq_gap {
	uint32_t evidence;
	struct iq_view source;
	struct iq_view session;
	enum iq_direction direction;
	uint64_t after;	 /* id of the last event before the hole, 0 when there is none */
	uint64_t before; /* id of the first event after it, 0 when there is none */
	int64_t ts_min;
	int64_t ts_max;
	uint64_t offset;
	uint64_t bytes;
	int64_t count;	       /* events lost, exactly, or IQ_NUMBER_NONE */
	struct iq_view reason; /* one line: `line 12: not JSON`, `rotated away` */
};

/* The dotted name of a kind (`ws.message`), `client`/`server`, `error`; NULL for out of range or NONE. Static. */
IQ_API const char *iq_kind_name(enum iq_kind kind);
IQ_API const char *iq_direction_name(enum iq_direction direction);
IQ_API const char *iq_severity_name(enum iq_severity severity);

#endif
