/* replay/http_call.h - one HTTP/1.1 request and its response, on a connection of its own, on a libuv loop. Private to replay/.
 *
 * Life cycle: start, then exactly one `done`, unless it is cancelled; free when the loop has run out. Thread rule: that of the loop.
 */
#ifndef IQ_REPLAY_HTTP_CALL_H
#define IQ_REPLAY_HTTP_CALL_H

#include <uv.h>

#include "wire/wire.h"

/* Of a response, head and body. */
#define IQ_HTTP_CALL_MAX_BYTES (16u << 20)

struct iq_http_request {
	struct iq_url url; /* where to */
	struct iq_view method;
	struct iq_view path;
	struct iq_view headers; /* lines, with their ends */
	struct iq_view body;
};

struct iq_http_call;

/* `head`: NULL where there was no response, why is in `error`. Views: Borrowed until it returns. */
typedef void iq_http_call_fn(void *context, const struct iq_http_head *head, struct iq_view body,
			     const struct iq_error *error);

/* Everything is copied. IQ_ERR_USAGE where method or path would break the head. Caller owns; release with iq_http_call_free(). */
int iq_http_call_start(uv_loop_t *loop, const struct iq_http_request *request, const struct iq_trust *trust,
		       iq_http_call_fn *done, void *context, struct iq_http_call **ret_call, struct iq_error *error);
void iq_http_call_cancel(struct iq_http_call *call);
void iq_http_call_free(struct iq_http_call *call); /* NULL allowed */

#endif
