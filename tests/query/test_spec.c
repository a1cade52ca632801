/* What a spec may say, and where its faults are. */
#include <criterion/criterion.h>

#include "query/query.h"

static void expect_fault(const char *text, const char *message)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;

	cr_expect_eq(iq_spec_parse(iq_view_cstr(text), "f.yaml", &spec, &error), IQ_ERR_SPEC, "%s", text);
	cr_expect(strncmp(error.message, message, strlen(message)) == 0, "`%s`, wanted `%s`", error.message, message);
}

Test(spec, names_the_place_of_a_fault)
{
	static const struct {
		const char *text, *message;
	} faults[] = {
		/* documents */
		{ "lifecycle: a\n",
		  "f.yaml:1:1: this lifecycle has no rule: give it an `order`, `within`, `idle`, `total`, "
		  "`sequence` or `constraints`" },
		{ "order: a\n", "f.yaml:1:1: this lifecycle has no `lifecycle`: its name, lifecycle: agent-run" },
		{ "lifecycle: [a]\norder: x\n", "f.yaml:1:12: `lifecycle` is a name: lifecycle: agent-run" },
		{ "- a\n", "f.yaml:1:1: a lifecycle is a mapping that begins with `lifecycle: NAME`" },
		{ "# nothing\n", "f.yaml: no lifecycle in this file; it should begin with `lifecycle: NAME`" },
		{ "lifecycle: a\nlifecycle: b\norder: x\n",
		  "f.yaml:2:1: `lifecycle` is given twice; the first is in line 1" },
		{ "lifecycle: a\norder: x\n---\nlifecycle: a\norder: y\n",
		  "f.yaml:4:12: the lifecycle `a` is there already, in f.yaml line 1" },
		{ "lifecycle: {a: b\n",
		  "f.yaml:2:1: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping" },
		{ "lifecycle: a\norder: &x y\n",
		  "f.yaml:2:8: anchors, aliases and tags are not allowed here; quote the value if it begins with one of & * !" },
		{ "lifecycle: a\norderr: x\n",
		  "f.yaml:2:1: `orderr` is not a key of a lifecycle; did you mean `order`?" },
		{ "lifecycle: a\nfrobnicate: x\n",
		  "f.yaml:2:1: `frobnicate` is not a key of a lifecycle; there are lifecycle, include, select, instance, parent, "
		  "order, within, idle, total, sequence, constraints, events, final, closed, ends, expect, costs" },
		{ "lifecycle: a\norder: x\ninclude: {a: b}\n", "f.yaml:3:10: `include` is a file or a list of files" },
		{ "include: no/such.yaml\n", "f.yaml:1:10: include: no/such.yaml: No such file or directory" },
		{ "include: preset:no-such\n", "f.yaml:1:10: include: preset:no-such: no such preset; there are " },
		{ "include: f.yaml\n", "f.yaml:1:10: `f.yaml` includes itself: this file is being read already" },
		/* order */
		{ "lifecycle: a\norder: x, y & z\n",
		  "f.yaml:2:13: order: `,` and `&` side by side can be read in two ways, (a , b) & c or a , (b & c): add "
		  "parentheses" },
		{ "lifecycle: a\norder: x |\n", "f.yaml:2:11: order: ends where a name or ( should follow" },
		{ "lifecycle: a\norder: x)\n", "f.yaml:2:9: order: a ) without its (" },
		{ "lifecycle: a\norder: (x\n", "f.yaml:2:8: order: a ( without its )" },
		{ "lifecycle: a\norder: x y\n", "f.yaml:2:10: order: `y` where , | & or the end should stand" },
		{ "lifecycle: a\norder: x, =y\n",
		  "f.yaml:2:11: order: `=` where a name or ( should stand; quote names with such characters: 'a name'" },
		{ "lifecycle: a\norder: x{3,2}\n",
		  "f.yaml:2:9: order: {3,2} can never hold: the first count is the larger one" },
		{ "lifecycle: a\norder: x{y}\n", "f.yaml:2:10: order: a number should stand here" },
		{ "lifecycle: a\norder: x{100001}\n", "f.yaml:2:10: order: counts go up to 100000" },
		{ "lifecycle: a\norder: x{2\n", "f.yaml:2:9: order: a { without its }" },
		{ "lifecycle: a\norder: \"'x\"\n", "f.yaml:2:9: order: a quoted name without its closing '" },
		{ "lifecycle: a\norder: \"''\"\n", "f.yaml:2:9: order: an empty name" },
		{ "lifecycle: a\norder: [x, y]\n",
		  "f.yaml:2:8: order is one line of text: started, (step* & tool*), done" },
		{ "lifecycle: a\norder: { expresion: x }\n",
		  "f.yaml:2:10: `expresion` is not a key of an order; did you mean `expression`?" },
		/* select, instance, events */
		{ "lifecycle: a\norder: x\nselect: { typ: y }\n",
		  "f.yaml:3:11: `typ` is not a field; did you mean `type`?" },
		{ "lifecycle: a\norder: x\nselect: { colour: y }\n",
		  "f.yaml:3:11: `colour` is not a field; a field is a column (session, kind, type, key, source, severity, "
		  "direction), an attribute (@status) or a JSON Pointer into the body (/run_id)" },
		{ "lifecycle: a\norder: x\nselect: { kind: ws.mesage }\n",
		  "f.yaml:3:17: no event has the kind `ws.mesage`; did you mean `ws.message`?" },
		{ "lifecycle: a\norder: x\nselect: { direction: [client, upstream] }\n",
		  "f.yaml:3:31: no event has the direction `upstream`" },
		{ "lifecycle: a\norder: x\nselect: { source: { mathces: y } }\n",
		  "f.yaml:3:21: `mathces` is not a comparison; did you mean `matches`?" },
		{ "lifecycle: a\norder: x\nselect: { type: { gt: y } }\n", "f.yaml:3:23: `gt` takes a number" },
		{ "lifecycle: a\norder: x\nselect: { type: { lte: y } }\n",
		  "f.yaml:3:19: `lte` is not a comparison; there are gt, ge, lt, le, ne, matches, exists, same-as" },
		{ "lifecycle: a\norder: x\nselect: { type: { matches: '(' } }\n",
		  "f.yaml:3:28: pattern: missing closing parenthesis at its byte 1" },
		{ "lifecycle: a\norder: x\nselect: { type: [] }\n", "f.yaml:3:17: an empty list matches nothing" },
		{ "lifecycle: a\norder: x\nselect: { type: { exists: maybe } }\n",
		  "f.yaml:3:27: `exists` takes true or false" },
		{ "lifecycle: a\norder: x\nselect: ws.message\n",
		  "f.yaml:3:9: a condition is a mapping of fields to values: { kind: ws.message }" },
		{ "lifecycle: a\norder: x\ninstance: []\n",
		  "f.yaml:3:11: `instance` is an empty list; leave it out for one instance a session" },
		{ "lifecycle: a\norder: x\ninstance: /a~2\n",
		  "f.yaml:3:11: `/a~2` is not a JSON Pointer: ~ stands only before 0 and 1" },
		{ "lifecycle: a\norder: x\ninstance: { a: b }\n",
		  "f.yaml:3:11: `instance` is a field or a list of fields" },
		{ "lifecycle: a\norder: x\nevents: [x]\n", "f.yaml:3:9: `events` maps names to conditions: " },
		/* within, idle, total, severity, message */
		{ "lifecycle: a\nwithin: 3s\n", "f.yaml:2:9: a deadline is `a -> b | c: 5s`" },
		{ "lifecycle: a\nwithin: []\n", "f.yaml:2:9: nothing stands here; a deadline is `a -> b | c: 5s`" },
		{ "lifecycle: a\nwithin:\n  - x, y: 3s\n", "f.yaml:3:6: within: `->` should stand here: a -> b: 5s" },
		{ "lifecycle: a\nwithin:\n  - x -> : 3s\n", "f.yaml:3:9: within: ends where a name should follow" },
		{ "lifecycle: a\nwithin:\n  - x -> y z: 3s\n",
		  "f.yaml:3:12: within: `z` behind the names; a deadline is a -> b: 5s" },
		{ "lifecycle: a\nwithin:\n  - x -> y: 3 s\n",
		  "f.yaml:3:13: a time is a number and a unit: 500ms, 5s, 1.5m, 2h, 1d" },
		{ "lifecycle: a\nwithin:\n  - x -> y: { severity: warning }\n",
		  "f.yaml:3:13: no time: write it as { within: 5s }" },
		{ "lifecycle: a\nwithin:\n  - x -> y: { within: 3s, severty: warning }\n",
		  "f.yaml:3:27: `severty` is not a key of a rule; did you mean `severity`?" },
		{ "lifecycle: a\nidle: 0s\n", "f.yaml:2:7: a time of nothing can never be kept" },
		{ "lifecycle: a\ntotal: { within: 3s, severity: bad }\n",
		  "f.yaml:2:32: `severity` is one of info, notice, warning, error, critical; below error a finding is shown and the "
		  "verdict stays" },
		{ "lifecycle: a\ntotal: { within: 3s, message: [] }\n",
		  "f.yaml:2:31: `message` is the sentence to show for a finding" },
		/* sequence */
		{ "lifecycle: a\nsequence: seq\n", "f.yaml:2:11: `seq` is not a field; a field is a column" },
		{ "lifecycle: a\nsequence: { last: /u }\n",
		  "f.yaml:2:11: a sequence needs the place of its number: { first: /U, last: /u }" },
		{ "lifecycle: a\nsequence: { first: /U, step: 0 }\n",
		  "f.yaml:2:30: `step` is a whole number from 1: how much each number is above the last" },
		{ "lifecycle: a\nsequence: { first: /U, restart: [] }\n",
		  "f.yaml:2:33: `restart` is a name, or several: snapshot | resync" },
		/* constraints */
		{ "lifecycle: a\nconstraints: [respons(x, y)]\n",
		  "f.yaml:2:15: constraints: `respons` is not a constraint; did you mean `response`?" },
		{ "lifecycle: a\nconstraints:\n  - respons(x, y)\n",
		  "f.yaml:3:5: constraints: `respons` is not a constraint; did you mean `response`?" },
		{ "lifecycle: a\nconstraints:\n  - frobnicate(x, y)\n",
		  "f.yaml:3:5: constraints: no such constraint: existence absence exactly init last responded-existence "
		  "co-existence response precedence succession alternate-response alternate-precedence "
		  "alternate-succession chain-response chain-precedence chain-succession not-co-existence not-succession "
		  "not-chain-succession" },
		{ "lifecycle: a\nconstraints:\n  - response(x)\n",
		  "f.yaml:3:15: constraints: `,` should stand here; write response(a, b)" },
		{ "lifecycle: a\nconstraints:\n  - init(x, y)\n",
		  "f.yaml:3:11: constraints: `)` should stand here; write init(a)" },
		{ "lifecycle: a\nconstraints:\n  - existence(x, 0)\n", "f.yaml:3:18: constraints: counts begin at 1" },
		{ "lifecycle: a\nconstraints:\n  - response(x, x)\n",
		  "f.yaml:3:5: constraints: `x` stands on both sides of response" },
		{ "lifecycle: a\nconstraints:\n  - response(x, y) within 5s\n",
		  "f.yaml:3:20: constraints: `w` behind the constraint; its time stands so: response(a, b): 5s" },
		/* the rest */
		{ "lifecycle: a\norder: x\nfinal: { a: b }\n", "f.yaml:3:8: `final` is a name or a list of names" },
		{ "lifecycle: a\norder: x\nclosed: maybe\n", "f.yaml:3:9: `closed` takes true or false" },
		{ "lifecycle: a\norder: x\nends: never\n", "f.yaml:3:7: `ends` takes one value, complete: " },
		{ "lifecycle: a\norder: x\nexpect: { instances: 5..3 }\n",
		  "f.yaml:3:9: `expect` is { instances: RANGE }, and a range one of 3, 1.. or 10..20" },
		{ "lifecycle: a\norder: x\ncosts: { insert: 0 }\n",
		  "f.yaml:3:18: a cost is a whole number from 1 to 1000000" },
		{ "lifecycle: a\norder: started\ncosts: { drop: { startd: 2 } }\n",
		  "f.yaml:3:18: no rule names `startd`; did you mean `started`?" },
		/* nested lifecycles */
		{ "lifecycle: a\norder: b\n---\nlifecycle: b\norder: a\n",
		  "f.yaml:1:1: `a` is nested in itself, through its order" },
		{ "lifecycle: a\norder: x, b\n---\nlifecycle: b\norder: y\nexpect: { instances: 1 }\n",
		  "f.yaml:6:9: `b` is nested in `a`, whose order says how many there are; `expect` has no place here" },
		{ "lifecycle: a\nwithin:\n  - x -> b: 5s\n---\nlifecycle: b\norder: y\n",
		  "f.yaml:3:10: within: `b` is a lifecycle, and only `order` takes those: name one of its events" },
		{ "lifecycle: a\norder: x, b\nselect: { kind: log }\n---\nlifecycle: c\norder: b\n---\nlifecycle: b\norder: y\n",
		  "f.yaml:8:1: `b` is nested in lifecycles with different `select`: give it one of its own" },
		{ "lifecycle: a\norder: x\nparent: /p\n",
		  "f.yaml:3:9: no order of this file names `a`, so it has no parent" },
		{ "lifecycle: a\norder: x, b\nfinal: b\n---\nlifecycle: b\norder: y\n",
		  "f.yaml:3:8: `b` is a lifecycle; `final` takes names of events" },
		{ "lifecycle: a\norder: x\nevents: { b: { kind: log } }\n---\nlifecycle: b\norder: y\n",
		  "f.yaml:3:11: `b` is a lifecycle already; give these events another name" },
		/* rules that contradict one another */
		{ "lifecycle: a\norder: x, y\nconstraints:\n  - absence(y)\n",
		  "f.yaml:4:5: `absence(y)` contradicts `order: x, y` in line 2, column 8: nothing can satisfy both" },
		{ "lifecycle: a\nconstraints:\n  - existence(x, 3)\n  - response(x, y)\n  - absence(x, 2)\n",
		  "f.yaml:5:5: `absence(x, 2)` contradicts `existence(x, 3)` in line 3, column 5: nothing can satisfy both" },
		{ "lifecycle: a\norder: y, x\nwithin:\n  - x -> y: 5s\n",
		  "f.yaml:4:5: `x -> y: 5s` contradicts `order: y, x` in line 2, column 8: nothing can satisfy both" },
		{ "lifecycle: a\nconstraints:\n  - existence(x)\n  - response(x, y)\n  - not-co-existence(x, y)\n",
		  "f.yaml:5:5: `not-co-existence(x, y)` contradicts `existence(x)` in line 3, column 5 and `response(x, y)` in line 4, "
		  "column 5: nothing can satisfy them all" },
		{ "lifecycle: a\norder: (p{0,99} & q{0,99} & r{0,99} & s{0,99}), t\nconstraints: ['absence(t)']\n",
		  "f.yaml:1:1: too large to tell whether anything can satisfy all its rules: more than 20000 states; use "
		  "smaller counts or fewer interleaved parts" },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		expect_fault(faults[i].text, faults[i].message);
}

Test(spec, reads_yaml_and_json_and_several_documents)
{
	static const char *const texts[] = {
		"lifecycle: a\norder: x?, (y | 'z z')*, w{2,}\n---\nlifecycle: b\norder: >\n  x,\n  y\n",
		"{\"lifecycle\": \"a\", \"order\": \"x & y\"}\n---\n{\"lifecycle\": \"b\", \"order\": \"()\", "
		"\"closed\": true}",
		"lifecycle: a\norder: x\nfinal: [y, z]\nevents: { q: { kind: [log, container], '@code': { ge: 500 } } "
		"}\n"
		"instance: [session, /id]\nselect: { severity: { ne: debug }, source: { matches: ^api } }\nends: "
		"complete\nexpect: { instances: 0.. }\n"
		"---\nlifecycle: b\norder: x\nselect: { /a: { same-as: /b }, /c: { exists: false } }\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct iq_error error = IQ_ERROR_INIT;
		struct iq_spec *spec;

		cr_assert_eq(iq_spec_parse(iq_view_cstr(texts[i]), "f.yaml", &spec, &error), 0, "%s", error.message);
		cr_expect_eq(iq_spec_count(spec), 2);
		iq_spec_free(spec);
	}
}

Test(spec, merges_specs_unless_a_name_is_there_twice)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *one, *two, *again;

	cr_assert_eq(iq_spec_load("preset:agent-run", &one, &error), 0);
	cr_assert_eq(iq_spec_load("preset:connection", &two, &error), 0);
	cr_assert_eq(iq_spec_load("preset:connection", &again, &error), 0);
	cr_expect_eq(iq_spec_merge(one, two, &error), 0);
	cr_expect_eq(iq_spec_count(one), 3);
	cr_expect_eq(iq_spec_merge(one, again, &error), IQ_ERR_SPEC);
	iq_spec_free(again);
	iq_spec_free(one);
}

Test(spec, limits_what_a_hostile_order_may_cost)
{
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;

	(void)iq_buf_append_cstr(&text, "lifecycle: a\norder: ");
	for (int i = 0; i < 100; i++)
		(void)iq_buf_append_char(&text, '(');
	cr_expect_eq(iq_spec_parse(iq_buf_view(&text), "f", &spec, &error), IQ_ERR_SPEC);
	cr_expect(strstr(error.message, "nested deeper than 50") != NULL, "%s", error.message);
	iq_buf_clear(&text);
	iq_error_clear(&error);
	(void)iq_buf_append_cstr(&text, "lifecycle: a\norder: n0");
	for (int i = 1; i < 300; i++)
		(void)iq_buf_appendf(&text, ", n%d", i);
	cr_expect_eq(iq_spec_parse(iq_buf_view(&text), "f", &spec, &error), IQ_ERR_SPEC);
	cr_expect(strstr(error.message, "more than 256 names") != NULL, "%s", error.message);
	iq_buf_release(&text);
}
