/* cli/progress.h - how far a long run is, in one line on a terminal's stderr; elsewhere nothing.
 *
 *	[########------------]  43%  1.2 of 2.8 GB  132 MB/s  12 s left  api.log
 *
 * Life: cli_progress_begin, cli_progress_show as often as there is something new, cli_progress_clear before anything else is
 * printed and at the end. One thread.
 */
#ifndef IQ_CLI_PROGRESS_H
#define IQ_CLI_PROGRESS_H

#include "base/base.h"

/* What is counted. */
enum cli_unit { CLI_BYTES, CLI_EVENTS };

struct cli_progress {
	enum cli_unit unit;
	bool on_terminal;
	bool coloured;
	bool shown;
	int64_t next;  /* not shown again before; by the monotonic clock */
	int64_t last;  /* when `rate` was looked at */
	uint64_t done; /* then */
	double rate;   /* a second, of the last seconds */
};

void cli_progress_begin(struct cli_progress *progress, enum cli_unit unit);
/* `what` is at hand (may be empty); `total` 0: not known. */
void cli_progress_show(struct cli_progress *progress, struct iq_view what, uint64_t done, uint64_t total);
void cli_progress_clear(struct cli_progress *progress);

/* How much of the whole, as in `43%`, or `1.2 GB` where the whole is not known. Appended. */
void cli_progress_append_done(struct iq_buf *buf, enum cli_unit unit, uint64_t done, uint64_t total);

#endif
