#include "replay/rewrite.h"

#include <stdio.h>

struct walk {
	iq_rewrite_fn *replace;
	void *context;
	struct iq_buf path;
	unsigned depth;
};

static int rewrite_text(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out);
static int rewrite_value(struct walk *walk, struct iq_json *json, const struct iq_json_token *token,
			 struct iq_view name, struct iq_buf *out);

static int offer(struct walk *walk, struct iq_view value, struct iq_view name, bool is_number, bool is_word,
		 struct iq_buf *out)
{
	const struct iq_place place = { value, iq_buf_view(&walk->path), name, is_number, is_word };

	return value.len > 0 ? walk->replace(walk->context, &place, out) : 0;
}

static size_t push(struct walk *walk, const char *mark, struct iq_view step)
{
	const size_t before = walk->path.len;

	(void)iq_buf_append_cstr(&walk->path, mark);
	for (size_t i = 0; i < step.len; i++) {
		if (step.data[i] == '~' || (step.data[i] == '/' && mark[0] == '/'))
			(void)iq_buf_append_cstr(&walk->path, step.data[i] == '~' ? "~0" : "~1");
		else
			(void)iq_buf_append_char(&walk->path, step.data[i]);
	}
	return before;
}

static size_t push_number(struct walk *walk, const char *mark, size_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", number);
	return push(walk, mark, iq_view_cstr(text));
}

static void pop(struct walk *walk, size_t before)
{
	walk->path.len = before;
	if (walk->path.data)
		walk->path.data[before] = '\0';
}

/* ---- JSON ---- */

static int rewrite_string(struct walk *walk, const struct iq_json_token *token, struct iq_view name, struct iq_buf *out)
{
	struct iq_buf scratch = IQ_BUF_INIT, inner = IQ_BUF_INIT;
	int rc = rewrite_text(walk, iq_json_text(token, &scratch), name, &inner);

	if (rc > 0)
		(void)iq_json_append_string(out, iq_buf_view(&inner));
	iq_buf_release(&scratch);
	iq_buf_release(&inner);
	return rc;
}

/* What is put for a number may be none. */
static int rewrite_number(struct walk *walk, const struct iq_json_token *token, struct iq_view name, struct iq_buf *out)
{
	struct iq_buf inner = IQ_BUF_INIT;
	int rc = offer(walk, token->raw, name, true, false, &inner);
	double number;

	if (rc > 0 && iq_view_to_double(iq_buf_view(&inner), &number) && iq_json_valid(iq_buf_view(&inner)))
		(void)iq_buf_append(out, iq_buf_view(&inner));
	else if (rc > 0)
		(void)iq_json_append_string(out, iq_buf_view(&inner));
	iq_buf_release(&inner);
	return rc;
}

static int rewrite_members(struct walk *walk, struct iq_json *json, bool is_object, struct iq_buf *out)
{
	struct iq_buf key = IQ_BUF_INIT;
	struct iq_json_token token;
	struct iq_view name = IQ_VIEW_NULL;
	size_t kept = json->pos, index = 0;
	int rc = 0, changed = 0;

	while (rc >= 0 && (rc = iq_json_next(json, &token)) > 0) {
		struct iq_buf one = IQ_BUF_INIT;
		size_t before;

		if (token.type == IQ_JSON_OBJECT_END || token.type == IQ_JSON_ARRAY_END)
			break;
		if (token.type == IQ_JSON_KEY) {
			iq_buf_clear(&key);
			name = iq_json_text(&token, &key);
			continue;
		}
		before = is_object ? push(walk, "/", name) : push_number(walk, "/", index++);
		rc = rewrite_value(walk, json, &token, name, &one);
		pop(walk, before);
		if (rc > 0) {
			(void)iq_buf_append(out, iq_view_make(json->text.data + kept, token.offset - kept));
			(void)iq_buf_append(out, iq_buf_view(&one));
			kept = json->pos;
			changed = 1;
		}
		iq_buf_release(&one);
	}
	iq_buf_release(&key);
	(void)iq_buf_append(out, iq_view_make(json->text.data + kept, json->pos - kept));
	return rc < 0 ? rc : changed;
}

/* One value, whose first token was read: 1 with what stands for it, from its first byte to its last. */
static int rewrite_value(struct walk *walk, struct iq_json *json, const struct iq_json_token *token,
			 struct iq_view name, struct iq_buf *out)
{
	switch (token->type) {
	case IQ_JSON_OBJECT_BEGIN:
	case IQ_JSON_ARRAY_BEGIN:
		(void)iq_buf_append_char(out, token->type == IQ_JSON_OBJECT_BEGIN ? '{' : '[');
		return rewrite_members(walk, json, token->type == IQ_JSON_OBJECT_BEGIN, out);
	case IQ_JSON_STRING:
		return rewrite_string(walk, token, name, out);
	case IQ_JSON_NUMBER:
		return rewrite_number(walk, token, name, out);
	default:
		return 0;
	}
}

static bool is_document(struct iq_view text)
{
	const struct iq_view trimmed = iq_view_trim(text);

	return trimmed.len >= 2 && (trimmed.data[0] == '{' || trimmed.data[0] == '[') && iq_json_valid(text);
}

static int rewrite_document(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	struct iq_json json;
	struct iq_json_token token;
	int rc;

	iq_json_init(&json, text);
	if (iq_json_next(&json, &token) <= 0)
		return 0;
	(void)iq_buf_append(out, iq_view_make(text.data, token.offset));
	rc = rewrite_value(walk, &json, &token, name, out);
	(void)iq_buf_append(out, iq_view_from(text, json.pos));
	return rc;
}

/* ---- Base64 ---- */

/* What reads as text when it is decoded; short words would do so by chance. */
static bool decode(struct iq_view text, bool *ret_url, struct iq_buf *ret_plain)
{
	struct iq_buf standard = IQ_BUF_INIT;
	bool good = text.len >= 12;

	*ret_url = false;
	for (size_t i = 0; i < text.len && good; i++) {
		const char c = text.data[i];

		*ret_url |= c == '-' || c == '_';
		(void)iq_buf_append_char(&standard, c == '-' ? '+' : c == '_' ? '/' : c);
		good = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("+/-_=", c);
	}
	while (standard.len > 0 && standard.data[standard.len - 1] == '=')
		standard.len--;
	good = good && standard.len % 4 != 1;
	while (standard.len % 4 != 0)
		(void)iq_buf_append_char(&standard, '=');
	good = good && iq_base64_decode(iq_buf_view(&standard), ret_plain) == 0 && ret_plain->len > 0 &&
	       iq_utf8_valid(iq_buf_view(ret_plain));
	for (size_t i = 0; i < ret_plain->len && good; i++)
		good = (unsigned char)ret_plain->data[i] >= ' ' || strchr("\t\r\n", ret_plain->data[i]);
	iq_buf_release(&standard);
	return good;
}

static void encode(struct iq_view plain, bool url, bool padded, struct iq_buf *out)
{
	const size_t from = out->len;

	(void)iq_base64_encode(plain, out);
	for (size_t i = from; i < out->len && url; i++)
		out->data[i] = (char)(out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i]);
	while (!padded && out->len > from && out->data[out->len - 1] == '=')
		out->len--;
}

static int rewrite_base64(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	struct iq_buf plain = IQ_BUF_INIT, inner = IQ_BUF_INIT;
	size_t before;
	bool url;
	int rc = 0;

	if (decode(text, &url, &plain)) {
		before = push(walk, ">base64", IQ_VIEW_NULL);
		rc = rewrite_text(walk, iq_buf_view(&plain), name, &inner);
		pop(walk, before);
	}
	if (rc > 0)
		encode(iq_buf_view(&inner), url, text.len % 4 == 0, out);
	iq_buf_release(&plain);
	iq_buf_release(&inner);
	return rc;
}

/* ---- Words ---- */

static bool unhex(char c, unsigned *ret_digit)
{
	if (c >= '0' && c <= '9')
		*ret_digit = (unsigned)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*ret_digit = (unsigned)((c | 0x20) - 'a') + 10;
	else
		return false;
	return true;
}

/* False where there is nothing to decode. */
static bool unpercent(struct iq_view text, struct iq_buf *out)
{
	bool found = false;

	for (size_t i = 0; i < text.len; i++) {
		unsigned high, low;

		if (text.data[i] == '%' && i + 2 < text.len && unhex(text.data[i + 1], &high) &&
		    unhex(text.data[i + 2], &low)) {
			(void)iq_buf_append_char(out, (char)(high << 4 | low));
			found = true;
			i += 2;
		} else {
			(void)iq_buf_append_char(out, text.data[i]);
		}
	}
	return found;
}

static void append_percent(struct iq_buf *out, struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		    (c != '\0' && strchr("-._~", c)))
			(void)iq_buf_append_char(out, c);
		else
			(void)iq_buf_appendf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

static int rewrite_percent(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	struct iq_buf plain = IQ_BUF_INIT, inner = IQ_BUF_INIT;
	int rc = 0;

	if (iq_view_find(text, IQ_LIT("%")) != SIZE_MAX && unpercent(text, &plain))
		rc = rewrite_text(walk, iq_buf_view(&plain), name, &inner);
	if (rc > 0)
		append_percent(out, iq_buf_view(&inner));
	iq_buf_release(&plain);
	iq_buf_release(&inner);
	return rc;
}

static const struct iq_view tag_begin = { "\xe2\x80\xb9", 3 }, tag_end = { "\xe2\x80\xba", 3 };

/* How long the word is that begins the text; a tag of redaction is one. */
static size_t word_len(struct iq_view text)
{
	size_t len = 0;

	if (iq_view_starts_with(text, tag_begin)) {
		const size_t end = iq_view_find(text, tag_end);

		if (end != SIZE_MAX)
			return end + tag_end.len;
	}
	while (len < text.len && !strchr(" \t\r\n/?&=;,:\"'#|()<>[]{}", text.data[len]) &&
	       (len == 0 || !iq_view_starts_with(iq_view_from(text, len), tag_begin)))
		len++;
	return len;
}

static int rewrite_word(struct walk *walk, struct iq_view word, struct iq_view name, struct iq_buf *out)
{
	int rc = offer(walk, word, name, false, true, out);

	if (rc == 0)
		rc = rewrite_percent(walk, word, name, out);
	return rc == 0 ? rewrite_base64(walk, word, name, out) : rc;
}

/* `token=abc`: the word before the sign is the name of the one behind it. */
static int rewrite_words(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	struct iq_view named = name;
	size_t index = 0;
	int rc = 0, changed = 0;

	for (size_t at = 0; at < text.len && rc >= 0;) {
		const struct iq_view word = iq_view_make(text.data + at, word_len(iq_view_from(text, at)));
		struct iq_buf one = IQ_BUF_INIT;
		size_t before;

		at += word.len ? word.len : 1;
		if (word.len == 0) {
			(void)iq_buf_append_char(out, text.data[at - 1]);
			continue;
		}
		before = word.len < text.len ? push_number(walk, "~", index++) : walk->path.len;
		rc = rewrite_word(walk, word, named, &one);
		pop(walk, before);
		(void)iq_buf_append(out, rc > 0 ? iq_buf_view(&one) : word);
		changed |= rc > 0;
		named = at < text.len && text.data[at] == '=' ? word : name;
		iq_buf_release(&one);
	}
	return rc < 0 ? rc : changed;
}

/* ---- Texts ---- */

static int rewrite_inside(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	size_t before;
	int rc;

	if (is_document(text)) {
		before = walk->depth > 1 ? push(walk, ">", IQ_VIEW_NULL) : walk->path.len;
		rc = rewrite_document(walk, text, name, out);
		pop(walk, before);
		return rc;
	}
	rc = rewrite_base64(walk, text, name, out);
	if (rc != 0)
		return rc;
	iq_buf_clear(out);
	return rewrite_words(walk, text, name, out);
}

static int rewrite_text(struct walk *walk, struct iq_view text, struct iq_view name, struct iq_buf *out)
{
	int rc = 0;

	if (walk->depth == IQ_REWRITE_MAX_DEPTH || text.len == 0)
		return 0;
	walk->depth++;
	if (walk->depth > 1)
		rc = offer(walk, text, name, false, false, out);
	if (rc == 0)
		rc = rewrite_inside(walk, text, name, out);
	walk->depth--;
	return rc;
}

int iq_rewrite(struct iq_view text, iq_rewrite_fn *replace, void *context, struct iq_buf *out)
{
	struct walk walk = { .replace = replace, .context = context, .path = IQ_BUF_INIT };
	struct iq_buf whole = IQ_BUF_INIT;
	int rc = rewrite_text(&walk, text, IQ_VIEW_NULL, &whole);

	if (rc >= 0 && (walk.path.failed || whole.failed))
		rc = IQ_ERR_NOMEM;
	if (rc >= 0 && out && iq_buf_append(out, rc > 0 ? iq_buf_view(&whole) : text) < 0)
		rc = IQ_ERR_NOMEM;
	iq_buf_release(&walk.path);
	iq_buf_release(&whole);
	return rc;
}
