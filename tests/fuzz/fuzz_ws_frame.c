#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that a few bytes of input reach it. */
#define MESSAGE_LIMIT 4096

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_message(const struct iq_ws_reader *reader, const struct iq_ws_message *message)
{
	require(message->payload.len <= reader->limit);
	require(message->opcode < IQ_WS_CLOSE || message->payload.len <= IQ_WS_MAX_CONTROL);
	require(message->opcode != IQ_WS_TEXT || iq_utf8_valid(message->payload));
	require(message->opcode != IQ_WS_CLOSE || iq_utf8_valid(message->reason));
}

static void tell(struct iq_buf *told, const struct iq_ws_message *message)
{
	require(iq_buf_appendf(told, "%d %zu %llu ", (int)message->opcode, message->payload.len,
			       (unsigned long long)message->fragments) == 0);
	require(iq_buf_append(told, message->payload) == 0);
}

/* Everything that the bytes give, fed in pieces. */
static void read_pieces(struct iq_view bytes, bool from_server, size_t step, struct iq_buf *told)
{
	struct iq_ws_reader reader;
	int rc = 0;

	iq_ws_reader_init(&reader, from_server);
	reader.limit = MESSAGE_LIMIT;
	while (bytes.len > 0 && rc >= 0) {
		struct iq_view piece = iq_view_make(bytes.data, step < bytes.len ? step : bytes.len);
		struct iq_ws_message message;

		bytes = iq_view_from(bytes, piece.len);
		while ((rc = iq_ws_reader_next(&reader, &piece, &message, NULL)) > 0) {
			check_message(&reader, &message);
			tell(told, &message);
		}
	}
	require(iq_buf_appendf(told, "end %d", rc) == 0);
	iq_ws_reader_release(&reader);
}

/* The first byte chooses the side and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_buf whole = IQ_BUF_INIT, pieces = IQ_BUF_INIT;
	struct iq_view bytes;

	if (size == 0)
		return 0;
	bytes = iq_view_make((const char *)data + 1, size - 1);
	read_pieces(bytes, data[0] & 128, SIZE_MAX, &whole);
	read_pieces(bytes, data[0] & 128, 1 + (data[0] & 15), &pieces);
	require(iq_view_eq(iq_buf_view(&whole), iq_buf_view(&pieces)));
	iq_buf_release(&whole);
	iq_buf_release(&pieces);
	return 0;
}
