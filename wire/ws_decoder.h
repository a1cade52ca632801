/* wire/ws_decoder.h - WebSocket frames (RFC 6455, section 5) as a witness sees them: everything that goes by becomes messages, also what
 * breaks the protocol, which is told with the message and stops nothing. For an endpoint, which must stop, there is wire/ws_frame.h.
 * Free of I/O: the bytes of one direction in, messages out, with the same result however the bytes are cut.
 *
 *	iq_ws_decoder_init(&decoder, true, &deflate);
 *	while (iq_ws_decoder_next(&decoder, &bytes, now, &message) > 0)
 *		...
 *	iq_ws_decoder_release(&decoder);
 *
 * The raw bytes of a message are those of its frames, without control frames that stood between them. Payloads stand in them
 * unmasked, behind the head that has the mask, so that they can be read, compressed, and masked again (iq_ws_remask()).
 */
#ifndef IQ_WIRE_WS_DECODER_H
#define IQ_WIRE_WS_DECODER_H

#include "base/base.h"
#include "wire/inflate.h"

/* Bytes of a message that are kept. Of a longer one it is the beginning, with its length and hash. */
#define IQ_WS_MAX_KEPT (16u << 20)
/* Of its frames' heads. */
#define IQ_WS_MAX_HEADS (64u << 10)
/* Fragments whose lengths are kept. */
#define IQ_WS_MAX_FRAGMENTS 32u

/* What can be wrong: X(name, text). */
#define IQ_WS_PROBLEMS(X) \
	X(RESERVED, "reserved bits without an extension") \
	X(MASKED, "a masked frame from a server") \
	X(UNMASKED, "a frame without mask from a client") \
	X(OPCODE, "an unknown opcode") \
	X(NO_MESSAGE, "a continuation without a message") \
	X(UNFINISHED, "a message that another one interrupted") \
	X(CONTROL_FRAGMENT, "a fragmented control frame") \
	X(CONTROL_LENGTH, "a control frame longer than 125 bytes") \
	X(LENGTH_FORM, "a length that is not in its shortest form") \
	X(LENGTH_BIT, "a length with its highest bit set") \
	X(UTF8, "a text that is not UTF-8") \
	X(CLOSE_LENGTH, "a close frame of one byte") \
	X(CLOSE_CODE, "a close code that must not be sent") \
	X(AFTER_CLOSE, "a frame after the close frame") \
	X(DEFLATE, "compressed bytes that cannot be inflated") \
	X(DEFLATE_LIMIT, "compressed bytes that inflate too far")
#define IQ_WS_PROBLEM_NUMBER(name, text) IQ_WS_PROBLEM_NUMBER_##name,
#define IQ_WS_PROBLEM_BIT(name, text) IQ_WS_##name = 1u << IQ_WS_PROBLEM_NUMBER_##name,
enum { IQ_WS_PROBLEMS(IQ_WS_PROBLEM_NUMBER) IQ_WS_PROBLEM_COUNT };
enum iq_ws_problem { IQ_WS_PROBLEMS(IQ_WS_PROBLEM_BIT) };

/* One message, or one control frame. Views: Borrowed until the next call on the decoder, or until the bytes go. */
struct iq_ws_heard {
	uint8_t opcode;	   /* as it was sent: 0 of a continuation without a message */
	bool compressed;   /* it was, by permessage-deflate */
	bool is_binary;	   /* the payload is not valid UTF-8, or not text */
	uint32_t problems; /* bits of enum iq_ws_problem */
	uint16_t code;	   /* of a close: 1005 where none was sent */
	struct iq_view reason;
	struct iq_view payload; /* plain; of a long message its beginning; the NULL view where it cannot be inflated */
	uint64_t payload_len;	/* of all of it */
	uint64_t wire_len;	/* of what was sent for it, compressed or not */
	struct iq_view raw;	/* its frames; of a long message their beginning */
	uint64_t raw_len;
	uint64_t start; /* of its first frame, in the direction's bytes */
	uint64_t end;	/* of its last */
	uint64_t fragments;
	const uint64_t *fragment_lens;	/* of the first IQ_WS_MAX_FRAGMENTS, as they were sent */
	bool is_cut;			/* payload_len is more than what is kept: */
	uint8_t sha256[IQ_SHA256_SIZE]; /* of all of it */
	int64_t first;			/* when its first byte came */
};

/* A message that is not complete. */
struct iq_ws_part {
	struct iq_ws_heard heard;
	uint64_t fragment_lens[IQ_WS_MAX_FRAGMENTS];
	struct iq_buf raw;
	struct iq_buf plain; /* where it is not all of the raw bytes behind the first head */
	size_t plain_at;     /* there; 0: in `plain` */
	struct iq_sha256 *hash;
	bool open;
};

struct iq_ws_decoder {
	bool from_server;
	bool closed; /* a close frame came */
	bool lost;   /* a length that cannot be: frames cannot be told any more */
	struct iq_deflate deflate;
	struct iq_inflate *inflate;
	uint64_t lost_at; /* position behind its head */
	uint64_t limit;	  /* IQ_WS_MAX_KEPT unless set */
	uint64_t position;
	uint8_t head[14];
	uint8_t head_len;
	bool in_payload;
	bool final;
	uint8_t mask[4];
	bool masked;
	uint64_t payload_len;
	uint64_t payload_left;
	int64_t head_first;	 /* when the frame's first byte came */
	struct iq_ws_part *part; /* of the frame at hand */
	struct iq_ws_part message;
	struct iq_ws_part control;
};

const char *iq_ws_problem_text(enum iq_ws_problem problem);

void iq_ws_decoder_init(struct iq_ws_decoder *decoder, bool from_server, const struct iq_deflate *deflate);
void iq_ws_decoder_release(struct iq_ws_decoder *decoder);
/* Takes bytes from the front of *bytes: 1 and a message (the rest of *bytes is left for the next call), 0 when all were taken, or
 * IQ_ERR_NOMEM. `now`: when they came. */
int iq_ws_decoder_next(struct iq_ws_decoder *decoder, struct iq_view *bytes, int64_t now,
		       struct iq_ws_heard *ret_heard);
/* The direction ended within a message: 1 and what there is of it; 0: there is none. */
int iq_ws_decoder_end(struct iq_ws_decoder *decoder, struct iq_ws_heard *ret_heard);
/* Raw bytes as they went by: appended. They may be cut short. 0 or IQ_ERR_NOMEM. */
int iq_ws_remask(struct iq_view raw, struct iq_buf *buf);

#endif
