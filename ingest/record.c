#include "ingest/record.h"

#include <stdarg.h>
#include <stdio.h>

/* One line for a person is not longer than this. */
#define PROBLEM_SIZE 320
/* So many lines are looked at to tell a format. */
#define PROBE_LINES 16

/* ---- The way out ---- */

int iq_output_event(const struct iq_output *output, const struct iq_event *event, struct iq_error *error)
{
	return output->sink->event(output->sink->context, event, error);
}

static void tell(const struct iq_output *output, const char *text)
{
	if (output->options.problem)
		output->options.problem(output->options.context, text);
}

void iq_output_problem(const struct iq_output *output, const char *format, ...)
{
	char text[PROBLEM_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(output, text);
}

int iq_output_damage(const struct iq_output *output, uint64_t offset, uint64_t bytes, struct iq_error *error,
		     const char *format, ...)
{
	struct iq_gap gap = IQ_GAP_INIT;
	char text[PROBLEM_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(output, text);
	gap.source = output->gap_source;
	gap.session = output->gap_session;
	gap.offset = offset;
	gap.bytes = bytes;
	gap.reason = iq_view_cstr(text);
	return output->sink->gap(output->sink->context, &gap, error);
}

/* ---- An event ---- */

struct iq_view iq_body_trim(struct iq_view text)
{
	for (size_t back = 1; back <= 3 && back <= text.len; back++) {
		unsigned char c = (unsigned char)text.data[text.len - back];
		size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;

		if (length > back)
			return iq_view_make(text.data, text.len - back);
		if (c < 0x80 || c >= 0xC0)
			break;
	}
	return text;
}

/* ---- Attrs ---- */

void iq_attrs_raw(struct iq_buf *attrs, struct iq_view name, struct iq_view json)
{
	(void)iq_buf_append_cstr(attrs, attrs->len == 0 ? "{\"" : ",\"");
	(void)iq_utf8_append_repaired(attrs, name);
	(void)iq_buf_append_cstr(attrs, "\":");
	(void)iq_utf8_append_repaired(attrs, json);
}

void iq_attrs_text(struct iq_buf *attrs, struct iq_view name, struct iq_view text)
{
	iq_attrs_raw(attrs, name, IQ_LIT(""));
	(void)iq_json_append_string(attrs, text);
}

void iq_attrs_literal(struct iq_buf *attrs, struct iq_view member)
{
	(void)iq_buf_append_char(attrs, attrs->len == 0 ? '{' : ',');
	(void)iq_buf_append(attrs, member);
}

void iq_attrs_number(struct iq_buf *attrs, struct iq_view name, uint64_t number)
{
	iq_attrs_raw(attrs, name, IQ_LIT(""));
	(void)iq_buf_appendf(attrs, "%llu", (unsigned long long)number);
}

struct iq_view iq_attrs_end(struct iq_buf *attrs)
{
	if (attrs->len == 0)
		return IQ_VIEW_NULL;
	(void)iq_buf_append_char(attrs, '}');
	return iq_buf_view(attrs);
}

/* ---- Lines ---- */

struct iq_view iq_line_text(const struct iq_line *line)
{
	struct iq_view text = line->text;

	if (line->offset == 0 && iq_view_starts_with(text, IQ_LIT("\xef\xbb\xbf")))
		text = iq_view_from(text, 3);
	while (text.len > 0 && text.data[0] == '\0')
		text = iq_view_from(text, 1);
	return text;
}

const char *iq_line_damage(const struct iq_line *line, struct iq_view text, const char *why)
{
	if (text.len == 0)
		return "NUL bytes only";
	return line->terminated ? why : "cut off in the middle of a record";
}

struct iq_view iq_line_escape_controls(struct iq_view text, struct iq_buf *scratch)
{
	size_t start = scratch->len;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 && c != '\t' && c != '\r')
			(void)iq_buf_appendf(scratch, "\\u%04x", c);
		else
			(void)iq_buf_append_char(scratch, text.data[i]);
	}
	return iq_view_from(iq_buf_view(scratch), start);
}

void iq_line_place(const struct iq_line *line, struct iq_view string, uint64_t *ret_offset, uint64_t *ret_length)
{
	const uintptr_t at = (uintptr_t)string.data, text = (uintptr_t)line->text.data;
	/* A line with control characters in its strings was read from a copy. */
	const bool inside = at >= text && at - text <= line->text.len && string.len <= line->text.len - (at - text);

	*ret_offset = line->begin + (inside ? at - text : 0);
	*ret_length = inside ? string.len : 0;
}

int iq_output_blank(const struct iq_output *output, const struct iq_line *line, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = output->gap_source;
	gap.offset = line->offset;
	gap.bytes = line->length;
	gap.count = 0;
	gap.reason = IQ_LIT("nothing but white space");
	return output->sink->gap(output->sink->context, &gap, error);
}

bool iq_line_is_object(struct iq_view text)
{
	struct iq_json json;
	struct iq_json_token token;

	iq_json_init(&json, text);
	return iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN &&
	       iq_json_skip(&json, &token).data && iq_json_end(&json);
}

struct probe {
	int (*score)(struct iq_view text, bool cut);
	int best;
	size_t lines;
};

static int probe_line(void *context, const struct iq_line *line, struct iq_error *error)
{
	struct probe *probe = context;
	int score = probe->score(iq_line_text(line), !line->terminated);

	(void)error;
	if (score > probe->best)
		probe->best = score;
	return ++probe->lines < PROBE_LINES ? 0 : IQ_ERR_LIMIT;
}

int iq_line_probe(struct iq_view head, int (*score)(struct iq_view text, bool cut))
{
	struct probe probe = { .score = score };
	struct iq_lines lines;

	iq_lines_init(&lines, IQ_PROBE_BYTES, probe_line, &probe);
	if (iq_lines_feed(&lines, head, NULL) == 0)
		(void)iq_lines_end(&lines, NULL);
	iq_lines_release(&lines);
	return probe.best;
}

struct share {
	bool (*reads)(struct iq_view text, bool cut);
	int lines;
	int read;
};

static int share_line(void *context, const struct iq_line *line, struct iq_error *error)
{
	struct share *share = context;
	const struct iq_view text = iq_line_text(line);
	const bool reads = text.len > 0 && share->reads(text, !line->terminated);

	(void)error;
	share->read += reads;
	share->lines += reads || line->terminated;
	return share->lines < PROBE_LINES ? 0 : IQ_ERR_LIMIT;
}

static int share_of(struct iq_view head, bool counted, bool (*reads)(struct iq_view text, bool cut))
{
	struct share share = { .reads = reads };
	struct iq_lines lines;

	iq_lines_init(&lines, IQ_PROBE_BYTES, share_line, &share);
	lines.keeps_indent = true;
	lines.counted = counted;
	if (iq_lines_feed(&lines, head, NULL) == 0)
		(void)iq_lines_end(&lines, NULL);
	iq_lines_release(&lines);
	return share.lines > 0 ? share.read * 100 / share.lines : 0;
}

int iq_line_share(struct iq_view head, bool (*reads)(struct iq_view text, bool cut))
{
	return share_of(head, false, reads);
}

int iq_counted_line_share(struct iq_view head, bool (*reads)(struct iq_view text, bool cut))
{
	return share_of(head, true, reads);
}

void iq_bad_lines_add(struct iq_bad_lines *bad, const struct iq_line *line, const char *why)
{
	if (bad->first == 0)
		*bad = (struct iq_bad_lines){
			.first = line->number, .before = line->before, .offset = line->offset, .why = why
		};
	bad->last = line->number;
	bad->bytes = line->offset + line->length - bad->offset;
}

struct iq_restart iq_bad_lines_place(const struct iq_bad_lines *bad, const struct iq_lines *lines)
{
	return bad->first ? (struct iq_restart){ bad->offset, bad->before } : iq_lines_place(lines);
}

int iq_bad_lines_flush(struct iq_bad_lines *bad, const struct iq_output *output, struct iq_error *error)
{
	const struct iq_bad_lines run = *bad;

	*bad = (struct iq_bad_lines){ 0 };
	if (run.first == 0)
		return 0;
	if (run.first == run.last)
		return iq_output_damage(output, run.offset, run.bytes, error, "line %llu: %s",
					(unsigned long long)run.first, run.why);
	return iq_output_damage(output, run.offset, run.bytes, error, "lines %llu-%llu: %s",
				(unsigned long long)run.first, (unsigned long long)run.last, run.why);
}
