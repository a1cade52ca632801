#include "replay/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/headers.h"
#include "replay/http_call.h"
#include "replay/judge.h"
#include "wire/wire.h"

enum phase { PHASE_DRIVING, PHASE_CONNECTING, PHASE_CALLING, PHASE_SETTLING, PHASE_CLOSING, PHASE_OVER };

struct iq_session_run {
	struct iq_stage *stage;
	const struct iq_plan *plan;
	const char *target;
	struct iq_url url;
	struct iq_lived *lived;
	struct iq_judge judge;
	struct iq_values values;
	struct iq_due due; /* what happens next by itself */
	struct iq_ws_client *client;
	struct iq_http_call **calls; /* all that were made; freed with the session */
	size_t call_count;
	size_t call_capacity;
	uint32_t asked; /* the request that is being answered */
	enum phase phase;
	uint32_t next;	     /* the turn to come */
	int64_t begun;	     /* monotonic */
	int64_t deadline;    /* of the wait, 0: not waiting */
	uint32_t waited_for; /* turn */
	int64_t heard;	     /* when something came last */
	int64_t held_until;  /* what was due before could not be sent before: the target was waited for */
	bool held;	     /* it is being waited for */
	struct iq_buf scratch;
};

static void advance(struct iq_session_run *run);

/* Cannot fail: its place was made when the session began. */
static void set_timer(struct iq_session_run *run, int64_t at)
{
	(void)iq_pacer_set(run->stage->pacer, &run->due, at);
}

static void set_outcome(struct iq_session_run *run, enum iq_replay_outcome outcome, const char *format, ...)
	IQ_PRINTF(3, 4);

/* The first reason is kept. Types and close reasons are the target's own words, and this goes to a terminal. */
static void set_outcome(struct iq_session_run *run, enum iq_replay_outcome outcome, const char *format, ...)
{
	char reason[sizeof(run->lived->reason)];
	va_list args;

	if (run->lived->outcome != IQ_REPLAY_DONE)
		return;
	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	run->lived->outcome = outcome;
	iq_text_copy_safe(run->lived->reason, sizeof(run->lived->reason), reason);
}

static void finish(struct iq_session_run *run)
{
	if (run->phase == PHASE_OVER)
		return;
	run->phase = PHASE_OVER;
	run->lived->duration_ns = iq_clock_monotonic() - run->begun;
	iq_judge_end(&run->judge);
	/* From the loop: whoever is told may begin other sessions. */
	set_timer(run, 0);
}

/* ---- Recording ---- */

static int take_described(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_session_run *run = context;
	struct iq_event stored = *event;
	uint64_t id = 0;
	int rc = iq_recorder_event(run->stage->recorder, &stored, &id, error);

	if (rc < 0 || event->kind != IQ_KIND_WS_MESSAGE || event->direction != IQ_DIRECTION_SERVER)
		return rc;
	run->lived->received++;
	return iq_judge_message(&run->judge, event, id, run->next) < 0 ? iq_error_nomem(error) : 0;
}

/* Of no session: a request belongs to a session by what it carries. */
static void record_apart(struct iq_session_run *run, struct iq_event *event)
{
	const struct iq_sink sink = { .event = take_described, .context = run };

	event->source = IQ_LIT("replay");
	if (run->stage->failure == 0)
		run->stage->failure = iq_dialects_take(run->stage->dialects, event, &sink, run->stage->error);
}

static void record(struct iq_session_run *run, struct iq_event *event)
{
	event->session = run->lived->name;
	record_apart(run, event);
}

/* What docs/events.md asks for where a message is not text. */
static struct iq_view opcode_attrs(bool is_binary)
{
	return is_binary ? IQ_LIT("{\"opcode\":2}") : IQ_VIEW_NULL;
}

static void record_close(struct iq_session_run *run, uint16_t code)
{
	struct iq_event event = IQ_EVENT_INIT;
	char attrs[32];

	(void)snprintf(attrs, sizeof(attrs), "{\"code\":%u}", code);
	event.kind = IQ_KIND_WS_CLOSE;
	event.direction = IQ_DIRECTION_CLIENT;
	event.attrs = iq_view_cstr(attrs);
	record(run, &event);
}

static void record_error(struct iq_session_run *run, struct iq_view type, struct iq_view text)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&attrs, "{\"error\":");
	(void)iq_json_append_string(&attrs, text);
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_NET_ERROR;
	event.direction = IQ_DIRECTION_SERVER;
	event.type = type;
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(run, &event);
	iq_buf_release(&attrs);
}

/* ---- Closing ---- */

/* Codes that stand for what was not sent cannot be sent. */
static uint16_t code_to_send(const struct iq_plan *plan)
{
	const struct iq_turn *close = plan->close == IQ_NO_TURN ? NULL : &plan->turns[plan->close];
	const uint16_t code = close && close->direction == IQ_DIRECTION_CLIENT ? close->code : 1000;

	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
		       ? code
		       : 1000;
}

static void begin_close(struct iq_session_run *run)
{
	const uint16_t code = code_to_send(run->plan);

	if (!run->client) {
		finish(run);
		return;
	}
	record_close(run, code);
	run->phase = PHASE_CLOSING;
	iq_ws_client_close(run->client, code);
	set_timer(run, iq_clock_monotonic() + IQ_CLOSE_NS);
}

static void give_up(struct iq_session_run *run)
{
	if (run->client)
		iq_ws_client_abort(run->client);
	for (size_t i = 0; i < run->call_count; i++)
		iq_http_call_cancel(run->calls[i]);
	finish(run);
}

/* ---- Filling in ---- */

/* What the recorded text is now; false where it cannot be said yet, or never: *ret_wait is the turn that will tell, or IQ_NO_TURN. */
static bool fill(struct iq_session_run *run, const struct iq_turn *turn, enum iq_slot slot, uint32_t *ret_wait)
{
	const struct iq_binding *missing;
	const struct iq_view text = turn->texts[slot];
	int rc;

	iq_buf_clear(&run->scratch);
	*ret_wait = IQ_NO_TURN;
	if (turn->uses == 0 && run->stage->supplied_count == 0) {
		(void)iq_buf_append(&run->scratch, text);
	} else {
		rc = iq_values_fill(&run->values, (uint32_t)(turn - run->plan->turns), turn->scope, text, &run->scratch,
				    &missing);
		if (rc < 0 && missing) {
			*ret_wait = missing->source.turn;
			if (!iq_judge_is_matched(&run->judge, *ret_wait))
				return false;
			*ret_wait = IQ_NO_TURN;
			iq_judge_unfilled(&run->judge, missing);
			set_outcome(run, IQ_REPLAY_STALLED,
				    "what the target sent has no %.*s %.*s, which the client sends back",
				    IQ_VIEW_ARG(iq_view_cstr(iq_slot_name(missing->source.slot))),
				    IQ_VIEW_ARG(iq_utf8_cut(missing->source.path, 80)));
			return false;
		}
	}
	if (!iq_flow_has_tag(iq_buf_view(&run->scratch)))
		return true;
	set_outcome(run, IQ_REPLAY_WITHHELD, "a redacted value would have been sent as its tag");
	return false;
}

/* ---- What the client does ---- */

/* When the client did it, in the replay's time. */
static int64_t due(const struct iq_session_run *run, const struct iq_turn *turn)
{
	if (run->stage->options->pace != IQ_PACE_RECORDED || turn->ts == IQ_TIME_NONE ||
	    run->plan->started == IQ_TIME_NONE)
		return 0;
	return run->begun + (int64_t)((double)(turn->ts - run->plan->started) / run->stage->options->speed);
}

/* Our own lateness: not that of a message that could not be sent before the target did something. */
static void log_lateness(struct iq_session_run *run, int64_t at)
{
	const int64_t now = iq_clock_monotonic();

	if (run->held)
		run->held_until = now;
	run->held = false;
	if (at != 0)
		iq_latency_log_add(run->stage->lateness, now - (at > run->held_until ? at : run->held_until));
}

static bool send_message(struct iq_session_run *run, const struct iq_turn *turn)
{
	const int64_t at = due(run, turn);
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	const struct iq_view body = iq_buf_view(&run->scratch);

	if (iq_ws_client_send(run->client, turn->is_binary ? IQ_WS_BINARY : IQ_WS_TEXT, body, &error) < 0) {
		set_outcome(run, IQ_REPLAY_CUT, "message %" PRIu64 " of %u could not be sent: %.150s",
			    run->lived->sent + 1, run->plan->client_messages, error.message);
		begin_close(run);
		return false;
	}
	log_lateness(run, at);
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_CLIENT;
	event.body = body;
	event.body_is_binary = !iq_utf8_valid(body);
	event.attrs = opcode_attrs(turn->is_binary);
	record(run, &event);
	run->lived->sent++;
	/* From when it should have been sent: what a slow target holds up counts as well. */
	iq_judge_sent(&run->judge, (uint32_t)(turn - run->plan->turns), at ? at : iq_clock_monotonic());
	return true;
}

static struct iq_ws_callbacks callbacks_of(struct iq_session_run *run);

static bool connect_target(struct iq_session_run *run, const struct iq_ws_offer *offer)
{
	const struct iq_ws_callbacks callbacks = callbacks_of(run);
	struct iq_error error = IQ_ERROR_INIT;
	int rc;

	run->phase = PHASE_CONNECTING;
	set_timer(run, iq_clock_monotonic() + run->stage->options->timeout_ns);
	rc = iq_ws_client_open(run->stage->loop, &run->url, offer, &callbacks, &run->client, &error);
	if (rc == 0)
		return true;
	set_outcome(run, IQ_REPLAY_UNREACHABLE, "%.250s", error.message);
	finish(run);
	return false;
}

/* The recorded client could read compressed messages. */
static bool offered_deflate(const struct iq_turn *turn)
{
	return iq_view_find(turn->texts[IQ_SLOT_HEADERS], IQ_LIT("permessage-deflate")) != SIZE_MAX;
}

/* False where it has to wait, or ended. */
static bool open_connection(struct iq_session_run *run, const struct iq_turn *turn, uint32_t *ret_wait)
{
	struct iq_buf path = IQ_BUF_INIT, headers = IQ_BUF_INIT;
	bool good = fill(run, turn, IQ_SLOT_URL, ret_wait) && iq_buf_append(&path, iq_buf_view(&run->scratch)) == 0 &&
		    fill(run, turn, IQ_SLOT_HEADERS, ret_wait);

	if (good) {
		iq_headers_append(iq_buf_view(&run->scratch), &headers);
		good = connect_target(run, &(struct iq_ws_offer){ .path = iq_buf_view(&path),
								  .subprotocol = run->plan->subprotocol,
								  .headers = iq_buf_view(&headers),
								  .deflate = offered_deflate(turn),
								  .trust = run->stage->options->trust });
	}
	iq_buf_release(&path);
	iq_buf_release(&headers);
	return good;
}

/* ---- Requests ---- */

/* `http://h:8081/login?x=1`: the host it went to, and what it asked for. */
static void split_url(struct iq_view url, struct iq_view *ret_host, struct iq_view *ret_path)
{
	const size_t scheme = iq_view_find(url, IQ_LIT("://"));
	const struct iq_view rest = scheme == SIZE_MAX ? url : iq_view_from(url, scheme + 3);
	const size_t slash = iq_view_find(rest, IQ_LIT("/"));

	*ret_host = iq_view_make(rest.data, slash == SIZE_MAX ? rest.len : slash);
	*ret_path = slash == SIZE_MAX ? IQ_LIT("/") : iq_view_from(rest, slash);
}

static void record_exchange(struct iq_session_run *run, uint32_t request, struct iq_view url, uint16_t status,
			    struct iq_view headers, struct iq_view body)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;
	char key[64];

	(void)snprintf(key, sizeof(key), "s%" PRIu32 " %.30s %" PRIu32, run->plan->session_no, "request", request);
	(void)iq_buf_append_cstr(&attrs, "{\"url\":");
	(void)iq_json_append_string(&attrs, url);
	(void)iq_buf_append_cstr(&attrs, ",\"method\":");
	(void)iq_json_append_string(&attrs, run->plan->turns[request].method);
	if (status)
		(void)iq_buf_appendf(&attrs, ",\"status\":%u", status);
	(void)iq_buf_append_cstr(&attrs, ",\"headers\":");
	(void)iq_buf_append(&attrs, headers.len ? headers : IQ_LIT("{}"));
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = status ? IQ_KIND_HTTP_RESPONSE : IQ_KIND_HTTP_REQUEST;
	event.direction = status ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT;
	event.key = iq_view_cstr(key);
	event.body = body;
	event.body_is_binary = !iq_utf8_valid(body);
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record_apart(run, &event);
	iq_buf_release(&attrs);
}

static void on_called(void *context, const struct iq_http_head *head, struct iq_view body, const struct iq_error *error)
{
	struct iq_session_run *run = context;
	const uint32_t response = iq_plan_response(run->plan, run->asked);
	struct iq_buf headers = IQ_BUF_INIT;

	if (!head) {
		record_error(run, IQ_LIT("failed"), iq_view_cstr(error->message));
		set_outcome(run, IQ_REPLAY_UNREACHABLE, "%.250s", error->message);
		give_up(run);
		return;
	}
	iq_headers_of(head, &headers);
	record_exchange(run, run->asked, run->plan->turns[run->asked].texts[IQ_SLOT_URL], (uint16_t)head->status,
			iq_buf_view(&headers), body);
	if (response != IQ_NO_TURN &&
	    iq_judge_response(&run->judge, response, (uint16_t)head->status, iq_buf_view(&headers), body) < 0 &&
	    run->stage->failure == 0)
		run->stage->failure = iq_error_nomem(run->stage->error);
	iq_buf_release(&headers);
	run->phase = PHASE_DRIVING;
	run->deadline = 0;
	run->heard = run->held_until = iq_clock_monotonic();
	advance(run);
}

static bool start_call(struct iq_session_run *run, const struct iq_turn *turn, struct iq_http_request *request)
{
	struct iq_view host, path;
	struct iq_error error = IQ_ERROR_INIT;
	const char *target;

	split_url(turn->texts[IQ_SLOT_URL], &host, &path);
	target = run->stage->target_of(run->stage->context, host);
	request->method = turn->method.len ? turn->method : IQ_LIT("GET");
	if (IQ_ARRAY_GROW_POINTERS(run->calls, run->call_capacity, run->call_count + 1) == 0 &&
	    iq_url_parse_server(iq_view_cstr(target), &request->url, &error) == 0 &&
	    iq_http_call_start(run->stage->loop, request, run->stage->options->trust, on_called, run,
			       &run->calls[run->call_count], &error) == 0) {
		run->call_count++;
		return true;
	}
	set_outcome(run, IQ_REPLAY_UNREACHABLE, "%.250s", error.message);
	return false;
}

/* False where it has to wait, or cannot be made. */
static bool make_request(struct iq_session_run *run, const struct iq_turn *turn, uint32_t *ret_wait)
{
	struct iq_buf url = IQ_BUF_INIT, headers = IQ_BUF_INIT, lines = IQ_BUF_INIT;
	struct iq_http_request request = { .body = IQ_VIEW_NULL };
	struct iq_view host;
	bool good = fill(run, turn, IQ_SLOT_URL, ret_wait) && iq_buf_append(&url, iq_buf_view(&run->scratch)) == 0 &&
		    fill(run, turn, IQ_SLOT_HEADERS, ret_wait) &&
		    iq_buf_append(&headers, iq_buf_view(&run->scratch)) == 0 && fill(run, turn, IQ_SLOT_BODY, ret_wait);

	if (good) {
		iq_headers_append(iq_buf_view(&headers), &lines);
		split_url(iq_buf_view(&url), &host, &request.path);
		request.headers = iq_buf_view(&lines);
		request.body = iq_buf_view(&run->scratch);
		run->asked = (uint32_t)(turn - run->plan->turns);
		record_exchange(run, run->asked, iq_buf_view(&url), 0, iq_buf_view(&headers), request.body);
		run->phase = PHASE_CALLING;
		set_timer(run, iq_clock_monotonic() + run->stage->options->timeout_ns);
		good = start_call(run, turn, &request);
		if (!good)
			run->phase = PHASE_DRIVING;
	}
	iq_buf_release(&url);
	iq_buf_release(&headers);
	iq_buf_release(&lines);
	return good;
}

/* ---- Waiting ---- */

/* The last message of the server before the turn, heartbeats aside. */
static uint32_t last_answer_before(const struct iq_plan *plan, uint32_t turn)
{
	while (turn-- > 0)
		if (plan->turns[turn].kind == IQ_KIND_WS_MESSAGE &&
		    plan->turns[turn].direction == IQ_DIRECTION_SERVER && !plan->turns[turn].is_periodic)
			return turn;
	return IQ_NO_TURN;
}

static bool is_quiet(const struct iq_session_run *run)
{
	return iq_clock_monotonic() - run->heard >= IQ_QUIET_NS;
}

/* Is what the turn stands for there, or as good as? */
static bool has_come(const struct iq_session_run *run, uint32_t turn)
{
	return turn == IQ_NO_TURN || iq_judge_is_matched(&run->judge, turn) ||
	       (is_quiet(run) && iq_judge_has_like(&run->judge, turn));
}

static void wait_for(struct iq_session_run *run, uint32_t turn)
{
	const int64_t now = iq_clock_monotonic();

	if (run->deadline == 0 || run->waited_for != turn) {
		run->deadline = now + run->stage->options->timeout_ns;
		run->waited_for = turn;
	}
	set_timer(run, iq_judge_has_like(&run->judge, turn) && run->heard + IQ_QUIET_NS < run->deadline
			       ? run->heard + IQ_QUIET_NS
			       : run->deadline);
}

/* `waited 30s for tool_completed before sending message 3 of 5` */
static void stall(struct iq_session_run *run)
{
	const struct iq_turn *turn = &run->plan->turns[run->waited_for];
	char waited[IQ_RFC3339_SIZE], place[96] = "at the end";
	struct iq_view name = turn->kind == IQ_KIND_WS_MESSAGE ? iq_plan_type_name(run->plan, turn->type)
							       : iq_view_cstr(iq_kind_name(turn->kind));

	if (run->lived->sent < run->plan->client_messages)
		(void)snprintf(place, sizeof(place), "before sending message %" PRIu64 " of %u", run->lived->sent + 1,
			       run->plan->client_messages);
	set_outcome(run, IQ_REPLAY_STALLED, "waited %s for %.*s (event %" PRIu64 ") %s",
		    iq_duration_format(run->stage->options->timeout_ns, waited), IQ_VIEW_ARG(name), turn->id, place);
	begin_close(run);
}

/* False where the turn has to wait. */
static bool may_do(struct iq_session_run *run, uint32_t index)
{
	const struct iq_turn *turn = &run->plan->turns[index];
	const uint32_t answer = run->stage->options->pace == IQ_PACE_CAUSAL && turn->kind != IQ_KIND_WS_OPEN
					? last_answer_before(run->plan, index)
					: IQ_NO_TURN;
	const int64_t at = due(run, turn);

	if (!has_come(run, answer)) {
		wait_for(run, answer);
		return false;
	}
	run->deadline = 0;
	if (at > iq_clock_monotonic()) {
		set_timer(run, at);
		return false;
	}
	return true;
}

/* Does the turn; false where it has to wait, or something ended. */
static bool do_turn(struct iq_session_run *run, uint32_t index)
{
	const struct iq_turn *turn = &run->plan->turns[index];
	uint32_t wait = IQ_NO_TURN;
	bool done;

	if (!may_do(run, index))
		return false;
	if (turn->kind == IQ_KIND_WS_OPEN)
		done = open_connection(run, turn, &wait);
	else if (turn->kind == IQ_KIND_HTTP_REQUEST)
		done = make_request(run, turn, &wait);
	else
		done = fill(run, turn, IQ_SLOT_BODY, &wait) && send_message(run, turn);
	run->held = wait != IQ_NO_TURN;
	if (!done && run->held)
		wait_for(run, wait);
	else if (!done && run->phase == PHASE_DRIVING)
		begin_close(run);
	return done;
}

static bool is_clients(const struct iq_turn *turn)
{
	return turn->direction == IQ_DIRECTION_CLIENT &&
	       (turn->kind == IQ_KIND_WS_MESSAGE || turn->kind == IQ_KIND_WS_OPEN ||
		turn->kind == IQ_KIND_HTTP_REQUEST);
}

/* Everything was sent: what is still to come? */
static void await_end(struct iq_session_run *run)
{
	const bool server_closes =
		run->plan->close != IQ_NO_TURN && run->plan->turns[run->plan->close].direction == IQ_DIRECTION_SERVER;
	const uint32_t last = last_answer_before(run->plan, run->plan->count);
	const uint32_t open = iq_judge_first_open(&run->judge);

	if (!has_come(run, last) || (open != IQ_NO_TURN && !is_quiet(run))) {
		wait_for(run, has_come(run, last) ? open : last);
		if (has_come(run, last))
			set_timer(run, run->heard + IQ_QUIET_NS);
		return;
	}
	run->phase = PHASE_SETTLING;
	set_timer(run, iq_clock_monotonic() + (server_closes ? run->stage->options->timeout_ns : IQ_SETTLE_NS));
}

static void advance(struct iq_session_run *run)
{
	while (run->phase == PHASE_DRIVING && run->next < run->plan->count) {
		if (is_clients(&run->plan->turns[run->next]) && !do_turn(run, run->next))
			return;
		run->next++;
	}
	if (run->phase == PHASE_DRIVING)
		await_end(run);
}

static void on_settled(struct iq_session_run *run)
{
	if (run->plan->close != IQ_NO_TURN && run->plan->turns[run->plan->close].direction == IQ_DIRECTION_SERVER)
		iq_judge_no_close(&run->judge);
	begin_close(run);
}

static void on_due(void *context)
{
	struct iq_session_run *run = context;

	switch (run->phase) {
	case PHASE_CALLING:
		set_outcome(run, IQ_REPLAY_STALLED, "no response to %.*s in time",
			    IQ_VIEW_ARG(iq_utf8_cut(run->plan->turns[run->asked].texts[IQ_SLOT_URL], 150)));
		give_up(run);
		break;
	case PHASE_CONNECTING:
		set_outcome(run, IQ_REPLAY_UNREACHABLE, "%s: no answer to the handshake in time", run->target);
		give_up(run);
		break;
	case PHASE_DRIVING:
		if (run->deadline != 0 && iq_clock_monotonic() >= run->deadline && !has_come(run, run->waited_for))
			stall(run);
		else
			advance(run);
		break;
	case PHASE_SETTLING:
		on_settled(run);
		break;
	case PHASE_CLOSING: /* the target does not answer our close */
		give_up(run);
		break;
	case PHASE_OVER:
		run->stage->ended(run->stage->context, run->lived);
		break;
	}
}

/* ---- What the target does ---- */

/* The target's URL with the path that was asked for, so that the run can be replayed itself. */
static void on_opened(void *context, const struct iq_http_head *response)
{
	struct iq_session_run *run = context;
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT, url = IQ_BUF_INIT;
	const struct iq_view subprotocol = iq_http_header(response, "Sec-WebSocket-Protocol");
	const struct iq_view target = iq_view_cstr(run->target);
	const size_t fragment = iq_view_find(target, IQ_LIT("#"));

	(void)iq_buf_append(&url, iq_view_make(target.data, fragment == SIZE_MAX ? target.len : fragment));
	if (run->url.path.len == 0)
		(void)iq_buf_append(&url, run->plan->path);
	(void)iq_buf_append_cstr(&attrs, "{\"url\":");
	(void)iq_json_append_string(&attrs, iq_buf_view(&url));
	(void)iq_buf_appendf(&attrs, ",\"status\":%d", response->status);
	if (subprotocol.data) {
		(void)iq_buf_append_cstr(&attrs, ",\"subprotocol\":");
		(void)iq_json_append_string(&attrs, subprotocol);
	}
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_WS_OPEN;
	event.direction = IQ_DIRECTION_CLIENT;
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(run, &event);
	iq_buf_release(&attrs);
	iq_buf_release(&url);
	run->phase = PHASE_DRIVING;
	run->heard = run->held_until = iq_clock_monotonic();
	advance(run);
}

static void on_message(void *context, const struct iq_ws_message *message)
{
	struct iq_session_run *run = context;
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = message->opcode == IQ_WS_PING   ? IQ_KIND_WS_PING
		     : message->opcode == IQ_WS_PONG ? IQ_KIND_WS_PONG
						     : IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.body = message->payload;
	event.body_is_binary = message->opcode != IQ_WS_TEXT && !iq_utf8_valid(message->payload);
	event.attrs = opcode_attrs(message->opcode == IQ_WS_BINARY);
	record(run, &event);
	if (event.kind != IQ_KIND_WS_MESSAGE)
		return;
	if (iq_judge_heard_something(&run->judge))
		run->heard = iq_clock_monotonic();
	advance(run);
}

static void tell_early_end(struct iq_session_run *run, const struct iq_ws_end *end)
{
	char code[16] = "";
	const uint32_t open = iq_judge_first_open(&run->judge);
	const struct iq_view name = open == IQ_NO_TURN ? IQ_LIT("its own close")
						       : iq_plan_type_name(run->plan, run->plan->turns[open].type);

	if (end->clean)
		(void)snprintf(code, sizeof(code), "%u ", end->code);
	set_outcome(run, IQ_REPLAY_CUT, "the target %s with %.*s still to come: %s%.*s",
		    end->clean ? "closed" : "cut the connection", IQ_VIEW_ARG(name), code,
		    IQ_VIEW_ARG(iq_utf8_cut(end->reason, 100)));
}

static void record_end(struct iq_session_run *run, const struct iq_ws_end *end)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;

	if (!end->clean) {
		record_error(run, IQ_LIT("cut"), end->reason);
		return;
	}
	(void)iq_buf_appendf(&attrs, "{\"code\":%u,\"reason\":", end->code);
	(void)iq_json_append_string(&attrs, end->reason);
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_WS_CLOSE;
	event.direction = IQ_DIRECTION_SERVER;
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(run, &event);
	iq_buf_release(&attrs);
}

static void on_closed(void *context, const struct iq_ws_end *end)
{
	struct iq_session_run *run = context;
	const bool all_sent = run->lived->sent == run->plan->client_messages;

	if (run->phase != PHASE_CLOSING) {
		record_end(run, end);
		iq_judge_closed(&run->judge, end->clean ? end->code : 1006, end->clean);
	}
	if (run->phase == PHASE_DRIVING && (!all_sent || iq_judge_first_open(&run->judge) != IQ_NO_TURN))
		tell_early_end(run, end);
	finish(run);
}

static void on_failed(void *context, const struct iq_error *error)
{
	struct iq_session_run *run = context;

	record_error(run, IQ_LIT("refused"), iq_view_cstr(error->message));
	set_outcome(run, IQ_REPLAY_UNREACHABLE, "%.250s", error->message);
	finish(run);
}

static struct iq_ws_callbacks callbacks_of(struct iq_session_run *run)
{
	return (struct iq_ws_callbacks){ on_opened, on_message, on_closed, on_failed, run };
}

/* ---- The whole ---- */

int iq_session_run_start(struct iq_stage *stage, const struct iq_plan *plan, const struct iq_shape *shape,
			 const char *target, struct iq_lived *lived, struct iq_session_run **ret_run,
			 struct iq_error *error)
{
	struct iq_session_run *run = calloc(1, sizeof(*run));
	int rc = run ? iq_url_parse_server(iq_view_cstr(target), &run->url, error) : iq_error_nomem(error);

	if (rc == 0 && (iq_values_init(&run->values, &plan->flow) < 0 ||
			iq_judge_init(&run->judge, plan, shape, stage->options, &run->values, lived) < 0))
		rc = iq_error_nomem(error);
	if (rc < 0) {
		iq_session_run_free(run);
		return rc;
	}
	run->stage = stage;
	run->judge.latencies = stage->latencies;
	run->plan = plan;
	run->target = target;
	run->lived = lived;
	run->begun = run->heard = iq_clock_monotonic();
	run->values.supplied = stage->supplied;
	run->values.supplied_count = stage->supplied_count;
	run->values.fresh = stage->options->fresh;
	run->values.shift = plan->started == IQ_TIME_NONE ? 0 : iq_clock_now() - plan->started;
	run->due = (struct iq_due){ .come = on_due, .context = run };
	/* From the loop, so that nothing ends before this returns. It has its place with the pacer from now on. */
	if (iq_pacer_set(stage->pacer, &run->due, 0) < 0) {
		iq_session_run_free(run);
		return iq_error_nomem(error);
	}
	*ret_run = run;
	return 0;
}

void iq_session_run_stop(struct iq_session_run *run)
{
	if (run->phase == PHASE_OVER)
		return;
	set_outcome(run, IQ_REPLAY_INTERRUPTED, "interrupted");
	give_up(run);
}

void iq_session_run_free(struct iq_session_run *run)
{
	if (!run)
		return;
	iq_ws_client_free(run->client);
	for (size_t i = 0; i < run->call_count; i++)
		iq_http_call_free(run->calls[i]);
	free(run->calls);
	iq_buf_release(&run->scratch);
	iq_judge_release(&run->judge);
	iq_values_release(&run->values);
	free(run);
}
