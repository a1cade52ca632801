/* tests/memory/allocations.h - every allocation of the process, the libraries' included, counted and made to fail.
 *
 * An executable that is linked with allocations.c has its own malloc and the like in front of the C library's. Thread-safe.
 */
#ifndef IQ_TESTS_MEMORY_ALLOCATIONS_H
#define IQ_TESTS_MEMORY_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Allocation `index` from now on fails, and with `lasting` all that follow. */
void allocations_fail(size_t index, bool lasting);
/* From now on none fails. */
void allocations_allow(void);
/* How many were asked for since allocations_fail(). */
size_t allocations_asked(void);
/* Blocks that were allocated and not freed. */
long allocations_alive(void);

#endif
