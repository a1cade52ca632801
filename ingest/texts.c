#include "ingest/texts.h"

#include "base/scan.h"

#define ESCAPE '\x1b'

/* ---- Escape sequences ---- */

/* The length of the sequence that begins the text: ESC [ ... final byte, ESC ] ... BEL, or ESC and a byte. */
static size_t sequence_length(struct iq_view text)
{
	size_t len = 2;

	if (text.len < 2)
		return text.len;
	if (text.data[1] == '[') {
		while (len < text.len && (unsigned char)text.data[len] >= 0x20 && (unsigned char)text.data[len] < 0x40)
			len++;
		return len < text.len ? len + 1 : len;
	}
	if (text.data[1] != ']')
		return 2;
	while (len < text.len && text.data[len] != '\a' && text.data[len] != ESCAPE)
		len++;
	return len < text.len && text.data[len] == '\a' ? len + 1 : len;
}

struct iq_view iq_text_plain(struct iq_view text, struct iq_buf *scratch)
{
	const size_t start = scratch->len;
	const char *escape;

	if (text.len > 0 && text.data[text.len - 1] == '\r')
		text.len--;
	if (text.len == 0 || !memchr(text.data, ESCAPE, text.len))
		return text;
	while (text.len > 0 && (escape = memchr(text.data, ESCAPE, text.len))) {
		(void)iq_buf_append(scratch, iq_view_make(text.data, (size_t)(escape - text.data)));
		text = iq_view_from(text, (size_t)(escape - text.data));
		text = iq_view_from(text, sequence_length(text));
	}
	(void)iq_buf_append(scratch, text);
	return iq_view_from(iq_buf_view(scratch), start);
}

/* ---- Severity ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
}

static bool is_capitals(struct iq_view word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] < 'A' || word.data[i] > 'Z')
			return false;
	return true;
}

static char at(struct iq_view text, size_t i)
{
	return i < text.len ? text.data[i] : '\0';
}

/* Is there nothing before it but a time? */
static bool is_beginning(struct iq_view text, size_t start)
{
	for (size_t i = 0; i < start; i++)
		if (!text.data[i] || !strchr("0123456789-:.,/+TZ []()", text.data[i]))
			return false;
	return true;
}

/* Is the word, which may be any word of a sentence, put as a logger puts a severity? */
static bool stands_out(struct iq_view text, size_t start, struct iq_view word)
{
	const char before = start > 0 ? text.data[start - 1] : '\0', after = at(text, start + word.len);

	if (is_capitals(word))
		return true;
	if ((before == '[' && after == ']') || (before == '<' && after == '>') || (before == '(' && after == ')') ||
	    (before == '|' && after == '|'))
		return true;
	if (before == '=' || before == '"')
		return iq_view_ends_with(iq_view_make(text.data, start), IQ_LIT("level=")) ||
		       iq_view_ends_with(iq_view_make(text.data, start), IQ_LIT("level=\"")) ||
		       iq_view_ends_with(iq_view_make(text.data, start), IQ_LIT("lvl="));
	return after == ':' && is_beginning(text, start);
}

/* The letters that names of severities begin with. */
static bool may_begin(char c)
{
	static const bool letters[256] = {
		['t'] = true, ['d'] = true, ['i'] = true, ['n'] = true, ['w'] = true, ['e'] = true, ['c'] = true,
		['f'] = true, ['p'] = true, ['a'] = true, ['v'] = true, ['T'] = true, ['D'] = true, ['I'] = true,
		['N'] = true, ['W'] = true, ['E'] = true, ['C'] = true, ['F'] = true, ['P'] = true, ['A'] = true,
		['V'] = true, ['L'] = true, ['s'] = true, ['S'] = true,
	};

	return letters[(unsigned char)c];
}

/* PostgreSQL has names of its own. */
static bool parse_name(struct iq_view word, enum iq_severity *ret_severity)
{
	if (iq_view_eq(word, IQ_LIT("LOG"))) {
		*ret_severity = IQ_SEVERITY_INFO;
		return true;
	}
	return iq_severity_parse(word, ret_severity);
}

/* A bit for each byte of a text, and at least one more. */
#define MARKS (IQ_SEVERITY_REACH / 64 + 1)

/* Which bytes belong to words. */
static void mark_words(struct iq_view text, uint64_t *marks)
{
	size_t i = 0;

	for (; text.len - i >= IQ_BLOCK; i += IQ_BLOCK)
		marks[i / 64] |= (uint64_t)iq_word_marks(text.data + i) << i % 64;
	for (; i < text.len; i++)
		marks[i / 64] |= (uint64_t)is_word(text.data[i]) << i % 64;
}

/* The first bit from `from` on that is one; with `flip` UINT64_MAX, that is none. */
static size_t find_mark(const uint64_t *marks, size_t from, uint64_t flip)
{
	for (size_t i = from / 64; i < MARKS; i++) {
		uint64_t bits = marks[i] ^ flip;

		if (i == from / 64)
			bits &= UINT64_MAX << from % 64;
		if (bits)
			return i * 64 + (size_t)__builtin_ctzll(bits);
	}
	return (size_t)MARKS * 64;
}

/* Celery: `ERROR/MainProcess` */
static struct iq_view before_slash(struct iq_view word)
{
	const char *slash = word.data[0] >= 'A' && word.data[0] <= 'Z' ? memchr(word.data, '/', word.len) : NULL;

	return slash ? iq_view_make(word.data, (size_t)(slash - word.data)) : word;
}

/* Redis: `1:M 24 Nov 2026 03:27:59.123 # text`, whose severity is a sign. */
static enum iq_severity redis_severity(struct iq_view text)
{
	static const struct {
		char sign;
		enum iq_severity severity;
	} signs[] = { { '.', IQ_SEVERITY_DEBUG },
		      { '-', IQ_SEVERITY_DEBUG },
		      { '*', IQ_SEVERITY_NOTICE },
		      { '#', IQ_SEVERITY_WARNING } };
	const size_t time = strlen("24 Nov 2026 03:27:59.123 ");
	size_t i = 0;

	while (at(text, i) >= '0' && at(text, i) <= '9')
		i++;
	if (i == 0 || at(text, i) != ':' || !at(text, i + 1) || !strchr("XCSM", at(text, i + 1)) ||
	    at(text, i + 3 + time - 1) != ' ' || at(text, i + 3 + time + 1) != ' ')
		return IQ_SEVERITY_NONE;
	for (size_t j = 0; j < sizeof(signs) / sizeof(signs[0]); j++)
		if (at(text, i + 3 + time) == signs[j].sign)
			return signs[j].severity;
	return IQ_SEVERITY_NONE;
}

/* Where no severity is named. */
static enum iq_severity implied_severity(struct iq_view text)
{
	/* Linux: `Out of memory: Killed process 123 (python)` */
	if (iq_view_find(text, IQ_LIT("ut of memory: Kill")) != SIZE_MAX)
		return IQ_SEVERITY_CRITICAL;
	return redis_severity(text);
}

enum iq_severity iq_text_severity(struct iq_view text)
{
	uint64_t marks[MARKS] = { 0 };
	enum iq_severity severity;
	size_t end;

	if (text.len > IQ_SEVERITY_REACH)
		text.len = IQ_SEVERITY_REACH;
	mark_words(text, marks);
	for (size_t i = find_mark(marks, 0, 0); i < text.len; i = find_mark(marks, end, 0)) {
		struct iq_view word;

		end = find_mark(marks, i, UINT64_MAX);
		word = before_slash(iq_view_make(text.data + i, end - i));
		if (word.len >= 3 && word.len <= 13 && may_begin(word.data[0]) && stands_out(text, i, word) &&
		    parse_name(word, &severity))
			return severity;
	}
	return implied_severity(text);
}

bool iq_text_is_text(struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		const unsigned char c = (unsigned char)text.data[i];

		if ((c < 0x20 && (c < '\a' || c > '\r') && c != ESCAPE) || c == 0x7f)
			return false;
	}
	return true;
}
