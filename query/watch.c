/* Rules that are no automata: deadlines, pauses, spans and numbers. Each keeps the oldest event that waits, or the last
 * number, and what can be said so far; what happened in the dark may have answered, so it is never held against anybody. */
#include "query/checker.h"

/* ---- Verdicts so far ---- */

static void doubt(struct iq_watch *watch)
{
	if (watch->verdict == IQ_VERDICT_OK)
		watch->verdict = IQ_VERDICT_UNDETERMINED;
}

static int breach(struct iq_checker *checker, struct iq_track *track, struct iq_watch *watch,
		  const struct iq_breach *breach)
{
	watch->verdict = IQ_VERDICT_VIOLATED;
	return iq_trace_breach(track->trace, breach) < 0 ? iq_checker_nomem(checker) : 0;
}

/* Is the time between two events certainly longer than the limit, certainly not, or neither? 1, 0, -1. */
static int exceeds(const struct iq_checker *checker, int64_t from, uint32_t from_source, int64_t to, uint32_t to_source,
		   int64_t limit)
{
	int64_t apart, unsure;

	if (from == IQ_TIME_NONE || to == IQ_TIME_NONE)
		return -1;
	unsure = from_source == to_source ? 0 : iq_checker_uncertainty(checker, from_source, to_source);
	apart = to > from ? to - from : 0;
	if (apart > limit && apart - limit > unsure)
		return 1;
	return apart <= limit && limit - apart >= unsure ? 0 : -1;
}

/* ---- Deadlines ---- */

/* Everything about one deadline of one track when an event comes. */
struct deadline {
	struct iq_checker *checker;
	struct iq_track *track;
	const struct iq_rule *rule;
	struct iq_watch *watch;
	const struct iq_seen *seen;
};

static int too_late(const struct deadline *now, enum iq_finding_kind kind, uint64_t after, uint64_t moved, int64_t from)
{
	const struct iq_breach what = { .rule = now->rule,
					.kind = kind,
					.after = after,
					.moved = moved,
					.value = moved ? now->seen->at - from : 0,
					.expected = now->rule->limit_ns };

	return breach(now->checker, now->track, now->watch, &what);
}

/* The answer has come: in time? */
static int answer(const struct deadline *now)
{
	struct iq_watch *watch = now->watch;
	int late = exceeds(now->checker, watch->from, watch->from_source, now->seen->at, now->seen->source,
			   now->rule->limit_ns);

	if (++watch->count < now->rule->deadline->count)
		return 0;
	watch->waits = false;
	if (late == 0)
		return 0;
	if (late < 0 || watch->dark) {
		doubt(watch);
		return 0;
	}
	return too_late(now, IQ_FINDING_LATE, watch->from_id, now->seen->event->id, watch->from);
}

/* What must not come within the limit has come. */
static int forbid(const struct deadline *now, int64_t before, uint32_t before_source, uint64_t before_id)
{
	int late = exceeds(now->checker, before, before_source, now->seen->at, now->seen->source, now->rule->limit_ns);

	if (late > 0)
		return 0;
	if (late < 0) {
		doubt(now->watch);
		return 0;
	}
	return too_late(now, IQ_FINDING_UNEXPECTED, before_id, now->seen->event->id, before);
}

static void begin_waiting(const struct deadline *now)
{
	struct iq_watch *watch = now->watch;

	/* A forbidden one is measured from the latest, any other from the oldest that has no answer yet. */
	if (watch->waits && !watch->dark && !now->rule->deadline->forbidden)
		return;
	watch->from = now->seen->at;
	watch->from_source = now->seen->source;
	watch->from_id = now->seen->event->id;
	watch->count = 0;
	watch->waits = true;
	/* What may have been before it or after it may have been the answer. */
	watch->dark = watch->answered &&
		      now->seen->at - watch->to <=
			      iq_checker_uncertainty(now->checker, watch->to_source, now->seen->source) &&
		      watch->to_source != now->seen->source;
}

/* Was the last answer near enough before this event? */
static bool answered_before(const struct deadline *now, int *ret_late)
{
	*ret_late = now->watch->answered ? exceeds(now->checker, now->watch->to, now->watch->to_source, now->seen->at,
						   now->seen->source, now->rule->limit_ns)
					 : 1;
	return *ret_late == 0;
}

static int ask_back(const struct deadline *now)
{
	const struct iq_deadline *deadline = now->rule->deadline;
	int late;

	if (deadline->forbidden)
		return now->watch->answered ? forbid(now, now->watch->to, now->watch->to_source, now->watch->from_id)
					    : 0;
	if (answered_before(now, &late))
		return 0;
	if (deadline->side == IQ_WITHIN_AROUND) {
		begin_waiting(now);
		return 0;
	}
	if (late < 0 || now->watch->dark || (!now->watch->answered && now->track->start_unseen)) {
		doubt(now->watch);
		return 0;
	}
	return too_late(now, IQ_FINDING_LATE, now->watch->answered ? now->watch->from_id : 0, now->seen->event->id,
			now->watch->answered ? now->watch->to : now->seen->at);
}

static void note_answer(const struct deadline *now)
{
	struct iq_watch *watch = now->watch;

	watch->to = now->seen->at;
	watch->to_source = now->seen->source;
	watch->answered = true;
	if (now->rule->deadline->side == IQ_WITHIN_BEFORE) {
		watch->from_id = now->seen->event->id;
		watch->dark = false;
	}
}

static int step_deadline(const struct deadline *now, bool is_from, bool is_to)
{
	const struct iq_deadline *deadline = now->rule->deadline;
	struct iq_watch *watch = now->watch;
	int rc = 0;

	if (deadline->side == IQ_WITHIN_BEFORE) {
		if (is_from)
			rc = ask_back(now);
		if (is_to)
			note_answer(now);
		else if (deadline->adjacent)
			watch->answered = false;
		return rc;
	}
	if (is_to && watch->waits)
		rc = deadline->forbidden ? forbid(now, watch->from, watch->from_source, watch->from_id) : answer(now);
	if (deadline->adjacent)
		watch->waits = false;
	if (is_to)
		note_answer(now);
	if (!is_from || rc < 0)
		return rc;
	if (deadline->side == IQ_WITHIN_AROUND)
		return ask_back(now);
	begin_waiting(now);
	return 0;
}

/* The instance ends here: what is still in time is cancelled, what has passed is late. */
static int cancel_deadline(const struct deadline *now)
{
	struct iq_watch *watch = now->watch;
	int late = exceeds(now->checker, watch->from, watch->from_source, now->seen->at, now->seen->source,
			   now->rule->limit_ns);

	if (!watch->waits || now->rule->deadline->forbidden || now->rule->deadline->adjacent)
		return 0;
	watch->waits = false;
	if (late > 0 && !watch->dark)
		return too_late(now, IQ_FINDING_LATE, watch->from_id, 0, watch->from);
	if (late != 0)
		doubt(watch);
	return 0;
}

static int watch_deadline(const struct deadline *now, bool is_final, uint32_t symbol, enum iq_part part)
{
	const struct iq_deadline *deadline = now->rule->deadline;
	bool named = symbol < UINT32_MAX && !(symbol & IQ_SYMBOL_UNNAMED);
	/* A nested instance answers with its beginning and asks with its end. */
	bool is_from = named && part != IQ_PART_BEGIN && deadline->from && deadline->from[symbol];
	bool is_to = named && part != IQ_PART_END && deadline->to && deadline->to[symbol];

	if (!deadline->from)
		is_from = now->track->count == 0;
	if (named && is_final && !is_to)
		return cancel_deadline(now);
	return named ? step_deadline(now, is_from, is_to) : 0;
}

/* ---- Pauses and spans ---- */

static int watch_span(const struct deadline *now)
{
	bool idle = now->rule->kind == IQ_RULE_IDLE;
	struct iq_track *track = now->track;
	struct iq_watch *watch = now->watch;
	int64_t from = idle ? track->last_ts : track->first_ts;
	uint64_t from_id = idle ? track->last_id : track->first_id;
	uint32_t source = idle ? track->last_source : iq_track_source(track);
	int late;

	if (track->count == 0 || track->over || (!idle && watch->verdict == IQ_VERDICT_VIOLATED))
		return 0;
	late = exceeds(now->checker, from, source, now->seen->at, now->seen->source, now->rule->limit_ns);
	if (late < 0 || (idle && late > 0 && track->dark))
		doubt(watch);
	return late > 0 && !(idle && track->dark) ? too_late(now, IQ_FINDING_LATE, from_id, now->seen->event->id, from)
						  : 0;
}

/* ---- Numbers ---- */

static bool read_number(struct iq_checker *checker, const struct iq_field *field, const struct iq_event *event,
			int64_t *ret_number)
{
	struct iq_view text;

	iq_buf_clear(&checker->scratch);
	text = iq_field_read(field, event, &checker->scratch);
	return text.data && iq_view_to_int64(text, ret_number);
}

static int misnumbered(const struct deadline *now, int64_t expected, int64_t first)
{
	const struct iq_breach what = { .rule = now->rule,
					.kind = IQ_FINDING_SEQUENCE_GAP,
					.after = now->watch->from_id,
					.moved = now->seen->event->id,
					.value = first,
					.expected = expected };

	return breach(now->checker, now->track, now->watch, &what);
}

/* `last` may end what the numbering began anew with: such an event may begin before it, and older ones are passed over. */
static bool is_stale(const struct iq_watch *watch, int64_t first, int64_t last, int64_t next)
{
	return watch->fresh && (last < next || first <= next);
}

static int compare_number(const struct deadline *now, int64_t first, int64_t last, int64_t previous, bool has_previous)
{
	const struct iq_sequence *sequence = now->rule->sequence;
	struct iq_watch *watch = now->watch;
	int64_t next, given = has_previous ? previous : first;

	if (__builtin_add_overflow(watch->from, has_previous ? 0 : sequence->step, &next))
		return 0;
	if (given == next || is_stale(watch, first, last, has_previous ? next + sequence->step : next))
		return 0;
	/* What the dark held may have been the numbers between, or where they began anew. */
	if (watch->dark && (sequence->restart || (sequence->step >= 0 ? given > next : given < next))) {
		doubt(watch);
		return 0;
	}
	return misnumbered(now, next, given);
}

static int watch_sequence(const struct deadline *now, uint32_t symbol)
{
	const struct iq_sequence *sequence = now->rule->sequence;
	const struct iq_event *event = now->seen->event;
	struct iq_watch *watch = now->watch;
	bool named = symbol < UINT32_MAX && !(symbol & IQ_SYMBOL_UNNAMED);
	bool anew = named && sequence->restart && sequence->restart[symbol];
	int64_t first, last, previous = 0;
	bool has_previous, stale;
	int rc = 0;

	if (!read_number(now->checker, &sequence->last, event, &last))
		return 0;
	if (!read_number(now->checker, &sequence->first, event, &first))
		first = last;
	has_previous = sequence->previous.text.data && read_number(now->checker, &sequence->previous, event, &previous);
	stale = watch->waits && watch->fresh && !anew && last < watch->from;
	if (watch->waits && !anew)
		rc = compare_number(now, first, last, previous, has_previous);
	if (!stale) {
		watch->from = last;
		watch->fresh = anew;
	}
	watch->from_id = event->id;
	watch->waits = true;
	watch->dark = false;
	return rc;
}

/* ---- All of a track ---- */

int iq_watch_step(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, uint32_t symbol,
		  enum iq_part part, const struct iq_seen *seen)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	bool is_final = symbol < lifecycle->names.count && lifecycle->is_final[symbol];
	int rc = 0;

	for (size_t i = 0; follower->watches && i < lifecycle->rule_count && rc == 0; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];
		const struct deadline now = { checker, track, rule, iq_follower_watch(follower, track, i), seen };

		if (rule->kind == IQ_RULE_WITHIN)
			rc = watch_deadline(&now, is_final, symbol, part);
		else if (rule->kind == IQ_RULE_SEQUENCE && part == IQ_PART_WHOLE)
			rc = watch_sequence(&now, symbol);
		else if (rule->kind == IQ_RULE_IDLE || rule->kind == IQ_RULE_TOTAL)
			rc = watch_span(&now);
	}
	return rc;
}

void iq_watch_darken(struct iq_follower *follower, struct iq_track *track)
{
	for (size_t i = 0; follower->watches && i < follower->lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &follower->lifecycle->rules[i];
		struct iq_watch *watch = rule->automaton ? NULL : iq_follower_watch(follower, track, i);

		if (!watch)
			continue;
		watch->dark = true;
		/* Of what the dark may have held nothing is known but for numbers, which tell. */
		if (rule->kind != IQ_RULE_SEQUENCE)
			doubt(watch);
	}
}

/* Until when the evidence of all its sources reaches; an instance without a source knows of no time. */
static int64_t coverage_of(const struct iq_checker *checker, const struct iq_track *track)
{
	const size_t count = iq_numbers_count(&track->sources);
	int64_t reached = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		int64_t until = iq_checker_covered(checker, iq_numbers_at(&track->sources, i));

		reached = until < reached ? until : reached;
	}
	return count ? reached : IQ_TIME_NONE;
}

/* An order that can take nothing more says nothing of what it does not see. */
static bool may_still_come(const struct deadline *now, const struct iq_follower *follower)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;

	if (lifecycle->ends_complete || now->track->ended || iq_sessions_ended(now->checker, now->track))
		return false;
	for (uint32_t symbol = 0; symbol < lifecycle->names.count; symbol++)
		if (now->rule->deadline->to[symbol] && iq_rule_letter(&lifecycle->rules[0], symbol) == IQ_SYMBOL_NONE)
			return true;
	return false;
}

/* Does an automaton that sees what is waited for say already that it is missing, and where? */
static bool is_told_by_automaton(const struct deadline *now, const struct iq_follower *follower, bool over)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;

	for (size_t i = 0; i < lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];
		bool sees = false;

		for (uint32_t symbol = 0; rule->automaton && symbol < lifecycle->names.count; symbol++)
			sees |= now->rule->deadline->to[symbol] && iq_rule_letter(rule, symbol) != IQ_SYMBOL_NONE;
		if (sees && iq_is_broken(now->checker, follower, now->track, i, over))
			return true;
	}
	return false;
}

/* When the last of its sessions ended, aligned; IQ_TIME_NONE where one goes on. */
static int64_t sessions_end(const struct iq_checker *checker, const struct iq_track *track)
{
	const size_t count = iq_numbers_count(&track->sessions);
	int64_t last = IQ_TIME_NONE;

	for (size_t i = 0; i < count && iq_sessions_ended(checker, track); i++) {
		const struct iq_session *session = iq_checker_session(checker, iq_numbers_at(&track->sessions, i));
		int64_t ended =
			iq_checker_aligned(checker, iq_checker_source(checker, session->source), session->ended);

		if (ended != IQ_TIME_NONE && (last == IQ_TIME_NONE || ended > last))
			last = ended;
	}
	return last;
}

/* Until when an answer could have come and been seen: nothing comes for what is over. */
static int64_t waited_until(const struct deadline *now, bool over)
{
	int64_t until = coverage_of(now->checker, now->track);

	for (const struct iq_track *track = now->track; track && over; track = track->parent) {
		int64_t ended = track->over ? track->last_ts : sessions_end(now->checker, track);

		if (ended != IQ_TIME_NONE && (until == IQ_TIME_NONE || ended < until))
			until = ended;
	}
	return until;
}

static int end_deadline(const struct deadline *now, const struct iq_follower *follower, bool over)
{
	struct iq_watch *watch = now->watch;
	bool ended = over && !may_still_come(now, follower), passed;
	int64_t until = waited_until(now, ended);

	if (!watch->waits || now->rule->deadline->forbidden || now->rule->deadline->adjacent || now->track->cancelled)
		return 0;
	passed = watch->from != IQ_TIME_NONE && until != IQ_TIME_NONE && until > watch->from &&
		 until - watch->from > now->rule->limit_ns;
	if (watch->dark || !(passed || ended)) {
		doubt(watch);
		return 0;
	}
	/* What ended before it was late is only missing. */
	if (!passed && is_told_by_automaton(now, follower, over))
		return 0;
	return too_late(now, passed ? IQ_FINDING_LATE : IQ_FINDING_UNTERMINATED, watch->from_id, 0, watch->from);
}

/* Must another event come, by the order? What may have come to its end makes no pause. */
static int must_go_on(const struct iq_follower *follower, const struct iq_track *track, bool *ret_must)
{
	struct iq_states_facts facts = { .any_accepts = true };
	int rc = track->states[0] == IQ_STATES_LOST
			 ? 0
			 : iq_states_facts(follower->lifecycle->rules[0].automaton, track->states[0], &facts);

	*ret_must = rc == 0 && !facts.any_accepts;
	return rc == IQ_ERR_NOMEM ? rc : 0;
}

static int end_span(const struct deadline *now, const struct iq_follower *follower, bool over)
{
	struct iq_track *track = now->track;
	bool idle = now->rule->kind == IQ_RULE_IDLE;
	int64_t from = idle ? track->last_ts : track->first_ts, covered = coverage_of(now->checker, track);
	bool passed = from != IQ_TIME_NONE && covered != IQ_TIME_NONE && covered > from &&
		      covered - from > now->rule->limit_ns;

	bool must;

	if (over || now->watch->verdict == IQ_VERDICT_VIOLATED)
		return 0;
	if (must_go_on(follower, track, &must) < 0)
		return iq_checker_nomem(now->checker);
	if (passed && must && !track->dark)
		return too_late(now, IQ_FINDING_LATE, idle ? track->last_id : track->first_id, 0, from);
	doubt(now->watch);
	return 0;
}

int iq_watch_end(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track, bool over)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	int rc = 0;

	for (size_t i = 0; follower->watches && i < lifecycle->rule_count && rc == 0; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];
		const struct deadline now = { checker, track, rule, iq_follower_watch(follower, track, i), NULL };

		if (rule->kind == IQ_RULE_WITHIN)
			rc = end_deadline(&now, follower, over);
		else if (rule->kind == IQ_RULE_IDLE || rule->kind == IQ_RULE_TOTAL)
			rc = end_span(&now, follower, over);
	}
	return rc;
}
