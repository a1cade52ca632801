#include <inttypes.h>
#include <stdlib.h>

#include "cli/case.h"
#include "store/store.h"

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

static void verify(struct cli *cli, const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result result;
	struct iq_buf line = IQ_BUF_INIT;

	if (iq_store_verify(path, print_damage, cli, &result, &error) < 0) {
		(void)cli_set_error(cli, &error);
		return;
	}
	(void)iq_buf_appendf(&line,
			     "%s: %s, %" PRIu64 " segments, %" PRIu64 " chunks, %" PRIu64 " events, %" PRIu64
			     " evidence, %" PRIu64 " raw bytes\n",
			     path, result.damages ? "DAMAGED" : "intact", result.segments, result.chunks, result.events,
			     result.evidence, result.raw_bytes);
	cli_write(cli, iq_buf_view(&line));
	iq_buf_release(&line);
	if (result.damages)
		(void)cli_set_status(cli, CLI_INCOMPLETE, "%s: damaged in %" PRIu64 " places", path, result.damages);
}

static void list(struct cli *cli, struct iq_store *store)
{
	static const char *const titles[] = { ">no", "path", "format", ">bytes", ">records", ">gaps", "sha256", NULL };
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
		cli_table_addf(&table, "%.16s", hash);
	}
	cli_table_print(cli, &table);
	cli_table_release(&table);
}

/* verify opens the store itself: it must also look at one that does not open. */
static int run_verify(struct cli *cli)
{
	const char *variable = getenv("INQUEST_STORE");

	if (cli->operand_count > 2)
		return cli_set_status(cli, CLI_USAGE, "%.200s: only one store can be looked at", cli->operands[2]);
	verify(cli, cli->operand_count == 2 ? cli->operands[1] : variable && *variable ? variable : "case");
	return (int)cli->status;
}

int cli_run_store(struct cli *cli)
{
	struct cli inner = *cli;
	struct cli_case opened;
	size_t used;

	if (strcmp(cli->operands[0], "verify") == 0)
		return run_verify(cli);
	if (strcmp(cli->operands[0], "ls") != 0)
		return cli_set_status(cli, CLI_USAGE, "store %.40s: there are verify and ls", cli->operands[0]);
	inner.operands++;
	inner.operand_count--;
	if (cli_case_open(&inner, true, &opened, &used)) {
		list(&inner, opened.store);
		cli_case_close(&opened);
	}
	if (inner.status != CLI_OK)
		(void)cli_set_status(cli, inner.status, "%s", inner.reason);
	return (int)cli->status;
}
