#include <string.h>

#include "store/texts_parts.h"

/* ---- Nulls ---- */

static int open_nulls(struct iq_texts *texts, struct iq_view *rest, size_t count)
{
	struct iq_view bits;
	size_t present = 0;
	int rc = iq_stream_take_bytes(texts->codec, rest, texts->arena, &bits);

	if (rc < 0 || bits.len != (count + 7) / 8)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	texts->bits = (const unsigned char *)bits.data;
	texts->ranks = iq_arena_alloc(texts->arena, (count / 64 + 1) * sizeof(*texts->ranks));
	if (!texts->ranks)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		if (i % 64 == 0)
			texts->ranks[i / 64] = (uint32_t)present;
		present += texts->bits[i / 8] >> (i % 8) & 1;
	}
	texts->count = present;
	return 0;
}

bool iq_texts_is_null(const struct iq_texts *texts, size_t index)
{
	return texts->bits && !(texts->bits[index / 8] >> (index % 8) & 1);
}

/* Which of those that are there the value at `index` is. */
static size_t rank_of(const struct iq_texts *texts, size_t index)
{
	uint64_t before = 0;

	if (!texts->bits)
		return index;
	for (size_t i = index / 64 * 8; i < index / 8; i++)
		before = before << 8 | texts->bits[i];
	before = before << 8 | (texts->bits[index / 8] & ((1u << index % 8) - 1));
	return texts->ranks[index / 64] + (size_t)__builtin_popcountll(before);
}

/* ---- Opening ---- */

/* Sums of `lengths`: where each begins. */
static int add_up(struct iq_texts *texts, uint64_t most)
{
	uint64_t sum = 0;

	texts->starts = iq_arena_alloc(texts->arena, (texts->count + 1) * sizeof(*texts->starts));
	if (!texts->starts)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < texts->count; i++) {
		texts->starts[i] = sum;
		if (texts->lengths[i] < 0 || (uint64_t)texts->lengths[i] > most - sum)
			return IQ_ERR_CORRUPT;
		sum += (uint64_t)texts->lengths[i];
	}
	texts->starts[texts->count] = sum;
	return sum == most ? 0 : IQ_ERR_CORRUPT;
}

static int open_const(struct iq_texts *texts, struct iq_view *rest)
{
	uint64_t len;

	return iq_varint_take(rest, &len) && iq_bytes_take(rest, len, &texts->bytes) ? 0 : IQ_ERR_CORRUPT;
}

static int open_plain(struct iq_texts *texts, struct iq_view *rest)
{
	int rc = iq_stream_take_ints(texts->codec, rest, texts->count, NULL, texts->arena, &texts->lengths);

	if (rc == 0)
		rc = iq_stream_take_bytes(texts->codec, rest, texts->arena, &texts->bytes);
	return rc == 0 ? add_up(texts, texts->bytes.len) : rc;
}

/* The dictionary does not say how long it is: it is read from the front of the rest. */
static int open_texts(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
		      const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts);

static int open_words(struct iq_texts *texts, struct iq_view *rest, unsigned depth)
{
	uint64_t count;

	if (!iq_varint_take(rest, &count) || count > IQ_STREAM_MAX_BYTES / sizeof(int64_t))
		return IQ_ERR_CORRUPT;
	texts->word_count = (size_t)count;
	return open_texts(texts->codec, rest, texts->word_count, texts->arena, &texts->inner, depth + 1, &texts->words);
}

static int open_codes(struct iq_texts *texts, struct iq_view *rest, size_t count)
{
	int rc = iq_stream_take_ints(texts->codec, rest, count, NULL, texts->arena, &texts->codes);

	for (size_t i = 0; rc == 0 && i < count; i++)
		if ((uint64_t)texts->codes[i] >= texts->word_count)
			rc = IQ_ERR_CORRUPT;
	return rc;
}

static int open_dict(struct iq_texts *texts, struct iq_view *rest, unsigned depth)
{
	int rc = open_words(texts, rest, depth);

	return rc == 0 ? open_codes(texts, rest, texts->count) : rc;
}

static int open_word_texts(struct iq_texts *texts, struct iq_view *rest)
{
	uint64_t codes;
	int rc = iq_stream_take_ints(texts->codec, rest, texts->count, NULL, texts->arena, &texts->lengths);

	texts->word_count = texts->inner.word ? IQ_WORDS_MAX : 0;
	if (rc == 0 && (!iq_varint_take(rest, &codes) || codes > IQ_STREAM_MAX_BYTES / sizeof(int64_t)))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = open_codes(texts, rest, (size_t)codes);
	return rc == 0 ? add_up(texts, codes) : rc;
}

static int open_fixed(struct iq_texts *texts, struct iq_view *rest)
{
	uint64_t len;
	int rc;

	if (!iq_varint_take(rest, &len) || len > 4096)
		return IQ_ERR_CORRUPT;
	rc = iq_stream_take_bytes(texts->codec, rest, texts->arena, &texts->places);
	if (rc == 0)
		rc = iq_stream_take_bytes(texts->codec, rest, texts->arena, &texts->bytes);
	if (rc < 0 || texts->places.len != len)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	for (size_t i = 0; i < len; i++)
		texts->varying += texts->places.data[i] == '\0';
	return texts->bytes.len == (texts->count * texts->varying + 1) / 2 ? 0 : IQ_ERR_CORRUPT;
}

static int open_layout(struct iq_texts *texts, struct iq_view *rest, const struct iq_texts_outside *outside,
		       unsigned depth)
{
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		return open_const(texts, rest);
	case IQ_TEXTS_PLAIN:
		return open_plain(texts, rest);
	case IQ_TEXTS_DICT:
		return open_dict(texts, rest, depth);
	case IQ_TEXTS_FIXED:
		return open_fixed(texts, rest);
	case IQ_TEXTS_WORDS:
		return open_word_texts(texts, rest);
	case IQ_TEXTS_SPLIT:
		return iq_split_open(texts->codec, rest, texts->count, texts->arena, outside, depth, &texts->split);
	default:
		return IQ_ERR_CORRUPT;
	}
}

static int open_texts(struct iq_codec *codec, struct iq_view *rest, size_t count, struct iq_arena *arena,
		      const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts)
{
	struct iq_texts *texts = iq_arena_calloc(arena, 1, sizeof(*texts));
	uint8_t layout;
	int rc = 0;

	if (!texts)
		return IQ_ERR_NOMEM;
	if (depth > IQ_TEXTS_MAX_DEPTH + 2 || !iq_byte_take(rest, &layout))
		return IQ_ERR_CORRUPT;
	texts->layout = (enum iq_texts_layout)(layout & ~IQ_TEXTS_NULLS);
	texts->codec = codec;
	texts->arena = arena;
	texts->total = texts->count = count;
	if (outside)
		texts->inner = (struct iq_texts_outside){ .word = outside->word, .context = outside->context };
	if (layout & IQ_TEXTS_NULLS)
		rc = open_nulls(texts, rest, count);
	if (rc == 0)
		rc = open_layout(texts, rest, outside, depth);
	*ret_texts = texts;
	return rc;
}

int iq_texts_open_inner(struct iq_codec *codec, struct iq_view bytes, size_t count, struct iq_arena *arena,
			const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts)
{
	int rc = open_texts(codec, &bytes, count, arena, outside, depth, ret_texts);

	return rc == 0 && bytes.len > 0 ? IQ_ERR_CORRUPT : rc;
}

int iq_texts_open(struct iq_codec *codec, struct iq_view bytes, size_t count, struct iq_arena *arena,
		  const struct iq_texts_outside *outside, struct iq_texts **ret_texts)
{
	return iq_texts_open_inner(codec, bytes, count, arena, outside, 0, ret_texts);
}

/* ---- Getting ---- */

static int get_fixed(const struct iq_texts *texts, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	static const char hex[] = "0123456789abcdef";
	size_t start = scratch->len, nibble = index * texts->varying;
	char *out;

	if (iq_buf_reserve(scratch, texts->places.len) < 0)
		return IQ_ERR_NOMEM;
	out = scratch->data + start;
	for (size_t i = 0; i < texts->places.len; i++) {
		if (texts->places.data[i]) {
			out[i] = texts->places.data[i];
			continue;
		}
		out[i] = hex[(unsigned char)texts->bytes.data[nibble / 2] >> (nibble % 2 ? 0 : 4) & 15];
		nibble++;
	}
	scratch->len += texts->places.len;
	scratch->data[scratch->len] = '\0';
	*ret_text = iq_view_make(out, texts->places.len);
	return 0;
}

static int get_words(const struct iq_texts *texts, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	size_t start = scratch->len;
	struct iq_view word;
	int rc = 0;

	for (uint64_t i = texts->starts[index]; i < texts->starts[index + 1] && rc == 0; i++) {
		if (i > texts->starts[index])
			(void)iq_buf_append_char(scratch, ' ');
		word = texts->inner.word(texts->inner.context, (uint64_t)texts->codes[i]);
		rc = word.data ? iq_buf_append(scratch, word) : IQ_ERR_CORRUPT;
		if (rc == 0 && scratch->len - start > IQ_TEXT_MAX_BYTES)
			rc = IQ_ERR_CORRUPT;
	}
	*ret_text = iq_view_make(scratch->data ? scratch->data + start : "", scratch->len - start);
	return rc;
}

int iq_texts_get(struct iq_texts *texts, size_t index, const struct iq_known *known, struct iq_buf *scratch,
		 struct iq_view *ret_text)
{
	size_t rank;

	if (iq_texts_is_null(texts, index)) {
		*ret_text = IQ_VIEW_NULL;
		return 0;
	}
	rank = rank_of(texts, index);
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		*ret_text = texts->bytes;
		return 0;
	case IQ_TEXTS_PLAIN:
		*ret_text = iq_view_make(texts->bytes.data + texts->starts[rank], (size_t)texts->lengths[rank]);
		return 0;
	case IQ_TEXTS_DICT:
		return iq_texts_get(texts->words, (size_t)texts->codes[rank], NULL, scratch, ret_text);
	case IQ_TEXTS_FIXED:
		return get_fixed(texts, rank, scratch, ret_text);
	case IQ_TEXTS_WORDS:
		return get_words(texts, rank, scratch, ret_text);
	default:
		return iq_split_get(texts->split, rank, known, scratch, ret_text);
	}
}

uint32_t iq_texts_refers(const struct iq_texts *texts)
{
	return texts->split ? iq_split_refers(texts->split) : 0;
}
