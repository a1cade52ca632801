#include "wire/conversation.h"

#include <stdlib.h>
#include <strings.h>

/* What a side is in the middle of. */
enum place { HEAD, BODY, FRAMES, OPAQUE };

/* A request that waits for its response. */
struct pending {
	struct pending *next;
	struct iq_http_head head; /* in `bytes` */
	struct iq_buf bytes;
	uint64_t number;
	bool is_upgrade;
};

struct side {
	enum place place;
	uint64_t position; /* bytes heard */
	uint64_t start;	   /* of what it is in the middle of */
	int64_t first;
	struct iq_buf raw; /* of the message at hand, with its head */
	uint64_t raw_len;
	struct iq_buf head_bytes;
	struct iq_http_head head; /* in `head_bytes` */
	struct iq_http_body body;
	size_t head_len;
	struct iq_buf content; /* of a chunked body */
	uint64_t content_len;
	bool is_stream; /* of server-sent events */
	bool ended;
	const char *problem;  /* why it is opaque */
	uint64_t opaque_from; /* position */
	int64_t opaque_first;
	struct iq_ws_decoder decoder;
};

struct iq_conversation {
	struct iq_conversation_options options;
	struct side sides[2];
	struct pending *pending; /* the oldest first */
	struct pending **tail;
	size_t pending_count;
	struct pending *asked; /* the request that the response at hand answers */
	uint64_t requests;
	bool is_socket;
	bool decoding;
	struct iq_sse sse;
};

struct iq_conversation *iq_conversation_new(const struct iq_conversation_options *options)
{
	struct iq_conversation *conversation = calloc(1, sizeof(*conversation));

	if (!conversation)
		return NULL;
	conversation->options = *options;
	if (options->kept == 0)
		conversation->options.kept = IQ_HTTP_MAX_KEPT;
	conversation->tail = &conversation->pending;
	return conversation;
}

static void free_pending(struct pending *pending)
{
	if (!pending)
		return;
	iq_buf_release(&pending->bytes);
	free(pending);
}

void iq_conversation_free(struct iq_conversation *conversation)
{
	if (!conversation)
		return;
	while (conversation->pending) {
		struct pending *next = conversation->pending->next;

		free_pending(conversation->pending);
		conversation->pending = next;
	}
	free_pending(conversation->asked);
	for (size_t i = 0; i < 2; i++) {
		iq_buf_release(&conversation->sides[i].raw);
		iq_buf_release(&conversation->sides[i].head_bytes);
		iq_buf_release(&conversation->sides[i].content);
		iq_ws_decoder_release(&conversation->sides[i].decoder);
	}
	iq_sse_release(&conversation->sse);
	free(conversation);
}

bool iq_conversation_is_socket(const struct iq_conversation *conversation)
{
	return conversation->is_socket;
}

bool iq_conversation_is_opaque(const struct iq_conversation *conversation, enum iq_side side)
{
	return conversation->sides[side].place == OPAQUE;
}

size_t iq_conversation_pending(const struct iq_conversation *conversation)
{
	return conversation->pending_count + (conversation->asked != NULL);
}

bool iq_conversation_is_closed(const struct iq_conversation *conversation, enum iq_side side)
{
	return conversation->sides[side].decoder.closed;
}

/* ---- Telling ---- */

static struct iq_talk begin_talk(const struct iq_conversation *conversation, enum iq_talk_kind kind, enum iq_side which,
				 int64_t now)
{
	const struct side *side = &conversation->sides[which];
	const struct pending *asked = conversation->asked;

	return (struct iq_talk){ .kind = kind,
				 .side = which,
				 .first = side->first,
				 .last = now,
				 .exchange = asked ? asked->number : 0,
				 .request = asked ? &asked->head : NULL,
				 .response = which == IQ_SIDE_SERVER && side->head_len > 0 ? &side->head : NULL,
				 .is_whole = true,
				 .raw = iq_buf_view(&side->raw),
				 .raw_len = side->raw_len,
				 .start = side->start,
				 .end = side->position };
}

static int tell(const struct iq_conversation *conversation, const struct iq_talk *talk)
{
	return conversation->options.take(conversation->options.context, talk);
}

/* ---- Opaque bytes ---- */

static void become_opaque(struct side *side, uint64_t from, int64_t first, const char *problem)
{
	if (side->place == OPAQUE)
		return;
	side->place = OPAQUE;
	side->problem = problem;
	side->opaque_from = from;
	side->opaque_first = first;
}

static int tell_opaque(const struct iq_conversation *conversation, enum iq_side which, int64_t now)
{
	const struct side *side = &conversation->sides[which];
	struct iq_talk talk = { .kind = IQ_TALK_OPAQUE,
				.side = which,
				.first = side->opaque_first,
				.last = now,
				.body_len = side->position - side->opaque_from,
				.start = side->opaque_from,
				.end = side->position,
				.problem = side->problem };

	return talk.body_len > 0 ? tell(conversation, &talk) : 0;
}

/* ---- Messages of HTTP ---- */

static void begin_message(struct side *side, int64_t now)
{
	side->place = HEAD;
	side->start = side->position;
	side->first = now;
	side->head_len = 0;
	side->raw_len = 0;
	side->content_len = 0;
	side->is_stream = false;
	iq_buf_clear(&side->raw);
	iq_buf_clear(&side->content);
}

static int keep_raw(struct side *side, struct iq_view bytes, size_t kept)
{
	const size_t most = kept + IQ_HTTP_MAX_HEAD;
	const size_t room = side->raw.len < most ? most - side->raw.len : 0;

	side->raw_len += bytes.len;
	side->position += bytes.len;
	return iq_buf_append(&side->raw, iq_view_make(bytes.data, bytes.len < room ? bytes.len : room));
}

/* The body: within the raw bytes, but for a chunked one. */
static struct iq_view content_of(const struct side *side, size_t kept)
{
	struct iq_view content = iq_view_from(iq_buf_view(&side->raw), side->head_len);

	if (side->body.framing == IQ_HTTP_CHUNKED)
		return iq_buf_view(&side->content);
	content.len = content.len < kept ? content.len : kept;
	return content;
}

static int keep_content(struct side *side, struct iq_view content, size_t kept)
{
	const size_t room = side->content.len < kept ? kept - side->content.len : 0;

	side->content_len += content.len;
	if (side->body.framing != IQ_HTTP_CHUNKED)
		return 0;
	return iq_buf_append(&side->content, iq_view_make(content.data, content.len < room ? content.len : room));
}

/* The request waits for its response, with a head of its own. */
static int add_pending(struct iq_conversation *conversation, const struct side *side)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	size_t len;

	if (!pending || iq_buf_append(&pending->bytes, iq_buf_view(&side->head_bytes)) < 0) {
		free_pending(pending);
		return IQ_ERR_NOMEM;
	}
	(void)iq_http_parse_request(iq_buf_view(&pending->bytes), &pending->head, &len, NULL);
	pending->number = ++conversation->requests;
	pending->is_upgrade = iq_http_is_upgrade(&pending->head);
	*conversation->tail = pending;
	conversation->tail = &pending->next;
	conversation->pending_count++;
	return 0;
}

static struct pending *take_pending(struct iq_conversation *conversation)
{
	struct pending *pending = conversation->pending;

	if (!pending)
		return NULL;
	conversation->pending = pending->next;
	if (!conversation->pending)
		conversation->tail = &conversation->pending;
	conversation->pending_count--;
	pending->next = NULL;
	return pending;
}

static int tell_request(struct iq_conversation *conversation, bool is_whole, int64_t now)
{
	struct side *side = &conversation->sides[IQ_SIDE_CLIENT];
	struct iq_talk talk = begin_talk(conversation, IQ_TALK_REQUEST, IQ_SIDE_CLIENT, now);

	talk.exchange = conversation->requests;
	talk.request = &side->head;
	talk.body = content_of(side, conversation->options.kept);
	talk.body_len = side->content_len;
	talk.is_whole = is_whole;
	return tell(conversation, &talk);
}

static bool is_upgraded(const struct iq_conversation *conversation)
{
	return conversation->asked && conversation->asked->is_upgrade;
}

static int tell_response(struct iq_conversation *conversation, bool is_whole, int64_t now)
{
	struct side *side = &conversation->sides[IQ_SIDE_SERVER];
	struct iq_talk talk = begin_talk(conversation, is_upgraded(conversation) ? IQ_TALK_REFUSED : IQ_TALK_RESPONSE,
					 IQ_SIDE_SERVER, now);

	talk.body = content_of(side, conversation->options.kept);
	talk.body_len = side->content_len;
	talk.is_whole = is_whole;
	return tell(conversation, &talk);
}

/* ---- The handshake ---- */

static void begin_decoder(struct iq_conversation *conversation, enum iq_side which, const struct iq_deflate *deflate)
{
	struct iq_ws_decoder *decoder = &conversation->sides[which].decoder;

	iq_ws_decoder_init(decoder, which == IQ_SIDE_SERVER, deflate);
	if (conversation->options.kept < decoder->limit)
		decoder->limit = conversation->options.kept;
}

static void begin_frames(struct iq_conversation *conversation, const struct iq_deflate deflates[2])
{
	for (size_t i = 0; i < 2; i++) {
		struct side *side = &conversation->sides[i];

		begin_decoder(conversation, (enum iq_side)i, &deflates[i]);
		if (side->place != OPAQUE)
			side->place = FRAMES;
		/* Frames stand on their own from here. */
		side->start = side->position;
		iq_buf_release(&side->raw);
		iq_buf_release(&side->head_bytes);
		iq_buf_release(&side->content);
		side->head_len = 0;
	}
	conversation->is_socket = true;
}

void iq_conversation_assume_frames(struct iq_conversation *conversation)
{
	static const struct iq_deflate perhaps[2] = { { .agreed = true, .bits = 15 }, { .agreed = true, .bits = 15 } };

	begin_frames(conversation, perhaps);
}

static const char *handshake_problem(const struct pending *asked, const struct iq_http_head *response)
{
	const struct iq_view key = iq_http_header(&asked->head, "Sec-WebSocket-Key");
	const struct iq_view given = iq_http_header(response, "Sec-WebSocket-Accept");
	char text[IQ_WS_KEY_SIZE], accept[IQ_WS_ACCEPT_SIZE];

	if (key.len != sizeof(text) - 1)
		return "the client's Sec-WebSocket-Key is none";
	memcpy(text, key.data, key.len);
	text[key.len] = '\0';
	iq_ws_accept(text, accept);
	return iq_view_eq(given, iq_view_cstr(accept)) ? NULL
						       : "the server's Sec-WebSocket-Accept is not that of the key";
}

static int open_socket(struct iq_conversation *conversation, int64_t now)
{
	struct iq_deflate deflates[2] = { { .bits = 15 }, { .bits = 15 } };
	struct side *side = &conversation->sides[IQ_SIDE_SERVER];
	struct iq_talk talk = begin_talk(conversation, IQ_TALK_OPEN, IQ_SIDE_SERVER, now);
	int rc;

	talk.problem = handshake_problem(conversation->asked, &side->head);
	iq_deflate_read(iq_http_header(&side->head, "Sec-WebSocket-Extensions"), &deflates[IQ_SIDE_CLIENT],
			&deflates[IQ_SIDE_SERVER]);
	rc = tell(conversation, &talk);
	free_pending(conversation->asked);
	conversation->asked = NULL;
	begin_frames(conversation, deflates);
	return rc;
}

/* ---- Heads ---- */

/* What comes before the final response: 100, 103. */
static bool is_interim(const struct side *side)
{
	return side->head.status < 200 && side->head.status != 101;
}

static bool is_event_stream(const struct side *side)
{
	const struct iq_view type = iq_http_header(&side->head, "Content-Type");

	return type.len >= 17 && strncasecmp(type.data, "text/event-stream", 17) == 0 && side->head.status == 200 &&
	       !iq_http_header(&side->head, "Content-Encoding").len;
}

static int begin_body(struct iq_conversation *conversation, enum iq_side which, int64_t now)
{
	struct side *side = &conversation->sides[which];
	const struct iq_http_head *request = conversation->asked ? &conversation->asked->head : NULL;
	struct iq_error error = IQ_ERROR_INIT;

	if (which == IQ_SIDE_SERVER && !request) {
		become_opaque(side, side->start, side->first, "a response without a request");
		return 0;
	}
	if (iq_http_body_begin(&side->body, &side->head, which == IQ_SIDE_SERVER ? request : NULL, &error) < 0) {
		become_opaque(side, side->start, side->first,
			      "a message whose length can be read in more than one way");
		return 0;
	}
	side->place = BODY;
	side->is_stream = which == IQ_SIDE_SERVER && is_event_stream(side);
	iq_buf_clear(&conversation->sse.raw);
	return side->is_stream ? tell_response(conversation, true, now) : 0;
}

static int take_request_head(struct iq_conversation *conversation, int64_t now)
{
	struct side *side = &conversation->sides[IQ_SIDE_CLIENT];

	if (conversation->pending_count == IQ_HTTP_MAX_PENDING) {
		become_opaque(side, side->start, side->first, "more requests than are kept wait for their responses");
		return 0;
	}
	return add_pending(conversation, side) < 0 ? IQ_ERR_NOMEM : begin_body(conversation, IQ_SIDE_CLIENT, now);
}

static int take_response_head(struct iq_conversation *conversation, int64_t now)
{
	struct side *side = &conversation->sides[IQ_SIDE_SERVER];

	if (is_interim(side)) {
		begin_message(side, now);
		return 0;
	}
	if (!conversation->asked)
		conversation->asked = take_pending(conversation);
	if (side->head.status == 101) {
		if (is_upgraded(conversation))
			return open_socket(conversation, now);
		become_opaque(side, side->start, side->first, "an upgrade to another protocol");
		become_opaque(&conversation->sides[IQ_SIDE_CLIENT], conversation->sides[IQ_SIDE_CLIENT].position, now,
			      "an upgrade to another protocol");
		return 0;
	}
	return begin_body(conversation, IQ_SIDE_SERVER, now);
}

static int parse_head(enum iq_side which, struct iq_view bytes, struct iq_http_head *ret_head, size_t *ret_len)
{
	return which == IQ_SIDE_CLIENT ? iq_http_parse_request(bytes, ret_head, ret_len, NULL)
				       : iq_http_parse_response(bytes, ret_head, ret_len, NULL);
}

/* Of what was taken in too much, the rest is given back. */
static int feed_head(struct iq_conversation *conversation, enum iq_side which, struct iq_view *bytes, int64_t now)
{
	struct side *side = &conversation->sides[which];
	const size_t before = side->raw.len;
	size_t len = 0;
	struct iq_view head;
	int rc;

	if (before == 0)
		begin_message(side, now);
	if (iq_buf_append(&side->raw,
			  iq_view_make(bytes->data, bytes->len < IQ_HTTP_MAX_HEAD ? bytes->len : IQ_HTTP_MAX_HEAD)) < 0)
		return IQ_ERR_NOMEM;
	head = iq_buf_view(&side->raw);
	rc = parse_head(which, head, &side->head, &len);
	if (rc <= 0)
		len = side->raw.len;
	side->raw.len = len;
	side->raw_len = len;
	side->position += len - before;
	*bytes = iq_view_from(*bytes, len - before);
	if (rc < 0)
		become_opaque(side, side->start, side->first,
			      which == IQ_SIDE_CLIENT ? "the client does not speak HTTP/1.1"
						      : "the server does not speak HTTP/1.1");
	if (rc <= 0)
		return 0;
	side->head_len = len;
	iq_buf_clear(&side->head_bytes);
	if (iq_buf_append(&side->head_bytes, iq_buf_view(&side->raw)) < 0)
		return IQ_ERR_NOMEM;
	(void)parse_head(which, iq_buf_view(&side->head_bytes), &side->head, &len);
	return which == IQ_SIDE_CLIENT ? take_request_head(conversation, now) : take_response_head(conversation, now);
}

/* ---- Bodies ---- */

static int feed_stream(struct iq_conversation *conversation, struct iq_view content, int64_t now)
{
	struct side *side = &conversation->sides[IQ_SIDE_SERVER];
	struct iq_sse_event event;
	int rc;

	side->content_len += content.len;
	while ((rc = iq_sse_next(&conversation->sse, &content, now, &event)) > 0) {
		struct iq_talk talk = begin_talk(conversation, IQ_TALK_EVENT, IQ_SIDE_SERVER, now);

		talk.first = event.first;
		talk.body = event.data;
		talk.body_len = event.data.len;
		talk.raw = event.raw;
		talk.raw_len = event.raw.len;
		talk.event = &event;
		side->start = side->position;
		rc = tell(conversation, &talk);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int end_message(struct iq_conversation *conversation, enum iq_side which, bool is_whole, int64_t now)
{
	struct side *side = &conversation->sides[which];
	int rc;

	if (which == IQ_SIDE_CLIENT) {
		rc = tell_request(conversation, is_whole, now);
	} else if (side->is_stream) {
		struct iq_talk talk = begin_talk(conversation, IQ_TALK_EVENTS_END, which, now);

		talk.raw = IQ_VIEW_NULL;
		talk.body_len = side->content_len;
		talk.is_whole = is_whole;
		rc = tell(conversation, &talk);
	} else {
		rc = tell_response(conversation, is_whole, now);
	}
	if (which == IQ_SIDE_SERVER) {
		free_pending(conversation->asked);
		conversation->asked = NULL;
	}
	begin_message(side, now);
	return rc;
}

static int feed_body(struct iq_conversation *conversation, enum iq_side which, struct iq_view *bytes, int64_t now)
{
	struct side *side = &conversation->sides[which];
	struct iq_error error = IQ_ERROR_INIT;
	int rc = 1;

	while (rc > 0 && !side->body.ended) {
		const struct iq_view before = *bytes;
		struct iq_view content = IQ_VIEW_NULL;
		struct iq_view taken;

		rc = iq_http_body_next(&side->body, bytes, &content, &error);
		if (rc < 0) {
			become_opaque(side, side->start, side->first, "a body that breaks its transfer coding");
			return 0;
		}
		taken = iq_view_make(before.data, before.len - bytes->len);
		if (side->is_stream)
			side->position += taken.len;
		else if (keep_raw(side, taken, conversation->options.kept) < 0)
			return IQ_ERR_NOMEM;
		if (rc == 0)
			break;
		rc = side->is_stream ? feed_stream(conversation, content, now)
				     : keep_content(side, content, conversation->options.kept);
		if (rc < 0)
			return rc;
		rc = 1;
	}
	return side->body.ended ? end_message(conversation, which, true, now) : 0;
}

/* ---- Frames ---- */

static int tell_heard(struct iq_conversation *conversation, enum iq_side which, const struct iq_ws_heard *heard,
		      bool is_whole, int64_t now)
{
	const struct side *side = &conversation->sides[which];
	const struct iq_talk talk = { .kind = IQ_TALK_MESSAGE,
				      .side = which,
				      .first = heard->first,
				      .last = now,
				      .body = heard->payload,
				      .body_len = heard->payload_len,
				      .is_whole = is_whole,
				      .raw = heard->raw,
				      .raw_len = heard->raw_len,
				      .start = side->start + heard->start,
				      .end = side->start + heard->end,
				      .heard = heard };

	return tell(conversation, &talk);
}

static int feed_frames(struct iq_conversation *conversation, enum iq_side which, struct iq_view *bytes, int64_t now)
{
	struct side *side = &conversation->sides[which];
	struct iq_ws_heard heard;
	int rc;

	side->position += bytes->len;
	while ((rc = iq_ws_decoder_next(&side->decoder, bytes, now, &heard)) > 0) {
		rc = tell_heard(conversation, which, &heard, true, now);
		if (rc < 0)
			return rc;
	}
	if (side->decoder.lost)
		become_opaque(side, side->start + side->decoder.lost_at, now,
			      "frames cannot be told after a length that cannot be");
	return rc;
}

/* ---- Feeding ---- */

/* Responses wait for their requests: what one side said while the other was not complete is told in the order in which it was said. */
static int feed_some(struct iq_conversation *conversation, enum iq_side which, struct iq_view *bytes, int64_t now)
{
	struct side *side = &conversation->sides[which];

	switch (side->place) {
	case HEAD:
		return feed_head(conversation, which, bytes, now);
	case BODY:
		return feed_body(conversation, which, bytes, now);
	case FRAMES:
		return feed_frames(conversation, which, bytes, now);
	default:
		side->position += bytes->len;
		*bytes = IQ_VIEW_NULL;
		return 0;
	}
}

/* A body of no bytes ends with its head. */
static bool is_complete(const struct side *side)
{
	return side->place == BODY && side->body.ended;
}

int iq_conversation_feed(struct iq_conversation *conversation, enum iq_side which, struct iq_view bytes, int64_t now)
{
	const struct side *side = &conversation->sides[which];
	int rc = 0;

	while (rc >= 0 && (bytes.len > 0 || is_complete(side)))
		rc = feed_some(conversation, which, &bytes, now);
	return rc < 0 ? rc : 0;
}

/* Requests that will get no response any more. */
static int tell_unanswered(struct iq_conversation *conversation, int64_t now)
{
	int rc = 0;

	if (!conversation->asked)
		conversation->asked = take_pending(conversation);
	while (rc == 0 && conversation->asked) {
		struct iq_talk talk = begin_talk(conversation, IQ_TALK_UNANSWERED, IQ_SIDE_SERVER, now);

		talk.first = now;
		talk.raw = IQ_VIEW_NULL;
		talk.response = NULL;
		rc = tell(conversation, &talk);
		free_pending(conversation->asked);
		conversation->asked = take_pending(conversation);
	}
	return rc;
}

static int end_side(struct iq_conversation *conversation, enum iq_side which, int64_t now)
{
	struct side *side = &conversation->sides[which];
	struct iq_ws_heard heard;
	int rc = 0;

	switch (side->place) {
	case HEAD:
		if (side->raw.len > 0)
			become_opaque(side, side->start, side->first, "a head that was not complete");
		break;
	case BODY:
		rc = end_message(conversation, which, side->body.framing == IQ_HTTP_UNTIL_CLOSE, now);
		break;
	case FRAMES:
		while (rc == 0 && iq_ws_decoder_end(&side->decoder, &heard) > 0)
			rc = tell_heard(conversation, which, &heard, false, now);
		break;
	case OPAQUE:
		break;
	}
	return rc == 0 && side->place == OPAQUE ? tell_opaque(conversation, which, now) : rc;
}

int iq_conversation_end(struct iq_conversation *conversation, enum iq_side which, int64_t now)
{
	struct side *side = &conversation->sides[which];
	int rc;

	if (side->ended)
		return 0;
	side->ended = true;
	rc = end_side(conversation, which, now);
	return rc == 0 && which == IQ_SIDE_SERVER ? tell_unanswered(conversation, now) : rc;
}

int iq_conversation_stop(struct iq_conversation *conversation, int64_t now)
{
	int rc = 0;

	for (enum iq_side which = IQ_SIDE_CLIENT; which <= IQ_SIDE_SERVER && rc == 0; which++) {
		if (!conversation->sides[which].ended)
			rc = end_side(conversation, which, now);
		conversation->sides[which].ended = true;
	}
	return rc;
}

int iq_conversation_miss(struct iq_conversation *conversation, enum iq_side which, uint64_t bytes, int64_t now)
{
	struct side *side = &conversation->sides[which];
	struct iq_ws_heard heard;
	int rc = 0;

	if (side->place == BODY)
		rc = end_message(conversation, which, false, now);
	while (rc == 0 && side->place == FRAMES && iq_ws_decoder_end(&side->decoder, &heard) > 0)
		rc = tell_heard(conversation, which, &heard, false, now);
	if (side->place == HEAD && side->raw.len > 0)
		become_opaque(side, side->start, side->first, "a head that was not complete");
	if (rc == 0 && side->place == OPAQUE)
		rc = tell_opaque(conversation, which, now);
	side->position += bytes;
	side->place = HEAD;
	become_opaque(side, side->position, now, "bytes before it were not heard");
	return rc;
}

int iq_conversation_resume(struct iq_conversation *conversation, enum iq_side which, int64_t now)
{
	struct side *side = &conversation->sides[which];
	const struct iq_deflate deflate = side->decoder.deflate;
	const int rc = side->place == OPAQUE ? tell_opaque(conversation, which, now) : 0;

	begin_message(side, now);
	if (conversation->is_socket) {
		iq_ws_decoder_release(&side->decoder);
		begin_decoder(conversation, which, &deflate);
		side->place = FRAMES;
	}
	return rc;
}
