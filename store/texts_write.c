#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "store/generalise.h"
#include "store/split.h"

/* So many texts are looked at to choose a layout. */
#define SAMPLE 512u
/* Longer texts have no fixed layout. */
#define MAX_FIXED 64u
/* Texts are taken apart down to here. */
#define MAX_SPLIT_DEPTH 3u

/* ---- Small helpers ---- */

/* Texts that are one in memory are not looked at. */
static bool all_equal(const struct iq_view *values, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if ((values[i].data != values[0].data || values[i].len != values[0].len) &&
		    !iq_view_eq(values[i], values[0]))
			return false;
	return true;
}

static int append_lengths(struct iq_codec *codec, const struct iq_view *values, size_t count, struct iq_buf *out)
{
	int64_t *lengths = malloc((count + 1) * sizeof(*lengths));
	int rc = lengths ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++)
		lengths[i] = (int64_t)values[i].len;
	if (rc == 0)
		rc = iq_stream_append_ints(codec, lengths, count, out);
	free(lengths);
	return rc;
}

static int append_const(struct iq_view value, struct iq_buf *out)
{
	(void)iq_buf_append_char(out, IQ_TEXTS_CONST);
	(void)iq_varint_append(out, value.len);
	return iq_buf_append(out, value);
}

static int append_plain(struct iq_codec *codec, const struct iq_view *values, size_t count, struct iq_buf *out)
{
	struct iq_buf bytes = IQ_BUF_INIT;
	int rc;

	for (size_t i = 0; i < count; i++)
		(void)iq_buf_append(&bytes, values[i]);
	(void)iq_buf_append_char(out, IQ_TEXTS_PLAIN);
	rc = bytes.failed ? IQ_ERR_NOMEM : append_lengths(codec, values, count, out);
	if (rc == 0)
		rc = iq_stream_append_blocks(codec, iq_buf_view(&bytes), out);
	iq_buf_release(&bytes);
	return rc;
}

/* ---- FIXED ---- */

/* Where values of one length differ from the first, and where one of them has no hexadecimal digit: a bit for each place. */
struct places {
	uint64_t varying;
	uint64_t no_hex;
};

static void compare_block(struct places *places, const char *value, const char *first, size_t at)
{
	places->varying |= (uint64_t)iq_differing_marks(value, first) << at;
	places->no_hex |= (uint64_t)iq_no_hex_marks(value) << at;
}

static void compare_places(struct places *places, const char *value, const char *first, size_t len)
{
	char blocks[2][IQ_BLOCK] = { { 0 }, { 0 } };
	size_t at = 0;

	for (; len - at >= IQ_BLOCK; at += IQ_BLOCK)
		compare_block(places, value + at, first + at, at);
	if (at == len)
		return;
	memcpy(blocks[0], value + at, len - at);
	memcpy(blocks[1], first + at, len - at);
	compare_block(places, blocks[0], blocks[1], at);
}

/* The characters that all values share, NUL where hexadecimal digits vary. False where something else varies, or where
 * too little does for this to pay. */
static bool find_fixed(const struct iq_view *values, size_t count, char *ret_places)
{
	const struct iq_view first = values[0];
	struct places places = { 0, 0 };

	if (first.len < 4 || first.len > MAX_FIXED || count < 4 || memchr(first.data, '\0', first.len))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (values[i].len != first.len)
			return false;
		compare_places(&places, values[i].data, first.data, first.len);
		if (places.varying & places.no_hex)
			return false;
	}
	for (size_t at = 0; at < first.len; at++)
		ret_places[at] = places.varying >> at & 1 ? '\0' : first.data[at];
	return __builtin_popcountll(places.varying) >= 4;
}

/* Of a hexadecimal digit: letters have their values, less nine, in the lower half of their codes. */
static unsigned hex_value(char c)
{
	const unsigned code = (unsigned char)c;

	return (code & 15) + (code >> 6) * 9;
}

static int append_fixed(struct iq_codec *codec, const struct iq_view *values, size_t count, const char *places,
			struct iq_buf *out)
{
	size_t len = values[0].len, nibbles = 0, varying = 0;
	unsigned char varies[MAX_FIXED];
	struct iq_buf packed = IQ_BUF_INIT;
	int rc;

	if (iq_buf_reserve(&packed, (count * len + 1) / 2) < 0)
		return IQ_ERR_NOMEM;
	for (size_t at = 0; at < len; at++)
		if (!places[at])
			varies[varying++] = (unsigned char)at;
	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; at < varying; at++) {
			const unsigned value = hex_value(values[i].data[varies[at]]);

			if (nibbles % 2 == 0)
				packed.data[nibbles / 2] = (char)(value << 4);
			else
				packed.data[nibbles / 2] = (char)((unsigned char)packed.data[nibbles / 2] | value);
			nibbles++;
		}
	packed.len = (nibbles + 1) / 2;
	(void)iq_buf_append_char(out, IQ_TEXTS_FIXED);
	(void)iq_varint_append(out, len);
	(void)iq_stream_append_bytes(codec, iq_view_make(places, len), out);
	rc = iq_stream_append_blocks(codec, iq_buf_view(&packed), out);
	iq_buf_release(&packed);
	return rc;
}

/* ---- DICT ---- */

/* A dictionary while it is filled. */
struct dictionary {
	struct iq_map words; /* with 1 + the index of those that are shared already, else 0 */
	int64_t *codes;
	size_t count;
	size_t capacity;
	uint64_t bytes; /* of the words, but those that are shared already */
	const struct iq_map *shared;
};

static void release_dictionary(struct dictionary *dictionary)
{
	iq_map_release(&dictionary->words);
	free(dictionary->codes);
}

static void note_new(struct dictionary *dictionary, struct iq_map_entry *entry)
{
	const uint64_t *index = dictionary->shared ? iq_map_get(dictionary->shared, entry->key) : NULL;

	entry->value = index ? *index + 1 : 0;
	dictionary->bytes += index ? 0 : entry->key.len;
}

/* At most IQ_MAP_AT_ONCE. */
static int add_some(struct dictionary *dictionary, const struct iq_view *words, size_t count)
{
	const size_t known = dictionary->words.count;
	uint32_t indices[IQ_MAP_AT_ONCE];

	if (dictionary->capacity - dictionary->count < count) {
		size_t capacity = dictionary->capacity ? dictionary->capacity * 2 : 1024;
		int64_t *codes = realloc(dictionary->codes, capacity * sizeof(*codes));

		if (!codes)
			return IQ_ERR_NOMEM;
		dictionary->codes = codes;
		dictionary->capacity = capacity;
	}
	if (iq_map_intern_all(&dictionary->words, words, count, indices) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = known; i < dictionary->words.count; i++)
		note_new(dictionary, &dictionary->words.entries[i]);
	for (size_t i = 0; i < count; i++)
		dictionary->codes[dictionary->count++] = indices[i];
	return 0;
}

static int append_words(struct iq_codec *codec, const struct dictionary *dictionary, unsigned depth, struct iq_buf *out)
{
	size_t count = dictionary->words.count;
	struct iq_view *words = malloc((count + 1) * sizeof(*words));
	int rc = words ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++)
		words[i] = dictionary->words.entries[i].key;
	(void)iq_varint_append(out, count);
	if (rc == 0)
		rc = iq_texts_append(codec, words, count, depth + 1, out);
	free(words);
	return rc;
}

static int append_dict(struct iq_codec *codec, const struct dictionary *dictionary, unsigned depth, struct iq_buf *out)
{
	int rc;

	(void)iq_buf_append_char(out, IQ_TEXTS_DICT);
	rc = append_words(codec, dictionary, depth, out);
	return rc < 0 ? rc : iq_stream_append_ints(codec, dictionary->codes, dictionary->count, out);
}

/* 1 where the values repeat so often that a dictionary pays. */
static int fill_dictionary(struct dictionary *dictionary, const struct iq_view *values, size_t count)
{
	size_t some;

	for (size_t i = 0; i < count; i += some) {
		some = count - i < IQ_MAP_AT_ONCE ? count - i : IQ_MAP_AT_ONCE;
		if (add_some(dictionary, values + i, some) < 0)
			return IQ_ERR_NOMEM;
		if (i == SAMPLE && dictionary->words.count > SAMPLE / 4 * 3)
			return 0;
		if (i > 4096 && dictionary->words.count > i / 2)
			return 0;
	}
	return dictionary->words.count <= count / 2;
}

/* ---- WORDS ---- */

/* The next words of a text, and what is left of it: the NULL view, if nothing is. */
static size_t take_words(struct iq_view *text, struct iq_view *words)
{
	size_t count = 0;

	while (text->data && count < IQ_MAP_AT_ONCE) {
		const char *space = memchr(text->data, ' ', text->len);
		const size_t len = space ? (size_t)(space - text->data) : text->len;

		words[count++] = iq_view_make(text->data, len);
		*text = space ? iq_view_from(*text, len + 1) : IQ_VIEW_NULL;
	}
	return count;
}

static int add_words(struct dictionary *dictionary, struct iq_view text, int64_t *ret_count)
{
	struct iq_view words[IQ_MAP_AT_ONCE];

	*ret_count = 0;
	while (text.data) {
		const size_t count = take_words(&text, words);

		if (add_some(dictionary, words, count) < 0)
			return IQ_ERR_NOMEM;
		*ret_count += (int64_t)count;
	}
	return 0;
}

/* About how many bits an index into so many words takes, more common ones being shorter. */
static uint64_t index_bits(size_t words)
{
	unsigned bits = 1;

	while (words >>= 1)
		bits++;
	return bits;
}

/* Text by zstd comes to some four bits a byte. */
static bool words_pay(const struct dictionary *dictionary, uint64_t bytes)
{
	return dictionary->bytes * 5 + dictionary->count * index_bits(dictionary->words.count) < bytes * 4;
}

/* 1 where the texts are made of words that repeat. */
static int fill_words(struct dictionary *dictionary, const struct iq_view *values, size_t count, int64_t *counts)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (add_words(dictionary, values[i], &counts[i]) < 0)
			return IQ_ERR_NOMEM;
		bytes += values[i].len;
		if ((i == SAMPLE && dictionary->count < i + i / 8) ||
		    (i >= 4 * SAMPLE && i % SAMPLE == 0 && !words_pay(dictionary, bytes)))
			return 0;
	}
	return dictionary->count > count && words_pay(dictionary, bytes);
}

/* The words' indices in the segment's list in place of those in the dictionary. 0 where it would become too long. */
static int share_words(struct dictionary *dictionary, struct iq_map *shared)
{
	const size_t count = dictionary->words.count;
	uint32_t *indices = malloc((count + 1) * sizeof(*indices));
	int rc = indices ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && shared->count + count > IQ_WORDS_MAX) {
		free(indices);
		return 0;
	}
	for (size_t i = 0; rc >= 0 && i < count; i++) {
		const struct iq_map_entry *word = &dictionary->words.entries[i];

		indices[i] = (uint32_t)word->value - 1;
		rc = word->value ? 0 : iq_map_intern(shared, word->key, &indices[i]);
	}
	for (size_t i = 0; rc >= 0 && i < dictionary->count; i++)
		dictionary->codes[i] = indices[dictionary->codes[i]];
	free(indices);
	return rc < 0 ? rc : 1;
}

static int append_word_texts(struct iq_codec *codec, const struct dictionary *dictionary, const int64_t *counts,
			     size_t count, struct iq_buf *out)
{
	int rc;

	(void)iq_buf_append_char(out, IQ_TEXTS_WORDS);
	rc = iq_stream_append_ints(codec, counts, count, out);
	(void)iq_varint_append(out, dictionary->count);
	return rc < 0 ? rc : iq_stream_append_ints(codec, dictionary->codes, dictionary->count, out);
}

static int append_as_words(struct iq_codec *codec, const struct iq_view *values, size_t count, struct iq_buf *out)
{
	struct dictionary dictionary = { .words = IQ_MAP_INIT, .shared = iq_codec_words(codec) };
	int64_t *counts = malloc((count + 1) * sizeof(*counts));
	int rc = counts ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && dictionary.shared)
		rc = fill_words(&dictionary, values, count, counts);
	if (rc == 1)
		rc = share_words(&dictionary, iq_codec_words(codec));
	if (rc == 1)
		rc = append_word_texts(codec, &dictionary, counts, count, out) < 0 ? IQ_ERR_NOMEM : 1;
	release_dictionary(&dictionary);
	free(counts);
	return rc;
}

/* ---- LINES ---- */

/* Shorter lines than this, on the average, are not worth being held one by one. */
#define LEAST_LINE 16u

static const struct {
	enum iq_texts_layout layout;
	struct iq_view feed;
} line_layouts[] = { { IQ_TEXTS_LINES, { "\n", 1 } }, { IQ_TEXTS_ESCAPED, { "\\n", 2 } } };

static size_t count_lines(struct iq_view text, struct iq_view feed)
{
	size_t lines = 1, at;

	for (; (at = iq_view_find(text, feed)) != SIZE_MAX; lines++)
		text = iq_view_from(text, at + feed.len);
	return lines;
}

/* How many lines the texts have; 0 where most have but one, or where they are short. */
static size_t lines_of(const struct iq_view *values, size_t count, struct iq_view feed, int64_t *counts)
{
	size_t lines = 0, with_lines = 0;
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		const size_t here = count_lines(values[i], feed);

		counts[i] = (int64_t)here;
		lines += here;
		with_lines += here > 1;
		bytes += values[i].len;
		if (i == SAMPLE && with_lines < SAMPLE / 2)
			return 0;
	}
	return with_lines >= (count + 1) / 2 && bytes / LEAST_LINE >= lines ? lines : 0;
}

static void divide_into_lines(const struct iq_view *values, size_t count, struct iq_view feed,
			      struct iq_view *ret_lines)
{
	for (size_t i = 0; i < count; i++) {
		struct iq_view rest = values[i];
		size_t at;

		for (; (at = iq_view_find(rest, feed)) != SIZE_MAX; rest = iq_view_from(rest, at + feed.len))
			*ret_lines++ = iq_view_make(rest.data, at);
		*ret_lines++ = rest;
	}
}

/* 1 where it was done. */
static int append_lines_of(struct iq_codec *codec, const struct iq_view *values, size_t count, unsigned which,
			   unsigned depth, struct iq_buf *out)
{
	const struct iq_view feed = line_layouts[which].feed;
	int64_t *counts = malloc((count + 1) * sizeof(*counts));
	const size_t line_count = counts ? lines_of(values, count, feed, counts) : 0;
	struct iq_view *lines = line_count ? malloc(line_count * sizeof(*lines)) : NULL;
	int rc = counts && (lines || !line_count) ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && lines) {
		divide_into_lines(values, count, feed, lines);
		(void)iq_buf_append_char(out, (char)line_layouts[which].layout);
		rc = iq_stream_append_ints(codec, counts, count, out);
		(void)iq_varint_append(out, line_count);
		if (rc == 0)
			rc = iq_texts_append(codec, lines, line_count, depth + 1, out);
		rc = rc < 0 ? rc : 1;
	}
	free(counts);
	free(lines);
	return rc;
}

static int append_as_lines(struct iq_codec *codec, const struct iq_view *values, size_t count, unsigned depth,
			   struct iq_buf *out)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < sizeof(line_layouts) / sizeof(line_layouts[0]); i++)
		rc = append_lines_of(codec, values, count, i, depth, out);
	return rc;
}

/* ---- Choosing ---- */

/* How many templates there are once those that differ in words are one. */
static size_t count_general(const struct iq_map *shapes, struct iq_arena *memory)
{
	struct iq_rare_template *templates = iq_arena_alloc(memory, (shapes->count + 1) * sizeof(*templates));
	struct iq_general_template *general = iq_arena_alloc(memory, (shapes->count + 1) * sizeof(*general));
	struct iq_map distinct = IQ_MAP_INIT;
	size_t count = shapes->count;
	uint32_t index;

	for (size_t i = 0; templates && i < shapes->count; i++)
		templates[i] = (struct iq_rare_template){ shapes->entries[i].key, 1 };
	if (templates && general && iq_generalise(templates, shapes->count, memory, general) == 0) {
		for (size_t i = 0; i < shapes->count; i++)
			(void)iq_map_intern(
				&distinct, general[i].pattern.data ? general[i].pattern : templates[i].pattern, &index);
		count = distinct.count;
	}
	iq_map_release(&distinct);
	return count;
}

/* Do the templates of a sample repeat, and do they take something out of the texts? */
static bool may_split(const struct iq_view *values, size_t count)
{
	struct iq_map shapes = IQ_MAP_INIT;
	struct iq_splitter *splitter = malloc(sizeof(*splitter));
	size_t step = count / SAMPLE + 1, looked_at = 0, with_slots = 0;
	uint32_t index;
	bool may = false;

	if (!splitter)
		return false;
	iq_splitter_init(splitter);
	for (size_t i = 0; i < count; i += step, looked_at++)
		if (iq_template_split(splitter, values[i], NULL) &&
		    iq_map_intern(&shapes, iq_buf_view(&splitter->pattern), &index) >= 0)
			with_slots += splitter->count > 0 && !(splitter->count == 1 && splitter->pattern.len == 5 &&
							       splitter->values[0].kind == IQ_SLOT_TEXT);
	may = with_slots >= looked_at / 2 &&
	      (shapes.count <= looked_at / 4 + 1 || count_general(&shapes, &splitter->memory) <= looked_at / 16 + 1);
	iq_splitter_release(splitter);
	free(splitter);
	iq_map_release(&shapes);
	return may;
}

static int append_split(struct iq_codec *codec, const struct iq_view *values, size_t count, unsigned depth,
			struct iq_buf *out)
{
	const struct iq_split_input input = { .values = values, .count = count, .depth = depth };

	if (depth >= MAX_SPLIT_DEPTH || count < 16 || !may_split(values, count))
		return 0;
	return iq_split_append(codec, &input, 50, out);
}

typedef int append_fn(struct iq_codec *codec, const struct iq_view *values, size_t count, void *context,
		      struct iq_buf *out);

static int append_present(struct iq_codec *codec, const struct iq_view *values, size_t count, void *context,
			  struct iq_buf *out)
{
	const unsigned depth = *(const unsigned *)context;
	struct dictionary dictionary = { .words = IQ_MAP_INIT };
	char places[MAX_FIXED];
	int rc;

	if (count == 0 || all_equal(values, count))
		return append_const(count ? values[0] : IQ_LIT(""), out);
	if (depth + 2 >= IQ_TEXTS_MAX_DEPTH)
		return append_plain(codec, values, count, out);
	rc = fill_dictionary(&dictionary, values, count);
	if (rc == 1)
		rc = append_dict(codec, &dictionary, depth, out) < 0 ? IQ_ERR_NOMEM : 1;
	release_dictionary(&dictionary);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (find_fixed(values, count, places))
		return append_fixed(codec, values, count, places, out);
	rc = append_as_lines(codec, values, count, depth, out);
	if (rc == 0)
		rc = append_split(codec, values, count, depth, out);
	if (rc == 0)
		rc = append_as_words(codec, values, count, out);
	if (rc == 0)
		rc = append_plain(codec, values, count, out);
	return rc < 0 ? rc : 0;
}

static int append_with_nulls(struct iq_codec *codec, const struct iq_view *values, size_t count, size_t present_count,
			     append_fn *append, void *context, struct iq_buf *out)
{
	struct iq_view *present = malloc((present_count + 1) * sizeof(*present));
	char *bits = calloc(count / 8 + 1, 1);
	struct iq_buf inner = IQ_BUF_INIT;
	size_t kept = 0;
	int rc = present && bits ? 0 : IQ_ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (!values[i].data)
			continue;
		bits[i / 8] = (char)((unsigned char)bits[i / 8] | 1u << (i % 8));
		present[kept++] = values[i];
	}
	if (rc == 0)
		rc = append(codec, present, kept, context, &inner);
	if (inner.failed)
		rc = IQ_ERR_NOMEM;
	if (rc == 0) {
		(void)iq_buf_append_char(out, (char)((unsigned char)inner.data[0] | IQ_TEXTS_NULLS));
		(void)iq_stream_append_bytes(codec, iq_view_make(bits, (count + 7) / 8), out);
		rc = iq_buf_append(out, iq_view_from(iq_buf_view(&inner), 1));
	}
	iq_buf_release(&inner);
	free(present);
	free(bits);
	return rc;
}

int iq_texts_append_present(struct iq_codec *codec, const struct iq_view *values, size_t count, append_fn *append,
			    void *context, struct iq_buf *out)
{
	size_t present = 0;
	int rc;

	for (size_t i = 0; i < count; i++)
		present += values[i].data != NULL;
	if (present == count)
		rc = append(codec, values, count, context, out);
	else
		rc = append_with_nulls(codec, values, count, present, append, context, out);
	return rc < 0 ? rc : out->failed ? IQ_ERR_NOMEM : 0;
}

int iq_texts_append(struct iq_codec *codec, const struct iq_view *values, size_t count, unsigned depth,
		    struct iq_buf *out)
{
	return iq_texts_append_present(codec, values, count, append_present, &depth, out);
}
