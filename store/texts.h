/* store/texts.h - a column of texts as bytes and back. Free of I/O.
 *
 * A column begins with a layout byte; with IQ_TEXTS_NULLS set, a bytes stream follows that has a bit for each value, least
 * significant first, set where there is one, and the rest holds these only. `n` is the number of values there are.
 *
 *	CONST   varint length, bytes                       all values are this one
 *	PLAIN   ints: n lengths; bytes: all of them
 *	DICT    varint count; texts: the words; ints: n indices
 *	FIXED   varint length; bytes: a character for each place, NUL where a hexadecimal digit varies; bytes: those digits,
 *	        two to a byte, the first one high
 *	WORDS   ints: n counts of words; varint count; ints: which words, of those that the chunks of a segment share. A space
 *	        divides words.
 *	SPLIT   see store/split.h
 *	FIELD   varint column; varint nth; bytes before, to the end (1) or not (0), after; texts: n, NULL where the text is that field
 *	        (store/fields.h) of the text of the same number of the column, of the split that both are in
 *	LINES   ints: n counts of lines; varint count; texts: the lines. A line feed divides lines.
 *	ESCAPED the same; a backslash and an n divide lines, as in a JSON string
 *
 * The layout is chosen by what a sample promises to be smallest. Columns lie in columns: the words of a dictionary or
 * the texts of a slot are columns of their own.
 */
#ifndef IQ_STORE_TEXTS_H
#define IQ_STORE_TEXTS_H

#include "store/shapes.h"
#include "store/stream.h"
#include "store/template.h"

enum iq_texts_layout {
	IQ_TEXTS_CONST,
	IQ_TEXTS_PLAIN,
	IQ_TEXTS_DICT,
	IQ_TEXTS_FIXED,
	IQ_TEXTS_WORDS,
	IQ_TEXTS_SPLIT,
	IQ_TEXTS_LINES,
	IQ_TEXTS_FIELD,
	IQ_TEXTS_ESCAPED,
	IQ_TEXTS_LAYOUTS,
	IQ_TEXTS_NULLS = 0x80
};

/* A segment's chunks do not share more words than this. */
#define IQ_WORDS_MAX (1u << 18)
/* Columns do not lie deeper in each other than this. */
#define IQ_TEXTS_MAX_DEPTH 8u
/* No form that texts of a column share is longer. */
#define IQ_FIXED_MAX_BYTES 4096u
/* No text of a column is longer. */
#define IQ_TEXT_MAX_BYTES (1u << 30)

/* Appends a column of `count` texts. `depth`: 0 for a column that is not part of another; it limits how far texts are taken
 * apart. */
int iq_texts_append(struct iq_codec *codec, const struct iq_view *values, size_t count, unsigned depth,
		    struct iq_buf *out);

/* The same with `append` for the texts that are not NULL. */
int iq_texts_append_present(struct iq_codec *codec, const struct iq_view *values, size_t count,
			    int (*append)(struct iq_codec *codec, const struct iq_view *values, size_t count,
					  void *context, struct iq_buf *out),
			    void *context, struct iq_buf *out);

/* A column that is being read. It lies in the arena, as do all its parts; they are decoded when they are first needed. */
struct iq_texts;

/* What a column may need that does not lie in it. Borrowed while the column is read. */
struct iq_texts_outside {
	/* Template `id` of the segment, or the NULL view. */
	struct iq_view (*pattern)(void *context, uint64_t id);
	/* Shared word `index` of the segment, or the NULL view. */
	struct iq_view (*word)(void *context, uint64_t index);
	void *context;
	/* Of a SPLIT whose shapes are a column of their own: those of the window. */
	const struct iq_shapes *shapes;
};

/* Opens a column of texts that `bytes` holds from its first to its last byte, of which those of the window are numbered from
 * 0 and the others passed over. `outside` may be NULL. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_open(struct iq_codec *codec, struct iq_view bytes, struct iq_window window, struct iq_arena *arena,
		  const struct iq_texts_outside *outside, struct iq_texts **ret_texts);
bool iq_texts_is_null(const struct iq_texts *texts, size_t index);
/* The text at `index`: where it lies in the arena already, or put together at the end of `scratch` (Borrowed until that
 * changes). `known` is needed where templates refer to other columns. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_get(struct iq_texts *texts, size_t index, const struct iq_known *known, struct iq_buf *scratch,
		 struct iq_view *ret_text);
/* Numbers the texts of a column that refers to nothing: `ret_codes`, one a text, is 0 for null, else the same number from 1 up to
 * *ret_words for the same text. Not all of these need occur. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_number(struct iq_texts *texts, uint32_t *ret_codes, size_t *ret_words);
/* Decodes what else would be decoded when the first text that needs it is asked for. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_open_all(struct iq_texts *texts);
/* Which columns of the event its templates refer to: bits of 1 << enum iq_slot_kind. */
uint32_t iq_texts_refers(const struct iq_texts *texts);

#endif
