#include "ingest/har_message.h"

#include "ingest/members.h"

#define OPCODE_TEXT 1
#define OPCODE_CLOSE 8
#define OPCODE_ERROR (-1)

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	int64_t opcode;
	enum iq_kind kind;
} opcode_kinds[] = {
	{ OPCODE_CLOSE, IQ_KIND_WS_CLOSE },
	{ 9, IQ_KIND_WS_PING },
	{ 10, IQ_KIND_WS_PONG },
	{ OPCODE_ERROR, IQ_KIND_NET_ERROR },
};

static enum iq_kind kind_of(int64_t opcode)
{
	for (size_t i = 0; i < COUNT(opcode_kinds); i++)
		if (opcode_kinds[i].opcode == opcode)
			return opcode_kinds[i].kind;
	return IQ_KIND_WS_MESSAGE;
}

/* A close frame's payload: the code, and a reason (RFC 6455, section 5.5.1). */
static void read_close(const struct iq_event *event, struct iq_buf *attrs)
{
	const unsigned char *bytes = (const unsigned char *)event->body.data;

	if (event->body.len < 2)
		return;
	iq_attrs_number(attrs, IQ_LIT("code"), (uint64_t)(bytes[0] << 8 | bytes[1]));
	if (event->body.len > 2)
		iq_attrs_text(attrs, IQ_LIT("reason"), iq_view_from(event->body, 2));
}

/* The body of a message whose data is base64, and the attrs that say what it was. */
static void decode_data(int64_t opcode, struct iq_event *event, struct iq_buf *attrs, struct iq_buf *scratch)
{
	const size_t start = scratch->len;

	iq_attrs_number(attrs, IQ_LIT("opcode"), (uint64_t)opcode);
	if (!event->body.data)
		return;
	if (iq_base64_decode(event->body, scratch) < 0) {
		iq_attrs_text(attrs, IQ_LIT("encoding"), IQ_LIT("not the base64 that it should be"));
		return;
	}
	event->body = iq_view_from(iq_buf_view(scratch), start);
	if (event->kind == IQ_KIND_WS_CLOSE)
		read_close(event, attrs);
}

static void read_member(const struct iq_member *member, struct iq_event *event, int64_t *opcode, struct iq_buf *scratch)
{
	if (iq_view_eq(member->name, IQ_LIT("type")))
		(void)iq_direction_parse(iq_member_text(member, scratch), &event->direction);
	else if (iq_view_eq(member->name, IQ_LIT("time")))
		(void)iq_member_time(member, scratch, &event->ts);
	else if (iq_view_eq(member->name, IQ_LIT("opcode")))
		(void)iq_view_to_int64(iq_member_text(member, scratch), opcode);
	else if (iq_view_eq(member->name, IQ_LIT("data")))
		event->body = iq_member_text(member, scratch);
}

const char *iq_har_message_read(struct iq_view text, struct iq_event *event, struct iq_buf *attrs,
				struct iq_buf *scratch)
{
	struct iq_members members;
	struct iq_member member;
	int64_t opcode = OPCODE_TEXT;
	int rc;

	event->ts = IQ_TIME_NONE;
	if (!iq_members_open(&members, text, false))
		return "a message that is no JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0)
		read_member(&member, event, &opcode, scratch);
	if (rc < 0)
		return "not JSON";
	event->kind = kind_of(opcode);
	if (opcode == OPCODE_ERROR) {
		event->type = IQ_LIT("cut");
		iq_attrs_text(attrs, IQ_LIT("error"), event->body);
		event->body = IQ_VIEW_NULL;
	} else if (opcode != OPCODE_TEXT) {
		decode_data(opcode, event, attrs, scratch);
	}
	return NULL;
}
