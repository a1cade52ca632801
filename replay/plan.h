/* replay/plan.h - what a recorded session tells its replay: its turns in their order, what the client's values depend on, and what the
 * server's answers look like. Reading a plan is I/O on the store; a plan itself is plain data, which any number of replays read.
 */
#ifndef IQ_REPLAY_PLAN_H
#define IQ_REPLAY_PLAN_H

#include "event/event.h"
#include "replay/flow.h"
#include "store/store.h"

/* Of one session. */
#define IQ_PLAN_MAX_TURNS 1000000u
#define IQ_PLAN_MAX_BYTES (1ull << 30)

#define IQ_NO_TURN UINT32_MAX

/* One thing that the client or the server did. */
struct iq_turn {
	enum iq_kind kind; /* WS_OPEN, WS_MESSAGE, WS_CLOSE, HTTP_REQUEST or HTTP_RESPONSE */
	enum iq_direction direction;
	bool is_binary;
	bool is_periodic; /* a heartbeat: it is neither waited for nor missed */
	uint16_t code;	  /* of a close; the status of a response */
	uint64_t id;	  /* of its event */
	int64_t ts;
	struct iq_view
		texts[IQ_SLOT_COUNT]; /* a URL, headers as a JSON object, a body; NULL views where there are none */
	struct iq_view method;
	struct iq_view key;
	struct iq_view scope; /* what the names of the client's values begin with */
	uint32_t type;	      /* a number of the plan's types */
	uint32_t next_same;   /* the next turn of the server with this type, or IQ_NO_TURN */
	uint32_t
		answers; /* a message of the server's: how many messages the client had sent; a response: its request's turn */
	size_t uses; /* values that are not sent as they are recorded */
};

struct iq_plan {
	struct iq_arena memory;
	uint32_t session_no;
	struct iq_view name; /* what the evidence calls the session */
	struct iq_view url;  /* of its handshake; NULL where the evidence does not say */
	struct iq_view path; /* of that URL */
	struct iq_view host; /* and its host and port */
	struct iq_view subprotocol;
	struct iq_view incomplete; /* why the recording is not whole; NULL: it is */
	struct iq_map types;	   /* of server messages; the empty name stands for messages without a type */
	uint32_t *first_of_type;   /* the first turn of the server with that type, or IQ_NO_TURN */
	struct iq_turn *turns;
	uint32_t count;
	size_t capacity;
	uint32_t open;	/* the turn of the handshake, or IQ_NO_TURN */
	uint32_t close; /* the turn of the first close, or IQ_NO_TURN */
	uint32_t client_messages;
	uint32_t server_messages;
	uint32_t requests;
	int64_t started; /* the time of the first turn */
	struct iq_flow flow;
};

/* Reads a session. `others` are sessions of the same flow, from which constants are learned. IQ_ERR_NOT_FOUND, IQ_ERR_USAGE (it
 * cannot be sent again, with why), IQ_ERR_LIMIT. Caller owns; release with iq_plan_release(). */
int iq_plan_read(struct iq_store *store, uint32_t session_no, const uint32_t *others, size_t other_count,
		 struct iq_plan *ret_plan, struct iq_error *error);
/* The same, also where the client sent nothing. */
int iq_plan_read_any(struct iq_store *store, uint32_t session_no, struct iq_plan *ret_plan, struct iq_error *error);
void iq_plan_release(struct iq_plan *plan);
/* The response to the request, or IQ_NO_TURN. */
uint32_t iq_plan_response(const struct iq_plan *plan, uint32_t request);
/* The number of a type among the plan's, or UINT32_MAX. */
uint32_t iq_plan_find_type(const struct iq_plan *plan, struct iq_view type);
/* The name of a type, `a message without a type` for the empty one. */
struct iq_view iq_plan_type_name(const struct iq_plan *plan, uint32_t type);
/* Was the message sent as binary? */
bool iq_event_is_binary(const struct iq_event *event);
/* A type that dialects use to see whether the other side is there. */
bool iq_type_is_periodic(struct iq_view type);

/* Groups sessions of one flow: the same types of client messages in the same order. *ret_flows has a number for each
 * session of the store, by its index. Caller owns; release with free(). */
int iq_plan_flows(struct iq_store *store, uint32_t **ret_flows, struct iq_error *error);

#endif
