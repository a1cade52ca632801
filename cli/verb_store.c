#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/case.h"
#include "cli/progress.h"
#include "store/store.h"

/* The store to look at or to change, which has to be one: nothing is made on the spot. */
static const char *store_path(const struct cli *cli)
{
	const char *variable = getenv("INQUEST_STORE");

	if (cli->operand_count == 2)
		return cli->operands[1];
	return variable && *variable ? variable : "case";
}

/* ---- verify ---- */

static int print_damage(void *context, const struct iq_damage *damage)
{
	struct iq_buf line = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&line, "DAMAGED  ");
	(void)iq_utf8_append_safe(&line, iq_view_cstr(damage->segment));
	(void)iq_buf_append_cstr(&line, ": ");
	(void)iq_utf8_append_safe(&line, iq_view_cstr(damage->message));
	(void)iq_buf_append_char(&line, '\n');
	cli_write(context, iq_buf_view(&line));
	iq_buf_release(&line);
	return 0;
}

static void print_change(void *context, const char *text)
{
	struct iq_buf line = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&line, "CHANGED  ");
	(void)iq_utf8_append_safe(&line, iq_view_cstr(text));
	(void)iq_buf_append_char(&line, '\n');
	cli_write(context, iq_buf_view(&line));
	iq_buf_release(&line);
}

static void print_proof(struct cli *cli, const struct iq_proof *proof)
{
	struct iq_buf line = IQ_BUF_INIT;

	if (proof->reason) {
		(void)iq_buf_appendf(&line, "NOT PROVED  %s\n", proof->reason);
		(void)cli_set_status(cli, CLI_INCOMPLETE, "the signature proves nothing: %s", proof->reason);
	} else {
		(void)iq_buf_appendf(&line,
				     "signed: the head after %" PRIu64 " of %" PRIu64 " lines; it covers %" PRIu64
				     " segments, %" PRIu64 " came later, %" PRIu64 " are gone\n",
				     proof->signed_lines, proof->now, proof->covered, proof->unsigned_segments,
				     proof->gone);
	}
	cli_write(cli, iq_buf_view(&line));
	iq_buf_release(&line);
}

static void prove(struct cli *cli, const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_proof proof;

	if (iq_store_prove(path, cli_get(cli, CLI_OPTION_KEY), cli_get(cli, CLI_OPTION_CHECKPOINT), print_change, cli,
			   &proof, &error) < 0)
		(void)cli_set_error(cli, &error);
	else
		print_proof(cli, &proof);
}

static void verify(struct cli *cli)
{
	const char *path = store_path(cli);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result result;
	struct iq_buf line = IQ_BUF_INIT;

	if (iq_store_verify(path, print_damage, cli, &result, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	(void)iq_buf_appendf(&line,
			     "%s: %s, %" PRIu64 " segments, %" PRIu64 " chunks, %" PRIu64 " events, %" PRIu64
			     " evidence, %" PRIu64 " raw bytes",
			     path, result.damages ? "DAMAGED" : "intact", result.segments, result.chunks, result.events,
			     result.evidence, result.raw_bytes);
	if (result.damages > 0)
		(void)iq_buf_appendf(&line, "; %" PRIu64 " events can be read", result.events - result.lost_events);
	if (result.dropped > 0)
		(void)iq_buf_appendf(&line, ", %" PRIu64 " dropped", result.dropped);
	if (result.redacted > 0)
		(void)iq_buf_appendf(&line, ", %" PRIu64 " redacted and not kept", result.redacted);
	if (result.spools)
		(void)iq_buf_appendf(&line, "; not sealed yet: %" PRIu64 " spools, %" PRIu64 " records", result.spools,
				     result.spool_records);
	(void)iq_buf_append_char(&line, '\n');
	cli_write(cli, iq_buf_view(&line));
	iq_buf_release(&line);
	if (cli_has(cli, CLI_OPTION_KEY))
		prove(cli, path);
	if (result.damages)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%s: damaged in %" PRIu64 " place%s", path, result.damages,
				     result.damages == 1 ? "" : "s");
}

/* ---- ls ---- */

/* `proxy, api and 3 more` */
static struct iq_view list_sources(const struct iq_segment_info *info, struct iq_buf *text)
{
	const size_t shown = info->source_count <= 3 ? info->source_count : 2;

	iq_buf_clear(text);
	for (size_t i = 0; i < shown; i++) {
		(void)iq_buf_append_cstr(text, i ? ", " : "");
		(void)iq_buf_append(text, iq_utf8_cut(info->sources[i].name, 40));
	}
	if (shown < info->source_count)
		(void)iq_buf_appendf(text, " and %zu more", info->source_count - shown);
	return iq_buf_view(text);
}

static void list_segments(struct cli *cli, const struct iq_store *store)
{
	static const char *const titles[] = { "segment", ">first", ">last",  ">events", "from", "to",
					      ">raw",	 ">bytes", ">ratio", "sources", NULL };
	struct iq_buf sources = IQ_BUF_INIT;
	struct cli_table table;

	cli_table_init(&table, titles);
	for (size_t i = 0; i < iq_store_segments(store); i++) {
		struct iq_segment_info info;

		iq_store_segment_info(store, i, &info);
		cli_table_add(&table, iq_view_cstr(info.file));
		cli_table_addf(&table, "%" PRIu64, info.id_first);
		cli_table_addf(&table, "%" PRIu64, info.id_last);
		cli_table_addf(&table, "%" PRIu64, info.events);
		cli_table_add_second(&table, info.ts_min);
		cli_table_add_second(&table, info.ts_max);
		cli_table_addf(&table, "%" PRIu64, info.raw);
		cli_table_addf(&table, "%" PRIu64, info.bytes);
		cli_table_addf(&table, "%.1f", info.bytes ? (double)info.raw / (double)info.bytes : 0.0);
		cli_table_add(&table, list_sources(&info, &sources));
	}
	cli_table_print(cli, &table);
	cli_table_release(&table);
	iq_buf_release(&sources);
}

static void list_evidence(struct cli *cli, const struct iq_store *store)
{
	static const char *const titles[] = { ">no",   "path",	   "format", ">bytes", ">records",
					      ">gaps", ">dropped", "sha256", NULL };
	struct cli_table table;
	size_t count;
	const struct iq_evidence *evidence = iq_store_evidence(store, &count);

	cli_table_init(&table, titles);
	for (size_t i = 0; i < count; i++) {
		char hash[IQ_SHA256_HEX_SIZE];

		iq_hex(evidence[i].sha256, IQ_SHA256_SIZE, hash);
		cli_table_addf(&table, "%" PRIu32, evidence[i].no);
		cli_table_add(&table, evidence[i].path);
		cli_table_add(&table, evidence[i].format);
		cli_table_addf(&table, "%" PRIu64, evidence[i].bytes);
		cli_table_addf(&table, "%" PRIu64, evidence[i].records);
		cli_table_addf(&table, "%" PRIu64, evidence[i].gaps);
		cli_table_addf(&table, "%" PRIu64, evidence[i].dropped);
		cli_table_addf(&table, "%.16s", hash);
	}
	cli_table_print(cli, &table);
	cli_table_release(&table);
}

static void list(struct cli *cli)
{
	struct cli inner = *cli;
	struct cli_case opened;
	size_t used;

	inner.operands++;
	inner.operand_count--;
	if (cli_case_open(&inner, true, &opened, &used)) {
		list_segments(&inner, opened.store);
		cli_write(&inner, IQ_LIT("\n"));
		list_evidence(&inner, opened.store);
		cli_case_close(&opened);
	}
	if (inner.status != CLI_OK)
		(void)cli_set_status(cli, inner.status, "%s", inner.reason);
}

/* ---- compact ---- */

static int show_progress(void *context, uint64_t done, uint64_t total)
{
	cli_progress_show(context, IQ_LIT(""), done, total);
	return cli_stop;
}

static bool read_level(struct cli *cli, int *ret_level)
{
	const char *text = cli_get(cli, CLI_OPTION_LEVEL);
	int64_t level = IQ_COMPACT_LEVEL;

	if (text && (!iq_view_to_int64(iq_view_cstr(text), &level) || level < 1 || level > 22)) {
		(void)cli_set_status(cli, CLI_USAGE, "--level takes a number from 1 to 22, not `%.40s`", text);
		return false;
	}
	*ret_level = (int)level;
	return true;
}

static void compact(struct cli *cli)
{
	const char *path = store_path(cli);
	struct cli_progress progress;
	struct iq_compact_options options = { .progress = show_progress, .context = &progress };
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_compact_result result;
	int rc;

	if (!read_level(cli, &options.level))
		return;
	cli_catch_signals();
	cli_progress_begin(&progress, CLI_EVENTS);
	rc = iq_store_compact(path, &options, &result, &error);
	cli_progress_clear(&progress);
	if (rc < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	(void)printf("%" PRIu64 " segments, %" PRIu64 " bytes -> %" PRIu64 " segments, %" PRIu64 " bytes in %s\n",
		     result.segments_before, result.bytes_before, result.segments_after, result.bytes_after, path);
}

/* ---- drop ---- */

static void drop(struct cli *cli)
{
	const char *path = store_path(cli), *text = cli_get(cli, CLI_OPTION_BEFORE);
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_drop_result result;
	int64_t before;

	if (!text || !iq_time_parse(iq_view_cstr(text), &before)) {
		(void)cli_set_status(cli, CLI_USAGE,
				     text ? "--before: `%.40s` is not a time: write 2026-11-24T03:00:00Z"
					  : "store drop: say what may go: --before TIME%.0s",
				     text ? text : "");
		return;
	}
	if (iq_store_drop(path, before, &result, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	(void)printf("%" PRIu64 " segments dropped, %" PRIu64 " events, %" PRIu64 " bytes of evidence in %s\n",
		     result.segments, result.events, result.raw, path);
	if (result.straddling > 0)
		(void)printf("%" PRIu64
			     " segments stay that hold older events beside newer ones: a segment goes as a whole\n",
			     result.straddling);
}

/* ---- sign ---- */

static void sign(struct cli *cli)
{
	const char *path = store_path(cli), *key = cli_get(cli, CLI_OPTION_KEY);
	struct iq_error error = IQ_ERROR_INIT;
	char root[IQ_SHA256_HEX_SIZE];
	struct iq_head head;

	if (!key) {
		(void)cli_set_status(cli, CLI_USAGE,
				     "store sign: with which key? --key FILE; `openssl genpkey "
				     "-algorithm ed25519 -out FILE` makes one");
		return;
	}
	if (iq_store_sign(path, key, cli_get(cli, CLI_OPTION_CHECKPOINT), &head, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	iq_hex(head.root, IQ_SHA256_SIZE, root);
	(void)printf("signed: the head after %" PRIu64 " lines, %s\n", head.lines, root);
}

/* ---- The verb ---- */

#define OPTION(name) (UINT64_C(1) << CLI_OPTION_##name)

static const struct {
	const char *name;
	void (*run)(struct cli *cli);
	uint64_t options; /* that it takes, besides --help */
} actions[] = {
	{ "ls", list, 0 },
	{ "verify", verify, OPTION(KEY) | OPTION(CHECKPOINT) },
	{ "sign", sign, OPTION(KEY) | OPTION(CHECKPOINT) },
	{ "compact", compact, OPTION(LEVEL) },
	{ "drop", drop, OPTION(BEFORE) },
};

static bool takes_options(struct cli *cli, const char *action, uint64_t options)
{
	for (size_t i = 0; i < cli->value_count; i++) {
		if (options >> cli->values[i].id & 1)
			continue;
		(void)cli_set_status(cli, CLI_USAGE, "store %s takes no --%s", action,
				     cli_option_name(cli->values[i].id));
		return false;
	}
	return true;
}

int cli_run_store(struct cli *cli)
{
	if (cli->operand_count > 2)
		return cli_set_status(cli, CLI_USAGE, "%.200s: only one store can be looked at", cli->operands[2]);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(cli->operands[0], actions[i].name) != 0)
			continue;
		if (takes_options(cli, actions[i].name, actions[i].options))
			actions[i].run(cli);
		return (int)cli->status;
	}
	return cli_set_status(cli, CLI_USAGE, "store %.40s: there are ls, verify, sign, compact and drop",
			      cli->operands[0]);
}
