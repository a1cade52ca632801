#include "wire/http.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <strings.h>

/* RFC 6455, section 1.3. */
static const char websocket_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/* ---- Heads ---- */

/* Of a side that is heard, in messages. */
static const char *speaker(const struct iq_http_head *head)
{
	return head->method.data ? "the client's request" : "the server's answer";
}

static int parse_status_line(struct iq_view line, struct iq_http_head *head, struct iq_error *error)
{
	int64_t status;

	if (line.len < 12 ||
	    !(iq_view_starts_with(line, IQ_LIT("HTTP/1.1 ")) || iq_view_starts_with(line, IQ_LIT("HTTP/1.0 "))) ||
	    !iq_view_to_int64(iq_view_make(line.data + 9, 3), &status) || status < 100 ||
	    (line.len > 12 && line.data[12] != ' '))
		return iq_error_set(error, IQ_ERR_FORMAT, "the server does not speak HTTP/1.1");
	head->status = (int)status;
	head->reason = iq_view_from(line, 13);
	head->minor = line.data[7] == '1';
	return 0;
}

static bool is_token(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", text.data[i]))
			return false;
	return text.len > 0;
}

static int parse_request_line(struct iq_view line, struct iq_http_head *head, struct iq_error *error)
{
	const char *space = memchr(line.data, ' ', line.len);
	struct iq_view rest;

	head->method = iq_view_make(line.data, space ? (size_t)(space - line.data) : 0);
	rest = iq_view_from(line, head->method.len + 1);
	head->target = iq_view_make(rest.data, rest.len > 9 ? rest.len - 9 : 0);
	rest = iq_view_from(rest, head->target.len);
	if (!is_token(head->method) || head->target.len == 0 || !iq_url_is_word(head->target) ||
	    !(iq_view_eq(rest, IQ_LIT(" HTTP/1.1")) || iq_view_eq(rest, IQ_LIT(" HTTP/1.0"))))
		return iq_error_set(error, IQ_ERR_FORMAT, "the client does not speak HTTP/1.1");
	head->minor = rest.data[8] == '1';
	return 0;
}

/* A bare CR or LF, or a NUL, reads as the end of a line to some (RFC 9112, section 2.2). */
static bool is_one_line(struct iq_view line)
{
	return !memchr(line.data, '\n', line.len) && !memchr(line.data, '\r', line.len) &&
	       !memchr(line.data, '\0', line.len);
}

static int parse_header(struct iq_view line, struct iq_http_head *head, struct iq_error *error)
{
	const char *colon = memchr(line.data, ':', line.len);

	if (!colon || !is_token(iq_view_make(line.data, (size_t)(colon - line.data))) || !is_one_line(line))
		return iq_error_set(error, IQ_ERR_FORMAT, "%s has a header line without a name", speaker(head));
	if (head->header_count == IQ_HTTP_MAX_HEADERS)
		return iq_error_set(error, IQ_ERR_LIMIT, "%s has more than %d headers", speaker(head),
				    IQ_HTTP_MAX_HEADERS);
	head->headers[head->header_count++] = (struct iq_http_header){
		iq_view_make(line.data, (size_t)(colon - line.data)),
		iq_view_trim(iq_view_from(line, (size_t)(colon - line.data) + 1)),
	};
	return 0;
}

typedef int first_line_fn(struct iq_view line, struct iq_http_head *head, struct iq_error *error);

static int parse_head(struct iq_view bytes, first_line_fn *first_line, struct iq_http_head *ret_head, size_t *ret_len,
		      struct iq_error *error)
{
	const size_t end = iq_view_find(bytes, IQ_LIT("\r\n\r\n"));
	struct iq_view rest = bytes;
	bool first = true;

	if (end == SIZE_MAX || end + 4 > IQ_HTTP_MAX_HEAD) {
		if (end == SIZE_MAX && bytes.len < IQ_HTTP_MAX_HEAD)
			return 0;
		return iq_error_set(error, IQ_ERR_LIMIT, "%s begins with more than %u bytes of headers",
				    speaker(ret_head), IQ_HTTP_MAX_HEAD);
	}
	ret_head->header_count = 0;
	rest.len = end + 2;
	while (rest.len > 0) {
		const size_t len = iq_view_find(rest, IQ_LIT("\r\n"));
		const struct iq_view line = iq_view_make(rest.data, len);
		const int rc = first ? first_line(line, ret_head, error) : parse_header(line, ret_head, error);

		if (rc < 0)
			return rc;
		first = false;
		rest = iq_view_from(rest, len + 2);
	}
	*ret_len = end + 4;
	return 1;
}

int iq_http_parse_response(struct iq_view bytes, struct iq_http_head *ret_response, size_t *ret_len,
			   struct iq_error *error)
{
	ret_response->method = ret_response->target = IQ_VIEW_NULL;
	return parse_head(bytes, parse_status_line, ret_response, ret_len, error);
}

int iq_http_parse_request(struct iq_view bytes, struct iq_http_head *ret_request, size_t *ret_len,
			  struct iq_error *error)
{
	ret_request->method = IQ_LIT("");
	ret_request->status = 0;
	ret_request->reason = IQ_VIEW_NULL;
	return parse_head(bytes, parse_request_line, ret_request, ret_len, error);
}

static bool same_name(struct iq_view name, const char *other)
{
	return name.len == strlen(other) && strncasecmp(name.data, other, name.len) == 0;
}

struct iq_view iq_http_header(const struct iq_http_head *head, const char *name)
{
	for (size_t i = 0; i < head->header_count; i++)
		if (same_name(head->headers[i].name, name))
			return head->headers[i].value;
	return IQ_VIEW_NULL;
}

bool iq_http_has_token(struct iq_view list, const char *token)
{
	while (list.len > 0) {
		const char *comma = memchr(list.data, ',', list.len);
		const size_t len = comma ? (size_t)(comma - list.data) : list.len;

		if (same_name(iq_view_trim(iq_view_make(list.data, len)), token))
			return true;
		list = iq_view_from(list, len + 1);
	}
	return false;
}

bool iq_http_is_upgrade(const struct iq_http_head *request)
{
	return iq_view_eq(request->method, IQ_LIT("GET")) && request->minor == 1 &&
	       iq_http_has_token(iq_http_header(request, "Upgrade"), "websocket") &&
	       iq_http_has_token(iq_http_header(request, "Connection"), "upgrade");
}

/* ---- The handshake ---- */

int iq_ws_append_request(struct iq_buf *buf, const struct iq_url *url, struct iq_view path, const char *key,
			 struct iq_view subprotocol, struct iq_view headers, struct iq_error *error)
{
	struct iq_view target = url->path.len ? url->path : path.len ? path : IQ_LIT("/");

	if (!iq_url_is_word(target))
		return iq_error_set(error, IQ_ERR_USAGE,
				    "the path to ask for holds spaces or control characters; "
				    "give one with the target: ws://HOST:PORT/PATH");
	if (!iq_url_is_word(subprotocol))
		return iq_error_set(error, IQ_ERR_USAGE,
				    "the subprotocol to ask for holds spaces or control characters");
	(void)iq_buf_append_cstr(buf, "GET ");
	if (target.data[0] == '?')
		(void)iq_buf_append_char(buf, '/');
	(void)iq_buf_append(buf, target);
	(void)iq_buf_appendf(buf, " HTTP/1.1\r\nHost: %s%.*s%s", url->is_ipv6 ? "[" : "", IQ_VIEW_ARG(url->host),
			     url->is_ipv6 ? "]" : "");
	if (url->port != (url->is_secure ? 443 : 80))
		(void)iq_buf_appendf(buf, ":%u", url->port);
	(void)iq_buf_appendf(buf,
			     "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
			     "%s\r\nSec-WebSocket-Version: 13\r\n",
			     key);
	if (subprotocol.len)
		(void)iq_buf_appendf(buf, "Sec-WebSocket-Protocol: %.*s\r\n", IQ_VIEW_ARG(subprotocol));
	(void)iq_buf_append(buf, headers);
	(void)iq_buf_append_cstr(buf, "\r\n");
	return buf->failed ? iq_error_nomem(error) : 0;
}

bool iq_http_is_own_header(struct iq_view name, struct iq_view value)
{
	static const char *const others[] = {
		"host",	  "connection",	       "upgrade",	 "keep-alive",	   "te", "trailer", "proxy-connection",
		"expect", "transfer-encoding", "content-length", "accept-encoding"
	};

	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.data[i] <= ' ' || (unsigned char)name.data[i] >= 0x7f || name.data[i] == ':')
			return false;
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f)
			return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (same_name(name, others[i]))
			return false;
	return name.len > 0 && !(name.len >= 14 && strncasecmp(name.data, "sec-websocket-", 14) == 0);
}

bool iq_ws_make_key(char ret_key[IQ_WS_KEY_SIZE])
{
	unsigned char nonce[16];

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return false;
	(void)EVP_EncodeBlock((unsigned char *)ret_key, nonce, sizeof(nonce));
	return true;
}

void iq_ws_accept(const char *key, char ret_accept[IQ_WS_ACCEPT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[IQ_WS_KEY_SIZE + sizeof(websocket_guid)];
	unsigned int len = 0;
	int size = snprintf(text, sizeof(text), "%.24s%s", key, websocket_guid);

	(void)EVP_Digest(text, (size_t)size, digest, &len, EVP_sha1(), NULL);
	(void)EVP_EncodeBlock((unsigned char *)ret_accept, digest, (int)len);
}

int iq_ws_check_response(const struct iq_http_head *response, const char *key, struct iq_view subprotocol, bool deflate,
			 struct iq_error *error)
{
	const struct iq_view extensions = iq_http_header(response, "Sec-WebSocket-Extensions");
	struct iq_view chosen = iq_http_header(response, "Sec-WebSocket-Protocol");
	char accept[IQ_WS_ACCEPT_SIZE];

	if (response->status != 101)
		return iq_error_set(error, IQ_ERR_NETWORK, "the server answered %d %.*s instead of an upgrade",
				    response->status, IQ_VIEW_ARG(iq_utf8_cut(response->reason, 100)));
	iq_ws_accept(key, accept);
	if (!iq_http_has_token(iq_http_header(response, "Upgrade"), "websocket") ||
	    !iq_http_has_token(iq_http_header(response, "Connection"), "upgrade") ||
	    !iq_view_eq(iq_http_header(response, "Sec-WebSocket-Accept"), iq_view_cstr(accept)))
		return iq_error_set(error, IQ_ERR_NETWORK, "the server's upgrade is not a valid WebSocket handshake");
	if (chosen.len && !iq_view_eq(chosen, subprotocol))
		return iq_error_set(error, IQ_ERR_NETWORK,
				    "the server chose the subprotocol %.*s, which was not offered",
				    IQ_VIEW_ARG(iq_utf8_cut(chosen, 100)));
	if (extensions.len && !(deflate && iq_view_starts_with(extensions, IQ_LIT("permessage-deflate"))))
		return iq_error_set(error, IQ_ERR_NETWORK, "the server chose an extension, though none was offered");
	return 0;
}
