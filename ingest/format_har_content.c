/* The text of a request or a response beside the HAR that names it, in a file called after its SHA-1 (Playwright, `content: 'attach'`).
 * Whatever it is, it is one event; `file` in the attrs of the HAR's events leads to it. Only its name tells it. */
#include <inttypes.h>
#include <stdlib.h>

#include "ingest/formats.h"
#include "ingest/record.h"

struct iq_parser {
	struct iq_output output;
	struct iq_buf body; /* at most max_line bytes */
	uint64_t position;
	bool ended;
};

static struct iq_parser *content_open(const struct iq_format *format, const struct iq_parser_options *options,
				      const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink, .gap_source = options->source };
	parser->position = options->from.offset;
	return parser;
}

static int content_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	const size_t room = parser->output.options.max_line - parser->body.len;

	parser->position += bytes.len;
	if (iq_buf_append(&parser->body, iq_view_make(bytes.data, bytes.len < room ? bytes.len : room)) < 0)
		return iq_error_nomem(error);
	return 0;
}

static struct iq_restart content_restart(const struct iq_parser *parser)
{
	return (struct iq_restart){ parser->ended ? parser->position : parser->output.options.from.offset, 0 };
}

static int give(struct iq_parser *parser, struct iq_buf *attrs, struct iq_error *error)
{
	struct iq_event event = IQ_EVENT_INIT;
	const uint64_t from = parser->output.options.from.offset;
	struct iq_view path = parser->output.options.path;

	event.source = parser->output.options.source;
	event.type = IQ_LIT("har.content");
	event.key = iq_view_take_last(&path, '/');
	event.offset = from;
	event.length = parser->position - from;
	event.body = iq_buf_view(&parser->body);
	(void)iq_buf_append(attrs, parser->output.options.attrs);
	if (event.length > event.body.len) {
		event.body = iq_body_trim(event.body);
		iq_attrs_number(attrs, IQ_LIT("body_bytes"), event.length);
		iq_output_problem(&parser->output, "body cut at %zu of %" PRIu64 " bytes; the store keeps it whole",
				  event.body.len, event.length);
	}
	event.attrs = iq_attrs_end(attrs);
	return attrs->failed ? iq_error_nomem(error) : iq_output_event(&parser->output, &event, error);
}

static int content_end(struct iq_parser *parser, struct iq_error *error)
{
	struct iq_buf attrs = IQ_BUF_INIT;
	int rc = 0;

	if (!parser->ended && parser->position > parser->output.options.from.offset)
		rc = give(parser, &attrs, error);
	parser->ended = true;
	iq_buf_release(&attrs);
	return rc;
}

static void content_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_buf_release(&parser->body);
	free(parser);
}

const struct iq_format iq_format_har_content = {
	.name = "har-content",
	.summary = "the text of a request or response beside a HAR (Playwright, content: 'attach')",
	.open = content_open,
	.feed = content_feed,
	.restart = content_restart,
	.end = content_end,
	.close = content_close,
};
