#include "replay/recorder.h"

#include <stdlib.h>
#include <sys/stat.h>

struct iq_recorder {
	struct iq_live *live;
	struct iq_buf line;
	struct iq_map sessions; /* name -> the next seq */
};

const struct iq_view iq_run_source = { "replay", 6 };

/* A run is small, and there may be many: each spool is written full of zeros first. */
#define SPOOL_BYTES (4u << 20)
#define RESERVE_BYTES (1u << 20)

int iq_recorder_open(const char *store_path, const char *name, struct iq_recorder **ret_recorder,
		     struct iq_error *error)
{
	struct iq_recorder *recorder;
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	struct stat there;
	int rc;

	if (stat(store_path, &there) == 0)
		return iq_error_set(error, IQ_ERR_USAGE, "%s: it is there already; name a new directory for this run",
				    store_path);
	recorder = calloc(1, sizeof(*recorder));
	if (!recorder)
		return iq_error_nomem(error);
	recorder->sessions = (struct iq_map)IQ_MAP_INIT;
	options.name = name;
	options.format = "ndjson";
	options.spool_bytes = SPOOL_BYTES;
	options.reserve_bytes = RESERVE_BYTES;
	rc = iq_live_open(store_path, &options, &recorder->live, error);
	if (rc < 0)
		iq_recorder_free(recorder);
	else
		*ret_recorder = recorder;
	return rc;
}

static int64_t next_seq(struct iq_recorder *recorder, struct iq_view session)
{
	uint64_t *seq = iq_map_get(&recorder->sessions, session);

	if (seq)
		return (int64_t)(*seq)++;
	return iq_map_set(&recorder->sessions, session, 1) < 0 ? IQ_NUMBER_NONE : 0;
}

int iq_recorder_event(struct iq_recorder *recorder, const struct iq_event *event, uint64_t *ret_id,
		      struct iq_error *error)
{
	struct iq_event stored = *event;

	stored.ts = iq_clock_now();
	stored.source = iq_run_source;
	stored.seq = next_seq(recorder, event->session);
	if (stored.kind != IQ_KIND_WS_MESSAGE && !stored.type.data)
		stored.type = iq_view_cstr(iq_kind_name(stored.kind));
	iq_buf_clear(&recorder->line);
	if (iq_event_append_ndjson(&recorder->line, &stored) < 0)
		return iq_error_nomem(error);
	/* What the disk does not take becomes a gap. The store is new, and its records are numbered as its events. */
	*ret_id = iq_live_event(recorder->live, &stored, iq_buf_view(&recorder->line));
	return 0;
}

int iq_recorder_close(struct iq_recorder *recorder, struct iq_error *error)
{
	return iq_live_close(recorder->live, error);
}

void iq_recorder_free(struct iq_recorder *recorder)
{
	if (!recorder)
		return;
	iq_live_free(recorder->live);
	iq_buf_release(&recorder->line);
	iq_map_release(&recorder->sessions);
	free(recorder);
}
