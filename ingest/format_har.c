/* HAR 1.2 with the `_webSocketMessages` that Chrome, Playwright and mitmproxy add to the entry of a WebSocket (ingest/har_message.h).
 * An entry of HTTP is a request and a response, which share its range. Nothing in a HAR says how a connection ended. */
#include <inttypes.h>
#include <stdlib.h>

#include "ingest/attached.h"
#include "ingest/engine_io.h"
#include "ingest/formats.h"
#include "ingest/har_entry.h"
#include "ingest/har_message.h"
#include "ingest/held.h"
#include "ingest/names.h"
#include "ingest/words.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Sessions of Engine.IO that began by polling, of which so many are remembered. */
#define MAX_POLLED 65536u

static const struct iq_view path[] = { { "log", 3 }, { "entries", 7 } };

struct iq_parser {
	struct iq_output output;
	struct iq_element_scan scan;
	uint64_t reached;     /* end of the last range given out */
	uint64_t sockets;     /* entries that are WebSockets */
	uint64_t exchanges;   /* entries that are not */
	bool ended;	      /* everything was given out */
	bool is_named;	      /* a person has said what the source is called */
	struct iq_map polled; /* names of sessions that polling has opened */
	struct iq_held held;  /* what their servers said, until the time is reached at which it came */
	int64_t packets;      /* numbers them */
	struct iq_buf name;   /* of the session, or the key of an exchange */
	struct iq_buf source;
	struct iq_buf attrs;
	struct iq_buf object;  /* of attrs */
	struct iq_buf scratch; /* texts of the entry */
	struct iq_buf message; /* and of a message in it */
};

/* ---- Names ---- */

/* The host and the path: what stands before the host (`user:password@`) and behind the path tells secrets, and no two entries apart. */
static struct iq_view place_of(struct iq_view url)
{
	const size_t scheme = iq_view_find(url, IQ_LIT("://"));
	struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3), host = rest, user;
	size_t len = 0;

	host.len = iq_view_find(rest, IQ_LIT("/")) < rest.len ? iq_view_find(rest, IQ_LIT("/")) : rest.len;
	while (iq_take_until(&host, '@', &user))
		rest = iq_view_from(rest, user.len + 1);
	while (len < rest.len && len < 200 && rest.data[len] != '?' && rest.data[len] != '#')
		len++;
	return iq_view_make(rest.data, len);
}

/* A name that no other entry has, of this file and, by its time, of others: `ws2 host/path 03:07:12.418`. */
static struct iq_view name_entry(struct iq_parser *parser, const struct iq_har_entry *entry, const char *what,
				 uint64_t number)
{
	char time[IQ_RFC3339_SIZE];

	iq_buf_clear(&parser->name);
	(void)iq_buf_appendf(&parser->name, "%s%" PRIu64, what, number);
	if (entry->url.len > 0) {
		(void)iq_buf_append_char(&parser->name, ' ');
		(void)iq_buf_append(&parser->name, place_of(entry->url));
	}
	if (entry->started != IQ_TIME_NONE)
		(void)iq_buf_appendf(&parser->name, " %s", iq_time_format_short(entry->started, true, time));
	return iq_buf_view(&parser->name);
}

static bool is_attached(const struct iq_har_entry *entry)
{
	return entry->response.file.data && !entry->messages.data;
}

/* What was polled before an upgrade and what the WebSocket carries after it is one session. */
static struct iq_view name_polled(struct iq_parser *parser, struct iq_view sid)
{
	iq_buf_clear(&parser->name);
	(void)iq_buf_append_cstr(&parser->name, "eio ");
	(void)iq_buf_append(&parser->name, sid);
	return iq_buf_view(&parser->name);
}

static void name_session(struct iq_parser *parser, const struct iq_har_entry *entry)
{
	const struct iq_engine_io engine = iq_engine_io_of(entry->url);

	parser->sockets++;
	if (is_attached(entry)) {
		iq_buf_clear(&parser->name);
		iq_attached_session(entry->response.file, &parser->name);
	} else if (engine.sid.len > 0) {
		(void)name_polled(parser, engine.sid);
	} else {
		(void)name_entry(parser, entry, "ws", parser->sockets);
	}
}

static struct iq_view source_of(struct iq_parser *parser, const struct iq_har_entry *entry)
{
	const struct iq_parser_options *options = &parser->output.options;

	if (!is_attached(entry) || parser->is_named)
		return options->source;
	iq_buf_clear(&parser->source);
	iq_attached_source(options->path, entry->response.file, &parser->source);
	return iq_buf_view(&parser->source);
}

/* ---- Giving events ---- */

static void add_text(struct iq_parser *parser, struct iq_view name, struct iq_view text)
{
	if (text.len > 0)
		iq_attrs_text(&parser->attrs, name, text);
}

/* Unless it is empty. */
static void add_object(struct iq_parser *parser, struct iq_view name)
{
	if (parser->object.len > 2)
		iq_attrs_raw(&parser->attrs, name, iq_buf_view(&parser->object));
}

static void add_headers(struct iq_parser *parser, struct iq_view headers)
{
	iq_buf_clear(&parser->object);
	iq_har_append_headers(&parser->object, headers);
	add_object(parser, IQ_LIT("headers"));
}

static void add_timings(struct iq_parser *parser, struct iq_view timings)
{
	iq_buf_clear(&parser->object);
	iq_har_append_timings(&parser->object, timings);
	add_object(parser, IQ_LIT("timings"));
}

static void add_status(struct iq_parser *parser, const struct iq_har_entry *entry)
{
	if (entry->status > 0)
		iq_attrs_number(&parser->attrs, IQ_LIT("status"), (uint64_t)entry->status);
}

static void add_bytes(struct iq_parser *parser, struct iq_view bytes)
{
	int64_t number;

	if (iq_view_to_int64(bytes, &number) && number >= 0)
		iq_attrs_number(&parser->attrs, IQ_LIT("bytes"), (uint64_t)number);
}

static void begin_attrs(struct iq_parser *parser, const struct iq_har_entry *entry)
{
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	add_text(parser, IQ_LIT("url"), entry->url);
}

/* A body that is longer than the limit is cut; the evidence has it whole. */
static void cut_body(struct iq_parser *parser, struct iq_event *event)
{
	size_t limit = parser->output.options.max_line;
	size_t bytes = event->body.len;

	if (bytes <= limit)
		return;
	event->body = iq_body_trim(iq_view_make(event->body.data, limit));
	iq_attrs_number(&parser->attrs, IQ_LIT("body_bytes"), bytes);
	iq_output_problem(&parser->output, "byte %" PRIu64 ": body cut at %zu of %zu bytes; the store keeps it whole",
			  event->offset, limit, bytes);
}

static bool out_of_memory(const struct iq_parser *parser)
{
	return parser->attrs.failed || parser->object.failed || parser->scratch.failed || parser->name.failed ||
	       parser->source.failed || parser->message.failed;
}

static int finish(struct iq_parser *parser, struct iq_event *event, struct iq_error *error)
{
	cut_body(parser, event);
	event->attrs = iq_attrs_end(&parser->attrs);
	return out_of_memory(parser) ? iq_error_nomem(error) : 0;
}

static int give(struct iq_parser *parser, struct iq_event *event, struct iq_error *error)
{
	int rc = finish(parser, event, error);

	return rc == 0 ? iq_output_event(&parser->output, event, error) : rc;
}

/* An event that has the range of the entry, and its attrs begun. */
static struct iq_event begin_event(struct iq_parser *parser, const struct iq_har_entry *entry, enum iq_kind kind)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = kind;
	event.ts = entry->started;
	event.offset = entry->scanned->start;
	event.length = entry->reach - entry->scanned->start;
	event.source = parser->output.gap_source;
	begin_attrs(parser, entry);
	return event;
}

/* ---- HTTP ---- */

/* Of an exchange: its key, and what of its bodies is told otherwise. */
struct exchange {
	const struct iq_har_entry *entry;
	struct iq_buf key;
	struct iq_view request; /* bodies */
	struct iq_view response;
};

static int give_request(struct iq_parser *parser, const struct exchange *exchange, struct iq_error *error)
{
	const struct iq_har_entry *entry = exchange->entry;
	struct iq_event event = begin_event(parser, entry, IQ_KIND_HTTP_REQUEST);

	event.direction = IQ_DIRECTION_CLIENT;
	event.key = iq_buf_view(&exchange->key);
	event.body = exchange->request;
	add_text(parser, IQ_LIT("method"), entry->method);
	add_text(parser, IQ_LIT("version"), entry->version);
	add_text(parser, IQ_LIT("resource"), entry->resource);
	add_text(parser, IQ_LIT("file"), entry->request.file);
	add_headers(parser, entry->request_headers);
	return give(parser, &event, error);
}

static void add_outcome(struct iq_parser *parser, const struct iq_har_entry *entry)
{
	add_text(parser, IQ_LIT("method"), entry->method);
	add_status(parser, entry);
	add_text(parser, IQ_LIT("error"), entry->failure);
	add_timings(parser, entry->timings);
}

/* Without a status there was no response: the browser says why. */
static int give_response(struct iq_parser *parser, const struct exchange *exchange, struct iq_error *error)
{
	const struct iq_har_entry *entry = exchange->entry;
	const bool answered = entry->status > 0 || !entry->has_request;
	struct iq_event event = begin_event(parser, entry, answered ? IQ_KIND_HTTP_RESPONSE : IQ_KIND_NET_ERROR);

	event.ts = entry->ended;
	event.key = iq_buf_view(&exchange->key);
	event.severity = entry->status >= 500 ? IQ_SEVERITY_ERROR : IQ_SEVERITY_NONE;
	add_outcome(parser, entry);
	if (answered) {
		event.direction = IQ_DIRECTION_SERVER;
		event.body = exchange->response;
		add_text(parser, IQ_LIT("file"), entry->response.file);
		add_bytes(parser, entry->response.bytes);
		add_headers(parser, entry->response_headers);
	} else {
		event.type = IQ_LIT("failed");
	}
	return give(parser, &event, error);
}

/* ---- Engine.IO by polling ---- */

/* A server answers a poll long after it was asked, and after what the client posted meanwhile, of which the HAR tells later. */
static int hold(struct iq_parser *parser, struct iq_event *event, struct iq_error *error)
{
	int rc = finish(parser, event, error);

	return rc == 0 && iq_held_add(&parser->held, event) < 0 ? iq_error_nomem(error) : rc;
}

/* Bytes as a WebSocket would have them. */
static struct iq_view decode_packet(struct iq_parser *parser, const struct iq_engine_packet *packet, unsigned revision)
{
	const size_t start = parser->message.len;

	if (revision == 3)
		(void)iq_buf_append_char(&parser->message, '\x04');
	if (iq_base64_decode(packet->text, &parser->message) < 0)
		return packet->text;
	return iq_view_from(iq_buf_view(&parser->message), start);
}

static int give_packet(struct iq_parser *parser, const struct iq_har_entry *entry, unsigned revision,
		       const struct iq_engine_packet *packet, bool by_client, struct iq_error *error)
{
	struct iq_event event = begin_event(parser, entry, IQ_KIND_WS_MESSAGE);

	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	event.session = iq_buf_view(&parser->name);
	event.direction = by_client ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
	event.ts = by_client ? entry->started : entry->ended;
	event.body = packet->is_base64 ? decode_packet(parser, packet, revision) : packet->text;
	if (packet->is_binary)
		iq_attrs_number(&parser->attrs, IQ_LIT("opcode"), 2);
	if (!by_client)
		return hold(parser, &event, error);
	event.seq = ++parser->packets;
	return give(parser, &event, error);
}

static int give_packets(struct iq_parser *parser, const struct iq_har_entry *entry, unsigned revision, bool by_client,
			struct iq_view body, struct iq_error *error)
{
	struct iq_engine_packet packet;
	int rc = 0;

	while (rc == 0 && iq_engine_io_next(&body, revision, &packet) > 0)
		rc = give_packet(parser, entry, revision, &packet, by_client, error);
	return rc;
}

/* The handshake by polling is that of the session. */
static int give_polled_open(struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	struct iq_event event = begin_event(parser, entry, IQ_KIND_WS_OPEN);

	event.session = iq_buf_view(&parser->name);
	event.seq = 0;
	add_status(parser, entry);
	add_headers(parser, entry->request_headers);
	if (parser->polled.count < MAX_POLLED && iq_map_set(&parser->polled, event.session, 1) < 0)
		return iq_error_nomem(error);
	return give(parser, &event, error);
}

/* The body is one of packets: then it is not told as the exchange's. */
static struct iq_view take_payload(struct iq_view *body, unsigned revision)
{
	const struct iq_view payload = *body;

	if (!iq_engine_io_is_payload(payload, revision))
		return IQ_VIEW_NULL;
	*body = IQ_VIEW_NULL;
	return payload;
}

/* The client posts its packets and gets those of the server; what it gets when it posts is `ok`. */
static int give_polling(struct iq_parser *parser, struct exchange *exchange, const struct iq_engine_io *engine,
			struct iq_error *error)
{
	const struct iq_har_entry *entry = exchange->entry;
	const bool posts = iq_view_eq(entry->method, IQ_LIT("POST"));
	const struct iq_view opened = posts ? IQ_VIEW_NULL : iq_engine_io_opened(exchange->response, engine->revision);
	struct iq_view sent = IQ_VIEW_NULL, got = IQ_VIEW_NULL;
	int rc;

	if (posts && engine->sid.data)
		sent = take_payload(&exchange->request, engine->revision);
	else if (engine->sid.data || opened.data)
		got = take_payload(&exchange->response, engine->revision);
	(void)name_polled(parser, engine->sid.data ? engine->sid : opened);
	rc = give_request(parser, exchange, error);
	if (rc == 0)
		rc = give_packets(parser, entry, engine->revision, true, sent, error);
	if (rc == 0)
		rc = give_response(parser, exchange, error);
	if (rc == 0 && !engine->sid.data && opened.data)
		rc = give_polled_open(parser, entry, error);
	parser->sockets += got.data || sent.data;
	return rc == 0 ? give_packets(parser, entry, engine->revision, false, got, error) : rc;
}

/* ---- Any exchange ---- */

static int give_bodies(struct iq_parser *parser, struct exchange *exchange, struct iq_error *error)
{
	const struct iq_har_entry *entry = exchange->entry;
	const struct iq_engine_io engine = iq_engine_io_of(entry->url);
	int rc = 0;

	iq_buf_clear(&parser->message);
	if (iq_buf_append(&exchange->key, name_entry(parser, entry, "http", ++parser->exchanges)) < 0 ||
	    iq_buf_reserve(&parser->message, 4 * entry->scanned->text.len) < 0)
		return iq_error_nomem(error);
	exchange->request = iq_har_content_text(&entry->request, &parser->message);
	exchange->response = iq_har_content_text(&entry->response, &parser->message);
	if (engine.is_polling && entry->has_request)
		return give_polling(parser, exchange, &engine, error);
	if (entry->has_request)
		rc = give_request(parser, exchange, error);
	return rc == 0 ? give_response(parser, exchange, error) : rc;
}

static int give_exchange(struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	struct exchange exchange = { .entry = entry, .key = IQ_BUF_INIT };
	int rc = give_bodies(parser, &exchange, error);

	iq_buf_release(&exchange.key);
	return rc;
}

/* ---- WebSockets ---- */

/* A session that polling has opened goes on: its upgrade is a response. */
static int give_open(struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	const bool is_upgrade = iq_map_get(&parser->polled, iq_buf_view(&parser->name)) != NULL;
	struct iq_event event = begin_event(parser, entry, is_upgrade ? IQ_KIND_HTTP_RESPONSE : IQ_KIND_WS_OPEN);
	struct iq_view subprotocol = iq_har_header(entry->response_headers, IQ_LIT("sec-websocket-protocol"));

	event.session = iq_buf_view(&parser->name);
	event.seq = 0;
	add_status(parser, entry);
	if (subprotocol.data)
		iq_attrs_raw(&parser->attrs, IQ_LIT("subprotocol"),
			     iq_view_make(subprotocol.data - 1, subprotocol.len + 2));
	add_text(parser, IQ_LIT("file"), entry->response.file);
	add_headers(parser, entry->request_headers);
	return give(parser, &event, error);
}

/* It never opened, or the browser saw it break after what it has of it. */
static int give_failure(struct iq_parser *parser, const struct iq_har_entry *entry, bool opened, struct iq_error *error)
{
	struct iq_event event = begin_event(parser, entry, IQ_KIND_NET_ERROR);

	event.session = iq_buf_view(&parser->name);
	event.type = opened ? IQ_LIT("cut") : IQ_LIT("refused");
	if (opened)
		event.ts = IQ_TIME_NONE;
	else
		event.seq = 0;
	iq_buf_clear(&parser->message);
	if (iq_buf_reserve(&parser->message, 2 * entry->scanned->text.len) < 0)
		return iq_error_nomem(error);
	if (!opened) {
		event.body = iq_har_content_text(&entry->response, &parser->message);
		add_status(parser, entry);
	}
	add_text(parser, IQ_LIT("error"), entry->failure);
	if (!opened)
		add_headers(parser, entry->request_headers);
	return give(parser, &event, error);
}

/* `event` has its range, session and seq. */
static int give_message(struct iq_parser *parser, struct iq_event *event, struct iq_view text, struct iq_error *error)
{
	const char *why;

	iq_buf_clear(&parser->message);
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	if (iq_buf_reserve(&parser->message, 4 * text.len + 64) < 0)
		return iq_error_nomem(error);
	why = iq_har_message_read(text, event, &parser->attrs, &parser->message);
	if (why)
		return iq_output_damage(&parser->output, event->offset, event->length, error, "byte %" PRIu64 ": %s",
					event->offset, why);
	return give(parser, event, error);
}

/* Where no event stands for the entry, its messages share its range between them: `spread`. */
static int give_messages(struct iq_parser *parser, const struct iq_har_entry *entry, bool spread,
			 struct iq_error *error)
{
	uint64_t left = spread ? iq_har_entry_messages(entry) : 0;
	uint64_t begin = entry->scanned->start;
	struct iq_elements elements;
	struct iq_view text;
	int64_t seq = 0;
	int rc = 0;

	if (!iq_elements_open(&elements, entry->messages))
		return 0;
	while (rc == 0 && iq_elements_next(&elements, &text) > 0) {
		struct iq_event event = IQ_EVENT_INIT;
		uint64_t end = iq_har_entry_end_of(entry, text);

		if (spread && --left == 0)
			end = entry->reach;
		event.offset = spread ? begin : end - text.len;
		event.length = end - event.offset;
		event.source = parser->output.gap_source;
		event.session = iq_buf_view(&parser->name);
		event.seq = ++seq;
		rc = give_message(parser, &event, text, error);
		begin = end;
	}
	return rc;
}

static int give_missing(const struct iq_parser *parser, const struct iq_har_entry *entry, const char *reason,
			struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = parser->output.gap_source;
	gap.session = iq_buf_view(&parser->name);
	gap.ts_min = entry->started;
	gap.offset = entry->scanned->offset;
	gap.reason = iq_view_cstr(reason);
	return parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

/* Messages that the HAR should hold, or a file beside it. */
static int note_missing(const struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	const struct iq_parser_options *options = &parser->output.options;

	if (!is_attached(entry)) {
		iq_output_problem(&parser->output, "byte %" PRIu64 ": a WebSocket without _webSocketMessages; %s",
				  entry->scanned->offset,
				  "export the HAR with a tool that writes them (Chrome, Playwright, mitmproxy)");
		return give_missing(parser, entry, "the HAR holds no messages of this WebSocket", error);
	}
	if (!options->beside || options->beside(options->context, entry->response.file))
		return 0;
	iq_output_problem(&parser->output,
			  "byte %" PRIu64 ": the messages of a WebSocket are in %.*s beside it; name that file or the "
			  "directory as well",
			  entry->scanned->offset, IQ_VIEW_ARG(iq_utf8_cut(entry->response.file, 100)));
	return give_missing(parser, entry, "the messages are in a file beside the HAR that was not taken in", error);
}

static int give_socket(struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	const bool complete = entry->scanned->complete, has_messages = iq_har_entry_messages(entry) > 0;
	const bool opened = entry->status == IQ_HTTP_SWITCHING_PROTOCOLS ||
			    (entry->status == IQ_HTTP_OK && (has_messages || is_attached(entry)));
	int rc = 0;

	name_session(parser, entry);
	parser->output.gap_session = iq_buf_view(&parser->name);
	parser->output.gap_source = source_of(parser, entry);
	if (opened)
		rc = give_open(parser, entry, error);
	else if (!has_messages && complete)
		return give_failure(parser, entry, false, error);
	if (rc == 0 && opened && complete && !entry->messages.data)
		rc = note_missing(parser, entry, error);
	if (rc == 0)
		rc = give_messages(parser, entry, !opened, error);
	return rc == 0 && entry->failure.len > 0 && complete ? give_failure(parser, entry, true, error) : rc;
}

/* What is missing after it is the end of the file's to say, or here, where another entry follows. */
static int give_truncated(struct iq_parser *parser, const struct iq_har_entry *entry, struct iq_error *error)
{
	bool anything = entry->status == IQ_HTTP_SWITCHING_PROTOCOLS || iq_har_entry_messages(entry) > 0;
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
	struct iq_har_entry entry;
	uint64_t place;
	int rc;

	iq_buf_clear(&parser->scratch);
	parser->output.gap_session = IQ_VIEW_NULL;
	parser->output.gap_source = parser->output.options.source;
	parser->reached = scanned->complete ? scanned->end : scanned->start;
	if (!scanned->text.data)
		return iq_output_damage(&parser->output, scanned->start, scanned->end - scanned->start, error,
					"byte %" PRIu64 ": an entry larger than %u bytes", scanned->offset,
					IQ_ELEMENT_MAX);
	/* Texts of the entry stay in `scratch` together. */
	if (iq_buf_reserve(&parser->scratch, scanned->text.len) < 0)
		return iq_error_nomem(error);
	if (iq_har_entry_read(scanned, &parser->scratch, &entry, &place) < 0)
		return scanned->ended ? 0 : leave_out(parser, scanned, place, error);
	rc = iq_held_give(&parser->held, entry.started, scanned->start, &parser->packets, &parser->output, error);
	if (rc < 0)
		return rc;
	if (!scanned->complete)
		return give_truncated(parser, &entry, error);
	return entry.is_socket ? give_socket(parser, &entry, error) : give_exchange(parser, &entry, error);
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
	if (rc == 0)
		rc = iq_held_give(&parser->held, INT64_MAX, parser->reached, &parser->packets, &parser->output, error);
	/* Within the last session, its rest is missing; after it, all that is. */
	if (!within_entry) {
		parser->output.gap_session = IQ_VIEW_NULL;
		parser->output.gap_source = parser->output.options.source;
	}
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
	iq_map_release(&parser->polled);
	iq_held_release(&parser->held);
	iq_buf_release(&parser->name);
	iq_buf_release(&parser->source);
	iq_buf_release(&parser->attrs);
	iq_buf_release(&parser->object);
	iq_buf_release(&parser->scratch);
	iq_buf_release(&parser->message);
	free(parser);
}

/* Is the source called otherwise than after the path? */
static bool is_named(const struct iq_parser_options *options)
{
	struct iq_origin origin = IQ_ORIGIN_INIT;
	char *path_text = strndup(options->path.data ? options->path.data : "", options->path.len);
	bool named = !path_text || iq_origin_read_path(&origin, path_text) < 0 ||
		     !iq_view_eq(iq_buf_view(&origin.source), options->source);

	iq_origin_release(&origin);
	free(path_text);
	return named;
}

static struct iq_parser *har_open(const struct iq_format *format, const struct iq_parser_options *options,
				  const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink, .gap_source = options->source };
	parser->is_named = is_named(options);
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
