/* JSON-RPC 2.0 (jsonrpc.org/specification), as MCP, language servers and many nodes speak it. A batch is one message. */
#include "event/dialects.h"

enum { JSONRPC, ID, METHOD, PARAMS, RESULT, ERROR, PICKS };

static enum iq_fit read_object(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_pick picks[PICKS] = {
		[JSONRPC] = { .name = { "jsonrpc", 7 } }, [ID] = { .name = { "id", 2 } },
		[METHOD] = { .name = { "method", 6 } },	  [PARAMS] = { .name = { "params", 6 } },
		[RESULT] = { .name = { "result", 6 } },	  [ERROR] = { .name = { "error", 5 } },
	};

	if (!iq_pick(message, picks, PICKS))
		return IQ_FIT_NONE;
	reading->key = iq_pick_text(&picks[ID], scratch);
	if (iq_picked(&picks[METHOD], IQ_JSON_STRING)) {
		reading->type = iq_pick_text(&picks[METHOD], scratch);
		reading->role = reading->key.data ? IQ_ROLE_REQUEST : IQ_ROLE_NONE;
		if (!reading->key.data && iq_picked(&picks[PARAMS], IQ_JSON_OBJECT_BEGIN))
			reading->key = iq_argument_key(picks[PARAMS].raw, scratch);
	} else if (iq_picked(&picks[ERROR], IQ_JSON_OBJECT_BEGIN) || !iq_picked(&picks[RESULT], IQ_JSON_NONE)) {
		reading->type = iq_picked(&picks[ERROR], IQ_JSON_OBJECT_BEGIN) ? IQ_LIT("error") : IQ_LIT("result");
		reading->role = IQ_ROLE_ANSWER;
	} else {
		return IQ_FIT_NONE;
	}
	return iq_picked(&picks[JSONRPC], IQ_JSON_STRING) ? IQ_FIT_SURE : IQ_FIT_LIKELY;
}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_view trimmed = iq_view_trim(message);

	if (!iq_view_starts_with(trimmed, IQ_LIT("[")))
		return read_object(message, reading, scratch);
	reading->type = IQ_LIT("batch");
	return iq_has(message, IQ_LIT("\"jsonrpc\"")) && iq_json_valid(message) ? IQ_FIT_LIKELY : IQ_FIT_NONE;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	return iq_has(subprotocol, IQ_LIT("jsonrpc")) || iq_has(subprotocol, IQ_LIT("json-rpc")) ||
	       iq_view_eq(subprotocol, IQ_LIT("mcp"));
}

const struct iq_dialect iq_dialect_json_rpc = {
	.handshake = handshake,
	.read = read,
};
