#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "query/mine.h"
#include "query/spec.h"

#define LETTERS 6u
#define LONGEST 12u

static const struct iq_mine_name names[LETTERS] = {
	{ { "a", 1 }, false }, { { "b", 1 }, false }, { { "c", 1 }, false },
	{ { "d", 1 }, false }, { { "e", 1 }, false }, { { "f", 1 }, false }
};

static void add(struct iq_mine *mine, const char *word)
{
	uint32_t symbols[64];
	size_t count = strlen(word);

	for (size_t i = 0; i < count; i++)
		symbols[i] = (uint32_t)(word[i] - 'a');
	cr_assert_geq(iq_mine_add(mine, symbols, count), 0);
}

/* Words with spaces between; `-` is the empty one. */
static void expect(const char *words, const char *order)
{
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_mine mine;
	char *copy = strdup(words), *rest = NULL;

	iq_mine_init(&mine);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		add(&mine, strcmp(word, "-") == 0 ? "" : word);
	cr_assert_eq(iq_mine_order(&mine, names, LETTERS, &out), 0);
	cr_expect_str_eq(out.data, order, "%s gives %s, not %s", words, out.data, order);
	iq_buf_release(&out);
	iq_mine_release(&mine);
	free(copy);
}

Test(mine, finds_what_a_person_would_write)
{
	expect("abc", "a, b, c");
	expect("abc ac", "a, b?, c");
	expect("abc abbc", "a, b+, c");
	expect("ac abc abbc", "a, b*, c");
	expect("abd acd", "a, (b | c), d");
	expect("abe acde", "a, (b | (c, d)), e");
	expect("abcd acbd", "a, (b & c), d");
	expect("- a", "a?");
	expect("- a aa", "a*");
	expect("-", "()");
	expect("ab abab ababab", "(a, b)+");
	expect("aba ababa a", "a, (b, a)*");
	expect("abcde abbcde acbde", "a, (b+ & c), d, e");
	expect("ab cd", "(a, b) | (c, d)");
	expect("- ab ba a b", "a? & b?");
	expect("- a bb", "(a | b+)?");
	expect("eabf eababf", "e, (a, b)+, f");
}

Test(mine, a_name_that_may_come_in_any_number_does)
{
	struct iq_mine_name loose[LETTERS];
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_mine mine;

	memcpy(loose, names, sizeof(loose));
	loose[1].any_number = true;
	iq_mine_init(&mine);
	add(&mine, "abc");
	cr_assert_eq(iq_mine_order(&mine, loose, LETTERS, &out), 0);
	cr_expect_str_eq(out.data, "a, b*, c");
	iq_buf_release(&out);
	iq_mine_release(&mine);
}

Test(mine, names_are_quoted_where_they_have_to_be)
{
	struct iq_buf out = IQ_BUF_INIT;

	cr_expect(iq_order_append_name(&out, IQ_LIT("A_SUBMITTED")));
	cr_expect(iq_order_append_name(&out, IQ_LIT(" a b")));
	cr_expect(iq_order_append_name(&out, IQ_LIT("it's")));
	cr_expect_not(iq_order_append_name(&out, IQ_LIT("'\"")));
	cr_expect_not(iq_order_append_name(&out, IQ_LIT("a\nb")));
	cr_expect_str_eq(out.data, "A_SUBMITTED' a b'\"it's\"");
	iq_buf_release(&out);
}

/* ---- Whatever was given is accepted ---- */

/* Words that begin alike, loop and leave out, as those of a real process do; or anything. */
static size_t random_word(char *word)
{
	size_t count = 0;

	if (rand() % 4 == 0) {
		for (size_t i = (size_t)rand() % LONGEST; i > 0; i--)
			word[count++] = (char)('a' + rand() % (int)LETTERS);
	} else {
		word[count++] = 'a';
		for (int rounds = rand() % 3; rounds >= 0; rounds--) {
			word[count++] = rand() % 2 ? 'b' : 'c';
			if (rand() % 3)
				word[count++] = 'd';
		}
		if (rand() % 2)
			word[count++] = 'e';
	}
	word[count] = '\0';
	return count;
}

static bool accepts(const struct iq_lifecycle *lifecycle, const char *word)
{
	const struct iq_rule *order = &lifecycle->rules[0];
	iq_node state = iq_automaton_start(order->automaton);

	for (; *word; word++) {
		const uint64_t *symbol = iq_map_get(&lifecycle->names, iq_view_make(word, 1));

		if (!symbol ||
		    iq_node_step(order->automaton, state, iq_rule_letter(order, (uint32_t)*symbol), &state) < 0)
			return false;
	}
	return iq_node_accepts(order->automaton, state);
}

static void check_round(unsigned seed)
{
	char words[12][LONGEST * 2];
	const size_t count = 1 + (size_t)rand() % 12;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf spec_text = IQ_BUF_INIT;
	struct iq_spec *spec = NULL;
	struct iq_mine mine;

	iq_mine_init(&mine);
	for (size_t i = 0; i < count; i++) {
		(void)random_word(words[i]);
		add(&mine, words[i]);
	}
	(void)iq_buf_append_cstr(&spec_text, "lifecycle: mined\nclosed: true\norder: ");
	cr_assert_eq(iq_mine_order(&mine, names, LETTERS, &spec_text), 0);
	cr_assert_eq(iq_spec_parse(iq_buf_view(&spec_text), "mined", &spec, &error), 0, "seed %u: %s: %s", seed,
		     spec_text.data, error.message);
	for (size_t i = 0; i < count; i++)
		cr_expect(accepts(spec->first, words[i]), "seed %u: %s does not accept `%s`", seed, spec_text.data,
			  words[i]);
	iq_spec_free(spec);
	iq_buf_release(&spec_text);
	iq_mine_release(&mine);
}

Test(mine, an_order_accepts_all_that_it_was_mined_from)
{
	const char *given = getenv("IQ_TEST_SEED");
	const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 1000; round++)
		check_round(seed);
}
