/* How fast frames become messages on one core: decode-rate MIB
 *
 * So many MiB of unmasked frames with 1 KiB of text each, 64 KiB at a time as a socket gives them, through memcpy, through the decoder of
 * the recorder, and through wslay. A line each: name and bytes a second. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "wire/wire.h"

#define PAYLOAD 1024u
#define FRAME (PAYLOAD + 4)
#define PIECE (64u << 10)
#define FRAMES 8192u /* more than a cache holds */

struct input {
	const char *bytes;
	size_t len;
	uint64_t messages;
};

/* Each gives how many messages it found. */
typedef uint64_t read_fn(const struct input *input);

static uint64_t copy(const struct input *input)
{
	static char piece[PIECE];
	uint64_t sum = 0;

	for (size_t at = 0; at < input->len; at += PIECE) {
		memcpy(piece, input->bytes + at, input->len - at < PIECE ? input->len - at : PIECE);
		__asm__ volatile("" : : "r"(piece) : "memory");
		sum++;
	}
	return sum > 0 ? input->messages : 0;
}

static uint64_t decode(const struct input *input)
{
	const struct iq_deflate none = { .agreed = false };
	struct iq_ws_decoder decoder;
	struct iq_ws_heard heard;
	uint64_t messages = 0;

	iq_ws_decoder_init(&decoder, true, &none);
	for (size_t at = 0; at < input->len; at += PIECE) {
		struct iq_view piece =
			iq_view_make(input->bytes + at, input->len - at < PIECE ? input->len - at : PIECE);

		while (iq_ws_decoder_next(&decoder, &piece, 0, &heard) > 0)
			messages += heard.payload.len == PAYLOAD && !heard.problems;
	}
	iq_ws_decoder_release(&decoder);
	return messages;
}

struct wslay_state {
	const struct input *input;
	size_t at;
	uint64_t messages;
};

static ssize_t give(wslay_event_context_ptr context, uint8_t *buf, size_t len, int flags, void *user)
{
	struct wslay_state *state = user;
	const size_t left = state->input->len - state->at;

	(void)flags;
	if (left == 0) {
		wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	len = len < left ? len : left;
	memcpy(buf, state->input->bytes + state->at, len);
	state->at += len;
	return (ssize_t)len;
}

static void hear(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct wslay_state *state = user;

	(void)context;
	state->messages += arg->msg_length == PAYLOAD;
}

static uint64_t decode_with_wslay(const struct input *input)
{
	static const struct wslay_event_callbacks callbacks = { .recv_callback = give, .on_msg_recv_callback = hear };
	struct wslay_state state = { .input = input };
	wslay_event_context_ptr context;

	if (wslay_event_context_client_init(&context, &callbacks, &state) != 0)
		return 0;
	(void)wslay_event_recv(context);
	wslay_event_context_free(context);
	return state.messages;
}

static const struct {
	const char *name;
	read_fn *read;
} readers[] = {
	{ "memcpy", copy },
	{ "decoder", decode },
	{ "wslay", decode_with_wslay },
};

static int measure(size_t which, const struct input *input, uint64_t rounds)
{
	const int64_t begun = iq_clock_monotonic();

	for (uint64_t i = 0; i < rounds; i++)
		if (readers[which].read(input) != input->messages) {
			(void)fprintf(stderr, "decode-rate: %s finds other messages\n", readers[which].name);
			return 1;
		}
	(void)printf("%s %.0f\n", readers[which].name,
		     (double)(input->len * rounds) / ((double)(iq_clock_monotonic() - begun) / IQ_NS_PER_S));
	return 0;
}

int main(int argc, char **argv)
{
	const uint64_t rounds = (argc > 1 ? strtoull(argv[1], NULL, 10) : 64) * 1024 * 1024 / (FRAMES * FRAME) + 1;
	char *bytes = malloc(FRAMES * FRAME);
	const struct input input = { bytes, FRAMES * FRAME, FRAMES };
	int status = bytes ? 0 : 1;

	for (size_t i = 0; bytes && i < FRAMES; i++) {
		memcpy(bytes + i * FRAME, (const char[]){ '\x81', '\x7e', PAYLOAD >> 8, 0 }, 4);
		for (size_t k = 0; k < PAYLOAD; k++)
			bytes[i * FRAME + 4 + k] = (char)(' ' + (i * 31 + k * 7) % 90);
	}
	for (size_t i = 0; status == 0 && i < sizeof(readers) / sizeof(readers[0]); i++)
		status = measure(i, &input, rounds);
	free(bytes);
	return status;
}
