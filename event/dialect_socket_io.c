/* Socket.IO over Engine.IO, protocols 3 and 4 of the latter (docs of socket.io: engine.io-protocol, socket.io-protocol 5):
 *	0{"sid":...}  1  2  2probe  3  5  6          open close ping pong upgrade noop
 *	4<type>[<n>-][<nsp>,][<ack id>][<json>]      a packet of Socket.IO; n binary frames follow
 * A frame may hold several, with 0x1E between them. What differs between the two protocols (who sends pings, a byte 0x04 before
 * binary data) makes no difference here. */
#include "event/dialects.h"

enum packet { CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct iq_view take_digits(struct iq_view *text)
{
	size_t len = 0;

	while (len < text->len && is_digit(text->data[len]))
		len++;
	*text = iq_view_from(*text, len);
	return iq_view_make(text->data - len, len);
}

/* `2-` of a binary packet. */
static bool take_attachments(struct iq_view *text, uint32_t *ret_count)
{
	struct iq_view digits = take_digits(text);
	int64_t count;

	if (!iq_view_to_int64(digits, &count) || count > UINT32_MAX || !iq_view_starts_with(*text, IQ_LIT("-")))
		return false;
	*ret_count = (uint32_t)count;
	*text = iq_view_from(*text, 1);
	return true;
}

/* `/admin,`, in protocol 3 of Engine.IO also `/admin?query,`; the NULL view for the main namespace. */
static struct iq_view take_namespace(struct iq_view *text)
{
	struct iq_view name;
	size_t comma, query;

	if (!iq_view_starts_with(*text, IQ_LIT("/")))
		return IQ_VIEW_NULL;
	comma = iq_view_find(*text, IQ_LIT(","));
	name = iq_view_make(text->data, comma == SIZE_MAX ? text->len : comma);
	*text = iq_view_from(*text, comma == SIZE_MAX ? text->len : comma + 1);
	query = iq_view_find(name, IQ_LIT("?"));
	return iq_view_make(name.data, query == SIZE_MAX ? name.len : query);
}

/* ["name", argument, ...]: the name, and the key in the first argument. */
static bool read_event(struct iq_view text, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, text);
	if (text.len == 0 || iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_ARRAY_BEGIN ||
	    iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_STRING)
		return false;
	reading->type = iq_json_text(&token, scratch);
	if (!reading->key.data && iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN)
		reading->key = iq_argument_key(iq_json_skip(&json, &token), scratch);
	return true;
}

/* A namespace, an object or a text may follow; `401` is a number. */
static enum iq_fit read_named(struct iq_reading *reading, struct iq_view type, struct iq_view rest)
{
	reading->type = type;
	reading->key = IQ_VIEW_NULL;
	if (rest.len == 0)
		return IQ_FIT_LIKELY;
	return rest.data[0] == '{' || rest.data[0] == '/' || rest.data[0] == '"' ? IQ_FIT_SURE : IQ_FIT_NONE;
}

/* An event with an ack id asks for the ack. */
static enum iq_fit read_packet(struct iq_view text, struct iq_reading *reading, struct iq_buf *scratch)
{
	const enum packet packet = (enum packet)(text.data[0] - '0');
	struct iq_view rest = iq_view_from(text, 1), id;

	if (packet >= BINARY_EVENT && !take_attachments(&rest, &reading->attachments))
		return IQ_FIT_NONE;
	reading->scope = take_namespace(&rest);
	id = take_digits(&rest);
	reading->key = id.len > 0 ? id : IQ_VIEW_NULL;
	switch (packet) {
	case CONNECT:
		return read_named(reading, IQ_LIT("connect"), iq_view_from(text, 1));
	case DISCONNECT:
		return read_named(reading, IQ_LIT("disconnect"), iq_view_from(text, 1));
	case CONNECT_ERROR:
		return read_named(reading, IQ_LIT("connect_error"), iq_view_from(text, 1));
	case ACK:
	case BINARY_ACK:
		reading->role = IQ_ROLE_ANSWER;
		reading->type = IQ_LIT("ack");
		return iq_view_starts_with(rest, IQ_LIT("[")) ? IQ_FIT_SURE : IQ_FIT_NONE;
	default:
		reading->role = id.len > 0 ? IQ_ROLE_REQUEST : IQ_ROLE_NONE;
		return read_event(rest, reading, scratch) ? IQ_FIT_SURE : IQ_FIT_NONE;
	}
}

/* A message of Engine.IO that is no packet of Socket.IO. */
static enum iq_fit read_message(struct iq_view text, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.body = text;
	iq_dialect_json(&event, scratch);
	*reading = (struct iq_reading){ .type = event.type.data ? event.type : IQ_LIT("engine.message"),
					.key = event.key };
	return IQ_FIT_LIKELY;
}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	static const struct iq_view types[] = { { "engine.open", 11 },	  { "engine.close", 12 },
						{ "engine.ping", 11 },	  { "engine.pong", 11 },
						{ "engine.message", 14 }, { "engine.upgrade", 14 },
						{ "engine.noop", 11 } };
	struct iq_view rest = iq_view_from(message, 1);
	enum iq_fit fit = IQ_FIT_NONE;

	if (message.len == 0 || message.data[0] < '0' || message.data[0] > '6')
		return IQ_FIT_NONE;
	if (message.data[0] == '4') {
		if (rest.len > 0 && rest.data[0] >= '0' && rest.data[0] <= '6')
			fit = read_packet(rest, reading, scratch);
		return fit != IQ_FIT_NONE ? fit : read_message(rest, reading, scratch);
	}
	reading->type = types[message.data[0] - '0'];
	if (rest.len == 0)
		return IQ_FIT_LIKELY;
	if (message.data[0] == '0')
		return iq_view_starts_with(rest, IQ_LIT("{\"sid\":")) ? IQ_FIT_SURE : IQ_FIT_NONE;
	return iq_view_eq(rest, IQ_LIT("probe")) ? IQ_FIT_SURE : IQ_FIT_NONE;
}

/* The arguments of a packet; the NULL view if it has none. */
static struct iq_view packet_json(struct iq_view message)
{
	struct iq_view rest = iq_view_from(message, 2);
	uint32_t attachments;

	if (message.len < 3 || message.data[0] != '4' || message.data[1] < '0' || message.data[1] > '6')
		return IQ_VIEW_NULL;
	if (message.data[1] - '0' >= BINARY_EVENT && !take_attachments(&rest, &attachments))
		return IQ_VIEW_NULL;
	(void)take_namespace(&rest);
	(void)take_digits(&rest);
	return rest;
}

/* The first argument, behind the name of an event. */
static struct iq_view first_argument(struct iq_view arguments)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, arguments);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_ARRAY_BEGIN || iq_json_next(&json, &token) <= 0)
		return IQ_VIEW_NULL;
	if (token.type == IQ_JSON_STRING && iq_json_next(&json, &token) <= 0)
		return IQ_VIEW_NULL;
	return token.type == IQ_JSON_OBJECT_BEGIN ? iq_json_skip(&json, &token) : IQ_VIEW_NULL;
}

static bool documents(struct iq_view message, struct iq_documents *ret_documents)
{
	struct iq_view json = packet_json(message);

	/* `0{...}`, or a message of Engine.IO that is no packet */
	if (!json.data && message.len > 1 && (message.data[0] == '0' || message.data[0] == '4'))
		json = iq_view_from(message, 1);
	if (json.len == 0 || (json.data[0] != '[' && json.data[0] != '{'))
		return false;
	*ret_documents = (struct iq_documents){ .message = json };
	ret_documents->payload = json.data[0] == '[' ? first_argument(json) : json;
	return true;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)subprotocol;
	return iq_has(url, IQ_LIT("EIO=")) || iq_has(url, IQ_LIT("/socket.io/")) || iq_has(url, IQ_LIT("/engine.io/"));
}

const struct iq_dialect iq_dialect_socket_io = {
	.separator = '\x1e',
	.handshake = handshake,
	.read = read,
	.documents = documents,
};
