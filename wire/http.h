/* wire/http.h - HTTP/1.1 message heads (RFC 9112) and the WebSocket handshake (RFC 6455, section 4). Free of I/O.
 */
#ifndef IQ_WIRE_HTTP_H
#define IQ_WIRE_HTTP_H

#include "wire/url.h"

#define IQ_HTTP_MAX_HEAD (32u << 10)
#define IQ_HTTP_MAX_HEADERS 100

struct iq_http_header {
	struct iq_view name;
	struct iq_view value;
};

/* The head of a request or of a response. Views: Borrowed until the bytes that were parsed go. */
struct iq_http_head {
	struct iq_view method; /* of a request; NULL: a response */
	struct iq_view target;
	int status; /* of a response */
	struct iq_view reason;
	unsigned minor; /* HTTP/1.minor */
	struct iq_http_header headers[IQ_HTTP_MAX_HEADERS];
	size_t header_count;
};

/* Room for the base64 text of 16 bytes and of a SHA-1, with the NUL. */
#define IQ_WS_KEY_SIZE 25
#define IQ_WS_ACCEPT_SIZE 29

/* Parses a response head at the start of `bytes`: 1 with its length in *ret_len, 0 while it is not complete,
 * IQ_ERR_FORMAT or IQ_ERR_LIMIT. */
int iq_http_parse_response(struct iq_view bytes, struct iq_http_head *ret_response, size_t *ret_len,
			   struct iq_error *error);
/* The same of a request. */
int iq_http_parse_request(struct iq_view bytes, struct iq_http_head *ret_request, size_t *ret_len,
			  struct iq_error *error);
/* The value of the first header of that name, in any case; NULL view where there is none. */
struct iq_view iq_http_header(const struct iq_http_head *head, const char *name);
/* Is `token` in a comma-separated list? In any case. */
bool iq_http_has_token(struct iq_view list, const char *token);
/* Does the request ask for a WebSocket? */
bool iq_http_is_upgrade(const struct iq_http_head *request);

/* Appends an upgrade request; `path` is used where the URL has none; `subprotocol` may be NULL; `headers` are more
 * lines, with their ends. The former two may come from
 * evidence: IQ_ERR_USAGE, and nothing appended, where they would break the request line or its headers. */
int iq_ws_append_request(struct iq_buf *buf, const struct iq_url *url, struct iq_view path, const char *key,
			 struct iq_view subprotocol, struct iq_view headers, struct iq_error *error);
/* May a recorded header be sent again? Not what belongs to one connection (RFC 9110, section 7.6.1), to one handshake or to the length
 * of one body, and nothing that would break the head. */
bool iq_http_is_own_header(struct iq_view name, struct iq_view value);
/* A key from random bytes. False where the system has none. */
bool iq_ws_make_key(char ret_key[IQ_WS_KEY_SIZE]);
/* What Sec-WebSocket-Accept must be for a key (section 4.2.2). */
void iq_ws_accept(const char *key, char ret_accept[IQ_WS_ACCEPT_SIZE]);
/* Is this the right answer to an upgrade request with `key` and `subprotocol` (section 4.1)? A server may choose no
 * subprotocol, but none that was not offered, and no extension
 * but permessage-deflate where that was (`deflate`). IQ_ERR_NETWORK with what is wrong. */
int iq_ws_check_response(const struct iq_http_head *response, const char *key, struct iq_view subprotocol, bool deflate,
			 struct iq_error *error);

#endif
