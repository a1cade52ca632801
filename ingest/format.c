#include "ingest/formats.h"

/* Of equal scores the first wins. */
static const struct iq_format *const formats[] = {
	&iq_format_cri, &iq_format_docker_json, &iq_format_har, &iq_format_ndjson, NULL,
};

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

char *iq_format_names(void)
{
	struct iq_buf names = IQ_BUF_INIT;

	for (size_t i = 0; formats[i]; i++) {
		(void)iq_buf_append_cstr(&names, i > 0 ? "|" : "");
		(void)iq_buf_append_cstr(&names, formats[i]->name);
	}
	if (!names.failed)
		return iq_buf_detach(&names);
	iq_buf_release(&names);
	return NULL;
}

const struct iq_format *iq_format_probe(struct iq_view head)
{
	const struct iq_format *best = NULL;
	int best_score = 0;

	head.len = head.len < IQ_PROBE_BYTES ? head.len : IQ_PROBE_BYTES;
	for (size_t i = 0; formats[i]; i++) {
		int score = formats[i]->probe(head);

		if (score > best_score) {
			best_score = score;
			best = formats[i];
		}
	}
	return best;
}
