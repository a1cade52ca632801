/* Every registered format has to hold for any bytes at all, also those of another. IQ_FORMAT=NAME narrows it down. */
#include <stdlib.h>

#include "fuzz_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *only = getenv("IQ_FORMAT");
	int rc = 0;

	for (size_t i = 0; iq_formats()[i] && rc == 0; i++)
		if (!only || strcmp(only, iq_formats()[i]->name) == 0)
			rc = fuzz_parser(iq_formats()[i], data, size);
	return rc;
}
