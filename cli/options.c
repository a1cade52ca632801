#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct cli_option *find_long(const struct cli_verb *verb, const char *name, size_t len)
{
	for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++)
		if (strlen(cli_option_name(option->id)) == len && strncmp(cli_option_name(option->id), name, len) == 0)
			return option;
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_verb *verb, char letter)
{
	for (const struct cli_option *option = verb->options; option->id != CLI_OPTION_END; option++)
		if (cli_option_letter(option->id) == letter)
			return option;
	return NULL;
}

static bool is_optional(const struct cli_option *option)
{
	return option->argument && option->argument[0] == '[';
}

static bool is_choice(const char *choices, const char *value, size_t len)
{
	for (const char *word = choices; word; word = strchr(word, '|')) {
		word += *word == '|';
		if (strcspn(word, "|") == len && strncmp(word, value, len) == 0)
			return true;
	}
	return false;
}

/* Words with commas between. */
static bool are_choices(const char *choices, const char *value)
{
	for (;;) {
		const size_t len = strcspn(value, ",");

		if (!is_choice(choices, value, len))
			return false;
		if (value[len] == '\0')
			return true;
		value += len + 1;
	}
}

static bool is_allowed(const struct cli_option *option, const char *value)
{
	if (!option->choices || (is_optional(option) && *value == '\0'))
		return true;
	return is_optional(option) ? are_choices(option->choices, value)
				   : is_choice(option->choices, value, strlen(value));
}

static bool take_value(struct cli *cli, const struct cli_option *option, const char *value)
{
	if (!is_allowed(option, value)) {
		(void)cli_set_status(cli, CLI_USAGE, "--%s takes %s, not `%.60s`", cli_option_name(option->id),
				     option->choices, value);
		return false;
	}
	if (option->argument && !option->repeats && cli_has(cli, option->id)) {
		(void)cli_set_status(cli, CLI_USAGE, "--%s can be given once; it was given %.40s and %.40s",
				     cli_option_name(option->id), cli_get(cli, option->id), value);
		return false;
	}
	cli->values[cli->value_count++] = (struct cli_value){ option->id, value };
	return true;
}

const char *cli_store(const struct cli *cli)
{
	const char *given = cli_get(cli, CLI_OPTION_STORE), *variable = getenv("INQUEST_STORE");

	return given ? given : variable && *variable ? variable : "case";
}

/* `inquest show -C5s`, `-C 5s`, `--context=5s`, `--context 5s` */
static bool take_option(struct cli *cli, char *word, char *following, bool *ret_used_following)
{
	bool is_long = word[1] == '-';
	const char *equals = is_long ? strchr(word, '=') : NULL;
	const char *attached = is_long ? (equals ? equals + 1 : NULL) : (word[2] ? word + 2 : NULL);
	const struct cli_option *option =
		is_long ? find_long(cli->verb, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2))
			: find_letter(cli->verb, word[1]);

	*ret_used_following = false;
	if (!option) {
		(void)cli_set_status(cli, CLI_USAGE, "%s has no option %.60s; `inquest help %s` lists them",
				     cli->verb->name, word, cli->verb->name);
		return false;
	}
	if (!option->argument) {
		if (!attached)
			return take_value(cli, option, "");
		(void)cli_set_status(cli, CLI_USAGE, "--%s takes no value", cli_option_name(option->id));
		return false;
	}
	if (is_optional(option) && !attached && !(following && is_allowed(option, following)))
		return take_value(cli, option, "");
	if (!attached && !following) {
		(void)cli_set_status(cli, CLI_USAGE, "--%s needs its %s", cli_option_name(option->id),
				     option->argument);
		return false;
	}
	*ret_used_following = !attached;
	return take_value(cli, option, attached ? attached : following);
}

static bool check_operands(struct cli *cli)
{
	if (cli_has(cli, CLI_OPTION_HELP))
		return true;
	if (cli->operand_count < cli->verb->least_operands) {
		(void)cli_set_status(cli, CLI_USAGE, "%s: %s", cli->verb->name, cli->verb->missing);
		return false;
	}
	if (cli->operand_count > cli->verb->most_operands) {
		(void)cli_set_status(cli, CLI_USAGE, "%s: one operand too many: %.100s", cli->verb->name,
				     cli->operands[cli->verb->most_operands]);
		return false;
	}
	return true;
}

bool cli_parse(struct cli *cli, int count, char **words)
{
	bool only_operands = false;

	cli->values = calloc((size_t)count + 1, sizeof(*cli->values));
	cli->operands = calloc((size_t)count + 1, sizeof(*cli->operands));
	if (!cli->values || !cli->operands) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		return false;
	}
	for (int i = 0; i < count; i++) {
		bool used_following;

		if (only_operands || words[i][0] != '-' || words[i][1] == '\0') {
			cli->operands[cli->operand_count++] = words[i];
		} else if (strcmp(words[i], "--") == 0) {
			only_operands = true;
		} else {
			if (!take_option(cli, words[i], i + 1 < count ? words[i + 1] : NULL, &used_following))
				return false;
			i += used_following;
		}
	}
	return check_operands(cli);
}

const char *cli_get(const struct cli *cli, enum cli_option_id id)
{
	for (size_t i = cli->value_count; i-- > 0;)
		if (cli->values[i].id == id)
			return cli->values[i].value;
	return NULL;
}

bool cli_has(const struct cli *cli, enum cli_option_id id)
{
	return cli_get(cli, id) != NULL;
}

bool cli_get_duration(struct cli *cli, enum cli_option_id id, int64_t fallback, int64_t *ret_ns)
{
	const char *value = cli_get(cli, id);

	*ret_ns = fallback;
	if (!value || iq_duration_parse(iq_view_cstr(value), ret_ns))
		return true;
	(void)cli_set_status(cli, CLI_USAGE, "--%s: `%.40s` is not a time: write 30s, 500ms or 2m", cli_option_name(id),
			     value);
	return false;
}

/* ---- How it ends ---- */

static int gravity(enum cli_status status)
{
	static const int gravities[] = {
		[CLI_OK] = 0, [CLI_VIOLATED] = 3, [CLI_USAGE] = 4, [CLI_INCOMPLETE] = 1, [CLI_FAILED] = 2
	};

	return gravities[status];
}

int cli_set_status(struct cli *cli, enum cli_status status, const char *format, ...)
{
	char reason[sizeof(cli->reason)];
	va_list args;
	bool graver = gravity(status) > gravity(cli->status);

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	/* The last line has room for one reason; a failure is told even where it is not that one. */
	if (graver && cli->status == CLI_FAILED)
		cli_warn("%s", cli->reason);
	if (!graver && status == CLI_FAILED)
		cli_warn("%s", reason);
	if (!graver)
		return (int)cli->status;
	cli->status = status;
	memcpy(cli->reason, reason, sizeof(cli->reason));
	return (int)status;
}

int cli_set_error(struct cli *cli, const struct iq_error *error)
{
	bool usage = error->status == IQ_ERR_USAGE || error->status == IQ_ERR_SPEC;

	return cli_set_status(cli, usage ? CLI_USAGE : CLI_FAILED, "%s",
			      error->message[0] ? error->message : iq_status_text(error->status));
}
