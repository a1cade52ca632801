/* cli/case.h - the CASE operand: a store, a segment file, or plain evidence that is ingested on the spot.
 */
#ifndef IQ_CLI_CASE_H
#define IQ_CLI_CASE_H

#include "cli/cli.h"
#include "query/query.h"

struct cli_case {
	const char *name; /* as the user knows it */
	const char *path; /* of the store */
	char *temporary;  /* the store that was made on the spot, or NULL */
	struct iq_store *store;
};

/* Opens the case that the operands begin with (the default one where none of them is a path); *ret_used operands belong
 * to it. With `only_paths` every operand must. False on failure: the status is set. Caller owns; release with
 * cli_case_close(). */
bool cli_case_open(struct cli *cli, bool only_paths, struct cli_case *ret_case, size_t *ret_used);
/* The same without opening its segments: iq_store_open_lazily(). */
bool cli_case_open_lazily(struct cli *cli, bool only_paths, struct cli_case *ret_case, size_t *ret_used);
void cli_case_close(struct cli_case *opened);

/* The specs given with --spec, else the presets that fit. NULL on failure: the status is set. Caller owns; release with
 * iq_spec_free(). */
struct iq_spec *cli_load_specs(struct cli *cli, struct iq_store *store);
/* Specs and check in one; *ret_result only on true. Release with iq_check_result_release(). */
bool cli_check(struct cli *cli, struct iq_store *store, struct iq_check_result *ret_result);
/* `s41` or `41` -> 41; 0 for anything else. */
uint32_t cli_session_number(const char *text);
/* Prints the report and writes those that --json and --junit ask for. */
void cli_report(struct cli *cli, struct iq_store *store, const struct iq_check_result *result, const char *title);
/* Ingests into a store, naming on stderr what was not taken in; false where nothing could be done: the status is set.
 */
bool cli_ingest(struct cli *cli, const char *store, const char *const *paths, size_t count, bool quiet);

#endif
