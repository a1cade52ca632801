#include "replay/http_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct iq_http_call {
	struct iq_link *link;
	struct iq_buf request;
	struct iq_buf response;
	bool is_head; /* the method has no body in its response */
	iq_http_call_fn *done;
	void *context;
	bool over;
};

static void end(struct iq_http_call *call, const struct iq_http_head *head, struct iq_view body,
		const struct iq_error *error)
{
	if (call->over)
		return;
	call->over = true;
	iq_link_close(call->link);
	call->done(call->context, head, body, error);
}

static void fail(struct iq_http_call *call, const char *what)
{
	struct iq_error error = IQ_ERROR_INIT;

	(void)iq_error_set(&error, IQ_ERR_NETWORK, "%s: %s", iq_link_name(call->link), what);
	end(call, NULL, IQ_VIEW_NULL, &error);
}

/* Is all of it there? `at_end`: nothing more comes. */
static void take_response(struct iq_http_call *call, bool at_end)
{
	static const struct iq_http_head head_request = { .method = { "HEAD", 4 } },
					 get_request = { .method = { "GET", 3 } };
	struct iq_view rest = iq_buf_view(&call->response), piece;
	struct iq_buf content = IQ_BUF_INIT;
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_http_body body;
	struct iq_http_head head;
	size_t len;
	int rc = iq_http_parse_response(rest, &head, &len, &error);

	if (rc > 0) {
		rest = iq_view_from(rest, len);
		rc = iq_http_body_begin(&body, &head, call->is_head ? &head_request : &get_request, &error);
		while (rc >= 0 && !body.ended && (rc = iq_http_body_next(&body, &rest, &piece, &error)) > 0)
			(void)iq_buf_append(&content, piece);
		if (rc >= 0 && (body.ended || (at_end && body.framing == IQ_HTTP_UNTIL_CLOSE)))
			end(call, &head, iq_buf_view(&content), NULL);
	}
	if (rc < 0)
		end(call, NULL, IQ_VIEW_NULL, &error);
	else if (at_end)
		fail(call, "the connection ended before the response was complete");
	iq_buf_release(&content);
}

static void on_bytes(void *context, struct iq_view bytes)
{
	struct iq_http_call *call = context;

	if (call->response.len > IQ_HTTP_CALL_MAX_BYTES || iq_buf_append(&call->response, bytes) < 0)
		fail(call, "the response is too large");
	else
		take_response(call, false);
}

static void on_ended(void *context, const char *why)
{
	(void)why;
	take_response(context, true);
}

static void on_linked(void *context)
{
	struct iq_http_call *call = context;
	struct iq_error error = IQ_ERROR_INIT;
	const int rc = iq_link_write(call->link, &call->request, &error);

	call->request = (struct iq_buf)IQ_BUF_INIT;
	if (rc < 0)
		fail(call, error.message);
}

static void on_link_failed(void *context, const struct iq_error *error)
{
	end(context, NULL, IQ_VIEW_NULL, error);
}

static int append_request(struct iq_buf *out, const struct iq_http_request *request, struct iq_error *error)
{
	if (!iq_url_is_word(request->method) || !iq_url_is_word(request->path) || request->method.len == 0)
		return iq_error_set(error, IQ_ERR_USAGE,
				    "a recorded request holds spaces or control characters where it must not");
	(void)iq_buf_append(out, request->method);
	(void)iq_buf_append_char(out, ' ');
	(void)iq_buf_append_cstr(out, request->path.len == 0 || request->path.data[0] != '/' ? "/" : "");
	(void)iq_buf_append(out, request->path);
	(void)iq_buf_appendf(out, " HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nConnection: close\r\n",
			     request->url.is_ipv6 ? "[" : "", IQ_VIEW_ARG(request->url.host),
			     request->url.is_ipv6 ? "]" : "", request->url.port);
	(void)iq_buf_append(out, request->headers);
	if (request->body.len > 0 || iq_view_eq(request->method, IQ_LIT("POST")))
		(void)iq_buf_appendf(out, "Content-Length: %zu\r\n", request->body.len);
	(void)iq_buf_append_cstr(out, "\r\n");
	(void)iq_buf_append(out, request->body);
	return out->failed ? iq_error_nomem(error) : 0;
}

int iq_http_call_start(uv_loop_t *loop, const struct iq_http_request *request, const struct iq_trust *trust,
		       iq_http_call_fn *done, void *context, struct iq_http_call **ret_call, struct iq_error *error)
{
	struct iq_link_callbacks linked = { on_linked, on_bytes, on_ended, on_link_failed, NULL };
	struct iq_http_call *call = calloc(1, sizeof(*call));
	int rc = call ? append_request(&call->request, request, error) : iq_error_nomem(error);

	if (rc == 0) {
		call->done = done;
		call->context = context;
		call->is_head = iq_view_eq(request->method, IQ_LIT("HEAD"));
		linked.context = call;
		rc = iq_link_open(loop, &request->url, trust, &linked, &call->link, error);
	}
	if (rc < 0)
		iq_http_call_free(call);
	else
		*ret_call = call;
	return rc;
}

void iq_http_call_cancel(struct iq_http_call *call)
{
	if (call->over)
		return;
	call->over = true;
	iq_link_close(call->link);
}

void iq_http_call_free(struct iq_http_call *call)
{
	if (!call)
		return;
	iq_link_free(call->link);
	iq_buf_release(&call->request);
	iq_buf_release(&call->response);
	free(call);
}
