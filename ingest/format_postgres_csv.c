/* PostgreSQL's csvlog (https://www.postgresql.org/docs/current/runtime-config-logging.html): columns, of which a text may have several
 * lines,
 *	2026-11-24 03:27:59.123 UTC,"shop","orders",51,"10.0.0.7:41822",65a0.33,7,"SELECT",...,0,ERROR,42P01,"relation ""runs"" does not exist",...
 * The record is the body, so that nothing of it is lost; a line that begins with no time belongs to the one before it. */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/times.h"
#include "ingest/words.h"

enum column {
	COLUMN_TIME,
	COLUMN_USER,
	COLUMN_DATABASE,
	COLUMN_PID,
	COLUMN_CLIENT,
	COLUMN_SESSION,
	COLUMN_LINE,
	COLUMN_COMMAND,
	COLUMN_SESSION_START,
	COLUMN_VIRTUAL_TRANSACTION,
	COLUMN_TRANSACTION,
	COLUMN_SEVERITY,
	COLUMN_STATE,
	COLUMN_COUNT
};

/* The last column may go on behind the line. */
static bool take_column(struct iq_view *text, struct iq_view *ret_column)
{
	const bool quoted = text->len > 0 && text->data[0] == '"';
	size_t end = quoted;

	if (!quoted)
		return iq_take_until(text, ',', ret_column);
	while (end < text->len && (text->data[end] != '"' || (end + 1 < text->len && text->data[end + 1] == '"')))
		end += text->data[end] == '"' ? 2 : 1;
	if (end + 1 >= text->len || text->data[end + 1] != ',')
		return false;
	*ret_column = iq_view_make(text->data + 1, end - 1);
	*text = iq_view_from(*text, end + 2);
	return true;
}

static bool read_columns(struct iq_view text, struct iq_view columns[COLUMN_COUNT])
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!take_column(&text, &columns[i]))
			return false;
	return true;
}

static bool read_severity(struct iq_view word, enum iq_severity *ret_severity)
{
	if (iq_view_eq(word, IQ_LIT("LOG")))
		*ret_severity = IQ_SEVERITY_INFO;
	else if (iq_view_starts_with(word, IQ_LIT("DEBUG")))
		*ret_severity = IQ_SEVERITY_DEBUG;
	else
		return iq_severity_parse(word, ret_severity);
	return true;
}

static bool read_head(struct iq_view text, const struct iq_parser_options *options,
		      struct iq_view columns[COLUMN_COUNT], struct iq_event *event)
{
	struct iq_time time;

	if (!read_columns(text, columns) || !iq_time_read(columns[COLUMN_TIME], options, &time) ||
	    time.len != columns[COLUMN_TIME].len || !read_severity(columns[COLUMN_SEVERITY], &event->severity))
		return false;
	event->ts = time.ns;
	return true;
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	static const struct {
		enum column column;
		struct iq_view name;
	} kept[] = {
		{ COLUMN_USER, { "user", 4 } },	      { COLUMN_DATABASE, { "database", 8 } },
		{ COLUMN_PID, { "pid", 3 } },	      { COLUMN_CLIENT, { "client", 6 } },
		{ COLUMN_COMMAND, { "command", 7 } }, { COLUMN_STATE, { "sqlstate", 8 } },
	};
	struct iq_view columns[COLUMN_COUNT];

	record->event.body = reading->text;
	record->continues = !read_head(reading->text, reading->options, columns, &record->event);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && !record->continues; i++)
		if (columns[kept[i].column].len > 0)
			iq_attrs_text(reading->attrs, kept[i].name, columns[kept[i].column]);
	return NULL;
}

static const struct iq_line_rules rules = { .parse = parse, .joining = IQ_JOIN_INDENTED, .keeps_indent = true };

static int score_line(struct iq_view text, bool cut)
{
	static const struct iq_parser_options options = { .max_line = IQ_PROBE_BYTES };
	struct iq_view columns[COLUMN_COUNT];
	struct iq_event event = IQ_EVENT_INIT;

	(void)cut;
	return read_head(text, &options, columns, &event) ? 95 : 0;
}

static int probe(struct iq_view head)
{
	return iq_line_probe(head, score_line);
}

const struct iq_format iq_format_postgres_csv = {
	.name = "postgres-csv",
	.summary = "PostgreSQL's csvlog",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
