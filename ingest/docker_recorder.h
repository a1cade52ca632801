/* ingest/docker_recorder.h - the parts of a recording of a Docker Engine: docker_record.c has the Engine, docker_container.c one
 * container, docker_write.c the way into the store, docker_known.c what the store had before. Within ingest/.
 */
#ifndef IQ_INGEST_DOCKER_RECORDER_H
#define IQ_INGEST_DOCKER_RECORDER_H

#include "ingest/docker_event.h"
#include "ingest/docker_record.h"
#include "ingest/docker_seen.h"
#include "ingest/docker_stream.h"
#include "ingest/engine.h"
#include "ingest/ingest.h"

struct iq_docker_container;

struct iq_docker_recorder {
	const struct iq_docker_options *options;
	struct iq_docker_result result;
	size_t max_line;
	uv_loop_t loop;
	uv_timer_t tick;  /* looks whether it is to end */
	uv_timer_t retry; /* asks again for an Engine that went away */
	struct iq_engine *engine;
	struct iq_live *live;
	const char *store_path;
	int rc; /* what ended it, if that was an error */
	struct iq_error *error;
	bool ended;

	/* The Engine. */
	struct iq_engine_request *request; /* /version, /info, /events up to now, the list: one after the other */
	struct iq_engine_request *events;  /* those to come */
	struct iq_buf answer;
	struct iq_buf event_line;
	char version[32]; /* of its interface: `/v1.41` */
	int64_t began;	  /* by its clock */
	int64_t now;	  /* by its clock, when it was asked last */
	int64_t skew;	  /* how far its clock is ahead of this one */
	bool away;
	int64_t away_since;
	bool restarted;	  /* it came back as another one */
	int64_t lost_at;  /* by its clock, when it was there for certain */
	uint64_t history; /* events that it had */
	int64_t history_from;
	struct iq_docker_seen seen; /* events */
	int64_t stop_seen;	    /* when it was to end, by the monotonic clock */
	int64_t stop_at;	    /* the same by the Engine's clock */
	int64_t last_bytes;	    /* when something came last */

	/* Its containers. */
	struct iq_docker_container *containers;
	struct iq_map ids;     /* to struct iq_docker_container */
	struct iq_map sources; /* names in use, to what has them */
	struct iq_arena memory;

	/* What the store had before. */
	struct iq_store *before; /* NULL: nothing */
	struct iq_map told;	 /* the latest time of each action of a container */

	/* On the way into the store. */
	struct iq_sink sink;		/* into the spool, behind: */
	struct iq_describer *describer; /* behind this, where there is one, the redactor */
	const struct iq_sink *described;
	struct iq_buf line;
	struct iq_buf body;
	struct iq_buf attrs;
	size_t unflushed;
};

/* ---- docker_record.c ---- */

/* Ends everything; with an error where rc is one. */
void iq_docker_finish(struct iq_docker_recorder *recorder, int rc);
/* The Engine does not answer: waits for it. */
void iq_docker_went_away(struct iq_docker_recorder *recorder, const char *trouble);
/* Something is done: was it the last thing, where nothing is followed? */
void iq_docker_check_done(struct iq_docker_recorder *recorder);
/* Asks for a path below the version. NULL after an error, which has ended everything. */
struct iq_engine_request *iq_docker_get(struct iq_docker_recorder *recorder, const struct iq_engine_answer *answer,
					void *context, const char *format, ...) IQ_PRINTF(4, 5);
/* `&since=1795549072.043009195`; nothing for IQ_TIME_NONE. */
void iq_docker_append_time(struct iq_buf *path, const char *name, int64_t ts);
void iq_docker_tell(const struct iq_docker_recorder *recorder, const char *format, ...) IQ_PRINTF(2, 3);

/* ---- docker_container.c ---- */

/* The container with this id; a new one is asked for what it is. NULL when memory is out. */
struct iq_docker_container *iq_docker_container_get(struct iq_docker_recorder *recorder, struct iq_view id);
/* Something happened to it. */
void iq_docker_container_action(struct iq_docker_container *container, const struct iq_docker_action *action);
/* The Engine is there again, or for the first time: looks at all containers and goes on with their logs. */
void iq_docker_containers_look(struct iq_docker_recorder *recorder);
/* Looks at those whose log ended too soon. */
void iq_docker_containers_tick(struct iq_docker_recorder *recorder);
/* A gap for each that is recorded. */
void iq_docker_containers_gap(struct iq_docker_recorder *recorder, int64_t from, int64_t to, const char *reason);
/* Is anything asked for any of them? */
bool iq_docker_containers_busy(const struct iq_docker_recorder *recorder);
/* Has everything come that was logged before recorder->stop_at? */
bool iq_docker_containers_drained(const struct iq_docker_recorder *recorder);
/* Lines that are unfinished are given. */
void iq_docker_containers_end(struct iq_docker_recorder *recorder);
void iq_docker_containers_free(struct iq_docker_recorder *recorder);

/* ---- docker_known.c ---- */

/* Reads what the store at hand has from an earlier recording: of events all, so that the Engine's are not recorded twice. */
int iq_docker_known_open(struct iq_docker_recorder *recorder, struct iq_error *error);
void iq_docker_known_close(struct iq_docker_recorder *recorder);
/* The latest time of an action of a container, or IQ_TIME_NONE. */
int64_t iq_docker_known_told(const struct iq_docker_recorder *recorder, struct iq_view id, const char *action);
/* Gives the last lines of a container, those of IQ_DOCKER_SEEN_NS, in their order. */
int iq_docker_known_lines(struct iq_docker_recorder *recorder, struct iq_view source, struct iq_view id,
			  iq_docker_line_fn *take, void *context, struct iq_error *error);

/* ---- docker_write.c ---- */

/* Before the first of them. 0 or IQ_ERR_NOMEM. */
int iq_docker_write_begin(struct iq_docker_recorder *recorder);
/* Each gives one thing to the store; what fails ends the recording. */
void iq_docker_write_event(struct iq_docker_recorder *recorder, struct iq_event *event);
void iq_docker_write_action(struct iq_docker_recorder *recorder, const struct iq_docker_action *action,
			    struct iq_view source);
void iq_docker_write_gap(struct iq_docker_recorder *recorder, struct iq_view source, int64_t from, int64_t to,
			 const char *reason);
/* The hash of a text as the store has it. */
uint64_t iq_docker_hash(struct iq_docker_recorder *recorder, struct iq_view text);
/* The name under which a container is recorded: of Compose `backend-1`, else its own. Where another project or container has that, its
 * own name. Lives as long as the recorder; the NULL view when memory is out. */
struct iq_view iq_docker_source(struct iq_docker_recorder *recorder, const struct iq_docker_names *names);

#endif
