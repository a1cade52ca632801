/* ingest/docker_told.h - what happened to containers, so that it counts once, whoever tells it: `docker events`, `docker inspect`, both of
 * them twice, a recording.
 *
 * The same event (container, type, time, text) is the same happening. A state has times of its own: the Engine writes StartedAt and
 * FinishedAt down first and says so in an event later, by 2 ms to 100 ms as a rule, after IQ_DOCKER_TELLS_LATE at most. So a `create`,
 * `start` or `die` of a state is the first event of that type from its time on. An event without `timeNano` is true to a second, and
 * is compared as such with states.
 *
 * One for all of an ingest, also for what its store has. One thread at a time.
 */
#ifndef IQ_INGEST_DOCKER_TOLD_H
#define IQ_INGEST_DOCKER_TOLD_H

#include "ingest/docker_event.h"

#define IQ_DOCKER_TELLS_LATE (10 * IQ_NS_PER_S)
/* Happenings beyond this many are not known again; nor one behind so many others of its container and type in the same ten seconds. */
#define IQ_DOCKER_TOLD_MAX (1u << 18)
#define IQ_DOCKER_TOLD_CHAIN 256

struct iq_docker_told;

/* Caller owns; release with iq_docker_told_free(). NULL when memory is out. */
struct iq_docker_told *iq_docker_told_new(void);
void iq_docker_told_free(struct iq_docker_told *told); /* NULL allowed */
/* Takes over what the store at `path` tells. 0, or negative from the store. */
int iq_docker_told_recall(struct iq_docker_told *told, const char *path, struct iq_error *error);
/* Was it told before? If not, it is now. `evidence`: a number of who tells it; one that tells twice of the same second means both. */
bool iq_docker_told_again(struct iq_docker_told *told, const struct iq_docker_action *action, uint32_t evidence);

#endif
