/* record/record.h - the door of record/: the recording tap. Depends on base/, event/, wire/, store/, ingest/.
 *
 * A tap stands between clients and a server: it relays bytes as they are and records what they say (docs/record.md). It speaks for neither
 * side: after an upgrade nothing is changed, before it only Host is, and what the recorder cannot do it records. Recording trouble never holds
 * up the traffic; a peer that does not read holds up the other one, as without a tap.
 */
#ifndef IQ_RECORD_RECORD_H
#define IQ_RECORD_RECORD_H

#include "event/event.h"

/* A connection has so long for a whole head, and for an upgrade. */
#define IQ_TAP_HEAD_NS (10 * IQ_NS_PER_S)
/* So much waits for a peer that does not read before the other side is not read from any more. */
#define IQ_TAP_QUEUE_BYTES (1u << 20)
#define IQ_TAP_HEARTBEAT_MS 1000u
#define IQ_TAP_MAX_ROUTES 64u

struct iq_tap_route {
	const char *listen;   /* `9000`, `127.0.0.1:9000`, `[::1]:9000`; port 0: any that is free */
	const char *upstream; /* ws://HOST[:PORT]; wss://, http:// and https:// likewise */
};

/* How it goes, once a second. */
struct iq_tap_progress {
	uint64_t connections; /* open now */
	uint64_t messages;    /* so far */
	uint64_t durable;     /* events that survive a power loss */
	uint64_t lost;
	const char *trouble; /* what the disk says while it takes nothing, else "" */
};

struct iq_tap_options {
	const struct iq_tap_route *routes;
	size_t route_count;
	const char *ca;	  /* certificates that upstreams are trusted by; NULL: those of the system */
	bool is_insecure; /* trust any upstream */
	const char *cert; /* the listeners speak TLS with this chain and key, PEM files; NULL: they do not */
	const char *key;
	bool keep_host;		  /* do not make Host the upstream's */
	const char *allow_origin; /* requests with this Origin go on with the upstream's own; NULL: none do */
	struct iq_redactor *
		redactor; /* takes secrets out before anything is kept; then the raw bytes are what is left. May be NULL */
	void (*tell)(void *context, const char *line); /* what a person shall hear, in one line; may be NULL */
	void (*progress)(void *context, const struct iq_tap_progress *progress); /* may be NULL */
	uint64_t rotate_bytes;	  /* a segment is made whenever so many bytes were recorded; 0: IQ_SPOOL_BYTES */
	int64_t rotate_ns;	  /* or so much time has gone by; 0: never for that */
	volatile int *rotate;	  /* set to non-zero (by a signal handler) to make one; is set back. May be NULL */
	const volatile int *stop; /* set to non-zero (by a signal handler) to end; may be NULL */
	void *context;
};

struct iq_tap_result {
	uint64_t connections;
	uint64_t events;
	uint64_t messages;
	uint64_t gaps;
	uint64_t lost; /* events that the disk did not take, which gaps in the store say */
};

/* Records into the store at `store_path` until `stop`, and seals. Errors: IQ_ERR_USAGE (a route that is none), IQ_ERR_NETWORK (an address that
 * cannot be listened on); those of iq_live_open() and iq_live_close(). */
int iq_tap_record(const char *store_path, const struct iq_tap_options *options, struct iq_tap_result *ret_result,
		  struct iq_error *error);

/* Makes a certificate authority for this machine in `directory`, ca.pem and ca.key, and a certificate by it for a listener, tap.pem and tap.key: for
 * localhost, its addresses, and `names`. An authority that is there is used again. Errors: IQ_ERR_IO. */
int iq_tap_make_certificates(const char *directory, const char *const *names, size_t count, struct iq_error *error);

#endif
