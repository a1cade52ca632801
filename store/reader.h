/* store/reader.h - an open store: its segments and the tables folded over them. Private to store/.
 */
#ifndef IQ_STORE_READER_H
#define IQ_STORE_READER_H

#include "store/segment.h"

struct iq_store {
	char *path;
	struct iq_segment **segments; /* by id_first */
	size_t segment_count;
	struct iq_session *sessions; /* by number */
	size_t session_count;
	struct iq_source *sources; /* by number */
	size_t source_count;
	struct iq_evidence *evidence; /* by number */
	size_t evidence_count;
	struct iq_gap *gaps;
	size_t gap_count;
	uint64_t events;
	uint64_t last_id;
	struct iq_arena memory;
};

/* The row with this number, or NULL. */
const struct iq_source *iq_store_source(const struct iq_store *store, uint32_t no);
const struct iq_session *iq_store_session(const struct iq_store *store, uint32_t no);
/* Folds one segment's part of a session into the whole. */
void iq_session_fold(struct iq_session *whole, const struct iq_session *part);
void iq_source_fold(struct iq_source *whole, const struct iq_source *part);

#endif
