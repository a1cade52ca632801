/* ingest/engine.h - requests to a Docker Engine, on an event loop of libuv, through libcurl:
 *
 *	iq_engine_open(&loop, NULL, &engine, &error);
 *	iq_engine_get(engine, "/version", &answer, context, &error);
 *	uv_run(&loop, UV_RUN_DEFAULT);                 the callbacks of the answers; at last iq_engine_close()
 *	iq_engine_free(engine);
 *
 * An address is that of DOCKER_HOST: `unix:///var/run/docker.sock` (the default), `tcp://host:port` (with TLS where DOCKER_TLS_VERIFY is set:
 * ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH, or in ~/.docker), `ssh://user@host:port` (through `docker system dial-stdio` there).
 *
 * libcurl is loaded here, by dlopen(3): it brings more than twenty libraries, for which no search of a store shall wait.
 *
 * Thread rule: everything on the thread of the loop. All of these may be called from within a callback, but iq_engine_close() not
 * from bytes(), and iq_engine_free() from none.
 */
#ifndef IQ_INGEST_ENGINE_H
#define IQ_INGEST_ENGINE_H

#include <uv.h>

#include "base/base.h"

#define IQ_ENGINE_SOCKET "unix:///var/run/docker.sock"
#define IQ_ENGINE_CONNECT_SECONDS 15L
/* Of what is said to a request that is refused. */
#define IQ_ENGINE_MAX_REFUSAL 4096u

struct iq_engine;
struct iq_engine_request;

struct iq_engine_answer {
	/* Bytes of the body of a request that was granted. */
	void (*bytes)(void *context, struct iq_view bytes);
	/* The answer is complete, or will never be. `status` is that of HTTP, 0 without an answer; `trouble` is NULL where all is well, else a
	 * line for a person. The request is gone when this returns. */
	void (*end)(void *context, int status, const char *trouble);
};

/* `address` NULL: that of DOCKER_HOST, else the default. Nothing is connected yet. Caller owns, also after a failure; release with
 * iq_engine_close(), and iq_engine_free() when the loop has ended. Errors: IQ_ERR_USAGE for an address that is none; IQ_ERR_NOT_FOUND without libcurl. */
int iq_engine_open(uv_loop_t *loop, const char *address, struct iq_engine **ret_engine, struct iq_error *error);
/* No callback is called any more; the loop has nothing more to wait for. NULL allowed. */
void iq_engine_close(struct iq_engine *engine);
void iq_engine_free(struct iq_engine *engine); /* NULL allowed */

/* Asks for `path`, which begins with a slash. NULL when memory is out. Borrowed until its end() returns, or it is cancelled. */
struct iq_engine_request *iq_engine_get(struct iq_engine *engine, const char *path,
					const struct iq_engine_answer *answer, void *context);
/* Ends it; none of its callbacks is called any more. NULL allowed. */
void iq_engine_cancel(struct iq_engine_request *request);

/* Where it is: `unix:///var/run/docker.sock`. Borrowed until the engine is freed. */
const char *iq_engine_address(const struct iq_engine *engine);
/* What to do about an Engine that cannot be reached. Static. */
const char *iq_engine_advice(const struct iq_engine *engine);

#endif
