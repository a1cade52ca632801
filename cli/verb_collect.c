#include "cli/cli.h"
#include "cli/collect.h"

int cli_run_collect(struct cli *cli)
{
	const char *wanted = cli_get(cli, CLI_OPTION_PRINT);
	const struct cli_script *script = cli_scripts;

	if (!wanted)
		return cli_set_status(cli, CLI_USAGE, "which script? --print docker, kubectl or gcloud");
	while (strcmp(script->name, wanted) != 0)
		script++;
	for (const char *const *line = script->lines; *line; line++)
		cli_write(cli, iq_view_cstr(*line));
	return (int)cli->status;
}
