/* query/satisfy.h - can anything satisfy all rules of a lifecycle at once?
 *
 * A search for one sequence that every automaton and every deadline accepts. Final events and times play no part in it:
 * a lifecycle that only a `final` event could end legally is refused, and one whose times contradict each other is not.
 */
#ifndef IQ_QUERY_SATISFY_H
#define IQ_QUERY_SATISFY_H

#include "query/compile.h"

/* States of all rules together that are looked at; beyond them the spec is refused as too large. */
#define IQ_SATISFY_MAX_STATES 20000u

/* IQ_ERR_SPEC that names the fewest rules that contradict one another, at the place of the last of them. */
int iq_satisfy_check(struct iq_compiler *compiler);

#endif
