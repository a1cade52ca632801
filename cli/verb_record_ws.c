#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/live_check.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/redaction.h"
#include "record/record.h"

/* ---- What is said meanwhile ---- */

/* The last line on a terminal, once a second. */
struct status_line {
	struct cli_progress progress;
	uint64_t messages;
};

static void tell(void *context, const char *text)
{
	struct status_line *line = context;

	cli_progress_clear(&line->progress);
	cli_record_tell(NULL, text);
}

static void show(void *context, const struct iq_tap_progress *progress)
{
	struct status_line *line = context;

	if (!line->progress.on_terminal)
		return;
	cli_progress_clear(&line->progress);
	line->progress.shown = true;
	(void)fprintf(stderr, "%" PRIu64 " connections  %" PRIu64 " messages/s  durable up to event %" PRIu64,
		      progress->connections, progress->messages - line->messages, progress->durable);
	if (progress->lost > 0)
		(void)fprintf(stderr, "  %" PRIu64 " lost", progress->lost);
	if (progress->trouble[0])
		(void)fprintf(stderr, "  disk: %s", progress->trouble);
	(void)fflush(stderr);
	line->messages = progress->messages;
}

/* ---- Routes ---- */

static bool bad_routes(struct cli *cli)
{
	(void)cli_set_status(cli, CLI_USAGE,
			     "what shall be recorded? --listen 127.0.0.1:9000 --upstream ws://HOST:PORT, or --map "
			     "9000=ws://HOST:PORT for each server");
	return false;
}

/* `9000=ws://localhost:8000`, taken apart where it stands in `text`. */
static bool split_map(char *text, struct iq_tap_route *route)
{
	char *equals = text ? strchr(text, '=') : NULL;

	if (!equals)
		return false;
	*equals = '\0';
	*route = (struct iq_tap_route){ text, equals + 1 };
	return true;
}

/* Texts of --map are copied into `texts`. */
static bool get_routes(struct cli *cli, struct iq_tap_route *routes, char **texts, size_t *ret_count)
{
	const char *listen = cli_get(cli, CLI_OPTION_LISTEN), *upstream = cli_get(cli, CLI_OPTION_UPSTREAM);
	size_t count = 0;

	if (!listen != !upstream)
		return bad_routes(cli);
	if (listen)
		routes[count++] = (struct iq_tap_route){ listen, upstream };
	for (size_t i = 0; i < cli->value_count; i++) {
		if (cli->values[i].id != CLI_OPTION_MAP)
			continue;
		texts[i] = strdup(cli->values[i].value);
		if (!split_map(texts[i], &routes[count++]))
			return bad_routes(cli);
	}
	*ret_count = count;
	return count > 0 || bad_routes(cli);
}

/* ---- Other options ---- */

static bool get_certificate(struct cli *cli, struct iq_tap_options *options)
{
	options->cert = cli_get(cli, CLI_OPTION_CERT);
	options->key = cli_get(cli, CLI_OPTION_KEY);
	if (!options->cert == !options->key)
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--cert and --key belong together; `inquest record ca` makes both");
	return false;
}

/* `64MiB`; what is too small for a spool is none. */
static bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	char *unit;
	const unsigned long long number = strtoull(text, &unit, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (unit != text && strcmp(unit, units[i].unit) == 0 && number <= UINT32_MAX) {
			*ret_bytes = (uint64_t)number << units[i].shift;
			return *ret_bytes >= 1u << 20;
		}
	return false;
}

static bool get_rotation(struct cli *cli, struct iq_tap_options *options)
{
	for (size_t i = 0; i < cli->value_count; i++) {
		const char *value = cli->values[i].value;

		if (cli->values[i].id != CLI_OPTION_ROTATE || parse_size(value, &options->rotate_bytes))
			continue;
		if (!iq_duration_parse(iq_view_cstr(value), &options->rotate_ns) || options->rotate_ns < IQ_NS_PER_S) {
			(void)cli_set_status(
				cli, CLI_USAGE,
				"--rotate %.40s: write a time, 1h, of at least 1s, or a size, 1GiB, of at least 1MiB",
				value);
			return false;
		}
	}
	return true;
}

/* ---- The recording ---- */

static void print_summary(struct cli *cli, const char *store, const struct iq_tap_result *result)
{
	(void)printf("%" PRIu64 " connections, %" PRIu64 " messages, %" PRIu64 " events, %" PRIu64 " gaps in %s\n",
		     result->connections, result->messages, result->events, result->gaps, store);
	if (result->lost > 0)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%" PRIu64 " events were lost: the disk did not take them",
				     result->lost);
}

static void record(struct cli *cli, struct iq_tap_options *options)
{
	struct status_line line = { .messages = 0 };
	struct iq_tap_result result = { 0 };
	struct iq_error error = IQ_ERROR_INIT;
	struct cli_live_check *check;
	int rc;

	if (!cli_live_check_begin(cli, cli_store(cli), &check))
		return;
	options->ca = cli_get(cli, CLI_OPTION_CA);
	options->is_insecure = cli_has(cli, CLI_OPTION_INSECURE);
	options->rotate = &cli_hangup;
	options->keep_host = cli_has(cli, CLI_OPTION_KEEP_HOST);
	options->allow_origin = cli_get(cli, CLI_OPTION_ALLOW_ORIGIN);
	options->tell = tell;
	options->progress = show;
	options->stop = &cli_stop;
	options->context = &line;
	cli_progress_begin(&line.progress, CLI_EVENTS);
	cli_catch_signals();
	cli_catch_hangup();
	/* A peer that is gone is an error of the write. */
	(void)signal(SIGPIPE, SIG_IGN);
	rc = iq_tap_record(cli_store(cli), options, &result, &error);
	cli_progress_clear(&line.progress);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	else
		print_summary(cli, cli_store(cli), &result);
	cli_live_check_end(check);
}

void cli_record_ws(struct cli *cli)
{
	struct iq_tap_route *routes = calloc(cli->value_count + 1, sizeof(*routes));
	char **texts = calloc(cli->value_count + 1, sizeof(*texts));
	struct iq_tap_options options = { .routes = routes };

	if (!routes || !texts)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else if (get_routes(cli, routes, texts, &options.route_count) && get_certificate(cli, &options) &&
		 get_rotation(cli, &options) && cli_redactor(cli, cli_store(cli), &options.redactor))
		record(cli, &options);
	iq_redactor_free(options.redactor);
	for (size_t i = 0; texts && i < cli->value_count; i++)
		free(texts[i]);
	free(texts);
	free(routes);
}

/* ---- Certificates ---- */

void cli_record_ca(struct cli *cli)
{
	char *directory = cli_config_directory();
	struct iq_error error = IQ_ERROR_INIT;

	if (!directory)
		(void)cli_set_status(cli, CLI_FAILED, "no place for certificates: set HOME or XDG_CONFIG_HOME");
	else if (iq_tap_make_certificates(directory, cli->operands + 1, cli->operand_count - 1, &error) < 0)
		(void)cli_set_error(cli, &error);
	else
		(void)printf("%s/ca.pem is what clients have to trust; record with\n"
			     "  --cert %s/tap.pem --key %s/tap.key\n",
			     directory, directory, directory);
	free(directory);
}
