/* store/manifest.h - which sealed segments make up a store: a text file, one JSON object a line.
 *
 * The first line names the format and its version; each further line is one commit. A line ends with a check over
 * what stands before it, so a line torn by a power loss is recognised: readers ignore it, the next writer cuts it off. Each
 * commit also names the head before it: the root of a Merkle tree whose leaves are the lines. So the last line, or a signature of
 * the head, stands for all that happened to the store.
 */
#ifndef IQ_STORE_MANIFEST_H
#define IQ_STORE_MANIFEST_H

#include "store/summary.h"

#define IQ_MANIFEST_VERSION 1
/* A larger manifest is not read. */
#define IQ_MANIFEST_MAX_BYTES (256u << 20)

struct iq_manifest_segment {
	const char *file; /* name in segments/ */
	uint64_t bytes;	  /* of the file */
	uint8_t root[IQ_SHA256_SIZE];
	uint64_t line; /* that added it */
	struct iq_summary summary;
};

/* The segments that are there after the last whole line, in the order in which they were added. Everything lies in
 * `memory`: Borrowed until iq_manifest_release(). */
struct iq_manifest {
	struct iq_manifest_segment *segments;
	size_t count;
	size_t capacity;
	uint64_t good_bytes;	/* of the file, up to the last whole line, without its end */
	struct iq_merkle lines; /* the tree whose leaves are the lines: its root is the head */
	struct iq_arena memory;
};
#define IQ_MANIFEST_INIT \
	{ \
		.segments = NULL, .count = 0, .capacity = 0, .good_bytes = 0, .lines = { .count = 0 }, \
		.memory = IQ_ARENA_INIT \
	}

/* What one line says: these segments are there from now on, those no longer. */
struct iq_commit {
	const struct iq_manifest_segment *added;
	size_t added_count;
	const char *const *removed; /* file names */
	size_t removed_count;
};

/* Reads `store_path`/manifest. Caller owns; release with iq_manifest_release().
 * Errors: IQ_ERR_NOT_FOUND (no manifest), IQ_ERR_VERSION, IQ_ERR_CORRUPT (a damaged line that is not the last). */
int iq_manifest_read(const char *store_path, struct iq_manifest *ret_manifest, struct iq_error *error);
/* As it was after its first `lines` lines: IQ_ERR_NOT_FOUND where it has fewer. */
int iq_manifest_read_lines(const char *store_path, uint64_t lines, struct iq_manifest *ret_manifest,
			   struct iq_error *error);
void iq_manifest_release(struct iq_manifest *manifest);
/* Creates an empty manifest, synced. */
int iq_manifest_create(const char *store_path, struct iq_error *error);
/* Cuts what lies beyond good_bytes, appends one commit, syncs, and brings `manifest` up to date (the segments are copied). */
int iq_manifest_append(const char *store_path, struct iq_manifest *manifest, const struct iq_commit *commit,
		       struct iq_error *error);
/* Adds a segment to the list in memory. What it refers to must lie in manifest->memory. 0 or IQ_ERR_NOMEM. */
int iq_manifest_add(struct iq_manifest *manifest, const struct iq_manifest_segment *segment);
/* Segments are ordered by id; those without events come last, by what evidence they hold. Negative, 0 or positive. */
int iq_manifest_order(const struct iq_manifest_segment *x, const struct iq_manifest_segment *y);
void iq_manifest_sort(struct iq_manifest *manifest);
bool iq_manifest_lists(const struct iq_manifest *manifest, const char *file);

/* While somebody has the store's readers locked, files that the manifest names at that time stay. Returns what to unlock with. */
int iq_readers_lock(const char *store_path);
void iq_readers_unlock(int readers);

#endif
