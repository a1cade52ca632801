/* store/catalogue.h - the evidence that a store holds, by content. Private to store/.
 *
 * For each evidence it keeps 32 bytes for each MiB, and where it can be continued. Free of I/O. One thread at a time.
 */
#ifndef IQ_STORE_CATALOGUE_H
#define IQ_STORE_CATALOGUE_H

#include "store/chain.h"
#include "store/segment.h"

struct iq_known_stream {
	struct iq_evidence_part whole; /* all parts joined; without path; its marks are in `marks` */
	struct iq_evidence_part body;  /* as `whole`, without the tail; valid with `tail` */
	const char *tail;	       /* the segment of its tail; NULL: it has none */
	struct iq_buf marks;
	uint32_t next; /* 1 + another with the same first mark, or 0 */
	bool committed;
};

struct iq_catalogue {
	struct iq_known_stream *streams;
	size_t count;
	size_t capacity;
	struct iq_map heads;   /* first mark -> index */
	struct iq_map numbers; /* evidence number -> index */
	struct iq_map names;   /* of formats and files, which the streams borrow */
};

void iq_catalogue_release(struct iq_catalogue *catalogue);
void iq_catalogue_clear(struct iq_catalogue *catalogue);
/* Adds a part, which is in the segment `file`; the parts of one evidence come in order. 0 or IQ_ERR_NOMEM. */
int iq_catalogue_add(struct iq_catalogue *catalogue, const struct iq_evidence_part *part, struct iq_view file,
		     bool committed);
/* The stream is continued: it is what it was without its tail. */
void iq_catalogue_drop_tail(struct iq_catalogue *catalogue, uint32_t evidence);
/* The place of an evidence in `streams`. Borrowed until something is added; NULL if it is not there. */
const uint64_t *iq_catalogue_index(const struct iq_catalogue *catalogue, uint32_t evidence);
/* The mark of the first `bytes`, a number of whole MiBs; NULL where there is none. Borrowed until something is added. */
const uint8_t *iq_catalogue_mark(const struct iq_known_stream *stream, uint64_t bytes);
/* Everything that was added is in the manifest now. */
void iq_catalogue_commit(struct iq_catalogue *catalogue);

#endif
