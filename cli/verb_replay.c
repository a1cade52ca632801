#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/case.h"
#include "replay/replay.h"

/* Each run is a new store, so that its verdict is its own. */
static bool choose_run(struct cli *cli, char path[256])
{
	const char *given = cli_get(cli, CLI_OPTION_RUN);
	time_t now = time(NULL);
	struct tm utc;
	struct stat st;

	if (given)
		(void)snprintf(path, 256, "%s", given);
	else
		(void)strftime(path, 256, "run-%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	if (given && strlen(given) < 256 && stat(path, &st) < 0)
		return true;
	if (!given)
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--run %.200s: it is there already; name a new directory for this run",
			     given);
	return false;
}

static bool choose_session(struct cli *cli, const struct cli_case *opened, uint32_t *ret_session)
{
	const char *given = cli_get(cli, CLI_OPTION_SESSION);
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(opened->store, &count);

	*ret_session = given ? cli_session_number(given) : count == 1 ? sessions[0].no : 0;
	if (*ret_session)
		return true;
	if (given)
		(void)cli_set_status(cli, CLI_USAGE, "--session: `%.40s` is not a session: write s3", given);
	else
		(void)cli_set_status(cli, CLI_USAGE,
				     "which session? give --session; `inquest sessions %s` lists the %zu there are",
				     opened->name, count);
	return false;
}

static void tell_outcome(const struct iq_replay_options *options, const struct iq_replay_result *result)
{
	static const char *const outcomes[] = { "done", "stalled", "cut short", "not reached" };
	char took[IQ_RFC3339_SIZE];

	(void)printf("REPLAY of s%" PRIu32 " against %s: %s in %s\n", options->session_no, options->target,
		     outcomes[result->outcome], iq_duration_format(result->duration_ns, took));
	(void)printf("  sent %" PRIu64 " of %" PRIu64 " messages, received %" PRIu64 " (%" PRIu64
		     " in the recording)\n",
		     result->sent, result->expected_to_send, result->received, result->expected_to_receive);
	if (result->reason[0])
		(void)printf("  %s\n", result->reason);
	(void)printf("  recorded in %s\n\n", options->run_path);
}

static void set_outcome_status(struct cli *cli, const struct iq_replay_options *options,
			       const struct iq_replay_result *result)
{
	if (result->outcome == IQ_REPLAY_UNREACHABLE)
		(void)cli_set_status(cli, CLI_FAILED, "%s", result->reason);
	else if (result->outcome != IQ_REPLAY_DONE)
		(void)cli_set_status(cli, CLI_VIOLATED, "s%" PRIu32 ": %s", options->session_no, result->reason);
}

static void judge_run(struct cli *cli, const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_check_result result;
	struct iq_store *store;

	if (iq_store_open(path, &store, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	if (cli_check(cli, store, &result)) {
		cli_report(cli, store, &result, path);
		if (result.verdict == IQ_VERDICT_VIOLATED)
			(void)cli_set_status(cli, CLI_VIOLATED, "the replay: %s", result.reason.data);
		else if (result.verdict == IQ_VERDICT_UNDETERMINED)
			(void)cli_set_status(cli, CLI_INCOMPLETE, "the replay: %s", result.reason.data);
		iq_check_result_release(&result);
	}
	iq_store_close(store);
}

static void replay(struct cli *cli, const struct cli_case *opened, struct iq_replay_options *options)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_replay_result result;

	if (iq_replay(opened->store, options, &result, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	if (!format || strcmp(format, "text") == 0)
		tell_outcome(options, &result);
	set_outcome_status(cli, options, &result);
	if (result.outcome != IQ_REPLAY_UNREACHABLE)
		judge_run(cli, options->run_path);
}

int cli_run_replay(struct cli *cli)
{
	struct iq_replay_options options = { .target = cli_get(cli, CLI_OPTION_TARGET),
					     .allow_host = cli_get(cli, CLI_OPTION_ALLOW_HOST),
					     .stop = &cli_stop };
	struct cli_case opened;
	struct iq_spec *early = NULL;
	char run_path[256];
	size_t used;

	if (!options.target)
		return cli_set_status(cli, CLI_USAGE,
				      "no target: give --target ws://HOST:PORT, the server to replay against");
	if (cli_has(cli, CLI_OPTION_SPEC)) {
		early = cli_load_specs(cli, NULL);
		if (!early)
			return (int)cli->status;
	}
	iq_spec_free(early);
	if (!cli_get_duration(cli, CLI_OPTION_TIMEOUT, IQ_REPLAY_TIMEOUT, &options.timeout_ns) ||
	    !choose_run(cli, run_path) || !cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	options.run_path = run_path;
	(void)signal(SIGPIPE, SIG_IGN);
	cli_catch_signals();
	if (choose_session(cli, &opened, &options.session_no))
		replay(cli, &opened, &options);
	cli_case_close(&opened);
	return (int)cli->status;
}
