#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

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
	static char paths[16][256];
	static unsigned next;
	char *path = paths[next++ % 16];

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
	static const char *const outcomes[] = { "taken", "continued", "known", "shorter", "partly", "refused" };
	struct fixture *fixture = context;

	if (report->outcome == IQ_INGEST_TAKEN || report->outcome == IQ_INGEST_CONTINUED ||
	    report->outcome == IQ_INGEST_PARTLY)
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
	struct iq_buf wanted = IQ_BUF_INIT;
	struct iq_ingest_result result;

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/c.ndjson", IQ_LIT(RECORD(1) RECORD(2)));
	write_file(&fixture, "in/a.ndjson", IQ_LIT(RECORD(3) "broken\n"));
	write_file(&fixture, "in/b.txt",
		   IQ_LIT("\x7f"
			  "ELF\x01\x01"));
	write_file(&fixture, "in/d.log", IQ_LIT(""));
	write_file(&fixture, "in/.hidden", IQ_LIT("x"));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	(void)iq_buf_appendf(&wanted,
			     "partly a.ndjson ndjson line 2: not JSON\n"
			     "refused b.txt - format not recognised; name it with --format %s\n"
			     "taken c.ndjson ndjson -\n"
			     "refused d.log - empty file: nothing to take in\n",
			     IQ_FORMAT_NAMES);
	cr_expect_str_eq(fixture.reports.data, wanted.data);
	iq_buf_release(&wanted);
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

/* ---- Compressed ---- */

static size_t gzip(struct iq_view text, void *out, size_t cap)
{
	z_stream stream = { 0 };

	cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (unsigned char *)text.data;
	stream.avail_in = (unsigned)text.len;
	stream.next_out = out;
	stream.avail_out = (unsigned)cap;
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	return cap - stream.avail_out;
}

Test(pipeline, opens_gzip_and_zstd_whatever_the_name)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	struct iq_view first = IQ_LIT(RECORD(1)), second = IQ_LIT(RECORD(2) RECORD(3));
	char bytes[1024];
	size_t len = gzip(first, bytes, sizeof(bytes));

	(void)mkdir(path_in(&fixture, "in"), 0777);
	len += gzip(second, bytes + len, sizeof(bytes) - len);
	write_file(&fixture, "in/members.gz", iq_view_make(bytes, len));
	len = ZSTD_compress(bytes, sizeof(bytes), first.data, first.len, 3);
	len += ZSTD_compress(bytes + len, sizeof(bytes) - len, first.data, first.len, 3);
	write_file(&fixture, "in/frames.log", iq_view_make(bytes, len));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "taken frames.log ndjson -\ntaken members.gz ndjson -\n");
	cr_expect_eq(stored_events(&fixture), 5);
	release_fixture(&fixture);
}

/* Lines that compress to a few bytes each only. */
static struct iq_buf many_records(size_t count)
{
	struct iq_buf text = IQ_BUF_INIT;

	for (size_t i = 0; i < count; i++)
		cr_assert_eq(
			iq_buf_appendf(&text, "{\"kind\":\"log\",\"ts\":%zu,\"body\":\"%zx\"}\n", i, i * 2654435761u),
			0);
	return text;
}

Test(pipeline, keeps_what_a_shortened_compressed_file_still_gives)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	struct iq_buf text = many_records(20000);
	struct iq_view rest;
	char *bytes = malloc(text.len);
	size_t len = gzip(iq_buf_view(&text), bytes, text.len);

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/a.gz", iq_view_make(bytes, len / 2));
	/* With another beginning, or it would continue the first. */
	rest = iq_view_from(iq_buf_view(&text), 1 + iq_view_find(iq_buf_view(&text), IQ_LIT("\n")));
	len = ZSTD_compress(bytes, text.len, rest.data, rest.len, 3);
	write_file(&fixture, "in/b.zst", iq_view_make(bytes, len / 2));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_eq(result.partly, 2);
	cr_expect_eq(result.taken, 2);
	cr_expect_gt(result.events, 8000);
	cr_expect_neq(iq_view_find(iq_buf_view(&fixture.reports), IQ_LIT("partly a.gz ndjson line ")), SIZE_MAX);
	cr_expect_eq(stored_events(&fixture), result.events);
	free(bytes);
	iq_buf_release(&text);
	release_fixture(&fixture);
}

Test(pipeline, says_that_compressed_data_is_damaged)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	char bytes[1024], expected[256];
	size_t len = gzip(IQ_LIT(RECORD(1)), bytes, sizeof(bytes));

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/head.gz", iq_view_make(bytes, 5));
	bytes[len - 8] ^= 1; /* of the checksum */
	write_file(&fixture, "in/sum.gz", iq_view_make(bytes, len));
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	(void)snprintf(expected, sizeof(expected),
		       "refused head.gz - gzip data ends too early: the file was cut short\n"
		       "partly sum.gz ndjson gzip data is damaged near byte %zu (incorrect data check)\n",
		       len - 4); /* after the checksum comes the size */
	cr_expect_str_eq(fixture.reports.data, expected);
	cr_expect_eq(stored_events(&fixture), 1);
	release_fixture(&fixture);
}

/* ---- Hostile ---- */

Test(pipeline, takes_a_line_of_64_mib_cut)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	FILE *file = fopen(path_in(&fixture, "long.ndjson"), "wb");
	static char block[1 << 20];

	memset(block, 'x', sizeof(block));
	cr_assert(file);
	(void)fputs("{\"kind\":\"log\",\"ts\":1,\"body\":\"", file);
	for (int i = 0; i < 64; i++)
		cr_assert_eq(fwrite(block, sizeof(block), 1, file), 1);
	(void)fputs("\"}\n" RECORD(2), file);
	cr_assert_eq(fclose(file), 0);
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "long.ndjson"), &result), 0);
	cr_expect_str_eq(
		fixture.reports.data,
		"partly long.ndjson ndjson line 1 cut at 1048576 of 67108895 bytes; the store keeps it whole\n");
	cr_expect_eq(result.events, 2);
	cr_expect_eq(result.bytes, 67108895 + 1 + sizeof(RECORD(2)) - 1);
	cr_expect_eq(stored_events(&fixture), 2);
	release_fixture(&fixture);
}

Test(pipeline, reports_what_it_may_not_read)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	(void)mkdir(path_in(&fixture, "in"), 0777);
	(void)mkdir(path_in(&fixture, "in/closed"), 0777);
	write_file(&fixture, "in/closed/a.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "in/open.ndjson", IQ_LIT(RECORD(2)));
	write_file(&fixture, "in/secret.ndjson", IQ_LIT(RECORD(3)));
	cr_assert_eq(chmod(path_in(&fixture, "in/closed"), 0), 0);
	cr_assert_eq(chmod(path_in(&fixture, "in/secret.ndjson"), 0), 0);
	cr_assert_eq(chmod(fixture.root, 0777), 0);
	/* Root may read everything. */
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "refused closed - cannot be opened (give read permission, or run as a "
					       "user who has it): Permission denied\n"
					       "taken open.ndjson ndjson -\n"
					       "refused secret.ndjson - cannot be opened (give read permission, or run "
					       "as a user who has it): Permission denied\n");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	(void)chmod(path_in(&fixture, "in/closed"), 0777);
	release_fixture(&fixture);
}

Test(pipeline, does_not_follow_links_out_of_a_directory)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "outside.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "in/inside.ndjson", IQ_LIT(RECORD(2)));
	cr_assert_eq(symlink("../outside.ndjson", path_in(&fixture, "in/a-out")), 0);
	cr_assert_eq(symlink("inside.ndjson", path_in(&fixture, "in/b-in")), 0);
	cr_assert_eq(symlink("nowhere", path_in(&fixture, "in/c-broken")), 0);
	cr_assert_eq(mkfifo(path_in(&fixture, "in/d-pipe"), 0666), 0);
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data,
			 "refused a-out - a link that leads out of the directory; name its target as well\n"
			 "refused c-broken - cannot be opened: No such file or directory\n"
			 "taken inside.ndjson ndjson -\n");
	release_fixture(&fixture);
}

Test(pipeline, leaves_out_the_store_itself)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	write_file(&fixture, "a.ndjson", IQ_LIT(RECORD(1)));
	cr_expect_eq(ingest(&fixture, fixture.root, &result), 0);
	cr_expect_eq(ingest(&fixture, fixture.root, &result), 0);
	cr_expect_str_eq(fixture.reports.data, "known a.ndjson ndjson -\n");
	release_fixture(&fixture);
}

Test(pipeline, makes_no_store_of_a_missing_file)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	cr_expect_eq(ingest(&fixture, path_in(&fixture, "missing"), &result), IQ_ERR_NOT_FOUND);
	cr_expect_neq(access(path_in(&fixture, "store"), F_OK), 0);
	release_fixture(&fixture);
}

/* ---- Interrupted ---- */

Test(pipeline, keeps_whole_evidence_when_it_is_stopped)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	struct iq_buf large = many_records(300000); /* beyond what shares a commit */

	(void)mkdir(path_in(&fixture, "in"), 0777);
	write_file(&fixture, "in/a.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "in/b.ndjson", iq_buf_view(&large));
	fixture.stop_after = 0;
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), IQ_ERR_INTERRUPTED);
	cr_expect_eq(result.taken, 1);
	cr_expect_eq(stored_events(&fixture), 1);
	fixture.stop = 0;
	cr_expect_eq(ingest(&fixture, path_in(&fixture, "in"), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "known a.ndjson ndjson -\ntaken b.ndjson ndjson -\n");
	cr_expect_eq(stored_events(&fixture), 300001);
	iq_buf_release(&large);
	release_fixture(&fixture);
}

/* Stops in the middle of a large evidence: with the first progress beyond half of it. */
static void stop_halfway(void *context, const char *path, uint64_t done, uint64_t total)
{
	struct fixture *fixture = context;

	(void)path;
	if (done > total / 2)
		fixture->stop = 1;
}

Test(pipeline, goes_on_within_an_evidence)
{
	struct fixture fixture = make_fixture();
	const struct iq_ingest_options options = { .progress = stop_halfway,
						   .context = &fixture,
						   .stop = &fixture.stop };
	struct iq_ingest_result result;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf large = many_records(300000);
	const char *path = path_in(&fixture, "b.ndjson");

	write_file(&fixture, "a.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "b.ndjson", iq_buf_view(&large));
	cr_assert_eq(ingest(&fixture, path_in(&fixture, "a.ndjson"), &result), 0);
	cr_expect_eq(iq_ingest(path_in(&fixture, "store"), &path, 1, &options, &result, &error), IQ_ERR_INTERRUPTED);
	cr_expect_eq(result.taken, 0);
	cr_expect_gt(result.events, 100000);
	cr_expect_eq(stored_events(&fixture), result.events + 1);
	fixture.stop = 0;
	cr_expect_eq(ingest(&fixture, path, &result), 0);
	cr_expect_lt(result.events, 200000);
	cr_expect_str_eq(fixture.reports.data, "continued b.ndjson ndjson -\n");
	cr_expect_eq(stored_events(&fixture), 300001);
	iq_buf_release(&large);
	release_fixture(&fixture);
}

/* ---- stdin ---- */

static int ingest_stdin(struct fixture *fixture, struct iq_view bytes, struct iq_ingest_result *result)
{
	int ends[2], saved = dup(STDIN_FILENO), rc;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], bytes.data, bytes.len), (ssize_t)bytes.len);
	(void)close(ends[1]);
	cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	rc = ingest(fixture, "-", result);
	cr_assert_eq(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	(void)close(saved);
	return rc;
}

Test(pipeline, takes_stdin_once)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;

	cr_expect_eq(ingest_stdin(&fixture, IQ_LIT(RECORD(1)), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "taken - ndjson -\n");
	cr_expect_eq(ingest_stdin(&fixture, IQ_LIT(RECORD(1)), &result), 0);
	cr_expect_str_eq(fixture.reports.data, "known - ndjson -\n");
	cr_expect_eq(stored_events(&fixture), 1);
	release_fixture(&fixture);
}

/* ---- Killed ---- */

static void die_halfway(void *context, const char *path, uint64_t done, uint64_t total)
{
	(void)context;
	(void)path;
	if (done > total / 2)
		(void)raise(SIGKILL);
}

Test(pipeline, goes_on_after_it_was_killed)
{
	struct fixture fixture = make_fixture();
	const struct iq_ingest_options options = { .progress = die_halfway };
	struct iq_ingest_result result;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf large = many_records(300000);
	const char *path = path_in(&fixture, "b.ndjson");
	int status;
	pid_t child;

	write_file(&fixture, "a.ndjson", IQ_LIT(RECORD(1)));
	write_file(&fixture, "b.ndjson", iq_buf_view(&large));
	cr_assert_eq(ingest(&fixture, path_in(&fixture, "a.ndjson"), &result), 0);
	child = fork();
	if (child == 0)
		_exit(iq_ingest(path_in(&fixture, "store"), &path, 1, &options, &result, &error) == 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	cr_expect_eq(stored_events(&fixture), 1);
	cr_expect_eq(ingest(&fixture, path, &result), 0);
	cr_expect_eq(stored_events(&fixture), 300001);
	iq_buf_release(&large);
	release_fixture(&fixture);
}

Test(pipeline, gives_the_evidence_back)
{
	struct fixture fixture = make_fixture();
	struct iq_ingest_result result;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf large = many_records(100000), raw = IQ_BUF_INIT;
	struct iq_store *store;

	write_file(&fixture, "a.ndjson", iq_buf_view(&large));
	cr_assert_eq(ingest(&fixture, path_in(&fixture, "a.ndjson"), &result), 0);
	cr_assert_eq(iq_store_open(path_in(&fixture, "store"), &store, &error), 0, "%s", error.message);
	cr_expect_eq(iq_store_read_raw(store, 1, 0, large.len, &raw, &error), 0, "%s", error.message);
	cr_expect(iq_view_eq(iq_buf_view(&raw), iq_buf_view(&large)));
	iq_store_close(store);
	iq_buf_release(&raw);
	iq_buf_release(&large);
	release_fixture(&fixture);
}

static volatile int *stop_of_signal;

static void stop_on_signal(int signal_number)
{
	(void)signal_number;
	*stop_of_signal = 1;
}

/* The timer repeats, so that a signal also comes while the read is waiting. */
Test(pipeline, stops_while_it_waits_for_stdin)
{
	struct fixture fixture = make_fixture();
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = stop_on_signal };
	struct iq_ingest_result result = { .taken = 7 };
	int ends[2], saved = dup(STDIN_FILENO);

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], RECORD(1), sizeof(RECORD(1)) - 1), (ssize_t)sizeof(RECORD(1)) - 1);
	cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	stop_of_signal = &fixture.stop;
	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	cr_expect_eq(ingest(&fixture, "-", &result), IQ_ERR_INTERRUPTED);
	cr_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	cr_expect_eq(result.taken, 0);
	cr_expect_eq(stored_events(&fixture), 0);
	cr_assert_eq(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	(void)close(saved);
	(void)close(ends[0]);
	(void)close(ends[1]);
	release_fixture(&fixture);
}
