#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/preset.h"
#include "base/yaml.h"
#include "cli/case.h"
#include "cli/ingest_json.h"
#include "cli/progress.h"
#include "cli/record.h"
#include "cli/redaction.h"
#include "ingest/ingest.h"

/* More files than this are told format by format. */
#define FILES_TOLD 50
#define SUMS 128

/* Files of one format that had the same fate. */
struct sum {
	uint64_t files;
	struct iq_ingest_report total;
};

struct run {
	struct cli *cli;
	bool as_json; /* instead of tables */
	bool quiet;   /* only what was not taken in is told */
	struct cli_table table;
	struct cli_ingest_json json;
	uint64_t files;
	struct sum sums[SUMS];
	size_t sum_count;
	struct iq_buf problems;
	uint64_t problem_count;
	char first_problem[400];
	struct iq_parser_notes notes; /* of all of it */
	struct cli_progress progress;
	const struct iq_redactor *redactor; /* NULL: nothing is redacted */
};

static void show_progress(void *context, const char *path, uint64_t done, uint64_t total)
{
	struct run *run = context;

	cli_progress_show(&run->progress, iq_view_cstr(path), done, total);
}

static void note_problem(struct run *run, const struct iq_ingest_report *report)
{
	struct iq_buf line = IQ_BUF_INIT;

	if (report->problem) {
		(void)iq_utf8_append_safe(&line, iq_view_cstr(report->path));
		(void)iq_buf_append_cstr(&line, ": ");
		(void)iq_utf8_append_safe(&line, iq_view_cstr(report->problem));
		if (report->problems > 1)
			(void)iq_buf_appendf(&line, " (and %" PRIu64 " more)", report->problems - 1);
		if (run->problem_count++ == 0)
			(void)snprintf(run->first_problem, sizeof(run->first_problem), "%s", line.data);
		(void)iq_buf_append_cstr(&run->problems, "  ");
		(void)iq_buf_append(&run->problems, iq_buf_view(&line));
		(void)iq_buf_append_char(&run->problems, '\n');
	}
	iq_buf_release(&line);
}

static void append_second(struct iq_buf *span, int64_t ns, size_t from)
{
	char text[IQ_RFC3339_SIZE];

	(void)iq_time_format(ns, text);
	text[strlen("2026-11-24")] = ' ';
	(void)iq_buf_append(span, iq_view_make(text + from, strlen("2026-11-24 03:27:59") - from));
}

/* `2026-11-24 03:27:50-03:28:00`; the day a second time where it is another. */
static void add_span(struct cli_table *table, const struct iq_ingest_report *report)
{
	const int64_t day = 86400 * IQ_NS_PER_S;
	struct iq_buf span = IQ_BUF_INIT;

	if (report->first == IQ_TIME_NONE) {
		cli_table_addf(table, "-");
		return;
	}
	append_second(&span, report->first, 0);
	(void)iq_buf_append_char(&span, '-');
	append_second(&span, report->last, report->first / day == report->last / day ? strlen("2026-11-24 ") : 0);
	cli_table_add(table, iq_buf_view(&span));
	iq_buf_release(&span);
}

static bool has_numbers(enum iq_ingest_outcome outcome)
{
	return outcome == IQ_INGEST_TAKEN || outcome == IQ_INGEST_CONTINUED || outcome == IQ_INGEST_PARTLY;
}

static void add_numbers(struct cli_table *table, const struct iq_ingest_report *report)
{
	if (!has_numbers(report->outcome)) {
		for (int i = 0; i < 7; i++)
			cli_table_addf(table, "-");
		return;
	}
	cli_table_addf(table, report->sure > 0 ? "%d%%" : "-", report->sure);
	cli_table_addf(table, "%" PRIu64, report->evidence.bytes);
	cli_table_addf(table, "%" PRIu64, report->evidence.records);
	cli_table_addf(table, "%" PRIu64, report->notes.joined);
	cli_table_addf(table, "%" PRIu64, report->sessions);
	cli_table_addf(table, "%" PRIu64, report->evidence.gaps);
	add_span(table, report);
}

static void add_row(struct cli_table *table, struct iq_view name, const struct iq_ingest_report *report)
{
	static const char *const outcomes[] = { "taken in", "continued",    "known already", "known, was longer",
						"partly",   "not taken in", "empty" };

	cli_table_add(table, name);
	cli_table_addf(table, "%s", report->format ? report->format : "-");
	add_numbers(table, report);
	cli_table_addf(table, "%s", outcomes[report->outcome]);
}

static void add_notes(struct iq_parser_notes *sum, const struct iq_parser_notes *notes)
{
	sum->joined += notes->joined;
	sum->duplicates += notes->duplicates;
	sum->without_zone += notes->without_zone;
	sum->without_year += notes->without_year;
}

/* The last one takes what there is no room for. */
static struct sum *find_sum(struct run *run, const struct iq_ingest_report *report)
{
	size_t i = 0;

	while (i < run->sum_count &&
	       (run->sums[i].total.format != report->format || run->sums[i].total.outcome != report->outcome))
		i++;
	if (i == SUMS)
		return &run->sums[SUMS - 1];
	if (i == run->sum_count) {
		run->sum_count++;
		run->sums[i].total = (struct iq_ingest_report){ .outcome = report->outcome,
								.format = report->format,
								.sure = report->sure,
								.first = IQ_TIME_NONE,
								.last = IQ_TIME_NONE };
	}
	return &run->sums[i];
}

/* The least sure of them counts. */
static void add_to_sum(struct run *run, const struct iq_ingest_report *report)
{
	struct sum *sum = find_sum(run, report);
	struct iq_ingest_report *total = &sum->total;

	sum->files++;
	total->sure = report->sure < total->sure ? report->sure : total->sure;
	total->evidence.bytes += report->evidence.bytes;
	total->evidence.records += report->evidence.records;
	total->evidence.gaps += report->evidence.gaps;
	total->sessions += report->sessions;
	add_notes(&total->notes, &report->notes);
	if (!has_numbers(report->outcome) || report->first == IQ_TIME_NONE)
		return;
	if (total->first == IQ_TIME_NONE || report->first < total->first)
		total->first = report->first;
	if (total->last == IQ_TIME_NONE || report->last > total->last)
		total->last = report->last;
}

static int add_report(void *context, const struct iq_ingest_report *report)
{
	struct run *run = context;

	cli_progress_clear(&run->progress);
	note_problem(run, report);
	add_row(&run->table, iq_view_cstr(report->path), report);
	add_to_sum(run, report);
	run->files++;
	if (has_numbers(report->outcome))
		add_notes(&run->notes, &report->notes);
	return cli_ingest_json_add(&run->json, report);
}

static const char *const titles[] = { "evidence",  "format", ">sure",	   ">bytes", ">records", ">joined",
				      ">sessions", ">gaps",  "time (UTC)", "",	     NULL };

static void print_sums(struct run *run)
{
	struct cli_table table;
	char files[40];

	cli_table_init(&table, titles);
	for (size_t i = 0; i < run->sum_count; i++) {
		(void)snprintf(files, sizeof(files), "%" PRIu64 " file%s", run->sums[i].files,
			       run->sums[i].files == 1 ? "" : "s");
		add_row(&table, iq_view_cstr(files), &run->sums[i].total);
	}
	cli_table_print(run->cli, &table);
	cli_table_release(&table);
	(void)printf("%" PRIu64
		     " files by their format; --all gives a row each, as `inquest sql` does from the table evidence\n",
		     run->files);
}

static void print_files(struct run *run)
{
	if (run->files > FILES_TOLD && !cli_has(run->cli, CLI_OPTION_ALL))
		print_sums(run);
	else
		cli_table_print(run->cli, &run->table);
}

/* What was left out, and which rules were needed: a person may know better. */
static void print_rules(struct run *run)
{
	const char *zone = cli_get(run->cli, CLI_OPTION_ZONE);

	if (run->notes.duplicates > 0)
		(void)printf("%" PRIu64 " record(s) that the evidence holds twice: one event each\n",
			     run->notes.duplicates);
	if (run->notes.without_zone > 0)
		(void)printf("%" PRIu64 " time(s) without a zone: taken as %s, --zone names another\n",
			     run->notes.without_zone, zone ? zone : "UTC");
	if (run->notes.without_year > 0)
		(void)printf("%" PRIu64
			     " time(s) without a year: taken as the newest that is not later than their file\n",
			     run->notes.without_year);
}

static void write_json(struct run *run, const char *store, const struct iq_ingest_result *result)
{
	const char *file = cli_get(run->cli, CLI_OPTION_JSON);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf text = IQ_BUF_INIT;

	if (run->quiet || (!run->as_json && !file))
		return;
	if (cli_ingest_json_append(&run->json, store, result, &run->notes, &text, &error) < 0) {
		(void)cli_set_error(run->cli, &error);
	} else {
		if (run->as_json)
			cli_write(run->cli, iq_buf_view(&text));
		if (file)
			(void)cli_write_file(run->cli, file, iq_buf_view(&text));
	}
	iq_buf_release(&text);
}

static void print_summary(struct run *run, const char *store, const struct iq_ingest_result *result)
{
	if (!run->quiet && !run->as_json && run->table.count > 0) {
		print_files(run);
		(void)printf("%" PRIu64 " taken in, %" PRIu64 " known already, %" PRIu64 " bytes, %" PRIu64
			     " events in %s\n",
			     result->taken, result->known, result->bytes, result->events, store);
		print_rules(run);
		if (run->redactor && result->taken > 0)
			(void)printf("%" PRIu64 " secrets replaced by tags (%.*s); raw bytes were not kept\n",
				     iq_redactor_count(run->redactor), IQ_VIEW_ARG(iq_redactor_label(run->redactor)));
		(void)fflush(stdout);
	}
	if (run->problem_count > 0)
		(void)fprintf(stderr, "NOT TAKEN IN, OR NOT WHOLE\n%s", run->problems.data);
}

static void set_ingest_status(struct run *run, const struct iq_ingest_result *result)
{
	if (run->problem_count > 0)
		(void)cli_set_status(run->cli, CLI_INCOMPLETE, "%" PRIu64 " of %" PRIu64 " not taken in whole: %s",
				     result->partly + result->refused, result->taken + result->known + result->refused,
				     run->first_problem);
}

/* A store that was only made for this run is of no use half filled. */
static void set_interrupted(struct run *run, const struct iq_ingest_result *result)
{
	struct iq_buf done = IQ_BUF_INIT;

	cli_progress_append_done(&done, CLI_BYTES, result->bytes_read, result->bytes_total);
	if (run->quiet)
		(void)cli_set_status(run->cli, CLI_FAILED, "interrupted at %s", done.data);
	else
		(void)cli_set_status(run->cli, CLI_INCOMPLETE, "interrupted at %s: run the same command again to go on",
				     done.data);
	iq_buf_release(&done);
}

static bool read_max_line(struct cli *cli, size_t *ret_bytes)
{
	const char *word = cli_get(cli, CLI_OPTION_MAX_LINE);
	int64_t bytes;

	if (!word)
		return true;
	if (!iq_view_to_int64(iq_view_cstr(word), &bytes) || bytes < IQ_INGEST_MIN_MAX_LINE ||
	    bytes > IQ_INGEST_MAX_MAX_LINE) {
		(void)cli_set_status(cli, CLI_USAGE, "--max-line takes a number of bytes from %d to %d, not `%.40s`",
				     IQ_INGEST_MIN_MAX_LINE, IQ_INGEST_MAX_MAX_LINE, word);
		return false;
	}
	*ret_bytes = (size_t)bytes;
	return true;
}

static bool read_zone(struct cli *cli, int32_t *ret_zone)
{
	const char *zone = cli_get(cli, CLI_OPTION_ZONE);

	if (!zone || iq_zone_parse(iq_view_cstr(zone), ret_zone))
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--zone %s: no zone; give UTC, or hours and minutes east of it: +01:00",
			     zone);
	return false;
}

/* ---- Rules ---- */

static int add_rules(struct iq_extract *extract, const char *path_or_preset, struct iq_error *error)
{
	const bool is_preset = strncmp(path_or_preset, "preset:", strlen("preset:")) == 0;
	const struct iq_preset *preset = NULL;
	struct iq_buf text = IQ_BUF_INIT;
	int rc;

	if (is_preset) {
		preset = iq_preset_find(iq_extract_presets(), path_or_preset + strlen("preset:"), error);
		return preset ? iq_extract_add(extract, iq_view_cstr(preset->text), preset->name, error) : IQ_ERR_SPEC;
	}
	rc = iq_file_read(path_or_preset, IQ_YAML_MAX_BYTES, &text, error);
	if (rc == 0)
		rc = iq_extract_add(extract, iq_buf_view(&text), path_or_preset, error);
	iq_buf_release(&text);
	return rc;
}

/* *ret_extract is NULL where none are asked for. Caller owns; release with iq_extract_free(). False: the status is set. */
static bool load_rules(struct cli *cli, struct iq_extract **ret_extract)
{
	struct iq_error error = IQ_ERROR_INIT;
	int rc = 0;

	*ret_extract = NULL;
	for (size_t i = 0; i < cli->value_count && rc == 0; i++) {
		if (cli->values[i].id != CLI_OPTION_EXTRACT)
			continue;
		if (!*ret_extract)
			*ret_extract = iq_extract_new();
		rc = *ret_extract ? add_rules(*ret_extract, cli->values[i].value, &error) : iq_error_nomem(&error);
	}
	/* Rules that cannot be read are wrong usage, whatever the reason. */
	if (rc < 0)
		(void)cli_set_status(cli, rc == IQ_ERR_NOMEM ? CLI_FAILED : CLI_USAGE, "%s", error.message);
	return rc == 0;
}

bool cli_ingest(struct cli *cli, const char *store, const char *const *paths, size_t count, bool quiet)
{
	const char *format = quiet ? NULL : cli_get(cli, CLI_OPTION_FORMAT);
	struct run run = { .cli = cli, .quiet = quiet, .as_json = format && strcmp(format, "json") == 0 };
	struct iq_ingest_options options = { .format = run.as_json ? NULL : format,
					     .dialect = quiet ? NULL : cli_get(cli, CLI_OPTION_DIALECT),
					     .source = quiet ? NULL : cli_get(cli, CLI_OPTION_SOURCE),
					     .report = add_report,
					     .progress = show_progress,
					     .stop = &cli_stop,
					     .context = &run };
	struct iq_ingest_result result = { 0 };
	struct iq_error error = IQ_ERROR_INIT;
	int rc;

	if (!quiet && (!read_zone(cli, &options.zone) || !read_max_line(cli, &options.max_line)))
		return false;
	if (!load_rules(cli, &options.extract) ||
	    (!quiet && (!cli_covers(cli, &options.has_covers, &options.covers_from, &options.covers_to) ||
			!cli_redactor(cli, store, &options.redactor)))) {
		iq_extract_free(options.extract);
		return false;
	}
	run.redactor = options.redactor;
	cli_catch_signals();
	cli_progress_begin(&run.progress, CLI_BYTES);
	cli_table_init(&run.table, titles);
	rc = iq_ingest(store, paths, count, &options, &result, &error);
	cli_progress_clear(&run.progress);
	print_summary(&run, store, &result);
	if (rc == 0 || rc == IQ_ERR_INTERRUPTED)
		write_json(&run, store, &result);
	if (rc == IQ_ERR_INTERRUPTED)
		set_interrupted(&run, &result);
	else if (rc < 0)
		(void)cli_set_error(cli, &error);
	else
		set_ingest_status(&run, &result);
	iq_redactor_free(options.redactor);
	iq_extract_free(options.extract);
	iq_buf_release(&run.problems);
	cli_table_release(&run.table);
	cli_ingest_json_release(&run.json);
	return rc == 0;
}

int cli_run_ingest(struct cli *cli)
{
	if (strcmp(cli->operands[0], "docker://") != 0)
		(void)cli_ingest(cli, cli_store(cli), cli->operands, cli->operand_count, false);
	else if (cli->operand_count > 1)
		(void)cli_set_status(cli, CLI_USAGE,
				     "docker:// is taken in by itself: give the files in another command");
	else
		cli_record_docker(cli, cli_store(cli), NULL, false);
	return (int)cli->status;
}
