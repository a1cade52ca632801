/* ingest/element_scan.h - finds the elements of JSON documents in a stream of bytes, one at a time.
 *
 * Where they are is said by the names on the way to their array: {"log":{"entries":[ELEMENT,...]}} for a HAR. Without
 * names the stream is a series of documents, with or without line ends between them, that are elements or arrays of
 * elements: what `docker inspect`, `kubectl get -o json` and exports of Google Cloud Logging may be.
 * Documents may be large: the scan follows strings and brackets and holds one element; whether that is valid JSON is for
 * its reader to see. What lies around the elements belongs to the range of a neighbour: what is before the first one to
 * the first, everything else to the one before it. Text between the documents of a series is an element that is `strange`.
 *
 * Damage: an element without its end takes what follows with it, until a line begins as only an element does: with the
 * indentation of the first one, where that is deeper than none, or where elements are lines, or in a string, which cannot hold a
 * line end. There a new element begins, and the old one is given out as it is.
 */
#ifndef IQ_INGEST_ELEMENT_SCAN_H
#define IQ_INGEST_ELEMENT_SCAN_H

#include "base/base.h"

/* Elements larger than this are not taken in. */
#define IQ_ELEMENT_MAX (112u << 20)
/* Of a name, and of the white space before the first element, so much is looked at. */
#define IQ_ELEMENT_NAME_SIZE 24
#define IQ_ELEMENT_INDENT 64

struct iq_element {
	struct iq_view text; /* the object, as far as it came; NULL if it was too large. Borrowed until the callback
				returns. */
	uint64_t offset;     /* of the object in the stream */
	uint64_t document;   /* where the document that it stands in begins */
	uint64_t start;	     /* of its range, with what belongs to it */
	uint64_t end;
	bool complete;
	bool ended;   /* not complete because the stream ended; otherwise another one began */
	bool strange; /* no element but bytes that are no JSON; without text */
};

/* Takes one element; negative stops the scan with that status. */
typedef int iq_element_fn(void *context, const struct iq_element *element, struct iq_error *error);

enum iq_element_place {
	IQ_ELEMENT_BEFORE, /* nothing but white space so far */
	IQ_ELEMENT_WITHIN,
	IQ_ELEMENT_AFTER,   /* the document is complete; in a series another one may follow */
	IQ_ELEMENT_TRAILING /* and something other than white space came after it; never in a series */
};

struct iq_element_scan {
	iq_element_fn *take;
	void *context;
	const struct iq_view *names;
	size_t name_count; /* 0: a series */
	uint64_t from;
	uint64_t position; /* in the stream */
	enum iq_element_place place;
	uint64_t trailing; /* where what is no part of the document begins */
	uint64_t document; /* where the document at hand begins */
	/* Where in the JSON */
	uint64_t depth;		/* open brackets */
	uint64_t element_depth; /* those around an element */
	size_t found;		/* names that led to here */
	bool in_array;		/* of elements */
	bool in_string;
	bool escaped;			 /* after a backslash */
	char name[IQ_ELEMENT_NAME_SIZE]; /* the last string outside of elements */
	size_t name_len;
	/* Where in the line */
	char indent[IQ_ELEMENT_INDENT]; /* white space since the line's begin */
	size_t indent_len;
	bool at_indent; /* there was nothing else in the line so far */
	char first_indent[IQ_ELEMENT_INDENT];
	size_t first_indent_len;
	bool has_first_indent; /* the first element began a line */
	bool first_has_lines;  /* and did not end in it */
	/* The element at hand */
	struct iq_buf text;
	uint64_t text_offset;
	uint64_t text_document; /* where the document that it stands in begins */
	uint64_t text_end;	/* set with `text_held` */
	bool text_open;		/* its end has not come yet */
	bool text_held;		/* complete; handed out when it is known where its range ends */
	bool text_too_large;
	bool text_strange;
	uint64_t elements; /* begun, strange ones included */
};

/* The bytes begin at `from` in the stream. `names` are Borrowed until the scan is released. */
void iq_element_scan_init(struct iq_element_scan *scan, uint64_t from, const struct iq_view *names, size_t name_count,
			  iq_element_fn *take, void *context);
void iq_element_scan_release(struct iq_element_scan *scan);
/* Takes the next bytes, hands out the elements they complete. 0, IQ_ERR_NOMEM, or what the callback returned. */
int iq_element_scan_feed(struct iq_element_scan *scan, struct iq_view bytes, struct iq_error *error);
/* Where the scan can be taken up: at a document of which nothing was handed out, or only what will be again. */
uint64_t iq_element_scan_place(const struct iq_element_scan *scan);
/* The stream ended: hands out the last element. `scan->place` tells how it ended. */
int iq_element_scan_end(struct iq_element_scan *scan, struct iq_error *error);

#endif
