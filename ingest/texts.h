/* ingest/texts.h - what can be told from the text of a log line.
 */
#ifndef IQ_INGEST_TEXTS_H
#define IQ_INGEST_TEXTS_H

#include "event/event.h"

/* A severity is looked for in so many bytes at the beginning of a text. */
#define IQ_SEVERITY_REACH 160

/* Without the carriage return at its end and without the escape sequences (ECMA-48) that colour it on a terminal; in
 * `scratch` (appended) if there were any. Borrowed until the text goes or `scratch` changes. */
struct iq_view iq_text_plain(struct iq_view text, struct iq_buf *scratch);
/* The first severity that is named as loggers name it: in capitals (`ERROR`, `WARN:`), in brackets of any kind (`[error]`,
 * `<Warning>`), behind `level=`, or before a colon at the beginning or behind a time (`error: x`); else that of the sign of Redis, and
 * of a process that the kernel killed. NONE if there is none. */
enum iq_severity iq_text_severity(struct iq_view text);
/* Printable as it is: no control characters but tabs, escapes and the like. */
bool iq_text_is_text(struct iq_view text);

#endif
