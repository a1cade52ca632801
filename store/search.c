#include "store/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "store/texts_parts.h"

/* So many ways of laying a literal over a template are looked at; beyond, its texts may all contain it. */
#define MAX_WAYS 4096u
/* No number has more digits, and no fraction. */
#define MAX_DIGITS 19u
#define MAX_FRACTION 18u

/* ---- Finding ---- */

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool equal(const char *text, const char *needle, size_t len, bool folded)
{
	if (!folded)
		return memcmp(text, needle, len) == 0;
	for (size_t i = 0; i < len; i++)
		if (fold(text[i]) != needle[i])
			return false;
	return true;
}

/* A bit for each of sixteen bytes that may be `c`: letters in both cases, and what differs from one in that bit. */
static unsigned either_case_marks(const char *data, char c, bool folded)
{
	const bool is_letter = folded && c >= 'a' && c <= 'z';

	return is_letter ? iq_byte_marks(data, c) | iq_byte_marks(data, (char)(c & ~0x20)) : iq_byte_marks(data, c);
}

/* The first and the last byte of the needle sixteen places at a time. */
size_t iq_search_find(struct iq_view text, struct iq_view needle, bool folded)
{
	size_t at = 0, last = needle.len - 1;

	if (needle.len == 0 || text.len < needle.len)
		return needle.len == 0 ? 0 : SIZE_MAX;
	for (; at + last + IQ_BLOCK <= text.len; at += IQ_BLOCK) {
		unsigned marks = either_case_marks(text.data + at, needle.data[0], folded) &
				 either_case_marks(text.data + at + last, needle.data[last], folded);

		for (; marks; marks &= marks - 1) {
			size_t place = at + (size_t)__builtin_ctz(marks);

			if (equal(text.data + place, needle.data, needle.len, folded))
				return place;
		}
	}
	for (; at + needle.len <= text.len; at++)
		if ((folded ? fold(text.data[at]) : text.data[at]) == needle.data[0] &&
		    equal(text.data + at, needle.data, needle.len, folded))
			return at;
	return SIZE_MAX;
}

static bool holds(struct iq_view text, const struct iq_needle *needle)
{
	return iq_search_find(text, needle->bytes, needle->folded) != SIZE_MAX;
}

/* ---- Texts that lie one after the other ---- */

static size_t text_at(const struct iq_texts *texts, uint64_t byte)
{
	size_t low = 0, high = texts->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (texts->starts[middle] <= byte)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void search_plain(const struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	size_t from = 0, found;

	while (from < texts->bytes.len &&
	       (found = iq_search_find(iq_view_from(texts->bytes, from), needle->bytes, needle->folded)) != SIZE_MAX) {
		size_t index = text_at(texts, from + found);

		if (from + found + needle->bytes.len <= texts->starts[index + 1]) {
			marks[index] = 1;
			from = (size_t)texts->starts[index + 1];
		} else {
			from += found + 1;
		}
	}
}

/* ---- Dictionaries ---- */

static int search_dict(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	uint8_t *words = iq_arena_calloc(texts->arena, texts->word_count + 1, 1);
	int rc = words ? iq_texts_search(texts->words, needle, words) : IQ_ERR_NOMEM;

	if (rc < 0 || !memchr(words, 1, texts->word_count))
		return rc;
	for (size_t i = 0; i < texts->count; i++)
		marks[i] = words[texts->codes[i]];
	return 0;
}

/* The longest part of the needle without a space lies in one word. */
static struct iq_view longest_word(struct iq_view needle)
{
	struct iq_view longest = { needle.data, 0 };
	size_t begin = 0;

	for (size_t i = 0; i <= needle.len; i++) {
		if (i < needle.len && needle.data[i] != ' ')
			continue;
		if (i - begin > longest.len)
			longest = iq_view_make(needle.data + begin, i - begin);
		begin = i + 1;
	}
	return longest;
}

/* Shared words are looked at once: 1 does not have the part, 2 has it. Of a word that cannot be read nothing is known. */
static bool word_holds(const struct iq_texts *texts, int64_t code, const struct iq_needle *part, uint8_t *known)
{
	struct iq_view word;

	if (!known[code]) {
		word = texts->inner.word(texts->inner.context, (uint64_t)code);
		known[code] = !word.data || holds(word, part) ? 2 : 1;
	}
	return known[code] == 2;
}

/* Words are shared by many columns and chunks: whether any has the part is found out once for all. */
static bool words_may_hold(const struct iq_needle *needle)
{
	const struct iq_view part = longest_word(needle->bytes);

	return part.len == 0 || !needle->any_word || needle->any_word(needle->context, part, needle->folded);
}

static int search_words(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	struct iq_needle part = *needle;
	uint8_t *known;

	part.bytes = longest_word(needle->bytes);
	if (part.bytes.len == 0) {
		memset(marks, 1, texts->count);
		return 0;
	}
	if (!words_may_hold(needle))
		return 0;
	known = calloc(texts->word_count + 1, 1);
	if (!known)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < texts->count; i++)
		for (uint32_t j = texts->starts[i]; j < texts->starts[i + 1] && !marks[i]; j++)
			marks[i] = word_holds(texts, texts->codes[j], &part, known);
	free(known);
	return 0;
}

/* What is longest of a needle that no line feed divides must lie in one line. */
static struct iq_view longest_line(struct iq_view needle, struct iq_view feed)
{
	struct iq_view longest = { .data = needle.data };

	/* It may begin, or end, in the middle of what divides lines. */
	if (feed.len > 1 && needle.len > 0 && needle.data[0] == feed.data[1])
		needle = iq_view_from(needle, 1);
	if (feed.len > 1 && needle.len > 0 && needle.data[needle.len - 1] == feed.data[0])
		needle.len--;
	while (needle.len > 0) {
		const size_t at = iq_view_find(needle, feed), len = at == SIZE_MAX ? needle.len : at;

		if (len > longest.len)
			longest = iq_view_make(needle.data, len);
		needle = iq_view_from(needle, at == SIZE_MAX ? len : len + feed.len);
	}
	return longest;
}

static int search_lines(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	const struct iq_needle part = { .bytes = longest_line(needle->bytes, texts->feed), .folded = needle->folded };
	uint8_t *lines = calloc((size_t)texts->starts[texts->count] + 1, 1);
	int rc = lines ? iq_texts_search(texts->words, &part, lines) : IQ_ERR_NOMEM;

	for (size_t i = 0; i < texts->count && rc == 0; i++)
		marks[i] = (part.bytes.len == 0 ||
			    memchr(lines + texts->starts[i], 1, texts->starts[i + 1] - texts->starts[i]) != NULL);
	free(lines);
	return rc;
}

/* ---- Texts of one form ---- */

/* Hexadecimal digits that must stand at the varying places, for the needle to be at one place. */
struct digits {
	uint16_t place[IQ_FIXED_MAX_BYTES];
	uint8_t value[IQ_FIXED_MAX_BYTES];
	size_t count;
};

static bool lay_over(const struct iq_texts *texts, const struct iq_needle *needle, size_t at, struct digits *digits)
{
	static const char hex[] = "0123456789abcdef";
	size_t varying = 0;

	digits->count = 0;
	for (size_t i = 0; i < at; i++)
		varying += texts->places.data[i] == '\0';
	for (size_t i = 0; i < needle->bytes.len; i++) {
		const char c = needle->bytes.data[i], here = texts->places.data[at + i];
		const char *digit;

		if (here) {
			if ((needle->folded ? fold(here) : here) != c)
				return false;
			continue;
		}
		digit = c ? strchr(hex, c) : NULL;
		if (!digit)
			return false;
		digits->place[digits->count] = (uint16_t)varying++;
		digits->value[digits->count++] = (uint8_t)(digit - hex);
	}
	return true;
}

static bool has_digits(const struct iq_texts *texts, size_t index, const struct digits *digits)
{
	for (size_t i = 0; i < digits->count; i++) {
		const size_t nibble = texts->first_digit + index * texts->varying + digits->place[i];

		if (((unsigned char)texts->bytes.data[nibble / 2] >> (nibble % 2 ? 0 : 4) & 15) != digits->value[i])
			return false;
	}
	return true;
}

static void search_fixed(const struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	struct digits digits;

	for (size_t at = 0; at + needle->bytes.len <= texts->places.len; at++)
		if (lay_over(texts, needle, at, &digits))
			for (size_t i = 0; i < texts->count; i++)
				marks[i] |= has_digits(texts, i, &digits);
}

/* ---- Numbers ---- */

static bool is_number(struct iq_view part, uint64_t *ret_number, uint64_t *ret_power)
{
	*ret_number = 0;
	*ret_power = 1;
	for (size_t i = 0; i < part.len; i++) {
		if (part.data[i] < '0' || part.data[i] > '9')
			return false;
		*ret_number = *ret_number * 10 + (uint64_t)(part.data[i] - '0');
		*ret_power *= 10;
	}
	return part.len <= MAX_DIGITS;
}

static bool number_holds(int64_t value, uint64_t number, uint64_t power)
{
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	for (;; rest /= 10) {
		if (rest % power == number)
			return true;
		if (rest < number || rest == 0)
			return false;
	}
}

/* ---- Texts in slots ---- */

/* A template as it is searched: constant text, with the slots that are the same in all texts, and slots. */
struct element {
	bool is_slot;
	struct iq_view text;
	enum iq_slot_kind kind;
	char style[4]; /* of times */
	size_t column; /* 1 + its number; 0: it refers to another column of the event */
};

/* A part of the needle that a column is searched for. */
struct request {
	size_t column;
	struct iq_view part;
};

struct search {
	struct iq_split *split;
	const struct iq_needle *needle;
	struct iq_arena *arena;
	struct element *elements; /* of the shape at hand */
	size_t element_count;
	unsigned ways;
	bool all;	 /* every text of the shape may contain the needle */
	bool keys;	 /* those may whose key may */
	uint8_t *shapes; /* what was found out: bits */
	struct request *requests;
	size_t request_count;
	size_t request_capacity;
	uint8_t **marks; /* by column */
	uint8_t *key_marks;
};
enum { SHAPE_ALL = 1, SHAPE_KEYS = 2 };

static int add_request(struct search *search, size_t column, struct iq_view part)
{
	for (size_t i = 0; i < search->request_count; i++)
		if (search->requests[i].column == column && search->requests[i].part.data == part.data &&
		    search->requests[i].part.len == part.len)
			return 0;
	if (search->request_count == search->request_capacity) {
		size_t capacity = search->request_capacity ? search->request_capacity * 2 : 32;
		struct request *grown = iq_arena_alloc(search->arena, capacity * sizeof(*grown));

		if (!grown)
			return IQ_ERR_NOMEM;
		if (search->request_count)
			memcpy(grown, search->requests, search->request_count * sizeof(*grown));
		search->requests = grown;
		search->request_capacity = capacity;
	}
	search->requests[search->request_count++] = (struct request){ column, part };
	return 0;
}

/* Can what is written of a number or a time hold the part? Of times, the style tells the characters beside the digits. */
static bool is_of_number(const struct element *slot, struct iq_view part)
{
	const bool is_time = slot->kind != IQ_SLOT_INT && slot->kind != IQ_SLOT_DECIMAL && slot->kind != IQ_SLOT_SEQ;

	for (size_t i = 0; i < part.len; i++) {
		const char c = part.data[i];
		bool fits = (c >= '0' && c <= '9') || c == '-' || c == '.' || (is_time && c == ':');

		for (size_t j = 0; is_time && !fits && j < sizeof(slot->style); j++)
			fits = c == slot->style[j] || c == fold(slot->style[j]);
		if (!fits)
			return false;
	}
	return true;
}

/* Can the slot hold the part at all? */
static bool may_hold(const struct search *search, const struct element *slot, struct iq_view part)
{
	switch (slot->kind) {
	case IQ_SLOT_TEXT:
	case IQ_SLOT_KEY:
		return true;
	case IQ_SLOT_INT:
	case IQ_SLOT_DECIMAL:
	case IQ_SLOT_TIME:
	case IQ_SLOT_NEAR:
	case IQ_SLOT_TS:
	case IQ_SLOT_OBSERVED:
	case IQ_SLOT_SEQ:
		return is_of_number(slot, part);
	default:
		return !search->needle->may_refer ||
		       search->needle->may_refer(search->needle->context, slot->kind, part, search->needle->folded);
	}
}

/* The needle lies over the template so that `part` stands in `slot`: which texts that concerns, its values tell. */
static int ask(struct search *search, const struct element *slot, struct iq_view part)
{
	uint64_t number, power;

	if (slot->kind == IQ_SLOT_KEY && search->needle->keys)
		search->keys = true;
	if (slot->kind == IQ_SLOT_KEY && search->needle->keys)
		return add_request(search, 0, part);
	if (slot->column > 0 &&
	    (slot->kind == IQ_SLOT_TEXT ||
	     ((slot->kind == IQ_SLOT_INT || slot->kind == IQ_SLOT_DECIMAL) && is_number(part, &number, &power))))
		return add_request(search, slot->column, part);
	search->all = true;
	return 0;
}

/* The way so far: the longest part of the needle that stands in a slot. */
struct way {
	const struct element *slot;
	struct iq_view part;
};

static int end_way(struct search *search, const struct way *way)
{
	if (way->slot)
		return ask(search, way->slot, way->part);
	search->all = true;
	return 0;
}

static struct way better(const struct way *way, const struct element *slot, struct iq_view part)
{
	return !way->slot || part.len > way->part.len ? (struct way){ slot, part } : *way;
}

/* Lays the needle from `at` on over the template from the beginning of element `index` on. */
static int follow(struct search *search, size_t index, size_t at, const struct way *way)
{
	const struct iq_view needle = search->needle->bytes;
	const struct element *element = &search->elements[index];
	size_t len = needle.len - at;
	struct way next;
	int rc = 0;

	if (at == needle.len)
		return end_way(search, way);
	if (index == search->element_count || search->all)
		return 0;
	if (++search->ways > MAX_WAYS) {
		search->all = true;
		return 0;
	}
	if (!element->is_slot) {
		len = element->text.len < len ? element->text.len : len;
		return equal(element->text.data, needle.data + at, len, search->needle->folded)
			       ? follow(search, index + 1, at + len, way)
			       : 0;
	}
	for (size_t part = len; rc == 0; part--) {
		const struct iq_view here = iq_view_make(needle.data + at, part);

		if (may_hold(search, element, here)) {
			next = better(way, element, here);
			rc = part == len ? end_way(search, &next) : follow(search, index + 1, at + part, &next);
		}
		if (part == 0)
			break;
	}
	return rc;
}

static int begin_in_text(struct search *search, size_t index)
{
	const struct iq_view text = search->elements[index].text, needle = search->needle->bytes;
	const struct way none = { 0 };
	int rc = 0;

	for (size_t at = 0; at < text.len && rc == 0 && !search->all; at++) {
		const size_t len = text.len - at < needle.len ? text.len - at : needle.len;

		if (equal(text.data + at, needle.data, len, search->needle->folded))
			rc = follow(search, index + 1, len, &none);
	}
	return rc;
}

static int begin_in_slot(struct search *search, size_t index)
{
	const struct element *slot = &search->elements[index];
	const struct iq_view needle = search->needle->bytes;
	int rc = may_hold(search, slot, needle) ? ask(search, slot, needle) : 0;

	for (size_t len = 1; len < needle.len && rc == 0 && !search->all; len++) {
		const struct way way = { slot, iq_view_make(needle.data, len) };

		if (may_hold(search, slot, way.part))
			rc = follow(search, index + 1, len, &way);
	}
	return rc;
}

/* What a slot that is the same in all texts stands for, as constant text; the NULL view where other columns are needed for it. */
static int constant_text(struct iq_split *split, const struct iq_piece *piece, size_t slot, struct iq_buf *scratch,
			 struct iq_view *ret_text)
{
	const int64_t index = split->constant_of[slot];
	struct iq_slot_value value = { .kind = piece->kind };

	*ret_text = IQ_VIEW_NULL;
	if (piece->kind == IQ_SLOT_TEXT)
		return iq_texts_get(split->constant_texts, (size_t)index, NULL, scratch, ret_text);
	if (piece->kind > IQ_SLOT_TIME)
		return 0;
	if ((uint64_t)split->constant_digits[index] > MAX_FRACTION)
		return IQ_ERR_CORRUPT;
	value.number = split->constant_numbers[index];
	value.digits = (uint8_t)split->constant_digits[index];
	if (iq_slot_append(scratch, piece, &value) < 0)
		return IQ_ERR_CORRUPT;
	*ret_text = iq_buf_view(scratch);
	return 0;
}

static int add_constant(struct search *search, const struct iq_piece *piece, size_t slot, struct iq_buf *text,
			bool *ret_known)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view constant;
	int rc = constant_text(search->split, piece, slot, &scratch, &constant);

	*ret_known = constant.data != NULL;
	if (rc == 0 && constant.data)
		rc = iq_buf_append(text, constant);
	iq_buf_release(&scratch);
	return rc;
}

static int end_text(struct search *search, struct iq_buf *text)
{
	struct element *element = &search->elements[search->element_count];

	if (text->len == 0)
		return 0;
	*element = (struct element){ .text = iq_arena_copy(search->arena, iq_buf_view(text)) };
	search->element_count++;
	iq_buf_clear(text);
	return element->text.data ? 0 : IQ_ERR_NOMEM;
}

static int add_piece(struct search *search, const struct iq_piece *piece, size_t *slot, struct iq_buf *text)
{
	struct element element = { .is_slot = true, .kind = piece->kind };
	bool known = false;
	int rc = iq_buf_append(text, piece->text);

	if (rc < 0 || piece->kind == IQ_SLOT_NONE)
		return rc;
	if (iq_slot_has_value(piece->kind)) {
		element.column = (size_t)search->split->columns_of[*slot];
		if (element.column == 0)
			rc = add_constant(search, piece, *slot, text, &known);
		++*slot;
	}
	if (rc < 0 || known)
		return rc;
	memcpy(element.style, piece->style, sizeof(element.style));
	rc = end_text(search, text);
	search->elements[search->element_count++] = element;
	return rc;
}

static int read_elements(struct search *search, const struct iq_split_shape *shape)
{
	struct iq_buf text = IQ_BUF_INIT;
	size_t slot = shape->first_slot;
	int rc = 0;

	search->element_count = 0;
	search->elements = iq_arena_alloc(search->arena, (2 * shape->piece_count + 2) * sizeof(struct element));
	if (!search->elements)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < shape->piece_count && rc == 0; i++)
		rc = add_piece(search, &shape->pieces[i], &slot, &text);
	if (rc == 0)
		rc = end_text(search, &text);
	iq_buf_release(&text);
	return rc;
}

static int search_shape(struct search *search, size_t shape)
{
	int rc = read_elements(search, &search->split->shapes[shape]);

	search->ways = 0;
	search->all = search->keys = false;
	for (size_t i = 0; i < search->element_count && rc == 0 && !search->all; i++)
		rc = search->elements[i].is_slot ? begin_in_slot(search, i) : begin_in_text(search, i);
	search->shapes[shape + 1] = (uint8_t)((search->all ? SHAPE_ALL : 0) | (search->keys ? SHAPE_KEYS : 0));
	return rc;
}

/* ---- The columns that were asked about ---- */

static int search_numbers(struct iq_split_column *column, struct iq_view part, uint8_t *marks)
{
	uint64_t number, power;

	if (!is_number(part, &number, &power))
		return IQ_ERR_CORRUPT;
	for (size_t i = 0; i < column->count; i++)
		marks[i] |= number_holds(column->numbers[i], number, power);
	return 0;
}

/* Does the column consist of shared words, none of which has the part? Then it need not be opened. */
static bool is_without(const struct iq_split_column *column, const struct iq_needle *needle)
{
	return column->kind == IQ_SLOT_TEXT && column->bytes.len > 0 &&
	       ((unsigned char)column->bytes.data[0] & ~IQ_TEXTS_NULLS) == IQ_TEXTS_WORDS && !words_may_hold(needle);
}

static int answer(struct search *search, const struct request *request)
{
	struct iq_split_column *column = request->column ? &search->split->columns[request->column - 1] : NULL;
	const struct iq_needle needle = { .bytes = request->part,
					  .folded = search->needle->folded,
					  .any_word = search->needle->any_word,
					  .context = search->needle->context };
	uint8_t **marks = column ? &search->marks[request->column - 1] : &search->key_marks;
	const size_t count = column ? column->count : search->split->count;
	uint8_t *found;
	int rc;

	if (column && is_without(column, &needle))
		return 0;
	found = iq_arena_calloc(search->arena, count + 1, 1);
	rc = found ? 0 : IQ_ERR_NOMEM;
	if (rc == 0 && column)
		rc = iq_split_open_column(search->split, column);
	if (rc == 0)
		rc = column && column->kind != IQ_SLOT_TEXT
			     ? search_numbers(column, request->part, found)
			     : iq_texts_search(column ? column->texts : search->needle->keys, &needle, found);
	if (rc < 0 || !memchr(found, 1, count))
		return rc;
	for (size_t i = 0; *marks && i < count; i++)
		found[i] |= (*marks)[i];
	*marks = found;
	return 0;
}

/* Which texts of which shapes may hold the needle whatever their own columns have? */
static void mark_shapes(const struct search *search, uint8_t *marks)
{
	const struct iq_split *split = search->split;
	uint8_t some = 0;

	for (size_t shape = 0; shape <= split->shape_count; shape++)
		some |= search->shapes[shape];
	if (!(some & SHAPE_ALL) && !(some & SHAPE_KEYS && search->key_marks))
		return;
	for (size_t i = 0; i < split->count; i++) {
		const uint8_t shape = search->shapes[split->shape_of[i]];

		marks[i] |= (shape & SHAPE_ALL) || (shape & SHAPE_KEYS && search->key_marks && search->key_marks[i]);
	}
}

static bool any_marks(const struct search *search)
{
	for (size_t i = 0; i < search->split->column_count; i++)
		if (search->marks[i])
			return true;
	return false;
}

/* From the values that were found to the texts that they stand in. */
static int mark_texts(struct search *search, uint8_t *marks)
{
	struct iq_split *split = search->split;
	int rc = iq_split_find_places(split);

	for (size_t i = 0; rc == 0 && i < split->count; i++) {
		const struct iq_split_shape *shape = split->shape_of[i] ? &split->shapes[split->shape_of[i] - 1] : NULL;
		const int64_t *columns = shape ? split->columns_of + shape->first_slot : NULL;
		const uint32_t *place = split->places + split->first_place[i];

		for (uint32_t left = shape ? shape->varying : 0; left > 0; columns++) {
			if (*columns == 0)
				continue;
			if (search->marks[*columns - 1])
				marks[i] |= search->marks[*columns - 1][*place];
			place++;
			left--;
		}
	}
	return rc;
}

static int search_unfit(struct search *search, uint8_t *marks)
{
	struct iq_split *split = search->split;
	uint8_t *found = iq_arena_calloc(search->arena, split->unfit_count + 1, 1);
	size_t at = 0;
	int rc = found ? 0 : IQ_ERR_NOMEM;

	if (rc == 0)
		rc = iq_split_open_unfit(split);
	if (rc == 0)
		rc = iq_texts_search(split->unfit, search->needle, found);
	for (size_t i = 0; rc == 0 && i < split->count && at < split->unfit_count; i++)
		if (split->shape_of[i] == 0)
			marks[i] |= found[at++];
	return rc;
}

static int search_split(struct iq_split *split, const struct iq_needle *needle, uint8_t *marks)
{
	struct search search = { .split = split, .needle = needle, .arena = split->arena };
	int rc = 0;

	search.shapes = iq_arena_calloc(search.arena, split->shape_count + 1, 1);
	search.marks = iq_arena_calloc(search.arena, split->column_count + 1, sizeof(uint8_t *));
	if (!search.shapes || !search.marks)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < split->shape_count && rc == 0; i++)
		rc = search_shape(&search, i);
	for (size_t i = 0; i < search.request_count && rc == 0; i++)
		rc = answer(&search, &search.requests[i]);
	if (rc == 0 && any_marks(&search))
		rc = mark_texts(&search, marks);
	if (rc == 0)
		mark_shapes(&search, marks);
	return rc == 0 && split->unfit_count > 0 ? search_unfit(&search, marks) : rc;
}

/* ---- A column ---- */

/* A field holds what its text does, or less. */
static int search_field(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	uint8_t *others = iq_arena_calloc(texts->arena, texts->count + 1, 1);
	int rc = others ? iq_texts_search(texts->source, needle, marks) : IQ_ERR_NOMEM;

	if (rc == 0)
		rc = iq_texts_search(texts->words, needle, others);
	for (size_t i = 0; rc == 0 && i < texts->count; i++)
		marks[i] |= others[i];
	return rc;
}

static int search_present(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	switch (texts->layout) {
	case IQ_TEXTS_CONST:
		memset(marks, holds(texts->bytes, needle), texts->count);
		return 0;
	case IQ_TEXTS_PLAIN:
		search_plain(texts, needle, marks);
		return 0;
	case IQ_TEXTS_DICT:
		return search_dict(texts, needle, marks);
	case IQ_TEXTS_FIXED:
		search_fixed(texts, needle, marks);
		return 0;
	case IQ_TEXTS_WORDS:
		return search_words(texts, needle, marks);
	case IQ_TEXTS_FIELD:
		return search_field(texts, needle, marks);
	case IQ_TEXTS_LINES:
	case IQ_TEXTS_ESCAPED:
		return search_lines(texts, needle, marks);
	default:
		return search_split(texts->split, needle, marks);
	}
}

/* Texts that are there are numbered without the others: from the last to the first, each goes where it belongs. */
static void spread(const struct iq_texts *texts, size_t count, uint8_t *marks)
{
	size_t present = texts->count;

	for (size_t i = count; i-- > 0;)
		marks[i] = iq_texts_is_null(texts, i) ? 0 : marks[--present];
}

int iq_texts_search(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks)
{
	int rc = 0;

	if (needle->bytes.len == 0)
		memset(marks, 1, texts->count);
	else
		rc = search_present(texts, needle, marks);
	if (rc == 0 && texts->presence.bits && memchr(marks, 1, texts->count))
		spread(texts, texts->total, marks);
	return rc;
}
