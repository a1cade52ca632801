/* tests/store/wrapped_disk.h - a disk that can be cut from its power or made to fail, for what this program does to files.
 *
 * What changes a file or a directory is written down while it is done: calls by the linker (`--wrap`, see meson.build), SQLite's
 * by a VFS in front of its own.
 *
 *	disk_begin("/tmp/x");
 *	... whatever writes below /tmp/x ...
 *	for (size_t k = 0; k <= disk_ops(); k++)
 *		disk_make("/tmp/x", k, DISK_LOSE_ALL, seed, "/tmp/y");   what a power cut after k operations may leave
 *
 * The disk promises what POSIX does: what was written is there after a sync of the file, its name after a sync of the directory.
 * Anything else may be there or not, in sectors of IQ_DISK_SECTOR bytes; names appear in the order in which they were made.
 *
 * One thread runs a scenario; the program's own threads may do as they like.
 */
#ifndef IQ_TESTS_STORE_WRAPPED_DISK_H
#define IQ_TESTS_STORE_WRAPPED_DISK_H

#include <stdbool.h>
#include <stddef.h>

#define IQ_DISK_SECTOR 512u

enum disk_loss {
	DISK_LOSE_ALL,	/* what was not synced is gone */
	DISK_LOSE_SOME, /* some of its sectors are, and some names, by the seed */
	DISK_LOSE_NONE	/* nothing: the process alone was killed */
};

/* Forgets what was recorded and records from here on what happens below `root`. */
void disk_begin(const char *root);
/* Stops recording and failing. */
void disk_end(void);
/* How many operations were recorded; reads count as well, they are what can fail. */
size_t disk_ops(void);
/* Operation `index` from now on fails, as a full or as a broken disk does, after half of what it should write. Then the disk is
 * well again. */
void disk_fail(size_t index, bool full);
/* Did it? */
bool disk_failed(void);
/* Makes `into` what `root` is after the first `ops` operations and a power cut. */
void disk_make(const char *root, size_t ops, enum disk_loss loss, unsigned seed, const char *into);

#endif
