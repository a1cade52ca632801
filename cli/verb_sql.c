#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/case.h"

#define OFF_TERMINAL_TIMEOUT (10 * IQ_NS_PER_S)
#define HEAP_LIMIT (256 << 20)
/* Chunks are decoded into the memory of those before them, which is not given back in between. */
#define KEPT_MEMORY (256 << 20)
#define LARGE_BLOCK (32 << 20)

static const struct {
	const char *name;
	enum iq_sql_format format;
} formats[] = {
	{ "table", IQ_SQL_TABLE },   { "csv", IQ_SQL_CSV },	{ "json", IQ_SQL_JSON },
	{ "ndjson", IQ_SQL_NDJSON }, { "md", IQ_SQL_MARKDOWN },
};

static enum iq_sql_format read_format(const struct cli *cli)
{
	const char *name = cli_get(cli, CLI_OPTION_FORMAT);

	for (size_t i = 0; name && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, name) == 0)
			return formats[i].format;
	return IQ_SQL_TABLE;
}

static int write_piece(void *context, struct iq_view text)
{
	struct cli *cli = context;

	cli_write(cli, text);
	return cli->status == CLI_FAILED ? IQ_ERR_IO : 0;
}

static void run_query(struct cli *cli, struct iq_sql *sql, struct iq_view query)
{
	struct iq_error error = IQ_ERROR_INIT;

	if (iq_sql_run(sql, query, read_format(cli), write_piece, cli, &error) < 0)
		(void)cli_set_error(cli, &error);
}

/* ---- What is asked ---- */

static const char shell_help[] =
	"Tables: events, sessions, sources, evidence, gaps, templates, findings. End a statement with ;\n"
	"  .tables   the tables and their columns\n"
	"  .quit     leave (or Ctrl-D)\n"
	"  SELECT type, count(*) FROM events GROUP BY type;\n";
static const char tables_query[] =
	"SELECT m.name AS \"table\", group_concat(p.name, ' ') AS columns FROM pragma_module_list m, "
	"pragma_table_xinfo(m.name) p WHERE m.name IN ('events','sessions','sources','evidence','gaps','templates',"
	"'findings','event_counts','event_aggregates') "
	"AND p.hidden = 0 GROUP BY 1;";

static bool is_word(struct iq_view line, const char *word)
{
	return iq_view_eq(iq_view_trim(line), iq_view_cstr(word));
}

/* False when there shall be no more. */
static bool run_dot_command(struct cli *cli, struct iq_sql *sql, struct iq_view line)
{
	if (is_word(line, ".quit") || is_word(line, ".q") || is_word(line, ".exit"))
		return false;
	if (is_word(line, ".tables"))
		run_query(cli, sql, iq_view_cstr(tables_query));
	else if (is_word(line, ".help"))
		cli_write(cli, iq_view_cstr(shell_help));
	else
		(void)cli_set_status(cli, CLI_USAGE, "%.*s: there are .tables, .help and .quit",
				     (int)(line.len < 40 ? line.len : 40), line.data);
	return true;
}

static void run_operand(struct cli *cli, struct iq_sql *sql, const char *query)
{
	if (query[0] == '.')
		(void)run_dot_command(cli, sql, iq_view_trim(iq_view_cstr(query)));
	else
		run_query(cli, sql, iq_view_cstr(query));
}

/* A mistake at the prompt is told and forgotten. */
static void forgive(struct cli *cli)
{
	if (cli->status != CLI_OK)
		(void)fprintf(stderr, "%s\n", cli->reason);
	cli->status = CLI_OK;
}

static void prompt(bool goes_on)
{
	(void)printf("%s", goes_on ? "    ...> " : "inquest> ");
	(void)fflush(stdout);
}

/* Takes a line of what is asked: runs what is whole by it. False when there shall be no more. */
static bool take_line(struct cli *cli, struct iq_sql *sql, struct iq_view line, struct iq_buf *statement)
{
	if (statement->len == 0 && line.data[0] == '.')
		return run_dot_command(cli, sql, iq_view_trim(line));
	if (iq_buf_append(statement, line) < 0) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	} else if (iq_sql_complete(statement->data)) {
		run_query(cli, sql, iq_buf_view(statement));
		iq_buf_clear(statement);
	}
	return true;
}

/* Runs statements from standard input; true if there was anything. */
static bool run_lines(struct cli *cli, struct iq_sql *sql, bool interactive)
{
	struct iq_buf statement = IQ_BUF_INIT;
	bool go_on = true, any = false;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len = 0;

	while (go_on && cli->status == CLI_OK) {
		if (interactive)
			prompt(statement.len > 0);
		len = getline(&line, &capacity, stdin);
		if (len <= 0)
			break;
		any = any || iq_view_trim(iq_view_make(line, (size_t)len)).len > 0;
		go_on = take_line(cli, sql, iq_view_make(line, (size_t)len), &statement);
		if (interactive)
			forgive(cli);
	}
	if (cli->status == CLI_OK && iq_view_trim(iq_buf_view(&statement)).len > 0)
		run_query(cli, sql, iq_buf_view(&statement));
	free(line);
	iq_buf_release(&statement);
	return any;
}

static void run_shell(struct cli *cli, struct iq_sql *sql, const char *name)
{
	(void)printf("%s: .help for help, .quit to leave\n", name);
	(void)run_lines(cli, sql, true);
	(void)printf("\n");
}

static void run_input(struct cli *cli, struct iq_sql *sql)
{
	if (!run_lines(cli, sql, false))
		(void)cli_set_status(cli, CLI_USAGE, "no query: give one as an operand or on standard input");
}

/* ---- The extension ---- */

/* Installed, or in the build tree beside the program. */
static int print_extension_path(struct cli *cli)
{
	char program[4096], path[4200];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	static const char *const places[] = { IQ_EXTENSION_FROM_PROGRAM, "../query/inquest.so" };

	program[len > 0 ? len : 0] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && len > 0; i++) {
		char *resolved;

		(void)snprintf(path, sizeof(path), "%.*s%s", (int)(iq_path_base(program) - program), program,
			       places[i]);
		resolved = realpath(path, NULL);
		if (resolved && access(resolved, R_OK) == 0) {
			(void)printf("%s\n", resolved);
			free(resolved);
			return CLI_OK;
		}
		free(resolved);
	}
	return cli_set_status(cli, CLI_FAILED, "inquest.so is not where it was installed (%s from the program)",
			      IQ_EXTENSION_FROM_PROGRAM);
}

int cli_run_sql(struct cli *cli)
{
	bool interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_spec *spec = NULL;
	struct cli_case opened;
	struct iq_sql *sql;
	int64_t timeout;
	size_t used;

	if (cli_has(cli, CLI_OPTION_EXTENSION_PATH))
		return print_extension_path(cli);
	if (!cli_get_duration(cli, CLI_OPTION_TIMEOUT, interactive ? 0 : OFF_TERMINAL_TIMEOUT, &timeout) ||
	    !cli_case_open_lazily(cli, false, &opened, &used))
		return (int)cli->status;
	if (cli_has(cli, CLI_OPTION_SPEC) && !(spec = cli_load_specs(cli, NULL))) {
		cli_case_close(&opened);
		return (int)cli->status;
	}
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY);
	(void)sqlite3_soft_heap_limit64(HEAP_LIMIT);
	(void)sqlite3_hard_heap_limit64(HEAP_LIMIT);
	if (used + 1 < cli->operand_count) {
		(void)cli_set_status(cli, CLI_USAGE, "one operand too many: %.100s (quote the query as one word)",
				     cli->operands[used + 1]);
	} else if (iq_sql_open_judged(opened.path, spec, timeout, &sql, &error) < 0) {
		(void)cli_set_error(cli, &error);
	} else if (iq_sql_align_by(sql, opened.store) < 0) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		iq_sql_close(sql);
	} else {
		if (used < cli->operand_count)
			run_operand(cli, sql, cli->operands[used]);
		else if (interactive)
			run_shell(cli, sql, opened.name);
		else
			run_input(cli, sql);
		iq_sql_close(sql);
	}
	iq_spec_free(spec);
	cli_case_close(&opened);
	return (int)cli->status;
}
