/* A store as its users rely on it: what was committed comes back, whole and in order, and what is damaged is found. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

struct scene {
	char directory[64];
	char path[96];
	struct iq_store_writer *writer;
	struct iq_error error;
	uint64_t offset; /* raw bytes of the open evidence */
};

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){ .directory = "/tmp/inquest-store-XXXXXX", .error = IQ_ERROR_INIT };
	cr_assert(mkdtemp(scene->directory));
	(void)snprintf(scene->path, sizeof(scene->path), "%s/case", scene->directory);
}

static void scene_close(struct scene *scene)
{
	iq_store_writer_free(scene->writer);
	cr_expect_eq(iq_file_remove_tree(scene->directory, NULL), 0);
}

static void begin(struct scene *scene, const char *name)
{
	if (!scene->writer)
		cr_assert_eq(iq_store_writer_open(scene->path, &scene->writer, &scene->error), 0, "%s",
			     scene->error.message);
	scene->offset = 0;
	cr_assert_eq(iq_store_writer_evidence_begin(scene->writer, iq_view_cstr(name), IQ_LIT("ndjson"), &scene->error),
		     0);
}

/* Stores an event whose raw bytes are `raw`. */
static void add(struct scene *scene, struct iq_event event, const char *raw)
{
	struct iq_sink *sink = iq_store_writer_sink(scene->writer);

	event.offset = scene->offset;
	event.length = strlen(raw);
	scene->offset += event.length;
	cr_assert_eq(iq_store_writer_raw(scene->writer, raw, strlen(raw), &scene->error), 0);
	cr_assert_eq(sink->event(sink->context, &event, &scene->error), 0, "%s", scene->error.message);
}

static struct iq_event message(const char *session, int64_t ts, const char *type, const char *body)
{
	struct iq_event event = IQ_EVENT_INIT;

	event.kind = IQ_KIND_WS_MESSAGE;
	event.source = IQ_LIT("proxy");
	event.session = iq_view_cstr(session);
	event.ts = ts;
	event.type = iq_view_cstr(type);
	event.body = iq_view_cstr(body);
	return event;
}

static void end(struct scene *scene)
{
	struct iq_evidence evidence;

	cr_assert_eq(iq_store_writer_evidence_end(scene->writer, &evidence, &scene->error), 0, "%s",
		     scene->error.message);
	cr_expect_eq(evidence.accounted, evidence.bytes);
}

static void commit(struct scene *scene)
{
	end(scene);
	cr_assert_eq(iq_store_writer_commit(scene->writer, &scene->error), 0, "%s", scene->error.message);
}

/* `1:a 2:b` of what a filter lets through. */
static void expect_events(const char *path, const struct iq_filter *filter, const char *expected)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf found = IQ_BUF_INIT;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	cr_assert_eq(iq_store_open(path, &store, &error), 0, "%s", error.message);
	cr_assert_eq(iq_cursor_open(store, filter, &cursor, &error), 0, "%s", error.message);
	while ((rc = iq_cursor_next(cursor, &event, &error)) > 0)
		(void)iq_buf_appendf(&found, "%s%" PRIu64 ":%.*s", found.len ? " " : "", event.id,
				     IQ_VIEW_ARG(event.body));
	cr_expect_eq(rc, 0, "%s", error.message);
	cr_expect_str_eq(found.data ? found.data : "", expected);
	iq_cursor_close(cursor);
	iq_store_close(store);
	iq_buf_release(&found);
}

static int count_damage(void *context, const struct iq_damage *damage)
{
	cr_expect(damage->segment && damage->message[0]);
	(*(size_t *)context)++;
	return 0;
}

static size_t damages(const char *path)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result result;
	size_t count = 0;

	cr_assert_eq(iq_store_verify(path, count_damage, &count, &result, &error), 0, "%s", error.message);
	cr_expect_eq(result.damages, count);
	return count;
}

static void only_segment(const struct scene *scene, char path[160])
{
	(void)snprintf(path, 160, "%s/segments/00000001.seg", scene->path);
	cr_assert_eq(access(path, R_OK), 0);
}

Test(store, gives_back_what_was_committed_in_evidence_and_time_order)
{
	struct scene scene;
	struct iq_filter filter = IQ_FILTER_INIT;

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 30, "x", "late"), "1\n");
	add(&scene, message("c2", 10, "y", "early"), "22\n");
	add(&scene, message("c1", 20, "x", "clock-went-back"), "333\n");
	add(&scene, message("c2", 40, "y", "last"), "4\n");
	commit(&scene);
	expect_events(scene.path, NULL, "1:late 2:early 3:clock-went-back 4:last");
	/* A stream's own order stands above its clock. */
	filter.order = IQ_ORDER_TIME;
	expect_events(scene.path, &filter, "2:early 1:late 3:clock-went-back 4:last");
	filter.order = IQ_ORDER_TIME_DESC;
	expect_events(scene.path, &filter, "4:last 3:clock-went-back 1:late 2:early");
	cr_expect_eq(damages(scene.path), 0);
	scene_close(&scene);
}

Test(store, filters_by_every_pushed_column)
{
	struct scene scene;
	struct iq_filter filter = IQ_FILTER_INIT;
	const struct iq_view types[] = { IQ_LIT("y"), IQ_LIT("nothing") };
	const struct iq_view sources[] = { IQ_LIT("nobody") };
	const uint32_t sessions[] = { 2 };

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "one"), "1");
	add(&scene, message("c2", 2, "y", "two"), "2");
	add(&scene, message("c2", IQ_TIME_NONE, "z", "timeless"), "3");
	commit(&scene);
	filter.ts_min = 2;
	expect_events(scene.path, &filter, "2:two");
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.types = types;
	filter.type_count = 2;
	expect_events(scene.path, &filter, "2:two");
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.sessions = sessions;
	filter.session_count = 1;
	expect_events(scene.path, &filter, "2:two 3:timeless");
	filter.id_max = 2;
	expect_events(scene.path, &filter, "2:two");
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.sources = sources;
	filter.source_count = 1;
	expect_events(scene.path, &filter, "");
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.kinds = 1u << IQ_KIND_LOG;
	expect_events(scene.path, &filter, "");
	scene_close(&scene);
}

Test(store, keeps_every_field_and_every_raw_byte)
{
	static const char body[] = "\xff\0binary";
	struct scene scene;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event = IQ_EVENT_INIT;
	struct iq_buf raw = IQ_BUF_INIT;

	scene_open(&scene);
	begin(&scene, "dir/a.ndjson");
	event.kind = IQ_KIND_LOG;
	event.ts = INT64_C(1795403232418000001);
	event.observed = -5;
	event.source = IQ_LIT("api");
	event.direction = IQ_DIRECTION_SERVER;
	event.severity = IQ_SEVERITY_ERROR;
	event.type = IQ_LIT("t");
	event.key = IQ_LIT("");
	event.seq = -7;
	event.body = iq_view_make(body, sizeof(body) - 1);
	event.body_is_binary = true;
	event.attrs = IQ_LIT("{\"a\":1}");
	add(&scene, event, "first line\n");
	add(&scene, message("c", 9, NULL, ""), "second\n");
	commit(&scene);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, NULL), 0);
	cr_assert_eq(iq_cursor_next(cursor, &event, NULL), 1);
	cr_expect_eq(event.ts, INT64_C(1795403232418000001));
	cr_expect_eq(event.observed, -5);
	cr_expect_eq(event.seq, -7);
	cr_expect_eq(event.kind, IQ_KIND_LOG);
	cr_expect_eq(event.direction, IQ_DIRECTION_SERVER);
	cr_expect_eq(event.severity, IQ_SEVERITY_ERROR);
	cr_expect(iq_view_eq(event.source, IQ_LIT("api")) && iq_view_eq(event.type, IQ_LIT("t")));
	cr_expect(event.key.data && event.key.len == 0, "empty is not NULL");
	cr_expect(event.body_is_binary && iq_view_eq(event.body, iq_view_make(body, sizeof(body) - 1)));
	cr_expect(iq_view_eq(event.attrs, IQ_LIT("{\"a\":1}")));
	cr_expect_eq(event.session_no, 0);
	cr_assert_eq(iq_cursor_next(cursor, &event, NULL), 1);
	cr_expect(!event.type.data && event.body.data && event.body.len == 0);
	cr_expect(iq_view_eq(event.session, IQ_LIT("s1")));
	cr_assert_eq(iq_store_read_raw(store, event.evidence, event.offset, event.length, &raw, NULL), 0);
	cr_expect_str_eq(raw.data, "second\n");
	iq_cursor_close(cursor);
	iq_store_close(store);
	iq_buf_release(&raw);
	scene_close(&scene);
}

Test(store, folds_sessions_over_evidence_and_commits)
{
	struct scene scene;
	struct iq_store *store;
	const struct iq_session *sessions;
	struct iq_event event = message("c1", 5, NULL, NULL);
	size_t count;

	scene_open(&scene);
	begin(&scene, "a");
	event.kind = IQ_KIND_WS_OPEN;
	add(&scene, event, "open");
	commit(&scene);
	begin(&scene, "b");
	event.kind = IQ_KIND_NET_ERROR;
	event.ts = 9;
	add(&scene, event, "cut");
	event.session = IQ_LIT("never-opened");
	add(&scene, event, "refused");
	commit(&scene);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	sessions = iq_store_sessions(store, &count);
	cr_assert_eq(count, 2);
	cr_expect(sessions[0].start_seen && sessions[0].end_seen);
	cr_expect_eq(sessions[0].state, IQ_SESSION_CUT);
	cr_expect_eq(sessions[0].started, 5);
	cr_expect_eq(sessions[0].ended, 9);
	cr_expect_eq(sessions[0].events, 2);
	cr_expect_eq(sessions[1].state, IQ_SESSION_REFUSED);
	iq_store_close(store);
	scene_close(&scene);
}

Test(store, accounts_for_bytes_that_belong_to_nothing)
{
	struct scene scene;
	struct iq_store *store;
	const struct iq_gap *gaps;
	size_t count;

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "one"), "1\n");
	cr_assert_eq(iq_store_writer_raw(scene.writer, "stray", 5, NULL), 0);
	scene.offset += 5;
	add(&scene, message("c1", 2, "x", "two"), "2\n");
	commit(&scene);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	gaps = iq_store_gaps(store, &count);
	cr_assert_eq(count, 1);
	cr_expect_eq(gaps[0].offset, 2);
	cr_expect_eq(gaps[0].bytes, 5);
	iq_store_close(store);
	scene_close(&scene);
}

Test(store, goes_back_to_the_last_commit)
{
	struct scene scene;

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "kept"), "1");
	commit(&scene);
	begin(&scene, "b");
	add(&scene, message("c2", 1, "x", "dropped"), "2");
	cr_assert_eq(iq_store_writer_rollback(scene.writer, &scene.error), 0);
	begin(&scene, "c");
	add(&scene, message("c3", 1, "x", "next"), "3");
	commit(&scene);
	/* Without a commit nothing stays. */
	begin(&scene, "d");
	add(&scene, message("c4", 1, "x", "lost"), "4");
	iq_store_writer_free(scene.writer);
	scene.writer = NULL;
	expect_events(scene.path, NULL, "1:kept 2:next");
	cr_expect_eq(damages(scene.path), 0);
	scene_close(&scene);
}

static enum iq_recognition recognise(struct scene *scene, struct iq_view bytes)
{
	struct iq_recogniser *recogniser;
	enum iq_recognition outcome;

	cr_assert_eq(iq_recogniser_new(scene->writer, &recogniser, NULL), 0);
	for (size_t i = 0; i < bytes.len; i++)
		cr_assert_geq(iq_recogniser_feed(recogniser, iq_view_make(bytes.data + i, 1), NULL), 0);
	cr_assert_eq(iq_recogniser_end(recogniser, NULL), 0);
	outcome = iq_recogniser_result(recogniser)->outcome;
	iq_recogniser_free(recogniser);
	return outcome;
}

Test(store, continues_numbers_and_knows_its_evidence)
{
	struct scene scene;

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "one"), "1 of 3");
	commit(&scene);
	iq_store_writer_free(scene.writer);
	scene.writer = NULL;
	begin(&scene, "b");
	cr_expect_eq(recognise(&scene, IQ_LIT("1 of 3")), IQ_STREAM_KNOWN);
	cr_expect_eq(recognise(&scene, IQ_LIT("1 of")), IQ_STREAM_SHORTER);
	cr_expect_eq(recognise(&scene, IQ_LIT("1 of 3, 2 of 3")), IQ_STREAM_CONTINUES);
	cr_expect_eq(recognise(&scene, IQ_LIT("1 of 4")), IQ_STREAM_NEW);
	cr_expect_eq(recognise(&scene, IQ_LIT("2")), IQ_STREAM_NEW);
	add(&scene, message("c1", 2, "x", "two"), "2");
	commit(&scene);
	expect_events(scene.path, NULL, "1:one 2:two");
	scene_close(&scene);
}

Test(store, is_written_by_one_at_a_time)
{
	struct scene scene;
	struct iq_store_writer *second;
	struct iq_error error = IQ_ERROR_INIT;

	scene_open(&scene);
	begin(&scene, "a");
	cr_expect_eq(iq_store_writer_open(scene.path, &second, &error), IQ_ERR_BUSY);
	cr_expect(strstr(error.message, scene.path) != NULL);
	scene_close(&scene);
}

Test(store, ignores_and_removes_what_an_interrupted_writer_left)
{
	struct scene scene;
	char leftover[160];
	int fd;

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "one"), "1");
	commit(&scene);
	iq_store_writer_free(scene.writer);
	scene.writer = NULL;
	(void)snprintf(leftover, sizeof(leftover), "%s/segments/00000002.seg.tmp", scene.path);
	fd = open(leftover, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0 && close(fd) == 0);
	expect_events(scene.path, NULL, "1:one");
	begin(&scene, "b");
	add(&scene, message("c1", 2, "x", "two"), "2");
	commit(&scene);
	cr_expect_neq(access(leftover, F_OK), 0);
	expect_events(scene.path, NULL, "1:one 2:two");
	scene_close(&scene);
}

Test(store, opens_one_segment_file_as_a_store)
{
	struct scene scene;
	char segment[160];

	scene_open(&scene);
	begin(&scene, "a");
	add(&scene, message("c1", 1, "x", "one"), "1");
	commit(&scene);
	only_segment(&scene, segment);
	expect_events(segment, NULL, "1:one");
	cr_expect_eq(damages(segment), 0);
	scene_close(&scene);
}

Test(store, says_what_is_no_store)
{
	struct scene scene;
	struct iq_store *store;
	struct iq_error error = IQ_ERROR_INIT;

	scene_open(&scene);
	cr_expect_eq(iq_store_open(scene.path, &store, &error), IQ_ERR_NOT_FOUND);
	cr_expect(strstr(error.message, scene.path) != NULL, "%s", error.message);
	iq_error_clear(&error);
	cr_expect_lt(iq_store_open(scene.directory, &store, &error), 0);
	cr_expect(strstr(error.message, scene.directory) != NULL, "%s", error.message);
	scene_close(&scene);
}

/* Lines of what the filter lets through, each with its id, where it lies and what it says. */
static int read_events(struct iq_store *store, const struct iq_filter *filter, struct iq_buf *out)
{
	struct iq_cursor *cursor = NULL;
	struct iq_event event;
	int rc = iq_cursor_open(store, filter, &cursor, NULL);

	while (rc >= 0 && (rc = iq_cursor_next(cursor, &event, NULL)) > 0) {
		(void)iq_buf_appendf(out, "%u %" PRIu64 " %" PRIu64 "+%" PRIu64 " %" PRId64 " ", event.session_no,
				     event.id, event.offset, event.length, event.seq);
		rc = iq_event_append_ndjson(out, &event);
	}
	iq_cursor_close(cursor);
	return rc;
}

/* Everything that a store says: its tables, its events, its raw bytes. Negative where it says that it cannot. */
static int read_everything(const char *path, struct iq_buf *out)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store *store;
	size_t count;
	int rc = iq_store_open(path, &store, &error);

	if (rc < 0)
		return rc;
	rc = read_events(store, NULL, out);
	for (size_t i = 0; rc == 0 && i < (iq_store_sessions(store, &count), count); i++) {
		const struct iq_session *session = &iq_store_sessions(store, &count)[i];

		(void)iq_buf_appendf(out, "%u %.*s %" PRIu64 "\n", session->no, IQ_VIEW_ARG(session->name),
				     session->events);
	}
	for (size_t i = 0; rc == 0 && i < (iq_store_evidence(store, &count), count); i++)
		rc = iq_store_read_raw(store, iq_store_evidence(store, &count)[i].no, 0, UINT64_MAX, out, &error);
	iq_store_close(store);
	return rc;
}

/* Events of many sessions in turn, of bodies that have shapes, of some that have none, and of what is not there. */
static void fill_with_sessions(struct scene *scene, unsigned *seed)
{
	static const char *const shapes[] = { "{\"type\":\"bid\",\"price\":%u.25,\"id\":\"%08x\"}",
					      "{\"type\":\"note\",\"text\":\"order %u is late, %x\"}",
					      "plain %u line %x" };
	static const char *const types[] = { "bid", "note", "done" };
	char name[16], body[128];

	begin(scene, "a");
	for (int i = 0; i < 6000; i++) {
		const unsigned shape = (unsigned)rand_r(seed) % 3;
		struct iq_event event;

		(void)snprintf(name, sizeof(name), "c%d", rand_r(seed) % 31);
		(void)snprintf(body, sizeof(body), shapes[shape], (unsigned)i, (unsigned)rand_r(seed));
		event = message(name, i * 1000, types[shape], body);
		event.key = rand_r(seed) % 3 ? iq_view_cstr(name) : IQ_VIEW_NULL;
		event.seq = rand_r(seed) % 4 ? i : IQ_NUMBER_NONE;
		event.observed = rand_r(seed) % 2 ? event.ts : IQ_TIME_NONE;
		event.body = rand_r(seed) % 20 ? event.body : IQ_VIEW_NULL;
		event.attrs = rand_r(seed) % 9 ? IQ_VIEW_NULL : IQ_LIT("{\"a\":1}");
		add(scene, event, body);
	}
	commit(scene);
}

/* Of the lines, those that begin with the number. */
static void pick_lines(struct iq_view lines, uint32_t session, struct iq_buf *out)
{
	char start[16];

	(void)snprintf(start, sizeof(start), "%u ", session);
	while (lines.len > 0) {
		const char *end = memchr(lines.data, '\n', lines.len);
		const size_t len = (size_t)(end - lines.data) + 1;

		if (strncmp(lines.data, start, strlen(start)) == 0)
			(void)iq_buf_append(out, iq_view_make(lines.data, len));
		lines = iq_view_from(lines, len);
	}
}

Test(store, reads_one_session_as_it_reads_all)
{
	const unsigned begun = (unsigned)time(NULL);
	unsigned seed = begun;
	struct scene scene;
	struct iq_store *store;
	struct iq_buf all = IQ_BUF_INIT, picked = IQ_BUF_INIT, alone = IQ_BUF_INIT;

	scene_open(&scene);
	fill_with_sessions(&scene, &seed);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	cr_assert_eq(read_events(store, NULL, &all), 0);
	for (uint32_t session = 1; session <= 31; session++) {
		struct iq_filter filter = IQ_FILTER_INIT;

		filter.sessions = &session;
		filter.session_count = 1;
		iq_buf_clear(&picked);
		iq_buf_clear(&alone);
		pick_lines(iq_buf_view(&all), session, &picked);
		cr_assert_eq(read_events(store, &filter, &alone), 0, "seed %u session %u", begun, session);
		cr_assert_gt(picked.len, 0);
		cr_assert(iq_view_eq(iq_buf_view(&picked), iq_buf_view(&alone)), "seed %u session %u", begun, session);
	}
	iq_buf_release(&all);
	iq_buf_release(&picked);
	iq_buf_release(&alone);
	iq_store_close(store);
	scene_close(&scene);
}

static void flip(int fd, off_t at, int bit)
{
	unsigned char byte;

	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	byte = (unsigned char)(byte ^ 1 << bit);
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
}

static void fill_small_store(struct scene *scene)
{
	char body[128], raw[160];

	begin(scene, "a");
	for (int i = 0; i < 40; i++) {
		(void)snprintf(body, sizeof(body), "{\"type\":\"step\",\"n\":%d,\"id\":\"%08x\",\"at\":%d.5}", i,
			       (unsigned)i * 2654435761u, i * 7);
		(void)snprintf(raw, sizeof(raw), "%d|%s\n", i % 3, body);
		add(scene, message(i % 3 ? "c1" : "c2", 1000 + i, "step", body), raw);
	}
	commit(scene);
}

/* A bit that flips anywhere in a segment is reported, or no answer differs for it: never another answer in silence.
 * IQ_TEST_BITS says how many are tried, `all` each one. */
Test(store, answers_nothing_else_after_a_bit_flipped, .timeout = 36000)
{
	const char *wanted = getenv("IQ_TEST_BITS");
	const bool all = wanted && strcmp(wanted, "all") == 0;
	unsigned seed = (unsigned)time(NULL);
	struct iq_buf expected = IQ_BUF_INIT, found = IQ_BUF_INIT;
	struct scene scene;
	char segment[160];
	struct stat info;
	off_t bits, reported = 0, tries;
	int fd;

	scene_open(&scene);
	fill_small_store(&scene);
	only_segment(&scene, segment);
	cr_assert_eq(read_everything(scene.path, &expected), 0);
	(void)chmod(segment, 0600);
	cr_assert((fd = open(segment, O_RDWR)) >= 0 && fstat(fd, &info) == 0);
	bits = info.st_size * 8;
	tries = all ? bits : wanted ? atol(wanted) : 1000;
	srand(seed);
	for (off_t i = 0; i < tries; i++) {
		off_t bit = all ? i : (off_t)((double)rand() / ((double)RAND_MAX + 1) * (double)bits);
		int rc;

		iq_buf_clear(&found);
		flip(fd, bit / 8, (int)(bit % 8));
		rc = read_everything(scene.path, &found);
		flip(fd, bit / 8, (int)(bit % 8));
		reported += rc < 0;
		cr_assert(rc < 0 || iq_view_eq(iq_buf_view(&found), iq_buf_view(&expected)),
			  "seed %u: bit %ld gives another answer", seed, (long)bit);
	}
	cr_expect_gt(reported, 0);
	cr_expect_eq(damages(scene.path), 0);
	(void)close(fd);
	iq_buf_release(&expected);
	iq_buf_release(&found);
	scene_close(&scene);
}

Test(store, holds_many_events_in_several_chunks)
{
	struct scene scene;
	struct iq_store *store;
	struct iq_cursor *cursor;
	struct iq_event event;
	struct iq_filter filter = IQ_FILTER_INIT;
	const uint32_t session = 7;
	char body[32], name[16];
	uint64_t count = 0, last = 0;

	scene_open(&scene);
	begin(&scene, "a");
	for (int i = 0; i < 150000; i++) {
		(void)snprintf(body, sizeof(body), "body %d", i);
		(void)snprintf(name, sizeof(name), "c%d", i / 100);
		add(&scene, message(name, i * 1000, i % 3 ? "x" : "y", body), ".");
	}
	commit(&scene);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	cr_expect_eq(iq_store_event_count(store), 150000);
	filter.order = IQ_ORDER_TIME;
	cr_assert_eq(iq_cursor_open(store, &filter, &cursor, NULL), 0);
	while (iq_cursor_next(cursor, &event, NULL) > 0) {
		(void)snprintf(body, sizeof(body), "body %" PRIu64, event.id - 1);
		cr_assert(iq_view_eq(event.body, iq_view_cstr(body)), "event %" PRIu64, event.id);
		cr_assert_eq(event.id, ++last);
		count++;
	}
	cr_expect_eq(count, 150000);
	iq_cursor_close(cursor);
	filter = (struct iq_filter)IQ_FILTER_INIT;
	filter.sessions = &session;
	filter.session_count = 1;
	cr_assert_eq(iq_cursor_open(store, &filter, &cursor, NULL), 0);
	for (count = 0; iq_cursor_next(cursor, &event, NULL) > 0; count++)
		cr_assert_eq(event.session_no, 7);
	cr_expect_eq(count, 100);
	iq_cursor_close(cursor);
	iq_store_close(store);
	cr_expect_eq(damages(scene.path), 0);
	scene_close(&scene);
}

static void open_lazily(const struct scene *scene, struct iq_store **ret_store)
{
	struct iq_error error = IQ_ERROR_INIT;

	cr_assert_eq(iq_store_open_lazily(scene->path, ret_store, &error), 0, "%s", error.message);
}

/* How many events a filter lets through; negative where the store cannot say. */
static int count_events(struct iq_store *store, const struct iq_filter *filter)
{
	struct iq_cursor *cursor;
	struct iq_event event;
	int count = 0, rc = iq_cursor_open(store, filter, &cursor, NULL);

	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, NULL)) > 0)
		count++;
	iq_cursor_close(cursor);
	return rc < 0 ? rc : count;
}

/* Segment i of `count` holds one event: session i % 3, type t<i>, source h<i % 5>, time 1000 * i. */
static void fill_segments(struct scene *scene, int count)
{
	char session[16], type[16], source[16], name[16];

	for (int i = 0; i < count; i++) {
		struct iq_event event;

		(void)snprintf(session, sizeof(session), "c%d", i % 3);
		(void)snprintf(type, sizeof(type), "t%d", i);
		(void)snprintf(source, sizeof(source), "h%d", i % 5);
		(void)snprintf(name, sizeof(name), "e%d", i);
		begin(scene, name);
		event = message(session, i * 1000, type, name);
		event.kind = i == 4 ? IQ_KIND_LOG : IQ_KIND_WS_MESSAGE;
		event.source = iq_view_cstr(source);
		add(scene, event, name);
		commit(scene);
	}
}

/* Which segments a filter opens is seen by taking all files away but the one it needs. */
Test(segments, that_the_manifest_excludes_are_not_opened)
{
	const uint32_t session = 5;
	const struct iq_view type = IQ_LIT("t4"), source = IQ_LIT("h4");
	const struct iq_filter filters[] = {
		{ .ts_min = 3500, .ts_max = 4500, .id_max = UINT64_MAX, .columns = IQ_COLUMNS_ALL },
		{ .ts_min = INT64_MIN, .ts_max = INT64_MAX, .id_min = 5, .id_max = 5, .columns = IQ_COLUMNS_ALL },
		{ .ts_min = INT64_MIN,
		  .ts_max = INT64_MAX,
		  .id_max = UINT64_MAX,
		  .sessions = &session,
		  .session_count = 1,
		  .columns = IQ_COLUMNS_ALL },
		{ .ts_min = INT64_MIN,
		  .ts_max = INT64_MAX,
		  .id_max = UINT64_MAX,
		  .types = &type,
		  .type_count = 1,
		  .columns = IQ_COLUMNS_ALL },
		{ .ts_min = INT64_MIN,
		  .ts_max = INT64_MAX,
		  .id_max = UINT64_MAX,
		  .sources = &source,
		  .source_count = 1,
		  .columns = IQ_COLUMNS_ALL },
		{ .ts_min = INT64_MIN,
		  .ts_max = INT64_MAX,
		  .id_max = UINT64_MAX,
		  .kinds = 1u << IQ_KIND_LOG,
		  .columns = IQ_COLUMNS_ALL },
	};
	struct scene scene;
	struct iq_store *store;
	char file[160];

	scene_open(&scene);
	fill_segments(&scene, 9);
	for (int i = 1; i <= 9; i++) {
		(void)snprintf(file, sizeof(file), "%s/segments/%08d.seg", scene.path, i);
		cr_assert(i == 5 || unlink(file) == 0);
	}
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		open_lazily(&scene, &store);
		cr_expect_eq(iq_store_event_count(store), 9);
		cr_expect_eq(count_events(store, &filters[i]), 1, "filter %zu", i);
		cr_expect_eq(count_events(store, NULL), IQ_ERR_CORRUPT, "a segment that is needed and gone is told");
		iq_store_close(store);
	}
	scene_close(&scene);
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

Test(segments, by_hundreds_need_few_descriptors)
{
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_buf raw = IQ_BUF_INIT;
	struct scene scene;
	struct iq_store *store;
	size_t before;

	scene_open(&scene);
	fill_segments(&scene, 150);
	before = open_descriptors();
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	filter.order = IQ_ORDER_TIME_DESC;
	cr_expect_eq(count_events(store, &filter), 150);
	cr_expect_eq(count_events(store, NULL), 150);
	cr_expect_lt(open_descriptors(), before + 80);
	for (uint32_t no = 1; no <= 150; no++)
		cr_expect_eq(iq_store_read_raw(store, no, 0, UINT64_MAX, &raw, NULL), 0);
	cr_expect(raw.len == 10 * 2 + 90 * 3 + 50 * 4, "%zu", raw.len);
	iq_store_close(store);
	cr_expect_eq(damages(scene.path), 0);
	iq_buf_release(&raw);
	scene_close(&scene);
}

/* A segment whose file was closed to save descriptors is the same one when it is opened again, or it is refused. */
Test(segments, changed_behind_a_reader_are_refused)
{
	struct scene scene;
	struct iq_store *store;
	struct iq_filter filter = IQ_FILTER_INIT;
	char first[160], second[160];

	scene_open(&scene);
	fill_segments(&scene, 100);
	cr_assert_eq(iq_store_open(scene.path, &store, NULL), 0);
	(void)snprintf(first, sizeof(first), "%s/segments/00000001.seg", scene.path);
	(void)snprintf(second, sizeof(second), "%s/segments/00000002.seg", scene.path);
	cr_assert_eq(rename(second, first), 0);
	filter.id_max = 1;
	cr_expect_eq(count_events(store, &filter), IQ_ERR_CORRUPT);
	iq_store_close(store);
	scene_close(&scene);
}

/* A file name may hold any bytes, and gives a source its name: the manifest gives it back. */
Test(segments, have_sources_of_any_name)
{
	static const char name[] = "\xff\n\"\\\0x";
	const struct iq_view view = iq_view_make(name, sizeof(name) - 1);
	struct iq_filter filter = IQ_FILTER_INIT;
	struct iq_event event = message("c", 1, NULL, "body");
	struct scene scene;
	struct iq_store *store;

	scene_open(&scene);
	begin(&scene, "a");
	event.source = view;
	add(&scene, event, "1");
	commit(&scene);
	open_lazily(&scene, &store);
	filter.sources = &view;
	filter.source_count = 1;
	cr_expect_eq(count_events(store, &filter), 1);
	iq_store_close(store);
	scene_close(&scene);
}
