/* base/file.h - whole files and durable renames.
 */
#ifndef IQ_BASE_FILE_H
#define IQ_BASE_FILE_H

#include <inquest/base.h>

#include "base/buf.h"

/* Appends the whole file; IQ_ERR_LIMIT if it is larger than `limit` bytes. */
int iq_file_read(const char *path, size_t limit, struct iq_buf *buf, struct iq_error *error);
/* Writes everything or fails; retries short writes and EINTR. */
int iq_file_write_all(int fd, const void *data, size_t len, struct iq_error *error);
/* `name` in the directory that TMPDIR names, else in /tmp. Caller owns; release with free(). NULL when memory is out. */
char *iq_path_temporary(const char *name);
/* A new file, for reading and writing, in the directory that TMPDIR names (else /tmp). Without `ret_path` it has no name and is gone when
 * it is closed. Caller owns both; release with close(), and unlink() and free(). Errors: IQ_ERR_IO, with what to do; IQ_ERR_NOMEM. */
int iq_file_temporary(char **ret_path, int *ret_fd, struct iq_error *error);
/* fsync(2) of a directory, so that a rename or creation in it survives a power loss. */
int iq_file_sync_dir(const char *path, struct iq_error *error);
/* `directory/name`. Caller owns; release with free(). NULL when memory is out. */
char *iq_path_join(const char *directory, const char *name);
/* The part after the last slash. Borrowed until `path` goes. */
const char *iq_path_base(const char *path);
/* Removes a directory tree without following links. */
int iq_file_remove_tree(const char *path, struct iq_error *error);

#endif
