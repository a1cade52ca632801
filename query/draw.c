#include <stdlib.h>
#include <string.h>

#include "query/describe.h"

#define NO_STATE UINT32_MAX

/* An automaton as a table: states are numbered as they are reached from the start, which is 0. */
struct table {
	const struct iq_lifecycle *lifecycle;
	struct iq_automaton *automaton;
	iq_node start;
	uint32_t letter_count;
	struct iq_buf labels[IQ_AUTOMATON_MAX_SYMBOLS + 2]; /* by letter */
	struct iq_map nodes;				    /* node -> state */
	uint32_t *next;					    /* letter_count for each state; NO_STATE for none */
	size_t capacity;
	uint32_t classes[IQ_DRAW_MAX_STATES + 1]; /* by state: which ones are alike */
	size_t class_count;
};

/* ---- From an automaton to a table ---- */

static iq_node node_at(const struct table *table, size_t state)
{
	iq_node node;

	memcpy(&node, table->nodes.entries[state].key.data, sizeof(node));
	return node;
}

static int number_node(struct table *table, iq_node node, uint32_t *ret_state)
{
	int rc = iq_map_intern(&table->nodes, iq_view_make((const char *)&node, sizeof(node)), ret_state);

	return rc == 1 && table->nodes.count > IQ_DRAW_MAX_STATES ? IQ_ERR_LIMIT : rc < 0 ? rc : 0;
}

static int take_steps(struct table *table, size_t state)
{
	if (IQ_ARRAY_GROW(table->next, table->capacity, (state + 1) * table->letter_count + 1) < 0)
		return IQ_ERR_NOMEM;
	for (uint32_t letter = 0; letter < table->letter_count; letter++) {
		uint32_t *next = &table->next[state * table->letter_count + letter];
		iq_node node;
		int rc = iq_node_step(table->automaton, node_at(table, state), letter, &node);

		*next = NO_STATE;
		if (rc == 0 && node != IQ_NODE_DEAD)
			rc = number_node(table, node, next);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int reach_states(struct table *table)
{
	uint32_t start;
	int rc = number_node(table, table->start, &start);

	for (size_t state = 0; state < table->nodes.count && rc == 0; state++)
		rc = take_steps(table, state);
	return rc;
}

/* What tells a state from others, as far as is known: its class, and the classes that its letters lead to. */
static int signature(const struct table *table, size_t state, struct iq_buf *key)
{
	iq_buf_clear(key);
	(void)iq_buf_append(key, iq_view_make((const char *)&table->classes[state], sizeof(uint32_t)));
	for (uint32_t letter = 0; letter < table->letter_count; letter++) {
		uint32_t next = table->next[state * table->letter_count + letter];
		uint32_t class = next == NO_STATE ? NO_STATE : table->classes[next];

		(void)iq_buf_append(key, iq_view_make((const char *)&class, sizeof(class)));
	}
	return key->failed ? IQ_ERR_NOMEM : 0;
}

static int split_classes(struct table *table, struct iq_map *signatures, struct iq_buf *key)
{
	uint32_t classes[IQ_DRAW_MAX_STATES];
	int rc = 0;

	iq_map_clear(signatures);
	for (size_t state = 0; state < table->nodes.count && rc >= 0; state++) {
		rc = signature(table, state, key);
		if (rc == 0)
			rc = iq_map_intern(signatures, iq_buf_view(key), &classes[state]);
	}
	if (rc >= 0)
		memcpy(table->classes, classes, table->nodes.count * sizeof(*classes));
	return rc < 0 ? rc : 0;
}

/* Splits classes until all states of one are alike (E. F. Moore, 1956). */
static int minimise(struct table *table)
{
	struct iq_map signatures = IQ_MAP_INIT;
	struct iq_buf key = IQ_BUF_INIT;
	int rc = 0;

	for (size_t state = 0; state < table->nodes.count; state++)
		table->classes[state] = iq_node_accepts(table->automaton, node_at(table, state));
	do {
		table->class_count = signatures.count;
		rc = split_classes(table, &signatures, &key);
	} while (rc == 0 && signatures.count != table->class_count);
	iq_map_release(&signatures);
	iq_buf_release(&key);
	return rc;
}

/* The first state of a class. */
static size_t member_of(const struct table *table, uint32_t class)
{
	size_t state = 0;

	while (table->classes[state] != class)
		state++;
	return state;
}

/* ---- Where the automata come from ---- */

/* In a drawing a nested lifecycle is one step. */
static int find_letter(void *context, const struct iq_expression *name, struct iq_order_letter *ret_letter)
{
	struct table *table = context;
	uint32_t letter = 0;

	while (letter < table->letter_count && !iq_view_eq(iq_buf_view(&table->labels[letter]), name->name))
		letter++;
	*ret_letter = (struct iq_order_letter){ letter, false };
	if (letter < table->letter_count)
		return 0;
	table->letter_count++;
	return iq_buf_append(&table->labels[letter], name->name);
}

static int begin_order(struct table *table, const struct iq_rule *rule)
{
	struct iq_order_names names = { find_letter, table };

	table->automaton = iq_automaton_new();
	return table->automaton ? iq_order_build(rule->expression, table->automaton, &names, &table->start)
				: IQ_ERR_NOMEM;
}

/* `a | x`, or `other` for what is none of the constraint's names. */
static int begin_constraint(struct table *table, const struct iq_rule *rule)
{
	int rc = 0;

	table->automaton = rule->automaton;
	table->start = iq_automaton_start(rule->automaton);
	table->letter_count = rule->letter_count;
	for (uint32_t i = 0; i < table->lifecycle->names.count; i++) {
		uint32_t letter = rule->letters[i];

		if (letter >= rule->letter_count || letter == rule->others)
			continue;
		if (table->labels[letter].len)
			rc |= iq_buf_append_cstr(&table->labels[letter], " | ");
		rc |= iq_buf_append(&table->labels[letter], iq_lifecycle_name(table->lifecycle, i));
	}
	if (rule->others != IQ_SYMBOL_NONE)
		rc |= iq_buf_append_cstr(&table->labels[rule->others], "other");
	return rc ? IQ_ERR_NOMEM : 0;
}

/* ---- Writing ---- */

/* Both languages are told apart here only. */
struct writer {
	void (*begin)(struct iq_buf *out, struct iq_view title, size_t number);
	void (*state)(struct iq_buf *out, size_t number, uint32_t state, bool accepts);
	void (*step)(struct iq_buf *out, size_t number, uint32_t from, uint32_t to, struct iq_view label);
	void (*end)(struct iq_buf *out);
	const char *comment;
};

/* Text for a label: safe for a terminal first, then for the language. */
static void append_label(struct iq_buf *out, struct iq_view text, void (*escape)(struct iq_buf *out, unsigned char c))
{
	struct iq_buf safe = IQ_BUF_INIT;

	(void)iq_utf8_append_safe(&safe, text);
	out->failed |= safe.failed;
	for (size_t i = 0; i < safe.len; i++)
		escape(out, (unsigned char)safe.data[i]);
	iq_buf_release(&safe);
}

static void escape_dot(struct iq_buf *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		(void)iq_buf_append_char(out, '\\');
	(void)iq_buf_append_char(out, (char)c);
}

static void dot_text(struct iq_buf *out, struct iq_view text)
{
	append_label(out, text, escape_dot);
}

static void dot_begin(struct iq_buf *out, struct iq_view title, size_t number)
{
	(void)number;
	(void)iq_buf_append_cstr(out, "digraph \"");
	dot_text(out, title);
	(void)iq_buf_append_cstr(out, "\" {\n\trankdir=LR;\n\tnode [shape=circle, label=\"\"];\n\tlabel=\"");
	dot_text(out, title);
	(void)iq_buf_append_cstr(out, "\";\n\tstart [shape=point];\n\tstart -> s0;\n");
}

static void dot_state(struct iq_buf *out, size_t number, uint32_t state, bool accepts)
{
	(void)number;
	if (accepts)
		(void)iq_buf_appendf(out, "\ts%u [shape=doublecircle];\n", state);
}

static void dot_step(struct iq_buf *out, size_t number, uint32_t from, uint32_t to, struct iq_view label)
{
	(void)number;
	(void)iq_buf_appendf(out, "\ts%u -> s%u [label=\"", from, to);
	dot_text(out, label);
	(void)iq_buf_append_cstr(out, "\"];\n");
}

static void dot_end(struct iq_buf *out)
{
	(void)iq_buf_append_cstr(out, "}\n");
}

/* Entity codes for what Mermaid would read as its own. */
static void escape_mermaid(struct iq_buf *out, unsigned char c)
{
	if (strchr("#;:\"<>{}[]\\%", c))
		(void)iq_buf_appendf(out, "#%u;", c);
	else
		(void)iq_buf_append_char(out, (char)c);
}

static void mermaid_text(struct iq_buf *out, struct iq_view text)
{
	append_label(out, text, escape_mermaid);
}

static void mermaid_begin(struct iq_buf *out, struct iq_view title, size_t number)
{
	(void)iq_buf_append_cstr(out, "\tstate \"");
	mermaid_text(out, title);
	(void)iq_buf_appendf(out, "\" as l%zu {\n\t\t[*] --> l%zus0\n", number, number);
}

static void mermaid_state(struct iq_buf *out, size_t number, uint32_t state, bool accepts)
{
	if (accepts)
		(void)iq_buf_appendf(out, "\t\tl%zus%u --> [*]\n", number, state);
}

static void mermaid_step(struct iq_buf *out, size_t number, uint32_t from, uint32_t to, struct iq_view label)
{
	(void)iq_buf_appendf(out, "\t\tl%zus%u --> l%zus%u: ", number, from, number, to);
	mermaid_text(out, label);
	(void)iq_buf_append_char(out, '\n');
}

static void mermaid_end(struct iq_buf *out)
{
	(void)iq_buf_append_cstr(out, "\t}\n");
}

static const struct writer writers[] = {
	[IQ_DRAWING_DOT] = { dot_begin, dot_state, dot_step, dot_end, "// " },
	[IQ_DRAWING_MERMAID] = { mermaid_begin, mermaid_state, mermaid_step, mermaid_end, "\t%% " },
};

/* The letters that lead from one state to another, as one label. */
static void label_step(const struct table *table, uint32_t from, uint32_t to, struct iq_buf *label)
{
	const uint32_t *next = &table->next[member_of(table, from) * table->letter_count];

	iq_buf_clear(label);
	for (uint32_t letter = 0; letter < table->letter_count; letter++) {
		if (next[letter] == NO_STATE || table->classes[next[letter]] != to)
			continue;
		if (label->len)
			(void)iq_buf_append_cstr(label, " | ");
		(void)iq_buf_append(label, iq_buf_view(&table->labels[letter]));
	}
}

static void write_table(const struct table *table, const struct writer *writer, struct iq_view title, size_t number,
			struct iq_buf *out)
{
	struct iq_buf label = IQ_BUF_INIT;

	writer->begin(out, title, number);
	for (uint32_t from = 0; from < table->class_count; from++) {
		writer->state(out, number, from,
			      iq_node_accepts(table->automaton, node_at(table, member_of(table, from))));
		for (uint32_t to = 0; to < table->class_count; to++) {
			label_step(table, from, to, &label);
			if (label.len)
				writer->step(out, number, from, to, iq_buf_view(&label));
		}
	}
	writer->end(out);
	iq_buf_release(&label);
}

static int draw_rule(struct table *table, const struct iq_rule *rule, const struct writer *writer, size_t number,
		     struct iq_buf *out)
{
	struct iq_view title = rule->kind == IQ_RULE_ORDER ? table->lifecycle->name : rule->text;
	int rc = rule->kind == IQ_RULE_ORDER ? begin_order(table, rule) : begin_constraint(table, rule);

	if (rc == 0)
		rc = reach_states(table);
	if (rc == 0)
		rc = minimise(table);
	if (rc == 0)
		write_table(table, writer, title, number, out);
	if (rc != IQ_ERR_LIMIT)
		return rc;
	(void)iq_buf_append_cstr(out, writer->comment);
	(void)iq_utf8_append_safe(out, title);
	(void)iq_buf_appendf(out, " is not drawn: its automaton has more than %u states\n", IQ_DRAW_MAX_STATES);
	return 0;
}

static void release(struct table *table, const struct iq_rule *rule)
{
	for (size_t i = 0; i < sizeof(table->labels) / sizeof(table->labels[0]); i++)
		iq_buf_release(&table->labels[i]);
	iq_map_release(&table->nodes);
	free(table->next);
	if (table->automaton != rule->automaton)
		iq_automaton_free(table->automaton);
	free(table);
}

int iq_draw_lifecycle(const struct iq_lifecycle *lifecycle, enum iq_drawing drawing, size_t *number, struct iq_buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < lifecycle->rule_count && rc == 0; i++) {
		const struct iq_rule *rule = &lifecycle->rules[i];
		struct table *table;

		if (!rule->expression)
			continue;
		table = calloc(1, sizeof(*table));
		if (!table)
			return IQ_ERR_NOMEM;
		table->lifecycle = lifecycle;
		rc = draw_rule(table, rule, &writers[drawing], (*number)++, out);
		release(table, rule);
	}
	return rc < 0 || out->failed ? IQ_ERR_NOMEM : 0;
}
