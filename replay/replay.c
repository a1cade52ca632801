/* Many sessions on one event loop: which begin when, where they go, and what came of all of them. */
#include "replay/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <uv.h>

#include "replay/fleet.h"
#include "replay/schedule.h"
#include "wire/wire.h"

/* Between two looks at the caller's stop flag. */
#define STOP_INTERVAL_MS 50
/* Between two tries while the target is still starting. */
#define WAIT_INTERVAL_NS (250 * IQ_NS_PER_MS)

const char *iq_replay_outcome_name(enum iq_replay_outcome outcome)
{
	static const char *const names[] = { "done", "stalled", "cut short", "not reached", "withheld", "interrupted" };

	return names[outcome];
}

/* ---- Where to ---- */

/* `auth.example` stands for all its ports, `auth.example:8081` for one. */
static bool names_host(struct iq_view name, struct iq_view host)
{
	const struct iq_view port = iq_view_from(host, name.len);

	return host.len >= name.len && strncasecmp(name.data, host.data, name.len) == 0 &&
	       (port.len == 0 || port.data[0] == ':');
}

const char *iq_replay_target_of(const struct iq_replay *replay, struct iq_view host)
{
	const char *other = NULL;

	for (size_t i = 0; i < replay->options.target_count; i++) {
		const struct iq_replay_target *target = &replay->options.targets[i];

		if (!target->host.data)
			other = target->url;
		else if (names_host(target->host, host))
			return target->url;
	}
	return other;
}

bool iq_replay_names_host(const struct iq_replay *replay, struct iq_view host)
{
	for (size_t i = 0; i < replay->options.target_count; i++)
		if (replay->options.targets[i].host.data && names_host(replay->options.targets[i].host, host))
			return true;
	return false;
}

static int check_target(const struct iq_replay_options *options, const char *target, struct iq_error *error)
{
	struct iq_url url;
	int rc = iq_url_parse_server(iq_view_cstr(target), &url, error);

	if (rc < 0 || iq_url_is_loopback(&url))
		return rc;
	for (size_t i = 0; i < options->allowed_count; i++)
		if (iq_view_eq(iq_view_cstr(options->allowed_hosts[i]), url.host))
			return 0;
	return iq_error_set(error, IQ_ERR_USAGE,
			    "%.*s is not this machine: to send recorded messages there, add --allow-host %.*s",
			    IQ_VIEW_ARG(url.host), IQ_VIEW_ARG(url.host));
}

/* ---- Reading ---- */

static int add_plan(struct iq_replay *replay, struct iq_store *store, uint32_t no, const uint32_t *others,
		    size_t other_count, struct iq_error *error)
{
	int rc;

	if (IQ_ARRAY_GROW(replay->plans, replay->plan_capacity, replay->plan_count + 1) < 0)
		return iq_error_nomem(error);
	rc = iq_plan_read(store, no, others, other_count, &replay->plans[replay->plan_count], error);
	replay->plan_count += rc == 0;
	return rc;
}

/* The other sessions of the same flow. */
static size_t find_others(const uint32_t *flows, const struct iq_session *sessions, size_t count, size_t index,
			  uint32_t *others)
{
	size_t found = 0;

	for (size_t i = 0; i < count && found < IQ_REPLAY_MAX_OTHERS; i++)
		if (i != index && flows[i] == flows[index])
			others[found++] = sessions[i].no;
	return found;
}

static bool is_chosen(const struct iq_replay_options *options, uint32_t no)
{
	for (size_t i = 0; i < options->session_count; i++)
		if (options->sessions[i] == no)
			return true;
	return options->session_count == 0;
}

/* Learns what answers look like from the session and the others of its flow that ended well. */
static int learn_shape(struct iq_replay *replay, struct iq_store *store, uint32_t flow, const struct iq_plan *plan,
		       const uint32_t *others, size_t other_count, struct iq_error *error)
{
	struct iq_shape *shape = &replay->shapes[flow];
	int rc = iq_shape_init(shape) < 0 || iq_shape_learn(shape, plan) < 0 ? iq_error_nomem(error) : 0;

	for (size_t i = 0; i < other_count && rc == 0; i++) {
		const struct iq_session *session = iq_store_find_session(store, others[i]);
		struct iq_error unused = IQ_ERROR_INIT;
		struct iq_plan other;

		if (session->state != IQ_SESSION_CLOSED || iq_plan_read(store, others[i], NULL, 0, &other, &unused) < 0)
			continue;
		if (!other.incomplete.data && iq_shape_learn(shape, &other) < 0)
			rc = iq_error_nomem(error);
		iq_plan_release(&other);
	}
	return rc;
}

static int read_session(struct iq_replay *replay, struct iq_store *store, const uint32_t *flows, size_t index,
			struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	uint32_t others[IQ_REPLAY_MAX_OTHERS];
	const size_t other_count = find_others(flows, sessions, count, index, others);
	struct iq_error own = IQ_ERROR_INIT;
	/* One tells what is constant; which values another session has is no news from the second on. */
	int rc = add_plan(replay, store, sessions[index].no, others, other_count > 0, &own);

	if (rc < 0 && replay->options.session_count == 0 && (rc == IQ_ERR_USAGE || rc == IQ_ERR_LIMIT)) {
		replay->left_out++;
		return 0;
	}
	if (rc < 0)
		return iq_error_set(error, own.status, "%s", own.message);
	if (IQ_ARRAY_GROW(replay->flows, replay->flow_capacity, replay->plan_count) < 0)
		return iq_error_nomem(error);
	replay->flows[replay->plan_count - 1] = flows[index];
	return replay->shapes[flows[index]].recordings > 0
		       ? 0
		       : learn_shape(replay, store, flows[index], &replay->plans[replay->plan_count - 1], others,
				     other_count, error);
}

static int check_sessions(struct iq_store *store, const struct iq_replay_options *options, struct iq_error *error)
{
	for (size_t i = 0; i < options->session_count; i++)
		if (!iq_store_find_session(store, options->sessions[i]))
			return iq_error_set(error, IQ_ERR_NOT_FOUND,
					    "no session s%" PRIu32 "; `inquest sessions` lists them",
					    options->sessions[i]);
	return 0;
}

static int read_sessions(struct iq_replay *replay, struct iq_store *store, struct iq_error *error)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	uint32_t *flows = NULL;
	int rc = check_sessions(store, &replay->options, error);

	if (rc == 0)
		rc = iq_plan_flows(store, &flows, error);
	replay->shapes = rc == 0 ? calloc(count + 1, sizeof(*replay->shapes)) : NULL;
	replay->shape_count = count;
	if (rc == 0 && !replay->shapes)
		rc = iq_error_nomem(error);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (is_chosen(&replay->options, sessions[i].no))
			rc = read_session(replay, store, flows, i, error);
	free(flows);
	if (rc == 0 && replay->plan_count == 0)
		rc = iq_error_set(error, IQ_ERR_USAGE,
				  "in no session the client sent anything, so there is nothing to replay");
	return rc;
}

static int copy_supplies(struct iq_replay *replay)
{
	replay->supplied = calloc(replay->options.supply_count + 1, sizeof(*replay->supplied));
	for (size_t i = 0; replay->supplied && i < replay->options.supply_count; i++)
		replay->supplied[i] = (struct iq_supplied){ iq_view_cstr(replay->options.supplies[i].name),
							    iq_view_cstr(replay->options.supplies[i].value), false };
	return replay->supplied ? 0 : IQ_ERR_NOMEM;
}

int iq_replay_new(struct iq_store *store, const struct iq_replay_options *options, struct iq_replay **ret_replay,
		  struct iq_error *error)
{
	struct iq_replay *replay = calloc(1, sizeof(*replay));
	int rc;

	if (!replay)
		return iq_error_nomem(error);
	replay->options = *options;
	rc = copy_supplies(replay) < 0 ? iq_error_nomem(error) : read_sessions(replay, store, error);
	if (rc < 0)
		iq_replay_free(replay);
	else
		*ret_replay = replay;
	return rc;
}

void iq_replay_free(struct iq_replay *replay)
{
	if (!replay)
		return;
	for (size_t i = 0; i < replay->plan_count; i++)
		iq_plan_release(&replay->plans[i]);
	for (size_t i = 0; replay->shapes && i < replay->shape_count; i++)
		if (replay->shapes[i].before)
			iq_shape_release(&replay->shapes[i]);
	for (size_t i = 0; i < replay->lived_count; i++) {
		free(replay->lived[i].differences);
		iq_arena_release(&replay->lived[i].memory);
	}
	free(replay->plans);
	free(replay->shapes);
	free(replay->flows);
	free(replay->lived);
	free(replay->supplied);
	free(replay->latencies.items);
	free(replay->lateness.items);
	iq_arena_release(&replay->memory);
	free(replay);
}

size_t iq_replay_left_out(const struct iq_replay *replay)
{
	return replay->left_out;
}

/* ---- May it be run? ---- */

static bool is_supplied(const struct iq_replay *replay, struct iq_view name)
{
	for (size_t i = 0; i < replay->options.supply_count; i++)
		if (iq_view_eq(replay->supplied[i].name, name))
			return true;
	return false;
}

static int check_secrets(const struct iq_replay *replay, const struct iq_plan *plan, struct iq_error *error)
{
	for (size_t i = 0; i < plan->flow.secret_count; i++)
		if (!is_supplied(replay, plan->flow.secrets[i].name))
			return iq_error_set(error, IQ_ERR_USAGE,
					    "s%" PRIu32
					    " needs %.*s, which was redacted: add --set %.*s=env:VARIABLE (or @FILE)",
					    plan->session_no, IQ_VIEW_ARG(plan->flow.secrets[i].name),
					    IQ_VIEW_ARG(plan->flow.secrets[i].name));
	return 0;
}

static int check_names(const struct iq_replay *replay, struct iq_error *error)
{
	for (size_t i = 0; i < replay->options.supply_count; i++) {
		bool known = false;

		for (size_t j = 0; j < replay->plan_count && !known; j++)
			known = iq_map_get(&replay->plans[j].flow.names, replay->supplied[i].name) != NULL;
		for (size_t j = 0; j < replay->plan_count && !known; j++)
			for (size_t k = 0; k < replay->plans[j].flow.secret_count && !known; k++)
				known = iq_view_eq(replay->plans[j].flow.secrets[k].name, replay->supplied[i].name);
		if (!known)
			return iq_error_set(error, IQ_ERR_USAGE,
					    "--set %.*s: nothing that is sent is called so; --plan lists names",
					    IQ_VIEW_ARG(iq_utf8_cut(replay->supplied[i].name, 80)));
	}
	return 0;
}

/* What went to a host that no target stands for is not sent elsewhere: it may carry that host's tokens. */
static int check_hosts(const struct iq_replay *replay, const struct iq_plan *plan, struct iq_error *error)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct iq_turn *turn = &plan->turns[i];
		const struct iq_view url = turn->texts[IQ_SLOT_URL];
		const size_t scheme = iq_view_find(url, IQ_LIT("://"));
		struct iq_view host = scheme == SIZE_MAX ? IQ_VIEW_NULL : iq_view_from(url, scheme + 3);

		if (turn->kind == IQ_KIND_WS_OPEN)
			host = plan->host;
		else if (turn->kind != IQ_KIND_HTTP_REQUEST)
			continue;
		host.len = iq_view_find(host, IQ_LIT("/")) == SIZE_MAX ? host.len : iq_view_find(host, IQ_LIT("/"));
		if (iq_replay_target_of(replay, host) &&
		    (turn->kind == IQ_KIND_WS_OPEN || iq_view_eq(host, plan->host) ||
		     iq_replay_names_host(replay, host)))
			continue;
		return iq_error_set(error, IQ_ERR_USAGE, "s%" PRIu32 " went to %.*s: add --target %.*s=%s://HOST:PORT",
				    plan->session_no, IQ_VIEW_ARG(iq_utf8_cut(host, 80)),
				    IQ_VIEW_ARG(iq_utf8_cut(host, 80)), turn->kind == IQ_KIND_WS_OPEN ? "ws" : "http");
	}
	return 0;
}

int iq_replay_ready(struct iq_replay *replay, struct iq_error *error)
{
	int rc = 0;

	for (size_t i = 0; i < replay->options.target_count && rc == 0; i++)
		rc = check_target(&replay->options, replay->options.targets[i].url, error);
	for (size_t i = 0; i < replay->plan_count && rc == 0; i++) {
		rc = check_hosts(replay, &replay->plans[i], error);
		if (rc == 0)
			rc = check_secrets(replay, &replay->plans[i], error);
	}
	if (rc == 0)
		rc = check_names(replay, error);
	return rc == 0 ? iq_schedule_check_files(replay, error) : rc;
}

/* ---- Running ---- */

struct fleet {
	struct iq_replay *replay;
	struct iq_stage stage;
	uv_loop_t loop;
	struct iq_pacer pacer;
	uv_timer_t starter;
	uv_timer_t stopper;
	struct iq_session_run **runs;
	struct iq_session_run **dead; /* that reached nothing, and began again; freed when the loop has run out */
	size_t dead_count;
	size_t dead_capacity;
	size_t next; /* session to begin */
	size_t living;
	int64_t begun;
	bool stopping;
};

static void start_some(struct fleet *fleet);
static void on_start(uv_timer_t *timer);

static bool wants_stop(const struct fleet *fleet)
{
	const volatile int *stop = fleet->replay->options.stop;

	return fleet->stage.failure < 0 || (stop && *stop);
}

static void close_timers(struct fleet *fleet)
{
	iq_pacer_close(&fleet->pacer);
	if (!uv_is_closing((uv_handle_t *)&fleet->starter))
		uv_close((uv_handle_t *)&fleet->starter, NULL);
	if (!uv_is_closing((uv_handle_t *)&fleet->stopper))
		uv_close((uv_handle_t *)&fleet->stopper, NULL);
}

/* The target is still starting: the session begins again. */
static bool try_again(struct fleet *fleet, struct iq_lived *lived)
{
	const size_t index = (size_t)(lived - fleet->replay->lived);
	const int64_t since = iq_clock_monotonic() - fleet->begun;

	if (lived->outcome != IQ_REPLAY_UNREACHABLE || since + WAIT_INTERVAL_NS > fleet->replay->options.wait_ns ||
	    fleet->stopping || IQ_ARRAY_GROW_POINTERS(fleet->dead, fleet->dead_capacity, fleet->dead_count + 1) < 0)
		return false;
	iq_replay_forget(fleet->replay, index);
	fleet->dead[fleet->dead_count++] = fleet->runs[index];
	fleet->runs[index] = NULL;
	/* Sessions that have begun already are told apart by their run. */
	if (index < fleet->next)
		fleet->next = index;
	return true;
}

static void on_ended(void *context, struct iq_lived *lived)
{
	struct fleet *fleet = context;

	fleet->living--;
	if (try_again(fleet, lived)) {
		(void)uv_timer_start(&fleet->starter, on_start, WAIT_INTERVAL_NS / IQ_NS_PER_MS, 0);
		return;
	}
	start_some(fleet);
}

static void start_one(struct fleet *fleet, size_t index)
{
	struct iq_replay *replay = fleet->replay;
	const struct iq_plan *plan = &replay->plans[index % replay->plan_count];
	struct iq_error error = IQ_ERROR_INIT;

	fleet->living++;
	if (iq_session_run_start(&fleet->stage, plan, &replay->shapes[replay->flows[index % replay->plan_count]],
				 iq_replay_target_of(replay, plan->host), &replay->lived[index], &fleet->runs[index],
				 &error) == 0)
		return;
	fleet->living--;
	if (fleet->stage.failure == 0)
		fleet->stage.failure = iq_error_set(fleet->stage.error, error.status, "%s", error.message);
}

static void start_some(struct fleet *fleet)
{
	struct iq_replay *replay = fleet->replay;
	const int64_t now = iq_clock_monotonic() - fleet->begun;

	while (fleet->next < replay->lived_count && !wants_stop(fleet) &&
	       (replay->options.pace == IQ_PACE_RECORDED || fleet->living < replay->options.concurrency)) {
		const int64_t at = iq_schedule_start(replay, fleet->next);

		if (fleet->runs[fleet->next]) {
			fleet->next++;
			continue;
		}
		if (at > now) {
			(void)uv_timer_start(&fleet->starter, on_start, (uint64_t)((at - now) / IQ_NS_PER_MS) + 1, 0);
			return;
		}
		start_one(fleet, fleet->next++);
	}
	if (fleet->living == 0 && (fleet->next == replay->lived_count || wants_stop(fleet)))
		close_timers(fleet);
}

static void on_start(uv_timer_t *timer)
{
	start_some(timer->data);
}

static void on_stop_check(uv_timer_t *timer)
{
	struct fleet *fleet = timer->data;

	if (!wants_stop(fleet) || fleet->stopping)
		return;
	fleet->stopping = true;
	for (size_t i = 0; i < fleet->replay->lived_count; i++)
		if (fleet->runs[i])
			iq_session_run_stop(fleet->runs[i]);
	if (fleet->living == 0)
		close_timers(fleet);
}

static int sail(struct fleet *fleet, struct iq_error *error)
{
	int rc;

	if (uv_loop_init(&fleet->loop) < 0)
		return iq_error_nomem(error);
	rc = iq_pacer_open(&fleet->pacer, &fleet->loop, error);
	if (rc < 0) {
		(void)uv_loop_close(&fleet->loop);
		return rc;
	}
	(void)uv_timer_init(&fleet->loop, &fleet->starter);
	(void)uv_timer_init(&fleet->loop, &fleet->stopper);
	fleet->starter.data = fleet->stopper.data = fleet;
	fleet->begun = iq_clock_monotonic();
	(void)uv_timer_start(&fleet->stopper, on_stop_check, STOP_INTERVAL_MS, STOP_INTERVAL_MS);
	start_some(fleet);
	(void)uv_run(&fleet->loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < fleet->replay->lived_count; i++)
		iq_session_run_free(fleet->runs[i]);
	for (size_t i = 0; i < fleet->dead_count; i++)
		iq_session_run_free(fleet->dead[i]);
	free(fleet->dead);
	(void)uv_loop_close(&fleet->loop);
	if (fleet->stage.failure == 0 && (fleet->stopping || fleet->next < fleet->replay->lived_count))
		return iq_error_set(error, IQ_ERR_INTERRUPTED, "interrupted: what was recorded until then is in %s",
				    fleet->replay->options.run_path);
	return fleet->stage.failure;
}

/* One name, one session: repetitions and namesakes are numbered. */
static int name_sessions(struct iq_replay *replay)
{
	struct iq_map names = IQ_MAP_INIT; /* -> the last number of its namesakes */
	struct iq_buf name = IQ_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < replay->lived_count && rc >= 0; i++) {
		struct iq_lived *lived = &replay->lived[i];
		uint64_t *known = iq_map_get(&names, lived->recorded_name);

		iq_buf_clear(&name);
		(void)iq_buf_append(&name, lived->recorded_name);
		while (known && iq_map_get(&names, iq_buf_view(&name))) {
			iq_buf_clear(&name);
			(void)iq_buf_append(&name, lived->recorded_name);
			(void)iq_buf_appendf(&name, " #%" PRIu64, ++*known);
		}
		lived->name = iq_arena_copy(&replay->memory, iq_buf_view(&name));
		rc = lived->name.data ? iq_map_set(&names, lived->name, 1) : IQ_ERR_NOMEM;
	}
	iq_buf_release(&name);
	iq_map_release(&names);
	return rc;
}

void iq_replay_forget(struct iq_replay *replay, size_t index)
{
	const struct iq_plan *plan = &replay->plans[index % replay->plan_count];
	struct iq_lived *lived = &replay->lived[index];
	const struct iq_view name = lived->name;

	free(lived->differences);
	iq_arena_release(&lived->memory);
	*lived = (struct iq_lived){ .session_no = plan->session_no,
				    .recorded_name = plan->name,
				    .name = name,
				    .verdict = IQ_VERDICT_UNDETERMINED,
				    .outcome = IQ_REPLAY_DONE,
				    .expected_to_send = plan->client_messages,
				    .expected_to_receive = plan->server_messages,
				    .memory = IQ_ARENA_INIT };
	if (plan->started != IQ_TIME_NONE && plan->turns[plan->count - 1].ts != IQ_TIME_NONE)
		lived->recorded_ns = plan->turns[plan->count - 1].ts - plan->started;
}

static int make_lived(struct iq_replay *replay)
{
	replay->lived_count = iq_schedule_count(replay);
	replay->lived = calloc(replay->lived_count, sizeof(*replay->lived));
	if (!replay->lived) {
		replay->lived_count = 0;
		return IQ_ERR_NOMEM;
	}
	for (size_t i = 0; i < replay->lived_count; i++)
		iq_replay_forget(replay, i);
	return name_sessions(replay);
}

static void name_evidence(const struct iq_replay *replay, char name[64])
{
	if (replay->plan_count == 1)
		(void)snprintf(name, 64, "replay-of-s%" PRIu32 ".ndjson", replay->plans[0].session_no);
	else
		(void)snprintf(name, 64, "replay-of-%zu-sessions.ndjson", replay->plan_count);
}

static const char *target_of(void *context, struct iq_view host)
{
	const struct fleet *fleet = context;

	return iq_replay_target_of(fleet->replay, host);
}

int iq_replay_run(struct iq_replay *replay, struct iq_error *error)
{
	struct fleet fleet = { .replay = replay };
	char name[64];
	int rc = make_lived(replay) < 0 ? iq_error_nomem(error) : 0, closed;

	if (rc < 0)
		return rc;
	name_evidence(replay, name);
	rc = iq_recorder_open(replay->options.run_path, name, &fleet.stage.recorder, error);
	if (rc < 0)
		return rc;
	fleet.stage = (struct iq_stage){ .loop = &fleet.loop,
					 .options = &replay->options,
					 .recorder = fleet.stage.recorder,
					 .dialects = iq_dialects_new(NULL),
					 .pacer = &fleet.pacer,
					 .latencies = &replay->latencies,
					 .lateness = &replay->lateness,
					 .supplied = replay->supplied,
					 .supplied_count = replay->options.supply_count,
					 .error = error,
					 .target_of = target_of,
					 .ended = on_ended,
					 .context = &fleet };
	fleet.runs = calloc(replay->lived_count, sizeof(struct iq_session_run *));
	rc = fleet.stage.dialects && fleet.runs ? sail(&fleet, error) : iq_error_nomem(error);
	free(fleet.runs);
	iq_dialects_free(fleet.stage.dialects);
	/* The first error is kept. */
	closed = iq_recorder_close(fleet.stage.recorder, error);
	iq_recorder_free(fleet.stage.recorder);
	return rc < 0 ? rc : closed;
}

/* ---- What came of it ---- */

static const struct iq_session_verdict *verdict_of(const struct iq_check_result *result, uint32_t session_no)
{
	for (size_t i = 0; i < result->session_count; i++)
		if (result->sessions[i].no == session_no && result->sessions[i].instances > 0)
			return &result->sessions[i];
	return NULL;
}

/* Of two verdicts the worse one counts; a session that is not ok already keeps its reason. */
static void fold_verdict(struct iq_lived *lived, const struct iq_session_verdict *now,
			 const struct iq_session_verdict *then)
{
	if (!now || now->verdict <= lived->verdict || (then && now->verdict <= then->verdict) ||
	    lived->outcome == IQ_REPLAY_UNREACHABLE)
		return;
	lived->verdict = now->verdict;
	(void)snprintf(lived->reason, sizeof(lived->reason), "%.*s", IQ_VIEW_ARG(iq_utf8_cut(now->reason, 250)));
}

static int map_names(const struct iq_replay *replay, struct iq_map *names)
{
	int rc = 0;

	for (size_t i = 0; i < replay->lived_count && rc >= 0; i++)
		rc = iq_map_set(names, replay->lived[i].name, i);
	return rc;
}

int iq_replay_fold(struct iq_replay *replay, struct iq_store *run, const struct iq_check_result *result,
		   const struct iq_check_result *recorded)
{
	struct iq_map names = IQ_MAP_INIT;
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(run, &count);
	const int rc = map_names(replay, &names);

	for (size_t i = 0; i < count && rc == 0; i++) {
		const uint64_t *index = iq_map_get(&names, sessions[i].name);
		struct iq_lived *lived = index ? &replay->lived[*index] : NULL;

		if (!lived)
			continue;
		lived->run_session_no = sessions[i].no;
		fold_verdict(lived, verdict_of(result, sessions[i].no),
			     recorded ? verdict_of(recorded, lived->session_no) : NULL);
	}
	iq_map_release(&names);
	return rc;
}

const struct iq_lived *iq_replay_sessions(const struct iq_replay *replay, size_t *ret_count)
{
	*ret_count = replay->lived_count;
	return replay->lived;
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct iq_latencies summed_up(const struct iq_latency_log *log)
{
	const size_t count = log->count;
	int64_t *items = log->items;

	if (count == 0)
		return (struct iq_latencies){ .count = 0 };
	qsort(items, count, sizeof(*items), by_size);
	return (struct iq_latencies){ count, items[(count - 1) / 2], items[(count - 1) * 9 / 10],
				      items[(count - 1) * 99 / 100], items[count - 1] };
}

void iq_replay_latencies(const struct iq_replay *replay, struct iq_latencies *ret_latencies)
{
	*ret_latencies = summed_up(&replay->latencies);
}

void iq_replay_lateness(const struct iq_replay *replay, struct iq_latencies *ret_lateness)
{
	*ret_lateness = summed_up(&replay->lateness);
}
