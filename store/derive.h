/* store/derive.h - which columns of texts hold parts of what others hold: fields (store/fields.h) of the text that stands at the same place of
 * another one. Free of I/O.
 *
 *	requestURI   /api/v1/namespaces/prod/pods/web-7?timeout=10s
 *	namespace    prod
 *	name         web-7
 */
#ifndef IQ_STORE_DERIVE_H
#define IQ_STORE_DERIVE_H

#include "store/fields.h"

/* Columns with fewer values, and splits with more columns, are left alone. */
#define IQ_DERIVE_LEAST 64u
#define IQ_DERIVE_MAX_COLUMNS 512u
/* A column is derived where no more of its values, in hundredths, are something else. */
#define IQ_DERIVE_MAX_OTHERS 10u

struct iq_derived {
	/* Of a column: how many values, their bytes, and which texts they belong to: those of columns that are the same belong together one
	 * by one. 0 values: it is not looked at. */
	size_t count;
	uint64_t bytes;
	uint64_t texts;
	/* Set: what it is derived from, SIZE_MAX for nothing. What something is derived from is derived from nothing. */
	size_t source;
	struct iq_field field;
};

/* Sets `source` and `field` of `count` columns. `value` gives a value of one. */
void iq_derive(struct iq_derived *columns, size_t count,
	       struct iq_view (*value)(void *context, size_t column, size_t index), void *context);

#endif
