/* ingest/libarchive.h - libarchive, loaded when the first archive or compressed stream that needs it is read. Private to ingest/.
 *
 * Linked, it brings fifteen libraries, whose loading takes as long as a search of a store: see docs/design/0014-docker-through-libcurl.md.
 */
#ifndef IQ_INGEST_LIBARCHIVE_H
#define IQ_INGEST_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/base.h"

/* What is used of it, without `archive_` before the name. */
#define IQ_LIBARCHIVE_FUNCTIONS(X) \
	X(entry_filetype) \
	X(entry_hardlink) \
	X(entry_is_encrypted) \
	X(entry_mtime) \
	X(entry_mtime_is_set) \
	X(entry_pathname) \
	X(entry_size) \
	X(entry_size_is_set) \
	X(error_string) \
	X(read_data) \
	X(read_free) \
	X(read_new) \
	X(read_next_header) \
	X(read_open) \
	X(read_support_filter_bzip2) \
	X(read_support_filter_lz4) \
	X(read_support_filter_xz) \
	X(read_support_format_raw) \
	X(read_support_format_tar) \
	X(read_support_format_zip) \
	X(set_error)

struct iq_libarchive {
#define X(name) __typeof__ (&archive_##name)(name);
	IQ_LIBARCHIVE_FUNCTIONS(X)
#undef X
};

/* Its functions, once iq_libarchive_load() was successful. */
extern struct iq_libarchive iq_libarchive;

/* Loads it where that was not done before; it stays loaded. Any thread. IQ_ERR_NOT_FOUND. */
int iq_libarchive_load(struct iq_error *error);

#endif
