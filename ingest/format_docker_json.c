/* Docker json-file logs (moby: daemon/logger/jsonfilelog/jsonlog): one object a line,
 *	{"log":"text\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-23T03:07:12.418Z"}
 * A log line longer than 16 KiB is split into parts; all but the last have a `log` without its line end, and all of
 *them carry the time of the first. Parts of stdout and stderr may be mixed. */
#include <string.h>

#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/members.h"

/* stdout, stderr, and whatever else a writer may put there. */
#define STREAMS 3

static const struct iq_view stream_names[STREAMS] = { { "stdout", 6 }, { "stderr", 6 }, { NULL, 0 } };

static const struct iq_view stream_attrs[STREAMS] = { { "\"stream\":\"stdout\"", 17 },
						      { "\"stream\":\"stderr\"", 17 },
						      { NULL, 0 } };

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

	*part = (struct part){ .ts = IQ_TIME_NONE, .stream = STREAMS - 1 };
	if (!iq_members_open(&members, text, cut))
		return members.json.error ? "not JSON" : "not a JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0)
		read_member(part, &member, scratch);
	if (rc < 0)
		return "not JSON";
	return part->has_log ? NULL : "no \"log\" field: not a json-file record";
}

/* Raw control characters inside a string are read as if they were escaped. */
static const char *read_line(struct part *part, const struct iq_line_reading *reading)
{
	const char *why = read_part(part, reading->text, reading->cut, reading->scratch);

	if (!why || reading->text.data[0] != '{' || iq_buf_reserve(reading->scratch, 16 * reading->text.len) < 0)
		return why;
	return read_part(part, iq_line_escape_controls(reading->text, reading->scratch), reading->cut,
			 reading->scratch);
}

/* Where the text stands in the line, without the line end that it mostly has. */
static void note_place(const struct iq_line_reading *reading, const struct part *part, bool terminated,
		       struct iq_event *event)
{
	struct iq_view string = part->escaped;

	if (terminated && iq_view_ends_with(string, IQ_LIT("\\n")))
		string.len -= strlen("\\n");
	if (string.data)
		iq_line_place(reading->line, string, &event->body_offset, &event->body_length);
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct part part;
	const char *why = read_line(&part, reading);
	const bool terminated = !why && iq_view_ends_with(part.log, IQ_LIT("\n"));

	if (why)
		return why;
	record->stream = stream_names[part.stream];
	record->unfinished = !terminated;
	record->event.ts = part.ts;
	record->event.body = iq_view_make(part.log.data, part.log.len - terminated);
	note_place(reading, &part, terminated, &record->event);
	if (record->stream.data)
		iq_attrs_literal(reading->attrs, stream_attrs[part.stream]);
	if (part.attrs.data)
		iq_attrs_raw(reading->attrs, IQ_LIT("attrs"), part.attrs);
	return NULL;
}

/* ---- The format ---- */

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

static const struct iq_line_rules rules = { .parse = parse, .whole = iq_line_is_object, .joining = IQ_JOIN_TRACES };

const struct iq_format iq_format_docker_json = {
	.name = "docker-json",
	.summary = "Docker json-file container logs",
	.probe = docker_json_probe,
	IQ_LINE_PARSER(&rules),
};
