#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/tcp.h"

/* Conversations are made up as segments in the order in which they are sent; what a capture may do to them is done; what comes out is
 * compared with what was said. A failing round prints its seed. */

#define MAX_SEGMENTS 400

struct made {
	struct iq_segment segment;
	int64_t at; /* of its first byte in its direction */
	bool is_gone;
};

struct script {
	unsigned seed;
	struct iq_buf said[2];
	uint32_t isn[2];
	struct made made[MAX_SEGMENTS];
	size_t count;
};

struct heard {
	const struct script *script;
	struct iq_buf bytes[2]; /* what is lost: as zeros */
	size_t connections;
	size_t differing;
	bool finished[2];
	enum iq_tcp_end how;
	size_t ended;
};

/* From IQ_TEST_SEED, where a run is to be repeated, and IQ_TEST_ROUNDS. */
static unsigned first_seed(void)
{
	const char *seed = getenv("IQ_TEST_SEED");

	return seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
}

static unsigned rounds(void)
{
	const char *count = getenv("IQ_TEST_ROUNDS");

	return count ? (unsigned)strtoul(count, NULL, 10) : 200;
}

static unsigned below(unsigned *seed, unsigned limit)
{
	return (unsigned)rand_r(seed) % limit;
}

/* ---- What is said ---- */

static struct iq_endpoint endpoint(uint16_t port)
{
	return (struct iq_endpoint){ .family = 4, .address = { 127, 0, 0, 1 }, .port = port };
}

static void add(struct script *script, unsigned way, uint8_t flags, size_t len)
{
	static const uint16_t ports[2] = { 50000, 8000 };
	struct made *made = &script->made[script->count++];
	const size_t at = script->said[way].len, received = script->said[1 - way].len;

	cr_assert(script->count <= MAX_SEGMENTS);
	for (size_t i = 0; i < len; i++)
		(void)iq_buf_append_char(&script->said[way], (char)('a' + below(&script->seed, 26)));
	*made = (struct made){ .segment = { .from = endpoint(ports[way]),
					    .to = endpoint(ports[1 - way]),
					    .seq = script->isn[way] + 1 + (uint32_t)at,
					    .ack = script->isn[1 - way] + 1 + (uint32_t)received,
					    .flags = flags,
					    .length = len },
			       .at = (int64_t)at };
}

static void point_payloads(struct script *script)
{
	for (size_t i = 0; i < script->count; i++) {
		struct made *made = &script->made[i];
		const struct iq_buf *said = &script->said[made->segment.from.port == 8000];

		made->segment.payload = iq_view_make(said->data + made->at, (size_t)made->segment.length);
	}
}

static struct script make_script(unsigned seed)
{
	struct script script = { .seed = seed };
	const unsigned turns = 5 + below(&script.seed, 150);

	/* Near the end of the numbers as often as not. */
	for (size_t i = 0; i < 2; i++)
		script.isn[i] = below(&script.seed, 2) ? UINT32_MAX - below(&script.seed, 20000)
						       : below(&script.seed, 1u << 30);
	add(&script, 0, IQ_TCP_SYN, 0);
	script.made[0].segment.seq--;
	add(&script, 1, IQ_TCP_SYN | IQ_TCP_ACK, 0);
	script.made[1].segment.seq--;
	for (unsigned i = 0; i < turns; i++)
		add(&script, below(&script.seed, 2), IQ_TCP_ACK,
		    below(&script.seed, 4) ? 1 + below(&script.seed, 900) : 0);
	add(&script, 0, IQ_TCP_ACK | IQ_TCP_FIN, 0);
	add(&script, 1, IQ_TCP_ACK | IQ_TCP_FIN, 0);
	script.made[script.count - 1].segment.ack++;
	point_payloads(&script);
	return script;
}

static void release_script(struct script *script)
{
	iq_buf_release(&script->said[0]);
	iq_buf_release(&script->said[1]);
}

/* ---- What is heard ---- */

static unsigned side_of(const struct iq_tcp_connection *connection, unsigned way)
{
	return connection->ends[way].port == 8000;
}

/* What the sender of a byte had received when it sent it. */
static size_t received_before(const struct script *script, unsigned side, size_t at)
{
	for (size_t i = 0; i < script->count; i++) {
		const struct made *made = &script->made[i];

		if ((made->segment.from.port == 8000) == side && (size_t)made->at <= at &&
		    at < (size_t)made->at + made->segment.length)
			return made->segment.ack - script->isn[1 - side] - 1;
	}
	return 0;
}

static int take_piece(void *context, struct iq_tcp_connection *connection, unsigned way,
		      const struct iq_tcp_piece *piece, struct iq_error *error)
{
	struct heard *heard = context;
	const unsigned side = side_of(connection, way);
	const size_t before = heard->bytes[side].len;

	(void)error;
	switch (piece->event) {
	case IQ_TCP_BYTES:
		cr_expect_geq(heard->bytes[1 - side].len, received_before(heard->script, side, before),
			      "an answer before its question");
		(void)iq_buf_append(&heard->bytes[side], piece->bytes);
		break;
	case IQ_TCP_LOST:
	case IQ_TCP_CUT_OFF:
		for (uint64_t i = 0; i < piece->size; i++)
			(void)iq_buf_append_char(&heard->bytes[side], '\0');
		break;
	case IQ_TCP_DIFFERS:
		heard->differing++;
		break;
	case IQ_TCP_FINISHED:
		heard->finished[side] = true;
		break;
	}
	return 0;
}

static int take_end(void *context, struct iq_tcp_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	struct heard *heard = context;

	(void)connection;
	(void)error;
	heard->how = how;
	heard->ended++;
	return 0;
}

static void forget(struct iq_tcp_connection *connection)
{
	(void)connection;
}

static struct heard hear(const struct script *script, const struct iq_segment *segments, size_t count)
{
	struct heard heard = { .script = script };
	const struct iq_tcp_sink sink = { take_piece, take_end, forget, &heard };
	struct iq_tcp tcp;

	iq_tcp_init(&tcp, &sink);
	for (size_t i = 0; i < count; i++) {
		const struct iq_tcp_place place = { (int64_t)i, i };

		cr_assert_eq(iq_tcp_take(&tcp, &segments[i], &place, NULL), 0);
	}
	cr_assert_eq(iq_tcp_end(&tcp, NULL), 0);
	cr_assert_eq(tcp.waiting, 0);
	heard.connections = (size_t)tcp.connections;
	iq_tcp_release(&tcp);
	return heard;
}

static void release_heard(struct heard *heard)
{
	iq_buf_release(&heard->bytes[0]);
	iq_buf_release(&heard->bytes[1]);
}

static void expect_all(const struct script *script, struct heard *heard, unsigned seed)
{
	for (size_t i = 0; i < 2; i++)
		cr_expect(iq_view_eq(iq_buf_view(&heard->bytes[i]), iq_buf_view(&script->said[i])), "seed %u, side %zu",
			  seed, i);
	cr_expect_eq(heard->connections, 1, "seed %u", seed);
	cr_expect_eq(heard->differing, 0, "seed %u", seed);
	cr_expect_eq(heard->ended, 1, "seed %u", seed);
	cr_expect_eq(heard->how, IQ_TCP_CLOSED, "seed %u: %d", seed, heard->how);
}

/* ---- What a capture does ---- */

static size_t copy_segments(const struct script *script, struct iq_segment *segments)
{
	size_t count = 0;

	for (size_t i = 0; i < script->count; i++)
		if (!script->made[i].is_gone)
			segments[count++] = script->made[i].segment;
	return count;
}

/* What is heard of bytes that were not captured. */
static void wipe(const struct script *script, const struct made *made, size_t kept)
{
	const size_t length = (size_t)made->segment.length;

	if (length > kept)
		memset(script->said[made->segment.from.port == 8000].data + made->at + kept, 0, length - kept);
}

/* No segment ends further away than `reach` from where it was. */
static void shuffle(struct iq_segment *segments, size_t count, unsigned reach, unsigned *seed)
{
	for (size_t i = 0; i + reach < count; i += reach)
		for (size_t j = 0; j < reach; j++) {
			const size_t other = i + below(seed, reach);
			const struct iq_segment segment = segments[i + j];

			segments[i + j] = segments[other];
			segments[other] = segment;
		}
}

/* Part of one of those that were sent, or all of it and what comes behind. */
static struct iq_segment another_copy(const struct script *script, size_t sent, unsigned *seed)
{
	const struct made *made = &script->made[below(seed, (unsigned)sent)];
	const struct iq_buf *said = &script->said[made->segment.from.port == 8000];
	struct iq_segment segment = made->segment;
	size_t from = (size_t)made->at, len;

	if (segment.length == 0)
		return segment;
	segment.flags = IQ_TCP_ACK;
	from += below(seed, (unsigned)segment.length);
	len = 1 + below(seed, 1500);
	/* No more than had been said by then. */
	if (len > (size_t)made->at + segment.length - from)
		len = (size_t)made->at + segment.length - from;
	segment.seq += (uint32_t)(from - (size_t)made->at);
	segment.payload = iq_view_make(said->data + from, len);
	segment.length = len;
	return segment;
}

static size_t mix_in_copies(const struct script *script, struct iq_segment *segments, size_t count, unsigned *seed)
{
	const size_t copies = below(seed, 40);

	for (size_t i = 0; i < copies; i++) {
		const size_t sent = 2 + below(seed, (unsigned)script->count - 2);
		const size_t at = sent + i;

		memmove(segments + at + 1, segments + at, (count - at) * sizeof(*segments));
		segments[at] = another_copy(script, sent, seed);
		count++;
	}
	return count;
}

Test(tcp, gives_what_was_said)
{
	const unsigned first = first_seed(), end = first + rounds();

	for (unsigned seed = first; seed < end; seed++) {
		struct script script = make_script(seed);
		struct iq_segment segments[MAX_SEGMENTS];
		struct heard heard = hear(&script, segments, copy_segments(&script, segments));

		expect_all(&script, &heard, seed);
		release_heard(&heard);
		release_script(&script);
	}
}

Test(tcp, gives_what_was_said_whatever_comes_late_or_twice)
{
	const unsigned first = first_seed(), end = first + rounds();

	for (unsigned seed = first; seed < end; seed++) {
		unsigned chance = seed;
		struct script script = make_script(seed);
		struct iq_segment segments[MAX_SEGMENTS + 40];
		size_t count = mix_in_copies(&script, segments, copy_segments(&script, segments), &chance);
		struct heard heard;

		shuffle(segments, count, 2 + below(&chance, 14), &chance);
		heard = hear(&script, segments, count);
		expect_all(&script, &heard, seed);
		release_heard(&heard);
		release_script(&script);
	}
}

/* Behind the handshake, some segments were never captured. */
Test(tcp, says_exactly_what_is_missing)
{
	const unsigned first = first_seed(), end = first + rounds();

	for (unsigned seed = first; seed < end; seed++) {
		unsigned chance = seed;
		struct script script = make_script(seed);
		struct iq_segment segments[MAX_SEGMENTS];
		struct heard heard;
		size_t count;

		for (size_t i = 2; i + 2 < script.count; i++) {
			struct made *made = &script.made[i];

			made->is_gone = below(&chance, 8) == 0;
			if (made->is_gone)
				wipe(&script, made, 0);
		}
		count = copy_segments(&script, segments);
		shuffle(segments, count, 2 + below(&chance, 14), &chance);
		heard = hear(&script, segments, count);
		expect_all(&script, &heard, seed);
		release_heard(&heard);
		release_script(&script);
	}
}

/* Only the size of what is behind the first bytes of a segment was captured. */
Test(tcp, says_exactly_what_was_cut_off)
{
	const unsigned first = first_seed(), end = first + rounds();

	for (unsigned seed = first; seed < end; seed++) {
		unsigned chance = seed;
		struct script script = make_script(seed);
		struct iq_segment segments[MAX_SEGMENTS];
		struct heard heard;

		for (size_t i = 2; i < script.count; i++) {
			struct made *made = &script.made[i];
			struct iq_segment *segment = &made->segment;
			const size_t kept = segment->length < 200 ? (size_t)segment->length : 200;

			segment->payload.len = kept;
			wipe(&script, made, kept);
		}
		shuffle(segments, copy_segments(&script, segments), 2 + below(&chance, 14), &chance);
		heard = hear(&script, segments, script.count);
		expect_all(&script, &heard, seed);
		release_heard(&heard);
		release_script(&script);
	}
}

/* Whatever comes first, nothing is given that was not said, and nothing twice. */
Test(tcp, begins_in_the_middle)
{
	const unsigned first = first_seed(), end = first + rounds();

	for (unsigned seed = first; seed < end; seed++) {
		unsigned chance = seed;
		struct script script = make_script(seed);
		struct iq_segment segments[MAX_SEGMENTS];
		const size_t gone = 2 + below(&chance, (unsigned)script.count - 4);
		int64_t from[2] = { INT64_MAX, INT64_MAX };
		struct heard heard;
		size_t count;

		for (size_t i = 0; i < script.count; i++) {
			struct made *made = &script.made[i];
			const unsigned side = made->segment.from.port == 8000;

			made->is_gone = i < gone;
			if (i >= gone && made->segment.length > 0 && made->at < from[side])
				from[side] = made->at;
		}
		count = copy_segments(&script, segments);
		shuffle(segments, count, 2 + below(&chance, 6), &chance);
		/* The order of what was said cannot be told by positions from the beginning. */
		heard = hear(&(const struct script){ .count = 0 }, segments, count);
		for (size_t i = 0; i < 2; i++) {
			struct iq_view said = iq_buf_view(&script.said[i]);

			said = iq_view_from(said, from[i] == INT64_MAX ? said.len : (size_t)from[i]);
			cr_expect(iq_view_ends_with(iq_buf_view(&heard.bytes[i]), said), "seed %u, side %zu", seed, i);
		}
		cr_expect_eq(heard.how, IQ_TCP_CLOSED, "seed %u", seed);
		release_heard(&heard);
		release_script(&script);
	}
}

/* ---- One at a time ---- */

static struct iq_segment segment(uint16_t from, uint32_t seq, uint32_t ack, uint8_t flags, const char *text)
{
	return (struct iq_segment){ .from = endpoint(from),
				    .to = endpoint(from == 8000 ? 50000 : 8000),
				    .seq = seq,
				    .ack = ack,
				    .flags = flags,
				    .payload = iq_view_cstr(text),
				    .length = strlen(text) };
}

Test(tcp, takes_the_first_copy_and_tells_of_another)
{
	const struct iq_segment segments[] = {
		segment(50000, 9, 0, IQ_TCP_SYN, ""),
		segment(8000, 99, 10, IQ_TCP_SYN | IQ_TCP_ACK, ""),
		segment(50000, 10, 100, IQ_TCP_ACK, "first"),
		segment(50000, 10, 100, IQ_TCP_ACK, "FIRST"), /* given already */
		segment(50000, 20, 100, IQ_TCP_ACK, "later"),
		segment(50000, 18, 100, IQ_TCP_ACK, "??LATER??"), /* around what waits */
		segment(50000, 15, 100, IQ_TCP_ACK, "and"),
		segment(50000, 26, 100, IQ_TCP_ACK, "x"), /* is somebody there? */
	};
	struct script nothing = { .count = 0 };
	struct heard heard = hear(&nothing, segments, sizeof(segments) / sizeof(segments[0]));

	cr_expect_str_eq(heard.bytes[0].data, "firstand??later??");
	cr_expect_eq(heard.differing, 2);
	cr_expect_eq(heard.how, IQ_TCP_OPEN);
	release_heard(&heard);
}

Test(tcp, tells_a_connection_from_the_next_one_over_the_same_ports)
{
	const struct iq_segment segments[] = {
		segment(50000, 9, 0, IQ_TCP_SYN, ""),	      segment(8000, 99, 10, IQ_TCP_SYN | IQ_TCP_ACK, ""),
		segment(50000, 10, 100, IQ_TCP_ACK, "one"),   segment(50000, 9, 0, IQ_TCP_SYN, ""),
		segment(50000, 700000, 0, IQ_TCP_SYN, ""),    segment(8000, 5, 700001, IQ_TCP_SYN | IQ_TCP_ACK, ""),
		segment(50000, 700001, 6, IQ_TCP_ACK, "two"), segment(8000, 6, 700004, IQ_TCP_RST | IQ_TCP_ACK, ""),
	};
	struct script nothing = { .count = 0 };
	struct heard heard = hear(&nothing, segments, sizeof(segments) / sizeof(segments[0]));

	cr_expect_str_eq(heard.bytes[0].data, "onetwo");
	cr_expect_eq(heard.connections, 2);
	cr_expect_eq(heard.ended, 2);
	cr_expect_eq(heard.how, IQ_TCP_RESET);
	release_heard(&heard);
}

Test(tcp, forgets_the_connection_that_was_silent_longest)
{
	struct script nothing = { .count = 0 };
	struct heard heard = { .script = &nothing };
	const struct iq_tcp_sink sink = { take_piece, take_end, forget, &heard };
	struct iq_tcp tcp;

	iq_tcp_init(&tcp, &sink);
	tcp.limit = 3;
	for (uint16_t i = 0; i < 10; i++) {
		struct iq_segment syn = segment(50000, 9, 0, IQ_TCP_SYN, "");

		syn.from.port = (uint16_t)(40000 + i);
		cr_assert_eq(iq_tcp_take(&tcp, &syn, &(const struct iq_tcp_place){ i, i }, NULL), 0);
		cr_expect_leq(tcp.count, 3);
	}
	cr_expect_eq(heard.ended, 7);
	cr_expect_eq(heard.how, IQ_TCP_FORGOTTEN);
	iq_tcp_release(&tcp);
}

/* What was received and is not in the capture will not come any more. */
Test(tcp, does_not_wait_for_what_was_acknowledged)
{
	struct script nothing = { .count = 0 };
	struct heard heard = { .script = &nothing };
	const struct iq_tcp_sink sink = { take_piece, take_end, forget, &heard };
	struct iq_segment segments[] = {
		segment(50000, 9, 0, IQ_TCP_SYN, ""),
		segment(8000, 99, 10, IQ_TCP_SYN | IQ_TCP_ACK, ""),
		segment(50000, 14, 100, IQ_TCP_ACK, "behind"),
		segment(8000, 100, 10, IQ_TCP_ACK, ""),
	};
	struct iq_tcp tcp;

	iq_tcp_init(&tcp, &sink);
	for (unsigned i = 0; i < 4 + IQ_TCP_PATIENCE; i++)
		cr_assert_eq(iq_tcp_take(&tcp, &segments[i < 4 ? i : 3], &(const struct iq_tcp_place){ i, i }, NULL),
			     0);
	cr_expect_eq(heard.bytes[0].len, 0, "it may come yet");
	segments[3].ack = 20;
	cr_assert_eq(iq_tcp_take(&tcp, &segments[3], &(const struct iq_tcp_place){ 99, 99 }, NULL), 0);
	cr_expect(iq_view_eq(iq_buf_view(&heard.bytes[0]), iq_view_make("\0\0\0\0behind", 10)));
	release_heard(&heard);
	iq_tcp_release(&tcp);
}

/* Somebody sends every other segment, and no more. */
Test(tcp, holds_no_more_than_its_limit)
{
	static char bytes[1000];
	struct script nothing = { .count = 0 };
	struct heard heard = { .script = &nothing };
	const struct iq_tcp_sink sink = { take_piece, take_end, forget, &heard };
	struct iq_tcp tcp;
	size_t most = 0;

	iq_tcp_init(&tcp, &sink);
	for (uint32_t i = 0; i < 10000; i++) {
		struct iq_segment each = segment(50000, i * 2000, 1, IQ_TCP_ACK, "");

		each.payload = iq_view_make(bytes, sizeof(bytes));
		each.length = sizeof(bytes);
		cr_assert_eq(iq_tcp_take(&tcp, &each, &(const struct iq_tcp_place){ i, i }, NULL), 0);
		most = tcp.waiting > most ? tcp.waiting : most;
	}
	cr_expect_gt(most, IQ_TCP_MAX_WAITING / 2);
	cr_expect_leq(most, IQ_TCP_MAX_WAITING + 2000);
	cr_assert_eq(iq_tcp_end(&tcp, NULL), 0);
	cr_expect_eq(heard.bytes[0].len, 10000 * 2000 - 1000);
	release_heard(&heard);
	iq_tcp_release(&tcp);
}
