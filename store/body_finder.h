/* store/body_finder.h - where in an event's raw bytes its body stands, and how it is escaped there. Free of I/O.
 */
#ifndef IQ_STORE_BODY_FINDER_H
#define IQ_STORE_BODY_FINDER_H

#include "store/template.h"

/* What was found last: the next event is mostly like it. Begin with zeros. */
struct iq_body_finder {
	size_t at;
	unsigned escape;
};

/* True with the place of the body: `ret_len` bytes from `ret_at` on are `body` escaped in the style `ret_escape`. */
bool iq_body_find(struct iq_body_finder *finder, struct iq_view raw, struct iq_view body, size_t *ret_at,
		  size_t *ret_len, unsigned *ret_escape);
/* Where the parser says that it took a body of `body_len` bytes from `len` bytes at `at`, in a JSON string: true with the style
 * in which they are escaped. Several times as fast. */
bool iq_body_know(struct iq_body_finder *finder, struct iq_view raw, size_t at, size_t len, size_t body_len,
		  unsigned *ret_escape);
/* The same of a body that stands there in several pieces, each in a line of its own (what Docker splits): how many, and where;
 * 0 where it does not. No piece begins within a character. */
size_t iq_body_find_parts(struct iq_view raw, struct iq_view body, struct iq_body_part parts[IQ_BODY_MAX_PARTS],
			  unsigned *ret_escape);

#endif
