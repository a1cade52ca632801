/* Which of the built-in lifecycles have something to say about a store. */
#include <stdio.h>
#include <stdlib.h>

#include "query/compile.h"

/* ---- Which of their lifecycles ---- */

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

/* A nested lifecycle and those that it is nested in stay together. */
static void concern_families(const struct iq_spec *spec, bool *concerned)
{
	for (unsigned depth = 0; depth <= 2 * IQ_SPEC_MAX_NESTING; depth++) {
		size_t i = 0;

		for (const struct iq_lifecycle *parent = spec->first; parent; parent = parent->next, i++) {
			size_t j = 0;

			for (const struct iq_lifecycle *child = spec->first; child; child = child->next, j++)
				if (iq_lifecycle_nests(parent, child))
					concerned[i] = concerned[j] = concerned[i] || concerned[j];
		}
	}
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
		iq_lifecycle_release(lifecycle);
		spec->count--;
	}
}

/* ---- Which presets ---- */

#define MAX_PRESETS 64u

/* The presets that are still waited for, by the types that tell them. */
static int index_types(struct iq_map *presets_by_type)
{
	uint64_t number = 0;

	for (const struct iq_preset *preset = iq_presets(); preset->name && number < MAX_PRESETS; preset++, number++) {
		struct iq_view rest = iq_view_cstr(preset->fits);

		while (rest.len > 0) {
			size_t len = iq_view_find(rest, IQ_LIT(" "));
			struct iq_view type = iq_view_make(rest.data, len > rest.len ? rest.len : len);
			const uint64_t *known = iq_map_get(presets_by_type, type);

			if (iq_map_set(presets_by_type, type, (known ? *known : 0) | UINT64_C(1) << number) < 0)
				return IQ_ERR_NOMEM;
			rest = iq_view_from(rest, type.len + 1);
		}
	}
	return 0;
}

/* Bits of the presets of whose types one occurs. */
static int look_for_types(struct iq_store *store, const struct iq_map *presets_by_type, uint64_t *ret_found,
			  struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	uint64_t all = 0;
	int rc;

	for (size_t i = 0; i < presets_by_type->count; i++)
		all |= presets_by_type->entries[i].value;
	filter.columns = 1u << IQ_COLUMN_TYPE;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while (*ret_found != all && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		const uint64_t *found = event.type.data ? iq_map_get(presets_by_type, event.type) : NULL;

		*ret_found |= found ? *found : 0;
	}
	iq_cursor_close(cursor);
	return rc < 0 ? rc : 0;
}

static int find_presets(struct iq_store *store, uint64_t *ret_found, struct iq_error *error)
{
	struct iq_map presets_by_type = IQ_MAP_INIT;
	int rc = index_types(&presets_by_type) < 0 ? iq_error_nomem(error) : 0;

	*ret_found = 0;
	if (rc == 0)
		rc = look_for_types(store, &presets_by_type, ret_found, error);
	iq_map_release(&presets_by_type);
	return rc;
}

static int add_preset(struct iq_spec *all, const char *name, struct iq_error *error)
{
	struct iq_spec *spec;
	char path[64];
	int rc;

	(void)snprintf(path, sizeof(path), "preset:%s", name);
	rc = iq_spec_load(path, &spec, error);
	if (rc < 0)
		return rc;
	rc = iq_spec_merge(all, spec, error);
	if (rc < 0)
		iq_spec_free(spec);
	return rc;
}

static int load_presets(uint64_t wanted, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *all = iq_spec_new("presets");
	uint64_t number = 0;
	int rc = all ? 0 : iq_error_nomem(error);

	for (const struct iq_preset *preset = iq_presets(); preset->name && rc == 0; preset++, number++)
		if (wanted >> number & 1)
			rc = add_preset(all, preset->name, error);
	if (rc < 0)
		iq_spec_free(all);
	else
		*ret_spec = all;
	return rc;
}

int iq_spec_presets_for(struct iq_store *store, struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *spec = NULL;
	bool *concerned = NULL;
	uint64_t wanted;
	int rc = find_presets(store, &wanted, error);

	if (rc == 0)
		rc = load_presets(wanted, &spec, error);
	if (rc < 0)
		return rc;
	concerned = calloc(spec->count + 1, sizeof(*concerned));
	rc = concerned ? look_for_events(store, spec, concerned, error) : iq_error_nomem(error);
	if (rc == 0) {
		concern_families(spec, concerned);
		drop_unconcerned(spec, concerned);
		*ret_spec = spec;
	} else {
		iq_spec_free(spec);
	}
	free(concerned);
	return rc;
}
