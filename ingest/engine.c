#include "ingest/engine.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIBCURL "libcurl.so.4"

/* What is used of libcurl. */
#define CURL_FUNCTIONS(X) \
	X(global_init) \
	X(easy_init) \
	X(easy_setopt) \
	X(easy_getinfo) \
	X(easy_cleanup) \
	X(easy_strerror) \
	X(multi_init) \
	X(multi_setopt) \
	X(multi_assign) \
	X(multi_add_handle) \
	X(multi_remove_handle) \
	X(multi_socket_action) \
	X(multi_info_read) \
	X(multi_cleanup)

struct curl_functions {
#define X(name) __typeof__ (&curl_##name)(name);
	CURL_FUNCTIONS(X)
#undef X
};

enum transport { UNIX, TCP, SSH };

struct iq_engine {
	uv_loop_t *loop;
	struct curl_functions curl;
	CURLM *multi;
	uv_timer_t timeout; /* libcurl's */
	uv_timer_t work;    /* requests to begin, or to cancel */
	struct iq_engine_request *requests;
	enum transport transport;
	char *address;
	char *base;   /* of the URLs */
	char *socket; /* UNIX, SSH: its path */
	char *user;   /* SSH: NULL where none is named */
	char *host;
	char *port;
	char *directory; /* SSH: of the socket */
	int listener;	 /* SSH: -1 where there is none */
	struct ssh *processes;
	uv_poll_t connections; /* to it */
	char *certificates;    /* TCP with TLS: their directory, else NULL */
	bool closed;
};

struct iq_engine_request {
	struct iq_engine *engine;
	struct iq_engine_request *next;
	struct iq_engine_request *previous;
	CURL *easy;
	bool begun;
	bool cancelled;
	struct iq_engine_answer answer;
	void *context;
	struct iq_buf refusal;
	char trouble[CURL_ERROR_SIZE];
};

/* A connection through ssh. */
struct ssh {
	uv_process_t process;
	struct iq_engine *engine;
	struct ssh *next;
};

/* A socket of libcurl's. */
struct watch {
	uv_poll_t poll;
	struct iq_engine *engine;
	curl_socket_t socket;
};

/* ---- Requests ---- */

/* libcurl and the engine know nothing of it any more. */
static void request_detach(struct iq_engine_request *request)
{
	struct iq_engine *engine = request->engine;

	if (request->begun)
		(void)engine->curl.multi_remove_handle(engine->multi, request->easy);
	if (request->next)
		request->next->previous = request->previous;
	if (request->previous)
		request->previous->next = request->next;
	else
		engine->requests = request->next;
}

static void request_free(struct iq_engine_request *request)
{
	request->engine->curl.easy_cleanup(request->easy);
	iq_buf_release(&request->refusal);
	free(request);
}

/* The Engine says why in `{"message":"..."}`. */
static const char *refusal_text(struct iq_engine_request *request)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value message = iq_json_pointer(iq_buf_view(&request->refusal), IQ_LIT("/message"), &scratch);
	struct iq_view text =
		message.type == IQ_JSON_STRING ? iq_view_trim(message.text) : iq_buf_view(&request->refusal);

	(void)snprintf(request->trouble, sizeof(request->trouble), "%.*s", (int)(text.len < 200 ? text.len : 200),
		       text.data);
	iq_buf_release(&scratch);
	return request->trouble;
}

static void end_request(struct iq_engine_request *request, CURLcode result)
{
	struct iq_engine *engine = request->engine;
	const char *trouble = NULL;
	long status = 0;

	(void)engine->curl.easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK)
		trouble = request->trouble[0] ? request->trouble : engine->curl.easy_strerror(result);
	else if (status >= 300)
		trouble = refusal_text(request);
	/* What it is told may close the engine. */
	request_detach(request);
	if (!request->cancelled)
		request->answer.end(request->context, (int)status, trouble);
	request_free(request);
}

static void end_complete(struct iq_engine *engine)
{
	CURLMsg *message;
	int left;

	while (!engine->closed && (message = engine->curl.multi_info_read(engine->multi, &left))) {
		char *request = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)engine->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		end_request((struct iq_engine_request *)(void *)request, message->data.result);
	}
}

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
	struct iq_engine_request *request = context;
	long status = 0;

	if (request->cancelled)
		return count + 1; /* ends it */
	(void)request->engine->curl.easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 300)
		request->answer.bytes(request->context, iq_view_make(data, size * count));
	else if (request->refusal.len < IQ_ENGINE_MAX_REFUSAL)
		(void)iq_buf_append(&request->refusal, iq_view_make(data, size * count));
	return size * count;
}

/* Within its callbacks libcurl takes no requests; so they begin and end from here. */
static void on_work(uv_timer_t *timer)
{
	struct iq_engine *engine = timer->data;
	struct iq_engine_request *request, *next;

	for (request = engine->requests; request; request = next) {
		next = request->next;
		if (request->cancelled) {
			request_detach(request);
			request_free(request);
		} else if (!request->begun) {
			request->begun = true;
			(void)engine->curl.multi_add_handle(engine->multi, request->easy);
		}
	}
}

static void work_soon(struct iq_engine *engine)
{
	(void)uv_timer_start(&engine->work, on_work, 0, 0);
}

void iq_engine_cancel(struct iq_engine_request *request)
{
	if (!request)
		return;
	request->cancelled = true;
	work_soon(request->engine);
}

/* ---- Through ssh ---- */

static void on_ssh_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_ssh_exit(uv_process_t *process, int64_t status, int signal)
{
	struct ssh *ssh = process->data;
	struct ssh **place = &ssh->engine->processes;

	(void)status;
	(void)signal;
	while (*place != ssh)
		place = &(*place)->next;
	*place = ssh->next;
	uv_close((uv_handle_t *)process, on_ssh_closed);
}

static void spawn_ssh(struct iq_engine *engine, int fd)
{
	struct ssh *ssh = calloc(1, sizeof(*ssh));
	uv_stdio_container_t files[3] = { { .flags = UV_INHERIT_FD, .data.fd = fd },
					  { .flags = UV_INHERIT_FD, .data.fd = fd },
					  { .flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO } };
	char *words[12] = { (char *)"ssh", (char *)"-T" };
	const uv_process_options_t options = {
		.exit_cb = on_ssh_exit, .file = "ssh", .args = words, .stdio = files, .stdio_count = 3
	};
	const char *more[] = { engine->user ? "-l" : NULL,
			       engine->user,
			       engine->port ? "-p" : NULL,
			       engine->port,
			       "--",
			       engine->host,
			       "docker",
			       "system",
			       "dial-stdio" };
	size_t count = 2;

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (more[i])
			words[count++] = (char *)more[i];
	if (!ssh)
		return;
	*ssh = (struct ssh){ .engine = engine, .next = engine->processes };
	engine->processes = ssh;
	ssh->process.data = ssh;
	if (uv_spawn(engine->loop, &ssh->process, &options) < 0)
		on_ssh_exit(&ssh->process, 0, 0);
}

/* libcurl has connected: what it writes there goes to a process of its own. */
static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct iq_engine *engine = poll->data;
	const int fd = accept4(engine->listener, NULL, NULL, SOCK_CLOEXEC);

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	/* Where it cannot be begun the connection ends. */
	spawn_ssh(engine, fd);
	(void)close(fd);
}

/* libcurl connects to sockets by name. This one lies in a directory that only this user can enter: who connects to it is let in by the
 * other host. */
static int listen_for_ssh(struct iq_engine *engine, struct iq_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	engine->directory = iq_path_temporary("inquest-ssh-XXXXXX");
	if (!engine->directory || !mkdtemp(engine->directory)) {
		free(engine->directory);
		engine->directory = NULL;
		return iq_error_errno(error, IQ_ERR_IO, "no directory for a socket");
	}
	engine->socket = iq_path_join(engine->directory, "socket");
	if (!engine->socket || strlen(engine->socket) >= sizeof(address.sun_path))
		return iq_error_set(error, IQ_ERR_LIMIT, "%s: too long for a socket: set TMPDIR", engine->directory);
	memcpy(address.sun_path, engine->socket, strlen(engine->socket));
	engine->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (engine->listener < 0 || bind(engine->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(engine->listener, SOMAXCONN) < 0 ||
	    uv_poll_init(engine->loop, &engine->connections, engine->listener) < 0)
		return iq_error_errno(error, IQ_ERR_IO, "%s: cannot listen", engine->socket);
	engine->connections.data = engine;
	(void)uv_poll_start(&engine->connections, UV_READABLE, on_connection);
	return 0;
}

static void stop_listening(struct iq_engine *engine)
{
	/* `docker system dial-stdio` does not end for less, and has nothing to put in order. */
	for (struct ssh *ssh = engine->processes; ssh; ssh = ssh->next)
		(void)uv_process_kill(&ssh->process, SIGKILL);
	if (engine->connections.data)
		uv_close((uv_handle_t *)&engine->connections, NULL);
	engine->connections.data = NULL;
	if (engine->listener >= 0)
		(void)close(engine->listener);
	engine->listener = -1;
	if (engine->directory) {
		(void)unlink(engine->socket);
		(void)rmdir(engine->directory);
	}
}

/* ---- A request's options ---- */

static void set_certificate(struct iq_engine_request *request, CURLoption option, const char *name)
{
	struct iq_engine *engine = request->engine;
	char *path = iq_path_join(engine->certificates, name);

	if (path)
		(void)engine->curl.easy_setopt(request->easy, option, path);
	free(path);
}

static void set_transport(struct iq_engine_request *request)
{
	struct iq_engine *engine = request->engine;
	CURL *easy = request->easy;

	if (engine->socket)
		(void)engine->curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, engine->socket);
	if (engine->certificates) {
		set_certificate(request, CURLOPT_CAINFO, "ca.pem");
		set_certificate(request, CURLOPT_SSLCERT, "cert.pem");
		set_certificate(request, CURLOPT_SSLKEY, "key.pem");
	}
}

static bool set_options(struct iq_engine_request *request, const char *path)
{
	struct iq_engine *engine = request->engine;
	struct iq_buf url = IQ_BUF_INIT;
	CURL *easy = request->easy;

	(void)iq_buf_appendf(&url, "%s%s", engine->base, path);
	if (url.failed)
		return false;
	(void)engine->curl.easy_setopt(easy, CURLOPT_URL, url.data);
	iq_buf_release(&url);
	(void)engine->curl.easy_setopt(easy, CURLOPT_PRIVATE, request);
	(void)engine->curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
	(void)engine->curl.easy_setopt(easy, CURLOPT_WRITEDATA, request);
	(void)engine->curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, request->trouble);
	(void)engine->curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)engine->curl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)engine->curl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)engine->curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, IQ_ENGINE_CONNECT_SECONDS);
	(void)engine->curl.easy_setopt(easy, CURLOPT_USERAGENT, "inquest/" IQ_VERSION);
	set_transport(request);
	return true;
}

struct iq_engine_request *iq_engine_get(struct iq_engine *engine, const char *path,
					const struct iq_engine_answer *answer, void *context)
{
	struct iq_engine_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->engine = engine;
	request->answer = *answer;
	request->context = context;
	request->easy = engine->curl.easy_init();
	if (!request->easy || !set_options(request, path)) {
		if (request->easy)
			engine->curl.easy_cleanup(request->easy);
		free(request);
		return NULL;
	}
	request->next = engine->requests;
	if (request->next)
		request->next->previous = request;
	engine->requests = request;
	work_soon(engine);
	return request;
}

/* ---- libcurl on the loop ---- */

static void act(struct iq_engine *engine, curl_socket_t socket, int what)
{
	int running;

	(void)engine->curl.multi_socket_action(engine->multi, socket, what, &running);
	end_complete(engine);
}

static void on_timeout(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timeout(CURLM *multi, long ms, void *context)
{
	struct iq_engine *engine = context;

	(void)multi;
	if (ms < 0)
		(void)uv_timer_stop(&engine->timeout);
	else
		(void)uv_timer_start(&engine->timeout, on_timeout, (uint64_t)ms, 0);
	return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	const struct watch *watch = poll->data;
	int what = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	act(watch->engine, watch->socket, what);
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *new_watch(struct iq_engine *engine, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->engine = engine;
	watch->socket = socket;
	watch->poll.data = watch;
	if (uv_poll_init_socket(engine->loop, &watch->poll, socket) < 0) {
		free(watch);
		return NULL;
	}
	(void)engine->curl.multi_assign(engine->multi, socket, watch);
	return watch;
}

static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
	struct iq_engine *engine = context;
	struct watch *watch = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
		(void)engine->curl.multi_assign(engine->multi, socket, NULL);
		return 0;
	}
	if (!watch)
		watch = new_watch(engine, socket);
	if (!watch)
		return -1;
	(void)uv_poll_start(&watch->poll,
			    (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
			    on_ready);
	return 0;
}

/* ---- Addresses ---- */

static char *copy(const char *text, size_t len)
{
	char *made = malloc(len + 1);

	if (made) {
		memcpy(made, text, len);
		made[len] = '\0';
	}
	return made;
}

/* Where TLS is wanted, the directory of the certificates. */
static char *find_certificates(void)
{
	const char *verify = getenv("DOCKER_TLS_VERIFY"), *directory = getenv("DOCKER_CERT_PATH"),
		   *home = getenv("HOME");

	if (!verify || !*verify)
		return NULL;
	if (directory && *directory)
		return copy(directory, strlen(directory));
	return iq_path_join(home ? home : "/", ".docker");
}

static bool set_tcp(struct iq_engine *engine, const char *place)
{
	const size_t len = strcspn(place, "/");
	const char *colon = memchr(place, ':', len);
	const bool has_port = place[0] == '[' ? strstr(place, "]:") != NULL : colon != NULL;
	struct iq_buf base = IQ_BUF_INIT;

	engine->transport = TCP;
	engine->certificates = find_certificates();
	(void)iq_buf_appendf(&base, "%s://%.*s%s", engine->certificates ? "https" : "http", (int)len, place,
			     has_port		    ? ""
			     : engine->certificates ? ":2376"
						    : ":2375");
	engine->base = iq_buf_detach(&base);
	return len > 0;
}

static bool set_ssh(struct iq_engine *engine, const char *place)
{
	const size_t len = strcspn(place, "/");
	const char *at = memchr(place, '@', len);
	const char *host = at ? at + 1 : place;
	const size_t host_len = strcspn(host, ":/");

	engine->transport = SSH;
	engine->base = copy("http://docker", 13);
	if (at)
		engine->user = copy(place, (size_t)(at - place));
	engine->host = copy(host, host_len);
	if (host[host_len] == ':')
		engine->port = copy(host + host_len + 1, strcspn(host + host_len + 1, "/"));
	return host_len > 0 && (!at || at > place);
}

static bool set_unix(struct iq_engine *engine, const char *place)
{
	engine->transport = UNIX;
	engine->base = copy("http://docker", 13);
	engine->socket = copy(place, strlen(place));
	return place[0] == '/';
}

static int set_address(struct iq_engine *engine, const char *address, struct iq_error *error)
{
	static const struct {
		const char *scheme;
		bool (*set)(struct iq_engine *engine, const char *place);
	} schemes[] = { { "unix://", set_unix }, { "tcp://", set_tcp }, { "ssh://", set_ssh } };

	engine->address = copy(address, strlen(address));
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		const size_t len = strlen(schemes[i].scheme);

		if (strncmp(address, schemes[i].scheme, len) != 0)
			continue;
		if (schemes[i].set(engine, address + len))
			return engine->base && engine->address ? 0 : iq_error_nomem(error);
	}
	return iq_error_set(
		error, IQ_ERR_USAGE,
		"%.200s: no address of a Docker Engine: unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST (DOCKER_HOST)",
		address);
}

const char *iq_engine_address(const struct iq_engine *engine)
{
	return engine->address;
}

const char *iq_engine_advice(const struct iq_engine *engine)
{
	if (engine->transport == SSH)
		return "does `ssh HOST docker version` work?";
	if (engine->transport == TCP)
		return "DOCKER_HOST names it; with TLS, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH have to be set";
	if (access(engine->socket, F_OK) < 0)
		return "there is no such socket: is the Engine running? DOCKER_HOST names another one";
	if (access(engine->socket, R_OK | W_OK) < 0)
		return "no permission: run as root, or as a member of the group that owns the socket";
	return "nobody answers there: is the Engine running?";
}

/* ---- Life ---- */

static int load_curl(struct curl_functions *curl, struct iq_error *error)
{
	void *library = dlopen(LIBCURL, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "%s cannot be loaded: install libcurl4", LIBCURL);
#define X(name) \
	*(void **)&curl->name = dlsym(library, "curl_" #name); \
	if (!curl->name) \
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "%s has no curl_" #name, LIBCURL);
	CURL_FUNCTIONS(X)
#undef X
	return curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : iq_error_nomem(error);
}

static int begin(struct iq_engine *engine, struct iq_error *error)
{
	engine->multi = engine->curl.multi_init();
	if (!engine->multi)
		return iq_error_nomem(error);
	(void)engine->curl.multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)engine->curl.multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine);
	(void)engine->curl.multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, set_timeout);
	(void)engine->curl.multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine);
	(void)uv_timer_init(engine->loop, &engine->timeout);
	(void)uv_timer_init(engine->loop, &engine->work);
	engine->timeout.data = engine->work.data = engine;
	return engine->transport == SSH ? listen_for_ssh(engine, error) : 0;
}

int iq_engine_open(uv_loop_t *loop, const char *address, struct iq_engine **ret_engine, struct iq_error *error)
{
	struct iq_engine *engine = calloc(1, sizeof(*engine));
	const char *variable = getenv("DOCKER_HOST");
	int rc;

	if (!engine)
		return iq_error_nomem(error);
	engine->loop = loop;
	engine->listener = -1;
	if (!address)
		address = variable && *variable ? variable : IQ_ENGINE_SOCKET;
	rc = set_address(engine, address, error);
	if (rc == 0)
		rc = load_curl(&engine->curl, error);
	if (rc == 0)
		rc = begin(engine, error);
	/* What waits on the loop has to be closed there. */
	if (rc < 0 && engine->timeout.data)
		iq_engine_close(engine);
	*ret_engine = engine;
	return rc;
}

void iq_engine_close(struct iq_engine *engine)
{
	if (!engine || engine->closed || !engine->timeout.data)
		return;
	engine->closed = true;
	for (struct iq_engine_request *request = engine->requests, *next; request; request = next) {
		next = request->next;
		request_detach(request);
		request_free(request);
	}
	(void)engine->curl.multi_cleanup(engine->multi);
	stop_listening(engine);
	uv_close((uv_handle_t *)&engine->timeout, NULL);
	uv_close((uv_handle_t *)&engine->work, NULL);
}

void iq_engine_free(struct iq_engine *engine)
{
	char *const texts[] = { engine ? engine->address : NULL,      engine ? engine->base : NULL,
				engine ? engine->socket : NULL,	      engine ? engine->user : NULL,
				engine ? engine->host : NULL,	      engine ? engine->port : NULL,
				engine ? engine->certificates : NULL, engine ? engine->directory : NULL };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	free(engine);
}
