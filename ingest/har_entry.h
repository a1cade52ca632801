/* ingest/har_entry.h - what one entry of a HAR says (HAR 1.2, and what Chrome, Firefox, Playwright and mitmproxy add to it), also one
 * whose end is missing. Private to the format.
 */
#ifndef IQ_INGEST_HAR_ENTRY_H
#define IQ_INGEST_HAR_ENTRY_H

#include "ingest/element_scan.h"
#include "ingest/members.h"

#define IQ_HTTP_SWITCHING_PROTOCOLS 101
#define IQ_HTTP_OK 200 /* opens a WebSocket over HTTP/2 (RFC 8441, section 5) */

/* The text of a request or a response. */
struct iq_har_content {
	struct iq_json_token text; /* type NONE: none */
	bool is_base64;
	struct iq_view file;  /* where it lies beside the HAR; NULL: nowhere */
	struct iq_view bytes; /* how many, as it is written; -1 where the writer did not know */
};

/* Views into the entry's text, or into the scratch that it was read with. NULL: not said. */
struct iq_har_entry {
	const struct iq_element *scanned;
	struct iq_view url;
	struct iq_view method;
	struct iq_view version;
	struct iq_view resource;
	struct iq_view request_headers; /* an array of objects with name and value */
	struct iq_view response_headers;
	struct iq_view timings;	 /* an object, as it is written */
	struct iq_view failure;	 /* what the browser says went wrong */
	struct iq_view messages; /* an array, complete or not */
	struct iq_har_content request;
	struct iq_har_content response;
	int64_t status;
	int64_t started;
	int64_t ended; /* when the response was there */
	bool has_request;
	bool is_socket;
	uint64_t reach; /* end of what is complete in it, in the stream */
};

/* Reads it. `scratch` has room for its text. 0, or IQ_ERR_FORMAT with the place in the stream where the entry stops being JSON. */
int iq_har_entry_read(const struct iq_element *scanned, struct iq_buf *scratch, struct iq_har_entry *ret_entry,
		      uint64_t *ret_place);
/* Where a part of the entry's text ends in the stream. */
uint64_t iq_har_entry_end_of(const struct iq_har_entry *entry, struct iq_view part);
uint64_t iq_har_entry_messages(const struct iq_har_entry *entry);
/* The value of a header, between its quotes; the NULL view if there is none. */
struct iq_view iq_har_header(struct iq_view headers, struct iq_view lower_name);
/* Appends the headers as one object; of a header that is there several times in a row the values are an array. */
void iq_har_append_headers(struct iq_buf *json, struct iq_view headers);
/* Appends the timings as one object; only numbers are. */
void iq_har_append_timings(struct iq_buf *json, struct iq_view timings);
/* The text, decoded; the NULL view if there is none. `scratch` has room for it twice. Borrowed until that changes. */
struct iq_view iq_har_content_text(const struct iq_har_content *content, struct iq_buf *scratch);

#endif
