/* ingest/docker_seen.h - going on with a stream of records that have times, where it is asked for again `since` a time: what was had
 * already is passed over, exactly, also where several records have the same time. Free of I/O.
 *
 *	iq_docker_seen_add(&seen, ts, hash, begun);     each record that is taken
 *	...                                             the stream breaks
 *	iq_docker_seen_rewind(&seen, begun, &since);    to be asked for from here
 *	if (iq_docker_seen_again(&seen, ts, hash)) ...  each record of the new stream: pass over those it says yes to
 *
 * Times of neighbouring records may be out of order by a little (two streams of a container are stamped by two threads), so what is asked
 * for again begins IQ_DOCKER_SEEN_NS before the latest time.
 */
#ifndef IQ_INGEST_DOCKER_SEEN_H
#define IQ_INGEST_DOCKER_SEEN_H

#include "event/event.h"

#define IQ_DOCKER_SEEN_NS (2 * IQ_NS_PER_S)
/* No more are remembered; what is asked for again begins later then. */
#define IQ_DOCKER_SEEN_MAX (1u << 16)

/* As the time of something begun: everything is remembered. */
#define IQ_DOCKER_SEEN_ALL IQ_NS_PER_S

struct iq_docker_seen_record {
	int64_t ts;
	uint64_t hash;
};

struct iq_docker_seen {
	struct iq_docker_seen_record *records; /* a ring, oldest at `first` */
	size_t first;
	size_t count;
	size_t capacity;		     /* a power of two */
	int64_t latest;			     /* of all times; IQ_TIME_NONE: none yet */
	int64_t floor;			     /* everything from here on is remembered */
	uint64_t last;			     /* hash of the last record */
	struct iq_docker_seen_record *again; /* those that the new stream has not given yet, by time and hash */
	size_t again_count;
	size_t again_left;
	int64_t again_end; /* of their times */
	uint8_t *again_used;
	bool proved; /* the new stream gave the last record again: nothing is missing between */
};

#define IQ_DOCKER_SEEN_INIT \
	{ \
		.latest = IQ_TIME_NONE, .floor = INT64_MIN, .proved = true \
	}

void iq_docker_seen_release(struct iq_docker_seen *seen);
/* Adds a record that was taken. `begun` is the time of the oldest one that has begun and is not complete, or IQ_TIME_NONE. 0 or
 * IQ_ERR_NOMEM. */
int iq_docker_seen_add(struct iq_docker_seen *seen, int64_t ts, uint64_t hash, int64_t begun);
/* Begins to pass over what was had. *ret_since is the time from which it has to be asked for; IQ_TIME_NONE: from the beginning. It is
 * after `begun`, which then does not come again, only where more than IQ_DOCKER_SEEN_MAX records came since. */
int iq_docker_seen_rewind(struct iq_docker_seen *seen, int64_t begun, int64_t *ret_since);
/* Was this record had before the last rewind? Each counts once. */
bool iq_docker_seen_again(struct iq_docker_seen *seen, int64_t ts, uint64_t hash);

#endif
