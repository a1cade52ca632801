#include "store/stream.h"

#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* for frames without magic number */
#include <zstd.h>

/* Streams shorter than this are not worth a frame. */
#define LEAST_COMPRESSED 24u

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
	codec->compressor = ZSTD_createCCtx();
	codec->decompressor = ZSTD_createDCtx();
	if (!codec->compressor || !codec->decompressor) {
		iq_codec_free(codec);
		return NULL;
	}
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_compressionLevel, level);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_contentSizeFlag, 0);
	(void)ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_format, ZSTD_f_zstd1_magicless);
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

/* Room for the packed length is left before the frame, which is moved up where the varint is shorter. */
static int append_packed(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	size_t start = out->len, bound = ZSTD_compressBound(bytes.len), packed;
	struct iq_buf head = IQ_BUF_INIT;

	if (iq_buf_reserve(out, bound + 32) < 0)
		return IQ_ERR_NOMEM;
	packed = ZSTD_compress2(codec->compressor, out->data + start + 20, bound, bytes.data, bytes.len);
	if (ZSTD_isError(packed))
		return IQ_ERR_NOMEM;
	if (packed + 4 >= bytes.len)
		return iq_stream_append_stored(bytes, out);
	(void)iq_varint_append(&head, (uint64_t)bytes.len << 1 | 1);
	(void)iq_varint_append(&head, packed);
	if (!head.failed) {
		memcpy(out->data + start, head.data, head.len);
		memmove(out->data + start + head.len, out->data + start + 20, packed);
		out->len = start + head.len + packed;
		out->data[out->len] = '\0';
	}
	iq_buf_release(&head);
	return out->len > start ? 0 : IQ_ERR_NOMEM;
}

int iq_stream_append_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out)
{
	return bytes.len < LEAST_COMPRESSED ? iq_stream_append_stored(bytes, out) : append_packed(codec, bytes, out);
}

/* A stream as it is stored. */
struct stored {
	size_t size;	     /* when decoded */
	struct iq_view data; /* the bytes, or one frame */
	bool is_frame;
};

static int take_stored(struct iq_view *rest, struct stored *ret_stored)
{
	uint64_t head, packed;

	if (!iq_varint_take(rest, &head) || head >> 1 > IQ_STREAM_MAX_BYTES)
		return IQ_ERR_CORRUPT;
	packed = head >> 1;
	*ret_stored = (struct stored){ .size = (size_t)packed, .is_frame = head & 1 };
	if (ret_stored->is_frame && !iq_varint_take(rest, &packed))
		return IQ_ERR_CORRUPT;
	if (!iq_bytes_take(rest, packed, &ret_stored->data))
		return IQ_ERR_CORRUPT;
	/* zstd cannot do better than this: a smaller frame that claims more is not given memory. */
	return ret_stored->is_frame && ret_stored->size / 40000 > packed ? IQ_ERR_CORRUPT : 0;
}

/* Without an arena into what is scratch. */
static int decode(struct iq_codec *codec, const struct stored *stored, struct iq_arena *arena,
		  struct iq_view *ret_bytes)
{
	char *data = arena ? iq_arena_alloc(arena, stored->size + 1)
			   : iq_codec_scratch(codec, IQ_SCRATCH_BYTES, stored->size);
	size_t got;

	if (!data)
		return IQ_ERR_NOMEM;
	got = ZSTD_decompressDCtx(codec->decompressor, data, stored->size, stored->data.data, stored->data.len);
	if (ZSTD_isError(got) || got != stored->size)
		return IQ_ERR_CORRUPT;
	data[stored->size] = '\0';
	*ret_bytes = iq_view_make(data, stored->size);
	return 0;
}

int iq_stream_take_bytes(struct iq_codec *codec, struct iq_view *rest, struct iq_arena *arena,
			 struct iq_view *ret_bytes)
{
	struct stored stored;
	int rc = take_stored(rest, &stored);

	*ret_bytes = rc == 0 ? stored.data : IQ_VIEW_NULL;
	return rc == 0 && stored.is_frame ? decode(codec, &stored, arena, ret_bytes) : rc;
}

int iq_stream_take_part(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
			struct iq_view *ret_bytes)
{
	struct stored stored;
	int rc = take_stored(rest, &stored);

	if (rc < 0 || stored.size != window.all)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	if (stored.is_frame && window.count > 0)
		rc = decode(codec, &stored, arena, &stored.data);
	*ret_bytes = iq_view_make(window.count > 0 ? stored.data.data + window.first : "", window.count);
	return rc;
}
