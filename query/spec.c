#include "query/spec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "query/compile.h"

#define PRESET_PREFIX "preset:"

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
	/* A name that is an alias stands for its condition only, and one of a lifecycle for its instances. */
	for (size_t i = 0; symbol && i < lifecycle->alias_count; i++)
		if (lifecycle->aliases[i].symbol == *symbol)
			return 0;
	if (symbol && !lifecycle->children[*symbol])
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
	return iq_key_append(lifecycle->key, lifecycle->key_count, event, ret_key, scratch);
}

bool iq_lifecycle_reads_body(const struct iq_lifecycle *lifecycle)
{
	for (size_t i = 0; i < lifecycle->key_count; i++)
		if (lifecycle->key[i].place == IQ_FIELD_BODY)
			return true;
	return false;
}

/* ---- Documents ---- */

/* A file that is being read, inside those that include it. */
struct reading {
	const char *file;
	const struct reading *included_from;
};

struct iq_lifecycle *iq_spec_find(const struct iq_spec *spec, struct iq_view name)
{
	struct iq_lifecycle *lifecycle = spec->first;

	while (lifecycle && !iq_view_eq(lifecycle->name, name))
		lifecycle = lifecycle->next;
	return lifecycle;
}

static void append_lifecycle(struct iq_spec *spec, struct iq_lifecycle *lifecycle)
{
	struct iq_lifecycle **link = &spec->first;

	while (*link)
		link = &(*link)->next;
	*link = lifecycle;
	spec->count++;
}

static int tell_twin(const struct iq_lifecycle *twin, const struct iq_yaml *name, const char *file,
		     struct iq_error *error)
{
	return iq_yaml_error(error, file, name, "the lifecycle `%.*s` is there already, in %s line %u",
			     IQ_VIEW_ARG(twin->name), twin->file, twin->place->line);
}

/* The lifecycle is known by its name from here on; what it says is read when all are. */
static int add_lifecycle(struct iq_spec *spec, const struct iq_yaml *document, const char *file, struct iq_error *error)
{
	const struct iq_yaml *name = iq_yaml_get(document, "lifecycle");
	struct iq_lifecycle *lifecycle;

	if (!name)
		return iq_yaml_error(error, file, document,
				     "this lifecycle has no `lifecycle`: its name, lifecycle: agent-run");
	if (name->type != IQ_YAML_SCALAR || name->text.len == 0)
		return iq_yaml_error(error, file, name, "`lifecycle` is a name: lifecycle: agent-run");
	if (spec->count == IQ_SPEC_MAX_LIFECYCLES)
		return iq_yaml_error(error, file, document, "more than %u lifecycles", IQ_SPEC_MAX_LIFECYCLES);
	lifecycle = iq_spec_find(spec, name->text);
	if (lifecycle)
		return tell_twin(lifecycle, name, file, error);
	lifecycle = iq_arena_calloc(&spec->memory, 1, sizeof(*lifecycle));
	if (!lifecycle)
		return iq_error_nomem(error);
	lifecycle->name = name->text;
	lifecycle->file = file;
	lifecycle->place = document;
	append_lifecycle(spec, lifecycle);
	return 0;
}

static int read_documents(struct iq_spec *spec, struct iq_view text, const struct reading *reading,
			  struct iq_error *error);

/* The path of an included file: relative to the one that includes it. */
static struct iq_view resolve(const char *includer, struct iq_view path, struct iq_arena *memory)
{
	const char *slash = strrchr(includer, '/');
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_view resolved;

	if (slash && path.data[0] != '/' && !iq_view_starts_with(path, IQ_LIT(PRESET_PREFIX)))
		(void)iq_buf_append(&buf, iq_view_make(includer, (size_t)(slash - includer) + 1));
	(void)iq_buf_append(&buf, path);
	resolved = buf.failed ? IQ_VIEW_NULL : iq_arena_copy(memory, iq_buf_view(&buf));
	iq_buf_release(&buf);
	return resolved;
}

/* `/a/b.yaml` for `b.yaml`, where there is such a file. */
static struct iq_view canonical(const char *path, char resolved[PATH_MAX])
{
	return iq_view_cstr(realpath(path, resolved) ? resolved : path);
}

static int refuse_cycle(const struct reading *reading, const struct iq_yaml *node, const char *path,
			struct iq_error *error)
{
	char resolved[PATH_MAX], other[PATH_MAX];
	unsigned depth = 0;

	for (const struct reading *at = reading; at; at = at->included_from, depth++)
		if (iq_view_eq(canonical(path, resolved), canonical(at->file, other)))
			return iq_yaml_error(error, reading->file, node,
					     "`%s` includes itself%s: this file is being read already", path,
					     at == reading ? "" : " through others");
	if (depth >= IQ_SPEC_MAX_INCLUDE_DEPTH)
		return iq_yaml_error(error, reading->file, node, "files include one another deeper than %u",
				     IQ_SPEC_MAX_INCLUDE_DEPTH);
	return 0;
}

/* The text of a file or preset. The file's lies in `buf`. */
static int load_text(const char *path, struct iq_buf *buf, struct iq_view *ret_text, struct iq_error *error)
{
	const struct iq_preset *preset;
	int rc;

	if (strncmp(path, PRESET_PREFIX, strlen(PRESET_PREFIX)) == 0) {
		preset = iq_preset_find(iq_presets(), path + strlen(PRESET_PREFIX), error);
		*ret_text = preset ? iq_view_cstr(preset->text) : IQ_VIEW_NULL;
		return preset ? 0 : IQ_ERR_SPEC;
	}
	rc = iq_file_read(path, IQ_YAML_MAX_BYTES, buf, error);
	*ret_text = iq_buf_view(buf);
	return rc;
}

/* What is included is a file: a pipe or a terminal would be waited for. */
static int load_included(const char *path, struct iq_buf *buf, struct iq_view *ret_text, struct iq_error *error)
{
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return iq_error_set(error, IQ_ERR_IO, "%s: not a file", path);
	return load_text(path, buf, ret_text, error);
}

static int include_file(struct iq_spec *spec, const struct iq_yaml *item, const struct reading *reading,
			struct iq_error *error)
{
	struct iq_error inner = IQ_ERROR_INIT;
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_view path, text;
	char resolved[PATH_MAX];
	uint32_t index;
	int rc;

	if (item->type != IQ_YAML_SCALAR || item->text.len == 0 || memchr(item->text.data, '\0', item->text.len))
		return iq_yaml_error(error, reading->file, item, "`include` is a file or a list of files");
	path = resolve(reading->file, item->text, &spec->memory);
	if (!path.data)
		return iq_error_nomem(error);
	rc = refuse_cycle(reading, item, path.data, error);
	if (rc < 0)
		return rc;
	/* Two files that include the same third one mean the same lifecycles. */
	rc = iq_map_intern(&spec->files, canonical(path.data, resolved), &index);
	if (rc <= 0)
		return rc < 0 ? iq_error_nomem(error) : 0;
	if (spec->files.count > IQ_SPEC_MAX_FILES)
		return iq_yaml_error(error, reading->file, item, "more than %u files", IQ_SPEC_MAX_FILES);
	rc = load_included(path.data, &buf, &text, &inner);
	if (rc < 0)
		rc = iq_yaml_error(error, reading->file, item, "include: %s", inner.message);
	else
		rc = read_documents(spec, text, &(struct reading){ path.data, reading }, error);
	iq_buf_release(&buf);
	return rc;
}

static int read_includes(struct iq_spec *spec, const struct iq_yaml *include, const struct reading *reading,
			 struct iq_error *error)
{
	int rc = 0;

	if (include->type != IQ_YAML_SEQUENCE)
		return include_file(spec, include, reading, error);
	for (const struct iq_yaml *item = include->first; item && rc == 0; item = item->next)
		rc = include_file(spec, item, reading, error);
	return rc;
}

static int read_document(struct iq_spec *spec, const struct iq_yaml *document, const struct reading *reading,
			 struct iq_error *error)
{
	const struct iq_yaml *include;
	int rc;

	if (document->type != IQ_YAML_MAPPING)
		return iq_yaml_error(error, reading->file, document,
				     "a lifecycle is a mapping that begins with `lifecycle: NAME`");
	include = iq_yaml_get(document, "include");
	rc = include ? read_includes(spec, include, reading, error) : 0;
	if (rc < 0 || (include && document->first == include && !include->next))
		return rc;
	return add_lifecycle(spec, document, reading->file, error);
}

static int read_documents(struct iq_spec *spec, struct iq_view text, const struct reading *reading,
			  struct iq_error *error)
{
	struct iq_yaml *documents = NULL;
	int rc = iq_yaml_parse(text, reading->file, &spec->memory, &documents, error);

	if (rc == 0 && !documents)
		rc = iq_error_set(error, IQ_ERR_SPEC,
				  "%s: no lifecycle in this file; it should begin with `lifecycle: NAME`",
				  reading->file);
	for (const struct iq_yaml *document = documents; document && rc == 0; document = document->next)
		rc = read_document(spec, document, reading, error);
	return rc;
}

/* ---- Nested lifecycles ---- */

static int nest_all(struct iq_compiler *compiler, struct iq_lifecycle *lifecycle, unsigned depth);

/* A nested lifecycle reads what its parent reads, unless it says otherwise. */
static int nest(struct iq_compiler *compiler, struct iq_lifecycle *parent, struct iq_lifecycle *child, unsigned depth)
{
	compiler->lifecycle = child;
	if (child->expect.given)
		return IQ_FAIL(
			compiler, child->expect.place,
			"`%.*s` is nested in `%.*s`, whose order says how many there are; `expect` has no place here",
			IQ_VIEW_ARG(child->name), IQ_VIEW_ARG(parent->name));
	if (!child->own_select && child->nested && child->select != parent->select)
		return IQ_FAIL(compiler, child->place,
			       "`%.*s` is nested in lifecycles with different `select`: give it one of its own",
			       IQ_VIEW_ARG(child->name));
	child->nested = true;
	if (!child->own_select) {
		child->select = parent->select;
		child->columns |= iq_condition_columns(parent->select);
	}
	child->ends_complete |= parent->ends_complete;
	return nest_all(compiler, child, depth + 1);
}

static int nest_all(struct iq_compiler *compiler, struct iq_lifecycle *lifecycle, unsigned depth)
{
	int rc = 0;

	compiler->lifecycle = lifecycle;
	if (depth > IQ_SPEC_MAX_NESTING)
		return IQ_FAIL(compiler, lifecycle->place,
			       "lifecycles are nested deeper than %u, or `%.*s` is nested in itself",
			       IQ_SPEC_MAX_NESTING, IQ_VIEW_ARG(lifecycle->name));
	for (uint32_t i = 0; i < lifecycle->names.count && rc == 0; i++)
		if (lifecycle->children[i])
			rc = nest(compiler, lifecycle, lifecycle->children[i], depth);
	return rc;
}

bool iq_lifecycle_nests(const struct iq_lifecycle *parent, const struct iq_lifecycle *child)
{
	for (uint32_t i = 0; i < parent->names.count; i++)
		if (parent->children[i] == child)
			return true;
	return false;
}

static bool is_child(const struct iq_spec *spec, const struct iq_lifecycle *lifecycle)
{
	const struct iq_lifecycle *parent = spec->first;

	while (parent && !iq_lifecycle_nests(parent, lifecycle))
		parent = parent->next;
	return parent != NULL;
}

/* From those that no other one names down; what is left are circles. */
static int nest_lifecycles(struct iq_compiler *compiler)
{
	int rc = 0;

	for (struct iq_lifecycle *at = compiler->spec->first; at && rc == 0; at = at->next)
		if (!is_child(compiler->spec, at))
			rc = nest_all(compiler, at, 0);
	for (struct iq_lifecycle *at = compiler->spec->first; at && rc == 0; at = at->next) {
		compiler->lifecycle = at;
		if (!at->nested && is_child(compiler->spec, at))
			rc = IQ_FAIL(compiler, at->place, "`%.*s` is nested in itself, through its order",
				     IQ_VIEW_ARG(at->name));
		else if (!at->nested && at->parent_count)
			rc = IQ_FAIL(compiler, iq_yaml_get(at->place, "parent"),
				     "no order of this file names `%.*s`, so it has no parent", IQ_VIEW_ARG(at->name));
	}
	return rc;
}

/* ---- The whole ---- */

static int compile_all(struct iq_spec *spec, struct iq_error *error)
{
	struct iq_compiler compiler = { spec, spec->first, error };
	int rc = 0;

	if (!spec->first)
		return iq_error_set(error, IQ_ERR_SPEC, "%s: no lifecycle, and none in what it includes", spec->name);
	for (; compiler.lifecycle && rc == 0; compiler.lifecycle = compiler.lifecycle->next)
		rc = iq_lifecycle_compile(&compiler);
	return rc < 0 ? rc : nest_lifecycles(&compiler);
}

struct iq_spec *iq_spec_new(const char *name)
{
	struct iq_spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		return NULL;
	spec->name = strdup(name);
	if (spec->name)
		return spec;
	free(spec);
	return NULL;
}

int iq_spec_parse(struct iq_view text, const char *name, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *spec = iq_spec_new(name);
	int rc;

	if (!spec)
		return iq_error_nomem(error);
	rc = read_documents(spec, text, &(struct reading){ spec->name, NULL }, error);
	if (rc == 0)
		rc = compile_all(spec, error);
	if (rc < 0)
		iq_spec_free(spec);
	else
		*ret_spec = spec;
	return rc;
}

int iq_spec_load(const char *path_or_preset, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_view text;
	int rc = load_text(path_or_preset, &buf, &text, error);

	if (rc == 0)
		rc = iq_spec_parse(text, path_or_preset, ret_spec, error);
	iq_buf_release(&buf);
	return rc;
}

int iq_spec_merge(struct iq_spec *spec, struct iq_spec *other, struct iq_error *error)
{
	struct iq_spec **link = &spec->merged;

	for (const struct iq_lifecycle *lifecycle = other->first; lifecycle; lifecycle = lifecycle->next) {
		const struct iq_lifecycle *twin = iq_spec_find(spec, lifecycle->name);

		if (twin)
			return tell_twin(twin, lifecycle->place, lifecycle->file, error);
	}
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

void iq_spec_free(struct iq_spec *spec)
{
	while (spec) {
		struct iq_spec *merged = spec->merged;

		/* Merged lifecycles lie in the memory of specs further down: release all before any memory goes. */
		for (struct iq_lifecycle *lifecycle = spec->first; lifecycle; lifecycle = lifecycle->next)
			iq_lifecycle_release(lifecycle);
		iq_map_release(&spec->files);
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
