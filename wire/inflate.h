/* wire/inflate.h - permessage-deflate (RFC 7692), the way back: the payloads of one direction become plain again. Free of I/O.
 *
 * Life cycle: new, then for each message iq_inflate_feed() as often as there are bytes and one iq_inflate_end(). After an error the
 * message is given up; where the window goes on from message to message, so are the ones after it that refer to what is not in it.
 */
#ifndef IQ_WIRE_INFLATE_H
#define IQ_WIRE_INFLATE_H

#include "base/base.h"

/* Of one message: what inflates further is given up, so that no small message costs a long time. */
#define IQ_INFLATE_MAX (64u << 20)

/* What both sides agreed on for one direction. */
struct iq_deflate {
	bool agreed;
	bool no_takeover; /* each message begins with an empty window */
	uint8_t bits;	  /* of the window, 8 to 15 */
};

/* Reads what the server agreed to, its Sec-WebSocket-Extensions (RFC 7692, section 7.1), for both directions. `bits` are those of before
 * where it says nothing. */
void iq_deflate_read(struct iq_view list, struct iq_deflate *client, struct iq_deflate *server);

struct iq_inflate;

/* Where plain bytes go. Borrowed until the call returns. Returning negative ends the inflating with that. */
typedef int iq_inflate_fn(void *context, struct iq_view plain);

/* Caller owns; release with iq_inflate_free(). NULL when memory is out. */
struct iq_inflate *iq_inflate_new(const struct iq_deflate *deflate);
void iq_inflate_free(struct iq_inflate *inflater); /* NULL allowed */
/* Takes bytes of a message. 0; IQ_ERR_FORMAT: not deflated; IQ_ERR_LIMIT: beyond IQ_INFLATE_MAX; IQ_ERR_NOMEM. */
int iq_inflate_feed(struct iq_inflate *inflater, struct iq_view bytes, iq_inflate_fn *take, void *context);
/* The message is complete. The same. */
int iq_inflate_end(struct iq_inflate *inflater, iq_inflate_fn *take, void *context);

#endif
