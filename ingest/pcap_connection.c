#include "ingest/pcap_connection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/bytes.h"
#include "ingest/pcap_probe.h"
#include "ingest/record.h"
#include "ingest/tls_hello.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Where a part of a direction was captured. */
struct place {
	uint64_t at; /* its first byte in the direction */
	uint64_t offset;
};

struct side {
	uint64_t position;  /* bytes that came, and that did not */
	struct iq_buf held; /* the beginning, until it is told what it is, or until its hello is read */
	struct iq_tcp_place held_from;
	struct place *places;
	size_t place_count;
	size_t place_capacity;
	uint64_t skipped; /* of a connection that began before the capture: until something begins */
	bool has_hello;
};

struct iq_pcap_connection {
	const struct iq_tcp_connection *tcp;
	struct iq_pcap_sink sink;
	uint64_t number;
	size_t kept;
	enum iq_pcap_protocol protocol;
	unsigned client;      /* which end */
	struct side sides[2]; /* by ends */
	struct iq_traffic *traffic;
	unsigned tries; /* of telling it midway */
	bool is_told;	/* TLS: its beginning was */
	struct iq_tcp_place now;
	struct iq_buf name; /* of the session */
	struct iq_buf attrs;
	struct iq_buf hellos[2];
	char source[IQ_ENDPOINT_SIZE];
	char peer[IQ_ENDPOINT_SIZE];
};

/* ---- Who is who ---- */

static enum iq_direction direction_of(const struct iq_pcap_connection *connection, unsigned way)
{
	return way == connection->client ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER;
}

static unsigned way_of(const struct iq_pcap_connection *connection, enum iq_direction direction)
{
	return direction == IQ_DIRECTION_CLIENT ? connection->client : 1 - connection->client;
}

/* The handshake says it; else what is said; else ports below are servers'. */
static void choose_client(struct iq_pcap_connection *connection, enum iq_direction speaker, unsigned way)
{
	const struct iq_tcp_connection *tcp = connection->tcp;

	if (tcp->start_seen)
		connection->client = tcp->opener;
	else if (speaker != IQ_DIRECTION_NONE)
		connection->client = speaker == IQ_DIRECTION_CLIENT ? way : 1 - way;
	else
		connection->client = tcp->ends[0].port >= tcp->ends[1].port ? 0 : 1;
}

static int name_it(struct iq_pcap_connection *connection)
{
	char time[IQ_RFC3339_SIZE];

	(void)iq_endpoint_format(&connection->tcp->ends[connection->client], connection->peer);
	(void)iq_endpoint_format(&connection->tcp->ends[1 - connection->client], connection->source);
	iq_buf_clear(&connection->name);
	return iq_buf_appendf(&connection->name, "%s-%s %s", connection->peer, connection->source,
			      iq_time_format_short(connection->tcp->first.ts, true, time));
}

/* ---- Places ---- */

static int note_place(struct side *side, const struct iq_tcp_place *from)
{
	const struct place *last = side->place_count > 0 ? &side->places[side->place_count - 1] : NULL;

	if (last && last->offset == from->offset)
		return 0;
	if (side->place_count == IQ_PCAP_MAX_PLACES) {
		side->place_count /= 2;
		for (size_t i = 0; i < side->place_count; i++)
			side->places[i] = side->places[2 * i];
	}
	if (IQ_ARRAY_GROW(side->places, side->place_capacity, side->place_count + 1) < 0)
		return IQ_ERR_NOMEM;
	side->places[side->place_count++] = (struct place){ side->position, from->offset };
	return 0;
}

/* The packet with the byte at `at`; the one at hand for what has no bytes. */
static uint64_t find_place(const struct iq_pcap_connection *connection, const struct side *side, uint64_t at)
{
	size_t i = side->place_count;

	while (i > 0 && side->places[i - 1].at > at)
		i--;
	return i > 0 ? side->places[i - 1].offset : connection->now.offset;
}

/* No event begins before it any more. */
static void drop_places(struct side *side, uint64_t at)
{
	size_t gone = 0;

	while (gone + 1 < side->place_count && side->places[gone + 1].at <= at)
		gone++;
	side->place_count -= gone;
	memmove(side->places, side->places + gone, side->place_count * sizeof(*side->places));
}

/* ---- Giving ---- */

/* Kinds that begin something: their attrs have the other end as well. */
static bool begins(enum iq_kind kind)
{
	return kind == IQ_KIND_WS_OPEN || kind == IQ_KIND_HTTP_REQUEST;
}

static int add_server(struct iq_pcap_connection *connection, struct iq_event *event)
{
	struct iq_view attrs = event->attrs;

	iq_buf_clear(&connection->attrs);
	if (attrs.len > 0)
		(void)iq_buf_append(&connection->attrs, iq_view_make(attrs.data, attrs.len - 1));
	iq_attrs_text(&connection->attrs, IQ_LIT("server"), iq_view_cstr(connection->source));
	event->attrs = iq_attrs_end(&connection->attrs);
	return connection->attrs.failed ? IQ_ERR_NOMEM : 0;
}

/* From the traffic: its ranges are those of the direction's bytes. */
static int take_event(void *context, struct iq_event *event, struct iq_view raw, struct iq_error *error)
{
	struct iq_pcap_connection *connection = context;
	struct side *side = &connection->sides[way_of(
		connection, event->direction == IQ_DIRECTION_CLIENT ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER)];
	const uint64_t from = event->length > 0 ? find_place(connection, side, event->offset) : connection->now.offset;

	(void)raw;
	/* A control frame may stand within a message. */
	if (event->length > 0 && event->kind != IQ_KIND_WS_PING && event->kind != IQ_KIND_WS_PONG)
		drop_places(side, event->offset);
	if (begins(event->kind) && add_server(connection, event) < 0)
		return iq_error_nomem(error);
	return connection->sink.event(connection->sink.context, event, from, error);
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_pcap_connection *connection = context;
	struct iq_gap copy = *gap;

	return connection->sink.gap(connection->sink.context, &copy, connection->now.offset, error);
}

static int give_gap(struct iq_pcap_connection *connection, enum iq_direction direction, const char *reason,
		    struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = iq_view_cstr(connection->source);
	gap.session = iq_buf_view(&connection->name);
	gap.direction = direction;
	gap.ts_min = connection->tcp->first.ts;
	gap.ts_max = connection->now.ts;
	gap.reason = iq_view_cstr(reason);
	return connection->sink.gap(connection->sink.context, &gap, connection->now.offset, error);
}

/* An event that the traffic does not give, with the attrs at hand. */
static int give_own(struct iq_pcap_connection *connection, struct iq_event *event, struct iq_error *error)
{
	event->ts = connection->now.ts;
	event->source = iq_view_cstr(connection->source);
	event->session = iq_buf_view(&connection->name);
	event->attrs = iq_attrs_end(&connection->attrs);
	if (connection->attrs.failed)
		return iq_error_nomem(error);
	return connection->sink.event(connection->sink.context, event, connection->now.offset, error);
}

/* ---- TLS ---- */

static void add_hello(struct iq_pcap_connection *connection, const struct iq_tls_hello *hello)
{
	struct iq_buf *attrs = &connection->attrs;
	const char *version = iq_tls_version_text(hello->version);
	struct iq_buf names = IQ_BUF_INIT;

	if (hello->server_name.data)
		iq_attrs_text(attrs, IQ_LIT("sni"), hello->server_name);
	for (size_t i = 0; i < hello->protocol_count; i++) {
		(void)iq_buf_append_char(&names, i == 0 ? '[' : ',');
		(void)iq_json_append_string(&names, hello->protocols[i]);
	}
	if (names.len > 0 && iq_buf_append_char(&names, ']') == 0)
		iq_attrs_raw(attrs, hello->is_server ? IQ_LIT("alpn_chosen") : IQ_LIT("alpn"), iq_buf_view(&names));
	if (version)
		iq_attrs_text(attrs, hello->is_server ? IQ_LIT("version") : IQ_LIT("version_offered"),
			      iq_view_cstr(version));
	if (hello->is_server)
		iq_attrs_number(attrs, IQ_LIT("cipher"), hello->cipher);
	iq_buf_release(&names);
}

static int tell_tls(struct iq_pcap_connection *connection, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_tls_hello hello;

	if (connection->is_told)
		return 0;
	connection->is_told = true;
	iq_buf_clear(&connection->attrs);
	iq_attrs_text(&connection->attrs, IQ_LIT("client"), iq_view_cstr(connection->peer));
	iq_attrs_text(&connection->attrs, IQ_LIT("server"), iq_view_cstr(connection->source));
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &connection->sides[i == 0 ? connection->client : 1 - connection->client];

		if (iq_tls_read_hello(iq_buf_view(&side->held), &connection->hellos[i], &hello) > 0)
			add_hello(connection, &hello);
		iq_buf_release(&side->held);
	}
	event.type = IQ_LIT("tls.open");
	event.session_begins = connection->tcp->start_seen;
	return give_own(connection, &event, error);
}

/* Collects the hellos of both sides; what comes behind is only counted. */
static int feed_tls(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes, struct iq_error *error)
{
	struct side *side = &connection->sides[way];
	struct iq_tls_hello hello;

	if (connection->is_told)
		return 0;
	if (!side->has_hello) {
		if (iq_buf_append(&side->held, bytes) < 0)
			return iq_error_nomem(error);
		side->has_hello = iq_tls_read_hello(iq_buf_view(&side->held), &connection->hellos[0], &hello) != 0 ||
				  side->held.len > IQ_TLS_MAX_HELLO;
	}
	return connection->sides[0].has_hello && connection->sides[1].has_hello ? tell_tls(connection, error) : 0;
}

static int end_tls(struct iq_pcap_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	const uint64_t client = iq_pcap_connection_bytes(connection, IQ_DIRECTION_CLIENT);
	const uint64_t server = iq_pcap_connection_bytes(connection, IQ_DIRECTION_SERVER);
	struct iq_event event = IQ_EVENT_INIT;
	char reason[160];
	int rc = tell_tls(connection, error);

	if (rc < 0)
		return rc;
	(void)snprintf(reason, sizeof(reason),
		       "encrypted (TLS): %" PRIu64 " bytes from the client and %" PRIu64 " from the server", client,
		       server);
	rc = give_gap(connection, IQ_DIRECTION_NONE, reason, error);
	iq_buf_clear(&connection->attrs);
	iq_attrs_number(&connection->attrs, IQ_LIT("client_bytes"), client);
	iq_attrs_number(&connection->attrs, IQ_LIT("server_bytes"), server);
	iq_attrs_number(&connection->attrs, IQ_LIT("packets"), connection->tcp->packets);
	event.type = how == IQ_TCP_CLOSED ? IQ_LIT("tls.close") : IQ_LIT("tls.open_still");
	event.session_ends = how == IQ_TCP_CLOSED;
	if (how == IQ_TCP_RESET || how == IQ_TCP_REUSED) {
		event.kind = IQ_KIND_NET_ERROR;
		event.type = IQ_LIT("cut");
		event.severity = IQ_SEVERITY_ERROR;
		event.direction =
			how == IQ_TCP_RESET ? direction_of(connection, connection->tcp->reset_by) : IQ_DIRECTION_NONE;
		iq_attrs_text(&connection->attrs, IQ_LIT("error"),
			      how == IQ_TCP_RESET ? IQ_LIT("connection reset")
						  : IQ_LIT("its ports were connected anew"));
	}
	return rc == 0 ? give_own(connection, &event, error) : rc;
}

/* ---- HTTP and WebSockets ---- */

static int begin_traffic(struct iq_pcap_connection *connection, struct iq_error *error)
{
	const struct iq_traffic_options options = {
		.source = iq_view_cstr(connection->source),
		.name = iq_buf_view(&connection->name),
		.client = iq_view_cstr(connection->peer),
		.number = connection->number,
		.kept = connection->kept,
		.is_midway = connection->protocol == IQ_PCAP_FRAMES,
		.event = take_event,
		.gap = take_gap,
		.context = connection,
	};

	return iq_traffic_new(&options, &connection->traffic, error);
}

static int miss(struct iq_pcap_connection *connection, unsigned way, uint64_t bytes, const char *reason,
		struct iq_error *error)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%" PRIu64 " byte%s %s", bytes, bytes == 1 ? "" : "s", reason);
	return iq_traffic_miss(connection->traffic, direction_of(connection, way), bytes, text, connection->now.ts,
			       error);
}

/* Does something begin where these bytes begin? */
static bool is_beginning(const struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes)
{
	const enum iq_direction side = direction_of(connection, way);

	if (iq_traffic_is_socket(connection->traffic))
		return iq_pcap_begins_frames(bytes, side == IQ_DIRECTION_SERVER);
	/* A response makes sense behind its request alone. */
	if (side == IQ_DIRECTION_SERVER)
		return iq_pcap_begins_response(bytes) && iq_traffic_pending(connection->traffic) > 0;
	return iq_pcap_begins_request(bytes);
}

/* Behind what is missing, it goes on where something begins. */
static int feed_traffic(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes,
			struct iq_error *error)
{
	const enum iq_direction side = direction_of(connection, way);
	int rc = 0;

	if (iq_traffic_is_opaque(connection->traffic, side) && is_beginning(connection, way, bytes))
		rc = iq_traffic_resume(connection->traffic, side, connection->now.ts, error);
	return rc == 0 ? iq_traffic_feed(connection->traffic, side, bytes, connection->now.ts, error) : rc;
}

/* Why a connection is over, and who did it. */
static int end_traffic(struct iq_pcap_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	static const char *const troubles[] = {
		[IQ_TCP_CLOSED] = NULL,
		[IQ_TCP_RESET] = "connection reset",
		[IQ_TCP_REUSED] = "its ports were connected anew",
	};
	const enum iq_direction by =
		how == IQ_TCP_RESET ? direction_of(connection, connection->tcp->reset_by) : IQ_DIRECTION_NONE;

	if (how == IQ_TCP_OPEN || how == IQ_TCP_FORGOTTEN)
		return iq_traffic_stop(connection->traffic, connection->now.ts, error);
	return iq_traffic_end(connection->traffic, by, troubles[how], connection->now.ts, error);
}

/* ---- What it is ---- */

/* What came before the first thing that could be told. */
static int begin_midway(struct iq_pcap_connection *connection, struct iq_error *error)
{
	int rc = 0;

	for (unsigned way = 0; way < 2 && rc == 0; way++)
		rc = miss(connection, way, connection->sides[way].skipped, "before anything that could be told", error);
	return rc;
}

static int begin(struct iq_pcap_connection *connection, enum iq_pcap_protocol protocol, enum iq_direction speaker,
		 unsigned way, struct iq_error *error)
{
	int rc;

	connection->protocol = protocol;
	choose_client(connection, speaker, way);
	if (name_it(connection) < 0)
		return iq_error_nomem(error);
	if (protocol != IQ_PCAP_HTTP && protocol != IQ_PCAP_FRAMES)
		return 0;
	rc = begin_traffic(connection, error);
	return rc == 0 && !connection->tcp->start_seen ? begin_midway(connection, error) : rc;
}

/* ---- Pieces ---- */

static int feed(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes, struct iq_error *error)
{
	switch (connection->protocol) {
	case IQ_PCAP_HTTP:
	case IQ_PCAP_FRAMES:
		return feed_traffic(connection, way, bytes, error);
	case IQ_PCAP_TLS:
		return feed_tls(connection, way, bytes, error);
	default:
		return 0;
	}
}

/* Until it is known what it is. */
static int hold(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes, bool is_all,
		struct iq_error *error)
{
	struct side *side = &connection->sides[way];
	struct iq_pcap_guess guess;
	struct iq_buf held;
	int rc;

	if (iq_buf_append(&side->held, bytes) < 0)
		return iq_error_nomem(error);
	guess = iq_pcap_guess(iq_buf_view(&side->held), is_all);
	if (guess.protocol == IQ_PCAP_UNKNOWN)
		return 0;
	held = side->held;
	side->held = (struct iq_buf)IQ_BUF_INIT;
	rc = begin(connection, guess.protocol, guess.speaker, way, error);
	if (rc == 0)
		rc = feed(connection, way, iq_buf_view(&held), error);
	iq_buf_release(&held);
	return rc;
}

/* A connection that began before the capture: each of the first pieces may begin something. */
static int seek(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes, struct iq_error *error)
{
	const struct iq_pcap_guess guess = iq_pcap_guess_midway(bytes);
	int rc;

	if (guess.protocol == IQ_PCAP_UNKNOWN) {
		connection->sides[way].skipped += bytes.len;
		return ++connection->tries < IQ_PCAP_MAX_TRIES
			       ? 0
			       : begin(connection, IQ_PCAP_OTHER, IQ_DIRECTION_NONE, way, error);
	}
	rc = begin(connection, guess.protocol, guess.speaker, way, error);
	return rc == 0 ? feed(connection, way, bytes, error) : rc;
}

/* What the other side says answers it: no more of it will come first. */
static int take_first(struct iq_pcap_connection *connection, unsigned way, struct iq_view bytes, struct iq_error *error)
{
	int rc;

	if (!connection->tcp->start_seen)
		return seek(connection, way, bytes, error);
	if (connection->sides[1 - way].held.len == 0)
		return hold(connection, way, bytes, false, error);
	rc = hold(connection, 1 - way, IQ_LIT(""), true, error);
	return rc == 0 ? feed(connection, way, bytes, error) : rc;
}

static int take_bytes(struct iq_pcap_connection *connection, unsigned way, const struct iq_tcp_piece *piece,
		      struct iq_error *error)
{
	struct side *side = &connection->sides[way];

	if (note_place(side, &piece->place) < 0)
		return iq_error_nomem(error);
	side->position += piece->size;
	if (connection->protocol == IQ_PCAP_UNKNOWN)
		return take_first(connection, way, piece->bytes, error);
	return feed(connection, way, piece->bytes, error);
}

/* Nothing more comes of what is held. */
static int stop_holding(struct iq_pcap_connection *connection, struct iq_error *error)
{
	int rc = 0;

	for (unsigned way = 0; way < 2 && rc == 0 && connection->protocol == IQ_PCAP_UNKNOWN; way++)
		if (connection->sides[way].held.len > 0)
			rc = hold(connection, way, IQ_LIT(""), true, error);
	return rc;
}

static int take_missing(struct iq_pcap_connection *connection, unsigned way, const struct iq_tcp_piece *piece,
			struct iq_error *error)
{
	const char *reason = piece->event == IQ_TCP_LOST ? "not in the capture" : "cut off by whoever captured";
	struct side *side = &connection->sides[way];
	int rc = stop_holding(connection, error);

	side->position += piece->size;
	side->skipped += piece->size;
	side->has_hello = true;
	return rc == 0 && connection->traffic ? miss(connection, way, piece->size, reason, error) : rc;
}

static int take_difference(struct iq_pcap_connection *connection, unsigned way, struct iq_error *error)
{
	if (!connection->traffic)
		return 0;
	return iq_traffic_doubt(connection->traffic, direction_of(connection, way),
				"sent again with other bytes: the first copy is taken", connection->now.ts, error);
}

int iq_pcap_connection_piece(struct iq_pcap_connection *connection, unsigned way, const struct iq_tcp_piece *piece,
			     struct iq_error *error)
{
	connection->now = piece->place;
	switch (piece->event) {
	case IQ_TCP_BYTES:
		return take_bytes(connection, way, piece, error);
	case IQ_TCP_LOST:
	case IQ_TCP_CUT_OFF:
		return take_missing(connection, way, piece, error);
	case IQ_TCP_DIFFERS:
		return take_difference(connection, way, error);
	case IQ_TCP_FINISHED:
		if (connection->traffic)
			return iq_traffic_shut(connection->traffic, direction_of(connection, way), piece->place.ts,
					       error);
		break;
	}
	return 0;
}

/* Nobody listened there, or somebody between did not let it through. */
static int tell_refused(struct iq_pcap_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;
	char why[80];

	(void)snprintf(why, sizeof(why), "no answer to %" PRIu64 " attempts to connect", connection->tcp->packets);
	iq_buf_clear(&connection->attrs);
	iq_attrs_text(&connection->attrs, IQ_LIT("client"), iq_view_cstr(connection->peer));
	iq_attrs_text(&connection->attrs, IQ_LIT("server"), iq_view_cstr(connection->source));
	iq_attrs_text(&connection->attrs, IQ_LIT("error"),
		      how == IQ_TCP_RESET ? IQ_LIT("connection refused") : iq_view_cstr(why));
	event.kind = IQ_KIND_NET_ERROR;
	event.type = IQ_LIT("refused");
	event.severity = IQ_SEVERITY_ERROR;
	event.direction = how == IQ_TCP_RESET ? IQ_DIRECTION_SERVER : IQ_DIRECTION_NONE;
	return give_own(connection, &event, error);
}

/* One attempt without an answer may have one that was not captured any more. */
static bool is_refused(const struct iq_pcap_connection *connection, enum iq_tcp_end how)
{
	const struct iq_tcp_connection *tcp = connection->tcp;
	const struct iq_tcp_way *server = &tcp->ways[1 - tcp->opener];

	if (!tcp->start_seen || server->has_isn)
		return false;
	return how == IQ_TCP_RESET ? tcp->reset_by != tcp->opener : !server->known && tcp->packets > 1;
}

int iq_pcap_connection_end(struct iq_pcap_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	int rc;

	connection->now = connection->tcp->last;
	rc = stop_holding(connection, error);
	if (rc == 0 && connection->protocol == IQ_PCAP_UNKNOWN)
		rc = begin(connection, is_refused(connection, how) ? IQ_PCAP_REFUSED : IQ_PCAP_OTHER, IQ_DIRECTION_NONE,
			   0, error);
	if (rc == 0 && connection->protocol == IQ_PCAP_REFUSED)
		rc = tell_refused(connection, how, error);
	else if (rc == 0 && connection->traffic)
		rc = end_traffic(connection, how, error);
	else if (rc == 0 && connection->protocol == IQ_PCAP_TLS)
		rc = end_tls(connection, how, error);
	return rc;
}

/* ---- The connection ---- */

struct iq_pcap_connection *iq_pcap_connection_new(const struct iq_tcp_connection *tcp, uint64_t number, size_t kept,
						  const struct iq_pcap_sink *sink)
{
	struct iq_pcap_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->tcp = tcp;
	connection->number = number;
	connection->kept = kept;
	connection->sink = *sink;
	return connection;
}

void iq_pcap_connection_free(struct iq_pcap_connection *connection)
{
	if (!connection)
		return;
	iq_traffic_free(connection->traffic);
	for (size_t i = 0; i < 2; i++) {
		iq_buf_release(&connection->sides[i].held);
		iq_buf_release(&connection->hellos[i]);
		free(connection->sides[i].places);
	}
	iq_buf_release(&connection->name);
	iq_buf_release(&connection->attrs);
	free(connection);
}

enum iq_pcap_protocol iq_pcap_connection_protocol(const struct iq_pcap_connection *connection)
{
	return connection->protocol;
}

const struct iq_endpoint *iq_pcap_connection_server(const struct iq_pcap_connection *connection)
{
	return &connection->tcp->ends[1 - connection->client];
}

uint64_t iq_pcap_connection_bytes(const struct iq_pcap_connection *connection, enum iq_direction side)
{
	return connection->sides[way_of(connection, side)].position;
}
