/* base/utf8.h - UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
 */
#ifndef IQ_BASE_UTF8_H
#define IQ_BASE_UTF8_H

#include <inquest/base.h>

#include "base/buf.h"

/* Is the whole view valid UTF-8? */
bool iq_utf8_valid(struct iq_view view);
/* Decodes one code point at the start of `view`. Returns its length in bytes (1..4), or 0 where the bytes are not
 * valid UTF-8. `view` must not be empty. */
size_t iq_utf8_decode(struct iq_view view, uint32_t *ret_code_point);
/* Appends the encoding of `code_point`; a surrogate or out-of-range value becomes U+FFFD. */
int iq_utf8_encode(struct iq_buf *buf, uint32_t code_point);
/* Columns on a terminal, roughly: code points, wide East Asian ones and emoji counted twice, combining ones not. */
size_t iq_utf8_width(struct iq_view view);
/* Appends `view` made safe for a terminal: C0, DEL and C1 control characters, bidirectional overrides, line and
 * paragraph separators and invalid bytes become visible escapes (`\x1b`, `\n`, `\t`, `\u202e`). */
int iq_utf8_append_safe(struct iq_buf *buf, struct iq_view view);
/* Appends `view`; bytes that are not UTF-8 become U+FFFD. */
int iq_utf8_append_repaired(struct iq_buf *buf, struct iq_view view);
/* The longest prefix of at most `len` bytes that ends at a code point boundary. */
struct iq_view iq_utf8_cut(struct iq_view view, size_t len);

#endif
