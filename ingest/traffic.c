#include "ingest/traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ingest/ingest.h"
#include "ingest/record.h"
#include "wire/wire.h"

struct iq_traffic {
	struct iq_traffic_options options;
	struct iq_conversation *conversation;
	struct iq_arena memory; /* texts of the options */
	struct iq_buf session;	/* of the WebSocket or the stream; empty: none */
	int64_t seq;
	bool is_stream;
	bool is_over;	     /* the session has ended */
	struct iq_buf asked; /* the raw bytes of an upgrade's request */
	int64_t asked_first;
	int64_t began; /* of the connection: 0 before its first byte */
	struct iq_buf key;
	struct iq_buf url;
	struct iq_buf attrs;
	struct iq_buf object;
	struct iq_buf raw;
	const char *trouble; /* why the connection ended, while it does */
	enum iq_direction by;
	struct iq_error *error; /* of the call at hand */
};

static enum iq_direction direction_of(enum iq_side side)
{
	return side == IQ_SIDE_CLIENT ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
}

static enum iq_side side_of(enum iq_direction direction)
{
	return direction == IQ_DIRECTION_CLIENT ? IQ_SIDE_CLIENT : IQ_SIDE_SERVER;
}

/* ---- Names ---- */

static struct iq_view host_of(const struct iq_traffic *traffic, const struct iq_http_head *request)
{
	return traffic->options.host.data ? traffic->options.host : iq_http_header(request, "Host");
}

/* Without what may stand for more than one line, and without what makes names long. */
static void append_place(struct iq_traffic *traffic, struct iq_buf *name, const struct iq_http_head *request,
			 int64_t ts)
{
	const struct iq_view target = request->target;
	char time[IQ_RFC3339_SIZE];
	size_t len = 0;

	while (len < target.len && len < 200 && target.data[len] != '?' && target.data[len] != '#')
		len++;
	(void)iq_buf_append_char(name, ' ');
	(void)iq_utf8_append_repaired(name, host_of(traffic, request));
	(void)iq_utf8_append_repaired(name, iq_view_make(target.data, len));
	(void)iq_buf_appendf(name, " %s", iq_time_format_short(ts, true, time));
}

static void append_connection(const struct iq_traffic *traffic, struct iq_buf *name, const char *what)
{
	if (traffic->options.name.data)
		(void)iq_buf_append(name, traffic->options.name);
	else
		(void)iq_buf_appendf(name, "%s%" PRIu64, what, traffic->options.number);
}

static void name_session(struct iq_traffic *traffic, const char *what, const struct iq_talk *talk, int64_t ts)
{
	iq_buf_clear(&traffic->session);
	append_connection(traffic, &traffic->session, what);
	if (talk->exchange > 1)
		(void)iq_buf_appendf(&traffic->session, ".%" PRIu64, talk->exchange);
	if (talk->request && !traffic->options.name.data)
		append_place(traffic, &traffic->session, talk->request, ts);
	traffic->seq = 0;
	traffic->is_over = false;
}

/* The same for a request and its response. */
static struct iq_view name_exchange(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	iq_buf_clear(&traffic->key);
	append_connection(traffic, &traffic->key, "http");
	(void)iq_buf_appendf(&traffic->key, ".%" PRIu64, talk->exchange);
	if (talk->request && !traffic->options.name.data)
		append_place(traffic, &traffic->key, talk->request, traffic->began);
	return iq_buf_view(&traffic->key);
}

/* ---- Attrs ---- */

static void add_text(struct iq_traffic *traffic, struct iq_view name, struct iq_view text)
{
	if (text.len > 0)
		iq_attrs_text(&traffic->attrs, name, text);
}

static void add_url(struct iq_traffic *traffic, const struct iq_http_head *request, const char *scheme)
{
	const struct iq_view target = request->target;

	iq_buf_clear(&traffic->url);
	if (iq_view_find(target, IQ_LIT("://")) == SIZE_MAX) {
		(void)iq_buf_appendf(&traffic->url, "%s%s://", scheme, traffic->options.is_secure ? "s" : "");
		(void)iq_buf_append(&traffic->url, host_of(traffic, request));
	}
	(void)iq_buf_append(&traffic->url, target);
	add_text(traffic, IQ_LIT("url"), iq_buf_view(&traffic->url));
}

static void append_string(struct iq_buf *json, struct iq_view text)
{
	struct iq_buf repaired = IQ_BUF_INIT;

	(void)iq_utf8_append_repaired(&repaired, text);
	(void)iq_json_append_string(json, iq_buf_view(&repaired));
	iq_buf_release(&repaired);
}

static bool same_name(struct iq_view a, struct iq_view b)
{
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* Of a header that is there several times in a row the values are an array. */
static void add_headers(struct iq_traffic *traffic, struct iq_view name, const struct iq_http_head *head)
{
	struct iq_buf *json = &traffic->object;

	iq_buf_clear(json);
	for (size_t i = 0; i < head->header_count;) {
		size_t end = i + 1;

		while (end < head->header_count && same_name(head->headers[end].name, head->headers[i].name))
			end++;
		(void)iq_buf_append_char(json, i == 0 ? '{' : ',');
		append_string(json, head->headers[i].name);
		(void)iq_buf_append_cstr(json, end > i + 1 ? ":[" : ":");
		for (size_t at = i; at < end; at++) {
			if (at > i)
				(void)iq_buf_append_char(json, ',');
			append_string(json, head->headers[at].value);
		}
		if (end > i + 1)
			(void)iq_buf_append_char(json, ']');
		i = end;
	}
	if (json->len > 0 && iq_buf_append_char(json, '}') == 0)
		iq_attrs_raw(&traffic->attrs, name, iq_buf_view(json));
}

static void add_problem(struct iq_traffic *traffic, const char *problem)
{
	iq_buf_clear(&traffic->object);
	(void)iq_buf_append_cstr(&traffic->object, "[");
	(void)iq_json_append_string(&traffic->object, iq_view_cstr(problem));
	(void)iq_buf_append_char(&traffic->object, ']');
	iq_attrs_raw(&traffic->attrs, IQ_LIT("violations"), iq_buf_view(&traffic->object));
}

static void add_violations(struct iq_traffic *traffic, uint32_t problems)
{
	struct iq_buf *json = &traffic->object;

	iq_buf_clear(json);
	for (unsigned i = 0; i < IQ_WS_PROBLEM_COUNT; i++) {
		if (!(problems & 1u << i))
			continue;
		(void)iq_buf_append_char(json, json->len > 0 ? ',' : '[');
		(void)iq_json_append_string(json, iq_view_cstr(iq_ws_problem_text((enum iq_ws_problem)(1u << i))));
	}
	(void)iq_buf_append_char(json, ']');
	iq_attrs_raw(&traffic->attrs, IQ_LIT("violations"), iq_buf_view(json));
}

/* ---- Giving ---- */

static struct iq_event begin_event(struct iq_traffic *traffic, const struct iq_talk *talk, enum iq_kind kind)
{
	struct iq_event event = IQ_EVENT_INIT;

	iq_buf_clear(&traffic->attrs);
	event.kind = kind;
	event.ts = talk->first;
	event.observed = talk->last;
	event.source = traffic->options.source;
	event.direction = direction_of(talk->side);
	event.offset = talk->start;
	event.length = talk->end - talk->start;
	return event;
}

static bool out_of_memory(const struct iq_traffic *traffic)
{
	return traffic->attrs.failed || traffic->object.failed || traffic->session.failed || traffic->key.failed ||
	       traffic->url.failed || traffic->asked.failed || traffic->raw.failed;
}

static int give(struct iq_traffic *traffic, struct iq_event *event, struct iq_view raw)
{
	event->attrs = iq_attrs_end(&traffic->attrs);
	if (out_of_memory(traffic))
		return iq_error_nomem(traffic->error);
	return traffic->options.event(traffic->options.context, event, raw, traffic->error);
}

static int give_in_session(struct iq_traffic *traffic, struct iq_event *event, struct iq_view raw)
{
	event->session = iq_buf_view(&traffic->session);
	event->seq = traffic->seq++;
	return give(traffic, event, raw);
}

static int give_gap(struct iq_traffic *traffic, enum iq_direction direction, int64_t from, int64_t to, uint64_t bytes,
		    const char *reason)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = traffic->options.source;
	if (traffic->session.len > 0)
		gap.session = iq_buf_view(&traffic->session);
	gap.direction = direction;
	gap.ts_min = from;
	gap.ts_max = to;
	gap.bytes = bytes;
	gap.reason = iq_view_cstr(reason);
	return traffic->options.gap(traffic->options.context, &gap, traffic->error);
}

/* ---- HTTP ---- */

static void add_body(struct iq_traffic *traffic, struct iq_event *event, const struct iq_talk *talk)
{
	if (talk->body.len > 0)
		event->body = talk->body;
	if (talk->body_len > talk->body.len)
		iq_attrs_number(&traffic->attrs, IQ_LIT("body_bytes"), talk->body_len);
	if (!talk->is_whole)
		iq_attrs_raw(&traffic->attrs, IQ_LIT("partial"), IQ_LIT("true"));
	if (talk->problem)
		add_problem(traffic, talk->problem);
}

/* The request of an upgrade is told with what became of it. */
static int take_request(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_HTTP_REQUEST);

	traffic->asked_first = talk->first;
	iq_buf_clear(&traffic->asked);
	if (iq_http_is_upgrade(talk->request))
		return iq_buf_append(&traffic->asked, talk->raw) < 0 ? iq_error_nomem(traffic->error) : 0;
	event.key = name_exchange(traffic, talk);
	add_url(traffic, talk->request, "http");
	add_text(traffic, IQ_LIT("method"), talk->request->method);
	iq_attrs_text(&traffic->attrs, IQ_LIT("version"),
		      talk->request->minor ? IQ_LIT("HTTP/1.1") : IQ_LIT("HTTP/1.0"));
	add_text(traffic, IQ_LIT("client"), traffic->options.client);
	add_body(traffic, &event, talk);
	add_headers(traffic, IQ_LIT("headers"), talk->request);
	return give(traffic, &event, talk->raw);
}

static bool is_stream(const struct iq_talk *talk)
{
	const struct iq_view type = iq_http_header(talk->response, "Content-Type");

	return talk->body_len == 0 && type.len >= 17 && strncasecmp(type.data, "text/event-stream", 17) == 0;
}

static int take_response(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_HTTP_RESPONSE);

	event.key = name_exchange(traffic, talk);
	event.severity = talk->response->status >= 500 ? IQ_SEVERITY_ERROR : IQ_SEVERITY_NONE;
	add_url(traffic, talk->request, "http");
	add_text(traffic, IQ_LIT("method"), talk->request->method);
	iq_attrs_number(&traffic->attrs, IQ_LIT("status"), (uint64_t)talk->response->status);
	add_body(traffic, &event, talk);
	add_headers(traffic, IQ_LIT("headers"), talk->response);
	if (!is_stream(talk))
		return give(traffic, &event, talk->raw);
	name_session(traffic, "sse", talk, talk->first);
	traffic->is_stream = true;
	event.session_begins = true;
	return give_in_session(traffic, &event, talk->raw);
}

static int take_unanswered(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_NET_ERROR);
	const bool is_upgrade = iq_http_is_upgrade(talk->request);

	event.direction = traffic->by;
	event.severity = IQ_SEVERITY_ERROR;
	event.type = is_upgrade ? IQ_LIT("refused") : IQ_LIT("failed");
	add_url(traffic, talk->request, is_upgrade ? "ws" : "http");
	add_text(traffic, IQ_LIT("method"), talk->request->method);
	iq_attrs_text(&traffic->attrs, IQ_LIT("error"),
		      traffic->trouble ? iq_view_cstr(traffic->trouble)
				       : IQ_LIT("the connection ended without a response"));
	if (!is_upgrade) {
		event.key = name_exchange(traffic, talk);
		return give(traffic, &event, IQ_VIEW_NULL);
	}
	name_session(traffic, "ws", talk, traffic->asked_first);
	traffic->is_over = true;
	add_headers(traffic, IQ_LIT("headers"), talk->request);
	return give_in_session(traffic, &event, iq_buf_view(&traffic->asked));
}

/* ---- Streams of events ---- */

static int take_sse(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_SSE_MESSAGE);

	event.body = talk->body;
	event.type = talk->event->name;
	add_text(traffic, IQ_LIT("id"), talk->event->id);
	if (talk->event->is_cut)
		iq_attrs_raw(&traffic->attrs, IQ_LIT("cut"), IQ_LIT("true"));
	return give_in_session(traffic, &event, talk->raw);
}

static int take_sse_end(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, talk->is_whole ? IQ_KIND_SSE_MESSAGE : IQ_KIND_NET_ERROR);
	int rc;

	event.ts = talk->last;
	event.type = talk->is_whole ? IQ_LIT("end") : IQ_LIT("cut");
	event.session_ends = talk->is_whole;
	iq_attrs_number(&traffic->attrs, IQ_LIT("body_bytes"), talk->body_len);
	if (!talk->is_whole)
		iq_attrs_text(&traffic->attrs, IQ_LIT("error"),
			      traffic->trouble ? iq_view_cstr(traffic->trouble)
					       : IQ_LIT("the connection ended within the stream"));
	rc = give_in_session(traffic, &event, IQ_VIEW_NULL);
	iq_buf_clear(&traffic->session);
	traffic->is_stream = false;
	return rc;
}

/* ---- WebSockets ---- */

/* A handshake has the bytes of both its halves. */
static int give_handshake(struct iq_traffic *traffic, struct iq_event *event, const struct iq_talk *talk)
{
	int rc;

	iq_buf_clear(&traffic->raw);
	(void)iq_buf_append(&traffic->raw, iq_buf_view(&traffic->asked));
	(void)iq_buf_append(&traffic->raw, talk->raw);
	add_headers(traffic, IQ_LIT("headers"), talk->request);
	rc = give_in_session(traffic, event, iq_buf_view(&traffic->raw));
	iq_buf_release(&traffic->raw);
	iq_buf_release(&traffic->asked);
	return rc;
}

static int take_open(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_WS_OPEN);

	event.ts = traffic->asked_first;
	event.direction = IQ_DIRECTION_NONE;
	name_session(traffic, "ws", talk, traffic->asked_first);
	add_url(traffic, talk->request, "ws");
	iq_attrs_number(&traffic->attrs, IQ_LIT("status"), (uint64_t)talk->response->status);
	add_text(traffic, IQ_LIT("subprotocol"), iq_http_header(talk->response, "Sec-WebSocket-Protocol"));
	add_text(traffic, IQ_LIT("extensions"), iq_http_header(talk->response, "Sec-WebSocket-Extensions"));
	add_text(traffic, IQ_LIT("client"), traffic->options.client);
	if (talk->problem)
		add_problem(traffic, talk->problem);
	return give_handshake(traffic, &event, talk);
}

static int take_refused(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	struct iq_event event = begin_event(traffic, talk, IQ_KIND_NET_ERROR);
	char error[200];

	event.type = IQ_LIT("refused");
	event.severity = IQ_SEVERITY_ERROR;
	name_session(traffic, "ws", talk, traffic->asked_first);
	traffic->is_over = true;
	(void)snprintf(error, sizeof(error), "the server answered %d %.*s instead of an upgrade",
		       talk->response->status, IQ_VIEW_ARG(iq_utf8_cut(talk->response->reason, 100)));
	add_url(traffic, talk->request, "ws");
	iq_attrs_number(&traffic->attrs, IQ_LIT("status"), (uint64_t)talk->response->status);
	iq_attrs_text(&traffic->attrs, IQ_LIT("error"), iq_view_cstr(error));
	add_text(traffic, IQ_LIT("client"), traffic->options.client);
	add_body(traffic, &event, talk);
	return give_handshake(traffic, &event, talk);
}

static enum iq_kind kind_of(uint8_t opcode)
{
	return opcode == IQ_WS_PING    ? IQ_KIND_WS_PING
	       : opcode == IQ_WS_PONG  ? IQ_KIND_WS_PONG
	       : opcode == IQ_WS_CLOSE ? IQ_KIND_WS_CLOSE
				       : IQ_KIND_WS_MESSAGE;
}

static void add_fragments(struct iq_traffic *traffic, const struct iq_ws_heard *heard)
{
	const uint64_t shown = heard->fragments < IQ_WS_MAX_FRAGMENTS ? heard->fragments : IQ_WS_MAX_FRAGMENTS;

	iq_attrs_number(&traffic->attrs, IQ_LIT("fragments"), heard->fragments);
	iq_buf_clear(&traffic->object);
	for (uint64_t i = 0; i < shown; i++)
		(void)iq_buf_appendf(&traffic->object, "%s%" PRIu64, i == 0 ? "[" : ",", heard->fragment_lens[i]);
	(void)iq_buf_append_char(&traffic->object, ']');
	iq_attrs_raw(&traffic->attrs, IQ_LIT("fragment_bytes"), iq_buf_view(&traffic->object));
}

static void add_length(struct iq_traffic *traffic, const struct iq_ws_heard *heard)
{
	char hash[IQ_SHA256_HEX_SIZE];

	if (heard->compressed) {
		iq_attrs_number(&traffic->attrs, IQ_LIT("compressed_bytes"), heard->wire_len);
		iq_attrs_number(&traffic->attrs, IQ_LIT("plain_bytes"), heard->payload_len);
	}
	if (!heard->is_cut)
		return;
	iq_hex(heard->sha256, IQ_SHA256_SIZE, hash);
	iq_attrs_number(&traffic->attrs, IQ_LIT("body_bytes"), heard->payload_len);
	iq_attrs_text(&traffic->attrs, IQ_LIT("sha256"), iq_view_cstr(hash));
}

static void add_close(struct iq_traffic *traffic, const struct iq_ws_heard *heard)
{
	/* 1005 stands for none, and may have been sent all the same. */
	if (heard->payload_len >= 2)
		iq_attrs_number(&traffic->attrs, IQ_LIT("code"), heard->code);
	add_text(traffic, IQ_LIT("reason"), heard->reason);
}

/* Of most messages there is nothing to say: their attrs are empty. */
static void add_oddities(struct iq_traffic *traffic, const struct iq_ws_heard *heard, bool is_whole)
{
	if (heard->opcode == IQ_WS_CLOSE)
		add_close(traffic, heard);
	else if (kind_of(heard->opcode) == IQ_KIND_WS_MESSAGE && heard->opcode != IQ_WS_TEXT)
		iq_attrs_number(&traffic->attrs, IQ_LIT("opcode"), heard->opcode);
	if (heard->fragments > 1)
		add_fragments(traffic, heard);
	if (heard->compressed || heard->is_cut)
		add_length(traffic, heard);
	if (!is_whole)
		iq_attrs_raw(&traffic->attrs, IQ_LIT("partial"), IQ_LIT("true"));
	if (heard->problems)
		add_violations(traffic, heard->problems);
}

static int take_message(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	const struct iq_ws_heard *heard = talk->heard;
	struct iq_event event = begin_event(traffic, talk, kind_of(heard->opcode));

	if (event.kind != IQ_KIND_WS_CLOSE)
		event.body = heard->payload;
	event.body_is_binary = heard->is_binary;
	add_oddities(traffic, heard, talk->is_whole);
	if (event.kind == IQ_KIND_WS_CLOSE)
		traffic->is_over = true;
	return give_in_session(traffic, &event, talk->raw);
}

/* ---- The connection ---- */

static int take_opaque(struct iq_traffic *traffic, const struct iq_talk *talk)
{
	return give_gap(traffic, direction_of(talk->side), talk->first, talk->last, talk->body_len, talk->problem);
}

static int take_talk(void *context, const struct iq_talk *talk)
{
	static int (*const takers[])(struct iq_traffic *, const struct iq_talk *) = {
		[IQ_TALK_REQUEST] = take_request, [IQ_TALK_RESPONSE] = take_response,
		[IQ_TALK_EVENT] = take_sse,	  [IQ_TALK_EVENTS_END] = take_sse_end,
		[IQ_TALK_OPEN] = take_open,	  [IQ_TALK_REFUSED] = take_refused,
		[IQ_TALK_MESSAGE] = take_message, [IQ_TALK_UNANSWERED] = take_unanswered,
		[IQ_TALK_OPAQUE] = take_opaque,
	};

	return takers[talk->kind](context, talk);
}

/* NULL stays NULL. */
static struct iq_view copy(struct iq_arena *memory, struct iq_view text)
{
	return text.data ? iq_arena_copy(memory, text) : text;
}

int iq_traffic_new(const struct iq_traffic_options *options, struct iq_traffic **ret_traffic, struct iq_error *error)
{
	struct iq_traffic *traffic = calloc(1, sizeof(*traffic));
	const struct iq_conversation_options conversation = { take_talk, traffic, options->kept };

	if (!traffic)
		return iq_error_nomem(error);
	traffic->options = *options;
	traffic->options.source = copy(&traffic->memory, options->source);
	traffic->options.name = copy(&traffic->memory, options->name);
	traffic->options.host = copy(&traffic->memory, options->host);
	traffic->options.client = copy(&traffic->memory, options->client);
	traffic->conversation = iq_conversation_new(&conversation);
	if (!traffic->conversation || !traffic->options.source.data) {
		iq_traffic_free(traffic);
		return iq_error_nomem(error);
	}
	if (options->is_midway) {
		append_connection(traffic, &traffic->session, "ws");
		iq_conversation_assume_frames(traffic->conversation);
	}
	*ret_traffic = traffic;
	return 0;
}

void iq_traffic_free(struct iq_traffic *traffic)
{
	if (!traffic)
		return;
	iq_conversation_free(traffic->conversation);
	iq_arena_release(&traffic->memory);
	iq_buf_release(&traffic->session);
	iq_buf_release(&traffic->asked);
	iq_buf_release(&traffic->key);
	iq_buf_release(&traffic->url);
	iq_buf_release(&traffic->attrs);
	iq_buf_release(&traffic->object);
	iq_buf_release(&traffic->raw);
	free(traffic);
}

static int result(struct iq_traffic *traffic, int rc)
{
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(traffic->error) : rc;
}

int iq_traffic_feed(struct iq_traffic *traffic, enum iq_direction side, struct iq_view bytes, int64_t now,
		    struct iq_error *error)
{
	traffic->error = error;
	if (!traffic->began)
		traffic->began = now;
	return result(traffic, iq_conversation_feed(traffic->conversation, side_of(side), bytes, now));
}

int iq_traffic_miss(struct iq_traffic *traffic, enum iq_direction side, uint64_t bytes, const char *reason, int64_t now,
		    struct iq_error *error)
{
	int rc;

	traffic->error = error;
	rc = iq_conversation_miss(traffic->conversation, side_of(side), bytes, now);
	return result(traffic, rc == 0 && bytes > 0 ? give_gap(traffic, side, now, now, bytes, reason) : rc);
}

int iq_traffic_resume(struct iq_traffic *traffic, enum iq_direction side, int64_t now, struct iq_error *error)
{
	traffic->error = error;
	return result(traffic, iq_conversation_resume(traffic->conversation, side_of(side), now));
}

int iq_traffic_doubt(struct iq_traffic *traffic, enum iq_direction side, const char *reason, int64_t now,
		     struct iq_error *error)
{
	traffic->error = error;
	return give_gap(traffic, side, now, now, 0, reason);
}

int iq_traffic_shut(struct iq_traffic *traffic, enum iq_direction side, int64_t now, struct iq_error *error)
{
	traffic->error = error;
	return result(traffic, iq_conversation_end(traffic->conversation, side_of(side), now));
}

static int give_cut(struct iq_traffic *traffic, int64_t now)
{
	struct iq_event event = IQ_EVENT_INIT;

	iq_buf_clear(&traffic->attrs);
	event.kind = IQ_KIND_NET_ERROR;
	event.type = IQ_LIT("cut");
	event.ts = event.observed = now;
	event.severity = IQ_SEVERITY_ERROR;
	event.source = traffic->options.source;
	event.direction = traffic->by;
	iq_attrs_text(&traffic->attrs, IQ_LIT("error"),
		      traffic->trouble ? iq_view_cstr(traffic->trouble)
				       : IQ_LIT("the connection ended without a close frame"));
	return give_in_session(traffic, &event, IQ_VIEW_NULL);
}

int iq_traffic_end(struct iq_traffic *traffic, enum iq_direction by, const char *trouble, int64_t now,
		   struct iq_error *error)
{
	int rc;

	traffic->error = error;
	traffic->trouble = trouble;
	traffic->by = by;
	rc = iq_conversation_end(traffic->conversation, IQ_SIDE_CLIENT, now);
	if (rc == 0)
		rc = iq_conversation_end(traffic->conversation, IQ_SIDE_SERVER, now);
	if (rc == 0 && iq_traffic_is_socket(traffic) && !traffic->is_over) {
		traffic->is_over = true;
		rc = give_cut(traffic, now);
	}
	return result(traffic, rc);
}

int iq_traffic_stop(struct iq_traffic *traffic, int64_t now, struct iq_error *error)
{
	traffic->error = error;
	return result(traffic, iq_conversation_stop(traffic->conversation, now));
}

bool iq_traffic_is_tunnel(const struct iq_traffic *traffic)
{
	return iq_traffic_is_socket(traffic) || iq_conversation_is_opaque(traffic->conversation, IQ_SIDE_SERVER);
}

bool iq_traffic_is_opaque(const struct iq_traffic *traffic, enum iq_direction side)
{
	return iq_conversation_is_opaque(traffic->conversation, side_of(side));
}

bool iq_traffic_is_socket(const struct iq_traffic *traffic)
{
	return iq_conversation_is_socket(traffic->conversation);
}

size_t iq_traffic_pending(const struct iq_traffic *traffic)
{
	return iq_conversation_pending(traffic->conversation);
}
