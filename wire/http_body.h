/* wire/http_body.h - how far the body of an HTTP/1.1 message reaches (RFC 9112, section 6). Free of I/O.
 *
 *	iq_http_body_begin(&body, &head, &request, &error);
 *	while (!body.ended && (rc = iq_http_body_next(&body, &bytes, &content, &error)) > 0)
 *		... content ...
 */
#ifndef IQ_WIRE_HTTP_BODY_H
#define IQ_WIRE_HTTP_BODY_H

#include "wire/http.h"

/* Of the line that a chunk begins with, and of the lines behind the last one. */
#define IQ_HTTP_MAX_CHUNK_LINE 4096u
#define IQ_HTTP_MAX_TRAILER IQ_HTTP_MAX_HEAD

enum iq_http_framing { IQ_HTTP_NO_BODY, IQ_HTTP_LENGTH, IQ_HTTP_CHUNKED, IQ_HTTP_UNTIL_CLOSE };

struct iq_http_body {
	enum iq_http_framing framing;
	uint64_t left; /* of the body or the chunk */
	bool ended;
	uint8_t place; /* in the chunked coding */
	uint8_t digits;
	uint32_t line; /* bytes of the line, or of the trailer */
	bool blank;    /* the line of the trailer has no bytes so far */
};

/* What the head says of its body; `request` is that which a response answers, NULL for a request. IQ_ERR_FORMAT where it can be read in two
 * ways: both Content-Length and Transfer-Encoding, lengths that differ, another coding than chunked, more than one. */
int iq_http_body_begin(struct iq_http_body *body, const struct iq_http_head *head, const struct iq_http_head *request,
		       struct iq_error *error);
/* Takes bytes from the front of *bytes: 1 and a piece of content, which may be empty; 0 when all were taken, or IQ_ERR_FORMAT.
 * Sets `ended`; behind that nothing is taken. */
int iq_http_body_next(struct iq_http_body *body, struct iq_view *bytes, struct iq_view *ret_content,
		      struct iq_error *error);

#endif
