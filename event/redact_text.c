#include "event/redact_text.h"

#include "event/redact.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MAX_WORDS 12
#define MAX_WORD 24

static const struct iq_view nothing = { NULL, 0 };

/* ---- Names ---- */

struct words {
	char text[MAX_WORDS][MAX_WORD];
	size_t count;
};

static bool is_lower_or_digit(unsigned char c)
{
	return iq_is_digit(c) || (c >= 'a' && c <= 'z');
}

/* `accessToken` and `ACCESS_TOKEN` are the same two words; only the last ones matter. */
static void split(struct iq_view name, struct words *words)
{
	size_t len = 0;

	*words = (struct words){ .count = 0 };
	for (size_t i = 0; i < name.len; i++) {
		const unsigned char c = (unsigned char)name.data[i];
		const bool ends = !iq_is_digit(c) && !iq_is_alpha(c);
		const bool begins = i > 0 && c >= 'A' && c <= 'Z' && is_lower_or_digit((unsigned char)name.data[i - 1]);

		if ((ends || begins) && len > 0) {
			words->count++;
			len = 0;
		}
		if (words->count == MAX_WORDS)
			return;
		if (!ends && len < MAX_WORD - 1)
			words->text[words->count][len++] = (char)(iq_is_alpha(c) ? c | 0x20 : c);
	}
	words->count += len > 0;
}

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool ends_in_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (iq_view_ends_with(iq_view_cstr(word), iq_view_cstr(list[i])))
			return true;
	return false;
}

/* Of `password_confirmation` and `token2` the word before counts. */
static void drop_endings(struct words *words)
{
	static const char *const endings[] = { "value", "confirmation", "confirm", "plain", "plaintext",
					       "new",	"old",		"again",   "hash" };

	while (words->count > 1 && (is_one_of(words->text[words->count - 1], endings, COUNT(endings)) ||
				    iq_is_digit((unsigned char)words->text[words->count - 1][0])))
		words->count--;
	for (char *last = words->text[words->count - 1];
	     strlen(last) > 1 && iq_is_digit((unsigned char)last[strlen(last) - 1]);)
		last[strlen(last) - 1] = '\0';
}

static bool is_secret(const char *last, const char *before)
{
	static const char *const ends[] = { "password", "passwd",     "passwort",  "passphrase",   "passcode",
					    "secret",	"secrets",    "token",	   "credential",   "credentials",
					    "apikey",	"secretkey",  "accesskey", "privatekey",   "signingkey",
					    "authkey",	"sessionkey", "masterkey", "encryptionkey" };
	static const char *const whole[] = { "pwd", "pass", "jwt", "otp", "passwords" };
	static const char *const keys[] = {
		"api",	  "access", "private", "secret",  "signing", "encryption", "auth",
		"shared", "master", "session", "account", "license", "storage",	   "service"
	};

	if (ends_in_one_of(last, ends, COUNT(ends)) || is_one_of(last, whole, COUNT(whole)))
		return true;
	return strcmp(last, "key") == 0 && is_one_of(before, keys, COUNT(keys));
}

enum iq_name_class iq_name_classify(struct iq_view name)
{
	struct words words;
	const char *last, *before;

	split(name, &words);
	if (words.count == 0)
		return IQ_NAME_PLAIN;
	drop_endings(&words);
	last = words.text[words.count - 1];
	before = words.count > 1 ? words.text[words.count - 2] : "";
	if (strcmp(last, "authorization") == 0)
		return IQ_NAME_AUTHORIZATION;
	if (strcmp(last, "cookie") == 0)
		return IQ_NAME_COOKIE;
	if (strcmp(last, "cookies") == 0)
		return IQ_NAME_COOKIES;
	if ((strcmp(last, "protocol") == 0 && iq_view_ends_with(iq_view_cstr(before), IQ_LIT("socket"))) ||
	    strcmp(last, "subprotocol") == 0 || strcmp(last, "subprotocols") == 0)
		return IQ_NAME_PROTOCOL;
	return is_secret(last, before) ? IQ_NAME_SECRET : IQ_NAME_PLAIN;
}

static bool is_name_char(unsigned char c)
{
	return iq_is_word(c) || c == '.';
}

static size_t backslashes_before(struct iq_view text, size_t pos)
{
	size_t count = 0;

	while (count < pos && text.data[pos - 1 - count] == '\\')
		count++;
	return count;
}

/* `\ntoken`, `\u0022token` and `%22token`: what the escape takes. */
static size_t escape_tail(struct iq_view text, size_t start, size_t end)
{
	struct iq_view tail = iq_view_make(text.data + start, end - start);
	uint8_t byte[2];

	if (start > 0 && text.data[start - 1] == '%')
		return tail.len >= 2 && iq_unhex(iq_view_make(tail.data, 2), byte, 1) ? 2 : 0;
	if (backslashes_before(text, start) == 0 || tail.len == 0)
		return 0;
	if (tail.data[0] == 'u' && tail.len >= 5 && iq_unhex(iq_view_make(tail.data + 1, 4), byte, 2))
		return 5;
	return strchr("bfnrt", tail.data[0]) != NULL;
}

struct iq_view iq_name_around(struct iq_view text, size_t start, size_t end)
{
	size_t from = start, to = end, tail;

	while (from > 0 && start - from < IQ_REDACT_MAX_NAME && is_name_char((unsigned char)text.data[from - 1]))
		from--;
	while (to < text.len && to - end < IQ_REDACT_MAX_NAME && is_name_char((unsigned char)text.data[to]))
		to++;
	tail = escape_tail(text, from, to);
	from += tail <= start - from ? tail : 0;
	return iq_view_make(text.data + from, to - from);
}

/* ---- Quotation marks ---- */

static const struct {
	struct iq_view text;
	bool escaped;		  /* stands behind a backslash that is its own */
	struct iq_view backslash; /* as it is written before it */
} marks[] = {
	{ { "\"", 1 }, false, { "\\", 1 } },	{ { "'", 1 }, false, { "\\", 1 } },
	{ { "%22", 3 }, false, { "%5C", 3 } },	{ { "%27", 3 }, false, { "%5C", 3 } },
	{ { "u0022", 5 }, true, { "\\", 1 } },	{ { "&quot;", 6 }, false, { "\\", 1 } },
	{ { "&#34;", 5 }, false, { "\\", 1 } },
};

static bool equal_fold(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(iq_is_alpha((unsigned char)a[i]) && (a[i] | 0x20) == (b[i] | 0x20)))
			return false;
	return true;
}

static bool stands_at(struct iq_view text, size_t pos, struct iq_view what)
{
	return pos <= text.len && text.len - pos >= what.len && equal_fold(text.data + pos, what.data, what.len);
}

static unsigned trailing_ones(size_t count)
{
	return count == SIZE_MAX ? 64 : (unsigned)__builtin_ctzll(~(unsigned long long)count);
}

/* A string within a string has its marks behind one backslash, in a third one behind three, seven, ...; those of what ends before
 * the mark come in larger groups. `\u0022` is a mark of the string around it: one deeper, with 1, 2, 4, ... */
static unsigned depth_of(size_t mark, size_t backslashes)
{
	if (!marks[mark].escaped)
		return trailing_ones(backslashes);
	return 1 + (backslashes ? (unsigned)__builtin_ctzll(backslashes) : 0);
}

struct iq_quote iq_quote_at(struct iq_view text, size_t pos)
{
	for (size_t i = 0; i < COUNT(marks); i++) {
		size_t at = pos, count = 0;

		while (count < 64 && stands_at(text, at, marks[i].backslash)) {
			at += marks[i].backslash.len;
			count++;
		}
		if (stands_at(text, at, marks[i].text) && (count > 0 || !marks[i].escaped))
			return (struct iq_quote){ iq_view_make(text.data + at, marks[i].text.len), depth_of(i, count),
						  pos, at + marks[i].text.len };
	}
	return (struct iq_quote){ .mark = nothing };
}

static size_t mark_number(struct iq_view mark)
{
	size_t i = 0;

	while (!iq_view_eq(marks[i].text, mark))
		i++;
	return i;
}

static size_t find_from(struct iq_view text, size_t pos, struct iq_view what)
{
	const char *found = what.len == 1 ? memchr(text.data + pos, what.data[0], text.len - pos)
					  : memmem(text.data + pos, text.len - pos, what.data, what.len);

	return found ? (size_t)(found - text.data) : SIZE_MAX;
}

bool iq_quote_close(struct iq_view text, const struct iq_quote *open, struct iq_quote *ret_close)
{
	const size_t mark = mark_number(open->mark);
	const struct iq_view backslash = marks[mark].backslash;
	size_t pos = open->end;

	while (pos < text.len && (pos = find_from(text, pos, open->mark)) != SIZE_MAX) {
		size_t begin = pos, count = 0;

		while (begin >= open->end + backslash.len && stands_at(text, begin - backslash.len, backslash)) {
			begin -= backslash.len;
			count++;
		}
		if ((count > 0 || !marks[mark].escaped) && depth_of(mark, count) <= open->depth) {
			/* What is more than its own are backslashes at the string's end. */
			const size_t own = marks[mark].escaped ? (size_t)1 << (depth_of(mark, count) - 1)
							       : ((size_t)1 << depth_of(mark, count)) - 1;

			*ret_close = (struct iq_quote){ open->mark, depth_of(mark, count), pos - own * backslash.len,
							pos + open->mark.len };
			return true;
		}
		pos += open->mark.len;
	}
	return false;
}

/* ---- Escapes ---- */

bool iq_is_percent_escape(struct iq_view text, size_t pos)
{
	uint8_t byte;

	return pos < text.len && text.len - pos >= 3 && text.data[pos] == '%' &&
	       iq_unhex(iq_view_make(text.data + pos + 1, 2), &byte, 1);
}

static int decode_percent(struct iq_view raw, struct iq_buf *out)
{
	int rc = 0;
	uint8_t byte;

	for (size_t i = 0; i < raw.len && rc == 0; i++) {
		if (!iq_is_percent_escape(raw, i)) {
			rc = iq_buf_append_char(out, raw.data[i]);
			continue;
		}
		(void)iq_unhex(iq_view_make(raw.data + i + 1, 2), &byte, 1);
		rc = iq_buf_append_char(out, (char)byte);
		i += 2;
	}
	return rc;
}

unsigned iq_unicode_escape_at(struct iq_view text, size_t pos, size_t *ret_len)
{
	uint8_t bytes[2];

	*ret_len = 6;
	if (pos >= text.len || text.len - pos < 6 || text.data[pos] != '\\' || text.data[pos + 1] != 'u' ||
	    !iq_unhex(iq_view_make(text.data + pos + 2, 4), bytes, 2))
		return 0;
	return (unsigned)(bytes[0] << 8 | bytes[1]);
}

/* A `\uXXXX` at `pos`, with its second half where it is a surrogate pair. 0: none. */
static size_t decode_unicode(struct iq_view raw, size_t pos, struct iq_buf *out)
{
	size_t len, more;
	const unsigned high = iq_unicode_escape_at(raw, pos, &len);
	const unsigned low = high >= 0xd800 && high < 0xdc00 ? iq_unicode_escape_at(raw, pos + len, &more) : 0;

	if (high == 0)
		return 0;
	if (low >= 0xdc00 && low < 0xe000) {
		(void)iq_utf8_encode(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		return len + more;
	}
	(void)iq_utf8_encode(out, high);
	return len;
}

static void decode_json(struct iq_view raw, struct iq_buf *out)
{
	static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";

	for (size_t i = 0; i < raw.len; i++) {
		const char *letter;
		size_t taken;

		if (raw.data[i] != '\\' || i + 1 == raw.len) {
			(void)iq_buf_append_char(out, raw.data[i]);
			continue;
		}
		taken = decode_unicode(raw, i, out);
		if (taken > 0) {
			i += taken - 1;
			continue;
		}
		i++;
		letter = raw.data[i] ? strchr(letters, raw.data[i]) : NULL;
		(void)iq_buf_append_char(out, letter ? values[letter - letters] : raw.data[i]);
	}
}

int iq_redact_decode(struct iq_view raw, bool percent, unsigned json, struct iq_buf *out)
{
	struct iq_buf from = IQ_BUF_INIT, to = IQ_BUF_INIT;
	bool failed;

	if (percent)
		(void)decode_percent(raw, &from);
	else
		(void)iq_buf_append(&from, raw);
	for (unsigned i = 0; i < json && memchr(iq_buf_view(&from).data, '\\', from.len); i++) {
		struct iq_buf swapped = from;

		iq_buf_clear(&to);
		decode_json(iq_buf_view(&from), &to);
		from = to;
		to = swapped;
		from.failed |= swapped.failed;
	}
	(void)iq_buf_append(out, iq_buf_view(&from));
	failed = from.failed || to.failed || out->failed;
	iq_buf_release(&from);
	iq_buf_release(&to);
	return failed ? IQ_ERR_NOMEM : 0;
}
