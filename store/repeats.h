/* store/repeats.h - which columns of slots hold again what others held shortly before: a request id that each line of a
 * request has, an amount that is the balance of the same line. One column for all of them holds each value once, and how
 * recently it came. Private to the writer of split columns. Free of I/O.
 *
 * The values of all columns are noted in the order of the texts; then iq_repeats_join() says which columns are better one.
 * Only a part of long columns is looked at.
 */
#ifndef IQ_STORE_REPEATS_H
#define IQ_STORE_REPEATS_H

#include "base/base.h"

struct iq_repeats;

/* Caller owns; release with iq_repeats_free(). NULL when memory is out. */
struct iq_repeats *iq_repeats_new(size_t columns);
void iq_repeats_free(struct iq_repeats *repeats);

/* A value of a column. Values of different columns that are not to be compared have different `family`. */
struct iq_repeats_value {
	uint32_t column;
	uint32_t family;
	bool is_text;
	int64_t number; /* or, of a text, anything that tells it from others */
	size_t length;	/* of a text */
};
/* Is the next value to be noted, or passed over? */
bool iq_repeats_next(struct iq_repeats *repeats);
void iq_repeats_note(struct iq_repeats *repeats, const struct iq_repeats_value *value);

/* Sets for each column the one that it is to be part of; itself where it stays alone. */
void iq_repeats_join(const struct iq_repeats *repeats, uint32_t *ret_targets);

#endif
