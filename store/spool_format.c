#include "store/spool_format.h"

#include "store/stream.h"

static const char magic[8] = { 'i', 'n', 'q', 's', 'p', 'o', 'o', 'l' };

/* Flags of an event. */
enum { RAW_IS_SHARED = 1, BODY_IN_RAW = 2, SESSION_BEGINS = 4, SESSION_ENDS = 8, ALL_FLAGS = 15 };

/* Ids and sequence numbers beyond are not believed. */
#define MAX_NUMBER (UINT64_C(1) << 62)

/* A shorter body is not looked for in the raw bytes: it costs less than finding it. */
#define BODY_WORTH_FINDING 16

static void append_u32(struct iq_buf *buf, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		(void)iq_buf_append_char(buf, (char)(value >> 8 * i));
}

static void append_u64(struct iq_buf *buf, uint64_t value)
{
	append_u32(buf, (uint32_t)value);
	append_u32(buf, (uint32_t)(value >> 32));
}

static uint32_t u32_at(struct iq_view bytes, size_t at)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 4; i++)
		value |= (uint32_t)(uint8_t)bytes.data[at + i] << 8 * i;
	return value;
}

static uint64_t u64_at(struct iq_view bytes, size_t at)
{
	return u32_at(bytes, at) | (uint64_t)u32_at(bytes, at + 4) << 32;
}

static void set_u32(char *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(value >> 8 * i);
}

static void append_zeros(struct iq_buf *buf, size_t count)
{
	if (iq_buf_reserve(buf, count) < 0)
		return;
	memset(buf->data + buf->len, 0, count);
	buf->len += count;
	buf->data[buf->len] = '\0';
}

/* ---- The header ---- */

/* Offsets in the identity; the names follow each other from NAMES_AT, the CRC is the last thing before the watermark. */
enum { VERSION_AT = 8, NUMBER_AT = 12, EVIDENCE_AT = 16, NAME_LENGTH_AT = 20, FORMAT_LENGTH_AT = 24 };
enum { COVERS_AT = 28, SEQ_AT = 32, ID_AT = 40, CREATED_AT = 48, FROM_AT = 56, TO_AT = 64, NAMES_AT = 72 };
enum { CRC_AT = IQ_SPOOL_WATERMARK_AT - 4 };

int iq_spool_append_header(struct iq_buf *buf, const struct iq_spool_header *header)
{
	const size_t start = buf->len;

	if (header->name.len > IQ_SPOOL_MAX_NAME || header->format.len > IQ_SPOOL_MAX_NAME)
		return IQ_ERR_LIMIT;
	(void)iq_buf_append(buf, iq_view_make(magic, sizeof(magic)));
	append_u32(buf, IQ_SPOOL_VERSION);
	append_u32(buf, header->number);
	append_u32(buf, header->evidence);
	append_u32(buf, (uint32_t)header->name.len);
	append_u32(buf, (uint32_t)header->format.len);
	append_u32(buf, header->has_covers);
	append_u64(buf, header->seq_first);
	append_u64(buf, header->id_first);
	append_u64(buf, (uint64_t)header->created);
	append_u64(buf, header->has_covers ? (uint64_t)header->covers_from : 0);
	append_u64(buf, header->has_covers ? (uint64_t)header->covers_to : 0);
	(void)iq_buf_append(buf, header->name);
	(void)iq_buf_append(buf, header->format);
	append_zeros(buf, CRC_AT - (buf->len - start));
	if (buf->failed)
		return IQ_ERR_NOMEM;
	append_u32(buf, iq_crc32c(0, iq_view_make(buf->data + start, CRC_AT)));
	append_u64(buf, header->seq_first - 1);
	append_zeros(buf, IQ_SPOOL_RECORDS_AT - IQ_SPOOL_WATERMARK_AT - 8);
	return buf->failed ? IQ_ERR_NOMEM : 0;
}

int iq_spool_parse_header(struct iq_view bytes, struct iq_spool_header *ret_header)
{
	uint32_t name_length, format_length;

	if (bytes.len < IQ_SPOOL_WATERMARK_AT || memcmp(bytes.data, magic, sizeof(magic)) != 0)
		return IQ_ERR_FORMAT;
	if (iq_crc32c(0, iq_view_make(bytes.data, CRC_AT)) != u32_at(bytes, CRC_AT))
		return IQ_ERR_CORRUPT;
	if (u32_at(bytes, VERSION_AT) != IQ_SPOOL_VERSION)
		return IQ_ERR_VERSION;
	name_length = u32_at(bytes, NAME_LENGTH_AT);
	format_length = u32_at(bytes, FORMAT_LENGTH_AT);
	*ret_header = (struct iq_spool_header){
		.number = u32_at(bytes, NUMBER_AT),
		.evidence = u32_at(bytes, EVIDENCE_AT),
		.seq_first = u64_at(bytes, SEQ_AT),
		.id_first = u64_at(bytes, ID_AT),
		.created = (int64_t)u64_at(bytes, CREATED_AT),
		.has_covers = u32_at(bytes, COVERS_AT) == 1,
		.covers_from = (int64_t)u64_at(bytes, FROM_AT),
		.covers_to = (int64_t)u64_at(bytes, TO_AT),
	};
	if (name_length > IQ_SPOOL_MAX_NAME || format_length > IQ_SPOOL_MAX_NAME ||
	    ret_header->seq_first - 1 >= MAX_NUMBER || ret_header->id_first - 1 >= MAX_NUMBER ||
	    ret_header->evidence - 1 >= INT32_MAX || ret_header->covers_from > ret_header->covers_to)
		return IQ_ERR_CORRUPT;
	ret_header->name = iq_view_make(bytes.data + NAMES_AT, name_length);
	ret_header->format = iq_view_make(bytes.data + NAMES_AT + name_length, format_length);
	return 0;
}

/* ---- Writing records ---- */

/* 0 for NULL, else the length plus one; then the bytes. */
static void append_text(struct iq_buf *buf, struct iq_view text)
{
	(void)iq_varint_append(buf, text.data ? text.len + 1 : 0);
	(void)iq_buf_append(buf, text);
}

/* Room for the head; the record's start is returned. */
static size_t begin_record(struct iq_buf *buf)
{
	const size_t start = buf->len;

	append_zeros(buf, IQ_SPOOL_HEAD_BYTES);
	return start;
}

static int end_record(struct iq_buf *buf, size_t start, uint64_t seq, enum iq_spool_type type)
{
	const size_t length = buf->len - start - IQ_SPOOL_HEAD_BYTES;
	char *head;

	append_zeros(buf, -buf->len & 7);
	if (buf->failed || length > IQ_SPOOL_MAX_RECORD) {
		bool failed = buf->failed;

		buf->len = start;
		buf->failed = false;
		return failed ? IQ_ERR_NOMEM : IQ_ERR_LIMIT;
	}
	head = buf->data + start;
	set_u32(head + 4, (uint32_t)length);
	set_u32(head + 8, (uint32_t)seq);
	set_u32(head + 12, (uint32_t)(seq >> 32));
	set_u32(head + 16, type);
	set_u32(head, iq_crc32c(0, iq_view_make(head + 4, IQ_SPOOL_HEAD_BYTES - 4 + length)));
	return 0;
}

/* Most bodies stand in the raw bytes as they are. */
static size_t find_body(struct iq_view body, struct iq_view raw)
{
	if (body.len < BODY_WORTH_FINDING || body.len > raw.len)
		return SIZE_MAX;
	if ((uintptr_t)body.data - (uintptr_t)raw.data <= raw.len - body.len)
		return (size_t)(body.data - raw.data);
	return iq_view_find(raw, body);
}

int iq_spool_append_event(struct iq_buf *buf, uint64_t seq, const struct iq_event *event, struct iq_view raw)
{
	size_t start, found;

	if (event->body.len > IQ_SPOOL_MAX_RECORD || raw.len > IQ_SPOOL_MAX_RECORD)
		return IQ_ERR_LIMIT;
	start = begin_record(buf);
	found = find_body(event->body, raw);
	(void)iq_buf_append_char(buf, (char)event->kind);
	(void)iq_buf_append_char(buf, (char)event->direction);
	(void)iq_buf_append_char(buf, (char)event->severity);
	(void)iq_buf_append_char(buf, (char)((raw.data ? 0 : RAW_IS_SHARED) | (found == SIZE_MAX ? 0 : BODY_IN_RAW) |
					     (event->session_begins ? SESSION_BEGINS : 0) |
					     (event->session_ends ? SESSION_ENDS : 0)));
	(void)iq_zigzag_append(buf, event->ts);
	(void)iq_zigzag_append(buf, event->observed);
	(void)iq_zigzag_append(buf, event->seq);
	append_text(buf, event->source);
	append_text(buf, event->session);
	append_text(buf, event->type);
	append_text(buf, event->key);
	append_text(buf, event->attrs);
	if (found == SIZE_MAX) {
		append_text(buf, event->body);
	} else {
		(void)iq_varint_append(buf, found);
		(void)iq_varint_append(buf, event->body.len);
	}
	(void)iq_buf_append(buf, raw);
	return end_record(buf, start, seq, IQ_SPOOL_EVENT);
}

int iq_spool_append_gap(struct iq_buf *buf, uint64_t seq, const struct iq_gap *gap)
{
	const size_t start = begin_record(buf);

	(void)iq_buf_append_char(buf, (char)gap->direction);
	(void)iq_zigzag_append(buf, gap->ts_min);
	(void)iq_zigzag_append(buf, gap->ts_max);
	(void)iq_zigzag_append(buf, gap->count);
	(void)iq_varint_append(buf, gap->bytes);
	append_text(buf, gap->source);
	append_text(buf, gap->session);
	append_text(buf, gap->reason);
	return end_record(buf, start, seq, IQ_SPOOL_GAP);
}

int iq_spool_append_end(struct iq_buf *buf, uint64_t seq)
{
	return end_record(buf, begin_record(buf), seq, IQ_SPOOL_END);
}

/* ---- Reading records ---- */

size_t iq_spool_record_size(struct iq_view head)
{
	const uint32_t length = u32_at(head, 4), type = u32_at(head, 16);

	if (type < IQ_SPOOL_EVENT || type > IQ_SPOOL_END || length > IQ_SPOOL_MAX_RECORD)
		return 0;
	return IQ_SPOOL_HEAD_BYTES + ((length + 7u) & ~(size_t)7);
}

uint64_t iq_spool_record_seq(struct iq_view head)
{
	return u64_at(head, 8);
}

static bool take_text(struct iq_view *rest, struct iq_view *ret_text)
{
	uint64_t length;

	*ret_text = IQ_VIEW_NULL;
	return iq_varint_take(rest, &length) && (length == 0 || iq_bytes_take(rest, length - 1, ret_text));
}

static bool parse_event(struct iq_view rest, struct iq_spool_record *record)
{
	struct iq_event *event = &record->event;
	uint8_t kind, direction, severity, flags;
	uint64_t at = 0, length = 0;

	if (!iq_byte_take(&rest, &kind) || kind >= IQ_KIND_COUNT || !iq_byte_take(&rest, &direction) ||
	    direction > IQ_DIRECTION_SERVER || !iq_byte_take(&rest, &severity) || severity > IQ_SEVERITY_CRITICAL ||
	    !iq_byte_take(&rest, &flags) || flags > ALL_FLAGS)
		return false;
	*event = (struct iq_event){ .kind = kind,
				    .direction = direction,
				    .severity = severity,
				    .session_begins = flags & SESSION_BEGINS,
				    .session_ends = flags & SESSION_ENDS };
	if (!iq_zigzag_take(&rest, &event->ts) || !iq_zigzag_take(&rest, &event->observed) ||
	    !iq_zigzag_take(&rest, &event->seq) || !take_text(&rest, &event->source) ||
	    !take_text(&rest, &event->session) || !take_text(&rest, &event->type) || !take_text(&rest, &event->key) ||
	    !take_text(&rest, &event->attrs))
		return false;
	if (flags & BODY_IN_RAW ? !iq_varint_take(&rest, &at) || !iq_varint_take(&rest, &length)
				: !take_text(&rest, &event->body))
		return false;
	if (at > rest.len || length > rest.len - at)
		return false;
	if (flags & BODY_IN_RAW)
		event->body = iq_view_make(rest.data + at, length);
	record->raw = flags & RAW_IS_SHARED ? IQ_VIEW_NULL : rest;
	return !(flags & RAW_IS_SHARED) || rest.len == 0;
}

static bool parse_gap(struct iq_view rest, struct iq_spool_record *record)
{
	struct iq_gap *gap = &record->gap;
	uint8_t direction;

	if (!iq_byte_take(&rest, &direction) || direction > IQ_DIRECTION_SERVER)
		return false;
	*gap = (struct iq_gap){ .direction = direction };
	return iq_zigzag_take(&rest, &gap->ts_min) && iq_zigzag_take(&rest, &gap->ts_max) &&
	       iq_zigzag_take(&rest, &gap->count) && iq_varint_take(&rest, &gap->bytes) &&
	       take_text(&rest, &gap->source) && take_text(&rest, &gap->session) && take_text(&rest, &gap->reason) &&
	       gap->reason.data && rest.len == 0 && gap->bytes <= INT64_MAX;
}

bool iq_spool_parse_record(struct iq_view bytes, struct iq_spool_record *ret_record)
{
	const uint32_t length = u32_at(bytes, 4);
	const struct iq_view payload = iq_view_make(bytes.data + IQ_SPOOL_HEAD_BYTES, length);

	if (iq_crc32c(0, iq_view_make(bytes.data + 4, IQ_SPOOL_HEAD_BYTES - 4 + length)) != u32_at(bytes, 0))
		return false;
	*ret_record = (struct iq_spool_record){ .seq = u64_at(bytes, 8), .type = u32_at(bytes, 16) };
	switch (ret_record->type) {
	case IQ_SPOOL_EVENT:
		return parse_event(payload, ret_record);
	case IQ_SPOOL_GAP:
		return parse_gap(payload, ret_record);
	default:
		return length == 0;
	}
}
