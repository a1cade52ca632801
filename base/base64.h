/* base/base64.h - base64 (RFC 4648, section 4: the standard alphabet, padded).
 */
#ifndef IQ_BASE_BASE64_H
#define IQ_BASE_BASE64_H

#include <inquest/base.h>

#include "base/buf.h"

/* Appends the encoding of `bytes`. 0 or IQ_ERR_NOMEM. */
int iq_base64_encode(struct iq_view bytes, struct iq_buf *buf);
/* Appends the bytes that `text` encodes. Strict: whole groups of four, padding only at the end, unused bits zero, no
 * white space. 0, IQ_ERR_FORMAT (nothing was appended) or IQ_ERR_NOMEM. */
int iq_base64_decode(struct iq_view text, struct iq_buf *buf);

#endif
