/* Which literals a text must contain to match a pattern. Whatever is not understood ends a literal or gives all of them up:
 * too few only cost time. */
#include "query/sql_match.h"

/* A pattern with more literals is judged by these. */
#define MAX_LITERALS 16u

struct literals {
	struct iq_view pattern;
	size_t at;
	struct iq_buf run; /* the literal that goes on */
	struct iq_arena *memory;
	struct iq_view items[MAX_LITERALS];
	size_t count;
	bool caseless; /* in all of Unicode */
	bool failed;
};

static void end_run(struct literals *literals)
{
	struct iq_view copy;

	if (literals->run.len > 0 && literals->count < MAX_LITERALS) {
		copy = iq_arena_copy(literals->memory, iq_buf_view(&literals->run));
		literals->failed |= copy.data == NULL;
		literals->items[literals->count++] = copy;
	}
	iq_buf_clear(&literals->run);
}

/* K and S have other cases beyond ASCII (U+212A, U+017F), as may everything else beyond it. */
static bool is_caseable(char c)
{
	return (c | 0x20) == 'k' || (c | 0x20) == 's' || (unsigned char)c >= 0x80;
}

static void add_char(struct literals *literals, char c)
{
	if (literals->caseless && is_caseable(c))
		end_run(literals);
	else
		literals->failed |= iq_buf_append_char(&literals->run, c) < 0;
}

static void drop_last_char(struct literals *literals)
{
	struct iq_buf *run = &literals->run;

	while (run->len > 0 && ((unsigned char)run->data[run->len - 1] & 0xc0) == 0x80)
		run->len--;
	if (run->len > 0)
		run->len--;
}

/* ---- LIKE and GLOB ---- */

static void read_like(struct literals *literals)
{
	for (; literals->at < literals->pattern.len; literals->at++) {
		const char c = literals->pattern.data[literals->at];

		if (c == '%' || c == '_')
			end_run(literals);
		else
			add_char(literals, c);
	}
	end_run(literals);
}

/* After a `[`: to the `]` that ends the set; the first character may be one itself. */
static void skip_glob_set(struct literals *literals)
{
	const struct iq_view pattern = literals->pattern;
	size_t at = literals->at + 1;

	at += at < pattern.len && pattern.data[at] == '^';
	at += at < pattern.len && pattern.data[at] == ']';
	while (at < pattern.len && pattern.data[at] != ']')
		at++;
	literals->at = at;
}

static void read_glob(struct literals *literals)
{
	for (; literals->at < literals->pattern.len; literals->at++) {
		const char c = literals->pattern.data[literals->at];

		if (c != '*' && c != '?' && c != '[') {
			add_char(literals, c);
			continue;
		}
		end_run(literals);
		if (c == '[')
			skip_glob_set(literals);
	}
	end_run(literals);
}

/* ---- REGEXP ---- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* From a `[` to the `]` that ends the class; false where it does not end. */
static bool skip_class(struct literals *literals)
{
	const struct iq_view pattern = literals->pattern;
	size_t at = literals->at + 1;

	at += at < pattern.len && pattern.data[at] == '^';
	at += at < pattern.len && pattern.data[at] == ']';
	while (at < pattern.len && pattern.data[at] != ']') {
		if (pattern.data[at] == '\\' && at + 1 < pattern.len && pattern.data[at + 1] == 'Q')
			return false;
		if (pattern.data[at] == '[' && at + 1 < pattern.len && strchr(":.=", pattern.data[at + 1]))
			return false; /* [[:alpha:]]: seldom enough */
		at += pattern.data[at] == '\\' ? 2 : 1;
	}
	literals->at = at;
	return at < pattern.len;
}

/* From a `(` to its `)`. Groups that set options are not understood. */
static bool skip_group(struct literals *literals)
{
	const struct iq_view pattern = literals->pattern;
	unsigned depth = 0;

	for (; literals->at < pattern.len; literals->at++) {
		const char c = pattern.data[literals->at];
		const char next = literals->at + 1 < pattern.len ? pattern.data[literals->at + 1] : '\0';

		if (c == '\\' && next == 'Q')
			return false;
		if (c == '\\')
			literals->at++;
		else if (c == '[' && !skip_class(literals))
			return false;
		else if (c == '(' &&
			 (next == '*' || (next == '?' && (literals->at + 2 >= pattern.len ||
							  !strchr(":=!<>|", pattern.data[literals->at + 2])))))
			return false;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return true;
	}
	return false;
}

/* One element at literals->at, which is left at its last byte. False: nothing is certain. */
static bool read_element(struct literals *literals)
{
	const struct iq_view pattern = literals->pattern;
	const char c = pattern.data[literals->at];

	switch (c) {
	case '|':
		return false;
	case '\\':
		if (++literals->at == pattern.len || pattern.data[literals->at] == 'Q')
			return false;
		if (!is_alnum(pattern.data[literals->at])) {
			add_char(literals, pattern.data[literals->at]);
			return true;
		}
		end_run(literals);
		if (strchr("bBdDwWsSAzZnrtfaehHvVRG", pattern.data[literals->at]))
			return true;
		/* \x41 and the like: what follows the letter is not read as a literal. */
		while (literals->at + 1 < pattern.len && is_alnum(pattern.data[literals->at + 1]))
			literals->at++;
		if (literals->at + 1 < pattern.len && strchr("{<'", pattern.data[literals->at + 1]))
			return false;
		return true;
	case '(':
		end_run(literals);
		return skip_group(literals);
	case '[':
		end_run(literals);
		return skip_class(literals);
	case '*':
	case '?':
	case '{':
		drop_last_char(literals);
		end_run(literals);
		while (c == '{' && literals->at + 1 < pattern.len && pattern.data[literals->at] != '}')
			literals->at++;
		return true;
	case '+':
	case '.':
	case '^':
	case '$':
		end_run(literals);
		return true;
	default:
		add_char(literals, c);
		return true;
	}
}

/* `(?i)` at the front is common enough to be understood. */
static void read_regexp(struct literals *literals)
{
	bool certain = true;

	if (iq_view_starts_with(literals->pattern, IQ_LIT("(?i)"))) {
		literals->caseless = true;
		literals->at = 4;
	}
	for (; certain && literals->at < literals->pattern.len; literals->at++)
		certain = read_element(literals);
	end_run(literals);
	if (!certain)
		literals->count = 0;
}

int iq_sql_literals(enum iq_sql_operator operator_, struct iq_view pattern, struct iq_arena *memory,
		    struct iq_view **ret_literals, size_t *ret_count, bool *ret_folded)
{
	struct literals literals = { .pattern = pattern, .memory = memory, .run = IQ_BUF_INIT };

	*ret_folded = operator_ == IQ_SQL_LIKE;
	*ret_count = 0;
	*ret_literals = NULL;
	/* Of text that is not UTF-8, SQLite's patterns make U+FFFD, which then stands for any such bytes. */
	if (!iq_utf8_valid(pattern) || iq_view_find(pattern, IQ_LIT("\xef\xbf\xbd")) != SIZE_MAX)
		return 0;
	if (operator_ == IQ_SQL_LIKE)
		read_like(&literals);
	else if (operator_ == IQ_SQL_GLOB)
		read_glob(&literals);
	else
		read_regexp(&literals);
	*ret_folded |= literals.caseless;
	iq_buf_release(&literals.run);
	if (literals.failed)
		return IQ_ERR_NOMEM;
	*ret_literals = iq_arena_calloc(memory, literals.count + 1, sizeof(**ret_literals));
	if (!*ret_literals)
		return IQ_ERR_NOMEM;
	memcpy(*ret_literals, literals.items, literals.count * sizeof(literals.items[0]));
	*ret_count = literals.count;
	return 0;
}
