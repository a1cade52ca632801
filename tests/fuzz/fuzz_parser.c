#include "fuzz_parser.h"

#include <stdlib.h>

/* What one run gave: a digest of everything, and which bytes were accounted for. */
struct run {
	struct iq_sha256 *digest;
	uint8_t *covered;
	size_t size;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void cover(struct run *run, uint64_t offset, uint64_t length)
{
	require(offset <= run->size && length <= run->size - offset);
	memset(run->covered + offset, 1, length);
	iq_sha256_update(run->digest, &offset, sizeof(offset));
	iq_sha256_update(run->digest, &length, sizeof(length));
}

static void digest_view(struct run *run, struct iq_view view)
{
	const size_t mark = view.data ? view.len : SIZE_MAX;

	iq_sha256_update(run->digest, &mark, sizeof(mark));
	if (view.len > 0)
		iq_sha256_update(run->digest, view.data, view.len);
}

static int take_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	const struct iq_view names[] = { event->source, event->session, event->type, event->key, event->attrs };
	const int64_t numbers[] = { event->ts,	 event->observed,  event->seq,
				    event->kind, event->direction, event->severity };
	struct run *run = context;

	(void)error;
	cover(run, event->offset, event->length);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		require(iq_utf8_valid(names[i]));
		digest_view(run, names[i]);
	}
	digest_view(run, event->body);
	iq_sha256_update(run->digest, numbers, sizeof(numbers));
	require(event->body_is_binary == (event->body.data && !iq_utf8_valid(event->body)));
	require(!event->attrs.data || iq_json_valid(event->attrs));
	return 0;
}

static int take_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct run *run = context;

	(void)error;
	require(gap->reason.len > 0);
	cover(run, gap->offset, gap->bytes);
	digest_view(run, gap->reason);
	digest_view(run, gap->session);
	iq_sha256_update(run->digest, &gap->count, sizeof(gap->count));
	return 0;
}

static void parse(const struct iq_format *format, struct iq_view text, size_t piece, size_t max_line,
		  uint8_t ret_digest[IQ_SHA256_SIZE])
{
	struct run run = { .digest = iq_sha256_new(), .covered = calloc(1, text.len + 1), .size = text.len };
	const struct iq_sink sink = { take_event, take_gap, &run };
	const struct iq_parser_options options = { .path = IQ_LIT("file"),
						   .source = IQ_LIT("file"),
						   .max_line = max_line,
						   .newest = INT64_C(1795500000000000000) };
	struct iq_describer *describer = iq_describer_new(NULL, NULL);
	struct iq_parser *parser;

	require(run.digest && run.covered && describer);
	parser = format->open(format, &options, iq_describer_begin(describer, &options, &sink));
	require(parser);
	for (size_t at = 0; at < text.len; at += piece) {
		size_t len = text.len - at < piece ? text.len - at : piece;

		require(format->feed(parser, iq_view_make(text.data + at, len), NULL) == 0);
	}
	require(format->end(parser, NULL) == 0);
	format->close(parser);
	iq_describer_free(describer);
	for (size_t i = 0; i < run.size; i++)
		require(run.covered[i]);
	iq_sha256_digest(run.digest, ret_digest);
	iq_sha256_free(run.digest);
	free(run.covered);
}

int fuzz_parser(const struct iq_format *format, const uint8_t *data, size_t size)
{
	struct iq_view text = size > 0 ? iq_view_make((const char *)data + 1, size - 1) : IQ_LIT("");
	size_t piece = size > 0 ? 1 + (data[0] & 15) : 1;
	size_t max_line = size > 0 && data[0] & 128 ? 24 : IQ_INGEST_MAX_LINE;
	uint8_t whole[IQ_SHA256_SIZE], pieces[IQ_SHA256_SIZE];

	parse(format, text, text.len ? text.len : 1, max_line, whole);
	parse(format, text, piece, max_line, pieces);
	require(memcmp(whole, pieces, sizeof(whole)) == 0);
	if (format->probe)
		(void)format->probe(text);
	return 0;
}
