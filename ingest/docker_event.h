/* ingest/docker_event.h - what the Docker Engine says of its containers, as events of kind `container`: an object of `GET /events`
 * (`docker events --format json`), and the state of a container (`GET /containers/ID/json`, `docker inspect`). Free of I/O.
 *
 * The type of an event is the Engine's action: `start`, `die`, `oom`, `kill`, `health_status`, `restart`, ... What hangs behind a colon
 * (`health_status: unhealthy`) becomes a member of the attrs. From a state come the events that led to it, as far as it tells:
 * `create`, `start`, `health_check` (one for each probe in its log), `die`; their attrs say `"from":"inspect"`.
 */
#ifndef IQ_INGEST_DOCKER_EVENT_H
#define IQ_INGEST_DOCKER_EVENT_H

#include "event/event.h"

/* So many events the Engine keeps; what was before is forgotten. */
#define IQ_DOCKER_HISTORY 256
/* Digits of an id that are enough to name a container. */
#define IQ_DOCKER_ID_DIGITS 12

/* What names a container. Views: NULL where it is not told; Borrowed until the text and the memory that were given go. */
struct iq_docker_names {
	struct iq_view id;
	struct iq_view name; /* without the slash in front */
	struct iq_view image;
	struct iq_view project; /* Docker Compose: labels */
	struct iq_view service;
	struct iq_view number;
};

/* Something that happened to a container. */
struct iq_docker_action {
	struct iq_docker_names of;
	int64_t ts;
	struct iq_view action;	  /* `die` */
	struct iq_view detail;	  /* `unhealthy`; the command of an `exec_create` */
	int64_t exit_code;	  /* or IQ_NUMBER_NONE */
	struct iq_view signal;	  /* `9` */
	struct iq_view old_name;  /* of a `rename` */
	struct iq_view text;	  /* output of a health check, error of a container that did not start */
	int64_t restarts;	  /* by the restart policy, or IQ_NUMBER_NONE */
	struct iq_view log_limit; /* size at which its log is rotated; `none`; NULL: not known */
	bool oom;		  /* killed for want of memory */
	bool by_state;		  /* the state of the container tells it, no event */
	struct iq_view raw;	  /* the Engine's own object, or NULL where it is from a state */
};

/* The state of a container. */
struct iq_docker_state {
	struct iq_docker_names of;
	bool tty;
	bool running;
	bool being_removed; /* or its removal failed: its log is not given any more */
	bool has_health_check;
	struct iq_view log_driver; /* `json-file` */
	struct iq_view log_limit;  /* as struct iq_docker_action has it */
	int64_t started;
	int64_t finished;
	int64_t restarts;
};

/* Reads one object of /events. `memory` receives unescaped text. False where it is none, or is not about a container. */
bool iq_docker_action_read(struct iq_docker_action *action, struct iq_view json, struct iq_arena *memory);
/* When it happened, whatever it is; or IQ_TIME_NONE. */
int64_t iq_docker_event_time(struct iq_view json);
/* Reads the state of a container; the same. */
bool iq_docker_state_read(struct iq_docker_state *state, struct iq_view json, struct iq_arena *memory);
/* At what size the log of a container is rotated, by `LogConfig` of its HostConfig: `10m`, or `none`. NULL where that is not told. */
struct iq_view iq_docker_log_limit(struct iq_view log_config, struct iq_arena *memory);
/* Gives what the state in `json` tells of the past, in the order of time; negative from `take` ends it. */
int iq_docker_state_history(struct iq_view json, int (*take)(void *context, const struct iq_docker_action *action),
			    void *context);

/* Says that events are known from `ts` on. */
struct iq_docker_action iq_docker_history_action(int64_t ts);
/* A copy whose texts lie in `memory`. 0 or IQ_ERR_NOMEM. */
int iq_docker_action_copy(const struct iq_docker_action *action, struct iq_arena *memory,
			  struct iq_docker_action *ret_copy);
/* The event that it is; its source and attrs are the caller's to set: `body` receives the one, `attrs` is given the members of the other,
 * behind those that it has, without the end of the object. IQ_ERR_NOMEM. */
int iq_docker_action_event(const struct iq_docker_action *action, struct iq_buf *body, struct iq_buf *attrs,
			   struct iq_event *ret_event);
/* The name under which a container is recorded: of Compose `backend-1`, as `docker compose logs` has it, else its own. Appended. */
void iq_docker_names_source(const struct iq_docker_names *names, struct iq_buf *source);
/* Writes the members that tell a container from others into attrs. */
void iq_docker_names_describe(const struct iq_docker_names *names, struct iq_buf *attrs);
/* The id as it is written in events. */
struct iq_view iq_docker_short_id(struct iq_view id);

#endif
