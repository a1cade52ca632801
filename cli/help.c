/* Everything that teaches, from the table of verbs. */
#include <inquest/inquest.h>
#include <stdio.h>

#include "cli/cli.h"

static const char exit_statuses[] =
	"0 all ok; 1 a rule is violated, or a replay went otherwise; 2 wrong usage or a bad spec; 3 nothing "
	"violated, but something undetermined or not taken in; 4 could not run";

/* Fills lines of 100 columns. */
static void print_wrapped(const char *text, int indent)
{
	int column = 0;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + len > 100) {
			(void)printf("\n");
			column = 0;
		}
		if (column == 0)
			column += printf("%*s", indent, "");
		else
			column += printf(" ");
		column += printf("%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	(void)printf("\n");
}

void cli_print_overview(void)
{
	(void)printf("inquest %s - what happened, what should have happened, and does it still happen\n\n",
		     iq_version());
	(void)printf("usage: inquest VERB [OPERAND...] [OPTION...]\n\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		(void)printf("  %-10s %s\n", verb->name, verb->summary);
	(void)printf("\nFirst steps:\n"
		     "  inquest check evidence/            judge logs and recordings as they are, without an import\n"
		     "  inquest ingest evidence/           keep them in a store (./case)\n"
		     "  inquest sessions && inquest show   look at who broke, and where\n\n"
		     "`inquest help VERB` explains a verb. Exit status:\n");
	print_wrapped(exit_statuses, 2);
}

static void print_option(const struct cli_option *option)
{
	char letter = cli_option_letter(option->id);
	char head[64];

	(void)snprintf(head, sizeof(head), "%c%c%s--%s%s%s", letter ? '-' : ' ', letter ? letter : ' ',
		       letter ? ", " : "  ", cli_option_name(option->id), option->argument ? " " : "",
		       option->argument ? option->argument : "");
	(void)printf("  %s\n", head);
	print_wrapped(option->help, 10);
}

static void print_examples(const char *examples)
{
	while (*examples) {
		int len = (int)strcspn(examples, "\n");

		(void)printf("  %.*s\n", len, examples);
		examples += len + (examples[len] == '\n');
	}
}

void cli_print_help(const struct cli_verb *verb)
{
	(void)printf("usage: inquest %s %s\n\n%s\n", verb->name, verb->operands, verb->summary);
	if (verb->description[0]) {
		(void)printf("\n");
		print_wrapped(verb->description, 0);
	}
	(void)printf("\nOptions:\n");
	for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++)
		print_option(option);
	(void)printf("\nExamples:\n");
	print_examples(verb->examples);
	(void)printf("\nExit status:\n");
	print_wrapped(exit_statuses, 2);
}

/* ---- Man page ---- */

static void print_troff(const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)printf("\\&");
	for (; *text; text++) {
		if (*text == '\\')
			(void)printf("\\e");
		else if (*text == '-')
			(void)printf("\\-");
		else
			(void)putchar(*text);
	}
}

static void print_man_verb(const struct cli_verb *verb)
{
	(void)printf(".SS \"inquest %s ", verb->name);
	print_troff(verb->operands);
	(void)printf("\"\n");
	print_troff(verb->summary);
	(void)printf(".\n");
	if (verb->description[0]) {
		(void)printf(".PP\n");
		print_troff(verb->description);
		(void)printf("\n");
	}
	for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++) {
		char letter = cli_option_letter(option->id);

		(void)printf(".TP\n");
		if (letter)
			(void)printf("\\fB\\-%c\\fR, ", letter);
		(void)printf("\\fB\\-\\-");
		print_troff(cli_option_name(option->id));
		(void)printf("\\fR");
		if (option->argument) {
			(void)printf(" \\fI");
			print_troff(option->argument);
			(void)printf("\\fR");
		}
		(void)printf("\n");
		print_troff(option->help);
		(void)printf("\n");
	}
	(void)printf(".PP\nExamples:\n.PP\n.nf\n.RS\n");
	print_troff(verb->examples);
	(void)printf(".RE\n.fi\n");
}

void cli_print_man(void)
{
	(void)printf(".TH INQUEST 1 \"\" \"inquest %s\" \"User Commands\"\n", iq_version());
	(void)printf(".SH NAME\ninquest \\- event\\-log replay and incident analysis\n");
	(void)printf(".SH SYNOPSIS\n.B inquest\n.I VERB\n.RI [ OPERAND ...]\n.RI [ OPTION ...]\n");
	(void)printf(".SH DESCRIPTION\n");
	print_troff("Takes WebSocket recordings and container logs into sealed, compressed stores, finds missing and "
		    "out-of-order lifecycle "
		    "events, answers SQL, and drives recorded sessions against a server again. Every claim names the "
		    "events it rests on "
		    "and the bytes they came from; what was not recorded is said first.");
	(void)printf("\n.SH VERBS\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		print_man_verb(verb);
	(void)printf(".SH EXIT STATUS\n");
	print_troff(exit_statuses);
	(void)printf(".\nA status other than 0 is explained in the last line on standard error.\n");
	(void)printf(".SH ENVIRONMENT\n.TP\n.B INQUEST_STORE\nThe store that is used where no CASE is named.\n"
		     ".TP\n.B NO_COLOR\nNo colours, whatever the terminal can do.\n"
		     ".TP\n.B TMPDIR\nWhere temporary stores are made.\n");
}

/* ---- Completions ---- */

static void print_words(const struct cli_verb *verb)
{
	for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++)
		(void)printf(" --%s", cli_option_name(option->id));
}

static void print_choice_cases(void)
{
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++) {
			if (!option->choices)
				continue;
			(void)printf("    %s:--%s) COMPREPLY=($(compgen -W \"", verb->name,
				     cli_option_name(option->id));
			for (const char *c = option->choices; *c; c++)
				(void)putchar(*c == '|' ? ' ' : *c);
			(void)printf("\" -- \"$word\")); return ;;\n");
		}
	}
}

static void print_bash(void)
{
	(void)printf("# bash completion for inquest\n_inquest() {\n  local word=${COMP_WORDS[COMP_CWORD]} "
		     "verb=${COMP_WORDS[1]} words\n"
		     "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		(void)printf("%s%s", verb == cli_verbs ? "" : " ", verb->name);
	(void)printf("\" -- \"$word\"))\n    return\n  fi\n  case $verb:${COMP_WORDS[COMP_CWORD-1]} in\n");
	print_choice_cases();
	(void)printf("  esac\n  case $verb in\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		(void)printf("    %s) words=\"", verb->name);
		print_words(verb);
		(void)printf("\" ;;\n");
	}
	(void)printf("  esac\n  case $word in\n    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
		     "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n  esac\n}\ncomplete -o filenames -F _inquest "
		     "inquest\n");
}

/* In single quotes for zsh and fish: ' ends them, [ ] : mean something to _arguments. */
static void print_quoted(const char *text, bool zsh)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)printf("%s", zsh ? "'\\''" : "\\'");
		else if (zsh && strchr("[]:", *text))
			(void)printf("\\%c", *text);
		else
			(void)putchar(*text);
	}
}

static void print_zsh(void)
{
	(void)printf("#compdef inquest\nlocal -a verbs\nverbs=(\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		(void)printf("  '%s:", verb->name);
		print_quoted(verb->summary, true);
		(void)printf("'\n");
	}
	(void)printf(")\nif (( CURRENT == 2 )); then\n  _describe verb verbs\n  return\nfi\ncase $words[2] in\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		(void)printf("  %s) shift words; (( CURRENT-- )); _arguments", verb->name);
		for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++) {
			(void)printf(" \\\n    '%s--%s[", option->repeats ? "*" : "", cli_option_name(option->id));
			print_quoted(option->help, true);
			(void)printf("]");
			if (option->argument) {
				(void)printf(":value:");
				if (option->choices) {
					(void)printf("(");
					for (const char *c = option->choices; *c; c++)
						(void)putchar(*c == '|' ? ' ' : *c);
					(void)printf(")");
				} else {
					(void)printf("_files");
				}
			}
			(void)printf("'");
		}
		(void)printf(" \\\n    '*:path:_files' ;;\n");
	}
	(void)printf("esac\n");
}

static void print_fish(void)
{
	(void)printf("# fish completion for inquest\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		(void)printf("complete -c inquest -n __fish_use_subcommand -a %s -d '", verb->name);
		print_quoted(verb->summary, false);
		(void)printf("'\n");
		for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++) {
			(void)printf("complete -c inquest -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
				     cli_option_name(option->id));
			if (cli_option_letter(option->id))
				(void)printf(" -s %c", cli_option_letter(option->id));
			if (option->argument)
				(void)printf(" -r");
			if (option->choices) {
				(void)printf(" -f -a '");
				for (const char *c = option->choices; *c; c++)
					(void)putchar(*c == '|' ? ' ' : *c);
				(void)printf("'");
			}
			(void)printf(" -d '");
			print_quoted(option->help, false);
			(void)printf("'\n");
		}
	}
}

static const struct {
	const char *shell;
	void (*print)(void);
} completions[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

bool cli_print_completion(const char *shell)
{
	for (size_t i = 0; i < sizeof(completions) / sizeof(completions[0]); i++) {
		if (strcmp(completions[i].shell, shell) == 0) {
			completions[i].print();
			return true;
		}
	}
	return false;
}

int cli_run_help(struct cli *cli)
{
	const struct cli_verb *verb;

	if (cli_has(cli, CLI_OPTION_MAN)) {
		cli_print_man();
	} else if (cli_has(cli, CLI_OPTION_COMPLETION)) {
		(void)cli_print_completion(cli_get(cli, CLI_OPTION_COMPLETION));
	} else if (cli->operand_count == 0) {
		cli_print_overview();
	} else {
		verb = cli_find_verb(cli->operands[0]);
		if (!verb)
			return cli_set_status(cli, CLI_USAGE, "there is no verb `%.40s`; `inquest help` lists them",
					      cli->operands[0]);
		cli_print_help(verb);
	}
	return CLI_OK;
}
