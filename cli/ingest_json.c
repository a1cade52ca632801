#include "cli/ingest_json.h"

#include <inttypes.h>
#include <stdlib.h>

static void append_number(struct iq_buf *out, const char *name, uint64_t number)
{
	(void)iq_buf_appendf(out, ",\"%s\":%" PRIu64, name, number);
}

static void append_text(struct iq_buf *out, const char *name, struct iq_view text)
{
	if (!text.data)
		return;
	(void)iq_buf_appendf(out, ",\"%s\":", name);
	(void)iq_json_append_string(out, text);
}

static void append_time(struct iq_buf *out, const char *name, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		append_text(out, name, iq_view_cstr(iq_time_format(ns, text)));
}

/* ---- One evidence ---- */

static const char *outcome_name(enum iq_ingest_outcome outcome)
{
	static const char *const names[] = { "taken", "continued", "known", "shorter", "partly", "refused", "empty" };
	return names[outcome];
}

static bool is_in_store(enum iq_ingest_outcome outcome)
{
	return outcome == IQ_INGEST_TAKEN || outcome == IQ_INGEST_CONTINUED || outcome == IQ_INGEST_PARTLY;
}

static void append_numbers(struct iq_buf *out, const struct iq_ingest_report *report)
{
	const struct iq_evidence *evidence = &report->evidence;

	append_number(out, "evidence", evidence->no);
	append_number(out, "bytes", evidence->bytes);
	append_number(out, "accounted", evidence->accounted);
	append_number(out, "records", evidence->records);
	append_number(out, "joined", report->notes.joined);
	append_number(out, "duplicates", report->notes.duplicates);
	append_number(out, "sessions", report->sessions);
	append_time(out, "from", report->first);
	append_time(out, "to", report->last);
	append_number(out, "gap_count", evidence->gaps);
}

int cli_ingest_json_add(struct cli_ingest_json *json, const struct iq_ingest_report *report)
{
	struct iq_buf *out = &json->text;

	if (IQ_ARRAY_GROW(json->rows, json->capacity, json->count + 1) < 0)
		return IQ_ERR_NOMEM;
	(void)iq_buf_append_cstr(out, "{\"path\":");
	(void)iq_json_append_string(out, iq_view_cstr(report->path));
	append_text(out, "outcome", iq_view_cstr(outcome_name(report->outcome)));
	append_text(out, "format", report->format ? iq_view_cstr(report->format) : IQ_VIEW_NULL);
	if (report->sure > 0)
		append_number(out, "sure", (uint64_t)report->sure);
	if (report->problems > 0) {
		append_number(out, "problems", report->problems);
		append_text(out, "problem", iq_view_cstr(report->problem));
	}
	if (is_in_store(report->outcome))
		append_numbers(out, report);
	json->rows[json->count++] =
		(struct cli_ingest_json_row){ .end = out->len,
					      .evidence = is_in_store(report->outcome) ? report->evidence.no : 0 };
	return out->failed ? IQ_ERR_NOMEM : 0;
}

/* ---- Gaps ---- */

static void append_gap(struct iq_buf *out, const struct iq_gap *gap)
{
	(void)iq_buf_appendf(out, "{\"offset\":%" PRIu64, gap->offset);
	append_number(out, "bytes", gap->bytes);
	append_text(out, "reason", gap->reason);
	if (gap->count != IQ_NUMBER_NONE)
		(void)iq_buf_appendf(out, ",\"count\":%" PRId64, gap->count);
	append_text(out, "source", gap->source);
	append_time(out, "from", gap->ts_min);
	append_time(out, "to", gap->ts_max);
	(void)iq_buf_append_char(out, '}');
}

/* The first of the evidence's: the store has them in the order of evidence. */
static size_t first_gap(const struct iq_gap *gaps, size_t count, uint32_t evidence)
{
	size_t low = 0, high = count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (gaps[middle].evidence < evidence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void append_gaps(struct iq_buf *out, const struct iq_gap *gaps, size_t count, uint32_t evidence)
{
	const size_t first = first_gap(gaps, count, evidence);

	(void)iq_buf_append_cstr(out, ",\"gaps\":[");
	for (size_t i = first; i < count && gaps[i].evidence == evidence && i - first < CLI_INGEST_JSON_GAPS; i++) {
		if (i > first)
			(void)iq_buf_append_char(out, ',');
		append_gap(out, &gaps[i]);
	}
	(void)iq_buf_append_char(out, ']');
}

/* ---- All of it ---- */

static void append_rows(const struct cli_ingest_json *json, const struct iq_gap *gaps, size_t gap_count,
			struct iq_buf *out)
{
	size_t at = 0;

	for (size_t i = 0; i < json->count; i++) {
		(void)iq_buf_append_cstr(out, i > 0 ? ",\n" : "\n");
		(void)iq_buf_append(out, iq_view_make(json->text.data + at, json->rows[i].end - at));
		if (json->rows[i].evidence)
			append_gaps(out, gaps, gap_count, json->rows[i].evidence);
		(void)iq_buf_append_char(out, '}');
		at = json->rows[i].end;
	}
}

static void append_head(const char *path, const struct iq_ingest_result *result, const struct iq_parser_notes *notes,
			struct iq_buf *out)
{
	(void)iq_buf_append_cstr(out, "{\"store\":");
	(void)iq_json_append_string(out, iq_view_cstr(path));
	append_number(out, "taken", result->taken);
	append_number(out, "known", result->known);
	append_number(out, "empty", result->empty);
	append_number(out, "partly", result->partly);
	append_number(out, "refused", result->refused);
	append_number(out, "bytes", result->bytes);
	append_number(out, "events", result->events);
	append_number(out, "duplicates", notes->duplicates);
	append_number(out, "without_zone", notes->without_zone);
	append_number(out, "without_year", notes->without_year);
	(void)iq_buf_append_cstr(out, ",\"evidence\":[");
}

int cli_ingest_json_append(const struct cli_ingest_json *json, const char *path, const struct iq_ingest_result *result,
			   const struct iq_parser_notes *notes, struct iq_buf *out, struct iq_error *error)
{
	const struct iq_gap *gaps = NULL;
	struct iq_store *store = NULL;
	size_t gap_count = 0;
	int rc = result->taken > 0 ? iq_store_open(path, &store, error) : 0;

	if (rc < 0)
		return rc;
	if (store)
		gaps = iq_store_gaps(store, &gap_count);
	append_head(path, result, notes, out);
	append_rows(json, gaps, gap_count, out);
	(void)iq_buf_append_cstr(out, "\n]}\n");
	iq_store_close(store);
	return out->failed ? iq_error_nomem(error) : 0;
}

void cli_ingest_json_release(struct cli_ingest_json *json)
{
	iq_buf_release(&json->text);
	free(json->rows);
}
