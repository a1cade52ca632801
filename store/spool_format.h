/* store/spool_format.h - the bytes of a spool: its header and its records. Free of I/O; docs/format.md describes it. Private to
 * store/.
 *
 *	0     identity: magic, numbers, name and format of the evidence, CRC-32C; written once
 *	4096  the watermark: the sequence number of the last record that a sync covered
 *	8192  records, each beginning at a multiple of 8, then zeros
 *
 * A record's sequence number is that of the record before plus one, which, with the CRC, tells a record from what a torn write
 * left in its place.
 */
#ifndef IQ_STORE_SPOOL_FORMAT_H
#define IQ_STORE_SPOOL_FORMAT_H

#include "event/event.h"

#define IQ_SPOOL_VERSION 1
#define IQ_SPOOL_WATERMARK_AT 4096
#define IQ_SPOOL_RECORDS_AT 8192
/* What stands before a record's payload. */
#define IQ_SPOOL_HEAD_BYTES 24
/* A longer record is not written and not believed: two times 16 MiB of message, and as much again for what is said of it. */
#define IQ_SPOOL_MAX_RECORD (48u << 20)
/* Of the names in the header. */
#define IQ_SPOOL_MAX_NAME 1024

struct iq_spool_header {
	uint32_t number;   /* of the spool: the one in its file name */
	uint32_t evidence; /* the number that its evidence will have */
	uint64_t seq_first;
	uint64_t id_first; /* of its first event */
	int64_t created;
	struct iq_view name; /* of the evidence: its path and format */
	struct iq_view format;
	bool has_covers; /* the evidence is complete from covers_from to covers_to */
	int64_t covers_from;
	int64_t covers_to;
};

enum iq_spool_type { IQ_SPOOL_EVENT = 1, IQ_SPOOL_GAP, IQ_SPOOL_END };

/* A record taken apart. Borrowed from the bytes that it was taken from. */
struct iq_spool_record {
	uint64_t seq;
	enum iq_spool_type type;
	struct iq_event event; /* without id, evidence, offset and length */
	struct iq_view raw;    /* the NULL view: those of the event before are this one's as well */
	struct iq_gap gap;     /* without evidence and offset */
};

/* Appends IQ_SPOOL_RECORDS_AT bytes. 0 or negative: IQ_ERR_NOMEM, IQ_ERR_LIMIT (a name is too long). */
int iq_spool_append_header(struct iq_buf *buf, const struct iq_spool_header *header);
/* `bytes`: the first IQ_SPOOL_WATERMARK_AT of a file. Names: Borrowed from `bytes`. IQ_ERR_FORMAT, IQ_ERR_VERSION,
 * IQ_ERR_CORRUPT. */
int iq_spool_parse_header(struct iq_view bytes, struct iq_spool_header *ret_header);

/* Append one record. 0 or negative: IQ_ERR_NOMEM, IQ_ERR_LIMIT (longer than IQ_SPOOL_MAX_RECORD); nothing is appended then. */
int iq_spool_append_event(struct iq_buf *buf, uint64_t seq, const struct iq_event *event, struct iq_view raw);
int iq_spool_append_gap(struct iq_buf *buf, uint64_t seq, const struct iq_gap *gap);
int iq_spool_append_end(struct iq_buf *buf, uint64_t seq);

/* How many bytes the record at the start of `bytes`, which holds its head, takes; 0 where none begins. */
size_t iq_spool_record_size(struct iq_view head);
/* The sequence number that a record's head claims. */
uint64_t iq_spool_record_seq(struct iq_view head);
/* Takes apart the record that `bytes` is. False where CRC or contents are not right. */
bool iq_spool_parse_record(struct iq_view bytes, struct iq_spool_record *ret_record);

#endif
