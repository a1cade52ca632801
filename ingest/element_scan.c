#include "ingest/element_scan.h"

/* Before each document of a JSON text sequence (RFC 7464). */
#define RECORD_SEPARATOR '\x1e'
#define BOM IQ_LIT("\xef\xbb\xbf")

void iq_element_scan_init(struct iq_element_scan *scan, uint64_t from, const struct iq_view *names, size_t name_count,
			  iq_element_fn *take, void *context)
{
	*scan = (struct iq_element_scan){ .take = take,
					  .context = context,
					  .names = names,
					  .name_count = name_count,
					  .from = from,
					  .position = from,
					  .at_indent = true,
					  .text = IQ_BUF_INIT };
}

void iq_element_scan_release(struct iq_element_scan *scan)
{
	iq_buf_release(&scan->text);
}

static bool is_series(const struct iq_element_scan *scan)
{
	return scan->name_count == 0;
}

/* ---- The element at hand ---- */

static int hand_out(struct iq_element_scan *scan, uint64_t end, bool ended, struct iq_error *error)
{
	struct iq_element element = {
		.text = scan->text_too_large ? IQ_VIEW_NULL : iq_buf_view(&scan->text),
		.offset = scan->text_offset,
		.document = scan->text_document,
		.start = scan->elements == 1 ? scan->from : scan->text_offset,
		.end = end,
		.complete = !scan->text_open,
		.ended = scan->text_open && ended,
		.strange = scan->text_strange,
	};
	int rc = scan->take(scan->context, &element, error);

	scan->text_open = scan->text_held = scan->text_too_large = scan->text_strange = false;
	iq_buf_clear(&scan->text);
	return rc;
}

static int append(struct iq_element_scan *scan, struct iq_view bytes, struct iq_error *error)
{
	if (scan->text_too_large || scan->text_strange)
		return 0;
	if (bytes.len > IQ_ELEMENT_MAX - scan->text.len) {
		iq_buf_release(&scan->text);
		scan->text_too_large = true;
		return 0;
	}
	return iq_buf_append(&scan->text, bytes) < 0 ? iq_error_nomem(error) : 0;
}

/* One begins at `at`, which ends the range of the one before it. */
static int begin_element(struct iq_element_scan *scan, uint64_t at, bool strange, struct iq_error *error)
{
	int rc = scan->text_held || scan->text_open ? hand_out(scan, at, false, error) : 0;

	if (scan->elements++ == 0) {
		scan->has_first_indent = scan->at_indent && scan->indent_len < sizeof(scan->indent);
		scan->first_indent_len = scan->indent_len;
		memcpy(scan->first_indent, scan->indent, sizeof(scan->indent));
	}
	scan->text_open = true;
	scan->text_strange = strange;
	scan->text_offset = at;
	scan->text_document = strange ? at : scan->document;
	return rc;
}

static void end_element(struct iq_element_scan *scan, uint64_t end)
{
	scan->text_open = false;
	scan->text_held = true;
	scan->text_end = end;
}

/* ---- Brackets and names ---- */

static bool name_is(const struct iq_element_scan *scan, struct iq_view name)
{
	return iq_view_eq(iq_view_make(scan->name, scan->name_len), name);
}

/* Is a bracket that opens here on the way to the elements? */
static void follow_names(struct iq_element_scan *scan, char bracket)
{
	const size_t wanted = scan->found;

	if (is_series(scan)) {
		scan->in_array |= scan->depth == 0 && bracket == '[';
	} else if (scan->depth == wanted + 1 && wanted < scan->name_count && name_is(scan, scan->names[wanted]) &&
		   bracket == (wanted + 1 < scan->name_count ? '{' : '[')) {
		scan->found++;
		scan->in_array = scan->found == scan->name_count;
	}
}

static bool element_opens(const struct iq_element_scan *scan, char bracket)
{
	const uint64_t array_depth = is_series(scan) ? 1 : scan->name_count + 1;

	if (bracket != '{' || scan->text_open)
		return false;
	return scan->in_array ? scan->depth == array_depth : is_series(scan) && scan->depth == 0;
}

static int open_bracket(struct iq_element_scan *scan, char bracket, uint64_t at, struct iq_error *error)
{
	int rc = 0;

	if (scan->depth == 0)
		scan->document = at;
	if (element_opens(scan, bracket)) {
		scan->element_depth = scan->depth;
		rc = begin_element(scan, at, false, error);
	} else if (!scan->text_open) {
		follow_names(scan, bracket);
	}
	scan->depth++;
	scan->place = IQ_ELEMENT_WITHIN;
	return rc;
}

/* Returns whether the bracket ends the element. */
static bool close_bracket(struct iq_element_scan *scan)
{
	if (scan->depth == 0)
		return false;
	scan->depth--;
	if (scan->depth == 0)
		scan->place = IQ_ELEMENT_AFTER;
	if (scan->text_open)
		return scan->depth == scan->element_depth;
	if (scan->depth <= (is_series(scan) ? 0 : scan->name_count))
		scan->in_array = false;
	if (scan->found >= scan->depth)
		scan->found = scan->depth > 0 ? (size_t)scan->depth - 1 : 0;
	return false;
}

/* ---- Bytes ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void note_indent(struct iq_element_scan *scan, char c)
{
	if (c == '\n') {
		scan->at_indent = true;
		scan->indent_len = 0;
		scan->first_has_lines |= scan->text_open && scan->elements == 1;
	} else if (!is_space(c)) {
		scan->at_indent = false;
	} else if (scan->at_indent && scan->indent_len < sizeof(scan->indent)) {
		scan->indent[scan->indent_len++] = c;
	}
}

/* A line begins as only an element does, where none is expected. */
static bool begins_anew(const struct iq_element_scan *scan)
{
	if (!scan->has_first_indent || !scan->at_indent || scan->elements == 0 ||
	    (!scan->text_open && !scan->in_string && scan->depth == scan->element_depth))
		return false;
	if (scan->text_strange || scan->place >= IQ_ELEMENT_AFTER)
		return false;
	if (scan->indent_len != scan->first_indent_len ||
	    memcmp(scan->indent, scan->first_indent, scan->indent_len) != 0)
		return false;
	return scan->in_string || scan->first_indent_len > 0 || !scan->first_has_lines;
}

static void note_name(struct iq_element_scan *scan, char c)
{
	if (!scan->text_open && scan->name_len < sizeof(scan->name))
		scan->name[scan->name_len++] = c;
}

static void string_byte(struct iq_element_scan *scan, char c)
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

/* Between the documents of a series: text that is no JSON goes on to the end of its line. */
static int between_documents(struct iq_element_scan *scan, char c, uint64_t at, struct iq_error *error)
{
	if (scan->text_strange && scan->text_open) {
		if (c == '\n')
			end_element(scan, at + 1);
		return 0;
	}
	if (is_space(c) || c == ',' || c == RECORD_SEPARATOR || (at < BOM.len && c == BOM.data[at]))
		return 0;
	scan->place = IQ_ELEMENT_AFTER;
	if (!scan->text_strange)
		return begin_element(scan, at, true, error);
	scan->text_open = true;
	scan->text_held = false;
	return 0;
}

static int restart_element(struct iq_element_scan *scan, uint64_t at, struct iq_error *error)
{
	scan->in_string = scan->escaped = false;
	scan->depth = scan->element_depth + 1;
	if (scan->element_depth == 0)
		scan->document = at;
	return begin_element(scan, at, false, error);
}

static int byte(struct iq_element_scan *scan, char c, uint64_t at, struct iq_error *error)
{
	if (scan->place == IQ_ELEMENT_AFTER && !is_series(scan) && !is_space(c)) {
		scan->place = IQ_ELEMENT_TRAILING;
		scan->trailing = at;
	}
	if (scan->place == IQ_ELEMENT_TRAILING || (scan->place == IQ_ELEMENT_AFTER && !is_series(scan)))
		return 0;
	if (scan->in_string) {
		string_byte(scan, c);
	} else if (is_series(scan) && scan->depth == 0 &&
		   ((c != '{' && c != '[') || (scan->text_strange && scan->text_open))) {
		return between_documents(scan, c, at, error);
	} else if (c == '"') {
		scan->in_string = true;
		if (!scan->text_open)
			scan->name_len = 0;
	} else if (c == '{' || c == '[') {
		return open_bracket(scan, c, at, error);
	} else if ((c == '}' || c == ']') && close_bracket(scan)) {
		end_element(scan, at + 1);
	}
	return 0;
}

/* How many bytes there are in which nothing can be seen: in a string those before a quote, a backslash, a line end. */
static size_t plain_string(const struct iq_element_scan *scan, struct iq_view bytes)
{
	size_t i = 0;

	if (!scan->in_string || scan->escaped || !scan->text_open || scan->at_indent)
		return 0;
	while (i < bytes.len && bytes.data[i] != '"' && bytes.data[i] != '\\' && bytes.data[i] != '\n')
		i++;
	return i;
}

/* The bytes before `kept` are in the element's text, or belong to none. */
static int step(struct iq_element_scan *scan, struct iq_view bytes, size_t i, size_t *kept, struct iq_error *error)
{
	const bool was_open = scan->text_open;
	const bool anew = bytes.data[i] == '{' && begins_anew(scan);
	int rc = 0;

	if (anew && was_open)
		rc = append(scan, iq_view_make(bytes.data + *kept, i - *kept), error);
	if (rc == 0)
		rc = anew ? restart_element(scan, scan->position + i, error)
			  : byte(scan, bytes.data[i], scan->position + i, error);
	if (rc == 0 && was_open && !scan->text_open)
		rc = append(scan, iq_view_make(bytes.data + *kept, i + 1 - *kept), error);
	if (anew || !was_open)
		*kept = i;
	note_indent(scan, bytes.data[i]);
	return rc;
}

int iq_element_scan_feed(struct iq_element_scan *scan, struct iq_view bytes, struct iq_error *error)
{
	size_t i = 0, kept = 0;
	int rc = 0;

	while (i < bytes.len && rc == 0) {
		size_t plain = plain_string(scan, iq_view_from(bytes, i));

		i += plain;
		if (plain == 0)
			rc = step(scan, bytes, i++, &kept, error);
	}
	if (rc == 0 && scan->text_open)
		rc = append(scan, iq_view_from(bytes, kept), error);
	scan->position += bytes.len;
	return rc;
}

uint64_t iq_element_scan_place(const struct iq_element_scan *scan)
{
	const bool between = scan->depth == 0 && !scan->text_open && !scan->text_held;

	if (!is_series(scan) || scan->elements == 0)
		return scan->from;
	if (between)
		return scan->position;
	/* What is held or open may belong to a document before the one at hand. */
	return (scan->text_held || scan->text_open) && scan->text_document < scan->document ? scan->text_document
											    : scan->document;
}

int iq_element_scan_end(struct iq_element_scan *scan, struct iq_error *error)
{
	uint64_t end = scan->place == IQ_ELEMENT_TRAILING ? scan->trailing : scan->position;

	/* What is missing after the last complete element is not part of it. */
	if (scan->text_held && scan->place == IQ_ELEMENT_WITHIN)
		end = scan->text_end;
	return scan->text_held || scan->text_open ? hand_out(scan, end, true, error) : 0;
}
