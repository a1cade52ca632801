#include "query/order.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

struct parser {
	struct iq_view text;
	size_t pos;
	unsigned depth;
	const struct iq_yaml *node;
	const char *name;
	struct iq_automaton *automaton;
	struct iq_map *names;
	struct iq_error *error;
};

/* At a place in the expression: exact where the scalar stands in one line, else the scalar's own place. */
static int fail(struct parser *parser, size_t pos, const char *format, ...) IQ_PRINTF(3, 4);

static int fail(struct parser *parser, size_t pos, const char *format, ...)
{
	struct iq_yaml place = *parser->node;
	char what[300];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (!memchr(parser->text.data, '\n', parser->text.len))
		place.column += (uint32_t)pos + !place.plain;
	return iq_yaml_error(parser->error, parser->name, &place, "order: %s", what);
}

static int limit(struct parser *parser, int rc)
{
	if (rc == IQ_ERR_LIMIT)
		return iq_yaml_error(
			parser->error, parser->name, parser->node,
			"order: too large: it needs more than %u states; use smaller counts or fewer interleaved parts",
			IQ_AUTOMATON_MAX_NODES);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(parser->error) : rc;
}

static char peek(struct parser *parser)
{
	while (parser->pos < parser->text.len && isspace((unsigned char)parser->text.data[parser->pos]))
		parser->pos++;
	return parser->pos < parser->text.len ? parser->text.data[parser->pos] : '\0';
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c != '\0' && strchr("_.-:/@$#", c));
}

static int take_quoted(struct parser *parser, struct iq_view *ret_name)
{
	size_t start = parser->pos;
	char quote = parser->text.data[start];
	const char *end = memchr(parser->text.data + start + 1, quote, parser->text.len - start - 1);

	if (!end)
		return fail(parser, start, "a quoted name without its closing %c", quote);
	*ret_name = iq_view_make(parser->text.data + start + 1, (size_t)(end - parser->text.data) - start - 1);
	parser->pos = (size_t)(end - parser->text.data) + 1;
	return ret_name->len ? 0 : fail(parser, start, "an empty name");
}

static int parse_name(struct parser *parser, iq_node *ret_node)
{
	size_t start = parser->pos;
	struct iq_view name;
	uint32_t symbol;
	int rc = 0;

	if (parser->text.data[start] == '\'' || parser->text.data[start] == '"') {
		rc = take_quoted(parser, &name);
	} else {
		while (parser->pos < parser->text.len && is_name_char(parser->text.data[parser->pos]))
			parser->pos++;
		name = iq_view_make(parser->text.data + start, parser->pos - start);
	}
	if (rc < 0)
		return rc;
	if (iq_map_intern(parser->names, name, &symbol) < 0)
		return iq_error_nomem(parser->error);
	if (symbol >= IQ_AUTOMATON_MAX_SYMBOLS)
		return fail(parser, start, "more than %u names", IQ_AUTOMATON_MAX_SYMBOLS);
	return limit(parser, iq_node_symbol(parser->automaton, symbol, ret_node));
}

static int parse_expression(struct parser *parser, iq_node *ret_node);

static int parse_group(struct parser *parser, iq_node *ret_node)
{
	size_t start = parser->pos++;
	int rc;

	if (++parser->depth > IQ_ORDER_MAX_DEPTH)
		return fail(parser, start, "parentheses nested deeper than %d", IQ_ORDER_MAX_DEPTH);
	/* `()` is the empty sequence. */
	if (peek(parser) == ')')
		*ret_node = IQ_NODE_EMPTY;
	rc = peek(parser) == ')' ? 0 : parse_expression(parser, ret_node);
	if (rc < 0)
		return rc;
	if (peek(parser) != ')')
		return fail(parser, start, "a ( without its )");
	parser->pos++;
	parser->depth--;
	return 0;
}

static int parse_primary(struct parser *parser, iq_node *ret_node)
{
	char c = peek(parser);

	if (c == '(')
		return parse_group(parser, ret_node);
	if (c == '\'' || c == '"' || is_name_char(c))
		return parse_name(parser, ret_node);
	if (c == '\0')
		return fail(parser, parser->pos, "ends where a name or ( should follow");
	return fail(parser, parser->pos,
		    "`%c` where a name or ( should stand; quote names with such characters: 'a name'", c);
}

static int take_count(struct parser *parser, uint32_t *ret_count)
{
	size_t start;
	int64_t count;

	(void)peek(parser);
	start = parser->pos;
	while (parser->pos < parser->text.len && isdigit((unsigned char)parser->text.data[parser->pos]))
		parser->pos++;
	if (!iq_view_to_int64(iq_view_make(parser->text.data + start, parser->pos - start), &count))
		return fail(parser, start, "a count such as {2}, {2,} or {2,5} needs a number here");
	if (count > IQ_REPEAT_MAX)
		return fail(parser, start, "counts go up to %u", IQ_REPEAT_MAX);
	*ret_count = (uint32_t)count;
	return 0;
}

static int take_counts(struct parser *parser, uint32_t *ret_least, uint32_t *ret_most)
{
	size_t start = parser->pos++;
	int rc = take_count(parser, ret_least);

	*ret_most = *ret_least;
	if (rc == 0 && peek(parser) == ',') {
		parser->pos++;
		*ret_most = IQ_REPEAT_UNBOUNDED;
		if (peek(parser) != '}')
			rc = take_count(parser, ret_most);
	}
	if (rc < 0)
		return rc;
	if (peek(parser) != '}')
		return fail(parser, start, "a { without its }");
	parser->pos++;
	if (*ret_most < *ret_least)
		return fail(parser, start, "{%u,%u} can never hold: the first count is the larger one", *ret_least,
			    *ret_most);
	return 0;
}

static int parse_postfix(struct parser *parser, iq_node *ret_node)
{
	int rc = parse_primary(parser, ret_node);

	while (rc == 0) {
		uint32_t least = 0, most = IQ_REPEAT_UNBOUNDED;
		char c = peek(parser);

		if (c == '\0' || !strchr("?*+{", c))
			break;
		if (c == '{') {
			rc = take_counts(parser, &least, &most);
		} else {
			parser->pos++;
			least = c == '+';
			most = c == '?' ? 1 : IQ_REPEAT_UNBOUNDED;
		}
		if (rc == 0)
			rc = limit(parser, iq_node_repeat(parser->automaton, *ret_node, least, most, ret_node));
	}
	return rc;
}

static int join(struct parser *parser, char connector, iq_node left, iq_node right, iq_node *ret_node)
{
	switch (connector) {
	case ',':
		return limit(parser, iq_node_sequence(parser->automaton, left, right, ret_node));
	case '|':
		return limit(parser, iq_node_choice(parser->automaton, left, right, ret_node));
	default:
		return limit(parser, iq_node_interleave(parser->automaton, left, right, ret_node));
	}
}

/* Shows what the user may have meant by `a, b | c`. */
static int mixed(struct parser *parser, size_t pos, char first, char second)
{
	return fail(
		parser, pos,
		"`%c` and `%c` side by side can be read in two ways, (a %c b) %c c or a %c (b %c c): add parentheses",
		first, second, first, second, first, second);
}

static int parse_expression(struct parser *parser, iq_node *ret_node)
{
	char connector = '\0';
	iq_node right;
	int rc = parse_postfix(parser, ret_node);

	while (rc == 0) {
		char c = peek(parser);

		if (c == '\0' || c == ')')
			return 0;
		if (!strchr(",|&", c))
			return fail(parser, parser->pos, "`%c` where , | & or the end should stand", c);
		if (connector != '\0' && c != connector)
			return mixed(parser, parser->pos, connector, c);
		connector = c;
		parser->pos++;
		rc = parse_postfix(parser, &right);
		if (rc == 0)
			rc = join(parser, connector, *ret_node, right, ret_node);
	}
	return rc;
}

int iq_order_parse(const struct iq_yaml *node, const char *name, struct iq_automaton *automaton, struct iq_map *names,
		   iq_node *ret_node, struct iq_error *error)
{
	struct parser parser = {
		.text = node->text, .node = node, .name = name, .automaton = automaton, .names = names, .error = error
	};
	int rc;

	if (node->type != IQ_YAML_SCALAR)
		return iq_yaml_error(error, name, node, "order is one line of text: started, (step* & tool*), done");
	rc = parse_expression(&parser, ret_node);
	if (rc == 0 && peek(&parser) == ')')
		return fail(&parser, parser.pos, "a ) without its (");
	return rc;
}
