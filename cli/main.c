#include <inquest/inquest.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static void run(struct cli *cli, int argc, char **argv)
{
	if (argc < 2) {
		cli_print_overview();
		(void)cli_set_status(cli, CLI_USAGE, "no verb given");
		return;
	}
	if (is_one_of(argv[1], "--version", "-V")) {
		(void)printf("inquest %s\n", iq_version());
		return;
	}
	if (is_one_of(argv[1], "--help", "-h")) {
		cli_print_overview();
		return;
	}
	cli->verb = cli_find_verb(argv[1]);
	if (!cli->verb) {
		(void)cli_set_status(cli, CLI_USAGE, "there is no verb `%.40s`; `inquest help` lists them", argv[1]);
		return;
	}
	if (!cli_parse(cli, argc - 2, argv + 2))
		return;
	if (cli_has(cli, CLI_OPTION_HELP))
		cli_print_help(cli->verb);
	else
		(void)cli->verb->run(cli);
}

int main(int argc, char **argv)
{
	struct cli cli = { .status = CLI_OK };

	run(&cli, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		(void)cli_set_status(&cli, CLI_FAILED, "cannot write to standard output");
	if (cli.status != CLI_OK) {
		struct iq_buf line = IQ_BUF_INIT;

		(void)iq_utf8_append_safe(&line, iq_view_cstr(cli.reason));
		(void)fprintf(stderr, "inquest: exit %d: %s\n", (int)cli.status, line.data ? line.data : "");
		iq_buf_release(&line);
	}
	free(cli.values);
	free(cli.operands);
	return (int)cli.status;
}
