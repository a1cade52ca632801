/* base/array.h - arrays that grow.
 *
 *     struct place *places = NULL;
 *     size_t count = 0, capacity = 0;
 *
 *     if (IQ_ARRAY_GROW(places, capacity, count + 1) < 0)
 *             return IQ_ERR_NOMEM;
 *     places[count++] = place;
 *     ...
 *     free(places);
 *
 * Not to be shared between threads.
 */
#ifndef IQ_BASE_ARRAY_H
#define IQ_BASE_ARRAY_H

#include <stddef.h>

/* Makes room for at least `wanted` items of `size` bytes in the array that the pointer at `array` points to: at least twice
 * as many as before, the new ones zero. Caller owns the array; release with free(). 0, or IQ_ERR_NOMEM, which changes nothing. */
int iq_array_grow(void *array, size_t *capacity, size_t wanted, size_t size);

#define IQ_ARRAY_GROW(items, capacity, wanted) \
	((wanted) <= (capacity) ? 0 : iq_array_grow(&(items), &(capacity), (wanted), sizeof(*(items))))
/* The same for an array of pointers. */
#define IQ_ARRAY_GROW_POINTERS(items, capacity, wanted) \
	((wanted) <= (capacity) ? 0 : iq_array_grow(&(items), &(capacity), (wanted), sizeof(void *)))

#endif
