/* store/template.h - a text as constant text with slots (its template) and what stood in the slots. Free of I/O.
 *
 *	text       GET /orders/4711 took 3.20 ms at 2026-11-24T03:27:59.374Z
 *	template   GET /orders/<int> took <num> ms at <time:-T.>Z
 *
 * In a template `<` begins a slot and a literal one is doubled. What the slots stand for:
 *
 *	<str>             any text: what stood between quotation marks, or a word with digits in it
 *	<int>             a decimal integer as it is written without leading zeros
 *	<num>             a decimal fraction: an integer and a number of digits after the point
 *	<time:STYLE>      nanoseconds since 1970 as date and time, and a number of digits of its fraction
 *	<near:STYLE>      a time less than an hour from the event's ts, as the difference in the last place that is written
 *	<ts:STYLE> <observed:STYLE> <seq> <session> <source> <type> <key> <kind> <direction> <body:STYLE>
 *	                  what the event's own column holds, written as STYLE says
 *
 * STYLE of a time: the separator of the date, of date and time and, where there is one, of the fraction (`-T.` for RFC
 * 3339); or `s`, `ms`, `us`, `ns` for an integer and `s.` for a decimal fraction of seconds.
 *	<part:STYLE>      the next bytes of the body; the <body> that follows is the rest of it. No character is cut
 *
 * STYLE of a body: one character, `@` plus the bits of enum iq_escape: how the JSON string around it escapes it; of a part, as many digits more: how
 * many bytes; without digits it goes on up to and with the next line feed.
 *	<field:STYLE> <rawfield:STYLE>    a field (store/fields.h) of the body, or of the raw bytes: two hexadecimal digits for the byte that it ends
 *	                  before, `--` for the end of the text; then, unless it begins where the text does, two for the byte that it begins
 *	                  behind, and, in decimal, which one of these
 */
#ifndef IQ_STORE_TEMPLATE_H
#define IQ_STORE_TEMPLATE_H

#include "store/escape.h"
#include "store/fields.h"

/* Slots of one template; a text with more is kept as it is. */
#define IQ_TEMPLATE_MAX_SLOTS 256u
/* Bytes of a text that is looked at for a template. */
#define IQ_TEMPLATE_MAX_TEXT (64u << 10)

enum iq_slot_kind {
	IQ_SLOT_NONE, /* only constant text */
	IQ_SLOT_TEXT,
	IQ_SLOT_INT,
	IQ_SLOT_DECIMAL,
	IQ_SLOT_TIME,
	IQ_SLOT_NEAR,
	/* From here on the value is another column's; of times only the digits are kept. */
	IQ_SLOT_TS,
	IQ_SLOT_OBSERVED,
	IQ_SLOT_SEQ,
	IQ_SLOT_SESSION,
	IQ_SLOT_SOURCE,
	IQ_SLOT_TYPE,
	IQ_SLOT_KEY,
	IQ_SLOT_KIND,
	IQ_SLOT_DIRECTION,
	IQ_SLOT_BODY,
	IQ_SLOT_PART, /* of the body, which BODY is the rest of then */
	IQ_SLOT_BODY_FIELD,
	IQ_SLOT_RAW_FIELD,
	IQ_SLOT_COUNT
};

/* What stood in a slot. */
struct iq_slot_value {
	enum iq_slot_kind kind;
	uint8_t digits;	     /* DECIMAL, times: after the point */
	int64_t number;	     /* INT; DECIMAL without its point; TIME; NEAR: the difference */
	struct iq_view text; /* TEXT. Borrowed from the text that was split. */
};

/* The columns of the event that the text belongs to; NULL and IQ_TIME_NONE stand for "not to be looked for". */
struct iq_known {
	int64_t ts;
	int64_t observed;
	int64_t seq;
	struct iq_view texts
		[IQ_SLOT_COUNT]; /* SESSION to DIRECTION, BODY; BODY_FIELD and RAW_FIELD: all of the body and the raw bytes */
};

/* One piece of a template: constant text, then a slot. */
struct iq_piece {
	struct iq_view text; /* with `<<` undone */
	enum iq_slot_kind kind;
	char style[4];
	uint8_t escape;
	uint32_t part; /* PART: bytes of the body; 0: up to the end of its line */
	struct iq_field field;
};

/* The template that texts of one beginning are likely to have. */
struct iq_template_guess {
	struct iq_piece *pieces; /* NULL: none yet, or given up */
	size_t count;
	uint32_t shape; /* the caller's number of it */
	unsigned misses;
	bool seen;
};
#define IQ_TEMPLATE_GUESSES_LOG2 7u

struct iq_splitter {
	struct iq_buf pattern; /* the template */
	struct iq_slot_value values[IQ_TEMPLATE_MAX_SLOTS];
	size_t count;
	struct iq_known known;
	struct iq_template_guess guesses[1u << IQ_TEMPLATE_GUESSES_LOG2];
	struct iq_arena memory; /* of the guesses */
};

void iq_splitter_init(struct iq_splitter *splitter);
void iq_splitter_release(struct iq_splitter *splitter);
/* Where in a raw text its event's body stands, and how it is escaped there. */
struct iq_hole {
	uint32_t at; /* IQ_HOLE_NONE: nowhere */
	uint32_t len;
	uint8_t escape;
};
#define IQ_HOLE_NONE UINT32_MAX

/* Where a piece of the body stands, and how much of it that is. */
struct iq_body_part {
	uint32_t at;
	uint32_t len;
	uint32_t body_len;
};
/* A body in more pieces is not told from other text, and neither is a longer piece but the last. */
#define IQ_BODY_MAX_PARTS 64u
#define IQ_BODY_MAX_PART 9999999u

/* Splits `text`; what stands in `hole` (NULL: nowhere) is the body. False where it does not fit into a template; memory
 * that is out shows as `splitter->pattern.failed`. */
bool iq_template_split(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole);
/* As iq_template_split() without a body, of a text of several lines: the first one is split, and the others together are a text. */
bool iq_template_split_line(struct iq_splitter *splitter, struct iq_view text);
/* As iq_template_split() of a text in which the body stands in `count` pieces. */
bool iq_template_split_parts(struct iq_splitter *splitter, struct iq_view text, const struct iq_body_part *parts,
			     size_t count, unsigned escape);
/* As iq_template_split() of a text of which `count` values are fields, in order. */
bool iq_template_split_fields(struct iq_splitter *splitter, struct iq_view text, const struct iq_found_field *fields,
			      size_t count);
/* As iq_template_split() where the text has the template that was learned for texts that begin alike: then its number and the values
 * are set, but not `pattern`. That is several times as fast. */
bool iq_template_follow(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole,
			uint32_t *ret_shape);
/* `text` was split and has the template `pattern`, which is the caller's number `shape`. */
void iq_template_learn(struct iq_splitter *splitter, struct iq_view text, uint32_t shape);
/* The same with no slot but the body, for a text that iq_template_split() refused. */
void iq_template_keep(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole);

/* Reads a template into pieces; the last may have no slot. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. Borrowed: from `arena`. */
int iq_template_parse(struct iq_view pattern, struct iq_arena *arena, struct iq_piece **ret_pieces, size_t *ret_count);
/* The time that NEAR stands for. False beyond 64 bits. */
bool iq_slot_near_time(const struct iq_piece *piece, int64_t ts, int64_t difference, uint8_t digits, int64_t *ret_time);
/* Appends one slot as it was written. For all times `number` is the time itself. */
int iq_slot_append(struct iq_buf *buf, const struct iq_piece *piece, const struct iq_slot_value *value);
/* How long that is, of a number or a time. */
int iq_slot_length(const struct iq_piece *piece, const struct iq_slot_value *value, int64_t *ret_length);

#endif
