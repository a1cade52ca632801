/* SignalR's JSON protocol (dotnet/aspnetcore, HubProtocol.md): each record ends with 0x1E, a frame may hold several. The first
 * of each side are a handshake; after that `type` is a number. */
#include "event/dialects.h"

enum { TYPE, TARGET, INVOCATION, ARGUMENTS, ERROR, PROTOCOL, PICKS };

enum kind { INVOKE = 1, ITEM, COMPLETION, STREAM, CANCEL, PING, CLOSE, ACK, SEQUENCE, KINDS };

static const struct {
	struct iq_view type;
	enum iq_role role;
} kinds[KINDS] = {
	[INVOKE] = { { "signalr.invocation", 18 }, IQ_ROLE_REQUEST },
	[ITEM] = { { "item", 4 }, IQ_ROLE_ANSWER },
	[COMPLETION] = { { "result", 6 }, IQ_ROLE_ANSWER },
	[STREAM] = { { "signalr.invocation", 18 }, IQ_ROLE_REQUEST },
	[CANCEL] = { { "cancel", 6 }, IQ_ROLE_SEQUEL },
	[PING] = { { "signalr.ping", 12 }, IQ_ROLE_NONE },
	[CLOSE] = { { "signalr.close", 13 }, IQ_ROLE_NONE },
	[ACK] = { { "signalr.ack", 11 }, IQ_ROLE_NONE },
	[SEQUENCE] = { { "signalr.sequence", 16 }, IQ_ROLE_NONE },
};

/* The key in the first of the arguments. */
static struct iq_view first_argument_key(struct iq_view arguments, struct iq_buf *scratch)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, arguments);
	if (iq_json_next(&json, &token) <= 0 || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return IQ_VIEW_NULL;
	return iq_argument_key(iq_json_skip(&json, &token), scratch);
}

static enum iq_fit read_record(struct iq_pick *picks, int64_t kind, struct iq_reading *reading, struct iq_buf *scratch)
{
	if (kind < INVOKE || kind >= KINDS)
		return IQ_FIT_NONE;
	reading->type = kinds[kind].type;
	reading->role = kinds[kind].role;
	reading->key = iq_pick_text(&picks[INVOCATION], scratch);
	if (kind == COMPLETION && !iq_picked(&picks[ERROR], IQ_JSON_NONE))
		reading->type = IQ_LIT("error");
	if (reading->role == IQ_ROLE_REQUEST && iq_picked(&picks[TARGET], IQ_JSON_STRING))
		reading->type = iq_pick_text(&picks[TARGET], scratch);
	if (!reading->key.data)
		reading->role = IQ_ROLE_NONE;
	if (!reading->key.data && iq_picked(&picks[ARGUMENTS], IQ_JSON_ARRAY_BEGIN))
		reading->key = first_argument_key(picks[ARGUMENTS].raw, scratch);
	return IQ_FIT_LIKELY;
}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_pick picks[PICKS] = {
		[TYPE] = { .name = { "type", 4 } },
		[TARGET] = { .name = { "target", 6 } },
		[INVOCATION] = { .name = { "invocationId", 12 } },
		[ARGUMENTS] = { .name = { "arguments", 9 } },
		[ERROR] = { .name = { "error", 5 } },
		[PROTOCOL] = { .name = { "protocol", 8 } },
	};
	int64_t kind;

	if (!iq_pick(message, picks, PICKS))
		return IQ_FIT_NONE;
	if (iq_picked(&picks[TYPE], IQ_JSON_NUMBER))
		return iq_view_to_int64(picks[TYPE].token.raw, &kind) ? read_record(picks, kind, reading, scratch)
								      : IQ_FIT_NONE;
	if (!iq_picked(&picks[TYPE], IQ_JSON_NONE))
		return IQ_FIT_NONE;
	if (iq_picked(&picks[PROTOCOL], IQ_JSON_STRING))
		reading->type = IQ_LIT("signalr.handshake");
	else
		reading->type = iq_picked(&picks[ERROR], IQ_JSON_NONE) ? IQ_LIT("signalr.handshake.result")
								       : IQ_LIT("signalr.handshake.error");
	return IQ_FIT_LIKELY;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	(void)subprotocol;
	return false;
}

const struct iq_dialect iq_dialect_signalr = {
	.separator = '\x1e',
	.handshake = handshake,
	.read = read,
};
