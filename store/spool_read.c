#include "store/spool_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)

/* ---- The window ---- */

/* Are `count` bytes at hand? Reads on if they are not. */
static bool have(struct iq_spool_reader *reader, size_t count)
{
	struct iq_buf *window = &reader->window;

	while (window->len - reader->at < count) {
		/* The header alone is enough for many. */
		const size_t wanted = reader->offset ? READ_BYTES : IQ_SPOOL_RECORDS_AT;
		ssize_t got;

		iq_buf_consume(window, reader->at);
		reader->at = 0;
		if (iq_buf_reserve(window, wanted) < 0)
			return false;
		got = pread(reader->fd, window->data + window->len, wanted, (off_t)reader->offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			reader->failed = got < 0;
			return false;
		}
		window->len += (size_t)got;
		reader->offset += (uint64_t)got;
	}
	return true;
}

static struct iq_view at_hand(const struct iq_spool_reader *reader)
{
	return iq_view_from(iq_buf_view(&reader->window), reader->at);
}

/* ---- Opening ---- */

/* The writer holds its spools locked. */
static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return true;
	(void)flock(fd, LOCK_UN);
	return false;
}

static int read_header(struct iq_spool_reader *reader, struct iq_error *error)
{
	struct iq_view bytes;
	uint64_t watermark = 0;
	int rc;

	if (!have(reader, IQ_SPOOL_RECORDS_AT))
		return reader->window.failed
			       ? iq_error_nomem(error)
			       : iq_error_set(error, IQ_ERR_FORMAT, "%s: too short for a spool", reader->path);
	reader->names = malloc(IQ_SPOOL_WATERMARK_AT);
	if (!reader->names)
		return iq_error_nomem(error);
	bytes = at_hand(reader);
	memcpy(reader->names, bytes.data, IQ_SPOOL_WATERMARK_AT);
	rc = iq_spool_parse_header(iq_view_make(reader->names, IQ_SPOOL_WATERMARK_AT), &reader->header);
	if (rc < 0)
		return iq_error_set(error, (enum iq_status)rc, "%s: its header is damaged, or it is not a spool",
				    reader->path);
	for (unsigned i = 0; i < 8; i++)
		watermark |= (uint64_t)(uint8_t)bytes.data[IQ_SPOOL_WATERMARK_AT + i] << 8 * i;
	reader->watermark = watermark;
	reader->next_seq = reader->header.seq_first;
	reader->at += IQ_SPOOL_RECORDS_AT;
	return 0;
}

int iq_spool_open(const char *path, struct iq_spool_reader **ret_reader, struct iq_error *error)
{
	struct iq_spool_reader *reader = calloc(1, sizeof(*reader));
	int rc = 0;

	if (!reader)
		return iq_error_nomem(error);
	reader->end = UINT64_MAX;
	reader->path = strdup(path);
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (!reader->path)
		rc = iq_error_nomem(error);
	else if (reader->fd < 0)
		rc = iq_error_errno(error, errno == ENOENT ? IQ_ERR_NOT_FOUND : IQ_ERR_IO, "%s", path);
	if (rc == 0) {
		reader->live = is_locked(reader->fd);
		rc = read_header(reader, error);
	}
	if (rc < 0) {
		iq_spool_close(reader);
		return rc;
	}
	*ret_reader = reader;
	return 0;
}

void iq_spool_close(struct iq_spool_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		(void)close(reader->fd);
	iq_buf_release(&reader->window);
	free(reader->names);
	free(reader->path);
	free(reader);
}

/* ---- Records ---- */

/* The bytes of a record that begins here; its head claims a number from `low` to `high`. */
static bool record_here(struct iq_spool_reader *reader, uint64_t low, uint64_t high, struct iq_spool_record *ret_record,
			size_t *ret_size)
{
	uint64_t seq;

	if (!have(reader, IQ_SPOOL_HEAD_BYTES))
		return false;
	seq = iq_spool_record_seq(at_hand(reader));
	*ret_size = iq_spool_record_size(at_hand(reader));
	if (seq < low || seq > high || *ret_size == 0 || !have(reader, *ret_size))
		return false;
	return iq_spool_parse_record(iq_view_make(at_hand(reader).data, *ret_size), ret_record);
}

/* Something is wrong where a record that was acknowledged should be: the next one that is right. */
static bool find_next(struct iq_spool_reader *reader, uint64_t last, struct iq_spool_record *ret_record,
		      size_t *ret_size)
{
	while (have(reader, 8)) {
		reader->at += 8;
		if (record_here(reader, reader->next_seq + 1, last, ret_record, ret_size))
			return true;
	}
	return false;
}

/* A spool is begun when everything before it is acknowledged. */
uint64_t iq_spool_last_known(const struct iq_spool_reader *reader)
{
	return reader->end == UINT64_MAX ? reader->watermark : reader->end - 1;
}

static uint64_t last_wanted(const struct iq_spool_reader *reader)
{
	return reader->end == UINT64_MAX && !reader->live ? UINT64_MAX - 1 : iq_spool_last_known(reader);
}

int iq_spool_next(struct iq_spool_reader *reader, struct iq_spool_record *ret_record)
{
	const uint64_t last = last_wanted(reader);
	size_t size;
	bool found;

	if (reader->ended || reader->next_seq > last)
		return 0;
	found = record_here(reader, reader->next_seq, reader->next_seq, ret_record, &size);
	if (!found && reader->next_seq <= iq_spool_last_known(reader))
		found = find_next(reader, iq_spool_last_known(reader), ret_record, &size);
	if (reader->window.failed)
		return IQ_ERR_NOMEM;
	if (!found)
		return 0;
	reader->at += size;
	reader->next_seq = ret_record->seq + 1;
	reader->ended = ret_record->type == IQ_SPOOL_END;
	return !reader->ended;
}

bool iq_spool_is_void(const struct iq_spool_reader *reader)
{
	return reader->end <= reader->header.seq_first;
}

/* ---- The spools of a store ---- */

char *iq_spool_directory(const char *store_path)
{
	return iq_path_join(store_path, "spool");
}

char *iq_spool_path(const char *store_path, uint32_t number)
{
	char *directory = iq_spool_directory(store_path), *path;
	char name[32];

	(void)snprintf(name, sizeof(name), "%08" PRIu32 ".spool", number);
	path = directory ? iq_path_join(directory, name) : NULL;
	free(directory);
	return path;
}

static int compare_numbers(const void *a, const void *b)
{
	const struct iq_spool_reader *x = *(struct iq_spool_reader *const *)a;
	const struct iq_spool_reader *y = *(struct iq_spool_reader *const *)b;

	return (x->header.number > y->header.number) - (x->header.number < y->header.number);
}

static int add(struct iq_spools *spools, struct iq_spool_reader *reader)
{
	struct iq_spool_reader **grown = realloc(spools->items, (spools->count + 1) * sizeof(struct iq_spool_reader *));

	if (!grown)
		return IQ_ERR_NOMEM;
	spools->items = grown;
	grown[spools->count++] = reader;
	return 0;
}

static int open_one(const char *directory, const char *name,
		    void (*damaged)(void *context, const char *file, const char *message), void *context,
		    struct iq_spools *spools, struct iq_error *error)
{
	struct iq_error reason = IQ_ERROR_INIT;
	struct iq_spool_reader *reader;
	char *path = iq_path_join(directory, name);
	int rc = path ? iq_spool_open(path, &reader, &reason) : IQ_ERR_NOMEM;

	free(path);
	if (rc == 0 && add(spools, reader) < 0) {
		iq_spool_close(reader);
		rc = IQ_ERR_NOMEM;
	}
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (rc < 0 && rc != IQ_ERR_NOT_FOUND && damaged)
		damaged(context, name, reason.message);
	return 0;
}

int iq_spools_open(const char *store_path, void (*damaged)(void *context, const char *file, const char *message),
		   void *context, struct iq_spools *ret_spools, struct iq_error *error)
{
	struct iq_spools spools = { NULL, 0 };
	char *path = iq_spool_directory(store_path);
	DIR *directory = path ? opendir(path) : NULL;
	struct dirent *entry;
	int rc = path ? 0 : iq_error_nomem(error);

	if (path && !directory && errno != ENOENT && errno != ENOTDIR)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	while (rc == 0 && directory && (entry = readdir(directory)))
		if (iq_view_ends_with(iq_view_cstr(entry->d_name), IQ_LIT(".spool")))
			rc = open_one(path, entry->d_name, damaged, context, &spools, error);
	if (directory)
		(void)closedir(directory);
	free(path);
	if (rc < 0) {
		iq_spools_close(&spools);
		return rc;
	}
	if (spools.count > 0)
		qsort(spools.items, spools.count, sizeof(struct iq_spool_reader *), compare_numbers);
	for (size_t i = 0; i + 1 < spools.count; i++)
		spools.items[i]->end = spools.items[i + 1]->header.seq_first;
	*ret_spools = spools;
	return 0;
}

void iq_spools_close(struct iq_spools *spools)
{
	for (size_t i = 0; i < spools->count; i++)
		iq_spool_close(spools->items[i]);
	free(spools->items);
	*spools = (struct iq_spools){ NULL, 0 };
}
