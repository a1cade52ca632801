/* wire/ws_frame.h - WebSocket frames (RFC 6455, section 5). Free of I/O: bytes in, messages out, with the same result
 * however the bytes are cut.
 */
#ifndef IQ_WIRE_WS_FRAME_H
#define IQ_WIRE_WS_FRAME_H

#include "base/base.h"

/* Bytes of one message, all of its fragments together. */
#define IQ_WS_MAX_MESSAGE (16u << 20)
#define IQ_WS_MAX_CONTROL 125

enum iq_ws_opcode {
	IQ_WS_CONTINUATION = 0,
	IQ_WS_TEXT = 1,
	IQ_WS_BINARY = 2,
	IQ_WS_CLOSE = 8,
	IQ_WS_PING = 9,
	IQ_WS_PONG = 10
};

struct iq_ws_message {
	enum iq_ws_opcode opcode; /* never CONTINUATION */
	struct iq_view payload;	  /* Borrowed until the next call on the reader. For CLOSE: code and reason together. */
	uint16_t code;		  /* CLOSE: 1005 where none was sent */
	struct iq_view reason;
	uint64_t fragments;
	bool compressed; /* as permessage-deflate does it: what it stands for is not looked at */
};

struct iq_ws_reader {
	bool from_server; /* frames of a server are not masked, those of a client are */
	bool deflates;	  /* messages may be compressed */
	bool compressed;  /* the message at hand is */
	uint64_t limit;	  /* of a message; IQ_WS_MAX_MESSAGE unless set */
	uint8_t head[14];
	size_t head_len;
	uint64_t payload_left;
	uint64_t payload_len;
	bool in_payload;
	uint8_t opcode;
	bool final;
	bool masked;
	uint8_t mask[4];
	uint8_t message_opcode; /* of the fragmented message, 0 where there is none */
	uint64_t fragments;
	struct iq_buf message;
	struct iq_buf control;
};

void iq_ws_reader_init(struct iq_ws_reader *reader, bool from_server);
void iq_ws_reader_release(struct iq_ws_reader *reader);
/* Takes bytes from the front of *bytes: 1 and a message (the rest of *bytes is left for the next call), 0 when all were
 * taken, or IQ_ERR_FORMAT (a protocol error), IQ_ERR_LIMIT, IQ_ERR_NOMEM; after an error the connection is of no more
 * use. */
int iq_ws_reader_next(struct iq_ws_reader *reader, struct iq_view *bytes, struct iq_ws_message *ret_message,
		      struct iq_error *error);

/* Appends one whole frame. `mask` (4 bytes) for a client, NULL for a server. */
int iq_ws_append_frame(struct iq_buf *buf, enum iq_ws_opcode opcode, struct iq_view payload, const uint8_t *mask);

#endif
