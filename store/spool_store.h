/* store/spool_store.h - from spools to segments: sealing them, and showing a reader what is not sealed yet. Private to store/.
 *
 * Both do the same: records become events of one evidence, through a writer. What a reader of a live store sees is the segment
 * that its spools would be sealed into now, so a cursor knows nothing of spools.
 */
#ifndef IQ_STORE_SPOOL_STORE_H
#define IQ_STORE_SPOOL_STORE_H

#include "store/reader.h"
#include "store/spool_read.h"
#include "store/writer.h"

/* Writes what the spool holds as one evidence. What is missing in it becomes gaps; so does its end, if it has none. */
int iq_spool_feed(struct iq_spool_reader *reader, struct iq_store_writer *writer, struct iq_error *error);
/* Feeds, commits, and removes the spool's file, which is synced. On failure everything is rolled back. */
int iq_spool_seal(struct iq_spool_reader *reader, struct iq_store_writer *writer, struct iq_error *error);
/* Removes the file of a spool that counts for nothing any more, so that no power loss brings it back; that it is gone already
 * is no error. */
int iq_spool_remove(const char *path, struct iq_error *error);
/* A number that no file in the store's directory for spools has. */
uint32_t iq_spools_next_number(const char *store_path);
/* Removes what counts for nothing any more of what dead writers left. The store is locked. */
int iq_spools_tidy(const char *store_path, const struct iq_manifest *manifest, struct iq_error *error);
/* Seals the rest. The store is locked by `writer`. */
int iq_spools_recover(struct iq_store_writer *writer, struct iq_error *error);
/* Is the evidence that the spool was lent in a segment that the manifest names? Then the spool counts for nothing. */
bool iq_spool_is_sealed(const struct iq_spool_reader *reader, const struct iq_manifest *manifest);
/* Adds what is in spools to a store that was opened without them. */
int iq_spools_show(struct iq_store *store, struct iq_error *error);

#endif
