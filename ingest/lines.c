#include "ingest/lines.h"

void iq_lines_init(struct iq_lines *lines, size_t limit, iq_line_fn *take, void *context)
{
	*lines = (struct iq_lines){ .take = take, .context = context, .limit = limit, .pending = IQ_BUF_INIT };
}

void iq_lines_begin_at(struct iq_lines *lines, const struct iq_restart *from)
{
	lines->line.offset = from->offset;
	lines->line.before = lines->newlines = from->lines;
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
	return iq_buf_append(&lines->pending, within_limit(lines, text)) < 0 ? iq_error_nomem(error) : 0;
}

static int hand_out(struct iq_lines *lines, struct iq_view text, struct iq_error *error)
{
	struct iq_line line = lines->line;
	int rc;

	line.text = text;
	lines->line = (struct iq_line){ .offset = line.offset + line.length, .before = lines->newlines };
	rc = lines->take(lines->context, &line, error);
	iq_buf_clear(&lines->pending);
	return rc;
}

/* How many of the bytes are white space, which then belongs to the line at hand. */
static size_t take_space(struct iq_lines *lines, struct iq_view bytes)
{
	size_t i = 0;

	while (i < bytes.len && (bytes.data[i] == '\n' || bytes.data[i] == '\r' ||
				 (!lines->keeps_indent && (bytes.data[i] == ' ' || bytes.data[i] == '\t'))))
		lines->newlines += bytes.data[i++] == '\n';
	lines->line.length += i;
	return i;
}

/* Takes the next piece of the text, and its line end if that is there. */
static struct iq_view take_text(struct iq_lines *lines, struct iq_view bytes)
{
	const char *end = memchr(bytes.data, '\n', bytes.len);
	struct iq_view text = iq_view_make(bytes.data, end ? (size_t)(end - bytes.data) : bytes.len);

	if (lines->line.bytes == 0) {
		lines->line.number = lines->newlines + 1;
		lines->line.begin = lines->line.offset + lines->line.length;
	}
	lines->line.bytes += text.len;
	lines->line.length += text.len + (end != NULL);
	lines->line.terminated = end != NULL;
	lines->newlines += end != NULL;
	return text;
}

/* Goes on with a line whose beginning was kept, until it is complete and something else begins. */
static int go_on(struct iq_lines *lines, struct iq_view *bytes, struct iq_error *error)
{
	int rc = 0;

	if (!lines->line.terminated) {
		struct iq_view text = take_text(lines, *bytes);

		rc = keep(lines, text, error);
		*bytes = iq_view_from(*bytes, text.len + lines->line.terminated);
	}
	*bytes = iq_view_from(*bytes, take_space(lines, *bytes));
	return rc == 0 && bytes->len > 0 ? hand_out(lines, iq_buf_view(&lines->pending), error) : rc;
}

/* Takes a line from its first byte. One that is complete, and not the last in these bytes, is not copied. */
static int begin(struct iq_lines *lines, struct iq_view *bytes, struct iq_error *error)
{
	struct iq_view text = take_text(lines, *bytes);

	*bytes = iq_view_from(*bytes, text.len + lines->line.terminated);
	*bytes = iq_view_from(*bytes, take_space(lines, *bytes));
	return bytes->len > 0 ? hand_out(lines, within_limit(lines, text), error) : keep(lines, text, error);
}

int iq_lines_feed(struct iq_lines *lines, struct iq_view bytes, struct iq_error *error)
{
	int rc = 0;

	if (lines->line.bytes == 0)
		bytes = iq_view_from(bytes, take_space(lines, bytes));
	while (rc == 0 && bytes.len > 0)
		rc = lines->line.bytes > 0 ? go_on(lines, &bytes, error) : begin(lines, &bytes, error);
	return rc;
}

int iq_lines_settle(struct iq_lines *lines, bool (*whole)(struct iq_view text), struct iq_error *error)
{
	struct iq_view text = iq_buf_view(&lines->pending);

	if (lines->line.terminated || (lines->line.bytes > 0 && lines->line.bytes == text.len && whole(text)))
		return hand_out(lines, text, error);
	return 0;
}

struct iq_restart iq_lines_place(const struct iq_lines *lines)
{
	return (struct iq_restart){ lines->line.offset, lines->line.before };
}

int iq_lines_end(struct iq_lines *lines, struct iq_error *error)
{
	if (lines->line.length == 0)
		return 0;
	return hand_out(lines, lines->pending.len > 0 ? iq_buf_view(&lines->pending) : IQ_LIT(""), error);
}
