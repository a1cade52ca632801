#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "event/event.h"

void cli_write(struct cli *cli, struct iq_view text)
{
	if (text.len > 0 && fwrite(text.data, 1, text.len, stdout) != text.len)
		(void)cli_set_status(cli, CLI_FAILED, "cannot write to standard output: %s", strerror(errno));
}

bool cli_write_file(struct cli *cli, const char *path, struct iq_view text)
{
	struct iq_error error = IQ_ERROR_INIT;
	int fd, rc;

	if (strcmp(path, "-") == 0) {
		cli_write(cli, text);
		return true;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	rc = fd < 0 ? iq_error_errno(&error, IQ_ERR_IO, "%s: cannot write", path)
		    : iq_file_write_all(fd, text.data, text.len, &error);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = iq_error_errno(&error, IQ_ERR_IO, "%s: cannot write", path);
	if (rc < 0)
		(void)cli_set_error(cli, &error);
	return rc == 0;
}

void cli_warn(const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr, "inquest: ");
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, "\n");
}

bool cli_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
}

size_t cli_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60 ? size.ws_col
													  : 120;
}

volatile int cli_stop;

static void on_signal(int signal)
{
	(void)signal;
	cli_stop = 1;
}

void cli_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

volatile int cli_hangup;

static void on_hangup(int signal)
{
	(void)signal;
	cli_hangup = 1;
}

void cli_catch_hangup(void)
{
	const struct sigaction action = { .sa_handler = on_hangup, .sa_flags = (int)SA_RESTART };

	(void)sigaction(SIGHUP, &action, NULL);
}

void cli_raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* ---- Tables ---- */

void cli_table_init(struct cli_table *table, const char *const *titles)
{
	*table = (struct cli_table){ .titles = titles };
	while (titles[table->columns])
		table->columns++;
}

void cli_table_add(struct cli_table *table, struct iq_view cell)
{
	struct iq_buf safe = IQ_BUF_INIT;

	if (IQ_ARRAY_GROW(table->cells, table->capacity, table->count + 1) < 0) {
		table->failed = true;
		return;
	}
	(void)iq_utf8_append_safe(&safe, cell);
	table->cells[table->count++] = iq_arena_copy(&table->memory, safe.len ? iq_buf_view(&safe) : IQ_LIT(""));
	table->failed |= safe.failed;
	iq_buf_release(&safe);
}

void cli_table_addf(struct cli_table *table, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_table_add(table, iq_view_cstr(text));
}

void cli_table_add_second(struct cli_table *table, int64_t ns)
{
	char text[IQ_RFC3339_SIZE];

	if (ns == IQ_TIME_NONE)
		cli_table_addf(table, "-");
	else
		cli_table_addf(table, "%.19sZ", iq_time_format(ns, text));
}

static void append_cell(struct iq_buf *line, struct iq_view text, size_t width, bool right, bool last)
{
	size_t own = iq_utf8_width(text);
	size_t padding = width > own ? width - own : 0;

	for (size_t i = 0; right && i < padding; i++)
		(void)iq_buf_append_char(line, ' ');
	(void)iq_buf_append(line, text);
	for (size_t i = 0; !right && !last && i < padding; i++)
		(void)iq_buf_append_char(line, ' ');
	if (!last)
		(void)iq_buf_append_cstr(line, "  ");
}

static void print_row(struct cli *cli, const struct cli_table *table, const struct iq_view *cells, const size_t *widths)
{
	struct iq_buf line = IQ_BUF_INIT;

	for (size_t i = 0; i < table->columns; i++)
		append_cell(&line, cells[i], widths[i], table->titles[i][0] == '>', i + 1 == table->columns);
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.len--;
	(void)iq_buf_append_char(&line, '\n');
	cli_write(cli, iq_buf_view(&line));
	iq_buf_release(&line);
}

void cli_table_print(struct cli *cli, struct cli_table *table)
{
	size_t *widths = calloc(table->columns + 1, sizeof(*widths));
	struct iq_view *titles = calloc(table->columns + 1, sizeof(*titles));

	if (table->failed || !widths || !titles) {
		(void)cli_set_status(cli, CLI_FAILED, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < table->columns; i++) {
		titles[i] = iq_view_cstr(table->titles[i] + (table->titles[i][0] == '>'));
		widths[i] = titles[i].len;
		for (size_t j = i; j < table->count; j += table->columns)
			widths[i] =
				iq_utf8_width(table->cells[j]) > widths[i] ? iq_utf8_width(table->cells[j]) : widths[i];
	}
	print_row(cli, table, titles, widths);
	for (size_t row = 0; row + table->columns <= table->count; row += table->columns)
		print_row(cli, table, table->cells + row, widths);
out:
	free(widths);
	free(titles);
}

void cli_table_release(struct cli_table *table)
{
	free(table->cells);
	iq_arena_release(&table->memory);
}
