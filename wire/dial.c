#include "wire/dial.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

/* 127.0.0.1 and those after it, but for the broadcast address. */
#define SOURCES 0xFFFFFDu

static void free_socket(uv_handle_t *handle)
{
	free(handle);
}

void iq_dial_close(uv_tcp_t *socket)
{
	if (!socket || uv_is_closing((uv_handle_t *)socket))
		return;
	socket->data = NULL;
	uv_close((uv_handle_t *)socket, free_socket);
}

static void fail(struct iq_dial *dial, const char *what, int status)
{
	struct iq_error error = IQ_ERROR_INIT;

	iq_dial_close(dial->socket);
	dial->socket = NULL;
	dial->over = true;
	(void)iq_error_set(&error, IQ_ERR_NETWORK, "%s port %s: %s: %s", dial->host, dial->port, what,
			   uv_strerror(status));
	dial->done(dial->context, NULL, &error);
}

static void try_address(struct iq_dial *dial);

static void on_connected(uv_connect_t *request, int status)
{
	struct iq_dial *dial = request->data;
	uv_tcp_t *socket = dial->socket;

	if (dial->over)
		return;
	if (status == 0) {
		dial->over = true;
		dial->socket = NULL;
		(void)uv_tcp_nodelay(socket, 1);
		dial->done(dial->context, socket, NULL);
		return;
	}
	iq_dial_close(socket);
	dial->socket = NULL;
	dial->address = dial->address->ai_next;
	if (dial->address)
		try_address(dial);
	else
		fail(dial, "cannot connect", status);
}

/* ---- Where connections come from ---- */

bool iq_dial_source(uint64_t number, struct sockaddr_in *ret_source)
{
	const uint64_t group = number / IQ_DIAL_PER_SOURCE % SOURCES;

	*ret_source = (struct sockaddr_in){ .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)group) };
	return group > 0;
}

static bool is_loopback(const struct sockaddr *address)
{
	struct sockaddr_in inet;

	if (address->sa_family != AF_INET)
		return false;
	memcpy(&inet, address, sizeof(inet));
	return ntohl(inet.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* The port is left for connect() to choose, which knows where to: bind() would keep it from all other targets (ip(7)). Where it cannot be done
 * the connection comes from the usual address. */
static void choose_source(struct iq_dial *dial)
{
	static _Thread_local uint64_t dialled;
	struct sockaddr_in source;
	uv_os_fd_t fd;

	if (!is_loopback(dial->address->ai_addr) || !iq_dial_source(dialled++, &source) ||
	    uv_fileno((const uv_handle_t *)dial->socket, &fd) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0)
		return;
	(void)uv_tcp_bind(dial->socket, (const struct sockaddr *)&source, 0);
}

static void try_address(struct iq_dial *dial)
{
	int rc;

	dial->socket = calloc(1, sizeof(*dial->socket));
	if (!dial->socket) {
		fail(dial, "cannot connect", UV_ENOMEM);
		return;
	}
	dial->connector.data = dial;
	rc = uv_tcp_init_ex(dial->resolver.loop, dial->socket, (unsigned)dial->address->ai_family);
	if (rc == 0) {
		choose_source(dial);
		rc = uv_tcp_connect(&dial->connector, dial->socket, dial->address->ai_addr, on_connected);
	}
	if (rc < 0)
		fail(dial, "cannot connect", rc);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct iq_dial *dial = request->data;

	dial->addresses = addresses;
	dial->address = addresses;
	if (dial->over)
		return;
	if (status < 0)
		fail(dial, "the name cannot be resolved", status);
	else
		try_address(dial);
}

int iq_dial_begin(struct iq_dial *dial, uv_loop_t *loop, const struct iq_url *url, iq_dial_fn *done, void *context,
		  struct iq_error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
	int rc;

	if (url->host.len >= sizeof(dial->host))
		return iq_error_set(error, IQ_ERR_USAGE, "the target's name is longer than %zu bytes",
				    sizeof(dial->host) - 1);
	*dial = (struct iq_dial){ .done = done, .context = context };
	memcpy(dial->host, url->host.data, url->host.len);
	(void)snprintf(dial->port, sizeof(dial->port), "%u", url->port);
	dial->resolver.data = dial;
	/* `localhost` is the loopback interface whatever a resolver says (RFC 6761, section 6.3): the addresses of no name at all. */
	rc = uv_getaddrinfo(loop, &dial->resolver, on_resolved,
			    strcasecmp(dial->host, "localhost") == 0 ? NULL : dial->host, dial->port, &hints);
	return rc < 0 ? iq_error_set(error, IQ_ERR_NETWORK, "%s: %s", dial->host, uv_strerror(rc)) : 0;
}

void iq_dial_cancel(struct iq_dial *dial)
{
	if (dial->over)
		return;
	dial->over = true;
	(void)uv_cancel((uv_req_t *)&dial->resolver);
	iq_dial_close(dial->socket);
	dial->socket = NULL;
}

void iq_dial_release(struct iq_dial *dial)
{
	uv_freeaddrinfo(dial->addresses);
	dial->addresses = NULL;
}
