/* ingest/json_time.h - the time that a line of JSON says, under the names that loggers give it (pino, bunyan, zap, zerolog, slog, logrus,
 * log4j, Serilog, Elastic Common Schema, MongoDB). Free of I/O.
 */
#ifndef IQ_INGEST_JSON_TIME_H
#define IQ_INGEST_JSON_TIME_H

#include "ingest/times.h"

/* The time under the best name; *ret_ts stays as it is where there is none. `cut`: the end of the text may be missing. `scratch` receives
 * unescaped text (appended). False if the text is no object. */
bool iq_json_time(struct iq_view text, bool cut, const struct iq_parser_options *options, struct iq_buf *scratch,
		  int64_t *ret_ts);
/* The time that a program wrote into what it says, as JSON or near the beginning. False if there is none. */
bool iq_text_time(struct iq_view text, const struct iq_parser_options *options, struct iq_buf *scratch,
		  struct iq_time *ret_time);

#endif
