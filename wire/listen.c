#include "wire/listen.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

static struct iq_view without_brackets(struct iq_view host)
{
	return host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']'
		       ? iq_view_make(host.data + 1, host.len - 2)
		       : host;
}

int iq_listen_address(const char *text, struct sockaddr_storage *ret_address, struct iq_error *error)
{
	const char *colon = strrchr(text, ':');
	struct iq_view host = without_brackets(iq_view_make(text, colon ? (size_t)(colon - text) : 0));
	char name[64];
	int64_t port;

	if (host.len == 0 || iq_view_eq(host, IQ_LIT("localhost")))
		host = IQ_LIT("127.0.0.1");
	(void)snprintf(name, sizeof(name), "%.*s", IQ_VIEW_ARG(host));
	if (host.len < sizeof(name) && iq_view_to_int64(iq_view_cstr(colon ? colon + 1 : text), &port) && port >= 0 &&
	    port <= 65535 &&
	    (uv_ip4_addr(name, (int)port, (struct sockaddr_in *)ret_address) == 0 ||
	     uv_ip6_addr(name, (int)port, (struct sockaddr_in6 *)ret_address) == 0))
		return 0;
	return iq_error_set(error, IQ_ERR_USAGE,
			    "%.100s: not an address to listen at; write 9000, 127.0.0.1:9000 or [::1]:9000", text);
}
