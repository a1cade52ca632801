/* ingest/input.h - the bytes of one evidence: a file, stdin or a member of an archive, decompressed on the way.
 *
 * gzip (RFC 1952, several members in a row), zstd (RFC 8878, several frames), xz, bzip2 and lz4 are told by their magic bytes,
 * whatever the name. What a damaged or shortened file still gives is given; iq_input_problem() then says what happened.
 */
#ifndef IQ_INGEST_INPUT_H
#define IQ_INGEST_INPUT_H

#include "base/base.h"

struct iq_input;

/* What is compressed expands to at most so many times its size, beyond the first so many bytes; more is a bomb, and ends there. */
#define IQ_INPUT_MAX_RATIO 1000u
#define IQ_INPUT_FREE_BYTES (64ull << 20)
#define IQ_INPUT_BOMB "expands to more than %u times its size, as no log does; unpack it yourself if it is right"

/* What to say where a temporary file cannot be written. */
#define IQ_INPUT_NO_ROOM "no room for a temporary file: set TMPDIR to a directory that has some, or unpack it yourself"

/* Where bytes come from, if not from a path. `read` gives at most `len`, 0 at the end; one that came too early is said in
 * `problem`. */
struct iq_input_source {
	size_t (*read)(void *context, void *data, size_t len, char *problem, size_t problem_size);
	void (*close)(void *context); /* may be NULL */
	void *context;
	int64_t modified; /* see iq_input_modified() */
};

/* Opens `path`, or stdin for "-". Messages do not name the path. A read that a signal interrupts is given up, as if
 * the file ended there, once `stop` (may be NULL) is non-zero. Caller owns; release with iq_input_close().
 * Errors: IQ_ERR_NOT_FOUND, IQ_ERR_IO, IQ_ERR_NOMEM. */
int iq_input_open(const char *path, const volatile int *stop, struct iq_input **ret_input, struct iq_error *error);
/* Likewise, from a source, which has to live as long, or is closed with the input. IQ_ERR_NOMEM only: then it is not closed. */
int iq_input_open_source(const struct iq_input_source *source, const volatile int *stop, struct iq_input **ret_input,
			 struct iq_error *error);
void iq_input_close(struct iq_input *input); /* NULL allowed */
/* The beginning, which iq_input_next() gives all the same; empty where there are no bytes. Asked for again it is the same, until
 * that. Borrowed until that. 0 or IQ_ERR_NOMEM. */
int iq_input_head(struct iq_input *input, struct iq_view *ret_head, struct iq_error *error);
/* 1 and the next bytes (at least one); 0 at the end, also at one that came too early. Borrowed until the next call.
 * Errors: IQ_ERR_NOMEM only. */
int iq_input_next(struct iq_input *input, struct iq_view *ret_block, struct iq_error *error);
/* What is no file can be begun again if no more than this was read for its head: a compressed block. */
#define IQ_INPUT_MAX_HEAD (16u << 20)
/* Begins again with the first byte. The first time, nothing but the head may have been asked for: what is no file is copied then into a
 * temporary one. Errors: IQ_ERR_NOMEM, IQ_ERR_IO. */
int iq_input_rewind(struct iq_input *input, struct iq_error *error);
/* A file that holds all that the input gives, of which nothing but the head was asked for: its own, and `ret_path` is NULL, if that is as
 * it is given and no copy is wanted; else a temporary one. Caller owns both, as those of iq_file_temporary(). Errors: IQ_ERR_NOMEM,
 * IQ_ERR_IO. */
int iq_input_file(struct iq_input *input, bool copy, char **ret_path, int *ret_fd, struct iq_error *error);
/* Of the bytes as they come from the file or source: asked for before the first of them is read. IQ_ERR_NOMEM. */
int iq_input_hash(struct iq_input *input, struct iq_error *error);
/* Reads what is left, and says what all of it was. False where no hash was asked for. */
bool iq_input_digest(struct iq_input *input, uint64_t *ret_bytes, uint8_t ret_sha256[IQ_SHA256_SIZE]);
/* Why the bytes ended too early, in one line; NULL if they did not. Borrowed until the input is closed. */
const char *iq_input_problem(const struct iq_input *input);
/* Bytes read from the file itself so far, and its size (0: not known). */
uint64_t iq_input_position(const struct iq_input *input);
uint64_t iq_input_size(const struct iq_input *input);
/* Are `bytes` more than what was read so far may have expanded to? */
bool iq_input_expands_too_much(const struct iq_input *input, uint64_t bytes);
/* When its content was written last, ns: the file's own time, for anything else now. */
int64_t iq_input_modified(const struct iq_input *input);
/* A regular file: opening it again gives the same bytes again. */
bool iq_input_is_regular(const struct iq_input *input);

/* What to do about an errno of opening, to be put behind "cannot be opened"; "" where nothing is known. Static. */
const char *iq_input_advice(int error_number);

#endif
