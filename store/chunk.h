/* store/chunk.h - a row group: events collected into columns, and columns decoded back. Free of I/O.
 */
#ifndef IQ_STORE_CHUNK_H
#define IQ_STORE_CHUNK_H

#include "store/codec.h"
#include "store/store.h"

/* The columns of a chunk as they are stored: those of enum iq_column but IQ_COLUMN_ID, which follows from the chunk's
 * first id and the row, and one more. */
#define IQ_STORED_BINARY IQ_COLUMN_COUNT /* 1 where the body is not valid UTF-8 */
#define IQ_STORED_COUNT (IQ_COLUMN_COUNT + 1)
/* `columns.id` of one column of one chunk. */
#define IQ_STORED_ID(chunk, column) ((int64_t)(chunk)*32 + (column))

bool iq_column_is_string(unsigned column);

/* What a reader knows of a chunk without decoding it. */
struct iq_zone {
	uint32_t chunk;
	uint32_t rows;
	uint64_t id_first;
	int64_t ts_min; /* INT64_MAX..INT64_MIN where no row has a ts */
	int64_t ts_max;
	uint32_t ts_nulls;
	uint32_t kinds;
	const uint32_t *sources; /* ascending numbers; 0 stands for none */
	size_t source_count;
	const uint32_t *sessions;
	size_t session_count;
	const struct iq_view *types; /* NULL views stand for events without a type */
	size_t type_count;
};

/* ---- Building ------------------------------------------------------------------------------------------------ */

struct iq_chunk_builder {
	uint32_t rows;
	uint64_t id_first;
	uint64_t bytes; /* of strings */
	int64_t *numbers[IQ_STORED_COUNT];
	struct iq_view *strings[IQ_STORED_COUNT];
	struct iq_arena memory;
};

int iq_chunk_builder_init(struct iq_chunk_builder *builder);
void iq_chunk_builder_release(struct iq_chunk_builder *builder);
/* Empties it; the next event's id begins the chunk. */
void iq_chunk_builder_clear(struct iq_chunk_builder *builder);
bool iq_chunk_builder_full(const struct iq_chunk_builder *builder);
/* Adds a row; event->id must follow the one before. */
int iq_chunk_builder_add(struct iq_chunk_builder *builder, const struct iq_event *event, uint32_t source_no);
/* One column, coded. */
int iq_chunk_builder_encode(const struct iq_chunk_builder *builder, unsigned column, struct iq_codec *codec,
			    struct iq_coded *ret_coded);
/* The zone map; its lists lie in `arena`. */
int iq_chunk_builder_zone(const struct iq_chunk_builder *builder, struct iq_arena *arena, struct iq_zone *ret_zone);

/* Lists of a zone map as blobs and back. */
int iq_zone_append_numbers(struct iq_buf *buf, const uint32_t *numbers, size_t count);
int iq_zone_append_texts(struct iq_buf *buf, const struct iq_view *texts, size_t count);
bool iq_zone_take_numbers(struct iq_view blob, struct iq_arena *arena, const uint32_t **ret_numbers, size_t *ret_count);
bool iq_zone_take_texts(struct iq_view blob, struct iq_arena *arena, const struct iq_view **ret_texts,
			size_t *ret_count);

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* Decoded columns of one chunk; a column that was not decoded is NULL. */
struct iq_chunk {
	const struct iq_zone *zone;
	int64_t *numbers[IQ_STORED_COUNT];
	struct iq_view *strings[IQ_STORED_COUNT];
	struct iq_arena memory;
};

void iq_chunk_release(struct iq_chunk *chunk);
/* Decodes one column. */
int iq_chunk_decode(struct iq_chunk *chunk, unsigned column, struct iq_codec *codec, const struct iq_coded *coded);

#endif
