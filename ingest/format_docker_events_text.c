/* What `docker events` prints (docker/cli: cli/command/system/events.go):
 *	2026-11-24T03:27:59.123456789Z container die 4f3a9c... (execDuration=5, exitCode=137, image=api:1, name=api)
 * Those of containers become what ingest/docker_event.h says, as their JSON does; others are lines of a log. */
#include "ingest/docker_event.h"
#include "ingest/engine_times.h"
#include "ingest/formats.h"
#include "ingest/words.h"

#define MIN_ID 12
#define ID 64

struct line {
	int64_t ts;
	struct iq_view type;
	struct iq_view action;
	struct iq_view id;
	struct iq_view attributes; /* `name=value, name=value` */
};

static bool is_hex(struct iq_view word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!((word.data[i] >= '0' && word.data[i] <= '9') || (word.data[i] >= 'a' && word.data[i] <= 'f')))
			return false;
	return word.len >= MIN_ID && word.len <= ID;
}

/* The action may have words of its own: `exec_create: sh -c id`. What follows it is the id, and brackets. */
static bool take_action(struct iq_view text, struct line *line)
{
	size_t open = 0, found;

	while ((found = iq_view_find(iq_view_from(text, open), IQ_LIT(" ("))) != SIZE_MAX) {
		struct iq_view before = iq_view_make(text.data, open + found);

		line->action = before;
		line->id = iq_view_take_last(&line->action, ' ');
		if (line->action.len < before.len && is_hex(line->id)) {
			line->attributes = iq_view_from(text, open + found + 2);
			line->attributes.len--;
			return true;
		}
		open += found + 2;
	}
	return false;
}

static bool read_line(struct iq_view text, struct line *line)
{
	return iq_take_engine_time(&text, &line->ts) && iq_take_until(&text, ' ', &line->type) &&
	       iq_view_ends_with(text, IQ_LIT(")")) && take_action(text, line) && line->action.len > 0;
}

/* The values may have commas in them, but no other name. */
static struct iq_view attribute(struct iq_view attributes, const char *name)
{
	const struct iq_view wanted = iq_view_cstr(name);

	while (attributes.len > 0) {
		const size_t comma = iq_view_find(attributes, IQ_LIT(", "));
		const struct iq_view one =
			iq_view_make(attributes.data, comma < attributes.len ? comma : attributes.len);

		if (iq_view_starts_with(one, wanted))
			return iq_view_from(one, wanted.len);
		attributes = iq_view_from(attributes, one.len + 2);
	}
	return IQ_VIEW_NULL;
}

static struct iq_docker_action action_of(const struct line *line)
{
	const struct iq_view attributes = line->attributes;
	const size_t colon = iq_view_find(line->action, IQ_LIT(": "));
	struct iq_docker_action action = { .ts = line->ts, .action = line->action, .restarts = IQ_NUMBER_NONE };

	action.of = (struct iq_docker_names){ .id = line->id,
					      .name = attribute(attributes, "name="),
					      .image = attribute(attributes, "image="),
					      .project = attribute(attributes, "com.docker.compose.project="),
					      .service = attribute(attributes, "com.docker.compose.service="),
					      .number = attribute(attributes, "com.docker.compose.container-number=") };
	if (!iq_view_to_int64(attribute(attributes, "exitCode="), &action.exit_code))
		action.exit_code = IQ_NUMBER_NONE;
	action.signal = attribute(attributes, "signal=");
	action.old_name = attribute(attributes, "oldName=");
	if (colon != SIZE_MAX) {
		action.detail = iq_view_from(line->action, colon + 2);
		action.action.len = colon;
	}
	return action;
}

/* What is there already is a hole in which nothing is missing. */
static bool is_told(const struct iq_line_reading *reading, const struct iq_docker_action *action,
		    struct iq_record *record)
{
	const struct iq_parser_options *options = reading->options;

	if (!options->told || !options->told(options->context, action))
		return false;
	if (options->notes)
		options->notes->duplicates++;
	record->gap.reason = IQ_LIT("what it tells is there already");
	record->gap.count = 0;
	return true;
}

/* The scratch has room for the body, and the source behind it. */
static void set_event(const struct iq_line_reading *reading, const struct iq_docker_action *action,
		      struct iq_record *record)
{
	const struct iq_event line = record->event;
	size_t source;

	if (iq_docker_action_event(action, reading->scratch, reading->attrs, &record->event) < 0)
		return;
	record->event.offset = line.offset;
	record->event.length = line.length;
	source = reading->scratch->len;
	iq_docker_names_source(&action->of, reading->scratch);
	record->event.source = iq_view_from(iq_buf_view(reading->scratch), source);
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_docker_action action;
	struct line line;

	if (!read_line(reading->text, &line))
		return "no event of a Docker Engine";
	action = action_of(&line);
	if (!iq_view_eq(line.type, IQ_LIT("container"))) {
		record->event.ts = line.ts;
		record->event.type = line.action;
		record->event.body = reading->text;
	} else if (!is_told(reading, &action, record)) {
		set_event(reading, &action, record);
	}
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse, .any_source = true };

static bool reads(struct iq_view text, bool cut)
{
	struct line line;

	return !cut && read_line(text, &line);
}

static int probe(struct iq_view head)
{
	return iq_line_share(head, reads) * 95 / 100;
}

const struct iq_format iq_format_docker_events_text = {
	.name = "docker-events-text",
	.summary = "what docker events prints",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
