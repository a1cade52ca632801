/* ingest/times.h - the times that log lines begin with, by a table of formats. docs/formats.md lists them.
 *
 * Rules, where a time does not say everything:
 *  - no zone: that of the options (`--zone`, UTC);
 *  - no year: the newest year in which the time does not lie more than a day after `newest` (the time of the file, else now);
 *  - a number since the epoch: its unit by magnitude, see iq_time_parse_epoch().
 * How often a rule was needed is counted in the options' notes. Free of I/O.
 */
#ifndef IQ_INGEST_TIMES_H
#define IQ_INGEST_TIMES_H

#include "ingest/ingest.h"

/* A time is looked for in so many bytes at the beginning of a line. */
#define IQ_TIME_REACH 64

struct iq_time {
	int64_t ns;
	size_t at; /* where in the text it begins */
	size_t len;
	enum iq_severity severity; /* of formats that begin with it (klog), else NONE */
};

/* Reads the time that `text` begins with. False if there is none. */
bool iq_time_read(struct iq_view text, const struct iq_parser_options *options, struct iq_time *ret_time);
/* Finds the first time near the beginning of `text`, behind white space, brackets, quotes, `=` or `|`. */
bool iq_time_find(struct iq_view text, const struct iq_parser_options *options, struct iq_time *ret_time);
#endif
