/* store/reader.h - an open store: its segments and the tables folded over them. Private to store/.
 */
#ifndef IQ_STORE_READER_H
#define IQ_STORE_READER_H

#include "store/manifest.h"

/* SQLite files that one store keeps open; each costs a descriptor and a page cache. */
#define IQ_STORE_MAX_OPEN 64u

/* A part of an evidence, and the segment that holds it. */
struct iq_store_part {
	const struct iq_evidence_part *part;
	struct iq_segment *segment;
};

struct iq_store {
	char *path;
	bool is_directory;
	int readers;		      /* locked, shared, while files that the manifest names must not go; or -1 */
	struct iq_manifest manifest;  /* its segments by id */
	struct iq_segment **segments; /* one for each of the manifest; NULL until iq_store_segment() */
	struct iq_segment_pool pool;
	bool loaded;
	bool skewed;		     /* some source has a skew */
	struct iq_session *sessions; /* by number */
	size_t session_count;
	struct iq_source *sources; /* by number; from the manifest alone */
	size_t source_count;
	struct iq_evidence *evidence; /* by number */
	size_t evidence_count;
	struct iq_store_part *parts; /* by number and place */
	size_t part_count;
	struct iq_gap *gaps;
	size_t gap_count;
	struct iq_gap *withheld; /* see iq_store_set_aside(): they are among the gaps */
	size_t withheld_count;
	struct iq_template *templates; /* see iq_store_templates() */
	size_t template_count;
	bool templates_read;
	uint64_t events;
	uint64_t last_id;
	char *preview; /* the file of a segment that is made of the store's spools, or NULL */
	struct iq_arena memory;
};

/* What the manifest says of one segment. */
static inline const struct iq_summary *iq_store_summary(const struct iq_store *store, size_t index)
{
	return &store->manifest.segments[index].summary;
}
/* The segment at `index`, opened and compared with the manifest when it is first asked for. Its file may be closed again
 * while others are read (see iq_segment_database()); the segment stays until the store is closed. Belongs, with the store,
 * to one thread: another one opens the file for itself. Errors: as iq_segment_open(). */
int iq_store_segment(struct iq_store *store, size_t index, struct iq_segment **ret_segment, struct iq_error *error);
/* As above, with the tables that a scan of its chunks needs, and those compared only: see iq_segment_open_lazily(). */
int iq_store_segment_lazily(struct iq_store *store, size_t index, struct iq_segment **ret_segment,
			    struct iq_error *error);

/* As iq_store_open(), without what is in spools. */
int iq_store_open_sealed(const char *path, struct iq_store **ret_store, struct iq_error *error);
/* Adds a segment that the manifest does not name. */
int iq_store_add_segment(struct iq_store *store, const char *path, struct iq_error *error);
/* A number that is another one when the manifest, or the one segment file, is. */
uint64_t iq_store_manifest_signature(const char *path);

/* Takes a segment out of the list, as if the manifest did not name it. */
void iq_store_forget(struct iq_store *store, size_t index);
/* Adds a gap for what is withheld. The texts must live as long as the store. 0 or IQ_ERR_NOMEM. */
int iq_store_withhold(struct iq_store *store, const struct iq_gap *gap);
/* Folds the tables anew after the list of segments, or what they hold, has changed. */
int iq_store_refold(struct iq_store *store, struct iq_error *error);

/* The row with this number, or NULL. */
const struct iq_source *iq_store_source(const struct iq_store *store, uint32_t no);
/* The parts of an evidence, in order. */
const struct iq_store_part *iq_store_parts(const struct iq_store *store, uint32_t evidence, size_t *ret_count);
/* Folds one segment's part of a session into the whole. */
void iq_session_fold(struct iq_session *whole, const struct iq_session *part);
void iq_source_fold(struct iq_source *whole, const struct iq_source *part);

#endif
