#define PCRE2_CODE_UNIT_WIDTH 8

#include "query/condition.h"

#include <pcre2.h>

#include "query/nearest.h"

/* PCRE2's own limit starts again at each position of the subject, so the subject is short as well. */
#define MATCH_LIMIT 100000u

enum comparison { OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_MATCHES, OP_EXISTS, OP_SAME_AS, OP_COUNT };

static const char *const operator_names[OP_COUNT] = {
	[OP_EQ] = "eq", [OP_NE] = "ne",		  [OP_GT] = "gt",	  [OP_GE] = "ge",	    [OP_LT] = "lt",
	[OP_LE] = "le", [OP_MATCHES] = "matches", [OP_EXISTS] = "exists", [OP_SAME_AS] = "same-as",
};

/* One test of one field. */
struct test {
	struct test *next;
	struct iq_field field;
	unsigned op;
	const struct iq_view *values; /* EQ and NE: any of; the others: one */
	size_t value_count;
	struct iq_field other; /* SAME_AS */
	bool expected;	       /* EXISTS */
	pcre2_code *pattern;   /* MATCHES */
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

struct iq_condition {
	struct test *tests;
};

static const struct {
	const char *name;
	enum iq_column column;
} columns[] = {
	{ "session", IQ_COLUMN_SESSION },     { "kind", IQ_COLUMN_KIND },
	{ "type", IQ_COLUMN_TYPE },	      { "key", IQ_COLUMN_KEY },
	{ "source", IQ_COLUMN_SOURCE },	      { "severity", IQ_COLUMN_SEVERITY },
	{ "direction", IQ_COLUMN_DIRECTION },
};

#define COLUMN_NAMES "session, kind, type, key, source, severity, direction"

/* `@status` is the pointer /status into attrs. */
static struct iq_view attribute_pointer(struct iq_view name, struct iq_arena *arena)
{
	struct iq_buf pointer = IQ_BUF_INIT;
	struct iq_view copy;

	(void)iq_buf_append_char(&pointer, '/');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '~' || name.data[i] == '/')
			(void)iq_buf_append_cstr(&pointer, name.data[i] == '~' ? "~0" : "~1");
		else
			(void)iq_buf_append_char(&pointer, name.data[i]);
	}
	copy = pointer.failed ? IQ_VIEW_NULL : iq_arena_copy(arena, iq_buf_view(&pointer));
	iq_buf_release(&pointer);
	return copy;
}

int iq_field_parse(struct iq_view text, const char *name, const struct iq_yaml *node, struct iq_arena *arena,
		   struct iq_field *ret_field, struct iq_error *error)
{
	struct iq_field field = { .place = IQ_FIELD_BODY, .text = text, .pointer = text };
	struct iq_view nearest;

	if (text.len > 0 && text.data[0] == '/') {
		if (!iq_json_pointer_valid(text))
			return iq_yaml_error(error, name, node,
					     "`%.*s` is not a JSON Pointer: ~ stands only before 0 and 1",
					     IQ_VIEW_ARG(text));
		*ret_field = field;
		return 0;
	}
	if (text.len > 1 && text.data[0] == '@') {
		field.place = IQ_FIELD_ATTRIBUTE;
		field.pointer = attribute_pointer(iq_view_from(text, 1), arena);
		*ret_field = field;
		return field.pointer.data ? 0 : iq_error_nomem(error);
	}
	field.place = IQ_FIELD_COLUMN;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (iq_view_eq(text, iq_view_cstr(columns[i].name))) {
			field.column = columns[i].column;
			*ret_field = field;
			return 0;
		}
	}
	nearest = iq_nearest_row(text, &columns[0].name, sizeof(columns) / sizeof(columns[0]), sizeof(columns[0]));
	/* `seq` is rather a forgotten slash than a `key`. */
	if (nearest.data && text.len > 0 && nearest.data[0] == text.data[0])
		return iq_yaml_error(error, name, node, "`%.*s` is not a field; did you mean `%.*s`?",
				     IQ_VIEW_ARG(text), IQ_VIEW_ARG(nearest));
	return iq_yaml_error(error, name, node,
			     "`%.*s` is not a field; a field is a column (" COLUMN_NAMES
			     "), an attribute (@status) or a JSON Pointer "
			     "into the body (/run_id)",
			     IQ_VIEW_ARG(text));
}

uint32_t iq_field_columns(const struct iq_field *field)
{
	switch (field->place) {
	case IQ_FIELD_ATTRIBUTE:
		return 1u << IQ_COLUMN_ATTRS;
	case IQ_FIELD_BODY:
		return 1u << IQ_COLUMN_BODY;
	default:
		return 1u << field->column;
	}
}

static struct iq_view read_column(enum iq_column column, const struct iq_event *event)
{
	switch (column) {
	case IQ_COLUMN_SESSION:
		return event->session;
	case IQ_COLUMN_KIND:
		return iq_view_cstr(iq_kind_name(event->kind));
	case IQ_COLUMN_TYPE:
		return event->type;
	case IQ_COLUMN_KEY:
		return event->key;
	case IQ_COLUMN_SOURCE:
		return event->source;
	case IQ_COLUMN_SEVERITY:
		return iq_view_cstr(iq_severity_name(event->severity));
	default:
		return iq_view_cstr(iq_direction_name(event->direction));
	}
}

struct iq_view iq_field_read(const struct iq_field *field, const struct iq_event *event, struct iq_buf *scratch)
{
	struct iq_json_value value;

	if (field->place == IQ_FIELD_COLUMN)
		return read_column(field->column, event);
	value = field->place == IQ_FIELD_BODY ? iq_dialect_pointer(event->body, field->pointer, scratch)
					      : iq_json_pointer(event->attrs, field->pointer, scratch);
	return value.type == IQ_JSON_NONE || value.type == IQ_JSON_NULL ? IQ_VIEW_NULL : value.text;
}

/* ---- Keys ---- */

static bool divides(char c)
{
	return c >= IQ_KEY_ESCAPE && c <= IQ_KEY_FIELD;
}

void iq_key_append_value(struct iq_buf *key, struct iq_view value)
{
	size_t from = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!divides(value.data[i]))
			continue;
		(void)iq_buf_append(key, iq_view_make(value.data + from, i - from));
		(void)iq_buf_append_char(key, IQ_KEY_ESCAPE);
		(void)iq_buf_append_char(key, (char)(value.data[i] + '@'));
		from = i + 1;
	}
	(void)iq_buf_append(key, iq_view_from(value, from));
}

bool iq_key_append(const struct iq_field *fields, size_t count, const struct iq_event *event, struct iq_buf *key,
		   struct iq_buf *scratch)
{
	for (size_t i = 0; i < count; i++) {
		struct iq_view value;

		iq_buf_clear(scratch);
		value = iq_field_read(&fields[i], event, scratch);
		if (!value.data)
			return false;
		if (i > 0)
			(void)iq_buf_append_char(key, IQ_KEY_FIELD);
		iq_key_append_value(key, value);
	}
	return true;
}

struct iq_view iq_key_own(struct iq_view key)
{
	return iq_view_take_last(&key, IQ_KEY_DIVIDER);
}

void iq_key_append_text(struct iq_buf *text, struct iq_view key)
{
	const struct iq_view own = iq_key_own(key);

	for (size_t i = 0; i < own.len; i++) {
		if (own.data[i] == IQ_KEY_ESCAPE && i + 1 < own.len)
			(void)iq_buf_append_char(text, (char)(own.data[++i] - '@'));
		else
			(void)iq_buf_append_char(text, own.data[i] == IQ_KEY_FIELD ? ' ' : own.data[i]);
	}
}

/* ---- Compiling ---- */

static int set_values(struct test *test, const struct iq_yaml *node, const char *name, struct iq_arena *arena,
		      struct iq_error *error)
{
	const struct iq_yaml *item = node->type == IQ_YAML_SEQUENCE ? node->first : node;
	struct iq_view *values;
	size_t count = 0;

	if (node->type == IQ_YAML_SEQUENCE)
		for (const struct iq_yaml *child = node->first; child; child = child->next)
			count++;
	else
		count = 1;
	values = iq_arena_calloc(arena, count + 1, sizeof(*values));
	if (!values)
		return iq_error_nomem(error);
	for (size_t i = 0; i < count; i++, item = item->next) {
		if (item->type != IQ_YAML_SCALAR)
			return iq_yaml_error(error, name, item,
					     "a value to compare with must be a plain word, number or string");
		if (iq_yaml_is_null(item))
			return iq_yaml_error(
				error, name, item,
				"nothing is no value; what is not there is asked for by { exists: false }");
		values[i] = item->text;
	}
	if (count == 0)
		return iq_yaml_error(error, name, node, "an empty list matches nothing");
	test->values = values;
	test->value_count = count;
	return 0;
}

static int compile_pattern(struct test *test, const struct iq_yaml *node, const char *name, struct iq_error *error)
{
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	int code;

	if (node->text.len > IQ_PATTERN_MAX_BYTES)
		return iq_yaml_error(error, name, node, "the pattern is longer than %d bytes", IQ_PATTERN_MAX_BYTES);
	test->pattern = pcre2_compile((PCRE2_SPTR)node->text.data, node->text.len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF,
				      &code, &offset, NULL);
	if (!test->pattern) {
		(void)pcre2_get_error_message(code, message, sizeof(message));
		return iq_yaml_error(error, name, node, "pattern: %s at its byte %zu", (const char *)message,
				     (size_t)offset);
	}
	test->match = pcre2_match_data_create_from_pattern(test->pattern, NULL);
	test->limits = pcre2_match_context_create(NULL);
	if (!test->match || !test->limits)
		return iq_error_nomem(error);
	(void)pcre2_set_match_limit(test->limits, MATCH_LIMIT);
	return 0;
}

/* The n-th value of a column that has few, or NULL behind the last one. */
static const char *known_value(enum iq_column column, unsigned index)
{
	switch (column) {
	case IQ_COLUMN_KIND:
		return iq_kind_name((enum iq_kind)index);
	case IQ_COLUMN_SEVERITY:
		return iq_severity_name((enum iq_severity)index);
	default:
		return iq_direction_name((enum iq_direction)index);
	}
}

#define MAX_KNOWN 32u

/* A kind, severity or direction that there is none of would match nothing, in silence. */
static int refuse_unknown(const struct test *test, const struct iq_yaml *node, const char *name, struct iq_error *error)
{
	const struct iq_yaml *item = node->type == IQ_YAML_SEQUENCE ? node->first : node;
	const char *known[MAX_KNOWN];
	size_t count = 0;

	for (unsigned i = 0; i < MAX_KNOWN; i++)
		if (known_value(test->field.column, i))
			known[count++] = known_value(test->field.column, i);
	for (size_t i = 0; i < test->value_count; i++, item = item->next) {
		struct iq_view nearest = iq_nearest_row(test->values[i], known, count, sizeof(known[0]));
		size_t at = 0;

		while (at < count && !iq_view_eq(test->values[i], iq_view_cstr(known[at])))
			at++;
		if (at == count)
			return iq_yaml_error(error, name, item, "no event has the %.*s `%.*s`%s%.*s%s",
					     IQ_VIEW_ARG(test->field.text), IQ_VIEW_ARG(test->values[i]),
					     nearest.data ? "; did you mean `" : "", IQ_VIEW_ARG(nearest),
					     nearest.data ? "`?" : "");
	}
	return 0;
}

static bool has_few_values(const struct iq_field *field)
{
	return field->place == IQ_FIELD_COLUMN &&
	       (field->column == IQ_COLUMN_KIND || field->column == IQ_COLUMN_SEVERITY ||
		field->column == IQ_COLUMN_DIRECTION);
}

static int parse_operand(struct test *test, const struct iq_yaml *node, const char *name, struct iq_arena *arena,
			 struct iq_error *error)
{
	double number;
	int rc = set_values(test, node, name, arena, error);

	if (rc < 0)
		return rc;
	if (test->op > OP_NE && node->type != IQ_YAML_SCALAR)
		return iq_yaml_error(error, name, node, "`%s` takes one value, not a list", operator_names[test->op]);
	if (test->op <= OP_NE && has_few_values(&test->field))
		return refuse_unknown(test, node, name, error);
	switch (test->op) {
	case OP_MATCHES:
		return compile_pattern(test, node, name, error);
	case OP_SAME_AS:
		return iq_field_parse(node->text, name, node, arena, &test->other, error);
	case OP_EXISTS:
		if (!iq_yaml_bool(node, &test->expected))
			return iq_yaml_error(error, name, node, "`exists` takes true or false");
		return 0;
	case OP_GT:
	case OP_GE:
	case OP_LT:
	case OP_LE:
		if (!iq_view_to_double(node->text, &number))
			return iq_yaml_error(error, name, node, "`%s` takes a number", operator_names[test->op]);
		return 0;
	default:
		return 0;
	}
}

static int find_operator(const struct iq_yaml *key, const char *name, unsigned *ret_op, struct iq_error *error)
{
	struct iq_view nearest = iq_nearest_row(key->text, &operator_names[OP_NE], OP_COUNT - OP_NE, sizeof(char *));

	for (unsigned op = OP_NE; op < OP_COUNT; op++) {
		if (iq_view_eq(key->text, iq_view_cstr(operator_names[op]))) {
			*ret_op = op;
			return 0;
		}
	}
	if (key->text.len > 3 && nearest.data)
		return iq_yaml_error(error, name, key, "`%.*s` is not a comparison; did you mean `%.*s`?",
				     IQ_VIEW_ARG(key->text), IQ_VIEW_ARG(nearest));
	return iq_yaml_error(error, name, key,
			     "`%.*s` is not a comparison; there are gt, ge, lt, le, ne, matches, exists, same-as",
			     IQ_VIEW_ARG(key->text));
}

static struct test *add_test(struct iq_condition *condition, const struct iq_field *field, struct iq_arena *arena)
{
	struct test *test = iq_arena_calloc(arena, 1, sizeof(*test)), **link = &condition->tests;

	if (!test)
		return NULL;
	test->field = *field;
	while (*link)
		link = &(*link)->next;
	*link = test;
	return test;
}

static int parse_entry(struct iq_condition *condition, const struct iq_yaml *entry, const char *name,
		       struct iq_arena *arena, struct iq_error *error)
{
	struct iq_field field;
	struct test *test;
	int rc = iq_field_parse(entry->key->text, name, entry->key, arena, &field, error);

	if (rc < 0)
		return rc;
	if (entry->type != IQ_YAML_MAPPING) {
		test = add_test(condition, &field, arena);
		return test ? parse_operand(test, entry, name, arena, error) : iq_error_nomem(error);
	}
	for (const struct iq_yaml *child = entry->first; child && rc == 0; child = child->next) {
		test = add_test(condition, &field, arena);
		if (!test)
			return iq_error_nomem(error);
		rc = find_operator(child->key, name, &test->op, error);
		if (rc == 0)
			rc = parse_operand(test, child, name, arena, error);
	}
	return rc;
}

int iq_condition_parse(const struct iq_yaml *mapping, const char *name, struct iq_arena *arena,
		       struct iq_condition **ret_condition, struct iq_error *error)
{
	struct iq_condition *condition = iq_arena_calloc(arena, 1, sizeof(*condition));
	int rc = 0;

	if (!condition)
		return iq_error_nomem(error);
	if (mapping->type != IQ_YAML_MAPPING)
		return iq_yaml_error(error, name, mapping,
				     "a condition is a mapping of fields to values: { kind: ws.message }");
	for (const struct iq_yaml *entry = mapping->first; entry && rc == 0; entry = entry->next)
		rc = parse_entry(condition, entry, name, arena, error);
	if (rc < 0)
		iq_condition_release(condition);
	else
		*ret_condition = condition;
	return rc;
}

void iq_condition_release(struct iq_condition *condition)
{
	if (!condition)
		return;
	for (struct test *test = condition->tests; test; test = test->next) {
		pcre2_code_free(test->pattern);
		pcre2_match_data_free(test->match);
		pcre2_match_context_free(test->limits);
	}
	condition->tests = NULL;
}

uint32_t iq_condition_columns(const struct iq_condition *condition)
{
	uint32_t needed = 0;

	for (const struct test *test = condition ? condition->tests : NULL; test; test = test->next) {
		needed |= iq_field_columns(&test->field);
		if (test->op == OP_SAME_AS)
			needed |= iq_field_columns(&test->other);
	}
	return needed;
}

/* ---- Describing ---- */

static void describe_test(const struct test *test, struct iq_buf *out)
{
	static const char *const words[OP_COUNT] = {
		[OP_EQ] = "is",		  [OP_NE] = "is not",	    [OP_GT] = "above",
		[OP_GE] = "at least",	  [OP_LT] = "below",	    [OP_LE] = "at most",
		[OP_MATCHES] = "matches", [OP_EXISTS] = "is there", [OP_SAME_AS] = "same as",
	};

	(void)iq_utf8_append_safe(out, test->field.text);
	if (test->op == OP_EXISTS) {
		(void)iq_buf_append_cstr(out, test->expected ? " is there" : " is not there");
		return;
	}
	(void)iq_buf_appendf(out, " %s ", words[test->op]);
	for (size_t i = 0; i < test->value_count; i++) {
		(void)iq_buf_append_cstr(out, i ? " or " : "");
		(void)iq_utf8_append_safe(out, test->values[i]);
	}
}

void iq_condition_describe(const struct iq_condition *condition, struct iq_buf *out)
{
	for (const struct test *test = condition->tests; test; test = test->next) {
		describe_test(test, out);
		(void)iq_buf_append_cstr(out, test->next ? ", " : "");
	}
}

/* ---- Testing ---- */

/* Equal as text, or as numbers. */
static bool same_value(struct iq_view a, struct iq_view b)
{
	double x, y;

	return iq_view_eq(a, b) || (iq_view_to_double(a, &x) && iq_view_to_double(b, &y) && x == y);
}

static bool is_any_of(const struct test *test, struct iq_view value)
{
	for (size_t i = 0; i < test->value_count; i++)
		if (same_value(value, test->values[i]))
			return true;
	return false;
}

static bool compares(unsigned op, struct iq_view value, struct iq_view bound)
{
	double x, y;

	if (!iq_view_to_double(value, &x) || !iq_view_to_double(bound, &y))
		return false;
	switch (op) {
	case OP_GT:
		return x > y;
	case OP_GE:
		return x >= y;
	case OP_LT:
		return x < y;
	default:
		return x <= y;
	}
}

static int matches(const struct test *test, struct iq_view value)
{
	size_t len = value.len > IQ_PATTERN_MAX_SUBJECT ? IQ_PATTERN_MAX_SUBJECT : value.len;
	int code = pcre2_match(test->pattern, (PCRE2_SPTR)value.data, len, 0, 0, test->match, test->limits);

	if (code >= 0)
		return 1;
	if (code == PCRE2_ERROR_NOMATCH && len == value.len)
		return 0;
	return IQ_ERR_LIMIT;
}

static int test_holds(const struct test *test, const struct iq_event *event, struct iq_buf *scratch)
{
	struct iq_view value = iq_field_read(&test->field, event, scratch);
	struct iq_view other;

	if (test->op == OP_EXISTS)
		return (value.data != NULL) == test->expected;
	if (test->op == OP_NE)
		return !value.data || !is_any_of(test, value);
	if (!value.data)
		return 0;
	switch (test->op) {
	case OP_EQ:
		return is_any_of(test, value);
	case OP_MATCHES:
		return matches(test, value);
	case OP_SAME_AS:
		other = iq_field_read(&test->other, event, scratch);
		return other.data && same_value(value, other);
	default:
		return compares(test->op, value, test->values[0]);
	}
}

int iq_condition_holds(const struct iq_condition *condition, const struct iq_event *event, struct iq_buf *scratch)
{
	for (const struct test *test = condition ? condition->tests : NULL; test; test = test->next) {
		int rc = test_holds(test, event, scratch);

		if (rc <= 0)
			return rc;
	}
	return 1;
}
