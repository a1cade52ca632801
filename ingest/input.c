#include "ingest/input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "ingest/libarchive.h"

#define BLOCK_BYTES (256u << 10)
/* zlib: a window of 32 KiB, behind a gzip header. */
#define GZIP_WINDOW_BITS (15 + 16)

struct codec;

struct iq_input {
	int fd; /* -1: there is a source */
	struct iq_input_source source;
	const volatile int *stop;
	uint64_t size;
	uint64_t position;	/* read from the file */
	uint64_t given;		/* bytes that came out */
	struct iq_view held;	/* the head, which was looked at */
	struct iq_sha256 *hash; /* of what is read; NULL: not asked for */
	struct iq_buf raw;	/* all that was read of what is no file, until more than the head is asked for */
	int64_t modified;
	bool regular;
	bool file_ended;
	bool exhausted;	       /* nothing more can be had from the decoder */
	bool frame_open;       /* in the middle of a gzip member or zstd frame */
	unsigned char unit[2]; /* of UTF-16, as far as it has come */
	size_t unit_len;
	uint32_t high_surrogate; /* that waits for the other half; 0: none */
	char problem[160];
	const struct codec *codec; /* NULL until the first bytes are there */
	unsigned char *in;
	size_t in_used;
	size_t in_len;
	unsigned char *out;
	z_stream gzip;
	ZSTD_DStream *zstd;
	struct archive *filter; /* of libarchive */
};

/* A compression, told by how it begins. `step` takes from the input's block, fills `out`, returns how much; a damaged
 * stream sets the problem. */
struct codec {
	const char *name;
	struct iq_view magic;
	int (*open)(struct iq_input *input, struct iq_error *error);
	size_t (*step)(struct iq_input *input);
};

/* ---- The file ---- */

/* A read error is an early end: what came before it counts. */
static size_t read_file(struct iq_input *input, void *data, size_t len)
{
	ssize_t got;

	do
		got = read(input->fd, data, len);
	while (got < 0 && errno == EINTR && !(input->stop && *input->stop));
	if (got < 0 && errno != EINTR)
		(void)snprintf(input->problem, sizeof(input->problem), "cannot be read beyond byte %llu: %s",
			       (unsigned long long)input->position, strerror(errno));
	return got > 0 ? (size_t)got : 0;
}

/* Reads on into the free part of the block. */
static void fill(struct iq_input *input)
{
	unsigned char *data = input->in + input->in_len;
	const size_t room = BLOCK_BYTES - input->in_len;
	const size_t got = input->source.read ? input->source.read(input->source.context, data, room, input->problem,
								   sizeof(input->problem))
					      : read_file(input, data, room);

	if (!input->regular && input->given == 0 && input->raw.len == input->position &&
	    input->raw.len + got <= IQ_INPUT_MAX_HEAD)
		(void)iq_buf_append(&input->raw, iq_view_make((const char *)data, got));
	if (input->hash)
		iq_sha256_update(input->hash, data, got);
	input->file_ended = got == 0;
	input->in_len += got;
	input->position += got;
}

static void refill(struct iq_input *input)
{
	if (input->in_used < input->in_len || input->file_ended)
		return;
	input->in_used = input->in_len = 0;
	fill(input);
}

/* ---- gzip ---- */

static int gzip_open(struct iq_input *input, struct iq_error *error)
{
	return inflateInit2(&input->gzip, GZIP_WINDOW_BITS) == Z_OK ? 0 : iq_error_nomem(error);
}

static void damaged(struct iq_input *input, const char *what)
{
	input->exhausted = true;
	if (input->problem[0] == '\0')
		(void)snprintf(input->problem, sizeof(input->problem), "%s data is damaged near byte %" PRIu64 " (%s)",
			       input->codec->name, input->position - input->in_len + input->in_used,
			       what ? what : "invalid");
}

static size_t gzip_step(struct iq_input *input)
{
	z_stream *stream = &input->gzip;
	int rc;

	stream->next_in = input->in + input->in_used;
	stream->avail_in = (uInt)(input->in_len - input->in_used);
	stream->next_out = input->out;
	stream->avail_out = BLOCK_BYTES;
	rc = inflate(stream, Z_NO_FLUSH);
	input->in_used = input->in_len - stream->avail_in;
	input->frame_open = rc != Z_STREAM_END;
	if (rc == Z_STREAM_END)
		(void)inflateReset(stream);
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		damaged(input, stream->msg ? stream->msg : "invalid");
	return BLOCK_BYTES - stream->avail_out;
}

/* ---- zstd ---- */

static int zstd_open(struct iq_input *input, struct iq_error *error)
{
	input->zstd = ZSTD_createDStream();
	return input->zstd ? 0 : iq_error_nomem(error);
}

static size_t zstd_step(struct iq_input *input)
{
	ZSTD_inBuffer in = { input->in, input->in_len, input->in_used };
	ZSTD_outBuffer out = { input->out, BLOCK_BYTES, 0 };
	size_t rc = ZSTD_decompressStream(input->zstd, &out, &in);

	input->in_used = in.pos;
	input->frame_open = rc != 0;
	if (ZSTD_isError(rc))
		damaged(input, ZSTD_getErrorName(rc));
	return out.pos;
}

/* ---- what libarchive decompresses ---- */

static la_ssize_t filter_read(struct archive *filter, void *context, const void **ret_block)
{
	struct iq_input *input = context;
	const size_t used = input->in_used;

	(void)filter;
	refill(input);
	*ret_block = input->in + (input->in_used < used ? 0 : input->in_used);
	input->in_used = input->in_len;
	return (la_ssize_t)(input->in + input->in_len - (const unsigned char *)*ret_block);
}

/* Where there is nothing more to read, nothing is wrong but that: the stream is open still. */
static void filter_failed(struct iq_input *input)
{
	if (input->file_ended && input->in_used == input->in_len)
		input->exhausted = input->frame_open = true;
	else
		damaged(input, iq_libarchive.error_string(input->filter));
}

/* The stream's beginning is read here: what is wrong with it is found in the first step. */
static int filter_open(struct iq_input *input, struct iq_error *error)
{
	struct archive_entry *entry;
	int rc = iq_libarchive_load(error);

	if (rc < 0)
		return rc;
	input->filter = iq_libarchive.read_new();
	if (!input->filter)
		return iq_error_nomem(error);
	(void)iq_libarchive.read_support_filter_xz(input->filter);
	(void)iq_libarchive.read_support_filter_bzip2(input->filter);
	(void)iq_libarchive.read_support_filter_lz4(input->filter);
	(void)iq_libarchive.read_support_format_raw(input->filter);
	input->frame_open = true;
	if (iq_libarchive.read_open(input->filter, input, NULL, filter_read, NULL) != ARCHIVE_OK ||
	    iq_libarchive.read_next_header(input->filter, &entry) != ARCHIVE_OK)
		filter_failed(input);
	return 0;
}

static size_t filter_step(struct iq_input *input)
{
	const la_ssize_t got = iq_libarchive.read_data(input->filter, input->out, BLOCK_BYTES);

	input->frame_open = got > 0;
	if (got < 0)
		filter_failed(input);
	else if (got == 0)
		input->exhausted = true;
	return got > 0 ? (size_t)got : 0;
}

/* ---- UTF-16 (RFC 2781), which Windows writes: given as UTF-8, without its byte order mark ---- */

static uint32_t utf16_unit(const unsigned char *bytes, bool big)
{
	return big ? (uint32_t)bytes[0] << 8 | bytes[1] : (uint32_t)bytes[1] << 8 | bytes[0];
}

/* The next byte that was not decoded yet, also from the block before; false: there is none in this one. */
static bool utf16_byte(struct iq_input *input, unsigned char *ret_byte)
{
	if (input->in_used == input->in_len)
		return false;
	*ret_byte = input->in[input->in_used++];
	return true;
}

/* Appends what the unit at hand, after the one before it, stands for. */
static void utf16_take(struct iq_input *input, uint32_t unit, struct iq_buf *text)
{
	const uint32_t high = input->high_surrogate;
	const bool is_low = unit >= 0xdc00 && unit < 0xe000, is_high = unit >= 0xd800 && unit < 0xdc00;

	input->high_surrogate = is_high ? unit : 0;
	if (high && is_low) {
		(void)iq_utf8_encode(text, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
		return;
	}
	if (high)
		(void)iq_utf8_encode(text, 0xfffd);
	if (is_high || (unit == 0xfeff && input->given == 0 && text->len == 0))
		return;
	(void)iq_utf8_encode(text, is_low ? 0xfffd : unit);
}

static size_t utf16_step(struct iq_input *input)
{
	const bool big = input->codec->magic.data[0] == '\xfe';
	struct iq_buf text = IQ_BUF_INIT;
	size_t len;

	while (text.len + 8 <= BLOCK_BYTES && utf16_byte(input, &input->unit[input->unit_len])) {
		if (++input->unit_len < 2)
			continue;
		input->unit_len = 0;
		utf16_take(input, utf16_unit(input->unit, big), &text);
	}
	input->frame_open = input->unit_len > 0 || input->high_surrogate != 0;
	if (text.failed)
		damaged(input, "out of memory");
	len = text.len;
	if (len > 0)
		memcpy(input->out, text.data, len);
	iq_buf_release(&text);
	return len;
}

/* ---- plain ---- */

static int plain_open(struct iq_input *input, struct iq_error *error)
{
	(void)input;
	(void)error;
	return 0;
}

static size_t plain_step(struct iq_input *input)
{
	size_t len = input->in_len - input->in_used;

	memcpy(input->out, input->in + input->in_used, len);
	input->in_used = input->in_len;
	return len;
}

static const struct codec codecs[] = {
	{ "gzip", { "\x1f\x8b\x08", 3 }, gzip_open, gzip_step },
	{ "zstd", { "\x28\xb5\x2f\xfd", 4 }, zstd_open, zstd_step },
	{ "xz",
	  { "\xfd"
	    "7zXZ\0",
	    6 },
	  filter_open,
	  filter_step },
	{ "bzip2", { "BZh", 3 }, filter_open, filter_step },
	{ "lz4", { "\x04\x22\x4d\x18", 4 }, filter_open, filter_step },
	{ "UTF-16", { "\xff\xfe", 2 }, plain_open, utf16_step },
	{ "UTF-16", { "\xfe\xff", 2 }, plain_open, utf16_step },
	{ "plain", { "", 0 }, plain_open, plain_step }, /* everything begins with nothing */
};
/* So much of a file tells what it is, also whether it is an archive. */
#define HEAD_BYTES 512

static int choose_codec(struct iq_input *input, struct iq_error *error)
{
	struct iq_view head;
	size_t i = 0;

	while (input->in_len < HEAD_BYTES && !input->file_ended)
		fill(input);
	head = iq_view_make((const char *)input->in, input->in_len);
	while (!iq_view_starts_with(head, codecs[i].magic))
		i++;
	input->codec = &codecs[i];
	return input->codec->open(input, error);
}

/* ---- The door ---- */

const char *iq_input_advice(int error_number)
{
	return error_number == EACCES ? " (give read permission, or run as a user who has it)" : "";
}

static int make(const volatile int *stop, struct iq_input **ret_input, struct iq_error *error)
{
	struct iq_input *input = calloc(1, sizeof(*input));

	if (!input)
		return iq_error_nomem(error);
	input->stop = stop;
	input->fd = -1;
	input->in = malloc(BLOCK_BYTES);
	input->out = malloc(BLOCK_BYTES);
	if (!input->in || !input->out) {
		iq_input_close(input);
		return iq_error_nomem(error);
	}
	*ret_input = input;
	return 0;
}

int iq_input_open_source(const struct iq_input_source *source, const volatile int *stop, struct iq_input **ret_input,
			 struct iq_error *error)
{
	int rc = make(stop, ret_input, error);

	if (rc < 0)
		return rc;
	(*ret_input)->source = *source;
	(*ret_input)->modified = source->modified;
	return 0;
}

int iq_input_open(const char *path, const volatile int *stop, struct iq_input **ret_input, struct iq_error *error)
{
	struct iq_input *input = NULL;
	struct stat info;
	int rc = make(stop, &input, error);

	if (rc < 0)
		return rc;
	input->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (input->fd < 0) {
		rc = iq_error_errno(error, errno == ENOENT ? IQ_ERR_NOT_FOUND : IQ_ERR_IO, "cannot be opened%s",
				    iq_input_advice(errno));
		iq_input_close(input);
		return rc;
	}
	input->regular = fstat(input->fd, &info) == 0 && S_ISREG(info.st_mode);
	input->size = input->regular ? (uint64_t)info.st_size : 0;
	input->modified =
		input->regular ? (int64_t)info.st_mtim.tv_sec * IQ_NS_PER_S + info.st_mtim.tv_nsec : iq_clock_now();
	*ret_input = input;
	return 0;
}

static void close_codec(struct iq_input *input)
{
	if (input->gzip.state)
		(void)inflateEnd(&input->gzip);
	(void)ZSTD_freeDStream(input->zstd);
	if (input->filter)
		(void)iq_libarchive.read_free(input->filter);
	input->gzip = (z_stream){ 0 };
	input->zstd = NULL;
	input->filter = NULL;
	input->codec = NULL;
	input->unit_len = 0;
	input->high_surrogate = 0;
}

static void close_source(struct iq_input *input)
{
	if (input->fd >= 0)
		(void)close(input->fd);
	if (input->source.close)
		input->source.close(input->source.context);
	input->fd = -1;
	input->source = (struct iq_input_source){ 0 };
}

void iq_input_close(struct iq_input *input)
{
	if (!input)
		return;
	close_codec(input);
	close_source(input);
	iq_sha256_free(input->hash);
	iq_buf_release(&input->raw);
	free(input->in);
	free(input->out);
	free(input);
}

/* What came of a source, and what comes, into a file. */
static int keep_source(struct iq_input *input, int fd, struct iq_error *error)
{
	int rc = iq_file_write_all(fd, input->raw.data, input->raw.len, NULL);

	if (input->position > input->raw.len)
		return iq_error_set(error, IQ_ERR_IO, "cannot be read twice; save it as a file and name that");
	while (rc == 0 && !input->file_ended) {
		input->in_len = 0;
		fill(input);
		rc = iq_file_write_all(fd, input->in, input->in_len, NULL);
	}
	input->size = input->position;
	return rc < 0 ? iq_error_errno(error, IQ_ERR_IO, IQ_INPUT_NO_ROOM) : 0;
}

static int become_file(struct iq_input *input, struct iq_error *error)
{
	int fd, rc = iq_file_temporary(NULL, &fd, error);

	if (rc < 0)
		return rc;
	rc = keep_source(input, fd, error);
	close_source(input);
	iq_buf_release(&input->raw);
	input->fd = fd;
	input->regular = true;
	return rc;
}

int iq_input_rewind(struct iq_input *input, struct iq_error *error)
{
	int rc = input->regular ? 0 : become_file(input, error);

	if (rc == 0 && lseek(input->fd, 0, SEEK_SET) != 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "cannot be read twice");
	if (rc < 0)
		return rc;
	close_codec(input);
	input->in_used = input->in_len = 0;
	input->position = input->given = 0;
	input->held = IQ_VIEW_NULL;
	input->file_ended = input->exhausted = input->frame_open = false;
	return 0;
}

static void check_end(struct iq_input *input)
{
	if (input->frame_open && input->problem[0] == '\0')
		(void)snprintf(input->problem, sizeof(input->problem), "%s data ends too early: the file was cut short",
			       input->codec->name);
}

static bool is_compressed(const struct iq_input *input)
{
	return input->codec->magic.len > 0;
}

bool iq_input_expands_too_much(const struct iq_input *input, uint64_t bytes)
{
	return bytes > IQ_INPUT_FREE_BYTES && bytes / IQ_INPUT_MAX_RATIO > input->position;
}

static void check_ratio(struct iq_input *input, size_t got)
{
	input->given += got;
	if (!is_compressed(input) || !iq_input_expands_too_much(input, input->given))
		return;
	input->exhausted = true;
	(void)snprintf(input->problem, sizeof(input->problem), IQ_INPUT_BOMB, IQ_INPUT_MAX_RATIO);
}

static int next(struct iq_input *input, struct iq_view *ret_block, struct iq_error *error)
{
	size_t got = 0;

	if (!input->codec && choose_codec(input, error) < 0)
		return IQ_ERR_NOMEM;
	while (got == 0 && !input->exhausted) {
		bool last;

		refill(input);
		last = input->file_ended && input->in_used == input->in_len;
		if (last && !input->frame_open)
			break;
		/* A decoder may hold output back although it has taken all its input: in an open frame it is asked once
		 * more. */
		got = input->codec->step(input);
		if (last)
			break;
	}
	if (got == 0)
		check_end(input);
	check_ratio(input, got);
	*ret_block = iq_view_make((const char *)input->out, got);
	return got > 0;
}

int iq_input_next(struct iq_input *input, struct iq_view *ret_block, struct iq_error *error)
{
	if (!input->held.data)
		return next(input, ret_block, error);
	*ret_block = input->held;
	input->held = IQ_VIEW_NULL;
	iq_buf_release(&input->raw);
	return 1;
}

int iq_input_head(struct iq_input *input, struct iq_view *ret_head, struct iq_error *error)
{
	int rc = input->held.data ? 1 : next(input, &input->held, error);

	if (rc == 0)
		input->held = IQ_VIEW_NULL;
	*ret_head = input->held;
	return rc < 0 ? rc : 0;
}

static int copy_all(struct iq_input *input, int fd, struct iq_error *error)
{
	struct iq_view block;
	int rc;

	while ((rc = iq_input_next(input, &block, error)) > 0) {
		if (iq_file_write_all(fd, block.data, block.len, NULL) < 0)
			return iq_error_errno(error, IQ_ERR_IO, IQ_INPUT_NO_ROOM);
	}
	return rc;
}

static int copy_input(struct iq_input *input, char **ret_path, int *ret_fd, struct iq_error *error)
{
	char *path = NULL;
	int fd = -1, rc = iq_file_temporary(&path, &fd, error);

	if (rc == 0)
		rc = copy_all(input, fd, error);
	if (rc == 0) {
		*ret_path = path;
		*ret_fd = fd;
		return 0;
	}
	if (path)
		(void)unlink(path);
	if (fd >= 0)
		(void)close(fd);
	free(path);
	return rc;
}

int iq_input_file(struct iq_input *input, bool copy, char **ret_path, int *ret_fd, struct iq_error *error)
{
	struct iq_view head;
	int fd, rc = iq_input_head(input, &head, error);

	if (rc < 0 || copy || !input->regular || is_compressed(input))
		return rc < 0 ? rc : copy_input(input, ret_path, ret_fd, error);
	fd = fcntl(input->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return iq_error_errno(error, IQ_ERR_IO, "cannot be opened twice");
	*ret_path = NULL;
	*ret_fd = fd;
	return 0;
}

int iq_input_hash(struct iq_input *input, struct iq_error *error)
{
	input->hash = iq_sha256_new();
	return input->hash ? 0 : iq_error_nomem(error);
}

bool iq_input_digest(struct iq_input *input, uint64_t *ret_bytes, uint8_t ret_sha256[IQ_SHA256_SIZE])
{
	if (!input->hash)
		return false;
	while (!input->file_ended) {
		input->in_used = input->in_len = 0;
		fill(input);
	}
	*ret_bytes = input->position;
	iq_sha256_digest(input->hash, ret_sha256);
	return true;
}

const char *iq_input_problem(const struct iq_input *input)
{
	return input->problem[0] ? input->problem : NULL;
}

uint64_t iq_input_position(const struct iq_input *input)
{
	return input->position;
}

uint64_t iq_input_size(const struct iq_input *input)
{
	return input->size;
}

int64_t iq_input_modified(const struct iq_input *input)
{
	return input->modified;
}

bool iq_input_is_regular(const struct iq_input *input)
{
	return input->regular;
}
