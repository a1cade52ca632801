/* tests/replay/scene.h - recorded sessions in stores of their own, and a real server to replay them against.
 */
#ifndef IQ_TESTS_REPLAY_SCENE_H
#define IQ_TESTS_REPLAY_SCENE_H

#include "replay/replay.h"

/* One event of a recording: `kind` as in NDJSON, direction `c` or `s`. */
struct line {
	enum iq_kind kind;
	char direction;
	const char *body;
	const char *attrs;
};

#define OPEN(attrs) \
	{ \
		IQ_KIND_WS_OPEN, 'c', NULL, attrs \
	}
#define CLIENT(body) \
	{ \
		IQ_KIND_WS_MESSAGE, 'c', body, NULL \
	}
#define SERVER(body) \
	{ \
		IQ_KIND_WS_MESSAGE, 's', body, NULL \
	}

/* A directory for one test, removed with everything in it. */
struct scene {
	char directory[64];
	char recording[96]; /* a store with one session, s1, named c1 */
	char run[96];	    /* where a run may be recorded */
};

void scene_open(struct scene *scene, const struct line *lines, size_t count);
void scene_close(struct scene *scene);

struct server {
	int pid;
	int stdin_fd;
	unsigned port;
};

void server_start(struct server *server);
void server_stop(struct server *server);

#endif
