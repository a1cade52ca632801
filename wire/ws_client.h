/* wire/ws_client.h - a WebSocket client (RFC 6455) on a libuv loop, for ws:// and wss:// targets.
 *
 * Life cycle: open, then exactly one of: `failed` (never opened), or `opened` followed by messages and one `closed`.
 * After either end the client only waits to be freed. Thread rule: that of the loop.
 */
#ifndef IQ_WIRE_WS_CLIENT_H
#define IQ_WIRE_WS_CLIENT_H

#include <uv.h>

#include "wire/http.h"
#include "wire/inflate.h"
#include "wire/link.h"
#include "wire/ws_frame.h"

/* Bytes that may wait to be sent before iq_ws_client_send() refuses with IQ_ERR_LIMIT. */
#define IQ_WS_CLIENT_MAX_QUEUED (64u << 20)

struct iq_ws_client;

/* What became of a connection that had been opened. */
struct iq_ws_end {
	bool clean; /* a close frame came */
	uint16_t code;
	struct iq_view reason; /* of the close frame, or what cut the connection */
	bool by_us;	       /* our close frame was first */
};

struct iq_ws_callbacks {
	void (*opened)(void *context, const struct iq_http_head *response);
	void (*message)(void *context, const struct iq_ws_message *message); /* TEXT, BINARY, PING, PONG */
	void (*closed)(void *context, const struct iq_ws_end *end);
	void (*failed)(void *context, const struct iq_error *error);
	void *context;
};

/* What a client asks for. */
struct iq_ws_offer {
	struct iq_view path; /* where the URL has none */
	struct iq_view subprotocol;
	struct iq_view headers;	      /* more lines, with their ends */
	bool deflate;		      /* the server may compress its messages (RFC 7692); the client's go as they are */
	const struct iq_trust *trust; /* for wss://; may be NULL */
};

/* Begins to connect. Everything is copied. Caller owns; release with iq_ws_client_free(). */
int iq_ws_client_open(uv_loop_t *loop, const struct iq_url *url, const struct iq_ws_offer *offer,
		      const struct iq_ws_callbacks *callbacks, struct iq_ws_client **ret_client,
		      struct iq_error *error);
/* Sends one message (TEXT or BINARY), once opened. IQ_ERR_LIMIT when too much is waiting, IQ_ERR_NETWORK after the end.
 */
int iq_ws_client_send(struct iq_ws_client *client, enum iq_ws_opcode opcode, struct iq_view payload,
		      struct iq_error *error);
/* Sends a close frame; `closed` follows when the answer comes. */
void iq_ws_client_close(struct iq_ws_client *client, uint16_t code);
/* Cuts the connection without ceremony; no callback follows. */
void iq_ws_client_abort(struct iq_ws_client *client);
/* To be called when the loop has run out after an end or an abort. NULL allowed. */
void iq_ws_client_free(struct iq_ws_client *client);

#endif
