/* query/nearest.h - the nearest spelling of a name, so that a typo does not read as health.
 */
#ifndef IQ_QUERY_NEAREST_H
#define IQ_QUERY_NEAREST_H

#include "base/base.h"

/* Names longer than this are not compared. */
#define IQ_NEAREST_MAX 128

/* The key of `names` with the smallest edit distance to `name` (V. Levenshtein, 1966), at most a third of its length;
 * the NULL view where none is that near. Borrowed until the map changes. */
struct iq_view iq_nearest(struct iq_view name, const struct iq_map *names);
/* As above, of `count` names in a table: `first` points to the name of its first row, rows are `stride` bytes apart. */
struct iq_view iq_nearest_row(struct iq_view name, const char *const *first, size_t count, size_t stride);

#endif
