/* AG-UI (ag-ui-protocol: core/src/events.ts): the events of an agent's run, over WebSockets or server-sent events. */
#include "event/dialects.h"

/* In bytewise order. */
static const struct iq_view types[] = {
	{ "ACTIVITY_DELTA", 14 },
	{ "ACTIVITY_SNAPSHOT", 17 },
	{ "CUSTOM", 6 },
	{ "MESSAGES_SNAPSHOT", 17 },
	{ "RAW", 3 },
	{ "REASONING_ENCRYPTED_VALUE", 25 },
	{ "REASONING_END", 13 },
	{ "REASONING_MESSAGE_CHUNK", 23 },
	{ "REASONING_MESSAGE_CONTENT", 25 },
	{ "REASONING_MESSAGE_END", 21 },
	{ "REASONING_MESSAGE_START", 23 },
	{ "REASONING_START", 15 },
	{ "RUN_ERROR", 9 },
	{ "RUN_FINISHED", 12 },
	{ "RUN_STARTED", 11 },
	{ "STATE_DELTA", 11 },
	{ "STATE_SNAPSHOT", 14 },
	{ "STEP_FINISHED", 13 },
	{ "STEP_STARTED", 12 },
	{ "TEXT_MESSAGE_CHUNK", 18 },
	{ "TEXT_MESSAGE_CONTENT", 20 },
	{ "TEXT_MESSAGE_END", 16 },
	{ "TEXT_MESSAGE_START", 18 },
	{ "THINKING_END", 12 },
	{ "THINKING_START", 14 },
	{ "THINKING_TEXT_MESSAGE_CONTENT", 29 },
	{ "THINKING_TEXT_MESSAGE_END", 25 },
	{ "THINKING_TEXT_MESSAGE_START", 27 },
	{ "TOOL_CALL_ARGS", 14 },
	{ "TOOL_CALL_CHUNK", 15 },
	{ "TOOL_CALL_END", 13 },
	{ "TOOL_CALL_RESULT", 16 },
	{ "TOOL_CALL_START", 15 },
};

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	/* Of the ids, the innermost first. */
	struct iq_pick picks[] = {
		{ .name = { "type", 4 } },  { .name = { "toolCallId", 10 } }, { .name = { "messageId", 9 } },
		{ .name = { "runId", 5 } }, { .name = { "stepName", 8 } },
	};
	const size_t count = sizeof(picks) / sizeof(picks[0]);

	if (!iq_pick(message, picks, count) || !iq_picked(&picks[0], IQ_JSON_STRING) ||
	    !iq_is_listed(picks[0].token.raw, types, sizeof(types) / sizeof(types[0])))
		return IQ_FIT_NONE;
	reading->type = picks[0].token.raw;
	for (size_t i = 1; i < count && !reading->key.data; i++)
		reading->key = iq_pick_text(&picks[i], scratch);
	/* `CUSTOM` and `RAW` may be anybody's. */
	return iq_has(reading->type, IQ_LIT("_")) ? IQ_FIT_SURE : IQ_FIT_LIKELY;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	return iq_view_eq(subprotocol, IQ_LIT("ag-ui"));
}

const struct iq_dialect iq_dialect_ag_ui = {
	.handshake = handshake,
	.read = read,
};
