/* Packet captures, pcap and pcapng: the TCP connections in them (tcp.h), and what they say (pcap_connection.h).
 *
 * An event's range goes from the packet with its first byte to the one with which it was complete, and contains what lies between. Packets that
 * belong to none, as acknowledgements do, belong to the event that comes next; of many in a row, and of the last ones, an event of type
 * `capture.packets` says what they were. A capture is always taken up at its beginning: what its packets mean depends on all those before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/capture.h"
#include "ingest/formats.h"
#include "ingest/pcap_connection.h"
#include "ingest/record.h"

/* Packets in a row without an event, before they get one. */
#define MAX_UNTOLD (256u << 10)
/* Servers that are named with what was said to them and not understood; further ones are counted together. */
#define MAX_SERVERS 256u

#define FURTHER IQ_LIT("further servers")

/* Connections to one server that carried something else. */
struct server {
	uint64_t connections;
	uint64_t client_bytes;
	uint64_t server_bytes;
};

struct iq_parser {
	struct iq_output output;
	struct iq_capture capture;
	struct iq_tcp tcp;
	uint64_t told;	/* everything before belongs to something */
	uint64_t start; /* of the record at hand */
	uint64_t end;
	uint64_t untold[IQ_PACKET_KIND_COUNT]; /* packets behind `told` */
	uint64_t untold_other;		       /* and blocks that are none */
	int64_t untold_from;
	int64_t last; /* ts of the last packet */
	uint64_t unknown_links;
	uint32_t unknown_link; /* the first of them */
	struct iq_map server_index;
	struct server *servers;
	size_t server_capacity;
	struct iq_buf attrs;
	struct iq_buf body;
};

/* ---- Giving ---- */

static void forget_untold(struct iq_parser *parser)
{
	memset(parser->untold, 0, sizeof(parser->untold));
	parser->untold_other = 0;
	parser->untold_from = IQ_TIME_NONE;
	parser->told = parser->end;
}

/* What is known of the whole evidence, what the event says, and what was cut off from its body. */
static int complete_attrs(struct iq_parser *parser, struct iq_event *event)
{
	const struct iq_view known = parser->output.options.attrs, said = event->attrs;
	const size_t most = parser->output.options.max_line;

	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, known);
	if (said.len > 2)
		iq_attrs_literal(&parser->attrs, iq_view_make(said.data + 1, said.len - 2));
	if (event->body.len > most) {
		iq_attrs_number(&parser->attrs, IQ_LIT("body_bytes"), event->body.len);
		event->body = iq_view_make(event->body.data, most);
		if (!event->body_is_binary)
			event->body = iq_body_trim(event->body);
	}
	event->attrs = iq_attrs_end(&parser->attrs);
	return parser->attrs.failed ? IQ_ERR_NOMEM : 0;
}

/* The range from `from` to the end of the record at hand, and all before it that belongs to nothing. */
static uint64_t begin_range(const struct iq_parser *parser, uint64_t from)
{
	return from < parser->told ? from : parser->told;
}

static int give_event(void *context, struct iq_event *event, uint64_t from, struct iq_error *error)
{
	struct iq_parser *parser = context;

	event->offset = begin_range(parser, from);
	event->length = parser->end - event->offset;
	if (complete_attrs(parser, event) < 0)
		return iq_error_nomem(error);
	forget_untold(parser);
	return iq_output_event(&parser->output, event, error);
}

static int give_gap(void *context, struct iq_gap *gap, uint64_t from, struct iq_error *error)
{
	struct iq_parser *parser = context;

	gap->offset = begin_range(parser, from);
	gap->bytes = parser->end - gap->offset;
	forget_untold(parser);
	return parser->output.sink->gap(parser->output.sink->context, gap, error);
}

/* ---- Packets without an event ---- */

static void append_count(struct iq_buf *text, uint64_t count, const char *what)
{
	if (count > 0)
		(void)iq_buf_appendf(text, "%s%" PRIu64 " %s", text->len > 0 ? ", " : "", count, what);
}

static int tell_untold(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;

	if (parser->told == parser->end)
		return 0;
	iq_buf_clear(&parser->body);
	for (size_t i = 0; i < IQ_PACKET_KIND_COUNT; i++)
		append_count(&parser->body, parser->untold[i], iq_packet_kind_text((enum iq_packet_kind)i));
	append_count(&parser->body, parser->untold_other, "blocks without a packet");
	if (parser->body.failed)
		return iq_error_nomem(error);
	event.ts = parser->untold_from;
	event.observed = parser->last;
	event.source = parser->output.options.source;
	event.type = IQ_LIT("capture.packets");
	event.body = iq_buf_view(&parser->body);
	return give_event(parser, &event, parser->told, error);
}

/* ---- Connections ---- */

static int know_connection(struct iq_parser *parser, struct iq_tcp_connection *tcp, struct iq_error *error)
{
	const struct iq_pcap_sink sink = { give_event, give_gap, parser };

	if (!tcp->user)
		tcp->user = iq_pcap_connection_new(tcp, tcp->number, parser->output.options.max_line, &sink);
	return tcp->user ? 0 : iq_error_nomem(error);
}

static int take_piece(void *context, struct iq_tcp_connection *tcp, unsigned way, const struct iq_tcp_piece *piece,
		      struct iq_error *error)
{
	const int rc = know_connection(context, tcp, error);

	return rc == 0 ? iq_pcap_connection_piece(tcp->user, way, piece, error) : rc;
}

/* A port scan has more servers than anybody wants to read. */
static struct server *find_server(struct iq_parser *parser, const struct iq_endpoint *endpoint)
{
	char text[IQ_ENDPOINT_SIZE];
	struct iq_view name = iq_view_cstr(iq_endpoint_format(endpoint, text));
	uint32_t index;

	if (parser->server_index.count >= MAX_SERVERS && !iq_map_get(&parser->server_index, name))
		name = FURTHER;
	if (iq_map_intern(&parser->server_index, name, &index) < 0 ||
	    IQ_ARRAY_GROW(parser->servers, parser->server_capacity, index + 1u) < 0)
		return NULL;
	return &parser->servers[index];
}

static int count_other(struct iq_parser *parser, const struct iq_pcap_connection *connection, struct iq_error *error)
{
	struct server *server = find_server(parser, iq_pcap_connection_server(connection));

	if (!server)
		return iq_error_nomem(error);
	server->connections++;
	server->client_bytes += iq_pcap_connection_bytes(connection, IQ_DIRECTION_CLIENT);
	server->server_bytes += iq_pcap_connection_bytes(connection, IQ_DIRECTION_SERVER);
	return 0;
}

static int take_end(void *context, struct iq_tcp_connection *tcp, enum iq_tcp_end how, struct iq_error *error)
{
	struct iq_parser *parser = context;
	int rc = know_connection(parser, tcp, error);

	if (rc < 0)
		return rc;
	/* That it was still open is seen at the end of the capture. */
	if (how == IQ_TCP_OPEN)
		tcp->last.offset = parser->start;
	rc = iq_pcap_connection_end(tcp->user, how, error);
	if (rc == 0 && iq_pcap_connection_protocol(tcp->user) == IQ_PCAP_OTHER)
		rc = count_other(parser, tcp->user, error);
	iq_pcap_connection_free(tcp->user);
	tcp->user = NULL;
	return rc;
}

static void forget(struct iq_tcp_connection *tcp)
{
	iq_pcap_connection_free(tcp->user);
}

static int tell_server(struct iq_parser *parser, struct iq_view name, const struct server *server,
		       struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf attrs = IQ_BUF_INIT;
	int rc;

	iq_buf_clear(&parser->body);
	(void)iq_buf_appendf(&parser->body,
			     "other TCP to %.*s: %" PRIu64 " connection%s, %" PRIu64 " bytes from clients, %" PRIu64
			     " from servers",
			     IQ_VIEW_ARG(name), server->connections, server->connections == 1 ? "" : "s",
			     server->client_bytes, server->server_bytes);
	iq_attrs_text(&attrs, IQ_LIT("server"), name);
	iq_attrs_number(&attrs, IQ_LIT("connections"), server->connections);
	iq_attrs_number(&attrs, IQ_LIT("client_bytes"), server->client_bytes);
	iq_attrs_number(&attrs, IQ_LIT("server_bytes"), server->server_bytes);
	event.ts = parser->last;
	event.source = parser->output.options.source;
	event.type = IQ_LIT("capture.tcp");
	event.body = iq_buf_view(&parser->body);
	event.attrs = iq_attrs_end(&attrs);
	rc = attrs.failed || parser->body.failed ? iq_error_nomem(error)
						 : give_event(parser, &event, parser->start, error);
	iq_buf_release(&attrs);
	return rc;
}

/* ---- Records ---- */

static int take_packet(struct iq_parser *parser, const struct iq_capture_record *record, struct iq_error *error)
{
	const struct iq_tcp_place place = { record->ts, record->offset };
	struct iq_segment segment;
	const enum iq_packet_kind kind = iq_packet_read(record->link, record->bytes, record->length, &segment);
	struct iq_gap gap = IQ_GAP_INIT;

	if (record->ts != IQ_TIME_NONE)
		parser->last = record->ts;
	if (parser->untold_from == IQ_TIME_NONE)
		parser->untold_from = record->ts;
	parser->untold[kind]++;
	if (kind == IQ_PACKET_UNKNOWN_LINK && parser->unknown_links++ == 0)
		parser->unknown_link = record->link;
	if (kind == IQ_PACKET_TCP)
		return iq_tcp_take(&parser->tcp, &segment, &place, error);
	if (kind != IQ_PACKET_FRAGMENT)
		return 0;
	/* Whose it is only its first part says. */
	gap.ts_min = gap.ts_max = record->ts;
	gap.reason = IQ_LIT("a fragment of an IP packet with TCP, which is not put together");
	return give_gap(parser, &gap, record->offset, error);
}

static int take_dropped(struct iq_parser *parser, const struct iq_capture_record *record, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	char reason[120];

	(void)snprintf(reason, sizeof(reason), "%" PRIu64 " packet%s dropped by whoever captured, on interface %u",
		       record->dropped, record->dropped == 1 ? "" : "s", record->interface);
	gap.ts_max = parser->last;
	gap.reason = iq_view_cstr(reason);
	return give_gap(parser, &gap, record->offset, error);
}

static int take_damage(struct iq_parser *parser, const struct iq_capture_record *record, struct iq_error *error)
{
	int rc = tell_untold(parser, error);

	parser->end = record->end;
	forget_untold(parser);
	return rc == 0 ? iq_output_damage(&parser->output, record->offset, record->end - record->offset, error,
					  "byte %" PRIu64 ": %s", record->offset, record->why)
		       : rc;
}

static int take_record(struct iq_parser *parser, const struct iq_capture_record *record, struct iq_error *error)
{
	if (record->kind == IQ_CAPTURE_DAMAGE)
		return take_damage(parser, record, error);
	parser->start = record->offset;
	parser->end = record->end;
	if (record->kind == IQ_CAPTURE_PACKET)
		return take_packet(parser, record, error);
	parser->untold_other++;
	return record->kind == IQ_CAPTURE_DROPPED ? take_dropped(parser, record, error) : 0;
}

static int feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	struct iq_capture_record record;
	int rc;

	while ((rc = iq_capture_next(&parser->capture, &bytes, &record)) > 0) {
		rc = take_record(parser, &record, error);
		if (rc == 0 && parser->end - parser->told > MAX_UNTOLD)
			rc = tell_untold(parser, error);
		if (rc < 0)
			return rc;
	}
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : rc;
}

static struct iq_restart restart(const struct iq_parser *parser)
{
	(void)parser;
	return (struct iq_restart){ 0, 0 };
}

/* ---- The end ---- */

static int tell_servers(struct iq_parser *parser, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < parser->server_index.count && rc == 0; i++)
		rc = tell_server(parser, parser->server_index.entries[i].key, &parser->servers[i], error);
	return rc;
}

static void tell_unknown_links(const struct iq_parser *parser)
{
	if (parser->unknown_links > 0)
		iq_output_problem(&parser->output,
				  "%" PRIu64 " packet%s of link type %u, which is not read: capture on an Ethernet or "
				  "loopback interface, or on `any`",
				  parser->unknown_links, parser->unknown_links == 1 ? "" : "s", parser->unknown_link);
}

static int end(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_capture_record record;
	int rc;

	while ((rc = iq_capture_end(&parser->capture, &record)) > 0)
		if ((rc = take_record(parser, &record, error)) < 0)
			return rc;
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	rc = iq_tcp_end(&parser->tcp, error);
	if (rc == 0)
		rc = tell_servers(parser, error);
	if (rc == 0)
		rc = tell_untold(parser, error);
	tell_unknown_links(parser);
	return rc;
}

/* ---- The format ---- */

static void close_parser(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_tcp_release(&parser->tcp);
	iq_capture_release(&parser->capture);
	iq_map_release(&parser->server_index);
	free(parser->servers);
	iq_buf_release(&parser->attrs);
	iq_buf_release(&parser->body);
	free(parser);
}

static struct iq_parser *open_parser(const struct iq_format *format, const struct iq_parser_options *options,
				     const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));
	const struct iq_tcp_sink tcp = { take_piece, take_end, forget, parser };

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	parser->server_index = (struct iq_map)IQ_MAP_INIT;
	parser->untold_from = parser->last = IQ_TIME_NONE;
	iq_capture_init(&parser->capture);
	iq_tcp_init(&parser->tcp, &tcp);
	return parser;
}

static int probe(struct iq_view head)
{
	return iq_capture_probe(head) ? 100 : 0;
}

const struct iq_format iq_format_pcap = {
	.name = "pcap",
	.summary = "packet captures of tcpdump, Wireshark and others: pcap and pcapng",
	.probe = probe,
	.open = open_parser,
	.feed = feed,
	.restart = restart,
	.end = end,
	.close = close_parser,
};
