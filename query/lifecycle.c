/* The keys of a lifecycle. */
#include <stdlib.h>
#include <string.h>

#include "query/compile.h"
#include "query/satisfy.h"

/* ---- Keys of a mapping ---- */

/* `x, y, z` */
static void list_keys(const struct iq_spec_key *keys, size_t count, struct iq_buf *out)
{
	for (size_t i = 0; i < count; i++)
		(void)iq_buf_appendf(out, "%s%s", i ? ", " : "", keys[i].name);
}

static int unknown_key(struct iq_compiler *compiler, const struct iq_yaml *key, const struct iq_spec_key *keys,
		       size_t count, const char *owner)
{
	struct iq_view nearest = iq_nearest_row(key->text, &keys[0].name, count, sizeof(keys[0]));
	struct iq_buf known = IQ_BUF_INIT;
	int rc;

	list_keys(keys, count, &known);
	rc = nearest.data ? IQ_FAIL(compiler, key, "`%.*s` is not a key of %s; did you mean `%.*s`?",
				    IQ_VIEW_ARG(key->text), owner, IQ_VIEW_ARG(nearest))
			  : IQ_FAIL(compiler, key, "`%.*s` is not a key of %s; there are %s", IQ_VIEW_ARG(key->text),
				    owner, iq_buf_view(&known).data);
	iq_buf_release(&known);
	return rc;
}

int iq_keys_read(struct iq_compiler *compiler, const struct iq_yaml *mapping, const struct iq_spec_key *keys,
		 size_t count, const char *owner, void *target)
{
	int rc = 0;

	if (mapping->type != IQ_YAML_MAPPING)
		return IQ_FAIL(compiler, mapping, "%s is a mapping of keys to values", owner);
	for (const struct iq_yaml *child = mapping->first; child; child = child->next) {
		size_t i = 0;

		while (i < count && !iq_view_eq(child->key->text, iq_view_cstr(keys[i].name)))
			i++;
		if (i == count)
			return unknown_key(compiler, child->key, keys, count, owner);
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct iq_yaml *value = iq_yaml_get(mapping, keys[i].name);

		if (value)
			rc = keys[i].parse(compiler, value, target);
	}
	return rc;
}

int iq_scalar_read(struct iq_compiler *compiler, const struct iq_yaml *node, const char *should,
		   struct iq_view *ret_text)
{
	if (node->type != IQ_YAML_SCALAR || node->text.len == 0)
		return IQ_FAIL(compiler, node, "%s", should);
	*ret_text = node->text;
	return 0;
}

/* ---- Names ---- */

int iq_name_intern(struct iq_compiler *compiler, const struct iq_yaml *node, struct iq_view name, uint32_t *ret_symbol)
{
	struct iq_map *names = &compiler->lifecycle->names;

	if (names->count == IQ_SPEC_MAX_NAMES && !iq_map_get(names, name))
		return IQ_FAIL(compiler, node, "more than %u names in one lifecycle", IQ_SPEC_MAX_NAMES);
	return iq_map_intern(names, name, ret_symbol) < 0 ? iq_error_nomem(compiler->error) : 0;
}

/* A name in a rule other than `order`: of events only. */
static int intern_event(struct iq_compiler *compiler, struct iq_lexer *lexer, size_t pos, struct iq_view name,
			uint32_t *ret_symbol)
{
	struct iq_lifecycle *found = iq_spec_find(compiler->spec, name);

	if (found && found != compiler->lifecycle)
		return iq_lexer_fail(lexer, pos,
				     "`%.*s` is a lifecycle, and only `order` takes those: name one of its events",
				     IQ_VIEW_ARG(name));
	return iq_name_intern(compiler, lexer->node, name, ret_symbol);
}

int iq_names_read(struct iq_compiler *compiler, struct iq_lexer *lexer, bool **ret_set)
{
	int rc = 0;

	*ret_set = iq_arena_calloc(&compiler->spec->memory, IQ_SPEC_MAX_NAMES, sizeof(bool));
	if (!*ret_set)
		return iq_error_nomem(compiler->error);
	do {
		struct iq_view name;
		uint32_t symbol;
		size_t start;

		(void)iq_lexer_peek(lexer);
		start = lexer->pos;
		rc = iq_lexer_name(lexer, &name);
		if (rc == 0)
			rc = intern_event(compiler, lexer, start, name, &symbol);
		if (rc == 0)
			(*ret_set)[symbol] = true;
	} while (rc == 0 && iq_lexer_take(lexer, "|"));
	return rc;
}

struct iq_lexer iq_lexer_for(const struct iq_compiler *compiler, const struct iq_yaml *node, const char *what)
{
	return (struct iq_lexer){ .text = node->text,
				  .node = node,
				  .file = compiler->lifecycle->file,
				  .what = what,
				  .error = compiler->error };
}

/* ---- Keys of a lifecycle ---- */

/* Names of lifecycles are known before any is compiled. */
static int pass_over(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	(void)compiler, (void)value, (void)target;
	return 0;
}

static int parse_select(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;
	int rc = iq_condition_parse(value, lifecycle->file, &compiler->spec->memory, &lifecycle->own_select,
				    compiler->error);

	lifecycle->select = lifecycle->own_select;
	lifecycle->columns |= rc < 0 ? 0 : iq_condition_columns(lifecycle->select);
	return rc;
}

struct field_list {
	struct iq_field *fields;
	size_t count;
};

static int add_field(struct iq_compiler *compiler, const struct iq_yaml *value, struct field_list *list)
{
	const char *key = list->fields == compiler->lifecycle->key ? "instance" : "parent";
	struct iq_field *field = &list->fields[list->count];
	int rc;

	if (value->type != IQ_YAML_SCALAR)
		return IQ_FAIL(compiler, value, "`%s` is a field or a list of fields", key);
	if (list->count == IQ_SPEC_MAX_KEY_FIELDS)
		return IQ_FAIL(compiler, value, "`%s` takes at most %u fields", key, IQ_SPEC_MAX_KEY_FIELDS);
	rc = iq_field_parse(value->text, compiler->lifecycle->file, value, &compiler->spec->memory, field,
			    compiler->error);
	if (rc < 0)
		return rc;
	compiler->lifecycle->columns |= iq_field_columns(field);
	list->count++;
	return 0;
}

static int read_fields(struct iq_compiler *compiler, const struct iq_yaml *value, struct field_list *list)
{
	int rc = 0;

	if (value->type != IQ_YAML_SEQUENCE)
		return add_field(compiler, value, list);
	for (const struct iq_yaml *item = value->first; item && rc == 0; item = item->next)
		rc = add_field(compiler, item, list);
	return rc;
}

static int parse_instance(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;
	struct field_list list = { lifecycle->key, 0 };
	int rc = read_fields(compiler, value, &list);

	lifecycle->key_count = list.count;
	if (rc == 0 && list.count == 0)
		return IQ_FAIL(compiler, value, "`instance` is an empty list; leave it out for one instance a session");
	return rc;
}

static int parse_parent(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;
	struct field_list list = { lifecycle->parent, 0 };
	int rc = read_fields(compiler, value, &list);

	lifecycle->parent_count = list.count;
	if (rc == 0 && list.count == 0)
		return IQ_FAIL(compiler, value,
			       "`parent` is an empty list; leave it out where the events carry the "
			       "fields of the parent's `instance`");
	return rc;
}

static int add_alias(struct iq_compiler *compiler, const struct iq_yaml *value)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_alias *alias = &lifecycle->aliases[lifecycle->alias_count];
	struct iq_view name = value->key->text;
	int rc;

	if (name.len == 0)
		return IQ_FAIL(compiler, value->key, "a name in `events` is empty");
	if (iq_spec_find(compiler->spec, name) && !iq_view_eq(name, lifecycle->name))
		return IQ_FAIL(compiler, value->key, "`%.*s` is a lifecycle already; give these events another name",
			       IQ_VIEW_ARG(name));
	rc = iq_condition_parse(value, lifecycle->file, &compiler->spec->memory, &alias->condition, compiler->error);
	if (rc < 0)
		return rc;
	alias->name = name;
	lifecycle->alias_count++;
	lifecycle->columns |= iq_condition_columns(alias->condition);
	return iq_name_intern(compiler, value->key, name, &alias->symbol);
}

static int parse_events(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;
	size_t count = 0;
	int rc = 0;

	if (value->type != IQ_YAML_MAPPING)
		return IQ_FAIL(compiler, value,
			       "`events` maps names to conditions: { failed: { type: http.response, '@status': { "
			       "ge: 500 } } }");
	for (const struct iq_yaml *child = value->first; child; child = child->next)
		count++;
	lifecycle->aliases = iq_arena_calloc(&compiler->spec->memory, count + 1, sizeof(struct iq_alias));
	if (!lifecycle->aliases)
		return iq_error_nomem(compiler->error);
	for (const struct iq_yaml *child = value->first; child && rc == 0; child = child->next)
		rc = add_alias(compiler, child);
	return rc;
}

static int add_final(struct iq_compiler *compiler, const struct iq_yaml *item)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_view name;
	uint32_t symbol;
	int rc = iq_scalar_read(compiler, item, "`final` is a name or a list of names", &name);

	if (rc == 0)
		rc = iq_name_intern(compiler, item, name, &symbol);
	if (rc < 0)
		return rc;
	if (lifecycle->children[symbol])
		return IQ_FAIL(compiler, item, "`%.*s` is a lifecycle; `final` takes names of events",
			       IQ_VIEW_ARG(name));
	lifecycle->is_final[symbol] = true;
	return 0;
}

static int parse_final(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	int rc = 0;

	(void)target;
	if (value->type != IQ_YAML_SEQUENCE)
		return add_final(compiler, value);
	for (const struct iq_yaml *item = value->first; item && rc == 0; item = item->next)
		rc = add_final(compiler, item);
	return rc;
}

static int parse_closed(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;

	return iq_yaml_bool(value, &lifecycle->closed) ? 0 : IQ_FAIL(compiler, value, "`closed` takes true or false");
}

static int parse_ends(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct iq_lifecycle *lifecycle = target;

	lifecycle->ends_complete = true;
	if (value->type == IQ_YAML_SCALAR && iq_view_eq(value->text, IQ_LIT("complete")))
		return 0;
	return IQ_FAIL(compiler, value,
		       "`ends` takes one value, complete: the evidence holds every session from its start to its end");
}

/* `3`, `1..`, `10..20` */
static bool parse_range(struct iq_view text, struct iq_expected_count *ret_expect)
{
	size_t dots = iq_view_find(text, IQ_LIT(".."));
	struct iq_view upper = dots == SIZE_MAX ? text : iq_view_from(text, dots + 2);
	int64_t least, most = INT64_MAX;

	if (!iq_view_to_int64(dots == SIZE_MAX ? text : iq_view_make(text.data, dots), &least) || least < 0)
		return false;
	if (upper.len > 0 && (!iq_view_to_int64(upper, &most) || most < least))
		return false;
	ret_expect->given = true;
	ret_expect->least = (uint64_t)least;
	ret_expect->most = (uint64_t)most;
	return true;
}

static int parse_expect(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	const struct iq_yaml *range = value->type == IQ_YAML_MAPPING ? iq_yaml_get(value, "instances") : NULL;
	struct iq_lifecycle *lifecycle = target;

	lifecycle->expect.place = value;
	if (range && !range->next && value->first == range && range->type == IQ_YAML_SCALAR &&
	    parse_range(range->text, &lifecycle->expect))
		return 0;
	return IQ_FAIL(compiler, value, "`expect` is { instances: RANGE }, and a range one of 3, 1.. or 10..20");
}

/* ---- Costs ---- */

/* All costs of one kind of edit, one behind another's `stride`. */
struct cost_column {
	struct iq_costs *costs; /* by symbol, and the last one for all else */
	bool insert;
};

static void set_cost(const struct cost_column *column, size_t index, uint32_t cost)
{
	if (column->insert)
		column->costs[index].insert = cost;
	else
		column->costs[index].drop = cost;
}

static int read_cost(struct iq_compiler *compiler, const struct iq_yaml *value, uint32_t *ret_cost)
{
	int64_t cost;

	if (value->type != IQ_YAML_SCALAR || !iq_view_to_int64(value->text, &cost) || cost < 1 ||
	    cost > IQ_SPEC_MAX_COST)
		return IQ_FAIL(compiler, value, "a cost is a whole number from 1 to %u", IQ_SPEC_MAX_COST);
	*ret_cost = (uint32_t)cost;
	return 0;
}

static int unknown_name(struct iq_compiler *compiler, const struct iq_yaml *key)
{
	struct iq_view nearest = iq_nearest(key->text, &compiler->lifecycle->names);

	return nearest.data ? IQ_FAIL(compiler, key, "no rule names `%.*s`; did you mean `%.*s`?",
				      IQ_VIEW_ARG(key->text), IQ_VIEW_ARG(nearest))
			    : IQ_FAIL(compiler, key, "no rule names `%.*s`", IQ_VIEW_ARG(key->text));
}

static int read_named_cost(struct iq_compiler *compiler, const struct iq_yaml *value, const struct cost_column *column)
{
	const uint64_t *symbol = iq_map_get(&compiler->lifecycle->names, value->key->text);
	uint32_t cost = 1;
	int rc = read_cost(compiler, value, &cost);

	if (rc < 0 || iq_view_eq(value->key->text, IQ_LIT("*")))
		return rc;
	if (!symbol)
		return unknown_name(compiler, value->key);
	set_cost(column, *symbol, cost);
	return 0;
}

/* One number for every name, or names (and `*` for all others) to numbers. */
static int read_costs(struct iq_compiler *compiler, const struct iq_yaml *value, const struct cost_column *column)
{
	const struct iq_yaml *others = value->type == IQ_YAML_MAPPING ? iq_yaml_get(value, "*") : value;
	uint32_t cost = 1;
	int rc = others ? read_cost(compiler, others, &cost) : 0;

	for (size_t i = 0; i <= compiler->lifecycle->names.count; i++)
		set_cost(column, i, cost);
	if (value->type != IQ_YAML_MAPPING)
		return rc;
	for (const struct iq_yaml *child = value->first; child && rc == 0; child = child->next)
		rc = read_named_cost(compiler, child, column);
	return rc;
}

static int parse_insert_cost(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct cost_column column = { target, true };

	return read_costs(compiler, value, &column);
}

static int parse_drop_cost(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	struct cost_column column = { target, false };

	return read_costs(compiler, value, &column);
}

static int parse_costs(struct iq_compiler *compiler, const struct iq_yaml *value, void *target)
{
	static const struct iq_spec_key keys[] = { { "insert", parse_insert_cost }, { "drop", parse_drop_cost } };
	struct iq_lifecycle *lifecycle = target;

	lifecycle->costs =
		iq_arena_calloc(&compiler->spec->memory, lifecycle->names.count + 1, sizeof(struct iq_costs));
	if (!lifecycle->costs)
		return iq_error_nomem(compiler->error);
	for (size_t i = 0; i <= lifecycle->names.count; i++)
		lifecycle->costs[i] = (struct iq_costs){ 1, 1 };
	return iq_keys_read(compiler, value, keys, sizeof(keys) / sizeof(keys[0]), "`costs`", lifecycle->costs);
}

/* ---- The whole ---- */

/* The order in which keys are read: `order` numbers the names first, and costs are for names that are known. */
static const struct iq_spec_key keys[] = {
	{ "lifecycle", pass_over },
	{ "include", pass_over },
	{ "select", parse_select },
	{ "instance", parse_instance },
	{ "parent", parse_parent },
	{ "order", iq_rules_parse_order },
	{ "within", iq_rules_parse_within },
	{ "idle", iq_rules_parse_idle },
	{ "total", iq_rules_parse_total },
	{ "sequence", iq_rules_parse_sequence },
	{ "constraints", iq_rules_parse_constraints },
	{ "events", parse_events },
	{ "final", parse_final },
	{ "closed", parse_closed },
	{ "ends", parse_ends },
	{ "expect", parse_expect },
	{ "costs", parse_costs },
};

static int allocate(struct iq_compiler *compiler)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_arena *memory = &compiler->spec->memory;

	lifecycle->is_final = iq_arena_calloc(memory, IQ_SPEC_MAX_NAMES, sizeof(bool));
	lifecycle->children = iq_arena_calloc(memory, IQ_SPEC_MAX_NAMES, sizeof(struct iq_lifecycle *));
	return lifecycle->is_final && lifecycle->children ? 0 : iq_error_nomem(compiler->error);
}

int iq_lifecycle_compile(struct iq_compiler *compiler)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	const struct iq_yaml *document = lifecycle->place;
	int rc = allocate(compiler);

	if (rc == 0 && !iq_yaml_get(document, "order"))
		rc = iq_rules_add_free_order(compiler, document);
	if (rc == 0)
		rc = iq_keys_read(compiler, document, keys, sizeof(keys) / sizeof(keys[0]), "a lifecycle", lifecycle);
	if (rc == 0 && lifecycle->rule_count == 1 && !lifecycle->rules[0].expression)
		rc = IQ_FAIL(compiler, document,
			     "this lifecycle has no rule: give it an `order`, `within`, `idle`, "
			     "`total`, `sequence` or `constraints`");
	if (rc == 0)
		rc = iq_rules_finish(compiler);
	if (rc == 0)
		rc = iq_satisfy_check(compiler);
	/* A session is the instance where nothing else is said. */
	if (rc == 0 && lifecycle->key_count == 0)
		lifecycle->key[lifecycle->key_count++] = (struct iq_field){ .place = IQ_FIELD_COLUMN,
									    .column = IQ_COLUMN_SESSION,
									    .text = IQ_LIT("session") };
	lifecycle->columns |= 1u << IQ_COLUMN_TYPE;
	return rc;
}

void iq_lifecycle_release(struct iq_lifecycle *lifecycle)
{
	iq_condition_release(lifecycle->own_select);
	for (size_t i = 0; i < lifecycle->alias_count; i++)
		iq_condition_release(lifecycle->aliases[i].condition);
	iq_map_release(&lifecycle->names);
	for (size_t i = 0; i < lifecycle->rule_count; i++)
		iq_automaton_free(lifecycle->rules[i].automaton);
	free(lifecycle->rules);
}
