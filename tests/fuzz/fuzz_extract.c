#include <stdlib.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void read_line(struct iq_extract *extract, struct iq_view line)
{
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_view fields[IQ_EXTRACT_FIELDS];
	struct iq_buf scratch = IQ_BUF_INIT;

	event.source = IQ_LIT("backend");
	event.body = line;
	require(iq_buf_reserve(&scratch, IQ_EXTRACT_FIELDS * line.len + 64) == 0);
	iq_extract_read(extract, &event, fields, &scratch);
	for (size_t i = 0; i < IQ_EXTRACT_FIELDS; i++)
		require(!fields[i].data || (fields[i].len > 0 && fields[i].len <= line.len + 16));
	(void)iq_extract_line(extract, event.source, line);
	iq_buf_release(&scratch);
}

/* Rules are taken, or refused with a reason; 0xff divides them from lines, in which they find what the lines have. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = size > 0 ? memchr(data, 0xff, size) : NULL;
	size_t len = split ? (size_t)(split - data) : size;
	struct iq_view text = split ? iq_view_make((const char *)split + 1, size - len - 1) : IQ_LIT("");
	struct iq_extract *extract = iq_extract_new();
	struct iq_error error = IQ_ERROR_INIT;
	const char *place;
	int rc;

	require(extract);
	rc = iq_extract_add(extract, iq_view_make((const char *)data, len), "fuzz.yaml", &error);
	require(rc == 0 || error.message[0]);
	while (rc == 0 && text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t line = end ? (size_t)(end - text.data) : text.len;

		read_line(extract, iq_view_make(text.data, line));
		text = iq_view_from(text, line + 1);
	}
	require(iq_extract_given_up(extract, &place) == 0 || place);
	iq_extract_free(extract);
	return 0;
}
