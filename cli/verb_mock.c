#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/case.h"
#include "replay/replay.h"

static void tell_port(void *context, unsigned port)
{
	(void)context;
	(void)printf("listening at port %u\n", port);
	(void)fflush(stdout);
}

static void tell_line(void *context, const char *line)
{
	(void)context;
	cli_warn("%s", line);
}

static void tell_result(struct cli *cli, const struct iq_mock_result *result)
{
	(void)printf("%" PRIu64 " connection%s, %" PRIu64 " messages: %" PRIu64 " answered as recorded, %" PRIu64
		     " as the most alike, %" PRIu64 " not\n",
		     result->connections, result->connections == 1 ? "" : "s", result->messages,
		     result->messages - result->alike - result->unknown, result->alike, result->unknown);
	if (result->unknown > 0)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%" PRIu64 " message%s like nothing that was recorded",
				     result->unknown, result->unknown == 1 ? " was" : "s were");
}

static bool take_sessions(struct cli *cli, uint32_t *sessions, struct iq_mock_options *options)
{
	for (size_t i = 0; i < cli->value_count; i++) {
		if (cli->values[i].id != CLI_OPTION_SESSION)
			continue;
		sessions[options->session_count] = cli_session_number(cli->values[i].value);
		if (sessions[options->session_count++] != 0)
			continue;
		(void)cli_set_status(cli, CLI_USAGE, "--session: `%.40s` is not a session: write s3",
				     cli->values[i].value);
		return false;
	}
	options->sessions = sessions;
	return true;
}

int cli_run_mock(struct cli *cli)
{
	struct iq_mock_options options = {
		.listen = cli_get(cli, CLI_OPTION_LISTEN), .listening = tell_port, .tell = tell_line, .stop = &cli_stop
	};
	uint32_t *sessions = calloc(cli->value_count + 1, sizeof(*sessions));
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_mock_result result;
	struct cli_case opened;
	size_t used;

	if (!options.listen)
		(void)cli_set_status(cli, CLI_USAGE, "where shall it listen? --listen 9000");
	else if (!sessions)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else if (take_sessions(cli, sessions, &options) && cli_case_open(cli, true, &opened, &used)) {
		(void)signal(SIGPIPE, SIG_IGN);
		cli_catch_signals();
		cli_raise_files();
		if (iq_mock_play(opened.store, &options, &result, &error) < 0)
			(void)cli_set_error(cli, &error);
		else
			tell_result(cli, &result);
		cli_case_close(&opened);
	}
	free(sessions);
	return (int)cli->status;
}
