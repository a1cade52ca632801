/* Between a parser and the store: what the bodies of events say of them. */
#include "ingest/ingest.h"
#include "ingest/members.h"
#include "ingest/texts.h"
#include "ingest/times.h"

#include <stdlib.h>

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

static bool names_severity(struct iq_view name)
{
	static const struct iq_view names[] = { { "level", 5 },	    { "severity", 8 },	{ "lvl", 3 },
						{ "levelname", 9 }, { "log.level", 9 }, { "@l", 2 },
						{ "loglevel", 8 } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (iq_view_eq(name, names[i]))
			return true;
	return false;
}

/* Numbers of pino and bunyan; a name is one of iq_severity_parse(). */
static enum iq_severity member_severity(const struct iq_member *member)
{
	static const enum iq_severity tens[] = { IQ_SEVERITY_TRACE,   IQ_SEVERITY_DEBUG, IQ_SEVERITY_INFO,
						 IQ_SEVERITY_WARNING, IQ_SEVERITY_ERROR, IQ_SEVERITY_CRITICAL };
	enum iq_severity severity = IQ_SEVERITY_NONE;
	int64_t number;

	if (member->value.type == IQ_JSON_STRING)
		(void)iq_severity_parse(member->value.raw, &severity);
	else if (member->value.type == IQ_JSON_NUMBER && iq_view_to_int64(member->value.raw, &number) && number >= 10 &&
		 number <= 60)
		severity = tens[number / 10 - 1];
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
	while (severity == IQ_SEVERITY_NONE && iq_members_next(&members, &member) > 0)
		if (names_severity(member.name))
			severity = member_severity(&member);
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
