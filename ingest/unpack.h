/* ingest/unpack.h - the members of an archive, read in one pass: tar and zip, from files and pipes (through libarchive).
 *
 * Nothing is written under a member's path, so that can do no harm; one that leads out of the archive is refused all the same, for
 * whoever gets the evidence back. Links, directories and devices hold no evidence and are passed over, as are dotfiles.
 * What the archive unpacks to is bounded, with archives within it: see struct iq_unpacking.
 */
#ifndef IQ_INGEST_UNPACK_H
#define IQ_INGEST_UNPACK_H

#include "ingest/input.h"

/* Archives within an archive are opened once. */
#define IQ_ARCHIVE_MAX_DEPTH 2
#define IQ_ARCHIVE_MAX_MEMBERS 100000u
#define IQ_ARCHIVE_MAX_BYTES (1ull << 40)

/* What was unpacked from one file, by all archives within it. */
struct iq_unpacking {
	const struct iq_input *file; /* the file itself: IQ_INPUT_MAX_RATIO times what was read of it is the limit */
	uint64_t bytes;
	uint64_t members;
};

struct iq_archive;

struct iq_archive_member {
	const char *path;    /* Borrowed until the next member */
	const char *problem; /* why it cannot be taken in; NULL: it can. Borrowed until the next member */
	uint64_t bytes;	     /* 0: not known */
};

/* Does a file begin like an archive? */
bool iq_archive_is(struct iq_view head);
/* The archive that `input` holds. Both are Borrowed until it is closed. Caller owns; release with iq_archive_close().
 * IQ_ERR_NOMEM or IQ_ERR_FORMAT. */
int iq_archive_open(struct iq_input *input, struct iq_unpacking *unpacking, struct iq_archive **ret_archive,
		    struct iq_error *error);
void iq_archive_close(struct iq_archive *archive); /* NULL allowed */
/* 1 and the next member, 0 at the end, IQ_ERR_FORMAT where the archive is damaged, IQ_ERR_LIMIT at a limit; messages name no path. */
int iq_archive_next(struct iq_archive *archive, struct iq_archive_member *ret_member, struct iq_error *error);
/* Reads on in the member at hand, as it is in the archive: at most `len` bytes, 0 at its end; one that came too early is said in
 * `problem`. */
size_t iq_archive_read(struct iq_archive *archive, void *data, size_t len, char *problem, size_t problem_size);
/* When that was written, ns. */
int64_t iq_archive_modified(const struct iq_archive *archive);
/* The content of the member at hand, decompressed if it is compressed itself. Caller owns; release with iq_input_close() before the
 * next member. 0 or IQ_ERR_NOMEM. */
int iq_archive_input(struct iq_archive *archive, const volatile int *stop, struct iq_input **ret_input,
		     struct iq_error *error);

#endif
