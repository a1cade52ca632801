/* store/spool_file.h - a spool as it is written: made, appended to, synced, its watermark advanced. Private to store/.
 *
 * After the first failure the file is never touched again.
 */
#ifndef IQ_STORE_SPOOL_FILE_H
#define IQ_STORE_SPOOL_FILE_H

#include "store/spool.h"
#include "store/spool_format.h"

struct iq_spool_file {
	const struct iq_spool_io *io;
	char *path;
	int fd; /* locked while it is open: this tells readers that the writer lives */
	uint64_t used;
	uint64_t limit; /* events are written up to here, */
	uint64_t size;	/* gaps when the disk is full up to here */
	int failure;	/* errno of the first failure, or 0 */
};

/* The operating system itself. */
const struct iq_spool_io *iq_spool_io_default(void);

/* Makes a spool in the store's directory for spools, which is made too. Its room is there, its header written, file and directory
 * synced, when this returns. Caller owns; release with iq_spool_file_free(). Errors: 0 or an errno. */
int iq_spool_file_new(const struct iq_spool_io *io, const char *store_path, const struct iq_spool_header *header,
		      uint64_t limit, uint64_t size, struct iq_spool_file **ret_file);
/* Closes it. The file stays. */
void iq_spool_file_free(struct iq_spool_file *file);
/* For events; false after a failure. */
bool iq_spool_file_has_room(const struct iq_spool_file *file, size_t len);
/* Appends records and syncs them, then publishes `seq`, the last of them. 0 or an errno. */
int iq_spool_file_append(struct iq_spool_file *file, struct iq_view records, uint64_t seq);
/* The same, into the reserve. No event has room afterwards. ENOSPC where the reserve is full. */
int iq_spool_file_append_last(struct iq_spool_file *file, struct iq_view records, uint64_t seq);

#endif
