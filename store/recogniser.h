/* store/recogniser.h - what the writer takes over from a recogniser. Private to store/; the rest is in store/store.h.
 */
#ifndef IQ_STORE_RECOGNISER_H
#define IQ_STORE_RECOGNISER_H

#include "store/catalogue.h"

/* The catalogue of a writer's store. Borrowed until the writer is freed. */
struct iq_catalogue *iq_store_writer_catalogue(struct iq_store_writer *writer);
/* The stream that is continued; NULL where the outcome is another. Borrowed until something is written. */
const struct iq_known_stream *iq_recogniser_continues(const struct iq_recogniser *recogniser);
/* Sets `chain` to where the part that continues it begins. 0 or IQ_ERR_NOMEM. */
int iq_recogniser_chain(const struct iq_recogniser *recogniser, struct iq_chain *chain);

#endif
