/* ingest/docker_record.h - records the containers of a Docker Engine: what they log, and what happens to them. Included by
 * ingest/ingest.h.
 *
 * Each line is an event of kind `log`, each thing that happens to a container one of kind `container` (docs/docker.md); they go to the
 * spool of a store (store/spool.h), as NDJSON, which is their evidence. Containers that appear later are followed as well. Where the
 * Engine goes away it is waited for, and what was logged meanwhile is read from where it broke off: each line once. A gap says
 * where something can be missing.
 */
#ifndef IQ_INGEST_DOCKER_RECORD_H
#define IQ_INGEST_DOCKER_RECORD_H

#include "base/base.h"

/* An Engine that went away is asked again this often. */
#define IQ_DOCKER_RETRY_MS 250u
/* When it is to end, what was logged before is still taken: of each log until a later line came, or for so long none; at most so long. */
#define IQ_DOCKER_QUIET_NS (300 * IQ_NS_PER_MS)
#define IQ_DOCKER_DRAIN_NS (10 * IQ_NS_PER_S)
/* So much is handed to the spool before it is waited for, so that an Engine that is faster than the disk waits. */
#define IQ_DOCKER_FLUSH_BYTES (16u << 20)

struct iq_docker_options {
	const char *address; /* as DOCKER_HOST; NULL: that of the environment */
	const char *const *
		projects; /* Compose projects, and names or ids of containers: those of any. None of both: all containers */
	size_t project_count;
	const char *const *containers;
	size_t container_count;
	bool follow;	 /* go on until `stop`; else end with what there is */
	int64_t since;	 /* IQ_TIME_NONE: all that the Engine has */
	size_t max_line; /* 0: IQ_INGEST_MAX_LINE */
	struct iq_redactor *
		redactor; /* takes secrets out before anything is kept; then the raw bytes are what is left. May be NULL */
	bool has_covers; /* the recording is complete from covers_from to covers_to */
	int64_t covers_from;
	int64_t covers_to;
	void (*tell)(void *context, const char *line); /* what a person shall hear, in one line; may be NULL */
	const volatile int *stop;		       /* set to non-zero (by a signal handler) to end; may be NULL */
	void *context;
};

struct iq_docker_result {
	uint64_t containers;
	uint64_t lines;
	uint64_t actions; /* events of kind `container` */
	uint64_t gaps;
	uint64_t again;		/* lines that came again after an interruption, and were passed over */
	uint64_t interruptions; /* times that the Engine went away */
	uint64_t lost;		/* events that the disk did not take, which gaps in the store say */
};

/* Records into the store at `store_path`, and seals. Errors: IQ_ERR_NETWORK where the Engine cannot be reached at the beginning;
 * IQ_ERR_NOT_FOUND where what was named is not there (without `follow`); those of iq_engine_open() and iq_live_open(). */
int iq_docker_record(const char *store_path, const struct iq_docker_options *options,
		     struct iq_docker_result *ret_result, struct iq_error *error);

#endif
