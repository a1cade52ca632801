#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collect.h"

/* samples/FORMAT/NAME.in is evidence of that format, NAME.out what it becomes, one event or gap a line, problems last. Each is
 * also fed in pieces, taken up in its middle, and told from its content. IQ_UPDATE=1 writes what came instead. */

struct sample {
	char format[64];
	char path[700]; /* without .in */
	struct iq_buf text;
};

static void read_whole(const char *path, const char *suffix, struct iq_buf *buf)
{
	char name[720];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	cr_assert_eq(iq_file_read(name, 1 << 20, buf, NULL), 0, "%s", name);
}

static struct iq_view view_of(const struct sample *sample)
{
	return iq_buf_view(&sample->text);
}

/* ---- Every sample ---- */

static bool strip_suffix(char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	if (len <= end || strcmp(name + len - end, suffix) != 0)
		return false;
	name[len - end] = '\0';
	return true;
}

static void each_of_format(const char *format, void (*check)(struct sample *sample))
{
	char directory[400];
	struct dirent **entries;
	int count;

	(void)snprintf(directory, sizeof(directory), "%s/%s", IQ_SAMPLES, format);
	count = scandir(directory, &entries, NULL, alphasort);
	cr_assert_geq(count, 0, "%s", directory);
	for (int i = 0; i < count; i++) {
		struct sample sample = { .text = IQ_BUF_INIT };

		if (strip_suffix(entries[i]->d_name, ".in")) {
			(void)snprintf(sample.format, sizeof(sample.format), "%s", format);
			(void)snprintf(sample.path, sizeof(sample.path), "%s/%s", directory, entries[i]->d_name);
			read_whole(sample.path, ".in", &sample.text);
			check(&sample);
			iq_buf_release(&sample.text);
		}
		free(entries[i]);
	}
	free(entries);
}

static void each_sample(void (*check)(struct sample *sample))
{
	struct dirent **entries;
	int count = scandir(IQ_SAMPLES, &entries, NULL, alphasort);

	cr_assert_gt(count, 2);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			each_of_format(entries[i]->d_name, check);
		free(entries[i]);
	}
	free(entries);
}

/* ---- What it becomes ---- */

static void write_golden(const struct sample *sample, const struct iq_buf *got)
{
	char name[720];
	FILE *file;

	(void)snprintf(name, sizeof(name), "%s.out", sample->path);
	file = fopen(name, "wb");
	cr_assert(file && fwrite(got->data, 1, got->len, file) == got->len && fclose(file) == 0);
}

static void check_golden(struct sample *sample)
{
	struct collected collected = collect(sample->format, view_of(sample), FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);
	struct iq_buf wanted = IQ_BUF_INIT, got = IQ_BUF_INIT;

	(void)iq_buf_append(&got, iq_buf_view(&collected.lines));
	(void)iq_buf_append(&got, iq_buf_view(&collected.problems));
	if (getenv("IQ_UPDATE")) {
		write_golden(sample, &got);
	} else {
		read_whole(sample->path, ".out", &wanted);
		cr_expect_str_eq(got.data, wanted.data, "%s", sample->path);
	}
	collected_release(&collected);
	iq_buf_release(&wanted);
	iq_buf_release(&got);
}

Test(samples, become_what_is_written_beside_them)
{
	each_sample(check_golden);
}

static void check_probe(struct sample *sample)
{
	int sure;
	const struct iq_format *format = iq_format_probe(view_of(sample), &sure);

	cr_expect_str_eq(format ? format->name : "none", sample->format, "%s", sample->path);
}

Test(samples, are_told_from_their_content)
{
	each_sample(check_probe);
}

/* ---- However they are fed ---- */

static void check_feedings(struct sample *sample)
{
	check_all_feedings(sample->format, view_of(sample), IQ_INGEST_MAX_LINE);
	check_all_feedings(sample->format, view_of(sample), 24);
}

Test(samples, are_the_same_however_they_are_cut)
{
	each_sample(check_feedings);
}

/* White space that comes later belongs to what comes after it: a record that is whole without its line end then has another
 * range. */
static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Of a long sample every so many places, other ones each time; IQ_TEST_CUTS=all takes all of them. */
#define CUTS 1000

static void check_taking_up(struct sample *sample)
{
	const size_t stride = getenv("IQ_TEST_CUTS") ? 1 : sample->text.len / CUTS + 1;

	for (size_t at = (size_t)time(NULL) % stride; at <= sample->text.len; at += stride)
		if (!is_space(sample->text.data[at]))
			check_taken_up(sample->format, view_of(sample), at, strstr(sample->path, "trace") != NULL);
}

Test(samples, are_the_same_when_taken_up_in_the_middle)
{
	each_sample(check_taking_up);
}

/* Nothing that a parser of another format makes of them leaves a byte unaccounted for. */
static void check_other_formats(struct sample *sample)
{
	for (size_t i = 0; iq_formats()[i]; i++) {
		struct collected other =
			collect(iq_formats()[i]->name, view_of(sample), FEED_WHOLE, 0, IQ_INGEST_MAX_LINE);

		cr_expect_eq(first_uncovered(&other), sample->text.len, "%s as %s", sample->path,
			     iq_formats()[i]->name);
		collected_release(&other);
	}
}

Test(samples, are_accounted_for_as_any_format)
{
	each_sample(check_other_formats);
}
