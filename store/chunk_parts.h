/* store/chunk_parts.h - what the files that read chunks have in common, and nobody else.
 */
#ifndef IQ_STORE_CHUNK_PARTS_H
#define IQ_STORE_CHUNK_PARTS_H

#include "store/chunk.h"

/* Takes IQ_COLUMN_SESSION of a chunk that was not narrowed: from here on rows are known. Where times tell them, these are loaded, too. */
int iq_chunk_load_sessions(struct iq_chunk *chunk, struct iq_view bytes, struct iq_error *error);
/* The same of a narrowed chunk, which is of one session; and takes that column for the ids of its rows. */
int iq_chunk_fill_session(struct iq_chunk *chunk);
int iq_chunk_load_ids(struct iq_chunk *chunk, struct iq_view bytes, struct iq_error *error);
/* Takes times in session order: those of the window. Borrowed: from `arena`. */
int iq_chunk_take_times(struct iq_chunk *chunk, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
			int64_t **ret_ts);
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
