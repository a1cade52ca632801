/* ingest/document_parser.h - a format of JSON documents: a table entry and a function that reads one element.
 *
 *	static int parse(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error) {
 *		struct iq_record record = iq_element_record(reading);
 *		...
 *		return iq_element_give(reading, &record, error);
 *	}
 *	static const struct iq_document_rules rules = { .parse = parse };
 *	const struct iq_format iq_format_x = { .name = "x", .summary = "...", .probe = probe, IQ_DOCUMENT_PARSER(&rules) };
 *
 * The stream is a series of documents, each an element or an array of elements, or the array that `names` lead to; see
 * ingest/element_scan.h. Everything else is done here: byte ranges, damage (a gap, and on with the next element), joining
 * (ingest/joiner.h), taking up in the middle, the end. An element may give any number of events, which share its range; one
 * that gives none is accounted for as a gap in which nothing was lost.
 */
#ifndef IQ_INGEST_DOCUMENT_PARSER_H
#define IQ_INGEST_DOCUMENT_PARSER_H

#include "ingest/element_scan.h"
#include "ingest/joiner.h"

/* Elements that are read together, at most; and their bytes. */
#define IQ_ELEMENT_GROUP 4096
#define IQ_ELEMENT_GROUP_BYTES (16u << 20)

/* What an element is read with. Borrowed until the call returns. */
struct iq_element_reading {
	struct iq_view text;	     /* one JSON object, valid */
	const struct iq_view *texts; /* all that are read together, `text` the first of them; see iq_document_rules */
	size_t count;
	uint64_t document; /* where the document that they stand in begins */
	void *state;	   /* of `state_size` bytes, zero at first */
	const struct iq_parser_options *options;
	struct iq_buf *scratch; /* empty, with room for the text four times: for what is unescaped or put together */
	struct iq_buf *attrs;	/* for iq_attrs_text() and others, of the next record; emptied when it was given */
	struct iq_parser *parser;
};

struct iq_document_rules {
	const struct iq_view *names; /* on the way to the array of elements; none: a series of documents */
	size_t name_count;
	/* Gives what the element says through iq_element_give(). 0, or negative from there; IQ_ERR_FORMAT with `ret_why` set
	 * (static text) for an element that is none of this format, which becomes a gap. */
	int (*parse)(const struct iq_element_reading *reading, const char **ret_why, struct iq_error *error);
	/* Formats in which elements that follow each other belong together: those for which this gives the same text, which is not
	 * NULL, are read in one go and share their range, and an evidence is not taken up between them. Pure. May be NULL. */
	struct iq_view (*group)(struct iq_view text, struct iq_buf *scratch);
	/* What is known when the stream has ended: gives gaps, through iq_element_give_gap(). `reading` has no text. May be NULL. */
	int (*end)(const struct iq_element_reading *reading, struct iq_error *error);
	size_t state_size; /* what `parse` and `end` remember of the document at hand: of earlier ones they may know nothing */
	bool any_source; /* elements name their sources: a damaged one may have been anybody's */
};

/* A record with the element's range and the parser's source, and nothing else. */
struct iq_record iq_element_record(const struct iq_element_reading *reading);
/* Gives it out, with `reading->attrs` as its attrs. 0, or negative from the sink. */
int iq_element_give(const struct iq_element_reading *reading, struct iq_record *record, struct iq_error *error);

/* Instead: what it would say was told already. */
void iq_element_told(const struct iq_element_reading *reading);

/* Gives a hole of the evidence out that has no bytes in it, at where the elements at hand begin; its other members count. */
int iq_element_give_gap(const struct iq_element_reading *reading, struct iq_gap gap, struct iq_error *error);

struct iq_parser *iq_document_parser_open(const struct iq_format *format, const struct iq_parser_options *options,
					  const struct iq_sink *sink);
int iq_document_parser_feed(struct iq_parser *parser, struct iq_view bytes, struct iq_error *error);
int iq_document_parser_settle(struct iq_parser *parser, struct iq_error *error);
struct iq_restart iq_document_parser_restart(const struct iq_parser *parser);
int iq_document_parser_end(struct iq_parser *parser, struct iq_error *error);
void iq_document_parser_close(struct iq_parser *parser);

/* Members of a struct iq_format. */
#define IQ_DOCUMENT_PARSER(document_rules) \
	.rules = (document_rules), .open = iq_document_parser_open, .feed = iq_document_parser_feed, \
	.settle = iq_document_parser_settle, .restart = iq_document_parser_restart, .end = iq_document_parser_end, \
	.close = iq_document_parser_close

/* The best score that `score` gives to one of the first elements of a series; `cut`: the element goes on behind the head. */
int iq_element_probe(struct iq_view head, int (*score)(struct iq_view text, bool cut));
/* Likewise of the array that the names lead to. */
int iq_element_probe_at(struct iq_view head, const struct iq_view *names, size_t name_count,
			int (*score)(struct iq_view text, bool cut));

#endif
