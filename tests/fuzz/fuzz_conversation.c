#include <stdlib.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int tell(void *context, const struct iq_talk *talk)
{
	struct iq_buf *told = context;

	require(talk->body.len <= talk->body_len && talk->raw.len <= talk->raw_len && talk->start <= talk->end);
	require(talk->kind == IQ_TALK_OPAQUE || talk->kind == IQ_TALK_MESSAGE || talk->request);
	require(iq_buf_appendf(told, "%d %d %llu %llu ", (int)talk->kind, (int)talk->side,
			       (unsigned long long)talk->exchange, (unsigned long long)talk->body_len) == 0);
	require(iq_buf_append(told, talk->body) == 0);
	return 0;
}

/* Parts of the input, divided by bytes of 0xfe and 0xff, were said by the client and the server. */
static void hear(struct iq_view bytes, size_t step, struct iq_buf *told)
{
	const struct iq_conversation_options options = { .take = tell, .context = told };
	struct iq_conversation *conversation = iq_conversation_new(&options);
	enum iq_side side = IQ_SIDE_CLIENT;

	require(conversation != NULL);
	while (bytes.len > 0) {
		size_t len = 0;

		while (len < bytes.len && len < step && (uint8_t)bytes.data[len] < 0xfe)
			len++;
		require(iq_conversation_feed(conversation, side, iq_view_make(bytes.data, len), 0) == 0);
		if (len < bytes.len && (uint8_t)bytes.data[len] >= 0xfe)
			side = (uint8_t)bytes.data[len++] & 1 ? IQ_SIDE_SERVER : IQ_SIDE_CLIENT;
		bytes = iq_view_from(bytes, len);
	}
	require(iq_conversation_end(conversation, IQ_SIDE_CLIENT, 0) == 0);
	require(iq_conversation_end(conversation, IQ_SIDE_SERVER, 0) == 0);
	iq_conversation_free(conversation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iq_buf whole = IQ_BUF_INIT, pieces = IQ_BUF_INIT;
	const struct iq_view bytes = iq_view_make((const char *)data, size);

	hear(bytes, SIZE_MAX, &whole);
	hear(bytes, 1, &pieces);
	require(iq_view_eq(iq_buf_view(&whole), iq_buf_view(&pieces)));
	iq_buf_release(&whole);
	iq_buf_release(&pieces);
	return 0;
}
