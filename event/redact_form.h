/* event/redact_form.h - secrets that are known by their form, wherever they stand. Private to event/. Free of I/O, without state.
 */
#ifndef IQ_EVENT_REDACT_FORM_H
#define IQ_EVENT_REDACT_FORM_H

#include "base/base.h"

/* Each gives the length of what begins at `pos`, or 0. */

/* A JSON Web Token in compact form (RFC 7519); also its beginning, where the text ends within it. */
size_t iq_jwt_length(struct iq_view text, size_t pos);
/* A key that begins as its vendor's keys do, and is long enough. */
size_t iq_vendor_key_length(struct iq_view text, size_t pos);
/* A private key in PEM form (RFC 7468), escaped or not, to its end line or to the end of the text; 0 where nothing of the key is
 * there. *ret_open: it has no end line. */
size_t iq_pem_length(struct iq_view text, size_t pos, bool *ret_open);
/* Appends the label and the key without line ends and escapes. 0 or IQ_ERR_NOMEM. */
int iq_pem_append_plain(struct iq_view pem, struct iq_buf *out);

/* The e-mail address (RFC 5321, also RFC 6531) around an `@`, `%40` or `\u0040` that lies in [at, at_end): where it begins, not before
 * `floor`, and *ret_end. SIZE_MAX: none. */
size_t iq_email_begin(struct iq_view text, size_t floor, size_t at, size_t at_end, size_t *ret_end);

/* How vendor keys begin, folded to lower case, for a search. Static, ended by a NULL view. */
const struct iq_view *iq_vendor_anchors(void);

/* The name of the form that all of `secret` has: `jwt`, `pem`, `vendor`, `email`; NULL for none. Static. */
const char *iq_secret_form(struct iq_view secret);

#endif
