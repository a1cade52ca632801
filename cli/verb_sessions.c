#include <inttypes.h>
#include <stdlib.h>

#include "cli/case.h"

struct selection {
	bool only_violated;
	const char *state;
	const char *source;
	uint64_t limit;
};

static bool read_selection(struct cli *cli, struct selection *ret_selection)
{
	const char *limit = cli_get(cli, CLI_OPTION_LIMIT);
	int64_t number = INT64_MAX;

	if (limit && (!iq_view_to_int64(iq_view_cstr(limit), &number) || number < 0)) {
		(void)cli_set_status(cli, CLI_USAGE, "--limit takes a number, not `%.40s`", limit);
		return false;
	}
	*ret_selection = (struct selection){ .only_violated = cli_has(cli, CLI_OPTION_VIOLATED),
					     .state = cli_get(cli, CLI_OPTION_STATE),
					     .source = cli_get(cli, CLI_OPTION_SOURCE),
					     .limit = (uint64_t)number };
	return true;
}

static bool is_selected(const struct selection *selection, const struct iq_session *session,
			const struct iq_session_verdict *verdict)
{
	if (selection->only_violated && verdict->verdict != IQ_VERDICT_VIOLATED)
		return false;
	if (selection->state && strcmp(selection->state, iq_session_state_name(session->state)) != 0)
		return false;
	return !selection->source || iq_view_eq(session->source, iq_view_cstr(selection->source));
}

static const char *verdict_of(const struct iq_session_verdict *verdict)
{
	return verdict->instances ? iq_verdict_name(verdict->verdict) : "-";
}

static void add_row(struct cli_table *table, const struct iq_session *session, const struct iq_session_verdict *verdict,
		    bool utc)
{
	char text[IQ_RFC3339_SIZE];

	cli_table_addf(table, "s%" PRIu32, session->no);
	cli_table_add(table, session->source);
	cli_table_add(table, iq_utf8_cut(session->name, 60));
	cli_table_addf(table, "%s", iq_time_format_short(session->started, utc, text));
	cli_table_addf(table, "%s",
		       session->started == IQ_TIME_NONE ? "-"
							: iq_duration_format(session->ended - session->started, text));
	cli_table_addf(table, "%" PRIu64, session->events);
	cli_table_addf(table, "%s", iq_session_state_name(session->state));
	cli_table_addf(table, "%s", verdict_of(verdict));
	cli_table_add(table, iq_utf8_cut(verdict->reason, 80));
}

static void append_text(struct iq_buf *line, const char *key, struct iq_view value)
{
	if (!value.data)
		return;
	(void)iq_buf_appendf(line, "%s\"%s\":", line->len > 1 ? "," : "", key);
	(void)iq_json_append_string(line, value);
}

static void write_object(struct cli *cli, const struct iq_session *session, const struct iq_session_verdict *verdict)
{
	struct iq_buf line = IQ_BUF_INIT;
	char text[IQ_RFC3339_SIZE];

	(void)iq_buf_appendf(&line, "{\"session\":\"s%" PRIu32 "\"", session->no);
	append_text(&line, "source", session->source);
	append_text(&line, "name", session->name);
	if (session->started != IQ_TIME_NONE) {
		append_text(&line, "started", iq_view_cstr(iq_time_format(session->started, text)));
		append_text(&line, "ended", iq_view_cstr(iq_time_format(session->ended, text)));
	}
	(void)iq_buf_appendf(&line, ",\"events\":%" PRIu64 ",\"start_seen\":%s,\"end_seen\":%s", session->events,
			     session->start_seen ? "true" : "false", session->end_seen ? "true" : "false");
	append_text(&line, "state", iq_view_cstr(iq_session_state_name(session->state)));
	if (verdict->instances)
		append_text(&line, "verdict", iq_view_cstr(iq_verdict_name(verdict->verdict)));
	append_text(&line, "reason", verdict->reason);
	(void)iq_buf_append_cstr(&line, "}\n");
	cli_write(cli, iq_buf_view(&line));
	iq_buf_release(&line);
}

static void list(struct cli *cli, struct iq_store *store, const struct iq_check_result *result,
		 const struct selection *selection)
{
	static const char *const titles[] = { "session", "source", "name",    "started", ">lasted",
					      ">events", "state",  "verdict", "why",	 NULL };
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	bool text = !format || strcmp(format, "text") == 0;
	struct cli_table table;
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);
	uint64_t listed = 0;

	cli_table_init(&table, titles);
	for (size_t i = 0; i < count && listed < selection->limit; i++) {
		if (!is_selected(selection, &sessions[i], &result->sessions[i]))
			continue;
		listed++;
		if (text)
			add_row(&table, &sessions[i], &result->sessions[i], cli_has(cli, CLI_OPTION_UTC));
		else
			write_object(cli, &sessions[i], &result->sessions[i]);
	}
	if (text && listed > 0)
		cli_table_print(cli, &table);
	else if (text)
		cli_write(cli, count ? IQ_LIT("no session fits\n")
				     : IQ_LIT("no sessions: the evidence holds no conversation\n"));
	cli_table_release(&table);
}

int cli_run_sessions(struct cli *cli)
{
	struct selection selection;
	struct iq_check_result result;
	struct cli_case opened;
	size_t used;

	if (!read_selection(cli, &selection) || !cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	if (cli_check(cli, opened.store, &result)) {
		list(cli, opened.store, &result, &selection);
		iq_check_result_release(&result);
	}
	cli_case_close(&opened);
	return (int)cli->status;
}
