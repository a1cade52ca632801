#include "store/wrapped_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* ---- What was done ---- */

enum op_kind { OP_READ, OP_MAKE_FILE, OP_MAKE_DIRECTORY, OP_WRITE, OP_RESIZE, OP_SYNC, OP_RENAME, OP_REMOVE };

struct op {
	enum op_kind kind;
	char *path;
	char *to;	 /* RENAME */
	uint64_t offset; /* WRITE, and the new size of RESIZE */
	struct iq_buf bytes;
};

static struct {
	pthread_mutex_t mutex;
	char root[PATH_MAX];
	struct op *ops;
	size_t count;
	size_t fail_at; /* SIZE_MAX: never */
	bool recording, full, failed;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fail_at = SIZE_MAX };

static bool below_root(const char *path)
{
	const size_t len = strlen(disk.root);

	return disk.recording && path && strncmp(path, disk.root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The name that a descriptor has now; NULL where it is none of ours or has lost it. */
static char *path_of(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	return below_root(path) && !strstr(path, " (deleted)") ? strdup(path) : NULL;
}

/* Counts an operation and says whether it is the one that fails. */
static bool fails(const char *path)
{
	bool now;

	if (!below_root(path))
		return false;
	(void)pthread_mutex_lock(&disk.mutex);
	now = disk.fail_at == 0;
	disk.failed |= now;
	if (disk.fail_at != SIZE_MAX)
		disk.fail_at--;
	(void)pthread_mutex_unlock(&disk.mutex);
	return now;
}

static int fault(void)
{
	errno = disk.full ? ENOSPC : EIO;
	return -1;
}

/* Every operation is written down after it was done. */
static void note(enum op_kind kind, const char *path, const char *to, uint64_t offset, struct iq_view bytes)
{
	const int kept = errno;
	struct op *op;

	if (!below_root(path))
		return;
	(void)pthread_mutex_lock(&disk.mutex);
	if (disk.count % 256 == 0)
		disk.ops = realloc(disk.ops, (disk.count + 256) * sizeof(*disk.ops));
	op = &disk.ops[disk.count++];
	*op = (struct op){ kind, strdup(path), to ? strdup(to) : NULL, offset, IQ_BUF_INIT };
	(void)iq_buf_append(&op->bytes, bytes);
	(void)pthread_mutex_unlock(&disk.mutex);
	errno = kept;
}

static void note_plain(enum op_kind kind, const char *path)
{
	note(kind, path, NULL, 0, IQ_VIEW_NULL);
}

/* ---- The calls ---- */

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

int REAL(open64)(const char *path, int flags, ...);
int WRAP(open64)(const char *path, int flags, ...);
ssize_t REAL(read)(int fd, void *data, size_t len);
ssize_t WRAP(read)(int fd, void *data, size_t len);
ssize_t REAL(write)(int fd, const void *data, size_t len);
ssize_t WRAP(write)(int fd, const void *data, size_t len);
ssize_t REAL(pwrite64)(int fd, const void *data, size_t len, off_t offset);
ssize_t WRAP(pwrite64)(int fd, const void *data, size_t len, off_t offset);
int REAL(fsync)(int fd);
int WRAP(fsync)(int fd);
int REAL(fdatasync)(int fd);
int WRAP(fdatasync)(int fd);
int REAL(ftruncate64)(int fd, off_t size);
int WRAP(ftruncate64)(int fd, off_t size);
int REAL(posix_fallocate64)(int fd, off_t offset, off_t len);
int WRAP(posix_fallocate64)(int fd, off_t offset, off_t len);
int REAL(mkdir)(const char *path, mode_t mode);
int WRAP(mkdir)(const char *path, mode_t mode);
int REAL(rename)(const char *from, const char *to);
int WRAP(rename)(const char *from, const char *to);
int REAL(unlink)(const char *path);
int WRAP(unlink)(const char *path);
int REAL(unlinkat)(int directory, const char *name, int flags);
int WRAP(unlinkat)(int directory, const char *name, int flags);

int WRAP(open64)(const char *path, int flags, ...)
{
	const bool makes = (flags & O_CREAT) && access(path, F_OK) != 0;
	va_list list;
	mode_t mode;
	int fd;

	va_start(list, flags);
	mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
	va_end(list);
	if (fails(path))
		return fault();
	fd = REAL(open64)(path, flags, mode);
	if (fd >= 0 && makes)
		note_plain(OP_MAKE_FILE, path);
	else if (fd >= 0 && flags & O_TRUNC)
		note_plain(OP_RESIZE, path);
	return fd;
}

ssize_t WRAP(read)(int fd, void *data, size_t len)
{
	char *path = path_of(fd);
	const bool fault_now = fails(path);

	note_plain(OP_READ, path);
	free(path);
	return fault_now ? fault() : REAL(read)(fd, data, len);
}

static ssize_t write_at(int fd, const void *data, size_t len, off_t offset)
{
	char *path = path_of(fd);
	const bool fault_now = fails(path);
	ssize_t wrote = REAL(pwrite64)(fd, data, fault_now ? len / 2 : len, offset);

	if (wrote > 0)
		note(OP_WRITE, path, NULL, (uint64_t)offset, iq_view_make(data, (size_t)wrote));
	free(path);
	return fault_now ? fault() : wrote;
}

ssize_t WRAP(pwrite64)(int fd, const void *data, size_t len, off_t offset)
{
	return write_at(fd, data, len, offset);
}

ssize_t WRAP(write)(int fd, const void *data, size_t len)
{
	char *path = path_of(fd);
	off_t offset = path ? lseek(fd, 0, SEEK_CUR) : -1;
	ssize_t wrote;

	free(path);
	if (offset < 0)
		return REAL(write)(fd, data, len);
	wrote = write_at(fd, data, len, offset);
	if (wrote > 0)
		(void)lseek(fd, offset + wrote, SEEK_SET);
	return wrote;
}

static int sync_with(int (*real)(int), int fd)
{
	char *path = path_of(fd);
	int rc = fails(path) ? fault() : real(fd);

	if (rc == 0)
		note_plain(OP_SYNC, path);
	free(path);
	return rc;
}

int WRAP(fsync)(int fd)
{
	return sync_with(REAL(fsync), fd);
}

int WRAP(fdatasync)(int fd)
{
	return sync_with(REAL(fdatasync), fd);
}

int WRAP(ftruncate64)(int fd, off_t size)
{
	char *path = path_of(fd);
	int rc = fails(path) ? fault() : REAL(ftruncate64)(fd, size);

	if (rc == 0)
		note(OP_RESIZE, path, NULL, (uint64_t)size, IQ_VIEW_NULL);
	free(path);
	return rc;
}

/* Says its errno itself. */
int WRAP(posix_fallocate64)(int fd, off_t offset, off_t len)
{
	char *path = path_of(fd);
	int rc = fails(path) ? (disk.full ? ENOSPC : EIO) : REAL(posix_fallocate64)(fd, offset, len);

	if (rc == 0)
		note(OP_RESIZE, path, NULL, (uint64_t)(offset + len), IQ_VIEW_NULL);
	free(path);
	return rc;
}

int WRAP(mkdir)(const char *path, mode_t mode)
{
	int rc = fails(path) ? fault() : REAL(mkdir)(path, mode);

	if (rc == 0)
		note_plain(OP_MAKE_DIRECTORY, path);
	return rc;
}

int WRAP(rename)(const char *from, const char *to)
{
	int rc = fails(from) ? fault() : REAL(rename)(from, to);

	if (rc == 0)
		note(OP_RENAME, from, to, 0, IQ_VIEW_NULL);
	return rc;
}

int WRAP(unlink)(const char *path)
{
	int rc = fails(path) ? fault() : REAL(unlink)(path);

	if (rc == 0)
		note_plain(OP_REMOVE, path);
	return rc;
}

int WRAP(unlinkat)(int directory, const char *name, int flags)
{
	char *parent = path_of(directory);
	char *path = parent ? iq_path_join(parent, name) : NULL;
	int rc = fails(path) ? fault() : REAL(unlinkat)(directory, name, flags);

	if (rc == 0)
		note_plain(OP_REMOVE, path);
	free(path);
	free(parent);
	return rc;
}

/* ---- SQLite ---- */

struct disk_file {
	sqlite3_file base;
	const char *path;
	sqlite3_file *real; /* behind this one */
};

static struct disk_file *as_disk(sqlite3_file *file)
{
	return (struct disk_file *)file;
}

static int sqlite_fault(int code)
{
	return disk.full ? SQLITE_FULL : code;
}

static int file_close(sqlite3_file *file)
{
	return as_disk(file)->real->pMethods->xClose(as_disk(file)->real);
}

static int file_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset)
{
	const struct disk_file *self = as_disk(file);

	note_plain(OP_READ, self->path);
	return fails(self->path) ? SQLITE_IOERR_READ : self->real->pMethods->xRead(self->real, data, len, offset);
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
	const struct disk_file *self = as_disk(file);
	const bool fault_now = fails(self->path);
	const int most = fault_now ? len / 2 : len;
	int code = self->real->pMethods->xWrite(self->real, data, most, offset);

	if (code == SQLITE_OK)
		note(OP_WRITE, self->path, NULL, (uint64_t)offset, iq_view_make(data, (size_t)most));
	return fault_now ? sqlite_fault(SQLITE_IOERR_WRITE) : code;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	const struct disk_file *self = as_disk(file);
	int code = fails(self->path) ? SQLITE_IOERR_TRUNCATE : self->real->pMethods->xTruncate(self->real, size);

	if (code == SQLITE_OK)
		note(OP_RESIZE, self->path, NULL, (uint64_t)size, IQ_VIEW_NULL);
	return code;
}

static int file_sync(sqlite3_file *file, int flags)
{
	const struct disk_file *self = as_disk(file);
	int code = fails(self->path) ? SQLITE_IOERR_FSYNC : self->real->pMethods->xSync(self->real, flags);

	if (code == SQLITE_OK)
		note_plain(OP_SYNC, self->path);
	return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return as_disk(file)->real->pMethods->xFileSize(as_disk(file)->real, ret_size);
}

static int file_lock(sqlite3_file *file, int lock)
{
	return as_disk(file)->real->pMethods->xLock(as_disk(file)->real, lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
	return as_disk(file)->real->pMethods->xUnlock(as_disk(file)->real, lock);
}

static int file_check_lock(sqlite3_file *file, int *ret_locked)
{
	return as_disk(file)->real->pMethods->xCheckReservedLock(as_disk(file)->real, ret_locked);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
	return as_disk(file)->real->pMethods->xFileControl(as_disk(file)->real, op, argument);
}

static int file_sector_size(sqlite3_file *file)
{
	(void)file;
	return (int)IQ_DISK_SECTOR;
}

/* No promise of whole sectors or of an order. */
static int file_characteristics(sqlite3_file *file)
{
	(void)file;
	return 0;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

static sqlite3_vfs *real_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
	struct disk_file *self = as_disk(file);
	const bool makes = path && (flags & SQLITE_OPEN_CREATE) && access(path, F_OK) != 0;
	int code;

	self->base.pMethods = NULL;
	self->path = path;
	self->real = (sqlite3_file *)&self[1];
	if (fails(path))
		return SQLITE_CANTOPEN;
	code = real_vfs(vfs)->xOpen(real_vfs(vfs), path, self->real, flags, ret_flags);
	if (code == SQLITE_OK && makes)
		note_plain(OP_MAKE_FILE, path);
	if (code == SQLITE_OK)
		self->base.pMethods = &file_methods;
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	int code = fails(path) ? SQLITE_IOERR_DELETE : real_vfs(vfs)->xDelete(real_vfs(vfs), path, sync);

	if (code == SQLITE_OK)
		note_plain(OP_REMOVE, path);
	return code;
}

static void put_before_sqlite(void)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);

	if (real == &vfs)
		return;
	vfs = *real;
	vfs.zName = "disk";
	vfs.pNext = NULL;
	vfs.pAppData = real;
	vfs.szOsFile = (int)sizeof(struct disk_file) + real->szOsFile;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	(void)sqlite3_vfs_register(&vfs, 1);
}

/* ---- Recording ---- */

static void forget(void)
{
	for (size_t i = 0; i < disk.count; i++) {
		free(disk.ops[i].path);
		free(disk.ops[i].to);
		iq_buf_release(&disk.ops[i].bytes);
	}
	free(disk.ops);
	disk.ops = NULL;
	disk.count = 0;
}

void disk_begin(const char *root)
{
	put_before_sqlite();
	forget();
	(void)snprintf(disk.root, sizeof(disk.root), "%s", root);
	disk.fail_at = SIZE_MAX;
	disk.failed = false;
	disk.recording = true;
}

void disk_end(void)
{
	disk.recording = false;
	disk.fail_at = SIZE_MAX;
}

size_t disk_ops(void)
{
	return disk.count;
}

void disk_fail(size_t index, bool full)
{
	disk.fail_at = index;
	disk.full = full;
	disk.failed = false;
}

bool disk_failed(void)
{
	return disk.failed;
}

/* ---- After a power cut ---- */

/* A file or directory, whatever its name. */
struct node {
	struct iq_buf synced;
	bool is_directory;
	size_t synced_to; /* operation */
};

struct name {
	const char *path;
	size_t node; /* the operation that made it */
};

struct names {
	struct name *list;
	size_t count;
};

struct image {
	struct node *nodes; /* by the operation that made them */
	struct names now, synced;
	size_t *waiting; /* operations on names that no sync covers */
	size_t waiting_count;
};

static struct name *find(const struct names *names, const char *path)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i].path, path) == 0)
			return &names->list[i];
	return NULL;
}

static void drop(struct names *names, const char *path)
{
	struct name *name = find(names, path);

	if (name)
		*name = names->list[--names->count];
}

static void apply_name(struct names *names, size_t index)
{
	const struct op *op = &disk.ops[index];
	struct name *name = find(names, op->path);

	if (op->kind == OP_REMOVE) {
		drop(names, op->path);
	} else if (op->kind == OP_RENAME) {
		size_t node = name ? name->node : SIZE_MAX;

		drop(names, op->path);
		drop(names, op->to);
		if (node != SIZE_MAX)
			names->list[names->count++] = (struct name){ op->to, node };
	} else {
		names->list[names->count++] = (struct name){ op->path, index };
	}
}

static bool coin(unsigned *seed)
{
	return rand_r(seed) % 2 == 0;
}

static void resize(struct iq_buf *content, size_t size)
{
	const size_t old = content->len;

	if (iq_buf_reserve(content, size) < 0)
		abort();
	if (size > old)
		memset(content->data + old, 0, size - old);
	content->len = size;
}

static void put(struct iq_buf *content, size_t offset, const char *data, size_t len)
{
	if (content->len < offset + len)
		resize(content, offset + len);
	memcpy(content->data + offset, data, len);
}

/* All of it, or with a seed some of its sectors. */
static void apply_data(struct iq_buf *content, const struct op *op, unsigned *seed)
{
	if (op->kind == OP_RESIZE) {
		if (!seed || coin(seed))
			resize(content, (size_t)op->offset);
		return;
	}
	for (size_t at = 0, len; at < op->bytes.len; at += len) {
		len = IQ_DISK_SECTOR - (size_t)(op->offset + at) % IQ_DISK_SECTOR;
		if (len > op->bytes.len - at)
			len = op->bytes.len - at;
		if (!seed || coin(seed))
			put(content, (size_t)op->offset + at, op->bytes.data + at, len);
	}
}

static bool is_parent(const char *directory, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && strlen(directory) == (size_t)(slash - path) && strncmp(directory, path, strlen(directory)) == 0;
}

/* A sync of a directory makes the names in it last. */
static void sync_names(struct image *image, const char *directory)
{
	size_t kept = 0;

	for (size_t i = 0; i < image->waiting_count; i++) {
		if (is_parent(directory, disk.ops[image->waiting[i]].path))
			apply_name(&image->synced, image->waiting[i]);
		else
			image->waiting[kept++] = image->waiting[i];
	}
	image->waiting_count = kept;
}

/* The data of a node between its last sync and operation `end`. */
static void sync_data(const struct image *image, size_t number, const size_t *targets, size_t end, unsigned *seed)
{
	struct node *node = &image->nodes[number];

	for (size_t i = node->synced_to; i < end; i++)
		if (targets[i] == number)
			apply_data(&node->synced, &disk.ops[i], seed);
	node->synced_to = end;
}

static void replay(struct image *image, size_t *targets, size_t ops)
{
	for (size_t i = 0; i < ops; i++) {
		const struct op *op = &disk.ops[i];
		const struct name *name = find(&image->now, op->path);

		targets[i] = SIZE_MAX;
		if (op->kind == OP_READ)
			continue;
		if ((op->kind == OP_WRITE || op->kind == OP_RESIZE) && name) {
			targets[i] = name->node;
		} else if (op->kind == OP_SYNC) {
			sync_names(image, op->path);
			if (name)
				sync_data(image, name->node, targets, i, NULL);
		} else {
			image->nodes[i].is_directory = op->kind == OP_MAKE_DIRECTORY;
			apply_name(&image->now, i);
			image->waiting[image->waiting_count++] = i;
		}
	}
}

static void lose(struct image *image, const size_t *targets, size_t ops, enum disk_loss loss, unsigned seed)
{
	size_t names = loss == DISK_LOSE_ALL ? 0 : image->waiting_count;

	if (loss == DISK_LOSE_SOME)
		names = (size_t)rand_r(&seed) % (image->waiting_count + 1);
	for (size_t i = 0; i < names; i++)
		apply_name(&image->synced, image->waiting[i]);
	for (size_t i = 0; i < ops && loss != DISK_LOSE_ALL; i++)
		sync_data(image, i, targets, ops, loss == DISK_LOSE_SOME ? &seed : NULL);
}

static void write_file(const char *path, const struct iq_buf *content)
{
	int fd = REAL(open64)(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd >= 0 && content->len > 0 && REAL(write)(fd, content->data, content->len) != (ssize_t)content->len)
		abort();
	if (fd >= 0)
		(void)close(fd);
}

/* Parents come before what is in them; what has none is nowhere. */
static void write_names(const struct image *image, const char *root, const char *into)
{
	bool *done = calloc(image->synced.count + 1, sizeof(*done));
	char path[PATH_MAX];

	(void)REAL(mkdir)(into, 0777);
	for (size_t round = 0; round < 4; round++)
		for (size_t i = 0; i < image->synced.count; i++) {
			const struct name *name = &image->synced.list[i];

			(void)snprintf(path, sizeof(path), "%s%s", into, name->path + strlen(root));
			if (image->nodes[name->node].is_directory)
				(void)REAL(mkdir)(path, 0777);
			else if (!done[i])
				write_file(path, &image->nodes[name->node].synced);
			done[i] = access(path, F_OK) == 0;
		}
	free(done);
}

void disk_make(const char *root, size_t ops, enum disk_loss loss, unsigned seed, const char *into)
{
	struct image image = { .nodes = calloc(ops + 1, sizeof(*image.nodes)),
			       .waiting = calloc(ops + 1, sizeof(*image.waiting)) };
	size_t *targets = calloc(ops + 1, sizeof(*targets));

	image.now.list = calloc(ops + 1, sizeof(*image.now.list));
	image.synced.list = calloc(ops + 1, sizeof(*image.synced.list));
	replay(&image, targets, ops);
	lose(&image, targets, ops, loss, seed);
	write_names(&image, root, into);
	for (size_t i = 0; i < ops; i++)
		iq_buf_release(&image.nodes[i].synced);
	free(image.nodes);
	free(image.waiting);
	free(image.now.list);
	free(image.synced.list);
	free(targets);
}
