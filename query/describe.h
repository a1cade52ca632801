/* query/describe.h - a spec in words and as drawings of its automata, for `inquest check --explain-spec`.
 */
#ifndef IQ_QUERY_DESCRIBE_H
#define IQ_QUERY_DESCRIBE_H

#include "query/spec.h"

/* States that a drawing may have; what has more is said not to be drawn. */
#define IQ_DRAW_MAX_STATES 200u

/* One lifecycle in words. 0 or IQ_ERR_NOMEM. */
int iq_describe_lifecycle(const struct iq_lifecycle *lifecycle, struct iq_buf *out);

enum iq_drawing { IQ_DRAWING_DOT, IQ_DRAWING_MERMAID };
/* Its automata, minimal ones: that of the order, with a nested lifecycle as one step, and of each constraint. `number`
 * counts what was drawn into `out` before. 0 or IQ_ERR_NOMEM. */
int iq_draw_lifecycle(const struct iq_lifecycle *lifecycle, enum iq_drawing drawing, size_t *number,
		      struct iq_buf *out);

#endif
