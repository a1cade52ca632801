/* `docker ps --format json` (docker/cli: cli/command/formatter) and `docker compose ps --format json`: an object for each container,
 *	{"ID":"0c89eab60702","Image":"api:1","Labels":"a=b,c=d","Names":"api","State":"exited","Status":"Exited (137) 3 minutes ago"}
 * Each is an event of type `state`, without a time: when it was asked is not said. */
#include "ingest/docker_element.h"
#include "ingest/formats.h"
#include "ingest/members.h"

/* What stands behind `name` in `a=b,c=d`; the NULL view where it does not. */
static struct iq_view label(struct iq_view labels, struct iq_view name)
{
	while (labels.len > 0) {
		const size_t comma = iq_view_find(labels, IQ_LIT(","));
		const struct iq_view one = iq_view_make(labels.data, comma < labels.len ? comma : labels.len);

		if (iq_view_starts_with(one, name))
			return iq_view_from(one, name.len);
		labels = iq_view_from(labels, one.len + 1);
	}
	return IQ_VIEW_NULL;
}

static struct iq_view or_label(struct iq_view text, struct iq_view labels, struct iq_view name)
{
	return text.len > 0 ? text : label(labels, name);
}

/* `Exited (137) 3 minutes ago`; IQ_NUMBER_NONE where it runs. */
static int64_t exit_code(struct iq_view status)
{
	const struct iq_view from = IQ_LIT("Exited (");
	struct iq_view number;
	int64_t code;

	if (!iq_view_starts_with(status, from))
		return IQ_NUMBER_NONE;
	number = iq_view_from(status, from.len);
	number.len = iq_view_find(number, IQ_LIT(")")) < number.len ? iq_view_find(number, IQ_LIT(")")) : 0;
	return iq_view_to_int64(number, &code) ? code : IQ_NUMBER_NONE;
}

static void read_names(const struct iq_element_reading *reading, struct iq_docker_names *names)
{
	const struct iq_view labels = iq_text_at(reading->text, "/Labels", reading->scratch);

	names->id = iq_text_at(reading->text, "/ID", reading->scratch);
	names->name = iq_text_at(reading->text, "/Names", reading->scratch);
	if (names->name.len == 0)
		names->name = iq_text_at(reading->text, "/Name", reading->scratch);
	names->image = iq_text_at(reading->text, "/Image", reading->scratch);
	names->project = or_label(iq_text_at(reading->text, "/Project", reading->scratch), labels,
				  IQ_LIT("com.docker.compose.project="));
	names->service = or_label(iq_text_at(reading->text, "/Service", reading->scratch), labels,
				  IQ_LIT("com.docker.compose.service="));
	names->number = label(labels, IQ_LIT("com.docker.compose.container-number="));
}

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct iq_docker_action action = { .ts = IQ_TIME_NONE, .action = IQ_LIT("state"), .restarts = IQ_NUMBER_NONE };

	read_names(reading, &action.of);
	action.detail = iq_text_at(reading->text, "/State", reading->scratch);
	action.text = iq_text_at(reading->text, "/Status", reading->scratch);
	action.exit_code = exit_code(action.text);
	if (iq_view_find(action.text, IQ_LIT("(unhealthy)")) != SIZE_MAX)
		action.detail = IQ_LIT("unhealthy");
	if (action.of.id.len > 0 && action.text.data)
		return iq_docker_element_give(reading, &action, error);
	*ret_why = "no line of docker ps";
	return IQ_ERR_FORMAT;
}

static const struct iq_document_rules rules = { .parse = parse, .any_source = true };

static int score(struct iq_view text, bool cut)
{
	static const struct iq_view names[] = { { "ID", 2 }, { "Image", 5 }, { "State", 5 }, { "Status", 6 } };

	(void)cut;
	return iq_docker_element_has(text, names, 4) == 4 ? 96 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score);
}

const struct iq_format iq_format_docker_ps = {
	.name = "docker-ps",
	.summary = "the list of containers (docker ps --format json)",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
