#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/short.h"

#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_SIZE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_SIZE 0
#endif
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 65536
#endif
/* Blocks grow with what was given out, up to this. */
#define LARGEST_BLOCK ((size_t)4 << 20)
/* Blocks that are kept for the next round have no more together: memory that was touched already costs nothing. */
#define MOST_SPARE ((size_t)8 << 20)

struct iq_arena_block {
	struct iq_arena_block *next;
	size_t len;
	size_t cap;
	max_align_t data[];
};

static void free_blocks(struct iq_arena_block *block)
{
	while (block) {
		struct iq_arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void iq_arena_release(struct iq_arena *arena)
{
	free_blocks(arena->blocks);
	free_blocks(arena->spare);
	*arena = (struct iq_arena)IQ_ARENA_INIT;
}

/* Puts all blocks aside, with those that are there already, as long as they are not too much together. */
static void put_aside(struct iq_arena *arena)
{
	struct iq_arena_block *block, *next;
	size_t kept = 0;

	for (block = arena->spare; block; block = block->next)
		kept += block->cap;
	for (block = arena->blocks; block; block = next) {
		next = block->next;
		if (block->cap > MOST_SPARE - kept) {
			free(block);
			continue;
		}
		kept += block->cap;
		block->next = arena->spare;
		arena->spare = block;
	}
	arena->blocks = NULL;
}

void iq_arena_clear(struct iq_arena *arena)
{
	if (BLOCK_SIZE == 0)
		iq_arena_release(arena);
	else
		put_aside(arena);
	arena->used = 0;
	arena->failed = false;
}

/* The smallest one with that much room. */
static struct iq_arena_block *take_spare(struct iq_arena *arena, size_t size)
{
	struct iq_arena_block **best = NULL, *block;

	for (struct iq_arena_block **at = &arena->spare; *at; at = &(*at)->next)
		if ((*at)->cap >= size && (!best || (*at)->cap < (*best)->cap))
			best = at;
	if (!best)
		return NULL;
	block = *best;
	*best = block->next;
	return block;
}

static struct iq_arena_block *add_block(struct iq_arena *arena, size_t size)
{
	const size_t room = arena->used < LARGEST_BLOCK ? arena->used : LARGEST_BLOCK;
	size_t cap = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct iq_arena_block *block;

	if (BLOCK_SIZE > 0 && cap < room)
		cap = room;
	if (cap > SIZE_MAX - sizeof(*block))
		return NULL;
	block = take_spare(arena, size);
	if (!block) {
		block = malloc(sizeof(*block) + cap);
		if (!block)
			return NULL;
		block->cap = cap;
	}
	block->len = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *iq_arena_alloc(struct iq_arena *arena, size_t size)
{
	size_t align = _Alignof(max_align_t);
	struct iq_arena_block *block = arena->blocks;
	void *result;

	if (size > SIZE_MAX - align)
		return NULL;
	size = (size + align - 1) / align * align;
	if (!block || size > block->cap - block->len)
		block = add_block(arena, size);
	if (!block) {
		arena->failed = true;
		return NULL;
	}
	result = (char *)block->data + block->len;
	block->len += size;
	arena->used += size;
	return result;
}

void *iq_arena_calloc(struct iq_arena *arena, size_t count, size_t size)
{
	void *result;

	if (size > 0 && count > SIZE_MAX / size)
		return NULL;
	result = iq_arena_alloc(arena, count * size);
	if (result)
		memset(result, 0, count * size);
	return result;
}

struct iq_view iq_arena_copy(struct iq_arena *arena, struct iq_view view)
{
	char *copy;

	if (!view.data || view.len == SIZE_MAX)
		return IQ_VIEW_NULL;
	copy = iq_arena_alloc(arena, view.len + 1);
	if (!copy)
		return IQ_VIEW_NULL;
	iq_copy(copy, view.data, view.len);
	copy[view.len] = '\0';
	return (struct iq_view){ copy, view.len };
}
