/* ingest/engine_times.h - the times that a container engine and the kubelet write in front of lines: `docker logs -t`, `docker compose logs -t`,
 * `kubectl logs --timestamps`. Free of I/O.
 */
#ifndef IQ_INGEST_ENGINE_TIMES_H
#define IQ_INGEST_ENGINE_TIMES_H

#include "ingest/line_parser.h"

/* Takes a time with nine digits of fraction and the space behind it, as the Docker Engine and the kubelet print them. */
bool iq_take_engine_time(struct iq_view *text, int64_t *ret_ts);
/* The text behind such a time, without those that the Engine writes again before each further piece (16 KiB) of a long line; in `scratch`
 * (appended) if there were any. Borrowed until the text goes or `scratch` changes. */
struct iq_view iq_drop_engine_times(struct iq_view text, int64_t ts, struct iq_buf *scratch);
/* Where a line that begins with such a time has one of another in it, right behind a piece: what a program wrote to its other stream came between
 * two pieces. 0: nowhere. */
size_t iq_engine_piece(struct iq_view text);
/* The text behind its time, which the record gets: the engine's, else the one that the program wrote into the text, which stays there. */
struct iq_view iq_take_times(struct iq_view text, const struct iq_line_reading *reading, struct iq_record *record);

#endif
