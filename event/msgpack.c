#include "event/msgpack.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What a first byte from 0xc0 says: the type, bytes of a number or a length that follow, and bytes that are not looked at. */
struct form {
	enum iq_msgpack_type type;
	uint8_t width;
	bool is_signed;
	uint8_t extra;
};

static const struct form forms[0x20] = {
	[0x00] = { IQ_MSGPACK_NIL, 0, false, 0 },     [0x02] = { IQ_MSGPACK_BOOL, 0, false, 0 },
	[0x03] = { IQ_MSGPACK_BOOL, 0, false, 0 },    [0x04] = { IQ_MSGPACK_BINARY, 1, false, 0 },
	[0x05] = { IQ_MSGPACK_BINARY, 2, false, 0 },  [0x06] = { IQ_MSGPACK_BINARY, 4, false, 0 },
	[0x07] = { IQ_MSGPACK_BINARY, 1, false, 1 },  [0x08] = { IQ_MSGPACK_BINARY, 2, false, 1 },
	[0x09] = { IQ_MSGPACK_BINARY, 4, false, 1 },  [0x0a] = { IQ_MSGPACK_FLOAT, 4, false, 0 },
	[0x0b] = { IQ_MSGPACK_FLOAT, 8, false, 0 },   [0x0c] = { IQ_MSGPACK_INTEGER, 1, false, 0 },
	[0x0d] = { IQ_MSGPACK_INTEGER, 2, false, 0 }, [0x0e] = { IQ_MSGPACK_INTEGER, 4, false, 0 },
	[0x0f] = { IQ_MSGPACK_INTEGER, 8, false, 0 }, [0x10] = { IQ_MSGPACK_INTEGER, 1, true, 0 },
	[0x11] = { IQ_MSGPACK_INTEGER, 2, true, 0 },  [0x12] = { IQ_MSGPACK_INTEGER, 4, true, 0 },
	[0x13] = { IQ_MSGPACK_INTEGER, 8, true, 0 },  [0x14] = { IQ_MSGPACK_BINARY, 0, false, 2 },
	[0x15] = { IQ_MSGPACK_BINARY, 0, false, 3 },  [0x16] = { IQ_MSGPACK_BINARY, 0, false, 5 },
	[0x17] = { IQ_MSGPACK_BINARY, 0, false, 9 },  [0x18] = { IQ_MSGPACK_BINARY, 0, false, 17 },
	[0x19] = { IQ_MSGPACK_STRING, 1, false, 0 },  [0x1a] = { IQ_MSGPACK_STRING, 2, false, 0 },
	[0x1b] = { IQ_MSGPACK_STRING, 4, false, 0 },  [0x1c] = { IQ_MSGPACK_ARRAY, 2, false, 0 },
	[0x1d] = { IQ_MSGPACK_ARRAY, 4, false, 0 },   [0x1e] = { IQ_MSGPACK_MAP, 2, false, 0 },
	[0x1f] = { IQ_MSGPACK_MAP, 4, false, 0 },
};

static bool take(struct iq_msgpack *reader, uint64_t len, struct iq_view *ret_bytes)
{
	if (len > reader->text.len - reader->position)
		return false;
	*ret_bytes = iq_view_make(reader->text.data + reader->position, (size_t)len);
	reader->position += (size_t)len;
	return true;
}

static bool take_number(struct iq_msgpack *reader, const struct form *form, uint64_t *ret_number)
{
	struct iq_view bytes;
	uint64_t number = 0;

	if (!take(reader, form->width, &bytes))
		return false;
	for (size_t i = 0; i < bytes.len; i++)
		number = number << 8 | (unsigned char)bytes.data[i];
	if (form->is_signed && form->width < 8 && number >> (8 * form->width - 1))
		number |= UINT64_MAX << (8 * form->width);
	*ret_number = number;
	return true;
}

/* `number` is what the token has for its value or its length. */
static bool finish(struct iq_msgpack *reader, const struct form *form, uint64_t number, struct iq_msgpack_token *token)
{
	token->type = form->type;
	switch (form->type) {
	case IQ_MSGPACK_STRING:
	case IQ_MSGPACK_BINARY:
		return take(reader, number + form->extra, &token->text);
	case IQ_MSGPACK_ARRAY:
	case IQ_MSGPACK_MAP:
		token->count = (uint32_t)number;
		return true;
	case IQ_MSGPACK_INTEGER:
		token->integer = !form->is_signed && number > INT64_MAX ? INT64_MAX : (int64_t)number;
		return true;
	default:
		return form->type != IQ_MSGPACK_NONE;
	}
}

/* Values whose first byte holds all there is to say of their size. */
static bool read_short(struct iq_msgpack *reader, uint8_t first, struct iq_msgpack_token *token)
{
	static const struct {
		uint8_t mask;
		uint8_t bits;
		struct form form;
	} shorts[] = {
		{ 0x80, 0x00, { IQ_MSGPACK_INTEGER, 0, false, 0 } },
		{ 0xf0, 0x80, { IQ_MSGPACK_MAP, 0, false, 0 } },
		{ 0xf0, 0x90, { IQ_MSGPACK_ARRAY, 0, false, 0 } },
		{ 0xe0, 0xa0, { IQ_MSGPACK_STRING, 0, false, 0 } },
	};

	for (size_t i = 0; i < COUNT(shorts); i++)
		if ((first & shorts[i].mask) == shorts[i].bits)
			return finish(reader, &shorts[i].form, first & (uint8_t)~shorts[i].mask, token);
	/* 0xe0 and more: -32 to -1 */
	token->type = IQ_MSGPACK_INTEGER;
	token->integer = (int64_t)first - 0x100;
	return true;
}

bool iq_msgpack_next(struct iq_msgpack *reader, struct iq_msgpack_token *ret_token)
{
	struct iq_view byte;
	const struct form *form;
	uint64_t number;
	uint8_t first;

	*ret_token = (struct iq_msgpack_token){ .type = IQ_MSGPACK_NONE };
	if (!take(reader, 1, &byte))
		return false;
	first = (uint8_t)byte.data[0];
	if (first < 0xc0 || first >= 0xe0)
		return read_short(reader, first, ret_token);
	form = &forms[first - 0xc0];
	return take_number(reader, form, &number) && finish(reader, form, number, ret_token);
}

/* How many values are inside. */
static uint64_t values_within(const struct iq_msgpack_token *token)
{
	if (token->type == IQ_MSGPACK_MAP)
		return 2 * (uint64_t)token->count;
	return token->type == IQ_MSGPACK_ARRAY ? token->count : 0;
}

bool iq_msgpack_skip(struct iq_msgpack *reader, const struct iq_msgpack_token *token)
{
	uint64_t left[IQ_MSGPACK_MAX_DEPTH] = { values_within(token) };
	struct iq_msgpack_token next;
	size_t depth = 1;

	while (depth > 0) {
		if (left[depth - 1] == 0) {
			depth--;
			continue;
		}
		left[depth - 1]--;
		if (!iq_msgpack_next(reader, &next))
			return false;
		if (values_within(&next) == 0)
			continue;
		if (depth == IQ_MSGPACK_MAX_DEPTH)
			return false;
		left[depth++] = values_within(&next);
	}
	return true;
}
