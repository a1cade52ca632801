#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "frames.h"

static const struct iq_deflate no_deflate;
static const struct iq_deflate with_takeover = { .agreed = true, .bits = 15 };
static const struct iq_deflate without_takeover = { .agreed = true, .bits = 15, .no_takeover = true };

/* Everything that is said of a message. */
static void tell_all(struct iq_buf *told, const struct iq_ws_heard *heard)
{
	(void)iq_buf_appendf(told, "%u %d %d %x %u %llu %llu %llu %llu-%llu %llu %d:", heard->opcode, heard->compressed,
			     heard->is_binary, heard->problems, heard->code, (unsigned long long)heard->payload_len,
			     (unsigned long long)heard->wire_len, (unsigned long long)heard->raw_len,
			     (unsigned long long)heard->start, (unsigned long long)heard->end,
			     (unsigned long long)heard->fragments, heard->is_cut);
	for (uint64_t i = 0; i < heard->fragments && i < IQ_WS_MAX_FRAGMENTS; i++)
		(void)iq_buf_appendf(told, "%llu,", (unsigned long long)heard->fragment_lens[i]);
	for (size_t i = 0; heard->is_cut && i < IQ_SHA256_SIZE; i++)
		(void)iq_buf_appendf(told, "%02x", heard->sha256[i]);
	(void)iq_buf_append(told, heard->payload);
	(void)iq_buf_append_char(told, '|');
	(void)iq_buf_append(told, heard->raw);
	(void)iq_buf_append_char(told, '\n');
}

/* What matters of it, for a person: `1:Hello`, `8:1000:bye`, problems in words behind `!`. */
static void tell_short(struct iq_buf *told, const struct iq_ws_heard *heard)
{
	(void)iq_buf_appendf(told, "%u:", heard->opcode);
	if (heard->opcode == IQ_WS_CLOSE)
		(void)iq_buf_appendf(told, "%u:%.*s", heard->code, IQ_VIEW_ARG(heard->reason));
	else
		(void)iq_buf_append(told, heard->payload);
	if (heard->fragments > 1)
		(void)iq_buf_appendf(told, "/%llu", (unsigned long long)heard->fragments);
	for (unsigned i = 0; i < IQ_WS_PROBLEM_COUNT; i++)
		if (heard->problems & 1u << i)
			(void)iq_buf_appendf(told, "!%s", iq_ws_problem_text((enum iq_ws_problem)(1u << i)));
	(void)iq_buf_append_char(told, ';');
}

typedef void tell_fn(struct iq_buf *told, const struct iq_ws_heard *heard);

/* Fed in pieces of `step` bytes, of 1 to 40 at random where it is 0. */
static void decode(struct iq_view bytes, bool from_server, const struct iq_deflate *deflate, uint64_t limit,
		   size_t step, tell_fn *tell, struct iq_buf *told)
{
	struct iq_ws_decoder decoder;
	struct iq_ws_heard heard;

	(void)iq_buf_append_cstr(told, "");
	iq_ws_decoder_init(&decoder, from_server, deflate);
	decoder.limit = limit;
	while (bytes.len > 0) {
		const size_t size = step ? step : 1 + (size_t)rand() % 40;
		struct iq_view piece = iq_view_make(bytes.data, size < bytes.len ? size : bytes.len);

		bytes = iq_view_from(bytes, piece.len);
		while (iq_ws_decoder_next(&decoder, &piece, 7, &heard) > 0)
			tell(told, &heard);
	}
	while (iq_ws_decoder_end(&decoder, &heard) > 0)
		tell(told, &heard);
	iq_ws_decoder_release(&decoder);
}

static void expect(struct iq_view bytes, bool from_server, const struct iq_deflate *deflate, const char *expected)
{
	const size_t steps[] = { SIZE_MAX, 1, 2, 3 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct iq_buf told = IQ_BUF_INIT;

		decode(bytes, from_server, deflate, IQ_WS_MAX_KEPT, steps[i], tell_short, &told);
		cr_expect_str_eq(told.data, expected, "pieces of %zu: %s instead of %s", steps[i], told.data, expected);
		iq_buf_release(&told);
	}
}

#define SERVER(bytes, expected) expect(IQ_LIT(bytes), true, &no_deflate, expected)
#define CLIENT(bytes, expected) expect(IQ_LIT(bytes), false, &no_deflate, expected)

/* RFC 6455, section 5.7, and RFC 7692, section 7.2.3. */
Test(ws_decoder, hears_the_examples_of_the_rfcs)
{
	SERVER("\x81\x05Hello", "1:Hello;");
	CLIENT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "1:Hello;");
	SERVER("\x01\x03Hel\x80\x02lo", "1:Hello/2;");
	SERVER("\x89\x05Hello", "9:Hello;");
	expect(IQ_LIT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), true, &with_takeover, "1:Hello;");
	expect(IQ_LIT("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), true, &with_takeover, "1:Hello/2;");
	expect(IQ_LIT("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"), true, &with_takeover,
	       "1:Hello;1:Hello;");
	expect(IQ_LIT("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), true, &with_takeover, "1:Hello;");
	/* A block with its BFINAL bit set, and one after it. */
	expect(IQ_LIT("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x05\xf2\x00\x11\x00\x00"), true, &with_takeover,
	       "1:Hello;1:Hello;");
}

Test(ws_decoder, control_frames_between_fragments_come_first)
{
	SERVER("\x01\x03Hel\x89\x01p\x80\x02lo", "9:p;1:Hello/2;");
	SERVER("\x01\x03Hel\x88\x02\x03\xe8\x80\x02lo", "8:1000:;1:Hello/2!a frame after the close frame;");
}

Test(ws_decoder, what_breaks_the_protocol_is_told_and_stops_nothing)
{
	SERVER("\x91\x01x\x81\x01y", "1:x!reserved bits without an extension;1:y;");
	SERVER("\xc1\x01x\x81\x01y", "1:x!reserved bits without an extension;1:y;");
	SERVER("\x83\x01x\x81\x01y", "3:x!an unknown opcode;1:y;");
	SERVER("\x8b\x01x\x81\x01y", "11:x!an unknown opcode;1:y;");
	SERVER("\x80\x01x\x81\x01y", "0:x!a continuation without a message;1:y;");
	SERVER("\x01\x01x\x81\x01y", "1:x!a message that another one interrupted;1:y;");
	SERVER("\x09\x01x\x81\x01y", "9:x!a fragmented control frame;1:y;");
	SERVER("\x81\x7e\x00\x01x\x81\x01y", "1:x!a length that is not in its shortest form;1:y;");
	SERVER("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01x\x81\x01y",
	       "1:x!a length that is not in its shortest form;1:y;");
	SERVER("\x81\x81\x00\x00\x00\x00x\x81\x01y", "1:x!a masked frame from a server;1:y;");
	CLIENT("\x81\x01x", "1:x!a frame without mask from a client;");
	SERVER("\x81\x01\xff\x81\x01y", "1:\xff!a text that is not UTF-8;1:y;");
	SERVER("\x88\x01x", "8:1005:!a close frame of one byte;");
	SERVER("\x88\x02\x03\xed", "8:1005:!a close code that must not be sent;");
	SERVER("\x88\x02\x03\xe8\x81\x01y", "8:1000:;1:y!a frame after the close frame;");
	expect(IQ_LIT("\xc1\x03\xff\xff\xff\x81\x01y"), true, &with_takeover,
	       "1:!compressed bytes that cannot be inflated;1:y;");
}

Test(ws_decoder, a_long_control_frame_is_told)
{
	struct iq_buf bytes = IQ_BUF_INIT, payload = IQ_BUF_INIT, expected = IQ_BUF_INIT;

	for (unsigned i = 0; i < 126; i++)
		(void)iq_buf_append_char(&payload, 'p');
	frames_append(&bytes, 0x89, iq_buf_view(&payload), NULL);
	(void)iq_buf_appendf(&expected, "9:%s!a control frame longer than 125 bytes;", payload.data);
	expect(iq_buf_view(&bytes), true, &no_deflate, expected.data);
	iq_buf_release(&bytes);
	iq_buf_release(&payload);
	iq_buf_release(&expected);
}

/* A length near 2^64 wraps sums. */
Test(ws_decoder, after_a_length_that_cannot_be_nothing_is_told_apart)
{
	SERVER("\x81\x01x\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xfc\x81\x01y",
	       "1:x;2:!a length with its highest bit set;");
}

Test(ws_decoder, text_may_be_cut_within_a_character)
{
	SERVER("\x01\x01\xc3\x80\x01\xa4", "1:\xc3\xa4/2;");
	SERVER("\x81\x03\xed\xa0\x80", "1:\xed\xa0\x80!a text that is not UTF-8;");
}

Test(ws_decoder, the_end_within_a_message_tells_what_there_was)
{
	SERVER("\x81\x05He", "1:He;");
	SERVER("\x01\x03Hel\x89\x04p", "9:p;1:Hel;");
	SERVER("\x81", "");
}

/* One byte more than is kept, also across fragments and compressed: the beginning, the length and the hash of all of it. */
Test(ws_decoder, of_a_long_message_beginning_length_and_hash_are_kept)
{
	static const char text[] = "0123456789abcdefX";
	const uint8_t mask[4] = { 1, 2, 3, 4 };
	uint8_t hash[IQ_SHA256_SIZE];

	iq_sha256_of(text, 17, hash);
	for (unsigned form = 0; form < 3; form++) {
		struct iq_buf bytes = IQ_BUF_INIT, packed = IQ_BUF_INIT;
		struct iq_ws_decoder decoder;
		struct iq_ws_heard heard;
		struct iq_view rest;

		frames_deflate(IQ_LIT("0123456789abcdefX"), 15, &packed);
		if (form == 0)
			frames_append(&bytes, 0x81, iq_view_make(text, 17), mask);
		if (form == 1) {
			frames_append(&bytes, 0x01, iq_view_make(text, 9), mask);
			frames_append(&bytes, 0x80, iq_view_make(text + 9, 8), mask);
		}
		if (form == 2)
			frames_append(&bytes, 0xc1, iq_buf_view(&packed), mask);
		rest = iq_buf_view(&bytes);
		iq_ws_decoder_init(&decoder, false, &with_takeover);
		decoder.limit = 16;
		cr_assert_eq(iq_ws_decoder_next(&decoder, &rest, 0, &heard), 1);
		cr_expect(heard.is_cut && heard.payload_len == 17 && iq_view_eq(heard.payload, iq_view_make(text, 16)),
			  "form %u: %.*s of %llu", form, IQ_VIEW_ARG(heard.payload),
			  (unsigned long long)heard.payload_len);
		cr_expect_arr_eq(heard.sha256, hash, IQ_SHA256_SIZE, "form %u", form);
		iq_ws_decoder_release(&decoder);
		iq_buf_release(&bytes);
		iq_buf_release(&packed);
	}
}

/* 100 KiB that inflate to 100 MiB: the limit counts what comes out. What follows is inflated as far as it does not refer
 * to that: f2 00 11 00 00 is the Hello before it once more (RFC 7692, section 7.2.3.2). */
Test(ws_decoder, what_inflates_too_far_is_given_up)
{
	struct iq_buf zeros = IQ_BUF_INIT, packed = IQ_BUF_INIT, bytes = IQ_BUF_INIT, told = IQ_BUF_INIT;
	const struct iq_deflate *agreed[] = { &with_takeover, &without_takeover };
	const char *expected[] = {
		"1:!compressed bytes that inflate too far;1:!compressed bytes that cannot be inflated;1:Hello;1:Hello;1:y;",
		"1:!compressed bytes that inflate too far;1:!compressed bytes that cannot be inflated;1:Hello;"
		"1:!compressed bytes that cannot be inflated;1:y;"
	};

	(void)iq_buf_reserve(&zeros, 100u << 20);
	memset(zeros.data, 0, 100u << 20);
	zeros.len = 100u << 20;
	frames_deflate(iq_buf_view(&zeros), 15, &packed);
	frames_append(&bytes, 0xc1, iq_buf_view(&packed), NULL);
	(void)iq_buf_append(&bytes, IQ_LIT("\xc1\x05\xf2\x00\x11\x00\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
					   "\xc1\x05\xf2\x00\x11\x00\x00\x81\x01y"));
	for (size_t i = 0; i < 2; i++) {
		iq_buf_clear(&told);
		decode(iq_buf_view(&bytes), true, agreed[i], IQ_WS_MAX_KEPT, 1u << 16, tell_short, &told);
		cr_expect_str_eq(told.data, expected[i]);
	}
	iq_buf_release(&zeros);
	iq_buf_release(&packed);
	iq_buf_release(&bytes);
	iq_buf_release(&told);
}

/* zlib does not deflate with a window of 8 bits. */
Test(ws_decoder, inflates_with_every_window)
{
	for (int bits = 9; bits <= 15; bits++) {
		const struct iq_deflate deflate = { .agreed = true, .bits = (uint8_t)bits };
		struct iq_buf plain = IQ_BUF_INIT, packed = IQ_BUF_INIT, bytes = IQ_BUF_INIT;
		struct iq_ws_decoder decoder;
		struct iq_ws_heard heard;
		struct iq_view rest;

		for (unsigned i = 0; i < 20000; i++)
			(void)iq_buf_appendf(&plain, "%u,", i % 777);
		frames_deflate(iq_buf_view(&plain), bits, &packed);
		frames_append(&bytes, 0xc1, iq_buf_view(&packed), NULL);
		rest = iq_buf_view(&bytes);
		iq_ws_decoder_init(&decoder, true, &deflate);
		cr_assert_eq(iq_ws_decoder_next(&decoder, &rest, 0, &heard), 1);
		cr_expect(iq_view_eq(heard.payload, iq_buf_view(&plain)), "%d bits", bits);
		iq_ws_decoder_release(&decoder);
		iq_buf_release(&plain);
		iq_buf_release(&packed);
		iq_buf_release(&bytes);
	}
}

Test(ws_decoder, raw_bytes_can_be_masked_again)
{
	struct iq_buf bytes = IQ_BUF_INIT, again = IQ_BUF_INIT;
	const unsigned seed = (unsigned)time(NULL);
	struct iq_ws_decoder decoder;
	struct iq_ws_heard heard;
	struct iq_view rest;

	srand(seed);
	frames_append_random(&bytes, false, false, 200);
	rest = iq_buf_view(&bytes);
	iq_ws_decoder_init(&decoder, false, &no_deflate);
	while (iq_ws_decoder_next(&decoder, &rest, 0, &heard) > 0) {
		if (heard.fragments != 1)
			continue;
		iq_buf_clear(&again);
		cr_assert_eq(iq_ws_remask(heard.raw, &again), 0);
		cr_assert(iq_view_eq(iq_buf_view(&again),
				     iq_view_make(bytes.data + heard.start, (size_t)(heard.end - heard.start))),
			  "seed %u, at %llu", seed, (unsigned long long)heard.start);
	}
	iq_ws_decoder_release(&decoder);
	iq_buf_release(&bytes);
	iq_buf_release(&again);
}

/* Whole, byte by byte, cut at random: the same, whatever goes by. */
Test(ws_decoder, cuts_change_nothing)
{
	const unsigned seed = (unsigned)time(NULL);

	srand(seed);
	for (unsigned round = 0; round < 40; round++) {
		const bool from_server = round & 1;
		const struct iq_deflate *deflate =
			round & 2 ? (round & 4 ? &with_takeover : &without_takeover) : &no_deflate;
		const uint64_t limit = round & 8 ? 100 : IQ_WS_MAX_KEPT;
		const size_t steps[] = { SIZE_MAX, 1, 0, 0 };
		struct iq_buf bytes = IQ_BUF_INIT, first = IQ_BUF_INIT;

		frames_append_random(&bytes, from_server, deflate->agreed, 30);
		for (size_t i = 0; i < 4; i++) {
			struct iq_buf told = IQ_BUF_INIT;

			decode(iq_buf_view(&bytes), from_server, deflate, limit, steps[i], tell_all,
			       i ? &told : &first);
			cr_expect(i == 0 || iq_view_eq(iq_buf_view(&told), iq_buf_view(&first)),
				  "seed %u, round %u, pieces of %zu", seed, round, steps[i]);
			iq_buf_release(&told);
		}
		iq_buf_release(&bytes);
		iq_buf_release(&first);
	}
}
