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

int cli_run_check(struct cli *cli)
{
	struct iq_check_result result;
	struct cli_case opened;
	struct iq_spec *early;
	size_t used;

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
