/* SignalR (dotnet/aspnetcore, HubProtocol.md). In its JSON protocol each record ends with 0x1E, in that of MessagePack each has its
 * length before it, seven bits a byte; a frame may hold several. The first of each side are a handshake, in JSON; after that `type` is a
 * number. */
#include "event/dialects.h"
#include "event/msgpack.h"

#define MAX_LENGTH_BYTES 5

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
		reading->key = iq_argument_key(iq_first_object(picks[ARGUMENTS].raw), scratch);
	return IQ_FIT_LIKELY;
}

static enum iq_fit read_json(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
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

/* ---- MessagePack ---- */

/* `text` as it is, digits of a number in the scratch; NULL for anything else. */
static struct iq_view token_text(const struct iq_msgpack_token *token, struct iq_buf *scratch)
{
	const size_t start = scratch->len;

	if (token->type == IQ_MSGPACK_STRING)
		return token->text;
	if (token->type != IQ_MSGPACK_INTEGER || iq_buf_appendf(scratch, "%lld", (long long)token->integer) < 0)
		return IQ_VIEW_NULL;
	return iq_view_from(iq_buf_view(scratch), start);
}

/* In a map that begins with `map`, the key as plain JSON would find it. */
static struct iq_view map_key(struct iq_msgpack *reader, const struct iq_msgpack_token *map, struct iq_buf *scratch)
{
	struct iq_msgpack_token name, value, best = { .type = IQ_MSGPACK_NONE };
	size_t best_rank = SIZE_MAX;

	for (uint32_t i = 0; i < map->count; i++) {
		if (!iq_msgpack_next(reader, &name) || !iq_msgpack_skip(reader, &name) ||
		    !iq_msgpack_next(reader, &value))
			break;
		if (name.type == IQ_MSGPACK_STRING && iq_key_rank(name.text) < best_rank &&
		    (value.type == IQ_MSGPACK_STRING || value.type == IQ_MSGPACK_INTEGER)) {
			best_rank = iq_key_rank(name.text);
			best = value;
		}
		if (!iq_msgpack_skip(reader, &value))
			break;
	}
	return token_text(&best, scratch);
}

/* What follows the invocation id of a call: its target, and arguments of which the first may have a key. */
static bool read_call(struct iq_msgpack *reader, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_msgpack_token token;

	if (!iq_msgpack_next(reader, &token) || token.type != IQ_MSGPACK_STRING)
		return false;
	reading->type = token.text;
	if (reading->key.data)
		return true;
	reading->role = IQ_ROLE_NONE;
	if (iq_msgpack_next(reader, &token) && token.type == IQ_MSGPACK_ARRAY && token.count > 0 &&
	    iq_msgpack_next(reader, &token) && token.type == IQ_MSGPACK_MAP)
		reading->key = map_key(reader, &token, scratch);
	return true;
}

/* Behind its kind: [headers, invocation id, ...], for those that have one. */
static bool read_bound(struct iq_msgpack *reader, int64_t kind, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_msgpack_token token;

	if (!iq_msgpack_next(reader, &token) || token.type != IQ_MSGPACK_MAP || !iq_msgpack_skip(reader, &token) ||
	    !iq_msgpack_next(reader, &token))
		return false;
	reading->key = token_text(&token, scratch);
	if (reading->role == IQ_ROLE_REQUEST)
		return read_call(reader, reading, scratch);
	/* 1: an error, 2: nothing, 3: a result */
	if (kind == COMPLETION && iq_msgpack_next(reader, &token) && token.integer == 1)
		reading->type = IQ_LIT("error");
	return true;
}

static enum iq_fit read_msgpack(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	struct iq_msgpack reader = { .text = message };
	struct iq_msgpack_token whole, kind;

	if (!iq_msgpack_next(&reader, &whole) || whole.type != IQ_MSGPACK_ARRAY || !iq_msgpack_next(&reader, &kind) ||
	    kind.type != IQ_MSGPACK_INTEGER || kind.integer < INVOKE || kind.integer >= KINDS)
		return IQ_FIT_NONE;
	reading->type = kinds[kind.integer].type;
	reading->role = kinds[kind.integer].role;
	if (reading->role != IQ_ROLE_NONE && !read_bound(&reader, kind.integer, reading, scratch))
		return IQ_FIT_NONE;
	return IQ_FIT_LIKELY;
}

/* The length before a message: how many bytes it takes; 0 where it is none, or the message is not all there. */
static size_t read_length(struct iq_view text, size_t *ret_length)
{
	uint64_t length = 0;

	for (size_t i = 0; i < text.len && i < MAX_LENGTH_BYTES; i++) {
		length |= (uint64_t)(text.data[i] & 0x7f) << (7 * i);
		if (text.data[i] & 0x80)
			continue;
		if (length == 0 || length > text.len - i - 1)
			return 0;
		*ret_length = (size_t)length;
		return i + 1;
	}
	return 0;
}

static bool part(struct iq_view frame, size_t at, struct iq_part *ret_part)
{
	const struct iq_view rest = iq_view_from(frame, at);
	size_t length = 0, before = rest.len > 0 && rest.data[0] != '{' ? read_length(rest, &length) : 0;

	if (before == 0)
		return false;
	*ret_part = (struct iq_part){ .body = iq_view_make(rest.data, before + length),
				      .message = iq_view_make(rest.data + before, length),
				      .end = at + before + length };
	return true;
}

static enum iq_fit read(struct iq_view message, struct iq_reading *reading, struct iq_buf *scratch)
{
	return iq_view_starts_with(message, IQ_LIT("{")) ? read_json(message, reading, scratch)
							 : read_msgpack(message, reading, scratch);
}

/* ---- Pointers ---- */

static bool documents(struct iq_view message, struct iq_documents *ret_documents)
{
	struct iq_pick picks[] = {
		{ .name = { "type", 4 } },
		{ .name = { "arguments", 9 } },
		{ .name = { "item", 4 } },
		{ .name = { "result", 6 } },
	};

	if (!iq_view_ends_with(message, IQ_LIT("\x1e")))
		return false;
	message.len--;
	if (!iq_pick(message, picks, 4) || !iq_picked(&picks[0], IQ_JSON_NUMBER))
		return false;
	*ret_documents = (struct iq_documents){ .message = message, .payload = iq_first_object(picks[1].raw) };
	for (size_t i = 2; i < 4 && !ret_documents->payload.data; i++)
		if (iq_picked(&picks[i], IQ_JSON_OBJECT_BEGIN))
			ret_documents->payload = picks[i].raw;
	return true;
}

static bool handshake(struct iq_view url, struct iq_view subprotocol)
{
	(void)url;
	(void)subprotocol;
	return false;
}

const struct iq_dialect iq_dialect_signalr = {
	.separator = '\x1e',
	.part = part,
	.handshake = handshake,
	.read = read,
	.documents = documents,
};
