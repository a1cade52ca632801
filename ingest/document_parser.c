#include "ingest/document_parser.h"

#include <inttypes.h>
#include <stdlib.h>

/* So many elements are looked at to tell a format. */
#define PROBE_ELEMENTS 8

struct iq_parser {
	const struct iq_document_rules *rules;
	struct iq_output output;
	struct iq_element_scan scan;
	struct iq_joiner joiner;
	const struct iq_element *element; /* at hand */
	uint64_t given;			  /* records of it */
	uint64_t reached;		  /* end of the last range given out */
	bool ended;			  /* everything was given out */
	struct iq_buf scratch;
	struct iq_buf attrs;
};

/* ---- An element ---- */

struct iq_record iq_element_record(const struct iq_element_reading *reading)
{
	const struct iq_element *element = reading->parser->element;
	struct iq_record record = { .event = IQ_EVENT_INIT, .gap = IQ_GAP_INIT };

	record.event.source = reading->options->source;
	record.event.offset = element->start;
	record.event.length = element->end - element->start;
	return record;
}

int iq_element_give(const struct iq_element_reading *reading, struct iq_record *record, struct iq_error *error)
{
	struct iq_parser *parser = reading->parser;
	int rc;

	parser->given++;
	record->attrs = iq_buf_view(&parser->attrs);
	if (parser->scratch.failed || parser->attrs.failed)
		return iq_error_nomem(error);
	rc = iq_joiner_take(&parser->joiner, record, error);
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	return rc;
}

static int damage(struct iq_parser *parser, const struct iq_element *element, const char *why, struct iq_error *error)
{
	int rc = iq_joiner_flush(&parser->joiner, error);

	return rc < 0 ? rc
		      : iq_output_damage(&parser->output, element->start, element->end - element->start, error,
					 "byte %" PRIu64 ": %s", element->offset, why);
}

static int give_nothing(struct iq_parser *parser, uint64_t offset, uint64_t end, const char *reason,
			struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;
	int rc = iq_joiner_flush(&parser->joiner, error);

	gap.source = parser->output.gap_source;
	gap.offset = offset;
	gap.bytes = end - offset;
	gap.count = 0;
	gap.reason = iq_view_cstr(reason);
	return rc < 0 ? rc : parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

static const char *unreadable(const struct iq_element *element)
{
	if (element->strange)
		return "not JSON";
	if (!element->complete)
		return element->ended ? "truncated in the middle of an element"
				      : "cut off in the middle of an element; another one follows";
	if (!element->text.data)
		return "an element larger than 112 MiB";
	return iq_json_valid(element->text) ? NULL : "not JSON; this element is left out";
}

static int read_element(struct iq_parser *parser, const struct iq_element *element, struct iq_error *error)
{
	const struct iq_element_reading reading = { .text = element->text,
						    .options = &parser->output.options,
						    .scratch = &parser->scratch,
						    .attrs = &parser->attrs,
						    .parser = parser };
	const char *why = NULL;
	int rc;

	iq_buf_clear(&parser->scratch);
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	if (iq_buf_reserve(&parser->scratch, 4 * element->text.len + 64) < 0)
		return iq_error_nomem(error);
	rc = parser->rules->parse(&reading, &why, error);
	if (why && parser->given == 0)
		return damage(parser, element, why, error);
	if (rc == 0 && parser->given == 0)
		return give_nothing(parser, element->start, element->end, "an element that tells of no event", error);
	return rc;
}

static int take_element(void *context, const struct iq_element *element, struct iq_error *error)
{
	struct iq_parser *parser = context;
	const char *why = unreadable(element);
	int rc;

	parser->element = element;
	parser->given = 0;
	rc = why ? damage(parser, element, why, error) : read_element(parser, element, error);
	parser->reached = element->end;
	return rc;
}

/* ---- The format ---- */

int iq_document_parser_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	return iq_element_scan_feed(&parser->scan, bytes, error);
}

/* Between two documents everything is complete; within one, its parts may still become others. */
int iq_document_parser_settle(struct iq_parser *parser, struct iq_error *error)
{
	const bool between = parser->scan.depth == 0 && !parser->scan.text_open;

	return between && parser->scan.elements > 0 ? iq_element_scan_end(&parser->scan, error) : 0;
}

struct iq_restart iq_document_parser_restart(const struct iq_parser *parser)
{
	const struct iq_restart place = { parser->ended ? parser->scan.position : iq_element_scan_place(&parser->scan),
					  0 };

	return iq_joiner_place(&parser->joiner, place);
}

static int end_document(struct iq_parser *parser, struct iq_error *error)
{
	const struct iq_element_scan *scan = &parser->scan;
	const uint64_t position = scan->position;

	if (scan->elements == 0 && scan->place == IQ_ELEMENT_BEFORE)
		return iq_output_damage(&parser->output, scan->from, position - scan->from, error, "not JSON");
	if (scan->place == IQ_ELEMENT_WITHIN && position > parser->reached)
		return iq_output_damage(&parser->output, parser->reached, position - parser->reached, error,
					"truncated at byte %" PRIu64 "; what was whole before it is taken in",
					position);
	if (scan->place == IQ_ELEMENT_TRAILING)
		return iq_output_damage(&parser->output, scan->trailing, position - scan->trailing, error,
					"byte %" PRIu64 ": not part of the document", scan->trailing);
	return position > parser->reached
		       ? give_nothing(parser, parser->reached, position, "a document without elements", error)
		       : 0;
}

int iq_document_parser_end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = parser->ended ? 0 : iq_element_scan_end(&parser->scan, error);

	if (parser->ended || rc < 0)
		return rc;
	parser->ended = true;
	rc = iq_joiner_end(&parser->joiner, error);
	return rc == 0 && parser->scan.position > parser->scan.from ? end_document(parser, error) : rc;
}

void iq_document_parser_close(struct iq_parser *parser)
{
	if (!parser)
		return;
	iq_element_scan_release(&parser->scan);
	iq_joiner_release(&parser->joiner);
	iq_buf_release(&parser->scratch);
	iq_buf_release(&parser->attrs);
	free(parser);
}

struct iq_parser *iq_document_parser_open(const struct iq_format *format, const struct iq_parser_options *options,
					  const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->rules = format->rules;
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	if (!parser->rules->any_source)
		parser->output.gap_source = options->source;
	parser->reached = options->from.offset;
	iq_element_scan_init(&parser->scan, options->from.offset, parser->rules->names, parser->rules->name_count,
			     take_element, parser);
	iq_joiner_init(&parser->joiner, &parser->output, false);
	return parser;
}

/* ---- Probing ---- */

struct probe {
	int (*score)(struct iq_view text, bool cut);
	int best;
	size_t elements;
};

static int probe_element(void *context, const struct iq_element *element, struct iq_error *error)
{
	struct probe *probe = context;
	int score = element->strange || !element->text.data ? 0 : probe->score(element->text, !element->complete);

	(void)error;
	if (score > probe->best)
		probe->best = score;
	return ++probe->elements < PROBE_ELEMENTS ? 0 : IQ_ERR_LIMIT;
}

int iq_element_probe(struct iq_view head, int (*score)(struct iq_view text, bool cut))
{
	struct probe probe = { .score = score };
	struct iq_element_scan scan;

	if (iq_view_starts_with(head, IQ_LIT("\xef\xbb\xbf")))
		head = iq_view_from(head, 3);
	iq_element_scan_init(&scan, 0, NULL, 0, probe_element, &probe);
	if (iq_element_scan_feed(&scan, head, NULL) == 0)
		(void)iq_element_scan_end(&scan, NULL);
	iq_element_scan_release(&scan);
	return probe.best;
}
