/* ingest/traffic.h - one connection's traffic becomes events: what wire/conversation.h hears, as docs/events.md says it. Free of I/O. Included
 * by ingest/ingest.h.
 *
 *	iq_traffic_new(&options, &traffic);
 *	iq_traffic_feed(traffic, IQ_DIRECTION_CLIENT, bytes, now, &error);	in the order in which they went by
 *	iq_traffic_feed(traffic, IQ_DIRECTION_SERVER, bytes, now, &error);
 *	iq_traffic_end(traffic, IQ_DIRECTION_SERVER, NULL, now, &error);	who ended it, and why
 *	iq_traffic_free(traffic);
 *
 * A WebSocket is a session, and so is a stream of server-sent events. Requests and responses belong to none; both have the same
 * key. `ts` is when the first byte of something went by, `observed` when the last one did. Events have as offset and length the
 * range of their bytes within what their side sent on this connection.
 */
#ifndef IQ_INGEST_TRAFFIC_H
#define IQ_INGEST_TRAFFIC_H

#include "event/event.h"

struct iq_traffic;

/* Texts are copied. */
struct iq_traffic_options {
	struct iq_view source; /* of the events */
	struct iq_view host;   /* what stands in URLs; NULL: what the requests have as Host */
	struct iq_view client; /* the client's address, for the handshake's attrs; may be NULL */
	bool is_secure;	       /* URLs begin with wss:// and https:// */
	struct iq_view
		name; /* of the connection, for the names of sessions and exchanges; NULL: they have what they are, */
	uint64_t number; /* this, the host and the path */
	size_t kept;	 /* of each text; 0: IQ_HTTP_MAX_KEPT, IQ_WS_MAX_KEPT */
	bool is_midway;	 /* its beginning was not captured: frames, as far as it can be told */
	/* What was said, and the bytes that it was decoded from, payloads of frames without their masks; NULL view: no bytes of its own. Of
	 * what is very long these are the beginning. Returning negative ends the feeding with that. */
	int (*event)(void *context, struct iq_event *event, struct iq_view raw, struct iq_error *error);
	int (*gap)(void *context, const struct iq_gap *gap, struct iq_error *error);
	void *context;
};

/* Caller owns; release with iq_traffic_free(). 0 or IQ_ERR_NOMEM. */
int iq_traffic_new(const struct iq_traffic_options *options, struct iq_traffic **ret_traffic, struct iq_error *error);
void iq_traffic_free(struct iq_traffic *traffic); /* NULL allowed */
/* Bytes of one side, and when they were seen. 0, IQ_ERR_NOMEM, or what a callback returned. */
int iq_traffic_feed(struct iq_traffic *traffic, enum iq_direction side, struct iq_view bytes, int64_t now,
		    struct iq_error *error);
/* So many bytes of one side were not seen: a gap in its session. What comes is a gap as well, */
int iq_traffic_miss(struct iq_traffic *traffic, enum iq_direction side, uint64_t bytes, const char *reason, int64_t now,
		    struct iq_error *error);
/* until something begins: a message of HTTP, or a frame. */
int iq_traffic_resume(struct iq_traffic *traffic, enum iq_direction side, int64_t now, struct iq_error *error);
/* A gap in the side's session, for what else is not sure. */
int iq_traffic_doubt(struct iq_traffic *traffic, enum iq_direction side, const char *reason, int64_t now,
		     struct iq_error *error);
/* One side sends no more, the other one may. */
int iq_traffic_shut(struct iq_traffic *traffic, enum iq_direction side, int64_t now, struct iq_error *error);
/* The connection is gone. `trouble`: what is known of why, or NULL; `by`: who ended it, NONE where nobody knows. A WebSocket without a close
 * frame was cut; requests without a response failed. */
int iq_traffic_end(struct iq_traffic *traffic, enum iq_direction by, const char *trouble, int64_t now,
		   struct iq_error *error);

/* The capture ends, the connection may not: what it was in the middle of is told as it is. */
int iq_traffic_stop(struct iq_traffic *traffic, int64_t now, struct iq_error *error);

/* From here on its bytes are no HTTP: a WebSocket, or something that cannot be understood. */
bool iq_traffic_is_tunnel(const struct iq_traffic *traffic);
/* What the side sends is not understood. */
bool iq_traffic_is_opaque(const struct iq_traffic *traffic, enum iq_direction side);
/* The connection is a WebSocket by now. */
bool iq_traffic_is_socket(const struct iq_traffic *traffic);
/* Requests that have no final response yet. */
size_t iq_traffic_pending(const struct iq_traffic *traffic);

#endif
