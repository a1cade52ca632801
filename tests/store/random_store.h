/* tests/store/random_store.h - stores with everything in them that a store can hold, made from a seed, and all that one says as
 * text: two stores that say the same are the same to every reader.
 */
#ifndef IQ_TESTS_STORE_RANDOM_STORE_H
#define IQ_TESTS_STORE_RANDOM_STORE_H

#include "store/store.h"

/* Makes a store of some commits at `path`. */
void random_store_make(const char *path, unsigned seed, unsigned commits);
/* Appends sources, sessions, evidence, gaps, events and raw bytes. 0, or what reading failed with. */
int store_dump(const char *path, struct iq_buf *out, struct iq_error *error);

#endif
