/* wslay reads the same frames, and stops where ours says what is wrong. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wslay/wslay.h>

#include "wire/wire.h"

#define ROUNDS 2000
#define MESSAGES 12
#define NO_CODE 1005

/* ---- Frames at random ---- */

struct stream {
	struct iq_buf bytes;
	unsigned seed;
	bool from_server;
};

static unsigned below(struct stream *stream, unsigned count)
{
	return (unsigned)rand_r(&stream->seed) % count;
}

static bool one_of(struct stream *stream, unsigned count)
{
	return below(stream, count) == 0;
}

static void put(struct stream *stream, unsigned value, unsigned bytes)
{
	for (unsigned i = bytes; i > 0; i--)
		(void)iq_buf_append(&stream->bytes, iq_view_make(&(char){ (char)(value >> (8 * (i - 1))) }, 1));
}

static void put_length(struct stream *stream, unsigned size, unsigned mask_bit)
{
	const unsigned form = one_of(stream, 200) ? 126 : size < 126 ? size : size < 65536 ? 126 : 127;

	put(stream, mask_bit | form, 1);
	if (form == 126)
		put(stream, size, 2);
	if (form == 127)
		put(stream, 0, 4), put(stream, size, 4);
}

static void put_frame(struct stream *stream, unsigned first, struct iq_view payload)
{
	const unsigned mask = stream->from_server ? 0 : (unsigned)rand_r(&stream->seed);
	const bool is_masked = stream->from_server == one_of(stream, 400);

	put(stream, first, 1);
	put_length(stream, (unsigned)payload.len, is_masked ? 0x80 : 0);
	if (is_masked)
		put(stream, mask, 4);
	for (size_t i = 0; i < payload.len; i++)
		put(stream, (unsigned char)payload.data[i] ^ (is_masked ? mask >> (8 * (3 - i % 4)) & 0xFF : 0), 1);
}

static void fill(struct stream *stream, struct iq_buf *payload, size_t size, bool is_text)
{
	static const char *const pieces[] = { "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x99\x82", "hello " };

	iq_buf_clear(payload);
	while (payload->len < size) {
		if (is_text)
			(void)iq_buf_append_cstr(payload, pieces[below(stream, 5)]);
		else
			(void)iq_buf_append(payload, iq_view_make(&(char){ (char)below(stream, 256) }, 1));
	}
	if (is_text && one_of(stream, 60))
		(void)iq_buf_append_cstr(payload, "\xED\xA0\x80");
}

static void put_control(struct stream *stream)
{
	struct iq_buf payload = IQ_BUF_INIT;
	unsigned opcode = one_of(stream, 30) ? 11 + below(stream, 5) : 9 + below(stream, 2);

	fill(stream, &payload, one_of(stream, 40) ? 126 : below(stream, 126), false);
	put_frame(stream, (one_of(stream, 60) ? 0 : 0x80) | opcode, iq_buf_view(&payload));
	iq_buf_release(&payload);
}

static void put_close(struct stream *stream)
{
	static const unsigned codes[] = { 1000, 1001, 3000, 4999, 1011, 1005, 999, 1016, 5000 };
	const unsigned code = codes[below(stream, 9)];
	char payload[] = { (char)(code >> 8), (char)code, 'b', 'y', 'e' };

	/* wslay takes a single byte for none. */
	put_frame(stream, 0x88, iq_view_make(payload, one_of(stream, 4) ? 0 : sizeof(payload)));
}

static void put_message(struct stream *stream)
{
	static const unsigned sizes[] = { 1, 10, 125, 126, 300, 70000 };
	const bool is_text = one_of(stream, 2);
	unsigned first = one_of(stream, 80) ? 3 + below(stream, 5) : one_of(stream, 80) ? 0 : is_text ? 1 : 2;
	struct iq_buf payload = IQ_BUF_INIT;
	struct iq_view left;

	fill(stream, &payload, below(stream, sizes[below(stream, one_of(stream, 20) ? 6 : 5)]), is_text);
	left = iq_buf_view(&payload);
	while (left.len > 0 && one_of(stream, 2)) {
		const size_t size = below(stream, (unsigned)left.len);

		put_frame(stream, first, iq_view_make(left.data, size));
		left = iq_view_from(left, size);
		first = one_of(stream, 60) ? 1 : 0;
		if (one_of(stream, 3))
			put_control(stream);
	}
	put_frame(stream, 0x80 | (one_of(stream, 60) ? 0x10u << below(stream, 3) : 0) | first, left);
	iq_buf_release(&payload);
}

/* ---- What both make of them: a line for each message ---- */

struct heard {
	struct iq_buf lines;
	size_t count;
	size_t first_problem; /* SIZE_MAX: none */
	bool data_between;    /* a message of data comes between what `wslay` had and that */
};

static void add_line(struct iq_buf *lines, unsigned opcode, unsigned code, struct iq_view payload)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < payload.len; i++)
		hash = (hash ^ (unsigned char)payload.data[i]) * 1099511628211u;
	(void)iq_buf_appendf(lines, "%u %u %zu %016llx\n", opcode, code, payload.len, (unsigned long long)hash);
}

struct wslay_input {
	struct iq_view left;
	struct heard heard;
};

static ssize_t give(wslay_event_context_ptr context, uint8_t *buf, size_t len, int flags, void *user)
{
	struct wslay_input *input = user;

	(void)flags;
	if (input->left.len == 0) {
		wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	len = len < input->left.len ? len : input->left.len;
	memcpy(buf, input->left.data, len);
	input->left = iq_view_from(input->left, len);
	return (ssize_t)len;
}

static void hear(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct wslay_input *input = user;
	struct iq_view payload = iq_view_make((const char *)arg->msg, arg->msg_length);

	(void)context;
	if (arg->opcode == WSLAY_CONNECTION_CLOSE)
		payload = iq_view_from(payload, payload.len < 2 ? payload.len : 2);
	add_line(&input->heard.lines, arg->opcode, arg->status_code, payload);
	input->heard.count++;
}

/* False where wslay found something wrong. */
static bool read_with_wslay(const struct stream *stream, struct wslay_input *input)
{
	static const struct wslay_event_callbacks callbacks = { .recv_callback = give, .on_msg_recv_callback = hear };
	wslay_event_context_ptr context;
	bool is_right;

	cr_assert_eq((stream->from_server ? wslay_event_context_client_init
					  : wslay_event_context_server_init)(&context, &callbacks, input),
		     0);
	input->left = iq_buf_view(&stream->bytes);
	is_right = wslay_event_recv(context) == 0;
	/* What it does not like it answers with a close frame of its own. */
	is_right = is_right && (wslay_event_get_read_enabled(context) || wslay_event_get_close_received(context));
	wslay_event_context_free(context);
	return is_right;
}

static struct heard read_with_ours(struct stream *stream, size_t known)
{
	const struct iq_deflate none = { .agreed = false };
	struct heard heard = { .lines = IQ_BUF_INIT, .first_problem = SIZE_MAX };
	struct iq_view left = iq_buf_view(&stream->bytes);
	struct iq_ws_decoder decoder;
	struct iq_ws_heard message;

	iq_ws_decoder_init(&decoder, stream->from_server, &none);
	while (left.len > 0) {
		struct iq_view piece = iq_view_make(left.data, 1 + below(stream, (unsigned)left.len));

		left = iq_view_from(left, piece.len);
		while (iq_ws_decoder_next(&decoder, &piece, 0, &message) > 0) {
			if (message.problems && heard.first_problem == SIZE_MAX)
				heard.first_problem = heard.count;
			if (heard.first_problem == SIZE_MAX && heard.count >= known && message.opcode < 8)
				heard.data_between = true;
			if (heard.count < known)
				add_line(&heard.lines, message.opcode, message.code == NO_CODE ? 0 : message.code,
					 message.opcode == 8 ? message.reason : message.payload);
			heard.count++;
		}
	}
	iq_ws_decoder_release(&decoder);
	return heard;
}

static void compare(unsigned seed, bool from_server)
{
	struct stream stream = { .bytes = IQ_BUF_INIT, .seed = seed, .from_server = from_server };
	struct wslay_input input = { .heard = { .lines = IQ_BUF_INIT } };
	struct heard ours;
	bool is_right;

	for (unsigned i = below(&stream, MESSAGES) + 1; i > 0; i--)
		one_of(&stream, 4) ? put_control(&stream) : put_message(&stream);
	if (one_of(&stream, 2))
		put_close(&stream);
	is_right = read_with_wslay(&stream, &input);
	ours = read_with_ours(&stream, input.heard.count);
	cr_expect_str_eq(ours.lines.data ? ours.lines.data : "", input.heard.lines.data ? input.heard.lines.data : "",
			 "seed %u\n%s---\n%s", seed, ours.lines.data ? ours.lines.data : "",
			 input.heard.lines.data ? input.heard.lines.data : "");
	cr_expect_geq(ours.first_problem, input.heard.count, "seed %u: what wslay likes has a problem", seed);
	cr_expect_eq(is_right, ours.first_problem == SIZE_MAX,
		     "seed %u: wslay %s, ours has %zu messages, the first problem in %zu", seed,
		     is_right ? "likes it" : "does not like it", ours.count, ours.first_problem);
	cr_expect(is_right ? ours.count == input.heard.count : !ours.data_between, "seed %u: %zu messages, wslay %zu",
		  seed, ours.count, input.heard.count);
	iq_buf_release(&stream.bytes);
	iq_buf_release(&input.heard.lines);
	iq_buf_release(&ours.lines);
}

Test(wslay, agrees_on_what_was_sent_and_where_it_is_wrong)
{
	const unsigned seed = (unsigned)time(NULL);

	for (unsigned i = 0; i < ROUNDS; i++)
		compare(seed + i, i % 2);
}
