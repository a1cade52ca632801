/* Google Cloud Logging: LogEntry objects, as `gcloud logging read --format json` and sinks write them
 * (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry), in an array or one after the other.
 *
 * Entries with the same timestamp are ordered by insertId, whatever their order in the file; of those with the same timestamp and
 * insertId one counts; the pieces of an entry that was split are put together. All of that is among entries that
 * follow each other and have the same timestamp: they are read as a group. */
#include <stdio.h>
#include <stdlib.h>

#include "ingest/document_parser.h"
#include "ingest/formats.h"
#include "ingest/members.h"

/* `gcloud logging read` stops there, unless it is told another --limit. */
#define DEFAULT_LIMIT 1000

enum field {
	FIELD_LOG_NAME,
	FIELD_RESOURCE,
	FIELD_TIMESTAMP,
	FIELD_RECEIVED,
	FIELD_SEVERITY,
	FIELD_INSERT_ID,
	FIELD_HTTP,
	FIELD_LABELS,
	FIELD_TRACE,
	FIELD_SPAN,
	FIELD_SPLIT,
	FIELD_TEXT,
	FIELD_JSON,
	FIELD_PROTO,
	FIELD_OPERATION,
	FIELD_LOCATION,
	FIELD_COUNT
};

static const struct iq_view field_names[FIELD_COUNT] = {
	[FIELD_LOG_NAME] = { "logName", 7 },	[FIELD_RESOURCE] = { "resource", 8 },
	[FIELD_TIMESTAMP] = { "timestamp", 9 }, [FIELD_RECEIVED] = { "receiveTimestamp", 16 },
	[FIELD_SEVERITY] = { "severity", 8 },	[FIELD_INSERT_ID] = { "insertId", 8 },
	[FIELD_HTTP] = { "httpRequest", 11 },	[FIELD_LABELS] = { "labels", 6 },
	[FIELD_TRACE] = { "trace", 5 },		[FIELD_SPAN] = { "spanId", 6 },
	[FIELD_SPLIT] = { "split", 5 },		[FIELD_TEXT] = { "textPayload", 11 },
	[FIELD_JSON] = { "jsonPayload", 11 },	[FIELD_PROTO] = { "protoPayload", 12 },
	[FIELD_OPERATION] = { "operation", 9 }, [FIELD_LOCATION] = { "sourceLocation", 14 },
};

/* What a resource calls that which logs. */
static const struct {
	struct iq_view type;
	const char *label;
} resource_names[] = {
	{ { "cloud_run_revision", 18 }, "/labels/service_name" },
	{ { "cloud_run_job", 13 }, "/labels/job_name" },
	{ { "cloud_function", 14 }, "/labels/function_name" },
	{ { "k8s_container", 13 }, "/labels/container_name" },
	{ { "k8s_pod", 7 }, "/labels/pod_name" },
	{ { "gae_app", 7 }, "/labels/module_id" },
	{ { "gce_instance", 12 }, "/labels/instance_id" },
	{ { "cloudsql_database", 17 }, "/labels/database_id" },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct entry {
	struct iq_member fields[FIELD_COUNT]; /* `name.data` NULL: not there */
	struct iq_view insert_id;
	struct iq_view split; /* uid, NULL: whole */
	int64_t piece;
	int64_t pieces;
};

/* Of the document at hand. */
struct state {
	uint64_t document;
	uint64_t entries;
	int64_t first;
	int64_t last;
};

/* ---- One entry ---- */

static struct iq_view text_of(const struct iq_member *member, struct iq_buf *scratch)
{
	return member->name.data ? iq_member_text(member, scratch) : IQ_VIEW_NULL;
}

static struct iq_view text_at(const struct iq_member *member, const char *pointer, struct iq_buf *scratch)
{
	return member->name.data ? iq_text_at(member->raw, pointer, scratch) : IQ_VIEW_NULL;
}

static enum field field_of(struct iq_view name)
{
	enum field field = 0;

	while (field < FIELD_COUNT && !iq_view_eq(name, field_names[field]))
		field++;
	return field;
}

static void read_split(struct entry *entry, struct iq_buf *scratch)
{
	const struct iq_member *split = &entry->fields[FIELD_SPLIT];

	entry->split = text_at(split, "/uid", scratch);
	if (!iq_view_to_int64(text_at(split, "/index", scratch), &entry->piece))
		entry->piece = 0; /* which a writer leaves out */
	if (!iq_view_to_int64(text_at(split, "/totalSplits", scratch), &entry->pieces))
		entry->split = IQ_VIEW_NULL;
}

static bool read_entry(struct iq_view text, struct entry *entry, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	*entry = (struct entry){ .pieces = 1 };
	if (!iq_members_open(&members, text, false))
		return false;
	while (iq_members_next(&members, &member) > 0) {
		enum field field = field_of(member.name);

		if (field < FIELD_COUNT)
			entry->fields[field] = member;
	}
	entry->insert_id = text_of(&entry->fields[FIELD_INSERT_ID], scratch);
	read_split(entry, scratch);
	return entry->fields[FIELD_LOG_NAME].name.data || entry->fields[FIELD_RESOURCE].name.data ||
	       entry->insert_id.data;
}

static struct iq_view group_of(struct iq_view text, struct iq_buf *scratch)
{
	struct iq_json_value time = iq_json_pointer(text, IQ_LIT("/timestamp"), scratch);

	return time.type == IQ_JSON_STRING ? time.raw : IQ_VIEW_NULL;
}

/* ---- What it becomes ---- */

/* Of a resource's name (`projects/p/traces/t`) what it is called there. */
static struct iq_view last_of(const struct iq_member *member, struct iq_buf *scratch)
{
	struct iq_view name = text_of(member, scratch);

	return iq_view_take_last(&name, '/');
}

static struct iq_view source_of(const struct entry *entry, struct iq_view otherwise, struct iq_buf *scratch)
{
	const struct iq_member *resource = &entry->fields[FIELD_RESOURCE];
	struct iq_view type = text_at(resource, "/type", scratch), name = IQ_VIEW_NULL;

	for (size_t i = 0; i < COUNT(resource_names) && !name.data; i++)
		if (iq_view_eq(type, resource_names[i].type))
			name = text_at(resource, resource_names[i].label, scratch);
	return name.data ? name : type.data ? type : otherwise;
}

static void add_text(struct iq_buf *attrs, const char *name, struct iq_view text)
{
	if (text.data)
		iq_attrs_text(attrs, iq_view_cstr(name), text);
}

static void add_json(struct iq_buf *attrs, const struct iq_member *member)
{
	if (member->name.data)
		iq_attrs_raw(attrs, member->name, member->raw);
}

static void set_attrs(const struct iq_element_reading *reading, const struct entry *entry, bool joined)
{
	struct iq_buf *attrs = reading->attrs, *scratch = reading->scratch;

	add_text(attrs, "log", last_of(&entry->fields[FIELD_LOG_NAME], scratch));
	add_text(attrs, "insertId", entry->insert_id);
	add_text(attrs, "trace", last_of(&entry->fields[FIELD_TRACE], scratch));
	add_text(attrs, "spanId", text_of(&entry->fields[FIELD_SPAN], scratch));
	add_json(attrs, &entry->fields[FIELD_RESOURCE]);
	add_json(attrs, &entry->fields[FIELD_LABELS]);
	add_json(attrs, &entry->fields[FIELD_OPERATION]);
	add_json(attrs, &entry->fields[FIELD_LOCATION]);
	if (!joined)
		add_json(attrs, &entry->fields[FIELD_SPLIT]);
}

static struct iq_record begin_record(const struct iq_element_reading *reading, const struct entry *entry)
{
	struct iq_record record = iq_element_record(reading);
	struct iq_event *event = &record.event;
	const struct iq_member *time = &entry->fields[FIELD_TIMESTAMP], *received = &entry->fields[FIELD_RECEIVED];

	if (received->name.data)
		(void)iq_member_time(received, reading->scratch, &event->observed);
	if (!time->name.data || !iq_member_time(time, reading->scratch, &event->ts))
		event->ts = event->observed;
	event->source = source_of(entry, reading->options->source, reading->scratch);
	(void)iq_severity_parse(text_of(&entry->fields[FIELD_SEVERITY], reading->scratch), &event->severity);
	return record;
}

/* ---- Requests ---- */

/* The load balancer's record of one exchange: the request at its time, the answer as much later as it took. */
static int give_exchange(const struct iq_element_reading *reading, const struct entry *entry, struct iq_error *error)
{
	const struct iq_member *http = &entry->fields[FIELD_HTTP];
	struct iq_buf *scratch = reading->scratch, *attrs = reading->attrs;
	struct iq_record record = begin_record(reading, entry);
	const enum iq_severity severity = record.event.severity;
	struct iq_view status = text_at(http, "/status", scratch), latency = text_at(http, "/latency", scratch);
	struct iq_view trace = last_of(&entry->fields[FIELD_TRACE], scratch);
	int64_t number, took = 0;
	int rc;

	record.event.kind = IQ_KIND_HTTP_REQUEST;
	record.event.direction = IQ_DIRECTION_CLIENT;
	record.event.severity = IQ_SEVERITY_NONE;
	record.event.key = trace.data ? trace : entry->insert_id;
	record.event.body = IQ_VIEW_NULL;
	add_text(attrs, "method", text_at(http, "/requestMethod", scratch));
	add_text(attrs, "url", text_at(http, "/requestUrl", scratch));
	add_text(attrs, "remote", text_at(http, "/remoteIp", scratch));
	add_text(attrs, "user_agent", text_at(http, "/userAgent", scratch));
	set_attrs(reading, entry, false);
	rc = iq_element_give(reading, &record, error);
	if (rc < 0 || !iq_view_to_int64(status, &number) || number <= 0)
		return rc;
	record.event.kind = IQ_KIND_HTTP_RESPONSE;
	record.event.direction = IQ_DIRECTION_SERVER;
	record.event.severity = severity;
	if (iq_duration_parse(latency, &took))
		record.event.ts = iq_time_shift(record.event.ts, took);
	add_text(attrs, "url", text_at(http, "/requestUrl", scratch));
	iq_attrs_number(attrs, IQ_LIT("status"), (uint64_t)number);
	add_text(attrs, "latency", latency);
	add_text(attrs, "bytes", text_at(http, "/responseSize", scratch));
	return iq_element_give(reading, &record, error);
}

/* ---- Log lines ---- */

static const struct iq_member *payload_of(const struct entry *entry)
{
	static const enum field payloads[] = { FIELD_TEXT, FIELD_JSON, FIELD_PROTO };

	for (size_t i = 0; i < COUNT(payloads); i++)
		if (entry->fields[payloads[i]].name.data)
			return &entry->fields[payloads[i]];
	return NULL;
}

static void append_payload(struct iq_buf *scratch, const struct iq_member *payload)
{
	if (payload->value.type == IQ_JSON_STRING)
		(void)iq_json_unescape(scratch, payload->value.raw);
	else
		(void)iq_buf_append(scratch, payload->raw);
}

/* Entries from `i` on that are the pieces of one, in their order: they are sorted. */
static size_t count_pieces(const struct entry *entries, size_t count, size_t i)
{
	size_t pieces = 1;

	if (!entries[i].split.data || entries[i].piece != 0)
		return 1;
	while (i + pieces < count && entries[i + pieces].split.data &&
	       iq_view_eq(entries[i + pieces].split, entries[i].split) &&
	       entries[i + pieces].piece == (int64_t)pieces && payload_of(&entries[i + pieces]))
		pieces++;
	return pieces;
}

static int give_log(const struct iq_element_reading *reading, const struct entry *entries, size_t pieces,
		    struct iq_error *error)
{
	const struct iq_member *payload = payload_of(entries);
	struct iq_record record = begin_record(reading, entries);
	struct iq_buf *scratch = reading->scratch;
	const size_t start = scratch->len;

	append_payload(scratch, payload);
	for (size_t i = 1; i < pieces; i++)
		append_payload(scratch, payload_of(&entries[i]));
	record.event.body = iq_view_from(iq_buf_view(scratch), start);
	set_attrs(reading, entries, (int64_t)pieces == entries->pieces);
	add_json(reading->attrs, &entries->fields[FIELD_HTTP]);
	if (reading->options->notes)
		reading->options->notes->joined += pieces - 1;
	return iq_element_give(reading, &record, error);
}

/* ---- Entries of one time ---- */

static int compare_views(struct iq_view a, struct iq_view b)
{
	int order = memcmp(a.data ? a.data : "", b.data ? b.data : "", a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The pieces of one entry have insertIds of their own: they stay together. */
static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = compare_views(a->split, b->split);

	if (order == 0 && a->split.data)
		order = (a->piece > b->piece) - (a->piece < b->piece);
	if (order == 0)
		order = compare_views(a->insert_id, b->insert_id);
	return order != 0 ? order
			  : (a->fields[0].raw.data > b->fields[0].raw.data) -
				    (a->fields[0].raw.data < b->fields[0].raw.data);
}

static bool is_duplicate(const struct entry *a, const struct entry *b)
{
	return a->insert_id.data && iq_view_eq(a->insert_id, b->insert_id) &&
	       iq_view_eq(a->fields[FIELD_LOG_NAME].raw, b->fields[FIELD_LOG_NAME].raw);
}

static size_t leave_out_duplicates(struct entry *entries, size_t count, struct iq_parser_notes *notes)
{
	size_t kept = count > 0 ? 1 : 0;

	for (size_t i = 1; i < count; i++)
		if (!is_duplicate(&entries[kept - 1], &entries[i]))
			entries[kept++] = entries[i];
	if (notes)
		notes->duplicates += count - kept;
	return kept;
}

static int give_entries(const struct iq_element_reading *reading, const struct entry *entries, size_t count,
			struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0, pieces; i < count && rc == 0; i += pieces) {
		pieces = count_pieces(entries, count, i);
		if (payload_of(&entries[i]))
			rc = give_log(reading, &entries[i], pieces, error);
		else if (entries[i].fields[FIELD_HTTP].name.data)
			rc = give_exchange(reading, &entries[i], error);
	}
	return rc;
}

/* ---- The limit ---- */

static int tell_of_the_limit(const struct iq_element_reading *reading, struct iq_error *error)
{
	const struct state *state = reading->state;
	const uint64_t asked = reading->options->limit;
	struct iq_gap gap = IQ_GAP_INIT;
	char text[160];

	if (state->entries != (asked ? asked : DEFAULT_LIMIT))
		return 0;
	if (asked)
		(void)snprintf(
			text, sizeof(text),
			"exactly %llu entries: the limit that was asked for; there may be more beyond the last one",
			(unsigned long long)asked);
	gap.reason =
		asked ? iq_view_cstr(text)
		      : IQ_LIT("exactly 1,000 entries: the limit of `gcloud logging read` unless --limit says another; there may "
			       "be more beyond the last one");
	if (state->last < state->first)
		gap.ts_max = state->last;
	else
		gap.ts_min = state->last;
	return iq_element_give_gap(reading, gap, error);
}

static int count_entries(const struct iq_element_reading *reading, int64_t ts, struct iq_error *error)
{
	struct state *state = reading->state;
	int rc = 0;

	if (state->entries == 0 || state->document != reading->document) {
		rc = tell_of_the_limit(reading, error);
		*state = (struct state){ .document = reading->document, .first = ts };
	}
	state->entries += reading->count;
	state->last = ts;
	return rc;
}

/* ---- The format ---- */

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct entry *entries = calloc(reading->count, sizeof(*entries));
	size_t count = 0;
	int rc;

	if (!entries)
		return iq_error_nomem(error);
	while (count < reading->count && read_entry(reading->texts[count], &entries[count], reading->scratch))
		count++;
	if (count < reading->count)
		*ret_why = "no entry of a log: neither logName nor insertId";
	rc = count < reading->count ? IQ_ERR_FORMAT
				    : count_entries(reading, begin_record(reading, entries).event.ts, error);
	if (rc == 0) {
		qsort(entries, count, sizeof(*entries), compare_entries);
		count = leave_out_duplicates(entries, count, reading->options->notes);
		rc = give_entries(reading, entries, count, error);
	}
	free(entries);
	return rc;
}

static const struct iq_document_rules rules = {
	.parse = parse,
	.group = group_of,
	.end = tell_of_the_limit,
	.state_size = sizeof(struct state),
	.any_source = true,
};

static int score_element(struct iq_view text, bool cut)
{
	struct iq_members members;
	struct iq_member member;
	int score = 0;

	if (!iq_members_open(&members, text, cut))
		return 0;
	while (iq_members_next(&members, &member) > 0) {
		enum field field = field_of(member.name);

		score += field == FIELD_INSERT_ID || field == FIELD_LOG_NAME ? 40 : field == FIELD_RESOURCE ? 15 : 0;
	}
	return score > 95 ? 95 : score < 80 ? 0 : score;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score_element);
}

const struct iq_format iq_format_google_cloud = {
	.name = "google-cloud",
	.summary = "Google Cloud Logging entries (gcloud logging read --format json, sinks)",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
