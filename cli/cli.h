/* cli/cli.h - the command line: one table of verbs and options, from which parsing, help, man page and completions
 * come.
 */
#ifndef IQ_CLI_CLI_H
#define IQ_CLI_CLI_H

#include "base/base.h"

/* Exit statuses. Where several hold: USAGE, then VIOLATED, FAILED, INCOMPLETE, OK. */
enum cli_status {
	CLI_OK = 0,
	CLI_VIOLATED = 1,   /* a rule is violated, or a replay went otherwise than the recording */
	CLI_USAGE = 2,	    /* wrong usage, or a bad spec */
	CLI_INCOMPLETE = 3, /* undetermined, or something was not taken in */
	CLI_FAILED = 4	    /* could not run */
};

enum cli_option_id {
	CLI_OPTION_ALL,
	CLI_OPTION_ALLOW_HOST,
	CLI_OPTION_ALLOW_ORIGIN,
	CLI_OPTION_BEFORE,
	CLI_OPTION_BUDGET,
	CLI_OPTION_CA,
	CLI_OPTION_CERT,
	CLI_OPTION_CHECKPOINT,
	CLI_OPTION_COMPARE,
	CLI_OPTION_COMPLETION,
	CLI_OPTION_CONCURRENCY,
	CLI_OPTION_CONTAINER,
	CLI_OPTION_CONTEXT,
	CLI_OPTION_COVERS,
	CLI_OPTION_DIALECT,
	CLI_OPTION_DRY_RUN,
	CLI_OPTION_EVIDENCE,
	CLI_OPTION_EXEC,
	CLI_OPTION_EXPLAIN_SPEC,
	CLI_OPTION_EXTENSION_PATH,
	CLI_OPTION_EXTRACT,
	CLI_OPTION_FAIL_ON,
	CLI_OPTION_FORMAT,
	CLI_OPTION_FRESH,
	CLI_OPTION_GITHUB,
	CLI_OPTION_GOOD,
	CLI_OPTION_HELP,
	CLI_OPTION_IGNORE,
	CLI_OPTION_INSECURE,
	CLI_OPTION_INSTANCE,
	CLI_OPTION_JSON,
	CLI_OPTION_JUNIT,
	CLI_OPTION_KEEP_HOST,
	CLI_OPTION_KEY,
	CLI_OPTION_LEVEL,
	CLI_OPTION_LIMIT,
	CLI_OPTION_LIST_PRESETS,
	CLI_OPTION_LISTEN,
	CLI_OPTION_MAN,
	CLI_OPTION_MAP,
	CLI_OPTION_MAX_LINE,
	CLI_OPTION_MAX_SLOWDOWN,
	CLI_OPTION_MINIMIZE,
	CLI_OPTION_NAME,
	CLI_OPTION_NOISE,
	CLI_OPTION_OUTPUT,
	CLI_OPTION_PACE,
	CLI_OPTION_PLAN,
	CLI_OPTION_PRINT,
	CLI_OPTION_PROJECT,
	CLI_OPTION_RAMP,
	CLI_OPTION_RAW,
	CLI_OPTION_REDACT,
	CLI_OPTION_REDACT_KEY,
	CLI_OPTION_REPEAT,
	CLI_OPTION_REST,
	CLI_OPTION_ROTATE,
	CLI_OPTION_RUN,
	CLI_OPTION_SESSION,
	CLI_OPTION_SET,
	CLI_OPTION_SINCE,
	CLI_OPTION_SKEW,
	CLI_OPTION_SOURCE,
	CLI_OPTION_SPEC,
	CLI_OPTION_STATE,
	CLI_OPTION_STORE,
	CLI_OPTION_TAP,
	CLI_OPTION_TARGET,
	CLI_OPTION_TIMEOUT,
	CLI_OPTION_TOLERANCE,
	CLI_OPTION_UPDATE,
	CLI_OPTION_UPSTREAM,
	CLI_OPTION_UTC,
	CLI_OPTION_VIOLATED,
	CLI_OPTION_WAIT,
	CLI_OPTION_ZONE,
	CLI_OPTION_COUNT,
	CLI_OPTION_END = CLI_OPTION_COUNT
};

/* One option as one verb takes it. */
struct cli_option {
	enum cli_option_id id;
	const char
		*argument; /* `DIR`; NULL for a flag; `[WORD,...]`: may be left out, then it is empty; taken behind `=`,
				 or where the next word is nothing but choices with commas between */
	const char *help;
	const char *choices; /* words divided by |, checked while parsing; NULL for anything */
	bool repeats;
};

struct cli;

struct cli_verb {
	const char *name;
	const char *operands; /* `[CASE] [SESSION]` */
	const char *summary;  /* one line */
	const char *description;
	const char *examples;		  /* a line each, comment after # */
	const struct cli_option *options; /* ended by CLI_OPTION_END */
	unsigned least_operands;
	unsigned most_operands;
	const char *missing; /* what to say when there are too few */
	int (*run)(struct cli *cli);
};

/* One given option. */
struct cli_value {
	enum cli_option_id id;
	const char *value; /* "" for a flag */
};

/* One run of the program. */
struct cli {
	const struct cli_verb *verb;
	struct cli_value *values;
	size_t value_count;
	const char **operands;
	size_t operand_count;
	enum cli_status status;
	char reason[600]; /* for the last line on stderr */
};

/* The verbs, ended by a NULL name. Static. */
extern const struct cli_verb cli_verbs[];
const struct cli_verb *cli_find_verb(const char *name);
/* `--format` without its dashes, and the letter of `-h` or '\0'. Static. */
const char *cli_option_name(enum cli_option_id id);
char cli_option_letter(enum cli_option_id id);

/* Parses the words after the verb. False where they are wrong: the status and reason are set. */
bool cli_parse(struct cli *cli, int count, char **words);
/* The last value given, or NULL. Borrowed until the program ends. */
const char *cli_get(const struct cli *cli, enum cli_option_id id);
bool cli_has(const struct cli *cli, enum cli_option_id id);
/* The store to fill: --store, else $INQUEST_STORE, else `case`. Borrowed until the program ends. */
const char *cli_store(const struct cli *cli);
/* A duration (`30s`); `fallback` where it was not given. False where it is none: the status is set. */
bool cli_get_duration(struct cli *cli, enum cli_option_id id, int64_t fallback, int64_t *ret_ns);

/* Notes how the program will end; the graver status stays. Returns the noted status. */
int cli_set_status(struct cli *cli, enum cli_status status, const char *format, ...) IQ_PRINTF(3, 4);
/* From a library error. */
int cli_set_error(struct cli *cli, const struct iq_error *error);

/* Help texts on stdout. */
void cli_print_overview(void);
void cli_print_help(const struct cli_verb *verb);
void cli_print_man(void);
bool cli_print_completion(const char *shell);

/* ---- Output ---- */

/* Writes to stdout; a failure sets the status. */
void cli_write(struct cli *cli, struct iq_view text);
/* Writes a whole file, or stdout for `-`. False on failure: the status is set. */
bool cli_write_file(struct cli *cli, const char *path, struct iq_view text);
/* One line of diagnosis on stderr. */
void cli_warn(const char *format, ...) IQ_PRINTF(1, 2);
/* Colour and width of stdout. */
bool cli_colour(void);
size_t cli_width(void);
/* Set by SIGINT and SIGTERM after cli_catch_signals(). A second signal ends the program at once. */
extern volatile int cli_stop;
/* Lets the program have as many files and connections open as the system allows. */
void cli_raise_files(void);
void cli_catch_signals(void);
/* Set by SIGHUP after cli_catch_hangup(). */
extern volatile int cli_hangup;
void cli_catch_hangup(void);

/* Aligned columns. Cells are made safe for a terminal as they are added. */
struct cli_table {
	struct iq_arena memory;
	const char *const *titles; /* ended by NULL; a leading > means right-aligned */
	size_t columns;
	struct iq_view *cells;
	size_t count;
	size_t capacity;
	bool failed;
};
void cli_table_init(struct cli_table *table, const char *const *titles);
void cli_table_add(struct cli_table *table, struct iq_view cell);
void cli_table_addf(struct cli_table *table, const char *format, ...) IQ_PRINTF(2, 3);
/* A time to the second, `2026-11-24T03:27:59Z`, or `-` for none. */
void cli_table_add_second(struct cli_table *table, int64_t ns);
void cli_table_print(struct cli *cli, struct cli_table *table);
void cli_table_release(struct cli_table *table);

/* The verbs. Each returns its exit status. */
int cli_run_check(struct cli *cli);
int cli_run_collect(struct cli *cli);
int cli_run_diff(struct cli *cli);
int cli_run_export(struct cli *cli);
int cli_run_help(struct cli *cli);
int cli_run_ingest(struct cli *cli);
int cli_run_learn(struct cli *cli);
int cli_run_mock(struct cli *cli);
int cli_run_record(struct cli *cli);
int cli_run_replay(struct cli *cli);
int cli_run_sessions(struct cli *cli);
int cli_run_show(struct cli *cli);
int cli_run_sources(struct cli *cli);
int cli_run_sql(struct cli *cli);
int cli_run_store(struct cli *cli);

#endif
