/* store/chunk_parts.h - what the files that read chunks have in common, and nobody else.
 */
#ifndef IQ_STORE_CHUNK_PARTS_H
#define IQ_STORE_CHUNK_PARTS_H

#include "store/chunk.h"

/* Takes IQ_COLUMN_SESSION: from here on rows are known, those of all sessions or of the one that the chunk was narrowed to. */
int iq_chunk_load_sessions(struct iq_chunk *chunk, struct iq_view bytes);
/* Brings numbers from session order into that of rows. */
int iq_chunk_to_rows(struct iq_chunk *chunk, int64_t **values);
/* Where numbers by row of the zone are decoded: where they stay, unless few of them are picked. */
struct iq_arena *iq_chunk_memory_by_row(struct iq_chunk *chunk);
/* Leaves of numbers by row of the zone those of the chunk. */
int iq_chunk_pick_rows(struct iq_chunk *chunk, int64_t **values);
/* One text into a scratch buffer of its own. */
int iq_chunk_get_text(struct iq_chunk *chunk, unsigned column, uint32_t row, struct iq_buf *scratch,
		      struct iq_view *ret_text);

#endif
