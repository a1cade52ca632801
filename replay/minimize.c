#include "replay/minimize.h"

#include <stdlib.h>
#include <string.h>

struct search {
	bool *kept;
	bool *trial;
	size_t count;
	iq_fails_fn *fails;
	void *context;
};

static size_t count_kept(const struct search *search)
{
	size_t kept = 0;

	for (size_t i = 0; i < search->count; i++)
		kept += search->kept[i];
	return kept;
}

/* Without the n-th of `parts` parts of what is kept. 1: it still fails, and the part is gone. */
static int try_without(struct search *search, size_t part, size_t parts, size_t total)
{
	const size_t from = total * part / parts, to = total * (part + 1) / parts;
	size_t nth = 0;
	int rc;

	memcpy(search->trial, search->kept, search->count * sizeof(*search->trial));
	for (size_t i = 0; i < search->count; i++)
		if (search->kept[i] && nth++ >= from && nth <= to)
			search->trial[i] = false;
	rc = search->fails(search->context, search->trial);
	if (rc > 0)
		memcpy(search->kept, search->trial, search->count * sizeof(*search->trial));
	return rc;
}

/* Parts become smaller until they are single units, none of which can go. */
static int narrow(struct search *search)
{
	size_t parts = 2, total = count_kept(search);

	while (total > 0) {
		int rc = 0;

		if (parts > total)
			parts = total;
		for (size_t part = 0; part < parts && rc == 0; part++)
			rc = try_without(search, part, parts, total);
		if (rc < 0)
			return rc;
		if (rc == 0 && parts == total)
			return 0;
		total = count_kept(search);
		parts = rc > 0 ? (parts > 2 ? parts - 1 : 2) : parts * 2;
	}
	return 0;
}

int iq_minimize(bool *kept, size_t count, iq_fails_fn *fails, void *context)
{
	struct search search = { kept, calloc(count + 1, sizeof(bool)), count, fails, context };
	const int rc = search.trial ? narrow(&search) : IQ_ERR_NOMEM;

	free(search.trial);
	return rc;
}
