/* ingest/walk.h - from the paths of a command line to the files to take in.
 *
 * A named file is taken as it is. A directory is walked in sorted order (bytewise but HARs first, each directory's entries together);
 * dotfiles, sockets, pipes and devices in it are passed over, links are followed to files within it only (which are
 * visited under their own name anyway), and the store that is being written is left out.
 */
#ifndef IQ_INGEST_WALK_H
#define IQ_INGEST_WALK_H

#include "base/base.h"

/* Directories nested deeper than this are reported and not entered. */
#define IQ_WALK_MAX_DEPTH 64

/* So much of a file tells whether it comes last. */
#define IQ_WALK_HEAD_BYTES 4096u

struct iq_walk_file {
	char *path;
	char *problem;	 /* why it cannot be taken in, one line without the path; NULL: it can */
	uint64_t bytes;	 /* size, 0 where not known */
	size_t ordinal;	 /* where it stood before iq_walk_order() */
	bool comes_last; /* its format does; set where it was found */
	bool goes_on;	 /* the next one is a later turn of the same log */
};

struct iq_walk {
	struct iq_walk_file *files;
	size_t count;
	size_t capacity;
};

#define IQ_WALK_INIT \
	{ \
		.files = NULL, .count = 0, .capacity = 0 \
	}

void iq_walk_release(struct iq_walk *walk);
/* Adds what `path` names. Things that cannot be read become files with a problem. `except` (a directory, may be
 * missing) is left out. 0 or IQ_ERR_NOMEM. */
int iq_walk_add(struct iq_walk *walk, const char *path, const char *except, struct iq_error *error);

/* Adds a file that was found elsewhere. 0 or IQ_ERR_NOMEM. */
int iq_walk_add_file(struct iq_walk *walk, const char *path, uint64_t bytes, struct iq_error *error);
/* Looks into the files which of them come last; those in an archive nobody can look into. */
void iq_walk_look(struct iq_walk *walk);
/* Puts files that come last to the end, and the turns of a rotated log next to each other, where the last one of them stood, in the order in which they were written, oldest
 * first. 0 or IQ_ERR_NOMEM. */
int iq_walk_order(struct iq_walk *walk, struct iq_error *error);

#endif
