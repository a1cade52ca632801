#include "ingest/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct log {
	int64_t started; /* IQ_TIME_NONE: not told */
	int64_t first;	 /* IQ_TIME_NONE: no record yet */
	bool kept_whole;
	bool told;
};

struct iq_history {
	struct iq_map sources; /* interned: their numbers are those of the logs */
	struct log *logs;
	size_t capacity;
	char *path; /* of the evidence before; NULL: there is none */
	int64_t path_last;
};

struct iq_history *iq_history_new(void)
{
	return calloc(1, sizeof(struct iq_history));
}

void iq_history_free(struct iq_history *history)
{
	if (!history)
		return;
	iq_map_release(&history->sources);
	free(history->logs);
	free(history->path);
	free(history);
}

/* ---- Logs that begin late ---- */

/* NULL where there are too many, or no memory is left: such a log is not looked after. */
static struct log *find_log(struct iq_history *history, struct iq_view source)
{
	const uint64_t *known = iq_map_get(&history->sources, source);
	uint32_t number;

	if (known)
		return &history->logs[*known];
	if (history->sources.count == IQ_HISTORY_SOURCES ||
	    IQ_ARRAY_GROW(history->logs, history->capacity, history->sources.count + 1) < 0 ||
	    iq_map_intern(&history->sources, source, &number) < 0)
		return NULL;
	history->logs[number] = (struct log){ .started = IQ_TIME_NONE, .first = IQ_TIME_NONE };
	return &history->logs[number];
}

void iq_history_started(struct iq_history *history, struct iq_view source, int64_t ts, struct iq_view limit)
{
	struct log *log = source.len > 0 && ts != IQ_TIME_NONE ? find_log(history, source) : NULL;

	if (!log)
		return;
	log->started = ts;
	log->kept_whole = iq_view_eq(limit, IQ_LIT("none"));
}

void iq_history_logged(struct iq_history *history, struct iq_view source, int64_t ts)
{
	struct log *log = ts != IQ_TIME_NONE ? find_log(history, source) : NULL;

	if (log && (log->first == IQ_TIME_NONE || ts < log->first))
		log->first = ts;
}

static bool begins_late(const struct log *log)
{
	return log->started != IQ_TIME_NONE && log->first != IQ_TIME_NONE && !log->kept_whole && !log->told &&
	       log->first > log->started && log->first - log->started > IQ_HISTORY_SLACK;
}

static int give_late(struct log *log, struct iq_view source, const struct iq_sink *sink, uint64_t offset,
		     struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	char text[160];

	log->told = true;
	(void)snprintf(text, sizeof(text),
		       "the container started %" PRId64
		       " s before its log begins: what it wrote until then may be rotated away",
		       (log->first - log->started) / IQ_NS_PER_S);
	gap.source = source;
	gap.ts_min = log->started;
	gap.ts_max = log->first;
	gap.offset = offset;
	gap.reason = iq_view_cstr(text);
	return sink->gap(sink->context, &gap, error);
}

int iq_history_end(struct iq_history *history, const struct iq_sink *sink, uint64_t offset, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < history->sources.count && rc == 0; i++)
		if (begins_late(&history->logs[i]))
			rc = give_late(&history->logs[i], history->sources.entries[i].key, sink, offset, error);
	return rc;
}

/* ---- Turns ---- */

bool iq_history_missing(const struct iq_history *history, const char *path, struct iq_buf *ret_reason,
			int64_t *ret_since)
{
	const struct iq_rotation now = iq_rotation_of(path);
	struct iq_rotation before;
	struct iq_view stem;

	if (!history->path)
		return false;
	before = iq_rotation_of(history->path);
	if (!iq_view_eq(before.stem, now.stem) || before.date.data || now.date.data || before.number < now.number + 2)
		return false;
	stem = iq_view_cstr(iq_path_base(path));
	stem.len -= strlen(path) - now.stem.len;
	(void)iq_buf_appendf(ret_reason, "%.*s.%" PRIu64, IQ_VIEW_ARG(stem), before.number - 1);
	if (before.number - 1 > now.number + 1)
		(void)iq_buf_appendf(ret_reason, " to .%" PRIu64, now.number + 1);
	(void)iq_buf_append_cstr(ret_reason, " missing: turns of the rotation before and after are there");
	*ret_since = history->path_last;
	return !ret_reason->failed;
}

int iq_history_turn(struct iq_history *history, const char *path, int64_t last)
{
	free(history->path);
	history->path = strdup(path);
	history->path_last = last;
	return history->path ? 0 : IQ_ERR_NOMEM;
}
