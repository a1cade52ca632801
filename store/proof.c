#include "store/proof.h"

#include <stdlib.h>
#include <string.h>

/* ---- A coded chunk ---- */

int iq_coded_chunk_init(struct iq_coded_chunk *coded)
{
	/* It only decodes: the level is of no account. */
	*coded = (struct iq_coded_chunk){ .codec = iq_codec_new(IQ_SEGMENT_LEVEL), .memory = IQ_ARENA_INIT };
	return coded->codec ? 0 : IQ_ERR_NOMEM;
}

void iq_coded_chunk_release(struct iq_coded_chunk *coded)
{
	iq_codec_free(coded->codec);
	iq_arena_release(&coded->memory);
	coded->codec = NULL;
}

void iq_coded_chunk_clear(struct iq_coded_chunk *coded)
{
	iq_arena_clear(&coded->memory);
	coded->pattern_count = coded->word_count = 0;
}

/* ---- The proof ---- */

/* What a chunk reads from while it is not yet in a segment. */
struct proof {
	const struct iq_coded_chunk *coded;
	const struct iq_chunk_builder *builder;
	uint32_t source_row; /* where the name that is asked for stands: in the row at hand */
	uint32_t session_row;
};

static int read_column(void *context, uint32_t chunk, unsigned column, struct iq_arena *arena,
		       struct iq_view *ret_bytes, struct iq_error *error)
{
	const struct proof *proof = context;

	(void)chunk;
	(void)arena;
	(void)error;
	*ret_bytes = proof->coded->columns[column];
	return 0;
}

static struct iq_view pattern(void *context, uint64_t number)
{
	const struct iq_coded_chunk *coded = ((const struct proof *)context)->coded;

	return number < coded->pattern_count ? coded->patterns[number] : IQ_VIEW_NULL;
}

static struct iq_view word(void *context, uint64_t index)
{
	const struct iq_coded_chunk *coded = ((const struct proof *)context)->coded;

	return index < coded->word_count ? coded->words[index] : IQ_VIEW_NULL;
}

/* The name beside `no` in the builder: it is looked for from `row` on. */
static struct iq_view name_of(const struct iq_chunk_builder *builder, unsigned column, const struct iq_view *names,
			      uint32_t no, uint32_t *row)
{
	for (uint32_t tried = 0; tried < builder->count; tried++) {
		if (builder->numbers[column][*row] == (int64_t)no)
			return names[*row];
		*row = *row + 1 < builder->count ? *row + 1 : 0;
	}
	return IQ_VIEW_NULL;
}

static struct iq_view source(void *context, uint32_t no)
{
	struct proof *proof = context;

	return name_of(proof->builder, IQ_COLUMN_SOURCE, proof->builder->source_names, no, &proof->source_row);
}

static struct iq_view session(void *context, uint32_t no)
{
	struct proof *proof = context;

	return name_of(proof->builder, IQ_COLUMN_SESSION, proof->builder->session_names, no, &proof->session_row);
}

static bool same_text(struct iq_view a, struct iq_view b)
{
	return iq_view_is_null(a) == iq_view_is_null(b) && iq_view_eq(a, b);
}

static bool same_types(const struct iq_chunk_builder *builder, const struct iq_chunk *chunk)
{
	const struct iq_map *types = &builder->types;

	for (size_t i = 0; i < types->count && i < chunk->type_count; i++)
		if (!same_text(chunk->types[i + 1], types->entries[i].key))
			return false;
	return chunk->type_count == types->count;
}

static bool same_numbers(const struct iq_chunk_builder *builder, const struct iq_chunk *chunk)
{
	for (unsigned column = 0; column < IQ_STORED_COUNT; column++)
		if (builder->numbers[column] &&
		    memcmp(builder->numbers[column], chunk->numbers[column], builder->count * sizeof(int64_t)) != 0)
			return false;
	return true;
}

/* A body that its raw bytes are put together from is compared with them. */
static int same_texts(const struct iq_chunk_builder *builder, struct iq_chunk *chunk, uint32_t row)
{
	static const unsigned columns[] = { IQ_STORED_RAW, IQ_COLUMN_KEY, IQ_COLUMN_ATTRS, IQ_COLUMN_BODY };
	const size_t count = builder->holes[row].at != IQ_HOLE_NONE ? 3 : 4;
	struct iq_view text;

	for (size_t i = 0; i < count; i++) {
		int rc = iq_chunk_text(chunk, columns[i], row, &text);

		if (rc < 0)
			return rc;
		if (columns[i] == IQ_COLUMN_BODY && builder->numbers[IQ_STORED_FORM][row] == IQ_BODY_NONE)
			continue;
		if (!same_text(text, builder->texts[columns[i]][row]))
			return false;
	}
	return true;
}

/* 1 if it does. In the order in which texts are stored. */
static int comes_back(struct proof *proof, struct iq_chunk *chunk)
{
	const struct iq_chunk_builder *builder = proof->builder;
	int rc = iq_chunk_load(chunk, IQ_STORED_ALL, NULL);

	if (rc == 0)
		rc = iq_chunk_by_session(chunk);
	if (rc == 0)
		rc = same_numbers(builder, chunk) && same_types(builder, chunk);
	for (uint32_t row = 0; row < builder->count && rc == 1; row++) {
		proof->source_row = proof->session_row = row;
		rc = same_texts(builder, chunk, row);
	}
	return rc;
}

int iq_coded_chunk_prove(const struct iq_coded_chunk *coded, const struct iq_chunk_builder *builder,
			 struct iq_error *error)
{
	struct proof proof = { .coded = coded, .builder = builder };
	const struct iq_chunk_outside outside = { .read = read_column,
						  .pattern = pattern,
						  .word = word,
						  .source = source,
						  .session = session,
						  .context = &proof };
	struct iq_chunk chunk;
	int rc;

	iq_chunk_init(&chunk, &coded->zone, coded->codec, &outside);
	rc = comes_back(&proof, &chunk);
	iq_chunk_release(&chunk);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (rc != 1)
		return iq_error_set(
			error, IQ_ERR_CORRUPT,
			"events %llu-%llu do not come back from their columns as they went in; nothing of them was stored",
			(unsigned long long)builder->id_first,
			(unsigned long long)(builder->id_first + builder->count - 1));
	return 0;
}
