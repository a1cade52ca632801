#include "store/stream.h"

#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* for frames without magic number */
#include <zstd.h>

/* Streams shorter than this are not worth a frame. */
#define LEAST_COMPRESSED 24u
/* So many bytes of a stream of blocks are one frame. */
#define BLOCK 32768u
/* Blocks are no longer than one frame by more than one part in so many. */
#define BLOCKS_MAY_COST 256u

enum form { FORM_STORED = 0, FORM_FRAME = 1, FORM_BLOCKS = 3 };

struct iq_codec {
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
	int level;
	struct iq_buf scratch[IQ_SCRATCH_COUNT];
	struct iq_arena passing;
	struct iq_map *words;
};

struct iq_codec *iq_codec_new(int level)
{
	struct iq_codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return NULL;
	codec->level = level;
	codec->decompressor = ZSTD_createDCtx();
	if (!codec->decompressor) {
		iq_codec_free(codec);
		return NULL;
	}
	(void)ZSTD_DCtx_setParameter(codec->decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless);
	return codec;
}

void iq_codec_free(struct iq_codec *codec)
{
	if (!codec)
		return;
	ZSTD_freeCCtx(codec->compressor);
	ZSTD_freeDCtx(codec->decompressor);
	for (unsigned i = 0; i < IQ_SCRATCH_COUNT; i++)
		iq_buf_release(&codec->scratch[i]);
	iq_arena_release(&codec->passing);
	free(codec);
}

void iq_codec_share_words(struct iq_codec *codec, struct iq_map *words)
{
	codec->words = words;
}

struct iq_map *iq_codec_words(const struct iq_codec *codec)
{
	return codec->words;
}

int iq_codec_level(const struct iq_codec *codec)
{
	return codec->level;
}

void *iq_codec_scratch(struct iq_codec *codec, enum iq_scratch which, size_t size)
{
	struct iq_buf *buf = &codec->scratch[which];

	iq_buf_clear(buf);
	return iq_buf_reserve(buf, size + 1) < 0 ? NULL : buf->data;
}

struct iq_arena *iq_codec_passing(struct iq_codec *codec)
{
	iq_arena_clear(&codec->passing);
	return &codec->passing;
}

/* ---- Varints ---- */

static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

int iq_varint_append(struct iq_buf *buf, uint64_t value)
{
	char bytes[10];
	size_t len = 0;

	while (value >= 0x80) {
		bytes[len++] = (char)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (char)value;
	return iq_buf_append(buf, iq_view_make(bytes, len));
}

int iq_zigzag_append(struct iq_buf *buf, int64_t value)
{
	return iq_varint_append(buf, zigzag(value));
}

bool iq_varint_take(struct iq_view *rest, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->len && i < 10; i++) {
		uint64_t bits = (unsigned char)rest->data[i] & 0x7Fu;

		if (i == 9 && bits > 1)
			return false;
		value |= bits << (7 * i);
		if (((unsigned char)rest->data[i] & 0x80) == 0) {
			*rest = iq_view_from(*rest, i + 1);
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool iq_zigzag_take(struct iq_view *rest, int64_t *ret_value)
{
	uint64_t raw;

	if (!iq_varint_take(rest, &raw))
		return false;
	*ret_value = unzigzag(raw);
	return true;
}

bool iq_byte_take(struct iq_view *rest, uint8_t *ret_byte)
{
	if (rest->len == 0)
		return false;
	*ret_byte = (uint8_t)rest->data[0];
	*rest = iq_view_from(*rest, 1);
	return true;
}

bool iq_bytes_take(struct iq_view *rest, uint64_t len, struct iq_view *ret_bytes)
{
	if (len > rest->len)
		return false;
	*ret_bytes = iq_view_make(rest->data, (size_t)len);
	*rest = iq_view_from(*rest, (size_t)len);
	return true;
}

/* ---- Bytes ---- */

int iq_stream_append_stored(struct iq_view bytes, struct iq_buf *out)
{
	(void)iq_varint_append(out, (uint64_t)bytes.len << 1);
	return iq_buf_append(out, bytes);
}

/* A codec that only reads has none. */
static ZSTD_CCtx *compressor_of(struct iq_codec *codec)
{
	if (codec->compressor)
		return codec->compressor;
	codec->compressor = ZSTD_createCCtx();
	if (!codec->compressor)
		return NULL;
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_compressionLevel, codec->level);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_contentSizeFlag, 0);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_format, ZSTD_f_zstd1_magicless);
	return codec->compressor;
}

/* Appends one frame and its length. Room for the length is left before the frame, which is moved up where the varint is shorter. */
static int append_frame(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	const size_t start = out->len, bound = ZSTD_compressBound(bytes.len);
	size_t packed, head;

	if (!compressor_of(codec) || iq_buf_reserve(out, bound + 32) < 0)
		return IQ_ERR_NOMEM;
	packed = ZSTD_compress2(codec->compressor, out->data + start + 10, bound, bytes.data, bytes.len);
	if (ZSTD_isError(packed) || iq_varint_append(out, packed) < 0)
		return IQ_ERR_NOMEM;
	head = out->len - start;
	memmove(out->data + out->len, out->data + start + 10, packed);
	out->len = start + head + packed;
	out->data[out->len] = '\0';
	return 0;
}

/* What does not become shorter stays as it is. */
static int append_shorter(struct iq_view bytes, uint64_t form, struct iq_view packed, struct iq_buf *out)
{
	if (packed.len + 4 >= bytes.len)
		return iq_stream_append_stored(bytes, out);
	(void)iq_varint_append(out, (uint64_t)bytes.len << 2 | form);
	return iq_buf_append(out, packed);
}

static int append_packed(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	struct iq_buf frame = IQ_BUF_INIT;
	int rc = append_frame(codec, bytes, &frame);

	if (rc == 0)
		rc = append_shorter(bytes, FORM_FRAME, iq_buf_view(&frame), out);
	iq_buf_release(&frame);
	return rc;
}

static int pack_blocks(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *ret_packed)
{
	struct iq_buf frames = IQ_BUF_INIT;
	int rc = 0;

	for (size_t at = 0; at < bytes.len && rc == 0; at += BLOCK)
		rc = append_frame(codec, iq_view_make(bytes.data + at, bytes.len - at < BLOCK ? bytes.len - at : BLOCK),
				  &frames);
	(void)iq_varint_append(ret_packed, frames.len);
	(void)iq_buf_append(ret_packed, iq_buf_view(&frames));
	iq_buf_release(&frames);
	return ret_packed->failed ? IQ_ERR_NOMEM : rc;
}

int iq_stream_append_blocks(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	struct iq_buf blocks = IQ_BUF_INIT, frame = IQ_BUF_INIT;
	int rc;

	if (bytes.len <= BLOCK)
		return iq_stream_append_bytes(codec, bytes, out);
	rc = pack_blocks(codec, bytes, &blocks);
	if (rc == 0)
		rc = append_frame(codec, bytes, &frame);
	if (rc == 0)
		rc = blocks.len - blocks.len / BLOCKS_MAY_COST > frame.len
			     ? append_shorter(bytes, FORM_FRAME, iq_buf_view(&frame), out)
			     : append_shorter(bytes, FORM_BLOCKS, iq_buf_view(&blocks), out);
	iq_buf_release(&blocks);
	iq_buf_release(&frame);
	return rc;
}

int iq_stream_append_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	return bytes.len < LEAST_COMPRESSED ? iq_stream_append_stored(bytes, out) : append_packed(codec, bytes, out);
}

/* A stream as it is stored. */
struct stored {
	size_t size;	     /* when decoded */
	struct iq_view data; /* the bytes, or what is packed */
	unsigned form;
};

static int take_stored(struct iq_view *rest, struct stored *ret_stored)
{
	uint64_t head, length;

	if (!iq_varint_take(rest, &head))
		return IQ_ERR_CORRUPT;
	ret_stored->form = head & 1 ? (unsigned)(head & 3) : FORM_STORED;
	length = ret_stored->form == FORM_STORED ? head >> 1 : head >> 2;
	ret_stored->size = (size_t)length;
	if (length > IQ_STREAM_MAX_BYTES || (ret_stored->form != FORM_STORED && !iq_varint_take(rest, &length)) ||
	    !iq_bytes_take(rest, length, &ret_stored->data))
		return IQ_ERR_CORRUPT;
	/* zstd cannot do better than this: a smaller frame that claims more is not given memory. */
	return ret_stored->form != FORM_STORED && ret_stored->size / 40000 > length ? IQ_ERR_CORRUPT : 0;
}

static int decode_frame(struct iq_codec *codec, struct iq_view frame, char *data, size_t size)
{
	const size_t got = ZSTD_decompressDCtx(codec->decompressor, data, size, frame.data, frame.len);

	return ZSTD_isError(got) || got != size ? IQ_ERR_CORRUPT : 0;
}

/* Of many frames, those that hold [first, end), to where they belong in `data`. */
static int decode_blocks(struct iq_codec *codec, const struct stored *stored, size_t first, size_t end, char *data)
{
	struct iq_view rest = stored->data, frame;
	uint64_t length;
	int rc = 0;

	for (size_t at = 0; at < stored->size && rc == 0; at += BLOCK) {
		const size_t size = stored->size - at < BLOCK ? stored->size - at : BLOCK;

		if (!iq_varint_take(&rest, &length) || !iq_bytes_take(&rest, length, &frame))
			return IQ_ERR_CORRUPT;
		if (at + size > first && at < end)
			rc = decode_frame(codec, frame, data + (at - first / BLOCK * BLOCK), size);
	}
	return rc == 0 && rest.len > 0 ? IQ_ERR_CORRUPT : rc;
}

/* What of the stream is decoded: a frame as a whole, of many those that are needed. */
static struct iq_window decoded_of(const struct stored *stored, size_t first, size_t count)
{
	struct iq_window decoded = iq_window_whole(stored->size);
	size_t end = (first + count + BLOCK - 1) / BLOCK * BLOCK;

	if (stored->form == FORM_BLOCKS) {
		decoded.first = first / BLOCK * BLOCK;
		decoded.count = (end < stored->size ? end : stored->size) - decoded.first;
	}
	return decoded;
}

/* `count` bytes from `first` on, at least one. Without an arena into what is scratch. */
static int decode(struct iq_codec *codec, const struct stored *stored, size_t first, size_t count,
		  struct iq_arena *arena, struct iq_view *ret_bytes)
{
	const struct iq_window decoded = decoded_of(stored, first, count);
	char *data = arena ? iq_arena_alloc(arena, decoded.count + 1)
			   : iq_codec_scratch(codec, IQ_SCRATCH_BYTES, decoded.count);
	int rc;

	if (!data)
		return IQ_ERR_NOMEM;
	rc = stored->form == FORM_BLOCKS ? decode_blocks(codec, stored, first, first + count, data)
					 : decode_frame(codec, stored->data, data, stored->size);
	data[decoded.count] = '\0';
	*ret_bytes = iq_view_make(data + (first - decoded.first), count);
	return rc;
}

int iq_stream_take_bytes(struct iq_codec *codec, struct iq_view *rest, struct iq_arena *arena,
			 struct iq_view *ret_bytes)
{
	struct stored stored;
	int rc = take_stored(rest, &stored);

	if (rc < 0)
		return rc;
	*ret_bytes = stored.data;
	return stored.form == FORM_STORED ? 0 : decode(codec, &stored, 0, stored.size, arena, ret_bytes);
}

int iq_stream_take_part(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
			struct iq_view *ret_bytes)
{
	struct stored stored;
	int rc = take_stored(rest, &stored);

	if (rc < 0 || stored.size != window.all)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	*ret_bytes = iq_view_make(stored.data.data + (stored.form == FORM_STORED ? window.first : 0), window.count);
	return stored.form == FORM_STORED || window.count == 0
		       ? 0
		       : decode(codec, &stored, window.first, window.count, arena, ret_bytes);
}
