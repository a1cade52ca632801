/* Between a parser and the store: what the bodies of events say of them. */
#include "ingest/ingest.h"
#include "ingest/members.h"
#include "ingest/texts.h"
#include "ingest/times.h"

#include <stdlib.h>
#include <strings.h>

struct iq_describer {
	struct iq_dialects *dialects;
	struct iq_extract *extract;	  /* NULL: none */
	struct iq_parser_options options; /* of the parser */
	struct iq_buf scratch;
	struct iq_sink sink;	    /* takes what a parser gives */
	struct iq_sink described;   /* takes it with type and key */
	const struct iq_sink *next; /* gets it whole */
};

/* ---- Severity ---- */

/* Numbers of severities, as libraries have them: the first one that a number does not reach is too high. */
struct scale {
	int64_t least;
	enum iq_severity severity;
};

/* pino, bunyan */
static const struct scale tens[] = { { 10, IQ_SEVERITY_TRACE }, { 20, IQ_SEVERITY_DEBUG },
				     { 30, IQ_SEVERITY_INFO },	{ 40, IQ_SEVERITY_WARNING },
				     { 50, IQ_SEVERITY_ERROR }, { 60, IQ_SEVERITY_CRITICAL },
				     { 70, IQ_SEVERITY_NONE } };
/* Python */
static const struct scale python[] = { { 1, IQ_SEVERITY_TRACE },  { 10, IQ_SEVERITY_DEBUG },
				       { 20, IQ_SEVERITY_INFO },  { 30, IQ_SEVERITY_WARNING },
				       { 40, IQ_SEVERITY_ERROR }, { 50, IQ_SEVERITY_CRITICAL },
				       { 60, IQ_SEVERITY_NONE } };
/* Monolog */
static const struct scale hundreds[] = { { 100, IQ_SEVERITY_DEBUG },  { 200, IQ_SEVERITY_INFO },
					 { 250, IQ_SEVERITY_NOTICE }, { 300, IQ_SEVERITY_WARNING },
					 { 400, IQ_SEVERITY_ERROR },  { 500, IQ_SEVERITY_CRITICAL },
					 { 601, IQ_SEVERITY_NONE } };
/* logback */
static const struct scale thousands[] = { { 5000, IQ_SEVERITY_TRACE },	{ 10000, IQ_SEVERITY_DEBUG },
					  { 20000, IQ_SEVERITY_INFO },	{ 30000, IQ_SEVERITY_WARNING },
					  { 40000, IQ_SEVERITY_ERROR }, { 50000, IQ_SEVERITY_NONE } };

static enum iq_severity on_scale(const struct scale *scale, size_t steps, int64_t number)
{
	enum iq_severity severity = IQ_SEVERITY_NONE;

	for (size_t i = 0; i < steps && number >= scale[i].least; i++)
		severity = scale[i].severity;
	return severity;
}
#define ON_SCALE(scale, number) on_scale(scale, sizeof(scale) / sizeof((scale)[0]), number)

/* The names of severities, in small letters: loggers write them in any. */
enum naming { NAMES_NOTHING, NAMES_SEVERITY, NAMES_PYTHON_NUMBER, NAMES_LETTER, NAMES_LEVEL_WITHIN };

static enum naming naming_of(struct iq_view name)
{
	static const struct {
		struct iq_view name;
		enum naming naming;
	} names[] = { { { "level", 5 }, NAMES_SEVERITY },
		      { { "severity", 8 }, NAMES_SEVERITY },
		      { { "lvl", 3 }, NAMES_SEVERITY },
		      { { "s", 1 }, NAMES_LETTER },
		      { { "levelname", 9 }, NAMES_SEVERITY },
		      { { "level_name", 10 }, NAMES_SEVERITY },
		      { { "level_value", 11 }, NAMES_SEVERITY },
		      { { "levelno", 7 }, NAMES_PYTHON_NUMBER },
		      { { "log", 3 }, NAMES_LEVEL_WITHIN },
		      { { "log.level", 9 }, NAMES_SEVERITY },
		      { { "loglevel", 8 }, NAMES_SEVERITY },
		      { { "log_level", 9 }, NAMES_SEVERITY },
		      { { "@l", 2 }, NAMES_SEVERITY },
		      { { "error_severity", 14 }, NAMES_SEVERITY },
		      { { "severity_text", 13 }, NAMES_SEVERITY },
		      { { "severitytext", 12 }, NAMES_SEVERITY } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name.len == names[i].name.len && strncasecmp(name.data, names[i].name.data, name.len) == 0)
			return names[i].naming;
	return NAMES_NOTHING;
}

static enum iq_severity severity_of_number(enum naming naming, int64_t number)
{
	if (naming == NAMES_PYTHON_NUMBER)
		return ON_SCALE(python, number);
	if (number < hundreds[0].least)
		return ON_SCALE(tens, number);
	return number < thousands[0].least ? ON_SCALE(hundreds, number) : ON_SCALE(thousands, number);
}

/* MongoDB: `"s":"W"`, `"s":"D2"` */
static enum iq_severity letter_severity(struct iq_view text)
{
	static const struct {
		char letter;
		enum iq_severity severity;
	} letters[] = { { 'F', IQ_SEVERITY_CRITICAL },
			{ 'E', IQ_SEVERITY_ERROR },
			{ 'W', IQ_SEVERITY_WARNING },
			{ 'I', IQ_SEVERITY_INFO },
			{ 'D', IQ_SEVERITY_DEBUG } };
	const bool is_letter = text.len == 1 || (text.len == 2 && text.data[0] == 'D');

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]) && is_letter; i++)
		if (text.data[0] == letters[i].letter)
			return letters[i].severity;
	return IQ_SEVERITY_NONE;
}

/* A name is one of iq_severity_parse(). */
static enum iq_severity member_severity(enum naming naming, const struct iq_member *member)
{
	enum iq_severity severity = IQ_SEVERITY_NONE;
	struct iq_view text = member->value.raw;
	int64_t number;

	/* Elastic Common Schema: {"log":{"level":"error"}} */
	if (naming == NAMES_LEVEL_WITHIN) {
		text = iq_member_find(member->raw, IQ_LIT("level"));
		text = text.len > 2 && text.data[0] == '"' ? iq_view_make(text.data + 1, text.len - 2) : IQ_LIT("");
	}
	if (naming == NAMES_LETTER)
		return letter_severity(text);
	if (member->value.type == IQ_JSON_STRING || naming == NAMES_LEVEL_WITHIN)
		(void)iq_severity_parse(text, &severity);
	else if (member->value.type == IQ_JSON_NUMBER && iq_view_to_int64(text, &number))
		severity = severity_of_number(naming, number);
	return severity;
}

/* The first member of a JSON line that names a severity. */
static enum iq_severity line_severity(struct iq_view body)
{
	enum iq_severity severity = IQ_SEVERITY_NONE;
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, body, false))
		return severity;
	while (severity == IQ_SEVERITY_NONE && iq_members_next(&members, &member) > 0) {
		const enum naming naming = naming_of(member.name);

		if (naming != NAMES_NOTHING)
			severity = member_severity(naming, &member);
	}
	return severity;
}

/* ---- Names are UTF-8 ---- */

static bool is_plain(const struct iq_event *event)
{
	return iq_utf8_valid(event->source) && iq_utf8_valid(event->session) && iq_utf8_valid(event->type) &&
	       iq_utf8_valid(event->key);
}

static int give_repaired(const struct iq_describer *describer, const struct iq_event *event, struct iq_error *error)
{
	struct iq_event repaired = *event;
	struct iq_view *const names[] = { &repaired.source, &repaired.session, &repaired.type, &repaired.key };
	struct iq_buf texts[4] = { IQ_BUF_INIT, IQ_BUF_INIT, IQ_BUF_INIT, IQ_BUF_INIT };
	int rc = 0;

	for (size_t i = 0; i < 4; i++) {
		if (!names[i]->data)
			continue;
		(void)iq_utf8_append_repaired(&texts[i], *names[i]);
		if (texts[i].failed)
			rc = iq_error_nomem(error);
		*names[i] = iq_view_make(texts[i].data ? texts[i].data : "", texts[i].len);
	}
	if (rc == 0)
		rc = describer->next->event(describer->next->context, &repaired, error);
	for (size_t i = 0; i < 4; i++)
		iq_buf_release(&texts[i]);
	return rc;
}

/* ---- The sinks ---- */

static int give_event(void *context, const struct iq_event *event, struct iq_error *error)
{
	const struct iq_describer *describer = context;

	if (!is_plain(event))
		return give_repaired(describer, event, error);
	return describer->next->event(describer->next->context, event, error);
}

static int give_gap(void *context, const struct iq_gap *gap, struct iq_error *error)
{
	const struct iq_describer *describer = context;

	return describer->next->gap(describer->next->context, gap, error);
}

/* A WebSocket close, open, ping and so on are named like their kind; messages, log lines and errors are not. */
static struct iq_view own_type(enum iq_kind kind)
{
	switch (kind) {
	case IQ_KIND_WS_OPEN:
	case IQ_KIND_WS_CLOSE:
	case IQ_KIND_WS_PING:
	case IQ_KIND_WS_PONG:
	case IQ_KIND_HTTP_REQUEST:
	case IQ_KIND_HTTP_RESPONSE:
		return iq_view_cstr(iq_kind_name(kind));
	default:
		return IQ_VIEW_NULL;
	}
}

/* ---- What rules find ---- */

/* The time that a program wrote is when it happened; what was known before is when it was taken down. */
static void set_time(const struct iq_describer *describer, struct iq_event *event, struct iq_view text)
{
	struct iq_time time;

	if (!text.data || (!iq_time_read(text, &describer->options, &time) && !iq_time_parse_epoch(text, &time.ns)))
		return;
	if (event->observed == IQ_TIME_NONE)
		event->observed = event->ts;
	event->ts = time.ns;
}

static void set_text(struct iq_view *text, struct iq_view found)
{
	if (!text->data)
		*text = found;
}

static int apply_rules(struct iq_describer *describer, struct iq_event *event)
{
	struct iq_view fields[IQ_EXTRACT_FIELDS];

	iq_buf_clear(&describer->scratch);
	if (iq_buf_reserve(&describer->scratch, IQ_EXTRACT_FIELDS * event->body.len + 64) < 0)
		return IQ_ERR_NOMEM;
	iq_extract_read(describer->extract, event, fields, &describer->scratch);
	set_time(describer, event, fields[IQ_EXTRACT_TS]);
	set_text(&event->session, fields[IQ_EXTRACT_SESSION]);
	set_text(&event->type, fields[IQ_EXTRACT_TYPE]);
	set_text(&event->key, fields[IQ_EXTRACT_KEY]);
	if (event->severity == IQ_SEVERITY_NONE && fields[IQ_EXTRACT_SEVERITY].data)
		(void)iq_severity_parse(fields[IQ_EXTRACT_SEVERITY], &event->severity);
	return 0;
}

static int take_event(void *context, const struct iq_event *given, struct iq_error *error)
{
	struct iq_describer *describer = context;
	struct iq_event event = *given;

	if (!event.type.data)
		event.type = own_type(event.kind);
	if (describer->extract && apply_rules(describer, &event) < 0)
		return iq_error_nomem(error);
	event.body_is_binary = event.body.data && !iq_utf8_valid(event.body);
	if (event.kind == IQ_KIND_LOG && event.severity == IQ_SEVERITY_NONE)
		event.severity = event.body.len > 0 && event.body.data[0] == '{' ? line_severity(event.body)
										 : iq_text_severity(event.body);
	return iq_dialects_take(describer->dialects, &event, &describer->described, error);
}

/* ---- Life ---- */

struct iq_describer *iq_describer_new(const char *dialect, struct iq_extract *extract)
{
	struct iq_describer *describer = calloc(1, sizeof(*describer));

	if (!describer)
		return NULL;
	describer->dialects = iq_dialects_new(dialect);
	describer->extract = extract;
	describer->sink = (struct iq_sink){ take_event, give_gap, describer };
	describer->described = (struct iq_sink){ give_event, give_gap, describer };
	if (describer->dialects)
		return describer;
	iq_describer_free(describer);
	return NULL;
}

void iq_describer_free(struct iq_describer *describer)
{
	if (!describer)
		return;
	iq_dialects_free(describer->dialects);
	iq_buf_release(&describer->scratch);
	free(describer);
}

const struct iq_sink *iq_describer_begin(struct iq_describer *describer, const struct iq_parser_options *options,
					 const struct iq_sink *next)
{
	iq_dialects_begin(describer->dialects);
	if (options)
		describer->options = *options;
	describer->next = next;
	return &describer->sink;
}

struct iq_dialects *iq_describer_dialects(struct iq_describer *describer)
{
	return describer->dialects;
}
