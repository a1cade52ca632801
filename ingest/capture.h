/* ingest/capture.h - the records of a packet capture: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng). Free of I/O:
 *
 *	iq_capture_init(&capture);
 *	while ((rc = iq_capture_next(&capture, &bytes, &record)) > 0)
 *		...                             record.kind says what came; at last iq_capture_release()
 *
 * Every byte belongs to one record. What cannot be read is a record of kind DAMAGE, and reading goes on at the next bytes that look like
 * one. Thread rule: one thread at a time.
 */
#ifndef IQ_INGEST_CAPTURE_H
#define IQ_INGEST_CAPTURE_H

#include "base/base.h"

/* A record that says it is larger is damaged. */
#define IQ_CAPTURE_MAX_RECORD (16u << 20)
/* Interfaces of a section of pcapng; packets of further ones are damage. */
#define IQ_CAPTURE_MAX_INTERFACES 4096u

enum iq_capture_kind {
	IQ_CAPTURE_PACKET,
	IQ_CAPTURE_HEADER,  /* of the file, of a section, of an interface */
	IQ_CAPTURE_OTHER,   /* a block that says nothing of packets: names, comments */
	IQ_CAPTURE_SECRETS, /* keys of TLS sessions */
	IQ_CAPTURE_DROPPED, /* statistics: packets that whoever captured had no room for */
	IQ_CAPTURE_DAMAGE
};

struct iq_capture_record {
	enum iq_capture_kind kind;
	uint64_t offset; /* in the stream */
	uint64_t end;
	uint32_t link;	      /* PACKET: what it begins with, as LINKTYPE_ numbers */
	int64_t ts;	      /* PACKET; or IQ_TIME_NONE */
	struct iq_view bytes; /* PACKET: as much as was captured. Borrowed until the next call. */
	uint64_t length;      /* PACKET: on the wire, never less */
	uint64_t dropped;     /* DROPPED: since the capture of its interface began */
	uint32_t interface;   /* DROPPED */
	const char *why;      /* DAMAGE: static text */
};

struct iq_capture_interface {
	uint32_t link;
	uint32_t snaplen;
	uint8_t resolution; /* the option if_tsresol as it stands there */
	int64_t shift;	    /* if_tsoffset, seconds */
};

struct iq_capture {
	uint64_t position; /* in the stream, behind what was taken */
	struct iq_buf held;
	size_t done;   /* of `held` */
	uint8_t state; /* private */
	bool big;      /* the most significant byte of a number comes first */
	uint8_t head;  /* pcap: size of the head of a packet */
	int64_t unit;  /* pcap: ns */
	int64_t last;  /* ts of the last packet */
	uint32_t link; /* pcap */
	uint32_t snaplen;
	struct iq_capture_interface *interfaces; /* of the section */
	size_t interface_count;
	size_t interface_capacity;
	uint64_t damaged; /* where the damage at hand begins */
	const char *why;
};

void iq_capture_init(struct iq_capture *capture);
void iq_capture_release(struct iq_capture *capture);
/* Takes bytes from the front of *bytes: 1 and a record (the rest of *bytes is left for the next call), 0 when all were taken, or
 * IQ_ERR_NOMEM. */
int iq_capture_next(struct iq_capture *capture, struct iq_view *bytes, struct iq_capture_record *ret_record);
/* There are no more bytes: 1 and a record of what is left, as often as there is one; then 0. */
int iq_capture_end(struct iq_capture *capture, struct iq_capture_record *ret_record);
/* Do the bytes begin as a capture does? */
bool iq_capture_probe(struct iq_view head);

#endif
