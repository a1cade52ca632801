/* The driver: one connection on an event loop. Whatever happens (an answer, a timeout, the end) leads to advance(),
 * which sends what may be sent, or ends the run. */
#include "replay/replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "replay/plan.h"
#include "replay/recorder.h"
#include "wire/wire.h"

/* After everything expected has come: wait so long for what nobody expected. */
#define SETTLE_MS 200
/* For the answer to our close frame. */
#define CLOSE_TIMEOUT_MS 3000
/* Between two looks at the caller's stop flag. */
#define STOP_INTERVAL_MS 50

enum phase { PHASE_CONNECTING, PHASE_DRIVING, PHASE_SETTLING, PHASE_CLOSING, PHASE_OVER };

struct driver {
	const struct iq_replay_options *options;
	struct iq_url url;
	struct iq_plan plan;
	struct iq_recorder *recorder;
	struct iq_dialects *dialects;
	struct iq_replay_result result;
	struct iq_error *error;
	int failure; /* of recording: the run cannot go on */
	uv_loop_t loop;
	uv_timer_t timer;
	uv_timer_t stopper;
	struct iq_ws_client *client;
	enum phase phase;
	uint64_t timeout_ms;
	size_t next;	    /* message to send */
	uint32_t *received; /* by type */
	size_t received_capacity;
};

static void on_timeout(uv_timer_t *timer);

static void set_timer(struct driver *driver, uint64_t ms)
{
	(void)uv_timer_start(&driver->timer, on_timeout, ms, 0);
}

static void finish(struct driver *driver)
{
	driver->phase = PHASE_OVER;
	if (!uv_is_closing((uv_handle_t *)&driver->timer))
		uv_close((uv_handle_t *)&driver->timer, NULL);
	if (!uv_is_closing((uv_handle_t *)&driver->stopper))
		uv_close((uv_handle_t *)&driver->stopper, NULL);
}

static int count_received(struct driver *driver, struct iq_view type);

/* A message as its dialect reads it. */
static int take_described(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct driver *driver = context;
	int rc = iq_recorder_event(driver->recorder, event, error);

	if (rc < 0 || event->kind != IQ_KIND_WS_MESSAGE || event->direction != IQ_DIRECTION_SERVER)
		return rc;
	driver->result.received++;
	return count_received(driver, event->type) < 0 ? iq_error_nomem(error) : 0;
}

static void record(struct driver *driver, const struct iq_event *event)
{
	const struct iq_sink sink = { .event = take_described, .context = driver };
	struct iq_event described = *event;

	described.session = driver->plan.session_name;
	if (driver->failure == 0)
		driver->failure = iq_dialects_take(driver->dialects, &described, &sink, driver->error);
}

static void set_outcome(struct driver *driver, enum iq_replay_outcome outcome, const char *format, ...) IQ_PRINTF(3, 4);

static void set_outcome(struct driver *driver, enum iq_replay_outcome outcome, const char *format, ...)
{
	struct iq_buf safe = IQ_BUF_INIT;
	char reason[sizeof(driver->result.reason)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	/* Types and close reasons are the target's own words, and this line goes to a terminal. */
	(void)iq_utf8_append_safe(&safe, iq_view_cstr(reason));
	driver->result.outcome = outcome;
	(void)snprintf(driver->result.reason, sizeof(driver->result.reason), "%s", safe.data ? safe.data : "");
	iq_buf_release(&safe);
}

/* ---- Waiting and sending ---- */

static uint32_t received_of(const struct driver *driver, uint32_t type)
{
	return type < driver->received_capacity ? driver->received[type] : 0;
}

#define ANY_TYPE UINT32_MAX

/* The first need of that type that is not met yet, or NULL. */
static const struct iq_plan_need *open_need_of(const struct driver *driver, uint32_t type)
{
	bool at_end = driver->next == driver->plan.message_count;
	const struct iq_plan_message *message = at_end ? NULL : &driver->plan.messages[driver->next];
	const struct iq_plan_need *needs = at_end ? driver->plan.last_needs : message->needs;
	size_t count = at_end ? driver->plan.last_need_count : message->need_count;

	for (size_t i = 0; i < count; i++)
		if ((type == ANY_TYPE || type == needs[i].type) && received_of(driver, needs[i].type) < needs[i].count)
			return &needs[i];
	return NULL;
}

static const struct iq_plan_need *open_need(const struct driver *driver)
{
	return open_need_of(driver, ANY_TYPE);
}

static struct iq_view type_name(const struct driver *driver, uint32_t type)
{
	struct iq_view name = driver->plan.types.entries[type].key;

	return name.len ? iq_utf8_cut(name, 60) : IQ_LIT("a message without a type");
}

/* What docs/events.md asks for where a message is not text. */
static struct iq_view opcode_attrs(bool is_binary)
{
	return is_binary ? IQ_LIT("{\"opcode\":2}") : IQ_VIEW_NULL;
}

static void send_next(struct driver *driver)
{
	const struct iq_plan_message *message = &driver->plan.messages[driver->next];
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_error error = IQ_ERROR_INIT;

	if (iq_ws_client_send(driver->client, message->is_binary ? IQ_WS_BINARY : IQ_WS_TEXT, message->body, &error) <
	    0) {
		set_outcome(driver, IQ_REPLAY_CUT, "message %zu of %zu could not be sent: %.150s", driver->next + 1,
			    driver->plan.message_count, error.message);
		iq_ws_client_close(driver->client, 1000);
		driver->phase = PHASE_CLOSING;
		return;
	}
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_CLIENT;
	event.body = message->body;
	event.body_is_binary = !iq_utf8_valid(message->body);
	event.attrs = opcode_attrs(message->is_binary);
	record(driver, &event);
	driver->next++;
	driver->result.sent++;
}

static void begin_close(struct driver *driver)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = IQ_KIND_WS_CLOSE;
	event.direction = IQ_DIRECTION_CLIENT;
	event.attrs = IQ_LIT("{\"code\":1000}");
	record(driver, &event);
	driver->phase = PHASE_CLOSING;
	iq_ws_client_close(driver->client, 1000);
	set_timer(driver, CLOSE_TIMEOUT_MS);
}

static void advance(struct driver *driver)
{
	if (driver->phase != PHASE_DRIVING)
		return;
	while (driver->phase == PHASE_DRIVING && driver->next < driver->plan.message_count && !open_need(driver)) {
		send_next(driver);
		set_timer(driver, driver->timeout_ms);
	}
	if (driver->phase == PHASE_DRIVING && driver->next == driver->plan.message_count && !open_need(driver)) {
		driver->phase = PHASE_SETTLING;
		set_timer(driver, SETTLE_MS);
	}
}

/* `waited 30s for tool_completed (2nd) before sending message 3` */
static void stall(struct driver *driver)
{
	const struct iq_plan_need *need = open_need(driver);
	char waited[IQ_RFC3339_SIZE], place[96] = "at the end";

	if (driver->next < driver->plan.message_count)
		(void)snprintf(place, sizeof(place), "before sending message %zu of %zu", driver->next + 1,
			       driver->plan.message_count);
	set_outcome(driver, IQ_REPLAY_STALLED, "waited %s for %.*s (%" PRIu32 " of %" PRIu32 " came) %s",
		    iq_duration_format((int64_t)driver->timeout_ms * IQ_NS_PER_MS, waited),
		    IQ_VIEW_ARG(type_name(driver, need->type)), received_of(driver, need->type), need->count, place);
	begin_close(driver);
}

static void on_timeout(uv_timer_t *timer)
{
	struct driver *driver = timer->data;

	switch (driver->phase) {
	case PHASE_CONNECTING:
		set_outcome(driver, IQ_REPLAY_UNREACHABLE, "%s: no answer to the handshake in time",
			    driver->options->target);
		iq_ws_client_abort(driver->client);
		finish(driver);
		break;
	case PHASE_DRIVING:
		stall(driver);
		break;
	case PHASE_SETTLING:
		begin_close(driver);
		break;
	default: /* the target does not answer our close */
		iq_ws_client_abort(driver->client);
		finish(driver);
		break;
	}
}

static void on_stop_check(uv_timer_t *timer)
{
	struct driver *driver = timer->data;

	if (driver->failure < 0 || (driver->options->stop && *driver->options->stop)) {
		if (driver->failure == 0)
			driver->failure = iq_error_set(driver->error, IQ_ERR_INTERRUPTED,
						       "interrupted: what was recorded until then is in %s",
						       driver->options->run_path);
		iq_ws_client_abort(driver->client);
		finish(driver);
	}
}

/* ---- What the client tells ---- */

/* The target's URL with the path that was asked for, so that the run can be replayed itself. */
static void append_url(const struct driver *driver, struct iq_buf *attrs)
{
	struct iq_buf whole = IQ_BUF_INIT;
	const char *fragment = strchr(driver->options->target, '#');

	(void)iq_buf_append(
		&whole, iq_view_make(driver->options->target, fragment ? (size_t)(fragment - driver->options->target)
								       : strlen(driver->options->target)));
	if (driver->url.path.len == 0)
		(void)iq_buf_append(&whole, driver->plan.path);
	(void)iq_json_append_string(attrs, iq_buf_view(&whole));
	iq_buf_release(&whole);
}

static void on_opened(void *context, const struct iq_http_response *response)
{
	struct driver *driver = context;
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;
	struct iq_view subprotocol = iq_http_header(response, "Sec-WebSocket-Protocol");

	(void)iq_buf_append_cstr(&attrs, "{\"url\":");
	append_url(driver, &attrs);
	(void)iq_buf_appendf(&attrs, ",\"status\":%d", response->status);
	if (subprotocol.data) {
		(void)iq_buf_append_cstr(&attrs, ",\"subprotocol\":");
		(void)iq_json_append_string(&attrs, subprotocol);
	}
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_WS_OPEN;
	event.direction = IQ_DIRECTION_CLIENT;
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(driver, &event);
	iq_buf_release(&attrs);
	driver->phase = PHASE_DRIVING;
	set_timer(driver, driver->timeout_ms);
	advance(driver);
}

/* Counts it, and gives the longest wait anew if it is one that is waited for: what nobody waits for (a heartbeat, a
 * stream of tokens) must not put the stall off for ever. */
static int count_received(struct driver *driver, struct iq_view type)
{
	const struct iq_plan_need *need;
	uint32_t number;

	if (iq_plan_type(&driver->plan, type, &number) < 0)
		return IQ_ERR_NOMEM;
	if (IQ_ARRAY_GROW(driver->received, driver->received_capacity, (size_t)number + 1) < 0)
		return IQ_ERR_NOMEM;
	need = driver->phase == PHASE_DRIVING ? open_need_of(driver, number) : NULL;
	driver->received[number]++;
	if (need)
		set_timer(driver, driver->timeout_ms);
	return 0;
}

static void on_message(void *context, const struct iq_ws_message *message)
{
	struct driver *driver = context;
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = message->opcode == IQ_WS_PING   ? IQ_KIND_WS_PING
		     : message->opcode == IQ_WS_PONG ? IQ_KIND_WS_PONG
						     : IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.body = message->payload;
	event.body_is_binary = message->opcode != IQ_WS_TEXT && !iq_utf8_valid(message->payload);
	event.attrs = opcode_attrs(message->opcode == IQ_WS_BINARY);
	record(driver, &event);
	if (event.kind == IQ_KIND_WS_MESSAGE)
		advance(driver);
}

static void record_end(struct driver *driver, const struct iq_ws_end *end)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;

	event.kind = end->clean ? IQ_KIND_WS_CLOSE : IQ_KIND_NET_ERROR;
	event.direction = IQ_DIRECTION_SERVER;
	event.type = end->clean ? IQ_VIEW_NULL : IQ_LIT("cut");
	if (end->clean)
		(void)iq_buf_appendf(&attrs, "{\"code\":%u,\"reason\":", end->code);
	else
		(void)iq_buf_append_cstr(&attrs, "{\"error\":");
	(void)iq_json_append_string(&attrs, end->reason);
	(void)iq_buf_append_char(&attrs, '}');
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(driver, &event);
	iq_buf_release(&attrs);
}

static void tell_early_end(struct driver *driver, const struct iq_plan_need *need, const struct iq_ws_end *end)
{
	char code[16] = "";

	if (end->clean)
		(void)snprintf(code, sizeof(code), "%u ", end->code);
	set_outcome(driver, IQ_REPLAY_CUT,
		    "the target %s with %.*s still to come (%" PRIu32 " of %" PRIu32 " came): %s%.*s",
		    end->clean ? "closed" : "cut the connection", IQ_VIEW_ARG(type_name(driver, need->type)),
		    received_of(driver, need->type), need->count, code, IQ_VIEW_ARG(iq_utf8_cut(end->reason, 100)));
}

static void on_closed(void *context, const struct iq_ws_end *end)
{
	struct driver *driver = context;
	/* While driving there always is one, or the next message would have been sent. */
	const struct iq_plan_need *need = driver->phase == PHASE_DRIVING ? open_need(driver) : NULL;

	if (driver->phase != PHASE_CLOSING)
		record_end(driver, end);
	if (need)
		tell_early_end(driver, need, end);
	finish(driver);
}

static void on_failed(void *context, const struct iq_error *error)
{
	struct driver *driver = context;
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&attrs, "{\"error\":");
	(void)iq_json_append_string(&attrs, iq_view_cstr(error->message));
	(void)iq_buf_append_char(&attrs, '}');
	event.kind = IQ_KIND_NET_ERROR;
	event.type = IQ_LIT("refused");
	event.attrs = attrs.failed ? IQ_VIEW_NULL : iq_buf_view(&attrs);
	record(driver, &event);
	iq_buf_release(&attrs);
	set_outcome(driver, IQ_REPLAY_UNREACHABLE, "%.250s", error->message);
	finish(driver);
}

/* ---- The whole ---- */

static int check_target(const struct iq_replay_options *options, struct iq_url *ret_url, struct iq_error *error)
{
	int rc = iq_url_parse(iq_view_cstr(options->target), ret_url, error);

	if (rc < 0 || iq_url_is_loopback(ret_url) ||
	    (options->allow_host && iq_view_eq(iq_view_cstr(options->allow_host), ret_url->host)))
		return rc;
	return iq_error_set(error, IQ_ERR_USAGE,
			    "%.*s is not this machine: to send recorded messages there, add --allow-host %.*s",
			    IQ_VIEW_ARG(ret_url->host), IQ_VIEW_ARG(ret_url->host));
}

static int drive(struct driver *driver, struct iq_error *error)
{
	const struct iq_ws_callbacks callbacks = { on_opened, on_message, on_closed, on_failed, driver };
	int64_t begun = iq_clock_monotonic();
	int rc;

	if (uv_loop_init(&driver->loop) < 0)
		return iq_error_nomem(error);
	(void)uv_timer_init(&driver->loop, &driver->timer);
	(void)uv_timer_init(&driver->loop, &driver->stopper);
	driver->timer.data = driver->stopper.data = driver;
	rc = iq_ws_client_open(&driver->loop, &driver->url, driver->plan.path, driver->plan.subprotocol, &callbacks,
			       &driver->client, error);
	if (rc == 0) {
		set_timer(driver, driver->timeout_ms);
		(void)uv_timer_start(&driver->stopper, on_stop_check, STOP_INTERVAL_MS, STOP_INTERVAL_MS);
	} else {
		finish(driver);
	}
	(void)uv_run(&driver->loop, UV_RUN_DEFAULT);
	iq_ws_client_free(driver->client);
	(void)uv_loop_close(&driver->loop);
	driver->result.duration_ns = iq_clock_monotonic() - begun;
	return rc < 0 ? rc : driver->failure;
}

static int run(struct driver *driver, struct iq_error *error)
{
	char name[64];
	int rc, closed;

	(void)snprintf(name, sizeof(name), "replay-of-s%" PRIu32 ".ndjson", driver->options->session_no);
	rc = iq_recorder_open(driver->options->run_path, name, driver->plan.session_name, &driver->recorder, error);
	if (rc < 0)
		return rc;
	driver->result.run_session_no = iq_recorder_session_no(driver->recorder);
	rc = drive(driver, error);
	/* The first error is kept. */
	closed = iq_recorder_close(driver->recorder, error);
	iq_recorder_free(driver->recorder);
	return rc < 0 ? rc : closed;
}

int iq_replay(struct iq_store *store, const struct iq_replay_options *options, struct iq_replay_result *ret_result,
	      struct iq_error *error)
{
	struct driver driver = { .options = options, .error = error };
	int64_t timeout = options->timeout_ns > 0 ? options->timeout_ns : IQ_REPLAY_TIMEOUT;
	int rc = check_target(options, &driver.url, error);

	if (rc == 0)
		rc = iq_plan_read(store, options->session_no, &driver.plan, error);
	if (rc < 0)
		return rc;
	driver.timeout_ms = (uint64_t)(timeout / IQ_NS_PER_MS) + 1;
	driver.result.expected_to_send = driver.plan.message_count;
	driver.result.expected_to_receive = driver.plan.expected;
	driver.dialects = iq_dialects_new(NULL);
	rc = driver.dialects ? run(&driver, error) : iq_error_nomem(error);
	iq_dialects_free(driver.dialects);
	free(driver.received);
	iq_plan_release(&driver.plan);
	if (rc == 0)
		*ret_result = driver.result;
	return rc;
}
