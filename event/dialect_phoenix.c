/* Phoenix channels (hexdocs: Phoenix.Socket.V2.JSONSerializer): [join_ref, ref, topic, event, payload]; version 1 has the same as
 * members of an object. A reply has the ref of what it answers, and `status` in its payload. */
#include "event/dialects.h"

enum { JOIN_REF, REF, TOPIC, EVENT, PAYLOAD, PARTS };

static bool read_array(struct iq_view message, struct iq_pick *parts)
{
	struct iq_json json;
	struct iq_json_token token;
	size_t count = 0;

	iq_json_init(&json, message);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_ARRAY_BEGIN)
		return false;
	while (iq_json_next(&json, &token) > 0 && token.type != IQ_JSON_ARRAY_END && count < PARTS) {
		parts[count].token = token;
		parts[count].raw = iq_json_skip(&json, &token);
		if (!parts[count++].raw.data)
			return false;
	}
	return count == PARTS && token.type == IQ_JSON_ARRAY_END && iq_json_end(&json);
}

static bool is_ref(const struct iq_pick *part)
{
	return iq_picked(part, IQ_JSON_STRING) || iq_picked(part, IQ_JSON_NULL);
}

static bool read_parts(struct iq_view message, struct iq_pick *parts)
{
	const bool is_array = iq_view_starts_with(message, IQ_LIT("["));

	if (!(is_array ? read_array(message, parts) : iq_pick(message, parts, PARTS)))
		return false;
	/* join_ref may be left out of an object. */
	return is_ref(&parts[REF]) && (is_ref(&parts[JOIN_REF]) || !is_array) &&
	       iq_picked(&parts[TOPIC], IQ_JSON_STRING) && iq_picked(&parts[EVENT], IQ_JSON_STRING) &&
	       iq_picked(&parts[PAYLOAD], IQ_JSON_OBJECT_BEGIN);
}

/* What is bound to nothing by a ref has the key in its payload, or else its topic. */
static void read_key(const struct iq_pick *parts, struct iq_reading *reading, struct iq_buf *scratch)
{
	reading->key = iq_pick_text(&parts[REF], scratch);
	if (reading->key.data) {
		reading->role = IQ_ROLE_REQUEST;
		return;
	}
	reading->key = iq_argument_key(parts[PAYLOAD].raw, scratch);
	if (!reading->key.data)
		reading->key = iq_pick_text(&parts[TOPIC], scratch);
}

#define PARTS_INIT \
	{ \
		[JOIN_REF] = { .name = { "join_ref", 8 } }, [REF] = { .name = { "ref", 3 } }, \
		[TOPIC] = { .name = { "topic", 5 } }, [EVENT] = { .name = { "event", 5 } }, \
		[PAYLOAD] = { .name = { "payload", 7 } }, \
	}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_pick parts[PARTS] = PARTS_INIT;
	struct iq_view status;

	if (!read_parts(message, parts))
		return IQ_FIT_NONE;
	reading->type = iq_pick_text(&parts[EVENT], scratch);
	read_key(parts, reading, scratch);
	if (iq_view_eq(reading->type, IQ_LIT("phx_reply"))) {
		status = iq_pick_within(&parts[PAYLOAD], IQ_LIT("status"), scratch);
		reading->type = status.data ? status : IQ_LIT("reply");
		reading->role = IQ_ROLE_ANSWER;
	}
	return IQ_FIT_SURE;
}

static bool documents(struct iq_view message, struct iq_documents *ret_documents)
{
	struct iq_pick parts[PARTS] = PARTS_INIT;

	if ((message.data[0] == '{' && !iq_has(message, IQ_LIT("\"payload\""))) || !read_parts(message, parts))
		return false;
	*ret_documents = (struct iq_documents){ .message = message, .payload = parts[PAYLOAD].raw };
	return true;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)subprotocol;
	return iq_has(url, IQ_LIT("/websocket?")) && iq_has(url, IQ_LIT("vsn="));
}

const struct iq_dialect iq_dialect_phoenix = {
	.handshake = handshake,
	.read = read,
	.documents = documents,
};
