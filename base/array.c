#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <inquest/base.h>

#define LEAST_ITEMS 4u

int iq_array_grow(void *array, size_t *capacity, size_t wanted, size_t size)
{
	size_t grown = *capacity < LEAST_ITEMS / 2 ? LEAST_ITEMS : *capacity * 2;
	char *items;

	if (wanted <= *capacity)
		return 0;
	if (grown < wanted)
		grown = wanted;
	if (grown > PTRDIFF_MAX / size)
		return IQ_ERR_NOMEM;
	/* The pointer is of the caller's type: it may be read and written as bytes only. */
	memcpy(&items, array, sizeof(items));
	items = realloc(items, grown * size);
	if (!items)
		return IQ_ERR_NOMEM;
	memset(items + *capacity * size, 0, (grown - *capacity) * size);
	memcpy(array, &items, sizeof(items));
	*capacity = grown;
	return 0;
}
