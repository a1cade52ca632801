/* The rules of a lifecycle as they are read: order, deadlines, numbering. */
#include <string.h>

#include "query/compile.h"

/* ---- Making rules ---- */

int iq_rule_text(struct iq_compiler *compiler, struct iq_view written, const struct iq_rule_terms *terms,
		 struct iq_view *ret_text)
{
	struct iq_buf text = IQ_BUF_INIT;

	*ret_text = written;
	if (!terms->limit_text.data)
		return 0;
	(void)iq_buf_append(&text, written);
	(void)iq_buf_appendf(&text, ": %.*s", IQ_VIEW_ARG(terms->limit_text));
	*ret_text = text.failed ? IQ_VIEW_NULL : iq_arena_copy(&compiler->spec->memory, iq_buf_view(&text));
	iq_buf_release(&text);
	return ret_text->data ? 0 : iq_error_nomem(compiler->error);
}

struct iq_rule *iq_rule_add(struct iq_compiler *compiler, enum iq_rule_kind kind, const struct iq_yaml *place,
			    struct iq_view text, const struct iq_rule_terms *terms)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_rule *rule;

	if (IQ_ARRAY_GROW(lifecycle->rules, lifecycle->rule_capacity, lifecycle->rule_count + 1) < 0)
		return NULL;
	rule = &lifecycle->rules[lifecycle->rule_count++];
	*rule = (struct iq_rule){ .kind = kind,
				  .text = text,
				  .place = place,
				  .severity = terms->severity,
				  .message = terms->message,
				  .limit_ns = terms->limit_ns,
				  .unnamed = IQ_SYMBOL_NONE,
				  .others = IQ_SYMBOL_NONE };
	return rule;
}

int iq_rule_begin(struct iq_compiler *compiler, struct iq_rule *rule)
{
	const size_t size = IQ_SPEC_MAX_NAMES * sizeof(uint32_t);

	rule->automaton = iq_automaton_new();
	rule->letters = iq_arena_alloc(&compiler->spec->memory, size);
	rule->symbols = iq_arena_alloc(&compiler->spec->memory, size);
	if (!rule->automaton || !rule->letters || !rule->symbols)
		return IQ_ERR_NOMEM;
	memset(rule->letters, 0xff, size); /* IQ_SYMBOL_NONE */
	memset(rule->symbols, 0xff, size);
	return 0;
}

int iq_rule_build(struct iq_compiler *compiler, struct iq_rule *rule, const struct iq_order_names *names)
{
	iq_node start;
	int rc = iq_order_build(rule->expression, rule->automaton, names, &start);

	if (rc == 0) {
		iq_automaton_begin(rule->automaton, start, rule->letter_count);
		rc = iq_states_single(rule->automaton, start, &rule->start);
	}
	if (rc == IQ_ERR_LIMIT)
		return IQ_FAIL(compiler, rule->place,
			       "too large: it needs more than %u states; use smaller counts or fewer interleaved parts",
			       IQ_AUTOMATON_MAX_NODES);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(compiler->error) : rc;
}

/* ---- What stands beside a rule ---- */

static const struct iq_rule_terms no_terms = { .severity = IQ_SEVERITY_ERROR };

static int parse_limit(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_rule_terms *terms = target;

	if (value->type != IQ_YAML_SCALAR || !iq_duration_parse(value->text, &terms->limit_ns))
		return IQ_FAIL(compiler, value, "a time is a number and a unit: 500ms, 5s, 1.5m, 2h, 1d");
	terms->limit_text = value->text;
	return terms->limit_ns > 0 ? 0 : IQ_FAIL(compiler, value, "a time of nothing can never be kept");
}

static int parse_severity(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_rule_terms *terms = target;

	for (unsigned i = IQ_SEVERITY_INFO; i <= IQ_SEVERITY_CRITICAL && value->type == IQ_YAML_SCALAR; i++) {
		if (iq_view_eq(value->text, iq_view_cstr(iq_severity_name((enum iq_severity)i)))) {
			terms->severity = (enum iq_severity)i;
			return 0;
		}
	}
	return IQ_FAIL(compiler, value,
		       "`severity` is one of info, notice, warning, error, critical; below error a finding is shown "
		       "and the verdict stays");
}

static int parse_message(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_rule_terms *terms = target;

	return iq_scalar_read(compiler, value, "`message` is the sentence to show for a finding", &terms->message);
}

#define TERM_KEYS \
	{ "severity", parse_severity }, \
	{ \
		"message", parse_message \
	}

/* `5s`, or { within: 5s, severity: warning, message: ... } */
static int read_terms(struct iq_compiler *compiler, const struct iq_yaml *value, struct iq_rule_terms *terms)
{
	static const struct iq_spec_key keys[] = { { "within", parse_limit }, TERM_KEYS };

	*terms = no_terms;
	if (value->type != IQ_YAML_MAPPING)
		return parse_limit(compiler, value, terms);
	return iq_keys_read(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "a rule", terms);
}

/* As above, where a rule is nothing without its time. */
static int read_limit(struct iq_compiler *compiler, const struct iq_yaml *value, struct iq_rule_terms *terms)
{
	int rc = read_terms(compiler, value, terms);

	if (rc == 0 && terms->limit_ns == 0)
		return IQ_FAIL(compiler, value, "no time: write it as { within: 5s }");
	return rc;
}

/* ---- order ---- */

/* Is it the name of another lifecycle? */
static struct iq_lifecycle *find_nested(const struct iq_compiler *compiler, struct iq_view name)
{
	struct iq_lifecycle *found = iq_spec_find(compiler->spec, name);

	return found == compiler->lifecycle ? NULL : found;
}

/* Letters are given as names come; a nested lifecycle takes two. */
static int find_name(void *context, const struct iq_expression *name, struct iq_order_letter *ret_letter)
{
	struct iq_compiler *compiler = context;
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_rule *rule = &lifecycle->rules[0];
	struct iq_lifecycle *child = find_nested(compiler, name->name);
	uint32_t symbol;
	int rc = iq_name_intern(compiler, rule->place, name->name, &symbol);

	if (rc < 0)
		return rc;
	if (rule->letters[symbol] == IQ_SYMBOL_NONE) {
		if (rule->letter_count + 2 > IQ_AUTOMATON_MAX_SYMBOLS)
			return IQ_FAIL(compiler, rule->place, "order: more than %u names, with nested lifecycles twice",
				       IQ_AUTOMATON_MAX_SYMBOLS);
		rule->letters[symbol] = rule->letter_count;
		for (unsigned i = 0; i < (child ? 2 : 1); i++)
			rule->symbols[rule->letter_count++] = symbol;
		lifecycle->children[symbol] = child;
	}
	*ret_letter = (struct iq_order_letter){ rule->letters[symbol], child != NULL };
	return 0;
}

static int add_order(struct iq_compiler *compiler, const struct iq_yaml *place, struct iq_view text,
		     const struct iq_rule_terms *terms)
{
	struct iq_rule *rule = iq_rule_add(compiler, IQ_RULE_ORDER, place, text, terms);

	return rule && iq_rule_begin(compiler, rule) == 0 ? 0 : iq_error_nomem(compiler->error);
}

/* The long form. Its terms come first, so that the keys that fill those fill this. */
struct order_form {
	struct iq_rule_terms terms;
	const struct iq_yaml *expression;
};

static int parse_expression(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	(void)compiler;
	((struct order_form *)target)->expression = value;
	return 0;
}

static int read_order(struct iq_compiler *compiler, const struct iq_yaml *value, struct order_form *form)
{
	static const struct iq_spec_key keys[] = { { "expression", parse_expression }, TERM_KEYS };

	form->terms = no_terms;
	form->expression = value;
	if (value->type == IQ_YAML_MAPPING) {
		int rc;

		form->expression = NULL;
		rc = iq_keys_read(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "an order", form);
		if (rc < 0)
			return rc;
	}
	if (!form->expression || form->expression->type != IQ_YAML_SCALAR)
		return IQ_FAIL(compiler, value, "order is one line of text: started, (step* & tool*), done");
	return 0;
}

int iq_rules_parse_order(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_order_names names = { find_name, compiler };
	struct iq_lexer lexer;
	struct order_form form;
	int rc = read_order(compiler, value, &form);

	(void)target;
	if (rc == 0)
		rc = add_order(compiler, form.expression, form.expression->text, &form.terms);
	if (rc < 0)
		return rc;
	lexer = iq_lexer_for(compiler, form.expression, "order");
	rc = iq_order_parse(&lexer, &compiler->spec->memory, &compiler->lifecycle->rules[0].expression);
	return rc < 0 ? rc : iq_rule_build(compiler, &compiler->lifecycle->rules[0], &names);
}

/* ---- within, idle, total ---- */

/* `A | X -> B | C` */
static int read_arrow(struct iq_compiler *compiler, const struct iq_yaml *key, struct iq_deadline *deadline)
{
	struct iq_lexer lexer = iq_lexer_for(compiler, key, "within");
	bool *from, *to;
	int rc = iq_names_read(compiler, &lexer, &from);

	if (rc == 0 && !iq_lexer_take(&lexer, "->"))
		return iq_lexer_fail(&lexer, lexer.pos, "`->` should stand here: a -> b: 5s");
	if (rc == 0)
		rc = iq_names_read(compiler, &lexer, &to);
	if (rc == 0 && iq_lexer_peek(&lexer) != '\0')
		return iq_lexer_fail(&lexer, lexer.pos, "`%c` behind the names; a deadline is a -> b: 5s",
				     iq_lexer_peek(&lexer));
	if (rc < 0)
		return rc;
	*deadline = (struct iq_deadline){ .from = from, .to = to, .side = IQ_WITHIN_AFTER, .count = 1 };
	return 0;
}

static int read_deadline(struct iq_compiler *compiler, const struct iq_yaml *entry)
{
	struct iq_deadline *deadline = iq_arena_calloc(&compiler->spec->memory, 1, sizeof(*deadline));
	struct iq_rule_terms terms;
	struct iq_rule *rule;
	struct iq_view text;
	int rc = deadline ? read_limit(compiler, entry, &terms) : iq_error_nomem(compiler->error);

	if (rc == 0)
		rc = read_arrow(compiler, entry->key, deadline);
	if (rc == 0)
		rc = iq_rule_text(compiler, entry->key->text, &terms, &text);
	if (rc < 0)
		return rc;
	rule = iq_rule_add(compiler, IQ_RULE_WITHIN, entry->key, text, &terms);
	if (!rule)
		return iq_error_nomem(compiler->error);
	rule->deadline = deadline;
	rule->activates = deadline->from;
	return 0;
}

/* Hands out the entries of a mapping, or of the mappings in a list; `should` says what they are. */
static int each_entry(struct iq_compiler *compiler, const struct iq_yaml *value, const char *should,
		      int (*read)(struct iq_compiler *compiler, const struct iq_yaml *entry))
{
	const struct iq_yaml *item = value->type == IQ_YAML_SEQUENCE ? value->first : value;
	int rc = 0;

	if (value->type != IQ_YAML_SCALAR && !value->first)
		return IQ_FAIL(compiler, value, "nothing stands here; %s", should);
	for (; item && rc == 0; item = item == value ? NULL : item->next) {
		if (item->type != IQ_YAML_MAPPING || !item->first)
			return IQ_FAIL(compiler, item, "%s", should);
		for (const struct iq_yaml *entry = item->first; entry && rc == 0; entry = entry->next)
			rc = read(compiler, entry);
	}
	return rc;
}

int iq_rules_parse_within(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	(void)target;
	return each_entry(compiler, value, "a deadline is `a -> b | c: 5s`", read_deadline);
}

static int add_limit(struct iq_compiler *compiler, const struct iq_yaml *value, enum iq_rule_kind kind)
{
	struct iq_rule_terms terms;
	struct iq_view text;
	int rc = read_limit(compiler, value, &terms);

	if (rc == 0)
		rc = iq_rule_text(compiler, value->key->text, &terms, &text);
	if (rc < 0)
		return rc;
	return iq_rule_add(compiler, kind, value, text, &terms) ? 0 : iq_error_nomem(compiler->error);
}

int iq_rules_parse_idle(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	(void)target;
	return add_limit(compiler, value, IQ_RULE_IDLE);
}

int iq_rules_parse_total(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	(void)target;
	return add_limit(compiler, value, IQ_RULE_TOTAL);
}

/* ---- constraints ---- */

static int declare(struct iq_compiler *compiler, const struct iq_yaml *node, const struct iq_rule_terms *terms)
{
	struct iq_lexer lexer = iq_lexer_for(compiler, node, "constraints");

	return iq_declare_parse(compiler, &lexer, terms);
}

static int read_constraint(struct iq_compiler *compiler, const struct iq_yaml *entry)
{
	struct iq_rule_terms terms;
	int rc = read_terms(compiler, entry, &terms);

	return rc < 0 ? rc : declare(compiler, entry->key, &terms);
}

int iq_rules_parse_constraints(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	static const char should[] = "a constraint is `response(a, b)`, or with its time `response(a, b): 5s`";
	int rc = 0;

	(void)target;
	if (value->type != IQ_YAML_SEQUENCE)
		return each_entry(compiler, value, should, read_constraint);
	if (!value->first)
		return IQ_FAIL(compiler, value, "nothing stands here; %s", should);
	for (const struct iq_yaml *item = value->first; item && rc == 0; item = item->next)
		rc = item->type == IQ_YAML_SCALAR ? declare(compiler, item, &no_terms)
						  : each_entry(compiler, item, should, read_constraint);
	return rc;
}

/* ---- sequence ---- */

/* Its terms come first, as above. */
struct sequence_form {
	struct iq_rule_terms terms;
	struct iq_sequence *sequence;
};

static int read_field(struct iq_compiler *compiler, const struct iq_yaml *value, struct iq_field *field)
{
	struct iq_view text;
	int rc = iq_scalar_read(compiler, value, "a number's place is a field: /seq", &text);

	if (rc == 0)
		rc = iq_field_parse(text, compiler->lifecycle->file, value, &compiler->spec->memory, field,
				    compiler->error);
	if (rc == 0)
		compiler->lifecycle->columns |= iq_field_columns(field);
	return rc;
}

static int parse_first(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_sequence *sequence = ((struct sequence_form *)target)->sequence;
	int rc = read_field(compiler, value, &sequence->first);

	sequence->last = sequence->first;
	return rc;
}

static int parse_last(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	return read_field(compiler, value, &((struct sequence_form *)target)->sequence->last);
}

static int parse_previous(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	return read_field(compiler, value, &((struct sequence_form *)target)->sequence->previous);
}

static int parse_step(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	int64_t *step = &((struct sequence_form *)target)->sequence->step;

	if (value->type == IQ_YAML_SCALAR && iq_view_to_int64(value->text, step) && *step > 0 && *step <= INT32_MAX)
		return 0;
	return IQ_FAIL(compiler, value, "`step` is a whole number from 1: how much each number is above the last");
}

static int parse_restart(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lexer lexer;
	bool *set;
	int rc;

	if (value->type != IQ_YAML_SCALAR)
		return IQ_FAIL(compiler, value, "`restart` is a name, or several: snapshot | resync");
	lexer = iq_lexer_for(compiler, value, "restart");
	rc = iq_names_read(compiler, &lexer, &set);
	((struct sequence_form *)target)->sequence->restart = set;
	return rc;
}

static int read_sequence(struct iq_compiler *compiler, const struct iq_yaml *value, struct sequence_form *form)
{
	static const struct iq_spec_key keys[] = {
		{ "first", parse_first }, { "last", parse_last },	{ "previous", parse_previous },
		{ "step", parse_step },	  { "restart", parse_restart }, TERM_KEYS,
	};
	int rc;

	if (value->type == IQ_YAML_SCALAR)
		return parse_first(compiler, value, form);
	rc = iq_keys_read(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "a sequence", form);
	if (rc == 0 && !form->sequence->first.text.data)
		return IQ_FAIL(compiler, value, "a sequence needs the place of its number: { first: /U, last: /u }");
	return rc;
}

int iq_rules_parse_sequence(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct sequence_form form = { no_terms, iq_arena_calloc(&compiler->spec->memory, 1, sizeof(*form.sequence)) };
	struct iq_rule *rule;
	int rc;

	(void)target;
	if (!form.sequence)
		return iq_error_nomem(compiler->error);
	form.sequence->step = 1;
	rc = read_sequence(compiler, value, &form);
	if (rc < 0)
		return rc;
	rule = iq_rule_add(compiler, IQ_RULE_SEQUENCE, value, IQ_LIT("sequence"), &form.terms);
	if (!rule)
		return iq_error_nomem(compiler->error);
	rule->sequence = form.sequence;
	return 0;
}

/* ---- When all names are known ---- */

/* Where no order is written: any number of the names that do not end an instance; without any name, of any event. */
static int build_free_order(struct iq_compiler *compiler)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_rule *rule = &lifecycle->rules[0];
	iq_node start = IQ_NODE_DEAD, letter;
	int rc = 0;

	for (uint32_t i = 0; i < lifecycle->names.count; i++) {
		if (lifecycle->is_final[i])
			continue;
		rule->letters[i] = rule->letter_count;
		rule->symbols[rule->letter_count++] = i;
	}
	if (lifecycle->names.count == 0)
		rule->unnamed = rule->letter_count++;
	for (uint32_t i = rule->letter_count; i-- > 0 && rc == 0;) {
		rc = iq_node_symbol(rule->automaton, i, &letter);
		if (rc == 0)
			rc = iq_node_choice(rule->automaton, letter, start, &start);
	}
	if (rc == 0)
		rc = iq_node_repeat(rule->automaton, start, 0, IQ_REPEAT_UNBOUNDED, &start);
	if (rc < 0)
		return iq_error_nomem(compiler->error);
	iq_automaton_begin(rule->automaton, start, rule->letter_count);
	return iq_states_single(rule->automaton, start, &rule->start) < 0 ? iq_error_nomem(compiler->error) : 0;
}

/* Does some rule other than the order see the symbol? */
static bool is_named_by_others(const struct iq_lifecycle *lifecycle, uint32_t symbol)
{
	for (size_t i = 1; i < lifecycle->rule_count; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];

		if (rule->letters && rule->letters[symbol] != IQ_SYMBOL_NONE && rule->letters[symbol] != rule->others)
			return true;
		if (rule->deadline &&
		    (rule->deadline->to[symbol] || (rule->deadline->from && rule->deadline->from[symbol])))
			return true;
		if (rule->sequence && rule->sequence->restart && rule->sequence->restart[symbol])
			return true;
	}
	return false;
}

/* What an automaton makes of a name that it does not itself hold. */
static uint32_t letter_of_other(const struct iq_lifecycle *lifecycle, const struct iq_rule *rule, uint32_t symbol)
{
	bool ends =
		lifecycle->is_final[symbol] && lifecycle->rules[0].letters[symbol] >= lifecycle->rules[0].letter_count;

	if (ends)
		return IQ_LETTER_FINAL(rule->automaton);
	if (rule->kind == IQ_RULE_CONSTRAINT)
		return lifecycle->children[symbol] ? IQ_SYMBOL_NONE : rule->others;
	return is_named_by_others(lifecycle, symbol) ? IQ_SYMBOL_NONE : rule->unnamed;
}

static void finish_letters(struct iq_lifecycle *lifecycle, struct iq_rule *rule)
{
	bool foreign = lifecycle->closed && rule->unnamed == IQ_SYMBOL_NONE;

	if (foreign)
		rule->unnamed = rule->kind == IQ_RULE_ORDER ? IQ_LETTER_FOREIGN(rule->automaton) : rule->others;
	for (uint32_t i = 0; i < lifecycle->names.count; i++) {
		if (rule->letters[i] == IQ_SYMBOL_NONE)
			rule->letters[i] = letter_of_other(lifecycle, rule, i);
		if (lifecycle->is_final[i] && rule->letters[i] != IQ_SYMBOL_NONE && rule->kind == IQ_RULE_ORDER)
			iq_automaton_end_at(rule->automaton, rule->letters[i]);
	}
}

int iq_rules_add_free_order(struct iq_compiler *compiler, const struct iq_yaml *place)
{
	return add_order(compiler, place, IQ_VIEW_NULL, &no_terms);
}

int iq_rules_finish(struct iq_compiler *compiler)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	int rc = 0;

	lifecycle->unnamed_too = lifecycle->closed || lifecycle->names.count == 0;
	if (lifecycle->names.count == 0 && lifecycle->rules[0].expression && !lifecycle->closed)
		return IQ_FAIL(compiler, lifecycle->rules[0].place,
			       "order: it names no event, so nothing is looked at; with `closed: true` every selected "
			       "event is one too many");
	if (!lifecycle->rules[0].expression)
		rc = build_free_order(compiler);
	for (size_t i = 0; i < lifecycle->rule_count && rc == 0; i++)
		if (lifecycle->rules[i].automaton)
			finish_letters(lifecycle, &lifecycle->rules[i]);
	return rc;
}
