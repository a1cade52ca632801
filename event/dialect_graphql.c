/* GraphQL over WebSocket: graphql-transport-ws (npm graphql-ws, PROTOCOL.md) and its predecessor, whose subprotocol is called
 * `graphql-ws`. Messages are {"id":..., "type":..., "payload":...}; the id is that of the operation. */
#include "event/dialects.h"

/* In bytewise order. */
static const struct iq_view types[] = {
	{ "complete", 8 },
	{ "connection_ack", 14 },
	{ "connection_error", 16 },
	{ "connection_init", 15 },
	{ "connection_keep_alive", 21 },
	{ "connection_terminate", 20 },
	{ "data", 4 },
	{ "error", 5 },
	{ "ka", 2 },
	{ "next", 4 },
	{ "ping", 4 },
	{ "pong", 4 },
	{ "start", 5 },
	{ "stop", 4 },
	{ "subscribe", 9 },
};

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_pick picks[] = { { .name = { "type", 4 } }, { .name = { "id", 2 } } };

	if (!iq_pick(message, picks, 2) || !iq_picked(&picks[0], IQ_JSON_STRING) ||
	    !iq_is_listed(picks[0].token.raw, types, sizeof(types) / sizeof(types[0])))
		return IQ_FIT_NONE;
	reading->type = picks[0].token.raw;
	reading->key = iq_pick_text(&picks[1], scratch);
	return iq_view_starts_with(reading->type, IQ_LIT("connection_")) ? IQ_FIT_SURE : IQ_FIT_LIKELY;
}

static bool documents(struct iq_view message, struct iq_documents *ret_documents)
{
	struct iq_pick picks[] = { { .name = { "type", 4 } }, { .name = { "payload", 7 } } };

	if (!iq_has(message, IQ_LIT("\"payload\"")) || !iq_pick(message, picks, 2) ||
	    !iq_picked(&picks[0], IQ_JSON_STRING) || !iq_picked(&picks[1], IQ_JSON_OBJECT_BEGIN) ||
	    !iq_is_listed(picks[0].token.raw, types, sizeof(types) / sizeof(types[0])))
		return false;
	*ret_documents = (struct iq_documents){ .message = message, .payload = picks[1].raw };
	return true;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	return iq_view_eq(subprotocol, IQ_LIT("graphql-transport-ws")) || iq_view_eq(subprotocol, IQ_LIT("graphql-ws"));
}

const struct iq_dialect iq_dialect_graphql = {
	.handshake = handshake,
	.read = read,
	.documents = documents,
};
