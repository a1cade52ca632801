/* replay/judge.h - is what the target sends what it sent? Matches messages with the recorded turns as they come, compares them, and
 * keeps what is different. Free of I/O. Private to replay/.
 */
#ifndef IQ_REPLAY_JUDGE_H
#define IQ_REPLAY_JUDGE_H

#include "replay/plan.h"
#include "replay/replay.h"
#include "replay/shape.h"

/* How long answers took, or the like. */
struct iq_latency_log {
	int64_t *items;
	size_t count;
	size_t capacity;
};
/* One that there is no memory for is not in it. */
void iq_latency_log_add(struct iq_latency_log *log, int64_t took);

struct iq_judge {
	const struct iq_plan *plan;
	const struct iq_shape *shape;
	const struct iq_replay_options *options;
	struct iq_values *values;
	struct iq_lived *lived;
	struct iq_latency_log *latencies;
	bool *matched;		/* by turn */
	uint32_t *first_open;	/* by type: no turn before it is open */
	uint32_t *seen;		/* by type of the shape, how often it came */
	uint32_t *in_answer;	/* by type of the shape: the last answer that it was in, + 1 */
	struct iq_map answered; /* type, NUL, answer */
	uint32_t answer;	/* how many messages were sent */
	struct iq_map keys;	/* recorded key -> index in now */
	struct iq_view *now;	/* what it is now */
	size_t now_capacity;
	struct iq_map taken;   /* keys of now that stand for a recorded one */
	struct iq_map unknown; /* types that were never recorded */
	uint32_t furthest;     /* the last turn that was matched, + 1 */
	uint32_t sent_turn;    /* the last of the client's, or IQ_NO_TURN */
	bool timed;	       /* its first answer came */
	bool slow;	       /* it was told that an answer to it was slow */
	int64_t sent_at;
	bool heard; /* the last message was one that was recorded, or may have been */
	struct iq_arena memory;
};

int iq_judge_init(struct iq_judge *judge, const struct iq_plan *plan, const struct iq_shape *shape,
		  const struct iq_replay_options *options, struct iq_values *values, struct iq_lived *lived);
void iq_judge_release(struct iq_judge *judge);

/* A message came; turns before `horizon` are those that the client has seen through. `id` is the event's in the run. */
int iq_judge_message(struct iq_judge *judge, const struct iq_event *event, uint64_t id, uint32_t horizon);
/* The response to a request came. */
int iq_judge_response(struct iq_judge *judge, uint32_t turn, uint16_t status, struct iq_view headers,
		      struct iq_view body);
/* A turn of the client's was sent; it should have been at `at` (monotonic). */
void iq_judge_sent(struct iq_judge *judge, uint32_t turn, int64_t at);
bool iq_judge_is_matched(const struct iq_judge *judge, uint32_t turn);
/* Has any message come that is of the turn's type, since the client's last message before it? */
bool iq_judge_has_like(const struct iq_judge *judge, uint32_t turn);
/* The first turn of the server that nothing has come for, heartbeats aside; or IQ_NO_TURN. */
uint32_t iq_judge_first_open(const struct iq_judge *judge);
bool iq_judge_heard_something(const struct iq_judge *judge);
/* The message that should have had a value has none at that place. */
void iq_judge_unfilled(struct iq_judge *judge, const struct iq_binding *binding);
/* The target closed (or cut: 1006, `clean` false) by itself; it did not, though it had. */
void iq_judge_closed(struct iq_judge *judge, uint16_t code, bool clean);
void iq_judge_no_close(struct iq_judge *judge);
/* Everything has come: what has not, and the verdict. */
void iq_judge_end(struct iq_judge *judge);

/* A copy that is safe for a terminal, cut to `size`. */
void iq_text_copy_safe(char *out, size_t size, const char *text);

#endif
