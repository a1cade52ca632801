#include "store/template.h"

#include <stdio.h>
#include <string.h>

#include "event/event.h"

#define NS 1000000000

/* ---- Classes of bytes ---- */

enum byte_class { OTHER, DIGIT, LETTER, QUOTE, MINUS, ANGLE };

static const uint8_t classes[256] = {
	['"'] = QUOTE,	['-'] = MINUS,	['<'] = ANGLE,	['_'] = LETTER, ['0'] = DIGIT,	['1'] = DIGIT,	['2'] = DIGIT,
	['3'] = DIGIT,	['4'] = DIGIT,	['5'] = DIGIT,	['6'] = DIGIT,	['7'] = DIGIT,	['8'] = DIGIT,	['9'] = DIGIT,
	['a'] = LETTER, ['b'] = LETTER, ['c'] = LETTER, ['d'] = LETTER, ['e'] = LETTER, ['f'] = LETTER, ['g'] = LETTER,
	['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER,
	['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER,
	['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER, ['A'] = LETTER, ['B'] = LETTER,
	['C'] = LETTER, ['D'] = LETTER, ['E'] = LETTER, ['F'] = LETTER, ['G'] = LETTER, ['H'] = LETTER, ['I'] = LETTER,
	['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER, ['N'] = LETTER, ['O'] = LETTER, ['P'] = LETTER,
	['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER, ['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER, ['W'] = LETTER,
	['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
};

static enum byte_class class_of(char c)
{
	return (enum byte_class)classes[(unsigned char)c];
}

static bool is_word(char c)
{
	return class_of(c) == LETTER || class_of(c) == DIGIT;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- Times ---- */

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (H. Hinnant, "chrono-compatible low-level date
 * algorithms"). */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t era, y = year - (month <= 2);
	unsigned of_era, of_year;

	era = (y >= 0 ? y : y - 399) / 400;
	of_era = (unsigned)(y - era * 400);
	of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

static void date_of(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned of_era = (unsigned)(shifted - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;

	*ret_day = of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (unsigned)((int64_t)year + era * 400) + (*ret_month <= 2);
}

static bool take_two(const char *text, unsigned *ret_value)
{
	if (!is_digit(text[0]) || !is_digit(text[1]))
		return false;
	*ret_value = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
	return true;
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap_day = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (unsigned)leap_day;
}

#define DATE_TIME_LEN 19

/* `2026-11-24T03:27:59`; separators are left to the caller. */
static bool read_date_time(const char *text, int64_t *ret_seconds)
{
	unsigned century, year, month, day, hour, minute, second;

	if (!take_two(text, &century) || !take_two(text + 2, &year) || !take_two(text + 5, &month) ||
	    !take_two(text + 8, &day) || !take_two(text + 11, &hour) || !take_two(text + 14, &minute) ||
	    !take_two(text + 17, &second) || text[13] != ':' || text[16] != ':')
		return false;
	year += century * 100;
	if (year < 1970 || year > 2261 || !is_date(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return false;
	*ret_seconds = days_of(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
	return true;
}

static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };

struct time_text {
	int64_t ns;
	size_t len;
	uint8_t digits;
	char style[4];
};

static bool read_time(const char *text, size_t len, struct time_text *ret)
{
	size_t digits = 0;
	int64_t fraction = 0;

	if (len < DATE_TIME_LEN || text[4] != text[7] || (text[4] != '-' && text[4] != '.' && text[4] != '/') ||
	    (text[10] != 'T' && text[10] != ' ') || !read_date_time(text, &ret->ns))
		return false;
	*ret = (struct time_text){ .ns = ret->ns, .len = DATE_TIME_LEN, .style = { text[4], text[10] } };
	if (len > DATE_TIME_LEN && is_digit(text[DATE_TIME_LEN]))
		return false;
	if (len > DATE_TIME_LEN + 1 && (text[DATE_TIME_LEN] == '.' || text[DATE_TIME_LEN] == ','))
		for (const char *c = text + DATE_TIME_LEN + 1; c < text + len && is_digit(*c) && digits < 10; c++) {
			fraction = fraction * 10 + (*c - '0');
			digits++;
		}
	if (digits > 0 && digits < 10) {
		ret->style[2] = text[DATE_TIME_LEN];
		ret->digits = (uint8_t)digits;
		ret->len += 1 + digits;
	} else {
		fraction = 0;
	}
	ret->ns = ret->ns * NS + fraction * powers[9 - ret->digits];
	return true;
}

static char *put_digits(char *out, uint64_t value, unsigned count)
{
	for (unsigned i = count; i-- > 0; value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + count;
}

static int append_time(struct iq_buf *buf, const char style[4], int64_t ns, uint8_t digits)
{
	char text[40], *out = text;
	int64_t seconds = ns / NS, fraction = ns % NS;
	unsigned year, month, day, of_day;

	if (fraction < 0) {
		fraction += NS;
		seconds--;
	}
	of_day = (unsigned)((seconds % 86400 + 86400) % 86400);
	date_of((seconds - of_day) / 86400, &year, &month, &day);
	out = put_digits(out, year, 4);
	*out++ = style[0];
	out = put_digits(out, month, 2);
	*out++ = style[0];
	out = put_digits(out, day, 2);
	*out++ = style[1];
	out = put_digits(out, of_day / 3600, 2);
	*out++ = ':';
	out = put_digits(out, of_day / 60 % 60, 2);
	*out++ = ':';
	out = put_digits(out, of_day % 60, 2);
	if (style[2]) {
		*out++ = style[2];
		out = put_digits(out, (uint64_t)(fraction / powers[9 - digits]), digits);
	}
	return iq_buf_append(buf, iq_view_make(text, (size_t)(out - text)));
}

/* ---- Numbers ---- */

/* Digits of a number that is sure to fit, and of a whole one that may. */
#define MAX_DIGITS 18
#define MAX_INT_DIGITS 19

static char *put_int(char *out, int64_t value)
{
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[20], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (value < 0)
		*out++ = '-';
	memcpy(out, first, (size_t)(digits + sizeof(digits) - first));
	return out + (digits + sizeof(digits) - first);
}

static int append_int(struct iq_buf *buf, int64_t value)
{
	char text[24];

	return iq_buf_append(buf, iq_view_make(text, (size_t)(put_int(text, value) - text)));
}

static int append_decimal(struct iq_buf *buf, int64_t value, uint8_t digits)
{
	char text[48], *out = text;
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, power = 1;

	for (unsigned i = 0; i < digits && i < MAX_DIGITS; i++)
		power *= 10;
	if (value < 0)
		*out++ = '-';
	out = put_int(out, (int64_t)(magnitude / power));
	*out++ = '.';
	out = put_digits(out, magnitude % power, digits < MAX_DIGITS ? digits : MAX_DIGITS);
	return iq_buf_append(buf, iq_view_make(text, (size_t)(out - text)));
}

/* An integer or a decimal fraction at the front, exactly as it would be written again; its length, or 0. */
static size_t read_number(const char *text, size_t len, struct iq_slot_value *ret)
{
	size_t sign = len > 0 && text[0] == '-', i = sign, point = 0;
	uint64_t value = 0;

	while (i < len && is_digit(text[i]) && i - sign <= MAX_INT_DIGITS)
		value = value * 10 + (uint64_t)(text[i++] - '0');
	if (i == sign || i - sign > MAX_INT_DIGITS || (text[sign] == '0' && i - sign > 1) || value > INT64_MAX)
		return 0;
	if (i + 1 < len && text[i] == '.' && is_digit(text[i + 1])) {
		point = i++;
		while (i < len && is_digit(text[i]) && i - sign <= MAX_DIGITS)
			value = value * 10 + (uint64_t)(text[i++] - '0');
		if (i - sign - 1 > MAX_DIGITS - 1)
			return 0;
	}
	if (sign && value == 0)
		return 0;
	*ret = (struct iq_slot_value){ .kind = point ? IQ_SLOT_DECIMAL : IQ_SLOT_INT,
				       .digits = point ? (uint8_t)(i - point - 1) : 0,
				       .number = sign ? -(int64_t)value : (int64_t)value };
	return i;
}

/* ---- Slots by name ---- */

static const struct iq_view names[IQ_SLOT_COUNT] = {
	[IQ_SLOT_TEXT] = { "str", 3 },		[IQ_SLOT_INT] = { "int", 3 },
	[IQ_SLOT_DECIMAL] = { "num", 3 },	[IQ_SLOT_TIME] = { "time", 4 },
	[IQ_SLOT_NEAR] = { "near", 4 },		[IQ_SLOT_TS] = { "ts", 2 },
	[IQ_SLOT_OBSERVED] = { "observed", 8 }, [IQ_SLOT_SEQ] = { "seq", 3 },
	[IQ_SLOT_SESSION] = { "session", 7 },	[IQ_SLOT_SOURCE] = { "source", 6 },
	[IQ_SLOT_TYPE] = { "type", 4 },		[IQ_SLOT_KEY] = { "key", 3 },
	[IQ_SLOT_KIND] = { "kind", 4 },		[IQ_SLOT_DIRECTION] = { "direction", 9 },
	[IQ_SLOT_BODY] = { "body", 4 },		[IQ_SLOT_PART] = { "part", 4 },
	[IQ_SLOT_BODY_FIELD] = { "field", 5 },	[IQ_SLOT_RAW_FIELD] = { "rawfield", 8 },
};

static bool has_style(enum iq_slot_kind kind)
{
	return (kind >= IQ_SLOT_TIME && kind <= IQ_SLOT_OBSERVED) || kind >= IQ_SLOT_BODY;
}

static bool is_date_style(struct iq_view style)
{
	return (style.len == 2 || style.len == 3) && strchr("-./", style.data[0]) && strchr("T ", style.data[1]) &&
	       (style.len == 2 || strchr(".,", style.data[2]));
}

static bool is_unit_style(struct iq_view style)
{
	return iq_view_eq(style, IQ_LIT("s")) || iq_view_eq(style, IQ_LIT("ms")) || iq_view_eq(style, IQ_LIT("us")) ||
	       iq_view_eq(style, IQ_LIT("ns")) || iq_view_eq(style, IQ_LIT("s."));
}

/* How a body is escaped; of a part that is no line, also how many bytes it has. */
static bool set_body_style(struct iq_piece *piece, struct iq_view style)
{
	if (style.len < 1 || style.len > 8 || (piece->kind == IQ_SLOT_BODY && style.len > 1))
		return false;
	piece->escape = (uint8_t)(style.data[0] - '@');
	for (size_t i = 1; i < style.len; i++) {
		if (!is_digit(style.data[i]))
			return false;
		piece->part = piece->part * 10 + (uint32_t)(style.data[i] - '0');
	}
	return piece->escape <= (piece->kind == IQ_SLOT_BODY ? IQ_ESCAPE_BASE64 : IQ_ESCAPE_VERBATIM) &&
	       (style.len == 1 || piece->part > 0);
}

static bool take_byte(struct iq_view *style, uint8_t *ret_byte)
{
	const bool taken = style->len >= 2 && iq_unhex(iq_view_make(style->data, 2), ret_byte, 1);

	*style = iq_view_from(*style, 2);
	return taken;
}

static bool set_field_style(struct iq_piece *piece, struct iq_view style)
{
	struct iq_field *field = &piece->field;
	int64_t nth;

	field->to_end = style.len >= 2 && style.data[0] == '-' && style.data[1] == '-';
	if (field->to_end)
		style = iq_view_from(style, 2);
	else if (!take_byte(&style, &field->after))
		return false;
	if (style.len == 0)
		return true;
	if (!take_byte(&style, &field->before) || style.len == 0 || !is_digit(style.data[0]) ||
	    !iq_view_to_int64(style, &nth) || nth < 1 || nth > (int64_t)IQ_FIELD_MAX_NTH)
		return false;
	field->nth = (uint16_t)nth;
	return true;
}

static bool set_style(struct iq_piece *piece, struct iq_view style)
{
	if (!has_style(piece->kind))
		return style.data == NULL;
	if (!style.data)
		return false;
	if (piece->kind >= IQ_SLOT_BODY_FIELD)
		return set_field_style(piece, style);
	if (piece->kind >= IQ_SLOT_BODY)
		return set_body_style(piece, style);
	if (style.len > 3)
		return false;
	memcpy(piece->style, style.data, style.len);
	return is_date_style(style) || (piece->kind != IQ_SLOT_TIME && is_unit_style(style));
}

static bool parse_tag(struct iq_view tag, struct iq_piece *piece)
{
	const char *colon = memchr(tag.data, ':', tag.len);
	struct iq_view name = iq_view_make(tag.data, colon ? (size_t)(colon - tag.data) : tag.len);

	for (unsigned kind = IQ_SLOT_TEXT; kind < IQ_SLOT_COUNT; kind++) {
		if (!iq_view_eq(names[kind], name))
			continue;
		piece->kind = (enum iq_slot_kind)kind;
		return set_style(piece, colon ? iq_view_from(tag, name.len + 1) : IQ_VIEW_NULL);
	}
	return false;
}

/* Constant text up to the next slot, with `<<` undone, into `out`; what is left begins with the slot. */
static size_t take_constant(struct iq_view *pattern, char *out)
{
	size_t len = 0, i = 0;

	while (i < pattern->len) {
		if (pattern->data[i] == '<') {
			if (i + 1 == pattern->len || pattern->data[i + 1] != '<')
				break;
			i++;
		}
		out[len++] = pattern->data[i++];
	}
	*pattern = iq_view_from(*pattern, i);
	return len;
}

static size_t count_slots(struct iq_view pattern)
{
	size_t count = 0;

	for (size_t i = 0; i < pattern.len; i++)
		count += pattern.data[i] == '<';
	return count;
}

/* Parts and the rest of a body, escaped alike: put together they are as long as it is. */
static bool parts_fit(const struct iq_piece *pieces, size_t count)
{
	const struct iq_piece *before = NULL;

	for (size_t i = 0; i < count; i++) {
		if (pieces[i].kind != IQ_SLOT_PART && pieces[i].kind != IQ_SLOT_BODY)
			continue;
		if (before && before->escape != pieces[i].escape)
			return false;
		before = pieces[i].kind == IQ_SLOT_PART ? &pieces[i] : NULL;
	}
	return !before;
}

int iq_template_parse(struct iq_view pattern, struct iq_arena *arena, struct iq_piece **ret_pieces, size_t *ret_count)
{
	struct iq_piece *pieces = iq_arena_calloc(arena, count_slots(pattern) + 1, sizeof(*pieces));
	char *text = iq_arena_alloc(arena, pattern.len + 1);
	size_t count = 0, slots = 0;

	if (!pieces || !text)
		return IQ_ERR_NOMEM;
	while (pattern.len > 0) {
		struct iq_piece *piece = &pieces[count++];
		const char *end;

		piece->text = iq_view_make(text, take_constant(&pattern, text));
		text += piece->text.len;
		if (pattern.len == 0)
			break;
		end = memchr(pattern.data, '>', pattern.len);
		if (!end || ++slots > IQ_TEMPLATE_MAX_SLOTS ||
		    !parse_tag(iq_view_make(pattern.data + 1, (size_t)(end - pattern.data) - 1), piece))
			return IQ_ERR_CORRUPT;
		pattern = iq_view_from(pattern, (size_t)(end - pattern.data) + 1);
	}
	*ret_pieces = pieces;
	*ret_count = count;
	return parts_fit(pieces, count) ? 0 : IQ_ERR_CORRUPT;
}

static int append_unit_time(struct iq_buf *buf, const char *style, int64_t ns, uint8_t digits)
{
	if (strcmp(style, "s.") == 0)
		return append_decimal(buf, ns / powers[9 - (digits <= 9 ? digits : 9)], digits);
	return append_int(buf, ns / (style[0] == 's' ? NS : style[0] == 'm' ? 1000000 : style[0] == 'u' ? 1000 : 1));
}

/* Nanoseconds of the last place that is written. */
static int64_t last_place(const char *style, uint8_t digits)
{
	switch (style[0]) {
	case 's':
		return style[1] == '.' ? powers[9 - digits] : NS;
	case 'm':
		return 1000000;
	case 'u':
		return 1000;
	case 'n':
		return 1;
	default:
		return powers[9 - digits];
	}
}

bool iq_slot_near_time(const struct iq_piece *piece, int64_t ts, int64_t difference, uint8_t digits, int64_t *ret_time)
{
	int64_t unit = digits <= 9 ? last_place(piece->style, digits) : 1, places;

	return ts >= 0 && digits <= 9 && !__builtin_add_overflow(ts / unit, difference, &places) &&
	       !__builtin_mul_overflow(places, unit, ret_time) && *ret_time >= 0;
}

int iq_slot_append(struct iq_buf *buf, const struct iq_piece *piece, const struct iq_slot_value *value)
{
	switch (piece->kind) {
	case IQ_SLOT_INT:
	case IQ_SLOT_SEQ:
		return append_int(buf, value->number);
	case IQ_SLOT_DECIMAL:
		return append_decimal(buf, value->number, value->digits);
	case IQ_SLOT_TIME:
	case IQ_SLOT_NEAR:
	case IQ_SLOT_TS:
	case IQ_SLOT_OBSERVED:
		if (value->digits > 9)
			return IQ_ERR_CORRUPT;
		if (is_unit_style(iq_view_cstr(piece->style)))
			return append_unit_time(buf, piece->style, value->number, value->digits);
		return append_time(buf, piece->style, value->number, value->digits);
	case IQ_SLOT_BODY:
	case IQ_SLOT_PART:
		return iq_escape_append(buf, value->text, piece->escape);
	default:
		return iq_buf_append(buf, value->text);
	}
}

static int64_t int_length(int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	int64_t length = value < 0 ? 2 : 1;

	for (; magnitude >= 10; magnitude /= 10)
		length++;
	return length;
}

static int64_t decimal_length(int64_t value, uint8_t digits)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	for (unsigned i = 0; i < digits; i++)
		magnitude /= 10;
	return (value < 0) + int_length((int64_t)magnitude) + 1 + digits;
}

static int64_t unit_time_length(const char *style, int64_t ns, uint8_t digits)
{
	if (style[0] == 's' && style[1] == '.')
		return decimal_length(ns / powers[9 - digits], digits);
	return int_length(ns / (style[0] == 's' ? NS : style[0] == 'm' ? 1000000 : style[0] == 'u' ? 1000 : 1));
}

int iq_slot_length(const struct iq_piece *piece, const struct iq_slot_value *value, int64_t *ret_length)
{
	const bool is_time = piece->kind >= IQ_SLOT_TIME && piece->kind <= IQ_SLOT_OBSERVED;

	if (value->digits > (is_time ? 9 : MAX_DIGITS))
		return IQ_ERR_CORRUPT;
	if (piece->kind == IQ_SLOT_DECIMAL)
		*ret_length = decimal_length(value->number, value->digits);
	else if (!is_time)
		*ret_length = int_length(value->number);
	else if (is_unit_style(iq_view_cstr(piece->style)))
		*ret_length = unit_time_length(piece->style, value->number, value->digits);
	else
		*ret_length = DATE_TIME_LEN + (piece->style[2] ? 1 + value->digits : 0);
	return 0;
}

/* ---- Splitting ---- */

void iq_splitter_init(struct iq_splitter *splitter)
{
	splitter->pattern = (struct iq_buf)IQ_BUF_INIT;
	splitter->count = 0;
	splitter->memory = (struct iq_arena)IQ_ARENA_INIT;
	memset(splitter->guesses, 0, sizeof(splitter->guesses));
	splitter->known = (struct iq_known){ .ts = IQ_TIME_NONE, .observed = IQ_TIME_NONE, .seq = IQ_NUMBER_NONE };
}

void iq_splitter_release(struct iq_splitter *splitter)
{
	iq_buf_release(&splitter->pattern);
	iq_arena_release(&splitter->memory);
}

/* The text while it is split. */
struct split {
	struct iq_splitter *splitter;
	const char *text;
	size_t len;
	size_t at;
	size_t constant; /* where constant text that is not yet in the pattern begins */
	bool full;
	const struct iq_piece *expected; /* while a known template is followed: what the next slot is, */
	size_t expected_at;		 /* where it begins, */
	size_t expected_end;		 /* and where it ended; SIZE_MAX: it is not that slot */
};

static void flush_constant(struct split *split)
{
	if (split->at > split->constant)
		(void)iq_buf_append(&split->splitter->pattern,
				    iq_view_make(split->text + split->constant, split->at - split->constant));
	split->constant = split->at;
}

static void append_tag(struct iq_buf *pattern, enum iq_slot_kind kind, const char *style)
{
	char tag[24], *out = tag;

	*out++ = '<';
	memcpy(out, names[kind].data, names[kind].len);
	out += names[kind].len;
	if (style) {
		*out++ = ':';
		while (*style)
			*out++ = *style++;
	}
	*out++ = '>';
	(void)iq_buf_append(pattern, iq_view_make(tag, (size_t)(out - tag)));
}

/* Puts a slot in place of the next `len` bytes. */
static void put_slot(struct split *split, size_t len, const struct iq_slot_value *value, const char *style)
{
	struct iq_splitter *splitter = split->splitter;

	if (splitter->count == IQ_TEMPLATE_MAX_SLOTS) {
		split->full = true;
		return;
	}
	if (split->expected) {
		if (split->at == split->expected_at && split->expected->kind == value->kind &&
		    strcmp(split->expected->style, style ? style : "") == 0)
			split->expected_end = split->at + len;
	} else {
		flush_constant(split);
		append_tag(&splitter->pattern, value->kind, style);
	}
	splitter->values[splitter->count++] = *value;
	split->at += len;
	split->constant = split->at;
}

#define NEAR_NS (3600 * (int64_t)NS)

/* Less than an hour from ts? Then the difference is smaller than the time. */
static bool is_near(const struct iq_known *known, int64_t ns, const char *style, struct iq_slot_value *value)
{
	int64_t unit;

	if (known->ts < NEAR_NS || ns <= known->ts - NEAR_NS || ns >= known->ts + NEAR_NS)
		return false;
	unit = last_place(style, value->digits);
	value->kind = IQ_SLOT_NEAR;
	value->number = ns / unit - known->ts / unit;
	return true;
}

static void put_time(struct split *split, const struct time_text *time)
{
	const struct iq_known *known = &split->splitter->known;
	struct iq_slot_value value = { .kind = IQ_SLOT_TIME, .digits = time->digits, .number = time->ns };

	if (time->ns == known->ts)
		value.kind = IQ_SLOT_TS;
	else if (time->ns == known->observed)
		value.kind = IQ_SLOT_OBSERVED;
	else
		(void)is_near(known, time->ns, time->style, &value);
	put_slot(split, time->len, &value, time->style);
}

/* Is the number a known time since 1970 in one of the units? */
static bool put_unit_time(struct split *split, size_t len, struct iq_slot_value value)
{
	static const struct {
		const char *style;
		int64_t ns;
	} units[] = { { "s", NS }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
	const struct iq_known *known = &split->splitter->known;
	const int64_t times[] = { known->ts, known->observed };
	const int64_t number = value.number;

	if (len < 10 || number <= 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (times[i] == IQ_TIME_NONE)
			continue;
		value.kind = i == 0 ? IQ_SLOT_TS : IQ_SLOT_OBSERVED;
		value.number = times[i];
		if (value.digits > 0) {
			if (value.digits <= 9 && times[i] % powers[9 - value.digits] == 0 &&
			    times[i] / powers[9 - value.digits] == number) {
				put_slot(split, len, &value, "s.");
				return true;
			}
			continue;
		}
		for (unsigned unit = 0; unit < 4; unit++)
			if (times[i] % units[unit].ns == 0 && times[i] / units[unit].ns == number) {
				put_slot(split, len, &value, units[unit].style);
				return true;
			}
	}
	for (unsigned unit = 0; value.digits == 0 && unit < 4; unit++)
		if (number < INT64_MAX / units[unit].ns &&
		    is_near(known, number * units[unit].ns, units[unit].style, &value)) {
			put_slot(split, len, &value, units[unit].style);
			return true;
		}
	return false;
}

static bool is_known_text(const struct iq_known *known, const char *text, size_t len, enum iq_slot_kind *ret_kind)
{
	for (unsigned kind = IQ_SLOT_SESSION; kind <= IQ_SLOT_DIRECTION; kind++)
		if (known->texts[kind].len == len && known->texts[kind].data &&
		    memcmp(known->texts[kind].data, text, len) == 0) {
			*ret_kind = (enum iq_slot_kind)kind;
			return true;
		}
	return false;
}

static void put_number(struct split *split, size_t len, struct iq_slot_value *value)
{
	const struct iq_known *known = &split->splitter->known;

	if (put_unit_time(split, len, *value))
		return;
	if (value->kind == IQ_SLOT_INT && value->number == known->seq) {
		value->kind = IQ_SLOT_SEQ;
		split->splitter->known.seq = IQ_NUMBER_NONE; /* the first such number only */
	} else if (len >= 4 && known->texts[IQ_SLOT_KEY].len == len &&
		   memcmp(known->texts[IQ_SLOT_KEY].data, split->text + split->at, len) == 0) {
		value->kind = IQ_SLOT_KEY;
	}
	put_slot(split, len, value, NULL);
}

/* A text that stands for itself: a known one, or any. */
static void put_text(struct split *split, size_t len)
{
	const char *text = split->text + split->at;
	struct iq_slot_value value = { .kind = IQ_SLOT_TEXT, .text = iq_view_make(text, len) };

	if (len > 0)
		(void)is_known_text(&split->splitter->known, text, len, &value.kind);
	put_slot(split, len, &value, NULL);
}

/* What stands between quotation marks: a number or a time where it is nothing else, else a text. */
static bool is_zone(const char *text, size_t len)
{
	return len == 0 || (len == 1 && text[0] == 'Z') ||
	       (len == 6 && (text[0] == '+' || text[0] == '-') && is_digit(text[1]) && is_digit(text[2]) &&
		text[3] == ':' && is_digit(text[4]) && is_digit(text[5]));
}

static void put_quoted(struct split *split, size_t len)
{
	const char *text = split->text + split->at;
	struct iq_slot_value value;
	struct time_text time;

	if (len >= DATE_TIME_LEN && read_time(text, len, &time) && is_zone(text + time.len, len - time.len)) {
		put_time(split, &time);
		if (!split->full)
			split->at += len - time.len;
	} else if (len > 0 && len <= MAX_INT_DIGITS + 1 && (is_digit(text[0]) || text[0] == '-') &&
		   read_number(text, len, &value) == len) {
		put_number(split, len, &value);
	} else {
		put_text(split, len);
	}
}

/* The length of what is quoted, or SIZE_MAX where no mark ends it on its line. */
static size_t quoted_length(const char *text, size_t len)
{
	const struct iq_view view = iq_view_make(text, len);
	size_t pos = 0;

	for (;;) {
		pos = iq_string_end(view, pos);
		if (pos >= len || text[pos] == '\n')
			return SIZE_MAX;
		if (text[pos] == '"')
			return pos;
		pos += text[pos] == '\\' ? 2 : 1;
		if (pos >= len)
			return SIZE_MAX;
	}
}

static bool is_key(const struct split *split, size_t end)
{
	while (end < split->len && split->text[end] == ' ')
		end++;
	return end < split->len && split->text[end] == ':';
}

/* A name with several digits is data, not part of a shape. */
static bool is_plain_name(const char *text, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++) {
		digits += is_digit(text[i]);
		if (text[i] == '<')
			return false;
	}
	return digits < 3;
}

static void take_quote(struct split *split)
{
	const char *text = split->text + split->at + 1;
	size_t len = quoted_length(text, split->len - split->at - 1);

	split->at++;
	if (len == SIZE_MAX)
		return;
	if (is_key(split, split->at + len + 1) && is_plain_name(text, len)) {
		split->at += len + 1;
		return;
	}
	put_quoted(split, len);
	if (!split->full)
		split->at++;
}

static size_t word_length(const struct split *split, bool *ret_digits)
{
	size_t len = 0;

	*ret_digits = false;
	while (split->at + len < split->len && is_word(split->text[split->at + len]))
		*ret_digits |= is_digit(split->text[split->at + len++]);
	return len;
}

/* Digits before the first minus. */
#define UUID_HEAD 8u

/* 8-4-4-4-12 hexadecimal digits (RFC 9562). */
static bool is_uuid(const char *text, size_t len)
{
	unsigned others = 0;

	if (len < 36 || (len > 36 && is_word(text[36])))
		return false;
	if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
		return false;
	/* Which digits they are nobody can guess: no branches. */
	for (unsigned i = 0; i < 36; i++)
		others += !is_digit(text[i]) & !(((text[i] | 0x20) >= 'a') & ((text[i] | 0x20) <= 'f'));
	return others == 4;
}

static bool is_literal(const char *text, size_t len)
{
	return (len == 4 && (memcmp(text, "true", 4) == 0 || memcmp(text, "null", 4) == 0)) ||
	       (len == 5 && memcmp(text, "false", 5) == 0);
}

/* Letters and then a number that can be written again: `worker12`. */
static bool take_numbered(struct split *split, size_t len)
{
	const char *text = split->text + split->at;
	struct iq_slot_value value;
	size_t letters = len;

	while (letters > 0 && is_digit(text[letters - 1]))
		letters--;
	for (size_t i = 0; i < letters; i++)
		if (is_digit(text[i]))
			return false;
	if (letters == len || read_number(text + letters, len - letters, &value) != len - letters)
		return false;
	split->at += letters;
	put_number(split, len - letters, &value);
	return true;
}

static void take_word(struct split *split)
{
	const char *text = split->text + split->at;
	bool digits;
	size_t len = word_length(split, &digits);

	if (len == UUID_HEAD && is_uuid(text, split->len - split->at))
		put_text(split, 36);
	else if (!digits && is_literal(text, len))
		put_text(split, len);
	else if (!digits)
		split->at += len;
	else if (!take_numbered(split, len))
		put_text(split, len);
}

/* A number ends where neither a word nor a further point goes on (`1.2.3` is no number). */
static bool ends_number(const struct split *split, size_t end)
{
	if (end >= split->len)
		return true;
	return !is_word(split->text[end]) &&
	       !(split->text[end] == '.' && end + 1 < split->len && is_digit(split->text[end + 1]));
}

static void take_digits(struct split *split)
{
	const char *text = split->text + split->at;
	size_t left = split->len - split->at, len;
	struct iq_slot_value value;
	struct time_text time;
	bool digits;

	if (left >= DATE_TIME_LEN && read_time(text, left, &time)) {
		put_time(split, &time);
		return;
	}
	len = read_number(text, left, &value);
	if (len > 0 && value.kind == IQ_SLOT_DECIMAL &&
	    (!ends_number(split, split->at + len) || (split->at > 0 && text[-1] == '.'))) {
		len = (size_t)((const char *)memchr(text, '.', len) - text);
		(void)read_number(text, len, &value);
	}
	if (len > 0 && (split->at + len == split->len || !is_word(text[len]))) {
		put_number(split, len, &value);
		return;
	}
	if (is_uuid(text, left)) {
		put_text(split, 36);
		return;
	}
	len = word_length(split, &digits);
	put_text(split, len);
}

/* A minus belongs to a number that no word stands before. */
static void take_minus(struct split *split)
{
	const char *text = split->text + split->at;
	size_t left = split->len - split->at, len;
	struct iq_slot_value value;

	if (left > 1 && is_digit(text[1]) && (split->at == 0 || !is_word(text[-1]))) {
		len = read_number(text, left, &value);
		if (len > 0 && ends_number(split, split->at + len)) {
			put_number(split, len, &value);
			return;
		}
	}
	split->at++;
}

static void take_angle(struct split *split)
{
	split->at++;
	flush_constant(split);
	(void)iq_buf_append_char(&split->splitter->pattern, '<');
}

static void split_range(struct split *split)
{
	while (split->at < split->len && !split->full) {
		switch (class_of(split->text[split->at])) {
		case QUOTE:
			take_quote(split);
			break;
		case DIGIT:
			take_digits(split);
			break;
		case LETTER:
			take_word(split);
			break;
		case MINUS:
			take_minus(split);
			break;
		case ANGLE:
			take_angle(split);
			break;
		default:
			split->at++;
		}
	}
	flush_constant(split);
}

/* After a body that stood between quotation marks: the rest of what was quoted is constant. */
static void skip_quote_end(struct split *split)
{
	const char *mark = memchr(split->text + split->at, '"', split->len - split->at);

	if (mark && !memchr(split->text + split->at, '<', (size_t)(mark - split->text) - split->at))
		split->at = (size_t)(mark - split->text) + 1;
}

static void put_body(struct split *split, const struct iq_hole *hole)
{
	const char style[2] = { (char)('@' + hole->escape), '\0' };
	struct iq_slot_value value = { .kind = IQ_SLOT_BODY };

	put_slot(split, hole->len, &value, style);
	if (!split->full && hole->escape != IQ_ESCAPE_VERBATIM)
		skip_quote_end(split);
}

/* A template that so many texts in a row did not have is not looked for any more. */
#define MAX_MISSES 16u

/* ---- Following a template that is known ---- */

/* Texts that begin alike are mostly of one template. */
static struct iq_template_guess *guess_for(struct iq_splitter *splitter, struct iq_view text)
{
	uint64_t head[2] = { 0, 0 };

	memcpy(head, text.data, text.len < sizeof(head) ? text.len : sizeof(head));
	return &splitter->guesses[((head[0] ^ head[1] * 31) * UINT64_C(0x9e3779b97f4a7c15)) >>
				  (64 - IQ_TEMPLATE_GUESSES_LOG2)];
}

/* A slot is taken as it would be if the template were not known; what it becomes must be what the template has there. */
static bool take_expected(struct split *split, const struct iq_piece *piece, const struct iq_hole *hole)
{
	const char *text = split->text + split->at;
	size_t len;

	split->expected = piece;
	split->expected_at = split->at;
	split->expected_end = SIZE_MAX;
	if (piece->kind == IQ_SLOT_BODY) {
		if (!hole || split->at != hole->at || piece->escape != hole->escape)
			return false;
		split->splitter->values[split->splitter->count++] = (struct iq_slot_value){ .kind = IQ_SLOT_BODY };
		split->expected_end = split->at += hole->len;
		return true;
	}
	if (split->at > 0 && text[-1] == '"') {
		len = quoted_length(text, split->len - split->at);
		if (len == SIZE_MAX)
			return false;
		put_quoted(split, len);
	} else if (split->at == split->len) {
		return false;
	} else if (class_of(*text) == DIGIT) {
		take_digits(split);
	} else if (class_of(*text) == LETTER) {
		take_word(split);
	} else {
		take_minus(split);
	}
	split->at = split->expected_end;
	return split->expected_end != SIZE_MAX;
}

static bool follow_pieces(struct split *split, const struct iq_template_guess *guess, const struct iq_hole *hole)
{
	bool body = false;

	for (size_t i = 0; i < guess->count; i++) {
		const struct iq_piece *piece = &guess->pieces[i];

		body |= piece->kind == IQ_SLOT_BODY;
		if (split->len - split->at < piece->text.len ||
		    memcmp(split->text + split->at, piece->text.data, piece->text.len) != 0)
			return false;
		split->at += piece->text.len;
		if (piece->kind != IQ_SLOT_NONE &&
		    (split->splitter->count == IQ_TEMPLATE_MAX_SLOTS || !take_expected(split, piece, hole)))
			return false;
	}
	return split->at == split->len && body == (hole != NULL);
}

bool iq_template_follow(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole,
			uint32_t *ret_shape)
{
	struct split split = { .splitter = splitter, .text = text.data, .len = text.len };
	struct iq_template_guess *guess = guess_for(splitter, text);
	const struct iq_known known = splitter->known;

	if (!guess->pieces || text.len > IQ_TEMPLATE_MAX_TEXT)
		return false;
	splitter->count = 0;
	if (follow_pieces(&split, guess, hole)) {
		guess->misses = 0;
		*ret_shape = guess->shape;
		return true;
	}
	splitter->known = known;
	if (++guess->misses >= MAX_MISSES)
		guess->pieces = NULL;
	return false;
}

void iq_template_learn(struct iq_splitter *splitter, struct iq_view text, uint32_t shape)
{
	struct iq_template_guess *guess = guess_for(splitter, text);
	const bool again = guess->seen && guess->shape == shape;

	/* One that was given up is not tried again. */
	if (guess->misses >= MAX_MISSES || (again && guess->pieces))
		return;
	if (!guess->pieces)
		guess->shape = shape;
	guess->seen = true;
	if (again &&
	    iq_template_parse(iq_buf_view(&splitter->pattern), &splitter->memory, &guess->pieces, &guess->count) < 0)
		guess->pieces = NULL;
}

/* ---- Splitting a text of which nothing is known ---- */

bool iq_template_split(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole)
{
	struct split split = { .splitter = splitter, .text = text.data, .len = hole ? hole->at : text.len };

	iq_buf_clear(&splitter->pattern);
	splitter->count = 0;
	if (text.len > IQ_TEMPLATE_MAX_TEXT)
		return false;
	split_range(&split);
	if (hole && !split.full) {
		split.len = text.len;
		put_body(&split, hole);
		split_range(&split);
	}
	return !split.full && !splitter->pattern.failed;
}

bool iq_template_split_line(struct iq_splitter *splitter, struct iq_view text)
{
	const char *feed = memchr(text.data, '\n', text.len);
	struct split split = { .splitter = splitter, .text = text.data, .len = (size_t)(feed - text.data) };

	iq_buf_clear(&splitter->pattern);
	splitter->count = 0;
	if (split.len > IQ_TEMPLATE_MAX_TEXT)
		return false;
	split_range(&split);
	if (split.full)
		return false;
	split.len = text.len;
	split.at++;
	put_text(&split, text.len - split.at);
	flush_constant(&split);
	return !split.full && !splitter->pattern.failed;
}

/* Of the body behind what is `taken` of it. */
static void put_part(struct split *split, const struct iq_body_part *part, size_t taken, unsigned escape)
{
	const struct iq_slot_value value = { .kind = IQ_SLOT_PART };
	const char *body = split->splitter->known.texts[IQ_SLOT_BODY].data + taken;
	const bool is_line = memchr(body, '\n', part->body_len) == body + part->body_len - 1;
	char style[16] = { (char)('@' + escape) };

	if (!is_line)
		(void)snprintf(style + 1, sizeof(style) - 1, "%u", (unsigned)part->body_len);
	put_slot(split, part->len, &value, style);
	if (!split->full && escape != IQ_ESCAPE_VERBATIM)
		skip_quote_end(split);
}

bool iq_template_split_parts(struct iq_splitter *splitter, struct iq_view text, const struct iq_body_part *parts,
			     size_t count, unsigned escape)
{
	struct split split = { .splitter = splitter, .text = text.data };
	size_t other = text.len, taken = 0;

	iq_buf_clear(&splitter->pattern);
	splitter->count = 0;
	for (size_t i = 0; i < count; i++)
		other -= parts[i].len;
	if (other > IQ_TEMPLATE_MAX_TEXT)
		return false;
	for (size_t i = 0; i < count && !split.full; i++) {
		split.len = parts[i].at;
		split_range(&split);
		split.len = text.len;
		if (split.full)
			break;
		if (i + 1 < count)
			put_part(&split, &parts[i], taken, escape);
		else
			put_body(&split, &(struct iq_hole){ parts[i].at, parts[i].len, (uint8_t)escape });
		taken += parts[i].body_len;
	}
	split_range(&split);
	return !split.full && !splitter->pattern.failed;
}

static void put_field(struct split *split, const struct iq_found_field *found)
{
	const struct iq_slot_value value = { .kind = found->source == IQ_FIELD_OF_BODY ? IQ_SLOT_BODY_FIELD
										       : IQ_SLOT_RAW_FIELD };
	const struct iq_field *field = found->field;
	char style[16] = "--";

	if (!field->to_end)
		iq_hex(&field->after, 1, style);
	if (field->nth > 0)
		(void)snprintf(style + 2, sizeof(style) - 2, "%02x%u", field->before, field->nth);
	put_slot(split, found->len, &value, style);
	/* The mark that ends a string begins none. */
	if (!split->full && split->at < split->len && split->text[split->at] == '"')
		split->at++;
}

bool iq_template_split_fields(struct iq_splitter *splitter, struct iq_view text, const struct iq_found_field *fields,
			      size_t count)
{
	struct split split = { .splitter = splitter, .text = text.data };

	iq_buf_clear(&splitter->pattern);
	splitter->count = 0;
	if (text.len > IQ_TEMPLATE_MAX_TEXT)
		return false;
	for (size_t i = 0; i < count && !split.full; i++) {
		split.len = fields[i].at;
		split_range(&split);
		split.len = text.len;
		if (!split.full)
			put_field(&split, &fields[i]);
	}
	if (!split.full)
		split_range(&split);
	return !split.full && !splitter->pattern.failed;
}

static void append_doubled(struct iq_buf *pattern, struct iq_view text)
{
	for (;;) {
		const char *angle = text.len ? memchr(text.data, '<', text.len) : NULL;
		size_t len = angle ? (size_t)(angle - text.data) + 1 : text.len;

		(void)iq_buf_append(pattern, iq_view_make(text.data, len));
		if (!angle)
			return;
		(void)iq_buf_append_char(pattern, '<');
		text = iq_view_from(text, len);
	}
}

void iq_template_keep(struct iq_splitter *splitter, struct iq_view text, const struct iq_hole *hole)
{
	const char style[2] = { (char)('@' + hole->escape), '\0' };

	iq_buf_clear(&splitter->pattern);
	append_doubled(&splitter->pattern, iq_view_make(text.data, hole->at));
	append_tag(&splitter->pattern, IQ_SLOT_BODY, style);
	append_doubled(&splitter->pattern, iq_view_from(text, (size_t)hole->at + hole->len));
	splitter->values[0] = (struct iq_slot_value){ .kind = IQ_SLOT_BODY };
	splitter->count = 1;
}
