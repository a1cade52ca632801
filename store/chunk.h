/* store/chunk.h - a row group: events collected, coded into columns, and columns decoded back. Free of I/O.
 *
 * Rows are numbered in the order of ids. Most columns are stored in the order of sessions, and in that of ids inside one (the
 * session order), which brings alike values together and lets one session be read alone. Where times tell which row an event
 * has (store/times.h) they lie so, too; else times are stored in the order of ids, in which they hardly differ, and sessions as places in the
 * zone's list, from which the order follows. What a column holds is said in docs/format.md.
 *
 * The raw bytes of an event's evidence, from the end of the event before it to its own end, are a column as well. Where the
 * body was found in them it is taken out: it is the body column's.
 */
#ifndef IQ_STORE_CHUNK_H
#define IQ_STORE_CHUNK_H

#include <stdatomic.h>

#include "store/filter.h"
#include "store/store.h"
#include "store/texts.h"

/* The columns of a chunk as they are stored: those of enum iq_column, of which id, offset and length follow from
 * others, and these. */
enum iq_stored {
	IQ_STORED_FORM = IQ_COLUMN_COUNT, /* of the body: enum iq_body_form */
	IQ_STORED_SHAPE,		  /* of the body: 0, or 1 + which of its templates */
	IQ_STORED_RAW,			  /* raw bytes without the body */
	IQ_STORED_SKIP,			  /* raw bytes between the event before and this one that are not here */
	IQ_STORED_LEAD,			  /* offset of the event after the end of the one before it */
	IQ_STORED_EXCESS,		  /* its length less its raw bytes from its offset on */
	IQ_STORED_FILTER,		  /* see store/filter.h */
	IQ_STORED_WORDS,		  /* that this chunk adds to those that the segment's chunks share */
	IQ_STORED_COUNT
};
/* `columns.id` of one column of one chunk. */
#define IQ_STORED_ID(chunk, column) ((int64_t)(chunk)*32 + (column))
/* Those that have a blob of their own, how many they are, and how many of them are before a column. */
#define IQ_STORED_ALL \
	(((1u << IQ_STORED_COUNT) - 1u) & ~(1u << IQ_COLUMN_ID | 1u << IQ_COLUMN_OFFSET | 1u << IQ_COLUMN_LENGTH))
#define IQ_STORED_BLOBS (IQ_STORED_COUNT - 3u)
#define IQ_STORED_RANK(column) ((unsigned)__builtin_popcount(IQ_STORED_ALL & ((1u << (column)) - 1u)))

enum iq_body_form { IQ_BODY_TEXT, IQ_BODY_BINARY, IQ_BODY_NONE };

/* How many events of a chunk have this source, session or kind; or the offset at which an evidence's raw bytes begin. */
struct iq_zone_entry {
	uint32_t no;
	uint64_t value;
};

struct iq_zone_type {
	struct iq_view name; /* NULL: events without a type */
	uint32_t events;
};

/* What a reader knows of a chunk without decoding it. Lists are ordered by number. */
struct iq_zone {
	uint32_t chunk;
	uint32_t rows;
	uint64_t id_first;
	int64_t ts_min; /* INT64_MAX..INT64_MIN where no row has a ts */
	int64_t ts_max;
	uint32_t ts_nulls;
	int64_t length_min;
	int64_t length_max;
	int64_t length_sum;
	uint32_t kinds; /* bits */
	const struct iq_zone_entry *sources;
	size_t source_count;
	const struct iq_zone_entry *sessions; /* 0: none */
	size_t session_count;
	const struct iq_zone_type *types;
	size_t type_count;
	const struct iq_zone_entry *evidence;
	size_t evidence_count;
	const uint8_t *
		hashes; /* SHA-256 of each blob, in the order of their columns; NULL where it was not read from a segment */
};

/* ---- Building ------------------------------------------------------------------------------------------------ */

/* The raw bytes of one event. */
struct iq_raw_record {
	struct iq_view bytes;
	struct iq_hole hole; /* where the body stands in them */
	uint64_t skip;
	int64_t lead;
	int64_t excess;
	uint64_t offset; /* of the bytes in the evidence */
};

/* Columns are by row until the chunk is sorted, then in session order: everything that is done with a chunk goes through memory from
 * its beginning to its end. */
struct iq_chunk_builder {
	uint32_t count;
	uint32_t *rows;	 /* sorted: session order -> row; NULL: the same */
	uint32_t *order; /* memory for that */
	uint64_t id_first;
	uint64_t bytes; /* of texts */
	int64_t *numbers[IQ_STORED_COUNT];
	struct iq_view *texts[IQ_STORED_COUNT];
	struct iq_view *source_names;
	struct iq_view *session_names;
	struct iq_hole *holes; /* where the body stands in the raw bytes, which are kept whole */
	struct iq_map types;   /* with how many rows each has; numbers[IQ_COLUMN_TYPE]: 0 for none, else 1 + which */
	struct iq_map attrs;   /* those of all rows, while they are few: a text that repeats is here once */
	bool attrs_are_many;
	struct iq_zone_entry *evidence; /* with their raw offsets */
	size_t evidence_count;
	struct iq_pieces *pieces; /* of the bodies */
	struct iq_arena memory;
};

int iq_chunk_builder_init(struct iq_chunk_builder *builder);
void iq_chunk_builder_release(struct iq_chunk_builder *builder);
void iq_chunk_builder_clear(struct iq_chunk_builder *builder);
bool iq_chunk_builder_full(const struct iq_chunk_builder *builder);
/* Adds a row; event->id must follow the one before. Names are Borrowed until the chunk is coded. */
int iq_chunk_builder_add(struct iq_chunk_builder *builder, const struct iq_event *event, uint32_t source_no,
			 const struct iq_raw_record *raw);
struct iq_view iq_chunk_builder_type(const struct iq_chunk_builder *builder, uint32_t row);

/* Puts the rows into session order; none can be added then. After a failure it can only be cleared. */
int iq_chunk_builder_sort(struct iq_chunk_builder *builder);

/* Where templates get their numbers. */
struct iq_templates {
	/* The number of a template, `texts` more of which were seen between the times; negative on failure. */
	int64_t (*number)(void *context, struct iq_view pattern, uint64_t texts);
	/* Widens the times at which the template was seen. */
	void (*seen)(void *context, int64_t number, int64_t ts);
	void *context;
};

/* Codes the columns of a sorted chunk and the zone map, and hands over each column's bytes in the order of their numbers. The zone's lists
 * lie in `arena`. */
int iq_chunk_encode(const struct iq_chunk_builder *builder, struct iq_codec *codec,
		    const struct iq_templates *templates,
		    int (*column)(void *context, unsigned column, struct iq_view bytes), void *context,
		    struct iq_arena *arena, struct iq_zone *ret_zone);

/* Lists of a zone map as blobs and back. */
int iq_zone_append_entries(struct iq_buf *buf, const struct iq_zone_entry *entries, size_t count);
int iq_zone_append_types(struct iq_buf *buf, const struct iq_zone_type *types, size_t count);
bool iq_zone_take_entries(struct iq_view blob, struct iq_arena *arena, const struct iq_zone_entry **ret_entries,
			  size_t *ret_count);
bool iq_zone_take_types(struct iq_view blob, struct iq_arena *arena, const struct iq_zone_type **ret_types,
			size_t *ret_count);

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* What a chunk's columns need that lies elsewhere in its segment. Borrowed while the chunk is read. */
struct iq_chunk_outside {
	int (*read)(void *context, uint32_t chunk, unsigned column, struct iq_arena *arena, struct iq_view *ret_bytes,
		    struct iq_error *error);
	struct iq_view (*pattern)(void *context, uint64_t number);
	struct iq_view (*word)(void *context, uint64_t index);
	/* Can any word hold the part, in any case of ASCII letters where it is `folded`? NULL: it is not known. */
	bool (*any_word)(void *context, struct iq_view part, bool folded);
	struct iq_view (*source)(void *context, uint32_t no);
	struct iq_view (*session)(void *context, uint32_t no); /* its name in the evidence */
	void *context;
	/* Set where a pattern or a word was NULL for want of memory, so that it is not taken for damage; may be NULL. */
	atomic_bool *out_of_memory;
};

/* A chunk that is being read. Numbers are by row; a column that was not loaded is NULL. A chunk that was narrowed has the rows of
 * one session only, numbered from 0 by id; what lies by row is found by IQ_COLUMN_ID, which others need not load then. */
struct iq_chunk {
	const struct iq_zone *zone;
	const struct iq_chunk_outside *outside;
	struct iq_codec *codec;
	struct iq_window window; /* its rows, in session order; all of the zone unless it was narrowed */
	uint32_t count;		 /* of its rows */
	bool narrowed;
	uint32_t place;			   /* narrowed: of the session in the zone's list */
	uint32_t loaded;		   /* bits of enum iq_column and enum iq_stored */
	int64_t *numbers[IQ_STORED_COUNT]; /* ID: only where it was narrowed and loaded */
	struct iq_texts *texts[IQ_STORED_COUNT];
	struct iq_shapes shapes; /* IQ_STORED_SHAPE, in session order */
	uint32_t *rows;		 /* session order -> row; NULL: the same */
	uint32_t *positions;	 /* row -> session order; NULL: the same */
	struct iq_view filter;	 /* IQ_STORED_FILTER */
	struct iq_view times;	 /* IQ_COLUMN_TS as it is stored, while what else it tells is loaded */
	struct iq_view *types;	 /* by the codes that are numbers[IQ_COLUMN_TYPE] */
	size_t type_count;
	uint64_t *offsets; /* see iq_segment_locate() */
	uint64_t *lengths;
	struct iq_buf scratch[4]; /* key, body, what is asked for, raw bytes that it is taken from */
	struct iq_arena memory;
};

/* The zone, the codec and `outside` must outlive it. Release with iq_chunk_release(). */
void iq_chunk_init(struct iq_chunk *chunk, const struct iq_zone *zone, struct iq_codec *codec,
		   const struct iq_chunk_outside *outside);
void iq_chunk_release(struct iq_chunk *chunk);
/* Narrows a chunk of which nothing is loaded to the rows of a session, so that little of it is decoded. False, with nothing
 * changed, where the zone does not have the session. */
bool iq_chunk_narrow(struct iq_chunk *chunk, uint32_t session);
/* Needs IQ_COLUMN_ID, which costs nothing unless the chunk was narrowed; without it the row is told as if all were there. */
uint64_t iq_chunk_id(const struct iq_chunk *chunk, uint32_t row);
/* Loads the columns in `columns` (bits), and what they need. IQ_ERR_CORRUPT, IQ_ERR_NOMEM, and what reading fails with. */
int iq_chunk_load(struct iq_chunk *chunk, uint32_t columns, struct iq_error *error);
/* Decodes of loaded texts what would be decoded when the first of them is asked for. */
int iq_chunk_open_texts(struct iq_chunk *chunk, struct iq_error *error);
/* The text of a loaded column: key, attrs, body, IQ_STORED_RAW. Borrowed until the next call for the chunk. */
int iq_chunk_text(struct iq_chunk *chunk, unsigned column, uint32_t row, struct iq_view *ret_text);
/* Numbers the keys, which must be loaded: for each row 0 for none, else the same number from 1 up to *ret_words for the same key.
 * Borrowed until the chunk is released. */
int iq_chunk_number_keys(struct iq_chunk *chunk, const uint32_t **ret_codes, size_t *ret_words, struct iq_error *error);
/* Sets ret_marks[row] for each row whose key, body or attrs may contain `literal`; with `folded` in any case of ASCII letters. NULL where
 * none can: then only what was searched is decoded, else the column is loaded. Borrowed until the chunk is released. */
int iq_chunk_search(struct iq_chunk *chunk, unsigned column, struct iq_view literal, bool folded,
		    const uint8_t **ret_marks, struct iq_error *error);
/* The filter of the bodies. Borrowed until the chunk is released. */
int iq_chunk_filter(struct iq_chunk *chunk, struct iq_view *ret_filter, struct iq_error *error);
/* How many raw bytes each row has. Needs IQ_STORED_RAW. */
int iq_chunk_raw_lengths(struct iq_chunk *chunk, int64_t *ret_lengths);
/* What is loaded is in session order from now on, and rows are numbered so. */
int iq_chunk_by_session(struct iq_chunk *chunk);
/* The type of a row. Needs IQ_COLUMN_TYPE. */
struct iq_view iq_chunk_type(const struct iq_chunk *chunk, uint32_t row);

#endif
