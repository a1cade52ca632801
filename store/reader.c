#include "store/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/manifest.h"

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
	whole->events += part->events;
	whole->start_seen |= part->start_seen;
	whole->end_seen |= part->end_seen;
	if (part->state != IQ_SESSION_OPEN)
		whole->state = part->state;
	if (part->first_event < whole->first_event)
		whole->first_event = part->first_event;
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

static int compare_sources(const void *a, const void *b)
{
	uint32_t x = ((const struct iq_source *)a)->no, y = ((const struct iq_source *)b)->no;

	return (x > y) - (x < y);
}

static int compare_evidence(const void *a, const void *b)
{
	uint32_t x = ((const struct iq_evidence *)a)->no, y = ((const struct iq_evidence *)b)->no;

	return (x > y) - (x < y);
}

static int compare_gaps(const void *a, const void *b)
{
	const struct iq_gap *x = a, *y = b;

	if (x->evidence != y->evidence)
		return x->evidence < y->evidence ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int compare_segments(const void *a, const void *b)
{
	const struct iq_segment *x = *(struct iq_segment *const *)a, *y = *(struct iq_segment *const *)b;
	uint64_t first_x = x->zone_count ? x->zones[0].id_first : UINT64_MAX;
	uint64_t first_y = y->zone_count ? y->zones[0].id_first : UINT64_MAX;

	return (first_x > first_y) - (first_x < first_y);
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

static int fold_sources(struct iq_store *store, size_t total)
{
	store->sources = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->sources));
	if (!store->sources)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->segment_count; i++)
		for (size_t j = 0; j < store->segments[i]->source_count; j++)
			store->sources[store->source_count++] = store->segments[i]->sources[j];
	qsort(store->sources, store->source_count, sizeof(*store->sources), compare_sources);
	FOLD_NEIGHBOURS(store->sources, store->source_count, iq_source_fold);
	return 0;
}

static int fold_sessions(struct iq_store *store, size_t total)
{
	store->sessions = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->sessions));
	if (!store->sessions)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->segment_count; i++) {
		for (size_t j = 0; j < store->segments[i]->session_count; j++) {
			const struct iq_segment_session *part = &store->segments[i]->sessions[j];
			const struct iq_source *source = iq_store_source(store, part->source_no);

			store->sessions[store->session_count] = part->session;
			store->sessions[store->session_count++].source = source ? source->name : IQ_VIEW_NULL;
		}
	}
	qsort(store->sessions, store->session_count, sizeof(*store->sessions), compare_sessions);
	FOLD_NEIGHBOURS(store->sessions, store->session_count, iq_session_fold);
	return 0;
}

static int fold_evidence(struct iq_store *store, size_t total)
{
	store->evidence = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->evidence));
	if (!store->evidence)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->segment_count; i++)
		for (size_t j = 0; j < store->segments[i]->evidence_count; j++)
			store->evidence[store->evidence_count++] = store->segments[i]->evidence[j];
	qsort(store->evidence, store->evidence_count, sizeof(*store->evidence), compare_evidence);
	return 0;
}

static int fold_gaps(struct iq_store *store, size_t total)
{
	char name[16];

	store->gaps = iq_arena_calloc(&store->memory, total + 1, sizeof(*store->gaps));
	if (!store->gaps)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < store->segment_count; i++) {
		for (size_t j = 0; j < store->segments[i]->gap_count; j++) {
			const struct iq_segment_gap *part = &store->segments[i]->gaps[j];
			struct iq_gap *gap = &store->gaps[store->gap_count++];

			*gap = part->gap;
			if (part->session_no == 0)
				continue;
			(void)snprintf(name, sizeof(name), "s%u", part->session_no);
			gap->session = iq_arena_copy(&store->memory, iq_view_cstr(name));
			if (!gap->session.data)
				return IQ_ERR_NOMEM;
		}
	}
	qsort(store->gaps, store->gap_count, sizeof(*store->gaps), compare_gaps);
	return 0;
}

static int fold_tables(struct iq_store *store, struct iq_error *error)
{
	size_t sources = 0, sessions = 0, evidence = 0, gaps = 0;

	qsort(store->segments, store->segment_count, sizeof(struct iq_segment *), compare_segments);
	for (size_t i = 0; i < store->segment_count; i++) {
		const struct iq_segment *segment = store->segments[i];

		sources += segment->source_count;
		sessions += segment->session_count;
		evidence += segment->evidence_count;
		gaps += segment->gap_count;
		for (size_t j = 0; j < segment->zone_count; j++) {
			store->events += segment->zones[j].rows;
			if (segment->zones[j].id_first + segment->zones[j].rows - 1 > store->last_id)
				store->last_id = segment->zones[j].id_first + segment->zones[j].rows - 1;
		}
	}
	if (fold_sources(store, sources) < 0 || fold_sessions(store, sessions) < 0 ||
	    fold_evidence(store, evidence) < 0 || fold_gaps(store, gaps) < 0)
		return iq_error_nomem(error);
	return 0;
}

/* ---- Opening ---- */

static int open_listed(struct iq_store *store, const struct iq_manifest *manifest, struct iq_error *error)
{
	char *directory = iq_path_join(store->path, "segments");
	int rc = directory ? 0 : iq_error_nomem(error);

	store->segments = calloc(manifest->count + 1, sizeof(struct iq_segment *));
	if (!store->segments)
		rc = iq_error_nomem(error);
	for (size_t i = 0; i < manifest->count && rc == 0; i++) {
		const struct iq_manifest_segment *listed = &manifest->segments[i];
		char *path = iq_path_join(directory, listed->file);
		struct iq_segment *segment = NULL;

		rc = path ? iq_segment_open(path, &segment, error) : iq_error_nomem(error);
		if (rc == 0) {
			store->segments[store->segment_count++] = segment;
			if (memcmp(segment->root, listed->root, IQ_SHA256_SIZE) != 0)
				rc = iq_error_set(error, IQ_ERR_CORRUPT,
						  "%s: is not the segment that the manifest names (hash mismatch)",
						  path);
		} else if (rc == IQ_ERR_NOT_FOUND) {
			rc = IQ_ERR_CORRUPT;
		}
		free(path);
	}
	free(directory);
	return rc;
}

static int open_single(struct iq_store *store, struct iq_error *error)
{
	int rc;

	store->segments = calloc(1, sizeof(struct iq_segment *));
	if (!store->segments)
		return iq_error_nomem(error);
	rc = iq_segment_open(store->path, &store->segments[0], error);
	store->segment_count = rc == 0;
	return rc;
}

static int open_directory(struct iq_store *store, struct iq_error *error)
{
	struct iq_manifest manifest;
	struct iq_error first = IQ_ERROR_INIT;
	int rc = iq_manifest_read(store->path, &manifest, &first);

	if (rc == IQ_ERR_NOT_FOUND)
		return iq_error_set(error, IQ_ERR_FORMAT,
				    "%s: a directory, but not an inquest store (it has no manifest)", store->path);
	if (rc < 0) {
		if (error)
			*error = first;
		return rc;
	}
	rc = open_listed(store, &manifest, error);
	iq_manifest_release(&manifest);
	return rc;
}

int iq_store_open(const char *path, struct iq_store **ret_store, struct iq_error *error)
{
	struct iq_store *store;
	struct stat info;
	int rc;

	if (stat(path, &info) != 0)
		return iq_error_errno(error, IQ_ERR_NOT_FOUND, "%s", path);
	store = calloc(1, sizeof(*store));
	if (!store)
		return iq_error_nomem(error);
	store->path = strdup(path);
	if (!store->path)
		rc = iq_error_nomem(error);
	else
		rc = S_ISDIR(info.st_mode) ? open_directory(store, error) : open_single(store, error);
	if (rc == 0)
		rc = fold_tables(store, error);
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
	for (size_t i = 0; i < store->segment_count; i++)
		iq_segment_close(store->segments[i]);
	free(store->segments);
	iq_arena_release(&store->memory);
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

const struct iq_session *iq_store_session(const struct iq_store *store, uint32_t no)
{
	struct iq_session wanted = { .no = no };

	return bsearch(&wanted, store->sessions, store->session_count, sizeof(*store->sessions), compare_sessions);
}

/* ---- Raw evidence ---- */

struct raw_request {
	uint64_t offset;
	uint64_t end;
	struct iq_buf *buf;
};

static int take_block(void *context, uint64_t offset, struct iq_view bytes)
{
	struct raw_request *request = context;
	size_t skip = request->offset > offset ? (size_t)(request->offset - offset) : 0;
	struct iq_view wanted = iq_view_from(bytes, skip);
	uint64_t left = request->end - (offset + skip);

	if (wanted.len > left)
		wanted.len = (size_t)left;
	request->offset = offset + skip + wanted.len;
	return iq_buf_append(request->buf, wanted);
}

int iq_store_read_raw(struct iq_store *store, uint32_t evidence, uint64_t offset, uint64_t length, struct iq_buf *buf,
		      struct iq_error *error)
{
	struct raw_request request = { offset, length > UINT64_MAX - offset ? UINT64_MAX : offset + length, buf };
	int rc = 0;

	for (size_t i = 0; i < store->segment_count && rc == 0 && request.offset < request.end; i++)
		rc = iq_segment_read_raw(store->segments[i], evidence, request.offset, request.end, take_block,
					 &request, error);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	return rc;
}
