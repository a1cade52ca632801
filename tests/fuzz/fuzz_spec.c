#include <stdlib.h>

#include "query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A spec is taken, or refused with a place in the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec = NULL;
	int rc = iq_spec_parse(iq_view_make((const char *)data, size), "fuzz.yaml", &spec, &error);

	if ((rc == 0) != (spec != NULL) || (rc < 0 && !error.message[0]) || (rc == 0 && iq_spec_count(spec) == 0))
		abort();
	iq_spec_free(spec);
	return 0;
}
