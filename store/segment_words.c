/* The words that the chunks of a segment share. No chunk uses words of a later one, and words that occur early are used most:
 * chunk by chunk they are read as far as they are asked for, by whoever asks first. What was read is used without a lock. */
#include <stdlib.h>
#include <string.h>

#include "store/search.h"
#include "store/segment.h"

/* A word that is not in the column as it stands is put together once. */
static int keep_word(struct iq_segment *segment, struct iq_texts *texts, size_t index, struct iq_buf *scratch,
		     struct iq_view *ret_word)
{
	int rc;

	iq_buf_clear(scratch);
	rc = iq_texts_get(texts, index, NULL, scratch, ret_word);
	if (rc < 0 || !ret_word->data)
		return rc < 0 ? rc : IQ_ERR_CORRUPT;
	if (scratch->len > 0)
		*ret_word = iq_arena_copy(&segment->memory, *ret_word);
	return ret_word->data ? 0 : IQ_ERR_NOMEM;
}

static int keep_words(struct iq_segment *segment, struct iq_texts *texts, size_t count)
{
	const size_t before = atomic_load(&segment->word_count);
	struct iq_buf scratch = IQ_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = keep_word(segment, texts, i, &scratch, &segment->words[before + i]);
	iq_buf_release(&scratch);
	if (rc == 0)
		atomic_store(&segment->word_count, before + count);
	return rc;
}

/* Those that one chunk added. */
static int read_words(struct iq_segment *segment, struct iq_codec *codec, uint32_t chunk)
{
	struct iq_view bytes;
	struct iq_texts *texts;
	uint64_t count = 0;
	int rc = segment->outside.read(segment, chunk, IQ_STORED_WORDS, &segment->memory, &bytes, NULL);

	if (rc == 0 && (!iq_varint_take(&bytes, &count) || count > IQ_WORDS_MAX - atomic_load(&segment->word_count)))
		rc = IQ_ERR_CORRUPT;
	if (rc == 0)
		rc = iq_texts_open(codec, bytes, iq_window_whole((size_t)count), &segment->memory, NULL, &texts);
	return rc == 0 ? keep_words(segment, texts, (size_t)count) : rc;
}

static bool is_unread(struct iq_segment *segment, uint64_t index)
{
	return index >= atomic_load(&segment->word_count) && segment->word_chunks < segment->zone_count;
}

/* Locked. What cannot be read is not there, and all behind it: chunks that need it are damaged. */
static int read_up_to(struct iq_segment *segment, uint64_t index)
{
	struct iq_codec *codec = iq_codec_new(IQ_SEGMENT_LEVEL);
	int rc = codec ? 0 : IQ_ERR_NOMEM;

	/* Of so much room only what is used is memory. */
	if (rc == 0 && !segment->words)
		segment->words = calloc(IQ_WORDS_MAX, sizeof(*segment->words));
	if (!segment->words)
		rc = IQ_ERR_NOMEM;
	while (rc == 0 && is_unread(segment, index)) {
		rc = read_words(segment, codec, segment->zones[segment->word_chunks].chunk);
		if (rc != IQ_ERR_NOMEM)
			segment->words_missing |= rc < 0;
		if (rc != IQ_ERR_NOMEM)
			segment->word_chunks = rc < 0 ? segment->zone_count : segment->word_chunks + 1;
	}
	iq_codec_free(codec);
	return rc;
}

static bool search_words(const struct iq_segment *segment, struct iq_view part, bool folded)
{
	const size_t count = atomic_load(&segment->word_count);

	for (size_t i = 0; i < count; i++)
		if (segment->words[i].len >= part.len && iq_search_find(segment->words[i], part, folded) != SIZE_MAX)
			return true;
	return false;
}

/* Locked. A search asks the same of each chunk. */
static bool answer(struct iq_segment *segment, struct iq_view part, bool folded)
{
	struct iq_asked_word *asked = &segment->asked;

	if (asked->len == part.len && asked->folded == folded && part.len > 0 &&
	    memcmp(asked->part, part.data, part.len) == 0)
		return asked->found;
	asked->found = search_words(segment, part, folded);
	asked->folded = folded;
	asked->len = part.len <= sizeof(asked->part) ? part.len : 0;
	memcpy(asked->part, part.data, asked->len);
	return asked->found;
}

bool iq_segment_any_word(void *context, struct iq_view part, bool folded)
{
	struct iq_segment *segment = context;
	bool found;

	iq_segment_lock(segment);
	if (is_unread(segment, SIZE_MAX) && read_up_to(segment, SIZE_MAX) < 0)
		segment->words_missing = true;
	found = segment->words_missing || answer(segment, part, folded);
	iq_segment_unlock(segment);
	return found;
}

struct iq_view iq_segment_word(void *context, uint64_t index)
{
	struct iq_segment *segment = context;
	int rc = 0;

	if (index >= atomic_load_explicit(&segment->word_count, memory_order_acquire)) {
		iq_segment_lock(segment);
		rc = is_unread(segment, index) ? read_up_to(segment, index) : 0;
		iq_segment_unlock(segment);
	}
	if (rc == IQ_ERR_NOMEM)
		atomic_store(&segment->out_of_memory, true);
	return index < atomic_load_explicit(&segment->word_count, memory_order_acquire) ? segment->words[index]
											: IQ_VIEW_NULL;
}
