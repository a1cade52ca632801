#define PCRE2_CODE_UNIT_WIDTH 8
#include <fnmatch.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/yaml.h"
#include "event/event.h"

/* Memory that one match may take. */
#define HEAP_LIMIT_KIB 4096u

static const char *const field_names[IQ_EXTRACT_FIELDS] = { "ts", "severity", "session", "type", "key" };

struct pattern {
	pcre2_code *code;
	const char *place;		       /* `app.yaml:4` */
	uint32_t fields[IQ_EXTRACT_MAX_ITEMS]; /* field of each named group */
	uint32_t groups[IQ_EXTRACT_MAX_ITEMS];
	size_t group_count;
};

struct pointers {
	struct iq_view *items;
	size_t count;
};

struct severity_name {
	struct iq_view name;
	enum iq_severity severity;
};

struct rule {
	struct iq_view *sources; /* globs, NUL-terminated; none: every source */
	size_t source_count;
	uint32_t kinds;	       /* bit per enum iq_kind */
	struct pattern *start; /* NULL: none */
	struct pattern *patterns;
	size_t pattern_count;
	struct pointers pointers[IQ_EXTRACT_FIELDS];
	struct severity_name *severities;
	size_t severity_count;
};

struct iq_extract {
	struct iq_arena memory;
	struct rule rules[IQ_EXTRACT_MAX_RULES];
	size_t rule_count;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	struct iq_buf source; /* the one that `applies` is about, NUL-terminated */
	uint64_t applies;     /* bit per rule */
	bool has_source;
	uint64_t given_up;
	const char *given_up_at;
};

/* ---- Life ---- */

struct iq_extract *iq_extract_new(void)
{
	struct iq_extract *extract = calloc(1, sizeof(*extract));

	if (!extract)
		return NULL;
	extract->match = pcre2_match_data_create(IQ_EXTRACT_MAX_ITEMS + 1, NULL);
	extract->limits = pcre2_match_context_create(NULL);
	if (!extract->match || !extract->limits) {
		iq_extract_free(extract);
		return NULL;
	}
	(void)pcre2_set_match_limit(extract->limits, IQ_EXTRACT_MATCH_LIMIT);
	(void)pcre2_set_heap_limit(extract->limits, HEAP_LIMIT_KIB);
	return extract;
}

static void release_rule(struct rule *rule)
{
	for (size_t i = 0; i < rule->pattern_count; i++)
		pcre2_code_free(rule->patterns[i].code);
	if (rule->start)
		pcre2_code_free(rule->start->code);
}

void iq_extract_free(struct iq_extract *extract)
{
	if (!extract)
		return;
	for (size_t i = 0; i < extract->rule_count; i++)
		release_rule(&extract->rules[i]);
	pcre2_match_data_free(extract->match);
	pcre2_match_context_free(extract->limits);
	iq_buf_release(&extract->source);
	iq_arena_release(&extract->memory);
	free(extract);
}

/* ---- Rules from YAML ---- */

struct compiler {
	struct iq_extract *extract;
	struct rule *rule;
	const char *name;
	struct iq_error *error;
};

static int refuse(const struct compiler *compiler, const struct iq_yaml *node, const char *what)
{
	return iq_yaml_error(compiler->error, compiler->name, node, "%s", what);
}

/* The scalars of a value that is one or a list of them. 0 or negative. */
static int read_list(const struct compiler *compiler, const struct iq_yaml *value, const struct iq_yaml **ret_first,
		     size_t *ret_count)
{
	const struct iq_yaml *first = value->type == IQ_YAML_SEQUENCE ? value->first : value;

	*ret_first = first;
	*ret_count = 0;
	if (value->type == IQ_YAML_MAPPING || !first)
		return refuse(compiler, value, "a text, or a list of texts, is wanted here");
	for (const struct iq_yaml *item = first; item; item = value == first ? NULL : item->next) {
		if (item->type != IQ_YAML_SCALAR)
			return refuse(compiler, item, "a text is wanted here");
		if (++*ret_count > IQ_EXTRACT_MAX_ITEMS)
			return iq_yaml_error(compiler->error, compiler->name, item, "more than %u of them",
					     IQ_EXTRACT_MAX_ITEMS);
	}
	return 0;
}

static int read_texts(const struct compiler *compiler, const struct iq_yaml *value, struct iq_view **ret_texts,
		      size_t *ret_count)
{
	const struct iq_yaml *item;
	struct iq_view *texts;
	int rc = read_list(compiler, value, &item, ret_count);

	if (rc < 0)
		return rc;
	texts = iq_arena_calloc(&compiler->extract->memory, *ret_count, sizeof(*texts));
	if (!texts)
		return iq_error_nomem(compiler->error);
	for (size_t i = 0; i < *ret_count; i++, item = item->next)
		texts[i] = item->text;
	*ret_texts = texts;
	return 0;
}

static bool field_of(struct iq_view name, uint32_t *ret_field)
{
	for (uint32_t i = 0; i < IQ_EXTRACT_FIELDS; i++) {
		if (iq_view_eq(name, iq_view_cstr(field_names[i]))) {
			*ret_field = i;
			return true;
		}
	}
	return false;
}

/* The name table of PCRE2: for each name its group in two bytes, then the name. */
static int read_groups(const struct compiler *compiler, const struct iq_yaml *node, struct pattern *pattern)
{
	uint32_t count = 0, size = 0, captures = 0;
	PCRE2_SPTR table = NULL;

	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &count);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &table);
	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &captures);
	if (captures > IQ_EXTRACT_MAX_ITEMS)
		return iq_yaml_error(compiler->error, compiler->name, node,
				     "more than %u groups: write (?: ) for those without a name", IQ_EXTRACT_MAX_ITEMS);
	for (uint32_t i = 0; i < count; i++, table += size) {
		struct iq_view name = iq_view_cstr((const char *)table + 2);

		pattern->groups[pattern->group_count] = (uint32_t)(table[0] << 8 | table[1]);
		if (!field_of(name, &pattern->fields[pattern->group_count++]))
			return iq_yaml_error(
				compiler->error, compiler->name, node,
				"a group is called `%.*s`; the names are ts, severity, session, type and key",
				IQ_VIEW_ARG(name));
	}
	return 0;
}

static const char *place_of(const struct compiler *compiler, const struct iq_yaml *node)
{
	char place[256];

	(void)snprintf(place, sizeof(place), "%s:%u", compiler->name, node->line);
	return iq_arena_copy(&compiler->extract->memory, iq_view_cstr(place)).data;
}

static int compile_pattern(const struct compiler *compiler, const struct iq_yaml *node, struct pattern *pattern)
{
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	int code;

	if (node->text.len > IQ_EXTRACT_MAX_PATTERN)
		return iq_yaml_error(compiler->error, compiler->name, node, "the pattern is longer than %u bytes",
				     IQ_EXTRACT_MAX_PATTERN);
	pattern->code = pcre2_compile((PCRE2_SPTR)node->text.data, node->text.len,
				      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DUPNAMES, &code, &offset, NULL);
	if (!pattern->code) {
		(void)pcre2_get_error_message(code, message, sizeof(message));
		return iq_yaml_error(compiler->error, compiler->name, node, "pattern: %s at its byte %zu",
				     (const char *)message, (size_t)offset);
	}
	/* Without it the same is matched, only slower. */
	(void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
	pattern->place = place_of(compiler, node);
	return pattern->place ? read_groups(compiler, node, pattern) : iq_error_nomem(compiler->error);
}

static int parse_source(struct compiler *compiler, const struct iq_yaml *value)
{
	return read_texts(compiler, value, &compiler->rule->sources, &compiler->rule->source_count);
}

static int parse_kind(struct compiler *compiler, const struct iq_yaml *value)
{
	const struct iq_yaml *item;
	size_t count;
	enum iq_kind kind;
	int rc = read_list(compiler, value, &item, &count);

	if (rc < 0)
		return rc;
	compiler->rule->kinds = 0;
	for (size_t i = 0; i < count; i++, item = item->next) {
		if (!iq_kind_parse(item->text, &kind))
			return refuse(compiler, item, "no kind of events; docs/events.md lists them");
		compiler->rule->kinds |= 1u << kind;
	}
	return 0;
}

static int parse_start(struct compiler *compiler, const struct iq_yaml *value)
{
	if (value->type != IQ_YAML_SCALAR)
		return refuse(compiler, value, "`start` is one pattern: of the lines that begin a record");
	compiler->rule->start = iq_arena_calloc(&compiler->extract->memory, 1, sizeof(*compiler->rule->start));
	if (!compiler->rule->start)
		return iq_error_nomem(compiler->error);
	return compile_pattern(compiler, value, compiler->rule->start);
}

static int parse_match(struct compiler *compiler, const struct iq_yaml *value)
{
	struct rule *rule = compiler->rule;
	const struct iq_yaml *item;
	size_t count;
	int rc = read_list(compiler, value, &item, &count);

	if (rc < 0)
		return rc;
	rule->patterns = iq_arena_calloc(&compiler->extract->memory, count, sizeof(*rule->patterns));
	if (!rule->patterns)
		return iq_error_nomem(compiler->error);
	for (; rule->pattern_count < count && rc == 0; item = item->next) {
		struct pattern *pattern = &rule->patterns[rule->pattern_count++];

		rc = compile_pattern(compiler, item, pattern);
		if (rc == 0 && pattern->group_count == 0)
			rc = refuse(compiler, item,
				    "no named group: write (?<type>...), or ts, severity, session, key");
	}
	return rc;
}

static int parse_severities(struct compiler *compiler, const struct iq_yaml *value)
{
	struct rule *rule = compiler->rule;
	size_t count = 0;

	if (value->type != IQ_YAML_MAPPING)
		return refuse(compiler, value, "`severities` maps what is written to a severity: { 30: info }");
	for (const struct iq_yaml *item = value->first; item; item = item->next)
		count++;
	if (count > IQ_EXTRACT_MAX_ITEMS)
		return iq_yaml_error(compiler->error, compiler->name, value, "more than %u of them",
				     IQ_EXTRACT_MAX_ITEMS);
	rule->severities = iq_arena_calloc(&compiler->extract->memory, count + 1, sizeof(*rule->severities));
	if (!rule->severities)
		return iq_error_nomem(compiler->error);
	for (const struct iq_yaml *item = value->first; item; item = item->next) {
		struct severity_name *severity = &rule->severities[rule->severity_count++];

		severity->name = item->key->text;
		if (item->type != IQ_YAML_SCALAR || !iq_severity_parse(item->text, &severity->severity))
			return refuse(compiler, item,
				      "no severity: trace, debug, info, notice, warning, error or critical");
	}
	return 0;
}

static int parse_pointers(struct compiler *compiler, const struct iq_yaml *value, uint32_t field)
{
	struct pointers *pointers = &compiler->rule->pointers[field];
	int rc = read_texts(compiler, value, &pointers->items, &pointers->count);

	for (size_t i = 0; i < pointers->count && rc == 0; i++)
		if (pointers->items[i].len == 0 || !iq_json_pointer_valid(pointers->items[i]))
			rc = iq_yaml_error(compiler->error, compiler->name, value,
					   "`%.*s` is no JSON Pointer: /a/b is the member b of the member a",
					   IQ_VIEW_ARG(pointers->items[i]));
	return rc;
}

static int parse_key(struct compiler *compiler, const struct iq_yaml *value)
{
	static const struct {
		const char *key;
		int (*parse)(struct compiler *compiler, const struct iq_yaml *value);
	} keys[] = {
		{ "source", parse_source },	    { "kind", parse_kind },
		{ "start", parse_start },	    { "match", parse_match },
		{ "severities", parse_severities },
	};
	uint32_t field;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (iq_view_eq(value->key->text, iq_view_cstr(keys[i].key)))
			return keys[i].parse(compiler, value);
	if (field_of(value->key->text, &field))
		return parse_pointers(compiler, value, field);
	return iq_yaml_error(compiler->error, compiler->name, value->key,
			     "`%.*s` is not known here; there are source, kind, start, match, ts, severity, "
			     "severities, session, type and key",
			     IQ_VIEW_ARG(value->key->text));
}

static int add_rule(struct compiler *compiler, const struct iq_yaml *node)
{
	struct iq_extract *extract = compiler->extract;
	int rc = 0;

	if (node->type != IQ_YAML_MAPPING)
		return refuse(compiler, node, "a rule is a mapping: - match: '...'");
	if (extract->rule_count == IQ_EXTRACT_MAX_RULES)
		return iq_yaml_error(compiler->error, compiler->name, node, "more than %u rules", IQ_EXTRACT_MAX_RULES);
	compiler->rule = &extract->rules[extract->rule_count++];
	*compiler->rule = (struct rule){ .kinds = 1u << IQ_KIND_LOG };
	for (const struct iq_yaml *value = node->first; value && rc == 0; value = value->next)
		rc = parse_key(compiler, value);
	return rc;
}

static int add_document(struct compiler *compiler, const struct iq_yaml *document)
{
	const struct iq_yaml *rules = document && document->type == IQ_YAML_MAPPING ? document->first : NULL;
	int rc = 0;

	if (!rules || !iq_view_eq(rules->key->text, IQ_LIT("extract")) || rules->type != IQ_YAML_SEQUENCE)
		return iq_error_set(compiler->error, IQ_ERR_SPEC,
				    "%s: it should begin with `extract:` and a list of rules", compiler->name);
	if (rules->next)
		return refuse(compiler, rules->next->key, "nothing but `extract` is known here");
	for (const struct iq_yaml *rule = rules->first; rule && rc == 0; rule = rule->next)
		rc = add_rule(compiler, rule);
	return rc;
}

int iq_extract_add(struct iq_extract *extract, struct iq_view text, const char *name, struct iq_error *error)
{
	struct compiler compiler = { .extract = extract, .name = name, .error = error };
	struct iq_yaml *document = NULL;
	int rc = iq_yaml_parse(text, name, &extract->memory, &document, error);

	extract->has_source = false;
	return rc == 0 ? add_document(&compiler, document) : rc;
}

/* ---- Reading ---- */

static bool matches_source(const struct rule *rule, const char *source)
{
	for (size_t i = 0; i < rule->source_count; i++)
		if (fnmatch(rule->sources[i].data, source, 0) == 0)
			return true;
	return rule->source_count == 0;
}

/* The rules for a source; neighbours are mostly of the same. */
static uint64_t rules_for(struct iq_extract *extract, struct iq_view source)
{
	if (extract->has_source && iq_view_eq(source, iq_buf_view(&extract->source)))
		return extract->applies;
	iq_buf_clear(&extract->source);
	if (iq_buf_append(&extract->source, source) < 0)
		return 0;
	extract->has_source = true;
	extract->applies = 0;
	for (size_t i = 0; i < extract->rule_count; i++)
		if (matches_source(&extract->rules[i], extract->source.data))
			extract->applies |= 1ull << i;
	return extract->applies;
}

static bool run(struct iq_extract *extract, const struct pattern *pattern, struct iq_view text)
{
	size_t len = text.len < IQ_EXTRACT_REACH ? text.len : IQ_EXTRACT_REACH;
	int rc = pcre2_match(pattern->code, (PCRE2_SPTR)text.data, len, 0, 0, extract->match, extract->limits);

	if (rc >= 0)
		return true;
	if (rc != PCRE2_ERROR_NOMATCH && extract->given_up++ == 0)
		extract->given_up_at = pattern->place;
	return false;
}

/* A field that has been found stays. */
static void set_field(struct iq_view fields[IQ_EXTRACT_FIELDS], const struct rule *rule, uint32_t field,
		      struct iq_view value)
{
	if (fields[field].data || value.len == 0)
		return;
	for (size_t i = 0; field == IQ_EXTRACT_SEVERITY && i < rule->severity_count; i++)
		if (iq_view_eq(rule->severities[i].name, value))
			value = iq_view_cstr(iq_severity_name(rule->severities[i].severity));
	fields[field] = value;
}

static void read_groups_of(struct iq_extract *extract, const struct rule *rule, const struct pattern *pattern,
			   struct iq_view text, struct iq_view fields[IQ_EXTRACT_FIELDS])
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(extract->match);

	for (size_t i = 0; i < pattern->group_count; i++) {
		PCRE2_SIZE from = ends[2 * pattern->groups[i]], to = ends[2 * pattern->groups[i] + 1];

		if (from != PCRE2_UNSET && from < to)
			set_field(fields, rule, pattern->fields[i], iq_view_make(text.data + from, to - from));
	}
}

static void read_pointers(const struct rule *rule, struct iq_view body, struct iq_view fields[IQ_EXTRACT_FIELDS],
			  struct iq_buf *scratch)
{
	for (uint32_t field = 0; field < IQ_EXTRACT_FIELDS; field++) {
		for (size_t i = 0; i < rule->pointers[field].count && !fields[field].data; i++) {
			struct iq_json_value value = iq_dialect_pointer(body, rule->pointers[field].items[i], scratch);

			if (value.type == IQ_JSON_STRING || value.type == IQ_JSON_NUMBER)
				set_field(fields, rule, field, value.text);
		}
	}
}

static bool is_json(struct iq_view body)
{
	struct iq_view text = iq_view_trim(body);

	return text.len > 0 && (text.data[0] == '{' || text.data[0] == '[');
}

void iq_extract_read(struct iq_extract *extract, const struct iq_event *event,
		     struct iq_view ret_fields[IQ_EXTRACT_FIELDS], struct iq_buf *scratch)
{
	const uint64_t applies = event->body.len > 0 ? rules_for(extract, event->source) : 0;

	for (size_t i = 0; i < IQ_EXTRACT_FIELDS; i++)
		ret_fields[i] = IQ_VIEW_NULL;
	for (size_t i = 0; i < extract->rule_count; i++) {
		const struct rule *rule = &extract->rules[i];

		if (!(applies >> i & 1) || !(rule->kinds >> event->kind & 1))
			continue;
		/* Messages may have something around their JSON. */
		if (is_json(event->body) || event->kind == IQ_KIND_WS_MESSAGE)
			read_pointers(rule, event->body, ret_fields, scratch);
		for (size_t j = 0; j < rule->pattern_count; j++)
			if (run(extract, &rule->patterns[j], event->body))
				read_groups_of(extract, rule, &rule->patterns[j], event->body, ret_fields);
	}
}

enum iq_extract_line iq_extract_line(struct iq_extract *extract, struct iq_view source, struct iq_view line)
{
	const uint64_t applies = rules_for(extract, source);

	for (size_t i = 0; i < extract->rule_count; i++) {
		const struct rule *rule = &extract->rules[i];

		if (rule->start && applies >> i & 1)
			return line.data && run(extract, rule->start, line) ? IQ_EXTRACT_BEGINS : IQ_EXTRACT_GOES_ON;
	}
	return IQ_EXTRACT_ANY;
}

uint64_t iq_extract_given_up(struct iq_extract *extract, const char **ret_place)
{
	const uint64_t count = extract->given_up;

	*ret_place = extract->given_up_at;
	extract->given_up = 0;
	return count;
}
