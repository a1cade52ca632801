#include "ingest/engine_io.h"

#define SEPARATOR '\x1e'
#define END_OF_LENGTH 255
/* A length has no more digits. */
#define MAX_DIGITS 9

/* The value of a parameter of the query; the NULL view if there is none. */
static struct iq_view parameter(struct iq_view url, struct iq_view name)
{
	size_t at = iq_view_find(url, IQ_LIT("?")), len;

	while (at < url.len) {
		struct iq_view rest = iq_view_from(url, at + 1);

		for (len = 0; len < rest.len && rest.data[len] != '&' && rest.data[len] != '#';)
			len++;
		if (iq_view_starts_with(rest, name))
			return iq_view_make(rest.data + name.len, len - name.len);
		at += len + 1;
	}
	return IQ_VIEW_NULL;
}

struct iq_engine_io iq_engine_io_of(struct iq_view url)
{
	struct iq_engine_io engine = { .revision = 0 };
	int64_t revision;

	if (!iq_view_to_int64(parameter(url, IQ_LIT("EIO=")), &revision) || revision < 3 || revision > 4)
		return engine;
	engine.revision = (unsigned)revision;
	engine.is_polling = iq_view_eq(parameter(url, IQ_LIT("transport=")), IQ_LIT("polling"));
	engine.sid = parameter(url, IQ_LIT("sid="));
	return engine;
}

/* ---- Packets ---- */

/* How many bytes so many UTF-16 units take; SIZE_MAX: there are not so many. */
static size_t bytes_of_units(struct iq_view text, uint64_t units)
{
	size_t at = 0;

	while (units > 0 && at < text.len) {
		const unsigned char c = (unsigned char)text.data[at];
		const size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		const uint64_t wide = bytes == 4 ? 2 : 1;

		if (bytes > text.len - at || wide > units)
			return SIZE_MAX;
		at += bytes;
		units -= wide;
	}
	return units == 0 ? at : SIZE_MAX;
}

static int next_by_separator(struct iq_view *body, struct iq_engine_packet *packet)
{
	const char *found = memchr(body->data, SEPARATOR, body->len);
	const size_t len = found ? (size_t)(found - body->data) : body->len;

	packet->text = iq_view_make(body->data, len);
	*body = iq_view_from(*body, found ? len + 1 : len);
	packet->is_base64 = packet->is_binary = iq_view_starts_with(packet->text, IQ_LIT("b"));
	if (packet->is_binary)
		packet->text = iq_view_from(packet->text, 1);
	return packet->is_binary || (len > 0 && packet->text.data[0] >= '0' && packet->text.data[0] <= '6')
		       ? 1
		       : IQ_ERR_FORMAT;
}

/* `12:` */
static int next_by_length(struct iq_view *body, struct iq_engine_packet *packet)
{
	struct iq_view rest;
	uint64_t units = 0;
	size_t digits = 0, len;

	while (digits < body->len && digits < MAX_DIGITS && body->data[digits] >= '0' && body->data[digits] <= '9')
		units = units * 10 + (uint64_t)(body->data[digits++] - '0');
	if (digits == 0 || digits == body->len || body->data[digits] != ':')
		return IQ_ERR_FORMAT;
	rest = iq_view_from(*body, digits + 1);
	len = bytes_of_units(rest, units);
	if (len == SIZE_MAX || len == 0)
		return IQ_ERR_FORMAT;
	packet->text = iq_view_make(rest.data, len);
	*body = iq_view_from(rest, len);
	packet->is_base64 = packet->is_binary = iq_view_starts_with(packet->text, IQ_LIT("b4"));
	if (packet->is_binary)
		packet->text = iq_view_from(packet->text, 2);
	return 1;
}

static int next_of_bytes(struct iq_view *body, struct iq_engine_packet *packet)
{
	struct iq_view rest;
	uint64_t length = 0;
	size_t at = 1;

	while (at < body->len && at <= MAX_DIGITS && (unsigned char)body->data[at] <= 9)
		length = length * 10 + (unsigned char)body->data[at++];
	if (at == 1 || at == body->len || (unsigned char)body->data[at] != END_OF_LENGTH)
		return IQ_ERR_FORMAT;
	rest = iq_view_from(*body, at + 1);
	if (length == 0 || length > rest.len)
		return IQ_ERR_FORMAT;
	packet->is_binary = body->data[0] == 1;
	packet->text = iq_view_make(rest.data, (size_t)length);
	*body = iq_view_from(rest, (size_t)length);
	return 1;
}

int iq_engine_io_next(struct iq_view *body, unsigned revision, struct iq_engine_packet *ret_packet)
{
	*ret_packet = (struct iq_engine_packet){ .text = IQ_VIEW_NULL };
	if (body->len == 0)
		return 0;
	if (revision == 4)
		return next_by_separator(body, ret_packet);
	return (unsigned char)body->data[0] <= 1 ? next_of_bytes(body, ret_packet) : next_by_length(body, ret_packet);
}

bool iq_engine_io_is_payload(struct iq_view body, unsigned revision)
{
	struct iq_engine_packet packet;
	int rc = body.len > 0 ? 1 : IQ_ERR_FORMAT;

	while (rc > 0)
		rc = iq_engine_io_next(&body, revision, &packet);
	return rc == 0;
}

struct iq_view iq_engine_io_opened(struct iq_view body, unsigned revision)
{
	struct iq_engine_packet packet;
	struct iq_json_value sid = { .type = IQ_JSON_NONE };
	struct iq_buf scratch = IQ_BUF_INIT;

	if (iq_engine_io_next(&body, revision, &packet) > 0 && iq_view_starts_with(packet.text, IQ_LIT("0")))
		sid = iq_json_pointer(iq_view_from(packet.text, 1), IQ_LIT("/sid"), &scratch);
	iq_buf_release(&scratch);
	return sid.type == IQ_JSON_STRING ? iq_view_make(sid.raw.data + 1, sid.raw.len - 2) : IQ_VIEW_NULL;
}
