/* store/generalise.h - templates that differ in a few words become one, with slots for these words. Free of I/O.
 *
 *	cache miss for user alpha       1 text
 *	cache miss for user beta        1 text      ->    cache miss for user <str>
 *	cache hit for user gamma        1 text
 *
 * Templates are alike if they are the same but for their words. Among those that are, what stands at a place where few words occur
 * tells messages apart, and stays; where the words are many they become a slot, one for all of several such words in a row, so
 * that free text of any length has one template. After P. He et al., "Drain: An Online Log Parsing Approach with Fixed Depth
 * Tree", 2017, and A. Makanju et al., "Clustering Event Logs Using Iterative Partitioning", 2009.
 */
#ifndef IQ_STORE_GENERALISE_H
#define IQ_STORE_GENERALISE_H

#include "base/base.h"

/* Templates with more words stay as they are. */
#define IQ_GENERALISE_MAX_WORDS 96u

/* A template that is to be made more general: its pattern (see store/template.h) and how many texts have it. */
struct iq_rare_template {
	struct iq_view pattern;
	uint32_t texts;
};

/* Words that became a slot. */
struct iq_word_slot {
	uint32_t before;     /* so many of the template's own slots come before it */
	struct iq_view text; /* Borrowed: from the pattern. */
};

struct iq_general_template {
	struct iq_view pattern; /* the NULL view: it stays as it was */
	struct iq_word_slot *slots;
	size_t slot_count;
};

/* Sets one entry of `ret_templates` for each of the `count` templates. What they hold is Borrowed from `arena`. 0 or IQ_ERR_NOMEM. */
int iq_generalise(const struct iq_rare_template *templates, size_t count, struct iq_arena *arena,
		  struct iq_general_template *ret_templates);

#endif
