/* store/store.h - the door of store/: writing segments, verifying them, giving evidence back. Reading is public:
 * <inquest/store.h>. Depends on base/ and event/.
 *
 * A store is a directory:
 *	manifest           one line a commit, appended and synced; names the sealed segments
 *	segments/N.seg     sealed SQLite files (application_id 0x696e7173 "inqs", user_version IQ_SEGMENT_VERSION)
 *	spool/N.spool      what a live writer has not sealed yet; see store/spool.h
 *	lock               held (flock) by the one writer
 * Files in segments/ that no manifest line names are leftovers of an interrupted writer: readers ignore them, the
 * next writer removes them.
 */
#ifndef IQ_STORE_STORE_H
#define IQ_STORE_STORE_H

#include <inquest/store.h>

#include "base/base.h"
#include "event/event.h"
#include "store/aggregate.h"
#include "store/scan.h"
#include "store/spool.h"

#define IQ_SEGMENT_APPLICATION_ID 0x696e7173
#define IQ_SEGMENT_VERSION 2
/* zstd level of what is taken in. */
#define IQ_SEGMENT_LEVEL 3
/* A row group is sealed into a chunk at this many events or bytes of body, whatever comes first. */
#define IQ_CHUNK_MAX_EVENTS 65536
#define IQ_CHUNK_MAX_BYTES (16u << 20)
/* Raw bytes that wait longer for an event to belong to are stored by themselves, in blocks of this size. */
#define IQ_RAW_BLOCK_BYTES (8u << 20)
/* A new segment is begun beyond this many bytes of events and raw evidence. */
#define IQ_SEGMENT_MAX_BYTES (512ull << 20)

/* ---- Writing -------------------------------------------------------------------------------------------- */

struct iq_store_writer;

/* Opens a store for writing, making the directory if it is not there, and locks it (IQ_ERR_BUSY if another writer
 * has it). Ids, session, source and evidence numbers go on after those already stored.
 * Caller owns; release with iq_store_writer_free(), which drops whatever was not committed. */
int iq_store_writer_open(const char *path, struct iq_store_writer **ret_writer, struct iq_error *error);
void iq_store_writer_free(struct iq_store_writer *writer);

/* The path that the store was opened with. Borrowed until the writer is freed. */
const char *iq_store_writer_path(const struct iq_store_writer *writer);

/* Where reading an evidence can be taken up: a parser that begins at `offset`, told that `lines` line ends were before,
 * gives from what is not settled on what it would have given had it begun at the beginning. */
struct iq_restart {
	uint64_t offset;
	uint64_t lines;
};

/* Begins one evidence. Then iq_store_writer_raw() for every byte of it, in order, and events and gaps through
 * the sink, in order; then iq_store_writer_evidence_end(). Gaps and events may come before or after the raw bytes that
 * they point into. */
int iq_store_writer_evidence_begin(struct iq_store_writer *writer, struct iq_view path, struct iq_view format,
				   struct iq_error *error);
/* What is known of an evidence beyond its bytes. */
struct iq_evidence_facts {
	struct iq_view
		redacted;    /* what was replaced in its events, and by which key: its raw bytes are hashed and counted,
				    but not kept. NULL: nothing */
	int64_t covers_from; /* for which time it is complete, or IQ_TIME_NONE */
	int64_t covers_to;
};
#define IQ_EVIDENCE_FACTS_INIT \
	{ \
		.covers_from = IQ_TIME_NONE, .covers_to = IQ_TIME_NONE \
	}
/* Notes them; after the evidence was begun or continued, before anything of it is given. Copied. */
int iq_store_writer_evidence_facts(struct iq_store_writer *writer, const struct iq_evidence_facts *facts,
				   struct iq_error *error);
/* Goes on with an evidence of the store, as the recogniser found it (IQ_STREAM_CONTINUES): raw bytes have to come from
 * `settled` on, events and gaps from `restart` on; those that end before `settled` are passed over. */
struct iq_recogniser;
int iq_store_writer_evidence_continue(struct iq_store_writer *writer, const struct iq_recogniser *recogniser,
				      struct iq_view path, struct iq_error *error);
/* Before what the end of the stream leaves unfinished is given: everything up to here is settled, a part that continues the
 * evidence begins behind it. */
int iq_store_writer_evidence_settle(struct iq_store_writer *writer, const struct iq_restart *restart,
				    struct iq_error *error);
/* As iq_store_writer_commit() in the middle of an evidence: what is settled is committed as a part of it, which goes on. */
int iq_store_writer_evidence_commit(struct iq_store_writer *writer, const struct iq_restart *restart,
				    struct iq_error *error);
int iq_store_writer_raw(struct iq_store_writer *writer, const void *data, size_t len, struct iq_error *error);
/* A sink whose events get id, evidence and session numbers, are folded into sessions and sources, and are put into
 * chunks. Sessions are one per (source, session name). ws.open sets start_seen; ws.close sets end_seen and `closed`;
 * net.error sets end_seen and `cut`, or `refused` where no open was seen. Gap `after`/`before` are filled in from the
 * neighbouring events of the evidence when they are 0. Borrowed until the writer is freed. */
struct iq_sink *iq_store_writer_sink(struct iq_store_writer *writer);
/* Ends the evidence; the numbers that were counted for all of it. Bytes that neither an event's nor a gap's range covers are
 * recorded as a gap here (`not part of any record`), so accounted equals bytes afterwards. Line ends between records
 * belong to their records: parsers give ranges that include them. */
int iq_store_writer_evidence_end(struct iq_store_writer *writer, struct iq_evidence *ret_evidence,
				 struct iq_error *error);
/* How many sessions appeared in the evidence that was ended last, since it was begun or continued. */
uint64_t iq_store_writer_evidence_sessions(const struct iq_store_writer *writer);
/* So much was written since the last commit that memory asks for another: what waits for one is bounded only by what is
 * written until then. */
bool iq_store_writer_full(const struct iq_store_writer *writer);
/* The id that was given last; 0: none yet. */
uint64_t iq_store_writer_last_id(const struct iq_store_writer *writer);
/* Drops everything since the last commit, the evidence that is still open included. */
int iq_store_writer_rollback(struct iq_store_writer *writer, struct iq_error *error);

/* Seals what was written since the last commit (temporary name, fsync, reopen and verify, rename, fsync directory)
 * and appends it to the manifest. Everything before a commit that returned 0 survives a crash; nothing after it is
 * half there. */
int iq_store_writer_commit(struct iq_store_writer *writer, struct iq_error *error);

/* ---- Recognising evidence ------------------------------------------------------------------------------- */

/* A stream is known by its content: bytes are fed to a recogniser until it says what they are. It holds at most a MiB of
 * them (and what it was fed last); what was before lies in the store.
 *
 *	while ((rc = iq_recogniser_feed(recogniser, bytes, error)) == 0)
 *		... the next bytes; at the end of the stream iq_recogniser_end()
 *	iq_recogniser_result(recogniser)->outcome ...
 */
enum iq_recognition {
	IQ_STREAM_UNDECIDED,
	IQ_STREAM_NEW,
	IQ_STREAM_KNOWN,     /* all of it is stored */
	IQ_STREAM_SHORTER,   /* all of it is stored, and more: it was longer once */
	IQ_STREAM_CONTINUES, /* it begins with what is stored, or the store does not have its end yet */
};
struct iq_recognised {
	enum iq_recognition outcome;
	uint32_t evidence; /* unless NEW */
	struct iq_view format;
	struct iq_view redacted; /* NULL: its raw bytes are in the store */
	uint64_t stored;	 /* bytes */
	uint64_t settled;	 /* see iq_store_writer_evidence_continue() */
	struct iq_restart restart;
};

/* Caller owns; release with iq_recogniser_free(), before the writer is freed and before it writes on. */
int iq_recogniser_new(struct iq_store_writer *writer, struct iq_recogniser **ret_recogniser, struct iq_error *error);
void iq_recogniser_free(struct iq_recogniser *recogniser); /* NULL allowed */
/* Takes the next bytes of the stream, all of them. 1 when it is decided. */
int iq_recogniser_feed(struct iq_recogniser *recogniser, struct iq_view bytes, struct iq_error *error);
/* The stream ended: now it is decided. */
int iq_recogniser_end(struct iq_recogniser *recogniser, struct iq_error *error);
/* Borrowed until the recogniser is freed. */
const struct iq_recognised *iq_recogniser_result(const struct iq_recogniser *recogniser);
/* Hands out again what was fed, from byte `from` on, in pieces. May commit. Bytes: Borrowed until the call returns. Errors:
 * IQ_ERR_NOT_FOUND where the store does not have them any more, after those before. */
int iq_recogniser_replay(struct iq_recogniser *recogniser, uint64_t from,
			 int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
			 struct iq_error *error);

/* ---- Reading beyond the public part ----------------------------------------------------------------------- */

/* Raw bytes [offset, offset + length) of an evidence, appended to `buf`. */
int iq_store_read_raw(struct iq_store *store, uint32_t evidence, uint64_t offset, uint64_t length, struct iq_buf *buf,
		      struct iq_error *error);
/* The same, handed out in pieces up to `end`. Bytes: Borrowed until the call returns. */
int iq_store_walk_raw(struct iq_store *store, uint32_t evidence, uint64_t from, uint64_t end,
		      int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
		      struct iq_error *error);
/* A number that is another one when there is more, or something else, to be read at `path`. */
uint64_t iq_store_signature(const char *path);
/* The path that the store was opened with. Borrowed until it is closed. */
const char *iq_store_path(const struct iq_store *store);

/* ---- Segments ---------------------------------------------------------------------------------------------- */

/* What the manifest says of one segment. Borrowed until the store is closed. */
struct iq_segment_info {
	const char *file;
	uint64_t bytes; /* of the file */
	uint64_t raw;	/* of the evidence in it */
	uint64_t events;
	uint64_t id_first; /* 0 without events */
	uint64_t id_last;
	int64_t ts_min; /* IQ_TIME_NONE: no event has a time */
	int64_t ts_max;
	const struct iq_source *sources;
	size_t source_count;
};

/* How many segments there are, and one of them; they are ordered by id. */
size_t iq_store_segments(const struct iq_store *store);
void iq_store_segment_info(const struct iq_store *store, size_t index, struct iq_segment_info *ret_info);

/* Leaves out of an open store what is damaged in it: segments that do not open, and chunks that do not match their hashes, for which
 * everything is read once. In their place is a gap with the time, the sources and the number of the events that are
 * withheld, so that nothing is judged as if they had never been. `told` gets a line for each; *ret_count is how many. Before
 * the first cursor. */
int iq_store_set_aside(struct iq_store *store, void (*told)(void *context, const char *line), void *context,
		       size_t *ret_count, struct iq_error *error);

/* Tells of files beside the segments that were planted to change what SQLite reads; they are ignored. */
void iq_store_sidecars(const struct iq_store *store, void (*told)(void *context, const char *name), void *context);

/* zstd level of iq_store_compact(), unless another is asked for. */
#define IQ_COMPACT_LEVEL 19
/* A segment of this size that was compacted at the level asked for, or above, is left as it is. */
#define IQ_COMPACT_KEEP_BYTES (64ull << 20)

struct iq_compact_options {
	int level;
	/* Told now and then how many of all events are done; may be NULL. Anything but 0 stops it (IQ_ERR_INTERRUPTED). */
	int (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

struct iq_compact_result {
	uint64_t segments_before;
	uint64_t segments_after;
	uint64_t bytes_before; /* of segment files */
	uint64_t bytes_after;
};

/* Merges neighbouring segments up to IQ_SEGMENT_MAX_BYTES and compresses them again. Every number, id and byte stays; what was
 * written is compared with what it replaces before it counts. A crash leaves the store as it was or compacted. Readers that
 * have the store open go on. Errors: IQ_ERR_BUSY (somebody writes), IQ_ERR_CORRUPT (a segment is damaged), as the writer's. */
int iq_store_compact(const char *path, const struct iq_compact_options *options, struct iq_compact_result *ret_result,
		     struct iq_error *error);

struct iq_drop_result {
	uint64_t segments; /* that went */
	uint64_t events;
	uint64_t raw;	     /* bytes of evidence */
	uint64_t straddling; /* segments that hold older events as well as newer ones, and stayed whole */
};

/* Removes the segments all of whose events are before `before`. What stays of them is a segment without events: sources and
 * sessions keep their numbers, evidence its hash (so that it is not taken in again) and a gap that says what is gone. Crashes
 * and readers as with iq_store_compact(). Errors: as there. */
int iq_store_drop(const char *path, int64_t before, struct iq_drop_result *ret_result, struct iq_error *error);

/* May the gap hide something of the session? Both are of the same store. */
bool iq_gap_touches(const struct iq_gap *gap, const struct iq_session *session);

/* What an excerpt of a store holds. */
struct iq_excerpt {
	const uint32_t *sessions; /* numbers, ascending */
	size_t session_count;
	const uint64_t *beside; /* ids of events of no session that go along, ascending */
	size_t beside_count;
	const uint64_t *omitted; /* ids of events of the sessions that are left out, ascending */
	size_t omitted_count;
	const char *name; /* of the one session in it; NULL: sessions keep theirs */
	const char *note; /* goes in as a log line of the source `inquest`; NULL: none */
	/* Wraps the sink that takes the events, to change what is kept of them; may be NULL. */
	const struct iq_sink *(*through)(void *context, const struct iq_sink *next);
	void *context;
};
/* Writes sessions of a store into `path`, which must not be there: one segment file, a store of its own. Events, sessions and sources keep
 * their numbers; the evidence is the events as NDJSON; gaps that touch the sessions go along. The file appears whole or not at all.
 * Errors: IQ_ERR_NOT_FOUND (no such session), IQ_ERR_USAGE (it is there), as the writer's. */
int iq_store_excerpt(struct iq_store *store, const struct iq_excerpt *excerpt, const char *path,
		     struct iq_error *error);

/* ---- Proof -------------------------------------------------------------------------------------------------- */

/* One thing that is wrong, said in one line, with what is lost by it. */
struct iq_damage {
	const char *segment; /* file name. Borrowed until the callback returns. */
	const char *message; /* `chunk 17 (events 1114113-1179648): hash mismatch` */
};

struct iq_verify_result {
	uint64_t segments;
	uint64_t chunks;
	uint64_t events;
	uint64_t evidence;
	uint64_t raw_bytes;
	uint64_t lost_events; /* of them, those that cannot be read */
	uint64_t dropped;     /* bytes of evidence that are gone by intent */
	uint64_t redacted;    /* bytes of evidence that were not kept, by intent */
	uint64_t spools;      /* that are not sealed yet */
	uint64_t spool_records;
	uint64_t damages;
};

/* Checks everything: manifest, schema, versions, every chunk's hash and decoding, every evidence's bytes against its
 * SHA-256 and its accounting, every record of a spool up to its watermark. `damaged` is called for each fault, and checking goes on. Returns 0 even where faults
 * were found (see ret_result->damages); negative only where nothing could be checked. */
int iq_store_verify(const char *path, int (*damaged)(void *context, const struct iq_damage *damage), void *context,
		    struct iq_verify_result *ret_result, struct iq_error *error);

/* The head of a manifest: how many lines it has, and the root of the Merkle tree (RFC 6962) over them. It stands for every
 * segment that the store has or had, and for the order in which they came and went. */
struct iq_head {
	uint64_t lines;
	uint8_t root[IQ_SHA256_SIZE];
};

/* Signs the head with the Ed25519 key in a PEM file (see base/ed25519.h) into `checkpoint_path`; NULL is the file
 * `checkpoint` in the store. Spools are not covered before they are sealed. */
int iq_store_sign(const char *path, const char *key_path, const char *checkpoint_path, struct iq_head *ret_head,
		  struct iq_error *error);

struct iq_proof {
	const char *reason;    /* why the signature proves nothing; NULL: it holds. Static. */
	uint64_t signed_lines; /* of the manifest, and how many it has now */
	uint64_t now;
	uint64_t covered;	    /* segments that were there when the head was signed, and still are */
	uint64_t unsigned_segments; /* that came later */
	uint64_t gone;		    /* that were there, and were compacted or dropped */
};

/* Is the checkpoint signed by this key, and is its head one that the manifest had? `changed` (may be NULL) is told of each
 * segment that came or went since. That the segments are those that the manifest names, and whole, is
 * iq_store_verify()'s. Negative only where nothing could be looked at. */
int iq_store_prove(const char *path, const char *key_path, const char *checkpoint_path,
		   void (*changed)(void *context, const char *line), void *context, struct iq_proof *ret_proof,
		   struct iq_error *error);

#endif
