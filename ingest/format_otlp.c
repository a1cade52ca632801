/* OTLP/JSON logs, one ExportLogsServiceRequest or LogsData a line, as the OpenTelemetry Collector's file exporter writes them
 * (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding):
 *	{"resourceLogs":[{"resource":{..},"scopeLogs":[{"scope":{..},"logRecords":[{..},..]}]}]}
 * Numbers of 64 bits are texts or numbers, enums are numbers, ids are hexadecimal, unknown members are ignored. All records of
 * a request share its range. */
#include "ingest/document_parser.h"
#include "ingest/formats.h"
#include "ingest/members.h"

/* Values nested deeper than this stay as they are written. */
#define MAX_DEPTH 32

struct request {
	const struct iq_element_reading *reading;
	struct iq_view resource; /* its attributes, raw; NULL: none */
	struct iq_view scope;	 /* raw */
	struct iq_view source;
};

/* ---- Values ---- */

static void append_value(struct iq_buf *json, struct iq_view any, unsigned depth);

struct list {
	struct iq_buf *json;
	unsigned depth;
	bool is_object;
	bool any;
};

static int append_item(void *context, struct iq_view item, struct iq_error *error)
{
	struct list *list = context;
	struct iq_view name = list->is_object ? iq_member_find(item, IQ_LIT("key")) : IQ_VIEW_NULL;

	(void)error;
	if (list->is_object && (!name.data || name.data[0] != '"'))
		return 0;
	if (list->any)
		(void)iq_buf_append_char(list->json, ',');
	list->any = true;
	if (list->is_object) {
		(void)iq_buf_append(list->json, name);
		(void)iq_buf_append_char(list->json, ':');
		item = iq_member_find(item, IQ_LIT("value"));
	}
	append_value(list->json, item, list->depth + 1);
	return 0;
}

static void append_list(struct iq_buf *json, struct iq_view values, bool is_object, unsigned depth)
{
	struct list list = { .json = json, .depth = depth, .is_object = is_object };

	(void)iq_buf_append_char(json, is_object ? '{' : '[');
	(void)iq_elements_each(values, append_item, &list, NULL);
	(void)iq_buf_append_char(json, is_object ? '}' : ']');
}

/* A number of 64 bits, which may be written as a text, as a JSON number. */
static void append_number(struct iq_buf *json, const struct iq_member *member)
{
	int64_t number;
	bool is_whole = member->value.type == IQ_JSON_STRING && iq_view_to_int64(member->value.raw, &number);

	(void)iq_buf_append(json, is_whole ? member->value.raw : member->raw);
}

/* An AnyValue as the plain JSON that it stands for. */
static void append_value(struct iq_buf *json, struct iq_view any, unsigned depth)
{
	struct iq_members members;
	struct iq_member member;

	if (depth > MAX_DEPTH || any.len == 0 || !iq_members_open(&members, any, false) ||
	    iq_members_next(&members, &member) <= 0)
		(void)iq_buf_append(json, any.len > 0 && depth > MAX_DEPTH ? any : IQ_LIT("null"));
	else if (iq_view_eq(member.name, IQ_LIT("intValue")))
		append_number(json, &member);
	else if (iq_view_eq(member.name, IQ_LIT("kvlistValue")))
		append_list(json, iq_member_find(member.raw, IQ_LIT("values")), true, depth);
	else if (iq_view_eq(member.name, IQ_LIT("arrayValue")))
		append_list(json, iq_member_find(member.raw, IQ_LIT("values")), false, depth);
	else
		(void)iq_buf_append(json, member.raw);
}

/* ---- Attributes ---- */

struct search {
	struct iq_view name;
	struct iq_view found; /* its AnyValue */
};

static int look_at(void *context, struct iq_view attribute, struct iq_error *error)
{
	struct search *search = context;
	struct iq_view name = iq_member_find(attribute, IQ_LIT("key"));

	(void)error;
	if (name.len == search->name.len + 2 && memcmp(name.data + 1, search->name.data, search->name.len) == 0)
		search->found = iq_member_find(attribute, IQ_LIT("value"));
	return 0;
}

/* The text of the attribute; NULL if it has none. */
static struct iq_view attribute_of(struct iq_view attributes, const char *name, struct iq_buf *scratch)
{
	struct search search = { .name = iq_view_cstr(name) };
	struct iq_json_value value = { .type = IQ_JSON_NONE };

	(void)iq_elements_each(attributes, look_at, &search, NULL);
	if (search.found.data)
		value = iq_json_pointer(search.found, IQ_LIT("/stringValue"), scratch);
	return value.type == IQ_JSON_STRING ? value.text : IQ_VIEW_NULL;
}

static struct iq_view first_attribute(struct iq_view attributes, const char *const *names, struct iq_buf *scratch)
{
	struct iq_view text = IQ_VIEW_NULL;

	for (; *names && !text.data; names++)
		text = attribute_of(attributes, *names, scratch);
	return text;
}

static int add_attribute(void *context, struct iq_view attribute, struct iq_error *error)
{
	const struct request *request = context;
	struct iq_view name = iq_member_find(attribute, IQ_LIT("key"));
	struct iq_buf value = IQ_BUF_INIT;

	(void)error;
	if (name.len < 2 || name.data[0] != '"')
		return 0;
	append_value(&value, iq_member_find(attribute, IQ_LIT("value")), 0);
	iq_attrs_raw(request->reading->attrs, iq_view_make(name.data + 1, name.len - 2), iq_buf_view(&value));
	request->reading->attrs->failed |= value.failed;
	iq_buf_release(&value);
	return 0;
}

static void add_object(struct iq_buf *attrs, const char *name, struct iq_view attributes)
{
	struct iq_buf object = IQ_BUF_INIT;

	if (attributes.len > 0) {
		append_list(&object, attributes, true, 0);
		iq_attrs_raw(attrs, iq_view_cstr(name), iq_buf_view(&object));
		attrs->failed |= object.failed;
	}
	iq_buf_release(&object);
}

/* ---- A record ---- */

static void add_member(const struct request *request, const struct iq_member *member, const char *name)
{
	struct iq_view text = iq_member_text(member, request->reading->scratch);

	if (text.len > 0)
		iq_attrs_text(request->reading->attrs, iq_view_cstr(name), text);
}

/* SeverityNumber: four steps of each. */
static enum iq_severity severity_of(const struct iq_member *member, enum iq_severity otherwise)
{
	static const enum iq_severity of_four[] = { IQ_SEVERITY_TRACE,	 IQ_SEVERITY_DEBUG, IQ_SEVERITY_INFO,
						    IQ_SEVERITY_WARNING, IQ_SEVERITY_ERROR, IQ_SEVERITY_CRITICAL };
	int64_t number;

	return iq_view_to_int64(member->value.raw, &number) && number >= 1 && number <= 24 ? of_four[(number - 1) / 4]
											   : otherwise;
}

static void set_time(const struct iq_member *member, struct iq_buf *scratch, int64_t *ret_ns)
{
	int64_t ns;

	if (iq_view_to_int64(iq_member_text(member, scratch), &ns) && ns > 0)
		*ret_ns = ns;
}

/* A text is the body; anything else is, as the JSON that it stands for. */
static struct iq_view body_of(struct iq_view any, struct iq_buf *scratch)
{
	struct iq_json_value text = iq_json_pointer(any, IQ_LIT("/stringValue"), scratch);
	size_t start;

	if (text.type == IQ_JSON_STRING)
		return text.text;
	start = scratch->len;
	append_value(scratch, any, 0);
	return iq_view_from(iq_buf_view(scratch), start);
}

static void set_member(const struct request *request, struct iq_event *event, const struct iq_member *member)
{
	struct iq_buf *scratch = request->reading->scratch;

	if (iq_view_eq(member->name, IQ_LIT("timeUnixNano")))
		set_time(member, scratch, &event->ts);
	else if (iq_view_eq(member->name, IQ_LIT("observedTimeUnixNano")))
		set_time(member, scratch, &event->observed);
	else if (iq_view_eq(member->name, IQ_LIT("severityNumber")))
		event->severity = severity_of(member, event->severity);
	else if (iq_view_eq(member->name, IQ_LIT("severityText")) && event->severity == IQ_SEVERITY_NONE)
		(void)iq_severity_parse(iq_member_text(member, scratch), &event->severity);
	else if (iq_view_eq(member->name, IQ_LIT("body")))
		event->body = body_of(member->raw, scratch);
	else if (iq_view_eq(member->name, IQ_LIT("eventName")))
		event->type = iq_member_text(member, scratch);
	else if (iq_view_eq(member->name, IQ_LIT("traceId")))
		add_member(request, member, "trace");
	else if (iq_view_eq(member->name, IQ_LIT("spanId")))
		add_member(request, member, "span");
}

static int give_record(void *context, struct iq_view text, struct iq_error *error)
{
	struct request *request = context;
	const struct iq_element_reading *reading = request->reading;
	struct iq_record record = iq_element_record(reading);
	struct iq_view attributes = iq_member_find(text, IQ_LIT("attributes")), scope;
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, false))
		return 0;
	record.event.source = request->source;
	while (iq_members_next(&members, &member) > 0)
		set_member(request, &record.event, &member);
	if (record.event.ts == IQ_TIME_NONE)
		record.event.ts = record.event.observed;
	if (record.event.type.len == 0)
		record.event.type = attribute_of(attributes, "event.name", reading->scratch);
	record.event.session = attribute_of(attributes, "session.id", reading->scratch);
	(void)iq_elements_each(attributes, add_attribute, request, NULL);
	scope = iq_member_find(request->scope, IQ_LIT("name"));
	if (scope.len > 2)
		iq_attrs_raw(reading->attrs, IQ_LIT("scope"), scope);
	add_object(reading->attrs, "resource", request->resource);
	return iq_element_give(reading, &record, error);
}

/* ---- A request ---- */

static int read_scope(void *context, struct iq_view scope_logs, struct iq_error *error)
{
	struct request *request = context;

	request->scope = iq_member_find(scope_logs, IQ_LIT("scope"));
	return iq_elements_each(iq_member_find(scope_logs, IQ_LIT("logRecords")), give_record, request, error);
}

static int read_resource(void *context, struct iq_view resource_logs, struct iq_error *error)
{
	static const char *const names[] = { "service.name", "k8s.container.name", "container.name",
					     "k8s.pod.name", "host.name",	   NULL };
	struct request *request = context;
	struct iq_view name;

	request->resource = iq_member_find(iq_member_find(resource_logs, IQ_LIT("resource")), IQ_LIT("attributes"));
	name = first_attribute(request->resource, names, request->reading->scratch);
	request->source = name.len > 0 ? name : request->reading->options->source;
	return iq_elements_each(iq_member_find(resource_logs, IQ_LIT("scopeLogs")), read_scope, request, error);
}

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct request request = { .reading = reading };
	struct iq_view logs = iq_member_find(reading->text, IQ_LIT("resourceLogs"));

	if (!logs.data) {
		*ret_why = "no logs of OTLP: no resourceLogs";
		return IQ_ERR_FORMAT;
	}
	return iq_elements_each(logs, read_resource, &request, error);
}

/* ---- The format ---- */

static const struct iq_document_rules rules = { .parse = parse, .any_source = true };

/* The first request may be larger than the head: its names count, as far as they are there. */
static int score_element(struct iq_view text, bool cut)
{
	struct iq_json json;
	struct iq_json_token token;

	(void)cut;
	iq_json_init(&json, text);
	if (iq_json_next(&json, &token) <= 0 || token.type != IQ_JSON_OBJECT_BEGIN)
		return 0;
	while (iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_KEY) {
		if (iq_view_eq(token.raw, IQ_LIT("resourceLogs")))
			return 95;
		if (iq_json_next(&json, &token) <= 0 || !iq_json_skip(&json, &token).data)
			return 0;
	}
	return 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score_element);
}

const struct iq_format iq_format_otlp = {
	.name = "otlp",
	.summary = "OpenTelemetry logs in JSON (the Collector's file exporter)",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
