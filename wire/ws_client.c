#include "wire/ws_client.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum state { STATE_CONNECTING, STATE_HANDSHAKE, STATE_OPEN, STATE_CLOSING, STATE_ENDED };

struct iq_ws_client {
	enum state state;
	struct iq_ws_callbacks callbacks;
	struct iq_link *link;
	struct iq_buf request;
	struct iq_buf subprotocol;
	char key[IQ_WS_KEY_SIZE];
	struct iq_buf input; /* of the handshake */
	struct iq_ws_reader reader;
	bool deflate; /* was offered */
	struct iq_inflate *inflate;
	struct iq_buf plain;
};

/* ---- Ends ---- */

static void fail(struct iq_ws_client *client, const struct iq_error *error)
{
	if (client->state == STATE_ENDED)
		return;
	client->state = STATE_ENDED;
	iq_link_close(client->link);
	client->callbacks.failed(client->callbacks.context, error);
}

static void end(struct iq_ws_client *client, const struct iq_ws_end *how)
{
	if (client->state == STATE_ENDED)
		return;
	client->state = STATE_ENDED;
	iq_link_close(client->link);
	client->callbacks.closed(client->callbacks.context, how);
}

static void end_cut(struct iq_ws_client *client, const char *why)
{
	const struct iq_ws_end how = { .clean = false,
				       .reason = iq_view_cstr(why),
				       .by_us = client->state == STATE_CLOSING };

	end(client, &how);
}

/* ---- Writing ---- */

static int write_frame(struct iq_ws_client *client, enum iq_ws_opcode opcode, struct iq_view payload,
		       struct iq_error *error)
{
	struct iq_buf frame = IQ_BUF_INIT;
	size_t queued = iq_link_waiting(client->link);
	uint8_t mask[4];

	/* Pongs count as well: a peer that pings and never reads would have us hold them all. */
	if (queued > IQ_WS_CLIENT_MAX_QUEUED || payload.len > IQ_WS_CLIENT_MAX_QUEUED - queued)
		return iq_error_set(error, IQ_ERR_LIMIT, "more than %u bytes wait to be sent", IQ_WS_CLIENT_MAX_QUEUED);
	if (RAND_bytes(mask, sizeof(mask)) != 1)
		return iq_error_set(error, IQ_ERR_NETWORK, "the system has no random bytes");
	(void)iq_ws_append_frame(&frame, opcode, payload, mask);
	return iq_link_write(client->link, &frame, error);
}

int iq_ws_client_send(struct iq_ws_client *client, enum iq_ws_opcode opcode, struct iq_view payload,
		      struct iq_error *error)
{
	if (client->state != STATE_OPEN)
		return iq_error_set(error, IQ_ERR_NETWORK, "the connection has ended");
	return write_frame(client, opcode, payload, error);
}

void iq_ws_client_close(struct iq_ws_client *client, uint16_t code)
{
	const char payload[2] = { (char)(code >> 8), (char)code };

	if (client->state != STATE_OPEN)
		return;
	client->state = STATE_CLOSING;
	(void)write_frame(client, IQ_WS_CLOSE, iq_view_make(payload, 2), NULL);
}

/* ---- Reading ---- */

static void take_close(struct iq_ws_client *client, const struct iq_ws_message *message)
{
	const struct iq_ws_end how = {
		.clean = true, .code = message->code, .reason = message->reason, .by_us = client->state == STATE_CLOSING
	};

	/* The answer of section 5.5.1. */
	if (client->state == STATE_OPEN)
		(void)write_frame(client, IQ_WS_CLOSE,
				  iq_view_make(message->payload.data, message->payload.len ? 2 : 0), NULL);
	end(client, &how);
}

static int append_plain(void *context, struct iq_view plain)
{
	struct iq_buf *buf = context;

	return plain.len > IQ_WS_MAX_MESSAGE - buf->len ? IQ_ERR_LIMIT : iq_buf_append(buf, plain);
}

/* Its payload as it was before it was compressed. False where it cannot be told: the connection is given up. */
static bool inflate_message(struct iq_ws_client *client, struct iq_ws_message *message)
{
	int rc = client->inflate ? iq_inflate_feed(client->inflate, message->payload, append_plain, &client->plain)
				 : IQ_ERR_FORMAT;

	if (rc == 0)
		rc = iq_inflate_end(client->inflate, append_plain, &client->plain);
	message->payload = iq_buf_view(&client->plain);
	return rc == 0 && (message->opcode != IQ_WS_TEXT || iq_utf8_valid(message->payload));
}

static void take_message(struct iq_ws_client *client, const struct iq_ws_message *message)
{
	if (message->opcode == IQ_WS_CLOSE) {
		take_close(client, message);
		return;
	}
	if (message->opcode == IQ_WS_PING && client->state == STATE_OPEN)
		(void)write_frame(client, IQ_WS_PONG, message->payload, NULL);
	client->callbacks.message(client->callbacks.context, message);
}

static void take_frames(struct iq_ws_client *client, struct iq_view bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_ws_message message;
	int rc = 0;

	while (client->state != STATE_ENDED &&
	       (rc = iq_ws_reader_next(&client->reader, &bytes, &message, &error)) > 0) {
		iq_buf_clear(&client->plain);
		if (message.compressed && !inflate_message(client, &message)) {
			end_cut(client, "a compressed message that cannot be read");
			return;
		}
		take_message(client, &message);
	}
	if (rc < 0)
		end_cut(client, error.message);
}

/* What the server chose to do. */
static void agree(struct iq_ws_client *client, const struct iq_http_head *response)
{
	struct iq_deflate ours = { .bits = 15 }, theirs = { .bits = 15 };

	iq_deflate_read(iq_http_header(response, "Sec-WebSocket-Extensions"), &ours, &theirs);
	client->reader.deflates = theirs.agreed;
	client->inflate = theirs.agreed ? iq_inflate_new(&theirs) : NULL;
}

static void take_handshake(struct iq_ws_client *client, struct iq_view bytes)
{
	struct iq_error error = IQ_ERROR_INIT;
	struct iq_http_head response;
	size_t len;
	int rc;

	if (iq_buf_append(&client->input, bytes) < 0) {
		(void)iq_error_nomem(&error);
		fail(client, &error);
		return;
	}
	rc = iq_http_parse_response(iq_buf_view(&client->input), &response, &len, &error);
	if (rc == 0)
		return;
	if (rc > 0)
		rc = iq_ws_check_response(&response, client->key, iq_buf_view(&client->subprotocol), client->deflate,
					  &error);
	if (rc < 0) {
		fail(client, &error);
		return;
	}
	agree(client, &response);
	client->state = STATE_OPEN;
	client->callbacks.opened(client->callbacks.context, &response);
	take_frames(client, iq_view_from(iq_buf_view(&client->input), len));
}

static void on_bytes(void *context, struct iq_view bytes)
{
	struct iq_ws_client *client = context;

	if (client->state == STATE_HANDSHAKE)
		take_handshake(client, bytes);
	else
		take_frames(client, bytes);
}

static void on_ended(void *context, const char *why)
{
	struct iq_ws_client *client = context;
	struct iq_error error = IQ_ERROR_INIT;

	if (client->state != STATE_HANDSHAKE) {
		end_cut(client, strcmp(why, "end of file") == 0 ? "the connection ended without a close frame" : why);
		return;
	}
	(void)iq_error_set(&error, IQ_ERR_NETWORK, "%s: no answer to the handshake: %s", iq_link_name(client->link),
			   why);
	fail(client, &error);
}

/* ---- Connecting ---- */

static void on_linked(void *context)
{
	struct iq_ws_client *client = context;
	struct iq_error error = IQ_ERROR_INIT;

	client->state = STATE_HANDSHAKE;
	if (iq_link_write(client->link, &client->request, &error) < 0)
		fail(client, &error);
	client->request = (struct iq_buf)IQ_BUF_INIT;
}

static void on_link_failed(void *context, const struct iq_error *error)
{
	fail(context, error);
}

static int append_request(struct iq_ws_client *client, const struct iq_url *url, const struct iq_ws_offer *offer,
			  struct iq_error *error)
{
	struct iq_buf headers = IQ_BUF_INIT;
	int rc;

	(void)iq_buf_append(&headers, offer->headers);
	if (offer->deflate)
		(void)iq_buf_append_cstr(&headers, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
	rc = iq_ws_append_request(&client->request, url, offer->path, client->key, offer->subprotocol,
				  iq_buf_view(&headers), error);
	iq_buf_release(&headers);
	return rc;
}

int iq_ws_client_open(uv_loop_t *loop, const struct iq_url *url, const struct iq_ws_offer *offer,
		      const struct iq_ws_callbacks *callbacks, struct iq_ws_client **ret_client, struct iq_error *error)
{
	struct iq_link_callbacks linked = { on_linked, on_bytes, on_ended, on_link_failed, NULL };
	struct iq_ws_client *client;
	int rc;

	client = calloc(1, sizeof(*client));
	if (!client)
		return iq_error_nomem(error);
	client->callbacks = *callbacks;
	client->deflate = offer->deflate;
	linked.context = client;
	iq_ws_reader_init(&client->reader, true);
	rc = iq_ws_make_key(client->key) ? iq_buf_append(&client->subprotocol, offer->subprotocol)
					 : iq_error_set(error, IQ_ERR_NETWORK, "the system has no random bytes");
	if (rc == 0)
		rc = append_request(client, url, offer, error);
	if (rc == 0)
		rc = iq_link_open(loop, url, offer->trust, &linked, &client->link, error);
	if (rc < 0)
		iq_ws_client_free(client);
	else
		*ret_client = client;
	return rc;
}

void iq_ws_client_abort(struct iq_ws_client *client)
{
	client->state = STATE_ENDED;
	iq_link_close(client->link);
	iq_link_close(client->link);
}

void iq_ws_client_free(struct iq_ws_client *client)
{
	if (!client)
		return;
	iq_link_free(client->link);
	iq_buf_release(&client->request);
	iq_buf_release(&client->subprotocol);
	iq_buf_release(&client->input);
	iq_ws_reader_release(&client->reader);
	iq_inflate_free(client->inflate);
	iq_buf_release(&client->plain);
	free(client);
}
