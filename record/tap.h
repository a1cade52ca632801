/* record/tap.h - the parts of a tap: tap.c listens, link.c relays one connection, stream.c is one end of it, recording.c what is kept. Private
 * to record/.
 */
#ifndef IQ_RECORD_TAP_H
#define IQ_RECORD_TAP_H

#include "record/record.h"
#include "record/recording.h"
#include "record/stream.h"
#include "wire/wire.h"

struct iq_tap_link;

struct iq_route {
	struct iq_tap *tap;
	uv_tcp_t listener;
	bool listens;
	struct iq_url upstream;
	struct iq_view source; /* host and port of the upstream, as it is written */
	char host[300];	       /* NUL-terminated, for the resolver */
	uint64_t connections;  /* open now */
};

struct iq_tap {
	const struct iq_tap_options *options;
	struct iq_tap_result *result;
	struct iq_error *error;
	int rc; /* what ended it, if that was an error */
	uv_loop_t loop;
	uv_timer_t tick;   /* looks whether it is to end, and at deadlines */
	int64_t next_beat; /* by the monotonic clock */
	int64_t next_rotation;
	struct iq_view memory;
	SSL_CTX *client_context; /* for upstreams */
	SSL_CTX *server_context; /* for listeners; NULL: they speak no TLS */
	struct iq_route routes[IQ_TAP_MAX_ROUTES];
	size_t route_count;
	struct iq_tap_link *links;
	uint64_t connections; /* open now */
	bool stopping;
	struct iq_recording recording;
};

void iq_tap_tell(const struct iq_tap *tap, const char *format, ...) IQ_PRINTF(2, 3);
/* What was heard cannot be kept (memory is out): ends everything. */
void iq_tap_fail(struct iq_tap *tap, int rc);

/* A connection waits at the route's listener. */
void iq_tap_link_accept(struct iq_route *route);
/* Those that took too long. */
void iq_tap_links_check(struct iq_tap *tap, int64_t now);
/* Ends all, as they are. */
void iq_tap_links_close(struct iq_tap *tap);

#endif
