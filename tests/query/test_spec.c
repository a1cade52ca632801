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
		{ "lifecycle: a\n", "f.yaml:1:1: this lifecycle has no `order`" },
		{ "order: a\n", "f.yaml:1:1: this lifecycle has no `lifecycle`" },
		{ "- a\n", "f.yaml:1:1: a lifecycle is a mapping" },
		{ "lifecycle: a\norder: x, y & z\n",
		  "f.yaml:2:13: order: `,` and `&` side by side can be read in two ways" },
		{ "lifecycle: a\norder: x |\n", "f.yaml:2:11: order: ends where a name or ( should follow" },
		{ "lifecycle: a\norder: x)\n", "f.yaml:2:9: order: a ) without its (" },
		{ "lifecycle: a\norder: x{3,2}\n", "f.yaml:2:9: order: {3,2} can never hold" },
		{ "lifecycle: a\norder: \"'x\"\n", "f.yaml:2:9: order: a quoted name without its closing '" },
		{ "lifecycle: a\norder: x\nwithin: 3s\n", "f.yaml:3:1: `within` is not a key of a lifecycle" },
		{ "lifecycle: a\nlifecycle: b\norder: x\n", "f.yaml:2:1: `lifecycle` is given twice" },
		{ "lifecycle: a\norder: x\nselect: { type: { gt: y } }\n", "f.yaml:3:23: `gt` takes a number" },
		{ "lifecycle: a\norder: x\nselect: { type: { like: y } }\n",
		  "f.yaml:3:19: `like` is not a comparison" },
		{ "lifecycle: a\norder: x\ninstance: []\n", "f.yaml:3:11: `instance` is an empty list" },
		{ "lifecycle: a\norder: x\ninstance: /a~2\n", "f.yaml:3:11: `/a~2` is not a JSON Pointer" },
		{ "lifecycle: a\norder: x\nclosed: maybe\n", "f.yaml:3:9: `closed` takes true or false" },
		{ "lifecycle: a\norder: x\nends: never\n", "f.yaml:3:7: `ends` takes one value, complete" },
		{ "lifecycle: a\norder: x\nexpect: { instances: 5..3 }\n",
		  "f.yaml:3:9: `expect` is { instances: RANGE }" },
		{ "lifecycle: a\norder: &x y\n", "f.yaml:2:8: anchors, aliases and tags are not allowed" },
		{ "lifecycle: a\norder: x\n---\nlifecycle: a\norder: y\n",
		  "f.yaml:4:1: the lifecycle `a` is there already" },
		{ "lifecycle: a\norder: x, b\n---\nlifecycle: b\norder: y\n", "f.yaml:2:8: order: `b` is a lifecycle" },
		{ "lifecycle: {a: b\n", "f.yaml:" },
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
