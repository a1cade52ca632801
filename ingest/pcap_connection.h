/* ingest/pcap_connection.h - what one TCP connection of a capture is, told by its first bytes, and what becomes of it: HTTP and WebSockets become
 * events (ingest/traffic.h), TLS an opaque session, of anything else the bytes are counted. Free of I/O. Private to the format.
 *
 * Life cycle: new, then its pieces in order, one end; free. Thread rule: that of the parser.
 */
#ifndef IQ_INGEST_PCAP_CONNECTION_H
#define IQ_INGEST_PCAP_CONNECTION_H

#include "ingest/ingest.h"
#include "ingest/tcp.h"

/* Places of packets that are kept of one direction, so that an event can say where its first byte is; then every second one goes. */
#define IQ_PCAP_MAX_PLACES 4096u
/* Pieces of a connection that began before the capture, in which something is looked for that begins. */
#define IQ_PCAP_MAX_TRIES 256u

enum iq_pcap_protocol {
	IQ_PCAP_UNKNOWN, /* nothing, or too little, was said */
	IQ_PCAP_HTTP,	 /* and what it is upgraded to */
	IQ_PCAP_FRAMES,	 /* a WebSocket whose handshake is not in the capture */
	IQ_PCAP_TLS,
	IQ_PCAP_REFUSED, /* nobody took the connection */
	IQ_PCAP_OTHER
};

/* Where events and gaps go. `from`: where in the capture the packet with its first byte is. */
struct iq_pcap_sink {
	int (*event)(void *context, struct iq_event *event, uint64_t from, struct iq_error *error);
	int (*gap)(void *context, struct iq_gap *gap, uint64_t from, struct iq_error *error);
	void *context;
};

struct iq_pcap_connection;

/* `number`: of the connection in the capture; `kept`: of each text. Caller owns; release with iq_pcap_connection_free(). NULL when memory is out. */
struct iq_pcap_connection *iq_pcap_connection_new(const struct iq_tcp_connection *tcp, uint64_t number, size_t kept,
						  const struct iq_pcap_sink *sink);
void iq_pcap_connection_free(struct iq_pcap_connection *connection); /* NULL allowed */
int iq_pcap_connection_piece(struct iq_pcap_connection *connection, unsigned way, const struct iq_tcp_piece *piece,
			     struct iq_error *error);
int iq_pcap_connection_end(struct iq_pcap_connection *connection, enum iq_tcp_end how, struct iq_error *error);

enum iq_pcap_protocol iq_pcap_connection_protocol(const struct iq_pcap_connection *connection);
/* Whose bytes were answered, as far as it can be told. */
const struct iq_endpoint *iq_pcap_connection_server(const struct iq_pcap_connection *connection);
/* Bytes that the client's or the server's side sent, captured or not. */
uint64_t iq_pcap_connection_bytes(const struct iq_pcap_connection *connection, enum iq_direction side);

#endif
