#include "ingest/packet.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "ingest/bytes.h"

/* LINKTYPE_ numbers; those of IP alone differ between systems. */
enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_COOKED = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_COOKED_2 = 276
};

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_VLAN = 0x8100,
	ETHER_IPV6 = 0x86dd,
	ETHER_SERVICE_VLAN = 0x88a8,
	ETHER_OLD_SERVICE_VLAN = 0x9100
};

enum {
	IP_HOP_OPTIONS = 0,
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_AUTHENTICATION = 51,
	IP_ICMP6 = 58,
	IP_DESTINATION_OPTIONS = 60,
	IP_MOBILITY = 135
};

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u

/* A packet, of which headers are taken from the front. */
struct rest {
	struct iq_view bytes; /* as much as was captured */
	uint64_t length;      /* on the wire */
};

static bool pass(struct rest *rest, size_t count)
{
	if (rest->bytes.len < count)
		return false;
	rest->bytes = iq_view_from(rest->bytes, count);
	rest->length -= count;
	return true;
}

/* What is behind is padding, or a checksum. */
static void limit(struct rest *rest, uint64_t length)
{
	if (rest->length > length)
		rest->length = length;
	if (rest->bytes.len > length)
		rest->bytes.len = (size_t)length;
}

/* ---- TCP ---- */

static enum iq_packet_kind read_tcp(struct rest rest, struct iq_segment *segment)
{
	const char *header = rest.bytes.data;
	size_t len;

	if (rest.bytes.len < TCP_HEADER)
		return IQ_PACKET_CUT;
	len = (size_t)((uint8_t)header[12] >> 4) * 4;
	if (len < TCP_HEADER || len > rest.length)
		return IQ_PACKET_BROKEN;
	segment->from.port = iq_be16(header);
	segment->to.port = iq_be16(header + 2);
	segment->seq = iq_be32(header + 4);
	segment->ack = iq_be32(header + 8);
	segment->flags = (uint8_t)header[13];
	/* Cut within the options: all that follows is missing, and known to be. */
	segment->payload = iq_view_from(rest.bytes, len);
	segment->length = rest.length - len;
	return IQ_PACKET_TCP;
}

static enum iq_packet_kind read_transport(unsigned protocol, struct rest rest, struct iq_segment *segment)
{
	switch (protocol) {
	case IP_TCP:
		return read_tcp(rest, segment);
	case IP_UDP:
		return IQ_PACKET_UDP;
	case IP_ICMP:
	case IP_ICMP6:
		return IQ_PACKET_ICMP;
	default:
		return IQ_PACKET_OTHER_IP;
	}
}

static enum iq_packet_kind fragment_of(unsigned protocol)
{
	return protocol == IP_TCP ? IQ_PACKET_FRAGMENT : IQ_PACKET_OTHER_FRAGMENT;
}

/* ---- IP ---- */

static void set_addresses(struct iq_segment *segment, uint8_t family, const char *addresses, size_t size)
{
	memset(segment, 0, sizeof(*segment));
	segment->from.family = segment->to.family = family;
	memcpy(segment->from.address, addresses, size);
	memcpy(segment->to.address, addresses + size, size);
}

static enum iq_packet_kind read_ipv4(struct rest rest, struct iq_segment *segment)
{
	const char *header = rest.bytes.data;
	size_t len, total;
	unsigned protocol;

	if (rest.bytes.len < IPV4_HEADER)
		return IQ_PACKET_CUT;
	len = ((uint8_t)header[0] & 15u) * 4;
	total = iq_be16(header + 2);
	protocol = (uint8_t)header[9];
	if ((uint8_t)header[0] >> 4 != 4 || len < IPV4_HEADER || (total > 0 && total < len))
		return IQ_PACKET_BROKEN;
	/* What the network card is to cut into packets says 0. */
	if (total > 0)
		limit(&rest, total);
	set_addresses(segment, 4, header + 12, 4);
	if ((iq_be16(header + 6) & 0x3fff) != 0)
		return fragment_of(protocol);
	return pass(&rest, len) ? read_transport(protocol, rest, segment) : IQ_PACKET_CUT;
}

/* The length of an extension header; 0: it is none. */
static size_t extension_length(unsigned type, struct iq_view header)
{
	switch (type) {
	case IP_HOP_OPTIONS:
	case IP_ROUTING:
	case IP_DESTINATION_OPTIONS:
	case IP_MOBILITY:
		return ((size_t)(uint8_t)header.data[1] + 1) * 8;
	case IP_AUTHENTICATION:
		return ((size_t)(uint8_t)header.data[1] + 2) * 4;
	case IP_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static enum iq_packet_kind read_extensions(unsigned type, struct rest rest, struct iq_segment *segment)
{
	for (size_t i = 0; i < IQ_PACKET_MAX_HEADERS; i++) {
		const size_t len = rest.bytes.len >= 8 ? extension_length(type, rest.bytes) : 0;
		unsigned next;

		if (len == 0)
			return read_transport(type, rest, segment);
		next = (uint8_t)rest.bytes.data[0];
		/* One that is all of its packet is a fragment in name alone. */
		if (type == IP_FRAGMENT && (iq_be16(rest.bytes.data + 2) & 0xfff9) != 0)
			return fragment_of(next);
		if (!pass(&rest, len))
			return IQ_PACKET_CUT;
		type = next;
	}
	return IQ_PACKET_BROKEN;
}

static enum iq_packet_kind read_ipv6(struct rest rest, struct iq_segment *segment)
{
	const char *header = rest.bytes.data;
	size_t length;

	if (rest.bytes.len < IPV6_HEADER)
		return IQ_PACKET_CUT;
	if ((uint8_t)header[0] >> 4 != 6)
		return IQ_PACKET_BROKEN;
	length = iq_be16(header + 4);
	set_addresses(segment, 6, header + 8, 16);
	(void)pass(&rest, IPV6_HEADER);
	/* A jumbogram, or what the network card is to cut, says 0. */
	if (length > 0)
		limit(&rest, length);
	return read_extensions((uint8_t)header[6], rest, segment);
}

static enum iq_packet_kind read_ip(struct rest rest, struct iq_segment *segment)
{
	if (rest.bytes.len == 0)
		return IQ_PACKET_CUT;
	return (uint8_t)rest.bytes.data[0] >> 4 == 6 ? read_ipv6(rest, segment) : read_ipv4(rest, segment);
}

/* ---- Link layers ---- */

static enum iq_packet_kind read_protocol(unsigned protocol, struct rest rest, struct iq_segment *segment)
{
	for (size_t i = 0; i < IQ_PACKET_MAX_HEADERS; i++) {
		switch (protocol) {
		case ETHER_IPV4:
			return read_ipv4(rest, segment);
		case ETHER_IPV6:
			return read_ipv6(rest, segment);
		case ETHER_ARP:
			return IQ_PACKET_ARP;
		case ETHER_VLAN:
		case ETHER_SERVICE_VLAN:
		case ETHER_OLD_SERVICE_VLAN:
			if (rest.bytes.len < 4)
				return IQ_PACKET_CUT;
			protocol = iq_be16(rest.bytes.data + 2);
			(void)pass(&rest, 4);
			break;
		default:
			return IQ_PACKET_OTHER_LINK;
		}
	}
	return IQ_PACKET_BROKEN;
}

/* Families differ between systems, and so do byte orders; the packet says itself what it is. */
static enum iq_packet_kind read_loopback(struct rest rest, struct iq_segment *segment)
{
	const unsigned version = rest.bytes.len > 0 ? (uint8_t)rest.bytes.data[0] >> 4 : 0;

	return version == 4 || version == 6 ? read_ip(rest, segment) : IQ_PACKET_OTHER_LINK;
}

/* Where each says what it has, and where that begins; -1: it is IP. */
static const struct {
	uint32_t link;
	uint8_t head;
	int8_t protocol;
	enum iq_packet_kind (*read)(struct rest rest, struct iq_segment *segment);
} links[] = {
	{ LINK_ETHERNET, 14, 12, NULL },     { LINK_COOKED, 16, 14, NULL },	   { LINK_COOKED_2, 20, 0, NULL },
	{ LINK_NULL, 4, -1, read_loopback }, { LINK_LOOP, 4, -1, read_loopback },  { LINK_RAW, 0, -1, read_ip },
	{ LINK_RAW_BSD, 0, -1, read_ip },    { LINK_RAW_OPENBSD, 0, -1, read_ip }, { LINK_IPV4, 0, -1, read_ip },
	{ LINK_IPV6, 0, -1, read_ip },
};

enum iq_packet_kind iq_packet_read(uint32_t link, struct iq_view bytes, uint64_t length, struct iq_segment *ret)
{
	struct rest rest = { bytes, length > bytes.len ? length : bytes.len };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].link != link)
			continue;
		if (!pass(&rest, links[i].head))
			return IQ_PACKET_CUT;
		return links[i].read ? links[i].read(rest, ret)
				     : read_protocol(iq_be16(bytes.data + links[i].protocol), rest, ret);
	}
	return IQ_PACKET_UNKNOWN_LINK;
}

/* ---- Names ---- */

const char *iq_packet_kind_text(enum iq_packet_kind kind)
{
#define TEXT(name, text) text,
	static const char *const texts[] = { IQ_PACKET_KINDS(TEXT) };
#undef TEXT

	return texts[kind];
}

const char *iq_endpoint_format(const struct iq_endpoint *endpoint, char ret_text[IQ_ENDPOINT_SIZE])
{
	char address[INET6_ADDRSTRLEN];
	const bool six = endpoint->family == 6;

	if (!inet_ntop(six ? AF_INET6 : AF_INET, endpoint->address, address, sizeof(address)))
		address[0] = '\0';
	(void)snprintf(ret_text, IQ_ENDPOINT_SIZE, six ? "[%s]:%u" : "%s:%u", address, (unsigned)endpoint->port);
	return ret_text;
}
