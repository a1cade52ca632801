/* Whatever segments say, nothing is given behind an end, each connection ends once, and nothing waits beyond the end. Four bytes of the input are a segment: who sends it, its flags, where it begins, what it acknowledges, its length. */
#include <stdlib.h>

#include "ingest/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int take_piece(void *context, struct iq_tcp_connection *connection, unsigned way,
		      const struct iq_tcp_piece *piece, struct iq_error *error)
{
	(void)context;
	(void)error;
	require(!connection->ended);
	require(piece->event != IQ_TCP_BYTES || (piece->size == piece->bytes.len && piece->size > 0));
	require((piece->event != IQ_TCP_LOST && piece->event != IQ_TCP_CUT_OFF) || piece->size <= 2 * IQ_TCP_MAX_AHEAD);
	require(piece->event == IQ_TCP_DIFFERS || connection->warm);
	require(connection->ways[way].known);
	return 0;
}

static int take_end(void *context, struct iq_tcp_connection *connection, enum iq_tcp_end how, struct iq_error *error)
{
	size_t *ended = context;

	(void)how;
	(void)error;
	require(!connection->user);
	connection->user = ended;
	(*ended)++;
	return 0;
}

static void forget(struct iq_tcp_connection *connection)
{
	require(connection->user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t bases[2] = { UINT32_MAX - 100, 5000 };
	static const char bytes[256];
	size_t ended = 0;
	const struct iq_tcp_sink sink = { take_piece, take_end, forget, &ended };
	struct iq_tcp tcp;

	iq_tcp_init(&tcp, &sink);
	tcp.limit = 2;
	for (size_t i = 0; i + 4 <= size; i += 4) {
		const uint8_t *op = data + i;
		const unsigned way = op[0] & 1;
		struct iq_segment segment = {
			.from = { .family = 4, .port = (uint16_t)(way ? 80 : 1000 + (op[0] >> 6)) },
			.to = { .family = 4, .port = (uint16_t)(way ? 1000 + (op[0] >> 6) : 80) },
			.seq = bases[way] + op[1] * (op[0] & 2 ? 1u << 22 : 1u),
			.ack = bases[1 - way] + op[2],
			.flags = op[0] >> 1 & (IQ_TCP_FIN | IQ_TCP_SYN | IQ_TCP_RST | IQ_TCP_ACK),
			.payload = { bytes, op[3] & 63 },
			.length = (op[3] & 63) + (op[3] & 128 ? 20u : 0u),
		};

		require(iq_tcp_take(&tcp, &segment, &(const struct iq_tcp_place){ (int64_t)i, i }, NULL) == 0);
		require(tcp.count <= tcp.limit);
	}
	require(iq_tcp_end(&tcp, NULL) == 0);
	require(tcp.waiting == 0 && ended == tcp.connections);
	iq_tcp_release(&tcp);
	return 0;
}
