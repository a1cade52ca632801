#include <string.h>

#include "store/sparse.h"
#include "store/texts_parts.h"

bool iq_texts_is_null(const struct iq_texts *texts, size_t index)
{
	return !iq_presence_has(&texts->presence, index);
}

/* ---- Opening ---- */

/* Texts one after the other, of these lengths: where each of the window begins in the window's part. */
static int add_up(struct iq_texts *texts, const int64_t *lengths, struct iq_window window, struct iq_window *ret_part)
{
	uint64_t sum = 0;

	texts->starts = iq_arena_alloc(texts->arena, (window.count + 1) * sizeof(*texts->starts));
	if (!texts->starts)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < window.count; i++) {
		texts->starts[i] = (uint32_t)sum;
		if (lengths[i] < 0 || (uint64_t)lengths[i] > IQ_STREAM_MAX_BYTES - sum)
			return IQ_ERR_CORRUPT;
		sum += (uint64_t)lengths[i];
	}
	texts->starts[window.count] = (uint32_t)sum;
	ret_part->count = (size_t)sum;
	return 0;
}

/* Of a part of the lengths the others are only added up. */
static int add_up_some(struct iq_texts *texts, const struct iq_sparse *sparse, struct iq_window window,
		       struct iq_window *ret_part)
{
	int64_t *lengths = iq_arena_alloc(texts->arena, (window.count + 1) * sizeof(*lengths));
	uint64_t before, all;

	if (!lengths)
		return IQ_ERR_NOMEM;
	if (!iq_sparse_sum(sparse, window.first, IQ_STREAM_MAX_BYTES, &before) ||
	    !iq_sparse_sum(sparse, window.all, IQ_STREAM_MAX_BYTES, &all) || all > IQ_STREAM_MAX_BYTES)
		return IQ_ERR_CORRUPT;
	iq_sparse_get_some(sparse, window.first, window.count, lengths);
	ret_part->first = (size_t)before;
	ret_part->all = (size_t)all;
	return add_up(texts, lengths, window, ret_part);
}

static int take_lengths(struct iq_texts *texts, struct iq_view *rest, struct iq_window window,
			struct iq_window *ret_part)
{
	struct iq_arena *passing = iq_codec_passing(texts->codec);
	struct iq_sparse sparse;
	int64_t *lengths;
	int rc;

	*ret_part = (struct iq_window){ 0 };
	if (!iq_window_is_whole(window)) {
		rc = iq_sparse_take(texts->codec, rest, window.all, passing, &sparse);
		return rc == 0 ? add_up_some(texts, &sparse, window, ret_part) : rc;
	}
	rc = iq_stream_take_ints(texts->codec, rest, window.all, NULL, passing, &lengths);
	if (rc == 0)
		rc = add_up(texts, lengths, window, ret_part);
	ret_part->all = ret_part->count;
	return rc;
}

static int open_const(struct iq_texts *texts, struct iq_view *rest)
{
	uint64_t len;

	return iq_varint_take(rest, &len) && iq_bytes_take(rest, len, &texts->bytes) ? 0 : IQ_ERR_CORRUPT;
}

static int open_plain(struct iq_texts *texts, struct iq_view *rest, struct iq_window window)
{
	struct iq_window part;
	int rc = take_lengths(texts, rest, window, &part);

	return rc == 0 ? iq_stream_take_part(texts->codec, rest, part, texts->arena, &texts->bytes) : rc;
}

static int open_codes(struct iq_texts *texts, struct iq_view *rest, struct iq_window window)
{
	int rc = iq_stream_take_some(texts->codec, rest, window, NULL, texts->arena, &texts->codes);

	for (size_t i = 0; rc == 0 && i < window.count; i++)
		if ((uint64_t)texts->codes[i] >= texts->word_count)
			rc = IQ_ERR_CORRUPT;
	return rc;
}

/* The dictionary does not say how long it is: it is read from the front of the rest. */
static int open_texts(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
		      const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts);

/* The words that the codes use, which are numbered from the first of them on. */
static struct iq_window used_words(struct iq_texts *texts, size_t count)
{
	int64_t least = INT64_MAX, most = 0;

	for (size_t i = 0; i < count; i++) {
		least = texts->codes[i] < least ? texts->codes[i] : least;
		most = texts->codes[i] > most ? texts->codes[i] : most;
	}
	for (size_t i = 0; i < count; i++)
		texts->codes[i] -= least;
	return count ? (struct iq_window){ texts->word_count, (size_t)least, (size_t)(most - least) + 1 }
		     : (struct iq_window){ texts->word_count, 0, 0 };
}

/* Codes come behind the words, and tell which of these are needed: where few texts are, the words are passed over first. */
static int open_dict(struct iq_texts *texts, struct iq_view *rest, struct iq_window window, unsigned depth)
{
	struct iq_view words;
	struct iq_window used;
	uint64_t count;
	int rc;

	if (!iq_varint_take(rest, &count) || count > IQ_STREAM_MAX_BYTES / sizeof(int64_t))
		return IQ_ERR_CORRUPT;
	texts->word_count = (size_t)count;
	words = *rest;
	used = (struct iq_window){ texts->word_count, 0, iq_window_is_whole(window) ? texts->word_count : 0 };
	rc = open_texts(texts->codec, rest, used, texts->arena, &texts->inner, depth + 1, &texts->words);
	if (rc == 0)
		rc = open_codes(texts, rest, window);
	if (rc < 0 || iq_window_is_whole(window))
		return rc;
	used = used_words(texts, window.count);
	texts->word_count = used.count;
	return open_texts(texts->codec, &words, used, texts->arena, &texts->inner, depth + 1, &texts->words);
}

static int open_word_texts(struct iq_texts *texts, struct iq_view *rest, struct iq_window window)
{
	struct iq_window part;
	uint64_t codes;
	int rc = take_lengths(texts, rest, window, &part);

	texts->word_count = texts->inner.word ? IQ_WORDS_MAX : 0;
	if (rc == 0 && (!iq_varint_take(rest, &codes) || codes != part.all))
		rc = IQ_ERR_CORRUPT;
	return rc == 0 ? open_codes(texts, rest, part) : rc;
}

static int open_lines(struct iq_texts *texts, struct iq_view *rest, struct iq_window window, unsigned depth)
{
	struct iq_window part;
	uint64_t lines;
	int rc = take_lengths(texts, rest, window, &part);

	texts->feed = texts->layout == IQ_TEXTS_LINES ? IQ_LIT("\n") : IQ_LIT("\\n");
	if (rc == 0 && (!iq_varint_take(rest, &lines) || lines != part.all))
		rc = IQ_ERR_CORRUPT;
	return rc == 0 ? open_texts(texts->codec, rest, part, texts->arena, &texts->inner, depth + 1, &texts->words)
		       : rc;
}

static int open_fixed(struct iq_texts *texts, struct iq_view *rest, struct iq_window window)
{
	struct iq_window part;
	uint64_t len;
	size_t digit;
	int rc;

	if (!iq_varint_take(rest, &len) || len > IQ_FIXED_MAX_BYTES)
		return IQ_ERR_CORRUPT;
	rc = iq_stream_take_part(texts->codec, rest, iq_window_whole((size_t)len), texts->arena, &texts->places);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < len; i++)
		texts->varying += texts->places.data[i] == '\0';
	digit = window.first * texts->varying;
	texts->first_digit = digit % 2;
	part = (struct iq_window){ (window.all * texts->varying + 1) / 2, digit / 2, 0 };
	part.count = (digit + window.count * texts->varying + 1) / 2 - part.first;
	return iq_stream_take_part(texts->codec, rest, part, texts->arena, &texts->bytes);
}

static int open_layout(struct iq_texts *texts, struct iq_view *rest, struct iq_window window,
		       const struct iq_texts_outside *outside, unsigned depth)
{
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		return open_const(texts, rest);
	case IQ_TEXTS_PLAIN:
		return open_plain(texts, rest, window);
	case IQ_TEXTS_DICT:
		return open_dict(texts, rest, window, depth);
	case IQ_TEXTS_FIXED:
		return open_fixed(texts, rest, window);
	case IQ_TEXTS_WORDS:
		return open_word_texts(texts, rest, window);
	case IQ_TEXTS_SPLIT:
		return iq_split_open(texts->codec, rest, window, texts->arena, outside, depth, &texts->split);
	case IQ_TEXTS_LINES:
	case IQ_TEXTS_ESCAPED:
		return open_lines(texts, rest, window, depth);
	default:
		return IQ_ERR_CORRUPT;
	}
}

static int open_texts(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
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
	texts->total = window.count;
	if (outside)
		texts->inner = (struct iq_texts_outside){ .word = outside->word, .context = outside->context };
	if (layout & IQ_TEXTS_NULLS)
		rc = iq_presence_take(codec, rest, window, arena, &texts->presence, &window);
	texts->count = window.count;
	if (rc == 0)
		rc = open_layout(texts, rest, window, outside, depth);
	*ret_texts = texts;
	return rc;
}

int iq_texts_open_inner(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
			const struct iq_texts_outside *outside, unsigned depth, struct iq_texts **ret_texts)
{
	int rc = open_texts(codec, &bytes, window, arena, outside, depth, ret_texts);

	return rc == 0 && bytes.len > 0 ? IQ_ERR_CORRUPT : rc;
}

int iq_texts_open(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
		  const struct iq_texts_outside *outside, struct iq_texts **ret_texts)
{
	return iq_texts_open_inner(codec, bytes, window, arena, outside, 0, ret_texts);
}

size_t iq_texts_source(struct iq_view bytes)
{
	uint64_t column;
	uint8_t layout;

	return iq_byte_take(&bytes, &layout) && layout == IQ_TEXTS_FIELD && iq_varint_take(&bytes, &column) &&
			       column < SIZE_MAX
		       ? (size_t)column
		       : SIZE_MAX;
}

static bool take_field(struct iq_view *rest, struct iq_field *field)
{
	uint64_t column, nth;
	uint8_t layout, to_end;

	if (!iq_byte_take(rest, &layout) || !iq_varint_take(rest, &column) || !iq_varint_take(rest, &nth) ||
	    nth > IQ_FIELD_MAX_NTH || !iq_byte_take(rest, &field->before) || !iq_byte_take(rest, &to_end) ||
	    to_end > 1 || !iq_byte_take(rest, &field->after))
		return false;
	field->nth = (uint16_t)nth;
	field->to_end = to_end;
	return true;
}

int iq_texts_open_field(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
			const struct iq_texts_outside *outside, unsigned depth, struct iq_texts *source,
			struct iq_texts **ret_texts)
{
	struct iq_texts *texts = iq_arena_calloc(arena, 1, sizeof(*texts));

	if (!texts)
		return IQ_ERR_NOMEM;
	*texts = (struct iq_texts){ .layout = IQ_TEXTS_FIELD,
				    .codec = codec,
				    .arena = arena,
				    .total = window.count,
				    .count = window.count,
				    .source = source };
	*ret_texts = texts;
	return take_field(&bytes, &texts->field)
		       ? iq_texts_open_inner(codec, bytes, window, arena, outside, depth + 1, &texts->words)
		       : IQ_ERR_CORRUPT;
}

/* ---- Getting ---- */

/* What the source put together goes again, but for the field. */
static int get_field(struct iq_texts *texts, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	const size_t start = scratch->len;
	struct iq_view whole;
	int rc;

	if (!iq_texts_is_null(texts->words, index))
		return iq_texts_get(texts->words, index, NULL, scratch, ret_text);
	rc = iq_texts_get(texts->source, index, NULL, scratch, &whole);
	if (rc < 0 || !iq_field_find(&texts->field, whole, ret_text))
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	if (scratch->len > start) {
		memmove(scratch->data + start, ret_text->data, ret_text->len);
		scratch->len = start + ret_text->len;
		scratch->data[scratch->len] = '\0';
		ret_text->data = scratch->data + start;
	}
	return 0;
}

static int get_fixed(const struct iq_texts *texts, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	static const char hex[] = "0123456789abcdef";
	size_t start = scratch->len, nibble = texts->first_digit + index * texts->varying;
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

	for (uint32_t i = texts->starts[index]; i < texts->starts[index + 1] && rc == 0; i++) {
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

static int get_lines(const struct iq_texts *texts, size_t index, struct iq_buf *scratch, struct iq_view *ret_text)
{
	size_t start = scratch->len;
	struct iq_buf line = IQ_BUF_INIT;
	struct iq_view text;
	int rc = 0;

	for (uint32_t i = texts->starts[index]; i < texts->starts[index + 1] && rc == 0; i++) {
		if (i > texts->starts[index])
			(void)iq_buf_append(scratch, texts->feed);
		iq_buf_clear(&line);
		rc = iq_texts_get(texts->words, i, NULL, &line, &text);
		if (rc == 0)
			rc = text.data ? iq_buf_append(scratch, text) : IQ_ERR_CORRUPT;
		if (rc == 0 && scratch->len - start > IQ_TEXT_MAX_BYTES)
			rc = IQ_ERR_CORRUPT;
	}
	iq_buf_release(&line);
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
	rank = iq_presence_rank(&texts->presence, index);
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		*ret_text = texts->bytes;
		return 0;
	case IQ_TEXTS_PLAIN:
		*ret_text = iq_view_make(texts->bytes.data + texts->starts[rank],
					 texts->starts[rank + 1] - texts->starts[rank]);
		return 0;
	case IQ_TEXTS_DICT:
		return iq_texts_get(texts->words, (size_t)texts->codes[rank], NULL, scratch, ret_text);
	case IQ_TEXTS_FIXED:
		return get_fixed(texts, rank, scratch, ret_text);
	case IQ_TEXTS_WORDS:
		return get_words(texts, rank, scratch, ret_text);
	case IQ_TEXTS_FIELD:
		return get_field(texts, rank, scratch, ret_text);
	case IQ_TEXTS_LINES:
	case IQ_TEXTS_ESCAPED:
		return get_lines(texts, rank, scratch, ret_text);
	default:
		return iq_split_get(texts->split, rank, known, scratch, ret_text);
	}
}

int iq_texts_open_all(struct iq_texts *texts)
{
	return texts->split ? iq_split_open_all(texts->split) : 0;
}

uint32_t iq_texts_refers(const struct iq_texts *texts)
{
	return texts->split ? iq_split_refers(texts->split) : 0;
}
