#include "store/chain.h"

int iq_chain_init(struct iq_chain *chain)
{
	*chain = (struct iq_chain){ .hash = iq_sha256_new(), .marks = IQ_BUF_INIT };
	return chain->hash ? 0 : IQ_ERR_NOMEM;
}

void iq_chain_release(struct iq_chain *chain)
{
	iq_sha256_free(chain->hash);
	iq_buf_release(&chain->marks);
}

void iq_chain_reset(struct iq_chain *chain)
{
	iq_sha256_reset(chain->hash);
	iq_buf_clear(&chain->marks);
	chain->bytes = 0;
}

/* The largest i with 2^i <= bytes; there is one. */
static unsigned head_of(uint64_t bytes)
{
	unsigned i = 0;

	while (i + 1 < IQ_MARK_SHIFT && bytes >> (i + 1))
		i++;
	return i;
}

uint64_t iq_chain_next(const struct iq_chain *chain)
{
	if (chain->bytes >= IQ_MARK_BYTES)
		return (chain->bytes / IQ_MARK_BYTES + 1) * IQ_MARK_BYTES;
	return chain->bytes == 0 ? 1 : (uint64_t)2 << head_of(chain->bytes);
}

static int note(struct iq_chain *chain)
{
	uint8_t digest[IQ_SHA256_SIZE];

	if (chain->bytes < IQ_MARK_BYTES) {
		iq_sha256_digest(chain->hash, chain->heads[head_of(chain->bytes)]);
		return 0;
	}
	iq_sha256_digest(chain->hash, digest);
	return iq_buf_append(&chain->marks, iq_view_make((const char *)digest, IQ_SHA256_SIZE));
}

int iq_chain_update(struct iq_chain *chain, struct iq_view bytes)
{
	int rc = 0;

	while (rc == 0 && bytes.len > 0) {
		uint64_t next = iq_chain_next(chain);
		size_t len = bytes.len < next - chain->bytes ? bytes.len : (size_t)(next - chain->bytes);

		iq_sha256_update(chain->hash, bytes.data, len);
		chain->bytes += len;
		bytes = iq_view_from(bytes, len);
		if (chain->bytes == next)
			rc = note(chain);
	}
	return rc;
}

const uint8_t *iq_chain_here(const struct iq_chain *chain)
{
	if (chain->bytes > 0 && chain->bytes % IQ_MARK_BYTES == 0)
		return (const uint8_t *)chain->marks.data + (chain->bytes / IQ_MARK_BYTES - 1) * IQ_SHA256_SIZE;
	if (chain->bytes == 0 || (chain->bytes & (chain->bytes - 1)) != 0 || chain->bytes > IQ_MARK_BYTES)
		return NULL;
	return chain->heads[head_of(chain->bytes)];
}

struct iq_view iq_chain_marks(const struct iq_chain *chain, uint64_t offset)
{
	if (chain->bytes > 0 && chain->bytes < IQ_MARK_BYTES)
		return iq_view_make((const char *)chain->heads[head_of(chain->bytes)], IQ_SHA256_SIZE);
	return iq_view_from(iq_buf_view(&chain->marks), (size_t)(offset / IQ_MARK_BYTES) * IQ_SHA256_SIZE);
}

int iq_chain_go_back(struct iq_chain *chain, const struct iq_chain *other, const struct iq_sha256 *hash, uint64_t bytes)
{
	struct iq_view marks = iq_buf_view(&other->marks);

	iq_sha256_copy(chain->hash, hash);
	memcpy(chain->heads, other->heads, sizeof(chain->heads));
	chain->bytes = bytes;
	iq_buf_clear(&chain->marks);
	marks.len = (size_t)(bytes / IQ_MARK_BYTES) * IQ_SHA256_SIZE;
	return iq_buf_append(&chain->marks, marks);
}
