/* Texts as numbers, so that whoever groups by them looks at each different one once. */
#include <stdlib.h>
#include <string.h>

#include "store/texts_parts.h"

/* Digits of a fixed form that fit into a number, and those few enough for the number to be a code. */
#define DIGITS_OF_NUMBER 16u
#define DIGITS_OF_CODE 4u

/* Numbers that were met, and their codes. */
struct numbering {
	uint64_t *numbers;
	uint32_t *codes; /* 0: free */
	size_t mask;
	uint32_t count;
};

static int init_numbering(struct numbering *numbering, size_t texts)
{
	size_t room = 16;

	while (room < 2 * texts)
		room *= 2;
	*numbering = (struct numbering){ .mask = room - 1 };
	numbering->numbers = malloc(room * sizeof(*numbering->numbers));
	numbering->codes = calloc(room, sizeof(*numbering->codes));
	return numbering->numbers && numbering->codes ? 0 : IQ_ERR_NOMEM;
}

static uint32_t code_of(struct numbering *numbering, uint64_t number)
{
	size_t at = (size_t)(number * 0x9e3779b97f4a7c15ull >> 24) & numbering->mask;

	while (numbering->codes[at] && numbering->numbers[at] != number)
		at = (at + 1) & numbering->mask;
	if (!numbering->codes[at]) {
		numbering->numbers[at] = number;
		numbering->codes[at] = ++numbering->count;
	}
	return numbering->codes[at];
}

/* The digits of one text of a fixed form. */
static uint64_t digits_of(const struct iq_texts *texts, size_t index)
{
	size_t nibble = texts->first_digit + index * texts->varying;
	uint64_t number = 0;

	for (size_t i = 0; i < texts->varying; i++, nibble++)
		number = number << 4 | ((unsigned char)texts->bytes.data[nibble / 2] >> (nibble % 2 ? 0 : 4) & 15);
	return number;
}

static int number_fixed(const struct iq_texts *texts, uint32_t *ret_codes, size_t *ret_words)
{
	struct numbering numbering;
	size_t rank = 0;
	int rc = init_numbering(&numbering, texts->varying <= DIGITS_OF_CODE ? 0 : texts->count);

	for (size_t i = 0; i < texts->total && rc == 0; i++) {
		if (iq_texts_is_null(texts, i))
			ret_codes[i] = 0;
		else if (texts->varying <= DIGITS_OF_CODE)
			ret_codes[i] = (uint32_t)digits_of(texts, rank++) + 1;
		else
			ret_codes[i] = code_of(&numbering, digits_of(texts, rank++));
	}
	*ret_words = texts->varying <= DIGITS_OF_CODE ? (size_t)1 << 4 * texts->varying : numbering.count;
	free(numbering.numbers);
	free(numbering.codes);
	return rc;
}

static void number_dict(const struct iq_texts *texts, uint32_t *ret_codes, size_t *ret_words)
{
	size_t rank = 0;

	for (size_t i = 0; i < texts->total; i++)
		ret_codes[i] = iq_texts_is_null(texts, i) ? 0 : (uint32_t)texts->codes[rank++] + 1;
	*ret_words = texts->word_count;
}

/* By the texts themselves. */
static int number_any(struct iq_texts *texts, uint32_t *ret_codes, size_t *ret_words)
{
	struct iq_map words = IQ_MAP_INIT;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view text;
	uint32_t code;
	int rc = 0;

	for (size_t i = 0; i < texts->total && rc >= 0; i++) {
		iq_buf_clear(&scratch);
		rc = iq_texts_get(texts, i, NULL, &scratch, &text);
		if (rc == 0 && text.data)
			rc = iq_map_intern(&words, text, &code);
		ret_codes[i] = rc >= 0 && text.data ? code + 1 : 0;
	}
	*ret_words = words.count;
	iq_map_release(&words);
	iq_buf_release(&scratch);
	return rc < 0 ? rc : 0;
}

int iq_texts_number(struct iq_texts *texts, uint32_t *ret_codes, size_t *ret_words)
{
	if (texts->layout == IQ_TEXTS_FIXED && texts->varying <= DIGITS_OF_NUMBER)
		return number_fixed(texts, ret_codes, ret_words);
	if (texts->layout != IQ_TEXTS_DICT)
		return number_any(texts, ret_codes, ret_words);
	number_dict(texts, ret_codes, ret_words);
	return 0;
}
