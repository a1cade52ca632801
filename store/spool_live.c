/* Events are coded into blocks in memory. The spooler thread takes a block at a time: one write, one sync, and what was in it is
 * acknowledged; until then the block stays, so that it can be written anew into another file. The sealer thread has the
 * store's writer, and makes a segment of each spool that is finished. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/spool_file.h"
#include "store/spool_store.h"
#include "store/store.h"

/* Emptied blocks that are kept for the next records. */
#define SPARE_BLOCKS 4

/* Records that are written, and acknowledged, together. */
struct block {
	struct block *next;
	struct iq_buf bytes;
	uint64_t seq_first;
	uint64_t seq_last;
	uint64_t id_first;
	int64_t begun; /* when its first record came */
};

/* What was lost of one session and direction and is not a record yet. */
struct loss {
	struct iq_view source;
	struct iq_view session;
	enum iq_direction direction;
	uint64_t events;
	uint64_t bytes;
	uint64_t told_events; /* of these: already in the reserve of a full spool */
	uint64_t told_bytes;
	int64_t ts_min;
	int64_t ts_max;
};

/* A spool that takes no more records. */
struct finished {
	struct finished *next;
	struct iq_spool_file *file;
	uint64_t end; /* where the spool after it begins; UINT64_MAX: it is the last */
};

struct iq_live {
	struct iq_live_options options;
	char *path;
	char *name;
	char *format;
	pthread_mutex_t mutex;
	pthread_cond_t work;	/* for the spooler */
	pthread_cond_t settled; /* for who waits for it */
	pthread_cond_t sealing; /* for the sealer */
	pthread_t spooler;
	pthread_t sealer;
	bool spooler_runs;
	bool sealer_runs;
	bool closed;

	/* Under the mutex. */
	struct block *head; /* oldest first; the last one is being filled where `filling` says so */
	struct block *filling;
	struct block **tail;
	struct block *spare;
	size_t spare_count;
	size_t queued; /* bytes */
	uint64_t next_seq;
	uint64_t next_id;
	uint64_t acknowledged;
	uint64_t flush_to; /* somebody waits for this number */
	bool losing;	   /* until half of the queue is free again */
	bool last_lost;	   /* the last event was */
	char loss_reason[160];
	struct loss *losses;
	size_t loss_count;
	struct iq_arena loss_memory;
	struct iq_live_status status;
	unsigned attempts; /* that failed since the disk last took something */
	bool rotating;	   /* the next block begins a spool */
	bool ending;
	bool abandoned; /* without a last attempt */
	struct finished *finished;
	struct finished **finished_tail;
	bool all_finished;
	int seal_rc;
	struct iq_error seal_error;

	/* The spooler's own, and before it runs, and after. */
	struct iq_spool_file *file;
	uint32_t next_number;
	uint32_t next_evidence;
	uint32_t parts;	      /* spools made */
	uint64_t reserve_seq; /* the next number in the reserve of a full spool */

	/* The sealer's own, and before it runs, and after. */
	struct iq_store_writer *writer;
};

/* ---- Making spools ---- */

static void set_trouble(struct iq_live *live, int code)
{
	(void)pthread_mutex_lock(&live->mutex);
	(void)snprintf(live->status.trouble, sizeof(live->status.trouble), "%s", code ? strerror(code) : "");
	live->attempts = code ? live->attempts + 1 : 0;
	(void)pthread_cond_broadcast(&live->settled);
	(void)pthread_mutex_unlock(&live->mutex);
}

/* `room`: of the first block, which must fit. */
static int make_spool(struct iq_live *live, uint64_t seq, uint64_t id, size_t room, struct iq_spool_file **ret_file)
{
	const uint64_t wanted = live->options.spool_bytes > room ? live->options.spool_bytes : room;
	const uint64_t limit = IQ_SPOOL_RECORDS_AT + wanted;
	struct iq_buf name = IQ_BUF_INIT;
	struct iq_spool_header header = { .number = live->next_number++,
					  .evidence = live->next_evidence,
					  .seq_first = seq,
					  .id_first = id,
					  .created = iq_clock_now(),
					  .has_covers = live->options.has_covers,
					  .covers_from = live->options.covers_from,
					  .covers_to = live->options.covers_to,
					  .format = iq_view_cstr(live->format) };
	int rc;

	(void)iq_buf_append_cstr(&name, live->name);
	if (live->parts > 0)
		(void)iq_buf_appendf(&name, " (%u)", live->parts + 1);
	header.name = iq_buf_view(&name);
	rc = name.failed ? ENOMEM
			 : iq_spool_file_new(live->options.io, live->path, &header, limit,
					     limit + live->options.reserve_bytes, ret_file);
	iq_buf_release(&name);
	if (rc == 0) {
		live->next_evidence++;
		live->parts++;
	}
	return rc;
}

/* Gives the file to the sealer. */
static void finish_file(struct iq_live *live, uint64_t end)
{
	struct finished *finished = calloc(1, sizeof(*finished));

	if (!finished) { /* the next writer of the store seals it */
		iq_spool_file_free(live->file);
		live->file = NULL;
		return;
	}
	*finished = (struct finished){ NULL, live->file, end };
	live->file = NULL;
	(void)pthread_mutex_lock(&live->mutex);
	*live->finished_tail = finished;
	live->finished_tail = &finished->next;
	(void)pthread_cond_signal(&live->sealing);
	(void)pthread_mutex_unlock(&live->mutex);
}

/* ---- The queue: everything here with the mutex held ---- */

static void free_block(struct block *block)
{
	if (!block)
		return;
	iq_buf_release(&block->bytes);
	free(block);
}

static struct block *new_block(struct iq_live *live)
{
	struct block *block = live->spare;

	if (!block)
		return calloc(1, sizeof(*block));
	live->spare = block->next;
	live->spare_count--;
	iq_buf_clear(&block->bytes);
	return block;
}

/* The block that takes the next record. NULL when memory is out. */
static struct block *filling_block(struct iq_live *live)
{
	struct block *block = live->filling;

	if (block && block->bytes.len < live->options.sync_bytes)
		return block;
	block = new_block(live);
	if (!block)
		return NULL;
	block->next = NULL;
	block->seq_first = live->next_seq;
	block->seq_last = live->next_seq - 1;
	block->id_first = live->next_id;
	block->begun = iq_clock_monotonic();
	*live->tail = block;
	live->tail = &block->next;
	live->filling = block;
	/* The spooler waits for the first record, for a full block, or for nothing. */
	(void)pthread_cond_signal(&live->work);
	return block;
}

/* After something was appended to it. */
static void count_records(struct iq_live *live, struct block *block, size_t bytes)
{
	live->queued += bytes;
	block->seq_last = live->next_seq - 1;
	if (block->bytes.len >= live->options.sync_bytes)
		(void)pthread_cond_signal(&live->work);
}

/* Appends what is not told yet, as gaps. With the mutex held. */
static void append_losses(struct iq_live *live, struct iq_buf *bytes, uint64_t *seq)
{
	for (size_t i = 0; i < live->loss_count; i++) {
		struct loss *loss = &live->losses[i];
		const struct iq_gap gap = { .source = loss->source,
					    .session = loss->session,
					    .direction = loss->direction,
					    .ts_min = loss->ts_min,
					    .ts_max = loss->ts_max,
					    .bytes = loss->bytes - loss->told_bytes,
					    .count = (int64_t)(loss->events - loss->told_events),
					    .reason = iq_view_cstr(live->loss_reason) };

		if (gap.count == 0 || iq_spool_append_gap(bytes, *seq, &gap) < 0)
			continue;
		++*seq;
		loss->told_events = loss->events;
		loss->told_bytes = loss->bytes;
	}
}

/* They become records, in the place where what was lost is missing. */
static void queue_losses(struct iq_live *live)
{
	struct block *block = filling_block(live);
	const size_t before = block ? block->bytes.len : 0;

	if (!block)
		return;
	append_losses(live, &block->bytes, &live->next_seq);
	count_records(live, block, block->bytes.len - before);
	live->loss_count = 0;
	iq_arena_clear(&live->loss_memory);
	live->losing = false;
}

static struct loss *find_loss(struct iq_live *live, const struct iq_event *event)
{
	const bool full = live->loss_count == IQ_LIVE_MAX_LOSSES;
	struct loss *loss = live->losses;

	for (size_t i = 0; i < live->loss_count; i++, loss++)
		if (loss->direction == event->direction && iq_view_eq(loss->session, event->session) &&
		    iq_view_eq(loss->source, event->source))
			return loss;
	if (full) { /* one for everything that has no place of its own */
		loss = &live->losses[IQ_LIVE_MAX_LOSSES - 1];
		loss->source = loss->session = IQ_VIEW_NULL;
		loss->direction = IQ_DIRECTION_NONE;
		return loss;
	}
	*loss = (struct loss){ .source = iq_arena_copy(&live->loss_memory, event->source),
			       .session = iq_arena_copy(&live->loss_memory, event->session),
			       .direction = event->direction,
			       .ts_min = event->ts,
			       .ts_max = event->ts };
	live->loss_count++;
	return loss;
}

/* `reason`, unless the disk itself says one. */
static void lose(struct iq_live *live, const struct iq_event *event, uint64_t events, uint64_t bytes,
		 const char *reason)
{
	struct loss *loss = find_loss(live, event);

	(void)snprintf(live->loss_reason, sizeof(live->loss_reason), "not recorded: %.100s",
		       live->status.trouble[0] ? live->status.trouble : reason);
	loss->events += events;
	loss->bytes += bytes;
	if (event->ts > loss->ts_max)
		loss->ts_max = event->ts;
	if (event->ts < loss->ts_min)
		loss->ts_min = event->ts;
	live->status.lost_events += events;
	live->status.lost_bytes += bytes;
	live->last_lost = true;
}

/* What a gap tells of is lost, and that it was told. */
static void lose_gap(struct iq_live *live, const struct iq_gap *gap, const char *reason)
{
	struct iq_event lost = IQ_EVENT_INIT;

	lost.source = gap->source;
	lost.session = gap->session;
	lost.direction = gap->direction;
	lost.ts = gap->ts_min;
	lose(live, &lost, gap->count > 0 ? (uint64_t)gap->count : 1, gap->bytes, reason);
}

/* What waits will not be written any more. */
static void lose_queue(struct iq_live *live)
{
	static const char reason[] = "the recording ended before the disk took it";
	struct iq_spool_record record;

	for (const struct block *block = live->head; block; block = block->next) {
		struct iq_view rest = iq_buf_view(&block->bytes);

		while (rest.len > 0 && iq_spool_parse_record(rest, &record)) {
			if (record.type == IQ_SPOOL_GAP)
				lose_gap(live, &record.gap, reason);
			else
				lose(live, &record.event, 1, record.raw.len, reason);
			rest = iq_view_from(rest, iq_spool_record_size(rest));
		}
	}
}

/* The block at the head is safe. */
static void drop_head(struct iq_live *live)
{
	struct block *block = live->head;

	live->head = block->next;
	if (!live->head)
		live->tail = &live->head;
	live->queued -= block->bytes.len;
	live->acknowledged = block->seq_last;
	if (live->spare_count < SPARE_BLOCKS) {
		block->next = live->spare;
		live->spare = block;
		live->spare_count++;
	} else {
		free_block(block);
	}
	if (live->loss_count > 0 && live->queued <= live->options.queue_bytes / 2)
		queue_losses(live);
}

/* ---- The spooler ---- */

static void timed_wait(struct iq_live *live, pthread_cond_t *condition, int64_t ns)
{
	const int64_t until = iq_clock_monotonic() + ns;
	const struct timespec when = { until / IQ_NS_PER_S, until % IQ_NS_PER_S };

	(void)pthread_cond_timedwait(condition, &live->mutex, &when);
}

/* With the mutex held: how long until the block that is being filled is to be written; 0 is now. */
static int64_t time_left(const struct iq_live *live)
{
	const struct block *filling = live->filling;
	int64_t left;

	if (live->ending || live->head != filling || filling->bytes.len >= live->options.sync_bytes ||
	    live->flush_to >= filling->seq_first)
		return 0;
	left = filling->begun + live->options.sync_ns - iq_clock_monotonic();
	return left > 0 ? left : 0;
}

/* The oldest block, when it is time for it; NULL when nothing more will come. */
static struct block *take_block(struct iq_live *live)
{
	struct block *block;

	(void)pthread_mutex_lock(&live->mutex);
	for (;;) {
		int64_t left = live->head ? time_left(live) : 0;

		if (live->head && left == 0)
			break;
		if (live->abandoned || (!live->head && live->ending))
			break;
		if (live->head)
			timed_wait(live, &live->work, left);
		else
			(void)pthread_cond_wait(&live->work, &live->mutex);
	}
	block = live->abandoned ? NULL : live->head;
	if (block == live->filling)
		live->filling = NULL;
	(void)pthread_mutex_unlock(&live->mutex);
	return block;
}

/* The disk takes no new spool. The old one has room left for gaps, which count until the new one is there: it begins with the
 * same sequence number, and has them again. */
static void use_reserve(struct iq_live *live)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	if (!live->file || live->file->failure)
		return;
	(void)pthread_mutex_lock(&live->mutex);
	append_losses(live, &bytes, &live->reserve_seq);
	(void)pthread_mutex_unlock(&live->mutex);
	if (bytes.len > 0)
		(void)iq_spool_file_append_last(live->file, iq_buf_view(&bytes), live->reserve_seq - 1);
	iq_buf_release(&bytes);
}

/* What the reserve was told is told again, in its place. */
static void forget_told(struct iq_live *live)
{
	(void)pthread_mutex_lock(&live->mutex);
	for (size_t i = 0; i < live->loss_count; i++)
		live->losses[i].told_events = live->losses[i].told_bytes = 0;
	(void)pthread_mutex_unlock(&live->mutex);
}

static void acknowledge(struct iq_live *live)
{
	(void)pthread_mutex_lock(&live->mutex);
	drop_head(live);
	(void)pthread_cond_broadcast(&live->settled);
	(void)pthread_mutex_unlock(&live->mutex);
}

/* Between two attempts. False when the last one was made. */
static bool wait_to_retry(struct iq_live *live)
{
	const int64_t until = iq_clock_monotonic() + live->options.retry_ns;
	int64_t left;
	bool again;

	(void)pthread_mutex_lock(&live->mutex);
	again = !live->ending;
	while (!live->ending && (left = until - iq_clock_monotonic()) > 0)
		timed_wait(live, &live->work, left);
	again = again && !live->abandoned;
	(void)pthread_mutex_unlock(&live->mutex);
	return again;
}

/* Makes a spool that begins with the block, and finishes the one before. */
static int begin_spool(struct iq_live *live, const struct block *block)
{
	struct iq_spool_file *file;
	int rc = make_spool(live, block->seq_first, block->id_first, block->bytes.len, &file);

	if (rc != 0)
		return rc;
	if (live->file)
		finish_file(live, block->seq_first);
	live->file = file;
	return 0;
}

static bool take_rotation(struct iq_live *live)
{
	bool rotating;

	(void)pthread_mutex_lock(&live->mutex);
	rotating = live->rotating;
	live->rotating = false;
	(void)pthread_mutex_unlock(&live->mutex);
	return rotating;
}

static int write_block(struct iq_live *live, const struct block *block)
{
	int rc = 0;

	if (take_rotation(live) || !live->file || !iq_spool_file_has_room(live->file, block->bytes.len))
		rc = begin_spool(live, block);
	return rc == 0 ? iq_spool_file_append(live->file, iq_buf_view(&block->bytes), block->seq_last) : rc;
}

/* False when it could not be written and there is no time to try again. */
static bool settle_block(struct iq_live *live, struct block *block)
{
	int rc = write_block(live, block);

	/* A file that failed may have failed alone. */
	if (rc != 0 && live->file && live->file->failure)
		rc = write_block(live, block);
	live->reserve_seq = block->seq_first;
	while (rc != 0) {
		set_trouble(live, rc);
		use_reserve(live);
		if (!wait_to_retry(live))
			return false;
		rc = write_block(live, block);
	}
	forget_told(live);
	if (live->status.trouble[0])
		set_trouble(live, 0);
	acknowledge(live);
	return true;
}

static void *spool(void *argument)
{
	struct iq_live *live = argument;
	struct block *block;

	do
		block = take_block(live);
	while (block && settle_block(live, block));
	return NULL;
}

/* ---- The sealer ---- */

/* The next finished spool; NULL when there will be none. */
static struct finished *take_finished(struct iq_live *live)
{
	struct finished *finished;

	(void)pthread_mutex_lock(&live->mutex);
	while (!live->finished && !live->all_finished)
		(void)pthread_cond_wait(&live->sealing, &live->mutex);
	finished = live->abandoned ? NULL : live->finished;
	(void)pthread_mutex_unlock(&live->mutex);
	return finished;
}

static int seal_file(struct iq_live *live, const struct finished *finished, struct iq_error *error)
{
	struct iq_spool_reader *reader;
	int rc = iq_spool_open(finished->file->path, &reader, error);

	if (rc < 0)
		return rc;
	reader->end = finished->end;
	if (iq_spool_is_void(reader))
		rc = iq_spool_remove(finished->file->path, error);
	else
		rc = iq_spool_seal(reader, live->writer, error);
	iq_spool_close(reader);
	return rc;
}

/* Sealing can be tried again as long as the recording goes on; what is left then is left to the next writer. */
static bool seal_next(struct iq_live *live, struct finished *finished)
{
	struct iq_error error = IQ_ERROR_INIT;
	int rc = seal_file(live, finished, &error);
	bool again;

	(void)pthread_mutex_lock(&live->mutex);
	live->seal_rc = rc;
	live->seal_error = error;
	if (rc == 0) {
		live->finished = finished->next;
		if (!live->finished)
			live->finished_tail = &live->finished;
	} else if (!live->all_finished) {
		timed_wait(live, &live->sealing, live->options.retry_ns);
	}
	again = rc == 0 || !live->all_finished;
	(void)pthread_mutex_unlock(&live->mutex);
	if (rc == 0) {
		iq_spool_file_free(finished->file);
		free(finished);
	}
	return again;
}

static void *seal(void *argument)
{
	struct iq_live *live = argument;
	struct finished *finished;

	do
		finished = take_finished(live);
	while (finished && seal_next(live, finished));
	return NULL;
}

/* ---- Opening ---- */

static int copy_options(struct iq_live *live, const char *store_path, const struct iq_live_options *options)
{
	live->options = *options;
	if (!live->options.io)
		live->options.io = iq_spool_io_default();
	live->path = strdup(store_path);
	live->name = strdup(options->name);
	live->format = strdup(options->format);
	live->losses = calloc(IQ_LIVE_MAX_LOSSES, sizeof(*live->losses));
	return live->path && live->name && live->format && live->losses ? 0 : IQ_ERR_NOMEM;
}

static void init_waiting(struct iq_live *live)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&live->mutex, NULL);
	(void)pthread_cond_init(&live->work, &monotonic);
	(void)pthread_cond_init(&live->settled, &monotonic);
	(void)pthread_cond_init(&live->sealing, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

static int open_first(struct iq_live *live, struct iq_error *error)
{
	int code;

	live->next_id = iq_store_writer_last_id(live->writer) + 1;
	live->next_evidence = iq_store_writer_next_evidence(live->writer);
	live->next_number = iq_spools_next_number(live->path);
	code = make_spool(live, live->next_seq, live->next_id, 0, &live->file);
	errno = code;
	return code ? iq_error_errno(error, IQ_ERR_IO, "%s: a spool cannot be made", live->path) : 0;
}

static int start(struct iq_live *live, struct iq_error *error)
{
	live->spooler_runs = pthread_create(&live->spooler, NULL, spool, live) == 0;
	live->sealer_runs = live->spooler_runs && pthread_create(&live->sealer, NULL, seal, live) == 0;
	return live->sealer_runs ? 0 : iq_error_nomem(error);
}

int iq_live_open(const char *store_path, const struct iq_live_options *options, struct iq_live **ret_live,
		 struct iq_error *error)
{
	struct iq_live *live = calloc(1, sizeof(*live));
	int rc;

	if (!live)
		return iq_error_nomem(error);
	init_waiting(live);
	live->tail = &live->head;
	live->finished_tail = &live->finished;
	live->next_seq = 1;
	live->seal_error = (struct iq_error)IQ_ERROR_INIT;
	rc = copy_options(live, store_path, options) < 0 ? iq_error_nomem(error) : 0;
	if (rc == 0)
		rc = iq_store_writer_open(store_path, &live->writer, error);
	if (rc == 0)
		rc = open_first(live, error);
	if (rc == 0)
		rc = start(live, error);
	if (rc < 0) {
		iq_live_free(live);
		return rc;
	}
	*ret_live = live;
	return 0;
}

/* ---- Recording ---- */

/* With the mutex held. The sequence number, or 0. */
static uint64_t take_event(struct iq_live *live, const struct iq_event *event, struct iq_view raw)
{
	struct block *block = filling_block(live);
	const size_t before = block ? block->bytes.len : 0;

	if (!block || iq_spool_append_event(&block->bytes, live->next_seq, event, raw) < 0)
		return 0;
	live->next_seq++;
	live->next_id++;
	count_records(live, block, block->bytes.len - before);
	return live->next_seq - 1;
}

/* Why an event cannot be taken now, or NULL. */
static const char *refusal(struct iq_live *live, struct iq_view raw)
{
	live->losing |= live->queued >= live->options.queue_bytes;
	if (live->losing)
		return "the disk is too slow";
	return !raw.data && live->last_lost ? "its raw bytes were not" : NULL;
}

uint64_t iq_live_event(struct iq_live *live, const struct iq_event *event, struct iq_view raw)
{
	const char *reason;
	uint64_t seq = 0;

	(void)pthread_mutex_lock(&live->mutex);
	reason = refusal(live, raw);
	if (!reason)
		seq = take_event(live, event, raw);
	if (seq == 0)
		lose(live, event, 1, raw.data ? raw.len : event->body.len, reason ? reason : "too large for memory");
	if (seq == 0 && !live->losing)
		queue_losses(live);
	live->last_lost = seq == 0;
	(void)pthread_mutex_unlock(&live->mutex);
	return seq;
}

/* Small enough to be taken while there is a queue at all. */
static uint64_t take_gap(struct iq_live *live, const struct iq_gap *gap)
{
	struct block *block = live->losing ? NULL : filling_block(live);
	const size_t before = block ? block->bytes.len : 0;

	if (!block || iq_spool_append_gap(&block->bytes, live->next_seq, gap) < 0)
		return 0;
	live->next_seq++;
	count_records(live, block, block->bytes.len - before);
	return live->next_seq - 1;
}

uint64_t iq_live_gap(struct iq_live *live, const struct iq_gap *gap)
{
	uint64_t seq;

	(void)pthread_mutex_lock(&live->mutex);
	seq = take_gap(live, gap);
	if (seq == 0)
		lose_gap(live, gap, "the disk is too slow");
	(void)pthread_mutex_unlock(&live->mutex);
	return seq;
}

void iq_live_rotate(struct iq_live *live)
{
	(void)pthread_mutex_lock(&live->mutex);
	live->rotating = true;
	(void)pthread_mutex_unlock(&live->mutex);
}

uint64_t iq_live_acknowledged(struct iq_live *live)
{
	uint64_t seq;

	(void)pthread_mutex_lock(&live->mutex);
	seq = live->acknowledged;
	(void)pthread_mutex_unlock(&live->mutex);
	return seq;
}

void iq_live_status(struct iq_live *live, struct iq_live_status *ret_status)
{
	(void)pthread_mutex_lock(&live->mutex);
	*ret_status = live->status;
	ret_status->taken = live->next_seq - 1;
	ret_status->acknowledged = live->acknowledged;
	(void)pthread_mutex_unlock(&live->mutex);
}

int iq_live_flush(struct iq_live *live, struct iq_error *error)
{
	unsigned attempts;
	uint64_t wanted;
	int rc = 0;

	(void)pthread_mutex_lock(&live->mutex);
	attempts = live->attempts;
	wanted = live->next_seq - 1;
	if (live->flush_to < wanted)
		live->flush_to = wanted;
	(void)pthread_cond_signal(&live->work);
	while (live->acknowledged < wanted && live->attempts <= attempts)
		(void)pthread_cond_wait(&live->settled, &live->mutex);
	if (live->acknowledged < wanted)
		rc = iq_error_set(error, IQ_ERR_IO, "%s: %s; %" PRIu64 " records wait", live->path,
				  live->status.trouble, wanted - live->acknowledged);
	(void)pthread_mutex_unlock(&live->mutex);
	return rc;
}

/* ---- The end ---- */

static void join_spooler(struct iq_live *live)
{
	(void)pthread_mutex_lock(&live->mutex);
	live->ending = true;
	(void)pthread_cond_signal(&live->work);
	(void)pthread_mutex_unlock(&live->mutex);
	if (live->spooler_runs)
		(void)pthread_join(live->spooler, NULL);
	live->spooler_runs = false;
}

static void join_sealer(struct iq_live *live)
{
	(void)pthread_mutex_lock(&live->mutex);
	live->all_finished = true;
	(void)pthread_cond_signal(&live->sealing);
	(void)pthread_mutex_unlock(&live->mutex);
	if (live->sealer_runs)
		(void)pthread_join(live->sealer, NULL);
	live->sealer_runs = false;
}

/* The last spool: that it has an end tells that nothing was cut off. What the disk did not take goes into its reserve, as gaps. */
static int end_file(struct iq_live *live, struct iq_error *error)
{
	struct iq_buf bytes = IQ_BUF_INIT;
	uint64_t seq = live->head ? live->reserve_seq : live->next_seq;
	int rc = ENOMEM;

	if (live->next_seq == 1)
		return iq_spool_remove(live->file->path, error);
	lose_queue(live);
	append_losses(live, &bytes, &seq);
	if (!bytes.failed && iq_spool_append_end(&bytes, seq) == 0)
		rc = iq_spool_file_append_last(live->file, iq_buf_view(&bytes), seq);
	iq_buf_release(&bytes);
	errno = rc;
	if (rc != 0)
		return iq_error_errno(error, IQ_ERR_IO, "%s", live->file->path);
	finish_file(live, UINT64_MAX);
	return 0;
}

int iq_live_close(struct iq_live *live, struct iq_error *error)
{
	int rc = 0, ended;

	live->closed = true;
	join_spooler(live);
	if (live->head)
		rc = iq_error_set(error, IQ_ERR_IO, "%s: %s; %" PRIu64 " records were not written", live->path,
				  live->status.trouble, live->next_seq - 1 - live->acknowledged);
	ended = end_file(live, error);
	rc = rc < 0 ? rc : ended;
	join_sealer(live);
	if (rc == 0 && live->seal_rc < 0) {
		rc = live->seal_rc;
		if (error)
			*error = live->seal_error;
	}
	return rc;
}

static void free_finished(struct iq_live *live)
{
	while (live->finished) {
		struct finished *next = live->finished->next;

		iq_spool_file_free(live->finished->file);
		free(live->finished);
		live->finished = next;
	}
}

static void free_blocks(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		free_block(block);
		block = next;
	}
}

void iq_live_free(struct iq_live *live)
{
	if (!live)
		return;
	(void)pthread_mutex_lock(&live->mutex);
	live->abandoned = !live->closed;
	(void)pthread_mutex_unlock(&live->mutex);
	join_spooler(live);
	join_sealer(live);
	free_finished(live);
	iq_spool_file_free(live->file);
	iq_store_writer_free(live->writer);
	free_blocks(live->head);
	free_blocks(live->spare);
	iq_arena_release(&live->loss_memory);
	(void)pthread_cond_destroy(&live->sealing);
	(void)pthread_cond_destroy(&live->settled);
	(void)pthread_cond_destroy(&live->work);
	(void)pthread_mutex_destroy(&live->mutex);
	free(live->losses);
	free(live->format);
	free(live->name);
	free(live->path);
	free(live);
}
