/* store/sessions.h - the sessions of a store that is being written: their numbers, and what the open segment holds of each.
 * Private to store/.
 *
 * A session keeps its number for as long as the store lives, so every name has to be known. Those that appeared since the last
 * commit are in memory; when these are many (iq_sessions_full()), a commit is due, after which iq_sessions_make_room() moves them
 * into a temporary database outside, which goes with the process. One thread at a time.
 */
#ifndef IQ_STORE_SESSIONS_H
#define IQ_STORE_SESSIONS_H

#include "store/segment.h"

/* No more sessions, or bytes of their names, are kept in memory, but for those of one piece of evidence. */
#define IQ_SESSIONS_IN_MEMORY 131072u
#define IQ_SESSIONS_NAME_BYTES (16u << 20)

struct iq_live_session {
	struct iq_session part; /* since the last commit; number and name are the session's */
	uint32_t source_no;
	uint32_t evidence; /* in which it appeared last */
	bool named;	   /* by a gap since the last commit: the part is written even without events */
	bool seen;	   /* it has events, in any part */
	bool start_seen;   /* in any part */
};

struct iq_sessions {
	struct iq_map names; /* source number and name -> index in items */
	struct iq_live_session *items;
	size_t capacity;
	uint32_t next_no;
	struct iq_buf key;
	sqlite3 *outside; /* NULL until something was moved there */
	sqlite3_stmt *insert;
	sqlite3_stmt *select;
};

void iq_sessions_init(struct iq_sessions *sessions);
void iq_sessions_release(struct iq_sessions *sessions);
/* Forgets them all. */
void iq_sessions_clear(struct iq_sessions *sessions);
/* The session of this name, a new one where there is none. Its name is borrowed until iq_sessions_make_room(), the rest until
 * another is asked for. 0, IQ_ERR_NOMEM, or IQ_ERR_IO from the database outside. */
int iq_sessions_get(struct iq_sessions *sessions, uint32_t source_no, struct iq_view name,
		    struct iq_live_session **ret_session);
/* Takes over a part of a session from the store, with its number. */
int iq_sessions_know(struct iq_sessions *sessions, uint32_t source_no, const struct iq_session *part);
bool iq_sessions_full(const struct iq_sessions *sessions);
/* Writes the parts that have events or are named; then all begin anew. */
int iq_sessions_write(struct iq_sessions *sessions, struct iq_segment_writer *writer, struct iq_error *error);
/* Where they are full; nothing of the parts may be unwritten then. */
int iq_sessions_make_room(struct iq_sessions *sessions);

#endif
