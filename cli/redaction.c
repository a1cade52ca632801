#include "cli/redaction.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_SIZE (2 * IQ_REDACT_KEY_SIZE)

/* ---- Where the key is ---- */

/* `first/second` or, where `first` is no absolute path, nothing. */
static char *join(const char *first, const char *second)
{
	return first && first[0] == '/' ? iq_path_join(first, second) : NULL;
}

char *cli_config_directory(void)
{
	char *directory = join(getenv("XDG_CONFIG_HOME"), "inquest");
	char *config = directory ? NULL : join(getenv("HOME"), ".config");

	if (config)
		(void)mkdir(config, 0700);
	if (config)
		directory = iq_path_join(config, "inquest");
	if (directory)
		(void)mkdir(directory, 0700);
	free(config);
	return directory;
}

static char *default_path(void)
{
	char *directory = cli_config_directory();
	char *path = directory ? iq_path_join(directory, "redact.key") : NULL;

	free(directory);
	return path;
}

/* A key in the store would go wherever the store goes. */
static bool lies_within(const char *path, const char *store)
{
	const size_t parent_len = (size_t)(iq_path_base(path) - path);
	char *parent = parent_len ? strndup(path, parent_len) : strdup(".");
	char *file = parent ? realpath(parent, NULL) : NULL, *directory = realpath(store, NULL);
	const size_t len = directory ? strlen(directory) : 0;
	const bool within =
		file && directory && strncmp(file, directory, len) == 0 && (file[len] == '/' || file[len] == '\0');

	free(parent);
	free(file);
	free(directory);
	return within;
}

/* ---- Its file ---- */

static int write_key(int fd, const char *hex, struct iq_error *error)
{
	int rc = iq_file_write_all(fd, hex, HEX_SIZE, error);

	if (rc == 0)
		rc = iq_file_write_all(fd, "\n", 1, error);
	if (rc == 0 && fsync(fd) < 0)
		rc = iq_error_errno(error, IQ_ERR_IO, "cannot write");
	return rc;
}

/* False where there is a file already, or none can be made: the status is set. */
static bool make_key(struct cli *cli, const char *path)
{
	uint8_t key[IQ_REDACT_KEY_SIZE];
	char hex[HEX_SIZE + 1];
	struct iq_error error = IQ_ERROR_INIT;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool made = fd >= 0 && getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key);

	if (made) {
		iq_hex(key, sizeof(key), hex);
		made = write_key(fd, hex, &error) == 0;
	}
	if (fd >= 0)
		made = close(fd) == 0 && made;
	if (fd >= 0 && !made)
		(void)unlink(path);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(hex, sizeof(hex));
	if (made)
		cli_warn(
			"made a key for redaction: %s; keep it where the store is not: with it, guesses at secrets can be checked",
			path);
	else
		(void)cli_set_status(cli, CLI_FAILED, "%s: cannot make a key for redaction: %s", path, strerror(errno));
	return made;
}

static bool parse_key(struct iq_view text, uint8_t ret_key[IQ_REDACT_KEY_SIZE])
{
	return iq_unhex(iq_view_trim(text), ret_key, IQ_REDACT_KEY_SIZE);
}

static bool read_key(struct cli *cli, const char *path, uint8_t ret_key[IQ_REDACT_KEY_SIZE])
{
	char text[HEX_SIZE + 16];
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	const bool shared = fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 077) != 0;
	const bool good = len >= 0 && parse_key(iq_view_make(text, (size_t)len), ret_key);

	if (len < 0)
		(void)cli_set_status(cli, CLI_FAILED, "%s: cannot read the key for redaction: %s", path,
				     strerror(errno));
	else if (!good)
		(void)cli_set_status(
			cli, CLI_USAGE,
			"%s: is no key for redaction: 64 hexadecimal digits, as `openssl rand -hex 32` prints them",
			path);
	if (good && shared)
		cli_warn("%s: others can read this key: chmod 600", path);
	if (fd >= 0)
		(void)close(fd);
	explicit_bzero(text, sizeof(text));
	return good;
}

static bool get_key(struct cli *cli, const char *store, uint8_t ret_key[IQ_REDACT_KEY_SIZE])
{
	const char *given = cli_get(cli, CLI_OPTION_REDACT_KEY);
	char *path = given ? strdup(given) : default_path();
	bool good = path != NULL;

	if (!good)
		(void)cli_set_status(
			cli, CLI_USAGE,
			"--redact: there is no home directory to keep its key in: name a file with --redact-key");
	if (good && lies_within(path, store)) {
		(void)cli_set_status(cli, CLI_USAGE, "%s: the key must not lie in the store: name another file", path);
		good = false;
	}
	if (good && access(path, F_OK) < 0)
		good = make_key(cli, path);
	if (good)
		good = read_key(cli, path, ret_key);
	free(path);
	return good;
}

bool cli_redactor(struct cli *cli, const char *store, struct iq_redactor **ret_redactor)
{
	const char *words = cli_get(cli, CLI_OPTION_REDACT);
	uint8_t key[IQ_REDACT_KEY_SIZE];
	uint32_t presets = IQ_REDACT_ALL;
	int rc;

	*ret_redactor = NULL;
	if (!words && cli_has(cli, CLI_OPTION_REDACT_KEY))
		(void)cli_set_status(cli, CLI_USAGE, "--redact-key is for --redact");
	if (!words || !get_key(cli, store, key))
		return cli->status == CLI_OK;
	if (*words)
		(void)iq_redact_parse_presets(iq_view_cstr(words), &presets);
	rc = iq_redactor_new(key, presets, ret_redactor);
	explicit_bzero(key, sizeof(key));
	if (rc < 0)
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
	return rc == 0;
}
