/* query/feed.h - the events of a pass by id, a block of columns at a time. Private to the checker.
 *
 * A feed stands on one row of a block. iq_feed_enter() for each block, then iq_feed_fill() for the rows that are looked at as events:
 * texts are read when somebody asks for them. Belongs, with its checker, to one thread.
 */
#ifndef IQ_QUERY_FEED_H
#define IQ_QUERY_FEED_H

#include "query/checker.h"

/* Bits of a stream's name beyond those of a session's or a source's number. */
#define IQ_STREAM_OF_SOURCE 0x80000000u
/* Columns that are numbers or one of few names: they are read for every event. */
#define IQ_LIGHT_COLUMNS \
	(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_TS | 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_SESSION | \
	 1u << IQ_COLUMN_KIND | 1u << IQ_COLUMN_DIRECTION | 1u << IQ_COLUMN_TYPE)

struct iq_feed {
	struct iq_checker *checker;
	const struct iq_block *block;
	uint32_t row;
	uint64_t serial;
	uint32_t *types; /* by the block's codes: the checker's numbers */
	size_t type_capacity;
	struct iq_view *source_names; /* by number */
	size_t source_count;
	struct iq_event event;
	char session_name[IQ_SESSION_NAME_SIZE];
	struct iq_buf texts[2]; /* key and attrs of the event at hand */
};

/* Caller owns; release with iq_feed_release(). */
int iq_feed_init(struct iq_checker *checker, struct iq_feed *feed);
void iq_feed_release(struct iq_feed *feed);
int iq_feed_enter(struct iq_feed *feed, const struct iq_block *block);
/* The event of a row. Borrowed until the next one is filled. */
void iq_feed_fill(struct iq_feed *feed, uint32_t row, struct iq_seen *seen);
/* The number that the checker has for a type, IQ_SYMBOL_NONE for none. */
int iq_feed_type(struct iq_checker *checker, struct iq_view type, uint32_t *ret_number);

/* A number of a row; 0 where its column was not read. */
static inline int64_t iq_feed_number(const struct iq_block *block, enum iq_column column, uint32_t row)
{
	return block->numbers[column] ? block->numbers[column][row] : 0;
}

static inline uint64_t iq_feed_id(const struct iq_block *block, uint32_t row)
{
	return block->numbers[IQ_COLUMN_ID] ? (uint64_t)block->numbers[IQ_COLUMN_ID][row] : block->id_first + row;
}

static inline uint32_t iq_feed_stream(uint32_t session, uint32_t source)
{
	return session ? session : IQ_STREAM_OF_SOURCE | source;
}

#endif
