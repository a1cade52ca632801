/* query/joined.h - the log lines that are about a session, wherever they were logged, and the HTTP around it. Private to query/.
 *
 * A line joins a session if, within the session's time, it carries its name or the key of one of its messages (a run, a tool call),
 * as a word of its own: in its text, or as its own key; or if it is of a session with the same name of another source, as rules for log
 * lines make them (docs/extract.md). Ids that may be anything (`c1`) count only behind a word that says what they are (`session=c1`),
 * and short numbers never. A request or response joins if it carries a cookie or a token of the session's handshake, in its headers, its
 * URL or its body (a log-in that answers with the token), and with it the other half of its exchange; an address joins nothing. It is derived each time: nothing of it is written into a store.
 */
#ifndef IQ_QUERY_JOINED_H
#define IQ_QUERY_JOINED_H

#include "query/query.h"

/* Lines that join one session, and ids by which they do. */
#define IQ_JOINED_MAX 1000u
#define IQ_JOINED_MAX_IDS 4096u
/* Before the session began and after it ended; what a server says of its end comes late. */
#define IQ_JOINED_MARGIN (5 * IQ_NS_PER_S)

/* A log-in may have been so long before. */
#define IQ_JOINED_BEFORE (3600 * IQ_NS_PER_S)
/* Shorter cookies and tokens tie nothing; without any digit they have to be twice as long. */
#define IQ_JOINED_MIN_SECRET 8u
#define IQ_JOINED_MAX_SECRETS 64u

struct iq_joined {
	struct iq_event
		*events; /* by time; id, ts (by the clock of the session's source), source, severity and body are set */
	size_t count;
	size_t capacity;
	uint64_t left_out; /* beyond IQ_JOINED_MAX */
	struct iq_map ids;
	struct iq_arena memory;
};

#define IQ_JOINED_INIT \
	{ \
		.events = NULL, .count = 0, .capacity = 0, .left_out = 0, .ids = IQ_MAP_INIT, .memory = IQ_ARENA_INIT \
	}

/* Finds them. Caller owns; release with iq_joined_release(), also after an error. */
int iq_joined_find(struct iq_store *store, const struct iq_session *session, struct iq_joined *ret_joined,
		   struct iq_error *error);
void iq_joined_release(struct iq_joined *joined);
/* Is this event one of them? */
bool iq_joined_has(const struct iq_joined *joined, uint64_t id);

#endif
