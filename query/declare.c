/* Constraints: the templates of Declare (M. Pesic, "Constraint-Based Workflow Management Systems", 2008) as regular
 * expressions (as in C. Di Ciccio and M. Mecella, "On the Discovery of Declarative Control Flows for Artful Processes",
 * 2015). */
#include <string.h>

#include "query/compile.h"

/* Letters of a template: what its first and second argument name, and any other event. */
enum letter { LETTER_A, LETTER_B, LETTER_OTHER, LETTER_COUNT };
#define LETTER_NAMES "abo"

enum demand {
	MUST,
	MUST_NOT,     /* `within` says for how long something must not come, rather than until when it must */
	MUST_NOT_NEXT /* and looks at the very next event only */
};

struct template
{
	const char *name;
	unsigned arguments;
	/* In the notation of `order`, over the letters; `#` is the count. With `o` the template sees every event that the
	 * lifecycle names; without, only those of its arguments. */
	const char *expression;
	const char *activated_by; /* letters; empty: it always says something */
	/* What `within` is about: `a>b`, after each a; `b<a`, before each b; `a~b`, around each a; `>a`, from the first event
	 * of the instance. */
	const char *timings;
	enum demand demand;
	const char *words; /* with A and B for what its arguments name */
};

static const struct template templates[] = {
	{ "existence", 1, "a{#,}", "", ">a", MUST, "at least # A" },
	{ "absence", 1, "a{0,#}", "", ">a", MUST_NOT, "at most # A" },
	{ "exactly", 1, "a{#}", "", ">a", MUST, "exactly # A" },
	{ "init", 1, "a, (a | o)*", "", ">a", MUST, "A comes first" },
	{ "last", 1, "(a | o)*, a", "", ">a", MUST, "A comes last" },
	{ "responded-existence", 2, "((a | b)*, b, (a | b)*)?", "a", "a~b", MUST,
	  "where there is A there is B as well" },
	{ "co-existence", 2, "((a+, b, (a | b)*) | (b+, a, (a | b)*))?", "ab", "a~b b~a", MUST,
	  "both A and B, or neither" },
	{ "response", 2, "(b | (a+, b))*", "a", "a>b", MUST, "every A is followed by B" },
	{ "precedence", 2, "(a, (a | b)*)?", "b", "b<a", MUST, "no B before the first A" },
	{ "succession", 2, "(a+, b+)*", "ab", "a>b b<a", MUST, "every A is followed by B, and A comes first" },
	{ "alternate-response", 2, "(b | (a, b))*", "a", "a>b", MUST, "every A is followed by B before the next A" },
	{ "alternate-precedence", 2, "(a | (a, b))*", "b", "b<a", MUST,
	  "before every B, after the last one, there is A" },
	{ "alternate-succession", 2, "(a, b)*", "ab", "a>b b<a", MUST, "A and B take turns, beginning with A" },
	{ "chain-response", 2, "(b | o | (a, b))*", "a", "a>b", MUST, "every A is followed at once by B" },
	{ "chain-precedence", 2, "(a | o | (a, b))*", "b", "b<a", MUST, "every B comes directly after A" },
	{ "chain-succession", 2, "(o | (a, b))*", "ab", "a>b b<a", MUST, "A and B come in pairs, B directly after A" },
	{ "not-co-existence", 2, "a* | b*", "ab", "a~b", MUST_NOT, "A or B, never both" },
	{ "not-succession", 2, "b*, a*", "a", "a>b", MUST_NOT, "no B after A" },
	{ "not-chain-succession", 2, "(b | o | (a+, o))*, a*", "a", "a>b", MUST_NOT_NEXT, "no B directly after A" },
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

static void append_argument(const struct iq_lifecycle *lifecycle, const bool *set, struct iq_buf *out)
{
	bool any = false;

	for (uint32_t i = 0; i < IQ_SPEC_MAX_NAMES; i++) {
		if (!set[i])
			continue;
		(void)iq_buf_appendf(out, "%s%.*s", any ? "|" : "", IQ_VIEW_ARG(iq_lifecycle_name(lifecycle, i)));
		any = true;
	}
}

/* The template's expression or words, with its count and arguments. */
static struct iq_view fill_in(struct iq_compiler *compiler, const struct constraint *constraint, const char *text)
{
	struct iq_buf filled = IQ_BUF_INIT;
	struct iq_view copy;

	for (const char *c = text; *c; c++) {
		if (*c == '#') /* so many must not be: one less may be */
			(void)iq_buf_appendf(&filled, "%u",
					     constraint->count - (constraint->template->demand == MUST_NOT));
		else if (*c == 'A' || *c == 'B')
			append_argument(compiler->lifecycle, constraint->sets[*c - 'A'], &filled);
		else
			(void)iq_buf_append_char(&filled, *c);
	}
	copy = filled.failed ? IQ_VIEW_NULL : iq_arena_copy(&compiler->spec->memory, iq_buf_view(&filled));
	iq_buf_release(&filled);
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

	expression.text = fill_in(compiler, constraint, constraint->template->expression);
	expression.pos = 0;
	if (!rule || !expression.text.data || iq_rule_begin(compiler, rule) < 0)
		return iq_error_nomem(compiler->error);
	rule->words = fill_in(compiler, constraint, constraint->template->words);
	if (!rule->words.data)
		return iq_error_nomem(compiler->error);
	set_letters(rule, constraint);
	rc = join_sets(compiler, constraint, constraint->template->activated_by, &rule->activates);
	if (rc == 0)
		rc = iq_order_parse(&expression, &compiler->spec->memory, &rule->expression);
	return rc < 0 ? rc : iq_rule_build(compiler, rule, &names);
}

/* `timing` is one of the template's: perhaps a letter, a sign, a letter. */
static int add_deadline(struct iq_compiler *compiler, const struct iq_lexer *lexer, const struct constraint *constraint,
			const char *timing)
{
	static const char signs[] = "><~"; /* by enum iq_within_side */
	const size_t from_len = strcspn(timing, signs);
	const char from[2] = { from_len ? timing[0] : '\0', '\0' }, to[2] = { timing[from_len + 1], '\0' };
	struct iq_deadline *deadline = iq_arena_calloc(&compiler->spec->memory, 1, sizeof(*deadline));
	struct iq_rule *rule = iq_rule_add(compiler, IQ_RULE_WITHIN, lexer->node, constraint->text, constraint->terms);
	int rc;

	if (!deadline || !rule)
		return iq_error_nomem(compiler->error);
	*deadline = (struct iq_deadline){ .side = (enum iq_within_side)(strchr(signs, timing[from_len]) - signs),
					  .count = constraint->count,
					  .forbidden = constraint->template->demand != MUST,
					  .adjacent = constraint->template->demand == MUST_NOT_NEXT };
	rule->deadline = deadline;
	rc = join_sets(compiler, constraint, from, &deadline->from);
	if (rc == 0)
		rc = join_sets(compiler, constraint, to, &deadline->to);
	rule->activates = deadline->from;
	return rc;
}

static int add_rules(struct iq_compiler *compiler, struct iq_lexer *lexer, const struct constraint *constraint)
{
	const char *timing = constraint->terms->limit_ns > 0 ? constraint->template->timings : NULL;
	int rc = 0;

	/* What must not come may come once the time is over, so the time stands in place of the automaton. */
	if (!timing || constraint->template->demand == MUST)
		rc = add_automaton(compiler, lexer, constraint);
	while (timing && rc == 0) {
		rc = add_deadline(compiler, lexer, constraint, timing);
		timing = strchr(timing, ' ');
		timing = timing ? timing + 1 : NULL;
	}
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
