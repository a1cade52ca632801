/* store/writer.h - what spools need of a writer beyond the door. Private to store/.
 */
#ifndef IQ_STORE_WRITER_H
#define IQ_STORE_WRITER_H

#include "store/change.h"

/* A writer of one segment, `file`, that is never part of a store: it numbers on from `store`, which must be loaded. Begin evidence and
 * end it, then iq_store_writer_preview_end(). Caller owns; release with iq_store_writer_free(). */
int iq_store_writer_preview(const struct iq_store *store, const char *file, struct iq_store_writer **ret_writer,
			    struct iq_error *error);
/* Finishes the file, which the caller owns. */
int iq_store_writer_preview_end(struct iq_store_writer *writer, struct iq_error *error);

/* The same for what holds a part of a store's events under their own numbers: nothing is known to it but what
 * iq_store_writer_know() and iq_store_writer_number() say. */
int iq_store_writer_excerpt(const char *file, struct iq_store_writer **ret_writer, struct iq_error *error);
/* The source and the session of this name, which may be new, have these numbers; a session 0 is none. Before they are written of. */
int iq_store_writer_know(struct iq_store_writer *writer, struct iq_view source, uint32_t source_no,
			 struct iq_view session, uint32_t session_no, struct iq_error *error);
/* The next event has this number, which is above all that were given. */
int iq_store_writer_number(struct iq_store_writer *writer, uint64_t id, struct iq_error *error);

/* The next evidence and the next event have these numbers, which were lent to a spool. IQ_ERR_CORRUPT where they are given
 * away already. Between evidence only. */
int iq_store_writer_expect(struct iq_store_writer *writer, uint32_t evidence, uint64_t id, struct iq_error *error);
uint32_t iq_store_writer_next_evidence(const struct iq_store_writer *writer);

#endif
