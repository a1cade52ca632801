/* cli/collect.h - the scripts that collect evidence where inquest is not (collect/), built into the program.
 */
#ifndef IQ_CLI_COLLECT_H
#define IQ_CLI_COLLECT_H

#include <stddef.h>

struct cli_script {
	const char *name;
	const char *const *lines; /* with their line ends; ended by NULL */
};

/* Ended by a NULL name. Static. */
extern const struct cli_script cli_scripts[];

#endif
