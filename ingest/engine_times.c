#include "ingest/engine_times.h"

#include "ingest/json_time.h"
#include "ingest/words.h"

#define TIME_LENGTH strlen("2026-11-23T03:07:12.418331201Z")
#define TIME_LENGTH_WITH_ZONE strlen("2026-11-23T03:07:12.418331201+01:00")

bool iq_take_engine_time(struct iq_view *text, int64_t *ret_ts)
{
	struct iq_view rest = *text, time;

	if (text->len < TIME_LENGTH || text->data[19] != '.' || !iq_take_word(&rest, ' ', &time) ||
	    (time.len != TIME_LENGTH && time.len != TIME_LENGTH_WITH_ZONE) || !iq_time_parse(time, ret_ts))
		return false;
	*text = rest;
	return true;
}

/* Bytes of a line that json-file and others write as one record. */
#define PIECE_BYTES 16384u

static bool take_time_again(struct iq_view *text, int64_t ts)
{
	int64_t again;

	return iq_take_engine_time(text, &again) && again == ts;
}

struct iq_view iq_drop_engine_times(struct iq_view text, int64_t ts, struct iq_buf *scratch)
{
	const size_t start = scratch->len;
	struct iq_view rest = iq_view_from(text, PIECE_BYTES);

	if (ts == IQ_TIME_NONE || !take_time_again(&rest, ts))
		return text;
	(void)iq_buf_append(scratch, iq_view_make(text.data, PIECE_BYTES));
	for (struct iq_view next = rest; next.len > 0; rest = next) {
		next = iq_view_from(rest, PIECE_BYTES);
		(void)iq_buf_append(scratch, iq_view_make(rest.data, rest.len - next.len));
		(void)take_time_again(&next, ts);
	}
	return iq_view_from(iq_buf_view(scratch), start);
}

struct iq_view iq_take_times(struct iq_view text, const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_time time;

	if (iq_take_engine_time(&text, &record->event.ts))
		return iq_drop_engine_times(text, record->event.ts, reading->scratch);
	if (iq_text_time(text, reading->options, reading->scratch, &time)) {
		record->event.ts = time.ns;
		record->event.severity = time.severity;
	}
	return text;
}

size_t iq_engine_piece(struct iq_view text)
{
	struct iq_view rest = text;
	int64_t ts, other = IQ_TIME_NONE;

	if (text.len <= PIECE_BYTES || !iq_take_engine_time(&rest, &ts))
		return 0;
	while (rest.len > PIECE_BYTES) {
		struct iq_view next = iq_view_from(rest, PIECE_BYTES);

		if (!iq_take_engine_time(&next, &other))
			return 0;
		if (other != ts)
			return (size_t)(rest.data + PIECE_BYTES - text.data);
		rest = next;
	}
	return 0;
}
