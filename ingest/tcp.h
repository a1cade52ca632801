/* ingest/tcp.h - puts the segments of TCP connections together again (RFC 9293, section 3.4), as somebody who looks on: segments that come
 * late, twice, overlapping, or never. Free of I/O.
 *
 *	iq_tcp_init(&tcp, &sink);
 *	iq_tcp_take(&tcp, &segment, &place, &error);     for each one
 *	iq_tcp_end(&tcp, &error);                        what is still waiting is given, with its holes
 *	iq_tcp_release(&tcp);
 *
 * Bytes are given in the order of their direction, and a segment not before what its sender had received by then, so that an answer never
 * comes before its request. Of bytes that come twice the first copy counts. What is missing is waited for until it was
 * acknowledged and further packets have come, or until a limit is reached; then it is lost, which is told with its size.
 *
 * A connection whose beginning was not captured begins at the lowest bytes that its first packets have or acknowledge.
 * Thread rule: one thread at a time.
 */
#ifndef IQ_INGEST_TCP_H
#define IQ_INGEST_TCP_H

#include "ingest/packet.h"

/* Connections known at a time; then the one that was silent longest is forgotten. */
#define IQ_TCP_MAX_CONNECTIONS 16384u
/* What waits for a missing segment, with its overhead: of one connection, and of all. */
#define IQ_TCP_MAX_WAITING (4u << 20)
#define IQ_TCP_MAX_WAITING_ALL (64u << 20)
/* Segments of one direction that wait. */
#define IQ_TCP_MAX_PIECES 8192u
/* Packets of a connection after which something that was acknowledged will not come any more. */
#define IQ_TCP_PATIENCE 32u
/* Packets from which the beginning of a connection is told where its handshake was not captured. */
#define IQ_TCP_FIRST_PACKETS 16u
/* Bytes of a direction that a second copy is compared with when they were given already. */
#define IQ_TCP_REMEMBERED 4096u
/* A segment that is further away than that from what is expected is none of the connection's. */
#define IQ_TCP_MAX_AHEAD (64 << 20)

/* Where a packet comes from. */
struct iq_tcp_place {
	int64_t ts;
	uint64_t offset; /* of its record in the capture */
};

enum iq_tcp_event {
	IQ_TCP_BYTES,
	IQ_TCP_LOST,	 /* bytes that were sent, and are not in the capture */
	IQ_TCP_CUT_OFF,	 /* bytes of which only the size was captured */
	IQ_TCP_DIFFERS,	 /* a second copy of bytes says something else than the first */
	IQ_TCP_FINISHED, /* the direction ended in order */
};

struct iq_tcp_piece {
	enum iq_tcp_event event;
	struct iq_view bytes; /* BYTES. Borrowed until the call returns. */
	uint64_t size;	      /* of bytes, here or not */
	struct iq_tcp_place place;
};

enum iq_tcp_end {
	IQ_TCP_CLOSED,	  /* both directions ended in order */
	IQ_TCP_RESET,	  /* `reset_by` broke it off */
	IQ_TCP_REUSED,	  /* its ports were connected anew */
	IQ_TCP_FORGOTTEN, /* too many connections */
	IQ_TCP_OPEN	  /* the capture ended first */
};

struct iq_tcp_waiting;

struct iq_tcp_way {
	bool known;    /* `next` is near its numbers */
	bool anchored; /* `next` is what comes next */
	bool has_isn;
	bool fin_seen;
	uint32_t isn;
	int64_t start; /* anchored: the number of its first byte */
	int64_t next;  /* numbers that do not wrap; the lower 32 bits are those of the packets */
	int64_t low;   /* not anchored: the lowest one seen */
	int64_t acked;
	struct iq_tcp_waiting *head;
	struct iq_tcp_waiting *last;
	size_t pieces;
	uint64_t bytes; /* given */
	uint64_t lost;
	bool finished;
	char *remembered; /* the last bytes given, each at its number modulo the size; NULL until there are any */
	int64_t remembered_from;
};

/* Way 0 is from ends[0] to ends[1]. */
struct iq_tcp_connection {
	struct iq_endpoint ends[2];
	struct iq_tcp_way ways[2];
	bool start_seen; /* its first SYN was captured, */
	unsigned opener; /* and came from this end */
	bool warm;	 /* bytes are given */
	bool ended;
	unsigned reset_by;
	uint64_t packets;
	unsigned stuck; /* packets since something waits */
	size_t waiting; /* bytes, with overhead */
	struct iq_tcp_place first;
	struct iq_tcp_place last;
	uint64_t number; /* from 1, in the order of their first packets */
	void *user;	 /* the sink's own */
	struct iq_tcp_connection *in_bucket;
	struct iq_tcp_connection *older;
	struct iq_tcp_connection *newer;
};

struct iq_tcp_sink {
	/* Something of the direction `way`. */
	int (*piece)(void *context, struct iq_tcp_connection *connection, unsigned way,
		     const struct iq_tcp_piece *piece, struct iq_error *error);
	/* Nothing more comes. Called once for each connection, whatever came of it. */
	int (*end)(void *context, struct iq_tcp_connection *connection, enum iq_tcp_end how, struct iq_error *error);
	/* Frees `user`. */
	void (*forget)(struct iq_tcp_connection *connection);
	void *context;
};

struct iq_tcp {
	struct iq_tcp_sink sink;
	size_t limit; /* of connections; IQ_TCP_MAX_CONNECTIONS unless set */
	struct iq_tcp_connection **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	struct iq_tcp_connection *oldest; /* by their last packet */
	struct iq_tcp_connection *newest;
	size_t waiting;
	uint64_t connections; /* seen */
	uint64_t strays;      /* segments that fit into no connection */
};

void iq_tcp_init(struct iq_tcp *tcp, const struct iq_tcp_sink *sink);
void iq_tcp_release(struct iq_tcp *tcp);
/* 0, or negative from the sink, or IQ_ERR_NOMEM. */
int iq_tcp_take(struct iq_tcp *tcp, const struct iq_segment *segment, const struct iq_tcp_place *place,
		struct iq_error *error);
int iq_tcp_end(struct iq_tcp *tcp, struct iq_error *error);

#endif
