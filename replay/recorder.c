#include "replay/recorder.h"

#include <stdlib.h>

struct iq_recorder {
	struct iq_live *live;
	struct iq_buf session;
	struct iq_buf line;
	int64_t seq;
	uint32_t session_no;
};

static const struct iq_view run_source = { "replay", 6 };

/* A run is small, and there may be many: each spool is written full of zeros first. */
#define SPOOL_BYTES (4u << 20)
#define RESERVE_BYTES (1u << 20)

static bool is_taken(const struct iq_store *store, struct iq_view name)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	for (size_t i = 0; i < count; i++)
		if (iq_view_eq(sessions[i].source, run_source) && iq_view_eq(sessions[i].name, name))
			return true;
	return false;
}

/* Sets a name that no session of the store has, and the number that follows theirs. */
static int name_session(struct iq_recorder *recorder, const struct iq_store *store, struct iq_view recorded)
{
	size_t count = 0;
	const struct iq_session *sessions = store ? iq_store_sessions(store, &count) : NULL;
	unsigned run = 1;

	(void)iq_buf_append(&recorder->session, recorded);
	while (store && is_taken(store, iq_buf_view(&recorder->session)) && !recorder->session.failed) {
		iq_buf_clear(&recorder->session);
		(void)iq_buf_append(&recorder->session, recorded);
		(void)iq_buf_appendf(&recorder->session, " #%u", ++run);
	}
	recorder->session_no = count ? sessions[count - 1].no + 1 : 1;
	return recorder->session.failed ? IQ_ERR_NOMEM : 0;
}

/* The writer's lock is held, so the store stays as it is read here. A new one has nothing to read yet. */
static int begin_session(struct iq_recorder *recorder, const char *path, struct iq_view recorded,
			 struct iq_error *error)
{
	struct iq_store *store = NULL;
	struct iq_error unused = IQ_ERROR_INIT;
	int rc;

	(void)iq_store_open(path, &store, &unused);
	rc = name_session(recorder, store, recorded);
	iq_store_close(store);
	return rc < 0 ? iq_error_nomem(error) : 0;
}

int iq_recorder_open(const char *store_path, const char *name, struct iq_view session,
		     struct iq_recorder **ret_recorder, struct iq_error *error)
{
	struct iq_recorder *recorder = calloc(1, sizeof(*recorder));
	struct iq_live_options options = IQ_LIVE_OPTIONS_INIT;
	int rc;

	if (!recorder)
		return iq_error_nomem(error);
	options.name = name;
	options.format = "ndjson";
	options.spool_bytes = SPOOL_BYTES;
	options.reserve_bytes = RESERVE_BYTES;
	rc = iq_live_open(store_path, &options, &recorder->live, error);
	if (rc == 0)
		rc = begin_session(recorder, store_path, session, error);
	if (rc < 0)
		iq_recorder_free(recorder);
	else
		*ret_recorder = recorder;
	return rc;
}

uint32_t iq_recorder_session_no(const struct iq_recorder *recorder)
{
	return recorder->session_no;
}

int iq_recorder_event(struct iq_recorder *recorder, const struct iq_event *event, struct iq_error *error)
{
	struct iq_event stored = *event;

	stored.ts = iq_clock_now();
	stored.source = run_source;
	stored.session = iq_buf_view(&recorder->session);
	stored.seq = recorder->seq++;
	if (stored.kind != IQ_KIND_WS_MESSAGE && !stored.type.data)
		stored.type = iq_view_cstr(iq_kind_name(stored.kind));
	iq_buf_clear(&recorder->line);
	if (iq_event_append_ndjson(&recorder->line, &stored) < 0)
		return iq_error_nomem(error);
	/* What the disk does not take becomes a gap. */
	(void)iq_live_event(recorder->live, &stored, iq_buf_view(&recorder->line));
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
	iq_buf_release(&recorder->session);
	iq_buf_release(&recorder->line);
	free(recorder);
}
