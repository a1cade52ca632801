#include "query/satisfy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One step that a rule may take: nothing at all where it does not see the event. */
#define UNSEEN IQ_SYMBOL_NONE

/* What a deadline is like without its time: an event of `from` waits for one of `to`. */
enum wait { WAIT_OVER, WAIT_PENDING };

struct search {
	struct iq_compiler *compiler;
	const struct iq_rule **rules;
	bool *active;
	size_t rule_count;
	uint32_t *
		steps; /* for each kind of event, what it is to each rule: a letter, or an index into `wait` + 0 or 1 */
	size_t step_count;
	struct iq_map states; /* one number for each rule */
	size_t *next_step;    /* by state: where to go on when the search comes back to it */
	size_t capacity;
};

static int compare_ends(const bool *from, const bool *to)
{
	for (size_t i = 0; i < IQ_SPEC_MAX_NAMES; i++)
		if (from[i] && to[i])
			return 1;
	return 0;
}

/* A deadline from an event to its like waits until a `final` event ends it; where there are those, others may too. */
static bool waits(const struct iq_lifecycle *lifecycle, const struct iq_rule *rule)
{
	const struct iq_deadline *deadline = rule->deadline;

	for (uint32_t i = 0; i < lifecycle->names.count; i++)
		if (lifecycle->is_final[i])
			return false;
	return deadline && deadline->from && deadline->side == IQ_WITHIN_AFTER && !deadline->forbidden &&
	       compare_ends(deadline->from, deadline->to) == 0;
}

static int collect_rules(struct search *search)
{
	const struct iq_lifecycle *lifecycle = search->compiler->lifecycle;

	search->rules = calloc(lifecycle->rule_count + 1, sizeof(struct iq_rule *));
	search->active = calloc(lifecycle->rule_count + 1, sizeof(*search->active));
	if (!search->rules || !search->active)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < lifecycle->rule_count; i++) {
		if (!lifecycle->rules[i].automaton && !waits(lifecycle, &lifecycle->rules[i]))
			continue;
		search->active[search->rule_count] = true;
		search->rules[search->rule_count++] = &lifecycle->rules[i];
	}
	return 0;
}

/* What the event `symbol` is to a rule; `last` for the last event of a nested lifecycle. */
static uint32_t step_of(const struct iq_rule *rule, uint32_t symbol, bool last)
{
	uint32_t letter;

	if (!rule->automaton)
		return rule->deadline->from[symbol] ? WAIT_PENDING : rule->deadline->to[symbol] ? WAIT_OVER : UNSEEN;
	letter = rule->letters[symbol];
	return letter >= rule->letter_count ? UNSEEN : letter + last;
}

/* Events that are the same to every rule are one kind. */
static int collect_steps(struct search *search)
{
	const struct iq_lifecycle *lifecycle = search->compiler->lifecycle;
	struct iq_map known = IQ_MAP_INIT;
	uint32_t index;
	int rc = 0;

	search->steps = calloc(2 * lifecycle->names.count * search->rule_count + 1, sizeof(*search->steps));
	if (!search->steps)
		return IQ_ERR_NOMEM;
	for (uint32_t i = 0; i < 2 * lifecycle->names.count && rc >= 0; i++) {
		uint32_t *steps = &search->steps[search->step_count * search->rule_count];
		uint32_t symbol = i / 2;

		if (i % 2 && !lifecycle->children[symbol])
			continue;
		for (size_t j = 0; j < search->rule_count; j++)
			steps[j] = step_of(search->rules[j], symbol, i % 2);
		rc = iq_map_intern(&known, iq_view_make((const char *)steps, search->rule_count * sizeof(*steps)),
				   &index);
		search->step_count += rc == 1;
	}
	iq_map_release(&known);
	return rc < 0 ? rc : 0;
}

/* ---- The search ---- */

static const uint32_t *state_at(const struct search *search, size_t index)
{
	return (const uint32_t *)(const void *)search->states.entries[index].key.data;
}

static bool accepts(const struct search *search, const uint32_t *state)
{
	for (size_t i = 0; i < search->rule_count; i++) {
		if (search->active[i] &&
		    (search->rules[i]->automaton ? !iq_node_accepts(search->rules[i]->automaton, state[i])
						 : state[i] == WAIT_PENDING))
			return false;
	}
	return true;
}

/* *ret_alive: no rule forbids the step. */
static int take_step(const struct search *search, const uint32_t *from, const uint32_t *step, uint32_t *to,
		     bool *ret_alive)
{
	int rc = 0;

	*ret_alive = true;
	for (size_t i = 0; i < search->rule_count && rc == 0 && *ret_alive; i++) {
		to[i] = from[i];
		if (!search->active[i] || step[i] == UNSEEN)
			continue;
		if (!search->rules[i]->automaton) {
			to[i] = step[i];
			continue;
		}
		rc = iq_node_step(search->rules[i]->automaton, from[i], step[i], &to[i]);
		*ret_alive = rc == 0 && to[i] != IQ_NODE_DEAD;
	}
	return rc;
}

/* 1 new, 0 seen before. */
static int visit(struct search *search, const uint32_t *state, uint32_t *ret_index)
{
	int rc = iq_map_intern(&search->states, iq_view_make((const char *)state, search->rule_count * sizeof(*state)),
			       ret_index);

	if (rc == 1 && *ret_index >= IQ_SATISFY_MAX_STATES)
		return IQ_ERR_LIMIT;
	if (rc == 1 && IQ_ARRAY_GROW(search->next_step, search->capacity, (size_t)*ret_index + 1) < 0)
		return IQ_ERR_NOMEM;
	/* Names that come late in the order lead to its end soonest. */
	if (rc == 1)
		search->next_step[*ret_index] = search->step_count;
	return rc;
}

/* Depth first, one step at a time: what can be satisfied is mostly found without looking right and left. */
static int walk(struct search *search, uint32_t *stack, uint32_t *scratch, bool *ret_found)
{
	size_t depth = 1;
	int rc = 0;

	while (depth > 0 && rc >= 0) {
		uint32_t at = stack[depth - 1];
		bool alive;

		*ret_found = accepts(search, state_at(search, at));
		if (*ret_found)
			return 0;
		if (search->next_step[at] == 0) {
			depth--;
			continue;
		}
		rc = take_step(search, state_at(search, at),
			       &search->steps[--search->next_step[at] * search->rule_count], scratch, &alive);
		if (rc == 0 && alive)
			rc = visit(search, scratch, &stack[depth]);
		depth += rc == 1;
	}
	return rc < 0 ? rc : 0;
}

/* Is there a sequence that all active rules accept? */
static int find(struct search *search, bool *ret_found)
{
	uint32_t *stack = calloc(IQ_SATISFY_MAX_STATES + 1, sizeof(*stack));
	uint32_t *scratch = calloc(search->rule_count + 1, sizeof(*scratch));
	int rc = stack && scratch ? 0 : IQ_ERR_NOMEM;

	iq_map_clear(&search->states);
	for (size_t i = 0; rc == 0 && i < search->rule_count; i++)
		scratch[i] = search->rules[i]->automaton ? iq_automaton_start(search->rules[i]->automaton) : WAIT_OVER;
	if (rc == 0)
		rc = visit(search, scratch, &stack[0]);
	if (rc >= 0)
		rc = walk(search, stack, scratch, ret_found);
	free(stack);
	free(scratch);
	return rc;
}

/* Leaves only rules active each of which the contradiction needs. */
static int narrow(struct search *search)
{
	int rc = 0;

	for (size_t i = 0; i < search->rule_count && rc == 0; i++) {
		bool found = false;

		search->active[i] = false;
		rc = find(search, &found);
		search->active[i] = found;
	}
	return rc;
}

/* ---- What is said ---- */

static void name_rule(const struct iq_rule *rule, struct iq_buf *out)
{
	int len = rule->text.len > 60 ? 60 : (int)rule->text.len;

	(void)iq_buf_appendf(out, "`%s%.*s%s`", rule->kind == IQ_RULE_ORDER ? "order: " : "", len, rule->text.data,
			     rule->text.len > 60 ? "..." : "");
}

static int tell_contradiction(struct search *search)
{
	struct iq_buf text = IQ_BUF_INIT;
	const struct iq_rule *last = NULL;
	size_t count = 0;
	int rc;

	for (size_t i = 0; i < search->rule_count; i++)
		last = search->active[i] ? search->rules[i] : last;
	name_rule(last, &text);
	for (size_t i = 0; i < search->rule_count; i++) {
		if (!search->active[i] || search->rules[i] == last)
			continue;
		(void)iq_buf_append_cstr(&text, count++ ? " and " : " contradicts ");
		name_rule(search->rules[i], &text);
		(void)iq_buf_appendf(&text, " in line %u, column %u", search->rules[i]->place->line,
				     search->rules[i]->place->column);
	}
	rc = IQ_FAIL(search->compiler, last->place, "%s: nothing can satisfy %s", iq_buf_view(&text).data,
		     count > 1 ? "them all" : "both");
	iq_buf_release(&text);
	return rc;
}

static int search_all(struct search *search)
{
	bool found = false;
	int rc = collect_rules(search);

	if (rc < 0 || search->rule_count < 2)
		return rc;
	rc = collect_steps(search);
	if (rc == 0)
		rc = find(search, &found);
	if (rc < 0 || found)
		return rc;
	rc = narrow(search);
	return rc < 0 ? rc : tell_contradiction(search);
}

int iq_satisfy_check(struct iq_compiler *compiler)
{
	struct search search = { .compiler = compiler };
	int rc = search_all(&search);

	free(search.rules);
	free(search.active);
	free(search.steps);
	free(search.next_step);
	iq_map_release(&search.states);
	if (rc == IQ_ERR_LIMIT)
		return IQ_FAIL(compiler, compiler->lifecycle->place,
			       "too large to tell whether anything can satisfy all its rules: more than %u states; use "
			       "smaller counts or fewer interleaved parts",
			       IQ_SATISFY_MAX_STATES);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(compiler->error) : rc;
}
