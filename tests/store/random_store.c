#include "store/random_store.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned below(unsigned *seed, unsigned limit)
{
	return (unsigned)rand_r(seed) % limit;
}

static struct iq_view pick(unsigned *seed, const struct iq_view *words, unsigned count)
{
	return words[below(seed, count)];
}

/* Bytes of any value, or text that looks like what others wrote. */
static void append_random(unsigned *seed, struct iq_buf *buf)
{
	unsigned length = below(seed, 40);

	if (below(seed, 4) == 0)
		while (length-- > 0)
			(void)iq_buf_append_char(buf, (char)below(seed, 256));
	else
		(void)iq_buf_appendf(buf, "{\"type\":\"step\",\"n\":%u,\"id\":\"%08x\",\"text\":\"%s\"}",
				     below(seed, 9999), below(seed, 1u << 30),
				     below(seed, 2) ? "a \\\" quote" : "plain");
}

struct making {
	struct iq_store_writer *writer;
	unsigned seed;
	uint64_t offset;
	struct iq_error error;
};

static void store_bytes(struct making *making, struct iq_view bytes)
{
	cr_assert_eq(iq_store_writer_raw(making->writer, bytes.data, bytes.len, &making->error), 0, "%s",
		     making->error.message);
	making->offset += bytes.len;
}

static void add_event(struct making *making)
{
	const struct iq_view names[] = { IQ_LIT("c1"), IQ_LIT("c2"), IQ_LIT("\xff\n"), IQ_LIT(""), { NULL, 0 } };
	const struct iq_view sources[] = { IQ_LIT("proxy"), IQ_LIT("b\xc3\xa9"), IQ_LIT("\xfe"), { NULL, 0 } };
	const struct iq_view types[] = { IQ_LIT("step"), IQ_LIT("done"), IQ_LIT(""), { NULL, 0 } };
	const struct iq_view attrs[] = { IQ_LIT("{\"a\":1}"), IQ_LIT("{}"), { NULL, 0 } };
	struct iq_sink *sink = iq_store_writer_sink(making->writer);
	struct iq_buf body = IQ_BUF_INIT, raw = IQ_BUF_INIT;
	struct iq_event event = IQ_EVENT_INIT;
	unsigned *seed = &making->seed;

	append_random(seed, &body);
	event.kind = (enum iq_kind)below(seed, IQ_KIND_COUNT);
	event.direction = (enum iq_direction)below(seed, 3);
	event.severity = (enum iq_severity)below(seed, IQ_SEVERITY_CRITICAL + 1);
	event.source = pick(seed, sources, 4);
	event.session = pick(seed, names, 5);
	event.type = pick(seed, types, 4);
	event.key = pick(seed, types, 4);
	event.attrs = pick(seed, attrs, 3);
	event.ts = below(seed, 9) ? (int64_t)below(seed, 1u << 30) * 1000 - 5000 : IQ_TIME_NONE;
	event.observed = below(seed, 3) ? event.ts : (int64_t)below(seed, 1u << 30);
	event.seq = below(seed, 5) ? (int64_t)below(seed, 1000) : IQ_NUMBER_NONE;
	event.body = below(seed, 9) ? iq_buf_view(&body) : IQ_VIEW_NULL;
	if (below(seed, 3) > 0)
		append_random(seed, &raw);
	(void)iq_buf_append(&raw, iq_buf_view(&body));
	(void)iq_buf_append_cstr(&raw, "\n");
	event.offset = making->offset;
	event.length = raw.len;
	if (below(seed, 8) > 0)
		store_bytes(making, iq_buf_view(&raw));
	cr_assert_eq(sink->event(sink->context, &event, &making->error), 0, "%s", making->error.message);
	iq_buf_release(&body);
	iq_buf_release(&raw);
}

static void add_stray(struct making *making)
{
	struct iq_buf stray = IQ_BUF_INIT;

	append_random(&making->seed, &stray);
	store_bytes(making, iq_buf_view(&stray));
	iq_buf_release(&stray);
}

static void add_gap(struct making *making)
{
	struct iq_sink *sink = iq_store_writer_sink(making->writer);
	struct iq_gap gap = IQ_GAP_INIT;

	gap.offset = making->offset;
	gap.source = below(&making->seed, 2) ? IQ_LIT("proxy") : IQ_VIEW_NULL;
	gap.session = below(&making->seed, 2) ? IQ_LIT("c1") : IQ_VIEW_NULL;
	gap.count = below(&making->seed, 2) ? 3 : IQ_NUMBER_NONE;
	gap.reason = IQ_LIT("rotated away");
	cr_assert_eq(sink->gap(sink->context, &gap, &making->error), 0);
}

static void add_evidence(struct making *making, unsigned number)
{
	struct iq_evidence evidence;
	char name[32];

	(void)snprintf(name, sizeof(name), "dir/e%u.ndjson", number);
	making->offset = 0;
	cr_assert_eq(
		iq_store_writer_evidence_begin(making->writer, iq_view_cstr(name), IQ_LIT("ndjson"), &making->error),
		0);
	for (unsigned i = below(&making->seed, 60); i > 0; i--) {
		if (below(&making->seed, 10) == 0)
			add_stray(making);
		if (below(&making->seed, 20) == 0)
			add_gap(making);
		add_event(making);
	}
	cr_assert_eq(iq_store_writer_evidence_end(making->writer, &evidence, &making->error), 0, "%s",
		     making->error.message);
}

void random_store_make(const char *path, unsigned seed, unsigned commits)
{
	struct making making = { .seed = seed, .error = IQ_ERROR_INIT };
	unsigned number = 0;

	cr_assert_eq(iq_store_writer_open(path, &making.writer, &making.error), 0, "%s", making.error.message);
	for (unsigned i = 0; i < commits; i++) {
		for (unsigned j = 1 + below(&making.seed, 3); j > 0; j--)
			add_evidence(&making, number++);
		cr_assert_eq(iq_store_writer_commit(making.writer, &making.error), 0, "%s", making.error.message);
	}
	iq_store_writer_free(making.writer);
}

/* ---- What a store says ---- */

static void dump_text(struct iq_buf *out, struct iq_view text)
{
	(void)iq_buf_append_cstr(out, text.data ? " \"" : " -");
	for (size_t i = 0; i < text.len; i++)
		(void)iq_buf_appendf(out, text.data[i] >= ' ' && text.data[i] < 0x7f ? "%c" : "\\x%02x",
				     (unsigned char)text.data[i]);
}

static void dump_sources(const struct iq_store *store, struct iq_buf *out)
{
	size_t count;
	const struct iq_source *sources = iq_store_sources(store, &count);

	for (size_t i = 0; i < count; i++) {
		(void)iq_buf_appendf(out, "source %" PRIu32 " %" PRIu64 " %" PRId64 " %" PRId64, sources[i].no,
				     sources[i].events, sources[i].first, sources[i].last);
		dump_text(out, sources[i].name);
		(void)iq_buf_append_char(out, '\n');
	}
}

static void dump_sessions(const struct iq_store *store, struct iq_buf *out)
{
	size_t count;
	const struct iq_session *sessions = iq_store_sessions(store, &count);

	for (size_t i = 0; i < count; i++) {
		const struct iq_session *s = &sessions[i];

		(void)iq_buf_appendf(
			out, "session %" PRIu32 " %" PRId64 " %" PRId64 " %" PRIu64 " %d %d %d %" PRIu64 " %" PRIu64,
			s->no, s->started, s->ended, s->events, s->start_seen, s->end_seen, s->state, s->first_event,
			s->last_event);
		dump_text(out, s->name);
		dump_text(out, s->source);
		(void)iq_buf_append_char(out, '\n');
	}
}

static void dump_gaps(const struct iq_store *store, struct iq_buf *out)
{
	size_t count;
	const struct iq_gap *gaps = iq_store_gaps(store, &count);

	for (size_t i = 0; i < count; i++) {
		const struct iq_gap *g = &gaps[i];

		(void)iq_buf_appendf(out,
				     "gap %" PRIu32 " %d %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %" PRIu64
				     "+%" PRIu64 " %" PRId64,
				     g->evidence, g->direction, g->after, g->before, g->ts_min, g->ts_max, g->offset,
				     g->bytes, g->count);
		dump_text(out, g->source);
		dump_text(out, g->session);
		dump_text(out, g->reason);
		(void)iq_buf_append_char(out, '\n');
	}
}

static void dump_event(const struct iq_event *e, struct iq_buf *out)
{
	(void)iq_buf_appendf(out,
			     "event %" PRIu64 " %" PRId64 " %" PRId64 " s%" PRIu32 " %d %d %d %" PRId64 " %d %" PRIu32
			     " %" PRIu64 "+%" PRIu64,
			     e->id, e->ts, e->observed, e->session_no, e->kind, e->direction, e->severity, e->seq,
			     e->body_is_binary, e->evidence, e->offset, e->length);
	dump_text(out, e->source);
	dump_text(out, e->type);
	dump_text(out, e->key);
	dump_text(out, e->body);
	dump_text(out, e->attrs);
	(void)iq_buf_append_char(out, '\n');
}

static int dump_events(struct iq_store *store, struct iq_buf *out, struct iq_error *error)
{
	struct iq_cursor *cursor;
	struct iq_event event;
	int rc = iq_cursor_open(store, NULL, &cursor, error);

	if (rc < 0)
		return rc;
	while ((rc = iq_cursor_next(cursor, &event, error)) > 0)
		dump_event(&event, out);
	iq_cursor_close(cursor);
	return rc;
}

static int dump_evidence(struct iq_store *store, struct iq_buf *out, struct iq_error *error)
{
	size_t count;
	const struct iq_evidence *evidence = iq_store_evidence(store, &count);
	struct iq_buf raw = IQ_BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		char hash[IQ_SHA256_HEX_SIZE];

		iq_hex(evidence[i].sha256, IQ_SHA256_SIZE, hash);
		(void)iq_buf_appendf(out, "evidence %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
				     evidence[i].no, evidence[i].bytes, evidence[i].accounted, evidence[i].records,
				     evidence[i].gaps, hash);
		dump_text(out, evidence[i].path);
		dump_text(out, evidence[i].format);
		iq_buf_clear(&raw);
		if (evidence[i].dropped == 0)
			rc = iq_store_read_raw(store, evidence[i].no, 0, UINT64_MAX, &raw, error);
		(void)iq_buf_appendf(out, " dropped %" PRIu64, evidence[i].dropped);
		dump_text(out, iq_buf_view(&raw));
		(void)iq_buf_append_char(out, '\n');
	}
	iq_buf_release(&raw);
	return rc;
}

int store_dump(const char *path, struct iq_buf *out, struct iq_error *error)
{
	struct iq_store *store;
	int rc = iq_store_open(path, &store, error);

	if (rc < 0)
		return rc;
	dump_sources(store, out);
	dump_sessions(store, out);
	dump_gaps(store, out);
	rc = dump_events(store, out, error);
	if (rc == 0)
		rc = dump_evidence(store, out, error);
	iq_store_close(store);
	return rc;
}
