#include "base/merkle.h"

#include <string.h>

#include "base/base.h"

/* In place of `left`. */
static int join(uint8_t left[IQ_SHA256_SIZE], const uint8_t right[IQ_SHA256_SIZE])
{
	struct iq_sha256 *hash = iq_sha256_new();

	if (!hash)
		return IQ_ERR_NOMEM;
	iq_sha256_update(hash, "\1", 1);
	iq_sha256_update(hash, left, IQ_SHA256_SIZE);
	iq_sha256_update(hash, right, IQ_SHA256_SIZE);
	iq_sha256_digest(hash, left);
	iq_sha256_free(hash);
	return 0;
}

static unsigned root_count(const struct iq_merkle *tree)
{
	return (unsigned)__builtin_popcountll(tree->count);
}

int iq_merkle_add_hash(struct iq_merkle *tree, const uint8_t hash[IQ_SHA256_SIZE])
{
	unsigned last = root_count(tree);
	int rc = 0;

	memcpy(tree->roots[last], hash, IQ_SHA256_SIZE);
	/* Two trees of one size are one of twice that. */
	for (uint64_t bits = tree->count; bits & 1 && rc == 0; bits >>= 1, last--)
		rc = join(tree->roots[last - 1], tree->roots[last]);
	tree->count++;
	return rc;
}

int iq_merkle_add(struct iq_merkle *tree, struct iq_view leaf)
{
	uint8_t digest[IQ_SHA256_SIZE];
	struct iq_sha256 *hash = iq_sha256_new();

	if (!hash)
		return IQ_ERR_NOMEM;
	iq_sha256_update(hash, "", 1);
	iq_sha256_update(hash, leaf.data, leaf.len);
	iq_sha256_digest(hash, digest);
	iq_sha256_free(hash);
	return iq_merkle_add_hash(tree, digest);
}

int iq_merkle_root(const struct iq_merkle *tree, uint8_t ret_root[IQ_SHA256_SIZE])
{
	const unsigned count = root_count(tree);
	uint8_t left[IQ_SHA256_SIZE], root[IQ_SHA256_SIZE];
	int rc = 0;

	if (count == 0) {
		iq_sha256_of("", 0, ret_root);
		return 0;
	}
	memcpy(root, tree->roots[count - 1], IQ_SHA256_SIZE);
	for (unsigned i = count - 1; i-- > 0 && rc == 0;) {
		memcpy(left, tree->roots[i], IQ_SHA256_SIZE);
		rc = join(left, root);
		memcpy(root, left, IQ_SHA256_SIZE);
	}
	if (rc == 0)
		memcpy(ret_root, root, IQ_SHA256_SIZE);
	return rc;
}
