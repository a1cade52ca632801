/* `docker inspect CONTAINER...` and `GET /containers/ID/json` (moby: api/types/container): an array of states, or one,
 *	[{"Id":"...","Created":"...","State":{"Status":"exited","ExitCode":137,"OOMKilled":true,...},"RestartCount":2,...}]
 * each of which becomes what it tells of the container's past; see ingest/docker_event.h. */
#include "ingest/docker_element.h"
#include "ingest/formats.h"

struct giving {
	const struct iq_element_reading *reading;
	struct iq_error *error;
};

static int take(void *context, const struct iq_docker_action *action)
{
	const struct giving *giving = context;

	return iq_docker_element_give(giving->reading, action, giving->error);
}

static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error)
{
	struct giving giving = { reading, error };
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_state state;
	const bool is_state = iq_docker_state_read(&state, reading->text, &memory);

	iq_arena_release(&memory);
	if (is_state)
		return iq_docker_state_history(reading->text, take, &giving);
	*ret_why = "not the state of a container";
	return IQ_ERR_FORMAT;
}

static const struct iq_document_rules rules = { .parse = parse, .any_source = true };

static int score(struct iq_view text, bool cut)
{
	static const struct iq_view names[] = { { "Id", 2 }, { "Created", 7 }, { "State", 5 } };

	(void)cut;
	return iq_docker_element_has(text, names, 3) == 3 ? 97 : 0;
}

static int probe(struct iq_view head)
{
	return iq_element_probe(head, score);
}

const struct iq_format iq_format_docker_inspect = {
	.name = "docker-inspect",
	.summary = "states of containers (docker inspect)",
	.comes_last = true,
	.probe = probe,
	IQ_DOCUMENT_PARSER(&rules),
};
