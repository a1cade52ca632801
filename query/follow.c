/* From an event to its instance, and what it does there.
 *
 * A nested instance is an event of its parent twice: when it begins, and when it ends. It ends when its order can take
 * nothing more; otherwise as late as its parent lets it, which only ever allows more (docs/design/0023-nested-instances.md). */
#include <stdlib.h>
#include <string.h>

#include "query/align.h"
#include "query/checker.h"

/* Has the columns read that are asked for and are not there yet. */
static int need(struct iq_seen *seen, uint32_t columns)
{
	uint32_t missing = seen->load ? columns & ~seen->loaded : 0;

	seen->loaded |= missing;
	return missing ? seen->load(seen->load_context, missing) : 0;
}

/* ---- Keys ---- */

/* The key of the instance that contains this one, as the nested one's events say it. */
static bool append_parent_key(struct iq_checker *checker, const struct iq_follower *follower,
			      const struct iq_event *event)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle, *parent = follower->parent->lifecycle;

	if (follower->parent->parent) {
		if (!append_parent_key(checker, follower->parent, event))
			return false;
		(void)iq_buf_append_char(&checker->key, IQ_KEY_DIVIDER);
	}
	return lifecycle->parent_count ? iq_key_append(lifecycle->parent, lifecycle->parent_count, event, &checker->key,
						       &checker->scratch)
				       : iq_lifecycle_key(parent, event, &checker->key, &checker->scratch);
}

/* Where only some of a nested instance's events carry the parent's key, the others belong to the last instance that has
 * their own. */
static int key_by_own(struct iq_checker *checker, struct iq_follower *follower, const struct iq_event *event,
		      bool *ret_has)
{
	const uint64_t *number;

	iq_buf_clear(&checker->key);
	*ret_has = iq_lifecycle_key(follower->lifecycle, event, &checker->key, &checker->scratch);
	number = *ret_has ? iq_map_get(&follower->loose, iq_buf_view(&checker->key)) : NULL;
	*ret_has = number != NULL;
	if (!number)
		return 0;
	iq_buf_clear(&checker->key);
	(void)iq_buf_append(&checker->key, iq_key_text(&follower->latest.entries[follower->tracks[*number]->key]));
	return checker->key.failed ? iq_checker_nomem(checker) : 0;
}

static int make_key(struct iq_checker *checker, struct iq_follower *follower, const struct iq_event *event,
		    bool *ret_has)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;

	iq_buf_clear(&checker->key);
	*ret_has = true;
	if (follower->parent) {
		if (!append_parent_key(checker, follower, event))
			return key_by_own(checker, follower, event, ret_has);
		(void)iq_buf_append_char(&checker->key, IQ_KEY_DIVIDER);
	}
	*ret_has = iq_lifecycle_key(lifecycle, event, &checker->key, &checker->scratch);
	return checker->key.failed ? iq_checker_nomem(checker) : 0;
}

struct iq_view iq_follower_key(const struct iq_follower *follower, const struct iq_track *track, struct iq_arena *arena)
{
	char name[IQ_SESSION_NAME_SIZE];
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_view key;

	if (follower->by_session && !track->malformed)
		return iq_arena_copy(arena, iq_session_name(track->key, name));
	iq_key_append_text(&text, iq_key_text(&follower->latest.entries[track->key]));
	key = text.failed ? IQ_VIEW_NULL : iq_arena_copy(arena, iq_view_make(text.data ? text.data : "", text.len));
	iq_buf_release(&text);
	return key;
}

/* ---- Tracks ---- */

static int remember_key(struct iq_follower *follower, struct iq_view key, uint32_t session, struct iq_track *track)
{
	uint32_t index;

	if (follower->by_session && session) {
		follower->by_session[session] = track->number + 1;
		track->key = session;
		return 0;
	}
	if (iq_keys_add(&follower->latest, key, &index) < 0)
		return IQ_ERR_NOMEM;
	follower->latest.entries[index].number = track->number;
	track->key = index;
	return follower->parent ? iq_map_set(&follower->loose, iq_key_own(key), track->number) : 0;
}

static bool is_chosen(const struct iq_checker *checker, const struct iq_follower *follower, uint64_t first_id)
{
	const uint64_t name[2] = { (uint64_t)(follower - checker->followers), first_id };

	return checker->chosen.count > 0 &&
	       iq_map_get(&checker->chosen, iq_view_make((const char *)name, sizeof(name)));
}

static struct iq_track *new_track(struct iq_checker *checker, struct iq_follower *follower, struct iq_view key,
				  uint32_t session, uint64_t id)
{
	struct iq_track *track = iq_track_new(&checker->pass, &follower->room, follower->automata, follower->watches);

	if (!track ||
	    iq_array_grow(&follower->tracks, &follower->capacity, follower->count + 1, sizeof(struct iq_track *)) < 0)
		return NULL;
	track->number = (uint32_t)follower->count;
	track->first_ts = track->last_ts = IQ_TIME_NONE;
	track->symbol = follower->symbol;
	follower->tracks[follower->count++] = track;
	if (remember_key(follower, key, session, track) < 0 ||
	    (is_chosen(checker, follower, id) && iq_track_record(track, follower->automata) < 0))
		return NULL;
	return track;
}

static bool start_unseen(const struct iq_checker *checker, const struct iq_follower *follower,
			 const struct iq_event *event)
{
	const struct iq_session *session = iq_checker_session(checker, event->session_no);

	return !follower->lifecycle->ends_complete && !(session && session->start_seen);
}

static void set_states(const struct iq_follower *follower, struct iq_track *track)
{
	for (size_t i = 0; i < follower->lifecycle->rule_count; i++)
		if (follower->lifecycle->rules[i].automaton)
			track->states[follower->places[i]] = follower->lifecycle->rules[i].start;
}

/* Are the living members of one set those of the other? */
static bool live_alike(const struct iq_automaton *automaton, iq_states some, iq_states all)
{
	size_t some_count, all_count;
	const iq_node *a = iq_states_members(automaton, some, &some_count);
	const iq_node *b = iq_states_members(automaton, all, &all_count);
	size_t i = 0, j = 0;

	while (true) {
		i += i < some_count && a[i] == IQ_NODE_DEAD;
		j += j < all_count && b[j] == IQ_NODE_DEAD;
		if (i == some_count || j == all_count)
			return i == some_count && j == all_count && some_count > 0;
		if (a[i++] != b[j++])
			return false;
	}
}

/* What a connection carries came after its opening, which would have been seen. */
static bool is_of_connection(const struct iq_event *event)
{
	return event->session_no != 0 && event->kind >= IQ_KIND_WS_OPEN && event->kind <= IQ_KIND_WS_CLOSE;
}

/* Outside of connections nothing tells when something began. Where an order can go on with an event only by beginning with it,
 * it began there. */
static int begins_here(struct iq_follower *follower, uint32_t symbol, bool *ret_does)
{
	const struct iq_rule *order = &follower->lifecycle->rules[0];
	uint32_t letter = symbol == IQ_SYMBOL_NONE ? IQ_SYMBOL_NONE : iq_rule_letter(order, symbol);
	iq_states first = order->start, any = order->start;
	struct iq_states_facts facts = { 0 };
	int rc;

	*ret_does = false;
	if (letter == IQ_SYMBOL_NONE)
		return 0;
	rc = iq_states_blur(order->automaton, any, -1, &any);
	if (rc == 0)
		rc = iq_states_step(order->automaton, any, letter, &any);
	if (rc == 0)
		rc = iq_states_step(order->automaton, first, letter, &first);
	if (rc == 0)
		rc = iq_states_facts(order->automaton, first, &facts);
	*ret_does = rc == 0 && facts.any_alive && live_alike(order->automaton, first, any);
	return rc == IQ_ERR_NOMEM ? rc : 0;
}

/* The states in which an instance may be before the first event that was seen of it. */
static int set_start(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
		     const struct iq_track *before, const struct iq_seen *seen, uint32_t symbol)
{
	struct iq_darkness dark = { NULL, 0 };
	bool certain = false;
	int rc = 0;

	set_states(follower, track);
	if (!before) {
		dark = checker->gap_count ? iq_darkness_before(checker, seen) : dark;
		track->start_unseen = start_unseen(checker, follower, seen->event);
	} else if (before->dark) {
		dark = (struct iq_darkness){ before->shade->gap, before->shade->lost };
		track->start_unseen = !before->shade->gap;
	}
	if (track->start_unseen && !dark.gap && !is_of_connection(seen->event)) {
		rc = begins_here(follower, symbol, &certain);
		track->start_unseen = !certain;
	}
	if (dark.gap) {
		if (!iq_track_shade(track))
			return iq_checker_nomem(checker);
		track->shade->gap = dark.gap;
	}
	if (rc == 0 && (dark.gap || track->start_unseen)) {
		track->dim = true;
		iq_watch_darken(follower, track);
		rc = iq_darkness_blur(follower, track, track->start_unseen ? -1 : dark.lost);
	}
	if (track->trace)
		memcpy(track->trace->start, track->states, follower->automata * sizeof(*track->states));
	return rc < 0 ? iq_checker_nomem(checker) : 0;
}

static void note_last(struct iq_track *track, const struct iq_seen *seen)
{
	track->last_id = seen->event->id;
	track->last_ts = seen->at == IQ_TIME_NONE ? track->last_ts : seen->at;
	track->stream = seen->stream;
	track->last_source = seen->source;
}

static int note_whereabouts(struct iq_checker *checker, struct iq_track *track, const struct iq_seen *seen)
{
	const struct iq_event *event = seen->event;

	track->directions |= (uint8_t)(1u << event->direction);
	track->loose |= event->session_no == 0;
	if ((event->session_no && iq_numbers_add(&track->sessions, event->session_no) < 0) ||
	    iq_numbers_add(&track->sources, seen->source) < 0)
		return iq_checker_nomem(checker);
	if (track->count == 0) {
		track->first_id = event->id;
		track->first_ts = seen->at;
	} else if (track->stream != seen->stream && seen->at != IQ_TIME_NONE && track->last_ts != IQ_TIME_NONE) {
		track->unsure |=
			seen->at - track->last_ts <= iq_checker_uncertainty(checker, seen->source, track->last_source);
	}
	note_last(track, seen);
	track->count++;
	return iq_darkness_enter(checker, track, event, true);
}

/* ---- Steps ---- */

static bool is_final(const struct iq_follower *follower, uint32_t symbol)
{
	return symbol < follower->lifecycle->names.count && follower->lifecycle->is_final[symbol];
}

/* The letter that a rule sees, or IQ_SYMBOL_NONE. */
static uint32_t letter_of(const struct iq_rule *rule, uint32_t symbol, enum iq_part part)
{
	uint32_t letter = symbol == IQ_SYMBOL_NONE ? symbol : iq_rule_letter(rule, symbol);

	if (part != IQ_PART_END || letter == IQ_SYMBOL_NONE)
		return letter;
	return rule->kind == IQ_RULE_ORDER ? letter + 1 : IQ_SYMBOL_NONE;
}

/* Steps one state; *ret_facts is what may be said of it then. */
static int step_state(const struct iq_rule *rule, iq_states *states, uint32_t letter, struct iq_states_facts *ret_facts)
{
	int rc = iq_states_step(rule->automaton, *states, letter, states);

	if (rc == 0)
		rc = iq_states_facts(rule->automaton, *states, ret_facts);
	if (rc == IQ_ERR_LIMIT)
		*states = IQ_STATES_LOST;
	return rc;
}

static int end_child(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *parent,
		     struct iq_track *child);
static int meet_before_end(struct iq_checker *checker, const struct iq_follower *follower, struct iq_track *child,
			   const struct iq_event *next);

/* Would the order of the track take the letter in these states? */
static int takes(const struct iq_follower *follower, iq_states states, uint32_t letter, bool *ret_takes)
{
	struct iq_states_facts facts = { 0 };
	int rc = step_state(&follower->lifecycle->rules[0], &states, letter, &facts);

	*ret_takes = rc == IQ_ERR_LIMIT || facts.any_alive;
	return rc == IQ_ERR_NOMEM ? rc : 0;
}

/* Has the nested instance come to a place where it may have ended, or where its faults are its own? */
static int may_have_ended(const struct iq_follower *follower, const struct iq_track *child, bool *ret_may)
{
	struct iq_states_facts facts = { .any_accepts = true };
	int rc = child->states[0] == IQ_STATES_LOST
			 ? 0
			 : iq_states_facts(follower->lifecycle->rules[0].automaton, child->states[0], &facts);

	*ret_may = facts.any_accepts || !facts.any_alive;
	return rc == IQ_ERR_NOMEM ? rc : 0;
}

/* The oldest child that may have ended, or with `any` simply the oldest. */
static int oldest_child(const struct iq_follower *follower, struct iq_track *track, bool any,
			struct iq_track **ret_child)
{
	int rc = 0;

	*ret_child = NULL;
	for (struct iq_track *child = track->children; child && rc == 0; child = child->sibling) {
		bool may = any;

		if (!any)
			rc = may_have_ended(follower->children[child->symbol], child, &may);
		if (may)
			*ret_child = child;
	}
	return rc;
}

/* Where the dark leaves open what its parent came to, a nested instance that may have ended may have done so at any time. */
static int admit_ends(const struct iq_follower *follower, struct iq_track *track)
{
	int rc = 0;

	for (struct iq_track *child = track->children; child && rc == 0; child = child->sibling) {
		bool may;

		rc = may_have_ended(follower->children[child->symbol], child, &may);
		if (rc == 0 && may)
			rc = iq_darkness_end(follower, track, child);
	}
	return rc;
}

/* Where the order cannot take what comes, nested instances that are still open may have to end first: those that may
 * have, then any. */
static int make_way(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, uint32_t letter,
		    const struct iq_event *event)
{
	bool takes_it = letter == IQ_SYMBOL_NONE || track->states[0] == IQ_STATES_LOST;
	int rc = track->dim ? admit_ends(follower, track) : 0;

	for (int any = 0; any < 2 && rc == 0 && !takes_it; any++) {
		struct iq_track *child = NULL;

		do {
			rc = takes(follower, track->states[0], letter, &takes_it);
			if (rc < 0 || takes_it)
				break;
			rc = oldest_child(follower, track, any, &child);
			if (rc == 0 && child)
				rc = meet_before_end(checker, follower, child, event);
			if (rc == 0 && child)
				rc = end_child(checker, follower, track, child);
		} while (rc == 0 && child);
	}
	return rc;
}

static int step_rules(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, uint32_t symbol,
		      enum iq_part part)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	struct iq_states_facts facts = { .any_alive = true };
	int rc = 0;

	for (size_t i = 0; i < lifecycle->rule_count && rc == 0; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];
		iq_states *states = rule->automaton ? &track->states[follower->places[i]] : NULL;
		uint32_t letter = states ? letter_of(rule, symbol, part) : IQ_SYMBOL_NONE;

		if (symbol < lifecycle->names.count && rule->activates && rule->activates[symbol])
			follower->activated[i] = true;
		if (letter == IQ_SYMBOL_NONE || *states == IQ_STATES_LOST)
			continue;
		rc = step_state(rule, states, letter, &facts);
		if (rc == 0 && i == 0 && !track->over &&
		    (facts.complete || letter == IQ_LETTER_FINAL(rule->automaton))) {
			track->over = true;
			track->cancelled = is_final(follower, symbol);
			if (track->trace && track->cancelled)
				track->trace->final_at = track->trace->count - 1;
		}
		track->faulty |= rc == 0 && !facts.any_alive;
		track->renewed |= rc == 0 && i == 0 && track->dim && !track->over &&
				  iq_states_has(rule->automaton, *states, IQ_NODE_EMPTY);
		rc = rc == IQ_ERR_LIMIT ? 0 : rc;
	}
	return rc < 0 ? iq_checker_nomem(checker) : 0;
}

/* Where the track is not traced only the dark ends here. */
static int trace_step(struct iq_checker *checker, struct iq_track *track, uint32_t symbol, enum iq_part part,
		      const struct iq_seen *seen)
{
	struct iq_stride stride;

	if (track->trace)
		stride = (struct iq_stride){ seen->event->id, seen->at,	     symbol,	 seen->source,
					     seen->stream,    (uint8_t)part, track->dark };
	track->dark = false;
	return track->trace && iq_trace_add(track->trace, &stride) < 0 ? iq_checker_nomem(checker) : 0;
}

/* An event of the track: one of its own, or the first of a nested one. */
static int step(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, uint32_t symbol,
		enum iq_part part, const struct iq_seen *seen)
{
	int rc = track->children ? make_way(checker, follower, track,
					    letter_of(&follower->lifecycle->rules[0], symbol, part), seen->event)
				 : 0;

	if (rc == 0 && follower->watches)
		rc = iq_watch_step(checker, follower, track, symbol, part, seen);
	if (rc == 0)
		rc = note_whereabouts(checker, track, seen);
	/* What no rule but a sequence sees leaves the others where they are. */
	if (rc == 0 && symbol != IQ_SYMBOL_NONE)
		rc = trace_step(checker, track, symbol, part, seen);
	return rc < 0 || symbol == IQ_SYMBOL_NONE ? rc : step_rules(checker, follower, track, symbol, part);
}

/* ---- Ends of nested instances ---- */

static void forget_child(struct iq_track *parent, const struct iq_track *child)
{
	struct iq_track **link = &parent->children;

	while (*link && *link != child)
		link = &(*link)->sibling;
	if (*link)
		*link = child->sibling;
}

/* The gaps between its last event and the one before which it ends, or the ends of its evidence. */
static int meet_before_end(struct iq_checker *checker, const struct iq_follower *follower, struct iq_track *child,
			   const struct iq_event *next)
{
	struct iq_follower *own = follower->children[child->symbol];

	if (checker->gap_count == 0)
		return 0;
	return next ? iq_darkness_meet(checker, own, child, next) : iq_darkness_meet_rest(checker, own, child);
}

/* In the dark it may have ended before: what the parent's order can have come to by then counts as well. */
static int step_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *parent,
		    const struct iq_track *child)
{
	const iq_states before = parent->states[0];
	int rc = step_rules(checker, follower, parent, child->symbol, IQ_PART_END);

	if (rc < 0 || !parent->dim || before == IQ_STATES_LOST)
		return rc;
	return iq_darkness_admit(follower, parent, before) < 0 ? iq_checker_nomem(checker) : 0;
}

static int end_child(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *parent,
		     struct iq_track *child)
{
	const struct iq_event event = { .id = child->last_id };
	const struct iq_seen seen = { .event = &event,
				      .at = child->last_ts,
				      .source = child->last_source,
				      .stream = child->stream,
				      .type = IQ_SYMBOL_NONE };
	int rc;

	forget_child(parent, child);
	child->ended = true;
	rc = iq_watch_step(checker, follower, parent, child->symbol, IQ_PART_END, &seen);
	/* Where its end may lie in the dark, what is dark there may hold it. */
	if (rc == 0 && !parent->dim)
		rc = trace_step(checker, parent, child->symbol, IQ_PART_END, &seen);
	return rc < 0 ? rc : step_end(checker, follower, parent, child);
}

int iq_follow_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track)
{
	int rc = 0;

	while (rc == 0 && track->children) {
		struct iq_track *oldest = NULL;

		rc = oldest_child(follower, track, true, &oldest);
		if (rc == 0)
			rc = meet_before_end(checker, follower, oldest, NULL);
		if (rc == 0)
			rc = end_child(checker, follower, track, oldest);
	}
	return rc;
}

/* Its parent could not go on unless it had ended, and now it goes on: the parent's order was broken then, unless the
 * fault is its own. The step that told its end is taken back, to stand where it is told again. */
static int go_on_after_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *child)
{
	struct iq_track *parent = child->parent;
	struct iq_follower *above = follower->parent;
	struct iq_trace *trace = parent->trace;
	size_t at = trace ? trace->count : 0;
	int rc;

	if (child->over || child->faulty)
		return 0;
	while (at > 0 && !(trace->strides[at - 1].part == IQ_PART_END && trace->strides[at - 1].id == child->last_id))
		at--;
	if (at > 0) {
		trace->strides[at].dark |= trace->strides[at - 1].dark;
		memmove(&trace->strides[at - 1], &trace->strides[at],
			(trace->count - at + 1) * sizeof(*trace->strides));
		trace->count--;
	}
	parent->faulty = true;
	child->ended = false;
	child->sibling = parent->children;
	parent->children = child;
	rc = parent->states[0] == IQ_STATES_LOST
		     ? 0
		     : iq_states_step(above->lifecycle->rules[0].automaton, parent->states[0],
				      IQ_LETTER_FOREIGN(above->lifecycle->rules[0].automaton), &parent->states[0]);
	if (rc == IQ_ERR_LIMIT)
		parent->states[0] = IQ_STATES_LOST;
	return rc == IQ_ERR_NOMEM ? iq_checker_nomem(checker) : 0;
}

/* ---- From the event to its track ---- */

/* Could an instance begin with this symbol, when the last one with its key is over? */
static int may_begin(struct iq_checker *checker, struct iq_follower *follower, const struct iq_track *before,
		     uint32_t symbol, bool *ret_may)
{
	const struct iq_rule *order = &follower->lifecycle->rules[0];
	uint32_t letter = symbol == IQ_SYMBOL_NONE ? IQ_SYMBOL_NONE : iq_rule_letter(order, symbol);
	iq_states states = order->start;
	int rc = 0;

	*ret_may = false;
	if (letter == IQ_SYMBOL_NONE)
		return 0;
	if (before->dark)
		rc = iq_states_blur(order->automaton, states, iq_darkness_letters(follower, before->shade->lost),
				    &states);
	if (rc == 0)
		rc = takes(follower, states, letter, ret_may);
	/* Too much may have happened in the dark to list it. */
	*ret_may |= rc == IQ_ERR_LIMIT;
	return rc == IQ_ERR_NOMEM ? iq_checker_nomem(checker) : 0;
}

/* An instance that goes on in another session: what that one held before it was seen, and the gaps between the two. */
static int enter_session(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
			 const struct iq_event *event)
{
	int rc = 0;

	if (event->session_no == 0 || iq_numbers_has(&track->sessions, event->session_no))
		return 0;
	if (track->shade && track->shade->held) {
		rc = iq_darkness_fall(follower, track, track->shade->held, track->shade->held_lost);
		track->shade->held = NULL;
	}
	if (rc == 0 && start_unseen(checker, follower, event)) {
		track->start_unseen |= !track->over;
		rc = iq_darkness_fall(follower, track, NULL, -1);
	}
	return rc < 0 ? iq_checker_nomem(checker) : 0;
}

static int find_parent(struct iq_checker *checker, struct iq_follower *follower, const struct iq_seen *seen,
		       struct iq_track **ret_parent);

static int begin_nested(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
			const struct iq_seen *seen)
{
	struct iq_track *parent;
	int rc = find_parent(checker, follower, seen, &parent);

	if (rc < 0)
		return rc;
	track->parent = parent;
	follower->parent->seen[follower->symbol]++;
	/* That may end others before it. */
	rc = step(checker, follower->parent, parent, follower->symbol, IQ_PART_BEGIN, seen);
	track->sibling = parent->children;
	parent->children = track;
	return rc;
}

/* The last one with the key in checker->key, or of the session where that is the key. */
static struct iq_track *latest_track(const struct iq_checker *checker, const struct iq_follower *follower,
				     const struct iq_seen *seen)
{
	const struct iq_key *key;

	if (follower->by_session) {
		uint32_t place = follower->by_session[seen->event->session_no];

		return place ? follower->tracks[place - 1] : NULL;
	}
	key = iq_keys_find(&follower->latest, iq_buf_view(&checker->key));
	return key ? follower->tracks[key->number] : NULL;
}

/* Has another instance with the same key begun since? */
static bool is_superseded(const struct iq_follower *follower, const struct iq_track *track)
{
	const uint64_t latest = follower->by_session ? follower->by_session[track->key] - 1
						     : follower->latest.entries[track->key].number;

	return latest != track->number;
}

/* Nobody knows whether it is still the instance that it was. */
static bool may_be_another(const struct iq_track *track)
{
	return track->renewed || track->states[0] == IQ_STATES_LOST;
}

/* What has the key now is nested in another parent. */
static bool is_left_behind(const struct iq_follower *follower, const struct iq_track *track)
{
	return track->parent && (is_superseded(follower->parent, track->parent) ||
				 (track->ended && !track->over && may_be_another(track->parent)));
}

/* Where two instances with one key follow each other closer than their clocks tell, an event of one may be of the other. */
static void note_edge(const struct iq_checker *checker, struct iq_track *before, struct iq_track *track,
		      const struct iq_seen *seen)
{
	int64_t unsure = before->edge ? iq_checker_widest(checker) : 0;

	for (size_t i = 0; i < iq_numbers_count(&before->sources); i++) {
		int64_t one = iq_checker_uncertainty(checker, iq_numbers_at(&before->sources, i), seen->source);

		unsure = one > unsure ? one : unsure;
	}
	if (unsure == 0 || seen->at == IQ_TIME_NONE || before->last_ts == IQ_TIME_NONE ||
	    seen->at - before->last_ts > unsure)
		return;
	before->edge = track->edge = true;
}

/* The track of the key in checker->key, a new one where the last is over, or its parent has another one after it. */
static int find_track(struct iq_checker *checker, struct iq_follower *follower, const struct iq_seen *seen,
		      uint32_t symbol, struct iq_track **ret_track)
{
	struct iq_track *before = latest_track(checker, follower, seen);
	bool anew = !before;
	int rc = 0;

	*ret_track = before;
	if (before && checker->gap_count > 0)
		rc = iq_darkness_meet(checker, follower, before, seen->event);
	if (rc == 0 && before)
		rc = enter_session(checker, follower, before, seen->event);
	if (rc == 0 && before && is_left_behind(follower, before))
		anew = true;
	else if (rc == 0 && before && before->over)
		rc = may_begin(checker, follower, before, symbol, &anew);
	if (rc < 0 || !anew)
		return rc;
	*ret_track = new_track(checker, follower, iq_buf_view(&checker->key), seen->event->session_no, seen->event->id);
	if (*ret_track && before)
		note_edge(checker, before, *ret_track, seen);
	rc = *ret_track ? set_start(checker, follower, *ret_track, before, seen, symbol) : iq_checker_nomem(checker);
	return rc == 0 && follower->parent ? begin_nested(checker, follower, *ret_track, seen) : rc;
}

/* The parent's key is what the nested one's begins with. */
static int find_parent(struct iq_checker *checker, struct iq_follower *follower, const struct iq_seen *seen,
		       struct iq_track **ret_parent)
{
	size_t len = checker->key.len;

	while (len > 0 && checker->key.data[len - 1] != IQ_KEY_DIVIDER)
		len--;
	checker->key.len = len ? len - 1 : 0;
	return find_track(checker, follower->parent, seen, follower->symbol, ret_parent);
}

/* A nested instance's events are where its parents are, too. */
static int follow_parents(struct iq_checker *checker, struct iq_follower *follower, const struct iq_track *track,
			  const struct iq_seen *seen)
{
	int rc = 0;

	for (; track->parent && rc == 0; track = track->parent, follower = follower->parent) {
		if (checker->gap_count > 0)
			rc = iq_darkness_meet(checker, follower->parent, track->parent, seen->event);
		if (rc == 0)
			rc = enter_session(checker, follower->parent, track->parent, seen->event);
		if (rc == 0 && seen->event->session_no &&
		    iq_numbers_add(&track->parent->sessions, seen->event->session_no) < 0)
			rc = iq_checker_nomem(checker);
		track->parent->loose |= track->loose;
		/* They go on with its numbers, and are no pause of it. */
		if (rc == 0)
			rc = iq_watch_step(checker, follower->parent, track->parent, IQ_SYMBOL_NONE, IQ_PART_WHOLE,
					   seen);
		note_last(track->parent, seen);
	}
	return rc;
}

/* A nested instance is another one in another parent. */
static int may_be_of_another(const struct iq_follower *follower, struct iq_track *track)
{
	if (!may_be_another(track->parent) || track->over)
		return 0;
	return iq_darkness_admit(follower, track, follower->lifecycle->rules[0].start);
}

/* Where the dark leaves open which of its events was its last one, it may be another instance that goes on. */
static int may_begin_anew(const struct iq_follower *follower, const struct iq_track *track)
{
	const struct iq_rule *order = &follower->parent->lifecycle->rules[0];
	struct iq_track *parent = track->parent;
	iq_states begun;
	int rc;

	if (!parent->dim || track->over || track->states[0] == IQ_STATES_LOST ||
	    !iq_states_has(follower->lifecycle->rules[0].automaton, track->states[0], IQ_NODE_EMPTY))
		return 0;
	rc = iq_darkness_end(follower->parent, parent, track);
	if (rc < 0 || parent->states[0] == IQ_STATES_LOST)
		return rc;
	rc = iq_states_step(order->automaton, parent->states[0], iq_rule_letter(order, follower->symbol), &begun);
	if (rc == 0)
		return iq_darkness_admit(follower->parent, parent, begun);
	parent->states[0] = IQ_STATES_LOST;
	return rc == IQ_ERR_LIMIT ? 0 : rc;
}

static int follow_instance(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen,
			   uint32_t symbol)
{
	struct iq_track *track;
	bool has_key = true;
	int rc = need(seen, follower->key_columns);

	if (rc == 0 && !follower->by_session)
		rc = make_key(checker, follower, seen->event, &has_key);
	else if (rc == 0)
		has_key = seen->event->session_no != 0;
	if (rc == 0 && !has_key)
		follower->no_key++;
	if (rc < 0 || !has_key)
		return rc;
	rc = find_track(checker, follower, seen, symbol, &track);
	if (rc == 0)
		follower->last = track;
	if (rc == 0 && track->parent)
		rc = follow_parents(checker, follower, track, seen);
	if (rc == 0 && track->ended && symbol != IQ_SYMBOL_NONE)
		rc = go_on_after_end(checker, follower, track);
	if (rc == 0 && track->parent && symbol != IQ_SYMBOL_NONE)
		rc = may_begin_anew(follower, track);
	if (rc == 0 && track->parent && symbol != IQ_SYMBOL_NONE)
		rc = may_be_of_another(follower, track);
	if (rc == IQ_ERR_NOMEM)
		return iq_checker_nomem(checker);
	if (rc == 0)
		rc = step(checker, follower, track, symbol, IQ_PART_WHOLE, seen);
	if (rc == 0 && track->over && track->parent && !track->ended)
		rc = end_child(checker, follower->parent, track->parent, track);
	return rc;
}

/* ---- What an event is to a lifecycle ---- */

static int follow_malformed(struct iq_checker *checker, struct iq_follower *follower, const struct iq_seen *seen)
{
	const struct iq_event *event = seen->event;
	struct iq_stride stride = { .id = event->id, .ts = seen->at, .symbol = IQ_SYMBOL_NONE };
	struct iq_track *track;
	const struct iq_key *key;

	iq_buf_clear(&checker->key);
	/* No value has an escape before a divider. */
	(void)iq_buf_append_char(&checker->key, IQ_KEY_ESCAPE);
	(void)iq_buf_append_char(&checker->key, IQ_KEY_DIVIDER);
	iq_key_append_value(&checker->key, event->session_no ? event->session : event->source);
	if (checker->key.failed)
		return iq_checker_nomem(checker);
	key = iq_keys_find(&follower->latest, iq_buf_view(&checker->key));
	track = key ? follower->tracks[key->number]
		    : new_track(checker, follower, iq_buf_view(&checker->key), 0, event->id);
	if (!track)
		return iq_checker_nomem(checker);
	track->malformed = true;
	if (track->trace && iq_trace_add(track->trace, &stride) < 0)
		return iq_checker_nomem(checker);
	return note_whereabouts(checker, track, seen);
}

bool iq_follower_reads_damage(const struct iq_follower *follower, const struct iq_event *event)
{
	return !event->type.data && event->kind == IQ_KIND_WS_MESSAGE && iq_lifecycle_reads_body(follower->lifecycle);
}

/* A message that begins like JSON and is not: its type and its instance cannot be told. */
static bool is_malformed(const struct iq_follower *follower, const struct iq_event *event)
{
	struct iq_view body = iq_view_trim(event->body);

	return iq_follower_reads_damage(follower, event) && !event->body_is_binary && body.len > 0 &&
	       body.data[0] == '{' && !iq_json_valid(body);
}

static int count_type(struct iq_checker *checker, struct iq_follower *follower, uint32_t type, bool is_named)
{
	if (type == IQ_SYMBOL_NONE)
		return 0;
	if (IQ_ARRAY_GROW(follower->type_counts, follower->type_capacity, (size_t)type + 1) < 0)
		return iq_checker_nomem(checker);
	follower->type_counts[type]++;
	checker->named[type] |= is_named;
	return 0;
}

static bool has_sequence(const struct iq_lifecycle *lifecycle)
{
	for (size_t i = 0; i < lifecycle->rule_count; i++)
		if (lifecycle->rules[i].kind == IQ_RULE_SEQUENCE)
			return true;
	return false;
}

/* A pattern that took too long says nothing of this event, and the lifecycle is not judged ok any more. */
static int test_conditions(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen,
			   struct iq_class *ret_class)
{
	int rc = need(seen, follower->condition_columns);

	*ret_class = (struct iq_class){ .symbol = IQ_SYMBOL_NONE };
	if (rc < 0)
		return rc;
	iq_buf_clear(&checker->scratch);
	rc = iq_lifecycle_selects(follower->lifecycle, seen->event, &checker->scratch);
	ret_class->selected = rc > 0;
	if (rc > 0)
		rc = iq_lifecycle_symbol(follower->lifecycle, seen->event, &checker->scratch, &ret_class->symbol);
	if (rc < 0) {
		ret_class->selected = false;
		follower->limited = true;
	}
	/* A nested lifecycle's name is no type. */
	if (ret_class->symbol != IQ_SYMBOL_NONE && follower->children[ret_class->symbol])
		ret_class->symbol = IQ_SYMBOL_NONE;
	return 0;
}

/* Everything that conditions on few-valued columns can tell apart; never 0. */
static uint64_t class_name(const struct iq_seen *seen)
{
	const struct iq_event *event = seen->event;

	return ((uint64_t)seen->type + 1) << 32 | ((uint64_t)seen->source & 0x3fffff) << 10 |
	       (uint64_t)event->kind << 5 | (uint64_t)event->direction << 3 | (uint64_t)event->severity | 1ull << 63;
}

int iq_follower_classify(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen,
			 struct iq_class *ret_class)
{
	struct iq_class *known;
	uint64_t name;
	int rc;

	if (!follower->plain)
		return test_conditions(checker, follower, seen, ret_class);
	name = class_name(seen);
	known = &follower->classes[(name * 0x9e3779b97f4a7c15ull >> 32) % IQ_CLASSES];
	if (known->name != name) {
		rc = test_conditions(checker, follower, seen, known);
		if (rc < 0)
			return rc;
		known->name = name;
	}
	*ret_class = *known;
	return 0;
}

/* What another lifecycle of the same tree names is not foreign to a closed one. */
static int is_named_elsewhere(struct iq_checker *checker, const struct iq_follower *follower, struct iq_seen *seen,
			      bool *ret_is)
{
	int rc = 0;

	*ret_is = false;
	for (size_t i = 0; i < checker->follower_count && rc == 0 && !*ret_is; i++) {
		struct iq_follower *other = &checker->followers[i];
		struct iq_class class;

		if (other == follower || other->root != follower->root)
			continue;
		rc = iq_follower_classify(checker, other, seen, &class);
		*ret_is = rc == 0 && class.symbol != IQ_SYMBOL_NONE;
	}
	return rc;
}

/* A selected event that the lifecycle does not name. */
static int follow_unnamed(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	uint32_t type = seen->type == IQ_SYMBOL_NONE ? ~IQ_SYMBOL_UNNAMED : seen->type;
	bool elsewhere = true;
	int rc = iq_follower_reads_damage(follower, seen->event)
			 ? need(seen, 1u << IQ_COLUMN_BODY | 1u << IQ_COLUMN_SESSION)
			 : 0;

	if (rc < 0)
		return rc;
	if (is_malformed(follower, seen->event))
		return follow_malformed(checker, follower, seen);
	if (lifecycle->unnamed_too || has_sequence(lifecycle))
		rc = is_named_elsewhere(checker, follower, seen, &elsewhere);
	/* What a nested lifecycle names comes to its parents through it. */
	if (rc < 0 || elsewhere)
		return rc;
	return follow_instance(checker, follower, seen,
			       lifecycle->unnamed_too ? IQ_SYMBOL_UNNAMED | type : IQ_SYMBOL_NONE);
}

int iq_follow_one(struct iq_checker *checker, struct iq_follower *follower, struct iq_seen *seen)
{
	struct iq_class class;
	bool named;
	int rc = iq_follower_classify(checker, follower, seen, &class);

	if (rc < 0 || !class.selected)
		return rc;
	named = class.symbol != IQ_SYMBOL_NONE;
	rc = count_type(checker, follower, seen->type, named || follower->lifecycle->unnamed_too);
	if (rc < 0)
		return rc;
	if (!named)
		return follow_unnamed(checker, follower, seen);
	follower->events++;
	follower->seen[class.symbol]++;
	return follow_instance(checker, follower, seen, class.symbol);
}

int iq_follow(struct iq_checker *checker, struct iq_seen *seen)
{
	int rc = 0;

	for (size_t i = 0; i < checker->follower_count && rc == 0; i++)
		rc = iq_follow_one(checker, &checker->followers[i], seen);
	return rc;
}

/* ---- Followers ---- */

/* Numbers the rules: automata and watches each from 0. */
static int place_rules(struct iq_checker *checker, struct iq_follower *follower)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	size_t *places = iq_arena_calloc(checker->memory, lifecycle->rule_count + 1, sizeof(*places));

	if (!places)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];

		places[i] = rule->automaton ? follower->automata++ : follower->watches++;
		if (rule->kind == IQ_RULE_CONSTRAINT && rule->automaton)
			iq_automaton_once(rule->automaton);
	}
	follower->places = places;
	follower->aligners = calloc(follower->automata + 1, sizeof(struct iq_aligner *));
	return follower->aligners ? 0 : iq_checker_nomem(checker);
}

/* What conditions on a text or on the session read differs from event to event. */
#define CLASS_COLUMNS \
	(1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_DIRECTION | \
	 1u << IQ_COLUMN_SEVERITY)

static uint32_t fields_columns(const struct iq_field *fields, size_t count)
{
	uint32_t columns = 0;

	for (size_t i = 0; i < count; i++)
		columns |= iq_field_columns(&fields[i]);
	return columns;
}

static uint32_t sequence_columns(const struct iq_sequence *sequence)
{
	return iq_field_columns(&sequence->first) | iq_field_columns(&sequence->last) |
	       (sequence->previous.text.data ? iq_field_columns(&sequence->previous) : 0);
}

static void set_columns(struct iq_follower *follower)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;

	follower->condition_columns = iq_condition_columns(lifecycle->select);
	for (size_t i = 0; i < lifecycle->alias_count; i++)
		follower->condition_columns |= iq_condition_columns(lifecycle->aliases[i].condition);
	follower->plain = (follower->condition_columns & ~CLASS_COLUMNS) == 0;
	for (const struct iq_follower *at = follower; at; at = at->parent)
		follower->key_columns |= fields_columns(at->lifecycle->key, at->lifecycle->key_count) |
					 fields_columns(at->lifecycle->parent, at->lifecycle->parent_count);
	for (const struct iq_follower *at = follower; at; at = at->parent)
		for (size_t i = 0; i < at->lifecycle->rule_count; i++)
			if (at->lifecycle->rules[i].sequence)
				follower->key_columns |= sequence_columns(at->lifecycle->rules[i].sequence);
}

/* Where the key is the session alone its number is the key. */
static int index_sessions(struct iq_checker *checker, struct iq_follower *follower)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	size_t count = checker->session_count;

	if (follower->parent || lifecycle->key_count != 1 || lifecycle->key[0].place != IQ_FIELD_COLUMN ||
	    lifecycle->key[0].column != IQ_COLUMN_SESSION)
		return 0;
	follower->session_room = count ? (size_t)checker->sessions[count - 1].no + 1 : 1;
	follower->by_session = calloc(follower->session_room, sizeof(*follower->by_session));
	follower->key_columns &= ~(1u << IQ_COLUMN_SESSION);
	return follower->by_session ? 0 : iq_checker_nomem(checker);
}

int iq_follower_init(struct iq_checker *checker, struct iq_follower *follower)
{
	size_t names = follower->lifecycle->names.count + 1;

	follower->seen = calloc(names, sizeof(*follower->seen));
	follower->activated = calloc(follower->lifecycle->rule_count + 1, sizeof(*follower->activated));
	follower->children = iq_arena_calloc(checker->memory, names, sizeof(struct iq_follower *));
	follower->classes = calloc(IQ_CLASSES, sizeof(*follower->classes));
	if (!follower->seen || !follower->activated || !follower->children || !follower->classes)
		return iq_checker_nomem(checker);
	set_columns(follower);
	if (index_sessions(checker, follower) < 0)
		return IQ_ERR_NOMEM;
	return place_rules(checker, follower);
}

void iq_follower_reset(struct iq_follower *follower)
{
	for (size_t i = 0; i < follower->count; i++)
		iq_track_release(follower->tracks[i]);
	iq_keys_clear(&follower->latest);
	follower->room = (struct iq_track_room){ 0 };
	iq_map_clear(&follower->loose);
	memset(follower->seen, 0, follower->lifecycle->names.count * sizeof(*follower->seen));
	if (follower->type_capacity)
		memset(follower->type_counts, 0, follower->type_capacity * sizeof(*follower->type_counts));
	if (follower->by_session)
		memset(follower->by_session, 0, follower->session_room * sizeof(*follower->by_session));
	follower->count = 0;
	follower->events = follower->no_key = 0;
}

void iq_follower_release(struct iq_follower *follower)
{
	for (size_t i = 0; i < follower->count; i++)
		iq_track_release(follower->tracks[i]);
	free(follower->tracks);
	free(follower->seen);
	free(follower->activated);
	free(follower->type_counts);
	for (size_t i = 0; follower->aligners && i < follower->automata; i++)
		iq_aligner_free(follower->aligners[i]);
	free(follower->aligners);
	free(follower->classes);
	free(follower->by_session);
	iq_keys_release(&follower->latest);
	iq_map_release(&follower->loose);
	iq_map_release(&follower->reasons);
}
