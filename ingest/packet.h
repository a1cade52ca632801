/* ingest/packet.h - what one captured packet is: through the link layer and IP to a segment of TCP. Pure.
 *
 * Link layers are Ethernet with 802.1Q and 802.1ad tags, Linux "cooked" v1 and v2, BSD loopback, and IP alone; of IPv6 the
 * extension headers are passed over.
 */
#ifndef IQ_INGEST_PACKET_H
#define IQ_INGEST_PACKET_H

#include "base/base.h"

/* Tags and extension headers of one packet, in a row. */
#define IQ_PACKET_MAX_HEADERS 16u

#define IQ_TCP_FIN 1u
#define IQ_TCP_SYN 2u
#define IQ_TCP_RST 4u
#define IQ_TCP_ACK 16u

struct iq_endpoint {
	uint8_t family; /* 4 or 6 */
	uint8_t address[16];
	uint16_t port;
};

struct iq_segment {
	struct iq_endpoint from;
	struct iq_endpoint to;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	struct iq_view payload; /* as much as was captured. Borrowed from the packet. */
	uint64_t length;	/* on the wire */
};

/* What a packet is that is no segment of TCP: X(name, text). */
#define IQ_PACKET_KINDS(X) \
	X(TCP, "TCP") \
	X(UDP, "UDP") \
	X(ICMP, "ICMP") \
	X(ARP, "ARP") \
	X(FRAGMENT, "fragments of IP packets with TCP") \
	X(OTHER_FRAGMENT, "fragments of other IP packets") \
	X(CUT, "packets cut within their headers") \
	X(BROKEN, "packets with headers that are none") \
	X(OTHER_IP, "other IP") \
	X(OTHER_LINK, "other link protocols") \
	X(UNKNOWN_LINK, "packets of a link type that is not read")
#define IQ_PACKET_NUMBER(name, text) IQ_PACKET_##name,
enum iq_packet_kind { IQ_PACKET_KINDS(IQ_PACKET_NUMBER) IQ_PACKET_KIND_COUNT };

/* `link`: a LINKTYPE_ number. `length`: of the packet on the wire. Sets *ret where it returns TCP. */
enum iq_packet_kind iq_packet_read(uint32_t link, struct iq_view bytes, uint64_t length, struct iq_segment *ret);
/* "UDP". Static. */
const char *iq_packet_kind_text(enum iq_packet_kind kind);

/* Room for "[2001:db8:...]:65535" and the NUL. */
#define IQ_ENDPOINT_SIZE 56
/* `127.0.0.1:8000`, `[::1]:8000`. Returns ret_text. */
const char *iq_endpoint_format(const struct iq_endpoint *endpoint, char ret_text[IQ_ENDPOINT_SIZE]);

#endif
