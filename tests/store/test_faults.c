/* Whenever the power goes and whatever the disk refuses: the store opens afterwards and holds exactly what was acknowledged,
 * perhaps with the one commit whose answer never came. IQ_TEST_SEED repeats a run; IQ_TEST_FAULTS=all tries every operation
 * with many seeds, else a sample. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/store.h"
#include "store/wrapped_disk.h"

#define EVENTS 25

struct scene {
	char root[64];	/* where it happens */
	char after[64]; /* what is left of it */
	unsigned seed;
	bool all;
	size_t acknowledged[64]; /* at which operation each step was */
};

static void scene_open(struct scene *scene)
{
	const char *seed = getenv("IQ_TEST_SEED"), *faults = getenv("IQ_TEST_FAULTS");

	*scene = (struct scene){ .root = "/tmp/inquest-disk-XXXXXX", .after = "/tmp/inquest-left-XXXXXX" };
	cr_assert(mkdtemp(scene->root) && mkdtemp(scene->after));
	scene->seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
	scene->all = faults && strcmp(faults, "all") == 0;
	(void)srand(scene->seed);
}

static void scene_close(const struct scene *scene)
{
	cr_expect_eq(iq_file_remove_tree(scene->root, NULL), 0);
	cr_expect_eq(iq_file_remove_tree(scene->after, NULL), 0);
}

static const char *case_path(const char *directory, char path[96])
{
	(void)snprintf(path, 96, "%s/case", directory);
	return path;
}

/* ---- What is written: evidence 0, 1, 2 and so on ---- */

static void line_of(unsigned evidence, unsigned event, char line[128])
{
	(void)snprintf(line, 128, "{\"evidence\":%u,\"event\":%u,\"id\":\"%08x\",\"x\":%u.5}\n", evidence, event,
		       (evidence * 1000 + event) * 2654435761u, event * event);
}

static int add_event(struct iq_store_writer *writer, unsigned evidence, unsigned number, uint64_t *offset,
		     struct iq_error *error)
{
	struct iq_sink *sink = iq_store_writer_sink(writer);
	struct iq_event event = IQ_EVENT_INIT;
	char line[128];
	int rc;

	line_of(evidence, number, line);
	event.kind = IQ_KIND_LOG;
	event.ts = 1000 * evidence + number;
	event.source = number % 2 ? IQ_LIT("a") : IQ_LIT("b");
	event.body = iq_view_make(line, strlen(line) - 1);
	event.offset = *offset;
	event.length = strlen(line);
	*offset += event.length;
	rc = iq_store_writer_raw(writer, line, strlen(line), error);
	return rc < 0 ? rc : sink->event(sink->context, &event, error);
}

static int commit(struct iq_store_writer *writer, unsigned evidence, struct iq_error *error)
{
	struct iq_evidence stored;
	uint64_t offset = 0;
	char name[16];
	int rc;

	(void)snprintf(name, sizeof(name), "%u", evidence);
	rc = iq_store_writer_evidence_begin(writer, iq_view_cstr(name), IQ_LIT("ndjson"), error);
	for (unsigned i = 0; i < EVENTS && rc == 0; i++)
		rc = add_event(writer, evidence, i, &offset, error);
	if (rc == 0)
		rc = iq_store_writer_evidence_end(writer, &stored, error);
	return rc < 0 ? rc : iq_store_writer_commit(writer, error);
}

static int write_one(const char *path, unsigned evidence)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_store_writer *writer;
	int rc = iq_store_writer_open(path, &writer, &error);

	if (rc < 0)
		return rc;
	rc = commit(writer, evidence, &error);
	iq_store_writer_free(writer);
	return rc;
}

static int compact(const char *path)
{
	const struct iq_compact_options options = { .level = 3 };
	struct iq_compact_result result;

	return iq_store_compact(path, &options, &result, NULL);
}

/* ---- What is there: a bit for each evidence, whole and right ---- */

static bool raw_is_right(struct iq_store *store, const struct iq_evidence *evidence, unsigned number)
{
	struct iq_buf expected = IQ_BUF_INIT, found = IQ_BUF_INIT;
	char line[128];
	bool right;

	for (unsigned i = 0; i < EVENTS; i++) {
		line_of(number, i, line);
		(void)iq_buf_append_cstr(&expected, line);
	}
	right = iq_store_read_raw(store, evidence->no, 0, UINT64_MAX, &found, NULL) == 0 &&
		iq_view_eq(iq_buf_view(&expected), iq_buf_view(&found)) && evidence->records == EVENTS;
	iq_buf_release(&expected);
	iq_buf_release(&found);
	return right;
}

/* The number of the evidence that a body says it is of, if it is the next event of it. */
static bool event_is_right(const struct iq_event *event, unsigned next[64])
{
	const unsigned number = (unsigned)event->ts / 1000;
	char line[128];

	line_of(number, next[number % 64]++, line);
	return iq_view_eq(event->body, iq_view_make(line, strlen(line) - 1));
}

static bool events_are_right(struct iq_store *store, uint64_t present)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	unsigned next[64] = { 0 };
	bool right = iq_cursor_open(store, NULL, &cursor, &error) == 0;
	int rc = 0;

	while (right && (rc = iq_cursor_next(cursor, &event, &error)) > 0)
		right = event_is_right(&event, next);
	for (unsigned i = 0; i < 64 && right && rc == 0; i++)
		right = next[i] == (present >> i & 1 ? EVENTS : 0);
	iq_cursor_close(cursor);
	return right && rc == 0;
}

static int any_damage(void *context, const struct iq_damage *damage)
{
	(void)damage;
	(*(unsigned *)context)++;
	return 0;
}

/* 0: no store; else 1 with the bits in *ret_present; negative, where it holds something that is not whole. */
static int look(const char *path, uint64_t *ret_present, char message[600])
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_verify_result result;
	struct iq_store *store;
	const struct iq_evidence *evidence;
	size_t count;
	unsigned damages = 0;
	int rc = iq_store_open(path, &store, &error);

	*ret_present = 0;
	(void)snprintf(message, 600, "%s", error.message);
	if (rc < 0)
		return 0;
	evidence = iq_store_evidence(store, &count);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const unsigned number = (unsigned)strtoul(evidence[i].path.data, NULL, 10);

		if (evidence[i].dropped > 0)
			continue;
		*ret_present |= UINT64_C(1) << number;
		rc = raw_is_right(store, &evidence[i], number) ? 0 : -1;
	}
	if (rc == 0 && !events_are_right(store, *ret_present))
		rc = -2;
	iq_store_close(store);
	if (rc == 0 && (iq_store_verify(path, any_damage, &damages, &result, &error) < 0 || damages > 0))
		rc = -3;
	return rc < 0 ? rc : 1;
}

/* ---- Losing power ---- */

static void forget_what_is_left(const struct scene *scene)
{
	char path[96];

	(void)iq_file_remove_tree(case_path(scene->after, path), NULL);
}

/* What is left after `ops` operations holds all of `sure` and nothing beyond `possible`, and takes more. */
static void expect_left(struct scene *scene, size_t ops, enum disk_loss loss, uint64_t sure, uint64_t possible)
{
	const unsigned seed = (unsigned)rand();
	uint64_t present, more;
	char path[96], message[600];
	int found;

	disk_make(scene->root, ops, loss, seed, scene->after);
	found = look(case_path(scene->after, path), &present, message);
	cr_assert(found >= 0, "seed %u: after %zu operations, loss %d: not whole (%d) %s", scene->seed, ops, (int)loss,
		  found, message);
	cr_assert((sure & ~present) == 0 && (present & ~possible) == 0,
		  "seed %u: after %zu operations, loss %d: %" PRIx64 " where %" PRIx64 " was acknowledged: %s",
		  scene->seed, ops, (int)loss, present, sure, message);
	if (scene->all || rand() % 4 == 0) {
		cr_assert_eq(write_one(path, 63), 0, "seed %u: after %zu operations, loss %d: takes no more",
			     scene->seed, ops, (int)loss);
		found = look(path, &more, message);
		cr_assert_eq(found, 1, "seed %u: after %zu operations, loss %d, and a commit: %d %s", scene->seed, ops,
			     (int)loss, found, message);
		cr_assert_eq(more, present | UINT64_C(1) << 63);
	}
	forget_what_is_left(scene);
}

/* At every operation; `steps` were acknowledged one after the other. */
static void cut_everywhere(struct scene *scene, unsigned steps)
{
	unsigned step = 0;

	for (size_t ops = 0; ops <= disk_ops(); ops++) {
		while (step < steps && scene->acknowledged[step] <= ops)
			step++;
		if (!scene->all && rand() % 6 > 0)
			continue;
		for (unsigned i = 0; i < (scene->all ? 20u : 1u); i++)
			expect_left(scene, ops, DISK_LOSE_SOME, (UINT64_C(1) << step) - 1, (UINT64_C(2) << step) - 1);
		expect_left(scene, ops, DISK_LOSE_ALL, (UINT64_C(1) << step) - 1, (UINT64_C(2) << step) - 1);
		expect_left(scene, ops, DISK_LOSE_NONE, (UINT64_C(1) << step) - 1, (UINT64_C(2) << step) - 1);
	}
}

Test(faults, power_lost_while_evidence_is_committed, .timeout = 36000)
{
	struct iq_store_writer *writer;
	struct scene scene;
	char path[96];

	scene_open(&scene);
	disk_begin(scene.root);
	cr_assert_eq(iq_store_writer_open(case_path(scene.root, path), &writer, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(commit(writer, i, NULL), 0);
		scene.acknowledged[i] = disk_ops();
	}
	iq_store_writer_free(writer);
	cr_assert_eq(write_one(path, 3), 0);
	scene.acknowledged[3] = disk_ops();
	disk_end();
	cut_everywhere(&scene, 4);
	scene_close(&scene);
}

Test(faults, power_lost_while_segments_are_merged, .timeout = 36000)
{
	struct scene scene;
	uint64_t present;
	size_t before;
	char path[96], message[600];

	scene_open(&scene);
	disk_begin(scene.root);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(write_one(case_path(scene.root, path), i), 0);
	cr_assert_eq(look(path, &present, message), 1);
	before = disk_ops();
	cr_assert_eq(compact(path), 0);
	cr_assert_eq(write_one(path, 4), 0);
	disk_end();
	for (size_t ops = before; ops <= disk_ops(); ops++)
		for (int loss = DISK_LOSE_ALL; loss <= DISK_LOSE_NONE; loss++)
			if (scene.all || rand() % 16 == 0)
				expect_left(&scene, ops, (enum disk_loss)loss, 0xf, 0x1f);
	scene_close(&scene);
}

Test(faults, power_lost_while_old_segments_are_dropped, .timeout = 36000)
{
	struct iq_drop_result result;
	struct scene scene;
	uint64_t present;
	char path[96], message[600];
	size_t before, done;

	scene_open(&scene);
	disk_begin(scene.root);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(write_one(case_path(scene.root, path), i), 0);
	before = disk_ops();
	cr_assert_eq(iq_store_drop(path, 2000, &result, NULL), 0);
	done = disk_ops();
	disk_end();
	cr_assert_eq(look(path, &present, message), 1);
	cr_assert_eq(present, 0xc, "two are older");
	for (size_t ops = before; ops <= done; ops++)
		for (int loss = DISK_LOSE_ALL; loss <= DISK_LOSE_NONE; loss++)
			if (scene.all || ops == done || rand() % 8 == 0)
				expect_left(&scene, ops, (enum disk_loss)loss, 0xc, ops == done ? 0xc : 0xf);
	scene_close(&scene);
}

/* ---- A disk that refuses ---- */

/* Four commits and a merge, of which each may fail; the bits of those that did not. */
static uint64_t write_all(const char *path)
{
	uint64_t sure = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (write_one(path, i) == 0)
			sure |= UINT64_C(1) << i;
		if (i == 2)
			(void)compact(path);
	}
	return sure;
}

/* False where nothing failed, since there are fewer operations. */
static bool refuse(struct scene *scene, size_t index, bool full)
{
	uint64_t sure, present;
	char path[96], message[600];
	int found;

	disk_begin(scene->root);
	disk_fail(index, full);
	sure = write_all(case_path(scene->root, path));
	disk_end();
	found = look(path, &present, message);
	cr_assert(found == 1, "seed %u: operation %zu fails: not whole (%d) %s", scene->seed, index, found, message);
	cr_assert((sure & ~present) == 0 && (present & ~UINT64_C(0xf)) == 0,
		  "seed %u: operation %zu fails: %" PRIx64 " where %" PRIx64 " was acknowledged", scene->seed, index,
		  present, sure);
	cr_assert_eq(write_one(path, 63), 0, "seed %u: operation %zu fails: takes no more", scene->seed, index);
	cr_assert_eq(iq_file_remove_tree(path, NULL), 0);
	return disk_failed();
}

Test(faults, every_operation_refused_once, .timeout = 36000)
{
	struct scene scene;
	size_t step, tried = 0;

	scene_open(&scene);
	step = scene.all ? 1 : 47;
	for (size_t index = (size_t)rand() % step; refuse(&scene, index, rand() % 2 == 0); index += step)
		tried++;
	cr_assert_gt(tried, 5);
	scene_close(&scene);
}
