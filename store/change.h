/* store/change.h - changing a store, whoever does it: one at a time, new segments under temporary names, and one line of the
 * manifest that makes everything count at once. Private to store/.
 *
 *	iq_change_begin(path, true, &change, error);
 *	iq_change_name(&change, &temporary, error);        write and finish a segment there
 *	iq_change_seal(&change, temporary, error);         read back, synced, renamed; not yet part of the store
 *	iq_change_commit(&change, removed, count, error);  now it is, and `removed` are no longer
 *	iq_change_end(&change);
 *
 * Whatever happens in between, readers see the store as it was before the commit or as it is after it. What a killed process left
 * is removed by the next iq_change_begin().
 */
#ifndef IQ_STORE_CHANGE_H
#define IQ_STORE_CHANGE_H

#include "store/manifest.h"

struct iq_change {
	char *path;
	char *segments_path;
	int lock;
	struct iq_manifest manifest; /* as committed */
	uint32_t next_file;
	struct iq_manifest_segment *sealed; /* not yet committed */
	size_t sealed_count;
	struct iq_arena memory; /* what they refer to */
};
#define IQ_CHANGE_INIT \
	{ \
		.lock = -1, .next_file = 1, .manifest = IQ_MANIFEST_INIT, .memory = IQ_ARENA_INIT \
	}

/* Locks the store (IQ_ERR_BUSY if somebody else changes it) and reads its manifest; with `create` a store is made where there is
 * none. Release with iq_change_end(), after a failure too. */
int iq_change_begin(const char *path, bool create, struct iq_change *change, struct iq_error *error);
/* Forgets what was sealed and unlocks. */
void iq_change_end(struct iq_change *change);
/* A new temporary path. Caller owns; release with free(). */
int iq_change_name(struct iq_change *change, char **ret_temporary, struct iq_error *error);
/* Opens the finished segment, decodes and verifies everything, gives it its final name and syncs the directory. */
int iq_change_seal(struct iq_change *change, const char *temporary, struct iq_error *error);
/* One line of the manifest, synced: what was sealed is part of the store, the files in `removed` are not. Their files go as
 * soon as nobody reads the store: now, or when the next change begins. */
int iq_change_commit(struct iq_change *change, const char *const *removed, size_t count, struct iq_error *error);
/* Removes what was sealed and not committed. */
void iq_change_forget(struct iq_change *change);

#endif
