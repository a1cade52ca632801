#include <stdlib.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The first byte chooses presets. JSON stays JSON, UTF-8 stays UTF-8, and what is counted is what was replaced. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[IQ_REDACT_KEY_SIZE] = { 1 };
	struct iq_view text = iq_view_make(size ? (const char *)data + 1 : "", size ? size - 1 : 0), redacted;
	struct iq_redactor *redactor;
	struct iq_buf scratch = IQ_BUF_INIT;

	require(iq_redactor_new(key, size && data[0] < 0x80 ? data[0] : IQ_REDACT_ALL, &redactor) == 0);
	require(iq_redactor_text(redactor, text, &scratch, &redacted) == 0);
	require((redacted.data == text.data) == (iq_redactor_count(redactor) == 0));
	if (iq_utf8_valid(text)) {
		require(iq_utf8_valid(redacted));
		require(!iq_json_valid(text) || iq_json_valid(redacted));
	}
	iq_redactor_free(redactor);
	iq_buf_release(&scratch);
	return 0;
}
