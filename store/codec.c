#include "store/codec.h"

#include <stdlib.h>
#include <zstd.h>

#include "store/store.h"

#define ZSTD_LEVEL 3

struct iq_codec {
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
	struct iq_buf payload[2];
	struct iq_buf packed;
	struct iq_map dictionary;
};

struct iq_codec *iq_codec_new(void)
{
	struct iq_codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return NULL;
	codec->compressor = ZSTD_createCCtx();
	codec->decompressor = ZSTD_createDCtx();
	if (!codec->compressor || !codec->decompressor) {
		iq_codec_free(codec);
		return NULL;
	}
	return codec;
}

void iq_codec_free(struct iq_codec *codec)
{
	if (!codec)
		return;
	ZSTD_freeCCtx(codec->compressor);
	ZSTD_freeDCtx(codec->decompressor);
	iq_buf_release(&codec->payload[0]);
	iq_buf_release(&codec->payload[1]);
	iq_buf_release(&codec->packed);
	iq_map_release(&codec->dictionary);
	free(codec);
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

static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static int compress_payload(struct iq_codec *codec, const struct iq_buf *payload, uint8_t layout,
			    struct iq_coded *ret_coded)
{
	size_t bound = ZSTD_compressBound(payload->len);
	size_t packed;

	*ret_coded = (struct iq_coded){ .layout = layout, .size = payload->len, .data = iq_buf_view(payload) };
	iq_buf_clear(&codec->packed);
	if (iq_buf_reserve(&codec->packed, bound) < 0)
		return IQ_ERR_NOMEM;
	packed = ZSTD_compressCCtx(codec->compressor, codec->packed.data, bound, payload->data, payload->len,
				   ZSTD_LEVEL);
	if (ZSTD_isError(packed))
		return IQ_ERR_NOMEM;
	if (packed < payload->len) {
		codec->packed.len = packed;
		ret_coded->layout = layout | IQ_LAYOUT_ZSTD;
		ret_coded->data = iq_buf_view(&codec->packed);
	}
	return 0;
}

static int build_numbers(struct iq_buf *payload, const int64_t *values, size_t count, bool delta)
{
	uint64_t before = 0;

	iq_buf_clear(payload);
	for (size_t i = 0; i < count; i++) {
		(void)iq_varint_append(payload, zigzag((int64_t)((uint64_t)values[i] - before)));
		before = delta ? (uint64_t)values[i] : 0;
	}
	return payload->failed ? IQ_ERR_NOMEM : 0;
}

/* The layout with the shorter payload also compresses better, nearly always: only that one is compressed. */
int iq_codec_encode_numbers(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_coded *ret_coded)
{
	bool delta;

	if (build_numbers(&codec->payload[0], values, count, false) < 0 ||
	    build_numbers(&codec->payload[1], values, count, true) < 0)
		return IQ_ERR_NOMEM;
	delta = codec->payload[1].len < codec->payload[0].len;
	return compress_payload(codec, &codec->payload[delta], delta ? IQ_LAYOUT_DELTA : IQ_LAYOUT_PLAIN, ret_coded);
}

static int build_text(struct iq_buf *payload, const struct iq_view *values, size_t count)
{
	iq_buf_clear(payload);
	for (size_t i = 0; i < count; i++)
		(void)iq_varint_append(payload, values[i].data ? values[i].len + 1 : 0);
	for (size_t i = 0; i < count; i++)
		(void)iq_buf_append(payload, values[i]);
	return payload->failed ? IQ_ERR_NOMEM : 0;
}

/* 1 with the dictionary filled; 0 where too many values differ for one to pay off. */
static int fill_dictionary(struct iq_map *dictionary, const struct iq_view *values, size_t count, struct iq_buf *codes)
{
	size_t most = count / 2 + 1;

	iq_map_clear(dictionary);
	iq_buf_clear(codes);
	for (size_t i = 0; i < count; i++) {
		uint32_t index;

		if (!values[i].data) {
			(void)iq_varint_append(codes, 0);
			continue;
		}
		if (iq_map_intern(dictionary, values[i], &index) < 0)
			return IQ_ERR_NOMEM;
		if (dictionary->count > most)
			return 0;
		(void)iq_varint_append(codes, (uint64_t)index + 1);
	}
	return codes->failed ? IQ_ERR_NOMEM : 1;
}

static int build_dict(struct iq_buf *payload, const struct iq_map *dictionary, const struct iq_buf *codes)
{
	iq_buf_clear(payload);
	(void)iq_varint_append(payload, dictionary->count);
	for (size_t i = 0; i < dictionary->count; i++)
		(void)iq_varint_append(payload, dictionary->entries[i].key.len);
	for (size_t i = 0; i < dictionary->count; i++)
		(void)iq_buf_append(payload, dictionary->entries[i].key);
	(void)iq_buf_append(payload, iq_buf_view(codes));
	return payload->failed ? IQ_ERR_NOMEM : 0;
}

int iq_codec_encode_strings(struct iq_codec *codec, const struct iq_view *values, size_t count,
			    struct iq_coded *ret_coded)
{
	struct iq_buf *payload = &codec->payload[0];
	int rc = fill_dictionary(&codec->dictionary, values, count, &codec->payload[1]);
	bool dict = rc > 0;

	if (rc >= 0)
		rc = dict ? build_dict(payload, &codec->dictionary, &codec->payload[1])
			  : build_text(payload, values, count);
	if (rc < 0)
		return rc;
	return compress_payload(codec, payload, dict ? IQ_LAYOUT_DICT : IQ_LAYOUT_TEXT, ret_coded);
}

int iq_codec_encode_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_coded *ret_coded)
{
	iq_buf_clear(&codec->payload[0]);
	if (iq_buf_append(&codec->payload[0], bytes) < 0)
		return IQ_ERR_NOMEM;
	return compress_payload(codec, &codec->payload[0], 0, ret_coded);
}

/* Appends the payload as it was before compression. */
static int unpack(struct iq_codec *codec, const struct iq_coded *coded, struct iq_buf *payload)
{
	size_t got;

	if (coded->size > IQ_COLUMN_MAX_BYTES)
		return IQ_ERR_CORRUPT;
	if ((coded->layout & IQ_LAYOUT_ZSTD) == 0)
		return coded->data.len == coded->size ? iq_buf_append(payload, coded->data) : IQ_ERR_CORRUPT;
	if (iq_buf_reserve(payload, coded->size) < 0)
		return IQ_ERR_NOMEM;
	got = ZSTD_decompressDCtx(codec->decompressor, payload->data + payload->len, coded->size, coded->data.data,
				  coded->data.len);
	if (ZSTD_isError(got) || got != coded->size)
		return IQ_ERR_CORRUPT;
	payload->len += got;
	payload->data[payload->len] = '\0';
	return 0;
}

int iq_codec_decode_bytes(struct iq_codec *codec, const struct iq_coded *coded, struct iq_buf *buf)
{
	return (coded->layout & IQ_LAYOUT_MASK) == 0 ? unpack(codec, coded, buf) : IQ_ERR_CORRUPT;
}

int iq_codec_decode_numbers(struct iq_codec *codec, const struct iq_coded *coded, int64_t *ret_values, size_t count)
{
	bool delta = (coded->layout & IQ_LAYOUT_MASK) == IQ_LAYOUT_DELTA;
	struct iq_buf *payload = &codec->payload[0];
	struct iq_view rest;
	uint64_t raw, before = 0;
	int rc;

	if ((coded->layout & IQ_LAYOUT_MASK) > IQ_LAYOUT_DELTA)
		return IQ_ERR_CORRUPT;
	iq_buf_clear(payload);
	rc = unpack(codec, coded, payload);
	if (rc < 0)
		return rc;
	rest = iq_buf_view(payload);
	for (size_t i = 0; i < count; i++) {
		if (!iq_varint_take(&rest, &raw))
			return IQ_ERR_CORRUPT;
		ret_values[i] = (int64_t)((uint64_t)unzigzag(raw) + before);
		before = delta ? (uint64_t)ret_values[i] : 0;
	}
	return rest.len == 0 ? 0 : IQ_ERR_CORRUPT;
}

/* Takes `len` bytes off the front. */
static bool take_bytes(struct iq_view *rest, uint64_t len, struct iq_view *ret_bytes)
{
	if (len > rest->len)
		return false;
	*ret_bytes = iq_view_make(rest->data, (size_t)len);
	*rest = iq_view_from(*rest, (size_t)len);
	return true;
}

/* Lengths were parsed into values[].len; the bytes follow. */
static bool assign_bytes(struct iq_view *rest, struct iq_view *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (values[i].data && !take_bytes(rest, values[i].len, &values[i]))
			return false;
	return true;
}

static int decode_text(struct iq_view rest, struct iq_view *values, size_t count)
{
	uint64_t len;

	for (size_t i = 0; i < count; i++) {
		if (!iq_varint_take(&rest, &len) || len > IQ_COLUMN_MAX_BYTES)
			return IQ_ERR_CORRUPT;
		values[i] = len ? iq_view_make("", (size_t)len - 1) : IQ_VIEW_NULL;
	}
	return assign_bytes(&rest, values, count) && rest.len == 0 ? 0 : IQ_ERR_CORRUPT;
}

static int decode_dict(struct iq_view rest, struct iq_arena *arena, struct iq_view *values, size_t count)
{
	struct iq_view *words;
	uint64_t word_count, code;

	if (!iq_varint_take(&rest, &word_count) || word_count > rest.len)
		return IQ_ERR_CORRUPT;
	words = iq_arena_calloc(arena, (size_t)word_count + 1, sizeof(*words));
	if (!words)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < word_count; i++) {
		if (!iq_varint_take(&rest, &code) || code > IQ_COLUMN_MAX_BYTES)
			return IQ_ERR_CORRUPT;
		words[i] = iq_view_make("", (size_t)code);
	}
	if (!assign_bytes(&rest, words, (size_t)word_count))
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < count; i++) {
		if (!iq_varint_take(&rest, &code) || code > word_count)
			return IQ_ERR_CORRUPT;
		values[i] = code ? words[code - 1] : IQ_VIEW_NULL;
	}
	return rest.len == 0 ? 0 : IQ_ERR_CORRUPT;
}

int iq_codec_decode_strings(struct iq_codec *codec, const struct iq_coded *coded, struct iq_arena *arena,
			    struct iq_view *ret_values, size_t count)
{
	uint8_t layout = coded->layout & IQ_LAYOUT_MASK;
	struct iq_view payload;
	int rc;

	if (layout != IQ_LAYOUT_TEXT && layout != IQ_LAYOUT_DICT)
		return IQ_ERR_CORRUPT;
	iq_buf_clear(&codec->payload[0]);
	rc = unpack(codec, coded, &codec->payload[0]);
	if (rc < 0)
		return rc;
	/* The values outlive the codec's scratch memory. */
	payload = iq_arena_copy(arena, iq_buf_view(&codec->payload[0]));
	if (!payload.data)
		return IQ_ERR_NOMEM;
	return layout == IQ_LAYOUT_TEXT ? decode_text(payload, ret_values, count)
					: decode_dict(payload, arena, ret_values, count);
}
