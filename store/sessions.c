#include "store/sessions.h"

#include <stdlib.h>

/* Of the database outside, in KiB. */
#define PRAGMAS \
	"PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;" \
	"PRAGMA cache_size=-8192;" \
	"CREATE TABLE sessions(name BLOB PRIMARY KEY, no INTEGER, seen INTEGER, start_seen INTEGER) WITHOUT ROWID"

void iq_sessions_init(struct iq_sessions *sessions)
{
	*sessions = (struct iq_sessions){ .names = IQ_MAP_INIT, .next_no = 1, .key = IQ_BUF_INIT };
}

static void close_outside(struct iq_sessions *sessions)
{
	(void)sqlite3_finalize(sessions->insert);
	(void)sqlite3_finalize(sessions->select);
	(void)sqlite3_close(sessions->outside);
	sessions->outside = NULL;
	sessions->insert = sessions->select = NULL;
}

void iq_sessions_release(struct iq_sessions *sessions)
{
	close_outside(sessions);
	iq_map_release(&sessions->names);
	iq_buf_release(&sessions->key);
	free(sessions->items);
}

void iq_sessions_clear(struct iq_sessions *sessions)
{
	close_outside(sessions);
	iq_map_clear(&sessions->names);
	sessions->next_no = 1;
}

/* ---- Names ---- */

static int make_key(struct iq_sessions *sessions, uint32_t source_no, struct iq_view name)
{
	iq_buf_clear(&sessions->key);
	(void)iq_buf_append(&sessions->key, iq_view_make((const char *)&source_no, sizeof(source_no)));
	return iq_buf_append(&sessions->key, name);
}

static struct iq_session no_part(const struct iq_session *session)
{
	return (struct iq_session){
		.no = session->no, .name = session->name, .started = IQ_TIME_NONE, .ended = IQ_TIME_NONE
	};
}

/* 1 where the session is known outside, 0 where it is not. */
static int look_outside(struct iq_sessions *sessions, struct iq_view key, struct iq_live_session *session)
{
	int code;

	if (!sessions->outside)
		return 0;
	(void)sqlite3_bind_blob64(sessions->select, 1, key.data, key.len, SQLITE_STATIC);
	code = sqlite3_step(sessions->select);
	if (code == SQLITE_ROW) {
		session->part.no = (uint32_t)sqlite3_column_int64(sessions->select, 0);
		session->seen = sqlite3_column_int(sessions->select, 1) != 0;
		session->start_seen = sqlite3_column_int(sessions->select, 2) != 0;
	}
	(void)sqlite3_reset(sessions->select);
	return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : IQ_ERR_IO;
}

/* The state of the key just made; `no` where it is new, 0 for the next one. */
static int get(struct iq_sessions *sessions, uint32_t source_no, uint32_t no, struct iq_live_session **ret_session)
{
	struct iq_live_session *session;
	uint32_t index;
	int rc = iq_map_intern(&sessions->names, iq_buf_view(&sessions->key), &index);

	if (rc < 0 || IQ_ARRAY_GROW(sessions->items, sessions->capacity, (size_t)index + 1) < 0)
		return IQ_ERR_NOMEM;
	session = *ret_session = &sessions->items[index];
	if (rc == 0)
		return 0;
	*session = (struct iq_live_session){ .source_no = source_no, .part.no = no };
	session->part.name = iq_view_from(sessions->names.entries[index].key, sizeof(source_no));
	session->part = no_part(&session->part);
	rc = look_outside(sessions, sessions->names.entries[index].key, session);
	if (rc == 0 && no == 0)
		session->part.no = sessions->next_no++;
	return rc < 0 ? rc : 0;
}

int iq_sessions_get(struct iq_sessions *sessions, uint32_t source_no, struct iq_view name,
		    struct iq_live_session **ret_session)
{
	return make_key(sessions, source_no, name) < 0 ? IQ_ERR_NOMEM : get(sessions, source_no, 0, ret_session);
}

int iq_sessions_know(struct iq_sessions *sessions, uint32_t source_no, const struct iq_session *part)
{
	struct iq_live_session *session;
	int rc = make_key(sessions, source_no, part->name) < 0 ? IQ_ERR_NOMEM
							       : get(sessions, source_no, part->no, &session);

	if (rc < 0)
		return rc;
	session->seen |= part->events > 0;
	session->start_seen |= part->start_seen;
	if (part->no >= sessions->next_no)
		sessions->next_no = part->no + 1;
	return iq_sessions_make_room(sessions);
}

/* ---- Parts ---- */

int iq_sessions_write(struct iq_sessions *sessions, struct iq_segment_writer *writer, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < sessions->names.count && rc == 0; i++) {
		struct iq_live_session *session = &sessions->items[i];

		if (session->part.events == 0 && !session->named)
			continue;
		session->named = false;
		rc = iq_segment_writer_session(writer, &session->part, session->source_no, error);
		session->part = no_part(&session->part);
	}
	return rc;
}

/* ---- Outside ---- */

bool iq_sessions_full(const struct iq_sessions *sessions)
{
	return sessions->names.count >= IQ_SESSIONS_IN_MEMORY || sessions->names.keys.used >= IQ_SESSIONS_NAME_BYTES;
}

static int open_outside(struct iq_sessions *sessions)
{
	/* Without a name it is a file that nobody else sees. */
	if (sqlite3_open("", &sessions->outside) != SQLITE_OK ||
	    sqlite3_exec(sessions->outside, PRAGMAS, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(sessions->outside, "INSERT OR REPLACE INTO sessions VALUES(?1, ?2, ?3, ?4)", -1,
			       &sessions->insert, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(sessions->outside, "SELECT no, seen, start_seen FROM sessions WHERE name = ?1", -1,
			       &sessions->select, NULL) != SQLITE_OK)
		return IQ_ERR_IO;
	return 0;
}

static int move_out(struct iq_sessions *sessions, size_t i)
{
	struct iq_view key = sessions->names.entries[i].key;
	int code;

	(void)sqlite3_bind_blob64(sessions->insert, 1, key.data, key.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(sessions->insert, 2, sessions->items[i].part.no);
	(void)sqlite3_bind_int(sessions->insert, 3, sessions->items[i].seen);
	(void)sqlite3_bind_int(sessions->insert, 4, sessions->items[i].start_seen);
	code = sqlite3_step(sessions->insert);
	(void)sqlite3_reset(sessions->insert);
	return code == SQLITE_DONE ? 0 : IQ_ERR_IO;
}

int iq_sessions_make_room(struct iq_sessions *sessions)
{
	int rc = 0;

	if (!iq_sessions_full(sessions))
		return 0;
	if (!sessions->outside)
		rc = open_outside(sessions);
	if (rc == 0 && sqlite3_exec(sessions->outside, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		rc = IQ_ERR_IO;
	for (size_t i = 0; i < sessions->names.count && rc == 0; i++)
		rc = move_out(sessions, i);
	if (rc == 0 && sqlite3_exec(sessions->outside, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		rc = IQ_ERR_IO;
	iq_map_clear(&sessions->names);
	return rc;
}
