/* ingest/journal_file.h - journald's own files, read through libsystemd and given as `journalctl -o export` writes them.
 *
 * What becomes evidence is that stream, byte for byte that of journalctl for the same file: what was taken in from one is known
 * from the other, and a journal that has grown goes on where it ended. The parser is that of `journal-export`.
 *
 * libsystemd is loaded when a journal is met; where inquest was built without its headers, or it is not there, a message says
 * what to do. libsystemd checks every object it reads; what it cannot read is missing from the stream, and said with its count.
 */
#ifndef IQ_INGEST_JOURNAL_FILE_H
#define IQ_INGEST_JOURNAL_FILE_H

#include "ingest/input.h"

/* A journal of more than this is not read: journald's own limit is 4 GiB. */
#define IQ_JOURNAL_MAX_BYTES (16ull << 30)

/* Does a file begin like a journal? */
bool iq_journal_is(struct iq_view head);
/* The entries of the journal in `input`, which is read to its end and may be closed then. Messages name no path. Caller owns; release
 * with iq_input_close(). Errors: IQ_ERR_NOMEM; IQ_ERR_IO where there is no room for a temporary file; IQ_ERR_FORMAT where it
 * cannot be read at all. */
int iq_journal_open(struct iq_input *input, const volatile int *stop, struct iq_input **ret_entries,
		    struct iq_error *error);

#endif
