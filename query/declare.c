/* Constraints: the templates of Declare (M. Pesic, "Constraint-Based Workflow Management Systems", 2008) as regular
 * expressions (as in C. Di Ciccio and M. Mecella, "On the Discovery of Declarative Control Flows for Artful Processes",
 * 2015). */
#include <string.h>

#include "query/compile.h"

/* Letters of a template: what its first and second argument name, and any other event. */
enum letter { LETTER_A, LETTER_B, LETTER_OTHER, LETTER_COUNT };
#define LETTER_NAMES "abo"

/* What `within` demands: each event of `from` (a letter, or '\0' for the beginning of the instance) has one of `to`. */
struct timing {
	char from;
	char to;
	enum iq_within_side side;
};

struct template
{
	const char *name;
	unsigned arguments;
	/* In the notation of `order`. `#` is the count. With `o` the template sees every event that the lifecycle names;
	 * without, only those of its arguments. */
	const char *expression;
	const char *activated_by; /* letters; empty: it always says something */
	struct timing timings[2];
	int count_offset; /* what is added to the count for `#` */
	bool forbids;	  /* `within` says how long something must not come, rather than until when it must */
	bool adjacent;	  /* `within` looks at the very next event only */
};

#define SINCE_START(letter) \
	{ \
		'\0', letter, IQ_WITHIN_AFTER \
	}
#define AFTER(from, to) \
	{ \
		from, to, IQ_WITHIN_AFTER \
	}
#define BEFORE(from, to) \
	{ \
		from, to, IQ_WITHIN_BEFORE \
	}
#define AROUND(from, to) \
	{ \
		from, to, IQ_WITHIN_AROUND \
	}

static const struct template templates[] = {
	{ "existence", 1, "a{#,}", "", { SINCE_START('a') }, 0, false, false },
	{ "absence", 1, "a{0,#}", "", { SINCE_START('a') }, -1, true, false },
	{ "exactly", 1, "a{#}", "", { SINCE_START('a') }, 0, false, false },
	{ "init", 1, "a, (a | o)*", "", { SINCE_START('a') }, 0, false, false },
	{ "last", 1, "(a | o)*, a", "", { SINCE_START('a') }, 0, false, false },
	{ "responded-existence", 2, "((a | b)*, b, (a | b)*)?", "a", { AROUND('a', 'b') }, 0, false, false },
	{ "co-existence",
	  2,
	  "((a+, b, (a | b)*) | (b+, a, (a | b)*))?",
	  "ab",
	  { AROUND('a', 'b'), AROUND('b', 'a') },
	  0,
	  false,
	  false },
	{ "response", 2, "(b | (a+, b))*", "a", { AFTER('a', 'b') }, 0, false, false },
	{ "precedence", 2, "(a, (a | b)*)?", "b", { BEFORE('b', 'a') }, 0, false, false },
	{ "succession", 2, "(a+, b+)*", "ab", { AFTER('a', 'b'), BEFORE('b', 'a') }, 0, false, false },
	{ "alternate-response", 2, "(b | (a, b))*", "a", { AFTER('a', 'b') }, 0, false, false },
	{ "alternate-precedence", 2, "(a | (a, b))*", "b", { BEFORE('b', 'a') }, 0, false, false },
	{ "alternate-succession", 2, "(a, b)*", "ab", { AFTER('a', 'b'), BEFORE('b', 'a') }, 0, false, false },
	{ "chain-response", 2, "(b | o | (a, b))*", "a", { AFTER('a', 'b') }, 0, false, false },
	{ "chain-precedence", 2, "(a | o | (a, b))*", "b", { BEFORE('b', 'a') }, 0, false, false },
	{ "chain-succession", 2, "(o | (a, b))*", "ab", { AFTER('a', 'b'), BEFORE('b', 'a') }, 0, false, false },
	{ "not-co-existence", 2, "a* | b*", "ab", { AROUND('a', 'b') }, 0, true, false },
	{ "not-succession", 2, "b*, a*", "a", { AFTER('a', 'b') }, 0, true, false },
	{ "not-chain-succession", 2, "(b | o | (a+, o))*, a*", "a", { AFTER('a', 'b') }, 0, true, true },
};
#define TEMPLATE_COUNT (sizeof(templates) / sizeof(templates[0]))

/* One constraint while it is read. */
struct constraint {
	const struct template *template;
	bool *sets[2]; /* by symbol: what its arguments name */
	uint32_t count;
	struct iq_view text;
	const struct iq_rule_terms *terms;
};

/* ---- Reading ---- */

static bool is_counted(const struct template *template)
{
	return strchr(template->expression, '#') != NULL;
}

static int unknown_template(struct iq_lexer *lexer, struct iq_view name)
{
	struct iq_view nearest = iq_nearest_row(name, &templates[0].name, TEMPLATE_COUNT, sizeof(templates[0]));
	struct iq_buf known = IQ_BUF_INIT;
	int rc;

	for (size_t i = 0; i < TEMPLATE_COUNT; i++)
		(void)iq_buf_appendf(&known, "%s%s", i ? " " : "", templates[i].name);
	rc = nearest.data ? iq_lexer_fail(lexer, 0, "`%.*s` is not a constraint; did you mean `%.*s`?",
					  IQ_VIEW_ARG(name), IQ_VIEW_ARG(nearest))
			  : iq_lexer_fail(lexer, 0, "no such constraint: %s", iq_buf_view(&known).data);
	iq_buf_release(&known);
	return rc;
}

static int find_template(struct iq_lexer *lexer, const struct template **ret_template)
{
	struct iq_view name;
	int rc = iq_lexer_name(lexer, &name);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < TEMPLATE_COUNT; i++) {
		if (iq_view_eq(name, iq_view_cstr(templates[i].name))) {
			*ret_template = &templates[i];
			return 0;
		}
	}
	return unknown_template(lexer, name);
}

static const char *usage(const struct template *template)
{
	return template->arguments == 2 ? "(a, b)" : is_counted(template) ? "(a) or (a, 2)" : "(a)";
}

static int take_sign(struct iq_lexer *lexer, const struct constraint *constraint, const char *sign)
{
	return iq_lexer_take(lexer, sign) ? 0
					  : iq_lexer_fail(lexer, lexer->pos, "`%s` should stand here; write %s%s", sign,
							  constraint->template->name, usage(constraint->template));
}

static int read_count(struct iq_lexer *lexer, struct constraint *constraint)
{
	size_t start;
	int rc;

	constraint->count = 1;
	if (!is_counted(constraint->template) || !iq_lexer_take(lexer, ","))
		return 0;
	(void)iq_lexer_peek(lexer);
	start = lexer->pos;
	rc = iq_lexer_count(lexer, IQ_REPEAT_MAX, &constraint->count);
	if (rc == 0 && constraint->count == 0)
		return iq_lexer_fail(lexer, start, "counts begin at 1");
	return rc;
}

static int read_arguments(struct iq_compiler *compiler, struct iq_lexer *lexer, struct constraint *constraint)
{
	int rc = take_sign(lexer, constraint, "(");

	for (unsigned i = 0; i < constraint->template->arguments && rc == 0; i++) {
		rc = i > 0 ? take_sign(lexer, constraint, ",") : 0;
		if (rc == 0)
			rc = iq_names_read(compiler, lexer, &constraint->sets[i]);
	}
	if (rc == 0)
		rc = read_count(lexer, constraint);
	if (rc == 0)
		rc = take_sign(lexer, constraint, ")");
	if (rc == 0 && iq_lexer_peek(lexer) != '\0')
		return iq_lexer_fail(lexer, lexer->pos, "`%c` behind the constraint; its time stands so: %s%s: 5s",
				     iq_lexer_peek(lexer), constraint->template->name, usage(constraint->template));
	return rc;
}

/* Nothing can be both sides of a constraint. */
static int refuse_overlap(const struct iq_compiler *compiler, struct iq_lexer *lexer,
			  const struct constraint *constraint)
{
	for (uint32_t i = 0; constraint->sets[1] && i < IQ_SPEC_MAX_NAMES; i++)
		if (constraint->sets[0][i] && constraint->sets[1][i])
			return iq_lexer_fail(lexer, 0, "`%.*s` stands on both sides of %s",
					     IQ_VIEW_ARG(iq_lifecycle_name(compiler->lifecycle, i)),
					     constraint->template->name);
	return 0;
}

/* ---- As rules ---- */

static enum letter letter_of(char name)
{
	return (enum letter)(strchr(LETTER_NAMES, name) - LETTER_NAMES);
}

static int find_letter(void *context, const struct iq_expression *name, struct iq_order_letter *ret_letter)
{
	(void)context;
	*ret_letter = (struct iq_order_letter){ letter_of(name->name.data[0]), false };
	return 0;
}

/* The template's expression with its count. */
static struct iq_view expression_of(const struct constraint *constraint, struct iq_arena *memory)
{
	const struct template *template = constraint->template;
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_view copy;

	for (const char *c = template->expression; *c; c++) {
		if (*c == '#')
			(void)iq_buf_appendf(&text, "%lld", (long long)constraint->count + template->count_offset);
		else
			(void)iq_buf_append_char(&text, *c);
	}
	copy = text.failed ? IQ_VIEW_NULL : iq_arena_copy(memory, iq_buf_view(&text));
	iq_buf_release(&text);
	return copy;
}

/* What the letters `names` stand for, as one set by symbol. NULL for none. */
static int join_sets(struct iq_compiler *compiler, const struct constraint *constraint, const char *names,
		     const bool **ret_set)
{
	bool *joined = iq_arena_calloc(&compiler->spec->memory, IQ_SPEC_MAX_NAMES, sizeof(*joined));

	if (!joined)
		return iq_error_nomem(compiler->error);
	for (const char *c = names; *c; c++)
		for (uint32_t i = 0; i < IQ_SPEC_MAX_NAMES; i++)
			joined[i] |= constraint->sets[letter_of(*c)][i];
	*ret_set = *names ? joined : NULL;
	return 0;
}

static void set_letters(struct iq_rule *rule, const struct constraint *constraint)
{
	bool sees_all = strchr(constraint->template->expression, LETTER_NAMES[LETTER_OTHER]) != NULL;

	rule->letter_count = sees_all ? LETTER_COUNT : constraint->template->arguments;
	rule->others = sees_all ? LETTER_OTHER : IQ_SYMBOL_NONE;
	for (uint32_t letter = 0; letter < constraint->template->arguments; letter++) {
		for (uint32_t i = IQ_SPEC_MAX_NAMES; i-- > 0;) {
			if (!constraint->sets[letter][i])
				continue;
			rule->letters[i] = letter;
			rule->symbols[letter] = i;
		}
	}
}

static int add_automaton(struct iq_compiler *compiler, struct iq_lexer *lexer, const struct constraint *constraint)
{
	struct iq_lexer expression = *lexer;
	struct iq_order_names names = { find_letter, NULL };
	struct iq_rule *rule =
		iq_rule_add(compiler, IQ_RULE_CONSTRAINT, lexer->node, constraint->text, constraint->terms);
	int rc;

	expression.text = expression_of(constraint, &compiler->spec->memory);
	expression.pos = 0;
	if (!rule || !expression.text.data || iq_rule_begin(compiler, rule) < 0)
		return iq_error_nomem(compiler->error);
	set_letters(rule, constraint);
	rc = join_sets(compiler, constraint, constraint->template->activated_by, &rule->activates);
	if (rc == 0)
		rc = iq_order_parse(&expression, &compiler->spec->memory, &rule->expression);
	return rc < 0 ? rc : iq_rule_build(compiler, rule, &names);
}

static int add_deadline(struct iq_compiler *compiler, const struct iq_lexer *lexer, const struct constraint *constraint,
			const struct timing *timing)
{
	const char from[2] = { timing->from, '\0' }, to[2] = { timing->to, '\0' };
	const struct template *template = constraint->template;
	struct iq_deadline *deadline = iq_arena_calloc(&compiler->spec->memory, 1, sizeof(*deadline));
	struct iq_rule *rule = iq_rule_add(compiler, IQ_RULE_WITHIN, lexer->node, constraint->text, constraint->terms);
	int rc;

	if (!deadline || !rule)
		return iq_error_nomem(compiler->error);
	*deadline = (struct iq_deadline){ .side = timing->side,
					  .count = constraint->count,
					  .forbidden = template->forbids,
					  .adjacent = template->adjacent };
	rule->deadline = deadline;
	rc = join_sets(compiler, constraint, from, &deadline->from);
	if (rc == 0)
		rc = join_sets(compiler, constraint, to, &deadline->to);
	rule->activates = deadline->from;
	return rc;
}

/* A forbidden event is allowed once the time is over, so the time stands in place of the automaton. */
static int add_rules(struct iq_compiler *compiler, struct iq_lexer *lexer, const struct constraint *constraint)
{
	bool timed = constraint->terms->limit_ns > 0;
	int rc = 0;

	if (!timed || !constraint->template->forbids)
		rc = add_automaton(compiler, lexer, constraint);
	for (size_t i = 0; i < 2 && timed && rc == 0; i++)
		if (constraint->template->timings[i].to)
			rc = add_deadline(compiler, lexer, constraint, &constraint->template->timings[i]);
	return rc;
}

int iq_declare_parse(struct iq_compiler *compiler, struct iq_lexer *lexer, const struct iq_rule_terms *terms)
{
	struct constraint constraint = { .terms = terms };
	int rc = find_template(lexer, &constraint.template);

	if (rc == 0)
		rc = read_arguments(compiler, lexer, &constraint);
	if (rc == 0)
		rc = refuse_overlap(compiler, lexer, &constraint);
	if (rc == 0)
		rc = iq_rule_text(compiler, lexer->text, terms, &constraint.text);
	return rc < 0 ? rc : add_rules(compiler, lexer, &constraint);
}
