/* replay/recorder.h - records a run, live: its events are written as NDJSON, which is their evidence, and go to the store's spool
 * with it, so that a run that is killed leaves what it saw.
 */
#ifndef IQ_REPLAY_RECORDER_H
#define IQ_REPLAY_RECORDER_H

#include "event/event.h"
#include "store/store.h"

struct iq_recorder;

/* What sessions of a run come from. Static. */
extern const struct iq_view iq_run_source;

/* Makes the run's store and begins its evidence, named `name`. Caller owns; release with iq_recorder_free(). Errors: IQ_ERR_USAGE where
 * there is a store already, as iq_live_open(). */
int iq_recorder_open(const char *store_path, const char *name, struct iq_recorder **ret_recorder,
		     struct iq_error *error);
/* Records one event of the session that it names: its time, source and seq are filled in here, and the type of what is no message.
 * *ret_id is the number that it has in the store; 0 where it was lost, which a gap says. */
int iq_recorder_event(struct iq_recorder *recorder, const struct iq_event *event, uint64_t *ret_id,
		      struct iq_error *error);
/* Ends the evidence and seals it. Without it the evidence stays in the spool, as a crash would leave it. */
int iq_recorder_close(struct iq_recorder *recorder, struct iq_error *error);
void iq_recorder_free(struct iq_recorder *recorder);

#endif
