/* Text, whatever it says: a line is an event. A line without a time is a further line of the one that had one. Fallback for
 * everything that can be read at all. */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/texts.h"
#include "ingest/times.h"

/* Text with times, and text without any. */
#define SURE_WITH_TIMES 50
#define SURE_OF_TEXT 10

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_view text = iq_text_plain(reading->text, reading->scratch);
	struct iq_time time = { .severity = IQ_SEVERITY_NONE };

	record->event.body = text.len > 0 ? text : IQ_LIT("");
	record->continues = !iq_time_find(text, reading->options, &time);
	if (!record->continues) {
		record->event.ts = time.ns;
		record->event.severity = time.severity;
	}
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse, .joining = IQ_JOIN_INDENTED, .keeps_indent = true };

static int score_line(struct iq_view text, bool cut)
{
	static const struct iq_parser_options options = { .max_line = IQ_PROBE_BYTES };
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_time time;
	const bool found = iq_time_find(iq_text_plain(text, &scratch), &options, &time);

	(void)cut;
	iq_buf_release(&scratch);
	return found ? SURE_WITH_TIMES : 0;
}

/* `[    0.000000] text`, as the kernel has it: seconds since it began. */
static bool is_kernel_time(struct iq_view text)
{
	size_t i = 1, digits;

	while (i < text.len && text.data[i] == ' ')
		i++;
	for (digits = i; i < text.len && ((text.data[i] >= '0' && text.data[i] <= '9') || text.data[i] == '.'); i++)
		;
	return i > digits && i + 1 < text.len && text.data[i] == ']' && text.data[i + 1] == ' ';
}

/* A document of JSON is no text, not even one that nobody knows. */
static bool is_document(struct iq_view head)
{
	struct iq_view text = iq_view_trim(head);

	if (text.len > 0 && text.data[0] == '[' && is_kernel_time(text))
		return false;
	return text.len == 0 || text.data[0] == '{' ||
	       (text.data[0] == '[' && text.len > 1 && strchr("\n\r {[\"]", text.data[1]));
}

static int probe(struct iq_view head)
{
	const int best = iq_line_probe(head, score_line);

	if (iq_view_starts_with(head, IQ_LIT("\xef\xbb\xbf")))
		head = iq_view_from(head, 3);
	if (is_document(head))
		return 0;
	return best > 0 ? best : iq_text_is_text(head) ? SURE_OF_TEXT : 0;
}

const struct iq_format iq_format_text = {
	.name = "text",
	.summary = "text with a time in each line, or without; further lines (stack traces) belong to the line before",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
