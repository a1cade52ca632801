/* cli/redaction.h - the redactor of a command line, and the key that it works with.
 *
 * The key is the owner's, not the store's: a file of 64 hexadecimal digits, made at its first use with mode 0600, outside of every store.
 */
#ifndef IQ_CLI_REDACTION_H
#define IQ_CLI_REDACTION_H

#include "cli/cli.h"
#include "event/event.h"

/* What --redact and --redact-key ask for; NULL without --redact. Caller owns; release with iq_redactor_free(). False where it cannot
 * be: the status is set. */
bool cli_redactor(struct cli *cli, const char *store, struct iq_redactor **ret_redactor);

/* Where the owner's keys lie: inquest in $XDG_CONFIG_HOME, else in ~/.config; made if it is not there. Caller owns; release with free(). NULL
 * where there is no such place. */
char *cli_config_directory(void);

#endif
