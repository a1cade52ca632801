/* wire/dial.h - reaching a server: its name becomes addresses, which are tried in turn until one takes the connection.
 *
 * Life cycle: begin, then exactly one `done`, unless it is cancelled; release when the loop has run out. Thread rule: that of the loop.
 */
#ifndef IQ_WIRE_DIAL_H
#define IQ_WIRE_DIAL_H

#include <uv.h>

#include "wire/url.h"

/* A pair of addresses has no more connections to one port than there are ephemeral ports (28,232), and those that have ended keep theirs for a
 * minute. All of 127.0.0.0/8 is this machine, so connections to there come from another of its addresses after each so many. */
#define IQ_DIAL_PER_SOURCE 8192u

/* `socket`: connected; close it with iq_dial_close(). NULL: what went wrong is in `error`. */
typedef void iq_dial_fn(void *context, uv_tcp_t *socket, const struct iq_error *error);

struct iq_dial {
	char host[256];
	char port[8];
	uv_getaddrinfo_t resolver;
	struct addrinfo *addresses;
	struct addrinfo *address; /* being tried */
	uv_connect_t connector;
	uv_tcp_t *socket; /* freed by its own close callback, so that the next address gets a new one */
	iq_dial_fn *done;
	void *context;
	bool over;
};

/* Where the thread's n-th connection to 127.0.0.0/8 comes from. False: from wherever the system says, as is usual and as a target may want it.
 * The first that differ come from 127.0.0.2. */
bool iq_dial_source(uint64_t number, struct sockaddr_in *ret_source);
/* IQ_ERR_USAGE: the name is too long; IQ_ERR_NETWORK. Then `done` does not come. */
int iq_dial_begin(struct iq_dial *dial, uv_loop_t *loop, const struct iq_url *url, iq_dial_fn *done, void *context,
		  struct iq_error *error);
/* `done` comes no more. */
void iq_dial_cancel(struct iq_dial *dial);
void iq_dial_release(struct iq_dial *dial);
/* Closes a socket that `done` gave, and frees it; no callback of the socket's sees an owner any more. NULL allowed. */
void iq_dial_close(uv_tcp_t *socket);

#endif
