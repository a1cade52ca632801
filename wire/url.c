#include "wire/url.h"

#include <arpa/inet.h>
#include <strings.h>

static bool starts_with_scheme(struct iq_view text, const char *scheme)
{
	size_t len = strlen(scheme);

	return text.len >= len && strncasecmp(text.data, scheme, len) == 0;
}

bool iq_url_is_word(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

static bool split_host(struct iq_view authority, struct iq_url *url, struct iq_view *ret_port)
{
	const char *end;

	if (authority.len > 0 && authority.data[0] == '[') {
		end = memchr(authority.data, ']', authority.len);
		if (!end)
			return false;
		url->is_ipv6 = true;
		url->host = iq_view_make(authority.data + 1, (size_t)(end - authority.data) - 1);
		*ret_port = iq_view_from(authority, url->host.len + 2);
		return ret_port->len == 0 || ret_port->data[0] == ':';
	}
	end = memchr(authority.data, ':', authority.len);
	url->host = iq_view_make(authority.data, end ? (size_t)(end - authority.data) : authority.len);
	*ret_port = iq_view_from(authority, url->host.len);
	return true;
}

/* What stands behind the scheme. */
static int parse_rest(struct iq_view text, struct iq_view rest, struct iq_url url, struct iq_url *ret_url,
		      struct iq_error *error)
{
	struct iq_view port;
	size_t authority = 0;
	int64_t number;

	while (authority < rest.len && !strchr("/?#", rest.data[authority]))
		authority++;
	url.authority = iq_view_make(rest.data, authority);
	if (text.len > IQ_URL_MAX || !iq_url_is_word(text) || !split_host(url.authority, &url, &port) ||
	    url.host.len == 0 || memchr(url.host.data, '@', url.host.len))
		return iq_error_set(error, IQ_ERR_USAGE, "%.*s: not a WebSocket address; write ws://HOST:PORT/PATH",
				    IQ_VIEW_ARG(iq_utf8_cut(text, 200)));
	if (port.len > 1) {
		if (!iq_view_to_int64(iq_view_from(port, 1), &number) || number < 1 || number > 65535)
			return iq_error_set(error, IQ_ERR_USAGE, "%.*s: the port must be 1 to 65535",
					    IQ_VIEW_ARG(iq_utf8_cut(text, 200)));
		url.port = (uint16_t)number;
	}
	url.path = iq_view_from(rest, authority);
	if (memchr(url.path.data, '#', url.path.len))
		url.path.len = (size_t)((const char *)memchr(url.path.data, '#', url.path.len) - url.path.data);
	*ret_url = url;
	return 0;
}

int iq_url_parse_server(struct iq_view text, struct iq_url *ret_url, struct iq_error *error)
{
	static const struct {
		const char *scheme;
		struct iq_url url;
	} schemes[] = {
		{ "ws://", { .port = 80 } },
		{ "http://", { .port = 80 } },
		{ "wss://", { .port = 443, .is_secure = true } },
		{ "https://", { .port = 443, .is_secure = true } },
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (starts_with_scheme(text, schemes[i].scheme))
			return parse_rest(text, iq_view_from(text, strlen(schemes[i].scheme)), schemes[i].url, ret_url,
					  error);
	return iq_error_set(error, IQ_ERR_USAGE,
			    "%.*s: not a server's address; write ws://HOST:PORT, http://, wss:// or https://",
			    IQ_VIEW_ARG(iq_utf8_cut(text, 200)));
}

bool iq_url_is_loopback(const struct iq_url *url)
{
	char host[64];
	struct in_addr v4;
	struct in6_addr v6;

	if (url->host.len >= sizeof(host))
		return false;
	memcpy(host, url->host.data, url->host.len);
	host[url->host.len] = '\0';
	if (url->is_ipv6)
		return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(host, "localhost") == 0 ||
	       (inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}
