#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ingest/ingest.h"

/* Evidence of every kind of trouble, taken in at once and in pieces, gives the same store. */

struct scene {
	char root[64];
	char path[96]; /* of the evidence */
	char store[96];
	char whole[96]; /* the store of an ingest that nothing interrupted */
	unsigned seed;
	void (*make)(struct iq_buf *text);
	struct iq_extract *extract;
	bool ids; /* numbers have to be the same as well */
	struct iq_buf text;
};

static unsigned random_below(unsigned limit)
{
	return (unsigned)rand() % limit;
}

/* ---- Evidence ---- */

static void add_ndjson(struct iq_buf *text, unsigned i)
{
	switch (random_below(12)) {
	case 0:
		(void)iq_buf_appendf(text, "not a record %u\n", i);
		break;
	case 1:
		(void)iq_buf_append_cstr(text, "\n \n");
		break;
	case 2:
		(void)iq_buf_appendf(text, "{\"ts\":%u,\"kind\":\"gap\",\"session\":\"c%u\",\"count\":2}\n", i, i % 5);
		break;
	case 3:
		(void)iq_buf_appendf(text, "{\"ts\":%u,\"kind\":\"ws.open\",\"source\":\"p\",\"session\":\"c%u\"}\r\n",
				     i, i % 5);
		break;
	default:
		(void)iq_buf_appendf(text,
				     "{\"ts\":%u,\"kind\":\"ws.message\",\"source\":\"p\",\"session\":\"c%u\",\"body\":"
				     "{\"type\":\"t%u\",\"id\":%u}}\n",
				     i, random_below(9), i % 3, i);
	}
}

/* Log lines in parts, of two streams that mix. */
static void add_docker(struct iq_buf *text, unsigned i)
{
	const char *stream = random_below(2) ? "stdout" : "stderr";
	const char *end = random_below(3) ? "\\n" : "";

	if (random_below(15) == 0)
		(void)iq_buf_appendf(text, "damaged %u\n", i);
	else
		(void)iq_buf_appendf(
			text, "{\"log\":\"line %u%s\",\"stream\":\"%s\",\"time\":\"2026-11-23T03:07:%02u.%06uZ\"}\n", i,
			end, stream, i / 60 % 60, i);
}

static void add_har_entry(struct iq_buf *text, unsigned i)
{
	(void)iq_buf_appendf(
		text,
		"%s{\"startedDateTime\":\"2026-11-23T03:07:%02u.000Z\",\"request\":{\"method\":\"GET\",\"url\":"
		"\"ws://h/%u\"},\"response\":{\"status\":%u},\"_webSocketMessages\":[",
		i ? ",\n" : "", i % 60, i, random_below(3) ? 101 : 0);
	for (unsigned j = 0, count = random_below(5); j < count; j++)
		(void)iq_buf_appendf(text, "%s{\"type\":\"send\",\"time\":%u.5,\"opcode\":1,\"data\":\"m%u\"}",
				     j ? "," : "", 1795403232 + i, j);
	(void)iq_buf_append_cstr(text, "]}");
}

/* Messages whose names depend on what came before: a handshake, a request, a packet with attachments. */
static void add_talk(struct iq_buf *text, unsigned i)
{
	static const char *const bodies[] = {
		"2",
		"42[\\\"said\\\"]",
		"427[\\\"asked\\\"]",
		"437[]",
		"452-[\\\"sent\\\"]",
		"binary",
		"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":1,\\\"method\\\":\\\"m\\\"}",
		"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":1,\\\"result\\\":3}",
		"{}\\u001e{\\\"type\\\":6}\\u001e",
	};

	if (random_below(8) == 0)
		(void)iq_buf_appendf(text,
				     "{\"ts\":%u,\"kind\":\"%s\",\"source\":\"p\",\"session\":\"c%u\",\"attrs\":"
				     "{\"url\":\"ws://h/%s\"}}\n",
				     i, random_below(4) ? "ws.open" : "ws.close", random_below(5),
				     random_below(2) ? "?EIO=4" : "");
	else
		(void)iq_buf_appendf(text,
				     "{\"ts\":%u,\"kind\":\"ws.message\",\"source\":\"p\",\"session\":\"c%u\","
				     "\"direction\":\"%s\",\"body\":\"%s\"}\n",
				     i, random_below(5), random_below(2) ? "client" : "server",
				     bodies[random_below(sizeof(bodies) / sizeof(bodies[0]))]);
}

static void make_talk(struct iq_buf *text)
{
	(void)iq_buf_append_cstr(text, "{\"ts\":1,\"kind\":\"log\",\"body\":\"first\"}\n");
	for (unsigned i = 0; i < 60; i++)
		add_talk(text, i);
}

static void make_ndjson(struct iq_buf *text)
{
	(void)iq_buf_append_cstr(text, "{\"ts\":1,\"kind\":\"log\",\"body\":\"first\"}\n");
	for (unsigned i = 0; i < 60; i++)
		add_ndjson(text, i);
}

static void make_docker(struct iq_buf *text)
{
	(void)iq_buf_append_cstr(
		text, "{\"log\":\"first\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T03:07:12.418Z\"}\n");
	for (unsigned i = 0; i < 60; i++)
		add_docker(text, i);
}

static void make_har(struct iq_buf *text)
{
	(void)iq_buf_append_cstr(text, "{\"log\":{\"version\":\"1.2\",\"entries\":[");
	for (unsigned i = 0; i < 20; i++)
		add_har_entry(text, i);
	(void)iq_buf_append_cstr(text, "]}}");
}

static void (*const makers[])(struct iq_buf *text) = { make_ndjson, make_docker, make_har, make_talk };

/* ---- A store as text ---- */

static void number(const struct scene *scene, struct iq_buf *out, uint64_t no)
{
	(void)iq_buf_appendf(out, "%" PRIu64 " ", scene->ids ? no : 0);
}

static void dump_events(const struct scene *scene, struct iq_store *store, struct iq_buf *out)
{
	struct iq_buf raw = IQ_BUF_INIT;
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc;

	cr_assert_eq(iq_cursor_open(store, NULL, &cursor, NULL), 0);
	while ((rc = iq_cursor_next(cursor, &event, NULL)) > 0) {
		iq_buf_clear(&raw);
		cr_assert_eq(iq_store_read_raw(store, event.evidence, event.offset, event.length, &raw, NULL), 0);
		number(scene, out, event.id);
		number(scene, out, event.session_no);
		(void)iq_buf_appendf(out, "%u:%" PRIu64 "+%" PRIu64 " %s ", event.evidence, event.offset, event.length,
				     raw.data);
		if (!scene->ids && event.session.data)
			event.session = IQ_LIT("named in sessions");
		(void)iq_event_append_ndjson(out, &event);
	}
	cr_assert_eq(rc, 0);
	iq_cursor_close(cursor);
	iq_buf_release(&raw);
}

static void dump_sessions(const struct scene *scene, const struct iq_store *store, struct iq_buf *out)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	for (size_t i = 0; i < count; i++) {
		const struct iq_session *session = &sessions[i];

		(void)iq_buf_append_cstr(out, "session ");
		number(scene, out, session->no);
		number(scene, out, session->first_event);
		number(scene, out, session->last_event);
		(void)iq_buf_appendf(out, "%.*s %" PRId64 " %" PRId64 " %" PRIu64 " %d %d %d\n",
				     IQ_VIEW_ARG(session->name), session->started, session->ended, session->events,
				     session->start_seen, session->end_seen, session->state);
	}
}

static void dump_gaps(const struct scene *scene, const struct iq_store *store, struct iq_buf *out)
{
	size_t count;
	const struct iq_gap *gaps = iq_store_gaps(store, &count);

	for (size_t i = 0; i < count; i++) {
		const struct iq_gap *gap = &gaps[i];

		(void)iq_buf_appendf(out, "gap %u:%" PRIu64 "+%" PRIu64 " ", gap->evidence, gap->offset, gap->bytes);
		number(scene, out, gap->after);
		number(scene, out, gap->before);
		(void)iq_buf_appendf(out, "%.*s %.*s %" PRId64 " %" PRId64 " %.*s\n", IQ_VIEW_ARG(gap->source),
				     IQ_VIEW_ARG(gap->session), gap->ts_min, gap->count, IQ_VIEW_ARG(gap->reason));
	}
}

static void dump_tables(const struct scene *scene, const struct iq_store *store, struct iq_buf *out)
{
	char hex[IQ_SHA256_HEX_SIZE];
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);
	const struct iq_evidence *evidence;

	for (size_t i = 0; i < count; i++)
		(void)iq_buf_appendf(out, "source %u %.*s %" PRIu64 " %" PRId64 " %" PRId64 "\n", sources[i].no,
				     IQ_VIEW_ARG(sources[i].name), sources[i].events, sources[i].first,
				     sources[i].last);
	evidence = iq_store_evidence(store, &count);
	for (size_t i = 0; i < count; i++) {
		iq_hex(evidence[i].sha256, IQ_SHA256_SIZE, hex);
		(void)iq_buf_appendf(out, "evidence %u %.*s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
				     evidence[i].no, IQ_VIEW_ARG(evidence[i].path), evidence[i].bytes,
				     evidence[i].accounted, evidence[i].records, evidence[i].gaps, hex);
	}
	dump_sessions(scene, store, out);
	dump_gaps(scene, store, out);
}

static struct iq_buf dump(const struct scene *scene, const char *path)
{
	struct iq_verify_result verified;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_store *store;

	cr_assert_eq(iq_store_verify(path, NULL, NULL, &verified, &error), 0, "seed %u: %s", scene->seed,
		     error.message);
	cr_expect_eq(verified.damages, 0, "seed %u: damaged", scene->seed);
	cr_assert_eq(iq_store_open(path, &store, &error), 0, "seed %u: %s", scene->seed, error.message);
	dump_events(scene, store, &out);
	dump_tables(scene, store, &out);
	iq_store_close(store);
	return out;
}

/* ---- Ingests ---- */

static void scene_open(struct scene *scene, unsigned seed)
{
	*scene = (struct scene){ .root = "/tmp/iq-resume-XXXXXX", .seed = seed, .ids = true, .text = IQ_BUF_INIT };
	srand(seed);
	cr_assert(mkdtemp(scene->root));
	(void)snprintf(scene->path, sizeof(scene->path), "%s/evidence", scene->root);
	(void)snprintf(scene->store, sizeof(scene->store), "%s/store", scene->root);
	(void)snprintf(scene->whole, sizeof(scene->whole), "%s/whole", scene->root);
	scene->make = makers[seed % (sizeof(makers) / sizeof(makers[0]))];
	scene->make(&scene->text);
	if (scene->make != make_docker)
		return;
	/* Some lines go on with others. */
	scene->extract = iq_extract_new();
	cr_assert_eq(iq_extract_add(scene->extract, IQ_LIT("extract: [{ start: '[02468]$' }]"), "rules", NULL), 0);
}

static void scene_close(struct scene *scene)
{
	iq_buf_release(&scene->text);
	iq_extract_free(scene->extract);
	cr_assert_eq(iq_file_remove_tree(scene->root, NULL), 0);
}

static void write_evidence(const struct scene *scene, size_t len)
{
	FILE *file = fopen(scene->path, "wb");

	cr_assert(file && fwrite(scene->text.data, 1, len, file) == len && fclose(file) == 0);
}

static int note_outcome(void *context, const struct iq_ingest_report *report)
{
	*(enum iq_ingest_outcome *)context = report->outcome;
	return 0;
}

static enum iq_ingest_outcome ingest(const struct scene *scene, const char *store, uint64_t commit_bytes)
{
	enum iq_ingest_outcome outcome = IQ_INGEST_REFUSED;
	const struct iq_ingest_options options = {
		.commit_bytes = commit_bytes, .extract = scene->extract, .report = note_outcome, .context = &outcome
	};
	struct iq_ingest_result result;
	struct iq_error error = IQ_ERROR_INIT;
	const char *path = scene->path;

	cr_assert_eq(iq_ingest(store, &path, 1, &options, &result, &error), 0, "seed %u: %s", scene->seed,
		     error.message);
	return outcome;
}

/* As a process leaves the store that is killed after so many commits: later ones are not in the manifest. */
static void forget_commits(const struct scene *scene)
{
	struct iq_buf text = IQ_BUF_INIT;
	char path[128];
	size_t commits = 0, keep, end;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/manifest", scene->store);
	cr_assert_eq(iq_file_read(path, 1 << 20, &text, NULL), 0);
	for (size_t i = 0; i < text.len; i++)
		commits += text.data[i] == '\n';
	keep = 1 + random_below((unsigned)commits);
	for (end = 0; keep > 0; end++)
		keep -= text.data[end] == '\n';
	/* Perhaps the next line was torn. */
	end += random_below((unsigned)(text.len - end > 40 ? 40 : text.len - end + 1));
	file = fopen(path, "wb");
	cr_assert(file && fwrite(text.data, 1, end, file) == end && fclose(file) == 0);
	iq_buf_release(&text);
}

static void expect_same(const struct scene *scene)
{
	struct iq_buf expected = dump(scene, scene->whole), found = dump(scene, scene->store);

	if (!iq_view_eq(iq_buf_view(&expected), iq_buf_view(&found)))
		cr_assert_fail("seed %u:\n--- whole\n%s\n--- in pieces\n%s", scene->seed, expected.data, found.data);
	iq_buf_release(&expected);
	iq_buf_release(&found);
}

static unsigned rounds(void)
{
	const char *count = getenv("IQ_TEST_ROUNDS");

	return count ? (unsigned)strtoul(count, NULL, 10) : 12;
}

static unsigned first_seed(void)
{
	const char *seed = getenv("IQ_TEST_SEED");

	return seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL) * 16;
}

Test(resume, gives_what_one_ingest_gives)
{
	for (unsigned round = 0, seed = first_seed(); round < rounds(); round++) {
		struct scene scene;
		unsigned commit;

		scene_open(&scene, seed + round);
		write_evidence(&scene, scene.text.len);
		(void)ingest(&scene, scene.whole, 0);
		commit = 200 + random_below((unsigned)scene.text.len);
		for (unsigned kills = random_below(4); kills > 0; kills--) {
			(void)ingest(&scene, scene.store, commit);
			forget_commits(&scene);
		}
		(void)ingest(&scene, scene.store, commit);
		expect_same(&scene);
		cr_expect_eq(ingest(&scene, scene.store, commit), IQ_INGEST_KNOWN, "seed %u", scene.seed);
		expect_same(&scene);
		scene_close(&scene);
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r';
}

/* A file that grows, its last record cut anywhere. White space that comes later belongs to what comes after it: not here. */
static void check_a_file_that_grows(unsigned seed)
{
	struct scene scene;

	scene_open(&scene, seed);
	/* What was unfinished and is told anew gets new ids. */
	scene.ids = scene.make == make_ndjson || scene.make == make_talk;
	write_evidence(&scene, scene.text.len);
	(void)ingest(&scene, scene.whole, 0);
	for (size_t len = 150; len < scene.text.len; len += random_below(2000)) {
		while (len < scene.text.len && is_space(scene.text.data[len]))
			len++;
		write_evidence(&scene, len);
		(void)ingest(&scene, scene.store, random_below(2) ? 0 : 500);
	}
	write_evidence(&scene, scene.text.len);
	(void)ingest(&scene, scene.store, 300);
	expect_same(&scene);
	scene_close(&scene);
}

Test(resume, continues_a_file_that_grows)
{
	for (unsigned round = 0, seed = first_seed(); round < rounds(); round++)
		check_a_file_that_grows(seed + round);
}

/* The file ended in a line that was cut, right behind a damaged one; what goes on there first holds less than that part did. */
Test(resume, goes_on_where_a_part_settled_nothing)
{
	check_a_file_that_grows(2959120753u);
	check_a_file_that_grows(63352u);
}
