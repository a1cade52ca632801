#include "ingest/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct log {
	struct iq_buf source;
	int64_t started; /* IQ_TIME_NONE: not told */
	int64_t first;	 /* IQ_TIME_NONE: no record yet */
	bool kept_whole;
	bool told;
};

struct iq_history {
	struct log *logs;
	size_t count;
	size_t capacity;
	size_t last; /* the log that was found last */
	char *path;  /* of the evidence before; NULL: there is none */
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
	for (size_t i = 0; i < history->count; i++)
		iq_buf_release(&history->logs[i].source);
	free(history->logs);
	free(history->path);
	free(history);
}

/* ---- Logs that begin late ---- */

static struct log *add_log(struct iq_history *history, struct iq_view source)
{
	struct log *log;

	if (history->count == IQ_HISTORY_SOURCES ||
	    IQ_ARRAY_GROW(history->logs, history->capacity, history->count + 1) < 0)
		return NULL;
	log = &history->logs[history->count];
	*log = (struct log){ .source = IQ_BUF_INIT, .started = IQ_TIME_NONE, .first = IQ_TIME_NONE };
	if (iq_buf_append(&log->source, source) < 0)
		return NULL;
	history->last = history->count++;
	return log;
}

/* NULL where there are too many: they are not looked after. */
static struct log *find_log(struct iq_history *history, struct iq_view source)
{
	if (history->last < history->count && iq_view_eq(iq_buf_view(&history->logs[history->last].source), source))
		return &history->logs[history->last];
	for (size_t i = 0; i < history->count; i++) {
		if (iq_view_eq(iq_buf_view(&history->logs[i].source), source)) {
			history->last = i;
			return &history->logs[i];
		}
	}
	return add_log(history, source);
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

static int give_late(struct log *log, const struct iq_sink *sink, uint64_t offset, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	char text[160];

	log->told = true;
	(void)snprintf(text, sizeof(text),
		       "the container started %" PRId64
		       " s before its log begins: what it wrote until then may be rotated away",
		       (log->first - log->started) / IQ_NS_PER_S);
	gap.source = iq_buf_view(&log->source);
	gap.ts_min = log->started;
	gap.ts_max = log->first;
	gap.offset = offset;
	gap.reason = iq_view_cstr(text);
	return sink->gap(sink->context, &gap, error);
}

int iq_history_end(struct iq_history *history, const struct iq_sink *sink, uint64_t offset, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < history->count && rc == 0; i++)
		if (begins_late(&history->logs[i]))
			rc = give_late(&history->logs[i], sink, offset, error);
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
