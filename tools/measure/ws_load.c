/* Both ends of a WebSocket tap that is measured, on bare sockets and epoll, in one thread each:
 *
 *	ws-load echo PORT					sends every frame back, a close too, until it is killed
 *	ws-load drive PORT CONNECTIONS SIZE IN_FLIGHT MESSAGES	sends so many in all, each connection with so many under way
 *	ws-load hold PORT CONNECTIONS				opens them, says so, and holds them until its input ends
 *
 * `drive` prints messages a second, and the time from sending to the answer at the median and at the 99th percentile in ns. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire/wire.h"

#define BUFFER (256u << 10)
#define EVENTS 256
#define MAX_FILES 65536
#define TIMES (1u << 20)
#define TEXT 0x81 /* a whole one */

static const char request[] = "GET /load HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
#define RESPONSE \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"

struct connection {
	int fd;
	bool open; /* the handshake is done */
	size_t len;
	size_t room;
	uint64_t sent_at; /* of the oldest one under way */
	uint64_t to_send; /* messages that it may send yet */
	uint64_t under_way;
	unsigned char *bytes; /* that came and are not whole */
};

static uint64_t now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Waits where the peer is slow: what is measured is the tap, not this. */
static void send_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		const ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			fail("send");
		at += sent > 0 ? sent : 0;
		len -= sent > 0 ? (size_t)sent : 0;
	}
}

static void make_room(struct connection *connection, size_t room)
{
	if (connection->room >= room)
		return;
	connection->bytes = realloc(connection->bytes, room);
	if (!connection->bytes)
		fail("memory");
	connection->room = room;
}

/* False at the end. */
static bool receive(struct connection *connection)
{
	ssize_t got;

	make_room(connection, connection->open ? BUFFER : 1024);
	got = recv(connection->fd, connection->bytes + connection->len, connection->room - connection->len, 0);
	if (got <= 0)
		return false;
	connection->len += (size_t)got;
	return true;
}

static void drop(struct connection *connection, size_t len)
{
	connection->len -= len;
	memmove(connection->bytes, connection->bytes + len, connection->len);
}

/* The head of what came is dropped once it is whole. */
static bool take_http_head(struct connection *connection)
{
	const char *end = memmem(connection->bytes, connection->len, "\r\n\r\n", 4);

	if (!end)
		return false;
	drop(connection, (size_t)(end + 4 - (const char *)connection->bytes));
	return connection->open = true;
}

/* Size of the head of a whole frame, 0 where there is none; no frame here is over 64 KiB. */
static size_t whole_frame(const unsigned char *bytes, size_t len, size_t *ret_payload)
{
	size_t head = 2, payload;

	if (len < 2)
		return 0;
	payload = bytes[1] & 0x7F;
	if (payload == 126) {
		if (len < 4)
			return 0;
		payload = (size_t)bytes[2] << 8 | bytes[3];
		head = 4;
	}
	head += bytes[1] & 0x80 ? 4 : 0;
	*ret_payload = payload;
	return len >= head + payload ? head : 0;
}

static size_t put_head(unsigned char *out, unsigned char kind, size_t payload, unsigned char mask_bit)
{
	out[0] = kind;
	if (payload < 126) {
		out[1] = (unsigned char)(mask_bit | payload);
		return 2;
	}
	out[1] = mask_bit | 126;
	out[2] = (unsigned char)(payload >> 8);
	out[3] = (unsigned char)payload;
	return 4;
}

static void watch(int epoll, struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		fail("epoll");
}

static struct sockaddr_in address_of(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void without_delay(int fd)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

/* ---- The server ---- */

static void accept_one(int epoll, int listener)
{
	static struct connection accepted[MAX_FILES]; /* by descriptor */
	const int fd = accept(listener, NULL, NULL);

	if (fd < 0 || fd >= MAX_FILES)
		fail("accept");
	accepted[fd] = (struct connection){ .fd = fd };
	without_delay(fd);
	watch(epoll, &accepted[fd]);
}

static void unmask(unsigned char *out, const unsigned char *payload, size_t len, const unsigned char *mask)
{
	uint64_t wide, word;

	memcpy(&wide, mask, 4);
	memcpy((char *)&wide + 4, mask, 4);
	for (; len >= 8; len -= 8, out += 8, payload += 8) {
		memcpy(&word, payload, 8);
		word ^= wide;
		memcpy(out, &word, 8);
	}
	for (size_t i = 0; i < len; i++)
		out[i] = payload[i] ^ mask[i & 3];
}

static void echo_frames(struct connection *connection)
{
	static unsigned char out[BUFFER];
	size_t at = 0, put = 0, head, payload;

	while ((head = whole_frame(connection->bytes + at, connection->len - at, &payload)) > 0) {
		put += put_head(out + put, connection->bytes[at], payload, 0);
		unmask(out + put, connection->bytes + at + head, payload, connection->bytes + at + head - 4);
		put += payload;
		at += head + payload;
	}
	drop(connection, at);
	if (put > 0)
		send_all(connection->fd, out, put);
}

/* The key is any client's own. */
static void shake_hands(struct connection *connection)
{
	char key[IQ_WS_KEY_SIZE] = "", accept[IQ_WS_ACCEPT_SIZE], response[sizeof(RESPONSE) + IQ_WS_ACCEPT_SIZE];
	struct iq_http_head head;
	struct iq_view sent;
	size_t len;

	if (iq_http_parse_request(iq_view_make((const char *)connection->bytes, connection->len), &head, &len, NULL) <=
	    0)
		return;
	sent = iq_http_header(&head, "Sec-WebSocket-Key");
	memcpy(key, sent.data, sent.len < sizeof(key) ? sent.len : sizeof(key) - 1);
	iq_ws_accept(key, accept);
	(void)snprintf(response, sizeof(response), RESPONSE, accept);
	(void)take_http_head(connection);
	send_all(connection->fd, response, strlen(response));
}

static void serve_one(struct connection *connection)
{
	if (!receive(connection)) {
		free(connection->bytes);
		(void)close(connection->fd);
	} else if (connection->open) {
		echo_frames(connection);
	} else {
		shake_hands(connection);
	}
}

static int serve(const char *port)
{
	const struct sockaddr_in address = address_of(port);
	const int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];
	struct connection itself = { .fd = listener };

	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4096) < 0)
		fail("listen");
	watch(epoll, &itself);
	for (;;) {
		const int count = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++)
			events[i].data.ptr == &itself ? accept_one(epoll, listener) : serve_one(events[i].data.ptr);
	}
}

/* ---- The clients ---- */

static void open_one(struct connection *connection, const char *port)
{
	const struct sockaddr_in address = address_of(port);

	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connection->fd < 0 || connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	without_delay(connection->fd);
	send_all(connection->fd, request, strlen(request));
	while (!take_http_head(connection))
		if (!receive(connection)) {
			(void)fprintf(stderr, "ws-load: no handshake\n");
			exit(1);
		}
}

static struct connection *open_all(const char *port, size_t count)
{
	struct connection *connections = calloc(count, sizeof(*connections));

	for (size_t i = 0; connections && i < count; i++)
		open_one(&connections[i], port);
	return connections;
}

struct load {
	unsigned char *frames; /* as many as are under way at most, one behind the other */
	size_t frame;
	size_t in_flight;
	uint64_t *times;
	uint64_t answers;
	uint64_t wanted;
};

static void send_some(const struct load *load, struct connection *connection, size_t count)
{
	count = count < connection->to_send ? count : connection->to_send;
	if (count == 0)
		return;
	connection->to_send -= count;
	connection->under_way += count;
	connection->sent_at = now();
	send_all(connection->fd, load->frames, load->frame * count);
}

static void take_answers(struct load *load, struct connection *connection)
{
	size_t at = 0, head, payload, count = 0;

	if (!receive(connection)) {
		(void)fprintf(stderr, "ws-load: a connection ended\n");
		exit(1);
	}
	while ((head = whole_frame(connection->bytes + at, connection->len - at, &payload)) > 0) {
		at += head + payload;
		count++;
	}
	drop(connection, at);
	if (count > 0 && load->in_flight == 1)
		load->times[load->answers % TIMES] = now() - connection->sent_at;
	load->answers += count;
	connection->under_way -= count;
	send_some(load, connection, count);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void make_frames(struct load *load, size_t size)
{
	static const unsigned char mask[] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t head;

	load->frames = malloc((size + 8) * load->in_flight);
	load->times = calloc(TIMES, sizeof(*load->times));
	if (!load->frames || !load->times)
		fail("memory");
	for (size_t i = 0; i < load->in_flight; i++) {
		unsigned char *frame = load->frames + i * load->frame;

		head = put_head(frame, TEXT, size, 0x80);
		memcpy(frame + head, mask, 4);
		for (size_t k = 0; k < size; k++)
			frame[head + 4 + k] = (unsigned char)('a' + k % 26) ^ mask[k & 3];
		load->frame = head + 4 + size;
	}
}

static int drive(const char *port, size_t count, size_t size, size_t in_flight, uint64_t messages)
{
	struct load load = { .in_flight = in_flight, .wanted = messages / count * count };
	struct connection *connections = open_all(port, count);
	const int epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];
	size_t measured;
	uint64_t begun;

	make_frames(&load, size);
	begun = now();
	for (size_t i = 0; i < count; i++) {
		connections[i].to_send = messages / count;
		watch(epoll, &connections[i]);
		send_some(&load, &connections[i], in_flight);
	}
	while (load.answers < load.wanted) {
		const int ready = epoll_wait(epoll, events, EVENTS, 10000);

		if (ready <= 0)
			fail("no answer within 10 s");
		for (int i = 0; i < ready; i++)
			take_answers(&load, events[i].data.ptr);
	}
	begun = now() - begun;
	measured = load.answers < TIMES ? load.answers : TIMES;
	qsort(load.times, measured, sizeof(*load.times), by_size);
	(void)printf("%.0f %" PRIu64 " %" PRIu64 "\n", (double)load.answers / ((double)begun / 1e9),
		     load.times[measured / 2], load.times[measured / 100 * 99]);
	return 0;
}

static int hold(const char *port, size_t count)
{
	const struct connection *connections = open_all(port, count);

	(void)printf("%zu held\n", connections ? count : 0);
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

static size_t number(const char *text)
{
	return (size_t)strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return serve(argv[2]);
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], number(argv[3]));
	if (argc == 7 && strcmp(argv[1], "drive") == 0 && number(argv[3]) > 0 && number(argv[4]) <= UINT16_MAX)
		return drive(argv[2], number(argv[3]), number(argv[4]), number(argv[5]), number(argv[6]));
	(void)fprintf(stderr, "ws-load: see the top of tools/measure/ws_load.c\n");
	return 2;
}
