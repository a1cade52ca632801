#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/docker_seen.h"
#include "ingest/docker_stream.h"

/* ---- Streams ---- */

static int take_line(void *context, const struct iq_docker_line *line, struct iq_error *error)
{
	struct iq_buf *out = context;
	char ts[IQ_RFC3339_SIZE];

	(void)error;
	(void)iq_buf_appendf(out, "%u %s ", line->stream, iq_time_format(line->ts, ts));
	if (line->text.len < 100)
		(void)iq_json_append_string(out, line->text);
	else
		(void)iq_buf_appendf(out, "%zu x %c", line->text.len, line->text.data[0]);
	if (line->bytes != line->text.len)
		(void)iq_buf_appendf(out, " of %llu", (unsigned long long)line->bytes);
	return iq_buf_append_cstr(out, line->partial ? " partial\n" : "\n");
}

static struct iq_buf parse(struct iq_view bytes, bool tty, size_t max_line, size_t piece, unsigned *seed)
{
	struct iq_docker_stream stream;
	struct iq_buf out = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	int rc = 0;

	iq_docker_stream_init(&stream, tty, max_line, take_line, &out);
	while (bytes.len > 0 && rc == 0) {
		size_t len = seed ? 1 + (size_t)rand_r(seed) % 50 : piece;
		char *copy;

		len = bytes.len < len ? bytes.len : len;
		/* A copy of its own: reading beyond a piece is then seen. */
		copy = memcpy(malloc(len), bytes.data, len);
		rc = iq_docker_stream_feed(&stream, iq_view_make(copy, len), &error);
		free(copy);
		bytes = iq_view_from(bytes, len);
	}
	if (rc == 0)
		rc = iq_docker_stream_end(&stream, &error);
	if (rc < 0)
		(void)iq_buf_appendf(&out, "error: %s\n", error.message);
	iq_docker_stream_release(&stream);
	return out;
}

static void expect(const struct iq_buf *bytes, bool tty, size_t max_line, const char *lines)
{
	struct iq_buf whole = parse(iq_buf_view(bytes), tty, max_line, SIZE_MAX, NULL);
	const unsigned start = (unsigned)time(NULL);
	unsigned seed;
	struct iq_buf other = parse(iq_buf_view(bytes), tty, max_line, 1, NULL);

	cr_expect_str_eq(whole.data ? whole.data : "", lines);
	cr_expect_str_eq(other.data ? other.data : "", lines, "byte by byte");
	iq_buf_release(&other);
	for (unsigned i = 0; i < 8; i++) {
		seed = start + i;
		other = parse(iq_buf_view(bytes), tty, max_line, 0, &seed);
		cr_expect_str_eq(other.data ? other.data : "", lines, "seed %u", start + i);
		iq_buf_release(&other);
	}
	iq_buf_release(&whole);
}

#define T1 "2026-11-24T03:07:12.418000001Z"
#define T2 "2026-11-24T03:07:12.418000002Z"

static void frame(struct iq_buf *buf, unsigned stream, const char *text)
{
	const size_t len = strlen(text);
	const char header[8] = { (char)stream,	   0,	     0, 0, (char)(len >> 24), (char)(len >> 16),
				 (char)(len >> 8), (char)len };

	(void)iq_buf_append(buf, iq_view_make(header, 8));
	(void)iq_buf_append_cstr(buf, text);
}

/* A record with a text of `len` times `c`. */
static void append_record(struct iq_buf *buf, const char *ts, char c, size_t len, const char *end)
{
	(void)iq_buf_appendf(buf, "%s ", ts);
	for (size_t i = 0; i < len; i++)
		(void)iq_buf_append_char(buf, c);
	(void)iq_buf_append_cstr(buf, end);
}

static void long_frame(struct iq_buf *buf, const char *ts, char c, size_t len, const char *end)
{
	struct iq_buf text = IQ_BUF_INIT;

	append_record(&text, ts, c, len, end);
	frame(buf, 1, text.data);
	iq_buf_release(&text);
}

Test(docker_stream, tells_the_streams_apart)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	frame(&bytes, 1, T1 " one\n");
	frame(&bytes, 2, T2 " two\n");
	frame(&bytes, 1, T2 " \n");
	frame(&bytes, 1, T2 " cr\r\n");
	expect(&bytes, false, 1000, "1 " T1 " \"one\"\n2 " T2 " \"two\"\n1 " T2 " \"\"\n1 " T2 " \"cr\\r\"\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, reads_times_with_an_offset)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	frame(&bytes, 1, "2026-11-24T04:07:12.418000001+01:00 one\n");
	expect(&bytes, false, 1000, "1 " T1 " \"one\"\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, joins_the_pieces_of_a_line_while_the_other_stream_goes_on)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	long_frame(&bytes, T1, 'a', IQ_DOCKER_PIECE_BYTES, "");
	frame(&bytes, 2, T2 " two\n");
	long_frame(&bytes, T1, 'a', 10, "\n");
	expect(&bytes, false, 100000, "2 " T2 " \"two\"\n1 " T1 " 16394 x a\n");
	expect(&bytes, false, 200, "2 " T2 " \"two\"\n1 " T1 " 200 x a of 16394\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, joins_full_pieces_that_have_times_of_their_own)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	long_frame(&bytes, T1, 'a', IQ_DOCKER_PIECE_BYTES, "");
	long_frame(&bytes, T2, 'a', 10, "\n");
	expect(&bytes, false, 100000, "1 " T1 " 16394 x a\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, ends_a_line_that_never_ended_at_the_next)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	frame(&bytes, 1, T1 " half");
	frame(&bytes, 1, T2 " next\n");
	frame(&bytes, 1, T2 " last");
	expect(&bytes, false, 1000, "1 " T1 " \"half\" partial\n1 " T2 " \"next\"\n1 " T2 " \"last\" partial\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, tells_what_the_engine_says_from_what_the_container_says)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	frame(&bytes, 2, "Error grabbing logs: unexpected EOF\n");
	frame(&bytes, 1, T1 " one\n");
	frame(&bytes, 3, "x");
	expect(&bytes, false, 1000,
	       "2 - \"Error grabbing logs: unexpected EOF\"\n1 " T1 " \"one\"\n3 - \"x\" partial\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, refuses_what_is_no_frame)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	frame(&bytes, 1, T1 " one\n");
	(void)iq_buf_append_cstr(&bytes, "HTTP/1.1 200 OK\r\n");
	expect(&bytes, false, 1000, "1 " T1 " \"one\"\nerror: not a frame of a log stream: 48545450\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, reads_a_terminal)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	(void)iq_buf_append_cstr(&bytes, T1 " one\r\n" T2 " \r\n" T2 " half");
	expect(&bytes, true, 1000, "1 " T1 " \"one\"\n1 " T2 " \"\"\n1 " T2 " \"half\" partial\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, joins_the_pieces_of_a_terminals_line)
{
	struct iq_buf bytes = IQ_BUF_INIT;

	append_record(&bytes, T1, 'a', IQ_DOCKER_PIECE_BYTES, "");
	append_record(&bytes, T1, 'a', IQ_DOCKER_PIECE_BYTES, "");
	append_record(&bytes, T1, 'a', 5, "\r\n");
	append_record(&bytes, T2, 'b', IQ_DOCKER_PIECE_BYTES, "");
	(void)iq_buf_append_cstr(&bytes, "2026-11-24T no time\r\n");
	expect(&bytes, true, 100000, "1 " T1 " 32773 x a\n1 " T2 " 16403 x b\n");
	iq_buf_release(&bytes);
}

Test(docker_stream, forgets_what_was_unfinished_when_it_is_reset)
{
	struct iq_docker_stream stream;
	struct iq_buf out = IQ_BUF_INIT, bytes = IQ_BUF_INIT;

	frame(&bytes, 1, T1 " half");
	iq_docker_stream_init(&stream, false, 1000, take_line, &out);
	cr_expect_eq(iq_docker_stream_oldest(&stream), IQ_TIME_NONE);
	cr_expect_eq(iq_docker_stream_feed(&stream, iq_buf_view(&bytes), NULL), 0);
	cr_expect_neq(iq_docker_stream_oldest(&stream), IQ_TIME_NONE);
	iq_docker_stream_reset(&stream);
	cr_expect_eq(iq_docker_stream_end(&stream, NULL), 0);
	cr_expect_eq(out.len, 0);
	iq_docker_stream_release(&stream);
	iq_buf_release(&out);
	iq_buf_release(&bytes);
}

/* ---- Going on ---- */

struct record {
	int64_t ts;
	uint64_t hash;
};

/* A log whose times are nearly in order, often the same, and sometimes equal records. */
static size_t make_log(struct record *log, size_t count, unsigned *seed)
{
	int64_t ts = 1000 * IQ_NS_PER_S;

	for (size_t i = 0; i < count; i++) {
		ts += rand_r(seed) % 3 ? 0 : rand_r(seed) % (IQ_NS_PER_S / 20);
		log[i] = (struct record){ ts - (rand_r(seed) % 4 ? 0 : rand_r(seed) % IQ_NS_PER_MS),
					  (uint64_t)(rand_r(seed) % 5) };
	}
	return count;
}

/* Reads the log with interruptions: each time what is asked for again begins at a time, as the Engine does it. */
static void follow(const struct record *log, size_t count, unsigned *seed, bool *given)
{
	struct iq_docker_seen seen = IQ_DOCKER_SEEN_INIT;
	size_t reached = 0;
	int64_t since = IQ_TIME_NONE;

	while (reached < count) {
		const size_t end = reached + 1 + (size_t)rand_r(seed) % 40;

		for (size_t i = 0; i < count && i < end; i++) {
			if (log[i].ts < since || iq_docker_seen_again(&seen, log[i].ts, log[i].hash))
				continue;
			cr_assert(!given[i], "record %zu was given twice", i);
			given[i] = true;
			cr_assert(seen.proved, "the last record was not seen again before record %zu", i);
			cr_assert_eq(iq_docker_seen_add(&seen, log[i].ts, log[i].hash, IQ_TIME_NONE), 0);
		}
		reached = end;
		cr_assert_eq(iq_docker_seen_rewind(&seen, IQ_TIME_NONE, &since), 0);
	}
	iq_docker_seen_release(&seen);
}

Test(docker_seen, gives_each_record_once_however_often_it_is_interrupted)
{
	struct record log[500];
	const unsigned start = (unsigned)time(NULL);

	for (unsigned run = 0; run < 50; run++) {
		bool given[500] = { false };
		unsigned seed = start + run;
		const size_t count = make_log(log, 500, &seed);

		follow(log, count, &seed, given);
		for (size_t i = 0; i < count; i++)
			cr_assert(given[i], "record %zu is missing, seed %u", i, start + run);
	}
}

Test(docker_seen, tells_when_the_last_record_is_not_there_any_more)
{
	struct iq_docker_seen seen = IQ_DOCKER_SEEN_INIT;
	int64_t since;

	cr_assert_eq(iq_docker_seen_add(&seen, 5 * IQ_NS_PER_S, 7, IQ_TIME_NONE), 0);
	cr_assert(seen.proved);
	cr_assert_eq(iq_docker_seen_rewind(&seen, IQ_TIME_NONE, &since), 0);
	cr_expect_eq(since, 3 * IQ_NS_PER_S);
	cr_expect_not(iq_docker_seen_again(&seen, 6 * IQ_NS_PER_S, 7));
	cr_expect_not(seen.proved);
	iq_docker_seen_release(&seen);
}

Test(docker_seen, goes_back_to_a_line_that_had_begun)
{
	struct iq_docker_seen seen = IQ_DOCKER_SEEN_INIT;
	int64_t since;

	for (int64_t i = 10; i < 30; i++)
		cr_assert_eq(iq_docker_seen_add(&seen, i * IQ_NS_PER_S, (uint64_t)i, 12 * IQ_NS_PER_S), 0);
	cr_assert_eq(iq_docker_seen_rewind(&seen, 12 * IQ_NS_PER_S, &since), 0);
	cr_expect_eq(since, 12 * IQ_NS_PER_S);
	for (int64_t i = 12; i < 30; i++)
		cr_expect(iq_docker_seen_again(&seen, i * IQ_NS_PER_S, (uint64_t)i), "%lld", (long long)i);
	iq_docker_seen_release(&seen);
}

Test(docker_seen, remembers_only_so_many)
{
	struct iq_docker_seen seen = IQ_DOCKER_SEEN_INIT;
	int64_t since;

	for (uint64_t i = 0; i < IQ_DOCKER_SEEN_MAX + 10; i++)
		cr_assert_eq(iq_docker_seen_add(&seen, IQ_NS_PER_S + (int64_t)i, i, IQ_TIME_NONE), 0);
	cr_assert_eq(iq_docker_seen_rewind(&seen, IQ_TIME_NONE, &since), 0);
	cr_expect_eq(since, IQ_NS_PER_S + 10);
	cr_expect_eq(seen.again_count, IQ_DOCKER_SEEN_MAX);
	iq_docker_seen_release(&seen);
}
