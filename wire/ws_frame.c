#include "wire/ws_frame.h"

#define FIN 0x80
#define RESERVED 0x70
#define COMPRESSED 0x40
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127

void iq_ws_reader_init(struct iq_ws_reader *reader, bool from_server)
{
	*reader = (struct iq_ws_reader){ .from_server = from_server, .limit = IQ_WS_MAX_MESSAGE };
}

void iq_ws_reader_release(struct iq_ws_reader *reader)
{
	iq_buf_release(&reader->message);
	iq_buf_release(&reader->control);
}

static int violation(struct iq_error *error, const char *what)
{
	return iq_error_set(error, IQ_ERR_FORMAT, "WebSocket protocol error: %s", what);
}

static bool is_control(uint8_t opcode)
{
	return opcode >= IQ_WS_CLOSE;
}

/* ---- Heads ---- */

/* Bytes that the head will have, as far as it is known. */
static size_t head_size(const struct iq_ws_reader *reader)
{
	size_t size = 2;

	if (reader->head_len < 2)
		return size;
	if ((reader->head[1] & LENGTH) == LENGTH_16)
		size += 2;
	else if ((reader->head[1] & LENGTH) == LENGTH_64)
		size += 8;
	return size + (reader->head[1] & MASKED ? 4 : 0);
}

static uint64_t declared_length(const struct iq_ws_reader *reader)
{
	uint8_t first = reader->head[1] & LENGTH;
	size_t bytes = first == LENGTH_16 ? 2 : first == LENGTH_64 ? 8 : 0;
	uint64_t length = 0;

	for (size_t i = 0; i < bytes; i++)
		length = length << 8 | reader->head[2 + i];
	return bytes ? length : first;
}

static int check_opcode(const struct iq_ws_reader *reader, struct iq_error *error)
{
	switch (reader->opcode) {
	case IQ_WS_CONTINUATION:
		return reader->message_opcode ? 0 : violation(error, "a continuation without a message");
	case IQ_WS_TEXT:
	case IQ_WS_BINARY:
		return reader->message_opcode ? violation(error, "a new message inside a fragmented one") : 0;
	case IQ_WS_CLOSE:
	case IQ_WS_PING:
	case IQ_WS_PONG:
		if (!reader->final)
			return violation(error, "a fragmented control frame");
		return reader->payload_len > IQ_WS_MAX_CONTROL
			       ? violation(error, "a control frame longer than 125 bytes")
			       : 0;
	default:
		return violation(error, "an unknown opcode");
	}
}

static int check_length(const struct iq_ws_reader *reader, struct iq_error *error)
{
	uint8_t form = reader->head[1] & LENGTH;

	if ((form == LENGTH_16 && reader->payload_len < LENGTH_16) ||
	    (form == LENGTH_64 && reader->payload_len <= UINT16_MAX))
		return violation(error, "a length that is not in its shortest form");
	if (reader->payload_len >> 63)
		return violation(error, "a length with its highest bit set");
	if (!is_control(reader->opcode) && reader->payload_len > reader->limit - reader->message.len)
		return iq_error_set(error, IQ_ERR_LIMIT, "a message longer than %llu bytes",
				    (unsigned long long)reader->limit);
	return 0;
}

/* Only the first frame of a message says so (RFC 7692, section 6). */
static bool begins_compressed(const struct iq_ws_reader *reader)
{
	return reader->deflates && (reader->head[0] & COMPRESSED) &&
	       (reader->opcode == IQ_WS_TEXT || reader->opcode == IQ_WS_BINARY);
}

static int begin_frame(struct iq_ws_reader *reader, struct iq_error *error)
{
	size_t size = head_size(reader);
	int rc;

	reader->final = reader->head[0] & FIN;
	reader->opcode = reader->head[0] & OPCODE;
	reader->masked = reader->head[1] & MASKED;
	reader->payload_len = reader->payload_left = declared_length(reader);
	if (reader->head[0] & RESERVED & ~(begins_compressed(reader) ? COMPRESSED : 0))
		return violation(error, "reserved bits without an extension");
	if (reader->masked == reader->from_server)
		return violation(error, reader->from_server ? "a masked frame from a server"
							    : "a frame without mask from a client");
	rc = check_opcode(reader, error);
	if (rc == 0)
		rc = check_length(reader, error);
	if (rc < 0)
		return rc;
	if (reader->masked)
		memcpy(reader->mask, reader->head + size - 4, 4);
	if (is_control(reader->opcode)) {
		iq_buf_clear(&reader->control);
	} else if (reader->opcode != IQ_WS_CONTINUATION) {
		reader->message_opcode = reader->opcode;
		reader->compressed = begins_compressed(reader);
	}
	reader->in_payload = true;
	reader->head_len = 0;
	return 0;
}

/* ---- Payloads ---- */

static int take_payload(struct iq_ws_reader *reader, struct iq_view *bytes)
{
	struct iq_buf *target = is_control(reader->opcode) ? &reader->control : &reader->message;
	size_t len = bytes->len < reader->payload_left ? bytes->len : (size_t)reader->payload_left;
	uint64_t done = reader->payload_len - reader->payload_left;
	size_t start = target->len;

	if (iq_buf_append(target, iq_view_make(bytes->data, len)) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; reader->masked && i < len; i++)
		target->data[start + i] = (char)(target->data[start + i] ^ reader->mask[(done + i) & 3]);
	reader->payload_left -= len;
	*bytes = iq_view_from(*bytes, len);
	return 0;
}

/* Codes that may stand in a close frame (section 7.4). */
static bool is_valid_code(uint16_t code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

static int read_close(struct iq_ws_message *message, struct iq_error *error)
{
	message->code = 1005;
	message->reason = IQ_VIEW_NULL;
	if (message->payload.len == 0)
		return 0;
	if (message->payload.len == 1)
		return violation(error, "a close frame of one byte");
	message->code = (uint16_t)((uint8_t)message->payload.data[0] << 8 | (uint8_t)message->payload.data[1]);
	message->reason = iq_view_from(message->payload, 2);
	if (!is_valid_code(message->code))
		return violation(error, "a close code that must not be sent");
	return iq_utf8_valid(message->reason) ? 0 : violation(error, "a close reason that is not UTF-8");
}

static int finish_message(struct iq_ws_reader *reader, struct iq_ws_message *ret_message, struct iq_error *error)
{
	struct iq_ws_message message = { .opcode = (enum iq_ws_opcode)reader->opcode, .fragments = 1 };
	int rc = 1;

	if (is_control(reader->opcode)) {
		message.payload = iq_buf_view(&reader->control);
		if (reader->opcode == IQ_WS_CLOSE)
			rc = read_close(&message, error);
	} else {
		message.opcode = (enum iq_ws_opcode)reader->message_opcode;
		message.payload = iq_buf_view(&reader->message);
		message.fragments = reader->fragments;
		message.compressed = reader->compressed;
		reader->message_opcode = 0;
		reader->fragments = 0;
		if (message.opcode == IQ_WS_TEXT && !message.compressed && !iq_utf8_valid(message.payload))
			rc = violation(error, "a text message that is not UTF-8");
	}
	if (!message.payload.data)
		message.payload = IQ_LIT("");
	*ret_message = message;
	return rc < 0 ? rc : 1;
}

/* The buffer of the last message may be used again. */
static void begin_message(struct iq_ws_reader *reader)
{
	if (reader->message_opcode == 0 && reader->message.len > 0)
		iq_buf_clear(&reader->message);
}

int iq_ws_reader_next(struct iq_ws_reader *reader, struct iq_view *bytes, struct iq_ws_message *ret_message,
		      struct iq_error *error)
{
	int rc;

	begin_message(reader);
	while (bytes->len > 0 || (reader->in_payload && reader->payload_left == 0)) {
		if (!reader->in_payload) {
			reader->head[reader->head_len++] = (uint8_t)bytes->data[0];
			*bytes = iq_view_from(*bytes, 1);
			rc = reader->head_len >= 2 && reader->head_len == head_size(reader) ? begin_frame(reader, error)
											    : 0;
			if (rc < 0)
				return rc;
			continue;
		}
		if (take_payload(reader, bytes) < 0)
			return iq_error_nomem(error);
		if (reader->payload_left > 0)
			continue;
		reader->in_payload = false;
		reader->fragments += !is_control(reader->opcode);
		if (reader->final)
			return finish_message(reader, ret_message, error);
	}
	return 0;
}

/* ---- Writing ---- */

int iq_ws_append_frame(struct iq_buf *buf, enum iq_ws_opcode opcode, struct iq_view payload, const uint8_t *mask)
{
	uint8_t bit = mask ? MASKED : 0;
	size_t start;

	(void)iq_buf_append_char(buf, (char)(FIN | (uint8_t)opcode));
	if (payload.len < LENGTH_16) {
		(void)iq_buf_append_char(buf, (char)(bit | payload.len));
	} else {
		size_t bytes = payload.len <= UINT16_MAX ? 2 : 8;

		(void)iq_buf_append_char(buf, (char)(bit | (bytes == 2 ? LENGTH_16 : LENGTH_64)));
		for (size_t i = bytes; i-- > 0;)
			(void)iq_buf_append_char(buf, (char)((uint64_t)payload.len >> (8 * i)));
	}
	if (mask)
		(void)iq_buf_append(buf, iq_view_make((const char *)mask, 4));
	start = buf->len;
	(void)iq_buf_append(buf, payload);
	if (buf->failed)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; mask && i < payload.len; i++)
		buf->data[start + i] = (char)(buf->data[start + i] ^ mask[i & 3]);
	return 0;
}
