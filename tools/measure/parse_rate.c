/* How long a parser alone takes, on one thread and without a store:
 *
 *     parse-rate lines|parse|describe FORMAT FILE...
 *
 * reads the files into memory, takes them three times in blocks as ingest does, and prints the middle time in seconds, the events and
 * the gaps. `parse` counts what the format's parser gives out; `describe` also finds out what the bodies say (type, key, severity);
 * `lines` is what there is to compare with: the same bytes split into lines by memchr(), which are counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"

enum { BLOCK = 256 << 10, PASSES = 3, MAX_FILES = 64 };

struct counts {
	uint64_t events;
	uint64_t gaps;
};

static int count_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	struct counts *counts = context;
	(void)event;
	(void)error;
	counts->events++;
	return 0;
}

static int count_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	struct counts *counts = context;
	(void)gap;
	(void)error;
	counts->gaps++;
	return 0;
}

static int feed_all(const struct iq_format *format, struct iq_parser *parser, struct iq_view bytes)
{
	int rc = 0;
	for (struct iq_view rest = bytes; rc == 0 && rest.len > 0;) {
		const struct iq_view block = iq_view_make(rest.data, rest.len < BLOCK ? rest.len : BLOCK);
		rc = format->feed(parser, block, NULL);
		rest = iq_view_from(rest, block.len);
	}
	return rc == 0 ? format->end(parser, NULL) : rc;
}

static int parse(const struct iq_format *format, bool describe, struct iq_view bytes, struct counts *counts)
{
	const struct iq_parser_options options = {
		.path = IQ_LIT("x.log"), .source = IQ_LIT("x"), .max_line = IQ_INGEST_MAX_LINE, .newest = iq_clock_now()
	};
	const struct iq_sink counter = { count_event, count_gap, counts };
	struct iq_describer *describer = describe ? iq_describer_new(NULL, NULL) : NULL;
	const struct iq_sink *sink = describer ? iq_describer_begin(describer, &options, &counter) : &counter;
	struct iq_parser *parser = format->open(format, &options, sink);
	const int rc = parser && !describe == !describer ? feed_all(format, parser, bytes) : -1;
	format->close(parser);
	iq_describer_free(describer);
	return rc;
}

static int split(struct iq_view bytes, struct counts *counts)
{
	const char *end;
	for (; bytes.len > 0 && (end = memchr(bytes.data, '\n', bytes.len));
	     bytes = iq_view_from(bytes, (size_t)(end - bytes.data) + 1))
		counts->events++;
	return 0;
}

static int run(const char *side, const struct iq_format *format, struct iq_view bytes, struct counts *counts)
{
	if (strcmp(side, "lines") == 0)
		return split(bytes, counts);
	return parse(format, strcmp(side, "describe") == 0, bytes, counts);
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	const struct iq_format *format = argc > 3 ? iq_format_by_name(iq_view_cstr(argv[2])) : NULL;
	struct iq_buf texts[MAX_FILES] = { 0 };
	struct counts counts;
	int64_t took[PASSES], median;
	int count = argc - 3;
	if (!format || count > MAX_FILES)
		return 2;
	for (int file = 0; file < count; file++)
		if (iq_file_read(argv[3 + file], SIZE_MAX / 2, &texts[file], NULL) < 0)
			return 1;
	for (int pass = 0; pass < PASSES; pass++) {
		const int64_t begun = iq_clock_monotonic();
		counts = (struct counts){ 0 };
		for (int file = 0; file < count; file++)
			if (run(argv[1], format, iq_buf_view(&texts[file]), &counts) < 0)
				return 1;
		took[pass] = iq_clock_monotonic() - begun;
	}
	qsort(took, PASSES, sizeof(*took), compare);
	median = took[PASSES / 2];
	(void)printf("%.6f %" PRIu64 " %" PRIu64 "\n", (double)median / 1e9, counts.events, counts.gaps);
	for (int file = 0; file < count; file++)
		iq_buf_release(&texts[file]);
	return 0;
}
