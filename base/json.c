#include "base/json.h"

#include <string.h>

#include "base/scan.h"
#include "base/utf8.h"
#include "base/view.h"

enum state {
	WANT_VALUE,
	WANT_VALUE_OR_END, /* just after [ */
	WANT_KEY,	   /* after a comma in an object */
	WANT_KEY_OR_END,   /* just after { */
	WANT_COMMA_OR_END,
	DONE
};

void iq_json_init(struct iq_json *json, struct iq_view text)
{
	json->text = text;
	json->pos = 0;
	json->depth = 0;
	json->state = WANT_VALUE;
	json->closer = '\0';
	json->error = NULL;
}

static int fail(struct iq_json *json, const char *what)
{
	json->error = what;
	return IQ_ERR_FORMAT;
}

static bool in_object(const struct iq_json *json)
{
	uint32_t top = json->depth - 1;

	return (json->stack[top / 8] >> (top % 8) & 1) != 0;
}

static int push(struct iq_json *json, bool object)
{
	uint32_t top = json->depth;
	uint8_t bit = (uint8_t)(1u << (top % 8));

	if (top >= IQ_JSON_MAX_DEPTH) {
		json->error = "nested too deep";
		return IQ_ERR_LIMIT;
	}
	if (object)
		json->stack[top / 8] = (uint8_t)(json->stack[top / 8] | bit);
	else
		json->stack[top / 8] = (uint8_t)(json->stack[top / 8] & ~bit);
	json->depth++;
	json->state = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	json->closer = object ? '}' : ']';
	return 1;
}

static void value_ended(struct iq_json *json)
{
	json->state = json->depth == 0 ? DONE : WANT_COMMA_OR_END;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct iq_json *json)
{
	while (json->pos < json->text.len && is_space(json->text.data[json->pos]))
		json->pos++;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What follows a backslash, and what both stand for; 0: no escape. */
static const char unescaped[256] = {
	['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'
};

/* Length of the escape at `data` (a backslash), 0 if it is none. */
static size_t escape_length(const char *data, size_t len)
{
	if (len < 2)
		return 0;
	if (data[1] != 'u')
		return unescaped[(unsigned char)data[1]] ? 2 : 0;
	if (len < 6 || !is_hex(data[2]) || !is_hex(data[3]) || !is_hex(data[4]) || !is_hex(data[5]))
		return 0;
	return 6;
}

/* What ends the plain text at `pos` of a string: 1 the closing quote, 0 an escape of *ret_len bytes, negative. */
static int special_at(struct iq_json *json, size_t pos, size_t *ret_len)
{
	const char c = json->text.data[pos];

	if (c == '"')
		return 1;
	json->pos = pos;
	if (c != '\\')
		return fail(json, "control character in a string");
	*ret_len = escape_length(json->text.data + pos, json->text.len - pos);
	return *ret_len == 0 ? fail(json, "invalid escape in a string") : 0;
}

/* The end of a string that begins at `pos`: in blocks while there are any and more behind them, then byte by byte. Escapes
 * mark `escaped`. */
static int find_end(struct iq_json *json, size_t pos, size_t *ret_end, bool *escaped)
{
	const struct iq_view text = json->text;
	size_t len;
	int rc;

	while (text.len - pos > IQ_BLOCK) {
		unsigned marks = iq_string_marks(text.data + pos);
		size_t next = IQ_BLOCK;

		while (marks) {
			const size_t at = (size_t)__builtin_ctz(marks);
			const char *special = text.data + pos + at;

			*ret_end = pos + at;
			len = 2;
			rc = *special == '\\' && unescaped[(unsigned char)special[1]]
				     ? 0
				     : special_at(json, pos + at, &len);
			if (rc != 0)
				return rc;
			*escaped = true;
			next = at + len;
			if (next >= IQ_BLOCK)
				break;
			marks &= ~0u << next;
			next = IQ_BLOCK;
		}
		pos += next;
	}
	for (; pos < text.len; pos += len) {
		pos = iq_string_end(text, pos);
		if (pos == text.len)
			break;
		*ret_end = pos;
		rc = special_at(json, pos, &len);
		if (rc != 0)
			return rc;
		*escaped = true;
	}
	json->pos = text.len;
	return fail(json, "string without its closing quote");
}

/* The length of a string that begins at `pos`, if a block shows all of it and nothing in it is escaped; else IQ_BLOCK. */
static inline size_t short_string(struct iq_view text, size_t pos)
{
	const unsigned marks = text.len - pos > IQ_BLOCK ? iq_string_marks(text.data + pos) : 0;
	const size_t len = marks ? (size_t)__builtin_ctz(marks) : IQ_BLOCK;

	return marks && text.data[pos + len] == '"' ? len : IQ_BLOCK;
}

/* At an opening quote. */
static int scan_string(struct iq_json *json, struct iq_json_token *token)
{
	const size_t start = json->pos + 1, len = short_string(json->text, start);
	size_t end = start + len;
	int rc = 1;

	token->escaped = false;
	if (len == IQ_BLOCK)
		rc = find_end(json, start, &end, &token->escaped);
	if (rc < 0)
		return rc;
	token->raw = iq_view_make(json->text.data + start, end - start);
	json->pos = end + 1;
	return 1;
}

static size_t digits(struct iq_view text, size_t pos)
{
	size_t start = pos;

	while (pos < text.len && text.data[pos] >= '0' && text.data[pos] <= '9')
		pos++;
	return pos - start;
}

static char at(const struct iq_json *json, size_t pos)
{
	return pos < json->text.len ? json->text.data[pos] : '\0';
}

static int scan_number(struct iq_json *json, struct iq_json_token *token)
{
	size_t start = json->pos;
	size_t pos = start + (at(json, start) == '-');
	size_t count = digits(json->text, pos);

	if (count == 0 || (count > 1 && json->text.data[pos] == '0'))
		return fail(json, "invalid number");
	pos += count;
	if (at(json, pos) == '.') {
		count = digits(json->text, pos + 1);
		if (count == 0)
			return fail(json, "invalid number");
		pos += 1 + count;
	}
	if (at(json, pos) == 'e' || at(json, pos) == 'E') {
		pos++;
		pos += at(json, pos) == '+' || at(json, pos) == '-';
		count = digits(json->text, pos);
		if (count == 0)
			return fail(json, "invalid number");
		pos += count;
	}
	token->type = IQ_JSON_NUMBER;
	token->raw = iq_view_make(json->text.data + start, pos - start);
	json->pos = pos;
	return 1;
}

static int scan_word(struct iq_json *json, struct iq_json_token *token, struct iq_view word, enum iq_json_type type)
{
	struct iq_view rest = iq_view_from(json->text, json->pos);

	if (!iq_view_starts_with(rest, word))
		return fail(json, "invalid word");
	token->type = type;
	token->raw = iq_view_make(rest.data, word.len);
	json->pos += word.len;
	return 1;
}

static int scan_scalar(struct iq_json *json, struct iq_json_token *token)
{
	int rc;

	switch (json->text.data[json->pos]) {
	case '"':
		token->type = IQ_JSON_STRING;
		rc = scan_string(json, token);
		break;
	case 't':
		rc = scan_word(json, token, IQ_LIT("true"), IQ_JSON_TRUE);
		break;
	case 'f':
		rc = scan_word(json, token, IQ_LIT("false"), IQ_JSON_FALSE);
		break;
	case 'n':
		rc = scan_word(json, token, IQ_LIT("null"), IQ_JSON_NULL);
		break;
	default:
		rc = scan_number(json, token);
		break;
	}
	if (rc > 0)
		value_ended(json);
	return rc;
}

static int open_container(struct iq_json *json, struct iq_json_token *token, bool object)
{
	int rc = push(json, object);

	if (rc < 0)
		return rc;
	token->type = object ? IQ_JSON_OBJECT_BEGIN : IQ_JSON_ARRAY_BEGIN;
	token->raw = iq_view_make(json->text.data + json->pos, 1);
	json->pos++;
	return 1;
}

static int close_container(struct iq_json *json, struct iq_json_token *token)
{
	token->type = json->closer == '}' ? IQ_JSON_OBJECT_END : IQ_JSON_ARRAY_END;
	token->raw = iq_view_make(json->text.data + json->pos, 1);
	json->pos++;
	json->depth--;
	json->closer = json->depth == 0 ? '\0' : in_object(json) ? '}' : ']';
	value_ended(json);
	return 1;
}

static int scan_key(struct iq_json *json, struct iq_json_token *token)
{
	int rc;

	if (json->text.data[json->pos] != '"')
		return fail(json, "expected a name in quotes");
	rc = scan_string(json, token);
	if (rc < 0)
		return rc;
	skip_space(json);
	if (at(json, json->pos) != ':' || json->pos >= json->text.len)
		return fail(json, "expected ':' after a name");
	token->type = IQ_JSON_KEY;
	json->pos++;
	json->state = WANT_VALUE;
	return 1;
}

static int scan_value(struct iq_json *json, struct iq_json_token *token, char first)
{
	token->offset = json->pos;
	token->escaped = false;
	if (first == '{' || first == '[')
		return open_container(json, token, first == '{');
	return scan_scalar(json, token);
}

int iq_json_next(struct iq_json *json, struct iq_json_token *ret_token)
{
	char c;

	if (json->error)
		return IQ_ERR_FORMAT;
	if (json->state == DONE)
		return 0;
	skip_space(json);
	if (json->pos >= json->text.len)
		return fail(json, "the text ends too early");
	c = json->text.data[json->pos];
	if (json->state == WANT_COMMA_OR_END && c == ',') {
		json->pos++;
		json->state = json->closer == '}' ? WANT_KEY : WANT_VALUE;
		skip_space(json);
		if (json->pos >= json->text.len)
			return fail(json, "the text ends too early");
		c = json->text.data[json->pos];
	} else if (json->state >= WANT_VALUE_OR_END && json->state != WANT_KEY && json->depth > 0 &&
		   c == json->closer) {
		ret_token->offset = json->pos;
		return close_container(json, ret_token);
	} else if (json->state == WANT_COMMA_OR_END) {
		return fail(json, "expected ',' or the end of the value");
	}
	if (json->state != WANT_KEY && json->state != WANT_KEY_OR_END)
		return scan_value(json, ret_token, c);
	ret_token->offset = json->pos;
	return scan_key(json, ret_token);
}

/* A member as most writers write them, `,"name":` without white space and with a short name: where its value begins, or 0. */
static size_t plain_name(const struct iq_json *json, struct iq_json_token *name)
{
	const struct iq_view text = json->text;
	const size_t start = json->pos + (json->state == WANT_COMMA_OR_END);
	size_t len;

	if (json->error || json->closer != '}' ||
	    (json->state != WANT_COMMA_OR_END && json->state != WANT_KEY_OR_END) || start >= text.len ||
	    text.data[start] != '"' || (start > json->pos && text.data[json->pos] != ','))
		return 0;
	len = short_string(text, start + 1);
	/* short_string() looked at what follows the name as well. */
	if (len == IQ_BLOCK || start + len + 3 >= text.len || text.data[start + len + 2] != ':')
		return 0;
	*name = (struct iq_json_token){ IQ_JSON_KEY, { text.data + start + 1, len }, false, start };
	return start + len + 3;
}

int iq_json_member(struct iq_json *json, struct iq_json_token *ret_name, struct iq_json_token *ret_value)
{
	const size_t value = plain_name(json, ret_name);
	int rc;

	if (value > 0 && !is_space(json->text.data[value])) {
		json->pos = value;
		return scan_value(json, ret_value, json->text.data[value]);
	}
	rc = iq_json_next(json, ret_name);
	ret_value->offset = json->pos;
	if (rc <= 0 || ret_name->type != IQ_JSON_KEY)
		return rc < 0 ? rc : 0;
	return iq_json_next(json, ret_value);
}

struct iq_view iq_json_skip(struct iq_json *json, const struct iq_json_token *token)
{
	struct iq_json_token inner;
	uint32_t depth;

	if (token->type != IQ_JSON_OBJECT_BEGIN && token->type != IQ_JSON_ARRAY_BEGIN)
		return iq_view_make(json->text.data + token->offset, json->pos - token->offset);
	depth = json->depth;
	while (json->depth >= depth)
		if (iq_json_next(json, &inner) <= 0)
			return IQ_VIEW_NULL;
	return iq_view_make(json->text.data + token->offset, json->pos - token->offset);
}

bool iq_json_end(const struct iq_json *json)
{
	return json->state == DONE && iq_view_trim(iq_view_from(json->text, json->pos)).len == 0;
}

bool iq_json_valid(struct iq_view text)
{
	struct iq_json json;
	struct iq_json_token token;
	int rc;

	iq_json_init(&json, text);
	while ((rc = iq_json_next(&json, &token)) > 0)
		;
	return rc == 0 && iq_json_end(&json);
}

static uint32_t hex4(const char *text)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char c = text[i];

		value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* At `\uXXXX` (checked by the scanner); takes the second half of a surrogate pair with it. */
static size_t unescape_unicode(struct iq_buf *buf, struct iq_view rest, int *rc)
{
	uint32_t unit = hex4(rest.data + 2);
	size_t used = 6;

	if (unit >= 0xD800 && unit <= 0xDBFF && rest.len >= 12 && rest.data[6] == '\\' && rest.data[7] == 'u') {
		uint32_t low = hex4(rest.data + 8);

		if (low >= 0xDC00 && low <= 0xDFFF) {
			unit = 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00));
			used = 12;
		}
	}
	*rc = iq_utf8_encode(buf, unit);
	return used;
}

/* The first block of `raw`, behind which another can be read, with its escapes undone but the long ones, before which it ends. What is
 * unescaped is never longer than what it comes from: a block that is read can be written whole. */
static size_t unescape_block(char **out, struct iq_view raw)
{
	unsigned marks = iq_byte_marks(raw.data, '\\');
	size_t from = 0;

	while (marks) {
		const size_t at = (size_t)__builtin_ctz(marks);
		const char c = unescaped[(unsigned char)raw.data[at + 1]];

		memcpy(*out, raw.data + from, IQ_BLOCK);
		*out += at - from;
		if (!c)
			return at;
		*(*out)++ = c;
		from = at + 2;
		if (from >= IQ_BLOCK)
			return from;
		marks &= ~0u << from;
	}
	memcpy(*out, raw.data + from, IQ_BLOCK);
	*out += IQ_BLOCK - from;
	return IQ_BLOCK;
}

/* What stands before the next backslash. */
static size_t copy_plain(char **out, struct iq_view raw)
{
	const char *end = memchr(raw.data, '\\', raw.len);
	const size_t plain = end ? (size_t)(end - raw.data) : raw.len;

	memcpy(*out, raw.data, plain);
	*out += plain;
	return plain;
}

/* Room for `raw` is in the buffer. */
int iq_json_unescape(struct iq_buf *buf, struct iq_view raw)
{
	int rc = iq_buf_reserve(buf, raw.len);

	while (rc == 0 && raw.len > 0) {
		char *out = buf->data + buf->len;
		size_t len = raw.len >= 2 * IQ_BLOCK ? unescape_block(&out, raw) : copy_plain(&out, raw);

		buf->len = (size_t)(out - buf->data);
		raw = iq_view_from(raw, len);
		if (raw.len == 0 || raw.data[0] != '\\')
			continue;
		len = escape_length(raw.data, raw.len);
		if (len == 0)
			break;
		if (len == 6)
			len = unescape_unicode(buf, raw, &rc);
		else
			buf->data[buf->len++] = unescaped[(unsigned char)raw.data[1]];
		raw = iq_view_from(raw, len);
	}
	if (buf->data)
		buf->data[buf->len] = '\0';
	return rc;
}

struct iq_view iq_json_text(const struct iq_json_token *token, struct iq_buf *scratch)
{
	size_t start = scratch->len;

	if (!token->escaped)
		return token->raw;
	if (iq_buf_reserve(scratch, token->raw.len) < 0 || iq_json_unescape(scratch, token->raw) < 0)
		return IQ_VIEW_NULL;
	return iq_view_make(scratch->data + start, scratch->len - start);
}

static int append_json_char(struct iq_buf *buf, char c)
{
	switch (c) {
	case '"':
		return iq_buf_append_cstr(buf, "\\\"");
	case '\\':
		return iq_buf_append_cstr(buf, "\\\\");
	case '\n':
		return iq_buf_append_cstr(buf, "\\n");
	case '\r':
		return iq_buf_append_cstr(buf, "\\r");
	case '\t':
		return iq_buf_append_cstr(buf, "\\t");
	default:
		return iq_buf_appendf(buf, "\\u%04x", (unsigned)(unsigned char)c);
	}
}

int iq_json_append_string(struct iq_buf *buf, struct iq_view view)
{
	int rc = iq_buf_append_char(buf, '"');

	while (rc == 0 && view.len > 0) {
		uint32_t code_point;
		size_t plain = iq_string_end(view, 0);
		struct iq_view run = iq_view_make(view.data, plain);

		if (plain > 0 && iq_utf8_valid(run)) {
			rc = iq_buf_append(buf, run);
			view = iq_view_from(view, plain);
		} else if (plain == 0) {
			rc = append_json_char(buf, view.data[0]);
			view = iq_view_from(view, 1);
		} else {
			size_t len = iq_utf8_decode(view, &code_point);

			rc = iq_utf8_encode(buf, len ? code_point : 0xFFFD);
			view = iq_view_from(view, len ? len : 1);
		}
	}
	return rc < 0 ? rc : iq_buf_append_char(buf, '"');
}

bool iq_json_pointer_valid(struct iq_view pointer)
{
	if (pointer.len > 0 && pointer.data[0] != '/')
		return false;
	for (size_t i = 0; i < pointer.len; i++)
		if (pointer.data[i] == '~' &&
		    (i + 1 == pointer.len || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1')))
			return false;
	return true;
}

/* Takes the next reference token (still escaped) off a pointer that begins with a slash. */
static struct iq_view take_reference(struct iq_view *pointer)
{
	struct iq_view rest = iq_view_from(*pointer, 1);
	const char *slash = rest.len ? memchr(rest.data, '/', rest.len) : NULL;
	size_t len = slash ? (size_t)(slash - rest.data) : rest.len;

	*pointer = iq_view_from(rest, len);
	return iq_view_make(rest.data, len);
}

/* Is `name` what the escaped reference stands for? */
static bool reference_matches(struct iq_view reference, struct iq_view name)
{
	size_t used = 0;

	for (size_t i = 0; i < reference.len; i++, used++) {
		char c = reference.data[i];

		if (c == '~')
			c = reference.data[++i] == '1' ? '/' : '~';
		if (used >= name.len || name.data[used] != c)
			return false;
	}
	return used == name.len;
}

/* Inside an object: moves to the value of the member that `reference` names. */
static bool enter_member(struct iq_json *json, struct iq_view reference, struct iq_json_token *token,
			 struct iq_buf *scratch)
{
	struct iq_json_token name;

	while (iq_json_member(json, &name, token) > 0) {
		if (reference_matches(reference, iq_json_text(&name, scratch)))
			return true;
		if (!iq_json_skip(json, token).data)
			return false;
	}
	return false;
}

static bool enter_element(struct iq_json *json, struct iq_view reference, struct iq_json_token *token)
{
	int64_t index;

	if (!iq_view_to_int64(reference, &index) || index < 0 || (reference.len > 1 && reference.data[0] == '0') ||
	    reference.data[0] == '-')
		return false;
	while (iq_json_next(json, token) > 0 && token->type != IQ_JSON_ARRAY_END) {
		if (index-- == 0)
			return true;
		if (!iq_json_skip(json, token).data)
			return false;
	}
	return false;
}

struct iq_json_value iq_json_pointer(struct iq_view text, struct iq_view pointer, struct iq_buf *scratch)
{
	struct iq_json_value value = { .type = IQ_JSON_NONE, .raw = IQ_VIEW_NULL, .text = IQ_VIEW_NULL };
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, text);
	if (!iq_json_pointer_valid(pointer) || iq_json_next(&json, &token) <= 0)
		return value;
	while (pointer.len > 0) {
		struct iq_view reference = take_reference(&pointer);
		bool entered = false;

		if (token.type == IQ_JSON_OBJECT_BEGIN)
			entered = enter_member(&json, reference, &token, scratch);
		else if (token.type == IQ_JSON_ARRAY_BEGIN)
			entered = enter_element(&json, reference, &token);
		if (!entered)
			return value;
	}
	value.raw = iq_json_skip(&json, &token);
	if (!value.raw.data)
		return value;
	value.type = token.type;
	value.text = token.type == IQ_JSON_STRING ? iq_json_text(&token, scratch) : value.raw;
	return value;
}
