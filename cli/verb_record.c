#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/live_check.h"
#include "cli/record.h"
#include "cli/redaction.h"
#include "ingest/ingest.h"

void cli_record_tell(void *context, const char *line)
{
	struct iq_buf safe = IQ_BUF_INIT;

	(void)context;
	(void)iq_utf8_append_safe(&safe, iq_view_cstr(line));
	cli_warn("%s", safe.data ? safe.data : "");
	iq_buf_release(&safe);
}

/* All values of an option, one after the other. NULL when memory is out. */
static const char **collect(const struct cli *cli, enum cli_option_id id, size_t *ret_count)
{
	const char **values = calloc(cli->value_count + 1, sizeof(*values));

	*ret_count = 0;
	for (size_t i = 0; values && i < cli->value_count; i++)
		if (cli->values[i].id == id)
			values[(*ret_count)++] = cli->values[i].value;
	return values;
}

static void print_summary(const char *store, const struct iq_docker_result *result)
{
	(void)printf("%" PRIu64 " containers, %" PRIu64 " lines, %" PRIu64 " container events, %" PRIu64
		     " gaps in %s\n",
		     result->containers, result->lines, result->actions, result->gaps, store);
	if (result->interruptions > 0)
		(void)printf("the Engine went away %" PRIu64 " times; %" PRIu64
			     " lines that came again were passed over\n",
			     result->interruptions, result->again);
}

static void set_record_status(struct cli *cli, const struct iq_docker_result *result)
{
	if (result->lost > 0)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%" PRIu64 " events were lost: the disk did not take them",
				     result->lost);
	else if (result->gaps > 0)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%" PRIu64 " gaps: not everything could be read",
				     result->gaps);
}

/* `30m` before now, or a time. */
static bool get_since(struct cli *cli, int64_t *ret_since)
{
	const char *given = cli_get(cli, CLI_OPTION_SINCE);
	int64_t ago;

	*ret_since = IQ_TIME_NONE;
	if (!given || iq_time_parse(iq_view_cstr(given), ret_since))
		return true;
	if (iq_duration_parse(iq_view_cstr(given), &ago)) {
		*ret_since = iq_clock_now() - ago;
		return true;
	}
	(void)cli_set_status(cli, CLI_USAGE, "--since %.40s: write a time (2026-11-24T03:00:00Z) or how long ago (30m)",
			     given);
	return false;
}

bool cli_covers(struct cli *cli, bool *ret_given, int64_t *ret_from, int64_t *ret_to)
{
	const char *word = cli_get(cli, CLI_OPTION_COVERS);
	const char *dots = word ? strstr(word, "..") : NULL;

	*ret_given = dots && iq_time_parse(iq_view_make(word, (size_t)(dots - word)), ret_from) &&
		     iq_time_parse(iq_view_cstr(dots + 2), ret_to) && *ret_from <= *ret_to;
	if (word && !*ret_given)
		(void)cli_set_status(
			cli, CLI_USAGE,
			"--covers: `%.100s` is no time from and to: write 2026-11-24T03:00:00Z..2026-11-24T04:00:00Z",
			word);
	return !word || *ret_given;
}

void cli_record_docker(struct cli *cli, const char *store, const char *address, bool follow)
{
	struct iq_docker_options options = {
		.address = address, .follow = follow, .tell = cli_record_tell, .stop = &cli_stop
	};
	struct cli_live_check *check;
	const char **projects = collect(cli, CLI_OPTION_PROJECT, &options.project_count);
	const char **containers = collect(cli, CLI_OPTION_CONTAINER, &options.container_count);
	struct iq_docker_result result = { 0 };
	struct iq_error error = IQ_ERROR_INIT;

	options.projects = projects;
	options.containers = containers;
	if (!projects || !containers) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	} else if (get_since(cli, &options.since) &&
		   cli_covers(cli, &options.has_covers, &options.covers_from, &options.covers_to) &&
		   cli_redactor(cli, store, &options.redactor) && cli_live_check_begin(cli, store, &check)) {
		cli_catch_signals();
		if (iq_docker_record(store, &options, &result, &error) < 0) {
			(void)cli_set_error(cli, &error);
		} else {
			print_summary(store, &result);
			if (options.redactor)
				(void)printf("secrets were replaced (%.*s)\n",
					     IQ_VIEW_ARG(iq_redactor_label(options.redactor)));
			set_record_status(cli, &result);
		}
		cli_live_check_end(check);
	}
	iq_redactor_free(options.redactor);
	free(projects);
	free(containers);
}

int cli_run_record(struct cli *cli)
{
	if (strcmp(cli->operands[0], "ca") != 0 && cli->operand_count > 1)
		(void)cli_set_status(cli, CLI_USAGE, "record %.40s %.100s: one thing at a time", cli->operands[0],
				     cli->operands[1]);
	else if (strcmp(cli->operands[0], "docker") == 0)
		cli_record_docker(cli, cli_store(cli), NULL, true);
	else if (strcmp(cli->operands[0], "ws") == 0)
		cli_record_ws(cli);
	else if (strcmp(cli->operands[0], "ca") == 0)
		cli_record_ca(cli);
	else
		(void)cli_set_status(
			cli, CLI_USAGE,
			"record %.40s: `inquest record docker` records containers, `inquest record ws` what goes "
			"through a WebSocket",
			cli->operands[0]);
	return (int)cli->status;
}
