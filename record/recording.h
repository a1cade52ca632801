/* record/recording.h - what the taps of a run hear on its way into the store: described, secrets taken out, and into the spool, which never
 * waits for the disk. Private to record/. Thread rule: that of the loop.
 */
#ifndef IQ_RECORD_RECORDING_H
#define IQ_RECORD_RECORDING_H

#include "ingest/ingest.h"
#include "record/record.h"

struct iq_recording {
	struct iq_live *live;
	struct iq_describer *describer;
	const struct iq_sink *described; /* takes events, describes them, and gives them to the spool */
	struct iq_sink sink;
	bool is_redacted;
	struct iq_view raw; /* of the event at hand; the NULL view once it was given */
	struct iq_buf line; /* the event itself, where that is its evidence */
	struct iq_tap_result *result;
};

/* `format`: how the evidence is to be read. Releases itself where it fails. */
int iq_recording_open(struct iq_recording *recording, const char *store_path, const struct iq_tap_options *options,
		      struct iq_tap_result *result, struct iq_error *error);
/* Seals. */
int iq_recording_close(struct iq_recording *recording, struct iq_error *error);

/* For struct iq_traffic_options, with the recording as context. */
int iq_recording_event(void *context, struct iq_event *event, struct iq_view raw, struct iq_error *error);
int iq_recording_gap(void *context, const struct iq_gap *gap, struct iq_error *error);
/* A source was being listened to: what it did not say then it did not say. */
int iq_recording_heartbeat(struct iq_recording *recording, struct iq_view source, uint64_t connections, int64_t now,
			   struct iq_error *error);

#endif
