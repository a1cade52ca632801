/* replay/session.h - one recorded session that is lived again: a state machine on an event loop. Whatever happens (an answer, a
 * timeout, the end) leads to advance(), which does what the client did next, or ends it. Private to replay/.
 *
 * A client's turn waits for the last message that the server had sent before it (heartbeats aside), and for the messages whose values
 * it brings back. What comes is matched with the recorded turns by type and key; a type whose turns before the client's next one have
 * all been matched is surplus, and no turn beyond takes it. Where fewer of a type come than did, and then nothing for IQ_QUIET_NS, those
 * that came are enough.
 */
#ifndef IQ_REPLAY_SESSION_H
#define IQ_REPLAY_SESSION_H

#include <uv.h>

#include "replay/judge.h"
#include "replay/pacer.h"
#include "replay/plan.h"
#include "replay/recorder.h"
#include "replay/replay.h"
#include "replay/shape.h"

/* After everything expected has come: wait so long for what nobody expected. */
#define IQ_SETTLE_NS (200 * IQ_NS_PER_MS)
#define IQ_QUIET_NS IQ_NS_PER_S
/* For the answer to our close frame. */
#define IQ_CLOSE_NS (3 * IQ_NS_PER_S)

/* What sessions of a run share. Must outlive them. */
struct iq_stage {
	uv_loop_t *loop;
	const struct iq_replay_options *options;
	struct iq_recorder *recorder;
	struct iq_dialects *dialects;
	struct iq_pacer *pacer;
	struct iq_latency_log *latencies;
	struct iq_latency_log *lateness; /* of what is sent at its time */
	struct iq_supplied *supplied;
	size_t supplied_count;
	int failure; /* of recording: the run cannot go on */
	struct iq_error *error;
	const char *(*target_of)(void *context, struct iq_view host); /* where requests to a host go */
	void (*ended)(void *context, struct iq_lived *lived);
	void *context;
};

struct iq_session_run;

/* Begins at once. `name` is what the run's store calls it. `ended` of the stage is called once, from the loop. Caller owns; release with
 * iq_session_run_free() when the loop has run out. */
int iq_session_run_start(struct iq_stage *stage, const struct iq_plan *plan, const struct iq_shape *shape,
			 const char *target, struct iq_lived *lived, struct iq_session_run **ret_run,
			 struct iq_error *error);
/* Cuts the connection; `ended` follows. */
void iq_session_run_stop(struct iq_session_run *run);
void iq_session_run_free(struct iq_session_run *run); /* NULL allowed */

#endif
