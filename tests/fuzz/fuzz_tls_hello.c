/* A hello is the same however much of what follows it is there, and what is read lies within it. */
#include <stdlib.h>

#include "ingest/pcap_probe.h"
#include "ingest/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool lies_within(struct iq_view part, const struct iq_buf *whole)
{
	return !part.data || (part.data >= whole->data && part.data + part.len <= whole->data + whole->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct iq_view bytes = iq_view_make((const char *)data, size);
	struct iq_buf scratch = IQ_BUF_INIT, other = IQ_BUF_INIT;
	struct iq_tls_hello hello, again;
	const int rc = iq_tls_read_hello(bytes, &scratch, &hello);

	for (size_t len = 0; len < size; len++) {
		const int part = iq_tls_read_hello(iq_view_make(bytes.data, len), &other, &again);

		require(part == 0 || part == rc);
		require(part <= 0 || (again.version == hello.version && again.protocol_count == hello.protocol_count));
	}
	if (rc > 0) {
		require(lies_within(hello.server_name, &scratch) && hello.protocol_count <= IQ_TLS_MAX_PROTOCOLS);
		for (size_t i = 0; i < hello.protocol_count; i++)
			require(lies_within(hello.protocols[i], &scratch));
	}
	(void)iq_tls_probe(bytes);
	(void)iq_pcap_guess(bytes, true);
	(void)iq_pcap_guess_midway(bytes);
	iq_buf_release(&scratch);
	iq_buf_release(&other);
	return 0;
}
