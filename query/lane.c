#include "query/lane.h"

#include <stdlib.h>
#include <string.h>

/* Columns that conditions may read. */
#define CLASS_COLUMNS (1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_DIRECTION)
#define DIRECTIONS ((size_t)IQ_DIRECTION_SERVER + 1)

static bool has_children(const struct iq_follower *follower)
{
	for (size_t i = 0; i < follower->lifecycle->names.count; i++)
		if (follower->children[i])
			return true;
	return false;
}

static bool is_key_column(const struct iq_lifecycle *lifecycle)
{
	return lifecycle->key_count == 1 && lifecycle->key[0].place == IQ_FIELD_COLUMN &&
	       lifecycle->key[0].column == IQ_COLUMN_KEY;
}

bool iq_lane_init(struct iq_follower *follower, struct iq_lane *lane)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;

	*lane = (struct iq_lane){ .follower = follower };
	if (follower->parent || has_children(follower) || follower->watches || lifecycle->unnamed_too ||
	    follower->condition_columns & ~CLASS_COLUMNS || lifecycle->rule_count > IQ_LANE_MAX_RULES ||
	    !(follower->by_session || is_key_column(lifecycle)))
		return false;
	for (size_t i = 0; i < lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];

		lane->rules[lane->rule_count++] = (struct iq_lane_rule){ iq_automaton_steps(rule->automaton),
									 rule->letters, follower->places[i] };
	}
	return true;
}

void iq_lane_release(struct iq_lane *lane)
{
	free(lane->classes);
	free(lane->tracks);
}

/* ---- Blocks ---- */

static int clear_classes(struct iq_lane *lane, const struct iq_feed *feed)
{
	lane->class_count = (feed->block->type_count + 1) * IQ_KIND_COUNT * DIRECTIONS;
	if (IQ_ARRAY_GROW(lane->classes, lane->class_capacity, lane->class_count) < 0)
		return iq_checker_nomem(feed->checker);
	memset(lane->classes, 0, lane->class_count * sizeof(*lane->classes));
	return 0;
}

static int clear_tracks(struct iq_lane *lane, const struct iq_feed *feed)
{
	const size_t keys = feed->block->key_count + 1;

	lane->keys = feed->block->keys;
	if (iq_array_grow(&lane->tracks, &lane->track_capacity, keys, sizeof(struct iq_track *)) < 0)
		return iq_checker_nomem(feed->checker);
	memset(lane->tracks, 0, keys * sizeof(struct iq_track *));
	return 0;
}

int iq_lane_enter(struct iq_lane *lane, struct iq_feed *feed)
{
	int rc = clear_classes(lane, feed);

	return rc < 0 || lane->follower->by_session ? rc : clear_tracks(lane, feed);
}

/* ---- The slow way ---- */

/* Does every rule that such an event activates know of one? */
static bool is_activated(const struct iq_follower *follower, uint32_t symbol)
{
	for (size_t i = 0; i < follower->lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &follower->lifecycle->rules[i];

		if (rule->activates && rule->activates[symbol] && !follower->activated[i])
			return false;
	}
	return true;
}

static enum iq_lane_mode mode_of(const struct iq_follower *follower, const struct iq_class *class,
				 const struct iq_event *event)
{
	const struct iq_rule *order = &follower->lifecycle->rules[0];

	if (!class->selected)
		return IQ_LANE_IGNORED;
	if (class->symbol == IQ_SYMBOL_NONE)
		return iq_follower_reads_damage(follower, event) ? IQ_LANE_SLOW : IQ_LANE_UNNAMED;
	if (order->letters[class->symbol] == IQ_LETTER_FINAL(order->automaton))
		return IQ_LANE_SLOW;
	return is_activated(follower, class->symbol) ? IQ_LANE_QUICK : IQ_LANE_UNKNOWN;
}

static int classify(struct iq_lane *lane, struct iq_feed *feed, struct iq_seen *seen, struct iq_lane_class *known)
{
	struct iq_class class;
	int rc = iq_follower_classify(feed->checker, lane->follower, seen, &class);

	if (rc == 0)
		*known = (struct iq_lane_class){ mode_of(lane->follower, &class, seen->event), class.symbol, seen->type,
						 known->count };
	return rc;
}

/* The follower takes the event, and says which track it was. */
static int take_slowly(struct iq_lane *lane, struct iq_feed *feed, uint32_t row, struct iq_lane_class *class)
{
	struct iq_follower *follower = lane->follower;
	struct iq_seen seen;
	int rc;

	iq_feed_fill(feed, row, &seen);
	follower->last = NULL;
	rc = iq_follow_one(feed->checker, follower, &seen);
	if (rc == 0 && class->mode == IQ_LANE_UNKNOWN)
		rc = classify(lane, feed, &seen, class);
	if (follower->last)
		follower->last->stretch = feed->checker->stretch;
	if (follower->last && lane->keys)
		lane->tracks[lane->keys[row]] = follower->last;
	return rc;
}

/* ---- The quick way ---- */

static struct iq_track *track_of(const struct iq_lane *lane, const struct iq_block *block, uint32_t row)
{
	const struct iq_follower *follower = lane->follower;
	uint32_t place;

	if (lane->keys)
		return lane->tracks[lane->keys[row]];
	place = follower->by_session[iq_feed_number(block, IQ_COLUMN_SESSION, row)];
	return place ? follower->tracks[place - 1] : NULL;
}

/* Moves the track's automata; false, with nothing changed, where there is more to do than that. */
static bool move(const struct iq_lane *lane, struct iq_track *track, uint32_t symbol)
{
	iq_states next[IQ_LANE_MAX_RULES];

	for (size_t i = 0; i < lane->rule_count; i++) {
		const struct iq_lane_rule *rule = &lane->rules[i];
		const iq_states states = track->states[rule->place];
		const uint32_t letter = rule->letters[symbol];

		next[i] = states;
		if (letter == IQ_SYMBOL_NONE)
			continue;
		if (states == IQ_STATES_LOST)
			return false;
		next[i] = iq_steps_next(rule->steps, states, letter);
		if (next[i] == IQ_STATES_UNKNOWN || !(rule->steps->marks[next[i]] & IQ_MARK_ON))
			return false;
	}
	for (size_t i = 0; i < lane->rule_count; i++)
		track->states[lane->rules[i].place] = next[i];
	return true;
}

static bool take_quickly(const struct iq_lane *lane, const struct iq_feed *feed, uint32_t row, uint32_t symbol)
{
	const struct iq_block *block = feed->block;
	const uint32_t source = (uint32_t)iq_feed_number(block, IQ_COLUMN_SOURCE, row);
	const uint32_t session = (uint32_t)iq_feed_number(block, IQ_COLUMN_SESSION, row);
	const int64_t ts = iq_feed_number(block, IQ_COLUMN_TS, row);
	struct iq_track *track = track_of(lane, block, row);

	if (!track || track->over || track->trace || track->stretch != feed->checker->stretch ||
	    track->last_source != source || track->stream != iq_feed_stream(session, source) ||
	    !move(lane, track, symbol))
		return false;
	track->last_id = iq_feed_id(block, row);
	if (ts != IQ_TIME_NONE)
		track->last_ts = iq_checker_aligned(feed->checker, source, ts);
	track->directions |= (uint8_t)(1u << iq_feed_number(block, IQ_COLUMN_DIRECTION, row));
	track->count++;
	return true;
}

static struct iq_lane_class *class_of(const struct iq_lane *lane, const struct iq_block *block, uint32_t row)
{
	const size_t type = (size_t)iq_feed_number(block, IQ_COLUMN_TYPE, row);
	const size_t kind = (size_t)iq_feed_number(block, IQ_COLUMN_KIND, row);

	return &lane->classes[(type * IQ_KIND_COUNT + kind) * DIRECTIONS +
			      (size_t)iq_feed_number(block, IQ_COLUMN_DIRECTION, row)];
}

/* What the lane took by itself. */
static void add_counts(struct iq_lane *lane)
{
	struct iq_follower *follower = lane->follower;

	for (size_t i = 0; i < lane->class_count; i++) {
		struct iq_lane_class *class = &lane->classes[i];

		if (class->count == 0)
			continue;
		if (class->type != IQ_SYMBOL_NONE)
			follower->type_counts[class->type] += class->count;
		if (class->mode == IQ_LANE_QUICK) {
			follower->events += class->count;
			follower->seen[class->symbol] += class->count;
		}
		class->count = 0;
	}
}

int iq_lane_take(struct iq_lane *lane, struct iq_feed *feed, const uint32_t *rows, uint64_t count)
{
	int rc = 0;

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		struct iq_lane_class *class = class_of(lane, feed->block, rows[i]);

		if (class->mode == IQ_LANE_IGNORED)
			continue;
		if (class->mode == IQ_LANE_UNNAMED ||
		    (class->mode == IQ_LANE_QUICK && take_quickly(lane, feed, rows[i], class->symbol)))
			class->count++;
		else
			rc = take_slowly(lane, feed, rows[i], class);
	}
	add_counts(lane);
	return rc;
}
