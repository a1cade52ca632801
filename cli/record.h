/* cli/record.h - recording a Docker Engine, for `record` and for `ingest docker://`.
 */
#ifndef IQ_CLI_RECORD_H
#define IQ_CLI_RECORD_H

#include "cli/cli.h"

/* Records into the store; `address` as DOCKER_HOST, NULL: that of the environment. Where nothing is followed it ends with what the
 * Engine has now. What went wrong is the status. */
void cli_record_docker(struct cli *cli, const char *store, const char *address, bool follow);

#endif
