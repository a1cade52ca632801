/* event/event.h - the door of event/: events, sinks and dialects. Depends on base/ only.
 */
#ifndef IQ_EVENT_EVENT_H
#define IQ_EVENT_EVENT_H

#include <inquest/event.h>

#include "base/base.h"
#include "event/dialect.h"
#include "event/extract.h"
#include "event/redact.h"

#define IQ_EVENT_INIT \
	{ \
		.ts = IQ_TIME_NONE, .observed = IQ_TIME_NONE, .kind = IQ_KIND_LOG, .seq = IQ_NUMBER_NONE \
	}
#define IQ_GAP_INIT \
	{ \
		.ts_min = IQ_TIME_NONE, .ts_max = IQ_TIME_NONE, .count = IQ_NUMBER_NONE \
	}

/* The reverse of iq_kind_name() and friends; false for unknown names. */
bool iq_kind_parse(struct iq_view name, enum iq_kind *ret_kind);
/* `client`/`server`, and the other spellings in use: send/receive, sent/received, out/in, outgoing/incoming,
 * request/response, c2s/s2c. */
bool iq_direction_parse(struct iq_view name, enum iq_direction *ret_direction);
/* Names and their common abbreviations in any case (`warn`, `ERR`, `fatal`), syslog and Google Cloud names. */
bool iq_severity_parse(struct iq_view name, enum iq_severity *ret_severity);

/* Where events go. A parser calls these in evidence order; returning negative stops it with that status.
 * Everything in the event is "Borrowed until the call returns." */
struct iq_sink {
	int (*event)(void *context, const struct iq_event *event, struct iq_error *error);
	int (*gap)(void *context, const struct iq_gap *gap, struct iq_error *error);
	void *context;
};

/* The plain-JSON dialect: type from the first of /type /event /name /op that is a string, key from the first of
 * /tool_call_id /tool_id /call_id /run_id /request_id /id that is a string or number. `body` may be anything; fields of
 * the event that are already set (non-NULL) are kept, so are all where `body` is no JSON object.
 * `scratch` receives unescaped text (appended). */
void iq_dialect_json(struct iq_event *event, struct iq_buf *scratch);

/* Appends the event as one NDJSON record with its line end, as docs/events.md defines it: only what is known is
 * present. */
int iq_event_append_ndjson(struct iq_buf *buf, const struct iq_event *event);

#endif
