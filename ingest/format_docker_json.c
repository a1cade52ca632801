/* Docker json-file logs (moby: daemon/logger/jsonfilelog/jsonlog): one object a line,
 *	{"log":"text\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-23T03:07:12.418Z"}
 * A log line longer than 16 KiB is split into parts; all but the last have a `log` without its line end, and all of
 *them carry the time of the first. Parts of stdout and stderr may be mixed. */
#include <stdlib.h>
#include <string.h>

#include "ingest/formats.h"
#include "ingest/lines.h"
#include "ingest/members.h"
#include "ingest/record.h"

/* stdout, stderr, and whatever else a writer may put there. */
#define STREAMS 3

static const struct iq_view stream_names[STREAMS] = { { "stdout", 6 }, { "stderr", 6 }, { NULL, 0 } };

/* A log line of one stream, as far as it has come. */
struct pending {
	bool active;
	struct iq_buf text;  /* at most max_line bytes */
	struct iq_buf attrs; /* the record's own attrs, as JSON */
	uint64_t bytes;	     /* of the text, before it was cut */
	uint64_t offset;     /* of the first part */
	uint64_t end;	     /* of the last part */
	uint64_t before;     /* line ends before that */
	uint64_t line;
	uint64_t line_bytes; /* of a line of the file that was cut itself, else 0 */
	int64_t ts;
	uint64_t body_offset; /* where the text stands in the file, if it came in one part */
	uint64_t body_length; /* else 0 */
};

struct iq_parser {
	struct iq_output output;
	struct iq_lines lines;
	struct iq_bad_lines bad;
	struct pending streams[STREAMS];
	struct iq_buf scratch;
	struct iq_buf attrs;
};

/* One record of the file. */
struct part {
	struct iq_view log;
	struct iq_view escaped; /* the same as it stands in the line; NULL where the line ends in it */
	struct iq_view attrs;
	int64_t ts;
	size_t stream;
	bool has_log;
	bool has_time;
	bool has_stream;
	bool cut; /* the file's line was longer than the limit */
};

/* ---- A line of the file ---- */

static size_t stream_index(struct iq_view name)
{
	size_t i = 0;

	while (i < STREAMS - 1 && !iq_view_eq(stream_names[i], name))
		i++;
	return i;
}

static void read_member(struct part *part, const struct iq_member *member, struct iq_buf *scratch)
{
	bool is_text = member->value.type == IQ_JSON_STRING;

	if (is_text && iq_view_eq(member->name, IQ_LIT("log"))) {
		part->log = iq_json_text(&member->value, scratch);
		part->escaped = member->cut ? IQ_VIEW_NULL : member->value.raw;
		part->has_log = true;
	} else if (is_text && iq_view_eq(member->name, IQ_LIT("stream"))) {
		part->stream = stream_index(member->value.raw);
		part->has_stream = true;
	} else if (iq_view_eq(member->name, IQ_LIT("time"))) {
		part->has_time = iq_member_time(member, scratch, &part->ts);
	} else if (member->value.type == IQ_JSON_OBJECT_BEGIN && !member->cut &&
		   iq_view_eq(member->name, IQ_LIT("attrs"))) {
		part->attrs = member->raw;
	}
}

/* NULL, or what is wrong with the line. */
static const char *read_part(struct part *part, struct iq_view text, bool cut, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;
	int rc;

	*part = (struct part){ .ts = IQ_TIME_NONE, .stream = STREAMS - 1, .cut = cut };
	if (!iq_members_open(&members, text, cut))
		return members.json.error ? "not JSON" : "not a JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0)
		read_member(part, &member, scratch);
	if (rc < 0)
		return "not JSON";
	return part->has_log ? NULL : "no \"log\" field: not a json-file record";
}

/* Raw control characters inside a string are read as if they were escaped. */
static const char *read_line(struct part *part, const struct iq_line *line, struct iq_buf *scratch)
{
	const bool cut = line->bytes > line->text.len;
	struct iq_view text = iq_line_text(line);
	const char *why = read_part(part, text, cut, scratch);

	if (why && text.len > 0 && text.data[0] == '{') {
		if (iq_buf_reserve(scratch, 16 * text.len) < 0)
			return why;
		why = read_part(part, iq_line_escape_controls(text, scratch), cut, scratch);
	}
	return why ? iq_line_damage(line, text, why) : NULL;
}

/* ---- Parts into log lines ---- */

static int begin_pending(struct pending *pending, const struct part *part, const struct iq_line *line)
{
	iq_buf_clear(&pending->text);
	iq_buf_clear(&pending->attrs);
	pending->active = true;
	pending->bytes = pending->line_bytes = pending->body_length = 0;
	pending->offset = line->offset;
	pending->before = line->before;
	pending->line = line->number;
	pending->ts = part->ts;
	return part->attrs.data ? iq_buf_append(&pending->attrs, part->attrs) : 0;
}

static int append_part(struct pending *pending, struct iq_view text, const struct iq_line *line, size_t limit)
{
	size_t room = limit - pending->text.len;

	pending->bytes += text.len;
	pending->end = line->offset + line->length;
	return iq_buf_append(&pending->text, iq_view_make(text.data, text.len < room ? text.len : room));
}

static void describe_attrs(struct iq_parser *parser, size_t stream, const struct pending *pending, bool partial)
{
	struct iq_buf *attrs = &parser->attrs;

	iq_buf_clear(attrs);
	if (stream_names[stream].data)
		iq_attrs_text(attrs, IQ_LIT("stream"), stream_names[stream]);
	if (pending->attrs.len > 0)
		iq_attrs_raw(attrs, IQ_LIT("attrs"), iq_buf_view(&pending->attrs));
	if (partial)
		iq_attrs_raw(attrs, IQ_LIT("partial"), IQ_LIT("true"));
	if (pending->line_bytes > 0)
		iq_attrs_number(attrs, IQ_LIT("line_bytes"), pending->line_bytes);
	if (pending->bytes <= pending->text.len)
		return;
	iq_attrs_number(attrs, IQ_LIT("body_bytes"), pending->bytes);
	iq_output_problem(&parser->output, "line %llu cut at %zu of %llu bytes; the store keeps it whole",
			  (unsigned long long)pending->line, pending->text.len, (unsigned long long)pending->bytes);
}

static int give_pending(struct iq_parser *parser, size_t stream, bool partial, struct iq_error *error)
{
	struct pending *pending = &parser->streams[stream];
	struct iq_event event = IQ_EVENT_INIT;

	if (!pending->active)
		return 0;
	pending->active = false;
	describe_attrs(parser, stream, pending, partial);
	iq_buf_clear(&parser->scratch);
	(void)iq_buf_reserve(&parser->scratch, pending->text.len);
	event.ts = pending->ts;
	event.source = parser->output.options.source;
	event.body = pending->text.len > 0 ? iq_buf_view(&pending->text) : IQ_LIT("");
	if (pending->bytes > pending->text.len || pending->line_bytes > 0)
		event.body = iq_body_trim(event.body);
	event.attrs = iq_attrs_end(&parser->attrs);
	event.body_offset = pending->body_offset;
	event.body_length = event.body.len == pending->bytes ? pending->body_length : 0;
	event.offset = pending->offset;
	event.length = pending->end - pending->offset;
	if (parser->scratch.failed || parser->attrs.failed)
		return iq_error_nomem(error);
	iq_event_describe(&event, &parser->scratch);
	return iq_output_event(&parser->output, &event, error);
}

static void note_cut(const struct iq_parser *parser, struct pending *pending, const struct iq_line *line)
{
	pending->line_bytes = line->bytes;
	iq_output_problem(&parser->output, "line %llu cut at %zu of %llu bytes; the store keeps it whole",
			  (unsigned long long)line->number, line->text.len, (unsigned long long)line->bytes);
}

/* The text of the first part, without the line end that it mostly has. */
static void note_place(struct pending *pending, const struct part *part, const struct iq_line *line, bool terminated)
{
	struct iq_view string = part->escaped;

	if (terminated && iq_view_ends_with(string, IQ_LIT("\\n")))
		string.len -= strlen("\\n");
	if (string.data)
		iq_line_place(line, string, &pending->body_offset, &pending->body_length);
}

static int take_part(struct iq_parser *parser, const struct part *part, const struct iq_line *line,
		     struct iq_error *error)
{
	struct pending *pending = &parser->streams[part->stream];
	bool terminated = iq_view_ends_with(part->log, IQ_LIT("\n"));
	struct iq_view text = iq_view_make(part->log.data, part->log.len - terminated);
	int rc = 0;

	if (pending->active) {
		pending->body_length = 0;
	} else {
		rc = begin_pending(pending, part, line);
		note_place(pending, part, line, terminated);
	}
	if (rc == 0)
		rc = append_part(pending, text, line, parser->output.options.max_line);
	if (rc < 0)
		return iq_error_nomem(error);
	if (part->cut)
		note_cut(parser, pending, line);
	return terminated || part->cut ? give_pending(parser, part->stream, false, error) : 0;
}

static int take_blank(struct iq_parser *parser, const struct iq_line *line, struct iq_error *error)
{
	int rc = iq_bad_lines_flush(&parser->bad, &parser->output, error);

	return rc < 0 ? rc : iq_output_blank(&parser->output, line, error);
}

static int take_line(void *context, const struct iq_line *line, struct iq_error *error)
{
	struct iq_parser *parser = context;
	struct part part;
	const char *why;
	int rc;

	if (line->text.len == 0)
		return take_blank(parser, line, error);
	iq_buf_clear(&parser->scratch);
	if (iq_buf_reserve(&parser->scratch, 2 * line->text.len) < 0)
		return iq_error_nomem(error);
	why = read_line(&part, line, &parser->scratch);
	if (parser->scratch.failed)
		return iq_error_nomem(error);
	if (why) {
		iq_bad_lines_add(&parser->bad, line, why);
		return 0;
	}
	rc = iq_bad_lines_flush(&parser->bad, &parser->output, error);
	return rc < 0 ? rc : take_part(parser, &part, line, error);
}

/* ---- The format ---- */

static int docker_json_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	return iq_lines_feed(&parser->lines, bytes, error);
}

static int docker_json_settle(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_settle(&parser->lines, iq_line_is_object, error);

	return rc == 0 && parser->lines.line.length == 0 ? iq_bad_lines_flush(&parser->bad, &parser->output, error)
							 : rc;
}

/* A log line that has begun is taken up at its first part. */
static struct iq_restart docker_json_restart(const struct iq_parser *parser)
{
	struct iq_restart place = iq_bad_lines_place(&parser->bad, &parser->lines);

	for (size_t i = 0; i < STREAMS; i++)
		if (parser->streams[i].active && parser->streams[i].offset < place.offset)
			place = (struct iq_restart){ parser->streams[i].offset, parser->streams[i].before };
	return place;
}

static int docker_json_end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = iq_lines_end(&parser->lines, error);

	if (rc == 0)
		rc = iq_bad_lines_flush(&parser->bad, &parser->output, error);
	for (size_t i = 0; i < STREAMS && rc == 0; i++)
		rc = give_pending(parser, i, true, error);
	return rc;
}

static void docker_json_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	for (size_t i = 0; i < STREAMS; i++) {
		iq_buf_release(&parser->streams[i].text);
		iq_buf_release(&parser->streams[i].attrs);
	}
	iq_lines_release(&parser->lines);
	iq_buf_release(&parser->scratch);
	iq_buf_release(&parser->attrs);
	free(parser);
}

static struct iq_parser *docker_json_open(const struct iq_parser_options *options, const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink, .gap_source = options->source };
	iq_lines_init(&parser->lines, options->max_line, take_line, parser);
	iq_lines_begin_at(&parser->lines, &options->from);
	return parser;
}

static int probe_line(struct iq_view text, bool cut)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct part part;
	int score = 0;

	if (!read_part(&part, text, cut, &scratch))
		score = part.has_stream && part.has_time ? 95 : part.has_stream || part.has_time || cut ? 70 : 0;
	iq_buf_release(&scratch);
	return score;
}

static int docker_json_probe(struct iq_view head)
{
	return iq_line_probe(head, probe_line);
}

const struct iq_format iq_format_docker_json = {
	.name = "docker-json",
	.summary = "Docker json-file container logs",
	.probe = docker_json_probe,
	.open = docker_json_open,
	.feed = docker_json_feed,
	.settle = docker_json_settle,
	.restart = docker_json_restart,
	.end = docker_json_end,
	.close = docker_json_close,
};
