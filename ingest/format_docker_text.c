/* What `docker logs -t` and `kubectl logs --timestamps` print: the time with nine digits of fraction, a space, the text.
 * With `kubectl logs --prefix` each line begins with its pod and container: [pod/NAME/CONTAINER] */
#include "ingest/engine_times.h"
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/texts.h"
#include "ingest/words.h"

static void set_body(struct iq_record *record, struct iq_view text)
{
	record->event.body = text.len > 0 ? text : IQ_LIT("");
}

/* ---- docker logs -t ---- */

static const char *parse_docker(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = reading->text;

	record->continues = !iq_take_engine_time(&text, &record->event.ts);
	record->by_time = !record->continues;
	record->unfinished = reading->piece;
	/* Two streams may have something unfinished. */
	if (reading->piece)
		record->stream = iq_view_make(reading->text.data, (size_t)(text.data - reading->text.data));
	text = iq_drop_engine_times(text, record->event.ts, reading->scratch);
	set_body(record, iq_text_plain(text, reading->scratch));
	return NULL;
}

static const struct iq_line_rules docker_rules = {
	.parse = parse_docker, .split = iq_engine_piece, .joining = IQ_JOIN_TRACES, .keeps_indent = true
};

static bool has_time(struct iq_view text, bool cut)
{
	int64_t ts;

	(void)cut;
	return iq_take_engine_time(&text, &ts);
}

static int probe_docker(struct iq_view head)
{
	return iq_line_share(head, has_time) * 80 / 100;
}

const struct iq_format iq_format_docker_text = {
	.name = "docker-text",
	.summary = "what docker logs -t and kubectl logs --timestamps print",
	.probe = probe_docker,
	IQ_LINE_PARSER(&docker_rules),
};

/* ---- kubectl logs --prefix ---- */

/* `[pod/chat-7d9f/backend] ` with the name `chat-7d9f/backend`. */
static bool take_prefix(struct iq_view *text, struct iq_view *ret_name)
{
	struct iq_view rest = *text;

	if (!iq_take(&rest, IQ_LIT("[pod/")) || !iq_take_until(&rest, ']', ret_name) ||
	    iq_view_find(*ret_name, IQ_LIT("/")) == SIZE_MAX || iq_view_find(*ret_name, IQ_LIT(" ")) != SIZE_MAX)
		return false;
	(void)iq_take(&rest, IQ_LIT(" "));
	*text = rest;
	return true;
}

static const char *parse_kubectl(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = iq_text_plain(reading->text, reading->scratch), name, pod;

	if (!take_prefix(&text, &name))
		return "no [pod/NAME/CONTAINER] in front: not from kubectl logs --prefix";
	record->event.source = record->stream = name;
	(void)iq_take_until(&name, '/', &pod);
	iq_attrs_text(reading->attrs, IQ_LIT("pod"), pod);
	iq_attrs_text(reading->attrs, IQ_LIT("container"), name);
	set_body(record, iq_take_times(text, reading, record));
	return NULL;
}

static const struct iq_line_rules kubectl_rules = {
	.parse = parse_kubectl, .joining = IQ_JOIN_TRACES, .keeps_indent = true, .any_source = true
};

static bool has_prefix(struct iq_view text, bool cut)
{
	struct iq_view name;

	(void)cut;
	return take_prefix(&text, &name);
}

static int probe_kubectl(struct iq_view head)
{
	return iq_line_share(head, has_prefix) * 95 / 100;
}

const struct iq_format iq_format_kubectl_text = {
	.name = "kubectl-text",
	.summary = "what kubectl logs --prefix prints, with --timestamps or without",
	.probe = probe_kubectl,
	IQ_LINE_PARSER(&kubectl_rules),
};
