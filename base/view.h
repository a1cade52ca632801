/* base/view.h - small operations on views. A NULL view differs from an empty one only in iq_view_is_null().
 */
#ifndef IQ_BASE_VIEW_H
#define IQ_BASE_VIEW_H

#include <inquest/base.h>
#include <string.h>

#include "base/short.h"

/* A view of a string literal. */
#define IQ_LIT(s) ((struct iq_view){ "" s, sizeof(s) - 1 })

static inline struct iq_view iq_view_make(const char *data, size_t len)
{
	return (struct iq_view){ data, len };
}

/* NULL gives the NULL view. */
static inline struct iq_view iq_view_cstr(const char *text)
{
	return (struct iq_view){ text, text ? strlen(text) : 0 };
}

static inline bool iq_view_is_null(struct iq_view view)
{
	return view.data == NULL;
}

static inline bool iq_view_eq(struct iq_view a, struct iq_view b)
{
	return a.len == b.len && iq_same(a.data, b.data, a.len);
}

/* Bytewise order; a prefix sorts first. */
int iq_view_cmp(struct iq_view a, struct iq_view b);
bool iq_view_starts_with(struct iq_view view, struct iq_view prefix);
bool iq_view_ends_with(struct iq_view view, struct iq_view suffix);
/* Offset of `needle` in `view`, or SIZE_MAX. */
size_t iq_view_find(struct iq_view view, struct iq_view needle);
/* From `start` (clamped) to the end. */
static inline struct iq_view iq_view_from(struct iq_view view, size_t start)
{
	if (start > view.len)
		start = view.len;
	return iq_view_make(view.data ? view.data + start : NULL, view.len - start);
}
/* What stands behind the last `separator` of `view`, all of it where there is none; `view` keeps what stands before that. */
struct iq_view iq_view_take_last(struct iq_view *view, char separator);
/* Without white space (space, tab, CR, LF) at both ends. */
struct iq_view iq_view_trim(struct iq_view view);
/* The whole view as a decimal integer; false if it is anything else or overflows. */
bool iq_view_to_int64(struct iq_view view, int64_t *ret_value);
bool iq_view_to_double(struct iq_view view, double *ret_value);

/* printf("%.*s", IQ_VIEW_ARG(view)); for views known to be shorter than 2 GiB. */
#define IQ_VIEW_ARG(view) (int)(view).len, (view).data ? (view).data : ""

#endif
