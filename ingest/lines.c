#include "ingest/lines.h"

void iq_lines_init(struct iq_lines *lines, size_t limit, iq_line_fn *take, void *context)
{
	*lines = (struct iq_lines){ .take = take, .context = context, .limit = limit, .pending = IQ_BUF_INIT };
}

void iq_lines_release(struct iq_lines *lines)
{
	iq_buf_release(&lines->pending);
}

/* Of the text of a line only what is within the limit is kept. */
static struct iq_view within_limit(const struct iq_lines *lines, struct iq_view text)
{
	size_t room = lines->limit - lines->pending.len;

	return iq_view_make(text.data, text.len < room ? text.len : room);
}

static int keep(struct iq_lines *lines, struct iq_view text, struct iq_error *error)
{
	lines->length += text.len;
	if (iq_buf_append(&lines->pending, within_limit(lines, text)) < 0)
		return iq_error_nomem(error);
	return 0;
}

static int hand_out(struct iq_lines *lines, struct iq_view text, bool terminated, struct iq_error *error)
{
	struct iq_line line = {
		.text = text,
		.number = lines->number,
		.offset = lines->offset,
		.length = lines->blank + lines->length,
		.bytes = lines->length - terminated,
		.terminated = terminated,
	};

	lines->offset += line.length;
	lines->length = lines->blank = 0;
	return lines->take(lines->context, &line, error);
}

static int line_ended(struct iq_lines *lines, struct iq_view text, bool terminated, struct iq_error *error)
{
	int rc = 0;

	lines->number++;
	if (iq_view_trim(text).len > 0) {
		rc = hand_out(lines, text, terminated, error);
	} else {
		lines->blank += lines->length;
		lines->length = 0;
	}
	iq_buf_clear(&lines->pending);
	return rc;
}

/* `text` completes the line; a line end follows it. */
static int complete(struct iq_lines *lines, struct iq_view text, struct iq_error *error)
{
	int rc = 0;

	if (lines->length == 0) {
		lines->length = text.len + 1;
		return line_ended(lines, within_limit(lines, text), true, error);
	}
	rc = keep(lines, text, error);
	lines->length++;
	return rc < 0 ? rc : line_ended(lines, iq_buf_view(&lines->pending), true, error);
}

int iq_lines_feed(struct iq_lines *lines, struct iq_view bytes, struct iq_error *error)
{
	int rc = 0;

	while (rc == 0 && bytes.len > 0) {
		const char *end = memchr(bytes.data, '\n', bytes.len);
		struct iq_view text = iq_view_make(bytes.data, end ? (size_t)(end - bytes.data) : bytes.len);

		rc = end ? complete(lines, text, error) : keep(lines, text, error);
		bytes = iq_view_from(bytes, text.len + (end != NULL));
	}
	return rc;
}

int iq_lines_end(struct iq_lines *lines, struct iq_error *error)
{
	int rc = lines->length > 0 ? line_ended(lines, iq_buf_view(&lines->pending), false, error) : 0;

	return rc == 0 && lines->blank > 0 ? hand_out(lines, IQ_LIT(""), false, error) : rc;
}
