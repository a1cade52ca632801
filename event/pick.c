#include "event/dialects.h"

static void note(struct iq_pick *picks, size_t count, struct iq_view name, const struct iq_json_token *value,
		 struct iq_view raw)
{
	for (size_t i = 0; i < count; i++) {
		if (picks[i].token.type != IQ_JSON_NONE || !iq_view_eq(picks[i].name, name))
			continue;
		picks[i].token = *value;
		picks[i].raw = raw;
		return;
	}
}

bool iq_pick(struct iq_view text, struct iq_pick *picks, size_t count)
{
	struct iq_json json;
	struct iq_json_token token, value;

	iq_json_init(&json, text);
	if (text.len == 0 || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return false;
	while (iq_json_member(&json, &token, &value) > 0) {
		struct iq_view raw = iq_json_skip(&json, &value);

		if (!raw.data)
			return false;
		note(picks, count, token.raw, &value, raw);
	}
	return !json.error && iq_json_end(&json);
}

struct iq_view iq_pick_text(const struct iq_pick *pick, struct iq_buf *scratch)
{
	if (pick->token.type != IQ_JSON_STRING && pick->token.type != IQ_JSON_NUMBER)
		return IQ_VIEW_NULL;
	return iq_json_text(&pick->token, scratch);
}

struct iq_view iq_pick_within(const struct iq_pick *pick, struct iq_view name, struct iq_buf *scratch)
{
	struct iq_pick inner = { .name = name };

	if (!iq_picked(pick, IQ_JSON_OBJECT_BEGIN) || !iq_pick(pick->raw, &inner, 1))
		return IQ_VIEW_NULL;
	return iq_pick_text(&inner, scratch);
}

struct iq_view iq_first_object(struct iq_view array)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, array);
	if (array.len == 0 || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_ARRAY_BEGIN ||
	    iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return IQ_VIEW_NULL;
	return iq_json_skip(&json, &token);
}

struct iq_view iq_argument_key(struct iq_view json, struct iq_buf *scratch)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.type = IQ_LIT("");
	event.body = json;
	iq_dialect_json(&event, scratch);
	return event.key;
}

bool iq_is_listed(struct iq_view view, const struct iq_view *names, size_t count)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = iq_view_cmp(names[middle], view);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
