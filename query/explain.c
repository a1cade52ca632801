/* What is wrong with an instance, in findings: the cheapest repair of its order and of each constraint that is broken,
 * and what its deadlines and numbers say. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/align.h"
#include "query/checker.h"

/* One rule of one track, and what it sees of its trace. */
struct explainer {
	struct iq_checker *checker;
	const struct iq_follower *follower;
	const struct iq_track *track;
	const struct iq_rule *rule;
	struct iq_arena *arena;
	uint64_t end_event; /* what ended its session, or 0 */
	bool over;
	size_t *places;	   /* by position in what the rule sees: in the trace */
	uint32_t *letters; /* by position */
	uint8_t *dark;	   /* by position, and the one behind the last */
	size_t count;	   /* positions up to the end of the instance */
	size_t all;	   /* and of those behind it */
	const struct iq_edit *edits;
	size_t edit_count;
	struct iq_finding *findings;
	size_t finding_count;
	size_t finding_capacity;
};

static struct iq_finding *add_finding(struct explainer *explainer, enum iq_finding_kind kind)
{
	struct iq_finding *finding;

	if (IQ_ARRAY_GROW(explainer->findings, explainer->finding_capacity, explainer->finding_count + 1) < 0)
		return NULL;
	finding = &explainer->findings[explainer->finding_count++];
	*finding = (struct iq_finding){ .kind = kind };
	if (explainer->rule) {
		finding->severity = explainer->rule->severity;
		finding->rule = iq_arena_copy(explainer->arena, explainer->rule->text);
	}
	return finding;
}

static int set_text(const struct explainer *explainer, struct iq_view *ret_text, const char *format, ...)
	IQ_PRINTF(3, 4);

static int set_text(const struct explainer *explainer, struct iq_view *ret_text, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return IQ_ERR_NOMEM;
	*ret_text = iq_arena_copy(explainer->arena, iq_view_make(text, (size_t)len));
	free(text);
	return ret_text->data ? 0 : IQ_ERR_NOMEM;
}

/* ---- Names ---- */

#define IQ_NAME_SIZE 160u

static struct iq_view symbol_name(const struct explainer *explainer, uint32_t symbol)
{
	const struct iq_map *types = &explainer->checker->types;
	uint32_t type = symbol & ~IQ_SYMBOL_UNNAMED;

	if (symbol == IQ_SYMBOL_NONE)
		return IQ_LIT("another event");
	if (!(symbol & IQ_SYMBOL_UNNAMED))
		return iq_lifecycle_name(explainer->follower->lifecycle, symbol);
	return type < types->count ? types->entries[type].key : IQ_LIT("event without a type");
}

/* Is the letter the last event of a nested instance? */
static bool is_end_letter(const struct explainer *explainer, uint32_t letter)
{
	const struct iq_lifecycle *lifecycle = explainer->follower->lifecycle;
	uint32_t symbol;

	if (explainer->rule->kind != IQ_RULE_ORDER || letter >= iq_automaton_symbols(explainer->rule->automaton))
		return false;
	symbol = explainer->rule->symbols[letter];
	return symbol != IQ_SYMBOL_NONE && lifecycle->children && lifecycle->children[symbol] &&
	       letter == explainer->rule->letters[symbol] + 1;
}

static struct iq_view end_of(const struct explainer *explainer, struct iq_view name)
{
	return iq_checker_text(explainer->arena, "end of %.*s", IQ_VIEW_ARG(iq_utf8_cut(name, IQ_NAME_SIZE)));
}

static const struct iq_stride *stride_at(const struct explainer *explainer, size_t position)
{
	return &explainer->track->trace->strides[explainer->places[position]];
}

static struct iq_view name_at(const struct explainer *explainer, size_t position)
{
	const struct iq_stride *stride = stride_at(explainer, position);
	struct iq_view name = symbol_name(explainer, stride->symbol);

	return stride->part == IQ_PART_END ? end_of(explainer, name) : name;
}

static struct iq_view letter_name(const struct explainer *explainer, uint32_t letter)
{
	struct iq_view name = letter < iq_automaton_symbols(explainer->rule->automaton)
				      ? symbol_name(explainer, explainer->rule->symbols[letter])
				      : IQ_LIT("another event");

	return is_end_letter(explainer, letter) ? end_of(explainer, name) : name;
}

static struct iq_view name_of(const struct explainer *explainer, const struct iq_edit *edit)
{
	return edit->op == IQ_EDIT_DROP ? name_at(explainer, edit->position) : letter_name(explainer, edit->symbol);
}

static uint64_t id_at(const struct explainer *explainer, size_t position)
{
	return position < explainer->all ? stride_at(explainer, position)->id : explainer->end_event;
}

/* ---- Edits ---- */

static int describe_insertion(struct explainer *explainer, const struct iq_edit *edit)
{
	struct iq_view name = name_of(explainer, edit);
	size_t at = edit->position;
	bool first = at == 0 && explainer->count > 0, orphan = first && explainer->rule->kind == IQ_RULE_ORDER;
	struct iq_finding *finding = add_finding(explainer, orphan		     ? IQ_FINDING_ORPHAN
							    : at == explainer->count ? IQ_FINDING_UNTERMINATED
										     : IQ_FINDING_MISSING);
	int rc;

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->expected = iq_arena_copy(explainer->arena, name);
	finding->instead.id = id_at(explainer, at);
	if (first) {
		rc = orphan ? set_text(explainer, &finding->message, "%.*s without %.*s",
				       IQ_VIEW_ARG(name_at(explainer, 0)), IQ_VIEW_ARG(name))
			    : set_text(explainer, &finding->message, "missing %.*s before %.*s", IQ_VIEW_ARG(name),
				       IQ_VIEW_ARG(name_at(explainer, 0)));
		return rc < 0 ? rc
			      : set_text(explainer, &finding->repair, "insert %.*s before %llu", IQ_VIEW_ARG(name),
					 (unsigned long long)id_at(explainer, 0));
	}
	if (at == 0)
		return set_text(explainer, &finding->message, "missing %.*s", IQ_VIEW_ARG(name));
	finding->after.id = id_at(explainer, at - 1);
	rc = set_text(explainer, &finding->message, "missing %.*s after %.*s", IQ_VIEW_ARG(name),
		      IQ_VIEW_ARG(name_at(explainer, at - 1)));
	return rc < 0 ? rc
		      : set_text(explainer, &finding->repair, "insert %.*s after %llu", IQ_VIEW_ARG(name),
				 (unsigned long long)finding->after.id);
}

static int describe_move(struct explainer *explainer, const struct iq_edit *drop, const struct iq_edit *insertion)
{
	struct iq_view name = name_of(explainer, drop);
	size_t from = drop->position, to = insertion->position;
	bool late = to < from;
	struct iq_finding *finding = add_finding(explainer, IQ_FINDING_OUT_OF_ORDER);
	int rc;

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->expected = iq_arena_copy(explainer->arena, name);
	finding->moved.id = id_at(explainer, from);
	finding->after.id = to > 0 ? id_at(explainer, to - 1) : 0;
	finding->instead.id = id_at(explainer, to);
	rc = set_text(explainer, &finding->message, "%.*s came %s %.*s", IQ_VIEW_ARG(name), late ? "after" : "before",
		      IQ_VIEW_ARG(name_at(explainer, late ? to : to - 1)));
	return rc < 0 ? rc
		      : set_text(explainer, &finding->repair, "move %llu %s %llu",
				 (unsigned long long)finding->moved.id, late ? "before" : "after",
				 (unsigned long long)id_at(explainer, late ? to : to - 1));
}

/* How often the repaired sequence holds the letter. */
static size_t kept_count(const struct explainer *explainer, uint32_t letter)
{
	size_t count = 0;

	for (size_t i = 0; i < explainer->all; i++)
		count += explainer->letters[i] == letter;
	for (size_t i = 0; i < explainer->edit_count; i++)
		if (explainer->edits[i].symbol == letter)
			count = explainer->edits[i].op == IQ_EDIT_INSERT ? count + 1 : count - 1;
	return count;
}

static int describe_drop(struct explainer *explainer, const struct iq_edit *edit)
{
	struct iq_view name = name_of(explainer, edit);
	size_t kept = kept_count(explainer, edit->symbol);
	bool duplicate = kept > 0 && kept >= iq_automaton_most(explainer->rule->automaton, edit->symbol);
	struct iq_finding *finding = add_finding(explainer, duplicate ? IQ_FINDING_DUPLICATE : IQ_FINDING_UNEXPECTED);
	int rc;

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->moved.id = id_at(explainer, edit->position);
	finding->after.id = edit->position > 0 ? id_at(explainer, edit->position - 1) : 0;
	rc = edit->position > 0 ? set_text(explainer, &finding->message, "%s %.*s after %.*s",
					   duplicate ? "duplicate" : "unexpected", IQ_VIEW_ARG(name),
					   IQ_VIEW_ARG(name_at(explainer, edit->position - 1)))
				: set_text(explainer, &finding->message, "unexpected %.*s", IQ_VIEW_ARG(name));
	return rc < 0 ? rc : set_text(explainer, &finding->repair, "drop %llu", (unsigned long long)finding->moved.id);
}

/* A deadline that passed says more than that its answer is missing. */
static bool is_told_by_deadline(const struct explainer *explainer, uint32_t letter)
{
	const struct iq_trace *trace = explainer->track->trace;
	uint32_t symbol = letter < iq_automaton_symbols(explainer->rule->automaton) ? explainer->rule->symbols[letter]
										    : IQ_SYMBOL_NONE;

	for (size_t i = 0; i < trace->breach_count && symbol != IQ_SYMBOL_NONE; i++)
		if (trace->breaches[i].kind == IQ_FINDING_LATE && trace->breaches[i].moved == 0 &&
		    trace->breaches[i].rule->deadline && trace->breaches[i].rule->deadline->to[symbol])
			return true;
	return false;
}

/* A nested instance that is missing or one too many is so with both of its ends, which is one finding. */
static bool is_second_half(const struct explainer *explainer, size_t index)
{
	const struct iq_edit *edit = &explainer->edits[index];
	size_t begins = 0, ends = 0;

	if (!is_end_letter(explainer, edit->symbol))
		return false;
	for (size_t i = 0; i < explainer->edit_count; i++) {
		const struct iq_edit *other = &explainer->edits[i];

		if (other->op != edit->op || other->partner != SIZE_MAX)
			continue;
		begins += other->symbol == edit->symbol - 1;
		ends += other->symbol == edit->symbol && i < index;
	}
	return ends < begins;
}

/* A pair is described once, where its first half stands. */
static int describe_edit(struct explainer *explainer, size_t index)
{
	const struct iq_edit *edit = &explainer->edits[index];
	const struct iq_edit *partner = edit->partner == SIZE_MAX ? NULL : &explainer->edits[edit->partner];

	if (partner && edit->partner < index)
		return 0;
	if (partner)
		return edit->op == IQ_EDIT_DROP ? describe_move(explainer, edit, partner)
						: describe_move(explainer, partner, edit);
	if (is_second_half(explainer, index))
		return 0;
	if (edit->op == IQ_EDIT_DROP)
		return describe_drop(explainer, edit);
	return is_told_by_deadline(explainer, edit->symbol) ? 0 : describe_insertion(explainer, edit);
}

/* No repair is known: the verdict stands, and the finding says why it has none. */
static int describe_unrepaired(struct explainer *explainer)
{
	struct iq_finding *finding = add_finding(explainer, IQ_FINDING_UNEXPECTED);

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->moved.id = explainer->track->last_id;
	finding->message = IQ_LIT("its order cannot be met");
	finding->repair = IQ_LIT("none found within the limits");
	return 0;
}

/* ---- Alignment ---- */

/* Edits without the second halves of moves: so many findings they make. */
static size_t moves_folded(const struct iq_edit *edits, size_t count)
{
	size_t findings = count;

	for (size_t i = 0; i < count; i++)
		findings -= edits[i].partner < i;
	return findings;
}

/* An instance that may go on could drop an early event and wait for it to come again. Where what was seen is a whole
 * order but for its arrangement, that says more in as few findings. */
static int align_open(const struct iq_alignment_problem *problem, struct iq_edit **ret_edits, size_t *ret_count)
{
	struct iq_alignment_problem whole = *problem;
	struct iq_edit *edits = NULL, *whole_edits = NULL;
	size_t count = 0, whole_count = 0;
	int rc = iq_align(problem, &edits, &count);

	whole.may_continue = false;
	if (rc == 0 && iq_align(&whole, &whole_edits, &whole_count) == 0 &&
	    moves_folded(whole_edits, whole_count) <= moves_folded(edits, count)) {
		free(edits);
		edits = whole_edits;
		count = whole_count;
	} else {
		free(whole_edits);
	}
	*ret_edits = edits;
	*ret_count = count;
	return rc;
}

/* Did an event that the rule does not name end it? It takes what was before then. */
static bool ends_outside(const struct explainer *explainer)
{
	return explainer->count > 0 && explainer->count <= explainer->all && explainer->track->cancelled &&
	       explainer->letters[explainer->count - 1] == IQ_LETTER_FINAL(explainer->rule->automaton);
}

/* Whatever came after a `final` event is one too many. */
static int drop_the_rest(struct explainer *explainer, struct iq_edit **edits)
{
	const size_t rest = explainer->all - explainer->count;
	struct iq_edit *grown = realloc(*edits, (explainer->edit_count + rest + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	*edits = grown;
	for (size_t i = explainer->count; i < explainer->all; i++)
		if (explainer->letters[i] != IQ_LETTER_FINAL(explainer->rule->automaton))
			grown[explainer->edit_count++] =
				(struct iq_edit){ IQ_EDIT_DROP, explainer->letters[i], i, SIZE_MAX };
	return 0;
}

/* What a letter pays, by what its symbol does; the last is for what no letter is. */
static int price_letters(const struct explainer *explainer, uint32_t **ret_insert, uint32_t **ret_drop)
{
	const struct iq_lifecycle *lifecycle = explainer->follower->lifecycle;
	uint32_t letters = iq_automaton_symbols(explainer->rule->automaton);

	*ret_insert = *ret_drop = NULL;
	if (!lifecycle->costs)
		return 0;
	*ret_insert = calloc((size_t)letters + 1, sizeof(**ret_insert));
	*ret_drop = calloc((size_t)letters + 1, sizeof(**ret_drop));
	if (!*ret_insert || !*ret_drop)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i <= letters; i++) {
		uint32_t symbol = i < letters ? explainer->rule->symbols[i] : IQ_SYMBOL_NONE;
		const struct iq_costs *costs =
			&lifecycle->costs[symbol < lifecycle->names.count ? symbol : lifecycle->names.count];

		(*ret_insert)[i] = costs->insert;
		(*ret_drop)[i] = costs->drop;
	}
	return 0;
}

/* The states that earlier alignments with the rule met. */
static struct iq_aligner *aligner_of(const struct explainer *explainer)
{
	size_t place = explainer->follower->places[explainer->rule - explainer->follower->lifecycle->rules];
	struct iq_aligner **aligner = &explainer->follower->aligners[place];

	if (!*aligner)
		*aligner = iq_aligner_new(explainer->rule->automaton);
	return *aligner;
}

static int align(struct explainer *explainer)
{
	bool outside = ends_outside(explainer);
	uint32_t *insert_costs, *drop_costs;
	struct iq_edit *edits = NULL;
	struct iq_alignment_problem problem = {
		.automaton = explainer->rule->automaton,
		.start = explainer->track->trace->start
				 [explainer->follower->places[explainer->rule - explainer->follower->lifecycle->rules]],
		.symbols = explainer->letters,
		.count = explainer->count - outside,
		.dark = explainer->dark,
		.may_continue = !explainer->over || outside,
	};
	int rc = price_letters(explainer, &insert_costs, &drop_costs);

	problem.insert_costs = insert_costs;
	problem.drop_costs = drop_costs;
	problem.aligner = aligner_of(explainer);
	if (rc == 0)
		rc = problem.start == IQ_STATES_LOST ? IQ_ERR_LIMIT
		     : explainer->over		     ? iq_align(&problem, &edits, &explainer->edit_count)
						     : align_open(&problem, &edits, &explainer->edit_count);

	if (rc == 0)
		rc = drop_the_rest(explainer, &edits);
	explainer->edits = edits;
	if (rc == IQ_ERR_LIMIT || (rc == 0 && explainer->edit_count == 0))
		rc = describe_unrepaired(explainer);
	for (size_t i = 0; rc == 0 && i < explainer->edit_count; i++)
		rc = describe_edit(explainer, i);
	explainer->edit_count = 0;
	free(edits);
	free(insert_costs);
	free(drop_costs);
	return rc;
}

/* What the rule sees of the trace. */
static void choose_letters(struct explainer *explainer)
{
	const struct iq_trace *trace = explainer->track->trace;
	bool dark = false;

	explainer->all = explainer->count = 0;
	for (size_t i = 0; i < trace->count; i++) {
		const struct iq_stride *stride = &trace->strides[i];
		uint32_t letter = iq_rule_letter(explainer->rule, stride->symbol);

		dark |= stride->dark;
		if (letter == IQ_SYMBOL_NONE || (stride->part == IQ_PART_END && explainer->rule->kind != IQ_RULE_ORDER))
			continue;
		explainer->places[explainer->all] = i;
		explainer->letters[explainer->all] = letter + (stride->part == IQ_PART_END);
		explainer->dark[explainer->all++] = dark;
		dark = false;
		if (i <= trace->final_at)
			explainer->count = explainer->all;
	}
	explainer->dark[explainer->all] = dark || explainer->track->dark;
}

static int explain_automaton(struct explainer *explainer)
{
	size_t room = explainer->track->trace->count + 1;
	int rc = IQ_ERR_NOMEM;

	explainer->places = calloc(room, sizeof(*explainer->places));
	explainer->letters = calloc(room, sizeof(*explainer->letters));
	explainer->dark = calloc(room, sizeof(*explainer->dark));
	if (explainer->places && explainer->letters && explainer->dark) {
		choose_letters(explainer);
		rc = align(explainer);
	}
	free(explainer->places);
	free(explainer->letters);
	free(explainer->dark);
	return rc;
}

/* ---- What is no order ---- */

static struct iq_view type_at(const struct explainer *explainer, uint64_t id)
{
	const struct iq_trace *trace = explainer->track->trace;

	for (size_t i = 0; i < trace->count; i++)
		if (trace->strides[i].id == id)
			return symbol_name(explainer, trace->strides[i].symbol);
	return IQ_LIT("the event before");
}

/* The names that the deadline waits for. */
static struct iq_view awaited(const struct explainer *explainer, const struct iq_deadline *deadline)
{
	const struct iq_lifecycle *lifecycle = explainer->follower->lifecycle;
	struct iq_buf names = IQ_BUF_INIT;
	struct iq_view copy;

	for (uint32_t i = 0; i < lifecycle->names.count; i++)
		if (deadline->to[i])
			(void)iq_buf_appendf(&names, "%s%.*s", names.len ? " or " : "",
					     IQ_VIEW_ARG(iq_lifecycle_name(lifecycle, i)));
	copy = names.failed ? IQ_VIEW_NULL : iq_arena_copy(explainer->arena, iq_buf_view(&names));
	iq_buf_release(&names);
	return copy;
}

static int describe_late_answer(struct explainer *explainer, const struct iq_breach *breach, struct iq_finding *finding)
{
	struct iq_view after = type_at(explainer, breach->after), names = awaited(explainer, breach->rule->deadline);
	char took[IQ_RFC3339_SIZE], limit[IQ_RFC3339_SIZE];

	(void)iq_duration_format(breach->value, took);
	(void)iq_duration_format(breach->rule->limit_ns, limit);
	if (breach->kind == IQ_FINDING_UNEXPECTED)
		return set_text(explainer, &finding->message, "%.*s only %s after %.*s, not within %s",
				IQ_VIEW_ARG(type_at(explainer, breach->moved)), took, IQ_VIEW_ARG(after), limit);
	finding->expected = names;
	if (breach->rule->deadline->side == IQ_WITHIN_BEFORE)
		return set_text(explainer, &finding->message, "no %.*s within %s before %.*s", IQ_VIEW_ARG(names),
				limit, IQ_VIEW_ARG(type_at(explainer, breach->moved)));
	if (breach->moved)
		return set_text(explainer, &finding->message, "%.*s %s after %.*s, later than %s",
				IQ_VIEW_ARG(type_at(explainer, breach->moved)), took, IQ_VIEW_ARG(after), limit);
	finding->instead.id = explainer->end_event;
	if (breach->kind == IQ_FINDING_UNTERMINATED)
		return set_text(explainer, &finding->message, "missing %.*s after %.*s", IQ_VIEW_ARG(names),
				IQ_VIEW_ARG(after));
	return set_text(explainer, &finding->message, "no %.*s within %s after %.*s", IQ_VIEW_ARG(names), limit,
			IQ_VIEW_ARG(after));
}

static int describe_span(struct explainer *explainer, const struct iq_breach *breach, struct iq_finding *finding)
{
	const char *what = breach->rule->kind == IQ_RULE_IDLE ? "nothing" : "still going on";
	struct iq_view after = type_at(explainer, breach->after);
	char took[IQ_RFC3339_SIZE], limit[IQ_RFC3339_SIZE];

	(void)iq_duration_format(breach->value, took);
	(void)iq_duration_format(breach->rule->limit_ns, limit);
	if (breach->moved)
		return set_text(explainer, &finding->message, "%.*s %s after %.*s, later than %s",
				IQ_VIEW_ARG(type_at(explainer, breach->moved)), took, IQ_VIEW_ARG(after), limit);
	return set_text(explainer, &finding->message, "%s %s after %.*s", what, limit, IQ_VIEW_ARG(after));
}

static int describe_number(struct explainer *explainer, const struct iq_breach *breach, struct iq_finding *finding)
{
	const char *what = breach->value > breach->expected	   ? "gap"
			   : breach->value == breach->expected - 1 ? "repeat"
								   : "decrease";

	return set_text(explainer, &finding->message, "%s: number %lld where %lld was due", what,
			(long long)breach->value, (long long)breach->expected);
}

static int describe_breach(struct explainer *explainer, const struct iq_breach *breach)
{
	struct iq_finding *finding = add_finding(explainer, breach->kind);

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->after.id = breach->after;
	finding->moved.id = breach->moved;
	if (breach->rule->kind == IQ_RULE_WITHIN)
		return describe_late_answer(explainer, breach, finding);
	return breach->rule->kind == IQ_RULE_SEQUENCE ? describe_number(explainer, breach, finding)
						      : describe_span(explainer, breach, finding);
}

static int explain_watch(struct explainer *explainer)
{
	const struct iq_trace *trace = explainer->track->trace;
	int rc = 0;

	for (size_t i = 0; i < trace->breach_count && rc == 0; i++)
		if (trace->breaches[i].rule == explainer->rule)
			rc = describe_breach(explainer, &trace->breaches[i]);
	return rc;
}

static int explain_malformed(struct explainer *explainer)
{
	const struct iq_trace *trace = explainer->track->trace;

	for (size_t i = 0; i < trace->count; i++) {
		struct iq_finding *finding = add_finding(explainer, IQ_FINDING_MALFORMED);

		if (!finding)
			return IQ_ERR_NOMEM;
		finding->moved.id = trace->strides[i].id;
		finding->message = IQ_LIT("a message that begins like JSON and is not");
	}
	return 0;
}

/* An instance of which nothing was seen but what is nested in it: that one has no parent. */
static bool is_phantom(const struct iq_track *track)
{
	for (size_t i = 0; i < track->trace->count; i++)
		if (track->trace->strides[i].part == IQ_PART_WHOLE)
			return false;
	return track->trace->count > 0;
}

static int explain_phantom(struct explainer *explainer)
{
	const struct iq_stride *first = &explainer->track->trace->strides[0];
	struct iq_finding *finding = add_finding(explainer, IQ_FINDING_ORPHAN);

	if (!finding)
		return IQ_ERR_NOMEM;
	finding->expected = iq_arena_copy(explainer->arena, explainer->follower->lifecycle->name);
	finding->instead.id = first->id;
	return set_text(explainer, &finding->message, "%.*s without %.*s",
			IQ_VIEW_ARG(symbol_name(explainer, first->symbol)),
			IQ_VIEW_ARG(explainer->follower->lifecycle->name));
}

/* ---- The whole ---- */

/* What ended the last session that the track appeared in. */
static uint64_t end_event(const struct iq_checker *checker, const struct iq_track *track)
{
	const size_t count = iq_numbers_count(&track->sessions);
	const struct iq_session *session =
		count ? iq_checker_session(checker, iq_numbers_at(&track->sessions, count - 1)) : NULL;

	return session ? checker->session_ends[session - checker->sessions] : 0;
}

/* What the spec says of a rule stands for what would be said of its findings. */
static int use_own_message(struct explainer *explainer, size_t from)
{
	struct iq_view message = explainer->rule->message;

	for (size_t i = from; message.data && i < explainer->finding_count; i++) {
		explainer->findings[i].message = iq_arena_copy(explainer->arena, message);
		if (!explainer->findings[i].message.data)
			return IQ_ERR_NOMEM;
	}
	return 0;
}

static int explain_rules(struct explainer *explainer)
{
	const struct iq_lifecycle *lifecycle = explainer->follower->lifecycle;
	int rc = 0;

	for (size_t i = 0; i < lifecycle->rule_count && rc == 0; i++) {
		size_t before = explainer->finding_count;

		explainer->rule = &lifecycle->rules[i];
		if (!iq_is_broken(explainer->checker, explainer->follower, explainer->track, i, explainer->over))
			continue;
		if (i == 0 && is_phantom(explainer->track))
			rc = explain_phantom(explainer);
		else
			rc = explainer->rule->automaton ? explain_automaton(explainer) : explain_watch(explainer);
		if (rc == 0)
			rc = use_own_message(explainer, before);
	}
	return rc;
}

int iq_explain(struct iq_checker *checker, const struct iq_follower *follower, const struct iq_track *track, bool over,
	       struct iq_finding **ret_findings, size_t *ret_count)
{
	struct explainer explainer = { .checker = checker,
				       .follower = follower,
				       .track = track,
				       .arena = checker->memory,
				       .end_event = end_event(checker, track),
				       .over = over };
	int rc = track->malformed ? explain_malformed(&explainer) : explain_rules(&explainer);

	*ret_count = explainer.finding_count;
	*ret_findings =
		rc < 0 ? NULL : iq_arena_calloc(checker->memory, explainer.finding_count + 1, sizeof(**ret_findings));
	if (*ret_findings && explainer.finding_count)
		memcpy(*ret_findings, explainer.findings, explainer.finding_count * sizeof(**ret_findings));
	free(explainer.findings);
	return *ret_findings ? 0 : iq_checker_nomem(checker);
}
