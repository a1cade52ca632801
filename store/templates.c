/* The templates of a whole store: those of its segments with the same text are one. */
#include <string.h>

#include "store/reader.h"

static int64_t earlier(int64_t a, int64_t b)
{
	if (a == IQ_TIME_NONE || b == IQ_TIME_NONE)
		return a == IQ_TIME_NONE ? b : a;
	return a < b ? a : b;
}

static void join(struct iq_template *whole, const struct iq_template *part)
{
	whole->count += part->count;
	whole->first = earlier(whole->first, part->first);
	whole->last = part->last > whole->last ? part->last : whole->last; /* IQ_TIME_NONE is the smallest */
}

static int grow(struct iq_store *store, size_t more)
{
	struct iq_template *grown = iq_arena_calloc(&store->memory, store->template_count + more + 1, sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	if (store->template_count > 0)
		memcpy(grown, store->templates, store->template_count * sizeof(*grown));
	store->templates = grown;
	return 0;
}

static int add(struct iq_store *store, struct iq_map *texts, const struct iq_template *parts, size_t count)
{
	uint32_t index;
	int rc = grow(store, count);

	for (size_t i = 0; i < count && rc >= 0; i++) {
		rc = iq_map_intern(texts, parts[i].text, &index);
		if (rc == 0)
			join(&store->templates[index], &parts[i]);
		if (rc <= 0)
			continue;
		store->templates[index] = parts[i];
		store->templates[index].id = index + 1;
		store->template_count++;
	}
	return rc < 0 ? rc : 0;
}

static int read_segments(struct iq_store *store, struct iq_map *texts, struct iq_error *error)
{
	const struct iq_template *parts;
	struct iq_segment *segment;
	size_t count;
	int rc = 0;

	for (size_t i = 0; i < store->manifest.count && rc == 0; i++) {
		rc = iq_store_segment_lazily(store, i, &segment, error);
		if (rc == 0)
			rc = iq_segment_templates(segment, &parts, &count, error);
		if (rc == 0 && add(store, texts, parts, count) < 0)
			rc = iq_error_nomem(error);
	}
	return rc;
}

int iq_store_templates(struct iq_store *store, const struct iq_template **ret_templates, size_t *ret_count,
		       struct iq_error *error)
{
	struct iq_map texts = IQ_MAP_INIT;
	int rc = 0;

	if (!store->templates_read) {
		store->template_count = 0;
		rc = read_segments(store, &texts, error);
	}
	iq_map_release(&texts);
	store->templates_read = rc == 0;
	*ret_templates = store->templates;
	*ret_count = store->template_count;
	return rc;
}
