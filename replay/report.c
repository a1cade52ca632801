/* What came of a run: for a person, for machines that read JUnit, TAP or JSON, for GitHub's log; and the plan of one. */
#include <inttypes.h>
#include <stdio.h>

#include "replay/fleet.h"

static double seconds(int64_t ns)
{
	return (double)ns / (double)IQ_NS_PER_S;
}

struct tally {
	size_t count[IQ_VERDICT_VIOLATED + 1];
};

static struct tally tally_of(const struct iq_replay *replay)
{
	struct tally tally = { { 0 } };

	for (size_t i = 0; i < replay->lived_count; i++)
		tally.count[replay->lived[i].verdict]++;
	return tally;
}

static enum iq_verdict verdict_of(const struct tally *tally)
{
	if (tally->count[IQ_VERDICT_VIOLATED] > 0)
		return IQ_VERDICT_VIOLATED;
	return tally->count[IQ_VERDICT_UNDETERMINED] > 0 ? IQ_VERDICT_UNDETERMINED : IQ_VERDICT_OK;
}

/* All that goes to a terminal is made safe once more. */
static void append_safe(struct iq_buf *out, struct iq_view text)
{
	(void)iq_utf8_append_safe(out, text);
}

static struct iq_view verdict_name(enum iq_verdict verdict)
{
	return iq_view_cstr(iq_verdict_name(verdict));
}

/* ---- Text ---- */

static void append_side(struct iq_buf *out, const char *label, uint64_t id, struct iq_view text)
{
	(void)iq_buf_appendf(out, "     %-8s ", label);
	if (id)
		(void)iq_buf_appendf(out, "%-8" PRIu64 " ", id);
	else
		(void)iq_buf_appendf(out, "%-8s ", "-");
	append_safe(out, iq_utf8_cut(text, 400));
	(void)iq_buf_append_cstr(out, text.data ? "\n" : "nothing\n");
}

static const struct iq_difference *first_judged(const struct iq_lived *lived)
{
	for (size_t i = 0; i < lived->difference_count; i++)
		if (lived->differences[i].is_judged)
			return &lived->differences[i];
	return NULL;
}

static void append_differences(struct iq_buf *out, const struct iq_lived *lived, bool judged, size_t most)
{
	size_t told = 0;

	for (size_t i = 0; i < lived->difference_count && told < most; i++) {
		const struct iq_difference *difference = &lived->differences[i];

		if (difference->is_judged != judged)
			continue;
		(void)iq_buf_appendf(out, "     %-10s %s\n", difference->kind, difference->text);
		told++;
	}
	if ((judged ? lived->judged : lived->reported) > told)
		(void)iq_buf_appendf(out, "     and %" PRIu64 " more\n",
				     (judged ? lived->judged : lived->reported) - told);
}

static void append_lived(struct iq_buf *out, const struct iq_lived *lived, bool shown)
{
	const struct iq_difference *first = first_judged(lived);

	(void)iq_buf_appendf(out, "  s%-5" PRIu32 " %-12s ", lived->session_no, iq_verdict_name(lived->verdict));
	append_safe(out, iq_utf8_cut(lived->name, 60));
	(void)iq_buf_appendf(
		out, ": %s, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64 " (%" PRIu64 " in the recording)\n",
		iq_replay_outcome_name(lived->outcome), lived->sent, lived->expected_to_send, lived->received,
		lived->expected_to_receive);
	if (lived->reason[0])
		(void)iq_buf_appendf(out, "     %s\n", lived->reason);
	if (!shown)
		return;
	if (first && (first->expected || first->got_side.data)) {
		append_side(out, "expected", first->expected, first->expected_side);
		append_side(out, "got", first->got, first->got_side);
	}
	append_differences(out, lived, true, 10);
	append_differences(out, lived, false, 3);
}

/* `3 sessions: 2 ok, 1 violated` */
static void append_tally(struct iq_buf *out, const struct iq_replay *replay)
{
	const struct tally tally = tally_of(replay);
	const char *separator = ":";

	(void)iq_buf_appendf(out, "%zu session%s", replay->lived_count, replay->lived_count == 1 ? "" : "s");
	for (int verdict = IQ_VERDICT_VIOLATED; verdict >= IQ_VERDICT_OK; verdict--) {
		if (tally.count[verdict] == 0)
			continue;
		(void)iq_buf_appendf(out, "%s %zu %s", separator, tally.count[verdict],
				     iq_verdict_name((enum iq_verdict)verdict));
		separator = ",";
	}
}

static void append_times(struct iq_buf *out, const char *what, const struct iq_latencies *times)
{
	char p50[IQ_RFC3339_SIZE], p90[IQ_RFC3339_SIZE], p99[IQ_RFC3339_SIZE], max[IQ_RFC3339_SIZE];

	if (times->count == 0)
		return;
	(void)iq_buf_appendf(out, "  %s: %" PRIu64 ", p50 %s, p90 %s, p99 %s, max %s\n", what, times->count,
			     iq_duration_format(times->p50, p50), iq_duration_format(times->p90, p90),
			     iq_duration_format(times->p99, p99), iq_duration_format(times->max, max));
}

static void append_latencies(struct iq_buf *out, const struct iq_replay *replay)
{
	struct iq_latencies answers, late;

	iq_replay_latencies(replay, &answers);
	iq_replay_lateness(replay, &late);
	append_times(out, "answers", &answers);
	append_times(out, "sent late by", &late);
}

/* Sessions that are ok are counted where there are many. */
#define LISTED 20u

int iq_replay_text(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	size_t told = 0;

	(void)iq_buf_appendf(out, "REPLAY of %s against %s\n", names->recording, names->target);
	(void)iq_buf_append_cstr(out, "  ");
	append_tally(out, replay);
	(void)iq_buf_append_cstr(out, "\n");
	append_latencies(out, replay);
	for (size_t i = 0; i < replay->lived_count; i++) {
		const bool is_ok = replay->lived[i].verdict == IQ_VERDICT_OK;

		if (is_ok ? replay->lived_count <= LISTED : told++ < LISTED)
			append_lived(out, &replay->lived[i], !is_ok || replay->lived[i].reported > 0);
	}
	if (replay->left_out > 0)
		(void)iq_buf_appendf(out,
				     "  %zu session%s left out: their clients sent nothing that can be sent again\n",
				     replay->left_out, replay->left_out == 1 ? " was" : "s were");
	(void)iq_buf_appendf(out, "  recorded in %s\n", names->run);
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- JSON ---- */

static void append_member(struct iq_buf *out, const char *name, struct iq_view text)
{
	(void)iq_buf_appendf(out, ",\"%s\":", name);
	if (text.data)
		(void)iq_json_append_string(out, text);
	else
		(void)iq_buf_append_cstr(out, "null");
}

static void append_difference_json(struct iq_buf *out, const struct iq_difference *difference)
{
	(void)iq_buf_appendf(out, "{\"kind\":\"%s\",\"judged\":%s,\"expected\":%" PRIu64 ",\"got\":%" PRIu64,
			     difference->kind, difference->is_judged ? "true" : "false", difference->expected,
			     difference->got);
	append_member(out, "text", iq_view_cstr(difference->text));
	if (difference->expected_side.data)
		append_member(out, "expected_body", difference->expected_side);
	if (difference->got_side.data)
		append_member(out, "got_body", difference->got_side);
	(void)iq_buf_append_char(out, '}');
}

static void append_lived_json(struct iq_buf *out, const struct iq_lived *lived)
{
	(void)iq_buf_appendf(out, "{\"session\":\"s%" PRIu32 "\",\"run_session\":", lived->session_no);
	(void)iq_buf_appendf(out, lived->run_session_no ? "\"s%" PRIu32 "\"" : "null", lived->run_session_no);
	append_member(out, "name", lived->name);
	append_member(out, "verdict", verdict_name(lived->verdict));
	append_member(out, "outcome", iq_view_cstr(iq_replay_outcome_name(lived->outcome)));
	append_member(out, "reason", lived->reason[0] ? iq_view_cstr(lived->reason) : IQ_VIEW_NULL);
	(void)iq_buf_appendf(out,
			     ",\"sent\":%" PRIu64 ",\"expected_to_send\":%" PRIu64 ",\"received\":%" PRIu64
			     ",\"expected_to_receive\":%" PRIu64 ",\"duration_ns\":%" PRId64 ",\"recorded_ns\":%" PRId64
			     ",\"judged\":%" PRIu64 ",\"reported\":%" PRIu64 ",\"differences\":[",
			     lived->sent, lived->expected_to_send, lived->received, lived->expected_to_receive,
			     lived->duration_ns, lived->recorded_ns, lived->judged, lived->reported);
	for (size_t i = 0; i < lived->difference_count; i++) {
		(void)iq_buf_append_cstr(out, i ? "," : "");
		append_difference_json(out, &lived->differences[i]);
	}
	(void)iq_buf_append_cstr(out, "]}");
}

static void append_times_json(struct iq_buf *out, const char *name, const struct iq_latencies *times)
{
	(void)iq_buf_appendf(out,
			     ",\"%s\":{\"count\":%" PRIu64 ",\"p50_ns\":%" PRId64 ",\"p90_ns\":%" PRId64
			     ",\"p99_ns\":%" PRId64 ",\"max_ns\":%" PRId64 "}",
			     name, times->count, times->p50, times->p90, times->p99, times->max);
}

int iq_replay_json(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	const struct tally tally = tally_of(replay);
	struct iq_latencies answers, late;

	iq_replay_latencies(replay, &answers);
	iq_replay_lateness(replay, &late);
	(void)iq_buf_appendf(out, "{\"verdict\":\"%s\"", iq_verdict_name(verdict_of(&tally)));
	append_member(out, "recording", iq_view_cstr(names->recording));
	append_member(out, "target", iq_view_cstr(names->target));
	append_member(out, "run", iq_view_cstr(names->run));
	(void)iq_buf_appendf(out, ",\"ok\":%zu,\"violated\":%zu,\"undetermined\":%zu,\"left_out\":%zu",
			     tally.count[IQ_VERDICT_OK], tally.count[IQ_VERDICT_VIOLATED],
			     tally.count[IQ_VERDICT_UNDETERMINED], replay->left_out);
	append_times_json(out, "answers", &answers);
	append_times_json(out, "late", &late);
	(void)iq_buf_append_cstr(out, ",\"sessions\":[");
	for (size_t i = 0; i < replay->lived_count; i++) {
		(void)iq_buf_append_cstr(out, i ? ",\n" : "\n");
		append_lived_json(out, &replay->lived[i]);
	}
	(void)iq_buf_append_cstr(out, "]}\n");
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- JUnit ---- */

/* Attributes and texts alike; what XML 1.0 has no way to write is left out. */
static void append_xml(struct iq_buf *out, struct iq_view text)
{
	struct iq_buf safe = IQ_BUF_INIT;

	(void)iq_utf8_append_repaired(&safe, text);
	for (size_t i = 0; i < safe.len; i++) {
		const char c = safe.data[i];

		if (c == '&' || c == '<' || c == '>' || c == '"')
			(void)iq_buf_append_cstr(out, c == '&'	 ? "&amp;"
						      : c == '<' ? "&lt;"
						      : c == '>' ? "&gt;"
								 : "&quot;");
		else if ((unsigned char)c >= ' ' || c == '\n')
			(void)iq_buf_append_char(out, c);
	}
	iq_buf_release(&safe);
}

/* What is said of a session that is not ok, all of it. */
static void append_story(struct iq_buf *out, const struct iq_lived *lived)
{
	const struct iq_difference *first = first_judged(lived);

	(void)iq_buf_appendf(
		out, "%s\n%s: sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64 " (%" PRIu64 " in the recording)\n",
		lived->reason, iq_replay_outcome_name(lived->outcome), lived->sent, lived->expected_to_send,
		lived->received, lived->expected_to_receive);
	if (first) {
		append_side(out, "expected", first->expected, first->expected_side);
		append_side(out, "got", first->got, first->got_side);
	}
	append_differences(out, lived, true, IQ_REPLAY_MAX_DIFFERENCES);
}

static void append_case(struct iq_buf *out, const struct iq_lived *lived, const struct iq_replay_names *names)
{
	const bool violated = lived->verdict == IQ_VERDICT_VIOLATED;
	const struct iq_difference *first = first_judged(lived);
	struct iq_buf story = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(out, "    <testcase name=\"");
	append_xml(out, lived->name);
	(void)iq_buf_append_cstr(out, "\" classname=\"");
	append_xml(out, iq_view_cstr(names->recording));
	(void)iq_buf_appendf(out, "\" time=\"%.3f\"", seconds(lived->duration_ns));
	if (lived->verdict == IQ_VERDICT_OK) {
		(void)iq_buf_append_cstr(out, "/>\n");
		return;
	}
	(void)iq_buf_appendf(out, ">\n      <%s type=\"%s\" message=\"", violated ? "failure" : "error",
			     first ? first->kind : iq_replay_outcome_name(lived->outcome));
	append_xml(out, iq_view_cstr(lived->reason));
	(void)iq_buf_append_cstr(out, "\">");
	append_story(&story, lived);
	append_xml(out, iq_buf_view(&story));
	(void)iq_buf_appendf(out, "</%s>\n    </testcase>\n", violated ? "failure" : "error");
	iq_buf_release(&story);
}

int iq_replay_junit(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	const struct tally tally = tally_of(replay);
	int64_t longest = 0;

	for (size_t i = 0; i < replay->lived_count; i++)
		longest = replay->lived[i].duration_ns > longest ? replay->lived[i].duration_ns : longest;
	(void)iq_buf_append_cstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	for (int i = 0; i < 2; i++) {
		(void)iq_buf_append_cstr(out, i ? "  <testsuite name=\"replay of " : "<testsuites name=\"replay of ");
		append_xml(out, iq_view_cstr(names->recording));
		(void)iq_buf_appendf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"%s time=\"%.3f\">\n",
				     replay->lived_count, tally.count[IQ_VERDICT_VIOLATED],
				     tally.count[IQ_VERDICT_UNDETERMINED], i ? " skipped=\"0\"" : "", seconds(longest));
	}
	for (size_t i = 0; i < replay->lived_count; i++)
		append_case(out, &replay->lived[i], names);
	(void)iq_buf_append_cstr(out, "  </testsuite>\n</testsuites>\n");
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- TAP ---- */

int iq_replay_tap(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	(void)names;
	(void)iq_buf_appendf(out, "TAP version 13\n1..%zu\n", replay->lived_count);
	for (size_t i = 0; i < replay->lived_count; i++) {
		const struct iq_lived *lived = &replay->lived[i];
		struct iq_buf name = IQ_BUF_INIT;

		append_safe(&name, lived->name);
		/* A number sign would begin a directive. */
		for (size_t j = 0; j < name.len; j++)
			name.data[j] = (char)(name.data[j] == '#' ? '/' : name.data[j]);
		(void)iq_buf_appendf(out, "%s %zu - %s\n", lived->verdict == IQ_VERDICT_OK ? "ok" : "not ok", i + 1,
				     name.data ? name.data : "");
		if (lived->verdict != IQ_VERDICT_OK) {
			(void)iq_buf_appendf(out, "  ---\n  verdict: %s\n  message: ", iq_verdict_name(lived->verdict));
			(void)iq_json_append_string(out, iq_view_cstr(lived->reason));
			(void)iq_buf_append_cstr(out, "\n  ...\n");
		}
		iq_buf_release(&name);
	}
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- GitHub ---- */

/* In a workflow command a line end and a percent sign are written as in a URL. */
static void append_command_text(struct iq_buf *out, struct iq_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];

		if (c == '%' || c == '\r' || c == '\n')
			(void)iq_buf_appendf(out, "%%%02X", (unsigned)c);
		else
			(void)iq_buf_append_char(out, c);
	}
}

int iq_replay_annotations(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	size_t told = 0;

	for (size_t i = 0; i < replay->lived_count && told < IQ_REPLAY_MAX_ANNOTATIONS; i++) {
		const struct iq_lived *lived = &replay->lived[i];
		struct iq_buf name = IQ_BUF_INIT;

		if (lived->verdict == IQ_VERDICT_OK)
			continue;
		append_safe(&name, lived->name);
		(void)iq_buf_appendf(out, "::%s file=", lived->verdict == IQ_VERDICT_VIOLATED ? "error" : "warning");
		append_command_text(out, iq_view_cstr(names->recording));
		(void)iq_buf_append_cstr(out, "::");
		append_command_text(out, iq_buf_view(&name));
		(void)iq_buf_appendf(out, " %s: ", iq_verdict_name(lived->verdict));
		append_command_text(out, iq_view_cstr(lived->reason));
		(void)iq_buf_append_char(out, '\n');
		iq_buf_release(&name);
		told++;
	}
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* A cell of a Markdown table. */
static void append_cell(struct iq_buf *out, struct iq_view text)
{
	struct iq_buf safe = IQ_BUF_INIT;

	append_safe(&safe, text);
	for (size_t i = 0; i < safe.len; i++) {
		if (strchr("|<>&`*_[]\\", safe.data[i]))
			(void)iq_buf_appendf(out, "&#%u;", (unsigned)(unsigned char)safe.data[i]);
		else
			(void)iq_buf_append_char(out, safe.data[i] == '\n' ? ' ' : safe.data[i]);
	}
	iq_buf_release(&safe);
}

int iq_replay_summary(const struct iq_replay *replay, const struct iq_replay_names *names, struct iq_buf *out)
{
	size_t told = 0;

	(void)iq_buf_append_cstr(out, "### Replay of ");
	append_cell(out, iq_view_cstr(names->recording));
	(void)iq_buf_append_cstr(out, "\n\n");
	append_tally(out, replay);
	(void)iq_buf_append_cstr(out, "\n\n| session | verdict | why |\n|---|---|---|\n");
	for (size_t i = 0; i < replay->lived_count && told < 100; i++) {
		const struct iq_lived *lived = &replay->lived[i];

		if (lived->verdict == IQ_VERDICT_OK && replay->lived_count > LISTED)
			continue;
		(void)iq_buf_append_cstr(out, "| ");
		append_cell(out, lived->name);
		(void)iq_buf_appendf(out, " | %s | ", iq_verdict_name(lived->verdict));
		append_cell(out, iq_view_cstr(lived->reason));
		(void)iq_buf_append_cstr(out, " |\n");
		told++;
	}
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- The plan ---- */

static void append_spot(struct iq_buf *out, const struct iq_plan *plan, const struct iq_spot *spot)
{
	const struct iq_turn *turn = &plan->turns[spot->turn];

	(void)iq_buf_appendf(out, "%" PRIu64 " ", turn->id);
	if (turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_SERVER)
		append_safe(out, iq_plan_type_name(plan, turn->type));
	else
		append_safe(out,
			    turn->scope.len ? iq_utf8_cut(turn->scope, 60) : iq_view_cstr(iq_kind_name(turn->kind)));
	if (spot->slot != IQ_SLOT_BODY)
		(void)iq_buf_appendf(out, " %s", iq_slot_name(spot->slot));
	(void)iq_buf_append_char(out, ' ');
	append_safe(out, iq_utf8_cut(spot->path, 80));
}

static void append_binding(struct iq_buf *out, const struct iq_plan *plan, const struct iq_binding *binding)
{
	(void)iq_buf_append_cstr(out, "  bound    ");
	append_safe(out, iq_utf8_cut(binding->value, 24));
	(void)iq_buf_append_cstr(out, binding->value.len > 24 ? "...  from " : "  from ");
	append_spot(out, plan, &binding->source);
	(void)iq_buf_append_cstr(out, "  to ");
	append_spot(out, plan, &binding->use);
	if (binding->uses > 1)
		(void)iq_buf_appendf(out, " and %u more", binding->uses - 1);
	(void)iq_buf_append_cstr(out, binding->by_name ? "  (both places are named like an id)\n"
						       : "  (first seen in what the server sent)\n");
}

static void append_mint(struct iq_buf *out, const struct iq_plan *plan, const struct iq_mint *mint, bool fresh)
{
	(void)iq_buf_append_cstr(out, "  minted   ");
	append_safe(out, iq_utf8_cut(mint->value, 40));
	(void)iq_buf_append_cstr(out, "  in ");
	append_spot(out, plan, &mint->use);
	(void)iq_buf_appendf(out, "  (%s, %s)\n",
			     mint->kind == IQ_MINT_UUID ? "a UUID of the client's" : "the time of sending",
			     fresh ? "made anew" : "sent as it is; --fresh makes it anew");
}

static void append_secret(struct iq_buf *out, const struct iq_plan *plan, const struct iq_secret *secret)
{
	(void)iq_buf_append_cstr(out, "  secret   ");
	append_safe(out, secret->name);
	(void)iq_buf_append_cstr(out, "  in ");
	append_spot(out, plan, &secret->use);
	(void)iq_buf_append_cstr(out, "  (was redacted: --set ");
	append_safe(out, secret->name);
	(void)iq_buf_append_cstr(out, "=env:VARIABLE)\n");
}

static void append_one_plan(struct iq_buf *out, const struct iq_replay *replay, size_t index)
{
	const struct iq_plan *plan = &replay->plans[index];
	const struct iq_flow *flow = &plan->flow;

	(void)iq_buf_appendf(out, "s%" PRIu32 " ", plan->session_no);
	append_safe(out, iq_utf8_cut(plan->name, 60));
	(void)iq_buf_appendf(out, ": %u messages to send, %u expected, learned from %u recording%s\n",
			     plan->client_messages, plan->server_messages,
			     replay->shapes[replay->flows[index]].recordings,
			     replay->shapes[replay->flows[index]].recordings == 1 ? "" : "s");
	if (plan->incomplete.data) {
		(void)iq_buf_append_cstr(out, "  not whole: ");
		append_safe(out, iq_utf8_cut(plan->incomplete, 200));
		(void)iq_buf_append_char(out, '\n');
	}
	for (size_t i = 0; i < flow->binding_count; i++)
		append_binding(out, plan, &flow->sources[flow->bindings[i]]);
	for (size_t i = 0; i < flow->mint_count; i++)
		append_mint(out, plan, &flow->mints[i], replay->options.fresh);
	for (size_t i = 0; i < flow->secret_count; i++)
		append_secret(out, plan, &flow->secrets[i]);
	if (flow->binding_count + flow->mint_count + flow->secret_count == 0)
		(void)iq_buf_append_cstr(out, "  everything is sent as it was recorded\n");
}

int iq_replay_append_plan(const struct iq_replay *replay, struct iq_buf *out)
{
	for (size_t i = 0; i < replay->plan_count; i++)
		append_one_plan(out, replay, i);
	return out->failed ? IQ_ERR_NOMEM : 0;
}

static void append_turn(struct iq_buf *out, const struct iq_plan *plan, const struct iq_turn *turn)
{
	if (turn->kind == IQ_KIND_WS_MESSAGE && turn->direction == IQ_DIRECTION_SERVER) {
		(void)iq_buf_appendf(out, "  %-8" PRIu64 " waits for ", turn->id);
		append_safe(out, iq_plan_type_name(plan, turn->type));
	} else if (turn->direction == IQ_DIRECTION_CLIENT) {
		(void)iq_buf_appendf(out, "  %-8" PRIu64 " sends %s ", turn->id, iq_kind_name(turn->kind));
		append_safe(out, iq_utf8_cut(turn->texts[turn->kind == IQ_KIND_WS_MESSAGE ? IQ_SLOT_BODY : IQ_SLOT_URL],
					     160));
		if (turn->uses > 0)
			(void)iq_buf_appendf(out, "   (%zu value%s put in)", turn->uses, turn->uses == 1 ? "" : "s");
	} else {
		return;
	}
	(void)iq_buf_append_char(out, '\n');
}

int iq_replay_append_dry_run(const struct iq_replay *replay, struct iq_buf *out)
{
	for (size_t i = 0; i < replay->plan_count; i++) {
		const struct iq_plan *plan = &replay->plans[i];
		const char *target = iq_replay_target_of(replay, plan->host);

		(void)iq_buf_appendf(out, "s%" PRIu32 " to %s\n", plan->session_no, target ? target : "nowhere");
		for (uint32_t j = 0; j < plan->count; j++)
			append_turn(out, plan, &plan->turns[j]);
	}
	return out->failed ? IQ_ERR_NOMEM : 0;
}
