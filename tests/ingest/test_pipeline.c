#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/ingest.h"

/* A directory of its own for each test, and what iq_ingest() reported. */
struct fixture {
	char root[64];
	struct iq_buf reports; /* `OUTCOME NAME format problem` */
	int stop_after;	       /* sets `stop` with this report */
	volatile int stop;
};

static struct fixture make_fixture(void)
{
	struct fixture fixture = { .root = "/tmp/iq-ingest-XXXXXX", .stop_after = -1 };

	cr_assert(mkdtemp(fixture.root));
	return fixture;
}

static void release_fixture(struct fixture *fixture)
{
	struct iq_error error = IQ_ERROR_INIT;

	iq_buf_release(&fixture->reports);
	cr_assert_eq(iq_file_remove_tree(fixture->root, &error), 0, "%s", error.message);
}

static const char *path_in(const struct fixture *fixture, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", fixture->root, name);
	return path;
}

static void write_file(const struct fixture *fixture, const char *name, struct iq_view bytes)
{
	FILE *file = fopen(path_in(fixture, name), "wb");

	cr_assert(file);
	cr_assert_eq(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	cr_assert_eq(fclose(file), 0);
}

static int take_report(void *context, const struct iq_ingest_report *report)
{
	static const char *const outcomes[] = { "taken", "known", "partly", "refused" };
	struct fixture *fixture = context;

	if (report->outcome == IQ_INGEST_TAKEN || report->outcome == IQ_INGEST_PARTLY)
		cr_expect_eq(report->evidence.accounted, report->evidence.bytes);
	if (fixture->stop_after-- == 0)
		fixture->stop = 1;
	return iq_buf_appendf(&fixture->reports, "%s %s %s %s\n", outcomes[report->outcome], iq_path_base(report->path),
			      report->format ? report->format : "-", report->problem ? report->problem : "-");
}

static int ingest(struct fixture *fixture, const char *path, struct iq_ingest_result *result)
{
	const struct iq_ingest_options options = { .report = take_report, .context = fixture, .stop = &fixture->stop };
	struct iq_error error = IQ_ERROR_INIT;

	iq_buf_clear(&fixture->reports);
	return iq_ingest(path_in(fixture, "store"), &path, 1, &options, result, &error);
}

static uint64_t stored_events(const struct fixture *fixture)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result verified;
	struct iq_store *store;
	uint64_t events;

	cr_assert_eq(iq_store_verify(path_in(fixture, "store"), NULL, NULL, &verified, &error), 0, "%s", error.message);
	cr_expect_eq(verified.damages, 0);
	cr_assert_eq(iq_store_open(path_in(fixture, "store"), &store, &error), 0, "%s", error.message);
	events = iq_store_event_count(store);
	iq_store_close(store);
	return events;
}

#define RECORD(n) "{\"kind\":\"log\",\"ts\":" #n "}\n"

Test(pipeline, takes_a_directory_in_sorted_order_and_goes_on_after_bad_files)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/c.ndjson", IQ_LIT(RECORD(1) RECORD(2)));
	write_file(&fixture, "in/a.ndjson", IQ_LIT(RECORD(3) "broken\n"));
	write_file(&fixture, "in/b.txt", IQ_LIT("hello\n"));
	write_file(&fixture, "in/d.log", IQ_LIT(""));
	write_file(&fixture, "in/.hidden", IQ_LIT("x"));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data,
			 "partly a.ndjson ndjson line 2: not JSON\n"
			 "refused b.txt - format not recognised; name it with --format docker-json|har|ndjson\n"
			 "taken c.ndjson ndjson -\n"
			 "refused d.log - empty file\n");
	cr_expect_eq(result.taken, 2);
	cr_expect_eq(result.partly, 1);
	cr_expect_eq(result.refused, 2);
	cr_expect_eq(result.events, 3);
	cr_expect_eq(stored_events(&fixture), 3);
	release_fixture(&fixture);
}

Test(pipeline, adds_nothing_the_second_time)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/a.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "in/copy.ndjson", IQ_LIT(RECORD(1)));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "taken a.ndjson ndjson -\nknown copy.ndjson ndjson -\n");
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "known a.ndjson ndjson -\nknown copy.ndjson ndjson -\n");
	cr_expect_eq(result.known, 2);
	cr_expect_eq(stored_events(&fixture), 1);
	release_fixture(&fixture);
}
