/* Clocks that were wrong: a shift for each source, which says when its events were by the clock of the others. Times stay what they
 * are; where sources are compared, they are compared as shifted. */
#include "store/reader.h"
#include "store/store.h"

static struct iq_source *find_source(const struct iq_store *store, struct iq_view name)
{
	for (size_t i = 0; i < store->source_count; i++)
		if (iq_view_eq(store->sources[i].name, name))
			return &store->sources[i];
	return NULL;
}

int iq_store_set_skew_range(struct iq_store *store, struct iq_view source, int64_t least, int64_t most,
			    struct iq_error *error)
{
	struct iq_source *found = find_source(store, source);

	if (!found)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "no source %.*s; `inquest sources` lists them",
				    IQ_VIEW_ARG(iq_utf8_cut(source, 100)));
	if (least > most)
		return iq_error_set(error, IQ_ERR_USAGE, "a shift from %lld ns to %lld ns: the smaller one comes first",
				    (long long)least, (long long)most);
	/* Halves first: the sum may be too large. */
	found->skew = least / 2 + most / 2 + (least % 2 + most % 2) / 2;
	found->skew_width = most - found->skew;
	found->skew_given = true;
	store->skewed = true;
	return 0;
}

int iq_store_set_skew(struct iq_store *store, struct iq_view source, int64_t ns, struct iq_error *error)
{
	return iq_store_set_skew_range(store, source, ns, ns, error);
}

int64_t iq_store_skew(const struct iq_store *store, struct iq_view source)
{
	const struct iq_source *found = store->skewed && source.data ? find_source(store, source) : NULL;

	return found ? found->skew : 0;
}

int64_t iq_store_align(const struct iq_store *store, struct iq_view source, int64_t ts)
{
	return iq_time_shift(ts, iq_store_skew(store, source));
}

int64_t iq_store_skew_span(const struct iq_store *store)
{
	int64_t least = 0, most = 0;

	for (size_t i = 0; store->skewed && i < store->source_count; i++) {
		least = store->sources[i].skew < least ? store->sources[i].skew : least;
		most = store->sources[i].skew > most ? store->sources[i].skew : most;
	}
	return most - least;
}
