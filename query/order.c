#include "query/order.h"

#include <stdlib.h>
#include <string.h>

/* ---- Reading ---- */

struct parser {
	struct iq_lexer *lexer;
	struct iq_arena *arena;
	unsigned depth;
};

static struct iq_expression *new_part(struct parser *parser, enum iq_order_op op, size_t pos)
{
	struct iq_expression *part = iq_arena_calloc(parser->arena, 1, sizeof(*part));

	if (!part) {
		(void)iq_error_nomem(parser->lexer->error);
		return NULL;
	}
	part->op = op;
	part->pos = pos;
	return part;
}

static int parse_expression(struct parser *parser, struct iq_expression **ret_part);

static int parse_group(struct parser *parser, struct iq_expression **ret_part)
{
	size_t start = parser->lexer->pos++;
	int rc = 0;

	if (++parser->depth > IQ_ORDER_MAX_DEPTH)
		return iq_lexer_fail(parser->lexer, start, "parentheses nested deeper than %d", IQ_ORDER_MAX_DEPTH);
	if (iq_lexer_peek(parser->lexer) == ')')
		*ret_part = new_part(parser, IQ_ORDER_SEQUENCE, start);
	else
		rc = parse_expression(parser, ret_part);
	if (rc < 0 || !*ret_part)
		return rc < 0 ? rc : IQ_ERR_NOMEM;
	if (!iq_lexer_take(parser->lexer, ")"))
		return iq_lexer_fail(parser->lexer, start, "a ( without its )");
	parser->depth--;
	return 0;
}

static int parse_primary(struct parser *parser, struct iq_expression **ret_part)
{
	struct iq_lexer *lexer = parser->lexer;
	char c = iq_lexer_peek(lexer);
	int rc;

	if (c == '(')
		return parse_group(parser, ret_part);
	if (c == '\0')
		return iq_lexer_fail(lexer, lexer->pos, "ends where a name or ( should follow");
	if (!iq_lexer_at_name(lexer))
		return iq_lexer_fail(lexer, lexer->pos,
				     "`%c` where a name or ( should stand; quote names with such characters: 'a name'",
				     c);
	*ret_part = new_part(parser, IQ_ORDER_NAME, lexer->pos);
	rc = *ret_part ? iq_lexer_name(lexer, &(*ret_part)->name) : IQ_ERR_NOMEM;
	return rc;
}

/* `{2}`, `{2,}`, `{2,5}`; behind the bracket. */
static int take_counts(struct iq_lexer *lexer, struct iq_expression *count)
{
	size_t start = lexer->pos - 1;
	int rc = iq_lexer_count(lexer, IQ_REPEAT_MAX, &count->least);

	count->most = count->least;
	if (rc == 0 && iq_lexer_take(lexer, ",")) {
		count->most = IQ_REPEAT_UNBOUNDED;
		if (iq_lexer_peek(lexer) != '}')
			rc = iq_lexer_count(lexer, IQ_REPEAT_MAX, &count->most);
	}
	if (rc < 0)
		return rc;
	if (!iq_lexer_take(lexer, "}"))
		return iq_lexer_fail(lexer, start, "a { without its }");
	if (count->most < count->least)
		return iq_lexer_fail(lexer, start, "{%u,%u} can never hold: the first count is the larger one",
				     count->least, count->most);
	return 0;
}

static int parse_postfix(struct parser *parser, struct iq_expression **ret_part)
{
	struct iq_lexer *lexer = parser->lexer;
	int rc = parse_primary(parser, ret_part);
	unsigned signs = 0;
	char c;

	while (rc == 0 && (c = iq_lexer_peek(lexer)) != '\0' && strchr("?*+{", c)) {
		struct iq_expression *count = new_part(parser, IQ_ORDER_COUNT, (*ret_part)->pos);

		if (!count)
			return IQ_ERR_NOMEM;
		if (++signs > IQ_ORDER_MAX_DEPTH)
			return iq_lexer_fail(lexer, lexer->pos, "more than %d counts behind one another",
					     IQ_ORDER_MAX_DEPTH);
		lexer->pos++;
		count->first = *ret_part;
		count->least = c == '+';
		count->most = c == '?' ? 1 : IQ_REPEAT_UNBOUNDED;
		if (c == '{')
			rc = take_counts(lexer, count);
		*ret_part = count;
	}
	return rc;
}

/* Shows what the user may have meant by `a, b | c`. */
static int mixed(struct iq_lexer *lexer, size_t pos, char first, char second)
{
	return iq_lexer_fail(
		lexer, pos,
		"`%c` and `%c` side by side can be read in two ways, (a %c b) %c c or a %c (b %c c): add parentheses",
		first, second, first, second, first, second);
}

/* The parts behind the first one. */
static int parse_parts(struct parser *parser, char connector, struct iq_expression *joined)
{
	struct iq_expression **link = &joined->first->next;
	struct iq_lexer *lexer = parser->lexer;

	for (;;) {
		char c = iq_lexer_peek(lexer);
		int rc;

		if (c == '\0' || c == ')')
			return 0;
		if (!strchr(",|&", c))
			return iq_lexer_fail(lexer, lexer->pos, "`%c` where , | & or the end should stand", c);
		if (c != connector)
			return mixed(lexer, lexer->pos, connector, c);
		lexer->pos++;
		rc = parse_postfix(parser, link);
		if (rc < 0)
			return rc;
		link = &(*link)->next;
	}
}

static int parse_expression(struct parser *parser, struct iq_expression **ret_part)
{
	struct iq_expression *joined;
	char connector;
	int rc = parse_postfix(parser, ret_part);

	connector = rc == 0 ? iq_lexer_peek(parser->lexer) : '\0';
	if (rc < 0 || connector == '\0' || connector == ')')
		return rc;
	joined = new_part(parser,
			  connector == '|'   ? IQ_ORDER_CHOICE
			  : connector == '&' ? IQ_ORDER_INTERLEAVE
					     : IQ_ORDER_SEQUENCE,
			  (*ret_part)->pos);
	if (!joined)
		return IQ_ERR_NOMEM;
	joined->first = *ret_part;
	*ret_part = joined;
	return parse_parts(parser, connector, joined);
}

int iq_order_parse(struct iq_lexer *lexer, struct iq_arena *arena, const struct iq_expression **ret_order)
{
	struct parser parser = { .lexer = lexer, .arena = arena };
	struct iq_expression *order = NULL;
	int rc = parse_expression(&parser, &order);

	if (rc == 0 && iq_lexer_peek(lexer) == ')')
		return iq_lexer_fail(lexer, lexer->pos, "a ) without its (");
	*ret_order = order;
	return rc;
}

/* ---- Building ---- */

struct builder {
	struct iq_automaton *automaton;
	const struct iq_order_names *names;
};

/* An expression is one of `plain` or one of `nested`, whose instances may overlap when it is repeated. */
struct built {
	iq_node plain;
	iq_node nested;
};

static int build(struct builder *builder, const struct iq_expression *order, struct built *ret_built);

static int build_whole(struct builder *builder, const struct iq_expression *order, iq_node *ret_node)
{
	struct built built;
	int rc = build(builder, order, &built);

	return rc < 0 ? rc : iq_node_choice(builder->automaton, built.plain, built.nested, ret_node);
}

static int build_name(struct builder *builder, const struct iq_expression *name, struct built *built)
{
	struct iq_order_letter found = { 0, false };
	iq_node first, last;
	int rc = builder->names->find(builder->names->context, name, &found);

	if (rc == 0)
		rc = iq_node_symbol(builder->automaton, found.letter, &first);
	if (rc < 0 || !found.nested) {
		built->plain = rc < 0 ? IQ_NODE_DEAD : first;
		return rc;
	}
	rc = iq_node_symbol(builder->automaton, found.letter + 1, &last);
	return rc < 0 ? rc : iq_node_sequence(builder->automaton, first, last, &built->nested);
}

/* `(a | C)*` is `(a | D)*` where D are one or more C that overlap. A count over both can only be kept by letting all of
 * them overlap. */
static int build_count(struct builder *builder, const struct iq_expression *order, struct built *built)
{
	struct iq_automaton *automaton = builder->automaton;
	struct built part;
	iq_node node;
	int rc = build(builder, order->first, &part);

	if (rc < 0)
		return rc;
	if (order->most == 1 && order->least == 0) {
		*built = part;
		return iq_node_choice(automaton, part.plain, IQ_NODE_EMPTY, &built->plain);
	}
	if (part.nested != IQ_NODE_DEAD && part.plain != IQ_NODE_DEAD && order->least <= 1 &&
	    order->most == IQ_REPEAT_UNBOUNDED) {
		rc = iq_node_overlap(automaton, part.nested, 1, IQ_REPEAT_UNBOUNDED, &node);
		part.nested = IQ_NODE_DEAD;
		if (rc == 0)
			rc = iq_node_choice(automaton, part.plain, node, &part.plain);
	}
	if (rc == 0)
		rc = iq_node_choice(automaton, part.plain, part.nested, &node);
	if (rc < 0)
		return rc;
	return part.nested == IQ_NODE_DEAD ? iq_node_repeat(automaton, node, order->least, order->most, &built->plain)
					   : iq_node_overlap(automaton, node, order->least, order->most, &built->plain);
}

typedef int (*join_nodes)(struct iq_automaton *automaton, iq_node a, iq_node b, iq_node *ret_node);

/* From the last to the first: so each adds one node, not a whole new chain. */
static int join_backwards(struct iq_automaton *automaton, join_nodes join, const iq_node *parts, size_t count,
			  iq_node *ret_node)
{
	int rc = 0;

	for (size_t i = count; i-- > 0 && rc == 0;)
		rc = join(automaton, parts[i], *ret_node, ret_node);
	return rc;
}

static int build_choice(struct builder *builder, const struct iq_expression *order, struct built *built, iq_node *parts,
			size_t count)
{
	iq_node *nested = parts + count;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++, order = order->next) {
		struct built one;

		rc = build(builder, order, &one);
		parts[i] = one.plain;
		nested[i] = one.nested;
	}
	if (rc == 0)
		rc = join_backwards(builder->automaton, iq_node_choice, parts, count, &built->plain);
	return rc < 0 ? rc : join_backwards(builder->automaton, iq_node_choice, nested, count, &built->nested);
}

static int build_joined(struct builder *builder, const struct iq_expression *order, join_nodes join,
			struct built *built, iq_node *parts, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++, order = order->next)
		rc = build_whole(builder, order, &parts[i]);
	built->plain = IQ_NODE_EMPTY;
	return rc < 0 ? rc : join_backwards(builder->automaton, join, parts, count, &built->plain);
}

static int build_parts(struct builder *builder, const struct iq_expression *order, struct built *built)
{
	size_t count = 0;
	iq_node *parts;
	int rc;

	for (const struct iq_expression *part = order->first; part; part = part->next)
		count++;
	parts = calloc(2 * count + 1, sizeof(*parts));
	if (!parts)
		return IQ_ERR_NOMEM;
	if (order->op == IQ_ORDER_CHOICE)
		rc = build_choice(builder, order->first, built, parts, count);
	else
		rc = build_joined(builder, order->first,
				  order->op == IQ_ORDER_SEQUENCE ? iq_node_sequence : iq_node_interleave, built, parts,
				  count);
	free(parts);
	return rc;
}

/* Depth is that of the brackets and postfix signs. */
static int build(struct builder *builder, const struct iq_expression *order, struct built *ret_built)
{
	*ret_built = (struct built){ IQ_NODE_DEAD, IQ_NODE_DEAD };
	switch (order->op) {
	case IQ_ORDER_NAME:
		return build_name(builder, order, ret_built);
	case IQ_ORDER_COUNT:
		return build_count(builder, order, ret_built);
	default:
		return build_parts(builder, order, ret_built);
	}
}

int iq_order_build(const struct iq_expression *order, struct iq_automaton *automaton,
		   const struct iq_order_names *names, iq_node *ret_node)
{
	struct builder builder = { automaton, names };

	return build_whole(&builder, order, ret_node);
}
