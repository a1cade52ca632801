#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct builder {
	yaml_parser_t parser;
	const char *name;
	struct iq_arena *arena;
	struct iq_error *error;
};

static int spec_error(struct iq_error *error, const char *name, uint32_t line, uint32_t column, const char *what)
{
	int rc = iq_error_set(error, IQ_ERR_SPEC, "%s:%u:%u: %s", name, line, column, what);

	if (error && error->line == 0) {
		error->line = line;
		error->column = column;
	}
	return rc;
}

int iq_yaml_error(struct iq_error *error, const char *name, const struct iq_yaml *node, const char *format, ...)
{
	char what[384];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return spec_error(error, name, node->line, node->column, what);
}

static int parser_error(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	const yaml_mark_t *mark = parser->problem_mark.line || parser->problem_mark.column ? &parser->problem_mark
											   : &parser->context_mark;
	char what[256];

	(void)snprintf(what, sizeof(what), "not valid YAML: %s%s%s", parser->problem ? parser->problem : "unreadable",
		       parser->context ? " " : "", parser->context ? parser->context : "");
	return spec_error(builder->error, builder->name, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1, what);
}

static struct iq_yaml *new_node(struct builder *builder, const yaml_event_t *event, enum iq_yaml_type type)
{
	struct iq_yaml *node = iq_arena_calloc(builder->arena, 1, sizeof(*node));

	if (!node)
		return NULL;
	node->type = type;
	node->line = (uint32_t)event->start_mark.line + 1;
	node->column = (uint32_t)event->start_mark.column + 1;
	return node;
}

static bool has_anchor_or_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return false;
	}
}

static int build_node(struct builder *builder, yaml_event_t *event, unsigned depth, struct iq_yaml **ret_node);

/* Reads the next event and builds the node that it begins; *ret_node is NULL at the end of the surrounding container.
 */
static int build_next(struct builder *builder, unsigned depth, struct iq_yaml **ret_node)
{
	yaml_event_t event;
	int rc;

	if (!yaml_parser_parse(&builder->parser, &event))
		return parser_error(builder);
	rc = build_node(builder, &event, depth, ret_node);
	yaml_event_delete(&event);
	return rc;
}

static int check_duplicate(struct builder *builder, const struct iq_yaml *mapping, const struct iq_yaml *key)
{
	if (key->type != IQ_YAML_SCALAR)
		return iq_yaml_error(builder->error, builder->name, key, "a key must be a plain word");
	for (const struct iq_yaml *child = mapping->first; child; child = child->next)
		if (iq_view_eq(child->key->text, key->text))
			return iq_yaml_error(builder->error, builder->name, key,
					     "`%.*s` is given twice; the first is in line %u", IQ_VIEW_ARG(key->text),
					     child->key->line);
	return 0;
}

static int build_children(struct builder *builder, struct iq_yaml *node, unsigned depth)
{
	struct iq_yaml **link = &node->first;
	struct iq_yaml *key = NULL, *child;
	int rc;

	for (;;) {
		if (node->type == IQ_YAML_MAPPING) {
			rc = build_next(builder, depth, &key);
			if (rc < 0 || !key)
				return rc;
			rc = check_duplicate(builder, node, key);
			if (rc < 0)
				return rc;
		}
		rc = build_next(builder, depth, &child);
		if (rc < 0 || !child)
			return rc;
		child->key = key;
		*link = child;
		link = &child->next;
	}
}

static int build_container(struct builder *builder, const yaml_event_t *event, enum iq_yaml_type type, unsigned depth,
			   struct iq_yaml **ret_node)
{
	struct iq_yaml *node = new_node(builder, event, type);

	if (!node)
		return iq_error_nomem(builder->error);
	if (depth >= IQ_YAML_MAX_DEPTH)
		return iq_yaml_error(builder->error, builder->name, node, "nested deeper than %d levels",
				     IQ_YAML_MAX_DEPTH);
	*ret_node = node;
	return build_children(builder, node, depth + 1);
}

static int build_scalar(struct builder *builder, const yaml_event_t *event, struct iq_yaml **ret_node)
{
	struct iq_yaml *node = new_node(builder, event, IQ_YAML_SCALAR);

	if (!node)
		return iq_error_nomem(builder->error);
	node->text = iq_arena_copy(builder->arena,
				   iq_view_make((const char *)event->data.scalar.value, event->data.scalar.length));
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	*ret_node = node;
	return node->text.data ? 0 : iq_error_nomem(builder->error);
}

static int build_node(struct builder *builder, yaml_event_t *event, unsigned depth, struct iq_yaml **ret_node)
{
	if (has_anchor_or_tag(event))
		return spec_error(builder->error, builder->name, (uint32_t)event->start_mark.line + 1,
				  (uint32_t)event->start_mark.column + 1,
				  "anchors, aliases and tags are not allowed here; quote the value "
				  "if it begins with one of & * !");
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(builder, event, ret_node);
	case YAML_SEQUENCE_START_EVENT:
		return build_container(builder, event, IQ_YAML_SEQUENCE, depth, ret_node);
	case YAML_MAPPING_START_EVENT:
		return build_container(builder, event, IQ_YAML_MAPPING, depth, ret_node);
	default:
		*ret_node = NULL;
		return 0;
	}
}

/* Steps over stream and document borders; builds each document's root. */
static int build_documents(struct builder *builder, struct iq_yaml **ret_documents)
{
	struct iq_yaml **link = ret_documents;
	yaml_event_type_t type;
	yaml_event_t event;
	int rc = 0;

	do {
		struct iq_yaml *node = NULL;

		if (!yaml_parser_parse(&builder->parser, &event))
			return parser_error(builder);
		type = event.type;
		if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT)
			rc = build_node(builder, &event, 0, &node);
		yaml_event_delete(&event);
		/* An empty document is an empty plain scalar. */
		if (rc == 0 && node && !(node->type == IQ_YAML_SCALAR && node->text.len == 0)) {
			*link = node;
			link = &node->next;
		}
	} while (rc == 0 && type != YAML_STREAM_END_EVENT);
	return rc;
}

int iq_yaml_parse(struct iq_view text, const char *name, struct iq_arena *arena, struct iq_yaml **ret_documents,
		  struct iq_error *error)
{
	struct builder builder = { .name = name, .arena = arena, .error = error };
	struct iq_yaml *documents = NULL;
	int rc;

	if (text.len > IQ_YAML_MAX_BYTES)
		return iq_error_set(error, IQ_ERR_LIMIT, "%s: larger than %u bytes", name, IQ_YAML_MAX_BYTES);
	if (!yaml_parser_initialize(&builder.parser))
		return iq_error_nomem(error);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text.data, text.len);
	rc = build_documents(&builder, &documents);
	yaml_parser_delete(&builder.parser);
	if (rc == 0)
		*ret_documents = documents;
	return rc;
}

const struct iq_yaml *iq_yaml_get(const struct iq_yaml *mapping, const char *key)
{
	for (const struct iq_yaml *child = mapping->first; child; child = child->next)
		if (child->key && iq_view_eq(child->key->text, iq_view_cstr(key)))
			return child;
	return NULL;
}

static bool is_plain_word(const struct iq_yaml *node, const char *const words[3])
{
	for (unsigned i = 0; i < 3 && node->type == IQ_YAML_SCALAR && node->plain; i++)
		if (iq_view_eq(node->text, iq_view_cstr(words[i])))
			return true;
	return false;
}

bool iq_yaml_bool(const struct iq_yaml *node, bool *ret_value)
{
	static const char *const words[2][3] = { { "false", "False", "FALSE" }, { "true", "True", "TRUE" } };

	*ret_value = is_plain_word(node, words[1]);
	return *ret_value || is_plain_word(node, words[0]);
}

bool iq_yaml_is_null(const struct iq_yaml *node)
{
	static const char *const words[3] = { "null", "Null", "NULL" };

	return is_plain_word(node, words) || (node->type == IQ_YAML_SCALAR && node->plain &&
					      (node->text.len == 0 || iq_view_eq(node->text, IQ_LIT("~"))));
}
