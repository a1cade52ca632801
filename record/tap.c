#include "record/tap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 50u
#define BACKLOG 4096

void iq_tap_tell(const struct iq_tap *tap, const char *format, ...)
{
	char line[600];
	va_list args;

	if (!tap->options->tell)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	tap->options->tell(tap->options->context, line);
}

/* ---- Routes ---- */

static int parse_upstream(struct iq_route *route, const char *text, struct iq_error *error)
{
	int rc = iq_url_parse_server(iq_view_cstr(text), &route->upstream, error);

	if (rc < 0)
		return rc;
	if (route->upstream.path.len > 1)
		return iq_error_set(error, IQ_ERR_USAGE,
				    "%.200s: name the server alone; paths are those that clients ask for", text);
	if (route->upstream.host.len >= sizeof(route->host))
		return iq_error_set(error, IQ_ERR_USAGE, "%.200s: the name is too long", text);
	(void)snprintf(route->host, sizeof(route->host), "%.*s", IQ_VIEW_ARG(route->upstream.host));
	route->source = route->upstream.authority;
	return 0;
}

static void on_connection(uv_stream_t *listener, int code)
{
	struct iq_route *route = listener->data;

	if (code < 0)
		iq_tap_tell(route->tap, "%.*s: a connection could not be accepted: %s", IQ_VIEW_ARG(route->source),
			    uv_strerror(code));
	else
		iq_tap_link_accept(route);
}

/* Where it listens, when the system has chosen the port. */
static void tell_route(const struct iq_route *route)
{
	struct sockaddr_storage address;
	int len = sizeof(address);
	char name[64] = "";

	(void)uv_tcp_getsockname(&route->listener, (struct sockaddr *)&address, &len);
	(void)uv_ip_name((struct sockaddr *)&address, name, sizeof(name));
	iq_tap_tell(route->tap, "recording %s://%.*s on %s%s%s:%u", route->upstream.is_secure ? "wss" : "ws",
		    IQ_VIEW_ARG(route->source), strchr(name, ':') ? "[" : "", name, strchr(name, ':') ? "]" : "",
		    ntohs(((const struct sockaddr_in *)&address)->sin_port));
}

static int open_route(struct iq_tap *tap, const struct iq_tap_route *given)
{
	struct iq_route *route = &tap->routes[tap->route_count];
	struct sockaddr_storage address;
	int rc = parse_upstream(route, given->upstream, tap->error);
	int code;

	if (rc == 0)
		rc = iq_listen_address(given->listen, &address, tap->error);
	if (rc < 0)
		return rc;
	route->tap = tap;
	code = uv_tcp_init(&tap->loop, &route->listener);
	if (code < 0)
		return iq_error_set(tap->error, IQ_ERR_IO, "%s: %s", given->listen, uv_strerror(code));
	route->listener.data = route;
	tap->route_count++;
	code = uv_tcp_bind(&route->listener, (struct sockaddr *)&address, 0);
	if (code == 0)
		code = uv_listen((uv_stream_t *)&route->listener, BACKLOG, on_connection);
	if (code < 0)
		return iq_error_set(tap->error, IQ_ERR_NETWORK, "%.100s cannot be listened on: %s", given->listen,
				    uv_strerror(code));
	return 0;
}

static int open_routes(struct iq_tap *tap)
{
	const struct iq_tap_options *options = tap->options;
	int rc = 0;

	if (options->route_count == 0 || options->route_count > IQ_TAP_MAX_ROUTES)
		return iq_error_set(tap->error, IQ_ERR_USAGE, "between 1 and %u servers can be recorded at once",
				    IQ_TAP_MAX_ROUTES);
	for (size_t i = 0; i < options->route_count && rc == 0; i++)
		rc = open_route(tap, &options->routes[i]);
	return rc;
}

/* ---- Once in a while ---- */

static void stop(struct iq_tap *tap)
{
	if (tap->stopping)
		return;
	tap->stopping = true;
	for (size_t i = 0; i < tap->route_count; i++)
		uv_close((uv_handle_t *)&tap->routes[i].listener, NULL);
	uv_close((uv_handle_t *)&tap->tick, NULL);
	iq_tap_links_close(tap);
}

void iq_tap_fail(struct iq_tap *tap, int rc)
{
	if (tap->rc == 0)
		tap->rc = rc;
}

static void show_progress(struct iq_tap *tap)
{
	struct iq_live_status status;
	struct iq_tap_progress progress;

	if (!tap->options->progress)
		return;
	iq_live_status(tap->recording.live, &status);
	progress = (struct iq_tap_progress){ .connections = tap->connections,
					     .messages = tap->result->messages,
					     .durable = status.acknowledged,
					     .lost = status.lost_events,
					     .trouble = status.trouble };
	tap->options->progress(tap->options->context, &progress);
}

static void beat(struct iq_tap *tap)
{
	const int64_t now = iq_clock_now();

	for (size_t i = 0; i < tap->route_count; i++)
		if (iq_recording_heartbeat(&tap->recording, tap->routes[i].source, tap->routes[i].connections, now,
					   tap->error) < 0)
			iq_tap_fail(tap, IQ_ERR_NOMEM);
	show_progress(tap);
}

/* Segments are made of what there is, where somebody asked for that, or it is time. */
static void rotate(struct iq_tap *tap, int64_t now)
{
	volatile int *asked = tap->options->rotate;
	const int64_t every = tap->options->rotate_ns;

	if (asked && *asked)
		*asked = 0;
	else if (every == 0 || now < tap->next_rotation)
		return;
	tap->next_rotation = now + every;
	iq_live_rotate(tap->recording.live);
}

static void on_tick(uv_timer_t *timer)
{
	struct iq_tap *tap = timer->data;
	const int64_t now = iq_clock_monotonic();

	if (tap->rc < 0 || (tap->options->stop && *tap->options->stop)) {
		stop(tap);
		return;
	}
	rotate(tap, now);
	if (now < tap->next_beat)
		return;
	tap->next_beat = now + (int64_t)IQ_TAP_HEARTBEAT_MS * IQ_NS_PER_MS;
	iq_tap_links_check(tap, now);
	beat(tap);
}

/* ---- All of it ---- */

static int open_contexts(struct iq_tap *tap)
{
	const struct iq_tap_options *options = tap->options;
	const struct iq_tls_names names = { options->ca, options->is_insecure, options->cert, options->key };
	int rc = 0;

	for (size_t i = 0; i < tap->route_count && rc == 0; i++)
		if (tap->routes[i].upstream.is_secure && !tap->client_context)
			rc = iq_tls_client_context(&names, &tap->client_context, tap->error);
	if (rc == 0 && options->cert)
		rc = iq_tls_server_context(&names, &tap->server_context, tap->error);
	if (rc == 0 && tap->client_context && options->is_insecure)
		iq_tap_tell(tap,
			    "--insecure: the upstream's certificate is not looked at: anybody can be the upstream");
	return rc;
}

static void run(struct iq_tap *tap)
{
	(void)uv_timer_init(&tap->loop, &tap->tick);
	tap->tick.data = tap;
	tap->rc = open_routes(tap);
	if (tap->rc == 0)
		tap->rc = open_contexts(tap);
	if (tap->rc == 0) {
		for (size_t i = 0; i < tap->route_count; i++)
			tell_route(&tap->routes[i]);
		tap->next_rotation = iq_clock_monotonic() + tap->options->rotate_ns;
		(void)uv_timer_start(&tap->tick, on_tick, 0, TICK_MS);
	} else {
		stop(tap);
	}
	(void)uv_run(&tap->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&tap->loop);
}

static int record(struct iq_tap *tap, const char *store_path)
{
	int rc = iq_recording_open(&tap->recording, store_path, tap->options, tap->result, tap->error);
	int sealed;

	if (rc < 0)
		return rc;
	run(tap);
	sealed = iq_recording_close(&tap->recording, tap->error);
	return tap->rc < 0 ? tap->rc : sealed;
}

int iq_tap_record(const char *store_path, const struct iq_tap_options *options, struct iq_tap_result *ret_result,
		  struct iq_error *error)
{
	struct iq_tap *tap = calloc(1, sizeof(*tap));
	char *memory = malloc(IQ_STREAM_READ_BYTES);
	int rc = IQ_ERR_NOMEM;

	*ret_result = (struct iq_tap_result){ 0 };
	if (tap && memory) {
		tap->options = options;
		tap->result = ret_result;
		tap->error = error;
		tap->memory = iq_view_make(memory, IQ_STREAM_READ_BYTES);
		rc = uv_loop_init(&tap->loop) < 0 ? iq_error_set(error, IQ_ERR_IO, "no event loop")
						  : record(tap, store_path);
	} else {
		(void)iq_error_nomem(error);
	}
	if (tap) {
		SSL_CTX_free(tap->client_context);
		SSL_CTX_free(tap->server_context);
	}
	free(memory);
	free(tap);
	return rc;
}
