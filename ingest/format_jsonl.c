/* JSON lines of any program: the line is the body, so that nothing of it is lost; its time is
 * found by ingest/json_time.h. */
#include "ingest/formats.h"
#include "ingest/json_time.h"
#include "ingest/line_parser.h"

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = reading->text;

	if (!iq_json_time(text, reading->cut, reading->options, reading->scratch, &record->event.ts)) {
		if (text.data[0] != '{' || iq_buf_reserve(reading->scratch, 16 * text.len) < 0)
			return "not a JSON object";
		text = iq_line_escape_controls(text, reading->scratch);
		if (!iq_json_time(text, reading->cut, reading->options, reading->scratch, &record->event.ts))
			return "not JSON";
	}
	record->event.body = text;
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse, .whole = iq_line_is_object };

static int score_line(struct iq_view text, bool cut)
{
	static const struct iq_parser_options options = { .max_line = IQ_PROBE_BYTES };
	struct iq_buf scratch = IQ_BUF_INIT;
	int64_t ts = IQ_TIME_NONE;
	const bool reads =
		iq_buf_reserve(&scratch, 2 * text.len) == 0 && iq_json_time(text, cut, &options, &scratch, &ts);

	iq_buf_release(&scratch);
	return !reads ? 0 : ts != IQ_TIME_NONE ? 58 : cut ? 0 : 30;
}

static int probe(struct iq_view head)
{
	return iq_line_probe(head, score_line);
}

const struct iq_format iq_format_jsonl = {
	.name = "jsonl",
	.summary = "JSON lines of any program",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
