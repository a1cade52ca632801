#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/spool_file.h"

#define SECTOR 512

/* With the mutex held. Counts a call: EIO once the power is gone. */
static int call(struct disk *disk)
{
	disk->calls++;
	if (disk->cut_at && disk->calls >= disk->cut_at)
		disk->cut = true;
	return disk->cut ? EIO : 0;
}

static struct disk_file *file_of(struct disk *disk, int fd)
{
	for (size_t i = disk->file_count; i-- > 0;)
		if (disk->files[i].fd == fd)
			return &disk->files[i];
	abort();
}

static int disk_create(void *context, const char *path, int *ret_fd)
{
	struct disk *disk = context;
	const struct iq_spool_io *real = iq_spool_io_default();
	struct disk_file *file;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	rc = call(disk);
	if (rc == 0)
		rc = disk->full;
	if (rc == 0 && disk->file_count == DISK_FILES)
		abort();
	if (rc == 0)
		rc = real->create(NULL, path, ret_fd);
	if (rc == 0) {
		file = &disk->files[disk->file_count++];
		*file = (struct disk_file){ .fd = *ret_fd };
		(void)snprintf(file->path, sizeof(file->path), "%s", path);
	}
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static int disk_allocate(void *context, int fd, uint64_t size)
{
	struct disk *disk = context;
	struct disk_file *file;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	rc = call(disk);
	if (rc == 0)
		rc = disk->full;
	if (rc == 0 && ftruncate(fd, (off_t)size) != 0)
		rc = errno;
	if (rc == 0) {
		file = file_of(disk, fd);
		file->durable = calloc(1, size);
		file->size = size;
	}
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static int disk_write(void *context, int fd, const void *data, size_t len, uint64_t offset)
{
	struct disk *disk = context;
	struct disk_file *file;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	file = file_of(disk, fd);
	disk->used_after_failure |= file->failed;
	rc = call(disk);
	if (rc == 0) {
		file->pending = realloc(file->pending, (file->pending_count + 1) * sizeof(*file->pending));
		file->pending[file->pending_count] = (struct disk_write){ offset, len, malloc(len) };
		memcpy(file->pending[file->pending_count++].data, data, len);
		rc = iq_spool_io_default()->write(NULL, fd, data, len, offset);
	}
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static void forget_pending(struct disk_file *file)
{
	for (size_t i = 0; i < file->pending_count; i++)
		free(file->pending[i].data);
	file->pending_count = 0;
}

static int disk_sync(void *context, int fd)
{
	struct disk *disk = context;
	struct disk_file *file;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	while (disk->stuck)
		(void)pthread_cond_wait(&disk->released, &disk->mutex);
	file = file_of(disk, fd);
	disk->used_after_failure |= file->failed;
	rc = call(disk);
	if (rc == 0)
		rc = atomic_exchange(&disk->sync_failure, 0);
	file->failed |= rc != 0;
	for (size_t i = 0; i < file->pending_count && rc == 0; i++)
		memcpy(file->durable + file->pending[i].offset, file->pending[i].data, file->pending[i].len);
	if (rc == 0)
		forget_pending(file);
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static int disk_rename(void *context, const char *from, const char *to)
{
	struct disk *disk = context;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	rc = call(disk);
	if (rc == 0)
		rc = iq_spool_io_default()->rename(NULL, from, to);
	for (size_t i = 0; i < disk->file_count && rc == 0; i++)
		if (strcmp(disk->files[i].path, from) == 0)
			(void)snprintf(disk->files[i].path, sizeof(disk->files[i].path), "%s", to);
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static int disk_sync_directory(void *context, const char *path)
{
	struct disk *disk = context;
	int rc;

	(void)path;
	(void)pthread_mutex_lock(&disk->mutex);
	rc = call(disk);
	for (size_t i = 0; i < disk->file_count && rc == 0; i++)
		disk->files[i].named = true;
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

static int disk_unlink(void *context, const char *path)
{
	struct disk *disk = context;
	int rc;

	(void)pthread_mutex_lock(&disk->mutex);
	rc = call(disk);
	if (rc == 0)
		rc = iq_spool_io_default()->unlink(NULL, path);
	(void)pthread_mutex_unlock(&disk->mutex);
	return rc;
}

void disk_init(struct disk *disk)
{
	memset(disk, 0, sizeof(*disk));
	(void)pthread_mutex_init(&disk->mutex, NULL);
	(void)pthread_cond_init(&disk->released, NULL);
	disk->io = (struct iq_spool_io){ disk_create, disk_allocate,	   disk_write,	disk_sync,
					 disk_rename, disk_sync_directory, disk_unlink, disk };
}

void disk_release(struct disk *disk)
{
	for (size_t i = 0; i < disk->file_count; i++) {
		forget_pending(&disk->files[i]);
		free(disk->files[i].pending);
		free(disk->files[i].durable);
	}
	(void)pthread_cond_destroy(&disk->released);
	(void)pthread_mutex_destroy(&disk->mutex);
}

void disk_let_go(struct disk *disk)
{
	(void)pthread_mutex_lock(&disk->mutex);
	disk->stuck = false;
	(void)pthread_cond_broadcast(&disk->released);
	(void)pthread_mutex_unlock(&disk->mutex);
}

/* Of a write that no sync covers, any sectors may have come to the disk. */
static void tear(struct disk_file *file, const struct disk_write *write, unsigned *seed)
{
	size_t at = 0;

	while (at < write->len) {
		size_t len = SECTOR - (write->offset + at) % SECTOR;

		if (len > write->len - at)
			len = write->len - at;
		if (rand_r(seed) % 2)
			memcpy(file->durable + write->offset + at, write->data + at, len);
		at += len;
	}
}

void disk_lose_power(struct disk *disk, unsigned *seed)
{
	for (size_t i = 0; i < disk->file_count; i++) {
		struct disk_file *file = &disk->files[i];
		int fd = open(file->path, O_WRONLY);

		if (fd < 0) /* sealed, or given up */
			continue;
		for (size_t j = 0; j < file->pending_count; j++)
			tear(file, &file->pending[j], seed);
		if ((file->size > 0 && pwrite(fd, file->durable, file->size, 0) != (ssize_t)file->size) ||
		    ftruncate(fd, (off_t)file->size) != 0)
			abort();
		(void)close(fd);
		if (!file->named && rand_r(seed) % 2)
			(void)unlink(file->path);
	}
}
