/* Verdicts and findings, end to end: a recording in a line of text, a spec, and what the checker says. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "query/query.h"
#include "store/store.h"

#define CHAT \
	"lifecycle: run\nselect: { kind: ws.message }\ninstance: key\norder: start, think*, (tool, result)*, done\n"
#define PAIR "lifecycle: pair\nselect: { kind: ws.message }\ninstance: key\norder: a, b\n"

/* A recording: words divided by spaces. `open`, `close`, `cut`, `refused`; `gap`, `gap2` (of so many events); `lost`, a gap
 * that names no session; `@c2` goes on in another session; anything else is a message of that type, of the instance `k` or of the one behind a
 * slash: `tool/t7`; what comes behind a second slash are the attributes t and n. `+5` lets five seconds pass, `-5` turns the clock back;
 * `%api` goes on in the evidence of another source. */
struct recording {
	char path[64];
	struct iq_store_writer *writer;
	char session[16];
	char source[16];
	unsigned evidence;
	int64_t ts;
	uint64_t offset;
};

static void add_gap(struct recording *recording, const char *session, int64_t count)
{
	struct iq_sink *sink = iq_store_writer_sink(recording->writer);
	struct iq_gap gap = IQ_GAP_INIT;

	gap.source = IQ_LIT("p");
	gap.session = iq_view_cstr(session);
	gap.offset = recording->offset++;
	gap.bytes = 1;
	gap.count = count;
	gap.reason = IQ_LIT("lost");
	cr_assert_eq(iq_store_writer_raw(recording->writer, ".", 1, NULL), 0);
	cr_assert_eq(sink->gap(sink->context, &gap, NULL), 0);
}

static void add_event(struct recording *recording, enum iq_kind kind, const char *type, const char *key,
		      const char *inner)
{
	char attrs[64];

	struct iq_sink *sink = iq_store_writer_sink(recording->writer);
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = kind;
	event.ts = recording->ts++;
	event.source = iq_view_cstr(recording->source);
	event.session = strcmp(recording->session, "none") ? iq_view_cstr(recording->session) : IQ_VIEW_NULL;
	event.type = iq_view_cstr(type);
	event.key = iq_view_cstr(key);
	if (inner) {
		(void)snprintf(attrs, sizeof(attrs), "{\"t\":\"%s\",\"n\":\"%s\"}", inner, inner);
		event.attrs = iq_view_cstr(attrs);
	}
	event.offset = recording->offset++;
	event.length = 1;
	cr_assert_eq(iq_store_writer_raw(recording->writer, ".", 1, NULL), 0);
	cr_assert_eq(sink->event(sink->context, &event, NULL), 0);
}

/* Another source writes another evidence. */
static void change_source(struct recording *recording, const char *source)
{
	char path[8];
	struct iq_evidence evidence;

	cr_assert_eq(iq_store_writer_evidence_end(recording->writer, &evidence, NULL), 0);
	(void)snprintf(path, sizeof(path), "r%u", ++recording->evidence);
	cr_assert_eq(iq_store_writer_evidence_begin(recording->writer, iq_view_cstr(path), IQ_LIT("ndjson"), NULL), 0);
	(void)snprintf(recording->source, sizeof(recording->source), "%s", source);
	recording->offset = 0;
}

static void add_word(struct recording *recording, char *word)
{
	char *slash = strchr(word, '/'), *inner = slash ? strchr(slash + 1, '/') : NULL;

	if (word[0] == '+')
		recording->ts += atoi(word + 1) * IQ_NS_PER_S;
	else if (word[0] == '-')
		recording->ts -= atoi(word + 1) * IQ_NS_PER_S;
	else if (word[0] == '%')
		change_source(recording, word + 1);
	else if (word[0] == '@')
		(void)snprintf(recording->session, sizeof(recording->session), "%s", word + 1);
	else if (strncmp(word, "gap", 3) == 0)
		add_gap(recording, recording->session, word[3] ? atoi(word + 3) : IQ_NUMBER_NONE);
	else if (strcmp(word, "lost") == 0)
		add_gap(recording, NULL, IQ_NUMBER_NONE);
	else if (strcmp(word, "open") == 0)
		add_event(recording, IQ_KIND_WS_OPEN, "ws.open", NULL, NULL);
	else if (strcmp(word, "close") == 0)
		add_event(recording, IQ_KIND_WS_CLOSE, "ws.close", NULL, NULL);
	else if (strcmp(word, "cut") == 0 || strcmp(word, "refused") == 0)
		add_event(recording, IQ_KIND_NET_ERROR, word, NULL, NULL);
	else {
		if (slash)
			*slash = '\0';
		if (inner)
			*inner = '\0';
		add_event(recording, IQ_KIND_WS_MESSAGE, word, slash ? slash + 1 : "k", inner ? inner + 1 : NULL);
	}
}

static void record(struct recording *recording, const char *text)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_evidence evidence;
	char *copy = strdup(text), *rest = copy, *word;

	*recording =
		(struct recording){ .path = "/tmp/inquest-check-XXXXXX", .session = "c1", .source = "p", .ts = 1000 };
	cr_assert(mkdtemp(recording->path));
	cr_assert_eq(iq_store_writer_open(recording->path, &recording->writer, &error), 0, "%s", error.message);
	cr_assert_eq(iq_store_writer_evidence_begin(recording->writer, IQ_LIT("r"), IQ_LIT("ndjson"), NULL), 0);
	while ((word = strsep(&rest, " ")))
		if (*word)
			add_word(recording, word);
	cr_assert_eq(iq_store_writer_evidence_end(recording->writer, &evidence, NULL), 0);
	cr_assert_eq(iq_store_writer_commit(recording->writer, &error), 0, "%s", error.message);
	iq_store_writer_free(recording->writer);
	free(copy);
}

/* `violated: missing: missing b after a [insert b after 2]`, one instance after the other, divided by `; `. */
static void append_instance(struct iq_buf *out, const struct iq_instance *instance)
{
	(void)iq_buf_appendf(out, "%s%s", out->len ? "; " : "", iq_verdict_name(instance->verdict));
	if (instance->reason.data)
		(void)iq_buf_appendf(out, ": %.*s", IQ_VIEW_ARG(instance->reason));
	for (size_t i = 0; i < instance->finding_count; i++)
		(void)iq_buf_appendf(
			out, "%s %s: %.*s [%.*s]", i ? "," : ":", iq_finding_kind_name(instance->findings[i].kind),
			IQ_VIEW_ARG(instance->findings[i].message), IQ_VIEW_ARG(instance->findings[i].repair));
}

static void check(const char *spec_text, const char *text, struct iq_buf *out, enum iq_verdict *ret_verdict)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct recording recording;
	struct iq_check_result result;
	struct iq_store *store;
	struct iq_spec *spec;

	record(&recording, text);
	cr_assert_eq(iq_store_open(recording.path, &store, &error), 0, "%s", error.message);
	cr_assert_eq(iq_spec_parse(iq_view_cstr(spec_text), "spec", &spec, &error), 0, "%s", error.message);
	cr_assert_eq(iq_check(store, spec, &result, &error), 0, "%s", error.message);
	/* The result owns what it says: the spec may go. */
	iq_spec_free(spec);
	for (size_t i = 0; i < result.lifecycle_count; i++)
		for (size_t j = 0; j < result.lifecycles[i].instance_count; j++)
			append_instance(out, &result.lifecycles[i].instances[j]);
	if (result.lifecycles[0].reason.data)
		(void)iq_buf_appendf(out, "%s%s: %.*s", out->len ? "; " : "",
				     iq_verdict_name(result.lifecycles[0].verdict),
				     IQ_VIEW_ARG(result.lifecycles[0].reason));
	*ret_verdict = result.verdict;
	iq_check_result_release(&result);
	iq_store_close(store);
	cr_assert_eq(iq_file_remove_tree(recording.path, NULL), 0);
}

static void expect(const char *spec, const char *recording, const char *expected)
{
	struct iq_buf out = IQ_BUF_INIT;
	enum iq_verdict verdict;

	check(spec, recording, &out, &verdict);
	cr_expect_str_eq(out.data ? out.data : "", expected, "`%s` gave `%s`, wanted `%s`", recording,
			 out.data ? out.data : "", expected);
	iq_buf_release(&out);
}

Test(check, judges_what_was_recorded_whole)
{
	expect(PAIR, "open a b close", "ok");
	expect(CHAT, "open start think tool result done", "ok");
	expect(PAIR, "open a close", "violated: unterminated: missing b after a [insert b after 2]");
	expect(PAIR, "open a cut", "violated: unterminated: missing b after a [insert b after 2]");
	expect(CHAT, "open start tool done close",
	       "violated: missing: missing result after tool [insert result after 3]");
	expect(PAIR, "open b a close", "violated: out-of-order: a came after b [move 3 before 2]");
	expect(PAIR, "open b close", "violated: orphan: b without a [insert a before 2]");
	expect(PAIR, "open a a b close", "violated: duplicate: duplicate a after a [drop 3]");
	expect(CHAT, "open start think done close", "ok");
}

Test(check, claims_nothing_about_what_may_have_been_in_the_dark)
{
	expect(PAIR, "open a", "undetermined: open at capture end");
	expect(PAIR, "a b close", "undetermined: began before capture");
	expect(PAIR, "b close", "undetermined: began before capture");
	expect(PAIR, "open a gap b close", "undetermined: gap of 1 bytes: lost");
	expect(PAIR, "open gap b close", "undetermined: gap of 1 bytes: lost");
	expect(PAIR, "open a gap close", "undetermined: gap of 1 bytes: lost");
	expect(PAIR, "open gap1 b close", "undetermined: gap of 1 event: lost");
	/* A gap after its end changes nothing for what is complete, nor one in another session. */
	expect(PAIR, "open a b gap close", "ok");
	expect(PAIR, "open a @c2 open gap @c1 b close", "ok");
	/* It may have held the end of one instance and the beginning of the next, or a final event. */
	expect("lifecycle: l\ninstance: key\norder: a, c, a?\n", "open a c gap a c close",
	       "undetermined: gap of 1 bytes: lost");
	expect("lifecycle: l\ninstance: key\norder: a, b, c\nfinal: x\n", "open a gap1 close",
	       "undetermined: gap of 1 event: lost");
	/* It may have completed one instance before what was seen next, and begun another. */
	expect("lifecycle: l\ninstance: key\norder: a & c\n", "open c gap a a c close",
	       "undetermined: gap of 1 bytes: lost");
	expect("lifecycle: l\ninstance: key\norder: a | b\n", "open a gap b close", "ok; ok");
	/* A known number of events can have been only so much. */
	expect(CHAT, "open gap1 result done close", "violated: orphan: result without tool [insert tool before 2]");
	/* All that is known of a session may be that its events were lost: other sessions are as they were. */
	expect(PAIR, "@c2 gap @c1 open a b close", "ok");
	/* What lies before a session's start or after its end, and names no session, is none of its business... */
	expect(PAIR, "open a close lost", "violated: unterminated: missing b after a [insert b after 2]");
	expect(PAIR, "lost open a b close", "ok");
	expect(PAIR, "open a lost close", "undetermined: gap of 1 bytes: lost");
	expect(PAIR, "a b close lost", "undetermined: began before capture");
	/* ... but that of an instance which goes on in another one. */
	expect(PAIR, "open a close lost @c2 open b close", "undetermined: gap of 1 bytes: lost");
	expect(PAIR, "open a close @c2 b close", "undetermined: began before capture");
	expect(PAIR, "open a b close @c2 b close", "ok; undetermined: began before capture");
	/* Nothing comes before a refusal, or after it. */
	expect("lifecycle: l\norder: ws.open, refused\n", "refused",
	       "violated: orphan: refused without ws.open [insert ws.open before 1]");
	/* Whatever the gap held, this cannot be right. */
	expect(PAIR, "open b a gap close", "violated: unexpected: unexpected b [drop 2]");
	expect(PAIR, "open b a", "violated: out-of-order: a came after b [move 3 before 2]");
}

/* Outside of sessions an instance begins where its order cannot go on but by beginning. */
Test(check, sees_where_something_without_a_session_begins)
{
	static const char life[] =
		"lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: start, (kill | x)*, die\n"
		"constraints:\n  - absence(oom)\n";

	expect(life, "@none start x die", "ok");
	expect(life, "@none x die", "undetermined: began before capture");
	expect(life, "@none start x", "undetermined: open at capture end");
	expect(life, "@none lost start x die", "undetermined: began before capture");
	expect(life, "@none start start die", "violated: duplicate: duplicate start after start [drop 2]");
	expect(life, "@none start oom die", "violated: unexpected: unexpected oom [drop 2]");
}

Test(check, ends_and_begins_instances)
{
	expect(PAIR, "open a b a b close", "ok; ok");
	expect(PAIR, "open a b b close", "violated: duplicate: duplicate b after b [drop 4]");
	expect(PAIR, "open a/x a/y b/y close", "violated: unterminated: missing b after a [insert b after 2]; ok");
	/* A run that goes on after a reconnect is one run. */
	expect("lifecycle: l\ninstance: key\norder: a, c*, b\n", "open a c c close @c2 open c c",
	       "undetermined: open at capture end");
	expect(PAIR, "open a close @c2 open b close", "ok");
	expect(PAIR, "open a close @c2 open x close", "violated: unterminated: missing b after a [insert b after 2]");
}

Test(check, ends_at_final_events)
{
	expect(CHAT "final: [abort]\n", "open start tool abort close", "ok");
	expect(CHAT "final: [abort]\n", "open start result abort close",
	       "violated: missing: missing tool after start [insert tool after 2]");
	expect(CHAT "final: [abort]\n", "open start abort start done close", "ok; ok");
	expect("lifecycle: l\ninstance: key\norder: a, b?, c*\nfinal: b\n", "open a b a b close", "ok; ok");
	/* What comes after it is a finding of what it ended. */
	expect("lifecycle: l\ninstance: key\norder: a, b?, c*\nfinal: b\n", "open a b c close",
	       "violated: unexpected: unexpected c after b [drop 4]");
	expect(CHAT "final: [abort]\n", "open start abort done close",
	       "violated: unexpected: unexpected done after abort [drop 4]");
}

Test(check, takes_conditions_for_names)
{
	expect("lifecycle: l\nselect: { kind: [ws.message, net.error] }\nevents: { lost: { kind: net.error } }\norder: "
	       "a, lost\n",
	       "open a cut", "ok");
	expect(PAIR "closed: true\n", "open a x b close", "violated: unexpected: unexpected x after a [drop 3]");
	expect(PAIR "ends: complete\n", "a", "violated: unterminated: missing b after a [insert b after 1]");
	expect(PAIR "ends: complete\n", "a b", "ok");
}

Test(check, judges_the_number_of_instances)
{
	expect(PAIR, "open x close", "undetermined: no instance: none of its events was seen");
	expect(PAIR "expect: { instances: 0.. }\n", "open x close", "");
	expect(PAIR "expect: { instances: 2 }\n", "open a b close", "ok; violated: 1 instance, and 2 or more expected");
	expect(PAIR "expect: { instances: 2 }\n", "open a b", "ok; undetermined: 1 instance, and 2 or more expected");
	expect(PAIR "expect: { instances: 2 }\n", "open a b close gap",
	       "ok; undetermined: 1 instance, and 2 or more expected");
	expect(PAIR "expect: { instances: 0..1 }\n", "open a b a b close",
	       "ok; ok; violated: 2 instances, and 1 at most expected");
	expect("lifecycle: l\ninstance: /id\norder: a, b\n", "open a b close",
	       "undetermined: no instance: its events lack the instance key");
}

Test(check, tells_a_typo_from_health)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct recording recording;
	struct iq_check_result result;
	const struct iq_lifecycle_result *lifecycle;
	struct iq_store *store;
	struct iq_spec *spec;

	record(&recording, "open tool_executing tool_completed other close");
	cr_assert_eq(iq_store_open(recording.path, &store, &error), 0);
	cr_assert_eq(iq_spec_parse(IQ_LIT("lifecycle: l\ninstance: key\nselect: { kind: ws.message }\norder: "
					  "tool_executing, tool_complete\n"),
				   "s", &spec, &error),
		     0);
	cr_assert_eq(iq_check(store, spec, &result, &error), 0);
	lifecycle = &result.lifecycles[0];
	cr_assert_eq(lifecycle->never_seen_count, 1);
	cr_expect(iq_view_eq(lifecycle->never_seen[0].name, IQ_LIT("tool_complete")));
	cr_expect(iq_view_eq(lifecycle->never_seen[0].nearest, IQ_LIT("tool_completed")));
	cr_expect_eq(lifecycle->not_named_count, 2);
	iq_check_result_release(&result);
	iq_spec_free(spec);
	/* What has a name is not another one misspelt, and one letter is no spelling. */
	cr_assert_eq(iq_spec_parse(IQ_LIT("lifecycle: l\ninstance: key\nselect: { kind: ws.message }\norder: "
					  "tool_executing, tool_executed?, x, tool_completed\n"),
				   "s", &spec, &error),
		     0);
	cr_assert_eq(iq_check(store, spec, &result, &error), 0);
	lifecycle = &result.lifecycles[0];
	cr_assert_eq(lifecycle->never_seen_count, 2);
	cr_expect(!lifecycle->never_seen[0].nearest.data && !lifecycle->never_seen[1].nearest.data);
	iq_check_result_release(&result);
	iq_spec_free(spec);
	iq_store_close(store);
	cr_assert_eq(iq_file_remove_tree(recording.path, NULL), 0);
}

/* The meaning of a gap: with it, nothing may be ok or violated that some way of filling it would make otherwise. */
Test(check, is_never_surer_than_every_filling_of_a_gap)
{
	static const char *const fillings[] = { "", "a", "b", "c", "a b", "b c", "a c", "c c", "b b" };
	static const char *const names[] = { "a", "b", "c" };
	static const char spec[] =
		"lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: a, (b | c)+, a?\n";
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 60; round++) {
		char before[32] = "open", after[32] = "", text[160];
		struct iq_buf out = IQ_BUF_INIT;
		enum iq_verdict with_gap, filled;

		for (int i = rand() % 3; i > 0; i--)
			strcat(strcat(before, " "), names[rand() % 3]);
		for (int i = rand() % 3; i > 0; i--)
			strcat(strcat(after, " "), names[rand() % 3]);
		(void)snprintf(text, sizeof(text), "%s gap%s close", before, after);
		check(spec, text, &out, &with_gap);
		for (size_t i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++) {
			(void)snprintf(text, sizeof(text), "%s %s%s close", before, fillings[i], after);
			check(spec, text, &out, &filled);
			cr_expect(with_gap == IQ_VERDICT_UNDETERMINED || with_gap == filled,
				  "seed %u: `%s` is %s with a gap and %s as `%s`", seed, text,
				  iq_verdict_name(with_gap), iq_verdict_name(filled), fillings[i]);
		}
		iq_buf_release(&out);
	}
}

/* A condition that always holds makes each event be looked at by itself. */
#define EACH "select: { kind: { exists: true }, severity: { ne: critical } }\n"

/* Most events are taken in columns: nothing is said that looking at each of them would not say. */
Test(check, says_the_same_of_columns_and_of_events)
{
	/* The first ten are the most frequent. */
	static const char *const words[] = { "a",   "b",    "c",     "a/x",   "b/x",  "@c1", "@c2",
					     "a",   "b",    "c/x",   "d",     "open", "gap", "gap1",
					     "cut", "lost", "close", "@none", "+1",   "%q",  "%p" };
	static const char *const rules[] = {
		"instance: key\norder: a, b\n",
		"instance: key\norder: a, (b | c)*, b\n",
		"instance: session\norder: ws.open?, (a | b)*, c*, ws.close?\n",
		"instance: key\norder: a, b?, c*\nfinal: [d, b]\n",
		"constraints:\n  - response(a, b)\n  - precedence(c, a)\n  - not-succession(b, c)\n",
		"instance: key\norder: (a & b & c?){1,2}\nconstraints: [existence(b)]\n",
	};
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 60; round++) {
		struct iq_buf columns = IQ_BUF_INIT, events = IQ_BUF_INIT;
		enum iq_verdict by_columns, by_events;
		char text[200] = "", spec[2][400];
		const char *rule = rules[(unsigned)rand() % (sizeof(rules) / sizeof(rules[0]))];

		for (int i = 8 + rand() % 16; i >= 0; i--) {
			strcat(text, words[(unsigned)rand() % (i % 3 ? 10 : sizeof(words) / sizeof(words[0]))]);
			strcat(text, " ");
		}
		(void)snprintf(spec[0], sizeof(spec[0]), "lifecycle: l\n%s", rule);
		(void)snprintf(spec[1], sizeof(spec[1]), "lifecycle: l\n" EACH "%s", rule);
		check(spec[0], text, &columns, &by_columns);
		check(spec[1], text, &events, &by_events);
		cr_expect(by_columns == by_events && iq_view_eq(iq_buf_view(&columns), iq_buf_view(&events)),
			  "seed %u: `%s` of `%s` is `%s` in columns, and `%s`", seed, rule, text,
			  columns.data ? columns.data : "", events.data ? events.data : "");
		iq_buf_release(&columns);
		iq_buf_release(&events);
	}
}

static void write_text(struct iq_store *store, const struct iq_check_result *result, struct iq_buf *out)
{
	const struct iq_report_options options = { .utc = true, .title = "t" };

	cr_assert_eq(iq_report_text(store, result, &options, out, NULL), 0);
}

/* What is not listed is counted: the report on the screen is the same. */
Test(check, lists_what_is_wrong_and_counts_the_rest)
{
	struct iq_buf text = IQ_BUF_INIT, all = IQ_BUF_INIT, failing = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_check_result whole, some;
	struct recording recording;
	struct iq_store *store;
	struct iq_spec *spec;

	(void)iq_buf_append_cstr(&text, "@c2 open a/x b/x close @c1 open ");
	for (unsigned i = 0; i < 2 * IQ_CHECK_EXAMPLES; i++)
		(void)iq_buf_appendf(&text, "a/k%u a/ok%u b/ok%u ", i, i, i);
	(void)iq_buf_append_cstr(&text, "b/bad a/bad");
	record(&recording, text.data);
	cr_assert_eq(iq_store_open(recording.path, &store, &error), 0, "%s", error.message);
	cr_assert_eq(iq_spec_parse(IQ_LIT(PAIR), "spec", &spec, &error), 0, "%s", error.message);
	cr_assert_eq(iq_check(store, spec, &whole, &error), 0);
	cr_assert_eq(iq_check_failing(store, spec, &some, &error), 0);
	cr_expect_eq(whole.lifecycles[0].instance_count, 4 * IQ_CHECK_EXAMPLES + 2);
	cr_expect_eq(some.lifecycles[0].instance_count, IQ_CHECK_EXAMPLES + 1);
	cr_expect_eq(some.lifecycles[0].total, whole.lifecycles[0].total);
	for (size_t i = 0; i < whole.session_count; i++) {
		cr_expect_eq(some.sessions[i].instances, whole.sessions[i].instances);
		cr_expect_eq(some.sessions[i].verdict, whole.sessions[i].verdict);
	}
	write_text(store, &whole, &all);
	write_text(store, &some, &failing);
	cr_expect_str_eq(failing.data, all.data);
	cr_expect(strstr(all.data, " and 188 more"), "%s", all.data);
	iq_check_result_release(&whole);
	iq_check_result_release(&some);
	iq_buf_release(&text);
	iq_buf_release(&all);
	iq_buf_release(&failing);
	iq_spec_free(spec);
	iq_store_close(store);
	cr_assert_eq(iq_file_remove_tree(recording.path, NULL), 0);
}

/* Reports stay well-formed whatever the evidence calls its things. */
Test(check, reports_hostile_names_safely)
{
	static const char hostile[] = "\x1b]0;x\x07\xff</failure>]]>\"'&\\";
	struct iq_report_options options = { .utc = true, .title = hostile };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf json = IQ_BUF_INIT, junit = IQ_BUF_INIT, screen = IQ_BUF_INIT;
	struct recording recording;
	struct iq_check_result result;
	struct iq_store *store;
	struct iq_spec *spec;
	char text[100];
	json_t *tree;

	(void)snprintf(text, sizeof(text), "open a/%s close", hostile);
	record(&recording, text);
	cr_assert_eq(iq_store_open(recording.path, &store, &error), 0);
	cr_assert_eq(iq_spec_parse(iq_view_cstr(PAIR), "s", &spec, &error), 0);
	cr_assert_eq(iq_check(store, spec, &result, &error), 0);
	cr_assert_eq(iq_report_json(store, &result, &options, &json, &error), 0);
	cr_assert_eq(iq_report_junit(store, &result, &options, &junit, &error), 0);
	cr_assert_eq(iq_report_text(store, &result, &options, &screen, &error), 0);
	tree = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
	cr_expect(tree != NULL, "%s", json.data);
	json_decref(tree);
	for (size_t i = 0; i < junit.len; i++)
		cr_assert((unsigned char)junit.data[i] >= 0x20 || junit.data[i] == '\n', "a control byte in JUnit");
	cr_expect(iq_utf8_valid(iq_buf_view(&junit)) && !strstr(junit.data, "]]>") &&
		  !strstr(junit.data, "x</failure>"));
	for (size_t i = 0; i < screen.len; i++)
		cr_assert((unsigned char)screen.data[i] >= 0x20 || screen.data[i] == '\n',
			  "a control byte on the screen");
	iq_buf_release(&json);
	iq_buf_release(&junit);
	iq_buf_release(&screen);
	iq_check_result_release(&result);
	iq_spec_free(spec);
	iq_store_close(store);
	cr_assert_eq(iq_file_remove_tree(recording.path, NULL), 0);
}

#define LATE PAIR "within:\n  - a -> b: 5s\n"

Test(check, measures_deadlines)
{
	expect(LATE, "open a +4 b close", "ok");
	expect(LATE, "open a +6 b close", "violated: late: b 6.0s after a, later than 5.0s []");
	/* It never came: the deadline says more than that b is missing. */
	expect(LATE, "open a +6 close", "violated: late: no b within 5.0s after a []");
	/* What ended in time is not late, however long the evidence goes on: its end is missing, once. */
	expect(LATE, "open a +1 close", "violated: unterminated: missing b after a [insert b after 2]");
	expect(LATE, "open a +1 close +60 @c2 open close",
	       "violated: unterminated: missing b after a [insert b after 2]");
	expect("lifecycle: l\ninstance: key\nwithin:\n  - a -> b: 5s\n", "open a +1 close",
	       "violated: unterminated: missing b after a []");
	expect(LATE, "open a", "undetermined: open at capture end");
	/* The evidence reaches past it. */
	expect(LATE, "open a +6 x", "violated: late: no b within 5.0s after a []");
	expect(LATE, "open a +4 x", "undetermined: open at capture end");
	/* What the dark held may have been the answer. */
	expect("lifecycle: l\ninstance: key\norder: a, b+\nwithin:\n  - a -> b: 5s\n", "open a gap +6 b close",
	       "undetermined: gap of 1 bytes: lost");
	expect(LATE "final: x\n", "open a x +60 close", "ok");
	expect(CHAT "idle: 10s\n", "open start +9 think +9 done +60 close", "ok");
	expect(CHAT "idle: 10s\n", "open start +11 done close",
	       "violated: late: done 11.0s after start, later than 10.0s []");
	expect(CHAT "total: 10s\n", "open start +6 think +6 done close",
	       "violated: late: done 12.0s after start, later than 10.0s []");
	expect(CHAT "total: 10s\n", "open start +6 think +6 x", "violated: late: still going on 10.0s after start []");
}

/* A pause lies between two events: where none has to come, there may be none. */
Test(check, does_not_hold_a_pause_against_what_may_be_over)
{
	static const char any[] = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: (a | b)*\n";
	char spec[160];

	(void)snprintf(spec, sizeof(spec), "%sidle: 5s\n", any);
	expect(spec, "open a +9 @c2 open", "undetermined: open at capture end");
	expect(spec, "open a +9 close", "ok");
	expect(spec, "open a +9 b", "violated: late: b 9.0s after a, later than 5.0s []");
	(void)snprintf(spec, sizeof(spec), "%stotal: 5s\n", any);
	expect(spec, "open a +9 @c2 open", "undetermined: open at capture end");
	expect(PAIR "idle: 5s\n", "open a +9 @c2 open", "violated: late: nothing 5.0s after a []");
}

Test(check, leaves_open_what_the_clocks_leave_open)
{
	/* Half a second apart by clocks that nobody compared: either order may be the true one. */
	expect(PAIR, "open %q @c2 open a close %p @c1 b close", "undetermined: order within clock uncertainty");
	expect(PAIR, "open %q @c2 open a +3 close %p @c1 b close", "ok");
	expect(PAIR, "open %q @c2 open b +3 close %p @c1 a close",
	       "violated: out-of-order: a came after b [move 5 before 3]");
	/* Whatever came first, there is one too many. */
	expect(PAIR, "open %q @c2 open a b close %p @c1 b close", "violated: duplicate: duplicate b after b [drop 6]");
	/* Nor is it certain of which of two instances something is. */
	expect(PAIR, "open %q @c2 open a b close %p @c1 a b close",
	       "undetermined: order within clock uncertainty; undetermined: order within clock uncertainty");
	expect(PAIR, "open %q @c2 open a b +3 close %p @c1 a b close", "ok; ok");
	/* Inside a stream its own order counts, never the clock. */
	expect(PAIR, "open b -5 a close", "violated: out-of-order: a came after b [move 3 before 2]");
	expect(PAIR, "open a -5 b close", "ok");
}

Test(check, follows_numbers)
{
	static const char spec[] = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\nsequence: '@n'\n";
	static const char anew[] = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: (s | u)*\n"
				   "sequence: { first: '@n', step: 1, restart: s }\n";

	expect(spec, "open u/k/5 u/k/6 u/k/7 close", "ok");
	expect(spec, "open u/k/5 u/k/8 close", "violated: sequence-gap: gap: number 8 where 6 was due []");
	expect(spec, "open u/k/5 u/k/5 close", "violated: sequence-gap: repeat: number 5 where 6 was due []");
	expect(spec, "open u/k/5 u/k/2 close", "violated: sequence-gap: decrease: number 2 where 6 was due []");
	expect(spec, "open u/k/5 gap u/k/8 close", "undetermined: gap of 1 bytes: lost");
	expect(anew, "open s/k/5 u/k/6 s/k/2 u/k/3 close", "ok");
	/* The gap may have held where they began anew. */
	expect(anew, "open u/k/5 u/k/6 gap1 u/k/5 close", "undetermined: gap of 1 event: lost");
	expect(spec, "open u/k/5 gap1 u/k/5 close", "violated: sequence-gap: repeat: number 5 where 6 was due []");
}

/* A run with tool calls in it, which may overlap. */
#define NEST \
	"lifecycle: run\nselect: { kind: ws.message }\ninstance: key\norder: start, (think | call)*, done\n---\n" \
	"lifecycle: call\ninstance: '@t'\norder: tool, part*, result\n"

Test(check, judges_nested_instances_in_their_parents)
{
	expect(NEST, "open start tool/k/1 result/k/1 done close", "ok; ok");
	expect(NEST, "open start tool/k/1 tool/k/2 result/k/1 result/k/2 think done close", "ok; ok; ok");
	/* The fault is told once, where it is. */
	expect(NEST, "open start tool/k/1 done close",
	       "ok; violated: unterminated: missing result after tool [insert result after 3]");
	expect(NEST, "open start tool/k/1 tool/k/1 result/k/1 done close",
	       "ok; violated: duplicate: duplicate tool after tool [drop 4]");
	/* What happens beside a call that does not overlap other things breaks the run. */
	expect(NEST, "open start tool/k/1 think result/k/1 done close",
	       "violated: unexpected: unexpected think after call [drop 4]; ok");
	expect(NEST, "open start tool/k/1 done result/k/1 close",
	       "violated: out-of-order: end of call came after done [move 5 before 4]; ok");
	expect(NEST, "open tool/k/1 result/k/1 close", "violated: orphan: call without run []; ok");
	expect(NEST, "open start done tool/k/1 result/k/1 close",
	       "violated: out-of-order: done came before end of call [move 3 after 5]; ok");
	expect(NEST, "open start tool/k/1", "undetermined: open at capture end; undetermined: open at capture end");
	expect(NEST, "open start tool/k/1 gap done close",
	       "undetermined: gap of 1 bytes: lost; undetermined: gap of 1 bytes: lost");
	/* The same call of another run is another one. */
	expect(NEST, "open start start/j tool/k/1 tool/j/1 result/k/1 result/j/1 done done/j close", "ok; ok; ok; ok");
}

/* What ended in the dark need not end again behind it, and what was complete before may have begun anew. */
Test(check, leaves_open_where_nested_instances_ended_in_the_dark)
{
	static const char one[] =
		"lifecycle: run\nselect: { kind: ws.message }\ninstance: key\norder: start, call, note, done\n---\n"
		"lifecycle: call\ninstance: '@t'\norder: tool, result\n";
	static const char open_ended[] =
		"lifecycle: run\nselect: { kind: ws.message }\ninstance: key\norder: start, call, done\n---\n"
		"lifecycle: call\ninstance: '@t'\norder: tool, part*\n";

	expect(one, "open start tool/k/1 gap close",
	       "undetermined: gap of 1 bytes: lost; undetermined: gap of 1 bytes: lost");
	expect(open_ended, "open start tool/k/1 gap1 close",
	       "undetermined: gap of 1 event: lost; undetermined: gap of 1 event: lost");
	expect(open_ended, "open start tool/k/1 gap1 part/k/1 done",
	       "undetermined: gap of 1 event: lost; undetermined: gap of 1 event: lost");
	/* What is lost may be a run as well. */
	expect(NEST, "open start tool/k/1 result/k/1 done gap start", "ok; undetermined: gap of 1 bytes: lost; ok");
	/* A call of a run that is over is not that of the next one, though it is called the same. */
	expect(open_ended, "open start tool/k/1 done start tool/k/1 done close", "ok; ok; ok; ok");
	expect(NEST, "start tool/k/1 done start tool/k/1 result/k/1 done close",
	       "undetermined: began before capture; undetermined: began before capture");
}

Test(check, follows_constraints)
{
	static const char response[] =
		"lifecycle: l\nselect: { kind: ws.message }\ninstance: key\nconstraints:\n  - response(a, b)\n";

	expect(response, "open a c b close", "ok");
	expect(response, "open b a c close", "violated: unterminated: missing b after a [insert b after 3]");
	expect(CHAT "constraints:\n  - absence(think)\n", "open start think done close",
	       "violated: unexpected: unexpected think [drop 3]");
}

Test(check, leaves_what_only_warns_at_its_verdict)
{
	expect(PAIR "within:\n  - a -> b: { within: 5s, severity: warning }\n", "open a +6 b close",
	       "ok: late: b 6.0s after a, later than 5.0s []");
}

/* Deadlines and a constraint against what they mean, read off the list of events. */
Test(check, judges_deadlines_as_they_read)
{
	static const char spec[] = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: (a | b | c)*\n"
				   "within:\n  - a -> b: 3500ms\nconstraints:\n  - response(a, c)\n";
	unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 60; round++) {
		char text[160] = "open a b c";
		int times[8] = { 0 }, kinds[8] = { 0, 1, 2 }, count = 3 + rand() % 5, now = 0;
		struct iq_buf out = IQ_BUF_INIT;
		enum iq_verdict verdict;
		bool right = true;

		for (int i = 3; i < count; i++) {
			int pause = rand() % 4;

			now += pause;
			times[i] = now;
			kinds[i] = rand() % 3;
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " +%d %c", pause,
				       "abc"[kinds[i]]);
		}
		strcat(text, " close");
		for (int i = 0; i < count; i++) {
			bool answered = kinds[i] != 0, followed = kinds[i] != 0;

			for (int j = i + 1; j < count; j++) {
				answered |= kinds[j] == 1 && times[j] - times[i] <= 3;
				followed |= kinds[j] == 2;
			}
			right &= answered && followed;
		}
		check(spec, text, &out, &verdict);
		cr_expect_eq(verdict, right ? IQ_VERDICT_OK : IQ_VERDICT_VIOLATED, "seed %u: `%s` gave `%s`", seed,
			     text, out.data ? out.data : "");
		iq_buf_release(&out);
	}
}
