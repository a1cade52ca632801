/* ingest/journal.h - what the fields of a journal entry say, for the two ways in which journalctl writes them. Names are those of
 * systemd.journal-fields(7); Docker and conmon add CONTAINER_*.
 *
 *	struct iq_journal_entry entry;
 *
 *	iq_journal_begin(&entry, &record, attrs);
 *	for each field
 *		iq_journal_field(&entry, name, value);
 *	iq_journal_end(&entry);
 */
#ifndef IQ_INGEST_JOURNAL_H
#define IQ_INGEST_JOURNAL_H

#include "ingest/joiner.h"

/* Fields that may name the source, the best one first. */
#define IQ_JOURNAL_SOURCES 5

struct iq_journal_entry {
	struct iq_record *record;
	struct iq_buf *attrs;
	int64_t received; /* by the journal */
	bool has_message;
	struct iq_view sources[IQ_JOURNAL_SOURCES];
};

/* `record` and `attrs` are Borrowed until iq_journal_end(). */
void iq_journal_begin(struct iq_journal_entry *entry, struct iq_record *record, struct iq_buf *attrs);
/* The value is Borrowed until the record was given out. */
void iq_journal_field(struct iq_journal_entry *entry, struct iq_view name, struct iq_view value);
/* NULL, or why this is no entry of a journal (static text). */
const char *iq_journal_end(struct iq_journal_entry *entry);

/* The number that an entry has in its journal, which its cursor says (`s=...;i=1f3;...`), also where no field does. */
bool iq_journal_cursor_seqnum(struct iq_view cursor, uint64_t *ret_seqnum);
/* Upper case letters, digits and underscores, at most 64: a field's name. */
bool iq_journal_name_valid(struct iq_view name);

#endif
