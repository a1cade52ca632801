/* replay/rewrite.h - the values in a text, wherever they are packed: in JSON, in JSON that stands in a string of JSON, in base64, in
 * URLs with their percents; and the same text with other values in the same places, packed the same way. Free of I/O.
 *
 * A place has a path: a JSON Pointer (`/data/id`); what a string holds is behind `>` (`/payload>/id`, `/state>base64>/id`), one word
 * of several behind `~` (`/url~4`). The same path in another text of that form is the same place.
 */
#ifndef IQ_REPLAY_REWRITE_H
#define IQ_REPLAY_REWRITE_H

#include "base/base.h"

/* Packings within packings. */
#define IQ_REWRITE_MAX_DEPTH 8u

/* One value. Views: Borrowed until the call returns. */
struct iq_place {
	struct iq_view value; /* unpacked */
	struct iq_view path;
	struct iq_view name; /* of the member, parameter or header that it is the value of; NULL view: none */
	bool is_number;	     /* a JSON number; else text */
	bool is_word;	     /* one of several words of a text, or the only one: it may hold more than the value */
};

/* Told of every value, the whole of a text before its words. Where it appends to `out` (which is empty) and returns 1, that takes the
 * value's place and nothing of it is looked at further. 0: it stays. Negative: the walk ends with that. */
typedef int iq_rewrite_fn(void *context, const struct iq_place *place, struct iq_buf *out);

/* Appends the text with what `replace` put in; `out` may be NULL. 1: something was, 0, or negative. */
int iq_rewrite(struct iq_view text, iq_rewrite_fn *replace, void *context, struct iq_buf *out);

#endif
