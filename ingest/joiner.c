#include "ingest/joiner.h"

#include <stdlib.h>

#include "ingest/texts.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Of a stream that was carried here, and of which nothing has come yet. */
#define NOT_BEGUN UINT64_MAX

static void release_streams(struct iq_joiner_stream *streams, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		iq_buf_release(&streams[i].name);
		iq_buf_release(&streams[i].texts);
		iq_buf_release(&streams[i].body);
	}
	free(streams);
}

void iq_carry_release(struct iq_carry *carry)
{
	release_streams(carry->streams, carry->count);
	iq_buf_release(&carry->from);
	*carry = (struct iq_carry){ 0 };
}

uint64_t iq_carry_bytes(const struct iq_carry *carry)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < carry->count; i++)
		bytes += carry->streams[i].open ? carry->streams[i].bytes : 0;
	return bytes;
}

/* The texts of the turn before; the source is that of the log. */
static void take_carried(struct iq_joiner *joiner, struct iq_carry *carry)
{
	joiner->streams = carry->streams;
	joiner->count = carry->count;
	joiner->from = carry->from;
	for (size_t i = 0; i < joiner->count; i++)
		if (!joiner->streams[i].first.event.source.data)
			joiner->streams[i].first.event.source = joiner->output->options.source;
	*carry = (struct iq_carry){ 0 };
}

void iq_joiner_init(struct iq_joiner *joiner, const struct iq_output *output, enum iq_joining joining)
{
	*joiner = (struct iq_joiner){ .output = output, .joining = joining };
	if (output->options.carry && output->options.from.offset == 0)
		take_carried(joiner, output->options.carry);
}

void iq_joiner_release(struct iq_joiner *joiner)
{
	release_streams(joiner->streams, joiner->count);
	iq_buf_release(&joiner->from);
	iq_buf_release(&joiner->attrs);
}

/* ---- Giving out ---- */

static void note_cut_line(const struct iq_joiner *joiner, const struct iq_record *record)
{
	iq_output_problem(joiner->output, "line %llu cut at %zu of %llu bytes; the store keeps it whole",
			  (unsigned long long)record->line, joiner->output->options.max_line,
			  (unsigned long long)record->line_bytes);
}

static void note_cut_body(struct iq_joiner *joiner, const struct iq_record *record, uint64_t bytes)
{
	iq_attrs_number(&joiner->attrs, IQ_LIT("body_bytes"), bytes);
	iq_output_problem(joiner->output, "%s %llu cut at %zu of %llu bytes; the store keeps it whole",
			  record->line ? "line" : "byte",
			  (unsigned long long)(record->line ? record->line : record->event.offset),
			  record->event.body.len, (unsigned long long)bytes);
}

/* `bytes`: of the body before it was cut; `line_bytes`: of the line of the file before that was. */
static int give(struct iq_joiner *joiner, const struct iq_record *record, bool partial, bool carried, uint64_t bytes,
		uint64_t line_bytes, struct iq_error *error)
{
	struct iq_event event = record->event;
	const bool cut = bytes > event.body.len || line_bytes > 0;

	iq_buf_clear(&joiner->attrs);
	(void)iq_buf_append(&joiner->attrs, record->attrs);
	if (partial)
		iq_attrs_raw(&joiner->attrs, IQ_LIT("partial"), IQ_LIT("true"));
	if (carried)
		iq_attrs_text(&joiner->attrs, IQ_LIT("begins_in"), iq_buf_view(&joiner->from));
	if (line_bytes > 0)
		iq_attrs_number(&joiner->attrs, IQ_LIT("line_bytes"), line_bytes);
	if (bytes > event.body.len)
		note_cut_body(joiner, record, bytes);
	if (cut)
		event.body = iq_body_trim(event.body);
	if (event.body.len < bytes)
		event.body_length = 0;
	event.attrs = iq_attrs_end(&joiner->attrs);
	if (joiner->attrs.failed)
		return iq_error_nomem(error);
	return iq_output_event(joiner->output, &event, error);
}

static int give_stream(struct iq_joiner *joiner, struct iq_joiner_stream *stream, struct iq_error *error)
{
	struct iq_record *record = &stream->first;

	stream->open = false;
	record->event.body = stream->body.len > 0 ? iq_buf_view(&stream->body) : IQ_LIT("");
	if (record->event.offset == NOT_BEGUN)
		record->event.offset = stream->end = joiner->end;
	record->event.length = stream->end - record->event.offset;
	return give(joiner, record, stream->unfinished, stream->carried, stream->bytes, stream->line_bytes, error);
}

/* The one that ended first of those that ended before `end`, unfinished ones with `all` only; NULL if there is none. */
static struct iq_joiner_stream *first_ended(const struct iq_joiner *joiner, uint64_t end, bool all)
{
	struct iq_joiner_stream *first = NULL;

	for (size_t i = 0; i < joiner->count; i++) {
		struct iq_joiner_stream *stream = &joiner->streams[i];

		if (stream->open && (all || !stream->unfinished) && stream->end <= end &&
		    (!first || stream->end < first->end))
			first = stream;
	}
	return first;
}

static int give_until(struct iq_joiner *joiner, uint64_t end, bool all, struct iq_error *error)
{
	struct iq_joiner_stream *stream;
	int rc = 0;

	while (rc == 0 && (stream = first_ended(joiner, end, all)))
		rc = give_stream(joiner, stream, error);
	return rc;
}

/* ---- Streams ---- */

static struct iq_joiner_stream *find_stream(struct iq_joiner *joiner, struct iq_view name)
{
	if (joiner->last < joiner->count && iq_view_eq(iq_buf_view(&joiner->streams[joiner->last].name), name))
		return &joiner->streams[joiner->last];
	for (size_t i = 0; i < joiner->count; i++) {
		if (iq_view_eq(iq_buf_view(&joiner->streams[i].name), name)) {
			joiner->last = i;
			return &joiner->streams[i];
		}
	}
	return NULL;
}

/* One without anything open; if there is none, and there may be no more, the one that began first is given out. */
static int free_stream(struct iq_joiner *joiner, struct iq_joiner_stream **ret_stream, struct iq_error *error)
{
	struct iq_joiner_stream *oldest = joiner->streams;
	int rc = give_until(joiner, UINT64_MAX, false, error);

	for (size_t i = 0; i < joiner->count && rc == 0; i++) {
		if (!joiner->streams[i].open) {
			*ret_stream = &joiner->streams[i];
			return 0;
		}
		if (joiner->streams[i].first.event.offset < oldest->first.event.offset)
			oldest = &joiner->streams[i];
	}
	*ret_stream = oldest;
	return rc == 0 ? give_stream(joiner, oldest, error) : rc;
}

static int add_stream(struct iq_joiner *joiner, struct iq_view name, struct iq_joiner_stream **ret_stream,
		      struct iq_error *error)
{
	int rc = 0;

	if (!joiner->streams)
		joiner->streams = calloc(IQ_JOINER_STREAMS, sizeof(*joiner->streams));
	if (!joiner->streams)
		return iq_error_nomem(error);
	if (joiner->count < IQ_JOINER_STREAMS)
		*ret_stream = &joiner->streams[joiner->count++];
	else
		rc = free_stream(joiner, ret_stream, error);
	if (rc < 0)
		return rc;
	joiner->last = (size_t)(*ret_stream - joiner->streams);
	iq_buf_clear(&(*ret_stream)->name);
	return iq_buf_append(&(*ret_stream)->name, name) < 0 ? iq_error_nomem(error) : 0;
}

/* ---- Lines that go on ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct iq_view without_indent(struct iq_view text)
{
	while (text.len > 0 && is_space(text.data[0]))
		text = iq_view_from(text, 1);
	return text;
}

/* `at x.Y(Z.java:12)`, `at /app/x.js:1:2`, `at <anonymous>` */
static bool is_frame(struct iq_view text)
{
	const char last = text.data[text.len - 1];

	return iq_view_starts_with(text, IQ_LIT("at ")) && (last == ')' || last == '>' || is_digit(last));
}

/* What only a stack trace has, indented or not. */
static bool is_of_trace(struct iq_view text)
{
	static const struct iq_view beginnings[] = {
		{ "Caused by: ", 11 },
		{ "Suppressed: ", 12 },
		{ "... ", 4 },
		{ "During handling of the above exception", 38 },
		{ "The above exception was the direct cause", 40 },
		{ "goroutine ", 10 },
		{ "stack backtrace:", 16 },
	};

	for (size_t i = 0; i < COUNT(beginnings); i++)
		if (iq_view_starts_with(text, beginnings[i]))
			return true;
	return is_frame(text);
}

static bool is_indented(struct iq_view text)
{
	return is_space(text.data[0]) || text.data[0] == '}' || text.data[0] == ')' || text.data[0] == ']';
}

/* `ValueError: ...`, `app.errors.Refused`: what ends a traceback of Python. */
static bool names_exception(struct iq_view text)
{
	size_t len = 0;

	while (len < text.len && (is_digit(text.data[len]) || text.data[len] == '.' || text.data[len] == '_' ||
				  ((text.data[len] | 0x20) >= 'a' && (text.data[len] | 0x20) <= 'z')))
		len++;
	return len > 0 && (len == text.len || text.data[len] == ':');
}

/* `main.run(0x1, ...)`, `created by main.main`: the lines of a goroutine between those that are indented. */
static bool is_call(struct iq_view text)
{
	return text.data[text.len - 1] == ')' || iq_view_starts_with(text, IQ_LIT("created by ")) ||
	       iq_view_starts_with(text, IQ_LIT("[signal "));
}

static bool is_traceback(struct iq_view text)
{
	return iq_view_starts_with(text, IQ_LIT("Traceback (most recent call last):"));
}

/* `java.lang.IllegalStateException: no`, `org.example.RefusedError`: what a logger writes behind the line of an error. */
static bool is_throwable(struct iq_view text)
{
	static const struct iq_view endings[] = { { "Exception", 9 }, { "Error", 5 } };
	size_t len = 0, dots = 0;

	while (len < text.len &&
	       (is_digit(text.data[len]) || text.data[len] == '.' || text.data[len] == '_' || text.data[len] == '$' ||
		((text.data[len] | 0x20) >= 'a' && (text.data[len] | 0x20) <= 'z')))
		dots += text.data[len++] == '.';
	if (dots == 0 || (len < text.len && text.data[len] != ':'))
		return false;
	text.len = len;
	return iq_view_ends_with(text, endings[0]) || iq_view_ends_with(text, endings[1]);
}

static bool begins_trace_of(const struct iq_joiner_stream *stream, struct iq_view text)
{
	return stream->lines == 1 && is_throwable(text) &&
	       iq_text_severity(iq_buf_view(&stream->body)) >= IQ_SEVERITY_ERROR;
}

/* PostgreSQL writes a message in several lines, each with a prefix of its own: `2026-11-24 03:28:01 UTC [51] ERROR:  ...`, and behind it
 * `2026-11-24 03:28:01 UTC [51] DETAIL:  ...`. */
struct postgres {
	struct iq_view word;
	struct iq_view pid; /* with its brackets; NULL: the prefix has none */
};

#define POSTGRES_REACH 200

static bool find_postgres(struct iq_view text, struct postgres *postgres)
{
	const struct iq_view head = iq_view_make(text.data, text.len < POSTGRES_REACH ? text.len : POSTGRES_REACH);
	const size_t colon = iq_view_find(head, IQ_LIT(":  "));
	size_t word = colon, open, close;

	if (colon == SIZE_MAX)
		return false;
	while (word > 0 &&
	       ((head.data[word - 1] >= 'A' && head.data[word - 1] <= 'Z') || is_digit(head.data[word - 1])))
		word--;
	*postgres = (struct postgres){ .word = iq_view_make(head.data + word, colon - word) };
	open = iq_view_find(iq_view_make(head.data, word), IQ_LIT("["));
	close = open == SIZE_MAX ? SIZE_MAX
				 : iq_view_find(iq_view_from(iq_view_make(head.data, word), open), IQ_LIT("]"));
	if (close != SIZE_MAX)
		postgres->pid = iq_view_make(head.data + open, close + 1);
	return true;
}

static bool is_remark(struct iq_view word)
{
	static const struct iq_view remarks[] = { { "DETAIL", 6 },  { "HINT", 4 },  { "STATEMENT", 9 },
						  { "CONTEXT", 7 }, { "QUERY", 5 }, { "LOCATION", 8 } };

	for (size_t i = 0; i < COUNT(remarks); i++)
		if (iq_view_eq(word, remarks[i]))
			return true;
	return false;
}

static bool is_remark_on(struct iq_view message, struct iq_view text)
{
	struct postgres remark, of;

	return find_postgres(text, &remark) && is_remark(remark.word) && find_postgres(message, &of) &&
	       of.word.len > 0 && !is_remark(of.word) && iq_view_eq(of.pid, remark.pid);
}

static const struct iq_view trace_beginnings = { " \t})].CDSTagps", 14 };

/* Most lines begin with nothing that a further line of a trace may begin with. */
static bool may_be_of_trace(struct iq_view text)
{
	return text.len == 0 || memchr(trace_beginnings.data, text.data[0], trace_beginnings.len) != NULL;
}

static bool goes_on_with(const struct iq_joiner *joiner, const struct iq_joiner_stream *stream, struct iq_view text)
{
	const struct iq_view trimmed = without_indent(text);
	const bool within = stream->trace != IQ_TRACE_NONE;

	if (!within && begins_trace_of(stream, text))
		return true;
	if (text.len > 0 && is_digit(text.data[0]) && is_remark_on(iq_buf_view(&stream->body), text))
		return true;
	if (!within && !may_be_of_trace(text))
		return false;
	if (trimmed.len == 0)
		return within || stream->lines > 1 || (text.len > 0 && joiner->joining == IQ_JOIN_INDENTED);
	if (is_of_trace(trimmed) || (is_indented(text) && (within || joiner->joining == IQ_JOIN_INDENTED)))
		return true;
	/* Of an error that was logged, not of another trace. */
	if (is_traceback(text))
		return stream->trace == IQ_TRACE_PYTHON ||
		       (stream->lines == 1 && iq_text_severity(iq_buf_view(&stream->body)) >= IQ_SEVERITY_ERROR);
	return stream->trace == IQ_TRACE_PYTHON ? names_exception(text)
	       : stream->trace == IQ_TRACE_GO	? is_call(text)
						: false;
}

/* Python's ends with the line that names the exception. */
static enum iq_trace trace_after(enum iq_trace trace, struct iq_view text)
{
	const struct iq_view trimmed = without_indent(text);

	if (trace == IQ_TRACE_NONE && !may_be_of_trace(text))
		return trace;
	if (is_traceback(text) || iq_view_starts_with(text, IQ_LIT("During handling of the above")) ||
	    iq_view_starts_with(text, IQ_LIT("The above exception was")))
		return IQ_TRACE_PYTHON;
	if (iq_view_starts_with(text, IQ_LIT("goroutine ")) || iq_view_starts_with(text, IQ_LIT("panic: ")))
		return IQ_TRACE_GO;
	if (trace == IQ_TRACE_NONE && trimmed.len > 0 && is_of_trace(trimmed))
		return IQ_TRACE_FRAMES;
	return trace == IQ_TRACE_PYTHON && text.len > 0 && !is_space(text.data[0]) ? IQ_TRACE_NONE : trace;
}

/* What a program of Go says last, behind whatever it said before. */
static void note_crash(struct iq_joiner_stream *stream, struct iq_view text)
{
	struct iq_event *event = &stream->first.event;

	if (event->severity == IQ_SEVERITY_NONE && event->kind == IQ_KIND_LOG &&
	    (iq_view_starts_with(text, IQ_LIT("panic: ")) || iq_view_starts_with(text, IQ_LIT("fatal error: "))))
		event->severity = IQ_SEVERITY_CRITICAL;
}

/* ---- Records ---- */

/* The record's texts, copied into the stream's buffer; the source of the parser lives as long as that. */
static int keep_texts(struct iq_joiner *joiner, struct iq_joiner_stream *stream)
{
	struct iq_event *event = &stream->first.event;
	struct iq_view *const views[] = { &event->source, &event->session, &event->type, &event->key,
					  &stream->first.attrs };
	size_t bytes = 0;

	iq_buf_clear(&stream->texts);
	for (size_t i = 0; i < COUNT(views); i++)
		bytes += views[i]->len;
	if (iq_buf_reserve(&stream->texts, bytes) < 0)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < COUNT(views); i++) {
		size_t start = stream->texts.len;

		if (!views[i]->data || views[i]->data == joiner->output->options.source.data)
			continue;
		(void)iq_buf_append(&stream->texts, *views[i]);
		*views[i] = iq_view_make(stream->texts.data + start, views[i]->len);
	}
	return 0;
}

static int append_text(const struct iq_joiner *joiner, struct iq_joiner_stream *stream, struct iq_view text)
{
	size_t room = joiner->output->options.max_line - stream->body.len;

	stream->bytes += text.len;
	return iq_buf_append(&stream->body, iq_view_make(text.data, text.len < room ? text.len : room));
}

static int add_record(struct iq_joiner *joiner, struct iq_joiner_stream *stream, const struct iq_record *record)
{
	stream->end = record->event.offset + record->event.length;
	stream->last_ts = record->event.ts;
	stream->unfinished = record->unfinished;
	if (record->line_bytes > 0)
		stream->line_bytes = record->line_bytes;
	return append_text(joiner, stream, record->event.body);
}

static int begin_record(struct iq_joiner *joiner, struct iq_joiner_stream *stream, const struct iq_record *record)
{
	stream->open = true;
	stream->carried = false;
	stream->first = *record;
	stream->bytes = stream->line_bytes = 0;
	stream->lines = 1;
	stream->trace = IQ_TRACE_NONE;
	iq_buf_clear(&stream->body);
	return keep_texts(joiner, stream) < 0 ? IQ_ERR_NOMEM : add_record(joiner, stream, record);
}

/* What rules say of a line, which are about log lines only. */
static enum iq_extract_line line_by_rules(const struct iq_joiner *joiner, const struct iq_record *record,
					  struct iq_view text)
{
	struct iq_extract *extract = joiner->output->options.extract;

	return extract && record->event.kind == IQ_KIND_LOG ? iq_extract_line(extract, record->event.source, text)
							    : IQ_EXTRACT_ANY;
}

static bool has_rule(const struct iq_joiner *joiner, const struct iq_record *record)
{
	return line_by_rules(joiner, record, IQ_VIEW_NULL) != IQ_EXTRACT_ANY;
}

/* May a line go on with this record? */
static bool is_held(const struct iq_joiner *joiner, const struct iq_record *record)
{
	return joiner->joining || has_rule(joiner, record);
}

static bool is_further(const struct iq_joiner *joiner, const struct iq_joiner_stream *stream,
		       const struct iq_record *record)
{
	const enum iq_extract_line by_rules = line_by_rules(joiner, record, record->event.body);

	if (by_rules != IQ_EXTRACT_ANY)
		return by_rules == IQ_EXTRACT_GOES_ON;
	if (record->event.ts != IQ_TIME_NONE && stream->last_ts != IQ_TIME_NONE &&
	    (record->event.ts < stream->last_ts || record->event.ts - IQ_JOINER_PAUSE > stream->last_ts))
		return false;
	return (record->continues && stream->first.event.ts != IQ_TIME_NONE) ||
	       (joiner->joining && goes_on_with(joiner, stream, record->event.body));
}

/* Is there room for one more line of it? */
static bool has_room(const struct iq_joiner *joiner, const struct iq_joiner_stream *stream,
		     const struct iq_record *record)
{
	const size_t limit = joiner->output->options.max_line;

	return stream->lines < IQ_JOINER_LINES && record->event.body.len < limit &&
	       stream->bytes < limit - record->event.body.len;
}

static int go_on(struct iq_joiner *joiner, struct iq_joiner_stream *stream, const struct iq_record *record)
{
	int rc = 0;

	if (joiner->output->options.notes)
		joiner->output->options.notes->joined++;
	stream->first.event.body_length = 0; /* it stands in several places */
	if (stream->first.event.offset == NOT_BEGUN) {
		stream->first.event.offset = record->event.offset;
		stream->first.line = record->line;
		stream->first.before = record->before;
	}
	if (!stream->unfinished) {
		stream->lines++;
		rc = append_text(joiner, stream, IQ_LIT("\n"));
	}
	return rc < 0 ? rc : add_record(joiner, stream, record);
}

/* Does the record go on with what its stream has open? What it does not go on with is given out. Where a text became too long
 * that is everything, so that one who begins in the middle comes to the same. */
static int continue_or_close(struct iq_joiner *joiner, const struct iq_joiner_stream *stream,
			     const struct iq_record *record, bool *ret_goes_on, struct iq_error *error)
{
	const bool open = stream && stream->open;
	const bool further = open && !stream->unfinished && is_further(joiner, stream, record);

	*ret_goes_on = open && (stream->unfinished || (further && has_room(joiner, stream, record)));
	return open && !*ret_goes_on ? give_until(joiner, further ? UINT64_MAX : stream->end, false, error) : 0;
}

/* Into the stream, and out again if nothing can follow. */
static int keep_record(struct iq_joiner *joiner, struct iq_joiner_stream *stream, const struct iq_record *record,
		       bool goes_on, struct iq_error *error)
{
	int rc = 0;

	if (!stream)
		rc = add_stream(joiner, record->stream, &stream, error);
	if (rc == 0 && (goes_on ? go_on(joiner, stream, record) : begin_record(joiner, stream, record)) < 0)
		rc = iq_error_nomem(error);
	if (rc < 0)
		return rc;
	stream->trace = joiner->joining ? trace_after(stream->trace, record->event.body) : IQ_TRACE_NONE;
	if (joiner->joining)
		note_crash(stream, record->event.body);
	return stream->unfinished || is_held(joiner, record) ? 0 : give_stream(joiner, stream, error);
}

/* Of a text that was put together, or read from a document, only the event's limit has to be kept. */
static int give_alone(struct iq_joiner *joiner, struct iq_record *record, struct iq_error *error)
{
	const uint64_t bytes = record->event.body.len;

	if (bytes > joiner->output->options.max_line)
		record->event.body.len = joiner->output->options.max_line;
	return give(joiner, record, false, false, bytes, record->line_bytes, error);
}

static struct iq_joiner_stream *find_unfinished(const struct iq_joiner *joiner, int64_t ts)
{
	for (size_t i = 0; i < joiner->count; i++)
		if (joiner->streams[i].open && joiner->streams[i].unfinished && joiner->streams[i].first.event.ts == ts)
			return &joiner->streams[i];
	return NULL;
}

int iq_joiner_take(struct iq_joiner *joiner, struct iq_record *record, struct iq_error *error)
{
	struct iq_joiner_stream *stream = record->by_time ? find_unfinished(joiner, record->event.ts) : NULL;
	bool goes_on;
	int rc;

	if (!stream)
		stream = find_stream(joiner, record->stream);
	if (record->event.offset + record->event.length > joiner->end)
		joiner->end = record->event.offset + record->event.length;
	rc = continue_or_close(joiner, stream, record, &goes_on, error);

	if (record->line_bytes > 0) {
		note_cut_line(joiner, record);
		record->unfinished = false;
	}
	if (rc == 0 && !goes_on && !record->unfinished && !is_held(joiner, record))
		return give_alone(joiner, record, error);
	return rc == 0 ? keep_record(joiner, stream, record, goes_on, error) : rc;
}

int iq_joiner_settle(struct iq_joiner *joiner, struct iq_error *error)
{
	struct iq_joiner_stream *stream;
	int rc = 0;

	while (rc == 0 && (stream = first_ended(joiner, UINT64_MAX, false)) && stream->lines == 1 &&
	       stream->trace == IQ_TRACE_NONE && !has_rule(joiner, &stream->first))
		rc = give_stream(joiner, stream, error);
	return rc;
}

int iq_joiner_flush(struct iq_joiner *joiner, struct iq_error *error)
{
	return give_until(joiner, UINT64_MAX, false, error);
}

struct iq_restart iq_joiner_place(const struct iq_joiner *joiner, struct iq_restart place)
{
	for (size_t i = 0; i < joiner->count; i++) {
		const struct iq_record *first = &joiner->streams[i].first;

		if (joiner->streams[i].open && first->event.offset < place.offset)
			place = (struct iq_restart){ first->event.offset, first->before };
	}
	return place;
}

/* The pieces of an unfinished text are those of an event of the next turn. */
static int give_pieces(const struct iq_joiner *joiner, const struct iq_joiner_stream *stream, struct iq_error *error)
{
	const struct iq_event *first = &stream->first.event;
	struct iq_gap gap = IQ_GAP_INIT;

	if (first->offset == NOT_BEGUN)
		return 0;
	gap.source = first->source;
	gap.offset = first->offset;
	gap.bytes = stream->end - first->offset;
	gap.count = 0;
	gap.reason = IQ_LIT("the beginning of a text that goes on in the next turn of the log, where its event is");
	return joiner->output->sink->gap(joiner->output->sink->context, &gap, error);
}

static int carry_stream(struct iq_joiner *joiner, struct iq_joiner_stream *stream, struct iq_error *error)
{
	struct iq_event *first = &stream->first.event;
	int rc = stream->open ? give_pieces(joiner, stream, error) : 0;

	if (first->source.data == joiner->output->options.source.data)
		first->source = IQ_VIEW_NULL;
	first->offset = NOT_BEGUN;
	stream->end = 0;
	stream->carried = true;
	return rc;
}

/* Leaves what is unfinished to the next turn. */
static int carry_on(struct iq_joiner *joiner, struct iq_error *error)
{
	const struct iq_parser_options *options = &joiner->output->options;
	int rc = 0;

	if (joiner->from.len == 0 && iq_buf_append(&joiner->from, options->path) < 0)
		rc = iq_error_nomem(error);
	for (size_t i = 0; i < joiner->count && rc == 0; i++)
		rc = carry_stream(joiner, &joiner->streams[i], error);
	if (rc < 0)
		return rc;
	iq_carry_release(options->carry);
	*options->carry = (struct iq_carry){ joiner->streams, joiner->count, joiner->from };
	joiner->streams = NULL;
	joiner->count = 0;
	joiner->from = (struct iq_buf)IQ_BUF_INIT;
	return 0;
}

int iq_joiner_end(struct iq_joiner *joiner, struct iq_error *error)
{
	const struct iq_parser_options *options = &joiner->output->options;
	const bool carries = options->carry && options->goes_on;
	int rc = give_until(joiner, UINT64_MAX, !carries, error);

	return rc == 0 && carries ? carry_on(joiner, error) : rc;
}
