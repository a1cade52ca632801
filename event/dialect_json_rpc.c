/* JSON-RPC 2.0 (jsonrpc.org/specification), as MCP, language servers and many nodes speak it. The messages of a batch, an array, are
 * messages of their own. */
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
	/* Empty, or not of objects. */
	reading->type = IQ_LIT("batch");
	return iq_has(message, IQ_LIT("\"jsonrpc\"")) && iq_json_valid(message) ? IQ_FIT_LIKELY : IQ_FIT_NONE;
}

static size_t pass_space(struct iq_view text, size_t at)
{
	while (at < text.len && strchr(" \t\r\n", text.data[at]) && text.data[at])
		at++;
	return at;
}

/* One array of objects, and nothing else? */
static bool is_batch(struct iq_view frame)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, frame);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_ARRAY_BEGIN)
		return false;
	while (iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN)
		if (!iq_json_skip(&json, &token).data)
			return false;
	return token.type == IQ_JSON_ARRAY_END && iq_json_valid(frame);
}

/* Where the first message of a batch begins; SIZE_MAX: it is none. */
static size_t begin_batch(struct iq_view frame)
{
	const size_t at = pass_space(frame, 0);

	if (at == frame.len || frame.data[at] != '[' || !iq_has(frame, IQ_LIT("\"jsonrpc\"")) || !is_batch(frame))
		return SIZE_MAX;
	return pass_space(frame, at + 1);
}

/* At `at`, or behind the bracket or comma there, stands an object; the last one takes the bracket with it. */
static bool part(struct iq_view frame, size_t at, struct iq_part *ret_part)
{
	const size_t begin = at == 0 ? begin_batch(frame) : at;
	struct iq_view rest = begin == SIZE_MAX ? IQ_VIEW_NULL : iq_view_from(frame, begin);
	struct iq_json_token token;
	struct iq_json json;
	size_t end;

	iq_json_init(&json, rest);
	if (rest.len == 0 || rest.data[0] != '{' || iq_json_next(&json, &token) <= 0)
		return false;
	ret_part->body = ret_part->message = iq_json_skip(&json, &token);
	end = pass_space(frame, begin + ret_part->body.len);
	if (!ret_part->body.data || end == frame.len)
		return false;
	ret_part->end = pass_space(frame, end + 1);
	ret_part->number = 1;
	return true;
}

static bool documents(struct iq_view message, struct iq_documents *ret_documents)
{
	struct iq_pick picks[] = {
		{ .name = { "jsonrpc", 7 } },
		{ .name = { "params", 6 } },
		{ .name = { "result", 6 } },
		{ .name = { "error", 5 } },
	};

	if (!iq_has(message, IQ_LIT("\"jsonrpc\"")) || !iq_pick(message, picks, 4) ||
	    !iq_picked(&picks[0], IQ_JSON_STRING))
		return false;
	*ret_documents = (struct iq_documents){ .message = message };
	for (size_t i = 1; i < 4 && !ret_documents->payload.data; i++)
		if (iq_picked(&picks[i], IQ_JSON_OBJECT_BEGIN))
			ret_documents->payload = picks[i].raw;
	return true;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	return iq_has(subprotocol, IQ_LIT("jsonrpc")) || iq_has(subprotocol, IQ_LIT("json-rpc")) ||
	       iq_view_eq(subprotocol, IQ_LIT("mcp"));
}

const struct iq_dialect iq_dialect_json_rpc = {
	.part = part,
	.handshake = handshake,
	.read = read,
	.documents = documents,
};
