/* wire/dial.h - reaching a server: its name becomes addresses, which are tried in turn until one takes the connection.
 *
 * Life cycle: begin, then exactly one `done`, unless it is cancelled; release when the loop has run out. Thread rule: that of the loop.
 */
#ifndef IQ_WIRE_DIAL_H
#define IQ_WIRE_DIAL_H

#include <uv.h>

#include "wire/url.h"

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

/* IQ_ERR_USAGE: the name is too long; IQ_ERR_NETWORK. Then `done` does not come. */
int iq_dial_begin(struct iq_dial *dial, uv_loop_t *loop, const struct iq_url *url, iq_dial_fn *done, void *context,
		  struct iq_error *error);
/* `done` comes no more. */
void iq_dial_cancel(struct iq_dial *dial);
void iq_dial_release(struct iq_dial *dial);
/* Closes a socket that `done` gave, and frees it; no callback of the socket's sees an owner any more. NULL allowed. */
void iq_dial_close(uv_tcp_t *socket);

#endif
