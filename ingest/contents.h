/* ingest/contents.h - the members of an archive as the files of a directory: turns of a rotated log oldest first, with what lies beside them.
 *
 * An archive is read twice: once for what it holds, then in its own order. A member whose turn has not come is held in a
 * temporary file until then. What comes from a pipe is copied into one first.
 */
#ifndef IQ_INGEST_CONTENTS_H
#define IQ_INGEST_CONTENTS_H

#include "ingest/names.h"
#include "ingest/unpack.h"
#include "ingest/walk.h"

/* Of files that describe others so much is remembered: of one, and of all of an archive. */
#define IQ_BESIDE_MAX_BYTES IQ_DOCKER_CONFIG_MAX
#define IQ_BESIDE_MAX_TOTAL (64u << 20)

struct iq_contents_taker {
	/* The next member, called ARCHIVE!/PATH. Takes ownership of `input`, which is to be closed before it returns; the rest is Borrowed
	 * until then. Negative ends the walk. */
	int (*take)(void *context, const struct iq_walk_file *file, struct iq_input *input,
		    const struct iq_beside *beside, struct iq_error *error);
	/* A member, or the archive, that cannot be taken. */
	int (*refuse)(void *context, const char *path, const char *problem);
	void *context;
	const volatile int *stop; /* may be NULL */
};

/* Gives out the members of the archive that `input` holds, which is called `path`. 0, or what the taker returned; IQ_ERR_NOMEM. */
int iq_contents_walk(struct iq_input *input, struct iq_unpacking *unpacking, const char *path,
		     const struct iq_contents_taker *taker, struct iq_error *error);

#endif
