/* store/escape.h - a text as it stands inside a JSON string, in the ways in which writers of JSON escape it. Free of I/O.
 */
#ifndef IQ_STORE_ESCAPE_H
#define IQ_STORE_ESCAPE_H

#include "base/base.h"

/* How a JSON writer escapes a string; bits. All write \" \\ \n \r \t and other control characters as \u00xx. */
enum iq_escape {
	IQ_ESCAPE_SHORT = 1,   /* \b and \f instead of \u0008 and \u000c */
	IQ_ESCAPE_HTML = 2,    /* < > & U+2028 U+2029 as \uxxxx (Go's encoding/json) */
	IQ_ESCAPE_ASCII = 4,   /* everything beyond ASCII as \uxxxx (Python's json) */
	IQ_ESCAPE_SLASH = 8,   /* \/ */
	IQ_ESCAPE_DELETE = 16, /* U+007F as \u007f */
	IQ_ESCAPE_STYLES = 32,
	IQ_ESCAPE_VERBATIM = 32, /* not a JSON string: the bytes themselves */
	IQ_ESCAPE_BASE64 = 33	 /* RFC 4648, section 4: binary messages in JSON */
};

/* Appends `text` as the inside of a JSON string. Text that is not UTF-8 is passed on as it is. */
int iq_escape_append(struct iq_buf *buf, struct iq_view text, unsigned escape);
/* How many bytes at the front of `text` no style escapes. */
size_t iq_escape_plain(struct iq_view text);
/* Does `raw` begin with `text` so escaped? The escaped length, or SIZE_MAX. */
size_t iq_escape_match(struct iq_view raw, struct iq_view text, unsigned escape);
/* Is `raw` what a writer of this style (neither VERBATIM nor BASE64) makes of some text? How long that text is, or SIZE_MAX. False alarms: text
 * beyond U+FFFF in ASCII. */
size_t iq_escape_written(struct iq_view raw, unsigned escape);

#endif
