/* replay/plan.h - what a recorded session tells its replay: what the client sent, and what the server had answered
 * before each of its messages.
 */
#ifndef IQ_REPLAY_PLAN_H
#define IQ_REPLAY_PLAN_H

#include "event/event.h"
#include "store/store.h"

/* Messages that one replay may hold. */
#define IQ_PLAN_MAX_MESSAGES 1000000u
#define IQ_PLAN_MAX_BYTES (1ull << 30)

/* So many messages of a type must have come. Types are numbers of the plan's interner. */
struct iq_plan_need {
	uint32_t type;
	uint32_t count;
};

struct iq_plan_message {
	struct iq_view body;
	bool is_binary;
	const struct iq_plan_need *needs; /* types whose count grew since the message before */
	size_t need_count;
};

struct iq_plan {
	struct iq_arena memory;
	struct iq_view session_name; /* what the evidence calls the session */
	struct iq_view path;	     /* of the recorded URL; NULL where the evidence does not say */
	struct iq_view subprotocol;
	struct iq_map types; /* of server messages; the empty name stands for messages without a type */
	struct iq_plan_message *messages;
	size_t message_count;
	size_t message_capacity;
	uint32_t last_evidence; /* where the bytes of the last message are */
	uint64_t last_offset;
	uint64_t last_length;
	int64_t last_seq;
	const struct iq_plan_need *last_needs; /* after the last client message */
	size_t last_need_count;
	uint64_t expected; /* server messages in all */
};

/* Reads a session. IQ_ERR_NOT_FOUND, IQ_ERR_USAGE (nothing was sent), IQ_ERR_LIMIT. Caller owns; release with
 * iq_plan_release(). */
int iq_plan_read(struct iq_store *store, uint32_t session_no, struct iq_plan *ret_plan, struct iq_error *error);
void iq_plan_release(struct iq_plan *plan);
/* The number of an event's type among the plan's types, adding it when it is new. 0 or IQ_ERR_NOMEM. */
int iq_plan_type(struct iq_plan *plan, struct iq_view type, uint32_t *ret_type);

#endif
