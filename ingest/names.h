/* ingest/names.h - what the path of a log file says: whose it is, and which turn of its rotation.
 */
#ifndef IQ_INGEST_NAMES_H
#define IQ_INGEST_NAMES_H

#include "base/base.h"

/* Docker's descriptions of a container, beside its log. */
#define IQ_DOCKER_CONFIG "config.v2.json"
#define IQ_DOCKER_HOST_CONFIG "hostconfig.json"
#define IQ_DOCKER_CONFIG_MAX (4u << 20)

/* Reads files of the place (a file system, an archive) in which another was found. */
struct iq_beside {
	/* Appends the file of that path; negative where there is none, or none that is small. */
	int (*read)(void *context, const char *path, struct iq_buf *text);
	bool (*has)(void *context, const char *path);
	void *context;
};
/* Is the file one that describes others, and is asked for when those are read? */
bool iq_path_describes(const char *path);

/* Whose records a file holds. */
struct iq_origin {
	struct iq_buf source;
	struct iq_buf attrs; /* as struct iq_parser_options has them */
	int64_t started;     /* of a container: its last run, or IQ_TIME_NONE */
	char log_limit[16];  /* as iq_history_started() has it; "": not known */
};
#define IQ_ORIGIN_INIT \
	{ \
		.source = IQ_BUF_INIT, .attrs = IQ_BUF_INIT, .started = IQ_TIME_NONE \
	}

/* Reads the path; what it says is appended to `origin`, which is empty.
 *  - /var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log: source POD/CONTAINER; attrs pod, container, namespace
 *  - /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log: likewise, and container_id
 *  - /var/lib/docker/containers/ID/ID-json.log: source and attr container are the first 12 digits of the id
 *  - har.har, and what lies beside a HAR (ingest/attached.h): the name of the directory or archive
 *  - anything else: the base name without compression, rotation (see below), format (.log .har .ndjson .jsonl .json .txt) and
 *    `-json`; `-` is `stdin`
 * 0 or IQ_ERR_NOMEM. Caller owns; release with iq_origin_release(), also after a failure. */
int iq_origin_read_path(struct iq_origin *origin, const char *path);
/* What Docker's description of the container says: its name becomes the source; attrs project and service, from Compose's labels.
 * Text that is none changes nothing. 0 or IQ_ERR_NOMEM. */
int iq_origin_read_docker_config(struct iq_origin *origin, struct iq_view text);
/* And the other one: at which size the log is rotated. */
void iq_origin_read_docker_host_config(struct iq_origin *origin, struct iq_view text);
/* What `docker inspect` says of it: the source is that of its events, and the attrs that tell it from others. 0 or IQ_ERR_NOMEM. */
int iq_origin_read_docker_inspect(struct iq_origin *origin, struct iq_view text);
/* Is the path that of a log beside which such a description lies? */
bool iq_path_is_docker_log(const char *path);
void iq_origin_release(struct iq_origin *origin);

/* Which turn of its rotation a file is: `x.log.2.gz` and `x.log-20261124` are turns of `x.log`. */
struct iq_rotation {
	struct iq_view stem; /* the path without compression and turn. Borrowed until the path goes. */
	struct iq_view date; /* `20261124-032759`: later dates are newer; NULL: not by date */
	uint64_t number;     /* larger ones are older; 0: the newest, or by date */
};
struct iq_rotation iq_rotation_of(const char *path);
/* Of files with the same stem: negative if `a` is older than `b`. */
int iq_rotation_compare(const struct iq_rotation *a, const struct iq_rotation *b);

#endif
