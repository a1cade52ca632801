/* store/lengths.h - how long the texts of a column are, without putting one together. Free of I/O. Private to store/.
 */
#ifndef IQ_STORE_LENGTHS_H
#define IQ_STORE_LENGTHS_H

#include "store/texts.h"

/* What templates may refer to, by the same numbers as the texts; what they do not refer to may be NULL. */
struct iq_lengths_outside {
	const int64_t *ts;
	const int64_t *observed;
	const int64_t *seq;
	const int64_t *texts[IQ_SLOT_COUNT]; /* SESSION to DIRECTION: lengths */
	/* Lengths of the bodies, escaped as `escape` says. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
	int (*bodies)(void *context, unsigned escape, const int64_t **ret_lengths);
	void *context;
};

/* Sets `ret_lengths[i]` for each text; 0 for those that are NULL. IQ_ERR_CORRUPT, IQ_ERR_NOMEM. */
int iq_texts_lengths(struct iq_texts *texts, const struct iq_lengths_outside *outside, int64_t *ret_lengths);

#endif
