/* ingest/words.h - the small steps that readers of text lines share. Each takes from the front of `text`.
 */
#ifndef IQ_INGEST_WORDS_H
#define IQ_INGEST_WORDS_H

#include "base/base.h"

/* Takes `prefix` if it is there. */
static inline bool iq_take(struct iq_view *text, struct iq_view prefix)
{
	if (!iq_view_starts_with(*text, prefix))
		return false;
	*text = iq_view_from(*text, prefix.len);
	return true;
}

/* Takes what is before the next `end`, and that as well. False, with nothing taken, if there is none. */
static inline bool iq_take_until(struct iq_view *text, char end, struct iq_view *ret_word)
{
	const char *at = text->len > 0 ? memchr(text->data, end, text->len) : NULL;

	if (!at)
		return false;
	*ret_word = iq_view_make(text->data, (size_t)(at - text->data));
	*text = iq_view_from(*text, ret_word->len + 1);
	return true;
}

/* As iq_take_until(), where the end of the text is an end as well. False if nothing is left. */
static inline bool iq_take_word(struct iq_view *text, char end, struct iq_view *ret_word)
{
	if (text->len == 0)
		return false;
	if (iq_take_until(text, end, ret_word))
		return true;
	*ret_word = *text;
	*text = iq_view_from(*text, text->len);
	return true;
}

#endif
