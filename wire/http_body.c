#include "wire/http_body.h"

#include <strings.h>

/* Places in the chunked coding (RFC 9112, section 7.1). */
enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF };

static int refuse(struct iq_error *error, const char *what)
{
	return iq_error_set(error, IQ_ERR_FORMAT, "%s", what);
}

/* ---- Heads ---- */

static bool is_number(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0;
}

struct lengths {
	bool has_length;
	int64_t length;
	size_t codings;
	bool chunked;
};

static int read_lengths(const struct iq_http_head *head, struct lengths *lengths, struct iq_error *error)
{
	for (size_t i = 0; i < head->header_count; i++) {
		const struct iq_view name = head->headers[i].name, value = head->headers[i].value;
		int64_t length;

		if (name.len == 14 && strncasecmp(name.data, "Content-Length", 14) == 0) {
			if (!is_number(value) || !iq_view_to_int64(value, &length))
				return refuse(error, "a Content-Length that is no number");
			if (lengths->has_length && length != lengths->length)
				return refuse(error, "more than one Content-Length");
			lengths->has_length = true;
			lengths->length = length;
		} else if (name.len == 17 && strncasecmp(name.data, "Transfer-Encoding", 17) == 0) {
			lengths->codings++;
			lengths->chunked = value.len == 7 && strncasecmp(value.data, "chunked", 7) == 0;
		}
	}
	if (lengths->codings > 0 && lengths->has_length)
		return refuse(error, "both Content-Length and Transfer-Encoding");
	return lengths->codings > 1 || (lengths->codings == 1 && !lengths->chunked)
		       ? refuse(error, "a Transfer-Encoding other than chunked")
		       : 0;
}

static bool never_has_body(const struct iq_http_head *head, const struct iq_http_head *request)
{
	return head->status < 200 || head->status == 204 || head->status == 304 ||
	       iq_view_eq(request->method, IQ_LIT("HEAD")) ||
	       (iq_view_eq(request->method, IQ_LIT("CONNECT")) && head->status < 300);
}

int iq_http_body_begin(struct iq_http_body *body, const struct iq_http_head *head, const struct iq_http_head *request,
		       struct iq_error *error)
{
	struct lengths lengths = { .has_length = false };
	int rc = read_lengths(head, &lengths, error);

	if (rc < 0)
		return rc;
	*body = (struct iq_http_body){ .framing = IQ_HTTP_NO_BODY };
	if (request && never_has_body(head, request))
		;
	else if (lengths.chunked)
		body->framing = IQ_HTTP_CHUNKED;
	else if (lengths.has_length && lengths.length > 0)
		body->framing = IQ_HTTP_LENGTH;
	else if (request && !lengths.has_length)
		body->framing = IQ_HTTP_UNTIL_CLOSE;
	body->left = body->framing == IQ_HTTP_LENGTH ? (uint64_t)lengths.length : 0;
	body->ended = body->framing == IQ_HTTP_NO_BODY;
	return 0;
}

/* ---- Bodies ---- */

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_size(struct iq_http_body *body, char c, struct iq_error *error)
{
	const int value = digit_value(c);

	if (value >= 0) {
		if (++body->digits > 15)
			return refuse(error, "a chunk longer than can be");
		body->left = body->left << 4 | (uint64_t)value;
		return 0;
	}
	if (body->digits == 0)
		return refuse(error, "a chunk without a length");
	if (c == '\r')
		body->place = SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		body->place = EXTENSION;
	else
		return refuse(error, "a chunk whose length is no number");
	return 0;
}

static void begin_size(struct iq_http_body *body)
{
	body->place = SIZE;
	body->digits = 0;
	body->left = 0;
	body->line = 0;
}

static int take_size_end(struct iq_http_body *body, char c, struct iq_error *error)
{
	if (c != '\n')
		return refuse(error, "a chunk whose line does not end");
	body->place = body->left > 0 ? DATA : TRAILER;
	body->line = 0;
	body->blank = true;
	return 0;
}

/* Lines behind the last chunk, up to a blank one. */
static int take_trailer(struct iq_http_body *body, char c, struct iq_error *error)
{
	if (body->place == TRAILER) {
		if (c == '\r')
			body->place = TRAILER_LF;
		else
			body->blank = false;
		return 0;
	}
	if (c != '\n')
		return refuse(error, "a line behind the last chunk that does not end");
	body->ended = body->blank;
	body->blank = true;
	body->place = TRAILER;
	return 0;
}

/* One byte of what stands around the data of chunks. */
static int take_coding(struct iq_http_body *body, char c, struct iq_error *error)
{
	if (++body->line > (body->place >= TRAILER ? IQ_HTTP_MAX_TRAILER : IQ_HTTP_MAX_CHUNK_LINE))
		return refuse(error, "a line of the chunked coding that is too long");
	switch (body->place) {
	case SIZE:
		return take_size(body, c, error);
	case EXTENSION:
		body->place = c == '\r' ? SIZE_LF : EXTENSION;
		return c == '\n' ? refuse(error, "a chunk whose line does not end") : 0;
	case SIZE_LF:
		return take_size_end(body, c, error);
	case DATA_CR:
		body->place = DATA_LF;
		return c == '\r' ? 0 : refuse(error, "a chunk that is longer than it says");
	case DATA_LF:
		begin_size(body);
		return c == '\n' ? 0 : refuse(error, "a chunk that is longer than it says");
	default:
		return take_trailer(body, c, error);
	}
}

static struct iq_view take_content(struct iq_http_body *body, struct iq_view *bytes)
{
	const size_t len =
		body->framing == IQ_HTTP_UNTIL_CLOSE || bytes->len < body->left ? bytes->len : (size_t)body->left;
	const struct iq_view content = iq_view_make(bytes->data, len);

	*bytes = iq_view_from(*bytes, len);
	if (body->framing == IQ_HTTP_UNTIL_CLOSE)
		return content;
	body->left -= len;
	if (body->left == 0 && body->framing == IQ_HTTP_CHUNKED)
		body->place = DATA_CR;
	body->ended = body->left == 0 && body->framing == IQ_HTTP_LENGTH;
	return content;
}

int iq_http_body_next(struct iq_http_body *body, struct iq_view *bytes, struct iq_view *ret_content,
		      struct iq_error *error)
{
	while (bytes->len > 0 && !body->ended) {
		int rc;

		if (body->framing != IQ_HTTP_CHUNKED || body->place == DATA) {
			*ret_content = take_content(body, bytes);
			return 1;
		}
		rc = take_coding(body, bytes->data[0], error);
		if (rc < 0)
			return rc;
		*bytes = iq_view_from(*bytes, 1);
	}
	return 0;
}
