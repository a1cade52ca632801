/* What the Engine says of containers: any bytes give events with valid attrs, or none. */
#include <stdlib.h>

#include "ingest/docker_event.h"
#include "ingest/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *context, const struct iq_docker_action *action)
{
	struct iq_buf body = IQ_BUF_INIT, attrs = IQ_BUF_INIT;
	struct iq_event event;

	(void)context;
	if (iq_docker_action_event(action, &body, &attrs, &event) < 0)
		abort();
	event.attrs = iq_attrs_end(&attrs);
	if (!iq_json_valid(event.attrs) || !iq_utf8_valid(event.attrs) ||
	    event.body_is_binary != !iq_utf8_valid(event.body))
		abort();
	iq_buf_release(&body);
	iq_buf_release(&attrs);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct iq_view json = iq_view_make(size > 0 ? (const char *)data : "", size);
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_action action;

	if (iq_docker_action_read(&action, json, &memory))
		(void)take(NULL, &action);
	(void)iq_docker_state_history(json, take, NULL);
	iq_arena_release(&memory);
	return 0;
}
