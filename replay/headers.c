#include "replay/headers.h"

static void append_line(struct iq_view name, struct iq_view value, struct iq_buf *out)
{
	if (!iq_http_is_own_header(name, value))
		return;
	(void)iq_buf_append(out, name);
	(void)iq_buf_append_cstr(out, ": ");
	(void)iq_buf_append(out, value);
	(void)iq_buf_append_cstr(out, "\r\n");
}

/* The texts of an array, or the one that it is instead. */
static void append_lines(struct iq_view name, struct iq_view raw, struct iq_buf *out)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, raw);
	while (iq_json_next(&json, &token) > 0) {
		iq_buf_clear(&scratch);
		if (token.type == IQ_JSON_STRING)
			append_line(name, iq_json_text(&token, &scratch), out);
	}
	iq_buf_release(&scratch);
}

void iq_headers_append(struct iq_view object, struct iq_buf *out)
{
	struct iq_json json;
	struct iq_json_token name, value;

	iq_json_init(&json, object);
	if (object.len == 0 || iq_json_next(&json, &name) <= 0 || name.type != IQ_JSON_OBJECT_BEGIN)
		return;
	while (iq_json_member(&json, &name, &value) > 0) {
		const struct iq_view raw = iq_json_skip(&json, &value);

		if (!raw.data)
			return;
		append_lines(name.raw, raw, out);
	}
}

static void append_name(struct iq_view name, struct iq_buf *out)
{
	struct iq_buf small = IQ_BUF_INIT;

	for (size_t i = 0; i < name.len; i++)
		(void)iq_buf_append_char(&small, (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 0x20
												   : name.data[i]));
	(void)iq_json_append_string(out, iq_buf_view(&small));
	(void)iq_buf_append_char(out, ':');
	iq_buf_release(&small);
}

void iq_headers_lower(struct iq_view object, struct iq_buf *out)
{
	const size_t from = out->len;
	struct iq_json json;
	struct iq_json_token name, value;

	iq_json_init(&json, object);
	if (object.len == 0 || iq_json_next(&json, &name) <= 0 || name.type != IQ_JSON_OBJECT_BEGIN)
		return;
	while (iq_json_member(&json, &name, &value) > 0) {
		const struct iq_view raw = iq_json_skip(&json, &value);

		if (!raw.data)
			break;
		(void)iq_buf_append_char(out, out->len == from ? '{' : ',');
		append_name(name.raw, out);
		(void)iq_buf_append(out, raw);
	}
	(void)iq_buf_append_cstr(out, out->len == from ? "{}" : "}");
}

static bool same_letters(struct iq_view a, struct iq_view b)
{
	for (size_t i = 0; i < a.len && a.len == b.len; i++)
		if ((a.data[i] | 0x20) != (b.data[i] | 0x20))
			return false;
	return a.len == b.len;
}

void iq_headers_of(const struct iq_http_head *head, struct iq_buf *out)
{
	(void)iq_buf_append_char(out, '{');
	for (size_t i = 0, next; i < head->header_count; i = next) {
		next = i + 1;
		while (next < head->header_count && same_letters(head->headers[next].name, head->headers[i].name))
			next++;
		(void)iq_buf_append_cstr(out, i ? "," : "");
		append_name(head->headers[i].name, out);
		(void)iq_buf_append_cstr(out, next > i + 1 ? "[" : "");
		for (size_t j = i; j < next; j++) {
			(void)iq_buf_append_cstr(out, j > i ? "," : "");
			(void)iq_json_append_string(out, head->headers[j].value);
		}
		(void)iq_buf_append_cstr(out, next > i + 1 ? "]" : "");
	}
	(void)iq_buf_append_char(out, '}');
}
