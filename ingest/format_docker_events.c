/* `docker events --format json` and `GET /events` (moby: api/types/events): an object for each event,
 *	{"Type":"container","Action":"die","Actor":{"ID":"...","Attributes":{"exitCode":"137","name":"api"}},"timeNano":...}
 * `docker compose events --json` has names of its own. Those of containers become events of kind `container`; those of networks, volumes and images lines of a log. The Engine keeps 256, so the
 * first one is where knowledge begins, not where anything else does. */
#include "ingest/docker_element.h"
#include "ingest/formats.h"

static const struct iq_view names[] = { { "Type", 4 }, { "Action", 6 }, { "Actor", 5 } };
#define NAMES (sizeof(names) / sizeof(names[0]))

/* Those of `docker compose events --json`, which knows no past. */
static const struct iq_view compose_names[] = {
	{ "type", 4 }, { "action", 6 }, { "service", 7 }, { "attributes", 10 }
};
#define COMPOSE_NAMES (sizeof(compose_names) / sizeof(compose_names[0]))

static bool is_engine(struct iq_view text)
{
	return iq_docker_element_has(text, names, NAMES) == NAMES;
}

static bool is_compose(struct iq_view text)
{
	return iq_docker_element_has(text, compose_names, COMPOSE_NAMES) == COMPOSE_NAMES;
}

static int give_other(const struct iq_element_reading *reading, struct iq_error *error)
{
	struct iq_record record = iq_element_record(reading);

	record.event.ts = iq_docker_event_time(reading->text);
	record.event.body = reading->text;
	record.event.type = iq_json_pointer(reading->text, IQ_LIT("/Action"), reading->scratch).text;
	return iq_element_give(reading, &record, error);
}

static int give_history(const struct iq_element_reading *reading, struct iq_error *error)
{
	const struct iq_docker_action history = iq_docker_history_action(iq_docker_event_time(reading->text));

	return iq_docker_element_give(reading, &history, error);
}

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_action action;
	int rc = 0;

	if (!is_engine(reading->text) && !is_compose(reading->text)) {
		*ret_why = "no event of a Docker Engine";
		return IQ_ERR_FORMAT;
	}
	if (iq_element_record(reading).event.offset == 0 && is_engine(reading->text))
		rc = give_history(reading, error);
	if (rc == 0 && iq_docker_action_read(&action, reading->text, &memory)) {
		/* The evidence has it. */
		action.raw = IQ_VIEW_NULL;
		rc = iq_docker_element_give(reading, &action, error);
	} else if (rc == 0) {
		rc = give_other(reading, error);
	}
	iq_arena_release(&memory);
	return rc;
}

static const struct iq_document_rules rules = { .parse = parse, .any_source = true };

static int score(struct iq_view text, bool cut)
{
	(void)cut;
	return is_engine(text) || is_compose(text) ? 97 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score);
}

const struct iq_format iq_format_docker_events = {
	.name = "docker-events",
	.summary = "events of a Docker Engine (docker events --format json)",
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
