/* Random expressions against an oracle that knows nothing of derivatives: it tries every way of splitting a word. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "query/automaton.h"

#define SYMBOLS 3u
#define LONGEST 5u

enum shape { SYMBOL, EMPTY, SEQUENCE, CHOICE, INTERLEAVE, REPEAT, OVERLAP, SHAPES };

struct expression {
	enum shape shape;
	uint32_t symbol, least, most;
	struct expression *a, *b;
};

static struct expression *random_expression(struct iq_arena *arena, int depth)
{
	struct expression *expression = iq_arena_calloc(arena, 1, sizeof(*expression));

	expression->shape = depth == 0 ? (rand() % 8 ? SYMBOL : EMPTY) : (enum shape)(rand() % SHAPES);
	expression->symbol = (uint32_t)rand() % SYMBOLS;
	expression->least = (uint32_t)rand() % 3;
	expression->most = rand() % 3 ? expression->least + (uint32_t)rand() % 2 : IQ_REPEAT_UNBOUNDED;
	if (expression->shape >= SEQUENCE) {
		expression->a = random_expression(arena, depth - 1);
		expression->b = random_expression(arena, depth - 1);
	}
	return expression;
}

static bool matches(const struct expression *expression, const uint32_t *word, size_t len);

static bool matches_repeat(const struct expression *expression, uint32_t least, uint32_t most, const uint32_t *word,
			   size_t len)
{
	if (len == 0 && (least == 0 || matches(expression->a, word, 0)))
		return true;
	if (most == 0)
		return false;
	/* A piece of nothing helps only to reach the least count. */
	for (size_t split = 1; split <= len; split++)
		if (matches(expression->a, word, split) &&
		    matches_repeat(expression, least ? least - 1 : 0, most == IQ_REPEAT_UNBOUNDED ? most : most - 1,
				   word + split, len - split))
			return true;
	return least > 0 && matches(expression->a, word, 0) && matches_repeat(expression, 0, most, word, len);
}

static bool matches_interleave(const struct expression *expression, const uint32_t *word, size_t len)
{
	for (unsigned chosen = 0; chosen < 1u << len; chosen++) {
		uint32_t left[LONGEST] = { 0 }, right[LONGEST] = { 0 };
		size_t lefts = 0, rights = 0;

		for (size_t i = 0; i < len; i++) {
			if (chosen & 1u << i)
				left[lefts++] = word[i];
			else
				right[rights++] = word[i];
		}
		if (matches(expression->a, left, lefts) && matches(expression->b, right, rights))
			return true;
	}
	return false;
}

/* One of those that overlap has the first letter; `chosen` are the others that it has. */
static bool matches_overlap(const struct expression *expression, uint32_t least, uint32_t most, const uint32_t *word,
			    size_t len)
{
	bool takes_nothing = matches(expression->a, word, 0);

	if (len == 0)
		return least == 0 || takes_nothing;
	for (unsigned chosen = 0; most > 0 && chosen < 1u << (len - 1); chosen++) {
		uint32_t one[LONGEST] = { word[0] }, others[LONGEST] = { 0 };
		size_t ones = 1, rest = 0;

		for (size_t i = 1; i < len; i++) {
			if (chosen & 1u << (i - 1))
				one[ones++] = word[i];
			else
				others[rest++] = word[i];
		}
		if (matches(expression->a, one, ones) &&
		    matches_overlap(expression, least ? least - 1 : 0, most == IQ_REPEAT_UNBOUNDED ? most : most - 1,
				    others, rest))
			return true;
	}
	return false;
}

static bool matches(const struct expression *expression, const uint32_t *word, size_t len)
{
	switch (expression->shape) {
	case SYMBOL:
		return len == 1 && word[0] == expression->symbol;
	case EMPTY:
		return len == 0;
	case CHOICE:
		return matches(expression->a, word, len) || matches(expression->b, word, len);
	case INTERLEAVE:
		return matches_interleave(expression, word, len);
	case REPEAT:
		return matches_repeat(expression, expression->least, expression->most, word, len);
	case OVERLAP:
		return matches_overlap(expression, expression->least, expression->most, word, len);
	default:
		for (size_t split = 0; split <= len; split++)
			if (matches(expression->a, word, split) && matches(expression->b, word + split, len - split))
				return true;
		return false;
	}
}

static iq_node build(struct iq_automaton *automaton, const struct expression *expression)
{
	iq_node a = 0, b = 0, node = IQ_NODE_EMPTY;

	if (expression->shape >= SEQUENCE) {
		a = build(automaton, expression->a);
		b = build(automaton, expression->b);
	}
	switch (expression->shape) {
	case SYMBOL:
		cr_assert_eq(iq_node_symbol(automaton, expression->symbol, &node), 0);
		break;
	case SEQUENCE:
		cr_assert_eq(iq_node_sequence(automaton, a, b, &node), 0);
		break;
	case CHOICE:
		cr_assert_eq(iq_node_choice(automaton, a, b, &node), 0);
		break;
	case INTERLEAVE:
		cr_assert_eq(iq_node_interleave(automaton, a, b, &node), 0);
		break;
	case REPEAT:
		cr_assert_eq(iq_node_repeat(automaton, a, expression->least, expression->most, &node), 0);
		break;
	case OVERLAP:
		cr_assert_eq(iq_node_overlap(automaton, a, expression->least, expression->most, &node), 0);
		break;
	default:
		break;
	}
	return node;
}

static bool accepts(struct iq_automaton *automaton, iq_node start, const uint32_t *word, size_t len)
{
	iq_node state = start;

	for (size_t i = 0; i < len; i++)
		cr_assert_eq(iq_node_step(automaton, state, word[i], &state), 0);
	return iq_node_accepts(automaton, state);
}

Test(automaton, accepts_what_its_expression_means)
{
	struct iq_arena arena = IQ_ARENA_INIT;
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 3000; round++) {
		struct expression *expression = random_expression(&arena, 1 + rand() % 3);
		struct iq_automaton *automaton = iq_automaton_new();
		iq_node start = build(automaton, expression);

		iq_automaton_begin(automaton, start, SYMBOLS);
		for (unsigned i = 0; i < 12; i++) {
			uint32_t word[LONGEST];
			size_t len = (size_t)rand() % (LONGEST + 1);

			for (size_t j = 0; j < len; j++)
				word[j] = (uint32_t)rand() % SYMBOLS;
			cr_assert_eq(accepts(automaton, start, word, len), matches(expression, word, len),
				     "seed %u round %u", seed, round);
		}
		iq_automaton_free(automaton);
		iq_arena_clear(&arena);
	}
	iq_arena_release(&arena);
}

/* After a whole sequence the next one begins, if it can: what is `unseen` and cannot begin one changes nothing. */
static iq_node take(struct iq_automaton *automaton, iq_node state, uint32_t symbol, bool unseen)
{
	iq_node next;

	cr_assert_eq(
		iq_node_step(automaton, state == IQ_NODE_EMPTY ? iq_automaton_start(automaton) : state, symbol, &next),
		0);
	return unseen && state == IQ_NODE_EMPTY && next == IQ_NODE_DEAD ? state : next;
}

/* What a set says after a gap of up to two events must hold for exactly the words that fill it so. */
Test(automaton, follows_what_may_have_been_in_a_gap)
{
	struct iq_arena arena = IQ_ARENA_INIT;
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 1000; round++) {
		struct expression *expression = random_expression(&arena, 1 + rand() % 2);
		struct iq_automaton *automaton = iq_automaton_new();
		iq_node start = build(automaton, expression);
		struct iq_states_facts facts;
		iq_states states;
		uint32_t after = (uint32_t)rand() % SYMBOLS, word[2];
		bool any = false, all = true;

		iq_automaton_begin(automaton, start, SYMBOLS);
		cr_assert_eq(iq_states_single(automaton, start, &states), 0);
		cr_assert_eq(iq_states_blur(automaton, states, 2, &states), 0);
		cr_assert_eq(iq_states_step(automaton, states, after, &states), 0);
		cr_assert_eq(iq_states_facts(automaton, states, &facts), 0);
		for (unsigned filling = 0; filling < 1 + SYMBOLS + SYMBOLS * SYMBOLS; filling++) {
			size_t len = filling == 0 ? 0 : filling <= SYMBOLS ? 1 : 2;
			iq_node state = start;
			bool holds;

			word[0] = (filling - 1) % SYMBOLS;
			word[1] = filling > SYMBOLS ? (filling - 1 - SYMBOLS) / SYMBOLS : 0;
			for (size_t i = 0; i < len; i++)
				state = take(automaton, state, word[i], true);
			holds = iq_node_accepts(automaton, take(automaton, state, after, false));
			any |= holds;
			all &= holds;
		}
		cr_assert_eq(facts.any_accepts, any, "seed %u round %u", seed, round);
		cr_assert_eq(facts.all_accept, all, "seed %u round %u", seed, round);
		iq_automaton_free(automaton);
		iq_arena_clear(&arena);
	}
	iq_arena_release(&arena);
}

/* Whatever overlaps without end has no end of states: following it costs no more for that, and the dark is a limit. */
Test(automaton, says_that_overlaps_without_end_are_too_many_to_guess)
{
	struct iq_automaton *automaton = iq_automaton_new();
	iq_node begin, end, both, all, state;
	iq_states states;

	cr_assert_eq(iq_node_symbol(automaton, 0, &begin), 0);
	cr_assert_eq(iq_node_symbol(automaton, 1, &end), 0);
	cr_assert_eq(iq_node_sequence(automaton, begin, end, &both), 0);
	cr_assert_eq(iq_node_overlap(automaton, both, 0, IQ_REPEAT_UNBOUNDED, &all), 0);
	iq_automaton_begin(automaton, all, 2);
	state = all;
	for (unsigned i = 0; i < 5000; i++)
		cr_assert_eq(iq_node_step(automaton, state, 0, &state), 0);
	for (unsigned i = 0; i < 5000; i++)
		cr_assert_eq(iq_node_step(automaton, state, 1, &state), 0);
	cr_expect_eq(state, all);
	cr_assert_eq(iq_node_step(automaton, state, 1, &state), 0);
	cr_expect_eq(state, IQ_NODE_DEAD);
	cr_assert_eq(iq_states_single(automaton, all, &states), 0);
	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(iq_states_blur(automaton, states, -1, &states), IQ_ERR_LIMIT);
	iq_automaton_free(automaton);
}
