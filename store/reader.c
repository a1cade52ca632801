#include "store/reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/part.h"
#include "store/spool_store.h"

/* A store whose manifest changes whenever it is looked at. */
#define MAX_ATTEMPTS 32

/* ---- Folding the parts ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	if (a == IQ_TIME_NONE || b == IQ_TIME_NONE)
		return a == IQ_TIME_NONE ? b : a;
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b; /* IQ_TIME_NONE is the smallest */
}

void iq_session_fold(struct iq_session *whole, const struct iq_session *part)
{
	whole->started = earlier(whole->started, part->started);
	whole->ended = later(whole->ended, part->ended);
	if (part->events > 0 && (whole->events == 0 || part->first_event < whole->first_event))
		whole->first_event = part->first_event;
	whole->events += part->events;
	whole->start_seen |= part->start_seen;
	whole->end_seen |= part->end_seen;
	if (part->state != IQ_SESSION_OPEN)
		whole->state = part->state;
	if (part->last_event > whole->last_event)
		whole->last_event = part->last_event;
}

void iq_source_fold(struct iq_source *whole, const struct iq_source *part)
{
	whole->events += part->events;
	whole->first = earlier(whole->first, part->first);
	whole->last = later(whole->last, part->last);
}

static int compare_sessions(const void *a, const void *b)
{
	uint32_t x = ((const struct iq_session *)a)->no, y = ((const struct iq_session *)b)->no;

	return (x > y) - (x < y);
}

/* The parts of a session in their order: the last of them tells how it ended. */
static int compare_session_parts(const void *a, const void *b)
{
	uint64_t x = ((const struct iq_session *)a)->first_event, y = ((const struct iq_session *)b)->first_event;
	int order = compare_sessions(a, b);

	return order ? order : (x > y) - (x < y);
}

static int compare_sources(const void *a, const void *b)
{
	uint32_t x = ((const struct iq_source *)a)->no, y = ((const struct iq_source *)b)->no;

	return (x > y) - (x < y);
}

static int compare_parts(const void *a, const void *b)
{
	return iq_part_compare(((const struct iq_store_part *)a)->part, ((const struct iq_store_part *)b)->part);
}

static int compare_gaps(const void *a, const void *b)
{
	const struct iq_gap *x = a, *y = b;

	if (x->evidence != y->evidence)
		return x->evidence < y->evidence ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* `items` sorted by number: merges neighbours with the same one. */
#define FOLD_NEIGHBOURS(items, count, fold) \
	do { \
		size_t kept = 0; \
		for (size_t i = 0; i < (count); i++) { \
			if (kept > 0 && (items)[kept - 1].no == (items)[i].no) \
				fold(&(items)[kept - 1], &(items)[i]); \
			else \
				(items)[kept++] = (items)[i]; \
		} \
		(count) = kept; \
	} while (0)

/* What the manifest alone says. */
static int fold_summaries(struct iq_store *store)
{
	const struct iq_manifest *manifest = &store->manifest;
	size_t total = 0;

	for (size_t i = 0; i < manifest->count; i++)
		total += manifest->segments[i].summary.source_count;
	store->sources = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->sources));
	if (!store->sources)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < manifest->count; i++) {
		const struct iq_summary *summary = &manifest->segments[i].summary;

		for (size_t j = 0; j < summary->source_count; j++)
			store->sources[store->source_count++] = summary->sources[j];
		store->events += summary->events;
		if (summary->ids.last > store->last_id)
			store->last_id = summary->ids.last;
	}
	qsort(store->sources, store->source_count, sizeof(*store->sources), compare_sources);
	FOLD_NEIGHBOURS(store->sources, store->source_count, iq_source_fold);
	return 0;
}

static int fold_sessions(struct iq_store *store, size_t total)
{
	store->sessions = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->sessions));
	if (!store->sessions)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->manifest.count; i++) {
		for (size_t j = 0; j < store->segments[i]->session_count; j++) {
			const struct iq_segment_session *part = &store->segments[i]->sessions[j];
			const struct iq_source *source = iq_store_source(store, part->source_no);

			store->sessions[store->session_count] = part->session;
			store->sessions[store->session_count++].source = source ? source->name : IQ_VIEW_NULL;
		}
	}
	qsort(store->sessions, store->session_count, sizeof(*store->sessions), compare_session_parts);
	FOLD_NEIGHBOURS(store->sessions, store->session_count, iq_session_fold);
	return 0;
}

static void fold_part(struct iq_evidence *whole, const struct iq_evidence_part *part)
{
	whole->bytes = part->offset + part->evidence.bytes;
	whole->accounted = part->evidence.accounted;
	whole->records += part->evidence.records;
	whole->dropped += part->evidence.dropped;
	iq_evidence_fold_facts(whole, &part->evidence);
	if (whole->first_event == 0)
		whole->first_event = part->first_event;
	whole->last_event = part->last_event;
	memcpy(whole->sha256, part->evidence.sha256, IQ_SHA256_SIZE);
}

static void fold_parts(struct iq_store *store)
{
	for (size_t i = 0; i < store->part_count; i++) {
		const struct iq_evidence_part *part = store->parts[i].part;
		struct iq_evidence *whole = &store->evidence[store->evidence_count];

		if (store->evidence_count == 0 || whole[-1].no != part->evidence.no) {
			*whole = part->evidence;
			whole->records = whole->gaps = whole->dropped = 0;
			store->evidence_count++;
		}
		fold_part(&store->evidence[store->evidence_count - 1], part);
	}
}

static int fold_evidence(struct iq_store *store, size_t total)
{
	store->evidence = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->evidence));
	store->parts = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->parts));
	if (!store->evidence || !store->parts)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->manifest.count; i++)
		for (size_t j = 0; j < store->segments[i]->evidence_count; j++)
			store->parts[store->part_count++] =
				(struct iq_store_part){ &store->segments[i]->evidence[j], store->segments[i] };
	qsort(store->parts, store->part_count, sizeof(*store->parts), compare_parts);
	fold_parts(store);
	return 0;
}

static struct iq_evidence *find_evidence(const struct iq_store *store, uint32_t no)
{
	size_t low = 0, high = store->evidence_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (store->evidence[middle].no < no)
			low = middle + 1;
		else
			high = middle;
	}
	return low < store->evidence_count && store->evidence[low].no == no ? &store->evidence[low] : NULL;
}

/* The parts that go on where `segment` ends. */
static const struct iq_store_part *parts_after(const struct iq_store *store, uint32_t evidence,
					       const struct iq_segment *segment, size_t *ret_count)
{
	size_t count;
	const struct iq_store_part *parts = iq_store_parts(store, evidence, &count);

	*ret_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].segment != segment)
			continue;
		*ret_count = count - i - 1;
		return &parts[i + 1];
	}
	return parts;
}

/* The first event of these parts, or 0. */
static uint64_t first_event(const struct iq_store_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].part->first_event > 0)
			return parts[i].part->first_event;
	return 0;
}

static int name_gap_session(struct iq_store *store, struct iq_gap *gap, uint32_t session_no)
{
	char name[16];

	if (session_no == 0)
		return 0;
	(void)snprintf(name, sizeof(name), "s%u", session_no);
	gap->session = iq_arena_copy(&store->memory, iq_view_cstr(name));
	return gap->session.data ? 0 : IQ_ERR_NOMEM;
}

/* Is the event still there? A gap beside events that were dropped is beside nothing that could be found. */
static uint64_t still_there(const struct iq_store *store, uint64_t id)
{
	for (size_t i = 0; i < store->manifest.count && id > 0; i++) {
		const struct iq_summary *summary = iq_store_summary(store, i);

		if (summary->events > 0 && id >= summary->ids.first && id <= summary->ids.last)
			return id;
	}
	return 0;
}

static int fold_gap(struct iq_store *store, const struct iq_segment *segment, const struct iq_segment_gap *part)
{
	size_t count;
	const struct iq_store_part *after = parts_after(store, part->gap.evidence, segment, &count);
	struct iq_evidence *evidence = find_evidence(store, part->gap.evidence);
	struct iq_gap *gap = &store->gaps[store->gap_count];

	/* What was unfinished there was said again. */
	if (count > 0 && part->gap.offset >= after->part->offset)
		return 0;
	*gap = part->gap;
	if (gap->before == 0)
		gap->before = first_event(after, count);
	gap->after = still_there(store, gap->after);
	gap->before = still_there(store, gap->before);
	if (evidence)
		evidence->gaps++;
	store->gap_count++;
	return name_gap_session(store, gap, part->session_no);
}

/* Evidence that was not taken in to its end: what is not there is a gap as well. */
static void add_unfinished(struct iq_store *store)
{
	for (size_t i = 0; i < store->part_count; i++) {
		const struct iq_evidence_part *part = store->parts[i].part;
		bool last = i + 1 == store->part_count || store->parts[i + 1].part->evidence.no != part->evidence.no;
		struct iq_evidence *evidence = find_evidence(store, part->evidence.no);

		if (part->ended || !last || !evidence)
			continue;
		evidence->gaps++;
		store->gaps[store->gap_count++] = (struct iq_gap){
			.evidence = evidence->no,
			.after = part->last_event,
			.ts_min = part->last_ts,
			.ts_max = IQ_TIME_NONE,
			.offset = evidence->accounted,
			.bytes = evidence->bytes > evidence->accounted ? evidence->bytes - evidence->accounted : 0,
			.count = IQ_NUMBER_NONE,
			.reason = IQ_LIT("the ingest was interrupted here; run it again for the rest"),
		};
	}
}

static int fold_gaps(struct iq_store *store, size_t total)
{
	int rc = 0;

	store->gaps = iq_arena_calloc(&store->memory, total + store->part_count + store->withheld_count + 1,
				      sizeof(*store->gaps));
	if (!store->gaps)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->manifest.count && rc == 0; i++)
		for (size_t j = 0; j < store->segments[i]->gap_count && rc == 0; j++)
			rc = fold_gap(store, store->segments[i], &store->segments[i]->gaps[j]);
	add_unfinished(store);
	for (size_t i = 0; i < store->withheld_count; i++)
		store->gaps[store->gap_count++] = store->withheld[i];
	qsort(store->gaps, store->gap_count, sizeof(*store->gaps), compare_gaps);
	return rc;
}

static int fold_tables(struct iq_store *store)
{
	size_t sessions = 0, evidence = 0, gaps = 0;

	for (size_t i = 0; i < store->manifest.count; i++) {
		sessions += store->segments[i]->session_count;
		evidence += store->segments[i]->evidence_count;
		gaps += store->segments[i]->gap_count;
	}
	return fold_sessions(store, sessions) < 0 || fold_evidence(store, evidence) < 0 || fold_gaps(store, gaps) < 0
		       ? IQ_ERR_NOMEM
		       : 0;
}

int iq_store_load(struct iq_store *store, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = 0;

	if (store->loaded)
		return 0;
	for (size_t i = 0; i < store->manifest.count && rc == 0; i++)
		rc = iq_store_segment(store, i, &segment, error);
	if (rc == 0 && fold_tables(store) < 0)
		rc = iq_error_nomem(error);
	store->loaded = rc == 0;
	return rc;
}

/* ---- Segments ---- */

/* A summary that says less than there is would hide events. */
static int compare_with_manifest(const struct iq_manifest_segment *listed, const struct iq_segment *segment,
				 struct iq_error *error)
{
	bool same;

	if (iq_summary_matches(&listed->summary, segment, &same) < 0)
		return iq_error_nomem(error);
	if (same && memcmp(segment->root, listed->root, IQ_SHA256_SIZE) == 0)
		return 0;
	return iq_error_set(error, IQ_ERR_CORRUPT, "%s: is not the segment that the manifest names (hash mismatch)",
			    segment->path);
}

static char *path_of(const struct iq_store *store, const char *file)
{
	char *directory = iq_path_join(store->path, "segments");
	char *path = directory ? iq_path_join(directory, file) : NULL;

	free(directory);
	return path;
}

void iq_store_sidecars(const struct iq_store *store, void (*told)(void *context, const char *name), void *context)
{
	for (size_t i = 0; i < store->manifest.count; i++) {
		char *path = store->is_directory ? path_of(store, store->manifest.segments[i].file) : NULL;

		iq_segment_sidecars(path ? path : store->path, told, context);
		free(path);
	}
}

int iq_store_segment_lazily(struct iq_store *store, size_t index, struct iq_segment **ret_segment,
			    struct iq_error *error)
{
	const struct iq_manifest_segment *listed = &store->manifest.segments[index];
	struct iq_segment *segment = store->segments[index];
	char *path;
	int rc;

	if (!segment) {
		path = path_of(store, listed->file);
		rc = path ? iq_segment_open_lazily(path, &segment, error) : iq_error_nomem(error);
		free(path);
		if (rc < 0)
			return rc == IQ_ERR_NOT_FOUND ? IQ_ERR_CORRUPT : rc;
		rc = compare_with_manifest(listed, segment, error);
		if (rc < 0) {
			iq_segment_close(segment);
			return rc;
		}
		iq_segment_join(segment, &store->pool);
		store->segments[index] = segment;
	}
	*ret_segment = segment;
	return 0;
}

int iq_store_segment(struct iq_store *store, size_t index, struct iq_segment **ret_segment, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = iq_store_segment_lazily(store, index, &segment, error);

	if (rc == 0)
		rc = iq_segment_load(segment, error);
	if (rc == 0 && !segment->compared)
		rc = compare_with_manifest(&store->manifest.segments[index], segment, error);
	if (rc < 0)
		return rc;
	segment->compared = true;
	*ret_segment = segment;
	return 0;
}

size_t iq_store_segments(const struct iq_store *store)
{
	return store->manifest.count;
}

void iq_store_segment_info(const struct iq_store *store, size_t index, struct iq_segment_info *ret_info)
{
	const struct iq_manifest_segment *listed = &store->manifest.segments[index];
	const struct iq_summary *summary = &listed->summary;
	const bool timed = summary->ts_min <= summary->ts_max;

	*ret_info = (struct iq_segment_info){
		.file = listed->file,
		.bytes = listed->bytes,
		.raw = summary->raw,
		.events = summary->events,
		.id_first = summary->ids.first,
		.id_last = summary->ids.last,
		.ts_min = timed ? summary->ts_min : IQ_TIME_NONE,
		.ts_max = timed ? summary->ts_max : IQ_TIME_NONE,
		.sources = summary->sources,
		.source_count = summary->source_count,
	};
}

/* ---- Opening ---- */

static int make_slots(struct iq_store *store, struct iq_error *error)
{
	store->segments = calloc(store->manifest.count + 1, sizeof(struct iq_segment *));
	return store->segments ? 0 : iq_error_nomem(error);
}

/* What the manifest would say of a segment that it does not name. */
static int describe(struct iq_store *store, const struct iq_segment *segment, struct iq_manifest_segment *ret_listed)
{
	*ret_listed = (struct iq_manifest_segment){ .file = store->is_directory ? "spool" : iq_path_base(segment->path),
						    .bytes = (uint64_t)segment->identity.st_size };
	memcpy(ret_listed->root, segment->root, IQ_SHA256_SIZE);
	return iq_summary_of(segment, &store->manifest.memory, &ret_listed->summary);
}

/* Puts it where its ids belong. */
static int insert_segment(struct iq_store *store, struct iq_segment *segment)
{
	struct iq_segment **slots = realloc(store->segments, (store->manifest.count + 2) * sizeof(struct iq_segment *));
	struct iq_manifest_segment listed;
	size_t at = store->manifest.count;

	if (!slots)
		return IQ_ERR_NOMEM;
	store->segments = slots;
	if (describe(store, segment, &listed) < 0 || iq_manifest_add(&store->manifest, &listed) < 0)
		return IQ_ERR_NOMEM;
	for (; at > 0 && iq_manifest_order(&store->manifest.segments[at - 1], &listed) > 0; at--) {
		store->manifest.segments[at] = store->manifest.segments[at - 1];
		slots[at] = slots[at - 1];
	}
	store->manifest.segments[at] = listed;
	slots[at] = segment;
	iq_segment_join(segment, &store->pool);
	return 0;
}

int iq_store_add_segment(struct iq_store *store, const char *path, struct iq_error *error)
{
	struct iq_segment *segment;
	int rc = iq_segment_open(path, &segment, error);

	if (rc < 0)
		return rc;
	if (insert_segment(store, segment) < 0) {
		iq_segment_close(segment);
		return iq_error_nomem(error);
	}
	return iq_store_refold(store, error);
}

int iq_store_refold(struct iq_store *store, struct iq_error *error)
{
	store->loaded = false;
	store->session_count = store->source_count = store->evidence_count = store->gap_count = store->part_count = 0;
	store->events = store->last_id = 0;
	return fold_summaries(store) < 0 ? iq_error_nomem(error) : 0;
}

void iq_store_forget(struct iq_store *store, size_t index)
{
	const size_t after = --store->manifest.count - index;

	iq_segment_close(store->segments[index]);
	memmove(&store->segments[index], &store->segments[index + 1], after * sizeof(struct iq_segment *));
	memmove(&store->manifest.segments[index], &store->manifest.segments[index + 1],
		after * sizeof(*store->manifest.segments));
}

int iq_store_withhold(struct iq_store *store, const struct iq_gap *gap)
{
	struct iq_gap *grown = realloc(store->withheld, (store->withheld_count + 1) * sizeof(*grown));

	if (!grown)
		return IQ_ERR_NOMEM;
	store->withheld = grown;
	grown[store->withheld_count++] = *gap;
	return 0;
}

/* A file that stands for itself. */
static int open_single(struct iq_store *store, struct iq_error *error)
{
	return iq_store_add_segment(store, store->path, error);
}

/* While a reader has it locked, files that the manifest named are not removed. A store that cannot be locked (a read-only
 * medium, no lock file) is read all the same. */
int iq_readers_lock(const char *store_path)
{
	char *path = iq_path_join(store_path, "readers");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	free(path);
	if (fd >= 0)
		(void)flock(fd, LOCK_SH);
	return fd;
}

void iq_readers_unlock(int readers)
{
	if (readers >= 0)
		(void)close(readers);
}

static int open_directory(struct iq_store *store, struct iq_error *error)
{
	struct iq_error first = IQ_ERROR_INIT;
	int rc;

	store->readers = iq_readers_lock(store->path);
	rc = iq_manifest_read(store->path, &store->manifest, &first);
	if (rc == IQ_ERR_NOT_FOUND)
		return iq_error_set(error, IQ_ERR_FORMAT,
				    "%s: a directory, but not an inquest store (it has no manifest)", store->path);
	if (rc < 0) {
		if (error)
			*error = first;
		return rc;
	}
	iq_manifest_sort(&store->manifest);
	store->is_directory = true;
	rc = make_slots(store, error);
	if (rc == 0 && fold_summaries(store) < 0)
		rc = iq_error_nomem(error);
	return rc;
}

static void init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	(void)pthread_mutexattr_init(&attributes);
	(void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	(void)pthread_mutex_init(lock, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
}

int iq_store_open_sealed(const char *path, struct iq_store **ret_store, struct iq_error *error)
{
	struct iq_store *store;
	struct stat info;
	int rc;

	if (stat(path, &info) != 0)
		return iq_error_errno(error, IQ_ERR_NOT_FOUND, "%s", path);
	store = calloc(1, sizeof(*store));
	if (!store)
		return iq_error_nomem(error);
	store->readers = -1;
	store->pool.limit = IQ_STORE_MAX_OPEN;
	init_lock(&store->pool.lock);
	store->path = strdup(path);
	if (!store->path)
		rc = iq_error_nomem(error);
	else
		rc = S_ISDIR(info.st_mode) ? open_directory(store, error) : open_single(store, error);
	if (rc < 0) {
		iq_store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

uint64_t iq_store_manifest_signature(const char *path)
{
	char *manifest = iq_path_join(path, "manifest");
	struct stat info = { 0 };
	int64_t facts[4];

	if (!manifest || stat(manifest, &info) < 0)
		(void)stat(path, &info);
	free(manifest);
	facts[0] = (int64_t)info.st_ino;
	facts[1] = info.st_size;
	facts[2] = info.st_mtim.tv_sec;
	facts[3] = info.st_mtim.tv_nsec;
	return iq_hash64(iq_view_make((const char *)facts, sizeof(facts)));
}

/* One look at the manifest, then at the spools. 1 where the manifest did not stay as it was: a spool may have become a segment
 * in between. */
static int open_once(const char *path, struct iq_store **ret_store, struct iq_error *error)
{
	const uint64_t signature = iq_store_manifest_signature(path);
	struct iq_store *store;
	int rc = iq_store_open_sealed(path, &store, error);

	if (rc < 0)
		return rc;
	rc = store->is_directory ? iq_spools_show(store, error) : 0;
	if (iq_store_manifest_signature(path) != signature) {
		iq_error_clear(error);
		rc = 1;
	}
	if (rc == 0)
		*ret_store = store;
	else
		iq_store_close(store);
	return rc;
}

int iq_store_open_lazily(const char *path, struct iq_store **ret_store, struct iq_error *error)
{
	int rc = 1;

	for (unsigned attempt = 0; rc > 0 && attempt < MAX_ATTEMPTS; attempt++)
		rc = open_once(path, ret_store, error);
	return rc > 0 ? iq_error_set(error, IQ_ERR_BUSY, "%s: changes faster than it can be read; try again", path)
		      : rc;
}

int iq_store_open(const char *path, struct iq_store **ret_store, struct iq_error *error)
{
	struct iq_store *store;
	int rc = iq_store_open_lazily(path, &store, error);

	if (rc < 0)
		return rc;
	rc = iq_store_load(store, error);
	if (rc < 0) {
		iq_store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void iq_store_close(struct iq_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; store->segments && i < store->manifest.count; i++)
		iq_segment_close(store->segments[i]);
	free(store->segments);
	free(store->withheld);
	(void)pthread_mutex_destroy(&store->pool.lock);
	iq_manifest_release(&store->manifest);
	iq_arena_release(&store->memory);
	iq_readers_unlock(store->readers);
	if (store->preview)
		(void)unlink(store->preview);
	free(store->preview);
	free(store->path);
	free(store);
}

/* ---- Tables ---- */

const char *iq_store_path(const struct iq_store *store)
{
	return store->path;
}

const struct iq_session *iq_store_sessions(const struct iq_store *store, size_t *ret_count)
{
	*ret_count = store->session_count;
	return store->sessions;
}

const struct iq_source *iq_store_sources(const struct iq_store *store, size_t *ret_count)
{
	*ret_count = store->source_count;
	return store->sources;
}

const struct iq_evidence *iq_store_evidence(const struct iq_store *store, size_t *ret_count)
{
	*ret_count = store->evidence_count;
	return store->evidence;
}

const struct iq_gap *iq_store_gaps(const struct iq_store *store, size_t *ret_count)
{
	*ret_count = store->gap_count;
	return store->gaps;
}

uint64_t iq_store_event_count(const struct iq_store *store)
{
	return store->events;
}

const struct iq_source *iq_store_source(const struct iq_store *store, uint32_t no)
{
	struct iq_source wanted = { .no = no };

	return bsearch(&wanted, store->sources, store->source_count, sizeof(*store->sources), compare_sources);
}

const struct iq_store_part *iq_store_parts(const struct iq_store *store, uint32_t evidence, size_t *ret_count)
{
	size_t low = 0, high = store->part_count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (store->parts[middle].part->evidence.no < evidence)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < store->part_count && store->parts[end].part->evidence.no == evidence;)
		end++;
	*ret_count = end - low;
	return &store->parts[low];
}

const struct iq_session *iq_store_find_session(const struct iq_store *store, uint32_t no)
{
	struct iq_session wanted = { .no = no };

	return store->session_count ? bsearch(&wanted, store->sessions, store->session_count, sizeof(*store->sessions),
					      compare_sessions)
				    : NULL;
}

const struct iq_evidence *iq_store_find_evidence(const struct iq_store *store, uint32_t no)
{
	return find_evidence(store, no);
}

/* ---- Raw evidence ---- */

/* Hands on what comes next: parts may overlap. */
struct raw_walk {
	uint64_t next;
	int (*take)(void *context, uint64_t offset, struct iq_view bytes);
	void *context;
};

static int pass_raw(void *context, uint64_t offset, struct iq_view bytes)
{
	struct raw_walk *walk = context;

	walk->next = offset + bytes.len;
	return walk->take(walk->context, offset, bytes);
}

/* Has the segment this byte? Where it had it, *ret_gone says what became of it. */
static bool holds(const struct iq_segment *segment, uint32_t evidence, uint64_t offset, const char **ret_gone)
{
	for (size_t i = 0; i < segment->evidence_count; i++) {
		const struct iq_evidence_part *part = &segment->evidence[i];

		if (part->evidence.no != evidence || offset < part->offset ||
		    offset - part->offset >= part->evidence.bytes)
			continue;
		if (part->evidence.redacted.data)
			*ret_gone = "were not kept: it was redacted when it was taken in";
		else if (offset - part->offset < part->evidence.dropped)
			*ret_gone = "were dropped";
		else
			return true;
		return false;
	}
	return false;
}

/* The segment with the part in which this byte lies; NULL if there is none. */
static int find_raw(struct iq_store *store, uint32_t evidence, uint64_t offset, struct iq_segment **ret_segment,
		    struct iq_error *error)
{
	struct iq_segment *segment;
	const char *gone = NULL;
	int rc;

	*ret_segment = NULL;
	for (size_t i = 0; i < store->manifest.count && !*ret_segment; i++) {
		const struct iq_number_range *held = &iq_store_summary(store, i)->evidence;

		if (evidence < held->first || evidence > held->last)
			continue;
		rc = iq_store_segment(store, i, &segment, error);
		if (rc < 0)
			return rc;
		if (holds(segment, evidence, offset, &gone))
			*ret_segment = segment;
	}
	if (!*ret_segment && gone)
		return iq_error_set(error, IQ_ERR_NOT_FOUND, "evidence %u: its bytes from offset %llu on %s", evidence,
				    (unsigned long long)offset, gone);
	return 0;
}

int iq_store_walk_raw(struct iq_store *store, uint32_t evidence, uint64_t from, uint64_t end,
		      int (*take)(void *context, uint64_t offset, struct iq_view bytes), void *context,
		      struct iq_error *error)
{
	struct raw_walk walk = { from, take, context };
	struct iq_segment *segment;
	int rc = 0;

	while (rc == 0 && walk.next < end) {
		rc = find_raw(store, evidence, walk.next, &segment, error);
		if (rc < 0 || !segment)
			break;
		rc = iq_segment_read_raw(segment, evidence, walk.next, end, pass_raw, &walk, error);
	}
	return rc == IQ_ERR_NOMEM ? iq_error_nomem(error) : rc;
}

static int append_raw(void *context, uint64_t offset, struct iq_view bytes)
{
	(void)offset;
	return iq_buf_append(context, bytes);
}

int iq_store_read_raw(struct iq_store *store, uint32_t evidence, uint64_t offset, uint64_t length, struct iq_buf *buf,
		      struct iq_error *error)
{
	uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;

	return iq_store_walk_raw(store, evidence, offset, end, append_raw, buf, error);
}
