#include "event/dialects.h"

/* A member of interest and its rank: the lowest rank that is present wins, wherever it stands in the object. */
struct candidate {
	struct iq_view name;
	bool number_allowed;
};

static const struct candidate type_members[] = {
	{ { "type", 4 }, false },
	{ { "event", 5 }, false },
	{ { "name", 4 }, false },
	{ { "op", 2 }, false },
};

static const struct candidate key_members[] = {
	{ { "tool_call_id", 12 }, true }, { { "tool_id", 7 }, true },	  { { "call_id", 7 }, true },
	{ { "run_id", 6 }, true },	  { { "request_id", 10 }, true }, { { "id", 2 }, true },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

size_t iq_key_rank(struct iq_view name)
{
	for (size_t rank = 0; rank < COUNT(key_members); rank++)
		if (iq_view_eq(key_members[rank].name, name))
			return rank;
	return SIZE_MAX;
}

struct best {
	size_t rank;
	struct iq_json_token token;
};

static void consider(struct best *best, const struct candidate *candidates, size_t count, struct iq_view name,
		     const struct iq_json_token *value)
{
	for (size_t rank = 0; rank < count && rank < best->rank; rank++) {
		if (!iq_view_eq(candidates[rank].name, name))
			continue;
		if (value->type == IQ_JSON_STRING || (value->type == IQ_JSON_NUMBER && candidates[rank].number_allowed))
			*best = (struct best){ rank, *value };
		return;
	}
}

void iq_dialect_json(struct iq_event *event, struct iq_buf *scratch)
{
	struct best type = { .rank = COUNT(type_members) };
	struct best key = { .rank = COUNT(key_members) };
	struct iq_json json;
	struct iq_json_token token, value;

	iq_json_init(&json, event->body);
	if (event->body.len == 0 || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return;
	while (iq_json_member(&json, &token, &value) > 0) {
		consider(&type, type_members, COUNT(type_members), token.raw, &value);
		consider(&key, key_members, COUNT(key_members), token.raw, &value);
		if (!iq_json_skip(&json, &value).data)
			return;
	}
	if (json.error || !iq_json_end(&json))
		return;
	/* Both texts may land in `scratch`: room for them first, so that the first view stays where it is. */
	if (iq_buf_reserve(scratch, event->body.len) < 0)
		return;
	if (!event->type.data && type.rank < COUNT(type_members))
		event->type = iq_json_text(&type.token, scratch);
	if (!event->key.data && key.rank < COUNT(key_members))
		event->key = iq_json_text(&key.token, scratch);
}
