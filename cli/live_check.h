/* cli/live_check.h - `record --spec`: what is recorded is checked meanwhile.
 *
 * A thread reads the store that is being written, as any other reader does, and checks it again and again; so a verdict is the one that
 * `inquest check` gives at that moment, and the recording never waits for it. It rests ten times as long as the last look took, and at
 * least a second. An instance is told once, when it is violated; nothing that comes later can mend it.
 *
 * Life: cli_live_check_begin, the recording, cli_live_check_end. Both are called from the same thread.
 */
#ifndef IQ_CLI_LIVE_CHECK_H
#define IQ_CLI_LIVE_CHECK_H

#include "cli/cli.h"

struct cli_live_check;

/* Of --spec and --exec. False where they cannot be followed: the status is set. *ret_check is NULL without --spec. Caller owns; release with
 * cli_live_check_end(). */
bool cli_live_check_begin(struct cli *cli, const char *store, struct cli_live_check **ret_check);
/* Looks once more, after the store was sealed, prints the counts of each lifecycle and sets the status to CLI_VIOLATED where an instance is.
 * NULL is allowed. */
void cli_live_check_end(struct cli_live_check *check);

#endif
