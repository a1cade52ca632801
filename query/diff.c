/* What changed between two recordings, and how certain that is. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "query/diff.h"

/* Of what is called certain, one in twenty is not. */
#define FALSE_DISCOVERIES 0.05
/* Smaller differences are not told, however certain: a chance of 0.6 that one of the incident takes longer, */
#define LEAST_EFFECT 0.1
/* and of what is not certain, larger ones only: points of a share, */
#define LARGE_SHARE 0.1
/* and a chance that is hard to explain by luck alone, were it the only one looked at. */
#define SINGLE_P 0.05
#define LEAST_DURATIONS 3u
/* A step that so many of those who came to another one took behind it belongs to that. */
#define NEARLY_ALWAYS 0.9

static const char *const signal_classes[] = {
	[IQ_SIGNAL_LOG] = "log",    [IQ_SIGNAL_CONTAINER] = "container", [IQ_SIGNAL_CLOSE] = "socket",
	[IQ_SIGNAL_NET] = "socket", [IQ_SIGNAL_HTTP] = "http",		 [IQ_SIGNAL_PROBE] = "probe",
	[IQ_SIGNAL_TYPE] = "type",
};

/* ---- Changes ---- */

static struct iq_change *add_change(struct iq_diff *diff, enum iq_change_kind kind)
{
	if (IQ_ARRAY_GROW(diff->changes, diff->change_capacity, diff->change_count + 1) < 0)
		return NULL;
	diff->changes[diff->change_count] = (struct iq_change){ .kind = kind, .p = 1, .q = 1 };
	return &diff->changes[diff->change_count++];
}

static int set_text(struct iq_diff *diff, struct iq_change *change)
{
	change->text = iq_arena_copy(&diff->memory, iq_buf_view(&diff->text));
	return change->text.data ? 0 : IQ_ERR_NOMEM;
}

static double share(const struct iq_change *change, int side)
{
	return change->all[side] ? (double)change->hits[side] / (double)change->all[side] : 0;
}

/* ---- Steps: how many cases reach each ---- */

static bool has_reached(const struct iq_diff_case *one, uint32_t bit)
{
	return one->reached[bit / 64] >> bit % 64 & 1;
}

void iq_diff_count_cases(const struct iq_diff_side *side, const struct iq_diff_step *step, uint64_t *ret_hits,
			 uint64_t *ret_all)
{
	*ret_hits = *ret_all = 0;
	for (size_t i = 0; i < side->case_count; i++) {
		const struct iq_diff_case *one = &side->cases[i];

		if (one->lifecycle != step->lifecycle || one->left_open)
			continue;
		++*ret_all;
		*ret_hits += has_reached(one, step->bit);
	}
}

/* Cases of the incident that did not reach it (or did, where more of them do): their last events. */
static void find_examples(const struct iq_diff_side *side, const struct iq_diff_step *step, bool reached,
			  struct iq_diff_examples *examples)
{
	for (size_t i = 0; i < side->case_count && examples->count < IQ_DIFF_EXAMPLES; i++) {
		const struct iq_diff_case *one = &side->cases[i];

		if (one->lifecycle == step->lifecycle && !one->left_open && has_reached(one, step->bit) == reached)
			examples->items[examples->count++] = (struct iq_diff_example){ one->last_event, one->session };
	}
}

static int add_step(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_step *step = &diff->step_facts[number];
	struct iq_change *change = add_change(diff, IQ_CHANGE_STEP);

	if (!change)
		return IQ_ERR_NOMEM;
	iq_buf_clear(&diff->text);
	(void)iq_buf_append(&diff->text, diff->lifecycles.entries[step->lifecycle].key);
	(void)iq_buf_append_cstr(&diff->text, ": ");
	(void)iq_buf_append(&diff->text, iq_diff_name(&diff->steps, number));
	for (int side = 0; side < 2; side++)
		iq_diff_count_cases(&diff->sides[side], step, &change->hits[side], &change->all[side]);
	if (change->all[0] > 0 && change->all[1] > 0)
		change->p = iq_stats_shares(change->hits[0], change->all[0], change->hits[1], change->all[1]);
	change->worse = share(change, 1) < share(change, 0);
	change->how = change->worse ? "less" : "more";
	find_examples(&diff->sides[1], step, !change->worse, &change->examples);
	return set_text(diff, change);
}

/* ---- Steps that nearly always follow another: do they still? A step that only some cases come to is lost unseen among the others. ---- */

/* Cases that reached `from`, and of these those that reached `to`. */
static void count_followed(const struct iq_diff_side *side, const struct iq_diff_step *from,
			   const struct iq_diff_step *to, uint64_t *ret_hits, uint64_t *ret_all)
{
	*ret_hits = *ret_all = 0;
	for (size_t i = 0; i < side->case_count; i++) {
		const struct iq_diff_case *one = &side->cases[i];

		if (one->lifecycle != from->lifecycle || one->left_open || !has_reached(one, from->bit))
			continue;
		++*ret_all;
		*ret_hits += has_reached(one, to->bit);
	}
}

static void find_unfollowed(const struct iq_diff_side *side, const struct iq_diff_step *from,
			    const struct iq_diff_step *to, struct iq_diff_examples *examples)
{
	for (size_t i = 0; i < side->case_count && examples->count < IQ_DIFF_EXAMPLES; i++) {
		const struct iq_diff_case *one = &side->cases[i];

		if (one->lifecycle == from->lifecycle && !one->left_open && has_reached(one, from->bit) &&
		    !has_reached(one, to->bit))
			examples->items[examples->count++] = (struct iq_diff_example){ one->last_event, one->session };
	}
}

static int add_follower(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_step *from, *to;
	struct iq_diff_transition transition;
	struct iq_change change = { .kind = IQ_CHANGE_STEP, .q = 1, .how = "less", .worse = true }, *added;
	uint64_t reached[2], all[2];

	memcpy(&transition, diff->transitions.entries[number].key.data, sizeof(transition));
	if (transition.from == IQ_DIFF_WHOLE || transition.from == transition.to)
		return 0;
	from = &diff->step_facts[transition.from];
	to = &diff->step_facts[transition.to];
	for (int side = 0; side < 2; side++) {
		iq_diff_count_cases(&diff->sides[side], from, &reached[side], &all[side]);
		count_followed(&diff->sides[side], from, to, &change.hits[side], &change.all[side]);
	}
	/* Where every case comes to the first, the second tells the same. */
	if (change.all[0] == 0 || change.all[1] == 0 || (reached[0] == all[0] && reached[1] == all[1]) ||
	    share(&change, 0) < NEARLY_ALWAYS || share(&change, 1) >= share(&change, 0))
		return 0;
	added = add_change(diff, IQ_CHANGE_STEP);
	if (!added)
		return IQ_ERR_NOMEM;
	change.p = iq_stats_shares(change.hits[0], change.all[0], change.hits[1], change.all[1]);
	find_unfollowed(&diff->sides[1], from, to, &change.examples);
	iq_buf_clear(&diff->text);
	(void)iq_buf_append(&diff->text, diff->lifecycles.entries[to->lifecycle].key);
	(void)iq_buf_append_cstr(&diff->text, ": ");
	(void)iq_buf_append(&diff->text, iq_diff_name(&diff->steps, transition.to));
	(void)iq_buf_append_cstr(&diff->text, " after ");
	(void)iq_buf_append(&diff->text, iq_diff_name(&diff->steps, transition.from));
	*added = change;
	return set_text(diff, added);
}

/* ---- Transitions: how long they take ---- */

static void append_step(struct iq_diff *diff, uint32_t step)
{
	(void)iq_buf_append(&diff->text, iq_diff_name(&diff->steps, step));
}

static void name_transition(struct iq_diff *diff, const struct iq_diff_transition *transition)
{
	const bool whole = transition->from == IQ_DIFF_WHOLE;
	const uint32_t lifecycle = whole ? transition->to : diff->step_facts[transition->from].lifecycle;

	iq_buf_clear(&diff->text);
	(void)iq_buf_append(&diff->text, diff->lifecycles.entries[lifecycle].key);
	(void)iq_buf_append_cstr(&diff->text, whole ? ": first to last" : ": ");
	if (whole)
		return;
	append_step(diff, transition->from);
	(void)iq_buf_append_cstr(&diff->text, " -> ");
	append_step(diff, transition->to);
}

static struct iq_diff_durations durations_of(const struct iq_diff_side *side, size_t number)
{
	return number < side->duration_capacity ? side->durations[number] : (struct iq_diff_durations){ 0 };
}

static int add_transition(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_durations base = durations_of(&diff->sides[0], number);
	const struct iq_diff_durations incident = durations_of(&diff->sides[1], number);
	struct iq_diff_transition transition;
	struct iq_change *change;
	int rc;

	if (base.count < LEAST_DURATIONS || incident.count < LEAST_DURATIONS)
		return 0;
	change = add_change(diff, IQ_CHANGE_TRANSITION);
	if (!change)
		return IQ_ERR_NOMEM;
	memcpy(&transition, diff->transitions.entries[number].key.data, sizeof(transition));
	name_transition(diff, &transition);
	rc = iq_stats_ranks(base.items, base.count, incident.items, incident.count, &change->ranks);
	change->p = change->ranks.p;
	change->all[0] = base.seen;
	change->all[1] = incident.seen;
	change->worse = change->ranks.greater > 0.5;
	change->how = change->worse ? "slower" : "faster";
	change->examples.items[0] = incident.example;
	change->examples.count = 1;
	return rc == 0 ? set_text(diff, change) : rc;
}

/* ---- Signals: what there is more of ---- */

static struct iq_diff_tally tally_of(const struct iq_diff_side *side, size_t number)
{
	return number < side->tally_capacity ? side->tallies[number] : (struct iq_diff_tally){ 0 };
}

static void name_signal(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_signal *signal = &diff->signal_facts[number];
	const char *severity = signal->class == IQ_SIGNAL_LOG ? iq_severity_name(signal->severity) : NULL;

	iq_buf_clear(&diff->text);
	(void)iq_buf_appendf(&diff->text, "%s%s%s: ", signal_classes[signal->class], severity ? " " : "",
			     severity ? severity : "");
	(void)iq_buf_append(&diff->text, iq_diff_name(&diff->signals, number));
}

static bool is_trouble(const struct iq_diff_signal *signal)
{
	return signal->bad || signal->severity >= IQ_SEVERITY_WARNING;
}

/* How much there was to see: sessions where both have some, else events. */
static double exposure(const struct iq_diff *diff, int side)
{
	const bool sessions = diff->sides[0].session_count > 0 && diff->sides[1].session_count > 0;

	return (double)(sessions ? diff->sides[side].session_count : diff->sides[side].events);
}

/* Where it belongs to sessions these are compared, since one of them may have it a thousand times. */
static double signal_p(const struct iq_diff *diff, const struct iq_diff_tally *base,
		       const struct iq_diff_tally *incident)
{
	const struct iq_diff_side *sides = diff->sides;

	if (base->sessions + incident->sessions > 0 && sides[0].session_count > 0 && sides[1].session_count > 0)
		return iq_stats_shares(base->sessions, sides[0].session_count, incident->sessions,
				       sides[1].session_count);
	return iq_stats_counts(base->events, exposure(diff, 0), incident->events, exposure(diff, 1));
}

static const char *signal_change(const struct iq_diff *diff, const struct iq_change *change)
{
	if (change->events[0] == 0 || change->events[1] == 0)
		return change->events[0] == 0 ? "new" : "gone";
	return (double)change->events[1] * exposure(diff, 0) > (double)change->events[0] * exposure(diff, 1) ? "more"
													     : "less";
}

static int add_signal(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_tally base = tally_of(&diff->sides[0], number),
				   incident = tally_of(&diff->sides[1], number);
	struct iq_change *change = add_change(diff, IQ_CHANGE_SIGNAL);

	if (!change)
		return IQ_ERR_NOMEM;
	name_signal(diff, number);
	change->events[0] = base.events;
	change->events[1] = incident.events;
	change->hits[0] = base.sessions;
	change->hits[1] = incident.sessions;
	change->all[0] = diff->sides[0].session_count;
	change->all[1] = diff->sides[1].session_count;
	change->p = signal_p(diff, &base, &incident);
	change->how = signal_change(diff, change);
	change->worse = is_trouble(&diff->signal_facts[number]) &&
			(strcmp(change->how, "new") == 0 || strcmp(change->how, "more") == 0);
	change->examples = incident.events > 0 ? incident.examples : base.examples;
	return set_text(diff, change);
}

/* What sessions that fail have in common, within the incident. */
static int add_failing(struct iq_diff *diff, size_t number)
{
	const struct iq_diff_side *side = &diff->sides[1];
	const struct iq_diff_tally tally = tally_of(side, number);
	struct iq_change *change;

	if (tally.sessions == 0 || side->failing_count == 0 || side->failing_count == side->session_count)
		return 0;
	change = add_change(diff, IQ_CHANGE_FAILING);
	if (!change)
		return IQ_ERR_NOMEM;
	name_signal(diff, number);
	change->hits[0] = tally.failing;
	change->all[0] = side->failing_count;
	change->hits[1] = tally.sessions - tally.failing;
	change->all[1] = side->session_count - side->failing_count;
	change->events[1] = tally.events;
	change->p = iq_stats_shares(change->hits[0], change->all[0], change->hits[1], change->all[1]);
	change->how = share(change, 0) > share(change, 1) ? "more" : "less";
	change->examples = tally.examples;
	return set_text(diff, change);
}

/* ---- What is told ---- */

static void decide(struct iq_change *change)
{
	const bool large = fabs(share(change, 0) - share(change, 1)) >= LARGE_SHARE;
	const bool effect = change->kind != IQ_CHANGE_TRANSITION || fabs(change->ranks.greater - 0.5) >= LEAST_EFFECT;

	change->certain = change->q <= FALSE_DISCOVERIES && effect;
	switch (change->kind) {
	case IQ_CHANGE_STEP:
		change->how =
			change->certain || (large && change->all[0] > 0 && change->all[1] > 0) ? change->how : NULL;
		break;
	case IQ_CHANGE_TRANSITION:
		change->how = change->certain || (change->p <= SINGLE_P && effect) ? change->how : NULL;
		break;
	case IQ_CHANGE_FAILING:
		change->how = strcmp(change->how, "more") == 0 && (change->certain || change->hits[1] == 0)
				      ? change->how
				      : NULL;
		break;
	default:
		change->how = change->certain || change->events[0] == 0 || change->events[1] == 0 ? change->how : NULL;
		break;
	}
}

static int correct(struct iq_diff *diff, enum iq_change_kind kind)
{
	double *p = calloc(diff->change_count + 1, sizeof(*p));
	size_t count = 0;
	int rc;

	if (!p)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < diff->change_count; i++)
		if (diff->changes[i].kind == kind)
			p[count++] = diff->changes[i].p;
	rc = iq_stats_correct(p, count);
	count = 0;
	for (size_t i = 0; i < diff->change_count; i++)
		if (diff->changes[i].kind == kind)
			diff->changes[i].q = p[count++];
	free(p);
	return rc;
}

/* How large the difference is, within its kind. */
static double size_of_change(const struct iq_change *change)
{
	if (change->kind == IQ_CHANGE_TRANSITION)
		return fabs(change->ranks.greater - 0.5);
	if (change->kind == IQ_CHANGE_SIGNAL)
		return (double)(change->events[0] + change->events[1]);
	return fabs(share(change, 0) - share(change, 1));
}

static int by_weight(const void *a, const void *b)
{
	const struct iq_change *x = a, *y = b;
	const double x_size = size_of_change(x), y_size = size_of_change(y);

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->certain != y->certain)
		return x->certain ? -1 : 1;
	if (x->worse != y->worse)
		return x->worse ? -1 : 1;
	if (x->p != y->p)
		return x->p < y->p ? -1 : 1;
	if (x_size != y_size)
		return x_size > y_size ? -1 : 1;
	return iq_view_cmp(x->text, y->text);
}

static void drop_untold(struct iq_diff *diff)
{
	size_t kept = 0;

	for (size_t i = 0; i < diff->change_count; i++) {
		decide(&diff->changes[i]);
		if (diff->changes[i].how)
			diff->changes[kept++] = diff->changes[i];
	}
	diff->change_count = kept;
	if (kept > 0)
		qsort(diff->changes, kept, sizeof(*diff->changes), by_weight);
}

int iq_diff_compare(struct iq_diff *diff)
{
	int rc = 0;

	for (size_t i = 0; i < diff->steps.count && rc == 0; i++)
		rc = add_step(diff, i);
	for (size_t i = 0; i < diff->transitions.count && rc == 0; i++)
		rc = add_follower(diff, i);
	for (size_t i = 0; i < diff->transitions.count && rc == 0; i++)
		rc = add_transition(diff, i);
	for (size_t i = 0; i < diff->signals.count && rc == 0; i++)
		rc = add_signal(diff, i);
	for (size_t i = 0; i < diff->signals.count && rc == 0; i++)
		rc = add_failing(diff, i);
	for (unsigned kind = 0; kind < IQ_CHANGE_KINDS && rc == 0; kind++)
		rc = correct(diff, (enum iq_change_kind)kind);
	if (rc == 0)
		drop_untold(diff);
	return rc;
}

/* ---- Life ---- */

int iq_diff(struct iq_store *base, struct iq_store *incident, const struct iq_spec *spec, struct iq_diff **ret_diff,
	    struct iq_error *error)
{
	struct iq_diff *diff = calloc(1, sizeof(*diff));
	int rc = diff ? 0 : iq_error_nomem(error);

	if (rc == 0) {
		diff->spec = spec;
		rc = iq_diff_read(diff, &diff->sides[0], base, error);
	}
	if (rc == 0)
		rc = iq_diff_read(diff, &diff->sides[1], incident, error);
	if (rc == 0 && iq_diff_compare(diff) < 0)
		rc = iq_error_nomem(error);
	if (rc < 0) {
		iq_diff_free(diff);
		return rc;
	}
	*ret_diff = diff;
	return 0;
}

static void release_side(struct iq_diff_side *side)
{
	for (size_t i = 0; i < side->duration_capacity; i++)
		free(side->durations[i].items);
	free(side->durations);
	free(side->tallies);
	free(side->cases);
	iq_map_release(&side->known_cases);
	iq_map_release(&side->ids);
	iq_map_release(&side->places);
}

void iq_diff_free(struct iq_diff *diff)
{
	if (!diff)
		return;
	release_side(&diff->sides[0]);
	release_side(&diff->sides[1]);
	iq_map_release(&diff->lifecycles);
	iq_map_release(&diff->steps);
	iq_map_release(&diff->transitions);
	iq_map_release(&diff->signals);
	iq_buf_release(&diff->key);
	iq_buf_release(&diff->text);
	iq_buf_release(&diff->scratch);
	iq_arena_release(&diff->memory);
	free(diff->step_facts);
	free(diff->step_counts);
	free(diff->signal_facts);
	free(diff->changes);
	free(diff);
}

enum iq_diff_outcome iq_diff_outcome(const struct iq_diff *diff, struct iq_view *ret_first)
{
	*ret_first = IQ_VIEW_NULL;
	for (size_t i = 0; i < diff->change_count; i++)
		if (diff->changes[i].certain && diff->changes[i].worse) {
			*ret_first = diff->changes[i].text;
			return IQ_DIFF_WORSE;
		}
	return diff->sides[0].events > 0 && diff->sides[1].events > 0 ? IQ_DIFF_NO_WORSE : IQ_DIFF_NOTHING_TO_COMPARE;
}
