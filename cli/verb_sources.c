#include <inttypes.h>
#include <stdlib.h>

#include "cli/case.h"

/* One source, as it is listed. */
struct row {
	const struct iq_source *source;
	int64_t from; /* what it covers */
	int64_t to;
	int64_t missing; /* of that, ns in gaps of known length */
	uint64_t gaps;
};

/* ---- Coverage ---- */

static void widen(struct row *row, int64_t from, int64_t to)
{
	if (from != IQ_TIME_NONE && (row->from == IQ_TIME_NONE || from < row->from))
		row->from = from;
	if (to > row->to)
		row->to = to;
}

/* What was said of an evidence holds for the sources whose records are in it. */
static int widen_by_evidence(struct iq_store *store, const struct iq_evidence *evidence, struct row *rows, size_t count,
			     struct iq_error *error)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_cursor *cursor = NULL;
	struct iq_event event;
	int rc;

	if (evidence->covers_from == IQ_TIME_NONE || evidence->first_event == 0)
		return 0;
	filter.id_min = evidence->first_event;
	filter.id_max = evidence->last_event;
	filter.columns = 1u << IQ_COLUMN_SOURCE | 1u << IQ_COLUMN_EVIDENCE;
	rc = iq_cursor_open(store, &filter, &cursor, error);
	while (rc == 0 && (rc = iq_cursor_next(cursor, &event, error)) > 0) {
		rc = 0;
		for (size_t i = 0; i < count && event.evidence == evidence->no; i++)
			if (iq_view_eq(rows[i].source->name, event.source))
				widen(&rows[i], evidence->covers_from, evidence->covers_to);
	}
	iq_cursor_close(cursor);
	return rc;
}

static int compare_gaps(const void *a, const void *b)
{
	const struct iq_gap *x = *(const struct iq_gap *const *)a, *y = *(const struct iq_gap *const *)b;

	return (x->ts_min > y->ts_min) - (x->ts_min < y->ts_min);
}

/* Gaps that name another source, or lie in evidence of none of its sources, are not its own; those of no known length count only. */
static void add_gaps(struct row *row, const struct iq_gap *const *gaps, size_t count)
{
	int64_t reached = INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		const struct iq_gap *gap = gaps[i];
		const int64_t from = gap->ts_min > reached ? gap->ts_min : reached;

		if (!gap->source.data || !iq_view_eq(gap->source, row->source->name))
			continue;
		row->gaps++;
		if (gap->ts_min == IQ_TIME_NONE || gap->ts_max == IQ_TIME_NONE || gap->ts_max <= from)
			continue;
		row->missing += gap->ts_max - from;
		reached = gap->ts_max;
	}
}

static int add_all_gaps(const struct iq_store *store, struct row *rows, size_t count)
{
	size_t gap_count;
	const struct iq_gap *gaps = iq_store_gaps(store, &gap_count);
	const struct iq_gap **sorted = calloc(gap_count + 1, sizeof(const struct iq_gap *));

	if (!sorted)
		return IQ_ERR_NOMEM;
	for (size_t i = 0; i < gap_count; i++)
		sorted[i] = &gaps[i];
	qsort(sorted, gap_count, sizeof(const struct iq_gap *), compare_gaps);
	for (size_t i = 0; i < count; i++)
		add_gaps(&rows[i], sorted, gap_count);
	free(sorted);
	return 0;
}

static int cover(struct iq_store *store, struct row *rows, size_t count, struct iq_error *error)
{
	size_t evidence_count;
	const struct iq_evidence *evidence = iq_store_evidence(store, &evidence_count);
	int rc = add_all_gaps(store, rows, count) < 0 ? iq_error_nomem(error) : 0;

	for (size_t i = 0; i < evidence_count && rc == 0; i++)
		rc = widen_by_evidence(store, &evidence[i], rows, count, error);
	return rc;
}

/* ---- Clocks ---- */

static double ms(int64_t ns)
{
	return (double)ns / (double)IQ_NS_PER_MS;
}

static const char *source_name(const struct row *rows, size_t count, uint32_t no, struct iq_buf *safe)
{
	iq_buf_clear(safe);
	for (size_t i = 0; i < count; i++)
		if (rows[i].source->no == no)
			(void)iq_utf8_append_safe(safe, iq_utf8_cut(rows[i].source->name, 60));
	return safe->data ? safe->data : "";
}

/* The middle of the interval, in whole milliseconds where it is wide, or its end that is nearest to no shift at all; 0 where the clocks
 * may agree. */
static int64_t likely_shift(const struct iq_clock_pair *pair)
{
	int64_t middle;

	if (pair->least == IQ_TIME_NONE)
		return pair->most < 0 ? pair->most : 0;
	if (pair->most == IQ_TIME_NONE)
		return pair->least > 0 ? pair->least : 0;
	if (pair->least <= 0 && pair->most >= 0)
		return 0;
	middle = pair->least + (pair->most - pair->least) / 2;
	return pair->most - pair->least < 4 * IQ_NS_PER_MS ? middle : middle / IQ_NS_PER_MS * IQ_NS_PER_MS;
}

static void append_bounds(struct iq_buf *out, const struct iq_clock_pair *pair)
{
	if (!pair->fits)
		(void)iq_buf_appendf(out, "no one shift fits: at least %+.9gms, at most %+.9gms", ms(pair->least),
				     ms(pair->most));
	else if (pair->least == IQ_TIME_NONE)
		(void)iq_buf_appendf(out, "at most %+.9gms", ms(pair->most));
	else if (pair->most == IQ_TIME_NONE)
		(void)iq_buf_appendf(out, "at least %+.9gms", ms(pair->least));
	else
		(void)iq_buf_appendf(out, "%+.9gms to %+.9gms", ms(pair->least), ms(pair->most));
}

static void print_clocks(struct cli *cli, const struct iq_clocks *clocks, const struct row *rows, size_t count)
{
	struct iq_buf out = IQ_BUF_INIT, name = IQ_BUF_INIT;

	if (clocks->count > 0)
		(void)iq_buf_append_cstr(&out,
					 "\nCLOCKS, by messages that were seen at both; nothing of it is applied\n");
	for (size_t i = 0; i < clocks->count; i++) {
		const struct iq_clock_pair *pair = &clocks->pairs[i];

		(void)iq_buf_appendf(&out, "  %s against ", source_name(rows, count, pair->source, &name));
		(void)iq_buf_appendf(&out, "%s: ", source_name(rows, count, pair->reference, &name));
		append_bounds(&out, pair);
		(void)iq_buf_appendf(&out, " (%" PRIu64 " message%s)", pair->matches, pair->matches == 1 ? "" : "s");
		if (pair->fits && likely_shift(pair) != 0)
			(void)iq_buf_appendf(&out, ": --skew %s=%+.9gms", source_name(rows, count, pair->source, &name),
					     ms(likely_shift(pair)));
		(void)iq_buf_append_char(&out, '\n');
	}
	if (clocks->limited)
		(void)iq_buf_appendf(&out, "  of the first %u messages only\n", IQ_CLOCKS_MAX_MESSAGES);
	cli_write(cli, iq_buf_view(&out));
	iq_buf_release(&out);
	iq_buf_release(&name);
}

/* ---- Output ---- */

static void print_rows(struct cli *cli, const struct row *rows, size_t count)
{
	static const char *const titles[] = { "source", ">events", "from", "to", ">gaps", ">missing", ">skew", NULL };
	struct cli_table table;
	char text[IQ_RFC3339_SIZE];

	cli_table_init(&table, titles);
	for (size_t i = 0; i < count; i++) {
		cli_table_add(&table, rows[i].source->name);
		cli_table_addf(&table, "%" PRIu64, rows[i].source->events);
		cli_table_add_second(&table, rows[i].from);
		cli_table_add_second(&table, rows[i].to);
		cli_table_addf(&table, "%" PRIu64, rows[i].gaps);
		cli_table_addf(&table, "%s", rows[i].missing ? iq_duration_format(rows[i].missing, text) : "-");
		if (rows[i].source->skew)
			cli_table_addf(&table, "%+.9gms", ms(rows[i].source->skew));
		else
			cli_table_addf(&table, "-");
	}
	cli_table_print(cli, &table);
	cli_table_release(&table);
}

static void append_instant(struct iq_buf *line, const char *key, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns != IQ_TIME_NONE)
		(void)iq_buf_appendf(line, ",\"%s\":\"%s\"", key, iq_time_format(ns, text));
}

static void append_clock(struct iq_buf *line, const struct iq_clock_pair *pair, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].source->no == pair->reference) {
			(void)iq_buf_append_cstr(line, "{\"against\":");
			(void)iq_json_append_string(line, rows[i].source->name);
		}
	if (pair->least != IQ_TIME_NONE)
		(void)iq_buf_appendf(line, ",\"least_ns\":%" PRId64, pair->least);
	if (pair->most != IQ_TIME_NONE)
		(void)iq_buf_appendf(line, ",\"most_ns\":%" PRId64, pair->most);
	(void)iq_buf_appendf(line, ",\"messages\":%" PRIu64 ",\"fits\":%s}", pair->matches,
			     pair->fits ? "true" : "false");
}

static void write_rows(struct cli *cli, const struct iq_clocks *clocks, const struct row *rows, size_t count)
{
	struct iq_buf line = IQ_BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		const char *before = "";

		iq_buf_clear(&line);
		(void)iq_buf_append_cstr(&line, "{\"source\":");
		(void)iq_json_append_string(&line, rows[i].source->name);
		(void)iq_buf_appendf(&line, ",\"events\":%" PRIu64, rows[i].source->events);
		append_instant(&line, "from", rows[i].from);
		append_instant(&line, "to", rows[i].to);
		(void)iq_buf_appendf(
			&line, ",\"gaps\":%" PRIu64 ",\"missing_ns\":%" PRId64 ",\"skew_ns\":%" PRId64 ",\"clocks\":[",
			rows[i].gaps, rows[i].missing, rows[i].source->skew);
		for (size_t j = 0; j < clocks->count; j++) {
			if (clocks->pairs[j].source != rows[i].source->no)
				continue;
			(void)iq_buf_append_cstr(&line, before);
			append_clock(&line, &clocks->pairs[j], rows, count);
			before = ",";
		}
		(void)iq_buf_append_cstr(&line, "]}\n");
		cli_write(cli, iq_buf_view(&line));
	}
	iq_buf_release(&line);
}

static void list(struct cli *cli, struct iq_store *store)
{
	const char *format = cli_get(cli, CLI_OPTION_FORMAT);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_clocks clocks = { 0 };
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);
	struct row *rows = calloc(count + 1, sizeof(*rows));
	int rc = rows ? 0 : iq_error_nomem(&error);

	for (size_t i = 0; i < count && rc == 0; i++)
		rows[i] = (struct row){ .source = &sources[i], .from = sources[i].first, .to = sources[i].last };
	if (rc == 0)
		rc = cover(store, rows, count, &error);
	if (rc == 0)
		rc = iq_clocks_compare(store, &clocks, &error);
	if (rc < 0) {
		(void)cli_set_error(cli, &error);
	} else if (format && strcmp(format, "ndjson") == 0) {
		write_rows(cli, &clocks, rows, count);
	} else {
		print_rows(cli, rows, count);
		print_clocks(cli, &clocks, rows, count);
	}
	iq_clocks_release(&clocks);
	free(rows);
}

int cli_run_sources(struct cli *cli)
{
	struct cli_case opened;
	size_t used;

	if (!cli_case_open(cli, true, &opened, &used))
		return (int)cli->status;
	list(cli, opened.store);
	cli_case_close(&opened);
	return (int)cli->status;
}
