/* ingest/har_message.h - one WebSocket message as Chrome, Playwright and mitmproxy write it, in a HAR or beside it:
 *
 *	{"type":"send|receive","time":1795403232.418,"opcode":1,"data":"..."}
 *
 * Times are seconds or milliseconds since the epoch (told by magnitude), -1 where the writer had none. Opcode 1 is text, -1 an
 * error that the browser saw; the data of any other is base64.
 */
#ifndef IQ_INGEST_HAR_MESSAGE_H
#define IQ_INGEST_HAR_MESSAGE_H

#include "ingest/record.h"

/* Sets kind, time, direction, type and body of `event` to what the object says, and writes the rest into `attrs`. NULL, or why it is
 * no message (static text). `scratch` has room for the text four times. Borrowed until the text goes or `scratch` changes. */
const char *iq_har_message_read(struct iq_view text, struct iq_event *event, struct iq_buf *attrs,
				struct iq_buf *scratch);

#endif
