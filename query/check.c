/* The whole of a check: the passes, and the result that is made of what they left. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/checker.h"
#include "query/nearest.h"

const char *iq_verdict_name(enum iq_verdict verdict)
{
	static const char *const names[] = { "ok", "undetermined", "violated" };

	return verdict <= IQ_VERDICT_VIOLATED ? names[verdict] : NULL;
}

const char *iq_finding_kind_name(enum iq_finding_kind kind)
{
	static const char *const names[] = { "missing", "unterminated", "out-of-order", "duplicate", "unexpected",
					     "late",	"orphan",	"sequence-gap", "malformed" };

	return kind <= IQ_FINDING_MALFORMED ? names[kind] : NULL;
}

int iq_checker_nomem(struct iq_checker *checker)
{
	return iq_error_nomem(checker->error);
}

struct iq_view iq_checker_text(struct iq_arena *arena, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return iq_arena_copy(arena, iq_view_cstr(text));
}

const struct iq_session *iq_checker_session(const struct iq_checker *checker, uint32_t no)
{
	/* Sessions are numbered from 1 on, unless some were dropped. */
	if (no && no <= checker->session_count && checker->sessions[no - 1].no == no)
		return &checker->sessions[no - 1];
	return no ? iq_store_find_session(checker->store, no) : NULL;
}

static struct iq_view number_key(const uint64_t *number)
{
	return iq_view_make((const char *)number, sizeof(*number));
}

void iq_checker_reset(struct iq_checker *checker)
{
	for (size_t i = 0; i < checker->follower_count; i++)
		iq_follower_reset(&checker->followers[i]);
	iq_darkness_reset(checker);
	iq_arena_clear(&checker->pass);
}

/* ---- The result of one lifecycle ---- */

static int want_step(struct iq_checker *checker, uint64_t id)
{
	return id == 0 || iq_map_set(&checker->step_ids, number_key(&id), 0) == 0 ? 0 : iq_checker_nomem(checker);
}

static int want_steps(struct iq_checker *checker, const struct iq_instance *instance)
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

/* Its sessions have to be read again to explain it. */
static int choose(struct iq_checker *checker, struct iq_follower *follower, const struct iq_track *track, size_t index)
{
	const uint64_t name[2] = { (uint64_t)(follower - checker->followers), track->first_id };
	const struct iq_track *top = track;
	size_t count;

	while (top->parent)
		top = top->parent;
	count = iq_numbers_count(&top->sessions);
	checker->chosen_all |= count == 0 || top->loose;
	for (size_t i = 0; i < count; i++)
		if (iq_numbers_at(&top->sessions, i) < checker->chosen_room)
			checker->chosen_sessions[iq_numbers_at(&top->sessions, i)] = true;
	return iq_map_set(&checker->chosen, iq_view_make((const char *)name, sizeof(name)), index) < 0
		       ? iq_checker_nomem(checker)
		       : 0;
}

static int list_track(struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track,
		      const struct iq_judgement *judgement, struct iq_instance *instance)
{
	const size_t count = iq_numbers_count(&track->sessions);
	uint32_t *sessions = iq_arena_alloc(checker->memory, (count + 1) * sizeof(*sessions));

	*instance = (struct iq_instance){
		.key = iq_follower_key(follower, track, checker->memory),
		.verdict = judgement->verdict,
		.reason = iq_arena_copy(checker->memory, judgement->reason),
		.sessions = sessions,
		.session_count = count,
		.events = track->count,
		.first = { .id = track->first_id,
			   .ts = iq_checker_recorded(checker, iq_track_source(track), track->first_ts) },
		.last = { .id = track->last_id,
			  .ts = iq_checker_recorded(checker, track->last_source, track->last_ts) },
	};
	for (size_t i = 0; sessions && i < count; i++)
		sessions[i] = iq_numbers_at(&track->sessions, i);
	return sessions && instance->key.data && !checker->memory->failed ? 0 : iq_checker_nomem(checker);
}

static void fold_verdict(struct iq_lifecycle_result *result, enum iq_verdict verdict)
{
	result->violated += verdict == IQ_VERDICT_VIOLATED;
	result->undetermined += verdict == IQ_VERDICT_UNDETERMINED;
	result->ok += verdict == IQ_VERDICT_OK;
	if (verdict > result->verdict)
		result->verdict = verdict;
}

/* Only what its sessions and its lifecycle say of it remains. */
static void count_track(struct iq_checker *checker, const struct iq_track *track, enum iq_verdict verdict,
			struct iq_view reason, struct iq_lifecycle_result *result)
{
	fold_verdict(result, verdict);
	for (size_t i = 0; i < iq_numbers_count(&track->sessions); i++) {
		const struct iq_session *session = iq_checker_session(checker, iq_numbers_at(&track->sessions, i));
		struct iq_unlisted *unlisted = session ? &checker->unlisted[session - checker->sessions] : NULL;

		if (!unlisted)
			continue;
		unlisted->instances++;
		if (verdict == IQ_VERDICT_UNDETERMINED && !unlisted->reason.data)
			unlisted->reason = reason;
	}
}

/* The instances of the result while it grows. */
struct listing {
	struct iq_instance *items;
	size_t count;
	size_t capacity;
};

/* Counts it among those that are undetermined for its reason. */
static int count_reason(struct iq_checker *checker, struct iq_map *reasons, struct iq_view reason,
			struct iq_map_entry **ret_entry)
{
	uint32_t index;
	int rc = iq_map_intern(reasons, reason, &index);

	if (rc < 0)
		return iq_checker_nomem(checker);
	*ret_entry = &reasons->entries[index];
	(*ret_entry)->value = rc == 1 ? 1 : (*ret_entry)->value + 1;
	return 0;
}

static int report_track(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
			struct iq_lifecycle_result *result, struct listing *listing)
{
	struct iq_map_entry *reason = NULL;
	struct iq_judgement judgement;
	int rc = iq_judge(checker, follower, track, &judgement);

	if (rc == 0 && judgement.verdict == IQ_VERDICT_UNDETERMINED && !judgement.explain)
		rc = count_reason(checker, &follower->reasons, judgement.reason, &reason);
	if (rc < 0)
		return rc;
	if (checker->failing_only && !judgement.explain &&
	    (reason ? reason->value > IQ_CHECK_EXAMPLES : judgement.verdict == IQ_VERDICT_OK)) {
		count_track(checker, track, judgement.verdict, reason ? reason->key : IQ_VIEW_NULL, result);
		return 0;
	}
	if (IQ_ARRAY_GROW(listing->items, listing->capacity, listing->count + 1) < 0)
		return iq_checker_nomem(checker);
	rc = list_track(checker, follower, track, &judgement, &listing->items[listing->count++]);
	return rc == 0 && judgement.explain ? choose(checker, follower, track, listing->count - 1) : rc;
}

/* What a name may be a misspelling of: a type that was seen, and has no name of its own. */
static struct iq_view nearest_type(const struct iq_checker *checker, const struct iq_follower *follower, size_t name)
{
	const struct iq_map *names = &follower->lifecycle->names;
	struct iq_view nearest = IQ_VIEW_NULL;

	if (!follower->children[name])
		nearest = iq_nearest(names->entries[name].key, &checker->types);
	return nearest.data && iq_map_get(names, nearest) ? IQ_VIEW_NULL : nearest;
}

static int list_never_seen(struct iq_checker *checker, const struct iq_follower *follower,
			   struct iq_lifecycle_result *result)
{
	const struct iq_map *names = &follower->lifecycle->names;
	struct iq_name_count *list = iq_arena_calloc(checker->memory, names->count + 1, sizeof(*list));

	if (!list)
		return iq_checker_nomem(checker);
	result->never_seen = list;
	for (size_t i = 0; i < names->count; i++) {
		if (follower->seen[i])
			continue;
		list[result->never_seen_count++] =
			(struct iq_name_count){ iq_arena_copy(checker->memory, names->entries[i].key), 0,
						iq_arena_copy(checker->memory, nearest_type(checker, follower, i)) };
	}
	return 0;
}

static int list_not_named(struct iq_checker *checker, const struct iq_follower *follower,
			  struct iq_lifecycle_result *result)
{
	struct iq_name_count *list = iq_arena_calloc(checker->memory, checker->types.count + 1, sizeof(*list));

	if (!list)
		return iq_checker_nomem(checker);
	result->not_named = list;
	for (size_t i = 0; i < checker->types.count && i < follower->type_capacity; i++)
		if (follower->type_counts[i] && !checker->named[i])
			list[result->not_named_count++] =
				(struct iq_name_count){ iq_arena_copy(checker->memory, checker->types.entries[i].key),
							follower->type_counts[i], IQ_VIEW_NULL };
	return 0;
}

/* Constraints that nothing activated hold, but say nothing. */
static int list_vacuous(struct iq_checker *checker, const struct iq_follower *follower,
			struct iq_lifecycle_result *result)
{
	const struct iq_lifecycle *lifecycle = follower->lifecycle;
	struct iq_view *list = iq_arena_calloc(checker->memory, lifecycle->rule_count + 1, sizeof(*list));

	if (!list)
		return iq_checker_nomem(checker);
	result->vacuous = list;
	for (size_t i = 0; i < lifecycle->rule_count; i++) {
		const struct iq_view text = lifecycle->rules[i].text;

		if (!lifecycle->rules[i].activates || follower->activated[i])
			continue;
		/* One with a time is an automaton and a deadline beside it. */
		if (result->vacuous_count == 0 || !iq_view_eq(list[result->vacuous_count - 1], text))
			list[result->vacuous_count++] = iq_arena_copy(checker->memory, text);
	}
	return 0;
}

/* Could there have been instances that nobody recorded? */
static bool is_part_unseen(const struct iq_checker *checker, const struct iq_lifecycle *lifecycle)
{
	bool unseen = checker->gap_count > 0;

	for (size_t i = 0; i < checker->session_count && !unseen && !lifecycle->ends_complete; i++)
		unseen = !checker->sessions[i].start_seen || !checker->sessions[i].end_seen;
	return unseen;
}

static void judge_count(struct iq_checker *checker, const struct iq_follower *follower,
			struct iq_lifecycle_result *result)
{
	const struct iq_expected_count *expect = &follower->lifecycle->expect;
	size_t count = follower->count;

	if (follower->limited && result->verdict != IQ_VERDICT_VIOLATED) {
		result->verdict = IQ_VERDICT_UNDETERMINED;
		result->reason = IQ_LIT("limit reached: a pattern took too long");
	}
	if (expect->given && (count < expect->least || count > expect->most)) {
		bool may_be_more = count < expect->least && is_part_unseen(checker, follower->lifecycle);

		if (result->verdict != IQ_VERDICT_VIOLATED)
			result->verdict = may_be_more ? IQ_VERDICT_UNDETERMINED : IQ_VERDICT_VIOLATED;
		result->reason =
			iq_checker_text(checker->memory, "%zu instance%s, and %" PRIu64 "%s expected", count,
					count == 1 ? "" : "s", count < expect->least ? expect->least : expect->most,
					count < expect->least ? " or more" : " at most");
	} else if (!expect->given && count == 0 && !follower->parent) {
		result->verdict = IQ_VERDICT_UNDETERMINED;
		result->reason = follower->no_key ? IQ_LIT("no instance: its events lack the instance key")
						  : IQ_LIT("no instance: none of its events was seen");
	}
}

static int list_instances(struct iq_checker *checker, struct iq_follower *follower, struct iq_lifecycle_result *result)
{
	struct listing listing = { 0 };
	struct iq_instance *instances;
	int rc = 0;

	for (size_t i = 0; i < follower->count && rc == 0; i++)
		rc = report_track(checker, follower, follower->tracks[i], result, &listing);
	instances = iq_arena_alloc(checker->memory, (listing.count + 1) * sizeof(*instances));
	if (instances && listing.count > 0)
		memcpy(instances, listing.items, listing.count * sizeof(*instances));
	free(listing.items);
	result->instances = instances;
	result->instance_count = listing.count;
	return rc < 0 ? rc : instances ? 0 : iq_checker_nomem(checker);
}

static int report_lifecycle(struct iq_checker *checker, struct iq_follower *follower,
			    struct iq_lifecycle_result *result)
{
	int rc = list_instances(checker, follower, result);

	result->name = iq_arena_copy(checker->memory, follower->lifecycle->name);
	result->events = follower->events;
	result->no_key = follower->no_key;
	result->total = follower->count;
	if (rc == 0)
		rc = list_never_seen(checker, follower, result);
	if (rc == 0)
		rc = list_vacuous(checker, follower, result);
	return rc < 0 ? rc : list_not_named(checker, follower, result);
}

/* ---- Explaining ---- */

static int explain_track(struct iq_checker *checker, struct iq_follower *follower, struct iq_track *track,
			 struct iq_lifecycle_result *result)
{
	const uint64_t name[2] = { (uint64_t)(follower - checker->followers), track->first_id };
	const uint64_t *number = iq_map_get(&checker->chosen, iq_view_make((const char *)name, sizeof(name)));
	struct iq_judgement judgement;
	struct iq_instance *instance;
	struct iq_finding *findings;
	int rc;

	/* What is nested is judged with the others of its tree. */
	if (!number && !follower->parent && !follower->nests)
		return 0;
	rc = iq_judge(checker, follower, track, &judgement);
	if (rc < 0 || !number || !track->trace || *number >= result->instance_count)
		return rc;
	instance = (struct iq_instance *)&result->instances[*number];
	instance->verdict = judgement.verdict;
	instance->reason = iq_arena_copy(checker->memory, judgement.reason);
	rc = iq_explain(checker, follower, track, judgement.over, &findings, &instance->finding_count);
	if (rc < 0)
		return rc;
	instance->findings = findings;
	return want_steps(checker, instance);
}

/* The store is read again for the traces of the instances that something is wrong with. */
static int explain(struct iq_checker *checker, struct iq_lifecycle_result *results)
{
	int rc;

	if (checker->chosen.count == 0)
		return 0;
	iq_checker_reset(checker);
	rc = iq_pass(checker);
	for (size_t i = 0; i < checker->follower_count; i++)
		for (size_t j = 0; j < checker->followers[i].count && rc == 0; j++)
			rc = explain_track(checker, &checker->followers[i], checker->followers[i].tracks[j],
					   &results[i]);
	return rc;
}

/* ---- Facts of the events that the result names ---- */

#define STEP_COLUMNS \
	(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | \
	 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_TYPE | 1u << IQ_COLUMN_EVIDENCE | 1u << IQ_COLUMN_OFFSET | \
	 1u << IQ_COLUMN_LENGTH)

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

static struct iq_step make_step(struct iq_checker *checker, const struct iq_block *block, uint32_t row)
{
	int64_t number[IQ_COLUMN_COUNT];
	struct iq_step step;

	for (unsigned i = 0; i < IQ_COLUMN_COUNT; i++)
		number[i] = block->numbers[i] ? block->numbers[i][row] : 0;
	step = (struct iq_step){ .id = block->numbers[IQ_COLUMN_ID] ? (uint64_t)number[IQ_COLUMN_ID]
								    : block->id_first + row,
				 .ts = number[IQ_COLUMN_TS],
				 .kind = (enum iq_kind)number[IQ_COLUMN_KIND],
				 .type = iq_arena_copy(checker->memory, block->types[number[IQ_COLUMN_TYPE]]),
				 .session_no = (uint32_t)number[IQ_COLUMN_SESSION],
				 .evidence = (uint32_t)number[IQ_COLUMN_EVIDENCE],
				 .offset = (uint64_t)number[IQ_COLUMN_OFFSET],
				 .length = (uint64_t)number[IQ_COLUMN_LENGTH] };
	step.source =
		iq_arena_copy(checker->memory, iq_checker_source_name(checker, (uint32_t)number[IQ_COLUMN_SOURCE]));
	return step;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct iq_range *x = a, *y = b;

	return (x->min > y->min) - (x->min < y->min);
}

/* The ids as ranges, in order; their number. */
static size_t list_ranges(const struct iq_map *ids, struct iq_range *ranges)
{
	for (size_t i = 0; i < ids->count; i++) {
		uint64_t id;

		memcpy(&id, ids->entries[i].key.data, sizeof(id));
		ranges[i] = (struct iq_range){ (int64_t)id, (int64_t)id };
	}
	qsort(ranges, ids->count, sizeof(*ranges), compare_ranges);
	return ids->count;
}

static int scan_steps(struct iq_checker *checker, const struct iq_range *ranges, size_t count, struct iq_step *steps)
{
	const struct iq_test test = { .column = IQ_COLUMN_ID, .ranges = ranges, .range_count = count };
	const struct iq_scan_options options = { .tests = &test, .test_count = 1, .columns = STEP_COLUMNS };
	struct iq_scan *scan;
	struct iq_run run;
	uint64_t found = 0;
	int rc = iq_scan_open(checker->store, &options, &scan, checker->error);

	if (rc < 0)
		return rc;
	while ((rc = iq_scan_next(scan, &run, checker->error)) > 0) {
		for (uint64_t i = 0; i < run.count; i++) {
			struct iq_step step = make_step(checker, run.block, run.rows[i]);
			uint64_t *index = iq_map_get(&checker->step_ids, number_key(&step.id));

			if (!index)
				continue;
			steps[found] = step;
			*index = found++;
		}
	}
	iq_scan_close(scan);
	return rc;
}

static int read_steps(struct iq_checker *checker, struct iq_step *steps)
{
	struct iq_range *ranges = calloc(checker->step_ids.count + 1, sizeof(*ranges));
	int rc = 0;

	if (!ranges)
		return iq_checker_nomem(checker);
	if (checker->step_ids.count > 0)
		rc = scan_steps(checker, ranges, list_ranges(&checker->step_ids, ranges), steps);
	free(ranges);
	return rc;
}

static int fill_steps(struct iq_checker *checker, struct iq_check_result *result)
{
	struct iq_step *steps = calloc(checker->step_ids.count + 1, sizeof(*steps));
	int rc = steps ? read_steps(checker, steps) : iq_checker_nomem(checker);

	for (size_t i = 0; i < result->lifecycle_count && rc == 0; i++) {
		const struct iq_lifecycle_result *lifecycle = &result->lifecycles[i];

		for (size_t j = 0; j < lifecycle->instance_count; j++)
			fill_instance(&checker->step_ids, steps, (struct iq_instance *)&lifecycle->instances[j]);
	}
	free(steps);
	return rc;
}

/* ---- Folding ---- */

static struct iq_view instance_reason(struct iq_checker *checker, const struct iq_instance *instance)
{
	return instance->finding_count ? instance->findings[0].message
				       : iq_arena_copy(checker->memory, instance->reason);
}

static void fold_instance(struct iq_checker *checker, struct iq_session_verdict *sessions,
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

/* Those that are not listed come after those that are: of each reason the first are listed. */
static void fold_unlisted(struct iq_session_verdict *verdict, const struct iq_unlisted *unlisted)
{
	verdict->instances += unlisted->instances;
	if (unlisted->reason.data && verdict->verdict < IQ_VERDICT_UNDETERMINED) {
		verdict->verdict = IQ_VERDICT_UNDETERMINED;
		verdict->reason = unlisted->reason;
	}
}

static int fold_sessions(struct iq_checker *checker, struct iq_check_result *result)
{
	struct iq_session_verdict *sessions =
		iq_arena_calloc(checker->memory, checker->session_count + 1, sizeof(*sessions));

	if (!sessions)
		return iq_checker_nomem(checker);
	for (size_t i = 0; i < checker->session_count; i++)
		sessions[i].no = checker->sessions[i].no;
	for (size_t i = 0; i < result->lifecycle_count; i++)
		for (size_t j = 0; j < result->lifecycles[i].instance_count; j++)
			fold_instance(checker, sessions, &result->lifecycles[i].instances[j]);
	for (size_t i = 0; i < checker->session_count; i++) {
		fold_unlisted(&sessions[i], &checker->unlisted[i]);
		if (checker->unlisted[i].reason.data)
			sessions[i].reason = iq_arena_copy(checker->memory, sessions[i].reason);
	}
	result->sessions = sessions;
	result->session_count = checker->session_count;
	return 0;
}

/* `s12 undetermined (open at capture end)`: the first instance that the whole verdict rests on. */
static struct iq_view whole_reason(struct iq_checker *checker, const struct iq_lifecycle_result *lifecycle,
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
		return iq_checker_text(checker->memory, "%s%s (%.*s %.60s: %.200s)", session, iq_verdict_name(verdict),
				       IQ_VIEW_ARG(lifecycle->name), instance->key.data,
				       reason.data ? reason.data : "");
	}
	return iq_checker_text(checker->memory, "%.*s %s (%.*s)", IQ_VIEW_ARG(lifecycle->name),
			       iq_verdict_name(verdict), IQ_VIEW_ARG(lifecycle->reason));
}

static void fold_store(struct iq_checker *checker, struct iq_check_result *result)
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

/* Why instances are undetermined, and how many for each reason. */
static int list_reasons(struct iq_checker *checker, const struct iq_follower *follower,
			struct iq_lifecycle_result *result)
{
	struct iq_map reasons = IQ_MAP_INIT;
	struct iq_map_entry *reason;
	struct iq_name_count *list;
	int rc = 0;

	for (size_t i = 0; i < result->instance_count && rc == 0; i++)
		if (result->instances[i].reason.data)
			rc = count_reason(checker, &reasons, result->instances[i].reason, &reason);
	list = iq_arena_calloc(checker->memory, reasons.count + 1, sizeof(*list));
	for (size_t i = 0; i < reasons.count && list; i++) {
		const uint64_t *all = iq_map_get(&follower->reasons, reasons.entries[i].key);

		list[i] = (struct iq_name_count){ .name = iq_arena_copy(checker->memory, reasons.entries[i].key),
						  .count = reasons.entries[i].value };
		if (checker->failing_only && all && *all > IQ_CHECK_EXAMPLES)
			list[i].count += *all - IQ_CHECK_EXAMPLES;
	}
	result->reasons = list;
	result->reason_count = reasons.count;
	iq_map_release(&reasons);
	return rc == 0 && !list ? iq_checker_nomem(checker) : rc;
}

static int report(struct iq_checker *checker, struct iq_check_result *result)
{
	struct iq_lifecycle_result *lifecycles =
		iq_arena_calloc(checker->memory, checker->follower_count + 1, sizeof(*lifecycles));
	int rc = lifecycles ? 0 : iq_checker_nomem(checker);

	result->lifecycles = lifecycles;
	result->lifecycle_count = lifecycles ? checker->follower_count : 0;
	for (size_t i = 0; i < checker->follower_count && rc == 0; i++)
		rc = report_lifecycle(checker, &checker->followers[i], &lifecycles[i]);
	if (rc == 0)
		rc = explain(checker, lifecycles);
	for (size_t i = 0; i < checker->follower_count && rc == 0; i++) {
		for (size_t j = 0; j < lifecycles[i].instance_count; j++)
			fold_verdict(&lifecycles[i], lifecycles[i].instances[j].verdict);
		judge_count(checker, &checker->followers[i], &lifecycles[i]);
		rc = list_reasons(checker, &checker->followers[i], &lifecycles[i]);
	}
	if (rc == 0)
		rc = fill_steps(checker, result);
	if (rc == 0)
		rc = fold_sessions(checker, result);
	if (rc == 0)
		fold_store(checker, result);
	return rc;
}

/* ---- The whole ---- */

static bool contains_child(const struct iq_lifecycle *lifecycle)
{
	for (size_t i = 0; lifecycle->children && i < lifecycle->names.count; i++)
		if (lifecycle->children[i])
			return true;
	return false;
}

static size_t count_followers(const struct iq_lifecycle *lifecycle)
{
	size_t count = 1;

	for (size_t i = 0; contains_child(lifecycle) && i < lifecycle->names.count; i++)
		if (lifecycle->children[i])
			count += count_followers(lifecycle->children[i]);
	return count;
}

/* A lifecycle that several others name is followed in each of them. */
static int add_follower(struct iq_checker *checker, const struct iq_lifecycle *lifecycle, struct iq_follower *parent,
			uint32_t symbol)
{
	struct iq_follower *follower = &checker->followers[checker->follower_count++];
	int rc;

	follower->lifecycle = lifecycle;
	follower->parent = parent;
	follower->root = parent ? parent->root : follower;
	follower->symbol = symbol;
	rc = iq_follower_init(checker, follower);
	for (uint32_t i = 0; contains_child(lifecycle) && i < lifecycle->names.count && rc == 0; i++) {
		if (!lifecycle->children[i])
			continue;
		follower->nests = true;
		follower->children[i] = &checker->followers[checker->follower_count];
		rc = add_follower(checker, lifecycle->children[i], follower, i);
	}
	return rc;
}

static int init_followers(struct iq_checker *checker)
{
	size_t count = 0;
	int rc = 0;

	for (const struct iq_lifecycle *lifecycle = checker->spec->first; lifecycle; lifecycle = lifecycle->next)
		count += lifecycle->nested ? 0 : count_followers(lifecycle);
	checker->followers = calloc(count + 1, sizeof(*checker->followers));
	if (!checker->followers)
		return iq_checker_nomem(checker);
	for (const struct iq_lifecycle *lifecycle = checker->spec->first; lifecycle && rc == 0;
	     lifecycle = lifecycle->next)
		if (!lifecycle->nested)
			rc = add_follower(checker, lifecycle, NULL, IQ_SYMBOL_NONE);
	return rc;
}

static int init(struct iq_checker *checker)
{
	int rc;

	checker->sessions = iq_store_sessions(checker->store, &checker->session_count);
	checker->unlisted = calloc(checker->session_count + 1, sizeof(*checker->unlisted));
	checker->session_ends = calloc(checker->session_count + 1, sizeof(*checker->session_ends));
	checker->chosen_room =
		checker->session_count ? (size_t)checker->sessions[checker->session_count - 1].no + 1 : 1;
	checker->chosen_sessions = calloc(checker->chosen_room, sizeof(*checker->chosen_sessions));
	if (!checker->session_ends || !checker->chosen_sessions || !checker->unlisted)
		return iq_checker_nomem(checker);
	rc = init_followers(checker);
	if (rc == 0)
		rc = iq_horizon_init(checker);
	return rc < 0 ? rc : iq_darkness_init(checker);
}

static void release(struct iq_checker *checker)
{
	for (size_t i = 0; i < checker->follower_count; i++)
		iq_follower_release(&checker->followers[i]);
	iq_darkness_release(checker);
	iq_horizon_release(checker);
	free(checker->followers);
	free(checker->session_ends);
	free(checker->unlisted);
	free(checker->chosen_sessions);
	iq_map_release(&checker->chosen);
	free(checker->named);
	iq_map_release(&checker->types);
	iq_map_release(&checker->step_ids);
	iq_buf_release(&checker->key);
	iq_buf_release(&checker->scratch);
	iq_arena_release(&checker->pass);
	iq_arena_release(&checker->judging);
}

static int check(struct iq_store *store, const struct iq_spec *spec, bool failing_only,
		 struct iq_check_result *ret_result, struct iq_error *error)
{
	struct iq_check_result result = { .memory = IQ_ARENA_INIT };
	struct iq_checker checker = {
		.store = store, .spec = spec, .error = error, .memory = &result.memory, .failing_only = failing_only
	};
	int rc = init(&checker);

	if (rc == 0)
		rc = iq_pass(&checker);
	if (rc == 0)
		rc = report(&checker, &result);
	release(&checker);
	if (rc < 0)
		iq_check_result_release(&result);
	else
		*ret_result = result;
	return rc;
}

int iq_check(struct iq_store *store, const struct iq_spec *spec, struct iq_check_result *ret_result,
	     struct iq_error *error)
{
	return check(store, spec, false, ret_result, error);
}

int iq_check_failing(struct iq_store *store, const struct iq_spec *spec, struct iq_check_result *ret_result,
		     struct iq_error *error)
{
	return check(store, spec, true, ret_result, error);
}

void iq_check_result_release(struct iq_check_result *result)
{
	iq_arena_release(&result->memory);
}
