/* store/spool.h - recording live: events go to a spool first, an append-only file, and from there into segments. Included by
 * store/store.h.
 *
 *	iq_live_open(path, &options, &live, &error);
 *	seq = iq_live_event(live, &event, raw);          as often as there are events; never waits for the disk
 *	if (iq_live_acknowledged(live) >= seq) ...       what this covers survives a power loss
 *	iq_live_close(live, &error);                     seals
 *	iq_live_free(live);
 *
 * One thread inside writes and syncs: at most IQ_LIVE_SYNC_NS or IQ_LIVE_SYNC_BYTES after an event was taken it is
 * acknowledged. Another one seals spools that are full. A spool is one evidence, named `name`, `name (2)` and so on: the raw
 * bytes of its events, one after the other.
 *
 * What the disk does not take: events wait in memory, up to IQ_LIVE_QUEUE_BYTES. Beyond, they are lost, and a gap for each session
 * and direction says how many events and bytes; where the disk is full it goes into room that the spool keeps for this. Every
 * IQ_LIVE_RETRY_NS it is tried again. A file of which a write or a sync failed is never written again: what was not acknowledged goes
 * into a new one.
 *
 * A process that dies leaves its spools: readers show what they hold, the next writer of the store seals them, and a gap says
 * that the recording ended abruptly, and where.
 *
 * Thread rule: iq_live_event(), iq_live_gap(), iq_live_acknowledged(), iq_live_flush(), iq_live_rotate() and iq_live_status() may be called from
 * any thread; open, close and free from one.
 */
#ifndef IQ_STORE_SPOOL_H
#define IQ_STORE_SPOOL_H

#include "event/event.h"

/* Of records in one spool, and what it keeps beyond for gaps when the disk is full. */
#define IQ_SPOOL_BYTES (64u << 20)
#define IQ_SPOOL_RESERVE_BYTES (16u << 20)
#define IQ_LIVE_QUEUE_BYTES (64u << 20)
#define IQ_LIVE_SYNC_BYTES (1u << 20)
#define IQ_LIVE_SYNC_NS (20 * IQ_NS_PER_MS)
#define IQ_LIVE_RETRY_NS IQ_NS_PER_S
/* Losses are counted for so many sessions and directions apart, beyond that together. */
#define IQ_LIVE_MAX_LOSSES 256

/* What a spool asks of the operating system, so that tests can let it fail. Each returns 0 or an errno. */
struct iq_spool_io {
	/* Creates a file that must not exist. */
	int (*create)(void *context, const char *path, int *ret_fd);
	/* Makes room for `size` bytes, so that writing them cannot find the disk full. */
	int (*allocate)(void *context, int fd, uint64_t size);
	int (*write)(void *context, int fd, const void *data, size_t len, uint64_t offset);
	int (*sync)(void *context, int fd);
	int (*rename)(void *context, const char *from, const char *to);
	int (*sync_directory)(void *context, const char *path);
	int (*unlink)(void *context, const char *path);
	void *context;
};

struct iq_live_options {
	const char *name;   /* of the evidence */
	const char *format; /* how its raw bytes are to be read: that of a parser */
	bool has_covers;    /* it is complete from covers_from to covers_to, whatever its events say */
	int64_t covers_from;
	int64_t covers_to;
	const struct iq_spool_io *io;
	uint64_t spool_bytes;
	uint64_t reserve_bytes;
	size_t queue_bytes;
	size_t sync_bytes;
	int64_t sync_ns;
	int64_t retry_ns;
};
/* Start from this; `name` and `format` must be set. */
#define IQ_LIVE_OPTIONS_INIT \
	{ \
		.spool_bytes = IQ_SPOOL_BYTES, .reserve_bytes = IQ_SPOOL_RESERVE_BYTES, \
		.queue_bytes = IQ_LIVE_QUEUE_BYTES, .sync_bytes = IQ_LIVE_SYNC_BYTES, .sync_ns = IQ_LIVE_SYNC_NS, \
		.retry_ns = IQ_LIVE_RETRY_NS \
	}

struct iq_live;

/* How the recording goes. */
struct iq_live_status {
	uint64_t taken;	       /* sequence number of the last record taken; 0 for none */
	uint64_t acknowledged; /* and of the last that a sync covers */
	uint64_t lost_events;  /* since it began */
	uint64_t lost_bytes;
	char trouble[128]; /* what the disk says, while it takes nothing; else empty */
};

/* Opens the store for writing, as iq_store_writer_open() does, and makes a spool: its room is there and synced when this returns.
 * The options are copied, `io` is Borrowed until iq_live_free(). Caller owns; release with iq_live_free().
 * Errors: those of iq_store_writer_open(); IQ_ERR_IO. */
int iq_live_open(const char *store_path, const struct iq_live_options *options, struct iq_live **ret_live,
		 struct iq_error *error);
/* Takes an event; its id, evidence, offset and length are set here. `raw` is what it was decoded from, or the NULL view for
 * an event that lies in the same raw bytes as the one before. Its sequence number, or 0 where it was lost, which a gap says. */
uint64_t iq_live_event(struct iq_live *live, const struct iq_event *event, struct iq_view raw);
/* Takes a gap that the caller knows of. The same. */
uint64_t iq_live_gap(struct iq_live *live, const struct iq_gap *gap);
/* The sequence number up to which everything survives a power loss. */
uint64_t iq_live_acknowledged(struct iq_live *live);
/* Waits until everything taken is acknowledged. IQ_ERR_IO where the disk does not take it now; it is tried again all the same. */
int iq_live_flush(struct iq_live *live, struct iq_error *error);
/* What was recorded so far becomes a segment, as if its spool were full. Does not wait for it. */
void iq_live_rotate(struct iq_live *live);
void iq_live_status(struct iq_live *live, struct iq_live_status *ret_status);
/* Ends the recording and seals it; one in which nothing was recorded leaves nothing. Where this fails what was
 * acknowledged stays in spools, for the next writer. Nothing more may be recorded. */
int iq_live_close(struct iq_live *live, struct iq_error *error);
/* Without iq_live_close() the spools are left as a crash would leave them. NULL is accepted. */
void iq_live_free(struct iq_live *live);

#endif
