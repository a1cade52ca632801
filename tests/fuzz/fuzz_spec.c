#include <stdlib.h>

#include "query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A spec is taken, and can then be put into words and drawn, or refused with a place in the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_spec *spec = NULL;
	int rc = iq_spec_parse(iq_view_make((const char *)data, size), "fuzz.yaml", &spec, &error);

	if ((rc == 0) != (spec != NULL) || (rc < 0 && !error.message[0]) || (rc == 0 && iq_spec_count(spec) == 0))
		abort();
	if (rc == 0 && iq_spec_explain(spec, IQ_SPEC_ALL, &out, &error) < 0)
		abort();
	iq_buf_release(&out);
	iq_spec_free(spec);
	return 0;
}
