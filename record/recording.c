#include "record/recording.h"

#include <inttypes.h>
#include <stdio.h>

/* One frame that holds several messages is several events, which share its bytes. */
static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct iq_recording *recording = context;

	if (recording->is_redacted) {
		iq_buf_clear(&recording->line);
		if (iq_event_append_ndjson(&recording->line, event) < 0)
			return iq_error_nomem(error);
		recording->raw = iq_buf_view(&recording->line);
	}
	recording->result->events++;
	recording->result->messages += event->kind == IQ_KIND_WS_MESSAGE || event->kind == IQ_KIND_SSE_MESSAGE;
	(void)iq_live_event(recording->live, event, recording->raw);
	recording->raw = IQ_VIEW_NULL;
	return 0;
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_recording *recording = context;

	(void)error;
	recording->result->gaps++;
	(void)iq_live_gap(recording->live, gap);
	return 0;
}

int iq_recording_event(void *context, struct iq_event *event, struct iq_view raw, struct iq_error *error)
{
	struct iq_recording *recording = context;

	recording->raw = raw.data ? raw : IQ_LIT("");
	return recording->described->event(recording->described->context, event, error);
}

int iq_recording_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct iq_recording *recording = context;

	return recording->described->gap(recording->described->context, gap, error);
}

int iq_recording_heartbeat(struct iq_recording *recording, struct iq_view source, uint64_t connections, int64_t now,
			   struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;
	char attrs[64];

	(void)snprintf(attrs, sizeof(attrs), "{\"connections\":%" PRIu64 "}", connections);
	event.kind = IQ_KIND_CLOCK;
	event.type = IQ_LIT("heartbeat");
	event.ts = event.observed = now;
	event.source = source;
	event.attrs = iq_view_cstr(attrs);
	return iq_recording_event(recording, &event, IQ_VIEW_NULL, error);
}

static void release(struct iq_recording *recording)
{
	iq_live_free(recording->live);
	iq_describer_free(recording->describer);
	iq_buf_release(&recording->line);
}

int iq_recording_open(struct iq_recording *recording, const char *store_path, const struct iq_tap_options *options,
		      struct iq_tap_result *result, struct iq_error *error)
{
	struct iq_live_options live = IQ_LIVE_OPTIONS_INIT;
	int rc;

	*recording = (struct iq_recording){ .result = result, .is_redacted = options->redactor != NULL };
	live.name = "tap";
	if (options->rotate_bytes)
		live.spool_bytes = options->rotate_bytes;
	live.format = recording->is_redacted ? "ndjson" : "tap";
	recording->sink = (struct iq_sink){ take_event, take_gap, recording };
	recording->describer = iq_describer_new(NULL, NULL);
	if (!recording->describer)
		return iq_error_nomem(error);
	recording->described = iq_describer_begin(
		recording->describer, NULL,
		options->redactor ? iq_redactor_sink(options->redactor, &recording->sink) : &recording->sink);
	rc = iq_live_open(store_path, &live, &recording->live, error);
	if (rc < 0)
		release(recording);
	return rc;
}

int iq_recording_close(struct iq_recording *recording, struct iq_error *error)
{
	struct iq_live_status status;
	int rc;

	iq_live_status(recording->live, &status);
	recording->result->lost = status.lost_events;
	rc = iq_live_close(recording->live, error);
	release(recording);
	return rc;
}
