#include "query/report.h"

#include <stdio.h>

static void widen(int64_t from, int64_t to, int64_t *ret_from, int64_t *ret_to)
{
	if (from != IQ_TIME_NONE && (*ret_from == IQ_TIME_NONE || from < *ret_from))
		*ret_from = from;
	if (to > *ret_to)
		*ret_to = to;
}

void iq_report_coverage(const struct iq_store *store, int64_t *ret_from, int64_t *ret_to)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);
	const struct iq_evidence *evidence;

	*ret_from = *ret_to = IQ_TIME_NONE;
	for (size_t i = 0; i < count; i++) {
		widen(iq_time_shift(sources[i].first, sources[i].skew), iq_time_shift(sources[i].last, sources[i].skew),
		      ret_from, ret_to);
	}
	evidence = iq_store_evidence(store, &count);
	for (size_t i = 0; i < count; i++)
		widen(evidence[i].covers_from, evidence[i].covers_to, ret_from, ret_to);
}

void iq_report_append_what(struct iq_buf *buf, enum iq_kind kind, struct iq_view type)
{
	if (kind == IQ_KIND_NET_ERROR && iq_view_eq(type, IQ_LIT("cut")))
		(void)iq_buf_append_cstr(buf, "cut, no close frame");
	else if (kind == IQ_KIND_WS_CLOSE)
		(void)iq_buf_append_cstr(buf, "closed");
	else if (kind == IQ_KIND_WS_OPEN)
		(void)iq_buf_append_cstr(buf, "opened");
	else if (type.data)
		(void)iq_utf8_append_safe(buf, iq_utf8_cut(type, 60));
	else
		(void)iq_buf_append_cstr(buf, iq_kind_name(kind));
}

void iq_report_append_place(struct iq_buf *buf, const struct iq_store *store, uint32_t no, uint64_t offset,
			    uint64_t length)
{
	const struct iq_evidence *evidence = iq_store_find_evidence(store, no);
	struct iq_view path = evidence ? evidence->path : IQ_LIT("?");
	size_t start = path.len;

	while (start > 0 && path.data[start - 1] != '/')
		start--;
	(void)iq_utf8_append_safe(buf, iq_view_from(path, start));
	(void)iq_buf_appendf(buf, ":%llu+%llu", (unsigned long long)offset, (unsigned long long)length);
}

void iq_report_append_count(struct iq_buf *buf, uint64_t count)
{
	if (count >= 1000) {
		iq_report_append_count(buf, count / 1000);
		(void)iq_buf_appendf(buf, ",%03u", (unsigned)(count % 1000));
	} else {
		(void)iq_buf_appendf(buf, "%u", (unsigned)count);
	}
}
