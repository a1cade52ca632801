/* wire/conversation.h - one connection as a witness hears it: HTTP/1.1 in both directions, and, where it becomes a WebSocket, its messages.
 * Free of I/O: bytes of both directions in, in the order in which they went by; what was said out.
 *
 *	iq_conversation_new(&options, &conversation);
 *	iq_conversation_feed(conversation, IQ_SIDE_CLIENT, bytes, now);
 *	iq_conversation_feed(conversation, IQ_SIDE_SERVER, bytes, now);
 *	iq_conversation_end(conversation, IQ_SIDE_SERVER, NULL, now);
 *	iq_conversation_free(conversation);
 *
 * A direction that cannot be understood (any longer) becomes opaque: its bytes are counted, and said once at its end. Of a connection
 * one thread at a time.
 */
#ifndef IQ_WIRE_CONVERSATION_H
#define IQ_WIRE_CONVERSATION_H

#include "wire/http_body.h"
#include "wire/sse.h"
#include "wire/ws_decoder.h"

/* Of a request or a response that is kept; of a longer one it is the beginning. */
#define IQ_HTTP_MAX_KEPT (16u << 20)
/* Requests that wait for their response. */
#define IQ_HTTP_MAX_PENDING 256u

enum iq_side { IQ_SIDE_CLIENT, IQ_SIDE_SERVER };

enum iq_talk_kind {
	IQ_TALK_REQUEST,    /* whole, with its body */
	IQ_TALK_RESPONSE,   /* likewise; of a stream of events only its head */
	IQ_TALK_EVENT,	    /* server-sent, of the response before */
	IQ_TALK_EVENTS_END, /* the stream of them ended */
	IQ_TALK_UNANSWERED, /* the server ended without a response to `request` */
	IQ_TALK_OPEN,	    /* an upgrade that the server agreed to */
	IQ_TALK_REFUSED,    /* an upgrade that it answered otherwise */
	IQ_TALK_MESSAGE,    /* WebSocket messages and control frames */
	IQ_TALK_OPAQUE	    /* bytes that were not understood: body_len of them, and why */
};

/* One thing that was said. Everything: Borrowed until the call returns. */
struct iq_talk {
	enum iq_talk_kind kind;
	enum iq_side side; /* who said it */
	int64_t first;	   /* when its first byte came, and its last */
	int64_t last;
	uint64_t exchange;		    /* requests are numbered from 1, responses have the number of theirs */
	const struct iq_http_head *request; /* of the exchange; NULL where it was not heard */
	const struct iq_http_head *response;
	struct iq_view body; /* without its transfer coding; of a long one the beginning */
	uint64_t body_len;
	bool is_whole; /* false: the connection ended, or was not understood, within it */
	struct iq_view raw;
	uint64_t raw_len;
	uint64_t start; /* of its raw bytes, in the side's bytes */
	uint64_t end;
	const struct iq_ws_heard *heard;  /* MESSAGE */
	const struct iq_sse_event *event; /* EVENT */
	const char *problem;		  /* what is wrong with it, or NULL */
};

struct iq_conversation_options {
	int (*take)(void *context, const struct iq_talk *talk); /* returning negative ends the feeding with that */
	void *context;
	size_t kept; /* of each message, instead of IQ_HTTP_MAX_KEPT and IQ_WS_MAX_KEPT; 0: those */
};

struct iq_conversation;

/* Caller owns; release with iq_conversation_free(). NULL when memory is out. */
struct iq_conversation *iq_conversation_new(const struct iq_conversation_options *options);
void iq_conversation_free(struct iq_conversation *conversation); /* NULL allowed */
/* Bytes that one side sent. 0, IQ_ERR_NOMEM, or what `take` returned. */
int iq_conversation_feed(struct iq_conversation *conversation, enum iq_side side, struct iq_view bytes, int64_t now);
/* Bytes of one side that were not heard, perhaps none: what they belong to is not whole, and what comes is opaque, */
int iq_conversation_miss(struct iq_conversation *conversation, enum iq_side side, uint64_t bytes, int64_t now);
/* until something begins again: a message of HTTP, or a frame where both speak in frames. A window of compression is empty then. */
int iq_conversation_resume(struct iq_conversation *conversation, enum iq_side side, int64_t now);
/* The side sends no more. What it was in the middle of is told. */
int iq_conversation_end(struct iq_conversation *conversation, enum iq_side side, int64_t now);
/* Nothing more is heard, though both sides may go on. What they were in the middle of is told, requests without a response are not. */
int iq_conversation_stop(struct iq_conversation *conversation, int64_t now);
/* From here on, both sides speak in frames, though no handshake was heard: what it agreed to is not known, and may be compression. */
void iq_conversation_assume_frames(struct iq_conversation *conversation);

/* The server agreed to a WebSocket. */
bool iq_conversation_is_socket(const struct iq_conversation *conversation);
/* What the side sends cannot be understood (any longer). */
bool iq_conversation_is_opaque(const struct iq_conversation *conversation, enum iq_side side);
/* Requests that have no final response yet. */
size_t iq_conversation_pending(const struct iq_conversation *conversation);
/* A close frame of the side was heard. */
bool iq_conversation_is_closed(const struct iq_conversation *conversation, enum iq_side side);

#endif
