/* base/arena.h - memory that is given back all at once. Addresses stay valid until clear or release.
 * Under AddressSanitizer each allocation is one of its own, so that overruns are seen.
 */
#ifndef IQ_BASE_ARENA_H
#define IQ_BASE_ARENA_H

#include <inquest/base.h>

struct iq_arena_block;

struct iq_arena {
	struct iq_arena_block *blocks;
	struct iq_arena_block *spare; /* that were in use before the last clear */
	size_t used;		      /* bytes given out since the last clear */
	bool failed;		      /* memory was out since then */
};

#define IQ_ARENA_INIT \
	{ \
		.blocks = NULL, .spare = NULL, .used = 0, .failed = false \
	}

void iq_arena_release(struct iq_arena *arena);
/* Forgets everything given out; keeps the memory, but for much of it, for the next round. */
void iq_arena_clear(struct iq_arena *arena);
/* `size` bytes aligned for any type, not initialised; NULL when memory is out. Borrowed until clear or release. */
void *iq_arena_alloc(struct iq_arena *arena, size_t size);
/* As above, zeroed, `count * size` checked for overflow. */
void *iq_arena_calloc(struct iq_arena *arena, size_t count, size_t size);
/* A copy of `view`, followed by a NUL; the NULL view (and only that, or exhaustion) gives the NULL view. */
struct iq_view iq_arena_copy(struct iq_arena *arena, struct iq_view view);

#endif
