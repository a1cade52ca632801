#include "store/body_finder.h"

#include <string.h>

/* Shorter bodies are not worth a place of their own. */
#define LEAST_BODY 4u
/* So many places that begin like the body are tried. */
#define MAX_PLACES 16u
/* So much of the body's beginning is looked for. */
#define BEGINNING 32u

/* What writers of JSON do, by how common they are: JavaScript, Go before and since 1.22, Python, jq, PHP, Python with
 * ensure_ascii=False. */
static const unsigned styles[] = {
	IQ_ESCAPE_VERBATIM,
	IQ_ESCAPE_SHORT,
	IQ_ESCAPE_HTML,
	IQ_ESCAPE_HTML | IQ_ESCAPE_SHORT,
	IQ_ESCAPE_ASCII | IQ_ESCAPE_SHORT | IQ_ESCAPE_DELETE,
	IQ_ESCAPE_ASCII | IQ_ESCAPE_SHORT,
	IQ_ESCAPE_SHORT | IQ_ESCAPE_DELETE,
	IQ_ESCAPE_ASCII | IQ_ESCAPE_SHORT | IQ_ESCAPE_SLASH,
	IQ_ESCAPE_SHORT | IQ_ESCAPE_SLASH,
	0,
};
#define STYLES (sizeof(styles) / sizeof(styles[0]))

static bool try_style(struct iq_view raw, struct iq_view body, size_t at, unsigned escape, size_t *ret_len)
{
	size_t len;

	if (at >= raw.len)
		return false;
	len = iq_escape_match(iq_view_from(raw, at), body, escape);
	/* In a JSON string the body ends where the string, or a line end in it, does. */
	if (len == SIZE_MAX || (escape != IQ_ESCAPE_VERBATIM &&
				(at + len == raw.len || (raw.data[at + len] != '"' && raw.data[at + len] != '\\'))))
		return false;
	*ret_len = len;
	return true;
}

/* Where a body may begin: a run of it that no style escapes was found at `run_at` of the raw bytes, and before the run it has
 * `before`. False where that does not fit. */
static bool begins_at(struct iq_view before, size_t run_at, unsigned escape, size_t *ret_at)
{
	struct iq_buf escaped = IQ_BUF_INIT;
	size_t len = 0;
	bool fits = true;

	if (before.len > 0) {
		fits = iq_escape_append(&escaped, before, escape) == 0;
		len = escaped.len;
		iq_buf_release(&escaped);
	}
	*ret_at = run_at - len;
	return fits && len <= run_at;
}

static bool try_place(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, struct iq_view before,
		      size_t run_at, unsigned escape, size_t *ret_len)
{
	size_t at;

	if (!begins_at(before, run_at, escape, &at) || !try_style(raw, body, at, escape, ret_len))
		return false;
	finder->escape = escape;
	finder->at = at;
	return true;
}

static bool try_places(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, struct iq_view before,
		       size_t run_at, size_t *ret_len)
{
	if (try_place(finder, raw, body, before, run_at, finder->escape, ret_len))
		return true;
	for (size_t i = 0; i < STYLES; i++)
		if (styles[i] != finder->escape && try_place(finder, raw, body, before, run_at, styles[i], ret_len))
			return true;
	return false;
}

/* The first bytes of a body that no style escapes. */
static struct iq_view find_run(struct iq_view body)
{
	const size_t limit = body.len < BEGINNING ? body.len : BEGINNING;
	size_t at = 0, len = 0;

	while (at < limit && (len = iq_escape_plain(iq_view_make(body.data + at, limit - at))) == 0)
		at++;
	return iq_view_make(body.data + at, len);
}

static bool search(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, size_t *ret_len)
{
	const struct iq_view run = find_run(body);
	const struct iq_view before = iq_view_make(body.data, (size_t)(run.data - body.data));
	size_t at = 0;

	for (unsigned places = 0; run.len > 0 && places < MAX_PLACES; places++, at++) {
		size_t next = iq_view_find(iq_view_from(raw, at), run);

		if (next == SIZE_MAX)
			return false;
		at += next;
		if (try_places(finder, raw, body, before, at, ret_len))
			return true;
	}
	return false;
}

/* A binary body, in base64: whole groups of its first bytes are looked for. */
static bool search_base64(struct iq_view raw, struct iq_view body, size_t *ret_at, size_t *ret_len)
{
	const struct iq_view begin = iq_view_make(body.data, (body.len < BEGINNING ? body.len : BEGINNING) / 3 * 3);
	struct iq_buf encoded = IQ_BUF_INIT;

	*ret_at = SIZE_MAX;
	if (raw.len > body.len && iq_base64_encode(begin, &encoded) == 0)
		*ret_at = iq_view_find(raw, iq_buf_view(&encoded));
	iq_buf_release(&encoded);
	return *ret_at != SIZE_MAX && try_style(raw, body, *ret_at, IQ_ESCAPE_BASE64, ret_len);
}

bool iq_body_find(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, size_t *ret_at,
		  size_t *ret_len, unsigned *ret_escape)
{
	if (body.len < LEAST_BODY || raw.len < body.len)
		return false;
	if (try_style(raw, body, finder->at, finder->escape, ret_len) || search(finder, raw, body, ret_len)) {
		*ret_at = finder->at;
		*ret_escape = finder->escape;
		return true;
	}
	*ret_escape = IQ_ESCAPE_BASE64;
	return search_base64(raw, body, ret_at, ret_len);
}

bool iq_body_know(struct iq_body_finder *finder, struct iq_view raw, size_t at, size_t len, size_t body_len,
		  unsigned *ret_escape)
{
	struct iq_view place;

	if (body_len < LEAST_BODY || at == 0 || at >= raw.len || len >= raw.len - at || raw.data[at - 1] != '"')
		return false;
	place = iq_view_make(raw.data + at, len);
	*ret_escape = finder->escape;
	for (size_t i = 0; i <= STYLES; *ret_escape = i < STYLES ? styles[i] : 0, i++) {
		if (*ret_escape == IQ_ESCAPE_VERBATIM || iq_escape_written(place, *ret_escape) != body_len)
			continue;
		finder->at = at;
		finder->escape = *ret_escape;
		return true;
	}
	return false;
}

/* ---- In pieces ---- */

/* What is left of a line, or of the JSON string in it. */
static struct iq_view inside(struct iq_view rest, unsigned escape)
{
	const char *end = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
	size_t at = 0;

	if (end)
		rest = iq_view_make(rest.data, (size_t)(end - rest.data));
	while (escape != IQ_ESCAPE_VERBATIM && (at = iq_string_end(rest, at)) < rest.len) {
		if (rest.data[at] == '"')
			return iq_view_make(rest.data, at);
		at += rest.data[at] == '\\' ? 2 : 1;
	}
	return rest;
}

/* The line at `rest`, with its end where the body goes on in the next one. */
static struct iq_view line_of(struct iq_view rest, struct iq_view body, unsigned escape)
{
	struct iq_view line = inside(rest, escape);

	if (escape == IQ_ESCAPE_VERBATIM && line.len < rest.len && line.len < body.len && body.data[line.len] == '\n')
		line.len++;
	return line;
}

/* As much of the front of `body` as stands at `at`; false where what stands there is something else. */
static bool match_part(struct iq_view raw, size_t at, struct iq_view body, unsigned escape,
		       struct iq_body_part *ret_part)
{
	const struct iq_view place = line_of(iq_view_from(raw, at), body, escape);
	const size_t written = escape == IQ_ESCAPE_VERBATIM ? place.len : iq_escape_written(place, escape);
	const size_t body_len = written < body.len ? written : body.len;
	size_t len;

	if (body_len == 0 || written == SIZE_MAX || body_len > IQ_BODY_MAX_PART ||
	    ((unsigned char)body.data[0] & 0xC0) == 0x80)
		return false;
	len = iq_escape_match(place, iq_view_make(body.data, body_len), escape);
	*ret_part = (struct iq_body_part){ (uint32_t)at, (uint32_t)len, (uint32_t)body_len };
	return len != SIZE_MAX && (body_len == body.len || len == place.len);
}

/* Each piece stands in its line where the first one, at `at`, stands in its own. */
static size_t match_parts(struct iq_view raw, struct iq_view body, size_t at, unsigned escape,
			  struct iq_body_part parts[IQ_BODY_MAX_PARTS])
{
	size_t lead = 0;

	while (lead < at && raw.data[at - lead - 1] != '\n')
		lead++;
	for (size_t count = 0; count < IQ_BODY_MAX_PARTS && at < raw.len; count++) {
		const char *end;

		if (!match_part(raw, at, body, escape, &parts[count]))
			return 0;
		body = iq_view_from(body, parts[count].body_len);
		if (body.len == 0)
			return count + 1;
		at += parts[count].len;
		if (raw.data[at - 1] != '\n') {
			end = memchr(raw.data + at, '\n', raw.len - at);
			if (!end)
				return 0;
			at = (size_t)(end - raw.data) + 1;
		}
		at += lead;
	}
	return 0;
}

size_t iq_body_find_parts(struct iq_view raw, struct iq_view body, struct iq_body_part parts[IQ_BODY_MAX_PARTS],
			  unsigned *ret_escape)
{
	const struct iq_view run = find_run(body);
	const struct iq_view before = iq_view_make(body.data, (size_t)(run.data - body.data));
	const size_t run_at = run.len > 0 ? iq_view_find(raw, run) : SIZE_MAX;
	size_t at, count = 0;

	for (size_t i = 0; run_at != SIZE_MAX && raw.len < UINT32_MAX && count == 0 && i < STYLES; i++) {
		*ret_escape = styles[i];
		if (begins_at(before, run_at, styles[i], &at))
			count = match_parts(raw, body, at, styles[i], parts);
	}
	return count;
}
