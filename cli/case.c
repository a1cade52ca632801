#include "cli/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What an operand is ---- */

static bool exists(const char *path)
{
	struct stat st;

	return strcmp(path, "-") == 0 || stat(path, &st) == 0;
}

static bool is_segment_file(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char head[16] = "";
	FILE *file = fopen(path, "rb");
	bool is_segment =
		file && fread(head, 1, sizeof(head), file) == sizeof(head) && memcmp(head, magic, sizeof(magic)) == 0;

	if (file)
		(void)fclose(file);
	return is_segment;
}

static bool is_store(const char *path)
{
	struct stat st;
	char *manifest;
	bool found;

	if (strcmp(path, "-") == 0 || stat(path, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return S_ISREG(st.st_mode) && is_segment_file(path);
	manifest = iq_path_join(path, "manifest");
	found = manifest && stat(manifest, &st) == 0 && S_ISREG(st.st_mode);
	free(manifest);
	return found;
}

/* ---- A store on the spot ---- */

static bool make_temporary(struct cli *cli, struct cli_case *opened, const char *const *paths, size_t count)
{
	char *path = iq_path_temporary("inquest-XXXXXX");

	if (!path || !mkdtemp(path)) {
		(void)cli_set_status(
			cli, CLI_FAILED,
			"cannot make a temporary store (%s): set TMPDIR to a directory that can be written",
			path ? path : "no memory");
		free(path);
		return false;
	}
	opened->temporary = path;
	opened->path = path;
	return cli_ingest(cli, path, paths, count, true);
}

static bool open_default(struct cli *cli, struct cli_case *opened)
{
	const char *path = getenv("INQUEST_STORE");

	opened->path = opened->name = path && *path ? path : "case";
	if (is_store(opened->path))
		return true;
	(void)cli_set_status(cli, CLI_FAILED,
			     "%s: no store there; name a store or evidence, or make one with `inquest ingest PATH...`",
			     opened->path);
	return false;
}

static size_t leading_paths(const struct cli *cli)
{
	size_t count = 0;

	while (count < cli->operand_count && exists(cli->operands[count]))
		count++;
	/* A store stands alone; what follows it are the verb's other operands. */
	return count > 0 && is_store(cli->operands[0]) ? 1 : count;
}

static bool resolve(struct cli *cli, bool only_paths, struct cli_case *opened, size_t *ret_used)
{
	size_t used = leading_paths(cli);

	*ret_used = used;
	if (only_paths && used < cli->operand_count) {
		(void)cli_set_status(cli, used ? CLI_USAGE : CLI_FAILED,
				     used ? "%.200s: only one store can be looked at"
					  : "%.200s: no such file or directory",
				     cli->operands[used]);
		return false;
	}
	if (used == 0)
		return open_default(cli, opened);
	opened->name = cli->operands[0];
	opened->path = cli->operands[0];
	return is_store(opened->path) || make_temporary(cli, opened, cli->operands, used);
}

static void tell_sidecar(void *context, const char *name)
{
	struct iq_buf text = IQ_BUF_INIT;

	(void)context;
	(void)iq_utf8_append_safe(&text, iq_view_cstr(name));
	cli_warn("a foreign file %s lies beside a segment; it is ignored", text.data ? text.data : "");
	iq_buf_release(&text);
}

static void tell_withheld(void *context, const char *line)
{
	struct iq_buf text = IQ_BUF_INIT;

	(void)context;
	(void)iq_utf8_append_safe(&text, iq_view_cstr(line));
	cli_warn("DAMAGED: %s", text.data ? text.data : "");
	iq_buf_release(&text);
}

/* --rest: what is damaged is told and left out. */
static bool set_aside(struct cli *cli, struct iq_store *store)
{
	struct iq_error error = IQ_ERROR_INIT;
	size_t count = 0;

	if (!cli_has(cli, CLI_OPTION_REST))
		return true;
	if (iq_store_set_aside(store, tell_withheld, NULL, &count, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return false;
	}
	if (count > 0)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "damaged in %zu place%s, which %s left out", count,
				     count == 1 ? "" : "s", count == 1 ? "was" : "were");
	return true;
}

/* `+120ms`, or `-1s..+2s` where it is only known to lie between the two. */
static bool parse_shift(struct iq_view text, int64_t *ret_least, int64_t *ret_most)
{
	size_t dots = iq_view_find(text, IQ_LIT(".."));

	if (dots == SIZE_MAX)
		return iq_duration_parse_signed(text, ret_least) && iq_duration_parse_signed(text, ret_most);
	return iq_duration_parse_signed(iq_view_make(text.data, dots), ret_least) &&
	       iq_duration_parse_signed(iq_view_from(text, dots + 2), ret_most);
}

/* `api=+120ms` */
static bool set_skew(struct cli *cli, struct iq_store *store, const char *word)
{
	const char *equals = strrchr(word, '=');
	struct iq_error error = IQ_ERROR_INIT;
	int64_t least, most;

	if (!equals || equals == word || !parse_shift(iq_view_cstr(equals + 1), &least, &most)) {
		(void)cli_set_status(cli, CLI_USAGE,
				     "--skew: `%.100s` is no shift: write SOURCE=+120ms, SOURCE=-2s or SOURCE=-1s..+1s",
				     word);
		return false;
	}
	if (iq_store_set_skew_range(store, iq_view_make(word, (size_t)(equals - word)), least, most, &error) == 0)
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--skew: %s", error.message);
	return false;
}

static bool set_skews(struct cli *cli, struct iq_store *store)
{
	for (size_t i = 0; i < cli->value_count; i++)
		if (cli->values[i].id == CLI_OPTION_SKEW && !set_skew(cli, store, cli->values[i].value))
			return false;
	return true;
}

bool cli_case_open_lazily(struct cli *cli, bool only_paths, struct cli_case *ret_case, size_t *ret_used)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct cli_case opened = { 0 };

	if (resolve(cli, only_paths, &opened, ret_used)) {
		if (iq_store_open_lazily(opened.path, &opened.store, &error) == 0) {
			iq_store_sidecars(opened.store, tell_sidecar, NULL);
			if (set_aside(cli, opened.store) && set_skews(cli, opened.store)) {
				*ret_case = opened;
				return true;
			}
		} else {
			(void)cli_set_error(cli, &error);
		}
	}
	cli_case_close(&opened);
	return false;
}

bool cli_case_open(struct cli *cli, bool only_paths, struct cli_case *ret_case, size_t *ret_used)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct cli_case opened;

	if (!cli_case_open_lazily(cli, only_paths, &opened, ret_used))
		return false;
	if (iq_store_load(opened.store, &error) < 0) {
		(void)cli_set_error(cli, &error);
		cli_case_close(&opened);
		return false;
	}
	*ret_case = opened;
	return true;
}

void cli_case_close(struct cli_case *opened)
{
	iq_store_close(opened->store);
	if (opened->temporary)
		(void)iq_file_remove_tree(opened->temporary, NULL);
	free(opened->temporary);
}

/* ---- Checking it ---- */

struct iq_spec *cli_load_specs(struct cli *cli, struct iq_store *store)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *specs = NULL, *spec;
	int rc = 0;

	for (size_t i = 0; i < cli->value_count && rc == 0; i++) {
		if (cli->values[i].id != CLI_OPTION_SPEC)
			continue;
		rc = iq_spec_load(cli->values[i].value, &spec, &error);
		if (rc == 0 && specs) {
			rc = iq_spec_merge(specs, spec, &error);
			if (rc < 0)
				iq_spec_free(spec);
		} else if (rc == 0) {
			specs = spec;
		}
	}
	if (rc == 0 && !specs && store)
		rc = iq_spec_presets_for(store, &specs, &error);
	if (rc == 0)
		return specs;
	/* A spec that cannot be read is wrong usage, whatever the reason. */
	(void)cli_set_status(cli, error.status == IQ_ERR_NOMEM ? CLI_FAILED : CLI_USAGE, "%s", error.message);
	iq_spec_free(specs);
	return NULL;
}

/* Reports for machines have each instance. */
static bool lists_all(struct cli *cli)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);

	return (format && strcmp(format, "text") != 0) || cli_has(cli, CLI_OPTION_JSON) ||
	       cli_has(cli, CLI_OPTION_JUNIT);
}

bool cli_check(struct cli *cli, struct iq_store *store, struct iq_check_result *ret_result)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec = cli_load_specs(cli, store);
	int rc;

	if (!spec)
		return false;
	rc = lists_all(cli) ? iq_check(store, spec, ret_result, &error)
			    : iq_check_failing(store, spec, ret_result, &error);
	iq_spec_free(spec);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	return rc == 0;
}

uint32_t cli_session_number(const char *text)
{
	int64_t number;

	text += *text == 's';
	return iq_view_to_int64(iq_view_cstr(text), &number) && number > 0 && number <= UINT32_MAX ? (uint32_t)number
												   : 0;
}

/* ---- Reports ---- */

typedef int report_function(struct iq_store *store, const struct iq_check_result *result,
			    const struct iq_report_options *options, struct iq_buf *out, struct iq_error *error);

static void write_report(struct cli *cli, report_function *report, const char *path, struct iq_store *store,
			 const struct iq_check_result *result, const char *title)
{
	struct iq_report_options options = { .utc = cli_has(cli, CLI_OPTION_UTC),
					     .colour = report == iq_report_text && cli_colour(),
					     .width = cli_width(),
					     .title = title };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf out = IQ_BUF_INIT;

	if (report(store, result, &options, &out, &error) < 0)
		(void)cli_set_error(cli, &error);
	else
		(void)cli_write_file(cli, path, iq_buf_view(&out));
	iq_buf_release(&out);
}

void cli_report(struct cli *cli, struct iq_store *store, const struct iq_check_result *result, const char *title)
{
	static const struct {
		const char *format;
		report_function *report;
		enum cli_option_id option;
	} reports[] = {
		{ "text", iq_report_text, CLI_OPTION_END },
		{ "json", iq_report_json, CLI_OPTION_JSON },
		{ "junit", iq_report_junit, CLI_OPTION_JUNIT },
	};
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);

	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		const char *path = reports[i].option == CLI_OPTION_END ? NULL : cli_get(cli, reports[i].option);

		if (strcmp(format ? format : "text", reports[i].format) == 0)
			write_report(cli, reports[i].report, "-", store, result, title);
		if (path)
			write_report(cli, reports[i].report, path, store, result, title);
	}
}
