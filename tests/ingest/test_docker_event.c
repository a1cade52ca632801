#include <criterion/criterion.h>

#include "ingest/docker_event.h"
#include "ingest/record.h"

static void append_event(struct iq_buf *out, const struct iq_docker_action *action)
{
	struct iq_buf body = IQ_BUF_INIT, attrs = IQ_BUF_INIT;
	struct iq_event event;
	char ts[IQ_RFC3339_SIZE];

	cr_assert_eq(iq_docker_action_event(action, &body, &attrs, &event), 0);
	event.attrs = iq_attrs_end(&attrs);
	cr_assert(iq_json_valid(event.attrs), "%.*s", IQ_VIEW_ARG(event.attrs));
	(void)iq_buf_appendf(out, "%s %s %.*s %s \"%.*s\"", iq_time_format(event.ts, ts), iq_kind_name(event.kind),
			     IQ_VIEW_ARG(event.key), iq_severity_name(event.severity), IQ_VIEW_ARG(event.body));
	(void)iq_buf_appendf(out, " %.*s\n", IQ_VIEW_ARG(event.attrs));
	iq_buf_release(&body);
	iq_buf_release(&attrs);
}

#define ID "a1714667e3165d8581fdcd3a421169327ad1dc9b138521239b09b22e393bc4fa"
#define OBJECT(action, more) \
	"{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" ID "\",\"Attributes\":{" more \
	"\"name\":\"api\"}}," \
	"\"time\":1795549086,\"timeNano\":1795549086570492619}"
#define AT "2026-11-24T19:38:06.570492619Z container a1714667e316 "
#define ATTRS "{\"container\":\"a1714667e316\",\"name\":\"api\""

static void expect(const char *json, const char *wanted)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_action action;
	struct iq_buf out = IQ_BUF_INIT, with_engine = IQ_BUF_INIT;

	cr_assert(iq_docker_action_read(&action, iq_view_cstr(json), &memory), "%s", json);
	append_event(&out, &action);
	(void)iq_buf_appendf(&with_engine, "%s,\"engine\":%s}\n", wanted, json);
	cr_expect_str_eq(out.data, with_engine.data);
	iq_buf_release(&out);
	iq_buf_release(&with_engine);
	iq_arena_release(&memory);
}

Test(docker_event, tells_how_a_container_ended)
{
	expect(OBJECT("die", "\"exitCode\":\"137\","), AT "error \"die, exit code 137\" " ATTRS ",\"exit_code\":137");
	expect(OBJECT("die", "\"exitCode\":\"0\","), AT "info \"die, exit code 0\" " ATTRS ",\"exit_code\":0");
	expect(OBJECT("kill", "\"signal\":\"9\","), AT "warning \"kill, signal 9\" " ATTRS ",\"signal\":\"9\"");
	expect(OBJECT("oom", ""), AT "critical \"oom\" " ATTRS);
}

Test(docker_event, takes_apart_what_hangs_behind_a_colon)
{
	expect(OBJECT("health_status: unhealthy", ""),
	       AT "error \"health_status unhealthy\" " ATTRS ",\"health\":\"unhealthy\"");
	expect(OBJECT("exec_create: sh -c id", ""),
	       AT "info \"exec_create sh -c id\" " ATTRS ",\"detail\":\"sh -c id\"");
}

Test(docker_event, tells_renames_and_what_compose_says)
{
	expect(OBJECT("rename", "\"oldName\":\"/old\","), AT "info \"rename, was old\" " ATTRS ",\"old_name\":\"old\"");
	expect(OBJECT("start", "\"com.docker.compose.project\":\"chat\",\"com.docker.compose.service\":\"a\\u0070i\","),
	       AT
	       "info \"start\" {\"container\":\"a1714667e316\",\"project\":\"chat\",\"service\":\"api\",\"name\":\"api\"");
}

Test(docker_event, passes_over_what_is_not_about_a_container)
{
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_action action;
	static const char *const others[] = {
		"{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"x\"}}",
		"{\"Type\":\"container\",\"Actor\":{\"ID\":\"x\"}}",
		"{\"Type\":\"container\",\"Action\":\"die\"}",
		"[]",
		"{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"x\",\"Attributes\":{\"exitCode\":no}}}",
		"",
		"{\"Type\":"
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_not(iq_docker_action_read(&action, iq_view_cstr(others[i]), &memory), "%s", others[i]);
	iq_arena_release(&memory);
}

/* ---- States ---- */

static int take(void *context, const struct iq_docker_action *action)
{
	append_event(context, action);
	return 0;
}

static void expect_history(const char *json, const char *wanted)
{
	struct iq_buf out = IQ_BUF_INIT;

	cr_expect_eq(iq_docker_state_history(iq_view_cstr(json), take, &out), 0);
	cr_expect_str_eq(out.data ? out.data : "", wanted);
	iq_buf_release(&out);
}

#define STATE(state) \
	"{\"Id\":\"" ID \
	"\",\"Created\":\"2026-11-24T19:38:00Z\",\"Name\":\"/api\",\"RestartCount\":2,\"State\":{" state "}}"
#define ENDS ",\"from\":\"inspect\"}\n"

Test(docker_event, tells_whether_a_container_is_being_removed)
{
	static const struct {
		const char *json;
		bool is;
	} cases[] = {
		{ STATE("\"Status\":\"exited\",\"Dead\":false"), false },
		{ STATE("\"Status\":\"removing\",\"Dead\":false"), true },
		{ STATE("\"Status\":\"dead\",\"Dead\":true"), true },
	};
	struct iq_arena memory = IQ_ARENA_INIT;
	struct iq_docker_state state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(iq_docker_state_read(&state, iq_view_cstr(cases[i].json), &memory), "%s", cases[i].json);
		cr_expect_eq(state.being_removed, cases[i].is, "%s", cases[i].json);
	}
	iq_arena_release(&memory);
}

Test(docker_event, tells_from_a_state_how_it_came_to_that)
{
	expect_history(
		STATE("\"Running\":false,\"OOMKilled\":true,\"ExitCode\":137,\"Error\":\"\",\"StartedAt\":\"2026-11-24T19:38:01Z\","
		      "\"FinishedAt\":\"2026-11-24T19:38:05Z\",\"Health\":{\"Log\":[{\"End\":\"2026-11-24T19:38:03Z\",\"ExitCode\":1,"
		      "\"Output\":\"no\\n\"}]}"),
		"2026-11-24T19:38:00.000000000Z container a1714667e316 info \"create\" " ATTRS ENDS
		"2026-11-24T19:38:01.000000000Z container a1714667e316 info \"start\" " ATTRS ",\"restarts\":2" ENDS
		"2026-11-24T19:38:03.000000000Z container a1714667e316 warning \"health_check, exit code 1: no\" " ATTRS
		",\"exit_code\":1" ENDS
		"2026-11-24T19:38:05.000000000Z container a1714667e316 error \"die, exit code 137, out of memory\" " ATTRS
		",\"exit_code\":137,\"oom\":true" ENDS);
}

Test(docker_event, tells_the_end_of_the_run_before_of_one_that_runs)
{
	expect_history(
		STATE("\"Running\":true,\"ExitCode\":0,\"StartedAt\":\"2026-11-24T19:38:03Z\",\"FinishedAt\":\"2026-11-24T19:38:02Z\""),
		"2026-11-24T19:38:00.000000000Z container a1714667e316 info \"create\" " ATTRS ENDS
		"2026-11-24T19:38:02.000000000Z container a1714667e316 info \"die\" " ATTRS ENDS
		"2026-11-24T19:38:03.000000000Z container a1714667e316 info \"start\" " ATTRS ",\"restarts\":2" ENDS);
	expect_history(
		STATE("\"Running\":true,\"StartedAt\":\"2026-11-24T19:38:03Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\""),
		"2026-11-24T19:38:00.000000000Z container a1714667e316 info \"create\" " ATTRS ENDS
		"2026-11-24T19:38:03.000000000Z container a1714667e316 info \"start\" " ATTRS ",\"restarts\":2" ENDS);
	expect_history("{\"Id\":7}", "");
	expect_history("nonsense", "");
}
