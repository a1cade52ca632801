/* HAR 1.2 with the `_webSocketMessages` that Chrome, Playwright and mitmproxy add to the entry of a WebSocket:
 *	{"type":"send|receive","time":1795403232.418,"opcode":1,"data":"..."}
 * Times are seconds or milliseconds since the epoch (told by magnitude), -1 where the writer had none. Opcode 1 is
 *text, -1 an error that Chrome saw; the data of any other is base64. Nothing in a HAR says how a connection ended. */
#include <inttypes.h>
#include <stdlib.h>

#include "ingest/element_scan.h"
#include "ingest/formats.h"
#include "ingest/members.h"
#include "ingest/record.h"

#define STATUS_SWITCHING_PROTOCOLS 101
#define STATUS_OK 200 /* opens a WebSocket over HTTP/2 (RFC 8441, section 5) */
#define OPCODE_TEXT 1
#define OPCODE_ERROR (-1)

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct iq_view path[] = { { "log", 3 }, { "entries", 7 } };

struct iq_parser {
	struct iq_output output;
	struct iq_element_scan scan;
	uint64_t reached;   /* end of the last range given out */
	uint64_t sockets;   /* entries that are WebSockets */
	bool ended;	    /* everything was given out */
	struct iq_buf name; /* of the session */
	struct iq_buf attrs;
	struct iq_buf headers;
	struct iq_buf scratch;
};

/* What an entry says, as text of the entry or in the parser's scratch. */
struct entry {
	const struct iq_element *scanned;
	struct iq_view url;
	struct iq_view method;
	struct iq_view headers; /* of the request, an array of name and value */
	struct iq_view subprotocol;
	struct iq_view failure; /* Chrome's `_error` */
	struct iq_view messages;
	int64_t status;
	int64_t started;
	bool is_socket;
	uint64_t reach; /* end of what is complete in it, in the stream */
};

/* One of `_webSocketMessages`. */
struct message {
	struct iq_view data;
	bool data_escaped;
	int64_t ts;
	int64_t opcode;
	enum iq_direction direction;
};

static const struct {
	int64_t opcode;
	enum iq_kind kind;
} opcode_kinds[] = {
	{ 8, IQ_KIND_WS_CLOSE },
	{ 9, IQ_KIND_WS_PING },
	{ 10, IQ_KIND_WS_PONG },
	{ OPCODE_ERROR, IQ_KIND_NET_ERROR },
};

static enum iq_kind kind_of(int64_t opcode)
{
	for (size_t i = 0; i < COUNT(opcode_kinds); i++)
		if (opcode_kinds[i].opcode == opcode)
			return opcode_kinds[i].kind;
	return IQ_KIND_WS_MESSAGE;
}

/* ---- Arrays of objects ---- */

struct elements {
	struct iq_json json;
};

static bool elements_open(struct elements *elements, struct iq_view text)
{
	struct iq_json_token token;

	iq_json_init(&elements->json, text);
	return text.data && iq_json_next(&elements->json, &token) > 0 && token.type == IQ_JSON_ARRAY_BEGIN;
}

/* 1 and a complete element, 0 at the end or where the text ends. */
static int elements_next(struct elements *elements, struct iq_view *ret_element)
{
	struct iq_json_token token;
	struct iq_view element;

	if (iq_json_next(&elements->json, &token) <= 0 || token.type == IQ_JSON_ARRAY_END)
		return 0;
	element = iq_json_skip(&elements->json, &token);
	if (!element.data)
		return 0;
	*ret_element = element;
	return 1;
}

static uint64_t count_messages(const struct entry *entry)
{
	struct elements elements;
	struct iq_view element;
	uint64_t count = 0;

	if (elements_open(&elements, entry->messages))
		while (elements_next(&elements, &element) > 0)
			count++;
	return count;
}

/* ---- Reading an entry ---- */

static bool same_name(struct iq_view a, struct iq_view lower)
{
	return a.len == lower.len && strncasecmp(a.data, lower.data, a.len) == 0;
}

/* Name and value of a header as their JSON strings, without the quotes. */
static bool read_header(struct iq_view element, struct iq_view *ret_name, struct iq_view *ret_value)
{
	struct iq_members members;
	struct iq_member member;

	*ret_name = *ret_value = IQ_VIEW_NULL;
	if (!iq_members_open(&members, element, false))
		return false;
	while (iq_members_next(&members, &member) > 0) {
		if (member.value.type == IQ_JSON_STRING && iq_view_eq(member.name, IQ_LIT("name")))
			*ret_name = member.value.raw;
		else if (member.value.type == IQ_JSON_STRING && iq_view_eq(member.name, IQ_LIT("value")))
			*ret_value = member.value.raw;
	}
	return ret_name->len > 0 && ret_value->data;
}

static struct iq_view find_header(struct iq_view headers, struct iq_view lower_name)
{
	struct elements elements;
	struct iq_view element, name, value;

	if (elements_open(&elements, headers))
		while (elements_next(&elements, &element) > 0)
			if (read_header(element, &name, &value) && same_name(name, lower_name))
				return value;
	return IQ_VIEW_NULL;
}

static void read_request(struct entry *entry, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, true))
		return;
	while (iq_members_next(&members, &member) > 0) {
		if (member.cut)
			return;
		if (iq_view_eq(member.name, IQ_LIT("url")))
			entry->url = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("method")))
			entry->method = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("headers")))
			entry->headers = member.raw;
	}
}

static void read_response(struct entry *entry, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, true))
		return;
	while (iq_members_next(&members, &member) > 0) {
		if (member.cut)
			return;
		if (iq_view_eq(member.name, IQ_LIT("status")))
			(void)iq_view_to_int64(iq_member_text(&member, scratch), &entry->status);
		else if (iq_view_eq(member.name, IQ_LIT("_error")))
			entry->failure = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("headers")))
			entry->subprotocol = find_header(member.raw, IQ_LIT("sec-websocket-protocol"));
	}
}

static void read_member(struct entry *entry, const struct iq_member *member, struct iq_buf *scratch)
{
	if (iq_view_eq(member->name, IQ_LIT("_webSocketMessages"))) {
		entry->messages = member->raw;
		entry->is_socket = true;
	} else if (iq_view_eq(member->name, IQ_LIT("request"))) {
		read_request(entry, member->raw, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("response"))) {
		read_response(entry, member->raw, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("_resourceType"))) {
		entry->is_socket |= iq_view_eq(member->value.raw, IQ_LIT("websocket"));
	} else if (iq_view_eq(member->name, IQ_LIT("startedDateTime"))) {
		(void)iq_member_time(member, scratch, &entry->started);
	}
}

/* Where a part of the entry's text ends in the stream. */
static uint64_t end_of(const struct entry *entry, struct iq_view part)
{
	return entry->scanned->offset + (uint64_t)(part.data + part.len - entry->scanned->text.data);
}

/* The last complete message of an array that was cut. */
static void reach_messages(struct entry *entry)
{
	struct elements elements;
	struct iq_view element;

	if (elements_open(&elements, entry->messages))
		while (elements_next(&elements, &element) > 0)
			entry->reach = end_of(entry, element);
}

static bool has_socket_scheme(struct iq_view url)
{
	return iq_view_starts_with(url, IQ_LIT("ws://")) || iq_view_starts_with(url, IQ_LIT("wss://"));
}

/* 0, or IQ_ERR_FORMAT with the place in the stream where the entry stops being JSON. */
static int read_entry(struct entry *entry, const struct iq_element *scanned, struct iq_buf *scratch,
		      uint64_t *ret_place)
{
	struct iq_members members;
	struct iq_member member;
	int rc = IQ_ERR_FORMAT;

	*entry = (struct entry){ .scanned = scanned, .started = IQ_TIME_NONE, .reach = scanned->start };
	if (iq_members_open(&members, scanned->text, !scanned->complete)) {
		while ((rc = iq_members_next(&members, &member)) > 0) {
			read_member(entry, &member, scratch);
			if (!member.cut)
				entry->reach = end_of(entry, member.raw);
			else if (member.raw.data == entry->messages.data)
				reach_messages(entry);
		}
	}
	entry->is_socket |= has_socket_scheme(entry->url);
	if (scanned->complete)
		entry->reach = scanned->end;
	*ret_place = scanned->offset + members.json.pos;
	return rc;
}

/* ---- Giving events ---- */

static struct iq_view without_scheme(struct iq_view url)
{
	size_t scheme = iq_view_find(url, IQ_LIT("://"));
	struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3);
	size_t len = 0;

	while (len < rest.len && len < 200 && rest.data[len] != '?' && rest.data[len] != '#')
		len++;
	return iq_view_make(rest.data, len);
}

/* A name that no other entry has, of this file and, by its time, of others: `ws2 host/path 03:07:12.418`. */
static void name_session(struct iq_parser *parser, const struct entry *entry)
{
	char time[IQ_RFC3339_SIZE];

	iq_buf_clear(&parser->name);
	(void)iq_buf_appendf(&parser->name, "ws%" PRIu64, ++parser->sockets);
	if (entry->url.len > 0) {
		(void)iq_buf_append_char(&parser->name, ' ');
		(void)iq_buf_append(&parser->name, without_scheme(entry->url));
	}
	if (entry->started != IQ_TIME_NONE)
		(void)iq_buf_appendf(&parser->name, " %s", iq_time_format_short(entry->started, true, time));
}

static struct iq_view headers_object(struct iq_parser *parser, const struct entry *entry)
{
	struct elements elements;
	struct iq_view element, name, value;

	iq_buf_clear(&parser->headers);
	if (elements_open(&elements, entry->headers))
		while (elements_next(&elements, &element) > 0)
			/* The value with its quotes is its JSON. */
			if (read_header(element, &name, &value))
				iq_attrs_raw(&parser->headers, name, iq_view_make(value.data - 1, value.len + 2));
	return iq_attrs_end(&parser->headers);
}

static struct iq_view entry_attrs(struct iq_parser *parser, const struct entry *entry)
{
	struct iq_view headers = entry->is_socket ? headers_object(parser, entry) : IQ_VIEW_NULL;

	iq_buf_clear(&parser->attrs);
	if (entry->url.data)
		iq_attrs_text(&parser->attrs, IQ_LIT("url"), entry->url);
	if (entry->method.len > 0 && !entry->is_socket)
		iq_attrs_text(&parser->attrs, IQ_LIT("method"), entry->method);
	if (entry->status > 0)
		iq_attrs_number(&parser->attrs, IQ_LIT("status"), (uint64_t)entry->status);
	if (entry->subprotocol.data)
		iq_attrs_raw(&parser->attrs, IQ_LIT("subprotocol"),
			     iq_view_make(entry->subprotocol.data - 1, entry->subprotocol.len + 2));
	if (entry->failure.len > 0)
		iq_attrs_text(&parser->attrs, IQ_LIT("error"), entry->failure);
	if (headers.data)
		iq_attrs_raw(&parser->attrs, IQ_LIT("headers"), headers);
	return iq_attrs_end(&parser->attrs);
}

static int give(struct iq_parser *parser, struct iq_event *event, struct iq_error *error)
{
	if (parser->attrs.failed || parser->headers.failed || parser->scratch.failed || parser->name.failed)
		return iq_error_nomem(error);
	event->source = parser->output.options.source;
	return iq_output_event(&parser->output, event, error);
}

/* The event that stands for the entry and has its range; the ranges of its messages lie within. */
static int give_entry(struct iq_parser *parser, const struct entry *entry, enum iq_kind kind, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = kind;
	event.ts = entry->started;
	event.type = kind == IQ_KIND_NET_ERROR ? IQ_LIT("refused") : IQ_VIEW_NULL;
	if (entry->is_socket) {
		event.session = iq_buf_view(&parser->name);
		event.seq = 0;
	}
	event.offset = entry->scanned->start;
	event.length = entry->reach - entry->scanned->start;
	event.attrs = entry_attrs(parser, entry);
	return give(parser, &event, error);
}

static bool read_message(struct message *message, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	*message = (struct message){ .ts = IQ_TIME_NONE, .opcode = OPCODE_TEXT };
	if (!iq_members_open(&members, text, false))
		return false;
	while (iq_members_next(&members, &member) > 0) {
		if (iq_view_eq(member.name, IQ_LIT("type")))
			(void)iq_direction_parse(iq_member_text(&member, scratch), &message->direction);
		else if (iq_view_eq(member.name, IQ_LIT("time")))
			(void)iq_member_time(&member, scratch, &message->ts);
		else if (iq_view_eq(member.name, IQ_LIT("opcode")))
			(void)iq_view_to_int64(iq_member_text(&member, scratch), &message->opcode);
		else if (iq_view_eq(member.name, IQ_LIT("data")))
			message->data = iq_member_text(&member, scratch);
	}
	return true;
}

/* The body of a message whose data is base64, and the attrs that say what it was. */
static void decode_data(struct iq_parser *parser, const struct message *message, struct iq_event *event)
{
	size_t start = parser->scratch.len;

	iq_attrs_number(&parser->attrs, IQ_LIT("opcode"), (uint64_t)message->opcode);
	if (iq_base64_decode(message->data, &parser->scratch) == 0) {
		event->body = iq_view_from(iq_buf_view(&parser->scratch), start);
		return;
	}
	iq_attrs_text(&parser->attrs, IQ_LIT("encoding"), IQ_LIT("not the base64 that it should be"));
	iq_output_problem(&parser->output,
			  "byte %" PRIu64 ": message with opcode %" PRId64 " is not base64; kept as it is",
			  event->offset, message->opcode);
}

static void cut_body(struct iq_parser *parser, struct iq_event *event)
{
	size_t limit = parser->output.options.max_line;
	size_t bytes = event->body.len;

	if (bytes <= limit)
		return;
	event->body = iq_body_trim(iq_view_make(event->body.data, limit));
	iq_attrs_number(&parser->attrs, IQ_LIT("body_bytes"), bytes);
	iq_output_problem(&parser->output,
			  "byte %" PRIu64 ": message cut at %zu of %zu bytes; the store keeps it whole", event->offset,
			  limit, bytes);
}

/* `event` has its range, session and seq. */
static int give_message(struct iq_parser *parser, struct iq_event *event, struct iq_view text, struct iq_error *error)
{
	struct message message;

	iq_buf_clear(&parser->scratch);
	iq_buf_clear(&parser->attrs);
	if (iq_buf_reserve(&parser->scratch, 4 * text.len + 64) < 0)
		return iq_error_nomem(error);
	if (!read_message(&message, text, &parser->scratch))
		return iq_output_damage(&parser->output, event->offset, event->length, error,
					"byte %" PRIu64 ": a message that is no JSON object", event->offset);
	event->kind = kind_of(message.opcode);
	event->ts = message.ts;
	event->direction = message.direction;
	event->body = message.data;
	if (message.opcode == OPCODE_ERROR) {
		event->type = IQ_LIT("cut");
		event->body = IQ_VIEW_NULL;
		iq_attrs_text(&parser->attrs, IQ_LIT("error"), message.data);
	} else if (message.opcode != OPCODE_TEXT && message.data.data) {
		decode_data(parser, &message, event);
	}
	cut_body(parser, event);
	event->attrs = iq_attrs_end(&parser->attrs);
	return give(parser, event, error);
}

/* Where no event stands for the entry, its messages share its range between them: `spread`. */
static int give_messages(struct iq_parser *parser, const struct entry *entry, bool spread, struct iq_error *error)
{
	uint64_t left = spread ? count_messages(entry) : 0;
	uint64_t begin = entry->scanned->start;
	struct elements elements;
	struct iq_view text;
	int64_t seq = 0;
	int rc = 0;

	if (!elements_open(&elements, entry->messages))
		return 0;
	while (rc == 0 && elements_next(&elements, &text) > 0) {
		struct iq_event event = IQ_EVENT_INIT;
		uint64_t end = end_of(entry, text);

		if (spread && --left == 0)
			end = entry->reach;
		event.offset = spread ? begin : end - text.len;
		event.length = end - event.offset;
		event.session = iq_buf_view(&parser->name);
		event.seq = ++seq;
		rc = give_message(parser, &event, text, error);
		begin = end;
	}
	return rc;
}

static int missing_messages(const struct iq_parser *parser, const struct entry *entry, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	iq_output_problem(&parser->output, "byte %" PRIu64 ": a WebSocket without _webSocketMessages; %s",
			  entry->scanned->offset,
			  "export the HAR with a tool that writes them (Chrome, Playwright, mitmproxy)");
	gap.source = parser->output.gap_source;
	gap.session = iq_buf_view(&parser->name);
	gap.ts_min = entry->started;
	gap.offset = entry->scanned->offset;
	gap.reason = IQ_LIT("the HAR holds no messages of this WebSocket");
	return parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

static int give_socket(struct iq_parser *parser, const struct entry *entry, struct iq_error *error)
{
	bool opened = entry->status == STATUS_SWITCHING_PROTOCOLS;
	bool has_messages = count_messages(entry) > 0;
	int rc = 0;

	opened |= entry->status == STATUS_OK && has_messages;
	name_session(parser, entry);
	parser->output.gap_session = iq_buf_view(&parser->name);
	if (opened)
		rc = give_entry(parser, entry, IQ_KIND_WS_OPEN, error);
	else if (!has_messages && entry->scanned->complete)
		return give_entry(parser, entry, IQ_KIND_NET_ERROR, error);
	if (rc == 0 && opened && entry->scanned->complete && !entry->messages.data)
		return missing_messages(parser, entry, error);
	return rc == 0 ? give_messages(parser, entry, !opened, error) : rc;
}

/* What is missing after it is the end of the file's to say, or here, where another entry follows. */
static int give_truncated(struct iq_parser *parser, const struct entry *entry, struct iq_error *error)
{
	bool anything = entry->status == STATUS_SWITCHING_PROTOCOLS || count_messages(entry) > 0;
	int rc = 0;

	if (entry->is_socket && anything) {
		parser->reached = entry->reach;
		rc = give_socket(parser, entry, error);
	}
	if (rc < 0 || entry->scanned->ended)
		return rc;
	rc = iq_output_damage(&parser->output, parser->reached, entry->scanned->end - parser->reached, error,
			      "byte %" PRIu64 ": cut off in the middle of an entry; another one follows",
			      parser->reached);
	parser->reached = entry->scanned->end;
	return rc;
}

static int leave_out(struct iq_parser *parser, const struct iq_element *scanned, uint64_t place, struct iq_error *error)
{
	parser->reached = scanned->end;
	return iq_output_damage(&parser->output, scanned->start, scanned->end - scanned->start, error,
				"byte %" PRIu64 ": not JSON; this entry is left out", place);
}

static int take_entry(void *context, const struct iq_element *scanned, struct iq_error *error)
{
	struct iq_parser *parser = context;
	struct entry entry;
	uint64_t place;

	iq_buf_clear(&parser->scratch);
	parser->output.gap_session = IQ_VIEW_NULL;
	parser->reached = scanned->complete ? scanned->end : scanned->start;
	if (!scanned->text.data)
		return iq_output_damage(&parser->output, scanned->start, scanned->end - scanned->start, error,
					"byte %" PRIu64 ": an entry larger than %u bytes", scanned->offset,
					IQ_ELEMENT_MAX);
	/* Texts of the entry stay in `scratch` together. */
	if (iq_buf_reserve(&parser->scratch, scanned->text.len) < 0)
		return iq_error_nomem(error);
	if (read_entry(&entry, scanned, &parser->scratch, &place) < 0)
		return scanned->ended ? 0 : leave_out(parser, scanned, place, error);
	if (!scanned->complete)
		return give_truncated(parser, &entry, error);
	return entry.is_socket ? give_socket(parser, &entry, error)
			       : give_entry(parser, &entry, IQ_KIND_HTTP_RESPONSE, error);
}

/* ---- The format ---- */

static int har_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	return iq_element_scan_feed(&parser->scan, bytes, error);
}

/* A complete HAR without entries: nothing was lost in it. */
static int give_empty(struct iq_parser *parser, uint64_t end, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = parser->output.gap_source;
	gap.offset = parser->scan.from;
	gap.bytes = end - gap.offset;
	gap.count = 0;
	gap.reason = IQ_LIT("a HAR without entries");
	parser->reached = end;
	return parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

static int har_end(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_element_scan *scan = &parser->scan;
	uint64_t end = scan->place == IQ_ELEMENT_TRAILING ? scan->trailing : scan->position;
	const bool within_entry = scan->text_open;
	int rc = parser->ended ? 0 : iq_element_scan_end(scan, error);

	if (parser->ended)
		return 0;
	parser->ended = true;
	/* Within the last session, its rest is missing; after it, all that is. */
	if (!within_entry)
		parser->output.gap_session = IQ_VIEW_NULL;
	if (rc == 0 && scan->elements == 0 && scan->place >= IQ_ELEMENT_AFTER)
		rc = give_empty(parser, end, error);
	if (rc == 0 && scan->place == IQ_ELEMENT_BEFORE)
		return iq_output_damage(&parser->output, scan->from, scan->position - scan->from, error,
					scan->from > 0 ? "not part of the HAR" : "not JSON, so not a HAR");
	if (rc == 0 && scan->place == IQ_ELEMENT_WITHIN)
		rc = iq_output_damage(&parser->output, parser->reached, scan->position - parser->reached, error,
				      "truncated at byte %" PRIu64 "; what was whole before it is taken in",
				      scan->position);
	if (rc == 0 && scan->place == IQ_ELEMENT_TRAILING)
		rc = iq_output_damage(&parser->output, scan->trailing, scan->position - scan->trailing, error,
				      "byte %" PRIu64 ": not part of the HAR", scan->trailing);
	if (rc == 0 && parser->sockets == 0)
		iq_output_problem(
			&parser->output,
			"no WebSocket messages: export the HAR with the network panel open before the page connects");
	return rc;
}

/* A HAR is one document: whole, it is given out; of one that is not, the parts may still become others. */
static int har_settle(struct iq_parser *parser, struct iq_error *error)
{
	return parser->scan.place >= IQ_ELEMENT_AFTER ? har_end(parser, error) : 0;
}

/* Read again from its beginning: where in the document an entry stands cannot be told from the entry. */
static struct iq_restart har_restart(const struct iq_parser *parser)
{
	return (struct iq_restart){ parser->ended ? parser->scan.position : parser->scan.from, 0 };
}

static void har_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_element_scan_release(&parser->scan);
	iq_buf_release(&parser->name);
	iq_buf_release(&parser->attrs);
	iq_buf_release(&parser->headers);
	iq_buf_release(&parser->scratch);
	free(parser);
}

static struct iq_parser *har_open(const struct iq_format *format, const struct iq_parser_options *options,
				  const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink, .gap_source = options->source };
	iq_element_scan_init(&parser->scan, options->from.offset, path, COUNT(path), take_entry, parser);
	parser->reached = options->from.offset;
	return parser;
}

/* Does the value of "log" begin like a HAR's? */
static bool is_log(struct iq_view text)
{
	static const struct iq_view names[] = {
		{ "version", 7 }, { "creator", 7 }, { "browser", 7 }, { "pages", 5 }, { "entries", 7 },
	};
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, true) || iq_members_next(&members, &member) <= 0)
		return false;
	for (size_t i = 0; i < COUNT(names); i++)
		if (iq_view_eq(member.name, names[i]))
			return true;
	return false;
}

static int no_entry(void *context, const struct iq_element *element, struct iq_error *error)
{
	(void)context, (void)element, (void)error;
	return IQ_ERR_LIMIT;
}

/* Also behind damage. */
static bool has_entries(struct iq_view head)
{
	struct iq_element_scan scan;
	bool found;

	iq_element_scan_init(&scan, 0, path, COUNT(path), no_entry, NULL);
	(void)iq_element_scan_feed(&scan, head, NULL);
	found = scan.elements > 0;
	iq_element_scan_release(&scan);
	return found;
}

static int har_probe(struct iq_view head)
{
	struct iq_members members;
	struct iq_member member;

	if (iq_view_starts_with(head, IQ_LIT("\xef\xbb\xbf")))
		head = iq_view_from(head, 3);
	if (!iq_members_open(&members, head, true))
		return 0;
	while (iq_members_next(&members, &member) > 0)
		if (iq_view_eq(member.name, IQ_LIT("log")) && is_log(member.raw))
			return 98;
	return has_entries(head) ? 90 : 0;
}

const struct iq_format iq_format_har = {
	.name = "har",
	.summary = "HTTP archives with WebSocket messages (Chrome, Playwright, mitmproxy)",
	.probe = har_probe,
	.open = har_open,
	.feed = har_feed,
	.settle = har_settle,
	.restart = har_restart,
	.end = har_end,
	.close = har_close,
};
