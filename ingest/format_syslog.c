/* syslog, as it is sent and as it is kept in files:
 *	<34>1 2026-11-24T03:27:59.123Z host app 4711 ID47 [id key="value"] text		RFC 5424
 *	<34>Nov 24 03:27:59 host app[4711]: text					RFC 3164
 *	Nov 24 03:27:59 host app[4711]: text						its files, also with an ISO 8601 time
 *	83 <34>1 2026-11-24T03:27:59.123Z ...						either as sent through TCP, counted (RFC 6587), or by lines */
#include "ingest/formats.h"
#include "ingest/line_parser.h"
#include "ingest/texts.h"
#include "ingest/times.h"
#include "ingest/words.h"

#define MAX_PRIORITY 191
#define MAX_TAG 48

static const enum iq_severity severities[] = {
	IQ_SEVERITY_CRITICAL, IQ_SEVERITY_CRITICAL, IQ_SEVERITY_CRITICAL, IQ_SEVERITY_ERROR,
	IQ_SEVERITY_WARNING,  IQ_SEVERITY_NOTICE,   IQ_SEVERITY_INFO,	  IQ_SEVERITY_DEBUG,
};

struct message {
	int64_t priority; /* -1: none */
	int64_t ts;
	struct iq_view host;
	struct iq_view app;
	struct iq_view pid;
	struct iq_view id;
	struct iq_view data; /* structured data, as it stands there */
	struct iq_view text;
};

/* ---- Parts ---- */

static bool take_priority(struct iq_view *text, int64_t *ret_priority)
{
	struct iq_view rest = *text, number;

	if (!iq_take(&rest, IQ_LIT("<")) || !iq_take_until(&rest, '>', &number) || number.len > 3 ||
	    !iq_view_to_int64(number, ret_priority) || *ret_priority < 0 || *ret_priority > MAX_PRIORITY)
		return false;
	*text = rest;
	return true;
}

/* `-` is RFC 5424's word for nothing. */
static bool take_field(struct iq_view *text, struct iq_view *ret_field)
{
	if (!iq_take_word(text, ' ', ret_field) || ret_field->len == 0)
		return false;
	if (iq_view_eq(*ret_field, IQ_LIT("-")))
		*ret_field = IQ_VIEW_NULL;
	return true;
}

/* `[id key="value"][id ...]`, in whose values `"`, `\` and `]` are escaped. */
static bool take_data(struct iq_view *text, struct iq_view *ret_data)
{
	bool quoted = false;
	size_t len = 0;

	if (text->len == 0 || text->data[0] != '[')
		return take_field(text, ret_data);
	for (; len < text->len; len++) {
		const char c = text->data[len];

		if (quoted && c == '\\')
			len++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == ' ' && text->data[len - 1] == ']')
			break;
	}
	if (len > text->len)
		len = text->len;
	*ret_data = iq_view_make(text->data, len);
	*text = iq_view_from(*text, len + 1);
	return ret_data->data[len - 1] == ']';
}

/* ---- RFC 5424 ---- */

static const char *read_5424(struct iq_view text, struct message *message)
{
	struct iq_view time;

	if (!take_field(&text, &time) || !take_field(&text, &message->host) || !take_field(&text, &message->app) ||
	    !take_field(&text, &message->pid) || !take_field(&text, &message->id))
		return "no header of RFC 5424";
	if (time.data && !iq_time_parse(time, &message->ts))
		return "no time of RFC 5424";
	if (!take_data(&text, &message->data))
		return "no structured data of RFC 5424";
	(void)iq_take(&text, IQ_LIT("\xef\xbb\xbf"));
	message->text = text;
	return NULL;
}

/* ---- RFC 3164 ---- */

static bool is_tag_end(char c)
{
	return c == ':' || c == '[' || c == ' ';
}

/* `app[4711]: `, `app: ` */
static bool take_tag(struct iq_view *text, struct message *message)
{
	struct iq_view rest = *text;
	size_t len = 0;

	while (len < rest.len && len <= MAX_TAG && !is_tag_end(rest.data[len]))
		len++;
	if (len == 0 || len > MAX_TAG || len >= rest.len)
		return false;
	message->app = iq_view_make(rest.data, len);
	rest = iq_view_from(rest, len);
	if (rest.data[0] == '[') {
		rest = iq_view_from(rest, 1);
		if (!iq_take_until(&rest, ']', &message->pid))
			return false;
	}
	if (!iq_take(&rest, IQ_LIT(":")))
		return false;
	(void)iq_take(&rest, IQ_LIT(" "));
	*text = rest;
	return true;
}

static bool is_severity(struct iq_view word)
{
	enum iq_severity severity;

	return iq_severity_parse(word, &severity);
}

/* What files have in front: `Nov 24 03:27:59`, or `2026-11-24T03:27:59.123456+01:00`. */
static bool may_be_file_time(struct iq_view text)
{
	return text.len > 10 && (text.data[0] > '9' || text.data[10] == 'T');
}

static bool is_host(struct iq_view word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] <= ' ' || strchr("[]()<>{}\"'=|,;", word.data[i]))
			return false;
	return word.len > 0;
}

/* What a program sends to its own machine has no host: ` su[230]: failed`. */
static bool take_only_tag(const struct iq_view *text, struct message *message)
{
	struct iq_view rest = *text;

	if (!iq_take(&rest, IQ_LIT(" ")) || !take_tag(&rest, message)) {
		message->app = message->pid = IQ_VIEW_NULL;
		return false;
	}
	message->text = rest;
	return true;
}

static const char *read_3164(struct iq_view text, const struct iq_parser_options *options, struct message *message)
{
	struct iq_time time;
	const bool has_priority = message->priority >= 0;

	if ((!has_priority && !may_be_file_time(text)) || !iq_time_read(text, options, &time))
		return "no time: not a syslog line";
	text = iq_view_from(text, time.len);
	message->ts = time.ns;
	if (has_priority && take_only_tag(&text, message))
		return NULL;
	if (!iq_take(&text, IQ_LIT(" ")) || !iq_take_until(&text, ' ', &message->host) || !is_host(message->host))
		return "no host: not a syslog line";
	if (!take_tag(&text, message)) {
		if (!has_priority)
			return "no tag: not a syslog line";
		message->app = message->pid = IQ_VIEW_NULL;
	} else if (!has_priority && !message->pid.data && is_severity(message->host)) {
		return "no host: not a syslog line";
	}
	message->text = text;
	return NULL;
}

/* ---- The format ---- */

static const char *read_message(struct iq_view text, const struct iq_parser_options *options, struct message *message)
{
	bool has_priority;

	*message = (struct message){ .priority = -1, .ts = IQ_TIME_NONE };
	has_priority = take_priority(&text, &message->priority);
	if (has_priority && iq_take(&text, IQ_LIT("1 ")))
		return read_5424(text, message);
	return read_3164(text, options, message);
}

static void add_text(struct iq_buf *attrs, const char *name, struct iq_view text)
{
	if (text.len > 0)
		iq_attrs_text(attrs, iq_view_cstr(name), text);
}

/* `-- Boot 0123456789abcdef --`, `-- Logs begin at ... --`: what journalctl says itself. */
static bool is_of_journalctl(struct iq_view text)
{
	return text.len > 6 && iq_view_starts_with(text, IQ_LIT("-- ")) && iq_view_ends_with(text, IQ_LIT(" --"));
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	const struct iq_view text = iq_text_plain(reading->text, reading->scratch);
	struct message message;
	const char *why = read_message(text, reading->options, &message);

	if (why && !is_of_journalctl(text))
		return why;
	if (why) {
		record->event.body = text;
		return NULL;
	}
	record->event.ts = message.ts;
	record->unfinished = reading->line->counted && !reading->line->terminated;
	if (message.app.len > 0)
		record->event.source = record->stream = message.app;
	if (message.priority >= 0)
		record->event.severity = severities[message.priority % 8];
	/* What was counted may have its line end within. */
	if (iq_view_ends_with(message.text, IQ_LIT("\n")))
		message.text.len--;
	record->event.body = message.text.len > 0 ? message.text : IQ_LIT("");
	add_text(reading->attrs, "host", message.host);
	add_text(reading->attrs, "pid", message.pid);
	add_text(reading->attrs, "msgid", message.id);
	if (message.priority >= 0)
		iq_attrs_number(reading->attrs, IQ_LIT("facility"), (uint64_t)message.priority / 8);
	add_text(reading->attrs, "data", message.data);
	return NULL;
}

static const struct iq_line_rules rules = {
	.parse = parse, .joining = IQ_JOIN_INDENTED, .counted = true, .any_source = true
};

static bool reads(struct iq_view text, bool cut)
{
	return iq_line_reads(&rules, text, cut);
}

static int probe(struct iq_view head)
{
	return iq_counted_line_share(head, reads) * 85 / 100;
}

const struct iq_format iq_format_syslog = {
	.name = "syslog",
	.summary = "syslog, RFC 5424 and RFC 3164, sent or from files",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
