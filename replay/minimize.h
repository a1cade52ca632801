/* replay/minimize.h - delta debugging (Zeller and Hildebrandt, 2002): the smallest part of a failing case that still fails. Free of I/O.
 * Included by replay/replay.h.
 */
#ifndef IQ_REPLAY_MINIMIZE_H
#define IQ_REPLAY_MINIMIZE_H

#include <inquest/base.h>

/* Does it still fail with those of the units that are kept? 1, 0, negative: it cannot be said, and the search ends with that. */
typedef int iq_fails_fn(void *context, const bool *kept);

/* `kept` (all true, and known to fail) becomes such that leaving out any one more makes the failure vanish. IQ_ERR_LIMIT where `fails` said
 * so: `kept` is then the smallest that was found. */
int iq_minimize(bool *kept, size_t count, iq_fails_fn *fails, void *context);

#endif
