/* replay/fleet.h - what the parts of a replay share. Private to replay/.
 */
#ifndef IQ_REPLAY_FLEET_H
#define IQ_REPLAY_FLEET_H

#include "replay/session.h"

/* Other sessions of a flow from which its shape is learned. */
#define IQ_REPLAY_MAX_OTHERS 32u

struct iq_replay {
	struct iq_replay_options options;
	struct iq_plan *plans;
	size_t plan_count;
	size_t plan_capacity;
	uint32_t *flows; /* of each plan, which shape it has */
	size_t flow_capacity;
	struct iq_shape *shapes; /* by flow; those that no plan has are empty */
	size_t shape_count;
	struct iq_supplied *supplied;
	struct iq_lived *lived; /* all plans, as often as they are repeated */
	size_t lived_count;
	size_t left_out;
	struct iq_latency_log latencies;
	struct iq_latency_log lateness;
	struct iq_arena memory;
};

/* Where what went to this host is sent now; NULL: nowhere. */
const char *iq_replay_target_of(const struct iq_replay *replay, struct iq_view host);
/* Does a target stand for this host in particular? */
bool iq_replay_names_host(const struct iq_replay *replay, struct iq_view host);
/* Nothing is known of the n-th session any more. */
void iq_replay_forget(struct iq_replay *replay, size_t index);

#endif
