/* Orders that clocks leave open. Inside a stream its own order counts; an event of another stream comes before one only
 * where it is earlier by more than the uncertainty between the two. All orders that this admits are followed at once:
 * a place is how far each stream was taken, and the states that the rule may be in there. */
#include <stdlib.h>
#include <string.h>

#include "query/checker.h"

/* More places than this are not looked at. */
#define MAX_PLACES 20000u
/* Streams that one instance may lie in for its orders to be followed. */
#define MAX_STREAMS 8u

/* What one rule sees of a stream of the trace. */
struct lane {
	uint32_t stream;
	const struct iq_stride **strides;
	size_t count;
};

struct place {
	uint32_t taken[MAX_STREAMS];
	iq_states states;
};

struct reorder {
	const struct iq_checker *checker;
	const struct iq_rule *rule;
	struct lane lanes[MAX_STREAMS];
	size_t lane_count;
	struct iq_map places; /* struct place, in the order they were met */
};

static struct lane *lane_of(struct reorder *reorder, uint32_t stream)
{
	for (size_t i = 0; i < reorder->lane_count; i++)
		if (reorder->lanes[i].stream == stream)
			return &reorder->lanes[i];
	if (reorder->lane_count == MAX_STREAMS)
		return NULL;
	reorder->lanes[reorder->lane_count].stream = stream;
	return &reorder->lanes[reorder->lane_count++];
}

static int fill_lanes(struct reorder *reorder, const struct iq_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++) {
		const struct iq_stride *stride = &trace->strides[i];
		struct lane *lane;

		if (iq_rule_letter(reorder->rule, stride->symbol) == IQ_SYMBOL_NONE ||
		    (stride->part == IQ_PART_END && reorder->rule->kind != IQ_RULE_ORDER))
			continue;
		lane = lane_of(reorder, stride->stream);
		if (!lane)
			return IQ_ERR_LIMIT;
		if (!lane->strides)
			lane->strides = calloc(trace->count, sizeof(const struct iq_stride *));
		if (!lane->strides)
			return IQ_ERR_NOMEM;
		lane->strides[lane->count++] = stride;
	}
	return 0;
}

static int add_place(struct reorder *reorder, const struct place *place)
{
	uint32_t index;
	int rc = iq_map_intern(&reorder->places, iq_view_make((const char *)place, sizeof(*place)), &index);

	return rc < 0 ? rc : reorder->places.count > MAX_PLACES ? IQ_ERR_LIMIT : 0;
}

/* May this lane's next event come before the next ones of all others? */
static bool may_be_next(const struct reorder *reorder, const struct place *place, size_t lane)
{
	const struct iq_stride *next = reorder->lanes[lane].strides[place->taken[lane]];

	for (size_t i = 0; i < reorder->lane_count; i++) {
		const struct iq_stride *other;

		if (i == lane || place->taken[i] == reorder->lanes[i].count)
			continue;
		other = reorder->lanes[i].strides[place->taken[i]];
		if (next->ts == IQ_TIME_NONE || other->ts == IQ_TIME_NONE || other->ts >= next->ts)
			continue;
		if (next->ts - other->ts > iq_checker_uncertainty(reorder->checker, next->source, other->source))
			return false;
	}
	return true;
}

static int take_next(struct reorder *reorder, const struct place *from, size_t lane)
{
	const struct iq_stride *stride = reorder->lanes[lane].strides[from->taken[lane]];
	uint32_t letter = iq_rule_letter(reorder->rule, stride->symbol) + (stride->part == IQ_PART_END);
	struct place to = *from;
	int rc = 0;

	to.taken[lane]++;
	if (stride->dark)
		rc = iq_states_blur(reorder->rule->automaton, to.states, -1, &to.states);
	if (rc == 0)
		rc = iq_states_step(reorder->rule->automaton, to.states, letter, &to.states);
	return rc < 0 ? rc : add_place(reorder, &to);
}

static void add_facts(struct iq_states_facts *all, const struct iq_states_facts *some)
{
	all->any_alive |= some->any_alive;
	all->all_alive &= some->all_alive;
	all->any_accepts |= some->any_accepts;
	all->all_accept &= some->all_accept;
}

static int visit(struct reorder *reorder, size_t index, struct iq_states_facts *facts)
{
	struct iq_states_facts here;
	struct place place;
	bool ended = true;
	int rc = 0;

	memcpy(&place, reorder->places.entries[index].key.data, sizeof(place));
	for (size_t i = 0; i < reorder->lane_count && rc == 0; i++) {
		if (place.taken[i] == reorder->lanes[i].count)
			continue;
		ended = false;
		if (may_be_next(reorder, &place, i))
			rc = take_next(reorder, &place, i);
	}
	if (rc == 0 && ended) {
		rc = iq_states_facts(reorder->rule->automaton, place.states, &here);
		if (rc == 0)
			add_facts(facts, &here);
	}
	return rc;
}

int iq_reorder(const struct iq_checker *checker, const struct iq_rule *rule, const struct iq_trace *trace,
	       iq_states start, struct iq_states_facts *ret_facts)
{
	struct reorder reorder = { .checker = checker, .rule = rule };
	struct iq_states_facts facts = { .all_alive = true, .all_accept = true };
	struct place place;
	int rc = start == IQ_STATES_LOST ? IQ_ERR_LIMIT : fill_lanes(&reorder, trace);

	/* Places are compared byte by byte. */
	memset(&place, 0, sizeof(place));
	place.states = start;
	if (rc == 0)
		rc = add_place(&reorder, &place);
	for (size_t i = 0; i < reorder.places.count && rc == 0; i++)
		rc = visit(&reorder, i, &facts);
	for (size_t i = 0; i < reorder.lane_count; i++)
		free(reorder.lanes[i].strides);
	iq_map_release(&reorder.places);
	*ret_facts = facts;
	return rc;
}
