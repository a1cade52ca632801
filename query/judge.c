/* What can be said of an instance when the pass is over: rule by rule, the worst counts. */
#include "query/checker.h"

#include <inttypes.h>

bool iq_sessions_ended(const struct iq_checker *checker, const struct iq_track *track)
{
	const size_t count = iq_numbers_count(&track->sessions);

	for (size_t i = 0; i < count; i++) {
		const struct iq_session *session = iq_checker_session(checker, iq_numbers_at(&track->sessions, i));

		if (!session || !session->end_seen)
			return false;
	}
	return count > 0;
}

static bool is_over(const struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track)
{
	for (; track; track = track->parent, follower = follower->parent)
		if (track->over || track->ended || follower->lifecycle->ends_complete ||
		    iq_sessions_ended(checker, track))
			return true;
	return false;
}

/* A `final` event of a containing instance cancels what is open in it. */
static bool is_cancelled(const struct iq_track *track)
{
	for (; track; track = track->parent)
		if (track->cancelled)
			return true;
	return false;
}

static struct iq_view why_dark(struct iq_checker *checker, const struct iq_track *track, bool lost)
{
	const struct iq_gap *gap = track->shade ? track->shade->gap : NULL;

	if (track->start_unseen)
		return IQ_LIT("began before capture");
	if (gap && gap->count != IQ_NUMBER_NONE)
		return iq_checker_text(&checker->judging, "gap of %" PRId64 " %s: %.200s", gap->count,
				       gap->count == 1 ? "event" : "events", gap->reason.data);
	if (gap)
		return iq_checker_text(&checker->judging, "gap of %" PRIu64 " bytes: %.200s", gap->bytes,
				       gap->reason.data);
	return lost ? IQ_LIT("limit reached") : IQ_LIT("open at capture end");
}

/* The verdict by one rule, with a reason where there is none. */
struct ruling {
	enum iq_verdict verdict;
	struct iq_view reason;
};

/* What may be said of an automaton rule; *ret_open where the order of events is not certain and matters. */
static int facts_of(const struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
		    size_t index, struct iq_states_facts *ret_facts, bool *ret_open)
{
	const struct iq_rule *rule = &follower->lifecycle->rules[index];
	size_t place = follower->places[index];
	int rc;

	*ret_open = false;
	if (track->states[place] == IQ_STATES_LOST)
		return IQ_ERR_LIMIT;
	rc = iq_states_facts(rule->automaton, track->states[place], ret_facts);
	if (rc < 0 || !track->unsure || !track->trace)
		return rc;
	*ret_open = true;
	return iq_reorder(checker, rule, track->trace, track->trace->start[place], ret_facts);
}

static bool is_violated(const struct iq_states_facts *facts, const struct iq_track *track, bool over)
{
	return !facts->any_alive || (over && !facts->any_accepts && !is_cancelled(track));
}

bool iq_is_broken(const struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
		  size_t rule, bool over)
{
	struct iq_states_facts facts;
	bool open;

	if (!follower->lifecycle->rules[rule].automaton)
		return iq_follower_watch(follower, track, rule)->verdict == IQ_VERDICT_VIOLATED;
	return facts_of(checker, follower, track, rule, &facts, &open) == 0 && is_violated(&facts, track, over);
}

static int rule_on_states(struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
			  size_t index, bool over, struct ruling *ret_ruling)
{
	struct iq_states_facts facts = { 0 };
	bool open;
	int rc = facts_of(checker, follower, track, index, &facts, &open);
	bool lost = rc == IQ_ERR_LIMIT;

	*ret_ruling = (struct ruling){ IQ_VERDICT_UNDETERMINED, IQ_VIEW_NULL };
	if (rc < 0 && !lost)
		return iq_checker_nomem(checker);
	if (!lost && is_violated(&facts, track, over))
		ret_ruling->verdict = IQ_VERDICT_VIOLATED;
	else if (!lost && over && (facts.all_accept || (is_cancelled(track) && facts.all_alive)))
		ret_ruling->verdict = IQ_VERDICT_OK;
	else if (open && (over || !facts.all_alive) && !track->start_unseen && !track->shade)
		ret_ruling->reason = IQ_LIT("order within clock uncertainty");
	else
		ret_ruling->reason = over || lost ? why_dark(checker, track, lost) : IQ_LIT("open at capture end");
	return ret_ruling->reason.len && !ret_ruling->reason.data ? iq_checker_nomem(checker) : 0;
}

static int rule_on(struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
		   size_t index, bool over, struct ruling *ret_ruling)
{
	const struct iq_rule *rule = &follower->lifecycle->rules[index];
	const struct iq_watch *watch;

	if (rule->automaton)
		return rule_on_states(checker, follower, track, index, over, ret_ruling);
	watch = iq_follower_watch(follower, track, index);
	*ret_ruling = (struct ruling){ (enum iq_verdict)watch->verdict, IQ_VIEW_NULL };
	if (watch->verdict == IQ_VERDICT_UNDETERMINED)
		ret_ruling->reason = over || track->start_unseen || track->shade ? why_dark(checker, track, false)
										 : IQ_LIT("open at capture end");
	return 0;
}

static void fold(struct iq_judgement *judgement, const struct iq_rule *rule, const struct ruling *ruling)
{
	if (rule->severity != IQ_SEVERITY_NONE && rule->severity < IQ_SEVERITY_ERROR) {
		judgement->explain |= ruling->verdict == IQ_VERDICT_VIOLATED;
		return;
	}
	judgement->explain |= ruling->verdict == IQ_VERDICT_VIOLATED;
	if (ruling->verdict > judgement->verdict) {
		judgement->verdict = ruling->verdict;
		judgement->reason = ruling->reason;
	}
}

int iq_judge(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
	     struct iq_judgement *ret_judgement)
{
	struct iq_judgement judgement = { .verdict = IQ_VERDICT_OK, .over = is_over(checker, follower, track) };
	struct ruling ruling;
	int rc = 0;

	iq_arena_clear(&checker->judging);
	if (track->malformed) {
		*ret_judgement = (struct iq_judgement){ .verdict = IQ_VERDICT_VIOLATED, .explain = true };
		return 0;
	}
	if (checker->gap_count > 0)
		rc = iq_darkness_meet_rest(checker, follower, track);
	if (rc == 0 && judgement.over && !track->cancelled)
		rc = iq_follow_end(checker, follower, track);
	if (rc == 0)
		rc = iq_watch_end(checker, follower, track, judgement.over);
	for (size_t i = 0; i < follower->lifecycle->rule_count && rc == 0; i++) {
		rc = rule_on(checker, follower, track, i, judgement.over, &ruling);
		if (rc == 0)
			fold(&judgement, &follower->lifecycle->rules[i], &ruling);
	}
	if (rc == 0 && track->edge && judgement.verdict != IQ_VERDICT_UNDETERMINED) {
		judgement.verdict = IQ_VERDICT_UNDETERMINED;
		judgement.reason = IQ_LIT("order within clock uncertainty");
		judgement.explain = false;
	}
	/* Its trace tells whether the order that is not certain matters. */
	judgement.explain |= track->unsure;
	*ret_judgement = judgement;
	return rc;
}
