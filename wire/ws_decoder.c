#include "wire/ws_decoder.h"

#include "wire/ws_frame.h"
#include "wire/ws_mask.h"

enum { FIN = 0x80, RSV1 = 0x40, RESERVED = 0x70, OPCODE = 0x0f };
enum { MASKED = 0x80, LENGTH = 0x7f, LENGTH_16 = 126, LENGTH_64 = 127 };

/* Unmasked at a time where nothing is kept. */
#define STEP (16u << 10)

const char *iq_ws_problem_text(enum iq_ws_problem problem)
{
	switch (problem) {
#define CASE(name, text) \
	case IQ_WS_##name: \
		return text;
		IQ_WS_PROBLEMS(CASE)
	}
	return "";
}

void iq_ws_decoder_init(struct iq_ws_decoder *decoder, bool from_server, const struct iq_deflate *deflate)
{
	*decoder = (struct iq_ws_decoder){ .from_server = from_server, .limit = IQ_WS_MAX_KEPT };
	if (deflate)
		decoder->deflate = *deflate;
}

static void release_part(struct iq_ws_part *part)
{
	iq_buf_release(&part->raw);
	iq_buf_release(&part->plain);
	iq_sha256_free(part->hash);
}

void iq_ws_decoder_release(struct iq_ws_decoder *decoder)
{
	release_part(&decoder->message);
	release_part(&decoder->control);
	iq_inflate_free(decoder->inflate);
}

static bool is_control(uint8_t opcode)
{
	return opcode >= IQ_WS_CLOSE;
}

/* ---- Heads ---- */

/* Bytes that a head has, as far as its first two tell. */
static size_t head_size(const uint8_t *head)
{
	const uint8_t form = head[1] & LENGTH;

	return 2u + (form == LENGTH_16 ? 2 : form == LENGTH_64 ? 8 : 0) + (head[1] & MASKED ? 4 : 0);
}

static uint64_t declared_length(const uint8_t *head)
{
	const uint8_t form = head[1] & LENGTH;
	const size_t bytes = form == LENGTH_16 ? 2 : form == LENGTH_64 ? 8 : 0;
	uint64_t length = 0;

	for (size_t i = 0; i < bytes; i++)
		length = length << 8 | head[2 + i];
	return bytes ? length : form;
}

/* What a head says that it should not. */
static uint32_t head_problems(const struct iq_ws_decoder *decoder, const uint8_t *head, uint64_t length)
{
	const uint8_t opcode = head[0] & OPCODE, form = head[1] & LENGTH;
	const bool may_compress = decoder->deflate.agreed && (opcode == IQ_WS_TEXT || opcode == IQ_WS_BINARY);
	uint32_t problems = 0;

	if (head[0] & RESERVED & ~(may_compress ? RSV1 : 0))
		problems |= IQ_WS_RESERVED;
	if (!(head[1] & MASKED) != decoder->from_server)
		problems |= decoder->from_server ? IQ_WS_MASKED : IQ_WS_UNMASKED;
	if ((opcode > IQ_WS_BINARY && opcode < IQ_WS_CLOSE) || opcode > IQ_WS_PONG)
		problems |= IQ_WS_OPCODE;
	if (is_control(opcode) && !(head[0] & FIN))
		problems |= IQ_WS_CONTROL_FRAGMENT;
	if (is_control(opcode) && length > IQ_WS_MAX_CONTROL)
		problems |= IQ_WS_CONTROL_LENGTH;
	if ((form == LENGTH_16 && length < LENGTH_16) || (form == LENGTH_64 && length <= UINT16_MAX))
		problems |= IQ_WS_LENGTH_FORM;
	if (length >> 63)
		problems |= IQ_WS_LENGTH_BIT;
	if (decoder->closed)
		problems |= IQ_WS_AFTER_CLOSE;
	return problems;
}

/* ---- What is kept of a payload ---- */

static struct iq_view clip(struct iq_view view, uint64_t len)
{
	return view.len > len ? iq_view_make(view.data, (size_t)len) : view;
}

static struct iq_view kept_payload(const struct iq_ws_decoder *decoder, const struct iq_ws_part *part)
{
	const struct iq_view plain =
		part->plain_at ? iq_view_from(iq_buf_view(&part->raw), part->plain_at) : iq_buf_view(&part->plain);

	return clip(plain, decoder->limit);
}

/* The message is longer than what is kept of it: its hash stands for the rest. */
static int hash_rest(struct iq_ws_decoder *decoder, struct iq_ws_part *part, struct iq_view rest)
{
	if (!part->hash)
		part->hash = iq_sha256_new();
	if (!part->hash)
		return IQ_ERR_NOMEM;
	if (!part->heard.is_cut) {
		const struct iq_view kept = kept_payload(decoder, part);

		iq_sha256_reset(part->hash);
		iq_sha256_update(part->hash, kept.data, kept.len);
		part->heard.is_cut = true;
	}
	iq_sha256_update(part->hash, rest.data, rest.len);
	return 0;
}

/* Plain bytes that are, or are not, in the raw ones already. */
static int add_plain(struct iq_ws_decoder *decoder, struct iq_ws_part *part, struct iq_view plain)
{
	const uint64_t before = part->heard.payload_len;
	const uint64_t room = before < decoder->limit ? decoder->limit - before : 0;
	const struct iq_view kept = clip(plain, room);

	part->heard.payload_len += plain.len;
	if (!part->plain_at && kept.len > 0 && iq_buf_append(&part->plain, kept) < 0)
		return IQ_ERR_NOMEM;
	return plain.len > room ? hash_rest(decoder, part, iq_view_from(plain, kept.len)) : 0;
}

static int take_inflated(void *context, struct iq_view plain)
{
	struct iq_ws_decoder *decoder = context;

	return add_plain(decoder, &decoder->message, plain);
}

static int note_inflate(struct iq_ws_part *part, int rc)
{
	if (rc == IQ_ERR_NOMEM)
		return rc;
	part->heard.problems |= rc == IQ_ERR_LIMIT ? IQ_WS_DEFLATE_LIMIT : rc < 0 ? IQ_WS_DEFLATE : 0;
	return 0;
}

/* Bytes of the payload, without the mask. */
static int add_payload(struct iq_ws_decoder *decoder, struct iq_ws_part *part, struct iq_view bytes)
{
	part->heard.wire_len += bytes.len;
	if (!part->heard.compressed)
		return add_plain(decoder, part, bytes);
	if (!decoder->inflate)
		decoder->inflate = iq_inflate_new(&decoder->deflate);
	if (!decoder->inflate)
		return IQ_ERR_NOMEM;
	return note_inflate(part, iq_inflate_feed(decoder->inflate, bytes, take_inflated, decoder));
}

static size_t raw_room(const struct iq_ws_decoder *decoder, const struct iq_ws_part *part)
{
	const uint64_t most = decoder->limit + IQ_WS_MAX_HEADS;

	return part->raw.len < most ? (size_t)(most - part->raw.len) : 0;
}

static int add_raw(struct iq_ws_decoder *decoder, struct iq_ws_part *part, struct iq_view bytes)
{
	part->heard.raw_len += bytes.len;
	return iq_buf_append(&part->raw, clip(bytes, raw_room(decoder, part)));
}

/* ---- Messages ---- */

static void begin_part(const struct iq_ws_decoder *decoder, struct iq_ws_part *part, uint8_t opcode)
{
	iq_buf_clear(&part->raw);
	iq_buf_clear(&part->plain);
	part->plain_at = 0;
	part->open = true;
	part->heard = (struct iq_ws_heard){ .opcode = opcode,
					    .fragment_lens = part->fragment_lens,
					    .start = decoder->position - decoder->head_len,
					    .first = decoder->head_first };
}

/* Codes that may stand in a close frame (section 7.4). */
static bool is_valid_code(uint16_t code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
	       (code >= 3000 && code <= 4999);
}

static void read_close(struct iq_ws_decoder *decoder, struct iq_ws_heard *heard)
{
	const struct iq_view payload = heard->payload;

	decoder->closed = true;
	heard->code = 1005;
	if (payload.len == 1)
		heard->problems |= IQ_WS_CLOSE_LENGTH;
	if (payload.len < 2)
		return;
	heard->code = (uint16_t)((uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1]);
	heard->reason = iq_view_from(payload, 2);
	if (!is_valid_code(heard->code))
		heard->problems |= IQ_WS_CLOSE_CODE;
	if (!iq_utf8_valid(heard->reason))
		heard->problems |= IQ_WS_UTF8;
}

/* What can be said of a whole payload only. */
static void judge(struct iq_ws_decoder *decoder, struct iq_ws_heard *heard)
{
	switch (heard->opcode) {
	case IQ_WS_TEXT:
		/* A beginning may end within a character. */
		heard->is_binary = !iq_utf8_valid(heard->is_cut ? iq_utf8_cut(heard->payload, heard->payload.len - 3)
								: heard->payload);
		if (heard->is_binary && heard->payload.data)
			heard->problems |= IQ_WS_UTF8;
		break;
	case IQ_WS_CLOSE:
		read_close(decoder, heard);
		break;
	default:
		heard->is_binary = true;
		break;
	}
}

static int finish_part(struct iq_ws_decoder *decoder, struct iq_ws_part *part, struct iq_ws_heard *ret_heard)
{
	struct iq_ws_heard *heard = &part->heard;

	part->open = false;
	heard->raw = iq_buf_view(&part->raw);
	heard->payload = kept_payload(decoder, part);
	if (heard->problems & (IQ_WS_DEFLATE | IQ_WS_DEFLATE_LIMIT)) {
		heard->payload = IQ_VIEW_NULL;
		heard->payload_len = 0;
		heard->is_cut = false;
	}
	if (heard->is_cut)
		iq_sha256_digest(part->hash, heard->sha256);
	judge(decoder, heard);
	*ret_heard = *heard;
	return 1;
}

/* ---- Frames ---- */

/* Which part the frame belongs to. One that is begun anew within another shows that other one first: 1. */
static int choose_part(struct iq_ws_decoder *decoder, struct iq_ws_heard *ret_heard)
{
	const uint8_t opcode = decoder->head[0] & OPCODE;
	struct iq_ws_part *part = is_control(opcode) ? &decoder->control : &decoder->message;

	decoder->part = part;
	if (opcode == IQ_WS_CONTINUATION && part->open)
		return 0;
	if (part == &decoder->message && part->open) {
		part->heard.problems |= IQ_WS_UNFINISHED;
		return finish_part(decoder, part, ret_heard);
	}
	begin_part(decoder, part, opcode);
	if (opcode == IQ_WS_CONTINUATION)
		part->heard.problems |= IQ_WS_NO_MESSAGE;
	part->heard.compressed = decoder->deflate.agreed && (opcode == IQ_WS_TEXT || opcode == IQ_WS_BINARY) &&
				 (decoder->head[0] & RSV1);
	return 0;
}

static int begin_frame(struct iq_ws_decoder *decoder)
{
	struct iq_ws_part *part = decoder->part;
	struct iq_ws_heard *heard = &part->heard;
	const size_t size = decoder->head_len;

	decoder->payload_len = decoder->payload_left = declared_length(decoder->head);
	decoder->masked = decoder->head[1] & MASKED;
	decoder->final = (decoder->head[0] & FIN) || part == &decoder->control;
	if (decoder->masked)
		memcpy(decoder->mask, decoder->head + size - 4, 4);
	heard->problems |= head_problems(decoder, decoder->head, decoder->payload_len);
	if (heard->fragments < IQ_WS_MAX_FRAGMENTS)
		part->fragment_lens[heard->fragments] = decoder->payload_len;
	if (heard->fragments++ == 0 && decoder->final && !heard->compressed)
		part->plain_at = size;
	decoder->in_payload = true;
	decoder->head_len = 0;
	return add_raw(decoder, part, iq_view_make((const char *)decoder->head, size));
}

/* Unmasked where it stands in the raw bytes, or, where these are full, piece by piece. */
static int take_piece(struct iq_ws_decoder *decoder, struct iq_view bytes, uint64_t done)
{
	struct iq_ws_part *part = decoder->part;
	const size_t start = part->raw.len;
	char plain[STEP];

	if (raw_room(decoder, part) < bytes.len) {
		if (decoder->masked) {
			iq_ws_mask(plain, bytes.data, bytes.len, decoder->mask, done);
			bytes.data = plain;
		}
		return add_raw(decoder, part, bytes) < 0 ? IQ_ERR_NOMEM : add_payload(decoder, part, bytes);
	}
	if (add_raw(decoder, part, bytes) < 0)
		return IQ_ERR_NOMEM;
	if (decoder->masked)
		iq_ws_mask(part->raw.data + start, part->raw.data + start, bytes.len, decoder->mask, done);
	return add_payload(decoder, part, iq_view_from(iq_buf_view(&part->raw), start));
}

static int take_payload(struct iq_ws_decoder *decoder, struct iq_view *bytes)
{
	while (bytes->len > 0 && decoder->payload_left > 0) {
		const uint64_t most = decoder->payload_left < STEP ? decoder->payload_left : STEP;
		const struct iq_view piece = clip(*bytes, most);

		if (take_piece(decoder, piece, decoder->payload_len - decoder->payload_left) < 0)
			return IQ_ERR_NOMEM;
		decoder->payload_left -= piece.len;
		decoder->position += piece.len;
		*bytes = iq_view_from(*bytes, piece.len);
	}
	return 0;
}

/* 1 and a message, or 0: its frame was not the last. */
static int end_frame(struct iq_ws_decoder *decoder, struct iq_ws_heard *ret_heard)
{
	struct iq_ws_part *part = decoder->part;

	decoder->in_payload = false;
	part->heard.end = decoder->position;
	if (!decoder->final)
		return 0;
	if (part->heard.compressed) {
		/* A message of no bytes has not met it yet. */
		if (add_payload(decoder, part, IQ_VIEW_NULL) < 0 ||
		    note_inflate(part, iq_inflate_end(decoder->inflate, take_inflated, decoder)) < 0)
			return IQ_ERR_NOMEM;
	}
	return finish_part(decoder, part, ret_heard);
}

/* The head is complete: what it belongs to. 1 and a message that it interrupts. */
static int take_head(struct iq_ws_decoder *decoder, struct iq_ws_heard *ret_heard)
{
	int rc = choose_part(decoder, ret_heard);

	if (rc != 0)
		return rc;
	if (begin_frame(decoder) < 0)
		return IQ_ERR_NOMEM;
	if (!(decoder->payload_len >> 63))
		return 0;
	decoder->lost = true;
	decoder->lost_at = decoder->position;
	decoder->part->heard.end = decoder->position;
	return finish_part(decoder, decoder->part, ret_heard);
}

static bool head_is_complete(const struct iq_ws_decoder *decoder)
{
	return decoder->head_len >= 2 && decoder->head_len == head_size(decoder->head);
}

/* ---- A whole frame that is a whole message, where it stands ---- */

/* 1 and the message; 0: it is none of these. */
static int take_whole(struct iq_ws_decoder *decoder, struct iq_view *bytes, int64_t now, struct iq_ws_heard *ret_heard)
{
	const uint8_t *head = (const uint8_t *)bytes->data;
	const uint8_t opcode = head[0] & OPCODE;
	struct iq_ws_part *part = is_control(opcode) ? &decoder->control : &decoder->message;
	size_t size, len;

	if (bytes->len < 2 || (head[0] & (FIN | RESERVED)) != FIN || opcode == IQ_WS_CONTINUATION || part->open)
		return 0;
	size = head_size(head);
	if (bytes->len < size || declared_length(head) > bytes->len - size || declared_length(head) > decoder->limit)
		return 0;
	len = (size_t)declared_length(head);
	*ret_heard = (struct iq_ws_heard){ .opcode = opcode,
					   .problems = head_problems(decoder, head, len),
					   .payload = iq_view_make(bytes->data + size, len),
					   .payload_len = len,
					   .wire_len = len,
					   .raw = iq_view_make(bytes->data, size + len),
					   .raw_len = size + len,
					   .start = decoder->position,
					   .end = decoder->position + size + len,
					   .fragments = 1,
					   .fragment_lens = part->fragment_lens,
					   .first = now };
	part->fragment_lens[0] = len;
	if (head[1] & MASKED) {
		iq_buf_clear(&part->raw);
		if (iq_buf_reserve(&part->raw, size + len) < 0)
			return IQ_ERR_NOMEM;
		iq_copy(part->raw.data, bytes->data, size);
		iq_ws_mask(part->raw.data + size, bytes->data + size, len, head + size - 4, 0);
		ret_heard->raw.data = part->raw.data;
		ret_heard->payload.data = part->raw.data + size;
	}
	decoder->position += size + len;
	*bytes = iq_view_from(*bytes, size + len);
	judge(decoder, ret_heard);
	return 1;
}

/* ---- The decoder ---- */

static void take_head_byte(struct iq_ws_decoder *decoder, struct iq_view *bytes, int64_t now)
{
	if (decoder->head_len == 0)
		decoder->head_first = now;
	decoder->head[decoder->head_len++] = (uint8_t)bytes->data[0];
	decoder->position++;
	*bytes = iq_view_from(*bytes, 1);
}

int iq_ws_decoder_next(struct iq_ws_decoder *decoder, struct iq_view *bytes, int64_t now, struct iq_ws_heard *ret_heard)
{
	int rc = 0;

	while (rc == 0 && !decoder->lost) {
		if (decoder->in_payload) {
			rc = take_payload(decoder, bytes);
			if (rc < 0 || decoder->payload_left > 0)
				return rc;
			rc = end_frame(decoder, ret_heard);
		} else if (head_is_complete(decoder)) {
			rc = take_head(decoder, ret_heard);
		} else if (bytes->len == 0) {
			return 0;
		} else {
			rc = decoder->head_len == 0 ? take_whole(decoder, bytes, now, ret_heard) : 0;
			if (rc == 0)
				take_head_byte(decoder, bytes, now);
		}
	}
	if (rc == 0) {
		decoder->position += bytes->len;
		*bytes = IQ_VIEW_NULL;
	}
	return rc;
}

int iq_ws_decoder_end(struct iq_ws_decoder *decoder, struct iq_ws_heard *ret_heard)
{
	struct iq_ws_part *part = decoder->in_payload ? decoder->part : &decoder->message;

	decoder->in_payload = false;
	if (!part->open)
		part = &decoder->message;
	if (!part->open)
		return 0;
	part->heard.end = decoder->position;
	return finish_part(decoder, part, ret_heard);
}

/* ---- Back to what went by ---- */

int iq_ws_remask(struct iq_view raw, struct iq_buf *buf)
{
	while (raw.len >= 2) {
		const uint8_t *head = (const uint8_t *)raw.data;
		const size_t size = head_size(head);
		const size_t start = buf->len + size;
		struct iq_view frame;

		if (raw.len < size)
			break;
		frame = clip(raw, declared_length(head) > raw.len - size ? raw.len : declared_length(head) + size);
		if (iq_buf_append(buf, frame) < 0)
			return IQ_ERR_NOMEM;
		if (head[1] & MASKED)
			iq_ws_mask(buf->data + start, buf->data + start, frame.len - size, head + size - 4, 0);
		raw = iq_view_from(raw, frame.len);
	}
	return iq_buf_append(buf, raw);
}
