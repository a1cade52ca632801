/* store/search.h - which texts of a column may contain a literal, without putting one together. Free of I/O. Private to store/.
 *
 * Words of dictionaries are searched instead of the texts that are made of them; of a text in slots, the template and the column of
 * each slot that the literal, or the part of it that would stand there, can be in. Marked is every text that contains the literal, and
 * some that do not: those are for the reader to put together and look at.
 */
#ifndef IQ_STORE_SEARCH_H
#define IQ_STORE_SEARCH_H

#include "store/texts.h"

struct iq_needle {
	struct iq_view bytes; /* `folded`: A to Z as a to z */
	bool folded;	      /* found in any case of ASCII letters */
	/* What slots that refer to other columns of the event stand for. Can one of kind `kind` hold `part`? */
	bool (*may_refer)(void *context, enum iq_slot_kind kind, struct iq_view part, bool folded);
	/* The texts of <key>, by the same numbers as those that are searched; NULL where there are none. */
	struct iq_texts *keys;
	/* Can one of the words that texts share hold the part? NULL: it is not known. */
	bool (*any_word)(void *context, struct iq_view part, bool folded);
	void *context;
};

/* Sets `marks[i]` to 1 for each text i that may contain the needle. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_search(struct iq_texts *texts, const struct iq_needle *needle, uint8_t *marks);

/* Offset of `needle` in `text`, or SIZE_MAX; `folded`: in any case of ASCII letters, the needle is in lower case. */
size_t iq_search_find(struct iq_view text, struct iq_view needle, bool folded);

#endif
