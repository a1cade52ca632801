#include "store/body_finder.h"

#include <string.h>

/* Shorter bodies are not worth a place of their own. */
#define LEAST_BODY 4u
/* So many places that begin like the body are tried. */
#define MAX_PLACES 16u
/* So much of the body's beginning is looked for. */
#define BEGINNING 16u

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

static bool try_place(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, size_t at,
		      size_t *ret_len)
{
	if (try_style(raw, body, at, finder->escape, ret_len))
		return true;
	for (size_t i = 0; i < STYLES; i++)
		if (styles[i] != finder->escape && try_style(raw, body, at, styles[i], ret_len)) {
			finder->escape = styles[i];
			return true;
		}
	return false;
}

bool iq_body_find(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, size_t *ret_at,
		  size_t *ret_len, unsigned *ret_escape)
{
	size_t len = iq_escape_plain(iq_view_make(body.data, body.len < BEGINNING ? body.len : BEGINNING)), at;
	bool found;

	if (body.len < LEAST_BODY || raw.len < body.len || len == 0)
		return false;
	at = finder->at;
	found = try_style(raw, body, at, finder->escape, ret_len);
	at = 0;
	for (unsigned places = 0; !found && places < MAX_PLACES; places++) {
		size_t next = iq_view_find(iq_view_from(raw, at), iq_view_make(body.data, len));

		if (next == SIZE_MAX)
			return false;
		at += next;
		finder->at = at;
		found = try_place(finder, raw, body, at, ret_len);
		at++;
	}
	*ret_at = finder->at;
	*ret_escape = finder->escape;
	return found;
}
