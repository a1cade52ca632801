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

/* The line at hand begins with what comes next. */
static void begin_text(struct iq_lines *lines)
{
	if (lines->line.bytes > 0)
		return;
	lines->line.number = lines->newlines + 1;
	lines->line.begin = lines->line.offset + lines->line.length;
}

static void note_text(struct iq_lines *lines, size_t text, bool terminated)
{
	lines->line.bytes += text;
	lines->line.length += text;
	lines->line.terminated = terminated;
}

/* Takes the next piece of a counted text, whatever is in it. */
static struct iq_view take_counted(struct iq_lines *lines, struct iq_view *bytes)
{
	const struct iq_view text =
		iq_view_make(bytes->data, bytes->len < lines->left ? bytes->len : (size_t)lines->left);

	for (const char *at = text.data; (at = memchr(at, '\n', (size_t)(text.data + text.len - at))); at++)
		lines->newlines++;
	lines->left -= text.len;
	note_text(lines, text.len, lines->left == 0);
	*bytes = iq_view_from(*bytes, text.len);
	return text;
}

/* Takes the next piece of the text, and its line end if that is there. */
static struct iq_view take_text(struct iq_lines *lines, struct iq_view *bytes)
{
	const char *end;
	struct iq_view text;

	begin_text(lines);
	if (lines->left > 0)
		return take_counted(lines, bytes);
	end = memchr(bytes->data, '\n', bytes->len);
	text = iq_view_make(bytes->data, end ? (size_t)(end - bytes->data) : bytes->len);
	note_text(lines, text.len, end != NULL);
	lines->line.length += end != NULL;
	lines->newlines += end != NULL;
	*bytes = iq_view_from(*bytes, text.len + (end != NULL));
	return text;
}

/* Goes on with a line whose beginning was kept, until it is complete and something else begins. */
static int go_on(struct iq_lines *lines, struct iq_view *bytes, struct iq_error *error)
{
	int rc = lines->line.terminated ? 0 : keep(lines, take_text(lines, bytes), error);

	if (lines->line.terminated)
		*bytes = iq_view_from(*bytes, take_space(lines, *bytes));
	return rc == 0 && bytes->len > 0 ? hand_out(lines, iq_buf_view(&lines->pending), error) : rc;
}

/* Takes a line from its first byte. One that is complete, and not the last in these bytes, is not copied. */
static int begin(struct iq_lines *lines, struct iq_view *bytes, struct iq_error *error)
{
	struct iq_view text = take_text(lines, bytes);

	if (lines->line.terminated)
		*bytes = iq_view_from(*bytes, take_space(lines, *bytes));
	return bytes->len > 0 ? hand_out(lines, within_limit(lines, text), error) : keep(lines, text, error);
}

/* ---- Counted lines ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool has_count(const struct iq_lines *lines)
{
	return lines->count_len > 1 && lines->count[lines->count_len - 1] == ' ';
}

/* May `c` come next in LENGTH and the space behind it? */
static bool may_count(const struct iq_lines *lines, char c)
{
	if (has_count(lines) || lines->count_len == sizeof(lines->count))
		return false;
	return lines->count_len == 0 ? is_digit(c) && c != '0' : is_digit(c) || c == ' ';
}

static void begin_counted(struct iq_lines *lines)
{
	int64_t length = 0;

	(void)iq_view_to_int64(iq_view_make(lines->count, lines->count_len - 1), &length);
	lines->line.length += lines->count_len;
	lines->left = (uint64_t)length;
	lines->line.counted = true;
	lines->count_len = 0;
}

/* It was no count: a line begins with it. */
static int keep_count(struct iq_lines *lines, struct iq_error *error)
{
	struct iq_view count = iq_view_make(lines->count, lines->count_len);

	lines->count_len = 0;
	return count.len > 0 ? keep(lines, take_text(lines, &count), error) : 0;
}

/* At the beginning of a line, where the count may come in pieces. */
static int take_count(struct iq_lines *lines, struct iq_view *bytes, struct iq_error *error)
{
	while (bytes->len > 0 && may_count(lines, bytes->data[0])) {
		lines->count[lines->count_len++] = bytes->data[0];
		*bytes = iq_view_from(*bytes, 1);
	}
	if (bytes->len == 0)
		return 0;
	if (!has_count(lines) || bytes->data[0] != '<')
		return keep_count(lines, error);
	begin_counted(lines);
	return 0;
}

/* ---- The door ---- */

int iq_lines_feed(struct iq_lines *lines, struct iq_view bytes, struct iq_error *error)
{
	int rc = 0;

	if (lines->line.bytes == 0 && lines->left == 0 && lines->count_len == 0)
		bytes = iq_view_from(bytes, take_space(lines, bytes));
	while (rc == 0 && bytes.len > 0) {
		if (lines->counted && lines->line.bytes == 0 && lines->left == 0)
			rc = take_count(lines, &bytes, error);
		if (rc == 0 && bytes.len > 0)
			rc = lines->line.bytes > 0 ? go_on(lines, &bytes, error) : begin(lines, &bytes, error);
	}
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
	int rc = keep_count(lines, error);

	if (rc < 0 || lines->line.length == 0)
		return rc;
	return hand_out(lines, lines->pending.len > 0 ? iq_buf_view(&lines->pending) : IQ_LIT(""), error);
}
