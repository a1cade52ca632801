/* base/literals.h - finds many short literals in one pass (Aho and Corasick, "Efficient string matching", 1975).
 *
 * One table step a byte, whatever the literals and the text. Letters of ASCII match in either case. A literal may be
 * the beginning of another, but lie nowhere else in it: so at most one ends at a byte, and nothing is missed by reporting that.
 *
 *	struct iq_literals_place place = { 0 };
 *	while ((found = iq_literals_next(literals, text, &place)) != IQ_LITERALS_NONE)
 *		... literal `found` ends at place.pos
 *
 * Immutable once made: any number of threads. Free of I/O.
 */
#ifndef IQ_BASE_LITERALS_H
#define IQ_BASE_LITERALS_H

#include <inquest/base.h>

#define IQ_LITERALS_NONE SIZE_MAX
/* Bytes of all literals together. */
#define IQ_LITERALS_MAX_BYTES 16384

struct iq_literals;

/* Where a search stands in its text. To jump, set `pos` and make `state` 0. */
struct iq_literals_place {
	size_t pos;
	uint16_t state;
};

/* The texts (not empty, no upper-case letters) are copied. Caller owns; release with iq_literals_free(). Errors: IQ_ERR_NOMEM,
 * IQ_ERR_LIMIT, and IQ_ERR_USAGE where one lies within another. */
int iq_literals_new(const struct iq_view *texts, size_t count, struct iq_literals **ret_literals);
void iq_literals_free(struct iq_literals *literals); /* NULL allowed */
/* The number of the literal that ends next, at place->pos; IQ_LITERALS_NONE at the end of the text. */
size_t iq_literals_next(const struct iq_literals *literals, struct iq_view text, struct iq_literals_place *place);

#endif
