#include "cli/case.h"

static void set_verdict_status(struct cli *cli, const struct iq_check_result *result)
{
	const char *fail_on = cli_get(cli, CLI_OPTION_FAIL_ON);
	const char *reason = result->reason.data ? result->reason.data : "";

	if (result->verdict == IQ_VERDICT_VIOLATED)
		(void)cli_set_status(cli, CLI_VIOLATED, "%s", reason);
	else if (result->verdict == IQ_VERDICT_UNDETERMINED && !fail_on)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%s", reason);
	else if (result->verdict == IQ_VERDICT_UNDETERMINED && strcmp(fail_on, "undetermined") == 0)
		(void)cli_set_status(cli, CLI_VIOLATED, "%s", reason);
}

static int list_presets(struct cli *cli)
{
	struct iq_buf out = IQ_BUF_INIT;

	for (const struct iq_preset *preset = iq_presets(); preset->name; preset++)
		(void)iq_buf_appendf(&out, "preset:%-22s %s\n", preset->name, preset->summary);
	cli_write(cli, iq_buf_view(&out));
	iq_buf_release(&out);
	return (int)cli->status;
}

static bool find_spec_format(struct cli *cli, enum iq_spec_format *ret_format)
{
	static const struct {
		const char *name;
		enum iq_spec_format format;
	} formats[] = { { "text", IQ_SPEC_TEXT }, { "dot", IQ_SPEC_DOT }, { "mermaid", IQ_SPEC_MERMAID } };
	const char *name = cli_get(cli, CLI_OPTION_FORMAT);

	*ret_format = IQ_SPEC_ALL;
	for (size_t i = 0; name && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(name, formats[i].name) == 0)
			*ret_format = formats[i].format;
	if (!name || *ret_format != IQ_SPEC_ALL)
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--explain-spec prints text, dot or mermaid, not %s", name);
	return false;
}

static int explain_spec(struct cli *cli)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf out = IQ_BUF_INIT;
	enum iq_spec_format format;
	struct iq_spec *spec;

	if (!cli_has(cli, CLI_OPTION_SPEC))
		return cli_set_status(cli, CLI_USAGE, "which spec? --explain-spec needs --spec FILE or preset:NAME");
	if (!find_spec_format(cli, &format))
		return (int)cli->status;
	spec = cli_load_specs(cli, NULL);
	if (!spec)
		return (int)cli->status;
	if (iq_spec_explain(spec, format, &out, &error) < 0)
		(void)cli_set_error(cli, &error);
	else
		cli_write(cli, iq_buf_view(&out));
	iq_buf_release(&out);
	iq_spec_free(spec);
	return (int)cli->status;
}

/* Drawings are of specs, not of verdicts. */
static bool is_drawing(const struct cli *cli)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);

	return format && (strcmp(format, "dot") == 0 || strcmp(format, "mermaid") == 0);
}

int cli_run_check(struct cli *cli)
{
	struct iq_check_result result;
	struct cli_case opened;
	struct iq_spec *early;
	size_t used;

	if (cli_has(cli, CLI_OPTION_LIST_PRESETS))
		return list_presets(cli);
	if (cli_has(cli, CLI_OPTION_EXPLAIN_SPEC))
		return explain_spec(cli);
	if (is_drawing(cli))
		return cli_set_status(cli, CLI_USAGE, "--format %s draws a spec: add --explain-spec",
				      cli_get(cli, CLI_OPTION_FORMAT));
	/* A spec with an error is found before any evidence is read. */
	if (cli_has(cli, CLI_OPTION_SPEC)) {
		early = cli_load_specs(cli, NULL);
		if (!early)
			return (int)cli->status;
		iq_spec_free(early);
	}
	if (!cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	if (cli_check(cli, opened.store, &result)) {
		cli_report(cli, opened.store, &result, opened.name);
		set_verdict_status(cli, &result);
		iq_check_result_release(&result);
	}
	cli_case_close(&opened);
	return (int)cli->status;
}
