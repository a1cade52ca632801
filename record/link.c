/* One connection of a client, and the one to the upstream that is made for it. Requests go on when their head is complete and can be read in
 * one way only; from an upgrade on bytes are bytes. What was read is relayed first and listened to afterwards. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "record/tap.h"

enum phase {
	PHASE_HEAD,    /* of a request */
	PHASE_BODY,    /* of it */
	PHASE_UPGRADE, /* the server is asked whether the protocol may change */
	PHASE_TUNNEL,  /* it did */
	PHASE_REFUSED  /* the recorder has answered itself */
};

struct iq_tap_link {
	struct iq_tap_link *next;
	struct iq_tap_link **place;
	struct iq_route *route;
	struct iq_traffic *traffic;
	struct iq_stream client;
	struct iq_stream server;
	uv_getaddrinfo_t resolve;
	struct addrinfo *addresses;
	const struct addrinfo *address; /* that is tried */
	enum phase phase;
	struct iq_http_body body;
	struct iq_buf head;  /* of the request, while it is not complete; or what came behind an upgrade's */
	struct iq_buf early; /* for the upstream, which is not connected yet */
	int64_t deadline;    /* of a head or an upgrade, by the monotonic clock; 0: none */
	bool has_server;
	bool is_connected;
	bool is_resolving;
	bool client_ended;
	bool server_ended;
	bool over;
	unsigned open; /* streams and requests that keep it */
	uint64_t number;
};

static void free_link(struct iq_tap_link *link)
{
	*link->place = link->next;
	if (link->next)
		link->next->place = link->place;
	link->route->connections--;
	link->route->tap->connections--;
	iq_traffic_free(link->traffic);
	uv_freeaddrinfo(link->addresses);
	iq_buf_release(&link->head);
	iq_buf_release(&link->early);
	free(link);
}

static void unhold(struct iq_tap_link *link)
{
	if (--link->open == 0)
		free_link(link);
}

/* ---- Listening ---- */

static void check(struct iq_tap_link *link, int rc)
{
	if (rc < 0)
		iq_tap_fail(link->route->tap, rc);
}

static void hear(struct iq_tap_link *link, enum iq_direction side, struct iq_view bytes)
{
	check(link, iq_traffic_feed(link->traffic, side, bytes, iq_clock_now(), link->route->tap->error));
}

/* ---- The end ---- */

static void close_both(struct iq_tap_link *link, bool reset)
{
	link->over = true;
	link->deadline = 0;
	if (link->is_resolving)
		(void)uv_cancel((uv_req_t *)&link->resolve);
	iq_stream_close(&link->client, reset);
	if (link->has_server)
		iq_stream_close(&link->server, reset);
}

/* Both ends, and what is known of why. */
static void finish(struct iq_tap_link *link, enum iq_direction by, const char *trouble, bool reset)
{
	if (link->over)
		return;
	check(link, iq_traffic_end(link->traffic, by, trouble, iq_clock_now(), link->route->tap->error));
	close_both(link, reset);
}

static void on_closed(struct iq_stream *stream)
{
	unhold(stream->owner);
}

/* ---- What the recorder says itself ---- */

static const char *reason_of(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Bad Gateway";
	}
}

/* Answers instead of the upstream, and ends. */
static void refuse(struct iq_tap_link *link, int status, const char *trouble)
{
	struct iq_buf answer = IQ_BUF_INIT;
	struct iq_buf safe = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&safe, iq_view_cstr(trouble));
	(void)iq_buf_appendf(&answer,
			     "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
			     "Connection: close\r\n\r\ninquest: %s\n",
			     status, reason_of(status), safe.len + 10, safe.data ? safe.data : "");
	link->phase = PHASE_REFUSED;
	check(link, iq_traffic_end(link->traffic, IQ_DIRECTION_NONE, trouble, iq_clock_now(), link->route->tap->error));
	if (link->has_server)
		iq_stream_close(&link->server, false);
	iq_stream_read(&link->client, true);
	(void)iq_stream_write(&link->client, iq_buf_view(&answer));
	iq_stream_shut(&link->client);
	/* It may go on sending: a reset would take the answer away from it. */
	link->deadline = iq_clock_monotonic() + IQ_NS_PER_S;
	iq_buf_release(&answer);
	iq_buf_release(&safe);
}

/* ---- The upstream ---- */

static void connect_next(struct iq_tap_link *link, const char *trouble);

static void refuse_upstream(struct iq_tap_link *link, const char *what, const char *why)
{
	char trouble[500];

	(void)snprintf(trouble, sizeof(trouble), "%.*s: %s: %s", IQ_VIEW_ARG(link->route->source), what, why);
	iq_tap_tell(link->route->tap, "%s", trouble);
	refuse(link, 502, trouble);
}

/* Towards the server, now or when it is there. */
static bool send_on(struct iq_tap_link *link, struct iq_view bytes)
{
	if (link->is_connected)
		return iq_stream_write(&link->server, bytes);
	return iq_buf_append(&link->early, bytes) == 0;
}

/* What was read goes on first, and is listened to then. */
static void relay(struct iq_tap_link *link, struct iq_stream *to, enum iq_direction side, struct iq_view bytes)
{
	const bool written = iq_stream_write(to, bytes);

	hear(link, side, bytes);
	if (!written)
		finish(link, side == IQ_DIRECTION_CLIENT ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT,
		       "the connection takes no more bytes", true);
}

static void keep_pace(struct iq_stream *from, const struct iq_stream *to)
{
	if (to->waiting > IQ_TAP_QUEUE_BYTES)
		iq_stream_read(from, false);
}

static void on_connected(struct iq_stream *stream, const char *trouble)
{
	struct iq_tap_link *link = stream->owner;

	if (link->over || link->phase == PHASE_REFUSED)
		return;
	if (trouble) {
		/* Its handle is of no more use. */
		iq_stream_close(stream, false);
		connect_next(link, trouble);
		return;
	}
	link->is_connected = true;
	if (link->early.len > 0)
		(void)iq_stream_write(&link->server, iq_buf_view(&link->early));
	iq_buf_release(&link->early);
	iq_stream_read(&link->server, true);
	if (link->phase != PHASE_UPGRADE)
		iq_stream_read(&link->client, true);
	if (link->client_ended)
		iq_stream_shut(&link->server);
}

static void on_server_bytes(struct iq_stream *stream, struct iq_view bytes);
static void on_server_drained(struct iq_stream *stream);
static void on_server_ended(struct iq_stream *stream, const char *trouble);
static void on_server_closed(struct iq_stream *stream);

static const struct iq_stream_callbacks server_callbacks = { on_connected, on_server_bytes, on_server_drained,
							     on_server_ended, on_server_closed };

static int begin_server(struct iq_tap_link *link)
{
	struct iq_tap *tap = link->route->tap;
	int code = iq_stream_init(&link->server, &tap->loop, tap->memory, &server_callbacks, link);

	if (code < 0)
		return code;
	link->has_server = true;
	link->open++;
	if (link->route->upstream.is_secure &&
	    iq_stream_secure(&link->server, tap->client_context, link->route->host) < 0)
		return UV_ENOMEM;
	return iq_stream_connect(&link->server, link->address->ai_addr);
}

static void connect_now(struct iq_tap_link *link)
{
	const int code = begin_server(link);

	if (code < 0 && link->has_server)
		on_connected(&link->server, uv_strerror(code));
	else if (code < 0)
		refuse_upstream(link, "no connection", uv_strerror(code));
}

/* The address did not answer: the next one, if there is one. The handle is used again when it is closed. */
static void connect_next(struct iq_tap_link *link, const char *trouble)
{
	link->address = link->address->ai_next;
	if (!link->address)
		refuse_upstream(link, "no connection", trouble);
}

static void on_server_closed(struct iq_stream *stream)
{
	struct iq_tap_link *link = stream->owner;

	link->has_server = false;
	if (!link->over && link->phase != PHASE_REFUSED && !link->is_connected && link->address)
		connect_now(link);
	unhold(link);
}

static void on_resolved(uv_getaddrinfo_t *request, int code, struct addrinfo *addresses)
{
	struct iq_tap_link *link = request->data;

	link->is_resolving = false;
	link->addresses = addresses;
	link->address = addresses;
	if (!link->over && link->phase != PHASE_REFUSED) {
		if (code < 0 || !addresses)
			refuse_upstream(link, "the name cannot be resolved",
					uv_strerror(code < 0 ? code : UV_EAI_NONAME));
		else
			connect_now(link);
	}
	unhold(link);
}

static void resolve(struct iq_tap_link *link)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct iq_route *route = link->route;
	char port[8];
	int code;

	(void)snprintf(port, sizeof(port), "%u", route->upstream.port);
	link->resolve.data = link;
	link->is_resolving = true;
	link->open++;
	code = uv_getaddrinfo(&route->tap->loop, &link->resolve, on_resolved, route->host, port, &hints);
	if (code < 0)
		on_resolved(&link->resolve, code, NULL);
}

/* ---- Requests ---- */

static bool same_name(struct iq_view name, const char *other)
{
	return name.len == strlen(other) && strncasecmp(name.data, other, name.len) == 0;
}

/* What stands for a header's value upstream. */
static struct iq_view value_upstream(const struct iq_tap_link *link, const struct iq_http_header *header,
				     char scratch[400])
{
	const struct iq_tap_options *options = link->route->tap->options;

	if (!options->keep_host && same_name(header->name, "Host"))
		return link->route->source;
	if (!options->allow_origin || !same_name(header->name, "Origin") ||
	    !iq_view_eq(header->value, iq_view_cstr(options->allow_origin)))
		return header->value;
	(void)snprintf(scratch, 400, "http%s://%.*s", link->route->upstream.is_secure ? "s" : "",
		       IQ_VIEW_ARG(link->route->source));
	return iq_view_cstr(scratch);
}

/* The head as it goes on: all as it was, but for what must be the upstream's. */
static int append_head(const struct iq_tap_link *link, struct iq_view head, const struct iq_http_head *request,
		       struct iq_buf *buf)
{
	const char *at = head.data;
	char scratch[400];

	for (size_t i = 0; i < request->header_count; i++) {
		const struct iq_http_header *header = &request->headers[i];
		const struct iq_view value = value_upstream(link, header, scratch);

		if (value.data == header->value.data)
			continue;
		(void)iq_buf_append(buf, iq_view_make(at, (size_t)(header->value.data - at)));
		(void)iq_buf_append(buf, value);
		at = header->value.data + header->value.len;
	}
	return iq_buf_append(buf, iq_view_make(at, (size_t)(head.data + head.len - at)));
}

static void set_deadline(struct iq_tap_link *link)
{
	if (link->deadline == 0)
		link->deadline = iq_clock_monotonic() + IQ_TAP_HEAD_NS;
}

/* A request whose head is complete and clear. */
static void pass_request(struct iq_tap_link *link, struct iq_view head, const struct iq_http_head *request)
{
	struct iq_buf changed = IQ_BUF_INIT;

	hear(link, IQ_DIRECTION_CLIENT, head);
	if (append_head(link, head, request, &changed) < 0)
		check(link, iq_error_nomem(link->route->tap->error));
	else
		(void)send_on(link, iq_buf_view(&changed));
	iq_buf_release(&changed);
	link->deadline = 0;
	link->phase = link->body.ended ? PHASE_HEAD : PHASE_BODY;
	if (iq_http_header(request, "Upgrade").data) {
		link->phase = PHASE_UPGRADE;
		set_deadline(link);
		iq_stream_read(&link->client, false);
	}
	if (!link->has_server && !link->is_resolving) {
		iq_stream_read(&link->client, false);
		resolve(link);
	}
}

/* 1 where the head was taken from the front of *bytes, 0 where it is not complete or cannot be passed on. */
static int take_head(struct iq_tap_link *link, struct iq_view *bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_http_head request;
	size_t len;
	int rc = iq_http_parse_request(*bytes, &request, &len, &error);

	if (rc == 0)
		return 0;
	if (rc > 0)
		rc = iq_http_body_begin(&link->body, &request, NULL, &error);
	if (rc == 0 && same_name(request.method, "CONNECT"))
		rc = iq_error_set(&error, IQ_ERR_FORMAT, "CONNECT is not relayed: name the server with --upstream");
	if (rc < 0) {
		hear(link, IQ_DIRECTION_CLIENT, *bytes);
		*bytes = IQ_VIEW_NULL;
		refuse(link, rc == IQ_ERR_LIMIT ? 431 : 400, error.message);
		return 0;
	}
	pass_request(link, iq_view_make(bytes->data, len), &request);
	*bytes = iq_view_from(*bytes, len);
	return 1;
}

/* False where no more can be taken now. */
static bool take_body(struct iq_tap_link *link, struct iq_view *bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	const struct iq_view before = *bytes;
	struct iq_view content, taken;
	int rc = 1;

	while (rc > 0 && !link->body.ended)
		rc = iq_http_body_next(&link->body, bytes, &content, &error);
	taken = iq_view_make(before.data, before.len - bytes->len);
	if (taken.len > 0 && rc >= 0) {
		(void)send_on(link, taken);
		hear(link, IQ_DIRECTION_CLIENT, taken);
	}
	if (rc < 0) {
		hear(link, IQ_DIRECTION_CLIENT, before);
		refuse(link, 400, error.message);
		return false;
	}
	if (link->body.ended)
		link->phase = PHASE_HEAD;
	return link->body.ended;
}

/* Before an upgrade. What cannot be taken yet is kept. */
static void take_requests(struct iq_tap_link *link, struct iq_view bytes)
{
	struct iq_buf held = link->head;
	bool more = true;

	link->head = (struct iq_buf)IQ_BUF_INIT;
	if (held.len > 0 && iq_buf_append(&held, bytes) == 0)
		bytes = iq_buf_view(&held);
	while (more && bytes.len > 0 && !link->over) {
		if (link->phase == PHASE_HEAD)
			more = take_head(link, &bytes) > 0;
		else
			more = link->phase == PHASE_BODY && take_body(link, &bytes);
	}
	if (bytes.len > 0 && !link->over && link->phase != PHASE_REFUSED) {
		if (link->phase == PHASE_HEAD)
			set_deadline(link);
		if (iq_buf_append(&link->head, bytes) < 0)
			check(link, iq_error_nomem(link->route->tap->error));
	}
	iq_buf_release(&held);
}

/* ---- The client ---- */

static void on_client_bytes(struct iq_stream *stream, struct iq_view bytes)
{
	struct iq_tap_link *link = stream->owner;

	if (link->phase == PHASE_TUNNEL) {
		relay(link, &link->server, IQ_DIRECTION_CLIENT, bytes);
	} else if (link->phase != PHASE_REFUSED) {
		take_requests(link, bytes);
	}
	if (link->is_connected)
		keep_pace(&link->client, &link->server);
}

static void on_client_drained(struct iq_stream *stream)
{
	struct iq_tap_link *link = stream->owner;

	if (link->is_connected && !link->server_ended)
		iq_stream_read(&link->server, true);
}

static void on_client_ended(struct iq_stream *stream, const char *trouble)
{
	struct iq_tap_link *link = stream->owner;

	link->client_ended = true;
	if (trouble || link->server_ended || link->phase == PHASE_REFUSED ||
	    (!link->has_server && !link->is_resolving)) {
		finish(link, link->server_ended ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT, trouble, trouble != NULL);
		return;
	}
	check(link, iq_traffic_shut(link->traffic, IQ_DIRECTION_CLIENT, iq_clock_now(), link->route->tap->error));
	if (link->is_connected)
		iq_stream_shut(&link->server);
}

static const struct iq_stream_callbacks client_callbacks = { NULL, on_client_bytes, on_client_drained, on_client_ended,
							     on_closed };

/* ---- The server ---- */

/* The answer to an upgrade came: bytes are bytes from here, or there is another request. */
static void end_upgrade(struct iq_tap_link *link)
{
	if (iq_traffic_is_tunnel(link->traffic)) {
		link->phase = PHASE_TUNNEL;
		if (link->head.len > 0)
			relay(link, &link->server, IQ_DIRECTION_CLIENT, iq_buf_view(&link->head));
		iq_buf_release(&link->head);
	} else if (iq_traffic_pending(link->traffic) == 0) {
		link->phase = link->body.ended ? PHASE_HEAD : PHASE_BODY;
		take_requests(link, IQ_VIEW_NULL);
	} else {
		return;
	}
	link->deadline = 0;
	if (!link->client_ended && link->phase != PHASE_UPGRADE)
		iq_stream_read(&link->client, true);
}

static void on_server_bytes(struct iq_stream *stream, struct iq_view bytes)
{
	struct iq_tap_link *link = stream->owner;

	relay(link, &link->client, IQ_DIRECTION_SERVER, bytes);
	if (link->phase == PHASE_UPGRADE && !link->over)
		end_upgrade(link);
	keep_pace(&link->server, &link->client);
}

static void on_server_drained(struct iq_stream *stream)
{
	struct iq_tap_link *link = stream->owner;

	if (link->phase != PHASE_UPGRADE && link->phase != PHASE_REFUSED && !link->client_ended)
		iq_stream_read(&link->client, true);
}

static void on_server_ended(struct iq_stream *stream, const char *trouble)
{
	struct iq_tap_link *link = stream->owner;

	link->server_ended = true;
	if (trouble || link->client_ended) {
		finish(link, link->client_ended ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER, trouble, trouble != NULL);
		return;
	}
	check(link, iq_traffic_shut(link->traffic, IQ_DIRECTION_SERVER, iq_clock_now(), link->route->tap->error));
	iq_stream_shut(&link->client);
	/* Nobody takes what it still sends, but that it ends is to be seen. */
	iq_stream_read(&link->client, true);
}

/* ---- Life ---- */

static void get_peer(const struct iq_stream *stream, char *text, size_t size)
{
	struct sockaddr_storage address;
	int len = sizeof(address);
	char name[64] = "";

	(void)snprintf(text, size, "-");
	if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) < 0)
		return;
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;

		(void)uv_ip6_name(six, name, sizeof(name));
		(void)snprintf(text, size, "[%s]:%u", name, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)&address;

		(void)uv_ip4_name(four, name, sizeof(name));
		(void)snprintf(text, size, "%s:%u", name, ntohs(four->sin_port));
	}
}

static int begin_traffic(struct iq_tap_link *link)
{
	struct iq_tap *tap = link->route->tap;
	char peer[80];
	const struct iq_traffic_options options = { .source = link->route->source,
						    .host = link->route->source,
						    .client = iq_view_make(peer, 0),
						    .is_secure = link->route->upstream.is_secure,
						    .number = link->number,
						    .event = iq_recording_event,
						    .gap = iq_recording_gap,
						    .context = &tap->recording };
	struct iq_traffic_options named = options;

	get_peer(&link->client, peer, sizeof(peer));
	named.client = iq_view_cstr(peer);
	return iq_traffic_new(&named, &link->traffic, tap->error);
}

void iq_tap_link_accept(struct iq_route *route)
{
	struct iq_tap *tap = route->tap;
	struct iq_tap_link *link = calloc(1, sizeof(*link));

	if (!link || iq_stream_init(&link->client, &tap->loop, tap->memory, &client_callbacks, link) < 0) {
		free(link);
		return;
	}
	link->route = route;
	link->number = ++tap->result->connections;
	link->next = tap->links;
	link->place = &tap->links;
	if (link->next)
		link->next->place = &link->next;
	tap->links = link;
	tap->connections++;
	route->connections++;
	link->open = 1;
	set_deadline(link);
	if (iq_stream_accept(&link->client, (uv_stream_t *)&route->listener) < 0 || begin_traffic(link) < 0 ||
	    (tap->server_context && iq_stream_secure(&link->client, tap->server_context, NULL) < 0)) {
		link->over = true;
		iq_stream_close(&link->client, true);
		return;
	}
	iq_stream_read(&link->client, true);
}

static void expire(struct iq_tap_link *link)
{
	if (link->phase == PHASE_HEAD)
		refuse(link, 408, "no whole request within 10 seconds");
	else if (link->phase == PHASE_UPGRADE)
		refuse(link, 502, "the server did not answer the upgrade within 10 seconds");
	else
		finish(link, IQ_DIRECTION_NONE, NULL, false);
}

void iq_tap_links_check(struct iq_tap *tap, int64_t now)
{
	struct iq_tap_link *next;

	for (struct iq_tap_link *link = tap->links; link; link = next) {
		next = link->next;
		if (link->deadline && now >= link->deadline)
			expire(link);
	}
}

void iq_tap_links_close(struct iq_tap *tap)
{
	struct iq_tap_link *next;

	for (struct iq_tap_link *link = tap->links; link; link = next) {
		next = link->next;
		if (link->over)
			continue;
		check(link, iq_traffic_stop(link->traffic, iq_clock_now(), tap->error));
		close_both(link, false);
	}
}
