/* What a spec may say, and where its faults are. */
#include <criterion/criterion.h>

#include "query/query.h"

static void expect_fault(struct iq_view text, struct iq_view message)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;

	cr_expect_eq(iq_spec_parse(text, "f.yaml", &spec, &error), IQ_ERR_SPEC, "%.*s", IQ_VIEW_ARG(text));
	cr_expect(iq_view_starts_with(iq_view_cstr(error.message), message), "`%s`, wanted `%.*s`", error.message,
		  IQ_VIEW_ARG(message));
}

/* Takes what stands before the next line that begins with `=`, or the end. */
static struct iq_view take_part(struct iq_view *rest)
{
	size_t end = iq_view_find(*rest, IQ_LIT("\n="));
	struct iq_view part = iq_view_make(rest->data, end == SIZE_MAX ? rest->len : end + 1);

	*rest = iq_view_from(*rest, part.len);
	return part;
}

static struct iq_view take_line(struct iq_view *rest)
{
	size_t len = iq_view_find(*rest, IQ_LIT("\n"));
	struct iq_view line = iq_view_make(rest->data, len);

	*rest = iq_view_from(*rest, len + 1);
	return line;
}

Test(spec, names_the_place_of_a_fault)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf buf = IQ_BUF_INIT;
	struct iq_view rest;
	unsigned count = 0;

	cr_assert_eq(iq_file_read(IQ_FAULTS, 1 << 20, &buf, &error), 0, "%s", error.message);
	rest = iq_buf_view(&buf);
	while (rest.len > 0) {
		struct iq_view line = take_line(&rest);

		cr_assert_eq(line.data[0], '=');
		if (line.data[1] == '#')
			continue;
		expect_fault(take_part(&rest), iq_view_from(line, 4));
		count++;
	}
	cr_expect_gt(count, 80);
	iq_buf_release(&buf);
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
		"---\nlifecycle: b\norder: x\nselect: { /a: { same-as: /b }, /c: { exists: False }, /d: off }\nclosed: TRUE\n",
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

static void expect_limit(const struct iq_buf *text, const char *message)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;

	cr_assert(iq_spec_parse(iq_buf_view(text), "f", &spec, &error) < 0);
	cr_expect(strstr(error.message, message) != NULL, "%s", error.message);
}

/* Each limit by its message: what is one less than too much is taken. */
Test(spec, has_limits_with_names)
{
	struct iq_buf text = IQ_BUF_INIT;

	for (int i = 0; i <= 1000; i++)
		(void)iq_buf_appendf(&text, "lifecycle: l%d\norder: x\n---\n", i);
	expect_limit(&text, "more than 1000 lifecycles");
	iq_buf_clear(&text);
	for (int i = 0; i < 20; i++)
		(void)iq_buf_appendf(&text, "lifecycle: l%d\norder: x, l%d\n---\n", i, i + 1);
	(void)iq_buf_append_cstr(&text, "lifecycle: l20\norder: x\n");
	expect_limit(&text, "nested deeper than 16");
	iq_buf_clear(&text);
	(void)iq_buf_append_cstr(&text, "lifecycle: a\norder: x\nfinal:\n");
	for (int i = 0; i < 256; i++)
		(void)iq_buf_appendf(&text, " - n%d\n", i);
	expect_limit(&text, "more than 256 names in one lifecycle");
	iq_buf_clear(&text);
	(void)iq_buf_append_cstr(&text, "lifecycle: a\norder: x");
	for (int i = 0; i < 60; i++)
		(void)iq_buf_append_char(&text, '*');
	expect_limit(&text, "more than 50 counts behind one another");
	iq_buf_clear(&text);
	(void)iq_buf_append_cstr(&text,
				 "lifecycle: a\ninstance: [session, /a, /b, /c, /d, /e, /f, /g, /h]\norder: x\n");
	expect_limit(&text, "`instance` takes at most 8 fields");
	iq_buf_clear(&text);
	(void)iq_buf_append_cstr(&text, "lifecycle: a\nselect: { type: { matches: ");
	for (int i = 0; i < 5000; i++)
		(void)iq_buf_append_char(&text, 'x');
	(void)iq_buf_append_cstr(&text, " } }\norder: x\n");
	expect_limit(&text, "the pattern is longer than 4096 bytes");
	iq_buf_release(&text);
}

/* A long order is linear in time and states. */
Test(spec, takes_long_orders)
{
	struct iq_buf text = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec;

	(void)iq_buf_append_cstr(&text, "lifecycle: a\norder: (n0");
	for (int i = 1; i < 20000; i++)
		(void)iq_buf_appendf(&text, ", n%d", i % 200);
	(void)iq_buf_append_cstr(&text, ") | m0");
	for (int i = 1; i < 5000; i++)
		(void)iq_buf_appendf(&text, " | (n%d, n%d)", i % 200, i / 200);
	(void)iq_buf_append_cstr(&text, "\nconstraints: ['existence(m0)']\n");
	cr_expect_eq(iq_spec_parse(iq_buf_view(&text), "f", &spec, &error), 0, "%s", error.message);
	iq_spec_free(spec);
	iq_buf_release(&text);
}
