#include "ingest/har_scan.h"

/* Open brackets within {"log":{ and within {"log":{"entries":[ */
#define LOG_DEPTH 2
#define ENTRIES_DEPTH 3

void iq_har_scan_init(struct iq_har_scan *scan, uint64_t from, iq_har_entry_fn *take, void *context)
{
	*scan = (struct iq_har_scan){
		.take = take, .context = context, .from = from, .position = from, .text = IQ_BUF_INIT
	};
}

void iq_har_scan_release(struct iq_har_scan *scan)
{
	iq_buf_release(&scan->text);
}

static int hand_out(struct iq_har_scan *scan, uint64_t end, struct iq_error *error)
{
	struct iq_har_entry entry = {
		.text = scan->text_too_large ? IQ_VIEW_NULL : iq_buf_view(&scan->text),
		.offset = scan->text_offset,
		.start = scan->entries == 1 ? scan->from : scan->text_offset,
		.end = end,
		.complete = !scan->text_open,
	};
	int rc = scan->take(scan->context, &entry, error);

	scan->text_open = scan->text_held = scan->text_too_large = false;
	iq_buf_clear(&scan->text);
	return rc;
}

/* At the opening bracket of an entry, which ends the range of the one before it. */
static int begin_entry(struct iq_har_scan *scan, uint64_t at, struct iq_error *error)
{
	int rc = scan->text_held ? hand_out(scan, at, error) : 0;

	scan->entries++;
	scan->text_open = true;
	scan->text_offset = at;
	return rc;
}

static bool name_is(const struct iq_har_scan *scan, struct iq_view name)
{
	return iq_view_eq(iq_view_make(scan->name, scan->name_len), name);
}

static int open_bracket(struct iq_har_scan *scan, char bracket, uint64_t at, struct iq_error *error)
{
	int rc = 0;

	if (scan->depth == LOG_DEPTH - 1 && bracket == '{')
		scan->in_log = name_is(scan, IQ_LIT("log"));
	else if (scan->depth == ENTRIES_DEPTH - 1 && bracket == '[')
		scan->in_entries = scan->in_log && name_is(scan, IQ_LIT("entries"));
	else if (scan->depth == ENTRIES_DEPTH && scan->in_entries && bracket == '{')
		rc = begin_entry(scan, at, error);
	scan->depth++;
	scan->place = IQ_HAR_WITHIN;
	return rc;
}

static void close_bracket(struct iq_har_scan *scan, uint64_t at)
{
	if (scan->depth == 0)
		return;
	scan->depth--;
	if (scan->depth == ENTRIES_DEPTH && scan->text_open) {
		scan->text_open = false;
		scan->text_held = true;
		scan->text_end = at + 1;
	} else if (scan->depth < ENTRIES_DEPTH) {
		scan->in_entries = false;
	}
	if (scan->depth < LOG_DEPTH)
		scan->in_log = false;
	if (scan->depth == 0)
		scan->place = IQ_HAR_AFTER;
}

static void note_name(struct iq_har_scan *scan, char c)
{
	if (!scan->text_open && scan->name_len < sizeof(scan->name))
		scan->name[scan->name_len++] = c;
}

static void string_byte(struct iq_har_scan *scan, char c)
{
	if (scan->escaped)
		scan->escaped = false;
	else if (c == '\\')
		scan->escaped = true;
	else if (c == '"')
		scan->in_string = false;
	else
		note_name(scan, c);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int byte(struct iq_har_scan *scan, char c, uint64_t at, struct iq_error *error)
{
	if (scan->place == IQ_HAR_AFTER && !is_space(c)) {
		scan->place = IQ_HAR_TRAILING;
		scan->trailing = at;
	}
	if (scan->place == IQ_HAR_AFTER || scan->place == IQ_HAR_TRAILING)
		return 0;
	if (scan->in_string) {
		string_byte(scan, c);
	} else if (c == '"') {
		scan->in_string = true;
		if (!scan->text_open)
			scan->name_len = 0;
	} else if (c == '{' || c == '[') {
		return open_bracket(scan, c, at, error);
	} else if (c == '}' || c == ']') {
		close_bracket(scan, at);
	}
	return 0;
}

/* Inside of a string there is nothing to see before the next quote or backslash. */
static size_t plain_string(const struct iq_har_scan *scan, struct iq_view bytes)
{
	size_t i = 0;

	if (!scan->in_string || scan->escaped || !scan->text_open)
		return 0;
	while (i < bytes.len && bytes.data[i] != '"' && bytes.data[i] != '\\')
		i++;
	return i;
}

static int append(struct iq_har_scan *scan, struct iq_view bytes, struct iq_error *error)
{
	if (scan->text_too_large)
		return 0;
	if (bytes.len > IQ_HAR_MAX_ENTRY - scan->text.len) {
		iq_buf_release(&scan->text);
		scan->text_too_large = true;
		return 0;
	}
	return iq_buf_append(&scan->text, bytes) < 0 ? iq_error_nomem(error) : 0;
}

/* Goes on to where an entry begins or ends, or to the end of the bytes; returns how many bytes that is. */
static size_t advance(struct iq_har_scan *scan, struct iq_view bytes, int *rc, struct iq_error *error)
{
	const bool was_open = scan->text_open;
	size_t i = 0;

	while (i < bytes.len && *rc == 0 && scan->text_open == was_open) {
		size_t plain = plain_string(scan, iq_view_from(bytes, i));

		i += plain;
		if (plain == 0) {
			*rc = byte(scan, bytes.data[i], scan->position + i, error);
			i++;
		}
	}
	return i;
}

int iq_har_scan_feed(struct iq_har_scan *scan, struct iq_view bytes, struct iq_error *error)
{
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		const bool was_open = scan->text_open;
		size_t used = advance(scan, bytes, &rc, error);

		if (rc == 0 && was_open)
			rc = append(scan, iq_view_make(bytes.data, used), error);
		else if (rc == 0 && scan->text_open)
			rc = append(scan, IQ_LIT("{"), error);
		scan->position += used;
		bytes = iq_view_from(bytes, used);
	}
	return rc;
}

int iq_har_scan_end(struct iq_har_scan *scan, struct iq_error *error)
{
	uint64_t end = scan->place == IQ_HAR_TRAILING ? scan->trailing : scan->position;

	/* What is missing after the last complete entry is not part of it. */
	if (scan->text_held && scan->place == IQ_HAR_WITHIN)
		end = scan->text_end;
	return scan->text_held || scan->text_open ? hand_out(scan, end, error) : 0;
}
