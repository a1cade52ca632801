#include "ingest/docker_element.h"

#include "ingest/members.h"

int iq_docker_element_give(const struct iq_element_reading *reading, const struct iq_docker_action *action,
			   struct iq_error *error)
{
	const struct iq_parser_options *options = reading->options;
	struct iq_record record = iq_element_record(reading);
	const struct iq_record element = record;
	struct iq_buf body = IQ_BUF_INIT, source = IQ_BUF_INIT;
	int rc;

	if (options->told && options->told(options->context, action)) {
		iq_element_told(reading);
		return 0;
	}
	rc = iq_docker_action_event(action, &body, reading->attrs, &record.event);
	record.event.source = element.event.source;
	record.event.offset = element.event.offset;
	record.event.length = element.event.length;
	iq_docker_names_source(&action->of, &source);
	if (source.len > 0)
		record.event.source = iq_buf_view(&source);
	if (rc == 0 && !source.failed)
		rc = iq_element_give(reading, &record, error);
	else
		rc = iq_error_nomem(error);
	iq_buf_release(&body);
	iq_buf_release(&source);
	return rc;
}

size_t iq_docker_element_has(struct iq_view text, const struct iq_view *names, size_t count)
{
	struct iq_members members;
	struct iq_member member;
	size_t found = 0;

	if (!iq_members_open(&members, text, true))
		return 0;
	while (iq_members_next(&members, &member) > 0)
		for (size_t i = 0; i < count; i++)
			found += iq_view_eq(member.name, names[i]);
	return found;
}
