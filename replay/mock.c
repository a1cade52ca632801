#include "replay/mock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <uv.h>

#include "replay/headers.h"
#include "replay/plan.h"
#include "wire/wire.h"

#define READ_BYTES (64u << 10)
#define STOP_INTERVAL_MS 50
#define BACKLOG 4096
/* Of what a client posts. */
#define MAX_BODY (16u << 20)

/* A recorded session, and what the server's values in it depend on. */
struct part {
	struct iq_plan plan;
	struct iq_flow flow; /* of the client's values to the server's texts */
	uint64_t played;
};

struct mock {
	const struct iq_mock_options *options;
	struct iq_mock_result *result;
	struct part *parts;
	size_t part_count;
	struct iq_dialects *dialects;
	uv_loop_t loop;
	uv_tcp_t listener;
	uv_timer_t stopper;
	struct peer *peers; /* list */
	size_t peer_count;
	char buffer[READ_BYTES];
};

/* One connection. */
struct peer {
	uv_tcp_t socket; /* first: freed as what it is part of */
	struct mock *mock;
	struct peer *next;
	struct peer **link;
	struct part *part; /* NULL before the upgrade */
	struct iq_values values;
	char name[32];
	uint32_t at; /* the turn to come */
	bool closing;
	struct iq_buf input;
	struct iq_ws_reader reader;
};

static void say(const struct mock *mock, const char *format, ...) IQ_PRINTF(2, 3);

static void say(const struct mock *mock, const char *format, ...)
{
	struct iq_buf safe = IQ_BUF_INIT;
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)iq_utf8_append_safe(&safe, iq_view_cstr(line));
	if (mock->options->tell && safe.data)
		mock->options->tell(mock->options->context, safe.data);
	iq_buf_release(&safe);
}

/* ---- Writing ---- */

struct write {
	uv_write_t request;
	struct iq_buf bytes;
};

static void on_written(uv_write_t *request, int status)
{
	struct write *write = (struct write *)request;

	(void)status;
	iq_buf_release(&write->bytes);
	free(write);
}

/* Takes ownership of `bytes`. */
static void write_bytes(struct peer *peer, struct iq_buf *bytes)
{
	struct write *write =
		bytes->failed || uv_is_closing((uv_handle_t *)&peer->socket) ? NULL : calloc(1, sizeof(*write));
	uv_buf_t buffer;

	if (!write) {
		iq_buf_release(bytes);
		return;
	}
	write->bytes = *bytes;
	buffer = uv_buf_init(write->bytes.data, (unsigned)write->bytes.len);
	if (uv_write(&write->request, (uv_stream_t *)&peer->socket, &buffer, 1, on_written) < 0)
		on_written(&write->request, 0);
}

static void send_frame(struct peer *peer, enum iq_ws_opcode opcode, struct iq_view payload)
{
	struct iq_buf frame = IQ_BUF_INIT;

	(void)iq_ws_append_frame(&frame, opcode, payload, NULL);
	write_bytes(peer, &frame);
}

/* ---- Ends ---- */

static void on_peer_closed(uv_handle_t *handle)
{
	struct peer *peer = (struct peer *)handle;

	*peer->link = peer->next;
	if (peer->next)
		peer->next->link = peer->link;
	peer->mock->peer_count--;
	if (peer->part)
		iq_values_release(&peer->values);
	iq_ws_reader_release(&peer->reader);
	iq_buf_release(&peer->input);
	free(peer);
}

static void drop(struct peer *peer)
{
	if (!uv_is_closing((uv_handle_t *)&peer->socket))
		uv_close((uv_handle_t *)&peer->socket, on_peer_closed);
}

static void on_shut(uv_shutdown_t *request, int status)
{
	struct peer *peer = request->data;

	(void)status;
	free(request);
	drop(peer);
}

/* What waits is written first. */
static void end(struct peer *peer)
{
	uv_shutdown_t *request = calloc(1, sizeof(*request));

	if (request)
		request->data = peer;
	if (!request || uv_shutdown(request, (uv_stream_t *)&peer->socket, on_shut) < 0) {
		free(request);
		drop(peer);
	}
}

/* ---- Playing ---- */

static bool is_clients(const struct iq_turn *turn)
{
	return turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_CLIENT;
}

static void play_close(struct peer *peer, uint16_t code)
{
	const char payload[2] = { (char)(code >> 8), (char)code };

	send_frame(peer, IQ_WS_CLOSE, iq_view_make(payload, code == 1005 || code < 1000 ? 0 : 2));
	peer->closing = true;
}

static void play_message(struct peer *peer, const struct iq_turn *turn, uint32_t index)
{
	const struct iq_binding *missing;
	struct iq_buf text = IQ_BUF_INIT;

	/* What the client never said stays as it was recorded. */
	if (iq_values_fill(&peer->values, index, IQ_VIEW_NULL, turn->texts[IQ_SLOT_BODY], &text, &missing) < 0) {
		iq_buf_clear(&text);
		(void)iq_buf_append(&text, turn->texts[IQ_SLOT_BODY]);
	}
	send_frame(peer, turn->is_binary ? IQ_WS_BINARY : IQ_WS_TEXT, iq_buf_view(&text));
	iq_buf_release(&text);
}

/* What the server did up to the client's next message. */
static void play(struct peer *peer)
{
	const struct iq_plan *plan = &peer->part->plan;

	for (; peer->at < plan->count && !is_clients(&plan->turns[peer->at]) && !peer->closing; peer->at++) {
		const struct iq_turn *turn = &plan->turns[peer->at];

		if (turn->direction != IQ_DIRECTION_SERVER)
			continue;
		if (turn->kind == IQ_KIND_WS_MESSAGE)
			play_message(peer, turn, peer->at);
		else if (turn->kind == IQ_KIND_WS_CLOSE)
			play_close(peer, turn->code);
	}
}

/* ---- Which recorded message is it? ---- */

struct likeness {
	struct iq_map places; /* of the message */
	size_t all, common;
};

static int note_place(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct likeness *likeness = context;

	(void)out;
	likeness->all++;
	return iq_map_set(&likeness->places, place->path, 1);
}

static int count_place(void *context, const struct iq_place *place, struct iq_buf *out)
{
	struct likeness *likeness = context;

	(void)out;
	likeness->all++;
	likeness->common += iq_map_get(&likeness->places, place->path) ? 2 : 0;
	return 0;
}

/* How many hundredths of the fields of both both have. */
static unsigned likeness_of(struct iq_view a, struct iq_view b)
{
	struct likeness likeness = { .places = IQ_MAP_INIT };

	(void)iq_rewrite(a, note_place, &likeness, NULL);
	(void)iq_rewrite(b, count_place, &likeness, NULL);
	iq_map_release(&likeness.places);
	return likeness.all ? (unsigned)(likeness.common * 100 / likeness.all) : 0;
}

/* 300: the same text; 100 to 200: the same type, and how alike; below, how alike. Of equals that which comes next. */
static unsigned grade(const struct iq_turn *turn, struct iq_view type, struct iq_view body)
{
	const bool typed = iq_view_eq(turn->scope, type.len ? type : IQ_LIT("message"));
	const unsigned alike =
		iq_view_eq(turn->texts[IQ_SLOT_BODY], body) ? 300 : likeness_of(turn->texts[IQ_SLOT_BODY], body);

	return alike == 300 ? alike : alike + (typed ? 100 : 0);
}

static uint32_t find_turn(const struct peer *peer, struct iq_view type, struct iq_view body, unsigned *ret_grade)
{
	const struct iq_plan *plan = &peer->part->plan;
	uint32_t best = IQ_NO_TURN;

	*ret_grade = 0;
	for (uint32_t i = 0; i < plan->count; i++) {
		/* From where the conversation stands, then from its beginning. */
		const uint32_t index = (peer->at + i) % plan->count;
		const unsigned this_grade =
			is_clients(&plan->turns[index]) ? grade(&plan->turns[index], type, body) : 0;

		if (this_grade > *ret_grade) {
			best = index;
			*ret_grade = this_grade;
		}
		if (this_grade == 300 && index >= peer->at)
			break;
	}
	return *ret_grade >= 100 || *ret_grade >= IQ_MOCK_LIKENESS ? best : IQ_NO_TURN;
}

static void take_message(struct peer *peer, const struct iq_ws_message *message)
{
	struct mock *mock = peer->mock;
	struct iq_event event = IQ_EVENT_INIT;
	unsigned how;
	uint32_t turn;

	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_CLIENT;
	event.source = IQ_LIT("mock");
	event.session = iq_view_cstr(peer->name);
	event.body = message->payload;
	(void)iq_dialects_describe(mock->dialects, &event);
	mock->result->messages++;
	turn = find_turn(peer, event.type, message->payload, &how);
	if (turn == IQ_NO_TURN) {
		mock->result->unknown++;
		say(mock, "%s: like nothing that was recorded, not answered: %.*s", peer->name,
		    IQ_VIEW_ARG(iq_utf8_cut(message->payload, 200)));
		return;
	}
	if (how < 200) {
		mock->result->alike++;
		say(mock, "%s: answered as event %" PRIu64 ", which is most like it: %.*s", peer->name,
		    peer->part->plan.turns[turn].id, IQ_VIEW_ARG(iq_utf8_cut(message->payload, 200)));
	}
	(void)iq_values_learn(&peer->values, turn, IQ_SLOT_BODY, message->payload);
	peer->at = turn + 1;
	play(peer);
}

static void take_frame(struct peer *peer, const struct iq_ws_message *message)
{
	switch (message->opcode) {
	case IQ_WS_PING:
		send_frame(peer, IQ_WS_PONG, message->payload);
		break;
	case IQ_WS_CLOSE:
		if (!peer->closing)
			send_frame(peer, IQ_WS_CLOSE,
				   iq_view_make(message->payload.data, message->payload.len ? 2 : 0));
		end(peer);
		break;
	case IQ_WS_TEXT:
	case IQ_WS_BINARY:
		if (!peer->closing)
			take_message(peer, message);
		break;
	default:
		break;
	}
}

static void take_frames(struct peer *peer, struct iq_view bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_ws_message message;
	int rc = 0;

	while (!uv_is_closing((uv_handle_t *)&peer->socket) &&
	       (rc = iq_ws_reader_next(&peer->reader, &bytes, &message, &error)) > 0)
		take_frame(peer, &message);
	if (rc < 0) {
		say(peer->mock, "%s: %s", peer->name, error.message);
		drop(peer);
	}
}

/* ---- Handshakes and requests ---- */

static struct iq_view without_query(struct iq_view path)
{
	const size_t query = iq_view_find(path, IQ_LIT("?"));

	return query == SIZE_MAX ? path : iq_view_make(path.data, query);
}

/* Of the sessions with this path (else with the path before its query, else of all) that which was played least. */
static struct part *choose_part(struct mock *mock, struct iq_view path)
{
	struct part *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < mock->part_count; i++) {
		struct part *part = &mock->parts[i];
		const struct iq_view recorded = part->plan.path.len ? part->plan.path : IQ_LIT("/");
		const int rank = iq_view_eq(recorded, path)				    ? 2
				 : iq_view_eq(without_query(recorded), without_query(path)) ? 1
											    : 0;

		if (rank > best_rank || (rank == best_rank && part->played < best->played)) {
			best = part;
			best_rank = rank;
		}
	}
	return best;
}

static void note_handshake(struct peer *peer, const struct iq_http_head *head)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&attrs, "{\"url\":");
	(void)iq_json_append_string(&attrs, head->target);
	if (peer->part->plan.subprotocol.len) {
		(void)iq_buf_append_cstr(&attrs, ",\"subprotocol\":");
		(void)iq_json_append_string(&attrs, peer->part->plan.subprotocol);
	}
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_WS_OPEN;
	event.source = IQ_LIT("mock");
	event.session = iq_view_cstr(peer->name);
	event.attrs = iq_buf_view(&attrs);
	(void)iq_dialects_describe(peer->mock->dialects, &event);
	iq_buf_release(&attrs);
}

static void upgrade(struct peer *peer, const struct iq_http_head *head)
{
	const struct iq_view key = iq_http_header(head, "Sec-WebSocket-Key");
	const struct iq_view offered = iq_http_header(head, "Sec-WebSocket-Protocol");
	struct iq_buf response = IQ_BUF_INIT;
	struct part *part = choose_part(peer->mock, head->target);
	char text[IQ_WS_KEY_SIZE] = "", accept[IQ_WS_ACCEPT_SIZE];

	if (key.len != IQ_WS_KEY_SIZE - 1 || iq_values_init(&peer->values, &part->flow) < 0) {
		drop(peer);
		return;
	}
	memcpy(text, key.data, key.len);
	iq_ws_accept(text, accept);
	peer->part = part;
	part->played++;
	(void)snprintf(peer->name, sizeof(peer->name), "connection %" PRIu64, ++peer->mock->result->connections);
	(void)iq_buf_appendf(&response,
			     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: %s\r\n",
			     accept);
	if (part->plan.subprotocol.len && offered.len)
		(void)iq_buf_appendf(&response, "Sec-WebSocket-Protocol: %.*s\r\n",
				     IQ_VIEW_ARG(part->plan.subprotocol));
	(void)iq_buf_append_cstr(&response, "\r\n");
	write_bytes(peer, &response);
	note_handshake(peer, head);
	play(peer);
}

/* `http://h:8081/login?x=1` -> `/login?x=1` */
static struct iq_view path_of(struct iq_view url)
{
	const size_t scheme = iq_view_find(url, IQ_LIT("://"));
	const struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3);
	const size_t slash = iq_view_find(rest, IQ_LIT("/"));

	return slash == SIZE_MAX ? IQ_LIT("/") : iq_view_from(rest, slash);
}

static const struct iq_turn *response_in(const struct iq_plan *plan, const struct iq_http_head *head)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct iq_turn *turn = &plan->turns[i], *asked;

		if (turn->kind != IQ_KIND_HTTP_RESPONSE || turn->answers == IQ_NO_TURN)
			continue;
		asked = &plan->turns[turn->answers];
		if (iq_view_eq(asked->method, head->method) &&
		    iq_view_eq(without_query(path_of(asked->texts[IQ_SLOT_URL])), without_query(head->target)))
			return turn;
	}
	return NULL;
}

static void respond(struct peer *peer, const struct iq_http_head *head)
{
	const struct iq_turn *turn = NULL;
	struct iq_buf response = IQ_BUF_INIT;
	struct iq_view body = IQ_LIT("no response was recorded for this request\n");

	for (size_t i = 0; i < peer->mock->part_count && !turn; i++)
		turn = response_in(&peer->mock->parts[i].plan, head);
	if (turn)
		body = turn->texts[IQ_SLOT_BODY];
	else
		say(peer->mock, "%.*s %.*s: no response was recorded", IQ_VIEW_ARG(head->method),
		    IQ_VIEW_ARG(iq_utf8_cut(head->target, 200)));
	(void)iq_buf_appendf(&response, "HTTP/1.1 %u Recorded\r\nConnection: close\r\nContent-Length: %zu\r\n",
			     turn ? turn->code : 404u, body.len);
	if (turn)
		iq_headers_append(turn->texts[IQ_SLOT_HEADERS], &response);
	(void)iq_buf_append_cstr(&response, "\r\n");
	(void)iq_buf_append(&response, body);
	write_bytes(peer, &response);
	end(peer);
}

/* Is the body of the request there as well? */
static int has_body(const struct iq_http_head *head, struct iq_view rest, struct iq_error *error)
{
	struct iq_http_body body;
	struct iq_view piece;
	int rc = iq_http_body_begin(&body, head, NULL, error);

	while (rc >= 0 && !body.ended && (rc = iq_http_body_next(&body, &rest, &piece, error)) > 0)
		;
	return rc < 0 ? rc : body.ended;
}

static void take_head(struct peer *peer, struct iq_view bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_http_head head;
	size_t len;
	int rc = peer->input.len > MAX_BODY || iq_buf_append(&peer->input, bytes) < 0
			 ? IQ_ERR_LIMIT
			 : iq_http_parse_request(iq_buf_view(&peer->input), &head, &len, &error);

	if (rc > 0 && iq_http_is_upgrade(&head)) {
		upgrade(peer, &head);
		if (peer->part)
			take_frames(peer, iq_view_from(iq_buf_view(&peer->input), len));
		return;
	}
	if (rc > 0) {
		rc = has_body(&head, iq_view_from(iq_buf_view(&peer->input), len), &error);
		if (rc > 0)
			respond(peer, &head);
	}
	if (rc < 0)
		drop(peer);
}

/* ---- Connections ---- */

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	(void)suggested;
	*ret_buffer = uv_buf_init(((struct peer *)handle)->mock->buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct peer *peer = (struct peer *)stream;

	if (len < 0)
		drop(peer);
	else if (len > 0 && peer->part)
		take_frames(peer, iq_view_make(buffer->base, (size_t)len));
	else if (len > 0)
		take_head(peer, iq_view_make(buffer->base, (size_t)len));
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct mock *mock = listener->data;
	struct peer *peer = status == 0 ? calloc(1, sizeof(*peer)) : NULL;

	if (!peer)
		return;
	peer->mock = mock;
	iq_ws_reader_init(&peer->reader, false);
	(void)uv_tcp_init(&mock->loop, &peer->socket);
	peer->next = mock->peers;
	peer->link = &mock->peers;
	if (peer->next)
		peer->next->link = &peer->next;
	mock->peers = peer;
	if (mock->peer_count++ >= IQ_MOCK_MAX_PEERS || uv_accept(listener, (uv_stream_t *)&peer->socket) < 0) {
		drop(peer);
		return;
	}
	(void)uv_tcp_nodelay(&peer->socket, 1);
	(void)uv_read_start((uv_stream_t *)&peer->socket, on_allocate, on_read);
}

static void on_stop_check(uv_timer_t *timer)
{
	struct mock *mock = timer->data;

	if (!mock->options->stop || !*mock->options->stop)
		return;
	for (struct peer *peer = mock->peers; peer; peer = peer->next)
		drop(peer);
	uv_close((uv_handle_t *)&mock->listener, NULL);
	uv_close((uv_handle_t *)&mock->stopper, NULL);
}

/* ---- Beginning ---- */

/* What the server's texts say of what the client made. */
static int find_flow(struct part *part)
{
	int rc = 0;

	iq_flow_init(&part->flow);
	for (size_t i = 0; i < part->plan.types.count && rc >= 0; i++)
		rc = iq_flow_ignore(&part->flow, part->plan.types.entries[i].key);
	for (uint32_t i = 0; i < part->plan.count && rc >= 0; i++) {
		const struct iq_turn *turn = &part->plan.turns[i];
		size_t uses;

		if (turn->kind != IQ_KIND_WS_MESSAGE)
			continue;
		rc = turn->direction == IQ_DIRECTION_CLIENT
			     ? iq_flow_hear(&part->flow, i, IQ_SLOT_BODY, turn->texts[IQ_SLOT_BODY])
			     : iq_flow_say(&part->flow, i, IQ_SLOT_BODY, IQ_VIEW_NULL, turn->texts[IQ_SLOT_BODY],
					   turn->ts, &uses);
	}
	return rc < 0 ? rc : 0;
}

static bool is_wanted(const struct iq_mock_options *options, uint32_t no)
{
	for (size_t i = 0; i < options->session_count; i++)
		if (options->sessions[i] == no)
			return true;
	return options->session_count == 0;
}

static int read_parts(struct mock *mock, struct iq_store *store, struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	mock->parts = calloc(count + 1, sizeof(*mock->parts));
	if (!mock->parts)
		return iq_error_nomem(error);
	for (size_t i = 0; i < count; i++) {
		struct part *part = &mock->parts[mock->part_count];
		struct iq_error own = IQ_ERROR_INIT;

		if (!is_wanted(mock->options, sessions[i].no) || sessions[i].state == IQ_SESSION_REFUSED)
			continue;
		if (iq_plan_read_any(store, sessions[i].no, &part->plan, &own) < 0)
			return iq_error_set(error, own.status, "%s", own.message);
		mock->part_count++;
		if (find_flow(part) < 0)
			return iq_error_nomem(error);
	}
	return mock->part_count ? 0 : iq_error_set(error, IQ_ERR_NOT_FOUND, "there is no session to play");
}

static int listen_at(struct mock *mock, struct iq_error *error)
{
	struct sockaddr_storage address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	int len = sizeof(address), rc = iq_listen_address(mock->options->listen, &address, error);

	if (rc < 0)
		return rc;
	rc = uv_tcp_bind(&mock->listener, (const struct sockaddr *)&address, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&mock->listener, BACKLOG, on_connection);
	if (rc == 0)
		rc = uv_tcp_getsockname(&mock->listener, (struct sockaddr *)&address, &len);
	if (rc < 0)
		return iq_error_set(error, IQ_ERR_NETWORK, "%s: cannot be listened at: %s", mock->options->listen,
				    uv_strerror(rc));
	/* The port lies at the same place in both families. */
	if (mock->options->listening)
		mock->options->listening(mock->options->context, ntohs(v4->sin_port));
	return 0;
}

static int play_all(struct mock *mock, struct iq_error *error)
{
	int rc;

	if (uv_loop_init(&mock->loop) < 0)
		return iq_error_nomem(error);
	(void)uv_tcp_init(&mock->loop, &mock->listener);
	(void)uv_timer_init(&mock->loop, &mock->stopper);
	mock->listener.data = mock->stopper.data = mock;
	rc = listen_at(mock, error);
	if (rc < 0) {
		uv_close((uv_handle_t *)&mock->listener, NULL);
		uv_close((uv_handle_t *)&mock->stopper, NULL);
	} else {
		(void)uv_timer_start(&mock->stopper, on_stop_check, STOP_INTERVAL_MS, STOP_INTERVAL_MS);
	}
	(void)uv_run(&mock->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&mock->loop);
	return rc;
}

int iq_mock_play(struct iq_store *store, const struct iq_mock_options *options, struct iq_mock_result *ret_result,
		 struct iq_error *error)
{
	struct mock *mock = calloc(1, sizeof(*mock));
	int rc;

	if (!mock)
		return iq_error_nomem(error);
	*ret_result = (struct iq_mock_result){ 0 };
	mock->options = options;
	mock->result = ret_result;
	mock->dialects = iq_dialects_new(NULL);
	rc = mock->dialects ? read_parts(mock, store, error) : iq_error_nomem(error);
	if (rc == 0)
		rc = play_all(mock, error);
	for (size_t i = 0; i < mock->part_count; i++) {
		iq_flow_release(&mock->parts[i].flow);
		iq_plan_release(&mock->parts[i].plan);
	}
	free(mock->parts);
	iq_dialects_free(mock->dialects);
	free(mock);
	return rc;
}
