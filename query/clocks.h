/* query/clocks.h - how far two clocks are apart, from messages that were seen at both.
 *
 * What the client sent is seen first at the source nearer to it, what the server sent first at the source nearer to the
 * server. So each message that both saw bounds the shift which has to be added to the times of one: those of the client from below, those of the
 * server from above. A message is recognised by its payload (a hash of it): as the body of another message, as a whole log line, as a
 * string or object in a JSON log line, or as the JSON at the end of a plain one. Payloads that one source saw twice say nothing.
 */
#ifndef IQ_QUERY_CLOCKS_H
#define IQ_QUERY_CLOCKS_H

#include "store/store.h"

/* Shorter payloads are alike by chance. */
#define IQ_CLOCKS_MIN_PAYLOAD 12
/* So many messages are remembered at most; `limited` says that there were more. */
#define IQ_CLOCKS_MAX_MESSAGES (1u << 20)
/* Sources that saw one message, at most. */
#define IQ_CLOCKS_MAX_SEEN 4

/* `source` against `reference`, which is nearer to the client. */
struct iq_clock_pair {
	uint32_t reference; /* numbers of sources */
	uint32_t source;
	uint64_t matches;
	int64_t least; /* ns to be added to the times of `source`; IQ_TIME_NONE: not bounded */
	int64_t most;
	bool fits; /* false: least > most, no one shift explains all of it */
};

struct iq_clocks {
	struct iq_clock_pair *pairs; /* by source, then reference */
	size_t count;
	bool limited;
};

/* By the times as they were recorded, without skews. Caller owns; release with iq_clocks_release(). Errors: as iq_cursor_next(). */
int iq_clocks_compare(struct iq_store *store, struct iq_clocks *ret_clocks, struct iq_error *error);
void iq_clocks_release(struct iq_clocks *clocks);

#endif
