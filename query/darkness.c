#include "query/checker.h"

#include <stdlib.h>
#include <string.h>

#include "query/gap.h"

#define NO_GAP SIZE_MAX

static struct iq_view number_key(const uint64_t *number)
{
	return iq_view_make((const char *)number, sizeof(*number));
}

/* The narrowest thing that a gap names: its session, else its source, else its evidence. The first two may go on in other
 * evidence. */
enum scope { SCOPE_SESSION = 1, SCOPE_SOURCE, SCOPE_EVIDENCE };

static uint64_t scope_key(enum scope scope, uint32_t number)
{
	return (uint64_t)scope << 32 | number;
}

static uint32_t session_number(struct iq_view session)
{
	int64_t number;

	return session.len > 1 && iq_view_to_int64(iq_view_from(session, 1), &number) ? (uint32_t)number : 0;
}

static enum scope gap_scope(const struct iq_gap *gap)
{
	return gap->session.data ? SCOPE_SESSION : gap->source.data ? SCOPE_SOURCE : SCOPE_EVIDENCE;
}

static uint32_t gap_number(const struct iq_checker *checker, const struct iq_gap *gap)
{
	return gap->session.data ? session_number(gap->session) : iq_checker_source(checker, gap->source);
}

static bool gap_touches(const struct iq_checker *checker, const struct iq_track *track, const struct iq_gap *gap)
{
	if (gap->count == 0) /* bytes, but no event */
		return false;
	if (gap->direction != IQ_DIRECTION_NONE && !(track->directions & 1u << gap->direction))
		return false;
	if (gap->session.data)
		return iq_numbers_has(&track->sessions, session_number(gap->session));
	return !gap->source.data || iq_numbers_has(&track->sources, iq_checker_source(checker, gap->source));
}

static int64_t events_in(const struct iq_gap *gap)
{
	return gap->count == IQ_NUMBER_NONE ? -1 : gap->count;
}

static int64_t add_lost(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a > INT64_MAX - b ? -1 : a + b;
}

static int blur(const struct iq_rule *rule, iq_states *states, int64_t lost)
{
	int rc = *states == IQ_STATES_LOST ? 0 : iq_states_blur(rule->automaton, *states, lost, states);

	if (rc != IQ_ERR_LIMIT)
		return rc;
	*states = IQ_STATES_LOST;
	return 0;
}

/* Of what is nested one event may be the first and the last. */
int64_t iq_darkness_letters(const struct iq_follower *follower, int64_t lost)
{
	return follower->nests && lost > 0 && lost <= INT64_MAX / 2 ? lost * 2 : lost;
}

int iq_darkness_admit(const struct iq_follower *follower, struct iq_track *track, iq_states states)
{
	int rc = track->states[0] == IQ_STATES_LOST ? 0
						    : iq_states_union(follower->lifecycle->rules[0].automaton,
								      track->states[0], states, &track->states[0]);

	if (rc != IQ_ERR_LIMIT)
		return rc;
	track->states[0] = IQ_STATES_LOST;
	return 0;
}

int iq_darkness_end(const struct iq_follower *follower, struct iq_track *track, const struct iq_track *child)
{
	const struct iq_rule *order = &follower->lifecycle->rules[0];
	iq_states ended = track->states[0];
	int rc = ended == IQ_STATES_LOST
			 ? 0
			 : iq_states_step(order->automaton, ended, iq_rule_letter(order, child->symbol) + 1, &ended);

	if (rc == 0 && ended != IQ_STATES_LOST)
		return iq_darkness_admit(follower, track, ended);
	track->states[0] = IQ_STATES_LOST;
	return rc == IQ_ERR_LIMIT ? 0 : rc;
}

int iq_darkness_blur(const struct iq_follower *follower, struct iq_track *track, int64_t lost)
{
	int rc = 0;

	for (const struct iq_track *child = track->children; child && rc == 0; child = child->sibling)
		rc = iq_darkness_end(follower, track, child);
	lost = iq_darkness_letters(follower, lost);
	for (size_t i = 0; i < follower->lifecycle->rule_count && rc == 0; i++)
		if (follower->lifecycle->rules[i].automaton)
			rc = blur(&follower->lifecycle->rules[i], &track->states[follower->places[i]], lost);
	return rc;
}

int iq_darkness_fall(struct iq_follower *follower, struct iq_track *track, const struct iq_gap *gap, int64_t lost)
{
	struct iq_shade *shade = iq_track_shade(track);

	if (!shade)
		return IQ_ERR_NOMEM;
	shade->lost = track->dark ? add_lost(shade->lost, lost) : lost;
	track->dark = true;
	if (!shade->gap)
		shade->gap = gap;
	/* What was complete stays so; whatever the gap held would begin anew. */
	if (track->over || track->malformed)
		return 0;
	track->dim = true;
	iq_watch_darken(follower, track);
	return iq_darkness_blur(follower, track, lost);
}

static int note_darkness(struct iq_checker *checker, struct iq_view key, const struct iq_gap *gap)
{
	uint32_t index;
	int rc = iq_map_intern(&checker->dark, key, &index);

	if (rc < 0)
		return rc;
	checker->darkness[index].lost = add_lost(checker->darkness[index].lost, events_in(gap));
	checker->darkness[index].gap = gap;
	return 0;
}

static bool may_hold_of(const struct iq_checker *checker, const struct iq_gap *gap, const struct iq_track *track)
{
	const size_t count = iq_numbers_count(&track->sessions);

	for (size_t i = 0; i < count; i++) {
		const struct iq_session *session = iq_checker_session(checker, iq_numbers_at(&track->sessions, i));

		if (session && iq_gap_touches_session(checker->store, gap, session))
			return true;
	}
	return count == 0;
}

static int touch(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
		 const struct iq_gap *gap)
{
	struct iq_shade *shade;

	if (may_hold_of(checker, gap, track))
		return iq_darkness_fall(follower, track, gap, events_in(gap));
	shade = iq_track_shade(track);
	if (!shade)
		return IQ_ERR_NOMEM;
	shade->held_lost = shade->held ? add_lost(shade->held_lost, events_in(gap)) : events_in(gap);
	shade->held = gap;
	return 0;
}

/* In its own evidence the numbers of the events say which instances a gap touches, when they get there or end; in others,
 * time does. */
static int apply_gap(struct iq_checker *checker, const struct iq_gap *gap)
{
	enum scope scope = gap_scope(gap);
	uint64_t key = scope_key(scope, gap_number(checker, gap));

	if (scope == SCOPE_EVIDENCE)
		return 0;
	if (gap->count != 0 && note_darkness(checker, number_key(&key), gap) < 0)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < checker->follower_count; i++) {
		struct iq_follower *follower = &checker->followers[i];

		for (size_t j = 0; j < follower->count; j++) {
			struct iq_track *track = follower->tracks[j];

			if (!iq_track_reach(track, gap->evidence) && gap_touches(checker, track, gap) &&
			    touch(checker, follower, track, gap) < 0)
				return iq_checker_nomem(checker);
		}
	}
	return 0;
}

/* The event that came after it in its evidence, or what no event's number reaches. */
static uint64_t event_after(const struct iq_gap *gap)
{
	return gap->before ? gap->before : UINT64_MAX;
}

/* The first gap of the evidence that lies after the event, in the order of by_place. */
static size_t first_gap_after(const struct iq_checker *checker, uint32_t evidence, uint64_t id)
{
	size_t low = 0, high = checker->gap_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct iq_gap *gap = checker->by_place[middle];

		if (gap->evidence < evidence || (gap->evidence == evidence && event_after(gap) <= id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Lets the track meet the gaps of one of its evidences up to an event. */
static int meet_gaps(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
		     struct iq_reach *reach, uint64_t id)
{
	for (; reach->next_gap < checker->gap_count; reach->next_gap++) {
		const struct iq_gap *gap = checker->by_place[reach->next_gap];

		if (gap->evidence != reach->evidence || event_after(gap) > id)
			break;
		if (gap_touches(checker, track, gap) && touch(checker, follower, track, gap) < 0)
			return iq_checker_nomem(checker);
	}
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct iq_gap *x = *(const struct iq_gap *const *)a, *y = *(const struct iq_gap *const *)b;
	uint64_t left = x->evidence != y->evidence ? x->evidence : event_after(x);
	uint64_t right = x->evidence != y->evidence ? y->evidence : event_after(y);

	return (left > right) - (left < right);
}

static int compare_after(const void *a, const void *b)
{
	const struct iq_gap *x = *(const struct iq_gap *const *)a, *y = *(const struct iq_gap *const *)b;

	return x->after != y->after ? (x->after > y->after) - (x->after < y->after) : (x > y) - (x < y);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A gap is met by what comes behind the event before it, and by what comes from the event after it on. */
static int list_cuts(struct iq_checker *checker)
{
	checker->cuts = calloc(2 * checker->gap_count + 1, sizeof(*checker->cuts));
	if (!checker->cuts)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < checker->gap_count; i++) {
		checker->cuts[2 * i] = checker->gaps[i].after + 1;
		checker->cuts[2 * i + 1] = event_after(&checker->gaps[i]);
	}
	qsort(checker->cuts, 2 * checker->gap_count, sizeof(*checker->cuts), compare_ids);
	return 0;
}

/* Links the gaps to the events that they follow. */
int iq_darkness_init(struct iq_checker *checker)
{
	checker->gaps = iq_store_gaps(checker->store, &checker->gap_count);
	checker->next_gap = calloc(checker->gap_count + 1, sizeof(*checker->next_gap));
	checker->darkness = calloc(checker->gap_count + 1, sizeof(*checker->darkness));
	checker->by_place = calloc(checker->gap_count + 1, sizeof(struct iq_gap *));
	checker->by_after = calloc(checker->gap_count + 1, sizeof(struct iq_gap *));
	if (!checker->next_gap || !checker->darkness || !checker->by_place || !checker->by_after)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < checker->gap_count; i++)
		checker->by_place[i] = checker->by_after[i] = &checker->gaps[i];
	if (checker->gap_count > 0) {
		qsort(checker->by_place, checker->gap_count, sizeof(struct iq_gap *), compare_places);
		qsort(checker->by_after, checker->gap_count, sizeof(struct iq_gap *), compare_after);
	}
	for (size_t i = checker->gap_count; i-- > 0;) {
		const uint64_t *first = iq_map_get(&checker->gaps_after, number_key(&checker->gaps[i].after));

		checker->next_gap[i] = first ? (size_t)*first : NO_GAP;
		if (iq_map_set(&checker->gaps_after, number_key(&checker->gaps[i].after), i) < 0)
			return iq_checker_nomem(checker);
	}
	return list_cuts(checker);
}

uint64_t iq_darkness_cut(struct iq_checker *checker, uint64_t id)
{
	while (checker->next_cut < 2 * checker->gap_count && checker->cuts[checker->next_cut] <= id)
		checker->next_cut++;
	return checker->next_cut < 2 * checker->gap_count ? checker->cuts[checker->next_cut] : UINT64_MAX;
}

int iq_darkness_after(struct iq_checker *checker, uint64_t id)
{
	const uint64_t *first = checker->gap_count ? iq_map_get(&checker->gaps_after, number_key(&id)) : NULL;
	int rc = 0;

	for (size_t i = first ? (size_t)*first : NO_GAP; i != NO_GAP && rc == 0; i = checker->next_gap[i])
		rc = apply_gap(checker, &checker->gaps[i]);
	return rc;
}

int iq_darkness_up_to(struct iq_checker *checker, uint64_t id)
{
	int rc = 0;

	for (; checker->next_after < checker->gap_count && rc == 0; checker->next_after++) {
		const struct iq_gap *gap = checker->by_after[checker->next_after];

		if (gap->after >= id)
			break;
		rc = apply_gap(checker, gap);
	}
	return rc;
}

/* What gaps of the event's own evidence may have held of its session before it. */
static struct iq_darkness darkness_in_evidence(struct iq_checker *checker, const struct iq_event *event,
					       const struct iq_session *session)
{
	struct iq_darkness before = { NULL, 0 };

	for (size_t i = first_gap_after(checker, event->evidence, event->id); i-- > 0 && before.lost >= 0;) {
		const struct iq_gap *gap = checker->by_place[i];

		if (gap->evidence != event->evidence ||
		    (session && session->start_seen && event_after(gap) <= session->first_event))
			break;
		if (gap->count == 0 || (gap->session.data && session_number(gap->session) != event->session_no) ||
		    (gap->source.data && !iq_view_eq(gap->source, event->source)))
			continue;
		before.gap = gap;
		before.lost = add_lost(before.lost, events_in(gap));
	}
	return before;
}

/* The gaps, if any, in which the beginning of something in this event's stream may lie. */
struct iq_darkness iq_darkness_before(struct iq_checker *checker, const struct iq_seen *seen)
{
	const struct iq_event *event = seen->event;
	const struct iq_session *session = iq_checker_session(checker, event->session_no);
	struct iq_darkness before = darkness_in_evidence(checker, event, session);
	const uint64_t keys[] = {
		scope_key(SCOPE_SESSION, event->session_no),
		scope_key(SCOPE_SOURCE, seen->source),
	};

	for (size_t i = 0; i < 2 && checker->dark.count; i++) {
		const uint64_t *index = iq_map_get(&checker->dark, number_key(&keys[i]));
		const struct iq_darkness *other = index ? &checker->darkness[*index] : NULL;

		if (!other || other->gap->evidence == event->evidence ||
		    (session && !iq_gap_touches_session(checker->store, other->gap, session)))
			continue;
		before.gap = before.gap ? before.gap : other->gap;
		before.lost = add_lost(before.lost, other->lost);
	}
	return before;
}

int iq_darkness_enter(struct iq_checker *checker, struct iq_track *track, const struct iq_event *event, bool from_here)
{
	if (checker->gap_count == 0 || iq_track_reach(track, event->evidence))
		return 0;
	return iq_track_add_reach(track, event->evidence,
				  first_gap_after(checker, event->evidence, from_here ? event->id : 0)) < 0
		       ? iq_checker_nomem(checker)
		       : 0;
}

int iq_darkness_meet(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
		     const struct iq_event *event)
{
	int rc = iq_darkness_enter(checker, track, event, false);

	return rc < 0 || checker->gap_count == 0
		       ? rc
		       : meet_gaps(checker, follower, track, iq_track_reach(track, event->evidence), event->id);
}

int iq_darkness_meet_rest(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track)
{
	int rc = 0;

	for (size_t i = 0; track->shade && i < track->shade->reach_count && rc == 0; i++)
		rc = meet_gaps(checker, follower, track, &track->shade->reaches[i], UINT64_MAX);
	return rc;
}

void iq_darkness_reset(struct iq_checker *checker)
{
	iq_map_release(&checker->dark);
	checker->dark = (struct iq_map)IQ_MAP_INIT;
	checker->next_after = checker->next_cut = 0;
	memset(checker->darkness, 0, (checker->gap_count + 1) * sizeof(*checker->darkness));
}

void iq_darkness_release(struct iq_checker *checker)
{
	free(checker->next_gap);
	free(checker->by_place);
	free(checker->by_after);
	free(checker->cuts);
	free(checker->darkness);
	iq_map_release(&checker->gaps_after);
	iq_map_release(&checker->dark);
}
