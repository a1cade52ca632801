/* store/spool_read.h - spools as they are read: by who looks at a live store, and by who seals. Private to store/.
 *
 * A spool counts up to the first record whose CRC or sequence number is wrong, up to the watermark while its writer lives, and never
 * beyond the first sequence number of the spool after it: what came later was written anew there. Beyond a damaged
 * record below the watermark, records that can be told are read as well: what is missing shows in their numbers.
 */
#ifndef IQ_STORE_SPOOL_READ_H
#define IQ_STORE_SPOOL_READ_H

#include "store/spool_format.h"
#include "store/store.h"

struct iq_spool_reader {
	char *path;
	int fd;
	bool live;		       /* its writer runs */
	struct iq_spool_header header; /* names: Borrowed until the reader is closed */
	uint64_t watermark;
	uint64_t end;	   /* only sequence numbers below count; UINT64_MAX: no spool comes after */
	uint64_t next_seq; /* the one expected */
	bool ended;	   /* the writer said that it is complete */
	char *names;
	struct iq_buf window; /* of the file, from `at` on not yet read */
	size_t at;
	uint64_t offset; /* of the window's end */
	bool failed;	 /* the file could not be read on */
};

/* Opens a file. Caller owns; release with iq_spool_close(). IQ_ERR_NOT_FOUND, IQ_ERR_IO, IQ_ERR_NOMEM; where it is not a spool:
 * IQ_ERR_FORMAT, IQ_ERR_VERSION, IQ_ERR_CORRUPT. */
int iq_spool_open(const char *path, struct iq_spool_reader **ret_reader, struct iq_error *error);
void iq_spool_close(struct iq_spool_reader *reader);
/* 1 and a record, 0 at the end, IQ_ERR_NOMEM. Its number may be larger than expected: those between cannot be read. Borrowed until
 * the next call. */
int iq_spool_next(struct iq_spool_reader *reader, struct iq_spool_record *ret_record);
/* The number of the last record that must be there. */
uint64_t iq_spool_last_known(const struct iq_spool_reader *reader);

/* The spools of a store, by number, each ending where the next one begins. */
struct iq_spools {
	struct iq_spool_reader **items;
	size_t count;
};

/* Opens them all; what vanished meanwhile is left out, and so is what is no spool, for which `damaged` (may be NULL) is called. A
 * store without any is no error. Release with iq_spools_close(). IQ_ERR_IO, IQ_ERR_NOMEM. */
int iq_spools_open(const char *store_path, void (*damaged)(void *context, const char *file, const char *message),
		   void *context, struct iq_spools *ret_spools, struct iq_error *error);
void iq_spools_close(struct iq_spools *spools);
/* Is nothing of this spool its own: were all its records written anew in the one after it? */
bool iq_spool_is_void(const struct iq_spool_reader *reader);

/* The name of one that is being made. */
#define IQ_SPOOL_TEMPORARY "new.tmp"
/* `store_path`/spool, and the file of a number in it. Caller owns; release with free(). NULL when memory is out. */
char *iq_spool_directory(const char *store_path);
char *iq_spool_path(const char *store_path, uint32_t number);

#endif
