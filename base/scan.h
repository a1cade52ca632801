/* base/scan.h - finding the next byte of interest sixteen at a time: what JSON strings, their escapes and templates are
 * scanned with. Free of I/O. SSE2 where the compiler targets it (all of x86-64), else byte by byte with the same result.
 */
#ifndef IQ_BASE_SCAN_H
#define IQ_BASE_SCAN_H

#include <inquest/base.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes that are looked at together. */
#define IQ_BLOCK 16u

/* A bit for each of the sixteen bytes at `data` that is a quotation mark, a backslash or a control character. */
static inline unsigned iq_string_marks(const char *data)
{
#ifdef __SSE2__
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
	const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
	const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++)
		marks |= (unsigned)((unsigned char)data[i] < 0x20 || data[i] == '"' || data[i] == '\\') << i;
	return marks;
#endif
}

/* A bit for each of the sixteen bytes at `data` that equals `c`. */
static inline unsigned iq_byte_marks(const char *data, char c)
{
#ifdef __SSE2__
	return (unsigned)_mm_movemask_epi8(
		_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)data), _mm_set1_epi8(c)));
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++)
		marks |= (unsigned)(data[i] == c) << i;
	return marks;
#endif
}

/* A bit for each of the sixteen bytes that differs between `a` and `b`. */
static inline unsigned iq_differing_marks(const char *a, const char *b)
{
#ifdef __SSE2__
	return 0xffffu ^ (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)a),
								    _mm_loadu_si128((const __m128i *)(const void *)b)));
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++)
		marks |= (unsigned)(a[i] != b[i]) << i;
	return marks;
#endif
}

/* A bit for each of the sixteen bytes at `data` that some JSON writer escapes: control characters, quotation marks,
 * backslashes, `/ & < >`, and everything from U+007F on. */
static inline unsigned iq_escaped_marks(const char *data)
{
#ifdef __SSE2__
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
	/* Signed: bytes from 0x80 on are below the space as well. `<` and `>` differ in a bit. */
	__m128i marks =
		_mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));

	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('&')));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
	return (unsigned)_mm_movemask_epi8(marks);
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++) {
		const unsigned char c = (unsigned char)data[i];

		marks |= (unsigned)(c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/' || c == '&' ||
				    c == '<' || c == '>')
			 << i;
	}
	return marks;
#endif
}

/* A bit for each of the sixteen bytes at `data` that words are made of: ASCII letters, digits, and `- . / _`. */
static inline unsigned iq_word_marks(const char *data)
{
#ifdef __SSE2__
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
	const __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	const __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('-')); /* - . / and the digits follow each other */
	__m128i marks = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8('z' - 'a')), letter);

	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8('9' - '-')), digit));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(marks, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_'))));
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++)
		marks |= (unsigned)(((data[i] | 0x20) >= 'a' && (data[i] | 0x20) <= 'z') ||
				    (data[i] >= '-' && data[i] <= '9') || data[i] == '_')
			 << i;
	return marks;
#endif
}

/* A bit for each of the sixteen bytes at `data` that is no hexadecimal digit as they are mostly written, in lower case. */
static inline unsigned iq_no_hex_marks(const char *data)
{
#ifdef __SSE2__
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
	const __m128i letter = _mm_sub_epi8(bytes, _mm_set1_epi8('a')), digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
	const __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(5)), letter),
					   _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit));

	return 0xffffu ^ (unsigned)_mm_movemask_epi8(marks);
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < IQ_BLOCK; i++)
		marks |= (unsigned)!((data[i] >= '0' && data[i] <= '9') || (data[i] >= 'a' && data[i] <= 'f')) << i;
	return marks;
#endif
}

/* Texts that are read in another order than they lie in are fetched into the cache before: so many ahead. */
#define IQ_FETCH_AHEAD 4u
#define IQ_CACHE_LINE 64u
#define IQ_FETCH_MOST 512u

static inline void iq_fetch(struct iq_view text)
{
	for (size_t at = 0; at < text.len && at < IQ_FETCH_MOST; at += IQ_CACHE_LINE)
		__builtin_prefetch(text.data + at);
}

/* Offset of the first quotation mark, backslash or control character at or after `pos`; the length where there is none. */
static inline size_t iq_string_end(struct iq_view text, size_t pos)
{
	for (; text.len - pos >= IQ_BLOCK; pos += IQ_BLOCK) {
		const unsigned marks = iq_string_marks(text.data + pos);

		if (marks)
			return pos + (size_t)__builtin_ctz(marks);
	}
	while (pos < text.len && text.data[pos] != '"' && text.data[pos] != '\\' &&
	       (unsigned char)text.data[pos] >= 0x20)
		pos++;
	return pos;
}

#endif
