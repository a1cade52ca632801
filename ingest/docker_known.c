/* What the store has from an earlier recording, so that one that is begun again goes on where that ended. */
#include <stdio.h>

#include "ingest/docker_recorder.h"

#define TOLD_KEY_BYTES 80

static struct iq_view attr(const struct iq_event *event, const char *pointer, struct iq_buf *scratch)
{
	iq_buf_clear(scratch);
	return iq_json_pointer(event->attrs, iq_view_cstr(pointer), scratch).text;
}

static struct iq_view told_key(char key[TOLD_KEY_BYTES], struct iq_view id, struct iq_view action)
{
	const int len =
		snprintf(key, TOLD_KEY_BYTES, "%.*s %.*s", IQ_VIEW_ARG(iq_docker_short_id(id)), IQ_VIEW_ARG(action));

	return iq_view_make(key, len < TOLD_KEY_BYTES ? (size_t)len : TOLD_KEY_BYTES - 1);
}

static int remember_event(struct iq_docker_recorder *recorder, const struct iq_event *event, struct iq_buf *scratch)
{
	const struct iq_json_value engine = iq_json_pointer(event->attrs, IQ_LIT("/engine"), scratch);
	char buffer[TOLD_KEY_BYTES];
	const struct iq_view key = told_key(buffer, event->key, event->type);
	const uint64_t *told = iq_map_get(&recorder->told, key);

	if ((!told || (int64_t)*told < event->ts) && iq_map_set(&recorder->told, key, (uint64_t)event->ts) < 0)
		return IQ_ERR_NOMEM;
	/* All of them are remembered, not only the latest: the Engine is asked for all that it has. */
	return engine.type == IQ_JSON_OBJECT_BEGIN
		       ? iq_docker_seen_add(&recorder->seen, event->ts, iq_hash64(engine.raw), IQ_DOCKER_SEEN_ALL)
		       : 0;
}

static int remember_events(struct iq_docker_recorder *recorder, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	filter.kinds = 1u << IQ_KIND_CONTAINER;
	rc = iq_cursor_open(recorder->before, &filter, &cursor, error);
	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0) {
		iq_buf_clear(&scratch);
		if (event.ts != IQ_TIME_NONE && remember_event(recorder, &event, &scratch) < 0)
			rc = iq_error_nomem(error);
		if (rc < 0)
			break;
	}
	iq_cursor_close(cursor);
	iq_buf_release(&scratch);
	return rc;
}

int iq_docker_known_open(struct iq_docker_recorder *recorder, struct iq_error *error)
{
	struct iq_error unused = IQ_ERROR_INIT;

	/* A new store has nothing to be read yet. */
	if (iq_store_open_lazily(recorder->store_path, &recorder->before, &unused) < 0)
		return 0;
	return remember_events(recorder, error);
}

int64_t iq_docker_known_told(const struct iq_docker_recorder *recorder, struct iq_view id, const char *action)
{
	char buffer[TOLD_KEY_BYTES];
	const uint64_t *told = iq_map_get(&recorder->told, told_key(buffer, id, iq_view_cstr(action)));

	return told ? (int64_t)*told : IQ_TIME_NONE;
}

/* ---- Lines ---- */

static bool has_source(struct iq_store *store, struct iq_view name)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);

	for (size_t i = 0; i < count; i++)
		if (iq_view_eq(sources[i].name, name))
			return true;
	return false;
}

/* Is it a line that this recorder wrote of that container? */
static bool read_line(const struct iq_event *event, struct iq_view id, struct iq_docker_line *line,
		      struct iq_buf *scratch)
{
	int64_t bytes;

	if (event->ts == IQ_TIME_NONE || !event->attrs.data ||
	    !iq_view_eq(attr(event, "/container", scratch), iq_docker_short_id(id)))
		return false;
	*line = (struct iq_docker_line){ .ts = event->ts, .text = event->body, .bytes = event->body.len };
	line->stream = iq_view_eq(attr(event, "/stream", scratch), IQ_LIT("stderr")) ? 2 : 1;
	if (iq_view_to_int64(attr(event, "/body_bytes", scratch), &bytes))
		line->bytes = (uint64_t)bytes;
	return true;
}

/* Gives lines until `take` returns anything but 0, which is returned. */
static int walk(struct iq_store *store, const struct iq_filter *filter, struct iq_view id, iq_docker_line_fn *take,
		void *context, struct iq_error *error)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_docker_line line;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc = iq_cursor_open(store, filter, &cursor, error);
	int taken = 0;

	if (rc < 0)
		return rc;
	while (taken == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0)
		if (read_line(&event, id, &line, &scratch))
			taken = take(context, &line, error);
	iq_cursor_close(cursor);
	iq_buf_release(&scratch);
	return rc < 0 ? rc : taken;
}

static int take_latest(void *context, const struct iq_docker_line *line, struct iq_error *error)
{
	int64_t *latest = context;

	(void)error;
	*latest = line->ts;
	return 1;
}

int iq_docker_known_lines(struct iq_docker_recorder *recorder, struct iq_view source, struct iq_view id,
			  iq_docker_line_fn *take, void *context, struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	int64_t latest = IQ_TIME_NONE;
	int rc;

	if (!recorder->before || !has_source(recorder->before, source))
		return 0;
	filter.kinds = 1u << IQ_KIND_LOG;
	filter.sources = &source;
	filter.source_count = 1;
	filter.columns = 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_ATTRS;
	filter.order = IQ_ORDER_TIME_DESC;
	rc = walk(recorder->before, &filter, id, take_latest, &latest, error);
	if (rc <= 0)
		return rc;
	filter.columns |= 1u << IQ_COLUMN_BODY;
	filter.order = IQ_ORDER_ID;
	filter.ts_min = latest - IQ_DOCKER_SEEN_NS;
	return walk(recorder->before, &filter, id, take, context, error);
}

void iq_docker_known_close(struct iq_docker_recorder *recorder)
{
	iq_store_close(recorder->before);
	iq_map_release(&recorder->told);
}
