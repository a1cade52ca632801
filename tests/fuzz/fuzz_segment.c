#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_block(void *context, uint64_t offset, struct iq_view bytes)
{
	*(uint64_t *)context += bytes.len;
	return offset + bytes.len < offset ? IQ_ERR_CORRUPT : 0;
}

static const unsigned text_columns[] = { IQ_COLUMN_KEY, IQ_COLUMN_BODY, IQ_COLUMN_ATTRS, IQ_STORED_RAW };

static void read_everything(struct iq_segment *segment)
{
	uint64_t raw_bytes = 0;

	for (size_t i = 0; i < segment->zone_count; i++) {
		struct iq_chunk chunk;
		struct iq_view text;

		iq_segment_chunk(segment, &segment->zones[i], &chunk);
		if (iq_chunk_load(&chunk, IQ_STORED_ALL, NULL) == 0)
			for (uint32_t row = 0; row < chunk.zone->rows; row++)
				for (size_t column = 0; column < 4; column++)
					(void)iq_chunk_text(&chunk, text_columns[column], row, &text);
		iq_chunk_release(&chunk);
	}
	for (size_t i = 0; i < segment->evidence_count; i++)
		(void)iq_segment_read_raw(segment, segment->evidence[i].evidence.no, 0, UINT64_MAX, take_block,
					  &raw_bytes, NULL);
}

/* A file with a name: SQLite follows /proc/self/fd to one that is not there. */
static char path[] = "/tmp/inquest-fuzz-segment-XXXXXX";

static void remove_file(void)
{
	(void)unlink(path);
}

/* A segment from anyone is refused with a word, or all of it is read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_segment *segment = NULL;
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(path);
		(void)atexit(remove_file);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (iq_segment_open(path, &segment, &error) == 0)
		read_everything(segment);
	else if (!error.message[0])
		abort();
	iq_segment_close(segment);
	return 0;
}
