/* What the scripts of `inquest collect` say beside the evidence: the host and its clock, versions, settings, what could not be had, the
 * manifest. Each file is one event, at the time when it was collected, whose body is its text. */
#include <stdio.h>
#include <stdlib.h>

#include "ingest/bundle.h"
#include "ingest/formats.h"
#include "ingest/record.h"

/* Things that could not be had, of which each is a gap. */
#define MAX_ERRORS 100

struct iq_parser {
	struct iq_output output;
	struct iq_buf text; /* at most max_line bytes */
	uint64_t bytes;
};

static struct iq_parser *open_parser(const struct iq_format *format, const struct iq_parser_options *options,
				     const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (parser)
		parser->output = (struct iq_output){ .options = *options, .sink = sink };
	return parser;
}

static int feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	const size_t room = parser->output.options.max_line - parser->text.len;

	parser->bytes += bytes.len;
	return iq_buf_append(&parser->text, iq_view_make(bytes.data, bytes.len < room ? bytes.len : room)) < 0
		       ? iq_error_nomem(error)
		       : 0;
}

/* All of it belongs together. */
static struct iq_restart restart(const struct iq_parser *parser)
{
	(void)parser;
	return (struct iq_restart){ 0, 0 };
}

/* ---- The event ---- */

/* `NAME VALUE`, a line each. */
static void describe_host(struct iq_view text, struct iq_buf *attrs)
{
	while (text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		const struct iq_view line = iq_view_make(text.data, end ? (size_t)(end - text.data) : text.len);
		const char *space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;

		if (space)
			iq_attrs_text(attrs, iq_view_make(line.data, (size_t)(space - line.data)),
				      iq_view_make(space + 1, (size_t)(line.data + line.len - space) - 1));
		text = iq_view_from(text, line.len + (end != NULL));
	}
}

/* Of docker, kubectl and gcloud. */
static void describe_version(struct iq_view text, struct iq_buf *attrs)
{
	static const struct {
		const char *pointer;
		struct iq_view name;
	} versions[] = {
		{ "/Server/Version", { "server", 6 } },
		{ "/Client/Version", { "client", 6 } },
		{ "/ServerVersion", { "server", 6 } },
		{ "/serverVersion/gitVersion", { "server", 6 } },
		{ "/clientVersion/gitVersion", { "client", 6 } },
		{ "/Google Cloud SDK", { "client", 6 } },
		{ "/LoggingDriver", { "log_driver", 10 } },
		{ "/OperatingSystem", { "system", 6 } },
		{ "/KernelVersion", { "kernel", 6 } },
	};
	struct iq_buf scratch = IQ_BUF_INIT;

	if (text.len == 0 || text.data[0] != '{')
		return;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct iq_json_value value = iq_json_pointer(text, iq_view_cstr(versions[i].pointer), &scratch);

		if (value.type == IQ_JSON_STRING)
			iq_attrs_text(attrs, versions[i].name, value.text);
	}
	iq_buf_release(&scratch);
}

/* What could not be had is missing here. */
static int give_errors(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_view text = iq_buf_view(&parser->text);
	int rc = 0;

	for (int i = 0; i < MAX_ERRORS && text.len > 0 && rc == 0; i++) {
		const char *end = memchr(text.data, '\n', text.len);
		const struct iq_view line = iq_view_make(text.data, end ? (size_t)(end - text.data) : text.len);
		struct iq_buf reason = IQ_BUF_INIT;
		struct iq_gap gap = IQ_GAP_INIT;

		(void)iq_buf_append_cstr(&reason, "not collected: ");
		(void)iq_utf8_append_repaired(&reason, iq_view_trim(line));
		gap.offset = (uint64_t)(line.data - parser->text.data);
		gap.reason = iq_buf_view(&reason);
		if (iq_view_trim(line).len > 0)
			rc = parser->output.sink->gap(parser->output.sink->context, &gap, error);
		iq_buf_release(&reason);
		text = iq_view_from(text, line.len + (end != NULL));
	}
	return rc;
}

static bool is_called(const struct iq_parser *parser, struct iq_view name)
{
	const struct iq_view path = parser->output.options.path;

	return iq_view_ends_with(path, name) && (path.len == name.len || path.data[path.len - name.len - 1] == '/');
}

/* `collect.host`, `collect.version` */
static struct iq_view type_of(const struct iq_parser *parser, struct iq_buf *type)
{
	struct iq_view path = parser->output.options.path, name = iq_view_take_last(&path, '/');
	const char *dot = name.len > 0 ? memrchr(name.data, '.', name.len) : NULL;

	if (dot)
		name.len = (size_t)(dot - name.data);
	(void)iq_buf_append_cstr(type, "collect.");
	(void)iq_buf_append(type, name);
	return iq_buf_view(type);
}

static int end(struct iq_parser *parser, struct iq_error *error)
{
	const bool is_host = is_called(parser, IQ_LIT(IQ_BUNDLE_HOST)),
		   has_errors = is_called(parser, IQ_LIT("errors.txt"));
	struct iq_buf attrs = IQ_BUF_INIT, type = IQ_BUF_INIT;
	struct iq_event event = IQ_EVENT_INIT;
	int rc;

	(void)iq_buf_append(&attrs, parser->output.options.attrs);
	if (is_host)
		describe_host(iq_buf_view(&parser->text), &attrs);
	else
		describe_version(iq_buf_view(&parser->text), &attrs);
	if (parser->bytes > parser->text.len)
		iq_attrs_number(&attrs, IQ_LIT("body_bytes"), parser->bytes);
	event.kind = is_host ? IQ_KIND_CLOCK : IQ_KIND_LOG;
	event.ts = parser->output.options.collected ? parser->output.options.collected : IQ_TIME_NONE;
	event.source = parser->output.options.source;
	event.type = type_of(parser, &type);
	event.severity = has_errors ? IQ_SEVERITY_WARNING : IQ_SEVERITY_INFO;
	event.length = parser->bytes;
	event.body = iq_body_trim(iq_view_trim(iq_buf_view(&parser->text)));
	event.attrs = iq_attrs_end(&attrs);
	rc = attrs.failed || type.failed ? iq_error_nomem(error) : iq_output_event(&parser->output, &event, error);
	if (rc == 0 && has_errors)
		rc = give_errors(parser, error);
	iq_buf_release(&attrs);
	iq_buf_release(&type);
	return rc;
}

static void close_parser(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_buf_release(&parser->text);
	free(parser);
}

/* Any text may be one: their place in a bundle tells. */
static int probe(struct iq_view head)
{
	return iq_view_starts_with(head, IQ_LIT("collected docker\nbegan ")) ||
			       iq_view_starts_with(head, IQ_LIT("collected kubectl\nbegan ")) ||
			       iq_view_starts_with(head, IQ_LIT("collected gcloud\nbegan "))
		       ? 95
		       : 0;
}

const struct iq_format iq_format_collected = {
	.name = "collected",
	.summary = "what inquest collect says of the host and of what it collected",
	.probe = probe,
	.open = open_parser,
	.feed = feed,
	.restart = restart,
	.end = end,
	.close = close_parser,
};
