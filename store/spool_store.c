#include "store/spool_store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Feeding ---- */

/* Where the feeding stands. */
struct feed {
	struct iq_spool_reader *reader;
	struct iq_store_writer *writer;
	struct iq_sink *sink;
	uint64_t position; /* bytes of evidence so far */
	uint64_t offset;   /* of the last event */
	uint64_t length;
	uint64_t expected; /* the next sequence number */
};

static int feed_gap(struct feed *feed, struct iq_gap gap, struct iq_error *error)
{
	gap.offset = feed->position;
	return feed->sink->gap(feed->sink->context, &gap, error);
}

static int feed_reason(struct feed *feed, struct iq_error *error, const char *format, ...) IQ_PRINTF(3, 4);

static int feed_reason(struct feed *feed, struct iq_error *error, const char *format, ...)
{
	struct iq_gap gap = IQ_GAP_INIT;
	char reason[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	gap.reason = iq_view_cstr(reason);
	return feed_gap(feed, gap, error);
}

/* Records up to `last` should be there. */
static int feed_missing(struct feed *feed, uint64_t last, struct iq_error *error)
{
	const uint64_t first = feed->expected;

	if (last < first)
		return 0;
	feed->expected = last + 1;
	return feed_reason(feed, error, "the spool is damaged: records #%" PRIu64 " to #%" PRIu64 " cannot be read",
			   first, last);
}

static int feed_event(struct feed *feed, const struct iq_spool_record *record, struct iq_error *error)
{
	struct iq_event event = record->event;
	int rc = 0;

	if (record->raw.data) {
		rc = iq_store_writer_raw(feed->writer, record->raw.data, record->raw.len, error);
		feed->offset = feed->position;
		feed->length = record->raw.len;
		feed->position += record->raw.len;
	}
	event.offset = feed->offset;
	event.length = feed->length;
	return rc < 0 ? rc : feed->sink->event(feed->sink->context, &event, error);
}

static int feed_records(struct feed *feed, struct iq_error *error)
{
	struct iq_spool_record record;
	int rc;

	while ((rc = iq_spool_next(feed->reader, &record)) > 0) {
		rc = feed_missing(feed, record.seq - 1, error);
		if (rc == 0)
			rc = record.type == IQ_SPOOL_GAP ? feed_gap(feed, record.gap, error)
							 : feed_event(feed, &record, error);
		if (rc < 0)
			return rc;
		feed->expected = record.seq + 1;
	}
	return rc < 0 ? iq_error_nomem(error) : 0;
}

/* What follows the last record. */
static int feed_end(struct feed *feed, struct iq_error *error)
{
	const struct iq_spool_reader *reader = feed->reader;
	int rc = 0;

	if (reader->ended)
		return 0;
	rc = feed_missing(feed, iq_spool_last_known(reader), error);
	if (rc == 0 && reader->end == UINT64_MAX && !reader->live)
		rc = feed_reason(feed, error, "the recording ended abruptly; durable through #%" PRIu64,
				 feed->expected - 1);
	return rc;
}

int iq_spool_feed(struct iq_spool_reader *reader, struct iq_store_writer *writer, struct iq_error *error)
{
	const struct iq_spool_header *header = &reader->header;
	struct feed feed = {
		.reader = reader, .writer = writer, .sink = iq_store_writer_sink(writer), .expected = header->seq_first
	};
	const struct iq_evidence_facts facts = { .covers_from = header->covers_from, .covers_to = header->covers_to };
	struct iq_evidence evidence;
	int rc = iq_store_writer_expect(writer, header->evidence, header->id_first, error);

	if (rc == 0)
		rc = iq_store_writer_evidence_begin(writer, header->name, header->format, error);
	if (rc == 0 && header->has_covers)
		rc = iq_store_writer_evidence_facts(writer, &facts, error);
	if (rc == 0)
		rc = feed_records(&feed, error);
	if (rc == 0)
		rc = feed_end(&feed, error);
	return rc == 0 ? iq_store_writer_evidence_end(writer, &evidence, error) : rc;
}

/* ---- Sealing ---- */

int iq_spool_remove(const char *path, struct iq_error *error)
{
	char *directory = strndup(path, (size_t)(iq_path_base(path) - path));
	int rc = 0;

	if (!directory)
		return iq_error_nomem(error);
	if (unlink(path) == 0)
		rc = iq_file_sync_dir(directory, error);
	else if (errno != ENOENT)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	free(directory);
	return rc;
}

int iq_spool_seal(struct iq_spool_reader *reader, struct iq_store_writer *writer, struct iq_error *error)
{
	int rc = iq_spool_feed(reader, writer, error);

	if (rc == 0)
		rc = iq_store_writer_commit(writer, error);
	if (rc < 0) {
		(void)iq_store_writer_rollback(writer, NULL);
		return rc;
	}
	return iq_spool_remove(reader->path, error);
}

bool iq_spool_is_sealed(const struct iq_spool_reader *reader, const struct iq_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		const struct iq_number_range *held = &manifest->segments[i].summary.evidence;

		if (reader->header.evidence >= held->first && reader->header.evidence <= held->last)
			return true;
	}
	return false;
}

static int remove_temporary(const char *store_path, struct iq_error *error)
{
	char *directory = iq_spool_directory(store_path);
	char *path = directory ? iq_path_join(directory, IQ_SPOOL_TEMPORARY) : NULL;
	int rc = path ? iq_spool_remove(path, error) : iq_error_nomem(error);

	free(directory);
	free(path);
	return rc;
}

int iq_spools_tidy(const char *store_path, const struct iq_manifest *manifest, struct iq_error *error)
{
	struct iq_spools spools;
	int rc = remove_temporary(store_path, error);

	if (rc == 0)
		rc = iq_spools_open(store_path, NULL, NULL, &spools, error);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < spools.count && rc == 0; i++)
		if (iq_spool_is_void(spools.items[i]) || iq_spool_is_sealed(spools.items[i], manifest))
			rc = iq_spool_remove(spools.items[i]->path, error);
	iq_spools_close(&spools);
	return rc;
}

/* Has the store not given away the numbers that the spool was lent? One that does not fit is not its own. */
static bool fits(const struct iq_spool_reader *reader, const struct iq_store_writer *writer)
{
	return reader->header.evidence >= iq_store_writer_next_evidence(writer) &&
	       reader->header.id_first > iq_store_writer_last_id(writer);
}

int iq_spools_recover(struct iq_store_writer *writer, struct iq_error *error)
{
	struct iq_spools spools;
	int rc = iq_spools_open(iq_store_writer_path(writer), NULL, NULL, &spools, error);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < spools.count && rc == 0; i++)
		if (fits(spools.items[i], writer))
			rc = iq_spool_seal(spools.items[i], writer, error);
	iq_spools_close(&spools);
	return rc;
}

uint32_t iq_spools_next_number(const char *store_path)
{
	char *path = iq_spool_directory(store_path);
	DIR *directory = path ? opendir(path) : NULL;
	struct dirent *entry;
	uint32_t next = 1;

	while (directory && (entry = readdir(directory))) {
		uint32_t number = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (number >= next)
			next = number + 1;
	}
	if (directory)
		(void)closedir(directory);
	free(path);
	return next;
}

/* ---- Showing ---- */

/* An empty file for the segment, where temporary files go. */
static int make_file(char **ret_path, struct iq_error *error)
{
	char *path = iq_path_temporary("inquest-live-XXXXXX");
	int fd = path ? mkstemp(path) : -1;
	int rc = 0;

	if (!path)
		rc = iq_error_nomem(error);
	else if (fd < 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0)
		free(path);
	else
		*ret_path = path;
	return rc;
}

static bool is_shown(const struct iq_store *store, const struct iq_spool_reader *reader)
{
	return !iq_spool_is_void(reader) && !iq_spool_is_sealed(reader, &store->manifest);
}

static int write_preview(struct iq_store *store, const struct iq_spools *spools, struct iq_error *error)
{
	struct iq_store_writer *writer = NULL;
	int rc = iq_store_load(store, error);

	if (rc == 0)
		rc = make_file(&store->preview, error);
	if (rc == 0)
		rc = iq_store_writer_preview(store, store->preview, &writer, error);
	for (size_t i = 0; i < spools->count && rc == 0; i++)
		if (is_shown(store, spools->items[i]) && fits(spools->items[i], writer))
			rc = iq_spool_feed(spools->items[i], writer, error);
	if (rc == 0)
		rc = iq_store_writer_preview_end(writer, error);
	iq_store_writer_free(writer);
	return rc;
}

int iq_spools_show(struct iq_store *store, struct iq_error *error)
{
	struct iq_spools spools;
	size_t shown = 0;
	int rc = iq_spools_open(store->path, NULL, NULL, &spools, error);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < spools.count; i++)
		shown += is_shown(store, spools.items[i]);
	if (shown > 0)
		rc = write_preview(store, &spools, error);
	iq_spools_close(&spools);
	return rc == 0 && shown > 0 ? iq_store_add_segment(store, store->preview, error) : rc;
}

uint64_t iq_store_signature(const char *path)
{
	struct iq_buf facts = IQ_BUF_INIT;
	struct iq_spools spools = { NULL, 0 };
	uint64_t signature = iq_store_manifest_signature(path);

	(void)iq_buf_appendf(&facts, "%" PRIx64, signature);
	if (iq_spools_open(path, NULL, NULL, &spools, NULL) == 0)
		for (size_t i = 0; i < spools.count; i++)
			(void)iq_buf_appendf(&facts, " %" PRIu32 " %" PRIu64 " %d", spools.items[i]->header.number,
					     spools.items[i]->watermark, spools.items[i]->live);
	signature = iq_hash64(iq_buf_view(&facts));
	iq_spools_close(&spools);
	iq_buf_release(&facts);
	return signature;
}
