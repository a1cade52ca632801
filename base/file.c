#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/view.h"

static int read_descriptor(int fd, const char *path, size_t limit, struct iq_buf *buf, struct iq_error *error)
{
	size_t start = buf->len;
	ssize_t got;

	for (;;) {
		if (iq_buf_reserve(buf, 65536) < 0)
			return iq_error_nomem(error);
		got = read(fd, buf->data + buf->len, 65536);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return iq_error_errno(error, IQ_ERR_IO, "%s", path);
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
		if (got == 0)
			return 0;
		if (buf->len - start > limit)
			return iq_error_set(error, IQ_ERR_LIMIT, "%s: larger than %zu bytes", path, limit);
	}
}

int iq_file_read(const char *path, size_t limit, struct iq_buf *buf, struct iq_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return iq_error_errno(error, errno == ENOENT ? IQ_ERR_NOT_FOUND : IQ_ERR_IO, "%s", path);
	rc = read_descriptor(fd, path, limit, buf, error);
	(void)close(fd);
	return rc;
}

int iq_file_write_all(int fd, const void *data, size_t len, struct iq_error *error)
{
	const char *rest = data;

	while (len > 0) {
		ssize_t wrote = write(fd, rest, len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return iq_error_errno(error, IQ_ERR_IO, "write");
		rest += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

int iq_file_sync_dir(const char *path, struct iq_error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "%s", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

char *iq_path_join(const char *directory, const char *name)
{
	size_t len = strlen(directory);
	char *path;

	while (len > 1 && directory[len - 1] == '/')
		len--;
	if (asprintf(&path, "%.*s%s%s", (int)len, directory, len == 1 && directory[0] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

const char *iq_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info;
	(void)type;
	(void)place;
	return remove(path);
}

int iq_file_remove_tree(const char *path, struct iq_error *error)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return iq_error_errno(error, IQ_ERR_IO, "%s", path);
	return 0;
}

char *iq_path_temporary(const char *name)
{
	const char *directory = getenv("TMPDIR");

	return iq_path_join(directory && *directory ? directory : "/tmp", name);
}

int iq_file_temporary(char **ret_path, int *ret_fd, struct iq_error *error)
{
	char *path = iq_path_temporary("inquest-XXXXXX");
	const int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
	int rc = 0;

	if (!path)
		rc = iq_error_nomem(error);
	else if (fd < 0)
		rc = iq_error_errno(error, IQ_ERR_IO,
				    "a temporary file is needed: set TMPDIR to a directory that can be written");
	else
		*ret_fd = fd;
	if (rc == 0 && ret_path) {
		*ret_path = path;
		return 0;
	}
	if (rc == 0)
		(void)unlink(path);
	free(path);
	return rc;
}
