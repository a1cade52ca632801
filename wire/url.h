/* wire/url.h - URLs of servers (RFC 6455, section 3; RFC 3986 for their parts).
 */
#ifndef IQ_WIRE_URL_H
#define IQ_WIRE_URL_H

#include "base/base.h"

#define IQ_URL_MAX 4096

/* Views point into the text that was parsed. */
struct iq_url {
	struct iq_view host; /* without the brackets of an IPv6 address */
	uint16_t port;
	struct iq_view path; /* path and query: `/chat?room=1`; empty when the URL has none */
	bool is_ipv6;
	bool is_secure;		  /* wss:// or https:// */
	struct iq_view authority; /* host and port as they are written */
};

/* ws://, http://, wss:// or https://, with the port that the scheme has where none is named: ws://host[:port][/path][?query]. Errors: IQ_ERR_USAGE
 * with what to do. Borrowed until `text` goes. */
int iq_url_parse_server(struct iq_view text, struct iq_url *ret_url, struct iq_error *error);
/* Holds no space and no control character, so that it cannot break a request line or a header. */
bool iq_url_is_word(struct iq_view text);
/* 127.0.0.0/8, ::1 or localhost. */
bool iq_url_is_loopback(const struct iq_url *url);

#endif
