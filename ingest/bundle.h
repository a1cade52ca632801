/* ingest/bundle.h - what the scripts of `inquest collect` bring along: a directory with host.txt, manifest.tsv, and the evidence.
 *
 * host.txt says when it was collected and how far back, manifest.tsv what each file was then. From the first comes the time for
 * which the logs are complete, from the second whether they are what they were.
 */
#ifndef IQ_INGEST_BUNDLE_H
#define IQ_INGEST_BUNDLE_H

#include "ingest/names.h"

#include "event/event.h"

#define IQ_BUNDLE_HOST "host.txt"
#define IQ_BUNDLE_MANIFEST "manifest.tsv"
#define IQ_BUNDLE_LIMIT "limit.txt"
/* A bundle's root is looked for so many directories above a file. */
#define IQ_BUNDLE_DEPTH 4

struct iq_bundle {
	struct iq_buf root;	/* its directory, with the slash; empty: none */
	struct iq_buf manifest; /* text; empty: none */
	int64_t began;		/* of collecting, by the host's clock */
	int64_t ended;
	int64_t since; /* logs were asked for from then on; IQ_TIME_NONE: from their beginning */
};
#define IQ_BUNDLE_INIT \
	{ \
		.root = IQ_BUF_INIT, .manifest = IQ_BUF_INIT, .began = IQ_TIME_NONE, .ended = IQ_TIME_NONE, \
		.since = IQ_TIME_NONE \
	}
void iq_bundle_release(struct iq_bundle *bundle);

/* Is the path of one that describes the bundle? */
bool iq_bundle_describes(const char *path);
/* The bundle that the file lies in; `bundle` is the one of the file before, and kept where it is the same. 0 or IQ_ERR_NOMEM. */
int iq_bundle_find(struct iq_bundle *bundle, const char *path, const struct iq_beside *beside);
/* The path within the bundle; NULL where it lies in none. Borrowed until `path` goes. */
const char *iq_bundle_path(const struct iq_bundle *bundle, const char *path);
/* Is that of a file that says something of the host or of what was collected, and is no evidence by itself? */
bool iq_bundle_is_note(const char *path_within);
/* What the manifest says of it: false where it says nothing, or had no way to hash. */
bool iq_bundle_expects(const struct iq_bundle *bundle, const char *path_within, uint64_t *ret_bytes,
		       uint8_t ret_sha256[IQ_SHA256_SIZE]);
/* The next file that the manifest names, from `*offset` of it on, which moves: its path is appended. False at the end. */
bool iq_bundle_next(const struct iq_bundle *bundle, size_t *offset, struct iq_buf *path);

#endif
