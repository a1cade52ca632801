#include "store/rows.h"

void iq_rows_init(struct iq_rows *rows, struct iq_segment *const *segments, size_t count)
{
	*rows = (struct iq_rows){ .segments = segments, .count = count };
}

static void unload(struct iq_rows *rows)
{
	if (rows->loaded)
		iq_chunk_release(&rows->chunk);
	rows->loaded = false;
	rows->row = 0;
}

void iq_rows_release(struct iq_rows *rows)
{
	unload(rows);
	for (size_t i = 0; i < 3; i++)
		iq_buf_release(&rows->texts[i]);
}

static int load(struct iq_rows *rows, const struct iq_zone *zone, struct iq_error *error)
{
	struct iq_segment *segment = rows->segments[rows->segment];
	int rc;

	iq_segment_chunk(segment, zone, &rows->chunk);
	rows->loaded = true;
	rc = iq_chunk_load(&rows->chunk, IQ_STORED_ALL & ~(1u << IQ_STORED_FILTER), error);
	return rc == 0 ? iq_segment_locate(segment, &rows->chunk, error) : rc;
}

/* Makes sure that the row at hand is there: 1, or 0 at the end. */
static int arrive(struct iq_rows *rows, struct iq_error *error)
{
	while (rows->segment < rows->count) {
		const struct iq_segment *segment = rows->segments[rows->segment];

		if (rows->zone == segment->zone_count) {
			rows->segment++;
			rows->zone = 0;
		} else if (!rows->loaded) {
			int rc = load(rows, &segment->zones[rows->zone], error);

			if (rc < 0)
				return rc;
		} else if (rows->row == segment->zones[rows->zone].rows) {
			unload(rows);
			rows->zone++;
		} else {
			return 1;
		}
	}
	return 0;
}

/* Texts of one chunk share their working memory: each is copied, the raw bytes, which come last, are not. */
static int take_texts(struct iq_rows *rows, struct iq_row *row)
{
	static const unsigned columns[] = { IQ_COLUMN_KEY, IQ_COLUMN_BODY, IQ_COLUMN_ATTRS };
	struct iq_view *const texts[] = { &row->event.key, &row->event.body, &row->event.attrs };
	int rc = 0;

	for (size_t i = 0; i < 3 && rc == 0; i++) {
		struct iq_view text;

		rc = iq_chunk_text(&rows->chunk, columns[i], rows->row, &text);
		if (rc < 0 || !text.data)
			continue;
		iq_buf_clear(&rows->texts[i]);
		rc = iq_buf_append(&rows->texts[i], text);
		*texts[i] = iq_buf_view(&rows->texts[i]);
	}
	return rc == 0 ? iq_chunk_text(&rows->chunk, IQ_STORED_RAW, rows->row, &row->raw) : rc;
}

static void take_numbers(const struct iq_rows *rows, struct iq_row *row)
{
	const struct iq_chunk *chunk = &rows->chunk;
	const uint32_t at = rows->row;

	row->event = (struct iq_event){
		.id = chunk->zone->id_first + at,
		.ts = chunk->numbers[IQ_COLUMN_TS][at],
		.observed = chunk->numbers[IQ_COLUMN_OBSERVED][at],
		.session_no = (uint32_t)chunk->numbers[IQ_COLUMN_SESSION][at],
		.kind = (enum iq_kind)chunk->numbers[IQ_COLUMN_KIND][at],
		.direction = (enum iq_direction)chunk->numbers[IQ_COLUMN_DIRECTION][at],
		.severity = (enum iq_severity)chunk->numbers[IQ_COLUMN_SEVERITY][at],
		.type = iq_chunk_type(chunk, at),
		.seq = chunk->numbers[IQ_COLUMN_SEQ][at],
		.body_is_binary = chunk->numbers[IQ_STORED_FORM][at] == IQ_BODY_BINARY,
		.evidence = (uint32_t)chunk->numbers[IQ_COLUMN_EVIDENCE][at],
		.offset = chunk->offsets[at],
		.length = chunk->lengths[at],
	};
	row->source_no = (uint32_t)chunk->numbers[IQ_COLUMN_SOURCE][at];
	row->lead = chunk->numbers[IQ_STORED_LEAD][at];
	row->excess = chunk->numbers[IQ_STORED_EXCESS][at];
	row->raw_offset = chunk->offsets[at] - (uint64_t)row->lead;
	row->event.source = chunk->outside->source(chunk->outside->context, row->source_no);
	if (row->event.session_no)
		row->event.session = chunk->outside->session(chunk->outside->context, row->event.session_no);
}

int iq_rows_next(struct iq_rows *rows, struct iq_row *ret_row, struct iq_error *error)
{
	struct iq_row row = { .source_no = 0 };
	int rc = arrive(rows, error);

	if (rc <= 0)
		return rc;
	take_numbers(rows, &row);
	rc = take_texts(rows, &row);
	if (rc == IQ_ERR_NOMEM)
		return iq_error_nomem(error);
	if (rc < 0)
		return iq_error_set(error, IQ_ERR_CORRUPT, "%s: event %llu is damaged; run `inquest store verify`",
				    rows->segments[rows->segment]->path, (unsigned long long)row.event.id);
	rows->row++;
	*ret_row = row;
	return 1;
}
