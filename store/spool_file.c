#include "store/spool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/spool_read.h"

/* ---- The operating system ---- */

static int do_create(void *context, const char *path, int *ret_fd)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	(void)context;
	if (fd < 0)
		return errno;
	*ret_fd = fd;
	return 0;
}

static int do_write(void *context, int fd, const void *data, size_t len, uint64_t offset)
{
	const char *rest = data;

	(void)context;
	while (len > 0) {
		ssize_t wrote = pwrite(fd, rest, len, (off_t)offset);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote < 0 ? errno : EIO;
		rest += wrote;
		offset += (uint64_t)wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

/* Written zeros, not only reserved room: the first sync of a reserved block would have to write the file's metadata too. */
static int do_allocate(void *context, int fd, uint64_t size)
{
	static const char zeros[1 << 16];
	int rc = posix_fallocate(fd, 0, (off_t)size);

	for (uint64_t at = 0; at < size && rc == 0; at += sizeof(zeros)) {
		uint64_t left = size - at;

		rc = do_write(context, fd, zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros), at);
	}
	return rc;
}

static int do_sync(void *context, int fd)
{
	(void)context;
	return fdatasync(fd) == 0 ? 0 : errno;
}

static int do_rename(void *context, const char *from, const char *to)
{
	(void)context;
	return rename(from, to) == 0 ? 0 : errno;
}

static int do_sync_directory(void *context, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? errno : 0;

	(void)context;
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int do_unlink(void *context, const char *path)
{
	(void)context;
	return unlink(path) == 0 ? 0 : errno;
}

const struct iq_spool_io *iq_spool_io_default(void)
{
	static const struct iq_spool_io io = { do_create, do_allocate,	     do_write,	do_sync,
					       do_rename, do_sync_directory, do_unlink, NULL };

	return &io;
}

/* ---- Making ---- */

static int write_header(struct iq_spool_file *file, const struct iq_spool_header *header)
{
	struct iq_buf bytes = IQ_BUF_INIT;
	int rc = iq_spool_append_header(&bytes, header) < 0 ? ENAMETOOLONG : 0;

	if (rc == 0)
		rc = file->io->write(file->io->context, file->fd, bytes.data, bytes.len, 0);
	iq_buf_release(&bytes);
	return rc;
}

/* Under a temporary name until it is whole and locked: nobody meets less. */
static int make(struct iq_spool_file *file, const char *temporary, const char *directory,
		const struct iq_spool_header *header)
{
	const struct iq_spool_io *io = file->io;
	int rc = io->create(io->context, temporary, &file->fd);

	if (rc != 0)
		return rc;
	if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
		rc = errno;
	if (rc == 0)
		rc = io->allocate(io->context, file->fd, file->size);
	if (rc == 0)
		rc = write_header(file, header);
	if (rc == 0)
		rc = io->sync(io->context, file->fd);
	if (rc == 0)
		rc = io->rename(io->context, temporary, file->path);
	if (rc != 0)
		(void)io->unlink(io->context, temporary);
	else if ((rc = io->sync_directory(io->context, directory)) != 0)
		(void)io->unlink(io->context, file->path);
	return rc;
}

int iq_spool_file_new(const struct iq_spool_io *io, const char *store_path, const struct iq_spool_header *header,
		      uint64_t limit, uint64_t size, struct iq_spool_file **ret_file)
{
	struct iq_spool_file *file = calloc(1, sizeof(*file));
	char *directory = iq_spool_directory(store_path);
	char *temporary = directory ? iq_path_join(directory, IQ_SPOOL_TEMPORARY) : NULL;
	int rc = ENOMEM;

	if (!file || !temporary)
		goto out;
	*file = (struct iq_spool_file){ .io = io, .fd = -1, .used = IQ_SPOOL_RECORDS_AT, .limit = limit, .size = size };
	file->path = iq_spool_path(store_path, header->number);
	if (!file->path)
		goto out;
	rc = mkdir(directory, 0777) == 0 ? io->sync_directory(io->context, store_path) : errno == EEXIST ? 0 : errno;
	if (rc == 0)
		rc = make(file, temporary, directory, header);
out:
	free(directory);
	free(temporary);
	if (rc != 0)
		iq_spool_file_free(file);
	else
		*ret_file = file;
	return rc;
}

void iq_spool_file_free(struct iq_spool_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		(void)close(file->fd);
	free(file->path);
	free(file);
}

/* ---- Writing ---- */

bool iq_spool_file_has_room(const struct iq_spool_file *file, size_t len)
{
	return file->failure == 0 && file->used <= file->limit && len <= file->limit - file->used;
}

/* The watermark need not be durable itself: after a power loss the CRCs tell as much. */
static int publish(struct iq_spool_file *file, uint64_t seq)
{
	char bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (char)(seq >> 8 * i);
	return file->io->write(file->io->context, file->fd, bytes, sizeof(bytes), IQ_SPOOL_WATERMARK_AT);
}

int iq_spool_file_append(struct iq_spool_file *file, struct iq_view records, uint64_t seq)
{
	const struct iq_spool_io *io = file->io;
	int rc = file->failure;

	if (rc == 0)
		rc = io->write(io->context, file->fd, records.data, records.len, file->used);
	if (rc == 0)
		rc = io->sync(io->context, file->fd);
	if (rc == 0)
		rc = publish(file, seq);
	file->failure = rc;
	file->used += records.len;
	return rc;
}

int iq_spool_file_append_last(struct iq_spool_file *file, struct iq_view records, uint64_t seq)
{
	file->limit = 0;
	return file->used > file->size || records.len > file->size - file->used
		       ? ENOSPC
		       : iq_spool_file_append(file, records, seq);
}
