/* store/codec.h - columns of a chunk as bytes and back. Free of I/O.
 *
 * A column is either numbers or strings. Its payload is built in one of the layouts below, whichever comes out smaller,
 * and compressed with zstd where that helps. docs/format.md describes the bytes.
 *
 *	numbers  PLAIN   each value, zigzag varint
 *	         DELTA   each value less the one before it (the first less 0, wrapping), zigzag varint
 *	strings  TEXT    a varint for each value (0 for NULL, else length + 1), then the bytes of all
 *	         DICT    varint count, a varint length each, the bytes of all;
 *	                 then a varint for each value (0 for NULL, else index + 1)
 */
#ifndef IQ_STORE_CODEC_H
#define IQ_STORE_CODEC_H

#include "base/base.h"

enum iq_codec_layout {
	IQ_LAYOUT_PLAIN = 0,
	IQ_LAYOUT_DELTA = 1,
	IQ_LAYOUT_TEXT = 2,
	IQ_LAYOUT_DICT = 3,
	IQ_LAYOUT_MASK = 0x0f,
	IQ_LAYOUT_ZSTD = 0x10 /* flag: the payload is one zstd frame */
};

/* Working memory for coding; not shared between threads. */
struct iq_codec;
/* Caller owns; release with iq_codec_free(). NULL when memory is out. */
struct iq_codec *iq_codec_new(void);
void iq_codec_free(struct iq_codec *codec);

/* A coded column. `data`: Borrowed until the next call on the codec. */
struct iq_coded {
	uint8_t layout; /* enum iq_codec_layout */
	size_t size;	/* bytes of the payload before compression */
	struct iq_view data;
};

int iq_codec_encode_numbers(struct iq_codec *codec, const int64_t *values, size_t count, struct iq_coded *ret_coded);
int iq_codec_encode_strings(struct iq_codec *codec, const struct iq_view *values, size_t count,
			    struct iq_coded *ret_coded);
/* Any bytes, compressed where that helps (layout is 0 or IQ_LAYOUT_ZSTD). */
int iq_codec_encode_bytes(struct iq_codec *codec, struct iq_view bytes, struct iq_coded *ret_coded);

/* The reverse. Payloads larger than IQ_COLUMN_MAX_BYTES, a size that differs from the declared one and trailing or
 * missing bytes are IQ_ERR_CORRUPT. Strings and their bytes are allocated in `arena`. */
int iq_codec_decode_numbers(struct iq_codec *codec, const struct iq_coded *coded, int64_t *ret_values, size_t count);
int iq_codec_decode_strings(struct iq_codec *codec, const struct iq_coded *coded, struct iq_arena *arena,
			    struct iq_view *ret_values, size_t count);
/* Appends the bytes to `buf`. */
int iq_codec_decode_bytes(struct iq_codec *codec, const struct iq_coded *coded, struct iq_buf *buf);

/* Varints as in the layouts: 7 bits a byte, least significant first (LEB128). */
int iq_varint_append(struct iq_buf *buf, uint64_t value);
/* Takes one off the front of `rest`; false at its end or beyond 64 bits. */
bool iq_varint_take(struct iq_view *rest, uint64_t *ret_value);

#endif
