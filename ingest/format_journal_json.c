/* `journalctl -o json`: one object a line; a value that is not UTF-8 is an array of bytes, a field with several values an array
 * of them, one that was too large null (journalctl(1), "json"). */
#include "ingest/formats.h"
#include "ingest/journal.h"
#include "ingest/line_parser.h"
#include "ingest/members.h"

/* Appends an array of bytes; false for any other. */
static bool append_bytes(struct iq_view array, struct iq_buf *scratch)
{
	struct iq_json json;
	struct iq_json_token token;
	int64_t byte;

	iq_json_init(&json, array);
	(void)iq_json_next(&json, &token);
	while (iq_json_next(&json, &token) > 0 && token.type == IQ_JSON_NUMBER) {
		if (!iq_view_to_int64(token.raw, &byte) || byte < 0 || byte > 255)
			return false;
		(void)iq_buf_append_char(scratch, (char)byte);
	}
	return token.type == IQ_JSON_ARRAY_END;
}

static struct iq_view value_of(const struct iq_member *member, struct iq_buf *scratch)
{
	const size_t start = scratch->len;

	if (member->value.type != IQ_JSON_ARRAY_BEGIN)
		return iq_member_text(member, scratch);
	return append_bytes(member->raw, scratch) ? iq_view_from(iq_buf_view(scratch), start) : IQ_VIEW_NULL;
}

static const char *parse(const struct iq_line_reading *reading, struct iq_record *record)
{
	struct iq_journal_entry entry;
	struct iq_members members;
	struct iq_member member;
	int rc = IQ_ERR_FORMAT;

	iq_journal_begin(&entry, record, reading->attrs);
	if (!iq_members_open(&members, reading->text, reading->cut))
		return "not a JSON object";
	while ((rc = iq_members_next(&members, &member)) > 0) {
		struct iq_view value = value_of(&member, reading->scratch);

		if (value.data)
			iq_journal_field(&entry, member.name, value);
		else
			iq_attrs_raw(reading->attrs, member.name, member.raw);
	}
	return rc < 0 ? "not JSON" : iq_journal_end(&entry);
}

static const struct iq_line_rules rules = { .parse = parse, .whole = iq_line_is_object, .any_source = true };

static int score_line(struct iq_view text, bool cut)
{
	return iq_line_reads(&rules, text, cut) ? 95 : 0;
}

static int probe(struct iq_view head)
{
	return iq_line_probe(head, score_line);
}

const struct iq_format iq_format_journal_json = {
	.name = "journal-json",
	.summary = "journald entries as `journalctl -o json` writes them",
	.probe = probe,
	IQ_LINE_PARSER(&rules),
};
