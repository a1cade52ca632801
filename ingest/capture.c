#include "ingest/capture.h"

#include <inquest/event.h>
#include <stdlib.h>

#include "ingest/bytes.h"

/* Packets of other sizes than this are rare enough to be damage where the file does not announce them. */
#define USUAL_SNAPLEN 262144u
#define DAY (24 * 60 * 60 * IQ_NS_PER_S)

#define FILE_HEADER 24u
#define BLOCK_MIN 12u

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 2u
#define BLOCK_SIMPLE_PACKET 3u
#define BLOCK_STATISTICS 5u
#define BLOCK_ENHANCED_PACKET 6u
#define BLOCK_SECRETS 10u

#define OPTION_TIME_RESOLUTION 9u
#define OPTION_TIME_OFFSET 14u
#define OPTION_DROPPED 5u
#define OPTION_DROPPED_BY_SYSTEM 7u

#define MICROSECONDS 6u

enum { STATE_START, STATE_PCAP, STATE_PCAPNG };

void iq_capture_init(struct iq_capture *capture)
{
	*capture = (struct iq_capture){ .held = IQ_BUF_INIT, .last = IQ_TIME_NONE };
}

void iq_capture_release(struct iq_capture *capture)
{
	iq_buf_release(&capture->held);
	free(capture->interfaces);
}

/* ---- Bytes ---- */

static size_t held_bytes(const struct iq_capture *capture)
{
	return capture->held.len - capture->done;
}

/* The next `count` bytes, where they stand if they are all there: 1; 0 while they are not, and then all of *bytes is kept. */
static int want(struct iq_capture *capture, struct iq_view *bytes, size_t count, struct iq_view *ret)
{
	const size_t held = held_bytes(capture);
	size_t missing;

	if (held == 0 && bytes->len >= count) {
		*ret = iq_view_make(bytes->data, count);
		return 1;
	}
	if (held < count) {
		iq_buf_consume(&capture->held, capture->done);
		capture->done = 0;
		missing = count - held < bytes->len ? count - held : bytes->len;
		if (iq_buf_append(&capture->held, iq_view_make(bytes->data, missing)) < 0)
			return IQ_ERR_NOMEM;
		*bytes = iq_view_from(*bytes, missing);
	}
	*ret = iq_view_make(capture->held.data + capture->done, count);
	return held_bytes(capture) >= count;
}

/* Passes over bytes that were there. */
static void take(struct iq_capture *capture, struct iq_view *bytes, size_t count)
{
	if (held_bytes(capture) > 0)
		capture->done += count;
	else
		*bytes = iq_view_from(*bytes, count);
	capture->position += count;
}

static uint16_t number16(const struct iq_capture *capture, const char *at)
{
	return capture->big ? iq_be16(at) : iq_le16(at);
}

static uint32_t number32(const struct iq_capture *capture, const char *at)
{
	return capture->big ? iq_be32(at) : iq_le32(at);
}

static uint64_t number64(const struct iq_capture *capture, const char *at)
{
	const uint64_t first = number32(capture, at), second = number32(capture, at + 4);

	return capture->big ? first << 32 | second : second << 32 | first;
}

/* The record ends behind `count` bytes. */
static int give(struct iq_capture *capture, struct iq_view *bytes, size_t count, struct iq_capture_record *record)
{
	record->offset = capture->position;
	take(capture, bytes, count);
	record->end = capture->position;
	if (record->kind == IQ_CAPTURE_PACKET && record->ts != IQ_TIME_NONE)
		capture->last = record->ts;
	return 1;
}

static void damage(struct iq_capture *capture, const char *why)
{
	capture->why = why;
	capture->damaged = capture->position;
}

/* ---- pcap ---- */

static const struct {
	uint32_t magic;
	int64_t unit;
	uint8_t head;
} magics[] = {
	{ 0xa1b2c3d4, IQ_NS_PER_US, 16 },
	{ 0xa1b23c4d, 1, 16 },
	{ 0xa1b2cd34, IQ_NS_PER_US, 24 }, /* of a Linux kernel with patches, long ago */
};

static bool read_magic(struct iq_capture *capture, const char *at)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (iq_be32(at) != magics[i].magic && iq_le32(at) != magics[i].magic)
			continue;
		capture->big = iq_be32(at) == magics[i].magic;
		capture->unit = magics[i].unit;
		capture->head = magics[i].head;
		return true;
	}
	return false;
}

static int start_pcap(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	struct iq_view header;
	int rc = want(capture, bytes, FILE_HEADER, &header);

	if (rc <= 0)
		return rc;
	capture->snaplen = number32(capture, header.data + 16);
	/* Above are the length of a checksum behind each packet, and whether it is known. */
	capture->link = number32(capture, header.data + 20) & 0xffff;
	capture->state = STATE_PCAP;
	record->kind = IQ_CAPTURE_HEADER;
	return give(capture, bytes, FILE_HEADER, record);
}

struct packet_head {
	int64_t ts;
	uint32_t captured;
	uint32_t length;
};

static bool read_packet_head(const struct iq_capture *capture, const char *at, struct packet_head *ret)
{
	const int64_t seconds = number32(capture, at), fraction = number32(capture, at + 4);

	*ret = (struct packet_head){ seconds * IQ_NS_PER_S + fraction * capture->unit, number32(capture, at + 8),
				     number32(capture, at + 12) };
	return fraction < IQ_NS_PER_S / capture->unit && ret->captured <= ret->length &&
	       ret->captured <= IQ_CAPTURE_MAX_RECORD &&
	       (ret->captured <= USUAL_SNAPLEN || ret->captured <= capture->snaplen);
}

/* So unlikely among other bytes that reading goes on there. */
static bool looks_like_packet(const struct iq_capture *capture, const char *at)
{
	struct packet_head head;

	if (!read_packet_head(capture, at, &head) || head.captured == 0 || head.length > USUAL_SNAPLEN)
		return false;
	return capture->last == IQ_TIME_NONE || (head.ts > capture->last - DAY && head.ts < capture->last + DAY);
}

static int next_pcap(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	struct packet_head head;
	struct iq_view text;
	int rc = want(capture, bytes, capture->head, &text);

	if (rc <= 0)
		return rc;
	if (!read_packet_head(capture, text.data, &head)) {
		damage(capture, "not the head of a packet");
		return 0;
	}
	rc = want(capture, bytes, capture->head + head.captured, &text);
	if (rc <= 0)
		return rc;
	record->kind = IQ_CAPTURE_PACKET;
	record->link = capture->link;
	record->ts = head.ts;
	record->bytes = iq_view_from(text, capture->head);
	record->length = head.length;
	return give(capture, bytes, text.len, record);
}

/* ---- pcapng: options ---- */

/* The value of an option of `size` bytes; NULL where there is none. */
static const char *find_option(const struct iq_capture *capture, struct iq_view options, unsigned code, size_t size)
{
	while (options.len >= 4) {
		const unsigned found = number16(capture, options.data);
		const size_t len = number16(capture, options.data + 2);

		options = iq_view_from(options, 4);
		if (found == 0 || len > options.len)
			return NULL;
		if (found == code && len == size)
			return options.data;
		options = iq_view_from(options, (len + 3) & ~(size_t)3);
	}
	return NULL;
}

/* ---- pcapng: times ---- */

/* Tens up to what still is a nanosecond. */
static int64_t power_of_ten(unsigned exponent)
{
	int64_t power = 1;

	while (exponent-- > 0)
		power *= 10;
	return power;
}

/* Units since the epoch as seconds and nanoseconds. */
static bool split_time(uint8_t resolution, uint64_t units, uint64_t *ret_seconds, uint64_t *ret_ns)
{
	const unsigned exponent = resolution & 0x7f;

	if (resolution & 0x80) {
		uint64_t fraction = exponent >= 64 ? units : units & ((UINT64_C(1) << exponent) - 1);
		const unsigned excess = exponent > 32 ? exponent - 32 : 0;

		*ret_seconds = exponent >= 64 ? 0 : units >> exponent;
		fraction = excess >= 64 ? 0 : fraction >> excess;
		*ret_ns = (fraction * (uint64_t)IQ_NS_PER_S) >> (exponent - excess);
		return true;
	}
	if (exponent > 18)
		return false;
	*ret_seconds = units / (uint64_t)power_of_ten(exponent);
	*ret_ns = units % (uint64_t)power_of_ten(exponent);
	if (exponent <= 9)
		*ret_ns *= (uint64_t)power_of_ten(9 - exponent);
	else
		*ret_ns /= (uint64_t)power_of_ten(exponent - 9);
	return true;
}

static int64_t read_time(const struct iq_capture *capture, const char *at, const struct iq_capture_interface *interface)
{
	const uint64_t units = (uint64_t)number32(capture, at) << 32 | number32(capture, at + 4);
	const int64_t most = INT64_MAX / IQ_NS_PER_S - 1;
	uint64_t seconds, ns;

	if (!split_time(interface->resolution, units, &seconds, &ns) || seconds > (uint64_t)most ||
	    interface->shift > most || interface->shift < -most || (int64_t)seconds > most - interface->shift)
		return IQ_TIME_NONE;
	return ((int64_t)seconds + interface->shift) * IQ_NS_PER_S + (int64_t)ns;
}

/* ---- pcapng: blocks ---- */

static const char *read_interface(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	struct iq_capture_interface *interface;
	const char *option;

	if (body.len < 8)
		return "an interface block that is too short";
	if (capture->interface_count == IQ_CAPTURE_MAX_INTERFACES)
		return "more than 4096 interfaces in one section";
	if (IQ_ARRAY_GROW(capture->interfaces, capture->interface_capacity, capture->interface_count + 1) < 0)
		return "memory is out";
	interface = &capture->interfaces[capture->interface_count++];
	interface->link = number16(capture, body.data);
	interface->snaplen = number32(capture, body.data + 4);
	option = find_option(capture, iq_view_from(body, 8), OPTION_TIME_RESOLUTION, 1);
	interface->resolution = option ? (uint8_t)*option : MICROSECONDS;
	option = find_option(capture, iq_view_from(body, 8), OPTION_TIME_OFFSET, 8);
	interface->shift = option ? (int64_t)number64(capture, option) : 0;
	record->kind = IQ_CAPTURE_HEADER;
	return NULL;
}

/* How a block has its packet: where its numbers stand, with the interface in 4 or 2 bytes. */
static const char *read_packet(struct iq_capture *capture, struct iq_view body, bool wide,
			       struct iq_capture_record *record)
{
	const struct iq_capture_interface *interface;
	uint32_t number, captured;

	if (body.len < 20)
		return "a packet block that is too short";
	number = wide ? number32(capture, body.data) : number16(capture, body.data);
	captured = number32(capture, body.data + 12);
	if (number >= capture->interface_count)
		return "a packet of an interface that was not described";
	if (captured > body.len - 20)
		return "a packet that is longer than its block";
	interface = &capture->interfaces[number];
	record->kind = IQ_CAPTURE_PACKET;
	record->link = interface->link;
	record->ts = read_time(capture, body.data + 4, interface);
	record->bytes = iq_view_make(body.data + 20, captured);
	record->length = number32(capture, body.data + 16);
	return NULL;
}

static const char *read_enhanced(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	return read_packet(capture, body, true, record);
}

static const char *read_obsolete(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	return read_packet(capture, body, false, record);
}

static const char *read_simple(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	const struct iq_capture_interface *interface = capture->interfaces;
	size_t captured;

	if (body.len < 4)
		return "a packet block that is too short";
	if (capture->interface_count == 0)
		return "a packet of an interface that was not described";
	record->length = number32(capture, body.data);
	captured = record->length < body.len - 4 ? (size_t)record->length : body.len - 4;
	if (interface->snaplen > 0 && captured > interface->snaplen)
		captured = interface->snaplen;
	record->kind = IQ_CAPTURE_PACKET;
	record->link = interface->link;
	record->ts = IQ_TIME_NONE;
	record->bytes = iq_view_make(body.data + 4, captured);
	return NULL;
}

static const char *read_statistics(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	static const unsigned codes[] = { OPTION_DROPPED, OPTION_DROPPED_BY_SYSTEM };

	if (body.len < 12)
		return "a statistics block that is too short";
	record->interface = number32(capture, body.data);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const char *option = find_option(capture, iq_view_from(body, 12), codes[i], 8);
		const uint64_t count = option ? number64(capture, option) : 0;

		record->dropped = count > record->dropped ? count : record->dropped;
	}
	record->kind = record->dropped > 0 ? IQ_CAPTURE_DROPPED : IQ_CAPTURE_OTHER;
	return NULL;
}

static const char *read_section(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	(void)body;
	capture->interface_count = 0;
	record->kind = IQ_CAPTURE_HEADER;
	return NULL;
}

static const char *read_secrets(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record)
{
	(void)capture;
	(void)body;
	record->kind = IQ_CAPTURE_SECRETS;
	return NULL;
}

static const struct {
	uint32_t type;
	const char *(*read)(struct iq_capture *capture, struct iq_view body, struct iq_capture_record *record);
} blocks[] = {
	{ BLOCK_ENHANCED_PACKET, read_enhanced }, { BLOCK_SECTION, read_section },
	{ BLOCK_INTERFACE, read_interface },	  { BLOCK_SIMPLE_PACKET, read_simple },
	{ BLOCK_PACKET, read_obsolete },	  { BLOCK_STATISTICS, read_statistics },
	{ BLOCK_SECRETS, read_secrets },
};

static const char *read_block(struct iq_capture *capture, struct iq_view block, struct iq_capture_record *record)
{
	const uint32_t type = number32(capture, block.data);
	const struct iq_view body = iq_view_make(block.data + 8, block.len - BLOCK_MIN);

	if (number32(capture, block.data + block.len - 4) != block.len)
		return "a block whose two lengths differ";
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (blocks[i].type == type)
			return blocks[i].read(capture, body, record);
	record->kind = IQ_CAPTURE_OTHER;
	return NULL;
}

static bool reads_order(const char *at, bool *ret_big)
{
	*ret_big = iq_be32(at) == 0x1a2b3c4d;
	return *ret_big || iq_le32(at) == 0x1a2b3c4d;
}

static bool is_length(uint32_t length)
{
	return length >= BLOCK_MIN && length <= IQ_CAPTURE_MAX_RECORD && length % 4 == 0;
}

static int next_block(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	struct iq_view block;
	uint32_t length;
	int rc = want(capture, bytes, BLOCK_MIN, &block);

	if (rc <= 0)
		return rc;
	/* A section has its own byte order, which its number does not depend on. */
	if (iq_be32(block.data) == BLOCK_SECTION && !reads_order(block.data + 8, &capture->big)) {
		damage(capture, "a section without its byte order");
		return 0;
	}
	length = number32(capture, block.data + 4);
	if (!is_length(length)) {
		damage(capture, "not the head of a block");
		return 0;
	}
	rc = want(capture, bytes, length, &block);
	if (rc <= 0)
		return rc;
	capture->why = read_block(capture, block, record);
	if (capture->why) {
		damage(capture, capture->why);
		return 0;
	}
	capture->state = STATE_PCAPNG;
	return give(capture, bytes, length, record);
}

/* ---- Damage ---- */

/* Its bytes are enough to know a packet, or a section, by. */
#define BLOCK_KNOWN_BY 28u

static bool looks_like_block(const struct iq_capture *capture, const char *at)
{
	const uint32_t length = number32(capture, at + 4);
	bool big;

	if (iq_be32(at) == BLOCK_SECTION)
		return reads_order(at + 8, &big);
	return number32(capture, at) == BLOCK_ENHANCED_PACKET && is_length(length) && length >= 32 &&
	       number32(capture, at + 8) < capture->interface_count && number32(capture, at + 20) <= length - 32;
}

/* Looks for the next record, beyond the one that was none. */
static int skip_damage(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	const bool pcap = capture->state == STATE_PCAP;
	const size_t window = pcap ? capture->head : BLOCK_KNOWN_BY;
	struct iq_view text;
	int rc;

	while ((rc = want(capture, bytes, window, &text)) > 0) {
		if (capture->position > capture->damaged &&
		    (pcap ? looks_like_packet(capture, text.data) : looks_like_block(capture, text.data))) {
			*record = (struct iq_capture_record){ .kind = IQ_CAPTURE_DAMAGE,
							      .offset = capture->damaged,
							      .end = capture->position,
							      .why = capture->why };
			capture->why = NULL;
			return 1;
		}
		take(capture, bytes, 1);
	}
	return rc;
}

static int next_start(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *record)
{
	struct iq_view magic;
	int rc = want(capture, bytes, 4, &magic);

	if (rc <= 0)
		return rc;
	if (read_magic(capture, magic.data))
		return start_pcap(capture, bytes, record);
	if (iq_be32(magic.data) == BLOCK_SECTION)
		return next_block(capture, bytes, record);
	damage(capture, "not a capture");
	return 0;
}

int iq_capture_next(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *ret_record)
{
	static int (*const readers[])(struct iq_capture * capture, struct iq_view * bytes,
				      struct iq_capture_record * record) = {
		[STATE_START] = next_start,
		[STATE_PCAP] = next_pcap,
		[STATE_PCAPNG] = next_block,
	};
	int rc;

	*ret_record = (struct iq_capture_record){ .kind = IQ_CAPTURE_OTHER };
	if (capture->why)
		return skip_damage(capture, bytes, ret_record);
	rc = readers[capture->state](capture, bytes, ret_record);
	return rc == 0 && capture->why ? skip_damage(capture, bytes, ret_record) : rc;
}

/* What is too short to be looked through. */
static int give_rest(struct iq_capture *capture, struct iq_capture_record *record)
{
	capture->position += held_bytes(capture);
	*record = (struct iq_capture_record){
		.kind = IQ_CAPTURE_DAMAGE, .offset = capture->damaged, .end = capture->position, .why = capture->why
	};
	capture->why = NULL;
	iq_buf_clear(&capture->held);
	capture->done = 0;
	return 1;
}

int iq_capture_end(struct iq_capture *capture, struct iq_capture_record *ret_record)
{
	struct iq_view none = IQ_LIT("");
	int rc = iq_capture_next(capture, &none, ret_record);

	if (rc != 0 || (held_bytes(capture) == 0 && !capture->why))
		return rc;
	/* A record that says it is longer than what is left: it is cut, or its length is wrong and others are within it. */
	if (!capture->why) {
		damage(capture, "truncated");
		rc = iq_capture_next(capture, &none, ret_record);
	}
	return rc == 0 ? give_rest(capture, ret_record) : rc;
}

bool iq_capture_probe(struct iq_view head)
{
	struct iq_capture capture = { .state = STATE_START };
	bool big;

	if (head.len >= FILE_HEADER && read_magic(&capture, head.data))
		return number16(&capture, head.data + 4) == 2;
	return head.len >= BLOCK_MIN && iq_be32(head.data) == BLOCK_SECTION && reads_order(head.data + 8, &big);
}
