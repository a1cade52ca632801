/* One pass over the merged streams: each event goes to the instances of the lifecycles that select it, each gap to the
 * instances that it touches. What remains to be said of an event (time, place in the evidence) is read afterwards, and
 * only for the events that instances begin and end with and that findings name. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/gap.h"
#include "query/nearest.h"
#include "query/track.h"
#include "query/unchecked.h"

/* What gaps have taken so far from a session or a source. */
struct darkness {
	const struct iq_gap *gap; /* the last one */
	int64_t lost;		  /* events, or -1 where that is not known */
};

/* What the checker knows of one lifecycle. */
struct follower {
	const struct iq_lifecycle *lifecycle;
	struct iq_track **tracks; /* in order of their first events */
	size_t count;
	size_t capacity;
	struct iq_map latest; /* key -> index of its last track */
	uint64_t events;
	uint64_t no_key;
	uint64_t *seen;	       /* by symbol */
	uint64_t *type_counts; /* by number of the checker's types: selected and not named here */
	size_t type_capacity;
	bool limited;
};

struct checker {
	struct iq_store *store;
	const struct iq_spec *spec;
	struct iq_error *error;
	struct iq_arena *memory; /* of the result */
	struct follower *followers;
	size_t follower_count;
	const struct iq_session *sessions;
	size_t session_count;
	uint64_t *session_ends; /* by index into sessions: the last ws.close or net.error */
	struct iq_map sources;	/* interned: gaps match by number */
	struct iq_map types;
	bool *named; /* by type: some lifecycle names it */
	size_t named_capacity;
	const struct iq_gap *gaps;
	size_t gap_count;
	struct iq_map gaps_after; /* event id -> index of its first gap; the others follow through next_gap */
	size_t *next_gap;
	const struct iq_gap **by_place; /* the gaps in the order of their evidence and the event after them */
	struct iq_map dark;		/* sessions and sources with a gap so far -> index into darkness */
	struct darkness *darkness;
	struct iq_buf key;
	struct iq_buf scratch;
	struct iq_map step_ids; /* events whose facts the result needs */
};

#define NO_GAP SIZE_MAX

const char *iq_verdict_name(enum iq_verdict verdict)
{
	static const char *const names[] = { "ok", "undetermined", "violated" };

	return verdict <= IQ_VERDICT_VIOLATED ? names[verdict] : NULL;
}

const char *iq_finding_kind_name(enum iq_finding_kind kind)
{
	static const char *const names[] = { "missing",	   "unterminated", "out-of-order", "duplicate",
					     "unexpected", "orphan",	   "malformed" };

	return kind <= IQ_FINDING_MALFORMED ? names[kind] : NULL;
}

/* ---- Small helpers ---- */

static int nomem(struct checker *checker)
{
	return iq_error_nomem(checker->error);
}

static struct iq_view format_text(struct iq_arena *arena, const char *format, ...) IQ_PRINTF(2, 3);

static struct iq_view format_text(struct iq_arena *arena, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return iq_arena_copy(arena, iq_view_cstr(text));
}

static struct iq_view number_key(const uint64_t *number)
{
	return iq_view_make((const char *)number, sizeof(*number));
}

/* ---- Gaps ---- */

/* The narrowest thing that a gap names: its session, else its source, else its evidence. The first two may go on in other
 * evidence. */
enum scope { SCOPE_SESSION = 1, SCOPE_SOURCE, SCOPE_EVIDENCE };

static uint64_t scope_key(enum scope scope, uint32_t number)
{
	return (uint64_t)scope << 32 | number;
}

static uint32_t source_number(struct checker *checker, struct iq_view source)
{
	uint32_t number = UINT32_MAX;

	if (source.data)
		(void)iq_map_intern(&checker->sources, source, &number);
	return number;
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

static uint32_t gap_number(struct checker *checker, const struct iq_gap *gap)
{
	return gap->session.data ? session_number(gap->session) : source_number(checker, gap->source);
}

static bool gap_touches(struct checker *checker, const struct iq_track *track, const struct iq_gap *gap)
{
	if (gap->count == 0) /* bytes, but no event */
		return false;
	if (gap->direction != IQ_DIRECTION_NONE && !(track->directions & 1u << gap->direction))
		return false;
	if (gap->session.data)
		return iq_numbers_has(&track->sessions, session_number(gap->session));
	return !gap->source.data || iq_numbers_has(&track->sources, source_number(checker, gap->source));
}

static int64_t events_in(const struct iq_gap *gap)
{
	return gap->count == IQ_NUMBER_NONE ? -1 : gap->count;
}

static int64_t add_lost(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a > INT64_MAX - b ? -1 : a + b;
}

/* `lost` events, or -1, may have come here; `gap` is NULL where they lie before the capture. */
static int darken(struct follower *follower, struct iq_track *track, const struct iq_gap *gap, int64_t lost)
{
	int rc;

	track->lost = track->dark ? add_lost(track->lost, lost) : lost;
	track->dark = true;
	if (!track->gap)
		track->gap = gap;
	/* What was complete stays so; whatever the gap held would begin anew. */
	if (track->over || track->limited || track->malformed)
		return 0;
	rc = iq_states_blur(follower->lifecycle->rules[0].automaton, track->states, lost, &track->states);
	if (rc != IQ_ERR_LIMIT)
		return rc;
	track->limited = true;
	return 0;
}

static int note_darkness(struct checker *checker, struct iq_view key, const struct iq_gap *gap)
{
	uint32_t index;
	int rc = iq_map_intern(&checker->dark, key, &index);

	if (rc < 0)
		return rc;
	checker->darkness[index].lost = add_lost(checker->darkness[index].lost, events_in(gap));
	checker->darkness[index].gap = gap;
	return 0;
}

static bool may_hold_of(const struct checker *checker, const struct iq_gap *gap, const struct iq_track *track)
{
	for (size_t i = 0; i < track->sessions.count; i++) {
		const struct iq_session *session = iq_store_find_session(checker->store, track->sessions.items[i]);

		if (session && iq_gap_touches_session(checker->store, gap, session))
			return true;
	}
	return track->sessions.count == 0;
}

static int touch(struct checker *checker, struct follower *follower, struct iq_track *track, const struct iq_gap *gap)
{
	if (may_hold_of(checker, gap, track))
		return darken(follower, track, gap, events_in(gap));
	track->held_lost = track->held ? add_lost(track->held_lost, events_in(gap)) : events_in(gap);
	track->held = gap;
	return 0;
}

/* In its own evidence the numbers of the events say which instances a gap touches, when they get there or end; in others,
 * time does. */
static int apply_gap(struct checker *checker, const struct iq_gap *gap)
{
	enum scope scope = gap_scope(gap);
	uint64_t key = scope_key(scope, gap_number(checker, gap));

	if (scope == SCOPE_EVIDENCE)
		return 0;
	if (gap->count != 0 && note_darkness(checker, number_key(&key), gap) < 0)
		return nomem(checker);
	for (size_t i = 0; i < checker->follower_count; i++) {
		struct follower *follower = &checker->followers[i];

		for (size_t j = 0; j < follower->latest.count; j++) {
			struct iq_track *track = follower->tracks[follower->latest.entries[j].value];

			if (!iq_track_reach(track, gap->evidence) && gap_touches(checker, track, gap) &&
			    touch(checker, follower, track, gap) < 0)
				return nomem(checker);
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
static size_t first_gap_after(const struct checker *checker, uint32_t evidence, uint64_t id)
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
static int meet_gaps(struct checker *checker, struct follower *follower, struct iq_track *track, struct iq_reach *reach,
		     uint64_t id)
{
	for (; reach->next_gap < checker->gap_count; reach->next_gap++) {
		const struct iq_gap *gap = checker->by_place[reach->next_gap];

		if (gap->evidence != reach->evidence || event_after(gap) > id)
			break;
		if (gap_touches(checker, track, gap) && touch(checker, follower, track, gap) < 0)
			return nomem(checker);
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

/* Links the gaps to the events that they follow. */
static int index_gaps(struct checker *checker)
{
	checker->gaps = iq_store_gaps(checker->store, &checker->gap_count);
	checker->next_gap = calloc(checker->gap_count + 1, sizeof(*checker->next_gap));
	checker->darkness = calloc(checker->gap_count + 1, sizeof(*checker->darkness));
	checker->by_place = calloc(checker->gap_count + 1, sizeof(struct iq_gap *));
	if (!checker->next_gap || !checker->darkness || !checker->by_place)
		return nomem(checker);
	for (size_t i = 0; i < checker->gap_count; i++)
		checker->by_place[i] = &checker->gaps[i];
	if (checker->gap_count > 0)
		qsort(checker->by_place, checker->gap_count, sizeof(struct iq_gap *), compare_places);
	for (size_t i = checker->gap_count; i-- > 0;) {
		const uint64_t *first = iq_map_get(&checker->gaps_after, number_key(&checker->gaps[i].after));

		checker->next_gap[i] = first ? (size_t)*first : NO_GAP;
		if (iq_map_set(&checker->gaps_after, number_key(&checker->gaps[i].after), i) < 0)
			return nomem(checker);
	}
	return 0;
}

static int apply_gaps_after(struct checker *checker, uint64_t id)
{
	const uint64_t *first = checker->gap_count ? iq_map_get(&checker->gaps_after, number_key(&id)) : NULL;
	int rc = 0;

	for (size_t i = first ? (size_t)*first : NO_GAP; i != NO_GAP && rc == 0; i = checker->next_gap[i])
		rc = apply_gap(checker, &checker->gaps[i]);
	return rc;
}

/* What gaps of the event's own evidence may have held of its session before it. */
static struct darkness darkness_in_evidence(struct checker *checker, const struct iq_event *event,
					    const struct iq_session *session)
{
	struct darkness before = { NULL, 0 };

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
static struct darkness darkness_before(struct checker *checker, const struct iq_event *event)
{
	const struct iq_session *session =
		event->session_no ? iq_store_find_session(checker->store, event->session_no) : NULL;
	struct darkness before = darkness_in_evidence(checker, event, session);
	const uint64_t keys[] = {
		scope_key(SCOPE_SESSION, event->session_no),
		scope_key(SCOPE_SOURCE, source_number(checker, event->source)),
	};

	for (size_t i = 0; i < 2 && checker->dark.count; i++) {
		const uint64_t *index = iq_map_get(&checker->dark, number_key(&keys[i]));
		const struct darkness *other = index ? &checker->darkness[*index] : NULL;

		if (!other || other->gap->evidence == event->evidence ||
		    (session && !iq_gap_touches_session(checker->store, other->gap, session)))
			continue;
		before.gap = before.gap ? before.gap : other->gap;
		before.lost = add_lost(before.lost, other->lost);
	}
	return before;
}

/* ---- Following ---- */

static struct iq_track *new_track(struct follower *follower, struct iq_view key, struct iq_arena *memory)
{
	struct iq_track *track;

	if (iq_array_grow(&follower->tracks, &follower->capacity, follower->count + 1, sizeof(struct iq_track *)) < 0)
		return NULL;
	track = iq_arena_calloc(memory, 1, sizeof(*track));
	if (!track)
		return NULL;
	track->final_at = SIZE_MAX;
	track->key = iq_arena_copy(memory, key);
	if (!track->key.data || iq_map_set(&follower->latest, key, follower->count) < 0)
		return NULL;
	follower->tracks[follower->count++] = track;
	return track;
}

static bool start_unseen(const struct checker *checker, const struct follower *follower, const struct iq_event *event)
{
	const struct iq_session *session =
		event->session_no ? iq_store_find_session(checker->store, event->session_no) : NULL;

	return !follower->lifecycle->ends_complete && !(session && session->start_seen);
}

/* The states in which an instance may be before the first event that was seen of it. */
static int set_start(struct checker *checker, struct follower *follower, struct iq_track *track,
		     const struct iq_track *before, const struct iq_event *event)
{
	struct darkness dark = { NULL, 0 };
	int rc;

	if (!before) {
		dark = darkness_before(checker, event);
		track->start_unseen = start_unseen(checker, follower, event);
	} else if (before->dark) {
		dark = (struct darkness){ before->gap, before->lost };
		track->start_unseen = !before->gap;
	}
	track->states = follower->lifecycle->rules[0].start;
	track->gap = dark.gap;
	if (track->gap || track->start_unseen) {
		rc = iq_states_blur(follower->lifecycle->rules[0].automaton, track->states,
				    track->start_unseen ? -1 : dark.lost, &track->states);
		track->limited = rc == IQ_ERR_LIMIT;
		if (rc < 0 && !track->limited)
			return nomem(checker);
	}
	track->start = track->states;
	return 0;
}

static int note_whereabouts(struct checker *checker, struct iq_track *track, const struct iq_event *event)
{
	track->directions |= 1u << event->direction;
	if ((event->session_no && iq_numbers_add(&track->sessions, event->session_no) < 0) ||
	    iq_numbers_add(&track->sources, source_number(checker, event->source)) < 0)
		return nomem(checker);
	if (!iq_track_reach(track, event->evidence) &&
	    iq_track_add_reach(track, event->evidence, first_gap_after(checker, event->evidence, event->id)) < 0)
		return nomem(checker);
	return 0;
}

static int step(struct checker *checker, struct follower *follower, struct iq_track *track, uint32_t symbol)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	struct iq_automaton *automaton = lifecycle->rules[0].automaton;
	uint32_t letter = iq_rule_letter(&lifecycle->rules[0], symbol);
	bool is_final = !(symbol & IQ_SYMBOL_UNNAMED) && lifecycle->is_final[symbol];
	struct iq_states_facts facts;
	int rc;

	if (track->limited)
		return 0;
	rc = iq_states_step(automaton, track->states, letter, &track->states);
	if (rc == 0)
		rc = iq_states_facts(automaton, track->states, &facts);
	if (rc == 0 && !track->over && (facts.complete || letter == IQ_LETTER_FINAL(automaton))) {
		track->over = true;
		track->final_at = is_final ? track->count - 1 : SIZE_MAX;
	}
	track->limited = rc == IQ_ERR_LIMIT;
	return rc == IQ_ERR_LIMIT ? 0 : rc < 0 ? nomem(checker) : 0;
}

/* Could an instance begin with this symbol, when the last one with its key is over? */
static int may_begin(struct checker *checker, struct follower *follower, const struct iq_track *before, uint32_t symbol,
		     bool *ret_may)
{
	struct iq_automaton *automaton = follower->lifecycle->rules[0].automaton;
	iq_states states = follower->lifecycle->rules[0].start;
	struct iq_states_facts facts = { 0 };
	int rc = before->dark ? iq_states_blur(automaton, states, before->lost, &states) : 0;

	if (rc == 0)
		rc = iq_states_step(automaton, states, iq_rule_letter(&follower->lifecycle->rules[0], symbol), &states);
	if (rc == 0)
		rc = iq_states_facts(automaton, states, &facts);
	*ret_may = facts.any_alive;
	return rc == IQ_ERR_LIMIT ? 0 : rc < 0 ? nomem(checker) : 0;
}

/* An instance that goes on in another session: what that one held before it was seen, and the gaps between the two. */
static int enter_session(struct checker *checker, struct follower *follower, struct iq_track *track,
			 const struct iq_event *event)
{
	int rc = 0;

	if (event->session_no == 0 || iq_numbers_has(&track->sessions, event->session_no))
		return 0;
	if (track->held)
		rc = darken(follower, track, track->held, track->held_lost);
	track->held = NULL;
	if (rc == 0 && start_unseen(checker, follower, event)) {
		track->start_unseen |= !track->over;
		rc = darken(follower, track, NULL, -1);
	}
	return rc < 0 ? nomem(checker) : 0;
}

/* Whatever lies between the track's last event and this one. */
static int go_on(struct checker *checker, struct follower *follower, struct iq_track *track,
		 const struct iq_event *event)
{
	int rc = 0;

	if (checker->gap_count > 0 && !iq_track_reach(track, event->evidence))
		rc = iq_track_add_reach(track, event->evidence, first_gap_after(checker, event->evidence, 0));
	if (rc == 0 && checker->gap_count > 0)
		rc = meet_gaps(checker, follower, track, iq_track_reach(track, event->evidence), event->id);
	if (rc == IQ_ERR_NOMEM)
		return nomem(checker);
	return rc < 0 ? rc : enter_session(checker, follower, track, event);
}

/* The track that the event belongs to. */
static int find_track(struct checker *checker, struct follower *follower, struct iq_view key,
		      const struct iq_event *event, uint32_t symbol, struct iq_track **ret_track)
{
	const uint64_t *index = iq_map_get(&follower->latest, key);
	struct iq_track *track = index ? follower->tracks[*index] : NULL;
	struct iq_track *before = track;
	bool anew = !track;
	int rc = 0;

	if (track)
		rc = go_on(checker, follower, track, event);
	if (rc == 0 && track && track->over)
		rc = may_begin(checker, follower, track, symbol, &anew);
	if (rc == 0 && anew) {
		track = new_track(follower, key, checker->memory);
		rc = track ? set_start(checker, follower, track, before, event) : nomem(checker);
	}
	*ret_track = track;
	return rc;
}

static int follow_malformed(struct checker *checker, struct follower *follower, const struct iq_event *event)
{
	struct iq_view key = event->session_no ? event->session : event->source;
	struct iq_track *track;
	const uint64_t *index;

	iq_buf_clear(&checker->key);
	(void)iq_buf_append(&checker->key, iq_view_make("\0malformed ", 11));
	if (iq_buf_append(&checker->key, key) < 0)
		return nomem(checker);
	index = iq_map_get(&follower->latest, iq_buf_view(&checker->key));
	track = index ? follower->tracks[*index] : new_track(follower, iq_buf_view(&checker->key), checker->memory);
	if (!track)
		return nomem(checker);
	track->malformed = true;
	track->key = index ? track->key : iq_arena_copy(checker->memory, key);
	if (note_whereabouts(checker, track, event) < 0 || iq_track_add(track, event->id, IQ_SYMBOL_NONE) < 0)
		return nomem(checker);
	return 0;
}

static int follow_instance(struct checker *checker, struct follower *follower, const struct iq_event *event,
			   uint32_t symbol)
{
	struct iq_track *track;
	int rc;

	iq_buf_clear(&checker->key);
	if (!iq_lifecycle_key(follower->lifecycle, event, &checker->key, &checker->scratch)) {
		follower->no_key++;
		return 0;
	}
	rc = find_track(checker, follower, iq_buf_view(&checker->key), event, symbol, &track);
	if (rc == 0)
		rc = note_whereabouts(checker, track, event);
	if (rc == 0 && iq_track_add(track, event->id, symbol) < 0)
		rc = nomem(checker);
	return rc < 0 ? rc : step(checker, follower, track, symbol);
}

/* A message that begins like JSON and is not: its type and its instance cannot be told. */
static bool is_malformed(const struct follower *follower, const struct iq_event *event)
{
	struct iq_view body = iq_view_trim(event->body);

	return !event->type.data && event->kind == IQ_KIND_WS_MESSAGE && !event->body_is_binary && body.len > 0 &&
	       body.data[0] == '{' && iq_lifecycle_reads_body(follower->lifecycle) && !iq_json_valid(body);
}

/* *ret_type is IQ_SYMBOL_NONE for an event without a type. */
static int count_type(struct checker *checker, struct follower *follower, const struct iq_event *event, bool is_named,
		      uint32_t *ret_type)
{
	uint32_t type;

	*ret_type = IQ_SYMBOL_NONE;
	if (!event->type.data)
		return 0;
	if (iq_map_intern(&checker->types, event->type, &type) < 0 ||
	    IQ_ARRAY_GROW(follower->type_counts, follower->type_capacity, (size_t)type + 1) < 0 ||
	    IQ_ARRAY_GROW(checker->named, checker->named_capacity, (size_t)type + 1) < 0)
		return nomem(checker);
	follower->type_counts[type]++;
	checker->named[type] |= is_named;
	*ret_type = type;
	return 0;
}

static int follow(struct checker *checker, struct follower *follower, const struct iq_event *event)
{
	uint32_t symbol = IQ_SYMBOL_NONE, type;
	int rc = iq_lifecycle_selects(follower->lifecycle, event, &checker->scratch);

	if (rc == 0)
		return 0;
	if (rc > 0)
		rc = iq_lifecycle_symbol(follower->lifecycle, event, &checker->scratch, &symbol);
	if (rc < 0) {
		follower->limited = true;
		return 0;
	}
	rc = count_type(checker, follower, event, symbol != IQ_SYMBOL_NONE || follower->lifecycle->closed, &type);
	if (rc < 0)
		return rc;
	if (symbol != IQ_SYMBOL_NONE) {
		follower->events++;
		follower->seen[symbol]++;
	} else if (is_malformed(follower, event)) {
		return follow_malformed(checker, follower, event);
	} else if (follower->lifecycle->unnamed_too) {
		symbol = IQ_SYMBOL_UNNAMED | type;
	} else {
		return 0;
	}
	if (iq_rule_letter(&follower->lifecycle->rules[0], symbol) == IQ_SYMBOL_NONE)
		return 0;
	return follow_instance(checker, follower, event, symbol);
}

static void note_session_end(struct checker *checker, const struct iq_event *event)
{
	const struct iq_session *session;

	if (event->kind != IQ_KIND_WS_CLOSE && event->kind != IQ_KIND_NET_ERROR)
		return;
	session = event->session_no ? iq_store_find_session(checker->store, event->session_no) : NULL;
	if (session)
		checker->session_ends[session - checker->sessions] = event->id;
}

#define STEP_COLUMNS \
	(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | \
	 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_EVIDENCE | 1u << IQ_COLUMN_OFFSET | \
	 1u << IQ_COLUMN_LENGTH)

static uint32_t needed_columns(const struct iq_spec *spec)
{
	uint32_t columns = 1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION |
			   1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_DIRECTION | 1u << IQ_COLUMN_TYPE |
			   1u << IQ_COLUMN_EVIDENCE;

	for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
		columns |= lifecycle->columns;
	return columns;
}

static int run(struct checker *checker)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.order = IQ_ORDER_TIME;
	filter.columns = needed_columns(checker->spec);
	rc = apply_gaps_after(checker, 0);
	if (rc == 0)
		rc = iq_cursor_open(checker->store, &filter, &cursor, checker->error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, checker->error)) > 0) {
		note_session_end(checker, &event);
		for (size_t i = 0; i < checker->follower_count && rc >= 0; i++) {
			iq_buf_clear(&checker->scratch);
			rc = follow(checker, &checker->followers[i], &event);
		}
		if (rc >= 0)
			rc = apply_gaps_after(checker, event.id);
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	return rc;
}

/* ---- Judging ---- */

static bool sessions_ended(const struct checker *checker, const struct iq_track *track)
{
	for (size_t i = 0; i < track->sessions.count; i++) {
		const struct iq_session *session = iq_store_find_session(checker->store, track->sessions.items[i]);

		if (!session || !session->end_seen)
			return false;
	}
	return track->sessions.count > 0;
}

static struct iq_view why_dark(const struct checker *checker, const struct iq_track *track)
{
	if (track->limited)
		return IQ_LIT("limit reached");
	if (track->start_unseen)
		return IQ_LIT("began before capture");
	if (track->gap && track->gap->count != IQ_NUMBER_NONE)
		return format_text(checker->memory, "gap of %" PRId64 " %s: %.200s", track->gap->count,
				   track->gap->count == 1 ? "event" : "events", track->gap->reason.data);
	if (track->gap)
		return format_text(checker->memory, "gap of %" PRIu64 " bytes: %.200s", track->gap->bytes,
				   track->gap->reason.data);
	return IQ_LIT("open at capture end");
}

/* What lies between its last events and the ends of its evidence. */
static int meet_the_rest(struct checker *checker, struct follower *follower, struct iq_track *track)
{
	int rc = 0;

	for (size_t i = 0; i < track->reach_count && rc == 0; i++)
		rc = meet_gaps(checker, follower, track, &track->reaches[i], UINT64_MAX);
	return rc;
}

/* Verdict and reason of one track; *ret_over when nothing more can come. */
static int judge_track(struct checker *checker, const struct follower *follower, const struct iq_track *track,
		       struct iq_instance *instance, bool *ret_over)
{
	struct iq_states_facts facts;
	bool over = track->over || follower->lifecycle->ends_complete || sessions_ended(checker, track);

	*ret_over = over;
	instance->verdict = IQ_VERDICT_UNDETERMINED;
	if (track->malformed) {
		instance->verdict = IQ_VERDICT_VIOLATED;
		return 0;
	}
	if (track->limited) {
		instance->reason = why_dark(checker, track);
		return 0;
	}
	if (iq_states_facts(follower->lifecycle->rules[0].automaton, track->states, &facts) < 0)
		return nomem(checker);
	if (!facts.any_alive || (over && !facts.any_accepts))
		instance->verdict = IQ_VERDICT_VIOLATED;
	else if (over && facts.all_accept)
		instance->verdict = IQ_VERDICT_OK;
	else
		instance->reason = over ? why_dark(checker, track) : IQ_LIT("open at capture end");
	return instance->reason.len && !instance->reason.data ? nomem(checker) : 0;
}

static int want_step(struct checker *checker, uint64_t id)
{
	return id == 0 || iq_map_set(&checker->step_ids, number_key(&id), 0) == 0 ? 0 : nomem(checker);
}

static int want_steps(struct checker *checker, const struct iq_instance *instance)
{
	int rc = want_step(checker, instance->first.id);

	if (rc == 0)
		rc = want_step(checker, instance->last.id);
	for (size_t i = 0; i < instance->finding_count && rc == 0; i++) {
		const struct iq_finding *finding = &instance->findings[i];

		rc = want_step(checker, finding->after.id);
		if (rc == 0)
			rc = want_step(checker, finding->instead.id);
		if (rc == 0)
			rc = want_step(checker, finding->moved.id);
	}
	return rc;
}

/* What ended the last session that the track appeared in. */
static uint64_t end_event(const struct checker *checker, const struct iq_track *track)
{
	const struct iq_session *session =
		track->sessions.count
			? iq_store_find_session(checker->store, track->sessions.items[track->sessions.count - 1])
			: NULL;

	return session ? checker->session_ends[session - checker->sessions] : 0;
}

static int report_track(struct checker *checker, struct follower *follower, struct iq_track *track,
			struct iq_instance *instance)
{
	struct iq_finding *findings = NULL;
	uint32_t *sessions = iq_arena_calloc(checker->memory, track->sessions.count + 1, sizeof(*sessions));
	bool over;
	int rc;

	if (!sessions)
		return nomem(checker);
	if (track->sessions.count)
		memcpy(sessions, track->sessions.items, track->sessions.count * sizeof(*sessions));
	instance->key = track->key;
	instance->sessions = sessions;
	instance->session_count = track->sessions.count;
	instance->events = track->count;
	instance->first.id = track->ids[0];
	instance->last.id = track->ids[track->count - 1];
	rc = meet_the_rest(checker, follower, track);
	if (rc == 0)
		rc = judge_track(checker, follower, track, instance, &over);
	if (rc == 0 && instance->verdict == IQ_VERDICT_VIOLATED &&
	    iq_track_explain(track, follower->lifecycle, &checker->types, over, end_event(checker, track),
			     checker->memory, &findings, &instance->finding_count) < 0)
		return nomem(checker);
	instance->findings = findings;
	return rc < 0 ? rc : want_steps(checker, instance);
}

static int list_never_seen(struct checker *checker, const struct follower *follower, struct iq_lifecycle_result *result)
{
	const struct iq_map *names = &follower->lifecycle->names;
	struct iq_name_count *list = iq_arena_calloc(checker->memory, names->count + 1, sizeof(*list));

	if (!list)
		return nomem(checker);
	result->never_seen = list;
	for (size_t i = 0; i < names->count; i++) {
		struct iq_view nearest;

		if (follower->seen[i])
			continue;
		nearest = iq_nearest(names->entries[i].key, &checker->types);
		list[result->never_seen_count++] =
			(struct iq_name_count){ iq_arena_copy(checker->memory, names->entries[i].key), 0,
						iq_arena_copy(checker->memory, nearest) };
	}
	return 0;
}

static int list_not_named(struct checker *checker, const struct follower *follower, struct iq_lifecycle_result *result)
{
	struct iq_name_count *list = iq_arena_calloc(checker->memory, checker->types.count + 1, sizeof(*list));

	if (!list)
		return nomem(checker);
	result->not_named = list;
	for (size_t i = 0; i < checker->types.count && i < follower->type_capacity; i++)
		if (follower->type_counts[i] && !checker->named[i])
			list[result->not_named_count++] =
				(struct iq_name_count){ iq_arena_copy(checker->memory, checker->types.entries[i].key),
							follower->type_counts[i], IQ_VIEW_NULL };
	return 0;
}

static void fold_verdict(struct iq_lifecycle_result *result, enum iq_verdict verdict)
{
	result->violated += verdict == IQ_VERDICT_VIOLATED;
	result->undetermined += verdict == IQ_VERDICT_UNDETERMINED;
	result->ok += verdict == IQ_VERDICT_OK;
	if (verdict > result->verdict)
		result->verdict = verdict;
}

/* Could there have been instances that nobody recorded? */
static bool is_part_unseen(const struct checker *checker, const struct iq_lifecycle *lifecycle)
{
	bool unseen = checker->gap_count > 0;

	for (size_t i = 0; i < checker->session_count && !unseen && !lifecycle->ends_complete; i++)
		unseen = !checker->sessions[i].start_seen || !checker->sessions[i].end_seen;
	return unseen;
}

static void judge_count(struct checker *checker, const struct follower *follower, struct iq_lifecycle_result *result)
{
	const struct iq_expected_count *expect = &follower->lifecycle->expect;
	size_t count = result->instance_count;

	if (follower->limited && result->verdict != IQ_VERDICT_VIOLATED) {
		result->verdict = IQ_VERDICT_UNDETERMINED;
		result->reason = IQ_LIT("limit reached: a pattern took too long");
	}
	if (expect->given && (count < expect->least || count > expect->most)) {
		bool may_be_more = count < expect->least && is_part_unseen(checker, follower->lifecycle);

		if (result->verdict != IQ_VERDICT_VIOLATED)
			result->verdict = may_be_more ? IQ_VERDICT_UNDETERMINED : IQ_VERDICT_VIOLATED;
		result->reason =
			format_text(checker->memory, "%zu instance%s, and %" PRIu64 "%s expected", count,
				    count == 1 ? "" : "s", count < expect->least ? expect->least : expect->most,
				    count < expect->least ? " or more" : " at most");
	} else if (!expect->given && count == 0) {
		result->verdict = IQ_VERDICT_UNDETERMINED;
		result->reason = follower->no_key ? IQ_LIT("no instance: its events lack the instance key")
						  : IQ_LIT("no instance: none of its events was seen");
	}
}

static int report_lifecycle(struct checker *checker, struct follower *follower, struct iq_lifecycle_result *result)
{
	struct iq_instance *instances = iq_arena_calloc(checker->memory, follower->count + 1, sizeof(*instances));
	int rc;

	if (!instances)
		return nomem(checker);
	result->name = iq_arena_copy(checker->memory, follower->lifecycle->name);
	result->events = follower->events;
	result->no_key = follower->no_key;
	result->instances = instances;
	result->instance_count = follower->count;
	result->verdict = IQ_VERDICT_OK;
	for (size_t i = 0; i < follower->count; i++) {
		rc = report_track(checker, follower, follower->tracks[i], &instances[i]);
		if (rc < 0)
			return rc;
		fold_verdict(result, instances[i].verdict);
	}
	judge_count(checker, follower, result);
	rc = list_never_seen(checker, follower, result);
	return rc < 0 ? rc : list_not_named(checker, follower, result);
}

/* ---- Facts of the events that the result names ---- */

static void fill_step(const struct iq_map *found, const struct iq_step *steps, struct iq_step *step)
{
	const uint64_t *index = step->id ? iq_map_get(found, number_key(&step->id)) : NULL;

	if (index)
		*step = steps[*index];
}

static void fill_instance(const struct iq_map *found, const struct iq_step *steps, struct iq_instance *instance)
{
	fill_step(found, steps, &instance->first);
	fill_step(found, steps, &instance->last);
	for (size_t i = 0; i < instance->finding_count; i++) {
		struct iq_finding *finding = (struct iq_finding *)&instance->findings[i];

		fill_step(found, steps, &finding->after);
		fill_step(found, steps, &finding->instead);
		fill_step(found, steps, &finding->moved);
	}
}

static struct iq_step make_step(struct checker *checker, const struct iq_event *event)
{
	return (struct iq_step){ .id = event->id,
				 .ts = event->ts,
				 .kind = event->kind,
				 .type = iq_arena_copy(checker->memory, event->type),
				 .source = iq_arena_copy(checker->memory, event->source),
				 .session_no = event->session_no,
				 .evidence = event->evidence,
				 .offset = event->offset,
				 .length = event->length };
}

static int read_steps(struct checker *checker, struct iq_step *steps)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	uint64_t found = 0;
	int rc;

	filter.columns = STEP_COLUMNS;
	rc = iq_cursor_open(checker->store, &filter, &cursor, checker->error);
	if (rc < 0)
		return rc;
	while (found < checker->step_ids.count && (rc = iq_cursor_next(cursor, &event, checker->error)) > 0) {
		uint64_t *index = iq_map_get(&checker->step_ids, number_key(&event.id));

		if (!index)
			continue;
		steps[found] = make_step(checker, &event);
		*index = found++;
	}
	iq_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

static int fill_steps(struct checker *checker, struct iq_check_result *result)
{
	struct iq_step *steps = calloc(checker->step_ids.count + 1, sizeof(*steps));
	int rc = steps ? read_steps(checker, steps) : nomem(checker);

	for (size_t i = 0; i < result->lifecycle_count && rc == 0; i++) {
		const struct iq_lifecycle_result *lifecycle = &result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++)
			fill_instance(&checker->step_ids, steps, (struct iq_instance *)&lifecycle->instances[j]);
	}
	free(steps);
	return rc;
}

/* ---- Folding ---- */

static struct iq_view instance_reason(struct checker *checker, const struct iq_instance *instance)
{
	return instance->finding_count ? instance->findings[0].message
				       : iq_arena_copy(checker->memory, instance->reason);
}

static void fold_instance(struct checker *checker, struct iq_session_verdict *sessions,
			  const struct iq_instance *instance)
{
	for (size_t i = 0; i < instance->session_count; i++) {
		const struct iq_session *session = iq_store_find_session(checker->store, instance->sessions[i]);
		struct iq_session_verdict *verdict = session ? &sessions[session - checker->sessions] : NULL;

		if (!verdict)
			continue;
		verdict->instances++;
		if (instance->verdict > verdict->verdict) {
			verdict->verdict = instance->verdict;
			verdict->reason = instance_reason(checker, instance);
		}
	}
}

static int fold_sessions(struct checker *checker, struct iq_check_result *result)
{
	struct iq_session_verdict *sessions =
		iq_arena_calloc(checker->memory, checker->session_count + 1, sizeof(*sessions));

	if (!sessions)
		return nomem(checker);
	for (size_t i = 0; i < checker->session_count; i++)
		sessions[i].no = checker->sessions[i].no;
	for (size_t i = 0; i < result->lifecycle_count; i++)
		for (size_t j = 0; j < result->lifecycles[i].instance_count; j++)
			fold_instance(checker, sessions, &result->lifecycles[i].instances[j]);
	result->sessions = sessions;
	result->session_count = checker->session_count;
	return 0;
}

/* `s12 undetermined (open at capture end)`: the first instance that the whole verdict rests on. */
static struct iq_view whole_reason(struct checker *checker, const struct iq_lifecycle_result *lifecycle,
				   enum iq_verdict verdict)
{
	for (size_t i = 0; i < lifecycle->instance_count; i++) {
		const struct iq_instance *instance = &lifecycle->instances[i];
		struct iq_view reason = instance_reason(checker, instance);
		char session[16] = "";

		if (instance->verdict != verdict)
			continue;
		if (instance->session_count)
			(void)snprintf(session, sizeof(session), "s%" PRIu32 " ", instance->sessions[0]);
		return format_text(checker->memory, "%s%s (%.*s %.60s: %.200s)", session, iq_verdict_name(verdict),
				   IQ_VIEW_ARG(lifecycle->name), instance->key.data, reason.data ? reason.data : "");
	}
	return format_text(checker->memory, "%.*s %s (%.*s)", IQ_VIEW_ARG(lifecycle->name), iq_verdict_name(verdict),
			   IQ_VIEW_ARG(lifecycle->reason));
}

static void fold_store(struct checker *checker, struct iq_check_result *result)
{
	const struct iq_lifecycle_result *worst = NULL;

	for (size_t i = 0; i < result->lifecycle_count; i++)
		if (!worst || result->lifecycles[i].verdict > worst->verdict)
			worst = &result->lifecycles[i];
	result->verdict = worst ? worst->verdict : IQ_VERDICT_UNDETERMINED;
	if (!worst)
		result->reason = IQ_LIT("nothing to judge: none of the built-in lifecycles fits; give --spec FILE");
	else if (worst->verdict != IQ_VERDICT_OK)
		result->reason = whole_reason(checker, worst, worst->verdict);
}

static int report(struct checker *checker, struct iq_check_result *result)
{
	struct iq_lifecycle_result *lifecycles =
		iq_arena_calloc(checker->memory, checker->follower_count + 1, sizeof(*lifecycles));
	int rc = lifecycles ? 0 : nomem(checker);

	result->lifecycles = lifecycles;
	result->lifecycle_count = lifecycles ? checker->follower_count : 0;
	for (size_t i = 0; i < checker->follower_count && rc == 0; i++)
		rc = report_lifecycle(checker, &checker->followers[i], &lifecycles[i]);
	if (rc == 0)
		rc = fill_steps(checker, result);
	if (rc == 0)
		rc = fold_sessions(checker, result);
	if (rc == 0)
		fold_store(checker, result);
	return rc;
}

/* ---- The whole ---- */

static int init(struct checker *checker)
{
	const struct iq_lifecycle *lifecycle = checker->spec->first;

	checker->sessions = iq_store_sessions(checker->store, &checker->session_count);
	checker->session_ends = calloc(checker->session_count + 1, sizeof(*checker->session_ends));
	checker->followers = calloc(checker->spec->count + 1, sizeof(*checker->followers));
	if (!checker->session_ends || !checker->followers)
		return nomem(checker);
	for (; lifecycle; lifecycle = lifecycle->next) {
		struct follower *follower = &checker->followers[checker->follower_count++];

		follower->lifecycle = lifecycle;
		follower->seen = calloc(lifecycle->names.count + 1, sizeof(*follower->seen));
		if (!follower->seen)
			return nomem(checker);
	}
	return index_gaps(checker);
}

static void release_follower(struct follower *follower)
{
	for (size_t i = 0; i < follower->count; i++)
		iq_track_release(follower->tracks[i]);
	free(follower->tracks);
	iq_map_release(&follower->latest);
	free(follower->seen);
	free(follower->type_counts);
}

static void release(struct checker *checker)
{
	for (size_t i = 0; i < checker->follower_count; i++)
		release_follower(&checker->followers[i]);
	free(checker->followers);
	free(checker->session_ends);
	free(checker->named);
	free(checker->next_gap);
	free(checker->by_place);
	iq_map_release(&checker->sources);
	iq_map_release(&checker->types);
	iq_map_release(&checker->gaps_after);
	iq_map_release(&checker->dark);
	free(checker->darkness);
	iq_map_release(&checker->step_ids);
	iq_buf_release(&checker->key);
	iq_buf_release(&checker->scratch);
}

int iq_check(struct iq_store *store, const struct iq_spec *spec, struct iq_check_result *ret_result,
	     struct iq_error *error)
{
	struct iq_check_result result = { .memory = IQ_ARENA_INIT };
	struct checker checker = { .store = store, .spec = spec, .error = error, .memory = &result.memory };
	int rc = iq_spec_refuse_unchecked(spec, error);

	if (rc == 0)
		rc = init(&checker);
	if (rc == 0)
		rc = run(&checker);
	if (rc == 0)
		rc = report(&checker, &result);
	release(&checker);
	if (rc < 0)
		iq_check_result_release(&result);
	else
		*ret_result = result;
	return rc;
}

void iq_check_result_release(struct iq_check_result *result)
{
	iq_arena_release(&result->memory);
}
