#include "query/nearest.h"

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static size_t distance(struct iq_view a, struct iq_view b)
{
	size_t row[IQ_NEAREST_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];

			row[j] = smallest(row[j - 1] + 1, above + 1, diagonal + (a.data[i - 1] != b.data[j - 1]));
			diagonal = above;
		}
	}
	return row[b.len];
}

static void compare(struct iq_view name, struct iq_view candidate, struct iq_view *nearest, size_t *least)
{
	size_t apart = candidate.len <= IQ_NEAREST_MAX ? distance(name, candidate) : SIZE_MAX;

	if (apart > 0 && apart < *least) {
		*least = apart;
		*nearest = candidate;
	}
}

/* What is that far away is something else. */
static size_t too_far(struct iq_view name)
{
	return name.len < 6 ? name.len / 2 + 1 : name.len / 3 + 1;
}

struct iq_view iq_nearest(struct iq_view name, const struct iq_map *names)
{
	struct iq_view nearest = IQ_VIEW_NULL;
	size_t least = too_far(name);

	for (size_t i = 0; i < names->count && name.len <= IQ_NEAREST_MAX; i++)
		compare(name, names->entries[i].key, &nearest, &least);
	return nearest;
}

struct iq_view iq_nearest_row(struct iq_view name, const char *const *first, size_t count, size_t stride)
{
	struct iq_view nearest = IQ_VIEW_NULL;
	size_t least = too_far(name);

	for (size_t i = 0; i < count && name.len <= IQ_NEAREST_MAX; i++)
		compare(name, iq_view_cstr(*(const char *const *)(const void *)((const char *)first + i * stride)),
			&nearest, &least);
	return nearest;
}
