/* query/unchecked.h - what a spec may say and the checker does not follow yet: such a spec is refused rather than passed
 * over.
 */
#ifndef IQ_QUERY_UNCHECKED_H
#define IQ_QUERY_UNCHECKED_H

#include "query/spec.h"

/* IQ_ERR_SPEC at the first such rule. */
int iq_spec_refuse_unchecked(const struct iq_spec *spec, struct iq_error *error);

#endif
