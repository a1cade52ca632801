#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that a few bytes of input reach it. */
#define LIMIT 4096

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct iq_ws_heard *heard)
{
	require(heard->payload.len <= LIMIT && heard->payload.len <= heard->payload_len);
	require(heard->is_cut == (heard->payload.data && heard->payload_len > heard->payload.len));
	require(heard->raw.len <= LIMIT + IQ_WS_MAX_HEADS && heard->raw.len <= heard->raw_len);
	require(heard->end >= heard->start && heard->fragments > 0);
	require(heard->opcode != IQ_WS_TEXT || heard->is_binary ||
		iq_utf8_valid(heard->is_cut ? iq_utf8_cut(heard->payload, LIMIT - 3) : heard->payload));
}

static void tell(struct iq_buf *told, const struct iq_ws_heard *heard)
{
	require(iq_buf_appendf(told, "%u %x %u %llu %llu %llu ", heard->opcode, heard->problems, heard->code,
			       (unsigned long long)heard->payload_len, (unsigned long long)heard->end,
			       (unsigned long long)heard->fragments) == 0);
	require(iq_buf_append(told, heard->payload) == 0);
	require(iq_buf_append(told, heard->raw) == 0);
}

static void decode(struct iq_view bytes, uint8_t form, size_t step, struct iq_buf *told)
{
	const struct iq_deflate deflate = { .agreed = form & 64, .no_takeover = form & 32, .bits = 15 };
	struct iq_ws_decoder decoder;
	struct iq_ws_heard heard;
	uint64_t reached = 0;

	iq_ws_decoder_init(&decoder, form & 128, &deflate);
	decoder.limit = LIMIT;
	while (bytes.len > 0) {
		struct iq_view piece = iq_view_make(bytes.data, step < bytes.len ? step : bytes.len);

		bytes = iq_view_from(bytes, piece.len);
		while (iq_ws_decoder_next(&decoder, &piece, 0, &heard) > 0) {
			check(&heard);
			require(heard.end >= reached);
			reached = heard.end;
			tell(told, &heard);
		}
	}
	while (iq_ws_decoder_end(&decoder, &heard) > 0)
		tell(told, &heard);
	iq_ws_decoder_release(&decoder);
}

/* The first byte chooses the side, the extension and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_buf whole = IQ_BUF_INIT, pieces = IQ_BUF_INIT;
	struct iq_view bytes;

	if (size == 0)
		return 0;
	bytes = iq_view_make((const char *)data + 1, size - 1);
	decode(bytes, data[0], SIZE_MAX, &whole);
	decode(bytes, data[0], 1 + (data[0] & 15), &pieces);
	require(iq_view_eq(iq_buf_view(&whole), iq_buf_view(&pieces)));
	iq_buf_release(&whole);
	iq_buf_release(&pieces);
	return 0;
}
