/* replay/recorder.h - records a run, live: its events are written as NDJSON, which is their evidence, and go to the store's spool
 * with it, so that a run that is killed leaves what it saw.
 */
#ifndef IQ_REPLAY_RECORDER_H
#define IQ_REPLAY_RECORDER_H

#include "event/event.h"
#include "store/store.h"

struct iq_recorder;

/* Opens the run's store and begins its evidence, named `name`. The session is named after the recorded one; in a store
 * that has a run of it already, ` #2` and so on is appended, since the same name would be the same session. Caller
 * owns; release with iq_recorder_free(). */
int iq_recorder_open(const char *store_path, const char *name, struct iq_view session,
		     struct iq_recorder **ret_recorder, struct iq_error *error);
/* The number that the run's session has in the store. */
uint32_t iq_recorder_session_no(const struct iq_recorder *recorder);
/* Records one event: its time, source, session and seq are filled in here, and the type of what is no
 * message. */
int iq_recorder_event(struct iq_recorder *recorder, const struct iq_event *event, struct iq_error *error);
/* Ends the evidence and seals it. Without it the evidence stays in the spool, as a crash would leave it. */
int iq_recorder_close(struct iq_recorder *recorder, struct iq_error *error);
void iq_recorder_free(struct iq_recorder *recorder);

#endif
