#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/case.h"

/* The list that --good names may be so long. */
#define MAX_LIST (64u << 20)

/* Of all instances: what only so few do is not learned from. */
#define DEFAULT_NOISE 0.03

/* What was asked for. */
struct wish {
	uint32_t *sessions;
	size_t count;
	size_t capacity;
	const char **instances;
	size_t instance_count;
	double noise;
};

static void release_wish(struct wish *wish)
{
	free(wish->sessions);
	free(wish->instances);
}

/* ---- Which sessions ---- */

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool add_session(struct cli *cli, struct wish *wish, uint32_t number)
{
	if (IQ_ARRAY_GROW(wish->sessions, wish->capacity, wish->count + 1) < 0) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		return false;
	}
	wish->sessions[wish->count++] = number;
	return true;
}

/* The session that a word means: `s41`, or its name in the evidence. */
static uint32_t find_session(const struct iq_store *store, struct iq_view word)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	char text[16] = "";

	if (word.len < sizeof(text))
		(void)snprintf(text, sizeof(text), "%.*s", IQ_VIEW_ARG(word));
	if (iq_store_find_session(store, cli_session_number(text)))
		return cli_session_number(text);
	for (size_t i = 0; i < count; i++)
		if (iq_view_eq(sessions[i].name, word))
			return sessions[i].no;
	return 0;
}

static bool add_word(struct cli *cli, const struct cli_case *opened, struct wish *wish, struct iq_view word)
{
	const uint32_t number = find_session(opened->store, word);

	if (number > 0)
		return add_session(cli, wish, number);
	(void)cli_set_status(cli, CLI_USAGE, "%s has no session `%.*s`; `inquest sessions` lists them", opened->name,
			     IQ_VIEW_ARG(iq_utf8_cut(word, 60)));
	return false;
}

/* One session a line, in quotes or not. */
static bool add_list(struct cli *cli, const struct cli_case *opened, struct wish *wish, struct iq_view list)
{
	bool fine = true;

	while (list.len > 0 && fine) {
		const char *end = memchr(list.data, '\n', list.len);
		const size_t len = end ? (size_t)(end - list.data) : list.len;
		struct iq_view line = iq_view_trim(iq_view_make(list.data, len));

		if (line.len > 1 && line.data[0] == '"' && line.data[line.len - 1] == '"')
			line = iq_view_make(line.data + 1, line.len - 2);
		if (line.len > 0 && line.data[0] != '#')
			fine = add_word(cli, opened, wish, line);
		list = iq_view_from(list, len + (end ? 1 : 0));
	}
	return fine;
}

static int append_output(void *context, struct iq_view text)
{
	return iq_buf_append(context, text);
}

/* Sessions for which the condition holds: the first column of CSV, behind its title. */
static bool add_where(struct cli *cli, const struct cli_case *opened, struct wish *wish, const char *where)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf query = IQ_BUF_INIT, list = IQ_BUF_INIT;
	struct iq_sql *sql = NULL;
	bool fine;
	int rc;

	(void)iq_buf_appendf(&query, "SELECT session FROM sessions WHERE (%s\n)", where);
	rc = iq_sql_open(opened->path, 0, &sql, &error);
	if (rc == 0)
		rc = iq_sql_run(sql, iq_buf_view(&query), IQ_SQL_CSV, append_output, &list, &error);
	if (rc < 0)
		(void)cli_set_status(cli, rc == IQ_ERR_NOMEM ? CLI_FAILED : CLI_USAGE,
				     "--good is neither a file nor a condition on sessions: %s", error.message);
	if (rc == 0 && list.len > 0)
		iq_buf_consume(&list, strcspn(list.data, "\n"));
	fine = rc == 0 && add_list(cli, opened, wish, iq_buf_view(&list));
	if (fine && wish->count == 0)
		(void)cli_set_status(cli, CLI_FAILED, "no session is good: none has %s", where);
	iq_sql_close(sql);
	iq_buf_release(&query);
	iq_buf_release(&list);
	return fine && wish->count > 0;
}

static bool add_good(struct cli *cli, const struct cli_case *opened, struct wish *wish, const char *good)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf list = IQ_BUF_INIT;
	bool fine;

	if (access(good, F_OK) != 0)
		return add_where(cli, opened, wish, good);
	fine = iq_file_read(good, MAX_LIST, &list, &error) == 0;
	if (!fine)
		(void)cli_set_error(cli, &error);
	fine = fine && add_list(cli, opened, wish, iq_buf_view(&list));
	if (fine && wish->count == 0)
		(void)cli_set_status(cli, CLI_USAGE, "%s names no session", good);
	iq_buf_release(&list);
	return fine && wish->count > 0;
}

/* `3` or `3%`. */
static bool read_noise(struct cli *cli, const char *text, double *ret_share)
{
	char *end;
	double percent = strtod(text, &end);

	end += *end == '%';
	if (end == text || *end != '\0' || !(percent >= 0 && percent < 50)) {
		(void)cli_set_status(cli, CLI_USAGE, "--noise is a percentage from 0 to below 50: --noise %s", "3%");
		return false;
	}
	*ret_share = percent / 100;
	return true;
}

static bool read_wish(struct cli *cli, const struct cli_case *opened, struct wish *wish)
{
	bool fine = true;

	wish->noise = DEFAULT_NOISE;
	wish->instances = calloc(cli->value_count + 1, sizeof(*wish->instances));
	for (size_t i = 0; i < cli->value_count && fine && wish->instances; i++) {
		const struct cli_value *value = &cli->values[i];

		if (value->id == CLI_OPTION_SESSION)
			fine = add_word(cli, opened, wish, iq_view_cstr(value->value));
		else if (value->id == CLI_OPTION_GOOD)
			fine = add_good(cli, opened, wish, value->value);
		else if (value->id == CLI_OPTION_INSTANCE)
			wish->instances[wish->instance_count++] = value->value;
		else if (value->id == CLI_OPTION_NOISE)
			fine = read_noise(cli, value->value, &wish->noise);
	}
	if (wish->count > 0)
		qsort(wish->sessions, wish->count, sizeof(*wish->sessions), compare_numbers);
	return fine && wish->instances;
}

/* ---- The draft and what it is worth ---- */

/* The draft with what is to be known of it: the report as comments. */
static void write_draft(struct cli *cli, const struct iq_draft *draft, struct iq_view report)
{
	const char *path = cli_get(cli, CLI_OPTION_OUTPUT);
	struct iq_buf text = IQ_BUF_INIT;

	for (struct iq_view rest = report; rest.len > 0 && !path;) {
		const char *end = memchr(rest.data, '\n', rest.len);
		const size_t len = end ? (size_t)(end - rest.data) : rest.len;

		(void)iq_buf_append_cstr(&text, len > 0 ? "# " : "#");
		(void)iq_buf_append(&text, iq_view_make(rest.data, len));
		(void)iq_buf_append_char(&text, '\n');
		rest = iq_view_from(rest, len + (end ? 1 : 0));
	}
	(void)iq_buf_append(&text, iq_buf_view(&draft->yaml));
	if (text.failed)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	else if (!path)
		cli_write(cli, iq_buf_view(&text));
	else if (cli_write_file(cli, path, iq_buf_view(&text)) && strcmp(path, "-") != 0)
		cli_write(cli, report);
	iq_buf_release(&text);
}

static void report(struct cli *cli, const struct cli_case *opened, const struct iq_draft *draft)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_draft_coverage coverage = { 0 };
	struct iq_buf text = IQ_BUF_INIT;

	if (iq_draft_report(opened->store, draft, &text, &coverage, &error) == 0)
		write_draft(cli, draft, iq_buf_view(&text));
	else
		(void)cli_set_error(cli, &error);
	if (coverage.accepted + draft->noise < coverage.learned)
		(void)cli_set_status(cli, CLI_VIOLATED,
				     "the draft rejects %" PRIu64 " of %" PRIu64 " instances that it was learned from",
				     coverage.learned - coverage.accepted, coverage.learned);
	iq_buf_release(&text);
}

int cli_run_learn(struct cli *cli)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_draft draft;
	struct wish wish = { 0 };
	struct cli_case opened;
	size_t used;

	if (!cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	if (read_wish(cli, &opened, &wish)) {
		const struct iq_learn_options options = { wish.sessions, wish.count, wish.instances,
							  wish.instance_count, wish.noise };

		if (iq_learn(opened.store, &options, &draft, &error) < 0) {
			(void)cli_set_error(cli, &error);
		} else {
			report(cli, &opened, &draft);
			iq_draft_release(&draft);
		}
	}
	release_wish(&wish);
	cli_case_close(&opened);
	return (int)cli->status;
}
