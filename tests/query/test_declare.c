/* The templates of Declare against their definitions in linear temporal logic over finite traces (G. De Giacomo and M.
 * Vardi, 2013), on every trace of up to seven letters out of three. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "query/spec.h"

#define LONGEST 7u

/* ---- LTLf ---- */

enum op { TRUE, LETTER, NOT, AND, OR, IMPLIES, NEXT, UNTIL, GLOBALLY, FINALLY, WEAK_UNTIL };

struct formula {
	enum op op;
	char letter;
	const struct formula *left;
	const struct formula *right;
};

static bool holds(const struct formula *formula, const char *trace, size_t at, size_t len)
{
	switch (formula->op) {
	case TRUE:
		return true;
	case LETTER:
		return at < len && trace[at] == formula->letter;
	case NOT:
		return !holds(formula->left, trace, at, len);
	case AND:
		return holds(formula->left, trace, at, len) && holds(formula->right, trace, at, len);
	case OR:
		return holds(formula->left, trace, at, len) || holds(formula->right, trace, at, len);
	case IMPLIES:
		return !holds(formula->left, trace, at, len) || holds(formula->right, trace, at, len);
	case NEXT:
		return at + 1 < len && holds(formula->left, trace, at + 1, len);
	case FINALLY:
		return at < len && (holds(formula->left, trace, at, len) || holds(formula, trace, at + 1, len));
	case GLOBALLY:
		return at >= len || (holds(formula->left, trace, at, len) && holds(formula, trace, at + 1, len));
	case UNTIL:
		return at < len && (holds(formula->right, trace, at, len) ||
				    (holds(formula->left, trace, at, len) && holds(formula, trace, at + 1, len)));
	default:
		return at >= len || holds(formula->right, trace, at, len) ||
		       (holds(formula->left, trace, at, len) && holds(formula, trace, at + 1, len));
	}
}

#define FORMULA(...) (&(const struct formula){ __VA_ARGS__ })
#define A FORMULA(.op = LETTER, .letter = 'a')
#define B FORMULA(.op = LETTER, .letter = 'b')
#define no(x) FORMULA(.op = NOT, .left = x)
#define both(x, y) FORMULA(.op = AND, .left = x, .right = y)
#define either(x, y) FORMULA(.op = OR, .left = x, .right = y)
#define then(x, y) FORMULA(.op = IMPLIES, .left = x, .right = y)
#define next(x) FORMULA(.op = NEXT, .left = x)
#define always(x) FORMULA(.op = GLOBALLY, .left = x)
#define sometime(x) FORMULA(.op = FINALLY, .left = x)
#define until(x, y) FORMULA(.op = UNTIL, .left = x, .right = y)
#define unless(x, y) FORMULA(.op = WEAK_UNTIL, .left = x, .right = y)
/* At least once, twice, three times. */
#define ONCE sometime(A)
#define TWICE sometime(both(A, next(ONCE)))
#define THRICE sometime(both(A, next(TWICE)))
#define AT_END no(next(FORMULA(.op = TRUE)))

/* ---- Templates ---- */

static bool accepts(const struct iq_rule *rule, const uint32_t symbols[3], const char *trace, size_t len)
{
	iq_node state = iq_automaton_start(rule->automaton);

	for (size_t i = 0; i < len; i++) {
		uint32_t letter = iq_rule_letter(rule, symbols[trace[i] - 'a']);

		if (letter != IQ_SYMBOL_NONE)
			cr_assert_eq(iq_node_step(rule->automaton, state, letter, &state), 0);
	}
	return iq_node_accepts(rule->automaton, state);
}

static void compare(const struct iq_rule *rule, const uint32_t symbols[3], const struct formula *formula)
{
	for (size_t len = 1; len <= LONGEST; len++) {
		unsigned count = 1;

		for (size_t i = 0; i < len; i++)
			count *= 3;
		for (unsigned number = 0; number < count; number++) {
			char trace[LONGEST + 1] = "";

			for (size_t i = 0, rest = number; i < len; i++, rest /= 3)
				trace[i] = (char)('a' + rest % 3);
			cr_assert_eq(accepts(rule, symbols, trace, len), holds(formula, trace, 0, len), "%.*s: %s",
				     IQ_VIEW_ARG(rule->text), trace);
		}
	}
}

static void check_template(const char *written, const struct formula *formula)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;
	uint32_t symbols[3];
	char text[200];

	(void)snprintf(text, sizeof(text), "lifecycle: t\norder: (a | b | c)*\nconstraints: ['%s']\n", written);
	cr_assert_eq(iq_spec_parse(iq_view_cstr(text), "t", &spec, &error), 0, "%s", error.message);
	cr_assert_eq(spec->first->rule_count, 2);
	for (unsigned i = 0; i < 3; i++)
		symbols[i] = (uint32_t)*iq_map_get(&spec->first->names, iq_view_make(&"abc"[i], 1));
	compare(&spec->first->rules[1], symbols, formula);
	iq_spec_free(spec);
}

Test(declare, templates_mean_what_temporal_logic_says)
{
	const struct {
		const char *written;
		const struct formula *formula;
	} cases[] = {
		{ "existence(a)", ONCE },
		{ "existence(a, 3)", THRICE },
		{ "absence(a)", no(ONCE) },
		{ "absence(a, 3)", no(THRICE) },
		{ "exactly(a)", both(ONCE, no(TWICE)) },
		{ "exactly(a, 2)", both(TWICE, no(THRICE)) },
		{ "init(a)", A },
		{ "last(a)", sometime(both(A, AT_END)) },
		{ "responded-existence(a, b)", then(sometime(A), sometime(B)) },
		{ "co-existence(a, b)", both(then(sometime(A), sometime(B)), then(sometime(B), sometime(A))) },
		{ "response(a, b)", always(then(A, sometime(B))) },
		{ "precedence(a, b)", unless(no(B), A) },
		{ "succession(a, b)", both(always(then(A, sometime(B))), unless(no(B), A)) },
		{ "alternate-response(a, b)", always(then(A, next(until(no(A), B)))) },
		{ "alternate-precedence(a, b)",
		  both(unless(no(B), A), always(then(B, either(AT_END, next(unless(no(B), A)))))) },
		{ "alternate-succession(a, b)",
		  both(always(then(A, next(until(no(A), B)))),
		       both(unless(no(B), A), always(then(B, either(AT_END, next(unless(no(B), A))))))) },
		{ "chain-response(a, b)", always(then(A, next(B))) },
		{ "chain-precedence(a, b)", both(no(B), always(then(next(B), A))) },
		{ "chain-succession(a, b)", both(always(then(A, next(B))), both(no(B), always(then(next(B), A)))) },
		{ "not-co-existence(a, b)", no(both(sometime(A), sometime(B))) },
		{ "not-succession(a, b)", always(then(A, no(sometime(B)))) },
		{ "not-chain-succession(a, b)", always(then(A, no(next(B)))) },
		/* Several names on one side are one. */
		{ "response(a | c, b)", always(then(no(B), sometime(B))) },
		{ "absence(a | b)", no(either(sometime(A), sometime(B))) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_template(cases[i].written, cases[i].formula);
}

/* What a time beside a constraint demands: `a>b 1` is one b within it after each a, `!` that there must be none, `.` that only
 * the next event counts, and `+` that the automaton stands beside it. */
static void describe_deadlines(const struct iq_lifecycle *lifecycle, struct iq_buf *out)
{
	for (size_t i = 1; i < lifecycle->rule_count; i++) {
		const struct iq_deadline *deadline = lifecycle->rules[i].deadline;

		if (!deadline) {
			(void)iq_buf_append_char(out, '+');
			continue;
		}
		cr_expect_eq(lifecycle->rules[i].limit_ns, 5 * IQ_NS_PER_S);
		(void)iq_buf_append_char(out, ' ');
		for (uint32_t symbol = 0; symbol < 2 && deadline->from; symbol++)
			if (deadline->from[symbol])
				(void)iq_buf_append_char(out, (char)('a' + symbol));
		(void)iq_buf_append_char(out, "><~"[deadline->side]);
		for (uint32_t symbol = 0; symbol < 2; symbol++)
			if (deadline->to[symbol])
				(void)iq_buf_append_char(out, (char)('a' + symbol));
		(void)iq_buf_appendf(out, "%u%s%s", deadline->count, deadline->forbidden ? "!" : "",
				     deadline->adjacent ? "." : "");
	}
}

Test(declare, templates_with_a_time_have_deadlines)
{
	static const struct {
		const char *written, *deadlines;
	} cases[] = {
		{ "existence(a, 3)", "+ >a3" },
		{ "exactly(a, 2)", "+ >a2" },
		{ "absence(a, 3)", " >a3!" },
		{ "init(a)", "+ >a1" },
		{ "last(a)", "+ >a1" },
		{ "response(a, b)", "+ a>b1" },
		{ "alternate-response(a, b)", "+ a>b1" },
		{ "chain-response(a, b)", "+ a>b1" },
		{ "precedence(a, b)", "+ b<a1" },
		{ "alternate-precedence(a, b)", "+ b<a1" },
		{ "chain-precedence(a, b)", "+ b<a1" },
		{ "succession(a, b)", "+ a>b1 b<a1" },
		{ "alternate-succession(a, b)", "+ a>b1 b<a1" },
		{ "chain-succession(a, b)", "+ a>b1 b<a1" },
		{ "responded-existence(a, b)", "+ a~b1" },
		{ "co-existence(a, b)", "+ a~b1 b~a1" },
		{ "not-co-existence(a, b)", " a~b1!" },
		{ "not-succession(a, b)", " a>b1!" },
		{ "not-chain-succession(a, b)", " a>b1!." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iq_error error = IQ_ERROR_INIT;
		struct iq_buf found = IQ_BUF_INIT;
		struct iq_spec *spec;
		char text[200];

		(void)snprintf(text, sizeof(text), "lifecycle: t\norder: (a | b)*\nconstraints:\n  - %s: 5s\n",
			       cases[i].written);
		cr_assert_eq(iq_spec_parse(iq_view_cstr(text), "t", &spec, &error), 0, "%s", error.message);
		describe_deadlines(spec->first, &found);
		cr_expect_str_eq(found.data, cases[i].deadlines, "%s: %s", cases[i].written, found.data);
		iq_buf_release(&found);
		iq_spec_free(spec);
	}
}
