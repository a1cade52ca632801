#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "wire/wire.h"

/* What a reader gave, as text: `1:Hello/1;` a message (opcode, payload, fragments), `8:1000:bye;` a close, `!-6;` an
 * error. */
static void tell(struct iq_buf *told, const struct iq_ws_message *message)
{
	(void)iq_buf_appendf(told, "%d:", (int)message->opcode);
	if (message->opcode == IQ_WS_CLOSE)
		(void)iq_buf_appendf(told, "%u:%.*s;", message->code, IQ_VIEW_ARG(message->reason));
	else
		(void)iq_buf_appendf(told, "%.*s/%u;", IQ_VIEW_ARG(message->payload), (unsigned)message->fragments);
}

/* Feeds pieces of `step` bytes, of 1 to 9 at random where it is 0. */
static void read_pieces(struct iq_view bytes, bool from_server, size_t step, struct iq_buf *told)
{
	struct iq_ws_reader reader;
	int rc = 0;

	iq_ws_reader_init(&reader, from_server);
	while (bytes.len > 0 && rc >= 0) {
		size_t size = step ? step : 1 + (size_t)rand() % 9;
		struct iq_view piece = iq_view_make(bytes.data, size < bytes.len ? size : bytes.len);
		struct iq_ws_message message;

		bytes = iq_view_from(bytes, piece.len);
		while ((rc = iq_ws_reader_next(&reader, &piece, &message, NULL)) > 0)
			tell(told, &message);
	}
	if (rc < 0)
		(void)iq_buf_appendf(told, "!%d;", rc);
	iq_ws_reader_release(&reader);
}

static void expect_read(struct iq_view bytes, bool from_server, const char *expected)
{
	unsigned seed = (unsigned)time(NULL);
	const size_t steps[] = { SIZE_MAX, 1, 0, 0, 0 };

	srand(seed);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct iq_buf told = IQ_BUF_INIT;

		(void)iq_buf_append_cstr(&told, "");
		read_pieces(bytes, from_server, steps[i], &told);
		cr_expect_str_eq(told.data, expected, "pieces of %zu, seed %u: %s instead of %s", steps[i], seed,
				 told.data, expected);
		iq_buf_release(&told);
	}
}

#define SERVER(bytes, expected) expect_read(IQ_LIT(bytes), true, expected)
#define CLIENT(bytes, expected) expect_read(IQ_LIT(bytes), false, expected)

/* RFC 6455, section 5.7. */
Test(ws_frame, reads_the_examples_of_the_rfc)
{
	SERVER("\x81\x05Hello", "1:Hello/1;");
	CLIENT("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "1:Hello/1;");
	SERVER("\x01\x03Hel\x80\x02lo", "1:Hello/2;");
	SERVER("\x89\x05Hello", "9:Hello/1;");
	CLIENT("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "10:Hello/1;");
}

Test(ws_frame, reads_control_frames_between_fragments_and_empty_frames)
{
	SERVER("\x01\x03Hel\x89\x01x\x00\x00\x8a\x00\x80\x02lo\x82\x00\x81\x01z", "9:x/1;10:/1;1:Hello/3;2:/1;1:z/1;");
	SERVER("", "");
	SERVER("\x81\x05Hell", "");
}

Test(ws_frame, reads_closes)
{
	SERVER("\x88\x00", "8:1005:;");
	SERVER("\x88\x05\x03\xe8"
	       "bye",
	       "8:1000:bye;");
	SERVER("\x88\x02\x0f\xa0", "8:4000:;");
}

Test(ws_frame, refuses_what_the_protocol_forbids)
{
	SERVER("\xc1\x00", "!-6;"); /* reserved bit */
	SERVER("\x83\x00", "!-6;"); /* reserved opcodes */
	SERVER("\x8b\x00", "!-6;");
	SERVER("\x80\x00", "!-6;");		    /* continuation of nothing */
	SERVER("\x01\x01x\x81\x01y", "!-6;");	    /* message in a message */
	SERVER("\x09\x00", "!-6;");		    /* fragmented control frame */
	SERVER("\x89\x7e\x00\x7e", "!-6;");	    /* control frame of 126 */
	SERVER("\x81\x80\x00\x00\x00\x00", "!-6;"); /* masked by a server */
	CLIENT("\x81\x01x", "!-6;");		    /* not masked by a client */
	SERVER("\x81\x7e\x00\x7d", "!-6;");	    /* lengths that have a shorter form */
	SERVER("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "!-6;");
	SERVER("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "!-6;");
	SERVER("\x88\x01\x03", "!-6;"); /* half a close code, and codes that must not be sent */
	SERVER("\x88\x02\x03\xed", "!-6;");
	SERVER("\x88\x02\x03\xee", "!-6;");
	SERVER("\x88\x02\x03\xe7", "!-6;");
	SERVER("\x88\x02\x13\x88", "!-6;");
}

Test(ws_frame, wants_utf8_in_text_and_close_reasons_only)
{
	SERVER("\x81\x02\xc3\xa9", "1:\xc3\xa9/1;");
	SERVER("\x01\x01\xc3\x80\x01\xa9", "1:\xc3\xa9/2;"); /* a character cut by a fragment */
	SERVER("\x81\x01\xc3", "!-6;");
	SERVER("\x81\x03\xed\xa0\x80", "!-6;");
	SERVER("\x88\x03\x03\xe8\xff", "!-6;");
	SERVER("\x82\x01\xff", "2:\xff/1;");
}

/* The head alone must be enough: nobody waits for, or stores, what is too long. */
Test(ws_frame, refuses_too_long_a_message_at_its_head)
{
	SERVER("\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01", "!-9;");
	SERVER("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "!-9;");
	SERVER("\x02\x01x\x80\x7f\x00\x00\x00\x00\x01\x00\x00\x00", "!-9;"); /* with what came before */
	SERVER("\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00", "");
}

Test(ws_frame, keeps_the_limit_it_is_given)
{
	struct iq_ws_reader reader;
	struct iq_ws_message message;
	struct iq_view four = IQ_LIT("\x82\x04"
				     "four"),
		       fifth = IQ_LIT("\x82\x05"
				      "fifth");

	iq_ws_reader_init(&reader, true);
	reader.limit = 4;
	cr_expect_eq(iq_ws_reader_next(&reader, &four, &message, NULL), 1);
	cr_expect_eq(iq_ws_reader_next(&reader, &fifth, &message, NULL), IQ_ERR_LIMIT);
	iq_ws_reader_release(&reader);
}

static void expect_written_and_read(size_t len, const uint8_t *mask)
{
	struct iq_buf payload = IQ_BUF_INIT, frame = IQ_BUF_INIT;
	struct iq_ws_reader reader;
	struct iq_ws_message message;
	struct iq_view bytes;
	size_t head = len < 126 ? 2 : len <= 65535 ? 4 : 10;

	for (size_t i = 0; i < len; i++)
		(void)iq_buf_append_char(&payload, (char)(i * 7));
	cr_assert_eq(iq_ws_append_frame(&frame, IQ_WS_BINARY, iq_buf_view(&payload), mask), 0);
	cr_expect_eq(frame.len, head + (mask ? 4 : 0) + len);
	iq_ws_reader_init(&reader, !mask);
	bytes = iq_buf_view(&frame);
	cr_assert_eq(iq_ws_reader_next(&reader, &bytes, &message, NULL), 1, "%zu", len);
	cr_expect_eq(message.opcode, IQ_WS_BINARY);
	cr_expect(iq_view_eq(message.payload, iq_buf_view(&payload)), "%zu", len);
	iq_ws_reader_release(&reader);
	iq_buf_release(&payload);
	iq_buf_release(&frame);
}

Test(ws_frame, writes_what_it_reads_at_every_form_of_length)
{
	static const size_t lengths[] = { 0, 1, 3, 125, 126, 127, 65535, 65536, 70001 };
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		expect_written_and_read(lengths[i], mask);
		expect_written_and_read(lengths[i], NULL);
	}
}

/* permessage-deflate marks the first frame of a message, and only where it was agreed on. */
Test(ws_frame, takes_compressed_messages_where_they_were_agreed_on)
{
	static const char compressed[] = "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", continued[] = "\x01\x01x\xc0\x01y",
			  control[] = "\xc9\x00";
	struct iq_error error = IQ_ERROR_INIT;

	for (int agreed = 0; agreed < 2; agreed++) {
		struct iq_view bytes = iq_view_make(compressed, sizeof(compressed) - 1);
		struct iq_ws_message message;
		struct iq_ws_reader reader;

		iq_ws_reader_init(&reader, true);
		reader.deflates = agreed;
		cr_expect_eq(iq_ws_reader_next(&reader, &bytes, &message, &error), agreed ? 1 : IQ_ERR_FORMAT);
		cr_expect(!agreed || (message.compressed && message.payload.len == 7));
		iq_ws_reader_release(&reader);
	}
	for (int i = 0; i < 2; i++) {
		struct iq_view bytes =
			i ? iq_view_make(control, sizeof(control) - 1) : iq_view_make(continued, sizeof(continued) - 1);
		struct iq_ws_message message;
		struct iq_ws_reader reader;

		iq_ws_reader_init(&reader, true);
		reader.deflates = true;
		cr_expect_eq(iq_ws_reader_next(&reader, &bytes, &message, &error), IQ_ERR_FORMAT);
		iq_ws_reader_release(&reader);
	}
}
