#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/spool_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that was read is written and read again. */
static void check_record(const struct iq_spool_record *record)
{
	struct iq_buf first = IQ_BUF_INIT, second = IQ_BUF_INIT;
	struct iq_spool_record again;

	if (record->type == IQ_SPOOL_GAP ? iq_spool_append_gap(&first, record->seq, &record->gap) < 0
					 : iq_spool_append_event(&first, record->seq, &record->event, record->raw) < 0)
		abort();
	if (iq_spool_record_size(iq_buf_view(&first)) != first.len ||
	    !iq_spool_parse_record(iq_buf_view(&first), &again) || again.seq != record->seq ||
	    again.type != record->type || !iq_view_eq(again.event.body, record->event.body) ||
	    !iq_view_eq(again.raw, record->raw) || iq_view_is_null(again.raw) != iq_view_is_null(record->raw))
		abort();
	if (record->type == IQ_SPOOL_GAP ? iq_spool_append_gap(&second, again.seq, &again.gap) < 0
					 : iq_spool_append_event(&second, again.seq, &again.event, again.raw) < 0)
		abort();
	if (!iq_view_eq(iq_buf_view(&first), iq_buf_view(&second)))
		abort();
	iq_buf_release(&first);
	iq_buf_release(&second);
}

static void read_file(const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spool_reader *reader;
	struct iq_spool_record record;
	uint64_t expected;

	if (iq_spool_open(path, &reader, &error) < 0) {
		if (!error.message[0])
			abort();
		return;
	}
	expected = reader->header.seq_first;
	while (iq_spool_next(reader, &record) > 0) {
		if (record.seq < expected)
			abort();
		expected = record.seq + 1;
		check_record(&record);
	}
	iq_spool_close(reader);
}

/* The input is a whole file, or, behind an R, payloads of records: a byte for the type, a byte for the length, the payload. */
static void append_records(struct iq_buf *file, struct iq_view rest)
{
	const struct iq_spool_header header = {
		.number = 1, .evidence = 1, .seq_first = 1, .id_first = 1, .name = IQ_LIT("x"), .format = IQ_LIT("log")
	};
	uint64_t seq = 1;

	(void)iq_spool_append_header(file, &header);
	while (rest.len >= 2) {
		const uint32_t length = (uint8_t)rest.data[1];
		const uint32_t head[5] = { length, (uint32_t)seq++, 0, (uint8_t)rest.data[0], 0 };
		struct iq_view payload = iq_view_from(rest, 2);
		uint32_t crc = iq_crc32c(0, iq_view_make((const char *)head, sizeof(head)));

		if (payload.len < length)
			return;
		payload.len = length;
		crc = iq_crc32c(crc, payload);
		(void)iq_buf_append(file, iq_view_make((const char *)&crc, sizeof(crc)));
		(void)iq_buf_append(file, iq_view_make((const char *)head, sizeof(head)));
		(void)iq_buf_append(file, payload);
		while (file->len % 8)
			(void)iq_buf_append_char(file, '\0');
		rest = iq_view_from(rest, 2 + (size_t)length);
	}
}

static char path[] = "/tmp/inquest-fuzz-spool-XXXXXX";

static void remove_file(void)
{
	(void)unlink(path);
}

/* A spool from anyone is refused with a word, or read up to what is not right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct iq_view input = iq_view_make((const char *)data, size);
	struct iq_buf file = IQ_BUF_INIT;

	if (fd < 0) {
		fd = mkstemp(path);
		(void)atexit(remove_file);
	}
	if (iq_view_starts_with(input, IQ_LIT("R")))
		append_records(&file, iq_view_from(input, 1));
	else
		(void)iq_buf_append(&file, input);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, file.data, file.len, 0) != (ssize_t)file.len)
		abort();
	read_file(path);
	iq_buf_release(&file);
	return 0;
}
