#include "event/redact.h"

#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"
#include "event/redact_form.h"
#include "event/redact_text.h"

#define TAG_BYTES 10
/* The part of a URL that names the host is not longer than this. */
#define MAX_AUTHORITY 2048
/* Scheme names of RFC 9110, section 11.1, are shorter. */
#define MAX_SCHEME 24
/* Names in a subprotocol, with points between. */
#define MAX_PIECES 16
/* A bare word behind `Bearer` that is shorter is a word. */
#define MIN_BEARER 8

enum anchor {
	ANCHOR_NAME,
	ANCHOR_VALUE, /* of a pair whose name may come after it */
	ANCHOR_QUERY, /* a name with `=`, in a URL only */
	ANCHOR_JWT,
	ANCHOR_PEM,
	ANCHOR_VENDOR,
	ANCHOR_AT,
	ANCHOR_BEARER,
	ANCHOR_BASIC,
	ANCHOR_URL
};

static const struct {
	struct iq_view text;
	enum anchor anchor;
} anchors[] = {
	{ { "pass", 4 }, ANCHOR_NAME },
	{ { "pwd", 3 }, ANCHOR_NAME },
	{ { "secret", 6 }, ANCHOR_NAME },
	{ { "token", 5 }, ANCHOR_NAME },
	{ { "credential", 10 }, ANCHOR_NAME },
	{ { "authorization", 13 }, ANCHOR_NAME },
	{ { "cookie", 6 }, ANCHOR_NAME },
	{ { "_key", 4 }, ANCHOR_NAME },
	{ { "-key", 4 }, ANCHOR_NAME },
	{ { "apikey", 6 }, ANCHOR_NAME },
	{ { "accesskey", 9 }, ANCHOR_NAME },
	{ { "privatekey", 10 }, ANCHOR_NAME },
	{ { "signingkey", 10 }, ANCHOR_NAME },
	{ { "encryptionkey", 13 }, ANCHOR_NAME },
	{ { "authkey", 7 }, ANCHOR_NAME },
	{ { "masterkey", 9 }, ANCHOR_NAME },
	{ { "sessionkey", 10 }, ANCHOR_NAME },
	{ { "jwt", 3 }, ANCHOR_NAME },
	{ { "otp", 3 }, ANCHOR_NAME },
	{ { "subprotocol", 11 }, ANCHOR_NAME },
	{ { "websocket-protocol", 18 }, ANCHOR_NAME },
	{ { "value", 5 }, ANCHOR_VALUE },
	{ { "auth=", 5 }, ANCHOR_QUERY },
	{ { "auth%3d", 7 }, ANCHOR_QUERY },
	{ { "sig=", 4 }, ANCHOR_QUERY },
	{ { "sig%3d", 6 }, ANCHOR_QUERY },
	{ { "signature=", 10 }, ANCHOR_QUERY },
	{ { "signature%3d", 12 }, ANCHOR_QUERY },
	{ { "ticket=", 7 }, ANCHOR_QUERY },
	{ { "ticket%3d", 9 }, ANCHOR_QUERY },
	{ { "key=", 4 }, ANCHOR_QUERY },
	{ { "key%3d", 6 }, ANCHOR_QUERY },
	{ { "bearer=", 7 }, ANCHOR_QUERY },
	{ { "bearer%3d", 9 }, ANCHOR_QUERY },
	{ { "eyj", 3 }, ANCHOR_JWT },
	{ { "-----begin", 10 }, ANCHOR_PEM },
	{ { "@", 1 }, ANCHOR_AT },
	{ { "%40", 3 }, ANCHOR_AT },
	{ { "\\u0040", 6 }, ANCHOR_AT },
	{ { "bearer", 6 }, ANCHOR_BEARER },
	{ { "basic ", 6 }, ANCHOR_BASIC },
	{ { "://", 3 }, ANCHOR_URL },
};
#define ANCHORS (sizeof(anchors) / sizeof(anchors[0]))
#define MAX_ANCHORS 128

static const char *const preset_names[IQ_REDACT_PRESETS] = { "authorization", "cookies", "bearer", "jwt",
							     "pem",	      "vendor",	 "fields", "email" };

/* A private key of which each line is an event of its own. */
struct open_pem {
	uint64_t stream; /* hash of the event's names */
	unsigned left;	 /* events until it is given up; 0: free */
};

struct iq_redactor {
	uint8_t key[IQ_REDACT_KEY_SIZE];
	uint32_t presets;
	struct iq_literals *literals;
	char label[160];
	uint64_t count;
	const struct iq_sink *next;
	struct iq_sink sink;
	struct iq_buf secret; /* the one at hand, without its escapes */
	struct iq_buf plain;
	struct iq_buf texts[8];
	struct iq_buf remembered; /* secrets of the event at hand, one after the other */
	size_t remembered_ends[IQ_REDACT_MAX_REMEMBERED];
	size_t remembered_count;
	bool remembering;
	struct open_pem open_pems[IQ_REDACT_MAX_OPEN_PEM];
	bool pem_was_left_open;
	bool failed;
};

/* One text on its way. */
struct scan {
	struct iq_redactor *redactor;
	struct iq_view text;
	struct iq_buf *out;
	size_t copied;	   /* up to here everything is in `out` */
	size_t resume;	   /* what is before was looked at */
	size_t header_end; /* likewise, for headers that are lists */
	bool replaced;
};

/* ---- Presets ---- */

const char *iq_redact_preset_name(enum iq_redact_preset preset)
{
	return preset < IQ_REDACT_PRESETS ? preset_names[preset] : NULL;
}

static bool parse_preset(struct iq_view word, uint32_t *presets)
{
	if (iq_view_eq(word, IQ_LIT("all"))) {
		*presets |= IQ_REDACT_ALL;
		return true;
	}
	for (unsigned i = 0; i < IQ_REDACT_PRESETS; i++)
		if (iq_view_eq(word, iq_view_cstr(preset_names[i]))) {
			*presets |= 1u << i;
			return true;
		}
	return false;
}

bool iq_redact_parse_presets(struct iq_view text, uint32_t *ret_presets)
{
	uint32_t presets = 0;

	for (;;) {
		const size_t comma = iq_view_find(text, IQ_LIT(","));
		const size_t len = comma == SIZE_MAX ? text.len : comma;

		if (!parse_preset(iq_view_make(text.data, len), &presets))
			return false;
		if (comma == SIZE_MAX)
			break;
		text = iq_view_from(text, comma + 1);
	}
	*ret_presets = presets;
	return true;
}

static bool wants(const struct scan *scan, enum iq_redact_preset preset)
{
	return scan->redactor->presets >> preset & 1;
}

/* ---- Life ---- */

static int make_literals(struct iq_literals **ret_literals)
{
	struct iq_view texts[MAX_ANCHORS];
	size_t count = 0;

	for (; count < ANCHORS; count++)
		texts[count] = anchors[count].text;
	for (const struct iq_view *text = iq_vendor_anchors(); text->data && count < MAX_ANCHORS; text++)
		texts[count++] = *text;
	return iq_literals_new(texts, count, ret_literals);
}

static void make_label(struct iq_redactor *redactor)
{
	uint8_t digest[IQ_SHA256_SIZE];
	char hex[17];
	size_t len = 0;

	iq_hmac_sha256(redactor->key, sizeof(redactor->key), IQ_LIT("inquest redaction key id"), digest);
	iq_hex(digest, 8, hex);
	if (redactor->presets == IQ_REDACT_ALL)
		len = (size_t)snprintf(redactor->label, sizeof(redactor->label), "all");
	for (unsigned i = 0; redactor->presets != IQ_REDACT_ALL && i < IQ_REDACT_PRESETS; i++)
		if (redactor->presets >> i & 1)
			len += (size_t)snprintf(redactor->label + len, sizeof(redactor->label) - len, "%s%s",
						len ? "," : "", preset_names[i]);
	(void)snprintf(redactor->label + len, sizeof(redactor->label) - len, " key %s", hex);
}

int iq_redactor_new(const uint8_t key[IQ_REDACT_KEY_SIZE], uint32_t presets, struct iq_redactor **ret_redactor)
{
	struct iq_redactor *redactor = calloc(1, sizeof(*redactor));
	int rc = redactor ? 0 : IQ_ERR_NOMEM;

	if (rc == 0) {
		memcpy(redactor->key, key, sizeof(redactor->key));
		redactor->presets = presets & IQ_REDACT_ALL;
		make_label(redactor);
		rc = make_literals(&redactor->literals);
	}
	if (rc < 0)
		iq_redactor_free(redactor);
	else
		*ret_redactor = redactor;
	return rc;
}

void iq_redactor_free(struct iq_redactor *redactor)
{
	if (!redactor)
		return;
	iq_literals_free(redactor->literals);
	iq_buf_release(&redactor->secret);
	iq_buf_release(&redactor->plain);
	iq_buf_release(&redactor->remembered);
	for (size_t i = 0; i < sizeof(redactor->texts) / sizeof(redactor->texts[0]); i++)
		iq_buf_release(&redactor->texts[i]);
	explicit_bzero(redactor->key, sizeof(redactor->key));
	free(redactor);
}

struct iq_view iq_redactor_label(const struct iq_redactor *redactor)
{
	return iq_view_cstr(redactor->label);
}

uint64_t iq_redactor_count(const struct iq_redactor *redactor)
{
	return redactor->count;
}

/* ---- Tags ---- */

static void remember(struct iq_redactor *redactor, struct iq_view secret)
{
	if (!redactor->remembering || redactor->remembered_count == IQ_REDACT_MAX_REMEMBERED ||
	    iq_buf_append(&redactor->remembered, secret) < 0)
		return;
	redactor->remembered_ends[redactor->remembered_count++] = redactor->remembered.len;
}

static void append_tag(struct iq_redactor *redactor, struct iq_view secret, struct iq_buf *out)
{
	const char *form = iq_secret_form(secret);
	uint8_t digest[IQ_SHA256_SIZE];
	char hex[2 * TAG_BYTES + 1];

	if (form && strcmp(form, "pem") == 0) {
		iq_buf_clear(&redactor->plain);
		redactor->failed |= iq_pem_append_plain(secret, &redactor->plain) < 0;
		secret = iq_buf_view(&redactor->plain);
	}
	iq_hmac_sha256(redactor->key, sizeof(redactor->key), secret, digest);
	iq_hex(digest, TAG_BYTES, hex);
	(void)iq_buf_appendf(out, "‹%s:%s›", form ? form : "secret", hex);
	redactor->count++;
}

/* Everything up to `start` is as it is. */
static void copy_until(struct scan *scan, size_t start)
{
	(void)iq_buf_append(scan->out, iq_view_make(scan->text.data + scan->copied, start - scan->copied));
	scan->copied = start;
}

/* How a secret is written. */
struct writing {
	bool percent;
	unsigned json;		      /* so many times escaped */
	const struct iq_quote *quote; /* marks that its tag needs and it has not; NULL: none */
};

static void append_mark(struct scan *scan, const struct writing *writing)
{
	if (writing->quote)
		(void)iq_buf_append(scan->out, iq_view_make(scan->text.data + writing->quote->begin,
							    writing->quote->end - writing->quote->begin));
}

/* Evidence that was redacted before. */
static bool is_tag(struct iq_view secret)
{
	uint8_t digits[TAG_BYTES];
	const size_t colon = iq_view_find(secret, IQ_LIT(":"));

	return iq_view_starts_with(secret, IQ_LIT("‹")) && iq_view_ends_with(secret, IQ_LIT("›")) &&
	       secret.len > 2 * TAG_BYTES + 3 && colon == secret.len - 2 * TAG_BYTES - 4 &&
	       iq_unhex(iq_view_make(secret.data + colon + 1, 2 * TAG_BYTES), digits, TAG_BYTES);
}

static bool is_placeholder(struct iq_view secret)
{
	static const struct iq_view words[] = { { "null", 4 },	{ "true", 4 },	    { "false", 5 }, { "none", 4 },
						{ "None", 4 },	{ "undefined", 9 }, { "nil", 3 },   { "True", 4 },
						{ "False", 5 }, { "NULL", 4 } };

	if (secret.len == 0 || is_tag(secret))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (iq_view_eq(secret, words[i]))
			return true;
	return false;
}

/* Nothing up to `end` is looked at again. */
static void pass(struct scan *scan, size_t end)
{
	if (end > scan->resume)
		scan->resume = end;
}

/* Puts a tag in the place of [start, end). */
static void replace(struct scan *scan, size_t start, size_t end, const struct writing *writing)
{
	struct iq_redactor *redactor = scan->redactor;
	struct iq_view raw = iq_view_make(scan->text.data + start, end - start);
	struct iq_buf *secret = &redactor->secret;

	if (start < scan->copied || end <= start)
		return;
	pass(scan, end);
	if (is_placeholder(raw))
		return;
	iq_buf_clear(secret);
	redactor->failed |= iq_redact_decode(raw, writing->percent, writing->json, secret) < 0;
	copy_until(scan, start);
	append_mark(scan, writing);
	remember(redactor, iq_buf_view(secret));
	append_tag(redactor, iq_buf_view(secret), scan->out);
	append_mark(scan, writing);
	scan->copied = end;
	scan->replaced = true;
}

static const struct writing as_it_is = { false, 0, NULL };

/* ---- Values behind a name ---- */

static unsigned char byte_at(const struct scan *scan, size_t pos)
{
	return pos < scan->text.len ? (unsigned char)scan->text.data[pos] : 0;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(unsigned char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static bool begins_folded(const struct scan *scan, size_t pos, const char *text)
{
	const size_t len = strlen(text);

	return scan->text.len - pos >= len && strncasecmp(scan->text.data + pos, text, len) == 0;
}

/* What a field may hold before a token. Of other words nobody knows whether they are the beginning of a passphrase. */
static bool is_usual_scheme(const struct scan *scan, size_t pos)
{
	return begins_folded(scan, pos, "bearer") || begins_folded(scan, pos, "basic ");
}

/* `Bearer abc`: where `abc` begins. */
static size_t skip_scheme(const struct scan *scan, size_t start, size_t end)
{
	size_t pos = start;

	while (pos < end && pos - start < MAX_SCHEME && iq_is_word(byte_at(scan, pos)))
		pos++;
	if (pos == start || pos == end)
		return start;
	if (iq_view_starts_with(iq_view_from(scan->text, pos), IQ_LIT("%20")) && pos + 3 < end)
		return pos + 3;
	if (!is_blank(byte_at(scan, pos)) && byte_at(scan, pos) != '+')
		return start;
	while (pos < end && (is_blank(byte_at(scan, pos)) || byte_at(scan, pos) == '+'))
		pos++;
	return pos < end ? pos : start;
}

/* Values of cookies that only say how a cookie is to be kept (RFC 6265, section 4.1). */
static bool is_cookie_attribute(struct iq_view name)
{
	static const char *const names[] = { "path",	   "domain",  "expires",  "max-age", "samesite",
					     "priority",   "version", "size",	  "name",    "sourcescheme",
					     "sourceport", "url",     "httponly", "secure" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name.len == strlen(names[i]) && strncasecmp(name.data, names[i], name.len) == 0)
			return true;
	return false;
}

/* `a=b` within [start, end), or a value without a name. */
static void replace_cookie(struct scan *scan, size_t start, size_t end, const struct writing *writing)
{
	struct iq_view pair = iq_view_make(scan->text.data + start, end - start);
	const size_t equals = iq_view_find(pair, IQ_LIT("="));
	size_t from = equals == SIZE_MAX ? start : start + equals + 1;

	if (is_cookie_attribute(iq_view_make(pair.data, equals == SIZE_MAX ? pair.len : equals)))
		return;
	replace(scan, from, end, writing);
}

static void replace_cookies(struct scan *scan, size_t start, size_t end, const struct writing *writing)
{
	while (start < end) {
		const char *semicolon = memchr(scan->text.data + start, ';', end - start);
		size_t stop = semicolon ? (size_t)(semicolon - scan->text.data) : end;
		size_t last = stop;

		while (start < stop && is_space(byte_at(scan, start)))
			start++;
		while (last > start && is_space(byte_at(scan, last - 1)))
			last--;
		replace_cookie(scan, start, last, writing);
		start = stop + 1;
	}
}

static bool names_token(struct iq_view item)
{
	static const char *const names[] = { "bearer", "token", "access_token", "access-token", "authorization",
					     "auth",   "jwt",	"apikey",	"api-key" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (item.len == strlen(names[i]) && strncasecmp(item.data, names[i], item.len) == 0)
			return true;
	return false;
}

/* Long, with letters and digits: no name of a protocol. */
static bool looks_random(struct iq_view piece)
{
	bool digits = false, letters = false;

	for (size_t i = 0; i < piece.len; i++) {
		digits |= iq_is_digit((unsigned char)piece.data[i]);
		letters |= iq_is_alpha((unsigned char)piece.data[i]);
	}
	return piece.len >= 16 && digits && letters;
}

/* Where the token in a subprotocol begins: the names of Kubernetes, OpenAI and others end in a point. SIZE_MAX: none. */
static size_t token_in_item(struct iq_view item)
{
	for (size_t pos = 0, pieces = 0; pos < item.len && pieces < MAX_PIECES; pos++, pieces++) {
		struct iq_view piece = iq_view_from(item, pos);
		const size_t point = iq_view_find(piece, IQ_LIT("."));

		if (iq_secret_form(piece) || (point == SIZE_MAX && looks_random(piece)))
			return pos;
		if (point == SIZE_MAX)
			break;
		pos += point;
	}
	return SIZE_MAX;
}

static void replace_protocols(struct scan *scan, size_t start, size_t end, const struct writing *writing,
			      bool *after_name)
{
	while (start < end) {
		const char *comma = memchr(scan->text.data + start, ',', end - start);
		const size_t stop = comma ? (size_t)(comma - scan->text.data) : end;
		struct iq_view item = iq_view_trim(iq_view_make(scan->text.data + start, stop - start));
		const size_t begin = (size_t)(item.data - scan->text.data);
		const size_t token = *after_name ? 0 : token_in_item(item);

		if (token != SIZE_MAX)
			replace(scan, begin + token, begin + item.len, writing);
		*after_name = names_token(item);
		start = stop + 1;
	}
}

/* What a value is, by the name before it. */
struct value {
	enum iq_name_class class;
	struct writing writing;
	bool after_name; /* subprotocols: the item before named a token */
};

static void replace_value(struct scan *scan, size_t start, size_t end, struct value *value)
{
	switch (value->class) {
	case IQ_NAME_COOKIE:
		replace_cookies(scan, start, end, &value->writing);
		scan->header_end = end;
		break;
	case IQ_NAME_PROTOCOL:
		replace_protocols(scan, start, end, &value->writing, &value->after_name);
		scan->header_end = end;
		break;
	case IQ_NAME_SECRET:
	case IQ_NAME_AUTHORIZATION:
		if (value->class == IQ_NAME_AUTHORIZATION || is_usual_scheme(scan, start))
			start = skip_scheme(scan, start, end);
		replace(scan, start, end, &value->writing);
		break;
	default:
		replace(scan, start, end, &value->writing);
	}
}

static size_t skip_spaces(const struct scan *scan, size_t pos)
{
	while (is_space(byte_at(scan, pos)))
		pos++;
	return pos;
}

/* The string at `open`, to its end or that of the text. Returns where it ends. */
static size_t replace_string(struct scan *scan, const struct iq_quote *open, struct value *value)
{
	struct iq_quote close = { .begin = scan->text.len, .end = scan->text.len };

	(void)iq_quote_close(scan->text, open, &close);
	value->writing = (struct writing){ open->mark.data[0] == '%', open->depth + 1, NULL };
	replace_value(scan, open->end, close.begin, value);
	/* A mark of a string around it stays for what comes next. */
	return close.depth < open->depth ? close.begin : close.end;
}

static bool is_scalar_char(unsigned char c)
{
	return iq_is_word(c) || c == '.' || c == '+';
}

/* Is the string a member's name? */
static bool is_member_name(const struct scan *scan, const struct iq_quote *open, size_t *ret_end)
{
	struct iq_quote close;

	if (!iq_quote_close(scan->text, open, &close))
		return false;
	*ret_end = close.end;
	return byte_at(scan, skip_spaces(scan, close.end)) == ':';
}

/* An array or object, all of whose scalars are values; in `cookies` but for what is told about them. */
static void replace_tree(struct scan *scan, size_t pos, const struct iq_quote *around, struct value *value)
{
	size_t depth = 0, end;
	bool passes = false; /* the value of a member that tells nothing */

	do {
		const unsigned char c = byte_at(scan, pos);
		const struct iq_quote quote = iq_quote_at(scan->text, pos);

		if (c == '{' || c == '[') {
			depth++;
			pos++;
		} else if (c == '}' || c == ']') {
			depth--;
			pos++;
		} else if (quote.mark.data && quote.depth < around->depth) {
			break;
		} else if (quote.mark.data && is_member_name(scan, &quote, &end)) {
			passes = value->class == IQ_NAME_COOKIES &&
				 is_cookie_attribute(iq_name_around(scan->text, quote.end, quote.end));
			pos = end;
		} else if (quote.mark.data && passes) {
			struct iq_quote close = { .end = scan->text.len };

			(void)iq_quote_close(scan->text, &quote, &close);
			pos = close.end;
			passes = false;
		} else if (quote.mark.data) {
			pos = replace_string(scan, &quote, value);
		} else if (is_scalar_char(c)) {
			for (end = pos; is_scalar_char(byte_at(scan, end));)
				end++;
			value->writing = (struct writing){ false, 0, around };
			if (!passes)
				replace(scan, pos, end, &value->writing);
			passes = false;
			pos = end;
		} else {
			pos++;
		}
	} while (depth > 0 && pos < scan->text.len);
	pass(scan, pos < scan->text.len ? pos : scan->text.len);
}

/* ---- Values without quotation marks ---- */

/* `\/`, `\u003d` and the like, which belong to the value; 0: none. */
static size_t value_escape(const struct scan *scan, size_t pos)
{
	size_t len, end = pos;
	const unsigned c = iq_unicode_escape_at(scan->text, pos, &len);

	if (c)
		return c < 0x80 && (iq_is_word((unsigned char)c) || strchr("+/=._~", (int)c)) ? len : 0;
	while (byte_at(scan, end) == '\\')
		end++;
	return byte_at(scan, end) == '/' ? end + 1 - pos : 0;
}

static bool ends_value(const struct scan *scan, size_t pos, bool encoded)
{
	static const char *const ends[] = {
		"%20", "%22", "%26", "%27", "%2C", "%2c", "%7D", "%7d", "%0A", "%0a", "%23"
	};
	const unsigned char c = byte_at(scan, pos);

	if (c <= ' ' || strchr(",;&\"'`)}]<>|#", c))
		return true;
	for (size_t i = 0; encoded && c == '%' && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (iq_view_starts_with(iq_view_from(scan->text, pos), iq_view_cstr(ends[i])))
			return true;
	return false;
}

static size_t plain_value_end(const struct scan *scan, size_t pos, bool encoded)
{
	while (pos < scan->text.len) {
		const size_t escape = byte_at(scan, pos) == '\\' ? value_escape(scan, pos) : 0;

		if (escape == 0 && (byte_at(scan, pos) == '\\' || ends_value(scan, pos, encoded)))
			break;
		pos += escape ? escape : 1;
	}
	return pos;
}

/* Does the mark end a JSON string around what came before it, rather than begin one? */
static bool ends_string(const struct scan *scan, size_t mark_end)
{
	const size_t next = skip_spaces(scan, mark_end);

	return next == scan->text.len || strchr(",}]:", byte_at(scan, next)) != NULL;
}

/* Past a value in quotation marks that belongs to a header: `sid="abc"`. */
static size_t skip_quoted(const struct scan *scan, size_t pos)
{
	const char *close;

	if (byte_at(scan, pos) != '=' || byte_at(scan, pos + 1) != '"' || ends_string(scan, pos + 2))
		return pos + 1;
	close = memchr(scan->text.data + pos + 2, '"', scan->text.len - pos - 2);
	return close ? (size_t)(close - scan->text.data) + 1 : scan->text.len;
}

/* A header's value: all of the line, or of the string that it stands in. */
static size_t header_value_end(const struct scan *scan, size_t pos)
{
	while (pos < scan->text.len && !strchr("\r\n\"'`", byte_at(scan, pos)) &&
	       (byte_at(scan, pos) != '\\' || value_escape(scan, pos) > 0))
		pos = skip_quoted(scan, pos);
	return pos;
}

static bool is_header(enum iq_name_class class)
{
	return class == IQ_NAME_AUTHORIZATION || class == IQ_NAME_COOKIE || class == IQ_NAME_PROTOCOL;
}

static void replace_plain(struct scan *scan, size_t pos, bool encoded, struct value *value)
{
	const bool header = is_header(value->class) && !encoded;
	size_t end = header ? header_value_end(scan, pos) : plain_value_end(scan, pos, encoded);

	/* `token: Bearer abc` */
	if (!header && is_usual_scheme(scan, pos) && skip_scheme(scan, pos, scan->text.len) == end + 1)
		end = plain_value_end(scan, end + 1, encoded);
	value->writing = (struct writing){ true, memchr(scan->text.data + pos, '\\', end - pos) ? 1 : 0, NULL };
	replace_value(scan, pos, end, value);
}

/* ---- Names ---- */

/* What stands between a name and its value. */
struct between {
	bool found;
	bool encoded; /* %3D */
	bool element; /* the value is another member, or the next element */
	bool markup;  /* <name>value< */
	size_t end;
};

static bool takes(const struct scan *scan, size_t *pos, const char *text)
{
	const size_t len = strlen(text);

	if (scan->text.len - *pos < len || strncasecmp(scan->text.data + *pos, text, len) != 0)
		return false;
	*pos += len;
	return true;
}

/* `,"value":` behind `"name":"Authorization"`. */
static bool takes_value_member(const struct scan *scan, size_t *pos)
{
	size_t at = skip_spaces(scan, *pos);
	struct iq_quote quote = iq_quote_at(scan->text, at);

	if (!quote.mark.data)
		return false;
	at = quote.end;
	if (!takes(scan, &at, "value"))
		return false;
	quote = iq_quote_at(scan->text, at);
	if (!quote.mark.data)
		return false;
	at = skip_spaces(scan, quote.end);
	if (byte_at(scan, at) != ':')
		return false;
	*pos = at + 1;
	return true;
}

static struct between element_between(const struct scan *scan, size_t pos, bool header)
{
	struct between between = { .element = true, .end = pos };

	if (byte_at(scan, between.end) != ',')
		return between;
	between.end++;
	between.found = takes_value_member(scan, &between.end) || header;
	return between;
}

static struct between find_between(const struct scan *scan, size_t pos, bool quoted, bool header)
{
	static const struct {
		const char *text;
		bool encoded;
	} signs[] = { { "=>", false }, { ":=", false }, { ":", false },	      { "=", false },
		      { "%3d", true }, { "%3a", true }, { "\\u003d", false }, { "\\u003a", false } };
	struct between between = { .end = quoted ? skip_spaces(scan, pos) : pos };

	while (is_blank(byte_at(scan, between.end)))
		between.end++;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (takes(scan, &between.end, signs[i].text)) {
			between.found = true;
			between.encoded = signs[i].encoded;
			return between;
		}
	if (quoted)
		return element_between(scan, between.end, header);
	between.markup = byte_at(scan, pos) == '>';
	between.found = between.markup;
	between.end = pos + 1;
	return between;
}

/* Is the name a parameter of a URL? */
static bool in_query(const struct scan *scan, struct iq_view name)
{
	static const char *const before[] = { "?", "&", "#", ";", "%3F", "%3f", "%26", "%23", "\\u0026", "amp;" };
	const size_t start = (size_t)(name.data - scan->text.data);

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		const size_t len = strlen(before[i]);

		if (start >= len && memcmp(name.data - len, before[i], len) == 0)
			return true;
	}
	return false;
}

static bool class_is_wanted(const struct scan *scan, enum iq_name_class class, struct iq_view name)
{
	switch (class) {
	case IQ_NAME_AUTHORIZATION:
		return wants(scan, IQ_REDACT_AUTHORIZATION);
	case IQ_NAME_COOKIE:
	case IQ_NAME_COOKIES:
		return wants(scan, IQ_REDACT_COOKIES);
	case IQ_NAME_PROTOCOL:
		return wants(scan, IQ_REDACT_BEARER);
	case IQ_NAME_SECRET:
		return wants(scan, IQ_REDACT_FIELDS) || (wants(scan, IQ_REDACT_BEARER) && in_query(scan, name));
	default:
		return false;
	}
}

/* `--password hunter2` */
static bool is_flag(const struct scan *scan, struct iq_view name)
{
	return iq_view_starts_with(name, IQ_LIT("--")) &&
	       is_blank(byte_at(scan, (size_t)(name.data - scan->text.data) + name.len));
}

/* The value at `pos`, whatever it is written like. */
static void replace_at(struct scan *scan, size_t pos, const struct iq_quote *name_quote, const struct between *between,
		       struct value *value)
{
	const unsigned char c = byte_at(scan, pos);
	const struct iq_quote quote = iq_quote_at(scan->text, pos);
	const bool is_json = name_quote->mark.data && !between->encoded && name_quote->mark.data[0] != '%';

	if (quote.mark.data && !name_quote->mark.data && ends_string(scan, quote.end))
		return;
	if (quote.mark.data && (!name_quote->mark.data || quote.depth >= name_quote->depth)) {
		(void)replace_string(scan, &quote, value);
	} else if (is_json && (c == '{' || c == '[')) {
		replace_tree(scan, pos, name_quote, value);
	} else if (is_json && is_scalar_char(c)) {
		size_t end = pos;

		while (is_scalar_char(byte_at(scan, end)))
			end++;
		value->writing = (struct writing){ false, 0, name_quote };
		replace(scan, pos, end, &value->writing);
	} else if (!quote.mark.data) {
		replace_plain(scan, pos, between->encoded, value);
	}
}

static void replace_named(struct scan *scan, struct iq_view name, enum iq_name_class class)
{
	const size_t name_end = (size_t)(name.data - scan->text.data) + name.len;
	const struct iq_quote quote = iq_quote_at(scan->text, name_end);
	const bool quoted = quote.mark.data != NULL;
	const bool header = is_header(class) || memchr(name.data, '-', name.len) != NULL;
	struct between between = find_between(scan, quoted ? quote.end : name_end, quoted, header);
	struct value value = { .class = class };
	size_t pos;

	if (is_flag(scan, name))
		between = (struct between){ .found = true, .end = name_end };
	if (!between.found)
		return;
	pos = quoted ? skip_spaces(scan, between.end) : between.end;
	while (is_blank(byte_at(scan, pos)))
		pos++;
	while (between.encoded && takes(scan, &pos, "%20"))
		;
	if (between.element && !iq_quote_at(scan->text, pos).mark.data)
		return;
	if (between.markup) {
		const size_t end = plain_value_end(scan, pos, false);

		if (byte_at(scan, end) != '<')
			return;
		value.writing = as_it_is;
		replace(scan, pos, end, &value.writing);
		return;
	}
	replace_at(scan, pos, &quote, &between, &value);
}

static void match_name(struct scan *scan, size_t start, size_t end)
{
	struct iq_view name = iq_name_around(scan->text, start, end);
	enum iq_name_class class;

	/* A point or dash that ends it belongs to what follows. */
	while (name.len > 0 && name.data + name.len > scan->text.data + end &&
	       (name.data[name.len - 1] == '.' || name.data[name.len - 1] == '-'))
		name.len--;
	class = iq_name_classify(name);
	/* Words of prose that happen to be one: `pass: 3 of 4`. */
	if (class == IQ_NAME_SECRET && name.len <= 4 &&
	    !iq_quote_at(scan->text, (size_t)(name.data - scan->text.data) + name.len).mark.data &&
	    byte_at(scan, (size_t)(name.data - scan->text.data) + name.len) != '=')
		return;
	/* Cookies in a list of cookies, and so on, are no list of their own: nothing is looked at again and again. */
	if ((class == IQ_NAME_COOKIE || class == IQ_NAME_PROTOCOL) && start < scan->header_end)
		return;
	if (class != IQ_NAME_PLAIN && class_is_wanted(scan, class, name))
		replace_named(scan, name, class);
}

/* `,"name":"Authorization"` behind a value: what it names; the NULL view for anything else. */
static struct iq_view named_after(const struct scan *scan, size_t pos)
{
	struct iq_quote quote, close;
	size_t at = skip_spaces(scan, pos);

	if (byte_at(scan, at) != ',')
		return IQ_VIEW_NULL;
	quote = iq_quote_at(scan->text, skip_spaces(scan, at + 1));
	at = quote.end;
	if (!quote.mark.data || (!takes(scan, &at, "name") && !takes(scan, &at, "key")))
		return IQ_VIEW_NULL;
	quote = iq_quote_at(scan->text, at);
	at = skip_spaces(scan, quote.end);
	if (!quote.mark.data || byte_at(scan, at) != ':')
		return IQ_VIEW_NULL;
	quote = iq_quote_at(scan->text, skip_spaces(scan, at + 1));
	if (!quote.mark.data ||
	    !iq_quote_close(iq_view_make(scan->text.data, quote.end + IQ_REDACT_MAX_NAME < scan->text.len
								  ? quote.end + IQ_REDACT_MAX_NAME
								  : scan->text.len),
			    &quote, &close))
		return IQ_VIEW_NULL;
	return iq_view_make(scan->text.data + quote.end, close.begin - quote.end);
}

/* `"value":"Bearer abc","name":"Authorization"`, as some write the headers of a HAR. */
static void match_value(struct scan *scan, size_t end)
{
	const size_t reach = scan->text.len - end > IQ_REDACT_MAX_VALUE ? end + IQ_REDACT_MAX_VALUE : scan->text.len;
	struct iq_quote quote = iq_quote_at(scan->text, end), close;
	struct value value = { .class = IQ_NAME_PLAIN };
	struct iq_view name;
	size_t at = skip_spaces(scan, quote.end);

	if (!quote.mark.data || byte_at(scan, at) != ':')
		return;
	quote = iq_quote_at(scan->text, skip_spaces(scan, at + 1));
	if (!quote.mark.data || !iq_quote_close(iq_view_make(scan->text.data, reach), &quote, &close))
		return;
	name = named_after(scan, close.end);
	if (name.len == 0)
		return;
	value.class = iq_name_classify(name);
	if (value.class != IQ_NAME_PLAIN && class_is_wanted(scan, value.class, name))
		(void)replace_string(scan, &quote, &value);
}

/* ---- The other candidates ---- */

static void match_query(struct scan *scan, size_t start, size_t end)
{
	const bool encoded = byte_at(scan, end - 1) != '=';
	struct iq_view name = iq_name_around(scan->text, start, end - (encoded ? 3 : 1));
	struct value value = { .class = IQ_NAME_SECRET };
	const bool whole = start == (size_t)(name.data - scan->text.data) || strchr("-_.", byte_at(scan, start - 1));

	if (wants(scan, IQ_REDACT_BEARER) && whole && in_query(scan, name))
		replace_plain(scan, end, encoded, &value);
}

static void match_jwt(struct scan *scan, size_t start)
{
	const size_t len = wants(scan, IQ_REDACT_JWT) ? iq_jwt_length(scan->text, start) : 0;

	replace(scan, start, start + len, &as_it_is);
}

static void match_vendor(struct scan *scan, size_t start)
{
	const size_t len = wants(scan, IQ_REDACT_VENDOR) ? iq_vendor_key_length(scan->text, start) : 0;

	replace(scan, start, start + len, &as_it_is);
}

static void match_pem(struct scan *scan, size_t start)
{
	bool open = false;
	const size_t len = wants(scan, IQ_REDACT_PEM) ? iq_pem_length(scan->text, start, &open) : 0;

	scan->redactor->pem_was_left_open |= open;
	replace(scan, start, start + len, &as_it_is);
}

static void match_email(struct scan *scan, size_t start, size_t end)
{
	const struct writing writing = { byte_at(scan, start) == '%', 3, NULL };
	size_t address_end, begin;

	if (!wants(scan, IQ_REDACT_EMAIL))
		return;
	/* In a string within a string the escape has more backslashes. */
	while (byte_at(scan, start) == '\\' && start > scan->copied && byte_at(scan, start - 1) == '\\')
		start--;
	begin = iq_email_begin(scan->text, scan->copied, start, end, &address_end);
	if (begin != SIZE_MAX)
		replace(scan, begin, address_end, &writing);
}

static bool is_token_char(unsigned char c)
{
	return iq_is_word(c) || (c && strchr("._~+/=", c));
}

static void match_bearer(struct scan *scan, size_t end)
{
	size_t pos = end, stop;
	bool digits = false;

	if (takes(scan, &pos, "%20") || byte_at(scan, pos) == '+')
		pos += byte_at(scan, pos) == '+';
	while (is_blank(byte_at(scan, pos)))
		pos++;
	for (stop = pos; is_token_char(byte_at(scan, stop)); stop++)
		digits |= iq_is_digit(byte_at(scan, stop));
	while (stop > pos && byte_at(scan, stop - 1) == '.')
		stop--;
	if (wants(scan, IQ_REDACT_AUTHORIZATION) && pos > end && stop - pos >= MIN_BEARER &&
	    (digits || stop - pos >= 20))
		replace(scan, pos, stop, &as_it_is);
}

/* `Basic` and base64 of `user:password` (RFC 7617). */
static void match_basic(struct scan *scan, size_t end)
{
	struct iq_buf *decoded = &scan->redactor->plain;
	size_t stop = end;

	if (!wants(scan, IQ_REDACT_AUTHORIZATION))
		return;
	while (stop - end < MAX_AUTHORITY && is_token_char(byte_at(scan, stop)))
		stop++;
	iq_buf_clear(decoded);
	if (iq_base64_decode(iq_view_make(scan->text.data + end, stop - end), decoded) == 0 && decoded->len > 0 &&
	    memchr(decoded->data, ':', decoded->len))
		replace(scan, end, stop, &as_it_is);
}

/* `://user:password@` */
static void match_url(struct scan *scan, size_t end)
{
	size_t sign = SIZE_MAX, colon = SIZE_MAX;

	for (size_t pos = end; pos < scan->text.len && pos - end < MAX_AUTHORITY; pos++) {
		const unsigned char c = byte_at(scan, pos);

		if (c <= ' ' || strchr("/?#\"'`<>\\", c))
			break;
		if (c == ':' && colon == SIZE_MAX)
			colon = pos;
		if (c == '@')
			sign = pos;
	}
	if (wants(scan, IQ_REDACT_BEARER) && sign != SIZE_MAX && colon < sign)
		replace(scan, colon + 1, sign, &(struct writing){ true, 0, NULL });
}

static void match(struct scan *scan, size_t found, size_t end)
{
	const enum anchor anchor = found < ANCHORS ? anchors[found].anchor : ANCHOR_VENDOR;
	const size_t start =
		end - (found < ANCHORS ? anchors[found].text.len : iq_vendor_anchors()[found - ANCHORS].len);

	if (start < scan->resume)
		return;
	switch (anchor) {
	case ANCHOR_NAME:
		match_name(scan, start, end);
		break;
	case ANCHOR_VALUE:
		match_value(scan, end);
		break;
	case ANCHOR_QUERY:
		match_query(scan, start, end);
		break;
	case ANCHOR_JWT:
		match_jwt(scan, start);
		break;
	case ANCHOR_PEM:
		match_pem(scan, start);
		break;
	case ANCHOR_VENDOR:
		match_vendor(scan, start);
		break;
	case ANCHOR_AT:
		match_email(scan, start, end);
		break;
	case ANCHOR_BEARER:
		match_bearer(scan, end);
		break;
	case ANCHOR_BASIC:
		match_basic(scan, end);
		break;
	case ANCHOR_URL:
		match_url(scan, end);
		break;
	}
}

/* Appends the redacted text. False, and nothing is appended, where it stays as it is. */
static bool scan_text(struct iq_redactor *redactor, struct iq_view text, struct iq_buf *out)
{
	struct scan scan = { .redactor = redactor, .text = text, .out = out };
	struct iq_literals_place place = { 0 };
	size_t found;

	while ((found = iq_literals_next(redactor->literals, text, &place)) != IQ_LITERALS_NONE) {
		match(&scan, found, place.pos);
		if (scan.resume > place.pos)
			place = (struct iq_literals_place){ scan.resume, 0 };
	}
	if (scan.replaced)
		copy_until(&scan, text.len);
	return scan.replaced;
}

int iq_redactor_text(struct iq_redactor *redactor, struct iq_view text, struct iq_buf *scratch,
		     struct iq_view *ret_text)
{
	const size_t start = scratch->len;

	redactor->failed = false;
	*ret_text = scan_text(redactor, text, scratch) ? iq_view_from(iq_buf_view(scratch), start) : text;
	return redactor->failed || scratch->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- Keys whose lines are events ---- */

static uint64_t stream_of(const struct iq_event *event)
{
	const uint64_t names[3] = { iq_hash64(event->source), iq_hash64(event->session), (uint64_t)event->direction };

	return iq_hash64(iq_view_make((const char *)names, sizeof(names)));
}

static struct open_pem *find_open(struct iq_redactor *redactor, uint64_t stream, bool make)
{
	struct open_pem *least = &redactor->open_pems[0];

	for (size_t i = 0; i < IQ_REDACT_MAX_OPEN_PEM; i++) {
		struct open_pem *open = &redactor->open_pems[i];

		if (open->left > 0 && open->stream == stream)
			return open;
		if (open->left < least->left)
			least = open;
	}
	return make ? least : NULL;
}

/* The last word, where it may be a line of base64. */
static struct iq_view key_line(struct iq_view body)
{
	struct iq_view word = iq_view_trim(body);
	size_t start = word.len;

	while (start > 0 && is_token_char((unsigned char)word.data[start - 1]))
		start--;
	word = iq_view_from(word, start);
	return word.len >= 4 ? word : IQ_VIEW_NULL;
}

/* A line of a key that began in an event before. True: it is replaced. */
static bool redact_key_line(struct iq_redactor *redactor, struct iq_view body, struct iq_buf *out)
{
	struct iq_view line = key_line(body);
	struct scan scan = { .redactor = redactor, .text = body, .out = out };

	if (line.data)
		replace(&scan, (size_t)(line.data - body.data), (size_t)(line.data - body.data) + line.len, &as_it_is);
	if (scan.replaced)
		copy_until(&scan, body.len);
	return scan.replaced;
}

static bool redact_body(struct iq_redactor *redactor, const struct iq_event *event, struct iq_buf *out)
{
	struct open_pem *open = NULL;
	bool replaced;

	if (redactor->presets >> IQ_REDACT_PEM & 1)
		open = find_open(redactor, stream_of(event), false);
	if (open && (iq_view_find(event->body, IQ_LIT("-----END")) != SIZE_MAX))
		open->left = 1;
	if (open && --open->left > 0 && redact_key_line(redactor, event->body, out))
		return true;
	redactor->pem_was_left_open = false;
	replaced = scan_text(redactor, event->body, out);
	if (redactor->pem_was_left_open)
		*find_open(redactor, stream_of(event), true) =
			(struct open_pem){ stream_of(event), IQ_REDACT_MAX_PEM_LINES };
	return replaced;
}

/* ---- The sink ---- */

static bool is_remembered(const struct iq_redactor *redactor, struct iq_view name)
{
	size_t start = 0;

	for (size_t i = 0; i < redactor->remembered_count; i++) {
		const size_t end = redactor->remembered_ends[i];

		if (iq_view_eq(name, iq_view_make(redactor->remembered.data + start, end - start)))
			return true;
		start = end;
	}
	return false;
}

static void redact_name(struct iq_redactor *redactor, struct iq_view *name, struct iq_buf *scratch)
{
	iq_buf_clear(scratch);
	if (name->len == 0)
		return;
	if (is_remembered(redactor, *name))
		append_tag(redactor, *name, scratch);
	else if (!scan_text(redactor, *name, scratch))
		return;
	*name = iq_buf_view(scratch);
	redactor->failed |= scratch->failed;
}

static void redact_attrs(struct iq_redactor *redactor, struct iq_event *event, struct iq_buf *scratch)
{
	iq_buf_clear(scratch);
	if (event->attrs.len > 0 && scan_text(redactor, event->attrs, scratch))
		event->attrs = iq_buf_view(scratch);
	redactor->failed |= scratch->failed;
}

static int take_event(void *context, const struct iq_event *given, struct iq_error *error)
{
	struct iq_redactor *redactor = context;
	struct iq_event event = *given;
	struct iq_view *const names[] = { &event.source, &event.session, &event.type, &event.key };

	redactor->failed = false;
	redactor->remembering = true;
	redactor->remembered_count = 0;
	iq_buf_clear(&redactor->remembered);
	iq_buf_clear(&redactor->texts[0]);
	if (event.body.len > 0 && redact_body(redactor, given, &redactor->texts[0])) {
		event.body = iq_buf_view(&redactor->texts[0]);
		event.body_length = 0;
	}
	redact_attrs(redactor, &event, &redactor->texts[1]);
	redactor->remembering = false;
	for (size_t i = 0; i < 4; i++)
		redact_name(redactor, names[i], &redactor->texts[2 + i]);
	if (redactor->failed || redactor->texts[0].failed || redactor->remembered.failed)
		return iq_error_nomem(error);
	return redactor->next->event(redactor->next->context, &event, error);
}

static int take_gap(void *context, const struct iq_gap *given, struct iq_error *error)
{
	struct iq_redactor *redactor = context;
	struct iq_gap gap = *given;
	struct iq_view *const texts[] = { &gap.source, &gap.session, &gap.reason };

	redactor->failed = false;
	redactor->remembered_count = 0;
	for (size_t i = 0; i < 3; i++)
		redact_name(redactor, texts[i], &redactor->texts[i]);
	if (redactor->failed)
		return iq_error_nomem(error);
	return redactor->next->gap(redactor->next->context, &gap, error);
}

const struct iq_sink *iq_redactor_sink(struct iq_redactor *redactor, const struct iq_sink *next)
{
	memset(redactor->open_pems, 0, sizeof(redactor->open_pems));
	redactor->next = next;
	redactor->sink = (struct iq_sink){ take_event, take_gap, redactor };
	return &redactor->sink;
}
