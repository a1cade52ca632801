#include "ingest/docker_event.h"

#include <stdio.h>

#include "ingest/members.h"
#include "ingest/record.h"

#define PROJECT "com.docker.compose.project"
#define SERVICE "com.docker.compose.service"
#define NUMBER "com.docker.compose.container-number"

/* ---- Reading ---- */

/* The type and the extent of a value; its text is not there. */
static struct iq_json_value value_at(struct iq_view json, const char *pointer)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_json_value value = iq_json_pointer(json, iq_view_cstr(pointer), &scratch);

	iq_buf_release(&scratch);
	value.text = IQ_VIEW_NULL;
	return value;
}

/* What is unescaped lies in `memory`. */
static struct iq_view text_at(struct iq_view json, const char *pointer, struct iq_arena *memory)
{
	struct iq_buf scratch = IQ_BUF_INIT;
	struct iq_view text = iq_text_at(json, pointer, &scratch);

	if (scratch.len > 0 && text.data)
		text = iq_arena_copy(memory, text);
	iq_buf_release(&scratch);
	return text;
}

static int64_t number_at(struct iq_view json, const char *pointer, struct iq_arena *memory)
{
	int64_t number;

	return iq_view_to_int64(text_at(json, pointer, memory), &number) ? number : IQ_NUMBER_NONE;
}

static bool is_true_at(struct iq_view json, const char *pointer)
{
	return value_at(json, pointer).type == IQ_JSON_TRUE;
}

/* The Engine writes the year 1 for `never`, which no int64 holds. */
static int64_t time_at(struct iq_view json, const char *pointer, struct iq_arena *memory)
{
	int64_t ts;

	return iq_time_parse(text_at(json, pointer, memory), &ts) ? ts : IQ_TIME_NONE;
}

/* `die`, or `health_status: unhealthy`. */
static void split_action(struct iq_docker_action *action)
{
	const size_t colon = iq_view_find(action->action, IQ_LIT(":"));

	if (colon == SIZE_MAX)
		return;
	action->detail = iq_view_trim(iq_view_from(action->action, colon + 1));
	action->action.len = colon;
}

int64_t iq_docker_event_time(struct iq_view json)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	const int64_t ns = number_at(json, "/timeNano", &memory), seconds = number_at(json, "/time", &memory);

	iq_arena_release(&memory);
	if (ns != IQ_NUMBER_NONE)
		return ns;
	return seconds > 0 && seconds < INT64_MAX / IQ_NS_PER_S ? seconds * IQ_NS_PER_S : IQ_TIME_NONE;
}

/* `docker compose events --json`: names of its own, and what it says is about containers only. */
static bool read_compose(struct iq_docker_action *action, struct iq_view json, struct iq_arena *memory)
{
	*action = (struct iq_docker_action){ .raw = json, .restarts = IQ_NUMBER_NONE };
	action->action = text_at(json, "/action", memory);
	action->of.id = text_at(json, "/id", memory);
	action->of.name = text_at(json, "/attributes/name", memory);
	action->of.image = text_at(json, "/attributes/image", memory);
	action->of.service = text_at(json, "/service", memory);
	action->exit_code = number_at(json, "/attributes/exitCode", memory);
	action->signal = text_at(json, "/attributes/signal", memory);
	action->ts = time_at(json, "/time", memory);
	split_action(action);
	return action->action.len > 0 && action->of.id.len > 0;
}

bool iq_docker_action_read(struct iq_docker_action *action, struct iq_view json, struct iq_arena *memory)
{
	if (!iq_json_valid(json))
		return false;
	if (iq_view_eq(text_at(json, "/type", memory), IQ_LIT("container")))
		return read_compose(action, json, memory);
	if (!iq_view_eq(text_at(json, "/Type", memory), IQ_LIT("container")))
		return false;
	*action = (struct iq_docker_action){ .raw = json, .restarts = IQ_NUMBER_NONE };
	action->action = text_at(json, "/Action", memory);
	action->of.id = text_at(json, "/Actor/ID", memory);
	action->of.name = text_at(json, "/Actor/Attributes/name", memory);
	action->of.image = text_at(json, "/Actor/Attributes/image", memory);
	action->of.project = text_at(json, "/Actor/Attributes/" PROJECT, memory);
	action->of.service = text_at(json, "/Actor/Attributes/" SERVICE, memory);
	action->of.number = text_at(json, "/Actor/Attributes/" NUMBER, memory);
	action->exit_code = number_at(json, "/Actor/Attributes/exitCode", memory);
	action->signal = text_at(json, "/Actor/Attributes/signal", memory);
	action->old_name = text_at(json, "/Actor/Attributes/oldName", memory);
	action->ts = iq_docker_event_time(json);
	split_action(action);
	return action->action.len > 0 && action->of.id.len > 0;
}

static struct iq_view without_slash(struct iq_view name)
{
	return iq_view_starts_with(name, IQ_LIT("/")) ? iq_view_from(name, 1) : name;
}

struct iq_view iq_docker_log_limit(struct iq_view log_config, struct iq_arena *memory)
{
	const struct iq_view driver = text_at(log_config, "/Type", memory);
	const struct iq_view limit = text_at(log_config, "/Config/max-size", memory);

	if (limit.len > 0)
		return iq_view_eq(limit, IQ_LIT("-1")) ? IQ_LIT("none") : limit;
	/* The driver `local` has a limit of its own. */
	return iq_view_eq(driver, IQ_LIT("json-file")) ? IQ_LIT("none")
	       : iq_view_eq(driver, IQ_LIT("local"))   ? IQ_LIT("20m")
						       : IQ_VIEW_NULL;
}

bool iq_docker_state_read(struct iq_docker_state *state, struct iq_view json, struct iq_arena *memory)
{
	if (!iq_json_valid(json))
		return false;
	*state = (struct iq_docker_state){ .of.id = text_at(json, "/Id", memory) };
	state->of.name = without_slash(text_at(json, "/Name", memory));
	state->of.image = text_at(json, "/Config/Image", memory);
	state->of.project = text_at(json, "/Config/Labels/" PROJECT, memory);
	state->of.service = text_at(json, "/Config/Labels/" SERVICE, memory);
	state->of.number = text_at(json, "/Config/Labels/" NUMBER, memory);
	state->tty = is_true_at(json, "/Config/Tty");
	state->running = is_true_at(json, "/State/Running");
	state->being_removed = is_true_at(json, "/State/Dead") ||
			       iq_view_eq(text_at(json, "/State/Status", memory), IQ_LIT("removing"));
	state->has_health_check = value_at(json, "/Config/Healthcheck/Test/0").type == IQ_JSON_STRING;
	state->log_driver = text_at(json, "/HostConfig/LogConfig/Type", memory);
	state->log_limit = iq_docker_log_limit(value_at(json, "/HostConfig/LogConfig").raw, memory);
	state->started = time_at(json, "/State/StartedAt", memory);
	state->finished = time_at(json, "/State/FinishedAt", memory);
	state->restarts = number_at(json, "/RestartCount", memory);
	return state->of.id.len > 0 && value_at(json, "/State").type == IQ_JSON_OBJECT_BEGIN;
}

/* ---- What a state tells of the past ---- */

struct history {
	struct iq_view json;
	const struct iq_docker_state *state;
	struct iq_arena memory;
	int (*take)(void *context, const struct iq_docker_action *action);
	void *context;
};

static struct iq_docker_action begin_action(const struct history *history, struct iq_view action, int64_t ts)
{
	return (struct iq_docker_action){ .of = history->state->of,
					  .ts = ts,
					  .action = action,
					  .exit_code = IQ_NUMBER_NONE,
					  .restarts = IQ_NUMBER_NONE,
					  .by_state = true };
}

static int give_created(struct history *history)
{
	struct iq_docker_action action = begin_action(history, IQ_LIT("create"), IQ_TIME_NONE);

	action.ts = time_at(history->json, "/Created", &history->memory);
	return action.ts == IQ_TIME_NONE ? 0 : history->take(history->context, &action);
}

static int give_started(struct history *history)
{
	struct iq_docker_action action = begin_action(history, IQ_LIT("start"), history->state->started);

	action.restarts = history->state->restarts;
	action.log_limit = history->state->log_limit;
	return action.ts == IQ_TIME_NONE ? 0 : history->take(history->context, &action);
}

/* The end of the container; where it was started again since, that of the run before. */
static int give_died(struct history *history)
{
	struct iq_docker_action action = begin_action(history, IQ_LIT("die"), history->state->finished);
	struct iq_view error;

	if (action.ts == IQ_TIME_NONE)
		return 0;
	if (!history->state->running) {
		action.exit_code = number_at(history->json, "/State/ExitCode", &history->memory);
		action.oom = is_true_at(history->json, "/State/OOMKilled");
		error = text_at(history->json, "/State/Error", &history->memory);
		action.text = error.len > 0 ? error : IQ_VIEW_NULL;
	}
	return history->take(history->context, &action);
}

/* The Engine keeps the last five. */
static int give_health_checks(struct history *history)
{
	char pointer[64];
	int rc = 0;

	for (unsigned i = 0; rc == 0; i++) {
		struct iq_docker_action action = begin_action(history, IQ_LIT("health_check"), IQ_TIME_NONE);
		struct iq_json_value entry;

		(void)snprintf(pointer, sizeof(pointer), "/State/Health/Log/%u", i);
		entry = value_at(history->json, pointer);
		if (entry.type != IQ_JSON_OBJECT_BEGIN)
			break;
		action.ts = time_at(entry.raw, "/End", &history->memory);
		action.exit_code = number_at(entry.raw, "/ExitCode", &history->memory);
		action.text = text_at(entry.raw, "/Output", &history->memory);
		if (action.ts != IQ_TIME_NONE)
			rc = history->take(history->context, &action);
	}
	return rc;
}

int iq_docker_state_history(struct iq_view json, int (*take)(void *context, const struct iq_docker_action *action),
			    void *context)
{
	struct iq_docker_state state;
	struct history history = {
		.json = json, .state = &state, .memory = IQ_ARENA_INIT, .take = take, .context = context
	};
	int rc = 0;

	if (iq_docker_state_read(&state, json, &history.memory)) {
		const bool died_before = state.running || state.finished < state.started;

		rc = give_created(&history);
		if (rc == 0 && died_before)
			rc = give_died(&history);
		if (rc == 0)
			rc = give_started(&history);
		if (rc == 0)
			rc = give_health_checks(&history);
		if (rc == 0 && !died_before)
			rc = give_died(&history);
	}
	iq_arena_release(&history.memory);
	return rc;
}

/* ---- Events ---- */

struct iq_view iq_docker_short_id(struct iq_view id)
{
	return iq_view_make(id.data, id.len < IQ_DOCKER_ID_DIGITS ? id.len : IQ_DOCKER_ID_DIGITS);
}

static void describe_text(struct iq_buf *attrs, struct iq_view name, struct iq_view text)
{
	if (text.data)
		iq_attrs_text(attrs, name, text);
}

static void describe_number(struct iq_buf *attrs, struct iq_view name, int64_t number)
{
	if (number == IQ_NUMBER_NONE)
		return;
	iq_attrs_raw(attrs, name, IQ_LIT(""));
	(void)iq_buf_appendf(attrs, "%lld", (long long)number);
}

void iq_docker_names_describe(const struct iq_docker_names *names, struct iq_buf *attrs)
{
	describe_text(attrs, IQ_LIT("container"), iq_docker_short_id(names->id));
	describe_text(attrs, IQ_LIT("project"), names->project);
	describe_text(attrs, IQ_LIT("service"), names->service);
}

/* What is worth a look is told from what is not. `bad`: there is an exit code and it is not 0, or the check failed. */
static enum iq_severity severity_of(const struct iq_docker_action *action)
{
	static const struct {
		const char *action;
		enum iq_severity good, bad;
	} severities[] = {
		{ "die", IQ_SEVERITY_INFO, IQ_SEVERITY_ERROR },
		{ "health_check", IQ_SEVERITY_DEBUG, IQ_SEVERITY_WARNING },
		{ "health_status", IQ_SEVERITY_INFO, IQ_SEVERITY_ERROR },
		{ "kill", IQ_SEVERITY_WARNING, IQ_SEVERITY_WARNING },
		{ "oom", IQ_SEVERITY_CRITICAL, IQ_SEVERITY_CRITICAL },
		{ "restart", IQ_SEVERITY_NOTICE, IQ_SEVERITY_NOTICE },
		{ "state", IQ_SEVERITY_INFO, IQ_SEVERITY_ERROR },
		{ "stop", IQ_SEVERITY_NOTICE, IQ_SEVERITY_NOTICE },
	};
	const bool bad = (action->exit_code != IQ_NUMBER_NONE && action->exit_code != 0) || action->oom ||
			 iq_view_eq(action->detail, IQ_LIT("unhealthy"));

	for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++)
		if (iq_view_eq(action->action, iq_view_cstr(severities[i].action)))
			return bad ? severities[i].bad : severities[i].good;
	return IQ_SEVERITY_INFO;
}

static void describe(const struct iq_docker_action *action, struct iq_buf *attrs)
{
	iq_docker_names_describe(&action->of, attrs);
	describe_text(attrs, IQ_LIT("name"), action->of.name);
	describe_text(attrs, IQ_LIT("image"), action->of.image);
	describe_number(attrs, IQ_LIT("exit_code"), action->exit_code);
	describe_text(attrs, IQ_LIT("signal"), action->signal);
	if (iq_view_eq(action->action, IQ_LIT("health_status")))
		describe_text(attrs, IQ_LIT("health"), action->detail);
	else
		describe_text(attrs, IQ_LIT("detail"), action->detail);
	describe_text(attrs, IQ_LIT("old_name"), without_slash(action->old_name));
	describe_number(attrs, IQ_LIT("restarts"), action->restarts);
	describe_text(attrs, IQ_LIT("log_limit"), action->log_limit);
	if (action->oom)
		iq_attrs_raw(attrs, IQ_LIT("oom"), IQ_LIT("true"));
	if (action->raw.data)
		iq_attrs_raw(attrs, IQ_LIT("engine"), action->raw);
	if (action->by_state)
		iq_attrs_text(attrs, IQ_LIT("from"), IQ_LIT("inspect"));
}

/* One line for a person: `die, exit code 137, out of memory`. */
static void say(const struct iq_docker_action *action, struct iq_buf *body)
{
	(void)iq_buf_append(body, action->action);
	if (action->detail.len > 0)
		(void)iq_buf_appendf(body, " %.*s", IQ_VIEW_ARG(action->detail));
	if (action->exit_code != IQ_NUMBER_NONE)
		(void)iq_buf_appendf(body, ", exit code %lld", (long long)action->exit_code);
	if (action->oom)
		(void)iq_buf_append_cstr(body, ", out of memory");
	if (action->signal.len > 0)
		(void)iq_buf_appendf(body, ", signal %.*s", IQ_VIEW_ARG(action->signal));
	if (action->old_name.len > 0)
		(void)iq_buf_appendf(body, ", was %.*s", IQ_VIEW_ARG(without_slash(action->old_name)));
	if (action->text.len > 0) {
		(void)iq_buf_append_cstr(body, ": ");
		(void)iq_buf_append(body, iq_view_trim(action->text));
	}
}

struct iq_docker_action iq_docker_history_action(int64_t ts)
{
	return (struct iq_docker_action){
		.ts = ts,
		.action = IQ_LIT("history"),
		.exit_code = IQ_NUMBER_NONE,
		.restarts = IQ_NUMBER_NONE,
		.text = IQ_LIT("what happened before is not known: the Engine keeps its last 256 events")
	};
}

int iq_docker_action_copy(const struct iq_docker_action *action, struct iq_arena *memory,
			  struct iq_docker_action *ret_copy)
{
	struct iq_docker_action copy = *action;
	struct iq_view *const texts[] = { &copy.of.id,	    &copy.of.name,   &copy.of.image, &copy.of.project,
					  &copy.of.service, &copy.of.number, &copy.action,   &copy.detail,
					  &copy.signal,	    &copy.old_name,  &copy.text,     &copy.raw,
					  &copy.log_limit };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct iq_view text = *texts[i];

		*texts[i] = iq_arena_copy(memory, text);
		if (text.data && !texts[i]->data)
			return IQ_ERR_NOMEM;
	}
	*ret_copy = copy;
	return 0;
}

int iq_docker_action_event(const struct iq_docker_action *action, struct iq_buf *body, struct iq_buf *attrs,
			   struct iq_event *ret_event)
{
	struct iq_event event = IQ_EVENT_INIT;

	iq_buf_clear(body);
	say(action, body);
	describe(action, attrs);
	if (body->failed || attrs->failed)
		return IQ_ERR_NOMEM;
	event.kind = IQ_KIND_CONTAINER;
	event.ts = action->ts;
	event.type = action->action;
	event.key = iq_docker_short_id(action->of.id);
	event.severity = severity_of(action);
	event.body = iq_buf_view(body);
	event.body_is_binary = !iq_utf8_valid(event.body);
	*ret_event = event;
	return 0;
}

void iq_docker_names_source(const struct iq_docker_names *names, struct iq_buf *source)
{
	if (names->project.len > 0 && names->service.len > 0)
		(void)iq_buf_appendf(source, "%.*s-%.*s", IQ_VIEW_ARG(names->service),
				     IQ_VIEW_ARG(names->number.len > 0 ? names->number : IQ_LIT("1")));
	else
		(void)iq_buf_append(source, names->name.len > 0 ? names->name : iq_docker_short_id(names->id));
}
