/* event/redact_text.h - what the redactor knows of texts: names, quotation marks, and what a secret is without its escapes. Private to
 * event/. Free of I/O, without state.
 */
#ifndef IQ_EVENT_REDACT_TEXT_H
#define IQ_EVENT_REDACT_TEXT_H

#include "base/base.h"

/* What is behind a name. */
enum iq_name_class {
	IQ_NAME_PLAIN, /* nothing secret */
	IQ_NAME_SECRET,
	IQ_NAME_AUTHORIZATION, /* a scheme, then the secret */
	IQ_NAME_COOKIE,	       /* name=value; name=value */
	IQ_NAME_COOKIES,       /* objects with name and value */
	IQ_NAME_PROTOCOL       /* a, b, c: subprotocols, some of them tokens */
};
/* By its words: `client_secret`, `x-api-key`, `accessToken`, `DB_PASSWORD`; not `max_tokens`, `token_type`. */
enum iq_name_class iq_name_classify(struct iq_view name);

/* The name around [start, end): letters, digits, `_`, `-` and `.`; without what belongs to an escape before it. */
struct iq_view iq_name_around(struct iq_view text, size_t start, size_t end);

/* A quotation mark as it stands in the text: `"`, `'`, `%22`, `\u0022` or `&quot;`, at some depth of JSON strings within JSON strings, which
 * its backslashes tell. */
struct iq_quote {
	struct iq_view mark; /* without backslashes; NULL: none */
	unsigned depth;
	size_t begin; /* of its first backslash in the text */
	size_t end;
};
/* The mark at `pos`; `mark.data` is NULL where there is none. */
struct iq_quote iq_quote_at(struct iq_view text, size_t pos);
/* Where the string that `open` begins ends: at its closing mark, or at one of a string around it. False at the end of the text. */
bool iq_quote_close(struct iq_view text, const struct iq_quote *open, struct iq_quote *ret_close);

/* Appends what `raw` stands for: percent escapes undone (`percent`), then those of JSON, `json` times. 0 or IQ_ERR_NOMEM. */
int iq_redact_decode(struct iq_view raw, bool percent, unsigned json, struct iq_buf *out);
/* A character that is written as `\u0026` at a backslash, or 0. *ret_len: what it takes. */
unsigned iq_unicode_escape_at(struct iq_view text, size_t pos, size_t *ret_len);
bool iq_is_percent_escape(struct iq_view text, size_t pos);

static inline bool iq_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}
static inline bool iq_is_alpha(unsigned char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}
static inline bool iq_is_word(unsigned char c)
{
	return iq_is_digit(c) || iq_is_alpha(c) || c == '_' || c == '-';
}

#endif
