#include "ingest/document_parser.h"

#include <inttypes.h>
#include <stdlib.h>

/* So many elements are looked at to tell a format. */
#define PROBE_ELEMENTS 8

/* Elements that wait for others which belong to them. */
struct group {
	struct iq_buf key;
	struct iq_buf texts; /* one after the other */
	size_t *ends;	     /* of each in `texts` */
	size_t capacity;
	size_t count;
	uint64_t start;
	uint64_t end;
	uint64_t document;
};

struct iq_parser {
	const struct iq_document_rules *rules;
	struct iq_output output;
	struct iq_element_scan scan;
	struct iq_joiner joiner;
	struct group group;
	uint64_t start; /* range of what is read */
	uint64_t end;
	uint64_t given; /* records of it */
	uint64_t told;	/* what it says, and others said before */
	void *state;
	uint64_t reached; /* end of the last range given out */
	bool ended;	  /* everything was given out */
	struct iq_buf scratch;
	struct iq_buf attrs;
};

/* ---- An element ---- */

struct iq_record iq_element_record(const struct iq_element_reading *reading)
{
	const struct iq_parser *parser = reading->parser;
	struct iq_record record = { .event = IQ_EVENT_INIT, .gap = IQ_GAP_INIT };

	record.event.source = reading->options->source;
	record.event.offset = parser->start;
	record.event.length = parser->end - parser->start;
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

void iq_element_told(const struct iq_element_reading *reading)
{
	reading->parser->told++;
	if (reading->options->notes)
		reading->options->notes->duplicates++;
}

int iq_element_give_gap(const struct iq_element_reading *reading, struct iq_gap gap, struct iq_error *error)
{
	struct iq_parser *parser = reading->parser;
	int rc = iq_joiner_flush(&parser->joiner, error);

	gap.offset = parser->start;
	gap.bytes = 0;
	return rc < 0 ? rc : parser->output.sink->gap(parser->output.sink->context, &gap, error);
}

static int damage(struct iq_parser *parser, uint64_t offset, const char *why, struct iq_error *error)
{
	int rc = iq_joiner_flush(&parser->joiner, error);

	return rc < 0 ? rc
		      : iq_output_damage(&parser->output, parser->start, parser->end - parser->start, error,
					 "byte %" PRIu64 ": %s", offset, why);
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

static struct iq_element_reading begin_reading(struct iq_parser *parser, uint64_t start, uint64_t end)
{
	parser->start = start;
	parser->end = end;
	parser->given = parser->told = 0;
	iq_buf_clear(&parser->scratch);
	iq_buf_clear(&parser->attrs);
	(void)iq_buf_append(&parser->attrs, parser->output.options.attrs);
	return (struct iq_element_reading){ .options = &parser->output.options,
					    .state = parser->state,
					    .scratch = &parser->scratch,
					    .attrs = &parser->attrs,
					    .parser = parser };
}

static int read_elements(struct iq_parser *parser, const struct iq_element *range, const struct iq_view *texts,
			 size_t count, struct iq_error *error)
{
	struct iq_element_reading reading = begin_reading(parser, range->start, range->end);
	const char *why = NULL;
	size_t bytes = 0;
	int rc;

	reading.text = texts[0];
	reading.texts = texts;
	reading.count = count;
	reading.document = range->document;
	for (size_t i = 0; i < count; i++)
		bytes += texts[i].len;
	if (iq_buf_reserve(&parser->scratch, 4 * bytes + 64) < 0)
		return iq_error_nomem(error);
	rc = parser->rules->parse(&reading, &why, error);
	if (why && parser->given == 0)
		return damage(parser, range->offset, why, error);
	if (rc == 0 && parser->given == 0)
		return give_nothing(parser, range->start, range->end,
				    parser->told > 0 ? "what it tells is there already"
						     : "an element that tells of no event",
				    error);
	return rc;
}

/* ---- Elements that belong together ---- */

static int flush_group(struct iq_parser *parser, struct iq_error *error)
{
	struct group *group = &parser->group;
	const struct iq_element range = {
		.start = group->start, .end = group->end, .offset = group->start, .document = group->document
	};
	struct iq_view *texts = group->count > 0 ? calloc(group->count, sizeof(*texts)) : NULL;
	int rc;

	if (group->count == 0)
		return 0;
	if (!texts)
		return iq_error_nomem(error);
	for (size_t i = 0, at = 0; i < group->count; at = group->ends[i++])
		texts[i] = iq_view_make(group->texts.data + at, group->ends[i] - at);
	rc = read_elements(parser, &range, texts, group->count, error);
	free(texts);
	group->count = 0;
	return rc;
}

static bool belongs(const struct group *group, struct iq_view key, struct iq_view text)
{
	return group->count > 0 && group->count < IQ_ELEMENT_GROUP && key.data &&
	       iq_view_eq(key, iq_buf_view(&group->key)) && text.len < IQ_ELEMENT_GROUP_BYTES - group->texts.len;
}

static int begin_group(struct iq_parser *parser, const struct iq_element *element, struct iq_view key)
{
	struct group *group = &parser->group;

	iq_buf_clear(&group->texts);
	iq_buf_clear(&group->key);
	group->start = element->start;
	group->document = element->document;
	return iq_buf_append(&group->key, key);
}

static int add_to_group(struct iq_parser *parser, const struct iq_element *element, struct iq_error *error)
{
	struct group *group = &parser->group;
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view key = parser->rules->group(element->text, &scratch);
	int rc = 0;

	if (!belongs(group, key, element->text)) {
		rc = flush_group(parser, error);
		if (rc == 0 && begin_group(parser, element, key) < 0)
			rc = iq_error_nomem(error);
	}
	iq_buf_release(&scratch);
	if (rc < 0)
		return rc;
	if (IQ_ARRAY_GROW(group->ends, group->capacity, group->count + 1) < 0 ||
	    iq_buf_append(&group->texts, element->text) < 0)
		return iq_error_nomem(error);
	group->ends[group->count++] = group->texts.len;
	group->end = element->end;
	return 0;
}

static int take_element(void *context, const struct iq_element *element, struct iq_error *error)
{
	struct iq_parser *parser = context;
	const char *why = unreadable(element);
	int rc;

	if (!why && parser->rules->group) {
		rc = add_to_group(parser, element, error);
	} else if (!why) {
		rc = read_elements(parser, element, &element->text, 1, error);
	} else {
		rc = flush_group(parser, error);
		(void)begin_reading(parser, element->start, element->end);
		rc = rc < 0 ? rc : damage(parser, element->offset, why, error);
	}
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
	struct iq_restart place = { parser->ended ? parser->scan.position : iq_element_scan_place(&parser->scan), 0 };

	if (parser->group.count > 0 && parser->group.document < place.offset)
		place.offset = parser->group.document;
	return iq_joiner_place(&parser->joiner, place);
}

static int end_document(struct iq_parser *parser, struct iq_error *error)
{
	const struct iq_element_scan *scan = &parser->scan;
	const uint64_t position = scan->position;
	const uint64_t trailing = scan->elements > 0 ? scan->trailing : parser->reached;

	if (scan->elements == 0 && scan->place == IQ_ELEMENT_BEFORE)
		return iq_output_damage(&parser->output, scan->from, position - scan->from, error, "not JSON");
	if (scan->place == IQ_ELEMENT_WITHIN && position > parser->reached)
		return iq_output_damage(&parser->output, parser->reached, position - parser->reached, error,
					"truncated at byte %" PRIu64 "; what was whole before it is taken in",
					position);
	if (scan->place == IQ_ELEMENT_TRAILING)
		return iq_output_damage(&parser->output, trailing, position - trailing, error,
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
	rc = flush_group(parser, error);
	if (rc == 0)
		rc = iq_joiner_end(&parser->joiner, error);
	if (rc == 0 && parser->rules->end) {
		const struct iq_element_reading reading = begin_reading(parser, parser->reached, parser->reached);

		rc = parser->rules->end(&reading, error);
	}
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
	iq_buf_release(&parser->group.key);
	iq_buf_release(&parser->group.texts);
	free(parser->group.ends);
	free(parser->state);
	free(parser);
}

struct iq_parser *iq_document_parser_open(const struct iq_format *format, const struct iq_parser_options *options,
					  const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->rules = format->rules;
	parser->state = calloc(1, parser->rules->state_size + 1);
	if (!parser->state) {
		free(parser);
		return NULL;
	}
	parser->output = (struct iq_output){ .options = *options, .sink = sink };
	if (!parser->rules->any_source)
		parser->output.gap_source = options->source;
	parser->reached = options->from.offset;
	iq_element_scan_init(&parser->scan, options->from.offset, parser->rules->names, parser->rules->name_count,
			     take_element, parser);
	iq_joiner_init(&parser->joiner, &parser->output, IQ_JOIN_NONE);
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

int iq_element_probe_at(struct iq_view head, const struct iq_view *names, size_t name_count,
			int (*score)(struct iq_view text, bool cut))
{
	struct probe probe = { .score = score };
	struct iq_element_scan scan;

	if (iq_view_starts_with(head, IQ_LIT("\xef\xbb\xbf")))
		head = iq_view_from(head, 3);
	iq_element_scan_init(&scan, 0, names, name_count, probe_element, &probe);
	if (iq_element_scan_feed(&scan, head, NULL) == 0)
		(void)iq_element_scan_end(&scan, NULL);
	iq_element_scan_release(&scan);
	return probe.best;
}

int iq_element_probe(struct iq_view head, int (*score)(struct iq_view text, bool cut))
{
	return iq_element_probe_at(head, NULL, 0, score);
}
