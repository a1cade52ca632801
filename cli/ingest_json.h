/* cli/ingest_json.h - what became of each evidence of an ingest, as JSON; docs/formats.md says what it has.
 *
 *	cli_ingest_json_add(&json, &report);			after each evidence
 *	cli_ingest_json_append(&json, store, &result, &out);	at the end, when the store has its gaps
 *
 * Of all zeros at first; release with cli_ingest_json_release(). One thread.
 */
#ifndef IQ_CLI_INGEST_JSON_H
#define IQ_CLI_INGEST_JSON_H

#include "ingest/ingest.h"

/* Gaps of one evidence that are written; `gap_count` says how many there are. */
#define CLI_INGEST_JSON_GAPS 1000

struct cli_ingest_json_row {
	size_t end;	   /* of its text, which lacks its gaps and its end */
	uint32_t evidence; /* 0: the store has none of it */
};

struct cli_ingest_json {
	struct iq_buf text; /* of the rows, one after the other */
	struct cli_ingest_json_row *rows;
	size_t count;
	size_t capacity;
};

/* IQ_ERR_NOMEM. */
int cli_ingest_json_add(struct cli_ingest_json *json, const struct iq_ingest_report *report);
/* Appends the whole document. `notes` are those of all evidence. 0, or negative where the store cannot be read. */
int cli_ingest_json_append(const struct cli_ingest_json *json, const char *store, const struct iq_ingest_result *result,
			   const struct iq_parser_notes *notes, struct iq_buf *out, struct iq_error *error);
void cli_ingest_json_release(struct cli_ingest_json *json);

#endif
