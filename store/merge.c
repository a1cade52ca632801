#include "store/merge.h"

#include <stdlib.h>

#include "store/reader.h"

static int compare_sources(const void *a, const void *b)
{
	const struct iq_source *x = a, *y = b;

	return (x->no > y->no) - (x->no < y->no);
}

/* The parts of a session in their order: the last of them tells how it ended. */
static int compare_sessions(const void *a, const void *b)
{
	const struct iq_session *x = &((const struct iq_segment_session *)a)->session;
	const struct iq_session *y = &((const struct iq_segment_session *)b)->session;

	if (x->no != y->no)
		return x->no < y->no ? -1 : 1;
	return (x->first_event > y->first_event) - (x->first_event < y->first_event);
}

int iq_merge_sources(struct iq_segment_writer *writer, struct iq_segment *const *segments, size_t count, bool emptied,
		     struct iq_error *error)
{
	struct iq_source *sources = NULL;
	size_t found = 0, total = 0;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		total += segments[i]->source_count;
	sources = calloc(total + 1, sizeof(*sources));
	if (!sources)
		return iq_error_nomem(error);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < segments[i]->source_count; j++)
			sources[found++] = segments[i]->sources[j];
	qsort(sources, found, sizeof(*sources), compare_sources);
	for (size_t i = 0, next; i < found && rc == 0; i = next) {
		for (next = i + 1; next < found && sources[next].no == sources[i].no; next++)
			iq_source_fold(&sources[i], &sources[next]);
		if (emptied)
			sources[i].events = 0;
		rc = iq_segment_writer_source(writer, &sources[i], error);
	}
	free(sources);
	return rc;
}

int iq_merge_sessions(struct iq_segment_writer *writer, struct iq_segment *const *segments, size_t count, bool emptied,
		      struct iq_error *error)
{
	struct iq_segment_session *sessions = NULL;
	size_t found = 0, total = 0;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		total += segments[i]->session_count;
	sessions = calloc(total + 1, sizeof(*sessions));
	if (!sessions)
		return iq_error_nomem(error);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < segments[i]->session_count; j++)
			sessions[found++] = segments[i]->sessions[j];
	qsort(sessions, found, sizeof(*sessions), compare_sessions);
	for (size_t i = 0, next; i < found && rc == 0; i = next) {
		for (next = i + 1; next < found && sessions[next].session.no == sessions[i].session.no; next++)
			iq_session_fold(&sessions[i].session, &sessions[next].session);
		if (emptied)
			sessions[i].session.events = 0;
		rc = iq_segment_writer_session(writer, &sessions[i].session, sessions[i].source_no, error);
	}
	free(sessions);
	return rc;
}
