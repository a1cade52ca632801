/* tests/store/disk.h - a disk for spools that fails when told to. Calls go to real files, and what a power loss would leave of
 * them is kept beside: what was not synced is lost, sector by sector, as the seed has it.
 */
#ifndef TESTS_STORE_DISK_H
#define TESTS_STORE_DISK_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

#define DISK_FILES 64

struct disk_write {
	uint64_t offset;
	size_t len;
	char *data;
};

struct disk_file {
	int fd;
	char path[256];
	bool named;  /* the directory was synced since it has this name */
	bool failed; /* a call on it failed */
	char *durable;
	uint64_t size;
	struct disk_write *pending;
	size_t pending_count;
};

struct disk {
	pthread_mutex_t mutex;
	pthread_cond_t released;
	struct disk_file files[DISK_FILES];
	size_t file_count;
	unsigned calls;
	unsigned cut_at; /* the call at which the power goes; 0: never */
	bool cut;
	atomic_int full;	 /* an errno for whoever wants room, or 0 */
	atomic_int sync_failure; /* an errno for the next sync, once, or 0 */
	atomic_bool stuck;	 /* syncs do not return */
	bool used_after_failure;
	struct iq_spool_io io;
};

void disk_init(struct disk *disk);
void disk_release(struct disk *disk);
void disk_let_go(struct disk *disk); /* of the syncs that are stuck */
/* Leaves in the real files what would be there after a power loss now. */
void disk_lose_power(struct disk *disk, unsigned *seed);

#endif
