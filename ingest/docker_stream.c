#include "ingest/docker_stream.h"

void iq_docker_stream_init(struct iq_docker_stream *stream, bool tty, size_t max_line, iq_docker_line_fn *take,
			   void *context)
{
	*stream = (struct iq_docker_stream){
		.take = take, .context = context, .max_line = max_line, .tty = tty, .number = 1
	};
}

void iq_docker_stream_release(struct iq_docker_stream *stream)
{
	for (size_t i = 0; i < IQ_DOCKER_STREAMS; i++)
		iq_buf_release(&stream->lines[i].text);
}

/* ---- Lines ---- */

static int give_line(struct iq_docker_stream *stream, unsigned number, bool partial, struct iq_error *error)
{
	struct iq_docker_pending *pending = &stream->lines[number];
	struct iq_docker_line line = {
		.ts = pending->ts, .stream = number, .bytes = pending->bytes, .partial = partial
	};

	pending->active = false;
	line.text = iq_buf_view(&pending->text);
	/* A terminal turns each line end into two bytes. */
	if (stream->tty && !partial && pending->bytes == line.text.len && iq_view_ends_with(line.text, IQ_LIT("\r"))) {
		line.text.len--;
		line.bytes--;
	}
	return stream->take(stream->context, &line, error);
}

static void begin_line(struct iq_docker_pending *pending, int64_t ts)
{
	iq_buf_clear(&pending->text);
	pending->active = true;
	pending->ts = ts;
	pending->bytes = 0;
}

static int append_text(const struct iq_docker_stream *stream, struct iq_docker_pending *pending, struct iq_view text,
		       struct iq_error *error)
{
	const size_t room = stream->max_line - pending->text.len;

	pending->bytes += text.len;
	pending->piece += text.len;
	return iq_buf_append(&pending->text, iq_view_make(text.data, text.len < room ? text.len : room)) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

/* The record at hand has the time `ts`: it goes on with the line before, whose last record was full, or has the same time; or else
 * that one never ended. */
static int begin_record(struct iq_docker_stream *stream, unsigned number, int64_t ts, struct iq_error *error)
{
	struct iq_docker_pending *pending = &stream->lines[number];
	const bool goes_on =
		pending->active && ts != IQ_TIME_NONE && (ts == pending->ts || pending->piece == IQ_DOCKER_PIECE_BYTES);
	int rc = pending->active && !goes_on ? give_line(stream, number, true, error) : 0;

	if (!goes_on)
		begin_line(pending, ts);
	pending->timed = true;
	pending->piece = 0;
	return rc;
}

/* Reads a time, as far as `bytes` go. 1 when it is there, or it is clear that there is none (*ret_ts is IQ_TIME_NONE, and what was
 * kept of it is text); *ret_used bytes are done with. */
static int read_time(struct iq_docker_stream *stream, struct iq_view bytes, size_t *ret_used, int64_t *ret_ts)
{
	const size_t room = sizeof(stream->time) - stream->time_len;
	const size_t len = bytes.len < room ? bytes.len : room;
	const char *space = memchr(bytes.data, ' ', len);
	const char *end = memchr(bytes.data, '\n', space ? (size_t)(space - bytes.data) : len);
	const size_t used = end ? (size_t)(end - bytes.data) : space ? (size_t)(space - bytes.data) : len;

	memcpy(stream->time + stream->time_len, bytes.data, used);
	stream->time_len += used;
	*ret_used = used;
	*ret_ts = IQ_TIME_NONE;
	if (!end && !space)
		return stream->time_len == sizeof(stream->time);
	if (!end && iq_time_parse(iq_view_make(stream->time, stream->time_len), ret_ts))
		++*ret_used;
	return 1;
}

/* The time of the record at hand is read, or what stood in its place is its text. */
static int take_time(struct iq_docker_stream *stream, int64_t ts, struct iq_error *error)
{
	int rc = begin_record(stream, stream->number, ts, error);

	if (rc == 0 && ts == IQ_TIME_NONE)
		rc = append_text(stream, &stream->lines[stream->number], iq_view_make(stream->time, stream->time_len),
				 error);
	return rc;
}

/* ---- Frames ---- */

/* One piece of a frame's payload: all but a line end that may be its last byte goes to the line. */
static int take_payload(struct iq_docker_stream *stream, struct iq_view bytes, struct iq_error *error)
{
	struct iq_docker_pending *pending = &stream->lines[stream->number];
	const bool last = bytes.len == stream->left;
	const bool ended = last && bytes.data[bytes.len - 1] == '\n';
	int rc;

	stream->left -= bytes.len;
	rc = append_text(stream, pending, iq_view_make(bytes.data, bytes.len - ended), error);
	return rc == 0 && ended ? give_line(stream, stream->number, false, error) : rc;
}

/* The frame ended within its time, or instead of it. */
static int end_short_frame(struct iq_docker_stream *stream, struct iq_error *error)
{
	const struct iq_view text = iq_view_make(stream->time, stream->time_len);
	int64_t ts = IQ_TIME_NONE;
	int rc;

	(void)iq_time_parse(text, &ts);
	rc = begin_record(stream, stream->number, ts, error);
	return rc == 0 && ts == IQ_TIME_NONE ? append_text(stream, &stream->lines[stream->number], text, error) : rc;
}

static int feed_frame(struct iq_docker_stream *stream, struct iq_view bytes, size_t *ret_used, struct iq_error *error)
{
	int64_t ts;
	int rc = 0;

	if (bytes.len > stream->left)
		bytes.len = (size_t)stream->left;
	*ret_used = bytes.len;
	if (stream->lines[stream->number].timed)
		return take_payload(stream, bytes, error);
	if (read_time(stream, bytes, ret_used, &ts))
		rc = take_time(stream, ts, error);
	stream->left -= *ret_used;
	if (stream->left == 0 && !stream->lines[stream->number].timed)
		rc = end_short_frame(stream, error);
	return rc;
}

static int begin_frame(struct iq_docker_stream *stream, struct iq_error *error)
{
	const uint8_t *head = stream->header;

	if (head[0] >= IQ_DOCKER_STREAMS || head[1] || head[2] || head[3])
		return iq_error_set(error, IQ_ERR_FORMAT, "not a frame of a log stream: %02x%02x%02x%02x", head[0],
				    head[1], head[2], head[3]);
	stream->number = head[0];
	stream->left = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
	stream->lines[stream->number].timed = false;
	stream->time_len = 0;
	stream->header_len = 0;
	return 0;
}

static int feed_frames(struct iq_docker_stream *stream, struct iq_view bytes, struct iq_error *error)
{
	size_t used;
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		if (stream->left > 0) {
			rc = feed_frame(stream, bytes, &used, error);
		} else {
			used = sizeof(stream->header) - stream->header_len;
			used = bytes.len < used ? bytes.len : used;
			memcpy(stream->header + stream->header_len, bytes.data, used);
			stream->header_len += used;
			if (stream->header_len == sizeof(stream->header))
				rc = begin_frame(stream, error);
		}
		bytes = iq_view_from(bytes, used);
	}
	return rc;
}

/* ---- With a terminal ---- */

/* Behind a full piece: is this the line's time once more? Then the line goes on behind it; else what was taken for it is text. */
static int match_time(struct iq_docker_stream *stream, struct iq_view bytes, size_t *ret_used, struct iq_error *error)
{
	size_t i = 0;

	while (i < bytes.len && stream->matched < stream->time_len && bytes.data[i] == stream->time[stream->matched]) {
		i++;
		stream->matched++;
	}
	*ret_used = i;
	if (i == bytes.len && stream->matched < stream->time_len)
		return 0;
	stream->matching = false;
	stream->lines[1].piece = 0;
	return stream->matched == stream->time_len
		       ? 0
		       : append_text(stream, &stream->lines[1], iq_view_make(stream->time, stream->matched), error);
}

/* Text up to the line end, or to the end of a piece. */
static int take_raw(struct iq_docker_stream *stream, struct iq_view bytes, size_t *ret_used, struct iq_error *error)
{
	struct iq_docker_pending *line = &stream->lines[1];
	const size_t room =
		line->piece < IQ_DOCKER_PIECE_BYTES ? (size_t)(IQ_DOCKER_PIECE_BYTES - line->piece) : SIZE_MAX;
	const size_t len = bytes.len < room ? bytes.len : room;
	const char *end = memchr(bytes.data, '\n', len);
	const size_t text = end ? (size_t)(end - bytes.data) : len;
	int rc = append_text(stream, line, iq_view_make(bytes.data, text), error);

	*ret_used = text + (end ? 1 : 0);
	if (rc == 0 && end)
		return give_line(stream, 1, false, error);
	stream->matching = line->piece == IQ_DOCKER_PIECE_BYTES && line->ts != IQ_TIME_NONE;
	stream->matched = 0;
	return rc;
}

static int begin_raw(struct iq_docker_stream *stream, struct iq_view bytes, size_t *ret_used, struct iq_error *error)
{
	int64_t ts;

	if (!read_time(stream, bytes, ret_used, &ts))
		return 0;
	begin_line(&stream->lines[1], ts);
	stream->lines[1].piece = 0;
	if (ts == IQ_TIME_NONE)
		return append_text(stream, &stream->lines[1], iq_view_make(stream->time, stream->time_len), error);
	stream->time[stream->time_len++] = ' ';
	return 0;
}

static int feed_raw(struct iq_docker_stream *stream, struct iq_view bytes, struct iq_error *error)
{
	size_t used;
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		if (!stream->lines[1].active) {
			rc = begin_raw(stream, bytes, &used, error);
		} else if (stream->matching) {
			rc = match_time(stream, bytes, &used, error);
		} else {
			rc = take_raw(stream, bytes, &used, error);
			if (!stream->lines[1].active)
				stream->time_len = 0;
		}
		bytes = iq_view_from(bytes, used);
	}
	return rc;
}

/* ---- The stream ---- */

int iq_docker_stream_feed(struct iq_docker_stream *stream, struct iq_view bytes, struct iq_error *error)
{
	return stream->tty ? feed_raw(stream, bytes, error) : feed_frames(stream, bytes, error);
}

/* What was kept, because it might have been a time, is text. */
static int end_raw(struct iq_docker_stream *stream, struct iq_error *error)
{
	struct iq_docker_pending *line = &stream->lines[1];
	size_t kept = stream->matching ? stream->matched : 0;

	if (!line->active && stream->time_len > 0) {
		begin_line(line, IQ_TIME_NONE);
		kept = stream->time_len;
	}
	return kept ? append_text(stream, line, iq_view_make(stream->time, kept), error) : 0;
}

int iq_docker_stream_end(struct iq_docker_stream *stream, struct iq_error *error)
{
	int rc = 0;

	if (stream->tty)
		rc = end_raw(stream, error);
	else if (stream->left > 0 && !stream->lines[stream->number].timed && stream->time_len > 0)
		rc = end_short_frame(stream, error);
	for (unsigned i = 0; i < IQ_DOCKER_STREAMS && rc == 0; i++)
		if (stream->lines[i].active)
			rc = give_line(stream, i, true, error);
	iq_docker_stream_reset(stream);
	return rc;
}

void iq_docker_stream_reset(struct iq_docker_stream *stream)
{
	for (size_t i = 0; i < IQ_DOCKER_STREAMS; i++)
		stream->lines[i].active = false;
	stream->header_len = 0;
	stream->left = 0;
	stream->time_len = 0;
	stream->matching = false;
}

int64_t iq_docker_stream_oldest(const struct iq_docker_stream *stream)
{
	int64_t oldest = IQ_TIME_NONE;

	for (size_t i = 0; i < IQ_DOCKER_STREAMS; i++)
		if (stream->lines[i].active && (oldest == IQ_TIME_NONE || stream->lines[i].ts < oldest))
			oldest = stream->lines[i].ts;
	return oldest;
}
