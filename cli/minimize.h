/* cli/minimize.h - --minimize: the smallest part of a failing replay that still fails, as a golden recording of its own.
 */
#ifndef IQ_CLI_MINIMIZE_H
#define IQ_CLI_MINIMIZE_H

#include "cli/case.h"
#include "replay/replay.h"

/* Shrinks the first violated session of `replay`, whose run is over, and writes what is left to `path`. `budget_ns`: how long it may
 * look. Sets the status where it cannot. */
void cli_minimize(struct cli *cli, struct iq_store *store, const struct iq_replay_options *options,
		  const struct iq_replay *replay, const char *path, int64_t budget_ns);

#endif
