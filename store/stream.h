/* store/stream.h - bytes and integers as compressed streams: the leaves that every column is made of. Free of I/O.
 *
 *	bytes    varint (length << 1), the bytes; or varint (length << 2 | 1), varint packed length and one zstd frame without its
 *	         magic number; or varint (length << 2 | 3), varint packed length and such frames, of 32 KiB of the bytes each,
 *	         with a varint for the length of each
 *	ints     a layout byte (store/ints.h), then
 *	           CONST   zigzag varint                       all values are this one
 *	           PLANES  packed numbers
 *	           DELTA   zigzag varint first value; packed differences
 *	           DELTA2  zigzag varint first value, first difference; packed differences of the differences
 *	           RECENT  packed ranks: how recently each value came before; see docs/format.md
 *	           FOLLOW  varint n; ints: how often each value below n is followed by one; packed values, by the one before them
 *	           DICT    varint n; ints: n numbers; ints: for each value which of them
 *	           AGAIN   varint n; ints: how recently each value came before, 0 for those that did not; ints: these n
 *	           GIVEN   ints: a value for each code of a column known beforehand; ints: rows that differ, as differences;
 *	                   ints: their values (both of the count that comes first, a varint)
 *	packed   zigzag varint base, varint scale, byte width; for each of `width` planes, bytes: value = base + scale * u, of
 *	         which the planes hold the least significant byte of each, then the next. Arithmetic wraps at 64 bits.
 *
 * How many values a stream holds is always known beforehand. Varints are LEB128.
 */
#ifndef IQ_STORE_STREAM_H
#define IQ_STORE_STREAM_H

#include "base/base.h"

/* No stream decodes to more bytes than this. */
#define IQ_STREAM_MAX_BYTES (256u << 20)

enum iq_ints_layout {
	IQ_INTS_CONST,
	IQ_INTS_PLANES,
	IQ_INTS_DELTA,
	IQ_INTS_DELTA2,
	IQ_INTS_GIVEN,
	IQ_INTS_RECENT,
	IQ_INTS_DICT,
	IQ_INTS_FOLLOW,
	IQ_INTS_AGAIN,
	IQ_INTS_LAYOUTS
};

/* Which values of a stream are wanted: `count` of all, from `first` on. The others are passed over, undecoded where a layout
 * allows it. */
struct iq_window {
	size_t all;
	size_t first;
	size_t count;
};

static inline struct iq_window iq_window_whole(size_t all)
{
	return (struct iq_window){ all, 0, all };
}

static inline bool iq_window_is_whole(struct iq_window window)
{
	return window.count == window.all;
}

/* Working memory for coding; not shared between threads. */
struct iq_codec;
/* `level`: of zstd. Caller owns; release with iq_codec_free(). NULL when memory is out. */
struct iq_codec *iq_codec_new(int level);
void iq_codec_free(struct iq_codec *codec);
int iq_codec_level(const struct iq_codec *codec);
/* The words that texts of all chunks of a segment share, while it is written; NULL: none. Borrowed until it is set anew. */
void iq_codec_share_words(struct iq_codec *codec, struct iq_map *words);
struct iq_map *iq_codec_words(const struct iq_codec *codec);
/* Room for `size` bytes, for the one that is at work; NULL when memory is out. Borrowed until it is asked for again. */
enum iq_scratch { IQ_SCRATCH_PLANES, IQ_SCRATCH_NUMBERS, IQ_SCRATCH_BYTES, IQ_SCRATCH_COUNT };
void *iq_codec_scratch(struct iq_codec *codec, enum iq_scratch which, size_t size);
/* Memory for a stream of which little is kept. Borrowed until it is asked for again. */
struct iq_arena *iq_codec_passing(struct iq_codec *codec);

int iq_varint_append(struct iq_buf *buf, uint64_t value);
int iq_zigzag_append(struct iq_buf *buf, int64_t value);
/* Takes one off the front of `rest`; false at its end or beyond 64 bits. */
bool iq_varint_take(struct iq_view *rest, uint64_t *ret_value);
bool iq_zigzag_take(struct iq_view *rest, int64_t *ret_value);
bool iq_byte_take(struct iq_view *rest, uint8_t *ret_byte);
bool iq_bytes_take(struct iq_view *rest, uint64_t len, struct iq_view *ret_bytes);

/* Appends a stream of bytes. */
int iq_stream_append_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out);
/* As above; of a long one parts can be read alone. */
int iq_stream_append_blocks(struct iq_codec *codec, struct iq_view bytes, struct iq_buf *out);
/* Appends one that is not compressed. */
int iq_stream_append_stored(struct iq_view bytes, struct iq_buf *out);
/* Takes one. Borrowed: from `rest` where it was not compressed, else from `arena`. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_stream_take_bytes(struct iq_codec *codec, struct iq_view *rest, struct iq_arena *arena,
			 struct iq_view *ret_bytes);
/* As above, of a stream that must decode to `window.all` bytes. Without an arena: Borrowed until the codec takes the next. */
int iq_stream_take_part(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, struct iq_arena *arena,
			struct iq_view *ret_bytes);

/* Appends a stream of integers in the layout that comes out smallest on a sample. */
int iq_stream_append_ints(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_buf *out);
/* As above, where `given` (codes below `given_count`, one for each value) may tell most values. */
int iq_stream_append_ints_given(struct iq_codec *codec, const int64_t *values, const int64_t *given, size_t given_count,
				size_t count, struct iq_buf *out);
/* About what the stream comes to, in sixteenths of bits for each value of a sample. */
uint64_t iq_stream_ints_cost(const int64_t *values, size_t count);
/* Takes a stream of `count` integers. Without `given` a stream that needs it is IQ_ERR_CORRUPT. */
int iq_stream_take_ints(struct iq_codec *codec, struct iq_view *rest, size_t count, const int64_t *given,
			struct iq_arena *arena, int64_t **ret_values);
/* As above, those of the window; `given` is of these. */
int iq_stream_take_some(struct iq_codec *codec, struct iq_view *rest, struct iq_window window, const int64_t *given,
			struct iq_arena *arena, int64_t **ret_values);

#endif
