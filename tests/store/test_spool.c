/* A live recording as its users rely on it: what was acknowledged is there whatever happened, and what is not there is said. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "store/spool_format.h"

/* Larger than any test records, so that only a flush or a full block makes the spooler write. */
#define LONG_TIME (3600 * IQ_NS_PER_S)

struct scene {
	char directory[64];
	char path[96];
	struct disk disk;
	struct iq_live_options options;
	struct iq_live *live;
	struct iq_error error;
};

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){ .options = IQ_LIVE_OPTIONS_INIT, .error = IQ_ERROR_INIT };
	/* In memory where that can be: thousands of syncs. */
	(void)snprintf(scene->directory, sizeof(scene->directory), "%s/inquest-spool-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	cr_assert(mkdtemp(scene->directory));
	(void)snprintf(scene->path, sizeof(scene->path), "%s/case", scene->directory);
	disk_init(&scene->disk);
	scene->options.name = "proxy.rec";
	scene->options.format = "log";
	scene->options.io = &scene->disk.io;
	scene->options.spool_bytes = 20000;
	scene->options.reserve_bytes = 4000;
	scene->options.sync_ns = LONG_TIME;
	scene->options.retry_ns = IQ_NS_PER_MS;
}

static void scene_close(struct scene *scene)
{
	iq_live_free(scene->live);
	disk_release(&scene->disk);
	cr_expect_eq(iq_file_remove_tree(scene->directory, NULL), 0);
}

static void start(struct scene *scene)
{
	cr_assert_eq(iq_live_open(scene->path, &scene->options, &scene->live, &scene->error), 0, "%s",
		     scene->error.message);
}

static void flush(struct scene *scene)
{
	cr_assert_eq(iq_live_flush(scene->live, &scene->error), 0, "%s", scene->error.message);
}

static void stop(struct scene *scene)
{
	cr_assert_eq(iq_live_close(scene->live, &scene->error), 0, "%s", scene->error.message);
	iq_live_free(scene->live);
	scene->live = NULL;
}

/* Event `number`, of one of three sessions. Its sequence number, or 0. */
static uint64_t record(struct scene *scene, int64_t number)
{
	struct iq_event event = IQ_EVENT_INIT;
	char line[256], session[16];
	int len = snprintf(line, sizeof(line), "c%d {\"type\":\"tick\",\"n\":%" PRId64 ",\"pad\":\"%0*d\"}\n",
			   (int)(number % 3), number, (int)(number * 37 % 90) + 1, 0);

	(void)snprintf(session, sizeof(session), "c%d", (int)(number % 3));
	event.ts = number * 1000;
	event.kind = IQ_KIND_WS_MESSAGE;
	event.direction = IQ_DIRECTION_SERVER;
	event.source = IQ_LIT("proxy");
	event.session = iq_view_cstr(session);
	event.seq = number;
	event.body = iq_view_make(line + 3, (size_t)len - 4);
	return iq_live_event(scene->live, &event, iq_view_make(line, (size_t)len));
}

static void record_many(struct scene *scene, int64_t first, int64_t last)
{
	for (int64_t number = first; number <= last; number++)
		cr_assert_neq(record(scene, number), 0);
}

/* What a reader sees. */
struct seen {
	uint64_t events;
	int64_t last;	       /* seq of the last event */
	uint64_t out_of_order; /* events whose seq does not follow */
	uint64_t lost;	       /* events that gaps tell of */
	uint64_t lost_bytes;
	size_t gaps;
	bool abrupt;
	bool damaged;
	char reason[256]; /* of the last gap that counts events */
};

static void look_at_gaps(const struct iq_store *store, struct seen *seen)
{
	const struct iq_gap *gaps = iq_store_gaps(store, &seen->gaps);

	for (size_t i = 0; i < seen->gaps; i++) {
		seen->abrupt |= iq_view_starts_with(gaps[i].reason, IQ_LIT("the recording ended abruptly"));
		seen->damaged |= iq_view_starts_with(gaps[i].reason, IQ_LIT("the spool is damaged"));
		if (gaps[i].count == IQ_NUMBER_NONE)
			continue;
		seen->lost += (uint64_t)gaps[i].count;
		seen->lost_bytes += gaps[i].bytes;
		(void)snprintf(seen->reason, sizeof(seen->reason), "%.*s", IQ_VIEW_ARG(gaps[i].reason));
	}
}

static struct seen look(const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct seen seen = { .last = 0 };
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	struct iq_buf raw = IQ_BUF_INIT;
	int rc;

	cr_assert_eq(iq_store_open(path, &store, &error), 0, "%s", error.message);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, &error), 0, "%s", error.message);
	while ((rc = iq_cursor_next(cursor, &event, &error)) > 0) {
		seen.events++;
		seen.out_of_order += event.seq != seen.last + 1;
		seen.last = event.seq;
		iq_buf_clear(&raw);
		cr_assert_eq(iq_store_read_raw(store, event.evidence, event.offset, event.length, &raw, &error), 0);
		cr_assert_neq(iq_view_find(iq_buf_view(&raw), event.body), SIZE_MAX);
	}
	cr_assert_eq(rc, 0, "%s", error.message);
	look_at_gaps(store, &seen);
	iq_buf_release(&raw);
	iq_cursor_close(cursor);
	iq_store_close(store);
	return seen;
}

static int print_damage(void *context, const struct iq_damage *damage)
{
	(void)snprintf(context, 512, "%s: %s", damage->segment, damage->message);
	return 0;
}

static struct iq_verify_result verify(const char *path, char message[512])
{
	struct iq_verify_result result;
	struct iq_error error = IQ_ERROR_INIT;

	message[0] = '\0';
	cr_assert_eq(iq_store_verify(path, print_damage, message, &result, &error), 0, "%s", error.message);
	return result;
}

/* The next writer seals what is there. */
static void recover(const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store_writer *writer;

	cr_assert_eq(iq_store_writer_open(path, &writer, &error), 0, "%s", error.message);
	iq_store_writer_free(writer);
}

static void spool_path(const struct scene *scene, unsigned number, char ret_path[160])
{
	(void)snprintf(ret_path, 160, "%s/spool/%08u.spool", scene->path, number);
}

/* ---- Recording ---- */

Test(spool, shows_what_is_acknowledged_and_no_more)
{
	struct scene scene;
	struct seen seen;

	scene_open(&scene);
	start(&scene);
	cr_expect_eq(look(scene.path).events, 0);
	record_many(&scene, 1, 5);
	flush(&scene);
	record_many(&scene, 6, 8);
	seen = look(scene.path);
	cr_expect_eq(seen.events, 5);
	cr_expect_eq(seen.gaps, 0);
	cr_expect_eq(iq_live_acknowledged(scene.live), 5);
	flush(&scene);
	cr_expect_eq(look(scene.path).events, 8);
	cr_expect_eq(iq_live_acknowledged(scene.live), 8);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, 8);
	cr_expect_eq(seen.gaps, 0);
	scene_close(&scene);
}

Test(spool, acknowledges_by_itself_in_time)
{
	struct scene scene;
	uint64_t seq;

	scene_open(&scene);
	scene.options.sync_ns = IQ_LIVE_SYNC_NS;
	start(&scene);
	seq = record(&scene, 1);
	while (iq_live_acknowledged(scene.live) < seq)
		(void)usleep(1000);
	cr_expect_eq(look(scene.path).events, 1);
	scene_close(&scene);
}

Test(spool, goes_on_in_another_spool_and_seals_behind)
{
	struct scene scene;
	struct iq_store *store;
	const struct iq_evidence *evidence;
	size_t count;
	struct seen seen;

	scene_open(&scene);
	start(&scene);
	for (int64_t number = 1; number <= 1000; number += 10) {
		record_many(&scene, number, number + 9);
		flush(&scene);
		if (number % 100 == 1)
			cr_expect_eq(look(scene.path).events, (uint64_t)number + 9);
	}
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, 1000);
	cr_expect_eq(seen.out_of_order, 0);
	cr_expect_eq(seen.gaps, 0);
	cr_assert_eq(iq_store_open(scene.path, &store, &scene.error), 0);
	evidence = iq_store_evidence(store, &count);
	cr_assert_gt(count, 5);
	cr_expect(iq_view_eq(evidence[0].path, IQ_LIT("proxy.rec")));
	cr_expect(iq_view_eq(evidence[1].path, IQ_LIT("proxy.rec (2)")));
	iq_store_close(store);
	scene_close(&scene);
}

Test(spool, keeps_everything_of_an_event_and_of_a_gap)
{
	struct scene scene;
	struct iq_event event = IQ_EVENT_INIT, read;
	struct iq_gap gap = IQ_GAP_INIT;
	struct iq_store *store;
	struct iq_cursor *cursor;
	const struct iq_gap *gaps;
	size_t count;

	scene_open(&scene);
	start(&scene);
	event.ts = 17;
	event.kind = IQ_KIND_HTTP_RESPONSE;
	event.direction = IQ_DIRECTION_SERVER;
	event.severity = IQ_SEVERITY_WARNING;
	event.source = IQ_LIT("proxy");
	event.session = IQ_LIT("c1");
	event.type = IQ_LIT("http.response");
	event.key = IQ_LIT("k");
	event.seq = -5;
	event.body = IQ_LIT("not to be found in it\xff");
	event.attrs = IQ_LIT("{\"status\":200}");
	cr_expect_eq(iq_live_event(scene.live, &event, IQ_LIT("raw bytes")), 1);
	event.body = IQ_VIEW_NULL;
	event.ts = IQ_TIME_NONE;
	cr_expect_eq(iq_live_event(scene.live, &event, IQ_VIEW_NULL), 2);
	gap.source = IQ_LIT("proxy");
	gap.session = IQ_LIT("c1");
	gap.direction = IQ_DIRECTION_CLIENT;
	gap.count = 3;
	gap.bytes = 99;
	gap.reason = IQ_LIT("the tap was closed");
	cr_expect_eq(iq_live_gap(scene.live, &gap), 3);
	stop(&scene);
	cr_assert_eq(iq_store_open(scene.path, &store, &scene.error), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, &scene.error), 0);
	cr_assert_eq(iq_cursor_next(cursor, &read, &scene.error), 1);
	cr_expect(read.ts == 17 && read.observed == IQ_TIME_NONE && read.kind == IQ_KIND_HTTP_RESPONSE &&
		  read.direction == IQ_DIRECTION_SERVER && read.severity == IQ_SEVERITY_WARNING && read.seq == -5);
	cr_expect(iq_view_eq(read.type, event.type) && iq_view_eq(read.key, event.key) &&
		  iq_view_eq(read.attrs, event.attrs) && read.body_is_binary);
	cr_expect(read.offset == 0 && read.length == 9);
	cr_assert_eq(iq_cursor_next(cursor, &read, &scene.error), 1);
	cr_expect(iq_view_is_null(read.body) && read.ts == IQ_TIME_NONE && read.offset == 0 && read.length == 9);
	gaps = iq_store_gaps(store, &count);
	cr_assert_eq(count, 1);
	cr_expect(gaps[0].after == 2 && gaps[0].before == 0 && gaps[0].count == 3 && gaps[0].bytes == 99 &&
		  gaps[0].direction == IQ_DIRECTION_CLIENT && iq_view_eq(gaps[0].session, IQ_LIT("s1")));
	iq_cursor_close(cursor);
	iq_store_close(store);
	scene_close(&scene);
}

Test(spool, leaves_nothing_of_a_recording_without_events)
{
	struct scene scene;
	char path[160];

	scene_open(&scene);
	start(&scene);
	stop(&scene);
	spool_path(&scene, 1, path);
	cr_expect_neq(access(path, F_OK), 0);
	cr_expect_eq(look(scene.path).gaps, 0);
	scene_close(&scene);
}

Test(spool, says_what_is_too_large)
{
	const size_t size = 60u << 20;
	struct iq_event event = IQ_EVENT_INIT;
	struct scene scene;
	struct seen seen;
	char *large = calloc(1, size);

	scene_open(&scene);
	start(&scene);
	cr_assert(large);
	record_many(&scene, 1, 1);
	event.source = IQ_LIT("proxy");
	cr_expect_eq(iq_live_event(scene.live, &event, iq_view_make(large, size)), 0);
	/* What lies in the same bytes cannot be told where it lies. */
	cr_expect_eq(iq_live_event(scene.live, &event, IQ_VIEW_NULL), 0);
	record_many(&scene, 2, 2);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, 2);
	cr_expect_eq(seen.lost, 2);
	cr_expect_eq(seen.lost_bytes, size);
	free(large);
	scene_close(&scene);
}

/* ---- A disk that does not take it ---- */

Test(spool, says_what_a_full_disk_did_not_take)
{
	struct scene scene;
	struct iq_live_status status;
	struct seen seen;
	int64_t number = 10, taken = 10;

	scene_open(&scene);
	scene.options.queue_bytes = 30000;
	start(&scene);
	record_many(&scene, 1, 10);
	flush(&scene);
	atomic_store(&scene.disk.full, ENOSPC);
	for (; number < 1000; number++)
		taken += record(&scene, number + 1) != 0;
	cr_expect_eq(iq_live_flush(scene.live, &scene.error), IQ_ERR_IO);
	cr_expect(strstr(scene.error.message, "No space left"), "%s", scene.error.message);
	iq_live_status(scene.live, &status);
	cr_expect_eq(status.lost_events, 1000 - (uint64_t)taken);
	cr_expect(strstr(status.trouble, "No space left"));
	/* The reserve has it already: this is what would be known after a crash. */
	do
		seen = look(scene.path);
	while (seen.lost < status.lost_events);
	cr_expect_eq(seen.lost, status.lost_events);
	cr_expect_lt(seen.events, (uint64_t)taken);

	atomic_store(&scene.disk.full, 0);
	iq_error_clear(&scene.error);
	while (iq_live_flush(scene.live, NULL) < 0)
		;
	record_many(&scene, 1001, 1010);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, (uint64_t)taken + 10);
	cr_expect_eq(seen.lost, 1000 - (uint64_t)taken);
	cr_expect_eq(seen.lost_bytes, status.lost_bytes);
	cr_expect_eq(seen.out_of_order, 1);
	cr_expect_eq(seen.last, 1010);
	cr_expect_not(seen.damaged);
	cr_expect(strstr(seen.reason, "not recorded: "), "%s", seen.reason);
	scene_close(&scene);
}

Test(spool, says_what_was_still_waiting_when_it_was_closed)
{
	struct scene scene;
	struct seen seen;
	char message[512];

	scene_open(&scene);
	scene.options.queue_bytes = 30000;
	start(&scene);
	record_many(&scene, 1, 10);
	flush(&scene);
	atomic_store(&scene.disk.full, ENOSPC);
	for (int64_t number = 11; number <= 1000; number++)
		(void)record(&scene, number);
	(void)iq_live_flush(scene.live, NULL);
	cr_expect_eq(iq_live_close(scene.live, &scene.error), IQ_ERR_IO);
	cr_expect(strstr(scene.error.message, "No space left"), "%s", scene.error.message);
	iq_live_free(scene.live);
	scene.live = NULL;
	seen = look(scene.path);
	cr_expect_eq(seen.events, 10);
	cr_expect_eq(seen.lost, 990);
	cr_expect_not(seen.damaged || seen.abrupt);
	cr_expect_eq(verify(scene.path, message).damages, 0, "%s", message);
	scene_close(&scene);
}

Test(spool, never_waits_for_a_slow_disk)
{
	struct scene scene;
	struct seen seen;
	uint64_t taken = 0;

	scene_open(&scene);
	scene.options.queue_bytes = 30000;
	start(&scene);
	atomic_store(&scene.disk.stuck, true);
	for (int64_t number = 1; number <= 2000; number++)
		taken += record(&scene, number) != 0;
	cr_expect_lt(taken, 2000);
	cr_expect_eq(iq_live_acknowledged(scene.live), 0);
	disk_let_go(&scene.disk);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, taken);
	cr_expect_eq(seen.lost, 2000 - taken);
	cr_expect_eq(seen.gaps, 3, "one for each session");
	cr_expect_not(seen.damaged);
	cr_expect(strstr(seen.reason, "too slow"), "%s", seen.reason);
	scene_close(&scene);
}

Test(spool, counts_the_losses_of_many_sessions_together)
{
	struct scene scene;
	struct iq_event event = IQ_EVENT_INIT;
	struct seen seen;
	uint64_t lost = 0;
	char session[16];

	scene_open(&scene);
	scene.options.queue_bytes = 1000;
	start(&scene);
	atomic_store(&scene.disk.stuck, true);
	event.source = IQ_LIT("proxy");
	for (unsigned i = 0; i < 3000; i++) {
		(void)snprintf(session, sizeof(session), "c%u", i % 1000);
		event.session = iq_view_cstr(session);
		event.seq = i + 1;
		lost += iq_live_event(scene.live, &event, IQ_LIT("x")) == 0;
	}
	disk_let_go(&scene.disk);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.lost, lost);
	cr_expect_eq(seen.lost_bytes, lost);
	cr_expect_eq(seen.gaps, IQ_LIVE_MAX_LOSSES);
	scene_close(&scene);
}

Test(spool, never_trusts_a_file_again_that_failed)
{
	struct scene scene;
	struct seen seen;

	scene_open(&scene);
	start(&scene);
	record_many(&scene, 1, 10);
	flush(&scene);
	atomic_store(&scene.disk.sync_failure, EIO);
	record_many(&scene, 11, 20);
	flush(&scene);
	cr_expect_eq(look(scene.path).events, 20);
	record_many(&scene, 21, 30);
	stop(&scene);
	seen = look(scene.path);
	cr_expect_eq(seen.events, 30);
	cr_expect_eq(seen.out_of_order, 0);
	cr_expect_eq(seen.gaps, 0);
	cr_expect_not(scene.disk.used_after_failure);
	scene_close(&scene);
}

/* ---- Power loss and damage ---- */

/* Records until the power goes at a call; the calls that there are when it does not. */
static unsigned cut_power(unsigned cut_at, unsigned seed)
{
	struct scene scene;
	uint64_t acknowledged = 0;
	int64_t number = 0;
	struct seen live, sealed;
	char message[512];
	unsigned calls;

	scene_open(&scene);
	scene.options.spool_bytes = 1500;
	scene.disk.cut_at = cut_at;
	if (iq_live_open(scene.path, &scene.options, &scene.live, &scene.error) == 0) {
		do {
			for (unsigned i = 0; i < 3; i++)
				(void)record(&scene, ++number);
			/* Counted in sequence numbers, which are those of the events as long as nothing is lost. */
		} while (iq_live_flush(scene.live, NULL) == 0 && number < 36);
		acknowledged = iq_live_acknowledged(scene.live);
		cr_assert(iq_live_close(scene.live, &scene.error) == 0 || scene.disk.cut, "%s", scene.error.message);
	}
	iq_live_free(scene.live);
	scene.live = NULL;
	calls = scene.disk.calls;
	disk_lose_power(&scene.disk, &seed);
	live = look(scene.path);
	cr_assert_geq(live.events, acknowledged, "power cut at call %u: %" PRIu64 " of %" PRIu64, cut_at, live.events,
		      acknowledged);
	cr_assert_leq(live.events, (uint64_t)number);
	cr_assert_eq(live.out_of_order, 0, "power cut at call %u", cut_at);
	cr_assert_not(live.damaged, "power cut at call %u", cut_at);
	recover(scene.path);
	sealed = look(scene.path);
	cr_assert_eq(sealed.events, live.events);
	cr_assert_eq(sealed.gaps, live.gaps);
	cr_assert_eq(verify(scene.path, message).damages, 0, "%s", message);
	scene_close(&scene);
	return calls;
}

Test(spool, keeps_what_is_acknowledged_wherever_the_power_goes)
{
	const char *given = getenv("IQ_TEST_SEED");
	const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	const unsigned rounds = getenv("IQ_TEST_ROUNDS") ? 20 : 1;
	const unsigned calls = cut_power(0, seed);

	(void)fprintf(stderr, "# seed %u, %u calls\n", seed, calls);
	cr_assert_gt(calls, 60);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned at = 1; at <= calls; at++)
			(void)cut_power(at, seed + round * 1000 + at);
}

/* Leaves a spool of a writer that died after 100 events. */
static void leave_spool(struct scene *scene)
{
	scene->options.spool_bytes = 1 << 20;
	start(scene);
	record_many(scene, 1, 100);
	flush(scene);
	iq_live_free(scene->live);
	scene->live = NULL;
}

static void damage_spool(const struct scene *scene, off_t at, size_t len)
{
	char path[160], bytes[64] = { 0 };
	int fd;

	spool_path(scene, 1, path);
	fd = open(path, O_WRONLY);
	cr_assert(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len);
	(void)close(fd);
}

Test(spool, says_that_a_recording_ended_abruptly)
{
	struct scene scene;
	struct seen seen;
	char message[512];

	scene_open(&scene);
	leave_spool(&scene);
	seen = look(scene.path);
	cr_expect(seen.abrupt && seen.events == 100 && seen.gaps == 1);
	recover(scene.path);
	seen = look(scene.path);
	cr_expect(seen.abrupt && seen.events == 100 && seen.gaps == 1);
	cr_expect_eq(verify(scene.path, message).damages, 0);
	scene_close(&scene);
}

Test(spool, reads_on_behind_a_damaged_record)
{
	struct scene scene;
	struct iq_verify_result result;
	struct seen seen;
	char message[512];

	scene_open(&scene);
	leave_spool(&scene);
	damage_spool(&scene, 8192 + 3000, 16);
	seen = look(scene.path);
	cr_expect_geq(seen.events, 97);
	cr_expect_lt(seen.events, 100);
	cr_expect_eq(seen.last, 100);
	cr_expect(seen.damaged && seen.abrupt);
	result = verify(scene.path, message);
	cr_expect_eq(result.damages, 1);
	cr_expect(strstr(message, "00000001.spool: records #"), "%s", message);
	recover(scene.path);
	cr_expect_eq(look(scene.path).events, seen.events);
	scene_close(&scene);
}

Test(spool, says_what_is_missing_at_its_end)
{
	struct scene scene;
	struct seen seen;
	char path[160], message[512];

	scene_open(&scene);
	leave_spool(&scene);
	spool_path(&scene, 1, path);
	cr_assert_eq(truncate(path, 8192 + 3000), 0);
	seen = look(scene.path);
	cr_expect(seen.damaged && seen.abrupt && seen.out_of_order == 0 && seen.events > 0 && seen.events < 100);
	cr_expect_eq(verify(scene.path, message).damages, 1);
	scene_close(&scene);
}

Test(spool, reports_a_header_that_is_damaged)
{
	struct scene scene;
	char message[512];

	scene_open(&scene);
	leave_spool(&scene);
	damage_spool(&scene, 12, 4);
	cr_expect_eq(look(scene.path).events, 0);
	cr_expect_eq(verify(scene.path, message).damages, 1);
	cr_expect(strstr(message, "header"), "%s", message);
	/* It is left where it is, and in nobody's way. */
	scene.options.name = "next.rec";
	start(&scene);
	record_many(&scene, 1, 3);
	stop(&scene);
	cr_expect_eq(look(scene.path).events, 3);
	cr_expect_eq(verify(scene.path, message).damages, 1);
	scene_close(&scene);
}

/* Between the manifest's line and the removal of the spool. */
Test(spool, counts_nothing_twice_that_is_sealed)
{
	struct scene scene;
	struct iq_buf copy = IQ_BUF_INIT;
	char path[160];
	int fd;

	scene_open(&scene);
	leave_spool(&scene);
	spool_path(&scene, 1, path);
	cr_assert_eq(iq_file_read(path, SIZE_MAX / 2, &copy, &scene.error), 0);
	recover(scene.path);
	cr_assert_neq(access(path, F_OK), 0);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0 && write(fd, copy.data, copy.len) == (ssize_t)copy.len);
	(void)close(fd);
	cr_expect_eq(look(scene.path).events, 100);
	cr_expect_eq(look(scene.path).gaps, 1);
	recover(scene.path);
	cr_expect_neq(access(path, F_OK), 0);
	cr_expect_eq(look(scene.path).events, 100);
	iq_buf_release(&copy);
	scene_close(&scene);
}

Test(spool, passes_over_one_that_is_not_the_stores_own)
{
	const struct iq_spool_header header = { .number = 9,
						.evidence = 7,
						.seq_first = 1,
						.id_first = 50,
						.name = IQ_LIT("foreign"),
						.format = IQ_LIT("log") };
	struct iq_buf bytes = IQ_BUF_INIT;
	struct scene scene;
	char path[160], message[512];
	int fd;

	scene_open(&scene);
	leave_spool(&scene);
	recover(scene.path);
	cr_assert_eq(iq_spool_append_header(&bytes, &header), 0);
	spool_path(&scene, 9, path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	(void)close(fd);
	cr_expect_eq(look(scene.path).events, 100);
	cr_expect_eq(verify(scene.path, message).damages, 1);
	cr_expect(strstr(message, "would be 50"), "%s", message);
	recover(scene.path);
	cr_expect_eq(access(path, F_OK), 0);
	iq_buf_release(&bytes);
	scene_close(&scene);
}

Test(spool, belongs_to_one_writer_at_a_time)
{
	struct scene scene;
	struct iq_store_writer *writer;

	scene_open(&scene);
	start(&scene);
	cr_expect_eq(iq_store_writer_open(scene.path, &writer, &scene.error), IQ_ERR_BUSY);
	scene_close(&scene);
}
