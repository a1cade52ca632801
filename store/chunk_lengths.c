/* How long the raw bytes of a chunk's events are, without putting one together. */
#include <string.h>

#include "store/chunk_parts.h"
#include "store/lengths.h"

struct measuring {
	struct iq_chunk *chunk;
	struct iq_lengths_outside outside;
	const int64_t *bodies[IQ_ESCAPE_VERBATIM * 2]; /* by escape */
};

static int64_t *new_lengths(struct iq_chunk *chunk)
{
	return iq_arena_alloc(&chunk->memory, ((size_t)chunk->zone->rows + 1) * sizeof(int64_t));
}

static uint32_t row_at(const struct iq_chunk *chunk, uint32_t position)
{
	return chunk->rows ? chunk->rows[position] : position;
}

/* Numbers by row in the order of texts. */
static const int64_t *in_text_order(struct iq_chunk *chunk, const int64_t *numbers)
{
	int64_t *ordered;

	if (!chunk->rows || !numbers)
		return numbers;
	ordered = new_lengths(chunk);
	for (uint32_t i = 0; ordered && i < chunk->zone->rows; i++)
		ordered[i] = numbers[chunk->rows[i]];
	return ordered;
}

static int64_t name_length(const char *name)
{
	return name ? (int64_t)strlen(name) : -1;
}

/* How long what a template takes from another column is; -1 where there is nothing to take. */
static int64_t referred_length(const struct iq_chunk *chunk, enum iq_slot_kind kind, uint32_t row)
{
	int64_t *const *numbers = chunk->numbers;
	struct iq_view text;

	switch (kind) {
	case IQ_SLOT_SESSION:
		text = chunk->outside->session(chunk->outside->context, (uint32_t)numbers[IQ_COLUMN_SESSION][row]);
		break;
	case IQ_SLOT_SOURCE:
		text = chunk->outside->source(chunk->outside->context, (uint32_t)numbers[IQ_COLUMN_SOURCE][row]);
		break;
	case IQ_SLOT_TYPE:
		text = iq_chunk_type(chunk, row);
		break;
	case IQ_SLOT_KIND:
		return name_length(iq_kind_name((enum iq_kind)numbers[IQ_COLUMN_KIND][row]));
	default:
		return name_length(iq_direction_name((enum iq_direction)numbers[IQ_COLUMN_DIRECTION][row]));
	}
	return text.data ? (int64_t)text.len : -1;
}

/* Neighbours in the order of texts mostly have the same session, and often the same source. */
static int measure_referred(struct measuring *measuring, enum iq_slot_kind kind)
{
	struct iq_chunk *chunk = measuring->chunk;
	const int64_t *numbers = kind == IQ_SLOT_SESSION  ? chunk->numbers[IQ_COLUMN_SESSION]
				 : kind == IQ_SLOT_SOURCE ? chunk->numbers[IQ_COLUMN_SOURCE]
							  : NULL;
	int64_t *lengths = new_lengths(chunk);
	int rc = lengths ? 0 : IQ_ERR_NOMEM;

	if (rc == 0 && kind == IQ_SLOT_KEY)
		rc = iq_texts_lengths(chunk->texts[IQ_COLUMN_KEY], NULL, lengths);
	for (uint32_t i = 0; rc == 0 && kind != IQ_SLOT_KEY && i < chunk->zone->rows; i++) {
		if (numbers && i > 0 && numbers[row_at(chunk, i)] == numbers[row_at(chunk, i - 1)])
			lengths[i] = lengths[i - 1];
		else
			lengths[i] = referred_length(chunk, kind, row_at(chunk, i));
	}
	measuring->outside.texts[kind] = lengths;
	return rc;
}

static int measure_escaped(struct measuring *measuring, unsigned escape, int64_t *lengths)
{
	struct iq_chunk *chunk = measuring->chunk;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view body;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < chunk->zone->rows; i++) {
		rc = iq_chunk_get_text(chunk, IQ_COLUMN_BODY, row_at(chunk, i), &chunk->scratch[1], &body);
		iq_buf_clear(&scratch);
		if (rc == 0)
			rc = iq_escape_append(&scratch, body, escape);
		lengths[i] = (int64_t)scratch.len;
	}
	iq_buf_release(&scratch);
	return rc;
}

static int measure_bodies(void *context, unsigned escape, const int64_t **ret_lengths)
{
	struct measuring *measuring = context;
	int64_t *lengths;
	int rc = 0;

	if (escape >= IQ_ESCAPE_VERBATIM * 2)
		return IQ_ERR_CORRUPT;
	if (!measuring->bodies[escape]) {
		lengths = new_lengths(measuring->chunk);
		if (!lengths)
			return IQ_ERR_NOMEM;
		rc = escape == IQ_ESCAPE_VERBATIM
			     ? iq_texts_lengths(measuring->chunk->texts[IQ_COLUMN_BODY], &measuring->outside, lengths)
			     : measure_escaped(measuring, escape, lengths);
		measuring->bodies[escape] = lengths;
	}
	*ret_lengths = measuring->bodies[escape];
	return rc;
}

static int know_lengths(struct measuring *measuring, uint32_t refers)
{
	struct iq_chunk *chunk = measuring->chunk;
	struct iq_lengths_outside *outside = &measuring->outside;
	int rc = 0;

	outside->ts = in_text_order(chunk, chunk->numbers[IQ_COLUMN_TS]);
	outside->observed = in_text_order(chunk, chunk->numbers[IQ_COLUMN_OBSERVED]);
	outside->seq = in_text_order(chunk, chunk->numbers[IQ_COLUMN_SEQ]);
	for (unsigned kind = IQ_SLOT_SESSION; kind <= IQ_SLOT_DIRECTION && rc == 0; kind++)
		if (refers >> kind & 1)
			rc = measure_referred(measuring, (enum iq_slot_kind)kind);
	return rc;
}

int iq_chunk_raw_lengths(struct iq_chunk *chunk, int64_t *ret_lengths)
{
	struct measuring measuring = { .chunk = chunk };
	struct iq_texts *raw = chunk->texts[IQ_STORED_RAW];
	uint32_t refers = iq_texts_refers(raw);
	int64_t *lengths = new_lengths(chunk);
	int rc;

	if (!lengths)
		return IQ_ERR_NOMEM;
	measuring.outside.bodies = measure_bodies;
	measuring.outside.context = &measuring;
	if (refers >> IQ_SLOT_BODY & 1)
		refers |= iq_texts_refers(chunk->texts[IQ_COLUMN_BODY]);
	rc = know_lengths(&measuring, refers);
	if (rc == 0)
		rc = iq_texts_lengths(raw, &measuring.outside, lengths);
	for (uint32_t i = 0; rc == 0 && i < chunk->zone->rows; i++)
		ret_lengths[row_at(chunk, i)] = lengths[i];
	return rc;
}
