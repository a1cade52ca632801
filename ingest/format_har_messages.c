/* The messages of one WebSocket beside the HAR that names them: what Playwright writes with `content: 'attach'`, a message a line
 * (ingest/har_message.h). The session is that of the HAR, where its `ws.open` is. */
#include "ingest/attached.h"
#include "ingest/document_parser.h"
#include "ingest/formats.h"
#include "ingest/har_message.h"
#include "ingest/members.h"

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct iq_record record = iq_element_record(reading);
	struct iq_buf session = IQ_BUF_INIT;
	int rc;

	*ret_why = iq_har_message_read(reading->text, &record.event, reading->attrs, reading->scratch);
	if (*ret_why)
		return IQ_ERR_FORMAT;
	iq_attached_session(reading->options->path, &session);
	record.event.session = iq_buf_view(&session);
	record.event.seq = (int64_t)record.event.offset + 1;
	rc = session.failed ? iq_error_nomem(error) : iq_element_give(reading, &record, error);
	iq_buf_release(&session);
	return rc;
}

static const struct iq_document_rules rules = { .parse = parse };

/* All four members, and a direction. */
static int score(struct iq_view text, bool cut)
{
	unsigned found = 0;
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, cut))
		return 0;
	while (iq_members_next(&members, &member) > 0) {
		if (iq_view_eq(member.name, IQ_LIT("type")))
			found |= iq_view_eq(member.value.raw, IQ_LIT("send")) ||
				 iq_view_eq(member.value.raw, IQ_LIT("receive"));
		else if (iq_view_eq(member.name, IQ_LIT("time")) && member.value.type == IQ_JSON_NUMBER)
			found |= 2;
		else if (iq_view_eq(member.name, IQ_LIT("opcode")) && member.value.type == IQ_JSON_NUMBER)
			found |= 4;
		else if (iq_view_eq(member.name, IQ_LIT("data")) && member.value.type == IQ_JSON_STRING)
			found |= 8;
	}
	return found == 15 ? 97 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score);
}

const struct iq_format iq_format_har_messages = {
	.name = "har-messages",
	.summary = "messages of a WebSocket beside a HAR (Playwright, content: 'attach')",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
