/* The log stream of the Engine, fed whole and in pieces: the same lines come out. The first byte chooses the size of the pieces, the line
 * limit, and whether there is a terminal. */
#include <stdlib.h>

#include "ingest/docker_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digest_line(void *context, const struct iq_docker_line *line, struct iq_error *error)
{
	const uint64_t numbers[] = { (uint64_t)line->ts, line->stream, line->text.len, line->bytes, line->partial };

	(void)error;
	if (line->bytes < line->text.len || line->stream >= IQ_DOCKER_STREAMS)
		abort();
	iq_sha256_update(context, numbers, sizeof(numbers));
	if (line->text.len > 0)
		iq_sha256_update(context, line->text.data, line->text.len);
	return 0;
}

static void parse(struct iq_view text, bool tty, size_t piece, size_t max_line, uint8_t ret_digest[IQ_SHA256_SIZE])
{
	struct iq_sha256 *digest = iq_sha256_new();
	struct iq_docker_stream stream;
	int rc = 0;

	iq_docker_stream_init(&stream, tty, max_line, digest_line, digest);
	for (size_t at = 0; at < text.len && rc == 0; at += piece) {
		const size_t len = text.len - at < piece ? text.len - at : piece;

		rc = iq_docker_stream_feed(&stream, iq_view_make(text.data + at, len), NULL);
	}
	if (rc == 0)
		rc = iq_docker_stream_end(&stream, NULL);
	iq_sha256_update(digest, &rc, sizeof(rc));
	iq_sha256_digest(digest, ret_digest);
	iq_sha256_free(digest);
	iq_docker_stream_release(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_view text = size > 0 ? iq_view_make((const char *)data + 1, size - 1) : IQ_LIT("");
	const size_t piece = size > 0 ? 1 + (data[0] & 15) : 1;
	const bool tty = size > 0 && data[0] & 64;
	const size_t max_line = size > 0 && data[0] & 128 ? 24 : 1u << 20;
	uint8_t whole[IQ_SHA256_SIZE], pieces[IQ_SHA256_SIZE];

	parse(text, tty, text.len ? text.len : 1, max_line, whole);
	parse(text, tty, piece, max_line, pieces);
	if (memcmp(whole, pieces, sizeof(whole)) != 0)
		abort();
	return 0;
}
