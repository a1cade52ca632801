#include "ingest/pcap_probe.h"

#include "ingest/bytes.h"
#include "ingest/tls_hello.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The longest text that anything is told by: `OPTIONS /`. */
#define TOLD_BY 9u

/* Bytes of a text that a frame is told by. */
#define TEXT_TOLD_BY 32u

/* RFC 9110, section 9, and RFC 5789. */
static const struct iq_view methods[] = {
	{ "GET ", 4 },	   { "POST ", 5 },  { "PUT ", 4 },     { "HEAD ", 5 },	{ "DELETE ", 7 },
	{ "OPTIONS ", 8 }, { "PATCH ", 6 }, { "CONNECT ", 8 }, { "TRACE ", 6 },
};

bool iq_pcap_begins_request(struct iq_view bytes)
{
	for (size_t i = 0; i < COUNT(methods); i++)
		if (iq_view_starts_with(bytes, methods[i]))
			return true;
	return false;
}

bool iq_pcap_begins_response(struct iq_view bytes)
{
	return iq_view_starts_with(bytes, IQ_LIT("HTTP/1."));
}

/* The whole frame at the front: its length; 0: there is none. */
static uint64_t frame_length(struct iq_view bytes, bool from_server)
{
	const uint8_t *head = (const uint8_t *)bytes.data;
	const unsigned opcode = bytes.len > 0 ? head[0] & 15u : 0;
	size_t size = 2;
	uint64_t length;

	/* The two reserved bits that no extension in use has; a mask is the client's. */
	if (bytes.len < 2 || head[0] & 0x30 || (head[1] & 0x80) == (from_server ? 0x80 : 0) ||
	    (opcode > 2 && (opcode < 8 || opcode > 10)))
		return 0;
	length = head[1] & 0x7f;
	if (opcode >= 8 && (length > 125 || !(head[0] & 0x80)))
		return 0;
	if (length == 126 && bytes.len >= 4) {
		length = iq_be16(head + 2);
		size = 4;
	} else if (length == 127 && bytes.len >= 10) {
		length = (uint64_t)iq_be32(head + 2) << 32 | iq_be32(head + 6);
		size = 10;
	} else if (length >= 126) {
		return 0;
	}
	/* In its shortest form, and no longer than any message. */
	if ((size == 4 && length < 126) || (size == 10 && (length < 65536 || length >> 40 > 0)))
		return 0;
	return length + size + (from_server ? 0 : 4);
}

/* Is what is there of a frame's payload text? Chance would have it otherwise within a few bytes. */
static bool begins_text(struct iq_view frame, bool from_server)
{
	static const char none[4];
	const uint8_t length = (uint8_t)frame.data[1] & 0x7f;
	const size_t head = length < 126 ? 2 : length == 126 ? 4 : 10;
	const char *mask = from_server ? none : frame.data + head;
	char text[TEXT_TOLD_BY];

	frame = iq_view_from(frame, head + (from_server ? 0 : 4));
	if (frame.len < TEXT_TOLD_BY)
		return false;
	for (size_t i = 0; i < TEXT_TOLD_BY; i++) {
		text[i] = (char)(frame.data[i] ^ mask[i % 4]);
		if ((uint8_t)text[i] < ' ' && text[i] != '\n' && text[i] != '\r' && text[i] != '\t')
			return false;
	}
	return iq_utf8_valid(iq_utf8_cut(iq_view_make(text, TEXT_TOLD_BY), TEXT_TOLD_BY - 3));
}

/* A text that is not compressed, from its beginning. */
static bool is_text_head(struct iq_view frame)
{
	return ((uint8_t)frame.data[0] & 0x7f) == 1;
}

bool iq_pcap_begins_frames(struct iq_view bytes, bool from_server)
{
	size_t frames = 0;

	while (bytes.len > 0) {
		const uint64_t length = frame_length(bytes, from_server);

		if (length == 0)
			return false;
		frames++;
		if (length > bytes.len)
			return frames > 2 || (is_text_head(bytes) && begins_text(bytes, from_server));
		bytes = iq_view_from(bytes, (size_t)length);
	}
	return frames > 0;
}

static bool is_tls_record(struct iq_view bytes)
{
	const uint8_t *head = (const uint8_t *)bytes.data;

	return bytes.len >= 5 && head[0] >= 20 && head[0] <= 23 && head[1] == 3 && head[2] <= 4 &&
	       iq_be16(head + 3) <= 16384 + 2048;
}

/* What is told by the same bytes wherever they stand. */
static struct iq_pcap_guess guess_text(struct iq_view bytes)
{
	if (iq_pcap_begins_request(bytes))
		return (struct iq_pcap_guess){ IQ_PCAP_HTTP, IQ_DIRECTION_CLIENT };
	if (iq_pcap_begins_response(bytes))
		return (struct iq_pcap_guess){ IQ_PCAP_HTTP, IQ_DIRECTION_SERVER };
	if (!iq_tls_probe(bytes))
		return (struct iq_pcap_guess){ IQ_PCAP_UNKNOWN, IQ_DIRECTION_NONE };
	return (struct iq_pcap_guess){ IQ_PCAP_TLS, bytes.data[5] == 1 ? IQ_DIRECTION_CLIENT : IQ_DIRECTION_SERVER };
}

struct iq_pcap_guess iq_pcap_guess(struct iq_view bytes, bool is_all)
{
	struct iq_pcap_guess guess = guess_text(bytes);

	if (guess.protocol == IQ_PCAP_UNKNOWN && (is_all || bytes.len >= TOLD_BY))
		guess.protocol = IQ_PCAP_OTHER;
	return guess;
}

struct iq_pcap_guess iq_pcap_guess_midway(struct iq_view bytes)
{
	struct iq_pcap_guess guess = guess_text(bytes);

	if (guess.protocol == IQ_PCAP_UNKNOWN && is_tls_record(bytes))
		guess.protocol = IQ_PCAP_TLS;
	for (int server = 0; server < 2 && guess.protocol == IQ_PCAP_UNKNOWN; server++)
		if (iq_pcap_begins_frames(bytes, server))
			guess = (struct iq_pcap_guess){ IQ_PCAP_FRAMES,
							server ? IQ_DIRECTION_SERVER : IQ_DIRECTION_CLIENT };
	return guess;
}
