/* replay/headers.h - headers of HTTP as events have them, a JSON object of texts (an array where a name comes several times in a row),
 * and as they are sent. Private to replay/.
 */
#ifndef IQ_REPLAY_HEADERS_H
#define IQ_REPLAY_HEADERS_H

#include "wire/wire.h"

/* Appends those that may be sent again, as lines. */
void iq_headers_append(struct iq_view object, struct iq_buf *out);
/* Appends the object with names in small letters, as places in it are found whoever wrote them. Nothing where it is none. */
void iq_headers_lower(struct iq_view object, struct iq_buf *out);
/* The object of a head, likewise. */
void iq_headers_of(const struct iq_http_head *head, struct iq_buf *out);

#endif
