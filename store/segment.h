/* store/segment.h - one segment file: a SQLite database that is written once, in one transaction, and only read
 * afterwards.
 */
#ifndef IQ_STORE_SEGMENT_H
#define IQ_STORE_SEGMENT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "store/chunk.h"
#include "store/merkle.h"
#include "store/proof.h"
#include "store/store.h"

/* The part of an evidence that lies in one segment. Counts are of the part, positions of the stream. */
struct iq_evidence_part {
	struct iq_evidence
		evidence; /* `accounted`, `sha256`: of the stream up to its end; `gaps`: those before `settled` */
	uint64_t offset;  /* where it begins */
	/* Where the part that continues it begins: at its end, or before what was unfinished there. That part says it
	 * again, and better: gaps of this one from there on are void then. */
	uint64_t settled;
	struct iq_restart restart;
	uint64_t first_event; /* ids, 0: none */
	uint64_t last_event;  /* also of the parts before */
	int64_t last_ts;
	bool ended;	      /* the stream ended there */
	struct iq_view marks; /* see store/chain.h */
};

/* ---- Writing ------------------------------------------------------------------------------------------------- */

/* One thread at a time codes chunks; other rows may be written by another meanwhile. */
struct iq_segment_writer;

/* Creates `path`, which must not exist; `level`: of zstd. Caller owns; release with iq_segment_writer_free(), which removes the
 * file again unless it was finished. */
int iq_segment_writer_new(const char *path, int level, struct iq_segment_writer **ret_writer, struct iq_error *error);
void iq_segment_writer_free(struct iq_segment_writer *writer);
/* Bytes of blobs written so far. */
uint64_t iq_segment_writer_bytes(const struct iq_segment_writer *writer);
/* Codes a chunk and writes its columns. It counts when iq_coded_chunk_prove() has found it right. */
int iq_segment_writer_chunk(struct iq_segment_writer *writer, const struct iq_chunk_builder *builder,
			    struct iq_coded_chunk *ret_coded, struct iq_error *error);
int iq_segment_writer_raw(struct iq_segment_writer *writer, uint32_t evidence, uint64_t offset, struct iq_view bytes,
			  struct iq_error *error);
int iq_segment_writer_source(struct iq_segment_writer *writer, const struct iq_source *source, struct iq_error *error);
int iq_segment_writer_session(struct iq_segment_writer *writer, const struct iq_session *session, uint32_t source_no,
			      struct iq_error *error);
/* The row of a part as it is. */
int iq_segment_writer_evidence(struct iq_segment_writer *writer, const struct iq_evidence_part *part,
			       struct iq_error *error);
/* The same; of its gaps, those that name `next_id` as the event after them are followed by none in this segment. */
int iq_segment_writer_end_evidence(struct iq_segment_writer *writer, const struct iq_evidence_part *part,
				   uint64_t next_id, struct iq_error *error);
int iq_segment_writer_gap(struct iq_segment_writer *writer, const struct iq_gap *gap, uint32_t session_no,
			  struct iq_error *error);
/* Writes the root hash, commits and syncs. The file stays when the writer is freed. */
int iq_segment_writer_finish(struct iq_segment_writer *writer, uint8_t ret_root[IQ_SHA256_SIZE],
			     struct iq_error *error);

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* A gap's session is a number in a segment; the store puts the name in. */
struct iq_segment_gap {
	struct iq_gap gap;
	uint32_t session_no;
};

struct iq_segment_session {
	struct iq_session session; /* without `source` */
	uint32_t source_no;
};

/* Raw bytes that belong to no event of their evidence. */
struct iq_raw_block {
	int64_t id;
	uint32_t evidence;
	uint64_t offset;
	uint64_t size;
};

/* What was asked last of the words of a segment. */
struct iq_asked_word {
	char part[64];
	size_t len; /* 0: nothing */
	bool folded;
	bool found;
};

struct iq_segment;

/* Bounds how many files the segments of a store keep open: beyond `limit` the one that was not read for longest is closed, and
 * opened again when it is read. What was read from it stays. */
struct iq_segment_pool {
	pthread_mutex_t lock; /* of all that reads the files of its segments: chunks are loaded from several threads.
			       * Recursive. */
	struct iq_segment *oldest;
	struct iq_segment *newest;
	size_t open;
	size_t limit;
};

/* A segment that was opened. Everything lies in `memory`: Borrowed until iq_segment_close(). Sources and zones are always there, sessions,
 * evidence, gaps and raw blocks once iq_segment_load() was successful. */
struct iq_segment {
	char *path;
	sqlite3 *db; /* NULL while the pool has it closed: get it by iq_segment_database() */
	sqlite3_blob *column_blob;
	struct iq_segment_pool *pool;
	struct iq_segment *older;
	struct iq_segment *newer;
	struct stat identity; /* of the file that was checked */
	struct iq_codec *codec;
	struct iq_arena memory;
	uint8_t root[IQ_SHA256_SIZE]; /* over the leaves */
	uint8_t leaves[IQ_LEAF_COUNT][IQ_SHA256_SIZE];
	atomic_bool loaded;   /* all tables but the templates */
	unsigned tables_read; /* of those that are read when they are asked for */
	bool compared;	      /* as a whole with what the manifest says */
	int64_t level;	      /* at which it was compressed; 0 where it does not say */
	struct iq_zone *zones;
	size_t zone_count;
	struct iq_source *sources;
	size_t source_count;
	struct iq_segment_session *sessions;
	size_t session_count;
	struct iq_evidence_part *evidence;
	size_t evidence_count;
	struct iq_segment_gap *gaps;
	size_t gap_count;
	struct iq_template *templates; /* by number; see iq_segment_templates() */
	size_t template_count;
	bool templates_read;
	struct iq_view *words; /* that the chunks share, by index; see iq_segment_word() */
	atomic_size_t word_count;
	size_t word_chunks; /* whose words are among them */
	bool words_missing; /* some cannot be read */
	struct iq_asked_word asked;
	atomic_bool out_of_memory;	 /* when templates or words were read */
	struct iq_raw_block *raw_blocks; /* by evidence and offset */
	size_t raw_block_count;
	struct iq_chunk_outside outside; /* for the chunks of this segment */
};

/* Opens a segment read-only with `immutable=1` (a planted -wal or -journal is not looked at) and checks its application
 * id, version, schema text, root hash and every table. Caller owns; release with iq_segment_close(). Errors: IQ_ERR_NOT_FOUND,
 * IQ_ERR_FORMAT, IQ_ERR_VERSION, IQ_ERR_CORRUPT. */
int iq_segment_open(const char *path, struct iq_segment **ret_segment, struct iq_error *error);
/* As above, but reads and checks only what a scan of its chunks needs. */
int iq_segment_open_lazily(const char *path, struct iq_segment **ret_segment, struct iq_error *error);
/* Reads and checks the tables that were not read yet. From any thread. */
int iq_segment_load(struct iq_segment *segment, struct iq_error *error);
void iq_segment_close(struct iq_segment *segment);
/* Lets `pool` close the segment's file while others are read. The pool must outlive the segment. */
void iq_segment_join(struct iq_segment *segment, struct iq_segment_pool *pool);
/* Keeps others from the segment's database, where it is in a pool. Chunks and templates do it themselves. */
void iq_segment_lock(struct iq_segment *segment);
void iq_segment_unlock(struct iq_segment *segment);
/* The database, opened again where the pool closed it: a file that is no longer the same one must have the same root.
 * Borrowed until another segment of the pool is read. */
int iq_segment_database(struct iq_segment *segment, sqlite3 **ret_db, struct iq_error *error);
/* Are events of the segment's sessions and evidence gone by intent? Then sessions keep the times of those as well. */
bool iq_segment_is_dropped(const struct iq_segment *segment);
/* Tells of files beside a sealed segment that SQLite would take for its journals: they are somebody else's, and never read.
 * `told` gets the file's name. */
void iq_segment_sidecars(const char *path, void (*told)(void *context, const char *name), void *context);
/* Is the file at `path` a SQLite database with our application id? */
bool iq_segment_is(const char *path);

/* A chunk of the segment, with nothing loaded yet. Release with iq_chunk_release(), before the segment is closed. */
void iq_segment_chunk(struct iq_segment *segment, const struct iq_zone *zone, struct iq_chunk *ret_chunk);
/* One of the words that the chunks of the segment at `context` share, the NULL view where there is none. Each chunk's words are read
 * when one of them is first needed. Borrowed until the segment is closed. */
struct iq_view iq_segment_word(void *context, uint64_t index);
/* Can one of them hold the part? All of them are read. */
bool iq_segment_any_word(void *context, struct iq_view part, bool folded);
/* The templates. Borrowed until the segment is closed. */
int iq_segment_templates(struct iq_segment *segment, const struct iq_template **ret_templates, size_t *ret_count,
			 struct iq_error *error);
/* Calls `take` with raw bytes of `evidence` from `offset` on to `end`, in order: each call goes on where the one before
 * ended. Bytes: Borrowed until the call returns. */
int iq_segment_read_raw(struct iq_segment *segment, uint32_t evidence, uint64_t offset, uint64_t end,
			int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
			struct iq_error *error);
/* The bytes of one block. Borrowed: from `arena`. */
int iq_segment_read_block(struct iq_segment *segment, const struct iq_raw_block *block, struct iq_arena *arena,
			  struct iq_view *ret_bytes, struct iq_error *error);
/* Sets where the raw bytes of the chunk's events are in their evidence. */
int iq_segment_locate(struct iq_segment *segment, struct iq_chunk *chunk, struct iq_error *error);

/* Did its last call fail for want of memory? */
bool iq_segment_no_memory(sqlite3 *db);
/* Stores an SQLite error in `error`: IQ_ERR_NOMEM, IQ_ERR_CORRUPT for damaged files, IQ_ERR_IO else. */
int iq_segment_sqlite_error(sqlite3 *db, const char *path, struct iq_error *error);

#endif
