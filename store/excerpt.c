#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/reader.h"
#include "store/writer.h"

struct excerpt {
	struct iq_store *store;
	const struct iq_excerpt *wanted;
	struct iq_store_writer *writer;
	struct iq_sink sink; /* takes the events as they shall be kept */
	const struct iq_sink *entry;
	uint64_t position; /* bytes of evidence so far */
	uint64_t last;	   /* id that was looked at */
	struct iq_buf line;
};

static struct iq_view name_of(const struct excerpt *excerpt, uint32_t session_no)
{
	const struct iq_session *session = iq_store_find_session(excerpt->store, session_no);

	if (!session)
		return IQ_VIEW_NULL;
	return excerpt->wanted->name ? iq_view_cstr(excerpt->wanted->name) : session->name;
}

/* The evidence is what is kept: one line an event. */
static int keep_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct excerpt *excerpt = context;
	struct iq_event kept = *event;
	int rc;

	iq_buf_clear(&excerpt->line);
	kept.body_offset = kept.body_length = 0;
	if (iq_event_append_ndjson(&excerpt->line, &kept) < 0)
		return iq_error_nomem(error);
	kept.offset = excerpt->position;
	kept.length = excerpt->line.len;
	excerpt->position += excerpt->line.len;
	rc = iq_store_writer_number(excerpt->writer, event->id, error);
	if (rc == 0)
		rc = iq_store_writer_raw(excerpt->writer, excerpt->line.data, excerpt->line.len, error);
	if (rc == 0)
		rc = iq_store_writer_sink(excerpt->writer)->event(excerpt->writer, &kept, error);
	return rc;
}

static int keep_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct excerpt *excerpt = context;
	struct iq_gap kept = *gap;

	kept.offset = excerpt->position;
	kept.bytes = 0;
	return iq_store_writer_sink(excerpt->writer)->gap(excerpt->writer, &kept, error);
}

/* ---- Events ---- */

static int compare_ids(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool is_omitted(const struct iq_excerpt *wanted, uint64_t id)
{
	return wanted->omitted_count > 0 &&
	       bsearch(&id, wanted->omitted, wanted->omitted_count, sizeof(id), compare_ids);
}

static int give_session_events(struct excerpt *excerpt, struct iq_cursor *cursor, struct iq_error *error)
{
	struct iq_event event;
	int rc;

	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		excerpt->last = event.id;
		if (is_omitted(excerpt->wanted, event.id))
			continue;
		event.session = name_of(excerpt, event.session_no);
		rc = excerpt->entry->event(excerpt->entry->context, &event, error);
		if (rc < 0)
			break;
	}
	return rc;
}

/* All events from `from` to `to` of the sessions, or of no session at all. */
static int give_range(struct excerpt *excerpt, uint64_t from, uint64_t to, bool beside, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor;
	int rc;

	filter.id_min = from;
	filter.id_max = to;
	filter.sessions = beside ? NULL : excerpt->wanted->sessions;
	filter.session_count = beside ? 0 : excerpt->wanted->session_count;
	if (from > to)
		return 0;
	rc = iq_cursor_open(excerpt->store, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	rc = give_session_events(excerpt, cursor, error);
	iq_cursor_close(cursor);
	return rc;
}

/* In the order of their numbers. */
static int give_events(struct excerpt *excerpt, struct iq_error *error)
{
	uint64_t from = 0;
	int rc = 0;

	for (size_t i = 0; i < excerpt->wanted->beside_count && rc == 0; i++) {
		const uint64_t id = excerpt->wanted->beside[i];

		if (id < from)
			continue;
		rc = id > 0 ? give_range(excerpt, from, id - 1, false, error) : 0;
		if (rc == 0)
			rc = give_range(excerpt, id, id, true, error);
		from = id + 1;
	}
	return rc == 0 ? give_range(excerpt, from, UINT64_MAX, false, error) : rc;
}

static int give_note(struct excerpt *excerpt, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;

	if (!excerpt->wanted->note)
		return 0;
	event.id = excerpt->last + 1;
	event.ts = iq_clock_now();
	event.source = IQ_LIT("inquest");
	event.body = iq_view_cstr(excerpt->wanted->note);
	return excerpt->entry->event(excerpt->entry->context, &event, error);
}

/* ---- Gaps ---- */

bool iq_gap_touches(const struct iq_gap *gap, const struct iq_session *session)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "s%" PRIu32, session->no);
	if (gap->session.data && !iq_view_eq(gap->session, iq_view_cstr(name)))
		return false;
	if (gap->source.data && !iq_view_eq(gap->source, session->source))
		return false;
	if (gap->session.data)
		return true;
	if (gap->ts_min == IQ_TIME_NONE || session->started == IQ_TIME_NONE)
		return gap->after < session->last_event && (gap->before == 0 || gap->before > session->first_event);
	return gap->ts_min <= session->ended && (gap->ts_max == IQ_TIME_NONE || gap->ts_max >= session->started);
}

static int give_gap(struct excerpt *excerpt, const struct iq_gap *gap, struct iq_error *error)
{
	const struct iq_excerpt *wanted = excerpt->wanted;

	for (size_t i = 0; i < wanted->session_count; i++) {
		const struct iq_session *session = iq_store_find_session(excerpt->store, wanted->sessions[i]);
		struct iq_gap given = *gap;

		if (!iq_gap_touches(gap, session))
			continue;
		if (gap->session.data) {
			given.session = name_of(excerpt, session->no);
			given.source = session->source;
		}
		return excerpt->entry->gap(excerpt->entry->context, &given, error);
	}
	return 0;
}

static int give_gaps(struct excerpt *excerpt, struct iq_error *error)
{
	size_t count;
	const struct iq_gap *gaps = iq_store_gaps(excerpt->store, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = give_gap(excerpt, &gaps[i], error);
	return rc;
}

/* ---- The file ---- */

static int know_names(struct excerpt *excerpt, struct iq_error *error)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(excerpt->store, &count);
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = iq_store_writer_know(excerpt->writer, sources[i].name, sources[i].no, IQ_VIEW_NULL, 0, error);
	for (size_t i = 0; i < excerpt->wanted->session_count && rc == 0; i++) {
		const struct iq_session *session = iq_store_find_session(excerpt->store, excerpt->wanted->sessions[i]);

		if (!session)
			return iq_error_set(error, IQ_ERR_NOT_FOUND,
					    "no session s%" PRIu32 "; `inquest sessions` lists them",
					    excerpt->wanted->sessions[i]);
		rc = iq_store_writer_know(excerpt->writer, session->source, 0, name_of(excerpt, session->no),
					  session->no, error);
	}
	return rc;
}

static int write_all(struct excerpt *excerpt, struct iq_view name, struct iq_error *error)
{
	struct iq_evidence evidence;
	int rc = know_names(excerpt, error);

	if (rc == 0)
		rc = iq_store_writer_evidence_begin(excerpt->writer, name, IQ_LIT("ndjson"), error);
	if (rc == 0)
		rc = give_events(excerpt, error);
	if (rc == 0)
		rc = give_note(excerpt, error);
	if (rc == 0)
		rc = give_gaps(excerpt, error);
	if (rc == 0)
		rc = iq_store_writer_evidence_end(excerpt->writer, &evidence, error);
	return rc == 0 ? iq_store_writer_preview_end(excerpt->writer, error) : rc;
}

static int write_file(struct excerpt *excerpt, const char *temporary, const char *path, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = iq_store_writer_excerpt(temporary, &excerpt->writer, error);

	if (rc < 0)
		return rc;
	rc = write_all(excerpt, iq_view_cstr(iq_path_base(path)), error);
	iq_store_writer_free(excerpt->writer);
	if (rc == 0)
		rc = iq_segment_open(temporary, &segment, error);
	if (rc < 0)
		return rc;
	iq_segment_close(segment);
	/* Unlike rename() it never replaces what is there. */
	return link(temporary, path) < 0 ? iq_error_errno(error, IQ_ERR_IO, "%s: cannot make the file", path) : 0;
}

int iq_store_excerpt(struct iq_store *store, const struct iq_excerpt *wanted, const char *path, struct iq_error *error)
{
	struct excerpt excerpt = { .store = store, .wanted = wanted, .line = IQ_BUF_INIT };
	struct iq_buf temporary = IQ_BUF_INIT;
	int rc;

	excerpt.sink = (struct iq_sink){ keep_event, keep_gap, &excerpt };
	excerpt.entry = wanted->through ? wanted->through(wanted->context, &excerpt.sink) : &excerpt.sink;
	if (access(path, F_OK) == 0)
		return iq_error_set(error, IQ_ERR_USAGE, "%s: it is there already; name a new file", path);
	if (iq_buf_appendf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
		return iq_error_nomem(error);
	rc = write_file(&excerpt, temporary.data, path, error);
	(void)unlink(temporary.data);
	iq_buf_release(&temporary);
	iq_buf_release(&excerpt.line);
	return rc;
}
