#include "ingest/formats.h"

#define ENTRY(symbol, name) &iq_format_##symbol,

static const struct iq_format *const formats[] = { IQ_FORMATS(ENTRY) NULL };

const struct iq_format *const *iq_formats(void)
{
	return formats;
}

const struct iq_format *iq_format_by_name(struct iq_view name)
{
	for (size_t i = 0; formats[i]; i++)
		if (iq_view_eq(name, iq_view_cstr(formats[i]->name)))
			return formats[i];
	return NULL;
}

const struct iq_format *iq_format_probe(struct iq_view head, int *ret_sure)
{
	const struct iq_format *best = NULL;
	int best_score = 0;

	head.len = head.len < IQ_PROBE_BYTES ? head.len : IQ_PROBE_BYTES;
	for (size_t i = 0; formats[i]; i++) {
		const int score = formats[i]->probe ? formats[i]->probe(head) : 0;

		if (score > best_score) {
			best_score = score;
			best = formats[i];
		}
	}
	*ret_sure = best_score;
	return best;
}

bool iq_format_comes_last(struct iq_view head)
{
	for (size_t i = 0; formats[i]; i++)
		if (formats[i]->comes_last && formats[i]->probe(head) > 0)
			return true;
	return false;
}
