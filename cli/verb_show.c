#include <inttypes.h>
#include <stdlib.h>

#include "cli/case.h"
#include "store/store.h"

/* ---- One event ---- */

static void append_field(struct iq_buf *out, const char *name, struct iq_view value)
{
	if (!value.data)
		return;
	(void)iq_buf_appendf(out, "%-10s ", name);
	(void)iq_utf8_append_safe(out, value);
	(void)iq_buf_append_char(out, '\n');
}

static void append_time(struct iq_buf *out, const char *name, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		append_field(out, name, iq_view_cstr(iq_time_format(ns, text)));
}

static void append_place(struct iq_buf *out, struct iq_store *store, const struct iq_event *event)
{
	size_t count;
	const struct iq_evidence *evidence = iq_store_evidence(store, &count);

	for (size_t i = 0; i < count; i++) {
		if (evidence[i].no != event->evidence)
			continue;
		(void)iq_buf_appendf(out, "%-10s ", "evidence");
		(void)iq_utf8_append_safe(out, evidence[i].path);
		(void)iq_buf_appendf(out, " bytes %" PRIu64 " to %" PRIu64 "\n", event->offset,
				     event->offset + event->length);
	}
}

static void append_event(struct iq_buf *out, struct iq_store *store, const struct iq_event *event)
{
	(void)iq_buf_appendf(out, "%-10s %" PRIu64 "\n", "event", event->id);
	append_time(out, "time", event->ts);
	append_time(out, "observed", event->observed);
	append_field(out, "source", event->source);
	append_field(out, "session", event->session);
	append_field(out, "kind", iq_view_cstr(iq_kind_name(event->kind)));
	append_field(out, "direction", iq_view_cstr(iq_direction_name(event->direction)));
	append_field(out, "type", event->type);
	append_field(out, "key", event->key);
	if (event->seq != IQ_NUMBER_NONE)
		(void)iq_buf_appendf(out, "%-10s %" PRId64 "\n", "seq", event->seq);
	append_field(out, "severity", iq_view_cstr(iq_severity_name(event->severity)));
	append_field(out, "attrs", event->attrs);
	append_place(out, store, event);
	if (event->body_is_binary)
		(void)iq_buf_appendf(out, "%-10s %zu bytes, binary\n", "body", event->body.len);
	else
		append_field(out, "body", event->body);
}

static int show_event(struct cli *cli, struct iq_store *store, uint64_t id)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_event event;
	int rc;

	filter.id_min = filter.id_max = id;
	rc = iq_cursor_open(store, &filter, &cursor, &error);
	if (rc == 0)
		rc = iq_cursor_next(cursor, &event, &error);
	if (rc == 0)
		(void)cli_set_status(cli, CLI_FAILED, "no event %" PRIu64 "; there are %" PRIu64, id,
				     iq_store_event_count(store));
	else if (rc > 0 && cli_has(cli, CLI_OPTION_RAW))
		rc = iq_store_read_raw(store, event.evidence, event.offset, event.length, &out, &error);
	else if (rc > 0)
		append_event(&out, store, &event);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	cli_write(cli, iq_buf_view(&out));
	iq_cursor_close(cursor);
	iq_buf_release(&out);
	return (int)cli->status;
}

/* ---- One session ---- */

/* How many findings touch each session, by its number; sessions are numbered up to `last`. NULL when memory is out. */
static size_t *count_findings(const struct iq_check_result *result, uint32_t last)
{
	size_t *counts = calloc((size_t)last + 1, sizeof(*counts));

	for (size_t i = 0; counts && i < result->lifecycle_count; i++)
		for (size_t j = 0; j < result->lifecycles[i].instance_count; j++) {
			const struct iq_instance *instance = &result->lifecycles[i].instances[j];

			for (size_t k = 0; k < instance->session_count; k++)
				if (instance->sessions[k] <= last)
					counts[instance->sessions[k]] += instance->finding_count;
		}
	return counts;
}

static uint32_t last_session(const struct iq_check_result *result)
{
	uint32_t last = 0;

	for (size_t i = 0; i < result->session_count; i++)
		last = result->sessions[i].no > last ? result->sessions[i].no : last;
	return last;
}

/* The gravest verdict, then the most findings, then the first. 0 where there is no session. */
static uint32_t worst_session(const struct iq_check_result *result)
{
	size_t *findings = count_findings(result, last_session(result));
	uint32_t worst = result->session_count ? result->sessions[0].no : 0;
	enum iq_verdict gravest = IQ_VERDICT_OK;
	size_t most = 0;

	for (size_t i = 0; findings && i < result->session_count; i++) {
		const struct iq_session_verdict *session = &result->sessions[i];
		const size_t found = findings[session->no];

		if (session->instances &&
		    (session->verdict > gravest || (session->verdict == gravest && found > most))) {
			gravest = session->verdict;
			most = found;
			worst = session->no;
		}
	}
	free(findings);
	return worst;
}

static void show_session(struct cli *cli, struct iq_store *store, uint32_t session, int64_t context)
{
	struct iq_timeline_options options = { .utc = cli_has(cli, CLI_OPTION_UTC),
					       .colour = cli_colour(),
					       .raw = cli_has(cli, CLI_OPTION_RAW),
					       .width = cli_width(),
					       .context_ns = context };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_check_result result;

	if (!cli_check(cli, store, &result))
		return;
	session = session ? session : worst_session(&result);
	if (session == 0)
		(void)cli_set_status(cli, CLI_FAILED,
				     "no session to show; `inquest sql \"SELECT * FROM events\"` lists the events");
	else if (iq_timeline(store, session, &result, &options, &out, &error) < 0)
		(void)cli_set_error(cli, &error);
	cli_write(cli, iq_buf_view(&out));
	iq_buf_release(&out);
	iq_check_result_release(&result);
}

/* The operand after the case: s41, an event's number, or nothing. */
static bool read_target(struct cli *cli, size_t used, uint32_t *ret_session, int64_t *ret_event)
{
	const char *word = used < cli->operand_count ? cli->operands[used] : NULL;

	*ret_session = 0;
	*ret_event = 0;
	if (used + 1 < cli->operand_count) {
		(void)cli_set_status(cli, CLI_USAGE, "one operand too many: %.100s", cli->operands[used + 1]);
		return false;
	}
	if (!word)
		return true;
	if (word[0] == 's')
		*ret_session = cli_session_number(word);
	else if (!iq_view_to_int64(iq_view_cstr(word), ret_event) || *ret_event < 0)
		*ret_event = 0;
	if (*ret_session || *ret_event)
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "%.100s: neither a file nor a session (s41) nor an event's number", word);
	return false;
}

int cli_run_show(struct cli *cli)
{
	struct cli_case opened;
	int64_t context, event;
	uint32_t session;
	size_t used;

	if (!cli_get_duration(cli, CLI_OPTION_CONTEXT, 0, &context) || !cli_case_open(cli, false, &opened, &used))
		return (int)cli->status;
	if (read_target(cli, used, &session, &event)) {
		if (event)
			(void)show_event(cli, opened.store, (uint64_t)event);
		else
			show_session(cli, opened.store, session, context);
	}
	cli_case_close(&opened);
	return (int)cli->status;
}
