/* event/dialect.h - dialects: what a message is called, and which id it carries.
 *
 * A dialect is one file dialect_x.c that exports one `const struct iq_dialect`: pure functions over the bytes of one message.
 * Which dialect a session speaks is told by its handshake (subprotocol, URL); where that says nothing, by the messages
 * themselves: each dialect is sure of some. A message that the session's dialect cannot read is read as plain JSON. Type and key are all that
 * depends on it, and that a frame which holds several messages becomes several events; see docs/dialects.md.
 */
#ifndef IQ_EVENT_DIALECT_H
#define IQ_EVENT_DIALECT_H

#include <inquest/event.h>

#include "base/base.h"

struct iq_sink;

/* What is remembered of messages (which method a request called, which dialect a session without a handshake speaks) is
 * remembered for so many bytes of the evidence. With that, it is the same whether an evidence is read in one go or taken
 * up that far back; see docs/design/0017-dialects.md. */
#define IQ_DIALECT_WINDOW (16u << 20)
/* No more than twice that is remembered at a time; what is older goes first. */
#define IQ_DIALECT_MEMORY 32768u
#define IQ_DIALECT_MEMORY_BYTES (4u << 20)
/* A frame that holds more messages is cut into so many events, the last of which has the rest. */
#define IQ_DIALECT_MESSAGES 4096u

struct iq_dialect;
struct iq_dialects;

/* All dialects but plain JSON, in the order in which they are asked: X(identifier, name). */
#define IQ_DIALECTS(X) \
	X(socket_io, "socket.io") \
	X(signalr, "signalr") \
	X(phoenix, "phoenix") \
	X(json_rpc, "json-rpc") \
	X(graphql, "graphql-transport-ws") \
	X(openai, "openai-realtime") \
	X(ag_ui, "ag-ui")
#define IQ_DIALECT_OR_NAME(id, name) "|" name
/* `json|socket.io|...` */
#define IQ_DIALECT_NAMES "json" IQ_DIALECTS(IQ_DIALECT_OR_NAME)

/* What is known of the sessions of a run. `name` is the dialect that all of them speak; NULL: it is detected. One thread at a time.
 * Caller owns; release with iq_dialects_free(). NULL when memory is out, or for a name that does not exist. */
struct iq_dialects *iq_dialects_new(const char *name);
void iq_dialects_free(struct iq_dialects *dialects); /* NULL allowed */
/* An evidence begins: what was remembered of messages is forgotten. */
void iq_dialects_begin(struct iq_dialects *dialects);
/* Where what is remembered at `position` begins: an evidence that is taken up there, or before, is read the same way.
 * `position` itself where nothing is remembered. */
uint64_t iq_dialects_place(const struct iq_dialects *dialects, uint64_t position);

/* Sets type and key of a message or a log line, where they are NULL. Of handshakes, which are in the attrs of a ws.open, and ends of
 * sessions it only takes notice; they may come from a store that has them. Texts: Borrowed until the next call.
 * 0 or IQ_ERR_NOMEM. */
int iq_dialects_describe(struct iq_dialects *dialects, struct iq_event *event);
/* Describes the event and gives it to the sink; a frame of several messages as several events, whose bodies
 * make up the frame's (but for the brackets and commas of a batch, whose messages are numbered) and whose range is the frame's. 0, or negative from the sink. */
int iq_dialects_take(struct iq_dialects *dialects, struct iq_event *event, const struct iq_sink *sink,
		     struct iq_error *error);

/* What a JSON Pointer finds in the body of a message: in its JSON as it is, else in that of the message without the dialect's framing
 * (`42["join",{...}]` has an array), else in what the message carries (the event's first argument, `payload`, `params`, `result`). Which
 * dialect it is is told from the message alone. As iq_json_pointer() otherwise; see docs/design/0022-pointers-into-payloads.md. */
struct iq_json_value iq_dialect_pointer(struct iq_view body, struct iq_view pointer, struct iq_buf *scratch);
/* What the message carries, one JSON object; the NULL view where that is nothing else than the message itself. */
struct iq_view iq_dialect_payload(struct iq_view body);

#endif
