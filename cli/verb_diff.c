#include "cli/case.h"

/* Opens the case that one operand names. */
static bool open_operand(struct cli *cli, size_t at, struct cli_case *ret_case)
{
	const char **operands = cli->operands;
	const size_t count = cli->operand_count;
	size_t used;
	bool fine;

	cli->operands = operands + at;
	cli->operand_count = 1;
	fine = cli_case_open(cli, true, ret_case, &used);
	cli->operands = operands;
	cli->operand_count = count;
	return fine;
}

static void write_diff(struct cli *cli, const struct iq_diff *diff)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	const bool json = format && strcmp(format, "json") == 0;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_view first;
	int rc = json ? iq_diff_json(diff, cli->operands[0], cli->operands[1], &out)
		      : iq_diff_text(diff, cli->operands[0], cli->operands[1], &out);

	if (rc < 0)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else
		cli_write(cli, iq_buf_view(&out));
	switch (iq_diff_outcome(diff, &first)) {
	case IQ_DIFF_WORSE:
		(void)cli_set_status(cli, CLI_VIOLATED, "worse than before: %.*s",
				     IQ_VIEW_ARG(iq_utf8_cut(first, 200)));
		break;
	case IQ_DIFF_NOTHING_TO_COMPARE:
		(void)cli_set_status(cli, CLI_INCOMPLETE, "nothing to compare: one of the two has no events");
		break;
	default:
		break;
	}
	iq_buf_release(&out);
}

static void compare(struct cli *cli, const struct cli_case *base, const struct cli_case *incident,
		    const struct iq_spec *spec)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_diff *diff = NULL;

	if (iq_diff(base->store, incident->store, spec, &diff, &error) < 0)
		(void)cli_set_error(cli, &error);
	else
		write_diff(cli, diff);
	iq_diff_free(diff);
}

int cli_run_diff(struct cli *cli)
{
	struct iq_spec *spec = cli_has(cli, CLI_OPTION_SPEC) ? cli_load_specs(cli, NULL) : NULL;
	struct cli_case base, incident;

	if (cli_has(cli, CLI_OPTION_SPEC) && !spec)
		return (int)cli->status;
	if (open_operand(cli, 0, &base)) {
		if (open_operand(cli, 1, &incident)) {
			compare(cli, &base, &incident, spec);
			cli_case_close(&incident);
		}
		cli_case_close(&base);
	}
	iq_spec_free(spec);
	return (int)cli->status;
}
