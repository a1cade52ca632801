#include "ingest/har_entry.h"

#include <strings.h>

#include "ingest/record.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- Headers ---- */

static bool same_name(struct iq_view a, struct iq_view b)
{
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* Name and value of a header as their JSON strings, without the quotes. */
static bool read_header(struct iq_view element, struct iq_view *ret_name, struct iq_view *ret_value)
{
	struct iq_members members;
	struct iq_member member;

	*ret_name = *ret_value = IQ_VIEW_NULL;
	if (!iq_members_open(&members, element, false))
		return false;
	while (iq_members_next(&members, &member) > 0) {
		if (member.value.type == IQ_JSON_STRING && iq_view_eq(member.name, IQ_LIT("name")))
			*ret_name = member.value.raw;
		else if (member.value.type == IQ_JSON_STRING && iq_view_eq(member.name, IQ_LIT("value")))
			*ret_value = member.value.raw;
	}
	return ret_name->len > 0 && ret_value->data;
}

struct iq_view iq_har_header(struct iq_view headers, struct iq_view lower_name)
{
	struct iq_elements elements;
	struct iq_view element, name, value;

	if (iq_elements_open(&elements, headers))
		while (iq_elements_next(&elements, &element) > 0)
			if (read_header(element, &name, &value) && same_name(name, lower_name))
				return value;
	return IQ_VIEW_NULL;
}

/* Headers of one name that follow each other. */
struct header_run {
	struct iq_view name;
	size_t value_at; /* in the JSON */
	size_t count;
};

static void append_value(struct iq_buf *json, struct header_run *run, struct iq_view value)
{
	/* With its quotes, a value is its JSON. */
	struct iq_view quoted = iq_view_make(value.data - 1, value.len + 2);

	if (run->count == 2 && iq_buf_append_char(json, '[') == 0) {
		memmove(json->data + run->value_at + 1, json->data + run->value_at, json->len - 1 - run->value_at);
		json->data[run->value_at] = '[';
	}
	if (run->count > 1)
		(void)iq_buf_append_char(json, ',');
	(void)iq_utf8_append_repaired(json, quoted);
}

static void end_run(struct iq_buf *json, const struct header_run *run)
{
	if (run->count > 1)
		(void)iq_buf_append_char(json, ']');
}

void iq_har_append_headers(struct iq_buf *json, struct iq_view headers)
{
	struct iq_elements elements;
	struct iq_view element, name, value;
	struct header_run run = { .count = 0 };
	bool any = false;

	(void)iq_buf_append_char(json, '{');
	if (iq_elements_open(&elements, headers)) {
		while (iq_elements_next(&elements, &element) > 0) {
			if (!read_header(element, &name, &value))
				continue;
			if (run.count == 0 || !same_name(run.name, name)) {
				end_run(json, &run);
				(void)iq_buf_append_cstr(json, any ? ",\"" : "\"");
				(void)iq_utf8_append_repaired(json, name);
				(void)iq_buf_append_cstr(json, "\":");
				run = (struct header_run){ .name = name, .value_at = json->len };
			}
			run.count++;
			append_value(json, &run, value);
			any = true;
		}
	}
	end_run(json, &run);
	(void)iq_buf_append_char(json, '}');
}

void iq_har_append_timings(struct iq_buf *json, struct iq_view timings)
{
	struct iq_members members;
	struct iq_member member;
	bool any = false;

	(void)iq_buf_append_char(json, '{');
	if (iq_members_open(&members, timings, false)) {
		while (iq_members_next(&members, &member) > 0) {
			if (member.value.type != IQ_JSON_NUMBER)
				continue;
			(void)iq_buf_append_cstr(json, any ? ",\"" : "\"");
			(void)iq_buf_append(json, member.name);
			(void)iq_buf_append_cstr(json, "\":");
			(void)iq_buf_append(json, member.raw);
			any = true;
		}
	}
	(void)iq_buf_append_char(json, '}');
}

/* ---- Content ---- */

struct iq_view iq_har_content_text(const struct iq_har_content *content, struct iq_buf *scratch)
{
	struct iq_view text;
	size_t start;

	if (content->text.type != IQ_JSON_STRING)
		return IQ_VIEW_NULL;
	text = iq_json_text(&content->text, scratch);
	start = scratch->len;
	/* What only claims to be base64 is taken as it is. */
	if (!content->is_base64 || iq_base64_decode(text, scratch) < 0)
		return text;
	return scratch->len > start ? iq_view_from(iq_buf_view(scratch), start) : IQ_LIT("");
}

static void read_content(struct iq_har_content *content, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, true))
		return;
	while (iq_members_next(&members, &member) > 0 && !member.cut) {
		if (iq_view_eq(member.name, IQ_LIT("text")))
			content->text = member.value;
		else if (iq_view_eq(member.name, IQ_LIT("encoding")))
			content->is_base64 = iq_view_eq(member.value.raw, IQ_LIT("base64"));
		else if (iq_view_eq(member.name, IQ_LIT("_file")))
			content->file = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("size")))
			content->bytes = iq_member_text(&member, scratch);
	}
	/* Empty beside the file that has it. */
	if (content->file.data)
		content->text.type = IQ_JSON_NONE;
}

/* ---- The entry ---- */

static void read_request(struct iq_har_entry *entry, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	entry->has_request = true;
	if (!iq_members_open(&members, text, true))
		return;
	while (iq_members_next(&members, &member) > 0 && !member.cut) {
		if (iq_view_eq(member.name, IQ_LIT("url")))
			entry->url = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("method")))
			entry->method = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("httpVersion")))
			entry->version = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("headers")))
			entry->request_headers = member.raw;
		else if (iq_view_eq(member.name, IQ_LIT("postData")))
			read_content(&entry->request, member.raw, scratch);
	}
}

static bool names_failure(struct iq_view name)
{
	static const struct iq_view names[] = { { "_error", 6 }, { "_failureText", 12 } };

	for (size_t i = 0; i < COUNT(names); i++)
		if (iq_view_eq(name, names[i]))
			return true;
	return false;
}

static void read_response(struct iq_har_entry *entry, struct iq_view text, struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, true))
		return;
	while (iq_members_next(&members, &member) > 0 && !member.cut) {
		if (iq_view_eq(member.name, IQ_LIT("status")))
			(void)iq_view_to_int64(iq_member_text(&member, scratch), &entry->status);
		else if (names_failure(member.name))
			entry->failure = iq_member_text(&member, scratch);
		else if (iq_view_eq(member.name, IQ_LIT("headers")))
			entry->response_headers = member.raw;
		else if (iq_view_eq(member.name, IQ_LIT("content")))
			read_content(&entry->response, member.raw, scratch);
	}
}

/* Milliseconds; -1 where it is not known. */
static int64_t read_duration(const struct iq_member *member, struct iq_buf *scratch)
{
	double milliseconds;

	if (!iq_view_to_double(iq_member_text(member, scratch), &milliseconds) || milliseconds < 0 ||
	    milliseconds > (double)(INT64_MAX / IQ_NS_PER_S))
		return IQ_TIME_NONE;
	return (int64_t)(milliseconds * (double)(IQ_NS_PER_S / 1000));
}

static void read_member(struct iq_har_entry *entry, const struct iq_member *member, struct iq_buf *scratch)
{
	if (iq_view_eq(member->name, IQ_LIT("_webSocketMessages"))) {
		entry->messages = member->raw;
		entry->is_socket = true;
	} else if (iq_view_eq(member->name, IQ_LIT("request"))) {
		read_request(entry, member->raw, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("response"))) {
		read_response(entry, member->raw, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("_resourceType"))) {
		entry->resource = iq_member_text(member, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("startedDateTime"))) {
		(void)iq_member_time(member, scratch, &entry->started);
	} else if (iq_view_eq(member->name, IQ_LIT("time"))) {
		entry->ended = read_duration(member, scratch);
	} else if (iq_view_eq(member->name, IQ_LIT("timings")) && !member->cut &&
		   member->value.type == IQ_JSON_OBJECT_BEGIN) {
		entry->timings = member->raw;
	}
}

uint64_t iq_har_entry_end_of(const struct iq_har_entry *entry, struct iq_view part)
{
	return entry->scanned->offset + (uint64_t)(part.data + part.len - entry->scanned->text.data);
}

uint64_t iq_har_entry_messages(const struct iq_har_entry *entry)
{
	struct iq_elements elements;
	struct iq_view element;
	uint64_t count = 0;

	if (iq_elements_open(&elements, entry->messages))
		while (iq_elements_next(&elements, &element) > 0)
			count++;
	return count;
}

/* The last complete message of an array that was cut. */
static void reach_messages(struct iq_har_entry *entry)
{
	struct iq_elements elements;
	struct iq_view element;

	if (iq_elements_open(&elements, entry->messages))
		while (iq_elements_next(&elements, &element) > 0)
			entry->reach = iq_har_entry_end_of(entry, element);
}

/* A proxy gives the URL of an upgrade as it was asked for, with http://. */
static bool is_socket(const struct iq_har_entry *entry)
{
	return entry->is_socket || iq_view_eq(entry->resource, IQ_LIT("websocket")) ||
	       iq_view_starts_with(entry->url, IQ_LIT("ws://")) || iq_view_starts_with(entry->url, IQ_LIT("wss://")) ||
	       same_name(iq_har_header(entry->request_headers, IQ_LIT("upgrade")), IQ_LIT("websocket")) ||
	       same_name(iq_har_header(entry->response_headers, IQ_LIT("upgrade")), IQ_LIT("websocket"));
}

static void finish(struct iq_har_entry *entry)
{
	entry->is_socket = is_socket(entry);
	if (entry->started != IQ_TIME_NONE && entry->ended != IQ_TIME_NONE)
		entry->ended = iq_time_shift(entry->started, entry->ended);
	else
		entry->ended = IQ_TIME_NONE;
	if (entry->scanned->complete)
		entry->reach = entry->scanned->end;
}

int iq_har_entry_read(const struct iq_element *scanned, struct iq_buf *scratch, struct iq_har_entry *entry,
		      uint64_t *ret_place)
{
	struct iq_members members;
	struct iq_member member;
	int rc = IQ_ERR_FORMAT;

	*entry = (struct iq_har_entry){
		.scanned = scanned, .started = IQ_TIME_NONE, .ended = IQ_TIME_NONE, .reach = scanned->start
	};
	if (iq_members_open(&members, scanned->text, !scanned->complete)) {
		while ((rc = iq_members_next(&members, &member)) > 0) {
			read_member(entry, &member, scratch);
			if (!member.cut)
				entry->reach = iq_har_entry_end_of(entry, member.raw);
			else if (member.raw.data == entry->messages.data)
				reach_messages(entry);
		}
	}
	finish(entry);
	*ret_place = scanned->offset + members.json.pos;
	return rc;
}
