#include "query/gap.h"

#include <stdio.h>

/* Ids are given in the order of the evidence, so they tell which came first within one. */
static bool is_outside(const struct iq_gap *gap, const struct iq_session *session)
{
	bool before = gap->before != 0 && gap->before <= session->first_event;
	bool after = gap->before == 0 || gap->before > session->last_event;

	return (session->start_seen && before) || (session->end_seen && after);
}

static bool shares_evidence(const struct iq_store *store, const struct iq_gap *gap, const struct iq_session *session)
{
	const struct iq_evidence *evidence = iq_store_find_evidence(store, gap->evidence);

	return evidence && evidence->first_event <= session->last_event && evidence->last_event >= session->first_event;
}

bool iq_gap_touches_session(const struct iq_store *store, const struct iq_gap *gap, const struct iq_session *session)
{
	char name[16];

	if (gap->session.data) {
		(void)snprintf(name, sizeof(name), "s%u", session->no);
		return iq_view_eq(gap->session, iq_view_cstr(name));
	}
	if (gap->source.data ? !iq_view_eq(gap->source, session->source) : !shares_evidence(store, gap, session))
		return false;
	return !is_outside(gap, session);
}
