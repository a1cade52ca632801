#include "memory/allocations.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

/* What the dynamic linker asks for while it looks the real ones up. */
static _Alignas(16) char early[4096];
static size_t early_used;

static atomic_bool armed, lasting_failure;
static atomic_size_t asked, fail_at;
static atomic_long alive;

static bool is_early(const void *block)
{
	return (uintptr_t)block >= (uintptr_t)early && (uintptr_t)block < (uintptr_t)early + sizeof(early);
}

static void *take_early(size_t size)
{
	void *block = early + early_used;

	early_used += (size + 15) / 16 * 16;
	return early_used <= sizeof(early) ? block : NULL;
}

/* Function pointers come from dlsym() as pointers to data. */
static void look_up(const char *name, void *ret_function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(ret_function, &symbol, sizeof(symbol));
}

static bool ready(void)
{
	static bool looking;

	if (real_free)
		return true;
	if (looking)
		return false;
	looking = true;
	look_up("malloc", &real_malloc);
	look_up("calloc", &real_calloc);
	look_up("realloc", &real_realloc);
	look_up("free", &real_free);
	return true;
}

static bool fails(void)
{
	size_t index;

	if (!armed)
		return false;
	index = asked++;
	if (index != fail_at && !(lasting_failure && index > fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	if (block)
		alive++;
	return block;
}

void *malloc(size_t size)
{
	if (!ready())
		return take_early(size);
	return fails() ? NULL : counted(real_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	if (!ready())
		return take_early(count * size);
	return fails() ? NULL : counted(real_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
	if (!block)
		return malloc(size);
	return fails() ? NULL : real_realloc(block, size);
}

void free(void *block)
{
	if (!block || is_early(block))
		return;
	alive--;
	real_free(block);
}

void allocations_fail(size_t index, bool lasting)
{
	fail_at = index;
	lasting_failure = lasting;
	asked = 0;
	armed = true;
}

void allocations_allow(void)
{
	armed = false;
}

size_t allocations_asked(void)
{
	return asked;
}

long allocations_alive(void)
{
	return alive;
}
