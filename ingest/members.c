#include "ingest/members.h"

/* A scan that ran out of text stops this close to its end, at the latest: in the middle of an escape or a word. */
#define CUT_REACH 8

bool iq_members_open(struct iq_members *members, struct iq_view text, bool cut)
{
	struct iq_json_token token;

	members->cut = cut;
	members->done = false;
	iq_json_init(&members->json, text);
	return iq_json_next(&members->json, &token) > 0 && token.type == IQ_JSON_OBJECT_BEGIN;
}

/* The scanner failed: at the end of a text that was cut this is the end, anywhere else it is damage. */
static int stopped(struct iq_members *members)
{
	members->done = true;
	if (members->cut && members->json.text.len - members->json.pos < CUT_REACH)
		return 0;
	return IQ_ERR_FORMAT;
}

/* The value at `start` could not be scanned; a string of which the beginning is there is a member all the same. */
static int cut_string(struct iq_members *members, size_t start, struct iq_member *member)
{
	struct iq_view rest = iq_view_trim(iq_view_from(members->json.text, start));

	if (stopped(members) < 0)
		return IQ_ERR_FORMAT;
	if (rest.len == 0 || rest.data[0] != '"')
		return 0;
	rest = iq_view_make(rest.data, (size_t)(members->json.text.data + members->json.text.len - rest.data));
	member->value = (struct iq_json_token){ .type = IQ_JSON_STRING, .raw = iq_view_from(rest, 1), .escaped = true };
	member->raw = rest;
	member->cut = true;
	return 1;
}

/* The scanner failed in a member: in its name or in its value. */
static int cut_member(struct iq_members *members, const struct iq_json_token *name, struct iq_member *member)
{
	return name->type == IQ_JSON_KEY ? cut_string(members, member->value.offset, member) : stopped(members);
}

int iq_members_next(struct iq_members *members, struct iq_member *ret_member)
{
	struct iq_json_token name = { .type = IQ_JSON_NONE };
	int rc = members->done ? 0 : iq_json_member(&members->json, &name, &ret_member->value);

	if (members->done)
		return 0;
	if (rc == 0) {
		members->done = true;
		return iq_json_end(&members->json) ? 0 : IQ_ERR_FORMAT;
	}
	ret_member->name = name.raw;
	ret_member->cut = false;
	if (rc < 0)
		return cut_member(members, &name, ret_member);
	ret_member->raw = iq_json_skip(&members->json, &ret_member->value);
	if (ret_member->raw.data)
		return 1;
	if (stopped(members) < 0)
		return IQ_ERR_FORMAT;
	ret_member->raw = iq_view_from(members->json.text, ret_member->value.offset);
	ret_member->cut = true;
	return 1;
}

struct iq_view iq_member_text(const struct iq_member *member, struct iq_buf *scratch)
{
	if (member->value.type == IQ_JSON_STRING)
		return iq_json_text(&member->value, scratch);
	return member->value.type == IQ_JSON_NUMBER ? member->value.raw : IQ_VIEW_NULL;
}

bool iq_member_time(const struct iq_member *member, struct iq_buf *scratch, int64_t *ret_ns)
{
	struct iq_view text = iq_member_text(member, scratch);

	if (member->value.type == IQ_JSON_STRING && iq_time_parse(text, ret_ns))
		return true;
	return text.data && iq_time_parse_epoch(text, ret_ns);
}

struct iq_view iq_member_find(struct iq_view object, struct iq_view name)
{
	struct iq_members members;
	struct iq_member member;

	if (iq_members_open(&members, object, false))
		while (iq_members_next(&members, &member) > 0)
			if (iq_view_eq(member.name, name))
				return member.raw;
	return IQ_VIEW_NULL;
}

struct iq_view iq_text_at(struct iq_view json, const char *pointer, struct iq_buf *scratch)
{
	struct iq_json_value value = iq_json_pointer(json, iq_view_cstr(pointer), scratch);

	return value.type == IQ_JSON_STRING || value.type == IQ_JSON_NUMBER ? value.text : IQ_VIEW_NULL;
}

bool iq_elements_open(struct iq_elements *elements, struct iq_view array)
{
	struct iq_json_token token;

	iq_json_init(&elements->json, array);
	return array.len > 0 && iq_json_next(&elements->json, &token) > 0 && token.type == IQ_JSON_ARRAY_BEGIN;
}

int iq_elements_next(struct iq_elements *elements, struct iq_view *ret_element)
{
	struct iq_json_token token;

	if (iq_json_next(&elements->json, &token) <= 0 || token.type == IQ_JSON_ARRAY_END)
		return 0;
	*ret_element = iq_json_skip(&elements->json, &token);
	return ret_element->data ? 1 : 0;
}

int iq_elements_each(struct iq_view array, int (*each)(void *context, struct iq_view element, struct iq_error *error),
		     void *context, struct iq_error *error)
{
	struct iq_elements elements;
	struct iq_view element;
	int rc = 0;

	if (iq_elements_open(&elements, array))
		while (rc == 0 && iq_elements_next(&elements, &element) > 0)
			rc = each(context, element, error);
	return rc;
}
