#include <stdlib.h>

#include "base/base.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What was unescaped and written again reads as the same text. */
static void check_string(const struct iq_json_token *token)
{
	struct iq_buf text = IQ_BUF_INIT, written = IQ_BUF_INIT, again = IQ_BUF_INIT;
	struct iq_json json;
	struct iq_json_token read;

	require(iq_json_unescape(&text, token->raw) == 0);
	if (iq_utf8_valid(iq_buf_view(&text))) {
		require(iq_json_append_string(&written, iq_buf_view(&text)) == 0);
		iq_json_init(&json, iq_buf_view(&written));
		require(iq_json_next(&json, &read) == 1 && read.type == IQ_JSON_STRING);
		require(iq_view_eq(iq_json_text(&read, &again), iq_buf_view(&text)));
	}
	iq_buf_release(&text);
	iq_buf_release(&written);
	iq_buf_release(&again);
}

/* The first 0xff divides a JSON Pointer from the text. Tokens lie in the text, in order, and the pull scanner, the
 * validator and the skipper agree on what is JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_view all = iq_view_make((const char *)data, size);
	const char *split = size ? memchr(data, 0xff, size) : NULL;
	struct iq_view pointer = split ? iq_view_make(all.data, (size_t)(split - all.data)) : IQ_LIT("/a/0");
	struct iq_view text = split ? iq_view_make(split + 1, size - pointer.len - 1) : all;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json json;
	struct iq_json_token token;
	size_t last = 0;
	int rc;

	iq_json_init(&json, text);
	while ((rc = iq_json_next(&json, &token)) > 0) {
		require(token.offset >= last && token.offset < text.len);
		require(token.raw.len <= text.len - token.offset);
		last = token.offset;
		if (token.type == IQ_JSON_STRING || token.type == IQ_JSON_KEY)
			check_string(&token);
	}
	require(rc == 0 || (json.error && json.pos <= text.len));
	require(iq_json_valid(text) == (rc == 0 && iq_json_end(&json)));

	iq_json_init(&json, text);
	if (iq_json_next(&json, &token) > 0)
		require((rc == 0) == (iq_json_skip(&json, &token).data != NULL));
	if (iq_json_pointer_valid(pointer)) {
		struct iq_json_value value = iq_json_pointer(text, pointer, &scratch);

		require(value.type == IQ_JSON_NONE ||
			(value.raw.data >= text.data && value.raw.data + value.raw.len <= text.data + text.len));
	}
	iq_buf_release(&scratch);
	return 0;
}
