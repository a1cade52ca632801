/* query/lane.h - the quick way through a block for a lifecycle whose rules are all automata. Private to the checker.
 *
 * Most events do nothing but move the automata of an instance that is under way: the lane takes these from columns and tables, and
 * hands every other one to the follower (iq_follow_one()): the first of a kind in a block, the first of an instance in a stretch
 * between two gaps, one that comes from another stream, one that ends or breaks something. What the lane does is thus what the
 * follower would have done. Belongs, with its checker, to one thread.
 */
#ifndef IQ_QUERY_LANE_H
#define IQ_QUERY_LANE_H

#include "query/feed.h"

/* Rules of a lifecycle that has a lane. */
#define IQ_LANE_MAX_RULES 8u

/* What an event of one type, kind and direction is. */
enum iq_lane_mode {
	IQ_LANE_UNKNOWN,
	IQ_LANE_IGNORED, /* not selected */
	IQ_LANE_UNNAMED, /* counted, and nothing else */
	IQ_LANE_QUICK,
	IQ_LANE_SLOW
};

struct iq_lane_class {
	enum iq_lane_mode mode;
	uint32_t symbol;
	uint32_t type;	/* number of the checker's types */
	uint32_t count; /* of events that are not in the follower's counts yet */
};

struct iq_lane_rule {
	const struct iq_steps *steps;
	const uint32_t *letters; /* by symbol */
	size_t place;
};

struct iq_lane {
	struct iq_follower *follower;
	struct iq_lane_rule rules[IQ_LANE_MAX_RULES];
	size_t rule_count;
	struct iq_lane_class *classes; /* of the block, by type, kind and direction */
	size_t class_capacity;
	size_t class_count;
	const uint32_t *keys;	  /* of the block's rows; NULL where the session is the key */
	struct iq_track **tracks; /* by the block's keys: the last one, or NULL */
	size_t track_capacity;
};

/* Does the lifecycle have one? Fills it then. Release with iq_lane_release(). */
bool iq_lane_init(struct iq_follower *follower, struct iq_lane *lane);
void iq_lane_release(struct iq_lane *lane);
/* A new block. */
int iq_lane_enter(struct iq_lane *lane, struct iq_feed *feed);
/* Takes rows of the block among which no gap lies. */
int iq_lane_take(struct iq_lane *lane, struct iq_feed *feed, const uint32_t *rows, uint64_t count);

#endif
