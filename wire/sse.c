#include "wire/sse.h"

void iq_sse_release(struct iq_sse *sse)
{
	iq_buf_release(&sse->raw);
	iq_buf_release(&sse->data);
	iq_buf_release(&sse->name);
	iq_buf_release(&sse->id);
}

static void begin_event(struct iq_sse *sse)
{
	iq_buf_clear(&sse->raw);
	iq_buf_clear(&sse->data);
	iq_buf_clear(&sse->name);
	iq_buf_clear(&sse->id);
	sse->line_at = 0;
	sse->has_data = sse->has_name = sse->has_id = sse->given = sse->is_cut = false;
}

static void set(struct iq_buf *buf, bool *has, struct iq_view value)
{
	iq_buf_clear(buf);
	(void)iq_buf_append(buf, value);
	*has = true;
}

static void take_field(struct iq_sse *sse, struct iq_view name, struct iq_view value)
{
	if (iq_view_eq(name, IQ_LIT("data"))) {
		if (sse->has_data)
			(void)iq_buf_append_char(&sse->data, '\n');
		(void)iq_buf_append(&sse->data, value);
		sse->has_data = true;
	} else if (iq_view_eq(name, IQ_LIT("event"))) {
		set(&sse->name, &sse->has_name, value);
	} else if (iq_view_eq(name, IQ_LIT("id"))) {
		set(&sse->id, &sse->has_id, value);
	}
}

/* A line without its end. True where it is the blank one that ends an event. */
static bool take_line(struct iq_sse *sse, struct iq_view line)
{
	const char *colon;
	struct iq_view value;

	if (!sse->begun && iq_view_starts_with(line, IQ_LIT("\xef\xbb\xbf")))
		line = iq_view_from(line, 3);
	sse->begun = true;
	if (line.len == 0)
		return true;
	colon = memchr(line.data, ':', line.len);
	value = colon ? iq_view_from(line, (size_t)(colon - line.data) + 1) : IQ_LIT("");
	if (value.len > 0 && value.data[0] == ' ')
		value = iq_view_from(value, 1);
	take_field(sse, iq_view_make(line.data, colon ? (size_t)(colon - line.data) : line.len), value);
	return false;
}

static int give(struct iq_sse *sse, struct iq_sse_event *ret_event)
{
	*ret_event = (struct iq_sse_event){ .name = sse->has_name ? iq_buf_view(&sse->name) : IQ_VIEW_NULL,
					    .id = sse->has_id ? iq_buf_view(&sse->id) : IQ_VIEW_NULL,
					    .data = iq_buf_view(&sse->data),
					    .raw = iq_buf_view(&sse->raw),
					    .is_cut = sse->is_cut,
					    .first = sse->first };
	sse->given = true;
	return 1;
}

/* The bytes up to a line end, or all. */
static size_t line_length(struct iq_view bytes)
{
	size_t len = 0;

	while (len < bytes.len && bytes.data[len] != '\n' && bytes.data[len] != '\r')
		len++;
	return len;
}

static int add(struct iq_sse *sse, struct iq_view *bytes, size_t len)
{
	const size_t room = sse->raw.len < IQ_SSE_MAX_EVENT ? IQ_SSE_MAX_EVENT - sse->raw.len : 0;
	const int rc = iq_buf_append(&sse->raw, iq_view_make(bytes->data, len < room ? len : room));

	sse->is_cut |= len > room;
	*bytes = iq_view_from(*bytes, len);
	return rc;
}

int iq_sse_next(struct iq_sse *sse, struct iq_view *bytes, int64_t now, struct iq_sse_event *ret_event)
{
	while (bytes->len > 0) {
		const bool is_rest_of_crlf = sse->after_cr && bytes->data[0] == '\n';
		struct iq_view line;
		bool blank;

		sse->after_cr = false;
		if (is_rest_of_crlf) {
			/* Of an event that was given out: its last byte, which nobody misses. */
			if (!sse->given && add(sse, bytes, 1) < 0)
				return IQ_ERR_NOMEM;
			else if (sse->given)
				*bytes = iq_view_from(*bytes, 1);
			sse->line_at = sse->raw.len;
			continue;
		}
		if (sse->given)
			begin_event(sse);
		if (sse->raw.len == 0)
			sse->first = now;
		if (add(sse, bytes, line_length(*bytes)) < 0)
			return IQ_ERR_NOMEM;
		if (bytes->len == 0)
			break;
		sse->after_cr = bytes->data[0] == '\r';
		line = iq_view_from(iq_buf_view(&sse->raw), sse->line_at);
		blank = take_line(sse, line);
		if (add(sse, bytes, 1) < 0 || sse->data.failed || sse->name.failed || sse->id.failed)
			return IQ_ERR_NOMEM;
		sse->line_at = sse->raw.len;
		/* Without data nothing happened: a comment, or a name alone. */
		if (blank && sse->has_data)
			return give(sse, ret_event);
		if (blank)
			sse->given = true;
	}
	return 0;
}
