#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Between two lines. */
#define SHOW_INTERVAL (100 * IQ_NS_PER_MS)
/* Between two looks at the rate, and how much of the old one stays each time. */
#define RATE_INTERVAL (500 * IQ_NS_PER_MS)
#define RATE_MEMORY 0.8
#define BAR_CELLS 20
#define LEAST_COLUMNS 40
#define DEFAULT_COLUMNS 100

static const char *const unit_names[] = { [CLI_BYTES] = "B", [CLI_EVENTS] = " events" };

void cli_progress_begin(struct cli_progress *progress, enum cli_unit unit)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool dumb = !term || strcmp(term, "dumb") == 0;

	*progress = (struct cli_progress){ .unit = unit,
					   .on_terminal = isatty(STDERR_FILENO) && !dumb,
					   .coloured = !(no_colour && *no_colour),
					   .last = iq_clock_monotonic() };
}

void cli_progress_clear(struct cli_progress *progress)
{
	if (progress->shown)
		(void)fprintf(stderr, "\r\033[K");
	progress->shown = false;
}

/* ---- Numbers for a person ---- */

static double scale(double number, const char **ret_prefix)
{
	static const char *const prefixes[] = { "", "k", "M", "G", "T", "P" };
	size_t i = 0;

	while (number >= 999.5 && i + 1 < sizeof(prefixes) / sizeof(prefixes[0])) {
		number /= 1000;
		i++;
	}
	*ret_prefix = prefixes[i];
	return number;
}

/* Three digits: `1.23 GB`, `132 MB`. */
static void append_amount(struct iq_buf *buf, enum cli_unit unit, double amount)
{
	const char *prefix;
	double scaled = scale(amount, &prefix);
	int digits = *prefix == '\0' || scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;

	(void)iq_buf_appendf(buf, "%.*f %s%s", digits, scaled, prefix,
			     unit_names[unit] + (unit == CLI_EVENTS && !*prefix));
}

static void append_time_left(struct iq_buf *buf, double seconds)
{
	uint64_t left = (uint64_t)seconds;

	if (left >= 3600)
		(void)iq_buf_appendf(buf, "%" PRIu64 " h %02" PRIu64 " min left", left / 3600, left / 60 % 60);
	else if (left >= 60)
		(void)iq_buf_appendf(buf, "%" PRIu64 " min %02" PRIu64 " s left", left / 60, left % 60);
	else
		(void)iq_buf_appendf(buf, "%" PRIu64 " s left", left);
}

static unsigned percent_of(uint64_t done, uint64_t total)
{
	return done >= total ? 100 : (unsigned)((double)done * 100 / (double)total);
}

void cli_progress_append_done(struct iq_buf *buf, enum cli_unit unit, uint64_t done, uint64_t total)
{
	if (total > 0)
		(void)iq_buf_appendf(buf, "%u%%", percent_of(done, total));
	else
		append_amount(buf, unit, (double)done);
}

/* ---- The line ---- */

static void append_bar(struct iq_buf *line, const struct cli_progress *progress, unsigned percent)
{
	unsigned full = percent * BAR_CELLS / 100;

	(void)iq_buf_append_cstr(line, progress->coloured ? "[\033[32m" : "[");
	for (unsigned i = 0; i < BAR_CELLS; i++) {
		if (i == full && progress->coloured)
			(void)iq_buf_append_cstr(line, "\033[0m");
		(void)iq_buf_append_char(line, i < full ? '#' : '-');
	}
	(void)iq_buf_append_cstr(line, progress->coloured && full == BAR_CELLS ? "\033[0m] " : "] ");
}

/* Without the name; text only, so that its length is its width. */
static void append_numbers(struct iq_buf *line, const struct cli_progress *progress, uint64_t done, uint64_t total)
{
	if (total > 0) {
		(void)iq_buf_appendf(line, "%3u%%  ", percent_of(done, total));
		append_amount(line, progress->unit, (double)done);
		(void)iq_buf_append_cstr(line, " of ");
	}
	append_amount(line, progress->unit, (double)(total > 0 ? total : done));
	if (progress->rate <= 0)
		return;
	(void)iq_buf_append_cstr(line, "  ");
	append_amount(line, progress->unit, progress->rate);
	(void)iq_buf_append_cstr(line, "/s");
	if (total <= done)
		return;
	(void)iq_buf_append_cstr(line, "  ");
	append_time_left(line, (double)(total - done) / progress->rate);
}

/* As much of the end of the name as there is room for: there it differs from others. */
static void append_name(struct iq_buf *line, struct iq_view what, size_t room)
{
	struct iq_buf safe = IQ_BUF_INIT;
	struct iq_view name;

	(void)iq_utf8_append_safe(&safe, what);
	name = iq_buf_view(&safe);
	while (name.len > room)
		do
			name = iq_view_from(name, 1);
		while (name.len > 0 && ((unsigned char)name.data[0] & 0xC0) == 0x80);
	(void)iq_buf_append(line, name);
	iq_buf_release(&safe);
}

static size_t columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= LEAST_COLUMNS ? size.ws_col
											    : DEFAULT_COLUMNS;
}

static void measure(struct cli_progress *progress, int64_t now, uint64_t done)
{
	double seconds = (double)(now - progress->last) / (double)IQ_NS_PER_S, rate;

	if (now - progress->last < RATE_INTERVAL)
		return;
	rate = done > progress->done ? (double)(done - progress->done) / seconds : 0;
	progress->rate = progress->rate > 0 ? RATE_MEMORY * progress->rate + (1 - RATE_MEMORY) * rate : rate;
	progress->last = now;
	progress->done = done;
}

static void print_line(const struct cli_progress *progress, struct iq_view what, uint64_t done, uint64_t total)
{
	struct iq_buf line = IQ_BUF_INIT, numbers = IQ_BUF_INIT;
	size_t used = (total > 0 ? BAR_CELLS + 3 : 0) + 3, width = columns();

	append_numbers(&numbers, progress, done, total);
	if (total > 0)
		append_bar(&line, progress, percent_of(done, total));
	(void)iq_buf_append(&line, iq_buf_view(&numbers));
	(void)iq_buf_append_cstr(&line, "  ");
	if (width > used + numbers.len)
		append_name(&line, what, width - used - numbers.len);
	(void)fprintf(stderr, "\r%s\033[K", line.data ? line.data : "");
	(void)fflush(stderr);
	iq_buf_release(&line);
	iq_buf_release(&numbers);
}

void cli_progress_show(struct cli_progress *progress, struct iq_view what, uint64_t done, uint64_t total)
{
	int64_t now;

	if (!progress->on_terminal)
		return;
	now = iq_clock_monotonic();
	measure(progress, now, done);
	if (now < progress->next)
		return;
	progress->next = now + SHOW_INTERVAL;
	progress->shown = true;
	print_line(progress, what, done, total);
}
