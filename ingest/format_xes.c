/* XES (IEEE 1849), the event logs of process mining:
 *	<log> <trace> <string key="concept:name" value="case 7"/> <event> <string key="concept:name" value="A"/> ...
 * A trace is a session whose start and end were seen, an event an event, by its place among those of its trace. What the log says of
 * itself (extensions, defaults, classifiers) makes no event; its bytes belong to the first one.
 *
 * Bytes go through expat. `unread` holds those behind the last complete token, so that damage can be passed over: reading goes on at
 * the next `<trace`, for expat a new document. A trace is also where another parser can take the stream up. An event is
 * held back until it is known whether it is the last of its trace.
 *
 * Source: IEEE 1849-2016. Document types are refused, and with them entities of all kinds. */
#include <endian.h>
#include <expat.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ingest/formats.h"
#include "ingest/record.h"
#include "ingest/times.h"

/* Elements within each other. */
#define MAX_DEPTH 64
/* A tag, a comment. */
#define MAX_TOKEN (4u << 20)
/* What is kept of an event or of a trace, as JSON. */
#define MAX_ATTRS (16u << 20)
/* So much goes to expat at once. */
#define SLICE (64u << 10)
/* What a document that is taken up in its middle began with. */
#define OPENING "<log>"
#define TRACE_TAG "<trace"

/* What an element is within the one around it. */
enum element {
	ELEMENT_LOG,
	ELEMENT_TRACE,
	ELEMENT_EVENT,
	ELEMENT_SCALAR,	   /* an attribute with a value */
	ELEMENT_LIST,	   /* an attribute whose children may have the same keys */
	ELEMENT_CONTAINER, /* an attribute whose children have keys of their own */
	ELEMENT_VALUES,	   /* between a list and its children */
	ELEMENT_IGNORED
};

struct open_element {
	enum element element;
	size_t value; /* where in the attrs its value begins */
	bool filled;  /* it has children */
};

enum state {
	STATE_READING,
	STATE_SEEKING, /* what is damaged was told; the next trace is looked for */
	STATE_REFUSED
};

/* The event at hand, and the one held back. */
struct xes_event {
	struct iq_buf attrs;
	struct iq_buf type;
	struct iq_buf key;
	struct iq_buf session;
	int64_t ts;
	int64_t seq; /* IQ_NUMBER_NONE: of no trace */
	uint64_t offset;
	uint64_t end;
	uint64_t unit; /* where its trace begins in the stream, or itself where it has none */
	bool first;
	bool last;
};

struct damage {
	uint64_t from; /* of its range */
	uint64_t at;
	uint64_t unit; /* see restart() */
	char why[160];
	struct iq_buf session; /* of the trace that it tore */
};

struct iq_parser {
	struct iq_output output;
	XML_Parser xml;
	enum state state;
	uint64_t position; /* in the stream */
	uint64_t begun;	   /* where in it expat began */
	uint64_t given;	   /* and what it was given ends */
	uint64_t consumed; /* and the last complete token */
	uint64_t seek;	   /* and the next trace is looked for */
	uint64_t reached;  /* up to here it is known what bytes belong to */
	struct iq_buf unread;
	uint64_t unread_from;
	bool blank;   /* there was no markup since expat began */
	bool opened;  /* expat was given OPENING */
	bool foreign; /* the encoding or the root's name is such that it can only be read from its beginning */
	bool closed;  /* the log ended */
	bool halted;  /* the handlers stopped expat */
	bool ended;
	char encoding[24]; /* of one byte a character, "": UTF-8, as which anything else is read behind damage */
	struct damage damage;
	int rc; /* of the sink */
	struct iq_error *error;
	struct open_element open[MAX_DEPTH];
	size_t depth;
	uint64_t unit;	/* where the trace at hand begins, or the event outside of traces */
	int64_t events; /* of the trace at hand */
	struct iq_buf trace_name;
	struct iq_buf trace_attrs;
	struct xes_event event;
	struct xes_event held;
	bool holds;
};

/* ---- Giving ---- */

static struct iq_view filled(const struct iq_buf *buf)
{
	return buf->len > 0 ? iq_buf_view(buf) : IQ_VIEW_NULL;
}

static int give_held(struct iq_parser *parser, uint64_t end, struct iq_error *error)
{
	struct xes_event *held = &parser->held;
	struct iq_event event = IQ_EVENT_INIT;

	if (!parser->holds)
		return 0;
	parser->holds = false;
	if (held->attrs.failed || held->type.failed || held->key.failed || held->session.failed)
		return iq_error_nomem(error);
	event.source = parser->output.options.source;
	event.session = filled(&held->session);
	event.type = filled(&held->type);
	event.key = filled(&held->key);
	event.ts = held->ts;
	event.seq = held->seq;
	event.attrs = iq_attrs_end(&held->attrs);
	event.session_begins = held->first;
	event.session_ends = held->last;
	event.offset = held->offset;
	event.length = end - held->offset;
	parser->reached = end;
	return iq_output_event(&parser->output, &event, error);
}

/* Bytes in which no event was lost. */
static int give_nothing(struct iq_parser *parser, uint64_t end, const char *reason, struct iq_error *error)
{
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = parser->output.options.source;
	gap.offset = parser->reached;
	gap.bytes = end - parser->reached;
	gap.count = 0;
	gap.reason = iq_view_cstr(reason);
	parser->reached = end;
	return gap.bytes > 0 ? parser->output.sink->gap(parser->output.sink->context, &gap, error) : 0;
}

/* ---- Attributes ---- */

static struct iq_view local_name(const char *name)
{
	const char *colon = strchr(name, ':');

	return iq_view_cstr(colon ? colon + 1 : name);
}

static struct iq_view value_of(const char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (strcmp(attributes[i], name) == 0)
			return iq_view_cstr(attributes[i + 1]);
	return IQ_VIEW_NULL;
}

static const struct {
	const char *name;
	enum element element;
	bool plain; /* its value may be JSON as it is */
} attribute_kinds[] = {
	{ "string", ELEMENT_SCALAR, false }, { "date", ELEMENT_SCALAR, false },		{ "int", ELEMENT_SCALAR, true },
	{ "float", ELEMENT_SCALAR, true },   { "boolean", ELEMENT_SCALAR, true },	{ "id", ELEMENT_SCALAR, false },
	{ "list", ELEMENT_LIST, false },     { "container", ELEMENT_CONTAINER, false },
};
#define ATTRIBUTE_KINDS (sizeof(attribute_kinds) / sizeof(attribute_kinds[0]))

static size_t attribute_kind(struct iq_view name)
{
	size_t i = 0;

	while (i < ATTRIBUTE_KINDS && !iq_view_eq(name, iq_view_cstr(attribute_kinds[i].name)))
		i++;
	return i;
}

/* Of a number or a truth value: itself, where it is written as JSON has it. */
static void append_value(struct iq_buf *attrs, size_t kind, struct iq_view value)
{
	const bool bare = attribute_kinds[kind].plain && value.len > 0 && value.data[0] != '"' &&
			  value.data[0] != '[' && value.data[0] != '{' && value.data[0] != 'n' && iq_json_valid(value);

	if (bare)
		(void)iq_buf_append(attrs, value);
	else
		(void)iq_json_append_string(attrs, value.data ? value : IQ_LIT(""));
}

/* An attribute that turns out to have children: its own value becomes one of them. */
static void make_room_for_children(struct open_element *parent, struct iq_buf *attrs)
{
	struct iq_buf value = IQ_BUF_INIT;

	if (parent->element == ELEMENT_SCALAR && !parent->filled) {
		(void)iq_buf_append(&value, iq_view_from(iq_buf_view(attrs), parent->value));
		attrs->len = parent->value;
		(void)iq_buf_append_cstr(attrs, "{\"value\":");
		(void)iq_buf_append(attrs, iq_buf_view(&value));
		attrs->failed |= value.failed;
		iq_buf_release(&value);
		parent->filled = true;
	}
}

static void append_key(struct open_element *parent, struct iq_buf *attrs, struct iq_view key)
{
	if (parent->element == ELEMENT_EVENT || parent->element == ELEMENT_TRACE) {
		(void)iq_buf_append_char(attrs, attrs->len == 0 ? '{' : ',');
	} else {
		make_room_for_children(parent, attrs);
		if (parent->filled)
			(void)iq_buf_append_char(attrs, ',');
		parent->filled = true;
		if (parent->element == ELEMENT_LIST)
			(void)iq_buf_append_char(attrs, '{');
	}
	(void)iq_json_append_string(attrs, key);
	(void)iq_buf_append_char(attrs, ':');
}

/* The attrs that are written at the moment. */
static struct iq_buf *attrs_at_hand(struct iq_parser *parser)
{
	for (size_t i = parser->depth; i-- > 0;)
		if (parser->open[i].element == ELEMENT_EVENT)
			return &parser->event.attrs;
	return &parser->trace_attrs;
}

/* The element that children of the innermost one belong to. */
static struct open_element *parent_of(struct iq_parser *parser)
{
	size_t i = parser->depth - 1;

	while (parser->open[i].element == ELEMENT_VALUES)
		i--;
	return &parser->open[i];
}

static void begin_attribute(struct iq_parser *parser, struct open_element *element, size_t kind,
			    const char **attributes)
{
	struct iq_buf *attrs = attrs_at_hand(parser);
	struct iq_view key = value_of(attributes, "key");

	append_key(parent_of(parser), attrs, key.data ? key : IQ_LIT(""));
	element->value = attrs->len;
	if (element->element == ELEMENT_SCALAR)
		append_value(attrs, kind, value_of(attributes, "value"));
	else
		(void)iq_buf_append_char(attrs, element->element == ELEMENT_LIST ? '[' : '{');
}

static void end_attribute(struct iq_parser *parser, const struct open_element *element)
{
	struct iq_buf *attrs = attrs_at_hand(parser);

	if (element->element == ELEMENT_LIST)
		(void)iq_buf_append_char(attrs, ']');
	else if (element->element == ELEMENT_CONTAINER || element->filled)
		(void)iq_buf_append_char(attrs, '}');
	if (parent_of(parser)->element == ELEMENT_LIST)
		(void)iq_buf_append_char(attrs, '}');
}

/* ---- What has a column of its own ---- */

static bool take_text(struct iq_buf *text, struct iq_view value)
{
	iq_buf_clear(text);
	(void)iq_buf_append(text, value);
	return true;
}

static bool take_time(struct iq_parser *parser, struct iq_view value)
{
	struct iq_time time;

	if (!iq_time_read(value, &parser->output.options, &time))
		return false;
	parser->event.ts = time.ns;
	return true;
}

/* Is the attribute of an event or a trace told by a column? */
static bool take_column(struct iq_parser *parser, enum element parent, const char **attributes)
{
	const struct iq_view key = value_of(attributes, "key"), value = value_of(attributes, "value");

	if (!key.data || !value.data || (parent != ELEMENT_EVENT && parent != ELEMENT_TRACE))
		return false;
	if (iq_view_eq(key, IQ_LIT("concept:name")))
		return take_text(parent == ELEMENT_TRACE ? &parser->trace_name : &parser->event.type, value);
	if (parent != ELEMENT_EVENT)
		return false;
	if (iq_view_eq(key, IQ_LIT("concept:instance")))
		return take_text(&parser->event.key, value);
	return iq_view_eq(key, IQ_LIT("time:timestamp")) && take_time(parser, value);
}

/* ---- Stopping ---- */

/* Where in the stream the token at hand begins and ends. */
static uint64_t token_start(const struct iq_parser *parser)
{
	const int64_t index = XML_GetCurrentByteIndex(parser->xml);
	const int64_t opening = parser->opened ? (int64_t)strlen(OPENING) : 0;

	return parser->begun + (uint64_t)(index > opening ? index - opening : 0);
}

static uint64_t token_end(const struct iq_parser *parser)
{
	return token_start(parser) + (uint64_t)XML_GetCurrentByteCount(parser->xml);
}

static void halt(struct iq_parser *parser)
{
	parser->halted = true;
	(void)XML_StopParser(parser->xml, XML_FALSE);
}

static void stop(struct iq_parser *parser, uint64_t at, const char *why)
{
	if (parser->halted)
		return;
	(void)snprintf(parser->damage.why, sizeof(parser->damage.why), "%s", why);
	parser->damage.at = at;
	halt(parser);
}

static void refuse(struct iq_parser *parser, const char *why)
{
	parser->state = STATE_REFUSED;
	stop(parser, token_start(parser), why);
}

/* Negative, from the sink: the end of it all. */
static void check(struct iq_parser *parser, int rc)
{
	if (rc == 0 || parser->rc < 0)
		return;
	parser->rc = rc;
	halt(parser);
}

/* ---- Elements ---- */

static void begin_trace(struct iq_parser *parser)
{
	const uint64_t start = token_start(parser);

	check(parser, give_held(parser, start, parser->error));
	parser->unit = start;
	parser->events = 0;
	iq_buf_clear(&parser->trace_name);
	iq_buf_clear(&parser->trace_attrs);
}

static void end_trace(struct iq_parser *parser)
{
	if (parser->events > 0) {
		parser->held.last = true;
		parser->held.end = token_end(parser);
	} else {
		check(parser, give_nothing(parser, token_end(parser), "a trace without events", parser->error));
	}
}

static void begin_event(struct iq_parser *parser, enum element parent)
{
	struct xes_event *event = &parser->event;

	iq_buf_clear(&event->attrs);
	iq_buf_clear(&event->type);
	iq_buf_clear(&event->key);
	iq_buf_clear(&event->session);
	event->ts = IQ_TIME_NONE;
	event->seq = IQ_NUMBER_NONE;
	event->first = event->last = false;
	if (parent == ELEMENT_LOG)
		parser->unit = token_start(parser);
}

/* Traces may come without a name. */
static void name_session(const struct iq_parser *parser, struct iq_buf *session)
{
	if (parser->trace_name.len > 0)
		(void)iq_buf_append(session, iq_buf_view(&parser->trace_name));
	else
		(void)iq_buf_appendf(session, "trace at byte %" PRIu64, parser->unit);
}

static void tell_trace(struct iq_parser *parser, struct xes_event *event)
{
	event->first = parser->events == 0;
	event->seq = ++parser->events;
	name_session(parser, &event->session);
	if (event->first && parser->trace_attrs.len > 0)
		iq_attrs_raw(&event->attrs, IQ_LIT("trace"), iq_attrs_end(&parser->trace_attrs));
}

static void end_event(struct iq_parser *parser)
{
	struct xes_event event = parser->event;

	check(parser, give_held(parser, parser->held.end, parser->error));
	if (parser->open[parser->depth - 1].element == ELEMENT_TRACE)
		tell_trace(parser, &event);
	event.unit = parser->unit;
	event.offset = parser->reached;
	event.end = token_end(parser);
	parser->event = parser->held;
	parser->held = event;
	parser->holds = true;
}

/* What the name means within `parent`. */
static enum element element_within(enum element parent, struct iq_view name, size_t *ret_kind)
{
	*ret_kind = attribute_kind(name);
	if (parent == ELEMENT_IGNORED)
		return ELEMENT_IGNORED;
	if (parent == ELEMENT_LOG && iq_view_eq(name, IQ_LIT("trace")))
		return ELEMENT_TRACE;
	if ((parent == ELEMENT_LOG || parent == ELEMENT_TRACE) && iq_view_eq(name, IQ_LIT("event")))
		return ELEMENT_EVENT;
	if (parent == ELEMENT_LIST && iq_view_eq(name, IQ_LIT("values")))
		return ELEMENT_VALUES;
	if (parent == ELEMENT_LOG || *ret_kind == ATTRIBUTE_KINDS)
		return ELEMENT_IGNORED;
	return attribute_kinds[*ret_kind].element;
}

static bool is_attribute(enum element element)
{
	return element >= ELEMENT_SCALAR && element <= ELEMENT_CONTAINER;
}

static void begin_within(struct iq_parser *parser, struct iq_view name, const char **attributes)
{
	const enum element parent = parser->open[parser->depth - 1].element;
	struct open_element element = { .element = ELEMENT_IGNORED };
	size_t kind;

	element.element = element_within(parent, name, &kind);
	if (element.element == ELEMENT_TRACE)
		begin_trace(parser);
	else if (element.element == ELEMENT_EVENT)
		begin_event(parser, parent);
	else if (is_attribute(element.element) && take_column(parser, parent, attributes))
		element.element = ELEMENT_IGNORED;
	else if (is_attribute(element.element))
		begin_attribute(parser, &element, kind, attributes);
	parser->open[parser->depth++] = element;
}

static void begin_log(struct iq_parser *parser, const char *name)
{
	if (!iq_view_eq(local_name(name), IQ_LIT("log"))) {
		refuse(parser, "XML, but no log of XES");
		return;
	}
	parser->foreign |= strcmp(name, "log") != 0;
	parser->open[parser->depth++] = (struct open_element){ .element = ELEMENT_LOG };
}

/* ---- What expat finds ---- */

static void note_token(struct iq_parser *parser)
{
	const uint64_t start = token_start(parser);

	if (parser->halted)
		return;
	parser->blank = false;
	parser->consumed = token_end(parser);
	if (parser->consumed - start > MAX_TOKEN)
		stop(parser, start + MAX_TOKEN, "a tag, comment or value longer than 4 MiB");
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
	struct iq_parser *parser = context;
	const struct iq_view local = local_name(name);

	note_token(parser);
	if (parser->halted)
		return;
	if (parser->depth == MAX_DEPTH)
		stop(parser, token_start(parser), "elements within each other deeper than 64 levels");
	else if (parser->depth > 1 && iq_view_eq(local, IQ_LIT("trace")))
		stop(parser, token_start(parser), "a trace without its end");
	else if (parser->depth == 0)
		begin_log(parser, name);
	else
		begin_within(parser, local, attributes);
	if (parser->event.attrs.len > MAX_ATTRS || parser->trace_attrs.len > MAX_ATTRS)
		stop(parser, token_start(parser), "more than 16 MiB of attributes in one event or trace");
}

static void XMLCALL on_end(void *context, const char *name)
{
	struct iq_parser *parser = context;
	struct open_element element;

	(void)name;
	note_token(parser);
	if (parser->halted)
		return;
	element = parser->open[--parser->depth];
	parser->closed = parser->depth == 0;
	if (element.element == ELEMENT_TRACE)
		end_trace(parser);
	else if (element.element == ELEMENT_EVENT)
		end_event(parser);
	else if (is_attribute(element.element))
		end_attribute(parser, &element);
}

static void XMLCALL on_other(void *context, const char *text, int len)
{
	struct iq_parser *parser = context;
	const bool blank = parser->blank;
	bool space = true;

	note_token(parser);
	for (int i = 0; i < len && space; i++)
		space = strchr(" \t\r\n", text[i]) != NULL;
	parser->blank = blank && space;
}

/* XES needs no document type; with one come entities, which may expand without end or name files. */
static void XMLCALL on_doctype(void *context, const char *name, const char *system, const char *public, int internal)
{
	struct iq_parser *parser = context;

	(void)name;
	note_token(parser);
	if (system || public || internal)
		refuse(parser, "a document type, which may hold entities, is refused");
}

static bool is_single_byte(const char *encoding)
{
	static const char *const families[] = { "ISO-8859-", "windows-125", "cp125" };
	bool single = false;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		single |= strncasecmp(encoding, families[i], strlen(families[i])) == 0;
	return single && strlen(encoding) < 16;
}

/* Expat itself knows ISO-8859-1 and Unicode. */
static int XMLCALL on_encoding(void *context, const char *name, XML_Encoding *info)
{
	const iconv_t converter = is_single_byte(name) ? iconv_open("UTF-32LE", name) : (iconv_t)-1;

	(void)context;
	if (converter == (iconv_t)-1)
		return XML_STATUS_ERROR;
	for (int i = 0; i < 256; i++) {
		char from = (char)i, *in = &from;
		uint32_t character = 0;
		char *out = (char *)&character;
		size_t in_left = 1, out_left = sizeof(character);

		info->map[i] = iconv(converter, &in, &in_left, &out, &out_left) == 0 ? (int)le32toh(character) : -1;
	}
	info->convert = NULL;
	info->release = NULL;
	(void)iconv_close(converter);
	return XML_STATUS_OK;
}

static void XMLCALL on_declaration(void *context, const char *version, const char *encoding, int standalone)
{
	struct iq_parser *parser = context;

	(void)version;
	(void)standalone;
	note_token(parser);
	if (!encoding || strcasecmp(encoding, "UTF-8") == 0 || strcasecmp(encoding, "US-ASCII") == 0)
		return;
	parser->foreign = true;
	if (is_single_byte(encoding))
		(void)snprintf(parser->encoding, sizeof(parser->encoding), "%s", encoding);
}

static void set_handlers(struct iq_parser *parser)
{
	XML_SetUserData(parser->xml, parser);
	XML_SetElementHandler(parser->xml, on_start, on_end);
	XML_SetDefaultHandlerExpand(parser->xml, on_other);
	XML_SetStartDoctypeDeclHandler(parser->xml, on_doctype);
	XML_SetXmlDeclHandler(parser->xml, on_declaration);
	XML_SetUnknownEncodingHandler(parser->xml, on_encoding, NULL);
#ifdef IQ_EXPAT_DEFERS
	/* Done here, in is_worth_it(): what is found must not depend on the pieces that expat was given. */
	(void)XML_SetReparseDeferralEnabled(parser->xml, XML_FALSE);
#endif
}

/* ---- Damage ---- */

static bool in_trace(const struct iq_parser *parser)
{
	return parser->depth > 1 && parser->open[1].element == ELEMENT_TRACE;
}

/* Where the bytes begin of which not everything was given, at a place that can be read alone. */
static uint64_t restart_unit(const struct iq_parser *parser)
{
	uint64_t unit = parser->reached;

	if (parser->foreign)
		return parser->output.options.from.offset;
	if (parser->holds)
		unit = parser->held.offset < parser->held.unit ? parser->held.offset : parser->held.unit;
	else if (in_trace(parser) && parser->unit < unit)
		unit = parser->unit;
	return unit;
}

/* What is wrong is known; how far it reaches is not. */
static int begin_damage(struct iq_parser *parser, struct iq_error *error)
{
	struct damage *damage = &parser->damage;
	int rc;

	damage->unit = restart_unit(parser);
	rc = give_held(parser, parser->held.end, error);
	damage->from = parser->reached;
	iq_buf_clear(&damage->session);
	if (in_trace(parser) && (parser->events > 0 || parser->trace_name.len > 0))
		name_session(parser, &damage->session);
	parser->seek = damage->at > parser->begun ? damage->at : parser->begun + 1; /* further each time */
	if (parser->state == STATE_READING)
		parser->state = STATE_SEEKING;
	return rc;
}

static int end_damage(struct iq_parser *parser, uint64_t end, struct iq_error *error)
{
	const struct damage *damage = &parser->damage;

	parser->output.gap_session = filled(&damage->session);
	parser->reached = end;
	return end > damage->from ? iq_output_damage(&parser->output, damage->from, end - damage->from, error,
						     "byte %" PRIu64 ": %s", damage->at, damage->why)
				  : 0;
}

/* ---- Reading ---- */

static int memory_or(struct iq_parser *parser, int rc, struct iq_error *error)
{
	return XML_GetErrorCode(parser->xml) == XML_ERROR_NO_MEMORY ? iq_error_nomem(error) : rc;
}

static void drop_unread(struct iq_parser *parser, uint64_t until)
{
	if (until <= parser->unread_from)
		return;
	iq_buf_consume(&parser->unread, (size_t)(until - parser->unread_from));
	parser->unread_from = until;
}

/* Around the log, what expat finds first and where depends on how much it was given at once. */
static void stop_where_expat_did(struct iq_parser *parser)
{
	const enum XML_Error code = XML_GetErrorCode(parser->xml);

	if (parser->depth > 0 || code == XML_ERROR_UNKNOWN_ENCODING)
		stop(parser, token_start(parser), XML_ErrorString(code));
	else
		stop(parser, parser->consumed,
		     parser->closed ? "something else behind the log" : "no XML that begins a log");
}

/* 0, or 1 where something is wrong that `damage` tells. */
static int parse(struct iq_parser *parser, struct iq_view bytes, bool final, struct iq_error *error)
{
	enum XML_Status status;

	parser->error = error;
	status = XML_Parse(parser->xml, bytes.data, (int)bytes.len, final);
	if (parser->rc < 0)
		return parser->rc;
	if (status == XML_STATUS_OK)
		return 0;
	if (!parser->halted)
		stop_where_expat_did(parser);
	return memory_or(parser, 1, error);
}

/* Expat looks at an unfinished token from its beginning each time: it has to have grown to twice its size first. */
static bool is_worth_it(const struct iq_parser *parser)
{
	return parser->position - parser->given > (parser->given - parser->consumed);
}

/* Gives expat what it was not given yet, of a token no more than may be of one. 1: there is more to do. */
static int read_on(struct iq_parser *parser, struct iq_error *error)
{
	const uint64_t most = MAX_TOKEN + 1 - (parser->given - parser->consumed);
	struct iq_view left = iq_view_from(iq_buf_view(&parser->unread), (size_t)(parser->given - parser->unread_from));
	int rc;

	left.len = left.len < most ? left.len : (size_t)most;
	rc = parse(parser, left, false, error);
	parser->given += left.len;
	if (rc == 0 && parser->given - parser->consumed > MAX_TOKEN) {
		stop(parser, parser->consumed + MAX_TOKEN, "a tag, comment or value longer than 4 MiB");
		rc = 1;
	}
	if (rc == 1)
		return begin_damage(parser, error);
	drop_unread(parser, parser->consumed);
	return rc == 0 && parser->given < parser->position ? 1 : rc;
}

/* Another document for expat begins. */
static int open_document(struct iq_parser *parser, uint64_t at, struct iq_error *error)
{
	(void)XML_ParserReset(parser->xml, parser->encoding[0] ? parser->encoding : NULL);
	set_handlers(parser);
	parser->state = STATE_READING;
	parser->halted = parser->closed = false;
	parser->depth = 0;
	iq_buf_clear(&parser->event.attrs);
	iq_buf_clear(&parser->trace_attrs);
	parser->begun = parser->given = parser->consumed = at;
	parser->opened = at > 0;
	if (parser->opened && parse(parser, IQ_LIT(OPENING), false, error) != 0)
		return iq_error_nomem(error);
	parser->consumed = at;
	parser->blank = true;
	return 0;
}

/* Where in the text a trace begins, or might if it went on; where it begins there is more text than the tag. */
static size_t find_trace(struct iq_view text, size_t from)
{
	const size_t tag = strlen(TRACE_TAG);
	size_t at = from;

	while (at < text.len && text.len - at > tag) {
		const size_t found = iq_view_find(iq_view_from(text, at), IQ_LIT(TRACE_TAG));

		if (found == SIZE_MAX)
			return text.len - tag;
		at += found;
		if (text.len - at == tag || strchr(" \t\r\n/>", text.data[at + tag]))
			break;
		at++;
	}
	return at;
}

/* 1 where a trace was found. */
static int seek_trace(struct iq_parser *parser, struct iq_error *error)
{
	const uint64_t skip = parser->seek > parser->unread_from ? parser->seek - parser->unread_from : 0;
	int rc;

	if (skip >= parser->unread.len)
		return 0;
	drop_unread(parser, parser->unread_from + find_trace(iq_buf_view(&parser->unread), (size_t)skip));
	if (parser->unread.len <= strlen(TRACE_TAG))
		return 0;
	rc = end_damage(parser, parser->unread_from, error);
	if (rc == 0)
		rc = open_document(parser, parser->unread_from, error);
	return rc < 0 ? rc : 1;
}

/* Until there is nothing more to be found in what is unread. With `all`, no token is waited for. */
static int work_off(struct iq_parser *parser, bool all, struct iq_error *error)
{
	int rc = 1;

	while (rc == 1) {
		rc = parser->state == STATE_READING && (all || is_worth_it(parser)) ? read_on(parser, error) : 0;
		if (rc == 0 && parser->state == STATE_SEEKING)
			rc = seek_trace(parser, error);
	}
	return rc;
}

static int take_slice(struct iq_parser *parser, struct iq_view slice, struct iq_error *error)
{
	/* Wide characters have zeros, or a byte order mark of two bytes. */
	for (size_t i = 0; i < slice.len && parser->position + i < 2; i++)
		parser->foreign |= slice.data[i] == '\0' || (unsigned char)slice.data[i] >= 0xFE;
	parser->position += slice.len;
	if (parser->state == STATE_REFUSED)
		return 0;
	return iq_buf_append(&parser->unread, slice) < 0 ? iq_error_nomem(error) : work_off(parser, false, error);
}

/* ---- The format ---- */

static int feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error)
{
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		const struct iq_view slice = iq_view_make(bytes.data, bytes.len < SLICE ? bytes.len : SLICE);

		rc = take_slice(parser, slice, error);
		bytes = iq_view_from(bytes, slice.len);
	}
	return rc;
}

static struct iq_restart restart(const struct iq_parser *parser)
{
	uint64_t offset = parser->state == STATE_READING ? restart_unit(parser) : parser->damage.unit;

	if (parser->ended)
		offset = parser->position;
	else if (parser->state == STATE_REFUSED)
		offset = parser->output.options.from.offset;
	return (struct iq_restart){ offset, 0 };
}

static int end_reading(struct iq_parser *parser, struct iq_error *error)
{
	int rc = parser->blank ? 0 : parse(parser, IQ_LIT(""), true, error);

	if (rc == 1) {
		parser->damage.at = parser->position;
		(void)snprintf(parser->damage.why, sizeof(parser->damage.why),
			       "the log ends here, in the middle; what was whole before is taken in");
		return begin_damage(parser, error);
	}
	if (rc == 0)
		rc = give_held(parser, parser->position, error);
	return rc == 0 ? give_nothing(parser, parser->position,
				      parser->blank ? "nothing but white space" : "no further trace", error)
		       : rc;
}

static int end(struct iq_parser *parser, struct iq_error *error)
{
	int rc = parser->ended ? 0 : work_off(parser, true, error);

	if (!parser->ended && parser->state == STATE_READING && rc == 0)
		rc = end_reading(parser, error);
	if (!parser->ended && parser->state != STATE_READING && rc == 0)
		rc = end_damage(parser, parser->position, error);
	parser->ended = true;
	return rc;
}

static void release_event(struct xes_event *event)
{
	iq_buf_release(&event->attrs);
	iq_buf_release(&event->type);
	iq_buf_release(&event->key);
	iq_buf_release(&event->session);
}

static void close_parser(struct iq_parser *parser)
{
	if (!parser)
		return;
	XML_ParserFree(parser->xml);
	release_event(&parser->event);
	release_event(&parser->held);
	iq_buf_release(&parser->unread);
	iq_buf_release(&parser->trace_name);
	iq_buf_release(&parser->trace_attrs);
	iq_buf_release(&parser->damage.session);
	free(parser);
}

static struct iq_parser *open_parser(const struct iq_format *format, const struct iq_parser_options *options,
				     const struct iq_sink *sink)
{
	struct iq_parser *parser = calloc(1, sizeof(*parser));

	(void)format;
	if (!parser)
		return NULL;
	parser->output = (struct iq_output){ .options = *options, .sink = sink, .gap_source = options->source };
	parser->xml = XML_ParserCreate(NULL);
	parser->position = parser->reached = parser->unread_from = options->from.offset;
	if (parser->xml && open_document(parser, options->from.offset, NULL) == 0)
		return parser;
	close_parser(parser);
	return NULL;
}

/* ---- Probing ---- */

struct probe {
	XML_Parser xml;
	int score;
};

static void XMLCALL probe_root(void *context, const char *name, const char **attributes)
{
	struct probe *probe = context;

	if (iq_view_eq(local_name(name), IQ_LIT("log")))
		probe->score = value_of(attributes, "xes.version").data ? 99 : 80;
	(void)XML_StopParser(probe->xml, XML_FALSE);
}

static int probe(struct iq_view head)
{
	struct probe probe = { .xml = head.len > 0 && memchr(head.data, '<', head.len < 64 ? head.len : 64)
					      ? XML_ParserCreate(NULL)
					      : NULL };

	if (!probe.xml)
		return 0;
	XML_SetUserData(probe.xml, &probe);
	XML_SetStartElementHandler(probe.xml, probe_root);
	XML_SetUnknownEncodingHandler(probe.xml, on_encoding, NULL);
	(void)XML_Parse(probe.xml, head.data, (int)head.len, XML_FALSE);
	XML_ParserFree(probe.xml);
	return probe.score;
}

const struct iq_format iq_format_xes = {
	.name = "xes",
	.summary = "event logs of process mining (IEEE 1849)",
	.probe = probe,
	.open = open_parser,
	.feed = feed,
	.restart = restart,
	.end = end,
	.close = close_parser,
};
