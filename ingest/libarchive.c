#include "ingest/libarchive.h"

#include <dlfcn.h>
#include <pthread.h>

#define LIBARCHIVE "libarchive.so.13"

struct iq_libarchive iq_libarchive;

static const char *missing; /* what could not be had */

static void load(void)
{
	void *library = dlopen(LIBARCHIVE, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		missing = "it";
		return;
	}
#define X(name) \
	*(void **)&iq_libarchive.name = dlsym(library, "archive_" #name); \
	if (!iq_libarchive.name) \
		missing = "archive_" #name;
	IQ_LIBARCHIVE_FUNCTIONS(X)
#undef X
}

int iq_libarchive_load(struct iq_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load);
	if (missing)
		return iq_error_set(error, IQ_ERR_NOT_FOUND,
				    "%s cannot be loaded (%s is not there): install libarchive13", LIBARCHIVE, missing);
	return 0;
}
