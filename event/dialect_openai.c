/* OpenAI's Realtime API (its reference, client and server events). What was renamed when the API left its beta is given by its
 * new name, so that one lifecycle fits recordings of both. */
#include "event/dialects.h"

enum { TYPE, CALL, ITEM, RESPONSE, IN_ITEM, IN_RESPONSE, PICKS };

static const struct {
	struct iq_view old_name;
	struct iq_view name;
} renamed[] = {
	{ { "conversation.item.created", 25 }, { "conversation.item.added", 23 } },
	{ { "response.audio.delta", 20 }, { "response.output_audio.delta", 27 } },
	{ { "response.audio.done", 19 }, { "response.output_audio.done", 26 } },
	{ { "response.audio_transcript.delta", 31 }, { "response.output_audio_transcript.delta", 38 } },
	{ { "response.audio_transcript.done", 30 }, { "response.output_audio_transcript.done", 37 } },
	{ { "response.text.delta", 19 }, { "response.output_text.delta", 26 } },
	{ { "response.text.done", 18 }, { "response.output_text.done", 25 } },
};

static const struct iq_view families[] = {
	{ "conversation.item.", 18 },
	{ "input_audio_buffer.", 19 },
	{ "output_audio_buffer.", 20 },
	{ "rate_limits.", 12 },
	{ "response.", 9 },
	{ "session.", 8 },
	{ "conversation.", 13 },
	{ "transcription_session.", 22 },
	{ "mcp_list_tools.", 15 },
};

static bool is_of_family(struct iq_view type)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (iq_view_starts_with(type, families[i]))
			return true;
	return iq_view_eq(type, IQ_LIT("error"));
}

static struct iq_view new_name(struct iq_view type)
{
	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (iq_view_eq(type, renamed[i].old_name))
			return renamed[i].name;
	return type;
}

/* The innermost id: of the call, of the item, of the response. */
static struct iq_view find_key(const struct iq_pick *picks, struct iq_buf *scratch)
{
	struct iq_view key = iq_pick_text(&picks[CALL], scratch);

	if (!key.data)
		key = iq_pick_within(&picks[IN_ITEM], IQ_LIT("call_id"), scratch);
	if (!key.data)
		key = iq_pick_text(&picks[ITEM], scratch);
	if (!key.data)
		key = iq_pick_within(&picks[IN_ITEM], IQ_LIT("id"), scratch);
	if (!key.data)
		key = iq_pick_text(&picks[RESPONSE], scratch);
	if (!key.data)
		key = iq_pick_within(&picks[IN_RESPONSE], IQ_LIT("id"), scratch);
	return key;
}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_pick picks[PICKS + 1] = {
		[TYPE] = { .name = { "type", 4 } },	 [CALL] = { .name = { "call_id", 7 } },
		[ITEM] = { .name = { "item_id", 7 } },	 [RESPONSE] = { .name = { "response_id", 11 } },
		[IN_ITEM] = { .name = { "item", 4 } },	 [IN_RESPONSE] = { .name = { "response", 8 } },
		[PICKS] = { .name = { "event_id", 8 } },
	};

	if (!iq_pick(message, picks, PICKS + 1) || !iq_picked(&picks[TYPE], IQ_JSON_STRING) ||
	    !is_of_family(picks[TYPE].token.raw))
		return IQ_FIT_NONE;
	reading->type = new_name(iq_pick_text(&picks[TYPE], scratch));
	reading->key = find_key(picks, scratch);
	return iq_picked(&picks[PICKS], IQ_JSON_STRING) ? IQ_FIT_SURE : IQ_FIT_LIKELY;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	return iq_view_eq(subprotocol, IQ_LIT("realtime")) || iq_has(url, IQ_LIT("/v1/realtime")) ||
	       iq_has(url, IQ_LIT("/openai/realtime"));
}

const struct iq_dialect iq_dialect_openai = {
	.handshake = handshake,
	.read = read,
};
