/* replay/schedule.h - which sessions of a run begin when, and how many there are at a time. Plain arithmetic on plans and options. Private to
 * replay/.
 */
#ifndef IQ_REPLAY_SCHEDULE_H
#define IQ_REPLAY_SCHEDULE_H

#include "replay/fleet.h"

/* Files that are open beside the sessions' sockets: the recording's segments, the run, the loop's own. */
#define IQ_SCHEDULE_OTHER_FILES 128u

/* All plans, as often as they are repeated. */
size_t iq_schedule_count(const struct iq_replay *replay);
/* When the n-th session may begin, after the run did, in ns. */
int64_t iq_schedule_start(const struct iq_replay *replay, size_t index);
/* May so many sockets be open? IQ_ERR_USAGE, with what to do; IQ_ERR_NOMEM. */
int iq_schedule_check_files(const struct iq_replay *replay, struct iq_error *error);

#endif
