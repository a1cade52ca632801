/* Which of the built-in lifecycles have something to say about a store. */
#include <stdio.h>
#include <stdlib.h>

#include "query/compile.h"

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

static int load_all_presets(struct iq_spec **ret_spec, struct iq_error *error)
{
	struct iq_spec *all = NULL;
	int rc = 0;

	for (const struct iq_preset *preset = iq_presets(); preset->name && rc == 0; preset++) {
		struct iq_spec *spec;
		char path[64];

		(void)snprintf(path, sizeof(path), "preset:%s", preset->name);
		rc = iq_spec_load(path, &spec, error);
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
		concern_families(spec, concerned);
		drop_unconcerned(spec, concerned);
		*ret_spec = spec;
	} else {
		iq_spec_free(spec);
	}
	free(concerned);
	return rc;
}
