/* The repair of an alignment, applied, must be a sequence of the order; and no cheaper repair may exist. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "query/align.h"
#include "query/order.h"

#define MAX_WORD 16

static int find_letter(void *context, const struct iq_expression *name, struct iq_order_letter *ret_letter)
{
	ret_letter->nested = false;
	return iq_map_intern(context, name->name, &ret_letter->letter) < 0 ? IQ_ERR_NOMEM : 0;
}

static iq_node parse(const char *order, struct iq_automaton *automaton, struct iq_map *names)
{
	struct iq_yaml node = {
		.type = IQ_YAML_SCALAR, .line = 1, .column = 1, .text = iq_view_cstr(order), .plain = true
	};
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_lexer lexer = { .text = node.text, .node = &node, .file = "test", .what = "order", .error = &error };
	struct iq_order_names letters = { find_letter, names };
	struct iq_arena memory = IQ_ARENA_INIT;
	const struct iq_expression *expression;
	iq_node start;

	cr_assert_eq(iq_order_parse(&lexer, &memory, &expression), 0, "%s", error.message);
	cr_assert_eq(iq_order_build(expression, automaton, &letters, &start), 0);
	iq_automaton_begin(automaton, start, (uint32_t)names->count);
	iq_arena_release(&memory);
	return start;
}

static bool accepted(struct iq_automaton *automaton, const uint32_t *word, size_t len)
{
	iq_node state = iq_automaton_start(automaton);

	for (size_t i = 0; i < len; i++)
		cr_assert_eq(iq_node_step(automaton, state, word[i], &state), 0);
	return iq_node_accepts(automaton, state);
}

/* Is there a way with at most `budget` insertions and drops? */
static bool repairable(struct iq_automaton *automaton, iq_node state, const uint32_t *word, size_t len, size_t budget)
{
	iq_node next;

	if (len == 0 && iq_node_accepts(automaton, state))
		return true;
	if (len > 0) {
		cr_assert_eq(iq_node_step(automaton, state, word[0], &next), 0);
		if (next != IQ_NODE_DEAD && repairable(automaton, next, word + 1, len - 1, budget))
			return true;
		if (budget > 0 && repairable(automaton, state, word + 1, len - 1, budget - 1))
			return true;
	}
	for (uint32_t symbol = 0; budget > 0 && symbol < iq_automaton_symbols(automaton); symbol++) {
		cr_assert_eq(iq_node_step(automaton, state, symbol, &next), 0);
		if (next != IQ_NODE_DEAD && repairable(automaton, next, word, len, budget - 1))
			return true;
	}
	return false;
}

static size_t apply(const uint32_t *word, size_t len, const struct iq_edit *edits, size_t count, uint32_t *repaired)
{
	size_t made = 0;

	for (size_t i = 0; i <= len; i++) {
		bool dropped = false;

		for (size_t j = 0; j < count; j++) {
			if (edits[j].position != i)
				continue;
			if (edits[j].op == IQ_EDIT_INSERT)
				repaired[made++] = edits[j].symbol;
			else
				dropped = true;
		}
		if (i < len && !dropped)
			repaired[made++] = word[i];
	}
	return made;
}

Test(align, finds_a_cheapest_repair)
{
	static const char *const orders[] = { "a, b, c",    "a, (b | c)*, d", "a, (b & c), d", "(a, b)*",
					      "a{2,3}, b?", "a & b & c",      "a, b+, (c | d)" };
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 700; round++) {
		struct iq_automaton *automaton = iq_automaton_new();
		struct iq_map names = IQ_MAP_INIT;
		uint32_t word[MAX_WORD], repaired[2 * MAX_WORD];
		size_t len = (size_t)rand() % 6, count, made;
		struct iq_edit *edits;
		struct iq_alignment_problem problem = { .automaton = automaton, .symbols = word, .count = len };
		iq_node start = parse(orders[round % 7], automaton, &names);

		for (size_t i = 0; i < len; i++)
			word[i] = (uint32_t)rand() % (uint32_t)names.count;
		cr_assert_eq(iq_states_single(automaton, start, &problem.start), 0);
		cr_assert_eq(iq_align(&problem, &edits, &count), 0, "seed %u round %u", seed, round);
		made = apply(word, len, edits, count, repaired);
		cr_assert(accepted(automaton, repaired, made), "seed %u round %u: the repair is no repair", seed,
			  round);
		cr_assert(count == 0 || !repairable(automaton, start, word, len, count - 1),
			  "seed %u round %u: %zu edits are too many", seed, round, count);
		free(edits);
		iq_map_release(&names);
		iq_automaton_free(automaton);
	}
}

/* ---- Longer ones, against A*: positions and states by what they cost, and what no state can take as the estimate. ---- */

struct place {
	iq_node state;
	size_t position;
	size_t cost;
	size_t estimate;
	bool done;
};

struct search {
	struct iq_automaton *automaton;
	const uint32_t *word;
	size_t len;
	size_t letters; /* that the order knows; the others have to be dropped */
	struct place *places;
	size_t count;
	size_t capacity;
	struct iq_map index;
};

static size_t strangers(const struct search *search, size_t position)
{
	size_t count = 0;

	for (; position < search->len; position++)
		count += search->word[position] >= search->letters;
	return count;
}

static void reach(struct search *search, iq_node state, size_t position, size_t cost)
{
	const size_t key[2] = { state, position };
	uint32_t found;

	if (state == IQ_NODE_DEAD)
		return;
	if (iq_map_intern(&search->index, iq_view_make((const char *)key, sizeof(key)), &found) == 1) {
		cr_assert_eq(IQ_ARRAY_GROW(search->places, search->capacity, search->count + 1), 0);
		search->places[search->count++] =
			(struct place){ state, position, SIZE_MAX, strangers(search, position), false };
	}
	if (cost < search->places[found].cost)
		search->places[found].cost = cost;
}

static struct place *most_hopeful(struct search *search)
{
	struct place *best = NULL;

	for (size_t i = 0; i < search->count; i++) {
		struct place *place = &search->places[i];

		if (!place->done && (!best || place->cost + place->estimate < best->cost + best->estimate))
			best = place;
	}
	cr_assert(best);
	best->done = true;
	return best;
}

static void expand(struct search *search, struct place from)
{
	iq_node next;

	for (uint32_t letter = 0; letter < search->letters; letter++) {
		cr_assert_eq(iq_node_step(search->automaton, from.state, letter, &next), 0);
		reach(search, next, from.position, from.cost + 1);
		if (from.position < search->len && search->word[from.position] == letter)
			reach(search, next, from.position + 1, from.cost);
	}
	if (from.position < search->len)
		reach(search, from.state, from.position + 1, from.cost + 1);
}

static size_t cheapest(struct search *search)
{
	size_t cost;

	reach(search, iq_automaton_start(search->automaton), 0, 0);
	for (;;) {
		const struct place place = *most_hopeful(search);

		if (place.position == search->len && iq_node_accepts(search->automaton, place.state)) {
			cost = place.cost;
			break;
		}
		expand(search, place);
	}
	free(search->places);
	iq_map_release(&search->index);
	return cost;
}

/* Something like a sequence of the order, of 30 to 50 events, with faults in it. */
static size_t long_word(struct iq_automaton *automaton, uint32_t letters, uint32_t *word)
{
	iq_node state = iq_automaton_start(automaton), next;
	size_t len = 30 + (size_t)rand() % 21, count = 0;

	for (size_t tries = 0; count < len && tries < 20 * len; tries++) {
		uint32_t letter = (uint32_t)rand() % (letters + 1);

		next = IQ_NODE_DEAD;
		if (letter < letters)
			cr_assert_eq(iq_node_step(automaton, state, letter, &next), 0);
		if (next == IQ_NODE_DEAD && rand() % 10 > 0)
			continue;
		word[count++] = letter < letters ? letter : IQ_LETTER_FOREIGN(automaton);
		state = next == IQ_NODE_DEAD ? state : next;
	}
	return count;
}

Test(align, costs_what_an_a_star_search_finds)
{
	static const char *const orders[] = {
		"a, (b | c)*, d",
		"(a, (b & c), d)*",
		"((a | b), c{1,3}, (d & e))+, f",
		"a, (b, c)*, (d | (e, f))*, g?",
		"(a & b* & c{2,9}), (d, e)*",
		"a{10,20}, (b | (c & d & e)){5,}, f*",
	};
	const char *more = getenv("IQ_TEST_ROUNDS");
	unsigned seed = (unsigned)time(NULL), rounds = more ? (unsigned)atoi(more) : 60;

	srand(seed);
	for (unsigned round = 0; round < rounds; round++) {
		struct iq_automaton *automaton = iq_automaton_new();
		struct iq_map names = IQ_MAP_INIT;
		uint32_t word[64], repaired[256];
		iq_node start = parse(orders[round % 6], automaton, &names);
		struct iq_alignment_problem problem = { .automaton = automaton, .symbols = word };
		struct search search = {
			.automaton = automaton, .word = word, .letters = names.count, .index = IQ_MAP_INIT
		};
		struct iq_edit *edits;
		size_t count, made;

		problem.count = search.len = long_word(automaton, (uint32_t)names.count, word);
		cr_assert_eq(iq_states_single(automaton, start, &problem.start), 0);
		cr_assert_eq(iq_align(&problem, &edits, &count), 0, "seed %u round %u", seed, round);
		cr_expect_eq(count, cheapest(&search), "seed %u round %u: %zu edits", seed, round, count);
		made = apply(word, problem.count, edits, count, repaired);
		cr_assert(accepted(automaton, repaired, made), "seed %u round %u: the repair is no repair", seed,
			  round);
		free(edits);
		iq_map_release(&names);
		iq_automaton_free(automaton);
	}
}

Test(align, pairs_what_only_moved)
{
	struct iq_automaton *automaton = iq_automaton_new();
	struct iq_map names = IQ_MAP_INIT;
	const uint32_t word[] = { 1, 0 };
	struct iq_alignment_problem problem = { .automaton = automaton, .symbols = word, .count = 2 };
	struct iq_edit *edits;
	size_t count;

	cr_assert_eq(iq_states_single(automaton, parse("a, b", automaton, &names), &problem.start), 0);
	cr_assert_eq(iq_align(&problem, &edits, &count), 0);
	cr_assert_eq(count, 2);
	cr_expect_eq(edits[0].partner, 1);
	cr_expect_eq(edits[1].partner, 0);
	free(edits);
	iq_map_release(&names);
	iq_automaton_free(automaton);
}

Test(align, gives_up_beyond_its_limit)
{
	struct iq_automaton *automaton = iq_automaton_new();
	struct iq_map names = IQ_MAP_INIT;
	struct iq_alignment_problem problem = { .automaton = automaton, .count = IQ_ALIGN_MAX_CELLS };
	struct iq_edit *edits;
	size_t count;

	cr_assert_eq(iq_states_single(automaton, parse("a, b", automaton, &names), &problem.start), 0);
	cr_expect_eq(iq_align(&problem, &edits, &count), IQ_ERR_LIMIT);
	iq_map_release(&names);
	iq_automaton_free(automaton);
}
