#include "query/spec.h"

#include <stdlib.h>
#include <string.h>

#include "query/order.h"

/* ---- Reading events ---- */

int iq_lifecycle_selects(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch)
{
	return iq_condition_holds(lifecycle->select, event, scratch);
}

int iq_lifecycle_symbol(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch,
			uint32_t *ret_symbol)
{
	const uint64_t *symbol;

	*ret_symbol = IQ_SYMBOL_NONE;
	for (size_t i = 0; i < lifecycle->alias_count; i++) {
		int rc = iq_condition_holds(lifecycle->aliases[i].condition, event, scratch);

		if (rc < 0)
			return rc;
		if (rc) {
			*ret_symbol = lifecycle->aliases[i].symbol;
			return 0;
		}
	}
	symbol = event->type.data ? iq_map_get(&lifecycle->names, event->type) : NULL;
	/* A name that is an alias stands for its condition only. */
	for (size_t i = 0; symbol && i < lifecycle->alias_count; i++)
		if (lifecycle->aliases[i].symbol == *symbol)
			return 0;
	if (symbol)
		*ret_symbol = (uint32_t)*symbol;
	return 0;
}

uint32_t iq_rule_letter(const struct iq_rule *rule, uint32_t symbol)
{
	return symbol & IQ_SYMBOL_UNNAMED ? rule->unnamed : rule->letters[symbol];
}

struct iq_view iq_lifecycle_name(const struct iq_lifecycle *lifecycle, uint32_t symbol)
{
	return symbol < lifecycle->names.count ? lifecycle->names.entries[symbol].key : IQ_VIEW_NULL;
}

bool iq_lifecycle_key(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *ret_key,
		      struct iq_buf *scratch)
{
	for (size_t i = 0; i < lifecycle->key_count; i++) {
		struct iq_view part;

		iq_buf_clear(scratch);
		part = iq_field_read(&lifecycle->key[i], event, scratch);
		if (!part.data)
			return false;
		if (i > 0)
			(void)iq_buf_append_char(ret_key, ' ');
		(void)iq_buf_append(ret_key, part);
	}
	return true;
}

bool iq_lifecycle_reads_body(const struct iq_lifecycle *lifecycle)
{
	for (size_t i = 0; i < lifecycle->key_count; i++)
		if (lifecycle->key[i].place == IQ_FIELD_BODY)
			return true;
	return false;
}

/* ---- Compiling ---- */

struct compiler {
	struct iq_spec *spec;
	struct iq_lifecycle *lifecycle;
	struct iq_error *error;
};

static int parse_name(struct compiler *compiler, const struct iq_yaml *value)
{
	if (value->type != IQ_YAML_SCALAR || value->text.len == 0)
		return iq_yaml_error(compiler->error, compiler->spec->name, value,
				     "`lifecycle` is a name: lifecycle: agent-run");
	compiler->lifecycle->name = value->text;
	return 0;
}

static int parse_select(struct compiler *compiler, const struct iq_yaml *value)
{
	int rc = iq_condition_parse(value, compiler->spec->name, &compiler->spec->memory,
				    &compiler->lifecycle->own_select, compiler->error);

	compiler->lifecycle->select = compiler->lifecycle->own_select;
	compiler->lifecycle->columns |= rc < 0 ? 0 : iq_condition_columns(compiler->lifecycle->select);
	return rc;
}

static int add_key_field(struct compiler *compiler, const struct iq_yaml *value)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_field *field = &lifecycle->key[lifecycle->key_count];
	int rc;

	if (value->type != IQ_YAML_SCALAR)
		return iq_yaml_error(compiler->error, compiler->spec->name, value,
				     "`instance` is a field or a list of fields");
	if (lifecycle->key_count == IQ_SPEC_MAX_KEY_FIELDS)
		return iq_yaml_error(compiler->error, compiler->spec->name, value, "`instance` takes at most %u fields",
				     IQ_SPEC_MAX_KEY_FIELDS);
	rc = iq_field_parse(value->text, compiler->spec->name, value, &compiler->spec->memory, field, compiler->error);
	if (rc < 0)
		return rc;
	lifecycle->columns |= iq_field_columns(field);
	lifecycle->key_count++;
	return 0;
}

static int parse_instance(struct compiler *compiler, const struct iq_yaml *value)
{
	int rc = 0;

	if (value->type != IQ_YAML_SEQUENCE)
		return add_key_field(compiler, value);
	if (!value->first)
		return iq_yaml_error(compiler->error, compiler->spec->name, value,
				     "`instance` is an empty list; leave it out for one "
				     "instance a session");
	for (const struct iq_yaml *item = value->first; item && rc == 0; item = item->next)
		rc = add_key_field(compiler, item);
	return rc;
}

/* NULL when memory is out. */
static struct iq_rule *add_rule(struct iq_lifecycle *lifecycle, enum iq_rule_kind kind, const struct iq_yaml *place)
{
	struct iq_rule *rule;

	if (IQ_ARRAY_GROW(lifecycle->rules, lifecycle->rule_capacity, lifecycle->rule_count + 1) < 0)
		return NULL;
	rule = &lifecycle->rules[lifecycle->rule_count++];
	*rule = (struct iq_rule){ .kind = kind, .place = place, .text = place->text, .severity = IQ_SEVERITY_ERROR };
	return rule;
}

static int parse_order(struct compiler *compiler, const struct iq_yaml *value)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_rule *rule = add_rule(lifecycle, IQ_RULE_ORDER, value);
	iq_node start;
	int rc;

	if (rule)
		rule->automaton = iq_automaton_new();
	if (!rule || !rule->automaton)
		return iq_error_nomem(compiler->error);
	rc = iq_order_parse(value, compiler->spec->name, rule->automaton, &lifecycle->names, &start, compiler->error);
	if (rc < 0)
		return rc;
	iq_automaton_begin(rule->automaton, start, (uint32_t)lifecycle->names.count);
	rc = iq_states_single(rule->automaton, start, &rule->start);
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(compiler->error) : rc;
}

static int add_alias(struct compiler *compiler, const struct iq_yaml *value)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	struct iq_alias *alias = &lifecycle->aliases[lifecycle->alias_count];
	int rc = iq_condition_parse(value, compiler->spec->name, &compiler->spec->memory, &alias->condition,
				    compiler->error);

	if (rc < 0)
		return rc;
	alias->name = value->key->text;
	lifecycle->alias_count++;
	lifecycle->columns |= iq_condition_columns(alias->condition);
	if (iq_map_intern(&lifecycle->names, alias->name, &alias->symbol) < 0)
		return iq_error_nomem(compiler->error);
	return 0;
}

static int parse_events(struct compiler *compiler, const struct iq_yaml *value)
{
	size_t count = 0;
	int rc = 0;

	if (value->type != IQ_YAML_MAPPING)
		return iq_yaml_error(compiler->error, compiler->spec->name, value,
				     "`events` maps names to conditions: { failed: { type: http.response, '@status': { "
				     "ge: 500 } } }");
	for (const struct iq_yaml *child = value->first; child; child = child->next)
		count++;
	compiler->lifecycle->aliases = iq_arena_calloc(&compiler->spec->memory, count + 1, sizeof(struct iq_alias));
	if (!compiler->lifecycle->aliases)
		return iq_error_nomem(compiler->error);
	for (const struct iq_yaml *child = value->first; child && rc == 0; child = child->next)
		rc = add_alias(compiler, child);
	return rc;
}

static int parse_final(struct compiler *compiler, const struct iq_yaml *value)
{
	const struct iq_yaml *item = value->type == IQ_YAML_SEQUENCE ? value->first : value;
	uint32_t symbol;

	for (; item; item = value->type == IQ_YAML_SEQUENCE ? item->next : NULL) {
		if (item->type != IQ_YAML_SCALAR)
			return iq_yaml_error(compiler->error, compiler->spec->name, item,
					     "`final` is a name or a list of names");
		if (iq_map_intern(&compiler->lifecycle->names, item->text, &symbol) < 0)
			return iq_error_nomem(compiler->error);
	}
	return 0;
}

static int parse_closed(struct compiler *compiler, const struct iq_yaml *value)
{
	compiler->lifecycle->closed = iq_view_eq(value->text, IQ_LIT("true"));
	if (value->type == IQ_YAML_SCALAR && (compiler->lifecycle->closed || iq_view_eq(value->text, IQ_LIT("false"))))
		return 0;
	return iq_yaml_error(compiler->error, compiler->spec->name, value, "`closed` takes true or false");
}

static int parse_ends(struct compiler *compiler, const struct iq_yaml *value)
{
	compiler->lifecycle->ends_complete = true;
	if (value->type == IQ_YAML_SCALAR && iq_view_eq(value->text, IQ_LIT("complete")))
		return 0;
	return iq_yaml_error(
		compiler->error, compiler->spec->name, value,
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
	*ret_expect = (struct iq_expected_count){ true, (uint64_t)least, (uint64_t)most };
	return true;
}

static int parse_expect(struct compiler *compiler, const struct iq_yaml *value)
{
	const struct iq_yaml *range = value->type == IQ_YAML_MAPPING ? iq_yaml_get(value, "instances") : NULL;

	if (range && !range->next && value->first == range && range->type == IQ_YAML_SCALAR &&
	    parse_range(range->text, &compiler->lifecycle->expect))
		return 0;
	return iq_yaml_error(compiler->error, compiler->spec->name, value,
			     "`expect` is { instances: RANGE }, and a range one of 3, 1.. or 10..20");
}

/* The keys of a lifecycle, in the order in which they are read: `order` numbers the names first. */
static const struct {
	const char *key;
	int (*parse)(struct compiler *compiler, const struct iq_yaml *value);
	bool required;
} keys[] = {
	{ "lifecycle", parse_name, true }, { "select", parse_select, false }, { "instance", parse_instance, false },
	{ "order", parse_order, true },	   { "events", parse_events, false }, { "final", parse_final, false },
	{ "closed", parse_closed, false }, { "ends", parse_ends, false },     { "expect", parse_expect, false },
};
#define KEY_NAMES "lifecycle, select, instance, order, events, final, closed, ends, expect"
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static int check_keys(struct compiler *compiler, const struct iq_yaml *document)
{
	for (const struct iq_yaml *child = document->first; child; child = child->next) {
		size_t i = 0;

		while (i < KEY_COUNT && !iq_view_eq(child->key->text, iq_view_cstr(keys[i].key)))
			i++;
		if (i == KEY_COUNT)
			return iq_yaml_error(compiler->error, compiler->spec->name, child->key,
					     "`%.*s` is not a key of a lifecycle; there are " KEY_NAMES,
					     IQ_VIEW_ARG(child->key->text));
	}
	return 0;
}

static int mark_finals(struct compiler *compiler, const struct iq_yaml *final)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	const struct iq_yaml *item = final && final->type == IQ_YAML_SEQUENCE ? final->first : final;

	lifecycle->is_final = iq_arena_calloc(&compiler->spec->memory, lifecycle->names.count + 1, sizeof(bool));
	if (!lifecycle->is_final)
		return iq_error_nomem(compiler->error);
	for (; item; item = item == final ? NULL : item->next)
		lifecycle->is_final[*iq_map_get(&lifecycle->names, item->text)] = true;
	return 0;
}

/* The names of the order are its letters, and what ends instances is known to its automaton. */
static int number_letters(struct compiler *compiler, struct iq_rule *rule)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	uint32_t known = iq_automaton_symbols(rule->automaton);
	size_t count = lifecycle->names.count;
	uint32_t *letters = iq_arena_calloc(&compiler->spec->memory, count + 1, sizeof(*letters));
	uint32_t *symbols = iq_arena_calloc(&compiler->spec->memory, (size_t)known + 1, sizeof(*symbols));

	if (!letters || !symbols)
		return iq_error_nomem(compiler->error);
	rule->unnamed = IQ_LETTER_FOREIGN(rule->automaton);
	for (uint32_t i = 0; i < count; i++) {
		letters[i] = i < known		      ? i
			     : lifecycle->is_final[i] ? IQ_LETTER_FINAL(rule->automaton)
			     : lifecycle->closed      ? rule->unnamed
						      : IQ_SYMBOL_NONE;
		if (i < known)
			symbols[i] = i;
		if (lifecycle->is_final[i])
			iq_automaton_end_at(rule->automaton, letters[i]);
	}
	rule->letters = letters;
	rule->symbols = symbols;
	return 0;
}

static int finish_lifecycle(struct compiler *compiler, const struct iq_yaml *document)
{
	struct iq_lifecycle *lifecycle = compiler->lifecycle;
	int rc = mark_finals(compiler, iq_yaml_get(document, "final"));

	if (rc == 0)
		rc = number_letters(compiler, &lifecycle->rules[0]);
	lifecycle->children =
		iq_arena_calloc(&compiler->spec->memory, lifecycle->names.count + 1, sizeof(struct iq_lifecycle *));
	if (rc < 0 || !lifecycle->children)
		return rc < 0 ? rc : iq_error_nomem(compiler->error);
	/* A session is the instance where nothing else is said. */
	if (lifecycle->key_count == 0)
		lifecycle->key[lifecycle->key_count++] = (struct iq_field){ .place = IQ_FIELD_COLUMN,
									    .column = IQ_COLUMN_SESSION,
									    .text = IQ_LIT("session") };
	lifecycle->columns |= 1u << IQ_COLUMN_TYPE;
	return 0;
}

static int compile(struct compiler *compiler, const struct iq_yaml *document)
{
	int rc;

	if (document->type != IQ_YAML_MAPPING)
		return iq_yaml_error(compiler->error, compiler->spec->name, document,
				     "a lifecycle is a mapping that begins with `lifecycle: NAME`");
	rc = check_keys(compiler, document);
	for (size_t i = 0; i < KEY_COUNT && rc == 0; i++) {
		const struct iq_yaml *value = iq_yaml_get(document, keys[i].key);

		if (value)
			rc = keys[i].parse(compiler, value);
		else if (keys[i].required)
			rc = iq_yaml_error(compiler->error, compiler->spec->name, document,
					   "this lifecycle has no `%s`", keys[i].key);
	}
	return rc < 0 ? rc : finish_lifecycle(compiler, document);
}

static const struct iq_lifecycle *find_lifecycle(const struct iq_lifecycle *first, struct iq_view name)
{
	while (first && !iq_view_eq(first->name, name))
		first = first->next;
	return first;
}

static void append_lifecycle(struct iq_spec *spec, struct iq_lifecycle *lifecycle)
{
	struct iq_lifecycle **link = &spec->first;

	while (*link)
		link = &(*link)->next;
	*link = lifecycle;
	spec->count++;
}

static int add_lifecycle(struct iq_spec *spec, const struct iq_yaml *document, struct iq_error *error)
{
	struct iq_lifecycle *lifecycle = iq_arena_calloc(&spec->memory, 1, sizeof(*lifecycle));
	struct compiler compiler = { spec, lifecycle, error };
	const struct iq_lifecycle *twin;
	int rc;

	if (!lifecycle)
		return iq_error_nomem(error);
	if (spec->count == IQ_SPEC_MAX_LIFECYCLES)
		return iq_yaml_error(error, spec->name, document, "more than %u lifecycles", IQ_SPEC_MAX_LIFECYCLES);
	lifecycle->place = document;
	lifecycle->file = spec->name;
	append_lifecycle(spec, lifecycle);
	rc = compile(&compiler, document);
	twin = rc < 0 ? lifecycle : find_lifecycle(spec->first, lifecycle->name);
	if (twin != lifecycle)
		rc = iq_yaml_error(error, spec->name, document, "the lifecycle `%.*s` is there already, in line %u",
				   IQ_VIEW_ARG(lifecycle->name), twin->place->line);
	return rc;
}

/* An order that names another lifecycle would never be met: say so instead. */
static int refuse_nesting(const struct iq_spec *spec, struct iq_error *error)
{
	for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
		for (uint32_t i = 0; i < iq_automaton_symbols(lifecycle->rules[0].automaton); i++)
			if (find_lifecycle(spec->first, lifecycle->names.entries[i].key))
				return iq_yaml_error(error, spec->name, iq_yaml_get(lifecycle->place, "order"),
						     "order: `%.*s` is a lifecycle; this version knows one level: name "
						     "its events instead",
						     IQ_VIEW_ARG(lifecycle->names.entries[i].key));
	return 0;
}

int iq_spec_parse(struct iq_view text, const char *name, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *spec = calloc(1, sizeof(*spec));
	struct iq_yaml *documents = NULL;
	int rc;

	if (!spec)
		return iq_error_nomem(error);
	spec->name = strdup(name);
	rc = spec->name ? iq_yaml_parse(text, name, &spec->memory, &documents, error) : iq_error_nomem(error);
	if (rc == 0 && !documents)
		rc = iq_error_set(error, IQ_ERR_SPEC,
				  "%s: no lifecycle in this file; it should begin with `lifecycle: NAME`", name);
	for (const struct iq_yaml *document = documents; document && rc == 0; document = document->next)
		rc = add_lifecycle(spec, document, error);
	if (rc == 0)
		rc = refuse_nesting(spec, error);
	if (rc < 0)
		iq_spec_free(spec);
	else
		*ret_spec = spec;
	return rc;
}

static int load_preset(const char *name, struct iq_spec **ret_spec, struct iq_error *error)
{
	const struct iq_preset *preset = iq_preset_find(iq_presets(), name, error);

	return preset ? iq_spec_parse(iq_view_cstr(preset->text), name, ret_spec, error) : IQ_ERR_SPEC;
}

int iq_spec_load(const char *path_or_preset, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_buf text = IQ_BUF_INIT;
	int rc;

	if (strncmp(path_or_preset, "preset:", 7) == 0)
		return load_preset(path_or_preset + 7, ret_spec, error);
	rc = iq_file_read(path_or_preset, IQ_YAML_MAX_BYTES, &text, error);
	if (rc == 0)
		rc = iq_spec_parse(iq_buf_view(&text), path_or_preset, ret_spec, error);
	iq_buf_release(&text);
	return rc;
}

int iq_spec_merge(struct iq_spec *spec, struct iq_spec *other, struct iq_error *error)
{
	struct iq_spec **link = &spec->merged;

	for (const struct iq_lifecycle *lifecycle = other->first; lifecycle; lifecycle = lifecycle->next)
		if (find_lifecycle(spec->first, lifecycle->name))
			return iq_yaml_error(error, other->name, lifecycle->place,
					     "the lifecycle `%.*s` is in %s already", IQ_VIEW_ARG(lifecycle->name),
					     spec->name);
	while (*link)
		link = &(*link)->merged;
	*link = other;
	while (other->first) {
		struct iq_lifecycle *lifecycle = other->first;

		other->first = lifecycle->next;
		lifecycle->next = NULL;
		append_lifecycle(spec, lifecycle);
	}
	return 0;
}

static void release_lifecycle(struct iq_lifecycle *lifecycle)
{
	iq_condition_release(lifecycle->own_select);
	for (size_t i = 0; i < lifecycle->alias_count; i++)
		iq_condition_release(lifecycle->aliases[i].condition);
	iq_map_release(&lifecycle->names);
	for (size_t i = 0; i < lifecycle->rule_count; i++)
		iq_automaton_free(lifecycle->rules[i].automaton);
	free(lifecycle->rules);
}

void iq_spec_free(struct iq_spec *spec)
{
	while (spec) {
		struct iq_spec *merged = spec->merged;

		/* Merged lifecycles lie in the memory of specs further down: release all before any memory goes. */
		for (struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
			release_lifecycle(lifecycle);
		iq_arena_release(&spec->memory);
		free(spec->name);
		free(spec);
		spec = merged;
	}
}

size_t iq_spec_count(const struct iq_spec *spec)
{
	return spec->count;
}

/* ---- Presets that fit a store ---- */

/* Would the lifecycle have something to say about this event? */
static int concerns(const struct iq_lifecycle *lifecycle, const struct iq_event *event, struct iq_buf *scratch)
{
	struct iq_buf key = IQ_BUF_INIT;
	bool has_key;
	uint32_t symbol;
	int rc = iq_lifecycle_selects(lifecycle, event, scratch);

	if (rc <= 0)
		return rc;
	rc = iq_lifecycle_symbol(lifecycle, event, scratch, &symbol);
	if (rc < 0)
		return rc;
	if (symbol == IQ_SYMBOL_NONE && !lifecycle->closed)
		return 0;
	has_key = iq_lifecycle_key(lifecycle, event, &key, scratch);
	iq_buf_release(&key);
	return has_key;
}

static int look_for_events(struct iq_store *store, const struct iq_spec *spec, bool *concerned, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	size_t left = spec->count;
	int rc;

	filter.columns = 0;
	for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
		filter.columns |= lifecycle->columns;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while (left > 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		size_t i = 0;

		for (const struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next, i++) {
			iq_buf_clear(&scratch);
			if (!concerned[i] && concerns(lifecycle, &event, &scratch) > 0) {
				concerned[i] = true;
				left--;
			}
		}
	}
	iq_cursor_close(cursor);
	iq_buf_release(&scratch);
	return rc < 0 ? rc : 0;
}

static void drop_unconcerned(struct iq_spec *spec, const bool *concerned)
{
	struct iq_lifecycle **link = &spec->first;

	for (size_t i = 0; *link; i++) {
		struct iq_lifecycle *lifecycle = *link;

		if (concerned[i]) {
			link = &lifecycle->next;
			continue;
		}
		*link = lifecycle->next;
		release_lifecycle(lifecycle);
		spec->count--;
	}
}

static int load_all_presets(struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *all = NULL;
	int rc = 0;

	for (const struct iq_preset *preset = iq_presets(); preset->name && rc == 0; preset++) {
		struct iq_spec *spec;

		rc = load_preset(preset->name, &spec, error);
		if (rc < 0)
			break;
		if (!all)
			all = spec;
		else if ((rc = iq_spec_merge(all, spec, error)) < 0)
			iq_spec_free(spec);
	}
	if (rc < 0)
		iq_spec_free(all);
	else
		*ret_spec = all;
	return rc;
}

int iq_spec_presets_for(struct iq_store *store, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *spec;
	bool *concerned;
	int rc = load_all_presets(&spec, error);

	if (rc < 0)
		return rc;
	concerned = calloc(spec->count + 1, sizeof(*concerned));
	rc = concerned ? look_for_events(store, spec, concerned, error) : iq_error_nomem(error);
	if (rc == 0) {
		drop_unconcerned(spec, concerned);
		*ret_spec = spec;
	} else {
		iq_spec_free(spec);
	}
	free(concerned);
	return rc;
}
