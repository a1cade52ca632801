/* AWS CloudWatch Logs, as `aws logs filter-log-events`, `get-log-events` and `aws logs tail --format json` print them
 * (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilteredLogEvent.html):
 *	{"events":[{"logStreamName":"s","timestamp":1795549086570,"message":"...","ingestionTime":1795549086999,"eventId":"..."}],...} */
#include "ingest/document_parser.h"
#include "ingest/formats.h"
#include "ingest/members.h"

static const struct iq_view way[] = { { "events", 6 } };

static bool time_at(struct iq_view text, const char *pointer, struct iq_buf *scratch, int64_t *ret_ts)
{
	return iq_time_parse_epoch(iq_text_at(text, pointer, scratch), ret_ts);
}

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct iq_record record = iq_element_record(reading);
	const struct iq_view message = iq_text_at(reading->text, "/message", reading->scratch);
	const struct iq_view stream = iq_text_at(reading->text, "/logStreamName", reading->scratch);
	const struct iq_view id = iq_text_at(reading->text, "/eventId", reading->scratch);

	if (!message.data || !time_at(reading->text, "/timestamp", reading->scratch, &record.event.ts)) {
		*ret_why = "no event of CloudWatch Logs: no message, or no timestamp";
		return IQ_ERR_FORMAT;
	}
	(void)time_at(reading->text, "/ingestionTime", reading->scratch, &record.event.observed);
	/* What a function writes ends with its line end. */
	record.event.body = message;
	if (iq_view_ends_with(message, IQ_LIT("\n")))
		record.event.body.len--;
	if (stream.len > 0)
		iq_attrs_text(reading->attrs, IQ_LIT("log_stream"), stream);
	if (id.len > 0)
		iq_attrs_text(reading->attrs, IQ_LIT("event_id"), id);
	return iq_element_give(reading, &record, error);
}

static const struct iq_document_rules rules = { .names = way, .name_count = 1, .parse = parse };

/* The first of the events, which may be cut. */
static int score(struct iq_view text, bool cut)
{
	static const struct iq_view names[] = { { "timestamp", 9 }, { "message", 7 }, { "ingestionTime", 13 } };
	size_t found = 0;
	struct iq_members members;
	struct iq_member member;

	if (!iq_members_open(&members, text, cut))
		return 0;
	while (iq_members_next(&members, &member) > 0)
		for (size_t i = 0; i < 3; i++)
			found += iq_view_eq(member.name, names[i]);
	return found == 3 ? 95 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe_at(head, way, 1, score);
}

const struct iq_format iq_format_cloudwatch = {
	.name = "cloudwatch",
	.summary = "AWS CloudWatch Logs (aws logs filter-log-events, get-log-events)",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
