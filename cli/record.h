/* cli/record.h - what records: a Docker Engine, for `record` and for `ingest docker://`, and a tap.
 */
#ifndef IQ_CLI_RECORD_H
#define IQ_CLI_RECORD_H

#include "cli/cli.h"

/* Records into the store; `address` as DOCKER_HOST, NULL: that of the environment. Where nothing is followed it ends with what the
 * Engine has now. What went wrong is the status. */
void cli_record_docker(struct cli *cli, const char *store, const char *address, bool follow);

/* Records what goes through a tap (record/record.h) until it is stopped. What went wrong is the status. */
void cli_record_ws(struct cli *cli);

/* Makes certificates for it, and says where they are. */
void cli_record_ca(struct cli *cli);

/* What a recorder has to say, in one line on stderr. */
void cli_record_tell(void *context, const char *line);

/* --covers FROM..TO: whether it is there, and what it says. False where it is no such thing: the status is set. */
bool cli_covers(struct cli *cli, bool *ret_given, int64_t *ret_from, int64_t *ret_to);

#endif
