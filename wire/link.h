/* wire/link.h - a client's connection to a server on a libuv loop, with TLS (1.2 and above, through OpenSSL) where the URL asks for it.
 *
 * Life cycle: open, then exactly one of: `failed`, or `opened` followed by `bytes` and one `ended`; after iq_link_close() none. Free when
 * the loop has run out. Thread rule: that of the loop.
 */
#ifndef IQ_WIRE_LINK_H
#define IQ_WIRE_LINK_H

#include <uv.h>

#include "wire/url.h"

/* Which servers are believed. */
struct iq_trust {
	const char *ca;	  /* certificates in PEM form, instead of the system's; NULL: the system's */
	bool is_insecure; /* any */
};

struct iq_link_callbacks {
	void (*opened)(void *context);
	void (*bytes)(void *context, struct iq_view bytes);
	void (*ended)(void *context, const char *why);
	void (*failed)(void *context, const struct iq_error *error); /* never opened */
	void *context;
};

struct iq_link;

/* `trust` may be NULL. Everything is copied. Caller owns; release with iq_link_free(). Errors: IQ_ERR_USAGE (a name that is too long,
 * certificates that cannot be read), IQ_ERR_NETWORK. */
int iq_link_open(uv_loop_t *loop, const struct iq_url *url, const struct iq_trust *trust,
		 const struct iq_link_callbacks *callbacks, struct iq_link **ret_link, struct iq_error *error);
/* Takes ownership of `bytes`. IQ_ERR_NETWORK, IQ_ERR_NOMEM. */
int iq_link_write(struct iq_link *link, struct iq_buf *bytes, struct iq_error *error);
/* Bytes that the system has not taken. */
size_t iq_link_waiting(const struct iq_link *link);
/* `HOST port PORT`, for messages. Borrowed until the link is freed. */
const char *iq_link_name(const struct iq_link *link);
void iq_link_close(struct iq_link *link); /* NULL allowed */
void iq_link_free(struct iq_link *link);  /* NULL allowed */

#endif
